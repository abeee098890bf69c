/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge.c - what a wrapper may do when a call of its own fails: the right
 * thing, or say on stderr that it could not and exit 125, 126 or 127.  Nothing
 * else: no hang, no spin, no other status, no 0 that is not one, nothing left.
 */
#include "sweep.h"

#include <stdio.h>
#include <string.h>

#define SPIN 0.05                       /* seconds of CPU beyond a run without fault */

/* One line from us, for people. */
static bool said(const char *err)
{
	const char *p = err;

	do {
		if (strncmp(p, "nl-", 3) == 0 || strncmp(p, "timeout: ", 9) == 0)
			return true;
		p = strchr(p, '\n');
	} while (p && *++p);
	return false;
}

/* A message cannot be had from a wrapper that cannot write. */
static bool mute(const struct fault *f)
{
	return strncmp(f->call, "write", 5) == 0 || strncmp(f->call, "pwrite", 6) == 0;
}

static bool allowed(const struct fault *f, const struct seen *s)
{
	const struct line *l = &lines[f->line];

	if (s->status == l->status)
		return true;
	switch (f->class) {
	case KILLED:
	case SPAWNING:
		return s->status == 137;
	case STOPPED:
		if (s->status == 143)
			return true;
		break;
	default:
		break;
	}
	if (!f->call[0] || s->status == 0)
		return false;
	return s->status == l->also || (s->status >= 125 && s->status <= 127 && (said(s->err) || mute(f)));
}

void judge(const struct fault *f, const struct seen *s, double idle_cpu, char *why, size_t size)
{
	const struct line *l = &lines[f->line];
	const char *out = l->out ? l->out : "";

	why[0] = '\0';
	if (s->status < 0)
		snprintf(why, size, "hangs");
	else if (s->cpu > idle_cpu + SPIN)
		snprintf(why, size, "spins: %.0f ms of CPU, %.0f without fault", s->cpu * 1e3, idle_cpu * 1e3);
	else if (!allowed(f, s))
		snprintf(why, size, "status %d, expected %d%s", s->status, l->status,
		         s->status >= 125 && s->status <= 127 ? " or a message" : "");
	else if (s->status == 0 && strcmp(s->out, out) != 0)
		snprintf(why, size, "status 0, but stdout has %zu bytes of %zu", s->nout, strlen(out));
	else if (s->left[0] && !(l->tree && (f->class == KILLED || strcmp(f->call, "kill") == 0)))
		snprintf(why, size, "leaves a process: %s", s->left);
	else if (s->litter)
		snprintf(why, size, "leaves a file");
	else if (s->torn)
		snprintf(why, size, "an event is not a whole line");
}
