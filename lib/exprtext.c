/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exprtext.c - expressions as text again: the normal form, and places in them.
 */
#include "expr.h"
#include "policies.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

/* Bare if it can be; a backslash could be the last of a line. */
static void put_value(struct nl_text *t, const char *value)
{
	bool bare = *value;
	for (const char *p = value; *p; p++)
		bare &= (unsigned char)*p > ' ' && *p != 0x7f && !strchr(",()'\"#+|&=\\", *p);
	if (bare) {
		nl_text_put(t, value);
	} else if (!strchr(value, '\'')) {
		nl_text_put(t, "'");
		nl_text_put(t, value);
		nl_text_put(t, "'");
	} else {
		nl_text_put(t, "\"");
		for (; *value; value++) {
			if (*value == '"' || *value == '\\')
				nl_text_put(t, "\\");
			nl_text_bytes(t, value, 1);
		}
		nl_text_put(t, "\"");
	}
}

static void put_item(struct nl_text *t, size_t before)
{
	nl_text_bytes(t, before ? ", " : "(", before ? 2 : 1);
}

/* The words of a layer: operands first, options by their keys, that of the
 * first argument without it. */
static void put_layer(struct nl_text *t, char *const *words)
{
	const char *layer = words[0] + 3, *first = !strcmp(layer, "retry") ? "attempts" : NULL;
	size_t n = 1, items = 0;
	nl_text_put(t, layer);
	while (words[n] && !strncmp(words[n], "--", 2))
		n++;
	for (size_t i = n; words[i]; i++) {
		put_item(t, items++);
		put_value(t, words[i]);
	}
	for (size_t i = 1; i < n; i++) {
		const char *key = words[i] + 2;
		size_t len = strcspn(key, "=");
		put_item(t, items++);
		bool bare = items == 1 && first && !strncmp(first, key, len) && !first[len];
		if (!bare)
			nl_text_bytes(t, key, len + (key[len] == '='));
		if (key[len] == '=')
			put_value(t, key + len + 1);
	}
	if (items)
		nl_text_put(t, ")");
}

/* How tight an operator binds; an atom binds tightest. */
static int level(const struct nl_expr *e)
{
	return e->op == NL_EXPR_ELSE ? 1 : e->op == NL_EXPR_WRAP ? 2 : e->op == NL_EXPR_RACE ? 3 : 4;
}

static void put_expr(struct nl_text *t, const struct nl_expr *e, int least)
{
	static const char *const ops[] = { [NL_EXPR_WRAP] = " + ", [NL_EXPR_ELSE] = " | ", [NL_EXPR_RACE] = " & " };
	bool group = level(e) < least;
	if (group)
		nl_text_put(t, "(");
	if (e->op == NL_EXPR_PASS || e->op == NL_EXPR_FAIL) {
		nl_text_bytes(t, e->once ? "once" : e->op == NL_EXPR_PASS ? "pass" : "fail", 4);
	} else if (e->op == NL_EXPR_LAYER) {
		put_layer(t, e->words);
	} else {
		put_expr(t, e->a, level(e));
		nl_text_bytes(t, ops[e->op], 3);
		put_expr(t, e->b, level(e) + 1);
	}
	if (group)
		nl_text_put(t, ")");
}

size_t nl_expr_text(const struct nl_expr *e, char *buf, size_t size)
{
	struct nl_text t = { buf, size, 0 };
	put_expr(&t, e, 0);
	return nl_text_end(&t);
}

const char *nl_spot_text(const struct nl_spot *at, char *buf, size_t size)
{
	if (at->file && at->line == 0)
		snprintf(buf, size, "%s", at->file);
	else
		snprintf(buf, size, "%s%s%u:%u", at->file ? at->file : "", at->file ? ":" : "", at->line, at->col);
	return buf;
}

/* One column for each character; no control reaches a terminal. */
static void put_line(struct nl_text *t, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool c1 = (unsigned char)p[i] == 0xc2 && i + 1 < n && (unsigned char)p[i + 1] < 0xa0;
		bool control = (unsigned char)p[i] < ' ' || p[i] == 0x7f || c1;
		nl_text_bytes(t, p[i] == '\t' ? " " : control ? "?" : p + i, 1);
		i += c1;
	}
}

/* So many columns: a character of several bytes is one. */
static void put_blank(struct nl_text *t, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((unsigned char)p[i] & 0xc0) != 0x80)
			nl_text_put(t, " ");
}

size_t nl_spot_show(const struct nl_spot *at, const char *text, const struct nl_policies *policies, char *buf, size_t size)
{
	struct nl_text t = { buf, size, 0 };
	size_t n = at->file ? 0 : strlen(text), len = 0, col = at->col - 1;
	const char *p = at->file ? nl_policies_source(policies, at->file, &n) : text;
	if (size)
		buf[0] = '\0';
	if (!p || at->line == 0 || size < 24)
		return 0;
	const char *end = p + n;
	for (unsigned i = 1; i < at->line && p < end; i++, p += p < end)
		p += strcspn(p, "\n");
	while (p + len < end && p[len] != '\n')
		len++;
	if (col > len)
		return 0;
	size_t width = size / 2 - 6, from = 0;          // Of both lines, so that they fit into buf.
	if (width > 72)
		width = 72;
	if (len > width && col > width / 2)
		from = col - width / 2;
	while (from && from < len && ((unsigned char)p[from] & 0xc0) == 0x80)
		from--;
	size_t shown = len - from < width ? len - from : width;
	nl_text_put(&t, "  ");
	put_line(&t, p + from, shown);
	nl_text_put(&t, "\n  ");
	put_blank(&t, p + from, col - from);
	nl_text_put(&t, "^");
	return nl_text_end(&t);
}
