/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cloudevents.c - an event as a CloudEvent 1.0 in JSON.
 *
 *	run, seq                id: run.seq
 *	event                   type: nl.circuit.opened is dev.ninelives.circuit.opened.v1
 *	kind, policy            source: /ninelives/kind/policy; policy is subject, too
 *	time, sev               time, severitynumber
 *	trace_id, span_id       traceparent, where there are both and neither is 0
 *	the rest                data
 */
#include "observe/export.h"

#include "event.h"

static const char *const context[] = { "nl", "time", "event", "sev", "policy", "kind", "run", "seq", "trace_id", "span_id" };
enum { NL, TIME, EVENT, SEV, POLICY, KIND, RUN, SEQ, TRACE, SPAN, CONTEXT };

void nl_cloudevents_line(struct nl_out *o, const struct nl_fact *f)
{
	struct nl_members m;
	bool traced = (f->trace[0] | f->trace[1]) && f->span;
	nl_members_read(&m, f);
	nl_out_put(o, "{\"specversion\":\"1.0\",\"id\":\"%016llx.%u\",\"source\":\"/ninelives/%.*s/%.*s\",\"type\":\"dev.ninelives.%.*s.v1\"",
	           (unsigned long long)f->run, f->seq, (int)f->kind.n, f->kind.s, (int)f->policy.n, f->policy.s, (int)f->event.n - 3, f->event.s + 3);
	nl_out_strn(o, "subject", f->policy.s, f->policy.n);
	nl_out_put(o, ",\"datacontenttype\":\"application/json\"");
	for (unsigned k = 1; k < m.tok->next; k = m.tok[k + 1].next) {
		int i = nl_member_in(&m, k, context, CONTEXT);
		if (i == TIME || i == SEV)
			nl_member_put(o, i == TIME ? "time" : "severitynumber", &m, k + 1);
	}
	if (traced)
		nl_out_put(o, ",\"traceparent\":\"00-%016llx%016llx-%016llx-01\"", (unsigned long long)f->trace[0],
		           (unsigned long long)f->trace[1], (unsigned long long)f->span);
	nl_out_begin(o, "data", '{');
	for (unsigned k = 1; k < m.tok->next; k = m.tok[k + 1].next) {
		int i = nl_member_in(&m, k, context, CONTEXT);
		if (i < 0 || (i >= TRACE && !traced))
			nl_member_keep(o, &m, k);
	}
	nl_out_put(o, "}}");
}
