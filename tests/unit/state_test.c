/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_test.c - records on a real file system: who may use them, what is no
 * record, what happens when files go away, and how long a hostile peer can hold
 * us up.
 */
#include "lease.h"
#include "opt.h"
#include "run.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct knobs { struct nl_svc svc; struct nl_num attempts; struct nl_span wait; const char *text; } defaults;
static const struct nl_opt knob_opts[] = {
	NL_OPT('n', "attempts", struct knobs, attempts, "N", "how often", NULL),
	NL_OPT('w', "wait", struct knobs, wait, "DURATION", "how long", NULL),
	NL_OPT(0, "text", struct knobs, text, "TEXT", "no number", NULL),
	{ 0 }
};
static const struct nl_layer knobs = { .name = "knobs", .opts = knob_opts, .size = sizeof(struct knobs) };

static enum nl_trouble verdict = NL_FINE;
static enum nl_trouble check(void *body, nl_time now)
{
	(void)now;
	return *(unsigned char *)body == 255 ? NL_CORRUPT : verdict;
}
static const struct nl_kind kind = { .name = "breaker", .id = 77, .layer = &knobs, .check = check };

static struct nl_run run;
static char root[64];

static int wipe(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

static void fresh_root(void)
{
	nftw(root, wipe, 16, FTW_DEPTH | FTW_PHYS);
	CHECK(mkdir(root, 0700) == 0);
}

/* One more path below the root; two can be in use. */
static const char *at(const char *name)
{
	static char buf[2][160];
	static int i;
	i = !i;
	snprintf(buf[i], sizeof buf[i], "%s/%s", root, name);
	return buf[i];
}

static int open_x(struct nl_state *s, const char *name)
{
	return nl_state_open(s, &run, root, &kind, name, NL_CREATE);
}

/* Opens, tells what is wrong, closes. */
static enum nl_trouble trouble_of(const char *name)
{
	struct nl_state s;
	struct nl_record rec;
	int r = open_x(&s, name);
	if (r == 0)
		r = nl_state_read(&s, &rec);
	enum nl_trouble t = r < 0 ? s.trouble : NL_FINE;
	nl_state_close(&s);
	return t;
}

static unsigned mode_of(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

/* Changes the first byte of the body; the epoch that it then has. */
static uint64_t bump(struct nl_state *s)
{
	struct nl_record rec;
	if (nl_state_lock(s, &rec, NL_GUARD_SPAN) < 0)
		return 0;
	rec.body[0]++, rec.head.epoch++;
	CHECK(nl_state_write(s, &rec) == 0);
	nl_state_unlock(s);
	return rec.head.epoch;
}

static void modes(void)
{
	TEST("Files and directories are made for us alone, whatever the umask") {
		for (unsigned mask = 0; mask <= 0777; mask += 0777) {
			fresh_root();
			mode_t old = umask(mask);
			CHECK(trouble_of("a") == NL_FINE);
			umask(old);
			CHECK(mode_of(at("breaker")) == 0700);
			CHECK(mode_of(at("breaker/a")) == 0600);
			CHECK(mode_of(at("breaker/.a.lock")) == 0600);
		}
	}
	TEST("In a directory of mode 2770 files are the group's and nobody else's") {
		fresh_root();
		CHECK(chmod(root, 02770) == 0);
		CHECK(trouble_of("a") == NL_FINE);
		CHECK(mode_of(at("breaker")) == 02770);
		CHECK(mode_of(at("breaker/a")) == 0660);
		CHECK(mode_of(at("breaker/.a.lock")) == 0660);
	}
	TEST("A directory that others may write to is not used") {
		static const unsigned bad[] = { 0777, 01777, 0770, 0722, 02777, 0707 };
		for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
			fresh_root();
			chmod(root, bad[i]);
			CHECK(trouble_of("a") == NL_UNSAFE);
			CHECK(mode_of(at("breaker")) == 0);
		}
		fresh_root();
		chmod(root, 0755);
		CHECK(trouble_of("a") == NL_FINE);
		chmod(at("breaker"), 0777);
		CHECK(trouble_of("a") == NL_UNSAFE);
	}
	TEST("A record or a lock that is no regular file of ours is not touched and never blocks") {
		for (int lock = 0; lock < 2; lock++) {
			const char *name = lock ? "breaker/.b.lock" : "breaker/b";
			for (int what = 0; what < 6; what++) {
				fresh_root();
				CHECK(trouble_of("a") == NL_FINE);
				switch (what) {
				case 0: CHECK(symlink("/etc/passwd", at(name)) == 0); break;
				case 1: CHECK(mkfifo(at(name), 0600) == 0); break;
				case 2: CHECK(mkdir(at(name), 0700) == 0); break;
				case 3: CHECK(link(at("breaker/a"), at(name)) == 0); break;
				case 4: close(open(at(name), O_CREAT | O_WRONLY, 0600)); CHECK(chmod(at(name), 0666) == 0); break;
				default: CHECK(symlink("nowhere", at(name)) == 0);
				}
				enum nl_trouble t = trouble_of("b");
				CHECK(t == NL_UNSAFE);
			}
		}
	}
}

static void contents(void)
{
	struct nl_state s;
	struct nl_record rec;

	TEST("A record is fresh at first and then what was written last") {
		fresh_root();
		CHECK(open_x(&s, "a") == 0 && nl_state_read(&s, &rec) == 0);
		CHECK(rec.head.epoch == 1 && rec.head.cfg == 0 && rec.head.lives == 0 && rec.body[0] == 0);
		CHECK(bump(&s) == 2);
		CHECK(bump(&s) == 3);
		CHECK(nl_state_read(&s, &rec) == 0 && rec.body[0] == 2);
		nl_state_close(&s);
		CHECK(nl_state_open(&s, &run, root, &kind, "b", NL_EXISTING) < 0 && s.trouble == NL_ABSENT && s.notes == 0);
		nl_state_close(&s);
		CHECK(mode_of(at("breaker/b")) == 0);
	}
	TEST("What has another length is moved aside once, and the next call finds a fresh record") {
		static const off_t sizes[] = { 0, 1, 4095, 4097, (off_t)1 << 40 };
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
			fresh_root();
			CHECK(open_x(&s, "a") == 0 && bump(&s) == 2);
			CHECK(truncate(at("breaker/a"), sizes[i]) == 0);
			CHECK(nl_state_read(&s, &rec) < 0 && s.trouble == NL_CORRUPT && s.notes == 1u << NL_CORRUPT);
			CHECK(nl_state_read(&s, &rec) == 0 && rec.body[0] == 0 && rec.head.epoch > 1000);
			nl_state_close(&s);
			CHECK(mode_of(at("breaker/.a.corrupt.1")) == 0600);
		}
	}
	TEST("At most three corrupt records of a name are kept") {
		fresh_root();
		CHECK(trouble_of("a") == NL_FINE);
		for (int i = 0; i < 5; i++) {
			CHECK(truncate(at("breaker/a"), 7) == 0);
			CHECK(trouble_of("a") == NL_CORRUPT);
			CHECK(trouble_of("a") == NL_FINE);
		}
		CHECK(mode_of(at("breaker/.a.corrupt.3")) == 0600 && mode_of(at("breaker/.a.corrupt.4")) == 0);
	}
	TEST("A right sum over a body that cannot be is corrupt too, and times put right are told") {
		fresh_root();
		CHECK(open_x(&s, "a") == 0 && nl_state_lock(&s, &rec, 0) == 0);
		rec.body[0] = 255;
		CHECK(nl_state_write(&s, &rec) == 0);
		nl_state_unlock(&s);
		CHECK(nl_state_read(&s, &rec) < 0 && s.trouble == NL_CORRUPT);
		nl_state_close(&s);
		verdict = NL_CLOCK;
		CHECK(open_x(&s, "a") == 0 && nl_state_read(&s, &rec) == 0 && s.notes == 1u << NL_CLOCK);
		nl_state_close(&s);
		verdict = NL_FINE;
	}
	TEST("A record of a later version is neither written nor moved") {
		fresh_root();
		CHECK(open_x(&s, "a") == 0 && nl_state_lock(&s, &rec, 0) == 0);
		rec.head.major = 2;
		CHECK(nl_state_write(&s, &rec) == 0);
		nl_state_unlock(&s);
		CHECK(nl_state_read(&s, &rec) < 0 && s.trouble == NL_TOO_NEW);
		CHECK(nl_state_lock(&s, &rec, 0) < 0 && s.trouble == NL_TOO_NEW && !s.locked);
		nl_state_close(&s);
		CHECK(mode_of(at("breaker/a")) == 0600 && mode_of(at("breaker/.a.corrupt.1")) == 0);
	}
	TEST("A later minor version's bytes are written back as they were") {
		fresh_root();
		CHECK(open_x(&s, "a") == 0 && nl_state_lock(&s, &rec, 0) == 0);
		rec.head.minor = 9, rec.head.zero[2] = 5, rec.body[sizeof rec.body - 1] = 42;
		CHECK(nl_state_write(&s, &rec) == 0);
		nl_state_unlock(&s);
		CHECK(bump(&s) == 2 && nl_state_read(&s, &rec) == 0);
		CHECK(rec.head.minor == 9 && rec.head.zero[2] == 5 && rec.body[sizeof rec.body - 1] == 42);
		nl_state_close(&s);
	}
	TEST("A record of another boot is void, but its epochs and generations are not used again") {
		fresh_root();
		CHECK(open_x(&s, "a") == 0 && nl_state_lock(&s, &rec, 0) == 0);
		rec.head.boot[3] ^= 1, rec.head.epoch = 40, rec.head.cfg = 6, rec.body[0] = 9;
		CHECK(nl_state_write(&s, &rec) == 0);
		nl_state_unlock(&s);
		CHECK(nl_state_read(&s, &rec) == 0 && rec.body[0] == 0 && rec.head.epoch == 41 && rec.head.cfg == 6);
		CHECK(bump(&s) == 42 && nl_state_read(&s, &rec) == 0 && rec.body[0] == 1 && rec.head.epoch == 42);
		nl_state_close(&s);
	}
}

