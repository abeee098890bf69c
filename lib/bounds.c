/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bounds.c - the worst case, in closed form.
 *
 * Time.  A call begins at a moment from 0 to P; it has a deadline D that does
 * not depend on when it begins, and a limit R that counts from then.  It ends
 * at the latest at
 *
 *   command    min(P + R, D) + grace
 *   timeout    its inner's, with R = min(R, limit)
 *   retry      its last attempt's, with P + (m-1) * longest attempt + sleeps,
 *              D = min(D, P + min(R, total)) and R = per-attempt
 *   fallback   its branches' one after the other
 *   race       the last of its branches', each from where the delay starts it
 *
 * m is how many attempts can begin before D when the commands fail at once and
 * the back-offs are as short as luck allows.  That the beginning can be any
 * moment up to P is what makes D + grace come true: something has to be running
 * at D.  Where back-offs of a least length leave gaps in what a part can last
 * the figure is an upper bound, and says so.
 */
#include "bounds.h"
#include "mut.h"
#include "opt.h"

#include <assert.h>
#include <string.h>

enum { EVALUATIONS = 1 << 20 };
#define HOOK (11 * NL_SEC)              /* ten seconds, and one from TERM to KILL */

struct walk { unsigned evaluations; bool loose; struct nl_bound worst; };

/* A moment or a span at which a command is stopped; kills: by KILL at once. */
struct limit { nl_time at; bool kills; };
static const struct limit never = { NL_NEVER, false };

static struct nl_bound finite(int64_t n)
{
	return (struct nl_bound){ .n = n };
}

static struct nl_bound infinite(const struct nl_expr *by)
{
	return (struct nl_bound){ .n = NL_NEVER, .by = by };
}

static struct nl_bound plus(struct nl_bound a, struct nl_bound b, const struct nl_expr *by)
{
	if (a.n == NL_NEVER || b.n == NL_NEVER)
		return a.n == NL_NEVER ? a : b;
	return b.n >= NL_NEVER - a.n ? infinite(by) : finite(a.n + b.n);
}

static struct nl_bound times(struct nl_bound a, int64_t n, const struct nl_expr *by)
{
	if (n == 0 || a.n == 0)
		return finite(0);
	if (a.n == NL_NEVER)
		return a;
	return n > NL_NEVER / a.n ? infinite(by) : finite(a.n * n);
}

static nl_time plus_time(nl_time a, nl_time b)
{
	return a == NL_NEVER || b >= NL_NEVER - a ? NL_NEVER : a + b;
}

static struct limit first(struct limit outer, struct limit mine)
{
	return mine.at < outer.at ? mine : outer;
}

/* A limit that counts from a moment up to `from`, as one that does not. */
static struct limit absolute(struct walk *w, struct limit deadline, nl_time from, struct limit within)
{
	nl_time at = plus_time(from, within.at);
	if (at < deadline.at)
		return (struct limit){ at, within.kills };
	if (within.at < deadline.at && deadline.kills && !within.kills) {
		deadline.kills = false;         // It may pass just before.
		w->loose = true;
	}
	return deadline;
}

static bool kills(const struct nl_term *t)
{
	const struct nl_sig *sig = t->svc ? nl_opt_field(t->svc, "signal", NL_SIGNAL) : NULL;
	return sig && sig->set && sig->n == 9;
}

static struct limit limit_of(const struct nl_term *t, const char *key)
{
	nl_time span = nl_term_span(t, key, 0);
	return (struct limit){ span ? span : NL_NEVER, kills(t) };
}

static struct limit limit_of_timeout(const struct nl_term *t)
{
	const struct nl_span *s = nl_opt_field(t->svc, "limit", NL_SPAN);
	return (struct limit){ s && s->ns ? s->ns : NL_NEVER, kills(t) };
}

/* Can the same thing be done again, or the next be tried, after a failure of the command? */
static bool goes_on(const struct nl_term *t, const struct nl_term *inner)
{
	if (inner->kind == NL_TERM_FAIL)
		return nl_term_class(t, (struct nl_outcome){ NL_EXIT(NL_EX_REJECTED), NL_RAN }) == NL_CLASS_FAILURE;
	if (!nl_term_has_sets(t))
		return true;
	for (int code = 0; code < 256; code++)
		if (nl_term_class(t, (struct nl_outcome){ NL_EXIT(code), NL_RAN }) == NL_CLASS_FAILURE)
			return true;
	for (int sig = 1; sig <= 64; sig++)
		if (nl_term_class(t, (struct nl_outcome){ sig, NL_RAN }) == NL_CLASS_FAILURE)
			return true;
	return false;
}

