/* SPDX-License-Identifier: Apache-2.0 */
/*
 * switch.c - open, close, disable, enable and reset: a person's word to a
 * policy, by the very machine that its callers step.
 */
#include "control.h"

#include "budget.h"
#include "circuit.h"
#include "circuittell.h"

#include <stdio.h>
#include <string.h>

/* One step of a breaker under the guard; told when the guard is free. */
static int step_locked(struct nl_ctx *c, struct nl_state *s, struct nl_record *rec, enum nl_circuit_event event,
                       struct nl_circuit_step *step)
{
	struct nl_circuit *body = (struct nl_circuit *)rec->body;
	if (nl_state_lock(s, rec, NL_GUARD_SPAN) < 0)
		return nl_refuse_state(c, s);
	snprintf(c->old, sizeof c->old, "%s", nl_circuit_name((enum nl_circuit_state)body->state));
	*step = nl_circuit_step(NULL, body, &rec->head.epoch,
	                        &(struct nl_circuit_input){ .event = event, .now = nl_boottime(c->run), .uid = c->identity.uid });
	if (event == NL_RESET && nl_arg_is(c, "shape"))
		body->cfg.shape = (struct nl_shape){ .kind = NL_WINDOW_NONE };
	if (nl_state_write(s, rec) < 0)
		return nl_refuse_state(c, s);
	snprintf(c->new, sizeof c->new, "%s", nl_circuit_name((enum nl_circuit_state)body->state));
	c->gen = rec->head.cfg;
	return 0;
}

static void step_breaker(struct nl_ctx *c, enum nl_circuit_event event, const char *result)
{
	struct nl_state s;
	struct nl_record rec;
	struct nl_circuit_step step = { .moved = false };
	if (c->kind != &nl_kind_breaker) {
		nl_refuse(c, NL_INVALID_ARGS, c->target, "%s: %s: is no breaker", c->name, c->target);
		return;
	}
	if (nl_ctx_open(c, &s, NL_EXISTING) < 0)
		return;
	int r = step_locked(c, &s, &rec, event, &step);
	nl_state_unlock(&s);
	if (r == 0) {
		struct nl_svc as = *c->svc;
		struct nl_span_of of = c->of;
		as.layer = &nl_breaker, as.id = c->policy;      // The breaker's own event.
		of.svc = &as;
		c->told = step.moved && (event != NL_RESET || step.from != NL_CLOSED);
		const struct nl_circuit *now = (struct nl_circuit *)rec.body;
		if (c->told)
			nl_circuit_tell(c->run, of, &step, now, rec.head.epoch, NULL);
		else if (step.changed)
			c->epoch = rec.head.epoch, c->step = now->steps, c->at_us = now->since / NL_US;
		nl_reply_done(c, result, rec.head.epoch);
	}
	nl_state_tell(&s, c->of);
	nl_state_close(&s);
}

static void open_call(struct nl_ctx *c)
{
	step_breaker(c, NL_FORCE_OPEN, "ack");
}

static void close_call(struct nl_ctx *c)
{
	step_breaker(c, nl_arg_is(c, "force") ? NL_FORCE_CLOSED : NL_RESET, "ack");
}

static void disable_call(struct nl_ctx *c)
{
	step_breaker(c, NL_DISABLE, "ack");
}

static void enable_call(struct nl_ctx *c)
{
	step_breaker(c, NL_RESET, "ack");
}

/* A budget keeps its profile, unless that is to go too. */
static void refill(struct nl_budget *b)
{
	struct nl_budget_cfg cfg = b->cfg;
	uint32_t set = b->set;
	*b = (struct nl_budget){ .cfg = cfg, .set = set, .tokens = cfg.max };
}

/* What is no breaker has a body of counters, which are made anew; live values stay. */
static void reset_other(struct nl_ctx *c)
{
	struct nl_state s;
	struct nl_record rec;
	if (nl_ctx_open(c, &s, NL_EXISTING) < 0)
		return;
	int r = nl_state_lock(&s, &rec, NL_GUARD_SPAN);
	if (r == 0) {
		if (c->kind == &nl_kind_budget && !nl_arg_is(c, "shape"))
			refill((struct nl_budget *)rec.body);
		else
			memset(rec.body, 0, sizeof rec.body);   // A bulkhead finds its holders by their locks.
		rec.head.epoch++;
		c->gen = rec.head.cfg;
		r = nl_state_write(&s, &rec);
	}
	nl_state_unlock(&s);
	if (r < 0)
		nl_refuse_state(c, &s);
	else
		nl_reply_done(c, "reset", rec.head.epoch);
	nl_state_tell(&s, c->of);
	nl_state_close(&s);
}

static void reset_call(struct nl_ctx *c)
{
	if (c->kind == &nl_kind_breaker)
		step_breaker(c, NL_RESET, "reset");
	else if (nl_arg_is(c, "shape") && c->kind != &nl_kind_budget)
		nl_refuse(c, NL_INVALID_ARGS, "shape", "reset: %s: has no window and no profile", c->target);
	else
		reset_other(c);
}

static const struct nl_arg policy_args[] = { { "policy", NL_JSON_STRING, true }, { .name = NULL } };
static const struct nl_arg close_args[] = { { "policy", NL_JSON_STRING, true }, { "force", NL_JSON_TRUE, false }, { .name = NULL } };
static const struct nl_arg reset_args[] = { { "policy", NL_JSON_STRING, true }, { "shape", NL_JSON_TRUE, false }, { .name = NULL } };

const struct nl_command nl_cmd_open = {
	.name = "open", .usage = "BREAKER", .about = "reject every call, until another word", .args = policy_args, .writes = true,
	.handler = open_call,
};
const struct nl_command nl_cmd_close = {
	.name = "close", .usage = "[--force] BREAKER", .about = "close it; --force: keep it closed, until another word",
	.args = close_args, .writes = true, .handler = close_call,
};
const struct nl_command nl_cmd_disable = {
	.name = "disable", .usage = "BREAKER", .about = "run every call and count nothing, until another word", .args = policy_args,
	.writes = true, .handler = disable_call,
};
const struct nl_command nl_cmd_enable = {
	.name = "enable", .usage = "BREAKER", .about = "let it decide by itself again", .args = policy_args, .writes = true,
	.handler = enable_call,
};
const struct nl_command nl_cmd_reset = {
	.name = "reset", .usage = "[--shape] POLICY", .about = "forget what was counted; --shape: window, profile",
	.args = reset_args, .writes = true, .handler = reset_call,
};
