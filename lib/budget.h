/* SPDX-License-Identifier: Apache-2.0 */
/*
 * budget.h - internal: retry budgets, so that retries cannot multiply the load
 * of a service that is down.  Pure, in shared state.
 *
 *  aws-2.0  a bucket of 500 tokens, a retry costs 5 (after a timeout 10),
 *           returned when it succeeds; a success at first gives 1
 *  aws-2.1  a retry costs 14 (when throttled 5), else the same
 *  grpc     10 tokens; a failure takes 1, a success gives 0.1; retries while
 *           more than half is left (gRFC A6)
 *  finagle  20 % of the requests of the last 10 s and 10 a second
 *           (com.twitter.finagle.service.RetryBudget)
 */
#ifndef NL_BUDGET_H
#define NL_BUDGET_H

#include "nl.h"

enum nl_budget_kind { NL_BUDGET_AWS_20, NL_BUDGET_AWS_21, NL_BUDGET_GRPC, NL_BUDGET_FINAGLE, NL_BUDGET_KINDS };
const char *nl_budget_name(enum nl_budget_kind);

/* Live keys of budget/NAME; tokens are thousandths. */
struct nl_budget_cfg {
	uint32_t kind;
	uint32_t zero;
	int64_t max;                    /* capacity (finagle: no meaning) */
	int64_t cost, timeout_cost, throttle_cost;      /* of a retry */
	int64_t deposit;                /* of a success at first (finagle: of every request) */
	int64_t ttl_ns;                 /* finagle */
	int64_t min_per_s;              /* finagle: free retries a second */
};
struct nl_budget_cfg nl_budget_profile(enum nl_budget_kind);

#define NL_BUDGET_SLICES 10
struct nl_budget {                      /* body of a record */
	struct nl_budget_cfg cfg;       /* what holds */
	uint32_t set;                   /* 0: fresh */
	uint32_t zero;
	int64_t tokens;                 /* thousandths */
	int64_t slice;                  /* finagle: number of the newest */
	int64_t slices[NL_BUDGET_SLICES];       /* finagle: deposits less withdrawals, of ttl/10 each */
	uint64_t spent, refused;        /* retries granted and refused, for people */
};

enum nl_budget_event { NL_BUDGET_REQUEST /* a call begins */, NL_BUDGET_RETRY /* may it be retried? */, NL_BUDGET_OK, NL_BUDGET_FAILED };
enum nl_budget_cause { NL_CAUSE_ERROR, NL_CAUSE_TIMEOUT, NL_CAUSE_THROTTLE };

/* One step.  RETRY: returns what it took (a grant is >= 0) or -1: refused.  OK:
 * `held` is what the retry that succeeded took, 0 for a first attempt.  FAILED: an
 * attempt failed (gRPC counts it, before RETRY is asked).  others return 0. */
int64_t nl_budget_step(struct nl_budget *, enum nl_budget_event, enum nl_budget_cause, int64_t held, nl_time now);
int64_t nl_budget_balance(const struct nl_budget *, nl_time now);       /* thousandths */
int nl_budget_sane(struct nl_budget *, nl_time now);    /* as nl_circuit_sane */

#endif
