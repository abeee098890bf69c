/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stop.h - internal: the options with which every layer that stops commands
 * says how.
 */
#ifndef NL_STOP_H
#define NL_STOP_H

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

/* A limit of svc at a moment; grace narrows q's, whichever limit fires. */
static inline struct nl_limit nl_stopper_limit(const struct nl_stopper *s, const struct nl_svc *svc, nl_time at)
{
	return (struct nl_limit){ .at = at, .owner = svc, .sig = s->sig.set ? s->sig.n : 15 /* TERM */, .kill = nl_stopper_kill(s) };
}

static inline void nl_stopper_grace(const struct nl_stopper *s, struct nl_req *q)
{
	nl_time grace = !s->grace.given ? 5 * NL_SEC : s->grace.ns == 0 ? NL_NEVER : s->grace.ns;
	if (grace < q->stop.grace)
		q->stop.grace = grace;
}

#endif
