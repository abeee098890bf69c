/* SPDX-License-Identifier: Apache-2.0 */
/* stays.c - see stays.h: from lines to calls. */
#include "observe/stays.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LATEST INT64_C(1000000000000000)        /* us: 31 years after a boot there are no events */

static void put(struct nl_stays *s, const struct nl_stay *stay)
{
	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		struct nl_stay *more = room < UINT32_MAX ? realloc(s->stay, room * sizeof *more) : NULL;
		if (!more) {
			s->starved = true;
			return;
		}
		s->stay = more, s->room = room;
	}
	s->stay[s->n++] = *stay;
}

static enum nl_turn fate_of(const char *refused)
{
	return !strcmp(refused, "saturated") ? NL_TURN_FULL : !strcmp(refused, "queue_full") ? NL_TURN_QUEUE_FULL
	       : !strcmp(refused, "timeout") ? NL_TURN_LATE : NL_TURN_STOPPED;
}

static void take_request(struct nl_stays *s, const struct nl_fact *f)
{
	char text[400];
	struct nl_stay is = {
		.span = f->span, .off_us = f->time_us - f->mono_us, .came_us = nl_fact_int(f, "came_us", -1), .decided_us = nl_fact_int(f, "decided_us", -1),
		.got_us = nl_fact_int(f, "got_us", -1), .left_us = nl_fact_int(f, "left_us", -1), .ok = f->told == NL_TOLD_SUCCESS, .wake_us = -1, .late_us = -1,
	};
	int64_t found = nl_fact_int(f, "found", -1);
	int64_t end = is.got_us < 0 ? is.decided_us : is.got_us;
	if (found < 0 || found > NL_SLOTS || is.left_us > LATEST || is.came_us < 0 || is.decided_us < is.came_us || end < is.decided_us || is.left_us < end) {
		s->left_out++;                  // It had no state, or its numbers cannot be.
		return;
	}
	is.found = (uint32_t)found;
	nl_fact_str(f, "cfg", text, sizeof text);
	is.cfg = nl_texts_add(&s->texts, text, UINT32_MAX);
	nl_fact_str(f, "refused", text, sizeof text);
	is.fate = is.got_us >= 0 ? NL_TURN_OURS : fate_of(text);
	put(s, &is);
}

/* Of a call that was killed there is no more. */
static void take_acquired(struct nl_stays *s, const struct nl_fact *f)
{
	char text[24];
	int64_t waited = f->waited_us > 0 ? f->waited_us : 0;
	if (f->mono_us < waited || f->mono_us > LATEST || f->active < 1 || f->active > NL_SLOTS || f->max < 1)
		return;
	snprintf(text, sizeof text, "max=%lld", (long long)f->max);
	put(s, &(struct nl_stay){
		.span = f->span, .off_us = f->time_us - f->mono_us, .came_us = f->mono_us - waited, .decided_us = f->mono_us - waited, .got_us = f->mono_us,
		.left_us = -1, .wake_us = -1, .late_us = -1, .found = (uint32_t)f->active - 1, .cfg = nl_texts_add(&s->texts, text, UINT32_MAX), .fate = NL_TURN_OURS,
	});
}

static void take_line(struct nl_listener *l, enum nl_line is, const struct nl_fact *f, const char *text, size_t n)
{
	struct nl_stays *s = (struct nl_stays *)l;
	(void)text, (void)n;
	if (!f || is == NL_LINE_DUP || f->mono_us < 0 || f->kind.n != 8 || memcmp(f->kind.s, "bulkhead", 8) || f->policy.n != strlen(s->name)
	    || memcmp(f->policy.s, s->name, f->policy.n))
		return;
	if (f->told == NL_TOLD_SUCCESS || f->told == NL_TOLD_FAILURE)
		take_request(s, f);
	else if (f->told == NL_TOLD_ACQUIRED)
		take_acquired(s, f);
}

void nl_stays_listen(struct nl_stays *s, const char *name, struct nl_intake *in)
{
	s->base.line = take_line;
	snprintf(s->name, sizeof s->name, "%s", name);
	nl_intake_listen(in, &s->base);
}

void nl_stays_free(struct nl_stays *s)
{
	free(s->stay);
	nl_texts_free(&s->texts);
}
