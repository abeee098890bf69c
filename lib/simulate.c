/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simulate.c - operations in, states out.  A `vec` line begins a new breaker of
 * one of three vocabularies: each library's configuration in that library's
 * words, and ours.  Strict: an unknown member is an error, so a recording with
 * its answers in it is refused.
 */
#include "simulate.h"

#include "circuit.h"
#include "io.h"
#include "json.h"
#include "lease.h"
#include "run.h"
#include "simcfg.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define LEN(a) (sizeof(a) / sizeof *(a))
#define LINE 4096
#define TOKENS 128
#define T0 (INT64_C(1546344000000) * NL_MS)     /* where a recording says nothing */
#define TIME_MOST (INT64_C(4102444800000) * NL_MS)      /* 2100 */

enum { OURS = 1 << NL_SEM_NINELIVES, R4J = 1 << NL_SEM_RESILIENCE4J, GO = 1 << NL_SEM_GOBREAKER, ALL = OURS | R4J | GO };

struct sim {
	struct nl_run *run;
	struct nl_req *q;
	unsigned line;
	struct nl_err err;              /* of a line that is wrong */
	struct nl_outcome end;
	/* The breaker. */
	bool begun;
	unsigned profile;               /* OURS, R4J, GO */
	struct nl_circuit_cfg cfg;
	struct nl_circuit c;
	uint64_t epoch;
	nl_time now;
	int64_t taken;                  /* resilience4j: permits of this half-open state */
	unsigned probes;                /* ours: in flight, and the epochs that they are of */
	uint64_t probe[NL_SLOTS];
	/* The line. */
	struct nl_json_tok tok[TOKENS];
	size_t n, used;                 /* bytes in buf; of the line, its end included */
	char buf[LINE + 1];
	char out[LINE + 512];
};

static int begin(struct sim *s)
{
	static const struct nl_sim_number t0 = { "t0", 1, 4102444800000, true };
	static const char *const known[] = { "vec", "t0", "cfg" };
	double at = -1;
	char key[8];
	for (unsigned k = 1; k < s->tok[0].next; k = s->tok[k + 1].next) {
		size_t i = 0;
		bool fits = nl_json_string(s->buf, &s->tok[k], key, sizeof key) >= 0;
		while (i < LEN(known) && (!fits || strcmp(known[i], key)))
			i++;
		if (i == LEN(known))
			return nl_fail(&s->err, "%s: unknown member", fits ? key : "vec");
		if (i == 1 && nl_sim_number(s->buf, &s->tok[k + 1], &t0, &at, &s->err))
			return -1;
	}
	if (nl_sim_cfg(s->buf, s->tok, nl_json_get(s->buf, s->tok, 0, "cfg"), &s->cfg, &s->err))
		return -1;
	s->profile = 1u << s->cfg.semantics;
	memset(&s->c, 0, sizeof s->c);
	s->begun = true;
	s->epoch = 1;
	s->now = at < 0 ? T0 : nl_sim_ms(at);
	s->taken = 0, s->probes = 0;
	nl_circuit_step(&s->cfg, &s->c, &s->epoch, &(struct nl_circuit_input){ .event = NL_LOOK, .now = s->now });
	return 0;
}

enum arg { MS = 1, DUR = 2, EPOCH = 4, AGE = 8 };
enum act { STEP, ACQUIRE, RELEASE, ADVANCE };

static const struct op { const char *name; unsigned profiles, args; enum act act; enum nl_circuit_event event; } ops[] = {
	{ "acquire", ALL, 0, ACQUIRE, NL_ACQUIRE },
	{ "adv", ALL, MS, ADVANCE, NL_LOOK },
	{ "ok", OURS | R4J, DUR | EPOCH, STEP, NL_SUCCESS },
	{ "ok", GO, EPOCH | AGE, STEP, NL_SUCCESS },
	{ "fail", OURS | R4J, DUR | EPOCH, STEP, NL_FAILURE },
	{ "fail", GO, EPOCH | AGE, STEP, NL_FAILURE },
	{ "ignored", OURS | R4J, DUR | EPOCH, RELEASE, NL_IGNORED },
	{ "excluded", GO, EPOCH | AGE, STEP, NL_IGNORED },
	{ "release", OURS | R4J, EPOCH, RELEASE, NL_IGNORED },
	{ "noop", ALL, 0, STEP, NL_LOOK },
	{ "reset", ALL, 0, STEP, NL_RESET },
	{ "disable", ALL, 0, STEP, NL_DISABLE },
	{ "force_open", ALL, 0, STEP, NL_FORCE_OPEN },
	{ "force_closed", ALL, 0, STEP, NL_FORCE_CLOSED },
};

