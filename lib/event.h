/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event.h - internal: one event is one JSON line of at most 4096 bytes and one
 * write.  nl-events(5) is the schema.
 *
 * Formatting is by hand: no allocation, no stdio, and user text only through
 * nl_event_str.  Emission never blocks: what cannot be taken is dropped and
 * counted.
 */
#ifndef NL_EVENT_H
#define NL_EVENT_H

#include "nl.h"
#include "os.h"

#define NL_EVENT_MAX 4096               /* PIPE_BUF: one write of it is atomic */

enum { NL_DEBUG = 5, NL_INFO = 9, NL_WARN = 13, NL_ERROR = 17 };       /* OpenTelemetry severity numbers */

/* Identity of this process in the log. */
struct nl_ids {
	uint64_t trace[2], run;
	uint64_t parent;                /* span of the enclosing process, 0 none */
	unsigned depth;                 /* of our outermost layer */
	unsigned seq;                   /* of the next event */
	uint64_t rnd;                   /* source of span ids */
	char traceparent[3];            /* its flags when TRACEPARENT came in, else "" */
};
void nl_ids_open(struct nl_run *, struct nl_ids *);

/* What an event is about: a layer's call. */
struct nl_span_of {
	const struct nl_svc *svc;
	uint64_t span, parent;
	unsigned depth;
	uint64_t gen;                   /* of the live values that hold in it (nl_head.cfg); 0: none */
	const struct nl_note *note;     /* further attributes of its nl.request.*, ended by a NULL key; or NULL */
};
/* text: NULL for a number, nanoseconds when the key ends in _s. */
struct nl_note { const char *key, *text; int64_t n; };

struct nl_event {
	struct nl_run *run;
	const struct nl_sink *sink;
	int sev;
	nl_time real;                   /* when: the one in the line */
	size_t n;
	bool tally;                     /* each sink adds how many lines it was sent */
	char human[256];                /* empty: nothing for people */
	char buf[NL_EVENT_MAX];
};

/* Begins a call of svc: q gets its span, depth and caller for what is inside. */
struct nl_span_of nl_span_open(struct nl_svc *, struct nl_run *, struct nl_req *q);
/* Its one nl.request.*; attempts 0 is no attribute. */
void nl_span_close(struct nl_run *, struct nl_span_of, struct nl_outcome, bool success, nl_time dur, unsigned attempts,
                   const char *human);

/* nl.run.started; nl.run.ended.  svc is the outermost layer. */
void nl_run_started(struct nl_run *, struct nl_svc *svc);
void nl_run_ended(struct nl_run *, struct nl_svc *svc, int ws, nl_time dur);

/* Writes the envelope and gen.  False, and nothing to do, when no sink wants it. */
bool nl_event_open(struct nl_event *, struct nl_run *, struct nl_span_of, const char *name, int sev);
void nl_event_str(struct nl_event *, const char *key, const char *text, size_t max);
void nl_event_int(struct nl_event *, const char *key, int64_t);
void nl_event_secs(struct nl_event *, const char *key, nl_time);       /* seconds, 6 decimals */
void nl_event_bool(struct nl_event *, const char *key, bool);
void nl_event_end_of(struct nl_event *, int wstatus);                   /* exit or signal */
void nl_event_ppm(struct nl_event *, const char *key, uint64_t ppm);   /* millionths as 0..1, 6 decimals */
void nl_event_ids(struct nl_event *, const char *key, const uint64_t *, unsigned n);   /* ["hex16",…], zeroes left out */
/* An object: attributes added since the position that open returns. */
size_t nl_event_open_object(struct nl_event *, const char *key);
void nl_event_close_object(struct nl_event *, size_t at);
/* A list of objects: items are attributes added since `at`. */
void nl_event_open_list(struct nl_event *, const char *key);
void nl_event_close_list(struct nl_event *);
void nl_event_close_item(struct nl_event *, size_t at, bool first);
/* The line for people; only formatted where one is listening. */
void nl_event_human(struct nl_event *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void nl_event_emit(struct nl_event *);

/* nl.state.degraded: something that should work does not; the command goes on. */
void nl_degraded(struct nl_run *, struct nl_span_of, const char *reason, const char *detail);

/* RFC 3339 in UTC with 6 decimals: 27 characters. */
const char *nl_time_text(nl_time real, char t[28]);
/* Length of the UTF-8 sequence at s, 0 when it is none (RFC 3629). */
size_t nl_utf8(const unsigned char *s);

/* "exit 7", "SIGTERM", "timeout" for people, into buf[32]. */
const char *nl_outcome_text(struct nl_outcome, char buf[32]);
/* Seconds with two or three digits that matter, into buf[32]. */
const char *nl_secs_text(nl_time, char buf[32]);

#endif
