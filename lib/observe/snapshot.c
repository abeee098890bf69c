/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.c - writes a snapshot; snapshot.h shows one. */
#include "observe/snapshot.h"

#include "observe/durations.h"
#include "parse.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct writer { int fd, error; uint64_t sum; size_t n; char buf[1 << 16]; };

static void flush(struct writer *w)
{
	for (size_t at = 0; at < w->n && !w->error;) {
		ssize_t n = write(w->fd, w->buf + at, w->n - at);
		if (n < 0 && errno != EINTR)
			w->error = errno;
		at += n > 0 ? (size_t)n : 0;
	}
	w->sum = nl_sum(w->sum, w->buf, w->n);
	w->n = 0;
}

static void put(struct writer *w, const char *s, size_t n)
{
	if (w->n + n > sizeof w->buf)
		flush(w);
	memcpy(w->buf + w->n, s, n);
	w->n += n;
}

static void __attribute__((format(printf, 2, 3))) putf(struct writer *w, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	put(w, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

static void put_quoted(struct writer *w, const char *s)
{
	put(w, " \"", 2);
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f)
			putf(w, "\\%02x", c);
		else
			put(w, s, 1);
	}
	put(w, "\"", 1);
}

static void put_sketch(struct writer *w, const struct nl_sketch *s)
{
	putf(w, " %" PRIu64, s->zero);
	for (unsigned i = 0; i < s->n; i++)
		if (s->count[i])
			putf(w, " %u:%" PRIu32, s->first + i, s->count[i]);
	put(w, "\n", 1);
}

