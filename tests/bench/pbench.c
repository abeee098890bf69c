/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pbench.c - runs commands in turn, many rounds, and compares them within each
 * round: on a machine that others use too, the medians of a whole run wander,
 * the ratio of two neighbours hardly does.
 *
 * pbench [-cmp] [-r ROUNDS] COMMAND...   Each COMMAND is one argument, split at
 * blanks.  -c takes CPU time (of the command and what it waited for) instead of
 * wall time, -m the greatest memory in kB, without a first round that does not
 * count.  -p stays on one CPU.  The commands' output goes to /dev/null.
 * Prints for each: median_us min_us ratio_to_first minus_first_us status
 */
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAXCMDS 8
#define MAXWORDS 256
#define MAXROUNDS 20000

struct cmd {
	char *argv[MAXWORDS];
	double *us;
	int status;
};

static bool cpu, memory;

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static void split(char *text, char **argv)
{
	int n = 0;

	for (char *w; n < MAXWORDS - 1 && (w = strsep(&text, " ")); )
		if (*w)
			argv[n++] = w;
	argv[n] = NULL;
}

static double run(struct cmd *c)
{
	double start = now_us();
	struct rusage ru;
	int ws = 0;
	pid_t pid = vfork();

	if (pid == 0) {
		execvp(c->argv[0], c->argv);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &ws, 0, &ru) < 0)
		return 0;
	c->status = WIFEXITED(ws) ? WEXITSTATUS(ws) : 128 + WTERMSIG(ws);
	if (memory)
		return (double)ru.ru_maxrss;
	if (cpu)
		return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1e6 + (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec);
	return now_us() - start;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof *v, ascending);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static void report(int out, struct cmd *cmds, int n, int rounds)
{
	double *ratio = calloc((size_t)rounds, sizeof *ratio), *minus = calloc((size_t)rounds, sizeof *minus);
	double *first = calloc((size_t)rounds, sizeof *first);

	if (!ratio || !minus || !first)
		exit(1);
	memcpy(first, cmds[0].us, (size_t)rounds * sizeof *first);
	for (int i = 0; i < n; i++) {
		double m;

		for (int r = 0; r < rounds; r++) {
			ratio[r] = cmds[i].us[r] / first[r];
			minus[r] = cmds[i].us[r] - first[r];
		}
		m = median(cmds[i].us, rounds);
		dprintf(out, "%.2f %.2f %.4f %.3f %d\n", m, cmds[i].us[0], median(ratio, rounds), median(minus, rounds), cmds[i].status);
	}
	free(ratio);
	free(minus);
	free(first);
}

static void pin(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	sched_setaffinity(0, sizeof set, &set);
}

int main(int argc, char **argv)
{
	static struct cmd cmds[MAXCMDS];
	int rounds = 21, c, n, out, null;

	while ((c = getopt(argc, argv, "+cmpr:")) > 0) {
		if (c == 'c')
			cpu = true;
		else if (c == 'm')
			memory = true;
		else if (c == 'p')
			pin();
		else if (c == 'r')
			rounds = atoi(optarg);
		else
			return 2;
	}
	n = argc - optind;
	if (n < 1 || n > MAXCMDS || rounds < 1 || rounds > MAXROUNDS)
		return 2;
	for (int i = 0; i < n; i++) {
		split(argv[optind + i], cmds[i].argv);
		cmds[i].us = calloc((size_t)rounds, sizeof *cmds[i].us);
		if (!cmds[i].us)
			return 1;
	}
	out = fcntl(1, F_DUPFD_CLOEXEC, 3);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (out < 0 || null < 0)
		return 1;
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	for (int i = 0; i < n && !memory; i++)
		run(&cmds[i]);
	for (int r = 0; r < rounds; r++)
		for (int i = 0; i < n; i++) {
			int turn = (i + r) % n;

			cmds[turn].us[r] = run(&cmds[turn]);
		}
	report(out, cmds, n, rounds);
	for (int i = 0; i < n; i++)
		free(cmds[i].us);
	return 0;
}
