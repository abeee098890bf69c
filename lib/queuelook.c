/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queuelook.c - what the locks of a bulkhead say, and what its tables add.
 *
 * A range of bytes can be asked whether anything in it is held, never what or
 * how much.  So the highest and the lowest are found by halves, and held slots
 * are counted one by one.
 */
#include "queuelook.h"

#include "mut.h"
#include "statefile.h"

#include <fcntl.h>
#include <string.h>

#define TICKETS (UINT64_C(1) << 61)     /* numbers there are: more than microseconds in 70 000 years */

bool nl_any_held(struct nl_state *s, int64_t first, uint64_t n)
{
	int r = n > 0 ? nl_byte_held(s->run, s->lock, first, (int64_t)n) : 0;
	if (r < 0)
		nl_file_failed(s, "its locks cannot be asked", r);
	return r != 0;
}

enum end { LOWEST, HIGHEST };

/* The first or the last of n bytes that is held; one of them is. */
static uint64_t find_held(struct nl_state *s, int64_t first, uint64_t n, enum end end)
{
	uint64_t at = 0;
	while (n - at > 1) {
		uint64_t half = at + (n - at) / 2;
		bool above = end == HIGHEST ? nl_any_held(s, first + (int64_t)half, n - half)
		                           : !nl_any_held(s, first + (int64_t)at, half - at);
		if (above)
			at = half;
		else
			n = half;
	}
	return at;
}

uint64_t nl_highest_held(struct nl_state *s, int64_t first, uint64_t n)
{
	return find_held(s, first, n, HIGHEST);
}

void nl_bulkhead_recover(struct nl_state *s, struct nl_bulkhead *b)
{
	if (nl_any_held(s, nl_ticket_byte(0), TICKETS)) {
		if (nl_any_held(s, nl_ticket_byte(b->next), TICKETS - b->next))
			b->next += nl_highest_held(s, nl_ticket_byte(b->next), TICKETS - b->next) + 1;
		if (nl_any_held(s, nl_ticket_byte(0), b->low))
			b->low = find_held(s, nl_ticket_byte(0), b->low, LOWEST);
	}
	if (nl_any_held(s, nl_slot_byte(b->high), NL_SLOTS - b->high))
		b->high += (uint32_t)nl_highest_held(s, nl_slot_byte(b->high), NL_SLOTS - b->high) + 1;
}

/* A wrong one: GETLK names any holder of a range, not the first. */
static int count_by_range(struct nl_state *s, unsigned n)
{
	int count = 0;
	struct flock lk = { .l_type = F_WRLCK, .l_whence = 0, .l_start = NL_BYTE_SLOT, .l_len = n };
	while (lk.l_len > 0 && s->run->os->fcntl(s->lock, F_OFD_GETLK, (long)&lk) == 0 && lk.l_type != F_UNLCK) {
		lk.l_start++, lk.l_type = F_WRLCK, lk.l_pid = 0;
		lk.l_len = NL_BYTE_SLOT + n - lk.l_start;
		count++;
	}
	return count;
}

unsigned nl_bulkhead_count(struct nl_state *s, struct nl_bulkhead *b)
{
	while (b->high > 0 && !nl_any_held(s, nl_slot_byte(b->high - 1), 1))
		b->high--;
	int n = MUTANT(COUNTS_BY_RANGE) ? count_by_range(s, b->high) : nl_slots_held(s->run, s->lock, b->high);
	if (n < 0)
		nl_file_failed(s, "its locks cannot be asked", n);
	return n < 0 ? NL_SLOTS : (unsigned)n;
}

unsigned nl_bulkhead_queue(struct nl_state *s, struct nl_bulkhead *b, unsigned max)
{
	unsigned n = 0;
	if (!nl_any_held(s, nl_ticket_byte(b->low), b->next - b->low)) {
		b->low = b->next;
		return 0;
	}
	b->low += find_held(s, nl_ticket_byte(b->low), b->next - b->low, LOWEST);
	for (uint64_t t = b->low; t < b->next && n < max; t++)
		n += nl_any_held(s, nl_ticket_byte(t), 1);
	return n;
}

/* For those who have only read: a description of the lock file, and bounds. */
static bool ready(struct nl_state *s, const struct nl_record *rec, struct nl_bulkhead *b)
{
	bool made;
	if (s->lock < 0 && nl_file_lock(s, &made) < 0)
		return false;
	memcpy(b, rec->body, sizeof *b);
	nl_bulkhead_recover(s, b);
	return true;
}

unsigned nl_bulkhead_holders(struct nl_state *s, const struct nl_record *rec, struct nl_holder_info *out, unsigned max)
{
	struct nl_bulkhead b;
	unsigned n = 0;
	if (!ready(s, rec, &b))
		return 0;
	for (unsigned i = 0; i < b.high; i++) {
		if (!nl_any_held(s, nl_slot_byte(i), 1))
			continue;
		if (n < max) {
			const struct nl_bulkhead_holder *h = &b.holders[i < NL_HOLDERS ? i : 0];
			out[n] = (struct nl_holder_info){ .slot = i };
			if (i < NL_HOLDERS && h->since) {
				out[n] = (struct nl_holder_info){ i, h->pid, h->uid, h->since, h->waited_ms * NL_MS, "" };
				memcpy(out[n].name, h->name, sizeof h->name);
			}
		}
		n++;
	}
	return n;
}

unsigned nl_bulkhead_waiters(struct nl_state *s, const struct nl_record *rec, struct nl_waiter_info *out, unsigned max)
{
	struct nl_bulkhead b;
	unsigned n = 0;
	if (!ready(s, rec, &b) || !nl_bulkhead_queue(s, &b, 1))
		return 0;
	for (uint64_t t = b.low; t < b.next; t++) {
		if (!nl_any_held(s, nl_ticket_byte(t), 1))
			continue;
		if (n < max) {
			const struct nl_bulkhead_waiter *w = &b.waiters[t % NL_WAITERS];
			out[n] = (struct nl_waiter_info){ .ticket = t };
			if (w->pid && w->ticket == (uint32_t)t) {
				out[n] = (struct nl_waiter_info){ t, w->pid, w->uid, w->since, "" };
				memcpy(out[n].name, w->name, sizeof w->name);
			}
		}
		n++;
	}
	return n;
}

/* What the clock alone explains is put right. */
static bool moment(int64_t *at, nl_time now, bool *put_right)
{
	if (*at > now)
		*at = now, *put_right = true;
	return *at >= 0;
}

enum nl_trouble nl_bulkhead_check(void *body, nl_time now)
{
	struct nl_bulkhead *b = body;
	bool put_right = false;
	bool sane = b->low <= b->next && b->next < TICKETS && b->limit <= NL_SLOTS && b->high <= NL_SLOTS && b->wait_ns >= 0
	            && !(b->flags & ~(uint32_t)NL_BH_FLAGS);
	for (unsigned i = 0; i < NL_HOLDERS; i++)
		sane &= b->holders[i].pid >= 0 && moment(&b->holders[i].since, now, &put_right);
	for (unsigned i = 0; i < NL_WAITERS; i++)
		sane &= b->waiters[i].pid >= 0 && moment(&b->waiters[i].since, now, &put_right);
	return !sane ? NL_CORRUPT : put_right ? NL_CLOCK : NL_FINE;
}
