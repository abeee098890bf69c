/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fallback.c - branches in order, until one succeeds.
 *
 * What a branch writes to stdout is kept until it has succeeded, so nothing of
 * a failed one is seen.  When all have failed the first that ran speaks for
 * them, unless there is a stale answer to give.
 */
#include "event.h"
#include "io.h"
#include "mut.h"
#include "opt.h"
#include "parse.h"
#include "run.h"
#include "stale.h"
#include "stdin.h"

#include <errno.h>
#include <string.h>

struct fallback {
	struct nl_svc svc;
	struct nl_codes on, except, ok;
	struct nl_word input;
	bool stream;
	const char *stale;
	struct nl_stale_ref last;       /* what --stale says */
};

static const struct nl_opt options[] = {
	NL_OPT(0, "on", struct fallback, on, "SET", "outcomes after which the next branch is tried", "any but 0, 125, SIGPIPE"),
	NL_OPT(0, "except", struct fallback, except, "SET", "outcomes after which it is not", NULL),
	NL_OPT(0, "ok", struct fallback, ok, "SET", "outcomes that are success", "0"),
	NL_OPT(0, "stale", struct fallback, stale, "DURATION:KEY", "keep the last good output; give it when all fail, if it is no older", NULL),
	NL_OPT(0, "stream", struct fallback, stream, NULL, "pass on stdout as it comes, also that of branches that fail", NULL),
	NL_OPT(0, "stdin", struct fallback, input, "auto|replay|inherit|null", "what branches read", "auto"),
	{ 0 }
};

static int fallback_init(struct nl_svc *svc, char ***argv, struct nl_err *err)
{
	struct fallback *f = (struct fallback *)svc;
	struct nl_err why;
	(void)argv;                             // No operands of its own.
	if (f->stale && nl_stale_parse(f->stale, &f->last, &why) < 0)
		return nl_fail(err, "--stale: '%.60s': %.150s", f->stale, why.msg);
	if (f->stale && f->stream)
		return nl_fail(err, "--stale: what is passed on with --stream cannot be kept: use one of them");
	return 0;
}

/* One call. */
struct call {
	struct fallback *f;
	struct nl_run *run;
	struct nl_req q;
	struct nl_span_of of;
	struct nl_stdin in;
	struct nl_hold hold;
	unsigned tried;
	nl_time now;                    /* when the last branch ended */
};

/* Without sets, what did not get to run is a reason to go on, too. */
static enum nl_class class_of(const struct fallback *f, struct nl_outcome o)
{
	enum nl_class class = nl_classify(&f->on, &f->except, &f->ok, o);
	int code = nl_code(o.wstatus);
	bool kept_out = code == NL_EX_REJECTED || code == NL_EX_NOEXEC || code == NL_EX_NOTFOUND;
	if (class == NL_CLASS_NEITHER && kept_out && !f->on.set && !nl_codes_match(&f->except, o))
		return NL_CLASS_FAILURE;
	return class;
}

NL_COLD static void tell_used(struct call *c, const struct nl_svc *from, struct nl_outcome o, nl_time dur)
{
	struct nl_event e;
	char err[24], what[32], secs[32];
	const char *name = nl_err_name(o, err);
	if (!nl_event_open(&e, c->run, c->of, "nl.fallback.used", NL_WARN))
		return;
	nl_event_str(&e, "from", from->cmd, 64);
	nl_event_str(&e, "to", from->next->cmd, 64);
	nl_event_int(&e, "index", c->tried + 1);
	nl_event_end_of(&e, o.wstatus);
	nl_event_str(&e, "err", name ? name : "exit_0", 24);
	nl_event_secs(&e, "dur_s", dur);
	if (!c->f->stream)
		nl_event_int(&e, "held_bytes", c->hold.spool.len);
	nl_event_human(&e, "fallback: %.80s failed: %s after %s, now %.80s", from->cmd, nl_outcome_text(o, what),
	               nl_secs_text(dur, secs), from->next->cmd);
	nl_event_emit(&e);
}

NL_COLD static void tell_failed(struct call *c, struct nl_outcome o, const char *why, nl_time dur)
{
	struct nl_event e;
	char err[24], what[32];
	const char *name = nl_err_name(o, err);
	if (!nl_event_open(&e, c->run, c->of, "nl.fallback.failed", NL_ERROR))
		return;
	nl_event_int(&e, "tried", c->tried);
	nl_event_str(&e, "reason", why, 24);
	nl_event_end_of(&e, o.wstatus);
	nl_event_str(&e, "err", name ? name : "exit_0", 24);
	nl_event_secs(&e, "dur_s", dur);
	const char *text = nl_outcome_text(o, what);
	if (!strcmp(why, "stdin"))
		nl_event_human(&e, "fallback: gave up: %s; the branch has read from a shared stdin (--stdin=replay would go on)", text);
	else if (!strcmp(why, "all_failed") && c->tried == 1)
		nl_event_human(&e, "fallback: failed: %s", text);
	else if (!strcmp(why, "all_failed"))
		nl_event_human(&e, "fallback: all of %u failed; the first that ran: %s", c->tried, text);
	else
		nl_event_human(&e, "fallback: gave up after %u: %s (%s)", c->tried, text, why);
	nl_event_emit(&e);
}

NL_COLD static void tell_stale(struct call *c, const struct nl_stale *s, struct nl_outcome o)
{
	struct nl_event e;
	char err[24], what[32], secs[32];
	const char *name = nl_err_name(o, err);
	if (!nl_event_open(&e, c->run, c->of, "nl.fallback.stale", NL_WARN))
		return;
	nl_event_str(&e, "key", c->f->last.key, 64);
	nl_event_secs(&e, "age_s", s->age);
	nl_event_int(&e, "bytes", s->spool.len);
	nl_event_end_of(&e, o.wstatus);
	nl_event_str(&e, "err", name ? name : "exit_0", 24);
	nl_event_human(&e, "fallback: %s; answered with what was good %s ago", nl_outcome_text(o, what), nl_secs_text(s->age, secs));
	nl_event_emit(&e);
}

