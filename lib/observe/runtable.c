/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtable.c - finds a run by its id, with one cache miss, and lets the oldest go
 * when there are too many; and the names of runs, as numbers.
 */
#include "observe/runsin.h"

#include "observe/hugepage.h"
#include "observe/texthash.h"

#include <stdlib.h>
#include <string.h>

#define ROOM 256                        /* runs at first; with more, there is room for all at once */
#define NUMBER 0xfffffu                 /* bits of a slot that are of the run's number: four times NL_RUNS_MAX */
#define USED (1u << 20)                 /* in every slot but those that never had a run; above it are bits of the hash */
#define NAMES 16383                     /* of runs, most; the others have none */

static struct line *new_index(uint32_t room)
{
	struct line *line = nl_huge_new(room / 8 * sizeof *line);
	return line ? memset(line, 0, room / 8 * sizeof *line) : NULL;
}

struct nl_runs *nl_runs_new(void)
{
	static uint32_t tables;
	struct nl_runs *r = calloc(1, sizeof *r);
	if (!r)
		return NULL;
	r->key = nl_hash_key(), r->table = ++tables;
	r->room = ROOM;
	r->ring = nl_huge_new(r->room * sizeof *r->ring);
	r->line = new_index(r->room);
	if (r->ring && r->line)
		return r;
	nl_runs_free(r);
	return NULL;
}

void nl_runs_free(struct nl_runs *r)
{
	if (!r)
		return;
	for (uint32_t i = 0; i < r->nbeside; i++)
		free(r->beside[i].range);
	free(r->beside);
	free(r->name);
	free(r->name_index);
	free(r->ring);
	free(r->line);
	free(r);
}

static uint64_t hash_of(const struct nl_runs *r, uint64_t id)
{
	return nl_mix(nl_mix(r->key, id), 0);
}

void nl_runs_ahead(const struct nl_runs *r, uint64_t run)
{
	__builtin_prefetch(&r->line[(hash_of(r, run) >> 32) & (r->room / 8 - 1)]);
}

static uint32_t tag_of(uint64_t hash)
{
	return (uint32_t)hash << 21 | USED;
}

static bool is_here(const struct nl_runs *r, uint32_t slot)
{
	return slot && (((uint32_t)r->next - 1 - slot) & NUMBER) < r->n;
}

static struct run *run_at(const struct nl_runs *r, uint32_t slot)
{
	uint64_t last = r->next - 1, number = last - (((uint32_t)last - slot) & NUMBER);
	return &r->ring[number & (r->room - 1)];
}

static struct run *find(const struct nl_runs *r, uint64_t id, uint64_t hash)
{
	uint32_t tag = tag_of(hash);
	for (uint64_t at = hash >> 32;; at++) {
		const struct line *line = &r->line[at & (r->room / 8 - 1)];
		for (unsigned i = 0; i < NL_RUN_SLOTS; i++)
			if ((line->slot[i] & ~NUMBER) == tag && is_here(r, line->slot[i]) && run_at(r, line->slot[i])->id == id)
				return run_at(r, line->slot[i]);
		if (!is_here(r, line->spilled))
			return NULL;
	}
}

bool nl_runs_one(const struct nl_runs *r, uint64_t id, struct nl_runs_sum *sum)
{
	const struct run *run = find(r, id, hash_of(r, id));
	*sum = (struct nl_runs_sum){ 0 };
	if (run)
		nl_run_sum_up(r, run, sum);
	return run != NULL;
}

/* Run number `number` into the index; there is room for twice as many. */
static void enter(struct nl_runs *r, uint64_t hash, uint64_t number)
{
	uint32_t entry = ((uint32_t)number & NUMBER) | tag_of(hash);
	for (uint64_t at = hash >> 32;; at++) {
		struct line *line = &r->line[at & (r->room / 8 - 1)];
		for (unsigned i = 0; i < NL_RUN_SLOTS; i++)
			if (!is_here(r, line->slot[i])) {
				line->slot[i] = entry;
				return;
			}
		line->spilled = entry;
	}
}

