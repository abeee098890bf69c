/* SPDX-License-Identifier: Apache-2.0 */
/* trace.h - internal: the calls that belong together. */
#ifndef NL_TRACE_H
#define NL_TRACE_H

#include "observe/query.h"

struct nl_trace;
bool nl_trace_is_span(const char *text);        /* 16 digits of 0-9 a-f */
struct nl_trace *nl_trace_listen(struct nl_intake *, const char *span);         /* NULL: no memory; to be freed by free() */
/* All calls of the span's trace, in order of their beginnings: the status of an answer. */
int nl_trace_answer(struct nl_trace *, struct nl_out *, bool json, struct nl_err *);

#endif
