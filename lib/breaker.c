/* SPDX-License-Identifier: Apache-2.0 */
/*
 * breaker.c - stop calling a service that keeps failing, for all processes
 * that name it.
 *
 * circuit.c decides; this asks it, keeps its record and does what it says.  An
 * open breaker, and a closed one that has nothing to note, cost one read and no
 * lock.  A probe is a byte that the kernel keeps locked: it is given back by
 * any death, so no dead probe keeps a breaker half-open.  Once the command has
 * run nothing here changes its status.
 */
#include "circuittell.h"
#include "event.h"
#include "exec.h"
#include "lease.h"
#include "mut.h"
#include "opt.h"
#include "run.h"
#include "simulate.h"
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct breaker {
	struct nl_svc svc;
	struct nl_num failures, min_calls, probes, close_after;
	struct nl_pct rate, slow_rate, open_jitter;
	struct nl_window window;
	struct nl_span slow, open, open_max, wait;
	struct nl_real open_factor;
	struct nl_codes on, except, ok;
	struct nl_exit status;
	struct nl_word on_state_error, semantics;
	const char *on_change;
	bool simulate;
};

static const struct nl_opt options[] = {
	NL_OPT('f', "failures", struct breaker, failures, "N", "open after N failures in a row", "5, without --rate and --slow"),
	NL_OPT('r', "rate", struct breaker, rate, "PERCENT", "open when so many of the window's calls failed", NULL),
	NL_OPT(0, "window", struct breaker, window, "N|DURATION", "judge the last N calls, or those of a time", "100 calls"),
	NL_OPT(0, "min-calls", struct breaker, min_calls, "N", "judge no fewer calls", "10"),
	NL_OPT(0, "slow", struct breaker, slow, "DURATION", "a call that takes longer is slow", NULL),
	NL_OPT(0, "slow-rate", struct breaker, slow_rate, "PERCENT", "open when so many of the window's calls were slow", "100"),
	NL_OPT('o', "open", struct breaker, open, "DURATION", "stay open for so long, then let probes through", "10s"),
	NL_OPT(0, "open-factor", struct breaker, open_factor, "X", "multiply that by X each time a probe fails", "1"),
	NL_OPT(0, "open-max", struct breaker, open_max, "DURATION", "stay open no longer than that", "1h"),
	NL_OPT(0, "open-jitter", struct breaker, open_jitter, "PERCENT", "stay open up to so much longer, at random", NULL),
	NL_OPT('p', "probes", struct breaker, probes, "N", "let at most N probes run at once", "1"),
	NL_OPT(0, "close-after", struct breaker, close_after, "N", "close after N successful probes in a row", "1"),
	NL_OPT(0, "on", struct breaker, on, "SET", "outcomes that count as failures", "any but 0, 75, 125-127, SIGPIPE"),
	NL_OPT(0, "except", struct breaker, except, "SET", "outcomes that count as nothing", NULL),
	NL_OPT(0, "ok", struct breaker, ok, "SET", "outcomes that are success", "0"),
	NL_OPT('w', "wait", struct breaker, wait, "DURATION", "wait so long for it to close, or for a probe", "reject at once"),
	NL_OPT('E', "exit-code", struct breaker, status, "N", "exit status of a rejection", "75"),
	NL_OPT(0, "on-state-error", struct breaker, on_state_error, "run|fail", "what to do when its state cannot be used", "run"),
	NL_OPT(0, "semantics", struct breaker, semantics, "ninelives|resilience4j|gobreaker", "whose rules to follow", "ninelives"),
	NL_OPT(0, "on-change", struct breaker, on_change, "COMMAND", "run by sh when it opens, is tried or closes", NULL),
	NL_OPT(0, "simulate", struct breaker, simulate, NULL, "answer operations on stdin, as JSON, and run nothing", NULL),
	{ 0 }
};

