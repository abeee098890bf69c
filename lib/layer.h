/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layer.h - internal: layers, and what they are called with.  nl.h includes it.
 *
 * A service is a command.  A layer wraps a service and is called through one
 * function type, nl_call: request in, outcome out.  Everything that a layer
 * may ask of the world (clock, random numbers, waiting, processes, events)
 * comes through struct nl_run; a test replaces it and the same object code
 * runs on a virtual clock.
 */
#ifndef NL_LAYER_H
#define NL_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Formats into err, always returns -1 so that callers can return it. */
int nl_fail(struct nl_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Control characters become '?': text of users for a terminal. */
void nl_defuse(char *text);

/* wstatus is what waitpid(2) would say to an outer process. */
struct nl_outcome { int wstatus; enum nl_why why; };

/* Which processes a stop reaches.  Zero is the default. */
enum nl_kill {
	NL_KILL_TREE,                   /* the command and all its descendants */
	NL_KILL_GROUP,                  /* the command's process group */
	NL_KILL_COMMAND,                /* the command alone, in our group (timeout --foreground) */
};

/* A moment at which a layer has its command stopped, and how. */
struct nl_limit {
	nl_time at;
	const struct nl_svc *owner;     /* NULL: no layer of this process */
	int sig;                        /* first signal; 0 sends none, KILL follows all the same */
	enum nl_kill kill;
	bool verbose;                   /* say each signal that it sends */
};

/* How the command is started and stopped, whoever stops it. */
struct nl_stop {
	nl_time grace;                  /* from the first signal to SIGKILL: the shortest of all layers'; NL_NEVER: none */
	enum nl_kill kill;              /* when we are told to stop */
	bool shared;                    /* the command stays in our process group */
	bool replace;                   /* it takes our place: no process of its own */
	bool verbose;
	int deathsig;                   /* sent to the command when we are SIGKILLed; 0: SIGKILL */
	uint64_t dfl;                   /* signals, bit n-1, set to default in the command */
};

struct nl_tap;                          /* io.h: one filter on an output stream */

/* The streams of one call.  A tap chain, innermost first, sees what the
 * command writes; a NULL chain means that the command owns the descriptor. */
struct nl_io {
	int in;                         /* becomes the command's stdin, unless feed is set */
	struct nl_feed *feed;           /* io.h: source that is recorded and replayed, or NULL */
	struct nl_tap *tap[2];          /* of stdout, of stderr */
};

struct nl_svc;
struct nl_run;

/* What to do once.  By value: a layer narrows its own copy. */
struct nl_req {
	struct nl_io io;
	nl_time now;                    /* when the call begins, if the caller has just looked; else 0 */
	struct nl_limit limit;          /* the earliest of the enclosing layers' */
	struct nl_idle *idle;           /* io.h: limits that output moves, or NULL */
	struct nl_stop stop;
	unsigned attempt, max;          /* of the innermost retry; max 0: without limit */
	int prev;                       /* $? of the previous attempt, -1 none */
	unsigned arm;                   /* of the innermost race, from 1; 0: none */
	const struct nl_svc *outer;     /* the layer that calls, NULL: the program */
	unsigned depth;                 /* of the layer being called; 0 outermost */
	uint64_t span;                  /* of the enclosing call, 0 none */
	uint64_t parent;                /* of that call's own parent */
};

/* The tools that we stand in for, called by their names. */
enum nl_compat { NL_OURSELVES, NL_AS_TIMEOUT, NL_AS_FLOCK };

typedef struct nl_outcome nl_call(struct nl_svc *, struct nl_run *, struct nl_req);

/* The type of a layer: one const object per policy. */
struct nl_layer {
	const char *name;               /* "retry": the tool is nl-retry, the kind is retry */
	const char *kind;               /* where the kind has another name, else NULL */
	const char *usage;              /* operands and options, one line, after the name */
	const char *about;              /* one sentence */
	const struct nl_layer *as;      /* the layer that it is when called by that one's name alone, or NULL */
	enum nl_compat compat;          /* the tool that it stands in for then */
	const char *gnu;                /* which of its options that tool has, too, by their letters; NULL: all */
	const struct nl_opt *opts;      /* opt.h */
	bool leaf;                      /* runs no command and is no policy */
	bool mute;                      /* has neither events nor state, nor their options */
	bool branches;                  /* takes [ COMMAND... ] [ COMMAND... ] or COMMAND... ::: COMMAND..., too */
	/* What --help and --complete have behind the options, or NULL; the length that it wanted. */
	size_t (*more)(char *buf, size_t size, bool help);
	/* The line of tools that an instance stands for, with the command behind its
	 * operands; the memory is the instance's.  NULL without an err: it runs nothing. */
	char **(*expand)(struct nl_svc *, char **command, struct nl_err *);
	size_t size;                    /* of the instance */
	/* Bytes of an instance whose calls allocate nothing and change nothing but the
	 * instance itself: a copy can run in a process that shares our memory.  0, or
	 * no such function: they cannot. */
	size_t (*light)(const struct nl_svc *);
	/* Takes the operands off *argv and checks options against each other. */
	int (*init)(struct nl_svc *, char ***argv, struct nl_err *);
	nl_call *call;
	void (*free)(struct nl_svc *);  /* NULL: nothing beyond the instance */
};

/* An instance; first member of each policy's own struct. */
struct nl_svc {
	const struct nl_layer *layer;
	struct nl_svc *inner;           /* what I wrap: of several branches the first */
	struct nl_svc *next;            /* the branch after me, in a race or fallback */
	const char *id;                 /* the policy's name in events */
	const char *cmd;                /* basename of the innermost command */
	const char *name;               /* --name, or NULL */
	const char *state;              /* --state: directory of shared state, or NULL */
	const char *events;             /* --events, or NULL: the enclosing layer's */
	bool silent;                    /* no events unless somebody asks for them */
	bool prints;                    /* runs no command and emits no events: it only prints */
	bool gnu;                       /* called as the tool that we stand in for */
	bool pin;                       /* --pin: live values are not for this one */
	struct nl_sink *sink;           /* resolved from events by the program; NULL is silent */
};

static inline struct nl_outcome nl_do(struct nl_svc *s, struct nl_run *run, struct nl_req q)
{
	return s->layer->call(s, run, q);
}

/* All ambient authority of a process.  One per process, set up by nl_run_open. */
struct nl_run {
	const struct nl_os *os;         /* os.h */
	char **environ;                 /* as inherited */
	pid_t pid;
	int stop_sig;                   /* the signal that told us to stop, or 0 */
	unsigned told;                  /* how often */
	enum nl_why stop_why;           /* NL_CANCELLED, or NL_DEADLINE by an enclosing nl-* */
	const struct nl_order *order;   /* run.h: of the process that has forked this one, or NULL */
	const struct nl_svc *fired;     /* the layer whose limit made the last NL_DEADLINE; NULL: outside */
	bool killed;                    /* the last stop needed SIGKILL */
	nl_time stopped_at;             /* when the last command's stop was complete; 0: it was not stopped */
	nl_time horizon;                /* inherited NL_DEADLINE: nothing that would pass it is begun */
	nl_time grace;                  /* of the enclosing processes with that deadline */
	struct nl_signals *signals;     /* run.h: what was inherited, what was changed */
	struct nl_fd_tap *std;          /* io.h: our stdout and stderr, for what passes through us */
	struct nl_ids *ids;             /* event.h: trace, run, seq; NULL while nobody listens */
	void (*say)(struct nl_run *, const char *text, size_t n);  /* a line for people; NULL drops it */
	int spent;                      /* a descriptor whose close may sleep: closed once a command runs; 0: none */
	unsigned mended;                /* bit n: descriptor n was closed when we started */
	bool terminal;                  /* the terminal's foreground group is ours */
	unsigned starts;                /* commands of the innermost service that were to run in this process */
	nl_call *leaf;                  /* what the innermost service does instead; NULL: its command */
	void *host;                     /* of whoever embeds us */
	const char *mark;               /* guest.h: a variable for commands, or NULL */
	enum nl_compat compat;          /* called as that tool */
	const char *tool;               /* our name in messages */
};

/* The next of a splitmix64 sequence: uniform 64 bits; uniform in [0, 1). */
uint64_t nl_random(uint64_t *state);
double nl_unit(uint64_t *state);
uint64_t nl_seed(struct nl_run *);      /* from the kernel */

nl_time nl_now(struct nl_run *);
/* now + span, saturating; spans are not negative. */
nl_time nl_after(nl_time now, nl_time span);

/* Waits until `until`.  Returns at once with the reason when told to stop
 * (NL_CANCELLED, NL_DEADLINE) or when q's deadline or idle limit passes first
 * (NL_DEADLINE); NL_RAN when the time has come. */
enum nl_why nl_sleep(struct nl_run *, struct nl_req, nl_time until);

/* Says "tool: text" to people. */
void nl_say(struct nl_run *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Wait statuses, without a process. */
#define NL_EXIT(n) ((n) << 8)           /* as if the command had called exit(n) */
int nl_code(int wstatus);               /* $? of a shell: n, or 128 + signal */

extern const struct nl_layer nl_retry, nl_timeout, nl_breaker, nl_bulkhead, nl_race, nl_fallback, nl_flock, nl_ctl, nl_expression;

/* main() of every tool. */
int nl_main(const struct nl_layer *, int argc, char **argv);

#endif
