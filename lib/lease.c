/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease.c - bytes that the kernel keeps locked for whoever holds them.
 */
#include "lease.h"

#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/syscall.h>

static int set(struct nl_run *run, int fd, int op, short type, int64_t byte)
{
	struct flock lk = { .l_type = type, .l_whence = 0, .l_start = byte, .l_len = 1 };
	int r = -EINTR;
	for (int i = 0; i < 3 && r == -EINTR; i++)
		r = run->os->fcntl(fd, op, (long)&lk);
	return r == -EACCES ? -EAGAIN : r;
}

int nl_byte_lock(struct nl_run *run, int fd, int64_t byte)
{
	return set(run, fd, F_OFD_SETLK, F_WRLCK, byte);
}

int nl_byte_unlock(struct nl_run *run, int fd, int64_t byte)
{
	return set(run, fd, F_OFD_SETLK, F_UNLCK, byte);
}

int nl_byte_held(struct nl_run *run, int fd, int64_t byte, int64_t n)
{
	struct flock lk = { .l_type = F_WRLCK, .l_whence = 0, .l_start = byte, .l_len = n };
	int r = run->os->fcntl(fd, F_OFD_GETLK, (long)&lk);
	return r < 0 ? r : lk.l_type != F_UNLCK;
}

int nl_slots_held(struct nl_run *run, int fd, unsigned n)
{
	int held = nl_byte_held(run, fd, NL_BYTE_SLOT, n ? n : 1);
	if (held <= 0 || n == 0)
		return n == 0 ? 0 : held;
	held = 0;
	for (unsigned i = 0; i < n; i++) {
		int r = nl_byte_held(run, fd, NL_BYTE_SLOT + i, 1);
		if (r < 0)
			return r;
		held += r;
	}
	return held;
}

int nl_slot_take(struct nl_state *s, unsigned n, unsigned *slot)
{
	char name[NL_NAME_MAX + 24];
	const struct nl_os *os = s->run->os;
	struct statx st;
	snprintf(name, sizeof name, ".%s.lock", s->name);
	int fd = (int)os->syscall(SYS_openat, s->dir, (long)name, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0, 0, 0);
	if (fd < 0)
		return fd == -EAGAIN ? -EIO : fd;       // EAGAIN means that no slot is free.
	long r = os->syscall(SYS_statx, fd, (long)"", AT_EMPTY_PATH, STATX_INO, (long)&st, 0);
	r = r == -EAGAIN ? -EIO : r == 0 && st.stx_ino != s->lock_ino ? -ESTALE : r;
	for (*slot = 0; r == 0 && *slot < n; ++*slot) {
		r = nl_byte_lock(s->run, fd, NL_BYTE_SLOT + *slot);
		if (r == 0)
			return fd;
		r = r == -EAGAIN ? 0 : r;
	}
	os->close(fd);
	return r < 0 ? (int)r : -EAGAIN;
}

enum nl_why nl_byte_wait(struct nl_run *run, const struct nl_req *q, int fd, int64_t byte, nl_time until, int *error)
{
	for (;;) {
		struct nl_limit limit = nl_limit(q);
		nl_time now = nl_now(run);
		enum nl_why why = nl_sleep(run, *q, now);       // Takes what is pending; says when a limit has passed.
		*error = 0;
		if (why != NL_RAN)
			return why;
		*error = now >= until ? -EAGAIN : 0;
		if (*error)
			return NL_RAN;
		nl_time first = limit.at < until ? limit.at : until;
		int r = run->os->lockwait(fd, F_RDLCK, byte, first == NL_NEVER ? NL_NEVER : first - now);
		if (r == 0)
			nl_byte_unlock(run, fd, byte);
		*error = r;
		if (r != -EAGAIN && r != -EINTR)
			return NL_RAN;
	}
}

static void watch(struct nl_run *run, struct nl_watch *w, const struct nl_state *s, uint32_t of_record)
{
	const struct nl_os *os = run->os;
	char path[32];
	w->fd = (int)os->syscall(SYS_inotify_init1, IN_CLOEXEC | IN_NONBLOCK, 0, 0, 0, 0, 0);
	if (w->fd < 0)
		return;
	snprintf(path, sizeof path, "/proc/self/fd/%d", s->rec);
	long r = os->syscall(SYS_inotify_add_watch, w->fd, (long)path, of_record, 0, 0, 0);
	if (r >= 0 && s->lock >= 0) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", s->lock);
		r = os->syscall(SYS_inotify_add_watch, w->fd, (long)path, IN_CLOSE_WRITE | IN_ATTRIB, 0, 0, 0);
	}
	if (r < 0)
		nl_watch_close(run, w);
}

void nl_watch_open(struct nl_run *run, struct nl_watch *w, const struct nl_state *s)
{
	watch(run, w, s, IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF);
}

void nl_watch_closes(struct nl_run *run, struct nl_watch *w, const struct nl_state *s)
{
	watch(run, w, s, IN_ATTRIB | IN_MOVE_SELF);
}

enum nl_why nl_watch_wait(struct nl_run *run, const struct nl_req *q, struct nl_watch *w, nl_time until, bool *due)
{
	struct nl_limit limit = nl_limit(q);
	nl_time now = nl_now(run), tick = nl_after(now, 50 * NL_MS), first = until;
	char events[1024];
	*due = false;
	if (w->fd < 0)
		first = tick < until ? tick : until;
	if (!run->stop_sig && limit.at > now && until > now) {
		struct pollfd p[2] = { { .fd = w->fd, .events = POLLIN } };
		siginfo_t si;
		int sig = nl_poll(run, p, 1, first < limit.at ? first : limit.at, &si);
		if (sig > 0)
			nl_alone(run, sig);
		if (w->fd >= 0)
			while (run->os->read(w->fd, events, sizeof events) > 0)
				;
		now = nl_now(run);
	}
	*due = now >= until;
	return nl_sleep(run, *q, now);
}

void nl_watch_close(struct nl_run *run, struct nl_watch *w)
{
	if (w->fd >= 0)
		run->os->close(w->fd);
	w->fd = -1;
}
