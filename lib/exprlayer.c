/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exprlayer.c - a layer and its arguments: an instance, and its words on a
 * command line.  The option tables are the vocabulary; what they say about a
 * value is said, at its place.
 *
 * The words have the values as the tables print them, in the order of the
 * tables, so that they do not depend on how somebody wrote them.
 */
#include "backoff.h"
#include "exprtok.h"
#include "near.h"
#include "opt.h"
#include "policies.h"
#include "stack.h"

#include <string.h>

enum { ARGS = 48 };

/* What may be written without its key, first; an operand is none of the options. */
static const struct kind {
	const char *layer, *first;
	bool operand;
	const char *example;            /* where the operand is missing */
} kinds[] = {
	{ "retry", "attempts", false, NULL },
	{ "timeout", "limit", true, "DURATION, as in timeout(2s)" },
	{ "breaker", "name", true, "NAME, as in breaker(db)" },
	{ "bulkhead", "name", true, "NAME, as in bulkhead(db)" },
	{ "race", "hedge", false, NULL },
	{ "fallback", "stale", false, NULL },
	{ .layer = NULL },
};

/* Words of others for what we have. */
static const struct { const char *word, *hint; } others[] = {
	{ "circuit_breaker", "breaker(NAME)" }, { "circuit-breaker", "breaker(NAME)" }, { "circuitbreaker", "breaker(NAME)" },
	{ "circuit", "breaker(NAME)" }, { "hedge", "race(hedge=2)" }, { "deadline", "timeout(2s)" }, { "limit", "timeout(2s) or bulkhead(NAME)" },
	{ "semaphore", "bulkhead(NAME)" }, { "limiter", "bulkhead(NAME)" }, { "isolate", "bulkhead(NAME)" }, { "or", "A | B" }, { "and", "A & B" },
	{ "cache", "fallback(stale=1d:KEY)" }, { "stale", "fallback(stale=1d:KEY)" }, { "backoff", "retry(backoff=exp:100ms..10s)" },
	{ "max_attempts", "attempts" }, { "max-attempts", "attempts" }, { "max_retries", "attempts" }, { "retries", "attempts" },
	{ "tries", "attempts" }, { "times", "attempts" }, { "delay", "backoff" }, { "threshold", "failures" }, { "cooldown", "open" },
	{ "recovery_timeout", "open" }, { "max_concurrent", "max" }, { "size", "max" },
};

/* A layer being read. */
struct reading {
	struct nl_expr_parser *p;
	const struct kind *kind;
	const struct nl_layer *layer;
	struct nl_svc *svc;
	const char *operand;
	struct nl_spot at, operand_at;
	struct nl_expr_arg args[ARGS];
	unsigned n;
};

static bool same(const char *name, const char *word, size_t len)
{
	return !strncmp(name, word, len) && !name[len];
}

/* Its layer is one of those that a line may have. */
static const struct kind *kind_of(const char *word, size_t len, const struct nl_layer **layer)
{
	const struct kind *k = kinds;
	size_t i = 0;
	while (k->layer && !same(k->layer, word, len))
		k++;
	while (k->layer && nl_layers[i] && strcmp(nl_layers[i]->name, k->layer) != 0)
		i++;
	*layer = k->layer ? nl_layers[i] : NULL;
	return *layer ? k : NULL;
}

static const char *hint_for(const char *word, size_t len)
{
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (same(others[i].word, word, len))
			return others[i].hint;
	return NULL;
}

static const struct nl_expr *unknown_layer(struct nl_expr_parser *p, struct nl_spot at, const char *word, size_t len)
{
	struct nl_near near = nl_near_to(word, len);
	const char *hint = hint_for(word, len);
	int n = len < 48 ? (int)len : 48;
	const struct nl_layer *layer;
	for (const struct kind *k = kinds; k->layer; k++)
		nl_near_try(&near, k->layer, strlen(k->layer));
	nl_near_list(&near, "pass|once|fail");
	if (p->policies && nl_policies_find(p->policies, word, len))
		return nl_expr_wrong(p, at, "'%.*s': unknown layer; the policy of that name is @%.*s", n, word, n, word);
	if (len > 3 && !memcmp(word, "nl-", 3) && kind_of(word + 3, len - 3, &layer))
		return nl_expr_wrong(p, at, "'%.*s': is called %.*s here", n, word, n - 3, word + 3);
	if (hint || near.best)
		return nl_expr_wrong(p, at, "'%.*s': unknown layer, did you mean %.*s?", n, word, hint ? (int)strlen(hint) : (int)near.best_len,
		                     hint ? hint : near.best);
	return nl_expr_wrong(p, at, "'%.*s': unknown layer (retry, timeout, breaker, bulkhead, race, fallback, pass, once, fail)", n, word);
}

