/* SPDX-License-Identifier: Apache-2.0 */
/* restoreseries.c - reads what a snapshot has below each series. */
#include "observe/reader.h"

#include "circuit.h"
#include "observe/durations.h"
#include "observe/label.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int sketch(struct nl_reader *r, struct nl_sketch *s)
{
	s->zero = nl_read_whole(r);
	while (*r->at && !r->bad) {
		unsigned bucket = (unsigned)nl_read_number(r, 0, NL_SKETCH_BUCKETS - 1);
		uint32_t n = nl_read_behind_colon(r);
		if (!r->bad && nl_sketch_put(s, bucket, n) < 0)
			return -1;
	}
	return 0;
}

static struct nl_stamp stamp(struct nl_reader *r)
{
	struct nl_stamp at;
	at.time_us = nl_read_number(r, 0, NL_READ_TIME_MOST);
	at.run = nl_read_hex(r);
	at.seq = nl_read_short(r);
	return at;
}

static int read_move(struct nl_reader *r)
{
	struct nl_move m = { .line = NULL };
	m.time_us = nl_read_number(r, 0, NL_READ_TIME_MOST), m.epoch = nl_read_whole(r);
	m.run = nl_read_hex(r), m.span = nl_read_hex(r), m.seq = nl_read_short(r);
	m.from = (uint8_t)nl_read_number(r, 0, NL_CIRCUIT_STATES - 1);
	m.to = (uint8_t)nl_read_number(r, 0, NL_CIRCUIT_STATES - 1);
	snprintf(m.reason, sizeof m.reason, "%s", nl_read_quoted(r));
	const char *line = nl_read_quoted(r);
	if (r->bad)
		return 0;
	return nl_moves_add(&r->series->pub, &m, *line ? line : NULL, strlen(line));
}

static int read_second(struct nl_reader *r)
{
	struct nl_dense *d = r->series->pub.dense;
	if (!d)
		return r->bad = true, 0;
	int64_t at = nl_read_number(r, d->top < NL_WINDOW_SECONDS ? 0 : d->top - NL_WINDOW_SECONDS + 1, d->top);
	struct nl_second s;
	s.requests = nl_read_short(r), s.failures = nl_read_short(r), s.rejected = nl_read_short(r), s.timeouts = nl_read_short(r);
	if (!r->bad)
		d->second[at % NL_WINDOW_SECONDS] = s;
	return 0;
}

static int read_slice(struct nl_reader *r, bool is_coarse)
{
	struct nl_dense *d = r->series->pub.dense;
	int64_t top = d ? d->top / NL_SLICE_SECONDS : 0;
	int64_t no = nl_read_number(r, top < NL_SLICES ? 0 : top - NL_SLICES + 1, top);
	if (!d || r->bad || d->slice[no % NL_SLICES].no >= 0)
		return r->bad = true, 0;
	struct nl_slice *s = &d->slice[no % NL_SLICES];
	if (nl_slice_begin(s, no, is_coarse) < 0)
		return -1;
	if (is_coarse)
		return sketch(r, &s->coarse);
	while (*r->at && !r->bad) {
		if (s->n == NL_FINE)
			return r->bad = true, 0;
		s->fine[s->n++] = (uint16_t)nl_read_number(r, 0, NL_SLICE_SECONDS * NL_NO_TIME - 1);
	}
	return 0;
}

static int read_dense(struct nl_reader *r)
{
	if (r->series->pub.dense)
		return r->bad = true, 0;
	r->series->pub.dense = nl_dense_new();
	if (!r->series->pub.dense)
		return -1;
	r->series->pub.dense->top = nl_read_number(r, 0, NL_READ_TIME_MOST / 1000000);
	return 0;
}

static int read_last(struct nl_reader *r)
{
	struct nl_last e;
	e.time_us = nl_read_number(r, 0, NL_READ_TIME_MOST), e.dur_us = nl_read_number(r, -1, INT64_MAX);
	e.end = (uint8_t)nl_read_number(r, 0, 7);
	if (r->bad || r->series->pub.nlast == NL_EXACT)
		return r->bad = true, 0;
	return nl_series_put_exact(r->series, e);
}

static int read_classic(struct nl_reader *r)
{
	int64_t i = nl_read_number(r, 0, NL_BUCKETS_CLASSIC);
	r->series->pub.classic[i] = nl_read_whole(r);
	r->series->pub.classic_failed[i] = nl_read_whole(r);
	return 0;
}

static int read_label(struct nl_reader *r)
{
	unsigned label = (unsigned)nl_read_number(r, 0, NL_LABELS - 1);
	uint64_t n = nl_read_whole(r);
	r->bad = r->bad || !nl_label_is(label);
	return r->bad ? 0 : nl_labels_put(&r->series->pub, label, n);
}

static int read_took(struct nl_reader *r, bool classic)
{
	struct nl_durations *d = nl_durations_open(&r->series->pub, (enum nl_took)nl_read_number(r, 0, NL_TOOKS - 1));
	if (!d)
		return -1;
	if (classic) {
		int64_t i = nl_read_number(r, 0, NL_BUCKETS_CLASSIC);
		d->classic[i] = nl_read_whole(r);
		return 0;
	}
	d->us = nl_read_whole(r);
	return sketch(r, &d->sketch);
}

static int read_field(struct nl_reader *r, const char *word)
{
	const struct nl_series_field *f = nl_series_fields;
	while (f->name && strcmp(f->name, word) != 0)
		f++;
	if (!f->name)
		return r->bad = true, 0;
	int64_t v = nl_read_number(r, -1, INT64_MAX);
	memcpy((char *)&r->series->pub + f->at, &v, sizeof v);
	return 0;
}

int nl_read_of_series(struct nl_reader *r, const char *word)
{
	struct series *s = r->series;
	if (strcmp(word, "last") == 0)
		return read_last(r);
	if (strcmp(word, "second") == 0)
		return read_second(r);
	if (strcmp(word, "fine") == 0 || strcmp(word, "coarse") == 0)
		return read_slice(r, word[0] == 'c');
	if (strcmp(word, "dense") == 0)
		return read_dense(r);
	if (strcmp(word, "move") == 0)
		return read_move(r);
	if (strcmp(word, "total") == 0)
		return sketch(r, &s->total);
	if (strcmp(word, "classic") == 0)
		return read_classic(r);
	if (strcmp(word, "label") == 0)
		return read_label(r);
	if (strcmp(word, "took") == 0 || strcmp(word, "took_classic") == 0)
		return read_took(r, word[4] != '\0');
	if (strcmp(word, "err") == 0) {
		unsigned class = (unsigned)nl_read_number(r, 0, NL_ERR_OTHER);
		uint64_t n = nl_read_whole(r);
		return r->bad ? 0 : nl_series_put_err(&s->pub, class, n);
	}
	if (strcmp(word, "failed") == 0) {
		struct nl_stamp at = stamp(r);
		const char *err = nl_read_quoted(r), *cmd = nl_read_quoted(r);
		if (!r->bad)
			nl_series_put_failure(s, at, nl_quoted(err), nl_quoted(cmd));
		return 0;
	}
	if (strcmp(word, "usage") == 0) {
		struct nl_stamp at = stamp(r);
		int64_t active = nl_read_number(r, -1, INT64_MAX), max = nl_read_number(r, -1, INT64_MAX), queued = nl_read_number(r, -1, INT64_MAX);
		if (!r->bad)
			nl_series_put_usage(s, at, active, max, queued);
		return 0;
	}
	return read_field(r, word);
}
