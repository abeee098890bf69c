/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel.c - see kernel.h.  Processes are fibers; nothing takes time but a
 * microsecond for each step and what is waited for.
 */
#include "kernel.h"

#include "fiber.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#define INODES 64
#define DESCRIPTIONS 512
#define LOCKS 256
#define DATA 4200

enum kind { FREE, FILE_, DIR_, INOTIFY, SIGNALFD };

static struct inode { enum kind kind; char name[40]; int parent; unsigned links, refs; size_t size; unsigned char data[DATA]; } inodes[INODES];
static struct ofd { enum kind kind; int ino; unsigned refs; bool writes, fired; int watch[4]; uint32_t mask[4]; unsigned watches; int owner; } ofds[DESCRIPTIONS];
static struct lock { int ofd; int ino; int64_t byte; bool shared; } locks[LOCKS];
static unsigned nlocks;

enum wait { RUNS, ASLEEP };
static struct proc {
	void *ctx;
	bool born, alive;
	enum wait wait;
	nl_time until;                  /* asleep: at most */
	bool wants_lock; int lock_ofd; int64_t lock_byte; bool lock_shared;
	const struct pollfd *poll; unsigned npoll;
	bool wants_signal, in_command, deaf;
	uint64_t pending;
	struct { int ofd; bool cloexec; } fd[SIM_FDS];
	int orphan[8]; unsigned orphans;        /* descriptions kept by a command without a wrapper */
	nl_time orphan_ends;
} procs[SIM_PROCS];
static char stacks[SIM_PROCS][SIM_STACK] __attribute__((aligned(64)));

static const struct sim_kernel_cfg *cfg;
static void *scheduler;
static int self = -1;
static nl_time now;
static uint64_t rnd, steps, kills;
static char wrong[400];

uint64_t sim_rand(void) { return nl_random(&rnd); }
double sim_chance(void) { return nl_unit(&rnd); }
nl_time sim_kernel_now(void) { return now; }
uint64_t sim_kernel_steps(void) { return steps; }
uint64_t sim_kernel_kills(void) { return kills; }
int sim_self(void) { return self; }
bool sim_alive(int p) { return procs[p].alive; }
bool sim_waits(int p) { return procs[p].alive && procs[p].wait == ASLEEP && (procs[p].wants_lock || procs[p].poll); }
void sim_signal(int p, int sig) { procs[p].pending |= NL_SIGBIT(sig); }
const char *sim_wrong_text(void) { return wrong[0] ? wrong : NULL; }

void sim_wrong(const char *fmt, ...)
{
	va_list ap;
	if (wrong[0])
		return;
	va_start(ap, fmt);
	vsnprintf(wrong, sizeof wrong, fmt, ap);
	va_end(ap);
}

unsigned sim_fds(int p)
{
	unsigned n = 0;
	for (int i = 0; i < SIM_FDS; i++)
		n += procs[p].fd[i].ofd >= 0;
	return n;
}

/* Files. */

static int find(int parent, const char *name)
{
	for (int i = 1; i < INODES; i++)
		if (inodes[i].kind != FREE && inodes[i].links && inodes[i].parent == parent && !strcmp(inodes[i].name, name))
			return i;
	return 0;
}

uint64_t sim_ino(const char *name)
{
	for (int i = 2; i < INODES; i++)
		if (inodes[i].kind == FILE_ && inodes[i].links && !strcmp(inodes[i].name, name))
			return (uint64_t)i;
	return 0;
}

const void *sim_bytes(uint64_t ino) { return inodes[ino].data; }

static int make(int parent, const char *name, enum kind kind)
{
	for (int i = 1; i < INODES; i++)
		if (inodes[i].kind == FREE) {
			inodes[i] = (struct inode){ .kind = kind, .parent = parent, .links = 1 };
			snprintf(inodes[i].name, sizeof inodes[i].name, "%.39s", name);
			return i;
		}
	abort();
}

static void fire(int ino, uint32_t what)
{
	for (int i = 0; i < DESCRIPTIONS; i++)
		for (unsigned k = 0; ofds[i].kind == INOTIFY && k < ofds[i].watches; k++)
			if (ofds[i].watch[k] == ino && ofds[i].mask[k] & what)
				ofds[i].fired = true;
}

