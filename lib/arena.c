/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena.c - blocks that are filled one after another.  What does not fit into
 * the rest of a block gets the next one; a large piece gets one of its own.
 */
#include "arena.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGN = 16, BLOCK = 8192 };

struct nl_block { struct nl_block *next; size_t used, size; _Alignas(ALIGN) char bytes[]; };

void *nl_arena_get(struct nl_arena *a, size_t n)
{
	if (n > a->most || a->used > a->most - n)
		return NULL;
	n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	struct nl_block *b = a->blocks;
	if (n <= a->left) {
		char *p = a->first;
		a->first += n, a->left -= n, a->used += n;
		return memset(p, 0, n);
	}
	if (!b || b->size - b->used < n) {
		size_t size = n > BLOCK ? n : BLOCK;
		b = malloc(sizeof *b + size);
		if (!b)
			return NULL;
		*b = (struct nl_block){ .next = a->blocks, .size = size };
		a->blocks = b;
	}
	void *p = b->bytes + b->used;
	b->used += n;
	a->used += n;
	return memset(p, 0, n);
}

char *nl_arena_text(struct nl_arena *a, const char *text, size_t n)
{
	char *copy = nl_arena_get(a, n + 1);
	if (copy)
		memcpy(copy, text, n);
	return copy;
}

void nl_arena_free(struct nl_arena *a)
{
	while (a->blocks) {
		struct nl_block *next = a->blocks->next;
		free(a->blocks);
		a->blocks = next;
	}
	a->used = a->left = 0;
}
