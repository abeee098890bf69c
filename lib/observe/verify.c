/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.c - did the breakers do what their rules say?  What was recorded goes
 * through the machine again; each transition must come out, and no other.
 *
 * A step that no line tells of is a gap: what the circuit was behind it is not
 * known until the next transition, which empties all counts.
 */
#include "observe/tape.h"

#include "mut.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 20                        /* differences of one breaker that are printed */

enum { VERIFIED, DIFFERENT, NOTHING = 3 };

struct verifier {
	struct nl_ask *ask;
	struct nl_out *o, found;        /* found: differences and gaps of one breaker */
	struct nl_tape *tape;
	struct nl_player p;
	uint64_t results, moves, differences, missing;
	bool any;                       /* of all breakers: something was verified */
	bool wrong;
};

struct group { const struct nl_beat *result, *moved; uint32_t step; };

static const char *state(unsigned s)
{
	return nl_circuit_name((enum nl_circuit_state)s);
}

static const char *reason(unsigned why)
{
	return nl_circuit_reason_name((enum nl_circuit_reason)why);
}

static void put_difference(struct verifier *v, const struct nl_beat *b, const char *log, const char *rules)
{
	struct nl_out *o = &v->found;
	char time[28];
	v->differences++;
	if (v->differences > SHOWN)
		return;
	nl_time_text(b->time_us * NL_US, time);
	if (v->ask->json) {
		nl_out_begin(o, NULL, '{');
		nl_out_uint(o, "step", b->step);
		nl_out_str(o, "time", time);
		nl_out_str(o, "log", log);
		nl_out_str(o, "rules", rules);
		nl_out_end(o, '}');
		return;
	}
	nl_out_put(o, "  step %u, %.19sZ\n    the log says    %s\n    the rules say   %s\n", b->step, time, log, rules);
}

static void put_gap(struct verifier *v, uint32_t from, uint32_t to)
{
	v->missing += to - from + 1;
	if (v->ask->json)
		return;
	nl_out_put(&v->found, "  cannot be verified from step %u to %u: %u line%s missing\n", from, to, to - from + 1, from == to ? " is" : "s are");
}

static bool counts(const struct nl_beat *b)
{
	return b->to == NL_OPEN;
}

static void log_text(const struct nl_beat *b, char buf[128])
{
	int n = snprintf(buf, 128, "%s to %s, %s, epoch %llu", state(b->from), state(b->to), reason(b->reason), (unsigned long long)b->epoch);
	if (counts(b))
		snprintf(buf + n, 128 - (size_t)n, ", %u of %u calls", b->failures, b->calls);
}

/* What the machine has just done, as the log would have it. */
static struct nl_beat outcome(const struct verifier *v, const struct nl_circuit_step *s)
{
	const struct nl_circuit *c = &v->p.c;
	struct nl_beat is = { .from = (uint8_t)s->from, .to = (uint8_t)c->state, .reason = (uint8_t)c->reason, .epoch = v->p.epoch };
	if (counts(&is))
		is.failures = c->trip.reason == NL_WHY_CONSECUTIVE ? c->trip.streak : c->trip.n.fails, is.calls = c->trip.n.calls;
	return is;
}

static bool same(const struct nl_beat *a, const struct nl_beat *b)
{
	bool counted = !counts(a) || (a->failures == b->failures && a->calls == b->calls);
	return a->from == b->from && a->to == b->to && a->reason == b->reason && a->epoch == b->epoch && counted;
}

/* The age of a permit is known where its admission was played. */
static int64_t age_of(const struct nl_beat *b, const struct nl_beat *first)
{
	const struct nl_beat *a = b;
	if (b->asked)
		while (a > first && a->life == b->life && !(a->kind == NL_BEAT_ASKED && a->step == b->asked))
			a--;
	return a->kind == NL_BEAT_ASKED ? a->age : 0;
}

/* Was every line of it read?  A run that has no end, or is not known any more, can
 * have told of anything. */
static bool is_whole(const struct verifier *v, uint64_t run)
{
	struct nl_runs_sum sum;
	return nl_runs_one(nl_system_runs(v->ask->system), run, &sum) && sum.ended && !sum.lost;
}

