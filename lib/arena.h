/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena.h - internal: memory that is given back all at once, with a maximum.
 */
#ifndef NL_ARENA_H
#define NL_ARENA_H

#include <stddef.h>

/* Zero, but for most, is an empty one.  first: memory of the caller's, aligned,
 * of which so much is left, to be used before any is asked for; or NULL. */
struct nl_arena { struct nl_block *blocks; size_t used, most; char *first; size_t left; };

/* Zeroed and aligned; NULL: there is no more, or more than `most` was asked for. */
void *nl_arena_get(struct nl_arena *, size_t);
char *nl_arena_text(struct nl_arena *, const char *, size_t n);         /* a terminated copy */
void nl_arena_free(struct nl_arena *);

#endif
