/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state.c - a record that processes share: read without a lock, written in one
 * piece under the guard.
 *
 * Whoever takes the guard also makes sure that the open files are still those
 * of the name.  What is no record is moved aside, and epochs go on above all
 * that it may have held: a permit of the old record is never one of the new.
 */
#include "state.h"

#include "lease.h"
#include "mut.h"
#include "proc.h"
#include "run.h"
#include "statefile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#define MAJOR 1

nl_time nl_boottime(struct nl_run *run)
{
	return run->os->clock(CLOCK_BOOTTIME);
}

const char *nl_trouble_name(enum nl_trouble t)
{
	static const char *const names[NL_TROUBLES] = {
		[NL_FINE] = "fine", [NL_ABSENT] = "absent", [NL_UNAVAILABLE] = "unavailable", [NL_UNSAFE] = "unsafe",
		[NL_BUSY] = "busy", [NL_CORRUPT] = "corrupt", [NL_REPLACED] = "replaced", [NL_TOO_NEW] = "version",
		[NL_CLOCK] = "clock",
	};
	return names[t];
}

/* Words are mixed by invertible steps: a change of one word always changes the sum. */
uint64_t nl_state_sum(const struct nl_record *rec)
{
	const unsigned char *p = (const unsigned char *)rec;
	uint64_t h = UINT64_C(0x9e3779b97f4a7c15);
	for (size_t i = 0; i < sizeof *rec; i += 8) {
		uint64_t w;
		memcpy(&w, p + i, 8);
		if (i == offsetof(struct nl_head, sum))
			w = 0;
		h = (h ^ w) * UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 32;
	}
	return h;
}

static void read_boot(struct nl_state *s)
{
	char boot[40];
	nl_boot_id(s->run->os, boot);
	for (int i = 0, n = 0; boot[i] && n < 32; i++) {
		if (boot[i] == '-')
			continue;
		unsigned digit = boot[i] <= '9' ? (unsigned)(boot[i] - '0') : (unsigned)(boot[i] - 'a' + 10);
		s->boot[n / 2] |= (uint8_t)((digit & 15) << (n % 2 ? 0 : 4));
		n++;
	}
}

static void void_record(const struct nl_state *s, struct nl_record *rec, uint64_t epoch)
{
	*rec = (struct nl_record){ .head = { .magic = "9LST", .major = MAJOR, .kind = s->kind->id, .epoch = epoch } };
	memcpy(rec->head.boot, s->boot, sizeof s->boot);
}

/* No record of this boot can have had it: there are less transitions than microseconds. */
static uint64_t later_epoch(const struct nl_state *s)
{
	return (uint64_t)(nl_boottime(s->run) / NL_US) + 2;
}

static int make(struct nl_state *s, uint64_t epoch)
{
	struct nl_record rec;
	void_record(s, &rec, epoch);
	return nl_file_make(s, &rec);
}

static bool lives_are_sane(const struct nl_record *rec)
{
	if (rec->head.lives > NL_LIVES)
		return false;
	for (uint32_t i = 0; i < rec->head.lives; i++)
		if (!rec->live[i].key[0] || !memchr(rec->live[i].key, 0, sizeof rec->live[i].key)
		    || !memchr(rec->live[i].value, 0, sizeof rec->live[i].value))
			return false;
	return true;
}

/* What bytes of a file are.  A record of another boot becomes a void one here. */
static enum nl_trouble judge(struct nl_state *s, struct nl_record *rec, long n)
{
	if (n != NL_RECORD_SIZE || memcmp(rec->head.magic, "9LST", 4) || rec->head.sum != nl_state_sum(rec))
		return NL_CORRUPT;
	if (rec->head.major > MAJOR)
		return NL_TOO_NEW;
	if (rec->head.kind != s->kind->id || !lives_are_sane(rec))
		return NL_CORRUPT;
	if (memcmp(s->boot, rec->head.boot, sizeof s->boot)) {
		uint64_t cfg = rec->head.cfg;
		void_record(s, rec, rec->head.epoch + 1);
		rec->head.cfg = cfg;
		return NL_FINE;
	}
	if (!s->kind->check)
		return NL_FINE;
	enum nl_trouble t = s->kind->check(rec->body, nl_boottime(s->run));
	if (t == NL_CLOCK) {
		nl_state_note(s, NL_CLOCK, "has times that cannot be, which were put right", "");
		return NL_FINE;
	}
	return t;
}

/* Reads once.  NL_FINE, NL_CORRUPT (nothing said yet), or a trouble that is told. */
static enum nl_trouble read_once(struct nl_state *s, struct nl_record *rec)
{
	struct { struct nl_record rec; char more; } buf;        // A byte more: a longer file is no record.
	long n = s->run->os->pread(s->rec, &buf, NL_RECORD_SIZE + 1, 0);
	if (n < 0) {
		nl_file_failed(s, "cannot be read", n);
		return NL_UNAVAILABLE;
	}
	*rec = buf.rec;
	if (n < NL_RECORD_SIZE)
		memset((char *)rec + n, 0, NL_RECORD_SIZE - (size_t)n);
	enum nl_trouble t = judge(s, rec, n);
	if (t == NL_TOO_NEW)
		nl_state_trouble(s, t, "was written by a later version", "");
	return t;
}

