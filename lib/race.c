/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race.c - branches side by side, until enough of them have succeeded.
 *
 * heat.c decides, track.c does; this is the layer around them: its options, its
 * arms, its events and, where the delay is a quantile, its record.
 */
#include "cell.h"
#include "event.h"
#include "mut.h"
#include "opt.h"
#include "racetell.h"
#include "run.h"
#include "stop.h"
#include "track.h"

#include <stdlib.h>
#include <string.h>

struct race {
	struct nl_svc svc;
	struct nl_delay delay;
	struct nl_num hedge, quorum;
	struct nl_word win, input;
	bool need_output;
	struct nl_stopper stop;
};

static const struct nl_opt options[] = {
	NL_OPT('d', "delay", struct race, delay, "DURATION|pNN", "start the next when one has failed, else after so long", "all at once"),
	NL_OPT(0, "hedge", struct race, hedge, "N", "run each COMMAND N times", "1"),
	NL_OPT(0, "quorum", struct race, quorum, "K", "so many have to succeed", "1"),
	NL_OPT(0, "win", struct race, win, "exit|output", "the first to succeed wins, or the first to write to stdout", "exit"),
	NL_OPT(0, "need-output", struct race, need_output, NULL, "an empty stdout is no success", NULL),
	NL_OPT(0, "stdin", struct race, input, "auto|replay|inherit|null", "what they read", "auto"),
	NL_OPT_STOP_K(struct race, stop),
	NL_OPT_STOP_S(struct race, stop),
	NL_OPT_STOP_KILL(struct race, stop),
	{ 0 }
};

static int race_init(struct nl_svc *svc, char ***argv, struct nl_err *err)
{
	struct race *r = (struct race *)svc;
	(void)argv;                             // No operands of its own.
	if (r->hedge.given && (!r->hedge.n || r->hedge.n > NL_ARMS))
		return nl_fail(err, "--hedge: at most %d", NL_ARMS);
	if (r->quorum.given && (!r->quorum.n || r->quorum.n > NL_ARMS))
		return nl_fail(err, "--quorum: at most %d", NL_ARMS);
	if (r->quorum.n > 1 && r->win.index)
		return nl_fail(err, "--win=output: the first output is the answer: --quorum has no say");
	if (r->delay.ppm && !svc->name)
		return nl_fail(err, "--delay: p%.7g is measured by --name NAME", r->delay.ppm / 10000.0);
	return 0;
}

/* The arms: each branch in turn, as often as --hedge says. */
static int prepare(const struct race *r, struct nl_track *c, char **chunks)
{
	const struct nl_svc *branch = r->svc.inner;
	unsigned branches = 1;
	for (const struct nl_svc *s = branch; s->next; s = s->next)
		branches++;
	unsigned copies = r->hedge.given ? r->hedge.n : 1;
	if (branches * copies > NL_ARMS)
		return nl_say(c->run, "more than %d branches", NL_ARMS), -1;
	c->heat.n = branches * copies;
	c->heat.quorum = r->quorum.given ? r->quorum.n : 1;
	if (c->heat.quorum > c->heat.n)
		return nl_say(c->run, "--quorum: %u of %u branches cannot succeed", c->heat.quorum, c->heat.n), -1;
	c->heat.by_output = r->win.index == 1;
	c->heat.close_at = c->q.limit.at < c->run->horizon ? c->q.limit.at : c->run->horizon;
	int e = nl_stdin_split(c->run, &c->in, &c->q, (enum nl_stdin_mode)r->input.index, c->heat.n > 1);
	if (e < 0)
		return nl_say(c->run, "stdin: %s", strerror(-e)), -1;
	c->arm = calloc(c->heat.n, sizeof *c->arm);
	*chunks = c->q.io.feed ? malloc((size_t)c->heat.n * NL_CHUNK) : NULL;
	bool apart = false;             /* does any arm have a memory of its own? */
	for (const struct nl_svc *s = branch; s; s = s->next)
		apart |= !nl_cell_shares(c->run, s);
	c->reports = apart ? nl_reports_new(c->run, c->heat.n) : NULL;
	if (!c->arm || (apart && !c->reports) || (c->q.io.feed && !*chunks)) {
		free(c->arm);
		c->arm = NULL;                  // clear() has nothing to close.
		return nl_say(c->run, "out of memory"), -1;
	}
	for (unsigned i = 0; i < c->heat.n; i++) {
		c->arm[i] = (struct nl_branch){ .run = c->run, .svc = (struct nl_svc *)branch, .shares = nl_cell_shares(c->run, branch),
		                                .report = apart ? &c->reports[i] : NULL, .all = c->arm,
		                                .n = c->heat.n, .chunk = *chunks ? *chunks + (size_t)i * NL_CHUNK : NULL,
		                                .out.spool = NL_SPOOL_NONE, .pump = NL_PUMP_NONE, .kill_at = NL_NEVER };
		branch = branch->next ? branch->next : r->svc.inner;
	}
	return 0;
}

