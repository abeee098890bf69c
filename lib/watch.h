/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch.h - internal: changes of policies as they come.
 */
#ifndef NL_WATCH_H
#define NL_WATCH_H

#include "control.h"

/* Gets a policy, as an object of `list`, when it is first seen and whenever it
 * has changed.  False ends it. */
typedef bool nl_watch_line(struct nl_ctx *, const char *json, size_t n, void *arg);

/* Watches those of the request's argument `policies`, or all, until told to stop. */
void nl_watch_all(struct nl_ctx *c, nl_watch_line *line, void *arg);

#endif
