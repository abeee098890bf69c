/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child.c - one command: the only file that spawns, kills and reaps.
 *
 *   running --end--> reaped
 *      | limit, or told to stop: signal once, CONT
 *   stopping --end--> gone: survivors TERM, CONT --grace--> KILL
 *      | grace: KILL to the tree
 *
 * Nothing is signalled after it is reaped: while stopping, the dead command
 * stays a zombie, which keeps its pid and its group's id ours.
 */
#include "child.h"

#include "mut.h"
#include "parse.h"
#include "proc.h"
#include "run.h"
#include "tree.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BEFORE 1024
#define GIVE_UP (5 * NL_SEC)            /* after KILL: for those that sleep in the kernel */

struct child {
	struct nl_run *run;
	const struct nl_req *q;
	struct nl_pump *pump;
	const char *name;
	pid_t pid;
	bool group;                     /* it leads a process group of its own */
	bool ended, reaped, known;      /* it is over; it is reaped; ws holds */
	bool stopping, killed, lost;    /* lost: it could not be killed */
	bool paused;                    /* by us, as we were */
	struct nl_tree tree;            /* its descendants, but for children that we had already */
	bool verbose;                   /* of whoever stops it */
	enum nl_kill kill;
	int ws;
	enum nl_why why;
	uint64_t sent;                  /* stop signals, passed on once each */
	nl_time kill_at, give_up_at;
};

/* wait4, and waitid where that fails: a status is never guessed. */
enum nl_reaped nl_reap(const struct nl_os *os, pid_t pid, int *ws)
{
	pid_t r = 0;
	for (int i = 0; i < 3; i++)
		if ((r = os->wait(pid, ws, WNOHANG)) >= 0 || r == -ECHILD)
			break;
	siginfo_t si = { 0 };
	if (r < 0 && os->syscall(SYS_waitid, P_PID, pid, (long)&si, WEXITED | WNOHANG, 0, 0) == 0) {
		r = si.si_pid;
		*ws = si.si_code == CLD_EXITED ? NL_EXIT(si.si_status) : si.si_status;
	}
	return r == 0 ? NL_REAP_NOT : r < 0 ? NL_REAP_LOST : NL_REAP_DONE;
}

static void reap(struct child *c)
{
	enum nl_reaped r = nl_reap(c->run->os, c->pid, &c->ws);
	if (r == NL_REAP_NOT)
		return;
	c->ended = c->reaped = true;
	c->known = r == NL_REAP_DONE;
}

/* After SIGCHLD, or when in doubt. */
static void look(struct child *c)
{
	const struct nl_os *os = c->run->os;
	pid_t pid;
	int ws;
	if (c->ended)
		return;
	if (c->stopping && !MUTANT(REAPS_FIRST)) {
		int r = 0;
		for (int i = 0; i < 3 && (r = os->peek(c->pid)) < 0 && r != -ECHILD; i++)
			;
		if (r < 0)              // By another call, though it reaps.
			reap(c);
		c->ended |= r == 1;
		return;
	}
	while ((pid = os->wait(-1, &ws, WNOHANG)) > 0) {
		if (pid == c->pid) {
			c->ended = c->reaped = c->known = true;
			c->ws = ws;
			return;
		}
	}
	if (pid < 0)
		reap(c);
}

static int wait_some(struct child *c, nl_time until, siginfo_t *si)
{
	if (c->pump && nl_pump_works(c->pump))
		return nl_pump_wait(c->run, c->pump, until, si);
	return nl_wait(c->run, until, si);
}

static void say_sending(struct child *c, int sig)
{
	char name[16];
	if (c->verbose)
		nl_say(c->run, "sending signal %s to command '%s'", sig ? nl_signal_name(sig, name) : "0", c->name);
}

/* Its kill set; the command is not in it once it is a zombie. */
static unsigned tree(struct child *c, bool shallow, struct nl_proc *list)
{
	c->tree.group = c->kill == NL_KILL_GROUP && c->group ? c->pid : 0;
	return nl_tree_list(&c->tree, shallow, list);
}

