/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.c - what this process is, and the one place where it waits.
 *
 * Every signal is blocked from the start and taken by rt_sigtimedwait, so
 * there are no handlers, no EINTR and no race between a signal and a reaped
 * child.  A disposition that we do not change need not be saved: whether a
 * signal was ignored is asked when it comes.
 */
#include "run.h"

#include "io.h"
#include "mut.h"
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

const char *nl_getenv(const struct nl_run *run, const char *name)
{
	size_t n = strlen(name);
	for (char **e = run->environ; e && *e; e++)
		if (!strncmp(*e, name, n) && (*e)[n] == '=')
			return *e + n + 1;
	return NULL;
}

nl_time nl_now(struct nl_run *run)
{
	return run->os->clock(CLOCK_MONOTONIC);
}

nl_time nl_after(nl_time now, nl_time span)
{
	return span >= NL_NEVER - now ? NL_NEVER : now + span;
}

/* No file of ours may become a descriptor that the command takes for its own. */
static void mend(struct nl_run *run)
{
	struct pollfd p[3] = { { .fd = 0 }, { .fd = 1 }, { .fd = 2 } };
	int r = run->os->poll(p, 3, 0);
	for (int i = 0; i < 3; i++) {
		bool closed = r < 0 ? run->os->fcntl(i, F_GETFD, 0) == -EBADF : (p[i].revents & POLLNVAL) != 0;
		if (!closed)
			continue;
		run->mended |= 1u << i;
		int fd = run->os->open("/dev/null", O_RDWR, 0);
		if (fd < 0)
			fd = run->os->open("/", O_PATH, 0);
		if (fd >= 0 && fd != i)
			run->os->close(fd);     // 0 could not be opened: nothing more can be done for i.
	}
}

static bool has_terminal(struct nl_run *run)
{
	const struct nl_os *os = run->os;
	pid_t front = 0;
	int fd = os->open("/dev/tty", O_RDONLY | O_NONBLOCK, 0);
	if (fd == -ENXIO || fd == -ENOENT)
		return false;
	long r = -1;
	if (fd >= 0) {
		r = os->syscall(SYS_ioctl, fd, TIOCGPGRP, (long)&front, 0, 0, 0);
		os->close(fd);
	} else {
		for (int i = 0; i < 3 && r < 0; i++)
			r = os->syscall(SYS_ioctl, i, TIOCGPGRP, (long)&front, 0, 0, 0);
	}
	return r == 0 && front == os->syscall(SYS_getpgid, 0, 0, 0, 0, 0, 0);
}

/* Another boot's, or one whose owner is gone, is none. */
static void inherit_deadline(struct nl_run *run)
{
	const char *text = nl_getenv(run, "NL_DEADLINE");
	char boot[40], own[40] = "";
	long long ns = 0, grace = NL_NEVER;
	int pid = 0;
	unsigned long long start = 0;
	struct nl_proc p;

	run->horizon = run->grace = NL_NEVER;
	if (!text || sscanf(text, "%lld:%39[^:]:%d:%llu:%lld", &ns, own, &pid, &start, &grace) < 4 || grace < 0)
		return;
	nl_boot_id(run->os, boot);
	if (strcmp(boot, own) || nl_proc_read(run->os, pid, &p) < 0 || p.start != start || p.state == 'Z')
		return;
	run->horizon = ns;
	run->grace = grace;
}

void nl_deadline_text(struct nl_run *run, nl_time deadline, nl_time grace, char buf[120])
{
	char boot[40];
	struct nl_proc self = { 0 };
	nl_boot_id(run->os, boot);
	if (nl_proc_read(run->os, 0, &self) < 0 || self.pid != run->pid)
		self.start = 0;                         // /proc is another namespace's: nobody believes a 0.
	snprintf(buf, 120, "%lld:%s:%d:%llu:%lld", (long long)deadline, boot, (int)run->pid,
	         (unsigned long long)self.start, (long long)grace);
}

