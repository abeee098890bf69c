/* SPDX-License-Identifier: Apache-2.0 */
/*
 * window.h - internal: the window of a circuit.  What it holds is exact: each
 * call that leaves it takes its failure's kind out of the evidence too.
 */
#ifndef NL_WINDOW_H
#define NL_WINDOW_H

#include "circuit.h"

/* Calls of the count window that is in use; 0: it is none. */
uint32_t nl_window_cells(const struct nl_circuit *);
bool nl_window_is_timed(const struct nl_circuit *);

/* Empties it, and makes it a half-open one of so many calls, or (0) one of cfg.shape. */
void nl_window_clear(struct nl_circuit *, uint32_t half);

/* Lets buckets that are too old go.  number: of the newest, from now on. */
void nl_window_roll(struct nl_circuit *, int64_t number);
int64_t nl_window_bucket(const struct nl_circuit *, nl_time age);       /* the number of a time */

/* One call that has ended.  kind: of its failure, from nl_window_kind. */
struct nl_ended { bool failed, slow; unsigned kind; };
unsigned nl_window_kind(struct nl_circuit *, int ws);   /* counts it in errs */
void nl_window_add(struct nl_circuit *, struct nl_ended);

/* gobreaker: counts of the bucket that a permit was given in. */
struct nl_bucket *nl_window_at(struct nl_circuit *, int64_t number);    /* NULL: has left the window */

/* Is what it says of itself true?  For bodies that others wrote. */
bool nl_window_is_sane(const struct nl_circuit *);

/* n + 1 and a - b that stop at the ends. */
static inline uint32_t nl_more(uint32_t n) { return n + (n < UINT32_MAX); }
static inline uint32_t nl_less(uint32_t a, uint32_t b) { return a > b ? a - b : 0; }

#endif
