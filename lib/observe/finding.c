/* SPDX-License-Identifier: Apache-2.0 */
/*
 * finding.c - see finding.h: runs that lost lines or were killed, policies beyond
 * the limit, breakers whose records say otherwise.
 *
 * Lines come late and out of order, and a record is written before its event.  So
 * nothing is told before it has stood for a while.  A run is looked at from its first line to its end;
 * of too many at once the oldest are not.
 */
#include "observe/finding.h"

#include "event.h"
#include "mut.h"
#include "observe/observe.h"
#include "proc.h"
#include "run.h"
#include "sink.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINES = 256, WAYS = 8 };         /* of the table of runs, as a cache has them */
#define WAIT (2 * NL_SEC)               /* for what comes late */
#define SAME_BOOT 2000000               /* microseconds that two readings of one boot's time may differ */

enum watch { FREE, OPEN, OVER, ENDED, TOLD };   /* OVER: its process is; ENDED: with lines missing */
struct watched { uint64_t run; int64_t mono_us; nl_time due; int pid; enum watch is; char target[84]; };

/* A breaker whose record differs: since the last look, or told. */
struct odd { const struct nl_series *s; uint64_t hash; bool told; };

struct nl_findings {
	struct nl_ask *ask;
	nl_finding_told *told;
	void *arg;
	struct nl_ids ids;              /* of our events */
	struct nl_svc svc;
	struct nl_sink sink;
	uint64_t run;                   /* of the last line */
	int64_t boot_us;                /* when this boot began, by the clock of now */
	struct watched watched[LINES][WAYS];    /* the latest first */
	struct odd *odd;
	unsigned odds, room;
	bool overflowed;
	bool theirs;                    /* /proc shows other processes than ours */
};

static int64_t boot_us(const struct nl_os *os)
{
	return (os->clock(CLOCK_REALTIME) - os->clock(CLOCK_BOOTTIME)) / NL_US;
}

struct nl_findings *nl_findings_new(struct nl_ask *ask, nl_finding_told *told, void *arg)
{
	struct nl_findings *f = calloc(1, sizeof *f);
	if (!f)
		return NULL;
	f->ask = ask, f->told = told, f->arg = arg;
	f->sink = (struct nl_sink){ .type = NL_SINK_FD, .level = NL_DEBUG, .fd = -1 };
	f->svc = (struct nl_svc){ .layer = &nl_observe, .id = "nl-observe", .sink = &f->sink };
	nl_ids_open(ask->run, &f->ids);
	f->boot_us = boot_us(ask->run->os);
	f->theirs = !nl_proc_is_ours(ask->run->os);
	return f;
}

void nl_findings_free(struct nl_findings *f)
{
	if (f)
		free(f->odd);
	free(f);
}

static void begin(struct nl_findings *f, struct nl_event *e, const char *name)
{
	struct nl_run *run = f->ask->run;
	struct nl_ids *ids = run->ids;
	run->ids = &f->ids;
	nl_event_open(e, run, (struct nl_span_of){ .svc = &f->svc, .span = nl_random(&f->ids.rnd) }, name, NL_WARN);
	run->ids = ids;
}

static void end(struct nl_findings *f, struct nl_event *e)
{
	e->buf[e->n++] = '}';
	f->told((struct nl_quote){ e->buf, (unsigned)e->n }, f->arg);
}

static void tell_run(struct nl_findings *f, const struct watched *w, const struct nl_runs_sum *sum)
{
	struct nl_event e;
	char run[17];
	bool gap = w->is == ENDED;
	begin(f, &e, gap ? "nl.observe.gap" : "nl.observe.killed");
	nl_event_str(&e, "target", w->target, sizeof w->target);
	snprintf(run, sizeof run, "%016llx", (unsigned long long)w->run);
	nl_event_str(&e, "of_run", run, 16);
	nl_event_int(&e, "of_pid", w->pid);
	nl_event_int(&e, "lost", (int64_t)(gap ? sum->lost : sum->gaps));
	if (gap)
		nl_event_int(&e, "sent", (int64_t)sum->sent);
	end(f, &e);
}

static struct watched *find(struct nl_findings *f, uint64_t run)
{
	struct watched *line = f->watched[run % LINES];
	for (int i = 0; i < WAYS; i++)
		if (line[i].is != FREE && line[i].run == run)
			return &line[i];
	return NULL;
}

/* Runs of this boot alone: of others nobody knows whether they go on. */
static bool is_of_this_boot(const struct nl_findings *f, const struct nl_fact *fact)
{
	return llabs(fact->time_us - fact->mono_us - f->boot_us) < SAME_BOOT;
}

