/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list.c - the policies, a line each; summary is that behind what there is in
 * all, and what is missing.
 */
#include "observe/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_secs(struct nl_out *o, const char *key, double s)
{
	char text[40];
	if (s < 0)
		nl_out_raw(o, key, "null", 4);
	else
		nl_out_raw(o, key, text, (size_t)snprintf(text, sizeof text, "%.6f", s));
}

static void put_number(struct nl_out *o, const char *key, double x)
{
	char text[32];
	nl_number_text(x, text);
	nl_out_raw(o, key, x < 0 ? "null" : text, x < 0 ? 4 : strlen(text));
}

static void put_count(struct nl_out *o, const char *key, uint64_t n, bool known)
{
	if (known)
		nl_out_uint(o, key, n);
	else
		nl_out_raw(o, key, "null", 4);
}

/* What is not known of a window is null. */
static void put_object(struct nl_ask *ask, struct nl_out *o, const struct nl_series *s)
{
	static const struct { const char *key; double q; } cut[] = { { "p50_s", .50 }, { "p90_s", .90 }, { "p99_s", .99 } };
	static const struct { const char *key; int64_t us; } window[] = {
		{ "rate_1m", 60000000 }, { "rate_5m", 300000000 }, { "rate_15m", 900000000 },
	};
	bool all = !ask->window_us;
	struct nl_counts n = nl_series_counts(s, ask->now_us, ask->window_us);
	nl_out_begin(o, NULL, '{');
	nl_out_str(o, "policy", s->policy);
	nl_out_str(o, "kind", s->kind_text);
	nl_out_uint(o, "requests", n.requests);
	nl_out_uint(o, "failures", n.failures);
	nl_out_uint(o, "rejected", all ? s->rejected : n.rejected);
	nl_out_uint(o, "timeouts", all ? s->timeouts : n.timeouts);
	put_count(o, "attempts", s->attempts, all);
	put_count(o, "recovered", s->recovered, all);
	put_count(o, "retries_exhausted", s->exhausted, all);
	for (unsigned i = 0; i < 3; i++)
		put_secs(o, cut[i].key, nl_series_quantile(s, cut[i].q, ask->now_us, ask->window_us, NULL, NULL));
	put_secs(o, "max_s", all && s->dur.n ? (double)s->dur.most_us / 1e6 : -1);
	for (unsigned i = 0; i < 3; i++)
		put_number(o, window[i].key, nl_series_rate(s, ask->now_us, window[i].us));
	nl_out_str(o, "state", nl_series_state(s));
	if (s->last_err[0])
		nl_out_str(o, "last_error", s->last_err);
	else
		nl_out_raw(o, "last_error", "null", 4);
	nl_out_end(o, '}');
	nl_out_bytes(o, "\n", 1);
}

#define COLUMNS "%-21s %6s %5s %6s %6s %6s %5s %5s  %s\n"

static void put_line(struct nl_ask *ask, struct nl_out *o, const struct nl_series *s)
{
	char name[256], full[256], text[6][32], rate[16] = "-", state[256];
	const char *is = nl_series_state(s);
	bool open = strstr(is, "open"), all = !ask->window_us;
	struct nl_counts n = nl_series_counts(s, ask->now_us, ask->window_us);
	double failed = nl_series_rate(s, ask->now_us, ask->window_us);
	snprintf(full, sizeof full, "%s/%s", s->kind_text, s->policy);
	if (failed >= 0)
		snprintf(rate, sizeof rate, "%.1f", failed * 100);
	if (*is != '-')
		snprintf(state, sizeof state, "%s", is);
	else
		nl_safe_text(s->last_err[0] ? s->last_err : "-", 11, state);
	nl_out_put(o, "%s" COLUMNS "%s", open && ask->paper->colour ? "\033[31m" : "", nl_safe_text(full, 21, name),
	           nl_count_text(n.requests, text[0]), rate,
	           nl_span_text(nl_series_quantile(s, .5, ask->now_us, ask->window_us, NULL, NULL), text[1]),
	           nl_span_text(nl_series_quantile(s, .99, ask->now_us, ask->window_us, NULL, NULL), text[2]),
	           all ? nl_count_text(s->attempts, text[3]) : "-", all ? nl_count_text(s->recovered, text[4]) : "-",
	           nl_count_text(all ? s->rejected : n.rejected, text[5]), state,
	           open && ask->paper->colour ? "\033[0m" : "");
}

