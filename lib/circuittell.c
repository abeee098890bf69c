/* SPDX-License-Identifier: Apache-2.0 */
/*
 * circuittell.c - events of a circuit, and the lines that people read.  Each
 * frame is as large as an event, so none of them is part of a caller's.
 */
#include "circuittell.h"

#include "opt.h"
#include "parse.h"
#include "run.h"

#include <stdio.h>

const char *nl_semantics_name(unsigned s)
{
	static const char *const names[] = {
		[NL_SEM_NINELIVES] = "ninelives", [NL_SEM_RESILIENCE4J] = "resilience4j", [NL_SEM_GOBREAKER] = "gobreaker",
	};
	return s < sizeof names / sizeof *names ? names[s] : "unknown";
}

const char *nl_circuit_span_text(nl_time t, char buf[32])
{
	long long cs = (t + 10 * NL_MS - 1) / (10 * NL_MS), s = t / NL_SEC + (t % NL_SEC > 0), m = s / 60 + (s % 60 > 0);
	if (t < 10 * NL_SEC)
		snprintf(buf, 32, "%lld.%02lld s", cs / 100, cs % 100);
	else if (s <= 120)
		snprintf(buf, 32, "%lld s", s);
	else if (m <= 120 && m % 60)
		snprintf(buf, 32, "%lld min", m);
	else
		snprintf(buf, 32, "%lld h", m / 60 + (m % 60 > 0));
	return buf;
}

const char *nl_circuit_shape_text(const struct nl_shape *s, char buf[32])
{
	if (s->kind == NL_WINDOW_NONE)
		snprintf(buf, 32, "none");
	else if (s->kind == NL_WINDOW_COUNT)
		snprintf(buf, 32, "%u calls", s->n);
	else
		nl_secs_text(s->width_ns * s->n, buf);
	return buf;
}

/* How often each kind of failure was among those that opened it. */
static void add_errs(struct nl_event *e, const struct nl_circuit_err errs[NL_CIRCUIT_ERRS])
{
	char buf[24];
	size_t at = nl_event_open_object(e, "errs");
	for (unsigned i = 0; i < NL_CIRCUIT_ERRS; i++) {
		if (!errs[i].count)
			continue;
		const char *name = i == NL_CIRCUIT_ERRS - 1 ? "others" : nl_err_name((struct nl_outcome){ errs[i].ws, NL_RAN }, buf);
		nl_event_int(e, name ? name : "exit_0", errs[i].count);
	}
	nl_event_close_object(e, at);
}

/* For who replays it: which change of the record this was, when, and by which thresholds. */
static void add_place(struct nl_event *e, const struct nl_circuit *c, const struct nl_svc *conf)
{
	char cfg[400];
	nl_event_int(e, "step", c->steps);
	nl_event_int(e, "at_us", c->since / NL_US);
	if (!conf)
		return;
	nl_opt_config(conf, cfg, sizeof cfg);
	nl_event_str(e, "cfg", cfg, sizeof cfg);
}

NL_COLD static void tell_opened(struct nl_run *run, struct nl_span_of of, const struct nl_circuit_step *step,
                                const struct nl_circuit *c, uint64_t epoch, const struct nl_svc *conf)
{
	const struct nl_circuit_trip *t = &c->trip;
	const struct nl_shape *shape = &c->cfg.shape;
	struct nl_event e;
	char why[160];
	if (!nl_event_open(&e, run, of, "nl.circuit.opened", NL_ERROR))
		return;
	nl_event_str(&e, "from", nl_circuit_name(step->from), 16);
	nl_event_str(&e, "reason", nl_circuit_reason_name((enum nl_circuit_reason)c->reason), 16);
	nl_event_int(&e, "failures", t->reason == NL_WHY_CONSECUTIVE ? t->streak : t->n.fails);
	nl_event_int(&e, "calls", t->n.calls);
	if (t->reason == NL_WHY_RATE || t->reason == NL_WHY_SLOW) {
		uint64_t n = t->reason == NL_WHY_RATE ? t->n.fails : t->n.slows;
		nl_event_ppm(&e, "rate", t->n.calls ? n * 1000000 / t->n.calls : 0);
		nl_event_ppm(&e, "threshold", t->limit);
	}
	if (shape->kind == NL_WINDOW_COUNT)
		nl_event_int(&e, "window_calls", shape->n);
	else if (shape->kind == NL_WINDOW_TIME)
		nl_event_secs(&e, "window_s", shape->width_ns * shape->n);
	if (c->until != NL_NEVER)
		nl_event_secs(&e, "open_s", c->open_for);
	nl_event_int(&e, "epoch", (int64_t)epoch);
	add_errs(&e, t->errs);
	nl_event_ids(&e, "last", c->spans, 2);
	add_place(&e, c, conf);
	nl_circuit_why(c, why, sizeof why);
	if (c->until == NL_NEVER)
		nl_event_human(&e, "breaker: %.64s opened until somebody closes it: %s", of.svc->id, why);
	else
		nl_event_human(&e, "breaker: %.64s opened: %s", of.svc->id, why);
	nl_event_emit(&e);
}

