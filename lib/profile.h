/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile.h - internal: one step of a circuit being made, for circuit.c, which
 * moves between states, and profile.c, which knows what a result does.
 */
#ifndef NL_PROFILE_H
#define NL_PROFILE_H

#include "circuit.h"

struct nl_work {
	const struct nl_circuit_cfg *cfg;       /* the caller's */
	struct nl_circuit *c;
	uint64_t *epoch;
	const struct nl_circuit_input *in;
	struct nl_circuit_step out;
};

static inline bool nl_is_gobreaker(const struct nl_circuit *c) { return c->cfg.semantics == NL_SEM_GOBREAKER; }
static inline bool nl_is_resilience4j(const struct nl_circuit *c) { return c->cfg.semantics == NL_SEM_RESILIENCE4J; }
static inline uint32_t nl_at_least_1(uint32_t n) { return n ? n : 1; }

/* To another state, or the same anew: what was counted was the old one's. */
void nl_work_move(struct nl_work *, enum nl_circuit_state, enum nl_circuit_reason);
/* To OPEN; limit: what was reached, failures or ppm. */
void nl_work_open(struct nl_work *, enum nl_circuit_reason, uint32_t limit);

/* Calls without which a rate means nothing. */
uint32_t nl_profile_min_calls(const struct nl_circuit_cfg *, const struct nl_circuit *);
/* What the window holds; without one, the failures in a row. */
struct nl_tally nl_profile_counted(const struct nl_circuit *);

/* SUCCESS, FAILURE, IGNORED. */
void nl_profile_ended(struct nl_work *);

#endif
