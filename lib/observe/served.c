/* SPDX-License-Identifier: Apache-2.0 */
/*
 * served.c - one request, answered: by what is known, or, where that is not
 * enough, by the recent events.
 */
#include "observe/observe.h"
#include "observe/serve.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WORDS = 8, ANSWER_MAX = 12 << 20 };

struct request {
	struct nl_observe_opts l;       /* as if it had been a command line */
	char *word[WORDS], *arg[WORDS + 1];
	unsigned words;
	bool text;
	const struct nl_query *q;
	int64_t window_us, from_us, to_us;
	char *room;                     /* for its texts, as long as the request */
};

/* A string of the request, for as long as that lives.  NULL: it is none, or has a NUL. */
static char *text_of(struct nl_ctx *c, struct request *r, unsigned k, size_t all)
{
	char *text = r->room;
	int n = nl_json_string(c->text, &c->tok[k], text, all + 1);
	if (n < 0 || strlen(text) != (size_t)n)
		return NULL;
	r->room += n + 1;
	return text;
}

static int read_words(struct nl_ctx *c, struct request *r, unsigned at, size_t n)
{
	if (c->tok[at].type != NL_JSON_ARRAY || c->tok[at].size > WORDS)
		return nl_refuse(c, NL_INVALID_ARGS, "words", "words: not a list of at most %d", WORDS);
	for (unsigned k = at + 1; k < c->tok[at].next; k = c->tok[k].next)
		if (!(r->word[r->words++] = text_of(c, r, k, n)))
			return nl_refuse(c, NL_INVALID_ARGS, "words", "words: not a list of texts");
	return 0;
}

static int set_option(struct nl_ctx *c, struct request *r, const char *key, unsigned k, size_t n)
{
	struct nl_err err;
	bool flag = c->tok[k].type == NL_JSON_TRUE || c->tok[k].type == NL_JSON_FALSE;
	const char *value = flag ? NULL : text_of(c, r, k, n);
	if (c->tok[k].type == NL_JSON_FALSE)
		return 0;
	if (!flag && !value)
		return nl_refuse(c, NL_INVALID_ARGS, key, "%s: %s: of the wrong type", c->name, key);
	return nl_opt_set(&r->l.svc, key, value, &err) < 0 ? nl_refuse(c, NL_INVALID_ARGS, key, "%s: %s", c->name, err.msg) : 0;
}

/* An argument of the name of an option is that option; a list, several times. */
static int read_arg(struct nl_ctx *c, struct request *r, const char *key, unsigned k, size_t n)
{
	const struct nl_opt *o = NULL;
	bool flag = c->tok[k].type == NL_JSON_TRUE || c->tok[k].type == NL_JSON_FALSE;
	if (nl_json_get(c->text, c->tok, c->args, key) != (int)k)
		return nl_refuse(c, NL_INVALID_ARGS, key, "%s: %s: twice", c->name, key);
	if (!strcmp(key, "words"))
		return read_words(c, r, k, n);
	if (!strcmp(key, "text") && flag)
		return r->text = c->tok[k].type == NL_JSON_TRUE, 0;
	while ((o = nl_opt_next(&nl_observe, o)) && (!nl_is_asked(o) || strcmp(o->name, key)))
		;
	if (!o)
		return nl_refuse(c, NL_INVALID_ARGS, key, "%s: %s: no argument of a query", c->name, key);
	if (flag != (o->type == NL_FLAG) || (c->tok[k].type == NL_JSON_ARRAY && o->type != NL_LIST))
		return nl_refuse(c, NL_INVALID_ARGS, key, "%s: %s: of the wrong type", c->name, key);
	if (c->tok[k].type != NL_JSON_ARRAY)
		return set_option(c, r, key, k, n);
	for (unsigned i = k + 1; i < c->tok[k].next; i = c->tok[i].next)
		if (set_option(c, r, key, i, n) < 0)
			return -1;
	return 0;
}

static int read_args(struct nl_ctx *c, struct request *r, size_t n)
{
	char key[16];
	for (unsigned k = (unsigned)c->args + 1; k < c->tok[c->args].next; k = c->tok[k + 1].next) {
		if (nl_json_string(c->text, &c->tok[k], key, sizeof key) < 0)
			strcpy(key, "a long name");
		if (read_arg(c, r, key, k + 1, n) < 0)
			return -1;
	}
	r->window_us = r->l.what.window.ns / NL_US;
	return nl_asked_window_fits(&r->l.what) ? 0 : nl_refuse(c, NL_INVALID_ARGS, "window", "%s: window: from 1s to 15m", c->name);
}

static int read_moment(struct nl_ctx *c, const char *key, const char *text, int64_t *us)
{
	*us = text ? nl_moment_read(text, c->run->os->clock(CLOCK_REALTIME) / NL_US) : 0;
	return *us >= 0 ? 0 : nl_refuse(c, NL_INVALID_ARGS, key, "%s: '%.40s': no time", key, text);
}

