/* SPDX-License-Identifier: Apache-2.0 */
/*
 * factattr.c - attributes that few ask for: looked up in the line, each time.
 */
#include "observe/factkey.h"

#include "json.h"

#include <string.h>

struct attr { struct nl_json_tok tok; const char *line; };

/* The line is that of a fact, so it parses. */
static bool find(const struct nl_fact *f, const char *key, struct attr *a)
{
	struct nl_json_tok tok[NL_FACT_MAX / 2 + 1];
	int v = nl_json_parse(f->line.s, f->line.n, tok, sizeof tok / sizeof *tok, NULL) < 0 ? -1 : nl_json_get(f->line.s, tok, 0, key);
	if (v < 0)
		return false;
	*a = (struct attr){ tok[v], f->line.s };
	return true;
}

struct nl_quote nl_fact_attr(const struct nl_fact *f, const char *key)
{
	struct attr a;
	if (!find(f, key, &a))
		return (struct nl_quote){ NULL, 0 };
	unsigned quote = a.tok.type == NL_JSON_STRING;
	return (struct nl_quote){ a.line + a.tok.start - quote, a.tok.end - a.tok.start + 2 * quote };
}

int64_t nl_fact_int(const struct nl_fact *f, const char *key, int64_t absent)
{
	struct attr a;
	int64_t v;
	return find(f, key, &a) && nl_json_integer(a.line, &a.tok, &v) ? v : absent;
}

int64_t nl_fact_us(const struct nl_fact *f, const char *key, int64_t absent)
{
	struct attr a;
	int64_t us = find(f, key, &a) && a.tok.type == NL_JSON_NUMBER ? nl_seconds_read(a.line + a.tok.start, a.tok.end - a.tok.start) : -1;
	return us < 0 ? absent : us;
}

double nl_fact_real(const struct nl_fact *f, const char *key, double absent)
{
	struct attr a;
	double v;
	return find(f, key, &a) && nl_json_number(a.line, &a.tok, &v) ? v : absent;
}

size_t nl_fact_str(const struct nl_fact *f, const char *key, char *buf, size_t size)
{
	char whole[NL_FACT_MAX];
	struct attr a;
	int n = find(f, key, &a) ? nl_json_string(a.line, &a.tok, whole, sizeof whole) : -1;
	size_t len = n < 0 ? 0 : (size_t)n;

	if (size == 0)
		return 0;
	if (len >= size)
		for (len = size - 1; len > 0 && (whole[len] & 0xc0) == 0x80; len--)
			;
	memcpy(buf, whole, len);
	buf[len] = '\0';
	return len;
}
