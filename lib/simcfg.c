/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simcfg.c - the configurations of --simulate.  One table says whose words mean
 * what, and within which bounds.
 */
#include "simcfg.h"

#include "lease.h"
#include "parse.h"

#include <math.h>
#include <string.h>

#define LEN(a) (sizeof(a) / sizeof *(a))

/* What a cfg is made of, whoever calls it what. */
enum value { WINDOW, MIN, RATE, SLOW, SLOW_MS, OPEN_MS, FACTOR, OPEN_MAX_MS, PROBES, CLOSE_AFTER, FAILURES, INTERVAL_MS,
             BUCKET_MS, LIMIT_A, LIMIT_B, VALUES };

static const struct { enum nl_semantics semantics; bool needed; enum value value; struct nl_sim_number n; } numbers[] = {
	{ NL_SEM_NINELIVES, false, FAILURES, { "failures", 0, UINT32_MAX, true } },
	{ NL_SEM_NINELIVES, false, RATE, { "rate", 1e-4, 100, false } },
	{ NL_SEM_NINELIVES, false, WINDOW, { "window", 1, NL_WINDOW_CALLS, true } },
	{ NL_SEM_NINELIVES, false, MIN, { "min", 1, UINT32_MAX, true } },
	{ NL_SEM_NINELIVES, false, SLOW, { "slow", 1e-4, 100, false } },
	{ NL_SEM_NINELIVES, false, SLOW_MS, { "slow_ms", 0, NL_SIM_MS_MOST, false } },
	{ NL_SEM_NINELIVES, false, OPEN_MS, { "open_ms", 0, NL_SIM_MS_MOST, false } },
	{ NL_SEM_NINELIVES, false, FACTOR, { "factor", 1, 1000, false } },
	{ NL_SEM_NINELIVES, false, OPEN_MAX_MS, { "open_max_ms", 0, NL_SIM_MS_MOST, false } },
	{ NL_SEM_NINELIVES, false, PROBES, { "probes", 1, NL_SLOTS, true } },
	{ NL_SEM_NINELIVES, false, CLOSE_AFTER, { "close_after", 1, UINT32_MAX, true } },
	{ NL_SEM_RESILIENCE4J, true, WINDOW, { "window", 1, NL_WINDOW_CALLS, true } },
	{ NL_SEM_RESILIENCE4J, true, MIN, { "min", 1, UINT32_MAX, true } },
	{ NL_SEM_RESILIENCE4J, true, RATE, { "fail", 1e-4, 100, false } },
	{ NL_SEM_RESILIENCE4J, true, SLOW, { "slow", 1e-4, 100, false } },
	{ NL_SEM_RESILIENCE4J, true, SLOW_MS, { "slow_ms", 0, NL_SIM_MS_MOST, false } },
	{ NL_SEM_RESILIENCE4J, true, PROBES, { "half", 1, NL_SLOTS, true } },
	{ NL_SEM_RESILIENCE4J, true, OPEN_MS, { "wait_ms", 0, NL_SIM_MS_MOST, false } },
	{ NL_SEM_RESILIENCE4J, true, FACTOR, { "wait_mult", 1, 1000, false } },
	{ NL_SEM_GOBREAKER, true, PROBES, { "half", 1, NL_SLOTS, true } },
	{ NL_SEM_GOBREAKER, true, INTERVAL_MS, { "interval_ms", 0, NL_SIM_MS_MOST, false } },
	{ NL_SEM_GOBREAKER, true, BUCKET_MS, { "bucket_ms", 0, NL_SIM_MS_MOST, false } },
	{ NL_SEM_GOBREAKER, true, OPEN_MS, { "timeout_ms", 0, NL_SIM_MS_MOST, false } },
	{ NL_SEM_GOBREAKER, true, LIMIT_A, { "a", 0, UINT32_MAX - 1, true } },
	{ NL_SEM_GOBREAKER, true, LIMIT_B, { "b", 0, 100, false } },
};

struct reader {
	const char *text;
	const struct nl_json_tok *tok;
	int obj;
	const char *key;                /* that says whose words they are */
	nl_time span;                   /* ours: a window of time, or 0 */
	struct nl_circuit_cfg *cfg;
	struct nl_err *err;
};

