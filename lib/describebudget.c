/* SPDX-License-Identifier: Apache-2.0 */
/*
 * describebudget.c - a retry budget's record: what is left in it.
 */
#include "describe.h"

#include "budget.h"
#include "parse.h"

#include <stdio.h>
#include <string.h>

/* Thousandths as people write them: 8.2. */
static void tokens_word(int64_t t, char buf[48])
{
	int n = snprintf(buf, 48, "%lld.%03lld", (long long)(t / 1000), (long long)(t % 1000));
	while (buf[n - 1] == '0')
		n--;
	n -= buf[n - 1] == '.';
	buf[n] = '\0';
}

/* Its profile's: no line says more than which that is. */
static bool budget_setting(const struct nl_record *rec, const char *key, struct nl_setting *s)
{
	const struct nl_budget *b = (const struct nl_budget *)rec->body;
	struct nl_budget_cfg cfg = nl_budget_profile((enum nl_budget_kind)b->cfg.kind);
	bool finagle = b->cfg.kind == NL_BUDGET_FINAGLE;
	const struct { const char *key; int64_t tokens; bool used; } rows[] = {
		{ "max", cfg.max, !finagle }, { "cost", cfg.cost, true }, { "timeout-cost", cfg.timeout_cost, true },
		{ "throttle-cost", cfg.throttle_cost, true }, { "deposit", cfg.deposit, true },
	};
	s->given = false;
	if (!b->set)
		return false;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (!strcmp(rows[i].key, key))
			return tokens_word(rows[i].tokens, s->text), rows[i].used;
	if (!strcmp(key, "ttl"))
		nl_span_word(cfg.ttl_ns, s->text);
	else
		snprintf(s->text, sizeof s->text, "%lld", (long long)cfg.min_per_s);
	return finagle;
}

static void put_tokens(struct nl_out *o, const char *key, int64_t t)
{
	char text[48];
	tokens_word(t, text);
	nl_out_raw(o, key, text, strlen(text));
}

static void put_budget(struct nl_out *o, struct nl_state *s, const struct nl_record *rec, enum nl_detail detail)
{
	const struct nl_budget *b = (const struct nl_budget *)rec->body;
	const struct nl_live *live = nl_live_find(rec, "max");
	struct nl_err err;
	double max;
	if (!b->set)
		return;
	int64_t left = nl_budget_balance(b, nl_boottime(s->run));
	put_tokens(o, "tokens", left > 0 ? left : 0);
	if (live && nl_parse_real(live->value, &max, &err) == 0 && max < 1e9)
		put_tokens(o, "max", (int64_t)(max * 1000 + 0.5));
	else if (b->cfg.kind != NL_BUDGET_FINAGLE)
		put_tokens(o, "max", nl_budget_profile((enum nl_budget_kind)b->cfg.kind).max);
	nl_out_str(o, "profile", nl_budget_name((enum nl_budget_kind)b->cfg.kind));
	nl_out_uint(o, "spent", b->spent);
	nl_out_uint(o, "refused", b->refused);
	(void)detail;                           // It is short.
}

const struct nl_describer nl_describe_budget = { .kind = &nl_kind_budget, .put = put_budget, .setting = budget_setting };
