/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stdin.c - one stdin for several attempts.
 *
 * A file is rewound.  A pipe is recorded and replayed, unless our parent reads
 * from the same pipe (a while-read loop, a script on stdin): what it shares we
 * must not eat, so the command inherits it, and if a failed attempt has read
 * from it there is no retry.  Reading is seen at the front of the pipe, by
 * tee(2), which takes nothing out.
 */
#include "stdin.h"

#include "mut.h"
#include "proc.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The first ancestor that is not a supervisor of ours. */
static pid_t user_of_ours(struct nl_run *run)
{
	struct nl_proc p = { 0 };
	pid_t pid = (pid_t)run->os->syscall(SYS_getppid, 0, 0, 0, 0, 0, 0);
	while (pid > 1 && nl_proc_read(run->os, pid, &p) == 0 && nl_proc_is_nl(&p))
		pid = p.ppid;
	return pid;
}

static bool shared_with_parent(struct nl_run *run, struct nl_stdin *s, const struct stat *mine)
{
	char path[40];
	struct stat st;
	s->unsure = !run->mark;
	for (int i = 0; i < 3 && s->unsure; i++)
		s->unsure = !nl_proc_is_ours(run->os);
	if (run->mark || s->unsure)
		return true;                    // It is our host's own; or unknown: the safe answer.
	snprintf(path, sizeof path, "/proc/%d/fd/0", (int)user_of_ours(run));
	return run->os->syscall(SYS_newfstatat, AT_FDCWD, (long)path, (long)&st, 0, 0, 0) == 0
	       && st.st_dev == mine->st_dev && st.st_ino == mine->st_ino;
}

static int use_null(struct nl_run *run, struct nl_stdin *s)
{
	s->fd = run->os->open("/dev/null", O_RDONLY, 0);
	s->ours = s->fd >= 0;
	return s->fd < 0 ? s->fd : 0;
}

static void replay(struct nl_stdin *s, struct nl_req *q)
{
	s->way = NL_STDIN_REPLAYED;
	s->feed = (struct nl_feed){ .src = s->fd, .spool = NL_SPOOL_NONE };
	q->io.feed = &s->feed;
}

int nl_stdin_open(struct nl_run *run, struct nl_stdin *s, struct nl_req *q, enum nl_stdin_mode mode, bool again)
{
	struct stat st = { 0 };
	s->way = NL_STDIN_AS_IS, s->fd = q->io.in, s->ours = s->unsure = false;
	if (mode == NL_STDIN_NULL) {
		int r = use_null(run, s);
		q->io.in = s->fd, q->io.feed = NULL;
		return r;
	}
	if (mode == NL_STDIN_INHERIT || !again || q->io.feed)  // A feed starts anew for each command.
		return 0;
	if (s->fd == 0 && run->mended & 1)
		return 0;
	int r = (int)run->os->syscall(SYS_fstat, s->fd, (long)&st, 0, 0, 0, 0);
	if (r < 0)
		return r;
	if (S_ISREG(st.st_mode)) {
		s->start = (off_t)run->os->syscall(SYS_lseek, s->fd, 0, SEEK_CUR, 0, 0, 0);
		s->way = s->start < 0 ? NL_STDIN_AS_IS : NL_STDIN_REWOUND;
	} else if (mode == NL_STDIN_REPLAY || (S_ISSOCK(st.st_mode) && !run->mark)) {
		replay(s, q);
	} else if (S_ISFIFO(st.st_mode)) {
		if (shared_with_parent(run, s, &st))
			s->way = NL_STDIN_GUARDED;
		else
			replay(s, q);
	}
	return 0;
}

/* A description of its own, at the offset where ours began. */
static int reopen(struct nl_run *run, const struct nl_stdin *s)
{
	char path[40];
	snprintf(path, sizeof path, "/proc/self/fd/%d", s->fd);
	int fd = run->os->open(path, O_RDONLY, 0);
	if (fd >= 0 && run->os->syscall(SYS_lseek, fd, s->start, SEEK_SET, 0, 0, 0) != s->start) {
		run->os->close(fd);
		return -ESPIPE;
	}
	return fd;
}

