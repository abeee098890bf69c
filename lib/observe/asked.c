/* SPDX-License-Identifier: Apache-2.0 */
/*
 * asked.c - the command line of nl-observe: options, a query with its words, and
 * sources.
 */
#include "observe/observe.h"

#include "near.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const struct nl_opt options[] = {
	NL_ASKED_OPTS(struct nl_observe_opts, what, ""),
	NL_OPT(0, "json", struct nl_observe_opts, json, NULL, "print JSON", NULL),
	NL_OPT(0, "md", struct nl_observe_opts, what.md, NULL, "summary: print Markdown", NULL),
	NL_OPT(0, "stats", struct nl_observe_opts, stats, NULL, "print what became of every line", NULL),
	NL_OPT(0, "tee", struct nl_observe_opts, tee, NULL, "pass what is no event to standard error", NULL),
	NL_OPT('F', "follow", struct nl_observe_opts, follow, NULL, "go on at the end of the sources", NULL),
	NL_OPT(0, "every", struct nl_observe_opts, every, "DURATION", "with --follow: print again each DURATION", NULL),
	NL_OPT(0, "once", struct nl_observe_opts, once, NULL, "top: print once and exit", NULL),
	NL_OPT(0, "lateness", struct nl_observe_opts, lateness, "DURATION", "how late an event may be for windows", "5s, of files inf"),
	NL_OPT(0, "snapshot", struct nl_observe_opts, snapshot, "FILE", "go on from FILE, and write it at the end", NULL),
	NL_OPT(0, "max-series", struct nl_observe_opts, max_series, "N", "keep at most N policies", "2000"),
	NL_OPT(0, "socket", struct nl_observe_opts, socket, "FILE", "ask the server at FILE instead of reading", NULL),
	NL_OPT(0, "set", struct nl_observe_opts, what.set, "KEY=VALUE", "replay: under this value", NULL),
	NL_OPT(0, "assert", struct nl_observe_opts, what.assert_that, "EXPR", "replay: status 2 unless EXPR holds", NULL),
	NL_OPT(0, "as", struct nl_observe_opts, what.as, "prom|otlp-metrics|otlp|cloudevents|ecs", "export: the format", "prom"),
	NL_OPT(0, "out", struct nl_observe_opts, out, "FILE", "put the answer in the place of FILE, in one step", NULL),
	NL_OPT(0, "scrape", struct nl_observe_opts, scrape, "ADDRESS", "let Prometheus scrape at unix:PATH or 127.0.0.1:PORT", NULL),
	NL_OPT(0, "sort", struct nl_observe_opts, what.sort, "COLUMN", "top: by this column", NULL),
	NL_OPT(0, "filter", struct nl_observe_opts, what.filter, "TEXT", "top: policies with TEXT in their names", NULL),
	{ 0 }
};

bool nl_is_asked(const struct nl_opt *o)
{
	size_t at = offsetof(struct nl_observe_opts, what);
	return o->type != NL_ACTION && o->offset >= at && o->offset < at + sizeof(struct nl_asked);
}

bool nl_asked_window_fits(const struct nl_asked *what)
{
	return !what->window.given || (what->window.ns >= NL_SEC && what->window.ns <= NL_WINDOW_SECONDS * NL_SEC);
}

void nl_observe_unpack(struct nl_svc *svc, nl_unpack *unpack)
{
	((struct nl_observe_opts *)svc)->unpack = unpack;
}

static bool is_there(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0;
}

static bool is_source(const char *word)
{
	return !strcmp(word, "-") || !strncmp(word, "unix:", 5) || is_there(word);
}

/* The first operand is a query, else a source.  What a query may be given and need
 * not is none of its words if it is there as a file. */
static int find_query(struct nl_observe_opts *l, struct nl_err *err)
{
	const char *first = l->sources ? l->word[0] : NULL;
	if (first && !strcmp(first, nl_q_asof.name)) {
		if (l->sources < 2)
			return nl_fail(err, "asof: missing operand (nl-observe asof %s)", nl_q_asof.args);
		l->what.to = l->word[1];
		l->word += 2, l->sources -= 2;
	}
	const char *name = l->sources ? l->word[0] : NULL;
	l->query = name ? nl_query_of(name) : NULL;
	l->named = l->query;
	if (!l->named)
		l->query = nl_query_of("summary");
	if (l->query == &nl_q_asof)
		return nl_fail(err, "asof: twice");
	if (l->named)
		l->word++, l->sources--;
	else if (name && !strchr(name, '/') && !is_source(name)) {
		struct nl_near near = nl_near_to(name, strlen(name));
		for (unsigned i = 0; nl_queries[i]; i++)
			nl_near_try(&near, nl_queries[i]->name, strlen(nl_queries[i]->name));
		return nl_fail(err, "%.80s: neither a query nor a file%s%s%s", name, near.best ? ", did you mean " : "", near.best ? near.best : "",
		               near.best ? "?" : " (try --help)");
	}
	if (l->sources < l->query->least)
		return nl_fail(err, "%s: missing operand (nl-observe %s %s)", l->query->name, l->query->name, l->query->args);
	l->words = l->query->least;
	while (l->words < l->sources && l->words < l->query->most && !is_source(l->word[l->words]))
		l->words++;
	l->sources -= l->words;
	return 0;
}

/* Options may stand anywhere before a "--". */
static int observe_init(struct nl_svc *svc, char ***argv, struct nl_err *err)
{
	struct nl_observe_opts *l = (struct nl_observe_opts *)svc;
	svc->prints = true;
	l->word = *argv;
	if (nl_opt_words(svc, argv, &l->sources, &l->about, err) < 0)
		return -1;
	if (l->about)
		return 0;
	if (find_query(l, err) < 0)
		return -1;
	if (!nl_asked_window_fits(&l->what))
		return nl_fail(err, "--window: from 1s to 15m");
	if (l->what.window.given && !l->query->windowed)
		return nl_fail(err, "%s: has no --window", l->query->name);
	if (l->every.given && !l->follow)
		return nl_fail(err, "--every: only with --follow");
	if (l->every.given && !l->every.ns)
		return nl_fail(err, "--every: longer than 0");
	if (l->max_series.given && (l->max_series.n < 1 || l->max_series.n > NL_SERIES_MOST))
		return nl_fail(err, "--max-series: from 1 to %d", NL_SERIES_MOST);
	return 0;
}

static const char conditions[] =
	"\nConditions of check, as 'rate(db,5m) < 20%; warn: p99(db) <= 2s; lost == 0':\n"
	"  (POLICY[,WINDOW]): rate requests failures rejected timeouts pNN\n"
	"  (POLICY): attempts recovered retries_exhausted opens amplification\n"
	"            utilisation age state\n"
	"  without brackets: events lost killed calls failed_calls\n";

/* The list of queries, for --help and --complete. */
static size_t queries(char *buf, size_t size, bool help)
{
	size_t n = 0, at = help && size > sizeof conditions ? sizeof conditions - 1 : 0;
	memcpy(buf, conditions, at);
	for (unsigned i = 0; nl_queries[i]; i++)
		n = nl_opt_item(buf + at, size - at, n, help, "Queries", nl_queries[i]->name, nl_queries[i]->args, nl_queries[i]->about);
	return at + n;
}

const struct nl_layer nl_observe = {
	.name = "observe",
	.usage = "[OPTION]... [QUERY [WORD]...] [SOURCE]...",
	.about = "Answer questions about a system from its events.",
	.leaf = true,
	.mute = true,
	.more = queries,
	.opts = options,
	.size = sizeof(struct nl_observe_opts),
	.init = observe_init,
	.call = nl_observe_call,
};