static void add(struct nl_findings *f, const struct nl_fact *fact)
{
	struct watched *line = f->watched[fact->run % LINES];
	struct nl_runs_sum sum;
	char kind[17], policy[65];
	int64_t pid = is_of_this_boot(f, fact) ? nl_fact_int(fact, "pid", 0) : 0;
	if (nl_runs_one(nl_system_runs(f->ask->system), fact->run, &sum) && sum.ended && fact->told != NL_TOLD_RUN_ENDED)
		return;                         // It came late.
	nl_fact_str(fact, "kind", kind, sizeof kind);
	nl_fact_str(fact, "policy", policy, sizeof policy);
	memmove(line + 1, line, (WAYS - 1) * sizeof *line);
	*line = (struct watched){ .run = fact->run, .mono_us = fact->mono_us, .is = OPEN };
	line->pid = pid > 0 && pid <= INT32_MAX ? (int)pid : 0;
	snprintf(line->target, sizeof line->target, "%s/%s", kind, policy);
}

void nl_findings_line(struct nl_findings *f, const struct nl_fact *fact)
{
	struct nl_runs_sum sum;
	if (fact->run == f->run && fact->told != NL_TOLD_RUN_ENDED)
		return;
	f->run = fact->run;
	struct watched *w = find(f, fact->run);
	if (!w) {
		add(f, fact);
		w = find(f, fact->run);
	}
	if (!w || w->is == TOLD || fact->told != NL_TOLD_RUN_ENDED)
		return;
	bool known = nl_runs_one(nl_system_runs(f->ask->system), fact->run, &sum);
	w->is = known && sum.lost ? ENDED : FREE;
	if (w->is == FREE)
		f->run = 0;
	else
		w->due = nl_after(nl_now(f->ask->run), WAIT);
}

/* Gone, a zombie, or another one that has its number now. */
static bool is_over(const struct nl_findings *f, const struct watched *w)
{
	const struct nl_os *os = f->ask->run->os;
	struct nl_proc p;
	if (!w->pid)
		return false;
	if (os->kill(w->pid, 0) == -ESRCH || MUTANT(LIVE_IS_KILLED))
		return true;
	if (f->theirs || nl_proc_read(os, w->pid, &p) < 0)
		return false;
	int64_t began_us = (int64_t)(p.start * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK));
	return p.state == 'Z' || p.state == 'X' || began_us > w->mono_us;
}

static void look_at_run(struct nl_findings *f, struct watched *w, nl_time now)
{
	struct nl_runs_sum sum;
	if (w->is == OPEN && is_over(f, w)) {
		w->is = OVER;
		w->due = nl_after(now, WAIT);
	} else if ((w->is == OVER || w->is == ENDED) && now >= w->due) {
		bool known = nl_runs_one(nl_system_runs(f->ask->system), w->run, &sum);
		if (known && (w->is == OVER || sum.lost))
			tell_run(f, w, &sum);
		if (!MUTANT(FINDS_AGAIN))
			w->is = TOLD;
	}
}

static void look_at_limit(struct nl_findings *f)
{
	struct nl_event e;
	if (f->overflowed || !nl_system_overflowed(f->ask->system))
		return;
	f->overflowed = true;
	begin(f, &e, "nl.observe.overflow");
	nl_event_int(&e, "series", nl_system_count(f->ask->system) - 1);
	end(f, &e);
}

static struct odd *odd_of(struct nl_findings *f, const struct nl_series *s)
{
	for (unsigned i = 0; i < f->odds; i++)
		if (f->odd[i].s == s)
			return &f->odd[i];
	if (f->odds == f->room) {
		unsigned room = f->room ? 2 * f->room : 16;
		struct odd *odd = realloc(f->odd, room * sizeof *odd);
		if (!odd)
			return NULL;
		f->odd = odd, f->room = room;
	}
	f->odd[f->odds] = (struct odd){ .s = s };
	return &f->odd[f->odds++];
}

static uint64_t hash_of(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325;     // FNV-1a
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
	return hash;
}

static void look_at_record(struct nl_findings *f, const struct nl_series *s)
{
	struct nl_event e;
	char text[200], target[160];
	bool differs = nl_ask_record(f->ask, s, text);
	struct odd *odd = differs || f->odds ? odd_of(f, s) : NULL;
	if (!odd)
		return;
	if (!differs) {
		*odd = f->odd[--f->odds];
		return;
	}
	uint64_t hash = hash_of(text), before = odd->hash;
	odd->hash = hash;
	if (odd->told || before != hash)
		return;
	odd->told = true;
	begin(f, &e, "nl.observe.mismatch");
	snprintf(target, sizeof target, "%.40s/%.100s", s->kind_text, s->policy);
	nl_event_str(&e, "target", target, sizeof target);
	nl_event_str(&e, "detail", text, sizeof text);
	end(f, &e);
}

void nl_findings_look(struct nl_findings *f, nl_time now)
{
	f->boot_us = boot_us(f->ask->run->os);
	for (int i = 0; i < LINES; i++)
		for (int k = 0; k < WAYS; k++)
			look_at_run(f, &f->watched[i][k], now);
	look_at_limit(f);
	for (unsigned i = 0; i < nl_system_count(f->ask->system); i++)
		if (nl_system_series(f->ask->system, i)->kind == NL_S_BREAKER)
			look_at_record(f, nl_system_series(f->ask->system, i));
}