/* b: the beat that was played. */
static void compare(struct verifier *v, const struct group *g, const struct nl_beat *b, const struct nl_circuit_step *s)
{
	char log[128] = "nothing of a change", rules[128] = "no change here";
	struct nl_beat is = outcome(v, s);
	if (s->moved && !g->moved && (MUTANT(LOSS_IS_FRAUD) ? false : !is_whole(v, b->run))) {
		put_gap(v, g->step, g->step);
		v->p.known = false;
		return;
	}
	if (!s->changed)
		snprintf(rules, sizeof rules, "this changes nothing");
	else if (s->moved)
		log_text(&is, rules);
	if (g->moved)
		log_text(g->moved, log);
	else if (!s->changed)
		snprintf(log, sizeof log, "that it was counted");
	if (s->changed && s->moved == !!g->moved && (!s->moved || same(g->moved, &is))) {
		if (g->moved)
			nl_player_adopt(&v->p, g->moved);
	} else {
		put_difference(v, b, log, rules);
		if (g->moved)
			nl_player_resume(&v->p, g->moved, g->result);
		else
			v->p.known = false;
	}
}

/* Is what made it missing?  By the rules of gobreaker a result can make it half-open,
 * as an admission does. */
static bool is_lone(struct verifier *v, const struct group *g)
{
	const struct nl_beat *b = g->moved;
	if (g->result)
		return false;
	return b->result == NL_LOOK || (b->to == NL_HALF_OPEN && nl_player_rules(&v->p, b)->semantics == NL_SEM_GOBREAKER && !is_whole(v, b->run));
}

/* A result that the log has as counted, or a transition without one. */
static void play(struct verifier *v, const struct group *g)
{
	const struct nl_beat *b = g->result ? g->result : g->moved;
	bool lone = b && is_lone(v, g);
	if (!b)
		return;
	if (!v->p.known) {
		if (g->moved)
			nl_player_resume(&v->p, g->moved, g->result);
		v->p.known = v->p.known && !(lone && b->to == NL_HALF_OPEN);
		return;
	}
	if (lone) {
		put_gap(v, g->step, g->step);
		nl_player_resume(&v->p, g->moved, g->result);
		v->p.known = b->to != NL_HALF_OPEN;
		return;
	}
	struct nl_beat now = *b;
	now.age = b->kind == NL_BEAT_RESULT ? age_of(b, v->tape->beat) : 0;
	struct nl_circuit_step s = nl_player_step(&v->p, &now);
	if (b->kind == NL_BEAT_ASKED)
		v->tape->beat[b - v->tape->beat].age = s.age;
	v->results += b->kind == NL_BEAT_RESULT;
	v->moves += s.moved;
	v->any = true;
	compare(v, g, b, &s);
}

/* A call that changed nothing, behind the step that it saw. */
static void check_unchanged(struct verifier *v, const struct nl_beat *b)
{
	struct nl_player p = v->p;
	if (!p.known)
		return;
	struct nl_circuit_step s = nl_player_step(&p, b);
	v->results++;
	v->any = true;
	if (s.changed)
		put_difference(v, b, "that it counted for nothing", s.moved ? "it moves the breaker" : "it counts");
}

static void begin_life(struct verifier *v, const struct nl_beat *b)
{
	v->p.known = false;
	if (b->step <= 1)
		nl_player_fresh(&v->p, b->kind == NL_BEAT_MOVED && b->epoch ? b->epoch - 1 : b->epoch);
}

/* Takes all beats of one step; how many. */
static size_t take_group(const struct nl_beat *b, size_t n, struct group *g)
{
	size_t i = 0;
	*g = (struct group){ .step = b->step };
	for (; i < n && b[i].step == b->step && b[i].life == b->life && b[i].kind <= NL_BEAT_MOVED; i++)
		*(b[i].kind == NL_BEAT_MOVED ? &g->moved : &g->result) = &b[i];
	return i;
}

