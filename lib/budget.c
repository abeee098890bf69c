/* SPDX-License-Identifier: Apache-2.0 */
/*
 * budget.c - see budget.h.  All arithmetic is in thousandths of a token and
 * saturates at a bound that no budget needs.
 */
#include "budget.h"

#define MOST INT64_C(1000000000000000)  /* 10^12 tokens */
#define TOKEN 1000

const char *nl_budget_name(enum nl_budget_kind kind)
{
	static const char *const names[NL_BUDGET_KINDS] = {
		[NL_BUDGET_AWS_20] = "aws-2.0", [NL_BUDGET_AWS_21] = "aws-2.1", [NL_BUDGET_GRPC] = "grpc", [NL_BUDGET_FINAGLE] = "finagle",
	};
	return names[kind];
}

struct nl_budget_cfg nl_budget_profile(enum nl_budget_kind kind)
{
	static const struct nl_budget_cfg profiles[NL_BUDGET_KINDS] = {
		[NL_BUDGET_AWS_20] = { .max = 500 * TOKEN, .cost = 5 * TOKEN, .timeout_cost = 10 * TOKEN, .throttle_cost = 5 * TOKEN,
		                       .deposit = TOKEN },
		[NL_BUDGET_AWS_21] = { .max = 500 * TOKEN, .cost = 14 * TOKEN, .timeout_cost = 14 * TOKEN, .throttle_cost = 5 * TOKEN,
		                       .deposit = TOKEN },
		[NL_BUDGET_GRPC] = { .max = 10 * TOKEN, .cost = TOKEN, .timeout_cost = TOKEN, .throttle_cost = TOKEN, .deposit = TOKEN / 10 },
		[NL_BUDGET_FINAGLE] = { .cost = 5 * TOKEN, .timeout_cost = 5 * TOKEN, .throttle_cost = 5 * TOKEN, .deposit = TOKEN,
		                        .ttl_ns = 10 * NL_SEC, .min_per_s = 10 },
	};
	struct nl_budget_cfg cfg = profiles[kind];
	cfg.kind = kind;
	return cfg;
}

static int64_t cost_of(const struct nl_budget *b, enum nl_budget_cause cause)
{
	return cause == NL_CAUSE_TIMEOUT ? b->cfg.timeout_cost : cause == NL_CAUSE_THROTTLE ? b->cfg.throttle_cost : b->cfg.cost;
}

static int64_t bounded(int64_t tokens, int64_t most)
{
	return tokens < 0 ? 0 : tokens > most ? most : tokens;
}

static nl_time slice_span(const struct nl_budget *b)
{
	return b->cfg.ttl_ns >= NL_BUDGET_SLICES ? b->cfg.ttl_ns / NL_BUDGET_SLICES : 1;
}

/* Slices that are older than the time to live are empty. */
static void turn(struct nl_budget *b, nl_time now)
{
	int64_t slice = now / slice_span(b);
	if (slice - b->slice >= NL_BUDGET_SLICES || slice < b->slice)
		b->slice = slice - NL_BUDGET_SLICES;
	while (b->slice < slice) {
		b->slice++;
		if (b->slice >= 0)
			b->slices[b->slice % NL_BUDGET_SLICES] = 0;
	}
}

static void put(struct nl_budget *b, int64_t tokens)
{
	int64_t *slice = &b->slices[b->slice % NL_BUDGET_SLICES];
	if (*slice + tokens <= MOST && *slice + tokens >= -MOST)
		*slice += tokens;
}

int64_t nl_budget_balance(const struct nl_budget *b, nl_time now)
{
	struct nl_budget then = *b;
	if (b->cfg.kind != NL_BUDGET_FINAGLE)
		return b->tokens;
	turn(&then, now);
	int64_t sum = (int64_t)((double)b->cfg.min_per_s * ((double)b->cfg.ttl_ns / 1e9) * (double)b->cfg.cost);
	for (int i = 0; i < NL_BUDGET_SLICES; i++)
		sum += then.slices[i];
	return bounded(sum, MOST);
}

/* May a retry take so much?  gRPC asks for more than half, and takes nothing. */
static int64_t retry(struct nl_budget *b, enum nl_budget_cause cause, nl_time now)
{
	int64_t cost = b->cfg.kind == NL_BUDGET_GRPC ? 0 : cost_of(b, cause);
	int64_t has = nl_budget_balance(b, now);
	if (b->cfg.kind == NL_BUDGET_GRPC ? 2 * has <= b->cfg.max : has < cost) {
		b->refused++;
		return -1;
	}
	if (b->cfg.kind == NL_BUDGET_FINAGLE)
		put(b, -cost);
	else
		b->tokens -= cost;
	b->spent++;
	return cost;
}

int64_t nl_budget_step(struct nl_budget *b, enum nl_budget_event event, enum nl_budget_cause cause, int64_t held, nl_time now)
{
	bool grpc = b->cfg.kind == NL_BUDGET_GRPC, finagle = b->cfg.kind == NL_BUDGET_FINAGLE;
	if (finagle)
		turn(b, now);
	switch (event) {
	case NL_BUDGET_REQUEST:
		if (finagle)
			put(b, b->cfg.deposit);
		break;
	case NL_BUDGET_RETRY:
		return retry(b, cause, now);
	case NL_BUDGET_OK:                      // What the retry took comes back; a first success earns a little.
		if (!finagle)
			b->tokens = bounded(b->tokens + (held > 0 && !grpc ? held : b->cfg.deposit), b->cfg.max);
		break;
	case NL_BUDGET_FAILED:
		if (grpc)
			b->tokens = bounded(b->tokens - cost_of(b, cause), b->cfg.max);
		break;
	}
	return 0;
}

int nl_budget_sane(struct nl_budget *b, nl_time now)
{
	const struct nl_budget_cfg *c = &b->cfg;
	bool sane = c->kind < NL_BUDGET_KINDS && b->set <= 1 && c->max >= 0 && c->max <= MOST && c->cost >= 0 && c->cost <= MOST
	            && c->timeout_cost >= 0 && c->timeout_cost <= MOST && c->throttle_cost >= 0 && c->throttle_cost <= MOST
	            && c->deposit >= 0 && c->deposit <= MOST && c->ttl_ns >= 0 && c->min_per_s >= 0 && c->min_per_s <= 1000000
	            && b->tokens >= 0 && b->tokens <= MOST;
	for (int i = 0; i < NL_BUDGET_SLICES; i++)
		sane = sane && b->slices[i] >= -MOST && b->slices[i] <= MOST;
	if (!sane)
		return -1;
	if (c->kind != NL_BUDGET_FINAGLE || !b->set || (b->slice >= 0 && b->slice <= now / slice_span(b)))
		return 0;
	b->slice = 0;                           // Of a time to come: nothing of it counts.
	for (int i = 0; i < NL_BUDGET_SLICES; i++)
		b->slices[i] = 0;
	return 1;
}
