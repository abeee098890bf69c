/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backoff.h - how long to wait before another attempt.  Pure arithmetic that
 * saturates; the same code runs live, in --dry-run and in the simulators.
 */
#ifndef NL_BACKOFF_H
#define NL_BACKOFF_H

#include "nl.h"

#define NL_BACKOFF_MAX (24 * 3600 * NL_SEC)     /* no delay is longer */

enum nl_backoff_kind { NL_EXPONENTIAL, NL_CONSTANT, NL_LINEAR, NL_FIBONACCI };
struct nl_backoff { enum nl_backoff_kind kind; nl_time base, cap; };

enum nl_jitter { NL_JITTER_FULL, NL_JITTER_NONE, NL_JITTER_EQUAL, NL_JITTER_DECORRELATED, NL_JITTER_FINAGLE, NL_JITTER_POLLY };

/* "KIND:BASE[..CAP]"; KIND may be any unambiguous prefix of constant, linear,
 * exponential, fibonacci.  BASE and CAP at most 24 h, CAP not below BASE; BASE
 * 0 waits never.  Without CAP: 60 s, or BASE when that is longer; a constant
 * needs none. */
int nl_parse_backoff(const char *text, struct nl_backoff *out, struct nl_err *err);
int nl_parse_jitter(const char *text, enum nl_jitter *out, struct nl_err *err);
const char *nl_backoff_name(enum nl_backoff_kind);
const char *nl_jitter_name(enum nl_jitter);

/* The delay before retry n (1: the first) without jitter; n 0 is 0.
 * constant b, linear n*b, exponential b*2^(n-1), fibonacci b*F(n) with
 * F = 1 1 2 3 5; at most cap. */
nl_time nl_backoff_delay(const struct nl_backoff *, uint64_t n);

/* What a jitter remembers between delays of one call; zero at its start. */
struct nl_jitter_state { nl_time prev; double f; };

/*
 * The delay before retry n with jitter; u is uniform in [0, 1).
 *  full          u*d                                        (AWS architecture blog)
 *  equal         d/2 + u*d/2                                (same)
 *  decorrelated  min(cap, U(b, 3*prev)), prev starts at b   (same, its simulator)
 *  finagle       U(prev, 3*prev), prev starts at b: never falls; at most cap
 *                (Finagle's decorrelated: the lower bound ratchets)
 *  polly         Polly 8: exponential by (f(t)-f(prev))/1.4*b with
 *                f(t) = 2^t*tanh(sqrt(4t)), t = n-1+u; others d*(0.75+u/2);
 *                the cap is applied last
 */
nl_time nl_jittered(enum nl_jitter, const struct nl_backoff *, uint64_t n, struct nl_jitter_state *, double u);

#endif
