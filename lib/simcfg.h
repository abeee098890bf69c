/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simcfg.h - internal: what a `vec` line of --simulate says of its breaker, in
 * resilience4j's words, gobreaker's or ours; and numbers of such lines.
 */
#ifndef NL_SIMCFG_H
#define NL_SIMCFG_H

#include "circuit.h"
#include "json.h"

struct nl_sim_number { const char *name; double least, most; bool whole; };
#define NL_SIM_MS_MOST 1e12             /* of milliseconds, which may have a fraction */

int nl_sim_number(const char *text, const struct nl_json_tok *, const struct nl_sim_number *, double *out, struct nl_err *);
nl_time nl_sim_ms(double x);            /* milliseconds, not negative */

/* The object tok[obj] (-1: there is none); 0, -1 with err. */
int nl_sim_cfg(const char *text, const struct nl_json_tok *tok, int obj, struct nl_circuit_cfg *, struct nl_err *);

#endif
