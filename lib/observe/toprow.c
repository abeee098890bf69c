/* SPDX-License-Identifier: Apache-2.0 */
/*
 * toprow.c - see toprow.h: what is known of a policy as figures, figures as text,
 * and their order.
 */
#include "observe/toprow.h"

#include "observe/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SPARK 10                        /* cells: 6 seconds each */

static void put_policy(const struct nl_top *t, const struct nl_top_row *r, char *buf)
{
	(void)t;
	nl_safe_text(r->s->policy, 64, buf);
}

static void put_kind(const struct nl_top *t, const struct nl_top_row *r, char *buf)
{
	(void)t;
	nl_safe_text(r->s->kind_text, 8, buf);
}

static const char *state_of(const struct nl_top_row *r)
{
	const char *state = nl_series_state(r->s);
	return !strcmp(state, "half_open") ? "half" : !strncmp(state, "forced_", 7) ? "forced" : state;
}

static void put_state(const struct nl_top *t, const struct nl_top_row *r, char *buf)
{
	(void)t;
	snprintf(buf, NL_TOP_CELL, "%s", state_of(r));
}

static void put_real(char *buf, double x)
{
	if (x < 0)
		snprintf(buf, NL_TOP_CELL, "%s", "-");
	else if (x >= 99999.5)
		nl_count_text((uint64_t)x, buf);
	else
		snprintf(buf, 32, "%.*f", x < 9.995 && x > 0 ? 2 : x < 99.95 ? 1 : 0, x);
}

#define REAL(name, member, factor) \
	static void put_##name(const struct nl_top *t, const struct nl_top_row *r, char *buf) \
	{ \
		(void)t; \
		put_real(buf, r->member < 0 ? -1 : r->member * (factor)); \
	} \
	static double name(const struct nl_top_row *r) { return r->member; }
REAL(per_s, per_s, 1)
REAL(failed, failed, 100)
REAL(retry, retry, 1)
REAL(recovered, recovered, 100)

#define SPAN(name) \
	static void put_##name(const struct nl_top *t, const struct nl_top_row *r, char *buf) \
	{ \
		(void)t; \
		snprintf(buf, NL_TOP_CELL, "%s", nl_span_text(r->name, (char[32]){ 0 })); \
	} \
	static double name(const struct nl_top_row *r) { return r->name; }
SPAN(p50)
SPAN(p99)
SPAN(age)

static void put_rejected(const struct nl_top *t, const struct nl_top_row *r, char *buf)
{
	(void)t;
	snprintf(buf, NL_TOP_CELL, "%s", nl_count_text(r->rejected, (char[32]){ 0 }));
}

static double rejected(const struct nl_top_row *r)
{
	return (double)r->rejected;
}

