/* SPDX-License-Identifier: Apache-2.0 */
/*
 * os.c - the kernel, as struct nl_os.
 *
 * System calls are made raw: the C library would add its own (sigaction and
 * sigprocmask keep signals 32 to 34 for themselves, the first clock_gettime
 * through the vDSO costs a short-lived process 10 us), and errno is not ours
 * alone where a branch shares our memory.
 */
#include "os.h"

#include "mut.h"
#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The kernel's struct sigaction: not the C library's. */
struct action { void (*handler)(int); unsigned long flags; void (*restorer)(void); uint64_t mask; };

#define RAW6(nr, a, b, c, d, e, f, ...) nl_raw(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define RAW(...) RAW6(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

/* Calls with a file offset, which the C library passes in two halves where it has to. */
#if NL_RAW
#define WIDE(call, ...) RAW(__VA_ARGS__)
#else
#define WIDE(call, ...) ret(call)
static long ret(long r)
{
	return r < 0 ? -errno : r;
}
#endif

static nl_time os_clock(int id)
{
	struct timespec ts = { 0 };
	if (RAW(SYS_clock_gettime, id, &ts) < 0)
		clock_gettime(id, &ts);         // Through the vDSO: a seccomp filter is not asked.
	return ts.tv_sec * NL_SEC + ts.tv_nsec;
}

static int os_random(void *buf, size_t n)
{
	return RAW(SYS_getrandom, buf, n, 0) == (long)n ? 0 : -EIO;
}

/* Asked each time: what the C library keeps is that of whose memory it is. */
static pid_t os_pid(void)
{
	long pid = RAW(SYS_getpid);
	return (pid_t)(pid > 0 ? pid : RAW(SYS_gettid));        // We have one thread.
}

static int os_mask(uint64_t set, uint64_t *old)
{
	return (int)RAW(SYS_rt_sigprocmask, SIG_SETMASK, &set, old, sizeof set);
}

static int os_action(int sig, int act, int *old)
{
	struct action new = { .handler = act == NL_SIG_IGN ? SIG_IGN : SIG_DFL }, was = { 0 };
	long r = RAW(SYS_rt_sigaction, sig, act < 0 ? NULL : &new, &was, sizeof was.mask);
	if (r == 0 && old)
		*old = was.handler == SIG_IGN ? NL_SIG_IGN : was.handler == SIG_DFL ? NL_SIG_DFL : NL_SIG_OTHER;
	return (int)r;
}

static int os_prctl(int op, unsigned long arg)
{
	return (int)RAW(SYS_prctl, op, arg);
}

/* execvp without its shell: a file that the kernel cannot run is an error. */
__attribute__((noinline)) static int search(const struct nl_spawn *s)
{
	const char *file = s->argv[0], *dir = s->path ? s->path : "/usr/local/bin:/bin:/usr/bin";
	char path[PATH_MAX + 1];
	size_t len = strlen(file);
	int err = ENOENT;

	if (len == 0)
		return ENOENT;
	for (;; dir++) {
		size_t n = strcspn(dir, ":");
		if (n + len + 2 <= sizeof path) {
			memcpy(path, dir, n);
			if (n > 0)
				path[n++] = '/';
			memcpy(path + n, file, len + 1);
			int r = (int)-RAW(SYS_execve, path, s->argv, s->envp);
			if (r == EACCES)
				err = EACCES;   // Found, but it may be found again.
			else if (r != ENOENT && r != ENOTDIR && r != ENAMETOOLONG && r != ESTALE)
				return r;
		}
		dir += strcspn(dir, ":");
		if (*dir == '\0')
			return err;
	}
}

static void set_dispositions(const struct nl_spawn *s)
{
	for (int sig = 1; sig <= NL_NSIG; sig++) {
		if (s->dfl & NL_SIGBIT(sig))
			os_action(sig, NL_SIG_DFL, NULL);
		if (s->ign & NL_SIGBIT(sig))
			os_action(sig, NL_SIG_IGN, NULL);
	}
}

