/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boundscount.c - how often the command is run at most, for how long nothing
 * is, and how many run at once.
 */
#include "boundswalk.h"

static struct nl_cut left(struct nl_cut all, nl_time spent, struct nl_cut each)
{
	return nl_walk_first((struct nl_cut){ all.at == NL_NEVER ? NL_NEVER : all.at - spent, all.kills }, each);
}

/* The sum of a figure over the attempts from `from` to `to`.  It falls from one to
 * the next, so that between two that are equal all are. */
static struct nl_bound sum(struct nl_walk *w, nl_walk_figure *f, const struct nl_term *t, struct nl_cut all, struct nl_cut each, uint64_t from, uint64_t to)
{
	struct nl_bound a = f(w, t->inner, left(all, nl_bounds_least_slept(t, from), each));
	if (from == to || w->evaluations++ >= NL_WALK_MOST)
		return a;
	struct nl_bound b = f(w, t->inner, left(all, nl_bounds_least_slept(t, to), each));
	if (a.n == b.n)
		return nl_bound_times(a, (int64_t)(to - from + 1), t->e);
	uint64_t middle = from + (to - from) / 2;
	return nl_bound_plus(sum(w, f, t, all, each, from, middle), sum(w, f, t, all, each, middle + 1, to), t->e);
}

/* Attempts that can begin; 0: no end of them. */
static uint64_t attempts_of(struct nl_walk *w, const struct nl_term *t, struct nl_cut all, struct nl_cut each)
{
	uint64_t n = nl_term_num(t, "attempts", 3);
	nl_time reset = nl_term_span(t, "reset-after", 0);
	if (!nl_walk_goes_on(t, t->inner))
		return 1;
	if (!nl_walk_begins_anew(w, t, nl_walk_first(all, each)))
		return nl_bounds_startable(t, all.at);
	if (all.at == NL_NEVER || n == 0)
		return n && all.at == NL_NEVER ? 0 : nl_bounds_startable(t, all.at);
	w->loose |= nl_walk_has_gaps(t);
	return n * ((uint64_t)(all.at - 1) / (uint64_t)reset + 1);      // As often as a long attempt begins the count anew.
}

static struct nl_bound of_retry(struct nl_walk *w, nl_walk_figure *f, const struct nl_term *t, struct nl_cut within)
{
	struct nl_cut all = nl_walk_first(within, nl_walk_limit(t, "total")), each = nl_walk_limit(t, "per-attempt");
	uint64_t n = attempts_of(w, t, all, each);
	struct nl_bound one = f(w, t->inner, nl_walk_first(all, each));
	if (n != 1)
		w->loose |= all.at < NL_NEVER && nl_walk_has_gaps(t->inner);
	if (n == 0)
		return one.n ? nl_bound_infinite(t->e) : one;
	return n > (uint64_t)NL_NEVER ? nl_bound_infinite(t->e) : all.at == NL_NEVER || nl_walk_begins_anew(w, t, nl_walk_first(all, each)) ? nl_bound_times(one, (int64_t)n, t->e)
	                                              : sum(w, f, t, all, each, 1, n);
}

/* Over branches that are tried one after the other, or at once. */
static struct nl_bound of_branches(struct nl_walk *w, nl_walk_figure *f, const struct nl_term *t, struct nl_cut within)
{
	struct nl_bound all = nl_bound_finite(0);
	unsigned copies = t->kind == NL_TERM_RACE ? nl_term_num(t, "hedge", 1) : 1;
	for (const struct nl_term *i = t->inner; i; i = i->next) {
		all = nl_bound_plus(all, nl_bound_times(f(w, i, within), copies, t->e), t->e);
		if (t->kind == NL_TERM_FALLBACK && i->next && !nl_walk_goes_on(t, i))
			break;
		w->loose |= i->next && nl_term_has_sets(t);
		w->loose |= within.at < NL_NEVER && nl_walk_has_gaps(i) && (t->kind == NL_TERM_FALLBACK ? i->next != NULL : nl_walk_is_staggered(t));
	}
	if (t->kind == NL_TERM_RACE && nl_term_num(t, "quorum", 1) > 1 && t->svc)
		w->loose = true;
	return all;
}

