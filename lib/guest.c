/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest.c - the kernel as a guest may use it: a struct nl_os that knows whose
 * children and whose signals are whose.
 *
 * child.c and run.c work on it as on the real one.  The table has no argument
 * for a context, so the call in progress is the one global of the library; it
 * is also what refuses a second.
 */
#include "guest.h"

#include "kin.h"
#include "mut.h"
#include "proc.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STEP (10 * NL_MS)               /* a wait among threads */
#define LIBC (NL_SIGBIT(32) | NL_SIGBIT(33))    /* by which threads of the C library talk */
#define STOPS (NL_SIGBIT(SIGHUP) | NL_SIGBIT(SIGINT) | NL_SIGBIT(SIGQUIT) | NL_SIGBIT(SIGTERM))

static atomic_int thread;               /* that is in a call; 0: none */
static pid_t process;                   /* that it is in: a fork of the host's has none */
static struct nl_guest *host;           /* the call in progress; NULL while the host has its process back */

/* A call may be made where another has been left, by the same thread. */
static bool take(struct nl_guest *g)
{
	int none = 0, tid = gettid();
	if (process != getpid())
		atomic_store(&thread, 0);
	g->nested = atomic_load(&thread) == tid && !host;
	if (!g->nested && !atomic_compare_exchange_strong(&thread, &none, tid))
		return false;
	process = getpid();
	host = g;
	return true;
}

static void give_back(const struct nl_guest *g)
{
	host = NULL;
	if (!g->nested)
		atomic_store(&thread, 0);
}

static pid_t guest_pid(void)
{
	return getpid();                // The thread's number is not it.
}

