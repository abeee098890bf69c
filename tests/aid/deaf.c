/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deaf - a victim that does not listen.
 *
 * usage: deaf [-u] [-o FILE] [SIGNAL]...
 *
 * Ignores each SIGNAL (name or number; TERM when none is given, "none" for no
 * signal at all), then writes "ready PID" to FILE (appended) or stdout and
 * stays.  -u first becomes root for good, as sudo does: a set-user-ID copy
 * cannot be signalled by the user who runs it.  Like every victim here it ends
 * by itself after 60 s, so that a broken test cannot leave it behind.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int signal_number(const char *s)
{
	static const struct { const char *name; int n; } table[] = {
		{ "HUP", SIGHUP }, { "INT", SIGINT }, { "QUIT", SIGQUIT }, { "ALRM", SIGALRM },
		{ "PIPE", SIGPIPE }, { "TERM", SIGTERM }, { "USR1", SIGUSR1 }, { "USR2", SIGUSR2 },
		{ "TSTP", SIGTSTP }, { "TTIN", SIGTTIN }, { "TTOU", SIGTTOU }, { "CONT", SIGCONT },
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strcmp(table[i].name, s) == 0)
			return table[i].n;
	return atoi(s);
}

static void stay(time_t seconds)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += seconds;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) != 0)
		;
}

int main(int argc, char **argv)
{
	bool root = false;
	const char *file = NULL;
	char line[32];
	int c, n, fd = STDOUT_FILENO;

	while ((c = getopt(argc, argv, "uo:")) != -1) {
		if (c == 'u')
			root = true;
		else if (c == 'o')
			file = optarg;
		else
			return 125;
	}
	if (root && (setgid(0) != 0 || setuid(0) != 0)) {
		perror("deaf: setuid");
		return 125;
	}
	if (optind == argc)
		signal(SIGTERM, SIG_IGN);
	for (; optind < argc; optind++)
		if (strcmp(argv[optind], "none") != 0 &&
		    signal(signal_number(argv[optind]), SIG_IGN) == SIG_ERR) {
			fprintf(stderr, "deaf: cannot ignore %s\n", argv[optind]);
			return 125;
		}
	if (file && (fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) < 0) {
		perror(file);
		return 125;
	}
	n = snprintf(line, sizeof line, "ready %d\n", (int)getpid());
	if (write(fd, line, (size_t)n) != n)
		return 125;
	stay(60);
	return 0;
}
