/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agenda.h - internal: virtual time, as what is still to happen; and a row of calls
 * that wait, in order of arrival.  Calls are numbers.
 */
#ifndef NL_AGENDA_H
#define NL_AGENDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* At one moment of one boot the lower comes first. */
enum nl_step { NL_STEP_LEAVES, NL_STEP_LOOKS, NL_STEP_GIVES_UP, NL_STEP_COMES };
struct nl_moment { int64_t us; uint32_t boot, call; enum nl_step step; };

struct nl_agenda { struct nl_moment *heap; size_t n, room; bool starved; };
void nl_agenda_add(struct nl_agenda *, struct nl_moment);
bool nl_agenda_next(struct nl_agenda *, struct nl_moment *);   /* false: nothing is left */

struct nl_row { uint32_t *next, *before, first, last, n; };    /* of n calls; NL_NOBODY ends */
#define NL_NOBODY UINT32_MAX
int nl_row_make(struct nl_row *, size_t calls);                 /* 0, -1: no memory */
void nl_row_empty(struct nl_row *);
void nl_row_add(struct nl_row *, uint32_t);                     /* behind all with lower numbers */
void nl_row_remove(struct nl_row *, uint32_t);
void nl_row_free(struct nl_row *);

#endif
