/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replaybreaker.c - the recorded calls of a breaker through its machine, under
 * other rules.  Calls come when they came and end as they ended.  One that was
 * rejected in reality has no end: it fails in one run and succeeds in another.
 */
#include "observe/replay.h"

#include "mut.h"

#include <math.h>
#include <stdlib.h>

enum when { ENDS, COMES };
struct moment { int64_t us; uint32_t boot; size_t call; enum when when; };
struct caller { bool in, probe; uint64_t permit; int64_t age; };
/* An admission that changed the record: of it the very moment is known. */
struct admission { uint64_t span, epoch; int64_t us; };

struct play {
	const struct nl_tapes *tapes;
	const struct nl_tape *tape;
	const char *const *set;
	struct moment *moment;
	struct caller *caller;
	struct admission *admission;    /* by span */
	size_t admissions;
	int64_t unknown_us;
	struct nl_circuit c;
	uint64_t epoch;
	struct nl_circuit_cfg rules;
	uint32_t rules_of;
	unsigned nset, held;
	enum nl_circuit_event unknown;  /* how calls end of which nobody knows, and after how long */
	/* what came of it */
	uint64_t opens, admitted, shed, wrong, avoided, unknowns;
	int64_t avoided_us;
};

static int by_time(const void *x, const void *y)
{
	const struct moment *a = x, *b = y;
	if (a->boot != b->boot)
		return a->boot < b->boot ? -1 : 1;
	if (a->us != b->us)
		return a->us < b->us ? -1 : 1;
	if (a->when != b->when)
		return a->when < b->when ? -1 : 1;
	return a->call < b->call ? -1 : a->call > b->call;
}

static bool is_call(const struct nl_beat *b)
{
	return b->kind == NL_BEAT_RESULT || b->kind == NL_BEAT_SAW || b->kind == NL_BEAT_REJECTED;
}

static bool is_command(const struct nl_beat *b)
{
	return b->kind == NL_BEAT_MOVED && b->result >= NL_FORCE_OPEN;
}

static int by_span(const void *x, const void *y)
{
	const struct admission *a = x, *b = y;
	return a->span < b->span ? -1 : a->span > b->span;
}

static void find_admissions(struct play *p)
{
	for (size_t i = 0; i < p->tape->n; i++) {
		const struct nl_beat *b = &p->tape->beat[i];
		if (b->kind == NL_BEAT_ASKED || (b->kind == NL_BEAT_MOVED && b->to == NL_HALF_OPEN))
			p->admission[p->admissions++] = (struct admission){ b->span, b->epoch, b->at_us };
	}
	qsort(p->admission, p->admissions, sizeof *p->admission, by_span);
}

/* When it came: before it began by as long as it took to start it, which nobody has
 * measured, unless it was the one that made the breaker half-open. */
static int64_t comes_at(const struct play *p, const struct nl_beat *b)
{
	struct admission key = { .span = b->span };
	const struct admission *a = bsearch(&key, p->admission, p->admissions, sizeof key, by_span);
	return a && a->epoch == b->epoch ? a->us : b->at_us - b->dur_us;
}

static size_t lay_out(struct play *p)
{
	find_admissions(p);
	size_t n = 0;
	for (size_t i = 0; i < p->tape->n; i++) {
		const struct nl_beat *b = &p->tape->beat[i];
		bool rejected = b->kind == NL_BEAT_REJECTED;
		int64_t comes = rejected ? b->at_us : comes_at(p, b), ends = rejected ? b->at_us + p->unknown_us : b->at_us;
		if (is_call(b))
			p->moment[n++] = (struct moment){ ends, b->life, i, ENDS };
		if (is_call(b) || is_command(b))
			p->moment[n++] = (struct moment){ is_call(b) ? comes : b->at_us, b->life, i, COMES };
		p->caller[i] = (struct caller){ 0 };
	}
	qsort(p->moment, n, sizeof *p->moment, by_time);
	return n;
}

static struct nl_circuit_step step(struct play *p, struct nl_circuit_input in)
{
	struct nl_circuit_step s = nl_circuit_step(&p->rules, &p->c, &p->epoch, &in);
	p->opens += s.moved && p->c.state == NL_OPEN;
	return s;
}

static void comes(struct play *p, const struct moment *m, const struct nl_beat *b)
{
	struct caller *c = &p->caller[m->call];
	struct nl_circuit_step s = step(p, (struct nl_circuit_input){ .event = NL_ACQUIRE, .now = m->us * NL_US, .held = p->held });
	c->in = s.verdict != NL_REJECT, c->probe = s.verdict == NL_PROBE;
	c->permit = p->epoch, c->age = s.age;
	p->held += c->probe;
	p->admitted += c->in, p->shed += !c->in;
	if (b->kind == NL_BEAT_REJECTED) {
		p->unknowns += c->in;
	} else if (!c->in) {
		p->wrong += b->result == NL_SUCCESS;
		p->avoided += b->result == NL_FAILURE;
		p->avoided_us += b->result == NL_FAILURE ? b->dur_us : 0;
	}
}

