/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain.c - what an expression does to a command: who calls whom, a line for
 * each call, what is wrapped further in; last the command line that does the
 * same.  The tree has what is copied into branches as often as it is called.
 */
#include "question.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 1 << 26 };

struct page { struct nl_out *o; const struct nl_question *q; bool colour; };

/* What is inside, innermost last; NULL: the command. */
struct inside { const struct nl_expr *e; const struct inside *next; };

/* Text of users: no control reaches a terminal. */
static void put_user(struct page *p, const char *text)
{
	char *copy = strdup(text);
	if (!copy) {
		p->o->lost = true;
		return;
	}
	nl_defuse(copy);
	nl_out_bytes(p->o, copy, strlen(copy));
	free(copy);
}

static void put_call(struct page *p, unsigned depth, const char *text, const struct nl_spot *at, const char *name)
{
	nl_out_put(p->o, "%*s", (int)depth * 2, "");
	put_user(p, text);
	nl_out_put(p->o, "%s", p->colour ? "\33[2m" : "");
	if (at && at->file)
		nl_out_put(p->o, "  # %.300s:%u:%u", at->file, at->line, at->col);
	else if (at && at->line > 1)
		nl_out_put(p->o, "  # line %u col %u", at->line, at->col);
	else if (at)
		nl_out_put(p->o, "  # col %u", at->col);
	if (name)
		nl_out_put(p->o, " @%s", name);
	nl_out_put(p->o, "%s\n", p->colour ? "\33[0m" : "");
}

static void put_expr(struct page *p, const struct nl_expr *e, const struct inside *rest, unsigned depth);

static void put_rest(struct page *p, const struct inside *rest, unsigned depth)
{
	if (rest)
		put_expr(p, rest->e, rest->next, depth);
	else
		put_call(p, depth, p->q->command[0], NULL, NULL);
}

static void put_branches(struct page *p, const struct nl_expr *e, const struct inside *rest, unsigned depth)
{
	if (e->a->op == e->op)
		put_branches(p, e->a, rest, depth);
	else
		put_expr(p, e->a, rest, depth);
	put_expr(p, e->b, rest, depth);
}

static void put_expr(struct page *p, const struct nl_expr *e, const struct inside *rest, unsigned depth)
{
	struct inside more = { e->b, rest };
	size_t n;
	char *text;
	switch (e->op) {
	case NL_EXPR_PASS:
		if (e->once)
			put_call(p, depth, "once", &e->at, e->name);
		put_rest(p, rest, depth + e->once);
		break;
	case NL_EXPR_FAIL:
		put_call(p, depth, "fail", &e->at, e->name);
		break;
	case NL_EXPR_LAYER:
		n = nl_expr_text(e, NULL, 0);
		text = malloc(n + 1);
		if (text) {
			nl_expr_text(e, text, n + 1);
			put_call(p, depth, text, &e->at, e->name);
		}
		p->o->lost |= !text;
		free(text);
		put_rest(p, rest, depth + 1);
		break;
	case NL_EXPR_WRAP:
		put_expr(p, e->a, &more, depth);
		break;
	case NL_EXPR_ELSE: case NL_EXPR_RACE:
		put_call(p, depth, e->op == NL_EXPR_ELSE ? "fallback" : "race", &e->at, e->name);
		put_branches(p, e, rest, depth + 1);
		break;
	}
}

/* As a shell reads it again. */
static void put_quoted(struct nl_out *o, const char *word)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+:,./@%";
	bool bracket = (*word == '[' || *word == ']') && !word[1];
	if (*word && (bracket || (word[strspn(word, plain)] == '\0'))) {
		nl_out_bytes(o, word, strlen(word));
		return;
	}
	nl_out_bytes(o, "'", 1);
	for (size_t n; n = strcspn(word, "'"), nl_out_bytes(o, word, n), word[n]; word += n + 1)
		nl_out_bytes(o, "'\\''", 4);
	nl_out_bytes(o, "'", 1);
}

static void put_line(struct nl_out *o, const struct nl_words *w)
{
	const char *equals = strchr(w->v[0], '=');      // Unquoted it would set a variable.
	for (size_t i = 0; i < w->n; i++) {
		if (i)
			nl_out_bytes(o, " ", 1);
		if (i == 0 && equals)
			nl_out_bytes(o, "\\", 1);
		put_quoted(o, w->v[i]);
	}
	nl_out_bytes(o, "\n", 1);
}

/* As it was written: with wraps, and nothing copied. */
static void put_json(struct nl_out *o, const char *key, const struct nl_expr *e)
{
	static const char *const ops[] = { [NL_EXPR_PASS] = "pass", [NL_EXPR_FAIL] = "fail", [NL_EXPR_LAYER] = "layer", [NL_EXPR_WRAP] = "wrap",
		[NL_EXPR_ELSE] = "fallback", [NL_EXPR_RACE] = "race" };
	nl_out_begin(o, key, '{');
	nl_out_str(o, "op", e->once ? "once" : ops[e->op]);
	if (e->op == NL_EXPR_LAYER)
		nl_out_str(o, "layer", e->svc->layer->name);
	if (e->name)
		nl_out_str(o, "name", e->name);
	if (e->at.file)
		nl_out_str(o, "file", e->at.file);
	nl_out_uint(o, "line", e->at.line);
	nl_out_uint(o, "col", e->at.col);
	if (e->op == NL_EXPR_LAYER) {
		nl_out_begin(o, "args", '[');
		for (char **word = e->words + 1; *word; word++)
			nl_out_str(o, NULL, *word);
		nl_out_end(o, ']');
	}
	if (e->b) {
		put_json(o, "a", e->a);
		put_json(o, "b", e->b);
	}
	nl_out_end(o, '}');
}

int nl_explain(struct nl_out *o, const struct nl_question *q, struct nl_err *err)
{
	struct page p = { o, q, q->colour };
	struct nl_words w = { .state = q->state, .events = q->events };
	int r = nl_expr_words(q->tree->root, q->command, &w, err);
	if (r == 0 && q->json) {
		nl_out_begin(o, NULL, '{');
		put_json(o, "tree", q->tree->root);
		nl_out_begin(o, "argv", '[');
		for (size_t i = 0; i < w.n; i++)
			nl_out_str(o, NULL, w.v[i]);
		nl_out_end(o, ']');
		nl_out_end(o, '}');
		nl_out_bytes(o, "\n", 1);
	} else if (r == 0) {
		put_expr(&p, q->tree->root, NULL, 0);
		put_line(o, &w);
	}
	nl_words_free(&w);
	return r;
}

int nl_canonical(struct nl_out *o, const struct nl_question *q, struct nl_err *err)
{
	size_t n = nl_expr_text(q->tree->root, NULL, 0);
	char *text = n < TEXT_MAX ? malloc(n + 1) : NULL;
	if (!text)
		return nl_fail(err, "out of memory");
	nl_expr_text(q->tree->root, text, n + 1);
	if (q->json) {
		nl_out_begin(o, NULL, '{');
		nl_out_str(o, "canonical", text);
		nl_out_end(o, '}');
	} else {
		nl_out_bytes(o, text, n);
	}
	nl_out_bytes(o, "\n", 1);
	free(text);
	return 0;
}
