/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot.h - internal: a system as text.
 *
 *	nl-snapshot 1
 *	latest 1795957200000000         what the whole has
 *	line ok 12
 *	run 00f0…                       the runs, then
 *	series "retry" "db"             each series, and what it has below it
 *	all.requests 12
 *	…
 *	sum 0123456789abcdef            FNV-1a of all before this line
 *
 * Words, numbers and quoted texts with one blank between them.  Everything is in
 * one order (by name, by number, by time), and what is 0 is left out: two systems
 * that know the same have the same text.
 */
#ifndef NL_SNAPSHOT_H
#define NL_SNAPSHOT_H

#include "observe/systemin.h"

#define NL_SNAPSHOT_HEAD "nl-snapshot 1\n"
#define NL_SNAPSHOT_MOST ((size_t)1 << 30)

#define NL_SUM_BEGIN 0xcbf29ce484222325
static inline uint64_t nl_sum(uint64_t sum, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum = (sum ^ (unsigned char)s[i]) * 0x100000001b3;
	return sum;
}

/* All of it to a descriptor.  0, or an errno. */
int nl_snapshot_write(int fd, const struct nl_system *, const struct nl_mark *, unsigned marks);
/* Reads what is between head and sum; text is changed.  NULL with err: it cannot be what we wrote. */
struct nl_system *nl_snapshot_read(char *text, size_t n, struct nl_mark **, unsigned *marks, struct nl_err *);

#endif
