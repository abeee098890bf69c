/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expr.c - operators, parentheses and names into a tree, by recursive descent:
 * one function per level, the loosest first.  Hostile text costs no more than
 * the limits of expr.h allow: terms bound the height of the tree, depth the
 * recursion of this parser.
 */
#include "expr.h"

#include "exprtok.h"
#include "mut.h"
#include "near.h"
#include "policies.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct nl_expr *read_else(struct nl_expr_parser *p);

static struct nl_expr *node(struct nl_expr_parser *p, enum nl_expr_op op, struct nl_spot at, const struct nl_expr *a,
                            const struct nl_expr *b)
{
	struct nl_expr *e = nl_expr_get(p, sizeof *e);
	if (e)
		*e = (struct nl_expr){ .op = op, .at = at, .a = a, .b = b };
	return e;
}

/* "a -> b -> a", for people. */
static const struct nl_expr *cycle(struct nl_expr_parser *p, struct nl_spot at, const struct nl_named *again)
{
	char chain[120] = "";
	unsigned i = 0;
	while (p->names[i] != again)
		i++;
	for (size_t n = 0; i < p->named && n < sizeof chain; i++)
		n += (size_t)snprintf(chain + n, sizeof chain - n, "%s -> ", p->names[i]->name);
	return nl_expr_wrong(p, at, "@%s: is made of itself: %s%s", again->name, chain, again->name);
}

static const struct nl_expr *unknown_name(struct nl_expr_parser *p, struct nl_spot at, const char *name, size_t len)
{
	struct nl_near near = nl_near_to(name, len);
	nl_policies_near(p->policies, &near);
	if (near.best)
		return nl_expr_wrong(p, at, "@%.*s: unknown policy, did you mean @%s?", (int)len, name, near.best);
	return nl_expr_wrong(p, at, "@%.*s: unknown policy (nl-run --list shows those that there are)", (int)len, name);
}

/* Its expression, in its own file. */
static const struct nl_expr *read_policy(struct nl_expr_parser *p, const struct nl_named *policy)
{
	struct nl_expr_text outside = p->in;
	p->names[p->named++] = policy;
	p->in = (struct nl_expr_text){ .p = policy->text, .end = policy->text + policy->len, .line = policy->line, .file = policy->file,
	                               .number = policy->number };
	const struct nl_expr *e = read_else(p);
	if (e && nl_expr_peek(&p->in))
		e = nl_expr_wrong(p, nl_expr_here(&p->in), "')': there is no ( before it");
	p->named--;
	p->in = outside;
	struct nl_expr *root = e ? nl_expr_get(p, sizeof *root) : NULL;
	if (!root)
		return NULL;
	*root = *e;
	if (!root->name)
		root->name = policy->name;      // Of names for the same the innermost.
	return root;
}

static const struct nl_expr *read_name(struct nl_expr_parser *p)
{
	struct nl_spot at = nl_expr_here(&p->in);
	const char *name = ++p->in.p;
	size_t len = 0;
	while (name + len < p->in.end && (isalnum((unsigned char)name[len]) || strchr("._-", name[len])))
		len++;
	if (len == 0 || len > NL_POLICY_NAME)
		return nl_expr_wrong(p, at, len ? "@: a name this long is none" : "@: the name of a policy is missing");
	p->in.p += len;
	const struct nl_named *policy = nl_policies_find(p->policies, name, len);
	if (!policy)
		return unknown_name(p, at, name, len);
	for (unsigned i = 0; i < p->named; i++)
		if (p->names[i] == policy)
			return cycle(p, at, policy);
	return read_policy(p, policy);
}

static const struct nl_expr *read_group(struct nl_expr_parser *p)
{
	struct nl_spot at = nl_expr_here(&p->in);
	p->in.p++;
	const struct nl_expr *e = read_else(p);
	if (!e)
		return NULL;
	if (nl_expr_peek(&p->in) != ')')
		return nl_expr_wrong(p, at, "'(': its ) is missing");
	p->in.p++;
	return e;
}

