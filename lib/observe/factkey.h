/* SPDX-License-Identifier: Apache-2.0 */
/*
 * factkey.h - internal: the keys that a fact is made of, and what their values
 * must be.  One table for both ways to read a line.
 */
#ifndef NL_FACTKEY_H
#define NL_FACTKEY_H

#include "observe/fact.h"

/* Of a value; those before NL_V_WHOLE are strings, the others numbers.  In
 * strings but NL_V_TEXT no escape passes. */
enum nl_form {
	NL_V_TIME,                      /* RFC 3339 in UTC with six decimals, from 1970 on */
	NL_V_EVENT,                     /* nl. and up to 61 of a-z 0-9 _ . */
	NL_V_POLICY,                    /* 1 to 64 of A-Z a-z 0-9 . _ : / - */
	NL_V_KIND,                      /* 1 to 16 of a-z */
	NL_V_WORD,                      /* 1 to 32 of A-Z a-z 0-9 _ + - */
	NL_V_TEXT,                      /* any */
	NL_V_TRACE, NL_V_ID,            /* 32 and 16 of 0-9 a-f */
	NL_V_WHOLE,                     /* 0 to max, written with digits alone, into an int64_t */
	NL_V_WHOLE32,                   /* the same into 32 bits */
	NL_V_SECONDS,                   /* 0 to 10^9, not included, into microseconds */
};

struct nl_fact_key {
	const char *name;
	unsigned short at, n;           /* offset in nl_fact; length of name */
	unsigned char form;
	bool must;                      /* part of every event */
	int64_t most;                   /* of a whole number */
};
#define NL_FACT_KEYS 29
extern const struct nl_fact_key nl_fact_keys[NL_FACT_KEYS];

/* A fact with nothing in it. */
extern const struct nl_fact nl_no_fact;

/* Takes the value of a key, a string's without its quotes.  False: it may not be that. */
bool nl_fact_put(struct nl_fact *, const struct nl_fact_key *, const char *s, size_t n);
/* Seconds of a JSON number in microseconds; -1: out of range. */
int64_t nl_seconds_read(const char *s, size_t n);

/* The last place in the line where an event begins, NULL: none. */
const char *nl_mark_last(const char *text, size_t n);

/* An event that another log format wraps: from its mark on, up to NL_FACT_MAX bytes of
 * it unescaped into room.  Their number, 0 when there is none, -1 when it was escaped wrongly. */
int nl_unwrap(const char *text, size_t n, char room[NL_FACT_MAX]);

#endif
