/* SPDX-License-Identifier: Apache-2.0 */
/*
 * httpdate.c - when to come back, as HTTP says it: Retry-After, alone or in a
 * dump of header fields, and the three forms of a date in RFC 9110 §5.6.7.
 * The calendar is the proleptic Gregorian one, arithmetic only: no time zone
 * file, no struct tm.  Dates are read generously (the day's name is not
 * checked, one digit may stand for two) but must exist.
 */
#include "parse.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct date { int year, month, day, hour, min, sec; };

/* What is left to read.  Every reader returns false when it is not there. */
struct cursor { const char *p, *end; };

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool skip(struct cursor *c, char want)
{
	if (c->p == c->end || *c->p != want)
		return false;
	c->p++;
	return true;
}

static bool skip_blanks(struct cursor *c)
{
	const char *from = c->p;

	while (c->p < c->end && is_blank(*c->p))
		c->p++;
	return c->p > from;
}

static bool skip_letters(struct cursor *c)
{
	const char *from = c->p;

	while (c->p < c->end && isalpha((unsigned char)*c->p))
		c->p++;
	return c->p > from;
}

/* At most `most` digits; how many there were. */
static int digits(struct cursor *c, int most, int *n)
{
	int k = 0;

	for (*n = 0; k < most && c->p < c->end && isdigit((unsigned char)*c->p); k++)
		*n = *n * 10 + *c->p++ - '0';
	return k;
}

static bool month(struct cursor *c, int *n)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	if (c->end - c->p < 3)
		return false;
	for (*n = 1; *n <= 12; ++*n)
		if (!strncasecmp(names + 3 * (*n - 1), c->p, 3)) {
			c->p += 3;
			return true;
		}
	return false;
}

static bool clock_time(struct cursor *c, struct date *d)
{
	return digits(c, 2, &d->hour) && skip(c, ':') && digits(c, 2, &d->min) && skip(c, ':')
	       && digits(c, 2, &d->sec) && d->hour < 24 && d->min < 60 && d->sec <= 60;
}

static bool at_end_or_gmt(struct cursor *c)
{
	skip_blanks(c);
	if (c->end - c->p == 3 && (!strncasecmp(c->p, "GMT", 3) || !strncasecmp(c->p, "UTC", 3)))
		c->p += 3;
	return c->p == c->end;
}

