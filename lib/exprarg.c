/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exprarg.c - one argument of a layer, as it is written: bare or quoted, with
 * a key or without.  What it means is exprlayer.c's.
 */
#include "exprtok.h"

#include <string.h>

/* Quoted text behind an opening quote: '' as it is, in "" a backslash makes " and \ literal. */
static char *read_quoted(struct nl_expr_parser *p)
{
	struct nl_spot at = nl_expr_here(&p->in);
	char quote = *p->in.p++, *text = nl_expr_get(p, (size_t)(p->in.end - p->in.p) < NL_EXPR_VALUE ? (size_t)(p->in.end - p->in.p) + 1 : NL_EXPR_VALUE);
	size_t n = 0;
	while (text && p->in.p < p->in.end && *p->in.p != quote && n < NL_EXPR_VALUE - 1) {
		bool escapes = quote == '"' && *p->in.p == '\\' && p->in.end - p->in.p > 1 && (p->in.p[1] == '"' || p->in.p[1] == '\\');
		p->in.p += escapes;
		text[n++] = *p->in.p++;
		if (text[n - 1] == '\n')
			p->in.line = p->in.p, p->in.number++;
	}
	if (!text)
		return NULL;
	if (p->in.p == p->in.end)
		return nl_expr_wrong(p, at, "%c: this quote is not closed", quote);
	if (*p->in.p != quote)
		return nl_expr_wrong(p, at, "a value of more than %d bytes", NL_EXPR_VALUE);
	p->in.p++;
	return text;
}

/* Is c, bare, a part of a value or key? */
static bool is_plain(char c)
{
	return (unsigned char)c > ' ' && c != 0x7f && !strchr(",()'\"#+|&=", c);
}

/* A bare word; equals: = belongs to it. */
static char *read_bare(struct nl_expr_parser *p, bool equals)
{
	const char *from = p->in.p, *q = from;
	while (q < p->in.end && (is_plain(*q) || (equals && *q == '=')) && !(*q == '\\' && p->in.end - q > 1 && q[1] == '\n'))
		q++;
	p->in.p = q;
	if (q - from >= NL_EXPR_VALUE)
		return nl_expr_wrong(p, nl_expr_here(&p->in), "a value of more than %d bytes", NL_EXPR_VALUE);
	char *text = nl_arena_text(&p->tree->mem, from, (size_t)(q - from));
	return text ? text : nl_expr_wrong(p, nl_expr_here(&p->in), "out of memory");
}

static char *read_value(struct nl_expr_parser *p)
{
	char c = nl_expr_peek(&p->in);
	struct nl_spot at = nl_expr_here(&p->in);
	if (c == '\'' || c == '"')
		return read_quoted(p);
	if (is_plain(c))
		return read_bare(p, true);
	if (!c)
		return nl_expr_wrong(p, at, "it ends where a value is expected");
	return nl_expr_wrong(p, at, "'%c': a value is expected; one with such characters is quoted", c);
}

int nl_expr_arg_read(struct nl_expr_parser *p, struct nl_expr_arg *a)
{
	*a = (struct nl_expr_arg){ .key = NULL };
	char c = nl_expr_peek(&p->in);
	a->at = a->value_at = nl_expr_here(&p->in);
	if (!is_plain(c)) {
		a->value = read_value(p);
	} else {
		a->value = read_bare(p, false);
		if (a->value && nl_expr_peek(&p->in) == '=') {
			p->in.p++;
			a->key = a->value;
			(void)nl_expr_peek(&p->in);
			a->value_at = nl_expr_here(&p->in);
			a->value = read_value(p);
		}
	}
	return a->value ? 0 : -1;
}
