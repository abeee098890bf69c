/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.h - internal: what would have been under other values.  A figure that
 * the log cannot know is between two numbers.
 */
#ifndef NL_REPLAY_H
#define NL_REPLAY_H

#include "observe/tape.h"

struct nl_figure { const char *name; double was, low, high; };  /* was: as recorded, -1: not */
#define NL_FIGURES 8

/* Fills in figures of a breaker whose tape is in order of time; their number, -1: with err. */
int nl_replay_breaker(const struct nl_tapes *, const struct nl_tape *, const char *const *set, unsigned n, struct nl_figure[NL_FIGURES], struct nl_err *);

#endif
