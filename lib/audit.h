/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit.h - internal: who asked for what, and what came of it: audit.ndjson in
 * the directory of state.  One line is one write; its first key is {"audit":1, so
 * that a line is found behind what somebody who ran out of space has left of one.
 */
#ifndef NL_AUDIT_H
#define NL_AUDIT_H

#include "control.h"

#define NL_AUDIT_FILE "audit.ndjson"
#define NL_AUDIT_MARK "{\"audit\":1,"
#define NL_AUDIT_LINE 4096              /* a line is no longer */

/* The file, open for appending, or reading; -errno with err; -EPERM: not to be trusted. */
enum nl_audit_mode { NL_AUDIT_APPEND, NL_AUDIT_READ };
int nl_audit_open(struct nl_run *, int root, bool group, enum nl_audit_mode, struct nl_err *);

#endif
