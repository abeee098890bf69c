/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io.h - internal: streams that pass through us.
 *
 * A layer that wants to see, hold or time what a command writes puts a tap
 * before the chain that it was given.  The command then writes into one pipe;
 * the pump reads it and puts every piece into the innermost tap.  A chain ends
 * in a hold or in our own stdout or stderr.
 */
#ifndef NL_IO_H
#define NL_IO_H

#include "nl.h"
#include "os.h"

/* A limit that output moves.  Owned by the layer, linked through the request. */
struct nl_idle { struct nl_limit limit; nl_time span; struct nl_idle *next; };

/* A recording: in memory up to 16 MiB, then in an unlinked file.  One that
 * cannot grow is broken and records nothing more. */
struct nl_spool { int fd; off_t len; bool disk, broken; };
#define NL_SPOOL_NONE { .fd = -1 }
int nl_spool_put(struct nl_run *, struct nl_spool *, const char *, size_t);  /* 0, -errno: broken */
void nl_spool_reset(struct nl_run *, struct nl_spool *);
void nl_spool_close(struct nl_run *, struct nl_spool *);

struct nl_tap {
	int (*put)(struct nl_tap *, struct nl_run *, const char *, size_t);     /* 0, -errno: takes nothing more */
	struct nl_tap *next;            /* outward */
};

/* A descriptor of ours; what it could not take at once waits in rest. */
struct nl_fd_tap { struct nl_tap tap; int fd, error; unsigned stalls; size_t n; char *rest; };
#define NL_REST 4096                    /* bytes that rest has room for: PIPE_BUF */
void nl_fd_tap_init(struct nl_fd_tap *, int fd, char *rest);

/* Keeps what passes. */
struct nl_hold { struct nl_tap tap; struct nl_spool spool; };
void nl_hold_init(struct nl_hold *, struct nl_tap *next);

/* Moves an idle deadline.  Events of ours (lines that start with {"nl":1,) are
 * no sign of life of the command. */
struct nl_idle_tap { struct nl_tap tap; struct nl_idle *idle; bool in_event; unsigned matched; };
void nl_idle_tap_init(struct nl_idle_tap *, struct nl_idle *, struct nl_tap *next);

/* The chain of stream i (0 stdout, 1 stderr) as a layer finds it. */
struct nl_tap *nl_chain(struct nl_run *, const struct nl_req *, int i);

/* The descriptor at the end of a chain, NULL when a hold keeps all. */
struct nl_fd_tap *nl_chain_end(struct nl_tap *);

/* Puts text into a chain, waiting as nl_copy does. */
enum nl_why nl_put(struct nl_run *, const struct nl_req *, struct nl_tap *, const char *, size_t, int *error);

/* Copies a recording into a chain; waits for slow readers as q's limits and
 * stop signals allow.  *error: errno of what took no more. */
enum nl_why nl_copy(struct nl_run *, const struct nl_req *, const struct nl_spool *, struct nl_tap *, int *error);

/* Delivers what h kept of stream i (0 stdout, 1 stderr) to the chain behind it.
 * If that fails the outcome is another, and *word says why: deadline, stopped
 * or output.  A limit's owner has to make its own DEADLINE 124. */
struct nl_outcome nl_deliver(struct nl_run *, const struct nl_req *, struct nl_hold *h, int i, struct nl_outcome,
                             const char **word);

/* Where a replayed stdin comes from.  shared: several commands read it at once,
 * so what could not be recorded is lost to all. */
struct nl_feed { int src; bool eof, shared; struct nl_spool spool; };

/* What the pump of one command works on.  Descriptors are -1 when not used. */
struct nl_pump {
	struct nl_stream {
		int fd;
		struct nl_tap *tap;
		struct nl_fd_tap *end;  /* of the chain; NULL: a hold, which always has room */
		bool ready;             /* there is something to read, and no room for it yet */
		ssize_t owed;           /* bytes that the command left in the pipe */
	} out[2];
	int in;                         /* write end of the command's stdin */
	struct nl_feed *feed;
	off_t fed;                      /* of the recording, to this command */
	size_t at, n;                   /* what of chunk is not yet written */
	char *chunk;                    /* NL_CHUNK bytes, lent */
	int error;                      /* errno of what lost bytes, 0 none */
	unsigned stalls;
	int theirs[3];                  /* the command's ends, ours until it has started */
	struct { int out[2], in, src; } asked;  /* where in the last poll, -1 nowhere */
};
#define NL_CHUNK 16384
#define NL_PUMP_NONE { .out = { { .fd = -1 }, { .fd = -1 } }, .in = -1, .theirs = { -1, -1, -1 } }
#define NL_PUMP_ASKS 4                  /* descriptors that one pump may poll */

/* Opens the pipes that q asks for and says in fd[3] what the command's 0, 1 and
 * 2 are.  0, -errno. */
int nl_pump_open(struct nl_run *, struct nl_pump *, const struct nl_req *, int fd[3]);
void nl_pump_started(struct nl_run *, struct nl_pump *);        /* closes the command's ends */
bool nl_pump_works(const struct nl_pump *);

/* What to poll, into set[NL_PUMP_ASKS]; how many.  Then moves what can be moved. */
unsigned nl_pump_ask(struct nl_run *, struct nl_pump *, struct pollfd *set);
void nl_pump_serve(struct nl_run *, struct nl_pump *, const struct pollfd *set);

/* Both, and waits in between as nl_poll does. */
int nl_pump_wait(struct nl_run *, struct nl_pump *, nl_time until, siginfo_t *);

/* The command is over: what it left in its pipes is owed to us, and taken at once
 * where it is held. */
void nl_pump_last(struct nl_run *, struct nl_pump *);
bool nl_pump_owes(const struct nl_pump *);

/* Behind the command's end: takes what it left, 100 ms at most for others that
 * hold its pipes.  False: somebody still holds one. */
bool nl_pump_drain(struct nl_run *, struct nl_pump *, const struct nl_req *, enum nl_why *);
void nl_pump_close(struct nl_run *, struct nl_pump *);

#endif
