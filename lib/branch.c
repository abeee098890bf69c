/* SPDX-License-Identifier: Apache-2.0 */
/*
 * branch.c - one forked branch: what it is in its own process, and how the
 * process that has forked it tells it to stop and learns how it ended.
 *
 * A branch that ends by itself leaves nobody behind that it was to stop.  One
 * that is killed leaves them to us: we are the next subreaper.
 */
#include "branch.h"

#include "cell.h"
#include "event.h"
#include "mut.h"
#include "sink.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define MARGIN (60 * NL_MS)             /* for a branch to be late behind its grace */
#define GIVE_UP (5 * NL_SEC)            /* after KILL: for those that sleep in the kernel */

struct nl_report *nl_reports_new(struct nl_run *run, unsigned n)
{
	long at = run->os->syscall(SYS_mmap, 0, (long)(n * sizeof(struct nl_report)), PROT_READ | PROT_WRITE,
	                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return at < 0 && at > -4096 ? NULL : (struct nl_report *)at;
}

void nl_reports_free(struct nl_run *run, struct nl_report *r, unsigned n)
{
	if (r)
		run->os->syscall(SYS_munmap, (long)r, (long)(n * sizeof *r), 0, 0, 0, 0);
}

/* A new run in the log, behind the call that has started it. */
static void renew_ids(struct nl_run *run, struct nl_ids *ids, const struct nl_req *q)
{
	if (!run->ids)
		return;
	ids->rnd = nl_seed(run);
	ids->run = nl_random(&ids->rnd);
	ids->parent = q->span, ids->depth = q->depth, ids->seq = 0;
	run->ids = ids;
}

/* The branch, in its own process, perhaps in our memory: all that it changes is
 * in its cell.  Returns an exit status that only somebody who has lost the
 * report looks at. */
static int body(void *arg)
{
	struct nl_cell *c = arg;
	struct nl_run *run = &c->run;
	const struct nl_os *os = run->os;
	struct nl_fd_tap std[2];
	char rest[2][NL_REST];

	os->mask(~UINT64_C(0), NULL);           // musl's fork restores what it has failed to read.
	os->prctl(PR_SET_PDEATHSIG, SIGTERM);
	pid_t parent = (pid_t)os->syscall(SYS_getppid, 0, 0, 0, 0, 0, 0);
	if (parent > 0 && parent != c->report->order.from)
		return NL_EX_FAIL;              // Nobody waits for it.
	if (!run->terminal && !c->q.stop.shared)
		os->syscall(SYS_setpgid, 0, 0, 0, 0, 0, 0);     // What stops our group comes once, from us.
	os->prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (unsigned i = 0; i < c->shuts; i++)
		os->close(c->shut[i]);
	c->signals.fd = -1;
	run->signals = &c->signals, run->pid = os->pid();
	run->order = &c->report->order;
	run->stop_sig = 0, run->told = 0, run->fired = NULL, run->killed = false, run->stopped_at = 0;
	for (int i = 0; i < 2; i++) {
		nl_fd_tap_init(&std[i], c->fd[i + 1], rest[i]);
		std[i].error = c->error[i];
	}
	run->std = std;
	renew_ids(run, &c->ids, &c->q);
	struct nl_svc *s = c->svc;
	do
		nl_sink_anew(s->sink);
	while ((s = s->inner));
	bool speaks = run->ids && c->svc->layer->opts;  // A plain command's supervisor has nothing to say.
	if (speaks)
		nl_run_started(run, c->svc);
	struct nl_outcome o = { SIGTERM, NL_CANCELLED };
	if (!run->order->given)                 // Else the race was decided before it began.
		o = nl_do(c->svc, run, c->q);
	if (speaks)
		nl_run_ended(run, c->svc, o.wstatus, nl_now(run) - c->q.now);
	struct nl_report *r = c->report;
	r->outcome = o, r->fired = run->fired, r->killed = run->killed, r->stopped_at = run->stopped_at;
	r->done = true;
	return nl_code(o.wstatus);
}

int nl_branch_start(struct nl_branch *b, int in, struct nl_tap *err)
{
	struct nl_run *run = b->run;
	struct nl_tap *chain[2] = { b->q.io.tap[0], b->q.io.tap[1] };
	int r = nl_cell_open(b);
	if (r < 0)
		return r;
	b->fd[0] = in, b->fd[1] = run->std[0].fd, b->fd[2] = run->std[1].fd;
	nl_hold_init(&b->out, chain[0]);
	b->q.io.tap[0] = &b->out.tap, b->q.io.tap[1] = err;
	b->pump.chunk = b->chunk;
	r = nl_pump_open(run, &b->pump, &b->q, b->fd);
	if (r < 0)
		return r;
	b->q.io = (struct nl_io){ .in = b->fd[0] };
	b->q.idle = NULL;               // We see what it writes; it does not.
	if (b->shares)
		b->report = &b->cell->own;
	memset(b->report, 0, sizeof *b->report);
	b->report->order.from = run->pid;
	b->told = 0, b->kill_at = NL_NEVER;
	nl_cell_fill(b);
	pid_t pid = run->os->branch(body, b->cell, b->cell->stack);
	run->os->mask(~UINT64_C(0), NULL);      // See body().
	nl_pump_started(run, &b->pump);
	if (pid < 0) {
		nl_pump_close(run, &b->pump);
		nl_cell_close(b, true);
		b->report = b->shares ? NULL : b->report;
	}
	b->pid = pid < 0 ? 0 : pid;
	return pid < 0 ? (int)pid : 0;
}

void nl_branch_expect(struct nl_branch *b, nl_time now)
{
	nl_time at = nl_after(nl_after(now, b->q.stop.grace), MARGIN);
	if (at < b->kill_at)
		b->kill_at = at;
}

void nl_branch_signal(struct nl_branch *b, int sig)
{
	if (b->pid)
		b->run->os->kill(b->pid, sig);
}

void nl_branch_stop(struct nl_branch *b, int sig, nl_time now)
{
	if (!b->pid || b->told & (NL_SIGBIT(sig) << 1 | 1))
		return;
	b->told |= NL_SIGBIT(sig) << 1;
	b->run->os->kill(b->pid, sig);
	b->run->os->kill(b->pid, SIGCONT);
	nl_branch_expect(b, now);
}

void nl_branch_order(struct nl_branch *b, struct nl_limit limit, enum nl_why why, nl_time now)
{
	struct nl_order *o = &b->report->order;
	if (!b->pid || o->given)
		return;
	o->sig = limit.sig, o->kill = limit.kill, o->why = why;
	o->given = true;
	b->told |= 1;
	b->run->os->kill(b->pid, SIGTERM);
	b->run->os->kill(b->pid, SIGCONT);      // One that is stopped could not obey.
	nl_branch_expect(b, now);
}

struct nl_outcome nl_branch_ended(struct nl_branch *b, int ws)
{
	struct nl_report *r = b->report;
	b->pid = 0;
	if (r->done) {
		r->fired = nl_cell_ours(b, r->fired);
		return r->outcome;
	}
	b->remains = true;
	return (struct nl_outcome){ ws, NL_RAN };
}

/* Its processes: neither those of its brothers nor what we knew before. */
static struct nl_tree tree(const struct nl_branch *b, pid_t skip[NL_BRANCH_SKIPS])
{
	unsigned n = 0;
	for (unsigned i = 0; i < b->n; i++)
		if (b->all[i].pid && b->all[i].pid != b->pid)
			skip[n++] = b->all[i].pid;
	for (unsigned i = 0; i < b->skips && n < NL_BRANCH_SKIPS; i++)
		skip[n++] = b->skip[i];
	return (struct nl_tree){ .os = b->run->os, .root = b->run->pid, .skip = skip, .skips = n,
	                         .blind = !nl_proc_is_ours(b->run->os) };
}

NL_COLD void nl_branch_kill(struct nl_branch *b, nl_time now)
{
	pid_t skip[NL_BRANCH_SKIPS];
	struct nl_tree t = tree(b, skip);
	bool first = !b->killed;
	b->give_up_at = first ? nl_after(now, GIVE_UP) : b->give_up_at;
	b->killed = true;
	b->kill_at = nl_after(now, first ? 200 * NL_MS : 100 * NL_MS);
	if (first && nl_tree_kill_watched(&t))
		return;
	nl_tree_kill(&t);
	b->run->os->kill(b->pid, SIGKILL);      // Also where nobody can be seen.
}

NL_COLD bool nl_branch_remains(struct nl_branch *b)
{
	pid_t skip[NL_BRANCH_SKIPS];
	struct nl_proc list[NL_TREE_MAX];
	struct nl_tree t = tree(b, skip);
	unsigned n = nl_tree_list(&t, false, list);
	if (n == 0 && t.os->ours)               // It may have waited for one that was dying.
		n = nl_tree_list(&t, false, list);
	if (n == 0)
		return b->remains = false;
	nl_tree_kill(&t);
	return true;
}

void nl_branch_close(struct nl_branch *b)
{
	nl_pump_close(b->run, &b->pump);
	nl_spool_close(b->run, &b->out.spool);
	nl_cell_close(b, !b->report || b->report->done);
}