/* Days since 1970-01-01; months count from March, so that a leap day is last. */
static int64_t days(int year, int mon, int day)
{
	int64_t y = year - (mon <= 2), m = (mon + 9) % 12;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static bool exists(const struct date *d)
{
	int y = d->year + (d->month == 12), m = d->month % 12 + 1;

	return d->year > 0 && d->day > 0 && d->day <= days(y, m, 1) - days(d->year, d->month, 1);
}

static int64_t seconds(const struct date *d)
{
	return ((days(d->year, d->month, d->day) * 24 + d->hour) * 60 + d->min) * 60 + d->sec;
}

/* "06 Nov 1994 08:49:37", behind "Sun, " */
static bool fixdate(struct cursor c, struct date *d)
{
	return digits(&c, 2, &d->day) && skip_blanks(&c) && month(&c, &d->month) && skip_blanks(&c)
	       && digits(&c, 4, &d->year) == 4 && skip_blanks(&c) && clock_time(&c, d) && at_end_or_gmt(&c)
	       && exists(d);
}

/* "06-Nov-94 08:49:37", behind "Sunday, ".  A date that seems to lie more than
 * 50 years ahead is of the past century. */
static bool rfc850(struct cursor c, struct date *d, int64_t now)
{
	if (!(digits(&c, 2, &d->day) && skip(&c, '-') && month(&c, &d->month) && skip(&c, '-')
	      && digits(&c, 2, &d->year) == 2 && skip_blanks(&c) && clock_time(&c, d) && at_end_or_gmt(&c)))
		return false;
	for (d->year += 1900; ; d->year += 100) {
		struct date next = *d;
		next.year += 100 - 50;
		if (seconds(&next) > now)
			return exists(d);
	}
}

/* "Nov  6 08:49:37 1994", behind "Sun " */
static bool asctime_date(struct cursor c, struct date *d)
{
	return month(&c, &d->month) && skip_blanks(&c) && digits(&c, 2, &d->day) && skip_blanks(&c)
	       && clock_time(&c, d) && skip_blanks(&c) && digits(&c, 4, &d->year) == 4 && at_end_or_gmt(&c)
	       && exists(d);
}

static int parse_date(struct cursor c, nl_time real, nl_time *out, struct nl_err *err)
{
	struct date d;

	bool named = skip_letters(&c);
	bool comma = skip(&c, ',');
	named &= skip_blanks(&c);
	if (!named || !(comma ? fixdate(c, &d) || rfc850(c, &d, real / NL_SEC) : asctime_date(c, &d)))
		return nl_fail(err, "neither seconds, a duration nor an HTTP date");
	int64_t at = seconds(&d);
	if (at <= real / NL_SEC)
		*out = 0;
	else
		*out = at > NL_NEVER / NL_SEC ? NL_NEVER : at * NL_SEC - real;
	return 1;
}

/* One value without blanks around it. */
static int parse_value(struct cursor c, nl_time real, nl_time *out, struct nl_err *err)
{
	char text[64];
	size_t n = (size_t)(c.end - c.p);

	if (n == 0)
		return 0;
	if (n >= sizeof text || memchr(c.p, '\0', n))
		return nl_fail(err, "neither seconds, a duration nor an HTTP date");
	memcpy(text, c.p, n);
	text[n] = '\0';
	if (strchr(text, ':'))
		return parse_date(c, real, out, err);
	return nl_parse_time(text, out, err) ? -1 : 1;
}

static struct cursor trim(struct cursor c)
{
	skip_blanks(&c);
	while (c.end > c.p && is_blank(c.end[-1]))
		c.end--;
	return c;
}

/* Takes one line off *rest, without its blanks. */
static struct cursor next_line(struct cursor *rest)
{
	const char *nl = memchr(rest->p, '\n', (size_t)(rest->end - rest->p));
	struct cursor line = { rest->p, nl ? nl : rest->end };

	rest->p = nl ? nl + 1 : rest->end;
	return trim(line);
}

static bool is_status_line(struct cursor line)
{
	return line.end - line.p >= 5 && !strncasecmp(line.p, "HTTP/", 5);
}

static bool is_token(char c)
{
	return c && (isalnum((unsigned char)c) || strchr("!#$%&'*+-.^_`|~", c));
}

/* Takes "Name:" off a line, if a field's name is there; `name` spans it. */
static bool field_name(struct cursor *line, struct cursor *name)
{
	*name = *line;
	while (line->p < line->end && is_token(*line->p))
		line->p++;
	name->end = line->p;
	return name->end > name->p && skip(line, ':');
}

/* The value in the last response of a dump; an empty one where it has none. */
static struct cursor dumped_value(struct cursor rest)
{
	static const char wanted[] = "Retry-After";
	struct cursor value = { rest.end, rest.end }, name;
	bool head = true;               // in a header, not in what follows it

	while (rest.p < rest.end) {
		struct cursor line = next_line(&rest);
		if (is_status_line(line)) {
			head = true;
			value = (struct cursor){ rest.end, rest.end };
		} else if (line.p == line.end) {
			head = false;
		} else if (head && field_name(&line, &name)
		           && (size_t)(name.end - name.p) == sizeof wanted - 1
		           && !strncasecmp(name.p, wanted, sizeof wanted - 1)) {
			value = trim(line);
		}
	}
	return value;
}

int nl_parse_retry_after(const char *text, size_t n, nl_time real, nl_time *out, struct nl_err *err)
{
	struct cursor all = trim((struct cursor){ text, text + n });
	struct cursor rest = all, name;
	struct cursor line = next_line(&rest);

	if (is_status_line(line) || field_name(&line, &name))
		all = dumped_value(all);
	return parse_value(all, real, out, err);
}
