/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bulkhead.pml - slots and the queue before them, for Spin.
 *
 * NP wrappers come once each for one of the slots; the last of them may refuse
 * to wait.  A ticket orders them; each waits for those before it, and the first
 * for a free slot.  KILLS SIGKILLs hit anywhere; the command of a wrapper that
 * is killed lives for some while and has the slot as long.  A person changes the
 * limit twice, up and down, at any time.
 *
 * What happens under the guard is one atomic step with deaths inside it, as in
 * breaker.pml.  A close tells the watches first and frees its locks only then, as
 * Linux does: whoever looks at once may find a slot still held, and must look
 * again a while later.
 *
 * Safety, by assertions where the admission takes place:
 *   slots held, and commands that run, are within the limit as it is now  (K1, K5)
 *   admissions are in the order of tickets                                    (K3)
 *   who does not wait passes nobody who does                                  (K6)
 * No deadlock: a free slot and a live waiter meet                         (K2, K4)
 *
 * -DMUT=n breaks it in one way each; `run` expects every one to be found.
 */
#ifndef MUT
#define MUT 0
#endif
#define TICKET_OUTSIDE  1       /* the ticket is locked when the guard is free again */
#define PREDECESSOR     2       /* waits for the ticket before its own alone */
#define LATE_WATCH      3       /* the watch is armed after the look, and no look follows */
#define INDEX           4       /* a free slot below the limit will do, however many are held */
#define NOT_FREED       5       /* slots are a table: nobody frees those of the dead */
#define NOT_INHERITED   6       /* the wrapper alone holds the slot */
#define SILENT_RELEASE  7       /* a slot is unlocked and the record not written */
#define BARGE           8       /* who does not wait looks at slots alone */
#define RANGE_SCAN      9       /* slots are counted by what F_OFD_GETLK names */
#define ONE_LOOK        10      /* no second look, a while after an event or the arming of the watch */
#define CHECK_THEN_ACT  11      /* the guard is let go between counting and taking */
#define EARLY_TURN      12      /* the ticket is dropped before the slot is taken */
#define OLD_LIMIT       13      /* the limit of when it came holds for ever */

#ifndef NP
#define NP 4
#endif
#ifndef KILLS
#define KILLS 2
#endif
#define SLOTS 3
#define FREE NP

byte limit = 2, next = 0;       /* the record */
byte slot[SLOTS] = FREE, ticket[NP] = FREE;     /* the kernel: who holds each */
byte watch = FREE;              /* only the first in the queue has one */
bool event = false;
byte closing = 0;               /* closes that have told and not yet freed */
byte kills = 0, begun = 0;
byte running = 0;               /* commands, also those of the dead */
byte last = 0;                  /* the last ticket that was admitted, plus 1 */

inline tell() { event = event || (watch != FREE) }
inline drop_ticket()
{
	for (i : 0 .. NP - 1) {
		if
		:: ticket[i] == me -> ticket[i] = FREE
		:: else
		fi
	}
	i = 0;
	if
	:: watch == me -> watch = FREE; event = false
	:: else
	fi
}
inline drop_slot()
{
	for (i : 0 .. SLOTS - 1) {
		if
		:: slot[i] == me -> slot[i] = FREE
		:: else
		fi
	}
	i = 0
}
#define MAY_DIE \
	if \
	:: kills < KILLS -> kills++; goto dead \
	:: true \
	fi

inline count()
{
	c = 0;
#if MUT == RANGE_SCAN
	do
	:: i < SLOTS && slot[i] != FREE -> c++; i++
	:: i < SLOTS -> i++			/* some holder of what is left, not the first */
	:: else -> break
	od;
#else
	for (i : 0 .. SLOTS - 1) {
		c = c + (slot[i] == FREE -> 0 : 1)
	}
#endif
	i = 0
}

inline anybody_waits()
{
	c = 0;
	for (i : 0 .. NP - 1) {
		c = c + (ticket[i] == FREE -> 0 : 1)
	}
	i = 0
}

inline take()
{
	if
	:: slot[0] == FREE -> slot[0] = me
	:: slot[0] != FREE && slot[1] == FREE && !(MUT == INDEX && limit < 2) -> slot[1] = me
	:: slot[0] != FREE && slot[1] != FREE && slot[2] == FREE && !(MUT == INDEX && limit < 3) -> slot[2] = me
	:: else -> goto wait
	fi;
	assert((slot[0] == FREE -> 0 : 1) + (slot[1] == FREE -> 0 : 1) + (slot[2] == FREE -> 0 : 1) <= limit);
	assert(running < limit)
}

