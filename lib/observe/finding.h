/* SPDX-License-Identifier: Apache-2.0 */
/*
 * finding.h - internal: what serve finds wrong while it follows, as events of its
 * own, nl.observe.*, each told once.
 */
#ifndef NL_FINDING_H
#define NL_FINDING_H

#include "observe/query.h"

struct nl_findings;
typedef void nl_finding_told(struct nl_quote line, void *arg);

/* NULL: no memory. */
struct nl_findings *nl_findings_new(struct nl_ask *, nl_finding_told *told, void *arg);
void nl_findings_free(struct nl_findings *);
/* An event was read. */
void nl_findings_line(struct nl_findings *, const struct nl_fact *);
/* Each second, when files are read to their ends: tells what there is to tell. */
void nl_findings_look(struct nl_findings *, nl_time now);

#endif