static bool conflicts(const struct lock *l, int ofd, int ino, bool shared)
{
	return l->ino == ino && l->ofd != ofd && !(l->shared && shared);
}

static bool blocked(int ofd, int64_t byte, bool shared)
{
	for (unsigned i = 0; i < nlocks; i++)
		if (locks[i].byte == byte && conflicts(&locks[i], ofd, ofds[ofd].ino, shared))
			return true;
	return false;
}

bool sim_locked(uint64_t ino, int64_t byte)
{
	for (unsigned i = 0; i < nlocks; i++)
		if (locks[i].ino == (int)ino && locks[i].byte == byte && !locks[i].shared)
			return true;
	return false;
}

static void unlock(int ofd, int64_t byte, bool all, bool told)
{
	for (unsigned i = 0; i < nlocks; ) {
		struct lock l = locks[i];
		if (l.ofd != ofd || (!all && l.byte != byte)) {
			i++;
			continue;
		}
		locks[i] = locks[--nlocks];
		if (!l.shared && told && cfg->locked)
			cfg->locked(self, (uint64_t)l.ino, l.byte, false);
	}
}

static void drop_inode(int ino)
{
	if (inodes[ino].links == 0 && inodes[ino].refs == 0)
		inodes[ino].kind = FREE;
}

static int describe(enum kind kind, int ino, bool writes)
{
	for (int i = 0; i < DESCRIPTIONS; i++)
		if (ofds[i].kind == FREE) {
			ofds[i] = (struct ofd){ .kind = kind, .ino = ino, .refs = 0, .writes = writes, .owner = self };
			inodes[ino].refs += kind == FILE_ || kind == DIR_;
			return i;
		}
	abort();
}

static void sleep_here(void);

static void release(int ofd, bool told)
{
	struct ofd *o = &ofds[ofd];
	if (--o->refs > 0)
		return;
	int ino = o->ino;
	enum kind kind = o->kind;
	if (kind == FILE_ && o->writes)
		fire(ino, IN_CLOSE_WRITE);      // Before the locks are gone, as Linux does it.
	if (told && sim_chance() < cfg->yield)
		sleep_here();                   // And others may look in between.
	unlock(ofd, 0, true, told);
	o->kind = FREE;
	if (kind == FILE_ || kind == DIR_) {
		inodes[ino].refs--;
		drop_inode(ino);
	}
}

static int new_fd(int ofd, bool cloexec, int least)
{
	struct proc *p = &procs[self];
	for (int i = least; i < SIM_FDS; i++)
		if (p->fd[i].ofd < 0) {
			p->fd[i].ofd = ofd, p->fd[i].cloexec = cloexec;
			ofds[ofd].refs++;
			return i;
		}
	if (ofds[ofd].refs == 0)
		ofds[ofd].refs = 1, release(ofd, false);
	return -EMFILE;
}

static struct ofd *of(int fd)
{
	return fd < 0 || fd >= SIM_FDS || procs[self].fd[fd].ofd < 0 ? NULL : &ofds[procs[self].fd[fd].ofd];
}

/* Scheduling. */

static void sleep_here(void)
{
	sim_switch(&procs[self].ctx, scheduler);
}

/* The process ends here and everything that it had goes. */
static void die(bool killed)
{
	struct proc *p = &procs[self];
	bool with = p->in_command && killed;
	p->orphans = 0;
	for (int i = 0; i < SIM_FDS; i++) {
		if (p->fd[i].ofd < 0)
			continue;
		if (with && !p->fd[i].cloexec && p->orphans < 8) {
			p->orphan[p->orphans++] = p->fd[i].ofd;
			ofds[p->fd[i].ofd].refs++;
		}
	}
	if (cfg->died)
		cfg->died(self, with);
	for (int i = 0; i < SIM_FDS; i++) {
		if (p->fd[i].ofd >= 0)
			release(p->fd[i].ofd, false);
		p->fd[i].ofd = -1;
	}
	p->orphan_ends = with ? now + (nl_time)(sim_rand() % (uint64_t)NL_MS) : NL_NEVER;
	p->alive = p->born = false;
	kills += killed;
}

