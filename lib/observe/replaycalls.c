/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replaycalls.c - what timeouts and retries would have done under another limit
 * or with more or fewer attempts.
 *
 * What is shorter than what was is exact: the log has when each attempt ended.
 * What is longer is not: a call that was stopped might have succeeded, and so
 * might the attempts that were not made; then a figure has two ends.
 */
#include "observe/replay.h"

#include "parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What events inside a call have told of it. */
struct nl_going { uint64_t span; int64_t us, until_us, limit_us, attempt; bool by_max, torn; };

struct nl_going *nl_going_new(void)
{
	return calloc(NL_GOING, sizeof(struct nl_going));
}

static struct nl_going *going(struct nl_calls *c, uint64_t span)
{
	struct nl_going *g = &c->going[span % NL_GOING];
	if (g->span != span)                    // Whose place it was had no end, or was one of too many.
		*g = (struct nl_going){ .span = span, .limit_us = -1, .until_us = -1 };
	return g;
}

static void timeout_ended(struct nl_calls *c, const struct nl_fact *f, const struct nl_going *g)
{
	bool ok = f->told == NL_TOLD_SUCCESS;
	int64_t was = g->limit_us >= 0 ? g->limit_us : f->dur_us;
	if (g->limit_us >= 0) {                 // It was stopped at its limit.
		c->timeouts++;
		if (c->limit_us <= was) {
			c->still++;
			c->low_us += c->limit_us - was, c->high_us += c->limit_us - was;
		} else {
			c->unknown++;
			c->high_us += c->limit_us - was;
		}
	} else if (f->dur_us > c->limit_us) {
		*(ok ? &c->cut : &c->still) += 1;
		c->cut_failures += !ok;
		c->low_us += c->limit_us - was, c->high_us += c->limit_us - was;
	}
	c->ok += ok;
}

static void retry_ended(struct nl_calls *c, const struct nl_fact *f, const struct nl_going *g)
{
	bool ok = f->told == NL_TOLD_SUCCESS;
	int64_t n = c->attempts ? c->attempts : INT32_MAX;
	c->ok += ok;
	c->made += f->attempts > 0 ? (uint64_t)f->attempts : 0;
	c->recovered += ok && f->attempts > 1;
	if (f->attempts > n) {
		c->cut += ok;
		c->saved += (uint64_t)(f->attempts - n);
		bool known = g->until_us >= 0;  // Else lines of it are missing.
		c->low_us -= known ? f->dur_us - g->until_us : f->dur_us;
		c->high_us -= known ? f->dur_us - g->until_us : 0;
	} else if (!ok && g->by_max && f->attempts < n) {
		c->unknown++;
		c->more += (uint64_t)(n - f->attempts);
	}
}

static void calls_line(struct nl_listener *l, enum nl_line is, const struct nl_fact *f, const char *text, size_t n)
{
	struct nl_calls *c = (struct nl_calls *)l;
	(void)text, (void)n;
	if (!f || is == NL_LINE_DUP || f->policy.n != strlen(c->name) || memcmp(f->policy.s, c->name, f->policy.n)
	    || f->kind.n != strlen(c->kind) || memcmp(f->kind.s, c->kind, f->kind.n))
		return;
	struct nl_going *g = going(c, f->span);
	switch (f->told) {
	case NL_TOLD_TIMEOUT:
		g->limit_us = nl_fact_us(f, "limit_s", -1);
		break;
	case NL_TOLD_ATTEMPT:
		g->torn |= nl_fact_int(f, "attempt", 0) != g->attempt + 1;
		g->attempt++;
		if (!g->torn && g->attempt == (int64_t)c->attempts)
			g->until_us = g->us + f->dur_us;
		g->us += f->dur_us + (f->delay_us > 0 ? f->delay_us : 0);
		break;
	case NL_TOLD_EXHAUSTED: {
		char why[24];
		g->by_max = nl_fact_str(f, "reason", why, sizeof why) && !strcmp(why, "max_attempts");
		break;
	}
	case NL_TOLD_SUCCESS: case NL_TOLD_FAILURE:
		c->calls++;
		(c->attempts || c->endless ? retry_ended : timeout_ended)(c, f, g);
		g->span = 0;
		break;
	default:
		break;
	}
}

int nl_calls_set(struct nl_calls *c, const char *kind, const char *name, const char *set, struct nl_err *err)
{
	struct nl_err why = { "" };
	nl_time limit = 0;
	c->base.line = calls_line;
	snprintf(c->kind, sizeof c->kind, "%s", kind);
	snprintf(c->name, sizeof c->name, "%s", name);
	if (!strcmp(kind, "retry") && !strncmp(set, "attempts=", 9)) {
		if (nl_parse_count(set + 9, &c->attempts, &why) < 0)
			return nl_fail(err, "replay: %s/%.64s.attempts: %.120s", kind, name, why.msg);
		c->endless = !c->attempts;
		return 0;
	}
	if (strcmp(kind, "timeout") || strncmp(set, "limit=", 6))
		return nl_fail(err, "replay: %s/%.64s.%.40s: of timeouts the limit can be replayed, of retries the attempts", kind, name, set);
	if (nl_parse_time(set + 6, &limit, &why) < 0)
		return nl_fail(err, "replay: %s/%.64s.limit: %.120s", kind, name, why.msg);
	c->limit_us = limit && limit != NL_NEVER ? limit / NL_US : INT64_MAX / 4;
	return 0;
}

static struct nl_figure figure(const char *name, double was, double low, double high)
{
	return (struct nl_figure){ name, was, low, high };
}

int nl_replay_calls(const struct nl_calls *c, struct nl_figure f[NL_FIGURES])
{
	double calls = (double)c->calls, ok = (double)c->ok, unknown = (double)c->unknown, cut = (double)c->cut;
	double good = ok - cut;
	unsigned k = 0;
	f[k++] = figure("calls", calls, calls, calls);
	f[k++] = figure("successes", ok, good, good + unknown);
	f[k++] = figure("successes_cut", -1, cut, cut);
	if (c->attempts || c->endless) {
		double made = (double)c->made - (double)c->saved;
		f[k++] = figure("attempts", (double)c->made, made + unknown, made + (double)c->more);
		f[k++] = figure("recovered", (double)c->recovered, (double)c->recovered - cut, (double)c->recovered - cut + unknown);
		if (!c->unknown)
			f[k++] = figure("seconds_more", -1, (double)c->low_us / 1e6, (double)c->high_us / 1e6);
	} else {
		double still = (double)c->still + cut;
		f[k++] = figure("timeouts", (double)c->timeouts, still, still + unknown);
		f[k++] = figure("seconds_more", -1, (double)c->low_us / 1e6, (double)c->high_us / 1e6);
	}
	f[k++] = figure("unknown", -1, unknown, unknown);
	return (int)k;
}
