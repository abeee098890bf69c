/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nl-pipe - a pipeline as one command.
 *
 *	nl-pipe, which supervises --- pipeline, libpipeline's --- stages
 *
 * libpipeline exits on errors, reaps any child, raises signals, narrates, and
 * has its own statuses.  So it gets a process of its own, with every signal
 * blocked, no environment and one way out, and is left its pipes, forks and
 * waits; what becomes of a stage is ours.  That process is to the supervisor
 * what a command is: stopped with its descendants, gone when we are.
 */
#include "child.h"
#include "mut.h"
#include "opt.h"
#include "os.h"
#include "run.h"
#include "stack.h"
#include "stop.h"

#include <pipeline.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct line;
struct stage { char **argv; struct line *line; };

struct line {
	struct nl_svc svc;
	struct nl_word pipefail;
	struct nl_stopper stop;
	struct nl_run *run;
	pid_t pid;                      /* of the process between us and the stages */
	unsigned stages;
	struct stage *stage;
};

enum { PIPEFAIL, LAST_ALONE };

static const struct nl_opt options[] = {
	{ .name = "pipefail", .type = NL_PICK, .offset = offsetof(struct line, pipefail), .pick = PIPEFAIL,
	  .help = "the status is that of the last stage that failed", .def = "on" },
	{ .name = "no-pipefail", .type = NL_PICK, .offset = offsetof(struct line, pipefail), .pick = LAST_ALONE,
	  .help = "the status is the last stage's" },
	NL_OPT_STOP_K(struct line, stop),
	{ 0 }
};

/* Cuts argv at each | outside of brackets, which belong to a tool in a stage. */
static int pipe_init(struct nl_svc *svc, char ***argv, struct nl_err *err)
{
	struct line *l = (struct line *)svc;
	size_t n = 1, depth = 0;
	char **p = *argv;
	svc->prints = true;             // No policy: it has nothing to tell of.
	if (!*p)
		return nl_fail(err, "missing COMMAND");
	for (; *p; p++)
		n += !strcmp(*p, "|");
	l->stage = calloc(n, sizeof *l->stage);
	if (!l->stage)
		return nl_fail(err, "out of memory");
	l->stage[l->stages++] = (struct stage){ *argv, l };
	for (p = *argv; *p; p++) {
		depth += !strcmp(*p, "[");
		depth -= depth && !strcmp(*p, "]");
		if (!depth && !strcmp(*p, "|")) {
			*p = NULL;
			l->stage[l->stages++] = (struct stage){ p + 1, l };
		} else if (!depth) {
			*p = nl_stack_word(*p);
		}
	}
	*argv = p;
	if (depth)
		return nl_fail(err, "missing ] (a word [ is written \\[)");
	for (unsigned i = 0; i < l->stages; i++)
		if (!l->stage[i].argv[0])
			return nl_fail(err, "stage %u of %u has no COMMAND", i + 1, l->stages);
	return 0;
}

static _Noreturn void refuse(struct nl_run *run, const char *what, int error)
{
	nl_say(run, "cannot start '%.200s': %s", what, strerror(error));
	_exit(NL_EX_FAIL);
}

/* The forked stage, its pipes in place, becomes its command, with all else as it
 * was given to us. */
static void become(void *data)
{
	const struct stage *s = data;
	struct line *l = s->line;
	struct nl_run *run = l->run;
	bool first = s == l->stage, last = s == l->stage + l->stages - 1;
	if (!MUTANT(PIPE_ORPHANS))
		run->os->prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != l->pid)        // The pipeline died before the line above.
		refuse(run, s->argv[0], ESRCH);
	struct nl_spawn spec = {
		.argv = s->argv, .envp = run->environ, .path = nl_getenv(run, "PATH"),
		.mask = MUTANT(PIPE_MASK) ? ~UINT64_C(0) : run->signals->mask,
		.ign = run->signals->chld_ignored ? NL_SIGBIT(SIGCHLD) : 0,
		.fd = { first && run->mended & 1 ? -1 : 0, last && run->mended & 2 ? -1 : 1, run->mended & 4 ? -1 : 2 },
		.replace = true,
	};
	int error = -nl_os_linux.spawn(&spec);
	const char *hint = error == ENOENT && strchr(s->argv[0], ' ') ? " (one word: a stage is a command and its arguments)" : "";
	nl_say(run, "cannot run '%.200s': %s%s", s->argv[0], strerror(error), hint);
	_exit(error == ENOENT ? NL_EX_NOTFOUND : NL_EX_NOEXEC);
}

/* The wait status of the line.  A producer whose consumer had enough has not failed. */
static int judge(const struct line *l, const int *ws)
{
	int last = (int)l->stages - 1;
	for (int k = 0; k <= last; k++) {
		int i = MUTANT(PIPE_FIRST) ? k : last - k;
		bool enough = i < last && WIFSIGNALED(ws[i]) && WTERMSIG(ws[i]) == SIGPIPE && !MUTANT(PIPE_ENOUGH);
		if ((ws[i] != 0 && !enough) || l->pipefail.index == LAST_ALONE)
			return ws[i];
	}
	return 0;
}