/* Every call begins here. */
static void step(void)
{
	steps++, now += NL_US;
	if (sim_chance() < cfg->kill) {
		die(true);
		sleep_here();                   // For ever.
	}
	if (sim_chance() < cfg->yield)
		sleep_here();
}

static bool readable(const struct proc *p, const struct pollfd *q)
{
	if (q->fd < 0 || q->fd >= SIM_FDS || p->fd[q->fd].ofd < 0)
		return false;
	const struct ofd *o = &ofds[p->fd[q->fd].ofd];
	return o->kind == INOTIFY ? o->fired : o->kind == SIGNALFD && p->pending;
}

static bool can_run(const struct proc *p)
{
	if (!p->alive)
		return false;
	if (p->wait == RUNS || p->until <= now)
		return true;
	if (p->deaf)
		return false;
	if ((p->wants_signal || p->wants_lock) && p->pending)
		return true;
	if (p->wants_lock && !blocked(p->lock_ofd, p->lock_byte, p->lock_shared))
		return true;
	for (unsigned i = 0; p->poll && i < p->npoll; i++)
		if (readable(p, &p->poll[i]))
			return true;
	return false;
}

/* Sleeps until the time, or until what was set up before is there. */
static void sleep_until(nl_time until)
{
	struct proc *p = &procs[self];
	p->wait = ASLEEP, p->until = until;
	do
		sleep_here();
	while (!can_run(p));
	p->wait = RUNS;
	p->wants_lock = p->wants_signal = p->deaf = false;
	p->poll = NULL;
	if (sim_chance() < cfg->kill) {
		die(true);
		sleep_here();
	}
}

static void entry(void)
{
	cfg->body(self);
	die(false);
	sleep_here();
}

static void give_birth(int i)
{
	struct proc *p = &procs[i];
	if (p->orphans)
		return;                         // Its command is still there.
	memset(p, 0, sizeof *p);
	for (int k = 0; k < SIM_FDS; k++)
		p->fd[k].ofd = -1;
	p->born = p->alive = true;
	p->orphan_ends = NL_NEVER;
	p->ctx = sim_fiber(stacks[i], entry);
}

static void end_orphans(void)
{
	for (unsigned i = 0; i < cfg->procs; i++) {
		struct proc *p = &procs[i];
		if (p->orphans == 0 && p->orphan_ends == NL_NEVER)
			continue;
		if (p->orphan_ends > now)
			continue;
		if (cfg->command_ended)
			cfg->command_ended((int)i);
		for (unsigned k = 0; k < p->orphans; k++)
			release(p->orphan[k], false);
		p->orphans = 0, p->orphan_ends = NL_NEVER;
	}
}

static nl_time next_time(void)
{
	nl_time next = NL_NEVER;
	for (unsigned i = 0; i < cfg->procs; i++) {
		const struct proc *p = &procs[i];
		if (p->alive && p->wait == ASLEEP && p->until < next)
			next = p->until;
		if (p->orphan_ends < next && !p->alive)
			next = p->orphan_ends;
	}
	return next;
}

void sim_kernel_run(const struct sim_kernel_cfg *c, uint64_t most)
{
	cfg = c, rnd = c->seed;
	memset(inodes, 0, sizeof inodes);
	memset(ofds, 0, sizeof ofds);
	memset(procs, 0, sizeof procs);
	nlocks = 0, steps = kills = 0, now = 1000 * NL_SEC, wrong[0] = '\0';
	make(0, "/state", DIR_);
	for (unsigned i = 0; i < c->procs; i++)
		procs[i].orphan_ends = NL_NEVER;
	while (steps < most && !wrong[0]) {
		unsigned ready[SIM_PROCS], n = 0;
		end_orphans();
		for (unsigned i = 0; i < c->procs; i++) {
			if (!procs[i].alive && procs[i].orphan_ends == NL_NEVER)
				give_birth((int)i);
			if (can_run(&procs[i]))
				ready[n++] = i;
		}
		if (n == 0) {
			nl_time next = next_time();
			self = -1;
			if (c->idle)
				c->idle(next);
			if (next == NL_NEVER) {
				sim_wrong("everybody sleeps for ever");
				break;
			}
			now = next > now ? next : now;
			continue;
		}
		self = (int)ready[sim_rand() % n];
		sim_switch(&scheduler, procs[self].ctx);
	}
}

