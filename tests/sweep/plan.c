/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.c - which calls a line makes, read from its trace, and the faults that
 * follow from them.
 */
#include "sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const errors[] = { "EINTR", "EIO", "ENOMEM", "EMFILE", "EAGAIN", "ENOSPC", "EPERM", "ENOSYS" };

/* What fails before main() is the C library's to handle, and exit does not.  An
 * injected error means that the call was not made, but Linux closes whatever
 * close(2) returns: a pipe that stays open here would have no end. */
static bool skipped(const char *name, enum fault_class c, const struct line *l)
{
	static const char *const libc[] = { "execve", "arch_prctl", "set_tid_address", "rt_sigreturn", "exit_group", "exit" };

	if (c == KILLED || c == STOPPED)
		return strcmp(name, "execve") == 0;
	if (l->in && strcmp(name, "close") == 0)
		return true;
	for (size_t i = 0; i < sizeof libc / sizeof *libc; i++)
		if (strcmp(name, libc[i]) == 0)
			return true;
	return false;
}

static struct call *find_call(struct base *b, const char *name, size_t n)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		if (strlen(b->call[i].name) == n && memcmp(b->call[i].name, name, n) == 0)
			return &b->call[i];
	if (i == MAXCALLS || n >= sizeof b->call[i].name)
		return NULL;
	memcpy(b->call[i].name, name, n);
	b->n++;
	return &b->call[i];
}

void read_trace(struct base *b, const char *path, bool followed)
{
	struct call run[MAXCALLS] = { 0 };
	char text[1024];
	long us = 0, child = 0;
	bool ran = false, started = false;
	FILE *f = fopen(path, "re");

	while (f && fgets(text, sizeof text, f)) {
		char *p = text;
		struct call *c;
		size_t n;

		if (followed) {
			long pid = strtol(p, &p, 10);

			p += strspn(p, " ");
			us = us ? us : pid;
			if (pid == us)
				continue;
			child = child ? child : pid;
			if (pid != child || ran)
				continue;
		}
		n = strspn(p, "abcdefghijklmnopqrstuvwxyz_0123456789");
		if (n == 0 || p[n] != '(')
			continue;
		c = find_call(b, p, n);
		if (!c)
			continue;
		if (followed)
			c->child++;
		else
			run[c - b->call].count++;
		started = started || (!followed && strncmp(p, "vfork", 5) == 0);
		if (!followed && !started)
			run[c - b->call].start++;
		if (followed && strncmp(p, "execve", 6) == 0 && !strstr(p, ") = -1"))
			ran = true;
	}
	if (f)
		fclose(f);
	for (size_t i = 0; i < b->n && !followed; i++) {
		if (run[i].count > b->call[i].count)
			b->call[i].count = run[i].count;
		b->call[i].start = run[i].start;
	}
}

static void add(struct plan *p, struct fault f, const char *call)
{
	if (p->n == MAXFAULTS) {
		fputs("sweep: more faults than MAXFAULTS\n", stderr);
		exit(2);                        // None is left out in silence.
	}
	snprintf(f.call, sizeof f.call, "%s", call);
	p->fault[p->n++] = f;
}

static void plan_errors(struct plan *p, const struct fault *f, const struct call *c)
{
	for (size_t e = 0; e < sizeof errors / sizeof *errors; e++)
		for (int on = 0; on < 2; on++) {
			struct fault g = *f;

			/* Of a lock it is no failure but an answer: somebody else has it. */
			if (strcmp(c->name, "fcntl") == 0 && strcmp(errors[e], "EAGAIN") == 0)
				continue;

			if (g.class != CHILD)
				g.class = on ? ERROR_ON : ERROR_ONCE;
			g.error = errors[e];
			g.on = on;
			if (p->classes[g.class])
				add(p, g, c->name);
		}
}

/* All of the first calls and the last, every third between. */
static bool sampled(unsigned k, unsigned count)
{
	return k <= 4 || k == count || k % 3 == 0;
}

static void plan_call(struct plan *p, unsigned line, const struct call *c, unsigned shared)
{
	/* The exec that strace itself does is the wrapper's first, hence not the
	 * child's: PATH begins with a directory that has no command. */
	unsigned first = strcmp(c->name, "execve") == 0 ? 2 : 1;

	for (unsigned k = shared + 1; k <= c->count; k++) {
		struct fault f = { .line = line, .k = k };

		if (!sampled(k, c->count))
			continue;
		if (!skipped(c->name, ERROR_ONCE, &lines[line]))
			plan_errors(p, &f, c);
		for (f.class = KILLED; f.class <= STOPPED; f.class++)
			if (p->classes[f.class] && !skipped(c->name, f.class, &lines[line]))
				add(p, f, c->name);
	}
	for (unsigned k = first; k <= c->child; k++) {
		struct fault f = { .class = CHILD, .line = line, .k = k };

		if (p->classes[CHILD])
			plan_errors(p, &f, c);
		f.class = SPAWNING;
		if (p->classes[SPAWNING])
			add(p, f, c->name);
	}
}

/* Keeps `most` faults, spread evenly: a fixed shuffle, then the first ones. */
static void thin_out(struct plan *p)
{
	unsigned long long x = 9;

	for (size_t i = 0; i < p->most && i < p->n; i++) {
		size_t j;
		struct fault f = p->fault[i];

		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		j = i + (size_t)(x >> 33) % (p->n - i);
		p->fault[i] = p->fault[j];
		p->fault[j] = f;
	}
	if (p->n > p->most)
		p->n = p->most;
}

/* How many calls of this name the line has in common with the first line of the
 * same tool, before anything is started: swept there. */
static unsigned start_calls(const struct base *base, unsigned line, const char *name)
{
	size_t tool = strcspn(lines[line].cmd, " ");
	unsigned l = 0;

	while (lines[l].env != lines[line].env || strncmp(lines[l].cmd, lines[line].cmd, tool + 1) != 0)
		l++;
	for (size_t i = 0; l < line && i < base[l].n; i++)
		if (strcmp(base[l].call[i].name, name) == 0)
			return base[l].call[i].start;
	return 0;
}

void plan_faults(struct plan *p, const struct base *base)
{
	for (unsigned l = 0; l < nlines; l++)
		for (size_t i = 0; i < base[l].n && !base[l].why[0]; i++)
			plan_call(p, l, &base[l].call[i], start_calls(base, l, base[l].call[i].name));
	p->planned = p->n;
	thin_out(p);
}
