/* SPDX-License-Identifier: Apache-2.0 */
/*
 * question.h - internal: what can be asked about an expression instead of
 * running it.  An answer is text for people, or one line of JSON.
 */
#ifndef NL_QUESTION_H
#define NL_QUESTION_H

#include "expr.h"
#include "jsonout.h"

struct nl_question {
	const char *text;               /* the expression as it was given */
	const struct nl_expr_tree *tree;
	const struct nl_policies *policies;
	char **command;                 /* NULL at its end; COMMAND stands for one that was not given */
	char *state, *events;           /* --state=DIR, --events=SPEC: as of struct nl_words */
	bool once;                      /* --check: the command must not be done twice */
	const char *policy;             /* --check: the policy that it is, or NULL */
	struct nl_told_list *told;      /* --check: what need not be told again, or NULL */
	bool json;
	bool colour;                    /* for a terminal */
};

/* Puts the answer into the buffer.  The exit status; -1 with err. */
typedef int nl_answer(struct nl_out *, const struct nl_question *, struct nl_err *);

nl_answer nl_explain, nl_canonical;

#endif
