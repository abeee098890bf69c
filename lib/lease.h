/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease.h - internal: bytes of a lock file that the kernel keeps locked for
 * whoever holds them and frees at any death.
 *
 * The bytes are frozen for ever, for all versions share them:
 *   0          the guard of the record
 *   1000 + i   slot i of a bulkhead, probe i of a breaker
 *   2^32 + n   ticket n of a bulkhead's queue
 *
 * Locks are open file description locks (fcntl(2)): one description for each
 * role, or a lock of one role would not be seen by another.  F_OFD_GETLK names
 * an arbitrary holder of a range: it tells that a range is free, never how much
 * of it is held, so held bytes are counted one by one.
 */
#ifndef NL_LEASE_H
#define NL_LEASE_H

#include "state.h"

#define NL_BYTE_GUARD 0
#define NL_BYTE_SLOT 1000
#define NL_BYTE_TICKET ((int64_t)1 << 32)
#define NL_SLOTS 1000                   /* most slots of a bulkhead, most probes of a breaker */

/* Locks a byte now.  0; -EAGAIN: somebody holds it; other -errno. */
int nl_byte_lock(struct nl_run *, int fd, int64_t byte);
int nl_byte_unlock(struct nl_run *, int fd, int64_t byte);
/* Does another description hold any of n bytes?  1, 0, -errno. */
int nl_byte_held(struct nl_run *, int fd, int64_t byte, int64_t n);

/* Held slots among the first n, seen from lock file fd; -errno. */
int nl_slots_held(struct nl_run *, int fd, unsigned n);

/* Takes a free one of the first n slots on a new description of s's lock file,
 * which it returns (CLOEXEC), *slot with it.  -EAGAIN: none is free.  The
 * caller holds the guard and has counted. */
int nl_slot_take(struct nl_state *, unsigned n, unsigned *slot);

/* Waits until byte is free, in the kernel's own queue (F_OFD_SETLKW), as
 * nl_sleep does.  NL_RAN: with *error 0 it is free (and not ours), with -EAGAIN
 * `until` has come, else the kernel cannot do it; others: why the wait ended. */
enum nl_why nl_byte_wait(struct nl_run *, const struct nl_req *, int fd, int64_t byte, nl_time until, int *error);

/* Wakes when a record is written or a description of its lock file is closed:
 * every release does one or the other.  Where inotify has no instance left it
 * is a poll of 50 ms.  Arm, look again, wait. */
struct nl_watch { int fd; };
void nl_watch_open(struct nl_run *, struct nl_watch *, const struct nl_state *);        /* arms */
/* The same without writes, for the first in a queue: those who arrive behind it
 * write, while every release, live change and death ends with a close. */
void nl_watch_closes(struct nl_run *, struct nl_watch *, const struct nl_state *);
enum nl_why nl_watch_wait(struct nl_run *, const struct nl_req *, struct nl_watch *, nl_time until, bool *due);
                                        /* NL_RAN: look again; *due: until has come */
void nl_watch_close(struct nl_run *, struct nl_watch *);

#endif
