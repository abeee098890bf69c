/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settle.c - what a race came to, once nobody of it is left: whose outcome it
 * is, and who is to blame for a stop.
 */
#include "track.h"

/* The first arm that a limit has stopped, or n. */
static unsigned cut_arm(const struct nl_track *c)
{
	unsigned i = 0;
	while (i < c->heat.n && (c->heat.arm[i].state != NL_ARM_OVER || c->heat.arm[i].lost || c->heat.arm[i].outcome.why != NL_DEADLINE))
		i++;
	return i;
}

/* What the arms made of it, when nobody has won. */
static struct nl_outcome lost(struct nl_track *c)
{
	struct nl_run *run = c->run;
	unsigned cut = cut_arm(c);
	bool told = run->told != c->told;
	unsigned speaker = nl_heat_speaker(&c->heat, told || cut < c->heat.n);
	struct nl_outcome o = speaker < c->heat.n ? c->heat.arm[speaker].outcome
	                                          : (struct nl_outcome){ NL_EXIT(NL_EX_REJECTED), NL_RAN };
	bool undone = c->heat.arm[c->heat.n - 1].state == NL_ARM_WAITING;
	run->fired = NULL;
	if (cut < c->heat.n)
		o.why = NL_DEADLINE, run->fired = c->cut_by ? c->cut_by : c->arm[cut].report->fired;
	else if (told)
		o.why = nl_why_told(run);
	if (undone && (told || cut < c->heat.n)) {
		int sig = run->stop_sig ? run->stop_sig : nl_limit(&c->q).sig;
		o.wstatus = sig ? sig : NL_EXIT(NL_EX_TIMEOUT);
	}
	return o;
}

struct nl_outcome nl_track_settle(struct nl_track *c)
{
	struct nl_run *run = c->run;
	nl_time stopped_at = 0;
	bool killed = false;
	struct nl_outcome o;
	if (c->step.won) {
		o = c->o;
		if (c->streaming && o.wstatus == 0 && o.why == NL_RAN) {
			o = c->heat.arm[c->step.winner].outcome;
			run->fired = c->arm[c->step.winner].report->fired;
		}
		if (c->streaming && o.why == NL_RAN && nl_pump_owes(&c->arm[c->step.winner].pump)) {
			struct nl_limit limit = nl_limit(&c->q);        // Its reader did not take all in time.
			o.why = c->limited ? NL_DEADLINE : nl_why_told(run);
			run->fired = c->limited ? limit.owner : NULL;
		}
	} else {
		o = lost(c);
	}
	for (unsigned i = 0; i < c->heat.n; i++) {
		const struct nl_arm *a = &c->heat.arm[i];
		const struct nl_report *r = c->arm[i].report;
		if (a->state != NL_ARM_OVER || !r)
			continue;
		nl_time at = a->lost ? a->ended_at : r->stopped_at;
		stopped_at = at > stopped_at ? at : stopped_at;
		killed |= r->killed || c->arm[i].killed;
	}
	run->killed = killed, run->stopped_at = stopped_at;
	return o;
}
