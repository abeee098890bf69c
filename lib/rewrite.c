/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rewrite.c - see rewrite.h.  The tree is copied; what is not changed is shared.
 */
#include "rewrite.h"

#include <stdio.h>
#include <string.h>

enum { WORDS = 64 };

static const struct nl_expr pass = { .op = NL_EXPR_PASS };

static bool is_key(const char *word, const char *key)
{
	size_t n = strlen(key);
	return !strncmp(word, "--", 2) && !strncmp(word + 2, key, n) && (word[2 + n] == '=' || !word[2 + n]);
}

/* The words of a layer with one edit done. */
static char **edit_words(char **words, const struct nl_edit *d, struct nl_arena *mem)
{
	char **v = nl_arena_get(mem, WORDS * sizeof *v), *word = NULL;
	size_t n = 0;
	if (d->what == NL_EDIT_SET) {
		char text[300];
		int len = snprintf(text, sizeof text, d->value ? "--%s=%s" : "--%s", d->key, d->value);
		word = nl_arena_text(mem, text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1);
	}
	if (!v || (!word && d->what != NL_EDIT_UNSET))
		return NULL;
	for (; *words && n < WORDS - 2; words++) {
		bool option = n > 0 && !strncmp(*words, "--", 2), same = option && d->key && is_key(*words, d->key);
		bool here = same || (n > 0 && !option);
		if (d->what == NL_EDIT_SET && word && here)
			v[n++] = word, word = NULL;     // Where it was, else behind the options.
		if (!same)
			v[n++] = *words;
	}
	if (word)
		v[n++] = word;
	return v;
}

static const struct nl_expr *node(struct nl_arena *mem, enum nl_expr_op op, const struct nl_expr *a, const struct nl_expr *b)
{
	struct nl_expr *e = a && b ? nl_arena_get(mem, sizeof *e) : NULL;
	if (e)
		*e = (struct nl_expr){ .op = op, .a = a, .b = b };
	return e;
}

/* once says something. */
static bool is_nothing(const struct nl_expr *e)
{
	return e->op == NL_EXPR_PASS && !e->once;
}

/* a + b, where pass is nothing. */
static const struct nl_expr *wrap(struct nl_arena *mem, const struct nl_expr *a, const struct nl_expr *b)
{
	if (!a || !b)
		return NULL;
	return is_nothing(a) ? b : is_nothing(b) ? a : node(mem, NL_EXPR_WRAP, a, b);
}

static const struct nl_expr *layer(const struct nl_expr *e, const struct nl_edits *edits, struct nl_arena *mem)
{
	struct nl_expr *copy = nl_arena_get(mem, sizeof *copy);
	if (!copy)
		return NULL;
	*copy = *e;
	copy->name = NULL;
	for (unsigned i = 0; i < edits->n && copy->words; i++) {
		const struct nl_edit *d = &edits->v[i];
		if (d->at == e && (d->what == NL_EDIT_SET || d->what == NL_EDIT_UNSET))
			copy->words = edit_words(copy->words, d, mem);
	}
	return copy->words ? copy : NULL;
}

static const struct nl_expr *copy_of(const struct nl_expr *e, const struct nl_edits *edits, struct nl_arena *mem)
{
	const struct nl_expr *r = e;
	bool removed = false;
	for (unsigned i = 0; i < edits->n; i++)
		removed |= edits->v[i].at == e && edits->v[i].what == NL_EDIT_REMOVE;
	if (e->op == NL_EXPR_LAYER)
		r = removed ? &pass : layer(e, edits, mem);
	else if (e->op == NL_EXPR_WRAP)
		r = wrap(mem, copy_of(e->a, edits, mem), copy_of(e->b, edits, mem));
	else if (e->b)
		r = removed ? copy_of(e->a, edits, mem) : node(mem, e->op, copy_of(e->a, edits, mem), copy_of(e->b, edits, mem));
	for (unsigned i = 0; i < edits->n && r; i++) {
		const struct nl_edit *d = &edits->v[i];
		if (d->at != e || (d->what != NL_EDIT_BEFORE && d->what != NL_EDIT_BEHIND))
			continue;
		const struct nl_expr *more = layer(d->layer, edits, mem);
		r = d->what == NL_EDIT_BEFORE ? wrap(mem, more, r) : wrap(mem, r, more);
	}
	return r;
}

const struct nl_expr *nl_rewrite(const struct nl_expr *e, const struct nl_edits *edits, struct nl_arena *mem)
{
	return copy_of(e, edits, mem);
}
