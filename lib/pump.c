/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pump.c - moves bytes between a command and us while it runs: its output into
 * taps, a recorded stdin into it.
 *
 * Nothing here waits but nl_pump_wait.  Output is read only when the end of
 * its chain can take it, so a slow reader slows the command, as a pipe would.
 */
#include "io.h"

#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

static void shut(struct nl_run *run, int *fd)
{
	if (*fd >= 0)
		run->os->close(*fd);
	*fd = -1;
}

/* Our end does not block; the command's is as it expects. */
static int open_pipe(struct nl_run *run, int *ours, int *theirs, bool we_read)
{
	int fd[2];
	long r = run->os->syscall(SYS_pipe2, (long)fd, O_CLOEXEC, 0, 0, 0, 0);
	if (r < 0)
		return (int)r;
	*ours = fd[we_read ? 0 : 1], *theirs = fd[we_read ? 1 : 0];
	return run->os->fcntl(*ours, F_SETFL, O_NONBLOCK);
}

int nl_pump_open(struct nl_run *run, struct nl_pump *p, const struct nl_req *q, int fd[3])
{
	int r = 0;
	*p = (struct nl_pump){ .out = { { .fd = -1 }, { .fd = -1 } }, .in = -1, .theirs = { -1, -1, -1 },
	                       .feed = q->io.feed, .chunk = p->chunk };
	if (p->feed)
		r = open_pipe(run, &p->in, &p->theirs[0], false);
	for (int i = 0; i < 2 && r == 0; i++) {
		if (!q->io.tap[i])
			continue;
		p->out[i].tap = q->io.tap[i];
		p->out[i].end = nl_chain_end(q->io.tap[i]);
		r = open_pipe(run, &p->out[i].fd, &p->theirs[i + 1], true);
	}
	for (int i = 0; i < 3; i++)
		if (p->theirs[i] >= 0)
			fd[i] = p->theirs[i];
	if (r < 0)
		nl_pump_close(run, p);
	return r;
}

void nl_pump_started(struct nl_run *run, struct nl_pump *p)
{
	for (int i = 0; i < 3; i++)
		shut(run, &p->theirs[i]);
}

bool nl_pump_works(const struct nl_pump *p)
{
	return p->in >= 0 || p->out[0].fd >= 0 || p->out[1].fd >= 0;
}

void nl_pump_close(struct nl_run *run, struct nl_pump *p)
{
	nl_pump_started(run, p);
	shut(run, &p->in);
	shut(run, &p->out[0].fd);
	shut(run, &p->out[1].fd);
}

/* A call that may work next time; not for ever, or we would spin. */
static bool falters(struct nl_pump *p, ssize_t r)
{
	if (r != -EAGAIN && r != -EINTR)
		p->stalls = 0;
	return (r == -EAGAIN || r == -EINTR) && ++p->stalls < 100;
}

/* One piece from the command into its taps. */
static void drink(struct nl_run *run, struct nl_pump *p, struct nl_stream *s)
{
	char buf[NL_CHUNK];
	ssize_t n = run->os->read(s->fd, buf, s->end ? NL_REST : sizeof buf);
	s->ready = false;
	if (falters(p, n))
		return;
	if (n < 0)
		p->error = (int)-n;
	if (n <= 0 || s->tap->put(s->tap, run, buf, (size_t)n) < 0)
		shut(run, &s->fd);      // At the end, or the command learns by SIGPIPE that nobody reads.
	else
		s->owed -= s->owed < n ? s->owed : n;
}

static bool has_rest(const struct nl_stream *s)
{
	return s->end && s->end->n > 0 && !s->end->error;
}

/* What to poll for stream s: its reader when something waits for it. */
static struct pollfd want(const struct nl_stream *s)
{
	if (has_rest(s) || s->ready)
		return (struct pollfd){ .fd = s->end->fd, .events = POLLOUT };
	return (struct pollfd){ .fd = s->fd, .events = POLLIN };
}

static void serve(struct nl_run *run, struct nl_pump *p, struct nl_stream *s)
{
	if (has_rest(s)) {
		if (s->end->tap.put(&s->end->tap, run, s->end->rest, s->end->n) < 0)
			shut(run, &s->fd);
		return;
	}
	if (s->end && !s->ready) {
		struct pollfd room = { .fd = s->end->fd, .events = POLLOUT };
		if (run->os->poll(&room, 1, 0) == 0) {
			s->ready = true;        // Read when its reader has room.
			return;
		}
	}
	drink(run, p, s);
}

/* Fills the chunk from the recording, else from the source, which is recorded. */
static void fill(struct nl_run *run, struct nl_pump *p, bool ready)
{
	struct nl_feed *f = p->feed;
	ssize_t n;
	p->at = p->n = 0;
	if (p->fed < f->spool.len) {
		n = run->os->pread(f->spool.fd, p->chunk, NL_CHUNK, p->fed);
		if (n > f->spool.len - p->fed)
			n = (ssize_t)(f->spool.len - p->fed);
		if (n > 0)
			p->fed += n, p->n = (size_t)n;
		else if (!falters(p, n))
			p->error = n < 0 ? (int)-n : EIO, shut(run, &p->in);
	} else if (f->shared && f->spool.broken) {
		p->error = ENOSPC;
		shut(run, &p->in);
	} else if (f->eof) {
		shut(run, &p->in);
	} else if (ready) {
		n = run->os->read(f->src, p->chunk, NL_CHUNK);
		if (n > 0) {
			if (nl_spool_put(run, &f->spool, p->chunk, (size_t)n) == 0)
				p->fed = f->spool.len;
			p->n = (size_t)n;
		} else if (!falters(p, n)) {
			p->error = n < 0 ? (int)-n : p->error;
			f->eof = n == 0;
			shut(run, &p->in);
		}
	}
}

