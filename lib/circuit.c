/* SPDX-License-Identifier: Apache-2.0 */
/*
 * circuit.c - the state machine of a circuit breaker, circuit.h draws it.  One
 * function steps; what it counts is window.c's.
 */
#include "circuit.h"

#include "state.h"
#include "window.h"

#include <string.h>

#define LEN(a) (sizeof(a) / sizeof *(a))
#define OPEN_MAX (24 * 3600 * NL_SEC)

_Static_assert(sizeof(struct nl_circuit) <= NL_BODY_MAX, "it is the body of a record");
_Static_assert(NL_WINDOW_CALLS < UINT16_MAX, "a bucket's kinds of failures must not be cut off before its calls");

static const char *const states[] = {
	[NL_CLOSED] = "closed", [NL_OPEN] = "open", [NL_HALF_OPEN] = "half_open",
	[NL_FORCED_OPEN] = "forced_open", [NL_FORCED_CLOSED] = "forced_closed", [NL_DISABLED] = "disabled",
};
_Static_assert(LEN(states) == NL_CIRCUIT_STATES, "every state has a name");

static const char *const reasons[] = {
	[NL_WHY_NONE] = "none", [NL_WHY_CONSECUTIVE] = "consecutive", [NL_WHY_RATE] = "failure_rate",
	[NL_WHY_SLOW] = "slow_rate", [NL_WHY_PROBE] = "probe_failed", [NL_WHY_FORCED] = "forced",
	[NL_WHY_RESET] = "reset", [NL_WHY_TIME] = "timer", [NL_WHY_SUCCESS] = "success",
};
_Static_assert(LEN(reasons) == NL_CIRCUIT_REASONS, "every reason has a name");

const char *nl_circuit_name(enum nl_circuit_state s)
{
	return states[s];
}

const char *nl_circuit_reason_name(enum nl_circuit_reason r)
{
	return reasons[r];
}

struct nl_shape nl_shape_of_span(nl_time span)
{
	nl_time secs = span / NL_SEC + (span % NL_SEC != 0);
	if (span < NL_SEC)
		return (struct nl_shape){ NL_WINDOW_TIME, 10, span > 10 ? (span + 9) / 10 : 1 };
	if (secs <= NL_WINDOW_BUCKETS)
		return (struct nl_shape){ NL_WINDOW_TIME, (uint32_t)secs, NL_SEC };
	return (struct nl_shape){ NL_WINDOW_TIME, NL_WINDOW_BUCKETS, span / NL_WINDOW_BUCKETS + (span % NL_WINDOW_BUCKETS != 0) };
}

/* One step: what it works on. */
struct work {
	const struct nl_circuit_cfg *cfg;
	struct nl_circuit *c;
	uint64_t *epoch;
	const struct nl_circuit_input *in;
	struct nl_circuit_step out;
};

static bool gobreaker(const struct nl_circuit *c)
{
	return c->cfg.semantics == NL_SEM_GOBREAKER;
}

static bool resilience4j(const struct nl_circuit *c)
{
	return c->cfg.semantics == NL_SEM_RESILIENCE4J;
}

static uint32_t at_least_1(uint32_t n)
{
	return n ? n : 1;
}

/* Has so many of calls at least ppm millionths? */
static bool reached(uint32_t n, uint32_t calls, uint32_t ppm)
{
	return ppm && (uint64_t)n * 1000000 >= (uint64_t)ppm * calls;
}

/* Calls without which a rate means nothing. */
static uint32_t min_calls(const struct nl_circuit_cfg *cfg, const struct nl_circuit *c)
{
	uint32_t min = at_least_1(cfg->min_calls), n = c->cfg.shape.n;
	if (c->cfg.shape.kind == NL_WINDOW_COUNT && min > n)
		min = n;
	return c->half_window && min > c->half_window ? c->half_window : min;
}

/* The open time of the n-th opening since a close: by squares, so that no
 * number of openings takes long. */