int nl_run_open(struct nl_run *run, struct nl_signals *signals, const struct nl_os *os, char **env,
                 const char *tool)
{
	int chld = NL_SIG_DFL;
	*run = (struct nl_run){ .os = os, .environ = env, .signals = signals, .tool = tool };
	*signals = (struct nl_signals){ .fd = -1, .wanted = ~UINT64_C(0) };
	mend(run);
	if (os->action(SIGCHLD, NL_SIG_DFL, &chld) < 0)
		nl_say(run, "cannot reset SIGCHLD");
	signals->chld_ignored = chld == NL_SIG_IGN;
	int r = -EINVAL;
	for (int i = 0; i < 2 && r < 0; i++)
		r = os->mask(~UINT64_C(0), &signals->mask);
	if (r < 0)
		return r;
	if (!MUTANT(NO_SUBREAPER))
		os->prctl(PR_SET_CHILD_SUBREAPER, 1);   // Else orphans escape a stop: the walk finds fewer.
	run->pid = os->pid();
	run->terminal = has_terminal(run);
	inherit_deadline(run);
	return 0;
}

enum nl_signal_kind nl_signal_kind(int sig)
{
	switch (sig) {
	case SIGCHLD: case SIGURG: case SIGWINCH: return NL_SIGNAL_NOTHING;
	case SIGTSTP: case SIGTTIN: case SIGTTOU: return NL_SIGNAL_PAUSE;
	case SIGCONT: return NL_SIGNAL_RESUME;
	default: return NL_SIGNAL_END;
	}
}

bool nl_stops_work(int sig)
{
	return sig == SIGHUP || sig == SIGINT || sig == SIGQUIT || sig == SIGTERM;
}

bool nl_signal_ignored(struct nl_run *run, int sig)
{
	int act = NL_SIG_DFL;
	return run->os->action(sig, -1, &act) == 0 && act == NL_SIG_IGN;
}

const struct nl_order *nl_ordered(struct nl_run *run)
{
	static const struct nl_order orphan = { .given = true, .sig = SIGKILL, .why = NL_CANCELLED };
	if (!run->order)
		return NULL;
	if (run->order->given)
		return run->order;
	pid_t parent = (pid_t)run->os->syscall(SYS_getppid, 0, 0, 0, 0, 0, 0);
	return parent > 0 && parent != run->order->from ? &orphan : NULL;
}

void nl_told(struct nl_run *run, int sig, nl_time now)
{
	run->told++;
	if (run->stop_sig)
		return;
	const struct nl_order *order = nl_ordered(run);
	run->stop_sig = order && order->sig ? order->sig : sig;
	run->stop_why = order ? order->why : now >= run->horizon ? NL_DEADLINE : NL_CANCELLED;
}

enum nl_why nl_why_told(struct nl_run *run)
{
	run->fired = NULL;
	return run->stop_why;
}

void nl_pause(struct nl_run *run, int sig)
{
	run->os->kill(run->pid, sig);
	run->os->mask(~NL_SIGBIT(sig), NULL);   // Here it stops.
	run->os->mask(~UINT64_C(0), NULL);
}

/* The kernel fails us: a pause instead of a spin. */
static int stumble(struct nl_run *run, nl_time until)
{
	struct timespec ts = { .tv_nsec = 10 * NL_MS };
	if (run->os->poll(NULL, 0, 10 * NL_MS) < 0)
		run->os->syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, (long)&ts, 0, 0, 0);
	return until != NL_NEVER && nl_now(run) >= until ? NL_WAKE_TIME : NL_WAKE_LOOK;
}

int nl_wait(struct nl_run *run, nl_time until, siginfo_t *si)
{
	nl_time span = until == NL_NEVER ? NL_NEVER : until - nl_now(run);
	int sig = run->os->sigwait(run->signals->wanted, si, span);
	if (sig > 0)
		return sig;
	if (sig == -EAGAIN && until != NL_NEVER && (span <= 0 || nl_now(run) >= until))
		return NL_WAKE_TIME;
	return stumble(run, until);             // Also EINTR: stopped and continued.
}

