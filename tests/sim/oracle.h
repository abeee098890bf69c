/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oracle.h - what an expression means, without parser, layers or processes; and
 * random expressions.
 *
 * A term is a function from services to services; its meaning around a script
 * of what commands do is how that ends, when, and what is on stdout.  Commands
 * obey every signal at once, so a stop takes no time.
 */
#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

#include "sim.h"

struct sim_term {
	enum { SIM_PASS, SIM_FAIL, SIM_RETRY, SIM_TIMEOUT, SIM_WRAP, SIM_ELSE, SIM_RACE } op;
	const struct sim_term *a, *b;   /* of WRAP, ELSE and RACE */
	unsigned n;                     /* of RETRY: attempts */
	bool hold;
	nl_time t;                      /* of TIMEOUT; between attempts */
};

/* How it ends.  cut: a limit around it has passed. */
struct sim_fate { int ws; nl_time at; bool cut; };

struct sim_oracle {
	struct sim_cmd (*script)(const struct sim_plan *, unsigned leaf, unsigned run);
	const struct sim_plan *plan;
	unsigned ran[SIM_LEAVES];       /* runs of each command, counted from left to right */
	unsigned runs;
	unsigned races, arm;            /* races begun; 1 or 2 in one of their sides, where none is in another */
	char out[4096];
	size_t outs;
	bool tie;                       /* an answer came in the moment of a limit: status 124, but it may have been given */
};
struct sim_fate sim_mean(struct sim_oracle *, const struct sim_term *);
unsigned sim_width(const struct sim_term *);    /* commands in its line */

/* Where random terms come from and live. */
struct sim_grove { uint64_t rnd; unsigned n, retries; bool hold; nl_time unit; struct sim_term term[200]; };
const struct sim_term *sim_grow(struct sim_grove *, unsigned leaves);   /* so many atoms */
const struct sim_term *sim_term(struct sim_grove *, struct sim_term);
/* As text, with no more parentheses than needed; now and then with more. */
size_t sim_write(const struct sim_term *, uint64_t *rnd, char *buf, size_t size);

/* A case for tests/aid/laws.c. */
void sim_print_case(uint64_t seed);

#endif
