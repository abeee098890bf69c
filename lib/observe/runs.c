/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runs.c - which lines of which process were read.
 *
 * Runs are in a ring in the order in which they were first seen, 40 bytes each,
 * and found by an index of their places.  Most have few lines: a bit for each of
 * the first 64, and ranges in a record beside for those behind.  All that is
 * asked later is a function of the set of lines, whatever their order: sums,
 * least and greatest times, the name in the line of the least seq.
 */
#include "observe/runs.h"

#include "observe/texthash.h"

#include <stdlib.h>
#include <string.h>

#define ROOM 256                        /* of the ring at first */
#define SLOTS 15                        /* of a line of the index */
#define NUMBER 0xfffffu                 /* bits of a slot that are of the run's number: four times NL_RUNS_MAX */
#define USED (1u << 20)                 /* in every slot but those that never had a run; above it are bits of the hash */
#define BITS 64                         /* seqs that have a bit */
#define RANGES 1024                     /* of a run, most; */
#define RANGES_ALL (1u << 18)           /* of all runs: beyond, the oldest holes of a run are closed */
#define NAMES 16383                     /* of runs, most; the others have none */
#define NAME_ROOM 64

struct run {
	uint64_t id, seen;              /* 0: bit n is seq n */
	int64_t first_us;
	uint32_t life_ms;               /* last - first, in whole milliseconds of each */
	uint32_t events;
	uint32_t beside;                /* 1 + place of its record; 0: it has none */
	uint16_t what;                  /* in names */
	uint8_t what_seq;               /* the seq of the line that it is from; of all from 255 on it is the least name */
	bool started;
};
_Static_assert(sizeof(struct run) == 40, "a run is 40 bytes");

struct beside {
	uint32_t dropped;
	uint32_t n, room;
	uint64_t lines;                 /* in ranges */
	struct nl_run_range *range;     /* ascending, apart; from BITS on */
};

/* Runs whose hash leads here, or did not find room in the line before: a cache
 * line.  Slots of runs that have left are seen by their numbers, and used again. */
struct line { uint32_t slot[SLOTS], spilled; };         /* spilled: the last that went on to the next line */

struct name { uint32_t n, hash; char s[NAME_ROOM + 1]; };

struct nl_runs {
	struct run *ring;               /* run number k is at k % room */
	struct line *line;              /* of the index: as many as there are runs / 8 */
	uint32_t room;                  /* grows up to NL_RUNS_MAX, and only then does a run leave */
	uint64_t key;                   /* of the hash: names of runs are from strangers */
	uint64_t next;                  /* number of the next run */
	uint32_t n;
	struct beside *beside;
	uint32_t nbeside, beside_room, unused, ranges;  /* unused: first of those given back, linked by n */
	struct name *name;
	uint32_t *name_index, names, name_slots;
	struct nl_runs_sum gone;
};

static struct line *new_index(uint32_t room)
{
	struct line *line = aligned_alloc(sizeof *line, room / 8 * sizeof *line);
	return line ? memset(line, 0, room / 8 * sizeof *line) : NULL;
}

struct nl_runs *nl_runs_new(void)
{
	struct nl_runs *r = calloc(1, sizeof *r);
	if (!r)
		return NULL;
	r->key = nl_hash_key();
	r->room = ROOM;
	r->ring = malloc(r->room * sizeof *r->ring);
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
		for (unsigned i = 0; i < SLOTS; i++)
			if ((line->slot[i] & ~NUMBER) == tag && is_here(r, line->slot[i]) && run_at(r, line->slot[i])->id == id)
				return run_at(r, line->slot[i]);
		if (!is_here(r, line->spilled))
			return NULL;
	}
}

/* Run number `number` into the index; there is room for twice as many. */
static void enter(struct nl_runs *r, uint64_t hash, uint64_t number)
{
	uint32_t entry = ((uint32_t)number & NUMBER) | tag_of(hash);
	for (uint64_t at = hash >> 32;; at++) {
		struct line *line = &r->line[at & (r->room / 8 - 1)];
		for (unsigned i = 0; i < SLOTS; i++)
			if (!is_here(r, line->slot[i])) {
				line->slot[i] = entry;
				return;
			}
		line->spilled = entry;
	}
}

static const struct beside none;

static const struct beside *beside_of(const struct nl_runs *r, const struct run *run)
{
	return run->beside ? &r->beside[run->beside - 1] : &none;
}

static uint64_t lines_of(const struct nl_runs *r, const struct run *run)
{
	return (uint64_t)__builtin_popcountll(run->seen) + beside_of(r, run)->lines;
}

static uint64_t end_of(const struct nl_runs *r, const struct run *run) /* the greatest seq, and one */
{
	const struct beside *b = beside_of(r, run);
	return b->n ? b->range[b->n - 1].to : run->seen ? 64 - (unsigned)__builtin_clzll(run->seen) : 0;
}

