/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch.c - a line for each change of a policy, until told to stop.
 *
 * Directories are watched, not files: policies come, and records are replaced.
 * What counts as a change: the state, the epoch, a live value, a bulkhead's
 * limit.  That time has passed is none.
 */
#include "watch.h"

#include "list.h"
#include "run.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>

#define MOST 4096                       /* policies that are remembered */
#define PACE (10 * NL_MS)               /* between two looks: a busy breaker is written all the time */

struct seen { char policy[NL_NAME_MAX + 20]; uint64_t mark; };

struct watch {
	struct nl_ctx *c;
	nl_watch_line *line;
	void *arg;
	int notify;                     /* inotify, or -1: asked each 200 ms */
	struct seen *seen;
	unsigned n;
	bool stop;
};

static uint64_t mix(uint64_t h, const char *s, size_t n)
{
	while (n--)
		h = (h ^ (unsigned char)*s++) * UINT64_C(0x100000001b3);
	return h;
}

/* What must differ for a line to be printed. */
static uint64_t mark_of(const char *text, size_t n)
{
	static const char *const keys[] = { "state", "epoch", "gen", "max", "trouble" };
	struct nl_json_tok tok[512];
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	if (nl_json_parse(text, n, tok, 512, NULL) <= 0)
		return 0;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		int at = nl_json_get(text, tok, 0, keys[i]);
		h = at < 0 ? h * 31 : mix(h, text + tok[at].start, tok[at].end - tok[at].start);
	}
	return h;
}

static bool is_wanted(const struct nl_ctx *c, const char *policy)
{
	char want[NL_NAME_MAX + 20];
	int list = nl_json_get(c->text, c->tok, c->args, "policies");
	if (list < 0 || !c->tok[list].size)
		return true;
	for (unsigned k = (unsigned)list + 1; k < c->tok[list].next; k = c->tok[k].next)
		if (nl_json_string(c->text, &c->tok[k], want, sizeof want) > 0
		    && (!strcmp(want, policy) || !strcmp(want, strchr(policy, '/') + 1)))
			return true;
	return false;
}

static void look(struct nl_ctx *c, const struct nl_kind *kind, const char *name, void *arg)
{
	struct watch *w = arg;
	char policy[NL_NAME_MAX + 20];
	struct nl_out o;
	unsigned i = 0;
	snprintf(policy, sizeof policy, "%s/%s", kind->name, name);
	if (w->stop || !is_wanted(c, policy))
		return;
	nl_out_init(&o, 1 << 20);
	nl_put_policy(c, &o, kind, name);
	uint64_t mark = o.lost ? 0 : mark_of(o.buf, o.n);
	while (i < w->n && strcmp(w->seen[i].policy, policy))
		i++;
	bool fresh = i == w->n;
	if (fresh && w->n < MOST)
		memcpy(w->seen[w->n++].policy, policy, sizeof policy);
	if (!o.lost && i < w->n && (fresh || w->seen[i].mark != mark)) {
		w->seen[i].mark = mark;
		w->stop = !w->line(c, o.buf, o.n, w->arg);
	}
	nl_out_free(&o);
}

/* Directories that are not there yet are looked for again each time. */
static void arm(struct watch *w)
{
	char path[PATH_MAX];
	const struct nl_os *os = w->c->run->os;
	if (w->notify < 0)
		return;
	for (int i = -1; i < 0 || nl_kinds[i]; i++) {
		snprintf(path, sizeof path, "%.4000s%s%s", w->c->root, i < 0 ? "" : "/", i < 0 ? "" : nl_kinds[i]->name);
		long r = os->syscall(SYS_inotify_add_watch, w->notify, (long)path,
		                     i < 0 ? IN_CREATE | IN_MOVED_TO : IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE, 0, 0, 0);
		if (r == -ENOSPC || (r < 0 && i < 0)) {         // No watches left, or no root yet.
			os->close(w->notify);
			w->notify = -1;
			return;
		}
	}
}

/* Until something may have changed.  False: told to stop. */
static bool wait_for_change(struct watch *w)
{
	struct nl_run *run = w->c->run;
	struct pollfd p[2] = { { .fd = w->notify, .events = POLLIN } };
	char events[4096];
	siginfo_t si;
	nl_time until = w->notify < 0 ? nl_after(nl_now(run), 200 * NL_MS) : NL_NEVER;
	int sig = nl_poll(run, p, 1, until, &si);
	if (sig > 0)
		nl_alone(run, sig);
	if (w->notify >= 0)
		while (run->os->read(w->notify, events, sizeof events) > 0)
			;
	return nl_sleep(run, *w->c->q, nl_after(nl_now(run), PACE)) == NL_RAN;
}

void nl_watch_all(struct nl_ctx *c, nl_watch_line *line, void *arg)
{
	struct watch w = { .c = c, .line = line, .arg = arg, .seen = calloc(MOST, sizeof *w.seen) };
	w.notify = (int)c->run->os->syscall(SYS_inotify_init1, IN_CLOEXEC | IN_NONBLOCK, 0, 0, 0, 0, 0);
	if (!w.seen)
		nl_refuse(c, NL_INTERNAL, NULL, "out of memory");
	while (w.seen && !w.stop) {
		arm(&w);                                // Then look: nothing can come between.
		if (nl_each_policy(c, NULL, look, &w) < 0 || w.stop || !wait_for_change(&w))
			break;
	}
	if (w.notify >= 0)
		c->run->os->close(w.notify);
	free(w.seen);
}
