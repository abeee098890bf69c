/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - linearizability, after Wing and Gong, with Lowe's improvement: the
 * history is walked in the order of time, with all configurations that it
 * allows so far.  An operation takes effect somewhere between its call and its
 * return; it is given effect only when somebody's return demands it.
 *
 * Time is real here: whether an open breaker is due for a probe is known only as
 * well as the clocks of two calls tell it, and both answers stand in between.
 */
#include "lin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CONFIGS (1u << 20)

enum state { CLOSED, OPEN, HALF, FORCED };
enum stage { IDLE, CALLED, HALFWAY, DONE, DEAD };       /* HALFWAY: a result that counts, its probe not yet given back */

/* What the world may be.  Fresh: permits of this epoch.  Leases: probes held. */
struct config {
	uint8_t state, bad, good, fresh, leases;
	uint8_t stage[LIN_PROCS];
	uint8_t zero[3];
	uint32_t opener;                /* the operation that opened it; 0 none, else its number plus 1 */
	uint32_t zero2;
};
_Static_assert(sizeof(struct config) == 24, "compared and hashed as bytes");

struct event { int64_t at; uint32_t op; uint8_t kind; };
enum { CALL, KILL, RETURN, GONE };      /* at the same time: calls first, so that they overlap */

static const struct lin_op *ops;
static uint32_t current[LIN_PROCS];     /* the operation of each, plus 1 */
static bool dying[LIN_PROCS];
uint64_t lin_seen;

/* A set of configurations in the order they came. */
struct set { struct config *all; uint32_t n, *slot; };
static struct set sets[3];

static uint32_t place(const struct set *s, const struct config *c)
{
	uint64_t w[3], h = 0;
	memcpy(w, c, sizeof w);
	for (int i = 0; i < 3; i++) {
		h = (h ^ w[i]) * UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 32;
	}
	uint32_t i = (uint32_t)h & (2 * MAX_CONFIGS - 1);
	while (s->slot[i] && memcmp(&s->all[s->slot[i] - 1], c, sizeof *c))
		i = (i + 1) & (2 * MAX_CONFIGS - 1);
	return i;
}

static void add(struct set *s, const struct config *c)
{
	uint32_t i = place(s, c);
	if (s->slot[i])
		return;
	if (s->n == MAX_CONFIGS) {
		fputs("lin: too many configurations\n", stderr);
		exit(2);
	}
	s->all[s->n++] = *c;
	s->slot[i] = s->n;
	lin_seen++;
}

static void empty(struct set *s)
{
	while (s->n) {                  /* Backwards: what is looked for is still where it was put. */
		uint32_t i = place(s, &s->all[s->n - 1]);
		s->slot[i] = 0;
		s->n--;
	}
}

static unsigned count(uint8_t bits)
{
	return (unsigned)__builtin_popcount(bits);
}

static void move(struct config *c, enum state to)
{
	c->state = to;
	c->bad = c->good = c->fresh = 0;
	c->opener = 0;
}

static void judge_result(struct config *c, unsigned p, uint32_t op)
{
	uint8_t ret = ops[op].ret, bit = (uint8_t)(1u << p);
	bool mine = c->fresh & bit;
	c->fresh &= (uint8_t)~bit;
	if (!mine || ret == LIN_NOTHING || c->state == FORCED)
		return;
	if (ret == LIN_GOOD) {
		c->bad = 0;
		if (c->state == HALF && ++c->good >= LIN_CLOSE_AFTER)
			move(c, CLOSED);
	} else if (c->state == HALF || ++c->bad >= LIN_FAILURES) {
		move(c, OPEN);
		c->opener = op + 1;
	}
}

/* The answers to an acquire: one or two, each with what it makes of c. */
static unsigned answers(const struct config *c, unsigned p, uint32_t op, struct config out[2], uint8_t ret[2])
{
	unsigned n = 0;
	bool full = count(c->leases) >= LIN_PROBES, due = c->state == HALF, early = c->state == FORCED;
	uint8_t bit = (uint8_t)(1u << p);
	if (c->state == CLOSED) {
		out[0] = *c, ret[0] = LIN_YES;
		out[0].fresh |= bit;
		return 1;
	}
	if (c->state == OPEN) {
		const struct lin_op *by = &ops[c->opener - 1];
		due = !ops[op].t1 || ops[op].t1 >= by->t0 + LIN_OPEN_NS;
		early = !by->t1 || ops[op].t0 < by->t1 + LIN_OPEN_NS;
	}
	if (due && !full) {
		out[n] = *c;
		if (c->state == OPEN)
			move(&out[n], HALF);
		out[n].fresh |= bit, out[n].leases |= bit;
		ret[n++] = LIN_YES;
	}
	if (early || (due && full))
		out[n] = *c, ret[n++] = LIN_NO;
	return n;
}

