/* SPDX-License-Identifier: Apache-2.0 */
/*
 * toprow.h - internal to top: a policy as a row, and the columns that a row has.
 */
#ifndef NL_TOPROW_H
#define NL_TOPROW_H

#include "observe/top.h"

#define NL_TOP_CELL 256                 /* of the text of a cell */

struct nl_top_row {
	const struct nl_series *s;
	struct nl_counts n;
	double per_s, failed, p50, p99, retry, recovered, age;  /* -1: none */
	uint64_t rejected;
};

/* Of text are sorted from a, numbers from the greatest. */
struct nl_top_column {
	const char *name;
	unsigned width, rank;           /* rank: which leave first when it is narrow */
	bool text;
	void (*put)(const struct nl_top *, const struct nl_top_row *, char *buf);
	double (*value)(const struct nl_top_row *);
};

enum { NL_TOP_COLUMNS = 14 };
extern const struct nl_top_column nl_top_column_of[NL_TOP_COLUMNS];     /* the policy is the first */

/* Those that are shown, in their order.  To be freed; NULL: no memory. */
struct nl_top_row *nl_top_rows(const struct nl_system *, const struct nl_top *, unsigned *n);

#endif