int nl_stdin_split(struct nl_run *run, struct nl_stdin *s, struct nl_req *q, enum nl_stdin_mode mode, bool several)
{
	char termios[64];
	int r = nl_stdin_open(run, s, q, mode, several);
	bool tty = r == 0 && s->way == NL_STDIN_AS_IS && mode == NL_STDIN_AUTO && several && !q->io.feed
	           && run->os->syscall(SYS_ioctl, s->fd, TCGETS, (long)termios, 0, 0, 0) == 0;
	if (r < 0)
		return r;
	if (s->way == NL_STDIN_REWOUND) {
		r = reopen(run, s);
		if (r < 0)
			replay(s, q);
		else
			s->way = NL_STDIN_REOPENED, run->os->close(r);
	} else if (s->way == NL_STDIN_GUARDED || tty) {
		if (s->unsure) {                // Who took nothing for its input might succeed on it.
			nl_say(run, "stdin: who else reads it cannot be known without /proc: say --stdin=replay, inherit or null");
			return -EIO;
		}
		s->way = NL_STDIN_AS_IS;
		r = use_null(run, s);
		q->io.in = s->fd;
	}
	if (q->io.feed)
		q->io.feed->shared = several;
	return r < 0 ? r : 0;
}

int nl_stdin_each(struct nl_run *run, const struct nl_stdin *s)
{
	return s->way == NL_STDIN_REOPENED ? reopen(run, s) : s->fd;
}

/* What is at the front of the pipe now, without taking it. */
static struct nl_front look(struct nl_run *run, int fd)
{
	const struct nl_os *os = run->os;
	struct nl_front f = { .ended = false };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int copy[2];
	os->syscall(SYS_ioctl, fd, FIONREAD, (long)&f.queued, 0, 0, 0);
	f.ended = f.queued == 0 && os->poll(&p, 1, 0) == 1 && p.revents & POLLHUP;
	if (f.queued == 0 || os->syscall(SYS_pipe2, (long)copy, O_CLOEXEC, 0, 0, 0, 0) < 0)
		return f;
	f.n = os->syscall(SYS_tee, fd, copy[1], sizeof f.bytes, SPLICE_F_NONBLOCK, 0, 0);
	if (f.n > 0)
		f.n = os->read(copy[0], f.bytes, sizeof f.bytes);
	os->close(copy[0]);
	os->close(copy[1]);
	return f;
}

void nl_stdin_begin(struct nl_run *run, struct nl_stdin *s)
{
	if (s->way == NL_STDIN_REWOUND)
		run->os->syscall(SYS_lseek, s->fd, s->start, SEEK_SET, 0, 0, 0);
	else if (s->way == NL_STDIN_GUARDED)
		s->front = look(run, s->fd);
}

const char *nl_stdin_spent(struct nl_run *run, struct nl_stdin *s)
{
	if (s->way == NL_STDIN_REPLAYED && s->feed.spool.broken && !MUTANT(HALF_REPLAY))
		return "spool";
	if (s->way != NL_STDIN_GUARDED)
		return NULL;
	struct nl_front now = look(run, s->fd);
	size_t n = (size_t)(now.n < s->front.n ? now.n : s->front.n);
	bool eaten = now.queued < s->front.queued || (now.ended && !s->front.ended)
	             || (now.n > 0 && s->front.n > 0 && memcmp(now.bytes, s->front.bytes, n) != 0);
	return eaten ? "stdin" : NULL;
}

void nl_stdin_close(struct nl_run *run, struct nl_stdin *s)
{
	if (s->ours)
		run->os->close(s->fd);
	if (s->way == NL_STDIN_REPLAYED)
		nl_spool_close(run, &s->feed.spool);
}
