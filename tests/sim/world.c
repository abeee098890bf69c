/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world.c - a kernel of one process on a virtual clock.  Nothing takes time but
 * waiting, and waiting ends at the next thing that happens.
 *
 * Half of the cases end in a scripted leaf; in the others exec.c and child.c
 * start, stop and reap a process that is made of the same script.
 */
#include "event.h"
#include "exec.h"
#include "io.h"
#include "run.h"
#include "sim.h"
#include "stack.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

static struct world {
	const struct sim_plan *plan;
	struct sim_log *log;
	nl_time now;
	unsigned runs, draws, sleeps;
	bool alive, there, told;        /* the process runs; it is not reaped; the stop signal was delivered */
	struct sim_cmd cmd;
	nl_time ends;
	int ws;
	bool warned;                    /* it handles its first signal only */
	uint64_t got;                   /* signals */
} w;

static void wrong(const char *what)
{
	if (!w.log->wrong)
		w.log->wrong = what;
}

static struct sim_step *step(bool sleep, nl_time until, nl_time known)
{
	unsigned n = w.log->n < sizeof w.log->step / sizeof *w.log->step ? w.log->n++ : w.log->n - 1;
	w.log->step[n] = (struct sim_step){ sleep, w.now, until, known };
	return &w.log->step[n];
}

static void begin(nl_time known)
{
	w.cmd = sim_cmd(w.plan, w.runs++);
	w.ends = w.now + w.cmd.dur, w.ws = w.cmd.ws;
	w.warned = false, w.got = 0;
	step(false, w.ends, known);
}

/* What sig does to the command. */
static void strike(int sig)
{
	nl_time ends = sig == SIGKILL || w.cmd.way == SIM_OBEYS ? w.now : w.cmd.way == SIM_HANDLES ? w.now + w.cmd.late : NL_NEVER;
	if (w.ends <= w.now || sig == SIGCONT || sig == SIGSTOP || sig == 0)
		return;
	if (ends < w.ends && (sig == SIGKILL || !w.warned)) {
		w.ws = ends == w.now && (sig == SIGKILL || w.cmd.way == SIM_OBEYS) ? sig : w.cmd.late_ws;
		w.ends = ends;
	}
	w.warned = true;
}

static bool stop_is_due(nl_time until)
{
	return !w.told && w.plan->stop_at <= until;
}

/* The scripted leaf: what a supervisor does, in one screen. */
static struct nl_outcome leaf_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	(void)svc;
	if (run->stop_sig)
		return (struct nl_outcome){ run->stop_sig, run->stop_why };
	begin(q.limit.at);
	run->stopped_at = 0;
	if (w.cmd.way == SIM_MISSING)
		return (struct nl_outcome){ w.ws, NL_NOTRUN };
	nl_time beat = w.cmd.beat ? w.now + w.cmd.beat : NL_NEVER, kill_at = NL_NEVER;
	struct nl_outcome o = { 0, NL_RAN };
	for (;;) {
		struct nl_limit limit = nl_limit(&q);
		nl_time at = o.why == NL_RAN ? limit.at : kill_at, next = at < w.ends ? at : w.ends;
		next = beat < next ? beat : next;
		if (stop_is_due(next)) {
			w.now = w.plan->stop_at > w.now ? w.plan->stop_at : w.now, w.told = true;
			nl_told(run, w.plan->stop_sig, w.now);
			if (o.why == NL_RAN)
				o.why = run->stop_why, run->fired = NULL, kill_at = nl_after(w.now, q.stop.grace);
			strike(w.plan->stop_sig);
			continue;
		}
		w.now = next > w.now ? next : w.now;
		if (w.now >= w.ends)
			break;
		if (w.now >= at && o.why != NL_RAN) {
			strike(SIGKILL);
		} else if (w.now >= at) {
			o.why = NL_DEADLINE, run->fired = limit.owner;
			kill_at = nl_after(w.now, q.stop.grace);
			strike(limit.sig);
		} else {
			beat += w.cmd.beat;
			if (q.io.tap[0] && q.io.tap[0]->put(q.io.tap[0], run, ".", 1) < 0)
				wrong("a byte was refused");
		}
	}
	o.wstatus = w.ws;
	run->stopped_at = o.why == NL_RAN ? 0 : w.now;
	return o;
}

