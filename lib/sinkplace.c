/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sinkplace.c - one place for events, and a write that never blocks.
 *
 * Files are opened when the first event wants them and never renamed: a directory
 * gets a segment an hour.  A FIFO or socket is there while somebody reads it: what
 * comes meanwhile is dropped and counted, and who comes again is found again.
 */
#include "sink.h"

#include "event.h"
#include "mut.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 8
#endif

static ssize_t write_pipe(struct nl_run *run, int fd, const char *buf, size_t n)
{
	struct iovec v = { (void *)buf, n };
	long r = run->os->syscall(SYS_pwritev2, fd, (long)&v, 1, -1, -1, RWF_NOWAIT);
	if (r != -EOPNOTSUPP && r != -ENOSYS && r != -EINVAL && r != -EPERM)
		return r;
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	if (run->os->poll(&p, 1, 0) != 1)
		return -EAGAIN;
	return run->os->write(fd, buf, n);
}

static ssize_t write_as(struct nl_run *run, int fd, mode_t mode, const char *buf, size_t n)
{
	ssize_t r = 0;
	for (int i = 0; i < 3; i++) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		if (S_ISREG(mode))
			r = run->os->write(fd, buf, n);
		else if (S_ISSOCK(mode))
			r = run->os->syscall(SYS_sendto, fd, (long)buf, (long)n, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
		else if (S_ISFIFO(mode))
			r = write_pipe(run, fd, buf, n);
		else
			r = run->os->poll(&p, 1, 0) == 1 ? run->os->write(fd, buf, n) : -EAGAIN;
		if (r != -EINTR)
			break;
	}
	nl_swallow(run, (int)r);
	return r;
}

/* 0: of no known kind, and then asked by poll, like a terminal.  -EBADF: it is closed. */
static int kind_of(struct nl_run *run, int fd, mode_t *mode)
{
	struct stat st = { 0 };
	int r = (int)run->os->syscall(SYS_fstat, fd, (long)&st, 0, 0, 0, 0);
	*mode = r < 0 ? 0 : st.st_mode;
	return r == -EBADF ? r : 0;
}

ssize_t nl_write_some(struct nl_run *run, int fd, const char *buf, size_t n)
{
	mode_t mode;
	int r = kind_of(run, fd, &mode);
	return r < 0 ? r : write_as(run, fd, mode, buf, n);
}

static int all_of(ssize_t r, size_t n)
{
	return r < 0 ? (int)r : r == (ssize_t)n ? 0 : -EAGAIN;
}

int nl_write_now(struct nl_run *run, int fd, const char *buf, size_t n)
{
	return all_of(nl_write_some(run, fd, buf, n), n);
}

/* Of what we have opened, the kind is asked once.  A number that we were given may be
 * another file's by now. */
ssize_t nl_place_write(struct nl_run *run, struct nl_sink *s, const char *buf, size_t n)
{
	if (!s->mode || s->type == NL_SINK_FD)
		return nl_write_some(run, s->fd, buf, n);
	return write_as(run, s->fd, s->mode, buf, n);
}

static int open_file(struct nl_run *run, struct nl_sink *s, const char *path)
{
	s->fd = run->os->open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0666);
	return s->fd < 0 ? s->fd : kind_of(run, s->fd, &s->mode);
}

