/* SPDX-License-Identifier: Apache-2.0 */
/* runtell.c - what was read of all runs, and of each: sums, findings, snapshots, merging. */
#include "observe/runsin.h"

#include "mut.h"

#include <stdlib.h>
#include <string.h>

static const struct beside none;

const struct beside *nl_run_beside(const struct nl_runs *r, const struct run *run)
{
	return run->beside ? &r->beside[run->beside - 1] : &none;
}

static uint64_t lines_of(const struct nl_runs *r, const struct run *run)
{
	return (uint64_t)__builtin_popcountll(run->seen) + nl_run_beside(r, run)->lines;
}

static uint64_t end_of(const struct nl_runs *r, const struct run *run) /* the greatest seq, and one */
{
	const struct beside *b = nl_run_beside(r, run);
	return b->n ? b->range[b->n - 1].to : run->seen ? 64 - (unsigned)__builtin_clzll(run->seen) : 0;
}

void nl_run_sum_up(const struct nl_runs *r, const struct run *run, struct nl_runs_sum *sum)
{
	uint64_t lines = lines_of(r, run);
	sum->runs++;
	if (run->events) {
		uint64_t lost = run->events > lines ? run->events - lines : 0;
		sum->ended++;
		sum->ok += lines;
		sum->lost += lost;
		sum->sent += lines + lost;
		sum->dropped += nl_run_beside(r, run)->dropped;
	} else if (MUTANT(KILLED_ENDS)) {
		sum->ended++;
	} else {
		sum->open++;
		sum->gaps += run->started ? end_of(r, run) - lines : 0;
	}
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
	const struct run **all = malloc((r->n + 1) * sizeof(struct run *));
	if (!all)
		return NULL;
	for (uint32_t i = 0; i < r->n; i++)
		all[i] = &r->ring[(r->next - r->n + i) & (r->room - 1)];
	qsort(all, r->n, sizeof(struct run *), order);
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
		nl_run_sum_up(r, run, &sum);
		if (sum.open || sum.lost)
			told(run->id, run->what ? r->name[run->what - 1].s : "", run->first_us, last_of(run),
			     sum.open ? -1 : (int64_t)sum.lost, arg);
	}
	free(all);
	return 0;
}

/* Ranges of a run, of which room has NL_RUN_RANGES + NL_RUN_BITS / 2 at least. */
static unsigned ranges_of(const struct nl_runs *r, const struct run *run, struct nl_run_range *to)
{
	const struct beside *b = nl_run_beside(r, run);
	unsigned n = 0;
	for (unsigned i = 0; i < NL_RUN_BITS; i++) {
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

static int tell(const struct nl_runs *r, const struct run *run, nl_run_facts_told *told, void *arg)
{
	struct nl_run_range range[NL_RUN_RANGES + NL_RUN_BITS];
	const char *what = run->what ? r->name[run->what - 1].s : "";
	struct nl_run_facts f = {
		.run = run->id, .first_us = run->first_us, .last_us = last_of(run), .events = run->events,
		.dropped = nl_run_beside(r, run)->dropped, .started = run->started,
		.what = { what, (unsigned)strlen(what) }, .range = range, .ranges = ranges_of(r, run, range),
	};
	for (unsigned k = 0; k < f.ranges; k++)
		f.closed += range[k].to - range[k].from;
	f.closed -= (uint32_t)lines_of(r, run);
	return told(&f, arg);
}

int nl_runs_each(const struct nl_runs *r, nl_run_facts_told *told, void *arg)
{
	const struct run **all = sorted(r, by_time);
	int result = all ? 0 : -1;
	for (uint32_t i = 0; i < r->n && result == 0; i++)
		result = tell(r, all[i], told, arg);
	free(all);
	return result;
}

static int add_to(const struct nl_run_facts *f, void *arg)
{
	return nl_runs_add(arg, f);
}

/* Runs of both into a third, by time. */
static int merge_into(struct nl_runs *all, const struct nl_runs *a, const struct nl_runs *b)
{
	int (*order)(const void *, const void *) = MUTANT(OLDEST_BY_NUMBER) ? by_id : by_time;
	const struct run **x = sorted(a, order), **y = sorted(b, order);
	int result = x && y ? 0 : -1;
	for (uint32_t i = 0, k = 0; result == 0 && (i < a->n || k < b->n);)
		result = k == b->n || (i < a->n && order(&x[i], &y[k]) <= 0) ? tell(a, x[i++], add_to, all) : tell(b, y[k++], add_to, all);
	free(x);
	free(y);
	return result;
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
	struct nl_runs *all = nl_runs_new(), was;
	int result = all ? merge_into(all, r, b) : -1;
	if (result == 0) {
		nl_runs_add_gone(all, &r->gone);
		nl_runs_add_gone(all, &b->gone);
		was = *r, *r = *all, *all = was;
	}
	nl_runs_free(all);
	return result;
}

struct nl_runs_sum nl_runs_sum(const struct nl_runs *r)
{
	struct nl_runs_sum sum = r->gone;
	for (uint32_t i = 0; i < r->n; i++)
		nl_run_sum_up(r, &r->ring[(r->next - r->n + i) & (r->room - 1)], &sum);
	return sum;
}
