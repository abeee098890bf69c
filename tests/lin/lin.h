/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lin.h - histories of a breaker that several processes use, and whether any
 * order of their operations explains them.
 *
 * lin.c makes them with lib/breaker.c itself, check.c judges them with a model
 * of its own.
 */
#ifndef LIN_H
#define LIN_H

#include <stdbool.h>
#include <stdint.h>

#define LIN_PROCS 8

/* The breaker: nl-breaker -f FAILURES -p PROBES --close-after CLOSE_AFTER -o OPEN_NS. */
enum { LIN_FAILURES = 2, LIN_PROBES = 2, LIN_CLOSE_AFTER = 2 };
#define LIN_OPEN_NS INT64_C(300000)

enum lin_what {
	LIN_ACQUIRE,                    /* may I?  ret: LIN_YES, LIN_NO */
	LIN_RESULT,                     /* of what was admitted; ret: how it ended */
	LIN_RESET, LIN_FORCE_OPEN,      /* by a person */
	LIN_KILL,                       /* t0: before it was sent SIGKILL; t1: when it was gone */
};
enum { LIN_UNKNOWN, LIN_YES, LIN_NO, LIN_GOOD, LIN_BAD, LIN_NOTHING };

/* t0: before the call, t1: after it; 0: it never returned. */
struct lin_op { int64_t t0, t1; uint8_t what, ret, proc; };

/* Is there an order?  The operations of a process are in theirs.  0; else -1 and
 * *bad is the operation that none explains. */
int lin_check(const struct lin_op *, uint32_t n, uint32_t *bad);
extern uint64_t lin_seen;               /* states that were looked at */

#endif
