/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules.h - internal: who may do what to which policy.
 *
 *	role  watcher  list show get watch health history
 *	allow *          watcher          *
 *	allow user:ann   set,unset,reset  breaker/web-*
 *	allow group:ops  *                *
 *
 * The first line that matches allows; nothing else does.
 */
#ifndef NL_RULES_H
#define NL_RULES_H

#include "control.h"

#define NL_RULES_MAX 65536

/* What the rules say: 1 allowed, 0 not, -1 with err: they cannot be read, so
 * nothing is.  target is "KIND/NAME", or "" for a command without a policy, which
 * the pattern * alone matches.  text is changed. */
int nl_rules_ask(char *text, const struct nl_identity *, const char *command, const char *target, struct nl_err *);

/* The rules that hold in root: ROOT/rules, else those of /etc/ninelives if root
 * belongs to the root user.  Returns the text (to be freed) and its path; NULL
 * with path "": there are none; NULL with err: they cannot be used. */
char *nl_rules_load(struct nl_run *, int root, const char *root_path, char path[PATH_MAX], struct nl_err *);

/* A file in dir that only its owner, we or the root user can have written, and
 * nobody else changes.  -errno; -EPERM with err: it is not to be trusted. */
int nl_open_trusted(struct nl_run *, int dir, const char *name, int flags, struct nl_err *);

#endif
