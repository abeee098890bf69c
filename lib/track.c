/* SPDX-License-Identifier: Apache-2.0 */
/*
 * track.c - the arms of a race while it is run: starts them, hears how they
 * end, keeps what they write and hands on the winner's alone.  heat.c says when.
 *
 * Nobody is left when it is over: those who lost are told to stop, and waited
 * for; who does not obey in time is killed, with all that it has started.
 */
#include "track.h"

#include "child.h"
#include "mut.h"
#include "proc.h"
#include "racetell.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static bool is_arm(const struct nl_track *c, pid_t pid)
{
	for (unsigned i = 0; i < c->heat.n; i++)
		if (c->arm[i].pid == pid)
			return true;
	return false;
}

/* After an arm has ended by itself: who is left of it stays. */
static void note_daemons(struct nl_track *c)
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

static bool runs(const struct nl_track *c)
{
	for (unsigned i = 0; i < c->heat.n; i++)
		if (c->arm[i].pid || c->arm[i].remains)
			return true;
	return false;
}

/* Arm i is gone. */
static void over(struct nl_track *c, unsigned i, struct nl_outcome o, nl_time now)
{
	struct nl_arm *a = &c->heat.arm[i];
	struct nl_branch *b = &c->arm[i];
	nl_pump_last(c->run, &b->pump);
	c->abandon_at = c->streaming && i == c->step.winner ? nl_after(now, 100 * NL_MS) : c->abandon_at;
	if (b->pump.error && !a->lost) {
		nl_say(c->run, "a stream of '%.200s' failed: %s", b->svc->cmd, strerror(b->pump.error));
		nl_degraded(c->run, c->of, "stream", strerror(b->pump.error));
		o.wstatus = NL_EXIT(NL_EX_FAIL);        // Neither its success nor its failure is believed.
	}
	if (b->out.spool.broken && o.wstatus == 0) {    // Its answer is lost; another may come.
		nl_say(c->run, "the output of '%.200s' could not be kept: no room", b->svc->cmd);
		o.wstatus = NL_EXIT(NL_EX_FAIL);
	}
	if (!a->spoke && b->out.spool.len > 0)
		a->spoke = true, a->spoke_at = now;
	if (o.wstatus == 0 && c->need_output && !a->spoke)
		o.wstatus = NL_EXIT(NL_EX_REJECTED);
	a->state = NL_ARM_OVER, a->ended_at = now, a->outcome = o;
	a->good = o.wstatus == 0 && !a->lost;
}

/* Takes all that have ended: what is seen at once was at once. */
static void collect(struct nl_track *c, nl_time now)
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
		enum nl_reaped r = b->pid && (pid < 0 || c->strayed) ? nl_reap(os, b->pid, &ws) : NL_REAP_NOT;
		if (r != NL_REAP_NOT)
			over(c, i, nl_branch_ended(b, r == NL_REAP_DONE ? ws : NL_EXIT(NL_EX_FAIL)), now), ended++;
		orphaned |= b->remains;
	}
	c->strayed = false;
	if (ended && !orphaned && runs(c))
		note_daemons(c);
}

/* Told to stop: the arms are, too. */
static void pass_on(struct nl_track *c, int sig, nl_time now)
{
	const struct nl_order *order = nl_ordered(c->run);
	for (unsigned i = 0; i < c->heat.n; i++) {
		if (order)
			nl_branch_order(&c->arm[i], (struct nl_limit){ .sig = order->sig, .kill = order->kill }, order->why, now);
		else
			nl_branch_stop(&c->arm[i], sig, now);
	}
}

static void close_heat(struct nl_track *c, nl_time now)
{
	c->heat.close_at = now < c->heat.close_at ? now : c->heat.close_at;
}

/* A process table that is full now may have room in a moment. */
static int start(struct nl_track *c, unsigned i, nl_time now)
{
	struct nl_run *run = c->run;
	struct nl_branch *b = &c->arm[i];
	int in = nl_stdin_each(run, &c->in), r = in;
	nl_time pause = 20 * NL_MS;
	for (int k = 0; k < 6 && in >= 0; k++, pause *= 2) {
		b->q = c->q;
		b->q.now = now, b->q.arm = i + 1;
		b->q.io.tap[0] = nl_chain(run, c->outside, 0);
		r = nl_branch_start(b, in, c->outside->io.tap[1]);
		if ((r != -EAGAIN && r != -ENOMEM) || k == 5)
			break;
		c->strayed = true;              // While it sleeps it reaps.
		if (nl_sleep(run, c->q, nl_after(nl_now(run), pause)) == NL_RAN)
			continue;
		if (run->stop_sig)
			close_heat(c, nl_now(run)), pass_on(c, run->stop_sig, nl_now(run));
		break;
	}
	if (in >= 0 && in != c->in.fd)
		run->os->close(in);
	return r;
}

static void start_due(struct nl_track *c, nl_time now)
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
			nl_race_tell_hedged(c, i, c->step.failure);
		}
	}
	nl_close_spent(c->run);
}

