/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.h - internal: what this process is, was given and has been told.
 */
#ifndef NL_RUN_H
#define NL_RUN_H

#include "nl.h"
#include "os.h"

/* A function that most runs never call, or a large frame: kept out of its
 * caller, whose frame is on the stack of every run.  A page costs 3 us. */
#define NL_COLD __attribute__((noinline))

/* What we inherited and must give back to commands. */
struct nl_signals {
	uint64_t mask;
	uint64_t wanted;                /* those that we take: all but what guest.c leaves to its host */
	bool chld_ignored;
	int fd;                         /* signalfd of everything, opened when first polled; -1 */
};

/* Makes the process a supervisor: descriptors 0-2 exist, every signal is
 * blocked, SIGCHLD is default, orphans of our commands come to us, NL_DEADLINE
 * is read.  From here on nothing but nl_wait sees a signal.  -errno: signals
 * cannot be blocked, nothing may be started. */
int nl_run_open(struct nl_run *, struct nl_signals *, const struct nl_os *, char **env, const char *tool);

/* A value of the inherited environment, or NULL. */
const char *nl_getenv(const struct nl_run *, const char *name);

/* What ended a wait, when it was no signal. */
enum { NL_WAKE_TIME = -1, NL_WAKE_LOOK = -2, NL_WAKE_IO = -3 };

/* Waits for one signal until `until`.  NL_WAKE_LOOK: look at everything again
 * (the kernel failed the wait; 10 ms were spent). */
int nl_wait(struct nl_run *, nl_time until, siginfo_t *);

/* The same with n descriptors; p has room for one more.  NL_WAKE_IO: revents
 * are set.  A signal goes first. */
struct pollfd;
int nl_poll(struct nl_run *, struct pollfd *p, unsigned n, nl_time until, siginfo_t *);

enum nl_signal_kind { NL_SIGNAL_NOTHING, NL_SIGNAL_PAUSE, NL_SIGNAL_RESUME, NL_SIGNAL_END };
enum nl_signal_kind nl_signal_kind(int sig);    /* the kernel's default action */
bool nl_stops_work(int sig);                    /* HUP INT QUIT TERM */
bool nl_signal_ignored(struct nl_run *, int sig);  /* it was ignored when we started */

/* A signal with no command running: what stops us ends the work, the rest does
 * what it always does. */
void nl_alone(struct nl_run *, int sig);

/* Takes the SIGPIPE or SIGXFSZ that a failed write of ours raised; r -errno. */
void nl_swallow(struct nl_run *, int r);

/* How a forked branch is to stop.  The process that forked it writes this into
 * memory that both share, and then sends TERM: with which signal its command is
 * stopped and what that is to the layers inside is no longer the signal's. */
struct nl_order {
	volatile bool given;
	int sig;                        /* 0: none, KILL follows all the same */
	enum nl_kill kill;
	enum nl_why why;
	pid_t from;
};

/* The order that this process has been given, or NULL.  One whose parent is gone
 * is to kill what it has. */
const struct nl_order *nl_ordered(struct nl_run *);

/* Notes that sig tells us to stop. */
void nl_told(struct nl_run *, int sig, nl_time now);

/* The why of an outcome that this ended: no limit of ours. */
enum nl_why nl_why_told(struct nl_run *);

/* Lets TSTP, TTIN or TTOU do to this process what it does by default: stop it
 * until SIGCONT, unless nobody could continue it (an orphaned group). */
void nl_pause(struct nl_run *, int sig);

/* Closes run->spent, if there is one. */
void nl_close_spent(struct nl_run *);

/* The earliest of q's limits, idle ones included. */
struct nl_limit nl_limit(const struct nl_req *);

/* "NS:BOOT:PID:START:GRACE" of a deadline that is ours, into buf[120]. */
void nl_deadline_text(struct nl_run *, nl_time deadline, nl_time grace, char buf[120]);

#endif
