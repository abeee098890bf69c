/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turns.c - see turns.h.  A process is a fiber: the first is the tool, others
 * are branches of a race.  Nothing takes time but waiting, and waiting ends at
 * the next thing that happens.  What happens at one moment happens to children
 * first, so that who waits for them sees all of it at once.
 */
#include "turns.h"

#include "fiber.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static struct sim_proc procs[SIM_PROCS];
static char stacks[SIM_PROCS][SIM_STACK] __attribute__((aligned(64)));

static struct turns {
	const struct sim_plan *plan;
	nl_time now;
	unsigned n, self;               /* processes; the one that runs */
	bool told;                      /* the stop signal was delivered */
} w;

struct sim_proc *sim_me(void)
{
	return &procs[w.self];
}

nl_time sim_now(void)
{
	return w.now;
}

pid_t sim_pid(void)
{
	return SIM_PID + (pid_t)w.self;
}

pid_t sim_ppid(void)
{
	return w.self ? SIM_PID + (pid_t)sim_me()->parent : 1;
}

void sim_bail_out(const char *why)
{
	printf("Bail out! SIM_SEED=%llu: %s\n", (unsigned long long)w.plan->seed, why);
	exit(1);
}

/* What sig does to a command. */
void sim_strike(struct sim_command *c, int sig)
{
	nl_time ends = sig == SIGKILL || c->is.way == SIM_OBEYS ? w.now : c->is.way == SIM_HANDLES ? w.now + c->is.late : NL_NEVER;
	if (c->ends <= w.now || sig == SIGCONT || sig == SIGSTOP || sig == 0)
		return;
	if (ends < c->ends && (sig == SIGKILL || !c->warned)) {
		c->ws = ends == w.now && (sig == SIGKILL || c->is.way == SIM_OBEYS) ? sig : c->is.late_ws;
		c->ends = ends;
	}
	c->warned = true;
}

/* Its children and its command die with it. */
static void end_proc(unsigned i, int ws)
{
	struct sim_proc *p = &procs[i];
	p->lives = false, p->ws = ws;
	p->cmd.alive = p->cmd.there = false;
	sim_desk_drop(&p->cmd.out);
	sim_desk_clear(&p->desk);
	for (unsigned k = 1; k < w.n; k++)
		if (procs[k].parent == i && procs[k].there) {
			if (procs[k].lives)
				end_proc(k, SIGKILL);
			procs[k].there = false;
		}
	procs[p->parent].pending |= NL_SIGBIT(SIGCHLD);
}

/* What has happened until now. */
static void happen(void)
{
	if (!w.told && w.plan->stop_at <= w.now) {
		w.told = true;
		procs[0].pending |= NL_SIGBIT(w.plan->stop_sig);
	}
	for (unsigned i = 0; i < w.n; i++) {
		struct sim_command *c = &procs[i].cmd;
		if (!procs[i].lives || !c->alive || c->ends > w.now)
			continue;
		c->alive = false;
		sim_desk_drop(&c->out);
		procs[i].pending |= NL_SIGBIT(SIGCHLD);
	}
}

static bool readable(const struct sim_proc *p)
{
	for (unsigned i = 0; i < p->polls; i++)
		if (sim_desk_ready(&p->desk, p->poll[i].fd, p->poll[i].events, p->pending != 0))
			return true;
	return false;
}

static bool ready(const struct sim_proc *p)
{
	return p->lives && (p->until <= w.now || p->pending & p->set || readable(p));
}

/* Who can go on; nobody: SIM_PROCS. */
static unsigned next_one(void)
{
	unsigned best = SIM_PROCS;
	for (unsigned i = 0; i < w.n; i++)
		if (ready(&procs[i]) && (best == SIM_PROCS || procs[i].depth > procs[best].depth))
			best = i;
	return best;
}

static nl_time next_moment(void)
{
	nl_time at = w.told ? NL_NEVER : w.plan->stop_at;
	for (unsigned i = 0; i < w.n; i++) {
		const struct sim_proc *p = &procs[i];
		if (p->lives && p->until < at)
			at = p->until;
		if (p->lives && p->cmd.alive && p->cmd.ends < at)
			at = p->cmd.ends;
	}
	return at;
}

static void turn_to(unsigned i)
{
	struct sim_proc *from = sim_me();
	if (i == w.self)
		return;
	w.self = i;
	sim_switch(&from->ctx, procs[i].ctx);
}

