/* SPDX-License-Identifier: Apache-2.0 */
/* moment.c - a time that a person has written, some of them relative to another. */
#include "event.h"
#include "observe/query.h"
#include "parse.h"

#include <stdio.h>
#include <string.h>

/* "2026-11-24", "T13:00", ":05", ".25": what is there of it. */
static int64_t read_date(const char *s, int64_t now_us)
{
	char full[] = "0000-00-00T00:00:00.000000Z";
	char day[28];
	size_t n = strlen(s);
	bool clock = n >= 5 && s[2] == ':';
	if (clock) {
		nl_time_text(now_us * NL_US, day);
		memcpy(full, day, 11);
	}
	if (n && s[n - 1] == 'Z')
		n--;
	size_t room = clock ? 15 : 26;
	if (n > room || (!clock && n != 10 && n != 16 && n < 19) || (clock && n != 5 && n < 8))
		return -1;
	memcpy(full + (clock ? 11 : 0), s, n);
	if (full[10] == ' ')
		full[10] = 'T';
	return nl_time_read(full, sizeof full - 1);
}

int64_t nl_moment_read(const char *text, int64_t now_us)
{
	const char *ago = strstr(text, " ago");
	char span[32];
	struct nl_err err;
	nl_time t;
	if (!strcmp(text, "now"))
		return now_us;
	if (!ago || ago[4] || (size_t)(ago - text) >= sizeof span)
		return read_date(text, now_us);
	snprintf(span, sizeof span, "%.*s", (int)(ago - text), text);
	return nl_parse_time(span, &t, &err) < 0 || t > now_us * NL_US ? -1 : now_us - t / NL_US;
}

bool nl_moment_is_relative(const char *text)
{
	return nl_moment_read(text, 0) != nl_moment_read(text, NL_TIME_MOST);
}
