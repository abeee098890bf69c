/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink.h - internal: where events go.
 *
 * A sink is a tree of + (both) and | (the second takes what the first could not)
 * over places.  Tools emit into it and wait for nobody; nl-sink delivers into it
 * (sinkrun.h).  One grammar for both: sinkspec.c.
 */
#ifndef NL_SINK_H
#define NL_SINK_H

#include "nl.h"
#include "os.h"

struct nl_event;

enum nl_sink_type {
	NL_SINK_OFF, NL_SINK_FD, NL_SINK_HUMAN, NL_SINK_FILE, NL_SINK_DIR, NL_SINK_FIFO, NL_SINK_UNIX,
	NL_SINK_SYSLOG, NL_SINK_MEMORY, NL_SINK_STREAM,         /* nl-sink's alone */
	NL_SINK_BOTH, NL_SINK_ELSE,
};
struct nl_sink {
	enum nl_sink_type type;
	int level;                      /* least severity taken */
	int fd;                         /* -1: not open */
	mode_t mode;                    /* what it is, when we have opened it; 0: not known */
	uint64_t dev, ino;              /* fd:N,DEV:INO: only this very file; 0 any */
	char *text;                     /* of a place: as it was written, without its level */
	const char *path;               /* in text, or NULL */
	unsigned lines;                 /* of memory: how many it keeps */
	int64_t hour;                   /* of the open segment */
	unsigned sent, dropped;
	bool complained;
	struct nl_outlet *outlet;       /* sinkrun.h: nl-sink's, else NULL */
	struct nl_sink *a, *b;
};

#define NL_PLACES 32                    /* in a tree */
enum nl_sink_use { NL_EMIT, NL_DELIVER };
struct nl_sink *nl_sink_parse(const char *spec, enum nl_sink_use, struct nl_err *);    /* allocates; NULL with err */
struct nl_sink *nl_sink_default(struct nl_run *);       /* people on a terminal, else lines on stderr */
void nl_sink_free(struct nl_sink *);
void nl_sink_anew(struct nl_sink *);                    /* in a new process: it has counted nothing; NULL is fine */
void nl_sink_close(struct nl_run *, struct nl_sink *);  /* what it has opened; it is opened again when wanted */
int nl_sink_level(const struct nl_sink *);              /* least severity that anybody takes */
bool nl_sink_has_human(const struct nl_sink *);
int nl_sink_put(struct nl_sink *, struct nl_event *);   /* 0, -1: dropped */

/* One place (sinkplace.c).  Opened when the first line wants it.  hour: since 1970,
 * of its segment.  0, -errno. */
int nl_place_open(struct nl_run *, struct nl_sink *, int64_t hour);
void nl_place_close(struct nl_run *, struct nl_sink *);
bool nl_place_gone(const struct nl_sink *, int r);      /* -errno says that its reader is: open it again */
bool nl_place_absent(const struct nl_sink *, int r);    /* -errno says that there is none now, as may be */
ssize_t nl_place_write(struct nl_run *, struct nl_sink *, const char *, size_t);     /* as nl_write_some */
int nl_place_put(struct nl_sink *, struct nl_event *);  /* 0, -1: dropped */

/* A socket connected to path, for datagrams if it takes them, else a stream.  -errno. */
int nl_unix_connect(struct nl_run *, const char *path);
#define NL_UNIX_PATH 107                /* bytes that its name may have */

/* One write that does not block, whatever fd is.  Bytes taken, -errno. */
ssize_t nl_write_some(struct nl_run *, int fd, const char *, size_t);
int nl_write_now(struct nl_run *, int fd, const char *, size_t);       /* all of it: 0, -errno */

#endif