static const struct { unsigned profiles; enum arg arg; struct nl_sim_number n; } args[] = {
	{ ALL, MS, { "ms", 0, NL_SIM_MS_MOST, false } },
	{ ALL, DUR, { "dur", 0, NL_SIM_MS_MOST, false } },
	{ OURS, EPOCH, { "epoch", 0, 9007199254740992, true } },
	{ GO, EPOCH, { "tgen", 0, 9007199254740992, true } },
	{ GO, AGE, { "tage", 0, 9007199254740992, true } },
};

/* The operation of the line, and its arguments; absent ones are -1. */
static const struct op *read_op(struct sim *s, double arg[LEN(args)])
{
	static const struct nl_sim_number i = { "i", -9007199254740992, 9007199254740992, true };
	const struct op *op = NULL;
	char key[16], name[16] = "";
	double x;
	int at = nl_json_get(s->buf, s->tok, 0, "op");
	if (at < 0 || nl_json_string(s->buf, &s->tok[at], name, sizeof name) < 0)
		return nl_fail(&s->err, "neither vec nor op"), NULL;
	for (size_t k = 0; k < LEN(ops) && !op; k++)
		if (ops[k].profiles & s->profile && !strcmp(ops[k].name, name))
			op = &ops[k];
	if (!op)
		return nl_fail(&s->err, "op: unknown: %s", name), NULL;
	for (size_t k = 0; k < LEN(args); k++)
		arg[k] = -1;
	for (unsigned k = 1; k < s->tok[0].next; k = s->tok[k + 1].next) {
		size_t a = 0;
		bool fits = nl_json_string(s->buf, &s->tok[k], key, sizeof key) >= 0;
		if (fits && !strcmp(key, "op"))
			continue;
		if (fits && !strcmp(key, "i")) {
			if (nl_sim_number(s->buf, &s->tok[k + 1], &i, &x, &s->err))
				return NULL;
			continue;
		}
		while (a < LEN(args) && !(fits && args[a].profiles & s->profile && args[a].arg & op->args && !strcmp(args[a].n.name, key)))
			a++;
		if (a == LEN(args))
			return nl_fail(&s->err, "%s: %s: not an input of it", name, fits ? key : "a member"), NULL;
		if (nl_sim_number(s->buf, &s->tok[k + 1], &args[a].n, &arg[a], &s->err))
			return NULL;
	}
	if (op->args & MS && arg[0] < 0)
		return nl_fail(&s->err, "adv: ms is missing"), NULL;
	return op;
}

/* Permits in use, as the kernel would know it of ours. */
static unsigned held(const struct sim *s)
{
	const struct nl_tally *n = &s->c.n;
	if (s->profile == OURS)
		return s->probes;
	if (s->c.state != NL_HALF_OPEN)
		return 0;
	if (s->profile == R4J)
		return s->taken > 0 ? (unsigned)s->taken : 0;
	return n->calls - n->oks - n->fails - n->excluded;
}

static void give_back(struct sim *s, uint64_t epoch)
{
	for (unsigned i = 0; i < s->probes; i++)
		if (s->probe[i] == epoch) {
			s->probe[i] = s->probe[--s->probes];
			return;
		}
}

static void note_acquired(struct sim *s, const struct nl_circuit_step *r)
{
	if (r->verdict != NL_PROBE)
		return;
	s->taken = r->moved ? 1 : s->taken + 1;
	if (s->probes < LEN(s->probe))
		s->probe[s->probes++] = s->epoch;
}

