/* SPDX-License-Identifier: Apache-2.0 */
/*
 * line.c - bytes into lines, lines into facts; what is no event to stderr.
 *
 * Lines are read where they are: only what has no end yet is copied, once for
 * each read.  All sources share one buffer, in front of which there is room for
 * that.
 */
#include "observe/intake.h"

#include "io.h"
#include "observe/shape.h"
#include "mut.h"
#include "os.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t nl_lines_of(const struct nl_system *system)
{
	const uint64_t *lines = nl_system_lines(system);
	uint64_t n = 0;
	for (unsigned i = 0; i < NL_LINES; i++)
		n += lines[i];
	return n;
}

/* Bytes for stderr.  Those that follow each other are written at once. */
static void write_out(struct nl_intake *in)
{
	int error = 0;
	if (in->tee_to > in->tee_from && !in->error) {
		nl_put(in->run, in->q, nl_chain(in->run, in->q, 1), in->tee_from, (size_t)(in->tee_to - in->tee_from), &error);
		in->error = error;
	}
	in->tee_from = in->tee_to = NULL;
}

static void pass(struct nl_intake *in, const char *from, const char *to)
{
	if (!in->tee || to <= from)
		return;
	if (from != in->tee_to) {
		write_out(in);
		in->tee_from = from;
	}
	in->tee_to = to;
}

/* What of a line is not the event: before it, and behind it where more than blanks is
 * there.  An event that others have wrapped is the whole line. */
static void pass_around(struct nl_intake *in, const struct nl_fact *f, const char *text, const char *from, const char *end, const char *next)
{
	const char *behind = f->line.s + f->line.n;
	if (f->line.s < text || f->line.s >= end)
		return;
	if (!MUTANT(TEE_EATS))
		pass(in, from, f->line.s);
	while (behind < end && (*behind == ' ' || *behind == '\t' || *behind == '\r'))
		behind++;
	if (behind < end)
		pass(in, f->line.s + f->line.n, next);
}

/* A line that was read and not yet taken: from text to end.  next is behind its
 * newline, if it has one; what is before from was passed on. */
struct pending { struct nl_fact f; struct nl_known place; enum nl_line what; const char *text, *from, *end, *next; };

/* What the system knows of a run is seldom in the cache.  So a line is taken when
 * some more have been read, and by then it has come. */
enum { AHEAD = 8 };
struct nl_ahead { struct pending line[AHEAD]; unsigned n; };

struct nl_ahead *nl_ahead_new(void)
{
	return calloc(1, sizeof(struct nl_ahead));
}

/* Of another time than is asked about.  That an earlier line was read is known all
 * the same: it is not lost. */
static bool is_outside(struct nl_intake *in, const struct nl_fact *f)
{
	if (f->time_us < in->from_us)
		nl_system_pass(in->system, f);
	return f->time_us < in->from_us || (in->to_us && f->time_us > in->to_us);
}

static void take(struct nl_intake *in, const struct nl_source *s, struct pending *p)
{
	bool event = p->what == NL_LINE_OK;
	if (event && is_outside(in, &p->f)) {
		pass_around(in, &p->f, p->text, p->from, p->end, p->next);
		return;
	}
	if (event)
		p->what = nl_system_take_at(in->system, &p->f, s->live ? in->real_us : 0, p->place);
	else
		nl_system_line(in->system, p->what);
	in->lines++;
	if (event)
		pass_around(in, &p->f, p->text, p->from, p->end, p->next);
	else
		pass(in, p->from, p->next);
	for (struct nl_listener *l = in->listeners; l; l = l->next)
		l->line(l, p->what, event ? &p->f : NULL, p->text, (size_t)(p->end - p->text));
}

static void take_all(struct nl_intake *in, const struct nl_source *s)
{
	if (in->live_late_us)
		nl_system_late(in->system, s->is_old && !MUTANT(OLD_IS_LATE) ? INT64_MAX : in->live_late_us);
	for (unsigned i = 0; i < in->ahead->n; i++)
		take(in, s, &in->ahead->line[i]);
	in->ahead->n = 0;
}

/* The next line, if there is nothing in it but an event of a known shape, as in nearly
 * all.  Where its newline is; NULL: it has to be looked for. */
static char *read_event(struct nl_intake *in, struct nl_source *s, const char *text, const char *end)
{
	struct pending *p = &in->ahead->line[in->ahead->n];
	const char *newline = s->teed || s->is_long ? NULL : nl_shapes_line(in->shapes, &p->f, text, end);
	if (!newline)
		return NULL;
	p->text = p->from = text, p->end = newline, p->next = newline + 1, p->what = NL_LINE_OK;
	p->place = nl_system_ahead(in->system, &p->f);
	if (++in->ahead->n == AHEAD)
		take_all(in, s);
	return (char *)newline;
}

