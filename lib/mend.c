/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mend.c - one expression for all findings: mends the first that can be mended,
 * reads the result anew and looks again, until there is nothing, or nothing new.
 *
 * One at a time, because one rewrite can be in the way of another: what moves a
 * layer around a race removes those that a second one would change.  An
 * expression that was there before is not taken again, so it ends.
 */
#include "check.h"

#include <string.h>

enum { STEPS = 64 };

const char *nl_expr_copy(const struct nl_expr *e, struct nl_arena *mem)
{
	size_t n = nl_expr_text(e, NULL, 0);
	char *text = nl_arena_get(mem, n + 1);
	if (text)
		nl_expr_text(e, text, n + 1);
	return text;
}

struct mending { const char *text[STEPS]; unsigned n; bool once; struct nl_arena *mem; };

static bool is_new(const struct mending *m, const char *text)
{
	struct nl_err err;
	struct nl_spot at;
	for (unsigned i = 0; i < m->n; i++)
		if (!strcmp(m->text[i], text))
			return false;
	struct nl_expr_tree *tree = nl_expr_parse(text, NULL, &err, &at);
	nl_expr_free(tree);
	return tree;
}

static void note_left(struct nl_mended *to, const char *code)
{
	for (unsigned i = 0; i < to->left; i++)
		if (!strcmp(to->code[i], code))
			return;
	if (to->left < NL_MENDED_LEFT)
		to->code[to->left++] = code;
}

/* The next text, in memory of all; NULL: none.  What was found is noted then. */
static int step(struct mending *m, const struct nl_expr *root, struct nl_arena *mem, struct nl_mended *to, struct nl_err *err)
{
	struct nl_finding *found[NL_FINDINGS];
	struct nl_checked c = { .root = root, .all = nl_term_new(root, mem, err), .mem = mem, .once = m->once };
	int n = c.all ? nl_check_find(&c, found, err) : -1;
	for (int i = 0; i < n && m->n < STEPS; i++) {
		const struct nl_expr *better = nl_rewrite(root, &found[i]->edits, mem);
		const char *text = better ? nl_expr_copy(better, m->mem) : NULL;
		if (!text)
			return nl_fail(err, "out of memory");
		if (is_new(m, text)) {
			m->text[m->n++] = text;
			return 1;
		}
	}
	for (int i = 0; i < n; i++)
		note_left(to, found[i]->code);
	return n < 0 ? -1 : 0;
}

int nl_mend(struct nl_mended *to, const struct nl_expr *root, bool once, struct nl_arena *mem, struct nl_err *err)
{
	struct mending m = { .once = once, .mem = mem };
	struct nl_spot at;
	int r = 1;
	m.text[m.n++] = nl_expr_copy(root, mem);
	if (!m.text[0])
		return nl_fail(err, "out of memory");
	while (r > 0) {
		struct nl_arena own = { .most = (size_t)32 << 20 };
		struct nl_expr_tree *tree = nl_expr_parse(m.text[m.n - 1], NULL, err, &at);
		r = tree ? step(&m, tree->root, &own, to, err) : -1;
		nl_arena_free(&own);
		nl_expr_free(tree);
	}
	to->text = m.text[m.n - 1];
	return r;
}
