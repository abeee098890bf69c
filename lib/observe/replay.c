/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.c - what would have been under other values (replay.h): which, of what,
 * and what is asserted of it.
 */
#include "observe/replay.h"

#include "observe/condition.h"
#include "observe/observe.h"
#include "observe/stays.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOLDS, WARNING, CRITICAL, UNKNOWN };

struct target { char name[96]; struct nl_calls *calls; bool bulkhead; struct nl_stays stays; const char *set[NL_LIST_MOST]; unsigned n; int figures; struct nl_figure figure[NL_FIGURES]; };
struct replay { struct nl_tapes tapes; struct target target[NL_LIST_MOST]; unsigned n; };

static bool is_kind(const char *name, const char *kind)
{
	size_t n = strlen(kind);
	return !strncmp(name, kind, n) && name[n] == '/';
}

static int take_calls(struct target *t, const char *set, struct nl_err *err)
{
	const char *slash = strchr(t->name, '/');
	char kind[12];
	if (t->calls)
		return nl_fail(err, "replay: %.40s: more than one value", t->name);
	t->calls = calloc(1, sizeof *t->calls);
	if (!t->calls || !(t->calls->going = nl_going_new()))
		return nl_fail(err, "out of memory");
	snprintf(kind, sizeof kind, "%.*s", (int)(slash - t->name), t->name);
	return nl_calls_set(t->calls, kind, slash + 1, set, err);
}

/* "breaker/api.failures=3": the policy, and KEY=VALUE. */
static int take_set(struct replay *r, const char *text, struct nl_err *err)
{
	const char *value = strchr(text, '='), *dot = value;
	char name[96];
	struct nl_circuit_cfg cfg;
	while (dot && dot > text && *dot != '.')
		dot--;
	if (!value || *dot != '.' || (size_t)(dot - text) >= sizeof name)
		return nl_fail(err, "replay: --set '%.60s': KIND/NAME.KEY=VALUE is wanted", text);
	snprintf(name, sizeof name, "%.*s", (int)(dot - text), text);
	bool calls = is_kind(name, "retry") || is_kind(name, "timeout"), bulkhead = is_kind(name, "bulkhead");
	if (strchr(name, '/') && !is_kind(name, "breaker") && !calls && !bulkhead)
		return nl_fail(err, "replay: %.40s: breakers, bulkheads, retries and timeouts can be replayed", name);
	const char *is = is_kind(name, "breaker") ? name + 8 : name;
	struct target *t = r->target;
	while (t < r->target + r->n && strcmp(t->name, is))
		t++;
	if (t == r->target + r->n)
		r->n++;
	snprintf(t->name, sizeof t->name, "%s", is);
	if (calls)
		return take_calls(t, dot + 1, err);
	t->set[t->n++] = dot + 1;
	struct nl_err why = { "" };
	t->bulkhead = bulkhead;
	if (bulkhead)
		return nl_replay_bulkhead_set(dot + 1, &why) < 0 ? nl_fail(err, "replay: %.150s", why.msg) : 0;
	return nl_tape_rules("", &t->set[t->n - 1], 1, &cfg, &why) < 0 ? nl_fail(err, "replay: %.150s", why.msg) : 0;
}

static int replay_begin(struct nl_ask *ask, struct nl_intake *in, struct nl_err *err)
{
	struct nl_condition c[NL_CONDITIONS];
	struct nl_err why = { "" };
	if (nl_ask_events(ask, in, "replay", err) < 0)
		return -1;
	struct replay *r = calloc(1, sizeof *r);
	if (!r)
		return nl_fail(err, "out of memory");
	ask->data = r;
	if (!ask->opts || !ask->opts->what.set.n)
		return nl_fail(err, "replay: under which values? as in --set breaker/db.failures=3");
	for (unsigned i = 0; i < ask->opts->what.set.n; i++)
		if (take_set(r, ask->opts->what.set.text[i], err) < 0)
			return -1;
	if (ask->opts->what.assert_that && nl_conditions_read(ask->opts->what.assert_that, c, &why) < 0)
		return nl_fail(err, "replay: --assert %.150s", why.msg);
	nl_tapes_listen(&r->tapes, in);
	for (unsigned i = 0; i < r->n; i++) {
		if (r->target[i].calls)
			nl_intake_listen(in, &r->target[i].calls->base);
		if (r->target[i].bulkhead)
			nl_stays_listen(&r->target[i].stays, r->target[i].name + strlen("bulkhead/"), in);
	}
	return 0;
}

static const char *range(const struct nl_figure *f, char buf[72])
{
	char low[32], high[32];
	bool one = f->high - f->low < 1e-9;
	snprintf(buf, 72, one ? "%s" : "%s..%s", nl_number_text(f->low, low), nl_number_text(f->high, high));
	return buf;
}

static void put_recorded(struct nl_out *o, const struct target *t)
{
	char a[32];
	nl_out_begin(o, "recorded", '{');
	for (int i = 0; i < t->figures; i++)
		if (t->figure[i].was >= 0)
			nl_out_raw(o, t->figure[i].name, a, strlen(nl_number_text(t->figure[i].was, a)));
	nl_out_end(o, '}');
	nl_out_put(o, "}\n");
}