static int breaker_init(struct nl_svc *svc, char ***argv, struct nl_err *err)
{
	struct breaker *b = (struct breaker *)svc;
	struct nl_err why;
	if (svc->name)
		return nl_fail(err, "--name: NAME is an operand here");
	if (b->slow_rate.given && !b->slow.given)
		return nl_fail(err, "--slow-rate: needs --slow");
	if ((b->window.given || b->min_calls.given) && !b->rate.given && !b->slow.given)
		return nl_fail(err, "--%s: needs --rate or --slow", b->window.given ? "window" : "min-calls");
	if (b->semantics.index == NL_SEM_GOBREAKER && b->window.calls)
		return nl_fail(err, "--window: gobreaker has windows of a time alone");
	if (b->open.given && !b->open.ns)
		return nl_fail(err, "--open: must be greater than zero");
	if (b->open_factor.given && b->open_factor.x < 1)
		return nl_fail(err, "--open-factor: must not be less than 1");
	if (b->probes.n > NL_SLOTS)
		return nl_fail(err, "--probes: at most %d", NL_SLOTS);
	svc->prints = b->simulate;
	if (b->simulate)
		return **argv ? nl_fail(err, "--simulate: takes no operand") : 0;
	if (!**argv)
		return nl_fail(err, "missing NAME");
	if (nl_parse_name(**argv, &svc->name, &why) < 0)
		return nl_fail(err, "NAME: '%.70s': %.120s", **argv, why.msg);
	++*argv;
	return 0;
}

static uint32_t number(struct nl_num n, uint32_t absent, uint32_t most)
{
	return !n.given ? absent : !n.n || n.n > most ? most : n.n;
}

/* A span in which 0 is none. */
static nl_time span(struct nl_span s, nl_time absent)
{
	return !s.given ? absent : s.ns ? s.ns : NL_NEVER;
}

static uint64_t given(const struct breaker *b)
{
	return (b->failures.given ? NL_GIVEN_FAILURES : 0u) | (b->rate.given ? NL_GIVEN_RATE : 0u)
	       | (b->window.given ? NL_GIVEN_WINDOW : 0u) | (b->min_calls.given ? NL_GIVEN_MIN_CALLS : 0u)
	       | (b->slow.given ? NL_GIVEN_SLOW : 0u) | (b->slow_rate.given ? NL_GIVEN_SLOW_RATE : 0u)
	       | (b->open.given ? NL_GIVEN_OPEN : 0u) | (b->open_factor.given ? NL_GIVEN_OPEN_FACTOR : 0u)
	       | (b->open_max.given ? NL_GIVEN_OPEN_MAX : 0u) | (b->open_jitter.given ? NL_GIVEN_OPEN_JITTER : 0u)
	       | (b->probes.given ? NL_GIVEN_PROBES : 0u) | (b->close_after.given ? NL_GIVEN_CLOSE_AFTER : 0u);
}

/* Flags, live values and defaults, as the circuit takes them. */
struct nl_circuit_cfg nl_breaker_config(const struct nl_svc *svc)
{
	const struct breaker *b = (const struct breaker *)svc;
	bool slow = b->slow.given && b->slow.ns && b->slow.ns != NL_NEVER, windowed = b->rate.given || slow;
	double factor = b->open_factor.given ? b->open_factor.x : 1;
	struct nl_circuit_cfg cfg = {
		.semantics = b->semantics.index,
		.failures = b->failures.given ? b->failures.n : windowed ? 0 : 5,
		.rate_ppm = b->rate.ppm,
		.slow_ppm = !slow ? 0 : b->slow_rate.given ? b->slow_rate.ppm : 1000000,
		.slow_ns = slow ? b->slow.ns : 0,
		.min_calls = number(b->min_calls, 10, UINT32_MAX),
		.probes = number(b->probes, 1, NL_SLOTS),
		.close_after = number(b->close_after, 1, UINT32_MAX),
		.jitter_ppm = b->open_jitter.ppm,
		.open_ns = b->open.given ? b->open.ns + !b->open.ns : 10 * NL_SEC,
		.open_max_ns = span(b->open_max, 3600 * NL_SEC),
		.factor_ppm = factor < 1 ? 1000000 : factor < 1e6 ? (uint64_t)(factor * 1e6) : 1000000000000u,
		.given = given(b),
	};
	if (windowed && b->window.span)
		cfg.shape = nl_shape_of_span(b->window.span);
	else if (windowed)
		cfg.shape = (struct nl_shape){ NL_WINDOW_COUNT, b->window.calls ? b->window.calls : 100, 0 };
	return cfg;
}

