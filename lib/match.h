/* SPDX-License-Identifier: Apache-2.0 */
/*
 * match.h - internal: does a line of a stream match an expression?
 */
#ifndef NL_MATCH_H
#define NL_MATCH_H

#include "io.h"

#include <regex.h>

/* Looks at lines as they pass, in pieces of at most NL_LINE bytes. */
#define NL_LINE 8192
struct nl_match { regex_t re; bool found; struct nl_match_tap { struct nl_tap tap; struct nl_match *match; size_t n; char line[NL_LINE + 1]; } tap[2]; };

/* POSIX extended expression; allocates.  Release with nl_match_free. */
struct nl_match *nl_match_new(const char *ere, struct nl_err *);
void nl_match_free(struct nl_match *);

/* Before an attempt; after it, with the line that has no end. */
void nl_match_begin(struct nl_match *);
bool nl_match_found(struct nl_match *);

#endif
