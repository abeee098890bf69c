/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heat.c - see heat.h.
 */
#include "heat.h"

#include "mut.h"
#include "parse.h"

struct count { unsigned waiting, running, good, failed, first; };       /* first: of those that wait */

static struct count count(const struct nl_heat *h)
{
	struct count c = { .first = h->n };
	for (unsigned i = h->n; i-- > 0; ) {
		const struct nl_arm *a = &h->arm[i];
		if (a->state == NL_ARM_WAITING)
			c.waiting++, c.first = i;
		else if (a->state == NL_ARM_RUNNING)
			c.running++;
		else if (a->good)
			c.good++;
		else
			c.failed++;
	}
	return c;
}

/* Which arm's output is the answer: the first that was good or, where that
 * counts, has spoken.  Of two at the same time the left one. */
static unsigned leader(const struct nl_heat *h)
{
	unsigned best = h->n;
	nl_time best_at = NL_NEVER;
	for (unsigned i = 0; i < h->n; i++) {
		const struct nl_arm *a = &h->arm[i];
		nl_time at = a->good ? a->ended_at : NL_NEVER;
		if (h->by_output && a->spoke && a->spoke_at < at)
			at = a->spoke_at;
		if (at < best_at || (at == best_at && at != NL_NEVER && MUTANT(TIES_GO_RIGHT)))
			best = i, best_at = at;
	}
	return best;
}

/* How many of those that wait are to start. */
static unsigned due(const struct nl_heat *h, const struct count *c, nl_time now, bool *failure)
{
	unsigned failures = c->failed - h->answered;
	*failure = false;
	if (c->waiting == h->n)
		return h->delay ? h->quorum : h->n;
	if (now >= h->close_at)
		return 0;
	if (failures && !MUTANT(FAILURE_WAITS)) {
		*failure = true;
		return failures < c->waiting ? failures : c->waiting;
	}
	return c->waiting && now >= nl_after(h->started_at, h->delay);
}

struct nl_heat_step nl_heat_next(const struct nl_heat *h, nl_time now)
{
	struct count c = count(h);
	struct nl_heat_step s = { .look_at = NL_NEVER, .winner = leader(h) };
	bool closed = now >= h->close_at && c.waiting < h->n;
	s.won = h->by_output ? s.winner < h->n : c.good >= h->quorum;
	s.lost = !s.won && c.good + c.running + (closed ? 0 : c.waiting) < h->quorum;
	if (s.won || s.lost)
		return s;
	s.first = c.first;
	s.start = due(h, &c, now, &s.failure);
	if (c.waiting > s.start && !closed) {
		nl_time next = nl_after(s.start ? now : h->started_at, h->delay);
		s.look_at = next < h->close_at ? next : h->close_at;
	}
	return s;
}

void nl_heat_start(struct nl_heat *h, const struct nl_heat_step *s, nl_time now)
{
	for (unsigned i = 0; i < s->start; i++) {
		h->arm[s->first + i].state = NL_ARM_RUNNING;
		h->arm[s->first + i].began_at = now;
	}
	if (s->start)
		h->started_at = now;
	h->answered = count(h).failed;
}

unsigned nl_heat_speaker(const struct nl_heat *h, bool cut)
{
	unsigned best = h->n, least = 0;
	for (unsigned i = 0; i < h->n; i++) {
		const struct nl_arm *a = &h->arm[i];
		bool stopped = a->outcome.why == NL_DEADLINE || a->outcome.why == NL_CANCELLED;
		unsigned rank = nl_outcome_rank(a->outcome) + (cut && !stopped ? 3 : 0);
		if (a->state != NL_ARM_OVER || a->good || a->lost || (best < h->n && rank >= least))
			continue;
		best = i, least = rank;
	}
	return best;
}
