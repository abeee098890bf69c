/* SPDX-License-Identifier: Apache-2.0 */
/* oracle.c - see oracle.h.  The man page's section ALGEBRA, and nothing else. */
#include "oracle.h"

#include <string.h>

/* What a term stands around: the command when NULL. */
struct inside { const struct sim_term *e; const struct inside *next; };

unsigned sim_width(const struct sim_term *e)
{
	return e->op == SIM_FAIL ? 0 : e->op < SIM_WRAP ? 1 : e->op == SIM_WRAP ? sim_width(e->a) * sim_width(e->b)
	       : sim_width(e->a) + sim_width(e->b);
}

static unsigned width(const struct inside *in)
{
	return in ? sim_width(in->e) * width(in->next) : 1;
}

/* 0 ran, 1 could not be run, 2 was not admitted: the least speaks, from the left. */
static int rank(int ws)
{
	return ws == NL_EXIT(75) ? 2 : ws >= NL_EXIT(125) && ws <= NL_EXIT(127) ? 1 : 0;
}

static struct sim_end_of mean(struct sim_oracle *o, const struct sim_term *e, const struct inside *in, unsigned leaf, nl_time now, nl_time limit);

static struct sim_end_of around(struct sim_oracle *o, const struct inside *in, unsigned leaf, nl_time now, nl_time limit)
{
	if (in)
		return mean(o, in->e, in->next, leaf, now, limit);
	struct sim_cmd c = o->script(o->plan, leaf, o->ran[leaf]++);
	size_t n = strlen(c.says);
	o->runs++;
	if (o->outs + n <= sizeof o->out)
		memcpy(o->out + o->outs, c.says, n), o->outs += n;
	if (c.dur > limit - now)
		return (struct sim_end_of){ 15, limit, true };
	return (struct sim_end_of){ c.ws, now + c.dur, false };
}

static struct sim_end_of mean(struct sim_oracle *o, const struct sim_term *e, const struct inside *in, unsigned leaf, nl_time now, nl_time limit)
{
	unsigned right = leaf + (e->op > SIM_WRAP ? sim_width(e->a) * width(in) : 0);
	size_t mark = o->outs;
	struct sim_end_of a, b;
	switch (e->op) {
	case SIM_PASS:
		return around(o, in, leaf, now, limit);
	case SIM_FAIL:
		return (struct sim_end_of){ NL_EXIT(75), now, false };
	case SIM_WRAP:
		return mean(o, e->a, &(struct inside){ e->b, in }, leaf, now, limit);
	case SIM_TIMEOUT:
		a = around(o, in, leaf, now, now + e->t < limit ? now + e->t : limit);
		return a.cut && now + e->t < limit ? (struct sim_end_of){ NL_EXIT(124), a.at, false } : a;
	case SIM_RETRY:
		for (unsigned k = 1;; k++, now = a.at + e->t) {
			a = around(o, in, leaf, now, limit);
			if (a.ws && e->hold)
				o->outs = mark;
			if (a.ws == 0 || a.cut || rank(a.ws) || a.ws == 13 || k == e->n || a.at + e->t >= limit)
				return a;
		}
	case SIM_ELSE:
		a = mean(o, e->a, in, leaf, now, limit);
		if (a.ws == 0)
			return a;
		o->outs = mark;
		if (a.cut || a.ws == NL_EXIT(125) || a.ws == 13)
			return a;
		b = mean(o, e->b, in, right, a.at, limit);
		if (b.ws == 0)
			return b;
		o->outs = mark;
		return b.cut || b.ws == NL_EXIT(125) || b.ws == 13 || rank(b.ws) < rank(a.ws) ? b : (struct sim_end_of){ a.ws, b.at, false };
	case SIM_RACE:
		a = mean(o, e->a, in, leaf, now, limit);
		size_t end = o->outs;
		b = mean(o, e->b, in, right, now, limit);
		if (a.ws == 0 && (b.ws || a.at <= b.at))
			return o->outs = end, a;
		if (b.ws == 0)
			return memmove(o->out + mark, o->out + end, o->outs - end), o->outs -= end - mark, b;
		o->outs = mark;
		now = a.at > b.at ? a.at : b.at;
		return (struct sim_end_of){ rank(b.ws) < rank(a.ws) ? b.ws : a.ws, now, a.cut || b.cut };
	}
	return (struct sim_end_of){ -1, now, false };
}

struct sim_end_of sim_mean(struct sim_oracle *o, const struct sim_term *e)
{
	return mean(o, e, NULL, 0, 0, NL_NEVER);
}
