/* SPDX-License-Identifier: Apache-2.0 */
/*
 * statefile.c - the files of shared state: opened so that nobody can lead us
 * elsewhere, made complete before they have their name, never removed.
 */
#include "statefile.h"

#include "parse.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#define MAX_NAMES 4096                  /* of a kind */
#define KEEP 3                          /* corrupt records of a name */
#define MIN_FREE 65536

void nl_state_note(struct nl_state *s, enum nl_trouble t, const char *what, const char *why)
{
	s->notes |= 1u << t;
	(void)nl_fail(&s->err, "%s/%s: %s%s%s", s->kind->name, s->name, what, *why ? ": " : "", why);
}

int nl_state_trouble(struct nl_state *s, enum nl_trouble t, const char *what, const char *why)
{
	s->trouble = t;
	nl_state_note(s, t, what, why);
	return -1;
}

int nl_file_failed(struct nl_state *s, const char *what, long r)
{
	return nl_state_trouble(s, NL_UNAVAILABLE, what, strerror((int)-r));
}

/* "NAME", ".NAME.lock" and the like, in the directory of the kind. */
const char *nl_file_name(const struct nl_state *s, const char *what, char buf[NL_FILE_NAME])
{
	snprintf(buf, NL_FILE_NAME, *what ? ".%s.%s" : "%s%s", s->name, what);
	return buf;
}

static int open_in(const struct nl_state *s, const char *name, int flags, unsigned mode)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY),
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	const struct nl_os *os = s->run->os;
	long fd = os->syscall(SYS_openat2, s->dir, (long)name, (long)&how, sizeof how, 0, 0);
	if (fd == -ENOSYS || fd == -EPERM)      // An old kernel, or an old filter of calls.  The name has no slash.
		fd = os->syscall(SYS_openat, s->dir, (long)name, (long)how.flags, (long)how.mode, 0, 0);
	return (int)fd;
}

/* 0 and the file's number when it may be trusted. */
static int vet(struct nl_state *s, int fd, uint64_t *ino, uint64_t *size)
{
	struct statx st = { .stx_uid = 0 };
	long r = s->run->os->syscall(SYS_statx, fd, (long)"", AT_EMPTY_PATH, STATX_BASIC_STATS, (long)&st, 0);
	if (r < 0)
		return nl_file_failed(s, "cannot be examined", r);
	unsigned euid = (unsigned)s->run->os->syscall(SYS_geteuid, 0, 0, 0, 0, 0, 0);
	char text[48];
	if ((st.stx_mode & 0170000) != 0100000)
		return nl_state_trouble(s, NL_UNSAFE, "is no regular file", "");
	if (st.stx_nlink > 1)
		return nl_state_trouble(s, NL_UNSAFE, "has another name", "");
	snprintf(text, sizeof text, "uid %u, mode %04o", st.stx_uid, st.stx_mode & 07777u);
	bool ours = st.stx_uid == euid || st.stx_uid == 0 || st.stx_uid == s->dir_uid;
	if (s->group ? st.stx_gid != s->dir_gid || st.stx_mode & 07 : !ours || st.stx_mode & 077)
		return nl_state_trouble(s, NL_UNSAFE, s->group ? "is not the group's alone" : "is not ours alone", text);
	*ino = st.stx_ino, *size = st.stx_size;
	return 0;
}

void nl_file_close(const struct nl_state *s, int *fd)
{
	if (*fd >= 0)
		s->run->os->close(*fd);
	*fd = -1;
}

/* The record by its name.  -ENOENT when there is none. */
int nl_file_record(struct nl_state *s)
{
	char name[NL_FILE_NAME];
	uint64_t ino, size;
	nl_file_close(s, &s->rec);
	int fd = open_in(s, nl_file_name(s, "", name), O_RDWR, 0);
	if (fd == -ENOENT)
		return fd;
	if (fd < 0)
		return fd == -ELOOP || fd == -EISDIR || fd == -ENXIO || fd == -EXDEV ? nl_state_trouble(s, NL_UNSAFE, "is no regular file", "")
		                                                                    : nl_file_failed(s, "cannot be opened", fd);
	s->rec = fd;
	return vet(s, fd, &ino, &size);
}

