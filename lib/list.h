/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list.h - internal: the policies of a directory, one after another.
 */
#ifndef NL_LIST_H
#define NL_LIST_H

#include "control.h"

#define NL_LIST_MAX 4096                /* of a kind */

/* Calls each for every policy (of a kind, or NULL), by kind and name.  0; -1:
 * refused. */
typedef void nl_each(struct nl_ctx *, const struct nl_kind *, const char *name, void *arg);
int nl_each_policy(struct nl_ctx *c, const struct nl_kind *only, nl_each *each, void *arg);

/* A policy as an object: a line's worth of it, or what is wrong with it. */
void nl_put_policy(struct nl_ctx *, struct nl_out *, const struct nl_kind *, const char *name);

#endif
