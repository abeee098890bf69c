/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.c - strict JSON over jsmn: text into tokens.
 *
 * jsmn finds tokens and lets much pass that is not JSON.  So a scanner of ours
 * judges the text first, in one pass without recursion, and jsmn sees valid
 * documents only.  That keeps jsmn linear too: its closing brackets walk up the
 * parents, and the scanner has bounded the depth.
 */
#include "json.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

#define JSMN_STRICT
#define JSMN_PARENT_LINKS
#define JSMN_STATIC
#include <jsmn.h>

#define DEPTH_MAX 512

enum { NOT_JSON = -1, TOO_MANY = -2, TOO_DEEP = -3 };

/* jsmn works in the caller's tokens; they are converted where they lie. */
static_assert(sizeof(struct nl_json_tok) == sizeof(jsmntok_t), "jsmn's token fits ours");
static_assert(_Alignof(struct nl_json_tok) == _Alignof(jsmntok_t), "and lies where ours lies");

/* A place in the text.  When a function below fails, i is the fault. */
struct scan { const char *s; size_t n, i; };

/* The byte at the place; -1 at the end, which no JSON text contains. */
static int peek(const struct scan *c)
{
	return c->i < c->n ? (unsigned char)c->s[c->i] : -1;
}

static bool is_digit(int ch)
{
	return ch >= '0' && ch <= '9';
}

static bool is_hex(int ch)
{
	return is_digit(ch) || (ch >= 'a' && ch <= 'f') || (ch >= 'A' && ch <= 'F');
}

static void skip_space(struct scan *c)
{
	while (c->i < c->n && (c->s[c->i] == ' ' || c->s[c->i] == '\n' || c->s[c->i] == '\r' || c->s[c->i] == '\t'))
		c->i++;
}

/* One character beyond ASCII: shortest form, no surrogate, up to U+10FFFF. */
static bool scan_utf8(struct scan *c)
{
	const unsigned char *p = (const unsigned char *)c->s + c->i;
	size_t len = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
	unsigned char low = *p == 0xe0 ? 0xa0 : *p == 0xf0 ? 0x90 : 0x80;
	unsigned char high = *p == 0xed ? 0x9f : *p == 0xf4 ? 0x8f : 0xbf;

	if (*p < 0xc2 || *p > 0xf4 || c->n - c->i < len || p[1] < low || p[1] > high)
		return false;
	for (size_t k = 2; k < len; k++)
		if (p[k] < 0x80 || p[k] > 0xbf)
			return false;
	c->i += len;
	return true;
}

static bool scan_escape(struct scan *c)
{
	c->i++;
	int ch = peek(c);
	if (ch <= 0 || !strchr("\"\\/bfnrtu", ch))
		return false;
	c->i++;
	for (int k = 0; ch == 'u' && k < 4; k++, c->i++)
		if (!is_hex(peek(c)))
			return false;
	return true;
}

static bool scan_string(struct scan *c)
{
	c->i++;
	for (;;) {
		int ch = peek(c);
		if (ch == '"')
			break;
		if (ch < 0x20)
			return false;
		if (ch == '\\') {
			if (!scan_escape(c))
				return false;
		} else if (ch < 0x80) {
			c->i++;
		} else if (!scan_utf8(c)) {
			return false;
		}
	}
	c->i++;
	return true;
}

static bool scan_digits(struct scan *c)
{
	if (!is_digit(peek(c)))
		return false;
	while (is_digit(peek(c)))
		c->i++;
	return true;
}

static bool scan_number(struct scan *c)
{
	if (peek(c) == '-')
		c->i++;
	if (peek(c) == '0')
		c->i++;
	else if (!scan_digits(c))
		return false;
	if (peek(c) == '.') {
		c->i++;
		if (!scan_digits(c))
			return false;
	}
	if (peek(c) == 'e' || peek(c) == 'E') {
		c->i++;
		if (peek(c) == '+' || peek(c) == '-')
			c->i++;
		return scan_digits(c);
	}
	return true;
}

static bool scan_scalar(struct scan *c)
{
	int ch = peek(c);
	const char *word = ch == 't' ? "true" : ch == 'f' ? "false" : ch == 'n' ? "null" : NULL;

	if (ch == '"')
		return scan_string(c);
	if (!word)
		return scan_number(c);
	for (; *word; word++, c->i++)
		if (peek(c) != *word)
			return false;
	return true;
}

