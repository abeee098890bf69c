/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restore.c - reads a snapshot.  Its sum says that it is whole, not that we wrote
 * it: every number is in its range before it is used, or all is refused.
 */
#include "observe/snapshot.h"

#include "circuit.h"
#include "observe/label.h"
#include "observe/tries.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TIME_MOST INT64_C(253402300799999999)   /* the year 9999 */

/* The rest of a line, and what is being read. */
struct reader { char *at; bool bad; struct nl_system *system; struct series *series; struct nl_mark *mark; unsigned marks; };

static int64_t number(struct reader *r, int64_t least, int64_t most)
{
	bool minus = *r->at == '-';
	char *first = r->at + minus;
	uint64_t v = 0;
	for (r->at = first; *r->at >= '0' && *r->at <= '9' && r->at - first < 19; r->at++)
		v = v * 10 + (uint64_t)(*r->at - '0');
	int64_t is = minus ? -(int64_t)v : (int64_t)v;
	r->bad = r->bad || r->at == first || v > INT64_MAX || is < least || is > most || !strchr(" :", *r->at);
	if (*r->at == ' ')
		r->at++;
	return r->bad ? least : is;
}

static uint64_t whole(struct reader *r)
{
	return (uint64_t)number(r, 0, INT64_MAX);
}

static uint32_t short_of(struct reader *r)
{
	return (uint32_t)number(r, 0, UINT32_MAX);
}

static uint64_t hex(struct reader *r)
{
	uint64_t v = 0;
	for (int i = 0; i < 16; i++) {
		const char *digits = "0123456789abcdef", *d = r->at[i] ? strchr(digits, r->at[i]) : NULL;
		if (!d) {
			r->bad = true;
			return 0;
		}
		v = v << 4 | (uint64_t)(d - digits);
	}
	r->at += 16;
	r->bad = r->bad || !strchr(" ", *r->at);
	if (*r->at == ' ')
		r->at++;
	return v;
}

