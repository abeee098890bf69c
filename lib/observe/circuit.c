/* SPDX-License-Identifier: Apache-2.0 */
/* circuit.c - what a breaker did: its state now, and each change with its reason. */
#include "observe/query.h"

#include "circuit.h"

#include <stdio.h>
#include <string.h>

static const char *name(uint8_t state)
{
	return state < NL_CIRCUIT_STATES ? nl_circuit_name((enum nl_circuit_state)state) : "-";
}

/* "12:03:04", with the day before it when that is another than the line's before. */
static void put_time(struct nl_out *o, int64_t us, int64_t before)
{
	char t[28];
	nl_time_text(us * NL_US, t);
	t[10] = ' ';
	nl_out_put(o, "%.*s  ", before >= 0 && us / 86400000000 == before / 86400000000 ? 8 : 19,
	           before >= 0 && us / 86400000000 == before / 86400000000 ? t + 11 : t);
}

static void put_text(struct nl_ask *ask, struct nl_out *o, const struct nl_series *s)
{
	char text[32], safe[256], record[200];
	nl_out_put(o, "%s/%s  %s\n", s->kind_text, nl_safe_text(s->policy, 64, safe), nl_series_state(s));
	nl_out_put(o, "calls     %llu, %llu failed, %llu rejected\n", (unsigned long long)(s->all.requests), (unsigned long long)s->all.failures,
	           (unsigned long long)s->rejected);
	if (nl_ask_record(ask, s, record))
		nl_out_put(o, "finding   %s\n", record);
	nl_out_put(o, "opened    %llu time%s\n", (unsigned long long)s->opens, s->opens == 1 ? "" : "s");
	if (s->all_moves > s->nmoves)
		nl_out_put(o, "          (the last %u of %llu changes)\n", s->nmoves, (unsigned long long)s->all_moves);
	for (unsigned i = 0; i < s->nmoves; i++) {
		const struct nl_move *m = &s->move[i];
		nl_out_put(o, i ? "          " : "changes   ");
		put_time(o, m->time_us, i ? s->move[i - 1].time_us : -1);
		nl_out_put(o, "%s -> %s", name(m->from), name(m->to));
		if (m->reason[0])
			nl_out_put(o, ", %s", nl_safe_text(m->reason, 20, safe));
		if (i + 1 < s->nmoves)
			nl_out_put(o, ", for %s", nl_span_text((double)(s->move[i + 1].time_us - m->time_us) / 1e6, text));
		nl_out_put(o, "\n");
	}
}

static void put_json(struct nl_ask *ask, struct nl_out *o, const struct nl_series *s)
{
	char record[200];
	nl_out_begin(o, NULL, '{');
	nl_out_str(o, "policy", s->policy);
	nl_out_str(o, "kind", s->kind_text);
	nl_out_str(o, "state", nl_series_state(s));
	nl_out_uint(o, "requests", s->all.requests);
	nl_out_uint(o, "failures", s->all.failures);
	nl_out_uint(o, "rejected", s->rejected);
	nl_out_uint(o, "opened", s->opens);
	nl_out_uint(o, "changes", s->all_moves);
	if (nl_ask_record(ask, s, record))
		nl_out_str(o, "finding", record);
	nl_out_begin(o, "last", '[');
	for (unsigned i = 0; i < s->nmoves; i++) {
		nl_out_begin(o, NULL, '{');
		nl_out_time(o, "time", s->move[i].time_us * NL_US);
		nl_out_str(o, "from", name(s->move[i].from));
		nl_out_str(o, "to", name(s->move[i].to));
		nl_out_str(o, "reason", s->move[i].reason);
		nl_out_uint(o, "epoch", s->move[i].epoch);
		nl_out_end(o, '}');
	}
	nl_out_put(o, "]}\n");
}

static int circuit_answer(struct nl_ask *ask, struct nl_out *o, struct nl_err *err)
{
	const struct nl_series *s = nl_ask_series(ask, ask->arg[0], err);
	if (!s)
		return 1;
	if (s->kind != NL_S_BREAKER) {
		nl_fail(err, "%s/%.64s: is no breaker", s->kind_text, s->policy);
		return 1;
	}
	if (ask->json)
		put_json(ask, o, s);
	else
		put_text(ask, o, s);
	return 0;
}

const struct nl_query nl_q_circuit = {
	.name = "circuit", .args = "BREAKER", .about = "its state, and each change with the reason", .least = 1, .most = 1, .answer = circuit_answer,
};
