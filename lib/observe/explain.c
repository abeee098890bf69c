/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain.c - why did it open?  The rule, what it had counted, the very calls, who
 * had set the values, and what followed: from the event that tells of it, checked
 * against those of the calls.  Of other policies: the last failures.
 */
#include "observe/story.h"
#include "observe/trace.h"

#include "parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAILURES 10                     /* calls that are shown */
#define COMMANDS 8                      /* of persons */

struct failure { int64_t time_us, dur_us, attempts; uint64_t span; char cmd[40], end[40]; };
struct command { int64_t time_us, gen; char op[16], target[64], old[48], new[48], by[20]; };

struct explain {
	struct nl_listener base;
	struct nl_tapes tapes;
	struct failure failure[FAILURES];       /* rings */
	struct command command[COMMANDS];
	uint64_t failures, commands;
	struct nl_trace *trace;         /* of a span instead */
};

static const char *name_of(const char *policy)
{
	const char *slash = strchr(policy, '/');
	struct nl_quote kind = { policy, slash ? (unsigned)(slash - policy) : 0 };
	static const char *const kinds[] = { "breaker", "retry", "timeout", "bulkhead", "race", "fallback", "run" };
	for (unsigned i = 0; slash && i < sizeof kinds / sizeof *kinds; i++)
		if (strlen(kinds[i]) == kind.n && !memcmp(kinds[i], policy, kind.n))
			return slash + 1;
	return policy;
}

static void take_failure(struct explain *e, const struct nl_fact *f)
{
	struct failure *to = &e->failure[e->failures++ % FAILURES];
	*to = (struct failure){ .time_us = f->time_us, .dur_us = f->dur_us, .attempts = f->attempts, .span = f->span };
	nl_fact_str(f, "cmd", to->cmd, sizeof to->cmd);
	snprintf(to->end, sizeof to->end, "%.*s", (int)f->err.n, f->err.s);
}

static void take_command(struct explain *e, const struct nl_fact *f)
{
	struct command *to = &e->command[e->commands++ % COMMANDS];
	*to = (struct command){ .time_us = f->time_us, .gen = f->gen };
	nl_fact_str(f, "op", to->op, sizeof to->op);
	nl_fact_str(f, "target", to->target, sizeof to->target);
	nl_fact_str(f, "old", to->old, sizeof to->old);
	nl_fact_str(f, "new", to->new, sizeof to->new);
	nl_fact_str(f, "by", to->by, sizeof to->by);
}

static void explain_line(struct nl_listener *l, enum nl_line is, const struct nl_fact *f, const char *text, size_t n)
{
	struct explain *e = (struct explain *)l;
	const char *full = e->tapes.only, *name = name_of(full);
	(void)text, (void)n;
	if (!f || is == NL_LINE_DUP)
		return;
	if (strlen(name) != f->policy.n || memcmp(name, f->policy.s, f->policy.n))
		return;
	bool kind = name == full || (strlen(full) > f->kind.n && !memcmp(full, f->kind.s, f->kind.n) && full[f->kind.n] == '/');
	if (f->told == NL_TOLD_FAILURE && kind)
		take_failure(e, f);
	else if (f->told == NL_TOLD_COMMAND)
		take_command(e, f);
}

static int explain_begin(struct nl_ask *ask, struct nl_intake *in, struct nl_err *err)
{
	if (nl_ask_events(ask, in, "explain", err) < 0)
		return -1;
	struct explain *e = calloc(1, sizeof *e);
	if (!e)
		return nl_fail(err, "out of memory");
	ask->data = e;
	e->tapes.only = ask->arg[0];
	if (nl_trace_is_span(ask->arg[0])) {
		e->trace = nl_trace_listen(in, ask->arg[0]);
		return e->trace ? 0 : nl_fail(err, "out of memory");
	}
	nl_tapes_listen(&e->tapes, in);
	e->base.line = explain_line;
	nl_intake_listen(in, &e->base);
	return 0;
}

