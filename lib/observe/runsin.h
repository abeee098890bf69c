/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runsin.h - internal to runs: what their table is made of.
 *
 * Runs are in a ring in the order in which they were first seen, 40 bytes each,
 * and found by an index of their numbers.  Most have few lines: a bit for each of
 * the first 64, and ranges in a record beside for those behind.
 */
#ifndef NL_RUNSIN_H
#define NL_RUNSIN_H

#include "observe/runs.h"

#define NL_RUN_SLOTS 15                 /* of a line of the index */
#define NL_RUN_BITS 64                  /* seqs that have a bit */
#define NL_RUN_RANGES 1024              /* of a run, most: then its oldest hole is closed */
#define NL_RUN_NAME_ROOM 64

struct run {
	uint64_t id, seen;              /* 0: bit n is seq n */
	int64_t first_us;
	uint32_t life_ms;               /* last - first, in whole milliseconds of each */
	uint32_t events;
	uint32_t beside;                /* 1 + place of its record; 0: it has none */
	uint16_t what;                  /* in names */
	uint8_t what_seq;               /* the seq of the line that it is from; of all from 255 on it is the least name */
	bool started;
};
_Static_assert(sizeof(struct run) == 40, "a run is 40 bytes");

struct beside {
	uint32_t dropped;
	uint32_t n, room;
	uint64_t lines;                 /* in ranges */
	struct nl_run_range *range;     /* ascending, apart; from NL_RUN_BITS on */
};

/* Runs whose hash leads here, or did not find room in the line before: a cache
 * line.  Slots of runs that have left are seen by their numbers, and used again. */
struct line { uint32_t slot[NL_RUN_SLOTS], spilled; };  /* spilled: the last that went on to the next line */

struct name { uint32_t n, hash; char s[NL_RUN_NAME_ROOM + 1]; };

struct nl_runs {
	struct run *ring;               /* run number k is at k % room */
	struct run *recent;             /* the one that was asked for before */
	struct line *line;              /* of the index: as many as there are runs / 8 */
	uint32_t room;                  /* grows up to NL_RUNS_MAX, and only then does a run leave */
	uint64_t key;                   /* of the hash: names of runs are from strangers */
	uint64_t next;                  /* number of the next run */
	uint32_t n;
	uint32_t table;                 /* of all that this process has made */
	struct beside *beside;
	uint32_t nbeside, beside_room, unused, ranges;  /* unused: first of those given back, linked by n */
	struct name *name;
	uint32_t *name_index, names, name_slots;
	struct nl_runs_sum gone;
};

/* runtable.c */
struct run *nl_run_of(struct nl_runs *, uint64_t id, int64_t time_us);  /* made when it is new */
uint16_t nl_run_name(struct nl_runs *, struct nl_quote);                 /* its number, from 1; 0: none, or there are too many */
struct beside *nl_run_own_beside(struct nl_runs *, struct run *);       /* NULL: no memory */

/* runtell.c */
const struct beside *nl_run_beside(const struct nl_runs *, const struct run *);
void nl_run_sum_up(const struct nl_runs *, const struct run *, struct nl_runs_sum *);

#endif
