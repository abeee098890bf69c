/* SPDX-License-Identifier: Apache-2.0 */
/* ask.c - what queries ask of one series. */
#include "observe/series.h"

#include "circuit.h"

#include <stdlib.h>

/* The first second of a window. */
static int64_t begin_of(int64_t now_us, int64_t window_us)
{
	int64_t seconds = window_us / 1000000 + (window_us % 1000000 > 0);
	return now_us / 1000000 - seconds + 1;
}

/* Whether the requests that are kept as they are are all of those from a second on. */
static bool is_exact(const struct nl_series *s, int64_t from)
{
	return !s->dense || (s->nlast == NL_EXACT && s->last[0].time_us / 1000000 < from);
}

struct nl_counts nl_series_counts(const struct nl_series *s, int64_t now_us, int64_t window_us)
{
	int64_t from = begin_of(now_us, window_us), to = now_us / 1000000;
	struct nl_counts n = { 0 };
	if (window_us == 0)
		return s->all;
	if (!is_exact(s, from))
		return nl_dense_counts(s->dense, from, to);
	for (unsigned i = s->nlast; i > 0 && s->last[i - 1].time_us / 1000000 >= from; i--) {
		const struct nl_last *e = &s->last[i - 1];
		if (e->time_us / 1000000 > to)
			continue;
		n.requests++;
		n.failures += e->end & 1;
		n.rejected += e->end >> 1 & 1;
		n.timeouts += e->end >> 2 & 1;
	}
	return n;
}

double nl_series_rate(const struct nl_series *s, int64_t now_us, int64_t window_us)
{
	struct nl_counts n = nl_series_counts(s, now_us, window_us);
	return n.requests ? (double)n.failures / (double)n.requests : -1;
}

static int by_size(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static double exact_quantile(const struct nl_series *s, double q, int64_t from, int64_t to, uint64_t *n)
{
	int64_t us[NL_EXACT] = { 0 };
	unsigned k = 0;
	for (unsigned i = 0; i < s->nlast; i++) {
		int64_t second = s->last[i].time_us / 1000000;
		if (second >= from && second <= to && s->last[i].dur_us >= 0)
			us[k++] = s->last[i].dur_us;
	}
	*n = k;
	qsort(us, k, sizeof *us, by_size);
	return k ? (double)us[nl_rank(q, k) - 1] / 1e6 : -1;
}

static double cells_quantile(const uint64_t cell[NL_NO_TIME], double q, uint64_t *n)
{
	*n = 0;
	for (unsigned i = 0; i < NL_NO_TIME; i++)
		*n += cell[i];
	uint64_t rank = nl_rank(q, *n), seen = cell[NL_SKETCH_BUCKETS];
	if (*n == 0)
		return -1;
	if (rank <= seen)
		return 0;
	unsigned i = 0;
	while ((seen += cell[i]) < rank)
		i++;
	return nl_sketch_value(i);
}

double nl_series_quantile(const struct nl_series *s, double q, int64_t now_us, int64_t window_us, uint64_t *n, bool *exact)
{
	uint64_t none = 0, cell[NL_NO_TIME] = { 0 };
	bool ignored = false;
	int64_t from = window_us ? begin_of(now_us, window_us) : INT64_MIN, to = window_us ? now_us / 1000000 : INT64_MAX;
	n = n ? n : &none;
	exact = exact ? exact : &ignored;
	*exact = window_us ? is_exact(s, from) : s->nlast == s->all.requests;
	if (*exact)
		return exact_quantile(s, q, from, to, n);
	if (window_us) {
		nl_dense_spread(s->dense, from, to, cell);
		return cells_quantile(cell, q, n);
	}
	const struct nl_sketch *total = &((const struct series *)s)->total;
	*n = nl_sketch_total(total);
	return nl_sketch_quantile(total, q);
}

const char *nl_series_state(const struct nl_series *s)
{
	if (s->nmoves > 0)
		return nl_circuit_name((enum nl_circuit_state)s->move[s->nmoves - 1].to);
	return s->kind == NL_S_BREAKER && (s->all.requests > 0 || s->rejected > 0) ? "closed" : "-";
}