static void replaced(void)
{
	struct nl_state s, t;
	struct nl_record rec;

	TEST("A record that was removed in use is noticed under the guard and made anew") {
		fresh_root();
		CHECK(open_x(&s, "a") == 0 && bump(&s) == 2);
		CHECK(unlink(at("breaker/a")) == 0);
		CHECK(bump(&s) > 1000 && s.notes == 1u << NL_REPLACED);
		CHECK(open_x(&t, "a") == 0 && nl_state_read(&t, &rec) == 0 && rec.body[0] == 1);
		nl_state_close(&s);
		nl_state_close(&t);
	}
	TEST("A lock file that was replaced is noticed by who has it open and by who comes anew") {
		fresh_root();
		CHECK(open_x(&s, "a") == 0 && bump(&s) == 2);
		CHECK(rename(at("breaker/.a.lock"), at("breaker/gone")) == 0);  // Kept, so that its number is not used again.
		CHECK(open_x(&t, "a") == 0 && bump(&t) == 3 && t.notes == 1u << NL_REPLACED);
		CHECK(bump(&s) == 4 && s.notes == 1u << NL_REPLACED);
		CHECK(nl_state_lock(&s, &rec, 0) == 0);
		CHECK(nl_state_lock(&t, &rec, 0) < 0 && t.trouble == NL_BUSY);  // Both have the new one.
		nl_state_close(&s);
		nl_state_close(&t);
	}
}

