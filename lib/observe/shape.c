/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shape.c - shapes, as a tree: a node is a literal and the value behind it.
 *
 *   {"nl":1,"time":" TIME            the head is the same in all
 *   ","event":"nl.request.success","sev":9,"policy":" POLICY     a sort: found by hash
 *     ","kind":" KIND
 *       ","trace_id":" TRACE
 *         ","span_id":" ID
 *           ","parent_id":" ID …     children of a node are tried in turn,
 *           ","run":" ID …           the newest first
 *
 * Literals are bytes of a line that was an event, with no bracket in them but the
 * outermost; values have no quotes and no brackets.  So what fits is JSON, has the
 * same keys, each once, and no second mark.  Lists, objects, escapes and text
 * beyond ASCII fit nothing: they are rare, and the reference reads them.
 *
 * A log of ever new shapes fills the tree, which is then learned anew.
 */
#include "observe/shape.h"

#include "json.h"
#include "mut.h"
#include "observe/factkey.h"
#include "observe/scan.h"

#include <stdio.h>
#include <stdlib.h>

#define HEAD NL_MARK "\"time\":\""
#define NODES 1024
#define SORTS 64
#define BUCKETS 64
#define REST 64                         /* most lines that are not learned from, after lines that taught nothing */
#define LEAST 80                        /* no event is shorter, and the head is within */

enum { TIME_AT = 16, EVENT_AT = 43 };   /* {"nl":1,"time":"2026-11-23T07:15:00.000123Z","event":" */
enum { SECOND = 20 };                   /* of the time, with its point */

/* Behind the forms of factkey.h, which have their order from there. */
enum { SKIP_TEXT = NL_V_SECONDS + 1, SKIP_NUMBER, THE_END };

struct node {
	struct node *next, *child;
	int64_t most;
	unsigned short at;              /* in the fact */
	unsigned char form;
	struct literal literal;
};

struct sort {
	struct literal literal;         /* up to the policy */
	enum nl_told told;
	int sev;
	unsigned event, event_n;        /* in the literal */
	struct sort *next;
	struct node *child;
};

struct nl_shapes {
	char second[SECOND];            /* of the last time, 2026-11-23T07:15:00. */
	int64_t second_us;
	uint64_t missed;
	unsigned nnodes, nsorts;
	unsigned idle, rest;            /* lines in a row that taught nothing; that are not learned from */
	struct sort *bucket[BUCKETS];
	struct sort sort[SORTS];
	struct node node[NODES];
};

struct nl_shapes *nl_shapes_new(void)
{
	return calloc(1, sizeof(struct nl_shapes));
}

void nl_shapes_free(struct nl_shapes *s)
{
	free(s);
}

uint64_t nl_shapes_missed(const struct nl_shapes *s)
{
	return s->missed;
}

static struct sort **bucket(struct nl_shapes *s, const char *line)
{
	uint64_t a, b;
	const char *name = line + EVENT_AT + strlen("\",\"event\":\"nl.");
	memcpy(&a, name, 8);
	memcpy(&b, name + 8, 8);
	return &s->bucket[((a ^ b * 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu) >> 58];
}

/* 27 bytes of time, -1: they are none. */
static int64_t time_of(struct nl_shapes *s, const char *p)
{
	if (memcmp(p, s->second, SECOND) != 0) {
		int64_t us = nl_time_read(p, 27);
		if (us < 0 || p[19] != '.')
			return -1;
		memcpy(s->second, p, SECOND);
		s->second_us = us - (int64_t)number8(p + 20, 6);
		return us;
	}
	return digits(p + 20) == 6 && p[26] == 'Z' ? s->second_us + (int64_t)number8(p + 20, 6) : -1;
}

/* Length of a whole number without a zero in front; 0: it is none. */
static inline unsigned whole(const char *p)
{
	unsigned n = digits(p);
	return n > 1 && *p == '0' && !MUTANT(ZERO_IN_FRONT) ? 0 : n;
}

/* The value of a node; NULL: it may not be that.  Else what is behind it. */
static inline const char *value(const struct node *node, struct nl_fact *f, const char *p)
{
	void *at = (char *)f + node->at;
	uint64_t *id = at, v;
	struct nl_quote *text = at;
	size_t n;

	switch (node->form) {
	case NL_V_KIND:
		n = letters(p, LETTERS_KIND);
		*text = (struct nl_quote){ p, (unsigned)n };
		return n == 0 || n > 16 ? NULL : p + n;
	case NL_V_WORD:
		n = letters(p, LETTERS_WORD);
		*text = (struct nl_quote){ p, (unsigned)n };
		return n == 0 || n > 32 ? NULL : p + n;
	case NL_V_TEXT:
		n = letters(p, LETTERS_TEXT);
		*text = (struct nl_quote){ p, (unsigned)n };
		return p + n;
	case SKIP_TEXT:
		return p + letters(p, LETTERS_TEXT);
	case NL_V_TRACE:
		return hex16(p, id) && hex16(p + 16, id + 1) ? p + 32 : NULL;
	case NL_V_ID:
		return hex16(p, id) ? p + 16 : NULL;
	case NL_V_WHOLE:
		if ((n = whole(p)) == 0 || (v = number16(p, (unsigned)n)) > (uint64_t)node->most)
			return NULL;
		*id = v;
		return p + n;
	case NL_V_WHOLE32:
		if ((n = whole(p)) == 0 || (v = number16(p, (unsigned)n)) > (uint64_t)node->most)
			return NULL;
		*(uint32_t *)at = (uint32_t)v;
		return p + n;
	case NL_V_SECONDS:
		if ((n = whole(p)) == 0 || n > 8 || p[n] != '.' || digits(p + n + 1) != 6)
			return NULL;
		*id = number8(p, (unsigned)n) * 1000000 + number8(p + n + 1, 6);
		return p + n + 7;
	case SKIP_NUMBER:
		if ((n = whole(p)) == 0)
			return NULL;
		p += n;
		n = *p == '.' ? digits(p + 1) : 0;
		return *p != '.' ? p : n == 0 ? NULL : p + 1 + n;
	default:                        // THE_END
		return p;
	}
}

/* An event begins at line, and at least LEAST bytes of it are there: what is behind it.  NULL: it fits no shape. */
static const char *fits(struct nl_shapes *s, struct nl_fact *f, const char *line)
{
	if (memcmp(line, HEAD, TIME_AT) != 0)
		return NULL;
	const struct sort *sort = *bucket(s, line);
	while (sort && !is_literal(line + EVENT_AT, &sort->literal))
		sort = sort->next;
	if (!sort)
		return NULL;
	const char *p = line + EVENT_AT + sort->literal.n;
	size_t n = letters(p, LETTERS_POLICY);
	copy(f, &nl_no_fact, sizeof *f);
	f->time_us = time_of(s, line + TIME_AT);
	if (f->time_us < 0 || n == 0 || n > 64)
		return NULL;
	f->line.s = line;
	f->event = (struct nl_quote){ line + EVENT_AT + sort->event, sort->event_n };
	f->told = sort->told, f->sev = sort->sev;
	f->policy = (struct nl_quote){ p, (unsigned)n };
	p += n;
	for (const struct node *node = sort->child; ; node = node->child) {
		while (node && !is_literal(p, &node->literal))
			node = node->next;
		if (!node || !(p = value(node, f, p + node->literal.n)))
			return NULL;
		if (node->form == THE_END)
			break;
	}
	f->line.n = (unsigned)(p - line);
	return p - line < NL_FACT_MAX ? p : NULL;
}

static bool set_literal(struct literal *l, const char *s, size_t n)
{
	if (n > LITERAL_MAX || memchr(s, '\n', n))
		return false;
	*l = (struct literal){ .n = (unsigned)n, .mask = n < 16 ? (1u << n) - 1 : 0xffff };
	memcpy(l->s, s, n);
	return true;
}

static bool same_literal(const struct literal *l, const char *s, size_t n)
{
	return l->n == n && memcmp(l->s, s, n) == 0;
}

static void forget(struct nl_shapes *s)
{
	memset(s->bucket, 0, sizeof s->bucket);
	s->nnodes = s->nsorts = 0;
}

/* The child with this literal and value, made if there is none; NULL: it cannot be. */
static struct node *child(struct nl_shapes *s, struct node **list, const char *literal, size_t n, unsigned form, const struct nl_fact_key *key)
{
	unsigned short at = key ? key->at : 0;
	for (struct node *node = *list; node; node = node->next)
		if (node->form == form && node->at == at && same_literal(&node->literal, literal, n))
			return node;
	if (s->nnodes == NODES) {
		forget(s);
		return NULL;
	}
	struct node *node = &s->node[s->nnodes];
	if (!set_literal(&node->literal, literal, n))
		return NULL;
	s->nnodes++;
	s->idle = 0;
	node->form = (unsigned char)form, node->at = at, node->most = key ? key->most : 0;
	node->child = NULL, node->next = *list;
	return *list = node;
}

static const struct nl_fact_key *key_of(const char *s, const struct nl_json_tok *tok)
{
	for (unsigned i = 0; i < NL_FACT_KEYS; i++)
		if (nl_fact_keys[i].n == tok->end - tok->start && memcmp(nl_fact_keys[i].name, s + tok->start, nl_fact_keys[i].n) == 0)
			return &nl_fact_keys[i];
	return NULL;
}

/* The sort of an event that begins as ours do. */
static struct sort *sort_of(struct nl_shapes *s, const struct nl_fact *f)
{
	const char *line = f->line.s, *from = line + EVENT_AT;
	char ours[160];
	size_t n = (size_t)snprintf(ours, sizeof ours, "\",\"event\":\"%.*s\",\"sev\":%d,\"policy\":\"", (int)f->event.n, f->event.s, f->sev);

	if (n > LITERAL_MAX || memcmp(line, HEAD, TIME_AT) != 0 || f->policy.s != from + n || memcmp(from, ours, n) != 0)
		return NULL;
	struct sort **list = bucket(s, line), *sort;
	for (sort = *list; sort && !same_literal(&sort->literal, from, n); sort = sort->next)
		;
	if (sort)
		return sort;
	if (s->nsorts == SORTS) {
		forget(s);
		return NULL;
	}
	sort = &s->sort[s->nsorts];
	if (!set_literal(&sort->literal, from, n))
		return NULL;
	s->nsorts++;
	sort->told = f->told, sort->sev = f->sev;
	sort->event = (unsigned)(f->event.s - from), sort->event_n = f->event.n;
	sort->child = NULL, sort->next = *list;
	return *list = sort;
}

/* Learns the shape of a line that is an event. */
static void learn(struct nl_shapes *s, const struct nl_fact *f)
{
	struct nl_json_tok tok[NL_FACT_MAX / 2 + 1];
	const char *line = f->line.s;
	struct sort *sort = sort_of(s, f);
	struct node **list = sort ? &sort->child : NULL, *node;
	unsigned at = sort ? (unsigned)(f->policy.s - line) + f->policy.n : 0;

	s->rest = s->idle < REST ? s->idle++ : REST;
	if (!sort || nl_json_parse(line, f->line.n, tok, sizeof tok / sizeof *tok, NULL) < 0)
		return;
	for (unsigned k = 1; k < tok->next; k = tok[k + 1].next) {
		const struct nl_json_tok *v = &tok[k + 1];
		const struct nl_fact_key *key = key_of(line, &tok[k]);
		if (v->type >= NL_JSON_ARRAY)
			return;
		if (v->start < at || v->type < NL_JSON_NUMBER)
			continue;               // In the sort's literal, or true, false, null: in the next one.
		unsigned form = key ? key->form : v->type == NL_JSON_STRING ? SKIP_TEXT : SKIP_NUMBER;
		node = child(s, list, line + at, v->start - at, form, key);
		if (!node)
			return;
		list = &node->child;
		at = v->end;
	}
	child(s, list, line + at, f->line.n - at, THE_END, NULL);
}

const char *nl_shapes_line(struct nl_shapes *s, struct nl_fact *f, const char *text, const char *end)
{
	const char *p = end - text >= LEAST ? fits(s, f, text) : NULL;
	return p && p < end && *p == '\n' ? p : NULL;
}

enum nl_line nl_shapes_read(struct nl_shapes *s, struct nl_fact *f, const char *text, size_t n, char room[NL_FACT_MAX])
{
	static const char mark[] = NL_MARK;
	const char *end = text + n, *at = n >= LEAST && memcmp(text, mark, strlen(mark)) != 0 ? memmem(text, n, mark, strlen(mark)) : text;

	const char *p = at && end - at >= LEAST ? fits(s, f, at) : NULL;
	if (p && (p == end || !memchr(p, '{', (size_t)(end - p)) || MUTANT(FIRST_OF_GLUED)))
		return NL_LINE_OK;
	s->missed++;
	enum nl_line line = nl_fact_read(f, text, n, room);
	if (line == NL_LINE_OK && s->rest > 0)
		s->rest--;
	else if (line == NL_LINE_OK && f->line.s != room)
		learn(s, f);
	return line;
}
