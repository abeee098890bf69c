/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc.c - what /proc says about processes and the boot.
 *
 * Children come from /proc/PID/task/TID/children, which the kernel keeps per
 * thread; without that file every process's parent is looked up.  A walk is
 * not atomic: who must be complete repeats it until nothing is new.
 */
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

/* A file of /proc gives what it has in one read. */
static ssize_t slurp(const struct nl_os *os, const char *path, char *buf, size_t size)
{
	int fd = os->open(path, O_RDONLY, 0);
	if (fd < 0)
		return fd;
	ssize_t n;
	for (int i = 0; (n = os->read(fd, buf, size - 1)) == -EINTR && i < 100; i++)
		;
	os->close(fd);
	buf[n < 0 ? 0 : n] = '\0';
	return n;
}

int nl_proc_read(const struct nl_os *os, pid_t pid, struct nl_proc *p)
{
	char path[40], buf[1024];
	snprintf(path, sizeof path, pid ? "/proc/%d/stat" : "/proc/self/stat", (int)pid);
	ssize_t n = slurp(os, path, buf, sizeof buf);
	if (n <= 0)
		return n < 0 ? (int)n : -ESRCH;
	char *open = strchr(buf, '('), *close = strrchr(buf, ')');      // comm may hold either.
	if (!open || !close)
		return -EIO;
	int ppid = 0, pgrp = 0;
	unsigned long long start = 0;
	if (sscanf(close + 1, " %c %d %d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
	           &p->state, &ppid, &pgrp, &start) != 4)
		return -EIO;
	size_t len = (size_t)(close - open - 1);
	if (len >= sizeof p->comm)
		len = sizeof p->comm - 1;
	memcpy(p->comm, open + 1, len);
	p->comm[len] = '\0';
	p->pid = atoi(buf), p->ppid = ppid, p->pgrp = pgrp, p->start = start;
	return 0;
}

bool nl_proc_is_nl(const struct nl_proc *p)
{
	return !strncmp(p->comm, "nl-", 3);
}

bool nl_proc_is_ours(const struct nl_os *os)
{
	struct nl_proc self;
	return nl_proc_read(os, 0, &self) == 0 && self.pid == os->pid();
}

/* Calls each() with every number that names an entry of a directory. */
static int numbers(const struct nl_os *os, const char *dir, int (*each)(void *, int), void *arg)
{
	struct entry { uint64_t ino; int64_t off; unsigned short len; unsigned char type; char name[]; };
	_Alignas(8) char buf[4096];
	int fd = os->open(dir, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	long n = 0;
	int r = 0;
	while (r == 0 && (n = os->syscall(SYS_getdents64, fd, (long)buf, sizeof buf, 0, 0, 0)) > 0) {
		for (long at = 0; at < n && r == 0; at += ((struct entry *)(void *)(buf + at))->len) {
			char *name = ((struct entry *)(void *)(buf + at))->name;
			if (*name >= '1' && *name <= '9')
				r = each(arg, atoi(name));
		}
	}
	os->close(fd);
	return r == 0 && n < 0 ? (int)n : r;
}

struct gather { const struct nl_os *os; pid_t pid, *list; unsigned n, max; };

static int gather_thread(void *arg, int tid)
{
	struct gather *g = arg;
	char path[64], buf[8192];
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)g->pid, tid);
	ssize_t n = slurp(g->os, path, buf, sizeof buf);
	if (n < 0)
		return (int)n;
	for (char *s = buf, *end; g->n < g->max; s = end) {
		long pid = strtol(s, &end, 10);
		if (end == s || *end != ' ')    // A number at the end of a full buffer may be cut.
			break;
		g->list[g->n++] = (pid_t)pid;
	}
	return 0;
}

static int gather_by_parent(void *arg, int pid)
{
	struct gather *g = arg;
	struct nl_proc p;
	if (g->n < g->max && nl_proc_read(g->os, pid, &p) == 0 && p.ppid == g->pid)
		g->list[g->n++] = pid;
	return 0;
}

int nl_proc_children(const struct nl_os *os, pid_t pid, pid_t *list, unsigned max)
{
	struct gather g = { .os = os, .pid = pid, .list = list, .max = max };
	char dir[40];
	snprintf(dir, sizeof dir, "/proc/%d/task", (int)pid);
	int r = numbers(os, dir, gather_thread, &g);
	if (r < 0) {
		struct nl_proc self;
		if (nl_proc_read(os, pid, &self) < 0)
			return -ESRCH;
		g.n = 0;
		r = numbers(os, "/proc", gather_by_parent, &g);
	}
	return r < 0 ? r : (int)g.n;
}

static bool has(const pid_t *list, unsigned n, pid_t pid)
{
	for (unsigned i = 0; i < n; i++)
		if (list[i] == pid)
			return true;
	return false;
}

int nl_proc_tree(const struct nl_os *os, pid_t root, const pid_t *skip, unsigned skips, bool shallow,
                      struct nl_proc *list, unsigned max)
{
	pid_t kid[512];
	unsigned n = 0;
	if (root <= 0)                                  // Nobody's number; the kernel's parent of all is 0.
		return -ESRCH;
	for (unsigned at = 0; at <= n; at++) {          // list[at - 1] is looked below; 0 is the root.
		if (at > 0 && shallow && nl_proc_is_nl(&list[at - 1]))
			continue;
		int k = nl_proc_children(os, at ? list[at - 1].pid : root, kid, sizeof kid / sizeof *kid);
		if (at == 0 && k < 0)
			return k;
		for (int i = 0; i < k && n < max; i++) {
			if (kid[i] == root)                     // What shows us below ourselves is not to be believed.
				return -ELOOP;
			if (at == 0 && (has(skip, skips, kid[i]) || (os->ours && !os->ours(kid[i]))))
				continue;
			int r = nl_proc_read(os, kid[i], &list[n]);
			if (r < 0 && r != -ENOENT && r != -ESRCH)       // It may well be there.
				list[n] = (struct nl_proc){ .pid = kid[i], .state = '?' }, r = 0;
			if (r == 0 && list[n].state != 'Z' && list[n].state != 'X')
				n++;
		}
	}
	return (int)n;
}

void nl_boot_id(const struct nl_os *os, char buf[40])
{
	if (slurp(os, "/proc/sys/kernel/random/boot_id", buf, 40) != 37)
		buf[0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
}
