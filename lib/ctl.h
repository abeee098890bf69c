/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctl.h - internal to nl-ctl: its command line.
 */
#ifndef NL_CTL_H
#define NL_CTL_H

#include "control.h"
#include "observe/asked.h"
#include "opt.h"
#include "render.h"

struct nl_ctl_line {
	struct nl_svc svc;
	bool json, force, shape, names;
	struct nl_seed if_gen;
	struct nl_asked observe;
	enum nl_opt_result about;       /* --help and the like behind the command */
	char **operand;                 /* the command's name and what follows, options taken out */
	unsigned operands;
};

/* The request that the line is, into o (to be freed); cmd: NULL for an
 * executable's.  0, -1 with err. */
int nl_ctl_request(struct nl_out *o, struct nl_run *, const struct nl_ctl_line *, const struct nl_command *cmd, struct nl_err *);

/* check: its command line alone, for it is about files and no state. */
struct nl_outcome nl_ctl_check(struct nl_ctl_line *, struct nl_run *, const struct nl_req *);

/* To stdout: 0, or the errno that took no more. */
int nl_ctl_print(struct nl_run *, const struct nl_req *, const char *text, size_t n);
struct nl_outcome nl_ctl_ended(struct nl_run *, int status, int error);
struct nl_paper nl_ctl_paper(struct nl_run *);

#endif
