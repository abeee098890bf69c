/* SPDX-License-Identifier: Apache-2.0 */
/*
 * track.h - internal: the arms of a race while it is run.
 */
#ifndef NL_TRACK_H
#define NL_TRACK_H

#include "branch.h"
#include "event.h"
#include "heat.h"
#include "pace.h"
#include "stdin.h"

struct nl_track {
	/* To be filled in; heat and arms, too. */
	struct nl_run *run;
	const struct nl_req *outside;   /* as the race was called */
	struct nl_req q;                /* what arms get */
	struct nl_span_of of;
	struct nl_limit stop;           /* how those that have lost are stopped */
	bool need_output;
	const struct nl_pacer *pacer;   /* or NULL */
	struct nl_stdin in;
	struct nl_heat heat;
	struct nl_branch *arm;          /* heat.n of them */
	struct nl_report *reports;      /* of those with a memory of their own, or NULL */

	struct nl_heat_step step;       /* the last one: who has won */
	bool decided;
	nl_time decided_at;
	bool limited;                   /* q's limit has passed, seen by us */
	const struct nl_svc *cut_by;    /* whose idle limit ended it */
	bool streaming;                 /* the winner's output goes straight through */
	bool delivered;                 /* or was tried to be */
	struct nl_outcome o;            /* what a delivery made of the winner's */
	nl_time abandon_at;             /* when the winner's output is no longer waited for */
	unsigned told;                  /* run->told when it began */
	bool strayed;                   /* somebody else may have reaped an arm */
	pid_t daemons[NL_BRANCH_SKIPS / 2];     /* children of ours that are nobody's */
	unsigned n_daemons;
};

/* Runs the race to its end: nobody of an arm is left but daemons. */
void nl_track_run(struct nl_track *);

/* What it came to; sets run->fired, killed and stopped_at. */
struct nl_outcome nl_track_settle(struct nl_track *);

#endif
