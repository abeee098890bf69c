/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retry.c - run the command until it succeeds, or until there is a reason not
 * to run it again.
 *
 * nl_classify() says what an outcome is and next_delay() how long to wait; both
 * are pure.  retry_call() does what they say.  Why it gave up is one word, the
 * same in events, in --report and in the man page.
 */
#include "backoff.h"
#include "event.h"
#include "exec.h"
#include "io.h"
#include "match.h"
#include "mut.h"
#include "opt.h"
#include "report.h"
#include "run.h"
#include "spend.h"
#include "state.h"
#include "stdin.h"
#include "stop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

struct retry {
	struct nl_svc svc;
	struct nl_num attempts;
	struct nl_backoff backoff;
	enum nl_jitter jitter;
	struct nl_span total, per_attempt, reset_after;
	struct nl_stopper stop;
	struct nl_codes on, except, ok;
	const char *retry_if, *retry_after;
	bool hold, quiet, dry_run;
	struct nl_word input;
	struct nl_seed seed;
	const char *on_retry, *on_giveup, *report, *budget;
	struct nl_budget_ref purse;     /* what --budget says */
	struct nl_match *match;
};

static const struct nl_opt options[] = {
	NL_OPT('n', "attempts", struct retry, attempts, "N", "run COMMAND at most N times; inf: without limit", "3"),
	NL_OPT('b', "backoff", struct retry, backoff, "KIND:BASE[..CAP]", "wait constant, linear, exponential or fibonacci",
	       "exponential:1s..60s"),
	NL_OPT('j', "jitter", struct retry, jitter, "JITTER", "none, full, equal, decorrelated, finagle or polly", "full"),
	NL_OPT('T', "total", struct retry, total, "DURATION", "limit of everything, waits included", NULL),
	NL_OPT('t', "per-attempt", struct retry, per_attempt, "DURATION", "limit of each attempt", NULL),
	NL_OPT_STOP_K(struct retry, stop),
	NL_OPT_STOP_S(struct retry, stop),
	NL_OPT_STOP_KILL(struct retry, stop),
	NL_OPT(0, "on", struct retry, on, "SET", "outcomes to retry", "any but 0, 75, 125-127, SIGPIPE"),
	NL_OPT(0, "except", struct retry, except, "SET", "outcomes not to retry", NULL),
	NL_OPT(0, "ok", struct retry, ok, "SET", "outcomes that are success", "0"),
	NL_OPT(0, "retry-if", struct retry, retry_if, "ERE", "retry only if a line of output matches", NULL),
	NL_OPT(0, "retry-after", struct retry, retry_after, "FILE", "COMMAND writes there when to come back", NULL),
	NL_OPT(0, "reset-after", struct retry, reset_after, "DURATION", "an attempt that lasts so long starts the count anew", NULL),
	NL_OPT('O', "hold", struct retry, hold, NULL, "pass on the stdout of the successful attempt alone", NULL),
	NL_OPT('q', "quiet", struct retry, quiet, NULL, "no output unless it gives up: then the last attempt's", NULL),
	NL_OPT(0, "stdin", struct retry, input, "auto|replay|inherit|null", "what attempts read", "auto"),
	NL_OPT(0, "budget", struct retry, budget, "NAME[:PROFILE]", "share retries with all who name this budget", NULL),
	NL_OPT(0, "seed", struct retry, seed, "N", "make jitter reproducible", NULL),
	NL_OPT(0, "on-retry", struct retry, on_retry, "COMMAND", "run by sh before each wait", NULL),
	NL_OPT(0, "on-giveup", struct retry, on_giveup, "COMMAND", "run by sh when it gives up", NULL),
	NL_OPT(0, "report", struct retry, report, "FILE", "write the whole story there, as JSON", NULL),
	NL_OPT(0, "dry-run", struct retry, dry_run, NULL, "print the waits and run nothing", NULL),
	{ 0 }
};

