/* SPDX-License-Identifier: Apache-2.0 */
/*
 * query_fuzz.c - libFuzzer target: requests to `nl-observe serve`, a line each:
 * queries, their words and options, conditions, moments, values to replay.
 * Whatever is asked, the answer is one result, of the id that was asked with.
 */
#include "observe/observe.h"
#include "observe/serve.h"
#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(x) do { if (!(x)) abort(); } while (0)
#define HEAD "{\"nl\":1,\"time\":\"2026-11-24T13:00:0%u.000000Z\",\"event\":\"%s\",\"sev\":%u,\"policy\":\"%s\",\"kind\":\"%s\"," \
	"\"trace_id\":\"0123456789abcdef0123456789abcdef\",\"span_id\":\"%016x\",\"run\":\"%016x\",\"seq\":%u,\"pid\":7,\"depth\":0,\"mono_us\":%u,"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct nl_system *system_of;
static struct nl_recent recent;

static void tell(unsigned second, const char *event, unsigned sev, const char *policy, const char *kind, const char *more)
{
	static unsigned seq;
	static char room[NL_FACT_MAX];
	char line[NL_FACT_MAX];
	struct nl_fact f;
	int len = snprintf(line, sizeof line, HEAD "%s}", second, event, sev, policy, kind, seq, seq, seq % 3 + 1, second * 1000000, more);
	seq++;
	MUST(nl_fact_read(&f, line, (size_t)len, room) == NL_LINE_OK);
	nl_system_take(system_of, &f, 0);
	nl_recent_put(&recent, &f);
}

static void begin(void)
{
	system_of = nl_system_new((struct nl_system_cfg){ .late_us = INT64_MAX, .skew_us = INT64_MAX });
	MUST(system_of);
	nl_recent_init(&recent, system_of);
	for (unsigned i = 0; i < 9; i++) {
		tell(i, i % 3 ? "nl.request.success" : "nl.request.failure", 9, "api", "retry",
		     i % 3 ? "\"cmd\":\"curl\",\"exit\":0,\"dur_s\":0.020000,\"attempts\":2" : "\"cmd\":\"curl\",\"exit\":7,\"err\":\"exit_7\",\"dur_s\":0.500000,\"attempts\":3");
		tell(i, "nl.request.failure", 13, "db", "breaker",
		     "\"cmd\":\"psql\",\"exit\":2,\"err\":\"exit_2\",\"dur_s\":0.100000,\"counted\":\"failure\",\"permit\":1,\"step\":1,\"at_us\":77,\"cfg\":\"failures=3\"");
		tell(i, "nl.circuit.opened", 17, "db", "breaker", "\"from\":\"closed\",\"reason\":\"consecutive\",\"failures\":3,\"calls\":3,\"open_s\":30.000000,"
		     "\"epoch\":2,\"step\":2,\"at_us\":78,\"cfg\":\"failures=3\"");
		tell(i, "nl.bulkhead.acquired", 5, "pool", "bulkhead", "\"active\":1,\"max\":4,\"queued\":0,\"waited_s\":0.010000");
	}
}

static void ask(const char *text, size_t n)
{
	static struct nl_run run = { .os = &nl_os_linux };
	static const struct nl_observe_opts opts;
	struct nl_ask of = { .run = &run, .system = system_of, .live = true, .opts = &opts };
	struct nl_ctx *c = calloc(1, sizeof *c);
	struct nl_json_tok tok;
	MUST(c);
	c->run = &run;
	nl_serve_answer(c, &of, &recent, text, n);
	MUST(!c->reply.lost && c->reply.n > 2);
	int r = nl_json_parse(c->reply.buf, c->reply.n, &tok, 1, NULL);
	MUST(r == 1 || r == -2);                // -2: valid, and more than one token.
	MUST(c->reply.buf[0] == '{' && !memchr(c->reply.buf, '\n', c->reply.n));
	nl_ctx_free(c);
	free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *text = (const char *)data, *end;
	if (!system_of)
		begin();
	for (size_t at = 0; at < n; at = (size_t)(end - text) + 1) {
		end = memchr(text + at, '\n', n - at);
		end = end ? end : text + n;
		char *copy = malloc((size_t)(end - text) - at + 1);     // Its end is an end.
		MUST(copy);
		memcpy(copy, text + at, (size_t)(end - text) - at);
		ask(copy, (size_t)(end - text) - at);
		free(copy);
	}
	return 0;
}
