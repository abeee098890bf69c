/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sketch.h - internal: a distribution of durations, as counts.
 *
 * The base-2 exponential histogram of OpenTelemetry at scale 5 (Prometheus:
 * native histogram, schema 5): bucket i holds (2^(i/32), 2^((i+1)/32)] seconds,
 * so a value is known to 1.08 % and merging is adding.  Counts are integers:
 * the same samples in any order and any split make the same sketch.
 */
#ifndef NL_SKETCH_H
#define NL_SKETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NL_SKETCH_SCALE 5
#define NL_SKETCH_BUCKETS 1217          /* 1 us to 2^18 s (3 days); beyond is in the last, 0 is counted apart */
#define NL_SKETCH_FIRST (-638)          /* OTLP index of bucket 0: the one that holds 1 us */

/* Dense from the lowest to the highest bucket in use, and some around them; grows; {0} is empty. */
struct nl_sketch { uint32_t *count; uint16_t first, n; uint64_t zero; };

unsigned nl_sketch_bucket(int64_t us);          /* of a duration > 0 */
double nl_sketch_upper(unsigned bucket);        /* its upper bound in seconds; the middle by nl_sketch_value */
double nl_sketch_value(unsigned bucket);        /* what it says for its samples: error <= 1.08 % */
int nl_sketch_add(struct nl_sketch *, int64_t us, uint32_t times);     /* 0, -1 no memory */
int nl_sketch_put(struct nl_sketch *, unsigned bucket, uint32_t times); /* the same */
int nl_sketch_merge(struct nl_sketch *, const struct nl_sketch *);
void nl_sketch_free(struct nl_sketch *);
uint64_t nl_sketch_total(const struct nl_sketch *);
/* Nearest rank: the value below or at which q (0..1) of the samples are, in seconds; -1: there are none. */
double nl_sketch_quantile(const struct nl_sketch *, double q);
uint64_t nl_rank(double q, uint64_t n);         /* which of n sorted samples that is, from 1 */

#endif
