/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec.h - internal: the innermost service of every stack.
 */
#ifndef NL_EXEC_H
#define NL_EXEC_H

#include "nl.h"

/* The command: *argv is its argv, taken whole.  Its instance has nl_exec_size
 * bytes: room for an environment behind it. */
extern const struct nl_layer nl_exec;
size_t nl_exec_size(void);

/* What a hook is told. */
struct nl_hook {
	const char *cmd;
	unsigned attempt, max;
	int status;
	nl_time delay;                  /* < 0: none */
	const char *const *env;         /* at most NL_HOOK_ENV assignments, then NULL; or NULL */
};
#define NL_HOOK_ENV 4

/* Runs a hook: sh -c, stdin null, stdout to our stderr, at most 10 s and never
 * past q's limits.  How it ends changes nothing. */
void nl_hook_run(struct nl_run *, struct nl_req q, struct nl_hook);

/* Runs a program for its answer: in is its stdin, q.io.tap[0] takes its stdout,
 * vars (or NULL) as a hook's env.  At most 10 s and never past q's limits. */
struct nl_outcome nl_filter_run(struct nl_run *, struct nl_req q, char *const *argv, const char *const *vars, int in);

#endif
