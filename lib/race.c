/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race.c - branches side by side, until enough of them have succeeded.
 *
 * heat.c says what to do; this does it: starts arms, hears how they end, keeps
 * what they write and hands on the winner's alone.  Nobody is left when it
 * returns: those who lost are told to stop, and waited for.
 */
#include "branch.h"
#include "event.h"
#include "heat.h"
#include "io.h"
#include "mut.h"
#include "opt.h"
#include "pace.h"
#include "proc.h"
#include "racetell.h"
#include "run.h"
#include "stdin.h"
#include "stop.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct race {
	struct nl_svc svc;
	struct nl_delay delay;
	struct nl_num hedge, quorum;
	struct nl_word win, input;
	bool need_output;
	struct nl_stopper stop;
};

static const struct nl_opt options[] = {
	NL_OPT('d', "delay", struct race, delay, "DURATION|pNN", "start the next when one has failed, else after so long", "all at once"),
	NL_OPT(0, "hedge", struct race, hedge, "N", "run each COMMAND N times", "1"),
	NL_OPT(0, "quorum", struct race, quorum, "K", "so many have to succeed", "1"),
	NL_OPT(0, "win", struct race, win, "exit|output", "the first to succeed wins, or the first to write to stdout", "exit"),
	NL_OPT(0, "need-output", struct race, need_output, NULL, "an empty stdout is no success", NULL),
	NL_OPT(0, "stdin", struct race, input, "auto|replay|inherit|null", "what they read", "auto"),
	NL_OPT_STOP_K(struct race, stop),
	NL_OPT_STOP_S(struct race, stop),
	NL_OPT_STOP_KILL(struct race, stop),
	{ 0 }
};

static int race_init(struct nl_svc *svc, char ***argv, struct nl_err *err)
{
	struct race *r = (struct race *)svc;
	(void)argv;                             // No operands of its own.
	if (r->hedge.given && (!r->hedge.n || r->hedge.n > NL_ARMS))
		return nl_fail(err, "--hedge: at most %d", NL_ARMS);
	if (r->quorum.given && (!r->quorum.n || r->quorum.n > NL_ARMS))
		return nl_fail(err, "--quorum: at most %d", NL_ARMS);
	if (r->quorum.n > 1 && r->win.index)
		return nl_fail(err, "--win=output: the first output is the answer: --quorum has no say");
	if (r->delay.ppm && !svc->name)
		return nl_fail(err, "--delay: p%.7g is measured by --name NAME", r->delay.ppm / 10000.0);
	return 0;
}

/* One call. */
struct call {
	const struct race *r;
	struct nl_run *run;
	const struct nl_req *outside;
	struct nl_req q;
	struct nl_span_of of;
	struct nl_stdin in;
	struct nl_heat heat;
	struct nl_heat_step step;
	struct nl_branch *arm;          /* heat.n of them */
	bool decided;
	bool limited;                   /* q's limit has passed, seen by us */
	const struct nl_svc *cut_by;    /* whose idle limit ended it */
	bool streaming;                 /* the winner's output goes straight through */
	bool delivered;                 /* or was tried to be */
	struct nl_outcome o;            /* what a delivery made of the winner's */
	nl_time abandon_at;             /* when the winner's output is no longer waited for */
	unsigned told;                  /* run->told when the call began */
	nl_time decided_at;
	bool strayed;                   /* somebody else may have reaped an arm */
	pid_t daemons[NL_BRANCH_SKIPS / 2];     /* children of ours that are nobody's */
	unsigned n_daemons;
	struct nl_pacer pacer;          /* ppm 0: none */
};

static bool is_arm(const struct call *c, pid_t pid)
{
	for (unsigned i = 0; i < c->heat.n; i++)
		if (c->arm[i].pid == pid)
			return true;
	return false;
}

/* After an arm has ended by itself: who is left of it stays. */
static void note_daemons(struct call *c)
{
	pid_t kids[NL_BRANCH_SKIPS / 2];
	int n = nl_proc_children(c->run->os, c->run->pid, kids, sizeof kids / sizeof *kids);
	c->n_daemons = 0;
	for (int i = 0; i < n && !MUTANT(KILLS_DAEMONS); i++)
		if (!is_arm(c, kids[i]))
			c->daemons[c->n_daemons++] = kids[i];
	for (unsigned i = 0; i < c->heat.n; i++)
		c->arm[i].skip = c->daemons, c->arm[i].skips = c->n_daemons;
}

