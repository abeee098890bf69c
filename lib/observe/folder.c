/* SPDX-License-Identifier: Apache-2.0 */
/*
 * folder.c - a directory of segments, each named by its hour: *.ndjson, also with
 * the ending of a compressor.  The order of their names is that of time.
 */
#include "observe/intake.h"

#include "os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static bool is_segment(const char *name)
{
	const char *end = strstr(name, ".ndjson");
	return *name != '.' && end && (!end[7] || (end[7] == '.' && !strchr(end + 8, '.')));
}

static struct nl_source *segment_of(struct nl_intake *in, const struct nl_source *folder, const char *name)
{
	size_t n = strlen(folder->name);
	for (struct nl_source *s = in->sources; s; s = s->next)
		if (s->of == folder && s->kind == NL_SRC_FILE && !strcmp(s->name + n + 1, name))
			return s;
	return NULL;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int wanted(const struct dirent *d)
{
	return is_segment(d->d_name);
}

static void add(struct nl_intake *in, struct nl_source *folder, const char *name)
{
	char path[4096];
	struct nl_err err;
	struct nl_source *s = segment_of(in, folder, name);
	if (s) {
		nl_file_look(in, s);
		return;
	}
	if ((size_t)snprintf(path, sizeof path, "%s/%s", folder->name, name) >= sizeof path)
		return;
	s = nl_source_new(in, NL_SRC_FILE, -1, path, &err);
	if (s)
		s->of = folder, s->look = true;
	else
		in->troubles++;
}

/* First watched, then read: nothing comes in between.  0, -errno. */
static int scan(struct nl_intake *in, struct nl_source *folder)
{
	struct dirent **list;
	if (in->follow) {
		if (in->notify < 0)
			in->notify = (int)in->run->os->syscall(SYS_inotify_init1, IN_CLOEXEC | IN_NONBLOCK, 0, 0, 0, 0, 0);
		folder->watch = (int)in->run->os->syscall(SYS_inotify_add_watch, in->notify, (long)folder->name,
		                                          IN_CREATE | IN_MOVED_TO | IN_MODIFY | IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR, 0, 0, 0);
	}
	int n = scandir(folder->name, &list, wanted, by_name);
	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		add(in, folder, list[i]->d_name);
		free(list[i]);
	}
	free(list);
	return 0;
}

int nl_folder_add(struct nl_intake *in, const char *path, struct nl_err *err)
{
	struct stat st = { 0 };
	size_t n = strlen(path);
	struct nl_source *s = nl_source_new(in, NL_SRC_DIR, -1, path, err);
	if (!s)
		return -1;
	while (n > 1 && s->name[n - 1] == '/')
		s->name[--n] = '\0';
	s->ended = !in->follow;
	in->run->os->syscall(SYS_newfstatat, AT_FDCWD, (long)path, (long)&st, 0, 0, 0);
	s->dev = st.st_dev, s->ino = st.st_ino;
	int r = scan(in, s);
	return r < 0 ? nl_fail(err, "cannot read %.150s: %s", path, strerror(-r)) : 0;
}

/* Another directory has its name now, or nobody tells us of changes. */
void nl_folder_look(struct nl_intake *in, struct nl_source *folder)
{
	struct stat st;
	if (in->run->os->syscall(SYS_newfstatat, AT_FDCWD, (long)folder->name, (long)&st, 0, 0, 0) < 0)
		return;
	if (folder->watch >= 0 && st.st_dev == folder->dev && st.st_ino == folder->ino)
		return;
	folder->dev = st.st_dev, folder->ino = st.st_ino;
	scan(in, folder);
}

static void notified(struct nl_intake *in, const struct inotify_event *e)
{
	for (struct nl_source *s = in->sources; s; s = s->next) {
		if (e->mask & IN_Q_OVERFLOW) {
			if (s->kind == NL_SRC_DIR)
				scan(in, s);
			else if (s->kind == NL_SRC_FILE && !s->ended && !s->packed)
				nl_file_look(in, s);
		} else if (s->watch == e->wd && s->kind == NL_SRC_FILE) {
			nl_file_look(in, s);
		} else if (s->watch == e->wd && s->kind == NL_SRC_DIR && e->len && is_segment(e->name)) {
			struct nl_source *of = segment_of(in, s, e->name);
			if (!(e->mask & (IN_DELETE | IN_MOVED_FROM)))
				add(in, s, e->name);
			else if (of && of->fd >= 0)
				of->look = true;        // What it still has is read, then it ends.
			else if (of)
				of->ended = of->is_gone = true;
		}
	}
}

void nl_notified(struct nl_intake *in)
{
	_Alignas(struct inotify_event) char buf[16384];
	ssize_t n = in->run->os->read(in->notify, buf, sizeof buf);
	for (ssize_t at = 0; at < n; ) {
		const struct inotify_event *e = (const void *)(buf + at);
		notified(in, e);
		at += (ssize_t)(sizeof *e + e->len);
	}
}
