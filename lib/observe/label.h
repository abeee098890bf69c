/* SPDX-License-Identifier: Apache-2.0 */
/*
 * label.h - internal: counts of a series by what metrics have in labels.
 */
#ifndef NL_LABEL_H
#define NL_LABEL_H

#include "observe/series.h"

/* What is counted by label, and the labels. */
enum nl_family {
	NL_F_EXHAUSTED,                 /* reason */
	NL_F_TIMEOUT,                   /* killed */
	NL_F_FULL,                      /* reason of a bulkhead's rejection */
	NL_F_WON,                       /* arm, from 1 */
	NL_F_FELL_BACK,                 /* to: the place of a branch, from 1 */
	NL_F_MOVED,                     /* from, to, reason of a breaker's */
	NL_FAMILIES
};
#define NL_LABELS (6 * 512)

struct nl_labels { unsigned n; struct nl_label { const char *name, *value; } of[3]; };

int nl_labels_take(struct nl_series *, const struct nl_fact *);
int nl_labels_move(struct nl_series *, enum nl_told, const struct nl_move *);
int nl_labels_put(struct nl_series *, unsigned label, uint64_t n);
bool nl_label_is(unsigned label);       /* there is such a label */

/* Each that there may be, also at 0, and each that was counted; what they lack to all is told as "other". */
typedef void nl_label_tell(const struct nl_labels *, uint64_t n, void *arg);
void nl_labels_each(const struct nl_series *, enum nl_family, uint64_t all, nl_label_tell *tell, void *arg);

#endif
