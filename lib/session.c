/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.c - the call of a whole stack: who hears of it, and that it is told.
 */
#include "session.h"

#include "run.h"
#include "sink.h"

#include <string.h>

/* True: somebody listens. */
static bool give_sinks(struct nl_svc *s, struct nl_sink *around)
{
	bool heard = false;
	for (; s; s = s->next) {
		struct nl_sink *sink = s->sink ? s->sink : around;
		s->sink = sink;
		heard |= nl_sink_level(sink) <= NL_ERROR;
		heard |= s->inner && give_sinks(s->inner, sink);
	}
	return heard;
}

int nl_session_open(struct nl_run *run, struct nl_session *session, struct nl_svc *s, enum nl_voice voice, struct nl_err *err)
{
	const char *spec = nl_getenv(run, "NL_EVENTS");
	bool silent = voice == NL_SILENT && !(spec && *spec);
	struct nl_sink *sink = NULL;
	session->sink = NULL;
	if (s->prints || !s->layer->opts)
		return 0;
	for (const struct nl_svc *i = s; i; i = i->inner)
		silent |= i->silent;            // Of branches the first: a silent one silences itself.
	if (spec && !strcmp(spec, "off"))
		silent = true;
	else if (!s->events && spec && *spec && !(sink = nl_sink_parse(spec, NL_EMIT, err))) {
		struct nl_err why = *err;
		return nl_fail(err, "NL_EVENTS: %.200s", why.msg);
	}
	if (!s->events && !sink && !silent)
		sink = nl_sink_default(run);
	session->sink = sink;
	if (give_sinks(s, sink)) {
		nl_ids_open(run, &session->ids);
		run->ids = &session->ids;
	}
	return 0;
}

struct nl_outcome nl_session_call(struct nl_run *run, struct nl_svc *s)
{
	nl_time began = run->ids ? nl_now(run) : 0;
	nl_run_started(run, s);
	struct nl_outcome o = nl_do(s, run, (struct nl_req){
		.limit = { .at = NL_NEVER },
		.stop = { .grace = run->grace },
		.prev = -1,
		.depth = run->ids ? run->ids->depth : 0,
	});
	nl_run_ended(run, s, o.wstatus, run->ids ? nl_now(run) - began : 0);
	return o;
}

static void close_sinks(struct nl_run *run, const struct nl_svc *s)
{
	for (; s; s = s->next) {
		nl_sink_close(run, s->sink);
		close_sinks(run, s->inner);
	}
}

void nl_session_close(struct nl_run *run, struct nl_session *session, struct nl_svc *s)
{
	close_sinks(run, s);
	nl_sink_free(session->sink);
	session->sink = NULL;
	run->ids = NULL;
}
