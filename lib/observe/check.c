/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - does it hold?  The answer is a status as monitoring plugins have it:
 * 0 holds, 1 a warning, 2 critical, 3 not known.
 */
#include "observe/query.h"

#include "circuit.h"
#include "near.h"
#include "observe/condition.h"
#include "parse.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };

/* What a metric is of: everything, or a policy, and maybe in a window. */
enum scope { OF_ALL, OF_POLICY, OF_WINDOW };
struct value { double is; const char *word; bool seconds; uint64_t failures, requests; };

typedef void measure(struct nl_ask *, const struct nl_series *, int64_t window_us, struct value *);

static void rate(struct nl_ask *ask, const struct nl_series *s, int64_t w, struct value *v)
{
	struct nl_counts n = nl_series_counts(s, ask->now_us, w);
	*v = (struct value){ .is = nl_series_rate(s, ask->now_us, w), .failures = n.failures, .requests = n.requests };
}

#define COUNT(name, member) \
	static void name(struct nl_ask *ask, const struct nl_series *s, int64_t w, struct value *v) \
	{ \
		*v = (struct value){ .is = (double)nl_series_counts(s, ask->now_us, w).member }; \
	}
COUNT(requests, requests)
COUNT(failures, failures)
COUNT(rejected, rejected)
COUNT(timeouts, timeouts)

#define TOTAL(name, expression) \
	static void name(struct nl_ask *ask, const struct nl_series *s, int64_t w, struct value *v) \
	{ \
		(void)ask, (void)s, (void)w; \
		*v = (struct value){ .is = (double)(expression) }; \
	}
TOTAL(attempts, s->attempts)
TOTAL(recovered, s->recovered)
TOTAL(exhausted, s->exhausted)
TOTAL(opens, s->opens)
TOTAL(amplification, s->all.requests ? (double)s->attempts / (double)s->all.requests : -1)
TOTAL(events, nl_ask_counted(ask))
TOTAL(lost, nl_runs_sum(nl_system_runs(ask->system)).lost)
TOTAL(killed, nl_runs_sum(nl_system_runs(ask->system)).open)
TOTAL(calls, nl_system_calls(ask->system).requests)
TOTAL(failed_calls, nl_system_calls(ask->system).failures)

static void state(struct nl_ask *ask, const struct nl_series *s, int64_t w, struct value *v)
{
	(void)ask, (void)w;
	const char *is = nl_series_state(s);
	*v = (struct value){ .is = *is == '-' ? -1 : 0, .word = is };
}

static void age(struct nl_ask *ask, const struct nl_series *s, int64_t w, struct value *v)
{
	(void)w;
	*v = (struct value){ .is = s->last_success_us < 0 ? -1 : (double)(ask->now_us - s->last_success_us) / 1e6, .seconds = true };
}

static void utilisation(struct nl_ask *ask, const struct nl_series *s, int64_t w, struct value *v)
{
	(void)ask, (void)w;
	*v = (struct value){ .is = s->max > 0 ? (double)s->active / (double)s->max : -1 };
}

static const struct metric { const char *name; enum scope scope; bool word; measure *measure; } metrics[] = {
	{ "rate", OF_WINDOW, false, rate }, { "requests", OF_WINDOW, false, requests }, { "failures", OF_WINDOW, false, failures },
	{ "rejected", OF_WINDOW, false, rejected }, { "timeouts", OF_WINDOW, false, timeouts }, { "attempts", OF_POLICY, false, attempts },
	{ "recovered", OF_POLICY, false, recovered }, { "retries_exhausted", OF_POLICY, false, exhausted }, { "opens", OF_POLICY, false, opens },
	{ "amplification", OF_POLICY, false, amplification }, { "utilisation", OF_POLICY, false, utilisation }, { "age", OF_POLICY, false, age },
	{ "state", OF_POLICY, true, state }, { "events", OF_ALL, false, events }, { "lost", OF_ALL, false, lost }, { "killed", OF_ALL, false, killed },
	{ "calls", OF_ALL, false, calls }, { "failed_calls", OF_ALL, false, failed_calls },
};

/* "p99.9" is a percentile. */
static double percentile_of(const char *name)
{
	struct nl_err err;
	double p;
	return name[0] == 'p' && nl_parse_real(name + 1, &p, &err) == 0 && p <= 100 ? p / 100 : -1;
}

static const struct metric *metric_of(const char *name)
{
	static const struct metric pct = { "pNN", OF_WINDOW, false, NULL };
	for (unsigned i = 0; i < sizeof metrics / sizeof *metrics; i++)
		if (!strcmp(metrics[i].name, name))
			return &metrics[i];
	return percentile_of(name) >= 0 ? &pct : NULL;
}

/* A state that there is: one that is misspelt would hold, or not, for ever. */
static int word_fits(const struct nl_condition *c, struct nl_err *err)
{
	struct nl_near near = nl_near_to(c->word, strlen(c->word));
	for (unsigned i = 0; i < NL_CIRCUIT_STATES; i++) {
		const char *name = nl_circuit_name(i);
		if (!strcmp(name, c->word))
			return 0;
		nl_near_try(&near, name, strlen(name));
	}
	return nl_fail(err, "check: '%.60s': no state%s%s%s (closed, open, half_open, forced_open, forced_closed, disabled)", c->word,
	               near.best ? ", is it " : "", near.best ? near.best : "", near.best ? "?" : "");
}

