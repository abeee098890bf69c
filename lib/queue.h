/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue.h - internal: admission to a bulkhead, in order of arrival.
 *
 *   arrive --a slot is free, nobody waits--> OURS
 *      | guard: take a ticket, lock its byte
 *      v
 *   behind --every lower ticket is gone--> head --held < limit--> OURS
 *      (sleeps on the one before)             (watches, looks again, sleeps)
 *
 * All that counts is kept by the kernel (lease.h): a held slot and a live
 * ticket are locked bytes, so that the death of anybody at any moment gives
 * back what it had.  The record has the next ticket's number and two bounds
 * that spare looking at bytes; it is made anew from the locks where it is lost.
 * Its tables are for people alone.
 *
 * Whoever is behind sleeps in the kernel on its predecessor's byte and is woken
 * once; the head alone watches the files.
 */
#ifndef NL_QUEUE_H
#define NL_QUEUE_H

#include "lease.h"

#define NL_HOLDERS 64                   /* of the first so many slots we can say who */
#define NL_WAITERS 32

/* The body of a bulkhead's record; nl-state(5). */
struct nl_bulkhead {
	uint64_t next;                  /* number of the next ticket */
	uint64_t low;                   /* no ticket below is live */
	uint32_t limit;                 /* the last caller's, live values applied */
	uint32_t high;                  /* no slot from here on is held */
	int64_t wait_ns;                /* the last caller's -w: 0 rejects at once, NL_NEVER */
	uint32_t queue;                 /* the last caller's -q; 0: no bound */
	uint32_t flags;                 /* NL_BH_* */
	struct nl_bulkhead_holder {     /* of slot i */
		int32_t pid;            /* of the wrapper; 0: nothing is known */
		uint32_t uid;
		int64_t since;          /* CLOCK_BOOTTIME ns */
		uint32_t waited_ms;
		char name[12];          /* of the command, cut; no NUL when full */
	} holders[NL_HOLDERS];
	struct nl_bulkhead_waiter {     /* of ticket n at n % NL_WAITERS, unless that one was taken */
		uint32_t ticket;        /* its low 32 bits */
		int32_t pid;
		int64_t since;
		uint32_t uid;
		char name[12];
	} waiters[NL_WAITERS];
};
_Static_assert(sizeof(struct nl_bulkhead) == 40 + NL_HOLDERS * 32 + NL_WAITERS * 32, "the format is frozen");
_Static_assert(sizeof(struct nl_bulkhead) <= NL_BODY_MAX, "the format is frozen");
enum {
	NL_BH_SET = 1,                  /* somebody has been admitted: limit, wait_ns, queue are his */
	NL_BH_MAX_GIVEN = 2, NL_BH_WAIT_GIVEN = 4, NL_BH_QUEUE_GIVEN = 8,      /* by the last caller's line */
	NL_BH_FLAGS = 15,
};
enum nl_trouble nl_bulkhead_check(void *body, nl_time now);     /* as nl_kind.check */

/* Who holds and who waits, by the locks; what the tables know of it is added,
 * pid 0 where that is nothing.  Returns how many there are and fills in the
 * first max, by slot and by ticket. */
struct nl_holder_info { unsigned slot; int pid; unsigned uid; nl_time since, waited; char name[13]; };
struct nl_waiter_info { uint64_t ticket; int pid; unsigned uid; nl_time since; char name[13]; };
unsigned nl_bulkhead_holders(struct nl_state *, const struct nl_record *, struct nl_holder_info *out, unsigned max);
unsigned nl_bulkhead_waiters(struct nl_state *, const struct nl_record *, struct nl_waiter_info *out, unsigned max);

/* What a call asks for. */
struct nl_terms {
	unsigned limit;                 /* most slots held, ours included: 1..NL_SLOTS */
	nl_time wait;                   /* at most; 0: not at all */
	unsigned queue;                 /* most that may wait already, 0: no bound */
	uint32_t flags;                 /* NL_BH_*_GIVEN */
	bool tree;                      /* the slot is held as long as anybody has inherited it */
};

enum nl_turn {
	NL_TURN_OURS,                   /* admitted: a slot is held */
	NL_TURN_WAITS,                  /* behind others, or for a slot; never an answer */
	NL_TURN_FULL,                   /* and it may not wait */
	NL_TURN_QUEUE_FULL,
	NL_TURN_LATE,                   /* ask.wait has passed */
	NL_TURN_STOPPED,                /* why tells by whom */
	NL_TURN_TROUBLE,                /* state.trouble */
};

/* The rule (admit.c): what becomes of a call that finds so many slots held and so
 * many calls waiting before it.  Up to NL_TURN_QUEUE_FULL.  Whoever is first in
 * line asks again with waiting 0 whenever a slot may be free. */
enum nl_turn nl_admit(const struct nl_terms *, unsigned held, unsigned waiting);
/* What a bulkhead's line asks for. */
struct nl_terms nl_bulkhead_terms(const struct nl_svc *);

/* One call's place. */
struct nl_place {
	struct nl_state *state;         /* open; the caller's */
	const struct nl_svc *svc;       /* whose call it is */
	struct nl_svc *conf;            /* a copy of it, with live values */
	/* Asked at each look, with the record as it is then; NULL: before the first. */
	struct nl_terms (*asks)(struct nl_place *, const struct nl_record *);
	struct nl_terms ask;              /* as it was at the last look; so are the next four */
	uint64_t low, next;             /* tickets that may be live: low <= n < next */
	uint64_t gen;                   /* cfg of the record */
	unsigned active;                /* slots held, ours included */
	unsigned found;                 /* held by others at the first look */
	nl_time since, waited;
	/* On the record's clock, for who plays it again: when it came, when it was first
	 * looked at, when it was admitted, when it gave its slot or its place back. */
	nl_time came_at, decided_at, got_at, left_at;
	uint64_t ticket;
	bool queued;                    /* ticket is ours */
	unsigned slot;
	int fd;                         /* of the slot, CLOEXEC until nl_place_lend; -1: none */
	enum nl_why why;
};

/* Asks for a slot and waits for it.  now: when the call began.  The caller has
 * set state, svc, conf and asks. */
enum nl_turn nl_place_take(struct nl_place *, struct nl_run *, const struct nl_req *, nl_time now);
/* Lets commands inherit the slot, on a high descriptor. */
void nl_place_lend(struct nl_place *, struct nl_run *);
/* Gives the slot back; active is then what is left. */
void nl_place_leave(struct nl_place *, struct nl_run *);
/* Live tickets, counted to 1000 of them. */
unsigned nl_place_waiting(struct nl_place *);

#endif
