/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stop.h - internal: the options with which every layer that stops commands
 * says how.
 */
#ifndef NL_STOP_H
#define NL_STOP_H

#include "io.h"
#include "opt.h"

struct nl_stopper { struct nl_sig sig; struct nl_span grace; struct nl_word kill; };

#define NL_OPT_STOP_K(T, member) NL_OPT('k', "kill-after", T, member.grace, "DURATION", \
	"send KILL this long after the first signal; inf: never", "5s")
#define NL_OPT_STOP_S(T, member) NL_OPT('s', "signal", T, member.sig, "SIGNAL", "stop with this signal first", "TERM")
#define NL_OPT_STOP_KILL(T, member) NL_OPT(0, "kill", T, member.kill, "group|tree", \
	"stop the command's process group, or all its descendants", "tree")

static inline enum nl_kill nl_stopper_kill(const struct nl_stopper *s)
{
	return s->kill.given && s->kill.index == 0 ? NL_KILL_GROUP : NL_KILL_TREE;
}

static inline nl_time nl_stopper_span(const struct nl_stopper *s)
{
	return !s->grace.given ? 5 * NL_SEC : s->grace.ns == 0 ? NL_NEVER : s->grace.ns;
}

static inline struct nl_limit nl_stopper_limit(const struct nl_stopper *s, const struct nl_svc *svc, nl_time at)
{
	return (struct nl_limit){ .at = at, .owner = svc, .sig = s->sig.set ? s->sig.n : 15 /* TERM */, .kill = nl_stopper_kill(s) };
}

/* Whoever stops the command: it gets no longer than the shortest of all layers'. */
static inline void nl_stopper_grace(const struct nl_stopper *s, struct nl_req *q)
{
	if (nl_stopper_span(s) < q->stop.grace)
		q->stop.grace = nl_stopper_span(s);
}

/* Did svc's limit at a moment end the call?  Also when it passed while an inner
 * layer was still stopping the command, as it would have outside this process. */
static inline bool nl_limit_hit(const struct nl_run *run, const struct nl_svc *svc, struct nl_outcome o, nl_time at)
{
	return (o.why == NL_DEADLINE && run->fired == svc) || (o.why == NL_RAN && run->stopped_at > 0 && at <= run->stopped_at);
}

#endif
