/* SPDX-License-Identifier: Apache-2.0 */
/*
 * describebulkhead.c - a bulkhead's record: how full, who holds, who waits.
 * Who does is what the kernel says; who that is, what they have written down.
 */
#include "describe.h"

#include "parse.h"
#include "queue.h"

#include <stdio.h>
#include <string.h>

static bool bulkhead_setting(const struct nl_record *rec, const char *key, struct nl_setting *s)
{
	const struct nl_bulkhead *b = (const struct nl_bulkhead *)rec->body;
	if (!(b->flags & NL_BH_SET))
		return false;
	if (!strcmp(key, "max")) {
		s->given = b->flags & NL_BH_MAX_GIVEN;
		snprintf(s->text, sizeof s->text, "%u", b->limit);
	} else if (!strcmp(key, "wait")) {
		s->given = b->flags & NL_BH_WAIT_GIVEN;
		nl_span_word(b->wait_ns, s->text);
	} else if (!strcmp(key, "queue")) {
		s->given = b->flags & NL_BH_QUEUE_GIVEN;
		snprintf(s->text, sizeof s->text, b->queue ? "%u" : "inf", b->queue);
	} else {
		return false;
	}
	return true;
}

static void put_person(struct nl_out *o, struct nl_run *run, int pid, unsigned uid, nl_time since, nl_time waited, const char *name)
{
	char user[48];
	if (!pid)
		return;
	nl_out_int(o, "pid", pid);
	nl_out_uint(o, "uid", uid);
	nl_out_str(o, "user", nl_user_name(uid, user));
	nl_out_str(o, "name", name);
	nl_out_since(o, run, since);
	if (waited > 0)
		nl_out_secs(o, "waited_s", waited);
}

/* Opens the lock file, whose bytes count. */
static bool has_lock(struct nl_state *s)
{
	struct nl_record scratch;
	if (s->lock < 0 && nl_state_lock(s, &scratch, NL_GUARD_SPAN) == 0)
		nl_state_unlock(s);
	return s->lock >= 0;
}

static void put_bulkhead(struct nl_out *o, struct nl_state *s, const struct nl_record *rec, enum nl_detail detail)
{
	const struct nl_bulkhead *b = (const struct nl_bulkhead *)rec->body;
	const struct nl_live *live = nl_live_find(rec, "max");
	struct nl_holder_info holder[NL_HOLDERS];
	struct nl_waiter_info waiter[NL_WAITERS];
	struct nl_err err;
	unsigned max;
	if (!has_lock(s)) {
		nl_out_str(o, "trouble", nl_trouble_name(s->trouble));
		nl_out_str(o, "detail", s->err.msg);
		return;
	}
	unsigned active = nl_bulkhead_holders(s, rec, holder, NL_HOLDERS), queued = nl_bulkhead_waiters(s, rec, waiter, NL_WAITERS);
	nl_out_uint(o, "active", active);
	if (live && nl_parse_count(live->value, &max, &err) == 0)      // Also when no call has come since.
		nl_out_uint(o, "max", max && max < NL_SLOTS ? max : NL_SLOTS);
	else if (b->flags & NL_BH_SET)
		nl_out_uint(o, "max", b->limit);
	nl_out_uint(o, "queued", queued);
	if (detail == NL_BRIEF)
		return;
	nl_out_begin(o, "holders", '[');
	for (unsigned i = 0; i < active && i < NL_HOLDERS; i++) {
		nl_out_begin(o, NULL, '{');
		nl_out_uint(o, "slot", holder[i].slot);
		put_person(o, s->run, holder[i].pid, holder[i].uid, holder[i].since, holder[i].waited, holder[i].name);
		nl_out_end(o, '}');
	}
	nl_out_end(o, ']');
	nl_out_begin(o, "waiters", '[');
	for (unsigned i = 0; i < queued && i < NL_WAITERS; i++) {
		nl_out_begin(o, NULL, '{');
		nl_out_uint(o, "ticket", waiter[i].ticket);
		put_person(o, s->run, waiter[i].pid, waiter[i].uid, waiter[i].since, 0, waiter[i].name);
		nl_out_end(o, '}');
	}
	nl_out_end(o, ']');
}

const struct nl_describer nl_describe_bulkhead = { .kind = &nl_kind_bulkhead, .put = put_bulkhead, .setting = bulkhead_setting };
