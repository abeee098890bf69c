/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonout.h - internal: JSON into a buffer that grows up to a maximum.  Events
 * do not come this way: they have a line of fixed size and no heap.
 */
#ifndef NL_JSONOUT_H
#define NL_JSONOUT_H

#include "nl.h"

#include <stdarg.h>

/* lost: something did not fit, and nothing was put since. */
struct nl_out { char *buf; size_t n, room, max; bool lost; };

void nl_out_init(struct nl_out *, size_t max);
void nl_out_free(struct nl_out *);

/* Each puts a value, behind a comma where there is one before on its line.  key: NULL in an
 * array.  Text of users is escaped as in events: no control reaches a terminal. */
void nl_out_begin(struct nl_out *, const char *key, char bracket);      /* '{' or '[' */
void nl_out_end(struct nl_out *, char bracket);                         /* '}' or ']' */
void nl_out_str(struct nl_out *, const char *key, const char *text);
void nl_out_strn(struct nl_out *, const char *key, const char *text, size_t n);
void nl_out_int(struct nl_out *, const char *key, int64_t);
void nl_out_uint(struct nl_out *, const char *key, uint64_t);
void nl_out_secs(struct nl_out *, const char *key, nl_time);            /* 6 decimals */
void nl_out_bool(struct nl_out *, const char *key, bool);
void nl_out_time(struct nl_out *, const char *key, nl_time real);       /* RFC 3339, UTC */
void nl_out_raw(struct nl_out *, const char *key, const char *json, size_t n);

/* Bytes as they are: a line's end; text for people, cut behind 1023 bytes. */
void nl_out_bytes(struct nl_out *, const char *, size_t);
void nl_out_put(struct nl_out *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void nl_out_vput(struct nl_out *, const char *fmt, va_list) __attribute__((format(printf, 2, 0)));

#endif
