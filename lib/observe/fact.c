/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fact.c - what a line is: the reference, one rule after the other.
 *
 *  no {"nl": with a digit behind it, nor a wrapped one             NOT_EVENT
 *  the last of these begins the event; its number is 2 or more     NEWER
 *  no closing bracket for it within 4095 bytes                     TOO_LONG, or TORN if the line has no more
 *  from { to } it is not JSON in UTF-8, or not begun by the mark   BAD_JSON
 *  a key twice (of the object itself, compared unescaped)          DUP_KEY
 *  time, event, sev, policy, kind, run, seq or depth is absent     BAD_JSON
 *  a key of the table below with another value than its form's     BAD_JSON
 *  else, whatever is before, behind and under other keys           OK
 *
 * Numbers of the table are never negative and never beyond their maximum, so
 * sums of them are safe for 10^4 lines of the worst and for ever with real ones.
 */
#include "observe/factkey.h"

#include "json.h"

#include <string.h>

#define TOKENS (NL_FACT_MAX / 2 + 1)    /* [0,0,…: a token takes two bytes */
#define KEYS_MAX (NL_FACT_MAX / 5)      /* "a":0, and "":0, */

const char *const nl_line_names[NL_LINES] = {
	[NL_LINE_OK] = "ok", [NL_LINE_NOT_EVENT] = "not_event", [NL_LINE_TORN] = "torn", [NL_LINE_BAD_JSON] = "bad_json",
	[NL_LINE_DUP_KEY] = "dup_key", [NL_LINE_TOO_LONG] = "too_long", [NL_LINE_NEWER] = "newer", [NL_LINE_DUP] = "dup",
	[NL_LINE_LATE] = "late", [NL_LINE_SKEWED] = "skewed",
};

static bool is_digit(char ch)
{
	return ch >= '0' && ch <= '9';
}

const char *nl_mark_last(const char *text, size_t n)
{
	const char *end = text + n;
	for (const char *p; (p = memrchr(text, '{', n)) != NULL; n = (size_t)(p - text))
		if (end - p > 6 && p[1] == '"' && p[2] == 'n' && p[3] == 'l' && p[4] == '"' && p[5] == ':' && is_digit(p[6]))
			return p;
	return NULL;
}

/* Length of the object at s: to the bracket that closes it; 0: there is none. */
static size_t object(const char *s, size_t n)
{
	bool text = false;
	size_t depth = 0;

	for (size_t i = 0; i < n; i++) {
		if (s[i] == '"')
			text = !text;
		else if (text)
			i += s[i] == '\\';
		else if (s[i] == '{' || s[i] == '[')
			depth++;
		else if ((s[i] == '}' || s[i] == ']') && --depth == 0)
			return i + 1;
	}
	return 0;
}

/* A key as it reads unescaped. */
struct name { const char *s; unsigned n, hash; };

static bool same(const struct name *a, const struct name *b)
{
	return a->hash == b->hash && a->n == b->n && memcmp(a->s, b->s, a->n) == 0;
}

/* Finds the values of known keys: value[i] is a token, 0 none.  False: a key is there twice. */
static bool members(const char *s, const struct nl_json_tok *tok, unsigned value[NL_FACT_KEYS])
{
	struct name seen[KEYS_MAX];
	char names[NL_FACT_MAX];
	unsigned used = 0, n = 0;

	names[0] = '\0';
	for (unsigned k = 1; k < tok->next; k = tok[k + 1].next, n++) {
		struct name *name = &seen[n];
		*name = (struct name){ names + used, (unsigned)nl_json_string(s, &tok[k], names + used, sizeof names - used), 0 };
		used += name->n;
		for (unsigned i = 0; i < name->n; i++)
			name->hash = (name->hash ^ (unsigned char)name->s[i]) * 16777619u;
		for (unsigned i = 0; i < n; i++)
			if (same(name, &seen[i]))
				return false;
		for (unsigned i = 0; i < NL_FACT_KEYS; i++)
			if (nl_fact_keys[i].n == name->n && memcmp(nl_fact_keys[i].name, name->s, name->n) == 0)
				value[i] = k + 1;
	}
	return true;
}

static bool values(struct nl_fact *f, const char *s, const struct nl_json_tok *tok, const unsigned value[NL_FACT_KEYS])
{
	for (unsigned i = 0; i < NL_FACT_KEYS; i++) {
		const struct nl_fact_key *key = &nl_fact_keys[i];
		const struct nl_json_tok *v = &tok[value[i]];
		if (value[i] == 0 ? key->must : v->type != (key->form < NL_V_WHOLE ? NL_JSON_STRING : NL_JSON_NUMBER)
		    || !nl_fact_put(f, key, s + v->start, v->end - v->start))
			return false;
	}
	return true;
}

/* s is at a mark. */
static enum nl_line event(struct nl_fact *f, const char *s, size_t n)
{
	struct nl_json_tok tok[TOKENS];
	unsigned value[NL_FACT_KEYS] = { 0 };
	size_t digits = strlen("{\"nl\":"), len;

	for (len = digits; len < n && is_digit(s[len]); len++)
		;
	if (len < n && s[digits] != '0' && (s[digits] != '1' || len > digits + 1))
		return NL_LINE_NEWER;
	len = object(s, n < NL_FACT_MAX ? n : NL_FACT_MAX - 1);
	if (len == 0)
		return n < NL_FACT_MAX ? NL_LINE_TORN : NL_LINE_TOO_LONG;
	if (memcmp(s, NL_MARK, strlen(NL_MARK)) != 0 || nl_json_parse(s, len, tok, TOKENS, NULL) < 0)
		return NL_LINE_BAD_JSON;
	if (!members(s, tok, value))
		return NL_LINE_DUP_KEY;
	*f = nl_no_fact;
	f->line = (struct nl_quote){ s, (unsigned)len };
	return values(f, s, tok, value) ? NL_LINE_OK : NL_LINE_BAD_JSON;
}

enum nl_line nl_fact_read(struct nl_fact *f, const char *text, size_t n, char room[NL_FACT_MAX])
{
	const char *mark = nl_mark_last(text, n);
	if (mark)
		return event(f, mark, n - (size_t)(mark - text));
	int len = nl_unwrap(text, n, room);
	return len == 0 ? NL_LINE_NOT_EVENT : len < 0 ? NL_LINE_BAD_JSON : event(f, room, (size_t)len);
}
