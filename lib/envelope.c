/* SPDX-License-Identifier: Apache-2.0 */
/*
 * envelope.c - requests and results as JSON: strict, since an argument that is
 * misspelt and dropped would do something else than was asked for.
 */
#include "control.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKENS_MAX 65536

const char *nl_failure_name(enum nl_failure f)
{
	static const char *const names[NL_FAILURES] = {
		[NL_NO_FAILURE] = "none", [NL_INVALID_ARGS] = "invalid_args", [NL_NOT_FOUND] = "not_found", [NL_DENIED] = "denied",
		[NL_CONFLICT] = "conflict", [NL_STATE_UNAVAILABLE] = "unavailable", [NL_INTERNAL] = "internal",
	};
	return names[f];
}

struct nl_out *nl_reply(struct nl_ctx *c, const char *result)
{
	struct nl_out *o = &c->reply;
	nl_out_free(o);
	c->failure = NL_NO_FAILURE, c->message[0] = '\0';
	nl_out_begin(o, NULL, '{');
	if (c->id[0])
		nl_out_str(o, "id", c->id);
	else
		nl_out_raw(o, "id", "null", 4);
	nl_out_str(o, "result", result);
	return o;
}

int nl_refuse(struct nl_ctx *c, enum nl_failure kind, const char *what, const char *fmt, ...)
{
	va_list ap;
	struct nl_out *o = nl_reply(c, "error");
	va_start(ap, fmt);
	vsnprintf(c->message, sizeof c->message, fmt, ap);
	va_end(ap);
	nl_defuse(c->message);
	c->failure = kind;
	nl_out_str(o, "message", c->message);
	nl_out_begin(o, "failure", '{');
	nl_out_str(o, "kind", nl_failure_name(kind));
	if (what && *what)
		nl_out_strn(o, "what", what, 200);
	if (kind == NL_CONFLICT)
		nl_out_uint(o, "gen", c->gen);
	nl_out_end(o, '}');
	return -1;
}

void nl_reply_done(struct nl_ctx *c, const char *result, uint64_t epoch)
{
	struct nl_out *o = nl_reply(c, result);
	nl_out_str(o, "policy", c->target);
	nl_out_uint(o, "gen", c->gen);
	nl_out_uint(o, "epoch", epoch);
}

static bool spelt(const char *text, const char *first, const char *rest, size_t max)
{
	size_t n = strspn(text, rest);
	return *text && strchr(first, *text) && !text[n] && n <= max;
}

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

static bool is_id(const char *s)
{
	return spelt(s, LOWER UPPER DIGIT "._:/-", LOWER UPPER DIGIT "._:/-", 64);
}

static bool is_command(const char *s)
{
	return spelt(s, LOWER, LOWER DIGIT "_-", 32);
}

/* Does the object have these members alone, each once, and of these types?
 * *bad: the first that is wrong, or missing; why: in words. */
struct member { const char *name; enum nl_json_type type; bool required; int at; };

static const char *type_name(enum nl_json_type t)
{
	return t == NL_JSON_STRING ? "a string" : t == NL_JSON_OBJECT ? "an object" : t == NL_JSON_ARRAY ? "a list"
	       : t == NL_JSON_NUMBER ? "a whole number" : "true or false";
}

static bool has_type(const char *text, const struct nl_json_tok *tok, enum nl_json_type want)
{
	int64_t n;
	if (want == NL_JSON_NULL)
		return true;                            // Any.
	if (want == NL_JSON_TRUE)
		return tok->type == NL_JSON_TRUE || tok->type == NL_JSON_FALSE;
	return tok->type == want && (want != NL_JSON_NUMBER || (nl_json_integer(text, tok, &n) && n >= 0));
}

static int check_members(const char *text, const struct nl_json_tok *tok, int obj, struct member *m, unsigned n,
                         struct nl_err *why)
{
	char key[40];
	for (unsigned i = 0; i < n; i++)
		m[i].at = -1;
	for (unsigned k = (unsigned)obj + 1; k < tok[obj].next; k = tok[k + 1].next) {
		unsigned i = 0;
		if (nl_json_string(text, &tok[k], key, sizeof key) < 0)
			i = n, snprintf(key, sizeof key, "a long name");
		while (i < n && strcmp(m[i].name, key))
			i++;
		if (i == n)
			return nl_fail(why, "%s: unknown field", key);
		if (m[i].at >= 0)
			return nl_fail(why, "%s: twice", key);
		if (!has_type(text, &tok[k + 1], m[i].type))
			return nl_fail(why, "%s: not %s", key, type_name(m[i].type));
		m[i].at = (int)k + 1;
	}
	for (unsigned i = 0; i < n; i++)
		if (m[i].required && m[i].at < 0)
			return nl_fail(why, "%s: missing", m[i].name);
	return 0;
}

/* To be freed; NULL with err. */
static struct nl_json_tok *tokenize(const char *text, size_t n, struct nl_err *err)
{
	size_t at = 0;
	for (unsigned max = 256; max <= TOKENS_MAX; max *= 16) {
		struct nl_json_tok *tok = malloc(max * sizeof *tok);
		int r = tok ? nl_json_parse(text, n, tok, max, &at) : 0;
		if (r > 0)
			return tok;
		free(tok);
		if (r == -2)
			continue;
		nl_fail(err, r == 0 ? "out of memory" : r == -3 ? "nested too deep" : "not JSON, at byte %zu", at);
		return NULL;
	}
	nl_fail(err, "more than %d values", TOKENS_MAX);
	return NULL;
}

