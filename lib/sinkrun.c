/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sinkrun.c - nl-sink: events from stdin to where a specification says.
 *
 * A delivery program: it waits for places that are full, so whoever writes to it
 * waits too, and what could not be delivered is counted and is status 1.
 */
#include "sinkrun.h"

#include "event.h"
#include "opt.h"
#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EX_LOST = 1, LINE = 64 * 1024 };

/* After a signal that stops us: others have something to say about it, too. */
#define LAST_WORDS NL_SEC

struct tool {
	struct nl_svc svc;
	struct nl_span wait;
	bool stats;
	const char *spec;
	struct nl_sink *sink;
};

static const struct nl_opt options[] = {
	NL_OPT('w', "wait", struct tool, wait, "DURATION", "wait so long for a place that is full; 0 never", "inf"),
	NL_OPT(0, "stats", struct tool, stats, NULL, "tell at the end what each place took", NULL),
	{ 0 }
};

static int sink_init(struct nl_svc *svc, char ***argv, struct nl_err *err)
{
	struct tool *t = (struct tool *)svc;
	svc->prints = true;
	if (!**argv)
		return nl_fail(err, "missing PLACE (try --help)");
	t->spec = *(*argv)++;
	if (**argv)
		return nl_fail(err, "'%.100s': one PLACE is enough (is it in quotes?)", **argv);
	t->sink = nl_sink_parse(t->spec, NL_DELIVER, err);
	return t->sink ? 0 : -1;
}

struct intake {
	struct nl_delivery *d;
	char buf[LINE];
	size_t n;                       /* bytes in it */
	bool skip;                      /* the line is too long: it is none of ours up to its end */
	char room[NL_FACT_MAX], out[NL_FACT_MAX + 1];
	uint64_t events, lost;
	int error;                      /* of stderr, which takes what is no event */
};

static void pass(struct intake *in, const char *text, size_t n)
{
	if (n && !in->error)
		in->error = nl_pour(in->d, 2, text, n);
}

static bool is_blank(const char *s, size_t n)
{
	while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t' || s[n - 1] == '\r'))
		n--;
	return n == 0;
}

/* One line, without its newline; whole is with it. */
static void take(struct intake *in, const char *text, size_t n, size_t whole)
{
	struct nl_fact f;
	if (in->skip || nl_fact_read(&f, text, n, in->room) != NL_LINE_OK || f.line.n >= NL_FACT_MAX) {
		pass(in, text, whole);
		return;
	}
	if (f.line.s >= text && f.line.s < text + n) {
		const char *behind = f.line.s + f.line.n;
		pass(in, text, (size_t)(f.line.s - text));
		if (!is_blank(behind, (size_t)(text + n - behind)))
			pass(in, behind, (size_t)(text + whole - behind));
	}
	memcpy(in->out, f.line.s, f.line.n);
	in->out[f.line.n] = '\n';
	struct nl_parcel p = { ++in->events, &f, in->out, f.line.n + 1 };
	in->lost += nl_deliver_parcel(in->d, &p) == NL_LOST;
}

static void take_lines(struct intake *in, bool end)
{
	size_t from = 0;
	for (char *nl; (nl = memchr(in->buf + from, '\n', in->n - from)) != NULL;) {
		size_t n = (size_t)(nl - in->buf) - from;
		take(in, in->buf + from, n, n + 1);
		in->skip = false;
		from += n + 1;
	}
	memmove(in->buf, in->buf + from, in->n -= from);
	if (in->n == sizeof in->buf || (end && in->n)) {
		in->skip |= in->n == sizeof in->buf;
		take(in, in->buf, in->n, in->n);
		in->n = 0;
	}
}

/* What each place did. */
static void tell(const struct nl_delivery *d, const struct nl_sink *s, bool all)
{
	if (s->a) {
		tell(d, s->a, all);
		tell(d, s->b, all);
		return;
	}
	const struct nl_outlet *o = s->outlet;
	uint64_t evicted = o->ring ? nl_ring_evicted(o->ring) : 0;
	char text[200] = "";
	int n = 0;
	if (s->type == NL_SINK_OFF || (!all && !o->lost && !o->unheard && !evicted))
		return;
	if (o->lost)
		n += snprintf(text + n, sizeof text - (size_t)n, ", %llu not: %.80s", (unsigned long long)o->lost, nl_place_reason(s, o->error));
	if (o->below)
		n += snprintf(text + n, sizeof text - (size_t)n, ", %llu dropped below @%s", (unsigned long long)o->below, s->level == NL_WARN ? "warn" : "info");
	if (o->unheard)
		n += snprintf(text + n, sizeof text - (size_t)n, ", %llu without a subscriber", (unsigned long long)o->unheard);
	if (evicted)
		snprintf(text + n, sizeof text - (size_t)n, ", %llu evicted", (unsigned long long)evicted);
	nl_say(d->run, "%.200s: %llu taken%s", s->text, (unsigned long long)o->taken, text);
}

static void tell_subscribers(struct nl_delivery *d, const struct nl_sink *s, bool all)
{
	if (s->a) {
		tell_subscribers(d, s->a, all);
		tell_subscribers(d, s->b, all);
	} else if (s->outlet->cast) {
		nl_cast_tell(d, s->outlet->cast, s->path, all);
	}
}

