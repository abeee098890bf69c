/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boundswalk.h - internal to the bounds: what a walk over a term works with, and
 * the figures that it can come to.
 */
#ifndef NL_BOUNDSWALK_H
#define NL_BOUNDSWALK_H

#include "bounds.h"

#define NL_WALK_MOST (1u << 20)         /* evaluations */

struct nl_walk {
	unsigned evaluations;
	bool loose;                     /* the figure is an upper bound */
};

/* A moment or a span at which a command is stopped; kills: by KILL at once. */
struct nl_cut { nl_time at; bool kills; };
static const struct nl_cut nl_walk_never = { NL_NEVER, false };

struct nl_bound nl_bound_finite(int64_t n);
struct nl_bound nl_bound_infinite(const struct nl_expr *by);
/* by: what makes it infinite when it is too large. */
struct nl_bound nl_bound_plus(struct nl_bound, struct nl_bound, const struct nl_expr *by);
struct nl_bound nl_bound_times(struct nl_bound, int64_t n, const struct nl_expr *by);
nl_time nl_bound_later(nl_time a, nl_time b);

/* The earlier one; if both are at once, outer. */
struct nl_cut nl_walk_first(struct nl_cut outer, struct nl_cut mine);
/* Of an option with a span; of a timeout. */
struct nl_cut nl_walk_limit(const struct nl_term *, const char *key);
struct nl_cut nl_walk_timeout(const struct nl_term *);

/* Can the same thing be done again, or the next be tried, after a failure of the command? */
bool nl_walk_goes_on(const struct nl_term *, const struct nl_term *inner);
/* Is there a back-off in it that luck cannot make 0? */
bool nl_walk_has_gaps(const struct nl_term *);
bool nl_walk_has_race(const struct nl_term *);
/* Does the next arm wait for one to fail? */
bool nl_walk_is_staggered(const struct nl_term *);
bool nl_walk_has_staggered(const struct nl_term *);
/* Can an attempt last so long that the count begins anew? */
bool nl_walk_begins_anew(struct nl_walk *, const struct nl_term *, struct nl_cut within);
/* With what n runs of a hook may add. */
struct nl_bound nl_walk_hooks(struct nl_walk *, struct nl_bound, const struct nl_term *, const char *key, uint64_t n);

/* Where the arms of a race can be at the latest, all of them as long as they can. */
struct nl_walk_arm { const struct nl_term *t; nl_time from, to; struct nl_bound end; };

/* How many there are. */
unsigned nl_walk_arms(struct nl_walk *, const struct nl_term *, nl_time from, struct nl_cut deadline, struct nl_cut within, struct nl_walk_arm arm[64]);

/* When a call ends at the latest that begins at a moment up to from. */
struct nl_bound nl_walk_end(struct nl_walk *, const struct nl_term *, nl_time from, struct nl_cut deadline, struct nl_cut within);

/* For a call that may last so long: runs; back-offs; commands at once; runs when each exits with 1 at once. */
typedef struct nl_bound nl_walk_figure(struct nl_walk *, const struct nl_term *, struct nl_cut within);
nl_walk_figure nl_walk_runs, nl_walk_sleeps, nl_walk_at_once, nl_walk_load;

#endif
