/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dense.c - the last 15 minutes of a series with many requests: counts of each
 * second, and the durations of each 15 seconds.
 *
 * A slice keeps of each of its first 512 requests the second and the bucket, so
 * that a window may begin anywhere in it; with more it becomes a sketch for
 * good.  Whether it does depends on their number alone, not on their order.
 */
#include "observe/series.h"

#include "observe/hugepage.h"

#include <stdlib.h>
#include <string.h>

static struct nl_pool pool = { .size = sizeof(struct nl_dense) };

struct nl_dense *nl_dense_new(void)
{
	struct nl_dense *d = nl_pool_get(&pool);
	if (!d)
		return NULL;
	memset(d, 0, sizeof *d);
	d->top = -1;
	for (unsigned i = 0; i < NL_SLICES; i++)
		d->slice[i].no = -1;
	return d;
}

void nl_dense_free(struct nl_dense *d)
{
	for (unsigned i = 0; d && i < NL_SLICES; i++) {
		free(d->slice[i].fine);
		nl_sketch_free(&d->slice[i].coarse);
	}
	nl_pool_put(&pool, d);
}

static struct nl_second *second_at(struct nl_dense *d, int64_t second)
{
	return &d->second[second % NL_WINDOW_SECONDS];
}

static void move_top(struct nl_dense *d, int64_t top)
{
	if (top <= d->top)
		return;
	if (top - d->top >= NL_WINDOW_SECONDS)
		memset(d->second, 0, sizeof d->second);
	else
		while (d->top < top)
			*second_at(d, ++d->top) = (struct nl_second){ 0 };
	d->top = top;
}

bool nl_dense_has(const struct nl_dense *d, const struct nl_slice *s)
{
	return s->no >= 0 && s->no > d->top / NL_SLICE_SECONDS - NL_SLICES && (s->n > 0 || s->is_coarse);
}

/* The slice of that number, made empty when it was of an older one; NULL: it is too old. */
static struct nl_slice *slice_at(struct nl_dense *d, int64_t no)
{
	struct nl_slice *s = &d->slice[no % NL_SLICES];
	if (no <= d->top / NL_SLICE_SECONDS - NL_SLICES)
		return NULL;
	if (s->no != no) {
		nl_sketch_free(&s->coarse);
		s->no = no, s->n = 0, s->is_coarse = false;
	}
	return s;
}

int nl_slice_begin(struct nl_slice *s, int64_t no, bool is_coarse)
{
	s->no = no, s->is_coarse = is_coarse;
	s->fine = is_coarse ? NULL : malloc(NL_FINE * sizeof *s->fine);
	s->rooms = s->fine ? NL_FINE : 0;
	return s->fine || is_coarse ? 0 : -1;
}

static int put_coarse(struct nl_slice *s, unsigned cell)
{
	if (cell < NL_SKETCH_BUCKETS)
		return nl_sketch_put(&s->coarse, cell, 1);
	s->coarse.zero++;
	return 0;
}

static int make_coarse(struct nl_slice *s)
{
	for (unsigned i = 0; i < s->n; i++)
		if (put_coarse(s, s->fine[i] % NL_NO_TIME) < 0)
			return -1;
	free(s->fine);
	s->fine = NULL, s->n = s->rooms = 0, s->is_coarse = true;
	return 0;
}

static int put_cell(struct nl_slice *s, unsigned second, unsigned cell)
{
	if (s->is_coarse)
		return put_coarse(s, cell);
	if (s->n == NL_FINE)
		return make_coarse(s) < 0 ? -1 : put_coarse(s, cell);
	if (s->n == s->rooms) {
		unsigned rooms = s->rooms ? 2 * s->rooms : 8;
		uint16_t *fine = realloc(s->fine, rooms * sizeof *fine);
		if (!fine)
			return -1;
		s->fine = fine, s->rooms = (uint16_t)rooms;
	}
	s->fine[s->n++] = (uint16_t)(second * NL_NO_TIME + cell);
	return 0;
}