/* Ends as a stage did, without a core of ours. */
static _Noreturn void end(const struct nl_os *os, int ws)
{
	if (WIFSIGNALED(ws)) {
		os->prctl(PR_SET_DUMPABLE, 0);
		os->action(WTERMSIG(ws), NL_SIG_DFL, NULL);
		os->kill(os->pid(), WTERMSIG(ws));
		os->mask(~NL_SIGBIT(WTERMSIG(ws)), NULL);
	}
	_exit(nl_code(ws));
}

static void give_up(void)
{
	if (!MUTANT(PIPE_EXITS))
		_exit(NL_EX_FAIL);
}

/* What told us to stop before the last stage was there: to all of them. */
static void pass_on(const struct nl_os *os, pipeline *p)
{
	uint64_t set = 0;
	os->syscall(SYS_rt_sigpending, (long)&set, sizeof set, 0, 0, 0, 0);
	for (int sig = 1; sig < NL_RTMIN; sig++)
		for (int i = 0; set & NL_SIGBIT(sig) && nl_stops_work(sig) && i < pipeline_get_ncommands(p); i++)
			os->kill(pipeline_get_pid(p, i), sig);
}

/* The process that is libpipeline's.  started gets a byte when all stages are there. */
static _Noreturn void conduct(struct line *l, const struct nl_spawn *s, int started)
{
	static char quiet[] = "PIPELINE_QUIET=1", *env[] = { quiet, NULL };
	const struct nl_os *os = l->run->os;
	pipeline *p;
	int *ws, n;
	os->prctl(PR_SET_NAME, (long)"pipeline");       // Not one of ours to those that look for nl-*.
	os->prctl(PR_SET_PDEATHSIG, s->deathsig);
	if (getppid() != s->parent)
		refuse(l->run, s->argv[0], ESRCH);
	if ((s->group && setpgid(0, 0) < 0) || atexit(give_up))
		refuse(l->run, s->argv[0], errno);
	environ = env;
	l->pid = os->pid();
	p = pipeline_new();
	for (unsigned i = 0; i < l->stages; i++)
		pipeline_command(p, pipecmd_new_function(l->stage[i].argv[0], become, NULL, &l->stage[i]));
	pipeline_start(p);
	os->write(started, "", 1);      // Failed, it costs the supervisor a moment.
	os->close(started);
	pass_on(os, p);
	pipeline_wait_all(p, &ws, &n);
	end(os, judge(l, ws));
}

static struct line *line;

/* Until there are stages to send a signal to, or the process is over. */
static void await(const struct nl_os *os, pid_t pid, int started)
{
	for (int i = 0; i < 100; i++) {
		struct pollfd p = { .fd = started, .events = POLLIN };
		if (os->poll(&p, 1, 100 * NL_MS) > 0 || os->peek(pid) != 0)
			return;
	}
}

/* As vfork does, it returns when there are commands. */
static pid_t spawn(struct nl_spawn *s)
{
	const struct nl_os *os = &nl_os_linux;
	int fd[2], r = (int)os->syscall(SYS_pipe2, (long)fd, O_CLOEXEC, 0, 0, 0, 0);
	if (r < 0)
		return r;
	pid_t pid = fork();
	if (pid == 0)
		conduct(line, s, fd[1]);
	r = -errno;
	os->close(fd[1]);
	if (pid > 0)
		await(os, pid, fd[0]);
	os->close(fd[0]);
	return pid < 0 ? r : pid;
}

static struct nl_outcome pipe_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	static char name[] = "pipeline", *argv[] = { name, NULL };
	const struct nl_os *before = run->os;
	struct nl_os os = *before;
	struct nl_spawn spec = { .argv = argv, .group = !run->terminal, .deathsig = SIGKILL, .parent = run->pid };
	line = (struct line *)svc;
	line->run = run;
	nl_stopper_grace(&line->stop, &q);
	os.spawn = spawn;
	run->os = &os;
	struct nl_outcome o = nl_child(run, &q, &spec, NULL);
	run->os = before;
	if (o.why == NL_NOTRUN)
		nl_say(run, "cannot start the pipeline: %s", strerror(spec.error));
	return o;
}

static void pipe_free(struct nl_svc *svc)
{
	free(((struct line *)svc)->stage);
}

static const struct nl_layer pipe_layer = {
	.name = "pipe",
	.usage = "[--no-pipefail] [-k DURATION] COMMAND [ARG]... ['|' COMMAND [ARG]...]...",
	.about = "Run a pipeline as one command.",
	.opts = options,
	.leaf = true,
	.mute = true,
	.size = sizeof(struct line),
	.init = pipe_init,
	.call = pipe_call,
	.free = pipe_free,
};

int main(int argc, char **argv)
{
	return nl_main(&pipe_layer, argc, argv);
}