static nl_time open_time(const struct nl_circuit_cfg *cfg, uint32_t openings, double u)
{
	double factor = (double)cfg->factor_ppm / 1e6, power = 1;
	nl_time most = cfg->open_max_ns ? cfg->open_max_ns : OPEN_MAX, span = cfg->open_ns;
	if (most < span)
		most = span;
	for (uint32_t n = openings - 1; n && cfg->factor_ppm; n /= 2, factor *= factor)
		if (n % 2)
			power *= factor;
	if (cfg->factor_ppm && cfg->factor_ppm != 1000000 && openings > 1) {
		double grown = (double)span * power;
		span = grown < (double)most ? (nl_time)grown : most;
	}
	double more = (double)span * u * ((double)cfg->jitter_ppm / 1e6);
	return more < (double)(NL_NEVER / 2) ? nl_after(span, (nl_time)more) : NL_NEVER;
}

/* To another state, or the same anew: what was counted belongs to the old one. */
static void move(struct work *w, enum nl_circuit_state to, enum nl_circuit_reason why)
{
	struct nl_circuit *c = w->c;
	w->out.moved = w->out.changed = true;
	w->out.from = (enum nl_circuit_state)c->state;
	w->out.was_for = w->in->now > c->since ? w->in->now - c->since : 0;
	w->out.was_open = c->opened && w->in->now > c->opened ? w->in->now - c->opened : w->out.was_for;
	c->opened = to == NL_OPEN || to == NL_HALF_OPEN ? c->opened ? c->opened : w->in->now : 0;
	++*w->epoch;
	c->state = to, c->reason = why;
	c->since = w->in->now;
	c->until = c->open_for = 0;
	c->spent = c->streak_ok = c->streak_fail = c->rejected = 0;
	if (to == NL_HALF_OPEN && !gobreaker(c)) {
		uint32_t probes = at_least_1(w->cfg->probes), k = at_least_1(w->cfg->close_after);
		uint32_t n = resilience4j(c) || k < probes ? probes : k;
		nl_window_clear(c, n < NL_WINDOW_CALLS ? n : NL_WINDOW_CALLS);
	} else if (!(to == NL_OPEN && resilience4j(c))) {
		nl_window_clear(c, 0);
	}
	if (to == NL_CLOSED)
		c->openings = 0;
}

/* What the window holds; without one, the failures in a row. */
static struct nl_tally counted(const struct nl_circuit *c)
{
	if (!gobreaker(c) && !nl_window_cells(c) && !nl_window_is_timed(c))
		return (struct nl_tally){ .calls = c->streak_fail, .fails = c->streak_fail };
	return c->n;
}

static void open_up(struct work *w, enum nl_circuit_reason why, uint32_t limit)
{
	struct nl_circuit *c = w->c;
	c->trip = (struct nl_circuit_trip){ .reason = why, .limit = limit, .streak = c->streak_fail, .n = counted(c) };
	memcpy(c->trip.errs, c->errs, sizeof c->errs);
	c->openings = nl_more(c->openings);
	uint32_t openings = c->openings;
	move(w, NL_OPEN, why);
	c->open_for = open_time(w->cfg, openings, w->in->u);
	c->until = nl_after(c->since, c->open_for);
}

/* Whether a time that ends at `until` is over: strictly, for those who have it so. */
static bool is_over(const struct nl_circuit *c, nl_time now)
{
	return c->cfg.semantics == NL_SEM_NINELIVES ? now >= c->until : now > c->until;
}

/* What time alone changes. */
static void pass_time(struct work *w)
{
	struct nl_circuit *c = w->c;
	nl_time now = w->in->now;
	if (!gobreaker(c)) {
		if (nl_window_is_timed(c) && (c->state == NL_CLOSED || c->state == NL_FORCED_CLOSED || resilience4j(c)))
			nl_window_roll(c, nl_window_bucket(c, now));
	} else if (c->state == NL_OPEN && is_over(c, now)) {
		move(w, NL_HALF_OPEN, NL_WHY_TIME);
	} else if (c->state == NL_CLOSED && c->cfg.shape.kind == NL_WINDOW_TIME && c->cfg.shape.n > 1) {
		nl_window_roll(c, nl_window_bucket(c, now - c->since));
	} else if (c->state == NL_CLOSED && c->cfg.shape.kind == NL_WINDOW_TIME) {
		if (!c->until)
			c->until = nl_after(c->since, c->cfg.shape.width_ns);
		if (!is_over(c, now))
			return;
		nl_window_clear(c, 0);
		c->streak_ok = c->streak_fail = 0;
		++*w->epoch;
		c->until = nl_after(now, c->cfg.shape.width_ns);
		w->out.changed = true;
	}
}

