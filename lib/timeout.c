/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timeout.c - stop a command after a time, or when it has been silent for one.
 *
 * The layer only narrows the request's limit; whoever runs the command stops
 * it and says whose limit it was.  The owner makes that 124, and to the layers
 * around it the call then looks like a process that exited so.
 */
#include "event.h"
#include "exec.h"
#include "io.h"
#include "mut.h"
#include "opt.h"
#include "run.h"
#include "state.h"
#include "stop.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

struct timeout {
	struct nl_svc svc;
	bool foreground, preserve, verbose, left;
	struct nl_stopper stop;
	struct nl_span idle;
	const char *on_timeout;
	struct nl_span limit;           /* DURATION; 0 and NL_NEVER: none */
};

static const struct nl_opt options[] = {
	NL_OPT('f', "foreground", struct timeout, foreground, NULL, "leave the terminal to the command; stop it alone", NULL),
	NL_OPT_STOP_K(struct timeout, stop),
	NL_OPT('p', "preserve-status", struct timeout, preserve, NULL, "exit as the command does, also when it was stopped", NULL),
	NL_OPT_STOP_S(struct timeout, stop),
	NL_OPT('v', "verbose", struct timeout, verbose, NULL, "say each signal that is sent", NULL),
	NL_OPT('i', "idle", struct timeout, idle, "DURATION", "stop when nothing is written to stdout or stderr for so long", NULL),
	NL_OPT_STOP_KILL(struct timeout, stop),
	NL_OPT(0, "on-timeout", struct timeout, on_timeout, "COMMAND", "run by sh when the limit was hit", NULL),
	NL_OPT(0, "limit", struct timeout, limit, "DURATION", NULL, NULL),      // DURATION's key where it is live.
	NL_OPT(0, "left", struct timeout, left, NULL, "print the seconds left until NL_DEADLINE and exit", NULL),
	{ 0 }
};

static int timeout_init(struct nl_svc *svc, char ***argv, struct nl_err *err)
{
	struct timeout *t = (struct timeout *)svc;
	if (t->left) {
		svc->prints = true;
		return **argv ? nl_fail(err, "--left: takes no operand") : 0;
	}
	if (!**argv)
		return nl_fail(err, "missing DURATION");
	struct nl_err why;
	int r = svc->gnu ? nl_parse_time_gnu(**argv, &t->limit.ns, &why) : nl_parse_time(**argv, &t->limit.ns, &why);
	if (r < 0)
		return svc->gnu ? nl_fail(err, "invalid time interval '%.100s'", **argv)
		                : nl_fail(err, "DURATION: '%.60s': %.120s", **argv, why.msg);
	++*argv;
	return 0;
}

NL_COLD static struct nl_outcome print_left(struct nl_run *run, const struct nl_req *q)
{
	char text[40];
	int error, n;
	nl_time at = q->limit.at < run->horizon ? q->limit.at : run->horizon, left = at - nl_now(run);
	if (left < 0)
		left = 0;
	if (at == NL_NEVER)
		n = snprintf(text, sizeof text, "inf\n");
	else
		n = snprintf(text, sizeof text, "%lld.%06lld\n", (long long)(left / NL_SEC), (long long)(left % NL_SEC / NL_US));
	nl_put(run, q, nl_chain(run, q, 0), text, (size_t)n, &error);
	return (struct nl_outcome){ error ? NL_EXIT(NL_EX_FAIL) : 0, NL_RAN };
}

static nl_time limit_of(const struct timeout *t)
{
	return t->limit.ns ? t->limit.ns : NL_NEVER;
}

/* Narrows q by what this layer says about stopping; when its limit passes. */
static nl_time narrow(const struct timeout *t, struct nl_run *run, struct nl_req *q, nl_time now)
{
	struct nl_limit mine = nl_stopper_limit(&t->stop, &t->svc, nl_after(now, limit_of(t)));
	mine.verbose = t->verbose;
	if (run->compat) {
		mine.kill = t->foreground ? NL_KILL_COMMAND : NL_KILL_GROUP;
		q->stop.kill = mine.kill;
		q->stop.verbose = t->verbose;
		q->stop.deathsig = mine.sig;
		q->stop.dfl |= NL_SIGBIT(SIGTTIN) | NL_SIGBIT(SIGTTOU);
		q->stop.grace = t->stop.grace.given && t->stop.grace.ns ? t->stop.grace.ns : NL_NEVER;
	} else {
		nl_stopper_grace(&t->stop, q);
	}
	if (t->foreground) {
		mine.kill = NL_KILL_COMMAND;
		q->stop.shared = true;
	}
	if (mine.sig)
		q->stop.dfl |= NL_SIGBIT(mine.sig);     // POSIX: an ignored signal would not stop it.
	if (mine.at < q->limit.at || MUTANT(INNER_LIMIT_WINS))
		q->limit = mine;
	return mine.at;
}

