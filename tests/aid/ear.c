/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ear.c - ear [-d] dgram|stream|join PATH: prints what it hears at a socket.
 *
 *	dgram, stream   makes it, also where an old one is
 *	join            connects to one
 *	-d              is deaf: it is there, but never reads
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SPEAKERS 64

static int get(const char *what, const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, strcmp(what, "dgram") ? SOCK_STREAM : SOCK_DGRAM, 0);

	if (fd < 0 || strlen(path) >= sizeof at.sun_path)
		return -1;
	strcpy(at.sun_path, path);
	if (!strcmp(what, "join"))
		return connect(fd, (struct sockaddr *)&at, sizeof at) == 0 ? fd : -1;
	unlink(path);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0)
		return -1;
	return strcmp(what, "stream") || listen(fd, SPEAKERS) == 0 ? fd : -1;
}

/* 0: the end. */
static ssize_t hear(int fd)
{
	char buf[65536];
	ssize_t n = read(fd, buf, sizeof buf);

	return n > 0 ? write(1, buf, (size_t)n) : n;
}

int main(int argc, char **argv)
{
	int deaf = argc > 1 && !strcmp(argv[1], "-d");
	int fd = argc == deaf + 3 ? get(argv[deaf + 1], argv[deaf + 2]) : -1;
	struct pollfd p[SPEAKERS] = { { .fd = fd, .events = POLLIN } };
	nfds_t n = 1;

	if (fd < 0)
		return 125;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (deaf)
		pause();
	if (strcmp(argv[1], "stream")) {
		while (hear(fd) > 0)
			;
		return 0;
	}
	while (poll(p, n, -1) > 0) {
		for (nfds_t i = n - 1; i > 0; i--)
			if (p[i].revents && hear(p[i].fd) <= 0)
				close(p[i].fd), p[i] = p[--n];
		if (p[0].revents && n < SPEAKERS && (fd = accept(p[0].fd, NULL, NULL)) >= 0)
			p[n++] = (struct pollfd){ .fd = fd, .events = POLLIN };
	}
	return 1;
}
