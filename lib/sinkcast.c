/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sinkcast.c - a socket that tells every subscriber what comes from now on.
 *
 * Nobody is waited for.  A subscriber that is slow has the room of its socket,
 * then it loses whole lines; when there is room again it is told how many, by
 * {"lost":N} on a line.
 */
#include "sinkrun.h"

#include "mut.h"
#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

struct subscriber {
	int fd;
	pid_t pid;                      /* as the kernel knows it; 0: it cannot be told from here */
	uint64_t sent, lost, untold;
	size_t n;                       /* bytes of a line that its socket had no room for */
	char rest[NL_FACT_MAX];
};

struct nl_cast {
	struct nl_cast *next;
	int fd;
	const char *path;
	unsigned n;
	struct subscriber *who[NL_SUBSCRIBERS];
};

struct nl_cast *nl_cast_next(const struct nl_cast *c)
{
	return c->next;
}

/* Bytes taken, -errno. */
static ssize_t send_some(struct nl_run *run, int fd, const char *text, size_t n)
{
	return run->os->syscall(SYS_sendto, fd, (long)text, (long)n, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
}

/* All of it, now or later: 0; -EAGAIN; -errno, it is gone. */
static int say(struct nl_run *run, struct subscriber *s, const char *text, size_t n)
{
	if (s->n) {
		ssize_t r = send_some(run, s->fd, s->rest, s->n);
		if (r < 0)
			return (int)r;
		memmove(s->rest, s->rest + r, s->n -= (size_t)r);
		if (s->n)
			return -EAGAIN;
	}
	if (!n)
		return 0;
	ssize_t r = send_some(run, s->fd, text, n);
	if (r < 0)
		return (int)r;
	s->n = n - (size_t)r;
	memcpy(s->rest, text + r, s->n);
	return 0;
}

/* What is owed to it: the rest of a line, how many it has lost. */
static int settle(struct nl_run *run, struct subscriber *s)
{
	char text[40];
	if (!s->untold)
		return say(run, s, NULL, 0);
	int r = say(run, s, text, (size_t)snprintf(text, sizeof text, "{\"lost\":%llu}\n", (unsigned long long)s->untold));
	if (r == 0)
		s->untold = 0;
	return r;
}

static void tell(struct nl_delivery *d, const char *path, const struct subscriber *s, const char *how)
{
	nl_say(d->run, "stream:%.60s: subscriber of pid %d%s: %llu lines, %llu lost", path, (int)s->pid, how,
	       (unsigned long long)s->sent, (unsigned long long)s->lost);
}

static void leave(struct nl_delivery *d, struct nl_cast *c, unsigned i)
{
	struct subscriber *s = c->who[i];
	if (s->lost)
		tell(d, c->path, s, " left");
	d->run->os->close(s->fd);
	free(s);
	c->who[i] = c->who[--c->n];
}

bool nl_cast_put(struct nl_delivery *d, struct nl_cast *c, const char *text, size_t n)
{
	bool taken = false;
	for (unsigned i = c->n; i-- > 0;) {
		struct subscriber *s = c->who[i];
		int r = settle(d->run, s);
		if (r == 0)
			r = say(d->run, s, text, n);
		if (r == 0)
			s->sent++, taken = true;
		else if (r == -EAGAIN || r == -ENOBUFS || r == -ENOMEM)
			s->lost++, s->untold += !MUTANT(LOST_UNTOLD);
		else
			leave(d, c, i);
	}
	return taken;
}

static void join(struct nl_delivery *d, struct nl_cast *c)
{
	const struct nl_os *os = d->run->os;
	struct ucred peer = { 0 };
	socklen_t n = sizeof peer;
	int fd = (int)os->syscall(SYS_accept4, c->fd, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK, 0, 0);
	if (fd < 0)
		return;
	unsigned all = 0;
	for (const struct nl_cast *other = d->casts; other; other = other->next)
		all += other->n;
	struct subscriber *s = all < NL_SUBSCRIBERS ? calloc(1, sizeof *s) : NULL;
	if (!s) {
		os->close(fd);                  // It sees the end at once, as of a socket that is gone.
		return;
	}
	os->syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_PEERCRED, (long)&peer, (long)&n, 0);
	s->fd = fd, s->pid = peer.pid;
	c->who[c->n++] = s;
}

unsigned nl_cast_ask(struct nl_cast *c, struct pollfd *p)
{
	p[0] = (struct pollfd){ .fd = c->fd, .events = POLLIN };
	for (unsigned i = 0; i < c->n; i++) {
		const struct subscriber *s = c->who[i];
		p[i + 1] = (struct pollfd){ .fd = s->fd, .events = (short)(POLLIN | (s->n || s->untold ? POLLOUT : 0)) };
	}
	return c->n + 1;
}

/* What a subscriber says is nothing to us; its end is. */
static bool has_left(struct nl_run *run, const struct subscriber *s)
{
	char nothing[256];
	ssize_t r = run->os->read(s->fd, nothing, sizeof nothing);
	return r == 0 || (r < 0 && r != -EAGAIN && r != -EINTR);
}

unsigned nl_cast_serve(struct nl_delivery *d, struct nl_cast *c, const struct pollfd *p)
{
	unsigned asked = c->n + 1;
	for (unsigned i = c->n; i-- > 0;) {
		short got = p[i + 1].revents;
		int r = got & POLLOUT ? settle(d->run, c->who[i]) : 0;
		if ((r < 0 && r != -EAGAIN) || (got & ~POLLOUT && has_left(d->run, c->who[i])))
			leave(d, c, i);
	}
	if (p[0].revents)
		join(d, c);
	return asked;
}

bool nl_cast_owes(const struct nl_cast *c)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->who[i]->n || c->who[i]->untold)
			return true;
	return false;
}

void nl_cast_tell(struct nl_delivery *d, const struct nl_cast *c, const char *name, bool all)
{
	for (unsigned i = 0; i < c->n; i++)
		if (all || c->who[i]->lost)
			tell(d, name, c->who[i], "");
}

/* A socket that was left behind by one that was killed refuses whoever comes. */
static int listen_at(struct nl_run *run, int fd, const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	memcpy(at.sun_path, path, strlen(path));
	long r = run->os->syscall(SYS_bind, fd, (long)&at, sizeof at, 0, 0, 0);
	if (r == -EADDRINUSE) {
		int other = nl_unix_connect(run, path);
		if (other >= 0)
			run->os->close(other);
		if (other == -ECONNREFUSED && unlink(path) == 0)
			r = run->os->syscall(SYS_bind, fd, (long)&at, sizeof at, 0, 0, 0);
	}
	return r < 0 ? (int)r : (int)run->os->syscall(SYS_listen, fd, 64, 0, 0, 0, 0);
}

struct nl_cast *nl_cast_open(struct nl_delivery *d, const char *path, int *error)
{
	struct nl_run *run = d->run;
	struct nl_cast *c = calloc(1, sizeof *c);
	int fd = (int)run->os->syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, 0, 0, 0);
	*error = !c ? -ENOMEM : fd < 0 ? fd : listen_at(run, fd, path);
	if (*error == 0) {
		c->fd = fd, c->path = path, c->next = d->casts;
		d->casts = c;
		return c;
	}
	if (fd >= 0)
		run->os->close(fd);
	free(c);
	return NULL;
}

void nl_cast_close(struct nl_delivery *d, struct nl_cast *c)
{
	while (c && c->n) {
		c->who[0]->lost = 0;            // It was told of.
		leave(d, c, 0);
	}
	if (!c)
		return;
	unlink(c->path);
	d->run->os->close(c->fd);
	free(c);
}
