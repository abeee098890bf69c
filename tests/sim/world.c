/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world.c - a kernel on a virtual clock.  Nothing takes time but waiting, and
 * waiting ends at the next thing that happens.
 *
 * A process is a fiber: the first is the tool, others are branches of a race.
 * What happens at one moment happens to children first, so that who waits for
 * them sees all of it at once.
 *
 * Half of the cases end in a scripted leaf; in the others exec.c and child.c
 * start, stop and reap a process that is made of the same script.
 */
#include "desk.h"
#include "event.h"
#include "exec.h"
#include "fiber.h"
#include "io.h"
#include "run.h"
#include "sim.h"
#include "stack.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#define PROCS 64
#define FIRST_PID 100
#define FIRST_COMMAND 1000

/* What struct nl_run points to: each process's own. */
struct mind { struct nl_run run; struct nl_signals signals; struct nl_ids ids; struct nl_fd_tap std[2]; };

struct command {
	struct sim_cmd is;
	pid_t pid;
	bool alive, there;              /* it runs; it is not reaped */
	nl_time ends;
	int ws;
	bool warned;                    /* it handles its first signal only */
	uint64_t got;                   /* signals */
	struct sim_end out;             /* its stdout */
};

static struct proc {
	void *ctx;
	bool lives, there;              /* it runs; its parent has not reaped it */
	unsigned parent, depth;
	int ws;
	int (*body)(void *);
	void *arg;
	struct mind mind;               /* while another runs */
	struct sim_desk desk;
	uint64_t pending;               /* signals */
	bool polled;                    /* the next sigwait belongs to a poll */
	bool woken;                     /* by an old SIGCHLD: the next one goes on with the same sleep */
	nl_time until;                  /* what it waits for: a time, signals, descriptors */
	uint64_t set;
	const struct pollfd *poll;
	unsigned polls;
	unsigned leaf;                  /* the command that it is about to run */
	struct command cmd;
} procs[PROCS];
static char stacks[PROCS][SIM_STACK] __attribute__((aligned(64)));

static struct world {
	const struct sim_plan *plan;
	struct sim_log *log;
	struct mind *mind;              /* of the process that runs */
	nl_time now;
	unsigned n, self;               /* processes; the one that runs */
	unsigned runs, draws, sleeps, leaves;
	unsigned ran[SIM_LEAVES];       /* by leaf */
	const struct nl_svc *leaf[SIM_LEAVES];
	bool told;                      /* the stop signal was delivered */
} w;

static struct proc *self(void)
{
	return &procs[w.self];
}

static void wrong(const char *what)
{
	if (!w.log->wrong)
		w.log->wrong = what;
}

static _Noreturn void bail_out(const char *why)
{
	printf("Bail out! SIM_SEED=%llu: %s\n", (unsigned long long)w.plan->seed, why);
	exit(1);
}

static struct sim_step *step(bool sleep, nl_time until, nl_time known)
{
	unsigned n = w.log->n < sizeof w.log->step / sizeof *w.log->step ? w.log->n++ : w.log->n - 1;
	w.log->step[n] = (struct sim_step){ sleep, w.now, until, known };
	return &w.log->step[n];
}

/* Starts the leaf's next run. */
static struct command *begin(unsigned leaf, nl_time known)
{
	struct command *c = &self()->cmd;
	unsigned run = w.ran[leaf]++;
	*c = (struct command){ .is = w.plan->script ? w.plan->script(w.plan, leaf, run) : sim_cmd(w.plan, run), .pid = FIRST_COMMAND + (pid_t)w.runs++ };
	c->ends = w.now + c->is.dur, c->ws = c->is.ws;
	step(false, c->ends, known);
	return c;
}

/* What sig does to a command. */
static void strike(struct command *c, int sig)
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

/* The kernel: who runs. */

/* Its children and its command die with it. */
static void end_proc(unsigned i, int ws)
{
	struct proc *p = &procs[i];
	p->lives = false, p->ws = ws;
	p->cmd.alive = p->cmd.there = false;
	sim_desk_drop(&p->cmd.out);
	sim_desk_clear(&p->desk);
	for (unsigned k = i + 1; k < w.n; k++)
		if (procs[k].parent == i && procs[k].lives)
			end_proc(k, SIGKILL);
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
		struct command *c = &procs[i].cmd;
		if (!procs[i].lives || !c->alive || c->ends > w.now)
			continue;
		c->alive = false;
		sim_desk_drop(&c->out);
		procs[i].pending |= NL_SIGBIT(SIGCHLD);
	}
}

