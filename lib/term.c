/* SPDX-License-Identifier: Apache-2.0 */
/*
 * term.c - see term.h.
 */
#include "term.h"

#include "opt.h"

#include <string.h>

/* What is inside of the expression being read, innermost last; NULL: the command. */
struct inside { const struct nl_expr *e; const struct inside *next; };

struct reading { struct nl_arena *mem; struct nl_err *err; unsigned n; };

static const struct nl_span *span_of(const struct nl_term *t, const char *key)
{
	return t->svc ? nl_opt_field(t->svc, key, NL_SPAN) : NULL;
}

unsigned nl_term_num(const struct nl_term *t, const char *key, unsigned absent)
{
	const struct nl_num *n = t->svc ? nl_opt_field(t->svc, key, NL_NUM) : NULL;
	return n && n->given ? n->n : absent;
}

nl_time nl_term_span(const struct nl_term *t, const char *key, nl_time absent)
{
	const struct nl_span *s = span_of(t, key);
	return s && (s->given || s->ns) ? s->ns : absent;
}

bool nl_term_flag(const struct nl_term *t, const char *key)
{
	const bool *flag = t->svc ? nl_opt_field(t->svc, key, NL_FLAG) : NULL;
	return flag && *flag;
}

bool nl_term_text(const struct nl_term *t, const char *key)
{
	const char *const *text = t->svc ? nl_opt_field(t->svc, key, NL_STR) : NULL;
	return text && *text;
}

static const struct nl_codes *codes_of(const struct nl_term *t, const char *key)
{
	static const struct nl_codes none;
	const struct nl_codes *codes = t->svc ? nl_opt_field(t->svc, key, NL_CODES) : NULL;
	return codes ? codes : &none;
}

/* A fallback without sets goes on after what did not get to run, too. */
enum nl_class nl_term_class(const struct nl_term *t, struct nl_outcome o)
{
	const struct nl_codes *on = codes_of(t, "on"), *except = codes_of(t, "except");
	enum nl_class class = nl_classify(on, except, codes_of(t, "ok"), o);
	int code = nl_code(o.wstatus);
	bool kept_out = code == NL_EX_REJECTED || code == NL_EX_NOEXEC || code == NL_EX_NOTFOUND;
	if (t->kind == NL_TERM_FALLBACK && class == NL_CLASS_NEITHER && kept_out && !on->set && !nl_codes_match(except, o))
		return NL_CLASS_FAILURE;
	return class;
}

bool nl_term_has_sets(const struct nl_term *t)
{
	return codes_of(t, "on")->set || codes_of(t, "except")->set || codes_of(t, "ok")->set;
}

unsigned nl_term_arms(const struct nl_term *t)
{
	unsigned n = 0;
	for (const struct nl_term *i = t->inner; i; i = i->next)
		n++;
	return n * nl_term_num(t, "hedge", 1);
}

static enum nl_term_kind kind_of(const struct nl_layer *layer)
{
	static const struct { const char *name; enum nl_term_kind kind; } kinds[] = {
		{ "retry", NL_TERM_RETRY }, { "timeout", NL_TERM_TIMEOUT }, { "breaker", NL_TERM_BREAKER },
		{ "bulkhead", NL_TERM_BULKHEAD }, { "race", NL_TERM_RACE }, { "fallback", NL_TERM_FALLBACK },
	};
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (!strcmp(kinds[i].name, layer->name))
			return kinds[i].kind;
	return NL_TERM_COMMAND;
}

/* Layers that stop commands say how long they wait; | has no say. */
static void note_grace(struct nl_term *t)
{
	bool stops = t->kind == NL_TERM_RETRY || t->kind == NL_TERM_TIMEOUT || t->kind == NL_TERM_RACE;
	nl_time mine = !stops ? NL_NEVER : nl_term_span(t, "kill-after", 5 * NL_SEC);
	mine = mine ? mine : NL_NEVER;
	t->grace = t->outer ? t->outer->grace : NL_NEVER;
	t->grace_by = t->outer ? t->outer->grace_by : NULL;
	if (stops && mine <= t->grace)
		t->grace = mine, t->grace_by = t->e;
}

static struct nl_term *read_expr(struct reading *r, const struct nl_expr *e, const struct inside *rest, const struct nl_term *outer);

static struct nl_term *new_term(struct reading *r, enum nl_term_kind kind, const struct nl_expr *e, const struct nl_term *outer)
{
	struct nl_term *t = r->n++ < NL_TERM_MOST ? nl_arena_get(r->mem, sizeof *t) : NULL;
	if (!t) {
		nl_fail(r->err, "it makes more than %d calls: | and & copy what is wrapped in them", NL_TERM_MOST);
		return NULL;
	}
	*t = (struct nl_term){ .kind = kind, .e = e, .svc = e ? e->svc : NULL, .outer = outer };
	note_grace(t);
	return t;
}

static struct nl_term *read_rest(struct reading *r, const struct inside *rest, const struct nl_term *outer)
{
	return rest ? read_expr(r, rest->e, rest->next, outer) : new_term(r, NL_TERM_COMMAND, NULL, outer);
}

/* The branches of a chain of e's operator, behind *last. */
static struct nl_term **read_branches(struct reading *r, const struct nl_expr *e, const struct inside *rest, struct nl_term *t,
                                      struct nl_term **last)
{
	const struct nl_expr *sides[] = { e->a, e->b };
	for (int i = 0; i < 2; i++) {
		if (i == 0 && e->a->op == e->op) {
			last = read_branches(r, e->a, rest, t, last);
			if (!last)
				return NULL;
			continue;
		}
		*last = read_expr(r, sides[i], rest, t);
		if (!*last)
			return NULL;
		last = &(*last)->next;
	}
	return last;
}

static struct nl_term *read_expr(struct reading *r, const struct nl_expr *e, const struct inside *rest, const struct nl_term *outer)
{
	struct inside more = { e->b, rest };
	struct nl_term *t = NULL;
	switch (e->op) {
	case NL_EXPR_PASS:
		return read_rest(r, rest, outer);
	case NL_EXPR_FAIL:
		return new_term(r, NL_TERM_FAIL, e, outer);
	case NL_EXPR_WRAP:
		return read_expr(r, e->a, &more, outer);
	case NL_EXPR_LAYER:
		t = new_term(r, kind_of(e->svc->layer), e, outer);
		return t && (t->inner = read_rest(r, rest, t)) ? t : NULL;
	case NL_EXPR_ELSE: case NL_EXPR_RACE:
		t = new_term(r, e->op == NL_EXPR_ELSE ? NL_TERM_FALLBACK : NL_TERM_RACE, e, outer);
		return t && read_branches(r, e, rest, t, &t->inner) ? t : NULL;
	}
	return NULL;
}

struct nl_term *nl_term_new(const struct nl_expr *e, struct nl_arena *mem, struct nl_err *err)
{
	struct reading r = { .mem = mem, .err = err };
	return read_expr(&r, e, NULL, NULL);
}
