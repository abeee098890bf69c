/* SPDX-License-Identifier: Apache-2.0 */
/*
 * condition.h - internal: what somebody wants to hold.
 *
 *	rate(api,5m) < 20%; warn p99(api) <= 2s; state(breaker/db) == closed; lost == 0
 *
 * A condition is METRIC[(WORD[,WORD])] OP VALUE, with `warn` before it when it is
 * no more than a warning; conditions are divided by semicolons.  OP is one of < <=
 * > >= == !=.  A value is a number, a percentage, a duration (as seconds) or a word.
 */
#ifndef NL_CONDITION_H
#define NL_CONDITION_H

#include "nl.h"

#define NL_CONDITIONS 32

enum nl_than { NL_LESS, NL_AT_MOST, NL_MORE, NL_AT_LEAST, NL_EQUAL, NL_UNEQUAL };
struct nl_condition {
	char text[160];                 /* without `warn` and blanks around */
	bool warn;
	char metric[24], arg[2][80];    /* "" when there is none */
	unsigned args;
	enum nl_than than;
	double want;
	char word[24];                  /* instead of a number */
};

/* Number of conditions, or -1 with err, which names the column. */
int nl_conditions_read(const char *text, struct nl_condition c[NL_CONDITIONS], struct nl_err *);
bool nl_condition_holds(const struct nl_condition *, double is);
bool nl_condition_is(const struct nl_condition *, const char *word);
const char *nl_than_text(enum nl_than);

#endif
