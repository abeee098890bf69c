/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue.c - admission to a bulkhead, in order of arrival, whoever is killed.
 *
 * A slot is taken only under the guard, by somebody who has no live ticket
 * before him, after counting held slots one by one.  Between the steps of
 * anybody the kernel alone knows what is held, so every step may be the last.
 */
#include "queue.h"

#include "mut.h"
#include "queuelook.h"
#include "run.h"
#include "statefile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>

#define GUARD_STEP (50 * NL_MS)         /* while it is waited for, signals are looked at so often */
#define ASK_STEP (20 * NL_MS)           /* and where the kernel cannot wait, tickets */
#define COUNT 1000                      /* tickets that are counted */

static struct nl_bulkhead *body(struct nl_record *rec)
{
	return (struct nl_bulkhead *)rec->body;
}

/* Under the guard: what is said to people of this look. */
static void note(struct nl_place *p, const struct nl_record *rec)
{
	const struct nl_bulkhead *b = (const struct nl_bulkhead *)rec->body;
	p->low = b->low, p->next = b->next;
	p->gen = rec->head.cfg;
}

/* Under the guard: who holds bytes of a lock file that is no more is not seen.
 * One call is refused for it; the next finds the record made anew. */
static enum nl_turn begin_anew(struct nl_state *s, struct nl_record *rec)
{
	memset(rec->body, 0, sizeof rec->body);
	(void)nl_state_write(s, rec);           // A failure is noted, and met again by the next.
	s->trouble = NL_REPLACED;
	return NL_TURN_TROUBLE;
}

/* The guard, waited for as long as the call may wait for anything: NL_TURN_OURS. */
static enum nl_turn guard(struct nl_place *p, struct nl_run *run, const struct nl_req *q, struct nl_record *rec)
{
	struct nl_state *s = p->state;
	nl_time first = nl_now(run), now = first, until = nl_after(p->since, p->ask.wait);
	if (until < nl_after(first, NL_GUARD_SPAN))
		until = nl_after(first, NL_GUARD_SPAN);
	unsigned notes = s->notes;
	for (;;) {
		if (nl_state_lock(s, rec, until - now < GUARD_STEP ? until - now : GUARD_STEP) == 0)
			break;
		now = nl_now(run);
		if (s->trouble != NL_BUSY || now >= until)
			return NL_TURN_TROUBLE;
		p->why = nl_sleep(run, *q, now);        // Takes what is pending.
		if (p->why != NL_RAN)
			return NL_TURN_STOPPED;
	}
	if (nl_now(run) - first < NL_GUARD_SPAN)
		s->notes &= notes | ~(1u << NL_BUSY);   // Others work too: no trouble.
	nl_bulkhead_recover(s, body(rec));
	p->ask = p->asks(p, rec);
	return NL_TURN_OURS;
}

static void put_name(char to[12], const struct nl_place *p)
{
	const char *name = p->svc->cmd ? p->svc->cmd : "";
	memset(to, 0, 12);
	memcpy(to, name, strnlen(name, 12));
}

static uint32_t own_uid(struct nl_run *run)
{
	return (uint32_t)run->os->syscall(SYS_geteuid, 0, 0, 0, 0, 0, 0);
}