int nl_request_read(struct nl_ctx *c, const char *text, size_t n)
{
	struct nl_err why;
	enum { ID, CMD, ARGS, AUTH };
	struct member m[] = {
		[ID] = { "id", NL_JSON_STRING, true, -1 }, [CMD] = { "cmd", NL_JSON_STRING, true, -1 },
		[ARGS] = { "args", NL_JSON_OBJECT, true, -1 }, [AUTH] = { "auth", NL_JSON_OBJECT, false, -1 },
	};
	struct member auth[] = { { "scheme", NL_JSON_STRING, true, -1 }, { "token", NL_JSON_STRING, false, -1 } };
	c->text = text;
	if (n > NL_REQUEST_MAX)
		return nl_refuse(c, NL_INVALID_ARGS, NULL, "request exceeds the maximum size of %d bytes", NL_REQUEST_MAX);
	c->tok = tokenize(text, n, &why);
	if (!c->tok)
		return nl_refuse(c, NL_INVALID_ARGS, NULL, "request: %s", why.msg);
	if (c->tok[0].type != NL_JSON_OBJECT)
		return nl_refuse(c, NL_INVALID_ARGS, NULL, "request: not an object");
	int r = check_members(text, c->tok, 0, m, 4, &why);
	if (m[ID].at >= 0 && (nl_json_string(text, &c->tok[m[ID].at], c->id, sizeof c->id) < 0 || !is_id(c->id))) {
		c->id[0] = '\0';
		return nl_refuse(c, NL_INVALID_ARGS, "id", "request: id: not 1-64 letters, digits, . _ : / -");
	}
	if (r < 0)
		return nl_refuse(c, NL_INVALID_ARGS, NULL, "request: %s", why.msg);
	if (nl_json_string(text, &c->tok[m[CMD].at], c->name, sizeof c->name) < 0 || !is_command(c->name)) {
		c->name[0] = '\0';
		return nl_refuse(c, NL_INVALID_ARGS, "cmd", "request: cmd: not the name of a command");
	}
	if (m[AUTH].at >= 0 && check_members(text, c->tok, m[AUTH].at, auth, 2, &why) < 0)
		return nl_refuse(c, NL_INVALID_ARGS, "auth", "request: auth.%s", why.msg);
	c->args = m[ARGS].at;
	return 0;
}

static bool has_failure(const char *text, const struct nl_json_tok *tok, int obj)
{
	struct member m[] = {
		{ "kind", NL_JSON_STRING, true, -1 }, { "what", NL_JSON_STRING, false, -1 }, { "gen", NL_JSON_NUMBER, false, -1 },
	};
	struct nl_err why;
	char kind[24];
	if (check_members(text, tok, obj, m, 3, &why) < 0 || nl_json_string(text, &tok[m[0].at], kind, sizeof kind) < 0)
		return false;
	for (int f = NL_INVALID_ARGS; f < NL_FAILURES; f++)
		if (!strcmp(kind, nl_failure_name((enum nl_failure)f)))
			return true;
	return false;
}

/* The members that a result of this word has; how many, 0 for no such word. */
static unsigned members_of(const char *result, struct member m[5])
{
	m[0] = (struct member){ "id", NL_JSON_STRING, true, -1 };
	m[1] = (struct member){ "result", NL_JSON_STRING, true, -1 };
	if (!strcmp(result, "ack") || !strcmp(result, "reset")) {
		m[2] = (struct member){ "policy", NL_JSON_STRING, false, -1 };
		m[3] = (struct member){ "gen", NL_JSON_NUMBER, false, -1 };
		m[4] = (struct member){ "epoch", NL_JSON_NUMBER, false, -1 };
		return 5;
	}
	if (!strcmp(result, "error")) {
		m[2] = (struct member){ "message", NL_JSON_STRING, true, -1 };
		m[3] = (struct member){ "failure", NL_JSON_OBJECT, true, -1 };
		return 4;
	}
	if (!strcmp(result, "value"))
		m[2] = (struct member){ "value", NL_JSON_NULL, true, -1 };
	else if (!strcmp(result, "list"))
		m[2] = (struct member){ "items", NL_JSON_ARRAY, true, -1 };
	else
		return 0;
	return 3;
}

static int check_result(const char *text, const struct nl_json_tok *tok, const char *id, struct nl_err *err)
{
	struct member m[5];
	char result[8] = "", own[65];
	int at = nl_json_get(text, tok, 0, "result");
	if (at < 0 || nl_json_string(text, &tok[at], result, sizeof result) < 0)
		result[0] = '\0';
	unsigned n = members_of(result, m);
	if (n == 0)
		return nl_fail(err, "result: none of ack, reset, value, list, error");
	if (check_members(text, tok, 0, m, n, err) < 0)
		return -1;
	if (nl_json_string(text, &tok[m[0].at], own, sizeof own) < 0 || strcmp(own, id))
		return nl_fail(err, "id: of another request");
	if (n == 4 && !has_failure(text, tok, m[3].at))
		return nl_fail(err, "failure: not one");
	return 0;
}

int nl_result_check(const char *text, size_t n, const char *id, struct nl_err *err)
{
	if (n > NL_REQUEST_MAX)
		return nl_fail(err, "exceeds the maximum size");
	struct nl_json_tok *tok = tokenize(text, n, err);
	int r = tok ? check_result(text, tok, id, err) : -1;
	free(tok);
	return r;
}
