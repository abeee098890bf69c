/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policies.c - files of named expressions, read into one list.  Expressions
 * are not looked at here: a file may have one that is wrong as long as nobody
 * asks for it.
 */
#include "policies.h"

#include "parse.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef NL_PREFIX
#define NL_PREFIX "/usr/local"
#endif

static const char presets[] = "share/ninelives/policies";

struct source { const char *file; const char *text; size_t n; struct source *next; };

struct nl_policies {
	struct nl_arena mem;
	const struct nl_named *first;
	const struct nl_named **last;
	struct source *sources;
};

struct nl_policies *nl_policies_new(void)
{
	struct nl_policies *all = calloc(1, sizeof *all);
	if (all) {
		all->mem.most = (size_t)32 << 20;
		all->last = &all->first;
	}
	return all;
}

void nl_policies_free(struct nl_policies *all)
{
	if (!all)
		return;
	nl_arena_free(&all->mem);
	free(all);
}

const struct nl_named *nl_policies_first(const struct nl_policies *all)
{
	return all ? all->first : NULL;
}

const struct nl_named *nl_policies_find(const struct nl_policies *all, const char *name, size_t len)
{
	const struct nl_named *i = nl_policies_first(all);
	while (i && (strncmp(i->name, name, len) != 0 || i->name[len]))
		i = i->next;
	return i;
}

void nl_policies_near(const struct nl_policies *all, struct nl_near *near)
{
	for (const struct nl_named *i = nl_policies_first(all); i; i = i->next)
		nl_near_try(near, i->name, strlen(i->name));
}

const char *nl_policies_source(const struct nl_policies *all, const char *file, size_t *n)
{
	for (const struct source *s = all ? all->sources : NULL; s; s = s->next)
		if (s->file == file || !strcmp(s->file, file))
			return *n = s->n, s->text;
	return NULL;
}

/* A file being read. */
struct reading {
	struct nl_policies *all;
	struct source *source;
	const struct nl_named *before;         /* the last one of the files before; NULL: none */
	struct nl_err *err;
	struct nl_spot *where;
};

static int wrong(struct reading *r, unsigned line, size_t col)
{
	*r->where = (struct nl_spot){ r->source->file, line, (unsigned)col + 1 };
	return -1;
}

/* Its line in this file, 0: there is none of this name yet. */
static unsigned line_of(const struct reading *r, const char *name)
{
	const struct nl_named *i = r->before ? r->before->next : r->all->first;
	while (i && strcmp(i->name, name) != 0)
		i = i->next;
	return i ? i->number : 0;
}

/* The end of a line, and of those that it goes on in: *lines more. */
static const char *line_end(const char *p, const char *end, unsigned *lines)
{
	for (*lines = 0; p < end && *p != '\n'; p++) {
		if (*p == '\\' && end - p > 1 && p[1] == '\n') {
			++*lines;
			p++;
		}
	}
	return p;
}

static int add(struct reading *r, const char *line, const char *end, unsigned number)
{
	const char *p = line + strspn(line, " \t"), *name;
	size_t at = (size_t)(p - line), len = strcspn(p, " \t\r\n=#");
	struct nl_err why;
	char *copy = nl_arena_text(&r->all->mem, p, len);
	struct nl_named *policy = nl_arena_get(&r->all->mem, sizeof *policy);
	if (!copy || !policy)
		return nl_fail(r->err, "out of memory"), wrong(r, number, at);
	const char *equals = p + len + strspn(p + len, " \t");
	if (equals >= end || *equals != '=')
		return nl_fail(r->err, "'%.48s': not NAME = EXPR: = is missing behind the name", copy), wrong(r, number, (size_t)(equals - line));
	if (nl_parse_name(copy, &name, &why))
		return nl_fail(r->err, "NAME: '%.64s': %.120s", copy, why.msg), wrong(r, number, at);
	unsigned other = line_of(r, copy);
	if (other)
		return nl_fail(r->err, "%s: is there already, in line %u", copy, other), wrong(r, number, at);
	*policy = (struct nl_named){ .name = copy, .file = r->source->file, .line = line, .text = equals + 1,
	                              .len = (size_t)(end - equals - 1), .number = number };
	*r->all->last = policy;
	r->all->last = (const struct nl_named **)&policy->next;
	return 0;
}

static int read_source(struct reading *r)
{
	const char *end = r->source->text + r->source->n;
	unsigned number = 1, more;
	for (const char *line = r->source->text, *stop; line < end; line = stop + (stop < end), number += more + 1) {
		const char *p = line + strspn(line, " \t\r");
		stop = line_end(line, end, &more);
		if (p < stop && *p == '#') {
			stop = line + strcspn(line, "\n");      // A comment does not go on.
			more = 0;
		} else if (p < stop && add(r, line, stop, number)) {
			return -1;
		}
	}
	return 0;
}

