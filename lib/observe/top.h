/* SPDX-License-Identifier: Apache-2.0 */
/*
 * top.h - internal: what top shows, as a function of what is known and of how one
 * looks at it.  No terminal is needed.
 */
#ifndef NL_TOP_H
#define NL_TOP_H

#include "jsonout.h"
#include "observe/system.h"

enum nl_top_sort { NL_TOP_WORST = -1 };         /* else the number of a column */

struct nl_top {
	unsigned rows, cols;
	int64_t now_us, window_us;
	double events_per_s;            /* below 0: not known */
	bool colour, utf8;
	bool total;                     /* since the beginning, not of the window */
	bool paused, help, typing, keys;        /* keys: there is a keyboard, so they are named */
	int sort;                       /* enum nl_top_sort */
	char filter[40];
	unsigned first;                 /* policies above the first line */
};

/* rows lines of at most cols columns, each with its newline. */
void nl_top_put(struct nl_out *, const struct nl_system *, const struct nl_top *);

/* The column that a word means ("err", "p99"), -2: none. */
int nl_top_column(const char *word);
unsigned nl_top_columns(void);

#endif
