/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simulate.h - internal: nl-breaker --simulate.  Operations as NDJSON on stdin
 * step the very machine that decides live, on a clock that they move; each
 * line is answered by itself with the state behind it.  Nothing is run, no
 * record is touched.
 */
#ifndef NL_SIMULATE_H
#define NL_SIMULATE_H

#include "nl.h"

/* Exit 0 at the end of the input; 125, and the line said, where a line is
 * wrong: what was read before it has been answered. */
struct nl_outcome nl_simulate(struct nl_run *, struct nl_req *);

#endif