static void clear(struct nl_track *c, char *chunks)
{
	for (unsigned i = 0; c->arm && i < c->heat.n; i++)
		nl_branch_close(&c->arm[i]);
	nl_reports_free(c->run, c->reports, c->heat.n);
	if (c->q.io.feed)
		c->q.io.feed->shared = false;
	nl_stdin_close(c->run, &c->in);
	free(chunks);
	free(c->arm);
}

/* What the first arm took, or would have taken at least. */
static nl_time first_took(const struct nl_track *c)
{
	const struct nl_arm *a = &c->heat.arm[0];
	if (a->state != NL_ARM_OVER || !c->decided || (!a->good && !(a->lost && c->step.won && !MUTANT(LOST_UNMEASURED))))
		return -1;
	return (a->lost ? c->decided_at : a->ended_at) - a->began_at;
}

static struct nl_outcome race_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	struct race live, *r = (struct race *)svc;
	struct nl_track t = { .run = run, .outside = &q, .q = q, .told = run->told };
	struct nl_outcome o = { NL_EXIT(NL_EX_FAIL), NL_NOTRUN };
	struct nl_pacer pacer;
	nl_time began = q.now ? q.now : nl_now(run);
	char *chunks = NULL;

	t.of = nl_span_open(svc, run, &t.q);
	if (svc->name) {                        // This call's own copy, with what nl-ctl has set.
		live = *r;
		r = &live, svc = &live.svc, t.of.svc = svc;
		t.of.gen = nl_live_load(run, t.of, &nl_kind_race, svc);
	}
	t.heat.delay = r->delay.ns;
	if (r->delay.ppm && svc->name) {
		nl_pacer_open(&pacer, run, t.of, svc, r->delay.ppm);
		t.pacer = &pacer, t.heat.delay = pacer.delay;
	}
	nl_stopper_grace(&r->stop, &t.q);
	t.stop = nl_stopper_limit(&r->stop, svc, began);
	t.need_output = r->need_output;
	t.q.stop.dfl |= t.stop.sig ? NL_SIGBIT(t.stop.sig) : 0; // One that is ignored would not stop it.
	if (run->stop_sig) {
		o = (struct nl_outcome){ run->stop_sig, nl_why_told(run) };
	} else if (prepare(r, &t, &chunks) == 0) {
		nl_track_run(&t);
		o = nl_track_settle(&t);
	}
	nl_time dur = nl_now(run) - began;
	bool good = t.step.won && o.wstatus == 0;
	nl_race_tell(&t, o, began, dur);
	if (t.pacer)
		nl_pacer_close(&pacer, t.of, first_took(&t), t.heat.n > 1 && t.heat.arm[1].state != NL_ARM_WAITING,
		               t.step.won && t.step.winner > 0);
	clear(&t, chunks);
	nl_span_close(run, t.of, o, good, dur, 0, NULL);
	return o;
}

const struct nl_layer nl_race = {
	.name = "race",
	.usage = "[-d DURATION|pNN] [--hedge N] [--quorum K] [--win exit|output] [--need-output] [--stdin auto|replay|inherit|null] "
	         "[-k DURATION] [-s SIGNAL] [--kill group|tree] [ COMMAND [ARG]... ] [ COMMAND [ARG]... ]...",
	.about = "Run each COMMAND at once; the first that succeeds wins.",
	.branches = true,
	.opts = options,
	.size = sizeof(struct race),
	.init = race_init,
	.call = race_call,
};
