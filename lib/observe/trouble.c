/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trouble.c - what of the events is missing or cannot be trusted: lines for people,
 * or findings as JSON, of the same facts.
 */
#include "observe/query.h"

#include <stdio.h>

enum { NAMED = 3 };                     /* runs of a finding */

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
		[NL_LINE_NEWER] = "of a later version", [NL_LINE_DUP] = "read twice",
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

/* Counted, but not everywhere. */
static void put_untimely(struct nl_ask *ask, struct nl_out *o)
{
	uint64_t late = nl_system_lines(ask->system)[NL_LINE_LATE], skewed = nl_system_lines(ask->system)[NL_LINE_SKEWED];
	if (!late && !skewed)
		return;
	if (!ask->json) {
		nl_out_put(o, "counted in totals, not in windows: %llu late, %llu from the future\n", (unsigned long long)late, (unsigned long long)skewed);
		return;
	}
	begin(o, "untimely");
	nl_out_uint(o, "late", late);
	nl_out_uint(o, "skewed", skewed);
	nl_out_end(o, '}');
}

/* The worst runs that lost something, and of those without an end the last. */
struct bad { uint64_t run; const char *what; int64_t last_us, lost; };
struct worst { struct bad lost[NAMED], unended[NAMED]; unsigned nlost, nunended; };

static bool is_worse(const struct bad *a, const struct bad *b)
{
	if (a->lost != b->lost)
		return a->lost > b->lost;
	return a->last_us != b->last_us ? a->last_us > b->last_us : a->run < b->run;
}

static void note(struct bad *list, unsigned *n, struct bad is)
{
	unsigned at = *n < NAMED ? *n : NAMED;
	for (; at > 0 && is_worse(&is, &list[at - 1]); at--)
		if (at < NAMED)
			list[at] = list[at - 1];
	if (at < NAMED)
		list[at] = is;
	++*n;
}

static void note_run(uint64_t run, const char *what, int64_t first_us, int64_t last_us, int64_t lost, void *arg)
{
	struct worst *w = arg;
	struct bad is = { run, what, last_us, lost };
	(void)first_us;
	if (lost < 0)
		note(w->unended, &w->nunended, is);
	else
		note(w->lost, &w->nlost, is);
}

/* n: how many there are in all. */
static void put_named(struct nl_ask *ask, struct nl_out *o, const struct bad *list, uint64_t n, uint64_t all)
{
	char time[28], name[256];
	if (ask->json)
		nl_out_begin(o, "worst", '[');
	for (uint64_t i = 0; i < n && i < NAMED; i++) {
		const struct bad *is = &list[i];
		char run[17];
		snprintf(run, sizeof run, "%016llx", (unsigned long long)is->run);
		nl_time_text(is->last_us * NL_US, time);
		nl_safe_text(is->what, 40, name);
		if (!ask->json && is->lost >= 0)
			nl_out_put(o, "  %lld of run %s (%s, until %.19s)\n", (long long)is->lost, run, name, time);
		else if (!ask->json)
			nl_out_put(o, "  run %s (%s, last heard of %.19s)\n", run, name, time);
		if (!ask->json)
			continue;
		nl_out_begin(o, NULL, '{');
		nl_out_str(o, "run", run);
		nl_out_str(o, "policy", is->what);
		nl_out_time(o, "until", is->last_us * NL_US);
		if (is->lost >= 0)
			nl_out_uint(o, "lost", (uint64_t)is->lost);
		nl_out_end(o, '}');
	}
	if (ask->json)
		nl_out_end(o, ']');
	else if (all > NAMED && n)
		nl_out_put(o, "  and %llu more\n", (unsigned long long)(all - NAMED));
}

static void put_gap(struct nl_ask *ask, struct nl_out *o, const struct nl_runs_sum *sum, const struct worst *w)
{
	if (ask->json) {
		begin(o, "gap");
		nl_out_uint(o, "lost", sum->lost);
		nl_out_uint(o, "sent", sum->sent);
	} else {
		nl_out_put(o, "lost: %llu of %llu events that were sent\n", (unsigned long long)sum->lost, (unsigned long long)sum->sent);
	}
	put_named(ask, o, w->lost, w->nlost, w->nlost);
	if (ask->json)
		nl_out_end(o, '}');
}

static void put_unended(struct nl_ask *ask, struct nl_out *o, uint64_t n, const struct worst *w)
{
	if (ask->json) {
		begin(o, "unended");
		nl_out_uint(o, "runs", n);
	} else {
		nl_out_put(o, "%llu run%s without an end: killed, or still going on\n", (unsigned long long)n, plural(n));
	}
	put_named(ask, o, w->unended, w->nunended, n);
	if (ask->json)
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
	struct worst worst = { 0 };
	put_lines(ask, o);
	put_untimely(ask, o);
	if (sum.lost || sum.open)               // Without the memory to know them, none is named.
		(void)nl_runs_each_trouble(nl_system_runs(ask->system), note_run, &worst);
	if (sum.lost)
		put_gap(ask, o, &sum, &worst);
	if (sum.open)
		put_unended(ask, o, sum.open, &worst);
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
