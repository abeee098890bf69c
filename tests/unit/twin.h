/* SPDX-License-Identifier: Apache-2.0 */
/*
 * twin.h - shape.c a second time, as it is where there is no SSE2; and all ways
 * to read a line held against each other.
 */
#ifndef TWIN_H
#define TWIN_H

#include "observe/shape.h"

struct nl_shapes *twin_new(void);
void twin_free(struct nl_shapes *);
enum nl_line twin_read(struct nl_shapes *, struct nl_fact *, const char *text, size_t n, char room[NL_FACT_MAX]);
const char *twin_line(struct nl_shapes *, struct nl_fact *, const char *text, const char *end);
uint64_t twin_missed(const struct nl_shapes *);

/* The same values, and texts at the same place: of the line, or each of its own room. */
bool same_fact(const struct nl_fact *a, const char *room_a, const struct nl_fact *b, const char *room_b);

#endif
