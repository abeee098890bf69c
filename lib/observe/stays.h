/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stays.h - internal: what the log has of the calls of one bulkhead, made ready to
 * be played again.
 *
 * Two things the log does not say at once.  How long who waited took to wake up
 * when its slot was free: that follows from the slots of the others.  And when
 * exactly a slot was free: it was not before the event says so, and not before the
 * last call that still found it held.  With both, the rule at the recorded moments
 * gives what was recorded.
 */
#ifndef NL_STAYS_H
#define NL_STAYS_H

#include "observe/query.h"
#include "observe/texts.h"
#include "queue.h"

struct nl_stay {
	uint64_t span;
	int64_t off_us;                 /* between the two clocks: one per boot */
	int64_t came_us, decided_us;    /* of CLOCK_BOOTTIME */
	int64_t got_us, left_us;        /* got: -1, it got none.  left: -1, nobody knows: it was killed */
	int64_t hold_us;
	int64_t wake_us, late_us;       /* -1: nobody knows, for it did not wait; or not until its limit */
	uint32_t boot, cfg, found;
	uint8_t fate;                   /* enum nl_turn: OURS or why not */
	bool ok;                        /* it succeeded */
	bool unclear;                   /* what else the log has does not explain what was decided */
};

/* What was decided when it came. */
enum nl_turn nl_stay_turn(const struct nl_stay *);

struct nl_stays {
	struct nl_listener base;
	char name[64];
	struct nl_stay *stay;           /* settled: by the moment of the decision */
	size_t n, room;
	struct nl_texts texts;          /* of options */
	uint64_t left_out;              /* calls of which nothing is known but their end */
	bool starved;
	/* settled */
	uint32_t peak;                  /* most slots in use at once */
	int64_t hold_p99_us, wake_p99_us;
};

void nl_stays_listen(struct nl_stays *, const char *name, struct nl_intake *);
/* 0, -1: no memory.  terms: of each text. */
int nl_stays_settle(struct nl_stays *, const struct nl_terms *);
void nl_stays_free(struct nl_stays *);

/* Of n values, which it sorts: the one that a part of them is not above; 0 of none. */
int64_t nl_rank_of(int64_t *, size_t n, double part);

#endif