static void put(struct nl_ask *ask, struct nl_out *o, const struct target *t)
{
	char a[72], was[32], safe[256];
	if (ask->json) {
		nl_out_begin(o, NULL, '{');
		nl_out_str(o, "policy", t->name);
	} else {
		nl_out_put(o, "%-24s %12s %20s\n", nl_safe_text(t->name, 24, safe), "recorded", "replayed");
	}
	for (int i = 0; i < t->figures; i++) {
		const struct nl_figure *f = &t->figure[i];
		if (!ask->json) {
			nl_out_put(o, "  %-22s %12s %20s\n", f->name, f->was < 0 ? "-" : nl_number_text(f->was, was), range(f, a));
			continue;
		}
		nl_out_begin(o, f->name, '[');
		nl_out_raw(o, NULL, a, (size_t)snprintf(a, sizeof a, "%s", nl_number_text(f->low, was)));
		nl_out_raw(o, NULL, a, (size_t)snprintf(a, sizeof a, "%s", nl_number_text(f->high, was)));
		nl_out_end(o, ']');
	}
	if (ask->json)
		put_recorded(o, t);
}

/* Of one policy, or of all of them together.  False: no such figure. */
static bool figure_of(const struct replay *r, const struct nl_condition *c, struct nl_figure *sum)
{
	bool found = false;
	const char *of = c->args ? c->arg[0] : NULL;
	*sum = (struct nl_figure){ .name = c->metric };
	for (unsigned i = 0; i < r->n; i++)
		for (int k = 0; k < r->target[i].figures; k++) {
			const struct nl_figure *f = &r->target[i].figure[k];
			if (strcmp(f->name, c->metric) || (of && strcmp(is_kind(of, "breaker") ? of + 8 : of, r->target[i].name)))
				continue;
			sum->low += f->low, sum->high += f->high, found = true;
		}
	return found;
}

static int judge(const struct replay *r, const struct nl_condition *c, struct nl_out *o, bool json)
{
	static const char *const words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };
	struct nl_figure f;
	char is[72] = "no such figure", safe[256];
	int how = UNKNOWN;
	if (figure_of(r, c, &f)) {
		bool low = nl_condition_holds(c, f.low), high = nl_condition_holds(c, f.high);
		how = low != high ? UNKNOWN : low ? HOLDS : c->warn ? WARNING : CRITICAL;
		range(&f, is);
	}
	if (!json)
		nl_out_put(o, "%s: %s; it is %s\n", words[how], nl_safe_text(c->text, 80, safe), is);
	return how;
}

static int assert_all(struct nl_ask *ask, const struct replay *r, struct nl_out *o, struct nl_err *err)
{
	static const int rank[] = { [HOLDS] = 0, [WARNING] = 1, [UNKNOWN] = 2, [CRITICAL] = 3 };
	struct nl_condition c[NL_CONDITIONS];
	int worst = HOLDS, n = ask->opts->what.assert_that ? nl_conditions_read(ask->opts->what.assert_that, c, err) : 0;
	for (int i = 0; i < n; i++) {
		int how = judge(r, &c[i], o, ask->json);
		worst = rank[how] > rank[worst] ? how : worst;
	}
	return n < 0 ? -1 : worst;
}

static int none(const struct target *t, const char *what, struct nl_err *err)
{
	nl_fail(err, "replay: %s: no %s in these events", t->name, what);
	return 1;
}

/* 0 with the figures; 1: there is no such policy; -1. */
static int play(const struct replay *r, struct target *t, struct nl_err *err)
{
	struct nl_tape *tape = r->tapes.first;
	if (t->calls) {
		t->figures = nl_replay_calls(t->calls, t->figure);
		return t->calls->calls ? 0 : none(t, "calls of it", err);
	}
	if (t->bulkhead) {
		if (!t->stays.n && !t->stays.left_out && !t->stays.starved)
			return none(t, "calls of it", err);
		t->figures = nl_replay_bulkhead(&t->stays, t->set, t->n, t->figure, err);
		return t->figures < 0 ? -1 : 0;
	}
	while (tape && strcmp(tape->policy, t->name))
		tape = tape->next;
	if (!tape)
		return none(t, "such breaker", err);
	if (nl_tape_by_time(tape) < 0)
		return nl_fail(err, "out of memory");
	t->figures = nl_replay_breaker(&r->tapes, tape, t->set, t->n, t->figure, err);
	return t->figures < 0 ? -1 : 0;
}

static int replay_answer(struct nl_ask *ask, struct nl_out *o, struct nl_err *err)
{
	struct replay *r = ask->data;
	bool bulkheads = false;
	if (r->tapes.starved || r->tapes.texts.starved)
		return nl_fail(err, "out of memory");
	for (unsigned i = 0; i < r->n; i++) {
		int is = play(r, &r->target[i], err);
		if (is != 0)
			return is;
		bulkheads |= r->target[i].bulkhead;
		put(ask, o, &r->target[i]);
	}
	if (!ask->json)
		nl_out_put(o, "\nCalls come when they came and end as they ended; that others call more or less\n"
		              "when they are answered otherwise is not modelled.  A range: what was rejected,\n"
		              "stopped or not tried has no end; it all fails at one side of it, and all\n"
		              "succeeds at the other.\n");
	if (!ask->json && bulkheads)
		nl_out_put(o, "\nIn a bulkhead calls take as long as they took, however many run at once.  One\n"
		              "that was rejected takes 0 s at one side, and the p99 of those that ran at the\n"
		              "other.\n");
	return assert_all(ask, r, o, err);
}

static void replay_end(struct nl_ask *ask)
{
	struct replay *r = ask->data;
	for (unsigned i = 0; r && i < r->n; i++) {
		if (r->target[i].calls)
			free(r->target[i].calls->going);
		nl_stays_free(&r->target[i].stays);
		free(r->target[i].calls);
	}
	if (r)
		nl_tapes_free(&r->tapes);
	free(r);
	ask->data = NULL;
}

const struct nl_query nl_q_replay = {
	.name = "replay", .args = "", .about = "what would have been under other values (--set)", .begin = replay_begin, .answer = replay_answer,
	.end = replay_end,
};
