/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stack.c - argv is the stack.
 *
 * Each layer reads its options and operands; if the next word names a layer
 * (no slash), that layer is built around what follows it, in this process.
 * The whole line is read before anything runs, also where the layers are then
 * run as processes of their own: NL_FUSE=0 changes how, not what.
 */
#include "stack.h"

#include "event.h"
#include "exec.h"
#include "io.h"
#include "opt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct nl_layer *const layers[] = { &nl_retry, &nl_timeout, &nl_breaker, &nl_bulkhead, NULL };

static const struct nl_layer *layer_of(const char *word)
{
	if (strncmp(word, "nl-", 3))
		return NULL;
	for (size_t i = 0; layers[i]; i++)
		if (!strcmp(word + 3, layers[i]->name))
			return layers[i];
	return NULL;
}

/* A layer that was asked about itself: prints, and is the end of the stack. */
struct text { struct nl_svc svc; const struct nl_layer *of; enum nl_opt_result what; char buf[8192]; };

static struct nl_outcome text_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	struct text *t = (struct text *)svc;
	char tool[32];
	int error;
	snprintf(tool, sizeof tool, svc->gnu ? "%s" : "nl-%s", t->of->name);
	nl_opt_about(t->of, tool, t->what, svc->gnu, t->buf, sizeof t->buf);
	nl_put(run, &q, nl_chain(run, &q, 0), t->buf, strlen(t->buf), &error);
	return (struct nl_outcome){ error ? NL_EXIT(NL_EX_FAIL) : 0, NL_RAN };
}

static const struct nl_layer text_layer = { .name = "text", .size = sizeof(struct text), .call = text_call };

static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash && slash[1] ? slash + 1 : path;
}

/* The line being read. */
struct line { bool gnu; const char *events; const struct nl_layer *at; struct nl_room *room; struct nl_err *err; };

static struct nl_svc *new_svc(const struct nl_layer *layer, size_t size, struct line *line)
{
	struct nl_room *room = line->room;
	struct nl_svc *s;
	size = (size + 15) & ~(size_t)15;
	if (size <= sizeof room->bytes - room->used) {
		s = memset(room->bytes + room->used, 0, size);
		room->used += size;
	} else {
		s = calloc(1, size);
	}
	if (!s)
		nl_fail(line->err, "out of memory");
	else
		s->layer = layer;
	return s;
}

static struct nl_svc *command(char **argv, struct line *line)
{
	struct nl_svc *s = new_svc(&nl_exec, nl_exec_size(), line);
	if (!s)
		return NULL;
	s->events = line->events;
	s->cmd = base(argv[0]);
	if (nl_exec.init(s, &argv, line->err) == 0)
		return s;
	nl_stack_free(s, line->room);
	return NULL;
}

static struct nl_svc *about(const struct nl_layer *layer, enum nl_opt_result what, struct line *line)
{
	struct text *t = (struct text *)new_svc(&text_layer, sizeof *t, line);
	if (!t)
		return NULL;
	t->of = layer, t->what = what;
	t->svc.cmd = layer->name, t->svc.gnu = line->gnu;
	return (struct nl_svc *)t;
}

static struct nl_svc *build(const struct nl_layer *layer, char **argv, char ***rest, struct line *line)
{
	struct nl_svc *s = new_svc(layer, layer->size, line);
	line->at = layer;
	if (!s)
		return NULL;
	s->gnu = line->gnu;
	enum nl_opt_result r = nl_opt_parse(s, &argv, line->gnu, line->err);
	if (r == NL_OPT_HELP || r == NL_OPT_VERSION || r == NL_OPT_COMPLETE) {
		nl_stack_free(s, line->room);
		return about(layer, r, line);
	}
	if (r != NL_OPT_OK || layer->init(s, &argv, line->err) < 0)
		goto fail;
	struct nl_err why;
	if (s->events && !(s->sink = nl_sink_parse(s->events, &why))) {
		nl_fail(line->err, "--events: %.200s", why.msg);
		goto fail;
	}
	if (s->events)
		line->events = s->events;
	if (*argv && !strcmp(*argv, "--"))
		argv++;
	*rest = argv;
	s->cmd = layer->name;
	if (!s->prints && !layer->leaf && !*argv) {
		nl_fail(line->err, "missing COMMAND");
		goto fail;
	}
	if (*argv) {
		char **beyond;
		const struct nl_layer *next = line->gnu ? NULL : layer_of(*argv);
		s->inner = next ? build(next, argv + 1, &beyond, line) : command(argv, line);
		if (!s->inner)
			goto fail;
		s->cmd = s->inner->cmd;
	}
	s->id = s->name ? s->name : s->cmd;
	return s;
fail:
	nl_stack_free(s, line->room);
	return NULL;
}

struct nl_svc *nl_stack(const struct nl_layer *first, char **argv, enum nl_stack_way way, struct nl_room *room,
                        const struct nl_layer **at, struct nl_err *err)
{
	struct line line = { .gnu = way == NL_STACK_GNU, .room = room, .err = err };
	char **rest = NULL;
	struct nl_svc *s = build(first, argv, &rest, &line);
	*at = line.at;
	if (!s || way == NL_STACK_FUSED || !s->inner || s->inner->layer == &nl_exec)
		return s;
	nl_stack_free(s->inner, room);                // It was read; now it is a command like any other.
	line.events = s->events;
	s->inner = command(rest, &line);
	if (s->inner)
		return s;
	nl_stack_free(s, room);
	return NULL;
}

void nl_stack_free(struct nl_svc *s, const struct nl_room *room)
{
	while (s) {
		struct nl_svc *inner = s->inner;
		if (s->layer->free)
			s->layer->free(s);
		if (s->events && s->layer->opts)
			nl_sink_free(s->sink);
		const char *at = (const char *)s;
		if (at < room->bytes || at >= room->bytes + sizeof room->bytes)
			free(s);
		s = inner;
	}
}
