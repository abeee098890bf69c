/* SPDX-License-Identifier: Apache-2.0 */
/* oracle.c - see oracle.h.  The section ALGEBRA of ninelives(7), and nothing else. */
#include "oracle.h"

#include <string.h>

struct inside { const struct sim_term *e; const struct inside *next; };  /* what a term stands around; NULL: the command */

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

static struct sim_fate mean(struct sim_oracle *o, const struct sim_term *e, const struct inside *in, unsigned leaf, nl_time now, nl_time limit);

static struct sim_fate around(struct sim_oracle *o, const struct inside *in, unsigned leaf, nl_time now, nl_time limit)
{
	if (in)
		return mean(o, in->e, in->next, leaf, now, limit);
	struct sim_cmd c = o->script(o->plan, leaf, o->ran[leaf]++);
	for (const char *s = c.says; *s && o->outs < sizeof o->out; s++)
		o->out[o->outs++] = *s;
	o->runs++;
	return c.dur > limit - now ? (struct sim_fate){ 15, limit, true } : (struct sim_fate){ c.ws, now + c.dur, false };
}

static struct sim_fate mean(struct sim_oracle *o, const struct sim_term *e, const struct inside *in, unsigned leaf, nl_time now, nl_time limit)
{
	unsigned right = leaf + (e->op > SIM_WRAP ? sim_width(e->a) * width(in) : 0);
	nl_time mine = e->op == SIM_TIMEOUT && now + e->t < limit ? now + e->t : limit;
	size_t mark = o->outs;
	if (e->op == SIM_FAIL)
		return (struct sim_fate){ NL_EXIT(75), now, false };
	if (e->op == SIM_WRAP)
		return mean(o, e->a, &(struct inside){ e->b, in }, leaf, now, limit);
	if (e->op == SIM_RACE)
		o->races++, o->arm = 1;
	struct sim_fate a = e->op < SIM_WRAP ? around(o, in, leaf, now, mine) : mean(o, e->a, in, leaf, now, limit), b;
	if (e->op == SIM_TIMEOUT && a.cut && mine < limit)
		return (struct sim_fate){ NL_EXIT(124), a.at, false };
	for (unsigned k = 1; e->op == SIM_RETRY && a.ws; k++, a = around(o, in, leaf, a.at + e->t, limit)) {
		o->outs = e->hold ? mark : o->outs;
		if (a.cut || rank(a.ws) || a.ws == 13 || k == e->n || a.at + e->t >= limit)
			return a;
	}
	if (e->op == SIM_ELSE && a.ws) {
		o->outs = mark;
		if (a.cut || a.ws == NL_EXIT(125) || a.ws == 13 || a.at >= limit)
			return a;
		b = mean(o, e->b, in, right, a.at, limit);
		o->outs = b.ws ? mark : o->outs;
		return !b.ws || b.cut || b.ws == NL_EXIT(125) || b.ws == 13 || rank(b.ws) < rank(a.ws) ? b : (struct sim_fate){ a.ws, b.at, false };
	}
	if (e->op != SIM_RACE)
		return a;
	size_t half = o->outs;
	o->arm = 2;
	b = mean(o, e->b, in, right, now, limit);
	o->arm = 0;
	bool left = a.ws == 0 && (b.ws || a.at <= b.at);
	memmove(o->out + mark, o->out + (left ? mark : half), left ? half - mark : o->outs - half);
	o->outs = left ? half : b.ws == 0 ? mark + o->outs - half : mark;
	if (!left && b.ws)
		return (struct sim_fate){ rank(b.ws) < rank(a.ws) ? b.ws : a.ws, a.at > b.at ? a.at : b.at, a.cut || b.cut };
	struct sim_fate won = left ? a : b, lost = left ? b : a;
	if (won.at < limit || (!lost.cut && lost.at <= limit))
		return won;
	o->tie = true;                          // A loser that is stopped when a limit passes: so is the race.
	return (struct sim_fate){ 15, limit, true };
}

struct sim_fate sim_mean(struct sim_oracle *o, const struct sim_term *e)
{
	return mean(o, e, NULL, 0, 0, NL_NEVER);
}