static unsigned digit(char c)
{
	return c >= '0' && c <= '9' ? (unsigned)(c - '0') : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

/* Unescaped where it stands, and terminated. */
static char *quoted(struct reader *r)
{
	char *text = r->at + 1, *to = text, *s = text;
	if (*r->at != '"')
		return r->bad = true, r->at;
	for (; *s && *s != '"'; s++) {
		bool escaped = *s == '\\';
		unsigned hi = escaped ? digit(s[1]) : 0, lo = escaped && hi < 16 ? digit(s[2]) : 0;
		if (hi > 15 || lo > 15 || (escaped && hi + lo == 0))
			return r->bad = true, r->at;
		*to++ = escaped ? (char)(hi << 4 | lo) : *s;
		s += escaped ? 2 : 0;
	}
	if (*s != '"')
		return r->bad = true, r->at;
	r->at = s + 1 + (s[1] == ' ');
	r->bad = r->bad || !strchr(" ", s[1]);
	*to = '\0';
	return text;
}

/* The number behind a colon. */
static uint32_t behind_colon(struct reader *r)
{
	if (*r->at != ':')
		return r->bad = true, 0;
	r->at++;
	return short_of(r);
}

static int sketch(struct reader *r, struct nl_sketch *s)
{
	s->zero = whole(r);
	while (*r->at && !r->bad) {
		unsigned bucket = (unsigned)number(r, 0, NL_SKETCH_BUCKETS - 1);
		uint32_t n = behind_colon(r);
		if (!r->bad && nl_sketch_put(s, bucket, n) < 0)
			return -1;
	}
	return 0;
}

static void wholes(struct reader *r, uint64_t *to, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		to[i] = whole(r);
}

static struct nl_stamp stamp(struct reader *r)
{
	struct nl_stamp at;
	at.time_us = number(r, 0, TIME_MOST);
	at.run = hex(r);
	at.seq = short_of(r);
	return at;
}

static int read_move(struct reader *r)
{
	struct nl_move m = { .line = NULL };
	m.time_us = number(r, 0, TIME_MOST), m.epoch = whole(r);
	m.run = hex(r), m.span = hex(r), m.seq = short_of(r);
	m.from = (uint8_t)number(r, 0, NL_CIRCUIT_STATES - 1);
	m.to = (uint8_t)number(r, 0, NL_CIRCUIT_STATES - 1);
	snprintf(m.reason, sizeof m.reason, "%s", quoted(r));
	const char *line = quoted(r);
	if (r->bad)
		return 0;
	return nl_moves_add(&r->series->pub, &m, *line ? line : NULL, strlen(line));
}

static int read_second(struct reader *r)
{
	struct nl_dense *d = r->series->pub.dense;
	if (!d)
		return r->bad = true, 0;
	int64_t at = number(r, d->top < NL_WINDOW_SECONDS ? 0 : d->top - NL_WINDOW_SECONDS + 1, d->top);
	struct nl_second s;
	s.requests = short_of(r), s.failures = short_of(r), s.rejected = short_of(r), s.timeouts = short_of(r);
	if (!r->bad)
		d->second[at % NL_WINDOW_SECONDS] = s;
	return 0;
}

static int read_slice(struct reader *r, bool is_coarse)
{
	struct nl_dense *d = r->series->pub.dense;
	int64_t top = d ? d->top / NL_SLICE_SECONDS : 0;
	int64_t no = number(r, top < NL_SLICES ? 0 : top - NL_SLICES + 1, top);
	if (!d || r->bad || d->slice[no % NL_SLICES].no >= 0)
		return r->bad = true, 0;
	struct nl_slice *s = &d->slice[no % NL_SLICES];
	s->no = no, s->is_coarse = is_coarse;
	if (is_coarse)
		return sketch(r, &s->coarse);
	s->fine = malloc(NL_FINE * sizeof *s->fine);
	s->rooms = NL_FINE;
	if (!s->fine)
		return -1;
	while (*r->at && !r->bad) {
		if (s->n == NL_FINE)
			return r->bad = true, 0;
		s->fine[s->n++] = (uint16_t)number(r, 0, NL_SLICE_SECONDS * NL_NO_TIME - 1);
	}
	return 0;
}

static int read_dense(struct reader *r)
{
	if (r->series->pub.dense)
		return r->bad = true, 0;
	r->series->pub.dense = nl_dense_new();
	if (!r->series->pub.dense)
		return -1;
	r->series->pub.dense->top = number(r, 0, TIME_MOST / 1000000);
	return 0;
}

static int read_last(struct reader *r)
{
	struct nl_last e;
	e.time_us = number(r, 0, TIME_MOST), e.dur_us = number(r, -1, INT64_MAX);
	e.end = (uint8_t)number(r, 0, 7);
	if (r->bad || r->series->pub.nlast == NL_EXACT)
		return r->bad = true, 0;
	return nl_series_put_exact(r->series, e);
}

static int read_classic(struct reader *r)
{
	int64_t i = number(r, 0, NL_BUCKETS_CLASSIC);
	r->series->pub.classic[i] = whole(r);
	r->series->pub.classic_failed[i] = whole(r);
	return 0;
}

static int read_label(struct reader *r)
{
	unsigned label = (unsigned)number(r, 0, NL_LABELS - 1);
	uint64_t n = whole(r);
	r->bad = r->bad || !nl_label_is(label);
	return r->bad ? 0 : nl_labels_put(&r->series->pub, label, n);
}

static int read_tries(struct reader *r, bool classic)
{
	struct nl_durations *d = nl_tries_open(&r->series->pub, (enum nl_try)number(r, 0, NL_TRIES - 1));
	if (!d)
		return -1;
	if (classic) {
		int64_t i = number(r, 0, NL_BUCKETS_CLASSIC);
		d->classic[i] = whole(r);
		return 0;
	}
	d->us = whole(r);
	return sketch(r, &d->sketch);
}

static int read_field(struct reader *r, const char *word)
{
	const struct nl_series_field *f = nl_series_fields;
	while (f->name && strcmp(f->name, word) != 0)
		f++;
	if (!f->name)
		return r->bad = true, 0;
	int64_t v = number(r, -1, INT64_MAX);
	memcpy((char *)&r->series->pub + f->at, &v, sizeof v);
	return 0;
}

static int read_of_series(struct reader *r, const char *word)
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
	if (strcmp(word, "tries") == 0 || strcmp(word, "tries_classic") == 0)
		return read_tries(r, word[5] != '\0');
	if (strcmp(word, "err") == 0) {
		unsigned class = (unsigned)number(r, 0, NL_ERR_OTHER);
		uint64_t n = whole(r);
		return r->bad ? 0 : nl_series_put_err(&s->pub, class, n);
	}
	if (strcmp(word, "failed") == 0) {
		struct nl_stamp at = stamp(r);
		const char *err = quoted(r), *cmd = quoted(r);
		if (!r->bad)
			nl_series_put_failure(s, at, err, cmd);
		return 0;
	}
	if (strcmp(word, "usage") == 0) {
		struct nl_stamp at = stamp(r);
		int64_t active = number(r, -1, INT64_MAX), max = number(r, -1, INT64_MAX), queued = number(r, -1, INT64_MAX);
		if (!r->bad)
			nl_series_put_usage(s, at, active, max, queued);
		return 0;
	}
	return read_field(r, word);
}

