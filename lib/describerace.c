/* SPDX-License-Identifier: Apache-2.0 */
/*
 * describerace.c - a race's record: how long its first arm usually takes.
 */
#include "describe.h"

#include "pace.h"

#include <stdio.h>
#include <string.h>

static bool race_setting(const struct nl_record *rec, const char *key, struct nl_setting *s)
{
	const struct nl_pace *p = (const struct nl_pace *)rec->body;
	if (strcmp(key, "delay") || !p->ppm)
		return false;
	snprintf(s->text, sizeof s->text, "p%.7g", p->ppm / 10000.0);
	s->given = true;
	return true;
}

static void put_race(struct nl_out *o, struct nl_state *s, const struct nl_record *rec, enum nl_detail detail)
{
	const struct nl_pace *p = (const struct nl_pace *)rec->body;
	char word[48];
	(void)s, (void)detail;                  // It is short.
	if (!p->measured && !p->ppm)
		return;
	nl_out_uint(o, "samples", nl_pace_count(p));
	if (nl_pace_count(p)) {
		nl_out_secs(o, "p50_s", nl_pace_quantile(p, 500000));
		nl_out_secs(o, "p95_s", nl_pace_quantile(p, 950000));
		nl_out_secs(o, "p99_s", nl_pace_quantile(p, 990000));
	}
	snprintf(word, sizeof word, "p%.7g", p->ppm / 10000.0);
	nl_out_str(o, "quantile", word);
	nl_out_uint(o, "measured", p->measured);
	nl_out_uint(o, "hedged", p->hedged);
	nl_out_uint(o, "rescued", p->rescued);
}

const struct nl_describer nl_describe_race = { .kind = &nl_kind_race, .put = put_race, .setting = race_setting };
