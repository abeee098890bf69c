/* SPDX-License-Identifier: Apache-2.0 */
/*
 * screen.h - internal: the whole of a terminal as lines of text.
 *
 * It is ours between open and close: the alternate screen, no cursor, keys as they
 * are typed.  Whatever ends or stops the process gives it back as it was.
 */
#ifndef NL_SCREEN_H
#define NL_SCREEN_H

#include "jsonout.h"
#include "nl.h"

struct nl_screen {
	struct nl_run *run;
	int fd;                         /* the terminal; neither reads nor writes wait */
	bool shown;
	bool all;                       /* nothing of what is there can be relied on */
	unsigned rows, cols;
	char *drawn;                    /* the lines that are there */
	size_t n;
};

/* Takes over the terminal of this process.  0, -1 with err: there is none. */
int nl_screen_open(struct nl_screen *, struct nl_run *, struct nl_err *);
void nl_screen_close(struct nl_screen *);

/* Lines, each at most as wide as the screen; those that are there already are not written. */
void nl_screen_draw(struct nl_screen *, const char *lines, size_t n);
/* Asks for its size again: everything is drawn next. */
void nl_screen_resized(struct nl_screen *);
/* Gives it back, stops as sig says, and takes it again. */
void nl_screen_pause(struct nl_screen *, int sig);
/* Keys that were typed: their number, 0 for none, -1 when it is gone. */
int nl_screen_keys(struct nl_screen *, char *keys, size_t size);

#endif