/* The real one, seen. */
static struct nl_outcome exec_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	unsigned n = w.log->n;
	struct nl_outcome o = nl_exec.call(svc, run, q);
	if (w.log->n > n)
		w.log->step[n].known = q.limit.at;
	if (w.there)
		wrong("a command is not reaped");
	return o;
}

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
	return 100;
}

static pid_t os_spawn(struct nl_spawn *s)
{
	if (w.there)
		wrong("two commands at once");
	begin(NL_NEVER);
	s->error = w.cmd.way == SIM_MISSING ? ENOENT : 0;
	if (s->error)
		w.ends = w.now;
	w.there = w.alive = true;
	return 100 + (pid_t)w.runs;
}

static pid_t os_branch(int (*body)(void *), void *arg)
{
	(void)body, (void)arg;
	return -ENOSYS;
}

static pid_t os_wait(pid_t pid, int *ws, int options)
{
	(void)pid, (void)options;
	if (!w.there)
		return -ECHILD;
	if (w.now < w.ends)
		return 0;
	w.there = w.alive = false;
	*ws = w.ws;
	return 100 + (pid_t)w.runs;
}

static int os_peek(pid_t pid)
{
	(void)pid;
	return w.there ? w.now >= w.ends : -ECHILD;
}

static int os_sigwait(uint64_t set, siginfo_t *si, nl_time span)
{
	nl_time until = nl_after(w.now, span < 0 ? 0 : span);
	memset(si, 0, sizeof *si);
	if (!(set & NL_SIGBIT(SIGTERM)))
		return -EAGAIN;
	if (!w.there)
		w.sleeps++, step(true, w.now + span, 0);
	if (stop_is_due(w.alive && w.ends < until ? w.ends : until)) {
		w.now = w.plan->stop_at > w.now ? w.plan->stop_at : w.now;
		w.told = true;
		return si->si_signo = w.plan->stop_sig;
	}
	if (w.alive && w.ends <= until) {
		w.now = w.ends > w.now ? w.ends : w.now;
		w.alive = false;
		return si->si_signo = SIGCHLD;
	}
	if (until == NL_NEVER) {
		printf("Bail out! SIM_SEED=%llu waits for ever\n", (unsigned long long)w.plan->seed);
		exit(1);
	}
	w.now = until;
	return -EAGAIN;
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
	pid = pid < 0 ? -pid : pid;
	if (!w.there || pid != 100 + (pid_t)w.runs) {
		wrong("a signal to nobody");
		return -ESRCH;
	}
	if (sig > 0 && sig != SIGKILL && sig != SIGCONT) {
		if (w.got & NL_SIGBIT(sig))
			wrong("the same signal twice");
		w.got |= NL_SIGBIT(sig);
	}
	strike(sig);
	return 0;
}

static int os_prctl(int op, unsigned long arg)
{
	(void)op, (void)arg;
	return 0;
}

static int os_poll(struct pollfd *p, unsigned n, nl_time span)
{
	(void)p, (void)n, (void)span;
	wrong("a poll");
	w.now += span;
	return 0;
}

static int os_open(const char *path, int flags, int mode)
{
	(void)path, (void)flags, (void)mode;
	return -ENOENT;
}

static int os_close(int fd)
{
	(void)fd;
	return 0;
}

static ssize_t os_read(int fd, void *buf, size_t n)
{
	(void)fd, (void)buf, (void)n;
	return -EBADF;
}

