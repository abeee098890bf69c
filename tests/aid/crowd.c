/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crowd - many wait for one bulkhead: in which order are they let in, and how
 * often did each of them wake up?
 *
 * crowd COUNT RECORD READY COMMAND [ARG]...
 *   starts COMMAND so often, each when the one before it has its ticket (seen in
 *   RECORD), makes the file READY, and waits for all.  "%" as an argument is the
 *   number of the waiter.  Prints what `crowd mark` wrote into READY.log, judged:
 *     admitted N inversions N switches MEDIAN MEAN MOST failed N
 * crowd mark FILE NUMBER
 *   appends "NUMBER SWITCHES": those of its parent until now.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST 10000
#define NEXT 928                        /* offset of struct nl_bulkhead.next: nl-state(5) */

static int mark(const char *path, const char *number)
{
	char file[64], text[4096], line[64];
	(void)snprintf(file, sizeof file, "/proc/%d/status", (int)getppid());
	int fd = open(file, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (n <= 0)
		return 1;
	text[n] = '\0';
	const char *at = strstr(text, "\nvoluntary_ctxt_switches:");
	int len = snprintf(line, sizeof line, "%s %ld\n", number, at ? strtol(strchr(at, ':') + 1, NULL, 10) : -1);
	int out = open(path, O_WRONLY | O_APPEND);
	return out < 0 || write(out, line, (size_t)len) != len;
}

static uint64_t tickets(const char *record)
{
	uint64_t next = 0;
	int fd = open(record, O_RDONLY);
	if (fd >= 0) {
		if (pread(fd, &next, sizeof next, NEXT) != sizeof next)
			next = 0;
		close(fd);
	}
	return next;
}

static int by_size(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;
	return (x > y) - (x < y);
}

static int judge(const char *log, int failed)
{
	static long switches[MOST];
	long sum = 0, n = 0, inversions = 0, last = -1, who, k;
	FILE *f = fopen(log, "r");
	if (!f)
		return 1;
	while (n < MOST && fscanf(f, "%ld %ld", &who, &k) == 2) {
		inversions += who < last;
		last = who;
		switches[n++] = k;
		sum += k;
	}
	(void)fclose(f);
	if (n == 0)
		return 1;
	qsort(switches, (size_t)n, sizeof *switches, by_size);
	printf("admitted %ld inversions %ld switches %ld %.1f %ld failed %d\n", n, inversions, switches[n / 2],
	       (double)sum / (double)n, switches[n - 1], failed);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "mark"))
		return mark(argv[2], argv[3]);
	if (argc < 5)
		return 2;
	long count = strtol(argv[1], NULL, 10);
	char log[512];
	int failed = 0;
	(void)snprintf(log, sizeof log, "%s.log", argv[3]);
	close(open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600));
	for (long i = 0; i < count; i++) {
		uint64_t before = tickets(argv[2]);
		pid_t pid = fork();
		if (pid == 0) {
			char number[24];
			(void)snprintf(number, sizeof number, "%ld", i);
			for (int a = 4; a < argc; a++)
				if (!strcmp(argv[a], "%"))
					argv[a] = number;
			execvp(argv[4], argv + 4);
			_exit(127);
		}
		for (int k = 0; k < 50000 && tickets(argv[2]) == before; k++)
			nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
	}
	close(open(argv[3], O_WRONLY | O_CREAT, 0600));
	for (int ws; wait(&ws) > 0; )
		failed += ws != 0;
	return judge(log, failed);
}
