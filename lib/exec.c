/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec.c - the innermost service: one run of the command, with the environment
 * and the streams that the layers around it asked for.
 */
#include "exec.h"

#include "child.h"
#include "event.h"
#include "io.h"
#include "mut.h"
#include "parse.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OURS (10 + NL_HOOK_ENV)         /* variables that we may add */

struct exec {
	struct nl_svc svc;
	char *const *argv;
	size_t room;                    /* variables that fit into envp, without ours */
	char **more;                    /* in its place where the environment has grown, or NULL */
	nl_time owned;                  /* the deadline that the text is of */
	char deadline[136];
	char *events;                   /* an assignment, or NULL */
	char *envp[];                   /* the inherited, OURS and a NULL */
};

static size_t count(char *const *env)
{
	size_t n = 0;
	while (env && env[n])
		n++;
	return n;
}

size_t nl_exec_size(void)
{
	return sizeof(struct exec) + (count(environ) + OURS + 1) * sizeof(char *);
}

/* An environment in the making.  Later values win over inherited ones. */
struct env { char **v; size_t n; const char *set[OURS]; size_t sets; };

static void env_set(struct env *e, const char *assignment)
{
	e->set[e->sets++] = assignment;
}

static bool replaced(const struct env *e, const char *var)
{
	for (size_t i = 0; i < e->sets; i++) {
		size_t n = strcspn(e->set[i], "=");
		if (!strncmp(var, e->set[i], n) && var[n] == '=')
			return true;
	}
	return false;
}

/* A set entry without a value removes the variable. */
static void env_close(struct env *e, char **inherited)
{
	for (; inherited && *inherited; inherited++)
		if (!replaced(e, *inherited))
			e->v[e->n++] = *inherited;
	for (size_t i = 0; i < e->sets; i++)
		if (strchr(e->set[i], '='))
			e->v[e->n++] = (char *)e->set[i];
	e->v[e->n] = NULL;
}

struct texts { char attempt[32], max[32], prev[32], arm[24], delay[40], parent[88], trace[72]; };

static void tell_attempt(struct env *e, struct texts *t, unsigned attempt, unsigned max, int prev)
{
	snprintf(t->attempt, sizeof t->attempt, "NL_ATTEMPT=%u", attempt);
	snprintf(t->max, sizeof t->max, max ? "NL_MAX_ATTEMPTS=%u" : "NL_MAX_ATTEMPTS=inf", max);
	snprintf(t->prev, sizeof t->prev, prev < 0 ? "NL_PREV_STATUS" : "NL_PREV_STATUS=%d", prev);
	env_set(e, t->attempt);
	env_set(e, t->max);
	env_set(e, t->prev);
}

static void tell_trace(struct env *e, struct texts *t, struct nl_run *run, const struct nl_req *q)
{
	const struct nl_ids *ids = run->ids;
	if (!ids)
		return;
	unsigned long long t0 = ids->trace[0], t1 = ids->trace[1], span = q->span ? q->span : ids->parent;
	snprintf(t->parent, sizeof t->parent, "NL_PARENT=%016llx%016llx-%016llx-%u", t0, t1, span, q->depth % 100000);
	env_set(e, t->parent);
	if (ids->traceparent[0]) {
		snprintf(t->trace, sizeof t->trace, "TRACEPARENT=00-%016llx%016llx-%016llx-%s", t0, t1, span, ids->traceparent);
		env_set(e, t->trace);
	}
}

static void tell_host(struct env *e, const struct nl_run *run)
{
	if (run->mark)
		env_set(e, run->mark);
}

static void tell_deadline(struct env *e, struct exec *x, struct nl_run *run, const struct nl_req *q)
{
	if (q->limit.at < run->horizon) {
		if (x->owned != q->limit.at)
			nl_deadline_text(run, x->owned = q->limit.at, q->stop.grace, x->deadline + strlen("NL_DEADLINE="));
		env_set(e, x->deadline);
	} else if (run->horizon == NL_NEVER) {
		env_set(e, "NL_DEADLINE");      // Stale, or of another boot.
	}
}

