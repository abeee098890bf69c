/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cell.c - see cell.h.
 *
 *   guard page | stack ... | struct nl_cell | copies of layers
 */
#include "cell.h"

#include "mut.h"
#include "run.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define GUARD 65536                     /* a multiple of every page size */
#define STACK (192 << 10)
#define ALIGN(n) (((n) + 15) & ~(size_t)15)

static unsigned nodes(const struct nl_sink *s)
{
	return s ? 1 + nodes(s->a) + nodes(s->b) : 0;
}

/* Bytes of copies; 0: it is not light. */
static size_t weigh(const struct nl_svc *s, const struct nl_sink *around)
{
	size_t sum = 0;
	unsigned sinks = nodes(around);
	for (; s; around = s->sink, s = s->inner) {
		size_t n = s->layer->light ? s->layer->light(s) : 0;
		if (n == 0)
			return 0;
		sum += ALIGN(n);
		sinks += s->sink != around ? nodes(s->sink) : 0;
	}
	return sinks <= NL_CELL_SINKS ? sum : 0;
}

bool nl_cell_shares(struct nl_run *run, const struct nl_svc *branch)
{
	return run->os->shares && !run->leaf && weigh(branch, branch->sink) > 0;
}

int nl_cell_open(struct nl_branch *b)
{
	const struct nl_os *os = b->run->os;
	size_t under = b->shares ? GUARD + STACK : 0;
	size_t size = under + ALIGN(sizeof(struct nl_cell)) + (b->shares ? weigh(b->svc, b->svc->sink) : 0);
	if (b->cell)
		return 0;
	long at = os->syscall(SYS_mmap, 0, (long)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at < 0 && at > -4096)
		return (int)at;
	b->cell = (struct nl_cell *)(at + (long)under);
	b->cell->base = (char *)at, b->cell->size = size;
	if (!b->shares)
		return 0;
	b->cell->stack = b->cell;
	long r = os->syscall(SYS_mprotect, at, GUARD, PROT_NONE, 0, 0, 0);
	if (r < 0)
		nl_cell_close(b, true);
	return (int)r;
}

static struct nl_sink *copy_sink(struct nl_cell *c, const struct nl_sink *s)
{
	if (!s || MUTANT(SHARES_COUNT))
		return (struct nl_sink *)s;
	for (unsigned i = 0; i < c->sinks; i++)
		if (c->sink[i].of == s)
			return &c->sink[i].is;
	struct nl_sink *to = &c->sink[c->sinks].is;
	c->sink[c->sinks++].of = s;
	*to = *s;
	to->a = copy_sink(c, s->a), to->b = copy_sink(c, s->b);
	return to;
}

static void copy_layers(struct nl_cell *c, const struct nl_svc *s)
{
	char *at = (char *)c + ALIGN(sizeof *c);
	struct nl_svc **link = &c->svc;
	for (; s; s = s->inner) {
		size_t n = s->layer->light(s);
		struct nl_svc *to = memcpy(at, s, n);
		to->sink = copy_sink(c, s->sink);
		*link = to, link = &to->inner;
		at += ALIGN(n);
	}
}

static void note_brothers(struct nl_cell *c, const struct nl_branch *b)
{
	c->shuts = 0;
	for (unsigned i = 0; i < b->n; i++) {
		const struct nl_pump *p = &b->all[i].pump;
		int fd[] = { p->in, p->out[0].fd, p->out[1].fd };
		for (int k = 0; k < 3; k++)
			if (fd[k] >= 0)
				c->shut[c->shuts++] = fd[k];
	}
}

void nl_cell_fill(struct nl_branch *b)
{
	struct nl_cell *c = b->cell;
	c->run = *b->run, c->signals = *b->run->signals, c->q = b->q, c->svc = b->svc, c->report = b->report;
	memcpy(c->fd, b->fd, sizeof c->fd);
	for (int i = 0; i < 2; i++)
		c->error[i] = b->fd[i + 1] == b->run->std[i].fd ? b->run->std[i].error : 0;
	if (b->run->ids)
		c->ids = *b->run->ids;
	note_brothers(c, b);
	if (!b->shares)
		return;
	c->sinks = 0;
	copy_layers(c, b->svc);
	if (c->q.outer) {
		c->outer = *c->q.outer;
		c->outer.sink = copy_sink(c, c->outer.sink);
		c->q.outer = &c->outer;
	}
}

const struct nl_svc *nl_cell_ours(const struct nl_branch *b, const struct nl_svc *s)
{
	const struct nl_svc *ours = b->svc;
	for (const struct nl_svc *its = b->cell->svc; its && ours; its = its->inner, ours = ours->inner)
		if (its == s)
			return ours;
	return s;
}

void nl_cell_close(struct nl_branch *b, bool gone)
{
	if (b->cell && (gone || !b->shares))
		b->run->os->syscall(SYS_munmap, (long)b->cell->base, (long)b->cell->size, 0, 0, 0, 0);
	b->cell = NULL;
}
