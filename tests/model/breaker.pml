/* SPDX-License-Identifier: Apache-2.0 */
/*
 * breaker.pml - the circuit breaker between processes, for Spin.
 *
 * NP wrappers call again and again through one record.  A wrapper looks at it
 * without a lock, asks and reports under the guard, and owns its probe by a
 * lease that the kernel frees at its death.  KILLS SIGKILLs hit anywhere, also
 * between any two steps under the guard.  Commands end well, badly or cancelled
 * (CANCELS times, or nobody could promise that half-open ends); a person resets
 * the breaker once, at any time.
 *
 * What happens under the guard is one atomic step with deaths inside it: no other
 * process can see how far it has come, for the record changes by one write and
 * leases are looked at under the guard alone.  Mutants that let others in are
 * cut where they do.
 *
 * Safety, by assertions:
 *   never more than PROBES probes at once                                   (B1)
 *   a result counts only in the epoch of its permit, which is compared as it
 *   really is, not as it is stored                                      (B2, B3)
 *   half-open begins only when the open time is over                        (B4)
 *   a record is written over only by who read that very one
 *   an opening has its failures
 * Liveness: [](half_open -> <> !half_open), whoever is killed               (B6)
 *
 * -DMUT=n breaks it in one way each; `run` expects every one to be found.
 */
#ifndef MUT
#define MUT 0
#endif
#define LEAKED_PROBE    1       /* the record counts probes, not the kernel */
#define CHECK_THEN_ACT  2       /* the guard is let go between counting and taking */
#define NO_EPOCH_CHECK  3       /* a result counts whenever it comes */
#define WRAP_AROUND     4       /* epochs are stored in too few bits */
#define INHERITED_PROBE 5       /* the command has the lease, too, and outlives its wrapper */
#define NO_GUARD        6       /* results are written without the guard */
#define PID_GUARD       7       /* the guard is data: nobody frees it for the dead */
#define CANCELLED_FAILS 8       /* a cancelled call is a failure */
#define LATE_LEASE      9       /* the lease is taken when the guard is free again */
#define KEEPS_LEASE     10      /* a cancelled probe is not given back */
#define READ_BEFORE     11      /* the record is read before the guard is taken */
#define EARLY_PROBE     12      /* half-open does not wait for the open time */

#ifndef NP
#define NP 3
#endif
#ifndef EPOCHS
#define EPOCHS 4                /* no further half-open or reset from here on: keeps it finite */
#endif
#ifndef KILLS
#define KILLS 2
#endif
#ifndef CANCELS
#define CANCELS 1
#endif
#define PROBES 1
#define TRIP 2                  /* consecutive failures that open */

#define CLOSED 0
#define OPEN 1
#define HALF 2

#define NONE 0
#define GOOD 1
#define BAD 2
#define CANCELLED 3

#if MUT == WRAP_AROUND
#define STORED(e) ((e) & 1)
#else
#define STORED(e) (e)
#endif
#define COOL (cooled || MUT == EARLY_PROBE)

/* The record; its epoch is STORED(epoch). */
byte state = CLOSED, epoch = 0, streak = 0, counted = 0;
bool lease[NP], guard = false;  /* of the kernel; guard is used where deaths can leave it */
bool cooled = false;
byte kills = 0, cancels = 0;
byte badly = 0;                 /* calls of this epoch that ended badly since one that ended well */

inline die(inside)
{
	kills++;
#if MUT == PID_GUARD
	guard = guard || inside;
#endif
#if MUT == INHERITED_PROBE
	lease[me] = lease[me] && running;
#else
	lease[me] = false;
#endif
	goto born
}
#define MAY_DIE(inside) \
	if \
	:: kills < KILLS -> die(inside) \
	:: true \
	fi

inline count_leases()
{
	n = 0;
	for (i : 0 .. NP - 1) {
		n = n + lease[i]
	}
	i = 0
}

/* A copy of the record, and one of the copy to compare with. */
inline load() { s = state; e = epoch; k = streak; s0 = s; e0 = e; k0 = k }
inline move(to) { s = to; e = epoch + 1; k = 0 }
inline store()
{
	assert(state == s0 && epoch == e0 && streak == k0);
	if
	:: s != s0 -> assert(s != HALF || cooled); badly = 0; counted = 0; cooled = false
	:: else
	fi;
	state = s; epoch = e; streak = k
}
inline forget() { s = 0; e = 0; k = 0; s0 = 0; e0 = 0; k0 = 0; n = 0 }

