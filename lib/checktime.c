/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checktime.c - rules about limits, numbers and waits.
 */
#include "bounds.h"
#include "check.h"
#include "circuit.h"
#include "opt.h"

#include <stdio.h>

#define SAY(f, ...) ((void)snprintf((f)->why, sizeof (f)->why, __VA_ARGS__))

static nl_time limit_of(const struct nl_term *t)
{
	const struct nl_span *s = nl_opt_field(t->svc, "limit", NL_SPAN);
	return s && s->ns ? s->ns : NL_NEVER;
}

/* A limit that something else always comes before. */
static bool never_fires(const struct nl_checked *c, const struct nl_term *t, struct nl_finding *f)
{
	struct nl_around around = nl_term_around(t);
	bool timeout = t->kind == NL_TERM_TIMEOUT;
	nl_time limit = timeout ? limit_of(t) : t->kind == NL_TERM_RETRY ? nl_term_span(t, "per-attempt", 0) : 0;
	char label[80];
	if (!limit || limit == NL_NEVER || (timeout && nl_term_span(t, "idle", 0)))
		return false;
	if (around.limit <= limit && around.by->grace <= t->grace) {
		SAY(f, "%s ends what is inside of it no later than after %s: this limit of %s never comes to its turn.",
		    nl_term_label(around.by, label, sizeof label), nl_checked_secs(c, around.limit), nl_checked_secs(c, limit));
	} else {
		nl_time most = nl_term_longest(c, t->inner);
		const struct nl_term *leaf = t->inner;
		while (leaf->inner)
			leaf = leaf->inner;
		if (most > limit || leaf->grace_by == t->e || leaf->kind == NL_TERM_FAIL)
			return false;
		SAY(f, "What is inside lasts %s at most, the grace of deaf commands included: this limit of %s never fires.",
		    nl_checked_secs(c, most), nl_checked_secs(c, limit));
	}
	f->scene = (struct nl_scene){ .dur = NL_NEVER, .deaf = true, .lucky = true };
	nl_finding_edit(f, timeout ? (struct nl_edit){ .what = NL_EDIT_REMOVE, .at = t->e }
	                           : (struct nl_edit){ .what = NL_EDIT_UNSET, .at = t->e, .key = "per-attempt" });
	return true;
}

/* Attempts of all retries on the way to a command, the most of all ways. */
static uint64_t product(const struct nl_term *t, unsigned *retries)
{
	uint64_t most = 1, mine = t->kind == NL_TERM_RETRY ? nl_term_num(t, "attempts", 3) : 1;
	unsigned deepest = 0;
	for (const struct nl_term *i = t->inner; i; i = i->next) {
		unsigned n = 0;
		uint64_t p = product(i, &n);
		if (n > deepest || (n == deepest && p > most))
			most = p, deepest = n;
	}
	*retries = deepest + (mine != 1);
	return !mine || most == UINT64_MAX || most > UINT64_MAX / mine ? UINT64_MAX : most * mine;
}

static void remove_retries(const struct nl_term *t, struct nl_finding *f)
{
	for (const struct nl_term *i = t->inner; i; i = i->next) {
		if (i->kind == NL_TERM_RETRY)
			nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_REMOVE, .at = i->e });
		remove_retries(i, f);
	}
}

static bool amplifies(const struct nl_checked *c, const struct nl_term *t, struct nl_finding *f)
{
	unsigned retries = 0;
	if (t->kind != NL_TERM_RETRY || nl_term_around(t).limit == 0)
		return false;
	for (const struct nl_term *o = t->outer; o; o = o->outer)
		if (o->kind == NL_TERM_RETRY)
			return false;           // It is told of the outermost.
	uint64_t runs = product(t, &retries);
	if (retries < 2 || runs <= 8)
		return false;
	(void)c;
	if (runs == UINT64_MAX)
		SAY(f, "%u retries inside each other, one of them without limit: the command runs without end while the service is down.", retries);
	else
		SAY(f, "%u retries inside each other multiply: one call runs the command %llu times while the service is down. "
		    "One place to retry is enough, the outermost.", retries, (unsigned long long)runs);
	f->scene = (struct nl_scene){ .status = 1 };
	remove_retries(t, f);
	return true;
}

/* Times that a call of all makes it called, while all fails. */
static uint64_t calls_of(const struct nl_term *t)
{
	uint64_t calls = 1;
	for (const struct nl_term *o = t->outer; o; o = o->outer) {
		uint64_t n = o->kind == NL_TERM_RETRY ? nl_term_num(o, "attempts", 3) : o->kind == NL_TERM_RACE ? nl_term_num(o, "hedge", 1) : 1;
		if (!n || calls > UINT64_MAX / n)
			return UINT64_MAX;
		calls *= n;
	}
	return calls;
}

static bool trips_itself(const struct nl_checked *c, const struct nl_term *t, struct nl_finding *f)
{
	if (t->kind != NL_TERM_BREAKER)
		return false;
	uint32_t failures = nl_breaker_config(t->svc).failures;
	uint64_t calls = calls_of(t);
	const struct nl_term *retry = t->outer;
	while (retry && (retry->kind != NL_TERM_RETRY || nl_term_num(retry, "attempts", 3) == 1))
		retry = retry->outer;
	if (!failures || calls < failures || !retry)
		return false;
	f->scene = (struct nl_scene){ .status = 1, .calls = 2 };
	if (calls == UINT64_MAX) {
		SAY(f, "It opens after %u failures, and the retry around it makes more of them without end: one unlucky call opens it for all.", failures);
		nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_SET, .at = retry->e, .key = "attempts",
		                .value = nl_checked_text(c, "%u", failures > 2 ? failures - 1 : 1) });
	} else {
		SAY(f, "It opens after %u failures, and one call alone makes %llu: one unlucky call opens it for all.", failures,
		    (unsigned long long)calls);
	}
	if (calls < UINT64_MAX || failures < 2)
		nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_SET, .at = t->e, .key = "failures",
		                .value = nl_checked_text(c, "%llu", calls == UINT64_MAX ? 2 : (unsigned long long)calls + 1) });
	return true;
}

