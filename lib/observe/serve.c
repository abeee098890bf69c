/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve.c - answers those who connect, while the sources are followed.
 *
 * Everything about a client is bounded: how many there are, its request, what
 * waits for it.  One that takes nothing for 10 s is cut; a subscriber that is
 * slower than the events loses some, and is told how many, where they are missing.
 */
#include "observe/finding.h"
#include "observe/observe.h"
#include "observe/serve.h"
#include "run.h"
#include "socket.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

enum { CLIENTS = 64, REQUEST = 64 * 1024, BEHIND = 1 << 20 };
#define PATIENCE (10 * NL_SEC)
#define SOON (10 * NL_MS)

struct client {
	struct nl_also io;              /* first: ready has this */
	struct client *next;
	struct server *of;
	char *in;
	size_t nin;
	struct nl_out out;
	nl_time moved_at;               /* when it last took something */
	bool subscribed;
	uint64_t lost;                  /* events, not yet told */
};

struct server {
	struct nl_listener base;        /* first: line has this */
	struct nl_also listener;
	struct nl_ticker ticker, looker;
	struct nl_findings *findings;
	struct nl_socket socket;
	struct nl_ask *ask;
	struct nl_intake *in;
	struct nl_recent recent;
	struct client *clients;
	unsigned n;
};

static void drop(struct client *c)
{
	c->of->n--;
	nl_intake_forget(c->of->in, &c->io);
	c->of->in->run->os->close(c->io.fd);
	nl_out_free(&c->out);
	free(c->in);
	free(c);
}

static void cut(struct client *c)
{
	struct client **p = &c->of->clients;
	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	drop(c);
}

static void put(struct client *c, const char *text, size_t n)
{
	if (c->out.n == 0)
		c->moved_at = nl_now(c->of->in->run);
	nl_out_bytes(&c->out, text, n);
}

/* What it has lost, once there is room again: in the place of what is missing. */
static void tell_loss(struct client *c)
{
	char text[48];
	if (c->lost && c->out.n < BEHIND / 2) {
		put(c, text, (size_t)snprintf(text, sizeof text, "{\"lost\":%llu}\n", (unsigned long long)c->lost));
		c->lost = 0;
	}
}

/* False: it is gone. */
static bool flush(struct client *c)
{
	struct nl_run *run = c->of->in->run;
	while (c->out.n > 0) {
		long n = run->os->syscall(SYS_sendto, c->io.fd, (long)c->out.buf, (long)c->out.n, MSG_NOSIGNAL | MSG_DONTWAIT, 0, 0);
		if (n == -EAGAIN || n == -EINTR)
			break;
		if (n <= 0)
			return false;
		c->moved_at = nl_now(run);
		c->out.n -= (size_t)n;
		memmove(c->out.buf, c->out.buf + n, c->out.n);
	}
	if (c->out.lost)
		return false;                   // There was no memory: what follows would not be whole.
	tell_loss(c);
	if (c->out.n == 0)
		nl_out_free(&c->out);
	c->io.events = (short)(c->out.n ? POLLIN | POLLOUT : POLLIN);
	return true;
}

static bool answer(struct client *c, const char *text, size_t n)
{
	struct nl_ctx *ctx = calloc(1, sizeof *ctx);
	if (!ctx)
		return false;
	ctx->run = c->of->in->run, ctx->q = c->of->in->q;
	c->subscribed |= nl_serve_answer(ctx, c->of->ask, &c->of->recent, text, n);
	nl_out_bytes(&ctx->reply, "\n", 1);
	bool ok = !ctx->reply.lost;
	if (ok)
		put(c, ctx->reply.buf, ctx->reply.n);
	nl_ctx_free(ctx);
	free(ctx);
	return ok;
}

/* One request after the other: the next one when the reply is taken. */
static bool answer_all(struct client *c)
{
	char *newline;
	while (c->out.n == 0 && (newline = memchr(c->in, '\n', c->nin))) {
		size_t n = (size_t)(newline - c->in) + 1;
		if (n > 1 && !answer(c, c->in, n - 1))
			return false;
		c->nin -= n;
		memmove(c->in, c->in + n, c->nin);
		if (!flush(c))
			return false;
	}
	return c->nin < REQUEST;
}

static void client_ready(struct nl_also *also, short revents)
{
	struct client *c = (struct client *)also;
	bool there = flush(c);
	if (there && revents & (POLLIN | POLLHUP | POLLERR)) {
		ssize_t n = c->nin < REQUEST ? c->of->in->run->os->read(c->io.fd, c->in + c->nin, REQUEST - c->nin) : -EAGAIN;
		there = n > 0 || n == -EAGAIN || n == -EINTR;
		c->nin += n > 0 ? (size_t)n : 0;
	}
	if (there && c->out.n == 0)
		there = answer_all(c);
	if (!there)
		cut(c);
	else if (c->nin == REQUEST)
		c->io.events = POLLOUT;         // Nothing more is read before what there is was answered.
}

