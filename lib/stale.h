/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stale.h - internal: the last good output of a command, a file of the user's
 * cache that its owner alone can read (RFC 5861, stale-if-error).
 *
 * $XDG_CACHE_HOME/ninelives/KEY, else HOME-of-the-password-file/.cache/ninelives/KEY.
 * Its modification time is when it was good.
 */
#ifndef NL_STALE_H
#define NL_STALE_H

#include "io.h"

#define NL_STALE_MOST (64 << 20)        /* bytes: larger outputs are not kept */

/* "1d:prices".  key points into the text. */
struct nl_stale_ref { nl_time age; const char *key; };
int nl_stale_parse(const char *text, struct nl_stale_ref *, struct nl_err *);

/* An answer: the file as a recording, fd the caller's to close, and its age. */
struct nl_stale { struct nl_spool spool; nl_time age; struct nl_err err; };

/* 1 there is one that is young enough, 0 none, -1 with err: not to be used. */
int nl_stale_open(struct nl_run *, const struct nl_stale_ref *, struct nl_stale *);

/* Replaces the answer in one step.  0, -errno: the old one stays (EFBIG: too large). */
int nl_stale_keep(struct nl_run *, const struct nl_stale_ref *, const struct nl_spool *);

#endif