static bool runs(const struct call *c)
{
	for (unsigned i = 0; i < c->heat.n; i++)
		if (c->arm[i].pid || c->arm[i].remains)
			return true;
	return false;
}

/* Arm i is gone. */
static void over(struct call *c, unsigned i, struct nl_outcome o, nl_time now)
{
	struct nl_arm *a = &c->heat.arm[i];
	struct nl_branch *b = &c->arm[i];
	nl_pump_last(c->run, &b->pump);
	if (b->pump.error) {
		nl_say(c->run, "a stream of '%.200s' failed: %s", b->svc->cmd, strerror(b->pump.error));
		nl_degraded(c->run, c->of, "stream", strerror(b->pump.error));
		o.wstatus = NL_EXIT(NL_EX_FAIL);        // Neither its success nor its failure is believed.
	}
	if (!a->spoke && b->out.spool.len > 0)
		a->spoke = true, a->spoke_at = now;
	if (o.wstatus == 0 && c->r->need_output && !a->spoke)
		o.wstatus = NL_EXIT(NL_EX_REJECTED);
	a->state = NL_ARM_OVER, a->ended_at = now, a->outcome = o;
	a->good = o.wstatus == 0 && !a->lost;
}

/* Takes all that have ended: what is seen at once was at once. */
static void collect(struct call *c, nl_time now)
{
	const struct nl_os *os = c->run->os;
	unsigned ended = 0;
	bool orphaned = false;
	pid_t pid;
	int ws;
	while ((pid = os->wait(-1, &ws, WNOHANG)) > 0)
		for (unsigned i = 0; i < c->heat.n; i++)
			if (c->arm[i].pid == pid)
				over(c, i, nl_branch_ended(&c->arm[i], ws), now), ended++;
	for (unsigned i = 0; i < c->heat.n; i++) {
		struct nl_branch *b = &c->arm[i];
		if (b->pid && (pid < 0 || c->strayed) && os->peek(b->pid) == -ECHILD)
			over(c, i, nl_branch_ended(b, NL_EXIT(NL_EX_FAIL)), now), ended++;
		orphaned |= b->remains;
	}
	c->strayed = false;
	if (ended && !orphaned && runs(c))
		note_daemons(c);
}

static int start(struct call *c, unsigned i, nl_time now)
{
	struct nl_branch *b = &c->arm[i];
	int in = nl_stdin_each(c->run, &c->in);
	if (in < 0)
		return in;
	b->q = c->q;
	b->q.now = now, b->q.arm = i + 1;
	b->q.io.tap[0] = nl_chain(c->run, c->outside, 0);
	nl_time pause = 20 * NL_MS;
	int r = nl_branch_start(b, in, c->outside->io.tap[1]);
	for (int k = 0; k < 5 && (r == -EAGAIN || r == -ENOMEM) && nl_sleep(c->run, c->q, nl_after(nl_now(c->run), pause)) == NL_RAN; k++) {
		pause *= 2;
		r = nl_branch_start(b, in, c->outside->io.tap[1]);
	}
	if (in != c->in.fd)
		c->run->os->close(in);
	return r;
}

static void start_due(struct call *c, nl_time now)
{
	unsigned first = c->step.first, n = c->step.start;
	bool again = c->heat.arm[0].state != NL_ARM_WAITING;
	nl_heat_start(&c->heat, &c->step, now);
	for (unsigned i = first; i < first + n; i++) {
		int r = start(c, i, now);
		if (r < 0) {
			nl_say(c->run, "cannot start '%.200s': %s", c->arm[i].svc->cmd, strerror(-r));
			nl_degraded(c->run, c->of, "spawn", strerror(-r));
			over(c, i, (struct nl_outcome){ NL_EXIT(NL_EX_FAIL), NL_NOTRUN }, now);
		} else if (again) {
			nl_race_tell_hedged(c->run, c->of, &c->heat, i, c->step.failure, c->pacer.ppm ? &c->pacer : NULL);
		}
	}
	nl_close_spent(c->run);
}