void sim_pause(nl_time span)
{
	step();
	procs[self].deaf = true;
	sleep_until(nl_after(now, span));
}

static int take_signal(uint64_t set)
{
	struct proc *p = &procs[self];
	for (int sig = 1; sig <= NL_NSIG; sig++)
		if (p->pending & set & NL_SIGBIT(sig)) {
			p->pending &= ~NL_SIGBIT(sig);
			return sig;
		}
	return 0;
}

int sim_command(nl_time span)
{
	struct proc *p = &procs[self];
	step();
	p->in_command = true;
	p->wants_signal = true;
	sleep_until(nl_after(now, span));
	p->in_command = false;
	return take_signal(~UINT64_C(0));
}

bool sim_inherits(int proc, uint64_t ino, int64_t byte)
{
	for (int i = 0; i < SIM_FDS; i++) {
		if (procs[proc].fd[i].ofd < 0 || procs[proc].fd[i].cloexec)
			continue;
		for (unsigned k = 0; k < nlocks; k++)
			if (locks[k].ofd == procs[proc].fd[i].ofd && locks[k].ino == (int)ino && locks[k].byte == byte)
				return true;
	}
	return false;
}

/* The calls. */

static nl_time k_clock(int id)
{
	(void)id;
	return now;
}

static int k_random(void *buf, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((unsigned char *)buf)[i] = (unsigned char)sim_rand();
	return 0;
}

static pid_t k_pid(void)
{
	return 100 + self;
}

static int k_sigwait(uint64_t set, siginfo_t *si, nl_time span)
{
	int sig = take_signal(set);
	if (sig == 0 && span > 0) {
		step();
		procs[self].wants_signal = true;
		sleep_until(nl_after(now, span));
		sig = take_signal(set);
	}
	memset(si, 0, sizeof *si);
	si->si_signo = sig;
	return sig ? sig : -EAGAIN;
}

static int k_mask(uint64_t set, uint64_t *old)
{
	(void)set;
	if (old)
		*old = 0;
	return 0;
}

static int k_action(int sig, int act, int *old)
{
	(void)sig, (void)act;
	if (old)
		*old = NL_SIG_DFL;
	return 0;
}

static int k_kill(pid_t pid, int sig)
{
	sim_signal((int)pid - 100, sig);
	return 0;
}

static int k_prctl(int op, unsigned long arg)
{
	(void)op, (void)arg;
	return 0;
}

static int k_poll(struct pollfd *q, unsigned n, nl_time span)
{
	struct proc *p = &procs[self];
	int ready = 0;
	step();
	for (int again = 0; again < 2 && ready == 0; again++) {
		for (unsigned i = 0; i < n; i++) {
			q[i].revents = readable(p, &q[i]) ? POLLIN : 0;
			ready += q[i].revents != 0;
		}
		if (ready || again || span <= 0)
			break;
		p->poll = q, p->npoll = n;
		p->deaf = n == 0;
		sleep_until(nl_after(now, span));
	}
	return ready;
}

static long open_at(int dir, const char *name, int flags)
{
	int ino = find(dir, name);
	if (!ino && !(flags & O_CREAT))
		return -ENOENT;
	if (ino && flags & O_CREAT && flags & O_EXCL)
		return -EEXIST;
	if (!ino)
		ino = make(dir, name, FILE_);
	return new_fd(describe(inodes[ino].kind, ino, (flags & O_ACCMODE) != O_RDONLY), flags & O_CLOEXEC, 3);
}

static int k_open(const char *path, int flags, int mode)
{
	(void)mode;
	step();
	return strcmp(path, "/state") ? -ENXIO : (int)open_at(0, path, flags | O_CLOEXEC);
}

static int k_close(int fd)
{
	step();
	if (!of(fd))
		return -EBADF;
	int ofd = procs[self].fd[fd].ofd;
	procs[self].fd[fd].ofd = -1;
	release(ofd, true);
	return 0;
}