int nl_sim_number(const char *text, const struct nl_json_tok *t, const struct nl_sim_number *n, double *out, struct nl_err *err)
{
	double x;
	if (!nl_json_number(text, t, &x))
		return nl_fail(err, "%s: not a number", n->name);
	if (!(x >= n->least && x <= n->most))
		return nl_fail(err, "%s: not from %.10g to %.15g", n->name, n->least, n->most);
	if (n->whole && x != floor(x))
		return nl_fail(err, "%s: not a whole number", n->name);
	*out = x;
	return 0;
}

nl_time nl_sim_ms(double x)
{
	return (nl_time)x * NL_MS + (nl_time)((x - floor(x)) * 1e6 + 0.5);      // A double alone has not the digits.
}

static uint32_t ppm(double percent)
{
	return (uint32_t)(percent * 10000 + 0.5);
}

/* A word of a cfg: its index in the list, or -1. */
static int read_word(struct reader *r, const char *key, const char *const *words)
{
	char text[16];
	int at = nl_json_get(r->text, r->tok, r->obj, key);
	if (at < 0 || nl_json_string(r->text, &r->tok[at], text, sizeof text) < 0)
		return -1;
	for (int i = 0; words[i]; i++)
		if (!strcmp(words[i], text))
			return i;
	return -1;
}

static const char *const types[] = { "count", "time", NULL }, *const trips[] = { "consec", "ratio", NULL },
                  *const semantics[] = { "ninelives", NULL };

/* Every member of the cfg into v, -1 where it is absent.  Ours may have a span
 * of time for a window. */
static int read_values(struct reader *r, double v[VALUES])
{
	const struct nl_json_tok *tok = r->tok;
	char key[16], text[64];
	for (unsigned i = 0; i < VALUES; i++)
		v[i] = -1;
	for (unsigned k = (unsigned)r->obj + 1; k < tok[r->obj].next; k = tok[k + 1].next) {
		if (nl_json_string(r->text, &tok[k], key, sizeof key) < 0)
			return nl_fail(r->err, "cfg: unknown member");
		if (!strcmp(key, r->key))
			continue;
		if (r->cfg->semantics == NL_SEM_NINELIVES && !strcmp(key, "window") && nl_json_string(r->text, &tok[k + 1], text, sizeof text) >= 0) {
			struct nl_err why;
			if (nl_parse_time(text, &r->span, &why) || r->span < 1 || r->span > 24 * 3600 * NL_SEC)
				return nl_fail(r->err, "window: no time up to 24 h");
			continue;
		}
		size_t i = 0;
		while (i < LEN(numbers) && (numbers[i].semantics != r->cfg->semantics || strcmp(numbers[i].n.name, key)))
			i++;
		if (i == LEN(numbers))
			return nl_fail(r->err, "cfg: %s: unknown member", key);
		if (nl_sim_number(r->text, &tok[k + 1], &numbers[i].n, &v[numbers[i].value], r->err))
			return -1;
	}
	for (size_t i = 0; i < LEN(numbers); i++)
		if (numbers[i].semantics == r->cfg->semantics && numbers[i].needed && v[numbers[i].value] < 0)
			return nl_fail(r->err, "cfg: %s is missing", numbers[i].n.name);
	return 0;
}

static double given(double x, double absent)
{
	return x < 0 ? absent : x;
}

static int cfg_of_ours(struct reader *r, const double v[VALUES], int word)
{
	nl_time span = r->span;
	(void)word;
	bool rates = v[RATE] >= 0 || v[SLOW] >= 0;
	if ((v[SLOW] >= 0) != (v[SLOW_MS] >= 0))
		return nl_fail(r->err, "cfg: slow and slow_ms go together");
	if (!rates && (span || v[WINDOW] >= 0 || v[MIN] >= 0))
		return nl_fail(r->err, "cfg: window and min are for rate or slow");
	if (v[WINDOW] >= 0 || (rates && !span))
		r->cfg->shape = (struct nl_shape){ NL_WINDOW_COUNT, (uint32_t)given(v[WINDOW], 100), 0 };
	else if (span)
		r->cfg->shape = nl_shape_of_span(span);
	r->cfg->failures = (uint32_t)given(v[FAILURES], rates ? 0 : 5);
	r->cfg->rate_ppm = ppm(given(v[RATE], 0));
	r->cfg->slow_ppm = ppm(given(v[SLOW], 0));
	r->cfg->slow_ns = nl_sim_ms(given(v[SLOW_MS], 0));
	r->cfg->min_calls = (uint32_t)given(v[MIN], 10);
	r->cfg->open_ns = nl_sim_ms(given(v[OPEN_MS], 10000));
	r->cfg->open_max_ns = nl_sim_ms(given(v[OPEN_MAX_MS], 3600000));
	r->cfg->factor_ppm = (uint64_t)(given(v[FACTOR], 1) * 1e6 + 0.5);
	r->cfg->probes = (uint32_t)given(v[PROBES], 1);
	r->cfg->close_after = (uint32_t)given(v[CLOSE_AFTER], 1);
	return 0;
}