static int answer(struct sim *s, const char *admitted);

static int operate(struct sim *s)
{
	double arg[LEN(args)];
	if (!s->begun)
		return nl_fail(&s->err, "no vec line before it");
	const struct op *op = read_op(s, arg);
	if (!op)
		return -1;
	double epoch = s->profile == OURS ? arg[2] : arg[3];
	struct nl_circuit_input in = {
		.event = op->event, .held = held(s), .dur = nl_sim_ms(arg[1] > 0 ? arg[1] : 0), .ws = NL_EXIT(1),
		.epoch = s->profile == R4J ? 0 : epoch < 0 ? s->epoch : (uint64_t)epoch,
		.age = arg[4] < 0 ? s->c.bucket : (int64_t)arg[4],
	};
	if (op->act == ADVANCE) {
		if (nl_sim_ms(arg[0]) > TIME_MOST - s->now)
			return nl_fail(&s->err, "adv: beyond the year 2100");
		s->now += nl_sim_ms(arg[0]);
	}
	in.now = s->now;
	struct nl_circuit_step r = nl_circuit_step(&s->cfg, &s->c, &s->epoch, &in);
	if (op->act == ACQUIRE)
		note_acquired(s, &r);
	else if (op->event >= NL_SUCCESS && op->event <= NL_IGNORED)
		give_back(s, in.epoch);
	if (op->act == RELEASE && s->c.state == NL_HALF_OPEN)
		s->taken--;
	return answer(s, op->act != ACQUIRE ? "" : r.verdict == NL_REJECT ? ",\"ok\":false" : ",\"ok\":true");
}

/* Stopped from outside. */
static int end_by(struct sim *s, enum nl_why why)
{
	s->end = (struct nl_outcome){ s->run->stop_sig ? s->run->stop_sig : SIGTERM, why };
	return -1;
}

/* float32, as the library has it. */
static const char *rate(uint32_t n, uint32_t calls, int64_t known, char buf[24])
{
	float x = known < 0 ? -1.0f : (float)n * 100.0f / (float)calls;
	snprintf(buf, 24, x == floorf(x) ? "%.0f" : "%.6f", (double)x);
	return buf;
}

static void state_name(const struct sim *s, char buf[16])
{
	snprintf(buf, 16, "%s", nl_circuit_name((enum nl_circuit_state)s->c.state));
	for (char *p = buf; *p; p++) {
		if (s->profile == R4J && *p >= 'a' && *p <= 'z')
			*p = (char)(*p - 'a' + 'A');
		if (s->profile == GO && *p == '_')
			*p = '-';
	}
}

/* 0, -1: the outcome says why there is no more to do. */
static int put(struct sim *s, size_t n)
{
	int error = 0;
	enum nl_why why = nl_put(s->run, s->q, nl_chain(s->run, s->q, 0), s->out, n, &error);
	if (why != NL_RAN)
		return end_by(s, why);
	if (error)
		s->end = (struct nl_outcome){ error == EPIPE ? SIGPIPE : NL_EXIT(NL_EX_FAIL), NL_RAN };
	return error ? -1 : 0;
}

