/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.c - what a wait status means: to a shell, to a SET of outcomes, to
 * events.  All judge by the wait status, which is all that an outer process
 * sees; a fused layer must not know more.
 */
#include "mut.h"
#include "nl.h"
#include "parse.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

int nl_code(int wstatus)
{
	if (WIFEXITED(wstatus))
		return WEXITSTATUS(wstatus);
	if (WIFSIGNALED(wstatus))
		return 128 + WTERMSIG(wstatus);
	return NL_EX_FAIL;
}

static bool half_match(const struct nl_codes_half *h, struct nl_outcome o)
{
	unsigned code = (unsigned)nl_code(o.wstatus);

	if (h->code[code / 64] >> code % 64 & 1)
		return true;
	if (h->any && code != 0)
		return true;
	if (h->timeout && (code == NL_EX_TIMEOUT || o.why == NL_DEADLINE))
		return true;
	if (h->rejected && code == NL_EX_REJECTED)
		return true;
	if (!WIFSIGNALED(o.wstatus))
		return false;
	return h->signal || (h->sig >> ((WTERMSIG(o.wstatus) - 1) & 63) & 1);
}

bool nl_codes_match(const struct nl_codes *set, struct nl_outcome o)
{
	return half_match(&set->in, o) && !half_match(&set->out, o);
}

bool nl_codes_default_failure(struct nl_outcome o)
{
	switch (nl_code(o.wstatus)) {
	case 0:
	case NL_EX_REJECTED:
	case NL_EX_FAIL:
	case NL_EX_NOEXEC:
	case NL_EX_NOTFOUND:
		return false;
	}
	return !(WIFSIGNALED(o.wstatus) && WTERMSIG(o.wstatus) == SIGPIPE);
}

enum nl_class nl_classify(const struct nl_codes *on, const struct nl_codes *except, const struct nl_codes *ok,
                          struct nl_outcome o)
{
	if (ok->set ? nl_codes_match(ok, o) : o.wstatus == 0)
		return NL_CLASS_SUCCESS;
	if (except->set && nl_codes_match(except, o))
		return NL_CLASS_NEITHER;
	bool failed = on->set ? nl_codes_match(on, o) : nl_codes_default_failure(o);
	return failed ? NL_CLASS_FAILURE : NL_CLASS_NEITHER;
}

const char *nl_err_name(struct nl_outcome o, char buf[24])
{
	char name[16];
	int code = nl_code(o.wstatus);

	if (o.why == NL_NOTRUN)
		return "spawn";
	if (o.why == NL_REFUSED)
		return "rejected";
	if (code == NL_EX_TIMEOUT)
		return "timeout";
	if (o.why == NL_DEADLINE)
		return "deadline";
	if (code == 0)
		return NULL;
	if (code == NL_EX_REJECTED)
		return "rejected";
	if (WIFSIGNALED(o.wstatus))
		(void)snprintf(buf, 24, "signal_%s", nl_signal_name(WTERMSIG(o.wstatus), name));
	else
		(void)snprintf(buf, 24, "exit_%d", code);
	return buf;
}

unsigned nl_outcome_rank(struct nl_outcome o)
{
	int code = nl_code(o.wstatus);
	if (MUTANT(FAIL_SPEAKS))
		return 0;
	return code == NL_EX_REJECTED ? 2 : code >= NL_EX_FAIL && code <= NL_EX_NOTFOUND ? 1 : 0;
}
