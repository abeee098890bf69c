/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp.c - an event as a line of OTLP/JSON logs, as the file exporter of
 * OpenTelemetry writes them.
 *
 *	time        timeUnixNano (and nl.time, where that is not exactly it)
 *	event, sev  eventName, severityNumber
 *	trace_id, span_id               traceId, spanId, where there are both and neither is 0
 *	those of the table below        attributes of these names
 *	k                               attribute nl.k
 *	k with a dot in it              attribute nl..k, so that none has the name of another
 */
#include "observe/export.h"

#include "event.h"

#include <string.h>

static const char *const record[] = { "nl", "event", "sev", "time", "trace_id", "span_id" };
enum { NL, EVENT, SEV, TIME, TRACE, SPAN, RECORDS };
static const char *const keys[] = { "policy", "kind", "pid", "cmd", "exit", "err", "host" };
static const char *const attributes[] = {
	"nl.policy.name", "nl.policy.kind", "process.pid", "process.executable.name", "process.exit.code", "error.type", "host.name",
};
#define ATTRIBUTES (sizeof keys / sizeof *keys)
_Static_assert(ATTRIBUTES == sizeof attributes / sizeof *attributes, "a name for each key");

static void put_value(struct nl_out *o, const struct nl_members *m, unsigned i);

static void put_list(struct nl_out *o, const struct nl_members *m, unsigned i)
{
	bool object = m->tok[i].type == NL_JSON_OBJECT;
	nl_out_begin(o, object ? "kvlistValue" : "arrayValue", '{');
	nl_out_begin(o, "values", '[');
	for (unsigned k = i + 1; k < m->tok[i].next; k = m->tok[object ? k + 1 : k].next) {
		nl_out_begin(o, NULL, '{');
		if (object) {
			nl_member_put(o, "key", m, k);
			nl_out_begin(o, "value", '{');
			put_value(o, m, k + 1);
			nl_out_end(o, '}');
		} else {
			put_value(o, m, k);
		}
		nl_out_end(o, '}');
	}
	nl_out_put(o, "]}");
}

/* What is in an AnyValue; null is an empty one. */
static void put_value(struct nl_out *o, const struct nl_members *m, unsigned i)
{
	int64_t whole;
	switch (m->tok[i].type) {
	case NL_JSON_NULL:
		return;
	case NL_JSON_FALSE: case NL_JSON_TRUE:
		nl_out_bool(o, "boolValue", m->tok[i].type == NL_JSON_TRUE);
		return;
	case NL_JSON_STRING:
		nl_member_put(o, "stringValue", m, i);
		return;
	case NL_JSON_NUMBER:
		if (nl_json_integer(m->s, &m->tok[i], &whole))
			nl_out_strn(o, "intValue", m->s + m->tok[i].start, m->tok[i].end - m->tok[i].start);
		else
			nl_member_put(o, "doubleValue", m, i);
		return;
	case NL_JSON_ARRAY: case NL_JSON_OBJECT:
		put_list(o, m, i);
		return;
	}
}

static bool has_dot(const struct nl_members *m, unsigned key)
{
	char name[NL_FACT_MAX];
	int n = nl_json_string(m->s, &m->tok[key], name, sizeof name);
	return n > 0 && memchr(name, '.', (size_t)n);
}

static void put_attribute(struct nl_out *o, const struct nl_members *m, unsigned key)
{
	int i = nl_member_in(m, key, keys, ATTRIBUTES);
	nl_out_begin(o, NULL, '{');
	if (i >= 0) {
		nl_out_str(o, "key", attributes[i]);
	} else {
		nl_out_put(o, "\"key\":\"%s", has_dot(m, key) ? "nl.." : "nl.");
		nl_member_text(o, m, key);
		nl_out_bytes(o, "\"", 1);
	}
	nl_out_begin(o, "value", '{');
	put_value(o, m, key + 1);
	nl_out_put(o, "}}");
}

void nl_otlp_line(struct nl_out *o, const struct nl_fact *f)
{
	struct nl_members m;
	unsigned at[RECORDS] = { 0 };
	char time[28];
	long long ns = f->time_us * NL_US;
	nl_members_read(&m, f);
	for (unsigned k = 1; k < m.tok->next; k = m.tok[k + 1].next) {
		int i = nl_member_in(&m, k, record, RECORDS);
		if (i >= 0)
			at[i] = k;
	}
	if (!at[TRACE] || !at[SPAN] || !(f->trace[0] | f->trace[1]) || !f->span)
		at[TRACE] = at[SPAN] = 0;
	if (strncmp(nl_time_text(ns, time), m.s + m.tok[at[TIME] + 1].start, 27) != 0)
		at[TIME] = 0;           // A leap second.
	nl_out_put(o, "{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"ninelives\"}}]},"
	           "\"scopeLogs\":[{\"scope\":{\"name\":\"ninelives\"},\"logRecords\":[{\"timeUnixNano\":\"%lld\"", ns);
	nl_member_put(o, "severityNumber", &m, at[SEV] + 1);
	nl_member_put(o, "eventName", &m, at[EVENT] + 1);
	if (at[TRACE]) {
		nl_member_put(o, "traceId", &m, at[TRACE] + 1);
		nl_member_put(o, "spanId", &m, at[SPAN] + 1);
	}
	nl_out_begin(o, "attributes", '[');
	for (unsigned k = 1; k < m.tok->next; k = m.tok[k + 1].next) {
		bool taken = false;
		for (unsigned i = 0; i < RECORDS; i++)
			taken |= at[i] == k;
		if (!taken)
			put_attribute(o, &m, k);
	}
	nl_out_put(o, "]}]}]}]}");
}
