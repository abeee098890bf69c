/* SPDX-License-Identifier: Apache-2.0 */
/* hugepage.c - tables in huge pages, and blocks out of them. */
#include "observe/hugepage.h"

#include <stdlib.h>
#include <sys/mman.h>

void *nl_huge_new(size_t size)
{
	size_t step = size < NL_HUGE ? 64 : NL_HUGE;
	size = (size + step - 1) / step * step;
	void *p = aligned_alloc(step, size);
	if (p && size >= NL_HUGE)
		madvise(p, size, MADV_HUGEPAGE);        // Where there are none it is as it was.
	return p;
}

struct spare { struct spare *next; };

void *nl_pool_get(struct nl_pool *pool)
{
	struct spare *p = pool->spare;
	if (p) {
		pool->spare = p->next;
		return p;
	}
	size_t size = (pool->size + 63) / 64 * 64;
	char *blocks = nl_huge_new(NL_HUGE);
	for (size_t at = size; blocks && at + size <= NL_HUGE; at += size)
		nl_pool_put(pool, blocks + at);
	return blocks;
}

void nl_pool_put(struct nl_pool *pool, void *block)
{
	struct spare *p = block;
	if (!p)
		return;
	p->next = pool->spare;
	pool->spare = p;
}
