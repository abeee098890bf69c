/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plumb - runs a command on pipes that a shell cannot make.
 *
 * plumb in BYTES COMMAND...    stdin is a pipe of 1 MiB that holds BYTES bytes
 *                              (numbered lines) and whose writer has gone
 * plumb nonblock COMMAND...    stdout gets O_NONBLOCK
 * plumb full FD COMMAND...     FD is a pipe that is full and that nobody reads
 * plumb slow                   copies stdin to stdout, 4 KiB each millisecond
 * All but slow become the command, or exit with what it exited with.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int die(const char *what)
{
	perror(what);
	return 96;
}

static int become(char **argv)
{
	execvp(*argv, argv);
	return die(*argv);
}

static int in(unsigned long bytes, char **argv)
{
	int p[2];

	if (pipe(p) || fcntl(p[1], F_SETPIPE_SZ, 1 << 20) < 0 || fcntl(p[1], F_SETFL, O_NONBLOCK))
		return die("pipe");
	for (unsigned long i = 0; i < bytes / 8; i++) {
		char line[16];

		snprintf(line, sizeof line, "%07lu\n", i % 10000000);
		if (write(p[1], line, 8) != 8)
			return die("pipe");
	}
	close(p[1]);
	if (dup2(p[0], 0) < 0)
		return die("dup2");
	if (p[0])
		close(p[0]);
	return become(argv);
}

/* The read end stays open in this process, which only waits. */
static int full(int fd, char **argv)
{
	static char junk[4096];
	int p[2], st;
	pid_t pid;

	if (pipe2(p, O_NONBLOCK | O_CLOEXEC))
		return die("pipe");
	memset(junk, '.', sizeof junk);
	for (size_t n = sizeof junk; n; n /= 2)
		while (write(p[1], junk, n) > 0)
			;
	if (fcntl(p[1], F_SETFL, 0))
		return die("fcntl");
	pid = fork();
	if (pid < 0)
		return die("fork");
	if (!pid)
		return dup2(p[1], fd) < 0 ? die("dup2") : become(argv);
	while (waitpid(pid, &st, 0) < 0)
		if (errno != EINTR)
			return die("wait");
	return WIFSIGNALED(st) ? 128 + WTERMSIG(st) : WEXITSTATUS(st);
}

static int slow(void)
{
	const struct timespec ms = { 0, 1000000 };
	char buf[4096];
	ssize_t n;

	while ((n = read(0, buf, sizeof buf)) > 0) {
		if (write(1, buf, (size_t)n) != n)
			return die("stdout");
		nanosleep(&ms, NULL);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 3 && !strcmp(argv[1], "in"))
		return in(strtoul(argv[2], NULL, 10), argv + 3);
	if (argc > 2 && !strcmp(argv[1], "nonblock"))
		return fcntl(1, F_SETFL, fcntl(1, F_GETFL) | O_NONBLOCK) ? die("fcntl") : become(argv + 2);
	if (argc > 3 && !strcmp(argv[1], "full"))
		return full(atoi(argv[2]), argv + 3);
	if (argc > 1 && !strcmp(argv[1], "slow"))
		return slow();
	return 96;
}