/* All that c can become by the next step of p, into s. */
static void step(struct set *s, const struct config *c, unsigned p)
{
	struct config next = *c, out[2];
	uint8_t ret[2], bit = (uint8_t)(1u << p);
	uint32_t op = current[p] - 1;
	if (dying[p] && c->stage[p] != DEAD) {
		next.stage[p] = DEAD;
		next.leases &= (uint8_t)~bit, next.fresh &= (uint8_t)~bit;
		add(s, &next);
		next = *c;
	}
	if (c->stage[p] == HALFWAY) {
		next.leases &= (uint8_t)~bit;
		next.stage[p] = DONE;
		add(s, &next);
	}
	if (c->stage[p] != CALLED)
		return;
	switch ((enum lin_what)ops[op].what) {
	case LIN_ACQUIRE:
		for (unsigned i = 0, n = answers(c, p, op, out, ret); i < n; i++)
			if (!ops[op].ret || ops[op].ret == ret[i]) {
				out[i].stage[p] = DONE;
				add(s, &out[i]);
			}
		return;
	case LIN_RESULT:
		judge_result(&next, p, op);
		next.stage[p] = c->leases & bit ? HALFWAY : DONE;
		break;
	case LIN_RESET:
		move(&next, CLOSED);
		next.stage[p] = DONE;
		break;
	case LIN_FORCE_OPEN:
		move(&next, FORCED);
		next.stage[p] = DONE;
		break;
	case LIN_KILL:
		return;
	}
	add(s, &next);
}

/* Those in which p is as far as `want`, with as little else done as that needs; p is idle then. */
static void demand(struct set *from, struct set *work, struct set *to, unsigned p, enum stage want)
{
	for (uint32_t i = 0; i < from->n; i++)
		add(work, &from->all[i]);
	for (uint32_t i = 0; i < work->n; i++) {
		struct config c = work->all[i];
		if (c.stage[p] == want) {
			c.stage[p] = IDLE;
			add(to, &c);
			continue;
		}
		for (unsigned q = 0; q < LIN_PROCS; q++)
			step(work, &c, q);
	}
	empty(work);
	empty(from);
}

static int by_time(const void *a, const void *b)
{
	const struct event *x = a, *y = b;
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->op < y->op ? -1 : x->op > y->op;
}

static struct event *events_of(uint32_t n, uint32_t *count_out)
{
	struct event *e = malloc(2 * (size_t)n * sizeof *e);
	uint32_t k = 0;
	for (uint32_t i = 0; e && i < n; i++) {
		bool kill = ops[i].what == LIN_KILL;
		e[k++] = (struct event){ ops[i].t0, i, kill ? KILL : CALL };
		if (ops[i].t1)
			e[k++] = (struct event){ ops[i].t1, i, kill ? GONE : RETURN };
	}
	if (e)
		qsort(e, k, sizeof *e, by_time);
	*count_out = k;
	return e;
}

int lin_check(const struct lin_op *history, uint32_t n, uint32_t *bad)
{
	struct config first = { .state = CLOSED };
	struct set *now = &sets[0], *then = &sets[1];
	uint32_t k = 0;
	ops = history;
	lin_seen = 0;
	for (int i = 0; i < 3; i++) {
		if (!sets[i].all) {
			sets[i].all = malloc(MAX_CONFIGS * sizeof *sets[i].all);
			sets[i].slot = calloc(2 * MAX_CONFIGS, sizeof *sets[i].slot);
		}
		if (!sets[i].all || !sets[i].slot)
			exit(2);
		empty(&sets[i]);
	}
	struct event *e = events_of(n, &k);
	if (!e)
		exit(2);
	memset(current, 0, sizeof current);
	memset(dying, 0, sizeof dying);
	add(now, &first);
	for (uint32_t i = 0; i < k && now->n; i++) {
		unsigned p = ops[e[i].op].proc;
		*bad = e[i].op;
		if (e[i].kind == KILL) {
			dying[p] = true;
		} else if (e[i].kind == CALL) {
			current[p] = e[i].op + 1;
			for (uint32_t c = 0; c < now->n; c++) {         /* The same for all: they stay different. */
				struct config with = now->all[c];
				with.stage[p] = CALLED;
				add(then, &with);
			}
			empty(now);
		} else {
			demand(now, &sets[2], then, p, e[i].kind == GONE ? DEAD : DONE);
			dying[p] = dying[p] && e[i].kind != GONE;
		}
		if (e[i].kind != KILL) {
			struct set *t = now;
			now = then, then = t;
		}
	}
	free(e);
	return now->n ? 0 : -1;
}