/* Others go on until it is our turn. */
static void pass_on(void)
{
	for (;;) {
		happen();
		unsigned i = next_one();
		if (i < SIM_PROCS) {
			turn_to(i);
			return;
		}
		nl_time at = next_moment();
		if (at == NL_NEVER)
			sim_bail_out("waits for ever");
		w.now = at > w.now ? at : w.now;
	}
}

/* Waits for signals of set, for one of n descriptors, or until a moment. */
void sim_wait(uint64_t set, const struct pollfd *poll, unsigned n, nl_time until)
{
	struct sim_proc *p = sim_me();
	p->set = set, p->poll = poll, p->polls = n, p->until = until;
	pass_on();
	p->set = 0, p->poll = NULL, p->polls = 0, p->until = NL_NEVER;
}

/* A pending signal of set is taken; 0: none. */
int sim_take(uint64_t set)
{
	struct sim_proc *p = sim_me();
	for (int sig = 1; sig <= NL_NSIG; sig++)
		if (p->pending & set & NL_SIGBIT(sig)) {
			p->pending &= ~NL_SIGBIT(sig);
			return sig;
		}
	return 0;
}

/* Never comes back: nobody turns to a dead process. */
static void leave(int ws)
{
	end_proc(w.self, ws);
	pass_on();
}

static void branch_entry(void)
{
	int status = sim_me()->body(sim_me()->arg);
	leave(NL_EXIT(status & 0xff));
}

pid_t sim_branch(int (*body)(void *), void *arg, void *stack)
{
	(void)stack;
	unsigned i = 1;
	while (i < w.n && (procs[i].lives || procs[i].there))
		i++;
	if (i == SIM_PROCS)
		sim_bail_out("too many processes");
	w.n = i == w.n ? i + 1 : w.n;
	struct sim_proc *p = &procs[i];
	*p = (struct sim_proc){ .lives = true, .there = true, .parent = w.self, .depth = sim_me()->depth + 1, .body = body, .arg = arg,
	                    .until = NL_NEVER };
	p->path = sim_me()->path * SIM_PROCS + ++sim_me()->branches;
	sim_desk_copy(&p->desk, &sim_me()->desk);
	p->ctx = sim_fiber(stacks[i], branch_entry);
	sim_me()->until = w.now;                  // It goes first, and we go on when it waits.
	turn_to(i);
	sim_me()->until = NL_NEVER;
	return SIM_PID + (pid_t)i;
}

/* A child that has ended, or 0; -ECHILD: there is no such child. */
pid_t sim_ended(pid_t pid, int *ws, bool reap)
{
	struct sim_command *c = &sim_me()->cmd;
	bool any = c->there && (pid == -1 || pid == c->pid);
	happen();
	if (any && !c->alive) {
		*ws = c->ws;
		c->there = !reap;
		return c->pid;
	}
	for (unsigned i = 0; i < w.n; i++) {
		struct sim_proc *p = &procs[i];
		if (i == 0 || p->parent != w.self || !p->there || (pid != -1 && pid != SIM_PID + (pid_t)i))
			continue;
		any = true;
		if (p->lives)
			continue;
		*ws = p->ws;
		p->there = !reap;
		return SIM_PID + (pid_t)i;
	}
	return any ? 0 : -ECHILD;
}

int sim_kill(pid_t pid, int sig)
{
	unsigned i = (unsigned)(pid - SIM_PID);
	if (pid < SIM_PID || i >= w.n || !procs[i].there)
		return -1;
	struct sim_proc *p = &procs[i];
	if (!p->lives || sig == 0 || sig == SIGCONT || sig == SIGSTOP)
		return 0;
	if (i == w.self)
		leave(sig);
	if (sig == SIGKILL)
		end_proc(i, sig);
	p->pending |= sig == SIGKILL ? 0 : NL_SIGBIT(sig);
	return 0;
}

bool sim_all_reaped(void)
{
	for (unsigned i = 1; i < w.n; i++)
		if (procs[i].there)
			return false;
	return true;
}

void sim_turns_init(const struct sim_plan *p)
{
	w = (struct turns){ .plan = p, .n = 1 };
	procs[0] = (struct sim_proc){ .lives = true, .there = true, .until = NL_NEVER };
	sim_desk_init(&procs[0].desk);
}
