/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest.h - internal: Nine Lives in a process that is not ours.
 *
 * Between open and close we supervise as a tool does, with these differences.
 *
 * Children: the host's are not waited for, not signalled and not killed.  Ours
 * are those that we started, their process groups, and orphans of theirs: the
 * host is a subreaper during the call, and NL_GUEST in the environment tells
 * whose an orphan is.  One that has left its group and cleared its environment
 * is taken for the host's.
 *
 * Signals: HUP, INT, QUIT, TERM and whatever would end the host are taken, and
 * stop the call; close raises them again.  Others that the host catches, and all
 * that it blocks, are left pending.  A SIGCHLD that was for the host is raised
 * again.  Dispositions are not changed, but SIGCHLD's where children would not
 * be waited for.
 *
 * Threads: one call at a time.  Where the process has more than one, another
 * may take a signal first, so that nothing waits for longer than 20 ms.
 */
#ifndef NL_GUEST_H
#define NL_GUEST_H

#include "event.h"
#include "io.h"
#include "run.h"

#include <signal.h>

#define NL_GUEST_OWN 64                 /* children at once */

struct nl_guest {
	struct nl_run run;
	struct nl_signals signals;
	struct nl_fd_tap std[2];
	char rest[2][NL_REST];
	struct sigaction chld;          /* the host's; restored where chld_changed */
	bool chld_changed;
	int subreaper;                  /* as the host had it */
	bool nested;                    /* in a function that another call has called */
	bool alone;                     /* the process has one thread */
	bool forked;                    /* this is a branch: all children are ours */
	uint64_t caught;                /* signals with a handler: default in commands */
	uint64_t taken;                 /* to be raised by close */
	pid_t own[NL_GUEST_OWN];        /* children of ours that are not yet waited for */
	unsigned owns;
	pid_t orphan[NL_GUEST_OWN];     /* that we have killed, to be waited for once they are our children */
	unsigned orphans;
	pid_t last;                     /* the last command that was started */
	unsigned spawned;               /* commands so far: k of the mark */
	unsigned first;                 /* k of the oldest that still runs: branches run side by side */
	size_t stem, fixed;             /* of mark: where PID starts, where k does */
	char mark[256];                 /* NL_GUEST=…:PID.NS.k, for the next command */
	volatile sig_atomic_t *stop;    /* the host's wish: taken for a TERM; NULL: it has none */
	/* In the place of a program: runs in the forked child, which exits with what it returns; NULL: the program. */
	int (*body)(void *);
	void *arg;
};

/* Takes the process over; env is what commands inherit, dfl (bit n-1) signals
 * that are at default in commands though the host ignores them.
 * 0; -EBUSY: another call is in progress; -errno.  Without success nothing has changed. */
int nl_guest_open(struct nl_guest *, char **env, const char *tool, uint64_t dfl);

/* Around code of the host: between them it has its process back. */
void nl_guest_leave(struct nl_guest *);
void nl_guest_enter(struct nl_guest *);

/* Gives it back.  Signals in forget (bit n-1) are not raised.  A handler of the
 * host may run, and need not return. */
void nl_guest_close(struct nl_guest *, uint64_t forget);

#endif
