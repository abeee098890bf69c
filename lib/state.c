/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state.c - a record that processes share: opened with care, read without a
 * lock, written in one piece under the guard.
 *
 * Files are made under the guard, complete before they have their name.  None
 * is ever removed: what is no record is moved aside, and a name that leads to
 * another file than the one that is open is noticed each time the guard is taken.
 */
#include "state.h"

#include "lease.h"
#include "mut.h"
#include "parse.h"
#include "proc.h"
#include "run.h"

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
#include <time.h>

#define MAJOR 1
#define MAX_NAMES 4096                  /* of a kind; two files each, and what was moved aside */
#define KEEP 3                          /* corrupt records of a name */
#define MIN_FREE 65536

nl_time nl_boottime(struct nl_run *run)
{
	return run->os->clock(CLOCK_BOOTTIME);
}

const char *nl_trouble_name(enum nl_trouble t)
{
	static const char *const names[NL_TROUBLES] = {
		[NL_FINE] = "fine", [NL_ABSENT] = "absent", [NL_UNAVAILABLE] = "unavailable", [NL_UNSAFE] = "unsafe",
		[NL_BUSY] = "busy", [NL_CORRUPT] = "corrupt", [NL_REPLACED] = "replaced", [NL_TOO_NEW] = "version",
		[NL_CLOCK] = "clock",
	};
	return names[t];
}

static void note(struct nl_state *s, enum nl_trouble t, const char *what, const char *why)
{
	s->notes |= 1u << t;
	(void)nl_fail(&s->err, "%s/%s: %s%s%s", s->kind->name, s->name, what, *why ? ": " : "", why);
}

static int trouble(struct nl_state *s, enum nl_trouble t, const char *what, const char *why)
{
	s->trouble = t;
	note(s, t, what, why);
	return -1;
}

static int unavailable(struct nl_state *s, const char *what, long r)
{
	return trouble(s, NL_UNAVAILABLE, what, strerror((int)-r));
}

/* Words are mixed by invertible steps: a change of one word always changes the sum. */
uint64_t nl_state_sum(const struct nl_record *rec)
{
	const unsigned char *p = (const unsigned char *)rec;
	uint64_t h = UINT64_C(0x9e3779b97f4a7c15);
	for (size_t i = 0; i < sizeof *rec; i += 8) {
		uint64_t w;
		memcpy(&w, p + i, 8);
		if (i == offsetof(struct nl_head, sum))
			w = 0;
		h = (h ^ w) * UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 32;
	}
	return h;
}

/* "NAME", ".NAME.lock" and the like, in the directory of the kind. */
static const char *file_name(const struct nl_state *s, const char *what, char buf[NL_NAME_MAX + 24])
{
	snprintf(buf, NL_NAME_MAX + 24, *what ? ".%s.%s" : "%s%s", s->name, what);
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
	struct statx st, dir;
	long r = s->run->os->syscall(SYS_statx, fd, (long)"", AT_EMPTY_PATH, STATX_BASIC_STATS, (long)&st, 0);
	if (r == 0)
		r = s->run->os->syscall(SYS_statx, s->dir, (long)"", AT_EMPTY_PATH, STATX_BASIC_STATS, (long)&dir, 0);
	if (r < 0)
		return unavailable(s, "cannot be examined", r);
	unsigned euid = (unsigned)s->run->os->syscall(SYS_geteuid, 0, 0, 0, 0, 0, 0);
	char text[48];
	if ((st.stx_mode & 0170000) != 0100000)
		return trouble(s, NL_UNSAFE, "is no regular file", "");
	if (st.stx_nlink > 1)
		return trouble(s, NL_UNSAFE, "has another name", "");
	snprintf(text, sizeof text, "uid %u, mode %04o", st.stx_uid, st.stx_mode & 07777u);
	bool ours = st.stx_uid == euid || st.stx_uid == 0 || st.stx_uid == dir.stx_uid;
	if (s->group ? st.stx_gid != dir.stx_gid || st.stx_mode & 07 : !ours || st.stx_mode & 077)
		return trouble(s, NL_UNSAFE, s->group ? "is not the group's alone" : "is not ours alone", text);
	*ino = st.stx_ino, *size = st.stx_size;
	return 0;
}

