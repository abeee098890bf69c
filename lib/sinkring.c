/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sinkring.c - the last N lines: one more evicts the oldest, and is counted.
 */
#include "sinkrun.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct kept { char *text; size_t n; };
struct nl_ring { unsigned room, n, first; uint64_t evicted; struct kept line[]; };

struct nl_ring *nl_ring_new(unsigned lines)
{
	struct nl_ring *r = calloc(1, sizeof *r + lines * sizeof *r->line);
	if (r)
		r->room = lines;
	return r;
}

void nl_ring_free(struct nl_ring *r)
{
	for (unsigned i = 0; r && i < r->room; i++)
		free(r->line[i].text);
	free(r);
}

int nl_ring_put(struct nl_ring *r, const char *text, size_t n)
{
	bool full = r->n == r->room;
	struct kept *at = &r->line[(r->first + r->n) % r->room];
	char *copy = realloc(full ? at->text : NULL, n);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, n);
	at->text = copy, at->n = n;
	if (full)
		r->first = (r->first + 1) % r->room, r->evicted++;
	else
		r->n++;
	return 0;
}

int nl_ring_print(struct nl_delivery *d, const struct nl_ring *r)
{
	int error = 0;
	for (unsigned i = 0; i < r->n && !error; i++) {
		const struct kept *k = &r->line[(r->first + i) % r->room];
		error = nl_pour(d, 1, k->text, k->n);
	}
	return error;
}

uint64_t nl_ring_evicted(const struct nl_ring *r)
{
	return r->evicted;
}