int nl_file_lock(struct nl_state *s, bool *made)
{
	char name[NL_FILE_NAME];
	const struct nl_os *os = s->run->os;
	uint64_t size;
	int fd = -ENOENT;
	*made = false;
	nl_file_name(s, "lock", name);
	for (int i = 0; i < 8 && fd == -ENOENT; i++) {
		fd = open_in(s, name, O_RDWR, 0);
		if (fd != -ENOENT)
			break;
		long mask = os->syscall(SYS_umask, 0, 0, 0, 0, 0, 0);
		fd = open_in(s, name, O_RDWR | O_CREAT | O_EXCL, s->group ? 0660 : 0600);
		os->syscall(SYS_umask, mask, 0, 0, 0, 0, 0);
		*made = fd >= 0;
		fd = fd == -EEXIST ? -ENOENT : fd;
	}
	if (fd < 0)
		return fd == -ELOOP || fd == -EISDIR || fd == -ENXIO ? nl_state_trouble(s, NL_UNSAFE, "its lock is no regular file", "")
		                                                    : nl_file_failed(s, "its lock cannot be opened", fd);
	s->lock = fd;
	return vet(s, fd, &s->lock_ino, &size);
}

/* Is `name` still the file with this number? */
bool nl_file_is_still(const struct nl_state *s, const char *name, uint64_t ino)
{
	struct statx st;
	long r = s->run->os->syscall(SYS_statx, s->dir, (long)name, AT_SYMLINK_NOFOLLOW, STATX_INO, (long)&st, 0);
	return r == 0 && st.stx_ino == ino;
}

/* Under the guard: moves what is no record aside. */
void nl_file_quarantine(struct nl_state *s)
{
	char from[NL_FILE_NAME], to[NL_FILE_NAME], what[24];
	const struct nl_os *os = s->run->os;
	struct statx st;
	for (int i = 1; i <= KEEP; i++) {               // The first that is free, or the last.
		snprintf(what, sizeof what, "corrupt.%d", i);
		nl_file_name(s, what, to);
		if (os->syscall(SYS_statx, s->dir, (long)to, AT_SYMLINK_NOFOLLOW, STATX_INO, (long)&st, 0) < 0)
			break;
	}
	long r = os->syscall(SYS_renameat, s->dir, (long)nl_file_name(s, "", from), s->dir, (long)to, 0, 0);
	nl_file_close(s, &s->rec);
	s->quarantined += r == 0;
	nl_state_trouble(s, NL_CORRUPT, r == 0 ? "was no record and was moved aside" : "is no record", r == 0 ? to : strerror((int)-r));
}