static void close_fd(const struct nl_state *s, int *fd)
{
	if (*fd >= 0)
		s->run->os->close(*fd);
	*fd = -1;
}

/* The record by its name.  -ENOENT when there is none. */
static int open_record(struct nl_state *s)
{
	char name[NL_NAME_MAX + 24];
	uint64_t ino, size;
	close_fd(s, &s->rec);
	int fd = open_in(s, file_name(s, "", name), O_RDWR, 0);
	if (fd == -ENOENT)
		return fd;
	if (fd < 0)
		return fd == -ELOOP || fd == -EISDIR || fd == -ENXIO || fd == -EXDEV ? trouble(s, NL_UNSAFE, "is no regular file", "")
		                                                                    : unavailable(s, "cannot be opened", fd);
	s->rec = fd;
	return vet(s, fd, &ino, &size);
}

static int open_lock(struct nl_state *s, bool *made)
{
	char name[NL_NAME_MAX + 24];
	const struct nl_os *os = s->run->os;
	uint64_t size;
	int fd = -ENOENT;
	*made = false;
	file_name(s, "lock", name);
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
		return fd == -ELOOP || fd == -EISDIR || fd == -ENXIO ? trouble(s, NL_UNSAFE, "its lock is no regular file", "")
		                                                    : unavailable(s, "its lock cannot be opened", fd);
	s->lock = fd;
	return vet(s, fd, &s->lock_ino, &size);
}

/* Is `name` still the file with this number? */
static bool is_still(const struct nl_state *s, const char *name, uint64_t ino)
{
	struct statx st;
	long r = s->run->os->syscall(SYS_statx, s->dir, (long)name, AT_SYMLINK_NOFOLLOW, STATX_INO, (long)&st, 0);
	return r == 0 && st.stx_ino == ino;
}

static void void_record(const struct nl_state *s, struct nl_record *rec, uint64_t epoch)
{
	char boot[40];
	*rec = (struct nl_record){ .head = { .magic = "9LST", .major = MAJOR, .kind = s->kind->id, .epoch = epoch } };
	nl_boot_id(s->run->os, boot);
	for (int i = 0, n = 0; boot[i] && n < 32; i++) {
		if (boot[i] == '-')
			continue;
		unsigned digit = boot[i] <= '9' ? (unsigned)(boot[i] - '0') : (unsigned)(boot[i] - 'a' + 10);
		rec->head.boot[n / 2] |= (uint8_t)((digit & 15) << (n % 2 ? 0 : 4));
		n++;
	}
}

static bool lives_are_sane(const struct nl_record *rec)
{
	if (rec->head.lives > NL_LIVES)
		return false;
	for (uint32_t i = 0; i < rec->head.lives; i++)
		if (!rec->live[i].key[0] || !memchr(rec->live[i].key, 0, sizeof rec->live[i].key)
		    || !memchr(rec->live[i].value, 0, sizeof rec->live[i].value))
			return false;
	return true;
}

/* What bytes of a file are.  A record of another boot becomes a void one here. */
static enum nl_trouble judge(struct nl_state *s, struct nl_record *rec, long n)
{
	struct nl_record fresh;
	if (n != NL_RECORD_SIZE || memcmp(rec->head.magic, "9LST", 4) || rec->head.sum != nl_state_sum(rec))
		return NL_CORRUPT;
	if (rec->head.major > MAJOR)
		return NL_TOO_NEW;
	if (rec->head.kind != s->kind->id || !lives_are_sane(rec))
		return NL_CORRUPT;
	void_record(s, &fresh, rec->head.epoch + 1);
	if (memcmp(fresh.head.boot, rec->head.boot, sizeof fresh.head.boot)) {
		fresh.head.cfg = rec->head.cfg;
		*rec = fresh;
		return NL_FINE;
	}
	if (!s->kind->check)
		return NL_FINE;
	enum nl_trouble t = s->kind->check(rec->body, nl_boottime(s->run));
	if (t == NL_CLOCK) {
		note(s, NL_CLOCK, "has times that cannot be, which were put right", "");
		return NL_FINE;
	}
	return t;
}

