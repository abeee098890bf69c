/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tool.c - main() of every tool: the line, the process, the call, the end.
 *
 * The one file of lib/ that writes to descriptor 2 on its own account and
 * ends the process.
 */
#include "io.h"
#include "run.h"
#include "session.h"
#include "sink.h"
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
	struct nl_session session;
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
	if (!gnu && nl_session_open(&run, &session, stack, NL_LOUD, &err) < 0)
		return usage_error(tool, as, &err);
	die(&run, nl_session_call(&run, stack).wstatus);
}