/* To the command and those that share its fate from the start: its group, or
 * where the group is the caller's, its tree down to the next supervisor. */
NL_COLD static void send(struct child *c, int sig)
{
	const struct nl_os *os = c->run->os;
	if (c->kill == NL_KILL_COMMAND) {
		os->kill(c->pid, sig);
	} else if (c->group) {
		if (os->kill(-c->pid, sig) < 0)
			os->kill(c->pid, sig);
	} else {
		struct nl_proc list[NL_TREE_MAX];
		unsigned n = tree(c, true, list);
		for (unsigned i = 0; i < n; i++)
			os->kill(list[i].pid, sig);
		if (n == 0)
			os->kill(c->pid, sig);
	}
}

/* Every process of the kill set, atomically where it is a group, then those
 * outside it until a pass finds nobody new. */
NL_COLD static void kill_all(struct child *c, nl_time now)
{
	const struct nl_os *os = c->run->os;
	bool whole = c->kill != NL_KILL_COMMAND && c->run->compat != NL_AS_TIMEOUT, first = !c->killed;
	if (first) {
		c->killed = true;
		c->give_up_at = nl_after(now, GIVE_UP);
		say_sending(c, SIGKILL);
	}
	c->kill_at = nl_after(now, first ? 200 * NL_MS : 100 * NL_MS);
	c->tree.group = c->kill == NL_KILL_GROUP && c->group ? c->pid : 0;
	if (first && whole && nl_tree_kill_watched(&c->tree))
		return;
	int r = c->ended ? 0 : os->kill(c->pid, SIGKILL);
	c->lost = r == -EPERM;
	if (c->kill == NL_KILL_COMMAND)
		return;
	if (c->group && (!c->reaped || MUTANT(REAPS_FIRST)))
		os->kill(-c->pid, SIGKILL);
	if (c->tree.blind && c->run->pid == 1)
		os->kill(-1, SIGKILL);          // All of our namespace but us.
	nl_tree_kill(&c->tree);
}

static void stop(struct child *c, int sig, nl_time now)
{
	if (sig && c->sent & NL_SIGBIT(sig) && !MUTANT(SIGNALS_TWICE))
		return;
	c->sent |= sig ? NL_SIGBIT(sig) : 0;
	if (!c->stopping) {
		c->tree.blind = !nl_proc_is_ours(c->run->os);
		c->stopping = true;
		c->kill_at = nl_after(now, c->q->stop.grace);
	}
	if (sig == SIGKILL) {
		kill_all(c, now);
		return;
	}
	say_sending(c, sig);
	send(c, sig);
	if (sig != SIGCONT && c->kill != NL_KILL_COMMAND)
		send(c, SIGCONT);
}

static void hit_limit(struct child *c, struct nl_limit limit, nl_time now)
{
	c->why = NL_DEADLINE;
	c->kill = limit.kill, c->verbose = limit.verbose;
	c->run->fired = limit.owner;
	stop(c, limit.sig, now);
}

NL_COLD static void expire(struct child *c, struct nl_limit limit, nl_time now)
{
	if (!c->stopping) {
		hit_limit(c, limit, now);
	} else {
		kill_all(c, now);
		if (!c->lost && now >= c->give_up_at)
			c->lost = true;
	}
}

static void on_end_signal(struct child *c, int sig, bool theirs, nl_time now)
{
	struct nl_run *run = c->run;
	if (run->compat == NL_AS_TIMEOUT && sig == SIGALRM && !c->stopping) {
		hit_limit(c, c->q->limit, now);         // POSIX: ALRM may be how the limit is reached.
		return;
	}
	bool stops = nl_stops_work(sig) || now >= run->horizon;
	if (stops && !MUTANT(NOT_TOLD))
		nl_told(run, sig, now);
	if (stops && c->why == NL_RAN)
		c->why = nl_why_told(run);
	if (theirs)
		return;                 // The terminal has told the command itself.
	const struct nl_order *order = stops ? nl_ordered(run) : NULL;
	if (order)
		c->kill = order->kill;
	if (stops || run->compat == NL_AS_TIMEOUT)
		stop(c, order ? order->sig : sig, now);
	else
		send(c, sig);
}

