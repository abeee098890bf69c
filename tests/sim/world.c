/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world.c - the system calls of a kernel on a virtual clock, and what is run on
 * it.
 *
 * Half of the cases end in a scripted leaf; in the others exec.c and child.c
 * start, stop and reap a process that is made of the same script.
 */
#include "exec.h"
#include "sink.h"
#include "stack.h"
#include "turns.h"

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

static struct world {
	const struct sim_plan *plan;
	struct sim_log *log;
	unsigned runs, draws, sleeps, leaves;
	unsigned busy;                  /* scripted leaves that run */
	unsigned ran[SIM_LEAVES];       /* by leaf */
	const struct nl_svc *leaf[SIM_LEAVES];
} w;

static void wrong(const char *what)
{
	if (!w.log->wrong)
		w.log->wrong = what;
}

static struct sim_step *step(bool sleep, nl_time until, nl_time known)
{
	unsigned n = w.log->n < sizeof w.log->step / sizeof *w.log->step ? w.log->n++ : w.log->n - 1;
	w.log->step[n] = (struct sim_step){ sleep, sim_now(), until, known };
	return &w.log->step[n];
}

/* Starts the leaf's next run. */
static struct sim_command *begin(unsigned leaf, nl_time known)
{
	struct sim_command *c = &sim_me()->cmd;
	unsigned run = w.ran[leaf]++;
	*c = (struct sim_command){ .is = w.plan->script ? w.plan->script(w.plan, leaf, run) : sim_cmd(w.plan, run), .pid = SIM_COMMAND + (pid_t)w.runs++ };
	c->ends = sim_now() + c->is.dur, c->ws = c->is.ws;
	step(false, c->ends, known);
	return c;
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
	struct sim_command *c = begin(leaf_of(svc), q.limit.at);
	run->stopped_at = 0;
	if (c->is.way == SIM_MISSING)
		return (struct nl_outcome){ c->ws, NL_NOTRUN };
	w.log->most = ++w.busy > w.log->most ? w.busy : w.log->most;
	say(run, &q, c->is.says);
	nl_time beat = c->is.beat ? sim_now() + c->is.beat : NL_NEVER, kill_at = NL_NEVER;
	struct nl_outcome o = { 0, NL_RAN };
	for (;;) {
		struct nl_limit limit = nl_limit(&q);
		nl_time at = o.why == NL_RAN ? limit.at : kill_at, next = at < c->ends ? at : c->ends;
		sim_wait(~NL_SIGBIT(SIGCHLD), NULL, 0, beat < next ? beat : next);
		int sig = sim_take(~NL_SIGBIT(SIGCHLD));
		if (sig && nl_stops_work(sig)) {
			const struct nl_order *order = nl_ordered(run);
			nl_told(run, sig, sim_now());
			if (o.why == NL_RAN)
				o.why = nl_why_told(run), kill_at = nl_after(sim_now(), q.stop.grace);
			sim_strike(c, order ? order->sig : sig);
		} else if (sim_now() >= c->ends) {
			break;
		} else if (sim_now() >= at && o.why != NL_RAN) {
			sim_strike(c, SIGKILL);
		} else if (sim_now() >= at) {
			o.why = NL_DEADLINE, run->fired = limit.owner;
			kill_at = nl_after(sim_now(), q.stop.grace);
			sim_strike(c, limit.sig);
		} else if (sim_now() >= beat) {
			beat += c->is.beat;
			if (q.io.tap[0])
				say(run, &q, ".");
		}
	}
	w.busy--;
	o.wstatus = c->ws;
	run->stopped_at = o.why == NL_RAN ? 0 : sim_now();
	return o;
}

/* The real one, seen. */
static struct nl_outcome exec_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	unsigned n = w.log->n;
	sim_me()->leaf = leaf_of(svc);
	struct nl_outcome o = nl_exec.call(svc, run, q);
	if (w.log->n > n)
		w.log->step[n].known = q.limit.at;
	if (sim_me()->cmd.there)
		wrong("a command is not reaped");
	return o;
}

/* The calls. */

static nl_time os_clock(int id)
{
	return id == CLOCK_REALTIME ? sim_now() + 1000000000 * NL_SEC : sim_now();
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
	return sim_pid();
}

static pid_t os_spawn(struct nl_spawn *s)
{
	if (sim_me()->cmd.there)
		wrong("two commands at once");
	struct sim_command *c = begin(sim_me()->leaf, NL_NEVER);
	s->error = c->is.way == SIM_MISSING ? ENOENT : 0;
	if (s->error)
		c->ends = sim_now();
	c->there = c->alive = true;
	c->out = sim_desk_lend(&sim_me()->desk, s->fd[1]);
	if (!s->error)
		sim_desk_say(c->out, c->is.says);
	return c->pid;
}

static pid_t os_wait(pid_t pid, int *ws, int options)
{
	(void)options;
	return sim_ended(pid, ws, true);
}

static int os_peek(pid_t pid)
{
	int ws;
	pid_t r = sim_ended(pid, &ws, false);
	return r > 0 ? 1 : r;
}

