/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink.c - where events go, and a write that never blocks.
 *
 * Files are opened when the first event wants them and never renamed: a
 * directory gets a segment an hour, named by the event's own time.
 */
#include "event.h"

#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 8
#endif

static int write_pipe(struct nl_run *run, int fd, const char *buf, size_t n)
{
	struct iovec v = { (void *)buf, n };
	long r = run->os->syscall(SYS_pwritev2, fd, (long)&v, 1, -1, -1, RWF_NOWAIT);
	if (r != -EOPNOTSUPP && r != -ENOSYS && r != -EINVAL && r != -EPERM)
		return (int)r;
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	if (run->os->poll(&p, 1, 0) != 1)
		return -EAGAIN;
	return (int)run->os->write(fd, buf, n);
}

int nl_write_now(struct nl_run *run, int fd, const char *buf, size_t n)
{
	struct stat st = { 0 };         // Of no known kind when fstat fails: asked by poll, like a terminal.
	int r = (int)run->os->syscall(SYS_fstat, fd, (long)&st, 0, 0, 0, 0);
	if (r == -EBADF)
		return r;
	for (int i = 0; i < 3; i++) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		if (S_ISREG(st.st_mode))
			r = (int)run->os->write(fd, buf, n);
		else if (S_ISSOCK(st.st_mode))
			r = (int)run->os->syscall(SYS_sendto, fd, (long)buf, (long)n, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
		else if (S_ISFIFO(st.st_mode))
			r = write_pipe(run, fd, buf, n);
		else
			r = run->os->poll(&p, 1, 0) == 1 ? (int)run->os->write(fd, buf, n) : -EAGAIN;
		if (r != -EINTR)
			break;
	}
	nl_swallow(run, r);
	return r < 0 ? r : r == (int)n ? 0 : -EAGAIN;
}

static int segment(struct nl_run *run, struct nl_sink *s)
{
	int64_t hour = run->os->clock(CLOCK_REALTIME) / NL_SEC / 3600;
	char name[16], path[4096];
	if (s->fd >= 0 && hour == s->hour)
		return 0;
	if (s->fd >= 0)
		run->os->close(s->fd);
	time_t t = (time_t)hour * 3600;
	struct tm tm;
	gmtime_r(&t, &tm);
	snprintf(name, sizeof name, "%04u%02u%02uT%02u", (unsigned)(tm.tm_year + 1900) % 10000,
	         (unsigned)(tm.tm_mon + 1) % 100, (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100);
	if ((size_t)snprintf(path, sizeof path, "%s/%s.ndjson", s->path, name) >= sizeof path)
		return -ENAMETOOLONG;
	s->hour = hour;
	s->fd = run->os->open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0666);
	return s->fd < 0 ? s->fd : 0;
}

static int open_sink(struct nl_run *run, struct nl_sink *s)
{
	struct stat st;
	if (s->type == NL_SINK_FILE && s->fd < 0) {
		s->fd = run->os->open(s->path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0666);
		if (s->fd == -EISDIR)
			s->type = NL_SINK_DIR, s->fd = -1;
	}
	if (s->type == NL_SINK_DIR)
		return segment(run, s);
	if (s->fd < 0)
		return s->fd;
	if (s->ino && (run->os->syscall(SYS_fstat, s->fd, (long)&st, 0, 0, 0, 0) < 0 || st.st_dev != s->dev
	               || st.st_ino != s->ino))
		return -EBADF;                  // The number was given to another file meanwhile.
	if (s->type != NL_SINK_FILE && s->fd < 3 && run->mended >> s->fd & 1)
		return -EBADF;                  // It was closed when we started.
	return 0;
}

static void complain(struct nl_run *run, struct nl_sink *s, int r)
{
	if (s->complained || !s->path)
		return;
	s->complained = true;
	nl_say(run, "events: cannot open %s: %s", s->path, strerror(-r));
}

static int put_leaf(struct nl_sink *s, struct nl_event *e)
{
	char tail[64];
	size_t n = e->n, add = 0;
	if (s->type == NL_SINK_OFF || e->sev < s->level)
		return 0;
	if (s->type == NL_SINK_HUMAN) {
		size_t len = strlen(e->human);
		if (len == 0)
			return 0;
		return nl_write_now(e->run, 2, e->human, len) < 0 ? -1 : 0;
	}
	s->sent++;
	int r = open_sink(e->run, s);
	if (r < 0) {
		complain(e->run, s, r);
		s->dropped++;
		return -1;
	}
	if (e->tally) {                         // "…}\n" becomes "…,"events":N}\n"
		add = (size_t)(s->dropped ? snprintf(tail, sizeof tail, ",\"events\":%u,\"dropped\":%u}\n", s->sent, s->dropped)
		                          : snprintf(tail, sizeof tail, ",\"events\":%u}\n", s->sent));
		n -= 2;
		if (n + add > sizeof e->buf)
			return -1;
		memcpy(e->buf + n, tail, add);
	}
	if (nl_write_now(e->run, s->fd, e->buf, n + add) == 0)
		return 0;
	s->dropped++;
	return -1;
}

int nl_sink_put(struct nl_sink *s, struct nl_event *e)
{
	if (s->type == NL_SINK_BOTH) {
		int a = nl_sink_put(s->a, e), b = nl_sink_put(s->b, e);
		return a < 0 && b < 0 ? -1 : 0;
	}
	if (s->type == NL_SINK_ELSE)
		return nl_sink_put(s->a, e) < 0 ? nl_sink_put(s->b, e) : 0;
	return put_leaf(s, e);
}