static bool readable(const struct proc *p)
{
	for (unsigned i = 0; i < p->polls; i++)
		if (sim_desk_ready(&p->desk, p->poll[i].fd, p->poll[i].events, p->pending != 0))
			return true;
	return false;
}

static bool ready(const struct proc *p)
{
	return p->lives && (p->until <= w.now || p->pending & p->set || readable(p));
}

/* Who can go on; nobody: PROCS. */
static unsigned next_one(void)
{
	unsigned best = PROCS;
	for (unsigned i = 0; i < w.n; i++)
		if (ready(&procs[i]) && (best == PROCS || procs[i].depth > procs[best].depth))
			best = i;
	return best;
}

static nl_time next_moment(void)
{
	nl_time at = w.told ? NL_NEVER : w.plan->stop_at;
	for (unsigned i = 0; i < w.n; i++) {
		const struct proc *p = &procs[i];
		if (p->lives && p->until < at)
			at = p->until;
		if (p->lives && p->cmd.alive && p->cmd.ends < at)
			at = p->cmd.ends;
	}
	return at;
}

static void turn_to(unsigned i)
{
	struct proc *from = self();
	if (i == w.self)
		return;
	from->mind = *w.mind;
	*w.mind = procs[i].mind;
	w.self = i;
	sim_switch(&from->ctx, procs[i].ctx);
}

/* Others go on until it is our turn. */
static void pass_on(void)
{
	for (;;) {
		happen();
		unsigned i = next_one();
		if (i < PROCS) {
			turn_to(i);
			return;
		}
		nl_time at = next_moment();
		if (at == NL_NEVER)
			bail_out("waits for ever");
		w.now = at > w.now ? at : w.now;
	}
}

/* Waits for signals of set, for one of n descriptors, or until a moment. */
static void wait_for(uint64_t set, const struct pollfd *poll, unsigned n, nl_time until)
{
	struct proc *p = self();
	p->set = set, p->poll = poll, p->polls = n, p->until = until;
	pass_on();
	p->set = 0, p->poll = NULL, p->polls = 0, p->until = NL_NEVER;
}

/* A pending signal of set is taken; 0: none. */
static int take(uint64_t set)
{
	struct proc *p = self();
	for (int sig = 1; sig <= NL_NSIG; sig++)
		if (p->pending & set & NL_SIGBIT(sig)) {
			p->pending &= ~NL_SIGBIT(sig);
			return sig;
		}
	return 0;
}

static _Noreturn void leave(int ws)
{
	end_proc(w.self, ws);
	pass_on();
	bail_out("a dead process runs");
}

static void branch_entry(void)
{
	int status = self()->body(self()->arg);
	leave(NL_EXIT(status & 0xff));
}

static pid_t os_branch(int (*body)(void *), void *arg)
{
	if (w.n == PROCS)
		bail_out("too many processes");
	unsigned i = w.n++;
	struct proc *p = &procs[i];
	*p = (struct proc){ .lives = true, .there = true, .parent = w.self, .depth = self()->depth + 1, .body = body, .arg = arg,
	                    .until = NL_NEVER, .mind = *w.mind };
	sim_desk_copy(&p->desk, &self()->desk);
	p->ctx = sim_fiber(stacks[i], branch_entry);
	self()->until = w.now;                  // It goes first, and we go on when it waits.
	turn_to(i);
	self()->until = NL_NEVER;
	return FIRST_PID + (pid_t)i;
}

/* The scripted leaf: what a supervisor does, in one screen. */

static void say(struct nl_run *run, const struct nl_req *q, const char *text)
{
	struct nl_tap *t = nl_chain(run, q, 0);
	if (*text && t->put(t, run, text, strlen(text)) < 0)
		wrong("a byte was refused");
}

static unsigned leaf_of(const struct nl_svc *svc)
{
	unsigned i = 0;
	while (i < w.leaves && w.leaf[i] != svc)
		i++;
	return i;
}