static void sum_up(const struct nl_runs *r, const struct run *run, struct nl_runs_sum *sum)
{
	uint64_t lines = lines_of(r, run);
	sum->runs++;
	if (run->events) {
		uint64_t lost = run->events > lines ? run->events - lines : 0;
		sum->ended++;
		sum->ok += lines;
		sum->lost += lost;
		sum->sent += lines + lost;
		sum->dropped += beside_of(r, run)->dropped;
	} else {
		sum->open++;
		sum->gaps += run->started ? end_of(r, run) - lines : 0;
	}
}

static struct beside *own_beside(struct nl_runs *r, struct run *run)
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
	sum_up(r, run, &r->gone);
	if (run->beside) {
		struct beside *b = &r->beside[run->beside - 1];
		r->ranges -= b->n;
		free(b->range);
		*b = (struct beside){ .n = r->unused };
		r->unused = run->beside;
	}
	r->n--;
}

/* Twice as much room, or what there is stays. */
static void grow(struct nl_runs *r)
{
	struct run *ring = realloc(r->ring, 2 * r->room * sizeof *ring);
	struct line *line = ring ? new_index(2 * r->room) : NULL;
	r->ring = ring ? ring : r->ring;
	if (!line)
		return;
	free(r->line);
	r->line = line, r->room *= 2;
	for (uint32_t i = 0; i < r->n; i++)
		enter(r, hash_of(r, ring[i].id), i);
}

