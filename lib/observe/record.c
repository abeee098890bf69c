/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.c - a breaker as events tell of it, beside its record in the directory
 * of state: when they differ, events are missing, or somebody else's are read.
 */
#include "circuit.h"
#include "observe/query.h"
#include "state.h"

#include <stdio.h>
#include <string.h>

/* The record, when there is one that a process of this boot has written. */
static bool read_record(struct nl_ask *ask, const struct nl_series *s, struct nl_record *rec)
{
	struct nl_state state;
	char name[NL_NAME_MAX + 1];
	static const unsigned char none[sizeof rec->body];
	snprintf(name, sizeof name, "%.*s", NL_NAME_MAX, s->policy);
	bool is = nl_state_open(&state, ask->run, NULL, &nl_kind_breaker, name, NL_EXISTING) == 0 && nl_state_read(&state, rec) == 0
	          && memcmp(rec->body, none, sizeof none);
	nl_state_close(&state);
	return is;
}

bool nl_ask_record(struct nl_ask *ask, const struct nl_series *s, char text[200])
{
	struct nl_record rec;
	struct nl_circuit c;
	const char *told = nl_series_state(s);
	if (s->kind != NL_S_BREAKER || ask->past || !read_record(ask, s, &rec))
		return false;
	memcpy(&c, rec.body, sizeof c);
	const char *is = c.state < NL_CIRCUIT_STATES ? nl_circuit_name((enum nl_circuit_state)c.state) : "-";
	uint64_t epoch = s->nmoves ? s->move[s->nmoves - 1].epoch : rec.head.epoch;
	/* Each reset of a closed one is another epoch without a move. */
	bool was_reset = c.state == NL_CLOSED && epoch < rec.head.epoch;
	if (!strcmp(is, told) && (epoch == rec.head.epoch || was_reset))
		return false;
	snprintf(text, 200, "events say %s (epoch %llu), its record says %s (epoch %llu)", told, (unsigned long long)epoch, is,
	         (unsigned long long)rec.head.epoch);
	return true;
}