static int read_series(struct reader *r)
{
	const char *kind = quoted(r), *policy = quoted(r);
	if (r->bad)
		return 0;
	unsigned before = nl_system_count(r->system);
	r->series = nl_system_open_series(r->system, (struct nl_quote){ kind, (unsigned)strlen(kind) }, (struct nl_quote){ policy, (unsigned)strlen(policy) });
	r->bad = r->series && nl_system_count(r->system) == before;     // There twice, or too many.
	return r->series ? 0 : -1;
}

static int read_run(struct reader *r)
{
	struct nl_run_range *range = NULL;
	struct nl_run_facts f = { .run = hex(r) };
	f.first_us = number(r, 0, TIME_MOST), f.last_us = number(r, 0, TIME_MOST);
	f.events = short_of(r), f.dropped = short_of(r);
	f.started = number(r, 0, 1);
	f.closed = short_of(r);
	const char *what = quoted(r);
	uint64_t seqs = 0;
	unsigned room = 0;
	f.what = (struct nl_quote){ what, (unsigned)strlen(what) };
	while (*r->at && !r->bad) {
		if (f.ranges == room) {
			struct nl_run_range *more = realloc(range, (room = 2 * room + 4) * sizeof *range);
			if (!more)
				return free(range), -1;
			range = more;
		}
		struct nl_run_range is;
		is.from = short_of(r), is.to = behind_colon(r);
		r->bad = r->bad || is.from >= is.to || (f.ranges > 0 && is.from <= range[f.ranges - 1].to);
		range[f.ranges++] = is;
		seqs += is.to - is.from;
	}
	f.range = range;
	r->bad = r->bad || f.closed > seqs;
	int result = r->bad ? 0 : nl_runs_add(r->system->runs, &f);
	free(range);
	return result;
}

static int read_mark(struct reader *r)
{
	struct nl_mark m;
	m.dev = hex(r), m.ino = hex(r), m.offset = whole(r), m.seen = hex(r);
	const char *path = quoted(r);
	struct nl_mark *all = r->bad ? NULL : realloc(r->mark, (r->marks + 1) * sizeof *all);
	if (!all)
		return r->bad ? 0 : -1;
	r->mark = all;
	m.path = strdup(path);
	if (m.path)
		r->mark[r->marks++] = m;
	return m.path ? 0 : -1;
}

/* The count of a name of a list. */
static int read_count(struct reader *r, const char *const *names, unsigned n, uint64_t *to)
{
	char *end = strchr(r->at, ' ');
	size_t len = end ? (size_t)(end - r->at) : 0;
	bool none = len == 1 && *r->at == '-';
	for (unsigned i = 0; i < n && len > 0; i++) {
		if (none ? *names[i] != '\0' : strlen(names[i]) != len || memcmp(names[i], r->at, len) != 0)
			continue;
		r->at = end + 1;
		to[i] = whole(r);
		return 0;
	}
	return r->bad = true, 0;
}

static void read_calls(struct reader *r)
{
	uint64_t n[4];
	wholes(r, n, 4);
	r->system->calls = (struct nl_counts){ n[0], n[1], n[2], n[3] };
}

static void read_gone(struct reader *r)
{
	uint64_t n[9];
	wholes(r, n, 9);
	nl_runs_add_gone(r->system->runs, &(struct nl_runs_sum){ n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8] });
}