static void reject(struct work *w, nl_time retry_in)
{
	w->c->rejected = nl_more(w->c->rejected);
	w->out.verdict = NL_REJECT;
	w->out.retry_in = retry_in;
}

/* gobreaker: a request begins. */
static void begin(struct work *w)
{
	struct nl_circuit *c = w->c;
	if (!gobreaker(c))
		return;
	struct nl_bucket *b = nl_window_is_timed(c) ? nl_window_at(c, c->bucket) : NULL;
	c->n.calls = nl_more(c->n.calls);
	if (b)
		b->n.calls = nl_more(b->n.calls);
	w->out.age = c->bucket;
	w->out.changed = true;
}

static void acquire(struct work *w)
{
	struct nl_circuit *c = w->c;
	nl_time now = w->in->now;
	uint64_t busy = (uint64_t)w->in->held + (c->cfg.semantics == NL_SEM_NINELIVES || c->state != NL_HALF_OPEN ? 0 : c->spent);
	switch ((enum nl_circuit_state)c->state) {
	case NL_CLOSED:
		begin(w);
		w->out.verdict = NL_ADMIT;
		break;
	case NL_FORCED_CLOSED:
	case NL_DISABLED:
		w->out.verdict = NL_ADMIT;
		break;
	case NL_FORCED_OPEN:
		reject(w, NL_NEVER);
		break;
	case NL_OPEN:
		if (!is_over(c, now)) {
			nl_time strictly = c->cfg.semantics != NL_SEM_NINELIVES;
			reject(w, c->until == NL_NEVER ? NL_NEVER : c->until - now + strictly);
			break;
		}
		if (busy >= at_least_1(w->cfg->probes)) {       // Probes of an earlier time that live on.
			reject(w, 0);
			break;
		}
		move(w, NL_HALF_OPEN, NL_WHY_TIME);
		w->out.verdict = NL_PROBE;
		break;
	case NL_HALF_OPEN:
		if (busy >= at_least_1(w->cfg->probes)) {
			reject(w, 0);
			break;
		}
		begin(w);
		w->out.verdict = NL_PROBE;
		break;
	case NL_CIRCUIT_STATES:
		break;
	}
}

static void remember(struct work *w)
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

static bool is_slow(const struct work *w)
{
	return w->cfg->slow_ns && w->in->dur > w->cfg->slow_ns;
}

/* Counts a call that has ended, and the row of such. */
static void count(struct work *w)
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
static bool open_if_bad(struct work *w, bool by_fails)
{
	const struct nl_circuit *c = w->c;
	const struct nl_circuit_cfg *cfg = w->cfg;
	if (by_fails && cfg->failures && c->streak_fail >= cfg->failures)
		return open_up(w, NL_WHY_CONSECUTIVE, cfg->failures), true;
	if (c->n.calls < min_calls(cfg, c))
		return false;
	if (by_fails && reached(c->n.fails, c->n.calls, cfg->rate_ppm))
		return open_up(w, NL_WHY_RATE, cfg->rate_ppm), true;
	if (reached(c->n.slows, c->n.calls, cfg->slow_ppm))
		return open_up(w, NL_WHY_SLOW, cfg->slow_ppm), true;
	return false;
}

/* A result of another epoch is dropped, and that is counted. */
static bool is_stale(struct work *w)
{
	if (w->in->epoch == *w->epoch)
		return false;
	w->c->stale = nl_more(w->c->stale);
	w->out.stale = w->out.changed = true;
	return true;
}

static void ended_ninelives(struct work *w)
{
	struct nl_circuit *c = w->c;
	bool failed = w->in->event == NL_FAILURE, slow = is_slow(w) && w->cfg->slow_ppm;
	if (is_stale(w) || w->in->event == NL_IGNORED)
		return;
	count(w);
	if (c->state == NL_CLOSED && (failed || slow)) {
		open_if_bad(w, failed);
	} else if (c->state == NL_HALF_OPEN) {
		c->spent = nl_more(c->spent);
		if (failed || slow)
			open_up(w, NL_WHY_PROBE, 0);
		else if (c->streak_ok >= at_least_1(w->cfg->close_after))
			move(w, NL_CLOSED, NL_WHY_SUCCESS);
	}
}

