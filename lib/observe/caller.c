/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caller.c - see caller.h.
 *
 * One that takes nothing for 10 s, or does not end its request within them, is
 * cut; a subscriber that is slower than the events loses some, and is told how
 * many, where they are missing.
 */
#include "observe/caller.h"

#include "mut.h"
#include "run.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

enum { REQUEST = 64 * 1024, BEHIND = 1 << 20 };
#define PATIENCE (10 * NL_SEC)

static void ready(struct nl_also *, short revents);

struct nl_caller *nl_caller_new(struct nl_serving *s, int fd)
{
	struct nl_caller *c = calloc(1, sizeof *c);
	if (c)
		c->in = malloc(REQUEST);
	if (!c || !c->in) {
		free(c);
		return NULL;
	}
	c->of = s;
	nl_out_init(&c->out, NL_RESULT_MAX + 2 * BEHIND);
	c->io = (struct nl_also){ .fd = fd, .events = POLLIN, .ready = ready };
	c->next = s->callers;
	s->callers = c;
	s->n++;
	nl_intake_also(s->in, &c->io);
	return c;
}

void nl_caller_cut(struct nl_caller *c)
{
	struct nl_caller **p = &c->of->callers;
	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	c->of->n--;
	nl_intake_forget(c->of->in, &c->io);
	if (!MUTANT(LEAKS_CALLER))
		c->of->in->run->os->close(c->io.fd);
	nl_out_free(&c->out);
	free(c->in);
	free(c);
}

static size_t waiting(const struct nl_caller *c)
{
	return c->out.n - c->taken;
}

static void put(struct nl_caller *c, const char *text, size_t n)
{
	if (waiting(c) == 0)
		c->moved_at = nl_now(c->of->in->run);
	if (c->taken > c->out.n / 2) {
		c->out.n -= c->taken;
		memmove(c->out.buf, c->out.buf + c->taken, c->out.n);
		c->taken = 0;
	}
	nl_out_bytes(&c->out, text, n);
}

/* What it has lost, once there is room again: in the place of what is missing. */
static void tell_loss(struct nl_caller *c)
{
	char text[48];
	if (c->lost && waiting(c) < BEHIND / 2) {
		put(c, text, (size_t)snprintf(text, sizeof text, "{\"lost\":%llu}\n", (unsigned long long)c->lost));
		c->lost = 0;
	}
}

/* False: it is gone. */
static bool flush(struct nl_caller *c)
{
	struct nl_run *run = c->of->in->run;
	while (waiting(c) > 0) {
		long n = run->os->syscall(SYS_sendto, c->io.fd, (long)(c->out.buf + c->taken), (long)waiting(c), MSG_NOSIGNAL | MSG_DONTWAIT, 0, 0);
		if (n == -EAGAIN && MUTANT(WAITS_FOR_SLOW))
			continue;
		if (n == -EAGAIN || n == -EINTR)
			break;
		if (n <= 0)
			return false;
		c->moved_at = nl_now(run);
		c->taken += (size_t)n;
	}
	if (c->out.lost)
		return false;                   // There was no memory: what follows would not be whole.
	tell_loss(c);
	if (waiting(c) == 0) {
		nl_out_free(&c->out);
		c->taken = 0;
	}
	return true;
}

static bool answer(struct nl_caller *c, const char *text, size_t n)
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

/* The next request when the reply to the one before is taken.  False: it is gone. */
static bool answer_all(struct nl_caller *c)
{
	static const char too_long[] = "{\"id\":null,\"result\":\"error\",\"message\":\"a request has at most 64 KiB\","
	                               "\"failure\":{\"kind\":\"invalid_args\"}}\n";
	char *newline;
	while (waiting(c) == 0 && (newline = memchr(c->in, '\n', c->nin))) {
		size_t n = (size_t)(newline - c->in) + 1;
		if (n > 1 && !c->skip && !answer(c, c->in, n - 1))
			return false;
		c->skip = false;
		c->nin -= n;
		memmove(c->in, c->in + n, c->nin);
		c->moved_at = nl_now(c->of->in->run);
		if (!flush(c))
			return false;
	}
	if (c->nin == REQUEST && waiting(c) == 0 && !MUTANT(KEEPS_LONG)) {
		if (!c->skip)
			put(c, too_long, sizeof too_long - 1);
		c->skip = true;
		c->nin = 0;
	}
	return flush(c);
}

/* False: it is gone. */
static bool take(struct nl_caller *c)
{
	if (c->nin == REQUEST)
		return true;
	if (c->nin == 0 && !c->skip && waiting(c) == 0)
		c->moved_at = nl_now(c->of->in->run);
	ssize_t n;
	do {
		n = c->of->in->run->os->read(c->io.fd, c->in + c->nin, REQUEST - c->nin);
		c->nin += n > 0 ? (size_t)n : 0;
	} while (MUTANT(WAITS_FOR_REST) && n != 0 && !memchr(c->in, '\n', c->nin));
	c->over |= n == 0;
	return n >= 0 || n == -EAGAIN || n == -EINTR;
}

static void ready(struct nl_also *also, short revents)
{
	struct nl_caller *c = (struct nl_caller *)also;
	bool there = flush(c) && !(revents & POLLERR);
	if (there && revents & POLLIN)
		there = take(c);
	else if (revents & POLLHUP)
		there = false;
	if (there && waiting(c) == 0)
		there = answer_all(c);
	if (!there || (c->over && !c->subscribed && waiting(c) == 0)) {
		nl_caller_cut(c);
		return;
	}
	// Nothing more is read before what there is was answered.
	c->io.events = (short)((waiting(c) ? POLLOUT : 0) | (c->over || c->nin == REQUEST ? 0 : POLLIN));
}

static void tell(struct nl_caller *c, struct nl_quote line)
{
	if (c->lost || waiting(c) + line.n >= BEHIND) {
		c->lost += !MUTANT(MISSES_UNTOLD);
		return;
	}
	put(c, line.s, line.n);
	put(c, "\n", 1);
	c->io.events |= POLLOUT;
}

void nl_callers_tell(struct nl_serving *s, struct nl_quote line)
{
	for (struct nl_caller *c = s->callers; c; c = c->next)
		if (c->subscribed)
			tell(c, line);
}

void nl_callers_cut_slow(struct nl_serving *s, nl_time now)
{
	for (struct nl_caller *c = s->callers, *next; c; c = next) {
		next = c->next;
		if ((waiting(c) || c->nin || c->skip) && now - c->moved_at > PATIENCE && !MUTANT(PATIENT))
			nl_caller_cut(c);
	}
}