static struct nl_spawn command(struct nl_run *run, const struct nl_req *q, char *const *argv, char *const *envp)
{
	return (struct nl_spawn){
		.argv = argv, .envp = envp, .path = nl_getenv(run, "PATH"),
		.mask = MUTANT(OUR_MASK) ? ~UINT64_C(0) : run->signals->mask,
		.dfl = q->stop.dfl,
		.ign = run->signals->chld_ignored && !MUTANT(OUR_SIGCHLD) ? NL_SIGBIT(SIGCHLD) : 0,
		.group = !run->terminal && !q->stop.shared,
		.deathsig = q->stop.deathsig ? q->stop.deathsig : SIGKILL,
		.parent = run->pid,
		.replace = q->stop.replace,
		.fd = { q->io.in, run->std ? run->std[0].fd : 1, run->std ? run->std[1].fd : 2 },
	};
}

static void close_mended(const struct nl_run *run, int fd[3])
{
	for (int i = 0; i < 3; i++)
		if (fd[i] == i && run->mended >> i & 1)
			fd[i] = -1;
}

static struct nl_span_of caller(const struct nl_req *q)
{
	return (struct nl_span_of){ q->outer, q->span, q->parent, q->depth ? q->depth - 1 : 0, 0, NULL };
}

static void say_not_run(struct nl_run *run, const struct nl_req *q, const struct nl_spawn *spec, struct nl_outcome o)
{
	const char *why = strerror(spec->error);
	if (run->compat == NL_AS_FLOCK)
		nl_say(run, "failed to execute %.200s: %s", spec->argv[0], why);
	else
		nl_say(run, run->compat ? "failed to run command '%.200s': %s" : "cannot run '%.200s': %s", spec->argv[0], why);
	if (nl_code(o.wstatus) == NL_EX_FAIL)
		nl_degraded(run, caller(q), "spawn", strerror(spec->error));
}

/* In a frame of its own: 16 KiB that most runs never touch. */
NL_COLD static struct nl_outcome run_pumped(struct nl_run *run, const struct nl_req *q, struct nl_spawn *spec)
{
	char chunk[NL_CHUNK];
	struct nl_pump pump = { .chunk = chunk };
	int r = nl_pump_open(run, &pump, q, spec->fd);
	if (r < 0) {
		nl_say(run, "cannot open a pipe: %s", strerror(-r));
		nl_degraded(run, caller(q), "pipe", strerror(-r));
		return (struct nl_outcome){ NL_EXIT(NL_EX_FAIL), NL_NOTRUN };
	}
	close_mended(run, spec->fd);
	struct nl_outcome o = nl_child(run, q, spec, &pump);
	if (!nl_pump_drain(run, &pump, q, &o.why))
		nl_degraded(run, caller(q), "output_abandoned", "a descendant still holds the command's output");
	nl_pump_close(run, &pump);
	if (pump.error) {
		nl_say(run, "a stream of '%.200s' failed: %s", spec->argv[0], strerror(pump.error));
		nl_degraded(run, caller(q), "stream", strerror(pump.error));
		if (o.why == NL_RAN)
			o.wstatus = NL_EXIT(NL_EX_FAIL);        // What it did not read or we did not get: neither
		                                                // its success nor its failure is believed.
	}
	return o;
}

static struct nl_outcome exec_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	struct exec *x = (struct exec *)svc;
	struct texts t = { .attempt = "" };
	struct env env = { .v = x->envp };

	if (run->stop_sig)
		return (struct nl_outcome){ run->stop_sig, nl_why_told(run) };
	if (run->leaf)
		return run->leaf(svc, run, q);
	size_t n = count(run->environ);
	if (n > x->room) {                      // A host has an environment that is not environ, and may change it.
		char **more = realloc(x->more, (n + OURS + 1) * sizeof *more);
		if (!more)
			return (struct nl_outcome){ NL_EXIT(NL_EX_FAIL), NL_NOTRUN };
		x->more = more, x->room = n;
	}
	env.v = x->more ? x->more : x->envp;
	if (q.attempt)
		tell_attempt(&env, &t, q.attempt, q.max, q.prev);
	if (q.arm) {
		snprintf(t.arm, sizeof t.arm, "NL_ARM=%u", q.arm);
		env_set(&env, t.arm);
	}
	tell_trace(&env, &t, run, &q);
	tell_deadline(&env, x, run, &q);
	if (x->events)
		env_set(&env, x->events);
	tell_host(&env, run);
	env_close(&env, run->environ);

	struct nl_spawn spec = command(run, &q, x->argv, env.v);
	struct nl_outcome o;
	run->starts++;
	if (q.io.feed || q.io.tap[0] || q.io.tap[1]) {
		o = run_pumped(run, &q, &spec);
	} else {
		close_mended(run, spec.fd);
		o = nl_child(run, &q, &spec, NULL);
	}
	if (o.why == NL_NOTRUN && spec.error)
		say_not_run(run, &q, &spec, o);
	return o;
}

