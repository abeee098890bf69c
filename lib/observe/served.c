/* SPDX-License-Identifier: Apache-2.0 */
/*
 * served.c - one request, answered: by what is known, or, where that is not
 * enough, by the recent events.
 */
#include "observe/serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WORDS = 8, WORD = 600, ANSWER_MAX = 12 << 20 };

struct request {
	char word[WORDS][WORD], *arg[WORDS + 1];
	unsigned words;
	char window[32], by[32], from[40], to[40];
	bool text, md;
	const struct nl_query *q;
	int64_t window_us, from_us, to_us;
};

static int read_words(struct nl_ctx *c, struct request *r)
{
	int at = nl_json_get(c->text, c->tok, c->args, "words");
	if (at < 0)
		return 0;
	if (c->tok[at].type != NL_JSON_ARRAY || c->tok[at].size > WORDS)
		return nl_refuse(c, NL_INVALID_ARGS, "words", "words: not a list of at most %d", WORDS);
	for (unsigned k = (unsigned)at + 1; k < c->tok[at].next; k = c->tok[k].next)
		if (nl_json_string(c->text, &c->tok[k], r->word[r->words++], WORD) < 0)
			return nl_refuse(c, NL_INVALID_ARGS, "words", "words: not texts of less than %d bytes", WORD);
	return 0;
}

static int read_args(struct nl_ctx *c, struct request *r)
{
	const struct { const char *name; char *to; size_t size; } texts[] = {
		{ "window", r->window, sizeof r->window }, { "by", r->by, sizeof r->by }, { "from", r->from, sizeof r->from }, { "to", r->to, sizeof r->to },
	};
	char key[16];
	for (unsigned k = (unsigned)c->args + 1; k < c->tok[c->args].next; k = c->tok[k + 1].next) {
		unsigned i = 0;
		if (nl_json_string(c->text, &c->tok[k], key, sizeof key) < 0)
			strcpy(key, "a long name");
		while (i < 4 && strcmp(texts[i].name, key))
			i++;
		bool flag = !strcmp(key, "text") || !strcmp(key, "md");
		if (i == 4 && !flag && strcmp(key, "words"))
			return nl_refuse(c, NL_INVALID_ARGS, key, "%s: %s: no argument of a query", c->name, key);
		if (i < 4 ? !nl_arg_str(c, key, texts[i].to, texts[i].size) : flag && c->tok[k + 1].type != NL_JSON_TRUE && c->tok[k + 1].type != NL_JSON_FALSE)
			return nl_refuse(c, NL_INVALID_ARGS, key, "%s: %s: of the wrong type, or too long", c->name, key);
	}
	r->text = nl_arg_is(c, "text"), r->md = nl_arg_is(c, "md");
	return read_words(c, r);
}

static int read_moment(struct nl_ctx *c, const char *key, const char *text, int64_t *us)
{
	*us = *text ? nl_moment_read(text, c->run) : 0;
	return *us >= 0 ? 0 : nl_refuse(c, NL_INVALID_ARGS, key, "%s: '%.40s': no time", key, text);
}

/* Which query, with which words: asof takes the time and names another. */
static int find_query(struct nl_ctx *c, struct request *r)
{
	const char *name = c->name;
	unsigned first = 0;
	struct nl_err err = { "" };
	if (!strcmp(name, nl_q_asof.name)) {
		snprintf(r->to, sizeof r->to, "%.39s", r->words ? r->word[0] : "");
		name = r->words > 1 ? r->word[1] : nl_q_summary.name;
		first = r->words > 1 ? 2 : 1;
		if (!r->words)
			return nl_refuse(c, NL_INVALID_ARGS, "words", "asof: missing TIME");
	}
	r->q = nl_query_of(name);
	if (!r->q || r->q == &nl_q_asof || r->q == &nl_q_serve)
		return nl_refuse(c, NL_NOT_FOUND, name, "%.40s: no query of this server", name);
	unsigned n = r->words - first;
	if (n < r->q->least || n > r->q->most)
		return nl_refuse(c, NL_INVALID_ARGS, "words", "%s: %s (%s %s)", r->q->name, n < r->q->least ? "missing operand" : "too many operands",
		                 r->q->name, r->q->args);
	for (unsigned i = 0; i < n; i++)
		r->arg[i] = r->word[first + i];
	r->words = n;
	if (r->q == &nl_q_diff && nl_moment_read(r->arg[0], c->run) < 0)
		return nl_refuse(c, NL_INVALID_ARGS, "words", "diff: '%.40s': no time; a server reads no files for others", r->arg[0]);
	if (r->window[0] && (r->window_us = nl_window_read(r->window, &err)) < 0)
		return nl_refuse(c, NL_INVALID_ARGS, "window", "window: %s", err.msg);
	return read_moment(c, "from", r->from, &r->from_us) < 0 ? -1 : read_moment(c, "to", r->to, &r->to_us);
}

