/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.c - the calls of one trace, each below the one that it was part of.  Which
 * trace a span belongs to is known only when its line comes, so the last calls of
 * all are kept.
 */
#include "observe/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPANS (1u << 17)                /* calls that are kept */

struct span { int64_t time_us, dur_us, attempts; uint64_t trace[2], span; uint32_t depth; char name[48], end[24]; };
struct nl_trace { struct nl_listener base; uint64_t n, wanted; struct span span[SPANS]; };

static void trace_line(struct nl_listener *l, enum nl_line is, const struct nl_fact *f, const char *text, size_t n)
{
	struct nl_trace *t = (struct nl_trace *)l;
	(void)text, (void)n;
	if (!f || is == NL_LINE_DUP || (f->told != NL_TOLD_SUCCESS && f->told != NL_TOLD_FAILURE))
		return;
	struct span *s = &t->span[t->n++ % SPANS];
	*s = (struct span){
		.time_us = f->time_us, .dur_us = f->dur_us, .attempts = f->attempts, .trace = { f->trace[0], f->trace[1] }, .span = f->span, .depth = f->depth,
	};
	snprintf(s->name, sizeof s->name, "%.*s/%.*s", (int)f->kind.n, f->kind.s, (int)f->policy.n, f->policy.s);
	snprintf(s->end, sizeof s->end, "%.*s", (int)f->err.n, f->err.s);
}

bool nl_trace_is_span(const char *text)
{
	return strlen(text) == 16 && strspn(text, "0123456789abcdef") == 16;
}

struct nl_trace *nl_trace_listen(struct nl_intake *in, const char *span)
{
	struct nl_trace *t = calloc(1, sizeof *t);
	if (!t)
		return NULL;
	t->wanted = strtoull(span, NULL, 16);
	t->base.line = trace_line;
	nl_intake_listen(in, &t->base);
	return t;
}

static int by_start(const void *x, const void *y)
{
	const struct span *a = x, *b = y;
	int64_t p = a->time_us - a->dur_us, q = b->time_us - b->dur_us;
	if (p / 1000 != q / 1000)
		return p < q ? -1 : 1;
	if (a->depth != b->depth)               // Layers of one call begin together.
		return a->depth < b->depth ? -1 : 1;
	return p < q ? -1 : p > q;
}

static void put(struct nl_out *o, const struct span *s, bool wanted, bool json)
{
	char t[28], span[32], id[20], safe[256];
	int in = 2 * (int)(s->depth < 8 ? s->depth : 8);
	snprintf(id, sizeof id, "%016llx", (unsigned long long)s->span);
	nl_time_text((s->time_us - s->dur_us) * NL_US, t);
	if (!json) {
		nl_out_put(o, "%.12s %c %*s%-*s %-14s %7s  %s\n", t + 11, wanted ? '>' : ' ', in, "", 23 - in, nl_safe_text(s->name, (unsigned)(23 - in), safe),
		           *s->end ? s->end : "success", nl_span_text((double)s->dur_us / 1e6, span), id);
		return;
	}
	nl_out_begin(o, NULL, '{');
	nl_out_time(o, "begun", (s->time_us - s->dur_us) * NL_US);
	nl_out_uint(o, "depth", s->depth);
	nl_out_str(o, "policy", s->name);
	nl_out_str(o, "end", *s->end ? s->end : "success");
	nl_out_secs(o, "dur_s", s->dur_us * NL_US);
	nl_out_str(o, "span_id", id);
	nl_out_put(o, "}\n");
}

int nl_trace_answer(struct nl_trace *t, struct nl_out *o, bool json, struct nl_err *err)
{
	uint64_t n = t->n < SPANS ? t->n : SPANS, found = n;
	for (uint64_t i = 0; i < n; i++)
		if (t->span[i].span == t->wanted)
			found = i;
	if (found == n) {
		nl_fail(err, "%016llx: no call of these events has this span", (unsigned long long)t->wanted);
		return 1;
	}
	uint64_t a = t->span[found].trace[0], b = t->span[found].trace[1], m = 0;
	struct span *of = malloc(n * sizeof *of);       // A copy: lines may come after this answer, and another one.
	if (!of)
		return nl_fail(err, "out of memory");
	for (uint64_t i = 0; i < n; i++)
		if (t->span[i].trace[0] == a && t->span[i].trace[1] == b)
			of[m++] = t->span[i];
	qsort(of, m, sizeof *of, by_start);
	if (!json)
		nl_out_put(o, "trace %016llx%016llx\n", (unsigned long long)a, (unsigned long long)b);
	for (uint64_t i = 0; i < m; i++)
		put(o, &of[i], of[i].span == t->wanted, json);
	free(of);
	return 0;
}
