/* SPDX-License-Identifier: Apache-2.0 */
/*
 * system.h - internal: what all events together say: the state of the system.
 *
 * A function of the set of events: the same ones in any order, split over any
 * number of systems that are then merged, make the same state bit by bit (within
 * the lateness bound).  So there are sums, maxima and "the last by (time, run,
 * seq)" here, and nothing like an average that moves.
 *
 * Time is that of the events.  A window of W seconds at `now` is the second of
 * now and the W - 1 before it.
 *
 * Memory is bounded: NL_SERIES_MAX series, and others are in one named "_overflow";
 * which ones they are is a function of the set of names.  A series is 200 bytes until
 * it has 256 requests.  Of runs only the last are known one by one (runs.h).
 */
#ifndef NL_SYSTEM_H
#define NL_SYSTEM_H

#include "observe/fact.h"
#include "observe/runs.h"
#include "observe/sketch.h"

#define NL_SERIES_MOST 60000            /* and the greatest one */
#define NL_SERIES_MAX 2000              /* the limit that OpenTelemetry recommends */
#define NL_EXACT 256                    /* requests whose durations are kept as they are */
#define NL_WINDOW_SECONDS 900           /* the longest window */
#define NL_MOVES 64                     /* transitions of a breaker that are kept */
#define NL_BUCKETS_CLASSIC 21           /* of Prometheus' text format */
extern const int64_t nl_classic_us[NL_BUCKETS_CLASSIC];  /* their upper bounds */

enum nl_series_kind { NL_S_OTHER, NL_S_RETRY, NL_S_TIMEOUT, NL_S_BREAKER, NL_S_BULKHEAD, NL_S_RACE, NL_S_FALLBACK, NL_S_RUN, NL_S_CONTROL, NL_S_KINDS };

/* Of requests that ended in a window, or ever. */
struct nl_counts { uint64_t requests, failures, rejected, timeouts; };

/* A class of failure by its err: 0..255 exit_N, 256+n signal n, and these. */
enum { NL_ERR_TIMEOUT = 400, NL_ERR_REJECTED, NL_ERR_SPAWN, NL_ERR_DEADLINE, NL_ERR_OTHER };
/* Counts by key, ascending; those that are 0 are not there. */
struct nl_keyed { uint16_t key; uint64_t n; };
const char *nl_err_class_name(unsigned class, char buf[24]);    /* "exit_2", "signal_TERM", "timeout" */

/* A change of a breaker's state; in order of time, and those within a second of each other of epoch. */
struct nl_move {
	int64_t time_us;
	uint64_t epoch, run, span;
	uint32_t seq;
	uint8_t from, to;               /* enum nl_circuit_state */
	char reason[20];
	char *line;                     /* the event, for who explains; of the last 8, else NULL */
};

/* Sums of a duration that is not a request's. */
struct nl_spent { uint64_t n, us, most_us; };

struct nl_last { int64_t time_us, dur_us; uint8_t end; };       /* of a request; end: 0 success, 1 failed, | 2 rejected, | 4 timeout */

/*
 * Durations that are not those of requests.  A call of a retry that succeeds at
 * once is an attempt that took as long, so nothing is counted for it: attempts
 * that succeeded are the requests without CALL and with OK.
 */
enum nl_took {
	NL_TOOK_CALL,                   /* calls of a retry that are not one attempt which succeeded */
	NL_TOOK_OK, NL_TOOK_FAILED,     /* attempts of others: the last, which succeeded; those that failed */
	NL_TOOK_DELAY,                  /* waits before an attempt */
	NL_TOOK_WAIT, NL_TOOK_HOLD,     /* for a slot; with it */
	NL_TOOKS
};

struct nl_series {
	/* what every request counts in: two cache lines */
	struct nl_counts all;           /* of nl.request.*: rejected and timeouts by their err */
	uint64_t attempts, recovered;   /* attempts that the requests made; successes that needed more than one */
	struct nl_spent dur;            /* of requests */
	int64_t first_us, last_us, last_success_us, least_us;
	struct nl_last *last;           /* the latest NL_EXACT, ascending */
	unsigned nlast;
	enum nl_series_kind kind;
	struct nl_dense *dense;         /* from the 257th on: seconds, slices, sketch (dense.c) */

