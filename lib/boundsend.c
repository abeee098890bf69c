/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boundsend.c - when a call ends at the latest.
 *
 */
#include "boundswalk.h"

#include "mut.h"
#include "opt.h"

#include <assert.h>

#define HOOK (11 * NL_SEC)              /* ten seconds, and one from TERM to KILL */

/* A limit that counts from a moment up to `from`, as one that does not. */
static struct nl_cut absolute(struct nl_walk *w, struct nl_cut deadline, nl_time from, struct nl_cut within)
{
	nl_time at = nl_bound_later(from, within.at);
	if (at < deadline.at)
		return (struct nl_cut){ at, within.kills };
	if (within.at < deadline.at && deadline.kills && !within.kills) {
		deadline.kills = false;         // It may pass just before.
		w->loose = true;
	}
	return deadline;
}

static struct nl_bound end_of_command(struct nl_walk *w, const struct nl_term *t, nl_time from, struct nl_cut deadline, struct nl_cut within)
{
	nl_time grace = MUTANT(GRACE_FORGOTTEN) ? 0 : t->grace, by_deadline = deadline.kills ? 0 : grace, by_limit = within.kills ? 0 : grace;
	nl_time at = nl_bound_later(from, within.at);
	if (at == NL_NEVER && deadline.at == NL_NEVER)
		return nl_bound_infinite(NULL);
	nl_time last = at < deadline.at ? nl_bound_later(at, by_limit) : nl_bound_later(deadline.at, by_deadline);
	if (at >= deadline.at && within.at < deadline.at && by_limit > by_deadline) {
		last = nl_bound_later(deadline.at, by_limit);        // Begun so that its own limit passes just before, if it can be.
		w->loose = true;
	}
	return last == NL_NEVER ? nl_bound_infinite(t->grace_by) : nl_bound_finite(last);
}

bool nl_walk_begins_anew(struct nl_walk *w, const struct nl_term *t, struct nl_cut within)
{
	nl_time reset = nl_term_span(t, "reset-after", 0);
	return reset && nl_walk_end(w, t->inner, 0, nl_walk_never, within).n >= reset;
}

struct nl_bound nl_walk_hooks(struct nl_walk *w, struct nl_bound b, const struct nl_term *t, const char *key, uint64_t n)
{
	if (!nl_term_text(t, key))
		return b;
	w->loose = true;
	return nl_bound_plus(b, nl_bound_times(nl_bound_finite(HOOK), n < NL_NEVER ? (int64_t)n : NL_NEVER - 1, t->e), t->e);
}

static struct nl_bound end_of_retry(struct nl_walk *w, const struct nl_term *t, nl_time from, struct nl_cut deadline, struct nl_cut within)
{
	struct nl_cut all = nl_walk_first(within, nl_walk_limit(t, "total")), each = nl_walk_limit(t, "per-attempt");
	bool again = nl_walk_goes_on(t, t->inner);
	struct nl_cut until = absolute(w, deadline, from, all);
	bool anew = nl_walk_begins_anew(w, t, nl_walk_first(all, each));
	uint64_t n = !again ? 1 : anew ? 0 : nl_bounds_startable(t, deadline.at < all.at ? deadline.at : all.at);
	nl_time begin = from;
	if (n == 0 && until.at == NL_NEVER)
		return nl_bound_infinite(t->e);
	if (n == 1)
		return nl_walk_hooks(w, nl_walk_end(w, t->inner, from, deadline, nl_walk_first(all, each)), t, "on-giveup", 1);
	if (n == 0) {
		begin = NL_NEVER;
	} else {
		struct nl_bound one = nl_walk_end(w, t->inner, 0, nl_walk_never, nl_walk_first(all, each));
		struct nl_bound before = nl_bound_plus(nl_bound_times(one, (int64_t)(n - 1), t->e), nl_bound_finite(nl_bounds_most_slept(t, n)), t->e);
		before = nl_walk_hooks(w, before, t, "on-retry", n - 1);
		if (before.n == NL_NEVER && until.at == NL_NEVER)
			return before;
		begin = nl_bound_later(from, before.n);
	}
	if (again)
		w->loose |= nl_term_has_sets(t) || (until.at < NL_NEVER && nl_walk_has_gaps(t->inner)) || (anew && nl_walk_has_gaps(t));
	return nl_walk_hooks(w, nl_walk_end(w, t->inner, begin, until, each), t, "on-giveup", 1);
}

static struct nl_bound end_of_fallback(struct nl_walk *w, const struct nl_term *t, nl_time from, struct nl_cut deadline, struct nl_cut within)
{
	struct nl_cut until = absolute(w, deadline, from, within);
	struct nl_bound last = nl_bound_finite(from < until.at ? from : until.at);
	nl_time begin = from;
	for (const struct nl_term *i = t->inner; i; i = i->next) {
		struct nl_bound e = i == t->inner ? nl_walk_end(w, i, from, deadline, within) : nl_walk_end(w, i, begin, until, nl_walk_never);
		last = e.n >= last.n ? e : last;
		if (!i->next || !nl_walk_goes_on(t, i) || last.n == NL_NEVER)
			return last;
		w->loose |= nl_term_has_sets(t) || (until.at < NL_NEVER && nl_walk_has_gaps(i));
		begin = nl_bound_later(begin, nl_walk_end(w, i, 0, nl_walk_never, within).n);
	}
	return last;
}

