/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topview.c - see top.h: two lines about everything, a table of policies, the
 * last changes of breakers.
 */
#include "observe/top.h"

#include "circuit.h"
#include "observe/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define SPARK 10                        /* cells: 6 seconds each */
#define CELL 256                        /* of the text of a cell */
#define ROOM 320                        /* bytes of a line of 80 columns and more */

struct row {
	const struct nl_series *s;
	struct nl_counts n;
	double per_s, failed, p50, p99, retry, recovered, age;
	uint64_t rejected;
};

/* Of text are sorted from a, numbers from the greatest. */
struct column {
	const char *name;
	unsigned width, rank;           /* rank: which leave first when it is narrow */
	bool text;
	void (*put)(const struct nl_top *, const struct row *, char *buf);
	double (*value)(const struct row *);
};

static void put_policy(const struct nl_top *t, const struct row *r, char *buf)
{
	(void)t;
	nl_safe_text(r->s->policy, 64, buf);
}

static void put_kind(const struct nl_top *t, const struct row *r, char *buf)
{
	(void)t;
	nl_safe_text(r->s->kind_text, 8, buf);
}

static const char *state_of(const struct row *r)
{
	const char *state = nl_series_state(r->s);
	return !strcmp(state, "half_open") ? "half" : !strncmp(state, "forced_", 7) ? "forced" : state;
}

static void put_state(const struct nl_top *t, const struct row *r, char *buf)
{
	(void)t;
	snprintf(buf, CELL, "%s", state_of(r));
}

static void put_real(char *buf, double x)
{
	if (x < 0)
		snprintf(buf, CELL, "%s", "-");
	else if (x >= 99999.5)
		nl_count_text((uint64_t)x, buf);
	else
		snprintf(buf, 32, "%.*f", x < 9.995 && x > 0 ? 2 : x < 99.95 ? 1 : 0, x);
}

#define REAL(name, member, factor) \
	static void put_##name(const struct nl_top *t, const struct row *r, char *buf) \
	{ \
		(void)t; \
		put_real(buf, r->member < 0 ? -1 : r->member * (factor)); \
	} \
	static double name(const struct row *r) { return r->member; }
REAL(per_s, per_s, 1)
REAL(failed, failed, 100)
REAL(retry, retry, 1)
REAL(recovered, recovered, 100)

#define SPAN(name) \
	static void put_##name(const struct nl_top *t, const struct row *r, char *buf) \
	{ \
		(void)t; \
		snprintf(buf, CELL, "%s", nl_span_text(r->name, (char[32]){ 0 })); \
	} \
	static double name(const struct row *r) { return r->name; }
SPAN(p50)
SPAN(p99)
SPAN(age)

static void put_rejected(const struct nl_top *t, const struct row *r, char *buf)
{
	(void)t;
	snprintf(buf, CELL, "%s", nl_count_text(r->rejected, (char[32]){ 0 }));
}

static double rejected(const struct row *r)
{
	return (double)r->rejected;
}

