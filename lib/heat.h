/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heat.h - internal: how a race stands, and what that means.  Pure.
 *
 *   waiting --start--> running --end--> over
 *
 * All arms start at once; with a delay, as many as have to succeed do, then one
 * for each arm that fails, at once, and one when nothing has been started for
 * the delay (RFC 8305, section 5).  A race is decided when enough arms have
 * succeeded or too few can; whoever still runs then has lost.
 */
#ifndef NL_HEAT_H
#define NL_HEAT_H

#include "nl.h"

#define NL_ARMS 64

struct nl_arm {
	enum { NL_ARM_WAITING, NL_ARM_RUNNING, NL_ARM_OVER } state;
	bool good;                      /* over, and a success */
	bool lost;                      /* was told to stop because the race was decided */
	bool spoke;                     /* has written to stdout */
	nl_time began_at, ended_at, spoke_at;
	struct nl_outcome outcome;      /* of one that is over */
};

struct nl_heat {
	unsigned n;                     /* arms */
	unsigned quorum;                /* so many have to succeed, 1 to n */
	nl_time delay;                  /* 0: all start at once; NL_NEVER: only failures start the next */
	bool by_output;                 /* the first that says something wins */
	nl_time close_at;               /* from then on nothing starts but the first */
	nl_time started_at;             /* when the last one was started */
	unsigned answered;              /* failures that have made another start */
	struct nl_arm arm[NL_ARMS];
};

struct nl_heat_step {
	unsigned first, start;          /* arms to start now: the first of them, and how many */
	bool failure;                   /* because of failures, not of the delay */
	bool won, lost;                 /* it is decided */
	unsigned winner;                /* whose output is the answer, when won */
	nl_time look_at;                /* when time alone will change something */
};
struct nl_heat_step nl_heat_next(const struct nl_heat *, nl_time now);

/* Does it: the arms run, failures are answered. */
void nl_heat_start(struct nl_heat *, const struct nl_heat_step *, nl_time now);

/* Of a lost race: the arm that speaks for all, by rank and then from the left;
 * cut: of those that were stopped, if there are any.  n when none has failed. */
unsigned nl_heat_speaker(const struct nl_heat *, bool cut);

#endif
