/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge.c - the log of the commands, and what it proves.
 *
 * A command is alive from the line of its start to that of its end.  One that
 * was shot has no such line: it is taken to have lived until the shot at it, or
 * at its wrapper (which it dies with), was fired.  That is too short by the time
 * a kill takes, so that all that is counted was alive indeed.  A probe is
 * its wrapper's alone, so it is over by the first shot at either: the command of
 * a wrapper that was shot may still be dying when another probes.
 */
#include "storm.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct shot { int pid; int64_t at; };
static struct { struct life *at; size_t n, room; } lives;
static struct { struct shot *at; size_t n, room; } shots;
static off_t read_to;

static void *grown(void *p, size_t n, size_t *room, size_t size)
{
	if (n < *room)
		return p;
	*room = *room ? 2 * *room : 4096;
	p = realloc(p, *room * size);
	if (!p)
		abort();
	return p;
}

void log_begin(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || dup2(fd, FD_LOG) != FD_LOG) {
		perror(path);
		exit(2);
	}
	close(fd);
}

static struct worker *worker_of(int pid)
{
	for (struct worker *w = crew; w < crew + CREW; w++)
		if (w->pid == pid)
			return w;
	return NULL;
}

static void line(const char *text)
{
	char what;
	int pid, ppid, tag;
	long long at;
	if (sscanf(text, "%c %d %lld %d %d", &what, &pid, &at, &ppid, &tag) != 5) {
		tally.lost++;
		return;
	}
	struct worker *w = worker_of(ppid);
	if (what == 'V') {
		tally.crowded++;
	} else if (what == 'S') {
		lives.at = grown(lives.at, lives.n, &lives.room, sizeof *lives.at);
		lives.at[lives.n++] = (struct life){ pid, ppid, tag, at, 0 };
		tally.commands++;
		if (w)
			w->started = true, w->command = pid;
	} else {
		size_t i = lives.n;
		while (i > 0 && lives.at[i - 1].pid != pid)
			i--;
		if (i > 0)
			lives.at[i - 1].to = at;
		if (w)
			w->command = 0;
	}
}

void log_read(void)
{
	char text[8193];
	ssize_t n;
	while ((n = pread(FD_LOG, text, sizeof text - 1, read_to)) > 0) {
		char *from = text, *nl;
		text[n] = '\0';
		while ((nl = strchr(from, '\n')) != NULL) {
			*nl = '\0';
			line(from);
			from = nl + 1;
		}
		if (from == text)
			break;
		read_to += from - text;
	}
}

void log_shot(int pid)
{
	shots.at = grown(shots.at, shots.n, &shots.room, sizeof *shots.at);
	shots.at[shots.n++] = (struct shot){ pid, now() };
}

void log_clear(void)
{
	read_to = 0;
	lives.n = shots.n = 0;
	if (ftruncate(FD_LOG, 0) < 0)
		tally.lost++;
}

/* When the first shot at pid behind `from` was fired; 0: none was. */
static int64_t shot_at(int pid, int64_t from)
{
	for (size_t i = 0; i < shots.n; i++)
		if (shots.at[i].pid == pid && shots.at[i].at >= from)
			return shots.at[i].at;
	return 0;
}

/* Gives an end to who told none, and an earlier one to whose wrapper was shot. */
static void bury(struct life *l, enum owner owner)
{
	int64_t shot = owner == WRAPPER ? shot_at(l->ppid, l->from) : 0;
	if (shot && (l->to == 0 || shot < l->to))
		l->to = shot;
	for (int own = 1; own >= 0 && l->to == 0; own--)
		for (size_t i = 0; i < shots.n && l->to == 0; i++)
			if (shots.at[i].pid == (own ? l->pid : l->ppid))
				l->to = shots.at[i].at > l->from ? shots.at[i].at : l->from;
	if (l->to == 0) {
		tally.lost += l->ppid != getpid();      // Ours already: its wrapper was dead, and its own shot was on its way.
		l->to = l->from;
	}
}

struct edge { int64_t at; int by; };

static int earlier(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;
	return x->at != y->at ? (x->at > y->at) - (x->at < y->at) : x->by - y->by;
}

int most_alive(int tag, int end, enum owner owner)
{
	struct edge *edges = calloc(2 * lives.n + 1, sizeof *edges);
	size_t n = 0;
	int alive = 0, most = 0;
	if (!edges)
		abort();
	for (struct life *l = lives.at; l < lives.at + lives.n; l++) {
		if (l->tag < tag || l->tag >= end)
			continue;
		bury(l, owner);
		edges[n++] = (struct edge){ l->from, 1 };
		edges[n++] = (struct edge){ l->to, -1 };
	}
	qsort(edges, n, sizeof *edges, earlier);
	for (size_t i = 0; i < n; i++) {
		alive += edges[i].by;
		most = alive > most ? alive : most;
	}
	free(edges);
	return most;
}

long out_of_order(int end)
{
	long n = 0;
	for (size_t i = 0; i < lives.n; i++)
		for (size_t k = 0; k < lives.n; k++)
			n += lives.at[k].tag < end && lives.at[i].tag < lives.at[k].tag && lives.at[i].from > lives.at[k].from;
	for (size_t i = 0; n > 0 && i < lives.n; i++)
		fprintf(stderr, "storm: tag %d pid %d of %d from %lld to %lld us\n", lives.at[i].tag, lives.at[i].pid, lives.at[i].ppid,
		        (long long)(lives.at[i].from - lives.at[0].from) / 1000, (long long)(lives.at[i].to - lives.at[0].from) / 1000);
	for (size_t i = 0; n > 0 && i < shots.n; i++)
		fprintf(stderr, "storm: shot at %d at %lld us\n", shots.at[i].pid, (long long)(shots.at[i].at - lives.at[0].from) / 1000);
	return n;
}