/* A terminal that hangs up tells the session's leader alone. */
static bool leads_session(const struct child *c)
{
	return c->run->os->syscall(SYS_getsid, 0, 0, 0, 0, 0, 0) == c->run->pid;
}

static void on_signal(struct child *c, const siginfo_t *si)
{
	int sig = si->si_signo;
	bool theirs = si->si_code == SI_KERNEL && !c->group && !(sig == SIGHUP && leads_session(c));
	if (sig == SIGCHLD) {
		look(c);
		return;
	}
	if (nl_signal_ignored(c->run, sig) && !(c->run->compat == NL_AS_TIMEOUT && sig == SIGALRM) && !nl_ordered(c->run))
		return;
	switch (nl_signal_kind(sig)) {
	case NL_SIGNAL_NOTHING:
		if (!theirs)
			send(c, sig);
		break;
	case NL_SIGNAL_PAUSE:
		if (!theirs)
			send(c, sig), c->paused = true;
		nl_pause(c->run, sig);
		break;
	case NL_SIGNAL_RESUME:
		if (c->group || c->paused)      // Else the shell has told the command itself.
			send(c, sig);
		c->paused = false;
		break;
	case NL_SIGNAL_END:
		on_end_signal(c, sig, theirs, nl_now(c->run));
		break;
	}
}

static void supervise(struct child *c)
{
	while (!c->ended && !c->lost) {
		siginfo_t si;
		struct nl_limit limit = nl_limit(c->q);
		nl_time until = c->stopping ? c->kill_at : limit.at;
		int sig = wait_some(c, until, &si);
		if (sig > 0) {
			on_signal(c, &si);
		} else if (sig != NL_WAKE_IO) {
			look(c);
			if (sig == NL_WAKE_TIME && !c->ended)
				expire(c, limit, nl_now(c->run));
		} else if (until != NL_NEVER && nl_now(c->run) >= until) {
			look(c);        // Streams that never rest must not hide the time.
			if (!c->ended)
				expire(c, limit, nl_now(c->run));
		}
	}
}

/* The same for the first process of a pid namespace that cannot see it:
 * everybody else there is ours. */
NL_COLD static void finish_as_init(struct child *c)
{
	const struct nl_os *os = c->run->os;
	int ws;
	reap(c);
	os->kill(-1, SIGTERM);
	os->kill(-1, SIGCONT);
	for (nl_time now = nl_now(c->run); !c->killed || now < c->give_up_at; now = nl_now(c->run)) {
		siginfo_t si;
		pid_t r;
		while ((r = os->wait(-1, &ws, WNOHANG)) > 0)
			;
		if (r < 0 || (c->q->stop.grace == NL_NEVER && !c->killed))
			break;
		if (now >= c->kill_at)
			kill_all(c, now);
		wait_some(c, nl_after(now, 10 * NL_MS), &si);
	}
}

/* The command is over and was stopped: nobody of its tree survives it. */
NL_COLD static void finish(struct child *c)
{
	const struct nl_os *os = c->run->os;
	struct nl_proc list[NL_TREE_MAX];
	nl_time give_up_at = NL_NEVER, step = NL_MS;
	for (bool told = false;; told = true) {
		int ws;
		siginfo_t si;
		unsigned n = tree(c, false, list);
		nl_time now = nl_now(c->run);
		if (c->tree.blind && c->group && !c->reaped)
			os->kill(-c->pid, SIGKILL);     // Whoever is left there cannot be seen.
		if (n == 0 || now >= give_up_at)
			break;
		if (now >= c->kill_at) {
			kill_all(c, now);
			give_up_at = c->give_up_at;
		}
		for (unsigned i = 0; i < n && !told; i++) {
			if (!(c->sent & NL_SIGBIT(SIGTERM)) || !c->group || list[i].pgrp != c->pid)
				os->kill(list[i].pid, SIGTERM);
			os->kill(list[i].pid, SIGCONT);
		}
		if (told && c->q->stop.grace == NL_NEVER)
			break;
		nl_time next = nl_after(now, step);
		step = step < 64 * NL_MS ? 2 * step : step;
		int sig = wait_some(c, next < c->kill_at ? next : c->kill_at, &si);
		if (sig > 0 && nl_stops_work(sig) && !nl_signal_ignored(c->run, sig))
			nl_told(c->run, sig, now);
		for (unsigned i = 0; i < n; i++)
			if (list[i].pid != c->pid)
				os->wait(list[i].pid, &ws, WNOHANG);   // A child of ours by now, or nobody's business.
	}
}

