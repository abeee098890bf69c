/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stdin.h - internal: one stdin for several attempts.
 */
#ifndef NL_STDIN_H
#define NL_STDIN_H

#include "io.h"

enum nl_stdin_mode { NL_STDIN_AUTO, NL_STDIN_REPLAY, NL_STDIN_INHERIT, NL_STDIN_NULL };

struct nl_stdin {
	enum { NL_STDIN_AS_IS, NL_STDIN_REWOUND, NL_STDIN_REPLAYED, NL_STDIN_GUARDED, NL_STDIN_REOPENED } way;
	int fd;                         /* what attempts inherit */
	bool ours;                      /* fd is to be closed */
	bool unsure;                    /* /proc does not tell who else reads it */
	off_t start;                    /* a file's offset at the start */
	struct nl_feed feed;
	struct nl_front { bool ended; int queued; ssize_t n; char bytes[4096]; } front;
};

/* Decides how attempts share q's stdin, and changes q to it.  again: there may
 * be a second attempt.  0, -errno. */
int nl_stdin_open(struct nl_run *, struct nl_stdin *, struct nl_req *q, enum nl_stdin_mode, bool again);

/* The same for several commands at once: what they cannot share is empty. */
int nl_stdin_split(struct nl_run *, struct nl_stdin *, struct nl_req *q, enum nl_stdin_mode, bool several);

/* What one of those gets, to be closed where that is not q's own; -errno. */
int nl_stdin_each(struct nl_run *, const struct nl_stdin *);

/* Before each attempt. */
void nl_stdin_begin(struct nl_run *, struct nl_stdin *);

/* After a failed attempt: why there can be no other, or NULL. */
const char *nl_stdin_spent(struct nl_run *, struct nl_stdin *);
void nl_stdin_close(struct nl_run *, struct nl_stdin *);

#endif
