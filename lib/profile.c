/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile.c - what the end of a call does to a circuit, by each profile's rules.
 */
#include "profile.h"

#include "mut.h"
#include "window.h"

#include <string.h>

/* Has so many of calls at least ppm millionths? */
static bool reached(uint32_t n, uint32_t calls, uint32_t ppm)
{
	if (MUTANT(RATE_ABOVE))
		return ppm && (uint64_t)n * 1000000 > (uint64_t)ppm * calls;
	return ppm && (uint64_t)n * 1000000 >= (uint64_t)ppm * calls;
}

uint32_t nl_profile_min_calls(const struct nl_circuit_cfg *cfg, const struct nl_circuit *c)
{
	uint32_t min = nl_at_least_1(cfg->min_calls), n = c->cfg.shape.n, half = c->half_window + MUTANT(HALF_BATCH);
	if (c->cfg.shape.kind == NL_WINDOW_COUNT && min > n && !MUTANT(MIN_UNCLAMPED))
		min = n;
	return c->half_window && min > half ? half : min;
}

struct nl_tally nl_profile_counted(const struct nl_circuit *c)
{
	if (!nl_is_gobreaker(c) && !nl_window_cells(c) && !nl_window_is_timed(c))
		return (struct nl_tally){ .calls = c->streak_fail, .fails = c->streak_fail };
	return c->n;
}

static void remember(struct nl_work *w)
{
	struct nl_circuit *c = w->c;
	const struct nl_circuit_input *in = w->in;
	c->last.at = in->now, c->last.real = in->real;
	c->last.span = in->span, c->last.ws = in->ws;
	memset(c->last.cmd, 0, sizeof c->last.cmd);
	for (size_t i = 0; in->cmd && in->cmd[i] && i < sizeof c->last.cmd - 1; i++)
		c->last.cmd[i] = in->cmd[i];
	c->spans[1] = c->spans[0];
	c->spans[0] = in->span;
}

static bool is_slow(const struct nl_work *w)
{
	nl_time slow = w->cfg->slow_ns;
	return slow && (MUTANT(SLOW_AT) ? w->in->dur >= slow : w->in->dur > slow);
}

/* Counts a call that has ended, and the row of such. */
static void count(struct nl_work *w)
{
	struct nl_circuit *c = w->c;
	struct nl_ended e = { .failed = w->in->event == NL_FAILURE, .slow = is_slow(w) };
	if (e.failed) {
		e.kind = nl_window_kind(c, w->in->ws);
		c->streak_fail = nl_more(c->streak_fail), c->streak_ok = 0;
		remember(w);
		w->out.changed = true;
	} else if (c->streak_fail || c->state == NL_HALF_OPEN) {
		c->streak_fail = 0;
		c->streak_ok = nl_more(c->streak_ok);
		w->out.changed = true;
		if (!nl_window_cells(c) && !nl_window_is_timed(c))
			memset(c->errs, 0, sizeof c->errs);     // They are no longer in a row.
	}
	if (nl_window_cells(c) || nl_window_is_timed(c)) {
		nl_window_add(c, e);
		w->out.changed = true;
	}
}

/* Opens it if what has been counted is too bad. */
static bool open_if_bad(struct nl_work *w, bool by_fails)
{
	const struct nl_circuit *c = w->c;
	const struct nl_circuit_cfg *cfg = w->cfg;
	if (by_fails && cfg->failures && c->streak_fail >= cfg->failures)
		return nl_work_open(w, NL_WHY_CONSECUTIVE, cfg->failures), true;
	uint32_t calls = nl_less(c->n.calls, c->n.excluded);
	if (calls < nl_profile_min_calls(cfg, c))
		return false;
	if (by_fails && reached(c->n.fails, calls, cfg->rate_ppm))
		return nl_work_open(w, NL_WHY_RATE, cfg->rate_ppm), true;
	if (reached(c->n.slows, calls, cfg->slow_ppm))
		return nl_work_open(w, NL_WHY_SLOW, cfg->slow_ppm), true;
	return false;
}

/* A result of another epoch is dropped, and that is counted. */
static bool is_stale(struct nl_work *w)
{
	if (w->in->epoch == *w->epoch || MUTANT(STALE_APPLIED))
		return false;
	w->c->stale = nl_more(w->c->stale);
	w->out.stale = w->out.changed = true;
	return true;
}

