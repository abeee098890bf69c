/* SPDX-License-Identifier: Apache-2.0 */
/* recent.c - the last events, for queries that need more than sums. */
#include "observe/serve.h"

#include <stdlib.h>
#include <string.h>

static void lose(struct nl_recent *r, int64_t last_us)
{
	r->gone_us = r->gone && r->gone_us > last_us ? r->gone_us : last_us;
	r->gone = true;
}

static uint64_t events_of(const struct nl_system *s)
{
	const uint64_t *lines = nl_system_lines(s);
	return lines[NL_LINE_OK] + lines[NL_LINE_DUP] + lines[NL_LINE_LATE] + lines[NL_LINE_SKEWED];
}

void nl_recent_init(struct nl_recent *r, const struct nl_system *s)
{
	r->seen = events_of(s);
	if (r->seen)
		lose(r, nl_system_latest(s));
}

bool nl_recent_lacks(const struct nl_recent *r, const struct nl_system *s)
{
	return events_of(s) > r->seen;
}

void nl_recent_put(struct nl_recent *r, const struct nl_fact *f)
{
	struct nl_quote line = f->line;
	r->seen++;
	if (r->n[1] + line.n + 1 > NL_RECENT_BLOCK) {
		char *old = r->block[0];
		if (r->n[0] > 0)
			lose(r, r->last_us[0]);
		r->block[0] = r->block[1], r->n[0] = r->n[1], r->last_us[0] = r->last_us[1];
		r->block[1] = old, r->n[1] = 0;
	}
	if (!r->block[1] && !(r->block[1] = malloc(NL_RECENT_BLOCK))) {
		lose(r, f->time_us);
		return;
	}
	if (r->n[1] == 0 || f->time_us > r->last_us[1])
		r->last_us[1] = f->time_us;
	memcpy(r->block[1] + r->n[1], line.s, line.n);
	r->n[1] += line.n;
	r->block[1][r->n[1]++] = '\n';
}

static void feed_line(struct nl_intake *in, const char *text, size_t n, char room[NL_FACT_MAX])
{
	struct nl_fact f;
	if (nl_fact_read(&f, text, n, room) != NL_LINE_OK)
		return;
	if (f.time_us < in->from_us)
		nl_system_pass(in->system, &f);
	if (f.time_us < in->from_us || (in->to_us && f.time_us > in->to_us))
		return;
	enum nl_line what = nl_system_take(in->system, &f, 0);
	for (struct nl_listener *l = in->listeners; l; l = l->next)
		l->line(l, what, &f, text, n);
}

void nl_recent_feed(const struct nl_recent *r, struct nl_intake *in)
{
	char room[NL_FACT_MAX];
	for (int i = 0; i < 2; i++)
		for (size_t at = 0; at < r->n[i]; ) {
			const char *text = r->block[i] + at, *end = memchr(text, '\n', r->n[i] - at);
			feed_line(in, text, (size_t)(end - text), room);
			at += (size_t)(end - text) + 1;
		}
}

void nl_recent_free(struct nl_recent *r)
{
	free(r->block[0]);
	free(r->block[1]);
	*r = (struct nl_recent){ 0 };
}
