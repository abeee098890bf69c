/* SPDX-License-Identifier: Apache-2.0 */
/* remote.c - a question to a server, and its answer. */
#include "observe/serve.h"

#include "run.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define PATIENCE (10 * NL_SEC)

/* Waits for the descriptor: 0, or an errno. */
static int wait_for(struct nl_run *run, int fd, short events, nl_time until)
{
	struct pollfd p[2] = { { .fd = fd, .events = events } };
	siginfo_t si;
	for (;;) {
		int sig = nl_poll(run, p, 1, until, &si);
		if (sig > 0)
			nl_alone(run, sig);
		if (run->stop_sig)
			return EINTR;
		if (sig == NL_WAKE_IO)
			return 0;
		if (sig == NL_WAKE_TIME)
			return ETIMEDOUT;
	}
}

static int send_all(struct nl_run *run, int fd, const char *text, size_t n, nl_time until)
{
	int error = 0;
	while (n > 0 && !error) {
		long w = run->os->syscall(SYS_sendto, fd, (long)text, (long)n, MSG_NOSIGNAL | MSG_DONTWAIT, 0, 0);
		if (w == -EAGAIN)
			error = wait_for(run, fd, POLLOUT, until);
		else if (w < 0 && w != -EINTR)
			error = (int)-w;
		else if (w > 0)
			text += w, n -= (size_t)w;
	}
	return error;
}

static int receive_line(struct nl_run *run, int fd, struct nl_out *reply, nl_time until)
{
	char buf[16384];
	for (;;) {
		int error = wait_for(run, fd, POLLIN, until);
		if (error)
			return error;
		ssize_t n = run->os->read(fd, buf, sizeof buf);
		if (n == -EAGAIN || n == -EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? (int)-n : ECONNRESET;
		const char *end = memchr(buf, '\n', (size_t)n);
		nl_out_bytes(reply, buf, end ? (size_t)(end - buf) : (size_t)n);
		if (reply->lost)
			return EFBIG;
		if (end)
			return 0;
	}
}

int nl_serve_ask(struct nl_run *run, const char *path, const char *request, size_t n, struct nl_out *reply, struct nl_err *err)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	nl_time until = nl_after(nl_now(run), PATIENCE);
	if (strlen(path) >= sizeof to.sun_path)
		return nl_fail(err, "%.110s: longer than a socket's path may be", path);
	memcpy(to.sun_path, path, strlen(path));
	int fd = (int)run->os->syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, 0, 0, 0);
	int error = fd < 0 ? -fd : (int)-run->os->syscall(SYS_connect, fd, (long)&to, sizeof to, 0, 0, 0);
	if (!error)
		error = send_all(run, fd, request, n, until);
	if (!error)
		error = send_all(run, fd, "\n", 1, until);
	if (!error || error == EPIPE)           // Who refuses us may have said why before we have asked.
		error = receive_line(run, fd, reply, until);
	if (fd >= 0)
		run->os->close(fd);
	if (!error)
		return 0;
	return nl_fail(err, error == ENOENT || error == ECONNREFUSED ? "%.110s: nobody serves there (nl-observe serve --socket FILE)" : "%.110s: %s", path,
	               strerror(error));
}

bool nl_serve_text(struct nl_out *o, const char *json, const struct nl_json_tok *tok)
{
	size_t room = tok->end - tok->start + 1;
	char *text = malloc(room), *rest = text, *line;
	int n = text ? nl_json_string(json, tok, text, room) : -1;
	while (n > 0 && (line = strsep(&rest, "\n")) && (rest || *line)) {
		nl_defuse(line);
		nl_out_bytes(o, line, strlen(line));
		nl_out_bytes(o, "\n", 1);
	}
	free(text);
	return n >= 0;
}
