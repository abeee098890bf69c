/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adversary.h - who chooses how long each command runs and each random number,
 * so that a figure of a line becomes as large as he can make it.
 *
 * What is begun before a deadline begins a nanosecond before it, and the best
 * luck is not quite 1, so what he reaches may be a little less than a bound.
 */
#ifndef SIM_ADVERSARY_H
#define SIM_ADVERSARY_H

#include "sim.h"

#include <stddef.h>

struct sim_target {
	char **line;                    /* words of them, the first a tool; NULL behind */
	size_t words;
	uint64_t seed;
	int64_t (*score)(struct sim_result, const struct sim_log *);
	int64_t enough;                 /* he searches no further */
	bool time;                      /* the score is a time */
	bool hang;                      /* commands that hang are where he begins */
	bool dead;                      /* each command fails at once: luck is all that he has */
};

/* How far he comes; he gives up after so many runs. */
int64_t sim_attack(const struct sim_target *, uint64_t *rnd, unsigned runs);

/* The most of a few runs in which anything may happen. */
int64_t sim_stroll(const struct sim_target *, uint64_t *rnd);

/* Runs of both until now. */
uint64_t sim_attacks(void);

#endif
