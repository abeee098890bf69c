/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bounds.h - internal: the worst case of an expression, before anything runs.
 *
 * Over all behaviours of the command and all luck, shared state and readers of
 * our output apart: breakers are closed, a bulkhead or breaker makes wait as
 * long as it may, and output is taken at once.
 */
#ifndef NL_BOUNDS_H
#define NL_BOUNDS_H

#include "question.h"
#include "term.h"

/* n NL_NEVER: infinite, by that layer, or the command where by is NULL. */
struct nl_bound {
	int64_t n;
	const struct nl_expr *by;
	bool loose;                     /* nothing exceeds it; whether it is reached is not known */
};

struct nl_bounds {
	struct nl_bound attempts;       /* runs of the command */
	struct nl_bound wall;           /* ns, from the call to its return, grace included */
	struct nl_bound slept;          /* ns, back-offs of all branches together */
	struct nl_bound concurrency;    /* commands at once */
	struct nl_bound load;           /* runs when each run exits with 1 at once */
};

/* -1 with err: it is too deep to be computed. */
int nl_bounds_of(const struct nl_term *, struct nl_bounds *, struct nl_err *);

/* Of a retry: how many attempts can begin within a time, 0: no end of them. */
uint64_t nl_bounds_startable(const struct nl_term *, nl_time within);

/* The least and the most that the back-offs before attempt n (from 1) can come to. */
nl_time nl_bounds_least_slept(const struct nl_term *, uint64_t n);
nl_time nl_bounds_most_slept(const struct nl_term *, uint64_t n);

nl_answer nl_bounds_answer;

#endif
