/* SPDX-License-Identifier: Apache-2.0 */
/*
 * query.h - internal: questions about a system, and their answers.
 *
 * One table, read by the command line, by the socket of `serve` and by the
 * handlers of the control plane: a query is asked with words, and answers in text
 * or in JSON into a buffer.  A query that needs more than the system (the lines
 * themselves) listens while they are read.
 */
#ifndef NL_QUERY_H
#define NL_QUERY_H

#include "event.h"
#include "jsonout.h"
#include "observe/source.h"
#include "observe/system.h"
#include "render.h"

struct nl_ask {
	struct nl_run *run;
	struct nl_system *system;
	int64_t now_us;                 /* a file's: its last event's time */
	char **arg;                     /* words behind the name; NULL ends */
	unsigned args;
	int64_t window_us;              /* --window; 0: none was given */
	const char *by;                 /* --by, NULL: not given */
	bool json, md, live;            /* live: now is the clock's */
	bool past;                      /* not all events are counted: of --from or --to */
	struct nl_paper *paper;         /* colour, width (render.h) */
	const struct nl_observe_opts *opts;     /* the rest of the command line, NULL from a socket */
	void *data;                     /* a listener's, from begin to end */
};

struct nl_query {
	const char *name, *args, *about;        /* "rate", "POLICY", "failures of all requests, 0 to 1" */
	unsigned least, most;                   /* words that it takes; on the command line what follows are sources */
	bool live;                              /* follows its sources, unless --once */
	bool windowed;                          /* takes --window */
	/* Checks the words before anything is read, and listens if it must.  May be NULL. */
	int (*begin)(struct nl_ask *, struct nl_intake *, struct nl_err *);
	/* The answer into out, and the exit status: 0..3; -1 with err is 125.  err is empty before, and said if it is
	 * not after (status 1 and "no such policy"). */
	int (*answer)(struct nl_ask *, struct nl_out *, struct nl_err *);
	void (*end)(struct nl_ask *);           /* frees data; may be NULL */
};
extern const struct nl_query *const nl_queries[];       /* NULL ends */
const struct nl_query *nl_query_of(const char *name);

/* The policy that a word means.  NULL: err says what it may have meant, and the
 * status of the answer is 1. */
const struct nl_series *nl_ask_series(struct nl_ask *, const char *name, struct nl_err *);

/* For begin: this query is about the events themselves, of which snapshots know nothing.  -1: one would be asked. */
int nl_ask_events(const struct nl_ask *, struct nl_intake *, const char *query, struct nl_err *);

/* "1m", "5m", "15m" or any span up to NL_WINDOW_SECONDS, in microseconds; -1 with err. */
int64_t nl_window_read(const char *text, struct nl_err *);

/* A moment: RFC 3339 with or without its parts ("2026-11-24T13:00", "13:00:05" of the
 * day of now), "5m ago", "now", in UTC; microseconds since 1970, -1: it is none. */
int64_t nl_moment_read(const char *text, int64_t now_us);
bool nl_moment_is_relative(const char *text);           /* it is another when now is */

/* A number without zeros that say nothing: "0.25", "0", "1". */
const char *nl_number_text(double, char buf[32]);
/* Seconds for people in at most 6 columns: "950us", "1.20s", "3.5m", "2.1h"; "-" below 0. */
const char *nl_span_text(double s, char buf[32]);
/* Large counts in at most 6 columns: "12345", "123k", "1.2M". */
const char *nl_count_text(uint64_t, char buf[32]);
/* Text of strangers for a terminal: a copy without control characters, cut at n columns. */
const char *nl_safe_text(const char *, unsigned columns, char buf[256]);

/* Statuses of check, as monitoring plugins have them. */
enum { NL_CHECK_HOLDS, NL_CHECK_WARNING, NL_CHECK_CRITICAL, NL_CHECK_UNKNOWN };

/* Events that are counted: late ones and those from the future, too. */
uint64_t nl_ask_counted(const struct nl_ask *);

/* Series worth a line, worst first: open breakers, then by the rate of failures in the window, then by requests.  To be freed. */
enum nl_sorting { NL_BY_NAME, NL_WORST_FIRST };
const struct nl_series **nl_ask_sorted(struct nl_ask *, enum nl_sorting, unsigned *n);

/* What a breaker's record in the directory of state says otherwise than events do.  False: nothing, or there is none. */
bool nl_ask_record(struct nl_ask *, const struct nl_series *, char text[200]);

/* summary --md: Markdown, md.c. */
int nl_summary_md(struct nl_ask *, struct nl_out *, struct nl_err *);
/* What of the events is missing or cannot be trusted, a line or JSON object each; nothing when all is well. */
void nl_put_trouble(struct nl_ask *, struct nl_out *);

/* asof is no query but turns one to another time (observe.c): it has no answer. */
extern const struct nl_query nl_q_summary, nl_q_list, nl_q_state, nl_q_rate, nl_q_pct, nl_q_circuit, nl_q_check, nl_q_asof, nl_q_diff,
	nl_q_blame, nl_q_explain, nl_q_replay, nl_q_verify, nl_q_export, nl_q_top, nl_q_serve;

#endif
