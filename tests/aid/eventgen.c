/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eventgen.c - writes a log as nl-retry, nl-timeout, nl-breaker and nl-bulkhead
 * would have written it together, and says what is in it.
 *
 *	eventgen [-KEY VALUE]...
 *	  -n 1000000  lines                     -o 0  lines are out of order, by about so many
 *	  -s 1        seed                      -d 0  per million: lines that are there twice
 *	  -p 200      policies, a kind each     -l 0  lines that are lost
 *	  -t 3600     seconds                   -x 0  runs that are killed
 *	  -e 100000   per million: failures     -f 0  lines of others, and beginnings of lines
 *	  -v 9        least severity (5: all)   -k 15 kinds: 1 retry, 2 timeout, 4 breaker, 8 bulkhead
 *	  -a FILE     the truth as "key value" lines
 *
 * Runs overlap: what happens next, in any of them, is the first in a heap.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE 640
#define BEGIN_US INT64_C(1795957200000000)     /* 2026-11-29T13:00:00Z */
#define MANY 65536                              /* runs at a time, most */

enum kind { RETRY, TIMEOUT, BREAKER, BULKHEAD, KINDS };
static const char *const kinds[KINDS] = { "retry", "timeout", "breaker", "bulkhead" };

static struct { int64_t lines, seed, policies, span, failing, level, kinds, order, twice, lost, killed, foreign; } cfg = {
	.lines = 1000000, .seed = 1, .policies = 200, .span = 3600, .failing = 100000, .level = 9, .kinds = 15,
};
static struct { uint64_t lines, events, dup, not_event, runs, ended, killed, sent, ok, lost, requests, failures; } truth;

struct policy { char name[16]; enum kind kind; uint64_t epoch; int64_t open_until; unsigned streak, active; bool half, open; double typical_us; };
struct run { int64_t at, begun, tried_at, slept; uint64_t trace[2], id, span; uint32_t seq, sent, missing, step, attempts, attempt; int pid; struct policy *p; bool ok, slow; };

static struct policy *policies;
static struct run *heap[MANY];
static unsigned runs;
static char out[1 << 18], *held, *line, *end;   /* end: of the line being made */
static size_t nout;

