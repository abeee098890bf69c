/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.c - the whole story of a retry as one JSON object, for scripts and
 * agents.  The events' formatter writes it, so text is as safe as there.
 */
#include "report.h"

#include "event.h"
#include "parse.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

void nl_story_failed(struct nl_story *s, struct nl_failure f)
{
	s->last[s->failed++ % NL_STORY_LAST] = f;
}

int nl_report_open(struct nl_run *run, const char *path)
{
	return run->os->open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
}

static void add_outcome(struct nl_event *e, struct nl_outcome o)
{
	char err[24];
	const char *name = nl_err_name(o, err);
	nl_event_end_of(e, o.wstatus);
	if (name)
		nl_event_str(e, "err", name, 24);
}

int nl_report_write(struct nl_run *run, int fd, const struct nl_svc *svc, const struct nl_story *s, struct nl_outcome o,
                    const char *why, nl_time dur)
{
	struct nl_event e = { .run = run };
	char tool[] = "nl-retry";
	nl_event_str(&e, "tool", tool, sizeof tool);
	e.buf[0] = '{';                         // In place of the comma before a first key.
	nl_event_str(&e, "policy", svc->id, 64);
	nl_event_str(&e, "cmd", svc->cmd, 64);
	nl_event_str(&e, "outcome", why, 16);
	nl_event_int(&e, "attempts", s->attempts);
	nl_event_int(&e, "failed_attempts", s->failed);
	add_outcome(&e, o);
	nl_event_int(&e, "status", nl_code(o.wstatus));
	nl_event_secs(&e, "dur_s", dur);
	nl_event_secs(&e, "slept_s", s->slept);
	unsigned first = s->failed > NL_STORY_LAST ? s->failed - NL_STORY_LAST : 0;
	nl_event_open_list(&e, "last");
	for (unsigned i = first; i < s->failed; i++) {
		const struct nl_failure *f = &s->last[i % NL_STORY_LAST];
		size_t at = e.n;
		nl_event_int(&e, "attempt", f->attempt);
		add_outcome(&e, f->outcome);
		nl_event_secs(&e, "dur_s", f->dur);
		if (f->delay >= 0)
			nl_event_secs(&e, "delay_s", f->delay);
		nl_event_close_item(&e, at, i == first);
	}
	memcpy(e.buf + e.n, "]}\n", 3);
	e.n += 3;
	int r = 0;
	unsigned tries = 0;
	for (size_t at = 0; at < e.n && r >= 0; ) {
		ssize_t n = run->os->write(fd, e.buf + at, e.n - at);
		if (n > 0)
			at += (size_t)n;
		else if (n != -EINTR || ++tries > 100)
			r = n < 0 ? (int)n : -EIO;
	}
	nl_swallow(run, r);
	run->os->close(fd);
	return r;
}
