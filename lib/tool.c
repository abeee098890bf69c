/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tool.c - main() of every tool: the line, the process, the call, the end.
 *
 * The one file of lib/ that writes to descriptor 2 on its own account and
 * ends the process.
 */
#include "event.h"
#include "io.h"
#include "run.h"
#include "stack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

static void say(struct nl_run *run, const char *text, size_t n)
{
	if (run->std[1].n == 0)
		nl_write_now(run, 2, text, n);  // What stderr cannot take now is lost, not waited for.
}

/* Does the tool point to its help after this? */
static bool has_hint(enum nl_compat as, const char *msg)
{
	static const char *const flock[] = { "invalid option", "unrecognized option", "option ", "not enough arguments" };
	for (size_t i = 0; as == NL_AS_FLOCK && i < sizeof flock / sizeof *flock; i++)
		if (!strncmp(msg, flock[i], strlen(flock[i])))
			return true;
	return as == NL_AS_TIMEOUT;
}

static int usage_error(const char *tool, enum nl_compat as, const struct nl_err *err)
{
	char text[512];
	int n = snprintf(text, sizeof text, "%s: %s\n", tool, err->msg);
	if (as == NL_AS_TIMEOUT && !strncmp(err->msg, "missing ", 8))
		n = 0;
	if (has_hint(as, err->msg))
		n += snprintf(text + n, sizeof text - (size_t)n, "Try '%s --help' for more information.\n", tool);
	if (write(2, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1) < 0)
		return NL_EX_FAIL;              // Nobody to tell.
	return as == NL_AS_FLOCK ? EX_USAGE : NL_EX_FAIL;
}

/* True: somebody listens. */
static bool give_sinks(struct nl_svc *s, struct nl_sink *around)
{
	bool heard = false;
	for (; s; s = s->next) {
		struct nl_sink *sink = s->sink ? s->sink : around;
		s->sink = sink;
		heard |= nl_sink_level(sink) <= NL_ERROR;
		heard |= s->inner && give_sinks(s->inner, sink);
	}
	return heard;
}

/* Each layer's sink: its own --events, or the one of the layer around it. */
static int open_sinks(struct nl_run *run, struct nl_svc *s, struct nl_err *err)
{
	const char *spec = nl_getenv(run, "NL_EVENTS");
	bool silent = false;
	struct nl_sink *sink = NULL;
	for (const struct nl_svc *i = s; i; i = i->inner)
		silent |= i->silent;            // Of branches the first: a silent one silences itself.
	if (spec && !strcmp(spec, "off"))
		silent = true;
	else if (!s->events && spec && *spec && !(sink = nl_sink_parse(spec, err))) {
		struct nl_err why = *err;
		return nl_fail(err, "NL_EVENTS: %.200s", why.msg);
	}
	if (!s->events && !sink && !silent)
		sink = nl_sink_default(run);
	return give_sinks(s, sink);
}

/* Ends the process as a wait status says; dumps no core. */
static _Noreturn void die(struct nl_run *run, int ws)
{
	if (WIFSIGNALED(ws)) {
		int sig = WTERMSIG(ws);
		run->os->prctl(PR_SET_DUMPABLE, 0);
		run->os->action(sig, NL_SIG_DFL, NULL);
		run->os->kill(run->pid, sig);
		run->os->mask(~NL_SIGBIT(sig), NULL);
		_exit(128 + sig);               // PID 1 of a namespace survives its own signals.
	}
	_exit(WIFEXITED(ws) ? WEXITSTATUS(ws) : NL_EX_FAIL);
}

static const char *base(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	return slash ? slash + 1 : path ? path : "";
}

int nl_main(const struct nl_layer *layer, int argc, char **argv)
{
	struct nl_err err = { "" };
	const struct nl_layer *at = layer;
	if (getauxval(AT_SECURE)) {             // Whoever calls would choose what runs with rights that are not theirs.
		nl_fail(&err, "refuses to run set-user-ID or set-group-ID");
		return usage_error("ninelives", NL_OURSELVES, &err);
	}
	const char *fuse = getenv("NL_FUSE");
	bool gnu = argc > 0 && layer->as && !strcmp(base(argv[0]), layer->as->name);
	if (gnu)
		layer = at = layer->as;
	enum nl_compat as = gnu ? layer->compat : NL_OURSELVES;
	enum nl_stack_way way = gnu ? NL_STACK_GNU : fuse && !strcmp(fuse, "0") ? NL_STACK_NESTED : NL_STACK_FUSED;
	struct nl_room room;
	room.used = 0;
	struct nl_svc *stack = nl_stack(layer, argc > 0 ? argv + 1 : argv, way, &room, &at, &err);
	char tool[32];
	snprintf(tool, sizeof tool, gnu ? "%s" : "nl-%s", at->name);
	if (!stack)
		return usage_error(tool, as, &err);

	struct nl_run run;
	struct nl_signals signals;
	struct nl_ids ids = { .seq = 0 };
	struct nl_fd_tap std[2];
	char rest[2][NL_REST];
	snprintf(tool, sizeof tool, gnu ? "%s" : "nl-%s", layer->name);
	int blocked = nl_run_open(&run, &signals, &nl_os_linux, environ, tool);
	if (blocked < 0) {
		nl_fail(&err, "cannot block signals: %s", strerror(-blocked));
		return usage_error(tool, NL_OURSELVES, &err);
	}
	run.compat = as, run.std = std, run.say = say;
	nl_fd_tap_init(&std[0], 1, rest[0]);
	nl_fd_tap_init(&std[1], 2, rest[1]);
	for (int i = 0; i < 2; i++)             // A descriptor that was closed takes nothing, as it would for the command.
		std[i].error = run.mended >> (i + 1) & 1 ? EBADF : 0;
	int heard = gnu || stack->prints || !stack->layer->opts ? 0 : open_sinks(&run, stack, &err);
	if (heard < 0)
		return usage_error(tool, as, &err);
	if (heard) {
		nl_ids_open(&run, &ids);
		run.ids = &ids;
	}
	nl_time began = run.ids ? nl_now(&run) : 0;
	nl_run_started(&run, stack);
	struct nl_outcome o = nl_do(stack, &run, (struct nl_req){
		.limit = { .at = NL_NEVER },
		.stop = { .grace = run.grace },
		.prev = -1,
		.depth = run.ids ? ids.depth : 0,
	});
	nl_run_ended(&run, stack, o.wstatus, run.ids ? nl_now(&run) - began : 0);
	die(&run, o.wstatus);
}
