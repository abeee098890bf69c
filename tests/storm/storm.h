/* SPDX-License-Identifier: Apache-2.0 */
/*
 * storm.h - a storm of SIGKILL around the real nl-bulkhead and nl-breaker, and
 * what must hold in it.  Nothing of lib/ is used: what runs tells it itself, by
 * lines of a log and by locks, and deaths are what waitpid says.
 *
 *   command.c   what the wrappers run: tells its start and its end
 *   crew.c      wrappers: hired, shot, reaped
 *   judge.c     the log, and how many were alive at once
 *   storm.c     the phases and their oracles
 */
#ifndef STORM_H
#define STORM_H

#include <stdbool.h>
#include <stdint.h>

/* Descriptors that every command inherits. */
enum {
	FD_LOG = 20,                    /* "S|E|V PID NS PPID TAG" lines, O_APPEND */
	FD_WITNESS,                     /* a byte is locked by each command that lives */
	FD_HOLD,                        /* ends when who holds may go on */
};

enum { CREW = 64 };                     /* most wrappers at once */

/* A wrapper. */
struct worker {
	int pid;                        /* 0: a free place; status is its last one's */
	int command;                    /* that has told its start and no end; 0 */
	int tag;
	int status;                     /* of waitpid; -1 while it runs */
	bool started;                   /* its command has told its start */
	bool shot;                      /* it, or its command */
};

struct life { int pid, ppid, tag; int64_t from, to; };  /* of a command; to 0: it told no end */

/* What was seen; all but the first rows of it are violations. */
struct tally {
	long kills, wrappers, commands, ended, rejected, busy;
	int at_once, probes;            /* most commands, most probes at once */
	long crowded;                   /* commands that found more than the limit alive */
	long leaked;                    /* slots that nobody held and nobody got */
	long inversions;                /* commands that started before one that was first */
	long unreadable;                /* records put aside, and other trouble with state */
	long wedged;                    /* breakers that stayed open for a healthy service */
	long stuck;                     /* times that nothing moved for STUCK */
	long lost;                      /* commands that vanished unshot, statuses that nobody sent */
};
extern struct tally tally;
extern struct worker crew[CREW];

int64_t now(void);                      /* CLOCK_MONOTONIC ns */
uint64_t below(uint64_t n);             /* a random number */
void seed(uint64_t);
void rest(uint64_t ns);                 /* up to so long, at random */

/* command.c: storm run TAG BASE COUNT US EXIT [hold|outlive] */
int command_main(char **argv);

/* crew.c */
struct worker *hire(int tag, const char *const *argv);
bool shoot_wrapper(struct worker *);
bool shoot_command(struct worker *);
struct worker *anybody(bool running);   /* of those not shot; running: whose command does; or NULL */
bool step(void);                        /* reaps, reads the log; false: stuck, all are killed */
bool drain(void);                       /* until no process is left */
unsigned strength(void);                /* wrappers alive */

/* judge.c */
void log_begin(const char *path);       /* a new log */
void log_read(void);                    /* what is new in it: worker.command */
void log_shot(int pid);                 /* pid is about to be shot */
void log_clear(void);                   /* nobody may be alive */
enum owner { COMMAND, WRAPPER };        /* whose is what is counted: a slot, a probe */
int most_alive(int tag, int end, enum owner);   /* commands with tag <= their tag < end */
long out_of_order(int end);             /* of tags 0..end, by their start */

#endif
