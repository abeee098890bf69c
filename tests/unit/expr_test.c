/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expr_test.c - expressions into trees, into the normal form, into lines of
 * tools; policy files; what is wrong and where; no memory, at each place.
 */
#include "expr.h"
#include "opt.h"
#include "policies.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define LEN(a) (sizeof(a) / sizeof *(a))

static struct nl_err err;
static struct nl_spot where;
static struct nl_policies *policies;
static char buf[20000];

/* The tree with all its parentheses. */
static size_t tree_text(const struct nl_expr *e, char *out)
{
	static const char ops[] = { [NL_EXPR_WRAP] = '+', [NL_EXPR_ELSE] = '|', [NL_EXPR_RACE] = '&' };
	if (!e->b)
		return nl_expr_text(e, out, 500);
	size_t n = 0;
	out[n++] = '(';
	n += tree_text(e->a, out + n);
	out[n++] = ops[e->op];
	n += tree_text(e->b, out + n);
	out[n++] = ')';
	out[n] = '\0';
	return n;
}

static const char *tree(const char *text)
{
	struct nl_expr_tree *t = nl_expr_parse(text, policies, &err, &where);
	buf[0] = '\0';
	if (!t)
		snprintf(buf, sizeof buf, "%u:%u: %s", where.line, where.col, err.msg);
	else
		tree_text(t->root, buf);
	nl_expr_free(t);
	return buf;
}

static const char *normal(const char *text)
{
	struct nl_expr_tree *t = nl_expr_parse(text, policies, &err, &where);
	buf[0] = '\0';
	if (!t)
		snprintf(buf, sizeof buf, "%u:%u: %s", where.line, where.col, err.msg);
	else
		nl_expr_text(t->root, buf, sizeof buf);
	nl_expr_free(t);
	return buf;
}

/* The line around the words of command, each behind a space. */
static const char *line(const char *text, const char *const *command)
{
	struct nl_expr_tree *t = nl_expr_parse(text, policies, &err, &where);
	struct nl_words w = { .n = 0 };
	size_t n = 0;
	buf[0] = '\0';
	if (!t || nl_expr_words(t->root, (char **)command, &w, &err) < 0)
		n = (size_t)snprintf(buf, sizeof buf, " %s", err.msg);
	for (size_t i = 0; i < w.n && n == (i ? n : 0) && n < sizeof buf; i++)
		n += (size_t)snprintf(buf + n, sizeof buf - n, " %s", w.v[i]);
	nl_words_free(&w);
	nl_expr_free(t);
	return buf + 1;
}

static const char *const cmd[] = { "cmd", NULL }, *const none[] = { NULL };

static void trees(void)
{
	static const struct { const char *text, *tree; } rows[] = {
		{ "retry | timeout(1s) + breaker(c) & bulkhead(d)", "(retry|(timeout(1s)+(breaker(c)&bulkhead(d))))" },
		{ "pass & fail + pass", "((pass&fail)+pass)" },
		{ "pass + fail & pass", "(pass+(fail&pass))" },
		{ "pass & fail | pass", "((pass&fail)|pass)" },
		{ "pass | fail & pass", "(pass|(fail&pass))" },
		{ "pass + fail | pass", "((pass+fail)|pass)" },
		{ "pass | fail + pass", "(pass|(fail+pass))" },
		{ "pass + fail + retry", "((pass+fail)+retry)" },
		{ "pass | fail | retry", "((pass|fail)|retry)" },
		{ "pass & fail & retry", "((pass&fail)&retry)" },
		{ "(pass | fail) + retry", "((pass|fail)+retry)" },
		{ "(pass|fail)&retry", "((pass|fail)&retry)" },
		{ "((pass))", "pass" },
		{ " pass\n+ # first\n fail", "(pass+fail)" },
	};
	TEST("& binds tighter than +, + tighter than |, all to the left, parentheses group")
		for (size_t i = 0; i < LEN(rows); i++)
			CHECK_ROW(!strcmp(tree(rows[i].text), rows[i].tree), buf);
}

static void normals(void)
{
	static const struct { const char *text, *normal; } rows[] = {
		{ "retry", "retry" }, { "retry()", "retry" }, { "retry ( 3 )", "retry(3)" }, { "retry(attempts = 3)", "retry(3)" },
		{ "retry(backoff=exp:100ms..10s,attempts=03)", "retry(3, backoff=exponential:0.1s..10s)" },
		{ "retry(hold)", "retry(hold)" }, { "retry(hold=true,quiet=false)", "retry(hold)" }, { "retry(inf)", "retry(inf)" },
		{ "timeout(2000ms)", "timeout(2s)" }, { "timeout(limit=1m)", "timeout(60s)" }, { "timeout('2s', idle=0.5)", "timeout(2s, idle=0.5s)" },
		{ "breaker(name=db, rate=50)", "breaker(db, rate=50%)" }, { "bulkhead(db,max=3)", "bulkhead(db, max=3)" },
		{ "retry(on='1,2,3,!75')", "retry(on='1-3,!75')" }, { "retry(on-retry=\"echo 'x' \\\"y\\\"\")", "retry(on-retry=\"echo 'x' \\\"y\\\"\")" },
		{ "retry(retry-if='')", "retry(retry-if='')" }, { "pass|(fail|pass)", "pass | (fail | pass)" }, { "(pass|fail)|pass", "pass | fail | pass" },
		{ "(pass & fail) + pass", "pass & fail + pass" }, { "(pass + fail) & pass", "(pass + fail) & pass" },
	};
	TEST("The normal form has the values as the tables print them, and the parentheses that are needed")
		for (size_t i = 0; i < LEN(rows); i++) {
			CHECK_ROW(!strcmp(normal(rows[i].text), rows[i].normal), buf);
			CHECK_ROW(!strcmp(normal(rows[i].normal), rows[i].normal), buf);
		}
}

