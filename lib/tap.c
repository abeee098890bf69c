/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap.c - filters on an output stream, and its two ends: a hold keeps the
 * bytes, a descriptor of ours takes them as fast as its reader does.
 *
 * A descriptor that we were given may be shared with anybody and is never made
 * non-blocking: it gets at most 4096 bytes (PIPE_BUF) after poll says that it
 * can take some.
 */
#include "io.h"

#include "run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static int fd_put(struct nl_tap *tap, struct nl_run *run, const char *buf, size_t n)
{
	struct nl_fd_tap *t = (struct nl_fd_tap *)tap;
	while (n > 0 && !t->error) {
		ssize_t r = run->os->write(t->fd, buf, n);
		if (r > 0) {
			buf += r, n -= (size_t)r, t->stalls = 0;
		} else if (r == -EAGAIN && n <= NL_REST && ++t->stalls < 100) {
			memmove(t->rest, buf, n);
			t->n = n;
			return 0;
		} else if (r != -EINTR || ++t->stalls > 100) {
			nl_swallow(run, (int)r);
			t->error = r < 0 ? (int)-r : EIO;
		}
	}
	t->n = 0;
	return -t->error;
}

void nl_fd_tap_init(struct nl_fd_tap *t, int fd, char *rest)
{
	t->tap = (struct nl_tap){ .put = fd_put };
	t->fd = fd, t->error = 0, t->n = 0, t->rest = rest, t->stalls = 0;
}

static int hold_put(struct nl_tap *tap, struct nl_run *run, const char *buf, size_t n)
{
	nl_spool_put(run, &((struct nl_hold *)tap)->spool, buf, n);    // A broken one is seen at delivery.
	return 0;
}

void nl_hold_init(struct nl_hold *h, struct nl_tap *next)
{
	*h = (struct nl_hold){ .tap = { .put = hold_put, .next = next }, .spool = NL_SPOOL_NONE };
}

/* Bytes of lines that are not events: the marker may come in pieces. */
static bool speaks(struct nl_idle_tap *t, const char *buf, size_t n)
{
	static const char mark[] = "{\"nl\":1,";
	bool life = false;
	for (size_t i = 0; i < n; i++) {
		if (!t->in_event && t->matched < sizeof mark - 1 && buf[i] == mark[t->matched]) {
			t->in_event = ++t->matched == sizeof mark - 1;
		} else if (!t->in_event) {
			t->matched = sizeof mark;
			life = true;
		}
		if (buf[i] == '\n')
			t->in_event = false, t->matched = 0;
	}
	return life;
}

static int idle_put(struct nl_tap *tap, struct nl_run *run, const char *buf, size_t n)
{
	struct nl_idle_tap *t = (struct nl_idle_tap *)tap;
	if (speaks(t, buf, n))
		t->idle->limit.at = nl_after(nl_now(run), t->idle->span);
	return tap->next->put(tap->next, run, buf, n);
}

void nl_idle_tap_init(struct nl_idle_tap *t, struct nl_idle *idle, struct nl_tap *next)
{
	*t = (struct nl_idle_tap){ .tap = { .put = idle_put, .next = next }, .idle = idle };
}

struct nl_tap *nl_chain(struct nl_run *run, const struct nl_req *q, int i)
{
	return q->io.tap[i] ? q->io.tap[i] : &run->std[i].tap;
}

struct nl_fd_tap *nl_chain_end(struct nl_tap *t)
{
	while (t->put != fd_put) {
		if (t->put == hold_put)
			return NULL;
		t = t->next;
	}
	return (struct nl_fd_tap *)t;
}

/* Waits until end can take bytes.  A stop signal that came before does not
 * matter: what ended well is still delivered. */
