/* SPDX-License-Identifier: Apache-2.0 */
/*
 * talk - stdin to a unix socket, and what comes back to stdout, until it is closed
 * there.
 *
 * usage: talk [-n N] PATH
 *
 * With -n, N connections are made before that one, and say nothing.
 */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char buf[65536];
	bool crowd = argc == 4 && !strcmp(argv[1], "-n");
	const char *path = argv[argc - 1];
	int fd = -1;
	if ((argc != 2 && !crowd) || strlen(path) >= sizeof to.sun_path)
		return 125;
	strcpy(to.sun_path, path);
	for (int i = crowd ? atoi(argv[2]) : 0; i >= 0; i--) {
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
			return perror(path), 1;
	}
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = 0, .events = POLLIN } };
	for (;;) {
		if (poll(p, 2, -1) < 0)
			return 1;
		if (p[1].revents) {
			ssize_t n = read(0, buf, sizeof buf);
			if (n <= 0) {
				shutdown(fd, SHUT_WR);
				p[1].fd = -1;
			} else if (send(fd, buf, (size_t)n, MSG_NOSIGNAL) != n) {
				p[1].fd = -1;           // It may have said why it has closed.
			}
		}
		if (p[0].revents) {
			ssize_t n = read(fd, buf, sizeof buf);
			if (n <= 0)
				return n < 0;
			if (write(1, buf, (size_t)n) != n)
				return 1;
		}
	}
}
