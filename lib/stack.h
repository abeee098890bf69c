/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stack.h - internal: command lines into stacks of layers.
 */
#ifndef NL_STACK_H
#define NL_STACK_H

#include "nl.h"

/*
 * A layer that takes branches reads what is behind its options as
 *
 *   [ COMMAND... ] [ COMMAND... ] ...      or  COMMAND... ::: COMMAND... ...
 *
 * Groups nest.  In a group, not deeper, a word of backslashes before one of
 * [ ] | ::: loses one backslash; a group with a word | is run by nl-pipe.
 * Anything else is one COMMAND, whose words are not looked at.
 */

/* The layers that a line may have, as words nl-NAME; NULL ends. */
extern const struct nl_layer *const nl_layers[];

enum nl_stack_way {
	NL_STACK_FUSED,                 /* all layers in this process */
	NL_STACK_NESTED,                /* the outermost here, the rest as processes: NL_FUSE=0 */
	NL_STACK_GNU,                   /* called as timeout: one layer, GNU's options */
};

/* Memory for instances, so that a short-lived process needs no heap; what does
 * not fit comes from there all the same.  The caller sets used to 0. */
struct nl_room { size_t used; _Alignas(16) char bytes[4096]; };

/* Builds what argv (behind the tool's own name) says.  NULL with err filled in
 * and *at the layer whose part of the line is wrong. */
struct nl_svc *nl_stack(const struct nl_layer *first, char **argv, enum nl_stack_way, struct nl_room *,
                        const struct nl_layer **at, struct nl_err *err);
void nl_stack_free(struct nl_svc *, const struct nl_room *);

/* A word in a group, or of nl-pipe, not deeper: without the backslash that made it literal. */
char *nl_stack_word(char *);

#endif