/* Under the guard: a slot if there is one for us, who are behind so many. */
static enum nl_turn try_slot(struct nl_place *p, struct nl_run *run, struct nl_record *rec, unsigned waiting)
{
	struct nl_state *s = p->state;
	struct nl_bulkhead *b = body(rec);
	p->active = nl_bulkhead_count(s, b);
	if (nl_blind(s))
		return NL_TURN_TROUBLE;
	nl_time at = nl_boottime(run);          // Behind all that was not counted, so no release is later than who has seen it.
	if (!p->queued)
		p->decided_at = at, p->came_at = at - (nl_now(run) - p->since), p->found = p->active;
	unsigned among = b->high + (p->active >= b->high);
	enum nl_turn turn = nl_admit(&p->ask, p->active, waiting);
	if (MUTANT(INDEX_NOT_COUNT) && waiting == 0)
		among = p->ask.limit;
	else if (turn != NL_TURN_OURS)
		return turn;
	int fd = nl_slot_take(s, among < NL_SLOTS ? among : NL_SLOTS, &p->slot);
	if (fd == -EAGAIN)
		return nl_admit(&p->ask, NL_SLOTS, waiting);
	if (fd < 0)
		return nl_file_failed(s, "has no slot for us", fd), NL_TURN_TROUBLE;
	p->fd = fd;
	p->active++;
	p->waited = nl_now(run) - p->since;
	p->got_at = at;
	b->high = p->slot >= b->high ? p->slot + 1 : b->high;
	if (p->queued)
		b->low = p->ticket + 1;
	b->limit = p->ask.limit, b->wait_ns = p->ask.wait, b->queue = p->ask.queue;
	b->flags = NL_BH_SET | p->ask.flags;
	if (p->slot < NL_HOLDERS) {
		struct nl_bulkhead_holder *h = &b->holders[p->slot];
		nl_time ms = p->waited / NL_MS;
		*h = (struct nl_bulkhead_holder){ .pid = run->pid, .uid = own_uid(run), .since = nl_boottime(run),
		                                  .waited_ms = ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX };
		put_name(h->name, p);
	}
	if (nl_state_write(s, rec) == 0)
		return NL_TURN_OURS;
	run->os->close(p->fd);                  // It is not on record that this slot may be held.
	p->fd = -1;
	return NL_TURN_TROUBLE;
}

/* Under the guard: a number, and its byte locked before anybody can see it. */
static enum nl_turn take_ticket(struct nl_place *p, struct nl_run *run, struct nl_record *rec)
{
	struct nl_state *s = p->state;
	struct nl_bulkhead *b = body(rec);
	int r = -EAGAIN;
	for (int i = 0; i < 64 && r == -EAGAIN; i++) {
		p->ticket = b->next++;
		r = MUTANT(TICKET_OUTSIDE_GUARD) ? 0 : nl_byte_lock(run, s->lock, nl_ticket_byte(p->ticket));
	}
	if (r < 0)
		return nl_file_failed(s, "has no ticket for us", r), NL_TURN_TROUBLE;
	p->queued = true;
	struct nl_bulkhead_waiter *w = &b->waiters[p->ticket % NL_WAITERS];
	uint64_t was = b->low + (uint32_t)(w->ticket - (uint32_t)b->low);
	if (!w->pid || was >= p->ticket || !nl_any_held(s, nl_ticket_byte(was), 1)) {
		*w = (struct nl_bulkhead_waiter){ .ticket = (uint32_t)p->ticket, .pid = run->pid, .since = nl_boottime(run),
		                                  .uid = own_uid(run) };
		put_name(w->name, p);
	}
	if (nl_blind(s))
		return NL_TURN_TROUBLE;
	r = nl_state_write(s, rec);
	if (MUTANT(TICKET_OUTSIDE_GUARD)) {
		nl_state_unlock(s);
		nl_byte_lock(run, s->lock, nl_ticket_byte(p->ticket));
	}
	return r < 0 ? NL_TURN_TROUBLE : NL_TURN_WAITS;
}

/* A slot at once, or a ticket, or nothing. */
NL_COLD static enum nl_turn arrive(struct nl_place *p, struct nl_run *run, const struct nl_req *q)
{
	struct nl_record rec;
	struct nl_state *s = p->state;
	enum nl_turn turn = guard(p, run, q, &rec);
	if (turn != NL_TURN_OURS)
		return turn;
	struct nl_bulkhead *b = body(&rec);
	unsigned waiting = nl_bulkhead_queue(s, b, p->ask.queue ? p->ask.queue : 1);
	if (nl_blind(s))
		turn = NL_TURN_TROUBLE;
	else if (s->relocked)
		turn = begin_anew(s, &rec);
	else
		turn = try_slot(p, run, &rec, waiting);
	if (turn == NL_TURN_WAITS)
		turn = take_ticket(p, run, &rec);
	note(p, &rec);
	nl_state_unlock(s);
	return turn;
}

