/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - nl-run --check: asks every rule about every call, plays what it
 * says, mends it, and tells.
 *
 * A layer that is copied into branches is told of once.
 */
#include "check.h"

#include "bounds.h"
#include "opt.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 256, WIDTH = 79, INDENT = 13 };

static nl_time shorter(nl_time a, nl_time b)
{
	return b && b < a ? b : a;
}

struct nl_around nl_term_around(const struct nl_term *t)
{
	struct nl_around a = { NL_NEVER, NULL };
	for (const struct nl_term *o = t->outer; o; o = o->outer) {
		nl_time mine = NL_NEVER;
		if (o->kind == NL_TERM_RETRY)
			mine = shorter(shorter(mine, nl_term_span(o, "total", 0)), nl_term_span(o, "per-attempt", 0));
		else if (o->kind == NL_TERM_TIMEOUT)
			mine = shorter(mine, nl_term_span(o, "limit", 0));
		if (mine < a.limit)
			a = (struct nl_around){ mine, o };
	}
	return a;
}

nl_time nl_term_longest(const struct nl_checked *c, const struct nl_term *t)
{
	struct nl_bounds b;
	struct nl_err err;
	(void)c;
	return nl_bounds_of(t, &b, &err) ? NL_NEVER : b.wall.n;
}

bool nl_term_is_gate(const struct nl_term *t)
{
	return t->kind == NL_TERM_BREAKER || t->kind == NL_TERM_BULKHEAD;
}

bool nl_term_repeats(const struct nl_term *t)
{
	return t->kind == NL_TERM_RETRY && nl_term_num(t, "attempts", 3) != 1;
}

const struct nl_term *nl_term_find(const struct nl_term *t, enum nl_term_kind kind)
{
	const struct nl_term *found = NULL;
	for (const struct nl_term *i = t->inner; i && !found; i = i->next)
		found = i->kind == kind ? i : nl_term_find(i, kind);
	return found;
}

void nl_finding_edit(struct nl_finding *f, struct nl_edit edit)
{
	for (unsigned i = 0; i < f->edits.n; i++)
		if (f->edits.v[i].at == edit.at && f->edits.v[i].what == edit.what && f->edits.v[i].key == edit.key)
			return;                 // It is copied into several branches.
	if (f->edits.n < NL_EDITS)
		f->edits.v[f->edits.n++] = edit;
}

