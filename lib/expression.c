/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expression.c - nl-run: an expression in front of a command.
 *
 * It is a macro: what it stands for is a line of nested tools, which lib/stack.c
 * builds as if it had been typed.  Left of itself is only a layer that passes
 * the call on; for `fail`, which wraps nothing, one that does not.
 */
#include "bounds.h"
#include "check.h"
#include "event.h"
#include "io.h"
#include "opt.h"
#include "policies.h"
#include "question.h"
#include "run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

enum { ANSWER_MAX = 1 << 28, TREE_ROOM = 5 * 1024, WORDS_ROOM = 1024 };        /* rooms: ten layers need no heap */

struct expression {
	struct nl_svc svc;
	bool explain, bounds, check, canonical, list, json, once;
	const char *file;
	const char *text;
	char **command;
	char *state, *events;           /* as words of each layer's own */
	struct nl_policies *policies;
	struct nl_expr_tree tree;
	struct nl_words words;
	_Alignas(16) char tree_room[TREE_ROOM], words_room[WORDS_ROOM];
};

static const struct nl_opt options[] = {
	NL_OPT(0, "explain", struct expression, explain, NULL, "print who wraps whom, and the command line that does the same", NULL),
	NL_OPT(0, "bounds", struct expression, bounds, NULL, "print the worst case: attempts, time, load", NULL),
	NL_OPT(0, "check", struct expression, check, NULL, "print what is unwise about it", NULL),
	NL_OPT(0, "not-idempotent", struct expression, once, NULL, "for --check: COMMAND must not be done twice", NULL),
	NL_OPT(0, "canonical", struct expression, canonical, NULL, "print its normal form", NULL),
	NL_OPT(0, "list", struct expression, list, NULL, "print the policies that have names", NULL),
	NL_OPT(0, "json", struct expression, json, NULL, "print that as JSON", NULL),
	NL_OPT('f', "file", struct expression, file, "FILE", "look names up there, not in the user's and the system's file", NULL),
	{ 0 }
};

/* "--key=value", NULL without one. */
static char *word_of(const char *key, const char *value, bool *lost)
{
	char *word = NULL;
	if (!value)
		return NULL;
	if (asprintf(&word, "--%s=%s", key, value) >= 0)
		return word;
	*lost = true;
	return NULL;
}

/* "1:14: why" and, if there is room, the line with a caret. */
static int wrong(const struct expression *x, const struct nl_spot *at, const struct nl_err *why, struct nl_err *err)
{
	char spot[100];
	(void)nl_fail(err, "%s: %s", nl_spot_text(at, spot, sizeof spot), why->msg);
	size_t n = strlen(err->msg);
	if (n + 1 < sizeof err->msg && nl_spot_show(at, x->text ? x->text : "", x->policies, err->msg + n + 1, sizeof err->msg - n - 1))
		err->msg[n] = '\n';
	return -1;
}

static int read_expression(struct expression *x, struct nl_err *err)
{
	struct nl_spot at = { .line = 1, .col = 1 };
	struct nl_err why;
	if (x->list || strchr(x->text, '@')) {
		x->policies = nl_policies_new();
		if (!x->policies)
			return nl_fail(err, "out of memory");
		if (nl_policies_usual(x->policies, x->file, &why, &at) < 0)
			return wrong(x, &at, &why, err);
	}
	if (x->list)
		return 0;
	x->tree.mem.first = x->tree_room, x->tree.mem.left = sizeof x->tree_room;
	return nl_expr_read(&x->tree, x->text, x->policies, &why, &at) == 0 ? 0 : wrong(x, &at, &why, err);
}

static int expression_init(struct nl_svc *svc, char ***argv, struct nl_err *err)
{
	static char placeholder[] = "COMMAND";
	static char *nothing[] = { placeholder, NULL };
	struct expression *x = (struct expression *)svc;
	int questions = x->explain + x->bounds + x->check + x->canonical + x->list;
	bool lost = false;
	if (questions > 1)
		return nl_fail(err, "--explain, --bounds, --check, --canonical, --list: one at a time");
	if (x->json && !questions)
		return nl_fail(err, "--json: only with --explain, --bounds, --check, --canonical or --list");
	if (x->once && !x->check)
		return nl_fail(err, "--not-idempotent: only with --check");
	svc->prints = questions;
	if (!**argv && !x->list)
		return nl_fail(err, "missing EXPR, such as 'retry(3) + timeout(2s)' (try --help)");
	if (**argv)
		x->text = *(*argv)++;
	if (x->list && x->text)
		return nl_fail(err, "--list: takes no operand");
	x->state = word_of("state", svc->state, &lost);
	x->events = word_of("events", svc->events, &lost);
	if (lost)
		return nl_fail(err, "out of memory");
	if (read_expression(x, err))
		return -1;
	if (!questions)
		return 0;
	if (**argv && !strcmp(**argv, "--"))
		++*argv;
	x->command = **argv ? *argv : nothing;
	while (**argv)                          // They are shown, not run.
		++*argv;
	return 0;
}

static char **expression_expand(struct nl_svc *svc, char **command, struct nl_err *err)
{
	struct expression *x = (struct expression *)svc;
	struct nl_words *w = &x->words;
	w->state = x->state;
	w->mem.first = x->words_room, w->mem.left = sizeof x->words_room;
	if (nl_expr_words(x->tree.root, command, w, err) < 0)
		return NULL;
	bool fails = w->n == 2 && !strcmp(w->v[0], "nl-run") && !strcmp(w->v[1], "fail");
	return fails ? NULL : w->v;
}