/* The next starts when one fails, or after the delay. */
unsigned nl_walk_arms(struct nl_walk *w, const struct nl_term *t, nl_time from, struct nl_cut deadline, struct nl_cut within, struct nl_walk_arm arm[64])
{
	struct nl_cut until = absolute(w, deadline, from, within);
	const struct nl_delay *d = t->svc ? nl_opt_field(t->svc, "delay", NL_DELAY) : NULL;
	nl_time delay = !d || !d->given ? 0 : d->ppm ? NL_NEVER : d->ns, now = from;
	unsigned n = nl_term_arms(t) < 64 ? nl_term_arms(t) : 64, quorum = nl_term_num(t, "quorum", 1), spent = 0;
	const struct nl_term *branch = t->inner;
	w->loose |= (d && d->ppm) || (quorum > 1 && delay);
	for (const struct nl_term *i = t->inner; i; i = i->next)
		w->loose |= delay && until.at < NL_NEVER && nl_walk_has_gaps(i);
	for (unsigned i = 0; i < n; i++) {
		assert(branch);                 // A race has a branch at least.
		if (i >= quorum && delay) {
			nl_time next = nl_bound_later(now, delay), ended = NL_NEVER;
			unsigned before = 0;
			for (unsigned k = 0; k < i; k++)
				before += arm[k].to <= now;
			if (before > spent) {
				ended = now;            // A failure that has not been answered.
			} else {
				for (unsigned k = 0; k < i; k++)
					ended = arm[k].to > now && arm[k].to < ended ? arm[k].to : ended;
			}
			spent += ended <= next;
			now = ended < next ? ended : next;
		}
		arm[i].t = branch, arm[i].from = now;
		arm[i].end = now == from ? nl_walk_end(w, branch, from, deadline, within) : nl_walk_end(w, branch, now, until, nl_walk_never), arm[i].to = arm[i].end.n;
		branch = branch->next ? branch->next : t->inner;
	}
	return n;
}

static struct nl_bound end_of_race(struct nl_walk *w, const struct nl_term *t, nl_time from, struct nl_cut deadline, struct nl_cut within)
{
	struct nl_cut until = absolute(w, deadline, from, within);
	struct nl_walk_arm arm[64];
	unsigned n = nl_walk_arms(w, t, from, deadline, within, arm);
	struct nl_bound last = nl_bound_finite(from < until.at ? from : until.at);
	for (unsigned i = 0; i < n; i++) {
		if (MUTANT(RACE_SUMS))
			last = i ? nl_bound_plus(last, arm[i].end, t->e) : arm[i].end;
		else
			last = arm[i].end.n > last.n ? arm[i].end : last;
	}
	return last;
}

/* What it may wait for a turn; NL_NEVER: without limit. */
static nl_time wait_of(const struct nl_term *t)
{
	const struct nl_span *s = nl_opt_field(t->svc, "wait", NL_SPAN);
	const struct nl_num *queue = t->kind == NL_TERM_BULKHEAD ? nl_opt_field(t->svc, "queue", NL_NUM) : NULL;
	return s && s->given ? s->ns : queue && queue->given ? NL_NEVER : 0;
}

static struct nl_bound end_of_gate(struct nl_walk *w, const struct nl_term *t, nl_time from, struct nl_cut deadline, struct nl_cut within)
{
	struct nl_cut until = absolute(w, deadline, from, within);
	nl_time begin = nl_bound_later(from, wait_of(t));
	if (begin == NL_NEVER && until.at == NL_NEVER)
		return nl_bound_infinite(t->e);
	struct nl_bound e = begin == from ? nl_walk_end(w, t->inner, from, deadline, within) : nl_walk_end(w, t->inner, begin, until, nl_walk_never);
	return nl_walk_hooks(w, e, t, "on-change", 2);
}

/* When a call ends at the latest. */
struct nl_bound nl_walk_end(struct nl_walk *w, const struct nl_term *t, nl_time from, struct nl_cut deadline, struct nl_cut within)
{
	assert(t);                              // A term wraps something, if but the command.
	if (w->evaluations++ >= NL_WALK_MOST)
		return nl_bound_finite(0);
	switch (t->kind) {
	case NL_TERM_COMMAND:
		return end_of_command(w, t, from, deadline, within);
	case NL_TERM_FAIL:
		return nl_bound_finite(from < deadline.at ? from : deadline.at);
	case NL_TERM_TIMEOUT:
		return nl_walk_hooks(w, nl_walk_end(w, t->inner, from, deadline, nl_walk_first(within, nl_walk_timeout(t))), t, "on-timeout", 1);
	case NL_TERM_RETRY:
		return end_of_retry(w, t, from, deadline, within);
	case NL_TERM_FALLBACK:
		return end_of_fallback(w, t, from, deadline, within);
	case NL_TERM_RACE:
		return end_of_race(w, t, from, deadline, within);
	case NL_TERM_BREAKER: case NL_TERM_BULKHEAD:
		return end_of_gate(w, t, from, deadline, within);
	}
	return nl_bound_finite(0);
}