/* What --json printed, as a list; what is no JSON, as text. */
static void put_lines(struct nl_out *o, const char *text, size_t n)
{
	size_t before = o->n;
	nl_out_begin(o, "lines", '[');
	for (const char *at = text, *end; at < text + n; at = end + 1) {
		struct nl_json_tok one;
		end = memchr(at, '\n', (size_t)(text + n - at));
		end = end ? end : text + n;
		int r = nl_json_parse(at, (size_t)(end - at), &one, 1, NULL);
		if (r != 1 && r != -2) {
			o->n = before;
			nl_out_strn(o, "text", text, n);
			return;
		}
		nl_out_raw(o, NULL, at, (size_t)(end - at));
	}
	nl_out_end(o, ']');
}

static void put_answer(struct nl_ctx *c, const struct request *r, struct nl_ask *ask, const struct nl_recent *recent)
{
	struct nl_out text;
	struct nl_err err = { "" };
	nl_out_init(&text, ANSWER_MAX);
	int status = r->q->answer(ask, &text, &err);
	if (text.lost)
		status = nl_fail(&err, "the answer is too long");
	if (status < 0 || err.msg[0]) {
		nl_refuse(c, status < 0 ? NL_INVALID_ARGS : NL_NOT_FOUND, r->q->name, "%s", err.msg);
	} else {
		struct nl_out *o = nl_reply(c, "value");
		nl_out_begin(o, "value", '{');
		nl_out_int(o, "status", status);
		if (recent && recent->dropped)
			nl_out_bool(o, "recent_only", true);
		if (r->text)
			nl_out_strn(o, "text", text.buf ? text.buf : "", text.n);
		else
			put_lines(o, text.buf ? text.buf : "", text.n);
		nl_out_end(o, '}');
	}
	nl_out_free(&text);
}

/* A query that listens hears the recent events, and then is asked. */
static void ask_again(struct nl_ctx *c, const struct request *r, struct nl_ask *ask, struct nl_intake *in, const struct nl_recent *recent)
{
	nl_recent_feed(recent, in);
	ask->system = in->system;
	if (r->to_us)
		ask->now_us = r->to_us;
	put_answer(c, r, ask, recent);
}

static void answer(struct nl_ctx *c, const struct request *r, const struct nl_ask *of, const struct nl_recent *recent)
{
	struct nl_err err = { "" };
	struct nl_paper paper = { .now = c->run->os->clock(CLOCK_REALTIME) };
	struct nl_intake in = {
		.run = c->run, .system = nl_system_new((struct nl_system_cfg){ .late_us = INT64_MAX, .skew_us = INT64_MAX }),
		.from_us = r->from_us, .to_us = r->to_us,
	};
	struct nl_ask ask = {
		.run = c->run, .system = of->system, .arg = (char **)r->arg, .args = r->words, .window_us = r->window_us, .by = r->by[0] ? r->by : NULL,
		.json = !r->text, .md = r->md, .live = true, .past = r->from_us || r->to_us, .paper = &paper, .now_us = paper.now / NL_US,
	};
	if (!in.system)
		nl_refuse(c, NL_INTERNAL, NULL, "out of memory");
	else if (r->q->begin && r->q->begin(&ask, &in, &err) < 0)
		nl_refuse(c, NL_INVALID_ARGS, r->q->name, "%s", err.msg);
	else if (in.listeners || r->from_us || r->to_us)
		ask_again(c, r, &ask, &in, recent);
	else
		put_answer(c, r, &ask, NULL);
	if (r->q->end)
		r->q->end(&ask);
	nl_system_free(in.system);
}

bool nl_serve_answer(struct nl_ctx *c, const struct nl_ask *of, const struct nl_recent *recent, const char *text, size_t n)
{
	struct request *r = calloc(1, sizeof *r);
	bool subscribes = false;
	nl_out_init(&c->reply, NL_RESULT_MAX);
	if (!r)
		nl_refuse(c, NL_INTERNAL, NULL, "out of memory");
	else if (nl_request_read(c, text, n) < 0 || read_args(c, r) < 0)
		;                               // It was refused.
	else if (!strcmp(c->name, "subscribe"))
		subscribes = nl_reply(c, "ack");
	else if (find_query(c, r) == 0)
		answer(c, r, of, recent);
	if (c->reply.lost)
		nl_refuse(c, NL_INTERNAL, NULL, "the result is too large");
	nl_out_end(&c->reply, '}');
	free(r);
	return subscribes;
}
