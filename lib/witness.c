/* SPDX-License-Identifier: Apache-2.0 */
/*
 * witness.c - see witness.h.
 *
 * Retry, timeout and fallback are called as they are, over a table of system
 * calls in which only the clock moves; played.c has the others.  Without shared
 * files nothing here can touch what is in use.
 */
#include "witness.h"

#include "event.h"
#include "io.h"
#include "opt.h"
#include "played.h"
#include "stack.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static struct nl_world *const w = &nl_world;

const char *nl_term_label(const struct nl_term *t, char *buf, size_t size)
{
	const char *what = !t->e ? "the command" : t->svc ? t->svc->layer->name : t->kind == NL_TERM_RACE ? "race" : t->kind == NL_TERM_FALLBACK ? "fallback" : "fail";
	if (!t->e)
		snprintf(buf, size, "%s", what);
	else if (t->e->at.file)
		snprintf(buf, size, "%s@%.60s:%u:%u", what, t->e->at.file, t->e->at.line, t->e->at.col);
	else if (t->e->at.line > 1)
		snprintf(buf, size, "%s@%u:%u", what, t->e->at.line, t->e->at.col);
	else
		snprintf(buf, size, "%s@col %u", what, t->e->at.col);
	return buf;
}

/* The system calls. */

static nl_time os_clock(int id)
{
	(void)id;
	return w->now;
}

static int os_random(void *buf, size_t n)
{
	memset(buf, 0, n);
	return 0;
}

static double os_unit(uint64_t *state)
{
	(void)state;
	return w->scene->lucky ? 1 - 0x1p-53 : 0;
}

static int os_sigwait(uint64_t set, siginfo_t *si, nl_time span)
{
	(void)set, (void)si;
	w->now = nl_after(w->now, span > 0 ? span : 0);
	return -EAGAIN;
}

static int os_none(int fd)
{
	(void)fd;
	return 0;
}

static int os_open(const char *path, int flags, int mode)
{
	(void)path, (void)flags, (void)mode;
	return -ENOENT;
}

static ssize_t os_write(int fd, const void *buf, size_t n)
{
	(void)fd, (void)buf;
	return (ssize_t)n;
}

static long os_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	(void)a, (void)c, (void)d, (void)e, (void)f;
	if (nr != SYS_fstat)
		return -ENOSYS;
	((struct stat *)b)->st_mode = S_IFCHR | 0600;
	return 0;
}

static const struct nl_os os = {
	.clock = os_clock, .random = os_random, .unit = os_unit, .sigwait = os_sigwait, .close = os_none, .open = os_open,
	.write = os_write, .syscall = os_syscall,
};

/* Options that would reach out of the play, or that no command here answers to. */
static bool is_kept(const char *word)
{
	static const char *const out[] = { "name", "state", "events", "on-retry", "on-giveup", "on-timeout", "report", "budget",
		"retry-after", "retry-if", "stale", "stdin", "hold", "quiet", "seed", "pin" };
	size_t n = strcspn(word, "=");
	for (size_t i = 0; i < sizeof out / sizeof *out; i++)
		if (strlen(out[i]) == n && !strncmp(out[i], word, n))
			return false;
	return true;
}

/* A real one, with the options that it has in the expression. */
static struct nl_svc *real(const struct nl_term *t)
{
	const struct nl_layer *layer = t->svc ? t->svc->layer : &nl_fallback;
	struct nl_svc *s = nl_arena_get(&w->mem, layer->size);
	char *none = NULL, **rest = &none;
	if (!s)
		return nl_fail(w->err, "out of memory"), NULL;
	s->layer = layer, s->cmd = layer->name, s->id = layer->name;
	for (char **word = t->e->words ? t->e->words + 1 : &none; *word; word++) {
		if (strncmp(*word, "--", 2)) {
			rest = word;
			break;
		}
		char *key = nl_arena_text(&w->mem, *word + 2, strlen(*word + 2)), *value = key ? strchr(key, '=') : NULL;
		if (value)
			*value++ = '\0';
		if (key && is_kept(key) && nl_opt_set(s, key, value, w->err))
			return NULL;
	}
	return layer->init(s, &rest, w->err) ? NULL : s;
}

