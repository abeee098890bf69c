/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turns.h - internal to the policy simulator: its processes and their commands,
 * signals, the clock, and who runs next.
 */
#ifndef SIM_TURNS_H
#define SIM_TURNS_H

#include "desk.h"
#include "event.h"
#include "io.h"
#include "run.h"
#include "sim.h"

#define SIM_PROCS 64
#define SIM_PID 100                     /* of the first process */
#define SIM_COMMAND 1000                /* of the first command */

struct sim_command {
	struct sim_cmd is;
	pid_t pid;
	bool alive, there;              /* it runs; it is not reaped */
	nl_time ends;
	int ws;
	bool warned;                    /* it handles its first signal only */
	uint64_t got;                   /* signals */
	struct sim_end out;             /* its stdout */
};

struct sim_proc {
	void *ctx;
	bool lives, there;              /* it runs; its parent has not reaped it */
	unsigned parent, depth, branches;
	uint64_t path;                  /* which child of which child: the same whatever the order of events */
	int ws;
	int (*body)(void *);
	void *arg;
	struct sim_desk desk;
	uint64_t pending;               /* signals */
	bool polled;                    /* the next sigwait belongs to a poll */
	bool woken;                     /* by an old SIGCHLD: the next one goes on with the same sleep */
	nl_time until;                  /* what it waits for: a time, signals, descriptors */
	uint64_t set;
	const struct pollfd *poll;
	unsigned polls;
	unsigned leaf;                  /* the command that it is about to run */
	struct sim_command cmd;
};

/* Forgets all; the first process runs. */
void sim_turns_init(const struct sim_plan *);
nl_time sim_now(void);
struct sim_proc *sim_me(void);
pid_t sim_pid(void);
pid_t sim_ppid(void);

/* A process that runs body and exits with what that returns: its pid. */
pid_t sim_branch(int (*body)(void *), void *arg, void *stack);

/* Waits for signals of set, for one of n descriptors, or until a moment. */
void sim_wait(uint64_t set, const struct pollfd *poll, unsigned n, nl_time until);

/* A pending signal of set is taken; 0: none. */
int sim_take(uint64_t set);

/* A child or the command that has ended: its pid; 0: none has; -ECHILD: there is no such. */
pid_t sim_ended(pid_t pid, int *ws, bool reap);

/* To a process; -1: there is none.  It may be us. */
int sim_kill(pid_t pid, int sig);

/* What sig does to a command. */
void sim_strike(struct sim_command *, int sig);

bool sim_all_reaped(void);
_Noreturn void sim_bail_out(const char *why);

#endif
