/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel.h - the system simulator's kernel: several virtual processes that
 * share files, byte locks and inotify on a virtual clock.
 *
 * Every call that a process makes is a step: there it may be killed, and there
 * the seeded scheduler may let others go on.  What a process owned is then freed
 * as Linux frees it; a command that it had running lives a little longer, with
 * the descriptions that it has inherited.
 */
#ifndef SIM_KERNEL_H
#define SIM_KERNEL_H

#include "nl.h"
#include "os.h"

#define SIM_PROCS 8
#define SIM_FDS 300

struct sim_kernel_cfg {
	uint64_t seed;
	unsigned procs;
	double kill;                    /* chance of a SIGKILL at a step */
	double yield;                   /* chance that others go on */
	void (*body)(int proc);         /* what a process does, again and again; new ones are born in place of the dead */
	/* Told as they happen; NULL: nobody listens. */
	void (*locked)(int proc, uint64_t ino, int64_t byte, bool held);        /* a write lock was taken or let go */
	void (*written)(int proc, uint64_t ino, const void *before, const void *after);
	void (*died)(int proc, bool with_command);      /* with_command: its command goes on for a moment */
	void (*command_ended)(int proc);                /* one that had lost its wrapper */
	void (*idle)(nl_time next);     /* nobody can run before next */
};

/* Runs until so many steps are done or somebody has called sim_wrong. */
void sim_kernel_run(const struct sim_kernel_cfg *, uint64_t most);

extern const struct nl_os sim_kernel_os;
nl_time sim_kernel_now(void);
uint64_t sim_kernel_steps(void);
uint64_t sim_kernel_kills(void);
uint64_t sim_rand(void);
double sim_chance(void);

/* What is wrong: the first one stays. */
void sim_wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
const char *sim_wrong_text(void);       /* NULL: all is well */

/* For bodies. */
void sim_pause(nl_time span);           /* sleeps; a signal does not end it */
/* Runs a virtual command: with what is not CLOEXEC.  0: it has ended by itself
 * after span; else the signal that the process was told to stop by. */
int sim_command(nl_time span);
bool sim_inherits(int proc, uint64_t ino, int64_t byte);        /* would a command of proc keep that lock? */
void sim_signal(int proc, int sig);     /* pending from now on */
bool sim_alive(int proc);
int sim_self(void);
bool sim_waits(int proc);               /* asleep in a lock's queue or a poll */
unsigned sim_fds(int proc);             /* open descriptors */

/* Files, from outside. */
uint64_t sim_ino(const char *name);     /* of a file anywhere with that name; 0: none */
const void *sim_bytes(uint64_t ino);
bool sim_locked(uint64_t ino, int64_t byte);

#endif
