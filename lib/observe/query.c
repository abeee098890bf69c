/* SPDX-License-Identifier: Apache-2.0 */
/* query.c - see query.h: the table, and what queries have in common. */
#include "observe/query.h"

#include "near.h"
#include "observe/observe.h"
#include "parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct nl_query *const nl_queries[] = {
	&nl_q_summary, &nl_q_list, &nl_q_rate, &nl_q_pct, &nl_q_state, &nl_q_circuit, &nl_q_check, &nl_q_asof, &nl_q_diff, &nl_q_blame,
	&nl_q_explain, &nl_q_verify, &nl_q_replay, &nl_q_export, &nl_q_top, &nl_q_serve, NULL,
};

const struct nl_query *nl_query_of(const char *name)
{
	for (unsigned i = 0; nl_queries[i]; i++)
		if (!strcmp(nl_queries[i]->name, name))
			return nl_queries[i];
	return NULL;
}

const struct nl_series *nl_ask_series(struct nl_ask *ask, const char *name, struct nl_err *err)
{
	const struct nl_series *s = nl_system_find(ask->system, name, err);
	struct nl_near near = nl_near_to(name, strlen(name));
	if (s)
		return s;
	if (strstr(err->msg, "ambiguous"))
		return NULL;
	for (unsigned i = 0; i < nl_system_count(ask->system); i++) {
		const struct nl_series *is = nl_system_series(ask->system, i);
		nl_near_try(&near, is->policy, strlen(is->policy));
	}
	if (near.best)
		nl_fail(err, "%.70s: no such policy in these events; is it %.70s?", name, near.best);
	else
		nl_fail(err, "%.80s: no such policy in these events", name);
	return NULL;
}

int nl_ask_events(const struct nl_ask *ask, struct nl_intake *in, const char *query, struct nl_err *err)
{
	if (ask->opts && ask->opts->snapshot)
		return nl_fail(err, "--snapshot: knows of no single events, which %s is about", query);
	in->by_events = query;
	return 0;
}

int64_t nl_window_read(const char *text, struct nl_err *err)
{
	nl_time t;
	if (nl_parse_time(text, &t, err) < 0)
		return -1;
	if (t < NL_SEC || t > NL_WINDOW_SECONDS * NL_SEC)
		return nl_fail(err, "a window is from 1s to 15m");
	return t / NL_US;
}

const char *nl_number_text(double x, char buf[32])
{
	snprintf(buf, 32, "%.6f", x);
	size_t n = strlen(buf);
	while (buf[n - 1] == '0')
		buf[--n] = '\0';
	if (buf[n - 1] == '.')
		buf[n - 1] = '\0';
	return buf;
}

const char *nl_span_text(double s, char buf[32])
{
	static const struct { double below, unit; const char *name; } units[] = {
		{ 0.0009995, 1e-6, "us" }, { 0.9995, 1e-3, "ms" }, { 99.5, 1, "s" }, { 5970, 60, "m" }, { 99.5 * 3600, 3600, "h" }, { 1e300, 86400, "d" },
	};
	unsigned i = 0;
	if (s < 0)
		return "-";
	while (s >= units[i].below && i < 5)
		i++;
	double x = s / units[i].unit;
	snprintf(buf, 32, "%.*f%s", x < 9.995 && i > 1 ? 2 : x < 99.95 && i ? 1 : 0, x, units[i].name);
	return buf;
}

const char *nl_count_text(uint64_t n, char buf[32])
{
	double x = (double)n;
	const char *unit = "kMGTPE";
	if (n < 100000) {
		snprintf(buf, 32, "%u", (unsigned)n);
		return buf;
	}
	x /= 1000;
	while (x >= 999.5)
		x /= 1000, unit++;
	snprintf(buf, 32, "%.*f%c", x < 9.95 ? 1 : 0, x, *unit);
	return buf;
}

const char *nl_safe_text(const char *text, unsigned columns, char buf[256])
{
	size_t n = 0;
	unsigned wide = 0;
	for (const char *s = text; *s && n < 250; s++) {
		bool begins = ((unsigned char)*s & 0xc0) != 0x80;
		if (begins && wide == columns)
			break;
		wide += begins;
		buf[n++] = *s;
	}
	buf[n] = '\0';
	nl_defuse(buf);
	return buf;
}

/* Series of runs and of nl-ctl alone have nothing to count. */
static bool is_worth_a_line(const struct nl_series *s)
{
	return s->all.requests || s->rejected || s->timeouts || s->retried || s->all_moves || s->max > 0 || s->degraded;
}

/* What is compared, measured once. */
struct row { const struct nl_series *s; double rate; uint64_t requests; bool open; };

static int by_name(const void *a, const void *b)
{
	const struct nl_series *x = ((const struct row *)a)->s, *y = ((const struct row *)b)->s;
	int r = strcmp(x->kind_text, y->kind_text);
	return r ? r : strcmp(x->policy, y->policy);
}

static int by_trouble(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	if (x->open != y->open)
		return y->open - x->open;
	if (x->rate < y->rate || x->rate > y->rate)
		return x->rate < y->rate ? 1 : -1;
	if (x->requests != y->requests)
		return x->requests < y->requests ? 1 : -1;
	return by_name(a, b);
}

static struct row measure(struct nl_ask *ask, const struct nl_series *s)
{
	return (struct row){
		.s = s, .rate = nl_series_rate(s, ask->now_us, ask->window_us), .open = strstr(nl_series_state(s), "open"),
		.requests = nl_series_counts(s, ask->now_us, ask->window_us).requests,
	};
}

const struct nl_series **nl_ask_sorted(struct nl_ask *ask, enum nl_sorting order, unsigned *n)
{
	unsigned all = nl_system_count(ask->system);
	const struct nl_series **list = calloc(all + 1, sizeof(void *));
	struct row *row = calloc(all + 1, sizeof *row);
	*n = 0;
	if (!list || !row) {
		free(list);
		free(row);
		return NULL;
	}
	for (unsigned i = 0; i < all; i++) {
		const struct nl_series *s = nl_system_series(ask->system, i);
		if (is_worth_a_line(s))
			row[(*n)++] = measure(ask, s);
	}
	qsort(row, *n, sizeof *row, order == NL_BY_NAME ? by_name : by_trouble);
	for (unsigned i = 0; i < *n; i++)
		list[i] = row[i].s;
	free(row);
	return list;
}

uint64_t nl_ask_counted(const struct nl_ask *ask)
{
	const uint64_t *lines = nl_system_lines(ask->system);
	return lines[NL_LINE_OK] + lines[NL_LINE_LATE] + lines[NL_LINE_SKEWED];
}