/* Runs in the vforked child, on the parent's memory.  Returns only errors. */
static int become(struct nl_spawn *s)
{
	if (s->deathsig && !s->replace && !MUTANT(NO_DEATHSIG))
		os_prctl(PR_SET_PDEATHSIG, (unsigned long)s->deathsig);  // Best effort: refused only by seccomp.
	if (!s->replace && RAW(SYS_getppid) != s->parent && !MUTANT(ANY_PARENT))
		return ESRCH;                           // We died before the line above.
	if (s->group && RAW(SYS_setpgid, 0, 0) != 0)
		s->group = false;
	for (int i = 0; i < 3; i++) {
		long e = 0;
		if (s->fd[i] < 0)
			RAW(SYS_close, i);
		else if (s->fd[i] != i)
			e = RAW(SYS_dup3, s->fd[i], i, 0);
		if (e < 0)
			return (int)-e;
	}
	if (s->dfl | s->ign)
		set_dispositions(s);
	int r = os_mask(s->mask, NULL);
	if (r < 0)
		return -r;
	if (!strchr(s->argv[0], '/'))
		return search(s);
	return (int)-RAW(SYS_execve, s->argv[0], s->argv, s->envp);
}

static pid_t os_spawn(struct nl_spawn *s)
{
	s->error = 0;
	if (s->replace) {
		os_prctl(PR_SET_CHILD_SUBREAPER, 0);    // It would be the command's.
		return -become(s);
	}
	pid_t pid = vfork();
	if (pid == 0) {
		s->error = become(s);
		_exit(NL_EX_NOTFOUND);
	}
	return pid < 0 ? -errno : pid;
}

/* Tools that follow memory (sanitizers, valgrind over a debug build) follow a fork. */
#if NL_RAW && defined __OPTIMIZE__ && !defined __SANITIZE_ADDRESS__
#define SHARES 1
#else
#define SHARES 0
#endif

static pid_t os_branch(int (*body)(void *), void *arg, void *stack)
{
	if (SHARES && stack) {
		pid_t pid = clone(body, stack, CLONE_VM | SIGCHLD, arg);
		return pid < 0 ? -errno : pid;
	}
	pid_t pid = fork();
	if (pid == 0)
		_exit(body(arg));
	return pid < 0 ? -errno : pid;
}

static pid_t os_wait(pid_t pid, int *ws, int options)
{
	return (pid_t)RAW(SYS_wait4, pid, ws, options);
}

static int os_peek(pid_t pid)
{
	siginfo_t si = { 0 };
	long r = RAW(SYS_waitid, P_PID, pid, &si, WEXITED | WNOWAIT | WNOHANG);
	return r < 0 ? (int)r : si.si_pid == pid;
}

static struct timespec spec(nl_time span)
{
	span = span < 0 ? 0 : span;
	return (struct timespec){ .tv_sec = span / NL_SEC, .tv_nsec = span % NL_SEC };
}

static int os_sigwait(uint64_t set, siginfo_t *si, nl_time span)
{
	struct timespec ts = spec(span);
	return (int)RAW(SYS_rt_sigtimedwait, &set, si, span == NL_NEVER ? NULL : &ts, sizeof set);
}

static int os_kill(pid_t pid, int sig)
{
	return (int)RAW(SYS_kill, pid, sig);
}

static int os_poll(struct pollfd *p, unsigned n, nl_time span)
{
	struct timespec ts = spec(span);
	return (int)RAW(SYS_ppoll, p, n, span == NL_NEVER ? NULL : &ts, NULL, sizeof(uint64_t));
}

static int os_open(const char *path, int flags, int mode)
{
	return (int)RAW(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC | O_NOCTTY | O_LARGEFILE, mode);
}

static int os_close(int fd)
{
	return (int)RAW(SYS_close, fd);
}

static ssize_t os_read(int fd, void *buf, size_t n)
{
	return RAW(SYS_read, fd, buf, n);
}

static ssize_t os_write(int fd, const void *buf, size_t n)
{
	return RAW(SYS_write, fd, buf, n);
}

static ssize_t os_pread(int fd, void *buf, size_t n, off_t at)
{
	return WIDE(pread(fd, buf, n, at), SYS_pread64, fd, buf, n, at);
}

static ssize_t os_pwrite(int fd, const void *buf, size_t n, off_t at)
{
	return WIDE(pwrite(fd, buf, n, at), SYS_pwrite64, fd, buf, n, at);
}

static int os_fcntl(int fd, int op, long arg)
{
	return (int)WIDE(fcntl(fd, op, arg), SYS_fcntl, fd, op, arg);
}

/* What os_lockwait's handler leaves: signals taken, and the timer that makes
 * sure that the wait notices. */
static struct { volatile uint64_t caught; volatile sig_atomic_t timed_out; int timer; uint64_t spared; } waiting;

void nl_os_spare(uint64_t set)
{
	waiting.spared = set & ~NL_SIGBIT(SIGALRM);
}

