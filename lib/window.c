/* SPDX-License-Identifier: Apache-2.0 */
/*
 * window.c - counts of the last calls, or of the last buckets of time.
 *
 * Totals are kept, never summed again: adding is O(1), leaving is O(what
 * leaves).  All counts stop at their ends instead of wrapping round.
 */
#include "window.h"

#include <string.h>

enum { FAILED = 1, SLOW = 2, KIND = 2 };        /* of a cell; the kind is above */

uint32_t nl_window_cells(const struct nl_circuit *c)
{
	if (c->half_window)
		return c->half_window;
	return c->cfg.shape.kind == NL_WINDOW_COUNT ? c->cfg.shape.n : 0;
}

bool nl_window_is_timed(const struct nl_circuit *c)
{
	return !c->half_window && c->cfg.shape.kind == NL_WINDOW_TIME;
}

void nl_window_clear(struct nl_circuit *c, uint32_t half)
{
	memset(&c->n, 0, sizeof c->n);
	memset(c->errs, 0, sizeof c->errs);
	memset(&c->w, 0, sizeof c->w);
	c->half_window = half;
	c->head = 0;
	c->bucket = 0;
}

static void add_tally(struct nl_tally *n, struct nl_ended e)
{
	n->calls = nl_more(n->calls);
	if (e.failed)
		n->fails = nl_more(n->fails);
	else
		n->oks = nl_more(n->oks);
	if (e.slow)
		n->slows = nl_more(n->slows);
}

static void drop_tally(struct nl_tally *n, const struct nl_tally *old)
{
	n->calls = nl_less(n->calls, old->calls);
	n->fails = nl_less(n->fails, old->fails);
	n->slows = nl_less(n->slows, old->slows);
	n->oks = nl_less(n->oks, old->oks);
	n->excluded = nl_less(n->excluded, old->excluded);
}

unsigned nl_window_kind(struct nl_circuit *c, int ws)
{
	unsigned last = NL_CIRCUIT_ERRS - 1, kind = last;
	for (unsigned i = last; i-- > 0;)
		if (!c->errs[i].count || c->errs[i].ws == ws) {
			kind = i;
			if (c->errs[i].count)
				break;
		}
	c->errs[kind].ws = kind == last ? -1 : ws;
	c->errs[kind].count = nl_more(c->errs[kind].count);
	return kind;
}

static void add_cell(struct nl_circuit *c, struct nl_ended e, uint32_t cells)
{
	uint8_t *cell = &c->w.cell[c->head];
	if (c->n.calls >= cells) {
		unsigned kind = *cell >> KIND & (NL_CIRCUIT_ERRS - 1);
		struct nl_tally old = { 1, *cell & FAILED, (*cell & SLOW) / SLOW, !(*cell & FAILED), 0 };
		drop_tally(&c->n, &old);
		c->errs[kind].count = nl_less(c->errs[kind].count, old.fails);
	}
	*cell = (uint8_t)((e.failed ? FAILED | e.kind << KIND : 0) | (e.slow ? SLOW : 0));
	c->head = (c->head + 1) % cells;
	add_tally(&c->n, e);
}

void nl_window_add(struct nl_circuit *c, struct nl_ended e)
{
	uint32_t cells = nl_window_cells(c);
	if (cells) {
		add_cell(c, e, cells);
	} else if (nl_window_is_timed(c)) {
		struct nl_bucket *b = &c->w.buckets[c->bucket % c->cfg.shape.n];
		add_tally(&b->n, e);
		if (e.failed && b->errs[e.kind] < UINT16_MAX)
			b->errs[e.kind]++;
		add_tally(&c->n, e);
	}
}

int64_t nl_window_bucket(const struct nl_circuit *c, nl_time age)
{
	return age > 0 ? age / c->cfg.shape.width_ns : 0;
}

struct nl_bucket *nl_window_at(struct nl_circuit *c, int64_t number)
{
	if (number < 0 || number > c->bucket || c->bucket - number >= c->cfg.shape.n)
		return NULL;
	return &c->w.buckets[number % c->cfg.shape.n];
}