static struct nl_svc *stack_of(const struct nl_term *t)
{
	struct nl_svc *s;
	const struct nl_layer *played = nl_played(t);
	if (!played) {
		s = real(t);
	} else {
		struct nl_part *p = nl_arena_get(&w->mem, sizeof *p);
		if (!p)
			return nl_fail(w->err, "out of memory"), NULL;
		p->t = t, s = &p->svc;
		w->first = t->kind == NL_TERM_COMMAND && !w->first ? s : w->first;
		s->layer = played, s->cmd = "COMMAND", s->id = "COMMAND";
	}
	if (!s)
		return NULL;
	w->made_of[w->made].svc = s, w->made_of[w->made++].t = t;
	struct nl_svc **last = &s->inner;
	for (const struct nl_term *i = t->inner; i; i = i->next, last = &(*last)->next)
		if (!(*last = stack_of(i)))
			return NULL;
	return s;
}

/* Its first lines and its last ones. */
static void tell_all(struct nl_witness *to)
{
	unsigned skip = w->n > NL_WITNESS_LINES ? w->n - NL_WITNESS_LINES + 1 : 0, front = skip ? 4 : w->n;
	to->lines = 0, to->runs = w->runs;
	for (unsigned i = 0; i < w->n; i++) {
		char *line = to->line[to->lines++];
		if (skip && i == front) {
			snprintf(line, sizeof to->line[0], "        ... %u more ...", skip);
			i += skip - 1;
			continue;
		}
		nl_time at = w->told[i].at / NL_MS;
		snprintf(line, sizeof to->line[0], "t=%-5.*f %.85s", at % 1000 ? 3 : 0, (double)at / 1000, w->told[i].text);
	}
}

int nl_witness_of(const struct nl_term *t, const struct nl_scene *scene, struct nl_witness *to, struct nl_err *err)
{
	static char *no_environ[] = { NULL };
	char rest[2][NL_REST], code[48];
	struct nl_fd_tap std[2];
	struct nl_signals signals = { .fd = -1 };
	struct nl_outcome o = { 0 };
	memset(w, 0, sizeof *w);
	w->scene = scene, w->err = err, w->mem.most = (size_t)16 << 20, w->now = NL_SEC;
	struct nl_svc *stack = stack_of(t);
	for (unsigned i = 0; stack && i < (scene->calls ? scene->calls : 1) && !w->endless; i++) {
		struct nl_run run = { .os = &os, .environ = no_environ, .pid = 1, .horizon = NL_NEVER, .signals = &signals, .std = std,
		                      .tool = "nl-run" };
		nl_fd_tap_init(&std[0], 1, rest[0]);
		nl_fd_tap_init(&std[1], 2, rest[1]);
		unsigned before = w->runs;
		w->now = i ? nl_after(w->now, scene->pause) : w->now;
		o = nl_do(stack, &run, (struct nl_req){ .limit = { .at = NL_NEVER }, .stop = { .grace = NL_NEVER }, .prev = -1, .now = w->now });
		if (!w->endless && w->runs - before != 1)
			nl_world_tell(w->now, "call %u ends with %s, after %u runs", i + 1, nl_outcome_text(o, code), w->runs - before);
		else if (!w->endless)
			nl_world_tell(w->now, "call %u ends with %s", i + 1, nl_outcome_text(o, code));
	}
	if (w->endless && w->runs == NL_PLAYED_RUNS)
		nl_world_tell(w->now, "and so on, without end");
	for (unsigned i = 0; i < w->n; i++)
		w->told[i].at -= NL_SEC;
	if (stack)
		tell_all(to);
	nl_arena_free(&w->mem);
	return stack ? 0 : -1;
}
