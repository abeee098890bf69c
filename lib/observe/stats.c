/* SPDX-License-Identifier: Apache-2.0 */
/* stats.c - what became of every line, and what is known to be lost. */
#include "observe/observe.h"

#include <stdio.h>

static void put(struct nl_out *o, bool json, const char *key, uint64_t n)
{
	char line[60];
	if (json)
		nl_out_uint(o, key, n);
	else
		nl_out_bytes(o, line, (size_t)snprintf(line, sizeof line, "%s %llu\n", key, (unsigned long long)n));
}

void nl_put_stats(struct nl_out *o, const struct nl_system *system, bool json)
{
	const uint64_t *lines = nl_system_lines(system);
	struct nl_runs_sum runs = nl_runs_sum(nl_system_runs(system));
	if (json)
		nl_out_begin(o, NULL, '{');
	for (unsigned i = 0; i < NL_LINES; i++)
		put(o, json, nl_line_names[i], lines[i]);
	put(o, json, "lines", nl_lines_of(system));
	put(o, json, "runs", runs.runs);
	put(o, json, "ended", runs.ended);
	put(o, json, "killed", runs.open);
	put(o, json, "sent", runs.sent);
	put(o, json, "lost", runs.lost);
	put(o, json, "dropped", runs.dropped);
	put(o, json, "gaps", runs.gaps);
	put(o, json, "series", nl_system_count(system));
	put(o, json, "overflowed", nl_system_overflowed(system));
	if (json) {
		nl_out_end(o, '}');
		nl_out_bytes(o, "\n", 1);
	}
}
