/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.c - random cases.  Times are mostly from coarse grids, so that moments
 * coincide more often than they would in life.
 */
#include "parse.h"
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static unsigned pick(uint64_t *s, unsigned n)
{
	return (unsigned)(nl_random(s) >> 33) % n;
}

static bool chance(uint64_t *s, unsigned percent)
{
	return pick(s, 100) < percent;
}

static nl_time span(uint64_t *s)
{
	switch (pick(s, 4)) {
	case 0: return (nl_time)(1 + pick(s, 10)) * NL_SEC;
	case 1: return (nl_time)(1 + pick(s, 300)) * 10 * NL_MS;
	case 2: return (nl_time)(1 + pick(s, 3000000)) * NL_US;
	default: return (nl_time)(1 + pick(s, 30)) * 100 * NL_MS;
	}
}

struct sim_cmd sim_cmd(const struct sim_plan *p, unsigned run)
{
	static const int ends[] = {
		NL_EXIT(1), NL_EXIT(3), NL_EXIT(7), NL_EXIT(2), NL_EXIT(255), NL_EXIT(75), NL_EXIT(124), NL_EXIT(125), NL_EXIT(126),
		NL_EXIT(127), NL_EXIT(143), 9, 15, 13, 11,
	};
	uint64_t s = p->seed * 31 + run;
	struct sim_cmd c = { .dur = span(&s) };
	c.ws = chance(&s, p->success) ? 0 : chance(&s, 60) ? NL_EXIT(1 + (int)pick(&s, 3)) : ends[pick(&s, sizeof ends / sizeof *ends)];
	c.way = (unsigned)pick(&s, 3);
	c.late = span(&s) / 4, c.late_ws = chance(&s, 50) ? 0 : ends[pick(&s, sizeof ends / sizeof *ends)];
	c.beat = chance(&s, 50) ? span(&s) / 2 : 0;
	if (chance(&s, 3))
		c.way = SIM_MISSING, c.dur = 0, c.ws = NL_EXIT(NL_EX_NOTFOUND);
	if (run >= SIM_SCRIPTED)
		c.way = SIM_OBEYS, c.dur = 30 * NL_SEC;
	return c;
}

double sim_unit(const struct sim_plan *p, unsigned draw)
{
	uint64_t s = p->seed * 37 + draw;
	if (p->unit)
		return p->unit(p, draw);
	return p->luck == SIM_UNLUCKY ? 0 : p->luck == SIM_LUCKY ? 1 - 0x1p-53 : (double)(nl_random(&s) >> 11) * 0x1p-53;
}

/* The line in the making. */
struct line { struct sim_plan *p; unsigned argc; size_t used; };

__attribute__((format(printf, 2, 3)))
static void word(struct line *l, const char *fmt, ...)
{
	struct sim_plan *p = l->p;
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(p->text + l->used, sizeof p->text - l->used, fmt, ap);
	va_end(ap);
	p->argv[l->argc++] = p->text + l->used;
	p->argv[l->argc] = NULL;
	l->used += (size_t)n + 1;
}

static void option(struct line *l, const char *name, nl_time t)
{
	word(l, "%s", name);
	word(l, "%lldus", (long long)(t / NL_US));
}

static int set(uint64_t *s, struct line *l, const char *name, unsigned percent)
{
#define TEXT(text, expression) text,
	static const char *const texts[] = { SIM_SETS(TEXT) };
	if (!chance(s, percent))
		return -1;
	int i = (int)pick(s, sizeof texts / sizeof *texts);
	word(l, "%s", name);
	word(l, "%s", texts[i]);
	return i;
}

static void stopper(uint64_t *s, struct line *l, struct sim_layer *y)
{
	static const struct { const char *name; int n; } sigs[] = { { "TERM", 15 }, { "INT", 2 }, { "SIGUSR1", 10 }, { "9", 9 } };
	y->grace = -1;
	if (chance(s, 40)) {
		y->grace = chance(s, 20) ? NL_NEVER : span(s) / 4;
		if (y->grace == NL_NEVER || y->grace < NL_US)
			y->grace = NL_NEVER, word(l, "-k%s", chance(s, 50) ? "0" : "inf");
		else
			y->grace -= y->grace % NL_US, option(l, "--kill-after", y->grace);
	}
	if (chance(s, 25)) {
		unsigned i = pick(s, sizeof sigs / sizeof *sigs);
		y->sig = sigs[i].n;
		word(l, "-s%s", sigs[i].name);
	}
}