/* What a result does to the copy. */
inline judge()
{
	badly = (result == GOOD -> 0 : (result == BAD && badly < TRIP -> badly + 1 : badly));
	if
	:: s == HALF && result == GOOD -> move(CLOSED)
	:: s == HALF && (result == BAD || MUT == CANCELLED_FAILS && result == CANCELLED) -> assert(badly > 0); move(OPEN)
	:: s == CLOSED && result == GOOD -> k = 0
	:: s == CLOSED && (result == BAD || MUT == CANCELLED_FAILS && result == CANCELLED) ->
		k++;
		if
		:: k >= TRIP -> assert(badly >= TRIP); move(OPEN)
		:: else
		fi
	:: else -> assert(result == CANCELLED)
	fi
}

active [NP] proctype wrapper()
{
	byte me = _pid, s = 0, e = 0, k = 0, s0 = 0, e0 = 0, k0 = 0, n = 0, i = 0;
	byte permit = 0, result = NONE;         /* permit: an epoch as it really is */
	bool probe = false, running = false;

born:	atomic { forget(); permit = 0; result = NONE; probe = false; running = false }

end_idle:
	atomic {        /* One look, no lock. */
		if
		:: state == CLOSED -> permit = epoch; goto admit
		:: state == OPEN && COOL && epoch < EPOCHS
		:: state == HALF
		fi;
#if MUT == READ_BEFORE
		load()
#endif
	}
	atomic {        /* Ask, under the guard. */
		!guard;
		MAY_DIE(true);
#if MUT != READ_BEFORE
		load();
#endif
		count_leases();
#if MUT == LEAKED_PROBE
		n = counted;
#endif
		if
		:: s == OPEN && COOL && epoch < EPOCHS -> move(HALF)
		:: else
		fi;
		if
		:: s == CLOSED || s == HALF && n < PROBES
		:: else -> forget(); goto end_idle      /* rejected */
		fi;
		probe = (s == HALF);
#if MUT == CHECK_THEN_ACT
	}
	atomic {
		s0 = state; e0 = epoch; k0 = streak; e = (s == s0 -> epoch : epoch + 1);
#endif
#if MUT != LATE_LEASE
		lease[me] = probe;
		MAY_DIE(true);
#endif
		store();
		permit = e;
		counted = (probe -> counted + 1 : counted);
		forget();
		MAY_DIE(true)
	}
#if MUT == LATE_LEASE
	lease[me] = probe;
#endif
admit:	atomic {
		count_leases();
		assert(n <= PROBES);
		n = 0;
		running = true
	}
	atomic {
		MAY_DIE(false);
		if
		:: result = GOOD
		:: result = BAD
		:: cancels < CANCELS -> cancels++; result = CANCELLED
		fi;
		running = false
	}
	atomic {        /* Nothing to store: no lock. */
		if
		:: result == GOOD && state == CLOSED && epoch == permit && streak == 0 -> badly = 0; goto done
		:: else
		fi;
#if MUT == NO_GUARD
		load()
#endif
	}
	atomic {        /* Report, under the guard. */
		!guard;
		MAY_DIE(true);
#if MUT != NO_GUARD
		load();
#endif
		if
		:: STORED(permit) == STORED(e) || MUT == NO_EPOCH_CHECK ->
			assert(permit == epoch);
			judge();
			store();
#if MUT == LEAKED_PROBE
			counted = (probe && counted > 0 -> counted - 1 : counted)
#endif
		:: else         /* stale: counted, not applied */
		fi;
		forget();
		MAY_DIE(true)
	}
done:	atomic {
		MAY_DIE(false);
		lease[me] = (MUT == KEEPS_LEASE && result == CANCELLED -> lease[me] : false);
		permit = 0; result = NONE; probe = false;
		goto end_idle
	}
}

active proctype clock()
{
end:	do
	:: atomic { state == OPEN && !cooled -> cooled = true }
	od
}

/* nl-ctl reset. */
active proctype person()
{
end:	atomic { !guard && epoch < EPOCHS -> state = CLOSED; epoch++; streak = 0; badly = 0; cooled = false; counted = 0 }
}

#define half_open (state == HALF)
ltl no_stuck_half { [] (half_open -> <> !half_open) }
