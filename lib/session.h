/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.h - internal: a process's one call of a stack, with its events.
 */
#ifndef NL_SESSION_H
#define NL_SESSION_H

#include "event.h"
#include "nl.h"

/* Where events go when nobody says where: to stderr, or nowhere. */
enum nl_voice { NL_LOUD, NL_SILENT };

struct nl_session {
	struct nl_ids ids;
	struct nl_sink *sink;           /* of the layers that have none of their own, or NULL */
};

/* Each layer's sink: its own --events, or the one of the layer around it. */
int nl_session_open(struct nl_run *, struct nl_session *, struct nl_svc *, enum nl_voice, struct nl_err *);

/* The call.  Works without nl_session_open, too: then nobody hears of it. */
struct nl_outcome nl_session_call(struct nl_run *, struct nl_svc *);

/* For processes that go on: closes what the sinks have opened. */
void nl_session_close(struct nl_run *, struct nl_session *, struct nl_svc *);

#endif