/* One call. */
struct call {
	const struct breaker *b;        /* as on the command line */
	struct nl_run *run;
	const struct nl_req *q;         /* of what is inside */
	struct nl_span_of of;
	struct breaker conf;            /* with live values */
	struct nl_circuit_cfg cfg;
	struct nl_state state;
	struct nl_circuit_step step;    /* the last one */
	uint64_t permit;                /* epoch of the admission */
	int64_t age;
	int lease;                      /* of a probe, or -1 */
	bool cut;                       /* by a limit around us */
	enum nl_circuit_event result;
	nl_time dur;
	int ws;                         /* of a failure */
	nl_time at;                     /* of the last step, on the record's clock */
	uint32_t asked;                 /* of an admission that changed the record and no more (gobreaker): its step; else 0 */
	nl_time asked_at;
	struct nl_note note[8];
	char rules[400];                /* as configured, for the note */
	struct nl_record rec;
};

static struct nl_circuit *circuit(struct call *c)
{
	return (struct nl_circuit *)c->rec.body;
}

static void configure(struct call *c)
{
	c->conf = *c->b;
	nl_live_apply(&c->rec, &c->conf.svc);
	c->cfg = nl_breaker_config(&c->conf.svc);
	c->of.gen = c->b->svc.pin ? 0 : c->rec.head.cfg;
}

static void step(struct call *c, const struct nl_circuit_input *in)
{
	c->step = nl_circuit_step(&c->cfg, circuit(c), &c->rec.head.epoch, in);
}

/* On record is what the line says: what was set is there too, so people see both. */
static int store(struct call *c)
{
	struct nl_circuit_cfg used = circuit(c)->cfg, line = nl_breaker_config(&c->b->svc);
	line.shape = used.shape, line.semantics = used.semantics;
	circuit(c)->cfg = line;
	int r = nl_state_write(&c->state, &c->rec);
	circuit(c)->cfg = used;
	return r;
}

/* Probes in flight, also those of callers that allow more of them.  Under the guard. */
static int probes_held(struct call *c)
{
	unsigned n = c->cfg.probes;
	int held = nl_slots_held(c->run, c->state.lock, n);
	int above = held < 0 || n >= NL_SLOTS ? 0 : nl_byte_held(c->run, c->state.lock, NL_BYTE_SLOT + n, NL_SLOTS - n);
	return held < 0 || above <= 0 ? held + above : nl_slots_held(c->run, c->state.lock, NL_SLOTS);
}

static int no_lease(struct call *c, int error)
{
	c->state.trouble = NL_UNAVAILABLE;
	c->state.notes |= 1u << NL_UNAVAILABLE;
	return nl_fail(&c->state.err, "breaker/%s: no probe can be taken: %s", c->state.name, strerror(-error));
}

/* The step of an admission that changes something, under the guard. */
static int acquire_locked(struct call *c)
{
	unsigned slot;
	if (nl_state_lock(&c->state, &c->rec, NL_GUARD_SPAN) < 0)
		return -1;
	configure(c);
	int held = MUTANT(PROBES_UNCOUNTED) ? 0 : probes_held(c);
	if (held < 0)
		return no_lease(c, held);
	c->at = nl_boottime(c->run);
	step(c, &(struct nl_circuit_input){ .event = NL_ACQUIRE, .now = c->at, .held = (unsigned)held });
	if (c->step.verdict == NL_PROBE && (c->lease = nl_slot_take(&c->state, MUTANT(PROBES_UNCOUNTED) ? NL_SLOTS : c->cfg.probes, &slot)) < 0)
		return no_lease(c, c->lease);
	if (c->lease >= 0 && MUTANT(INHERITS_PROBE))
		c->run->os->fcntl(c->lease, F_SETFD, 0);
	if (c->step.changed && store(c) < 0)
		return -1;
	nl_state_unlock(&c->state);
	return 0;
}

