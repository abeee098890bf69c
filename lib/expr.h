/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expr.h - internal: the algebra as text.
 *
 *   expr = wrap { "|" wrap }        try A; on failure B
 *   wrap = race { "+" race }        A wraps B
 *   race = atom { "&" atom }        both at once, the first success wins
 *   atom = "(" expr ")" | "@" NAME | "pass" | "once" | "fail" | LAYER [ "(" [ arg { "," arg } ] ")" ]
 *   arg  = [ KEY "=" ] VALUE        VALUE bare, or in '' or ""
 *
 * All three associate to the left.  LAYER is a tool's name without nl-, KEY the
 * long name of one of its options; the first argument may do without, and a
 * flag without a value.  Between words there may be space, new lines and
 * comments from # to the end of the line.  What an expression does to a
 * command is what nl_expr_words() says: a line of nested tools, which
 * lib/stack.c builds as it would have from the shell.
 */
#ifndef NL_EXPR_H
#define NL_EXPR_H

#include "arena.h"
#include "nl.h"

#define NL_EXPR_LONGEST 65536           /* bytes of text */
#define NL_EXPR_TERMS 512               /* layers, pass, once, fail and names, those inside names included */
#define NL_EXPR_DEEP 64                 /* parentheses and names inside each other */
#define NL_EXPR_WORDS 65536             /* words that an expression may add to a command */

enum nl_expr_op { NL_EXPR_PASS, NL_EXPR_FAIL, NL_EXPR_LAYER, NL_EXPR_WRAP, NL_EXPR_ELSE, NL_EXPR_RACE };

/* A place in a text: columns count from 1, in bytes. */
struct nl_spot { const char *file; unsigned line, col; };      /* file NULL: the expression itself */

/* A node.  Everything belongs to the tree's arena. */
struct nl_expr {
	enum nl_expr_op op;
	struct nl_spot at;              /* of the name or the operator */
	const struct nl_expr *a, *b;    /* of WRAP, ELSE and RACE */
	struct nl_svc *svc;             /* of LAYER: an instance with its options, init done, nothing inside */
	bool once;                      /* of PASS: what it wraps must not be done twice; nothing else comes of it */
	char **words;                   /* of LAYER: "nl-retry", "--attempts=3", … and its operands, NULL */
	const char *name;               /* @NAME whose expression this is the root of, or NULL */
};

struct nl_expr_tree {
	const struct nl_expr *root;
	struct nl_arena mem;
	struct nl_expr_made *made;      /* instances, to be freed */
};

struct nl_policies;                     /* policies.h: what @NAMEs mean; NULL: there are none */

/* NULL: err says what is wrong, without the place, which is *where. */
struct nl_expr_tree *nl_expr_parse(const char *text, const struct nl_policies *, struct nl_err *, struct nl_spot *where);
void nl_expr_free(struct nl_expr_tree *);

/* The same into a tree that is the caller's: zero, but mem.first may be set.  0, -1. */
int nl_expr_read(struct nl_expr_tree *, const char *text, const struct nl_policies *, struct nl_err *, struct nl_spot *where);
void nl_expr_clear(struct nl_expr_tree *);

/* Is `once` somewhere in it? */
bool nl_expr_once(const struct nl_expr *);

/* The expression of a policy, which need not be the first of its name. */
struct nl_named;
int nl_expr_read_policy(struct nl_expr_tree *, const struct nl_named *, const struct nl_policies *, struct nl_err *, struct nl_spot *where);

/* The normal form: values as the option tables print them, options in the order
 * of their table, the parentheses that are needed.  Parses to the same tree and
 * the same words.  Always terminated; returns the length that it wanted. */
size_t nl_expr_text(const struct nl_expr *, char *buf, size_t size);

/* "1:14", "FILE:2:9" */
const char *nl_spot_text(const struct nl_spot *, char *buf, size_t size);

/* The line of the spot, and a caret under its column on a second one, for a
 * terminal of 80 columns; "" if that text is not at hand. */
size_t nl_spot_show(const struct nl_spot *, const char *text, const struct nl_policies *, char *buf, size_t size);

/* A command line.  Its words belong to it, to the tree and to the command.
 * Zero is an empty one; mem.first may be set. */
struct nl_words {
	char **v;
	size_t n, room;
	char *state, *events;           /* --state=DIR for each layer without one, --events=SPEC for the outermost; or NULL */
	struct nl_arena mem;
};

/* The line of nested tools that is the expression around command, which is
 * needed unless all is fail.  (A | B) + C puts C into both branches; in
 * brackets the command's own [ ] | ::: get a backslash. */
int nl_expr_words(const struct nl_expr *, char **command, struct nl_words *, struct nl_err *);
void nl_words_free(struct nl_words *);

#endif