/* The race is decided: who runs on for nothing is told to stop. */
static void stop_losers(struct call *c, nl_time now)
{
	struct nl_limit limit = nl_stopper_limit(&c->r->stop, c->of.svc, now);
	for (unsigned i = 0; i < c->heat.n; i++) {
		struct nl_arm *a = &c->heat.arm[i];
		if (a->state != NL_ARM_RUNNING || (c->step.won && i == c->step.winner))
			continue;
		a->lost = true;
		nl_branch_order(&c->arm[i], limit, MUTANT(LOSER_COUNTS) ? NL_DEADLINE : NL_CANCELLED, now);
	}
}

/* What the others say is of no interest any more, but they may say it. */
static int waste(struct nl_tap *tap, struct nl_run *run, const char *buf, size_t n)
{
	(void)tap, (void)run, (void)buf, (void)n;
	return 0;
}

static void silence(struct call *c, unsigned i)
{
	static const struct nl_tap sink = { .put = waste };
	struct nl_branch *b = &c->arm[i];
	if (c->heat.arm[i].state == NL_ARM_OVER)
		nl_pump_close(c->run, &b->pump);
	b->pump.out[0].tap = MUTANT(LOSER_DELIVERED) ? b->out.tap.next : (struct nl_tap *)&sink;
	if (b->out.spool.len > 0)
		nl_spool_reset(c->run, &b->out.spool);
}

/* Hands on what the winner's hold has. */
static void deliver(struct call *c)
{
	struct nl_branch *b = &c->arm[c->step.winner];
	const char *why = "success";
	unsigned told = c->run->told;
	c->strayed = b->out.spool.len > 0;      // While it waits it reaps.
	c->o = nl_deliver(c->run, &c->q, &b->out, 0, c->o, &why);
	c->delivered = true;
	for (unsigned i = 0; i < c->heat.n && c->run->told != told; i++)
		nl_branch_signal(&c->arm[i], c->run->stop_sig, nl_now(c->run));
}

static void decide(struct call *c, nl_time now)
{
	if (c->decided || !(c->step.won || c->step.lost))
		return;
	c->decided = true, c->decided_at = now;
	stop_losers(c, now);
	for (unsigned i = 0; i < c->heat.n; i++)
		if (c->heat.arm[i].state != NL_ARM_WAITING && !(c->step.won && i == c->step.winner))
			silence(c, i);
	if (!c->step.won)
		return;
	struct nl_branch *b = &c->arm[c->step.winner];
	c->abandon_at = nl_after(now, 100 * NL_MS);
	if (c->heat.arm[c->step.winner].state == NL_ARM_OVER)
		return;
	c->streaming = true;                    // It has spoken, and goes on.
	deliver(c);
	if (c->o.wstatus || c->o.why != NL_RAN) {
		nl_branch_order(b, nl_stopper_limit(&c->r->stop, c->of.svc, now), NL_CANCELLED, now);
		silence(c, c->step.winner);
		return;
	}
	b->pump.out[0].tap = b->out.tap.next;
	b->pump.out[0].end = nl_chain_end(b->out.tap.next);
}

/* Has the winner said all that it will? */
static bool is_drained(const struct call *c, nl_time now)
{
	const struct nl_branch *b = &c->arm[c->step.winner];
	if (c->heat.arm[c->step.winner].state != NL_ARM_OVER)
		return false;
	return !nl_pump_works(&b->pump) || (now >= c->abandon_at && !nl_pump_owes(&b->pump));
}

/* Is there nothing left to do? */
static bool finish(struct call *c, nl_time now)
{
	if (!c->decided)
		return false;
	if (c->step.won && !c->delivered && is_drained(c, now)) {
		struct nl_branch *b = &c->arm[c->step.winner];
		if (nl_pump_works(&b->pump))
			nl_degraded(c->run, c->of, "output_abandoned", "a descendant still holds the command's output");
		c->o = c->heat.arm[c->step.winner].outcome;
		c->run->fired = b->report->fired;
		deliver(c);
		nl_pump_close(c->run, &b->pump);
		collect(c, nl_now(c->run));
	}
	if (c->step.won && c->streaming && !is_drained(c, now))
		return false;
	return (!c->step.won || c->delivered) && (!runs(c) || MUTANT(LATE_REAP));
}

/* Limits of q: the arms keep those that do not move, and those that do are ours. */
static void keep_limit(struct call *c, nl_time now)
{
	struct nl_limit limit = nl_limit(&c->q);
	if (c->limited || now < limit.at)
		return;
	c->limited = true;
	c->heat.close_at = now < c->heat.close_at ? now : c->heat.close_at;
	if (limit.at < c->q.limit.at)
		c->cut_by = limit.owner;
	for (unsigned i = 0; i < c->heat.n; i++) {
		if (limit.at < c->q.limit.at)
			nl_branch_order(&c->arm[i], limit, NL_DEADLINE, now);
		else
			nl_branch_expect(&c->arm[i], now);
	}
}

