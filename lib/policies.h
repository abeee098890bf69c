/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policies.h - internal: files of named expressions.
 *
 *   NAME = EXPR             # a comment
 *
 * One a line; a line that ends in a backslash goes on in the next.  A name is
 * looked up in the files in the order in which they were read, and what its
 * expression names is looked up in all of them again.
 */
#ifndef NL_POLICIES_H
#define NL_POLICIES_H

#include "expr.h"
#include "near.h"

#define NL_POLICY_NAME 64               /* characters */
#define NL_POLICIES_LONGEST (1 << 20)   /* bytes of a file */

/* Its expression is len bytes of text, in a line that begins at `line`. */
struct nl_named {
	const char *name, *file, *line, *text;
	size_t len;
	unsigned number;
	const struct nl_named *next;   /* in the order of lookup */
};

struct nl_policies *nl_policies_new(void);      /* NULL: no memory */
void nl_policies_free(struct nl_policies *);

/* Reads a file.  1; 0: there is none; -1 with err and *where. */
int nl_policies_read(struct nl_policies *, const char *file, struct nl_err *, struct nl_spot *where);

/* Reads text as if it were a file of that name. */
int nl_policies_text(struct nl_policies *, const char *file, const char *text, size_t n, struct nl_err *, struct nl_spot *where);

/* Where names come from: file if not NULL, else the user's and the system's
 * files; then the presets that are installed. */
int nl_policies_usual(struct nl_policies *, const char *file, struct nl_err *, struct nl_spot *where);

/* Those files, in that order, whether they are there or not.  How many. */
#define NL_POLICIES_FILES 3
#define NL_POLICIES_PATH 4096
unsigned nl_policies_paths(const char *file, char path[NL_POLICIES_FILES][NL_POLICIES_PATH]);

/* Was one named, *file or that of the environment?  It has to be there, then. */
bool nl_policies_named(const char **file);

const struct nl_named *nl_policies_first(const struct nl_policies *);
const struct nl_named *nl_policies_find(const struct nl_policies *, const char *name, size_t len);
void nl_policies_near(const struct nl_policies *, struct nl_near *);

/* All of a file that was read, NULL: it was not. */
const char *nl_policies_source(const struct nl_policies *, const char *file, size_t *n);

#endif