/* The names: @NAME<TAB>EXPR, on one line each. */
static int list(struct nl_out *o, const struct nl_question *q, struct nl_err *err)
{
	(void)err;
	if (q->json)
		nl_out_begin(o, NULL, '[');
	for (const struct nl_named *i = nl_policies_first(q->policies); i; i = i->next) {
		size_t n = 0;
		char *text = malloc(i->len + 1);
		if (!text)
			return nl_fail(err, "out of memory");
		for (size_t k = 0; k < i->len; k++) {
			bool space = strchr(" \t\r\n", i->text[k]) || (i->text[k] == '\\' && k + 1 < i->len && i->text[k + 1] == '\n');
			if (!space)
				text[n++] = i->text[k];
			else if (n && text[n - 1] != ' ')
				text[n++] = ' ';
		}
		while (n && text[n - 1] == ' ')
			n--;
		text[n] = '\0';
		if (q->json) {
			nl_out_begin(o, NULL, '{');
			nl_out_str(o, "name", i->name);
			nl_out_str(o, "file", i->file);
			nl_out_uint(o, "line", i->number);
			nl_out_str(o, "expr", text);
			nl_out_end(o, '}');
		} else {
			nl_defuse(text);
			nl_out_bytes(o, "@", 1);
			nl_out_bytes(o, i->name, strlen(i->name));
			nl_out_bytes(o, "\t", 1);
			nl_out_bytes(o, text, n);
			nl_out_bytes(o, "\n", 1);
		}
		free(text);
	}
	if (q->json) {
		nl_out_end(o, ']');
		nl_out_bytes(o, "\n", 1);
	}
	return 0;
}

static nl_answer *answer_of(const struct expression *x)
{
	return x->explain ? nl_explain : x->bounds ? nl_bounds_answer : x->canonical ? nl_canonical : x->list ? list : nl_check_answer;
}

static bool is_coloured(struct nl_run *run)
{
	struct winsize size;
	const char *term = nl_getenv(run, "TERM"), *no = nl_getenv(run, "NO_COLOR");
	bool terminal = run->os->syscall(SYS_ioctl, 1, TIOCGWINSZ, (long)&size, 0, 0, 0) == 0;
	return terminal && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

NL_COLD static struct nl_outcome print(const struct expression *x, struct nl_run *run, const struct nl_req *q)
{
	struct nl_question question = {
		.text = x->text, .tree = &x->tree, .policies = x->policies, .command = x->command,
		.state = x->state, .events = x->events, .json = x->json, .once = x->once, .colour = is_coloured(run),
	};
	struct nl_out o;
	struct nl_err err;
	int error = 0;
	nl_out_init(&o, ANSWER_MAX);
	int status = answer_of(x)(&o, &question, &err);
	if (status >= 0 && o.lost)
		status = nl_fail(&err, "out of memory");
	if (status >= 0 && o.n)
		(void)nl_put(run, q, nl_chain(run, q, 0), o.buf, o.n, &error);
	nl_out_free(&o);
	if (status < 0) {
		nl_say(run, "%s", err.msg);
		return (struct nl_outcome){ NL_EXIT(NL_EX_FAIL), NL_RAN };
	}
	if (run->stop_sig)
		return (struct nl_outcome){ run->stop_sig, nl_why_told(run) };
	return (struct nl_outcome){ error == EPIPE ? SIGPIPE : NL_EXIT(error ? NL_EX_FAIL : status), NL_RAN };
}

static struct nl_outcome expression_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	if (svc->prints)
		return print((struct expression *)svc, run, &q);
	if (!svc->inner)
		return (struct nl_outcome){ NL_EXIT(NL_EX_REJECTED), NL_RAN };
	return nl_do(svc->inner, run, q);
}

static void expression_free(struct nl_svc *svc)
{
	struct expression *x = (struct expression *)svc;
	nl_words_free(&x->words);
	nl_expr_clear(&x->tree);
	nl_policies_free(x->policies);
	free(x->state);
	free(x->events);
}

/* Behind the options of --help: the operators; of --complete: the layers. */
static size_t more(char *buf, size_t size, bool help)
{
	static const char operators[] = "\nExpressions, what binds tightest first:\n"
		"  A & B                   both at once, the first success wins\n"
		"  A + B                   A wraps B\n"
		"  A | B                   try A; on failure B\n"
		"  (A | B) + C             parentheses group\n"
		"  retry(5, hold)          a layer: nl-retry, its options by their long names\n"
		"  timeout(2s)  breaker(NAME)  bulkhead(NAME)  race(hedge=2)  fallback(stale=1d)\n"
		"  pass  fail  @NAME       nothing, failure, a policy of a file\n"
		"  once                    nothing; for --check: COMMAND must not be done twice\n";
	static const char layers[] = "retry\ntimeout\nbreaker\nbulkhead\nrace\nfallback\npass\nonce\nfail\n";
	return (size_t)snprintf(buf, size, "%s", help ? operators : layers);
}

const struct nl_layer nl_expression = {
	.name = "run",
	.usage = "[--explain | --bounds | --check | --canonical] [--json] [-f FILE] EXPR|@NAME [COMMAND [ARG]...]",
	.about = "Run COMMAND inside the layers that an expression composes.",
	.leaf = true,
	.more = more,
	.expand = expression_expand,
	.opts = options,
	.size = sizeof(struct expression),
	.init = expression_init,
	.call = expression_call,
	.free = expression_free,
};
