/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bulkhead.c - at most so many at once, in order of arrival, of all processes
 * that name it.
 *
 * queue.c decides who is admitted; this layer lends the slot to the command and
 * tells.  It is a lock: where its state cannot be used nothing runs, unless
 * --on-state-error says otherwise.
 */
#include "event.h"
#include "opt.h"
#include "queue.h"
#include "run.h"

#include <stdio.h>

struct bulkhead {
	struct nl_svc svc;
	struct nl_num max, queue;
	struct nl_span wait;
	struct nl_word release, on_error;
	struct nl_exit status;
};

static const struct nl_opt options[] = {
	NL_OPT('m', "max", struct bulkhead, max, "N", "at most N commands at once, 1000 for inf", "1"),
	NL_OPT('w', "wait", struct bulkhead, wait, "DURATION", "wait so long for a turn, first come first served", "0"),
	NL_OPT('q', "queue", struct bulkhead, queue, "N", "do not wait behind N others; without --wait: wait without limit", "inf"),
	NL_OPT(0, "release", struct bulkhead, release, "command|tree",
	       "give the slot back when COMMAND ends, or all that it has started", "command"),
	NL_OPT('E', "exit-code", struct bulkhead, status, "N", "exit status when not admitted", "75"),
	NL_OPT(0, "on-state-error", struct bulkhead, on_error, "run|fail", "without usable state run COMMAND, or exit 125", "fail"),
	{ 0 }
};

static int bulkhead_init(struct nl_svc *svc, char ***argv, struct nl_err *err)
{
	struct bulkhead *b = (struct bulkhead *)svc;
	struct nl_err why;
	if (svc->name)
		return nl_fail(err, "--name: NAME is an operand here");
	if (b->max.n > NL_SLOTS)
		return nl_fail(err, "--max: '%u': more than %d", b->max.n, NL_SLOTS);
	if (!**argv)
		return nl_fail(err, "missing NAME");
	if (nl_parse_name(**argv, &svc->name, &why) < 0)
		return nl_fail(err, "NAME: '%.48s': %.100s", **argv, why.msg);
	++*argv;
	return 0;
}

struct nl_terms nl_bulkhead_terms(const struct nl_svc *svc)
{
	const struct bulkhead *b = (const struct bulkhead *)svc;
	unsigned max = !b->max.given ? 1 : b->max.n == 0 || b->max.n > NL_SLOTS ? NL_SLOTS : b->max.n;
	return (struct nl_terms){
		.limit = max,
		.wait = b->wait.given ? b->wait.ns : b->queue.given ? NL_NEVER : 0,
		.queue = b->queue.n,
		.flags = (b->max.given ? NL_BH_MAX_GIVEN : 0u) | (b->wait.given ? NL_BH_WAIT_GIVEN : 0u)
		         | (b->queue.given ? NL_BH_QUEUE_GIVEN : 0u),
		.tree = b->release.index == 1,
	};
}

/* With the record's live values; what was given, and until when a slot is held, is the line's. */
static struct nl_terms asks(struct nl_place *p, const struct nl_record *rec)
{
	struct bulkhead *conf = (struct bulkhead *)p->conf;
	*conf = *(const struct bulkhead *)p->svc;
	struct nl_terms line = nl_bulkhead_terms(p->svc);
	if (rec)
		nl_live_apply(rec, &conf->svc);
	struct nl_terms ask = nl_bulkhead_terms(&conf->svc);
	ask.flags = line.flags, ask.tree = line.tree;
	return ask;
}

static void tell_acquired(struct nl_run *run, struct nl_span_of of, struct nl_place *p)
{
	struct nl_event e;
	if (!nl_event_open(&e, run, of, "nl.bulkhead.acquired", NL_DEBUG))
		return;
	nl_event_int(&e, "active", p->active);
	nl_event_int(&e, "max", p->ask.limit);
	nl_event_int(&e, "queued", nl_place_waiting(p));
	nl_event_secs(&e, "waited_s", p->waited);
	nl_event_int(&e, "slot", p->slot);
	nl_event_emit(&e);
}

static void tell_released(struct nl_run *run, struct nl_span_of of, const struct nl_place *p, nl_time held)
{
	struct nl_event e;
	if (!nl_event_open(&e, run, of, "nl.bulkhead.released", NL_DEBUG))
		return;
	nl_event_int(&e, "active", p->active);
	nl_event_int(&e, "max", p->ask.limit);
	nl_event_secs(&e, "held_s", held);
	nl_event_int(&e, "slot", p->slot);
	nl_event_emit(&e);
}

static const char *const reasons[] = {
	[NL_TURN_FULL] = "saturated", [NL_TURN_QUEUE_FULL] = "queue_full", [NL_TURN_LATE] = "timeout", [NL_TURN_STOPPED] = "stopped",
	[NL_TURN_TROUBLE] = NULL,
};

NL_COLD static void tell_rejected(struct nl_run *run, struct nl_span_of of, struct nl_place *p, enum nl_turn turn, int ws)
{
	struct nl_event e;
	char text[32];
	if (!nl_event_open(&e, run, of, "nl.bulkhead.rejected", NL_WARN))
		return;
	unsigned queued = nl_place_waiting(p), max = p->ask.limit;
	nl_event_int(&e, "active", p->active);
	nl_event_int(&e, "max", max);
	nl_event_int(&e, "queued", queued);
	nl_event_str(&e, "reason", reasons[turn], 16);
	nl_event_secs(&e, "waited_s", p->waited);
	nl_event_int(&e, "exit", nl_code(ws));
	if (turn == NL_TURN_FULL)
		nl_event_human(&e, "bulkhead: %s is full: %u of %u, %u waiting", of.svc->name, p->active, max, queued);
	else if (turn == NL_TURN_QUEUE_FULL)
		nl_event_human(&e, "bulkhead: %s is full, and so is its queue: %u of %u, %u waiting", of.svc->name, p->active, max, queued);
	else
		nl_event_human(&e, "bulkhead: %s: no turn within %s%s: %u of %u, %u waiting", of.svc->name, nl_secs_text(p->waited, text),
		               turn == NL_TURN_STOPPED ? " (told to stop)" : "", p->active, max, queued);
	nl_event_emit(&e);
}

