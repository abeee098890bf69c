/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonck - says which documents on stdin are JSON, and what they hold.
 *
 * jsonck       a document a line
 * jsonck -l    each document behind a line with its length in bytes
 *
 * Answers a line per document: "n", "d" (nested too deep), or "y SUMMARY",
 * 8 hex digits over all values, which json_diff.js computes from JSON.parse.
 * Exits 96 when lib/json.c contradicts itself.
 */
#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text;
static struct nl_json_tok *tok;
static char *buf[2];            /* hold any string of the document, as UTF-8 and as UTF-16 */

static void die(const char *what)
{
	fprintf(stderr, "jsonck: %s\n", what);
	exit(96);
}

static uint32_t hash(uint32_t h, const void *data, size_t n)
{
	for (const unsigned char *p = data; n > 0; n--, p++)
		h = (h ^ *p) * 16777619u;
	return h;
}

static uint32_t begin(char kind)
{
	return hash(2166136261u, &kind, 1);
}

static const char *string(unsigned i, size_t *n)
{
	int len = nl_json_string(text, &tok[i], buf[0], tok[i].end - tok[i].start + 1);
	if (len < 0)
		die("a string does not fit its own length");
	*n = (size_t)len;
	return buf[0];
}

/* A string as UTF-16, with lone surrogates: keys that differ in these differ. */
static size_t units(const struct nl_json_tok *t, uint16_t *out)
{
	size_t n = 0;
	for (const unsigned char *p = (const void *)(text + t->start), *e = (const void *)(text + t->end); p < e; ) {
		unsigned u, len = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : *p >= 0xc0 ? 2 : 1;
		if (*p == '\\' && p[1] == 'u') {
			char hex[5] = { (char)p[2], (char)p[3], (char)p[4], (char)p[5], '\0' };
			u = (unsigned)strtoul(hex, NULL, 16);
			len = 6;
		} else if (*p == '\\') {
			const char *from = "b\bf\fn\nr\rt\t", *s = strchr(from, p[1]);
			u = s ? (unsigned char)s[1] : p[1];
			len = 2;
		} else {
			u = len == 1 ? *p : *p & (0x7fu >> len);
			for (unsigned k = 1; k < len; k++)
				u = u << 6 | (p[k] & 63);
		}
		if (u > 0xffff) {
			out[n++] = (uint16_t)(0xd7c0 + (u >> 10));
			u = 0xdc00 | (u & 0x3ff);
		}
		out[n++] = (uint16_t)u;
		p += len;
	}
	return n;
}

/* The member that hides this one: the last with the same key. */
static unsigned last_of(unsigned obj, unsigned key)
{
	uint16_t *mine = (void *)buf[0], *other = (void *)buf[1];
	size_t n = units(&tok[key], mine);
	unsigned last = key;

	for (unsigned k = key; k < tok[obj].next; k = tok[k + 1].next)
		if (units(&tok[k], other) == n && memcmp(mine, other, n * sizeof *mine) == 0)
			last = k;

	/* nl_json_get must say so too, where a C string can ask. */
	bool lone = false;
	for (size_t k = 0; k < n; k++) {
		if (mine[k] >= 0xd800 && mine[k] < 0xdc00 && k + 1 < n && mine[k + 1] >= 0xdc00 && mine[k + 1] < 0xe000)
			k++;
		else if (mine[k] >= 0xd800 && mine[k] < 0xe000)
			lone = true;
	}
	size_t len;
	const char *name = string(key, &len);
	int got = nl_json_get(text, tok, (int)obj, name);
	if (!lone && strlen(name) == len && got != (int)last + 1)
		die("nl_json_get misses a key");
	if (lone && got == (int)last + 1)
		die("nl_json_get takes a lone surrogate for a character");
	return last;
}

static uint32_t number(unsigned i)
{
	double d;
	int64_t whole;
	if (!nl_json_number(text, &tok[i], &d))
		die("a number is none");
	if (nl_json_integer(text, &tok[i], &whole) && (double)whole != d)
		die("an integer is another number");
	return hash(begin('d'), &d, sizeof d);
}

static uint32_t summary(unsigned i)
{
	uint32_t h, sum = 0;
	size_t n;

	switch (tok[i].type) {
	case NL_JSON_NULL: return begin('n');
	case NL_JSON_FALSE: return begin('f');
	case NL_JSON_TRUE: return begin('t');
	case NL_JSON_NUMBER: return number(i);
	case NL_JSON_STRING: {
		const char *s = string(i, &n);
		return hash(begin('s'), s, n);
	}
	case NL_JSON_ARRAY:
		h = begin('a');
		for (unsigned k = i + 1; k < tok[i].next; k = tok[k].next) {
			uint32_t value = summary(k);
			h = hash(h, &value, sizeof value);
		}
		return h;
	case NL_JSON_OBJECT:
		/* A sum, because JSON.parse puts keys that look like numbers first. */
		for (unsigned k = i + 1; k < tok[i].next; k = tok[k + 1].next) {
			if (last_of(i, k) != k)
				continue;
			uint32_t pair[2] = { summary(k), summary(k + 1) };
			sum += hash(begin('p'), pair, sizeof pair);
		}
		return hash(begin('o'), &sum, sizeof sum);
	}
	die("a token without a type");
	return 0;
}

static void judge(const char *doc, size_t n)
{
	size_t at = n + 1;
	unsigned max = (unsigned)n + 1;

	text = doc;
	tok = malloc(max * sizeof *tok);
	buf[0] = malloc(2 * n + 2);
	buf[1] = malloc(2 * n + 2);
	if (!tok || !buf[0] || !buf[1])
		die("no memory");
	int r = nl_json_parse(doc, n, tok, max, &at);
	if (r > 0)
		printf("y %08x\n", (unsigned)summary(0));
	else if (r == 0 || r == -2 || at > n)
		die("a failure without a place");
	else
		puts(r == -3 ? "d" : "n");
	free(tok);
	free(buf[0]);
	free(buf[1]);
}

/* The document gets memory of its exact size, for the sanitizers to guard. */
static void judge_copy(const char *doc, size_t n)
{
	char *copy = malloc(n > 0 ? n : 1);
	if (!copy)
		die("no memory");
	memcpy(copy, doc, n);
	judge(copy, n);
	free(copy);
}

int main(int argc, char **argv)
{
	bool framed = argc == 2 && strcmp(argv[1], "-l") == 0;
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	if (argc > 1 && !framed) {
		fputs("usage: jsonck [-l]\n", stderr);
		return 2;
	}
	while ((n = getline(&line, &size, stdin)) > 0) {
		if (!framed) {
			judge_copy(line, (size_t)n - (line[n - 1] == '\n'));
			continue;
		}
		size_t len = strtoul(line, NULL, 10);
		char *doc = malloc(len + 1);
		if (!doc || fread(doc, 1, len, stdin) != len || getchar() != '\n')
			die("a document is cut short");
		judge_copy(doc, len);
		free(doc);
	}
	free(line);
	return 0;
}