static void guard(void)
{
	struct nl_state s, t;
	struct nl_record rec;

	TEST("The guard admits one at a time, and waiting for it has an end") {
		fresh_root();
		CHECK(open_x(&s, "a") == 0 && open_x(&t, "a") == 0);
		CHECK(nl_state_lock(&s, &rec, NL_GUARD_SPAN) == 0);
		nl_time began = nl_now(&run);
		CHECK(nl_state_lock(&t, &rec, 20 * NL_MS) < 0 && t.trouble == NL_BUSY);
		CHECK(nl_now(&run) - began >= 20 * NL_MS);
		nl_state_unlock(&s);
		CHECK(nl_state_lock(&t, &rec, 20 * NL_MS) == 0);
		nl_state_close(&t);
		CHECK(nl_state_lock(&s, &rec, 0) == 0);
		nl_state_close(&s);
	}
	TEST("Ten processes lose no update") {
		fresh_root();
		CHECK(trouble_of("a") == NL_FINE);      // Epochs begin with 1 when nobody else is there.
		for (int i = 0; i < 10; i++)
			if (fork() == 0) {
				bool fine = open_x(&s, "a") == 0;
				for (int k = 0; fine && k < 20; k++)
					fine = nl_state_lock(&s, &rec, 60 * NL_SEC) == 0 && (rec.head.epoch++, nl_state_write(&s, &rec) == 0)
					       && (nl_state_unlock(&s), true);
				_exit(!fine);
			}
		for (int i = 0, ws; i < 10; i++)
			CHECK(wait(&ws) > 0 && ws == 0);
		CHECK(open_x(&s, "a") == 0 && nl_state_read(&s, &rec) == 0 && rec.head.epoch == 201);
		nl_state_close(&s);
	}
	TEST("Death frees the guard and every slot") {
		unsigned slot;
		int ws;
		fresh_root();
		CHECK(open_x(&s, "a") == 0);
		pid_t pid = fork();
		if (pid == 0) {
			_exit(open_x(&t, "a") == 0 && nl_state_lock(&t, &rec, NL_SEC) == 0 && nl_slot_take(&t, 1, &slot) >= 0 ? raise(SIGKILL) : 1);
		}
		CHECK(waitpid(pid, &ws, 0) == pid && WIFSIGNALED(ws));
		CHECK(nl_state_lock(&s, &rec, 0) == 0 && nl_slots_held(&run, s.lock, 1) == 0);
		nl_state_close(&s);
	}
}

