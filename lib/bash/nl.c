/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nl.c - the tools as builtins of bash: enable -f nl.so nl-retry nl-timeout ...
 *
 * bash forks itself for each command; a builtin of ours starts it by vfork.
 * The shell is a host as any other program is (guest.h): its jobs, traps and
 * descriptors are its own.  A death by signal becomes 128 + n, since the shell
 * does not die with its command.
 *
 * What this is linked with is bash, which is GPL-3.0-or-later; Apache-2.0 may be.
 */
#include "guest.h"
#include "session.h"
#include "sink.h"
#include "stack.h"

#include <loadables.h>

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of bash's trap.h and common.c. */
extern int signal_is_hard_ignored(int), signal_is_trapped(int);
extern char *this_command_name;

static void say(struct nl_run *run, const char *text, size_t n)
{
	if (run->std[1].n == 0)
		nl_write_now(run, 2, text, n);  // What stderr cannot take now is lost, not waited for.
}

/* A mistake in the line. */
static int refuse(struct nl_guest *g, const char *tool, const struct nl_err *err)
{
	char text[320];
	int n = snprintf(text, sizeof text, "%s: %s\n", tool, err->msg);
	if (n > 0)
		nl_write_now(&g->run, 2, text, (size_t)n);
	return NL_EX_FAIL;
}

/* Without a trap bash dies of INT only when its command has died of it. */
static uint64_t not_for_bash(int ws)
{
	bool died = WIFSIGNALED(ws) && WTERMSIG(ws) == SIGINT;
	return died || signal_is_trapped(SIGINT) ? 0 : NL_SIGBIT(SIGINT);
}

/* Is what was not found a function or a builtin?  One with a slash is neither. */
static bool is_shells(const char *cmd, char *const *words)
{
	while (cmd && *words && strcmp(*words, cmd) != 0)
		words++;
	return cmd && *words && (find_function(cmd) || find_shell_builtin(*words));
}

static int call(struct nl_guest *g, const struct nl_layer *layer, char **argv, uint64_t *forget)
{
	struct nl_err err = { "" };
	struct nl_session session;
	struct nl_room room;
	const struct nl_layer *at = layer;
	const char *fuse = nl_getenv(&g->run, "NL_FUSE");
	char tool[32];
	room.used = 0;
	g->run.say = say;
	struct nl_svc *s = nl_stack(layer, argv, fuse && !strcmp(fuse, "0") ? NL_STACK_NESTED : NL_STACK_FUSED, &room, &at, &err);
	snprintf(tool, sizeof tool, "nl-%s", at->name);
	if (!s)
		return refuse(g, tool, &err);
	int status = NL_EX_FAIL;
	if (nl_session_open(&g->run, &session, s, NL_LOUD, &err) < 0) {
		refuse(g, g->run.tool, &err);
	} else {
		struct nl_outcome o = nl_session_call(&g->run, s);
		*forget = not_for_bash(o.wstatus);
		status = nl_code(o.wstatus);
		if (o.why == NL_NOTRUN && status == NL_EX_NOTFOUND && is_shells(s->cmd, argv))
			nl_say(&g->run, "'%.60s' is the shell's own: only programs can be wrapped", s->cmd);
	}
	nl_session_close(&g->run, &session, s);
	nl_stack_free(s, &room);
	return status;
}

static int run(const struct nl_layer *layer, WORD_LIST *list)
{
	struct nl_guest g;
	uint64_t forget = 0;
	char tool[32];
	if (interactive_shell) {
		builtin_error("the builtin is for scripts; enable -n %s leaves the program", this_command_name);
		return NL_EX_FAIL;
	}
	snprintf(tool, sizeof tool, "nl-%s", layer->name);
	char **argv = make_builtin_argv(list, NULL);
	maybe_make_export_env();
	uint64_t quit = signal_is_hard_ignored(SIGQUIT) ? 0 : NL_SIGBIT(SIGQUIT);       // bash ignores it, its commands do not.
	int status = NL_EX_FAIL, r = nl_guest_open(&g, export_env, tool, quit);
	if (r < 0) {
		builtin_error("cannot block signals: %s", strerror(-r));
	} else {
		status = call(&g, layer, argv + 1, &forget);
		xfree(argv);
		nl_guest_close(&g, forget);
		return status;
	}
	xfree(argv);
	return status;
}

/* bash looks for NAME_struct, which is no name of C's: the assembler takes it in quotes. */
#define BUILTIN(tool, layer, what) \
	static int tool##_builtin(WORD_LIST *list) \
	{ \
		return run(&(layer), list); \
	} \
	static char *const tool##_doc[] = { (char *)(what), (char *)"See nl-bash(1) and nl-" #tool "(1).", NULL }; \
	extern struct builtin tool##_struct __asm__("\"nl-" #tool "_struct\""); \
	struct builtin tool##_struct = { \
		.name = (char *)"nl-" #tool, .function = tool##_builtin, .flags = BUILTIN_ENABLED, .long_doc = tool##_doc, \
		.short_doc = "nl-" #tool " [OPTION]... COMMAND [ARG]...", \
	}

BUILTIN(retry, nl_retry, "Run a command until it succeeds.");
BUILTIN(timeout, nl_timeout, "Stop a command after a time.");
BUILTIN(breaker, nl_breaker, "Do not call a service that is down.");
BUILTIN(bulkhead, nl_bulkhead, "Run at most so many at once.");
BUILTIN(race, nl_race, "Run commands side by side: the first that succeeds wins.");
BUILTIN(fallback, nl_fallback, "Try commands in turn until one succeeds.");
BUILTIN(run, nl_expression, "Run a command inside the layers that an expression composes.");