/* Is there room for another name?  Counted only when one is made. */
static int room_for_one(struct nl_state *s)
{
	const struct nl_os *os = s->run->os;
	_Alignas(8) char buf[8192];
	struct statfs fs;
	unsigned entries = 0;
	long n;
	if (os->syscall(SYS_fstatfs, s->dir, (long)&fs, 0, 0, 0, 0) == 0 && fs.f_blocks > 0
	    && (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize < MIN_FREE)
		return nl_state_trouble(s, NL_UNAVAILABLE, "is not made", "less than 64 KiB are free there");
	while ((n = os->syscall(SYS_getdents64, s->dir, (long)buf, sizeof buf, 0, 0, 0)) > 0)
		for (long at = 0; at < n; ) {
			uint16_t len;
			entries += buf[at + 19] != '.';          // d_name and d_reclen of struct linux_dirent64.
			memcpy(&len, buf + at + 16, sizeof len);
			at += len;
		}
	os->syscall(SYS_lseek, s->dir, 0, 0 /* SEEK_SET */, 0, 0, 0);
	return entries < MAX_NAMES ? 0 : nl_state_trouble(s, NL_UNAVAILABLE, "is not made", "there are 4096 names of this kind already");
}

/* Under the guard: makes the record, whole before it has its name. */
int nl_file_make(struct nl_state *s, struct nl_record *rec)
{
	char new[NL_FILE_NAME], name[NL_FILE_NAME];
	const struct nl_os *os = s->run->os;
	if (room_for_one(s) < 0)
		return -1;
	nl_file_name(s, "new", new);
	os->syscall(SYS_unlinkat, s->dir, (long)new, 0, 0, 0, 0);       // Of somebody who was killed here.
	long mask = os->syscall(SYS_umask, 0, 0, 0, 0, 0, 0);
	int fd = open_in(s, new, O_RDWR | O_CREAT | O_EXCL, s->group ? 0660 : 0600);
	os->syscall(SYS_umask, mask, 0, 0, 0, 0, 0);
	if (fd < 0)
		return nl_file_failed(s, "cannot be made", fd);
	rec->head.lock_ino = s->lock_ino;
	rec->head.sum = nl_state_sum(rec);
	long r = os->pwrite(fd, rec, sizeof *rec, 0);
	r = r == sizeof *rec ? 0 : r < 0 ? r : -ENOSPC;
	if (r == 0)
		r = os->syscall(SYS_renameat, s->dir, (long)new, s->dir, (long)nl_file_name(s, "", name), 0, 0);
	if (r < 0) {
		os->close(fd);
		os->syscall(SYS_unlinkat, s->dir, (long)new, 0, 0, 0, 0);
		return nl_file_failed(s, "cannot be made", r);
	}
	nl_file_close(s, &s->rec);
	s->rec = fd;
	return 0;
}

/* The directory of the kind. */
int nl_file_dir(struct nl_state *s, int root, enum nl_make make)
{
	const struct nl_os *os = s->run->os;
	struct statx st = { .stx_uid = 0 }, up = st;
	int r = -ENOENT;
	for (int i = 0; i < 2; i++) {
		s->dir = root;
		r = open_in(s, s->kind->name, O_RDONLY | O_DIRECTORY, 0);
		s->dir = r;
		if (r != -ENOENT || make == NL_EXISTING || i > 0)
			break;
		long mask = os->syscall(SYS_umask, 0, 0, 0, 0, 0, 0);
		os->syscall(SYS_mkdirat, root, (long)s->kind->name, s->group ? 02770 : 0700, 0, 0, 0);
		os->syscall(SYS_umask, mask, 0, 0, 0, 0, 0);
	}
	if (r == -ENOENT && make == NL_EXISTING)
		return s->trouble = NL_ABSENT, -1;
	if (r < 0)
		return r == -ELOOP || r == -ENOTDIR ? nl_state_trouble(s, NL_UNSAFE, "its directory is none", "")
		                                    : nl_file_failed(s, "its directory cannot be opened", r);
	long e = os->syscall(SYS_statx, root, (long)"", AT_EMPTY_PATH, STATX_BASIC_STATS, (long)&up, 0);
	if (e == 0)
		e = os->syscall(SYS_statx, s->dir, (long)"", AT_EMPTY_PATH, STATX_BASIC_STATS, (long)&st, 0);
	if (e < 0)
		return nl_file_failed(s, "its directory cannot be examined", e);
	s->dir_uid = st.stx_uid, s->dir_gid = st.stx_gid;
	if (s->group ? st.stx_gid != up.stx_gid || st.stx_mode & 07 : st.stx_uid != up.stx_uid || st.stx_mode & 022)
		return nl_state_trouble(s, NL_UNSAFE, "its directory may be written by others", "");
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

int nl_state_names(int root, const struct nl_kind *kind, char (*names)[NL_NAME_MAX + 1], unsigned max)
{
	unsigned n = 0;
	const char *out;
	struct nl_err err;
	int fd = openat(root, kind->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	for (struct dirent *d; n < max && (d = readdir(dir)); )
		if (d->d_name[0] != '.' && nl_parse_name(d->d_name, &out, &err) == 0)
			snprintf(names[n++], NL_NAME_MAX + 1, "%.64s", d->d_name);
	closedir(dir);
	qsort(names, n, NL_NAME_MAX + 1, by_name);
	return (int)n;
}
