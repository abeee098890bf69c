/* SPDX-License-Identifier: Apache-2.0 */
/*
 * os.h - every call by which lib/ touches the kernel, as a table.
 *
 * nl_os_linux is the real one.  The policy simulator and the fault counter in
 * tests/ replace it.  All functions return what the system call returns, and
 * -errno (never errno) on failure.
 */
#ifndef NL_OS_H
#define NL_OS_H

#include "nl.h"

#include <signal.h>

struct pollfd;

/* Signal numbers are the kernel's: RTMIN is 34 whatever the C library keeps
 * for itself.  A set holds signal n in bit n-1. */
#define NL_RTMIN 34
#define NL_NSIG 64
#define NL_SIGBIT(n) (UINT64_C(1) << ((n) - 1))

/* Everything that happens between vfork and exec, as data. */
struct nl_spawn {
	char *const *argv, *const *envp;
	const char *path;               /* PATH to search when argv[0] has no slash */
	int fd[3];                      /* what become 0, 1, 2; -1 leaves it closed */
	uint64_t mask;                  /* signal mask of the command */
	uint64_t dfl, ign;              /* dispositions to set */
	bool group;                     /* lead a process group of its own */
	int deathsig;                   /* PR_SET_PDEATHSIG, or 0 */
	pid_t parent;                   /* us: a child that finds another parent does not run */
	bool replace;                   /* no child: this process becomes the command */
	int error;                      /* out: errno of exec, 0 when it ran */
};

struct nl_os {
	nl_time (*clock)(int id);
	int (*random)(void *buf, size_t n);
	double (*unit)(uint64_t *state);        /* nl_unit; an adversary in simulators */
	pid_t (*pid)(void);
	pid_t (*spawn)(struct nl_spawn *);      /* pid, also when exec failed; -errno without a child */
	/* Runs body(arg) in a child, which exits with what it returns: in a copy of
	 * our memory, or with a stack (its end) in our memory itself, if that can be
	 * had, which costs half as much.  There it changes nothing but what it finds
	 * through arg.  A simulator runs it at once, on a clock of its own. */
	pid_t (*branch)(int (*body)(void *), void *arg, void *stack);
	pid_t (*wait)(pid_t pid, int *ws, int options); /* pid -1: any; 0: none yet */
	int (*peek)(pid_t pid);                 /* 1: ended and not reaped, 0: no, -errno */
	int (*sigwait)(uint64_t set, siginfo_t *, nl_time span);  /* signal; -EAGAIN after span, NL_NEVER waits */
	int (*mask)(uint64_t set, uint64_t *old);
	int (*action)(int sig, int act, int *old);      /* act, *old: NL_SIG_*; act -1 only asks */
	int (*kill)(pid_t pid, int sig);
	int (*prctl)(int op, unsigned long arg);
	int (*poll)(struct pollfd *, unsigned n, nl_time span);
	int (*open)(const char *path, int flags, int mode);
	int (*close)(int fd);
	ssize_t (*read)(int fd, void *, size_t);
	ssize_t (*write)(int fd, const void *, size_t);
	ssize_t (*pread)(int fd, void *, size_t, off_t);
	ssize_t (*pwrite)(int fd, const void *, size_t, off_t);
	int (*fcntl)(int fd, int op, long arg);
	/* Waits in the kernel's queue: for a byte (F_OFD_SETLKW of type F_RDLCK or
	 * F_WRLCK), or with byte -1 for the whole file as flock(2) does.  All
	 * signals but those ignored end the wait and are pending again then.
	 * 0 locked; -EAGAIN after span; -EINTR a signal. */
	int (*lockwait)(int fd, int type, int64_t byte, nl_time span);
	long (*syscall)(long nr, long a, long b, long c, long d, long e, long f);  /* the rest; -errno */
	bool shares;                            /* branch takes a stack */
	bool (*ours)(pid_t child);      /* may this child of our process be killed?  NULL: all may, nobody else has any */
};

enum { NL_SIG_DFL, NL_SIG_IGN, NL_SIG_OTHER };

extern const struct nl_os nl_os_linux;

/* Signals that lockwait leaves alone: they are somebody else's.  SIGALRM is not among them, whatever set says. */
void nl_os_spare(uint64_t set);

#endif
