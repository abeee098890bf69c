/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spend.c - see spend.h.  budget.c decides; this keeps its record.
 *
 * The profile is the record's: its tokens have a meaning in that one alone.
 * What nl-ctl has set is applied at each step, so a change acts at once.
 */
#include "spend.h"

#include "opt.h"
#include "parse.h"
#include "run.h"

#include <stdio.h>
#include <string.h>

/* No layer of a stack: only the types of what can be set while it is used. */
struct settings {
	struct nl_svc svc;
	struct nl_real max, cost, timeout_cost, throttle_cost, deposit;
	struct nl_num min;
	struct nl_span ttl;
};

static const struct nl_opt options[] = {
	NL_OPT(0, "max", struct settings, max, "TOKENS", "capacity", NULL),
	NL_OPT(0, "cost", struct settings, cost, "TOKENS", "of a retry", NULL),
	NL_OPT(0, "timeout-cost", struct settings, timeout_cost, "TOKENS", "of a retry after a timeout", NULL),
	NL_OPT(0, "throttle-cost", struct settings, throttle_cost, "TOKENS", "of a retry after a rejection", NULL),
	NL_OPT(0, "deposit", struct settings, deposit, "TOKENS", "for a success at first; finagle: for each request", NULL),
	NL_OPT(0, "ttl", struct settings, ttl, "DURATION", "finagle: how long a deposit lasts", NULL),
	NL_OPT(0, "min", struct settings, min, "N", "finagle: retries a second that are free", NULL),
	{ 0 }
};

static const struct nl_layer layer = { .name = "budget", .opts = options, .size = sizeof(struct settings) };

static enum nl_trouble check(void *body, nl_time now)
{
	int r = nl_budget_sane(body, now);
	return r < 0 ? NL_CORRUPT : r > 0 ? NL_CLOCK : NL_FINE;
}

const struct nl_kind nl_kind_budget = { .name = "budget", .id = 3, .layer = &layer, .check = check };

int nl_budget_ref_parse(const char *text, struct nl_budget_ref *ref, struct nl_err *err)
{
	const char *colon = strchr(text, ':'), *name;
	size_t n = colon ? (size_t)(colon - text) : strlen(text);
	*ref = (struct nl_budget_ref){ .profile = NL_BUDGET_AWS_20, .profiled = colon != NULL };
	if (n > NL_NAME_MAX)
		return nl_fail(err, "NAME: longer than %d characters", NL_NAME_MAX);
	memcpy(ref->name, text, n);
	if (nl_parse_name(ref->name, &name, err) < 0)
		return -1;
	for (int i = 0; colon && i < NL_BUDGET_KINDS; i++) {
		if (!strcmp(colon + 1, nl_budget_name((enum nl_budget_kind)i))) {
			ref->profile = (enum nl_budget_kind)i;
			return 0;
		}
	}
	return colon ? nl_fail(err, "'%.40s': unknown profile (aws-2.0, aws-2.1, grpc, finagle)", colon + 1) : 0;
}

static int64_t thousandths(struct nl_real r, int64_t otherwise)
{
	return !r.given ? otherwise : r.x < 1e9 ? (int64_t)(r.x * 1000 + 0.5) : INT64_C(1000000000000);
}

/* What holds: the record's profile, and what was set since. */
static struct nl_budget_cfg config(const struct nl_spend *s, const struct nl_record *rec)
{
	const struct nl_budget *b = (const struct nl_budget *)rec->body;
	struct nl_budget_cfg cfg = nl_budget_profile(b->set ? (enum nl_budget_kind)b->cfg.kind : s->ref->profile);
	struct settings set = { .svc = { .layer = &layer, .pin = s->pin } };
	nl_live_apply(rec, &set.svc);
	cfg.max = thousandths(set.max, cfg.max);
	cfg.cost = thousandths(set.cost, cfg.cost);
	cfg.timeout_cost = thousandths(set.timeout_cost, cfg.timeout_cost);
	cfg.throttle_cost = thousandths(set.throttle_cost, cfg.throttle_cost);
	cfg.deposit = thousandths(set.deposit, cfg.deposit);
	cfg.min_per_s = set.min.given ? set.min.n && set.min.n < 1000000 ? set.min.n : 1000000 : cfg.min_per_s;
	cfg.ttl_ns = set.ttl.given && set.ttl.ns && set.ttl.ns <= 24 * 3600 * NL_SEC ? set.ttl.ns : cfg.ttl_ns;
	return cfg;
}

