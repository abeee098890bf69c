/* SPDX-License-Identifier: Apache-2.0 */
/*
 * racetell.c - see racetell.h.
 */
#include "racetell.h"

#include "parse.h"
#include "run.h"

#include <stdio.h>

#define LISTED 16                       /* arms in an event: it has room for no more */

/* Of a measured one from how many calls: fewer than NL_PACE_LEAST, and it is not measured yet. */
static void put_delay(struct nl_event *e, const struct nl_heat *h, const struct nl_pacer *p)
{
	if (h->delay && h->delay != NL_NEVER)
		nl_event_secs(e, "delay_s", h->delay);
	if (p)
		nl_event_int(e, "samples", p->samples);
}

NL_COLD void nl_race_tell_hedged(const struct nl_track *t, unsigned i, bool failure)
{
	const struct nl_heat *h = &t->heat;
	const struct nl_pacer *p = t->pacer;
	struct nl_event e;
	char secs[32];
	if (!nl_event_open(&e, t->run, t->of, "nl.race.hedged", NL_INFO))
		return;
	nl_event_int(&e, "arm", i + 1);
	nl_event_str(&e, "reason", failure ? "failure" : "delay", 8);
	put_delay(&e, h, p);
	if (failure)
		nl_event_human(&e, "race: one failed, now arm %u", i + 1);
	else if (p && p->samples < NL_PACE_LEAST)
		nl_event_human(&e, "race: no answer after %s, now arm %u, too (%u calls measured: p%.7g is known from %d on)",
		               nl_secs_text(h->delay, secs), i + 1, p->samples, p->ppm / 10000.0, NL_PACE_LEAST);
	else
		nl_event_human(&e, "race: no answer after %s, now arm %u, too", nl_secs_text(h->delay, secs), i + 1);
	nl_event_emit(&e);
}

static const char *end_of(const struct nl_heat *h, const struct nl_heat_step *s, unsigned i)
{
	const struct nl_arm *a = &h->arm[i];
	if (a->state == NL_ARM_WAITING)
		return "not_started";
	if (s->won && i == s->winner)
		return "won";
	return a->good ? "succeeded" : a->lost ? "stopped" : "failed";
}

static void put_arms(struct nl_event *e, const struct nl_heat *h, const struct nl_branch *b, const struct nl_heat_step *s, nl_time began)
{
	nl_event_open_list(e, "arms");
	for (unsigned i = 0; i < h->n && i < LISTED; i++) {
		const struct nl_arm *a = &h->arm[i];
		char err[24];
		size_t at = e->n;
		nl_event_int(e, "arm", i + 1);
		nl_event_str(e, "cmd", b[i].svc->cmd, 32);
		nl_event_str(e, "end", end_of(h, s, i), 16);
		if (a->state == NL_ARM_OVER) {
			const char *name = nl_err_name(a->outcome, err);
			nl_event_end_of(e, a->outcome.wstatus);
			if (!a->good)
				nl_event_str(e, "err", name ? name : "exit_0", 24);
			nl_event_secs(e, "start_s", a->began_at - began);
			nl_event_secs(e, "dur_s", a->ended_at - a->began_at);
		}
		nl_event_close_item(e, at, i == 0);
	}
	nl_event_close_list(e);
}

NL_COLD void nl_race_tell(const struct nl_track *t, struct nl_outcome o, nl_time began, nl_time dur)
{
	const struct nl_heat *h = &t->heat;
	const struct nl_heat_step *s = &t->step;
	struct nl_event e;
	char err[24], what[32], secs[32];
	const char *name = nl_err_name(o, err);
	if (!t->arm || !nl_event_open(&e, t->run, t->of, s->won ? "nl.race.won" : "nl.race.lost", s->won ? NL_INFO : NL_ERROR))
		return;
	nl_event_int(&e, "of", h->n);
	nl_event_int(&e, "quorum", h->quorum);
	put_delay(&e, h, t->pacer);
	if (s->won)
		nl_event_int(&e, "winner", s->winner + 1);
	nl_event_end_of(&e, o.wstatus);
	if (o.wstatus || !s->won)
		nl_event_str(&e, "err", name ? name : "exit_0", 24);
	nl_event_secs(&e, "dur_s", dur);
	put_arms(&e, h, t->arm, s, began);
	if (s->won && s->winner > 0)
		nl_event_human(&e, "race: arm %u (%.60s) won after %s", s->winner + 1, t->arm[s->winner].svc->cmd, nl_secs_text(dur, secs));
	else if (!s->won)
		nl_event_human(&e, "race: nobody of %u won: %s", h->n, nl_outcome_text(o, what));
	nl_event_emit(&e);
}