int nl_policies_text(struct nl_policies *all, const char *file, const char *text, size_t n, struct nl_err *err, struct nl_spot *where)
{
	struct reading r = { .all = all, .err = err, .where = where };
	*where = (struct nl_spot){ file, 1, 1 };
	for (const struct nl_named *i = all->first; i; i = i->next)
		r.before = i;
	r.source = nl_arena_get(&all->mem, sizeof *r.source);
	char *name = nl_arena_text(&all->mem, file, strlen(file)), *copy = nl_arena_text(&all->mem, text, n);
	if (!r.source || !name || !copy)
		return nl_fail(err, "out of memory");
	const char *nul = memchr(copy, '\0', n);
	*r.source = (struct source){ name, copy, n, all->sources };
	all->sources = r.source;
	where->file = name;
	return nul ? nl_fail(err, "not text: it has a byte 0") : read_source(&r);
}

int nl_policies_read(struct nl_policies *all, const char *file, struct nl_err *err, struct nl_spot *where)
{
	int r = -1, fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	char *text = NULL;
	size_t n = 0;
	ssize_t got = 0;
	*where = (struct nl_spot){ file, 0, 0 };
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : nl_fail(err, "%s", strerror(errno));
	if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode)) {
		nl_fail(err, "not a file");
		goto out;
	}
	text = malloc(NL_POLICIES_LONGEST + 1);
	if (!text) {
		nl_fail(err, "out of memory");
		goto out;
	}
	while (n <= NL_POLICIES_LONGEST && ((got = read(fd, text + n, NL_POLICIES_LONGEST + 1 - n)) > 0 || (got < 0 && errno == EINTR)))
		n += got > 0 ? (size_t)got : 0;
	if (got < 0)
		nl_fail(err, "%s", strerror(errno));
	else if (n > NL_POLICIES_LONGEST)
		nl_fail(err, "larger than %d bytes", NL_POLICIES_LONGEST);
	else
		r = nl_policies_text(all, file, text, n, err, where) < 0 ? -1 : 1;
out:
	free(text);
	close(fd);
	return r;
}

/* DIR/SUFFIX: is it a path? */
static bool join(char path[NL_POLICIES_PATH], const char *dir, const char *suffix)
{
	return dir && *dir == '/' && (size_t)snprintf(path, NL_POLICIES_PATH, "%s/%s", dir, suffix) < NL_POLICIES_PATH;
}

/* Beside the program, PREFIX/bin and PREFIX/share, else where it is usual. */
static bool find_presets(char path[NL_POLICIES_PATH])
{
	char dir[NL_POLICIES_PATH];
	ssize_t n = readlink("/proc/self/exe", dir, sizeof dir - 1);
	char *slash = NULL;
	for (int i = 0; i < 2 && n > 0; i++) {
		dir[n] = '\0';
		slash = strrchr(dir, '/');
		n = slash ? slash - dir : 0;
		dir[n] = '\0';
	}
	if (n > 0 && join(path, dir, presets) && access(path, F_OK) == 0)
		return true;
	return join(path, NL_PREFIX, presets);
}

bool nl_policies_named(const char **file)
{
	if (!*file || !**file)
		*file = getenv("NL_POLICIES");
	return *file && **file;
}

unsigned nl_policies_paths(const char *file, char path[NL_POLICIES_FILES][NL_POLICIES_PATH])
{
	const char *config = getenv("XDG_CONFIG_HOME");
	bool theirs = config && *config == '/';
	unsigned n = 0;
	if (nl_policies_named(&file)) {
		snprintf(path[n++], NL_POLICIES_PATH, "%s", file);
	} else {
		n += join(path[n], theirs ? config : getenv("HOME"), theirs ? "ninelives/policies" : ".config/ninelives/policies");
		n += join(path[n], "/etc", "ninelives/policies");
	}
	return n + find_presets(path[n]);
}

int nl_policies_usual(struct nl_policies *all, const char *file, struct nl_err *err, struct nl_spot *where)
{
	char path[NL_POLICIES_FILES][NL_POLICIES_PATH];
	unsigned n = nl_policies_paths(file, path);
	bool must = nl_policies_named(&file);
	for (unsigned i = 0; i < n; i++, must = false) {
		int r = nl_policies_read(all, path[i], err, where);
		if (r == 0 && must)
			r = nl_fail(err, "%s", strerror(ENOENT));
		if (r < 0 && where->line == 0) {
			char *name = nl_arena_text(&all->mem, path[i], strlen(path[i]));
			where->file = name ? name : presets;
		}
		if (r < 0)
			return -1;
	}
	return 0;
}
