/* SPDX-License-Identifier: Apache-2.0 */
/*
 * played.c - see played.h.  A breaker is its real state machine on a record in
 * memory, a bulkhead a number; the arms of a race run one after the other from
 * the same moment.
 */
#include "played.h"

#include "event.h"
#include "opt.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct nl_world nl_world;
static struct nl_world *const w = &nl_world;

void nl_world_tell(nl_time at, const char *fmt, ...)
{
	va_list ap;
	if (w->n == NL_PLAYED_TOLD)
		return;
	w->told[w->n].at = at;
	va_start(ap, fmt);
	vsnprintf(w->told[w->n++].text, sizeof w->told[0].text, fmt, ap);
	va_end(ap);
}

static const struct nl_term *term_of(const struct nl_svc *svc)
{
	for (unsigned i = 0; i < w->made; i++)
		if (w->made_of[i].svc == svc)
			return w->made_of[i].t;
	return NULL;
}

/* A story without end is ended: as if somebody had told it to stop. */
static struct nl_outcome enough(struct nl_run *run)
{
	w->endless = true;
	run->stop_sig = SIGTERM;
	return (struct nl_outcome){ SIGTERM, NL_CANCELLED };
}

static struct nl_outcome command_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	struct nl_limit limit = nl_limit(&q);
	nl_time ends = nl_after(w->now, w->scene->dur);
	char label[80];
	if (run->stop_sig || w->runs == NL_PLAYED_RUNS)
		return enough(run);
	unsigned n = ++w->runs;
	if (w->scene->first_only && svc != w->first) {
		nl_world_tell(w->now, "run %u, another branch, exits with 0", n);
		return (struct nl_outcome){ 0, NL_RAN };
	}
	run->stopped_at = 0, run->killed = false;
	if (ends <= limit.at && ends < NL_NEVER) {
		w->now = ends;
		nl_world_tell(w->now, "run %u exits with %d", n, w->scene->status);
		return (struct nl_outcome){ NL_EXIT(w->scene->status), NL_RAN };
	}
	if (limit.at == NL_NEVER) {
		nl_world_tell(w->now, "run %u hangs, and nothing ends it", n);
		return enough(run);
	}
	const struct nl_term *owner = term_of(limit.owner);
	w->now = limit.at > w->now ? limit.at : w->now;
	nl_world_tell(w->now, "run %u hangs, is stopped by %s", n, owner ? nl_term_label(owner, label, sizeof label) : "a limit");
	run->fired = limit.owner;
	if (w->scene->deaf && limit.sig != SIGKILL) {
		if (q.stop.grace == NL_NEVER) {
			nl_world_tell(w->now, "run %u ignores TERM, and is not killed", n);
			return enough(run);
		}
		w->now = nl_after(w->now, q.stop.grace), run->killed = true;
		nl_world_tell(w->now, "run %u ignored TERM, is killed", n);
	}
	run->stopped_at = w->now;
	return (struct nl_outcome){ run->killed ? SIGKILL : SIGTERM, NL_DEADLINE };
}

static struct nl_outcome fail_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	(void)svc, (void)run, (void)q;
	return (struct nl_outcome){ NL_EXIT(NL_EX_REJECTED), NL_RAN };
}

static struct nl_gate *gate_of(const struct nl_term *t)
{
	unsigned i = 0;
	while (i < w->gates && (strcmp(w->gate[i].name, t->svc->name) != 0 || w->gate[i].kind != t->kind))
		i++;
	if (i == NL_PLAYED_GATES)
		return &w->gate[0];
	if (i == w->gates)
		w->gate[w->gates++] = (struct nl_gate){ .name = t->svc->name, .kind = t->kind };
	return &w->gate[i];
}

static struct nl_outcome rejected(const struct nl_term *t)
{
	const struct nl_exit *e = nl_opt_field(t->svc, "exit-code", NL_EXITCODE);
	return (struct nl_outcome){ NL_EXIT(e->given ? e->n : NL_EX_REJECTED), NL_RAN };
}