/* The lines that are kept, to stdout: 0, errno. */
static int print_kept(struct nl_delivery *d, const struct nl_sink *s)
{
	if (!s->a)
		return s->outlet->ring ? nl_ring_print(d, s->outlet->ring) : 0;
	int a = print_kept(d, s->a), b = print_kept(d, s->b);
	return a ? a : b;
}

static int report(struct intake *in, bool all)
{
	struct nl_delivery *d = in->d;
	int error = print_kept(d, d->sink);
	if (error)
		nl_say(d->run, "stdout: %s", strerror(error));
	if (in->lost || all)
		nl_say(d->run, "%llu events, %llu lost", (unsigned long long)in->events, (unsigned long long)in->lost);
	tell(d, d->sink, all);
	tell_subscribers(d, d->sink, all);
	return error;
}

static nl_time last_moment(const struct nl_delivery *d)
{
	return d->stopped_at == NL_NEVER ? NL_NEVER : d->run->told > 1 ? 0 : nl_after(d->stopped_at, LAST_WORDS);
}

/* 0, or the errno of stdin. */
static int read_all(struct intake *in)
{
	struct nl_delivery *d = in->d;
	for (;;) {
		if (d->report) {
			d->report = false;
			report(in, true);
		}
		if (d->run->stop_sig && nl_now(d->run) >= last_moment(d))
			return 0;
		if (!nl_await(d, 0, POLLIN, last_moment(d)))
			continue;
		ssize_t n = d->run->os->read(0, in->buf + in->n, sizeof in->buf - in->n);
		if (n == -EAGAIN || n == -EINTR)
			continue;
		if (n <= 0)
			return (int)-n;
		in->n += (size_t)n;
		take_lines(in, false);
	}
}

/* A subscriber gets the rest of its line, if it takes it now. */
static void settle(struct nl_delivery *d)
{
	nl_time until = nl_after(nl_now(d->run), NL_SEC);
	bool owes = true;
	while (owes && nl_now(d->run) < until && d->run->told < 2) {
		owes = false;
		for (const struct nl_cast *c = d->casts; c; c = nl_cast_next(c))
			owes |= nl_cast_owes(c);
		if (owes)
			nl_await(d, -1, 0, until);
	}
}

static int run_all(struct tool *t, struct intake *in)
{
	struct nl_delivery *d = in->d;
	int error = read_all(in);
	take_lines(in, true);
	settle(d);
	if (error)
		nl_say(d->run, "stdin: %s", strerror(error));
	int unprinted = report(in, t->stats);
	return error ? NL_EX_FAIL : in->lost || unprinted ? EX_LOST : 0;
}

static struct nl_outcome sink_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	(void)q;                        // Nothing is around us.
	struct tool *t = (struct tool *)svc;
	struct nl_delivery *d = calloc(1, sizeof *d);
	struct intake *in = calloc(1, sizeof *in);
	int status = NL_EX_FAIL;
	if (d && in) {
		d->run = run, d->spec = t->spec, d->sink = t->sink;
		d->wait = t->wait.given ? t->wait.ns : NL_NEVER;
		in->d = d;
		if (nl_delivery_open(d) == 0)
			status = run_all(t, in);
		else
			nl_say(run, "out of memory");
		nl_delivery_close(d);
	}
	free(in);
	free(d);
	return run->stop_sig ? (struct nl_outcome){ run->stop_sig, nl_why_told(run) } : (struct nl_outcome){ NL_EXIT(status), NL_RAN };
}

static void sink_free(struct nl_svc *svc)
{
	nl_sink_free(((struct tool *)svc)->sink);
}

static const struct { const char *place, *arg, *about; } places[] = {
	{ "null", "", "nowhere" },
	{ "log", "", "lines for people, to standard error" },
	{ "log:syslog", "", "the same, to syslog or the journal" },
	{ "memory:", "N", "the last N (10000), printed at the end and on USR1" },
	{ "stream:", "PATH", "a socket that any number of subscribers may join" },
	{ "unix:", "PATH", "a socket that somebody reads" },
	{ "fifo:", "PATH", "a named pipe that somebody reads" },
	{ "stderr", "", "standard error" },
	{ "fd:", "N", "descriptor N" },
	{ "./", "FILE", "appended to a file" },
	{ "./", "DIRECTORY/", "appended to a file for each hour" },
};

/* The places, for --help and --complete. */
static size_t list_places(char *buf, size_t size, bool help)
{
	size_t n = 0;
	char line[120];
	for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
		int width = 24 - (int)strlen(places[i].place);
		int len = help ? snprintf(line, sizeof line, "%s  %s%-*s%s\n", i ? "" : "\nPlaces:\n", places[i].place, width, places[i].arg, places[i].about)
		               : snprintf(line, sizeof line, "%s\t%s\t%s\n", places[i].place, places[i].arg, places[i].about);
		if (n + (size_t)len < size)
			memcpy(buf + n, line, (size_t)len + 1);
		n += (size_t)len;
	}
	return n;
}

const struct nl_layer nl_sink_tool = {
	.name = "sink",
	.usage = "[-w DURATION] [--stats] PLACE",
	.about = "Deliver events from standard input: A + B to both, A | B to B what A cannot take.",
	.leaf = true,
	.mute = true,
	.more = list_places,
	.opts = options,
	.size = sizeof(struct tool),
	.init = sink_init,
	.call = sink_call,
	.free = sink_free,
};
