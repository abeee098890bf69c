/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sinkspec.c - reads "A + B | C@warn" into a tree of places.
 *
 * Left-associative, + binds tighter, parentheses group.  What is no word of ours
 * and has a slash is the name of a file.
 */
#include "sink.h"

#include "event.h"
#include "mut.h"

#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 8, LINES = 10000, LINES_MAX = 1000000 };

struct reader { const char *at; unsigned depth, places; enum nl_sink_use use; struct nl_err *err; };

/* A word that ends in a colon has something behind it. */
static const struct word { const char *text; enum nl_sink_type type; enum nl_sink_use use; } words[] = {
	{ "off", NL_SINK_OFF, NL_EMIT }, { "null", NL_SINK_OFF, NL_EMIT }, { "0", NL_SINK_OFF, NL_EMIT },
	{ "stderr", NL_SINK_FD, NL_EMIT }, { "fd:", NL_SINK_FD, NL_EMIT },
	{ "human", NL_SINK_HUMAN, NL_EMIT }, { "log", NL_SINK_HUMAN, NL_EMIT },
	{ "fifo:", NL_SINK_FIFO, NL_EMIT }, { "unix:", NL_SINK_UNIX, NL_EMIT },
	{ "log:", NL_SINK_SYSLOG, NL_DELIVER }, { "memory", NL_SINK_MEMORY, NL_DELIVER },
	{ "memory:", NL_SINK_MEMORY, NL_DELIVER }, { "stream:", NL_SINK_STREAM, NL_DELIVER },
};

static const struct word *word_of(const char *text)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		size_t n = strlen(words[i].text);
		if (words[i].text[n - 1] == ':' ? !strncmp(text, words[i].text, n) : !strcmp(text, words[i].text))
			return &words[i];
	}
	return NULL;
}

static bool read_number(const char **text, unsigned long long most, unsigned long long *n)
{
	char *end;
	if (**text < '0' || **text > '9')
		return false;
	*n = strtoull(*text, &end, 10);
	*text = end;
	return *n <= most;
}

/* N or N,DEV:INO */
static bool read_fd(const char *text, struct nl_sink *s)
{
	unsigned long long fd = 0, dev = 0, ino = 0;
	if (!read_number(&text, 1 << 20, &fd))
		return false;
	if (*text == ',') {
		text++;
		if (!read_number(&text, UINT64_MAX, &dev) || *text++ != ':' || !read_number(&text, UINT64_MAX, &ino))
			return false;
	}
	s->fd = (int)fd, s->dev = dev, s->ino = ino;
	return *text == '\0';
}

static bool read_lines(const char *text, struct nl_sink *s)
{
	unsigned long long n;
	if (!read_number(&text, LINES_MAX, &n))
		return false;
	s->lines = (unsigned)n;
	return *text == '\0' && n > 0;
}

static bool is_socket(enum nl_sink_type t)
{
	return t == NL_SINK_UNIX || t == NL_SINK_STREAM || t == NL_SINK_SYSLOG;
}

/* What stands behind a word, if that ends in a colon. */
static bool read_rest(const struct word *w, struct nl_sink *s)
{
	static const char dev_log[] = "/dev/log";
	size_t n = strlen(w->text);
	const char *rest = s->text + n;
	s->lines = LINES;
	if (w->text[n - 1] != ':')
		return true;
	switch (s->type) {
	case NL_SINK_FD:
		return read_fd(rest, s);
	case NL_SINK_MEMORY:
		return read_lines(rest, s);
	case NL_SINK_SYSLOG:
		s->path = !strcmp(rest, "syslog") ? dev_log : rest;
		return strchr(s->path, '/');
	case NL_SINK_FIFO: case NL_SINK_UNIX: case NL_SINK_STREAM:
		s->path = rest;
		return *rest;
	default:
		return true;
	}
}

/* A file's name, or a directory's when it ends in a slash. */
static bool read_name(struct nl_sink *s)
{
	size_t n = strlen(s->text);
	s->type = NL_SINK_FILE;
	if (n > 1 && s->text[n - 1] == '/')
		s->type = NL_SINK_DIR, s->text[n - 1] = '\0';
	s->path = s->text;
	return strchr(s->text, '/') || s->type == NL_SINK_DIR;
}