static const struct nl_expr *no_term(struct nl_expr_parser *p, char c)
{
	struct nl_spot at = nl_expr_here(&p->in);
	if (!c && !p->terms && !p->deep)
		return nl_expr_wrong(p, at, "an expression is missing, such as retry(3) + timeout(2s)");
	if (!c)
		return nl_expr_wrong(p, at, "it ends where a layer is expected");
	if (c == ')')
		return nl_expr_wrong(p, at, "')': a layer is expected before it");
	if (c == '+' || c == '|' || c == '&')
		return nl_expr_wrong(p, at, "'%c': stands between two: A %c B", c, c);
	if (c == '[' || c == ']' || c == '{' || c == '}')
		return nl_expr_wrong(p, at, "'%c': parentheses are ( and )", c);
	if (c == '\'' || c == '"')
		return nl_expr_wrong(p, at, "%c: quotes are for values, in the parentheses of a layer", c);
	if (isdigit((unsigned char)c))
		return nl_expr_wrong(p, at, "'%.*s': a number is an argument: retry(3), timeout(2s)", (int)nl_expr_word(&p->in), p->in.p);
	return nl_expr_wrong(p, at, "'%c': a layer is expected (retry, timeout, ...), @NAME or (", c);
}

static const struct nl_expr *read_word(struct nl_expr_parser *p, struct nl_spot at)
{
	static const char *const words[] = { "pass", "once", "fail" };
	const size_t n = sizeof words / sizeof *words;
	size_t len = nl_expr_word(&p->in), i = 0;
	while (i < n && (len != 4 || memcmp(p->in.p, words[i], 4) != 0))
		i++;
	if (i == n)
		return nl_expr_layer_read(p, len);
	p->in.p += len;
	if (nl_expr_peek(&p->in) == '(')
		return nl_expr_wrong(p, nl_expr_here(&p->in), "%s: takes no arguments", words[i]);
	struct nl_expr *e = node(p, i == 2 ? NL_EXPR_FAIL : NL_EXPR_PASS, at, NULL, NULL);
	if (e)
		e->once = i == 1;
	return e;
}

static const struct nl_expr *read_atom(struct nl_expr_parser *p)
{
	char c = nl_expr_peek(&p->in);
	struct nl_spot at = nl_expr_here(&p->in);
	if (c == '(' || c == '@') {
		if (p->deep == NL_EXPR_DEEP)
			return nl_expr_wrong(p, at, "'%c': more than %d parentheses and names inside each other", c, NL_EXPR_DEEP);
		p->deep++;
		const struct nl_expr *e = c == '(' ? read_group(p) : read_name(p);
		p->deep--;
		return e;
	}
	if (!isalpha((unsigned char)c))
		return no_term(p, c);
	if (++p->terms > NL_EXPR_TERMS)
		return nl_expr_wrong(p, at, "more than %d layers", NL_EXPR_TERMS);
	return read_word(p, at);
}

/* What stands behind a term and is no operator. */
static const struct nl_expr *no_operator(struct nl_expr_parser *p, char c)
{
	struct nl_spot at = nl_expr_here(&p->in);
	int len = (int)nl_expr_word(&p->in);
	if (len == 2 && !strncasecmp(p->in.p, "or", 2))
		return nl_expr_wrong(p, at, "'or': is written |: A | B tries B when A has failed");
	if (len == 3 && !strncasecmp(p->in.p, "and", 3))
		return nl_expr_wrong(p, at, "'and': A & B runs both at once, A + B wraps B in A");
	if (isdigit((unsigned char)c))
		return nl_expr_wrong(p, at, "'%.*s': arguments stand in parentheses: retry(3), timeout(2s)", len, p->in.p);
	if (isalpha((unsigned char)c))
		return nl_expr_wrong(p, at, "'%.*s': an operator is missing before it: + if what is left of it wraps it, else | or &", len, p->in.p);
	if (c == '(' || c == '@')
		return nl_expr_wrong(p, at, "'%c': an operator is missing before it: + if what is left of it wraps it, else | or &", c);
	if (c == '[' || c == '{' || c == '<')
		return nl_expr_wrong(p, at, "'%c': arguments stand in ( and ): retry(3)", c);
	if (c == '=' || c == ':')
		return nl_expr_wrong(p, at, "'%c': arguments stand in parentheses: retry(attempts=3)", c);
	if (c == ',' || c == ';')
		return nl_expr_wrong(p, at, "'%c': between layers stands +, | or &", c);
	return nl_expr_wrong(p, at, "'%c': is no operator: + wraps, | tries the next, & runs both", c);
}

