/* SPDX-License-Identifier: Apache-2.0 */
/* condition.c - see condition.h. */
#include "observe/condition.h"

#include "parse.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char *const signs[] = { [NL_LESS] = "<", [NL_AT_MOST] = "<=", [NL_MORE] = ">", [NL_AT_LEAST] = ">=", [NL_EQUAL] = "==", [NL_UNEQUAL] = "!=" };

const char *nl_than_text(enum nl_than than)
{
	return signs[than];
}

struct reader { const char *text, *at; struct nl_err *err; };

static int wrong(struct reader *r, const char *what)
{
	return nl_fail(r->err, "'%.80s': column %u: %s", r->text, (unsigned)(r->at - r->text) + 1, what);
}

static void skip(struct reader *r)
{
	while (*r->at == ' ' || *r->at == '\t' || *r->at == '\n')
		r->at++;
}

/* What is up to one of `ends`, without blanks around it. */
static int take(struct reader *r, const char *ends, char *buf, size_t size, const char *what)
{
	skip(r);
	size_t n = strcspn(r->at, ends), len = n;
	while (len && isspace((unsigned char)r->at[len - 1]))
		len--;
	if (len == 0 || len >= size)
		return wrong(r, what);
	memcpy(buf, r->at, len);
	buf[len] = '\0';
	r->at += n;
	return 0;
}

static int take_args(struct reader *r, struct nl_condition *c)
{
	if (*r->at != '(')
		return 0;
	do {
		r->at++;
		if (c->args == 2)
			return wrong(r, "at most two words in the brackets: POLICY, WINDOW");
		if (take(r, ",()", c->arg[c->args], sizeof c->arg[0], "a word is missing or too long") < 0)
			return -1;
		c->args++;
	} while (*r->at == ',');
	if (*r->at != ')')
		return wrong(r, "')' is missing");
	r->at++;
	return 0;
}

static int take_sign(struct reader *r, struct nl_condition *c)
{
	skip(r);
	static const enum nl_than order[] = { NL_AT_MOST, NL_AT_LEAST, NL_EQUAL, NL_UNEQUAL, NL_LESS, NL_MORE };
	for (unsigned i = 0; i < 6; i++) {
		size_t n = strlen(signs[order[i]]);
		if (!strncmp(r->at, signs[order[i]], n)) {
			c->than = order[i], r->at += n;
			return 0;
		}
	}
	return wrong(r, "one of < <= > >= == != is wanted");
}

static int take_value(struct reader *r, struct nl_condition *c)
{
	struct nl_err why;
	nl_time t;
	char value[24] = "";
	skip(r);
	const char *begins = r->at;
	if (take(r, ";", value, sizeof value, "a value is wanted: 0.2, 20%, 2s, closed") < 0)
		return -1;
	size_t n = strlen(value);
	bool percent = n > 1 && value[n - 1] == '%';
	if (percent)
		value[n - 1] = '\0';
	if (nl_parse_real(value, &c->want, &why) == 0) {
		c->want /= percent ? 100 : 1;
	} else if (isalpha((unsigned char)value[0]) && !percent) {
		if (c->than != NL_EQUAL && c->than != NL_UNEQUAL)
			return r->at = begins, wrong(r, "a word is compared by == or !=");
		memcpy(c->word, value, sizeof c->word);
	} else if (!percent && nl_parse_time(value, &t, &why) == 0) {
		c->want = (double)t / 1e9;
	} else {
		r->at = begins;
		return wrong(r, "no number, percentage, duration or word");
	}
	return 0;
}

static int take_condition(struct reader *r, struct nl_condition *c)
{
	*c = (struct nl_condition){ .than = NL_EQUAL };
	skip(r);
	if (!strncmp(r->at, "warn", 4) && (r->at[4] == ' ' || r->at[4] == ':'))
		c->warn = true, r->at += 5;
	skip(r);
	const char *begins = r->at;
	if (take(r, "(<>=!;", c->metric, sizeof c->metric, "a metric is wanted: rate(POLICY,5m), p99(POLICY), lost") < 0)
		return -1;
	if (take_args(r, c) < 0 || take_sign(r, c) < 0 || take_value(r, c) < 0)
		return -1;
	size_t n = (size_t)(r->at - begins);
	while (n && isspace((unsigned char)begins[n - 1]))
		n--;
	snprintf(c->text, sizeof c->text, "%.*s", (int)n, begins);
	return 0;
}

int nl_conditions_read(const char *text, struct nl_condition c[NL_CONDITIONS], struct nl_err *err)
{
	struct reader r = { text, text, err };
	int n = 0;
	do {
		if (n == NL_CONDITIONS)
			return wrong(&r, "too many conditions");
		if (take_condition(&r, &c[n++]) < 0)
			return -1;
		r.at += *r.at == ';';
		skip(&r);
	} while (*r.at);
	return n;
}

bool nl_condition_holds(const struct nl_condition *c, double is)
{
	switch (c->than) {
	case NL_LESS: return is < c->want;
	case NL_AT_MOST: return is <= c->want;
	case NL_MORE: return is > c->want;
	case NL_AT_LEAST: return is >= c->want;
	case NL_EQUAL: return is <= c->want && is >= c->want;
	case NL_UNEQUAL: return is < c->want || is > c->want;
	}
	return false;
}

bool nl_condition_is(const struct nl_condition *c, const char *word)
{
	return !strcmp(c->word, word) == (c->than == NL_EQUAL);
}
