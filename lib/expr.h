/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expr.h - internal: the algebra as text.
 *
 *   expr = wrap { "|" wrap }        try A; on failure B
 *   wrap = race { "+" race }        A wraps B
 *   race = atom { "&" atom }        both at once, the first success wins
 *   atom = "(" expr ")" | "@" NAME | "pass" | "fail" | LAYER [ "(" [ arg { "," arg } ] ")" ]
 *   arg  = [ KEY "=" ] VALUE        VALUE bare, or in '' or ""
 *
 * All three associate to the left.  LAYER is a tool's name without nl-, KEY the
 * long name of one of its options; the first argument may do without.  What an
 * expression does to a command is what nl_expr_words() says: a line of nested
 * tools, which lib/stack.c builds as it would have from the shell.
 */
#ifndef NL_EXPR_H
#define NL_EXPR_H

#include "nl.h"

enum nl_expr_op { NL_EXPR_PASS, NL_EXPR_FAIL, NL_EXPR_LAYER, NL_EXPR_WRAP, NL_EXPR_ELSE, NL_EXPR_RACE };

/* A place in a text: columns count from 1, in bytes. */
struct nl_spot { const char *file; unsigned line, col; };      /* file NULL: the expression itself */

/* A node.  Everything belongs to the tree's arena. */
struct nl_expr {
	enum nl_expr_op op;
	struct nl_spot at;              /* of the name or the operator */
	const struct nl_expr *a, *b;    /* of WRAP, ELSE and RACE */
	struct nl_svc *svc;             /* of LAYER: an instance with its options, init done, nothing inside */
	char **words;                   /* of LAYER: "nl-retry", "--attempts=3", … and its operands, NULL */
	const char *name;               /* @NAME whose expression this is the root of, or NULL */
};

#endif
