/* SPDX-License-Identifier: Apache-2.0 */
/*
 * systemin.h - internal to the state: what a system is made of, for who takes
 * events and for who writes snapshots.
 */
#ifndef NL_SYSTEMIN_H
#define NL_SYSTEMIN_H

#include "observe/series.h"

struct nl_system {
	struct nl_system_cfg cfg;
	struct nl_runs *runs;
	int64_t latest_us;              /* -1: none yet */
	uint64_t lines[NL_LINES], told[NL_TOLDS], overflowed;
	struct nl_counts calls;
	uint64_t key;                   /* of the hash */
	uint64_t *slot;                 /* hash << 16 | place + 1 in series */
	unsigned slots, n;              /* a power of two; series, overflow not included */
	struct series **series;         /* in the order in which they came */
	struct series **sorted;         /* by kind and name, overflow included */
	struct series *overflow;
	struct series **ranked;         /* in the order in which overflow.c lets them have a series */
	uint64_t dropped;               /* series that have lost their place to another */
	bool starved;
};

/* The series of that kind and name: made when it is new; the overflow when there are too many; NULL: no memory. */
struct series *nl_system_open_series(struct nl_system *, struct nl_quote kind, struct nl_quote policy);

/* The slot of a series, or the empty one where it would be. */
uint64_t *nl_system_slot(const struct nl_system *, struct nl_quote kind, struct nl_quote policy, uint64_t *hash);
struct series *nl_system_open_overflow(struct nl_system *);

/* overflow.c: may a new name have a series?  Another may lose its own for it. */
bool nl_system_has_room(struct nl_system *, struct nl_quote kind, struct nl_quote policy);
void nl_system_rank(struct nl_system *, struct series *new);    /* before it is counted in n */

#endif
