/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exprwords.c - an expression around a command, as a line of nested tools.
 *
 * What stands to the right of a + is carried along to every place where it
 * belongs: behind an operator with branches that is each of them, so the rest
 * is copied there.  Chains A | B | C are one nl-fallback with three branches.
 */
#include "expr.h"
#include "mut.h"

#include <string.h>

/* What is inside of the expression being written, innermost last; NULL: the command. */
struct inside { const struct nl_expr *e; const struct inside *next; };

struct line {
	struct nl_words *out;
	char **command;
	size_t length, most;            /* of the command; of the line */
	bool odd;                       /* the command has a word of syntax */
	struct nl_err *err;
};

static char word_run[] = "nl-run", word_fail[] = "fail", word_else[] = "nl-fallback", word_race[] = "nl-race", word_open[] = "[",
	word_close[] = "]", word_end[] = "--";

static int push(struct line *l, char *word)
{
	struct nl_words *w = l->out;
	if (w->n + 1 >= l->most)
		return nl_fail(l->err, "it becomes a line of more than %zu words: | and & copy what is wrapped in them", l->most);
	if (w->n + 1 >= w->room) {
		size_t room = w->room ? w->room * 2 : 64;
		char **v = nl_arena_get(&w->mem, room * sizeof *v);
		if (!v)
			return nl_fail(l->err, "out of memory");
		if (w->n)
			memcpy(v, w->v, w->n * sizeof *v);
		w->v = v, w->room = room;
	}
	w->v[w->n++] = word;
	w->v[w->n] = NULL;
	return 0;
}

/* Backslashes and then a word that is syntax in brackets? */
static bool is_syntax(const char *word)
{
	word += strspn(word, "\\");
	return !strcmp(word, "[") || !strcmp(word, "]") || !strcmp(word, "|") || !strcmp(word, ":::");
}

static int push_escaped(struct line *l, const char *word)
{
	size_t len = strlen(word);
	char *copy = nl_arena_get(&l->out->mem, len + 2);
	if (!copy)
		return nl_fail(l->err, "out of memory");
	copy[0] = '\\';
	memcpy(copy + 1, word, len);
	return push(l, copy);
}

static int write_command(struct line *l, unsigned depth)
{
	const struct nl_words *w = l->out;
	if (!*l->command)
		return nl_fail(l->err, "missing COMMAND");
	if (l->command[0][0] == '-' && w->n && w->v[w->n - 1] != word_open && push(l, word_end))
		return -1;
	for (char **word = l->command; *word; word++)
		if (depth && l->odd && is_syntax(*word) ? push_escaped(l, *word) : push(l, *word))
			return -1;
	return 0;
}

/* A tool, and the options that all have. */
static int push_tool(struct line *l, char *tool, bool events, bool state)
{
	const struct nl_words *w = l->out;
	bool first = w->n == 0;
	if (push(l, tool) || (first && !events && w->events && push(l, w->events)))
		return -1;
	return !state && w->state ? push(l, w->state) : 0;
}

static int write_expr(struct line *l, const struct nl_expr *e, const struct inside *rest, unsigned depth);

static int write_rest(struct line *l, const struct inside *rest, unsigned depth)
{
	return rest ? write_expr(l, rest->e, rest->next, depth) : write_command(l, depth);
}

static int write_layer(struct line *l, const struct nl_expr *e, const struct inside *rest, unsigned depth)
{
	bool group = e->svc->layer->branches && l->odd;         // Its own brackets, or it would read the command's words.
	if (push_tool(l, e->words[0], e->svc->events, e->svc->state))
		return -1;
	for (char **word = e->words + 1; *word; word++)
		if (push(l, *word))
			return -1;
	if (!group)
		return write_rest(l, rest, depth);
	return push(l, word_open) || write_rest(l, rest, depth + 1) || push(l, word_close) ? -1 : 0;
}

static int write_branch(struct line *l, const struct nl_expr *e, const struct inside *rest, unsigned depth)
{
	return push(l, word_open) || write_expr(l, e, rest, depth + 1) || push(l, word_close) ? -1 : 0;
}

/* The branches of a chain of e's operator. */
static int write_branches(struct line *l, const struct nl_expr *e, const struct inside *rest, unsigned depth)
{
	const struct inside *left = MUTANT(DISTRIBUTES_WRONG) ? NULL : rest;
	if (e->a->op == e->op ? write_branches(l, e->a, left, depth) : write_branch(l, e->a, left, depth))
		return -1;
	return write_branch(l, e->b, rest, depth);
}

static int write_expr(struct line *l, const struct nl_expr *e, const struct inside *rest, unsigned depth)
{
	struct inside more = { e->b, rest };
	switch (e->op) {
	case NL_EXPR_PASS:
		return write_rest(l, rest, depth);
	case NL_EXPR_FAIL:
		return push(l, word_run) || push(l, word_fail) ? -1 : 0;
	case NL_EXPR_LAYER:
		return write_layer(l, e, rest, depth);
	case NL_EXPR_WRAP:
		return write_expr(l, e->a, &more, depth);
	case NL_EXPR_ELSE:
		return push_tool(l, word_else, false, false) || write_branches(l, e, rest, depth) ? -1 : 0;
	case NL_EXPR_RACE:
		return push_tool(l, word_race, false, false) || write_branches(l, e, rest, depth) ? -1 : 0;
	}
	return nl_fail(l->err, "not an expression");
}

int nl_expr_words(const struct nl_expr *e, char **command, struct nl_words *out, struct nl_err *err)
{
	struct line l = { .out = out, .command = command, .err = err };
	for (char **word = command; *word; word++) {
		l.odd |= is_syntax(*word);
		l.length++;
	}
	l.most = l.length + NL_EXPR_WORDS;
	out->mem.most = (size_t)64 << 20;
	return write_expr(&l, e, NULL, 0);
}

void nl_words_free(struct nl_words *w)
{
	nl_arena_free(&w->mem);
	w->v = NULL, w->n = w->room = 0;
}
