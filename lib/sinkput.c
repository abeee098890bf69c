/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sinkput.c - a line into a tree of places.
 *
 * First all are asked, and nobody is waited for: a place that is full delays no
 * other.  Then those that were full are waited for.  A place remembers what it did
 * with a line, so it is never given one twice.
 */
#include "sinkrun.h"

#include "event.h"
#include "mut.h"
#include "run.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

enum how { ASK, WAIT };

/* How long places that do not read are waited for when we were told to stop. */
#define GRACE (5 * NL_SEC)

const char *nl_place_reason(const struct nl_sink *s, int error)
{
	if (error == EAGAIN)
		return "full, and nobody reads it";
	if (s->type == NL_SINK_FIFO && error == ENXIO)
		return "nobody reads it";
	if (s->type == NL_SINK_FIFO && error == EINVAL)
		return "not a named pipe";
	return strerror(error);
}

void nl_place_fails(struct nl_delivery *d, struct nl_sink *s, int error)
{
	const char *why = nl_place_reason(s, error);
	s->outlet->error = error;
	if (s->complained)
		return;
	s->complained = true;
	if (d->sink == s)
		nl_say(d->run, "%.200s: %s", s->text, why);
	else
		nl_say(d->run, "%.200s: %.160s: %s", d->spec, s->text, why);
}

/* What signals do to us while we wait. */
static void on_signal(struct nl_delivery *d, int sig)
{
	if (sig == SIGUSR1) {
		d->report = true;
		return;
	}
	nl_alone(d->run, sig);
	if (d->run->stop_sig && d->stopped_at == NL_NEVER)
		d->stopped_at = nl_now(d->run);
}

bool nl_await(struct nl_delivery *d, int fd, short events, nl_time until)
{
	siginfo_t si;
	unsigned n = 1;
	d->poll[0] = (struct pollfd){ .fd = fd, .events = events };
	for (struct nl_cast *c = d->casts; c; c = nl_cast_next(c))
		n += nl_cast_ask(c, d->poll + n);
	int sig = nl_poll(d->run, d->poll, n, until, &si);
	if (sig > 0)
		on_signal(d, sig);
	if (sig != NL_WAKE_IO)
		return false;
	bool ready = d->poll[0].revents;
	n = 1;
	for (struct nl_cast *c = d->casts; c; c = nl_cast_next(c))
		n += nl_cast_serve(d, c, d->poll + n);
	return ready;
}

/* Until when a full place is waited for. */
static nl_time patience(const struct nl_delivery *d, nl_time since)
{
	nl_time until = nl_after(since, d->wait);
	if (d->stopped_at == NL_NEVER)
		return until;
	if (d->run->told > 1)
		return 0;
	nl_time last = nl_after(d->stopped_at, GRACE);
	return until < last ? until : last;
}

int nl_pour(struct nl_delivery *d, int fd, const char *text, size_t n)
{
	nl_time since = nl_now(d->run);
	if (d->run->mended >> fd & 1)
		return EBADF;                   // It was closed when we started.
	while (n > 0) {
		ssize_t r = nl_write_some(d->run, fd, text, n);
		if (r >= 0)
			text += r, n -= (size_t)r;
		else if (r != -EAGAIN || nl_now(d->run) >= patience(d, since))
			return (int)-r;
		else
			nl_await(d, fd, POLLOUT, patience(d, since));
	}
	return 0;
}

static int write_rest(struct nl_run *run, struct nl_sink *s, const char *text, size_t n)
{
	struct nl_outlet *o = s->outlet;
	while (o->at < n) {
		ssize_t r = s->type == NL_SINK_HUMAN ? nl_write_some(run, 2, text + o->at, n - o->at) : nl_place_write(run, s, text + o->at, n - o->at);
		if (r < 0)
			return (int)r;
		o->at += (size_t)r;
	}
	return 0;
}

/* 0, -errno: -EAGAIN may be asked again. */
static int write_place(struct nl_delivery *d, struct nl_sink *s, int64_t hour, const char *text, size_t n)
{
	struct nl_outlet *o = s->outlet;
	int r = 0;
	if (s->type == NL_SINK_HUMAN)
		return write_rest(d->run, s, text, n);
	for (int i = 0; i < 2; i++) {
		r = nl_place_open(d->run, s, hour);
		if (r == 0 && o->torn && nl_place_write(d->run, s, "\n", 1) == 1)
			o->torn = false;        // If not, readers find the event behind the piece.
		if (r == 0)
			r = write_rest(d->run, s, text, n);
		if (!nl_place_gone(s, r))
			return r;
		nl_place_close(d->run, s);
		o->at = 0, o->torn = false;
	}
	return r;
}

