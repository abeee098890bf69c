/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eventgen.h - of eventgen: what is asked for, what is in the log, and its parts.
 *
 *	eventgen.c  the options, and what happens next
 *	tools.c     what each kind of tool tells of a call
 *	line.c      an event as a line
 *	out.c       lines out of order, out
 *	chance.c    chance
 */
#ifndef EVENTGEN_H
#define EVENTGEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE 640
#define BEGIN_US INT64_C(1795957200000000)     /* 2026-11-29T13:00:00Z */

enum kind { RETRY, TIMEOUT, BREAKER, BULKHEAD, KINDS };
extern const char *const kinds[KINDS];

struct cfg { int64_t lines, seed, policies, span, failing, level, kinds, order, twice, lost, killed, foreign; };
extern struct cfg cfg;
struct truth { uint64_t lines, events, dup, not_event, runs, ended, killed, sent, ok, lost, requests, failures; };
extern struct truth truth;

struct policy { char name[16]; enum kind kind; uint64_t epoch; int64_t open_until; unsigned streak, active; bool half, open; double typical_us; };
struct run { int64_t at, begun, tried_at, slept; uint64_t trace[2], id, span; uint32_t seq, sent, missing, step, attempts, attempt; int pid; struct policy *p; bool ok, slow; };

/* tools.c: what happens at r->at.  False: the run is over. */
bool step(struct run *);

/* line.c.  event: begins an event of the run; false: the place does not take this severity.
 * What else it has, then emit. */
bool event(struct run *, const char *name, int sev, bool of_run);
void emit(struct run *);
void text(const char *);
void hex(uint64_t);
void seconds(const char *key, int64_t us);
void count(const char *key, uint64_t);

/* out.c.  out_begin: false without memory. */
bool out_begin(void);
void put_line(const char *, size_t);
void out_end(void);

/* chance.c */
void chance_begin(uint64_t seed);
uint64_t rnd(void);
bool happens(int64_t per_million);
int64_t duration(double typical_us);            /* log-normal, nearly: sigma 0.9 */

#endif
