/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tries.h - internal: how long the attempts of a retry took.
 */
#ifndef NL_TRIES_H
#define NL_TRIES_H

#include "observe/series.h"

/*
 * A call that succeeds at once is an attempt that took as long, so nothing is
 * counted for it: attempts that succeeded are `requests - calls + ok`.
 */
enum nl_try { NL_TRY_CALLS, NL_TRY_OK, NL_TRY_FAILED, NL_TRIES };
struct nl_durations { struct nl_sketch sketch; uint64_t us, classic[NL_BUCKETS_CLASSIC + 1]; };
struct nl_tries {
	struct nl_durations of[NL_TRIES];       /* calls that are not one attempt, which succeeded; attempts that did; that failed */
};

int nl_tries_take(struct nl_series *, const struct nl_fact *);
struct nl_durations *nl_tries_open(struct nl_series *, enum nl_try);   /* NULL: no memory */
int nl_tries_merge(struct nl_series *, const struct nl_series *);
void nl_tries_free(struct nl_tries *);

#endif
