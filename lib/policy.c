/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.c - a policy around a command or a function of a program that is not
 * ours.
 *
 * Each call reads the expression anew, as a tool would its line: nothing is
 * kept from one call to the next but what shared state keeps.
 */
#include "guest.h"
#include "mut.h"
#include "session.h"
#include "stack.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

struct nl_policy {
	char *expr;
	volatile sig_atomic_t stop;
	bool active;
	/* Of the call in progress: */
	nl_fn *fn;
	void *arg;
	enum nl_where where;
	struct nl_attempt turn;
	struct nl_err said;
	struct nl_guest guest;
	struct nl_room room;
};

static size_t count(char *const *words)
{
	size_t n = 0;
	while (words[n])
		n++;
	return n;
}

/* The expression around words.  The vector is the caller's to free behind the stack. */
static struct nl_svc *build(struct nl_policy *p, char *const words[], char ***line, struct nl_err *err)
{
	static char end[] = "--";
	const struct nl_layer *at = &nl_expression;
	size_t n = count(words);
	char **v = *line = malloc((n + 4) * sizeof *v);
	if (!v) {
		nl_fail(err, "out of memory");
		return NULL;
	}
	v[0] = end, v[1] = p->expr, v[2] = end;
	memcpy(v + 3, words, (n + 1) * sizeof *v);
	p->room.used = 0;
	return nl_stack(&nl_expression, v, NL_STACK_FUSED, &p->room, &at, err);
}

struct nl_policy *nl_policy_open(const char *expr, struct nl_err *err)
{
	static char sample[] = "true";
	static char *const words[] = { sample, NULL };
	struct nl_err none = { "" };
	err = err ? err : &none;
	err->msg[0] = '\0';
	if (getauxval(AT_SECURE)) {             // The environment would say where state and events are.
		nl_fail(err, "refuses to run set-user-ID or set-group-ID");
		return NULL;
	}
	struct nl_policy *p = calloc(1, sizeof *p);
	if (p)
		p->expr = strdup(expr);
	if (!p || !p->expr) {
		free(p);
		nl_fail(err, "out of memory");
		return NULL;
	}
	char **line;
	struct nl_svc *s = build(p, words, &line, err);
	nl_stack_free(s, &p->room);
	free(line);
	if (s)
		return p;
	nl_policy_close(p);
	return NULL;
}

void nl_policy_close(struct nl_policy *p)
{
	if (p)
		free(p->expr);
	free(p);
}

void nl_policy_stop(struct nl_policy *p)
{
	p->stop = 1;
}

static void say(struct nl_run *run, const char *text, size_t n)
{
	struct nl_policy *p = run->host;
	const char *colon = memchr(text, ':', n);               // The tool's name is not ours to say.
	size_t skip = colon && (size_t)(colon - text) + 2 < n ? (size_t)(colon - text) + 2 : 0;
	snprintf(p->said.msg, sizeof p->said.msg, "%.*s", (int)(n - skip - 1), text + skip);
}

static int call_function(void *arg)
{
	struct nl_policy *p = arg;
	return p->fn(p->arg, &p->turn) & 255;
}

/* In the forked child: what it has printed is to be seen. */
static int call_forked(void *arg)
{
	int status = call_function(arg);
	return fflush(NULL) && !status ? NL_EX_FAIL : status;
}

static struct nl_outcome call_here(struct nl_policy *p, struct nl_run *run, const struct nl_req *q)
{
	struct nl_limit limit = nl_limit(q);
	nl_guest_leave(&p->guest);
	int status = call_function(p);
	nl_guest_enter(&p->guest);
	nl_time now = nl_now(run);
	run->killed = false, run->stopped_at = 0;
	if (p->stop)
		nl_told(run, SIGTERM, now);
	if (now >= limit.at && !MUTANT(LATE_IS_FINE)) {         // As if it had been stopped there.
		run->fired = limit.owner, run->stopped_at = now;
		return (struct nl_outcome){ limit.sig ? limit.sig : SIGKILL, NL_DEADLINE };
	}
	if (now >= run->horizon)
		nl_told(run, SIGTERM, now);
	return (struct nl_outcome){ NL_EXIT(status), run->stop_sig ? nl_why_told(run) : NL_RAN };
}

/* The innermost service of a policy around a function. */
static struct nl_outcome leaf(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	struct nl_policy *p = run->host;
	nl_time limit = nl_limit(&q).at;
	p->turn = (struct nl_attempt){ .attempt = q.attempt, .max = q.max, .prev = q.attempt ? q.prev : -1,
	                            .deadline = limit < run->horizon ? limit : run->horizon, .stop = &p->stop };
	if (p->where == NL_HERE) {
		run->starts++;
		return call_here(p, run, &q);
	}
	(void)fflush(NULL);                     // Or both would print it.  What fails here, fails for its owner.
	run->leaf = NULL;
	struct nl_outcome o = nl_do(svc, run, q);
	run->leaf = leaf;
	return o;
}

static int call(struct nl_policy *p, char *const words[], struct nl_result *result)
{
	struct nl_guest *g = &p->guest;
	struct nl_session session;
	char **line = NULL;
	if (p->active) {                        // By a function of its own.
		errno = EBUSY;
		return -1;
	}
	*result = (struct nl_result){ .status = NL_EX_FAIL, .why = NL_NOTRUN };
	p->said.msg[0] = '\0';
	p->active = true;
	struct nl_svc *s = words[0] ? build(p, words, &line, &result->err) : NULL;
	int r = s ? nl_guest_open(g, environ, "nl-run", 0) : !strcmp(result->err.msg, "out of memory") ? -ENOMEM : -EINVAL;
	if (r < 0) {
		nl_stack_free(s, &p->room);
		free(line);
		p->active = false;
		errno = -r;
		return -1;
	}
	g->run.host = p, g->run.say = say, g->stop = &p->stop;
	g->run.leaf = p->fn ? leaf : NULL;
	if (p->fn && p->where == NL_FORKED)
		g->body = call_forked, g->arg = p;
	nl_time began = nl_now(&g->run);
	struct nl_outcome o = { NL_EXIT(NL_EX_FAIL), NL_NOTRUN };
	if (nl_session_open(&g->run, &session, s, NL_SILENT, &p->said) == 0) {
		o = nl_session_call(&g->run, s);
		nl_session_close(&g->run, &session, s);
	}
	if (o.why == NL_RAN && g->run.starts == 0 && nl_code(o.wstatus) == NL_EX_REJECTED)
		o.why = NL_REFUSED;             // To other layers it looks like a process; here it need not.
	*result = (struct nl_result){
		.status = nl_code(o.wstatus), .signal = WIFSIGNALED(o.wstatus) ? WTERMSIG(o.wstatus) : 0, .why = o.why,
		.attempts = g->run.starts, .duration = nl_now(&g->run) - began, .err = p->said,
	};
	nl_stack_free(s, &p->room);
	free(line);
	p->stop = 0, p->active = false;
	nl_guest_close(g, 0);
	return 0;
}

int nl_policy_run(struct nl_policy *p, char *const argv[], struct nl_result *result)
{
	p->fn = NULL;
	return call(p, argv, result);
}

int nl_policy_call(struct nl_policy *p, const char *name, nl_fn *fn, void *arg, enum nl_where where, struct nl_result *result)
{
	char word[64];
	char *const words[] = { word, NULL };
	while (name && !strncmp(name, "nl-", 3))        // Else it would be a layer.
		name += 3;
	snprintf(word, sizeof word, "%s", name && *name ? name : "function");
	p->fn = fn, p->arg = arg, p->where = where;
	return call(p, words, result);
}
