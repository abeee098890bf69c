/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.h - internal: what a retry remembers of its attempts, and --report.
 */
#ifndef NL_REPORT_H
#define NL_REPORT_H

#include "nl.h"

#define NL_STORY_LAST 10                /* failures kept, the last ones */

struct nl_failure { unsigned attempt; struct nl_outcome outcome; nl_time dur, delay; };  /* delay -1: none followed */
struct nl_story {
	unsigned attempts, failed;      /* in all, whatever --reset-after did */
	nl_time began, slept;
	struct nl_failure last[NL_STORY_LAST];  /* failure i is last[i % NL_STORY_LAST] */
};
void nl_story_failed(struct nl_story *, struct nl_failure);

/* Opens FILE for the report, empty.  Descriptor, or -errno. */
int nl_report_open(struct nl_run *, const char *path);

/* Writes the whole story as one JSON object and closes fd. */
int nl_report_write(struct nl_run *, int fd, const struct nl_svc *, const struct nl_story *, struct nl_outcome,
                    const char *why, nl_time dur);

#endif
