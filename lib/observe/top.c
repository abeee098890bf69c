/* SPDX-License-Identifier: Apache-2.0 */
/*
 * top.c - the policies on a terminal, once a second; or once, without one.
 */
#include "observe/top.h"

#include "observe/observe.h"
#include "observe/query.h"
#include "observe/screen.h"
#include "run.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define EACH NL_SEC
#define RATE_OVER 10                    /* ticks that events per second are of */

struct top {
	struct nl_also keys;            /* first: ready has this */
	struct nl_ticker ticker;
	struct nl_hook hook;
	struct nl_intake *in;
	struct nl_ask *ask;
	struct nl_screen screen;
	struct nl_top view;
	struct { nl_time at; uint64_t events; } sample[RATE_OVER];
	unsigned samples;
	bool over;
};

static bool is_utf8(struct nl_run *run)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
	for (int i = 0; i < 3; i++) {
		const char *value = nl_getenv(run, names[i]);
		if (value && *value)
			return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
	}
	return false;
}

static bool has_colour(struct nl_run *run)
{
	const char *no = nl_getenv(run, "NO_COLOR");
	return !(no && *no);
}

static int read_view(struct nl_ask *ask, struct nl_top *v, struct nl_err *err)
{
	const struct nl_observe_opts *l = ask->opts;
	*v = (struct nl_top){ .rows = 24, .cols = 80, .sort = NL_TOP_WORST, .events_per_s = -1, .utf8 = is_utf8(ask->run) };
	v->window_us = ask->window_us ? ask->window_us : 60000000;
	if (l && l->what.sort && strcmp(l->what.sort, "worst") && (v->sort = nl_top_column(l->what.sort)) < 0)
		return nl_fail(err, "top: --sort '%.40s': no column; one of worst, policy, kind, state, req/s, err%%, p50, p99, retryx, recov%%, rej, "
		               "bulk, last-err, age", l->what.sort);
	if (l && l->what.filter)
		strncpy(v->filter, l->what.filter, sizeof v->filter - 1);
	nl_defuse(v->filter);
	return 0;
}

static void measure(struct top *t, nl_time now)
{
	uint64_t events = nl_system_lines(t->ask->system)[NL_LINE_OK];
	unsigned oldest = t->samples < RATE_OVER ? 0 : t->samples % RATE_OVER;
	if (t->samples && now > t->sample[oldest].at)
		t->view.events_per_s = (double)(events - t->sample[oldest].events) / ((double)(now - t->sample[oldest].at) / NL_SEC);
	t->sample[t->samples % RATE_OVER].at = now;
	t->sample[t->samples++ % RATE_OVER].events = events;
}

static void draw(struct top *t)
{
	struct nl_out o;
	nl_out_init(&o, 1 << 20);
	t->view.rows = t->screen.rows, t->view.cols = t->screen.cols;
	nl_top_put(&o, t->ask->system, &t->view);
	nl_screen_draw(&t->screen, o.buf, o.n);
	nl_out_free(&o);
}

static bool tick(struct nl_intake *in, nl_time now, void *arg)
{
	struct top *t = arg;
	(void)in;
	measure(t, now);
	if (!t->view.paused) {
		t->view.now_us = t->ask->run->os->clock(CLOCK_REALTIME) / NL_US;
		draw(t);
	}
	return !t->over;
}

static void type(struct top *t, char c)
{
	size_t n = strlen(t->view.filter);
	if (c == '\n' || c == '\r' || c == '\033')
		t->view.typing = false;
	if (c == '\033')
		t->view.filter[0] = '\0';
	else if ((c == 0x7f || c == '\b') && n > 0)
		t->view.filter[n - 1] = '\0';
	else if (c > ' ' && c < 0x7f && n + 1 < sizeof t->view.filter)
		t->view.filter[n] = c, t->view.filter[n + 1] = '\0';
	t->view.first = 0;
}