static ssize_t k_read(int fd, void *buf, size_t n)
{
	struct ofd *o = of(fd);
	step();
	if (!o || o->kind != INOTIFY || !o->fired)
		return -EAGAIN;
	o->fired = false;
	memset(buf, 0, n < 16 ? n : 16);
	return 16;
}

static ssize_t k_write(int fd, const void *buf, size_t n)
{
	(void)fd, (void)buf;
	return (ssize_t)n;
}

static ssize_t k_pread(int fd, void *buf, size_t n, off_t at)
{
	struct ofd *o = of(fd);
	step();
	if (!o || o->kind != FILE_)
		return -EBADF;
	const struct inode *i = &inodes[o->ino];
	if ((size_t)at >= i->size)
		return 0;
	n = n < i->size - (size_t)at ? n : i->size - (size_t)at;
	memcpy(buf, i->data + at, n);
	return (ssize_t)n;
}

/* Readers may see half of it; a death never leaves half of it. */
static ssize_t k_pwrite(int fd, const void *buf, size_t n, off_t at)
{
	struct ofd *o = of(fd);
	unsigned char before[DATA];
	step();
	if (!o || o->kind != FILE_ || (size_t)at + n > DATA)
		return -EBADF;
	struct inode *i = &inodes[o->ino];
	memcpy(before, i->data, sizeof before);
	size_t half = sim_rand() % n;
	if (i->size >= (size_t)at + n && sim_chance() < 0.2) {
		memcpy(i->data + at, buf, half);
		sleep_here();
	}
	memcpy(i->data + at, buf, n);
	i->size = i->size > (size_t)at + n ? i->size : (size_t)at + n;
	fire(o->ino, IN_MODIFY);
	if (cfg->written)
		cfg->written(self, (uint64_t)o->ino, before, i->data);
	return (ssize_t)n;
}

static int set_lock(int ofd, const struct flock *lk)
{
	if (lk->l_type == F_UNLCK) {
		unlock(ofd, lk->l_start, false, true);
		return 0;
	}
	bool shared = lk->l_type == F_RDLCK;
	if (blocked(ofd, lk->l_start, shared))
		return -EAGAIN;
	for (unsigned i = 0; i < nlocks; i++)
		if (locks[i].ofd == ofd && locks[i].byte == lk->l_start) {
			locks[i].shared = shared;
			return 0;
		}
	if (nlocks == LOCKS)
		return -ENOLCK;
	locks[nlocks++] = (struct lock){ ofd, ofds[ofd].ino, lk->l_start, shared };
	if (!shared && cfg->locked)
		cfg->locked(self, (uint64_t)ofds[ofd].ino, lk->l_start, true);
	return 0;
}

/* Any of the locks in the way, not the first. */
static void get_lock(int ofd, struct flock *lk)
{
	unsigned in[LOCKS], n = 0;
	for (unsigned i = 0; i < nlocks; i++)
		if (conflicts(&locks[i], ofd, ofds[ofd].ino, lk->l_type == F_RDLCK) && locks[i].byte >= lk->l_start
		    && (lk->l_len == 0 || locks[i].byte < lk->l_start + lk->l_len))
			in[n++] = i;
	if (n == 0) {
		lk->l_type = F_UNLCK;
		return;
	}
	const struct lock *l = &locks[in[sim_rand() % n]];
	*lk = (struct flock){ .l_type = l->shared ? F_RDLCK : F_WRLCK, .l_start = l->byte, .l_len = 1, .l_pid = -1 };
}

static int k_fcntl(int fd, int op, long arg)
{
	step();
	if (!of(fd))
		return -EBADF;
	int ofd = procs[self].fd[fd].ofd;
	switch (op) {
	case F_DUPFD: return new_fd(ofd, false, (int)arg);
	case F_DUPFD_CLOEXEC: return new_fd(ofd, true, (int)arg);
	case F_SETFD: return procs[self].fd[fd].cloexec = arg & FD_CLOEXEC, 0;
	case F_OFD_SETLK: return set_lock(ofd, (const struct flock *)arg);
	case F_OFD_GETLK: return get_lock(ofd, (struct flock *)arg), 0;
	default: return -EINVAL;
	}
}