/* Another one, from text to end. */
static void read_line(struct nl_intake *in, struct nl_source *s, const char *text, const char *end, const char *next)
{
	struct pending *p = &in->ahead->line[in->ahead->n++];
	const char *from = text + s->teed;
	bool is_long = s->is_long;
	s->teed = 0, s->is_long = false;
	if (end - text > NL_SOURCE_LINE || (is_long && end - text > NL_SOURCE_TAIL)) {
		is_long = true;
		if (from < end - NL_SOURCE_TAIL) {
			in->ahead->n--;         // Those before it first.
			take_all(in, s);
			p = &in->ahead->line[in->ahead->n++];
			pass(in, from, end - NL_SOURCE_TAIL);
			from = end - NL_SOURCE_TAIL;
		}
		text = end - NL_SOURCE_TAIL;
	}
	p->text = text, p->from = from, p->end = end, p->next = next;
	p->what = nl_shapes_read(in->shapes, &p->f, text, (size_t)(end - text), in->room);
	if (p->what == NL_LINE_OK)
		p->place = nl_system_ahead(in->system, &p->f);
	else if (is_long)
		p->what = NL_LINE_TOO_LONG;
	if (in->ahead->n == AHEAD || (p->what == NL_LINE_OK && p->f.line.s == in->room))
		take_all(in, s);                // The room is wanted again.
}

/* What is kept may be the beginning of an event, or of a line that others have
 * wrapped around one: what comes before may go to stderr at once. */
static const char *may_begin(const char *text, const char *end)
{
	static const char mark[] = "{\"nl\":";
	for (const char *p = text; (p = memchr(p, '{', (size_t)(end - p))); p++) {
		size_t n = (size_t)(end - p) < sizeof mark - 1 ? (size_t)(end - p) : sizeof mark - 1;
		if (!memcmp(p, mark, n))
			return p;
	}
	return end;
}

static void keep(struct nl_intake *in, struct nl_source *s, const char *text, const char *end)
{
	if (end - text > NL_SOURCE_LINE) {
		const char *cut = end - NL_SOURCE_TAIL;
		pass(in, text + s->teed, cut);
		s->teed = cut - text < (ptrdiff_t)s->teed ? s->teed - (size_t)(cut - text) : 0;
		s->is_long = true;
		text = cut;
	}
	if (in->tee && (s->is_long || (text < end && *text != '{'))) {
		const char *to = may_begin(text + s->teed, end);
		pass(in, text + s->teed, to);
		s->teed = (size_t)(to - text);
	}
	write_out(in);                  // The buffer is used again.
	size_t n = (size_t)(end - text);
	if (n > s->room) {
		char *more = realloc(s->kept, (n < 4096 ? 4096 : NL_SOURCE_LINE) + NL_SHAPE_PAD);
		if (!more) {                    // Without memory its beginning is lost, and it is a torn line.
			n = 0, s->teed = 0;
		} else {
			s->kept = more, s->room = n < 4096 ? 4096 : NL_SOURCE_LINE;
		}
	}
	if (n)
		memmove(s->kept, text, n);
	s->n = n;
}

void nl_lines(struct nl_intake *in, struct nl_source *s, char *text, size_t n)
{
	char *end = text + n, *from = text + s->n, *newline;
	assert(s->n <= n);
	if (s->live)
		in->real_us = in->run->os->clock(CLOCK_REALTIME) / NL_US;
	*end = '\n';                    // As shapes want it; it is no line's.
	for (; text < end; text = from = newline + 1) {
		newline = read_event(in, s, text, end);
		if (newline)
			continue;
		newline = memchr(from, '\n', (size_t)(end - from));
		if (!newline)
			break;
		read_line(in, s, text, newline, newline + 1);
	}
	take_all(in, s);
	keep(in, s, text, end);
}

void nl_lines_end(struct nl_intake *in, struct nl_source *s)
{
	size_t n = s->n;
	s->n = 0;
	if (n) {
		s->kept[n] = '\n';
		read_line(in, s, s->kept, s->kept + n, s->kept + n);
		take_all(in, s);
	}
	write_out(in);
	free(s->kept);
	s->kept = NULL, s->room = 0;
}

ssize_t nl_lines_read(struct nl_intake *in, struct nl_source *s)
{
	char *at = in->buffer + NL_SOURCE_LINE;
	uint64_t old = s->offset < s->old ? s->old - s->offset : 0;
	ssize_t n = in->run->os->read(s->fd, at, old && old < NL_READ ? (size_t)old : NL_READ);
	if (n <= 0)
		return n;
	s->is_old = old > 0;
	size_t skip = s->skip < (uint64_t)n ? (size_t)s->skip : (size_t)n;
	s->skip -= skip;
	s->offset += (uint64_t)n;
	at += skip;
	if (skip == (size_t)n)
		return n;
	if (s->n)
		memcpy(at - s->n, s->kept, s->n);
	nl_lines(in, s, at - s->n, (size_t)n - skip + s->n);
	return n;
}
