/* SPDX-License-Identifier: Apache-2.0 */
/*
 * factattr.c - attributes that few ask for: looked up in the line, each time.
 */
#include "observe/factkey.h"

#include "json.h"

#include <string.h>

#define TAIL 160

struct nl_quote nl_quoted(const char *s)
{
	return (struct nl_quote){ s, (unsigned)strlen(s) };
}

struct attr { struct nl_json_tok tok; const char *line; };

/* The line is that of a fact, so it parses. */
static bool find_parsing(const struct nl_fact *f, const char *key, struct attr *a)
{
	struct nl_json_tok tok[NL_FACT_MAX / 2 + 1];
	int v = nl_json_parse(f->line.s, f->line.n, tok, sizeof tok / sizeof *tok, NULL) < 0 ? -1 : nl_json_get(f->line.s, tok, 0, key);
	if (v < 0)
		return false;
	*a = (struct attr){ tok[v], f->line.s };
	return true;
}

/* The value that begins at v, if it ends where it seems to. */
static bool is_plain(const char *v, const char *end, struct nl_json_tok *tok)
{
	bool text = *v == '"';
	const char *from = v + text, *to = from;
	while (to < end && (text ? *to != '"' && *to != '\\' : *to > ' ' && *to != ',' && *to != '}'))
		to++;
	if (to == end || *to == '\\' || *v == '{' || *v == '[' || (!text && *to <= ' '))
		return false;
	tok->type = text ? NL_JSON_STRING : *v == 't' ? NL_JSON_TRUE : *v == 'f' ? NL_JSON_FALSE : *v == 'n' ? NL_JSON_NULL : NL_JSON_NUMBER;
	tok->start = (unsigned)(from - v), tok->end = (unsigned)(to - v);
	return true;
}

/* Most are near the end. */
static const char *look(const struct nl_quote *line, const char *text, size_t n)
{
	unsigned from = line->n > TAIL ? line->n - TAIL : 0;
	const char *p = memmem(line->s + from, line->n - from, text, n);
	return p || from == 0 ? p : memmem(line->s, line->n, text, n);
}

/*
 * Finds it without reading the rest, as our own tools write it.  A quote that is
 * in a text has a backslash before it, so "key" is a text of its own, and a key
 * of the event where a colon follows and no bracket is before it.
 */
static bool find(const struct nl_fact *f, const char *key, struct attr *a)
{
	char quoted[48] = "\"";
	size_t n = strlen(key) + 2;
	const char *line = f->line.s, *end = line + f->line.n, *p;
	if (n >= sizeof quoted)
		return find_parsing(f, key, a);
	memcpy(quoted + 1, key, n - 2);
	quoted[n - 1] = '"';
	p = look(&f->line, quoted, n);
	if (!p && !memchr(line, '\\', f->line.n))
		return false;
	if (!p || p[n] != ':' || memchr(line + 1, '{', (size_t)(p - line - 1)) || !is_plain(p + n + 1, end, &a->tok))
		return find_parsing(f, key, a);
	unsigned at = (unsigned)(p + n + 1 - line);
	a->tok.start += at, a->tok.end += at;
	a->line = line;
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
