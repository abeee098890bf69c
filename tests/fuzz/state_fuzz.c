/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_fuzz.c - libFuzzer target: bodies of records that nobody of ours wrote,
 * as if their sum were right.  What the check of a kind lets pass must bear
 * every step, and stay so.
 *
 * The first byte chooses the kind, the next eight the clock, the others are the
 * body, or as much of it as there is.
 */
#include "budget.h"
#include "circuit.h"
#include "queue.h"
#include "state.h"

#include <stdlib.h>
#include <string.h>

#define MUST(x) do { if (!(x)) abort(); } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct nl_circuit_cfg cfg = {
	.failures = 3, .rate_ppm = 500000, .slow_ppm = 500000, .slow_ns = NL_SEC, .min_calls = 2, .probes = 2, .close_after = 2,
	.open_ns = NL_SEC, .open_max_ns = 3600 * NL_SEC, .factor_ppm = 2000000, .jitter_ppm = 100000,
};

static void steps_of_a_circuit(struct nl_circuit *c, nl_time now)
{
	uint64_t epoch = 7;
	char why[200];
	for (int event = NL_ACQUIRE; event <= NL_RESET; event++) {
		struct nl_circuit then = *c;
		uint64_t at = epoch;
		struct nl_circuit_input in = { .event = (enum nl_circuit_event)event, .now = now, .epoch = epoch, .dur = 2 * NL_SEC,
		                               .ws = NL_EXIT(7), .span = 1, .real = 1, .cmd = "cmd", .u = 0.5 };
		struct nl_circuit_step step = nl_circuit_step(&cfg, &then, &at, &in);
		MUST(at >= epoch && (int)then.state < NL_CIRCUIT_STATES);
		MUST(event != NL_ACQUIRE || step.verdict != NL_NO_VERDICT);
		MUST(nl_circuit_sane(&then, now) == 0);
		struct nl_circuit_counts counts = nl_circuit_counts(&cfg, &then, now);
		MUST(counts.n.fails <= counts.n.calls && counts.n.slows <= counts.n.calls);
		nl_circuit_why(&then, why, sizeof why);
		MUST(memchr(why, 0, sizeof why) != NULL);
	}
}

static void steps_of_a_budget(struct nl_budget *b, nl_time now)
{
	for (int event = NL_BUDGET_REQUEST; event <= NL_BUDGET_FAILED; event++)
		for (int cause = NL_CAUSE_ERROR; cause <= NL_CAUSE_THROTTLE; cause++) {
			struct nl_budget then = *b;
			int64_t r = nl_budget_step(&then, (enum nl_budget_event)event, (enum nl_budget_cause)cause, 5000, now);
			MUST(r >= -1 && nl_budget_balance(&then, now) >= 0);
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct nl_kind *const kinds[] = { &nl_kind_breaker, &nl_kind_bulkhead, &nl_kind_budget };
	struct nl_record rec = { .head = { .lives = 0 } };
	uint64_t clock;
	if (n < 9)
		return 0;
	const struct nl_kind *kind = kinds[data[0] % 3];
	memcpy(&clock, data + 1, sizeof clock);
	nl_time now = (nl_time)(clock >> 2) + 1; // Since the boot: never 0.
	memcpy(rec.body, data + 9, n - 9 < sizeof rec.body ? n - 9 : sizeof rec.body);
	enum nl_trouble t = kind->check(rec.body, now);
	MUST(t == NL_FINE || t == NL_CLOCK || t == NL_CORRUPT);
	if (t == NL_CORRUPT)
		return 0;
	MUST(kind->check(rec.body, now) == NL_FINE);    // What was put right is right.
	if (kind == &nl_kind_breaker)
		steps_of_a_circuit((struct nl_circuit *)rec.body, now);
	else if (kind == &nl_kind_budget)
		steps_of_a_budget((struct nl_budget *)rec.body, now);
	return 0;
}
