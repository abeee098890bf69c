/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state.h - internal: records that processes share, one file for each policy.
 *
 * nl-state(5) is the format.  A record is 4096 bytes, read by one pread without
 * a lock and written by one pwrite under the guard: byte 0 of a lock file of
 * zero length, held for microseconds and never while a command runs.  What a
 * process owns (a slot, a probe, a place in the queue) is no entry in a record
 * but a byte that the kernel keeps locked for it (lease.h).
 *
 * Nothing of this can fail a command: a function that returns -1 has said in
 * s->trouble what is wrong, and the layer's --on-state-error decides.
 */
#ifndef NL_STATE_H
#define NL_STATE_H

#include "event.h"
#include "nl.h"

#define NL_RECORD_SIZE 4096
#define NL_LIVES 12                     /* live values in a record */
#define NL_NAME_MAX 64

/* What is wrong with state; the words of nl.state.degraded are nl_trouble_name's. */
enum nl_trouble {
	NL_FINE,
	NL_ABSENT,                      /* no such record, and none was to be made: no trouble */
	NL_UNAVAILABLE,                 /* missing, full, read-only, I/O: an errno */
	NL_UNSAFE,                      /* owner, mode, type or file system: not to be touched */
	NL_BUSY,                        /* the guard was held too long */
	NL_CORRUPT,                     /* was no record; moved aside */
	NL_REPLACED,                    /* somebody has removed or replaced files in use */
	NL_TOO_NEW,                     /* of a later version: "version" */
	NL_CLOCK,                       /* times that cannot be; put right */
	NL_TROUBLES
};
const char *nl_trouble_name(enum nl_trouble);

/* The head of every record.  Fixed-width, native byte order: state never
 * leaves the machine.  Later minor versions may use the zeroes and what lies
 * behind a body: both are written back as they were read. */
struct nl_head {
	char magic[4];                  /* "9LST" */
	uint8_t major, minor;           /* a greater major is not written to */
	uint8_t kind;                   /* nl_kind.id */
	uint8_t zero[5];
	uint32_t lives;                 /* entries of live[] in use */
	uint64_t sum;                   /* of the record with sum 0: nl_state_sum */
	uint8_t boot[16];               /* another boot's record is void */
	uint64_t epoch;                 /* rises with every transition and reset, never falls */
	uint64_t cfg;                   /* rises with every live change */
	uint64_t lock_ino;              /* of the lock file it was made with */
};

/* A live value: an option's long name and its text, as on a command line. */
struct nl_live { char key[16]; char value[40]; uint32_t uid, zero; int64_t real_ns; };

struct nl_record {
	struct nl_head head;
	struct nl_live live[NL_LIVES];
	_Alignas(8) unsigned char body[NL_RECORD_SIZE - sizeof(struct nl_head) - NL_LIVES * sizeof(struct nl_live)];
};
_Static_assert(sizeof(struct nl_head) == 64 && sizeof(struct nl_live) == 72, "the format is frozen");
_Static_assert(sizeof(struct nl_record) == NL_RECORD_SIZE, "the format is frozen");
#define NL_BODY_MAX (NL_RECORD_SIZE - 64 - NL_LIVES * 72)       /* 3168 */

/* A kind of record: one const object each. */
struct nl_kind {
	const char *name;               /* the directory, and KIND in KIND/NAME */
	uint8_t id;
	const struct nl_layer *layer;   /* whose option table types its live values */
	/* Range-checks every field of a body whose sum was right; may put right
	 * what the clock alone explains (now: CLOCK_BOOTTIME) and returns NL_CLOCK
	 * then; NL_CORRUPT: cannot be.  NULL: has no body. */
	enum nl_trouble (*check)(void *body, nl_time now);
};
extern const struct nl_kind nl_kind_breaker, nl_kind_bulkhead, nl_kind_budget, nl_kind_retry, nl_kind_timeout, nl_kind_race;
extern const struct nl_kind *const nl_kinds[];  /* all of them, then NULL */
const struct nl_kind *nl_kind_of(const char *name);     /* NULL: none */

