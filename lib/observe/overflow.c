/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overflow.c - which names have a series when there are more than the limit.
 *
 * Those that come first in an order of all names that there can be, so that it is
 * the same whatever the order of lines, and however a log was split.  A name that
 * comes in front of the last one takes its place, and what is known of that one
 * goes into the overflow.  Short names come first: those that are counted up,
 * which are why there are too many, are long.
 */
#include "observe/systemin.h"

#include "mut.h"

#include <string.h>

static struct nl_quote kind_of(const struct series *s)
{
	return (struct nl_quote){ s->pub.kind_text, s->nkind };
}

static struct nl_quote policy_of(const struct series *s)
{
	return (struct nl_quote){ s->pub.policy, s->npolicy };
}

static int compare(struct nl_quote a, struct nl_quote b)
{
	return a.n != b.n ? (a.n < b.n ? -1 : 1) : memcmp(a.s, b.s, a.n);
}

static bool is_before(const struct series *s, struct nl_quote kind, struct nl_quote policy)
{
	int order = compare(policy_of(s), policy);
	return (order ? order : compare(kind_of(s), kind)) < 0;
}

void nl_system_rank(struct nl_system *s, struct series *new)
{
	unsigned at = 0, end = s->n;
	while (at < end) {
		unsigned middle = (at + end) / 2;
		if (is_before(s->ranked[middle], kind_of(new), policy_of(new)))
			at = middle + 1;
		else
			end = middle;
	}
	memmove(s->ranked + at + 1, s->ranked + at, (s->n - at) * sizeof(struct series *));
	s->ranked[at] = new;
}

/* Slots behind it that are not where their hash leads move up. */
static void empty_slot(struct nl_system *s, uint64_t *slot)
{
	unsigned mask = s->slots - 1, hole = (unsigned)(slot - s->slot);
	for (unsigned at = (hole + 1) & mask; s->slot[at]; at = (at + 1) & mask) {
		unsigned home = (unsigned)(s->slot[at] >> 32) & mask;
		if (((at - home) & mask) < ((at - hole) & mask))
			continue;
		s->slot[hole] = s->slot[at];
		hole = at;
	}
	s->slot[hole] = 0;
}

/* The last of those that are ranked. */
static void drop(struct nl_system *s, struct series *gone)
{
	struct series *moved = s->series[s->n - 1];
	uint64_t hash, *to = nl_system_slot(s, kind_of(gone), policy_of(gone), &hash);
	uint64_t *from = nl_system_slot(s, kind_of(moved), policy_of(moved), &hash), place = *to & 0xffff;
	unsigned i = 0;
	*from = hash | place;
	s->series[place - 1] = moved;
	empty_slot(s, to);
	while (s->sorted[i] != gone)
		i++;
	memmove(s->sorted + i, s->sorted + i + 1, (nl_system_count(s) - i - 1) * sizeof(struct series *));
	s->n--, s->dropped++;
	nl_series_free(gone);
}

bool nl_system_has_room(struct nl_system *s, struct nl_quote kind, struct nl_quote policy)
{
	if (s->n < s->cfg.series)
		return true;
	struct series *last = s->ranked[s->n - 1];
	if (MUTANT(FIRST_TO_COME) || is_before(last, kind, policy))
		return false;
	struct series *overflow = nl_system_open_overflow(s);
	if (!overflow || nl_series_merge(overflow, last) < 0)
		s->starved = true;
	s->overflowed += last->pub.events;
	drop(s, last);
	return true;
}
