/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nlcheck - the judge of event lines: every line that a test makes our tools
 * emit comes here.  The tables below are nl-events(5) in the form of data.
 *
 * nlcheck [--canary TEXT] [--partial | --whole] [--stats] [FILE]...
 *
 * Silent and 0 when all is well, else "file:line: reason" and 1.  The FILEs (or
 * stdin) are one stream.  Text before the last marker of a line is foreign, as
 * are lines without one.  What is missing (events that nl.run.ended counted, a
 * span's nl.request.*) is missed in runs that have ended; with --whole every
 * run must have, with --partial nothing is missed.  --canary: TEXT must be in
 * no event.  --table prints what is judged: event, key, presence.
 */
#include "json.h"

#include <search.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK "{\"nl\":1,"
#define LINE_MAX_BYTES 4096
#define COUNT(a) (sizeof (a) / sizeof *(a))

enum form { ONE, TIME, EVENT, SEV, POLICY, NAME, KIND, TRACE, ID, NUMBER, FROM_1, SECONDS, BOOL,
            TEXT, DETAIL, TOOL, EXIT, SIGNAL, ERR, RETRY_END, FALLBACK_END, TIMEOUT_CAUSE, TROUBLE, STATE, FORCED, SHUT, OPENED,
            CLOSED, PART, SPANS, ARMS, HEDGE_CAUSE, ERRS, FULL, TOKENS, BY, COUNTED, FORMS };

#define ERR_WORDS "exit_[0-9]{1,3}|signal_[A-Z0-9+-]+|timeout|rejected|spawn|deadline"
#define ARM_END "(\"exit\":[0-9]{1,3}|\"signal\":\"[A-Z0-9+-]+\"),(\"err\":\"(" ERR_WORDS ")\",)?\"start_s\":[0-9]+\\.[0-9]{6},\"dur_s\":[0-9]+\\.[0-9]{6}"
#define ARM "\\{\"arm\":[1-9][0-9]*,\"cmd\":\"([^\"\\]|\\\\.)*\",\"end\":\"(not_started\"|(won|succeeded|failed|stopped)\"," ARM_END ")\\}"
#define ERR_COUNT "\"(" ERR_WORDS "|others)\":[1-9][0-9]*"

/* What a value must be: its JSON type, and its text (a string's unescaped). */
static const struct { const char *name; enum nl_json_type type; const char *pattern; } form[] = {
	[ONE] = { "1", NL_JSON_NUMBER, "^1$" },
	[TIME] = { "a UTC time with 6 decimals", NL_JSON_STRING, "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
	           "T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)\\.[0-9]{6}Z$" },
	[EVENT] = { "an event name", NL_JSON_STRING, "^nl\\.[a-z_]+\\.[a-z_]+$" },
	[SEV] = { "5, 9, 13 or 17", NL_JSON_NUMBER, "^(5|9|13|17)$" },
	[POLICY] = { "a policy name", NL_JSON_STRING, "^[A-Za-z0-9._:/-]+$" },
	[NAME] = { "a name", NL_JSON_STRING, "^[A-Za-z0-9][A-Za-z0-9._-]*$" },
	[KIND] = { "a kind", NL_JSON_STRING, "^(retry|timeout|breaker|bulkhead|race|fallback|run|control)$" },
	[TRACE] = { "32 hex digits", NL_JSON_STRING, "^[0-9a-f]{32}$" },
	[ID] = { "16 hex digits", NL_JSON_STRING, "^[0-9a-f]{16}$" },
	[NUMBER] = { "a whole number", NL_JSON_NUMBER, "^(0|[1-9][0-9]*)$" },
	[FROM_1] = { "a whole number above 0", NL_JSON_NUMBER, "^[1-9][0-9]*$" },
	[SECONDS] = { "seconds with 6 decimals", NL_JSON_NUMBER, "^(0|[1-9][0-9]*)\\.[0-9]{6}$" },
	[BOOL] = { "true or false", NL_JSON_TRUE, "^(true|false)$" },
	[TEXT] = { "a string", NL_JSON_STRING, "" },
	[DETAIL] = { "a string of at most 200 characters", NL_JSON_STRING, "" },
	[TOOL] = { "a tool", NL_JSON_STRING, "^nl-[a-z]+$" },
	[EXIT] = { "an exit status", NL_JSON_NUMBER, "^(0|[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5])$" },
	[SIGNAL] = { "a signal without SIG", NL_JSON_STRING, "^(([A-RT-Z]|S[A-HJ-Z])[A-Z0-9]*([+-][0-9]+)?|[0-9]{1,2})$" },
	[ERR] = { "an err", NL_JSON_STRING, "^(" ERR_WORDS ")$" },
	[RETRY_END] = { "a reason to stop", NL_JSON_STRING, "^(max_attempts|deadline|not_retryable|stdin|spool|output|stopped|budget)$" },
	[FALLBACK_END] = { "a reason to give up", NL_JSON_STRING, "^(all_failed|excepted|stdin|spool|stopped|deadline|output)$" },
	[TIMEOUT_CAUSE] = { "limit or idle", NL_JSON_STRING, "^(limit|idle)$" },
	[TROUBLE] = { "a kind of trouble", NL_JSON_STRING, "^(output_abandoned|pipe|retry_after|spawn|spool|stale|stream"
	              "|unavailable|unsafe|busy|corrupt|replaced|version|clock)$" },
	[STATE] = { "a state", NL_JSON_STRING, "^(closed|open|half_open|forced_open|forced_closed|disabled)$" },
	[FORCED] = { "a state that a person made", NL_JSON_STRING, "^(forced_open|forced_closed|disabled)$" },
	[SHUT] = { "a state that rejects", NL_JSON_STRING, "^(open|half_open|forced_open)$" },
	[OPENED] = { "a reason to open", NL_JSON_STRING, "^(consecutive|failure_rate|slow_rate|probe_failed|forced)$" },
	[CLOSED] = { "a reason to close", NL_JSON_STRING, "^(success|forced|reset)$" },
	[PART] = { "a part of 1 with 6 decimals", NL_JSON_NUMBER, "^(0\\.[0-9]{6}|1\\.000000)$" },
	[SPANS] = { "a list of at most 2 spans", NL_JSON_ARRAY, "^\\[(\"[0-9a-f]{16}\"(,\"[0-9a-f]{16}\")?)?\\]$" },
	[ARMS] = { "a list of arms", NL_JSON_ARRAY, "^\\[" ARM "(," ARM ")*\\]$" },
	[HEDGE_CAUSE] = { "failure or delay", NL_JSON_STRING, "^(failure|delay)$" },
	[ERRS] = { "counts of errs", NL_JSON_OBJECT, "^\\{(" ERR_COUNT "(," ERR_COUNT ")*)?\\}$" },
	[FULL] = { "a reason to reject", NL_JSON_STRING, "^(saturated|queue_full|timeout|stopped)$" },
	[TOKENS] = { "a number of tokens", NL_JSON_NUMBER, "^(0|[1-9][0-9]*)(\\.[0-9]{1,6})?$" },
	[COUNTED] = { "what it was to the breaker", NL_JSON_STRING, "^(success|failure|nothing)$" },
	[BY] = { "a person", NL_JSON_STRING, "^uid:(0|[1-9][0-9]*)$" },
};
_Static_assert(COUNT(form) == FORMS, "every form has its row");
/* Characters at most; 0: any number.  A bound in a pattern is slow to compile. */
static const size_t most[FORMS] = { [POLICY] = 64, [NAME] = 64, [NUMBER] = 19, [FROM_1] = 19, [BY] = 14, [DETAIL] = 200 };

/* WITH and ELSE: present exactly if the key before is, or is not. */
enum need { MUST, MAY, WITH, ELSE, IF_RETRY };
struct key { const char *name; enum form form; enum need need; };

#define K(name, form) { name, form, MUST }
static const struct key envelope[] = {
	K("nl", ONE), K("time", TIME), K("event", EVENT), K("sev", SEV), K("policy", POLICY), K("kind", KIND),
	K("trace_id", TRACE), K("span_id", ID), { "parent_id", ID, MAY }, K("run", ID), K("seq", NUMBER),
	K("pid", FROM_1), K("depth", NUMBER), K("mono_us", NUMBER), { "gen", FROM_1, MAY }, { NULL, ONE, MUST },
};

#define COUNT_OF_BREAKER { "counted", COUNTED, MAY }, { "permit", NUMBER, WITH }, { "asked_step", NUMBER, MAY }, \
	{ "asked_us", NUMBER, WITH }, { "step", NUMBER, MAY }, { "at_step", NUMBER, MAY }, { "at_us", NUMBER, MAY }, { "cfg", TEXT, MAY }
#define PLACE_IN_BULKHEAD { "came_us", NUMBER, MAY }, { "decided_us", NUMBER, WITH }, { "left_us", NUMBER, WITH }, { "found", NUMBER, WITH }, \
	{ "got_us", NUMBER, MAY }, { "refused", FULL, MAY }
#define PLACE K("step", NUMBER), K("at_us", NUMBER), { "cfg", TEXT, MAY }
#define OUTCOME { "exit", EXIT, MAY }, { "signal", SIGNAL, ELSE }

/* EITHER: in a call, or made by nl-ctl. */
enum role { STARTED, ENDED, REQUEST, IN_CALL, EITHER, ASIDE };

static const struct event {
	const char *name;
	int sev, sev_inner;             /* at depth 0, and deeper */
	const char *kind;               /* the only one that emits it, NULL: any */
	enum role role;
	struct key key[22];
} event[] = {
	{ "nl.run.started", 5, 5, NULL, STARTED, {
		K("tool", TOOL), K("ver", TEXT), K("cmd", TEXT), K("host", TEXT), K("boot", TEXT), K("cfg", TEXT) } },
	{ "nl.run.ended", 9, 9, NULL, ENDED, {
		OUTCOME, K("dur_s", SECONDS), K("events", FROM_1), { "dropped", FROM_1, MAY } } },
	{ "nl.request.success", 9, 9, NULL, REQUEST, {
		K("cmd", TEXT), OUTCOME, K("dur_s", SECONDS), { "attempts", NUMBER, IF_RETRY }, { "last_s", SECONDS, MAY }, COUNT_OF_BREAKER,
		PLACE_IN_BULKHEAD } },
	{ "nl.request.failure", 17, 13, NULL, REQUEST, {
		K("cmd", TEXT), OUTCOME, K("err", ERR), K("dur_s", SECONDS), { "attempts", NUMBER, IF_RETRY }, COUNT_OF_BREAKER,
		PLACE_IN_BULKHEAD } },
	{ "nl.retry.attempt", 13, 13, "retry", IN_CALL, {
		K("cmd", TEXT), K("attempt", FROM_1), K("max", NUMBER), OUTCOME, K("err", ERR), K("dur_s", SECONDS),
		K("delay_s", SECONDS), { "retry_after_s", SECONDS, MAY }, { "capped", BOOL, WITH }, { "held_bytes", NUMBER, MAY } } },
	{ "nl.retry.exhausted", 17, 17, "retry", IN_CALL, {
		K("attempts", NUMBER), K("max", NUMBER), K("reason", RETRY_END), OUTCOME, K("err", ERR),
		K("dur_s", SECONDS), K("slept_s", SECONDS), { "last_s", SECONDS, MAY },
		{ "budget", NAME, MAY }, { "tokens", TOKENS, WITH }, { "cost", TOKENS, WITH } } },
	{ "nl.timeout.occurred", 13, 13, NULL, IN_CALL, {
		K("cmd", TEXT), K("limit_s", SECONDS), K("dur_s", SECONDS), K("reason", TIMEOUT_CAUSE), K("signal", SIGNAL),
		{ "grace_s", SECONDS, MAY }, K("killed", BOOL) } },
	{ "nl.state.degraded", 13, 13, NULL, ASIDE, {
		K("reason", TROUBLE), K("detail", DETAIL) } },
	{ "nl.circuit.opened", 17, 17, "breaker", EITHER, {
		K("from", STATE), K("reason", OPENED), K("failures", NUMBER), K("calls", NUMBER),
		{ "rate", PART, MAY }, { "threshold", PART, WITH }, { "window_s", SECONDS, MAY }, { "window_calls", FROM_1, MAY },
		{ "open_s", SECONDS, MAY }, K("epoch", NUMBER), K("errs", ERRS), K("last", SPANS), PLACE } },
	{ "nl.circuit.half_open", 9, 9, "breaker", EITHER, {
		K("from", STATE), K("was_open_s", SECONDS), K("probes", FROM_1), K("epoch", NUMBER), PLACE } },
	{ "nl.circuit.closed", 9, 9, "breaker", EITHER, {
		K("from", STATE), K("reason", CLOSED), K("probes", NUMBER), K("was_open_s", SECONDS), K("epoch", NUMBER), PLACE } },
	{ "nl.circuit.forced", 9, 9, "breaker", EITHER, {
		K("from", STATE), K("state", FORCED), K("by", BY), K("epoch", NUMBER), K("step", NUMBER), K("at_us", NUMBER) } },
	{ "nl.circuit.rejected", 13, 13, "breaker", IN_CALL, {
		K("cmd", TEXT), K("state", SHUT), { "retry_after_s", SECONDS, MAY }, OUTCOME, K("epoch", NUMBER) } },
	{ "nl.circuit.stale", 5, 5, "breaker", IN_CALL, {
		K("cmd", TEXT), K("epoch", NUMBER), K("permit_epoch", NUMBER) } },
	{ "nl.bulkhead.acquired", 5, 5, "bulkhead", IN_CALL, {
		K("active", FROM_1), K("max", FROM_1), K("queued", NUMBER), K("waited_s", SECONDS), K("slot", NUMBER) } },
	{ "nl.bulkhead.released", 5, 5, "bulkhead", IN_CALL, {
		K("active", NUMBER), K("max", FROM_1), K("held_s", SECONDS), K("slot", NUMBER) } },
	{ "nl.bulkhead.rejected", 13, 13, "bulkhead", IN_CALL, {
		K("active", NUMBER), K("max", FROM_1), K("queued", NUMBER), K("reason", FULL), K("waited_s", SECONDS), OUTCOME } },
	{ "nl.race.hedged", 9, 9, "race", IN_CALL, {
		K("arm", FROM_1), K("reason", HEDGE_CAUSE), { "delay_s", SECONDS, MAY }, { "samples", NUMBER, MAY } } },
	{ "nl.race.won", 9, 9, "race", IN_CALL, {
		K("of", FROM_1), K("quorum", FROM_1), { "delay_s", SECONDS, MAY }, { "samples", NUMBER, MAY }, K("winner", FROM_1), OUTCOME,
		{ "err", ERR, MAY }, K("dur_s", SECONDS), K("arms", ARMS) } },
	{ "nl.race.lost", 17, 17, "race", IN_CALL, {
		K("of", FROM_1), K("quorum", FROM_1), { "delay_s", SECONDS, MAY }, { "samples", NUMBER, MAY }, OUTCOME,
		K("err", ERR), K("dur_s", SECONDS), K("arms", ARMS) } },
	{ "nl.fallback.used", 13, 13, "fallback", IN_CALL, {
		K("from", TEXT), K("to", TEXT), K("index", FROM_1), OUTCOME, K("err", ERR), K("dur_s", SECONDS), { "held_bytes", NUMBER, MAY } } },
	{ "nl.fallback.failed", 17, 17, "fallback", IN_CALL, {
		K("tried", NUMBER), K("reason", FALLBACK_END), OUTCOME, K("err", ERR), K("dur_s", SECONDS) } },
	{ "nl.fallback.stale", 13, 13, "fallback", IN_CALL, {
		K("key", NAME), K("age_s", SECONDS), K("bytes", NUMBER), OUTCOME, K("err", ERR) } },
	{ "nl.policy.conflict", 13, 13, NULL, IN_CALL, {
		K("key", TEXT), K("mine", TEXT), K("theirs", TEXT) } },
	{ "nl.control.command", 9, 9, "control", ASIDE, {
		K("op", TEXT), K("target", TEXT), { "old", TEXT, MAY }, { "new", TEXT, MAY }, K("by", BY), K("ok", BOOL), K("gen", NUMBER),
		{ "epoch", NUMBER, MAY }, { "step", NUMBER, WITH }, { "at_us", NUMBER, WITH } } },
	{ "nl.control.denied", 13, 13, "control", ASIDE, {
		K("op", TEXT), K("target", TEXT), K("by", BY), K("why", TEXT) } },
};

/* What is remembered of a run or a span.  The id comes first, for tsearch. */
struct record {
	char id[40], trace[40], pid[24];        /* id: run, or run/span */
	struct record *run, *next;              /* of a span: its run */
	const char *file;                       /* where the last line was */
	unsigned long line, lines;
	long long seq;
	bool done;                              /* nl.run.ended, or an nl.request.*, was seen */
};

static void *by_id;
static struct record *all, *run;
static unsigned long n_events, n_foreign, n_runs, n_spans;
static const char *file, *canary;       /* file and line: the place in the stream */
static unsigned long line;
static bool partial, whole, failed;
static const char *text;                /* the event: from its marker to the end of the line */
static struct nl_json_tok tok[128];
static char arena[4 * LINE_MAX_BYTES];  /* values as C strings, until the next line */
static size_t used;

static bool __attribute__((format(printf, 1, 2))) bad(const char *fmt, ...)
{
	va_list ap;

	printf("%s:%lu: ", file, line);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	failed = true;
	return false;
}

/* A value's text; a string's is unescaped. */
static const char *value(unsigned i)
{
	char *s = arena + used;
	unsigned len = tok[i].end - tok[i].start;

	if (len + 1 > sizeof arena - used)
		abort();
	memcpy(s, text + tok[i].start, len);
	s[len] = '\0';
	if (tok[i].type == NL_JSON_STRING)
		len = (unsigned)nl_json_string(text, &tok[i], s, len + 1);
	used += len + 1;
	return s;
}

static const char *get(const char *key)
{
	int i = nl_json_get(text, tok, 0, key);
	return i < 0 ? NULL : value((unsigned)i);
}

/* Compiled when first wanted: musl takes milliseconds for each. */
static bool matches(enum form f, const char *s)
{
	static regex_t compiled[FORMS];
	static bool done[FORMS];

	if (!done[f] && regcomp(&compiled[f], form[f].pattern, REG_EXTENDED | REG_NOSUB) != 0)
		abort();
	done[f] = true;
	return regexec(&compiled[f], s, 0, NULL, 0) == 0;
}

static bool check_form(const char *key, enum form f, unsigned i)
{
	size_t was = used, chars = 0;
	const char *s = value(i);
	bool type = tok[i].type == form[f].type || (f == BOOL && tok[i].type == NL_JSON_FALSE);
	bool nul = tok[i].type == NL_JSON_STRING && strlen(s) != used - was - 1;

	for (const char *p = s; *p; p++)
		chars += (*p & 0xc0) != 0x80;
	if (!type || nul || (most[f] && chars > most[f]) || !matches(f, s))
		return bad("%s: '%s' is not %s", key, s, form[f].name);
	return true;
}

/* The members from token *k on against a list of keys. */
static bool check_keys(const struct key *key, unsigned *k, bool retry)
{
	bool before = false;

	for (; key->name; key++) {
		const char *found = *k < tok[0].next ? value(*k) : "the end";
		bool must = key->need == WITH ? before : key->need == ELSE ? !before : key->need == IF_RETRY ? retry : key->need == MUST;
		bool here = (must || key->need == MAY) && *k < tok[0].next && strcmp(found, key->name) == 0;

		if (must && !here)
			return bad("expected %s, found %s", key->name, found);
		if (here) {
			if (!check_form(key->name, key->form, *k + 1))
				return false;
			*k = tok[*k + 1].next;
		}
		before = here;
	}
	return true;
}

/* -E makes a rejection of theirs any status. */
static bool chooses_exit(const char *kind)
{
	return strcmp(kind, "breaker") == 0 || strcmp(kind, "bulkhead") == 0;
}

/* What the members say about each other. */
static bool check_sense(const struct event *e)
{
	const char *exit = get("exit"), *signal = get("signal"), *err = get("err"), *kind = get("kind");
	const char *attempt = get("attempt"), *max = get("max"), *parent = get("parent_id"), *reason = get("reason");
	bool outermost = strcmp(get("depth"), "0") == 0;

	if (atoi(get("sev")) != (outermost ? e->sev : e->sev_inner))
		return bad("%s at depth %s has sev %s", e->name, get("depth"), get("sev"));
	if (e->kind && strcmp(kind, e->kind) != 0)
		return bad("%s by a policy of kind %s", e->name, kind);
	if (!outermost && !parent)
		return bad("depth %s without parent_id", get("depth"));
	if (parent && strcmp(parent, get("span_id")) == 0)
		return bad("a span is its own parent");
	if (err && ((strncmp(err, "exit_", 5) == 0 && (!exit || strcmp(err + 5, exit) != 0))
	            || (strncmp(err, "signal_", 7) == 0 && (!signal || strcmp(err + 7, signal) != 0))
	            || (strcmp(err, "rejected") == 0 && (!exit || (atoi(exit) != 75 && !chooses_exit(kind))))
	            || (strcmp(err, "spawn") == 0 && (!exit || atoi(exit) < 125 || atoi(exit) > 127))
	            || strcmp(err, "exit_75") == 0 || strcmp(err, "exit_124") == 0))
		return bad("err %s with %s %s", err, exit ? "exit" : "signal", exit ? exit : signal);
	if (reason && e->role == IN_CALL && strcmp(kind, "retry") == 0 && (strcmp(reason, "budget") == 0) != !!get("budget"))
		return bad("reason %s with%s a budget", reason, get("budget") ? "" : "out");
	if (get("window_s") && get("window_calls"))
		return bad("window_s with window_calls");
	if (attempt && strcmp(max, "0") != 0 && atoll(attempt) > atoll(max))
		return bad("attempt %s of %s", attempt, max);
	return true;
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The record of an id, brought up to this line; a new one is zero. */
static struct record *find(const char *id, unsigned long *count)
{
	static struct record *spare;

	if (!spare && !(spare = calloc(1, sizeof *spare)))
		abort();
	snprintf(spare->id, sizeof spare->id, "%s", id);
	struct record **slot = tsearch(spare, &by_id, compare), *r = slot ? *slot : (abort(), NULL);
	if (r == spare) {
		r->next = all;
		all = r;
		(*count)++;
		spare = NULL;
	}
	r->lines++;
	r->file = file;
	r->line = line;
	return r;
}

static bool check_run(const struct event *e)
{
	run = find(get("run"), &n_runs);
	long long seq = atoll(get("seq")), before = run->seq;

	run->seq = seq;
	if (run->lines == 1) {
		snprintf(run->trace, sizeof run->trace, "%s", get("trace_id"));
		snprintf(run->pid, sizeof run->pid, "%s", get("pid"));
	} else if (e->role == STARTED) {
		return bad("nl.run.started is not the first of run %s", run->id);
	} else if (seq <= before) {
		return bad("seq %lld after %lld in run %s", seq, before, run->id);
	} else if (run->done) {
		return bad("run %s goes on after nl.run.ended", run->id);
	} else if (strcmp(run->trace, get("trace_id")) != 0 || strcmp(run->pid, get("pid")) != 0) {
		return bad("run %s changes its trace_id or pid", run->id);
	}
	if (e->role == ENDED) {
		const char *dropped = get("dropped");
		unsigned long lost = dropped ? strtoul(dropped, NULL, 10) : 0;
		run->done = true;
		if (!partial && run->lines + lost != strtoul(get("events"), NULL, 10))
			return bad("%s events, but %lu lines and %lu dropped in run %s", get("events"), run->lines, lost, run->id);
	}
	return true;
}

static bool check_span(const struct event *e)
{
	char id[40];

	if (e->role != REQUEST && e->role != IN_CALL && e->role != EITHER)
		return true;
	snprintf(id, sizeof id, "%s/%s", get("run"), get("span_id"));
	if (e->role == EITHER && !tfind(id, &by_id, compare))
		return true;
	struct record *span = find(id, &n_spans);
	if (span->done)
		return bad("%s after the nl.request.* of span %s", e->name, id);
	span->run = run;
	span->done = e->role == REQUEST;
	return true;
}

static void check_missing(void)
{
	for (const struct record *r = all; r && !partial; r = r->next) {
		file = r->file;
		line = r->line;
		if (!r->done && !r->run && whole)
			bad("no nl.run.ended of run %s follows", r->id);
		else if (!r->done && r->run && (whole || r->run->done))
			bad("no nl.request.* of span %s follows", r->id);
	}
}

static bool check_event(size_t n)
{
	size_t at;
	unsigned k = 1;
	const struct event *e = event, *end = event + COUNT(event);

	if (text[n - 1] != '\n')
		return bad("no newline behind the event");
	if (n > LINE_MAX_BYTES)
		return bad("%zu bytes", n);
	int r = nl_json_parse(text, n, tok, COUNT(tok), &at);
	if (r < 0)
		return bad("not JSON at byte %zu of the event", at + 1);
	used = 0;
	for (int i = 0; canary && i < r; i++, used = 0)
		if (tok[i].type == NL_JSON_STRING && strstr(value((unsigned)i), canary))
			return bad("the canary is in it: %s", value((unsigned)i));
	for (; k < tok[0].next; k = tok[k + 1].next, used = 0)
		if (nl_json_get(text, tok, 0, value(k)) != (int)k + 1)
			return bad("duplicate key %s", value(k));
	k = 1;
	if (!check_keys(envelope, &k, false))
		return false;
	const char *name = get("event");
	while (e < end && strcmp(e->name, name) != 0)
		e++;
	if (e == end)
		return bad("unknown event %s", name);
	if (!check_keys(e->key, &k, strcmp(get("kind"), "retry") == 0))
		return false;
	if (k < tok[0].next)
		return bad("unexpected key %s", value(k));
	return check_sense(e) && check_run(e) && check_span(e);
}

static void check_stream(FILE *f)
{
	char *buf = NULL;
	size_t size = 0;
	ssize_t n;

	for (line = 1; (n = getline(&buf, &size, f)) > 0; line++) {
		const char *end = buf + n;
		text = NULL;
		for (char *p = buf; (p = memmem(p, (size_t)(end - p), MARK, strlen(MARK))); p++)
			text = p;
		*(text ? &n_events : &n_foreign) += 1;
		if (text)
			check_event((size_t)(end - text));
	}
	free(buf);
}

static void print_table(void)
{
	static const char *const need[] = { "must", "may", "with", "else", "retry" };

	for (const struct key *k = envelope; k->name; k++)
		printf("*\t%s\t%s\n", k->name, need[k->need]);
	for (size_t i = 0; i < COUNT(event); i++)
		for (const struct key *k = event[i].key; k->name; k++)
			printf("%s\t%s\t%s\n", event[i].name, k->name, need[k->need]);
}

int main(int argc, char **argv)
{
	bool stats = false;

	(void)argc;
	for (argv++; *argv && strncmp(*argv, "--", 2) == 0; argv++) {
		if (strcmp(*argv, "--canary") == 0 && argv[1])
			canary = *++argv;
		else if (strcmp(*argv, "--partial") == 0)
			partial = true;
		else if (strcmp(*argv, "--whole") == 0)
			whole = true;
		else if (strcmp(*argv, "--stats") == 0)
			stats = true;
		else if (strcmp(*argv, "--table") == 0)
			return print_table(), 0;
		else
			return fputs("usage: nlcheck [--canary TEXT] [--partial | --whole] [--stats] [FILE]...\n", stderr), 2;
	}
	do {
		file = *argv ? *argv : "stdin";
		FILE *f = *argv ? fopen(file, "re") : stdin;
		if (!f)
			return perror(file), 2;
		check_stream(f);
		fclose(f);
	} while (*argv && *++argv);
	check_missing();
	if (stats)
		printf("events %lu, runs %lu, spans %lu, foreign lines %lu\n", n_events, n_runs, n_spans, n_foreign);
	return failed;
}
