/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file.c - regular files: read to their end, and then followed.
 *
 * A file that became shorter, or whose name belongs to another one, is said and
 * read from its beginning; what the old one still had is read first.
 */
#include "observe/intake.h"

#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool get_status(struct nl_run *run, int fd, struct stat *st)
{
	return run->os->syscall(SYS_fstat, fd, (long)st, 0, 0, 0, 0) == 0;
}

static void seek(struct nl_run *run, const struct nl_source *s)
{
	run->os->syscall(SYS_lseek, s->fd, (long)s->offset, SEEK_SET, 0, 0, 0);
}

/* The inode, not the name: that may be another's by now. */
static void watch(struct nl_intake *in, struct nl_source *s)
{
	char path[40];
	if (!in->follow || s->of)               // Its directory is watched.
		return;
	if (in->notify < 0)
		in->notify = (int)in->run->os->syscall(SYS_inotify_init1, IN_CLOEXEC | IN_NONBLOCK, 0, 0, 0, 0, 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", s->fd);
	s->watch = (int)in->run->os->syscall(SYS_inotify_add_watch, in->notify, (long)path,
	                                     IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF, 0, 0, 0);
}

/* A snapshot is no lines: what it knows is added, once. */
static int merge(struct nl_intake *in, struct nl_source *s, struct nl_err *err)
{
	struct nl_mark *mark = NULL;
	unsigned n = 0;
	if (in->from_us || in->to_us)
		return nl_fail(err, "%.120s: a snapshot knows of no single events, so not with --from, --to or asof", s->name);
	if (in->by_events)
		return nl_fail(err, "%.100s: a snapshot knows of no single events, which %s is about", s->name, in->by_events);
	struct nl_system *system = nl_system_load(s->name, &mark, &n, err);
	nl_source_shut(in, s);
	s->ended = true;
	if (!system)
		return -1;
	in->lines += nl_lines_of(system);
	int r = nl_system_merge(in->system, system);
	nl_system_free(system);
	while (n > 0)
		free(mark[--n].path);
	free(mark);
	return r < 0 ? nl_fail(err, "%.150s: out of memory", s->name) : 0;
}

static bool is_snapshot(struct nl_run *run, int fd)
{
	static const char head[] = "nl-snapshot ";
	char first[sizeof head - 1];
	return run->os->pread(fd, first, sizeof first, 0) == (ssize_t)sizeof first && !memcmp(first, head, sizeof first);
}

/* s->fd is open, at its beginning or where an earlier look was. */
static int begin(struct nl_intake *in, struct nl_source *s, struct nl_err *err)
{
	struct stat st;
	if (!get_status(in->run, s->fd, &st))
		return nl_fail(err, "cannot look at %.150s", s->name);
	if (is_snapshot(in->run, s->fd) && strcmp(s->name, "-"))
		return merge(in, s, err);
	bool known = s->path && s->dev == st.st_dev && s->ino == st.st_ino;
	s->dev = st.st_dev, s->ino = st.st_ino, s->look = true;
	s->packed = nl_packed_by(in->run, s->fd);
	if (!known) {
		long at = in->run->os->syscall(SYS_lseek, s->fd, 0, SEEK_CUR, 0, 0, 0);
		s->offset = at > 0 ? (uint64_t)at : 0;
		s->old = !s->is_old ? 0 : s->packed ? UINT64_MAX : (uint64_t)st.st_size;
		nl_mark_resume(in, s, (uint64_t)st.st_size);
	}
	if (s->packed)
		return nl_packed_start(in, s, err);
	seek(in->run, s);
	watch(in, s);
	return 0;
}

int nl_file_add(struct nl_intake *in, const char *path, int fd, struct nl_err *err)
{
	struct nl_source *s = nl_source_new(in, NL_SRC_FILE, fd, path, err);
	return s ? begin(in, s, err) : -1;
}

bool nl_file_is_current(const struct nl_source *s)
{
	return s->kind == NL_SRC_FILE && !s->ended && s->look;
}

static void give_up(struct nl_intake *in, struct nl_source *s, const char *what)
{
	nl_say(in->run, "%s", what);
	in->troubles++;
	nl_source_shut(in, s);
	s->ended = true;
}

/* A segment that is opened when its turn has come. */
static bool open_now(struct nl_intake *in, struct nl_source *s)
{
	struct nl_err err = { "" };
	s->fd = in->run->os->open(s->name, O_RDONLY | O_NONBLOCK, 0);
	if (s->fd == -ENOENT) {
		s->fd = -1, s->ended = s->is_gone = true;
		return false;
	}
	if (s->fd < 0)
		nl_fail(&err, "cannot open %.150s: %s", s->name, strerror(-s->fd));
	if (s->fd < 0 || begin(in, s, &err) < 0) {
		give_up(in, s, err.msg);
		return false;
	}
	return true;
}

/* In front of the newest segment nobody writes any more, or seldom. */
static bool is_newest(const struct nl_source *s)
{
	const struct nl_source *newest = s;
	for (const struct nl_source *o = s; o; o = o->next)
		if (o->of == s->of && strcmp(o->name, newest->name) > 0)
			newest = o;
	return newest == s;
}

static void at_end(struct nl_intake *in, struct nl_source *s)
{
	struct stat st = { .st_nlink = 1 };
	s->look = false;
	get_status(in->run, s->fd, &st);
	bool is_over = s->of && st.st_nlink == 0;
	if (s->packed || !in->follow || is_over) {
		if (!in->leave_tail || s->packed)
			nl_lines_end(in, s);
		s->ended = true, s->is_gone = is_over;
	}
	if (s->ended || (s->of && s->n == 0 && !is_newest(s))) {
		if (!s->packed)
			nl_mark_note(in, s);
		nl_source_shut(in, s);
	}
}

void nl_file_read(struct nl_intake *in, struct nl_source *s)
{
	char what[240];
	if (s->fd < 0 && !open_now(in, s))
		return;
	ssize_t n = nl_lines_read(in, s);
	if (n == 0)
		at_end(in, s);
	if (n >= 0 || n == -EINTR || n == -EAGAIN)
		return;
	snprintf(what, sizeof what, "%.150s: cannot be read on: %s", s->name, strerror((int)-n));
	nl_lines_end(in, s);
	give_up(in, s, what);
}

static void begin_again(struct nl_intake *in, struct nl_source *s, const char *why)
{
	nl_say(in->run, "%s: %s: it is read from its beginning", s->name, why);
	nl_lines_end(in, s);
	s->offset = s->old = 0, s->look = true;
	s->is_old = false;
}

/* Its name belongs to another file now, and the old one has been read. */
static void replace(struct nl_intake *in, struct nl_source *s)
{
	struct nl_err err = { "" };
	int fd = in->run->os->open(s->name, O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0)
		return;
	nl_source_shut(in, s);
	s->fd = fd;
	begin_again(in, s, "was replaced by another file");
	free(s->path);
	s->path = NULL;
	if (begin(in, s, &err) < 0)
		give_up(in, s, err.msg);
}

void nl_file_look(struct nl_intake *in, struct nl_source *s)
{
	struct stat st, named;
	if (s->fd < 0)                          // A segment that was read: it is opened again if there is more.
		s->look |= in->run->os->syscall(SYS_newfstatat, AT_FDCWD, (long)s->name, (long)&st, 0, 0, 0) == 0 && (uint64_t)st.st_size > s->offset;
	if (s->fd < 0 || !get_status(in->run, s->fd, &st))
		return;
	if ((uint64_t)st.st_size < s->offset) {
		begin_again(in, s, "was truncated");
		seek(in->run, s);
		return;
	}
	s->look |= (uint64_t)st.st_size > s->offset || st.st_nlink == 0;
	if (s->look || s->of || !strcmp(s->name, "-"))
		return;
	if (in->run->os->syscall(SYS_newfstatat, AT_FDCWD, (long)s->name, (long)&named, 0, 0, 0) == 0
	    && S_ISREG(named.st_mode) && (named.st_dev != st.st_dev || named.st_ino != st.st_ino))
		replace(in, s);
}