/* A command beside the one that is wrapped: q is narrowed to what it may take. */
static struct nl_spawn aside(struct nl_run *run, struct nl_req *q, char *const *argv, char *const *envp)
{
	nl_time now = nl_now(run), most = nl_after(now, 10 * NL_SEC);
	if (most < q->limit.at || q->limit.at <= now)   // A limit that has passed may be why it runs.
		q->limit = (struct nl_limit){ .at = most, .sig = SIGTERM };
	q->idle = NULL;
	q->stop = (struct nl_stop){ .grace = NL_SEC };
	return command(run, q, argv, envp);
}

void nl_hook_run(struct nl_run *run, struct nl_req q, struct nl_hook hook)
{
	const char *argv[] = { "sh", "-c", hook.cmd, NULL };
	char **envp = calloc(count(run->environ) + OURS + 1, sizeof *envp);
	int null = run->os->open("/dev/null", O_RDONLY, 0);
	struct texts t = { .attempt = "" };
	struct env env = { .v = envp };
	if (!envp || null < 0) {
		nl_say(run, "cannot run a hook: %s", strerror(envp ? -null : ENOMEM));
		free(envp);
		return;
	}
	if (hook.attempt)
		tell_attempt(&env, &t, hook.attempt, hook.max, hook.status);
	if (hook.delay >= 0) {
		snprintf(t.delay, sizeof t.delay, "NL_DELAY=%lld.%06lld", (long long)(hook.delay / NL_SEC),
		         (long long)(hook.delay % NL_SEC / NL_US));
		env_set(&env, t.delay);
	}
	for (int i = 0; hook.env && hook.env[i] && i < NL_HOOK_ENV; i++)
		env_set(&env, hook.env[i]);
	tell_trace(&env, &t, run, &q);
	tell_host(&env, run);
	env_close(&env, run->environ);
	struct nl_spawn spec = aside(run, &q, (char *const *)argv, envp);
	spec.fd[0] = null, spec.fd[1] = 2, spec.fd[2] = 2;
	close_mended(run, spec.fd);
	struct nl_run before = *run;
	nl_child(run, &q, &spec, NULL);
	run->fired = before.fired, run->killed = before.killed, run->stopped_at = before.stopped_at;
	run->os->close(null);
	free(envp);
}

struct nl_outcome nl_filter_run(struct nl_run *run, struct nl_req q, char *const *argv, const char *const *vars, int in)
{
	char **envp = calloc(count(run->environ) + OURS + 1, sizeof *envp);
	struct texts t = { .attempt = "" };
	struct env env = { .v = envp };
	if (!envp)
		return (struct nl_outcome){ NL_EXIT(NL_EX_FAIL), NL_NOTRUN };
	for (int i = 0; vars && vars[i] && i < NL_HOOK_ENV; i++)
		env_set(&env, vars[i]);
	tell_trace(&env, &t, run, &q);
	tell_host(&env, run);
	env_close(&env, run->environ);
	q.io.in = in;
	struct nl_spawn spec = aside(run, &q, argv, envp);
	struct nl_outcome o = run_pumped(run, &q, &spec);
	if (o.why == NL_NOTRUN && spec.error)
		say_not_run(run, &q, &spec, o);
	free(envp);
	return o;
}

static int exec_init(struct nl_svc *svc, char ***argv, struct nl_err *err)
{
	struct exec *x = (struct exec *)svc;
	x->argv = *argv;
	x->room = count(environ);
	memcpy(x->deadline, "NL_DEADLINE=", 12);
	if (!svc->events)
		return 0;
	x->events = malloc(strlen(svc->events) + sizeof "NL_EVENTS=");
	if (!x->events)
		return nl_fail(err, "out of memory");
	snprintf(x->events, strlen(svc->events) + sizeof "NL_EVENTS=", "NL_EVENTS=%s", svc->events);
	return 0;
}

static size_t exec_light(const struct nl_svc *svc)
{
	const struct exec *x = (const struct exec *)svc;
	return x->more ? 0 : sizeof *x + (x->room + OURS + 1) * sizeof(char *);
}

static void exec_free(struct nl_svc *svc)
{
	struct exec *x = (struct exec *)svc;
	free(x->events);
	free(x->more);
}

const struct nl_layer nl_exec = {
	.name = "exec",
	.size = sizeof(struct exec),
	.light = exec_light,
	.init = exec_init,
	.call = exec_call,
	.free = exec_free,
};