static const char *const blocks[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" }, *const plain[] = { " ", "_", ".", ":", "-", "=", "+", "*", "#" };

static void add(char *buf, const char *sign)
{
	size_t n = strlen(buf);
	snprintf(buf + n, NL_TOP_CELL - n, "%s", sign);
}

/* The failures of the last minute, the latest at the right; blank where there was no request. */
static void put_spark(const struct nl_top *t, const struct nl_top_row *r, char *buf)
{
	*buf = '\0';
	for (int i = SPARK - 1; i >= 0; i--) {
		struct nl_counts n = nl_series_counts(r->s, t->now_us - i * 6000000, 6000000);
		unsigned high = n.requests ? 1 + (unsigned)(7 * n.failures / n.requests) : 0;
		add(buf, (t->utf8 ? blocks : plain)[high]);
	}
}

static double bulk(const struct nl_top_row *r)
{
	return r->s->max > 0 ? (double)r->s->active / (double)r->s->max : -1;
}

/* "3/4 ███ ": who is in, and how full that is. */
static void put_bulk(const struct nl_top *t, const struct nl_top_row *r, char *buf)
{
	double full = 4 * bulk(r);
	int n = full < 0 ? snprintf(buf, 32, "-") : snprintf(buf, 32, "%lld/%lld ", (long long)r->s->active, (long long)r->s->max);
	for (int i = 0; i < 4 && full >= 0 && n < 12; i++) {
		double here = full - i;
		add(buf, (t->utf8 ? blocks : plain)[here >= 1 ? 8 : here > 0 ? (unsigned)(here * 8) : 0]);
	}
}

static void put_err(const struct nl_top *t, const struct nl_top_row *r, char *buf)
{
	(void)t;
	nl_safe_text(r->s->last_err[0] ? r->s->last_err : "-", 9, buf);
}

const struct nl_top_column nl_top_column_of[NL_TOP_COLUMNS] = {
	{ "POLICY", 14, 0, true, put_policy, NULL }, { "KIND", 8, 5, true, put_kind, NULL }, { "STATE", 6, 1, true, put_state, NULL },
	{ "REQ/s", 5, 2, false, put_per_s, per_s }, { "ERR%", 4, 3, false, put_failed, failed }, { "LAST 60s", SPARK, 7, true, put_spark, NULL },
	{ "P50", 6, 6, false, put_p50, p50 }, { "P99", 6, 4, false, put_p99, p99 }, { "RETRYx", 6, 11, false, put_retry, retry },
	{ "RECOV%", 6, 12, false, put_recovered, recovered }, { "REJ", 5, 9, false, put_rejected, rejected }, { "BULK", 9, 13, true, put_bulk, bulk },
	{ "LAST-ERR", 9, 8, true, put_err, NULL }, { "AGE", 6, 10, false, put_age, age },
};

unsigned nl_top_columns(void)
{
	return NL_TOP_COLUMNS;
}

int nl_top_column(const char *word)
{
	for (int i = 0; i < NL_TOP_COLUMNS; i++)
		if (*word && nl_top_column_of[i].put != put_spark && !strncasecmp(nl_top_column_of[i].name, word, strlen(word)))
			return i;
	return -2;
}

static void look_at(struct nl_top_row *r, const struct nl_top *t, const struct nl_series *s)
{
	int64_t window = t->total ? 0 : t->window_us;
	double span = window ? (double)window / 1e6 : (double)(s->last_us - s->first_us) / 1e6;
	*r = (struct nl_top_row){ .s = s, .n = nl_series_counts(s, t->now_us, window), .retry = -1, .recovered = -1 };
	r->per_s = (double)r->n.requests / (span < 1 ? 1 : span);
	r->failed = r->n.requests ? (double)r->n.failures / (double)r->n.requests : -1;
	r->p50 = nl_series_quantile(s, .5, t->now_us, window, NULL, NULL);
	r->p99 = nl_series_quantile(s, .99, t->now_us, window, NULL, NULL);
	if (s->kind == NL_S_RETRY && s->all.requests) {
		r->retry = (double)s->attempts / (double)s->all.requests;
		r->recovered = (double)s->recovered / (double)s->all.requests;
	}
	r->rejected = window ? r->n.rejected : s->rejected;
	r->age = s->last_us < 0 ? -1 : t->now_us > s->last_us ? (double)(t->now_us - s->last_us) / 1e6 : 0;
}

static int by_name(const struct nl_top_row *a, const struct nl_top_row *b)
{
	int r = strcmp(a->s->policy, b->s->policy);
	return r ? r : strcmp(a->s->kind_text, b->s->kind_text);
}

static int badness(const struct nl_top_row *r)
{
	const char *state = nl_series_state(r->s);
	return strstr(state, "half") ? 1 : strstr(state, "open") ? 2 : 0;
}

static int by_trouble(const void *x, const void *y)
{
	const struct nl_top_row *a = x, *b = y;
	if (badness(a) != badness(b))
		return badness(b) - badness(a);
	if (a->failed < b->failed || a->failed > b->failed)
		return a->failed < b->failed ? 1 : -1;
	if (a->n.requests != b->n.requests)
		return a->n.requests < b->n.requests ? 1 : -1;
	return by_name(a, b);
}

/* qsort has no argument for it; there is one top in a process. */
static const struct nl_top_column *sort_column;

static int by_column(const void *x, const void *y)
{
	const struct nl_top_row *a = x, *b = y;
	char one[256], two[256];
	static const struct nl_top none;
	int r;
	if (sort_column->value) {
		double v = sort_column->value(a), w = sort_column->value(b);
		r = v < w ? 1 : v > w ? -1 : 0;
	} else {
		sort_column->put(&none, a, one);
		sort_column->put(&none, b, two);
		r = strcmp(one, two);
	}
	return r ? r : by_name(a, b);
}

static bool is_shown(const struct nl_series *s, const struct nl_top *t)
{
	char full[160];
	if (!(s->all.requests || s->rejected || s->timeouts || s->retried || s->all_moves || s->max > 0))
		return false;
	snprintf(full, sizeof full, "%.40s/%.100s", s->kind_text, s->policy);
	return !t->filter[0] || strcasestr(full, t->filter);
}

struct nl_top_row *nl_top_rows(const struct nl_system *system, const struct nl_top *t, unsigned *n)
{
	unsigned all = nl_system_count(system);
	struct nl_top_row *row = malloc((all + 1) * sizeof *row);
	*n = 0;
	for (unsigned i = 0; row && i < all; i++)
		if (is_shown(nl_system_series(system, i), t))
			look_at(&row[(*n)++], t, nl_system_series(system, i));
	sort_column = t->sort >= 0 ? &nl_top_column_of[t->sort] : NULL;
	if (row)
		qsort(row, *n, sizeof *row, sort_column ? by_column : by_trouble);
	return row;
}
