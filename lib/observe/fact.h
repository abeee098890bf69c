/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fact.h - internal: a line of an event log, read.
 *
 * Lines come from anybody: they are torn, glued, mixed with other text, hostile.
 * nl_fact_read is the reference: it says what a line is and believes nothing that
 * it has not validated.  nl_shapes_read (shape.h) is the fast way and must agree
 * with it on every input.  Neither allocates.
 */
#ifndef NL_FACT_H
#define NL_FACT_H

#include "nl.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NL_MARK "{\"nl\":1,"            /* how an event begins; no value inside can contain it */
#define NL_FACT_MAX 4096                /* of an event, its newline included (nl-events(5)) */

/*
 * Every line is exactly one of these; those up to LATE are decided by the line
 * alone or by what was read before, and their counts add up to all lines.
 */
enum nl_line {
	NL_LINE_OK,
	NL_LINE_NOT_EVENT,              /* no mark in it: somebody else's text */
	NL_LINE_TORN,                   /* a mark, but the line ends before the event does */
	NL_LINE_BAD_JSON,               /* a mark and an end, but no JSON, or not what the schema says */
	NL_LINE_DUP_KEY,                /* a key twice: two lines spliced into one that parses */
	NL_LINE_TOO_LONG,               /* longer than an event may be, from its mark on */
	NL_LINE_NEWER,                  /* "nl" is another number: a later version's */
	NL_LINE_DUP,                    /* this (run, seq) was read before (runs.h) */
	NL_LINE_LATE,                   /* counted in totals, too old for the windows */
	NL_LINE_SKEWED,                 /* from the future: counted in totals, does not move the clock */
	NL_LINES
};
extern const char *const nl_line_names[NL_LINES];       /* "ok", "not_event", … */

/* Events by name; another name, as later versions may have, is OTHER. */
enum nl_told {
	NL_TOLD_OTHER, NL_TOLD_RUN_STARTED, NL_TOLD_RUN_ENDED, NL_TOLD_SUCCESS, NL_TOLD_FAILURE, NL_TOLD_ATTEMPT, NL_TOLD_EXHAUSTED,
	NL_TOLD_TIMEOUT, NL_TOLD_OPENED, NL_TOLD_HALF_OPEN, NL_TOLD_CLOSED, NL_TOLD_FORCED, NL_TOLD_BREAKER_REJECTED, NL_TOLD_STALE_RESULT,
	NL_TOLD_ACQUIRED, NL_TOLD_RELEASED, NL_TOLD_BULKHEAD_REJECTED, NL_TOLD_HEDGED, NL_TOLD_RACE_WON, NL_TOLD_RACE_LOST,
	NL_TOLD_FALLBACK_USED, NL_TOLD_FALLBACK_FAILED, NL_TOLD_FALLBACK_STALE, NL_TOLD_DEGRADED, NL_TOLD_CONFLICT,
	NL_TOLD_COMMAND, NL_TOLD_DENIED, NL_TOLDS
};
extern const char *const nl_told_names[NL_TOLDS];       /* "", "nl.run.started", … */

/* Text inside the line: not terminated; as it stands there, so escapes are still
 * escapes (names that we make have none). */
struct nl_quote { const char *s; unsigned n; };
struct nl_quote nl_quoted(const char *);        /* all of it */

/* What is counted.  Absent: -1 for numbers and times, n 0 for texts, 0 for ids. */
struct nl_fact {
	struct nl_quote line;            /* from the mark to the closing brace: attributes not here are read from it */
	int64_t time_us;                /* since 1970, UTC */
	int64_t mono_us;
	enum nl_told told;
	int sev;
	struct nl_quote event, policy, kind;
	uint64_t trace[2], span, parent, run;
	uint32_t seq, depth;
	int64_t gen;
	/* attributes, of whatever events have them */
	int64_t dur_us, exit, attempts;
	struct nl_quote signal, err, cmd;
	int64_t events, dropped;        /* nl.run.ended */
	int64_t active, max, queued, waited_us, held_us;        /* nl.bulkhead.* */
	int64_t epoch, delay_us, slept_us;
};

/* Reads one line without its newline.  OK, or what it is up to NEWER (fact.c has
 * the rules, which nl-observe(1) tells too); *f is whole only with OK, and points
 * into text.  Bytes before f->line.s and behind the event's last bracket are
 * somebody else's text.  Also of the wrappings of others (journald's JSON,
 * docker's): there the event is unescaped into room[NL_FACT_MAX] and f points
 * there, so f->line.s is not in text. */
enum nl_line nl_fact_read(struct nl_fact *f, const char *text, size_t n, char room[NL_FACT_MAX]);

/* An attribute that nl_fact has not: its JSON value as text in the line, n 0 when absent. */
struct nl_quote nl_fact_attr(const struct nl_fact *, const char *key);
/* The same as a whole number, seconds in microseconds (0 or more, below 10^9 s), any number; or absent. */
int64_t nl_fact_int(const struct nl_fact *, const char *key, int64_t absent);
int64_t nl_fact_us(const struct nl_fact *, const char *key, int64_t absent);
double nl_fact_real(const struct nl_fact *, const char *key, double absent);
/* Unescaped, terminated, cut at a character; its length, 0 also when it is no string. */
size_t nl_fact_str(const struct nl_fact *, const char *key, char *buf, size_t size);

/* RFC 3339 in UTC, "2026-11-24T13:00:00.000000Z", with any decimals or none, to
 * microseconds since 1970; -1: it is none, or not of 1970 to 2199.  So nanoseconds fit
 * into 64 bits, also with the longest duration of an event added. */
#define NL_YEAR_MOST 2199
#define NL_TIME_MOST INT64_C(7258118400999999)   /* its last second, a leap second */
int64_t nl_time_read(const char *s, size_t n);

#endif