/* Who is late is ended by us. */
static void keep_order(struct call *c, nl_time now)
{
	for (unsigned i = 0; i < c->heat.n; i++) {
		struct nl_branch *b = &c->arm[i];
		if (b->remains)
			nl_branch_remains(b);
		if (!b->pid || now < b->kill_at)
			continue;
		nl_branch_kill(b, now);
		if (now < b->give_up_at)
			continue;
		nl_say(c->run, "cannot kill '%s' (pid %d)", b->svc->cmd, (int)b->pid);
		over(c, i, nl_branch_ended(b, NL_EXIT(NL_EX_FAIL)), now);
		b->remains = false;
	}
}

static nl_time look_at(const struct call *c, nl_time now)
{
	nl_time at = c->decided ? NL_NEVER : c->step.look_at;
	struct nl_limit limit = nl_limit(&c->q);
	if (!c->limited && limit.at < at)
		at = limit.at;
	if (c->decided && c->step.won && !(c->delivered && !c->streaming) && c->abandon_at < at && c->abandon_at > now)
		at = c->abandon_at;
	for (unsigned i = 0; i < c->heat.n; i++) {
		if (c->arm[i].pid && c->arm[i].kill_at < at)
			at = c->arm[i].kill_at;
		if (c->arm[i].remains && nl_after(now, 2 * NL_MS) < at)
			at = nl_after(now, 2 * NL_MS);
	}
	return at;
}

/* As child.c does for one command; a terminal that hangs up tells the session's leader alone. */
static void on_signal(struct call *c, const siginfo_t *si)
{
	struct nl_run *run = c->run;
	int sig = si->si_signo;
	nl_time now = nl_now(run);
	bool leads = sig == SIGHUP && run->os->syscall(SYS_getsid, 0, 0, 0, 0, 0, 0) == run->pid;
	bool theirs = si->si_code == SI_KERNEL && run->terminal && !leads;
	enum nl_signal_kind kind = nl_signal_kind(sig);
	const struct nl_order *order = nl_ordered(run);
	if (sig == SIGCHLD || (nl_signal_ignored(run, sig) && !order))
		return;
	bool stops = kind == NL_SIGNAL_END && (nl_stops_work(sig) || now >= run->horizon);
	if (stops) {
		nl_told(run, sig, now);
		c->heat.close_at = now < c->heat.close_at ? now : c->heat.close_at;
	}
	for (unsigned i = 0; i < c->heat.n && !theirs; i++) {
		if (stops && order)
			nl_branch_order(&c->arm[i], (struct nl_limit){ .sig = order->sig, .kill = order->kill }, order->why, now);
		else
			nl_branch_signal(&c->arm[i], sig, now);
	}
	if (kind == NL_SIGNAL_PAUSE)
		nl_pause(run, sig);
}

static bool wanted(const struct call *c, unsigned i)
{
	return c->heat.arm[i].state == NL_ARM_RUNNING
	       || (c->heat.arm[i].state == NL_ARM_OVER && nl_pump_works(&c->arm[i].pump));
}

/* Waits, and moves what can be moved. */
static void wait_for_arms(struct call *c, nl_time until)
{
	struct pollfd set[NL_ARMS * NL_PUMP_ASKS + 1];
	unsigned n = 0, from[NL_ARMS];
	siginfo_t si;
	for (unsigned i = 0; i < c->heat.n; i++) {
		from[i] = n;
		if (wanted(c, i))
			n += nl_pump_ask(c->run, &c->arm[i].pump, set + n);
	}
	int sig = nl_poll(c->run, set, n, until, &si);
	if (sig > 0)
		on_signal(c, &si);
	if (sig != NL_WAKE_IO)
		return;
	nl_time now = nl_now(c->run);
	for (unsigned i = 0; i < c->heat.n; i++) {
		struct nl_arm *a = &c->heat.arm[i];
		if (!wanted(c, i))
			continue;
		nl_pump_serve(c->run, &c->arm[i].pump, set + from[i]);
		if (!a->spoke && c->arm[i].out.spool.len > 0)
			a->spoke = true, a->spoke_at = now;
	}
}

