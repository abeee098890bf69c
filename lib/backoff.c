/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backoff.c - delays between attempts.  Every sum is bounded before it is made,
 * so no number of attempts and no base can overflow: at worst a delay is
 * NL_BACKOFF_MAX.
 */
#include "backoff.h"

#include "mut.h"
#include "parse.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LEN(a) (sizeof(a) / sizeof *(a))

static const nl_time default_cap = 60 * NL_SEC;

static const char *const kinds[] = {
	[NL_EXPONENTIAL] = "exponential", [NL_CONSTANT] = "constant",
	[NL_LINEAR] = "linear", [NL_FIBONACCI] = "fibonacci",
};

static const char *const jitters[] = {
	[NL_JITTER_FULL] = "full", [NL_JITTER_NONE] = "none", [NL_JITTER_EQUAL] = "equal",
	[NL_JITTER_DECORRELATED] = "decorrelated", [NL_JITTER_FINAGLE] = "finagle",
	[NL_JITTER_POLLY] = "polly",
};

/* The only name that begins with these `len` bytes, or n. */
static size_t pick(const char *const *names, size_t n, const char *text, size_t len)
{
	size_t found = n;

	for (size_t i = 0; i < n && len; i++) {
		if (strncmp(names[i], text, len))
			continue;
		if (found < n)
			return n;
		found = i;
	}
	return found;
}

static int read_delay(const char *what, const char *text, nl_time *out, struct nl_err *err)
{
	struct nl_err why;

	if (nl_parse_time(text, out, &why))
		return nl_fail(err, "%s: %s", what, why.msg);
	if (*out > NL_BACKOFF_MAX)
		return nl_fail(err, "%s: at most 24 h", what);
	return 0;
}

int nl_parse_backoff(const char *text, struct nl_backoff *out, struct nl_err *err)
{
	char base[64];
	size_t len = strcspn(text, ":");
	size_t kind = pick(kinds, LEN(kinds), text, len);
	struct nl_backoff b = { 0 };

	if (kind == LEN(kinds))
		return nl_fail(err, "unknown kind (constant, linear, exponential, fibonacci)");
	if (!text[len])
		return nl_fail(err, "not KIND:BASE[..CAP]");
	text += len + 1;
	const char *cap = strstr(text, "..");
	len = cap ? (size_t)(cap - text) : strlen(text);
	if (len >= sizeof base)
		return nl_fail(err, "BASE: too long");
	memcpy(base, text, len);
	base[len] = '\0';

	b.kind = (enum nl_backoff_kind)kind;
	if (read_delay("BASE", base, &b.base, err))
		return -1;
	b.cap = b.base > default_cap ? b.base : default_cap;
	if (cap && read_delay("CAP", cap + 2, &b.cap, err))
		return -1;
	if (b.cap == 0)
		return nl_fail(err, "CAP: must be greater than zero");
	if (b.cap < b.base)
		return nl_fail(err, "CAP: must not be less than BASE");
	*out = b;
	return 0;
}

int nl_parse_jitter(const char *text, enum nl_jitter *out, struct nl_err *err)
{
	size_t i = pick(jitters, LEN(jitters), text, strlen(text));

	if (i == LEN(jitters))
		return nl_fail(err, "not one of none, full, equal, decorrelated, finagle, polly");
	*out = (enum nl_jitter)i;
	return 0;
}

const char *nl_backoff_name(enum nl_backoff_kind kind)
{
	return kinds[kind];
}

const char *nl_jitter_name(enum nl_jitter jitter)
{
	return jitters[jitter];
}

static nl_time fibonacci(nl_time base, uint64_t n, nl_time limit)
{
	nl_time a = 0, b = base;

	while (b < limit && --n) {
		nl_time sum = a + b;
		a = b;
		b = sum;
	}
	return b;
}

/* Without jitter, at most limit, which is at most NL_BACKOFF_MAX. */
static nl_time delay(const struct nl_backoff *b, uint64_t n, nl_time limit)
{
	nl_time d = b->base;

	if (n == 0 || d <= 0)
		return 0;
	switch (b->kind) {
	case NL_CONSTANT:
		break;
	case NL_LINEAR:
		d = n > (uint64_t)(limit / d) ? limit : d * (nl_time)n;
		break;
	case NL_EXPONENTIAL:
		d = n > 62 || d > limit >> (n - 1) ? limit : d << (n - 1);
		break;
	case NL_FIBONACCI:
		d = fibonacci(d, n, limit);
		break;
	}
	return d < limit ? d : limit;
}

static nl_time capped(const struct nl_backoff *b)
{
	return b->cap < NL_BACKOFF_MAX ? b->cap : NL_BACKOFF_MAX;
}

nl_time nl_backoff_delay(const struct nl_backoff *b, uint64_t n)
{
	return delay(b, n, capped(b));
}

/* Whole nanoseconds of a span that is not negative, at most limit. */
static nl_time span(double d, nl_time limit)
{
	return d < (double)limit || MUTANT(NO_CAP) ? (nl_time)d : limit;
}

/* Smooth: no clusters at the powers of two; from the second retry on the median
 * doubles.  Beyond 2^1023 there is nothing to subtract from. */
static double polly(const struct nl_backoff *b, uint64_t n, struct nl_jitter_state *s, double u)
{
	double t = (double)(n - 1) + u;
	double f = exp2(t) * tanh(sqrt(4 * t));

	if (isinf(f))
		return INFINITY;
	double grown = n == 1 ? f : f - s->f;   // A series that begins anew begins at 0.
	s->f = f;
	return grown / 1.4 * (double)b->base;
}

nl_time nl_jittered(enum nl_jitter j, const struct nl_backoff *b, uint64_t n, struct nl_jitter_state *s, double u)
{
	nl_time limit = capped(b);
	nl_time d = delay(b, n, limit);
	double lo = (double)b->base, prev;

	if (d == 0)
		return 0;
	switch (j) {
	case NL_JITTER_NONE:
		break;
	case NL_JITTER_FULL:
		d = span(u * (double)d, limit);
		break;
	case NL_JITTER_EQUAL:
		d = span((0.5 + u / 2) * (double)d, limit);
		break;
	case NL_JITTER_DECORRELATED:
	case NL_JITTER_FINAGLE:
		prev = s->prev > 0 ? (double)s->prev : lo;
		lo = j == NL_JITTER_FINAGLE ? prev : lo;
		d = s->prev = span(lo + u * (3 * prev - lo), limit);
		break;
	case NL_JITTER_POLLY:
		d = b->kind == NL_EXPONENTIAL ? span(polly(b, n, s, u), limit)
		    : span((0.75 + u / 2) * (double)delay(b, n, NL_BACKOFF_MAX), limit);
		break;
	}
	return d;
}
