/* SPDX-License-Identifier: Apache-2.0 */
/* agenda.c - see agenda.h: a binary heap, and a list in two arrays. */
#include "observe/agenda.h"

#include <stdlib.h>

static bool is_before(const struct nl_moment *a, const struct nl_moment *b)
{
	if (a->boot != b->boot)
		return a->boot < b->boot;
	if (a->us != b->us)
		return a->us < b->us;
	return a->step != b->step ? a->step < b->step : a->call < b->call;
}

void nl_agenda_add(struct nl_agenda *a, struct nl_moment m)
{
	if (a->n == a->room) {
		size_t room = 2 * a->room + 64;
		struct nl_moment *more = realloc(a->heap, room * sizeof *more);
		if (!more) {
			a->starved = true;
			return;
		}
		a->heap = more, a->room = room;
	}
	size_t at = a->n++;
	for (; at > 0 && is_before(&m, &a->heap[(at - 1) / 2]); at = (at - 1) / 2)
		a->heap[at] = a->heap[(at - 1) / 2];
	a->heap[at] = m;
}

bool nl_agenda_next(struct nl_agenda *a, struct nl_moment *first)
{
	if (a->n == 0)
		return false;
	*first = a->heap[0];
	struct nl_moment m = a->heap[--a->n];
	size_t at = 0;
	for (size_t low; (low = 2 * at + 1) < a->n; at = low) {
		low += low + 1 < a->n && is_before(&a->heap[low + 1], &a->heap[low]);
		if (!is_before(&a->heap[low], &m))
			break;
		a->heap[at] = a->heap[low];
	}
	a->heap[at] = m;
	return true;
}

int nl_row_make(struct nl_row *r, size_t calls)
{
	r->next = calloc(calls + 1, sizeof *r->next);
	r->before = calloc(calls + 1, sizeof *r->before);
	nl_row_empty(r);
	return r->next && r->before ? 0 : -1;
}

void nl_row_empty(struct nl_row *r)
{
	r->first = r->last = NL_NOBODY;
	r->n = 0;
}

void nl_row_add(struct nl_row *r, uint32_t i)
{
	uint32_t before = r->last;
	while (before != NL_NOBODY && before > i)
		before = r->before[before];
	uint32_t *from = before == NL_NOBODY ? &r->first : &r->next[before];
	r->next[i] = *from, r->before[i] = before;
	*(*from == NL_NOBODY ? &r->last : &r->before[*from]) = i;
	*from = i;
	r->n++;
}

void nl_row_remove(struct nl_row *r, uint32_t i)
{
	*(r->before[i] == NL_NOBODY ? &r->first : &r->next[r->before[i]]) = r->next[i];
	*(r->next[i] == NL_NOBODY ? &r->last : &r->before[r->next[i]]) = r->before[i];
	r->n--;
}

void nl_row_free(struct nl_row *r)
{
	free(r->next);
	free(r->before);
}