static struct nl_outcome leaf_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	if (run->stop_sig)
		return (struct nl_outcome){ run->stop_sig, nl_why_told(run) };
	struct command *c = begin(leaf_of(svc), q.limit.at);
	run->stopped_at = 0;
	if (c->is.way == SIM_MISSING)
		return (struct nl_outcome){ c->ws, NL_NOTRUN };
	say(run, &q, c->is.says);
	nl_time beat = c->is.beat ? w.now + c->is.beat : NL_NEVER, kill_at = NL_NEVER;
	struct nl_outcome o = { 0, NL_RAN };
	for (;;) {
		struct nl_limit limit = nl_limit(&q);
		nl_time at = o.why == NL_RAN ? limit.at : kill_at, next = at < c->ends ? at : c->ends;
		wait_for(~UINT64_C(0), NULL, 0, beat < next ? beat : next);
		int sig = take(~NL_SIGBIT(SIGCHLD));
		if (sig && nl_stops_work(sig)) {
			nl_told(run, sig, w.now);
			if (o.why == NL_RAN)
				o.why = nl_why_told(run), kill_at = nl_after(w.now, q.stop.grace);
			strike(c, sig);
		} else if (w.now >= c->ends) {
			break;
		} else if (w.now >= at && o.why != NL_RAN) {
			strike(c, SIGKILL);
		} else if (w.now >= at) {
			o.why = NL_DEADLINE, run->fired = limit.owner;
			kill_at = nl_after(w.now, q.stop.grace);
			strike(c, limit.sig);
		} else if (w.now >= beat) {
			beat += c->is.beat;
			if (q.io.tap[0])
				say(run, &q, ".");
		}
	}
	o.wstatus = c->ws;
	run->stopped_at = o.why == NL_RAN ? 0 : w.now;
	return o;
}

/* The real one, seen. */
static struct nl_outcome exec_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	unsigned n = w.log->n;
	self()->leaf = leaf_of(svc);
	struct nl_outcome o = nl_exec.call(svc, run, q);
	if (w.log->n > n)
		w.log->step[n].known = q.limit.at;
	if (self()->cmd.there)
		wrong("a command is not reaped");
	return o;
}

/* The calls. */

static nl_time os_clock(int id)
{
	return id == CLOCK_REALTIME ? w.now + 1000000000 * NL_SEC : w.now;
}

static int os_random(void *buf, size_t n)
{
	memset(buf, 0x5a, n);
	return 0;
}

static double os_unit(uint64_t *state)
{
	(void)state;
	return sim_unit(w.plan, w.draws++);
}

static pid_t os_pid(void)
{
	return FIRST_PID + (pid_t)w.self;
}

static pid_t os_spawn(struct nl_spawn *s)
{
	if (self()->cmd.there)
		wrong("two commands at once");
	struct command *c = begin(self()->leaf, NL_NEVER);
	s->error = c->is.way == SIM_MISSING ? ENOENT : 0;
	if (s->error)
		c->ends = w.now;
	c->there = c->alive = true;
	c->out = sim_desk_lend(&self()->desk, s->fd[1]);
	if (!s->error)
		sim_desk_say(c->out, c->is.says);
	return c->pid;
}

/* A child that has ended, or 0; -ECHILD: there is no such child. */
static pid_t ended(pid_t pid, int *ws, bool reap)
{
	struct command *c = &self()->cmd;
	bool any = c->there && (pid == -1 || pid == c->pid);
	happen();
	if (any && !c->alive) {
		*ws = c->ws;
		c->there = !reap;
		return c->pid;
	}
	for (unsigned i = 0; i < w.n; i++) {
		struct proc *p = &procs[i];
		if (i == 0 || p->parent != w.self || !p->there || (pid != -1 && pid != FIRST_PID + (pid_t)i))
			continue;
		any = true;
		if (p->lives)
			continue;
		*ws = p->ws;
		p->there = !reap;
		return FIRST_PID + (pid_t)i;
	}
	return any ? 0 : -ECHILD;
}

static pid_t os_wait(pid_t pid, int *ws, int options)
{
	(void)options;
	return ended(pid, ws, true);
}

static int os_peek(pid_t pid)
{
	int ws;
	pid_t r = ended(pid, &ws, false);
	return r > 0 ? 1 : r;
}

static int os_sigwait(uint64_t set, siginfo_t *si, nl_time span)
{
	nl_time until = nl_after(w.now, span < 0 ? 0 : span);
	memset(si, 0, sizeof *si);
	struct proc *p = self();
	if (!p->polled && !p->woken && set & NL_SIGBIT(SIGTERM) && !p->cmd.there)
		w.sleeps++, step(true, w.now + span, 0);
	if (set & NL_SIGBIT(SIGTERM))
		wait_for(set, NULL, 0, until);
	int sig = take(set);
	p->polled = false, p->woken = sig == SIGCHLD && !p->cmd.there;
	return sig ? si->si_signo = sig : -EAGAIN;
}

