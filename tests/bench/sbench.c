/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sbench.c - two figures of shared state that no shell can take.
 *
 * sbench wake ROUNDS NL-BULKHEAD   median and 90th percentile, in us, from the
 *                                  SIGKILL of a slot's holder to the start of
 *                                  the waiter's command
 * sbench wake ROUNDS               the same of the least that can do it: a command
 *                                  that dies with its parent, and one who starts
 *                                  another at the end of a pipe
 * sbench ops PROCESSES SECONDS     guarded reads and writes of one record a
 *                                  second, by so many processes
 * sbench stamp FD                  (the waiter's command) writes the time there
 * sbench hold, sbench next FD FD   (the least holder and waiter)
 */
#include "lease.h"
#include "run.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct nl_kind kind = { .name = "bench", .id = 200 };

static int64_t now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NL_SEC + ts.tv_nsec;
}

static pid_t start(const char **argv)
{
	pid_t pid = fork();
	if (pid == 0) {
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	return pid;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

/* Until the process has slept for a while: it waits. */
static void settle(pid_t pid)
{
	char path[32], text[512];
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	for (int asleep = 0; asleep < 5; usleep(500)) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = read(fd, text, sizeof text - 1);
		close(fd);
		text[n > 0 ? n : 0] = '\0';
		const char *end = strrchr(text, ')');
		asleep = end && end[1] && end[2] == 'S' ? asleep + 1 : 0;
	}
}

static int hold(void)
{
	pid_t parent = getpid();
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			execlp("sleep", "sleep", "1000", NULL);
		_exit(127);
	}
	return pause();
}

static int next(int gone, const char *self, const char *fd)
{
	const char *argv[] = { self, "stamp", fd, NULL };
	char c;
	int ws;
	while (read(gone, &c, 1) > 0)
		;
	pid_t pid = vfork();
	if (pid == 0) {
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	return waitpid(pid, &ws, 0) != pid;
}

#define ROUNDS 1000

static int wake(int rounds, const char *bulkhead, const char *self)
{
	static int64_t took[ROUNDS];
	int pipes[2], life[2] = { -1, -1 };
	char fd[16], gone[16] = "";
	if (rounds < 1 || rounds > ROUNDS || pipe(pipes) < 0)
		return 1;
	snprintf(fd, sizeof fd, "%d", pipes[1]);
	const char *holder[] = { bulkhead, "wake", "sleep", "1000", NULL };
	const char *waiter[] = { bulkhead, "-w", "inf", "wake", self, "stamp", fd, NULL };
	const char *least[] = { self, "hold", NULL }, *after[] = { self, "next", gone, fd, NULL };
	for (int i = 0; i < rounds; i++) {
		int64_t at, killed;
		int ws;
		if (!bulkhead && pipe(life) < 0)
			return 1;
		pid_t h = start(bulkhead ? holder : least);
		settle(h);
		close(life[1]);                 // Now only the command keeps it open.
		snprintf(gone, sizeof gone, "%d", life[0]);
		pid_t w = start(bulkhead ? waiter : after);
		settle(w);
		killed = now();
		kill(h, SIGKILL);
		if (read(pipes[0], &at, sizeof at) != sizeof at)
			return 1;
		took[i] = at - killed;
		waitpid(h, &ws, 0);
		waitpid(w, &ws, 0);
		close(life[0]);
	}
	qsort(took, (size_t)rounds, sizeof *took, compare);
	int median = rounds / 2, p90 = rounds * 9 / 10;
	printf("%.1f %.1f\n", (double)took[median] / 1e3, (double)took[p90] / 1e3);
	return 0;
}

static uint64_t work(struct nl_run *run, nl_time until)
{
	struct nl_state s;
	struct nl_record rec;
	uint64_t n = 0;
	if (nl_state_open(&s, run, NULL, &kind, "ops", NL_CREATE) < 0)
		return 0;
	while (now() < until)
		if (nl_state_lock(&s, &rec, NL_SEC) == 0) {
			rec.head.epoch++;
			n += nl_state_write(&s, &rec) == 0;
			nl_state_unlock(&s);
		}
	nl_state_close(&s);
	return n;
}

static int ops(int processes, int seconds)
{
	struct nl_run run;
	struct nl_signals signals;
	uint64_t *count = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), sum = 0;
	if (count == MAP_FAILED || processes > 64 || nl_run_open(&run, &signals, &nl_os_linux, environ, "sbench") < 0)
		return 1;
	nl_time until = now() + seconds * NL_SEC;
	for (int i = 0; i < processes; i++)
		if (fork() == 0) {
			count[i] = work(&run, until);
			_exit(0);
		}
	while (wait(NULL) > 0)
		;
	for (int i = 0; i < processes; i++)
		sum += count[i];
	printf("%llu\n", (unsigned long long)(sum / (uint64_t)seconds));
	return 0;
}

int main(int argc, char **argv)
{
	int64_t t = now();
	if (argc == 3 && !strcmp(argv[1], "stamp"))
		return write(atoi(argv[2]), &t, sizeof t) != sizeof t;
	if (argc == 2 && !strcmp(argv[1], "hold"))
		return hold();
	if (argc == 4 && !strcmp(argv[1], "next"))
		return next(atoi(argv[2]), argv[0], argv[3]);
	if ((argc == 3 || argc == 4) && !strcmp(argv[1], "wake"))
		return wake(atoi(argv[2]), argc == 4 ? argv[3] : NULL, argv[0]);
	if (argc == 4 && !strcmp(argv[1], "ops"))
		return ops(atoi(argv[2]), atoi(argv[3]));
	return 2;
}