/* The status when branches are left untried because we were told to stop. */
static struct nl_outcome stopped(struct call *c, enum nl_why why)
{
	int sig = c->run->stop_sig ? c->run->stop_sig : nl_limit(&c->q).sig;
	return (struct nl_outcome){ sig ? sig : NL_EXIT(NL_EX_TIMEOUT), why };
}

/* Behind a failure of b, which is not the outcome unless the reason is a stop:
 * why there is no other branch, or NULL. */
static const char *reason_against(struct call *c, const struct nl_svc *b, struct nl_outcome *o)
{
	bool cut = o->why == NL_DEADLINE || o->why == NL_CANCELLED;
	if (cut || c->run->stop_sig) {
		if (b->next)
			*o = stopped(c, cut ? o->why : nl_why_told(c->run));
		return "stopped";               // The branch that was stopped speaks for all.
	}
	if (!b->next)
		return "all_failed";
	const char *why = nl_stdin_spent(c->run, &c->in);
	if (why && !strcmp(why, "spool"))
		nl_degraded(c->run, c->of, "spool", "the input could not be kept for another branch");
	bool late = c->now >= c->run->horizon || c->now >= nl_limit(&c->q).at;          // It passed while the branch was being stopped.
	return why ? why : late ? "deadline" : NULL;
}

/* Runs branches until the outcome is final.  *why: the word for it. */
static struct nl_outcome branches(struct call *c, const char **why)
{
	struct nl_outcome best = { 0 };
	for (struct nl_svc *b = c->f->svc.inner; ; b = b->next) {
		nl_time began = c->now;
		struct nl_req q = c->q;
		nl_spool_reset(c->run, &c->hold.spool);
		nl_stdin_begin(c->run, &c->in);
		q.now = began;
		struct nl_outcome o = nl_do(b, c->run, q);
		enum nl_class class = class_of(c->f, o);
		c->now = nl_now(c->run);
		c->tried++;
		*why = class == NL_CLASS_SUCCESS ? "success" : class == NL_CLASS_NEITHER ? "excepted" : NULL;
		if (*why)
			return o;
		if (c->tried == 1 || nl_outcome_rank(o) < nl_outcome_rank(best) || MUTANT(LAST_SPEAKS))
			best = o;
		*why = reason_against(c, b, &o);
		if (*why)
			return !strcmp(*why, "stopped") ? o : best;
		tell_used(c, b, o, c->now - began);
	}
}

/* The last good answer instead of o. */
NL_COLD static struct nl_outcome stale(struct call *c, struct nl_outcome o, const char **why)
{
	struct nl_stale s;
	struct nl_outcome fine = { 0, NL_RAN };
	int r = nl_stale_open(c->run, &c->f->last, &s);
	if (r <= 0) {
		if (r < 0)
			nl_degraded(c->run, c->of, "stale", s.err.msg);
		return o;
	}
	tell_stale(c, &s, o);
	*why = "success";
	struct nl_hold h = c->hold;
	h.spool = s.spool;
	o = nl_deliver(c->run, &c->q, &h, 0, fine, why);
	c->run->os->close(s.spool.fd);
	return o;
}

static struct nl_outcome fallback_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	struct call c = { .f = (struct fallback *)svc, .run = run, .q = q };
	const struct fallback *f = c.f;
	struct nl_outcome o = { NL_EXIT(NL_EX_FAIL), NL_NOTRUN };
	const char *why = "stdin";
	nl_time began = c.now = q.now ? q.now : nl_now(run);

	c.of = nl_span_open(svc, run, &c.q);
	nl_hold_init(&c.hold, nl_chain(run, &q, 0));
	if (!f->stream)
		c.q.io.tap[0] = &c.hold.tap;
	int r = nl_stdin_open(run, &c.in, &c.q, (enum nl_stdin_mode)f->input.index, svc->inner->next != NULL);
	if (r < 0) {
		nl_say(run, "stdin: %s", strerror(-r));
	} else {
		o = branches(&c, &why);
		nl_stdin_close(run, &c.in);
	}
	bool good = !strcmp(why, "success");
	if (good && !f->stream)
		o = nl_deliver(run, &c.q, &c.hold, 0, o, &why);
	if (good && f->stale && !c.hold.spool.broken && (r = nl_stale_keep(run, &f->last, &c.hold.spool)) < 0)
		nl_degraded(run, c.of, "stale", r == -EFBIG ? "the output is too large to be kept" : strerror(-r));
	if (!strcmp(why, "all_failed") && f->stale)
		o = stale(&c, o, &why);
	c.now = nl_now(run);
	good = !strcmp(why, "success");
	if (!good)
		tell_failed(&c, o, why, c.now - began);
	nl_span_close(run, c.of, o, good, c.now - began, 0, NULL);
	nl_spool_close(run, &c.hold.spool);
	return o;
}

const struct nl_layer nl_fallback = {
	.name = "fallback",
	.usage = "[--on SET] [--except SET] [--ok SET] [--stale DURATION:KEY] [--stream] [--stdin auto|replay|inherit|null] "
	         "[ COMMAND [ARG]... ] [ COMMAND [ARG]... ]...",
	.about = "Try each COMMAND in turn until one succeeds.",
	.branches = true,
	.opts = options,
	.size = sizeof(struct fallback),
	.init = fallback_init,
	.call = fallback_call,
};
