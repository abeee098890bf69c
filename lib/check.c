/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - nl-run --check: asks every rule about every call, and has what they
 * find told and mended.
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
	for (const struct nl_rule_of *r = rules; r->code && l->n < NL_FINDINGS; r++) {
		struct nl_finding f = { .code = r->code, .severity = r->severity, .at = t->e };
		if (!t->svc && t->kind != NL_TERM_RACE && t->kind != NL_TERM_FALLBACK)
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

int nl_check_find(const struct nl_checked *c, struct nl_finding *found[NL_FINDINGS], struct nl_err *err)
{
	struct list l = { .c = c, .v = found };
	ask_all(&l, c->all);
	if (l.lost)
		return nl_fail(err, "out of memory");
	sort(&l);
	return (int)l.n;
}

/* Was it told of another policy that has it from the same place? */
static bool is_old(const struct nl_question *q, const struct nl_finding *f)
{
	return q->told && nl_told_before(q->told, &f->at->at, f->code);
}

int nl_check_of(struct nl_out *o, const struct nl_expr *root, const struct nl_question *q, struct nl_err *err)
{
	struct nl_arena mem = { .most = (size_t)32 << 20 };
	struct nl_finding *found[NL_FINDINGS];
	struct nl_mended m = { .text = "" };
	struct nl_checked c = { .root = root, .all = nl_term_new(root, &mem, err), .mem = &mem, .once = q->once || nl_expr_once(root) };
	int n = c.all ? nl_check_find(&c, found, err) : -1, told = 0;
	const char *alone = NULL;
	for (int i = 0; i < n && told >= 0; i++)
		if (!is_old(q, found[i]))
			told = nl_check_tell(o, &c, found[i], q, &alone, err) ? -1 : told + 1;
	if (told > 0 && nl_mend(&m, root, c.once, &mem, err) < 0)
		told = -1;
	if (told > 0 && (q->json || told > 1 || strcmp(alone, m.text) != 0))
		nl_check_tell_mended(o, root, &m, q);
	nl_arena_free(&mem);
	return n < 0 ? -1 : told;
}

int nl_check_answer(struct nl_out *o, const struct nl_question *q, struct nl_err *err)
{
	int n = nl_check_of(o, q->tree->root, q, err);
	return n < 0 ? -1 : n > 0;
}
