/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_fuzz.c - libFuzzer target: no bytes make lib/json.c break its contract.
 *
 * clang -I../../lib -fsanitize=fuzzer,address,undefined json_fuzz.c ../../lib/json*.c
 * ./a.out -max_len=4096 NEW json           (NEW: a directory for what it finds)
 */
#include "json.h"

#include <stdlib.h>
#include <string.h>

#define MUST(x) do { if (!(x)) abort(); } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char *text;
static const struct nl_json_tok *tok;
static char *buf;
static size_t room;

static void check_string(unsigned i)
{
	int len = nl_json_string(text, &tok[i], buf, room);
	MUST(len >= 0 && (unsigned)len <= tok[i].end - tok[i].start && buf[len] == '\0');
	MUST(nl_json_string(text, &tok[i], buf, (size_t)len + 1) == len);
	MUST(nl_json_string(text, &tok[i], buf, (size_t)len) == -1);
	MUST(text[tok[i].start - 1] == '"' && text[tok[i].end] == '"');
}

/* One value and all inside it; returns the token behind. */
static unsigned check(unsigned i, unsigned count, unsigned end)
{
	const struct nl_json_tok *t = &tok[i];
	unsigned k = i + 1, members = 0, at = t->start;
	double d;
	int64_t whole;

	MUST(i < count && t->start <= t->end && t->end <= end && t->next > i && t->next <= count);
	MUST(nl_json_number(text, t, &d) == (t->type == NL_JSON_NUMBER));
	if (nl_json_integer(text, t, &whole))
		MUST(t->type == NL_JSON_NUMBER && (double)whole == d);
	if (t->type == NL_JSON_STRING)
		check_string(i);
	if (t->type < NL_JSON_ARRAY) {
		MUST(t->size == 0 && t->next == i + 1);
		MUST(nl_json_get(text, tok, (int)i, "") == -1);
		return t->next;
	}
	for (; k < t->next; members++) {
		MUST(tok[k].start >= at);
		if (t->type == NL_JSON_OBJECT) {
			MUST(tok[k].type == NL_JSON_STRING);
			int len = nl_json_string(text, &tok[k], buf, room);
			int got = nl_json_get(text, tok, (int)i, buf);
			MUST(len < 0 || got == -1 || (unsigned)got < t->next);
			k = check(k, count, t->end);
		}
		at = tok[k].end;
		k = check(k, count, t->end);
	}
	MUST(k == t->next && members == t->size);
	return k;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	unsigned max = (unsigned)n + 1;
	struct nl_json_tok *mine = malloc(max * sizeof *mine);
	size_t at = n + 1, again = n + 1;

	text = (const char *)data;
	tok = mine;
	room = n + 1;
	buf = malloc(room);
	MUST(mine && buf);
	int r = nl_json_parse(text, n, mine, max, &at);
	if (r > 0) {
		unsigned count = (unsigned)r;
		MUST(at == n + 1 && check(0, count, max) == count);

		/* Exactly enough tokens are enough, one fewer is not. */
		struct nl_json_tok *exact = malloc(count * sizeof *exact);
		MUST(exact);
		MUST(nl_json_parse(text, n, exact, count, NULL) == r);
		MUST(memcmp(exact, mine, count * sizeof *exact) == 0);
		MUST(nl_json_parse(text, n, exact, count - 1, &at) == -2 && at < n);
		free(exact);
	} else {
		MUST((r == -1 || r == -3) && at <= n);
		/* Up to the fault nothing was wrong: it is the first one. */
		int front = nl_json_parse(text, at, mine, max, &again);
		MUST(front > 0 || (front == -1 && again == at));
	}
	free(mine);
	free(buf);
	return 0;
}
