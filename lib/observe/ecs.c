/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ecs.c - an event in the Elastic Common Schema, nested: the keys of the table
 * where that has a place for them, all others under nl by their own names.  Two
 * fields of event say again what its readers know by these names.
 */
#include "observe/export.h"

#include <string.h>

static const char *const keys[] = { "event", "sev", "seq", "pid", "cmd", "exit", "err", "trace_id", "span_id", "parent_id", "host", "nl", "time" };
static const struct place { const char *group, *field; } places[] = {
	{ "event", "action" }, { "event", "severity" }, { "event", "sequence" }, { "process", "pid" }, { "process", "name" }, { "process", "exit_code" },
	{ "error", "type" }, { "trace", "id" }, { "span", "id" }, { "parent", "id" }, { "host", "name" }, { 0 }, { 0 },
};
enum { KEYS = sizeof keys / sizeof *keys, TIME = KEYS - 1 };
_Static_assert(KEYS == sizeof places / sizeof *places, "a place for each key");

/* Places of a group stand together in the table: from i on, those that the event has.  The next group's first. */
static int put_group(struct nl_out *o, const struct nl_members *m, const struct nl_fact *f, const unsigned at[KEYS], int i)
{
	const char *group = places[i].group;
	bool event = i == 0, open = event;
	if (event) {
		nl_out_begin(o, group, '{');
		nl_out_str(o, "kind", "event");
		if (f->dur_us >= 0)
			nl_out_int(o, "duration", f->dur_us * NL_US);
		if (f->told == NL_TOLD_SUCCESS || f->told == NL_TOLD_FAILURE)
			nl_out_str(o, "outcome", f->told == NL_TOLD_SUCCESS ? "success" : "failure");
	}
	for (; places[i].group && !strcmp(places[i].group, group); i++) {
		if (!at[i])
			continue;
		if (!open)
			nl_out_begin(o, group, '{');
		open = true;
		nl_member_put(o, places[i].field, m, at[i] + 1);
	}
	if (open)
		nl_out_end(o, '}');
	return i;
}

void nl_ecs_line(struct nl_out *o, const struct nl_fact *f)
{
	struct nl_members m;
	unsigned at[KEYS] = { 0 };
	nl_members_read(&m, f);
	for (unsigned k = 1; k < m.tok->next; k = m.tok[k + 1].next) {
		int i = nl_member_in(&m, k, keys, KEYS);
		if (i >= 0)
			at[i] = k;
	}
	nl_out_begin(o, NULL, '{');
	nl_member_put(o, "@timestamp", &m, at[TIME] + 1);
	nl_out_put(o, ",\"ecs\":{\"version\":\"8.11.0\"}");
	for (int i = 0; places[i].group; )
		i = put_group(o, &m, f, at, i);
	nl_out_begin(o, "nl", '{');
	for (unsigned k = 1; k < m.tok->next; k = m.tok[k + 1].next)
		if (nl_member_in(&m, k, keys, KEYS) < 0)
			nl_member_keep(o, &m, k);
	nl_out_put(o, "}}");
}