static int os_mask(uint64_t set, uint64_t *old)
{
	(void)set;
	if (old)
		*old = 0;
	return 0;
}

static int os_action(int sig, int act, int *old)
{
	(void)sig, (void)act;
	if (old)
		*old = NL_SIG_DFL;
	return 0;
}

static int kill_proc(unsigned i, int sig)
{
	struct proc *p = &procs[i];
	if (i >= w.n || !p->there)
		return -1;
	if (!p->lives || sig == 0 || sig == SIGCONT || sig == SIGSTOP)
		return 0;
	if (i == w.self)
		leave(sig);
	if (sig == SIGKILL)
		end_proc(i, sig);
	p->pending |= sig == SIGKILL ? 0 : NL_SIGBIT(sig);
	return 0;
}

static int os_kill(pid_t pid, int sig)
{
	struct command *c = &self()->cmd;
	pid = pid < 0 ? -pid : pid;
	if (pid < FIRST_COMMAND && kill_proc((unsigned)(pid - FIRST_PID), sig) == 0)
		return 0;
	if (!c->there || pid != c->pid) {
		wrong("a signal to nobody");
		return -ESRCH;
	}
	if (sig > 0 && sig != SIGKILL && sig != SIGCONT) {
		if (c->got & NL_SIGBIT(sig))
			wrong("the same signal twice");
		c->got |= NL_SIGBIT(sig);
	}
	strike(c, sig);
	return 0;
}

static int os_prctl(int op, unsigned long arg)
{
	(void)op, (void)arg;
	return 0;
}

static int os_poll(struct pollfd *set, unsigned n, nl_time span)
{
	struct proc *p = self();
	int ready_ones = 0;
	wait_for(0, set, n, nl_after(w.now, span));
	p->polled = true;
	for (unsigned i = 0; i < n; i++) {
		set[i].revents = sim_desk_ready(&p->desk, set[i].fd, set[i].events, p->pending != 0);
		ready_ones += set[i].revents != 0;
	}
	return ready_ones;
}

static int os_open(const char *path, int flags, int mode)
{
	(void)flags, (void)mode;
	return strcmp(path, "/dev/null") ? -ENOENT : sim_desk_open(&self()->desk, SIM_NULL);
}

static int os_close(int fd)
{
	return sim_desk_close(&self()->desk, fd);
}

static ssize_t os_read(int fd, void *buf, size_t n)
{
	return sim_desk_read(&self()->desk, fd, buf, n);
}

static void check_event(const char *text, size_t n)
{
	char line[NL_EVENT_MAX + 1];
	if (n <= 8 || n > NL_EVENT_MAX || text[n - 1] != '\n' || memcmp(text, "{\"nl\":1,", 8) != 0)
		return;
	memcpy(line, text, n);
	line[n] = '\0';
	w.log->requests += strstr(line, "\"event\":\"nl.request.") != NULL;
	for (size_t i = 0; i + 1 < n; i++)
		if ((unsigned char)line[i] < ' ')
			wrong("an event with a control character");
	w.log->retries += strstr(line, "\"event\":\"nl.retry.attempt\"") != NULL;
}

static ssize_t os_write(int fd, const void *buf, size_t n)
{
	if (sim_desk_kind(&self()->desk, fd) == SIM_ERR)
		check_event(buf, n);
	return sim_desk_write(&self()->desk, fd, buf, n);
}

static ssize_t os_pread(int fd, void *buf, size_t n, off_t at)
{
	return sim_desk_pread(&self()->desk, fd, buf, n, at);
}

static ssize_t os_pwrite(int fd, const void *buf, size_t n, off_t at)
{
	return sim_desk_pwrite(&self()->desk, fd, buf, n, at);
}

static int os_fcntl(int fd, int op, long arg)
{
	(void)fd, (void)op, (void)arg;
	return 0;
}

static long os_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	struct sim_desk *desk = &self()->desk;
	(void)d, (void)e, (void)f;
	switch (nr) {
	case SYS_pipe2: return sim_desk_pipe(desk, (int *)a);
	case SYS_memfd_create: return sim_desk_open(desk, SIM_SPOOL);
	case SYS_ftruncate: return sim_desk_cut(desk, (int)a);
	case SYS_signalfd4: return sim_desk_open(desk, SIM_SIGNALS);
	case SYS_newfstatat: ((struct stat *)c)->st_mode = S_IFIFO | 0600; return 0;
	case SYS_fstat: ((struct stat *)b)->st_mode = a == 2 ? S_IFREG | 0600 : S_IFCHR | 0600; return 0;
	case SYS_ioctl:
		if (b != FIONREAD)
			return -ENOTTY;
		*(int *)c = sim_desk_queued(desk, (int)a);
		return 0;
	default: return -ENOSYS;
	}
}