static int retry_init(struct nl_svc *svc, char ***argv, struct nl_err *err)
{
	struct retry *r = (struct retry *)svc;
	if (!r->attempts.given)
		r->attempts.n = 3;
	if (r->backoff.kind == NL_EXPONENTIAL && !r->backoff.base && !r->backoff.cap)
		r->backoff = (struct nl_backoff){ .kind = NL_EXPONENTIAL, .base = NL_SEC, .cap = 60 * NL_SEC };
	if (r->retry_if) {
		struct nl_err why;
		r->match = nl_match_new(r->retry_if, &why);
		if (!r->match)
			return nl_fail(err, "--retry-if: %.200s", why.msg);
	}
	if (r->budget) {
		struct nl_err why;
		if (nl_budget_ref_parse(r->budget, &r->purse, &why) < 0)
			return nl_fail(err, "--budget: '%.70s': %.120s", r->budget, why.msg);
	}
	(void)argv;                             // No operands of its own.
	svc->silent = r->quiet;
	svc->prints = r->dry_run;
	return 0;
}

static void retry_free(struct nl_svc *svc)
{
	nl_match_free(((struct retry *)svc)->match);
}

/* One call: what changes from attempt to attempt. */
struct call {
	struct retry *r;
	struct nl_run *run;
	struct nl_req q;                /* with the limit of --total */
	const struct nl_req *outside;
	struct nl_span_of of;
	struct nl_story story;
	struct nl_stdin in;
	struct nl_hold hold[2];
	struct nl_jitter_state jitter;
	uint64_t rnd;
	unsigned k;                     /* attempt, since --reset-after began anew; 0: it just did */
	nl_time at;                     /* when the last attempt ended */
	nl_time last;                   /* how long it took; -1: it was told of, or there was none */
	struct nl_note note[2];
	int report;
	struct nl_spend *spend;         /* NULL: no budget */
};

static nl_time next_delay(struct call *c)
{
	return nl_jittered(c->r->jitter, &c->r->backoff, c->k ? c->k : 1, &c->jitter, c->run->os->unit(&c->rnd));
}

NL_COLD static struct nl_outcome dry_run(struct retry *r, struct nl_run *run, const struct nl_req *q)
{
	struct call c = { .r = r, .run = run, .rnd = r->seed.given ? r->seed.n : nl_seed(run) };
	nl_time delay = 0;
	int error = 0;
	enum nl_why why = NL_RAN;
	for (c.k = 1; (!r->attempts.n || c.k <= r->attempts.n) && !error && why == NL_RAN; c.k++) {
		char line[64];
		int n = snprintf(line, sizeof line, "%u\t%lld.%06lld\n", c.k, (long long)(delay / NL_SEC),
		                 (long long)(delay % NL_SEC / NL_US));
		why = nl_put(run, q, nl_chain(run, q, 0), line, (size_t)n, &error);
		delay = next_delay(&c);
	}
	if (why != NL_RAN)
		return (struct nl_outcome){ run->stop_sig ? run->stop_sig : SIGTERM, why };
	return (struct nl_outcome){ error == EPIPE ? SIGPIPE : error ? NL_EXIT(NL_EX_FAIL) : 0, NL_RAN };
}

