/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flaky - a victim whose behaviour depends on nothing but how often it ran.
 *
 * flaky [-q] FILE ACTION...   The n-th call of all that name FILE does the
 * n-th ACTION, the last one for ever after.  FILE holds one byte per call.
 *	N        exit N
 *	NAME     die of that signal (KILL TERM INT HUP PIPE USR1 SEGV)
 *	hang     wait until killed, 60 s at most
 *	deaf     the same, with HUP INT TERM USR1 ignored
 *	say      wait for a signal, print "got NUMBER", exit 9
 *	catN     copy stdin to stdout, then exit N
 *	eatN     take one byte from stdin, then exit N
 * Unless -q it first prints "call n".
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct { const char *name; int n; } sigs[] = {
	{ "KILL", SIGKILL }, { "TERM", SIGTERM }, { "INT", SIGINT }, { "HUP", SIGHUP },
	{ "PIPE", SIGPIPE }, { "USR1", SIGUSR1 }, { "SEGV", SIGSEGV },
};

static int die(const char *what)
{
	perror(what);
	return 99;
}

/* The lock makes the count right when calls overlap. */
static int count(const char *path)
{
	struct stat st;
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);

	if (fd < 0 || flock(fd, LOCK_EX) || write(fd, ".", 1) != 1 || fstat(fd, &st))
		return -1;
	close(fd);
	return (int)st.st_size;
}

static int copy(void)
{
	char buf[65536];
	ssize_t n;

	while ((n = read(0, buf, sizeof buf)) > 0)
		if (write(1, buf, (size_t)n) != n)
			return die("flaky: stdout");
	return 0;
}

/* Everything but what a stop sends besides, and our own limit. */
static sigset_t heard(void)
{
	sigset_t all;

	sigfillset(&all);
	sigdelset(&all, SIGCONT);
	sigdelset(&all, SIGCHLD);
	sigdelset(&all, SIGALRM);
	return all;
}

static int say(void)
{
	siginfo_t info;
	sigset_t all = heard();

	alarm(60);
	if (printf("got %d\n", sigwaitinfo(&all, &info)) < 0 || fflush(stdout))
		return die("flaky: stdout");
	return 9;
}

static int act(const char *a)
{
	char c;

	if (!strncmp(a, "cat", 3)) {
		int bad = copy();

		return bad ? bad : atoi(a + 3);
	}
	if (!strncmp(a, "eat", 3)) {
		if (read(0, &c, 1) != 1)
			return 98;
		return atoi(a + 3);
	}
	if (!strcmp(a, "say"))
		return say();
	if (!strcmp(a, "deaf")) {
		signal(SIGHUP, SIG_IGN);
		signal(SIGINT, SIG_IGN);
		signal(SIGTERM, SIG_IGN);
		signal(SIGUSR1, SIG_IGN);
	}
	if (!strcmp(a, "deaf") || !strcmp(a, "hang")) {
		alarm(60);
		for (;;)
			pause();
	}
	for (size_t i = 0; i < sizeof sigs / sizeof *sigs; i++)
		if (!strcmp(a, sigs[i].name)) {
			signal(sigs[i].n, SIG_DFL);
			raise(sigs[i].n);
			return 97;
		}
	return atoi(a);
}

int main(int argc, char **argv)
{
	int quiet = argc > 1 && !strcmp(argv[1], "-q"), n;
	const char *action;

	argv += quiet;
	argc -= quiet;
	if (argc < 3)
		return 96;
	n = count(argv[1]);
	if (n < 0)
		return die(argv[1]);
	action = argv[n + 1 < argc ? n + 1 : argc - 1];
	/* Ready for it before we say so. */
	if (!strcmp(action, "say")) {
		sigset_t all = heard();

		sigprocmask(SIG_BLOCK, &all, NULL);
	}
	if (!quiet) {
		printf("call %d\n", n);
		if (fflush(stdout))
			return die("flaky: stdout");
	}
	return act(action);
}
