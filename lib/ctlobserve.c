/* SPDX-License-Identifier: Apache-2.0 */
/* ctlobserve.c - nl-ctl observe: a question to the nl-observe that serves this state. */
#include "ctl.h"
#include "observe/serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOCKET "observe.sock"           /* in the directory of state */

/* The first word is the query. */
static int put_request(struct nl_ctx *c, struct nl_out *o, int words)
{
	char cmd[40];
	unsigned k = (unsigned)words + 1;
	if (c->tok[words].size == 0 || nl_json_string(c->text, &c->tok[k], cmd, sizeof cmd) < 0 || !strcmp(cmd, "subscribe"))
		return nl_refuse(c, NL_INVALID_ARGS, "words", "observe: which query? (nl-observe --help has them)");
	nl_out_begin(o, NULL, '{');
	nl_out_str(o, "id", c->id);
	nl_out_str(o, "cmd", cmd);
	nl_out_begin(o, "args", '{');
	nl_out_begin(o, "words", '[');
	for (k = c->tok[k].next; k < c->tok[words].next; k = c->tok[k].next) {
		if (c->tok[k].type != NL_JSON_STRING)
			return nl_refuse(c, NL_INVALID_ARGS, "words", "observe: words: not a list of texts");
		nl_out_raw(o, NULL, c->text + c->tok[k].start - 1, c->tok[k].end - c->tok[k].start + 2);
	}
	nl_out_end(o, ']');
	for (const struct nl_arg *a = nl_cmd_observe.args; a->name; a++) {
		int at = a->type == NL_JSON_STRING ? nl_json_get(c->text, c->tok, c->args, a->name) : -1;
		if (at >= 0)
			nl_out_raw(o, a->name, c->text + c->tok[at].start - 1, c->tok[at].end - c->tok[at].start + 2);
	}
	nl_out_bool(o, "text", nl_arg_is(c, "text") || !((const struct nl_ctl_line *)c->svc)->json);
	nl_out_put(o, "}}");
	return 0;
}

static void take_error(struct nl_ctx *c, const struct nl_out *reply, const struct nl_json_tok *tok)
{
	char kind[24] = "", message[sizeof c->message];
	enum nl_failure is = NL_INTERNAL;
	int at = nl_json_get(reply->buf, tok, 0, "message"), f = nl_json_get(reply->buf, tok, 0, "failure");
	int k = f >= 0 && tok[f].type == NL_JSON_OBJECT ? nl_json_get(reply->buf, tok, f, "kind") : -1;
	if (at < 0 || nl_json_string(reply->buf, &tok[at], message, sizeof message) < 0)
		strcpy(message, "the observer refused");
	if (k >= 0 && nl_json_string(reply->buf, &tok[k], kind, sizeof kind) > 0)
		for (int i = NL_INVALID_ARGS; i < NL_FAILURES; i++)
			is = strcmp(kind, nl_failure_name((enum nl_failure)i)) ? is : (enum nl_failure)i;
	nl_refuse(c, is, "observe", "observe: %s", message);
}

static void take_answer(struct nl_ctx *c, const struct nl_out *reply)
{
	enum { TOKENS = 1 << 18 };
	struct nl_json_tok *tok = malloc(TOKENS * sizeof *tok);
	int r = tok ? nl_json_parse(reply->buf, reply->n, tok, TOKENS, NULL) : -1;
	int value = r > 0 && tok[0].type == NL_JSON_OBJECT ? nl_json_get(reply->buf, tok, 0, "value") : -1;
	if (r <= 0)
		nl_refuse(c, NL_INTERNAL, "observe", "observe: the answer is no result");
	else if (value < 0)
		take_error(c, reply, tok);
	else
		nl_out_raw(nl_reply(c, "value"), "value", reply->buf + tok[value].start, tok[value].end - tok[value].start);
	free(tok);
}

static void observe_call(struct nl_ctx *c)
{
	char path[PATH_MAX + 16];
	struct nl_out request, reply;
	struct nl_err err;
	int words = nl_json_get(c->text, c->tok, c->args, "words");
	snprintf(path, sizeof path, "%s/" SOCKET, c->root);
	nl_out_init(&request, NL_REQUEST_MAX);
	nl_out_init(&reply, NL_RESULT_MAX);
	if (put_request(c, &request, words) < 0)
		;                               // It was refused.
	else if (nl_serve_ask(c->run, path, request.buf, request.n, &reply, &err) < 0)
		nl_refuse(c, NL_STATE_UNAVAILABLE, "observe", "observe: %s", err.msg);
	else
		take_answer(c, &reply);
	nl_out_free(&request);
	nl_out_free(&reply);
}

static const struct nl_arg args[] = {
	{ "words", NL_JSON_ARRAY, true }, { "window", NL_JSON_STRING, false }, { "by", NL_JSON_STRING, false },
	{ "from", NL_JSON_STRING, false }, { "to", NL_JSON_STRING, false }, { "text", NL_JSON_TRUE, false },
	{ .name = NULL },
};
const struct nl_command nl_cmd_observe = {
	.name = "observe", .usage = "QUERY [WORD]...", .about = "ask the nl-observe that serves there", .args = args, .handler = observe_call,
};