static const char *clock_text(int64_t us, char buf[32])
{
	char t[28];
	nl_time_text(us * NL_US, t);
	snprintf(buf, 32, "%.12s", t + 11);
	return buf;
}

static void put_rule(struct nl_out *o, const struct nl_story *s, const struct nl_circuit_cfg *r)
{
	const struct nl_beat *b = s->opened;
	char span[32];
	if (b->reason == NL_WHY_CONSECUTIVE)
		nl_out_put(o, "why         %u failure%s in a row; the rule: %u\n", b->failures, b->failures == 1 ? "" : "s", r->failures);
	else if (b->reason == NL_WHY_PROBE)
		nl_out_put(o, "why         a probe failed while it was half-open\n");
	else if (b->reason == NL_WHY_RATE)
		nl_out_put(o, "why         %u of %u calls failed; the rule: %.4g %%, of at least %u calls\n", b->failures, b->calls, r->rate_ppm / 1e4, r->min_calls);
	else if (b->reason == NL_WHY_SLOW)
		nl_out_put(o, "why         %u of %u calls took longer than %s; the rule: %.4g %%, of at least %u calls\n", s->counted, b->calls,
		           nl_span_text((double)r->slow_ns / 1e9, span), r->slow_ppm / 1e4, r->min_calls);
	if (b->shape.kind == NL_WINDOW_COUNT)
		nl_out_put(o, "window      the last %u calls\n", b->shape.n);
	else if (b->shape.kind == NL_WINDOW_TIME)
		nl_out_put(o, "window      %g s\n", (double)b->shape.width_ns * b->shape.n / 1e9);
}

static void put_calls(struct nl_out *o, const struct nl_story *s, const struct nl_tapes *t)
{
	char time[32], end[32], span[32], safe[256];
	nl_out_put(o, "%-11s %-12s  %-13s  %-13s %7s  %s\n", s->slow ? "slow" : "failed", "TIME", "COMMAND", "END", "TOOK", "SPAN");
	for (unsigned i = s->shown; i-- > 0; )
		nl_out_put(o, "%11s %-12s  %-13s  %-13s %7s  %016llx\n", "", clock_text(s->failed[i]->time_us, time),
		           nl_safe_text(t->texts.text[s->failed[i]->cmd], 13, safe), nl_story_end(s->failed[i]->ws, end),
		           nl_span_text((double)s->failed[i]->dur_us / 1e6, span), (unsigned long long)s->failed[i]->span);
	if (s->failures > s->shown)
		nl_out_put(o, "%11s and %u before these\n", "", s->failures - s->shown);
	for (unsigned i = 0; i < NL_STORY_ENDS && s->class[i].n; i++)
		nl_out_put(o, "%s%u %s%s", i ? ", " : "ends        ", s->class[i].n, s->class[i].end, i == NL_STORY_ENDS - 1 || !s->class[i + 1].n ? "\n" : "");
	nl_out_put(o, "checked     %s%u of %u %s calls are in these events\n", s->failures == s->counted ? "" : "DIFFERENT: ", s->failures, s->counted,
	           s->slow ? "slow" : "failing");
}

enum when { BEFORE, AFTER };

/* What persons did before it opened, or after. */
static void put_commands(struct nl_out *o, const struct explain *e, int64_t opened_us, enum when when)
{
	char time[32], a[256], b[256], c[256], d[256];
	uint64_t n = e->commands, from = n > COMMANDS ? n - COMMANDS : 0;
	for (uint64_t i = from; i < n; i++) {
		const struct command *k = &e->command[i % COMMANDS];
		if ((k->time_us > opened_us) == (when == AFTER))
			nl_out_put(o, "%11s %s by %s: %s %s%s%s\n", "", clock_text(k->time_us, time), nl_safe_text(k->by, 14, a), nl_safe_text(k->op, 8, b),
			           nl_safe_text(k->target, 20, c), *k->new ? " " : "", nl_safe_text(k->new, 12, d));
	}
}