static void hook(struct call *c, int status)
{
	char name[80], from[32], to[32], why[200] = "NL_WHY=";
	const char *const env[] = { name, from, to, why, NULL };
	if (!c->step.moved || !c->b->on_change)
		return;
	snprintf(name, sizeof name, "NL_BREAKER=%s", c->b->svc.name);
	snprintf(from, sizeof from, "NL_FROM=%s", nl_circuit_name(c->step.from));
	snprintf(to, sizeof to, "NL_TO=%s", nl_circuit_name((enum nl_circuit_state)circuit(c)->state));
	nl_circuit_why(circuit(c), why + 7, sizeof why - 7);
	nl_hook_run(c->run, *c->q, (struct nl_hook){ .cmd = c->b->on_change, .attempt = c->q->attempt, .max = c->q->max,
	            .status = status, .delay = -1, .env = env });
}

/* What the record has otherwise than we do: its shape and its rules hold. */
NL_COLD static void tell_conflict(struct call *c)
{
	const struct nl_circuit *was = circuit(c);
	char mine[32], theirs[32];
	struct nl_event e;
	bool shape = c->cfg.shape.kind && was->cfg.shape.kind && memcmp(&c->cfg.shape, &was->cfg.shape, sizeof was->cfg.shape);
	bool rules = was->since && c->cfg.semantics != was->cfg.semantics;
	if ((!shape && !rules) || !nl_event_open(&e, c->run, c->of, "nl.policy.conflict", NL_WARN))
		return;
	nl_event_str(&e, "key", shape ? "window" : "semantics", 16);
	nl_event_str(&e, "mine", shape ? nl_circuit_shape_text(&c->cfg.shape, mine) : nl_semantics_name(c->cfg.semantics), 32);
	nl_event_str(&e, "theirs", shape ? nl_circuit_shape_text(&was->cfg.shape, theirs) : nl_semantics_name(was->cfg.semantics), 32);
	nl_event_human(&e, "breaker: %.64s has another %s: see nl-ctl reset --shape", c->b->svc.name, shape ? "window" : "--semantics");
	nl_event_emit(&e);
}

/* May it be called?  The answer is in step.verdict; -1: its state cannot be used. */
static int look(struct call *c, bool first)
{
	if (nl_state_read(&c->state, &c->rec) < 0)
		return -1;
	configure(c);
	if (first)
		tell_conflict(c);
	step(c, &(struct nl_circuit_input){ .event = NL_ACQUIRE, .now = nl_boottime(c->run) });
	bool free = !c->step.changed && (c->step.verdict == NL_ADMIT || c->step.verdict == NL_REJECT);
	if (!free && acquire_locked(c) < 0)
		return -1;
	nl_circuit_tell(c->run, c->of, &c->step, circuit(c), c->rec.head.epoch, &c->conf.svc);
	hook(c, c->q->prev < 0 ? 0 : c->q->prev);
	c->permit = c->rec.head.epoch, c->age = c->step.age;
	c->asked = c->step.changed && !c->step.moved ? circuit(c)->steps : 0, c->asked_at = c->at;
	return 0;
}

/* Looks again whenever something has changed, and when a probe may come. */
NL_COLD static int wait_for_it(struct call *c, enum nl_why *why)
{
	nl_time until = nl_after(nl_now(c->run), c->conf.wait.ns);
	bool due = false;
	int r = 0;
	while (!due && r == 0 && *why == NL_RAN) {
		struct nl_watch watch;
		bool unlocked = c->state.lock < 0;
		nl_watch_open(c->run, &watch, &c->state);
		r = look(c, false);
		if (r == 0 && c->step.verdict == NL_REJECT && unlocked == (c->state.lock < 0)) {
			nl_time next = nl_after(nl_now(c->run), c->step.retry_in ? c->step.retry_in : NL_NEVER);
			bool woke;
			*why = nl_watch_wait(c->run, c->q, &watch, next < until ? next : until, &woke);
			due = nl_now(c->run) >= until;
		}
		nl_watch_close(c->run, &watch);
		if (r < 0 || c->step.verdict != NL_REJECT)
			break;
	}
	return r;
}

