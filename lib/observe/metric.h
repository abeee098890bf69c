/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metric.h - internal: all that is known as metrics, whichever format they are
 * printed in: metric.c has the one table of them.
 */
#ifndef NL_METRIC_H
#define NL_METRIC_H

#include "observe/label.h"
#include "observe/query.h"

/* Names and units are OpenTelemetry's.  What is in seconds ("s") is kept in microseconds. */
struct nl_metric {
	const char *name, *unit, *help;
	enum nl_metric_type { NL_COUNTER, NL_GAUGE, NL_DURATIONS } type;
};

/* One number of a metric, or a distribution. */
struct nl_point {
	const struct nl_series *s;      /* whose; NULL: nl-observe's own */
	struct nl_labels labels;        /* beside kind and policy */
	uint64_t n;
	/* buckets of the format: classic, or all of `sketch` without those of `less` and with those of `more` */
	uint64_t us, classic[NL_BUCKETS_CLASSIC + 1];
	const struct nl_sketch *sketch, *less, *more;
	int64_t least_us, most_us;      /* -1: not known */
};

/* Who prints: first the metric, then its points, each of them once. */
struct nl_meter {
	enum nl_metric_buckets { NL_CLASSIC, NL_EXPONENTIAL } buckets;
	void (*metric)(struct nl_meter *, const struct nl_metric *);
	void (*point)(struct nl_meter *, const struct nl_metric *, const struct nl_point *);
};
/* Those of policies, then nl-observe's own.  0; -1 with err. */
int nl_metrics_tell(struct nl_ask *, struct nl_meter *, struct nl_err *);

#endif
