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

/* A random tree: as text with the parentheses that it needs and some more, and with all of them.  The level of its operator. */
static int grow(uint64_t *seed, unsigned depth, char *text, char *full)
{
	static const char *const atoms[] = { "pass", "fail", "retry", "retry(2)", "timeout(2s)", "breaker(b)" };
	static const char ops[] = "|+&";
	char a[2000], b[2000], fa[2000], fb[2000];
	if (depth == 0 || nl_random(seed) % 5 == 0) {
		const char *atom = atoms[nl_random(seed) % LEN(atoms)];
		strcpy(text, atom);
		strcpy(full, atom);
		return 3;
	}
	int op = (int)(nl_random(seed) % 3), la = grow(seed, depth - 1, a, fa), lb = grow(seed, depth - 1, b, fb);
	bool ga = la < op || nl_random(seed) % 8 == 0, gb = lb <= op || nl_random(seed) % 8 == 0;
	const char *space = nl_random(seed) % 2 ? " " : "";
	sprintf(text, "%s%s%s%s%c%s%s%s%s", ga ? "(" : "", a, ga ? ")" : "", space, ops[op], space, gb ? "(" : "", b, gb ? ")" : "");
	sprintf(full, "(%s%c%s)", fa, ops[op], fb);
	return op;
}

static void random_trees(void)
{
	static char text[20000], full[20000], first[20000];
	const char *env = getenv("NL_SEED");
	uint64_t seed = env ? strtoull(env, NULL, 10) : 1;
	printf("# NL_SEED=%llu\n", (unsigned long long)seed);
	TEST("20000 random trees are read as they were meant, and so is their normal form")
		for (int i = 0; i < 20000 && unit_faults == 0; i++) {
			grow(&seed, 1 + (unsigned)i % 4, text, full);
			CHECK_ROW(!strcmp(tree(text), full), text);
			strcpy(first, normal(text));
			CHECK_ROW(!strcmp(tree(first), full), first);
			CHECK_ROW(!strcmp(normal(first), first), first);
		}
}

static void names(void)
{
	static const char file[] = "a = retry(2) + \\\n  @b # c\n\nb = pass | fail\nc = @d\nd = pass + @e\ne = @c\nf = retry(\n";
	TEST("Names are read from policies, with their places")
		policies = nl_policies_new(),
		CHECK(policies && nl_policies_text(policies, "p", file, strlen(file), &err, &where) == 0),
		CHECK(!strcmp(tree("@a & @b"), "((retry(2)+(pass|fail))&(pass|fail))")),
		CHECK(!strcmp(tree("@c"), "7:5: @c: is made of itself: c -> d -> e -> c")),
		CHECK(!strcmp(tree("@x1"), "1:1: @x1: unknown policy (nl-run --list shows those that there are)")),
		CHECK(!strcmp(tree("pass + @f"), "8:10: '(': its ) is missing") && !strcmp(where.file, "p")),
		CHECK(nl_spot_show(&where, "pass + @f", policies, buf, sizeof buf) && !strcmp(buf, "  f = retry(\n           ^")),
		nl_policies_free(policies),
		policies = NULL;
	TEST("A place is shown within the room that there is, whatever the characters")
		where = (struct nl_spot){ .line = 2, .col = 6 },
		CHECK(nl_spot_show(&where, "x\n\tö\33 @x\n", NULL, buf, 240) && !strcmp(buf, "   ö? @x\n      ^")),
		CHECK(nl_spot_show(&where, "x\n\tö\33 @x\n", NULL, buf, 20) == 0 && !*buf),
		where.col = 99,
		CHECK(nl_spot_show(&where, "x\n\tö\33 @x\n", NULL, buf, 240) == 0);
}

static void arenas(void)
{
	struct nl_arena a = { .most = 20000 };
	TEST("An arena gives zeroed, aligned memory up to its maximum")
		for (size_t i = 1, sum = 0; sum + i <= 19000; i += 97, sum += i + 16) {
			char *p = nl_arena_get(&a, i);
			CHECK(p && (uintptr_t)p % 16 == 0 && p[0] == 0 && p[i - 1] == 0);
			if (p)
				memset(p, 1, i);
		}
	TEST("and then no more")
		CHECK(!nl_arena_get(&a, 20000)),
		CHECK(!nl_arena_get(&a, SIZE_MAX)),
		nl_arena_free(&a),
		CHECK(a.used == 0 && nl_arena_get(&a, 100)),
		nl_arena_free(&a);
}

int main(void)
{
	arenas();
	names();
	random_trees();
	trees();
	normals();
	lines();
	hostile();
	return unit_done();
}