/* Sleeps until one ticket is gone.  slow: asks now and then instead. */
static enum nl_turn wait_ticket(struct nl_place *p, struct nl_run *run, const struct nl_req *q, uint64_t n, bool slow)
{
	int error = 0;
	nl_time now = nl_now(run), until = nl_after(p->since, p->ask.wait), then = nl_after(now, ASK_STEP);
	if (!slow)
		p->why = nl_byte_wait(run, q, p->state->lock, nl_ticket_byte(n), until, &error);
	if (slow || (p->why == NL_RAN && error != 0 && error != -EAGAIN)) {     // The kernel cannot.
		error = now >= until ? -EAGAIN : 0;
		p->why = nl_sleep(run, *q, then < until ? then : until);
	}
	return p->why != NL_RAN ? NL_TURN_STOPPED : error == -EAGAIN ? NL_TURN_LATE : NL_TURN_OURS;
}

/* Sleeps until no lower ticket is left: one sleep, unless others give up. */
static enum nl_turn wait_for_others(struct nl_place *p, struct nl_run *run, const struct nl_req *q)
{
	uint64_t before = p->ticket - 1;
	for (unsigned same = 0; p->ticket > p->low; ) {
		enum nl_turn turn = wait_ticket(p, run, q, before, same > 3);
		if (turn != NL_TURN_OURS)
			return turn;
		if (MUTANT(PREDECESSOR_ONLY) || !nl_any_held(p->state, nl_ticket_byte(p->low), p->ticket - p->low))
			break;
		if (nl_blind(p->state))
			return NL_TURN_TROUBLE;
		uint64_t next = p->low + nl_highest_held(p->state, nl_ticket_byte(p->low), p->ticket - p->low);
		same = next == before ? same + 1 : 0;
		before = next;
	}
	return NL_TURN_OURS;
}

NL_COLD static enum nl_turn look(struct nl_place *p, struct nl_run *run, const struct nl_req *q)
{
	struct nl_record rec;
	uint64_t ino = p->state->lock_ino;
	enum nl_turn turn = guard(p, run, q, &rec);
	if (turn != NL_TURN_OURS)
		return turn;
	if (p->state->relocked || p->state->lock_ino != ino) {  // Our ticket was in another file.
		p->state->trouble = NL_REPLACED;
		turn = NL_TURN_TROUBLE;
	} else {
		turn = try_slot(p, run, &rec, 0);
		turn = turn == NL_TURN_FULL ? NL_TURN_WAITS : turn;     // Its wait is over: that is the clock's to say.
		note(p, &rec);
	}
	nl_state_unlock(p->state);
	return turn;
}

/* First in line.  A description that is closed says so before its locks are
 * gone, perhaps before we watch: a look that finds nothing is repeated, ever later. */
static enum nl_turn head(struct nl_place *p, struct nl_run *run, const struct nl_req *q)
{
	struct nl_watch watch = { -1 };
	bool armed = false;
	nl_time pause = MUTANT(LATE_WATCH) ? NL_NEVER : 2 * NL_MS;
	enum nl_turn turn;
	while ((turn = look(p, run, q)) == NL_TURN_WAITS) {
		if (!armed) {
			nl_watch_closes(run, &watch, p->state);
			armed = true;
			if (!MUTANT(LATE_WATCH))
				continue;
		}
		bool due;
		nl_time until = nl_after(p->since, p->ask.wait), again = nl_after(nl_now(run), pause);
		p->why = nl_watch_wait(run, q, &watch, again < until ? again : until, &due);
		if (p->why != NL_RAN)
			turn = NL_TURN_STOPPED;
		else if (due && nl_now(run) >= until)
			turn = NL_TURN_LATE;
		if (turn != NL_TURN_WAITS)
			break;
		pause = !due ? 2 * NL_MS : pause < NL_SEC ? 25 * pause : NL_NEVER;
	}
	nl_close_spent(run);
	run->spent = watch.fd > 0 ? watch.fd : 0;       // An inotify instance takes its time.
	return turn;
}