static int os_sigwait(uint64_t set, siginfo_t *si, nl_time span)
{
	nl_time until = nl_after(sim_now(), span < 0 ? 0 : span);
	memset(si, 0, sizeof *si);
	struct sim_proc *p = sim_me();
	bool waits = !p->polled && set & NL_SIGBIT(SIGTERM) && !p->cmd.there;
	if (waits && !p->woken)
		w.sleeps++, step(true, sim_now() + span, 0);
	if (set & NL_SIGBIT(SIGTERM))
		sim_wait(set, NULL, 0, until);
	int sig = sim_take(set);
	p->polled = false, p->woken = waits && sig == SIGCHLD;
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

static int os_kill(pid_t pid, int sig)
{
	struct sim_command *c = &sim_me()->cmd;
	pid = pid < 0 ? -pid : pid;
	if (sim_kill(pid, sig) == 0)
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
	sim_strike(c, sig);
	return 0;
}

static int os_prctl(int op, unsigned long arg)
{
	(void)op, (void)arg;
	return 0;
}

static int os_poll(struct pollfd *set, unsigned n, nl_time span)
{
	struct sim_proc *p = sim_me();
	int ready_ones = 0;
	sim_wait(0, set, n, nl_after(sim_now(), span));
	p->polled = p->pending != 0;
	for (unsigned i = 0; i < n; i++) {
		set[i].revents = sim_desk_ready(&p->desk, set[i].fd, set[i].events, p->pending != 0);
		ready_ones += set[i].revents != 0;
	}
	return ready_ones;
}

static int os_open(const char *path, int flags, int mode)
{
	(void)flags, (void)mode;
	return strcmp(path, "/dev/null") ? -ENOENT : sim_desk_open(&sim_me()->desk, SIM_NULL);
}

static int os_close(int fd)
{
	return sim_desk_close(&sim_me()->desk, fd);
}

static ssize_t os_read(int fd, void *buf, size_t n)
{
	return sim_desk_read(&sim_me()->desk, fd, buf, n);
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
	if (sim_desk_kind(&sim_me()->desk, fd) == SIM_ERR)
		check_event(buf, n);
	return sim_desk_write(&sim_me()->desk, fd, buf, n);
}

static ssize_t os_pread(int fd, void *buf, size_t n, off_t at)
{
	return sim_desk_pread(&sim_me()->desk, fd, buf, n, at);
}

static ssize_t os_pwrite(int fd, const void *buf, size_t n, off_t at)
{
	return sim_desk_pwrite(&sim_me()->desk, fd, buf, n, at);
}

static int os_fcntl(int fd, int op, long arg)
{
	(void)fd, (void)op, (void)arg;
	return 0;
}

static long os_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	struct sim_desk *desk = &sim_me()->desk;
	(void)d, (void)e, (void)f;
	switch (nr) {
	case SYS_getppid: return sim_ppid();
	case SYS_pipe2: return sim_desk_pipe(desk, (int *)a);
	case SYS_mmap: return (long)calloc(1, (size_t)b);        // All is shared here.
	case SYS_munmap: free((void *)a); return 0;
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
	.clock = os_clock, .random = os_random, .unit = os_unit, .pid = os_pid, .spawn = os_spawn, .branch = sim_branch,
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
			sim_bail_out("too many commands in one line");
		w.leaf[w.leaves++] = s;
		s->layer = w.plan->leaf ? &leaf : &seen;
	}
}

static struct nl_svc *stack_of(struct sim_plan *p, struct nl_room *room)
{
	char **argv = p->line ? p->line : p->argv;
	const struct nl_layer *at;
	struct nl_err err = { "no such tool" };
	struct nl_svc *s = NULL;
	room->used = 0;
	for (size_t i = 0; nl_layers[i] && !s; i++)
		if (!strcmp(argv[0] + 3, nl_layers[i]->name))
			s = nl_stack(nl_layers[i], argv + 1, NL_STACK_FUSED, room, &at, &err);
	if (!s)
		sim_bail_out(err.msg);
	return s;
}

struct sim_result sim_world(struct sim_plan *p, struct sim_log *log)
{
	static struct nl_room room;
	static char *no_environ[] = { NULL };
	char rest[2][NL_REST];
	struct nl_sink sink = { .type = NL_SINK_FD, .level = NL_INFO, .fd = 2 };
	struct nl_signals signals = { .fd = -1, .wanted = ~UINT64_C(0) };
	struct nl_fd_tap std[2];
	struct nl_ids ids;
	size_t n;

	w = (struct world){ .plan = p, .log = log };
	sim_turns_init(p);
	log->n = log->requests = log->retries = log->most = 0, log->wrong = NULL;
	struct nl_run run = { .os = &os, .environ = no_environ, .pid = SIM_PID, .horizon = p->horizon, .signals = &signals,
	                      .std = std, .tool = "nl-sim" };
	nl_fd_tap_init(&std[0], 1, rest[0]);
	nl_fd_tap_init(&std[1], 2, rest[1]);
	struct nl_svc *stack = stack_of(p, &room);
	furnish(stack, p->heard ? &sink : NULL);
	if (p->heard) {
		nl_ids_open(&run, &ids);
		run.ids = &ids;
	}
	struct nl_outcome o = nl_do(stack, &run, (struct nl_req){
		.limit = { .at = NL_NEVER }, .stop = { .grace = NL_NEVER }, .prev = -1 });
	nl_stack_free(stack, &room);
	if (!sim_all_reaped())
		wrong("a branch is not reaped");
	const char *out = sim_desk_out(&n);
	log->outs = n < sizeof log->out ? n : sizeof log->out;
	memcpy(log->out, out, log->outs);
	if (signals.fd >= 0)
		sim_desk_close(&sim_me()->desk, signals.fd);
	if (sim_desk_things() != 3)
		wrong("a descriptor is left open");
	return (struct sim_result){ .ws = o.wstatus, .at = sim_now(), .runs = w.runs, .sleeps = w.sleeps };
}
