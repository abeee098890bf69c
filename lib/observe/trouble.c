/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trouble.c - what of the events is missing or cannot be trusted: lines for people,
 * or findings as JSON, of the same facts.
 */
#include "observe/query.h"

#include <stdio.h>

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void begin(struct nl_out *o, const char *finding)
{
	nl_out_begin(o, NULL, '{');
	nl_out_str(o, "finding", finding);
}

static void put_lines(struct nl_ask *ask, struct nl_out *o)
{
	static const char *const what[NL_LINES] = {
		[NL_LINE_TORN] = "torn", [NL_LINE_BAD_JSON] = "bad", [NL_LINE_DUP_KEY] = "spliced", [NL_LINE_TOO_LONG] = "too long",
		[NL_LINE_NEWER] = "of a later version", [NL_LINE_DUP] = "read twice", [NL_LINE_LATE] = "late", [NL_LINE_SKEWED] = "from the future",
	};
	const uint64_t *lines = nl_system_lines(ask->system);
	bool any = false;
	for (unsigned i = 0; i < NL_LINES; i++) {
		if (!what[i] || !lines[i])
			continue;
		if (ask->json && !any)
			begin(o, "lines");
		if (ask->json)
			nl_out_uint(o, nl_line_names[i], lines[i]);
		else
			nl_out_put(o, "%s%llu %s", any ? ", " : "lines not counted: ", (unsigned long long)lines[i], what[i]);
		any = true;
	}
	if (any && ask->json)
		nl_out_end(o, '}');
	else if (any)
		nl_out_put(o, "\n");
}

static void put_gap(struct nl_ask *ask, struct nl_out *o, const struct nl_runs_sum *sum)
{
	if (!ask->json) {
		nl_out_put(o, "lost: %llu of %llu events that were sent\n", (unsigned long long)sum->lost, (unsigned long long)sum->sent);
		return;
	}
	begin(o, "gap");
	nl_out_uint(o, "lost", sum->lost);
	nl_out_uint(o, "sent", sum->sent);
	nl_out_end(o, '}');
}

/* finding, and one number of it. */
static void put_count(struct nl_ask *ask, struct nl_out *o, const char *finding, const char *key, uint64_t n, const char *text)
{
	if (!ask->json) {
		nl_out_put(o, "%s\n", text);
		return;
	}
	begin(o, finding);
	nl_out_uint(o, key, n);
	nl_out_end(o, '}');
}

static void put_mismatch(struct nl_ask *ask, struct nl_out *o, const struct nl_series *s)
{
	char text[200], name[256];
	if (!nl_ask_record(ask, s, text))
		return;
	if (!ask->json) {
		nl_out_put(o, "%s/%s: %s\n", s->kind_text, nl_safe_text(s->policy, 64, name), text);
		return;
	}
	begin(o, "mismatch");
	nl_out_str(o, "policy", s->policy);
	nl_out_str(o, "kind", s->kind_text);
	nl_out_str(o, "detail", text);
	nl_out_end(o, '}');
}

void nl_put_trouble(struct nl_ask *ask, struct nl_out *o)
{
	struct nl_runs_sum sum = nl_runs_sum(nl_system_runs(ask->system));
	uint64_t over = nl_system_overflowed(ask->system);
	char text[120];
	put_lines(ask, o);
	if (sum.lost)
		put_gap(ask, o, &sum);
	snprintf(text, sizeof text, "%llu run%s without an end: killed, or still going on", (unsigned long long)sum.open, plural(sum.open));
	if (sum.open)
		put_count(ask, o, "unended", "runs", sum.open, text);
	snprintf(text, sizeof text, "too many policies: %llu events are counted in _overflow (--max-series)", (unsigned long long)over);
	if (over)
		put_count(ask, o, "overflow", "events", over, text);
	if (nl_system_starved(ask->system) && ask->json) {
		begin(o, "memory");
		nl_out_end(o, '}');
	} else if (nl_system_starved(ask->system)) {
		nl_out_put(o, "there was not enough memory: counts are too low\n");
	}
	for (unsigned i = 0; i < nl_system_count(ask->system); i++)
		put_mismatch(ask, o, nl_system_series(ask->system, i));
}
