/* SPDX-License-Identifier: Apache-2.0 */
/*
 * circuittext.c - what a circuit's record says, for people; and whether it can
 * be true.
 */
#include "circuit.h"
#include "event.h"
#include "text.h"
#include "window.h"

#include <stdio.h>
#include <string.h>

static void percent(uint32_t ppm, char buf[16])
{
	int n = snprintf(buf, 16, "%u.%04u", ppm / 10000, ppm % 10000);
	while (buf[n - 1] == '0')
		buf[--n] = '\0';
	if (buf[n - 1] == '.')
		buf[n - 1] = '\0';
}

static void put_cause(struct nl_text *out, const struct nl_circuit *c)
{
	const struct nl_circuit_trip *t = &c->trip;
	char text[96] = "", limit[16];
	percent(t->limit, limit);
	if (c->state == NL_FORCED_OPEN || c->state == NL_FORCED_CLOSED)
		snprintf(text, sizeof text, "forced by uid %u", c->forced_uid);
	else if (c->state == NL_DISABLED)
		snprintf(text, sizeof text, "disabled by uid %u", c->forced_uid);
	else if (c->state == NL_CLOSED)
		return;
	else if (t->reason == NL_WHY_CONSECUTIVE)
		snprintf(text, sizeof text, t->streak == 1 ? "%u failure" : "%u consecutive failures", t->streak);
	else if (t->reason == NL_WHY_RATE)
		snprintf(text, sizeof text, "%u of %u calls failed, limit %s %%", t->n.fails, t->n.calls, limit);
	else if (t->reason == NL_WHY_SLOW)
		snprintf(text, sizeof text, "%u of %u calls were slow, limit %s %%", t->n.slows, t->n.calls, limit);
	else if (t->reason == NL_WHY_PROBE)
		snprintf(text, sizeof text, t->n.fails ? "a probe failed" : "a probe was slow");
	nl_text_put(out, text);
}

/* The most frequent first, others last. */
static void put_evidence(struct nl_text *out, const struct nl_circuit_err errs[NL_CIRCUIT_ERRS])
{
	char what[32], item[64];
	unsigned last = NL_CIRCUIT_ERRS - 1, told = 0;
	for (unsigned k = 0; k <= last; k++) {
		unsigned best = last;
		for (unsigned i = 0; i < last; i++)
			if (errs[i].count && !(told >> i & 1) && (best == last || errs[i].count > errs[best].count))
				best = i;
		if (!errs[best].count || told >> best & 1)
			return;
		snprintf(item, sizeof item, "%s%s ×%u", told ? ", " : "",
		         best == last ? "others" : nl_outcome_text((struct nl_outcome){ errs[best].ws, NL_RAN }, what), errs[best].count);
		nl_text_put(out, item);
		told |= 1u << best;
	}
}

void nl_circuit_cause(const struct nl_circuit *c, char *buf, size_t size)
{
	struct nl_text t = { buf, size, 0 };
	put_cause(&t, c);
	(void)nl_text_end(&t);
}

void nl_circuit_evidence(const struct nl_circuit_err errs[NL_CIRCUIT_ERRS], char *buf, size_t size)
{
	struct nl_text t = { buf, size, 0 };
	put_evidence(&t, errs);
	(void)nl_text_end(&t);
}

void nl_circuit_why(const struct nl_circuit *c, char *buf, size_t size)
{
	struct nl_text t = { buf, size, 0 };
	bool any = false;
	put_cause(&t, c);
	for (unsigned i = 0; i < NL_CIRCUIT_ERRS; i++)
		any = any || c->trip.errs[i].count;
	if (any && (c->state == NL_OPEN || c->state == NL_HALF_OPEN)) {
		nl_text_put(&t, " (");
		put_evidence(&t, c->trip.errs);
		nl_text_put(&t, ")");
	}
	(void)nl_text_end(&t);
}

static bool is_cfg_sane(const struct nl_circuit_cfg *cfg)
{
	return cfg->semantics <= NL_SEM_GOBREAKER && cfg->rate_ppm <= 1000000 && cfg->slow_ppm <= 1000000 &&
	       cfg->jitter_ppm <= 1000000 && cfg->slow_ns >= 0 && cfg->open_ns >= 0 && cfg->open_max_ns >= 0;
}

/* A moment that has not come: now. */
static int pull(int64_t *at, nl_time now)
{
	if (*at <= now)
		return 0;
	*at = now;
	return 1;
}

int nl_circuit_sane(struct nl_circuit *c, nl_time now)
{
	int r = 0;
	if (c->state >= NL_CIRCUIT_STATES || c->reason >= NL_CIRCUIT_REASONS || c->trip.reason >= NL_CIRCUIT_REASONS ||
	    c->since < 0 || (c->since == 0 && c->state != NL_CLOSED) || c->until < 0 || c->open_for < 0 || c->opened < 0 || c->last.at < 0 || !is_cfg_sane(&c->cfg) ||
	    !nl_window_is_sane(c) || memchr(c->last.cmd, '\0', sizeof c->last.cmd) == NULL)
		return -1;
	r |= pull(&c->since, now);
	r |= pull(&c->opened, now);
	r |= pull(&c->last.at, now);
	if (c->state == NL_OPEN && c->until != nl_after(c->since, c->open_for)) {
		c->until = nl_after(c->since, c->open_for);
		r = 1;
	}
	if (nl_window_is_timed(c) && c->bucket > nl_window_bucket(c, now)) {
		nl_window_clear(c, 0);
		r = 1;
	}
	return r;
}
