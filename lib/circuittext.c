/* SPDX-License-Identifier: Apache-2.0 */
/*
 * circuittext.c - what a circuit's record says, for people; and whether it can
 * be true.
 */
#include "circuit.h"
#include "event.h"
#include "window.h"

#include <stdio.h>
#include <string.h>

/* Text that does not fit ends before the character that would be cut. */
static void put(char *buf, size_t size, const char *text)
{
	size_t n = strlen(buf), more = strlen(text);
	if (!size || n + 1 >= size)
		return;
	if (more > size - 1 - n) {
		more = size - 1 - n;
		while (more && ((unsigned char)text[more] & 0xc0) == 0x80)
			more--;
	}
	memcpy(buf + n, text, more);
	buf[n + more] = '\0';
}

static void percent(uint32_t ppm, char buf[16])
{
	int n = snprintf(buf, 16, "%u.%04u", ppm / 10000, ppm % 10000);
	while (n > 0 && buf[n - 1] == '0')
		buf[--n] = '\0';
	if (n > 0 && buf[n - 1] == '.')
		buf[n - 1] = '\0';
}

void nl_circuit_cause(const struct nl_circuit *c, char *buf, size_t size)
{
	const struct nl_circuit_trip *t = &c->trip;
	char text[96] = "", limit[16];
	percent(t->limit, limit);
	if (c->state == NL_FORCED_OPEN || c->state == NL_FORCED_CLOSED)
		snprintf(text, sizeof text, "forced by uid %u", c->forced_uid);
	else if (c->state == NL_DISABLED)
		snprintf(text, sizeof text, "disabled by uid %u", c->forced_uid);
	else if (c->state == NL_CLOSED)
		text[0] = '\0';
	else if (t->reason == NL_WHY_CONSECUTIVE)
		snprintf(text, sizeof text, t->streak == 1 ? "%u failure" : "%u consecutive failures", t->streak);
	else if (t->reason == NL_WHY_RATE)
		snprintf(text, sizeof text, "%u of %u calls failed (limit %s %%)", t->n.fails, t->n.calls, limit);
	else if (t->reason == NL_WHY_SLOW)
		snprintf(text, sizeof text, "%u of %u calls were slow (limit %s %%)", t->n.slows, t->n.calls, limit);
	else if (t->reason == NL_WHY_PROBE)
		snprintf(text, sizeof text, t->n.fails ? "a probe failed" : "a probe was slow");
	if (size)
		buf[0] = '\0';
	put(buf, size, text);
}

void nl_circuit_evidence(const struct nl_circuit_err errs[NL_CIRCUIT_ERRS], char *buf, size_t size)
{
	char what[32], item[64];
	bool first = true;
	if (size)
		buf[0] = '\0';
	for (unsigned i = 0; i < NL_CIRCUIT_ERRS; i++) {
		if (!errs[i].count)
			continue;
		bool other = i == NL_CIRCUIT_ERRS - 1;
		snprintf(item, sizeof item, "%s%s ×%u", first ? "" : ", ",
		         other ? "others" : nl_outcome_text((struct nl_outcome){ errs[i].ws, NL_RAN }, what), errs[i].count);
		put(buf, size, item);
		first = false;
	}
}

void nl_circuit_why(const struct nl_circuit *c, char *buf, size_t size)
{
	char evidence[256];
	nl_circuit_cause(c, buf, size);
	if (c->state != NL_OPEN && c->state != NL_HALF_OPEN)
		return;
	nl_circuit_evidence(c->trip.errs, evidence, sizeof evidence);
	if (!evidence[0])
		return;
	put(buf, size, " (");
	put(buf, size, evidence);
	put(buf, size, ")");
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
	    c->since < 0 || c->until < 0 || c->open_for < 0 || c->opened < 0 || c->last.at < 0 || !is_cfg_sane(&c->cfg) ||
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