/* Reads what the command left in --retry-after.  -1: nothing to be told. */
NL_COLD static nl_time asked_delay(struct call *c)
{
	char text[16384];
	struct nl_err err;
	nl_time asked;
	const struct nl_os *os = c->run->os;
	int fd = os->open(c->r->retry_after, O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	size_t n = 0;
	ssize_t r;
	while (n < sizeof text && (r = os->read(fd, text + n, sizeof text - n)) != 0) {
		if (r < 0 && r != -EINTR)
			break;
		n += r > 0 ? (size_t)r : 0;
	}
	os->close(fd);
	int found = nl_parse_retry_after(text, n, os->clock(CLOCK_REALTIME), &asked, &err);
	if (found < 0) {
		nl_say(c->run, "--retry-after: %s: %s", c->r->retry_after, err.msg);
		nl_degraded(c->run, c->of, "retry_after", err.msg);
	}
	return found > 0 ? asked : -1;
}

static void empty_retry_after(struct call *c)
{
	int fd = c->run->os->open(c->r->retry_after, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (fd < 0)
		nl_say(c->run, "--retry-after: %s: %s", c->r->retry_after, strerror(-fd));
	else
		c->run->os->close(fd);
}

/* What it is to a budget: an answer to come back later is the service's. */
static enum nl_budget_cause cause_of(struct nl_outcome o, bool asked)
{
	if (asked || nl_code(o.wstatus) == NL_EX_REJECTED)
		return NL_CAUSE_THROTTLE;
	return o.why == NL_DEADLINE || nl_code(o.wstatus) == NL_EX_TIMEOUT ? NL_CAUSE_TIMEOUT : NL_CAUSE_ERROR;
}

static void prepare_streams(struct call *c)
{
	for (int i = 0; i < 2; i++) {
		if (c->r->quiet || (c->r->hold && i == 0)) {
			nl_hold_init(&c->hold[i], nl_chain(c->run, c->outside, i));
			c->q.io.tap[i] = &c->hold[i].tap;
		}
		if (c->r->match) {
			c->r->match->tap[i].tap.next = nl_chain(c->run, &c->q, i);
			c->q.io.tap[i] = &c->r->match->tap[i].tap;
		}
	}
}

NL_COLD static void tell_cut(struct call *c, nl_time limit, nl_time dur)
{
	struct nl_event e;
	char name[16];
	const struct nl_stopper *s = &c->r->stop;
	if (!nl_event_open(&e, c->run, c->of, "nl.timeout.occurred", NL_WARN))
		return;
	nl_event_str(&e, "cmd", c->r->svc.cmd, 64);
	nl_event_secs(&e, "limit_s", limit);
	nl_event_secs(&e, "dur_s", dur);
	nl_event_str(&e, "reason", "limit", 8);
	nl_event_str(&e, "signal", nl_signal_name(s->sig.set ? s->sig.n : SIGTERM, name), 16);
	if (nl_stopper_span(s) != NL_NEVER)
		nl_event_secs(&e, "grace_s", nl_stopper_span(s));
	nl_event_bool(&e, "killed", c->run->killed);
	nl_event_emit(&e);
}

/* Runs the command once.  *cut: the limit of ours that ended it, 0 none. */
static struct nl_outcome attempt(struct call *c, nl_time *began, nl_time *cut, struct nl_limit *limit)
{
	struct retry *r = c->r;
	struct nl_req q = c->q;
	for (int i = 0; i < 2 && !MUTANT(KEEPS_HELD); i++)
		nl_spool_reset(c->run, &c->hold[i].spool);
	if (r->match)
		nl_match_begin(r->match);
	if (r->retry_after)
		empty_retry_after(c);
	nl_stdin_begin(c->run, &c->in);
	q.attempt = c->k;
	c->story.attempts++;
	*began = c->k == 1 && c->story.attempts == 1 ? c->story.began : nl_now(c->run);
	q.now = *began;
	if (r->per_attempt.ns > 0 && nl_after(*began, r->per_attempt.ns) < q.limit.at)
		q.limit = nl_stopper_limit(&r->stop, &r->svc, nl_after(*began, r->per_attempt.ns));
	struct nl_outcome o = nl_do(r->svc.inner, c->run, q);
	c->at = nl_now(c->run);
	c->last = c->at - *began;
	*cut = 0, *limit = q.limit;
	if (nl_limit_hit(c->run, &r->svc, o, q.limit.owner == &r->svc ? q.limit.at : NL_NEVER)) {
		*cut = q.limit.at == c->q.limit.at ? r->total.ns : r->per_attempt.ns;
		tell_cut(c, *cut, c->at - *began);
		o = (struct nl_outcome){ NL_EXIT(NL_EX_TIMEOUT), NL_RAN };
	}
	return o;
}

/* Output that was kept until now.  Changes the outcome if it cannot be delivered. */
NL_COLD static struct nl_outcome deliver(struct call *c, int i, struct nl_outcome o, const char **word)
{
	o = nl_deliver(c->run, &c->q, &c->hold[i], i, o, word);
	if (o.why == NL_DEADLINE && c->run->fired == &c->r->svc)
		return (struct nl_outcome){ NL_EXIT(NL_EX_TIMEOUT), NL_RAN };
	return o;
}

NL_COLD static void tell_retry(struct call *c, struct nl_outcome o, unsigned number, nl_time dur, nl_time delay, nl_time asked)
{
	struct nl_event e;
	char err[24], max[16], what[32], secs[2][32];
	const char *name = nl_err_name(o, err);
	if (!nl_event_open(&e, c->run, c->of, "nl.retry.attempt", NL_WARN))
		return;
	nl_event_str(&e, "cmd", c->r->svc.cmd, 64);
	nl_event_int(&e, "attempt", number);
	nl_event_int(&e, "max", c->r->attempts.n);
	nl_event_end_of(&e, o.wstatus);
	nl_event_str(&e, "err", name ? name : "exit_0", 24);
	nl_event_secs(&e, "dur_s", dur);
	nl_event_secs(&e, "delay_s", delay);
	if (asked >= 0) {
		nl_event_secs(&e, "retry_after_s", asked);
		nl_event_bool(&e, "capped", asked > delay);
	}
	if (c->r->hold)
		nl_event_int(&e, "held_bytes", c->hold[0].spool.len);
	max[0] = '\0';
	if (c->r->attempts.n)
		snprintf(max, sizeof max, "/%u", c->r->attempts.n);
	nl_event_human(&e, "retry: attempt %u%s failed: %s after %s, retry in %s%s", number, max, nl_outcome_text(o, what),
	               nl_secs_text(dur, secs[0]), nl_secs_text(delay, secs[1]),
	               asked > delay ? " (capped: it was asked to wait longer)" : asked >= 0 ? " (as asked)" : "");
	nl_event_emit(&e);
}

/* Thousandths of a token as nanoseconds, so that they are written as seconds are. */
static nl_time some(int64_t tokens)
{
	return tokens < NL_NEVER / NL_MS ? tokens * NL_MS : NL_NEVER;
}

NL_COLD static void tell_exhausted(struct call *c, struct nl_outcome o, const char *why)
{
	struct nl_event e;
	char err[24], what[32];
	const char *name = nl_err_name(o, err);
	if (!nl_event_open(&e, c->run, c->of, "nl.retry.exhausted", NL_ERROR))
		return;
	nl_event_int(&e, "attempts", c->story.attempts);
	nl_event_int(&e, "max", c->r->attempts.n);
	nl_event_str(&e, "reason", why, 24);
	nl_event_end_of(&e, o.wstatus);
	nl_event_str(&e, "err", name ? name : "exit_0", 24);
	nl_event_secs(&e, "dur_s", c->at - c->story.began);
	nl_event_secs(&e, "slept_s", c->story.slept);
	if (c->last >= 0)
		nl_event_secs(&e, "last_s", c->last);
	bool spent = !strcmp(why, "budget");
	if (spent) {
		nl_event_str(&e, "budget", c->r->purse.name, NL_NAME_MAX);
		nl_event_secs(&e, "tokens", some(c->spend->tokens));
		nl_event_secs(&e, "cost", some(c->spend->cost));
	}
	nl_outcome_text(o, what);
	const char *text = o.why == NL_DEADLINE || nl_code(o.wstatus) == NL_EX_TIMEOUT ? "timeout" : what;
	if (!strcmp(why, "not_retryable") && nl_code(o.wstatus) == NL_EX_REJECTED)
		nl_event_human(&e, "retry: not retried: %s (rejected); --on %d would", text, nl_code(o.wstatus));
	else if (!strcmp(why, "not_retryable"))
		nl_event_human(&e, "retry: not retried: %s", text);
	else if (spent)
		nl_event_human(&e, "retry: not retried: %s; the budget %.64s is spent (%lld tokens left, a retry takes %lld)", text,
		               c->r->purse.name, (long long)(c->spend->tokens / 1000), (long long)(c->spend->cost / 1000));
	else if (!strcmp(why, "stdin"))
		nl_event_human(&e, "retry: not retried: %s; the attempt has read from a shared stdin (--stdin=replay would)", text);
	else
		nl_event_human(&e, "retry: gave up after %u attempt%s: %s%s", c->story.attempts, c->story.attempts == 1 ? "" : "s",
		               text, !strcmp(why, "deadline") ? " (no time left for another)" : "");
	nl_event_emit(&e);
}

/* After a failure that may be retried: the reason against it, or NULL. */
static const char *reason_against(struct call *c)
{
	if (c->r->attempts.n && c->k >= c->r->attempts.n + MUTANT(ONE_MORE))
		return "max_attempts";
	const char *why = nl_stdin_spent(c->run, &c->in);
	if (why && !strcmp(why, "spool"))
		nl_degraded(c->run, c->of, "spool", "the input could not be kept for another attempt");
	return why;
}

/* The status when work is left undone because we were told to stop, or an
 * enclosing limit passed: that of a command which died of the stop signal. */
static struct nl_outcome stopped(struct call *c, enum nl_why why, struct nl_limit limit)
{
	int sig = c->run->stop_sig ? c->run->stop_sig : limit.sig;
	return (struct nl_outcome){ sig ? sig : NL_EXIT(NL_EX_TIMEOUT), why };
}

/* Runs attempts until the outcome is final.  *why: the word for it. */
static struct nl_outcome attempts(struct call *c, const char **why)
{
	struct retry *r = c->r;
	for (c->k = 1;; c->k++) {
		nl_time began, cut;
		struct nl_limit limit;
		struct nl_outcome o = attempt(c, &began, &cut, &limit);
		enum nl_class class = nl_classify(&r->on, &r->except, &r->ok, o);
		if (class == NL_CLASS_SUCCESS) {
			*why = "success";
			if (c->spend)
				nl_spend_ok(c->spend);
			return o;
		}
		nl_time dur = c->at - began;
		unsigned number = c->k;
		if (r->match && class == NL_CLASS_FAILURE && !nl_match_found(r->match))
			class = NL_CLASS_NEITHER;
		if (r->reset_after.ns > 0 && dur >= r->reset_after.ns)
			c->k = 0, c->jitter = (struct nl_jitter_state){ 0 };
		struct nl_failure f = { .attempt = c->story.attempts, .outcome = o, .dur = dur, .delay = -1 };
		if (c->spend && class == NL_CLASS_FAILURE && o.why != NL_CANCELLED)
			nl_spend_failed(c->spend, cause_of(o, false));
		*why = class == NL_CLASS_NEITHER ? "not_retryable" : reason_against(c);
		if (!*why && (o.why == NL_DEADLINE || o.why == NL_CANCELLED))
			*why = "stopped", o = stopped(c, o.why, nl_limit(&c->q));
		else if (!*why && cut && cut == r->total.ns && limit.at == c->q.limit.at)
			*why = "deadline";
		if (*why) {
			nl_story_failed(&c->story, f);
			return o;
		}
		f.delay = next_delay(c);
		nl_time asked = r->retry_after ? asked_delay(c) : -1;
		if (asked > f.delay && f.delay < r->backoff.cap)
			f.delay = asked < r->backoff.cap ? asked : r->backoff.cap;
		nl_time until = nl_after(c->at, f.delay);
		if (!MUTANT(SLEEPS_PAST_LIMIT) && (until >= c->q.limit.at || until >= c->run->horizon)) {
			*why = "deadline", f.delay = -1;
			nl_story_failed(&c->story, f);
			return o;
		}
		if (c->run->stop_sig) {                 // While a limit of ours was stopping the attempt.
			*why = "stopped", f.delay = -1;
			nl_story_failed(&c->story, f);
			return stopped(c, nl_why_told(c->run), nl_limit(&c->q));
		}
		if (c->spend && !nl_spend_retry(c->spend, cause_of(o, asked >= 0))) {
			*why = "budget", f.delay = -1;
			nl_story_failed(&c->story, f);
			return o;
		}
		nl_story_failed(&c->story, f);
		tell_retry(c, o, number, dur, f.delay, asked);
		c->last = -1;
		c->q.prev = nl_code(o.wstatus);
		if (r->on_retry)
			nl_hook_run(c->run, c->q, (struct nl_hook){ .cmd = r->on_retry, .attempt = number, .max = r->attempts.n,
			            .status = c->q.prev, .delay = f.delay });
		enum nl_why woke = nl_sleep(c->run, c->q, until);
		c->story.slept += nl_now(c->run) - c->at;
		if (woke != NL_RAN) {
			*why = "stopped";
			c->at = nl_now(c->run);
			return stopped(c, woke, nl_limit(&c->q));
		}
	}
}

static struct nl_outcome retry_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	struct retry live, *r = (struct retry *)svc;
	struct call c = { .run = run, .q = q, .outside = &q, .report = -1, .last = -1,
	                  .hold = { { .spool = NL_SPOOL_NONE }, { .spool = NL_SPOOL_NONE } } };
	const char *why = "not_retryable";
	char human[96], secs[32];

	c.of = nl_span_open(svc, run, &c.q);
	if (svc->name) {                        // This call's own copy, with what nl-ctl has set.
		live = *r;
		r = &live, svc = &live.svc, c.of.svc = svc;
		c.of.gen = nl_live_load(run, c.of, &nl_kind_retry, svc);
	}
	if (r->dry_run)
		return dry_run(r, run, &q);
	c.r = r;
	c.story.began = c.at = q.now ? q.now : nl_now(run);
	c.rnd = r->seed.given ? r->seed.n : r->jitter != NL_JITTER_NONE && r->attempts.n != 1 ? nl_seed(run) : 0;
	c.q.max = r->attempts.n, c.q.prev = -1;
	nl_stopper_grace(&r->stop, &c.q);
	if (r->total.ns > 0 && nl_after(c.at, r->total.ns) < c.q.limit.at)
		c.q.limit = nl_stopper_limit(&r->stop, svc, nl_after(c.at, r->total.ns));

	struct nl_outcome o = { NL_EXIT(NL_EX_FAIL), NL_NOTRUN };
	struct nl_spend spend;
	int e = 0;
	if (r->budget) {
		nl_spend_open(&spend, run, c.of, &r->purse, svc->state, svc->pin);
		c.spend = &spend;
	}
	if (r->report && (c.report = nl_report_open(run, r->report)) < 0)
		nl_say(run, "--report: %s: %s", r->report, strerror(-c.report));
	else if ((e = nl_stdin_open(run, &c.in, &c.q, (enum nl_stdin_mode)r->input.index, r->attempts.n != 1)) < 0)
		nl_say(run, "stdin: %s", strerror(-e));
	else {
		prepare_streams(&c);
		o = attempts(&c, &why);
		nl_stdin_close(run, &c.in);
	}
	bool success = !strcmp(why, "success");
	for (int i = 0; i < 2; i++)
		if (r->quiet ? !success : success)
			o = deliver(&c, i, o, &why);
	success = success && !strcmp(why, "success");
	if (c.spend)
		nl_spend_close(c.spend);
	if (!success)
		tell_exhausted(&c, o, why);
	if (!success && r->on_giveup)
		nl_hook_run(run, q, (struct nl_hook){ .cmd = r->on_giveup, .attempt = c.k ? c.k : 1, .max = r->attempts.n,
		            .status = nl_code(o.wstatus), .delay = -1 });
	c.at = nl_now(run);
	if (c.report >= 0 && (e = nl_report_write(run, c.report, svc, &c.story, o, why, c.at - c.story.began)) < 0)
		nl_say(run, "--report: %s: %s", r->report, strerror(-e));
	char max[16] = "";
	if (r->attempts.n)
		snprintf(max, sizeof max, "/%u", r->attempts.n);
	snprintf(human, sizeof human, "retry: succeeded at attempt %u%s after %s", c.k, max,
	         nl_secs_text(c.at - c.story.began, secs));
	if (success && c.story.attempts > 1) {
		c.note[0] = (struct nl_note){ "last_s", NULL, c.last };
		c.of.note = c.note;
	}
	nl_span_close(run, c.of, o, success, c.at - c.story.began, c.story.attempts, success && c.story.failed ? human : NULL);
	for (int i = 0; i < 2; i++)
		nl_spool_close(run, &c.hold[i].spool);
	return o;
}

const struct nl_layer nl_retry = {
	.name = "retry",
	.usage = "[-Oq] [-n N] [-b KIND:BASE[..CAP]] [-j JITTER] [-T DURATION] [-t DURATION] [-k DURATION] [-s SIGNAL] "
	         "[--kill group|tree] [--on SET] [--except SET] [--ok SET] [--retry-if ERE] [--retry-after FILE] "
	         "[--reset-after DURATION] [--stdin auto|replay|inherit|null] [--budget NAME[:PROFILE]] [--seed N] [--on-retry COMMAND] "
	         "[--on-giveup COMMAND] [--report FILE] [--dry-run] COMMAND [ARG]...",
	.about = "Run COMMAND until it succeeds.",
	.opts = options,
	.size = sizeof(struct retry),
	.init = retry_init,
	.call = retry_call,
	.free = retry_free,
};