static int by_number(const void *a, const void *b)
{
	const uint16_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static void put_slice(struct writer *w, const struct nl_slice *s)
{
	uint16_t fine[NL_FINE];
	if (s->is_coarse) {
		putf(w, "coarse %" PRId64, s->no);
		put_sketch(w, &s->coarse);
		return;
	}
	memcpy(fine, s->fine, s->n * sizeof *fine);
	qsort(fine, s->n, sizeof *fine, by_number);
	putf(w, "fine %" PRId64, s->no);
	for (unsigned i = 0; i < s->n; i++)
		putf(w, " %u", fine[i]);
	put(w, "\n", 1);
}

static void put_dense(struct writer *w, const struct nl_dense *d)
{
	int64_t top = d->top / NL_SLICE_SECONDS;
	putf(w, "dense %" PRId64 "\n", d->top);
	for (int64_t at = d->top < NL_WINDOW_SECONDS ? 0 : d->top - NL_WINDOW_SECONDS + 1; at <= d->top; at++) {
		const struct nl_second *s = &d->second[at % NL_WINDOW_SECONDS];
		if (s->requests)
			putf(w, "second %" PRId64 " %u %u %u %u\n", at, s->requests, s->failures, s->rejected, s->timeouts);
	}
	for (int64_t no = top < NL_SLICES ? 0 : top - NL_SLICES + 1; no <= top; no++) {
		const struct nl_slice *s = &d->slice[no % NL_SLICES];
		if (s->no == no && nl_dense_has(d, s))
			put_slice(w, s);
	}
}

static void put_move(struct writer *w, const struct nl_move *m)
{
	putf(w, "move %" PRId64 " %" PRIu64 " %016" PRIx64 " %016" PRIx64 " %u %u %u", m->time_us, m->epoch, m->run, m->span, m->seq, m->from, m->to);
	put_quoted(w, m->reason);
	put_quoted(w, m->line ? m->line : "");
	put(w, "\n", 1);
}

static void put_took(struct writer *w, unsigned which, const struct nl_durations *d)
{
	putf(w, "took %u %" PRIu64, which, d->us);
	put_sketch(w, &d->sketch);
	for (unsigned i = 0; i <= NL_BUCKETS_CLASSIC; i++)
		if (d->classic[i])
			putf(w, "took_classic %u %u %" PRIu64 "\n", which, i, d->classic[i]);
}

static void put_usage(struct writer *w, struct nl_stamp at, int64_t active, int64_t max, int64_t queued)
{
	if (at.time_us >= 0)
		putf(w, "usage %" PRId64 " %016" PRIx64 " %u %" PRId64 " %" PRId64 " %" PRId64 "\n", at.time_us, at.run, at.seq, active, max, queued);
}

static void put_series(struct writer *w, const struct series *s)
{
	const struct nl_series *p = &s->pub;
	put(w, "series", 6);
	put_quoted(w, p->kind_text);
	put_quoted(w, p->policy);
	put(w, "\n", 1);
	for (const struct nl_series_field *f = nl_series_fields; f->name; f++) {
		int64_t v;
		memcpy(&v, (const char *)p + f->at, sizeof v);
		if (v != 0 || f->join != NL_SUM)
			putf(w, "%s %" PRId64 "\n", f->name, v);
	}
	for (unsigned i = 0; i < p->nerrs; i++)
		putf(w, "err %u %" PRIu64 "\n", p->errs[i].key, p->errs[i].n);
	for (unsigned i = 0; i < p->nlabels; i++)
		putf(w, "label %u %" PRIu64 "\n", p->labels[i].key, p->labels[i].n);
	for (unsigned i = 0; i < NL_TOOKS; i++)
		if (p->took[i])
			put_took(w, i, p->took[i]);
	for (unsigned i = 0; i <= NL_BUCKETS_CLASSIC; i++)
		if (p->classic[i])
			putf(w, "classic %u %" PRIu64 " %" PRIu64 "\n", i, p->classic[i], p->classic_failed[i]);
	if (nl_sketch_total(&s->total)) {
		put(w, "total", 5);
		put_sketch(w, &s->total);
	}
	if (s->failed.time_us >= 0) {
		putf(w, "failed %" PRId64 " %016" PRIx64 " %u", s->failed.time_us, s->failed.run, s->failed.seq);
		put_quoted(w, p->last_err);
		put_quoted(w, p->last_cmd);
		put(w, "\n", 1);
	}
	put_usage(w, s->told, p->active, p->max, -1);
	put_usage(w, s->queued, -1, -1, p->queued);     // It is not later, so it is of the queue alone.
	for (unsigned i = 0; i < p->nmoves; i++)
		put_move(w, &p->move[i]);
	for (unsigned i = 0; i < p->nlast; i++)
		putf(w, "last %" PRId64 " %" PRId64 " %u\n", p->last[i].time_us, p->last[i].dur_us, p->last[i].end);
	if (p->dense)
		put_dense(w, p->dense);
}

static int put_run(const struct nl_run_facts *f, void *arg)
{
	struct writer *w = arg;
	char what[72];
	snprintf(what, sizeof what, "%.*s", (int)f->what.n, f->what.s);
	putf(w, "run %016" PRIx64 " %" PRId64 " %" PRId64 " %u %u %d %u", f->run, f->first_us, f->last_us, f->events, f->dropped, f->started, f->closed);
	put_quoted(w, what);
	for (unsigned i = 0; i < f->ranges; i++)
		putf(w, " %u:%u", f->range[i].from, f->range[i].to);
	put(w, "\n", 1);
	return 0;
}

static int put_system(struct writer *w, const struct nl_system *s, const struct nl_mark *mark, unsigned marks)
{
	const struct nl_runs_sum *g = nl_runs_gone(s->runs);
	put(w, NL_SNAPSHOT_HEAD, strlen(NL_SNAPSHOT_HEAD));
	for (unsigned i = 0; i < marks; i++) {
		putf(w, "mark %016" PRIx64 " %016" PRIx64 " %" PRIu64 " %016" PRIx64, mark[i].dev, mark[i].ino, mark[i].offset, mark[i].seen);
		put_quoted(w, mark[i].path);
		put(w, "\n", 1);
	}
	putf(w, "latest %" PRId64 "\n", s->latest_us);
	for (unsigned i = 0; i < NL_LINES; i++)
		if (s->lines[i])
			putf(w, "line %s %" PRIu64 "\n", nl_line_names[i], s->lines[i]);
	for (unsigned i = 0; i < NL_TOLDS; i++)
		if (s->told[i])
			putf(w, "event %s %" PRIu64 "\n", *nl_told_names[i] ? nl_told_names[i] : "-", s->told[i]);
	putf(w, "calls %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", s->calls.requests, s->calls.failures, s->calls.rejected, s->calls.timeouts);
	putf(w, "overflowed %" PRIu64 "\n", s->overflowed);
	putf(w, "gone %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", g->runs, g->ended,
	     g->ok, g->sent, g->lost, g->dropped, g->open, g->gaps, g->twice);
	int r = nl_runs_each(s->runs, put_run, w);
	for (unsigned i = 0; i < nl_system_count(s); i++)
		put_series(w, s->sorted[i]);
	flush(w);
	putf(w, "sum %016" PRIx64 "\n", w->sum);
	flush(w);
	return r;
}

int nl_snapshot_write(int fd, const struct nl_system *s, const struct nl_mark *mark, unsigned marks)
{
	struct writer *w = calloc(1, sizeof *w);
	int error = ENOMEM;
	if (w) {
		w->fd = fd, w->sum = NL_SUM_BEGIN;
		error = put_system(w, s, mark, marks) < 0 ? ENOMEM : w->error;
	}
	free(w);
	return error;
}

/* Beside it and renamed: whoever reads, also after a crash, has the old one or the new one. */
int nl_system_save(const struct nl_system *s, const char *path, const struct nl_mark *mark, unsigned marks, struct nl_err *err)
{
	char *beside = NULL;
	if (asprintf(&beside, "%s.%ld.new", path, (long)getpid()) < 0)
		return nl_fail(err, "%s: %s", path, strerror(ENOMEM));
	int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
	int error = fd < 0 ? errno : nl_snapshot_write(fd, s, mark, marks);
	if (!error && fsync(fd) < 0)
		error = errno;
	if (fd >= 0 && close(fd) < 0 && !error)
		error = errno;
	if (!error && rename(beside, path) < 0)
		error = errno;
	if (error)
		(void)unlink(beside);           // What went wrong is what matters.
	free(beside);
	return error ? nl_fail(err, "%s: %s", path, strerror(error)) : 0;
}