static enum nl_why wait_for_room(struct nl_run *run, const struct nl_req *q, struct nl_fd_tap *end)
{
	for (unsigned told = run->told;;) {
		struct pollfd p[2] = { { .fd = end->fd, .events = POLLOUT } };
		siginfo_t si;
		struct nl_limit limit = nl_limit(q);
		int sig = nl_poll(run, p, 1, limit.at, &si);
		if (sig > 0)
			nl_alone(run, sig);
		if (run->told != told)
			return nl_why_told(run);
		if (sig == NL_WAKE_TIME) {
			run->fired = limit.owner;
			return NL_DEADLINE;
		}
		if (sig != NL_WAKE_IO)
			continue;
		if (end->n == 0)
			return NL_RAN;
		if (fd_put(&end->tap, run, end->rest, end->n) == 0 && end->n == 0)
			return NL_RAN;
		if (end->error)
			return NL_RAN;
	}
}

static bool is_file(struct nl_run *run, int fd)
{
	struct stat st;
	return run->os->syscall(SYS_newfstatat, fd, (long)"", (long)&st, 0x1000 /* AT_EMPTY_PATH */, 0, 0) == 0
	       && S_ISREG(st.st_mode);
}

/* Behind the last piece: what the reader could not take at once. */
static enum nl_why flush(struct nl_run *run, const struct nl_req *q, struct nl_fd_tap *end, int *error)
{
	enum nl_why why = NL_RAN;
	while (end && end->n > 0 && !end->error && why == NL_RAN)
		why = wait_for_room(run, q, end);
	*error = end ? end->error : 0;
	return why;
}

enum nl_why nl_put(struct nl_run *run, const struct nl_req *q, struct nl_tap *to, const char *buf, size_t n, int *error)
{
	struct nl_fd_tap *end = nl_chain_end(to);
	*error = 0;
	while (n > 0 && !*error) {
		enum nl_why why = end ? wait_for_room(run, q, end) : NL_RAN;
		if (why != NL_RAN)
			return why;
		size_t piece = n < NL_REST ? n : NL_REST;
		*error = -to->put(to, run, buf, piece);
		buf += piece, n -= piece;
	}
	return *error ? NL_RAN : flush(run, q, end, error);
}

enum nl_why nl_copy(struct nl_run *run, const struct nl_req *q, const struct nl_spool *s, struct nl_tap *to, int *error)
{
	struct nl_fd_tap *end = nl_chain_end(to);
	char buf[16384];
	size_t piece = end && !is_file(run, end->fd) ? NL_REST : sizeof buf;
	unsigned tries = 0;
	*error = 0;
	for (off_t at = 0; at < s->len && !*error; ) {
		enum nl_why why = end ? wait_for_room(run, q, end) : NL_RAN;
		if (why != NL_RAN)
			return why;
		size_t want = s->len - at < (off_t)piece ? (size_t)(s->len - at) : piece;
		ssize_t n = run->os->pread(s->fd, buf, want, at);
		if (n == -EINTR && ++tries < 100)
			continue;
		if (n <= 0)
			*error = n < 0 ? (int)-n : EIO;
		else
			*error = -to->put(to, run, buf, (size_t)n);
		at += n;
	}
	return *error ? NL_RAN : flush(run, q, end, error);
}

struct nl_outcome nl_deliver(struct nl_run *run, const struct nl_req *q, struct nl_hold *h, int i, struct nl_outcome o,
                             const char **word)
{
	struct nl_spool *s = &h->spool;
	int error = 0;
	if (s->len == 0 && !s->broken)
		return o;
	enum nl_why why = s->broken ? NL_RAN : nl_copy(run, q, s, h->tap.next, &error);
	*word = why == NL_DEADLINE ? "deadline" : why == NL_CANCELLED ? "stopped" : error || s->broken ? "output" : *word;
	if (why != NL_RAN)
		return (struct nl_outcome){ run->stop_sig ? run->stop_sig : q->limit.sig, why };
	if (error == EPIPE)
		return (struct nl_outcome){ SIGPIPE, NL_RAN };
	if (error || s->broken) {
		nl_say(run, "%s: %s", i == 0 ? "stdout" : "stderr",
		       error ? strerror(error) : "the held output could not be kept: no room");
		return (struct nl_outcome){ NL_EXIT(NL_EX_FAIL), NL_RAN };
	}
	return o;
}
