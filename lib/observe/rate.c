/* SPDX-License-Identifier: Apache-2.0 */
/* rate.c - one figure of one policy: rate, percentiles, state. */
#include "observe/query.h"

#include "parse.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void begin_object(struct nl_ask *ask, struct nl_out *o, const struct nl_series *s)
{
	nl_out_begin(o, NULL, '{');
	nl_out_str(o, "policy", s->policy);
	nl_out_str(o, "kind", s->kind_text);
	if (ask->window_us)
		nl_out_secs(o, "window_s", ask->window_us * NL_US);
}

static void end_object(struct nl_out *o)
{
	nl_out_end(o, '}');
	nl_out_bytes(o, "\n", 1);
}

static int rate_answer(struct nl_ask *ask, struct nl_out *o, struct nl_err *err)
{
	char text[32];
	const struct nl_series *s = nl_ask_series(ask, ask->arg[0], err);
	if (!s)
		return 1;
	struct nl_counts n = nl_series_counts(s, ask->now_us, ask->window_us);
	double rate = nl_series_rate(s, ask->now_us, ask->window_us);
	nl_number_text(rate, text);
	if (!ask->json) {
		nl_out_put(o, "%s\n", rate < 0 ? "-" : text);
		return 0;
	}
	begin_object(ask, o, s);
	nl_out_uint(o, "requests", n.requests);
	nl_out_uint(o, "failures", n.failures);
	nl_out_raw(o, "rate", rate < 0 ? "null" : text, rate < 0 ? 4 : strlen(text));
	end_object(o);
	return 0;
}

const struct nl_query nl_q_rate = {
	.name = "rate", .args = "POLICY", .about = "failures of all requests of a policy, 0 to 1", .least = 1, .most = 1, .windowed = true,
	.answer = rate_answer,
};

/* "50,99.9": each from 0 to 100. */
#define CUTS 32
struct cuts { unsigned n; struct { double q; char name[16]; } cut[CUTS]; };

static int read_cuts(const char *text, struct cuts *c, struct nl_err *err)
{
	char copy[256], *rest = copy, *word;
	c->n = 0;
	if (strlen(text) >= sizeof copy)
		return nl_fail(err, "pct: too many percentiles");
	memcpy(copy, text, strlen(text) + 1);
	while ((word = strsep(&rest, ","))) {
		struct nl_err why;
		double p;
		const char *number = *word == 'p' ? word + 1 : word;
		if (nl_parse_real(number, &p, &why) < 0 || p > 100 || strlen(number) > 12)
			return nl_fail(err, "pct: '%.40s': no percentile: a number from 0 to 100, as 50,99,99.9", word);
		if (c->n == CUTS)
			return nl_fail(err, "pct: more than %d percentiles", CUTS);
		c->cut[c->n].q = p / 100;
		snprintf(c->cut[c->n++].name, sizeof c->cut[0].name, "p%s", number);
	}
	return 0;
}

static int pct_begin(struct nl_ask *ask, struct nl_intake *in, struct nl_err *err)
{
	struct cuts c;
	(void)in;
	return read_cuts(ask->arg[1], &c, err);
}

static int pct_answer(struct nl_ask *ask, struct nl_out *o, struct nl_err *err)
{
	struct cuts c;
	bool exact = true;
	uint64_t n = 0;
	const struct nl_series *s = nl_ask_series(ask, ask->arg[0], err);
	if (!s || read_cuts(ask->arg[1], &c, err) < 0)
		return s ? -1 : 1;
	if (ask->json)
		begin_object(ask, o, s);
	for (unsigned i = 0; i < c.n; i++) {
		char text[40] = "-", key[24];
		double x = nl_series_quantile(s, c.cut[i].q, ask->now_us, ask->window_us, &n, &exact);
		if (x >= 0)
			snprintf(text, sizeof text, "%.6f", x);
		snprintf(key, sizeof key, "%s_s", c.cut[i].name);
		if (ask->json)
			nl_out_raw(o, key, x < 0 ? "null" : text, x < 0 ? 4 : strlen(text));
		else
			nl_out_put(o, "%s %s\n", c.cut[i].name, text);
	}
	if (ask->json) {
		nl_out_uint(o, "samples", n);
		nl_out_bool(o, "exact", exact);
		end_object(o);
	}
	return 0;
}

const struct nl_query nl_q_pct = {
	.name = "pct", .args = "POLICY P[,P]...", .about = "percentiles of how long its requests took", .least = 2, .most = 2, .windowed = true,
	.begin = pct_begin, .answer = pct_answer,
};

static int state_answer(struct nl_ask *ask, struct nl_out *o, struct nl_err *err)
{
	const struct nl_series *s = nl_ask_series(ask, ask->arg[0], err);
	if (!s)
		return 1;
	if (!ask->json) {
		nl_out_put(o, "%s\n", nl_series_state(s));
		return 0;
	}
	begin_object(ask, o, s);
	nl_out_str(o, "state", nl_series_state(s));
	if (s->nmoves)
		nl_out_time(o, "since", s->move[s->nmoves - 1].time_us * NL_US);
	if (s->max >= 0) {
		nl_out_int(o, "active", s->active);
		nl_out_int(o, "max", s->max);
	}
	if (s->queued >= 0)
		nl_out_int(o, "queued", s->queued);
	end_object(o);
	return 0;
}

const struct nl_query nl_q_state = {
	.name = "state", .args = "POLICY", .about = "a breaker's: closed, open, half_open, forced_open, -", .least = 1, .most = 1,
	.answer = state_answer,
};