static void run_arms(struct call *c)
{
	for (;;) {
		nl_time now = nl_now(c->run);
		collect(c, now);
		keep_limit(c, now);
		if (!c->decided)
			c->step = nl_heat_next(&c->heat, now);
		if (c->step.start && !c->decided) {
			start_due(c, now);
			c->step.start = 0;
		}
		decide(c, now);
		keep_order(c, now);
		if (finish(c, now))
			return;
		wait_for_arms(c, look_at(c, now));
	}
}

/* The first arm that a limit has stopped, or n. */
static unsigned cut_arm(const struct call *c)
{
	unsigned i = 0;
	while (i < c->heat.n && (c->heat.arm[i].state != NL_ARM_OVER || c->heat.arm[i].lost || c->heat.arm[i].outcome.why != NL_DEADLINE))
		i++;
	return i;
}

/* What the arms made of it, when nobody has won. */
static struct nl_outcome lost(struct call *c)
{
	struct nl_run *run = c->run;
	unsigned cut = cut_arm(c);
	bool told = run->told != c->told;
	unsigned speaker = nl_heat_speaker(&c->heat, told || cut < c->heat.n);
	struct nl_outcome o = speaker < c->heat.n ? c->heat.arm[speaker].outcome
	                                          : (struct nl_outcome){ NL_EXIT(NL_EX_REJECTED), NL_RAN };
	bool undone = c->heat.arm[c->heat.n - 1].state == NL_ARM_WAITING;
	run->fired = NULL;
	if (cut < c->heat.n)
		o.why = NL_DEADLINE, run->fired = c->cut_by ? c->cut_by : c->arm[cut].report->fired;
	else if (told)
		o.why = nl_why_told(run);
	if (undone && (told || cut < c->heat.n)) {
		int sig = run->stop_sig ? run->stop_sig : nl_limit(&c->q).sig;
		o.wstatus = sig ? sig : NL_EXIT(NL_EX_TIMEOUT);
	}
	return o;
}

static struct nl_outcome settle(struct call *c)
{
	struct nl_run *run = c->run;
	nl_time stopped_at = 0;
	bool killed = false;
	struct nl_outcome o;
	if (c->step.won) {
		o = c->o;
		if (c->streaming && o.wstatus == 0 && o.why == NL_RAN) {
			o = c->heat.arm[c->step.winner].outcome;
			run->fired = c->arm[c->step.winner].report->fired;
		}
	} else {
		o = lost(c);
	}
	for (unsigned i = 0; i < c->heat.n; i++) {
		const struct nl_arm *a = &c->heat.arm[i];
		const struct nl_report *r = c->arm[i].report;
		if (a->state != NL_ARM_OVER)
			continue;
		nl_time at = a->lost ? a->ended_at : r->stopped_at;
		stopped_at = at > stopped_at ? at : stopped_at;
		killed |= r->killed || c->arm[i].killed;
	}
	run->killed = killed, run->stopped_at = stopped_at;
	return o;
}

/* The arms: each branch in turn, as often as --hedge says. */
static int prepare(struct call *c, char **chunks)
{
	const struct nl_svc *branch = c->r->svc.inner;
	unsigned branches = 0;
	for (const struct nl_svc *s = branch; s; s = s->next)
		branches++;
	unsigned copies = c->r->hedge.given ? c->r->hedge.n : 1;
	if (branches * copies > NL_ARMS)
		return nl_say(c->run, "more than %d branches", NL_ARMS), -1;
	c->heat.n = branches * copies;
	c->heat.quorum = c->r->quorum.given ? c->r->quorum.n : 1;
	if (c->heat.quorum > c->heat.n)
		return nl_say(c->run, "--quorum: %u of %u branches cannot succeed", c->heat.quorum, c->heat.n), -1;
	c->heat.by_output = c->r->win.index == 1;
	c->heat.close_at = c->q.limit.at < c->run->horizon ? c->q.limit.at : c->run->horizon;
	int r = nl_stdin_split(c->run, &c->in, &c->q, (enum nl_stdin_mode)c->r->input.index, c->heat.n > 1);
	if (r < 0)
		return nl_say(c->run, "stdin: %s", strerror(-r)), -1;
	c->arm = calloc(c->heat.n, sizeof *c->arm);
	*chunks = c->q.io.feed ? malloc((size_t)c->heat.n * NL_CHUNK) : NULL;
	struct nl_report *reports = nl_reports_new(c->run, c->heat.n);
	if (!c->arm || !reports || (c->q.io.feed && !*chunks)) {
		nl_reports_free(c->run, reports, c->heat.n);
		return nl_say(c->run, "out of memory"), -1;
	}
	for (unsigned i = 0; i < c->heat.n; i++) {
		c->arm[i] = (struct nl_branch){ .run = c->run, .svc = (struct nl_svc *)branch, .report = &reports[i], .all = c->arm,
		                                .n = c->heat.n, .chunk = *chunks ? *chunks + (size_t)i * NL_CHUNK : NULL,
		                                .out.spool = NL_SPOOL_NONE, .pump = NL_PUMP_NONE, .kill_at = NL_NEVER };
		branch = branch->next ? branch->next : c->r->svc.inner;
	}
	return 0;
}

