/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spend.h - internal: one retry's dealings with a budget that processes share.
 * Trouble with its state is told, and the retry goes on as without a budget.
 */
#ifndef NL_SPEND_H
#define NL_SPEND_H

#include "budget.h"
#include "state.h"

/* "NAME" or "NAME:PROFILE", as on a command line. */
struct nl_budget_ref { char name[NL_NAME_MAX + 1]; bool profiled; enum nl_budget_kind profile; };
int nl_budget_ref_parse(const char *text, struct nl_budget_ref *, struct nl_err *);

struct nl_spend {
	struct nl_run *run;
	struct nl_span_of of;
	const struct nl_budget_ref *ref;
	bool pin, open;
	struct nl_state state;
	int64_t held;                   /* what the last retry took */
	int64_t tokens, cost;           /* at the last refusal, thousandths */
};

/* A call begins.  dir: --state. */
void nl_spend_open(struct nl_spend *, struct nl_run *, struct nl_span_of, const struct nl_budget_ref *, const char *dir, bool pin);
void nl_spend_failed(struct nl_spend *, enum nl_budget_cause);  /* an attempt */
bool nl_spend_retry(struct nl_spend *, enum nl_budget_cause);   /* may there be another? */
void nl_spend_ok(struct nl_spend *);
void nl_spend_close(struct nl_spend *);

#endif