/* Reads once.  NL_FINE, NL_CORRUPT (nothing said yet), or a trouble that is told. */
static enum nl_trouble read_once(struct nl_state *s, struct nl_record *rec)
{
	struct { struct nl_record rec; char more; } buf;        // A byte more: a longer file is no record.
	long n = s->run->os->pread(s->rec, &buf, NL_RECORD_SIZE + 1, 0);
	if (n < 0) {
		unavailable(s, "cannot be read", n);
		return NL_UNAVAILABLE;
	}
	*rec = buf.rec;
	if (n < NL_RECORD_SIZE)
		memset((char *)rec + n, 0, NL_RECORD_SIZE - (size_t)n);
	enum nl_trouble t = judge(s, rec, n);
	if (t == NL_TOO_NEW)
		trouble(s, t, "was written by a later version", "");
	return t;
}

/* Under the guard: moves what is no record aside. */
static void quarantine(struct nl_state *s)
{
	char from[NL_NAME_MAX + 24], to[NL_NAME_MAX + 24], what[16];
	const struct nl_os *os = s->run->os;
	struct statx st;
	for (int i = 1; i <= KEEP; i++) {               // The first that is free, or the last.
		snprintf(what, sizeof what, "corrupt.%d", i);
		file_name(s, what, to);
		if (os->syscall(SYS_statx, s->dir, (long)to, AT_SYMLINK_NOFOLLOW, STATX_INO, (long)&st, 0) < 0)
			break;
	}
	long r = os->syscall(SYS_renameat, s->dir, (long)file_name(s, "", from), s->dir, (long)to, 0, 0);
	close_fd(s, &s->rec);
	s->quarantined += r == 0;
	trouble(s, NL_CORRUPT, r == 0 ? "was no record and was moved aside" : "is no record", r == 0 ? to : strerror((int)-r));
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
		return trouble(s, NL_UNAVAILABLE, "is not made", "less than 64 KiB are free there");
	while ((n = os->syscall(SYS_getdents64, s->dir, (long)buf, sizeof buf, 0, 0, 0)) > 0)
		for (long at = 0; at < n; entries++) {
			uint16_t len;
			memcpy(&len, buf + at + 16, sizeof len);        // d_reclen of struct linux_dirent64.
			at += len;
		}
	os->syscall(SYS_lseek, s->dir, 0, 0 /* SEEK_SET */, 0, 0, 0);
	return entries < 2 * MAX_NAMES ? 0 : trouble(s, NL_UNAVAILABLE, "is not made", "there are 4096 names of this kind already");
}

/* Under the guard: makes the record, whole before it has its name. */
static int make_record(struct nl_state *s, uint64_t epoch)
{
	char new[NL_NAME_MAX + 24], name[NL_NAME_MAX + 24];
	const struct nl_os *os = s->run->os;
	struct nl_record rec;
	if (room_for_one(s) < 0)
		return -1;
	file_name(s, "new", new);
	os->syscall(SYS_unlinkat, s->dir, (long)new, 0, 0, 0, 0);       // Of somebody who was killed here.
	long mask = os->syscall(SYS_umask, 0, 0, 0, 0, 0, 0);
	int fd = open_in(s, new, O_RDWR | O_CREAT | O_EXCL, s->group ? 0660 : 0600);
	os->syscall(SYS_umask, mask, 0, 0, 0, 0, 0);
	if (fd < 0)
		return unavailable(s, "cannot be made", fd);
	void_record(s, &rec, epoch);
	rec.head.lock_ino = s->lock_ino;
	rec.head.sum = nl_state_sum(&rec);
	long r = os->pwrite(fd, &rec, sizeof rec, 0);
	r = r == sizeof rec ? 0 : r < 0 ? r : -ENOSPC;
	if (r == 0)
		r = os->syscall(SYS_renameat, s->dir, (long)new, s->dir, (long)file_name(s, "", name), 0, 0);
	if (r < 0) {
		os->close(fd);
		os->syscall(SYS_unlinkat, s->dir, (long)new, 0, 0, 0, 0);
		return unavailable(s, "cannot be made", r);
	}
	close_fd(s, &s->rec);
	s->rec = fd;
	return 0;
}

