/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page.h - internal to what renders: a result that is being read, and the text
 * that is made of it.
 */
#ifndef NL_PAGE_H
#define NL_PAGE_H

#include "json.h"
#include "render.h"
#include "state.h"

#define NL_PAGE_WIDTH 80
#define NL_PAGE_INDENT 12

struct nl_page {
	struct nl_out *o;
	const struct nl_paper *paper;
	const char *text;
	struct nl_json_tok *tok;
	int indent;                     /* of what is behind a key */
};

/* "key         text", further lines below it; a line ends at a blank. */
void nl_page_row(struct nl_page *, const char *key, const char *text);

/* Members of an object: its token, or -1; its text ("" when absent), a number. */
int nl_page_at(const struct nl_page *, int obj, const char *key);
const char *nl_page_str(const struct nl_page *, int obj, const char *key, char *buf, size_t size);
double nl_page_number(const struct nl_page *, int obj, const char *key, double absent);
/* A time as people read it here: the day too unless it is today. */
enum nl_page_clock { NL_PAGE_SECONDS, NL_PAGE_MINUTES };
const char *nl_page_time(const struct nl_page *, int obj, const char *key, enum nl_page_clock, char buf[32]);

/* Columns of UTF-8 text, as a terminal counts them: near enough. */
size_t nl_page_columns(const char *);
/* "9 s", "1.20 s", "5 min", "3 h", "2 d". */
const char *nl_page_span(double s, char buf[32]);

enum nl_mood { NL_MOOD_PLAIN, NL_MOOD_GOOD, NL_MOOD_BAD, NL_MOOD_ODD };
const char *nl_page_paint(const struct nl_page *, enum nl_mood);
enum nl_mood nl_page_mood(const char *state);

/* Of a policy: HALF-OPEN of half_open; what comes next; what a closed breaker
 * has counted; all that fits on one line. */
const char *nl_page_headline(const char *state, char buf[32]);
void nl_page_next(const struct nl_page *, int obj, const char *state, char *buf, size_t size);
void nl_page_counts(const struct nl_page *, int obj, char *buf, size_t size);
void nl_page_summary(const struct nl_page *, int obj, char *buf, size_t size, char *state, size_t state_size);

void nl_page_show(struct nl_page *, int obj);
void nl_page_health(struct nl_page *, int obj);
void nl_page_history(struct nl_page *, int items);

#endif
