/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runs.c - which lines of which process were read.  All that is asked later is a
 * function of the set of lines, whatever their order: sums, least and greatest
 * times, the name in the line of the least seq.
 */
#include "observe/runsin.h"

#include <stdlib.h>
#include <string.h>

#define RANGES_ALL (1u << 18)           /* of all runs: beyond, so are others' */

/* Closes the oldest hole. */
static void join_first(struct nl_runs *r, struct beside *b)
{
	b->range[1].from = b->range[0].from;
	memmove(b->range, b->range + 1, --b->n * sizeof *b->range);
	r->ranges--;
}

/* Adds [from, to), which may touch and overlap what is there.  How many of it are new, -1: no memory. */
static int64_t add_range(struct nl_runs *r, struct beside *b, uint32_t from, uint32_t to)
{
	uint32_t i = b->n, j;
	while (i > 0 && b->range[i - 1].to >= from)
		i--;
	uint64_t had = 0;
	struct nl_run_range all = { from, to };
	for (j = i; j < b->n && b->range[j].from <= to; j++) {
		uint32_t lo = b->range[j].from > from ? b->range[j].from : from, hi = b->range[j].to < to ? b->range[j].to : to;
		had += hi > lo ? hi - lo : 0;
		all.from = b->range[j].from < all.from ? b->range[j].from : all.from;
		all.to = b->range[j].to > all.to ? b->range[j].to : all.to;
	}
	if (j == i) {                           // It touches none.
		if (b->n == b->room) {
			uint32_t room = b->room ? 2 * b->room : 1;
			struct nl_run_range *range = realloc(b->range, room * sizeof *range);
			if (!range)
				return -1;
			b->range = range, b->room = room;
		}
		memmove(b->range + i + 1, b->range + i, (b->n - i) * sizeof *b->range);
		b->n++, r->ranges++;
	} else {
		memmove(b->range + i + 1, b->range + j, (b->n - j) * sizeof *b->range);
		b->n -= j - i - 1, r->ranges -= j - i - 1;
	}
	b->range[i] = all;
	b->lines += to - from - had;
	if (b->n > NL_RUN_RANGES || (b->n > 1 && r->ranges > RANGES_ALL))
		join_first(r, b);
	return (int64_t)(to - from - had);
}

/* How many seqs of [from, to) are new; -1: no memory. */
static int64_t add_seqs(struct nl_runs *r, struct run *run, uint32_t from, uint32_t to)
{
	int64_t new = 0;
	if (from < NL_RUN_BITS && to == from + 1) {     // As nearly always.
		new = !(run->seen >> from & 1);
		run->seen |= UINT64_C(1) << from;
		return new;
	}
	if (from < NL_RUN_BITS) {
		unsigned end = to < NL_RUN_BITS ? to : NL_RUN_BITS;
		uint64_t bits = (end == NL_RUN_BITS ? ~UINT64_C(0) : (UINT64_C(1) << end) - 1) & ~((UINT64_C(1) << from) - 1);
		new = __builtin_popcountll(bits & ~run->seen);
		run->seen |= bits;
		from = end;
	}
	if (from < to) {
		struct beside *b = nl_run_own_beside(r, run);
		int64_t more = b ? add_range(r, b, from, to) : -1;
		new = more < 0 ? -1 : new + more;
	}
	return new;
}

static void add_times(struct run *run, int64_t first_us, int64_t last_us)
{
	int64_t first = run->first_us < first_us ? run->first_us : first_us;
	int64_t last = run->first_us / 1000 + run->life_ms;
	last = last > last_us / 1000 ? last : last_us / 1000;
	run->first_us = first;
	run->life_ms = last - first / 1000 < UINT32_MAX ? (uint32_t)(last - first / 1000) : UINT32_MAX;
}

static void add_end(struct nl_runs *r, struct run *run, int64_t events, int64_t dropped)
{
	if (events > (int64_t)run->events)      // Two places with other levels have got other numbers: all of both is asked for.
		run->events = events < UINT32_MAX ? (uint32_t)events : UINT32_MAX;
	struct beside *b = dropped > 0 ? nl_run_own_beside(r, run) : NULL;
	if (b && dropped > (int64_t)b->dropped)
		b->dropped = dropped < UINT32_MAX ? (uint32_t)dropped : UINT32_MAX;
}

static void add_name(struct nl_runs *r, struct run *run, uint32_t seq, struct nl_quote name, struct nl_run_name *known)
{
	seq = seq < 255 ? seq : 255;
	if (name.n == 0 || (run->what && seq > run->what_seq))
		return;
	bool is_known = known && known->table == r->table;
	uint16_t what = is_known ? known->number : nl_run_name(r, name);
	if (known && !is_known)
		*known = (struct nl_run_name){ r->table, what };
	if (run->what && seq == run->what_seq && (!what || strcmp(r->name[what - 1].s, r->name[run->what - 1].s) >= 0))
		return;
	run->what = what;
	run->what_seq = (uint8_t)seq;
}

bool nl_runs_take(struct nl_runs *r, const struct nl_fact *f, struct nl_run_name *name)
{
	int64_t time_us = f->time_us < 0 ? 0 : f->time_us;
	struct run *run = nl_run_of(r, f->run, time_us);
	if (f->told == NL_TOLD_RUN_ENDED)
		add_end(r, run, f->events > 0 ? f->events : 1, f->dropped);
	if (f->seq == UINT32_MAX || add_seqs(r, run, f->seq, f->seq + 1) == 0)
		return false;
	run->started = run->started || f->told == NL_TOLD_RUN_STARTED;
	add_times(run, time_us, time_us);
	add_name(r, run, f->seq, f->policy, name);
	return true;
}

int nl_runs_add(struct nl_runs *r, const struct nl_run_facts *f)
{
	struct run *run = nl_run_of(r, f->run, f->first_us);
	for (unsigned i = 0; i < f->ranges; i++) {
		int64_t new = add_seqs(r, run, f->range[i].from, f->range[i].to);
		if (new < 0)
			return -1;
		r->gone.twice += f->range[i].to - f->range[i].from - (uint64_t)new;
	}
	if (run->beside)
		r->beside[run->beside - 1].lines -= f->closed < r->beside[run->beside - 1].lines ? f->closed : r->beside[run->beside - 1].lines;
	run->started = run->started || f->started;
	add_times(run, f->first_us, f->last_us);
	add_end(r, run, f->events, f->dropped);
	if (f->ranges > 0)
		add_name(r, run, f->range[0].from, f->what, NULL);
	return 0;
}