static void listener_ready(struct nl_also *also, short revents)
{
	struct server *s = (struct server *)((char *)also - offsetof(struct server, listener));
	static const char busy[] = "{\"id\":null,\"result\":\"error\",\"message\":\"too many clients\",\"failure\":{\"kind\":\"unavailable\"}}\n";
	struct nl_run *run = s->in->run;
	(void)revents;
	int fd = (int)run->os->syscall(SYS_accept4, s->socket.fd, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK, 0, 0);
	if (fd < 0)
		return;
	struct client *c = s->n < CLIENTS ? calloc(1, sizeof *c) : NULL;
	if (c)
		c->in = malloc(REQUEST);
	if (!c || !c->in) {
		run->os->syscall(SYS_sendto, fd, (long)busy, sizeof busy - 1, MSG_NOSIGNAL | MSG_DONTWAIT, 0, 0);
		run->os->close(fd);
		free(c);
		return;
	}
	c->of = s;
	nl_out_init(&c->out, NL_RESULT_MAX + 2 * BEHIND);
	c->io = (struct nl_also){ .fd = fd, .events = POLLIN, .ready = client_ready };
	c->next = s->clients;
	s->clients = c;
	s->n++;
	nl_intake_also(s->in, &c->io);
}

static void tell(struct client *c, struct nl_quote line)
{
	if (c->lost || c->out.n + line.n >= BEHIND) {
		c->lost++;
		return;
	}
	put(c, line.s, line.n);
	put(c, "\n", 1);
	c->io.events = POLLIN | POLLOUT;
}

static void tell_all(struct nl_quote line, void *arg)
{
	struct server *s = arg;
	for (struct client *c = s->clients; c; c = c->next)
		if (c->subscribed)
			tell(c, line);
}

static void line(struct nl_listener *base, enum nl_line what, const struct nl_fact *f, const char *text, size_t n)
{
	struct server *s = (struct server *)base;
	(void)text, (void)n;
	if (!f)
		return;
	nl_recent_put(&s->recent, f);
	if (what == NL_LINE_DUP)
		return;
	nl_findings_line(s->findings, f);
	tell_all(f->line, s);
}

/* In the middle of a file there is nothing to find: soon again. */
static bool look(struct nl_intake *in, nl_time now, void *arg)
{
	struct server *s = arg;
	if (nl_intake_is_idle(in))
		nl_findings_look(s->findings, now);
	else
		s->looker.at = nl_after(now, SOON);
	return true;
}

static bool cut_slow(struct nl_intake *in, nl_time now, void *arg)
{
	struct server *s = arg;
	(void)in;
	for (struct client *c = s->clients, *next; c; c = next) {
		next = c->next;
		if (c->out.n && now - c->moved_at > PATIENCE)
			cut(c);
	}
	return true;
}

static void serve_end(struct nl_ask *ask)
{
	struct server *s = ask->data;
	if (!s)
		return;
	for (struct client *c; (c = s->clients); drop(c))
		s->clients = c->next;
	nl_socket_drop(ask->run, &s->socket);
	nl_recent_free(&s->recent);
	nl_findings_free(s->findings);
	free(s);
	ask->data = NULL;
}

static int serve_begin(struct nl_ask *ask, struct nl_intake *in, struct nl_err *err)
{
	const char *path = ask->opts ? ask->opts->socket : NULL;
	if (!path)
		return nl_fail(err, "serve: at which socket? (--socket FILE)");
	struct server *s = calloc(1, sizeof *s);
	if (s)
		s->findings = nl_findings_new(ask, tell_all, s);
	if (!s || !s->findings || nl_socket_make(ask->run, &s->socket, path, SOCK_STREAM, err) < 0) {
		int r = s && s->findings ? -1 : nl_fail(err, "out of memory");
		if (s)
			nl_findings_free(s->findings);
		free(s);
		return r;
	}
	ask->data = s;
	s->ask = ask, s->in = in;
	nl_recent_init(&s->recent, in->system);
	s->base.line = line;
	s->listener = (struct nl_also){ .fd = s->socket.fd, .events = POLLIN, .ready = listener_ready };
	s->ticker = (struct nl_ticker){ .every = NL_SEC, .wake = cut_slow, .arg = s };
	nl_intake_listen(in, &s->base);
	nl_intake_also(in, &s->listener);
	s->looker = (struct nl_ticker){ .every = NL_SEC, .wake = look, .arg = s };
	nl_intake_tick(in, &s->ticker);
	nl_intake_tick(in, &s->looker);
	return 0;
}

static int serve_answer(struct nl_ask *ask, struct nl_out *o, struct nl_err *err)
{
	(void)ask, (void)o, (void)err;
	return 0;                               // All was answered while it went on.
}

const struct nl_query nl_q_serve = {
	.name = "serve", .args = "", .about = "answer those who ask at --socket, until told to stop", .live = true, .begin = serve_begin,
	.answer = serve_answer, .end = serve_end,
};
