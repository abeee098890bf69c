/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sinkrun.h - internal: nl-sink, which delivers events.
 *
 *	sinkrun.c   the tool: reads lines, tells what became of them
 *	sinkput.c   a line into a tree of places; waits for those that are full
 *	sinkcast.c  the socket that any number of subscribers may join
 *	sinkring.c  the last N lines
 *	sinklog.c   an event as text for people
 */
#ifndef NL_SINKRUN_H
#define NL_SINKRUN_H

#include "json.h"
#include "jsonout.h"
#include "observe/fact.h"
#include "sink.h"

#include <poll.h>

#define NL_SUBSCRIBERS 1000             /* of all sockets of a process */

/* One event.  number: from 1; text ends in a newline. */
struct nl_parcel { uint64_t number; const struct nl_fact *fact; const char *text; size_t n; };

/* What became of it: the later, the worse. */
enum nl_took {
	NL_TOOK,
	NL_UNHEARD,                     /* nobody listens to a broadcast, which has promised nothing */
	NL_LOST,
	NL_FULL,                        /* ask again, and wait */
};

/* A place's part in it. */
struct nl_outlet {
	uint64_t number;                /* of the parcel that it had last, */
	enum nl_took took;              /* and what it did with it */
	size_t at;                      /* bytes of it that are written */
	bool torn;                      /* a line broke off: the next begins with a newline */
	bool stuck;                     /* it was waited for in vain: it is asked without waiting until it takes one */
	int error;                      /* errno of the last loss; 0: none */
	uint64_t taken, lost, unheard, below;   /* below: its level, so not given to it */
	struct nl_ring *ring;
	struct nl_cast *cast;
};

struct nl_delivery {
	struct nl_run *run;
	const char *spec;
	struct nl_sink *sink;
	unsigned noutlets;
	struct nl_outlet outlets[NL_PLACES];
	nl_time wait;                   /* for a place that is full */
	nl_time stopped_at;             /* we were told to stop then; NL_NEVER */
	bool report;                    /* SIGUSR1 came */
	struct nl_cast *casts;
	struct nl_out text;             /* what sinklog.c makes, */
	struct nl_json_tok tok[NL_FACT_MAX / 2 + 1];    /* and of what */
	struct pollfd poll[NL_SUBSCRIBERS + 40];
};

/* Gives each place its outlet and opens sockets.  0, -1: out of memory. */
int nl_delivery_open(struct nl_delivery *);
void nl_delivery_close(struct nl_delivery *);
enum nl_took nl_deliver_parcel(struct nl_delivery *, const struct nl_parcel *);
void nl_place_fails(struct nl_delivery *, struct nl_sink *, int error);         /* counts one, and tells of the first */
const char *nl_place_reason(const struct nl_sink *, int error);

/* Waits until fd (-1: none) is ready or `until`, and serves subscribers and signals
 * meanwhile.  False: it is not ready. */
bool nl_await(struct nl_delivery *, int fd, short events, nl_time until);

/* All of it to a descriptor of ours, waiting as for a place: 0, errno. */
int nl_pour(struct nl_delivery *, int fd, const char *, size_t);

struct nl_ring *nl_ring_new(unsigned lines);
void nl_ring_free(struct nl_ring *);
int nl_ring_put(struct nl_ring *, const char *, size_t);        /* 0, -ENOMEM */
int nl_ring_print(struct nl_delivery *, const struct nl_ring *);        /* to stdout: 0, errno */
uint64_t nl_ring_evicted(const struct nl_ring *);

/* Makes the socket, also where one is that nobody serves.  NULL with -errno. */
struct nl_cast *nl_cast_open(struct nl_delivery *, const char *path, int *error);
bool nl_cast_put(struct nl_delivery *, struct nl_cast *, const char *, size_t);  /* somebody took it */
unsigned nl_cast_ask(struct nl_cast *, struct pollfd *);                /* what to poll; how many */
unsigned nl_cast_serve(struct nl_delivery *, struct nl_cast *, const struct pollfd *);  /* how many of them */
bool nl_cast_owes(const struct nl_cast *);                              /* a subscriber has not got all of a line */
void nl_cast_tell(struct nl_delivery *, const struct nl_cast *, const char *name, bool all);    /* who is there, and lost how much */
void nl_cast_close(struct nl_delivery *, struct nl_cast *);
struct nl_cast *nl_cast_next(const struct nl_cast *);

/* Into d->text, terminated, without an end of line: for people, or for syslog. */
enum nl_log { NL_LOG_PEOPLE, NL_LOG_SYSLOG };
void nl_log_text(struct nl_delivery *, const struct nl_fact *, enum nl_log);

extern const struct nl_layer nl_sink_tool;

#endif