static int guest_action(int sig, int act, int *old)
{
	struct sigaction now;
	if (sig != SIGCHLD || act != NL_SIG_DFL)
		return nl_os_linux.action(sig, act, old);
	if (sigaction(SIGCHLD, NULL, &now) < 0)
		return -errno;
	bool ignored = !(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_IGN;
	if (old)
		*old = ignored ? NL_SIG_IGN : NL_SIG_DFL;
	if (!ignored && !(now.sa_flags & SA_NOCLDWAIT))
		return 0;
	host->chld = now;
	host->chld_changed = true;
	return nl_os_linux.action(SIGCHLD, NL_SIG_DFL, NULL);
}

static int guest_mask(uint64_t set, uint64_t *old)
{
	return nl_os_linux.mask(set == ~UINT64_C(0) ? ~LIBC : set, old);
}

static void forget_child(pid_t pid)
{
	for (unsigned i = 0; i < host->owns; i++)
		if (host->own[i] == pid)
			host->own[i--] = host->own[--host->owns];
}

static pid_t guest_wait(pid_t pid, int *ws, int options)
{
	if (host->forked)
		return nl_os_linux.wait(pid, ws, options);
	if (pid != -1) {
		pid_t r = nl_os_linux.wait(pid, ws, options);
		if (r > 0 || r == -ECHILD)
			forget_child(pid);
		return r;
	}
	for (unsigned i = host->owns; i-- > 0; ) {
		pid_t r = guest_wait(host->own[i], ws, options | WNOHANG);
		if (r > 0)
			return r;
	}
	for (unsigned i = host->orphans; i-- > 0; ) {
		pid_t r = nl_os_linux.wait(host->orphan[i], ws, options | WNOHANG);
		if (r == 0 || (r < 0 && nl_os_linux.kill(host->orphan[i], 0) == 0))
			continue;                       // It lives, or its parent does.
		host->orphan[i] = host->orphan[--host->orphans];
		if (r > 0)
			return r;
	}
	return host->owns ? 0 : -ECHILD;
}

static void write_mark(struct nl_guest *g)
{
	snprintf(g->mark + g->fixed, sizeof g->mark - g->fixed, "%u", g->spawned + 1);
}

static void started(pid_t pid)
{
	if (pid <= 0)
		return;
	host->last = pid;
	host->spawned++;
	if (host->owns == 0)
		host->first = host->spawned;
	write_mark(host);
	if (host->owns < NL_GUEST_OWN)
		host->own[host->owns++] = pid;
}

/* A function of the host as a command: its streams and group, but no program. */
static pid_t spawn_body(const struct nl_spawn *s)
{
	struct nl_guest *g = host;
	pid_t pid = fork();
	if (pid != 0)
		return pid < 0 ? -errno : pid;
	if (s->deathsig)
		prctl(PR_SET_PDEATHSIG, s->deathsig);   // Best effort: refused only by seccomp.
	if (getppid() != s->parent)
		_exit(NL_EX_FAIL);
	if (s->group)
		(void)setpgid(0, 0);            // In our group it is stopped alone.
	for (int i = 0; i < 3; i++) {
		if (s->fd[i] < 0)
			close(i);
		else if (s->fd[i] != i && dup2(s->fd[i], i) < 0)
			_exit(NL_EX_FAIL);
	}
	prctl(PR_SET_CHILD_SUBREAPER, g->subreaper);
	if (g->chld_changed)
		(void)sigaction(SIGCHLD, &g->chld, NULL);       // It was valid before.
	give_back(g);
	nl_os_linux.mask(s->mask, NULL);
	_exit(g->body(g->arg) & 255);
}

static pid_t guest_spawn(struct nl_spawn *s)
{
	struct nl_guest *g = host;
	s->replace = false;                     // Its place is the host's.
	s->error = 0;
	s->dfl |= g->caught;            // Between vfork and exec a handler would run on the host's memory.
	pid_t pid = g->body ? spawn_body(s) : nl_os_linux.spawn(s);
	started(pid);
	return pid;
}

/* What a branch does in its own process, where nobody is a stranger. */
struct branch { int (*body)(void *); void *arg; };

static int in_branch(void *arg)
{
	const struct branch *b = arg;
	host->forked = true;
	host->owns = host->orphans = 0;
	return b->body(b->arg);
}

static pid_t guest_branch(int (*body)(void *), void *arg, void *stack)
{
	struct branch b = { body, arg };
	(void)stack;                            // Our memory is the host's.
	pid_t pid = nl_os_linux.branch(in_branch, &b, NULL);
	started(pid);
	return pid;
}

static int guest_kill(pid_t pid, int sig)
{
	nl_kin_note(host, pid, sig);
	return nl_os_linux.kill(pid, sig);
}

static bool guest_ours(pid_t pid)
{
	return host->forked || MUTANT(KILLS_STRANGERS) || nl_kin_is_ours(host, pid);
}

static bool wants_stop(void)
{
	return host->stop && *host->stop && !host->run.stop_sig;
}

static int guest_sigwait(uint64_t set, siginfo_t *si, nl_time span)
{
	bool general = set == host->signals.wanted;
	if (general && wants_stop()) {
		*si = (siginfo_t){ .si_signo = SIGTERM, .si_code = SI_USER };
		return SIGTERM;
	}
	if (!host->alone && span > STEP)
		span = STEP;                    // run.c then looks at everything again.
	int sig = nl_os_linux.sigwait(set, si, span);
	if (general && sig > 0)
		host->taken |= NL_SIGBIT(sig);
	return sig;
}

static int guest_poll(struct pollfd *p, unsigned n, nl_time span)
{
	bool general = n > 0 && host->signals.fd >= 0 && p[n - 1].fd == host->signals.fd;
	if (general && wants_stop()) {
		p[n - 1].revents = POLLIN;      // Behind it guest_sigwait says which signal.
		return 1;
	}
	return nl_os_linux.poll(p, n, !host->alone && span > STEP ? STEP : span);
}

static struct nl_os table;              // nl_os_linux with the functions above, written once.

static void fill_table(void)
{
	table = nl_os_linux;
	table.pid = guest_pid, table.action = guest_action, table.mask = guest_mask, table.wait = guest_wait;
	table.spawn = guest_spawn, table.branch = guest_branch, table.ours = guest_ours;
	table.kill = guest_kill, table.sigwait = guest_sigwait, table.poll = guest_poll;
	table.shares = false;                   // The memory is the host's: its branches are forked.
}

static bool has_one_thread(void)
{
	struct stat st;
	return stat("/proc/self/task", &st) == 0 && st.st_nlink == 3;
}

static uint64_t caught_signals(void)
{
	uint64_t set = 0;
	for (int sig = 1; sig <= NL_NSIG; sig++) {
		int act;
		if (nl_os_linux.action(sig, -1, &act) == 0 && act == NL_SIG_OTHER)
			set |= NL_SIGBIT(sig);
	}
	return set;
}

static void unmend(const struct nl_guest *g)
{
	for (int i = 0; i < 3; i++)
		if (g->run.mended >> i & 1)
			close(i);
}

/* Everything that the call has changed, as it was; the mask stays. */
static void restore(struct nl_guest *g)
{
	nl_os_spare(0);
	if (!g->subreaper)
		prctl(PR_SET_CHILD_SUBREAPER, 0);
	if (g->chld_changed)
		(void)sigaction(SIGCHLD, &g->chld, NULL);       // It was valid before.
}

/* Whom we have ended dies, or loses the parent that dies before it, in a moment. */
static void collect_orphans(const struct nl_guest *g)
{
	int ws, left = 100;
	for (unsigned i = 0; i < g->orphans; i++)
		for (;;) {
			pid_t r = nl_os_linux.wait(g->orphan[i], &ws, WNOHANG);
			if (r > 0 || (r < 0 && nl_os_linux.kill(g->orphan[i], 0) < 0) || left-- <= 0)
				break;
			nl_os_linux.poll(NULL, 0, NL_MS);
		}
}

/* Ends what is not signal: orphans that died as our children, then SIGCHLD. */
static void settle_children(struct nl_guest *g)
{
	siginfo_t si = { 0 };
	pid_t kid[512];
	struct nl_proc p;
	int ws;
	collect_orphans(g);
	g->orphans = 0;                                         // Behind this their pids may be the host's.
	if (syscall(SYS_waitid, P_ALL, 0, &si, WEXITED | WNOWAIT | WNOHANG, NULL) < 0 || !si.si_pid)
		return;
	int n = nl_proc_children(&nl_os_linux, getpid(), kid, sizeof kid / sizeof *kid);
	for (int i = 0; i < n; i++)
		if (nl_proc_read(&nl_os_linux, kid[i], &p) == 0 && p.state == 'Z' && p.pgrp == g->last)
			nl_os_linux.wait(kid[i], &ws, WNOHANG);
	if (g->signals.chld_ignored) {                          // The kernel would have taken them.
		while (nl_os_linux.wait(-1, &ws, WNOHANG) > 0)
			;
		return;
	}
	si.si_pid = 0;
	bool heard = g->caught & NL_SIGBIT(SIGCHLD) || g->signals.mask & NL_SIGBIT(SIGCHLD);
	if (heard && syscall(SYS_waitid, P_ALL, 0, &si, WEXITED | WNOWAIT | WNOHANG, NULL) == 0 && si.si_pid && !MUTANT(EATS_SIGCHLD))
		nl_os_linux.kill(getpid(), SIGCHLD);
}

static void narrow_signals(struct nl_guest *g)
{
	uint64_t chld = NL_SIGBIT(SIGCHLD), pauses = NL_SIGBIT(SIGTSTP) | NL_SIGBIT(SIGTTIN) | NL_SIGBIT(SIGTTOU) | NL_SIGBIT(SIGCONT);
	g->signals.wanted = ~(LIBC | g->signals.mask | (g->caught & ~(STOPS | pauses))) | chld;
}

int nl_guest_open(struct nl_guest *g, char **env, const char *tool, uint64_t dfl)
{
	struct timespec now;
	const char *outer;
	if (!take(g))
		return -EBUSY;
	if (!table.clock)
		fill_table();
	*g = (struct nl_guest){ .nested = g->nested, .alone = has_one_thread(), .caught = caught_signals() };
	prctl(PR_GET_CHILD_SUBREAPER, &g->subreaper);
	int r = nl_run_open(&g->run, &g->signals, &table, env, tool);
	if (r < 0) {
		unmend(g);
		restore(g);
		give_back(g);
		return r;
	}
	narrow_signals(g);
	nl_os_spare(~g->signals.wanted);
	g->caught |= dfl;
	clock_gettime(CLOCK_MONOTONIC, &now);
	outer = nl_getenv(&g->run, "NL_GUEST");
	int n = snprintf(g->mark, sizeof g->mark, "NL_GUEST=%s%s%d.%lld.", outer && strlen(outer) < 128 ? outer : "",
	                 outer && strlen(outer) < 128 ? ":" : "", (int)getpid(), (long long)now.tv_sec * NL_SEC + now.tv_nsec);
	g->fixed = (size_t)n;
	const char *colon = strrchr(g->mark, ':');
	g->stem = colon ? (size_t)(colon + 1 - g->mark) : strlen("NL_GUEST=");
	write_mark(g);
	g->run.mark = g->mark;
	g->run.std = g->std;
	for (int i = 0; i < 2; i++) {
		nl_fd_tap_init(&g->std[i], i + 1, g->rest[i]);
		g->std[i].error = g->run.mended >> (i + 1) & 1 ? EBADF : 0;
	}
	return 0;
}

void nl_guest_leave(struct nl_guest *g)
{
	restore(g);
	settle_children(g);
	host = NULL;
	nl_os_linux.mask(g->signals.mask, NULL);
}

void nl_guest_enter(struct nl_guest *g)
{
	host = g;
	guest_mask(~UINT64_C(0), &g->signals.mask);
	nl_os_spare(~g->signals.wanted);
	g->chld_changed = false;
	guest_action(SIGCHLD, NL_SIG_DFL, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

void nl_guest_close(struct nl_guest *g, uint64_t forget)
{
	nl_close_spent(&g->run);
	if (g->signals.fd >= 0)
		close(g->signals.fd);
	unmend(g);
	restore(g);
	settle_children(g);
	for (int sig = 1; sig <= NL_NSIG; sig++) {
		int act = NL_SIG_DFL;
		if (!(g->taken & ~forget & NL_SIGBIT(sig)) || sig == SIGCHLD)
			continue;
		nl_os_linux.action(sig, -1, &act);
		if (act == NL_SIG_OTHER || nl_signal_kind(sig) == NL_SIGNAL_END)
			nl_os_linux.kill(getpid(), sig);
	}
	uint64_t mask = g->signals.mask;
	give_back(g);
	nl_os_linux.mask(mask, NULL);
}
