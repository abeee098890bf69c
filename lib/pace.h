/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pace.h - internal: how long the first arm of a race usually takes, so that a
 * hedge begins when an answer is late by the service's own measure.
 *
 * The last durations, of which any quantile is exact.  A first arm that lost
 * would have taken longer than it ran: that it ran so long counts.  Without it
 * a hedge that works would cut the slow calls out of what is measured, and the
 * delay would shrink from day to day.
 */
#ifndef NL_PACE_H
#define NL_PACE_H

#include "state.h"

#define NL_PACE_KEPT 256
#define NL_PACE_LEAST 20                /* so many are a measure */
#define NL_PACE_BLIND (250 * NL_MS)     /* the delay until then: RFC 8305's */

struct nl_pace {                        /* body of a record */
	uint32_t next;                  /* cell of ns that is written next */
	uint32_t ppm;                   /* the last caller's quantile, for people */
	uint64_t measured;              /* durations ever */
	uint64_t hedged;                /* races in which a second arm was started */
	uint64_t rescued;               /* races that a later arm has won */
	int64_t ns[NL_PACE_KEPT];
};

/* Pure.  The least duration that so many millionths do not exceed; how many
 * there are; one more. */
nl_time nl_pace_quantile(const struct nl_pace *, unsigned ppm);
unsigned nl_pace_count(const struct nl_pace *);
void nl_pace_add(struct nl_pace *, nl_time dur);
bool nl_pace_sane(const struct nl_pace *);

/* A race's dealings with its record.  Trouble is told, and it goes on blind. */
struct nl_pacer { struct nl_state state; bool open; unsigned ppm, samples; nl_time delay; };
void nl_pacer_open(struct nl_pacer *, struct nl_run *, struct nl_span_of, const struct nl_svc *, unsigned ppm);
/* dur < 0: nothing was measured. */
void nl_pacer_close(struct nl_pacer *, struct nl_span_of, nl_time dur, bool hedged, bool rescued);

#endif
