/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export.c - the query that speaks to the tools of others: the system for
 * Prometheus at the end, or each event in another form when it comes.
 *
 * Events are printed while lines are read, however many there are; an event that
 * was read before is not another.
 */
#include "observe/export.h"

#include "io.h"
#include "observe/observe.h"
#include "run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BATCH (64 << 10)
#define ANSWER_MAX (12 << 20)           /* to a socket: all of it at once */
#define FLUSH_EACH (100 * NL_MS)        /* while following */

/* As the words of --as: all at the end, or each event. */
typedef int export_all(struct nl_ask *, struct nl_out *, struct nl_err *);
static export_all *const alls[] = { nl_prom_put, nl_otlp_metrics_put, NULL, NULL, NULL };
static nl_export_line *const lines[] = { NULL, NULL, nl_otlp_line, nl_cloudevents_line, nl_ecs_line };

struct exporter {
	struct nl_listener base;
	struct nl_ticker ticker;
	struct nl_intake *in;
	nl_export_line *put;
	struct nl_out out;
};

static void flush(struct exporter *e)
{
	int error = 0;
	if (e->out.n > 0 && !e->in->error)
		nl_put(e->in->run, e->in->q, nl_chain(e->in->run, e->in->q, 0), e->out.buf, e->out.n, &error);
	if (e->out.lost)
		error = ENOMEM;
	if (error && error != EPIPE)
		nl_say(e->in->run, "stdout: %s", strerror(error));
	if (error)
		e->in->error = error;
	e->out.n = 0;
}

static void export_line(struct nl_listener *l, enum nl_line is, const struct nl_fact *f, const char *text, size_t n)
{
	struct exporter *e = (struct exporter *)l;
	(void)text, (void)n;
	if (!f || is == NL_LINE_DUP)
		return;
	e->put(&e->out, f);
	nl_out_bytes(&e->out, "\n", 1);
	if (e->in->q && e->out.n > BATCH)
		flush(e);
}

static bool export_tick(struct nl_intake *in, nl_time now, void *arg)
{
	(void)in, (void)now;
	flush(arg);
	return true;
}

static int export_begin(struct nl_ask *ask, struct nl_intake *in, struct nl_err *err)
{
	nl_export_line *put = ask->opts ? lines[ask->opts->what.as.index] : NULL;
	if (!put)
		return 0;
	if (ask->opts->out)
		return nl_fail(err, "--out: a file that is replaced holds no stream of events (only --as prom and otlp-metrics)");
	struct exporter *e = calloc(1, sizeof *e);
	if (!e)
		return nl_fail(err, "out of memory");
	e->base.line = export_line;
	e->in = in;
	e->put = put;
	e->ticker = (struct nl_ticker){ .every = FLUSH_EACH, .wake = export_tick, .arg = e };
	nl_out_init(&e->out, in->q ? 1 << 20 : ANSWER_MAX);
	nl_intake_listen(in, &e->base);
	in->by_events = "export of events";
	if (in->follow)
		nl_intake_tick(in, &e->ticker);
	ask->data = e;
	return 0;
}

static int export_answer(struct nl_ask *ask, struct nl_out *o, struct nl_err *err)
{
	if (!ask->data)
		return alls[ask->opts ? ask->opts->what.as.index : 0](ask, o, err);
	struct exporter *e = ask->data;
	if (e->in->q) {
		flush(e);
		return 0;
	}
	nl_out_bytes(o, e->out.buf ? e->out.buf : "", e->out.n);
	o->lost |= e->out.lost;
	return 0;
}

static void export_end(struct nl_ask *ask)
{
	struct exporter *e = ask->data;
	if (e)
		nl_out_free(&e->out);
	free(e);
	ask->data = NULL;
}

const struct nl_query nl_q_export = {
	.name = "export", .args = "", .about = "for the tools of others, in the format of --as", .begin = export_begin, .answer = export_answer,
	.end = export_end,
};