static void pour(struct nl_run *run, struct nl_pump *p)
{
	ssize_t r = run->os->write(p->in, p->chunk + p->at, p->n - p->at);
	if (r > 0) {
		p->at += (size_t)r;
	} else if (!falters(p, r)) {
		nl_swallow(run, (int)r);
		p->error = r != -EPIPE ? (int)-r : p->error;
		shut(run, &p->in);      // The command reads no more; the rest waits for the next attempt.
	}
}

unsigned nl_pump_ask(struct nl_run *run, struct nl_pump *p, struct pollfd *set)
{
	unsigned n = 0;
	p->asked.out[0] = p->asked.out[1] = p->asked.in = p->asked.src = -1;
	for (int i = 0; i < 2; i++) {
		if (p->out[i].fd < 0 && !has_rest(&p->out[i]))
			continue;
		p->asked.out[i] = (int)n;
		set[n++] = want(&p->out[i]);
	}
	if (p->in >= 0 && p->at == p->n && (p->fed < p->feed->spool.len || p->feed->eof || p->feed->spool.broken))
		fill(run, p, false);
	if (p->in >= 0) {
		p->asked.in = (int)n;
		set[n++] = (struct pollfd){ .fd = p->in, .events = p->at < p->n ? POLLOUT : 0 };
	}
	if (p->in >= 0 && p->at == p->n) {
		p->asked.src = (int)n;
		set[n++] = (struct pollfd){ .fd = p->feed->src, .events = POLLIN };
	}
	return n;
}

void nl_pump_serve(struct nl_run *run, struct nl_pump *p, const struct pollfd *set)
{
	for (int i = 0; i < 2; i++)
		if (p->asked.out[i] >= 0 && set[p->asked.out[i]].revents)
			serve(run, p, &p->out[i]);
	if (p->asked.in >= 0 && set[p->asked.in].revents & (POLLERR | POLLHUP))
		shut(run, &p->in);
	else if (p->asked.in >= 0 && set[p->asked.in].revents)
		pour(run, p);
	if (p->in >= 0 && p->asked.src >= 0 && set[p->asked.src].revents)
		fill(run, p, true);
}

int nl_pump_wait(struct nl_run *run, struct nl_pump *p, nl_time until, siginfo_t *si)
{
	struct pollfd set[NL_PUMP_ASKS + 1];
	unsigned n = nl_pump_ask(run, p, set);
	int r = nl_poll(run, set, n, until, si);
	if (r == NL_WAKE_IO)
		nl_pump_serve(run, p, set);
	return r;
}

void nl_pump_last(struct nl_run *run, struct nl_pump *p)
{
	shut(run, &p->in);
	for (int i = 0; i < 2; i++) {
		struct nl_stream *s = &p->out[i];
		int left = 0;
		if (s->fd >= 0 && run->os->syscall(SYS_ioctl, s->fd, FIONREAD, (long)&left, 0, 0, 0) == 0)
			s->owed = left;
		while (!s->end && s->fd >= 0 && s->owed > 0)
			drink(run, p, s);
		if (!s->end && s->fd >= 0)
			drink(run, p, s);       // Its end, or others hold it.
	}
}

bool nl_pump_owes(const struct nl_pump *p)
{
	for (int i = 0; i < 2; i++)
		if ((p->out[i].fd >= 0 && p->out[i].owed > 0) || has_rest(&p->out[i]))
			return true;
	return false;
}

bool nl_pump_drain(struct nl_run *run, struct nl_pump *p, const struct nl_req *q, enum nl_why *why)
{
	nl_time abandon_at = nl_after(nl_now(run), 100 * NL_MS);
	bool stopped = *why != NL_RAN;          // Its last words are taken, but nobody is waited for.
	unsigned told = run->told;
	nl_pump_last(run, p);
	for (;;) {
		bool open = false, owed = nl_pump_owes(p);
		for (int i = 0; i < 2; i++)
			open |= p->out[i].fd >= 0 || has_rest(&p->out[i]);
		if (!open)
			return true;
		siginfo_t si;
		struct nl_limit limit = nl_limit(q);
		nl_time until = !stopped && (owed || limit.at < abandon_at) ? limit.at : abandon_at;
		int sig = nl_pump_wait(run, p, until, &si);
		if (sig > 0)
			nl_alone(run, sig);
		if (!stopped && run->told != told) {
			*why = nl_why_told(run);
			stopped = true;
			abandon_at = nl_after(nl_now(run), 100 * NL_MS);
		}
		if (sig == NL_WAKE_TIME && !stopped && until == limit.at) {
			run->fired = limit.owner;
			*why = NL_DEADLINE;
			return true;
		}
		if ((!owed || stopped) && nl_now(run) >= abandon_at)
			return false;
	}
}
