/* SPDX-License-Identifier: Apache-2.0 */
/*
 * observe.h - internal: the command line of nl-observe.
 */
#ifndef NL_OBSERVE_H
#define NL_OBSERVE_H

#include "observe/asked.h"
#include "observe/query.h"

#define NL_LIVE_LATE (5 * NL_SEC)       /* how late an event may be, and how far ahead, where now is the clock's */

struct nl_observe_opts {
	struct nl_svc svc;
	/* what is asked, and how it is answered */
	struct nl_asked what;
	bool json, stats, once;
	const char *out;
	/* from where, and for how long */
	bool follow, tee;
	struct nl_span every, lateness;
	struct nl_num max_series;
	const char *snapshot, *socket, *scrape;
	/* operands */
	enum nl_opt_result about;       /* --help and the like behind them */
	const struct nl_query *query;
	bool named;                     /* the query was */
	char **word;                    /* the query's, as many as it takes; then sources */
	unsigned words, sources;
	nl_unpack *unpack;
};

extern const struct nl_layer nl_observe;

/* Of a struct nl_observe_opts: is it part of the question (asked.h)? */
bool nl_is_asked(const struct nl_opt *);
struct nl_outcome nl_observe_call(struct nl_svc *, struct nl_run *, struct nl_req);

/* Lets a program bring its decompressor, before the call. */
void nl_observe_unpack(struct nl_svc *, nl_unpack *);

/* Asks the server at --socket: its answer into out, and the status; -1 with err. */
int nl_observe_ask(const struct nl_observe_opts *, struct nl_run *, struct nl_out *, struct nl_err *);

/* The accounting of lines and runs, as `key value` lines or as one JSON object. */
void nl_put_stats(struct nl_out *, const struct nl_system *, bool json);

#endif
