/* SPDX-License-Identifier: Apache-2.0 */
/*
 * near.h - internal: the name that somebody meant.
 */
#ifndef NL_NEAR_H
#define NL_NEAR_H

#include <stddef.h>

/* Candidates are tried one by one; best is the nearest so far, or NULL while
 * none is near enough. */
struct nl_near { const char *word; size_t len; const char *best; size_t best_len; unsigned far; };

struct nl_near nl_near_to(const char *word, size_t len);
void nl_near_try(struct nl_near *, const char *name, size_t len);
void nl_near_list(struct nl_near *, const char *list);         /* a|b|c */

#endif