static void press(struct top *t, char c)
{
	struct nl_top *v = &t->view;
	int n = (int)nl_top_columns();
	bool was_paused = v->paused;
	v->paused = false;
	switch (c) {
	case 'q': t->over = true; break;
	case '<': v->sort = v->sort < 0 ? n - 1 : v->sort - 1; break;
	case '>': v->sort = v->sort + 1 < n ? v->sort + 1 : NL_TOP_WORST; break;
	case 'w': v->sort = NL_TOP_WORST; break;
	case '/': v->typing = true; v->filter[0] = '\0'; break;
	case 't': v->total = !v->total; break;
	case 'p': v->paused = !was_paused; break;
	case '?': case 'h': v->help = !v->help; break;
	case 'A': v->first -= v->first > 0; break;      // Arrows, behind their ESC [.
	case 'B': v->first += v->first + 1 < nl_system_count(t->ask->system); break;
	case '\033': v->filter[0] = '\0'; v->help = false; break;
	default: break;
	}
}

static void keys_ready(struct nl_also *also, short revents)
{
	struct top *t = (struct top *)also;
	char key[64];
	(void)revents;
	int n = nl_screen_keys(&t->screen, key, sizeof key);
	for (int i = 0; i < n; i++) {
		bool arrow = key[i] == '\033' && i + 2 < n && key[i + 1] == '[';
		if (arrow)
			i += 2;
		if (t->view.typing && !arrow)
			type(t, key[i]);
		else if (arrow ? key[i] == 'A' || key[i] == 'B' : key[i] != 'A' && key[i] != 'B')
			press(t, key[i]);
	}
	t->over |= n < 0;
	t->in->over = t->over;
	if (!t->over)
		draw(t);
}

/* True: it is taken. */
static bool told(struct nl_hook *hook, int sig)
{
	struct top *t = hook->arg;
	if (sig == SIGWINCH)
		nl_screen_resized(&t->screen);
	else if (nl_signal_kind(sig) == NL_SIGNAL_PAUSE)
		nl_screen_pause(&t->screen, sig);
	else
		return false;
	draw(t);
	return true;
}

static void top_end(struct nl_ask *ask)
{
	struct top *t = ask->data;
	if (t) {
		if (t->in)
			nl_screen_close(&t->screen);
		free(t);
	}
	ask->data = NULL;
}

static int top_begin(struct nl_ask *ask, struct nl_intake *in, struct nl_err *err)
{
	struct top *t = calloc(1, sizeof *t);
	if (!t)
		return nl_fail(err, "out of memory");
	ask->data = t;
	t->ask = ask;
	if (read_view(ask, &t->view, err) < 0)
		return top_end(ask), -1;
	if (!ask->live || !ask->opts || ask->opts->once)
		return 0;
	if (nl_screen_open(&t->screen, ask->run, err) < 0)
		return top_end(ask), -1;
	t->in = in;
	t->view.keys = true, t->view.colour = has_colour(ask->run);
	t->keys = (struct nl_also){ .fd = t->screen.fd, .events = POLLIN, .ready = keys_ready };
	t->ticker = (struct nl_ticker){ .every = EACH, .wake = tick, .arg = t };
	t->hook = (struct nl_hook){ .told = told, .arg = t };
	nl_intake_also(in, &t->keys);
	nl_intake_tick(in, &t->ticker);
	in->hook = &t->hook;
	return 0;
}

/* What stays behind when it ends is the last screen of --once alone. */
static int top_answer(struct nl_ask *ask, struct nl_out *o, struct nl_err *err)
{
	struct top *t = ask->data;
	(void)err;
	if (t->in)
		return 0;
	t->view.now_us = ask->now_us;
	nl_top_put(o, ask->system, &t->view);
	return 0;
}

const struct nl_query nl_q_top = {
	.name = "top", .args = "", .about = "the policies on the whole terminal, each second", .live = true, .windowed = true, .begin = top_begin, .answer = top_answer,
	.end = top_end,
};
