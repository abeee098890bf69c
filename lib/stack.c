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
#include "sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct nl_layer *const nl_layers[] = { &nl_retry, &nl_timeout, &nl_breaker, &nl_bulkhead, &nl_race, &nl_fallback, &nl_expression, NULL };

static const struct nl_layer *layer_of(const char *word)
{
	if (strncmp(word, "nl-", 3))
		return NULL;
	for (size_t i = 0; nl_layers[i]; i++)
		if (!strcmp(word + 3, nl_layers[i]->name))
			return nl_layers[i];
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
struct line {
	bool gnu, shallow;              /* shallow: what the outermost layer wraps is a command, whatever it is */
	const char *events;
	const struct nl_layer *at;
	struct nl_room *room;
	struct nl_err *err;
};

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

static struct nl_svc *build(const struct nl_layer *layer, char **argv, struct line *line);

/* Reads a line that begins with a layer, and forgets it: what is to run as a
 * process must be right, too.  *cmd: the command in it.  The words that reading changes are a copy. */
static int rehearse(const struct nl_layer *layer, char **argv, struct line *line, const char **cmd)
{
	struct line whole = { .room = line->room, .err = line->err };
	size_t n = 0, used = line->room->used;
	while (argv[n])
		n++;
	char **copy = malloc((n + 1) * sizeof *copy);
	if (!copy)
		return nl_fail(line->err, "out of memory");
	memcpy(copy, argv, (n + 1) * sizeof *copy);
	struct nl_svc *s = build(layer, copy, &whole);
	*cmd = s ? s->cmd : NULL;
	if (!s)
		line->at = whole.at;
	nl_stack_free(s, line->room);
	line->room->used = used;
	free(copy);
	return *cmd ? 0 : -1;
}

/* What argv says: a layer and what it wraps, or a command. */
static struct nl_svc *service(char **argv, struct line *line)
{
	const struct nl_layer *layer = line->gnu ? NULL : layer_of(*argv);
	const char *cmd = NULL;
	if (layer && !line->shallow)
		return build(layer, argv + 1, line);
	if (layer && rehearse(layer, argv + 1, line, &cmd) < 0)
		return NULL;
	struct nl_svc *s = command(argv, line);
	if (s && cmd)
		s->cmd = cmd;
	return s;
}

char *nl_stack_word(char *word)
{
	const char *rest = word + strspn(word, "\\");
	bool ours = !strcmp(rest, "[") || !strcmp(rest, "]") || !strcmp(rest, ":::") || !strcmp(rest, "|");
	return *word == '\\' && ours ? word + 1 : word;
}

/* The words between [ at *argv and its ], which becomes their end; *argv moves behind it. */
static char **bracket(char ***argv, struct line *line)
{
	static char pipe[] = "nl-pipe";
	char **open = *argv, **p;
	unsigned depth = 1;
	bool piped = false;
	for (p = open + 1; *p && depth; p++) {
		depth += !strcmp(*p, "[");
		depth -= !strcmp(*p, "]");
		piped |= depth == 1 && !strcmp(*p, "|");
	}
	if (depth) {
		nl_fail(line->err, "missing ]");
		return NULL;
	}
	if (p == open + 2) {
		nl_fail(line->err, "[ ]: a branch without COMMAND");
		return NULL;
	}
	*argv = p;
	p[-1] = NULL;
	for (p = open + 1; *p && !piped; p++) {         // nl-pipe reads its own words.
		depth += !strcmp(*p, "[");
		depth -= !strcmp(*p, "]");
		*p = depth ? *p : nl_stack_word(*p);
	}
	*open = pipe;
	return piped ? open : open + 1;
}

/* The words up to the next ::: outside of brackets. */
static char **between(char ***argv, struct line *line)
{
	char **first = *argv, **p;
	unsigned depth = 0;
	for (p = first; *p && (depth || strcmp(*p, ":::")); p++) {
		depth += !strcmp(*p, "[");
		depth -= depth && !strcmp(*p, "]");
		if (!depth && !strcmp(*p + strspn(*p, "\\"), ":::"))
			++*p;
	}
	*argv = *p ? p + 1 : p;
	if (p == first || (*p && !p[1])) {
		nl_fail(line->err, ":::: a branch without COMMAND");
		return NULL;
	}
	*p = NULL;
	return first;
}

static bool has_colons(char **argv)
{
	unsigned depth = 0;
	for (; *argv; argv++) {
		if (!depth && !strcmp(*argv, ":::"))
			return true;
		depth += !strcmp(*argv, "[");
		depth -= depth && !strcmp(*argv, "]");
	}
	return false;
}

/* The branches of a race or fallback, a list. */
static struct nl_svc *branches(char **argv, struct line *line)
{
	struct nl_svc *first = NULL, **last = &first;
	const struct nl_layer *layer = line->at;
	const char *events = line->events;
	char **(*next)(char ***, struct line *) = !strcmp(*argv, "[") ? bracket : has_colons(argv) ? between : NULL;
	if (!next && **argv == '[') {
		nl_fail(line->err, "'%.60s': a [ stands alone: [ COMMAND ]", *argv);
		return NULL;
	}
	if (!next)
		return service(argv, line);
	while (*argv) {
		char **words = NULL;
		line->events = events;
		if (next == bracket && strcmp(*argv, "["))
			nl_fail(line->err, "'%.60s' behind ]: each branch has brackets of its own", *argv);
		else
			words = next(&argv, line);
		*last = words ? service(words, line) : NULL;
		if (!*last) {
			nl_stack_free(first, line->room);
			return NULL;
		}
		last = &(*last)->next;
		line->at = layer;
	}
	return first;
}

/* A line of tools instead of argv. */
static struct nl_svc *expansion(struct nl_svc *s, char **argv, struct line *line)
{
	const struct nl_layer *layer = line->at;
	line->err->msg[0] = '\0';
	char **words = s->layer->expand(s, argv, line->err);
	struct nl_svc *inner = words ? service(words, line) : NULL;
	line->at = inner ? line->at : layer;
	return inner;
}

static struct nl_svc *build(const struct nl_layer *layer, char **argv, struct line *line)
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
	if (s->events && !(s->sink = nl_sink_parse(s->events, NL_EMIT, &why))) {
		nl_fail(line->err, "--events: %.200s", why.msg);
		goto fail;
	}
	if (s->events)
		line->events = s->events;
	if (*argv && !strcmp(*argv, "--"))
		argv++;
	s->cmd = layer->name;
	if (!s->prints && !layer->leaf && !*argv) {
		nl_fail(line->err, "missing COMMAND");
		goto fail;
	}
	if (layer->expand && !s->prints) {
		s->inner = expansion(s, argv, line);
		if (!s->inner && line->err->msg[0])
			goto fail;
	} else if (*argv) {
		s->inner = layer->branches ? branches(argv, line) : service(argv, line);
		if (!s->inner)
			goto fail;
	}
	s->cmd = s->inner ? s->inner->cmd : s->cmd;
	s->id = s->name ? s->name : s->cmd;
	return s;
fail:
	nl_stack_free(s, line->room);
	return NULL;
}

struct nl_svc *nl_stack(const struct nl_layer *first, char **argv, enum nl_stack_way way, struct nl_room *room,
                        const struct nl_layer **at, struct nl_err *err)
{
	struct line line = { .gnu = way == NL_STACK_GNU, .shallow = way == NL_STACK_NESTED, .room = room, .err = err };
	struct nl_svc *s = build(first, argv, &line);
	*at = line.at;
	return s;
}

void nl_stack_free(struct nl_svc *s, const struct nl_room *room)
{
	while (s) {
		struct nl_svc *inner = s->inner, *next = s->next;
		if (next && inner)
			nl_stack_free(inner, room);
		inner = next ? next : inner;
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
