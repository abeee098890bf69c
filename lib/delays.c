/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delays.c - what all back-offs of a retry can come to at most and at least.
 *
 * The most is what the luckiest numbers make of each jitter: every one of them
 * grows with its number and with the delay before, but Polly's, whose sum does.
 * The least is the other end, and of Polly's the better of two ways to get
 * there: its delays are differences, so a high one before makes the next low.
 */
#include "bounds.h"
#include "mut.h"
#include "opt.h"

#include <math.h>

enum { COUNTED = 20000 };               /* delays; those behind are taken to be like the last */

static const double luckiest = 1 - 0x1p-53;

static nl_time add(nl_time a, nl_time b)
{
	return nl_after(a, b);
}

static nl_time times(nl_time a, uint64_t n)
{
	return a && n > (uint64_t)(NL_NEVER / a) ? NL_NEVER : a * (nl_time)n;
}

static const struct nl_backoff *backoff_of(const struct nl_term *t)
{
	return nl_opt_field(t->svc, "backoff", NL_BACKOFF);
}

static enum nl_jitter jitter_of(const struct nl_term *t)
{
	return *(const enum nl_jitter *)nl_opt_field(t->svc, "jitter", NL_JITTER);
}

nl_time nl_bounds_most_slept(const struct nl_term *t, uint64_t n)
{
	const struct nl_backoff *b = backoff_of(t);
	struct nl_jitter_state state = { 0 };
	nl_time sum = 0, d = 0, cap = b->cap < NL_BACKOFF_MAX ? b->cap : NL_BACKOFF_MAX;
	bool asked = nl_term_text(t, "retry-after");    // The service may ask for the cap.
	for (uint64_t k = 1; k < n; k++) {
		d = asked ? cap : nl_jittered(jitter_of(t), b, k, &state, luckiest);
		sum = add(sum, MUTANT(SLEEP_OFF_BY_ONE) && k + 1 == n ? 0 : d);
		if (k == COUNTED || (asked && k == 1))
			return add(sum, times(b->base ? cap : d, n - 1 - k));
	}
	return sum;
}

/* Of exponential Polly delays, as low as the draws before allow: high or low at each. */
static nl_time least_polly(const struct nl_backoff *b, uint64_t n)
{
	struct nl_jitter_state low = { 0 }, high = { 0 };
	nl_time sum[2] = { 0, 0 };              // Behind a low draw, a high one.
	for (uint64_t k = 1; k < n && k <= COUNTED; k++) {
		struct nl_jitter_state after[2];
		nl_time next[2];
		for (int i = 0; i < 2; i++) {
			double u = i ? luckiest : 0;
			struct nl_jitter_state from[2] = { low, high };
			nl_time a = add(sum[0], nl_jittered(NL_JITTER_POLLY, b, k, &from[0], u));
			nl_time c = add(sum[1], nl_jittered(NL_JITTER_POLLY, b, k, &from[1], u));
			next[i] = a < c ? a : c, after[i] = from[0];
		}
		sum[0] = next[0], sum[1] = next[1], low = after[0], high = after[1];
	}
	return sum[0] < sum[1] ? sum[0] : sum[1];
}

nl_time nl_bounds_least_slept(const struct nl_term *t, uint64_t n)
{
	const struct nl_backoff *b = backoff_of(t);
	struct nl_jitter_state state = { 0 };
	nl_time sum = 0;
	if (jitter_of(t) == NL_JITTER_FULL || !b->base)
		return 0;
	if (jitter_of(t) == NL_JITTER_POLLY && b->kind == NL_EXPONENTIAL)
		return least_polly(b, n);
	for (uint64_t k = 1; k < n && sum < NL_NEVER; k++) {
		nl_time d = nl_jittered(jitter_of(t), b, k, &state, 0);
		sum = add(sum, d);
		if (k == COUNTED)
			return add(sum, times(d, n - 1 - k));
	}
	return sum;
}
