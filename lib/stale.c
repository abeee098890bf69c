/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stale.c - the last good output, kept and found again.
 *
 * A new answer is a file without a name until it is whole; then it takes the
 * old one's place by rename.  What is not our own plain file is not served.
 */
#include "stale.h"

#include "parse.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

int nl_stale_parse(const char *text, struct nl_stale_ref *out, struct nl_err *err)
{
	const char *colon = strchr(text, ':');
	char age[40];
	if (!colon || (size_t)(colon - text) >= sizeof age)
		return nl_fail(err, "not DURATION:KEY");
	memcpy(age, text, (size_t)(colon - text));
	age[colon - text] = '\0';
	if (nl_parse_time(age, &out->age, err) < 0 || nl_parse_name(colon + 1, &out->key, err) < 0)
		return -1;
	return 0;
}

/* The directory that holds answers; 0, -errno. */
static int cache_dir(struct nl_run *run, char path[PATH_MAX])
{
	unsigned euid = (unsigned)run->os->syscall(SYS_geteuid, 0, 0, 0, 0, 0, 0);
	const char *xdg = nl_getenv(run, "XDG_CACHE_HOME");
	const struct passwd *pw = xdg && *xdg == '/' ? NULL : getpwuid(euid);
	int n;
	if (xdg && *xdg == '/')
		n = snprintf(path, PATH_MAX, "%s/ninelives", xdg);
	else if (pw && pw->pw_dir && *pw->pw_dir == '/')
		n = snprintf(path, PATH_MAX, "%s/.cache/ninelives", pw->pw_dir);
	else
		return -ENOENT;
	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int open_dir(struct nl_run *run, bool make)
{
	char path[PATH_MAX];
	const int how = O_PATH | O_DIRECTORY | O_CLOEXEC;
	int r = cache_dir(run, path);
	if (r < 0)
		return r;
	r = run->os->open(path, how, 0);
	if (r != -ENOENT || !make)
		return r;
	for (char *p = path + 1; ; p++) {
		char was = *p;
		if (was != '/' && was != '\0')
			continue;
		*p = '\0';
		run->os->syscall(SYS_mkdirat, AT_FDCWD, (long)path, 0700, 0, 0, 0);     // What fails here fails to open.
		*p = was;
		if (was == '\0')
			break;
	}
	return run->os->open(path, how, 0);
}

static int open_at(struct nl_run *run, int dir, const char *name, int flags)
{
	return (int)run->os->syscall(SYS_openat, dir, (long)name, flags | O_CLOEXEC | O_NOFOLLOW, 0600, 0, 0);
}

/* Ours, plain, and nobody else could have written it. */
static const char *distrust(struct nl_run *run, const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "not a plain file";
	if (st->st_uid != (unsigned)run->os->syscall(SYS_geteuid, 0, 0, 0, 0, 0, 0))
		return "belongs to another user";
	return st->st_mode & 022 ? "others may write it" : NULL;
}

int nl_stale_open(struct nl_run *run, const struct nl_stale_ref *ref, struct nl_stale *s)
{
	struct stat st;
	*s = (struct nl_stale){ .spool = NL_SPOOL_NONE };
	int dir = open_dir(run, false);
	int fd = dir < 0 ? dir : open_at(run, dir, ref->key, O_RDONLY | O_NONBLOCK);
	if (dir >= 0)
		run->os->close(dir);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return nl_fail(&s->err, "%.64s: %s", ref->key, strerror(-fd));
	int r = (int)run->os->syscall(SYS_fstat, fd, (long)&st, 0, 0, 0, 0);
	const char *why = r < 0 ? strerror(-r) : distrust(run, &st);
	if (!why) {
		nl_time good = (nl_time)st.st_mtim.tv_sec * NL_SEC + st.st_mtim.tv_nsec;
		s->age = run->os->clock(CLOCK_REALTIME) - good;
		if (s->age < -NL_SEC)           // Of a time to come: nobody knows how old it is.
			why = "its time lies ahead: the clock was changed";
		s->age = s->age < 0 ? 0 : s->age;
	}
	if (!why && (ref->age == 0 || s->age <= ref->age)) {
		s->spool.fd = fd, s->spool.len = st.st_size;
		return 1;
	}
	run->os->close(fd);
	return why ? nl_fail(&s->err, "%.64s: %s", ref->key, why) : 0;
}

static int copy(struct nl_run *run, const struct nl_spool *from, int to)
{
	char buf[16384];
	unsigned tries = 0;
	for (off_t at = 0; at < from->len; ) {
		off_t left = from->len - at;
		ssize_t n = run->os->pread(from->fd, buf, left < (off_t)sizeof buf ? (size_t)left : sizeof buf, at);
		ssize_t m = n <= 0 ? n : run->os->pwrite(to, buf, (size_t)n, at);
		if ((n == -EINTR || m == -EINTR) && ++tries < 100)
			continue;
		if (m <= 0) {
			nl_swallow(run, (int)m);
			return m < 0 ? (int)m : -EIO;
		}
		at += m;
	}
	return 0;
}

/* Gives a file without a name the one that it waits under.  A whole file of one
 * who was killed just then, or who is as late as we are, is in the way: it may go. */
static int put_name(const struct nl_os *os, int fd, int dir, const char *name)
{
	char path[40];
	int r = -EEXIST;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	for (int i = 0; i < 10 && r == -EEXIST; i++) {
		r = (int)os->syscall(SYS_linkat, AT_FDCWD, (long)path, dir, (long)name, AT_SYMLINK_FOLLOW, 0);
		if (r == -EEXIST)
			os->syscall(SYS_unlinkat, dir, (long)name, 0, 0, 0, 0);
	}
	return r;
}

int nl_stale_keep(struct nl_run *run, const struct nl_stale_ref *ref, const struct nl_spool *s)
{
	const struct nl_os *os = run->os;
	char name[100];
	if (s->len > NL_STALE_MOST)
		return -EFBIG;
	int dir = open_dir(run, true);
	if (dir < 0)
		return dir;
	snprintf(name, sizeof name, ".%.64s.new", ref->key);
	int fd = open_at(run, dir, ".", O_WRONLY | O_TMPFILE);
	bool named = fd == -EOPNOTSUPP || fd == -EISDIR;
	if (named) {                            // It is seen before it is whole: a name that nobody else has.
		snprintf(name, sizeof name, ".%.64s.%016llx", ref->key, (unsigned long long)nl_seed(run));
		fd = open_at(run, dir, name, O_WRONLY | O_CREAT | O_EXCL);
	}
	int r = fd < 0 ? fd : copy(run, s, fd);
	if (r == 0 && !named)
		r = put_name(os, fd, dir, name);
	if (r == 0)
		r = (int)os->syscall(SYS_renameat, dir, (long)name, dir, (long)ref->key, 0, 0);
	if (r == -ENOENT && !named)
		r = 0;                          // Another was as late: what is there now is as good.
	if (r < 0 && named && fd >= 0)
		os->syscall(SYS_unlinkat, dir, (long)name, 0, 0, 0, 0);
	if (fd >= 0)
		os->close(fd);
	os->close(dir);
	return r;
}
