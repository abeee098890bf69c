/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embed.c - policies in a program: around a function of its own, and around a
 * command.
 *
 *   cc embed.c $(pkg-config --cflags --libs --static ninelives) -o embed && ./embed
 */
#include <nl.h>

#include <stdio.h>

/* A service that works at the third call. */
static int fetch(void *arg, const struct nl_attempt *now)
{
	unsigned *calls = arg;
	++*calls;
	printf("fetch: attempt %u of %u, before: %d\n", now->attempt, now->max, now->prev);
	return *calls < 3 ? 1 : 0;
}

static void print(const char *what, const struct nl_result *r)
{
	printf("%s: status %d after %u attempts%s\n", what, r->status, r->attempts, r->why == NL_DEADLINE ? ", too late" : "");
}

int main(void)
{
	static char sleep[] = "sleep", minute[] = "60", *const command[] = { sleep, minute, NULL };
	struct nl_err err;
	struct nl_result r;
	unsigned calls = 0;

	struct nl_policy *patient = nl_policy_open("retry(5, backoff=constant:10ms)", &err);
	struct nl_policy *hasty = nl_policy_open("retry(2, backoff=constant:10ms) + timeout(100ms)", &err);
	if (!patient || !hasty) {
		printf("%s\n", err.msg);
		return 1;
	}
	if (nl_policy_call(patient, "fetch", fetch, &calls, NL_HERE, &r) == 0)
		print("fetch", &r);
	if (nl_policy_run(hasty, command, &r) == 0)
		print("sleep 60", &r);
	nl_policy_close(hasty);
	nl_policy_close(patient);
	return 0;
}

/*| fetch: attempt 1 of 5, before: -1
 *| fetch: attempt 2 of 5, before: 1
 *| fetch: attempt 3 of 5, before: 1
 *| fetch: status 0 after 3 attempts
 *| sleep 60: status 124 after 2 attempts
 */