static uint64_t state;
static uint64_t rnd(void)                       /* splitmix64 */
{
	uint64_t z = state += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static bool happens(int64_t per_million)
{
	return per_million > 0 && (int64_t)(rnd() % 1000000) < per_million;
}

/* Log-normal, nearly: sigma 0.9. */
static int64_t duration(double typical_us)
{
	double z = 0;
	for (int i = 0; i < 6; i++)
		z += (double)(rnd() >> 11) / 9007199254740992.0 - .5;
	return (int64_t)(typical_us * exp(.9 * z * 1.41421356)) + 1;
}

static void flush(void)
{
	for (size_t at = 0; at < nout;) {
		ssize_t n = write(1, out + at, nout - at);
		if (n < 0)
			exit(1);
		at += (size_t)n;
	}
	nout = 0;
}

static void put_out(const char *text, size_t n)
{
	if (nout + n > sizeof out)
		flush();
	memcpy(out + nout, text, n);
	nout += n;
	truth.lines += text[n - 1] == '\n';
}

/* A line into the log; out of order: in the place of another, which goes now. */
static void put_line(const char *text, size_t n)
{
	if (cfg.order == 0) {
		put_out(text, n);
		return;
	}
	char *slot = held + (rnd() % (uint64_t)cfg.order) * LINE;
	uint16_t was;
	memcpy(&was, slot, sizeof was);
	if (was)
		put_out(slot + 2, was);
	was = (uint16_t)n;
	memcpy(slot, &was, sizeof was);
	memcpy(slot + 2, text, n);
}

static void put_held(void)
{
	for (int64_t i = 0; i < cfg.order; i++) {
		uint16_t n;
		memcpy(&n, held + i * LINE, sizeof n);
		if (n)
			put_out(held + i * LINE + 2, n);
	}
}

static void text(const char *s)
{
	size_t n = strlen(s);
	memcpy(end, s, n);
	end += n;
}

static void padded(uint64_t v, int width)
{
	for (int i = width; i-- > 0; v /= 10)
		end[i] = (char)('0' + v % 10);
	end += width;
}

static void number(uint64_t v)
{
	int width = 1;
	for (uint64_t u = v; u >= 10; u /= 10)
		width++;
	padded(v, width);
}

static void hex(uint64_t v)
{
	for (int i = 15; i >= 0; i--, v >>= 4)
		end[i] = "0123456789abcdef"[v & 15];
	end += 16;
}

static void seconds(const char *key, int64_t us)
{
	text(key);
	number((uint64_t)us / 1000000);
	*end++ = '.';
	padded((uint64_t)us % 1000000, 6);
}

static void count(const char *key, uint64_t v)
{
	text(key);
	number(v);
}

/* All is within the month in which it begins. */
static void put_time(int64_t us)
{
	int64_t s = us / 1000000;
	text("2026-11-");
	padded(29 + (uint64_t)((s - BEGIN_US / 1000000 + 13 * 3600) / 86400), 2);
	*end++ = 'T';
	padded((uint64_t)(s % 86400 / 3600), 2);
	*end++ = ':';
	padded((uint64_t)(s % 3600 / 60), 2);
	*end++ = ':';
	padded((uint64_t)(s % 60), 2);
	*end++ = '.';
	padded((uint64_t)us % 1000000, 6);
	*end++ = 'Z';
}

/* Begins an event of the run.  False: the place does not take this severity. */
static bool event(struct run *r, const char *name, int sev, bool of_run)
{
	uint32_t seq = r->seq++;
	if (sev < cfg.level)
		return false;
	end = line;
	text("{\"nl\":1,\"time\":\"");
	put_time(r->at);
	text("\",\"event\":\"");
	text(name);
	count("\",\"sev\":", (uint64_t)sev);
	text(",\"policy\":\"");
	text(r->p->name);
	text("\",\"kind\":\"");
	text(kinds[r->p->kind]);
	text("\",\"trace_id\":\"");
	hex(r->trace[0]);
	hex(r->trace[1]);
	text("\",\"span_id\":\"");
	hex(of_run ? r->id : r->span);
	text("\",\"run\":\"");
	hex(r->id);
	count("\",\"seq\":", seq);
	count(",\"pid\":", (uint64_t)r->pid);
	count(",\"depth\":0,\"mono_us\":", (uint64_t)(r->at - BEGIN_US + 777777777));
	r->sent++;
	return true;
}

static void emit(struct run *r)
{
	text("}\n");
	size_t n = (size_t)(end - line);
	if (happens(cfg.lost)) {
		r->missing++;
		return;
	}
	truth.events++;
	if (happens(cfg.foreign)) {
		static const char *const others[] = { "curl: (28) Operation timed out\n", "retrying... ", "{\"level\":\"info\",\"msg\":\"ok\"}\n", "50%\r" };
		const char *s = others[rnd() % 4];
		truth.not_event += s[strlen(s) - 1] == '\n';
		char both[LINE];
		size_t k = strlen(s);
		memcpy(both, s, k);
		if (s[k - 1] == '\n') {
			put_line(both, k);
		} else {
			memcpy(both + k, line, n);
			put_line(both, n + k);
			return;
		}
	}
	put_line(line, n);
	if (happens(cfg.twice)) {
		truth.dup++;
		put_line(line, n);
	}
}

static void put_cmd(void)
{
	text(",\"cmd\":\"curl\"");
}

static void put_exit(const struct run *r, const char *rejected)
{
	text(rejected ? rejected : r->slow ? ",\"exit\":124,\"err\":\"timeout\"" : ",\"exit\":7,\"err\":\"exit_7\"");
}

static void request(struct run *r, bool ok, const char *rejected, int64_t us)
{
	truth.requests++, truth.failures += !ok;
	if (!event(r, ok ? "nl.request.success" : "nl.request.failure", ok ? 9 : 17, false))
		return;
	put_cmd();
	if (ok)
		text(",\"exit\":0");
	else
		put_exit(r, rejected);
	seconds(",\"dur_s\":", us);
	if (r->p->kind == RETRY)
		count(",\"attempts\":", r->attempt);
	if (ok && r->attempt > 1)
		seconds(",\"last_s\":", r->at - r->tried_at);
	emit(r);
}

/* One attempt is over.  True: there is another. */
static bool step_retry(struct run *r)
{
	r->attempt++;
	if (r->attempt <= r->attempts) {
		int64_t delay = (int64_t)(rnd() % (100000u << r->attempt));
		if (event(r, "nl.retry.attempt", 13, false)) {
			put_cmd();
			count(",\"attempt\":", r->attempt);
			text(",\"max\":3");
			put_exit(r, NULL);
			seconds(",\"dur_s\":", r->at - r->tried_at);
			seconds(",\"delay_s\":", delay);
			emit(r);
		}
		r->slept += delay;
		r->tried_at = r->at + delay;
		r->at = r->tried_at + duration(r->p->typical_us);
		return true;
	}
	if (!r->ok && event(r, "nl.retry.exhausted", 17, false)) {
		text(",\"attempts\":3,\"max\":3,\"reason\":\"max_attempts\"");
		put_exit(r, NULL);
		seconds(",\"dur_s\":", r->at - r->begun);
		seconds(",\"slept_s\":", r->slept);
		seconds(",\"last_s\":", r->at - r->tried_at);
		emit(r);
	}
	request(r, r->ok, NULL, r->at - r->begun);
	return false;
}

static void end_timeout(struct run *r)
{
	if (r->slow && event(r, "nl.timeout.occurred", 13, false)) {
		put_cmd();
		seconds(",\"limit_s\":", r->at - r->begun - 431);
		seconds(",\"dur_s\":", r->at - r->begun);
		text(",\"reason\":\"limit\",\"signal\":\"TERM\",\"grace_s\":5.000000,\"killed\":false");
		emit(r);
	}
	request(r, r->ok, NULL, r->at - r->begun);
}

static void end_breaker(struct run *r)
{
	struct policy *p = r->p;
	p->streak = r->ok ? 0 : p->streak + 1;
	bool opens = !p->open && !r->ok && (p->half || p->streak == 3);
	if (opens && event(r, "nl.circuit.opened", 17, false)) {
		text(p->half ? ",\"from\":\"half_open\",\"reason\":\"probe_failed\"" : ",\"from\":\"closed\",\"reason\":\"consecutive\"");
		count(",\"failures\":", p->streak);
		count(",\"calls\":", p->streak);
		count(",\"open_s\":5.000000,\"epoch\":", p->epoch + 1);
		count(",\"errs\":{\"exit_7\":", p->streak);
		text("},\"last\":[\"");
		hex(r->span);
		text("\"]");
		emit(r);
	}
	if (opens)
		p->open = true, p->half = false, p->epoch++, p->open_until = r->at + 5000000;
	if (p->half && r->ok) {
		if (event(r, "nl.circuit.closed", 9, false)) {
			count(",\"from\":\"half_open\",\"reason\":\"success\",\"probes\":1,\"was_open_s\":5.000000,\"epoch\":", p->epoch + 1);
			emit(r);
		}
		p->half = false, p->epoch++;
	}
	request(r, r->ok, NULL, r->at - r->begun);
}

/* False: it is not admitted, and over. */
static bool begin_breaker(struct run *r)
{
	struct policy *p = r->p;
	if (p->open && r->at >= p->open_until) {
		p->open = false, p->half = true, p->epoch++;
		if (event(r, "nl.circuit.half_open", 9, false)) {
			count(",\"from\":\"open\",\"was_open_s\":5.000000,\"probes\":1,\"epoch\":", p->epoch);
			emit(r);
		}
		return true;
	}
	if (!p->open)
		return true;
	if (event(r, "nl.circuit.rejected", 13, false)) {
		put_cmd();
		seconds(",\"state\":\"open\",\"retry_after_s\":", p->open_until - r->at);
		count(",\"exit\":75,\"epoch\":", p->epoch);
		emit(r);
	}
	request(r, false, ",\"exit\":75,\"err\":\"rejected\"", 61);
	return false;
}

static bool begin_bulkhead(struct run *r)
{
	struct policy *p = r->p;
	bool full = p->active == 8;
	if (event(r, full ? "nl.bulkhead.rejected" : "nl.bulkhead.acquired", full ? 13 : 5, false)) {
		count(",\"active\":", full ? 8 : p->active + 1);
		text(full ? ",\"max\":8,\"queued\":0,\"reason\":\"saturated\",\"waited_s\":0.000000,\"exit\":75" : ",\"max\":8,\"queued\":0,\"waited_s\":0.000093,\"slot\":1");
		emit(r);
	}
	if (full)
		request(r, false, ",\"exit\":75,\"err\":\"rejected\"", 61);
	else
		p->active++;
	return !full;
}

static void end_bulkhead(struct run *r)
{
	r->p->active--;
	if (event(r, "nl.bulkhead.released", 5, false)) {
		count(",\"active\":", r->p->active);
		seconds(",\"max\":8,\"held_s\":", r->at - r->begun);
		text(",\"slot\":1");
		emit(r);
	}
	request(r, r->ok, NULL, r->at - r->begun);
}

static void end_run(struct run *r)
{
	if (!event(r, "nl.run.ended", 9, true))
		return;
	count(",\"exit\":", r->ok ? 0 : 7);
	seconds(",\"dur_s\":", r->at - r->begun + 500);
	count(",\"events\":", r->sent);
	uint32_t missing = r->missing;
	emit(r);
	if (r->missing > missing)
		return;                         // Its end is lost, so nobody knows.
	truth.ended++;
	truth.sent += r->sent, truth.lost += missing;
	truth.ok += r->sent - missing;
}

/* What happens at r->at.  False: the run is over. */
static bool step(struct run *r)
{
	bool admitted = true, more = false;
	if (r->step++ == 0) {
		if (event(r, "nl.run.started", 5, true)) {
			text(",\"tool\":\"nl-");
			text(kinds[r->p->kind]);
			text("\",\"ver\":\"0.1.0\",\"cmd\":\"curl\",\"host\":\"node-7\",\"boot\":\"2c9079af-465f-427c-a32b-bef724244908\",\"cfg\":\"\"");
			emit(r);
		}
		admitted = r->p->kind == BREAKER ? begin_breaker(r) : r->p->kind == BULKHEAD ? begin_bulkhead(r) : true;
		r->at += admitted ? duration(r->p->typical_us) : 150;
		if (admitted && happens(cfg.killed)) {
			r->p->active -= r->p->kind == BULKHEAD;
			truth.killed++;
			return false;
		}
		if (admitted)
			return true;
	} else if (r->p->kind == RETRY) {
		more = step_retry(r);
	} else if (r->p->kind == TIMEOUT) {
		end_timeout(r);
	} else if (r->p->kind == BREAKER) {
		end_breaker(r);
	} else {
		end_bulkhead(r);
	}
	if (!more)
		end_run(r);
	return more;
}

static void sift_down(unsigned i)
{
	struct run *r = heap[i];
	for (unsigned k; (k = 2 * i + 1) < runs; i = k) {
		k += k + 1 < runs && heap[k + 1]->at < heap[k]->at;
		if (heap[k]->at >= r->at)
			break;
		heap[i] = heap[k];
	}
	heap[i] = r;
}

static void start(struct run *r, int64_t at)
{
	struct policy *p = &policies[rnd() % (uint64_t)cfg.policies];
	*r = (struct run){ .at = at, .begun = at, .tried_at = at, .trace = { rnd(), rnd() }, .id = rnd(), .span = rnd(), .pid = (int)(1000 + rnd() % 4000000), .p = p };
	r->ok = !happens(cfg.failing);
	r->slow = p->kind == TIMEOUT && !r->ok && rnd() % 4 > 0;
	r->attempts = r->ok ? happens(2 * cfg.failing) : 2;
	truth.runs++;
	unsigned i = runs++;
	for (; i > 0 && heap[(i - 1) / 2]->at > at; i = (i - 1) / 2)
		heap[i] = heap[(i - 1) / 2];
	heap[i] = r;
}

static void make_policies(void)
{
	enum kind kind = RETRY;
	policies = calloc((size_t)cfg.policies, sizeof *policies);
	for (int64_t i = 0; policies && i < cfg.policies; i++, kind = (kind + 1) % KINDS) {
		while (!(cfg.kinds >> kind & 1))
			kind = (kind + 1) % KINDS;
		policies[i] = (struct policy){ .kind = kind, .epoch = 1, .typical_us = 2000 * exp((double)(i % 7)) };
		snprintf(policies[i].name, sizeof policies[i].name, "api-%03d", (int)i);
	}
}

static void write_truth(const char *path)
{
	FILE *f = path ? fopen(path, "w") : NULL;
	if (f)
		fprintf(f, "lines %" PRIu64 "\nevents %" PRIu64 "\ndup %" PRIu64 "\nnot_event %" PRIu64 "\nruns %" PRIu64 "\nended %" PRIu64
		        "\nkilled %" PRIu64 "\nsent %" PRIu64 "\nok %" PRIu64 "\nlost %" PRIu64 "\nrequests %" PRIu64 "\nfailures %" PRIu64 "\n",
		        truth.lines, truth.events, truth.dup, truth.not_event, truth.runs, truth.ended, truth.killed, truth.sent, truth.ok,
		        truth.lost, truth.requests, truth.failures);
	if (path && (!f || fclose(f)))
		exit(1);
}

/* Runs begin evenly over the span, about 3 lines each; when there are enough lines no more begin. */
int main(int argc, char **argv)
{
	static const char keys[] = "nsptevkodlxf";
	static int64_t *const value[] = { &cfg.lines, &cfg.seed, &cfg.policies, &cfg.span, &cfg.failing, &cfg.level, &cfg.kinds, &cfg.order,
	                                  &cfg.twice, &cfg.lost, &cfg.killed, &cfg.foreign };
	const char *answers = NULL;
	for (int i = 1; i + 1 < argc; i += 2) {
		const char *key = strchr(keys, argv[i][1]);
		if (argv[i][0] == '-' && argv[i][1] == 'a')
			answers = argv[i + 1];
		else if (argv[i][0] == '-' && key && *key)
			*value[key - keys] = strtoll(argv[i + 1], NULL, 10);
		else
			return fprintf(stderr, "eventgen: %s: what?\n", argv[i]), 2;
	}
	state = (uint64_t)cfg.seed;
	make_policies();
	struct run *all = calloc(MANY, sizeof *all), **unused = calloc(MANY, sizeof(struct run *));
	held = calloc((size_t)cfg.order + 1, LINE);
	line = malloc(LINE);
	if (!policies || !all || !unused || !held || !line)
		return 1;
	for (unsigned i = 0; i < MANY; i++)
		unused[i] = &all[i];
	double per_run = cfg.level <= 5 ? 3.6 : 2.4;
	int64_t next = BEGIN_US, gap = (int64_t)((double)cfg.span * 1e6 * per_run / (double)(cfg.lines + 1)) + 1;
	while (runs > 0 || (int64_t)truth.events < cfg.lines) {
		bool begins = (int64_t)truth.events < cfg.lines && runs < MANY && (runs == 0 || next <= heap[0]->at);
		if (begins) {
			start(unused[runs], next);
			next += 1 + (int64_t)(rnd() % (uint64_t)(2 * gap));
			continue;
		}
		if (step(heap[0])) {
			sift_down(0);
			continue;
		}
		struct run *gone = heap[0];
		heap[0] = heap[--runs];
		unused[runs] = gone;
		if (runs > 0)
			sift_down(0);
	}
	put_held();
	flush();
	write_truth(answers);
	return 0;
}
