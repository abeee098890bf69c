/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cell.h - internal: what a branch begins with.
 *
 * All that it needs of ours is copied before it starts, because it may run in
 * our own memory: a fork costs as much again as the command that it is for.
 * Only where its layers are light, though (layer.h): those allocate nothing and
 * change nothing but themselves, and they, too, are copied.
 */
#ifndef NL_CELL_H
#define NL_CELL_H

#include "branch.h"
#include "event.h"
#include "heat.h"
#include "sink.h"

#define NL_CELL_SINKS 8

struct nl_cell {
	struct nl_run run;
	struct nl_signals signals;
	struct nl_ids ids;
	struct nl_req q;
	struct nl_svc *svc;             /* its layers: ours, or copies behind this */
	struct nl_svc outer;            /* of q, where it is a copy */
	struct nl_report *report;
	int fd[3];
	int error[2];                   /* of descriptors 1 and 2, if they are ours */
	int shut[NL_ARMS * 3];          /* what is its brothers': a pipe would not end while it lives */
	unsigned shuts, sinks;
	struct { const struct nl_sink *of; struct nl_sink is; } sink[NL_CELL_SINKS];
	struct nl_report own;           /* where the memory is one */
	void *stack;                    /* the end of it, or NULL: a memory of its own */
	char *base;
	size_t size;
};

/* Can such a branch run in our memory? */
bool nl_cell_shares(struct nl_run *, const struct nl_svc *branch);

/* Room for one, once; what is in it, before each start. */
int nl_cell_open(struct nl_branch *);           /* 0, -errno */
void nl_cell_fill(struct nl_branch *);

/* What of ours a layer of its is. */
const struct nl_svc *nl_cell_ours(const struct nl_branch *, const struct nl_svc *);

/* gone: nobody runs in it any more. */
void nl_cell_close(struct nl_branch *, bool gone);

#endif
