/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spawner - a victim with a family that is hard to find.
 *
 * usage: spawner [-d] [-x STATUS] FILE KIND...
 *
 * Starts one descendant for each KIND; each appends "KIND PID" to FILE, and
 * the spawner "ready PID" when all have.  Then it exits with STATUS, or stays
 * for 60 s without -x.  With -d all of them, itself included, ignore TERM.
 *
 *	child    an ordinary child
 *	group    leads a process group of its own
 *	session  leads a session of its own, as by setsid(1)
 *	daemon   double fork: a new session, its parent gone
 *	hydra    on TERM starts a successor in a new session and exits
 *	runner   starts its successor every 10 ms and exits, for 20 s, with a line each
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int log_fd;
static volatile sig_atomic_t told;

static void on_term(int sig)
{
	told = sig;
}

static void note(const char *what)
{
	char line[64];
	int n = snprintf(line, sizeof line, "%s %d\n", what, (int)getpid());

	if (write(log_fd, line, (size_t)n) != n)
		_exit(125);
}

static void stay(time_t seconds)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += seconds;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) != 0)
		;
}

/* Each head lives until TERM; the successor waits for the next one. */
static void hydra(int ready)
{
	sigset_t term, old;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &old);
	signal(SIGTERM, on_term);
	for (int head = 0; head < 1000; head++) {
		setsid();
		note("hydra");
		if (ready >= 0)
			close(ready);
		ready = -1;
		told = 0;
		alarm(60);
		while (!told)
			sigsuspend(&old);
		if (fork() != 0)
			_exit(0);
	}
	_exit(0);
}

static void runner(int ready)
{
	const struct timespec step = { .tv_nsec = 10000000 };

	for (int i = 0; i < 2000; i++) {
		note("runner");
		if (ready >= 0)
			close(ready);
		ready = -1;
		nanosleep(&step, NULL);
		if (fork() != 0)
			_exit(0);
		setsid();
	}
	_exit(0);
}

/* Runs in the new child; closing `ready` says that the line is written. */
static void descend(const char *kind, int ready)
{
	if (strcmp(kind, "group") == 0)
		setpgid(0, 0);
	else if (strcmp(kind, "session") == 0)
		setsid();
	else if (strcmp(kind, "hydra") == 0)
		hydra(ready);
	else if (strcmp(kind, "runner") == 0)
		runner(ready);
	else if (strcmp(kind, "daemon") == 0) {
		setsid();
		if (fork() != 0)
			_exit(0);
	} else if (strcmp(kind, "child") != 0) {
		fprintf(stderr, "spawner: %s: unknown kind\n", kind);
		_exit(125);
	}
	note(kind);
	close(ready);
	stay(60);
	_exit(0);
}

int main(int argc, char **argv)
{
	bool deaf = false;
	int c, status = -1, ready[2];
	char byte;

	while ((c = getopt(argc, argv, "+dx:")) != -1) {
		if (c == 'd')
			deaf = true;
		else if (c == 'x')
			status = atoi(optarg);
		else
			return 125;
	}
	if (argc - optind < 2)
		return 125;
	if ((log_fd = open(argv[optind], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) < 0) {
		perror(argv[optind]);
		return 125;
	}
	if (deaf)
		signal(SIGTERM, SIG_IGN);
	while (argv[++optind]) {
		bool daemon = strcmp(argv[optind], "daemon") == 0;
		pid_t pid;

		if (pipe(ready) != 0)
			return 125;
		pid = fork();
		if (pid < 0)
			return 125;
		if (pid == 0) {
			close(ready[0]);
			descend(argv[optind], ready[1]);
		}
		close(ready[1]);
		while (read(ready[0], &byte, 1) < 0)
			;
		close(ready[0]);
		if (daemon)
			waitpid(pid, NULL, 0);
	}
	note("ready");
	if (status >= 0)
		return status;
	stay(60);
	return 0;
}
