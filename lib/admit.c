/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admit.c - the rule of a bulkhead, of numbers alone: for the queue, which has
 * counted locks, and for a replay, which has counted lines of a log.
 */
#include "queue.h"

#include "mut.h"

enum nl_turn nl_admit(const struct nl_terms *terms, unsigned held, unsigned waiting)
{
	if ((waiting == 0 || MUTANT(BARGES)) && held < terms->limit)
		return NL_TURN_OURS;            // A new call never overtakes one that waits.
	if (terms->wait <= 0)
		return NL_TURN_FULL;
	return terms->queue && waiting >= terms->queue ? NL_TURN_QUEUE_FULL : NL_TURN_WAITS;
}