/* The line itself without its last brace, then the answer. */
static int answer(struct sim *s, const char *admitted)
{
	char state[16], a[24], b[24];
	struct nl_circuit_input look = { .event = NL_LOOK, .now = s->now };
	nl_circuit_step(&s->cfg, &s->c, &s->epoch, &look);
	struct nl_circuit_counts k = nl_circuit_counts(&s->cfg, &s->c, s->now);
	state_name(s, state);
	size_t n = s->tok[0].end - 1 - s->tok[0].start, room = sizeof s->out;
	memcpy(s->out, s->buf + s->tok[0].start, n);
	n += (size_t)snprintf(s->out + n, room - n, "%s,\"t\":%lld,\"state\":\"%s\"", admitted, (long long)(s->now / NL_MS), state);
	if (s->profile == OURS)
		n += (size_t)snprintf(s->out + n, room - n, ",\"calls\":%u,\"fail\":%u,\"slow\":%u,\"epoch\":%llu}\n", k.n.calls, k.n.fails,
		                      k.n.slows, (unsigned long long)s->epoch);
	else if (s->profile == R4J)
		n += (size_t)snprintf(s->out + n, room - n, ",\"buf\":%u,\"fail\":%u,\"slow\":%u,\"frate\":%s,\"srate\":%s,\"np\":%u}\n",
		                      k.n.calls, k.n.fails, k.n.slows, rate(k.n.fails, k.n.calls, k.fail_ppm, a),
		                      rate(k.n.slows, k.n.calls, k.slow_ppm, b), s->c.rejected);
	else
		n += (size_t)snprintf(s->out + n, room - n,
		                      ",\"gen\":%llu,\"req\":%u,\"succ\":%u,\"fail\":%u,\"excl\":%u,\"cs\":%u,\"cf\":%u}\n",
		                      (unsigned long long)s->epoch, k.n.calls, k.n.oks, k.n.fails, k.n.excluded, s->c.streak_ok,
		                      s->c.streak_fail);
	return put(s, n);
}

static int answer_line(struct sim *s, size_t n)
{
	int r = nl_json_parse(s->buf, n, s->tok, TOKENS, NULL);
	if (r <= 0)
		return nl_fail(&s->err, r == -2 ? "too many values" : "not JSON");
	if (s->tok[0].type != NL_JSON_OBJECT)
		return nl_fail(&s->err, "not an object");
	if (nl_json_get(s->buf, s->tok, 0, "vec") < 0)
		return operate(s);
	if (begin(s))
		return -1;
	n = s->tok[0].end - s->tok[0].start;
	memcpy(s->out, s->buf + s->tok[0].start, n);
	s->out[n++] = '\n';
	return put(s, n);
}

/* Reads on until buf begins with a line: 1; 0 at the end of the input; -1. */
static int next_line(struct sim *s, size_t *length)
{
	struct nl_run *run = s->run;
	memmove(s->buf, s->buf + s->used, s->n - s->used);
	s->n -= s->used, s->used = 0;
	for (;;) {
		char *newline = memchr(s->buf, '\n', s->n);
		if (newline) {
			*length = (size_t)(newline - s->buf);
			s->used = *length + 1;
			return 1;
		}
		if (s->n == sizeof s->buf)
			return s->line++, nl_fail(&s->err, "longer than %d bytes", LINE);
		struct pollfd p[2] = { { .fd = s->q->io.in, .events = POLLIN } };
		struct nl_limit limit = nl_limit(s->q);
		siginfo_t si;
		int sig = nl_poll(run, p, 1, limit.at, &si);
		if (sig > 0)
			nl_alone(run, sig);
		if (run->stop_sig)
			return end_by(s, nl_why_told(run));
		if (sig == NL_WAKE_TIME) {
			run->fired = limit.owner;
			return end_by(s, NL_DEADLINE);
		}
		if (sig != NL_WAKE_IO)
			continue;
		ssize_t r = run->os->read(s->q->io.in, s->buf + s->n, sizeof s->buf - s->n);
		if (r == -EINTR || r == -EAGAIN)
			continue;
		if (r < 0)
			return s->line = 0, nl_fail(&s->err, "%s", strerror((int)-r));
		if (r == 0) {
			*length = s->used = s->n;
			return s->n > 0;
		}
		s->n += (size_t)r;
	}
}

NL_COLD struct nl_outcome nl_simulate(struct nl_run *run, struct nl_req *q)
{
	struct sim s = { .run = run, .q = q };
	size_t n = 0;
	int r;
	while ((r = next_line(&s, &n)) > 0) {
		s.line++;
		if ((r = answer_line(&s, n)) < 0)
			break;
	}
	if (r == 0 || !s.err.msg[0])
		return s.end;
	if (s.line)
		nl_say(run, "line %u: %s", s.line, s.err.msg);
	else
		nl_say(run, "stdin: %s", s.err.msg);
	return (struct nl_outcome){ NL_EXIT(NL_EX_FAIL), NL_RAN };
}
