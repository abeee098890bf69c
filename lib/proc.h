/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc.h - internal: what /proc says about processes and the boot.
 */
#ifndef NL_PROC_H
#define NL_PROC_H

#include "os.h"

struct nl_proc {
	pid_t pid, ppid, pgrp;
	char state;                     /* R S D T Z … */
	uint64_t start;                 /* clock ticks since boot: with pid, an identity */
	char comm[16];
};

/* 0, or -errno when the process is gone or /proc is not there.  pid 0: this
 * process, by the number that /proc knows it by. */
int nl_proc_read(const struct nl_os *, pid_t, struct nl_proc *);

/* A supervisor of ours: it passes signals on by itself. */
bool nl_proc_is_nl(const struct nl_proc *);

/* The direct children of pid, at most max; -errno when they cannot be known. */
int nl_proc_children(const struct nl_os *, pid_t pid, pid_t *list, unsigned max);

/* Does /proc show our pid namespace?  Else its numbers are other processes'. */
bool nl_proc_is_ours(const struct nl_os *);

/* The descendants of root, parents first, without the children of root in
 * skip[] and their descendants; shallow: not below another supervisor of ours.
 * Those that are over are not listed.  Returns how many; a tree larger than max is cut.
 * -errno when the children of root cannot be known. */
int nl_proc_tree(const struct nl_os *, pid_t root, const pid_t *skip, unsigned skips, bool shallow,
                      struct nl_proc *list, unsigned max);

/* The boot's id, 36 characters; empty when unknown. */
void nl_boot_id(const struct nl_os *, char buf[40]);

#endif
