/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk.h - steps a circuit along a line of words, so that a sequence is as
 * short here as in the documents that it comes from:
 *
 *   S F I     a call: must be admitted, and ends at once as success, failure, ignored
 *   s f       the same, slow: it lasted as long as walk.slow says
 *   A X       somebody asks: must be admitted, the permit is kept; must be rejected
 *   ok fail ign   the oldest permit that is kept ends so; last.ok: the newest
 *   rel       the oldest is given back (its holder died, or the call was never run)
 *   +N @N     N ms later; N ms after the beginning
 *   reset off open closed   a person's word (off: disable)
 *   =C =O =H =FO =FC =D     the state must be this
 *   #N !N %P  calls and failures in the window; rate of failures, -1: not known
 *   rN        the last rejection said: again in N ms; r-: until a person says so
 *   nN oN     not permitted since the state began; openings since the last close
 *
 * 10S is S ten times.
 */
#ifndef WALK_H
#define WALK_H

#include "circuit.h"

struct walk {
	struct nl_circuit_cfg cfg;
	struct nl_circuit c;
	uint64_t epoch;
	nl_time start, now, slow;
	double u;
	struct nl_circuit_step last;
	unsigned n;                     /* permits kept */
	struct walk_permit { uint64_t epoch; int64_t age; bool probe; } kept[64];
	char why[128];                  /* where it went another way */
};

void walk_begin(struct walk *, struct nl_circuit_cfg);
bool walk(struct walk *, const char *words);    /* false: see why */
bool walk_from(struct walk *, struct nl_circuit_cfg, const char *words);       /* both */

#endif