static int k_lockwait(int fd, int type, int64_t byte, nl_time span)
{
	struct proc *p = &procs[self];
	struct flock lk = { .l_type = (short)type, .l_start = byte };
	nl_time until = nl_after(now, span);
	step();
	if (!of(fd))
		return -EBADF;
	int ofd = p->fd[fd].ofd;
	for (;;) {
		if (p->pending)
			return -EINTR;
		if (set_lock(ofd, &lk) == 0)
			return 0;
		if (now >= until)
			return -EAGAIN;
		p->wants_lock = true, p->lock_ofd = ofd, p->lock_byte = byte, p->lock_shared = type == F_RDLCK;
		sleep_until(until);
	}
}

static long look(int dir, const char *name, int flags, struct statx *st)
{
	int ino = flags & AT_EMPTY_PATH ? (of(dir) ? of(dir)->ino : 0) : of(dir) ? find(of(dir)->ino, name) : 0;
	if (!ino)
		return -ENOENT;
	bool is_dir = inodes[ino].kind == DIR_;
	*st = (struct statx){ .stx_ino = (uint64_t)ino, .stx_nlink = inodes[ino].links, .stx_size = inodes[ino].size };
	st->stx_mode = (uint16_t)(is_dir ? 0040700 : 0100600);
	return 0;
}

static int dir_ino(int fd)
{
	return of(fd) ? of(fd)->ino : -1;       // No file has such a parent.
}

static long rename_at(int dir, const char *from, const char *to)
{
	int a = find(dir_ino(dir), from), b = find(dir_ino(dir), to);
	if (!a)
		return -ENOENT;
	if (b) {
		inodes[b].links = 0;
		drop_inode(b);
	}
	snprintf(inodes[a].name, sizeof inodes[a].name, "%.39s", to);
	return 0;
}

static long unlink_at(int dir, const char *name)
{
	int a = find(dir_ino(dir), name);
	if (!a)
		return -ENOENT;
	inodes[a].links = 0;
	drop_inode(a);
	return 0;
}

static long add_watch(int fd, const char *path, uint32_t mask)
{
	struct ofd *o = of(fd);
	int target;
	if (!o || sscanf(path, "/proc/self/fd/%d", &target) != 1 || !of(target) || o->watches == 4)
		return -EINVAL;
	o->watch[o->watches] = of(target)->ino, o->mask[o->watches] = mask;
	return (long)++o->watches;
}

static long k_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	(void)e, (void)f;
	step();
	switch (nr) {
	case SYS_openat2: return open_at(dir_ino((int)a), (const char *)b, (int)*(const uint64_t *)c);
	case SYS_openat: return open_at(dir_ino((int)a), (const char *)b, (int)c);
	case SYS_statx: return look((int)a, (const char *)b, (int)c, (struct statx *)e);
	case SYS_fstatfs: return memset((void *)b, 0, sizeof(struct statfs)), 0;
	case SYS_mkdirat: return find(dir_ino((int)a), (const char *)b) ? -EEXIST : (make(dir_ino((int)a), (const char *)b, DIR_), 0);
	case SYS_renameat: return rename_at((int)a, (const char *)b, (const char *)d);
	case SYS_unlinkat: return unlink_at((int)a, (const char *)b);
	case SYS_inotify_init1: return new_fd(describe(INOTIFY, 0, false), true, 3);
	case SYS_inotify_add_watch: return add_watch((int)a, (const char *)b, (uint32_t)c);
	case SYS_signalfd4: return new_fd(describe(SIGNALFD, 0, false), true, 3);
	case SYS_umask: case SYS_geteuid: case SYS_getegid: case SYS_getgroups: case SYS_getdents64: case SYS_lseek: return 0;
	default: return -ENOSYS;
	}
}

const struct nl_os sim_kernel_os = {
	.clock = k_clock, .random = k_random, .unit = nl_unit, .pid = k_pid, .sigwait = k_sigwait, .mask = k_mask,
	.action = k_action, .kill = k_kill, .prctl = k_prctl, .poll = k_poll, .open = k_open, .close = k_close, .read = k_read,
	.write = k_write, .pread = k_pread, .pwrite = k_pwrite, .fcntl = k_fcntl, .lockwait = k_lockwait, .syscall = k_syscall,
};
