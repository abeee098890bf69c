/* SPDX-License-Identifier: Apache-2.0 */
/* grove.c - random terms, and their text.  Times are from a coarse grid, so that
 * moments coincide more often than they would in life. */
#include "oracle.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned pick(uint64_t *s, unsigned n)
{
	return (unsigned)(nl_random(s) >> 33) % n;
}

const struct sim_term *sim_term(struct sim_grove *g, struct sim_term t)
{
	if (g->n == sizeof g->term / sizeof *g->term)
		abort();
	g->term[g->n] = t;
	return &g->term[g->n++];
}

static const struct sim_term *atom(struct sim_grove *g)
{
	unsigned of = pick(&g->rnd, 100);
	if (of < 8)
		return sim_term(g, (struct sim_term){ .op = SIM_PASS });
	if (of < 16)
		return sim_term(g, (struct sim_term){ .op = SIM_FAIL });
	if (of < 55 || g->retries == 0)
		return sim_term(g, (struct sim_term){ .op = SIM_TIMEOUT, .t = (1 + pick(&g->rnd, 9)) * g->unit });
	g->retries--;
	return sim_term(g, (struct sim_term){ .op = SIM_RETRY, .n = 1 + pick(&g->rnd, 3), .t = pick(&g->rnd, 3) * g->unit / 2,
	                                      .hold = g->hold || pick(&g->rnd, 2) });
}

const struct sim_term *sim_grow(struct sim_grove *g, unsigned leaves)
{
	if (leaves == 1)
		return atom(g);
	unsigned left = 1 + pick(&g->rnd, leaves - 1), op = pick(&g->rnd, 4);
	const struct sim_term *a = sim_grow(g, left), *b = sim_grow(g, leaves - left);
	return sim_term(g, (struct sim_term){ .op = op < 2 ? SIM_WRAP : op == 2 ? SIM_ELSE : SIM_RACE, .a = a, .b = b });
}

/* A text in the making. */
struct text { char *buf; size_t n, size; uint64_t *rnd; };

__attribute__((format(printf, 2, 3)))
static void add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(t->buf + t->n, t->size - t->n, fmt, ap);
	va_end(ap);
	t->n += (size_t)n;
	if (t->n >= t->size)
		abort();
}

static void span(struct text *t, nl_time ns)
{
	if (ns % NL_MS == 0)
		add(t, "%lldms", (long long)(ns / NL_MS));
	else
		add(t, "%lldus", (long long)(ns / NL_US));
}

static void space(struct text *t)
{
	add(t, "%s", pick(t->rnd, 4) ? " " : "");
}

static void write_term(struct text *t, const struct sim_term *e, int around)
{
	/* & binds tighter than +, and + tighter than |. */
	static const int binds[] = { [SIM_ELSE] = 1, [SIM_WRAP] = 2, [SIM_RACE] = 3 };
	bool atom = e->op < SIM_WRAP;
	bool paren = (!atom && binds[e->op] < around) || pick(t->rnd, 20) == 0;
	if (paren)
		add(t, "("), space(t);
	switch (e->op) {
	case SIM_PASS:
		add(t, "pass");
		break;
	case SIM_FAIL:
		add(t, "fail");
		break;
	case SIM_TIMEOUT:
		add(t, "timeout(");
		span(t, e->t);
		add(t, ")");
		break;
	case SIM_RETRY:
		add(t, pick(t->rnd, 2) ? "retry(%u, " : "retry(attempts=%u,", e->n);
		add(t, "jitter=none, backoff=constant:");
		span(t, e->t);
		add(t, "%s)", e->hold ? ", hold" : "");
		break;
	default:
		write_term(t, e->a, binds[e->op]);
		space(t);
		add(t, "%s", e->op == SIM_ELSE ? "|" : e->op == SIM_WRAP ? "+" : "&");
		space(t);
		write_term(t, e->b, binds[e->op] + 1);          // To the left it needs none.
	}
	if (paren)
		space(t), add(t, ")");
}

size_t sim_write(const struct sim_term *e, uint64_t *rnd, char *buf, size_t size)
{
	struct text t = { .buf = buf, .size = size, .rnd = rnd };
	write_term(&t, e, 0);
	return t.n;
}