static const struct nl_os os = {
	.clock = os_clock, .random = os_random, .unit = os_unit, .pid = os_pid, .spawn = os_spawn, .branch = os_branch,
	.wait = os_wait, .peek = os_peek, .sigwait = os_sigwait, .mask = os_mask, .action = os_action, .kill = os_kill,
	.prctl = os_prctl, .poll = os_poll, .open = os_open, .close = os_close, .read = os_read, .write = os_write,
	.pread = os_pread, .pwrite = os_pwrite, .fcntl = os_fcntl, .syscall = os_syscall,
};

/* Sinks and leaves of a stack, the leaves from left to right. */
static void furnish(struct nl_svc *s, struct nl_sink *sink)
{
	static const struct nl_layer leaf = { .name = "leaf", .call = leaf_call }, seen = { .name = "exec", .call = exec_call };
	for (; s; s = s->next) {
		s->sink = sink;
		if (s->inner)
			furnish(s->inner, sink);
		if (s->layer != &nl_exec)
			continue;
		if (w.leaves == SIM_LEAVES)
			bail_out("too many commands in one line");
		w.leaf[w.leaves++] = s;
		s->layer = w.plan->leaf ? &leaf : &seen;
	}
}

static struct nl_svc *stack_of(const struct sim_plan *p, struct nl_room *room)
{
	static const struct nl_layer *const tools[] = { &nl_retry, &nl_timeout, &nl_fallback, NULL };
	const struct nl_layer *at;
	struct nl_err err = { "no such tool" };
	struct nl_svc *s = NULL;
	room->used = 0;
	for (unsigned i = 0; tools[i] && !s; i++)
		if (!strcmp(p->argv[0] + 3, tools[i]->name))
			s = nl_stack(tools[i], (char **)p->argv + 1, NL_STACK_FUSED, room, &at, &err);
	if (!s)
		bail_out(err.msg);
	return s;
}

struct sim_result sim_world(struct sim_plan *p, struct sim_log *log)
{
	static struct nl_room room;
	static char *no_environ[] = { NULL };
	char rest[2][NL_REST];
	struct nl_sink sink = { .type = NL_SINK_FD, .level = NL_INFO, .fd = 2 };
	struct mind mind = { .signals = { .fd = -1 } };
	size_t n;

	w = (struct world){ .plan = p, .log = log, .n = 1, .mind = &mind };
	procs[0] = (struct proc){ .lives = true, .there = true, .until = NL_NEVER };
	sim_desk_init(&procs[0].desk);
	log->n = log->requests = log->retries = 0, log->wrong = NULL;
	mind.run = (struct nl_run){ .os = &os, .environ = no_environ, .pid = FIRST_PID, .horizon = p->horizon,
	                            .signals = &mind.signals, .std = mind.std, .tool = "nl-sim" };
	nl_fd_tap_init(&mind.std[0], 1, rest[0]);
	nl_fd_tap_init(&mind.std[1], 2, rest[1]);
	struct nl_svc *stack = stack_of(p, &room);
	furnish(stack, p->heard ? &sink : NULL);
	if (p->heard) {
		nl_ids_open(&mind.run, &mind.ids);
		mind.run.ids = &mind.ids;
	}
	struct nl_outcome o = nl_do(stack, &mind.run, (struct nl_req){
		.limit = { .at = NL_NEVER }, .stop = { .grace = NL_NEVER }, .prev = -1 });
	nl_stack_free(stack, &room);
	for (unsigned i = 1; i < w.n; i++)
		if (procs[i].there)
			wrong("a branch is not reaped");
	const char *out = sim_desk_out(&n);
	log->outs = n < sizeof log->out ? n : sizeof log->out;
	memcpy(log->out, out, log->outs);
	if (mind.signals.fd >= 0)
		sim_desk_close(&procs[0].desk, mind.signals.fd);
	if (sim_desk_things() != 3)
		wrong("a descriptor is left open");
	return (struct sim_result){ .ws = o.wstatus, .at = w.now, .runs = w.runs, .sleeps = w.sleeps };
}