enum nl_turn nl_place_take(struct nl_place *p, struct nl_run *run, const struct nl_req *q, nl_time now)
{
	p->since = now;
	p->fd = -1;
	p->ask = p->asks(p, NULL);
	enum nl_turn turn = arrive(p, run, q);
	if (turn == NL_TURN_WAITS) {
		turn = wait_for_others(p, run, q);
		if (turn == NL_TURN_OURS)
			turn = head(p, run, q);
	}
	p->left_at = p->queued ? nl_boottime(run) : p->decided_at;
	if (p->queued)
		nl_byte_unlock(run, p->state->lock, nl_ticket_byte(p->ticket));
	p->queued = false;
	if (turn != NL_TURN_OURS) {
		p->waited = nl_now(run) - now;
		nl_close_spent(run);
	}
	return turn;
}

void nl_place_lend(struct nl_place *p, struct nl_run *run)
{
	static const int high[] = { 200, 100, 50, 20, 10, 3 };  // RLIMIT_NOFILE may be small.
	int fd = -EMFILE;
	if (MUTANT(SLOT_NOT_INHERITED))
		return;
	for (size_t i = 0; fd < 0 && i < sizeof high / sizeof *high; i++)
		fd = run->os->fcntl(p->fd, F_DUPFD, high[i]);
	if (fd < 0) {
		run->os->fcntl(p->fd, F_SETFD, 0);
		return;
	}
	run->os->close(p->fd);
	p->fd = fd;
}

/* What is known of the slot that we held; our descendants may hold it still. */
static void forget(struct nl_place *p, struct nl_run *run, struct nl_bulkhead *b)
{
	struct nl_bulkhead_holder *h = &b->holders[p->slot < NL_HOLDERS ? p->slot : 0];
	if (p->slot >= NL_HOLDERS || h->pid != run->pid)
		return;                         // Not known, or somebody else's by now.
	if (p->ask.tree && nl_any_held(p->state, nl_slot_byte(p->slot), 1))
		h->pid = 0;
	else
		*h = (struct nl_bulkhead_holder){ 0 };
}

static void close_slot(struct nl_place *p, struct nl_run *run)
{
	if (p->fd >= 0)
		run->os->close(p->fd);
	p->fd = -1;
}

NL_COLD void nl_place_leave(struct nl_place *p, struct nl_run *run)
{
	struct nl_record rec;
	struct nl_state *s = p->state;
	uint64_t ino = s->lock_ino;
	if (p->fd < 0)
		return;
	p->active--;
	p->left_at = nl_boottime(run);          // Before anybody can have it.
	if (p->ask.tree)
		close_slot(p, run);
	else
		nl_byte_unlock(run, p->fd, nl_slot_byte(p->slot)); // For all who inherited it.
	if (MUTANT(UNLOCK_ALONE)) {
		s->dir = s->rec = s->lock = -1; // Not closed, so that nobody hears of it.
		return;
	}
	if (nl_state_lock(s, &rec, NL_GUARD_SPAN) == 0) {
		if (!s->relocked && s->lock_ino == ino) {
			struct nl_bulkhead *b = body(&rec);
			nl_bulkhead_recover(s, b);
			forget(p, run, b);
			p->active = nl_bulkhead_count(s, b);
			if (!nl_blind(s))
				(void)nl_state_write(s, &rec);  // A failure is noted in s.
		}
		nl_state_unlock(s);
	}
	nl_close_spent(run);
	close_slot(p, run);                     // Wakes the first in line, as closing the state does.
}

unsigned nl_place_waiting(struct nl_place *p)
{
	struct nl_bulkhead b = { .low = p->low, .next = p->next };
	return nl_bulkhead_queue(p->state, &b, COUNT);
}