/* The run, made when it is new. */
static struct run *run_of(struct nl_runs *r, uint64_t id, int64_t time_us)
{
	uint64_t hash = hash_of(r, id);
	struct run *run = find(r, id, hash);
	if (run)
		return run;
	if (r->n == r->room && r->room < NL_RUNS_MAX && r->next == r->n)
		grow(r);
	if (r->n == r->room)
		evict(r);
	enter(r, hash, r->next);
	run = &r->ring[r->next & (r->room - 1)];
	r->next++, r->n++;
	*run = (struct run){ .id = id, .first_us = time_us, .what_seq = 255 };
	return run;
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
static uint16_t name_of(struct nl_runs *r, struct nl_text t)
{
	unsigned n = t.n < NAME_ROOM ? t.n : NAME_ROOM;
	while (n < t.n && n > 0 && (t.s[n] & 0xc0) == 0x80)
		n--;
	uint32_t hash = (uint32_t)nl_text_hash(t.s, n, r->key);
	if (n == 0 || (2 * (r->names + 1) > r->name_slots && grow_names(r) < 0))
		return 0;
	uint32_t at = hash & (r->name_slots - 1);
	for (; r->name_index[at]; at = (at + 1) & (r->name_slots - 1)) {
		const struct name *have = &r->name[r->name_index[at] - 1];
		if (have->hash == hash && have->n == n && memcmp(have->s, t.s, n) == 0)
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
	if (b->n > RANGES || (b->n > 1 && r->ranges > RANGES_ALL))
		join_first(r, b);
	return (int64_t)(to - from - had);
}

/* How many seqs of [from, to) are new; -1: no memory. */
static int64_t add_seqs(struct nl_runs *r, struct run *run, uint32_t from, uint32_t to)
{
	int64_t new = 0;
	if (from < BITS) {
		unsigned end = to < BITS ? to : BITS;
		uint64_t bits = (end == BITS ? ~UINT64_C(0) : (UINT64_C(1) << end) - 1) & ~((UINT64_C(1) << from) - 1);
		new = __builtin_popcountll(bits & ~run->seen);
		run->seen |= bits;
		from = end;
	}
	if (from < to) {
		struct beside *b = own_beside(r, run);
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
	struct beside *b = dropped > 0 ? own_beside(r, run) : NULL;
	if (b && dropped > (int64_t)b->dropped)
		b->dropped = dropped < UINT32_MAX ? (uint32_t)dropped : UINT32_MAX;
}

static void add_name(struct nl_runs *r, struct run *run, uint32_t seq, struct nl_text name)
{
	seq = seq < 255 ? seq : 255;
	if (run->what && seq > run->what_seq)
		return;
	uint16_t what = name_of(r, name);
	if (run->what && seq == run->what_seq && (!what || strcmp(r->name[what - 1].s, r->name[run->what - 1].s) >= 0))
		return;
	run->what = what;
	run->what_seq = (uint8_t)seq;
}

bool nl_runs_take(struct nl_runs *r, const struct nl_fact *f)
{
	int64_t time_us = f->time_us < 0 ? 0 : f->time_us;
	struct run *run = run_of(r, f->run, time_us);
	if (f->told == NL_TOLD_RUN_ENDED)
		add_end(r, run, f->events > 0 ? f->events : 1, f->dropped);
	if (f->seq == UINT32_MAX || add_seqs(r, run, f->seq, f->seq + 1) == 0)
		return false;
	run->started = run->started || f->told == NL_TOLD_RUN_STARTED;
	add_times(run, time_us, time_us);
	if (f->policy.n > 0)
		add_name(r, run, f->seq, f->policy);
	return true;
}

int nl_runs_add(struct nl_runs *r, const struct nl_run_facts *f)
{
	struct run *run = run_of(r, f->run, f->first_us);
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
	if (f->ranges > 0 && f->what.n > 0)
		add_name(r, run, f->range[0].from, f->what);
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct run *x = *(const struct run *const *)a, *y = *(const struct run *const *)b;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int by_time(const void *a, const void *b)
{
	const struct run *x = *(const struct run *const *)a, *y = *(const struct run *const *)b;
	return x->first_us != y->first_us ? (x->first_us < y->first_us ? -1 : 1) : by_id(a, b);
}

/* The caller frees. */
static const struct run **sorted(const struct nl_runs *r, int order(const void *, const void *))
{
	const struct run **all = malloc((r->n + 1) * sizeof *all);
	if (!all)
		return NULL;
	for (uint32_t i = 0; i < r->n; i++)
		all[i] = &r->ring[(r->next - r->n + i) & (r->room - 1)];
	qsort(all, r->n, sizeof *all, order);
	return all;
}

static int64_t last_of(const struct run *run)
{
	return (run->first_us / 1000 + run->life_ms) * 1000;
}

int nl_runs_each_trouble(const struct nl_runs *r, nl_run_told *told, void *arg)
{
	const struct run **all = sorted(r, by_time);
	if (!all)
		return -1;
	for (uint32_t i = 0; i < r->n; i++) {
		const struct run *run = all[i];
		struct nl_runs_sum sum = { 0 };
		sum_up(r, run, &sum);
		if (sum.open || sum.lost)
			told(run->id, run->what ? r->name[run->what - 1].s : "", run->first_us, last_of(run),
			     sum.open ? -1 : (int64_t)sum.lost, arg);
	}
	free(all);
	return 0;
}

/* Ranges of a run, of which room has RANGES + BITS / 2 at least. */
static unsigned ranges_of(const struct nl_runs *r, const struct run *run, struct nl_run_range *to)
{
	const struct beside *b = beside_of(r, run);
	unsigned n = 0;
	for (unsigned i = 0; i < BITS; i++) {
		if (!(run->seen >> i & 1))
			continue;
		if (n > 0 && to[n - 1].to == i)
			to[n - 1].to++;
		else
			to[n++] = (struct nl_run_range){ i, i + 1 };
	}
	unsigned i = 0;
	if (n > 0 && b->n > 0 && to[n - 1].to == b->range[0].from)
		to[n - 1].to = b->range[i++].to;
	for (; i < b->n; i++)
		to[n++] = b->range[i];
	return n;
}

int nl_runs_each(const struct nl_runs *r, nl_run_facts_told *told, void *arg)
{
	const struct run **all = sorted(r, by_id);
	struct nl_run_range range[RANGES + BITS];
	int result = all ? 0 : -1;
	for (uint32_t i = 0; i < r->n && result == 0; i++) {
		const struct run *run = all[i];
		const char *what = run->what ? r->name[run->what - 1].s : "";
		struct nl_run_facts f = {
			.run = run->id, .first_us = run->first_us, .last_us = last_of(run), .events = run->events,
			.dropped = beside_of(r, run)->dropped, .started = run->started,
			.what = { what, (unsigned)strlen(what) }, .range = range, .ranges = ranges_of(r, run, range),
		};
		for (unsigned k = 0; k < f.ranges; k++)
			f.closed += range[k].to - range[k].from;
		f.closed -= (uint32_t)lines_of(r, run);
		result = told(&f, arg);
	}
	free(all);
	return result;
}

static int add_to(const struct nl_run_facts *f, void *arg)
{
	return nl_runs_add(arg, f);
}

const struct nl_runs_sum *nl_runs_gone(const struct nl_runs *r)
{
	return &r->gone;
}

void nl_runs_add_gone(struct nl_runs *r, const struct nl_runs_sum *b)
{
	struct nl_runs_sum *a = &r->gone;
	a->runs += b->runs, a->ended += b->ended, a->ok += b->ok, a->sent += b->sent, a->lost += b->lost;
	a->dropped += b->dropped, a->open += b->open, a->gaps += b->gaps, a->twice += b->twice;
}

int nl_runs_merge(struct nl_runs *r, const struct nl_runs *b)
{
	nl_runs_add_gone(r, &b->gone);
	return nl_runs_each(b, add_to, r);
}

struct nl_runs_sum nl_runs_sum(const struct nl_runs *r)
{
	struct nl_runs_sum sum = r->gone;
	for (uint32_t i = 0; i < r->n; i++)
		sum_up(r, &r->ring[(r->next - r->n + i) & (r->room - 1)], &sum);
	return sum;
}
