/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exprtok.h - internal: the characters of an expression, and what its parser
 * shares between expr.c (operators) and exprlayer.c (layers and arguments).
 */
#ifndef NL_EXPRTOK_H
#define NL_EXPRTOK_H

#include "expr.h"

/* A text being read.  Lines that end in a backslash go on, as in a policy file. */
struct nl_expr_text {
	const char *p, *end;
	const char *line;               /* where the current line begins */
	const char *file;
	unsigned number;                /* of that line */
};

struct nl_expr_parser {
	struct nl_expr_text in;
	struct nl_expr_tree *tree;
	const struct nl_policies *policies;
	const struct nl_named *names[NL_EXPR_DEEP];    /* those that are being read, outermost first */
	unsigned named, terms, deep;
	struct nl_err *err;
	struct nl_spot *where;
};

struct nl_expr_made { struct nl_svc *svc; struct nl_expr_made *next; };

/* Skips space and comments; the next character, 0 at the end. */
char nl_expr_peek(struct nl_expr_text *);
struct nl_spot nl_expr_here(const struct nl_expr_text *);

/* The length of the name (letters, digits, _ and -) at p. */
size_t nl_expr_word(const struct nl_expr_text *);

/* Notes what is wrong and where: NULL, and -1. */
void *nl_expr_wrong(struct nl_expr_parser *, struct nl_spot, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void *nl_expr_get(struct nl_expr_parser *, size_t);     /* from the tree's arena, or an error */

/* [ KEY "=" ] VALUE: 0, -1.  key NULL: it has none. */
#define NL_EXPR_VALUE 4096              /* bytes */
struct nl_expr_arg { struct nl_spot at, value_at; const char *key, *value; };
int nl_expr_arg_read(struct nl_expr_parser *, struct nl_expr_arg *);

/* LAYER [ "(" ... ")" ], whose name has len characters at p. */
const struct nl_expr *nl_expr_layer_read(struct nl_expr_parser *, size_t len);

#endif
