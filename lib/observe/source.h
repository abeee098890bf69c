/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source.h - internal: where lines come from, and the loop that reads them.
 *
 * A source is a file, a directory of segments named by the hour (in the order of
 * their names; new ones are found while following), a FIFO, a socket that we make
 * (unix:PATH takes datagrams and streams), "-" for stdin; a compressed file by its
 * magic number, through libpipeline.  Whatever mixture: one line is one record.
 * A line without end is kept up to NL_SOURCE_LINE bytes, then it is too_long and
 * passed over up to its newline: memory is bounded, whatever comes.
 */
#ifndef NL_SOURCE_H
#define NL_SOURCE_H

#include "observe/fact.h"
#include "observe/system.h"

#define NL_SOURCE_LINE (64 * 1024)      /* with what others put before and around an event */

/* Gets each line that was read: what it is, the fact when it is OK, DUP, LATE or
 * SKEWED (else NULL), its text.  After the system has taken it.  Listeners are
 * called in order. */
struct nl_listener {
	void (*line)(struct nl_listener *, enum nl_line, const struct nl_fact *, const char *text, size_t n);
	struct nl_listener *next;
};

struct nl_intake {
	struct nl_run *run;
	struct nl_system *system;
	struct nl_listener *listeners;
	bool follow;                    /* go on at the end: inotify, sockets */
	bool tee;                       /* bytes that are no event to stderr, unchanged; events are taken out */
	struct nl_mark *mark;           /* from a snapshot: where to go on; and where we are, for the next */
	unsigned nmarks;
};
void nl_intake_listen(struct nl_intake *, struct nl_listener *);        /* behind those that listen already */
int nl_intake_add(struct nl_intake *, const char *source, struct nl_err *);    /* opens it: 0, -1 with err */

/* Reads until all sources are at their end, or (follow) until `until` or a signal
 * that stops us.  wake: called at least so often, and after each batch, with the
 * clock; false ends it.  0, -1 with err for what a person must know; what is wrong
 * with one source is said and the others go on. */
typedef bool nl_wake(struct nl_intake *, nl_time now, void *arg);
int nl_intake_run(struct nl_intake *, nl_time every, nl_wake *, void *arg, struct nl_err *);
/* Descriptors of others (a server's) to poll along: see source.c. */
struct nl_also { int fd; short events; void (*ready)(struct nl_also *, short revents); struct nl_also *next; };
void nl_intake_also(struct nl_intake *, struct nl_also *);
void nl_intake_forget(struct nl_intake *, struct nl_also *);
void nl_intake_free(struct nl_intake *);

#endif