/* Waits for the guard in small steps: a hostile peer may hold it for ever. */
static int take_guard(struct nl_state *s, nl_time until)
{
	nl_time pause = 20 * NL_US;
	uint64_t rnd = (uint64_t)s->run->pid * UINT64_C(0x9e3779b97f4a7c15);
	for (;;) {
		int r = MUTANT(NO_GUARD) ? 0 : nl_byte_lock(s->run, s->lock, NL_BYTE_GUARD);
		if (r == 0) {
			s->locked = true;
			return 0;
		}
		if (r != -EAGAIN)
			return nl_file_failed(s, "cannot be locked", r);
		nl_time now = nl_now(s->run);
		if (now >= until)
			return nl_state_trouble(s, NL_BUSY, "its lock is held by somebody else", "");
		nl_time step = pause + (nl_time)(nl_random(&rnd) % (uint64_t)pause);
		s->run->os->poll(NULL, 0, step < until - now ? step : until - now);
		pause = pause < NL_MS ? 2 * pause : pause;
	}
}

void nl_state_unlock(struct nl_state *s)
{
	if (s->locked && s->lock >= 0)
		nl_byte_unlock(s->run, s->lock, NL_BYTE_GUARD);
	s->locked = false;
}

/* Makes the open files those of the name, for as long as the guard is held.
 * 1: the lock file has been replaced, start again. */
static int verify(struct nl_state *s, bool made)
{
	char name[NL_FILE_NAME];
	struct statx st;
	if (!nl_file_is_still(s, nl_file_name(s, "lock", name), s->lock_ino)) {
		nl_state_note(s, NL_REPLACED, "its lock file was replaced", "");
		return 1;
	}
	bool was_open = s->rec >= 0;
	if (was_open && s->run->os->syscall(SYS_statx, s->rec, (long)"", AT_EMPTY_PATH, STATX_INO, (long)&st, 0) == 0
	    && nl_file_is_still(s, nl_file_name(s, "", name), st.stx_ino))
		return 0;
	int r = nl_file_record(s);
	if (r == -ENOENT)
		r = make(s, made ? 1 : later_epoch(s));
	if (r < 0)
		return -1;
	if (was_open)
		nl_state_note(s, NL_REPLACED, "was replaced", "");
	return 0;
}

static int lock_files(struct nl_state *s, nl_time span)
{
	nl_time until = nl_after(nl_now(s->run), span);
	bool made = false;
	for (int i = 0; i < 8; i++) {
		if (s->lock < 0 && nl_file_lock(s, &made) < 0)
			return -1;
		if (take_guard(s, until) < 0)
			return -1;
		int r = verify(s, made);
		if (r == 0)
			return 0;
		nl_state_unlock(s);
		if (r < 0)
			return -1;
		nl_file_close(s, &s->lock);
	}
	return nl_state_trouble(s, NL_REPLACED, "its lock file is replaced again and again", "");
}

int nl_state_lock(struct nl_state *s, struct nl_record *rec, nl_time span)
{
	if (lock_files(s, span) < 0)
		return -1;
	enum nl_trouble t = read_once(s, rec);
	if (t == NL_CORRUPT) {
		nl_file_quarantine(s);
		make(s, later_epoch(s));
		s->trouble = NL_CORRUPT;
	}
	if (t != NL_FINE) {
		nl_state_unlock(s);
		return -1;
	}
	s->relocked = rec->head.lock_ino != s->lock_ino && rec->head.lock_ino != 0;
	if (s->relocked)
		nl_state_note(s, NL_REPLACED, "its lock file was replaced: who held it before is not seen", "");
	rec->head.lock_ino = s->lock_ino;
	return 0;
}

int nl_state_read(struct nl_state *s, struct nl_record *rec)
{
	for (int i = 0; i < 3; i++) {                   // A write may be under way.
		enum nl_trouble t = read_once(s, rec);
		if (t != NL_CORRUPT)
			return t == NL_FINE ? 0 : -1;
	}
	if (nl_state_lock(s, rec, NL_GUARD_SPAN) < 0)
		return -1;
	nl_state_unlock(s);
	return 0;
}

int nl_state_write(struct nl_state *s, struct nl_record *rec)
{
	rec->head.sum = nl_state_sum(rec);
	long r = s->run->os->pwrite(s->rec, rec, sizeof *rec, 0);
	nl_swallow(s->run, (int)r);
	return r == sizeof *rec ? 0 : nl_file_failed(s, "cannot be written", r < 0 ? r : -ENOSPC);
}

int nl_state_open(struct nl_state *s, struct nl_run *run, const char *dir, const struct nl_kind *kind, const char *name,
                  enum nl_make make)
{
	*s = (struct nl_state){ .run = run, .kind = kind, .dir = -1, .rec = -1, .lock = -1 };
	snprintf(s->name, sizeof s->name, "%s", name);
	read_boot(s);
	int root = nl_state_root(run, dir, make, NULL, &s->group, &s->trouble, &s->err);
	if (root < 0) {
		if (s->trouble != NL_ABSENT)
			s->notes |= 1u << s->trouble;
		return -1;
	}
	int r = nl_file_dir(s, root, make);
	run->os->close(root);
	if (r < 0)
		return -1;
	r = nl_file_record(s);
	if (r != -ENOENT)
		return r < 0 ? -1 : 0;
	if (make == NL_EXISTING)
		return s->trouble = NL_ABSENT, -1;
	if (lock_files(s, NL_GUARD_SPAN) < 0)           // Makes it.
		return -1;
	nl_state_unlock(s);
	return 0;
}

void nl_state_close(struct nl_state *s)
{
	nl_state_unlock(s);
	nl_file_close(s, &s->rec);
	nl_file_close(s, &s->lock);
	nl_file_close(s, &s->dir);
}

void nl_state_tell(struct nl_state *s, struct nl_span_of of)
{
	for (int t = NL_UNAVAILABLE; t < NL_TROUBLES; t++)
		if (s->notes >> t & 1)
			nl_degraded(s->run, of, nl_trouble_name((enum nl_trouble)t), s->err.msg);
	s->notes = 0;
}
