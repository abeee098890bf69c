/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crew.c - wrappers: hired, shot, reaped.
 *
 * Only processes that cannot have been reaped are shot: our own children, and a
 * command by a pidfd whose parent was seen to be one of them.  A kill counts
 * when the wrapper is dead by SIGKILL after we shot at it or at its command.
 */
#include "storm.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STUCK 15000000000               /* ns without any death while somebody is alive */

struct worker crew[CREW];
struct tally tally;
static uint64_t dice = 88172645463325252u;
static int64_t moved;

int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * (int64_t)1000000000 + t.tv_nsec;
}

void seed(uint64_t n)
{
	dice ^= n * 0x9e3779b97f4a7c15u;
	dice += !dice;
}

uint64_t below(uint64_t n)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return n ? (dice >> 11) % n : 0;
}

void rest(uint64_t ns)
{
	nanosleep(&(struct timespec){ .tv_nsec = (long)below(ns) }, NULL);
}

struct worker *hire(int tag, const char *const *argv)
{
	struct worker *w = crew;
	while (w < crew + CREW && w->pid)
		w++;
	if (w == crew + CREW)
		abort();
	int error = posix_spawnp(&w->pid, argv[0], NULL, NULL, (char *const *)argv, environ);
	if (error) {
		fprintf(stderr, "storm: %s: %s\n", argv[0], strerror(error));
		exit(2);
	}
	*w = (struct worker){ .pid = w->pid, .tag = tag, .status = -1 };
	tally.wrappers++;
	moved = now();
	return w;
}

bool shoot_wrapper(struct worker *w)
{
	if (!w->pid || w->shot)
		return false;
	log_shot(w->pid);
	w->shot = true;
	kill(w->pid, SIGKILL);
	return true;
}

static int parent_of(int pid)
{
	char path[40], text[512];
	(void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = '\0';
	char *end = strrchr(text, ')');
	return end && strlen(end) > 4 ? (int)strtol(end + 4, NULL, 10) : -1;
}

bool shoot_command(struct worker *w)
{
	if (!w->pid || w->shot || !w->command)
		return false;
	int fd = (int)syscall(SYS_pidfd_open, w->command, 0);
	if (fd < 0)
		return false;
	if (parent_of(w->command) == w->pid) {
		log_shot(w->command);
		w->shot = syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0;
	}
	close(fd);
	return w->shot;
}

struct worker *anybody(bool running)
{
	struct worker *found = NULL;
	unsigned n = 0;
	for (struct worker *w = crew; w < crew + CREW; w++)
		if (w->pid && !w->shot && (!running || w->command) && below(++n) == 0)
			found = w;
	return found;
}

unsigned strength(void)
{
	unsigned n = 0;
	for (struct worker *w = crew; w < crew + CREW; w++)
		n += w->pid != 0;
	return n;
}

static void dead(struct worker *w, int status)
{
	bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	w->pid = w->command = 0;
	w->status = status;
	tally.kills += killed && w->shot;
	tally.rejected += code == 75;
	tally.ended += code == 0 || code == 1;
	if (killed ? !w->shot : code != 75 && code != 0 && code != 1)
		tally.lost += code != 125;              // Trouble with state; events tell of it.
}

/* Orphans too: we are their subreaper. */
static bool reap(void)
{
	int status, pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		moved = now();
		for (struct worker *w = crew; w < crew + CREW; w++)
			if (w->pid == pid) {
				log_read();             // Its command has told what it had to tell.
				dead(w, status);
				break;
			}
	}
	return pid == 0;
}

bool step(void)
{
	bool any = reap();
	log_read();
	if (!any || now() - moved < STUCK)
		return true;
	tally.stuck++;
	fprintf(stderr, "storm: nothing has moved for %d s, %u wrappers alive\n", (int)(STUCK / 1000000000), strength());
	for (struct worker *w = crew; w < crew + CREW; w++)
		shoot_wrapper(w);
	return false;
}

bool drain(void)
{
	bool well = true;
	while (reap()) {
		well = step() && well;
		rest(200000);
	}
	log_read();
	return well;
}
