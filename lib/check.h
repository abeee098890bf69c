/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.h - internal: what is unwise about an expression.  A finding is never a
 * claim without a run: it has a witness, played by the layers themselves, and the
 * expression that mends it.
 */
#ifndef NL_CHECK_H
#define NL_CHECK_H

#include "question.h"
#include "rewrite.h"
#include "term.h"
#include "witness.h"

enum nl_severity { NL_NOTE, NL_CAUTION, NL_FAULT };     /* note, warning, error */

struct nl_finding {
	const char *code;               /* "NL004" */
	enum nl_severity severity;
	const struct nl_expr *at;
	char why[600];
	struct nl_scene scene;
	struct nl_edits edits;
};

/* What a rule looks at. */
struct nl_checked {
	const struct nl_expr *root;
	const struct nl_term *all;
	struct nl_arena *mem;
	bool once;                      /* the command must not be done twice */
};

/* One rule on one call: does it find something?  f has its code and severity. */
typedef bool nl_rule(const struct nl_checked *, const struct nl_term *, struct nl_finding *f);
struct nl_rule_of { const char *code; enum nl_severity severity; nl_rule *rule; };
extern const struct nl_rule_of nl_rules_of_time[], nl_rules_of_gates[], nl_rules_of_order[];     /* a NULL code ends them */

/* For rules. */
struct nl_around { nl_time limit; const struct nl_term *by; };
struct nl_around nl_term_around(const struct nl_term *);        /* the shortest limit around it; NL_NEVER: none */
nl_time nl_term_longest(const struct nl_checked *, const struct nl_term *);     /* what it can last by itself */
bool nl_term_is_gate(const struct nl_term *);                   /* a breaker or bulkhead */
bool nl_term_repeats(const struct nl_term *);                   /* a retry of more than one attempt */
const struct nl_term *nl_term_find(const struct nl_term *, enum nl_term_kind);  /* the first inside, or NULL */
void nl_finding_edit(struct nl_finding *, struct nl_edit);
const char *nl_checked_text(const struct nl_checked *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *nl_checked_secs(const struct nl_checked *, nl_time);                /* as an expression has it */

#define NL_FINDINGS 256                 /* in one expression, at most */

/* By place, then by code, in memory of the arena.  How many, -1 with err. */
int nl_check_find(const struct nl_checked *, struct nl_finding *found[NL_FINDINGS], struct nl_err *);

/* The normal form, in memory of the arena; NULL: there is none left. */
const char *nl_expr_copy(const struct nl_expr *, struct nl_arena *);

/* All findings mended that can be mended together, and the codes of the others. */
#define NL_MENDED_LEFT 16
struct nl_mended { const char *text; const char *code[NL_MENDED_LEFT]; unsigned left; };
int nl_mend(struct nl_mended *, const struct nl_expr *, bool once, struct nl_arena *, struct nl_err *);

/* Plays, mends and puts one.  0, -1 with err. */
int nl_check_tell(struct nl_out *, const struct nl_checked *, const struct nl_finding *, const struct nl_question *, const char **rewrite,
                  struct nl_err *);
void nl_check_tell_mended(struct nl_out *, const struct nl_expr *, const struct nl_mended *, const struct nl_question *);
const char *nl_check_title(const char *code);

/* What was told of other policies.  nl_told_before notes it, too. */
struct nl_told_list { struct { struct nl_spot at; const char *code; } *v; size_t n, room; };
bool nl_told_before(struct nl_told_list *, const struct nl_spot *, const char *code);

/* Checks an expression; puts what it finds.  How much that was, -1 with err. */
int nl_check_of(struct nl_out *, const struct nl_expr *root, const struct nl_question *, struct nl_err *);

nl_answer nl_check_answer;

#endif