struct beside *nl_run_own_beside(struct nl_runs *r, struct run *run)
{
	if (run->beside)
		return &r->beside[run->beside - 1];
	uint32_t at = r->unused;
	if (at) {
		r->unused = r->beside[at - 1].n;
	} else {
		if (r->nbeside == r->beside_room) {
			uint32_t room = r->beside_room ? 2 * r->beside_room : 64;
			struct beside *b = realloc(r->beside, room * sizeof *b);
			if (!b)
				return NULL;
			r->beside = b, r->beside_room = room;
		}
		at = ++r->nbeside;
	}
	r->beside[at - 1] = (struct beside){ 0 };
	run->beside = at;
	return &r->beside[at - 1];
}

static void evict(struct nl_runs *r)
{
	struct run *run = &r->ring[(r->next - r->n) & (r->room - 1)];
	nl_run_sum_up(r, run, &r->gone);
	if (run->beside) {
		struct beside *b = &r->beside[run->beside - 1];
		r->ranges -= b->n;
		free(b->range);
		*b = (struct beside){ .n = r->unused };
		r->unused = run->beside;
	}
	r->n--;
}

/* Room for all, or what there is stays. */
static void grow(struct nl_runs *r)
{
	struct run *ring = nl_huge_new(NL_RUNS_MAX * sizeof *ring);
	struct line *line = ring ? new_index(NL_RUNS_MAX) : NULL;
	if (!line) {
		free(ring);
		return;
	}
	memcpy(ring, r->ring, r->n * sizeof *ring);
	free(r->ring);
	free(r->line);
	r->ring = ring, r->line = line, r->room = NL_RUNS_MAX, r->recent = NULL;
	for (uint32_t i = 0; i < r->n; i++)
		enter(r, hash_of(r, ring[i].id), i);
}

/* The run, made when it is new. */
struct run *nl_run_of(struct nl_runs *r, uint64_t id, int64_t time_us)
{
	if (r->recent && r->recent->id == id)   // The last two lines of a run are often neighbours.
		return r->recent;
	uint64_t hash = hash_of(r, id);
	struct run *run = find(r, id, hash);
	if (run)
		return r->recent = run;
	if (r->n == r->room && r->room < NL_RUNS_MAX && r->next == r->n)
		grow(r);
	if (r->n == r->room)
		evict(r);
	enter(r, hash, r->next);
	run = &r->ring[r->next & (r->room - 1)];
	r->next++, r->n++;
	*run = (struct run){ .id = id, .first_us = time_us, .what_seq = 255 };
	return r->recent = run;
}

static int grow_names(struct nl_runs *r)
{
	uint32_t slots = r->name_slots ? 2 * r->name_slots : 64, *index = calloc(slots, sizeof *index);
	struct name *name = realloc(r->name, slots / 2 * sizeof *name);
	r->name = name ? name : r->name;
	if (!index || !name)
		return free(index), -1;
	for (uint32_t i = 0; i < r->names; i++) {
		uint32_t at = name[i].hash & (slots - 1);
		while (index[at])
			at = (at + 1) & (slots - 1);
		index[at] = i + 1;
	}
	free(r->name_index);
	r->name_index = index, r->name_slots = slots;
	return 0;
}

/* The name's number, from 1; 0: none, or there are too many. */
uint16_t nl_run_name(struct nl_runs *r, struct nl_quote t)
{
	unsigned n = t.n < NL_RUN_NAME_ROOM ? t.n : NL_RUN_NAME_ROOM;
	while (n < t.n && n > 0 && (t.s[n] & 0xc0) == 0x80)
		n--;
	uint32_t hash = (uint32_t)nl_text_hash(t.s, n, r->key);
	if (n == 0 || (2 * (r->names + 1) > r->name_slots && grow_names(r) < 0))
		return 0;
	uint32_t at = hash & (r->name_slots - 1);
	for (; r->name_index[at]; at = (at + 1) & (r->name_slots - 1)) {
		const struct name *have = &r->name[r->name_index[at] - 1];
		if (have->hash == hash && have->n == n && nl_same_text(have->s, t.s, n))
			return (uint16_t)r->name_index[at];
	}
	struct name *new = &r->name[r->names];
	if (r->names == NAMES)
		return 0;
	*new = (struct name){ .n = n, .hash = hash };
	memcpy(new->s, t.s, n);
	r->name_index[at] = ++r->names;
	return (uint16_t)r->names;
}