static const char *const blocks[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" }, *const plain[] = { " ", "_", ".", ":", "-", "=", "+", "*", "#" };

static void add(char *buf, const char *sign)
{
	size_t n = strlen(buf);
	snprintf(buf + n, CELL - n, "%s", sign);
}

/* The failures of the last minute, the latest at the right; blank where there was no request. */
static void put_spark(const struct nl_top *t, const struct row *r, char *buf)
{
	*buf = '\0';
	for (int i = SPARK - 1; i >= 0; i--) {
		struct nl_counts n = nl_series_counts(r->s, t->now_us - i * 6000000, 6000000);
		unsigned high = n.requests ? 1 + (unsigned)(7 * n.failures / n.requests) : 0;
		add(buf, (t->utf8 ? blocks : plain)[high]);
	}
}

static double bulk(const struct row *r)
{
	return r->s->max > 0 ? (double)r->s->active / (double)r->s->max : -1;
}

/* "3/4 ███ ": who is in, and how full that is. */
static void put_bulk(const struct nl_top *t, const struct row *r, char *buf)
{
	double full = 4 * bulk(r);
	int n = full < 0 ? snprintf(buf, 32, "-") : snprintf(buf, 32, "%lld/%lld ", (long long)r->s->active, (long long)r->s->max);
	for (int i = 0; i < 4 && full >= 0 && n < 12; i++) {
		double here = full - i;
		add(buf, (t->utf8 ? blocks : plain)[here >= 1 ? 8 : here > 0 ? (unsigned)(here * 8) : 0]);
	}
}

static void put_err(const struct nl_top *t, const struct row *r, char *buf)
{
	(void)t;
	nl_safe_text(r->s->last_err[0] ? r->s->last_err : "-", 9, buf);
}

static const struct column columns[] = {
	{ "POLICY", 14, 0, true, put_policy, NULL }, { "KIND", 8, 5, true, put_kind, NULL }, { "STATE", 6, 1, true, put_state, NULL },
	{ "REQ/s", 5, 2, false, put_per_s, per_s }, { "ERR%", 4, 3, false, put_failed, failed }, { "LAST 60s", SPARK, 7, true, put_spark, NULL },
	{ "P50", 6, 6, false, put_p50, p50 }, { "P99", 6, 4, false, put_p99, p99 }, { "RETRYx", 6, 11, false, put_retry, retry },
	{ "RECOV%", 6, 12, false, put_recovered, recovered }, { "REJ", 5, 9, false, put_rejected, rejected }, { "BULK", 9, 13, true, put_bulk, bulk },
	{ "LAST-ERR", 9, 8, true, put_err, NULL }, { "AGE", 5, 10, false, put_age, age },
};
enum { COLUMNS = sizeof columns / sizeof *columns };

unsigned nl_top_columns(void)
{
	return COLUMNS;
}

int nl_top_column(const char *word)
{
	for (int i = 0; i < COLUMNS; i++)
		if (*word && columns[i].put != put_spark && !strncasecmp(columns[i].name, word, strlen(word)))
			return i;
	return -2;
}

/* Those that fit, by rank; what is left is POLICY's. */
static unsigned choose(unsigned cols, bool is_in[COLUMNS])
{
	unsigned used = columns[0].width, most = 24;
	memset(is_in, 0, COLUMNS * sizeof *is_in);
	is_in[0] = true;
	for (unsigned rank = 1; rank < COLUMNS; rank++)
		for (unsigned i = 1; i < COLUMNS; i++)
			if (columns[i].rank == rank && used + 1 + columns[i].width <= cols)
				is_in[i] = true, used += 1 + columns[i].width;
	unsigned width = columns[0].width + (cols > used ? cols - used : 0);
	return width < most ? width : most;
}

static unsigned columns_of(const char *text)
{
	unsigned n = 0;
	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

/* A line, cut at the screen's width; style: an SGR, or NULL. */
static void put_line(struct nl_out *o, const struct nl_top *t, const char *style, const char *text)
{
	const char *end = text;
	for (unsigned n = 0; *end; end++) {
		bool begins = ((unsigned char)*end & 0xc0) != 0x80;
		if (begins && n == t->cols)
			break;
		n += begins;
	}
	while (!(style && t->colour) && end > text && end[-1] == ' ')
		end--;
	if (style && t->colour)
		nl_out_put(o, "\033[%sm", style);
	nl_out_bytes(o, text, (size_t)(end - text));
	nl_out_put(o, style && t->colour ? "\033[0m\n" : "\n");
}

static void add_cell(struct nl_out *line, const struct column *c, unsigned width, const char *text)
{
	unsigned is = columns_of(text);
	int pad = is < width ? (int)(width - is) : 0;
	if (line->n)
		nl_out_put(line, " ");
	if (c->text)
		nl_out_put(line, "%s%*s", text, pad, "");
	else
		nl_out_put(line, "%*s%s", pad, "", text);
}

static void put_cells(struct nl_out *o, const struct nl_top *t, const struct row *r)
{
	bool is_in[COLUMNS];
	unsigned wide = choose(t->cols, is_in);
	struct nl_out line;
	nl_out_init(&line, 8192);
	for (int i = 0; i < COLUMNS; i++) {
		char text[256], cut[256];
		unsigned width = i == 0 ? wide : columns[i].width;
		if (!is_in[i])
			continue;
		if (r)
			columns[i].put(t, r, text);
		else
			snprintf(text, sizeof text, "%s%s", columns[i].name, "");
		add_cell(&line, &columns[i], width, i == 0 && r ? nl_safe_text(text, wide, cut) : text);
	}
	const char *state = r ? nl_series_state(r->s) : "";
	put_line(o, t, !r ? "7" : strstr(state, "half") ? "33" : strstr(state, "open") ? "31" : NULL, line.buf ? line.buf : "");
	nl_out_free(&line);
}

static void look_at(struct row *r, const struct nl_top *t, const struct nl_series *s)
{
	int64_t window = t->total ? 0 : t->window_us;
	double span = window ? (double)window / 1e6 : (double)(s->last_us - s->first_us) / 1e6;
	*r = (struct row){ .s = s, .n = nl_series_counts(s, t->now_us, window), .retry = -1, .recovered = -1 };
	r->per_s = (double)r->n.requests / (span < 1 ? 1 : span);
	r->failed = r->n.requests ? (double)r->n.failures / (double)r->n.requests : -1;
	r->p50 = nl_series_quantile(s, .5, t->now_us, window, NULL, NULL);
	r->p99 = nl_series_quantile(s, .99, t->now_us, window, NULL, NULL);
	if (s->kind == NL_S_RETRY && s->all.requests) {
		r->retry = (double)s->attempts / (double)s->all.requests;
		r->recovered = (double)s->recovered / (double)s->all.requests;
	}
	r->rejected = window ? r->n.rejected : s->rejected;
	r->age = s->last_us < 0 ? -1 : t->now_us > s->last_us ? (double)(t->now_us - s->last_us) / 1e6 : 0;
}

static int by_name(const struct row *a, const struct row *b)
{
	int r = strcmp(a->s->policy, b->s->policy);
	return r ? r : strcmp(a->s->kind_text, b->s->kind_text);
}

static int badness(const struct row *r)
{
	const char *state = nl_series_state(r->s);
	return strstr(state, "half") ? 1 : strstr(state, "open") ? 2 : 0;
}

static int by_trouble(const void *x, const void *y)
{
	const struct row *a = x, *b = y;
	if (badness(a) != badness(b))
		return badness(b) - badness(a);
	if (a->failed < b->failed || a->failed > b->failed)
		return a->failed < b->failed ? 1 : -1;
	if (a->n.requests != b->n.requests)
		return a->n.requests < b->n.requests ? 1 : -1;
	return by_name(a, b);
}

/* qsort has no argument for it; there is one top in a process. */
static const struct column *sort_column;

static int by_column(const void *x, const void *y)
{
	const struct row *a = x, *b = y;
	char one[256], two[256];
	static const struct nl_top none;
	int r;
	if (sort_column->value) {
		double v = sort_column->value(a), w = sort_column->value(b);
		r = v < w ? 1 : v > w ? -1 : 0;
	} else {
		sort_column->put(&none, a, one);
		sort_column->put(&none, b, two);
		r = strcmp(one, two);
	}
	return r ? r : by_name(a, b);
}

static bool is_shown(const struct nl_series *s, const struct nl_top *t)
{
	char full[160];
	if (!(s->all.requests || s->rejected || s->timeouts || s->retried || s->all_moves || s->max > 0))
		return false;
	snprintf(full, sizeof full, "%.40s/%.100s", s->kind_text, s->policy);
	return !t->filter[0] || strcasestr(full, t->filter);
}

static struct row *rows_of(const struct nl_system *system, const struct nl_top *t, unsigned *n)
{
	unsigned all = nl_system_count(system);
	struct row *row = malloc((all + 1) * sizeof *row);
	*n = 0;
	for (unsigned i = 0; row && i < all; i++)
		if (is_shown(nl_system_series(system, i), t))
			look_at(&row[(*n)++], t, nl_system_series(system, i));
	sort_column = t->sort >= 0 ? &columns[t->sort] : NULL;
	if (row)
		qsort(row, *n, sizeof *row, sort_column ? by_column : by_trouble);
	return row;
}

static void put_head(struct nl_out *o, const struct nl_system *system, const struct nl_top *t, unsigned policies)
{
	const uint64_t *lines = nl_system_lines(system);
	struct nl_runs_sum sum = nl_runs_sum(nl_system_runs(system));
	struct nl_counts calls = nl_system_calls(system);
	char line[ROOM], time[28] = "-", span[32] = "since the beginning", rate[48] = "";
	uint64_t late = lines[NL_LINE_LATE] + lines[NL_LINE_SKEWED], bad = lines[NL_LINE_TORN] + lines[NL_LINE_BAD_JSON] + lines[NL_LINE_DUP_KEY] + lines[NL_LINE_TOO_LONG];
	if (t->now_us >= 0)
		nl_time_text(t->now_us * NL_US, time);
	time[time[10] == 'T' ? 10 : 0] = time[10] == 'T' ? ' ' : '-';
	if (!t->total)
		snprintf(span, sizeof span, "last %llds", (long long)(t->window_us / 1000000));
	snprintf(line, sizeof line, "%.19s  %u polic%s  %s  by %s%s%s%s", time, policies, policies == 1 ? "y" : "ies", span, t->sort >= 0 ? columns[t->sort].name : "trouble",
	         t->filter[0] || t->typing ? "  /" : "", t->filter, t->paused ? "  PAUSED" : "");
	put_line(o, t, NULL, line);
	if (t->events_per_s >= 0)
		snprintf(rate, sizeof rate, " (%.1f/s)", t->events_per_s);
	snprintf(line, sizeof line, "events %llu%s  calls %llu, %llu failed  lost %llu  late %llu  bad %llu  unended %llu",
	         (unsigned long long)lines[NL_LINE_OK], rate, (unsigned long long)calls.requests, (unsigned long long)calls.failures,
	         (unsigned long long)sum.lost, (unsigned long long)late, (unsigned long long)bad,
	         (unsigned long long)sum.open);
	put_line(o, t, NULL, line);
	put_line(o, t, NULL, "");
}

/* The last changes of all breakers, the latest first. */
struct change { const struct nl_series *s; const struct nl_move *m; };

static unsigned last_changes(const struct nl_system *system, struct change *c, unsigned most)
{
	unsigned n = 0;
	for (unsigned i = 0; i < nl_system_count(system); i++) {
		const struct nl_series *s = nl_system_series(system, i);
		for (unsigned k = s->nmoves; k > 0; k--) {
			struct change new = { s, &s->move[k - 1] };
			unsigned at = n;
			while (at > 0 && c[at - 1].m->time_us < new.m->time_us)
				at--;
			if (at == most)
				break;
			n += n < most;
			memmove(c + at + 1, c + at, (n - at - 1) * sizeof *c);
			c[at] = new;
		}
	}
	return n;
}

static const char *state_name(uint8_t state)
{
	return state < NL_CIRCUIT_STATES ? nl_circuit_name((enum nl_circuit_state)state) : "-";
}

static void put_changes(struct nl_out *o, const struct nl_system *system, const struct nl_top *t, unsigned lines)
{
	struct change c[16];
	unsigned n = last_changes(system, c, lines - 1);
	put_line(o, t, "7", n ? "CHANGES" : "NO CHANGES");
	for (unsigned i = 0; i < lines - 1; i++) {
		char line[ROOM] = "", name[256], reason[256], time[28];
		if (i < n) {
			nl_time_text(c[i].m->time_us * NL_US, time);
			snprintf(line, sizeof line, "%.8s  %-24.60s %s -> %s  %s", time + 11, nl_safe_text(c[i].s->policy, 24, name), state_name(c[i].m->from),
			         state_name(c[i].m->to), nl_safe_text(c[i].m->reason, 20, reason));
		}
		put_line(o, t, NULL, line);
	}
}

static const char *const help[] = {
	"", "  <  >       sort by the column before, or behind", "  w          worst first: open breakers, then by failures, then by calls",
	"  /          only policies with a text in KIND/NAME; Enter keeps it, Escape shows all", "  t          the last minute, or since the beginning",
	"  up  down   move the list", "  p          pause: nothing changes until a key is pressed", "  q          quit", "",
	"  LAST 60s   failures of the last minute, 6 seconds a sign; blank: no requests", "  RETRYx     attempts for each request",
	"  RECOV%     requests that a retry made succeed", "  REJ        requests that a breaker or a bulkhead did not let run",
	"  BULK       slots in use, of all", "  AGE        since the last event", NULL,
};

static unsigned put_help(struct nl_out *o, const struct nl_top *t, unsigned lines)
{
	unsigned n = 0;
	for (; help[n] && n < lines; n++)
		put_line(o, t, NULL, help[n]);
	return n;
}

static unsigned put_table(struct nl_out *o, const struct nl_system *system, const struct nl_top *t, const struct row *row, unsigned n, unsigned lines)
{
	unsigned put = 0;
	(void)system;
	if (lines < 1)
		return 0;
	put_cells(o, t, NULL);
	for (unsigned i = t->first; i < n && put + 1 < lines; i++, put++)
		put_cells(o, t, &row[i]);
	return put + 1;
}

void nl_top_put(struct nl_out *o, const struct nl_system *system, const struct nl_top *t)
{
	unsigned n, pane = t->rows < 14 ? 0 : t->rows / 4 < 8 ? t->rows / 4 : 8;
	struct row *row = rows_of(system, t, &n);
	put_head(o, system, t, n);
	unsigned keys = t->keys && t->rows > 5, lines = t->rows > 3 + pane + keys ? t->rows - 3 - pane - keys : 0;
	unsigned put = !row ? 0 : t->help ? put_help(o, t, lines) : put_table(o, system, t, row, n, lines);
	for (; put < lines; put++)
		put_line(o, t, NULL, "");
	if (pane)
		put_changes(o, system, t, pane);
	if (keys)
		put_line(o, t, NULL, t->typing ? "Enter: keep  Escape: show all" : "q quit  < > sort  w worst  / filter  t window or total  p pause  ? help");
	free(row);
}