/* Until our parent has been asleep for a while: it waits. */
static bool parent_sleeps(void)
{
	char path[32], text[256], *state;
	for (int seen = 0, i = 0; i < 20000 && seen < 30; i++, poll(NULL, 0, 1)) {
		snprintf(path, sizeof path, "/proc/%d/stat", (int)getppid());
		int fd = open(path, O_RDONLY);
		ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
		close(fd);
		text[n > 0 ? n : 0] = '\0';
		state = strrchr(text, ')');
		seen = state && state[2] == 'S' ? seen + 1 : 0;
	}
	return true;
}

static void slots(void)
{
	struct nl_state s;
	struct nl_record rec;
	unsigned slot[4];
	int fd[4];

	TEST("Slots are taken from the first on, counted one by one, and free when let go") {
		fresh_root();
		CHECK(open_x(&s, "a") == 0 && nl_state_lock(&s, &rec, 0) == 0);
		for (int i = 0; i < 3; i++)
			CHECK((fd[i] = nl_slot_take(&s, 3, &slot[i])) >= 0 && slot[i] == (unsigned)i);
		CHECK(nl_slot_take(&s, 3, &slot[3]) == -EAGAIN);
		CHECK(nl_slots_held(&run, s.lock, 3) == 3 && nl_slots_held(&run, s.lock, 2) == 2 && nl_slots_held(&run, s.lock, 0) == 0);
		CHECK(nl_byte_unlock(&run, fd[1], NL_BYTE_SLOT + 1) == 0);
		CHECK(nl_slots_held(&run, s.lock, 100) == 2);
		close(fd[0]);
		CHECK(nl_slots_held(&run, s.lock, 100) == 1);
		CHECK((fd[0] = nl_slot_take(&s, 3, &slot[0])) >= 0 && slot[0] == 0);
		CHECK(fcntl(fd[0], F_GETFD) == FD_CLOEXEC);
		for (int i = 0; i < 3; i++)
			close(fd[i]);
		nl_state_close(&s);
	}
	TEST("A wait for a byte ends when it is free, at its time, and at a signal") {
		struct nl_req q = { .limit = { .at = NL_NEVER } };
		int error = 0, ready[2];
		char ch;
		fresh_root();
		CHECK(pipe(ready) == 0 && open_x(&s, "a") == 0);
		pid_t pid = fork();
		if (pid == 0) {                 // Holds slot 0 until the parent has been in three waits.
			struct nl_state t;
			bool fine = open_x(&t, "a") == 0 && nl_state_lock(&t, &rec, NL_SEC) == 0 && nl_slot_take(&t, 1, slot) >= 0;
			nl_state_unlock(&t);
			fine = fine && write(ready[1], "x", 1) == 1 && parent_sleeps();
			_exit(!fine || kill(getppid(), SIGUSR1) || !parent_sleeps() || kill(getppid(), SIGTERM) || !parent_sleeps());
		}
		CHECK(read(ready[0], &ch, 1) == 1 && bump(&s));
		nl_time began = nl_now(&run);
		CHECK(nl_byte_wait(&run, &q, s.lock, NL_BYTE_SLOT, began + 10 * NL_MS, &error) == NL_RAN && error == -EAGAIN);
		CHECK(nl_byte_wait(&run, &q, s.lock, NL_BYTE_SLOT, NL_NEVER, &error) == NL_CANCELLED && run.stop_sig == SIGUSR1);
		run.stop_sig = 0;
		CHECK(nl_byte_wait(&run, &q, s.lock, NL_BYTE_SLOT, NL_NEVER, &error) == NL_CANCELLED && run.stop_sig == SIGTERM);
		run.stop_sig = 0;
		CHECK(nl_byte_wait(&run, &q, s.lock, NL_BYTE_SLOT, NL_NEVER, &error) == NL_RAN && error == 0);
		CHECK(waitpid(pid, NULL, 0) == pid);
		CHECK(nl_byte_wait(&run, &q, s.lock, NL_BYTE_SLOT, NL_NEVER, &error) == NL_RAN && error == 0);
		close(ready[0]), close(ready[1]);
		nl_state_close(&s);
	}
}

