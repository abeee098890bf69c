/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boundsout.c - nl-run --bounds: the worst case as text and as JSON.
 */
#include "bounds.h"

#include <stdio.h>
#include <string.h>

static void put_by(struct nl_out *o, const struct nl_bound *b)
{
	char text[400];
	int n;
	if (!b->by)
		n = snprintf(text, sizeof text, "inf by the command");
	else {
		const char *what = b->by->svc ? b->by->svc->layer->name : b->by->op == NL_EXPR_ELSE ? "fallback" : "race";
		if (b->by->at.file)
			n = snprintf(text, sizeof text, "inf by %s@%.300s:%u:%u", what, b->by->at.file, b->by->at.line, b->by->at.col);
		else if (b->by->at.line > 1)
			n = snprintf(text, sizeof text, "inf by %s@line %u col %u", what, b->by->at.line, b->by->at.col);
		else
			n = snprintf(text, sizeof text, "inf by %s@col %u", what, b->by->at.col);
	}
	nl_out_bytes(o, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

/* Seconds without the zeros that say nothing. */
static size_t seconds(nl_time t, char *buf, size_t size)
{
	t = t < NL_NEVER - NL_US ? (t + NL_US - 1) / NL_US : t / NL_US;         // Up: it is a bound.
	int n = snprintf(buf, size, "%lld.%06lld", (long long)(t / 1000000), (long long)(t % 1000000));
	while (n && buf[n - 1] == '0')
		n--;
	n -= n && buf[n - 1] == '.';
	buf[n] = '\0';
	return (size_t)n;
}

static void put_line(struct nl_out *o, const char *key, const struct nl_bound *b, bool time)
{
	char text[64];
	size_t n;
	nl_out_bytes(o, key, strlen(key));
	nl_out_bytes(o, " ", 1);
	if (b->n == NL_NEVER) {
		put_by(o, b);
	} else {
		n = time ? seconds(b->n, text, sizeof text) : (size_t)snprintf(text, sizeof text, "%lld", (long long)b->n);
		nl_out_bytes(o, text, n);
	}
	if (b->loose)
		nl_out_bytes(o, " at most", 8);
	nl_out_bytes(o, "\n", 1);
}

static void put_json(struct nl_out *o, const char *key, const struct nl_bound *b, bool time)
{
	char text[64];
	nl_out_begin(o, key, '{');
	if (b->n == NL_NEVER) {
		nl_out_str(o, "max", "inf");
		nl_out_str(o, "by", !b->by ? "command" : b->by->svc ? b->by->svc->layer->name : b->by->op == NL_EXPR_ELSE ? "fallback" : "race");
		if (b->by) {
			if (b->by->at.file)
				nl_out_str(o, "file", b->by->at.file);
			nl_out_uint(o, "line", b->by->at.line);
			nl_out_uint(o, "col", b->by->at.col);
		}
	} else if (time) {
		nl_out_raw(o, "max", text, seconds(b->n, text, sizeof text));
	} else {
		nl_out_int(o, "max", b->n);
	}
	if (b->n < NL_NEVER)
		nl_out_bool(o, "exact", !b->loose);
	nl_out_end(o, '}');
}

int nl_bounds_answer(struct nl_out *o, const struct nl_question *q, struct nl_err *err)
{
	struct nl_arena mem = { .most = (size_t)16 << 20 };
	struct nl_bounds b;
	struct nl_term *t = nl_term_new(q->tree->root, &mem, err);
	int r = t ? nl_bounds_of(t, &b, err) : -1;
	const struct { const char *key; const struct nl_bound *b; bool time; } lines[] = {
		{ "attempts", &b.attempts, false }, { "wall_s", &b.wall, true }, { "slept_s", &b.slept, true },
		{ "concurrency", &b.concurrency, false }, { "load", &b.load, false },
	};
	if (r == 0 && q->json)
		nl_out_begin(o, NULL, '{');
	for (size_t i = 0; r == 0 && i < sizeof lines / sizeof *lines; i++) {
		if (q->json)
			put_json(o, lines[i].key, lines[i].b, lines[i].time);
		else
			put_line(o, lines[i].key, lines[i].b, lines[i].time);
	}
	if (r == 0 && q->json) {
		nl_out_end(o, '}');
		nl_out_bytes(o, "\n", 1);
	}
	nl_arena_free(&mem);
	return r;
}
