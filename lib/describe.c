/* SPDX-License-Identifier: Apache-2.0 */
/*
 * describe.c - what every record has, as JSON: whose it is, its counters, and
 * each value with where it comes from.
 */
#include "describe.h"

#include "json.h"
#include "opt.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

const char *nl_span_word(nl_time t, char buf[48])
{
	if (t == NL_NEVER)
		return memcpy(buf, "inf", 4);
	int n = snprintf(buf, 48, "%lld.%09lld", (long long)(t / NL_SEC), (long long)(t % NL_SEC));
	while (buf[n - 1] == '0')
		n--;
	n -= buf[n - 1] == '.';
	buf[n] = 's', buf[n + 1] = '\0';
	return buf;
}

const char *nl_percent_word(uint32_t ppm, char buf[48])
{
	int n = snprintf(buf, 48, "%u.%04u", ppm / 10000, ppm % 10000);
	while (buf[n - 1] == '0')
		n--;
	n -= buf[n - 1] == '.';
	buf[n] = '%', buf[n + 1] = '\0';
	return buf;
}

nl_time nl_real_of(struct nl_run *run, nl_time boot)
{
	return run->os->clock(CLOCK_REALTIME) - (nl_boottime(run) - boot);
}

void nl_out_since(struct nl_out *o, struct nl_run *run, nl_time boot)
{
	nl_time now = nl_boottime(run);
	nl_out_time(o, "since", nl_real_of(run, boot));
	nl_out_secs(o, "for_s", now > boot ? now - boot : 0);
}

const char *nl_user_name(uint32_t uid, char buf[48])
{
	const struct passwd *pw = getpwuid(uid);
	if (pw && pw->pw_name)
		snprintf(buf, 48, "%.40s", pw->pw_name);
	else
		snprintf(buf, 48, "uid:%u", uid);
	return buf;
}

static const struct nl_describer *const describers[] = { &nl_describe_breaker, &nl_describe_bulkhead, &nl_describe_budget, &nl_describe_race, NULL };

static const struct nl_describer *describer_of(const struct nl_kind *kind)
{
	size_t i = 0;
	while (describers[i] && describers[i]->kind != kind)
		i++;
	return describers[i];
}

static bool setting_of(const struct nl_kind *kind, const struct nl_record *rec, const char *key, struct nl_setting *s)
{
	const struct nl_describer *d = describer_of(kind);
	return d && d->setting && d->setting(rec, key, s);
}

/* A value and where it comes from: live, flag or default; what a live one hides is `else`. */
static void put_setting(struct nl_out *o, const struct nl_kind *kind, const struct nl_record *rec, const char *key)
{
	const struct nl_live *live = nl_live_find(rec, key);
	const struct nl_opt *row = nl_live_option(kind->layer, key);
	struct nl_setting s;
	char by[24], user[48];
	bool known = setting_of(kind, rec, key, &s);
	nl_out_str(o, "key", key);
	if (live) {
		nl_out_strn(o, "value", live->value, sizeof live->value);
		nl_out_str(o, "from", "live");
		snprintf(by, sizeof by, "uid:%u", live->uid);
		nl_out_str(o, "by", by);
		nl_out_str(o, "user", nl_user_name(live->uid, user));
		nl_out_time(o, "at", live->real_ns);
		if (known && strcmp(s.text, live->value))
			nl_out_str(o, "else", s.text);
		return;
	}
	if (known)
		nl_out_str(o, "value", s.text);
	else
		nl_out_str(o, "value", row && row->def ? row->def : "");
	nl_out_str(o, "from", known && s.given ? "flag" : "default");
}

static void put_values(struct nl_out *o, const struct nl_kind *kind, const struct nl_record *rec)
{
	struct nl_setting s;
	nl_out_begin(o, "values", '[');
	for (const struct nl_opt *row = NULL; kind->layer && (row = nl_opt_next(kind->layer, row)); ) {
		if (!nl_opt_is_live(row) || (!nl_live_find(rec, row->name) && !setting_of(kind, rec, row->name, &s)))
			continue;
		nl_out_begin(o, NULL, '{');
		put_setting(o, kind, rec, row->name);
		nl_out_end(o, '}');
	}
	nl_out_end(o, ']');
}

static void put_kind(struct nl_out *o, struct nl_state *s, const struct nl_record *rec, enum nl_detail detail)
{
	const struct nl_describer *d = describer_of(s->kind);
	if (d)
		d->put(o, s, rec, detail);
}

void nl_describe(struct nl_out *o, struct nl_state *s, struct nl_record *rec, enum nl_detail detail)
{
	char policy[NL_NAME_MAX + 20];
	snprintf(policy, sizeof policy, "%s/%s", s->kind->name, s->name);
	nl_out_str(o, "policy", policy);
	nl_out_str(o, "kind", s->kind->name);
	nl_out_uint(o, "epoch", rec->head.epoch);
	nl_out_uint(o, "gen", rec->head.cfg);
	put_kind(o, s, rec, detail);
	if (detail == NL_FULL || !s->kind->check)       // A record that has nothing else is its values.
		put_values(o, s->kind, rec);
}

/* What can be asked for beside the values. */
static bool put_fact(struct nl_out *o, struct nl_state *s, const struct nl_record *rec, const char *key)
{
	struct nl_out all;
	struct nl_json_tok tok[512];
	bool found = false;
	nl_out_init(&all, 1 << 20);
	nl_out_begin(&all, NULL, '{');
	nl_out_uint(&all, "epoch", rec->head.epoch);
	nl_out_uint(&all, "gen", rec->head.cfg);
	put_kind(&all, s, rec, NL_BRIEF);
	nl_out_end(&all, '}');
	int at = !all.lost && nl_json_parse(all.buf, all.n, tok, 512, NULL) > 0 ? nl_json_get(all.buf, tok, 0, key) : -1;
	if (at >= 0 && tok[at].type != NL_JSON_OBJECT && tok[at].type != NL_JSON_ARRAY) {
		found = true;
		nl_out_begin(o, "value", '{');
		nl_out_str(o, "key", key);
		nl_out_strn(o, "value", all.buf + tok[at].start, tok[at].end - tok[at].start);
		nl_out_str(o, "from", "state");
		nl_out_end(o, '}');
	}
	nl_out_free(&all);
	return found;
}

bool nl_describe_key(struct nl_out *o, struct nl_state *s, const struct nl_record *rec, const char *key)
{
	if (!nl_live_option(s->kind->layer, key))
		return put_fact(o, s, rec, key);
	nl_out_begin(o, "value", '{');
	put_setting(o, s->kind, rec, key);
	nl_out_uint(o, "gen", rec->head.cfg);
	nl_out_end(o, '}');
	return true;
}
