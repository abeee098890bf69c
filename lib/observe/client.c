/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - nl-observe --socket: the command line as a request, the result as that query's output. */
#include "observe/observe.h"
#include "observe/serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS_MAX = 1 << 21 };

/* An option as an argument: a list, true, or text. */
static void put_option(struct nl_out *o, const struct nl_observe_opts *l, const struct nl_opt *opt)
{
	const void *field = (const char *)l + opt->offset;
	const struct nl_list *list = field;
	char value[64];
	if (opt->type == NL_LIST) {
		nl_out_begin(o, opt->name, '[');
		for (unsigned i = 0; i < list->n; i++)
			nl_out_str(o, NULL, list->text[i]);
		nl_out_end(o, ']');
	} else if (opt->type == NL_FLAG) {
		nl_out_bool(o, opt->name, true);
	} else if (opt->type == NL_STR) {
		nl_out_str(o, opt->name, *(const char *const *)field);
	} else {
		nl_opt_value(&l->svc, opt, value, sizeof value);
		nl_out_str(o, opt->name, value);
	}
}

static void put_request(struct nl_out *o, const struct nl_observe_opts *l)
{
	const struct nl_opt *opt = NULL;
	nl_out_begin(o, NULL, '{');
	nl_out_str(o, "id", "1");
	nl_out_str(o, "cmd", l->query->name);
	nl_out_begin(o, "args", '{');
	nl_out_begin(o, "words", '[');
	for (unsigned i = 0; i < l->words; i++)
		nl_out_str(o, NULL, l->word[i]);
	nl_out_end(o, ']');
	while ((opt = nl_opt_next(&nl_observe, opt)))
		if (nl_is_asked(opt) && nl_opt_given(&l->svc, opt))
			put_option(o, l, opt);
	nl_out_bool(o, "text", !l->json);
	nl_out_put(o, "}}");
}

/* What is the server's business, or has no end. */
static int refuse_others(const struct nl_observe_opts *l, struct nl_err *err)
{
	static const char *const ours[] = { "socket", "json", "once", "out" };
	if (l->sources)
		return nl_fail(err, "--socket: the server has its sources; none is read here (%.80s)", l->word[l->words]);
	for (const struct nl_opt *opt = NULL; (opt = nl_opt_next(&nl_observe, opt)); ) {
		bool fine = opt->type == NL_ACTION || nl_is_asked(opt) || !nl_opt_given(&l->svc, opt);
		for (unsigned i = 0; i < sizeof ours / sizeof *ours; i++)
			fine |= !strcmp(opt->name, ours[i]);
		if (!fine)
			return nl_fail(err, "--socket: a server answers once, from what it reads: not with --%s", opt->name);
	}
	if (l->query->live && !l->once)
		return nl_fail(err, "--socket: a server answers once: %s only with --once", l->query->name);
	return 0;
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
	int m = nl_json_get(reply->buf, tok, value, "message");
	if (m >= 0)
		nl_json_string(reply->buf, &tok[m], err->msg, sizeof err->msg);
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
	if (refuse_others(l, err) < 0)
		return -1;
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
