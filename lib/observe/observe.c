/* SPDX-License-Identifier: Apache-2.0 */
/*
 * observe.c - nl-observe: a command line into a query and its sources, the sources
 * read, the answer printed.
 */
#include "observe/observe.h"

#include "io.h"
#include "mut.h"
#include "near.h"
#include "observe/export.h"
#include "run.h"
#include "sink.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

enum { ANSWER_MAX = 64 << 20 };
#define SAVE_EACH (60 * NL_SEC)

/* One call: what is asked, of what, and what came of it. */
struct observation {
	struct nl_observe_opts *l;
	struct nl_run *run;
	const struct nl_req *q;
	struct nl_system *system;
	struct nl_intake in;
	struct nl_ask ask;
	struct nl_paper paper;
	uint64_t before;                /* lines that a snapshot had */
	nl_time save_at;
	int error;                      /* errno of stdout */
	int status;
	bool live;
	bool reading;                   /* what was asked is right: what fails from now on are sources */
};

static struct nl_paper paper(struct nl_run *run)
{
	struct winsize size = { 0 };
	const char *term = nl_getenv(run, "TERM"), *no = nl_getenv(run, "NO_COLOR");
	bool terminal = run->os->syscall(SYS_ioctl, 1, TIOCGWINSZ, (long)&size, 0, 0, 0) == 0;
	return (struct nl_paper){ .colour = terminal && !(no && *no) && term && strcmp(term, "dumb"), .now = run->os->clock(CLOCK_REALTIME) };
}

static void print(struct observation *o, const struct nl_out *text)
{
	int error = 0;
	if (text->n && !o->error) {
		nl_put(o->run, o->q, nl_chain(o->run, o->q, 0), text->buf, text->n, &error);
		o->error = error;
	}
}

/* Prints or puts the text, says err, and takes the status. */
static void deliver(struct observation *o, const struct nl_out *text, int r, struct nl_err *err)
{
	if (!o->l->out)
		print(o, text);
	else if (r >= 0 && nl_replace_file(o->run, o->l->out, text->buf ? text->buf : "", text->n, err) < 0)
		r = -1;
	if (err->msg[0])
		nl_say(o->run, "%s", err->msg);
	o->status = r < 0 ? NL_EX_FAIL : r;
}

static void answer(struct observation *o)
{
	struct nl_err err = { "" };
	struct nl_out text;
	nl_out_init(&text, ANSWER_MAX);
	o->paper = paper(o->run);
	o->ask.now_us = o->in.to_us ? o->in.to_us : o->live ? o->paper.now / NL_US : nl_system_latest(o->system);
	int r = o->l->named || !o->l->stats ? o->ask.opts->query->answer(&o->ask, &text, &err) : 0;
	if (o->l->stats && r >= 0)
		nl_put_stats(&text, o->system, o->l->json);
	if (text.lost)
		r = nl_fail(&err, "the answer is too long");
	deliver(o, &text, r, &err);
	nl_out_free(&text);
}

static int save(struct observation *o, struct nl_err *err)
{
	unsigned n;
	struct nl_mark *mark = nl_intake_marks(&o->in, &n);
	if (!mark && n)
		return nl_fail(err, "out of memory");
	int r = nl_system_save(o->system, o->l->snapshot, mark, n, err);
	free(mark);
	return r;
}

static nl_time save_each(const struct nl_observe_opts *l)
{
	return l->every.given && l->every.ns < SAVE_EACH ? l->every.ns : SAVE_EACH;
}

static bool wake(struct nl_intake *in, nl_time now, void *arg)
{
	struct observation *o = arg;
	struct nl_err err;
	(void)in;
	if (o->l->snapshot && now >= o->save_at) {
		if (save(o, &err) < 0)
			nl_say(o->run, "%s", err.msg);
		o->save_at = nl_after(now, save_each(o->l));
	}
	return true;
}

static bool print_again(struct nl_intake *in, nl_time now, void *arg)
{
	struct observation *o = arg;
	(void)in, (void)now;
	answer(o);
	return !o->error;
}

static bool is_socket(const char *source)
{
	return !strncmp(source, "unix:", 5);
}