static int fits(const struct nl_condition *c, struct nl_err *err)
{
	const struct metric *m = metric_of(c->metric);
	struct nl_near near = nl_near_to(c->metric, strlen(c->metric));
	if (!m) {
		for (unsigned i = 0; i < sizeof metrics / sizeof *metrics; i++)
			nl_near_try(&near, metrics[i].name, strlen(metrics[i].name));
		return nl_fail(err, "check: '%s': unknown metric%s%s%s", c->metric, near.best ? ", is it " : " (rate, p99, state, requests, failures, lost, …)",
		               near.best ? near.best : "", near.best ? "?" : "");
	}
	if (m->scope == OF_ALL ? c->args : !c->args)
		return nl_fail(err, m->scope == OF_ALL ? "check: '%s': is of everything: without brackets" : "check: '%s': of which policy? as in %s(api)",
		               c->metric, c->metric);
	if (c->args == 2 && m->scope != OF_WINDOW)
		return nl_fail(err, "check: '%s': has no window: %s(%.60s)", c->metric, c->metric, c->arg[0]);
	if (c->args == 2 && nl_window_read(c->arg[1], err) < 0)
		return -1;
	if (m->word && c->word[0])
		return word_fits(c, err);
	if (m->word || c->word[0])
		return nl_fail(err, m->word ? "check: '%.100s': a state is a word: closed, open, half_open, forced_open" : "check: '%.100s': a number is wanted", c->text);
	return 0;
}

static int check_begin(struct nl_ask *ask, struct nl_intake *in, struct nl_err *err)
{
	struct nl_condition c[NL_CONDITIONS];
	struct nl_err why = { "" };
	(void)in;
	int n = nl_conditions_read(ask->arg[0], c, &why);
	if (n < 0)
		return nl_fail(err, "check: %s", why.msg);
	for (int i = 0; i < n; i++)
		if (fits(&c[i], err) < 0)
			return -1;
	return 0;
}

static int judge(struct nl_ask *ask, const struct nl_condition *c, struct value *v, char *why, size_t size)
{
	const struct metric *m = metric_of(c->metric);
	const struct nl_series *s = NULL;
	struct nl_err err = { "" };
	assert(m);                              // check_begin has refused others.
	int64_t window = c->args == 2 ? nl_window_read(c->arg[1], &err) : m->scope == OF_WINDOW ? ask->window_us : 0;
	if (m->scope != OF_ALL && !(s = nl_ask_series(ask, c->arg[0], &err))) {
		snprintf(why, size, "%.180s", err.msg);
		return NL_CHECK_UNKNOWN;
	}
	if (m->measure)
		m->measure(ask, s, window, v);
	else
		*v = (struct value){ .is = nl_series_quantile(s, percentile_of(c->metric), ask->now_us, window, NULL, NULL), .seconds = true };
	if (v->is < 0) {
		snprintf(why, size, "no data");
		return NL_CHECK_UNKNOWN;
	}
	bool holds = m->word ? nl_condition_is(c, v->word) : nl_condition_holds(c, v->is);
	return holds ? NL_CHECK_HOLDS : c->warn ? NL_CHECK_WARNING : NL_CHECK_CRITICAL;
}

static void put_text(struct nl_out *o, const struct nl_condition *c, int is, const struct value *v, const char *why)
{
	char number[32], safe[256];
	nl_out_put(o, "%s: %s", words[is], nl_safe_text(c->text, 120, safe));
	if (is == NL_CHECK_UNKNOWN)
		nl_out_put(o, ": %s\n", nl_safe_text(why, 160, safe));
	else if (v->word)
		nl_out_put(o, "; it is %s\n", v->word);
	else if (v->requests)
		nl_out_put(o, "; it is %s (%llu of %llu)\n", nl_number_text(v->is, number), (unsigned long long)v->failures, (unsigned long long)v->requests);
	else
		nl_out_put(o, "; it is %s%s\n", nl_number_text(v->is, number), v->seconds ? " s" : "");
}

static void put_json(struct nl_out *o, const struct nl_condition *c, int is, const struct value *v, const char *why)
{
	char number[32];
	nl_out_begin(o, NULL, '{');
	nl_out_str(o, "condition", c->text);
	nl_out_str(o, "result", words[is]);
	if (is == NL_CHECK_UNKNOWN) {
		nl_out_str(o, "why", why);
	} else if (v->word) {
		nl_out_str(o, "value", v->word);
	} else {
		nl_number_text(v->is, number);
		nl_out_raw(o, "value", number, strlen(number));
	}
	nl_out_end(o, '}');
	nl_out_bytes(o, "\n", 1);
}

/* The worst of all: critical before unknown, before a warning. */
static int worse(int a, int b)
{
	static const int rank[] = { [NL_CHECK_HOLDS] = 0, [NL_CHECK_WARNING] = 1, [NL_CHECK_UNKNOWN] = 2, [NL_CHECK_CRITICAL] = 3 };
	return rank[a] > rank[b] ? a : b;
}

static int check_answer(struct nl_ask *ask, struct nl_out *o, struct nl_err *err)
{
	struct nl_condition c[NL_CONDITIONS];
	int worst = NL_CHECK_HOLDS, n = nl_conditions_read(ask->arg[0], c, err);
	for (int i = 0; i < n; i++) {
		struct value v = { 0 };
		char why[200] = "";
		int is = judge(ask, &c[i], &v, why, sizeof why);
		(ask->json ? put_json : put_text)(o, &c[i], is, &v, why);
		worst = worse(worst, is);
	}
	return n < 0 ? -1 : worst;
}

const struct nl_query nl_q_check = {
	.name = "check", .args = "CONDITION[; CONDITION]...", .about = "status 0 holds, 1 warning, 2 critical, 3 not known", .least = 1, .most = 1,
	.windowed = true, .begin = check_begin, .answer = check_answer,
};