/* A streak that fills the whole window gets shorter with it (gobreaker). */
static uint32_t shortened(const struct nl_circuit *c, uint32_t streak, const struct nl_bucket *old, bool ok)
{
	uint32_t leaves = ok ? old->streak_ok : old->streak_fail, all = ok ? c->n.oks : c->n.fails;
	uint32_t inside = nl_less(all, ok ? old->n.oks : old->n.fails);
	return streak == inside + leaves ? nl_less(streak, leaves) : streak;
}

void nl_window_roll(struct nl_circuit *c, int64_t number)
{
	uint32_t n = c->cfg.shape.n;
	if (number <= c->bucket)                // A reader of the clock that came late: its call is in the newest.
		return;
	if (number - c->bucket >= n) {
		nl_window_clear(c, 0);
		c->streak_ok = c->cfg.semantics == NL_SEM_GOBREAKER ? 0 : c->streak_ok;
		c->streak_fail = c->cfg.semantics == NL_SEM_GOBREAKER ? 0 : c->streak_fail;
		c->bucket = number;
		return;
	}
	while (c->bucket < number) {
		struct nl_bucket *old = &c->w.buckets[++c->bucket % n];
		if (c->cfg.semantics == NL_SEM_GOBREAKER) {
			c->streak_ok = shortened(c, c->streak_ok, old, true);
			c->streak_fail = shortened(c, c->streak_fail, old, false);
		}
		drop_tally(&c->n, &old->n);
		for (unsigned i = 0; i < NL_CIRCUIT_ERRS; i++)
			c->errs[i].count = nl_less(c->errs[i].count, old->errs[i]);
		memset(old, 0, sizeof *old);
	}
}

static bool same(const struct nl_tally *a, const struct nl_tally *b)
{
	return a->calls == b->calls && a->fails == b->fails && a->slows == b->slows && a->oks == b->oks && a->excluded == b->excluded;
}

bool nl_window_is_sane(const struct nl_circuit *c)
{
	const struct nl_shape *s = &c->cfg.shape;
	struct nl_tally sum = { 0 };
	uint32_t cells = nl_window_cells(c);
	if (s->kind > NL_WINDOW_TIME || (s->kind == NL_WINDOW_COUNT && (s->n < 1 || s->n > NL_WINDOW_CALLS)) ||
	    (s->kind == NL_WINDOW_TIME && (s->n < 1 || s->n > NL_WINDOW_BUCKETS || s->width_ns < 1)))
		return false;
	if (c->half_window > NL_WINDOW_CALLS || c->bucket < 0 || (cells && (c->head >= cells || c->n.calls > cells)))
		return false;
	if (cells) {                            // Those in use are the first n.calls: it fills from 0, and then stays full.
		unsigned all = 0;
		for (uint32_t i = 0; i < c->n.calls; i++) {
			uint8_t cell = c->w.cell[i];
			sum.fails += cell & FAILED;
			sum.slows += (cell & SLOW) / SLOW;
			all |= cell;
		}
		sum.calls = c->n.calls, sum.oks = c->n.calls - sum.fails;
		return all >> KIND < NL_CIRCUIT_ERRS && same(&sum, &c->n) && (c->n.calls == cells || c->head == c->n.calls);
	}
	if (s->kind == NL_WINDOW_TIME) {
		for (uint32_t i = 0; i < s->n; i++) {
			const struct nl_tally *b = &c->w.buckets[i].n;
			uint32_t *to[] = { &sum.calls, &sum.fails, &sum.slows, &sum.oks, &sum.excluded };
			const uint32_t from[] = { b->calls, b->fails, b->slows, b->oks, b->excluded };
			for (unsigned k = 0; k < 5; k++)
				*to[k] = from[k] > UINT32_MAX - *to[k] ? UINT32_MAX : *to[k] + from[k];
		}
		return same(&sum, &c->n);
	}
	return true;
}