static void put_values(struct nl_out *o, const struct explain *e, const struct nl_story *s)
{
	char safe[256];
	const char *cfg = e->tapes.texts.text[s->opened->cfg];
	nl_out_put(o, "values      %s\n", *cfg ? nl_safe_text(cfg, 66, safe) : "those by default");
	put_commands(o, e, s->opened->time_us, BEFORE);
}

static void put_sequel(struct nl_out *o, const struct explain *e, const struct nl_story *s)
{
	char time[32], span[32];
	nl_out_put(o, "then        %u call%s rejected\n", s->rejected, s->rejected == 1 ? " was" : "s were");
	if (s->tried)
		nl_out_put(o, "%11s %s tried again%s\n", "", clock_text(s->tried->time_us, time), s->reopened ? "; that failed" : "");
	if (s->reopened > 1)
		nl_out_put(o, "%11s %u more probes failed\n", "", s->reopened - 1);
	if (s->closed)
		nl_out_put(o, "%11s %s closed, after %s\n", "", clock_text(s->closed->time_us, time),
		           nl_span_text((double)(s->closed->at_us - s->opened->at_us) / 1e6, span));
	else
		nl_out_put(o, "%11s it has not closed\n", "");
	put_commands(o, e, s->opened->time_us, AFTER);
}

static void put_breaker(struct nl_out *o, const struct explain *e, const struct nl_tape *t, const struct nl_story *s)
{
	char safe[256], time[28];
	struct nl_circuit_cfg rules = { 0 };
	struct nl_err err;
	(void)nl_tape_rules(e->tapes.texts.text[s->opened->cfg], NULL, 0, &rules, &err);
	nl_time_text(s->opened->time_us * NL_US, time);
	time[10] = ' ';
	nl_out_put(o, "breaker/%s opened at %.19s UTC, from %s\n", nl_safe_text(t->policy, 30, safe), time,
	           nl_circuit_name((enum nl_circuit_state)s->opened->from));
	put_rule(o, s, &rules);
	put_calls(o, s, &e->tapes);
	put_values(o, e, s);
	put_sequel(o, e, s);
}

static void put_commands_json(struct nl_out *o, const struct explain *e)
{
	uint64_t n = e->commands, from = n > COMMANDS ? n - COMMANDS : 0;
	nl_out_begin(o, "commands", '[');
	for (uint64_t i = from; i < n; i++) {
		const struct command *k = &e->command[i % COMMANDS];
		nl_out_begin(o, NULL, '{');
		nl_out_time(o, "time", k->time_us * NL_US);
		nl_out_str(o, "op", k->op);
		nl_out_str(o, "target", k->target);
		nl_out_str(o, "new", k->new);
		nl_out_str(o, "by", k->by);
		nl_out_end(o, '}');
	}
	nl_out_end(o, ']');
}

static void put_breaker_json(struct nl_out *o, const struct explain *e, const struct nl_tape *t, const struct nl_story *s)
{
	char end[32], span[20];
	nl_out_begin(o, NULL, '{');
	nl_out_str(o, "policy", t->policy);
	nl_out_str(o, "kind", "breaker");
	nl_out_time(o, "opened", s->opened->time_us * NL_US);
	nl_out_str(o, "from", nl_circuit_name((enum nl_circuit_state)s->opened->from));
	nl_out_str(o, "reason", nl_circuit_reason_name((enum nl_circuit_reason)s->opened->reason));
	nl_out_uint(o, "failures", s->opened->failures);
	nl_out_uint(o, "calls", s->opened->calls);
	if (s->slow)
		nl_out_uint(o, "slow", s->counted);
	nl_out_uint(o, "found", s->failures);
	nl_out_begin(o, "ends", '{');
	for (unsigned i = 0; i < NL_STORY_ENDS && s->class[i].n; i++)
		nl_out_uint(o, s->class[i].end, s->class[i].n);
	nl_out_end(o, '}');
	nl_out_str(o, "cfg", e->tapes.texts.text[s->opened->cfg]);
	nl_out_begin(o, "failed", '[');
	for (unsigned i = s->shown; i-- > 0; ) {
		nl_out_begin(o, NULL, '{');
		nl_out_time(o, "time", s->failed[i]->time_us * NL_US);
		nl_out_str(o, "cmd", e->tapes.texts.text[s->failed[i]->cmd]);
		nl_out_str(o, "end", nl_story_end(s->failed[i]->ws, end));
		nl_out_secs(o, "dur_s", s->failed[i]->dur_us * NL_US);
		snprintf(span, sizeof span, "%016llx", (unsigned long long)s->failed[i]->span);
		nl_out_str(o, "span_id", span);
		nl_out_end(o, '}');
	}
	nl_out_end(o, ']');
	nl_out_uint(o, "rejected", s->rejected);
	nl_out_uint(o, "probes_failed", s->reopened);
	if (s->tried)
		nl_out_time(o, "tried", s->tried->time_us * NL_US);
	if (s->closed)
		nl_out_time(o, "closed", s->closed->time_us * NL_US);
	put_commands_json(o, e);
	nl_out_put(o, "}\n");
}