static void add_timeout(uint64_t *s, struct line *l, struct sim_layer *y)
{
	stopper(s, l, y);
	if ((y->preserve = chance(s, 25)))
		word(l, "-p");
	if (l->p->leaf && chance(s, 30))
		option(l, "--idle", y->idle = span(s));
	y->limit = NL_NEVER;
	if (chance(s, 10))
		word(l, chance(s, 50) ? "0" : "inf");
	else
		y->limit = span(s) * (1 + pick(s, 3)), word(l, "%lldus", (long long)(y->limit / NL_US));
}

static void add_backoff(uint64_t *s, struct line *l, struct sim_layer *y, enum sim_kind kind)
{
	static const char *const kinds[] = { "exp", "constant", "l", "fib" };
	static const char *const jitters[] = { "full", "none", "equal", "dec", "finagle", "polly" };
	y->backoff = (struct nl_backoff){ NL_EXPONENTIAL, NL_SEC, 60 * NL_SEC };
	if (chance(s, 85)) {
		struct nl_backoff *b = &y->backoff;
		b->kind = (unsigned)pick(s, 4);
		b->base = chance(s, 15) ? 0 : span(s) / (chance(s, 50) ? 10 : 1) / NL_US * NL_US;
		word(l, "--backoff");
		if (chance(s, 50))
			b->cap = b->base + span(s), word(l, "%s:%lldus..%lldus", kinds[b->kind], (long long)(b->base / NL_US), (long long)(b->cap / NL_US));
		else
			word(l, "%s:%lldus", kinds[b->kind], (long long)(b->base / NL_US));
	}
	y->jitter = kind == SIM_NO_JITTER ? NL_JITTER_NONE : (unsigned)pick(s, 6);
	if (y->jitter != NL_JITTER_FULL || chance(s, 50))
		word(l, "-j"), word(l, "%s", jitters[y->jitter]);
}

static void add_retry(uint64_t *s, struct line *l, struct sim_layer *y, enum sim_kind kind)
{
	y->n = 3;
	if (chance(s, 10))
		y->n = 0, word(l, "-ninf");
	else if (chance(s, 80))
		y->n = (l->p->depth < 4) + 1 + pick(s, l->p->depth < 4 ? 5 : 3), word(l, "-n%u", y->n);
	add_backoff(s, l, y, kind);
	stopper(s, l, y);
	if (chance(s, 30))
		option(l, "-t", y->per_attempt = span(s));
	if (chance(s, 10))
		option(l, "--reset-after", y->reset_after = span(s));
	if (chance(s, 20) || !y->n || y->reset_after)
		option(l, "--total", y->total = span(s) * (1 + pick(s, 4)));
	y->on = set(s, l, "--on", 20);
	y->except = set(s, l, "--except", 10);
	y->ok = set(s, l, "--ok", 10);
}

void sim_plan(struct sim_plan *p, uint64_t seed, enum sim_kind kind)
{
	static const int stops[] = { 1, 2, 3, 15 };
	uint64_t s = seed;
	struct line l = { .p = p };
	*p = (struct sim_plan){ .seed = seed, .stop_at = NL_NEVER, .horizon = NL_NEVER };
	p->depth = 1 + (pick(&s, SIM_DEPTH) + pick(&s, SIM_DEPTH)) / 2;
	p->luck = (unsigned)pick(&s, 3);
	p->success = (unsigned []){ 0, 5, 10, 30 }[pick(&s, 4)];
	p->leaf = chance(&s, 60), p->heard = chance(&s, 20);
	if (chance(&s, 10))
		p->horizon = span(&s) * 3;
	if (kind == SIM_STOPPED)
		p->stop_at = span(&s) * (1 + pick(&s, 4)), p->stop_sig = stops[pick(&s, 4)];
	for (unsigned i = 0; i < p->depth; i++) {
		struct sim_layer *y = &p->layer[i];
		y->retry = chance(&s, 65);
		word(&l, y->retry ? "nl-retry" : "nl-timeout");
		if (y->retry)
			add_retry(&s, &l, y, kind);
		else
			add_timeout(&s, &l, y);
	}
	word(&l, "a\t\"command\"");          // What events say of it must be escaped.
}