NL_COLD static void tell_hit(struct timeout *t, struct nl_run *run, struct nl_span_of of, bool idle, nl_time dur)
{
	nl_time grace = nl_stopper_span(&t->stop);
	struct nl_event e;
	char name[16], text[32];
	if (!nl_event_open(&e, run, of, "nl.timeout.occurred", NL_WARN))
		return;
	const char *sig = nl_signal_name(t->stop.sig.set ? t->stop.sig.n : SIGTERM, name);
	nl_event_str(&e, "cmd", t->svc.cmd, 64);
	nl_event_secs(&e, "limit_s", idle ? t->idle.ns : limit_of(t));
	nl_event_secs(&e, "dur_s", dur);
	nl_event_str(&e, "reason", idle ? "idle" : "limit", 8);
	nl_event_str(&e, "signal", sig, 16);
	if (grace != NL_NEVER)
		nl_event_secs(&e, "grace_s", grace);
	nl_event_bool(&e, "killed", run->killed);
	nl_event_human(&e, "timeout: %.100s %s after %s (%s%s)", t->svc.cmd, idle ? "was silent and stopped" : "stopped",
	               nl_secs_text(dur, text), sig, run->killed ? ", then KILL" : "");
	nl_event_emit(&e);
}

/* The outcome of a call that our own limit ended. */
static struct nl_outcome own_status(const struct timeout *t, const struct nl_run *run, struct nl_outcome o)
{
	bool killed = WIFSIGNALED(o.wstatus) && WTERMSIG(o.wstatus) == SIGKILL;
	if (run->compat && (t->preserve || killed))
		return (struct nl_outcome){ NL_EXIT(nl_code(o.wstatus)), NL_RAN };
	return (struct nl_outcome){ t->preserve ? o.wstatus : NL_EXIT(NL_EX_TIMEOUT), NL_RAN };
}

static size_t timeout_light(const struct nl_svc *svc)
{
	const struct timeout *t = (const struct timeout *)svc;
	return svc->name || t->left || t->idle.given || t->on_timeout ? 0 : sizeof *t;
}

static struct nl_outcome timeout_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	struct timeout live, *t = (struct timeout *)svc;
	if (t->left)
		return print_left(run, &q);
	struct nl_req inside = q;
	struct nl_span_of of = nl_span_open(svc, run, &inside);
	if (svc->name) {                        // This call's own copy, with what nl-ctl has set.
		live = *t;
		t = &live, svc = &live.svc, of.svc = svc;
		of.gen = nl_live_load(run, of, &nl_kind_timeout, svc);
	}
	nl_time began = inside.now = q.now ? q.now : nl_now(run);
	struct nl_idle idle = { .span = t->idle.ns, .next = q.idle };
	struct nl_idle_tap tap[2];

	nl_time limit = narrow(t, run, &inside, began);
	if (t->idle.ns > 0 && t->idle.ns != NL_NEVER) {
		idle.limit = nl_stopper_limit(&t->stop, svc, nl_after(began, t->idle.ns));
		idle.limit.verbose = t->verbose;
		inside.idle = &idle;
		for (int i = 0; i < 2; i++) {
			nl_idle_tap_init(&tap[i], &idle, nl_chain(run, &q, i));
			inside.io.tap[i] = &tap[i].tap;
		}
	}
	struct nl_outcome o = nl_do(svc->inner, run, inside);
	nl_time dur = run->ids ? nl_now(run) - began : 0;
	if (nl_limit_hit(run, svc, o, limit) || (o.why == NL_DEADLINE && MUTANT(ANY_OWNER))) {
		bool silent = inside.idle == &idle && run->fired == svc && o.why == NL_DEADLINE
		              && (inside.limit.owner != svc || idle.limit.at < inside.limit.at);
		tell_hit(t, run, of, silent, dur);
		if (t->on_timeout)
			nl_hook_run(run, q, (struct nl_hook){ .cmd = t->on_timeout, .attempt = q.attempt, .max = q.max, .status = NL_EX_TIMEOUT, .delay = -1 });
		o = own_status(t, run, o);
	}
	nl_span_close(run, of, o, o.wstatus == 0, dur, 0, NULL);
	return o;
}

const struct nl_layer nl_timeout = {
	.name = "timeout",
	.usage = "[-fpv] [-k DURATION] [-s SIGNAL] [-i DURATION] [--kill group|tree] [--on-timeout COMMAND] "
	         "DURATION COMMAND [ARG]...",
	.about = "Stop COMMAND, and everything that it started, after DURATION.",
	.as = &nl_timeout,
	.compat = NL_AS_TIMEOUT,
	.gnu = "fkpsv",
	.opts = options,
	.size = sizeof(struct timeout),
	.light = timeout_light,
	.init = timeout_init,
	.call = timeout_call,
};