static void live(void)
{
	struct nl_record rec = { .head = { .lives = 0 } };
	struct knobs k = { .svc = { .layer = &knobs } };
	struct nl_err err;

	TEST("A live value is read by the option's own reader, and only numbers can be live") {
		CHECK(nl_live_set(&rec, &kind, "attempts", "7", 0, 1, &err) == 0);
		CHECK(nl_live_set(&rec, &kind, "wait", "1m", 5, 2, &err) == 0);
		CHECK(nl_live_set(&rec, &kind, "attempts", "9", 3, 3, &err) == 0 && rec.head.lives == 2);
		CHECK(nl_live_set(&rec, &kind, "attempts", "0", 0, 1, &err) < 0);
		CHECK(nl_live_set(&rec, &kind, "attempts", "1e9", 0, 1, &err) < 0);
		CHECK(nl_live_set(&rec, &kind, "text", "x", 0, 1, &err) < 0);
		CHECK(nl_live_set(&rec, &kind, "events", "off", 0, 1, &err) < 0);
		CHECK(nl_live_set(&rec, &kind, "nothing", "1", 0, 1, &err) < 0);
		nl_live_apply(&rec, &k.svc);
		CHECK(k.attempts.n == 9 && k.wait.ns == 60 * NL_SEC && nl_live_find(&rec, "wait")->uid == 5);
		CHECK(nl_live_unset(&rec, &kind, "attempts", &err) == 0 && rec.head.lives == 1);
		CHECK(nl_live_unset(&rec, &kind, "attempts", &err) < 0 && nl_live_find(&rec, "wait"));
	}
	TEST("A pinned policy keeps its own values, and what a later version has set is ignored") {
		k = defaults, k.svc.layer = &knobs, k.svc.pin = true;
		nl_live_apply(&rec, &k.svc);
		CHECK(!k.wait.given);
		memcpy(rec.live[0].key, "warp", 5);
		k.svc.pin = false;
		nl_live_apply(&rec, &k.svc);
		CHECK(!k.wait.given);
	}
}

int main(void)
{
	struct nl_signals signals;
	char *env[] = { NULL };
	snprintf(root, sizeof root, "/tmp/nl-state-test.%d", (int)getpid());
	nl_run_open(&run, &signals, &nl_os_linux, env, "state_test");
	modes();
	contents();
	replaced();
	guard();
	slots();
	live();
	nftw(root, wipe, 16, FTW_DEPTH | FTW_PHYS);
	return unit_done();
}