int nl_sink_level(const struct nl_sink *s)
{
	if (!s || s->type == NL_SINK_OFF)
		return 100;
	if (!s->a)
		return s->level;
	int a = nl_sink_level(s->a), b = nl_sink_level(s->b);
	return a < b ? a : b;
}

bool nl_sink_has_human(const struct nl_sink *s)
{
	return s && (s->type == NL_SINK_HUMAN || nl_sink_has_human(s->a) || nl_sink_has_human(s->b));
}

void nl_sink_anew(struct nl_sink *s)
{
	if (!s)
		return;
	s->sent = s->dropped = 0;
	nl_sink_anew(s->a);
	nl_sink_anew(s->b);
}

void nl_sink_close(struct nl_run *run, struct nl_sink *s)
{
	if (!s)
		return;
	if ((s->type == NL_SINK_FILE || s->type == NL_SINK_DIR) && s->fd >= 0)
		run->os->close(s->fd), s->fd = -1;
	nl_sink_close(run, s->a);
	nl_sink_close(run, s->b);
}

void nl_sink_free(struct nl_sink *s)
{
	if (!s)
		return;
	nl_sink_free(s->a);
	nl_sink_free(s->b);
	free((char *)s->path);
	free(s);
}

static struct nl_sink *new_sink(enum nl_sink_type type, int fd)
{
	struct nl_sink *s = calloc(1, sizeof *s);
	if (s)
		*s = (struct nl_sink){ .type = type, .fd = fd, .level = NL_INFO };
	return s;
}

/* fd:N or fd:N,DEV:INO */
static bool parse_fd(const char *text, struct nl_sink *s)
{
	unsigned long long dev = 0, ino = 0;
	char *end;
	long fd = strtol(text, &end, 10);
	if (end == text || *text < '0' || *text > '9' || fd > 1 << 20)
		return false;
	if (*end == ',') {
		dev = strtoull(end + 1, &end, 10);
		if (*end != ':')
			return false;
		ino = strtoull(end + 1, &end, 10);
	}
	s->fd = (int)fd, s->dev = dev, s->ino = ino;
	return *end == '\0';
}

static struct nl_sink *parse_leaf(char *text, struct nl_err *err)
{
	static const struct { const char *name; int level; } levels[] = { { "debug", NL_DEBUG }, { "info", NL_INFO }, { "warn", NL_WARN } };
	char *at = strrchr(text, '@');
	int level = NL_INFO;
	if (at && !strchr(at, '/')) {
		level = 0;
		for (unsigned i = 0; i < 3; i++)
			if (!strcmp(at + 1, levels[i].name))
				level = levels[i].level;
		if (!level) {
			nl_fail(err, "'%.60s': unknown level (debug, info, warn)", at);
			return NULL;
		}
		*at = '\0';
	}
	struct nl_sink *s = new_sink(NL_SINK_FD, 2);
	bool ok = true;
	if (!s) {
		nl_fail(err, "out of memory");
		return NULL;
	}
	s->level = level;
	if (!strcmp(text, "off") || !strcmp(text, "0"))
		s->type = NL_SINK_OFF;
	else if (!strcmp(text, "human"))
		s->type = NL_SINK_HUMAN;
	else if (!strncmp(text, "fd:", 3))
		ok = parse_fd(text + 3, s);
	else if (strchr(text, '/') && strncmp(text, "fifo:", 5) && strncmp(text, "unix:", 5)) {
		size_t n = strlen(text);
		bool dir = n > 1 && text[n - 1] == '/';
		if (dir)
			text[n - 1] = '\0';
		s->type = dir ? NL_SINK_DIR : NL_SINK_FILE, s->fd = -1;
		s->path = strdup(text);
		ok = s->path;
	} else {
		ok = !strcmp(text, "stderr");
	}
	if (ok)
		return s;
	nl_fail(err, "'%.60s': unknown sink (off, stderr, human, fd:N, /file, /directory/)", text);
	nl_sink_free(s);
	return NULL;
}

/* Splits at the last of op: operators are left-associative, | binds least. */
static struct nl_sink *parse(char *text, const char *ops, struct nl_err *err)
{
	char *at = *ops ? strrchr(text, *ops) : NULL;
	if (!*ops)
		return parse_leaf(text, err);
	if (!at)
		return parse(text, ops + 1, err);
	*at = '\0';
	struct nl_sink *s = new_sink(*ops == '|' ? NL_SINK_ELSE : NL_SINK_BOTH, -1);
	if (s && (s->a = parse(text, ops, err)) && (s->b = parse(at + 1, ops + 1, err)))
		return s;
	nl_sink_free(s);
	return NULL;
}

struct nl_sink *nl_sink_parse(const char *spec, struct nl_err *err)
{
	char *copy = strdup(spec);
	if (!copy) {
		nl_fail(err, "out of memory");
		return NULL;
	}
	struct nl_sink *s = parse(copy, "|+", err);
	free(copy);
	return s;
}

struct nl_sink *nl_sink_default(struct nl_run *run)
{
	char termios[64];
	bool tty = run->os->syscall(SYS_ioctl, 2, TCGETS, (long)termios, 0, 0, 0) == 0;
	return new_sink(tty ? NL_SINK_HUMAN : NL_SINK_FD, 2);
}