struct nl_bound nl_walk_runs(struct nl_walk *w, const struct nl_term *t, struct nl_cut within)
{
	if (w->evaluations++ >= NL_WALK_MOST)
		return nl_bound_finite(0);
	switch (t->kind) {
	case NL_TERM_COMMAND: return nl_bound_finite(1);
	case NL_TERM_FAIL: return nl_bound_finite(0);
	case NL_TERM_TIMEOUT: return nl_walk_runs(w, t->inner, nl_walk_first(within, nl_walk_timeout(t)));
	case NL_TERM_RETRY: return of_retry(w, nl_walk_runs, t, within);
	case NL_TERM_FALLBACK: case NL_TERM_RACE: return of_branches(w, nl_walk_runs, t, within);
	case NL_TERM_BREAKER: case NL_TERM_BULKHEAD: return nl_walk_runs(w, t->inner, within);
	}
	return nl_bound_finite(0);
}

static struct nl_bound sleeps_of_retry(struct nl_walk *w, const struct nl_term *t, struct nl_cut within)
{
	struct nl_cut all = nl_walk_first(within, nl_walk_limit(t, "total")), each = nl_walk_limit(t, "per-attempt");
	uint64_t n = attempts_of(w, t, all, each);
	bool anew = nl_walk_begins_anew(w, t, nl_walk_first(all, each));
	struct nl_bound inside = of_retry(w, nl_walk_sleeps, t, within);
	struct nl_bound mine = n == 0 || (anew && n > 1) ? nl_bound_infinite(t->e) : nl_bound_finite(nl_bounds_most_slept(t, n));
	mine = nl_walk_hooks(w, mine, t, "on-retry", n ? n - 1 : 0);
	if (mine.n >= all.at)
		mine = nl_bound_finite(all.at);
	struct nl_bound both = nl_bound_plus(mine, inside, t->e);
	w->loose |= all.at < NL_NEVER && mine.n && (inside.n || anew);
	if (both.n > all.at && !nl_walk_has_race(t))
		both = nl_bound_finite(all.at);
	return both.n == NL_NEVER && both.by == NULL ? nl_bound_infinite(t->e) : both;
}

struct nl_bound nl_walk_sleeps(struct nl_walk *w, const struct nl_term *t, struct nl_cut within)
{
	struct nl_bound all;
	if (w->evaluations++ >= NL_WALK_MOST)
		return nl_bound_finite(0);
	switch (t->kind) {
	case NL_TERM_COMMAND: case NL_TERM_FAIL: return nl_bound_finite(0);
	case NL_TERM_TIMEOUT: return nl_walk_sleeps(w, t->inner, nl_walk_first(within, nl_walk_timeout(t)));
	case NL_TERM_RETRY: return sleeps_of_retry(w, t, within);
	case NL_TERM_FALLBACK: case NL_TERM_RACE:
		all = of_branches(w, nl_walk_sleeps, t, within);
		w->loose |= within.at < NL_NEVER && all.n;
		if (t->kind == NL_TERM_FALLBACK && all.n > within.at && !nl_walk_has_race(t))
			all = nl_bound_finite(within.at);
		return all;
	case NL_TERM_BREAKER: case NL_TERM_BULKHEAD: return nl_walk_sleeps(w, t->inner, within);
	}
	return nl_bound_finite(0);
}

