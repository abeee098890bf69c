/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mark.c - how far files have been read, and where a next process goes on.
 *
 * A file is known by its path, or by its inode if it was renamed, and is the same
 * one only if its first bytes are: numbers of inodes come again.  These are up to
 * 1 KiB of what had been read, of a compressed file of what it is.
 */
#include "observe/intake.h"

#include "mut.h"
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { FIRST = 1024 };

static uint64_t hash_first(struct nl_run *run, int fd, uint64_t n)
{
	char buf[FIRST];
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	ssize_t r = run->os->pread(fd, buf, n < FIRST ? (size_t)n : FIRST, 0);
	for (ssize_t i = 0; i < r; i++)
		h = (h ^ (unsigned char)buf[i]) * UINT64_C(0x100000001b3);
	return h;
}

static void find_path(struct nl_intake *in, struct nl_source *s)
{
	char link[40], path[4096];
	snprintf(link, sizeof link, "/proc/self/fd/%d", s->fd);
	long n = in->run->os->syscall(SYS_readlinkat, AT_FDCWD, (long)link, (long)path, sizeof path - 1, 0, 0);
	path[n > 0 ? n : 0] = '\0';
	free(s->path);
	s->path = strdup(n > 0 ? path : s->name);
}

static void forget(struct nl_intake *in, unsigned i)
{
	free(in->mark[i].path);
	in->mark[i] = in->mark[--in->nmarks];
}

static bool is_same(struct nl_intake *in, const struct nl_source *s, const struct nl_mark *m, uint64_t size)
{
	if (MUTANT(RESUMES_ANOTHER))
		return true;
	if (!s->packed && m->offset > size)
		return false;
	return m->seen == hash_first(in->run, s->fd, s->packed ? size : m->offset);
}

void nl_mark_resume(struct nl_intake *in, struct nl_source *s, uint64_t size)
{
	find_path(in, s);
	for (unsigned i = 0; s->path && i < in->nmarks; i++) {
		const struct nl_mark m = in->mark[i];
		bool here = !strcmp(m.path, s->path);
		if (!here && !(m.dev == s->dev && m.ino == s->ino))
			continue;
		if (is_same(in, s, &m, size)) {
			s->offset = m.offset;
			forget(in, i);
			return;
		}
		if (here) {
			nl_say(in->run, "%s: is not the file that was read before: it is read from its beginning", s->name);
			forget(in, i--);
		}
	}
}

void nl_mark_note(struct nl_intake *in, struct nl_source *s)
{
	struct stat st = { 0 };
	if (s->fd < 0)
		return;
	in->run->os->syscall(SYS_fstat, s->fd, (long)&st, 0, 0, 0, 0);
	s->seen = hash_first(in->run, s->fd, s->packed ? (uint64_t)st.st_size : s->offset - s->n);
}

static bool is_there(struct nl_run *run, const char *path)
{
	struct stat st;
	return run->os->syscall(SYS_newfstatat, AT_FDCWD, (long)path, (long)&st, 0, 0, 0) == 0;
}

/* Marks of files that were not read this time hold while they are there. */
struct nl_mark *nl_intake_marks(struct nl_intake *in, unsigned *n)
{
	unsigned most = in->nmarks;
	*n = 0;
	for (const struct nl_source *s = in->sources; s; s = s->next)
		most += s->kind == NL_SRC_FILE && s->path && !s->is_gone;
	struct nl_mark *mark = most ? calloc(most, sizeof *mark) : NULL;
	if (!mark) {
		*n = most ? 1 : 0;
		return NULL;
	}
	for (struct nl_source *s = in->sources; s; s = s->next) {
		if (s->kind != NL_SRC_FILE || !s->path || s->is_gone || (MUTANT(FORGETS_READ) && s->fd < 0))
			continue;
		if (s->fd >= 0 && !s->packed)
			nl_mark_note(in, s);
		mark[(*n)++] = (struct nl_mark){ s->path, s->dev, s->ino, MUTANT(SKIPS_TAIL) ? s->offset : s->offset - s->n, s->seen };
	}
	for (unsigned i = 0; i < in->nmarks; i++)
		if (is_there(in->run, in->mark[i].path))
			mark[(*n)++] = in->mark[i];
	return mark;
}
