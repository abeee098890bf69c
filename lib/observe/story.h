/* SPDX-License-Identifier: Apache-2.0 */
/*
 * story.h - internal: the last opening of a breaker, and what belongs to it.
 */
#ifndef NL_STORY_H
#define NL_STORY_H

#include "observe/tape.h"

#define NL_STORY_CALLS 10               /* that are shown */
#define NL_STORY_ENDS 6                 /* ways to end that are told apart; the last is all others */

struct nl_story {
	const struct nl_beat *opened, *tried, *closed;
	const struct nl_beat *failed[NL_STORY_CALLS];
	unsigned shown;
	bool slow;                      /* what counts is how long a call took, and how it ended does not */
	int64_t slow_ns;
	uint32_t counted;               /* how many the opening says that it has counted */
	uint32_t failures, calls, rejected, reopened;   /* failures: that were found; reopened: probes that failed since */
	struct { char end[32]; uint32_t n; } class[NL_STORY_ENDS];    /* the last is all others */
};

/* False: the tape, which is in order of steps, has no opening. */
bool nl_story_find(struct nl_story *, const struct nl_tapes *, const struct nl_tape *);
/* "exit_7" or "success". */
const char *nl_story_end(int ws, char buf[32]);

#endif