/* A new system, or the one of the snapshot. */
static int open_system(struct observation *o, struct nl_err *err)
{
	const struct nl_observe_opts *l = o->l;
	struct nl_system_cfg cfg = {
		.late_us = l->lateness.given ? l->lateness.ns / NL_US : INT64_MAX,
		.skew_us = o->live ? NL_LIVE_LATE / NL_US : INT64_MAX, .series = l->max_series.given ? l->max_series.n : 0,
	};
	struct stat st;
	o->in = (struct nl_intake){ .run = o->run, .q = o->q, .follow = o->live && (l->follow || !l->once), .tee = l->tee, .unpack = l->unpack,
	                            .leave_tail = l->snapshot, .live_late_us = o->live && !l->lateness.given ? NL_LIVE_LATE / NL_US : 0 };
	long r = l->snapshot ? o->run->os->syscall(SYS_newfstatat, AT_FDCWD, (long)l->snapshot, (long)&st, 0, 0, 0) : -ENOENT;
	if (r < 0 && r != -ENOENT)
		return nl_fail(err, "%.150s: %s", l->snapshot, strerror((int)-r));
	struct nl_system *kept = r == 0 ? nl_system_load(l->snapshot, &o->in.mark, &o->in.nmarks, err) : NULL;
	if (r == 0 && !kept && !MUTANT(OVERWRITES_SNAPSHOT))
		return -1;
	o->system = nl_system_new(cfg);         // With our limits, whatever those of the snapshot's writer were.
	r = o->system && kept ? nl_system_merge(o->system, kept) : 0;
	nl_system_free(kept);
	if (!o->system || r < 0)
		return nl_fail(err, "out of memory");
	o->in.system = o->system;
	o->before = nl_lines_of(o->system);
	return 0;
}

static const struct nl_sink *kept_by(const struct nl_sink *s)
{
	if (!s || s->type == NL_SINK_FILE || s->type == NL_SINK_DIR)
		return s;
	const struct nl_sink *a = kept_by(s->a);
	return a ? a : kept_by(s->b);
}

/* Without a source: stdin, but not a person's terminal. */
static int add_default(struct observation *o, struct nl_intake *in, struct nl_err *err)
{
	char termios[64];
	const char *spec = nl_getenv(o->run, "NL_EVENTS");
	if (o->run->os->syscall(SYS_ioctl, 0, TCGETS, (long)termios, 0, 0, 0) < 0)
		return nl_intake_add(in, "-", err);
	struct nl_sink *sink = spec && *spec ? nl_sink_parse(spec, NL_EMIT, err) : NULL;
	const struct nl_sink *kept = kept_by(sink);
	int r = kept ? nl_intake_add(in, kept->path, err)
	             : nl_fail(err, "missing SOURCE: a file of events, a directory of them, or - for standard input (NL_EVENTS names none)");
	nl_sink_free(sink);
	return r;
}

static int add_sources(struct observation *o, struct nl_intake *in, struct nl_err *err)
{
	const struct nl_observe_opts *l = o->l;
	for (unsigned i = 0; i < l->sources; i++)
		if (nl_intake_add(in, l->word[l->words + i], err) < 0)
			return -1;
	return l->sources ? 0 : add_default(o, in, err);
}

static const char *relative_time(const struct nl_observe_opts *l)
{
	const char *text[] = { l->what.from, l->what.to, l->query == &nl_q_diff ? l->word[0] : NULL };
	for (unsigned i = 0; i < 3; i++)
		if (text[i] && nl_moment_is_relative(text[i]))
			return text[i];
	return NULL;
}

/* Reads all files, for their last event's time. */
static int read_latest(struct observation *o, const char *text, int64_t *us, struct nl_err *err)
{
	const struct nl_os *os = o->run->os;
	struct nl_intake in = { .run = o->run, .q = o->q, .unpack = o->in.unpack };
	long at = os->syscall(SYS_lseek, 0, 0, SEEK_CUR, 0, 0, 0);
	in.system = nl_system_new((struct nl_system_cfg){ .late_us = INT64_MAX, .skew_us = INT64_MAX });
	int r = in.system ? add_sources(o, &in, err) : nl_fail(err, "out of memory");
	if (r == 0 && !nl_intake_is_of_files(&in))
		r = nl_fail(err, "'%.24s': now is the last event's time, unknown before a pipe is read; give a whole time, as 2026-11-24T13:00", text);
	if (r == 0)
		r = nl_intake_run(&in, 0, NULL, NULL, err);
	if (r == 0 && nl_system_latest(in.system) >= 0)
		*us = nl_system_latest(in.system);
	nl_intake_free(&in);
	nl_system_free(in.system);
	if (at >= 0)
		os->syscall(SYS_lseek, 0, at, SEEK_SET, 0, 0, 0);
	return r;
}

/* What times are relative to: the clock, or the last event of files, which are read once more for that. */
static int find_now(struct observation *o, struct nl_err *err)
{
	const char *text = relative_time(o->l);
	o->ask.now_us = o->run->os->clock(CLOCK_REALTIME) / NL_US;
	return text && !o->live ? read_latest(o, text, &o->ask.now_us, err) : 0;
}

static int read_moment(const struct observation *o, const char *option, const char *text, int64_t *us, struct nl_err *err)
{
	*us = text ? nl_moment_read(text, o->ask.now_us) : 0;
	return *us >= 0 ? 0 : nl_fail(err, "%s: '%.60s': no time, as 2026-11-24T13:00, 13:00:05, 5m ago or now", option, text);
}

