/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bounds.c - the worst case, in closed form: what its figures have in common.
 * boundsend.c says when a call ends, boundscount.c how much is done until then.
 */
#include "boundswalk.h"

#include "opt.h"

struct nl_bound nl_bound_finite(int64_t n)
{
	return (struct nl_bound){ .n = n };
}

struct nl_bound nl_bound_infinite(const struct nl_expr *by)
{
	return (struct nl_bound){ .n = NL_NEVER, .by = by };
}

struct nl_bound nl_bound_plus(struct nl_bound a, struct nl_bound b, const struct nl_expr *by)
{
	if (a.n == NL_NEVER || b.n == NL_NEVER)
		return a.n == NL_NEVER ? a : b;
	return b.n >= NL_NEVER - a.n ? nl_bound_infinite(by) : nl_bound_finite(a.n + b.n);
}

struct nl_bound nl_bound_times(struct nl_bound a, int64_t n, const struct nl_expr *by)
{
	if (n == 0 || a.n == 0)
		return nl_bound_finite(0);
	if (a.n == NL_NEVER)
		return a;
	return n > NL_NEVER / a.n ? nl_bound_infinite(by) : nl_bound_finite(a.n * n);
}

nl_time nl_bound_later(nl_time a, nl_time b)
{
	return a == NL_NEVER || b >= NL_NEVER - a ? NL_NEVER : a + b;
}

struct nl_cut nl_walk_first(struct nl_cut outer, struct nl_cut mine)
{
	return mine.at < outer.at ? mine : outer;
}

static bool kills(const struct nl_term *t)
{
	const struct nl_sig *sig = t->svc ? nl_opt_field(t->svc, "signal", NL_SIGNAL) : NULL;
	return sig && sig->set && sig->n == 9;
}

struct nl_cut nl_walk_limit(const struct nl_term *t, const char *key)
{
	nl_time span = nl_term_span(t, key, 0);
	return (struct nl_cut){ span ? span : NL_NEVER, kills(t) };
}

struct nl_cut nl_walk_timeout(const struct nl_term *t)
{
	const struct nl_span *s = nl_opt_field(t->svc, "limit", NL_SPAN);
	return (struct nl_cut){ s && s->ns ? s->ns : NL_NEVER, kills(t) };
}

bool nl_walk_goes_on(const struct nl_term *t, const struct nl_term *inner)
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

bool nl_walk_has_gaps(const struct nl_term *t)
{
	unsigned n = t->kind == NL_TERM_RETRY ? nl_term_num(t, "attempts", 3) : 1;
	if (n != 1 && nl_bounds_least_slept(t, n && n < 64 ? n : 64) > 0)
		return true;
	for (const struct nl_term *i = t->inner; i; i = i->next)
		if (nl_walk_has_gaps(i))
			return true;
	return false;
}

bool nl_walk_has_race(const struct nl_term *t)
{
	bool found = t->kind == NL_TERM_RACE;
	for (const struct nl_term *i = t->inner; i && !found; i = i->next)
		found = nl_walk_has_race(i);
	return found;
}

bool nl_walk_is_staggered(const struct nl_term *t)
{
	const struct nl_delay *d = t->svc ? nl_opt_field(t->svc, "delay", NL_DELAY) : NULL;
	return d && (d->ns || d->ppm);
}

bool nl_walk_has_staggered(const struct nl_term *t)
{
	bool found = t->kind == NL_TERM_RACE && nl_walk_is_staggered(t);
	for (const struct nl_term *i = t->inner; i && !found; i = i->next)
		found = nl_walk_has_staggered(i);
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

static struct nl_bound end_of_all(struct nl_walk *w, const struct nl_term *t, struct nl_cut within)
{
	return nl_walk_end(w, t, 0, nl_walk_never, within);
}

int nl_bounds_of(const struct nl_term *t, struct nl_bounds *b, struct nl_err *err)
{
	static nl_walk_figure *const figures[] = { nl_walk_runs, end_of_all, nl_walk_sleeps, nl_walk_at_once, nl_walk_load };
	struct nl_bound *const out[] = { &b->attempts, &b->wall, &b->slept, &b->concurrency, &b->load };
	for (int i = 0; i < 5; i++) {
		struct nl_walk w = { 0 };
		*out[i] = figures[i](&w, t, nl_walk_never);
		out[i]->loose = w.loose && out[i]->n < NL_NEVER;
		if (w.evaluations >= NL_WALK_MOST)
			return nl_fail(err, "retries and limits are too deep inside each other to be bounded");
	}
	return 0;
}
