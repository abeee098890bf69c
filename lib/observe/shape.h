/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shape.h - internal: the fast way to read events.
 *
 * Lines of one kind have one shape: the same keys in the same order, and between
 * the values the same bytes.  A shape is learned from a line that nl_fact_read
 * took, and says where values begin and of what type they are; a line that fits
 * needs no parser, only a check of each value.  What fits none goes to
 * nl_fact_read.  Same result and same fact as nl_fact_read for every input.
 */
#ifndef NL_SHAPE_H
#define NL_SHAPE_H

#include "observe/fact.h"

/* Behind a text there is a newline, and from it on so many bytes must be readable;
 * what they are makes no difference. */
#define NL_SHAPE_PAD 64

struct nl_shapes;
struct nl_shapes *nl_shapes_new(void);  /* NULL: no memory */
void nl_shapes_free(struct nl_shapes *);
/* One line, text[n] being its newline. */
enum nl_line nl_shapes_read(struct nl_shapes *, struct nl_fact *, const char *text, size_t n, char room[NL_FACT_MAX]);
/* Is what text begins with a line, and just an event of a known shape?  Then where
 * its newline is, before end (*end is a newline, too).  NULL: ask nl_shapes_read. */
const char *nl_shapes_line(struct nl_shapes *, struct nl_fact *, const char *text, const char *end);
/* Of the lines read, those that needed nl_fact_read. */
uint64_t nl_shapes_missed(const struct nl_shapes *);

#endif