	const char *policy;             /* its NAME */
	const char *kind_text;
	/* since the beginning */
	uint64_t rejected, timeouts;    /* nl.circuit.rejected and nl.bulkhead.rejected; nl.timeout.occurred */
	uint64_t exhausted, retried;    /* nl.retry.exhausted, nl.retry.attempt */
	uint64_t hedged, won, lost;     /* races */
	uint64_t fell_back, stale;      /* nl.fallback.used; nl.fallback.stale */
	uint64_t degraded;
	struct nl_spent slept, waited, held;    /* retries' back-off; bulkheads */
	uint64_t failed_us;             /* of dur.us, requests that failed */
	struct nl_keyed *errs;          /* by class */
	unsigned nerrs;
	struct nl_keyed *labels;        /* by number: label.h */
	unsigned nlabels;
	struct nl_durations *took[NL_TOOKS];    /* from the first on, else NULL: durations.h */
	uint64_t classic[NL_BUCKETS_CLASSIC + 1];       /* durations above the bound before and up to this one; last: above all */
	uint64_t classic_failed[NL_BUCKETS_CLASSIC + 1];
	uint64_t events;
	int64_t last_failure_us;
	char last_err[24], last_cmd[32];        /* of the last failure */
	/* breakers */
	unsigned nmoves;
	struct nl_move *move;           /* ascending, the last NL_MOVES */
	uint64_t opens, closes, half_opens, all_moves;
	/* bulkheads: as the last event told, and the most */
	int64_t active, max, queued, peak;
};

struct nl_system;
struct series;
struct nl_system_cfg {
	int64_t late_us;                /* events may come so much later than the latest; INT64_MAX: any (files) */
	int64_t skew_us;                /* the latest an event may be ahead of `now`; INT64_MAX: any */
	unsigned series;                /* at most, 0: NL_SERIES_MAX */
};
struct nl_system *nl_system_new(struct nl_system_cfg);
void nl_system_free(struct nl_system *);
void nl_system_late(struct nl_system *, int64_t late_us);       /* from now on; what was taken stays as it is */

/* Takes an event: OK, DUP, LATE or SKEWED, counted in nl_system_lines too.
 * real_us: the clock when it was read (for skew); 0: a file's, no matter. */
enum nl_line nl_system_take(struct nl_system *, const struct nl_fact *, int64_t real_us);
/* It will be taken soon: what is needed for that is fetched from memory, and where it
 * will count need not be looked for again.  A place is good for as long as its
 * system; when its series is gone by then it is looked for. */
struct nl_known { struct series *series; uint64_t dropped; };
struct nl_known nl_system_ahead(const struct nl_system *, const struct nl_fact *);
enum nl_line nl_system_take_at(struct nl_system *, const struct nl_fact *, int64_t real_us, struct nl_known);
/* Counts a line that was no event. */
void nl_system_line(struct nl_system *, enum nl_line);
/* Notes that an event was read, and nothing else of it. */
void nl_system_pass(struct nl_system *, const struct nl_fact *);
/* Counts b's lines that were no events, too. */
void nl_system_copy_foreign(struct nl_system *a, const struct nl_system *b);
/* Adds all of b to a, as if a had read b's lines.  Lines that both have read count twice, and nl_runs_sum says how many. */
int nl_system_merge(struct nl_system *a, const struct nl_system *b);

/* The latest event's time: `now` of who reads a file; -1: none. */
int64_t nl_system_latest(const struct nl_system *);
const uint64_t *nl_system_lines(const struct nl_system *);      /* [NL_LINES] */
uint64_t nl_system_told(const struct nl_system *, enum nl_told);
struct nl_counts nl_system_calls(const struct nl_system *);     /* depth 0: what callers saw */
uint64_t nl_system_overflowed(const struct nl_system *);        /* events that went to _overflow */
const struct nl_runs *nl_system_runs(const struct nl_system *);
bool nl_system_starved(const struct nl_system *);               /* there was no memory for something: counts are too low */

/* Series by kind, then name.  NULL ends. */
unsigned nl_system_count(const struct nl_system *);
const struct nl_series *nl_system_series(const struct nl_system *, unsigned i);
/* KIND/NAME, or a NAME that one series has: NULL with err (unknown; ambiguous, naming them). */
const struct nl_series *nl_system_find(const struct nl_system *, const char *name, struct nl_err *);

/* Of one series.  window_us: 0 is since the beginning. */
struct nl_counts nl_series_counts(const struct nl_series *, int64_t now_us, int64_t window_us);
/* Seconds, nearest rank; -1: no samples.  *n samples; *exact: not from a sketch. */
double nl_series_quantile(const struct nl_series *, double q, int64_t now_us, int64_t window_us, uint64_t *n, bool *exact);
/* failures / requests, or -1 without requests. */
double nl_series_rate(const struct nl_series *, int64_t now_us, int64_t window_us);
/* A breaker's state as the events tell: "closed" when it has had calls and no move, "-" of others. */
const char *nl_series_state(const struct nl_series *);

/* Snapshot: all of it in one file, written beside and renamed; with where sources had been read to.
 * Text lines, versioned, checksummed; what does not read is refused whole. */
struct nl_mark { char *path; uint64_t dev, ino, offset, seen; };        /* seen: hash of the first bytes, so that another file is noticed */
int nl_system_save(const struct nl_system *, const char *path, const struct nl_mark *, unsigned marks, struct nl_err *);
struct nl_system *nl_system_load(const char *path, struct nl_mark **, unsigned *marks, struct nl_err *);    /* also one that another process wrote */

#endif