/* What is asked about is all that there is, but for --from and --to. */
static int set_span(struct observation *o, struct nl_err *err)
{
	const struct nl_observe_opts *l = o->l;
	if ((l->what.from || l->what.to) && l->snapshot)
		return nl_fail(err, "--snapshot: knows of no single events, so not with --from, --to or asof");
	if (find_now(o, err) < 0 || read_moment(o, "--from", l->what.from, &o->in.from_us, err) < 0)
		return -1;
	return read_moment(o, "--to", l->what.to, &o->in.to_us, err);
}

static int ask_server(struct observation *o)
{
	struct nl_out text;
	struct nl_err err = { "" };
	nl_out_init(&text, ANSWER_MAX);
	int r = nl_observe_ask(o->l, o->run, &text, &err);
	deliver(o, &text, r, &err);
	nl_out_free(&text);
	return 0;
}

static int observe(struct observation *o, struct nl_err *err)
{
	struct nl_observe_opts *l = o->l;
	if (l->socket && l->query != &nl_q_serve)
		return ask_server(o);
	struct nl_ticker printer = { .every = l->every.ns, .wake = print_again, .arg = o };
	char *words[16] = { NULL };
	assert(l->words < sizeof words / sizeof *words);
	memcpy(words, l->word, l->words * sizeof *words);
	o->live = l->follow || (l->query->live && !l->once);
	for (unsigned i = 0; i < l->sources; i++)
		o->live |= is_socket(l->word[l->words + i]);
	if (l->scrape && !o->live)
		return nl_fail(err, "--scrape: only while following (--follow)");
	if (open_system(o, err) < 0 || set_span(o, err) < 0)
		return -1;
	o->ask = (struct nl_ask){
		.run = o->run, .system = o->system, .arg = words, .args = l->words, .window_us = l->what.window.given ? l->what.window.ns / NL_US : 0,
		.by = l->what.by, .json = l->json, .md = l->what.md, .live = o->live, .past = l->what.from || l->what.to, .paper = &o->paper, .opts = l, .now_us = o->ask.now_us,
	};
	if (l->query->begin && l->query->begin(&o->ask, &o->in, err) < 0)
		return -1;
	o->reading = true;
	int r = add_sources(o, &o->in, err);
	if (l->every.given) {
		printer.at = nl_after(nl_now(o->run), printer.every);
		nl_intake_tick(&o->in, &printer);
	}
	o->save_at = nl_after(nl_now(o->run), save_each(l));
	struct nl_scrape *scrape = r == 0 && l->scrape ? nl_scrape_open(&o->ask, &o->in, l->scrape, err) : NULL;
	if (l->scrape && !scrape)
		r = -1;
	if (r == 0)
		r = nl_intake_run(&o->in, o->in.follow && l->snapshot ? save_each(l) : 0, wake, o, err);
	nl_scrape_close(scrape);
	assert(nl_lines_of(o->system) == o->before + o->in.lines);
	if (r == 0 && o->in.error != EPIPE)
		answer(o);
	if (r == 0 && l->snapshot)
		r = save(o, err);
	if (l->query->end)
		l->query->end(&o->ask);
	return r;
}

/* Sources that cannot be read: of check an answer, too, for to monitoring plugins a
 * status beyond 3 says nothing. */
static int unread(const struct observation *o)
{
	return o->l->query == &nl_q_check && o->reading ? NL_CHECK_UNKNOWN : NL_EX_FAIL;
}

static struct nl_outcome ended(const struct observation *o)
{
	if (o->error == EPIPE || o->in.error == EPIPE)
		return (struct nl_outcome){ SIGPIPE, NL_RAN };
	if (o->error)
		nl_say(o->run, "stdout: %s", strerror(o->error));
	if (o->error || o->in.error)
		return (struct nl_outcome){ NL_EXIT(NL_EX_FAIL), NL_RAN };
	if (o->in.troubles && (!o->status || (o->status == NL_CHECK_WARNING && unread(o) == NL_CHECK_UNKNOWN)))
		return (struct nl_outcome){ NL_EXIT(unread(o)), NL_RAN };
	if (o->run->stop_sig)
		return (struct nl_outcome){ o->run->stop_sig, nl_why_told(o->run) };
	return (struct nl_outcome){ NL_EXIT(o->status), NL_RAN };
}

struct nl_outcome nl_observe_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	struct observation o = { .l = (struct nl_observe_opts *)svc, .run = run, .q = &q };
	struct nl_err err = { "" };
	if (o.l->about) {
		char text[8192];
		nl_opt_about(&nl_observe, "nl-observe", o.l->about, false, text, sizeof text);
		struct nl_out out = { .buf = text, .n = strlen(text) };
		print(&o, &out);
		return ended(&o);
	}
	if (observe(&o, &err) < 0) {
		nl_say(run, "%s", err.msg);
		o.status = unread(&o);
	}
	struct nl_outcome out = ended(&o);
	nl_intake_free(&o.in);
	if (o.system)
		nl_system_free(o.system);
	return out;
}

