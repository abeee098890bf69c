/* SPDX-License-Identifier: Apache-2.0 */
/*
 * circuittell.h - internal: what a step of a circuit says to the world.
 */
#ifndef NL_CIRCUITTELL_H
#define NL_CIRCUITTELL_H

#include "circuit.h"
#include "event.h"

/* The event of a transition: c and epoch as they are after it.  Nothing when
 * the step did not move.  conf: the breaker with the values that it stepped by,
 * or NULL when a person moved it. */
void nl_circuit_tell(struct nl_run *, struct nl_span_of, const struct nl_circuit_step *, const struct nl_circuit *,
                     uint64_t epoch, const struct nl_svc *conf);

/* A rejection, with the status that the caller gets. */
void nl_circuit_tell_rejected(struct nl_run *, struct nl_span_of, const struct nl_circuit_step *, const struct nl_circuit *,
                              uint64_t epoch, int status);

/* A result that came too late to count. */
void nl_circuit_tell_stale(struct nl_run *, struct nl_span_of, uint64_t epoch, uint64_t permit);

/* A span as people say it, into buf[32]: rounded up: "0.25 s", "17 s", "5 min", "1 h". */
const char *nl_circuit_span_text(nl_time, char buf[32]);

/* "ninelives". */
const char *nl_semantics_name(unsigned);

/* "20 calls" of a window, or "30.00 s", into buf[32]. */
const char *nl_circuit_shape_text(const struct nl_shape *, char buf[32]);

#endif