NL_COLD static void tell_probing(struct nl_run *run, struct nl_span_of of, const struct nl_circuit_step *step,
                                 const struct nl_circuit *c, uint64_t epoch, const struct nl_svc *conf)
{
	struct nl_event e;
	char span[32];
	if (!nl_event_open(&e, run, of, "nl.circuit.half_open", NL_INFO))
		return;
	nl_event_str(&e, "from", nl_circuit_name(step->from), 16);
	nl_event_secs(&e, "was_open_s", step->was_for);
	nl_event_int(&e, "probes", c->cfg.probes);
	nl_event_int(&e, "epoch", (int64_t)epoch);
	add_place(&e, c, conf);
	nl_event_human(&e, "breaker: %.64s is tried again after %s", of.svc->id, nl_circuit_span_text(step->was_for, span));
	nl_event_emit(&e);
}

NL_COLD static void tell_closed(struct nl_run *run, struct nl_span_of of, const struct nl_circuit_step *step,
                                const struct nl_circuit *c, uint64_t epoch, const struct nl_svc *conf)
{
	struct nl_event e;
	char span[32];
	bool success = c->reason == NL_WHY_SUCCESS;
	if (!nl_event_open(&e, run, of, "nl.circuit.closed", NL_INFO))
		return;
	nl_event_str(&e, "from", nl_circuit_name(step->from), 16);
	nl_event_str(&e, "reason", nl_circuit_reason_name((enum nl_circuit_reason)c->reason), 16);
	nl_event_int(&e, "probes", success ? step->probes : 0);
	nl_event_secs(&e, "was_open_s", step->was_open);
	nl_event_int(&e, "epoch", (int64_t)epoch);
	add_place(&e, c, conf);
	nl_event_human(&e, "breaker: %.64s closed after %s%s", of.svc->id, nl_circuit_span_text(step->was_open, span),
	               success ? "" : ", by command");
	nl_event_emit(&e);
}

NL_COLD static void tell_forced(struct nl_run *run, struct nl_span_of of, const struct nl_circuit_step *step,
                                const struct nl_circuit *c, uint64_t epoch, const struct nl_svc *conf)
{
	struct nl_event e;
	char by[24], why[64];
	if (!nl_event_open(&e, run, of, "nl.circuit.forced", NL_INFO))
		return;
	snprintf(by, sizeof by, "uid:%u", c->forced_uid);
	nl_event_str(&e, "from", nl_circuit_name(step->from), 16);
	nl_event_str(&e, "state", nl_circuit_name((enum nl_circuit_state)c->state), 16);
	nl_event_str(&e, "by", by, sizeof by);
	nl_event_int(&e, "epoch", (int64_t)epoch);
	add_place(&e, c, conf);
	nl_circuit_why(c, why, sizeof why);
	nl_event_human(&e, "breaker: %.64s: %s", of.svc->id, why);
	nl_event_emit(&e);
}

void nl_circuit_tell(struct nl_run *run, struct nl_span_of of, const struct nl_circuit_step *step, const struct nl_circuit *c,
                     uint64_t epoch, const struct nl_svc *conf)
{
	if (!step->moved)
		return;
	switch ((enum nl_circuit_state)c->state) {
	case NL_OPEN:
		tell_opened(run, of, step, c, epoch, conf);
		break;
	case NL_HALF_OPEN:
		tell_probing(run, of, step, c, epoch, conf);
		break;
	case NL_CLOSED:
		tell_closed(run, of, step, c, epoch, conf);
		break;
	case NL_FORCED_OPEN:
	case NL_FORCED_CLOSED:
	case NL_DISABLED:
		tell_forced(run, of, step, c, epoch, conf);
		break;
	case NL_CIRCUIT_STATES:
		break;
	}
}

NL_COLD void nl_circuit_tell_rejected(struct nl_run *run, struct nl_span_of of, const struct nl_circuit_step *step,
                                      const struct nl_circuit *c, uint64_t epoch, int status)
{
	struct nl_event e;
	char why[160], span[32];
	if (!nl_event_open(&e, run, of, "nl.circuit.rejected", NL_WARN))
		return;
	nl_event_str(&e, "cmd", of.svc->cmd, 64);
	nl_event_str(&e, "state", nl_circuit_name((enum nl_circuit_state)c->state), 16);
	if (step->retry_in != NL_NEVER)
		nl_event_secs(&e, "retry_after_s", step->retry_in);
	nl_event_int(&e, "exit", status);
	nl_event_int(&e, "epoch", (int64_t)epoch);
	nl_circuit_why(c, why, sizeof why);
	if (step->retry_in == NL_NEVER)
		nl_event_human(&e, "breaker: %.64s is open until somebody closes it: %s", of.svc->id, why);
	else if (step->retry_in == 0)
		nl_event_human(&e, "breaker: %.64s is being tried by others: %s", of.svc->id, why);
	else
		nl_event_human(&e, "breaker: %.64s is open, retry in %s: %s", of.svc->id, nl_circuit_span_text(step->retry_in, span), why);
	nl_event_emit(&e);
}

NL_COLD void nl_circuit_tell_stale(struct nl_run *run, struct nl_span_of of, uint64_t epoch, uint64_t permit)
{
	struct nl_event e;
	if (!nl_event_open(&e, run, of, "nl.circuit.stale", NL_DEBUG))
		return;
	nl_event_str(&e, "cmd", of.svc->cmd, 64);
	nl_event_int(&e, "epoch", (int64_t)epoch);
	nl_event_int(&e, "permit_epoch", (int64_t)permit);
	nl_event_emit(&e);
}