/* Waits for a gate to open.  False: in vain; then *o is the outcome. */
static bool waited(const struct nl_term *t, struct nl_run *run, const struct nl_req *q, nl_time wait, nl_time need, struct nl_outcome *o)
{
	struct nl_limit limit = nl_limit(q);
	char label[80];
	nl_term_label(t, label, sizeof label);
	nl_time until = nl_after(w->now, wait < need ? wait : need);
	if (until >= limit.at && limit.at < NL_NEVER) {
		w->now = limit.at;
		nl_world_tell(w->now, "%s still waits, and is stopped", label);
		run->fired = limit.owner, run->stopped_at = w->now;
		*o = (struct nl_outcome){ SIGTERM, NL_DEADLINE };
		return false;
	}
	if (until == NL_NEVER) {
		nl_world_tell(w->now, "%s waits, and nothing ends that", label);
		*o = enough(run);
		return false;
	}
	w->now = until;
	*o = rejected(t);
	return need <= wait;
}

static struct nl_circuit_step step(struct nl_gate *g, const struct nl_term *t, struct nl_circuit_input in)
{
	struct nl_circuit_cfg cfg = nl_breaker_config(t->svc);
	char label[80];
	in.now = w->now + 1, in.epoch = in.event == NL_ACQUIRE ? 0 : in.epoch;
	struct nl_circuit_step s = nl_circuit_step(&cfg, &g->circuit, &g->epoch, &in);
	if (s.moved && in.event != NL_FORCE_OPEN)
		nl_world_tell(w->now, "%s is %s", nl_term_label(t, label, sizeof label), nl_circuit_name((enum nl_circuit_state)g->circuit.state));
	return s;
}

static struct nl_outcome breaker_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	const struct nl_term *t = ((struct nl_part *)svc)->t;
	struct nl_gate *g = gate_of(t);
	struct nl_outcome o;
	char label[80];
	if (w->scene->kept_out && g->circuit.state != NL_FORCED_OPEN)
		(void)step(g, t, (struct nl_circuit_input){ .event = NL_FORCE_OPEN });
	for (;;) {
		struct nl_circuit_step s = step(g, t, (struct nl_circuit_input){ .event = NL_ACQUIRE, .held = g->inside });
		if (s.verdict != NL_REJECT)
			break;
		nl_time wait = nl_term_span(t, "wait", 0);
		if (wait == 0 || !waited(t, run, &q, wait, s.retry_in ? s.retry_in : NL_NEVER, &o)) {
			if (wait == 0)
				o = rejected(t);
			if (o.why == NL_RAN)
				nl_world_tell(w->now, "%s rejects: %d", nl_term_label(t, label, sizeof label), nl_code(o.wstatus));
			return o;
		}
	}
	nl_time began = w->now;
	uint64_t permit = g->epoch;
	g->inside++;
	o = nl_do(svc->inner, run, q);
	g->inside--;
	enum nl_class class = nl_term_class(t, o);
	enum nl_circuit_event event = o.why == NL_CANCELLED ? NL_IGNORED : o.why == NL_DEADLINE ? NL_FAILURE
	                              : class == NL_CLASS_SUCCESS ? NL_SUCCESS : class == NL_CLASS_FAILURE ? NL_FAILURE : NL_IGNORED;
	(void)step(g, t, (struct nl_circuit_input){ .event = event, .epoch = permit, .dur = w->now - began, .ws = o.wstatus });
	return o;
}

/* Is there no place at this moment?  Then *need is when there may be one. */
static bool is_full(const struct nl_gate *g, unsigned max, nl_time *need)
{
	unsigned n = g->inside;
	*need = NL_NEVER;
	for (unsigned i = 0; i < g->held; i++)
		if (g->until[i] > w->now) {
			nl_time left = g->until[i] - w->now;
			*need = left < *need ? left : *need;
			n++;
		}
	return max && n >= max;
}

