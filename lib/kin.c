/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kin.c - see kin.h.  A process that has lost its parents says by NL_GUEST in its
 * environment which command of ours has started it.  The dead do not say whose
 * they are, so whom we end is noted before.
 */
#include "kin.h"

#include "mut.h"
#include "proc.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Does NL_GUEST in text, of n bytes, name a command that runs now? */
static bool names_ours(const struct nl_guest *g, const char *text, size_t n)
{
	const char *stem = g->mark + g->stem, *at = text, *end = text + n;
	size_t len = g->fixed - g->stem;
	for (; (at = memmem(at, (size_t)(end - at), stem, len)); at++) {
		unsigned long k = 0;
		const char *p = at + len;
		while (p < end && *p >= '0' && *p <= '9')
			k = k * 10 + (unsigned long)(*p++ - '0');
		unsigned first = MUTANT(LAST_MARK_ALONE) ? g->spawned : g->first;
		if (at > text && strchr("=:", at[-1]) && p < end && (!*p || *p == ':') && k >= first && k <= g->spawned)
			return true;
	}
	return false;
}

static bool is_marked(const struct nl_guest *g, pid_t pid)
{
	char path[40], buf[16384];
	snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
	int fd = nl_os_linux.open(path, 0, 0);
	size_t have = 0;
	bool found = false;
	ssize_t n;
	while (fd >= 0 && !found && (n = nl_os_linux.read(fd, buf + have, sizeof buf - have)) > 0) {
		have += (size_t)n;
		found = names_ours(g, buf, have);
		size_t keep = have < 256 ? have : 256;  // The mark may begin in this piece and end in the next.
		memmove(buf, buf + have - keep, keep);
		have = keep;
	}
	if (fd >= 0)
		nl_os_linux.close(fd);
	return found;
}

/* In the moment between its end and its death a process has no environment,
 * but still its children: they are ours to see behind that. */
static void let_die(pid_t pid)
{
	struct nl_proc p;
	char c;
	for (int i = 0; i < 20 && nl_proc_read(&nl_os_linux, pid, &p) == 0 && p.state != 'Z'; i++) {
		char path[40];
		snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
		int fd = nl_os_linux.open(path, 0, 0);
		ssize_t n = fd < 0 ? fd : nl_os_linux.read(fd, &c, 1);
		if (fd >= 0)
			nl_os_linux.close(fd);
		if (n != 0)
			return;
		nl_os_linux.poll(NULL, 0, NL_MS);
	}
}

bool nl_kin_is_ours(const struct nl_guest *g, pid_t pid)
{
	struct nl_proc p;
	for (unsigned i = 0; i < g->owns; i++)
		if (g->own[i] == pid)
			return true;
	if (g->last && nl_proc_read(&nl_os_linux, pid, &p) == 0 && p.pgrp == g->last)
		return true;
	if (is_marked(g, pid))
		return true;
	let_die(pid);
	return false;
}

void nl_kin_note(struct nl_guest *g, pid_t pid, int sig)
{
	bool known = (sig != SIGKILL && sig != SIGTERM) || pid <= 1 || g->orphans == NL_GUEST_OWN;
	for (unsigned i = 0; i < g->owns && !known; i++)
		known = g->own[i] == pid;
	for (unsigned i = 0; i < g->orphans && !known; i++)
		known = g->orphan[i] == pid;
	if (!known)
		g->orphan[g->orphans++] = pid;
}
