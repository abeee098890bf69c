/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout - prints where the fields of a record are: struct, offset, size and
 * name.  What processes of all versions share is frozen, and nl-state(5) has it
 * as tables; a test compares.
 */
#include "budget.h"
#include "circuit.h"
#include "lease.h"
#include "pace.h"
#include "queue.h"

#include <stdio.h>

#define F(s, f) { #s, #f, offsetof(struct s, f), sizeof ((struct s *)0)->f }

static const struct { const char *of, *name; size_t at, size; } field[] = {
	F(nl_record, head), F(nl_record, live), F(nl_record, body),
	F(nl_head, magic), F(nl_head, major), F(nl_head, minor), F(nl_head, kind), F(nl_head, zero), F(nl_head, lives),
	F(nl_head, sum), F(nl_head, boot), F(nl_head, epoch), F(nl_head, cfg), F(nl_head, lock_ino),
	F(nl_live, key), F(nl_live, value), F(nl_live, uid), F(nl_live, zero), F(nl_live, real_ns),
	F(nl_circuit, state), F(nl_circuit, openings), F(nl_circuit, since), F(nl_circuit, until), F(nl_circuit, open_for),
	F(nl_circuit, opened), F(nl_circuit, spent), F(nl_circuit, streak_ok), F(nl_circuit, streak_fail),
	F(nl_circuit, rejected), F(nl_circuit, stale), F(nl_circuit, reason), F(nl_circuit, forced_uid), F(nl_circuit, steps),
	F(nl_circuit, cfg), F(nl_circuit, errs), F(nl_circuit, trip), F(nl_circuit, last.at), F(nl_circuit, last.real),
	F(nl_circuit, last.span), F(nl_circuit, last.ws), F(nl_circuit, last.cmd), F(nl_circuit, spans), F(nl_circuit, n),
	F(nl_circuit, half_window), F(nl_circuit, head), F(nl_circuit, zero2), F(nl_circuit, bucket), F(nl_circuit, w),
	F(nl_circuit_cfg, shape.kind), F(nl_circuit_cfg, shape.n), F(nl_circuit_cfg, shape.width_ns),
	F(nl_circuit_cfg, semantics), F(nl_circuit_cfg, failures), F(nl_circuit_cfg, rate_ppm), F(nl_circuit_cfg, slow_ppm),
	F(nl_circuit_cfg, slow_ns), F(nl_circuit_cfg, min_calls), F(nl_circuit_cfg, probes), F(nl_circuit_cfg, close_after),
	F(nl_circuit_cfg, jitter_ppm), F(nl_circuit_cfg, open_ns), F(nl_circuit_cfg, open_max_ns),
	F(nl_circuit_cfg, factor_ppm), F(nl_circuit_cfg, given),
	F(nl_circuit_err, ws), F(nl_circuit_err, count),
	F(nl_circuit_trip, reason), F(nl_circuit_trip, limit), F(nl_circuit_trip, streak), F(nl_circuit_trip, n),
	F(nl_circuit_trip, errs),
	F(nl_tally, calls), F(nl_tally, fails), F(nl_tally, slows), F(nl_tally, oks), F(nl_tally, excluded),
	F(nl_bucket, n), F(nl_bucket, streak_ok), F(nl_bucket, streak_fail), F(nl_bucket, errs),
	F(nl_bulkhead, next), F(nl_bulkhead, low), F(nl_bulkhead, limit), F(nl_bulkhead, high), F(nl_bulkhead, wait_ns),
	F(nl_bulkhead, queue), F(nl_bulkhead, flags), F(nl_bulkhead, holders), F(nl_bulkhead, waiters),
	F(nl_bulkhead_holder, pid), F(nl_bulkhead_holder, uid), F(nl_bulkhead_holder, since),
	F(nl_bulkhead_holder, waited_ms), F(nl_bulkhead_holder, name),
	F(nl_bulkhead_waiter, ticket), F(nl_bulkhead_waiter, pid), F(nl_bulkhead_waiter, since),
	F(nl_bulkhead_waiter, uid), F(nl_bulkhead_waiter, name),
	F(nl_budget, cfg), F(nl_budget, set), F(nl_budget, zero), F(nl_budget, tokens), F(nl_budget, slice),
	F(nl_budget, slices), F(nl_budget, spent), F(nl_budget, refused),
	F(nl_budget_cfg, kind), F(nl_budget_cfg, zero), F(nl_budget_cfg, max), F(nl_budget_cfg, cost),
	F(nl_budget_cfg, timeout_cost), F(nl_budget_cfg, throttle_cost), F(nl_budget_cfg, deposit),
	F(nl_budget_cfg, ttl_ns), F(nl_budget_cfg, min_per_s),
	F(nl_pace, next), F(nl_pace, ppm), F(nl_pace, measured), F(nl_pace, hedged), F(nl_pace, rescued), F(nl_pace, ns),
};

int main(void)
{
	printf("byte\t%d\t1\tguard\nbyte\t%d\t%d\tslot\nbyte\t%lld\t1\tticket\n", NL_BYTE_GUARD, NL_BYTE_SLOT, NL_SLOTS,
	       (long long)NL_BYTE_TICKET);
	for (size_t i = 0; i < sizeof field / sizeof *field; i++)
		printf("%s\t%zu\t%zu\t%s\n", field[i].of, field[i].at, field[i].size, field[i].name);
	return 0;
}
