/* SPDX-License-Identifier: Apache-2.0 */
/* story.c - see story.h: from the opening back to the calls, and on to what followed. */
#include "observe/story.h"

#include "parse.h"

#include <stdio.h>
#include <string.h>

static bool is_in_window(const struct nl_beat *b, const struct nl_beat *opened, uint32_t calls)
{
	const struct nl_shape *s = &opened->shape;
	if (opened->reason == NL_WHY_PROBE)
		return b->step == opened->step;
	if (s->kind == NL_WINDOW_COUNT && opened->reason != NL_WHY_CONSECUTIVE)
		return calls < s->n;
	if (s->kind == NL_WINDOW_TIME && opened->reason != NL_WHY_CONSECUTIVE)
		return opened->at_us * NL_US / s->width_ns - b->at_us * NL_US / s->width_ns < s->n;
	return b->result == NL_FAILURE;
}

const char *nl_story_end(int ws, char buf[32])
{
	struct nl_outcome o = { ws, NL_RAN };
	const char *name = nl_err_name(o, buf);
	return name ? name : "success";
}

static void classify(struct nl_story *s, const struct nl_beat *b)
{
	char buf[32];
	const char *end = nl_story_end(b->ws, buf);
	unsigned i = 0;
	while (i < NL_STORY_ENDS - 1 && s->class[i].n && strcmp(s->class[i].end, end))
		i++;
	snprintf(s->class[i].end, sizeof s->class[i].end, "%s", i < NL_STORY_ENDS - 1 ? end : "others");
	s->class[i].n++;
}

/* Is it one of those that opened it? */
static bool is_counted(const struct nl_story *s, const struct nl_beat *b)
{
	return s->slow ? b->dur_us * NL_US + 1 > s->slow_ns : b->result == NL_FAILURE;
}

/* From the opening back, through what was counted in the epoch before it. */
static void gather(struct nl_story *s, const struct nl_beat *first)
{
	for (const struct nl_beat *b = s->opened; b >= first && b->life == s->opened->life; b--) {
		if (b->kind != NL_BEAT_RESULT || b->epoch + 1 != s->opened->epoch || b->result == NL_IGNORED)
			continue;
		if (!is_in_window(b, s->opened, s->calls))
			break;
		s->calls++;
		if (!is_counted(s, b))
			continue;
		s->failures++;
		classify(s, b);
		if (s->shown < NL_STORY_CALLS)
			s->failed[s->shown++] = b;
	}
}

bool nl_story_find(struct nl_story *s, const struct nl_tapes *tapes, const struct nl_tape *t)
{
	*s = (struct nl_story){ 0 };
	for (size_t i = 0; i < t->n; i++) {
		const struct nl_beat *b = &t->beat[i];
		bool opens = b->kind == NL_BEAT_MOVED && b->to == NL_OPEN;
		if (opens && b->reason == NL_WHY_PROBE && s->opened && s->opened->life == b->life)
			s->reopened++;          // It is open for what opened it at first.
		else if (opens)
			s->opened = b, s->reopened = 0;
	}
	if (!s->opened)
		return false;
	struct nl_circuit_cfg rules = { 0 };
	struct nl_err err;
	s->slow = s->opened->reason == NL_WHY_SLOW && nl_tape_rules(tapes->texts.text[s->opened->cfg], NULL, 0, &rules, &err) == 0;
	s->slow_ns = rules.slow_ns;
	s->counted = s->slow ? (uint32_t)(((uint64_t)s->opened->rate_ppm * s->opened->calls + 500000) / 1000000)
	             : s->opened->reason == NL_WHY_PROBE ? 1 : s->opened->failures;
	gather(s, t->beat);
	for (size_t i = 0; i < t->n; i++) {
		const struct nl_beat *b = &t->beat[i];
		s->rejected += b->kind == NL_BEAT_REJECTED && b->life == s->opened->life && b->epoch >= s->opened->epoch && b->time_us >= s->opened->time_us;
		if (b <= s->opened || b->kind != NL_BEAT_MOVED || b->life != s->opened->life)
			continue;
		if (b->to == NL_HALF_OPEN && !s->tried)
			s->tried = b;
		if (b->to == NL_CLOSED && !s->closed)
			s->closed = b;
	}
	return true;
}
