/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rewrite.h - internal: an expression that is a little different.
 */
#ifndef NL_REWRITE_H
#define NL_REWRITE_H

#include "expr.h"

enum nl_edit_what {
	NL_EDIT_REMOVE,                 /* at is gone; of a | or & only what is left of it stays */
	NL_EDIT_SET,                    /* its option key is value, NULL: a flag */
	NL_EDIT_UNSET,                  /* it has no such option */
	NL_EDIT_BEFORE,                 /* layer around it */
	NL_EDIT_BEHIND,                 /* layer inside it */
};

struct nl_edit { enum nl_edit_what what; const struct nl_expr *at; const char *key, *value; const struct nl_expr *layer; };

#define NL_EDITS 16
struct nl_edits { struct nl_edit v[NL_EDITS]; unsigned n; };

/* A layer that is added keeps those edits that are of it.  In memory of the
 * arena; NULL: there is none left. */
const struct nl_expr *nl_rewrite(const struct nl_expr *, const struct nl_edits *, struct nl_arena *);

#endif