static const struct nl_opt *option(const struct nl_layer *layer, const char *key, size_t len)
{
	const struct nl_opt *o = NULL;
	while ((o = nl_opt_next(layer, o)) && (!same(o->name, key, len) || o->type == NL_ACTION))
		;
	return o;
}

static bool is_bare(const struct nl_opt *o)
{
	return o && o->type == NL_FLAG;
}

static int unknown_key(struct reading *r, struct nl_spot at, const char *key)
{
	const struct nl_layer *layer = r->layer;
	size_t len = strlen(key);
	struct nl_near near = nl_near_to(key, len);
	const char *hint = hint_for(key, len);
	for (const struct nl_opt *o = NULL; (o = nl_opt_next(layer, o)); )
		if (o->help && o->type != NL_ACTION)
			nl_near_try(&near, o->name, strlen(o->name));
	if (hint && option(layer, hint, strlen(hint)))
		near.best = hint;
	if (near.best)
		(void)nl_expr_wrong(r->p, at, "'%.48s': %s has no such option, did you mean %s?", key, layer->name, near.best);
	else
		(void)nl_expr_wrong(r->p, at, "'%.48s': %s has no such option (nl-%s --help lists them)", key, layer->name, layer->name);
	return -1;
}

/* "attempts: 'x': why" and, where the choices are words, the one that was meant. */
static int wrong_value(struct reading *r, const struct nl_expr_arg *a, const struct nl_opt *o, const struct nl_err *why)
{
	struct nl_near near = nl_near_to(a->value, o->type == NL_BACKOFF ? strcspn(a->value, ":") : strlen(a->value));
	if (o->type == NL_WORD)
		nl_near_list(&near, o->arg);
	if (o->type == NL_JITTER)
		for (unsigned i = NL_JITTER_FULL; i <= NL_JITTER_POLLY; i++)
			nl_near_try(&near, nl_jitter_name((enum nl_jitter)i), strlen(nl_jitter_name((enum nl_jitter)i)));
	if (o->type == NL_BACKOFF && strstr(why->msg, "kind"))
		for (unsigned i = NL_EXPONENTIAL; i <= NL_FIBONACCI; i++)
			nl_near_try(&near, nl_backoff_name((enum nl_backoff_kind)i), strlen(nl_backoff_name((enum nl_backoff_kind)i)));
	if (near.best)
		(void)nl_expr_wrong(r->p, a->value_at, "%.180s, did you mean %.*s?", why->msg, (int)near.best_len, near.best);
	else
		(void)nl_expr_wrong(r->p, a->value_at, "%s", why->msg);
	return -1;
}

/* An argument without a key: a flag, or the first one. */
static int name_it(struct reading *r, struct nl_expr_arg *a)
{
	const struct nl_layer *layer = r->layer;
	const struct nl_opt *o = option(layer, a->value, strlen(a->value));
	if (is_bare(o) && !(r->n == 0 && r->kind->operand)) {
		a->key = o->name, a->value = NULL;
		return 0;
	}
	if (r->n == 0) {
		a->key = r->kind->first;
		return 0;
	}
	if (o)
		(void)nl_expr_wrong(r->p, a->at, "'%s': needs a value: %s=%s", o->name, o->name, o->arg);
	else
		(void)nl_expr_wrong(r->p, a->at, "'%.48s': only the first argument may do without KEY=", a->value);
	return -1;
}

static int take_arg(struct reading *r)
{
	struct nl_err why;
	struct nl_expr_arg a;
	if (r->n == ARGS)
		return nl_expr_wrong(r->p, nl_expr_here(&r->p->in), "more than %d arguments", ARGS), -1;
	if (nl_expr_arg_read(r->p, &a) || (!a.key && name_it(r, &a)))
		return -1;
	const struct nl_opt *o = option(r->layer, a.key, strlen(a.key));
	if (!o)
		return unknown_key(r, a.at, a.key);
	for (unsigned i = 0; i < r->n; i++)
		if (!strcmp(r->args[i].key, a.key))
			return nl_expr_wrong(r->p, a.at, "%s: is there already, in column %u", o->name, r->args[i].at.col), -1;
	r->args[r->n++] = a;
	if (r->kind->operand && !strcmp(r->kind->first, a.key))
		r->operand = a.value, r->operand_at = a.value_at;
	else if (nl_opt_set(r->svc, a.key, a.value, &why))
		return wrong_value(r, &a, o, &why);
	return 0;
}

/* "(" [ arg { "," arg } ] ")" */
static int read_args(struct reading *r)
{
	struct nl_expr_parser *p = r->p;
	struct nl_spot open = nl_expr_here(&p->in);
	p->in.p++;
	if (nl_expr_peek(&p->in) == ')')
		return p->in.p++, 0;
	for (;;) {
		if (!nl_expr_peek(&p->in))
			return nl_expr_wrong(p, open, "'(': its ) is missing"), -1;
		if (take_arg(r))
			return -1;
		char c = nl_expr_peek(&p->in);
		struct nl_spot at = nl_expr_here(&p->in);
		if (c == ')')
			return p->in.p++, 0;
		if (!c)
			return nl_expr_wrong(p, open, "'(': its ) is missing"), -1;
		if (c != ',')
			return nl_expr_wrong(p, at, "'%c': expected , or ) here; a value with such characters is quoted", c), -1;
		p->in.p++;
	}
}