/* Takes an operator if it is the next character.  1, 0, -1. */
static int take(struct nl_expr_parser *p, char op, struct nl_spot *at)
{
	if (nl_expr_peek(&p->in) != op)
		return 0;
	*at = nl_expr_here(&p->in);
	p->in.p++;
	if (p->in.p < p->in.end && *p->in.p == op) {
		const char *what = op == '|' ? "tries B when A has failed" : op == '&' ? "runs both at once" : "wraps B in A";
		(void)nl_expr_wrong(p, *at, "'%c%c': is written once: A %c B %s", op, op, op, what);
		return -1;
	}
	return 1;
}

typedef const struct nl_expr *reader(struct nl_expr_parser *);

/* next { op next }, associating to the left. */
static const struct nl_expr *read_chain(struct nl_expr_parser *p, reader *next, char op, enum nl_expr_op kind)
{
	struct nl_spot at;
	int r = 0;
	const struct nl_expr *a = next(p);
	while (a && (r = take(p, op, &at)) > 0) {
		const struct nl_expr *b = MUTANT(RIGHT_ASSOC) ? read_chain(p, next, op, kind) : next(p);
		a = b ? node(p, kind, at, a, b) : NULL;
	}
	return r < 0 ? NULL : a;
}

static const struct nl_expr *read_race(struct nl_expr_parser *p)
{
	return MUTANT(AND_BINDS_LESS) ? read_chain(p, read_atom, '+', NL_EXPR_WRAP) : read_chain(p, read_atom, '&', NL_EXPR_RACE);
}

static const struct nl_expr *read_wrap(struct nl_expr_parser *p)
{
	return MUTANT(AND_BINDS_LESS) ? read_chain(p, read_race, '&', NL_EXPR_RACE) : read_chain(p, read_race, '+', NL_EXPR_WRAP);
}

static const struct nl_expr *read_else(struct nl_expr_parser *p)
{
	const struct nl_expr *e = read_chain(p, read_wrap, '|', NL_EXPR_ELSE);
	char c = e ? nl_expr_peek(&p->in) : '\0';
	return !c || c == ')' ? e : no_operator(p, c);
}

int nl_expr_read(struct nl_expr_tree *tree, const char *text, const struct nl_policies *policies, struct nl_err *err, struct nl_spot *where)
{
	size_t len = strlen(text);
	struct nl_expr_parser p = {
		.in = { .p = text, .end = text + len, .line = text, .number = 1 },
		.tree = tree, .policies = policies, .err = err, .where = where,
	};
	*where = nl_expr_here(&p.in);
	tree->mem.most = (size_t)32 << 20;
	if (len > NL_EXPR_LONGEST)
		return nl_fail(err, "longer than %d bytes", NL_EXPR_LONGEST);
	tree->root = read_else(&p);
	if (tree->root && nl_expr_peek(&p.in))
		tree->root = nl_expr_wrong(&p, nl_expr_here(&p.in), "')': there is no ( before it");
	return tree->root ? 0 : -1;
}

int nl_expr_read_policy(struct nl_expr_tree *tree, const struct nl_named *policy, const struct nl_policies *policies, struct nl_err *err,
                        struct nl_spot *where)
{
	struct nl_expr_parser p = { .in = { .number = 1 }, .tree = tree, .policies = policies, .deep = 1, .err = err, .where = where };
	*where = (struct nl_spot){ policy->file, policy->number, 1 };
	tree->mem.most = (size_t)32 << 20;
	tree->root = read_policy(&p, policy);
	return tree->root ? 0 : -1;
}

bool nl_expr_once(const struct nl_expr *e)
{
	return e->once || (e->b && (nl_expr_once(e->a) || nl_expr_once(e->b)));
}

void nl_expr_clear(struct nl_expr_tree *tree)
{
	for (struct nl_expr_made *m = tree->made; m; m = m->next)
		if (m->svc->layer->free)
			m->svc->layer->free(m->svc);
	tree->made = NULL;
	nl_arena_free(&tree->mem);
}

struct nl_expr_tree *nl_expr_parse(const char *text, const struct nl_policies *policies, struct nl_err *err, struct nl_spot *where)
{
	struct nl_expr_tree *tree = calloc(1, sizeof *tree);
	*where = (struct nl_spot){ .line = 1, .col = 1 };
	if (!tree)
		nl_fail(err, "out of memory");
	if (!tree || nl_expr_read(tree, text, policies, err, where) == 0)
		return tree;
	nl_expr_free(tree);
	return NULL;
}

void nl_expr_free(struct nl_expr_tree *tree)
{
	if (tree)
		nl_expr_clear(tree);
	free(tree);
}