/* Takes @LEVEL off; without one it is what is usual.  0: there is no such level. */
static int take_level(char *text, int usual)
{
	static const struct { const char *name; int level; } levels[] = { { "debug", NL_DEBUG }, { "info", NL_INFO }, { "warn", NL_WARN } };
	char *at = strrchr(text, '@');
	if (!at || strchr(at, '/'))
		return usual;
	for (unsigned i = 0; i < 3; i++) {
		if (!strcmp(at + 1, levels[i].name)) {
			*at = '\0';
			return levels[i].level;
		}
	}
	return 0;
}

static const char *known(enum nl_sink_use use)
{
	return use == NL_EMIT ? "off, stderr, human, fd:N, fifo:/path, unix:/path, /file, /directory/"
	                      : "null, log, log:syslog, stderr, fd:N, memory:N, stream:/path, fifo:/path, unix:/path, ./file, ./directory/";
}

static int read_place(struct reader *r, struct nl_sink *s)
{
	s->level = take_level(s->text, r->use == NL_DELIVER && !MUTANT(DELIVERS_SOME) ? NL_DEBUG : NL_INFO);
	if (!s->level)
		return nl_fail(r->err, "'%.60s': unknown level (debug, info, warn)", strrchr(s->text, '@'));
	const struct word *w = word_of(s->text);
	if (w && w->use == NL_DELIVER && r->use == NL_EMIT)
		return nl_fail(r->err, "'%.60s': unknown sink here: only nl-sink has it", s->text);
	s->type = w ? w->type : NL_SINK_FILE;
	s->fd = s->type == NL_SINK_FD ? 2 : -1;
	if (!(w ? read_rest(w, s) : read_name(s)))
		return nl_fail(r->err, "'%.60s': unknown sink (%s)", s->text, known(r->use));
	if (is_socket(s->type) && strlen(s->path) > NL_UNIX_PATH)
		return nl_fail(r->err, "'%.60s...': a socket's name has at most %d bytes", s->text, NL_UNIX_PATH);
	return 0;
}

static struct nl_sink *new_sink(struct reader *r, enum nl_sink_type type)
{
	struct nl_sink *s = calloc(1, sizeof *s);
	if (s)
		s->type = type, s->fd = -1;
	else
		nl_fail(r->err, "out of memory");
	return s;
}

static struct nl_sink *place(struct reader *r)
{
	size_t all = strcspn(r->at, r->depth ? "+|)" : "+|"), n = all;
	while (n > 0 && r->at[n - 1] == ' ')
		n--;
	if (++r->places > NL_PLACES) {
		nl_fail(r->err, "more than %d places", NL_PLACES);
		return NULL;
	}
	struct nl_sink *s = new_sink(r, NL_SINK_FILE);
	if (s && !(s->text = strndup(r->at, n)))
		nl_fail(r->err, "out of memory");
	else if (s && read_place(r, s) == 0) {
		r->at += all;
		return s;
	}
	nl_sink_free(s);
	return NULL;
}

static struct nl_sink *chain(struct reader *r, char op);

static struct nl_sink *one(struct reader *r)
{
	r->at += strspn(r->at, " ");
	if (*r->at != '(')
		return place(r);
	if (++r->depth > DEEPEST) {
		nl_fail(r->err, "'%.60s': nested too deep", r->at);
		return NULL;
	}
	r->at++;
	struct nl_sink *s = chain(r, '|');
	if (!s)
		return NULL;
	if (*r->at != ')') {
		nl_fail(r->err, "missing )");
		nl_sink_free(s);
		return NULL;
	}
	r->depth--;
	r->at++;
	r->at += strspn(r->at, " ");
	return s;
}

static struct nl_sink *chain(struct reader *r, char op)
{
	struct nl_sink *first = op == '|' ? chain(r, '+') : one(r);
	while (first && *r->at == op) {
		struct nl_sink *s = new_sink(r, op == '|' ? NL_SINK_ELSE : NL_SINK_BOTH);
		r->at++;
		if (s)
			s->a = first, s->b = op == '|' ? chain(r, '+') : one(r);
		if (!s || !s->b) {
			nl_sink_free(s ? s : first);
			return NULL;
		}
		first = s;
	}
	return first;
}

struct nl_sink *nl_sink_parse(const char *spec, enum nl_sink_use use, struct nl_err *err)
{
	struct reader r = { .at = spec, .use = use, .err = err };
	struct nl_sink *s = chain(&r, '|');
	if (!s || !*r.at)
		return s;
	nl_fail(err, "'%.60s': unknown operator (+ or |)", r.at);
	nl_sink_free(s);
	return NULL;
}