static void clear(struct call *c, char *chunks)
{
	for (unsigned i = 0; c->arm && i < c->heat.n; i++)
		nl_branch_close(&c->arm[i]);
	if (c->arm)
		nl_reports_free(c->run, c->arm[0].report, c->heat.n);
	if (c->q.io.feed)
		c->q.io.feed->shared = false;
	nl_stdin_close(c->run, &c->in);
	free(chunks);
	free(c->arm);
}

/* What the first arm took, or would have taken at least. */
static nl_time first_took(const struct call *c)
{
	const struct nl_arm *a = &c->heat.arm[0];
	if (a->state != NL_ARM_OVER || !c->decided || (!a->good && !(a->lost && c->step.won && !MUTANT(LOST_UNMEASURED))))
		return -1;
	return (a->lost ? c->decided_at : a->ended_at) - a->began_at;
}

static struct nl_outcome race_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	struct race live;
	struct call c = { .r = (struct race *)svc, .run = run, .outside = &q, .q = q, .told = run->told };
	struct nl_outcome o = { NL_EXIT(NL_EX_FAIL), NL_NOTRUN };
	nl_time began = q.now ? q.now : nl_now(run);
	char *chunks = NULL;

	c.of = nl_span_open(svc, run, &c.q);
	if (svc->name) {                        // This call's own copy, with what nl-ctl has set.
		live = *c.r;
		c.r = &live, svc = &live.svc, c.of.svc = svc;
		c.of.gen = nl_live_load(run, c.of, &nl_kind_race, svc);
	}
	if (c.r->delay.ppm && svc->name)
		nl_pacer_open(&c.pacer, run, c.of, svc, c.r->delay.ppm);
	nl_stopper_grace(&c.r->stop, &c.q);
	int sig = c.r->stop.sig.set ? c.r->stop.sig.n : SIGTERM;
	c.q.stop.dfl |= sig ? NL_SIGBIT(sig) : 0;       // One that is ignored would not stop it.
	c.heat.delay = c.pacer.ppm ? c.pacer.delay : c.r->delay.ns;
	if (run->stop_sig) {
		o = (struct nl_outcome){ run->stop_sig, nl_why_told(run) };
	} else if (prepare(&c, &chunks) == 0) {
		run_arms(&c);
		o = settle(&c);
	}
	nl_time dur = nl_now(run) - began;
	bool good = c.step.won && o.wstatus == 0;
	nl_race_tell(run, c.of, &c.heat, c.arm, &c.step, c.pacer.ppm ? &c.pacer : NULL, o, began, dur);
	if (c.pacer.ppm)
		nl_pacer_close(&c.pacer, c.of, first_took(&c), c.heat.n > 1 && c.heat.arm[1].state != NL_ARM_WAITING,
		               c.step.won && c.step.winner > 0);
	clear(&c, chunks);
	nl_span_close(run, c.of, o, good, dur, 0, NULL);
	return o;
}

const struct nl_layer nl_race = {
	.name = "race",
	.usage = "[-d DURATION|pNN] [--hedge N] [--quorum K] [--win exit|output] [--need-output] [--stdin auto|replay|inherit|null] "
	         "[-k DURATION] [-s SIGNAL] [--kill group|tree] [ COMMAND [ARG]... ] [ COMMAND [ARG]... ]...",
	.about = "Run each COMMAND at once; the first that succeeds wins.",
	.branches = true,
	.opts = options,
	.size = sizeof(struct race),
	.init = race_init,
	.call = race_call,
};