/* Which query, with which words: asof takes the time and names another. */
static int find_query(struct nl_ctx *c, struct request *r)
{
	const char *name = c->name;
	unsigned first = 0;
	if (!strcmp(name, nl_q_asof.name)) {
		if (!r->words)
			return nl_refuse(c, NL_INVALID_ARGS, "words", "asof: missing TIME");
		r->l.what.to = r->word[0];
		name = r->words > 1 ? r->word[1] : nl_q_summary.name;
		first = r->words > 1 ? 2 : 1;
	}
	r->q = nl_query_of(name);
	if (!r->q || r->q == &nl_q_asof || r->q == &nl_q_serve)
		return nl_refuse(c, NL_NOT_FOUND, name, "%.40s: no query of this server", name);
	unsigned n = r->words - first;
	if (n < r->q->least || n > r->q->most)
		return nl_refuse(c, NL_INVALID_ARGS, "words", "%s: %s (%s %s)", r->q->name, n < r->q->least ? "missing operand" : "too many operands",
		                 r->q->name, r->q->args);
	if (r->window_us && !r->q->windowed)
		return nl_refuse(c, NL_INVALID_ARGS, "window", "%s: has no window", name);
	memcpy(r->arg, r->word + first, n * sizeof *r->arg);
	r->words = n;
	if (r->q == &nl_q_diff && nl_moment_read(r->arg[0], 0) < 0 && !nl_moment_is_relative(r->arg[0]))
		return nl_refuse(c, NL_INVALID_ARGS, "words", "diff: '%.40s': no time; a server reads no files for others", r->arg[0]);
	return read_moment(c, "from", r->l.what.from, &r->from_us) < 0 ? -1 : read_moment(c, "to", r->l.what.to, &r->to_us);
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

static void put_answer(struct nl_ctx *c, const struct request *r, struct nl_ask *ask)
{
	struct nl_out text;
	struct nl_err err = { "" };
	nl_out_init(&text, ANSWER_MAX);
	int status = r->q->answer(ask, &text, &err);
	if (text.lost)
		status = nl_fail(&err, "the answer is too long");
	if (status < 0 || (status == 1 && err.msg[0] && !text.n)) {
		nl_refuse(c, status < 0 ? NL_INVALID_ARGS : NL_NOT_FOUND, r->q->name, "%s", err.msg);
	} else {
		struct nl_out *o = nl_reply(c, "value");
		nl_out_begin(o, "value", '{');
		nl_out_int(o, "status", status);
		if (err.msg[0])
			nl_out_str(o, "message", err.msg);
		if (r->text)
			nl_out_strn(o, "text", text.buf ? text.buf : "", text.n);
		else
			put_lines(o, text.buf ? text.buf : "", text.n);
		nl_out_end(o, '}');
	}
	nl_out_free(&text);
}

/* By the events themselves, if those that it is about are all here. */
static void ask_again(struct nl_ctx *c, const struct request *r, struct nl_ask *ask, struct nl_intake *in, const struct nl_recent *recent)
{
	char time[28];
	if (nl_recent_lacks(recent, ask->system)) {
		nl_refuse(c, NL_INVALID_ARGS, r->q->name, "%s: a snapshot among the sources has counts, but no events", r->q->name);
		return;
	}
	if (recent->gone && r->from_us <= recent->gone_us) {
		nl_refuse(c, NL_INVALID_ARGS, "from", "%s: earlier events are not here any more: ask --from %s or later", r->q->name,
		          nl_time_text((recent->gone_us + 1) * NL_US, time));
		return;
	}
	nl_recent_feed(recent, in);
	nl_system_copy_foreign(in->system, ask->system);
	ask->system = in->system;
	if (r->to_us)
		ask->now_us = r->to_us;
	put_answer(c, r, ask);
}

static void answer(struct nl_ctx *c, struct request *r, const struct nl_ask *of, const struct nl_recent *recent)
{
	struct nl_err err = { "" };
	struct nl_paper paper = { .now = c->run->os->clock(CLOCK_REALTIME) };
	const struct nl_num *most = &of->opts->max_series;
	struct nl_intake in = {
		.run = c->run, .from_us = r->from_us, .to_us = r->to_us,
		.system = nl_system_new((struct nl_system_cfg){ .late_us = INT64_MAX, .skew_us = INT64_MAX, .series = most->given ? most->n : 0 }),
	};
	struct nl_ask ask = {
		.run = c->run, .system = of->system, .arg = r->arg, .args = r->words, .window_us = r->window_us, .by = r->l.what.by, .json = !r->text,
		.md = r->l.what.md, .live = true, .past = r->from_us || r->to_us, .paper = &paper, .now_us = paper.now / NL_US, .opts = &r->l,
	};
	assert(r->q);                           // find_query has refused others.
	if (!in.system)
		nl_refuse(c, NL_INTERNAL, NULL, "out of memory");
	else if (r->q->begin && r->q->begin(&ask, &in, &err) < 0)
		nl_refuse(c, NL_INVALID_ARGS, r->q->name, "%s", err.msg);
	else if (in.listeners || ask.past)
		ask_again(c, r, &ask, &in, recent);
	else
		put_answer(c, r, &ask);
	if (r->q->end)
		r->q->end(&ask);
	nl_system_free(in.system);
}

bool nl_serve_answer(struct nl_ctx *c, const struct nl_ask *of, const struct nl_recent *recent, const char *text, size_t n)
{
	struct request *r = calloc(1, sizeof *r);
	char *room = malloc(n + 1);
	bool subscribes = false;
	nl_out_init(&c->reply, NL_RESULT_MAX);
	if (!r || !room) {
		nl_refuse(c, NL_INTERNAL, NULL, "out of memory");
	} else {
		r->l.svc.layer = &nl_observe, r->l.once = true, r->room = room;
		if (nl_request_read(c, text, n) < 0 || read_args(c, r, n) < 0)
			;                       // It was refused.
		else if (!strcmp(c->name, "subscribe"))
			subscribes = nl_reply(c, "ack");
		else if (find_query(c, r) == 0)
			answer(c, r, of, recent);
	}
	if (c->reply.lost)
		nl_refuse(c, NL_INTERNAL, NULL, "the result is too large");
	nl_out_end(&c->reply, '}');
	free(room);
	free(r);
	return subscribes;
}