static void ended_ninelives(struct nl_work *w)
{
	struct nl_circuit *c = w->c;
	bool failed = w->in->event == NL_FAILURE, slow = is_slow(w) && w->cfg->slow_ppm;
	if (is_stale(w) || w->in->event == NL_IGNORED)
		return;
	count(w);
	if (c->state == NL_CLOSED && (failed || slow || MUTANT(TRIPS_ON_SUCCESS))) {
		open_if_bad(w, failed || MUTANT(TRIPS_ON_SUCCESS));
	} else if (c->state == NL_HALF_OPEN) {
		c->spent = nl_more(c->spent);
		if (failed || slow)
			nl_work_open(w, NL_WHY_PROBE, 0);
		else if (c->streak_ok >= nl_at_least_1(w->cfg->close_after))
			nl_work_move(w, NL_CLOSED, NL_WHY_SUCCESS);
	}
}

/* No epochs: whatever ends while half-open is taken for a probe. */
static void ended_resilience4j(struct nl_work *w)
{
	struct nl_circuit *c = w->c;
	if (w->in->event == NL_IGNORED)
		return;
	count(w);
	if (c->state == NL_CLOSED) {
		open_if_bad(w, true);
	} else if (c->state == NL_HALF_OPEN) {
		if (w->in->epoch == *w->epoch)
			c->spent = nl_more(c->spent);
		if (c->n.calls >= nl_profile_min_calls(w->cfg, c) && !open_if_bad(w, true))
			nl_work_move(w, NL_CLOSED, NL_WHY_SUCCESS);
	}
}

/* Counts a result where its request was counted: there, or no longer. */
static void count_gobreaker(struct nl_work *w)
{
	struct nl_circuit *c = w->c;
	struct nl_bucket none = { 0 }, *b = nl_window_is_timed(c) ? nl_window_at(c, w->in->age) : &none;
	w->out.changed = true;
	if (w->in->event == NL_FAILURE)
		remember(w);
	if (!b)
		return;
	if (w->in->event == NL_IGNORED) {
		c->n.excluded = nl_more(c->n.excluded);
		b->n.excluded = nl_more(b->n.excluded);
	} else if (w->in->event == NL_SUCCESS) {
		c->n.oks = nl_more(c->n.oks);
		b->n.oks = nl_more(b->n.oks);
		c->streak_ok = nl_more(c->streak_ok), c->streak_fail = 0;
		b->streak_ok = nl_more(b->streak_ok), b->streak_fail = 0;
	} else {
		uint16_t *kind = &b->errs[nl_window_kind(c, w->in->ws)];
		*kind += *kind < UINT16_MAX;
		c->n.fails = nl_more(c->n.fails);
		b->n.fails = nl_more(b->n.fails);
		c->streak_fail = nl_more(c->streak_fail), c->streak_ok = 0;
		b->streak_fail = nl_more(b->streak_fail), b->streak_ok = 0;
	}
}

static void ended_gobreaker(struct nl_work *w)
{
	struct nl_circuit *c = w->c;
	if (is_stale(w))
		return;
	count_gobreaker(w);
	if (c->state == NL_HALF_OPEN && w->in->event != NL_IGNORED)
		c->spent = nl_more(c->spent);
	if (c->state == NL_CLOSED && w->in->event == NL_FAILURE)
		open_if_bad(w, true);
	else if (c->state == NL_HALF_OPEN && w->in->event == NL_FAILURE)
		nl_work_open(w, NL_WHY_PROBE, 0);
	else if (c->state == NL_HALF_OPEN && c->streak_ok >= nl_at_least_1(w->cfg->probes))
		nl_work_move(w, NL_CLOSED, NL_WHY_SUCCESS);
}

void nl_profile_ended(struct nl_work *w)
{
	struct nl_circuit *c = w->c;
	bool counts = c->state == NL_CLOSED || c->state == NL_HALF_OPEN || (c->state == NL_FORCED_CLOSED && !nl_is_gobreaker(c)) ||
	              (c->state == NL_OPEN && nl_is_resilience4j(c));
	if (!counts)
		(void)(nl_is_resilience4j(c) || is_stale(w));         // Nothing is counted in this state.
	else if (nl_is_gobreaker(c))
		ended_gobreaker(w);
	else if (nl_is_resilience4j(c))
		ended_resilience4j(w);
	else
		ended_ninelives(w);
}
