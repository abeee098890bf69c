/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.c - what the man pages say about a stack, as a program that shares
 * nothing with lib/.  Of limits that pass at the same moment the outermost is
 * taken, an idle one last; what ends at the moment of its limit has ended.
 */
#include "sim.h"

#include <math.h>

enum { RAN = -1, OUTSIDE = -2 };        /* who ended a call, beside the layers */

struct end { int ws, by; };
struct limit { nl_time at; int by, sig; };
struct env { struct limit hard; nl_time idle_since[SIM_DEPTH]; };       /* idle_since -1: no such layer */
struct model { const struct sim_plan *p; nl_time now, spoke, stopped_at; bool told; struct sim_result r; unsigned draws; };

static nl_time later(nl_time t, nl_time span)
{
	return span == NL_NEVER ? NL_NEVER : t + span;
}

/* The limit that passes first if from now on a byte is written each beat. */
static struct limit first(const struct model *m, const struct env *e, nl_time beat)
{
	struct limit l = e->hard;
	for (int i = (int)m->p->depth - 1; i >= 0; i--) {
		const struct sim_layer *y = &m->p->layer[i];
		if (e->idle_since[i] < 0)
			continue;
		nl_time at = (m->spoke > e->idle_since[i] ? m->spoke : e->idle_since[i]) + y->idle;
		if (beat && at > m->now + beat)
			at = y->idle <= beat ? m->now + beat + y->idle : NL_NEVER;
		if (at < l.at)
			l = (struct limit){ at, i, y->sig ? y->sig : 15 };
	}
	return l;
}

/* How long whoever stops waits: the shortest of all layers'. */
static nl_time grace(const struct model *m)
{
	nl_time most = NL_NEVER;
	for (unsigned i = 0; i < m->p->depth; i++) {
		nl_time mine = m->p->layer[i].grace < 0 ? 5 * NL_SEC : m->p->layer[i].grace;
		most = mine < most ? mine : most;
	}
	return most;
}

static struct end command(struct model *m, const struct env *e)
{
	if (m->told)
		return (struct end){ m->p->stop_sig, OUTSIDE };
	struct sim_cmd c = sim_cmd(m->p, m->r.runs++);
	struct limit l = first(m, e, c.beat);
	nl_time began = m->now, ends = began + c.dur;
	struct end o = { c.ws, RAN };
	m->stopped_at = -1;
	if (c.way == SIM_MISSING)
		return o;
	l.at = l.at < began ? began : l.at;
	if (m->p->stop_at <= ends && m->p->stop_at <= l.at)
		l = (struct limit){ m->p->stop_at, OUTSIDE, m->p->stop_sig };
	else if (ends <= l.at)
		l.at = NL_NEVER;
	m->now = ends;
	if (l.at != NL_NEVER) {         // It is stopped.
		nl_time dies = later(l.at, grace(m));
		int ws = 9;
		if (l.sig == 9 || c.way == SIM_OBEYS)
			dies = l.at, ws = l.sig;
		else if (c.way == SIM_HANDLES && l.at + c.late <= dies)
			dies = l.at + c.late, ws = c.late_ws;
		if (dies < ends)
			m->now = dies, o.ws = ws;
		o.by = l.by;
		m->stopped_at = m->now;
		m->told |= m->p->stop_at <= m->now;
	}
	if (c.beat && m->now > began + c.beat)
		m->spoke = began + (m->now - began - 1) / c.beat * c.beat;
	return o;
}

/* RAN, or who cut it. */
static int wait_until(struct model *m, const struct env *e, nl_time until)
{
	struct limit l = first(m, e, 0);
	m->r.sleeps++;
	m->told = m->p->stop_at <= until && m->p->stop_at <= l.at;
	if (m->told || l.at >= until)
		m->now = m->told ? m->p->stop_at : until;
	else if (l.at > m->now)
		m->now = l.at;
	return m->told ? OUTSIDE : l.at < until ? l.by : RAN;
}

static bool in_set(int row, struct end o, const struct model *m)
{
	int sig = o.ws & 127, code = sig ? 128 + sig : o.ws >> 8;
	bool late = o.by >= 0 || (o.by == OUTSIDE && m->p->stop_at >= m->p->horizon), is[] = {
#define VALUE(text, expression) expression,
		SIM_SETS(VALUE)
	};
	return is[row];
}

static bool fails(struct end o)
{
	int code = o.ws & 127 ? 128 + (o.ws & 127) : o.ws >> 8;
	return code && code != 75 && !(code >= 125 && code <= 127) && (o.ws & 127) != 13;
}