static void note_children(struct child *c, pid_t before[BEFORE])
{
	int ws;
	pid_t r;
	while ((r = c->run->os->wait(-1, &ws, WNOHANG)) > 0)
		;
	if (r == 0) {
		int n = nl_proc_children(c->run->os, c->run->pid, before, BEFORE);
		c->tree.skips = n < 0 ? 0 : (unsigned)n;
	}
}

/* A process table that is full now may have room in a moment. */
static pid_t start(struct child *c, struct nl_spawn *spec)
{
	nl_time pause = 20 * NL_MS;
	pid_t pid = c->run->os->spawn(spec);
	for (int i = 0; i < 5 && (pid == -EAGAIN || pid == -ENOMEM); i++, pause *= 2) {
		if (nl_sleep(c->run, *c->q, nl_after(nl_now(c->run), pause)) != NL_RAN)
			break;
		pid = c->run->os->spawn(spec);
	}
	return pid;
}

struct nl_outcome nl_child(struct nl_run *run, const struct nl_req *q, struct nl_spawn *spec, struct nl_pump *pump)
{
	pid_t before[BEFORE];
	struct child c = { .run = run, .q = q, .pump = pump, .name = spec->argv[0],
	                   .tree = { .os = run->os, .root = run->pid, .skip = before },
	                   .kill = q->stop.kill, .verbose = q->stop.verbose };
	run->killed = false, run->stopped_at = 0;
	if (!MUTANT(ADOPTS_DAEMONS))
		note_children(&c, before);
	c.pid = start(&c, spec);
	if (pump)
		nl_pump_started(run, pump);
	nl_close_spent(run);
	if (c.pid < 0) {
		spec->error = -c.pid;
		if (spec->replace && spec->error != ENOMEM)
			return (struct nl_outcome){ NL_EXIT(spec->error == ENOENT ? NL_EX_NOTFOUND : NL_EX_NOEXEC), NL_NOTRUN };
		return (struct nl_outcome){ NL_EXIT(NL_EX_FAIL), run->stop_sig ? nl_why_told(run) : NL_NOTRUN };
	}
	c.group = spec->group;
	if (spec->error) {
		int ws;
		for (int i = 0; i < 100 && run->os->wait(c.pid, &ws, 0) == -EINTR; i++)
			;
		return (struct nl_outcome){ NL_EXIT(spec->error == ENOENT ? NL_EX_NOTFOUND : NL_EX_NOEXEC), NL_NOTRUN };
	}
	supervise(&c);
	if (c.stopping && !c.lost && run->compat != NL_AS_TIMEOUT && c.kill != NL_KILL_COMMAND)
		(c.tree.blind && run->pid == 1 ? finish_as_init : finish)(&c);
	if (!c.reaped && !c.lost)
		reap(&c);
	if (c.lost)
		nl_say(run, "cannot kill '%s' (pid %d)", c.name, (int)c.pid);
	else if (!c.known)
		nl_say(run, "the status of '%s' is lost", c.name);
	run->killed = c.killed;
	run->stopped_at = c.stopping ? nl_now(run) : 0;
	return (struct nl_outcome){ c.known || MUTANT(UNKNOWN_IS_0) ? c.ws : NL_EXIT(NL_EX_FAIL), c.why };
}