static bool waits_for_ever(const struct nl_checked *c, const struct nl_term *t, struct nl_finding *f)
{
	bool gate = nl_term_is_gate(t), retry = t->kind == NL_TERM_RETRY;
	if ((!gate && !retry) || nl_term_around(t).limit < NL_NEVER)
		return false;
	(void)c;
	if (retry) {
		if (nl_term_num(t, "attempts", 3) || nl_term_span(t, "total", 0))
			return false;
		SAY(f, "Attempts without limit, and nothing says when to give up: it goes on as long as the service is down.");
		f->scene = (struct nl_scene){ .status = 1, .lucky = true };
		nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_SET, .at = t->e, .key = "total", .value = "1h" });
		return true;
	}
	const struct nl_span *wait = nl_opt_field(t->svc, "wait", NL_SPAN);
	const struct nl_num *queue = nl_opt_field(t->svc, "queue", NL_NUM);
	if (wait->given ? wait->ns < NL_NEVER : !queue || !queue->given)
		return false;
	SAY(f, "%s, and no limit around it: a call may wait here for ever.",
	    t->kind == NL_TERM_BREAKER ? "It waits for the breaker to close" : "It waits for a turn");
	f->scene = (struct nl_scene){ .status = 1, .kept_out = true };
	nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_SET, .at = t->e, .key = "wait", .value = "30s" });
	return true;
}

static bool never_begins(const struct nl_checked *c, const struct nl_term *t, struct nl_finding *f)
{
	struct nl_around around = nl_term_around(t);
	char label[80];
	if (t->kind != NL_TERM_RETRY || nl_term_num(t, "attempts", 3) < 2)
		return false;
	nl_time total = nl_term_span(t, "total", 0), left = total && total < around.limit ? total : around.limit;
	uint64_t n = nl_term_num(t, "attempts", 3), m = nl_bounds_startable(t, left);
	if (m >= n)
		return false;
	SAY(f, "Attempt %llu would begin after %s at the earliest, and %s ends all at %s: of %llu attempts at most %llu ever begin.",
	    (unsigned long long)m + 1, nl_checked_secs(c, nl_bounds_least_slept(t, m + 1)),
	    left == total ? "--total" : nl_term_label(around.by, label, sizeof label), nl_checked_secs(c, left), (unsigned long long)n,
	    (unsigned long long)m);
	f->scene = (struct nl_scene){ .status = 1 };
	nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_SET, .at = t->e, .key = "attempts", .value = nl_checked_text(c, "%llu", (unsigned long long)m) });
	return true;
}

static bool never_slow(const struct nl_checked *c, const struct nl_term *t, struct nl_finding *f)
{
	nl_time slow = t->kind == NL_TERM_BREAKER ? nl_term_span(t, "slow", 0) : 0;
	if (!slow || slow == NL_NEVER)
		return false;
	nl_time most = nl_term_longest(c, t->inner);
	if (most > slow || most < 2)
		return false;
	SAY(f, "A call is slow when it takes longer than %s, and what is inside takes %s at most: none ever is.", nl_checked_secs(c, slow),
	    nl_checked_secs(c, most));
	f->scene = (struct nl_scene){ .dur = NL_NEVER, .deaf = true };
	nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_SET, .at = t->e, .key = "slow", .value = nl_checked_secs(c, most / 2) });
	return true;
}

static bool probes_long(const struct nl_checked *c, const struct nl_term *t, struct nl_finding *f)
{
	if (t->kind != NL_TERM_BREAKER)
		return false;
	struct nl_circuit_cfg cfg = nl_breaker_config(t->svc);
	nl_time most = nl_term_longest(c, t->inner);
	if (most == NL_NEVER || most < cfg.open_ns)
		return false;
	SAY(f, "It rests for %s, and a probe that hangs takes up to %s: while the service is down somebody is hanging more than half of the time.",
	    nl_checked_secs(c, cfg.open_ns), nl_checked_secs(c, most));
	nl_time twice = nl_after(most, most);
	twice = twice > NL_SEC ? (twice + NL_SEC - 1) / NL_SEC * NL_SEC : twice;
	f->scene = (struct nl_scene){ .dur = NL_NEVER, .deaf = true, .calls = cfg.failures ? cfg.failures + 2 : 12, .pause = cfg.open_ns };
	nl_finding_edit(f, (struct nl_edit){ .what = NL_EDIT_SET, .at = t->e, .key = "open", .value = nl_checked_secs(c, twice) });
	return true;
}

const struct nl_rule_of nl_rules_of_time[] = {
	{ "NL001", NL_CAUTION, never_fires }, { "NL002", NL_CAUTION, amplifies }, { "NL004", NL_CAUTION, trips_itself },
	{ "NL010", NL_CAUTION, waits_for_ever }, { "NL012", NL_CAUTION, never_begins }, { "NL013", NL_CAUTION, never_slow },
	{ "NL014", NL_CAUTION, probes_long }, { .code = NULL },
};
