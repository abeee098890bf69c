/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - nl-observe --socket: the command line as a request, the result as that query's output. */
#include "observe/observe.h"
#include "observe/serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS_MAX = 1 << 21 };

static void put_request(struct nl_out *o, const struct nl_observe_opts *l)
{
	char window[40];
	nl_out_begin(o, NULL, '{');
	nl_out_str(o, "id", "1");
	nl_out_str(o, "cmd", l->query->name);
	nl_out_begin(o, "args", '{');
	nl_out_begin(o, "words", '[');
	for (unsigned i = 0; i < l->words; i++)
		nl_out_str(o, NULL, l->word[i]);
	nl_out_end(o, ']');
	if (l->window.given) {
		snprintf(window, sizeof window, "%lld.%06llds", (long long)(l->window.ns / NL_SEC), (long long)(l->window.ns % NL_SEC / NL_US));
		nl_out_str(o, "window", window);
	}
	const struct { const char *key, *value; } texts[] = { { "by", l->by }, { "from", l->from }, { "to", l->to } };
	for (unsigned i = 0; i < 3; i++)
		if (texts[i].value)
			nl_out_str(o, texts[i].key, texts[i].value);
	nl_out_bool(o, "text", !l->json);
	if (l->md)
		nl_out_bool(o, "md", true);
	nl_out_put(o, "}}");
}

/* Tokens of a whole result; NULL: it is none. */
static struct nl_json_tok *tokens(const struct nl_out *reply)
{
	for (unsigned max = 4096; max <= TOKENS_MAX; max *= 8) {
		struct nl_json_tok *tok = malloc(max * sizeof *tok);
		int r = tok ? nl_json_parse(reply->buf, reply->n, tok, max, NULL) : -1;
		if (r > 0 && tok[0].type == NL_JSON_OBJECT)
			return tok;
		free(tok);
		if (r != -2)
			break;
	}
	return NULL;
}

static int take_error(const struct nl_out *reply, const struct nl_json_tok *tok, struct nl_err *err)
{
	char kind[24] = "", message[sizeof err->msg];
	int at = nl_json_get(reply->buf, tok, 0, "message"), f = nl_json_get(reply->buf, tok, 0, "failure");
	int k = f >= 0 && tok[f].type == NL_JSON_OBJECT ? nl_json_get(reply->buf, tok, f, "kind") : -1;
	if (at < 0 || nl_json_string(reply->buf, &tok[at], message, sizeof message) < 0)
		strcpy(message, "the server refused");
	if (k >= 0)
		nl_json_string(reply->buf, &tok[k], kind, sizeof kind);
	nl_fail(err, "%s", message);
	return strcmp(kind, nl_failure_name(NL_NOT_FOUND)) ? -1 : 1;
}

static int take_value(const struct nl_out *reply, const struct nl_json_tok *tok, struct nl_out *out, struct nl_err *err)
{
	int64_t status;
	int value = nl_json_get(reply->buf, tok, 0, "value");
	bool is = value >= 0 && tok[value].type == NL_JSON_OBJECT;
	int s = is ? nl_json_get(reply->buf, tok, value, "status") : -1, t = is ? nl_json_get(reply->buf, tok, value, "text") : -1;
	int lines = is ? nl_json_get(reply->buf, tok, value, "lines") : -1;
	if (s < 0 || !nl_json_integer(reply->buf, &tok[s], &status) || (t < 0 && lines < 0))
		return nl_fail(err, "the server's answer is none");
	if (t >= 0)
		return nl_serve_text(out, reply->buf, &tok[t]) ? (int)status : nl_fail(err, "the server's answer is none");
	for (unsigned k = (unsigned)lines + 1; k < tok[lines].next; k = tok[k].next) {
		nl_out_bytes(out, reply->buf + tok[k].start, tok[k].end - tok[k].start);
		nl_out_bytes(out, "\n", 1);
	}
	return (int)status;
}

int nl_observe_ask(const struct nl_observe_opts *l, struct nl_run *run, struct nl_out *out, struct nl_err *err)
{
	struct nl_out request, reply;
	struct nl_json_tok *tok = NULL;
	if (l->sources)
		return nl_fail(err, "--socket: the server has its sources; none is read here (%.80s)", l->word[l->words]);
	if (l->follow || l->stats || l->snapshot || (l->query->live && !l->once))
		return nl_fail(err, "--socket: answers once: not with --follow, --stats, --snapshot or top without --once");
	nl_out_init(&request, NL_REQUEST_MAX);
	nl_out_init(&reply, NL_RESULT_MAX);
	put_request(&request, l);
	int r = nl_serve_ask(run, l->socket, request.buf, request.n, &reply, err);
	if (r == 0 && !(tok = tokens(&reply)))
		r = nl_fail(err, "%.110s: the server's answer is none", l->socket);
	if (r == 0 && tok)
		r = nl_json_get(reply.buf, tok, 0, "failure") >= 0 ? take_error(&reply, tok, err) : take_value(&reply, tok, out, err);
	free(tok);
	nl_out_free(&request);
	nl_out_free(&reply);
	return r;
}
