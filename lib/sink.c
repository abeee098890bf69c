/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink.c - where events go: the algebra of places.
 */
#include "sink.h"

#include "event.h"
#include "run.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

int nl_sink_put(struct nl_sink *s, struct nl_event *e)
{
	if (s->type == NL_SINK_BOTH) {
		int a = nl_sink_put(s->a, e), b = nl_sink_put(s->b, e);
		return a < 0 && b < 0 ? -1 : 0;
	}
	if (s->type == NL_SINK_ELSE)
		return nl_sink_put(s->a, e) < 0 ? nl_sink_put(s->b, e) : 0;
	return nl_place_put(s, e);
}

int nl_sink_level(const struct nl_sink *s)
{
	if (!s || s->type == NL_SINK_OFF)
		return 100;
	if (!s->a)
		return s->level;
	int a = nl_sink_level(s->a), b = nl_sink_level(s->b);
	return a < b ? a : b;
}

bool nl_sink_has_human(const struct nl_sink *s)
{
	return s && (s->type == NL_SINK_HUMAN || nl_sink_has_human(s->a) || nl_sink_has_human(s->b));
}

void nl_sink_anew(struct nl_sink *s)
{
	if (!s)
		return;
	s->sent = s->dropped = 0;
	nl_sink_anew(s->a);
	nl_sink_anew(s->b);
}

void nl_sink_close(struct nl_run *run, struct nl_sink *s)
{
	if (!s)
		return;
	nl_place_close(run, s);
	nl_sink_close(run, s->a);
	nl_sink_close(run, s->b);
}

void nl_sink_free(struct nl_sink *s)
{
	if (!s)
		return;
	nl_sink_free(s->a);
	nl_sink_free(s->b);
	free(s->text);
	free(s);
}

struct nl_sink *nl_sink_default(struct nl_run *run)
{
	char termios[64];
	bool tty = run->os->syscall(SYS_ioctl, 2, TCGETS, (long)termios, 0, 0, 0) == 0;
	struct nl_sink *s = calloc(1, sizeof *s);
	if (s)
		*s = (struct nl_sink){ .type = tty ? NL_SINK_HUMAN : NL_SINK_FD, .fd = 2, .level = NL_INFO };
	return s;
}
