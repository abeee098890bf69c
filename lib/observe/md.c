/* SPDX-License-Identifier: Apache-2.0 */
/*
 * md.c - summary as Markdown, for what a CI service shows beside a job: how many
 * calls there were, and what retries hid, which a green job does not tell.
 *
 * Names and errors come from strangers: what Markdown or HTML could mean is
 * escaped, so a cell stays in its cell.
 */
#include "observe/query.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static void put_cell(struct nl_out *o, const char *text)
{
	char safe[256];
	for (const char *s = nl_safe_text(text, 80, safe); *s; s++) {
		if (strchr("\\`*_{}[]()#+!|~@:", *s))
			nl_out_bytes(o, "\\", 1);
		if (*s == '<' || *s == '>' || *s == '&')
			nl_out_put(o, *s == '<' ? "&lt;" : *s == '>' ? "&gt;" : "&amp;");
		else
			nl_out_bytes(o, s, 1);
	}
}

static void put_name(struct nl_out *o, const struct nl_series *s)
{
	nl_out_put(o, "| ");
	put_cell(o, s->kind_text);
	nl_out_put(o, "/");
	put_cell(o, s->policy);
}

static void put_count(struct nl_out *o, uint64_t n)
{
	nl_out_put(o, " | %llu", (unsigned long long)n);
}

static void put_row(struct nl_ask *ask, struct nl_out *o, const struct nl_series *s)
{
	char text[32];
	struct nl_counts n = nl_series_counts(s, ask->now_us, ask->window_us);
	put_name(o, s);
	put_count(o, n.requests);
	put_count(o, n.failures);
	nl_out_put(o, " | %.1f %%", n.requests ? 100.0 * (double)n.failures / (double)n.requests : 0);
	nl_out_put(o, " | %s", nl_span_text(nl_series_quantile(s, .5, ask->now_us, ask->window_us, NULL, NULL), text));
	nl_out_put(o, " | %s", nl_span_text(nl_series_quantile(s, .99, ask->now_us, ask->window_us, NULL, NULL), text));
	nl_out_put(o, " | %s | ", nl_series_state(s));
	put_cell(o, s->last_err[0] ? s->last_err : "-");
	nl_out_put(o, " |\n");
}

/* What a caller did not see. */
struct hidden { uint64_t recovered, added, shed; int64_t waited_us; };

static struct hidden hidden_by(const struct nl_series *s)
{
	bool retries = s->kind == NL_S_RETRY && s->attempts > s->all.requests;
	return (struct hidden){
		.recovered = s->recovered, .added = retries ? s->attempts - s->all.requests : 0, .shed = s->rejected, .waited_us = (int64_t)s->slept.us,
	};
}

static bool is_any(struct hidden h)
{
	return h.recovered || h.added || h.shed || h.waited_us;
}

static void put_hidden(struct nl_out *o, struct hidden h)
{
	char text[32];
	put_count(o, h.recovered);
	put_count(o, h.added);
	nl_out_put(o, " | %s", nl_span_text((double)h.waited_us / 1e6, text));
	put_count(o, h.shed);
	nl_out_put(o, " |\n");
}

static int most_waited_first(const void *a, const void *b)
{
	struct hidden x = hidden_by(*(const struct nl_series *const *)a), y = hidden_by(*(const struct nl_series *const *)b);
	if (x.waited_us != y.waited_us)
		return x.waited_us < y.waited_us ? 1 : -1;
	if (x.added != y.added)
		return x.added < y.added ? 1 : -1;
	return x.shed < y.shed ? 1 : x.shed > y.shed ? -1 : 0;
}

static void put_all_hidden(struct nl_out *o, const struct nl_series **s, unsigned n)
{
	struct hidden sum = { 0 };
	qsort(s, n, sizeof(void *), most_waited_first);
	for (unsigned i = 0; i < n; i++) {
		struct hidden h = hidden_by(s[i]);
		sum.recovered += h.recovered, sum.added += h.added, sum.shed += h.shed, sum.waited_us += h.waited_us;
	}
	nl_out_put(o, "\n#### What retries hid\n\n");
	if (!is_any(sum)) {
		nl_out_put(o, "Nothing: each call was one attempt.\n");
		return;
	}
	nl_out_put(o, "| Policy | Calls recovered | Attempts added | Time in back-off | Calls shed |\n|---|--:|--:|--:|--:|\n");
	for (unsigned i = 0; i < n; i++) {
		struct hidden h = hidden_by(s[i]);
		if (!is_any(h))
			continue;
		put_name(o, s[i]);
		put_hidden(o, h);
	}
	nl_out_put(o, "| **all**");
	put_hidden(o, sum);
}

static void put_totals(struct nl_ask *ask, struct nl_out *o)
{
	struct nl_counts calls = nl_system_calls(ask->system);
	char text[32];
	nl_out_put(o, "**%llu** call%s, **%llu** failed (%.1f %%)", (unsigned long long)calls.requests, calls.requests == 1 ? "" : "s",
	           (unsigned long long)calls.failures, calls.requests ? 100.0 * (double)calls.failures / (double)calls.requests : 0);
	if (nl_system_latest(ask->system) >= 0)
		nl_out_put(o, ", until %.19s UTC", nl_time_text(nl_system_latest(ask->system) * NL_US, text));
	nl_out_put(o, ".\n");
	if (ask->window_us)
		nl_out_put(o, "Policies: the last %s.\n", nl_span_text((double)ask->window_us / 1e6, text));
}

int nl_summary_md(struct nl_ask *ask, struct nl_out *o, struct nl_err *err)
{
	unsigned n;
	struct nl_ask plain = *ask;
	plain.json = false;
	const struct nl_series **s = nl_ask_sorted(ask, NL_WORST_FIRST, &n);
	if (!s)
		return nl_fail(err, "out of memory");
	nl_out_put(o, "### Nine Lives\n\n");
	if (!nl_ask_counted(ask))
		nl_out_put(o, "No events.\n");
	else
		put_totals(ask, o);
	size_t before = o->n;
	nl_out_put(o, "\n```\n");
	nl_put_trouble(&plain, o);
	if (o->n == before + 5)
		o->n = before;
	else
		nl_out_put(o, "```\n");
	if (n) {
		nl_out_put(o, "\n| Policy | Calls | Failed | Failed | p50 | p99 | State | Last error |\n|---|--:|--:|--:|--:|--:|---|---|\n");
		for (unsigned i = 0; i < n; i++)
			put_row(ask, o, s[i]);
		if (!ask->window_us)            // It is known of all time alone.
			put_all_hidden(o, s, n);
	}
	free(s);
	return 0;
}
