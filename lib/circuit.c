/* SPDX-License-Identifier: Apache-2.0 */
/*
 * circuit.c - the state machine of a circuit breaker, circuit.h draws it.  One
 * function steps; what it counts is window.c's.
 */
#include "circuit.h"

#include "mut.h"
#include "profile.h"
#include "state.h"
#include "window.h"

#include <string.h>

#define LEN(a) (sizeof(a) / sizeof *(a))
#define OPEN_MAX (24 * 3600 * NL_SEC)

_Static_assert(sizeof(struct nl_circuit) == 3064 && sizeof(struct nl_circuit) <= NL_BODY_MAX, "the format is frozen");
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

/* The open time of the n-th opening since a close: by squares, so that no
 * number of openings takes long. */
static nl_time open_time(const struct nl_circuit_cfg *cfg, uint32_t openings, double u)
{
	double factor = (double)cfg->factor_ppm / 1e6, power = 1;
	nl_time most = cfg->open_max_ns ? cfg->open_max_ns : OPEN_MAX, span = cfg->open_ns;
	if (most < span)
		most = span;
	for (uint32_t n = openings - 1; n; n /= 2) {
		power *= n % 2 ? factor : 1;
		factor *= factor;
	}
	if (cfg->factor_ppm && power != 1 && span && !MUTANT(NO_GROWTH)) {
		double grown = (double)span * power;
		span = grown < (double)most ? (nl_time)grown : most;
	}
	double more = (double)span * u * ((double)cfg->jitter_ppm / 1e6);
	return more < (double)(NL_NEVER / 2) ? nl_after(span, (nl_time)more) : NL_NEVER;
}

void nl_work_move(struct nl_work *w, enum nl_circuit_state to, enum nl_circuit_reason why)
{
	struct nl_circuit *c = w->c;
	w->out.moved = w->out.changed = true;
	w->out.from = (enum nl_circuit_state)c->state;
	w->out.was_for = w->in->now > c->since ? w->in->now - c->since : 0;
	w->out.was_open = c->opened && w->in->now > c->opened ? w->in->now - c->opened : w->out.was_for;
	c->opened = to == NL_OPEN || to == NL_HALF_OPEN ? c->opened ? c->opened : w->in->now : 0;
	w->out.probes = c->streak_ok;
	*w->epoch = MUTANT(EPOCH_WRAPS) ? (*w->epoch + 1) % 16 : *w->epoch + 1;
	c->state = to, c->reason = why;
	c->since = w->in->now;
	c->until = c->open_for = 0;
	c->spent = c->streak_ok = c->streak_fail = 0;
	if (to == NL_OPEN && nl_is_resilience4j(c))
		return;                         // It goes on recording, in the window that opened it.
	c->rejected = 0;
	if (to == NL_HALF_OPEN && !nl_is_gobreaker(c)) {
		uint32_t probes = nl_at_least_1(w->cfg->probes), k = nl_at_least_1(w->cfg->close_after);
		uint32_t n = nl_is_resilience4j(c) || k < probes ? probes : k;
		nl_window_clear(c, n < NL_WINDOW_CALLS ? n : NL_WINDOW_CALLS);
	} else {
		nl_window_clear(c, 0);
	}
	if (to == NL_CLOSED)
		c->openings = 0;
}

void nl_work_open(struct nl_work *w, enum nl_circuit_reason why, uint32_t limit)
{
	struct nl_circuit *c = w->c;
	c->trip = (struct nl_circuit_trip){ .reason = why, .limit = limit, .streak = c->streak_fail, .n = nl_profile_counted(c) };
	memcpy(c->trip.errs, c->errs, sizeof c->errs);
	c->openings = nl_more(c->openings);
	uint32_t openings = c->openings;
	nl_work_move(w, NL_OPEN, why);
	c->open_for = open_time(w->cfg, openings, w->in->u);
	c->until = nl_after(c->since, c->open_for);
}

/* Whether a time that ends at `until` is over: strictly, for those who have it so. */
static bool is_over(const struct nl_circuit *c, nl_time now)
{
	if (MUTANT(HALF_EARLY))
		now += NL_MS;
	return (c->cfg.semantics == NL_SEM_NINELIVES) != MUTANT(UNTIL) ? now >= c->until : now > c->until;
}

