/* SPDX-License-Identifier: Apache-2.0 */
/* recent.c - the last events, for queries that need more than sums. */
#include "observe/serve.h"

#include <stdlib.h>
#include <string.h>

void nl_recent_put(struct nl_recent *r, struct nl_quote line)
{
	if (r->n[1] + line.n + 1 > NL_RECENT_BLOCK) {
		char *old = r->block[0];
		r->dropped |= r->n[0] > 0;
		r->block[0] = r->block[1], r->n[0] = r->n[1];
		r->block[1] = old, r->n[1] = 0;
	}
	if (!r->block[1] && !(r->block[1] = malloc(NL_RECENT_BLOCK))) {
		r->dropped = true;
		return;
	}
	memcpy(r->block[1] + r->n[1], line.s, line.n);
	r->n[1] += line.n;
	r->block[1][r->n[1]++] = '\n';
}

static void feed_line(struct nl_intake *in, const char *text, size_t n, char room[NL_FACT_MAX])
{
	struct nl_fact f;
	if (nl_fact_read(&f, text, n, room) != NL_LINE_OK || f.time_us < in->from_us || (in->to_us && f.time_us > in->to_us))
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