static bool scan_key(struct scan *c)
{
	if (peek(c) != '"' || !scan_string(c))
		return false;
	skip_space(c);
	if (peek(c) != ':')
		return false;
	c->i++;
	skip_space(c);
	return true;
}

/* The whole text: 0, NOT_JSON or TOO_DEEP. */
static int scan_document(struct scan *c)
{
	char close[DEPTH_MAX + 1] = { 0 };      /* what ends the array or object of a depth */
	unsigned depth = 0;

	for (;;) {
		/* A value begins here, in an object its key. */
		skip_space(c);
		if (close[depth] == '}' && !scan_key(c))
			return NOT_JSON;
		int ch = peek(c);
		if (ch == '[' || ch == '{') {
			if (depth == DEPTH_MAX)
				return TOO_DEEP;
			close[++depth] = ch == '[' ? ']' : '}';
			c->i++;
			skip_space(c);
			if (peek(c) != close[depth])
				continue;
			c->i++;
			depth--;
		} else if (!scan_scalar(c)) {
			return NOT_JSON;
		}

		/* It has ended; so may what surrounds it. */
		for (skip_space(c); depth > 0 && peek(c) == close[depth]; skip_space(c)) {
			c->i++;
			depth--;
		}
		if (depth == 0)
			return c->i == c->n ? 0 : NOT_JSON;
		if (peek(c) != ',')
			return NOT_JSON;
		c->i++;
	}
}

static enum nl_json_type type_of(jsmntype_t type, char first)
{
	switch (type) {
	case JSMN_OBJECT: return NL_JSON_OBJECT;
	case JSMN_ARRAY: return NL_JSON_ARRAY;
	case JSMN_STRING: return NL_JSON_STRING;
	default: break;
	}
	switch (first) {
	case 't': return NL_JSON_TRUE;
	case 'f': return NL_JSON_FALSE;
	case 'n': return NL_JSON_NULL;
	default: return NL_JSON_NUMBER;
	}
}

/* jsmn's tokens into ours, in place.  memcpy, because one memory holds two
 * types and a compiler may assume that it does not. */
static void convert(const char *text, struct nl_json_tok *tok, unsigned n)
{
	unsigned open[DEPTH_MAX], depth = 0;

	for (unsigned i = 0; i < n; i++) {
		jsmntok_t raw;
		memcpy(&raw, &tok[i], sizeof raw);
		while (depth > 0 && tok[open[depth - 1]].end <= (unsigned)raw.start)
			tok[open[--depth]].next = i;
		struct nl_json_tok mine = {
			.type = type_of(raw.type, text[raw.start]),
			.start = (unsigned)raw.start, .end = (unsigned)raw.end, .next = i + 1,
		};
		if (mine.type >= NL_JSON_ARRAY) {
			mine.size = (unsigned)raw.size;
			open[depth++] = i;
		}
		memcpy(&tok[i], &mine, sizeof mine);
	}
	while (depth > 0)
		tok[open[--depth]].next = n;
}

int nl_json_parse(const char *text, size_t n, struct nl_json_tok *tok, unsigned max, size_t *at)
{
	struct scan c = { .s = text, .n = n };
	int r = n < INT_MAX ? scan_document(&c) : TOO_MANY;
	if (r < 0)
		goto fault;

	c.i = 0;
	skip_space(&c);
	r = TOO_MANY;
	if (max == 0)
		goto fault;
	if (!strchr("[{\"", text[c.i])) {
		/* Strict jsmn wants a delimiter behind a primitive; the root needs none. */
		unsigned start = (unsigned)c.i;
		scan_scalar(&c);
		tok[0] = (struct nl_json_tok){ type_of(JSMN_PRIMITIVE, text[start]), start, (unsigned)c.i, 0, 1 };
		return 1;
	}
	jsmn_parser parser;
	jsmn_init(&parser);
	r = jsmn_parse(&parser, text, n, (jsmntok_t *)(void *)tok, max);
	if (r > 0) {
		convert(text, tok, (unsigned)r);
		return r;
	}
	assert(r == JSMN_ERROR_NOMEM);
	r = TOO_MANY;
	c.i = parser.pos;
fault:
	if (at)
		*at = c.i;
	return r;
}