/* Did a limit around us end it?  Also one of an enclosing process, by a signal
 * that is not for us to stop at. */
static bool was_cut(const struct call *c, struct nl_outcome o, nl_time began)
{
	nl_time horizon = c->run->horizon;
	return o.why == NL_DEADLINE || (o.why == NL_RAN && began < horizon && began + c->dur >= horizon);
}

static enum nl_circuit_event judge(const struct call *c, struct nl_outcome o)
{
	enum nl_class class = nl_classify(&c->b->on, &c->b->except, &c->b->ok, o);
	if (o.why == NL_CANCELLED && !MUTANT(CANCELLED_COUNTS))
		return NL_IGNORED;
	if (c->cut)
		return NL_FAILURE;
	return class == NL_CLASS_SUCCESS ? NL_SUCCESS : class == NL_CLASS_FAILURE ? NL_FAILURE : NL_IGNORED;
}

/* The step of a result, first on a copy: most change nothing.  0, -1. */
static int record(struct call *c, double u)
{
	struct nl_circuit_input in = {
		.event = c->result, .now = nl_boottime(c->run), .epoch = c->permit, .age = c->age, .dur = c->dur, .ws = c->ws,
		.span = c->of.span, .real = c->run->os->clock(CLOCK_REALTIME), .cmd = c->b->svc.cmd, .u = u,
	};
	if (nl_state_read(&c->state, &c->rec) < 0)
		return -1;
	step(c, &in);
	c->at = in.now;
	if (!c->step.changed)
		return 0;
	static struct nl_record old;            // Of the mutant alone.
	if (MUTANT(ACTS_ON_OLD))
		(void)nl_state_read(&c->state, &old);
	if (nl_state_lock(&c->state, &c->rec, NL_GUARD_SPAN) < 0)
		return -1;
	if (MUTANT(ACTS_ON_OLD))
		c->rec = old;
	c->at = in.now = nl_boottime(c->run);
	step(c, &in);
	int r = c->step.changed ? store(c) : 0;
	nl_state_unlock(&c->state);
	return r;
}

/* What it was to the breaker, in its request's event: enough to replay it. */
static void note(struct call *c)
{
	static const char *const words[] = { [NL_SUCCESS] = "success", [NL_FAILURE] = "failure", [NL_IGNORED] = "nothing" };
	struct nl_note *n = c->note;
	*n++ = (struct nl_note){ "counted", words[c->result], 0 };
	*n++ = (struct nl_note){ "permit", NULL, (int64_t)c->permit };
	if (c->asked) {
		*n++ = (struct nl_note){ "asked_step", NULL, c->asked };
		*n++ = (struct nl_note){ "asked_us", NULL, c->asked_at / NL_US };
	}
	*n++ = (struct nl_note){ c->step.changed ? "step" : "at_step", NULL, circuit(c)->steps };
	*n++ = (struct nl_note){ "at_us", NULL, c->at / NL_US };
	if (c->step.changed) {
		nl_opt_config(&c->conf.svc, c->rules, sizeof c->rules);
		*n++ = (struct nl_note){ "cfg", c->rules, 0 };
	}
	*n = (struct nl_note){ NULL, NULL, 0 };
	c->of.note = c->note;
}

/* Notes how the command ended.  Nothing of this is the caller's trouble. */
static void settle(struct call *c, struct nl_outcome o)
{
	uint64_t rnd = c->cfg.jitter_ppm ? nl_seed(c->run) : 0;
	c->ws = c->cut ? NL_EXIT(NL_EX_TIMEOUT) : o.wstatus;
	int r = record(c, c->cfg.jitter_ppm ? c->run->os->unit(&rnd) : 0);
	if (c->lease >= 0 && !MUTANT(LEAKS_PROBE))
		c->run->os->close(c->lease);
	c->lease = -1;
	if (r == 0)
		note(c);
	if (r == 0 && c->step.stale)
		nl_circuit_tell_stale(c->run, c->of, c->rec.head.epoch, c->permit);
	if (r == 0) {
		nl_circuit_tell(c->run, c->of, &c->step, circuit(c), c->rec.head.epoch, &c->conf.svc);
		hook(c, nl_code(o.wstatus));
	}
}