static void set_timer(int timer, nl_time first, nl_time again)
{
	struct itimerspec it = { .it_value = { first / NL_SEC, first % NL_SEC }, .it_interval = { 0, again } };
	RAW(SYS_timer_settime, timer, 0, &it);
}

/* A signal between the unblocking and the call that waits would be lost to it:
 * from the first one on the timer interrupts again and again. */
static void on_wait_signal(int sig, siginfo_t *si, void *context)
{
	(void)context;
	if (sig == SIGALRM && si->si_code == SI_TIMER && si->si_value.sival_ptr == &waiting)
		waiting.timed_out = 1;
	else
		waiting.caught |= NL_SIGBIT(sig);
	set_timer(waiting.timer, NL_MS, NL_MS);
}

static bool ends_wait(int sig)
{
	switch (sig) {
	case SIGKILL: case SIGSTOP: case SIGCONT: case SIGTSTP: case SIGTTIN: case SIGTTOU:
	case SIGCHLD: case SIGURG: case SIGWINCH:
		return false;
	default:
		return true;
	}
}

/* Bits of the signals that got the handler. */
static uint64_t catch_signals(struct sigaction *old)
{
	uint64_t set = 0;
	struct sigaction act = { .sa_sigaction = on_wait_signal, .sa_flags = SA_SIGINFO };
	sigfillset(&act.sa_mask);
	for (int sig = 1; sig <= NL_NSIG; sig++) {
		if (!ends_wait(sig) || waiting.spared & NL_SIGBIT(sig) || sigaction(sig, NULL, &old[sig - 1]) < 0)
			continue;               // Also those that the C library keeps for itself.
		if (old[sig - 1].sa_handler == SIG_IGN && sig != SIGALRM)
			continue;
		if (sigaction(sig, &act, NULL) == 0)
			set |= NL_SIGBIT(sig);
	}
	return set;
}

__attribute__((noinline)) static int os_lockwait(int fd, int type, int64_t byte, nl_time span)
{
	struct sigaction old[NL_NSIG];
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM, .sigev_value = { .sival_ptr = &waiting } };
	struct flock lk = { .l_type = (short)type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
	uint64_t blocked = ~UINT64_C(0);
	int timer = 0;
	long r = RAW(SYS_timer_create, CLOCK_MONOTONIC, &ev, &timer);
	if (r < 0)
		return r == -EAGAIN ? -ENOMEM : (int)r;         // EAGAIN here is a limit of pending signals.
	waiting.caught = 0, waiting.timed_out = 0, waiting.timer = timer;
	uint64_t set = catch_signals(old);
	if (span != NL_NEVER)
		set_timer(timer, span > 0 ? span : 1, NL_MS);
	os_mask(~(set | ((NL_SIGBIT(SIGTSTP) | NL_SIGBIT(SIGTTIN) | NL_SIGBIT(SIGTTOU)) & ~waiting.spared)), &blocked);
	do
		r = byte < 0 ? RAW(SYS_flock, fd, type == F_RDLCK ? LOCK_SH : LOCK_EX) : os_fcntl(fd, F_OFD_SETLKW, (long)&lk);
	while (r == -EINTR && !waiting.caught && !waiting.timed_out);
	os_mask(blocked, NULL);
	RAW(SYS_timer_delete, timer);
	for (int sig = 1; sig <= NL_NSIG; sig++)
		if (set & NL_SIGBIT(sig))
			sigaction(sig, &old[sig - 1], NULL);
	for (int sig = 1; sig <= NL_NSIG; sig++)
		if (waiting.caught & NL_SIGBIT(sig))
			os_kill(os_pid(), sig); // Pending again: whoever waits next takes it.
	return r == -EINTR && !waiting.caught ? -EAGAIN : (int)r;
}

static long os_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	return nl_raw(nr, a, b, c, d, e, f);
}

const struct nl_os nl_os_linux = {
	.clock = os_clock,
	.random = os_random,
	.unit = nl_unit,
	.pid = os_pid,
	.spawn = os_spawn,
	.branch = os_branch,
	.shares = SHARES,
	.wait = os_wait,
	.peek = os_peek,
	.sigwait = os_sigwait,
	.mask = os_mask,
	.action = os_action,
	.kill = os_kill,
	.prctl = os_prctl,
	.poll = os_poll,
	.open = os_open,
	.close = os_close,
	.read = os_read,
	.write = os_write,
	.pread = os_pread,
	.pwrite = os_pwrite,
	.fcntl = os_fcntl,
	.lockwait = os_lockwait,
	.syscall = os_syscall,
};
