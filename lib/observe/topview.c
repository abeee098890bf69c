/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topview.c - see top.h: two lines about everything, a table of policies, the
 * last changes of breakers.
 */
#include "observe/toprow.h"

#include "circuit.h"
#include "observe/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 320                        /* bytes of a line of 80 columns and more */

/* Those that fit, by rank; what is left is POLICY's. */
static unsigned choose(unsigned cols, bool is_in[NL_TOP_COLUMNS])
{
	unsigned used = nl_top_column_of[0].width, most = 24;
	memset(is_in, 0, NL_TOP_COLUMNS * sizeof *is_in);
	is_in[0] = true;
	for (unsigned rank = 1; rank < NL_TOP_COLUMNS; rank++)
		for (unsigned i = 1; i < NL_TOP_COLUMNS; i++)
			if (nl_top_column_of[i].rank == rank && used + 1 + nl_top_column_of[i].width <= cols)
				is_in[i] = true, used += 1 + nl_top_column_of[i].width;
	unsigned width = nl_top_column_of[0].width + (cols > used ? cols - used : 0);
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

static void add_cell(struct nl_out *line, const struct nl_top_column *c, unsigned width, const char *text)
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

static void put_cells(struct nl_out *o, const struct nl_top *t, const struct nl_top_row *r)
{
	bool is_in[NL_TOP_COLUMNS];
	unsigned wide = choose(t->cols, is_in);
	struct nl_out line;
	nl_out_init(&line, 8192);
	for (int i = 0; i < NL_TOP_COLUMNS; i++) {
		char text[256], cut[256];
		unsigned width = i == 0 ? wide : nl_top_column_of[i].width;
		if (!is_in[i])
			continue;
		if (r)
			nl_top_column_of[i].put(t, r, text);
		else
			snprintf(text, sizeof text, "%s", nl_top_column_of[i].name);
		add_cell(&line, &nl_top_column_of[i], width, i == 0 && r ? nl_safe_text(text, wide, cut) : text);
	}
	const char *state = r ? nl_series_state(r->s) : "";
	put_line(o, t, !r ? "7" : strstr(state, "half") ? "33" : strstr(state, "open") ? "31" : NULL, line.buf ? line.buf : "");
	nl_out_free(&line);
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
	snprintf(line, sizeof line, "%.19s  %u polic%s  %s  by %s%s%s%s", time, policies, policies == 1 ? "y" : "ies", span, t->sort >= 0 ? nl_top_column_of[t->sort].name : "trouble",
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

static unsigned put_table(struct nl_out *o, const struct nl_system *system, const struct nl_top *t, const struct nl_top_row *row, unsigned n, unsigned lines)
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
	struct nl_top_row *row = nl_top_rows(system, t, &n);
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
