/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blame.h - internal: of each outermost call, where its time went.
 *
 * A function of the set of events: nothing is added up before all of them are
 * there.  What is kept is bounded; of more than that, only traces whose hash is
 * below a limit are, and which ones they are is a function of the set, too.
 */
#ifndef NL_BLAME_H
#define NL_BLAME_H

#include "observe/fact.h"

enum nl_part { NL_P_ANSWER, NL_P_FAILED, NL_P_BACKOFF, NL_P_QUEUE, NL_P_GRACE, NL_P_OVERHEAD, NL_PARTS };

struct nl_blamed { uint64_t name; int64_t end_us, part[NL_PARTS]; };    /* name: nl_blame_name of its policy */

struct nl_marks;
struct nl_marks *nl_marks_new(void);
void nl_marks_free(struct nl_marks *);
void nl_marks_take(struct nl_marks *, const struct nl_fact *);
/* Tells of each call.  0, or -1 without memory; what is kept is as before. */
int nl_marks_each(struct nl_marks *, void (*tell)(void *arg, const struct nl_blamed *), void *arg);
/* One of how many traces is kept; 1: all are. */
uint64_t nl_marks_one_of(const struct nl_marks *);

uint64_t nl_blame_name(struct nl_quote kind, struct nl_quote policy);

#endif
