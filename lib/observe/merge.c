/* SPDX-License-Identifier: Apache-2.0 */
/* merge.c - two series into one: as if it had taken the events of both. */
#include "observe/durations.h"
#include "observe/label.h"

#include <string.h>

static void join(int64_t *a, int64_t b, enum nl_join how)
{
	if (how == NL_SUM)
		*a = b < INT64_MAX - *a ? *a + b : INT64_MAX;
	else if (how == NL_MOST ? b > *a : b >= 0 && (*a < 0 || b < *a))
		*a = b;
}

static int merge_moves(struct nl_series *a, const struct nl_series *b)
{
	for (unsigned i = 0; i < b->nmoves; i++) {
		const struct nl_move *m = &b->move[i];
		if (nl_moves_add(a, m, m->line, m->line ? strlen(m->line) : 0) < 0)
			return -1;
	}
	return 0;
}

/* The requests that are kept: dense from the 257th on, whichever side they were on. */
static int merge_last(struct series *a, const struct series *b)
{
	struct nl_series *p = &a->pub;
	if ((b->pub.dense || p->nlast + b->pub.nlast > NL_EXACT) && nl_series_make_dense(p) < 0)
		return -1;
	for (unsigned i = 0; p->dense && !b->pub.dense && i < b->pub.nlast; i++)
		if (nl_dense_add(p->dense, b->pub.last[i]) < 0)
			return -1;
	if (b->pub.dense && nl_dense_merge(p->dense, b->pub.dense) < 0)
		return -1;
	for (unsigned i = 0; i < b->pub.nlast; i++)
		if (nl_series_put_exact(a, b->pub.last[i]) < 0)
			return -1;
	return 0;
}

int nl_series_merge(struct series *a, const struct series *b)
{
	struct nl_series *p = &a->pub;
	const struct nl_series *q = &b->pub;
	for (const struct nl_series_field *f = nl_series_fields; f->name; f++) {
		int64_t x, y;
		memcpy(&x, (char *)p + f->at, sizeof x);
		memcpy(&y, (const char *)q + f->at, sizeof y);
		join(&x, y, f->join);
		memcpy((char *)p + f->at, &x, sizeof x);
	}
	for (unsigned i = 0; i <= NL_BUCKETS_CLASSIC; i++)
		p->classic[i] += q->classic[i], p->classic_failed[i] += q->classic_failed[i];
	for (unsigned i = 0; i < q->nerrs; i++)
		if (nl_series_put_err(p, q->errs[i].key, q->errs[i].n) < 0)
			return -1;
	for (unsigned i = 0; i < q->nlabels; i++)
		if (nl_labels_put(p, q->labels[i].key, q->labels[i].n) < 0)
			return -1;
	if (b->failed.time_us >= 0)
		nl_series_put_failure(a, b->failed, nl_quoted(q->last_err), nl_quoted(q->last_cmd));
	if (b->told.time_us >= 0)
		nl_series_put_usage(a, b->told, q->active, q->max, -1);
	if (b->queued.time_us >= 0)
		nl_series_put_usage(a, b->queued, -1, -1, q->queued);
	if (nl_sketch_merge(&a->total, &b->total) < 0 || merge_moves(p, q) < 0 || nl_durations_merge(p, q) < 0)
		return -1;
	return merge_last(a, b);
}
