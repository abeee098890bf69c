/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diff.c - what is different: after a moment from before it, or these events from
 * those of another log or snapshot.
 */
#include "observe/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct diff {
	struct nl_listener base;
	int64_t at_us;                  /* -1: two logs */
	struct nl_system *a, *b;        /* before and after; b of two logs is the ask's */
};

static void diff_line(struct nl_listener *l, enum nl_line is, const struct nl_fact *f, const char *text, size_t n)
{
	struct diff *d = (struct diff *)l;
	(void)text, (void)n;
	if (f && is != NL_LINE_DUP)
		nl_system_take(f->time_us < d->at_us ? d->a : d->b, f, 0);
}

static struct nl_system *any_time(void)
{
	return nl_system_new((struct nl_system_cfg){ .late_us = INT64_MAX, .skew_us = INT64_MAX });
}

static int read_other(struct diff *d, const struct nl_intake *in, const char *source, struct nl_err *err)
{
	struct nl_intake other = { .run = in->run, .q = in->q, .system = d->a, .unpack = in->unpack };
	int r = nl_intake_add(&other, source, err);
	if (r == 0)
		r = nl_intake_run(&other, NL_NEVER, NULL, NULL, err);
	nl_intake_free(&other);
	return r;
}

static void diff_end(struct nl_ask *ask)
{
	struct diff *d = ask->data;
	if (d) {
		nl_system_free(d->a);
		nl_system_free(d->b);
	}
	free(d);
	ask->data = NULL;
}

static int diff_begin(struct nl_ask *ask, struct nl_intake *in, struct nl_err *err)
{
	struct diff *d = calloc(1, sizeof *d);
	if (!d)
		return nl_fail(err, "out of memory");
	ask->data = d;
	d->at_us = nl_moment_read(ask->arg[0], ask->now_us);
	d->a = any_time();
	if (d->at_us >= 0)
		d->b = any_time();
	if (!d->a || (d->at_us >= 0 && !d->b))
		return nl_fail(err, "out of memory");
	if (d->at_us < 0)
		return read_other(d, in, ask->arg[0], err);
	if (nl_ask_events(ask, in, "diff TIME", err) < 0)
		return -1;
	d->base.line = diff_line;
	nl_intake_listen(in, &d->base);
	return 0;
}

/* Worth: how much worse b is than a. */
struct pair { const struct nl_series *a, *b; double worse; };

static const struct nl_series *same(const struct nl_system *in, const struct nl_series *s)
{
	char name[160];
	struct nl_err err;
	snprintf(name, sizeof name, "%.40s/%.100s", s->kind_text, s->policy);
	return nl_system_find(in, name, &err);
}

static double rate(const struct nl_series *s)
{
	double r = s ? nl_series_rate(s, 0, 0) : -1;
	return r < 0 ? 0 : r;
}

static int worst_first(const void *x, const void *y)
{
	double a = ((const struct pair *)x)->worse, b = ((const struct pair *)y)->worse;
	return a < b ? 1 : a > b ? -1 : 0;
}

static unsigned pair_up(struct pair *p, const struct nl_system *a, const struct nl_system *b)
{
	unsigned n = 0;
	for (unsigned i = 0; i < nl_system_count(b); i++) {
		const struct nl_series *s = nl_system_series(b, i);
		if (s->all.requests)
			p[n].b = s, p[n++].a = same(a, s);
	}
	for (unsigned i = 0; i < nl_system_count(a); i++) {
		const struct nl_series *s = nl_system_series(a, i), *t = same(b, s);
		if (s->all.requests && !(t && t->all.requests))
			p[n].a = s, p[n++].b = NULL;
	}
	for (unsigned i = 0; i < n; i++)
		p[i].worse = rate(p[i].b) - rate(p[i].a);
	qsort(p, n, sizeof *p, worst_first);
	return n;
}

static double pct(const struct nl_series *s, double q)
{
	return s ? nl_series_quantile(s, q, 0, 0, NULL, NULL) : -1;
}

static uint64_t calls(const struct nl_series *s)
{
	return s ? s->all.requests : 0;
}

static void put_row(struct nl_out *o, const struct pair *p)
{
	const struct nl_series *s = p->b ? p->b : p->a;
	char full[256], name[256], t[6][32];
	snprintf(full, sizeof full, "%s/%s", s->kind_text, s->policy);
	nl_out_put(o, "%-24s %6s %6s %6.1f %6.1f %6s %6s %6s %6s\n", nl_safe_text(full, 24, name), nl_count_text(calls(p->a), t[0]),
	           nl_count_text(calls(p->b), t[1]), 100 * rate(p->a), 100 * rate(p->b), nl_span_text(pct(p->a, .5), t[2]), nl_span_text(pct(p->b, .5), t[3]),
	           nl_span_text(pct(p->a, .99), t[4]), nl_span_text(pct(p->b, .99), t[5]));
}

static void put_side(struct nl_out *o, const char *key, const struct nl_series *s)
{
	char text[40];
	nl_out_begin(o, key, '{');
	nl_out_uint(o, "requests", calls(s));
	nl_out_raw(o, "rate", text, (size_t)snprintf(text, sizeof text, "%.6f", rate(s)));
	if (calls(s)) {
		nl_out_raw(o, "p50_s", text, (size_t)snprintf(text, sizeof text, "%.6f", pct(s, .5)));
		nl_out_raw(o, "p99_s", text, (size_t)snprintf(text, sizeof text, "%.6f", pct(s, .99)));
	}
	nl_out_end(o, '}');
}

static void put_json(struct nl_out *o, const struct pair *p)
{
	const struct nl_series *s = p->b ? p->b : p->a;
	nl_out_begin(o, NULL, '{');
	nl_out_str(o, "policy", s->policy);
	nl_out_str(o, "kind", s->kind_text);
	put_side(o, "before", p->a);
	put_side(o, "after", p->b);
	nl_out_end(o, '}');
	nl_out_bytes(o, "\n", 1);
}

static int diff_answer(struct nl_ask *ask, struct nl_out *o, struct nl_err *err)
{
	struct diff *d = ask->data;
	const struct nl_system *b = d->b ? d->b : ask->system;
	struct pair *p = calloc(nl_system_count(d->a) + nl_system_count(b) + 1, sizeof *p);
	if (!p)
		return nl_fail(err, "out of memory");
	unsigned n = pair_up(p, d->a, b);
	if (!ask->json)
		nl_out_put(o, "%-24s %13s %13s %13s %13s\n%-24s %6s %6s %6s %6s %6s %6s %6s %6s\n", "", "CALLS", "FAIL%", "P50", "P99", "POLICY",
		           "before", "after", "before", "after", "before", "after", "before", "after");
	for (unsigned i = 0; i < n; i++)
		(ask->json ? put_json : put_row)(o, &p[i]);
	free(p);
	return 0;
}

const struct nl_query nl_q_diff = {
	.name = "diff", .args = "TIME|SOURCE", .about = "what is different since a time, or from another log", .least = 1, .most = 1,
	.begin = diff_begin, .answer = diff_answer, .end = diff_end,
};
