/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caller.h - internal to serve: one who is connected.
 *
 * Everything about one is bounded: the request, what waits to be taken, and how
 * long each may take.  Nobody is waited for.
 */
#ifndef NL_CALLER_H
#define NL_CALLER_H

#include "observe/serve.h"

struct nl_caller {
	struct nl_also io;              /* first: ready has this */
	struct nl_caller *next;
	struct nl_serving *of;
	char *in;                       /* a request that is not whole yet, or waits for its turn */
	size_t nin;
	bool skip;                      /* it is too long, and its rest is no request */
	bool over;                      /* no more is sent to us */
	struct nl_out out;
	size_t taken;                   /* of out */
	nl_time moved_at;               /* when it last took something, or began a request */
	bool subscribed;
	uint64_t lost;                  /* events, not yet told */
};

/* What they have in common. */
struct nl_serving {
	struct nl_ask *ask;
	struct nl_intake *in;
	struct nl_recent recent;
	struct nl_caller *callers;
	unsigned n;
};

/* Takes the connection: NULL, and it is still the caller's, without memory. */
struct nl_caller *nl_caller_new(struct nl_serving *, int fd);
void nl_caller_cut(struct nl_caller *);
/* An event, or a finding, to all who have subscribed. */
void nl_callers_tell(struct nl_serving *, struct nl_quote line);
/* Cuts those who take nothing, or do not end their requests. */
void nl_callers_cut_slow(struct nl_serving *, nl_time now);

#endif
