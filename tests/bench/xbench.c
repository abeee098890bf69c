/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xbench - what it takes to read an expression and build its stack, in one
 * process: all that nl-run does before anything runs.
 *
 * xbench [-r ROUNDS] EXPR COMMAND [ARG]...     prints: median_us min_us
 */
#include "stack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WORDS = 32 };

static double now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static int cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double once(char *const *line)
{
	char *argv[WORDS + 1];
	struct nl_room room;
	const struct nl_layer *at;
	struct nl_err err;
	size_t n = 0;
	while (n < WORDS && line[n])
		argv[n] = line[n], n++;
	argv[n] = NULL;
	double start = now_us();
	room.used = 0;
	struct nl_svc *s = nl_stack(&nl_expression, argv, NL_STACK_FUSED, &room, &at, &err);
	double us = now_us() - start;
	if (!s) {
		fprintf(stderr, "xbench: %s\n", err.msg);
		exit(125);
	}
	nl_stack_free(s, &room);
	return us;
}

int main(int argc, char **argv)
{
	long rounds = 2001;
	if (argc > 3 && !strcmp(argv[1], "-r")) {
		rounds = strtol(argv[2], NULL, 10);
		argv += 2;
	}
	if (!argv[1] || !argv[2] || rounds < 1)
		return fprintf(stderr, "usage: xbench [-r ROUNDS] EXPR COMMAND [ARG]...\n"), 125;
	double *us = malloc((size_t)rounds * sizeof *us);
	if (!us)
		return 125;
	for (long i = 0; i < rounds; i++)
		us[i] = once(argv + 1);
	qsort(us, (size_t)rounds, sizeof *us, cmp);
	printf("%.2f %.2f\n", us[rounds / 2], us[0]);
	free(us);
	return 0;
}