static nl_time delay(struct model *m, const struct sim_layer *y, unsigned n, nl_time *prev, double *f)
{
	static const nl_time none = 60 * NL_SEC;
	nl_time base = y->backoff.base, cap = y->backoff.cap ? y->backoff.cap : base > none ? base : none;
	double b = (double)base, u = sim_unit(m->p, m->draws++), d = b, fib[2] = { 0, b }, t, x, last = *prev ? (double)*prev : b;
	switch (y->backoff.kind) {
	case NL_CONSTANT: break;
	case NL_LINEAR: d = b * n; break;
	case NL_EXPONENTIAL: d = ldexp(b, (int)n - 1); break;
	case NL_FIBONACCI:
		for (unsigned i = 1; i < n; i++)
			d = fib[0] + fib[1], fib[0] = fib[1], fib[1] = d;
	}
	double most = fmin(d, (double)cap);
	switch (y->jitter) {
	case NL_JITTER_NONE: d = most; break;
	case NL_JITTER_FULL: d = u * most; break;
	case NL_JITTER_EQUAL: d = (0.5 + u / 2) * most; break;
	case NL_JITTER_DECORRELATED: d = b + u * (3 * last - b); break;
	case NL_JITTER_FINAGLE: d = last + u * (3 * last - last); break;
	case NL_JITTER_POLLY:
		t = n - 1 + u, x = exp2(t) * tanh(sqrt(4 * t));
		d = y->backoff.kind == NL_EXPONENTIAL ? (n == 1 ? x : x - *f) / 1.4 * b : d * (0.75 + u / 2), *f = x;
	}
	return *prev = (nl_time)fmin(d, (double)cap);
}

static struct end call(struct model *, unsigned i, struct env);

static struct end retry(struct model *m, unsigned i, struct env e)
{
	const struct sim_layer *y = &m->p->layer[i];
	struct limit total = { later(m->now, y->total ? y->total : NL_NEVER), (int)i, y->sig ? y->sig : 15 };
	nl_time prev = 0;
	double f = 0;
	if (total.at < e.hard.at)
		e.hard = total;
	for (unsigned k = 1;; k++) {
		struct env a = e;
		nl_time began = m->now;
		if (y->per_attempt && began + y->per_attempt < a.hard.at)
			a.hard = (struct limit){ began + y->per_attempt, (int)i, total.sig };
		struct end o = call(m, i + 1, a);
		if (o.by == RAN && a.hard.by == (int)i && a.hard.at <= m->stopped_at)
			o.by = (int)i;          // It passed while an inner limit was still stopping.
		bool spent = o.by == (int)i && a.hard.at == e.hard.at;
		if (o.by == (int)i)
			o = (struct end){ NL_EXIT(124), RAN };
		if (y->ok >= 0 ? in_set(y->ok, o, m) : o.ws == 0)
			return o;
		if ((y->except >= 0 && in_set(y->except, o, m)) || !(y->on >= 0 ? in_set(y->on, o, m) : fails(o)))
			return o;
		if (y->reset_after && m->now - began >= y->reset_after)
			k = 0, prev = 0;
		if ((y->n && k >= y->n) || spent)
			return o;
		if (o.by != RAN)        // Work is left, and somebody outside forbids it.
			return (struct end){ m->told ? m->p->stop_sig : first(m, &e, 0).sig, o.by };
		nl_time until = m->now + delay(m, y, k ? k : 1, &prev, &f);
		if (until >= e.hard.at || until >= m->p->horizon)
			return o;
		o.by = m->told ? OUTSIDE : wait_until(m, &e, until);
		if (o.by != RAN)
			return (struct end){ m->told ? m->p->stop_sig : first(m, &e, 0).sig, o.by };
	}
}

static struct end timeout(struct model *m, unsigned i, struct env e)
{
	const struct sim_layer *y = &m->p->layer[i];
	struct limit mine = { later(m->now, y->limit), (int)i, y->sig ? y->sig : 15 };
	if (mine.at < e.hard.at)
		e.hard = mine;
	if (y->idle)
		e.idle_since[i] = m->now;
	struct end o = call(m, i + 1, e);
	if (o.by == (int)i || (o.by == RAN && mine.at <= m->stopped_at))
		o = (struct end){ y->preserve ? o.ws : NL_EXIT(124), RAN };
	return o;
}

static struct end call(struct model *m, unsigned i, struct env e)
{
	if (i == m->p->depth)
		return command(m, &e);
	const struct sim_layer *y = &m->p->layer[i];
	m->r.calls++;
	return y->retry ? retry(m, i, e) : timeout(m, i, e);
}

struct sim_result sim_model(const struct sim_plan *p)
{
	struct model m = { .p = p, .spoke = -1, .stopped_at = -1 };
	struct env e = { .hard = { .at = NL_NEVER } };
	for (unsigned i = 0; i < SIM_DEPTH; i++)
		e.idle_since[i] = -1;
	m.r.ws = call(&m, 0, e).ws;
	m.r.at = m.now;
	return m.r;
}