const char *nl_checked_text(const struct nl_checked *c, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	const char *kept = nl_arena_text(c->mem, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
	return kept ? kept : "";
}

const char *nl_checked_secs(const struct nl_checked *c, nl_time t)
{
	nl_time unit = t >= NL_SEC ? NL_MS : NL_US;     // Up, and no finer than anybody would write it.
	t = t < NL_NEVER - unit ? (t + unit - 1) / unit * unit : t;
	const char *text = nl_checked_text(c, "%.6f", (double)t / NL_SEC);
	size_t n = strlen(text);
	while (n && text[n - 1] == '0')
		n--;
	n -= n && text[n - 1] == '.';
	return t == NL_NEVER ? "inf" : nl_checked_text(c, "%.*ss", (int)n, text);
}

struct list { const struct nl_checked *c; struct nl_finding **v; unsigned n; bool lost; };

static bool is_known(const struct list *l, const char *code, const struct nl_expr *at)
{
	for (unsigned i = 0; i < l->n; i++)
		if (!strcmp(l->v[i]->code, code) && l->v[i]->at == at)
			return true;
	return false;
}

static void ask(struct list *l, const struct nl_term *t, const struct nl_rule_of *rules)
{
	for (const struct nl_rule_of *r = rules; r->code && l->n < MOST; r++) {
		struct nl_finding f = { .code = r->code, .severity = r->severity, .at = t->e };
		if (!t->svc && t->kind != NL_TERM_RACE)
			continue;
		if (!r->rule(l->c, t, &f) || is_known(l, f.code, f.at))
			continue;
		struct nl_finding *kept = nl_arena_get(l->c->mem, sizeof *kept);
		l->lost |= !kept;
		if (!kept)
			return;
		*kept = f;
		l->v[l->n++] = kept;
	}
}

static void ask_all(struct list *l, const struct nl_term *t)
{
	ask(l, t, nl_rules_of_time);
	ask(l, t, nl_rules_of_gates);
	ask(l, t, nl_rules_of_order);
	for (const struct nl_term *i = t->inner; i; i = i->next)
		ask_all(l, i);
}

/* By place, then by code; a list this short needs no better way. */
static void sort(struct list *l)
{
	for (unsigned i = 1; i < l->n; i++)
		for (unsigned k = i; k > 0; k--) {
			struct nl_finding *a = l->v[k - 1], *b = l->v[k];
			const struct nl_spot *x = &a->at->at, *y = &b->at->at;
			int order = strcmp(x->file ? x->file : "", y->file ? y->file : "");
			order = order ? order : x->line != y->line ? (x->line > y->line) - (x->line < y->line) : (x->col > y->col) - (x->col < y->col);
			if (order < 0 || (order == 0 && strcmp(a->code, b->code) <= 0))
				break;
			l->v[k - 1] = b, l->v[k] = a;
		}
}

static void put(struct nl_out *o, const char *text)
{
	nl_out_bytes(o, text, strlen(text));
}

/* Words behind a label, in lines of 79. */
static void put_wrapped(struct nl_out *o, const char *label, const char *text)
{
	char head[32];
	size_t col = (size_t)snprintf(head, sizeof head, "    %-9s", label);
	put(o, head);
	while (*text) {
		size_t n = strcspn(text, " ");
		if (col > INDENT && col + 1 + n > WIDTH) {
			snprintf(head, sizeof head, "\n%*s", INDENT, "");
			put(o, head);
			col = INDENT;
		} else if (col > INDENT) {
			put(o, " ");
			col++;
		}
		nl_out_bytes(o, text, n);
		col += n;
		text += n + (text[n] == ' ');
	}
	put(o, "\n");
}

static const char *const severities[] = { [NL_NOTE] = "note", [NL_CAUTION] = "warning", [NL_FAULT] = "error" };

static const char *spot(const struct nl_spot *at, char *buf, size_t size)
{
	if (at->file)
		snprintf(buf, size, "%.300s:%u:%u", at->file, at->line, at->col);
	else if (at->line > 1)
		snprintf(buf, size, "expr:%u:%u", at->line, at->col);
	else
		snprintf(buf, size, "expr:%u", at->col);
	return buf;
}

static const char *layer_name(const struct nl_expr *e)
{
	return e->svc ? e->svc->layer->name : e->op == NL_EXPR_RACE ? "race" : "fallback";
}

static void put_finding(struct nl_out *o, const struct nl_finding *f, const struct nl_witness *w, const char *rewrite, bool colour)
{
	static const char *const shades[] = { [NL_NOTE] = "\33[36m", [NL_CAUTION] = "\33[33m", [NL_FAULT] = "\33[31m" };
	char text[400];
	put(o, spot(&f->at->at, text, sizeof text));
	put(o, ": ");
	put(o, colour ? shades[f->severity] : "");
	put(o, severities[f->severity]);
	put(o, colour ? "\33[0m" : "");
	snprintf(text, sizeof text, " %s: %s: %s\n", f->code, layer_name(f->at), nl_check_title(f->code));
	put(o, text);
	put_wrapped(o, "why", f->why);
	for (unsigned i = 0; i < w->lines; i++) {
		snprintf(text, sizeof text, "    %-9s%.*s\n", i ? "" : "witness", WIDTH - INDENT, w->line[i]);
		put(o, text);
	}
	put(o, "    rewrite  ");
	put(o, rewrite);
	put(o, "\n");
}

static void put_json(struct nl_out *o, const struct nl_finding *f, const struct nl_witness *w, const char *rewrite)
{
	nl_out_begin(o, NULL, '{');
	nl_out_str(o, "code", f->code);
	nl_out_str(o, "severity", severities[f->severity]);
	if (f->at->at.file)
		nl_out_str(o, "file", f->at->at.file);
	nl_out_uint(o, "line", f->at->at.line);
	nl_out_uint(o, "col", f->at->at.col);
	nl_out_str(o, "layer", layer_name(f->at));
	nl_out_str(o, "title", nl_check_title(f->code));
	nl_out_str(o, "why", f->why);
	nl_out_begin(o, "witness", '[');
	for (unsigned i = 0; i < w->lines; i++)
		nl_out_str(o, NULL, w->line[i]);
	nl_out_end(o, ']');
	nl_out_str(o, "rewrite", rewrite);
	nl_out_end(o, '}');
	put(o, "\n");
}

const char *nl_check_title(const char *code)
{
	static const struct { const char *code, *title; } titles[] = {
		{ "NL001", "this limit never fires" },
		{ "NL002", "retries inside retries" },
		{ "NL003", "a breaker outside of a retry" },
		{ "NL004", "one call opens it" },
		{ "NL005", "arms of a race share it" },
		{ "NL006", "the limit is outside" },
		{ "NL007", "a fallback hides failures" },
		{ "NL008", "a rejection in disguise" },
		{ "NL009", "rejections are retried" },
		{ "NL010", "it may wait for ever" },
		{ "NL011", "what must not run twice may" },
		{ "NL012", "attempts that never begin" },
		{ "NL013", "nothing is ever slow" },
		{ "NL014", "probes as long as the rest" },
		{ "NL015", "inside of itself" },
	};
	for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
		if (!strcmp(titles[i].code, code))
			return titles[i].title;
	return "";
}

/* Plays, mends and tells one. */
static int tell(struct nl_out *o, const struct nl_checked *c, const struct nl_finding *f, const struct nl_question *q, struct nl_err *err)
{
	struct nl_witness w;
	const struct nl_expr *better = nl_rewrite(c->root, &f->edits, c->mem);
	if (!better)
		return nl_fail(err, "out of memory");
	if (nl_witness_of(c->all, &f->scene, &w, err) < 0)
		return -1;
	size_t n = nl_expr_text(better, NULL, 0);
	char *text = nl_arena_get(c->mem, n + 1);
	if (!text)
		return nl_fail(err, "out of memory");
	nl_expr_text(better, text, n + 1);
	if (q->json)
		put_json(o, f, &w, text);
	else
		put_finding(o, f, &w, text, q->colour);
	return 0;
}

int nl_check_of(struct nl_out *o, const struct nl_expr *root, const struct nl_question *q, struct nl_err *err)
{
	struct nl_arena mem = { .most = (size_t)32 << 20 };
	struct nl_finding *found[MOST];
	struct nl_checked c = { .root = root, .all = nl_term_new(root, &mem, err), .mem = &mem, .once = q->once };
	struct list l = { .c = &c, .v = found };
	int r = c.all ? 0 : -1;
	if (r == 0)
		ask_all(&l, c.all);
	if (l.lost)
		r = nl_fail(err, "out of memory");
	sort(&l);
	for (unsigned i = 0; i < l.n && r == 0; i++)
		r = tell(o, &c, l.v[i], q, err);
	nl_arena_free(&mem);
	return r < 0 ? -1 : (int)l.n;
}

int nl_check_answer(struct nl_out *o, const struct nl_question *q, struct nl_err *err)
{
	int n = nl_check_of(o, q->tree->root, q, err);
	return n < 0 ? -1 : n > 0;
}
