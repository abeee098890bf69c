/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hugepage.h - internal: memory for what every event touches somewhere else.  In
 * huge pages it costs neither a fault for each 4 KiB nor a walk through page
 * tables for each event, which is half of the time of a state.
 */
#ifndef NL_HUGEPAGE_H
#define NL_HUGEPAGE_H

#include <stddef.h>

#define NL_HUGE (2u << 20)

/* Aligned to 64 bytes, to NL_HUGE when it is that large; not zeroed.  free() ends it.  NULL: no memory. */
void *nl_huge_new(size_t size);

/* Blocks of one size.  Those given back are used again; the pool itself stays as
 * large as it was, for the rest of the process. */
struct nl_pool { size_t size; void *spare; };
void *nl_pool_get(struct nl_pool *);    /* not zeroed; NULL: no memory */
void nl_pool_put(struct nl_pool *, void *block);        /* block may be NULL */

#endif
