/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expr_fuzz.c - libFuzzer target: expressions.  What parses has a normal form
 * that parses to the same tree and the same words, and is its own normal form;
 * what does not has an error within the text.  Bytes before the last NUL are a
 * policy file.
 *
 * make fuzz FUZZ_TIME=SECONDS
 */
#include "expr.h"
#include "policies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(x) do { if (!(x)) abort(); } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char *commands[][6] = {
	{ (char[]){ "c" }, NULL },
	{ (char[]){ "-c" }, (char[]){ "[" }, (char[]){ "\\]" }, (char[]){ "|" }, (char[]){ ":::" }, NULL },
	{ NULL },
};

static char *normal(const struct nl_expr *e)
{
	size_t n = nl_expr_text(e, NULL, 0);
	char *text = malloc(n + 1);
	MUST(text && nl_expr_text(e, text, n + 1) == n && strlen(text) == n);
	return text;
}

static void same(const struct nl_expr *a, const struct nl_expr *b)
{
	MUST(a->op == b->op);
	MUST(!a->a == !b->a && !a->b == !b->b && !a->svc == !b->svc);
	if (a->a) {
		same(a->a, b->a);
		same(a->b, b->b);
	}
	for (size_t i = 0; a->svc && (a->words[i] || b->words[i]); i++)
		MUST(a->words[i] && b->words[i] && !strcmp(a->words[i], b->words[i]));
}

/* Brackets match, and the line of b is that of a. */
static void lines(const struct nl_expr *a, const struct nl_expr *b)
{
	struct nl_err err, also;
	for (size_t k = 0; k < sizeof commands / sizeof *commands; k++) {
		struct nl_words v = { .n = 0 }, w = { .n = 0 };
		int r = nl_expr_words(a, commands[k], &v, &err);
		MUST(nl_expr_words(b, commands[k], &w, &also) == r);
		MUST(v.n == w.n && (r == 0 || err.msg[0]));
		unsigned depth = 0;
		for (size_t i = 0; i < v.n; i++) {
			MUST(!strcmp(v.v[i], w.v[i]));
			depth += !strcmp(v.v[i], "[");
			MUST(depth || strcmp(v.v[i], "]") != 0);
			depth -= !strcmp(v.v[i], "]");
		}
		MUST(r < 0 || k == 1 || depth == 0);
		nl_words_free(&v);
		nl_words_free(&w);
	}
}

static void wrong(const char *text, const struct nl_policies *policies, const struct nl_err *err, const struct nl_spot *at)
{
	char show[240], spot[100];
	MUST(err->msg[0] && at->line > 0 && at->col > 0);
	nl_spot_text(at, spot, sizeof spot);
	for (size_t size = 0; size <= sizeof show; size += 30)
		MUST(nl_spot_show(at, text, policies, show, size) == 0 || strchr(show, '^'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct nl_err err = { "" };
	struct nl_spot at;
	const uint8_t *nul = n ? memrchr(data, '\0', n) : NULL;
	struct nl_policies *policies = nl_policies_new();
	size_t front = nul ? (size_t)(nul - data) : 0, skip = nul ? front + 1 : 0;
	char *text = strndup((const char *)data + skip, n - skip);
	MUST(policies && text);
	if (nul && nl_policies_text(policies, "p", (const char *)data, front, &err, &at) < 0)
		wrong(text, policies, &err, &at);
	/* The C library's regcomp is not ours to test. */
	bool ours = !strstr(text, "retry-if") && !memmem(data, n, "retry-if", 8);
	struct nl_expr_tree *tree = ours ? nl_expr_parse(text, policies, &err, &at) : NULL;
	if (tree) {
		char *first = normal(tree->root);
		struct nl_expr_tree *again = nl_expr_parse(first, NULL, &err, &at);
		MUST(again || strlen(first) > NL_EXPR_LONGEST);
		if (again) {
			char *second = normal(again->root);
			MUST(!strcmp(first, second));
			same(tree->root, again->root);
			lines(tree->root, again->root);
			free(second);
		}
		nl_expr_free(again);
		free(first);
	} else if (ours) {
		wrong(text, policies, &err, &at);
	}
	nl_expr_free(tree);
	nl_policies_free(policies);
	free(text);
	return 0;
}