static int put_once(struct nl_delivery *d, struct nl_sink *s, const struct nl_parcel *p)
{
	struct nl_outlet *o = s->outlet;
	switch (s->type) {
	case NL_SINK_MEMORY:
		return nl_ring_put(o->ring, p->text, p->n);
	case NL_SINK_STREAM:
		return !o->cast ? -o->error : nl_cast_put(d, o->cast, p->text, p->n) ? 0 : -ENOTCONN;
	case NL_SINK_HUMAN:
	case NL_SINK_SYSLOG:
		nl_log_text(d, p->fact, s->type == NL_SINK_HUMAN ? NL_LOG_PEOPLE : NL_LOG_SYSLOG);
		if (s->type == NL_SINK_HUMAN)
			nl_out_bytes(&d->text, "\n", 1);
		return d->text.lost ? -ENOMEM : write_place(d, s, 0, d->text.buf, d->text.n);
	default:
		return write_place(d, s, p->fact->time_us / 1000000 / 3600, p->text, p->n);
	}
}

/* A wait for a place that cannot be polled is a short one. */
static void wait_for(struct nl_delivery *d, const struct nl_sink *s, nl_time until)
{
	int fd = s->type == NL_SINK_HUMAN ? 2 : s->fd;
	nl_time soon = nl_after(nl_now(d->run), 10 * NL_MS);
	nl_await(d, fd, POLLOUT, fd >= 0 || until < soon ? until : soon);
}

static enum nl_took judge(struct nl_delivery *d, struct nl_sink *s, int r)
{
	struct nl_outlet *o = s->outlet;
	if (r == 0) {
		o->taken++, o->stuck = false, o->at = 0;
		return NL_TOOK;
	}
	if (s->type == NL_SINK_STREAM && o->cast) {
		o->unheard++;
		return NL_UNHEARD;
	}
	o->lost++;
	o->torn |= o->at > 0, o->at = 0;
	o->stuck = r == -EAGAIN;
	nl_place_fails(d, s, -r);
	return NL_LOST;
}

static enum nl_took put_place(struct nl_delivery *d, struct nl_sink *s, const struct nl_parcel *p, enum how how)
{
	struct nl_outlet *o = s->outlet;
	if (s->type == NL_SINK_OFF)
		return NL_TOOK;
	if (o->number == p->number && o->took != NL_FULL && !MUTANT(GIVES_TWICE))
		return o->took;
	if (p->fact->sev < s->level) {
		o->below += o->number != p->number;
		o->number = p->number;
		return o->took = NL_TOOK;
	}
	o->number = p->number;
	int r = put_once(d, s, p);
	if (r == -EAGAIN && how == ASK && !o->stuck && d->wait > 0)
		return o->took = NL_FULL;
	nl_time since = nl_now(d->run);
	while (r == -EAGAIN && !o->stuck && nl_now(d->run) < patience(d, since)) {
		wait_for(d, s, patience(d, since));
		r = put_once(d, s, p);
	}
	return o->took = judge(d, s, r);
}

static enum nl_took worse(enum nl_took a, enum nl_took b)
{
	return a > b ? a : b;
}

static enum nl_took put(struct nl_delivery *d, struct nl_sink *s, const struct nl_parcel *p, enum how how)
{
	if (s->type == NL_SINK_BOTH) {
		enum nl_took a = put(d, s->a, p, how);
		return worse(a, put(d, s->b, p, how));
	}
	if (s->type == NL_SINK_ELSE) {
		enum nl_took a = put(d, s->a, p, how);
		if (a == NL_TOOK || a == NL_FULL)
			return a;
		enum nl_took b = put(d, s->b, p, how);
		return b == NL_TOOK || b == NL_FULL ? b : worse(a, b);
	}
	return put_place(d, s, p, how);
}

enum nl_took nl_deliver_parcel(struct nl_delivery *d, const struct nl_parcel *p)
{
	enum nl_took took = put(d, d->sink, p, ASK);
	return took == NL_FULL ? put(d, d->sink, p, WAIT) : took;
}

static int open_outlet(struct nl_delivery *d, struct nl_sink *s)
{
	struct nl_outlet *o = s->outlet = &d->outlets[d->noutlets++];
	int error = 0;
	if (s->type == NL_SINK_MEMORY)
		o->ring = nl_ring_new(s->lines);
	if (s->type == NL_SINK_STREAM)
		o->cast = nl_cast_open(d, s->path, &error);
	if (error)
		nl_place_fails(d, s, -error);
	return s->type == NL_SINK_MEMORY && !o->ring ? -1 : 0;
}

static int open_outlets(struct nl_delivery *d, struct nl_sink *s)
{
	if (!s->a)
		return open_outlet(d, s);
	int a = open_outlets(d, s->a), b = open_outlets(d, s->b);
	return a < 0 || b < 0 ? -1 : 0;
}

int nl_delivery_open(struct nl_delivery *d)
{
	d->stopped_at = NL_NEVER;
	nl_out_init(&d->text, 2 * NL_FACT_MAX);
	return open_outlets(d, d->sink);
}

static void close_outlets(struct nl_delivery *d, struct nl_sink *s)
{
	if (s->a) {
		close_outlets(d, s->a);
		close_outlets(d, s->b);
	} else if (s->outlet) {
		nl_ring_free(s->outlet->ring);
		nl_cast_close(d, s->outlet->cast);
		s->outlet = NULL;
	}
}

void nl_delivery_close(struct nl_delivery *d)
{
	close_outlets(d, d->sink);
	nl_sink_close(d->run, d->sink);
	nl_out_free(&d->text);
}