/* The race is decided: who runs on for nothing is told to stop. */
static void stop_losers(struct nl_track *c, nl_time now)
{
	for (unsigned i = 0; i < c->heat.n; i++) {
		struct nl_arm *a = &c->heat.arm[i];
		if (a->state != NL_ARM_RUNNING || (c->step.won && i == c->step.winner))
			continue;
		a->lost = true;
		nl_branch_order(&c->arm[i], c->stop, MUTANT(LOSER_COUNTS) ? NL_DEADLINE : NL_CANCELLED, now);
	}
}

/* What the others say is of no interest any more, but they may say it. */
static int waste(struct nl_tap *tap, struct nl_run *run, const char *buf, size_t n)
{
	(void)tap, (void)run, (void)buf, (void)n;
	return 0;
}

static void silence(struct nl_track *c, unsigned i)
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
static void deliver(struct nl_track *c)
{
	struct nl_branch *b = &c->arm[c->step.winner];
	const char *why = "success";
	unsigned told = c->run->told;
	c->strayed = b->out.spool.len > 0;      // While it waits it reaps.
	c->o = nl_deliver(c->run, &c->q, &b->out, 0, c->o, &why);
	c->delivered = true;
	if (c->run->told != told)
		pass_on(c, c->run->stop_sig, nl_now(c->run));
}

static void decide(struct nl_track *c, nl_time now)
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
		nl_branch_order(b, c->stop, NL_CANCELLED, now);
		silence(c, c->step.winner);
		return;
	}
	b->pump.out[0].tap = b->out.tap.next;
	b->pump.out[0].end = nl_chain_end(b->out.tap.next);
}

/* Has the winner said all that it will?  Whoever keeps its pipe open is waited
 * for a moment; a reader that does not read, until a limit or a signal. */
static bool is_drained(const struct nl_track *c, nl_time now)
{
	const struct nl_branch *b = &c->arm[c->step.winner];
	bool hurry = c->limited || c->run->told != c->told;
	if (c->heat.arm[c->step.winner].state != NL_ARM_OVER)
		return false;
	return !nl_pump_works(&b->pump) || (now >= c->abandon_at && (hurry || !nl_pump_owes(&b->pump)));
}

/* Is there nothing left to do? */
static bool finish(struct nl_track *c, nl_time now)
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
static void keep_limit(struct nl_track *c, nl_time now)
{
	struct nl_limit limit = nl_limit(&c->q);
	if (c->limited || now < limit.at)
		return;
	c->limited = true;
	close_heat(c, now);
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
static void keep_order(struct nl_track *c, nl_time now)
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

static nl_time look_at(const struct nl_track *c, nl_time now)
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
static void on_signal(struct nl_track *c, const siginfo_t *si)
{
	struct nl_run *run = c->run;
	int sig = si->si_signo;
	nl_time now = nl_now(run);
	bool leads = sig == SIGHUP && run->os->syscall(SYS_getsid, 0, 0, 0, 0, 0, 0) == run->pid;
	bool theirs = si->si_code == SI_KERNEL && run->terminal && !leads;
	enum nl_signal_kind kind = nl_signal_kind(sig);
	if (sig == SIGCHLD || (nl_signal_ignored(run, sig) && !nl_ordered(run)))
		return;
	bool stops = kind == NL_SIGNAL_END && (nl_stops_work(sig) || now >= run->horizon);
	if (stops) {
		nl_told(run, sig, now);
		close_heat(c, now);
	}
	if (stops && !theirs)
		pass_on(c, sig, now);
	for (unsigned i = 0; i < c->heat.n && !theirs && !stops; i++)
		nl_branch_signal(&c->arm[i], sig);
	if (kind == NL_SIGNAL_PAUSE)
		nl_pause(run, sig);
}

static bool wanted(const struct nl_track *c, unsigned i)
{
	return c->heat.arm[i].state == NL_ARM_RUNNING
	       || (c->heat.arm[i].state == NL_ARM_OVER && nl_pump_works(&c->arm[i].pump));
}

/* Waits, and moves what can be moved. */
static void wait_for_arms(struct nl_track *c, nl_time until)
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

void nl_track_run(struct nl_track *c)
{
	int ws;
	pid_t r;
	while ((r = c->run->os->wait(-1, &ws, WNOHANG)) > 0)
		;
	if (r == 0)
		note_daemons(c);                // Of an earlier attempt, perhaps.
	for (;;) {
		nl_time now = nl_now(c->run);
		collect(c, now);
		keep_limit(c, now);
		while (!c->decided) {           // One that could not be started is a reason to start the next.
			c->step = nl_heat_next(&c->heat, now);
			if (!c->step.start)
				break;
			start_due(c, now);
		}
		decide(c, now);
		keep_order(c, now);
		if (finish(c, now))
			return;
		wait_for_arms(c, look_at(c, now));
	}
}