/* What to do about it. */
static const char *advice(enum nl_trouble t)
{
	switch (t) {
	case NL_BUSY: return "see who holds it with lslocks(8)";
	case NL_CORRUPT: return "the next call begins a new one";
	case NL_REPLACED: return "wait for commands that still run under the old one, and call again";
	case NL_TOO_NEW: return "use that version";
	default: return "mend that, or choose another place with --state or NL_STATE";
	}
}

NL_COLD static void say_trouble(struct nl_run *run, const struct nl_state *s)
{
	nl_say(run, "%s: nothing was run: %s (--on-state-error=run runs it uncounted)", s->err.msg, advice(s->trouble));
}

static struct nl_outcome run_inside(struct bulkhead *b, struct nl_run *run, struct nl_req inside, struct nl_span_of *of, struct nl_place *p)
{
	of->gen = p->gen;
	tell_acquired(run, *of, p);
	nl_place_lend(p, run);
	nl_time now = inside.now = nl_now(run);
	struct nl_outcome o = nl_do(b->svc.inner, run, inside);
	nl_place_leave(p, run);
	tell_released(run, *of, p, run->ids ? nl_now(run) - now : 0);
	return o;
}

/* How it was admitted or not, in its request's event: enough to replay it. */
struct note { struct nl_note item[8]; char cfg[200]; };
static const struct nl_note *note_place(struct note *to, const struct nl_place *p, enum nl_turn turn)
{
	struct nl_note *n = to->item;
	nl_opt_config(p->conf, to->cfg, sizeof to->cfg);
	*n++ = (struct nl_note){ "cfg", to->cfg, 0 };
	*n++ = (struct nl_note){ "came_us", NULL, p->came_at / NL_US };
	*n++ = (struct nl_note){ "decided_us", NULL, p->decided_at / NL_US };
	*n++ = (struct nl_note){ "left_us", NULL, p->left_at / NL_US };
	*n++ = (struct nl_note){ "found", NULL, p->found };
	if (turn == NL_TURN_OURS)
		*n++ = (struct nl_note){ "got_us", NULL, p->got_at / NL_US };
	else
		*n++ = (struct nl_note){ "refused", reasons[turn], 0 };
	*n = (struct nl_note){ NULL, NULL, 0 };
	return to->item;
}

static struct nl_outcome bulkhead_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	struct bulkhead *b = (struct bulkhead *)svc;
	struct nl_state s;
	struct bulkhead conf = *b;
	struct nl_place p = { .state = &s, .svc = svc, .conf = &conf.svc, .asks = asks, .fd = -1 };
	struct nl_req inside = q;
	struct nl_span_of of = nl_span_open(svc, run, &inside);
	struct nl_outcome o;
	nl_time began = q.now ? q.now : nl_now(run);

	enum nl_turn turn = NL_TURN_TROUBLE;
	if (nl_state_open(&s, run, svc->state, &nl_kind_bulkhead, svc->name, NL_CREATE) == 0)
		turn = nl_place_take(&p, run, &q, began);
	if (turn == NL_TURN_OURS) {
		o = run_inside(b, run, inside, &of, &p);
	} else if (turn == NL_TURN_TROUBLE) {
		nl_state_tell(&s, of);
		if (b->on_error.given && b->on_error.index == 0) {
			nl_state_close(&s);
			o = nl_do(svc->inner, run, inside);
		} else {
			say_trouble(run, &s);
			o = (struct nl_outcome){ NL_EXIT(NL_EX_FAIL), NL_NOTRUN };
		}
	} else {
		int sig = run->stop_sig ? run->stop_sig : nl_limit(&q).sig;
		o = (struct nl_outcome){ NL_EXIT(b->status.given ? b->status.n : NL_EX_REJECTED), NL_REFUSED };
		if (turn == NL_TURN_STOPPED)
			o = (struct nl_outcome){ sig ? sig : NL_EXIT(NL_EX_TIMEOUT), p.why };
		of.gen = p.gen;
		tell_rejected(run, of, &p, turn, o.wstatus);
	}
	struct note note = { 0 };
	if (run->ids && p.decided_at && turn != NL_TURN_TROUBLE)
		of.note = note_place(&note, &p, turn);
	nl_state_tell(&s, of);
	nl_state_close(&s);
	bool ran = turn == NL_TURN_OURS || turn == NL_TURN_TROUBLE;
	nl_span_close(run, of, o, ran && o.wstatus == 0, run->ids ? nl_now(run) - began : 0, 0, NULL);
	if (o.why == NL_REFUSED)
		o.why = NL_RAN;                 // To the layers around it, a process that exited so.
	return o;
}

const struct nl_layer nl_bulkhead = {
	.name = "bulkhead",
	.usage = "[-m N] [-w DURATION] [-q N] [--release command|tree] [-E N] [--on-state-error run|fail] NAME COMMAND [ARG]...",
	.about = "Run COMMAND when less than N others run that have the same NAME.",
	.as = &nl_flock,
	.opts = options,
	.size = sizeof(struct bulkhead),
	.init = bulkhead_init,
	.call = bulkhead_call,
};

const struct nl_kind nl_kind_bulkhead = { .name = "bulkhead", .id = 2, .layer = &nl_bulkhead, .check = nl_bulkhead_check };
