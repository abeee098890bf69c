/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source.h - internal: where lines come from, and the loop that reads them.
 *
 * A source is a file, a directory of segments named by the hour (in the order of
 * their names; new ones are found while following), a FIFO, a socket that we make
 * (unix:PATH takes datagrams, unix:stream:PATH connections), "-" for stdin; a
 * compressed file by its magic number, through libpipeline.  Whatever mixture: one
 * line is one record.  A line is kept up to NL_SOURCE_LINE bytes; of a longer one
 * the last NL_SOURCE_TAIL are searched for an event, and without one it is too_long:
 * memory is bounded, whatever comes, and the end of a long line is not lost.
 */
#ifndef NL_SOURCE_H
#define NL_SOURCE_H

#include "observe/fact.h"
#include "observe/system.h"

#define NL_SOURCE_LINE (64 * 1024)      /* with what others put before and around an event */
#define NL_SOURCE_TAIL (8 * 1024)

/* Gets each line that was read: what it is, the fact when it is OK, DUP, LATE or
 * SKEWED (else NULL), its text without its end.  After the system has taken it.
 * Listeners are called in order. */
struct nl_listener {
	void (*line)(struct nl_listener *, enum nl_line, const struct nl_fact *, const char *text, size_t n);
	struct nl_listener *next;
};

struct nl_intake;

/* Called at least so often, and after each batch of lines, with the clock; false ends the loop. */
typedef bool nl_wake(struct nl_intake *, nl_time now, void *arg);

/* Others that the loop serves: what begins a query may add them. */
struct nl_also { int fd; short events; void (*ready)(struct nl_also *, short revents); struct nl_also *next; };
struct nl_ticker { nl_time every; nl_wake *wake; void *arg; nl_time at; struct nl_ticker *next; };      /* at: the next time, from 0; not after batches */

/* Who has to do something about a signal first.  True: nothing else is to be done. */
struct nl_hook { bool (*told)(struct nl_hook *, int sig); void *arg; };

/* Runs a decompressor from its descriptor 0 to 1, in a child that was forked for
 * it; its exit status.  bin/nl-observe.c has it, where libpipeline is. */
typedef int nl_unpack(char *const argv[]);

struct nl_source;

struct nl_intake {
	struct nl_run *run;
	const struct nl_req *q;
	struct nl_system *system;
	struct nl_listener *listeners;
	nl_unpack *unpack;              /* NULL: compressed files are refused */
	bool follow;                    /* go on at the end: inotify; FIFOs are opened again */
	bool tee;                       /* bytes that are no event to stderr, unchanged; events are taken out */
	int64_t from_us, to_us;         /* events before and after are passed over, uncounted; to_us 0: none */
	const char *by_events;          /* what is about the events themselves: a snapshot is no source for it; NULL */
	struct nl_hook *hook;           /* or NULL */
	bool over;                      /* set by who wants the loop to end */
	int64_t live_late_us;           /* how late what arrives may be, while what was in files at the start may be any; 0: the system's bound is for all */
	bool leave_tail;                /* the last line of a file that has no end yet is left for the next time */
	struct nl_mark *mark;           /* from a snapshot: where to go on */
	unsigned nmarks;
	uint64_t lines;                 /* read so far */
	unsigned troubles;              /* sources that could not be read to their end */
	int error;                      /* errno of stderr, for tee */
	/* private */
	struct nl_source *sources;
	struct nl_also *also;
	struct nl_ticker *tickers;
	char *buffer, *room;            /* NL_SHAPE_PAD longer than what is read into it; of an event that others wrapped */
	struct nl_shapes *shapes;
	struct nl_ahead *ahead;         /* lines that were read and not yet taken: line.c */
	bool runs;                      /* what is found now was not there at the start */
	int notify;                     /* inotify; -1 */
	int64_t real_us;                /* the clock when the last batch was read */
	const char *tee_from, *tee_to;
};

/* Begun as { .run, .system }, and q where tee is. */
void nl_intake_free(struct nl_intake *);
void nl_intake_listen(struct nl_intake *, struct nl_listener *);        /* behind those that listen already */

/* Opens a source, which is named as on the command line: 0, -1 with err. */
int nl_intake_add(struct nl_intake *, const char *source, struct nl_err *);
bool nl_intake_is_live(const struct nl_intake *);       /* one of them has no end */
bool nl_intake_is_of_files(const struct nl_intake *);   /* it can be read twice */
bool nl_intake_is_idle(const struct nl_intake *);       /* of no file there is more to read now */

/* Reads until all sources are at their end, until told to stop, or until wake
 * (which may be NULL) or a ticker says so.  0, -1 with err for what a person must know; what is wrong with one
 * source is said and the others go on. */
int nl_intake_run(struct nl_intake *, nl_time every, nl_wake *wake, void *arg, struct nl_err *);
void nl_intake_also(struct nl_intake *, struct nl_also *);
void nl_intake_forget(struct nl_intake *, struct nl_also *);
void nl_intake_tick(struct nl_intake *, struct nl_ticker *);

/* All lines that a system knows of: the sum of its accounting. */
uint64_t nl_lines_of(const struct nl_system *);

/* How far files have been read, for a snapshot: into fresh memory, *n of them.
 * NULL with *n 0: there are none; with *n 1: no memory. */
struct nl_mark *nl_intake_marks(struct nl_intake *, unsigned *n);

#endif
