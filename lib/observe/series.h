/* SPDX-License-Identifier: Apache-2.0 */
/*
 * series.h - internal to the state: what a series has beside that which queries
 * see, and what its parts do.  Everything here is a sum, a least, a greatest, or
 * the last by a key that no two events share, so order and split do not matter.
 *
 * 0 and -1: no memory, and then something is not counted.
 */
#ifndef NL_SERIES_H
#define NL_SERIES_H

#include "observe/system.h"

#define NL_SLICE_SECONDS 15
#define NL_SLICES (NL_WINDOW_SECONDS / NL_SLICE_SECONDS + 1)    /* a window begins within one */
#define NL_FINE 512                     /* requests of a slice whose seconds are kept */
#define NL_NO_TIME (NL_SKETCH_BUCKETS + 1)      /* cells of a spread: buckets, and 0 behind them */

/* Which of two events is the later one. */
struct nl_stamp { int64_t time_us; uint64_t run; uint32_t seq; };
static inline bool nl_stamp_is_later(struct nl_stamp a, struct nl_stamp b)
{
	return a.time_us != b.time_us ? a.time_us > b.time_us : a.run != b.run ? a.run > b.run : a.seq > b.seq;
}

/* What strangers write stays a number that a snapshot can have. */
static inline uint64_t nl_sum_of(uint64_t a, uint64_t b)
{
	return b < INT64_MAX - a ? a + b : INT64_MAX;
}

struct series {
	struct nl_series pub;           /* first: queries have pointers to it */
	struct nl_sketch total;         /* durations of all requests */
	struct nl_stamp failed, told, queued;   /* the last failure; the last word of a bulkhead, and of its queue */
	struct nl_last *room;           /* pub.last is in it */
	unsigned rooms;
	struct nl_run_name run_name;    /* of its policy */
	uint32_t npolicy, nkind;        /* lengths */
	char names[];                   /* kind and policy, terminated each; pub has pointers here */
};

/* The last 15 minutes of a busy one: dense.c. */
struct nl_second { uint32_t requests, failures, rejected, timeouts; };
struct nl_slice {
	int64_t no;                     /* its time / 15 s */
	uint16_t *fine;                 /* second * NL_NO_TIME + bucket of each request */
	uint16_t n, rooms;
	bool is_coarse;                 /* too many: they are in the sketch, which forgets the second */
	struct nl_sketch coarse;
};
struct nl_dense {
	int64_t top;                    /* the latest second; those up to 899 earlier are kept */
	struct nl_second second[NL_WINDOW_SECONDS];     /* s at s % 900 */
	struct nl_slice slice[NL_SLICES];               /* no at no % 61 */
};
struct nl_dense *nl_dense_new(void);
void nl_dense_free(struct nl_dense *);
static inline void nl_dense_ahead(const struct nl_dense *d, int64_t second)    /* of an event that is added soon */
{
	__builtin_prefetch(&d->top, 1);
	__builtin_prefetch(&d->second[second % NL_WINDOW_SECONDS], 1);
	__builtin_prefetch(&d->slice[second / NL_SLICE_SECONDS % NL_SLICES], 1);
}
int nl_dense_add(struct nl_dense *, struct nl_last);
int nl_dense_merge(struct nl_dense *, const struct nl_dense *);
int nl_slice_begin(struct nl_slice *, int64_t no, bool is_coarse);       /* an unused one, with room for all */
bool nl_dense_has(const struct nl_dense *, const struct nl_slice *);    /* in use, and not too old */
struct nl_counts nl_dense_counts(const struct nl_dense *, int64_t from, int64_t to);    /* seconds from..to, both included */
/* Adds the durations of these seconds to cells. */
void nl_dense_spread(const struct nl_dense *, int64_t from, int64_t to, uint64_t cell[NL_NO_TIME]);

/* Transitions of breakers: moves.c. */
int nl_moves_add(struct nl_series *, const struct nl_move *, const char *line, size_t n);      /* copies line, which may be NULL */
int nl_moves_take(struct nl_series *, const struct nl_fact *);
void nl_moves_free(struct nl_series *);

/* Fields of 64 bits of a series: one table for merging and for snapshots. */
enum nl_join { NL_SUM, NL_MOST, NL_LEAST };             /* LEAST: -1 is none */
struct nl_series_field { const char *name; size_t at; enum nl_join join; };
extern const struct nl_series_field nl_series_fields[]; /* name NULL ends */

struct series *nl_series_new(struct nl_quote kind, struct nl_quote policy);
void nl_series_free(struct series *);
enum nl_when { NL_IN_TIME, NL_OUT_OF_TIME };            /* the latter is for totals alone */
void nl_series_ahead(const struct series *, const struct nl_fact *);   /* fetches what take will count in */
int nl_series_take(struct series *, const struct nl_fact *, enum nl_when);
int nl_series_merge(struct series *, const struct series *);
int nl_series_put_last(struct series *, struct nl_last);        /* a recent request: below, and in the dense part */
int nl_series_put_exact(struct series *, struct nl_last);
int nl_series_make_dense(struct nl_series *);
int nl_keyed_put(struct nl_keyed **of, unsigned *len, unsigned key, uint64_t n);
int nl_series_put_err(struct nl_series *, unsigned class, uint64_t n);
void nl_series_put_failure(struct series *, struct nl_stamp, struct nl_quote err, struct nl_quote cmd);
/* -1: not told.  What is told of the queue holds until it is told again. */
void nl_series_put_usage(struct series *, struct nl_stamp, int64_t active, int64_t max, int64_t queued);

unsigned nl_classic_of(int64_t us);     /* which of nl_classic_us' buckets */

/* errclass.c */
unsigned nl_err_class(struct nl_quote err);

#endif
