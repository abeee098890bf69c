/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.h - internal: what would have been under other values.  A figure that
 * the log cannot know is between two numbers.
 */
#ifndef NL_REPLAY_H
#define NL_REPLAY_H

#include "observe/tape.h"

struct nl_figure { const char *name; double was, low, high; };  /* was: as recorded, -1: not */
#define NL_FIGURES 16

/* Fills in figures of a breaker whose tape is in order of time; their number, -1: with err. */
int nl_replay_breaker(const struct nl_tapes *, const struct nl_tape *, const char *const *set, unsigned n, struct nl_figure[NL_FIGURES], struct nl_err *);

/* A bulkhead; set: KEY=VALUE of its options max, queue, wait. */
struct nl_stays;
int nl_replay_bulkhead(struct nl_stays *, const char *const *set, unsigned n, struct nl_figure[NL_FIGURES], struct nl_err *);
/* Could that be set?  0, -1 with err. */
int nl_replay_bulkhead_set(const char *set, struct nl_err *);

/* Timeouts and retries: counted while their events are read. */
#define NL_GOING 4096                   /* calls at once of which it is known what happened inside */
struct nl_going;
struct nl_going *nl_going_new(void);      /* [NL_GOING]; NULL: no memory */
struct nl_calls {
	struct nl_listener base;
	char kind[12], name[64];
	unsigned attempts;              /* of a retry, at most; 0: see endless, or it is a timeout */
	bool endless;
	int64_t limit_us;               /* of a timeout */
	uint64_t calls, ok, cut, still, unknown;        /* cut: successes; still: stopped as before, or a failure that is stopped now */
	uint64_t timeouts, cut_failures;
	uint64_t made, recovered, saved, more;          /* attempts */
	int64_t low_us, high_us;        /* how much longer it takes in all */
	struct nl_going *going;         /* [NL_GOING] */
};

/* set: "limit=2s" or "attempts=3".  0, -1 with err. */
int nl_calls_set(struct nl_calls *, const char *kind, const char *name, const char *set, struct nl_err *);
int nl_replay_calls(const struct nl_calls *, struct nl_figure[NL_FIGURES]);

#endif