proctype wrapper(byte me)
{
	byte t = 0, c = 0, i = 0, w = 0;
	bool cmd = false, again = false;        /* its command runs; a second look is due */

	atomic {        /* They are alike: they may as well begin in this order. */
		begun == me -> begun++;
		if
		:: me == NP - 1 -> goto now
		:: true
		fi;
		t = next;       /* Queue. */
		next++;
		w = (MUT == OLD_LIMIT -> limit : 0);
#if MUT == TICKET_OUTSIDE
	}
	atomic {
#endif
		ticket[t] = me;
		MAY_DIE
	}
	do      /* Wait for all before me: for any that is there, then again. */
#if MUT == PREDECESSOR
	:: atomic { t == 0 || ticket[t - 1] == FREE -> break }
#else
	:: atomic { (t < 1 || ticket[0] == FREE) && (t < 2 || ticket[1] == FREE) && (t < 3 || ticket[2] == FREE) &&
		(t < 4 || ticket[NP - 2] == FREE) -> break }
#endif
	:: atomic { kills < KILLS -> kills++; goto dead }
	od;
look:	atomic {
		MAY_DIE;
		count();
#if MUT == EARLY_TURN
		drop_ticket();
#endif
		if
		:: c < (MUT == OLD_LIMIT -> w : limit) || MUT == INDEX
#if MUT == CHECK_THEN_ACT || MUT == EARLY_TURN
			; goto act
#endif
		:: else -> goto wait
		fi;
#if MUT == CHECK_THEN_ACT || MUT == EARLY_TURN
	}
act:	atomic {
#endif
		c = 0;
		take();
		assert(t >= last);
		last = t + 1;
		MAY_DIE;
		goto admitted
	}
wait:	atomic {
		c = 0;
#if MUT == LATE_WATCH
	}
	atomic {
#endif
		if
		:: watch != me ->
			watch = me;
			event = false;
			again = (MUT != ONE_LOOK);      /* What was closing then has told nobody. */
#if MUT == LATE_WATCH
			again = false
#else
			goto look
#endif
		:: else
		fi
	}
	do      /* Wait for an event; a while later, whatever was closing is closed. */
	:: atomic { watch == me && event -> event = false; again = (MUT != ONE_LOOK); goto look }
	:: atomic { again && closing == 0 -> again = false; goto look }
	:: atomic { kills < KILLS -> kills++; goto dead }
	od;

now:	atomic {        /* Does not wait. */
		anybody_waits();
		if
		:: c > 0 && MUT != BARGE -> c = 0; goto out
		:: else
		fi;
		count();
		if
		:: c < limit -> c = 0
		:: else -> c = 0; goto out
		fi;
		take();
		anybody_waits();
		assert(c == 0);
		MAY_DIE
	}
admitted:
	atomic { MAY_DIE; drop_ticket(); tell(); running++; cmd = true }       /* its close tells */
	atomic { MAY_DIE; running--; cmd = false }      /* The command ends. */
	atomic { drop_slot() }          /* An unlock tells nobody: a child of the command may have the description. */
	atomic {
		MAY_DIE;
#if MUT != SILENT_RELEASE
		tell();                 /* The record is written. */
#endif
		goto out
	}

dead:	atomic { c = 0; t = 0; w = 0; again = false; tell(); closing++ }
	atomic {
		drop_ticket();
		if
		:: MUT != NOT_FREED && (!cmd || MUT == NOT_INHERITED) -> drop_slot()
		:: else
		fi;
		closing--;
		if
		:: !cmd -> goto out
		:: else
		fi
	}
	atomic { running--; cmd = false; tell(); closing++ }
	atomic {
		if
		:: MUT != NOT_FREED -> drop_slot()
		:: else
		fi;
		closing--
	}
out:	atomic { c = 0; t = 0; w = 0; again = false }
}

/* nl-ctl set. */
proctype person()
{
	atomic { limit = 3; tell() }
	atomic { limit = 1; tell() }
}

init {
	byte i = 0;
	atomic {
		for (i : 0 .. NP - 1) {
			run wrapper(i)
		}
		run person()
	}
}
