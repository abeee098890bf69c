/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call.c - the events that every call and every process has, and the words in
 * which people read outcomes.
 */
#include "event.h"

#include "opt.h"
#include "parse.h"
#include "proc.h"
#include "run.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>

/* As nl-events(5) says of names. */
static bool is_seconds(const char *key)
{
	size_t n = strlen(key);
	return n > 2 && key[n - 2] == '_' && key[n - 1] == 's';
}

void nl_span_close(struct nl_run *run, struct nl_span_of of, struct nl_outcome o, bool success, nl_time dur,
                   unsigned attempts, const char *human)
{
	struct nl_event e;
	char err[24];
	if (!run->ids)
		return;                         // Before the stack of an event is touched.
	int sev = success ? NL_INFO : of.depth == 0 ? NL_ERROR : NL_WARN;
	if (!nl_event_open(&e, run, of, success ? "nl.request.success" : "nl.request.failure", sev))
		return;
	const char *name = nl_err_name(o, err);
	nl_event_str(&e, "cmd", of.svc->cmd, 64);
	nl_event_end_of(&e, o.wstatus);
	if (!success)
		nl_event_str(&e, "err", name ? name : "exit_0", 24);
	nl_event_secs(&e, "dur_s", dur);
	if (attempts)
		nl_event_int(&e, "attempts", attempts);
	for (const struct nl_note *note = of.note; note && note->key; note++)
		if (note->text)
			nl_event_str(&e, note->key, note->text, 400);
		else if (is_seconds(note->key))
			nl_event_secs(&e, note->key, note->n);
		else
			nl_event_int(&e, note->key, note->n);
	if (human)
		nl_event_human(&e, "%s", human);
	nl_event_emit(&e);
}

/* The process's own span has its run's id. */
static struct nl_span_of of_run(const struct nl_run *run, const struct nl_svc *svc)
{
	return (struct nl_span_of){ svc, run->ids->run, run->ids->parent, run->ids->depth, 0, NULL };
}

void nl_run_started(struct nl_run *run, struct nl_svc *svc)
{
	struct nl_event e;
	struct utsname host;
	char boot[40], cfg[400], tool[32];
	if (!run->ids)
		return;
	if (!nl_event_open(&e, run, of_run(run, svc), "nl.run.started", NL_DEBUG))
		return;
	if (uname(&host) < 0)
		host.nodename[0] = '\0';
	nl_boot_id(run->os, boot);
	nl_opt_config(svc, cfg, sizeof cfg);
	snprintf(tool, sizeof tool, "nl-%s", svc->layer->name);
	nl_event_str(&e, "tool", tool, 32);
	nl_event_str(&e, "ver", NL_VERSION, 16);
	nl_event_str(&e, "cmd", svc->cmd, 64);
	nl_event_str(&e, "host", host.nodename, 64);
	nl_event_str(&e, "boot", boot, 36);
	nl_event_str(&e, "cfg", cfg, sizeof cfg);
	nl_event_emit(&e);
}

void nl_run_ended(struct nl_run *run, struct nl_svc *svc, int ws, nl_time dur)
{
	struct nl_event e;
	if (!run->ids)
		return;
	if (!nl_event_open(&e, run, of_run(run, svc), "nl.run.ended", NL_INFO))
		return;
	nl_event_end_of(&e, ws);
	nl_event_secs(&e, "dur_s", dur);
	e.tally = true;
	nl_event_emit(&e);
}

const char *nl_outcome_text(struct nl_outcome o, char buf[32])
{
	char name[16];
	if (o.why == NL_DEADLINE || nl_code(o.wstatus) == NL_EX_TIMEOUT)
		return "timeout";
	if (WIFSIGNALED(o.wstatus))
		snprintf(buf, 32, "signal %s", nl_signal_name(WTERMSIG(o.wstatus), name));
	else
		snprintf(buf, 32, "exit %d", nl_code(o.wstatus));
	return buf;
}

const char *nl_secs_text(nl_time t, char buf[32])
{
	snprintf(buf, 32, "%lld.%02lld s", (long long)(t / NL_SEC), (long long)(t % NL_SEC / (10 * NL_MS)));
	return buf;
}