/* Of what has no opening: its last failures. */
static void put_failures(struct nl_ask *ask, struct nl_out *o, const struct explain *e)
{
	char time[32], span[32], id[20], a[256], b[256];
	uint64_t n = e->failures, from = n > FAILURES ? n - FAILURES : 0;
	if (!ask->json)
		nl_out_put(o, "%s  %llu failure%s%s\n", nl_safe_text(ask->arg[0], 40, a), (unsigned long long)n, n == 1 ? "" : "s", n > FAILURES ? ", the last" : "");
	if (!ask->json && n)
		nl_out_put(o, "%-12s  %-16s  %-14s %7s  %8s  %s\n", "TIME", "COMMAND", "END", "TOOK", "ATTEMPTS", "SPAN");
	for (uint64_t i = from; i < n; i++) {
		const struct failure *f = &e->failure[i % FAILURES];
		snprintf(id, sizeof id, "%016llx", (unsigned long long)f->span);
		if (!ask->json) {
			nl_out_put(o, "%-12s  %-16s  %-14s %7s  %8lld  %s\n", clock_text(f->time_us, time), nl_safe_text(f->cmd, 16, a), nl_safe_text(f->end, 14, b),
			           nl_span_text((double)f->dur_us / 1e6, span), (long long)(f->attempts < 0 ? 1 : f->attempts), id);
			continue;
		}
		nl_out_begin(o, NULL, '{');
		nl_out_time(o, "time", f->time_us * NL_US);
		nl_out_str(o, "cmd", f->cmd);
		nl_out_str(o, "end", f->end);
		nl_out_secs(o, "dur_s", f->dur_us * NL_US);
		nl_out_str(o, "span_id", id);
		nl_out_put(o, "}\n");
	}
	if (!ask->json && e->commands) {
		nl_out_put(o, "commands\n");
		put_commands(o, e, INT64_MAX, BEFORE);
	}
}

static int explain_answer(struct nl_ask *ask, struct nl_out *o, struct nl_err *err)
{
	struct explain *e = ask->data;
	struct nl_story s;
	if (e->trace)
		return nl_trace_answer(e->trace, o, ask->json, err);
	if (!nl_ask_series(ask, ask->arg[0], err))
		return 1;
	struct nl_tape *t = e->tapes.first;
	if (e->tapes.starved || e->tapes.texts.starved || (t && nl_tape_by_step(t) < 0))
		return nl_fail(err, "out of memory");
	if (t && nl_story_find(&s, &e->tapes, t))
		(ask->json ? put_breaker_json : put_breaker)(o, e, t, &s);
	else
		put_failures(ask, o, e);
	return 0;
}

static void explain_end(struct nl_ask *ask)
{
	struct explain *e = ask->data;
	if (e)
		nl_tapes_free(&e->tapes), free(e->trace);
	free(e);
	ask->data = NULL;
}

const struct nl_query nl_q_explain = {
	.name = "explain", .args = "POLICY|SPAN", .about = "why a breaker opened, how calls failed, a call's tree", .least = 1, .most = 1,
	.begin = explain_begin, .answer = explain_answer, .end = explain_end,
};