/* An open record. */
struct nl_state {
	struct nl_run *run;
	const struct nl_kind *kind;
	char name[NL_NAME_MAX + 1];
	uint32_t dir_uid, dir_gid;
	int dir, rec, lock;             /* directory of the kind, record, lock file (CLOEXEC); -1 */
	uint8_t boot[16];               /* this boot; zeroes where unknown */
	bool group;                     /* in a directory of mode 2770: files are 0660 */
	bool locked;                    /* we hold the guard */
	bool relocked;                  /* the record was made with another lock file: who holds bytes of that one is not seen */
	uint64_t lock_ino;
	uint64_t quarantined;           /* how many records were moved aside by us */
	enum nl_trouble trouble;        /* of the last call that returned -1 */
	unsigned notes;                 /* bit per enum nl_trouble: met, not yet told; also when a call went well */
	struct nl_err err;              /* text of the newest */
};

/*
 * The directory of all state, -1 with *trouble and err (its text has the path).
 * dir (--state, or NULL) > NL_STATE > /run/ninelives for the root user >
 * $XDG_STATE_HOME/ninelives > HOME-of-the-password-file/.local/state/ninelives.
 * Makes the last directory (mode 0700) where create says so.  path (may be
 * NULL, PATH_MAX bytes) receives what was chosen, also on failure.
 */
enum nl_make { NL_EXISTING, NL_CREATE };
int nl_state_root(struct nl_run *, const char *dir, enum nl_make, char *path, bool *group, enum nl_trouble *, struct nl_err *);

/* Opens KIND/NAME.  name was accepted by nl_parse_name.  NL_EXISTING: NL_ABSENT
 * when there is none.  0, -1; nl_state_close is due in both cases. */
int nl_state_open(struct nl_state *, struct nl_run *, const char *dir, const struct nl_kind *, const char *name, enum nl_make);
void nl_state_close(struct nl_state *);

/* Reads without a lock (with the guard, for as short as that takes, when the
 * sum is wrong).  A record of another boot, or none, is read as a fresh one:
 * zeroes and an epoch.  A corrupt one is moved aside: NL_CORRUPT and -1, once. */
int nl_state_read(struct nl_state *, struct nl_record *);

/* Takes the guard, waiting for at most span (NL_GUARD_SPAN), sees to it that
 * the files are still those of the name (opens them again when not: a note
 * NL_REPLACED), and reads.  -1: not locked. */
#define NL_GUARD_SPAN (250 * NL_MS)
int nl_state_lock(struct nl_state *, struct nl_record *, nl_time span);
int nl_state_write(struct nl_state *, struct nl_record *);      /* while locked: one pwrite.  0, -1 */
void nl_state_unlock(struct nl_state *);

/* nl.state.degraded for each note; forgets them. */
void nl_state_tell(struct nl_state *, struct nl_span_of);

/* The names of a kind, sorted, at most max; how many, -errno.  For listings. */
int nl_state_names(int root, const struct nl_kind *, char (*names)[NL_NAME_MAX + 1], unsigned max);

/* CLOCK_BOOTTIME: the clock of records. */
nl_time nl_boottime(struct nl_run *);
uint64_t nl_state_sum(const struct nl_record *);

/*
 * Live values.  nl_live_apply sets in svc (a copy of a layer's instance, whose
 * layer is the kind's) what the record says, through nl_opt_set; a value that
 * is no longer valid is skipped.  svc->pin: does nothing.
 */
void nl_live_apply(const struct nl_record *, struct nl_svc *svc);
const struct nl_live *nl_live_find(const struct nl_record *, const char *key);
/* The row of a key that may be live, or NULL. */
const struct nl_opt *nl_live_option(const struct nl_layer *, const char *key);
/* Both check key and value by the layer's table; 0, -1 with err.  cfg is the
 * caller's to raise, once for all keys of a step. */
int nl_live_set(struct nl_record *, const struct nl_kind *, const char *key, const char *value, uint32_t uid, nl_time real, struct nl_err *);
int nl_live_unset(struct nl_record *, const struct nl_kind *, const char *key, struct nl_err *);

/* For retry and timeout: if svc has a name and a record exists, copies its live
 * values into svc and returns its cfg (0: none).  Quiet unless there is trouble. */
uint64_t nl_live_load(struct nl_run *, struct nl_span_of, const struct nl_kind *, struct nl_svc *svc);

#endif