static int cfg_of_r4j(struct reader *r, const double v[VALUES], int timed)
{
	if (timed && v[WINDOW] > NL_WINDOW_BUCKETS)
		return nl_fail(r->err, "cfg: window: more than %d seconds", NL_WINDOW_BUCKETS);
	r->cfg->shape = (struct nl_shape){ timed ? NL_WINDOW_TIME : NL_WINDOW_COUNT, (uint32_t)v[WINDOW], timed ? NL_SEC : 0 };
	r->cfg->min_calls = (uint32_t)v[MIN];
	r->cfg->rate_ppm = ppm(v[RATE]);
	r->cfg->slow_ppm = ppm(v[SLOW]);
	r->cfg->slow_ns = nl_sim_ms(v[SLOW_MS]);
	r->cfg->probes = (uint32_t)v[PROBES];
	r->cfg->open_ns = nl_sim_ms(v[OPEN_MS]);
	r->cfg->factor_ppm = (uint64_t)(v[FACTOR] * 1e6 + 0.5);
	return 0;
}

static int cfg_of_gobreaker(struct reader *r, const double v[VALUES], int ratio)
{
	if (v[BUCKET_MS] > 0 && !(v[INTERVAL_MS] > 0 && v[INTERVAL_MS] / v[BUCKET_MS] <= NL_WINDOW_BUCKETS &&
	                          fmod(v[INTERVAL_MS], v[BUCKET_MS]) == 0))
		return nl_fail(r->err, "cfg: interval_ms is not 1 to %d times bucket_ms", NL_WINDOW_BUCKETS);
	if (v[INTERVAL_MS] > 0)
		r->cfg->shape = (struct nl_shape){ NL_WINDOW_TIME, v[BUCKET_MS] > 0 ? (uint32_t)(v[INTERVAL_MS] / v[BUCKET_MS]) : 1,
		                                  nl_sim_ms(v[BUCKET_MS] > 0 ? v[BUCKET_MS] : v[INTERVAL_MS]) };
	if (ratio && v[LIMIT_B] <= 0)
		return nl_fail(r->err, "cfg: b: no percentage");
	if (ratio) {
		r->cfg->min_calls = (uint32_t)v[LIMIT_A];
		r->cfg->rate_ppm = ppm(v[LIMIT_B]);
	} else {
		r->cfg->failures = (uint32_t)v[LIMIT_A] + 1;
	}
	r->cfg->probes = (uint32_t)v[PROBES];
	r->cfg->open_ns = nl_sim_ms(v[OPEN_MS]);
	return 0;
}

int nl_sim_cfg(const char *text, const struct nl_json_tok *tok, int obj, struct nl_circuit_cfg *cfg, struct nl_err *err)
{
	static const struct { const char *key; const char *const *words; int (*read)(struct reader *, const double [VALUES], int); } kinds[] = {
		[NL_SEM_NINELIVES] = { "semantics", semantics, cfg_of_ours },
		[NL_SEM_RESILIENCE4J] = { "type", types, cfg_of_r4j },
		[NL_SEM_GOBREAKER] = { "trip", trips, cfg_of_gobreaker },
	};
	struct reader r = { .text = text, .tok = tok, .obj = obj, .cfg = cfg, .err = err };
	double v[VALUES];
	*cfg = (struct nl_circuit_cfg){ 0 };
	if (obj < 0 || tok[obj].type != NL_JSON_OBJECT)
		return nl_fail(err, "cfg: not an object");
	for (uint32_t i = 0; i < LEN(kinds); i++) {
		int word = read_word(&r, kinds[i].key, kinds[i].words);
		if (word < 0)
			continue;
		cfg->semantics = i;
		r.key = kinds[i].key;
		return read_values(&r, v) ? -1 : kinds[i].read(&r, v, word);
	}
	return nl_fail(err, "cfg: neither \"semantics\":\"ninelives\" nor a known type or trip");
}