/* The command is not called: what to say instead. */
NL_COLD static struct nl_outcome refuse(struct call *c, enum nl_why why, bool usable)
{
	if (why != NL_RAN) {
		int sig = c->run->stop_sig ? c->run->stop_sig : nl_limit(c->q).sig;
		return (struct nl_outcome){ sig ? sig : NL_EXIT(NL_EX_TIMEOUT), why };
	}
	if (!usable) {
		nl_say(c->run, "%s (--on-state-error=run would run the command)", c->state.err.msg);
		return (struct nl_outcome){ NL_EXIT(NL_EX_FAIL), NL_NOTRUN };
	}
	int status = c->b->status.given ? c->b->status.n : NL_EX_REJECTED;
	nl_circuit_tell_rejected(c->run, c->of, &c->step, circuit(c), c->rec.head.epoch, status);
	return (struct nl_outcome){ NL_EXIT(status), NL_REFUSED };
}

static struct nl_outcome breaker_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	struct call c = { .b = (struct breaker *)svc, .run = run, .lease = -1 };
	enum nl_why why = NL_RAN;
	if (c.b->simulate)
		return nl_simulate(run, &q);
	c.of = nl_span_open(svc, run, &q);
	c.q = &q;
	nl_time began = q.now ? q.now : nl_now(run);
	int r = nl_state_open(&c.state, run, svc->state, &nl_kind_breaker, svc->name, NL_CREATE);
	if (r == 0)
		r = look(&c, true);
	if (r == 0 && c.step.verdict == NL_REJECT && c.conf.wait.ns > 0)
		r = wait_for_it(&c, &why);
	nl_state_unlock(&c.state);
	nl_state_tell(&c.state, c.of);
	bool runs = why == NL_RAN && (r == 0 ? c.step.verdict != NL_REJECT : c.b->on_state_error.index == 0);
	struct nl_outcome o;
	if (runs) {
		began = q.now = nl_now(run);
		o = nl_do(svc->inner, run, q);
		c.dur = nl_now(run) - began;
		c.cut = was_cut(&c, o, began);
		c.result = judge(&c, o);
	} else {
		o = refuse(&c, why, r == 0);
		c.dur = nl_now(run) - began;
	}
	if (runs && r == 0)
		settle(&c, o);
	if (c.lease >= 0)
		run->os->close(c.lease);
	nl_state_tell(&c.state, c.of);
	nl_state_close(&c.state);
	nl_span_close(run, c.of, o, runs && c.result == NL_SUCCESS, c.dur, 0, NULL);
	if (o.why == NL_REFUSED)
		o.why = NL_RAN;                 // To the layers around it, a process that exited so.
	return o;
}

const struct nl_layer nl_breaker = {
	.name = "breaker",
	.usage = "[-f N] [-r PERCENT] [--window N|DURATION] [--min-calls N] [--slow DURATION] [--slow-rate PERCENT] [-o DURATION] "
	         "[--open-factor X] [--open-max DURATION] [--open-jitter PERCENT] [-p N] [--close-after N] [--on SET] [--except SET] "
	         "[--ok SET] [-w DURATION] [-E N] [--on-state-error run|fail] [--semantics ninelives|resilience4j|gobreaker] "
	         "[--on-change COMMAND] NAME COMMAND [ARG]...",
	.about = "Run COMMAND unless it has failed too often of late.",
	.opts = options,
	.size = sizeof(struct breaker),
	.init = breaker_init,
	.call = breaker_call,
};

static enum nl_trouble check(void *body, nl_time now)
{
	int r = nl_circuit_sane(body, now);
	return r < 0 ? NL_CORRUPT : r > 0 ? NL_CLOCK : NL_FINE;
}

const struct nl_kind nl_kind_breaker = { .name = "breaker", .id = 1, .layer = &nl_breaker, .check = check };
