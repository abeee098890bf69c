/* SPDX-License-Identifier: Apache-2.0 */
/*
 * branch.h - internal: a service that runs beside others, in a process of its
 * own.
 *
 * The process is a supervisor like us: it keeps the limits of the request, and
 * stops its command and all that this has started.  A plain command has one,
 * too: only while each branch has a supervisor that inherits its orphans can it
 * be told whose a daemon is.
 */
#ifndef NL_BRANCH_H
#define NL_BRANCH_H

#include "io.h"
#include "run.h"

/* What a branch and we share. */
struct nl_report {
	struct nl_order order;          /* ours to it */
	bool done;                      /* the rest, its to us, holds */
	struct nl_outcome outcome;
	const struct nl_svc *fired;
	bool killed;
	nl_time stopped_at;
};

struct nl_branch {
	struct nl_run *run;
	struct nl_svc *svc;
	struct nl_req q;                /* what it is to do; streams are filled in by nl_branch_start */
	bool shares;                    /* it runs in our memory */
	struct nl_cell *cell;           /* cell.h: what it begins with; NULL before */
	struct nl_report *report;       /* in its cell, once it was started, or in memory that is shared */
	struct nl_pump pump;            /* its streams, our ends */
	struct nl_hold out;             /* its stdout, until that is wanted */
	const struct nl_branch *all;    /* it and its brothers: n */
	unsigned n;
	pid_t pid;                      /* 0: there is none (any more) */
	int fd[3];                      /* what it gets as 0, 1 and 2 */
	char *chunk;                    /* NL_CHUNK bytes, where stdin is fed */
	uint64_t told;                  /* stop signals that it was sent; bit 0 for an order */
	bool remains;                   /* it died without a word: what it had is ours to end */
	nl_time kill_at, give_up_at;    /* when it is late with its end, and when nothing can end it */
	bool killed;                    /* it was late */
	const pid_t *skip;              /* children of ours that are nobody's: see nl_branch_kill */
	unsigned skips;
};

#define NL_BRANCH_SKIPS 1024

/* n reports in memory that is shared with children; NULL. */
struct nl_report *nl_reports_new(struct nl_run *, unsigned n);
void nl_reports_free(struct nl_run *, struct nl_report *, unsigned n);

/* Starts it, shares and report being set, with in as stdin (or b->q.io.feed), its stdout into b->out, its
 * stderr into tap (NULL: ours).  0, -errno. */
int nl_branch_start(struct nl_branch *, int in, struct nl_tap *err);

/* A signal that is for its command; one that stops it, once each; an order to stop. */
void nl_branch_signal(struct nl_branch *, int sig);
void nl_branch_stop(struct nl_branch *, int sig, nl_time now);
void nl_branch_order(struct nl_branch *, struct nl_limit, enum nl_why, nl_time now);

/* From now on it has its grace to end in. */
void nl_branch_expect(struct nl_branch *, nl_time now);

/* It is gone; ws is its wait status.  How the branch ended. */
struct nl_outcome nl_branch_ended(struct nl_branch *, int ws);

/* The net behind: it should have been gone by now.  Supervisors in it have a
 * moment to tell; then everybody is killed. */
void nl_branch_kill(struct nl_branch *, nl_time now);

/* Is anybody left of what a branch without a word has had?  They are killed. */
bool nl_branch_remains(struct nl_branch *);

void nl_branch_close(struct nl_branch *);

#endif