static void put_table(struct nl_ask *ask, struct nl_out *o, const struct nl_series **s, unsigned n)
{
	nl_out_put(o, COLUMNS, "POLICY", "CALLS", "FAIL%", "P50", "P99", "RUNS", "RECOV", "REJ", "STATE/ERROR");
	for (unsigned i = 0; i < n; i++)
		put_line(ask, o, s[i]);
}

static int list_answer(struct nl_ask *ask, struct nl_out *o, struct nl_err *err)
{
	unsigned n;
	const struct nl_series **s = nl_ask_sorted(ask, NL_WORST_FIRST, &n);
	if (!s)
		return nl_fail(err, "out of memory");
	for (unsigned i = 0; i < n && ask->json; i++)
		put_object(ask, o, s[i]);
	if (!ask->json)
		put_table(ask, o, s, n);
	free(s);
	return 0;
}

const struct nl_query nl_q_list = {
	.name = "list", .args = "", .about = "the policies, a line each, worst first", .windowed = true, .answer = list_answer,
};

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void put_totals(struct nl_ask *ask, struct nl_out *o)
{
	struct nl_counts calls = nl_system_calls(ask->system);
	struct nl_runs_sum sum = nl_runs_sum(nl_system_runs(ask->system));
	nl_out_begin(o, NULL, '{');
	nl_out_uint(o, "events", nl_ask_counted(ask));
	nl_out_uint(o, "runs", sum.runs);
	nl_out_uint(o, "requests", calls.requests);
	nl_out_uint(o, "failures", calls.failures);
	nl_out_uint(o, "rejected", calls.rejected);
	nl_out_uint(o, "timeouts", calls.timeouts);
	nl_out_uint(o, "lost", sum.lost);
	nl_out_uint(o, "runs_open", sum.open);
	if (nl_system_latest(ask->system) >= 0)
		nl_out_time(o, "until", nl_system_latest(ask->system) * NL_US);
	if (ask->window_us)
		nl_out_secs(o, "window_s", ask->window_us * NL_US);
	nl_out_begin(o, "policies", '[');
}

static int summary_answer(struct nl_ask *ask, struct nl_out *o, struct nl_err *err)
{
	if (ask->md)
		return nl_summary_md(ask, o, err);
	unsigned n;
	char until[28], span[32];
	struct nl_counts calls = nl_system_calls(ask->system);
	struct nl_runs_sum sum = nl_runs_sum(nl_system_runs(ask->system));
	uint64_t events = nl_ask_counted(ask);
	const struct nl_series **s = nl_ask_sorted(ask, NL_WORST_FIRST, &n);
	if (!s)
		return nl_fail(err, "out of memory");
	if (ask->json) {
		put_totals(ask, o);
		for (unsigned i = 0; i < n; i++) {
			put_object(ask, o, s[i]);
			o->n--;                 // Its newline: here it is one of a list.
		}
		nl_out_end(o, ']');
		nl_out_begin(o, "findings", '[');
		nl_put_trouble(ask, o);
		nl_out_put(o, "]}\n");
	} else if (!events) {
		nl_out_put(o, "no events\n");
		nl_put_trouble(ask, o);
	} else {
		bool dated = nl_system_latest(ask->system) >= 0;
		nl_out_put(o, "%llu event%s of %llu run%s%s%.19s; %llu of %llu call%s failed\n", (unsigned long long)events, plural(events),
		           (unsigned long long)sum.runs, plural(sum.runs), dated ? " until " : "",
		           dated ? nl_time_text(nl_system_latest(ask->system) * NL_US, until) : "",
		           (unsigned long long)calls.failures, (unsigned long long)calls.requests, plural(calls.requests));
		nl_put_trouble(ask, o);
		if (ask->window_us)
			nl_out_put(o, "below: the last %s\n", nl_span_text((double)ask->window_us / 1e6, span));
		nl_out_put(o, "\n");
		put_table(ask, o, s, n);
	}
	free(s);
	return 0;
}

const struct nl_query nl_q_summary = {
	.name = "summary", .args = "", .about = "what there is in all, what is missing, the policies", .windowed = true,
	.answer = summary_answer,
};

const struct nl_query nl_q_asof = {
	.name = "asof", .args = "TIME [QUERY [WORD]...]", .about = "what a query would have answered then", .least = 1, .most = 1,
};
