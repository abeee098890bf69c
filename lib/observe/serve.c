/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve.c - lets callers in (caller.h), while the sources are followed.
 */
#include "observe/caller.h"
#include "observe/finding.h"
#include "observe/observe.h"

#include "mut.h"
#include "run.h"
#include "socket.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>

enum { CALLERS = 64 };
#define SOON (10 * NL_MS)

struct server {
	struct nl_listener base;        /* first: line has this */
	struct nl_serving serving;
	struct nl_also listener;
	struct nl_ticker ticker, looker;
	struct nl_findings *findings;
	struct nl_socket socket;
};

static void refuse(struct nl_run *run, int fd)
{
	static const char busy[] = "{\"id\":null,\"result\":\"error\",\"message\":\"too many clients: 64 are there\",\"failure\":{\"kind\":\"unavailable\"}}\n";
	run->os->syscall(SYS_sendto, fd, (long)busy, sizeof busy - 1, MSG_NOSIGNAL | MSG_DONTWAIT, 0, 0);
	run->os->close(fd);
}

static void listener_ready(struct nl_also *also, short revents)
{
	struct server *s = (struct server *)((char *)also - offsetof(struct server, listener));
	struct nl_run *run = s->serving.in->run;
	(void)revents;
	int fd = (int)run->os->syscall(SYS_accept4, s->socket.fd, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK, 0, 0);
	if (fd < 0) {
		if (fd != -EAGAIN && fd != -EINTR && fd != -ECONNABORTED)
			s->listener.events = 0; // No descriptor, or no memory: in a second again.
		return;
	}
	if (s->serving.n == CALLERS && MUTANT(CROWDS_OUT))
		nl_caller_cut(s->serving.callers);
	if (s->serving.n == CALLERS || !nl_caller_new(&s->serving, fd))
		refuse(run, fd);
}

static void line(struct nl_listener *base, enum nl_line what, const struct nl_fact *f, const char *text, size_t n)
{
	struct server *s = (struct server *)base;
	(void)text, (void)n;
	if (!f)
		return;
	nl_recent_put(&s->serving.recent, f);
	if (what == NL_LINE_DUP)
		return;
	nl_findings_line(s->findings, f);
	nl_callers_tell(&s->serving, f->line);
}

static void tell_finding(struct nl_quote line, void *arg)
{
	struct server *s = arg;
	nl_callers_tell(&s->serving, line);
}

/* In the middle of a file there is nothing to find: soon again. */
static bool look(struct nl_intake *in, nl_time now, void *arg)
{
	struct server *s = arg;
	if (nl_intake_is_idle(in))
		nl_findings_look(s->findings, now);
	else
		s->looker.at = nl_after(now, SOON);
	return true;
}

static bool each_second(struct nl_intake *in, nl_time now, void *arg)
{
	struct server *s = arg;
	(void)in;
	s->listener.events = POLLIN;
	nl_callers_cut_slow(&s->serving, now);
	return true;
}

static void serve_end(struct nl_ask *ask)
{
	struct server *s = ask->data;
	if (!s)
		return;
	while (s->serving.callers)
		nl_caller_cut(s->serving.callers);
	nl_socket_drop(ask->run, &s->socket);
	nl_recent_free(&s->serving.recent);
	nl_findings_free(s->findings);
	free(s);
	ask->data = NULL;
}

static int serve_begin(struct nl_ask *ask, struct nl_intake *in, struct nl_err *err)
{
	const char *path = ask->opts ? ask->opts->socket : NULL;
	if (!path)
		return nl_fail(err, "serve: at which socket? (--socket FILE)");
	struct server *s = calloc(1, sizeof *s);
	if (!s)
		return nl_fail(err, "out of memory");
	ask->data = s;
	s->serving = (struct nl_serving){ .ask = ask, .in = in };
	s->socket.fd = -1;
	s->findings = nl_findings_new(ask, tell_finding, s);
	int r = s->findings ? nl_socket_make(ask->run, &s->socket, path, SOCK_STREAM, err) : nl_fail(err, "out of memory");
	if (r < 0)
		return serve_end(ask), -1;
	nl_recent_init(&s->serving.recent, in->system);
	s->base.line = line;
	s->listener = (struct nl_also){ .fd = s->socket.fd, .events = POLLIN, .ready = listener_ready };
	s->ticker = (struct nl_ticker){ .every = NL_SEC, .wake = each_second, .arg = s };
	s->looker = (struct nl_ticker){ .every = NL_SEC, .wake = look, .arg = s };
	nl_intake_listen(in, &s->base);
	nl_intake_also(in, &s->listener);
	nl_intake_tick(in, &s->ticker);
	nl_intake_tick(in, &s->looker);
	return 0;
}

static int serve_answer(struct nl_ask *ask, struct nl_out *o, struct nl_err *err)
{
	(void)ask, (void)o, (void)err;
	return 0;                               // All was answered while it went on.
}

const struct nl_query nl_q_serve = {
	.name = "serve", .args = "", .about = "answer those who ask at --socket, until told to stop", .live = true, .begin = serve_begin,
	.answer = serve_answer, .end = serve_end,
};