int nl_poll(struct nl_run *run, struct pollfd *p, unsigned n, nl_time until, siginfo_t *si)
{
	struct nl_signals *s = run->signals;
	uint64_t all = s->wanted;
	if (s->fd < 0)
		s->fd = (int)run->os->syscall(SYS_signalfd4, -1, (long)&all, sizeof all, SFD_CLOEXEC | SFD_NONBLOCK, 0, 0);
	p[n] = (struct pollfd){ .fd = s->fd, .events = POLLIN };
	nl_time span = until == NL_NEVER ? NL_NEVER : until - nl_now(run);
	if (s->fd < 0 && span > 20 * NL_MS)
		span = 20 * NL_MS;              // Without signalfd signals are asked for.
	int r = run->os->poll(p, n + 1, span);
	int sig = s->fd < 0 || r < 0 || p[n].revents ? run->os->sigwait(all, si, 0) : 0;
	if (sig > 0)
		return sig;
	if (r > 0)
		return NL_WAKE_IO;
	if (until != NL_NEVER && nl_now(run) >= until)
		return NL_WAKE_TIME;
	if (r == 0)
		return NL_WAKE_LOOK;
	for (unsigned i = 0; i < n; i++)        // It cannot tell: they are tried.
		p[i].revents = p[i].events;
	return stumble(run, until) == NL_WAKE_TIME ? NL_WAKE_TIME : NL_WAKE_IO;
}

void nl_close_spent(struct nl_run *run)
{
	if (run->spent > 0)
		run->os->close(run->spent);
	run->spent = 0;
}

struct nl_limit nl_limit(const struct nl_req *q)
{
	struct nl_limit first = q->limit;
	for (const struct nl_idle *i = q->idle; i; i = i->next)
		if (i->limit.at < first.at)
			first = i->limit;
	return first;
}

void nl_swallow(struct nl_run *run, int r)
{
	siginfo_t si;
	if (r == -EPIPE || r == -EFBIG)
		run->os->sigwait(NL_SIGBIT(r == -EPIPE ? SIGPIPE : SIGXFSZ), &si, 0);
}

void nl_alone(struct nl_run *run, int sig)
{
	if (sig == SIGCHLD) {
		int ws;
		while (run->os->wait(-1, &ws, WNOHANG) > 0)
			;
	} else if (nl_signal_kind(sig) == NL_SIGNAL_END && (!nl_signal_ignored(run, sig) || nl_ordered(run))) {
		nl_told(run, sig, nl_now(run));
	} else if (nl_signal_kind(sig) == NL_SIGNAL_PAUSE && !nl_signal_ignored(run, sig)) {
		nl_pause(run, sig);
	}
}

enum nl_why nl_sleep(struct nl_run *run, struct nl_req q, nl_time until)
{
	for (;;) {
		if (run->stop_sig)
			return nl_why_told(run);
		struct nl_limit limit = MUTANT(SLEEPS_THROUGH_IDLE) ? q.limit : nl_limit(&q);
		siginfo_t si;
		int sig = nl_wait(run, until < limit.at ? until : limit.at, &si);
		if (sig > 0)
			nl_alone(run, sig);
		if (sig != NL_WAKE_TIME)
			continue;
		if (until <= limit.at)
			return NL_RAN;
		run->fired = limit.owner;
		return NL_DEADLINE;
	}
}

void nl_say(struct nl_run *run, const char *fmt, ...)
{
	char buf[512];
	va_list ap;
	int n = snprintf(buf, sizeof buf, "%s: ", run->tool);
	va_start(ap, fmt);
	int m = vsnprintf(buf + n, sizeof buf - (size_t)n - 1, fmt, ap);
	va_end(ap);
	if (m < 0)
		return;
	nl_defuse(buf);
	size_t len = strlen(buf);
	buf[len++] = '\n';
	if (run->say)
		run->say(run, buf, len);
}

uint64_t nl_seed(struct nl_run *run)
{
	uint64_t seed;
	if (run->os->random(&seed, sizeof seed) < 0)    // Bad luck is enough to tell runs apart.
		seed = (uint64_t)run->os->clock(CLOCK_REALTIME) ^ (uint64_t)run->pid << 32;
	return seed;
}