static void prepare(const struct nl_spend *s, struct nl_record *rec)
{
	struct nl_budget *b = (struct nl_budget *)rec->body;
	bool fresh = !b->set;
	b->cfg = config(s, rec);
	b->set = 1;
	if (fresh || b->tokens > b->cfg.max)
		b->tokens = b->cfg.max;
}

NL_COLD static void tell_conflict(const struct nl_spend *s, enum nl_budget_kind theirs)
{
	struct nl_event e;
	if (!nl_event_open(&e, s->run, s->of, "nl.policy.conflict", NL_WARN))
		return;
	nl_event_str(&e, "key", "budget", 16);
	nl_event_str(&e, "mine", nl_budget_name(s->ref->profile), 32);
	nl_event_str(&e, "theirs", nl_budget_name(theirs), 32);
	nl_event_human(&e, "retry: the budget %.64s is %s's: see nl-ctl reset --shape", s->ref->name, nl_budget_name(theirs));
	nl_event_emit(&e);
}

/* One step, under the guard; where it would change nothing, without. */
NL_COLD static int64_t step(struct nl_spend *s, enum nl_budget_event event, enum nl_budget_cause cause)
{
	struct nl_record rec, was;
	int64_t r = 0;
	if (!s->open || nl_state_read(&s->state, &rec) < 0)
		return 0;
	was = rec;
	for (int locked = 0; locked < 2; locked++) {
		struct nl_budget *b = (struct nl_budget *)rec.body;
		nl_time now = nl_boottime(s->run);
		prepare(s, &rec);
		r = nl_budget_step(b, event, cause, s->held, now);
		if (r < 0) {
			s->tokens = nl_budget_balance(b, now);
			s->cost = cause == NL_CAUSE_TIMEOUT ? b->cfg.timeout_cost : cause == NL_CAUSE_THROTTLE ? b->cfg.throttle_cost : b->cfg.cost;
		}
		if (locked || !memcmp(&was, &rec, sizeof rec))
			break;
		if (nl_state_lock(&s->state, &rec, NL_GUARD_SPAN) < 0)
			return 0;
	}
	if (s->state.locked)
		(void)nl_state_write(&s->state, &rec);  // What fails is noted, and told at the end.
	nl_state_unlock(&s->state);
	return r;
}

void nl_spend_open(struct nl_spend *s, struct nl_run *run, struct nl_span_of of, const struct nl_budget_ref *ref,
                   const char *dir, bool pin)
{
	struct nl_record rec;
	*s = (struct nl_spend){ .run = run, .of = of, .ref = ref, .pin = pin };
	s->open = nl_state_open(&s->state, run, dir, &nl_kind_budget, ref->name, NL_CREATE) == 0;
	if (s->open && ref->profiled && nl_state_read(&s->state, &rec) == 0) {
		const struct nl_budget *b = (const struct nl_budget *)rec.body;
		if (b->set && b->cfg.kind != ref->profile)
			tell_conflict(s, (enum nl_budget_kind)b->cfg.kind);
	}
	step(s, NL_BUDGET_REQUEST, NL_CAUSE_ERROR);
	nl_state_tell(&s->state, of);
}

void nl_spend_failed(struct nl_spend *s, enum nl_budget_cause cause)
{
	step(s, NL_BUDGET_FAILED, cause);
}

bool nl_spend_retry(struct nl_spend *s, enum nl_budget_cause cause)
{
	int64_t r = step(s, NL_BUDGET_RETRY, cause);
	s->held = r > 0 ? r : 0;
	return r >= 0;
}

void nl_spend_ok(struct nl_spend *s)
{
	step(s, NL_BUDGET_OK, NL_CAUSE_ERROR);
}

void nl_spend_close(struct nl_spend *s)
{
	nl_state_tell(&s->state, s->of);
	nl_state_close(&s->state);
}
