/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fact_fuzz.c - libFuzzer target: lines of an event log are read the same by
 * nl_fact_read, by shapes, and by shapes without SSE2.
 *
 * Each line is read twice, so that the second time its shape is known; the lines
 * before it have taught theirs.  What is behind a line is the input's, once at
 * its exact end.
 *
 * make fuzz FUZZ_TIME=SECONDS
 */
#include "twin.h"

// NOLINTNEXTLINE(bugprone-suspicious-include)
#include "twin.c"

#include <stdlib.h>

#define MUST(x) do { if (!(x)) abort(); } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char room[3][NL_FACT_MAX];

static void attributes(const struct nl_fact *f)
{
	static const char *const key[] = { "errs", "from", "exit", "dur_s", "a" };
	char buf[16];
	MUST(f->line.n < NL_FACT_MAX && f->line.n > 0 && f->line.s[0] == '{' && f->line.s[f->line.n - 1] == '}');
	MUST(f->policy.n > 0 && f->policy.n <= 64 && f->kind.n > 0);
	MUST(f->dur_us >= -1 && f->exit >= -1 && f->exit < 256 && f->time_us >= 0 && f->time_us <= NL_TIME_MOST && f->told < NL_TOLDS);
	for (unsigned i = 0; i < sizeof key / sizeof *key; i++) {
		struct nl_quote t = nl_fact_attr(f, key[i]);
		MUST(t.n == 0 || (t.s > f->line.s && t.s + t.n < f->line.s + f->line.n));
		MUST(nl_fact_us(f, key[i], -1) >= -1);
		(void)nl_fact_int(f, key[i], -1);
		(void)nl_fact_real(f, key[i], -1);
		MUST(nl_fact_str(f, key[i], buf, sizeof buf) < sizeof buf);
	}
}

static void check(struct nl_shapes *a, struct nl_shapes *b, const char *text, size_t n)
{
	struct nl_fact f, g, h;
	enum nl_line line = nl_fact_read(&f, text, n, room[0]);
	for (unsigned i = 0; i < 2; i++) {
		MUST(nl_shapes_read(a, &g, text, n, room[1]) == line);
		MUST(twin_read(b, &h, text, n, room[2]) == line);
		MUST(line != NL_LINE_OK || (same_fact(&f, room[0], &g, room[1]) && same_fact(&f, room[0], &h, room[2])));
		const char *at_once = nl_shapes_line(a, &g, text, text + n + 1);
		MUST(twin_line(b, &h, text, text + n + 1) == at_once);
		MUST(!at_once || (line == NL_LINE_OK && at_once == text + n && same_fact(&f, room[0], &g, room[1]) && same_fact(&f, room[0], &h, room[2])));
	}
	if (line == NL_LINE_OK)
		attributes(&f);
}

/* Out of memory of the exact size. */
static void exact(const char *line, size_t n)
{
	char *copy = malloc(n + (n == 0));
	struct nl_fact f;
	MUST(copy);
	memcpy(copy, line, n);
	enum nl_line is = nl_fact_read(&f, copy, n, room[0]);
	free(copy);
	MUST(nl_fact_read(&f, line, n, room[0]) == is);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static char text[1 << 16];
	static struct nl_shapes *a, *b;

	MUST((a = nl_shapes_new()) && (b = twin_new()));
	n = n < sizeof text - NL_SHAPE_PAD - 1 ? n : sizeof text - NL_SHAPE_PAD - 1;
	memcpy(text, data, n);
	text[n] = '\n';
	memset(text + n + 1, '0', NL_SHAPE_PAD);
	for (size_t i = 0, len; i < n; i += len + 1) {
		const char *end = memchr(text + i, '\n', n - i);
		len = end ? (size_t)(end - text) - i : n - i;
		exact(text + i, len);
		check(a, b, text + i, len);
	}
	nl_shapes_free(a);
	twin_free(b);
	return 0;
}
