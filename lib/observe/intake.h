/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intake.h - internal to the intake: sources, and their bytes as lines.
 *
 *	source.c    the loop: who has something, signals, time
 *	file.c      files, and following them
 *	folder.c    directories of segments, inotify
 *	stream.c    stdin, FIFOs, sockets
 *	packed.c    decompressors
 *	mark.c      how far files have been read
 *	line.c      bytes into lines, lines into facts, the rest to stderr
 */
#ifndef NL_INTAKE_H
#define NL_INTAKE_H

#include "observe/source.h"
#include "socket.h"

enum { NL_READ = 512 * 1024 };          /* bytes at once: they stay in the cache */

enum nl_source_kind {
	NL_SRC_FILE,                    /* read whenever there is more; path may be opened again */
	NL_SRC_DIR,                     /* has no bytes, but files */
	NL_SRC_STREAM,                  /* until its end: a pipe, a terminal, a connection, a decompressor */
	NL_SRC_FIFO,                    /* the same, and opened again */
	NL_SRC_DATAGRAMS,
	NL_SRC_LISTENER,                /* has connections */
};

struct nl_source {
	struct nl_source *next;
	enum nl_source_kind kind;
	int fd;                         /* -1: not open now */
	char *name;                     /* the path, as it was given or found: for messages and for opening */
	struct nl_source *of;           /* the directory of a segment, the listener of a connection */
	bool look;                      /* a file: there may be more */
	bool ended;                     /* nothing will come any more */
	bool is_gone;                   /* a segment that was removed */
	bool live;                      /* what comes is of now */
	bool is_old;                    /* what was read last was there at the start */
	int watch;                      /* inotify's number; -1 */
	/* the line that has no end yet */
	char *kept;
	size_t n, room;
	size_t teed;                    /* bytes of it that tee has passed on */
	bool is_long;                   /* bytes before these are gone */
	/* files */
	char *path;                     /* where it really is, for marks; NULL: nobody knows */
	uint64_t dev, ino, offset;      /* offset: of what is read next */
	uint64_t old;                   /* up to here, it was there at the start */
	uint64_t seen;                  /* the hash of its first bytes, when fd is closed or packed */
	uint64_t skip;                  /* of a decompressed one: bytes that an earlier process has read */
	bool looked;                    /* a pipe: is it packed */
	int done;                       /* of a decompressor: where its child says its status; -1 */
	const char *packed;             /* the program, or NULL */
	struct nl_socket socket;
	/* a listener */
	bool rests;                     /* who wants to connect waits: there are too many, or no descriptor is free */
	struct nl_ticker rest;          /* it is tried again */
};

struct nl_source *nl_source_new(struct nl_intake *, enum nl_source_kind, int fd, const char *name, struct nl_err *);
void nl_source_remove(struct nl_intake *, struct nl_source *);         /* closes and frees */
void nl_source_shut(struct nl_intake *, struct nl_source *);           /* closes its descriptor */

/* line.c: bytes at text (those kept are in front of them, s->n of n) into lines.
 * The end of a stream ends its last line. */
void nl_lines(struct nl_intake *, struct nl_source *, char *text, size_t n);
void nl_lines_end(struct nl_intake *, struct nl_source *);
struct nl_ahead *nl_ahead_new(void);
/* One read of a source, into lines: what read said. */
ssize_t nl_lines_read(struct nl_intake *, struct nl_source *);

/* file.c */
int nl_file_add(struct nl_intake *, const char *path, int fd, struct nl_err *);        /* fd: open, of a regular file */
bool nl_file_is_current(const struct nl_source *);             /* it has something to read */
void nl_file_read(struct nl_intake *, struct nl_source *);
void nl_file_look(struct nl_intake *, struct nl_source *);     /* is there more; is it still the same */

/* folder.c */
int nl_folder_add(struct nl_intake *, const char *path, struct nl_err *);
void nl_folder_look(struct nl_intake *, struct nl_source *);
void nl_notified(struct nl_intake *);                          /* what inotify says */

/* mark.c */
void nl_mark_resume(struct nl_intake *, struct nl_source *, uint64_t size);    /* goes on where a snapshot says */
void nl_mark_note(struct nl_intake *, struct nl_source *);                     /* its fd is about to be closed */

/* stream.c */
int nl_stream_add(struct nl_intake *, const char *name, int fd, enum nl_source_kind, struct nl_err *);
int nl_socket_add(struct nl_intake *, const char *path, int type, struct nl_err *);
void nl_stream_ready(struct nl_intake *, struct nl_source *);

/* packed.c: what is compressed becomes the pipe of its decompressor. */
const char *nl_packed_by(struct nl_run *, int fd);             /* the program, by a file's first bytes; NULL */
const char *nl_packed_next(struct nl_run *, int fd);           /* by what comes next in a pipe */
int nl_packed_start(struct nl_intake *, struct nl_source *, struct nl_err *);
void nl_packed_end(struct nl_intake *, struct nl_source *);    /* its output is over, or nobody reads on */

#endif