static void lines(void)
{
	static const char *const odd[] = { "x", "[", "\\]", "|", ":::", "-", "||", NULL }, *const dash[] = { "-x", NULL };
	TEST("The line nests what is added, copies what is wrapped in branches, and pass adds no word")
		CHECK(!strcmp(line("retry(3) + timeout(2s)", cmd), "nl-retry --attempts=3 nl-timeout 2s cmd")),
		CHECK(!strcmp(line("pass", cmd), "cmd")),
		CHECK(!strcmp(line("pass + retry + pass", cmd), "nl-retry cmd")),
		CHECK(!strcmp(line("retry | pass", cmd), "nl-fallback [ nl-retry cmd ] [ cmd ]")),
		CHECK(!strcmp(line("retry & pass", cmd), "nl-race [ nl-retry cmd ] [ cmd ]")),
		CHECK(!strcmp(line("(retry | pass) + timeout(1)", cmd), "nl-fallback [ nl-retry nl-timeout 1s cmd ] [ nl-timeout 1s cmd ]")),
		CHECK(!strcmp(line("retry + (pass | timeout(1))", cmd), "nl-retry nl-fallback [ cmd ] [ nl-timeout 1s cmd ]")),
		CHECK(!strcmp(line("pass | retry | pass", cmd), "nl-fallback [ cmd ] [ nl-retry cmd ] [ cmd ]")),
		CHECK(!strcmp(line("pass | (retry | pass)", cmd), "nl-fallback [ cmd ] [ nl-fallback [ nl-retry cmd ] [ cmd ] ]"));
	TEST("fail runs nothing, whatever it wraps; only then no COMMAND is needed")
		CHECK(!strcmp(line("fail", none), "nl-run fail")),
		CHECK(!strcmp(line("retry + fail + timeout(1)", none), "nl-retry nl-run fail")),
		CHECK(!strcmp(line("fail | pass", none), "missing COMMAND")),
		CHECK(!strcmp(line("fail | pass", cmd), "nl-fallback [ nl-run fail ] [ cmd ]"));
	TEST("Words of the command that are syntax are escaped in brackets, and only there")
		CHECK(!strcmp(line("retry", odd), "nl-retry x [ \\] | ::: - ||")),
		CHECK(!strcmp(line("retry|fail", odd), "nl-fallback [ nl-retry x \\[ \\\\] \\| \\::: - || ] [ nl-run fail ]")),
		CHECK(!strcmp(line("fallback(1d:k)", cmd), "nl-fallback --stale=1d:k cmd")),
		CHECK(!strcmp(line("fallback(1d:k)", odd), "nl-fallback --stale=1d:k [ x \\[ \\\\] \\| \\::: - || ]"));
	TEST("A command that looks like an option stands behind --")
		CHECK(!strcmp(line("retry", dash), "nl-retry -- -x")),
		CHECK(!strcmp(line("retry|pass", dash), "nl-fallback [ nl-retry -- -x ] [ -x ]"));
}

static void hostile(void)
{
	static char text[200000];
	TEST("Hostile text is an error, soon")
		memset(text, '(', 100000),
		CHECK(strstr(tree(text), "65536 bytes")),
		text[60000] = '\0',
		CHECK(strstr(tree(text), "1:65: '(': more than 64"));
	static const char *const chains[] = { "pass|", "pass+", "pass&", "pass|pass+pass&", "retry(3)|", "(" };
	TEST("Long chains are an error, soon")
		for (size_t i = 0; i < LEN(chains); i++) {
			size_t n = 0, len = strlen(chains[i]);
			while (n + len < 60000)
				n += (size_t)snprintf(text + n, sizeof text - n, "%s", chains[i]);
			CHECK_ROW(strstr(tree(text), i < 5 ? "more than 512 layers" : "more than 64"), buf);
		}
	size_t n = (size_t)snprintf(text, sizeof text, "(pass|pass)");
	while (n < 200)
		n += (size_t)snprintf(text + n, sizeof text - n, "+(pass|pass)");
	TEST("Copies of copies are an error, soon")
		CHECK(strstr(line(text, cmd), "more than 65537 words"));
}

int main(void)
{
	trees();
	normals();
	lines();
	hostile();
	return unit_done();
}