static struct nl_outcome bulkhead_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	const struct nl_term *t = ((struct nl_part *)svc)->t;
	struct nl_gate *g = gate_of(t);
	const struct nl_span *wait = nl_opt_field(t->svc, "wait", NL_SPAN);
	const struct nl_num *queue = nl_opt_field(t->svc, "queue", NL_NUM);
	unsigned max = nl_term_num(t, "max", 1);
	nl_time most = wait->given ? wait->ns : queue->given ? NL_NEVER : 0;
	struct nl_outcome o = rejected(t);
	char label[80];
	for (nl_time need = NL_NEVER; w->scene->kept_out || is_full(g, max, &need); ) {
		nl_term_label(t, label, sizeof label);
		if (most && need < NL_NEVER)
			nl_world_tell(w->now, "%s is full, waits", label);
		if (most && waited(t, run, &q, most, need, &o))
			continue;
		if (o.why == NL_RAN)
			nl_world_tell(w->now, "%s is full, rejects: %d", label, nl_code(o.wstatus));
		return o;
	}
	g->inside++;
	o = nl_do(svc->inner, run, q);
	g->inside--;
	if (g->held < NL_PLAYED_HOLDS)
		g->until[g->held++] = w->now;
	return o;
}

/* The race is over, and so is what its arms have held. */
static void let_go(void)
{
	for (unsigned i = 0; i < w->gates; i++)
		for (unsigned k = 0; k < w->gate[i].held; k++)
			if (w->gate[i].until[k] > w->now)
				w->gate[i].until[k] = w->now;
}

static bool is_stale(const struct nl_term *t)
{
	return t->kind == NL_TERM_FALLBACK && nl_term_text(t, "stale");
}

/* With a good answer of before. */
static struct nl_outcome stale_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	char label[80];
	struct nl_outcome o = { 0 };
	for (struct nl_svc *s = svc->inner; s; s = s->next) {
		o = nl_do(s, run, q);
		if (o.wstatus == 0 || o.why != NL_RAN || run->stop_sig)
			return o;
	}
	nl_world_tell(w->now, "%s gives the last good answer: exit 0", nl_term_label(((struct nl_part *)svc)->t, label, sizeof label));
	return (struct nl_outcome){ 0, NL_RAN };
}

static const struct nl_layer stale_layer = { .name = "fallback", .call = stale_call };

/* Each arm from the same moment; the race is over with the first that succeeds,
 * what the others do behind that is not told. */
static struct nl_outcome race_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	const struct nl_term *t = ((struct nl_part *)svc)->t;
	const struct nl_delay *d = t->svc ? nl_opt_field(t->svc, "delay", NL_DELAY) : NULL;
	unsigned copies = nl_term_num(t, "hedge", 1), first = w->n, arm = 0;
	nl_time began = w->now, last = w->now, won = NL_NEVER;
	struct nl_outcome best = { 0 };
	for (unsigned i = 0; i < copies; i++)
		for (struct nl_svc *s = svc->inner; s && !run->stop_sig; s = s->next, arm++) {
			w->now = nl_after(began, d && w->scene->dur ? (d->ppm ? 250 * NL_MS : d->ns) * arm : 0);
			if (w->now >= q.limit.at || w->now >= won)
				continue;
			struct nl_outcome o = nl_do(s, run, q);
			last = w->now > last ? w->now : last;
			won = o.wstatus == 0 && w->now < won ? w->now : won;
			if (arm == 0 || (best.wstatus && (o.wstatus == 0 || nl_outcome_rank(o) < nl_outcome_rank(best))))
				best = o;
		}
	w->now = won < NL_NEVER ? won : last;
	let_go();
	for (unsigned i = first + 1; i < w->n; i++)      // In the order of time; few, and almost sorted.
		for (unsigned k = i; k > first && w->told[k - 1].at > w->told[k].at; k--) {
			struct nl_told swap = w->told[k];
			w->told[k] = w->told[k - 1], w->told[k - 1] = swap;
		}
	while (w->n > first && w->told[w->n - 1].at > w->now)
		w->n--;
	return best;
}

static const struct nl_layer played[] = {
	[NL_TERM_COMMAND] = { .name = "exec", .call = command_call }, [NL_TERM_FAIL] = { .name = "run", .call = fail_call },
	[NL_TERM_BREAKER] = { .name = "breaker", .call = breaker_call }, [NL_TERM_BULKHEAD] = { .name = "bulkhead", .call = bulkhead_call },
	[NL_TERM_RACE] = { .name = "race", .call = race_call },
};

const struct nl_layer *nl_played(const struct nl_term *t)
{
	if (is_stale(t))
		return &stale_layer;
	return t->kind == NL_TERM_RETRY || t->kind == NL_TERM_TIMEOUT || t->kind == NL_TERM_FALLBACK ? NULL : &played[t->kind];
}
