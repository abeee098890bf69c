/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restore.c - reads a snapshot.  Its sum says that it is whole, not that we wrote
 * it: every number is in its range before it is used, or all is refused.
 */
#include "observe/reader.h"
#include "observe/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_series(struct nl_reader *r)
{
	const char *kind = nl_read_quoted(r), *policy = nl_read_quoted(r);
	if (r->bad)
		return 0;
	unsigned before = nl_system_count(r->system);
	r->series = nl_system_open_series(r->system, nl_quoted(kind), nl_quoted(policy));
	r->bad = r->series && nl_system_count(r->system) == before;     // There twice, or too many.
	return r->series ? 0 : -1;
}

static int read_run(struct nl_reader *r)
{
	struct nl_run_range *range = NULL;
	struct nl_run_facts f = { .run = nl_read_hex(r) };
	f.first_us = nl_read_number(r, 0, NL_READ_TIME_MOST), f.last_us = nl_read_number(r, 0, NL_READ_TIME_MOST);
	f.events = nl_read_short(r), f.dropped = nl_read_short(r);
	f.started = nl_read_number(r, 0, 1);
	f.closed = nl_read_short(r);
	const char *what = nl_read_quoted(r);
	uint64_t seqs = 0;
	unsigned room = 0;
	f.what = nl_quoted(what);
	while (*r->at && !r->bad) {
		if (f.ranges == room) {
			struct nl_run_range *more = realloc(range, (room = 2 * room + 4) * sizeof *range);
			if (!more)
				return free(range), -1;
			range = more;
		}
		struct nl_run_range is;
		is.from = nl_read_short(r), is.to = nl_read_behind_colon(r);
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

/* The count of a name of a list. */
static int read_count(struct nl_reader *r, const char *const *names, unsigned n, uint64_t *to)
{
	char *end = strchr(r->at, ' ');
	size_t len = end ? (size_t)(end - r->at) : 0;
	bool none = len == 1 && *r->at == '-';
	for (unsigned i = 0; i < n && len > 0; i++) {
		if (none ? *names[i] != '\0' : strlen(names[i]) != len || memcmp(names[i], r->at, len) != 0)
			continue;
		r->at = end + 1;
		to[i] = nl_read_whole(r);
		return 0;
	}
	return r->bad = true, 0;
}

static void wholes(struct nl_reader *r, uint64_t *to, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		to[i] = nl_read_whole(r);
}

static void read_calls(struct nl_reader *r)
{
	uint64_t n[4];
	wholes(r, n, 4);
	r->system->calls = (struct nl_counts){ n[0], n[1], n[2], n[3] };
}

static void read_gone(struct nl_reader *r)
{
	uint64_t n[9];
	wholes(r, n, 9);
	nl_runs_add_gone(r->system->runs, &(struct nl_runs_sum){ n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8] });
}

static int read_line(struct nl_reader *r, const char *word)
{
	struct nl_system *s = r->system;
	if (strcmp(word, "series") == 0)
		return read_series(r);
	if (r->series)
		return nl_read_of_series(r, word);
	if (strcmp(word, "run") == 0)
		return read_run(r);
	if (strcmp(word, "mark") == 0)
		return nl_read_mark(r);
	if (strcmp(word, "line") == 0)
		return read_count(r, nl_line_names, NL_LINES, s->lines);
	if (strcmp(word, "event") == 0)
		return read_count(r, nl_told_names, NL_TOLDS, s->told);
	if (strcmp(word, "latest") == 0)
		s->latest_us = nl_read_number(r, -1, NL_READ_TIME_MOST);
	else if (strcmp(word, "overflowed") == 0)
		s->overflowed = nl_read_whole(r);
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
	struct nl_reader r = { .system = nl_system_new((struct nl_system_cfg){ .late_us = INT64_MAX, .skew_us = INT64_MAX, .series = UINT32_MAX }) };
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