/* Waits for the guard in small steps: a hostile peer may hold it for ever. */
static int take_guard(struct nl_state *s, nl_time until)
{
	nl_time pause = 20 * NL_US;
	uint64_t rnd = (uint64_t)s->run->pid * UINT64_C(0x9e3779b97f4a7c15);
	for (;;) {
		int r = MUTANT(NO_GUARD) ? 0 : nl_byte_lock(s->run, s->lock, NL_BYTE_GUARD);
		if (r == 0) {
			s->locked = true;
			return 0;
		}
		if (r != -EAGAIN && r != -EACCES && r != -EINTR)
			return unavailable(s, "cannot be locked", r);
		nl_time now = nl_now(s->run);
		if (now >= until)
			return trouble(s, NL_BUSY, "its lock is held by somebody else", "");
		nl_time step = pause + (nl_time)(nl_random(&rnd) % (uint64_t)pause);
		s->run->os->poll(NULL, 0, step < until - now ? step : until - now);
		pause = pause < NL_MS ? 2 * pause : pause;
	}
}

void nl_state_unlock(struct nl_state *s)
{
	if (s->locked && s->lock >= 0)
		nl_byte_unlock(s->run, s->lock, NL_BYTE_GUARD);
	s->locked = false;
}

/* Makes the open files those of the name, for as long as the guard is held.
 * 1: the lock file has been replaced, start again. */
static int verify(struct nl_state *s, bool made)
{
	char name[NL_NAME_MAX + 24];
	struct statx st;
	if (!is_still(s, file_name(s, "lock", name), s->lock_ino)) {
		note(s, NL_REPLACED, "its lock file was replaced", "");
		return 1;
	}
	bool was_open = s->rec >= 0;
	if (was_open && s->run->os->syscall(SYS_statx, s->rec, (long)"", AT_EMPTY_PATH, STATX_INO, (long)&st, 0) == 0
	    && is_still(s, file_name(s, "", name), st.stx_ino))
		return 0;
	int r = open_record(s);
	if (r == -ENOENT)
		r = make_record(s, made ? 1 : (uint64_t)(nl_boottime(s->run) / NL_US) + 2);
	if (r < 0)
		return -1;
	if (was_open)
		note(s, NL_REPLACED, "was replaced", "");
	return 0;
}

static int lock_files(struct nl_state *s, nl_time span)
{
	nl_time until = nl_after(nl_now(s->run), span);
	bool made = false;
	for (int i = 0; i < 8; i++) {
		if (s->lock < 0 && open_lock(s, &made) < 0)
			return -1;
		if (take_guard(s, until) < 0)
			return -1;
		int r = verify(s, made);
		if (r == 0)
			return 0;
		nl_state_unlock(s);
		if (r < 0)
			return -1;
		close_fd(s, &s->lock);
	}
	return trouble(s, NL_REPLACED, "its lock file is replaced again and again", "");
}

