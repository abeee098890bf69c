/* SPDX-License-Identifier: Apache-2.0 */
/* twin.c - the scalar shape.c under names of its own, and facts compared. */
#include "twin.h"

#define NL_SCALAR
#define nl_shapes_new twin_new
#define nl_shapes_free twin_free
#define nl_shapes_read twin_read
#define nl_shapes_line twin_line
#define nl_shapes_missed twin_missed
// NOLINTNEXTLINE(bugprone-suspicious-include)
#include "observe/shape.c"
#undef nl_shapes_new
#undef nl_shapes_free
#undef nl_shapes_read
#undef nl_shapes_line
#undef nl_shapes_missed

static bool same_text(struct nl_quote a, const char *room_a, struct nl_quote b, const char *room_b)
{
	bool in = a.s >= room_a && a.s < room_a + NL_FACT_MAX;
	return a.n == b.n && (in ? b.s - room_b == a.s - room_a && memcmp(a.s, b.s, a.n) == 0 : a.s == b.s);
}

bool same_fact(const struct nl_fact *a, const char *room_a, const struct nl_fact *b, const char *room_b)
{
#define TEXT(member) same_text(a->member, room_a, b->member, room_b)
#define SAME(member) (a->member == b->member)
	return TEXT(line) && TEXT(event) && TEXT(policy) && TEXT(kind) && TEXT(signal) && TEXT(err) && TEXT(cmd)
	       && SAME(time_us) && SAME(mono_us) && SAME(told) && SAME(sev) && SAME(trace[0]) && SAME(trace[1]) && SAME(span)
	       && SAME(parent) && SAME(run) && SAME(seq) && SAME(depth) && SAME(gen) && SAME(dur_us) && SAME(exit) && SAME(attempts)
	       && SAME(events) && SAME(dropped) && SAME(active) && SAME(max) && SAME(queued) && SAME(waited_us) && SAME(held_us)
	       && SAME(epoch) && SAME(delay_us) && SAME(slept_us);
}