static ssize_t os_write(int fd, const void *buf, size_t n)
{
	const char *text = buf;
	if (fd == 2 && n > 8 && n <= NL_EVENT_MAX && text[n - 1] == '\n' && !memcmp(text, "{\"nl\":1,", 8)) {
		char line[NL_EVENT_MAX + 1];
		memcpy(line, text, n);
		line[n] = '\0';
		w.log->requests += strstr(line, "\"event\":\"nl.request.") != NULL;
		for (size_t i = 0; i + 1 < n; i++)
			if ((unsigned char)line[i] < ' ')
				wrong("an event with a control character");
		w.log->retries += strstr(line, "\"event\":\"nl.retry.attempt\"") != NULL;
	}
	return (ssize_t)n;
}

static ssize_t os_pread(int fd, void *buf, size_t n, off_t at)
{
	(void)fd, (void)buf, (void)n, (void)at;
	return -EBADF;
}

static ssize_t os_pwrite(int fd, const void *buf, size_t n, off_t at)
{
	(void)fd, (void)buf, (void)n, (void)at;
	return -EBADF;
}

static int os_fcntl(int fd, int op, long arg)
{
	(void)fd, (void)op, (void)arg;
	return 0;
}

static long os_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	(void)c, (void)d, (void)e, (void)f;
	if (nr != SYS_fstat)
		return -ENOSYS;
	((struct stat *)b)->st_mode = a == 2 ? S_IFREG | 0600 : S_IFCHR | 0600;
	return 0;
}

static const struct nl_os os = {
	.clock = os_clock, .random = os_random, .unit = os_unit, .pid = os_pid, .spawn = os_spawn, .branch = os_branch,
	.wait = os_wait, .peek = os_peek, .sigwait = os_sigwait, .mask = os_mask, .action = os_action, .kill = os_kill,
	.prctl = os_prctl, .poll = os_poll, .open = os_open, .close = os_close, .read = os_read, .write = os_write,
	.pread = os_pread, .pwrite = os_pwrite, .fcntl = os_fcntl, .syscall = os_syscall,
};

struct sim_result sim_world(struct sim_plan *p, struct sim_log *log)
{
	static const struct nl_layer leaf = { .name = "leaf", .call = leaf_call }, seen = { .name = "exec", .call = exec_call };
	static struct nl_room room;
	static char *no_environ[] = { NULL };
	struct nl_signals signals = { .fd = -1 };
	struct nl_fd_tap std[2];
	char rest[2][NL_REST];
	struct nl_ids ids;
	struct nl_sink sink = { .type = NL_SINK_FD, .level = NL_INFO, .fd = 2 };
	struct nl_run run = { .os = &os, .environ = no_environ, .pid = 100, .horizon = p->horizon, .signals = &signals,
	                      .std = std, .tool = "nl-sim" };
	const struct nl_layer *at;
	struct nl_err err = { "" };

	w = (struct world){ .plan = p, .log = log };
	log->n = log->requests = log->retries = 0, log->wrong = NULL;
	nl_fd_tap_init(&std[0], 1, rest[0]);
	nl_fd_tap_init(&std[1], 2, rest[1]);
	room = (struct nl_room){ .used = 0 };
	struct nl_svc *stack = nl_stack(strcmp(p->argv[0], "nl-retry") ? &nl_timeout : &nl_retry, p->argv + 1, NL_STACK_FUSED,
	                                &room, &at, &err);
	if (!stack) {
		printf("Bail out! SIM_SEED=%llu: %s\n", (unsigned long long)p->seed, err.msg);
		exit(1);
	}
	if (p->heard) {
		nl_ids_open(&run, &ids);
		run.ids = &ids;
	}
	for (struct nl_svc *s = stack; s; s = s->inner) {
		s->sink = p->heard ? &sink : NULL;
		if (s->layer == &nl_exec)
			s->layer = p->leaf ? &leaf : &seen;
	}
	struct nl_outcome o = nl_do(stack, &run, (struct nl_req){
		.limit = { .at = NL_NEVER }, .stop = { .grace = NL_NEVER }, .prev = -1 });
	nl_stack_free(stack, &room);
	return (struct sim_result){ .ws = o.wstatus, .at = w.now, .runs = w.runs, .sleeps = w.sleeps };
}