int nl_dense_add(struct nl_dense *d, struct nl_last e)
{
	int64_t second = e.time_us / 1000000;
	move_top(d, second);
	if (second > d->top - NL_WINDOW_SECONDS) {
		struct nl_second *s = second_at(d, second);
		s->requests++;
		s->failures += e.end & 1;
		s->rejected += e.end >> 1 & 1;
		s->timeouts += e.end >> 2 & 1;
	}
	struct nl_slice *slice = e.dur_us >= 0 ? slice_at(d, second / NL_SLICE_SECONDS) : NULL;
	unsigned cell = e.dur_us > 0 ? nl_sketch_bucket(e.dur_us) : NL_SKETCH_BUCKETS;
	return slice ? put_cell(slice, (unsigned)(second % NL_SLICE_SECONDS), cell) : 0;
}

static int merge_slice(struct nl_slice *s, const struct nl_slice *b)
{
	if (b->is_coarse && !s->is_coarse && make_coarse(s) < 0)
		return -1;
	for (unsigned i = 0; i < b->n; i++)
		if (put_cell(s, b->fine[i] / NL_NO_TIME, b->fine[i] % NL_NO_TIME) < 0)
			return -1;
	return nl_sketch_merge(&s->coarse, &b->coarse);
}

int nl_dense_merge(struct nl_dense *d, const struct nl_dense *b)
{
	move_top(d, b->top);
	for (int64_t second = d->top - NL_WINDOW_SECONDS + 1; second <= b->top; second++) {
		if (second < 0 || second <= b->top - NL_WINDOW_SECONDS)
			continue;
		struct nl_second *s = second_at(d, second);
		const struct nl_second *more = &b->second[second % NL_WINDOW_SECONDS];
		s->requests += more->requests, s->failures += more->failures;
		s->rejected += more->rejected, s->timeouts += more->timeouts;
	}
	for (unsigned i = 0; i < NL_SLICES; i++) {
		struct nl_slice *s = nl_dense_has(b, &b->slice[i]) ? slice_at(d, b->slice[i].no) : NULL;
		if (s && merge_slice(s, &b->slice[i]) < 0)
			return -1;
	}
	return 0;
}

struct nl_counts nl_dense_counts(const struct nl_dense *d, int64_t from, int64_t to)
{
	struct nl_counts n = { 0 };
	from = from > d->top - NL_WINDOW_SECONDS ? from : d->top - NL_WINDOW_SECONDS + 1;
	for (int64_t i = from < 0 ? 0 : from; i <= to && i <= d->top; i++) {
		const struct nl_second *s = &d->second[i % NL_WINDOW_SECONDS];
		n.requests += s->requests, n.failures += s->failures;
		n.rejected += s->rejected, n.timeouts += s->timeouts;
	}
	return n;
}

/* Of a sketch that is part of the window, as many as were in it, in proportion. */
static void spread_coarse(const struct nl_sketch *s, uint64_t part, uint64_t cell[NL_NO_TIME])
{
	uint64_t all = nl_sketch_total(s), seen = s->zero, put;
	part = part < all ? part : all;
	if (all == 0)
		return;
	put = seen * part / all;
	cell[NL_SKETCH_BUCKETS] += put;
	for (unsigned i = 0; i < s->n; i++) {
		uint64_t now = (seen += s->count[i]) * part / all;
		if (now > put)
			cell[s->first + i] += now - put;
		put = now;
	}
}

void nl_dense_spread(const struct nl_dense *d, int64_t from, int64_t to, uint64_t cell[NL_NO_TIME])
{
	for (unsigned i = 0; i < NL_SLICES; i++) {
		const struct nl_slice *s = &d->slice[i];
		int64_t begins = s->no * NL_SLICE_SECONDS, ends = begins + NL_SLICE_SECONDS - 1;
		if (!nl_dense_has(d, s) || ends < from || begins > to)
			continue;
		if (s->is_coarse) {
			bool whole = begins >= from && ends <= to;
			int64_t first = begins > from ? begins : from, last = ends < to ? ends : to;
			spread_coarse(&s->coarse, whole ? UINT64_MAX : nl_dense_counts(d, first, last).requests, cell);
		}
		for (unsigned k = 0; k < s->n; k++) {
			int64_t second = begins + s->fine[k] / NL_NO_TIME;
			if (second >= from && second <= to)
				cell[s->fine[k] % NL_NO_TIME]++;
		}
	}
}
