/* SPDX-License-Identifier: Apache-2.0 */
/*
 * term.h - internal: an expression as the calls that it makes.
 *
 * What is wrapped stands inside, copied into each branch, and at every end is
 * the command: the tree of what happens, where struct nl_expr is the tree of
 * what was written.  The analyses read it.
 */
#ifndef NL_TERM_H
#define NL_TERM_H

#include "expr.h"
#include "parse.h"

enum nl_term_kind { NL_TERM_COMMAND, NL_TERM_FAIL, NL_TERM_RETRY, NL_TERM_TIMEOUT, NL_TERM_BREAKER, NL_TERM_BULKHEAD,
                    NL_TERM_RACE, NL_TERM_FALLBACK };

#define NL_TERM_MOST 4096               /* in one tree */

struct nl_term {
	enum nl_term_kind kind;
	const struct nl_expr *e;        /* NULL: the command */
	const struct nl_svc *svc;       /* its options; NULL: none, as for | and & */
	struct nl_term *inner, *next;   /* what it wraps, of branches the first; the branch after this */
	const struct nl_term *outer;
	nl_time grace;                  /* from the first stop signal to KILL: the shortest of all around and this */
	const struct nl_expr *grace_by; /* the innermost that says so, NULL: none */
};

/* In memory of the arena.  NULL with err: it is too large. */
struct nl_term *nl_term_new(const struct nl_expr *, struct nl_arena *, struct nl_err *);

/* Options, with their defaults where the field has none. */
unsigned nl_term_num(const struct nl_term *, const char *key, unsigned absent);         /* 0 is inf */
nl_time nl_term_span(const struct nl_term *, const char *key, nl_time absent);          /* 0 as it was given */
bool nl_term_flag(const struct nl_term *, const char *key);
bool nl_term_text(const struct nl_term *, const char *key);                             /* was it given? */

/* What an outcome is to it, by --on, --except and --ok. */
enum nl_class nl_term_class(const struct nl_term *, struct nl_outcome);
bool nl_term_has_sets(const struct nl_term *);

/* Arms of a race: branches times --hedge. */
unsigned nl_term_arms(const struct nl_term *);

#endif