static void walk(struct verifier *v)
{
	const struct nl_beat *b = v->tape->beat;
	uint32_t life = UINT32_MAX, next = 1;
	int64_t at_us = 0;
	for (size_t i = 0; i < v->tape->n && b[i].kind != NL_BEAT_REJECTED; ) {
		struct group g;
		bool saw = b[i].kind == NL_BEAT_SAW, first = b[i].life != life;
		if (first)
			begin_life(v, &b[i]), next = 1, at_us = 0;
		life = b[i].life;
		uint32_t step = b[i].step + saw;        // In front of it are those before.
		if (step > next && !first)
			v->p.known = false, put_gap(v, next, step - 1);
		if (saw) {
			next = step > next ? step : next;
			check_unchanged(v, &b[i++]);
			continue;
		}
		if (b[i].at_us < at_us)
			put_difference(v, &b[i], "that it was before the step in front of it", "steps are one after the other");
		at_us = b[i].at_us, next = b[i].step + 1;
		i += take_group(&b[i], v->tape->n - i, &g);
		play(v, &g);
	}
}

static void put_json(struct verifier *v)
{
	struct nl_out *o = v->o;
	nl_out_begin(o, NULL, '{');
	nl_out_str(o, "policy", v->tape->policy);
	nl_out_str(o, "kind", "breaker");
	nl_out_bool(o, "verified", !v->differences && v->results + v->moves > 0);
	nl_out_uint(o, "results", v->results);
	nl_out_uint(o, "transitions", v->moves);
	nl_out_uint(o, "missing", v->missing);
	nl_out_uint(o, "different", v->differences);
	nl_out_begin(o, "differences", '[');
	nl_out_bytes(o, v->found.buf, v->found.n);
	nl_out_put(o, "]}\n");
}

static void put_text(struct verifier *v)
{
	char safe[256];
	const char *how = v->differences ? "DIFFERENT" : v->results + v->moves ? "verified" : "nothing to verify";
	nl_out_put(v->o, "breaker/%s  %s: %llu result%s, %llu transition%s\n", nl_safe_text(v->tape->policy, 40, safe), how, (unsigned long long)v->results,
	           v->results == 1 ? "" : "s", (unsigned long long)v->moves, v->moves == 1 ? "" : "s");
	nl_out_bytes(v->o, v->found.buf, v->found.n);
	if (v->differences > SHOWN)
		nl_out_put(v->o, "  and %llu more\n", (unsigned long long)(v->differences - SHOWN));
}

static int verify(struct verifier *v, const struct nl_tapes *t, struct nl_tape *tape, struct nl_err *err)
{
	v->tape = tape, v->p = nl_player_of(t);
	v->results = v->moves = v->differences = v->missing = 0;
	nl_out_init(&v->found, 1 << 20);
	if (nl_tape_by_step(tape) < 0)
		return nl_fail(err, "out of memory");
	walk(v);
	(v->ask->json ? put_json : put_text)(v);
	nl_out_free(&v->found);
	v->wrong |= v->differences > 0;
	return 0;
}

static int verify_answer(struct nl_ask *ask, struct nl_out *o, struct nl_err *err)
{
	struct nl_tapes *t = ask->data;
	struct verifier v = { .ask = ask, .o = o };
	if (t->starved || t->texts.starved)
		return nl_fail(err, "out of memory");
	for (struct nl_tape *tape = t->first; tape; tape = tape->next)
		if (verify(&v, t, tape, err) < 0)
			return -1;
	if (!t->first && t->only && !nl_ask_series(ask, t->only, err))
		return NOTHING;
	if (!t->first)
		nl_fail(err, "verify: there is no breaker in these events");
	return v.wrong ? DIFFERENT : v.any ? VERIFIED : NOTHING;
}

static int verify_begin(struct nl_ask *ask, struct nl_intake *in, struct nl_err *err)
{
	if (nl_ask_events(ask, in, "verify", err) < 0)
		return -1;
	struct nl_tapes *t = calloc(1, sizeof *t);
	if (!t)
		return nl_fail(err, "out of memory");
	t->only = ask->args ? ask->arg[0] : NULL;
	ask->data = t;
	nl_tapes_listen(t, in);
	return 0;
}

static void verify_end(struct nl_ask *ask)
{
	if (ask->data)
		nl_tapes_free(ask->data);
	free(ask->data);
	ask->data = NULL;
}

const struct nl_query nl_q_verify = {
	.name = "verify", .args = "[BREAKER]", .about = "did the breakers do what their rules say?", .most = 1, .begin = verify_begin,
	.answer = verify_answer, .end = verify_end,
};