static int read_line(struct reader *r, const char *word)
{
	struct nl_system *s = r->system;
	if (strcmp(word, "series") == 0)
		return read_series(r);
	if (r->series)
		return read_of_series(r, word);
	if (strcmp(word, "run") == 0)
		return read_run(r);
	if (strcmp(word, "mark") == 0)
		return read_mark(r);
	if (strcmp(word, "line") == 0)
		return read_count(r, nl_line_names, NL_LINES, s->lines);
	if (strcmp(word, "event") == 0)
		return read_count(r, nl_told_names, NL_TOLDS, s->told);
	if (strcmp(word, "latest") == 0)
		s->latest_us = number(r, -1, TIME_MOST);
	else if (strcmp(word, "overflowed") == 0)
		s->overflowed = whole(r);
	else if (strcmp(word, "calls") == 0)
		read_calls(r);
	else if (strcmp(word, "gone") == 0)
		read_gone(r);
	else
		r->bad = true;
	return 0;
}

static void free_marks(struct nl_mark *mark, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		free(mark[i].path);
	free(mark);
}

struct nl_system *nl_snapshot_read(char *text, size_t n, struct nl_mark **mark, unsigned *marks, struct nl_err *err)
{
	struct reader r = { .system = nl_system_new((struct nl_system_cfg){ .late_us = INT64_MAX, .skew_us = INT64_MAX, .series = UINT32_MAX }) };
	int result = r.system ? 0 : -1;
	unsigned no = 1;
	for (char *line = text, *end; result == 0 && !r.bad && line < text + n; line = end + 1) {
		end = memchr(line, '\n', (size_t)(text + n - line));
		no++;
		if (!end || memchr(line, '\0', (size_t)(end - line))) {
			r.bad = true;
			break;
		}
		*end = '\0';
		r.at = strchr(line, ' ');
		if (!r.at) {
			r.bad = true;
			break;
		}
		*r.at++ = '\0';
		result = read_line(&r, line);
		r.bad = r.bad || *r.at;         // More than it should have.
	}
	if (result == 0 && !r.bad) {
		*mark = r.mark, *marks = r.marks;
		return r.system;
	}
	if (r.bad)
		nl_fail(err, "line %u is none of a snapshot", no);
	else
		nl_fail(err, "%s", strerror(ENOMEM));
	free_marks(r.mark, r.marks);
	nl_system_free(r.system);
	return NULL;
}

/* All of a file, or NULL with errno. */
static char *contents(const char *path, size_t *n)
{
	struct stat st;
	char *text = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return NULL;
	*n = 0;
	errno = EFBIG;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size <= NL_SNAPSHOT_MOST)
		text = malloc((size_t)st.st_size + 1);
	for (ssize_t got = 1; text && *n < (size_t)st.st_size && got != 0;) {
		got = read(fd, text + *n, (size_t)st.st_size - *n);
		if (got < 0) {
			free(text);
			text = NULL;
		} else {
			*n += (size_t)got;
		}
	}
	int error = errno;
	(void)close(fd);                        // Only read.
	errno = error;
	return text;
}

static bool is_whole(const char *text, size_t n)
{
	char sum[24];
	size_t head = strlen(NL_SNAPSHOT_HEAD), tail = 21;
	if (n < head + tail || memcmp(text, NL_SNAPSHOT_HEAD, head) != 0)
		return false;
	snprintf(sum, sizeof sum, "sum %016" PRIx64 "\n", nl_sum(NL_SUM_BEGIN, text, n - tail));
	return memcmp(text + n - tail, sum, tail) == 0;
}

struct nl_system *nl_system_load(const char *path, struct nl_mark **mark, unsigned *marks, struct nl_err *err)
{
	size_t n, head = strlen(NL_SNAPSHOT_HEAD);
	char *text = contents(path, &n);
	struct nl_system *s = NULL;
	struct nl_err why;
	if (!text)
		nl_fail(err, "%s: %s", path, strerror(errno));
	else if (!is_whole(text, n))
		nl_fail(err, "%s: no snapshot, or not a whole one", path);
	else if (!(s = nl_snapshot_read(text + head, n - head - 21, mark, marks, &why)))
		nl_fail(err, "%s: %s", path, why.msg);
	free(text);
	return s;
}