/* What init found, at the argument that it names. */
static int wrong_together(struct reading *r, const struct nl_err *why)
{
	const char *text = why->msg;
	size_t len = !strncmp(text, "--", 2) ? strcspn(text += 2, ":") : 0;
	if (!strncmp(text, "missing ", 8) && r->kind->operand && !r->operand)
		return nl_expr_wrong(r->p, r->at, "%s: needs %s", r->layer->name, r->kind->example), -1;
	for (unsigned i = 0; i < r->n; i++)
		if (len && same(r->args[i].key, text, len))
			return nl_expr_wrong(r->p, r->args[i].value_at, "%s", text), -1;
	if (r->operand)
		return nl_expr_wrong(r->p, r->operand_at, "%s", text), -1;
	return nl_expr_wrong(r->p, r->at, "%s: %s", r->layer->name, text), -1;
}

static int init(struct reading *r)
{
	struct nl_err why;
	char *none = NULL, *argv[] = { (char *)r->operand, NULL }, **rest = r->operand ? argv : &none;
	int bad = r->svc->layer->init(r->svc, &rest, &why);
	if (r->svc->prints)
		return nl_expr_wrong(r->p, r->at, "%s: so it prints and runs no command: use nl-%s", r->layer->name, r->layer->name), -1;
	if (bad)
		return wrong_together(r, &why);
	r->svc->cmd = r->svc->layer->name;
	r->svc->id = r->svc->name ? r->svc->name : r->svc->cmd;
	return 0;
}

/* "--key=value" */
static char *word_of(struct reading *r, const struct nl_opt *o)
{
	char value[NL_EXPR_VALUE + 1];
	size_t n = o->type == NL_FLAG ? 0 : nl_opt_value(r->svc, o, value, sizeof value), key = strlen(o->name);
	char *word = nl_expr_get(r->p, key + n + 4);
	if (!word)
		return NULL;
	memcpy(word, "--", 2);
	memcpy(word + 2, o->name, key);
	if (o->type == NL_FLAG)
		return word;
	word[2 + key] = '=';
	memcpy(word + 3 + key, value, n);
	return word;
}

/* The words of the options, before init fills in defaults. */
static char **words_of(struct reading *r)
{
	size_t n = 0, len = strlen(r->layer->name);
	char **words = nl_expr_get(r->p, (r->n + 3) * sizeof *words), *tool = nl_expr_get(r->p, len + 4);
	if (!words || !tool)
		return NULL;
	memcpy(tool, "nl-", 3);
	memcpy(tool + 3, r->layer->name, len);
	words[n++] = tool;
	for (const struct nl_opt *o = NULL; r->n && (o = nl_opt_next(r->layer, o)); )
		if (nl_opt_given(r->svc, o) && !(words[n++] = word_of(r, o)))
			return NULL;
	return words;
}

/* The operand behind them: a duration as the table prints it. */
static int add_operand(struct reading *r, char **words)
{
	const struct nl_opt *o = r->operand ? option(r->layer, r->kind->first, strlen(r->kind->first)) : NULL;
	char value[NL_EXPR_VALUE + 1];
	size_t n = 0;
	if (!o)
		return 0;
	while (words[n])
		n++;
	size_t len = nl_opt_value(r->svc, o, value, sizeof value);
	words[n] = nl_arena_text(&r->p->tree->mem, value, len);
	return words[n] ? 0 : (nl_expr_wrong(r->p, r->at, "out of memory"), -1);
}

const struct nl_expr *nl_expr_layer_read(struct nl_expr_parser *p, size_t len)
{
	struct reading r = { .p = p, .at = nl_expr_here(&p->in) };
	r.kind = kind_of(p->in.p, len, &r.layer);
	if (!r.kind)
		return unknown_layer(p, r.at, p->in.p, len);
	struct nl_expr_made *made = nl_expr_get(p, sizeof *made);
	struct nl_expr *e = nl_expr_get(p, sizeof *e);
	r.svc = nl_expr_get(p, r.layer->size);
	if (!made || !e || !r.svc)
		return NULL;
	r.svc->layer = r.layer;
	*made = (struct nl_expr_made){ r.svc, p->tree->made };
	p->tree->made = made;
	p->in.p += len;
	if (nl_expr_peek(&p->in) == '(' && read_args(&r))
		return NULL;
	char **words = words_of(&r);
	if (!words || init(&r) || add_operand(&r, words))
		return NULL;
	*e = (struct nl_expr){ .op = NL_EXPR_LAYER, .at = r.at, .svc = r.svc, .words = words };
	return e;
}