/* What time alone changes. */
static void pass_time(struct nl_work *w)
{
	struct nl_circuit *c = w->c;
	nl_time now = w->in->now;
	if (!nl_is_gobreaker(c)) {
		if (nl_window_is_timed(c) && (c->state == NL_CLOSED || c->state == NL_FORCED_CLOSED || nl_is_resilience4j(c)))
			nl_window_roll(c, nl_window_bucket(c, now));
	} else if (c->state == NL_OPEN && is_over(c, now)) {
		nl_work_move(w, NL_HALF_OPEN, NL_WHY_TIME);
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

static void reject(struct nl_work *w, nl_time retry_in)
{
	w->c->rejected = nl_more(w->c->rejected);
	w->out.verdict = NL_REJECT;
	w->out.retry_in = retry_in;
}

/* gobreaker: a request begins. */
static void begin(struct nl_work *w)
{
	struct nl_circuit *c = w->c;
	if (!nl_is_gobreaker(c))
		return;
	struct nl_bucket *b = nl_window_is_timed(c) ? nl_window_at(c, c->bucket) : NULL;
	c->n.calls = nl_more(c->n.calls);
	if (b)
		b->n.calls = nl_more(b->n.calls);
	w->out.age = c->bucket;
	w->out.changed = true;
}

/* While half-open.  The other profiles give so many permits and no more; but
 * when none is out and nothing was decided (their number was changed meanwhile),
 * one is due, or it would stay half-open for ever. */
static bool is_full(const struct nl_work *w)
{
	uint32_t held = w->in->held, probes = nl_at_least_1(w->cfg->probes);
	uint32_t spent = w->c->cfg.semantics == NL_SEM_NINELIVES || w->c->state != NL_HALF_OPEN ? 0 : w->c->spent;
	return held && (held >= probes || spent >= probes - held);
}

static void probe(struct nl_work *w)
{
	if (is_full(w)) {                       // When still open: with probes of an earlier time that live on.
		reject(w, 0);
		return;
	}
	if (w->c->state == NL_OPEN)
		nl_work_move(w, NL_HALF_OPEN, NL_WHY_TIME);
	begin(w);
	w->out.verdict = NL_PROBE;
}

static void acquire(struct nl_work *w)
{
	struct nl_circuit *c = w->c;
	switch ((enum nl_circuit_state)c->state) {
	case NL_CLOSED:
		begin(w);
		w->out.verdict = NL_ADMIT;
		break;
	case NL_OPEN:
		if (is_over(c, w->in->now))
			probe(w);
		else
			reject(w, c->until == NL_NEVER ? NL_NEVER : c->until - w->in->now + (c->cfg.semantics != NL_SEM_NINELIVES));
		break;
	case NL_HALF_OPEN:
		probe(w);
		break;
	case NL_FORCED_CLOSED:
	case NL_DISABLED:
		w->out.verdict = NL_ADMIT;
		break;
	case NL_FORCED_OPEN:
	case NL_CIRCUIT_STATES:
		reject(w, NL_NEVER);
		break;
	}
}

static void command(struct nl_work *w)
{
	switch (w->in->event) {
	case NL_FORCE_OPEN:
		nl_work_move(w, NL_FORCED_OPEN, NL_WHY_FORCED);
		break;
	case NL_FORCE_CLOSED:
		nl_work_move(w, NL_FORCED_CLOSED, NL_WHY_FORCED);
		break;
	case NL_DISABLE:
		nl_work_move(w, NL_DISABLED, NL_WHY_FORCED);
		break;
	default:
		nl_work_move(w, NL_CLOSED, NL_WHY_RESET);
		break;
	}
	w->c->forced_uid = w->in->uid;
}

struct nl_circuit_step nl_circuit_step(const struct nl_circuit_cfg *cfg, struct nl_circuit *c, uint64_t *epoch,
                                       const struct nl_circuit_input *in)
{
	struct nl_circuit_cfg own = c->cfg;
	struct nl_work w = { .cfg = cfg ? cfg : &own, .c = c, .epoch = epoch, .in = in };
	if (!c->since) {
		c->since = in->now;
		c->cfg.semantics = w.cfg->semantics;
	}
	if (c->cfg.shape.kind == NL_WINDOW_NONE && !(nl_is_gobreaker(c) && w.cfg->shape.kind == NL_WINDOW_COUNT))
		c->cfg.shape = w.cfg->shape;
	pass_time(&w);
	if (in->event == NL_ACQUIRE)
		acquire(&w);
	else if (in->event <= NL_IGNORED)
		nl_profile_ended(&w);
	else if (in->event != NL_LOOK)
		command(&w);
	if (w.out.changed) {
		c->steps++;
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
	struct nl_work w = { .cfg = cfg ? cfg : &own, .c = &then, .epoch = &epoch, .in = &in };
	pass_time(&w);
	struct nl_circuit_counts r = { .n = nl_profile_counted(&then), .fail_ppm = -1, .slow_ppm = -1 };
	if (r.n.calls && r.n.calls >= nl_profile_min_calls(w.cfg, &then)) {
		r.fail_ppm = (int64_t)r.n.fails * 1000000 / r.n.calls;
		r.slow_ppm = (int64_t)r.n.slows * 1000000 / r.n.calls;
	}
	return r;
}