/* No epochs: whatever ends while half-open is taken for a probe. */
static void ended_resilience4j(struct work *w)
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
		if (c->n.calls >= min_calls(w->cfg, c) && !open_if_bad(w, true))
			move(w, NL_CLOSED, NL_WHY_SUCCESS);
	}
}

/* Counts a result where its request was counted: there, or no longer. */
static void count_gobreaker(struct work *w)
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

static void ended_gobreaker(struct work *w)
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
		open_up(w, NL_WHY_PROBE, 0);
	else if (c->state == NL_HALF_OPEN && c->streak_ok >= at_least_1(w->cfg->probes))
		move(w, NL_CLOSED, NL_WHY_SUCCESS);
}

static void ended(struct work *w)
{
	struct nl_circuit *c = w->c;
	bool counts = c->state == NL_CLOSED || c->state == NL_HALF_OPEN || (c->state == NL_FORCED_CLOSED && !gobreaker(c)) ||
	              (c->state == NL_OPEN && resilience4j(c));
	if (!counts)
		(void)(resilience4j(c) || is_stale(w));         // Nothing is counted in this state.
	else if (gobreaker(c))
		ended_gobreaker(w);
	else if (resilience4j(c))
		ended_resilience4j(w);
	else
		ended_ninelives(w);
}

static void command(struct work *w)
{
	switch (w->in->event) {
	case NL_FORCE_OPEN:
		move(w, NL_FORCED_OPEN, NL_WHY_FORCED);
		break;
	case NL_FORCE_CLOSED:
		move(w, NL_FORCED_CLOSED, NL_WHY_FORCED);
		break;
	case NL_DISABLE:
		move(w, NL_DISABLED, NL_WHY_FORCED);
		break;
	default:
		move(w, NL_CLOSED, NL_WHY_RESET);
		break;
	}
	w->c->forced_uid = w->in->uid;
}

struct nl_circuit_step nl_circuit_step(const struct nl_circuit_cfg *cfg, struct nl_circuit *c, uint64_t *epoch,
                                       const struct nl_circuit_input *in)
{
	struct nl_circuit_cfg own = c->cfg;
	struct work w = { .cfg = cfg ? cfg : &own, .c = c, .epoch = epoch, .in = in };
	if (!c->since) {
		c->since = in->now;
		c->cfg.semantics = w.cfg->semantics;
	}
	if (c->cfg.shape.kind == NL_WINDOW_NONE && !(gobreaker(c) && w.cfg->shape.kind == NL_WINDOW_COUNT))
		c->cfg.shape = w.cfg->shape;
	pass_time(&w);
	if (in->event == NL_ACQUIRE)
		acquire(&w);
	else if (in->event <= NL_IGNORED)
		ended(&w);
	else if (in->event != NL_LOOK)
		command(&w);
	if (w.out.changed) {
		struct nl_shape shape = c->cfg.shape;
		uint32_t semantics = c->cfg.semantics;
		c->cfg = *w.cfg;
		c->cfg.shape = shape;
		c->cfg.semantics = semantics;
	}
	return w.out;
}

struct nl_circuit_counts nl_circuit_counts(const struct nl_circuit_cfg *cfg, const struct nl_circuit *c, nl_time now)
{
	struct nl_circuit then = *c;
	struct nl_circuit_cfg own = c->cfg;
	uint64_t epoch = 0;
	struct nl_circuit_input in = { .event = NL_LOOK, .now = now };
	struct work w = { .cfg = cfg ? cfg : &own, .c = &then, .epoch = &epoch, .in = &in };
	pass_time(&w);
	struct nl_circuit_counts r = { .n = counted(&then), .fail_ppm = -1, .slow_ppm = -1 };
	if (r.n.calls && r.n.calls >= min_calls(w.cfg, &then)) {
		r.fail_ppm = (int64_t)r.n.fails * 1000000 / r.n.calls;
		r.slow_ppm = (int64_t)r.n.slows * 1000000 / r.n.calls;
	}
	return r;
}