static int open_segment(struct nl_run *run, struct nl_sink *s, int64_t hour)
{
	char name[16], path[4096];
	if (s->fd >= 0 && hour == s->hour)
		return 0;
	nl_place_close(run, s);
	time_t t = (time_t)hour * 3600;
	struct tm tm;
	gmtime_r(&t, &tm);
	snprintf(name, sizeof name, "%04u%02u%02uT%02u", (unsigned)(tm.tm_year + 1900) % 10000,
	         (unsigned)(tm.tm_mon + 1) % 100, (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100);
	if ((size_t)snprintf(path, sizeof path, "%s/%s.ndjson", s->path, name) >= sizeof path)
		return -ENAMETOOLONG;
	s->hour = hour;
	return open_file(run, s, path);
}

/* With a writer of our own that does not block: the reader's is its own matter. */
static int open_fifo(struct nl_run *run, struct nl_sink *s)
{
	struct stat st;
	int fd = run->os->open(s->path, O_WRONLY | O_NONBLOCK, 0);
	if (fd >= 0 && (run->os->syscall(SYS_fstat, fd, (long)&st, 0, 0, 0, 0) < 0 || !S_ISFIFO(st.st_mode))) {
		run->os->close(fd);
		return -EINVAL;
	}
	s->fd = fd, s->mode = S_IFIFO;
	return fd < 0 ? fd : 0;
}

int nl_unix_connect(struct nl_run *run, const char *path)
{
	static const int types[] = { SOCK_DGRAM, SOCK_STREAM };
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	long r = -EPROTOTYPE;
	if (strlen(path) > NL_UNIX_PATH)
		return -ENAMETOOLONG;
	memcpy(to.sun_path, path, strlen(path));
	for (int i = 0; i < 2 && r == -EPROTOTYPE; i++) {
		long fd = run->os->syscall(SYS_socket, AF_UNIX, types[i] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, 0, 0, 0);
		if (fd < 0)
			return (int)fd;
		r = run->os->syscall(SYS_connect, fd, (long)&to, sizeof to, 0, 0, 0);
		if (r == 0)
			return (int)fd;
		run->os->close((int)fd);
	}
	return (int)r;
}

/* A descriptor that we were given: is it still what it was? */
static int check_given(struct nl_run *run, const struct nl_sink *s)
{
	struct stat st;
	if (s->ino && (run->os->syscall(SYS_fstat, s->fd, (long)&st, 0, 0, 0, 0) < 0 || st.st_dev != s->dev
	               || st.st_ino != s->ino))
		return -EBADF;                  // The number was given to another file meanwhile.
	if (s->fd < 3 && run->mended >> s->fd & 1)
		return -EBADF;                  // It was closed when we started.
	return 0;
}

int nl_place_open(struct nl_run *run, struct nl_sink *s, int64_t hour)
{
	if (s->type == NL_SINK_FD)
		return check_given(run, s);
	if (s->type == NL_SINK_FILE && s->fd < 0 && open_file(run, s, s->path) == -EISDIR)
		s->type = NL_SINK_DIR, s->fd = -1;
	if (s->type == NL_SINK_DIR)
		return open_segment(run, s, hour);
	if (s->fd < 0 && s->type == NL_SINK_FIFO)
		return open_fifo(run, s);
	if (s->fd < 0 && (s->type == NL_SINK_UNIX || s->type == NL_SINK_SYSLOG))
		s->fd = nl_unix_connect(run, s->path), s->mode = S_IFSOCK;
	return s->fd < 0 ? s->fd : 0;
}

void nl_place_close(struct nl_run *run, struct nl_sink *s)
{
	if (s->type == NL_SINK_FD || s->fd < 0)
		return;
	run->os->close(s->fd);
	s->fd = -1, s->mode = 0;
}

bool nl_place_gone(const struct nl_sink *s, int r)
{
	bool has_reader = s->type == NL_SINK_FIFO || s->type == NL_SINK_UNIX || s->type == NL_SINK_SYSLOG;
	return has_reader && (r == -EPIPE || r == -ECONNREFUSED || r == -ECONNRESET || r == -ENOTCONN) && !MUTANT(READER_FOR_EVER);
}

bool nl_place_absent(const struct nl_sink *s, int r)
{
	return s->type == NL_SINK_FIFO ? r == -ENXIO
	       : s->type == NL_SINK_UNIX && (r == -ENOENT || r == -ECONNREFUSED || r == -EAGAIN);
}

static void complain(struct nl_run *run, struct nl_sink *s, int r)
{
	if (s->complained || !s->path || nl_place_absent(s, r))
		return;
	s->complained = true;
	nl_say(run, "events: cannot open %s: %s", s->path, strerror(-r));
}

static int put_line(struct nl_sink *s, const struct nl_event *e, size_t n)
{
	struct nl_run *run = e->run;
	int r = 0;
	for (int i = 0; i < 2; i++) {           // Again when its reader was gone: there may be another.
		r = nl_place_open(run, s, e->real / NL_SEC / 3600);
		if (r < 0) {
			complain(run, s, r);
			return r;
		}
		r = all_of(nl_place_write(run, s, e->buf, n), n);
		if (!nl_place_gone(s, r))
			return r;
		nl_place_close(run, s);
	}
	return r;
}

int nl_place_put(struct nl_sink *s, struct nl_event *e)
{
	char tail[64];
	size_t n = e->n, add = 0;
	if (s->type == NL_SINK_OFF || e->sev < s->level)
		return 0;
	if (s->type == NL_SINK_HUMAN) {
		size_t len = strlen(e->human);
		return len == 0 || nl_write_now(e->run, 2, e->human, len) == 0 ? 0 : -1;
	}
	s->sent++;
	if (e->tally) {                         // "…}\n" becomes "…,"events":N}\n"
		add = (size_t)(s->dropped ? snprintf(tail, sizeof tail, ",\"events\":%u,\"dropped\":%u}\n", s->sent, s->dropped)
		                          : snprintf(tail, sizeof tail, ",\"events\":%u}\n", s->sent));
		n -= 2;
		if (n + add > sizeof e->buf)
			return -1;
		memcpy(e->buf + n, tail, add);
	}
	if (put_line(s, e, n + add) == 0)
		return 0;
	if (MUTANT(DROPS_UNCOUNTED)) {
		s->sent--;
		return -1;
	}
	s->dropped++;
	return -1;
}
