/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve.h - internal: questions over a socket, a JSON object a line each way.
 *
 *	{"id":"1","cmd":"rate","args":{"words":["api"],"window":"5m"}}
 *	{"id":"1","result":"value","value":{"status":0,"lines":[{…}]}}
 *
 * Requests and results have the form of the control plane's (control.h).  The
 * value has the status and what --json prints as a list; with "text":true in
 * args, the text instead.
 */
#ifndef NL_SERVE_H
#define NL_SERVE_H

#include "control.h"
#include "observe/query.h"

/* The last events, whole lines in the order in which they came. */
#define NL_RECENT_BLOCK (8u << 20)      /* two of them: the older one leaves as a whole */
struct nl_recent {
	char *block[2];
	size_t n[2];
	int64_t last_us[2];             /* the latest of each */
	bool gone;                      /* some are not here any more, up to this time */
	int64_t gone_us;
	uint64_t seen;                  /* by who asks, in all */
};
void nl_recent_put(struct nl_recent *, const struct nl_fact *);
/* Those that a system has read already are not here. */
void nl_recent_init(struct nl_recent *, const struct nl_system *);
/* Has it read others, of snapshots? */
bool nl_recent_lacks(const struct nl_recent *, const struct nl_system *);
/* Gives them to the listeners and the system of in. */
void nl_recent_feed(const struct nl_recent *, struct nl_intake *);
void nl_recent_free(struct nl_recent *);

/* Answers one request: a whole result in c->reply.  c has run and q; nl_ctx_free is due.
 * True: it asked to subscribe. */
bool nl_serve_answer(struct nl_ctx *c, const struct nl_ask *of, const struct nl_recent *, const char *text, size_t n);

/* Asks the server at path, which has 10 s for it: the result is in reply.  0, -1 with err. */
int nl_serve_ask(struct nl_run *, const char *path, const char *request, size_t n, struct nl_out *reply, struct nl_err *);

/* The text that a query printed, of a result: lines without control characters.  False: it is none. */
bool nl_serve_text(struct nl_out *, const char *json, const struct nl_json_tok *);

#endif
