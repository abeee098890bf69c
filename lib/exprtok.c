/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exprtok.c - space, comments, names and places in the text of an expression.
 */
#include "exprtok.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void next_line(struct nl_expr_text *t)
{
	t->line = ++t->p;
	t->number++;
}

char nl_expr_peek(struct nl_expr_text *t)
{
	for (; t->p < t->end; ) {
		if (*t->p == '\n')
			next_line(t);
		else if (*t->p == '\\' && t->end - t->p > 1 && t->p[1] == '\n')
			t->p++;
		else if (*t->p == '#')
			while (t->p < t->end && *t->p != '\n')
				t->p++;
		else if (*t->p == ' ' || *t->p == '\t' || *t->p == '\r')
			t->p++;
		else
			return *t->p;
	}
	return '\0';
}

struct nl_spot nl_expr_here(const struct nl_expr_text *t)
{
	return (struct nl_spot){ t->file, t->number, (unsigned)(t->p - t->line) + 1 };
}

size_t nl_expr_word(const struct nl_expr_text *t)
{
	const char *p = t->p;
	while (p < t->end && (isalnum((unsigned char)*p) || *p == '_' || *p == '-'))
		p++;
	return (size_t)(p - t->p);
}

void *nl_expr_wrong(struct nl_expr_parser *p, struct nl_spot at, const char *fmt, ...)
{
	char text[sizeof p->err->msg];
	va_list ap;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof text, fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	(void)nl_fail(p->err, "%s", text);
	*p->where = at;
	return NULL;
}

void *nl_expr_get(struct nl_expr_parser *p, size_t n)
{
	void *got = nl_arena_get(&p->tree->mem, n);
	return got ? got : nl_expr_wrong(p, nl_expr_here(&p->in), "out of memory");
}