static void ends(struct play *p, const struct moment *m, const struct nl_beat *b)
{
	struct caller *c = &p->caller[m->call];
	bool unknown = b->kind == NL_BEAT_REJECTED;
	if (!c->in)
		return;
	p->held -= c->probe;
	(void)step(p, (struct nl_circuit_input){
		.event = unknown ? p->unknown : (enum nl_circuit_event)b->result, .now = m->us * NL_US, .epoch = c->permit, .age = c->age,
		.dur = (unknown ? p->unknown_us : b->dur_us) * NL_US + 1, .ws = b->ws, .span = b->span, .u = .5,
	});
}

static int be_ruled(struct play *p, uint32_t cfg, struct nl_err *err)
{
	if (cfg == p->rules_of)
		return 0;
	p->rules_of = cfg;
	return nl_tape_rules(p->tapes->texts.text[cfg], p->set, p->nset, &p->rules, err);
}

/* A record keeps the semantics of whoever was there first.  Calls that changed nothing
 * do not say theirs. */
static uint32_t first_rules(const struct play *p, const struct moment *m, const struct moment *end)
{
	for (const struct moment *at = m; at < end && at->boot == m->boot; at++)
		if (p->tape->beat[at->call].cfg || MUTANT(REPLAY_UNRULED))
			return p->tape->beat[at->call].cfg;
	return 0;
}

static int run(struct play *p, struct nl_err *err)
{
	size_t n = lay_out(p);
	uint32_t boot = UINT32_MAX;
	p->rules_of = UINT32_MAX;
	for (size_t i = 0; i < n; i++) {
		const struct moment *m = &p->moment[i];
		const struct nl_beat *b = &p->tape->beat[m->call];
		int r = 0;
		if (m->boot != boot) {
			p->c = (struct nl_circuit){ 0 }, p->epoch = 1, p->held = 0;
			r = be_ruled(p, first_rules(p, m, p->moment + n), err);
		} else if (b->kind == NL_BEAT_RESULT) {
			r = be_ruled(p, b->cfg, err);
		}
		boot = m->boot;
		if (r < 0)
			return -1;
		if (is_command(b))
			(void)step(p, (struct nl_circuit_input){ .event = (enum nl_circuit_event)b->result, .now = m->us * NL_US });
		else
			(m->when == COMES ? comes : ends)(p, m, b);
	}
	return 0;
}

static int64_t mean_us(const struct nl_tape *t, enum nl_circuit_event of)
{
	int64_t sum = 0, n = 0;
	for (size_t i = 0; i < t->n; i++)
		if ((t->beat[i].kind == NL_BEAT_RESULT || t->beat[i].kind == NL_BEAT_SAW) && t->beat[i].result == of)
			sum += t->beat[i].dur_us, n++;
	return n ? sum / n : 0;
}

static struct nl_figure between(const char *name, double was, double a, double b)
{
	return (struct nl_figure){ name, was, fmin(a, b), fmax(a, b) };
}

int nl_replay_breaker(const struct nl_tapes *tapes, const struct nl_tape *t, const char *const *set, unsigned n, struct nl_figure f[NL_FIGURES], struct nl_err *err)
{
	struct play p[2];
	double opens = 0, admitted = 0, shed = 0;
	int r = 0;
	for (unsigned i = 0; i < 2 && r == 0; i++) {
		enum nl_circuit_event as = i ? NL_SUCCESS : NL_FAILURE;
		p[i] = (struct play){ .tapes = tapes, .tape = t, .set = set, .nset = n, .unknown = as, .unknown_us = mean_us(t, as) };
		p[i].moment = calloc(2 * t->n + 1, sizeof *p[i].moment);
		p[i].caller = calloc(t->n + 1, sizeof *p[i].caller);
		p[i].admission = calloc(t->n + 1, sizeof *p[i].admission);
		r = p[i].moment && p[i].caller && p[i].admission ? run(&p[i], err) : nl_fail(err, "out of memory");
		free(p[i].moment);
		free(p[i].caller);
		free(p[i].admission);
	}
	if (r < 0)
		return -1;
	for (size_t i = 0; i < t->n; i++) {
		const struct nl_beat *b = &t->beat[i];
		opens += b->kind == NL_BEAT_MOVED && b->to == NL_OPEN;
		shed += b->kind == NL_BEAT_REJECTED;
		admitted += is_call(b) && b->kind != NL_BEAT_REJECTED;
	}
	unsigned k = 0;
	f[k++] = between("opens", opens, (double)p[0].opens, (double)p[1].opens);
	f[k++] = between("admitted", admitted, (double)p[0].admitted, (double)p[1].admitted);
	f[k++] = between("rejected", shed, (double)p[0].shed, (double)p[1].shed);
	f[k++] = between("wrongly_rejected", -1, (double)p[0].wrong, (double)p[1].wrong);
	f[k++] = between("failures_avoided", -1, (double)p[0].avoided, (double)p[1].avoided);
	f[k++] = between("seconds_avoided", -1, (double)p[0].avoided_us / 1e6, (double)p[1].avoided_us / 1e6);
	f[k++] = between("unknown", -1, (double)p[0].unknowns, (double)p[1].unknowns);
	return (int)k;
}
