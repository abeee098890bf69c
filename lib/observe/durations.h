/* SPDX-License-Identifier: Apache-2.0 */
/*
 * durations.h - internal: distributions of a series that are not its requests'.
 */
#ifndef NL_DURATIONS_H
#define NL_DURATIONS_H

#include "observe/series.h"

struct nl_durations { struct nl_sketch sketch; uint64_t us, classic[NL_BUCKETS_CLASSIC + 1]; };

int nl_durations_take(struct nl_series *, const struct nl_fact *);
/* Makes it when there is none.  NULL: no memory. */
struct nl_durations *nl_durations_open(struct nl_series *, enum nl_took);
int nl_durations_merge(struct nl_series *, const struct nl_series *);
void nl_durations_free(struct nl_series *);

#endif