/* Commands at once, for a call that may last so long. */
struct nl_bound nl_walk_at_once(struct nl_walk *w, const struct nl_term *t, struct nl_cut within)
{
	struct nl_bound most = nl_bound_finite(0);
	struct nl_walk_arm arm[64];
	if (w->evaluations++ >= NL_WALK_MOST)
		return most;
	if (t->kind == NL_TERM_TIMEOUT)
		within = nl_walk_first(within, nl_walk_timeout(t));
	if (t->kind == NL_TERM_RETRY)
		within = nl_walk_first(nl_walk_first(within, nl_walk_limit(t, "total")), nl_walk_limit(t, "per-attempt"));
	if (t->kind == NL_TERM_COMMAND || t->kind == NL_TERM_FAIL)
		return nl_bound_finite(t->kind == NL_TERM_COMMAND);
	if (t->kind != NL_TERM_RACE) {
		for (const struct nl_term *i = t->inner; i; i = i->next) {
			struct nl_bound one = nl_walk_at_once(w, i, within);
			most = one.n > most.n ? one : most;
			if (t->kind == NL_TERM_FALLBACK && !nl_walk_goes_on(t, i))
				break;
		}
		return most;
	}
	unsigned n = nl_walk_arms(w, t, 0, nl_walk_never, within, arm);
	for (const struct nl_term *i = t->inner; i; i = i->next)
		w->loose |= (nl_walk_is_staggered(t) && (nl_walk_has_race(i) || nl_walk_has_gaps(i))) || (n > 1 && nl_walk_has_staggered(i));   // It may be that it sleeps then, or that of its own arms some are gone.
	for (unsigned i = 0; i < n; i++) {
		struct nl_bound all = nl_bound_finite(0);
		if (arm[i].from >= within.at)
			break;                  // It begins for one that has failed.
		for (unsigned k = 0; k <= i || (k < n && arm[k].from == arm[i].from); k++)
			if (arm[k].to > arm[i].from)
				all = nl_bound_plus(all, nl_walk_at_once(w, arm[k].t, left(within, arm[k].from, nl_walk_never)), t->e);
		most = all.n > most.n ? all : most;
	}
	return most;
}

/* Runs when each exits with 1 at once, and how the call ends then. */
struct dead { struct nl_bound runs; int status; };

static struct dead dead(struct nl_walk *w, const struct nl_term *t, struct nl_cut within)
{
	struct dead d = { nl_bound_finite(0), 0 };
	struct nl_cut all = nl_walk_first(within, nl_walk_limit(t, "total"));
	struct nl_outcome o;
	unsigned rank = 3, copies = t->kind == NL_TERM_RACE ? nl_term_num(t, "hedge", 1) : 1;
	if (w->evaluations++ >= NL_WALK_MOST)
		return d;
	switch (t->kind) {
	case NL_TERM_COMMAND: return (struct dead){ nl_bound_finite(1), NL_EXIT(1) };
	case NL_TERM_FAIL: return (struct dead){ nl_bound_finite(0), NL_EXIT(NL_EX_REJECTED) };
	case NL_TERM_TIMEOUT: return dead(w, t->inner, nl_walk_first(within, nl_walk_timeout(t)));
	case NL_TERM_BREAKER: case NL_TERM_BULKHEAD: return dead(w, t->inner, within);
	case NL_TERM_RETRY:
		d = dead(w, t->inner, nl_walk_first(all, nl_walk_limit(t, "per-attempt")));
		if (nl_term_class(t, (struct nl_outcome){ d.status, NL_RAN }) != NL_CLASS_FAILURE)
			return d;
		w->loose |= all.at < NL_NEVER && nl_walk_has_gaps(t->inner);
		uint64_t n = nl_bounds_startable(t, all.at);
		d.runs = n ? nl_bound_times(d.runs, n < NL_NEVER ? (int64_t)n : NL_NEVER, t->e) : d.runs.n ? nl_bound_infinite(t->e) : d.runs;
		return d;
	case NL_TERM_FALLBACK: case NL_TERM_RACE:
		for (const struct nl_term *i = t->inner; i; i = i->next) {
			struct dead one = dead(w, i, within);
			d.runs = nl_bound_plus(d.runs, nl_bound_times(one.runs, copies, t->e), t->e);
			o = (struct nl_outcome){ one.status, NL_RAN };
			if (nl_outcome_rank(o) < rank)
				rank = nl_outcome_rank(o), d.status = one.status;
			if (t->kind == NL_TERM_FALLBACK && nl_term_class(t, o) != NL_CLASS_FAILURE) {
				d.status = one.status;
				break;
			}
			w->loose |= within.at < NL_NEVER && nl_walk_has_gaps(i) && (t->kind == NL_TERM_FALLBACK || nl_walk_is_staggered(t));
		}
		w->loose |= t->kind == NL_TERM_RACE && nl_term_num(t, "quorum", 1) > 1;
		return d;
	}
	return d;
}

struct nl_bound nl_walk_load(struct nl_walk *w, const struct nl_term *t, struct nl_cut within)
{
	return dead(w, t, within).runs;
}