/* Is there a back-off in it that luck cannot make 0? */
static bool has_gaps(const struct nl_term *t)
{
	unsigned n = t->kind == NL_TERM_RETRY ? nl_term_num(t, "attempts", 3) : 1;
	if (n != 1 && nl_bounds_least_slept(t, n && n < 64 ? n : 64) > 0)
		return true;
	for (const struct nl_term *i = t->inner; i; i = i->next)
		if (has_gaps(i))
			return true;
	return false;
}

static bool has_race(const struct nl_term *t)
{
	bool found = t->kind == NL_TERM_RACE;
	for (const struct nl_term *i = t->inner; i && !found; i = i->next)
		found = has_race(i);
	return found;
}

/* Does the next arm wait for one to fail? */
static bool is_staggered(const struct nl_term *t)
{
	const struct nl_delay *d = t->svc ? nl_opt_field(t->svc, "delay", NL_DELAY) : NULL;
	return d && (d->ns || d->ppm);
}

static bool has_staggered(const struct nl_term *t)
{
	bool found = t->kind == NL_TERM_RACE && is_staggered(t);
	for (const struct nl_term *i = t->inner; i && !found; i = i->next)
		found = has_staggered(i);
	return found;
}

uint64_t nl_bounds_startable(const struct nl_term *t, nl_time within)
{
	uint64_t n = nl_term_num(t, "attempts", 3), low = 1, high = n ? n : (uint64_t)1 << 40;
	if (within == NL_NEVER || nl_bounds_least_slept(t, high) < within)
		return n;
	while (low < high) {
		uint64_t middle = low + (high - low + 1) / 2;
		if (nl_bounds_least_slept(t, middle) < within)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

static struct nl_bound end(struct walk *, const struct nl_term *, nl_time from, struct limit deadline, struct limit within);

static struct nl_bound end_of_command(struct walk *w, const struct nl_term *t, nl_time from, struct limit deadline, struct limit within)
{
	nl_time grace = MUTANT(GRACE_FORGOTTEN) ? 0 : t->grace, by_deadline = deadline.kills ? 0 : grace, by_limit = within.kills ? 0 : grace;
	nl_time at = plus_time(from, within.at);
	if (at == NL_NEVER && deadline.at == NL_NEVER)
		return infinite(NULL);
	nl_time last = at < deadline.at ? plus_time(at, by_limit) : plus_time(deadline.at, by_deadline);
	if (at >= deadline.at && within.at < deadline.at && by_limit > by_deadline) {
		last = plus_time(deadline.at, by_limit);        // Begun so that its own limit passes just before, if it can be.
		w->loose = true;
	}
	return last == NL_NEVER ? infinite(t->grace_by) : finite(last);
}

/* Can an attempt last so long that the count begins anew? */
static bool begins_anew(struct walk *w, const struct nl_term *t, struct limit within)
{
	nl_time reset = nl_term_span(t, "reset-after", 0);
	return reset && end(w, t->inner, 0, never, within).n >= reset;
}

static struct nl_bound hooks(struct walk *w, struct nl_bound b, const struct nl_term *t, const char *key, uint64_t n)
{
	if (!nl_term_text(t, key))
		return b;
	w->loose = true;
	return plus(b, times(finite(HOOK), n < NL_NEVER ? (int64_t)n : NL_NEVER - 1, t->e), t->e);
}

static struct nl_bound end_of_retry(struct walk *w, const struct nl_term *t, nl_time from, struct limit deadline, struct limit within)
{
	struct limit all = first(within, limit_of(t, "total")), each = limit_of(t, "per-attempt");
	bool again = goes_on(t, t->inner);
	struct limit until = absolute(w, deadline, from, all);
	bool anew = begins_anew(w, t, first(all, each));
	uint64_t n = !again ? 1 : anew ? 0 : nl_bounds_startable(t, deadline.at < all.at ? deadline.at : all.at);
	nl_time begin = from;
	if (n == 0 && until.at == NL_NEVER)
		return infinite(t->e);
	if (n == 1)
		return hooks(w, end(w, t->inner, from, deadline, first(all, each)), t, "on-giveup", 1);
	if (n == 0) {
		begin = NL_NEVER;
	} else {
		struct nl_bound one = end(w, t->inner, 0, never, first(all, each));
		struct nl_bound before = plus(times(one, (int64_t)(n - 1), t->e), finite(nl_bounds_most_slept(t, n)), t->e);
		before = hooks(w, before, t, "on-retry", n - 1);
		if (before.n == NL_NEVER && until.at == NL_NEVER)
			return before;
		begin = plus_time(from, before.n);
	}
	if (again)
		w->loose |= nl_term_has_sets(t) || (until.at < NL_NEVER && has_gaps(t->inner)) || (anew && has_gaps(t));
	return hooks(w, end(w, t->inner, begin, until, each), t, "on-giveup", 1);
}

static struct nl_bound end_of_fallback(struct walk *w, const struct nl_term *t, nl_time from, struct limit deadline, struct limit within)
{
	struct limit until = absolute(w, deadline, from, within);
	struct nl_bound last = finite(from < until.at ? from : until.at);
	nl_time begin = from;
	for (const struct nl_term *i = t->inner; i; i = i->next) {
		struct nl_bound e = i == t->inner ? end(w, i, from, deadline, within) : end(w, i, begin, until, never);
		last = e.n >= last.n ? e : last;
		if (!i->next || !goes_on(t, i) || last.n == NL_NEVER)
			return last;
		w->loose |= nl_term_has_sets(t) || (until.at < NL_NEVER && has_gaps(i));
		begin = plus_time(begin, end(w, i, 0, never, within).n);
	}
	return last;
}

/* Where the arms of a race can be at the latest, all of them as long as they can. */
struct arm { const struct nl_term *t; nl_time from, to; struct nl_bound end; };

/* The next starts when one fails, or after the delay.  How many there are. */
static unsigned run_arms(struct walk *w, const struct nl_term *t, nl_time from, struct limit deadline, struct limit within, struct arm arm[64])
{
	struct limit until = absolute(w, deadline, from, within);
	const struct nl_delay *d = t->svc ? nl_opt_field(t->svc, "delay", NL_DELAY) : NULL;
	nl_time delay = !d || !d->given ? 0 : d->ppm ? NL_NEVER : d->ns, now = from;
	unsigned n = nl_term_arms(t) < 64 ? nl_term_arms(t) : 64, quorum = nl_term_num(t, "quorum", 1), spent = 0;
	const struct nl_term *branch = t->inner;
	w->loose |= (d && d->ppm) || (quorum > 1 && delay);
	for (const struct nl_term *i = t->inner; i; i = i->next)
		w->loose |= delay && until.at < NL_NEVER && has_gaps(i);
	for (unsigned i = 0; i < n; i++) {
		assert(branch);                 // A race has a branch at least.
		if (i >= quorum && delay) {
			nl_time next = plus_time(now, delay), ended = NL_NEVER;
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
		arm[i].end = now == from ? end(w, branch, from, deadline, within) : end(w, branch, now, until, never), arm[i].to = arm[i].end.n;
		branch = branch->next ? branch->next : t->inner;
	}
	return n;
}

static struct nl_bound end_of_race(struct walk *w, const struct nl_term *t, nl_time from, struct limit deadline, struct limit within)
{
	struct limit until = absolute(w, deadline, from, within);
	struct arm arm[64];
	unsigned n = run_arms(w, t, from, deadline, within, arm);
	struct nl_bound last = finite(from < until.at ? from : until.at);
	for (unsigned i = 0; i < n; i++) {
		if (MUTANT(RACE_SUMS))
			last = i ? plus(last, arm[i].end, t->e) : arm[i].end;
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

static struct nl_bound end_of_gate(struct walk *w, const struct nl_term *t, nl_time from, struct limit deadline, struct limit within)
{
	struct limit until = absolute(w, deadline, from, within);
	nl_time begin = plus_time(from, wait_of(t));
	if (begin == NL_NEVER && until.at == NL_NEVER)
		return infinite(t->e);
	struct nl_bound e = begin == from ? end(w, t->inner, from, deadline, within) : end(w, t->inner, begin, until, never);
	return hooks(w, e, t, "on-change", 2);
}

/* When a call ends at the latest. */
static struct nl_bound end(struct walk *w, const struct nl_term *t, nl_time from, struct limit deadline, struct limit within)
{
	assert(t);                              // A term wraps something, if but the command.
	if (w->evaluations++ >= EVALUATIONS)
		return finite(0);
	switch (t->kind) {
	case NL_TERM_COMMAND:
		return end_of_command(w, t, from, deadline, within);
	case NL_TERM_FAIL:
		return finite(from < deadline.at ? from : deadline.at);
	case NL_TERM_TIMEOUT:
		return hooks(w, end(w, t->inner, from, deadline, first(within, limit_of_timeout(t))), t, "on-timeout", 1);
	case NL_TERM_RETRY:
		return end_of_retry(w, t, from, deadline, within);
	case NL_TERM_FALLBACK:
		return end_of_fallback(w, t, from, deadline, within);
	case NL_TERM_RACE:
		return end_of_race(w, t, from, deadline, within);
	case NL_TERM_BREAKER: case NL_TERM_BULKHEAD:
		return end_of_gate(w, t, from, deadline, within);
	}
	return finite(0);
}

static struct nl_bound runs(struct walk *, const struct nl_term *, struct limit within);
static struct nl_bound sleeps(struct walk *, const struct nl_term *, struct limit within);

typedef struct nl_bound figure(struct walk *, const struct nl_term *, struct limit);

static struct limit left(struct limit all, nl_time spent, struct limit each)
{
	return first((struct limit){ all.at == NL_NEVER ? NL_NEVER : all.at - spent, all.kills }, each);
}

/* The sum of a figure over the attempts from `from` to `to`.  It falls from one to
 * the next, so that between two that are equal all are. */
static struct nl_bound sum(struct walk *w, figure *f, const struct nl_term *t, struct limit all, struct limit each, uint64_t from, uint64_t to)
{
	struct nl_bound a = f(w, t->inner, left(all, nl_bounds_least_slept(t, from), each));
	if (from == to || w->evaluations++ >= EVALUATIONS)
		return a;
	struct nl_bound b = f(w, t->inner, left(all, nl_bounds_least_slept(t, to), each));
	if (a.n == b.n)
		return times(a, (int64_t)(to - from + 1), t->e);
	uint64_t middle = from + (to - from) / 2;
	return plus(sum(w, f, t, all, each, from, middle), sum(w, f, t, all, each, middle + 1, to), t->e);
}

/* Attempts that can begin; 0: no end of them. */
static uint64_t attempts_of(struct walk *w, const struct nl_term *t, struct limit all, struct limit each)
{
	uint64_t n = nl_term_num(t, "attempts", 3);
	nl_time reset = nl_term_span(t, "reset-after", 0);
	if (!goes_on(t, t->inner))
		return 1;
	if (!begins_anew(w, t, first(all, each)))
		return nl_bounds_startable(t, all.at);
	if (all.at == NL_NEVER || n == 0)
		return n && all.at == NL_NEVER ? 0 : nl_bounds_startable(t, all.at);
	w->loose |= has_gaps(t);
	return n * ((uint64_t)(all.at - 1) / (uint64_t)reset + 1);      // As often as a long attempt begins the count anew.
}

static struct nl_bound of_retry(struct walk *w, figure *f, const struct nl_term *t, struct limit within)
{
	struct limit all = first(within, limit_of(t, "total")), each = limit_of(t, "per-attempt");
	uint64_t n = attempts_of(w, t, all, each);
	struct nl_bound one = f(w, t->inner, first(all, each));
	if (n != 1)
		w->loose |= all.at < NL_NEVER && has_gaps(t->inner);
	if (n == 0)
		return one.n ? infinite(t->e) : one;
	return n > (uint64_t)NL_NEVER ? infinite(t->e) : all.at == NL_NEVER || begins_anew(w, t, first(all, each)) ? times(one, (int64_t)n, t->e)
	                                              : sum(w, f, t, all, each, 1, n);
}

/* Over branches that are tried one after the other, or at once. */
static struct nl_bound of_branches(struct walk *w, figure *f, const struct nl_term *t, struct limit within)
{
	struct nl_bound all = finite(0);
	unsigned copies = t->kind == NL_TERM_RACE ? nl_term_num(t, "hedge", 1) : 1;
	for (const struct nl_term *i = t->inner; i; i = i->next) {
		all = plus(all, times(f(w, i, within), copies, t->e), t->e);
		if (t->kind == NL_TERM_FALLBACK && i->next && !goes_on(t, i))
			break;
		w->loose |= i->next && nl_term_has_sets(t);
		w->loose |= within.at < NL_NEVER && has_gaps(i) && (t->kind == NL_TERM_FALLBACK ? i->next != NULL : is_staggered(t));
	}
	if (t->kind == NL_TERM_RACE && nl_term_num(t, "quorum", 1) > 1 && t->svc)
		w->loose = true;
	return all;
}

static struct nl_bound runs(struct walk *w, const struct nl_term *t, struct limit within)
{
	if (w->evaluations++ >= EVALUATIONS)
		return finite(0);
	switch (t->kind) {
	case NL_TERM_COMMAND: return finite(1);
	case NL_TERM_FAIL: return finite(0);
	case NL_TERM_TIMEOUT: return runs(w, t->inner, first(within, limit_of_timeout(t)));
	case NL_TERM_RETRY: return of_retry(w, runs, t, within);
	case NL_TERM_FALLBACK: case NL_TERM_RACE: return of_branches(w, runs, t, within);
	case NL_TERM_BREAKER: case NL_TERM_BULKHEAD: return runs(w, t->inner, within);
	}
	return finite(0);
}

static struct nl_bound sleeps_of_retry(struct walk *w, const struct nl_term *t, struct limit within)
{
	struct limit all = first(within, limit_of(t, "total")), each = limit_of(t, "per-attempt");
	uint64_t n = attempts_of(w, t, all, each);
	bool anew = begins_anew(w, t, first(all, each));
	struct nl_bound inside = of_retry(w, sleeps, t, within);
	struct nl_bound mine = n == 0 || (anew && n > 1) ? infinite(t->e) : finite(nl_bounds_most_slept(t, n));
	mine = hooks(w, mine, t, "on-retry", n ? n - 1 : 0);
	if (mine.n >= all.at)
		mine = finite(all.at);
	struct nl_bound both = plus(mine, inside, t->e);
	w->loose |= all.at < NL_NEVER && mine.n && (inside.n || anew);
	if (both.n > all.at && !has_race(t))
		both = finite(all.at);
	return both.n == NL_NEVER && both.by == NULL ? infinite(t->e) : both;
}

static struct nl_bound sleeps(struct walk *w, const struct nl_term *t, struct limit within)
{
	struct nl_bound all;
	if (w->evaluations++ >= EVALUATIONS)
		return finite(0);
	switch (t->kind) {
	case NL_TERM_COMMAND: case NL_TERM_FAIL: return finite(0);
	case NL_TERM_TIMEOUT: return sleeps(w, t->inner, first(within, limit_of_timeout(t)));
	case NL_TERM_RETRY: return sleeps_of_retry(w, t, within);
	case NL_TERM_FALLBACK: case NL_TERM_RACE:
		all = of_branches(w, sleeps, t, within);
		w->loose |= within.at < NL_NEVER && all.n;
		if (t->kind == NL_TERM_FALLBACK && all.n > within.at && !has_race(t))
			all = finite(within.at);
		return all;
	case NL_TERM_BREAKER: case NL_TERM_BULKHEAD: return sleeps(w, t->inner, within);
	}
	return finite(0);
}

/* Commands at once, for a call that may last so long. */
static struct nl_bound at_once(struct walk *w, const struct nl_term *t, struct limit within)
{
	struct nl_bound most = finite(0);
	struct arm arm[64];
	if (w->evaluations++ >= EVALUATIONS)
		return most;
	if (t->kind == NL_TERM_TIMEOUT)
		within = first(within, limit_of_timeout(t));
	if (t->kind == NL_TERM_RETRY)
		within = first(first(within, limit_of(t, "total")), limit_of(t, "per-attempt"));
	if (t->kind == NL_TERM_COMMAND || t->kind == NL_TERM_FAIL)
		return finite(t->kind == NL_TERM_COMMAND);
	if (t->kind != NL_TERM_RACE) {
		for (const struct nl_term *i = t->inner; i; i = i->next) {
			struct nl_bound one = at_once(w, i, within);
			most = one.n > most.n ? one : most;
			if (t->kind == NL_TERM_FALLBACK && !goes_on(t, i))
				break;
		}
		return most;
	}
	unsigned n = run_arms(w, t, 0, never, within, arm);
	for (const struct nl_term *i = t->inner; i; i = i->next)
		w->loose |= (is_staggered(t) && (has_race(i) || has_gaps(i))) || (n > 1 && has_staggered(i));   // It may be that it sleeps then, or that of its own arms some are gone.
	for (unsigned i = 0; i < n; i++) {
		struct nl_bound all = finite(0);
		if (arm[i].from >= within.at)
			break;                  // It begins for one that has failed.
		for (unsigned k = 0; k <= i || (k < n && arm[k].from == arm[i].from); k++)
			if (arm[k].to > arm[i].from)
				all = plus(all, at_once(w, arm[k].t, left(within, arm[k].from, never)), t->e);
		most = all.n > most.n ? all : most;
	}
	return most;
}

/* Runs when each exits with 1 at once, and how the call ends then. */
struct dead { struct nl_bound runs; int status; };

static struct dead dead(struct walk *w, const struct nl_term *t, struct limit within)
{
	struct dead d = { finite(0), 0 };
	struct limit all = first(within, limit_of(t, "total"));
	struct nl_outcome o;
	unsigned rank = 3, copies = t->kind == NL_TERM_RACE ? nl_term_num(t, "hedge", 1) : 1;
	if (w->evaluations++ >= EVALUATIONS)
		return d;
	switch (t->kind) {
	case NL_TERM_COMMAND: return (struct dead){ finite(1), NL_EXIT(1) };
	case NL_TERM_FAIL: return (struct dead){ finite(0), NL_EXIT(NL_EX_REJECTED) };
	case NL_TERM_TIMEOUT: return dead(w, t->inner, first(within, limit_of_timeout(t)));
	case NL_TERM_BREAKER: case NL_TERM_BULKHEAD: return dead(w, t->inner, within);
	case NL_TERM_RETRY:
		d = dead(w, t->inner, first(all, limit_of(t, "per-attempt")));
		if (nl_term_class(t, (struct nl_outcome){ d.status, NL_RAN }) != NL_CLASS_FAILURE)
			return d;
		w->loose |= all.at < NL_NEVER && has_gaps(t->inner);
		uint64_t n = nl_bounds_startable(t, all.at);
		d.runs = n ? times(d.runs, n < NL_NEVER ? (int64_t)n : NL_NEVER, t->e) : d.runs.n ? infinite(t->e) : d.runs;
		return d;
	case NL_TERM_FALLBACK: case NL_TERM_RACE:
		for (const struct nl_term *i = t->inner; i; i = i->next) {
			struct dead one = dead(w, i, within);
			d.runs = plus(d.runs, times(one.runs, copies, t->e), t->e);
			o = (struct nl_outcome){ one.status, NL_RAN };
			if (nl_outcome_rank(o) < rank)
				rank = nl_outcome_rank(o), d.status = one.status;
			if (t->kind == NL_TERM_FALLBACK && nl_term_class(t, o) != NL_CLASS_FAILURE) {
				d.status = one.status;
				break;
			}
			w->loose |= within.at < NL_NEVER && has_gaps(i) && (t->kind == NL_TERM_FALLBACK || is_staggered(t));
		}
		w->loose |= t->kind == NL_TERM_RACE && nl_term_num(t, "quorum", 1) > 1;
		return d;
	}
	return d;
}

static struct nl_bound end_of_all(struct walk *w, const struct nl_term *t, struct limit within)
{
	return end(w, t, 0, never, within);
}

static struct nl_bound load(struct walk *w, const struct nl_term *t, struct limit within)
{
	return dead(w, t, within).runs;
}

int nl_bounds_of(const struct nl_term *t, struct nl_bounds *b, struct nl_err *err)
{
	static figure *const figures[] = { runs, end_of_all, sleeps, at_once, load };
	struct nl_bound *const out[] = { &b->attempts, &b->wall, &b->slept, &b->concurrency, &b->load };
	for (int i = 0; i < 5; i++) {
		struct walk w = { 0 };
		*out[i] = figures[i](&w, t, never);
		out[i]->loose = w.loose && out[i]->n < NL_NEVER;
		if (w.evaluations >= EVALUATIONS)
			return nl_fail(err, "retries and limits are too deep inside each other to be bounded");
	}
	return 0;
}
