/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queuelook.h - internal to the queue: what the locks of a bulkhead say.  s has
 * its lock file open.  What cannot be asked counts as held and is noted in s:
 * nl_blind then, and nothing that was found is to be believed or written.
 */
#ifndef NL_QUEUELOOK_H
#define NL_QUEUELOOK_H

#include "queue.h"

static inline int64_t nl_slot_byte(uint64_t n)
{
	return NL_BYTE_SLOT + (int64_t)n;
}

static inline int64_t nl_ticket_byte(uint64_t n)
{
	return NL_BYTE_TICKET + (int64_t)n;
}

static inline bool nl_blind(const struct nl_state *s)
{
	return s->notes >> NL_UNAVAILABLE & 1;
}

/* Is any of the n bytes from first on held?  Which is the highest, counted from
 * first, where one is? */
bool nl_any_held(struct nl_state *, int64_t first, uint64_t n);
uint64_t nl_highest_held(struct nl_state *, int64_t first, uint64_t n);

/* Widens bounds that do not hold, for the record may be another than the one
 * that those used who hold slots and tickets. */
void nl_bulkhead_recover(struct nl_state *, struct nl_bulkhead *);

unsigned nl_bulkhead_count(struct nl_state *, struct nl_bulkhead *);    /* held slots; lowers high */
unsigned nl_bulkhead_queue(struct nl_state *, struct nl_bulkhead *, unsigned max);      /* live tickets, to max; raises low */

#endif
