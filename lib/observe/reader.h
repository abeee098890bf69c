/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader.h - internal to restoring: the words of a line, one after the other, each
 * with the blank behind it.  What cannot be makes the line bad, and gives a value
 * that may be used all the same.
 */
#ifndef NL_READER_H
#define NL_READER_H

#include "observe/systemin.h"

#define NL_READ_TIME_MOST NL_TIME_MOST

/* The rest of a line, and what is being read. */
struct nl_reader { char *at; bool bad; struct nl_system *system; struct series *series; struct nl_mark *mark; unsigned marks; };

int64_t nl_read_number(struct nl_reader *, int64_t least, int64_t most);
uint64_t nl_read_whole(struct nl_reader *);
uint32_t nl_read_short(struct nl_reader *);
uint32_t nl_read_behind_colon(struct nl_reader *);
uint64_t nl_read_hex(struct nl_reader *);
char *nl_read_quoted(struct nl_reader *);       /* unescaped where it stands, and terminated */

/* restoreseries.c: a line below a series.  0, -1: no memory. */
int nl_read_of_series(struct nl_reader *, const char *word);

/* How far a source had been read, appended to marks.  0, -1: no memory. */
int nl_read_mark(struct nl_reader *);

#endif