int nl_state_lock(struct nl_state *s, struct nl_record *rec, nl_time span)
{
	if (lock_files(s, span) < 0)
		return -1;
	enum nl_trouble t = read_once(s, rec);
	if (t == NL_CORRUPT) {
		quarantine(s);
		make_record(s, (uint64_t)(nl_boottime(s->run) / NL_US) + 2);    // Epochs of the old one are never met again.
		s->trouble = NL_CORRUPT;
	}
	if (t != NL_FINE) {
		nl_state_unlock(s);
		return -1;
	}
	if (rec->head.lock_ino != s->lock_ino && rec->head.lock_ino != 0)
		note(s, NL_REPLACED, "its lock file was replaced: who held it before is not seen", "");
	rec->head.lock_ino = s->lock_ino;
	return 0;
}

int nl_state_read(struct nl_state *s, struct nl_record *rec)
{
	for (int i = 0; i < 3; i++) {                   // A write may be under way.
		enum nl_trouble t = read_once(s, rec);
		if (t != NL_CORRUPT)
			return t == NL_FINE ? 0 : -1;
	}
	if (nl_state_lock(s, rec, NL_GUARD_SPAN) < 0)
		return -1;
	nl_state_unlock(s);
	return 0;
}

int nl_state_write(struct nl_state *s, struct nl_record *rec)
{
	rec->head.sum = nl_state_sum(rec);
	long r = s->run->os->pwrite(s->rec, rec, sizeof *rec, 0);
	return r == sizeof *rec ? 0 : unavailable(s, "cannot be written", r < 0 ? r : -ENOSPC);
}

/* The directory of the kind. */
static int open_kind(struct nl_state *s, int root, enum nl_make make)
{
	const struct nl_os *os = s->run->os;
	struct statx st, up;
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
		return r == -ELOOP || r == -ENOTDIR ? trouble(s, NL_UNSAFE, "its directory is none", "")
		                                    : unavailable(s, "its directory cannot be opened", r);
	long e = os->syscall(SYS_statx, root, (long)"", AT_EMPTY_PATH, STATX_BASIC_STATS, (long)&up, 0);
	if (e == 0)
		e = os->syscall(SYS_statx, s->dir, (long)"", AT_EMPTY_PATH, STATX_BASIC_STATS, (long)&st, 0);
	if (e < 0)
		return unavailable(s, "its directory cannot be examined", e);
	if (s->group ? st.stx_gid != up.stx_gid || st.stx_mode & 07 : st.stx_uid != up.stx_uid || st.stx_mode & 022)
		return trouble(s, NL_UNSAFE, "its directory may be written by others", "");
	return 0;
}

int nl_state_open(struct nl_state *s, struct nl_run *run, const char *dir, const struct nl_kind *kind, const char *name,
                  enum nl_make make)
{
	*s = (struct nl_state){ .run = run, .kind = kind, .dir = -1, .rec = -1, .lock = -1 };
	snprintf(s->name, sizeof s->name, "%s", name);
	int root = nl_state_root(run, dir, make, NULL, &s->group, &s->trouble, &s->err);
	if (root < 0) {
		if (s->trouble != NL_ABSENT)
			s->notes |= 1u << s->trouble;
		return -1;
	}
	int r = open_kind(s, root, make);
	run->os->close(root);
	if (r < 0)
		return -1;
	r = open_record(s);
	if (r != -ENOENT)
		return r < 0 ? -1 : 0;
	if (make == NL_EXISTING)
		return s->trouble = NL_ABSENT, -1;
	if (lock_files(s, NL_GUARD_SPAN) < 0)           // Makes it.
		return -1;
	nl_state_unlock(s);
	return 0;
}

void nl_state_close(struct nl_state *s)
{
	nl_state_unlock(s);
	close_fd(s, &s->rec);
	close_fd(s, &s->lock);
	close_fd(s, &s->dir);
}

void nl_state_tell(struct nl_state *s, struct nl_span_of of)
{
	for (int t = NL_UNAVAILABLE; t < NL_TROUBLES; t++)
		if (s->notes >> t & 1)
			nl_degraded(s->run, of, nl_trouble_name((enum nl_trouble)t), s->err.msg);
	s->notes = 0;
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
