/* SPDX-License-Identifier: Apache-2.0 */
/*
 * witness.c - see witness.h.
 *
 * Retry, timeout and fallback are called as they are, over a table of system
 * calls in which only the clock moves.  A breaker is its real state machine on a
 * record in memory, a bulkhead a number; the arms of a race run one after the
 * other from the same moment.  Without shared files nothing here can touch what
 * is in use.
 */
#include "witness.h"

#include "circuit.h"
#include "event.h"
#include "io.h"
#include "opt.h"
#include "run.h"
#include "stack.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { RUNS = 64, TOLD = 400, GATES = 64 };

/* An instance of ours before what it stands for. */
struct part { struct nl_svc svc; const struct nl_term *t; };
struct gate { const char *name; enum nl_term_kind kind; struct nl_circuit circuit; uint64_t epoch; unsigned inside; };
struct told { nl_time at; char text[100]; };

static struct world {
	const struct nl_scene *scene;
	nl_time now;
	unsigned runs, n, gates, made;
	const struct nl_svc *first;     /* command of the line */
	bool endless;                   /* it was ended by us */
	struct told told[TOLD];
	struct gate gate[GATES];
	struct { struct nl_svc *svc; const struct nl_term *t; } made_of[NL_TERM_MOST];
	struct nl_arena mem;
	struct nl_err *err;
} w;

const char *nl_term_label(const struct nl_term *t, char *buf, size_t size)
{
	const char *what = !t->e ? "the command" : t->svc ? t->svc->layer->name : t->kind == NL_TERM_RACE ? "race" : t->kind == NL_TERM_FALLBACK ? "fallback" : "fail";
	if (!t->e)
		snprintf(buf, size, "%s", what);
	else if (t->e->at.file)
		snprintf(buf, size, "%s@%.60s:%u:%u", what, t->e->at.file, t->e->at.line, t->e->at.col);
	else if (t->e->at.line > 1)
		snprintf(buf, size, "%s@%u:%u", what, t->e->at.line, t->e->at.col);
	else
		snprintf(buf, size, "%s@col %u", what, t->e->at.col);
	return buf;
}

__attribute__((format(printf, 2, 3))) static void tell(nl_time at, const char *fmt, ...)
{
	va_list ap;
	if (w.n == TOLD)
		return;
	w.told[w.n].at = at;
	va_start(ap, fmt);
	vsnprintf(w.told[w.n++].text, sizeof w.told[0].text, fmt, ap);
	va_end(ap);
}

static const struct nl_term *term_of(const struct nl_svc *svc)
{
	for (unsigned i = 0; i < w.made; i++)
		if (w.made_of[i].svc == svc)
			return w.made_of[i].t;
	return NULL;
}

/* A story without end is ended: as if somebody had told it to stop. */
static struct nl_outcome enough(struct nl_run *run)
{
	w.endless = true;
	run->stop_sig = SIGTERM;
	return (struct nl_outcome){ SIGTERM, NL_CANCELLED };
}

static struct nl_outcome command_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	struct nl_limit limit = nl_limit(&q);
	nl_time ends = nl_after(w.now, w.scene->dur);
	char label[80];
	if (run->stop_sig || w.runs == RUNS)
		return enough(run);
	unsigned n = ++w.runs;
	if (w.scene->first_only && svc != w.first) {
		tell(w.now, "run %u, another branch, exits with 0", n);
		return (struct nl_outcome){ 0, NL_RAN };
	}
	run->stopped_at = 0, run->killed = false;
	if (ends <= limit.at && ends < NL_NEVER) {
		w.now = ends;
		tell(w.now, "run %u exits with %d", n, w.scene->status);
		return (struct nl_outcome){ NL_EXIT(w.scene->status), NL_RAN };
	}
	if (limit.at == NL_NEVER) {
		tell(w.now, "run %u hangs, and nothing ends it", n);
		return enough(run);
	}
	const struct nl_term *owner = term_of(limit.owner);
	w.now = limit.at > w.now ? limit.at : w.now;
	tell(w.now, "run %u hangs, is stopped by %s", n, owner ? nl_term_label(owner, label, sizeof label) : "a limit");
	run->fired = limit.owner;
	if (w.scene->deaf && limit.sig != SIGKILL) {
		if (q.stop.grace == NL_NEVER) {
			tell(w.now, "run %u ignores TERM, and is not killed", n);
			return enough(run);
		}
		w.now = nl_after(w.now, q.stop.grace), run->killed = true;
		tell(w.now, "run %u ignored TERM, is killed", n);
	}
	run->stopped_at = w.now;
	return (struct nl_outcome){ run->killed ? SIGKILL : SIGTERM, NL_DEADLINE };
}

static struct nl_outcome fail_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	(void)svc, (void)run, (void)q;
	return (struct nl_outcome){ NL_EXIT(NL_EX_REJECTED), NL_RAN };
}

static struct gate *gate_of(const struct nl_term *t)
{
	unsigned i = 0;
	while (i < w.gates && (strcmp(w.gate[i].name, t->svc->name) != 0 || w.gate[i].kind != t->kind))
		i++;
	if (i == GATES)
		return &w.gate[0];
	if (i == w.gates)
		w.gate[w.gates++] = (struct gate){ .name = t->svc->name, .kind = t->kind };
	return &w.gate[i];
}

static struct nl_outcome rejected(const struct nl_term *t)
{
	const struct nl_exit *e = nl_opt_field(t->svc, "exit-code", NL_EXITCODE);
	return (struct nl_outcome){ NL_EXIT(e->given ? e->n : NL_EX_REJECTED), NL_RAN };
}

/* Waits for a gate to open.  False: in vain; then *o is the outcome. */
static bool waited(const struct nl_term *t, struct nl_run *run, const struct nl_req *q, nl_time wait, nl_time need, struct nl_outcome *o)
{
	struct nl_limit limit = nl_limit(q);
	char label[80];
	nl_term_label(t, label, sizeof label);
	nl_time until = nl_after(w.now, wait < need ? wait : need);
	if (until >= limit.at && limit.at < NL_NEVER) {
		w.now = limit.at;
		tell(w.now, "%s still waits, and is stopped", label);
		run->fired = limit.owner, run->stopped_at = w.now;
		*o = (struct nl_outcome){ SIGTERM, NL_DEADLINE };
		return false;
	}
	if (until == NL_NEVER) {
		tell(w.now, "%s waits, and nothing ends that", label);
		*o = enough(run);
		return false;
	}
	w.now = until;
	*o = rejected(t);
	return need <= wait;
}

static struct nl_circuit_step step(struct gate *g, const struct nl_term *t, struct nl_circuit_input in)
{
	struct nl_circuit_cfg cfg = nl_breaker_config(t->svc);
	char label[80];
	in.now = w.now + 1, in.epoch = in.event == NL_ACQUIRE ? 0 : in.epoch;
	struct nl_circuit_step s = nl_circuit_step(&cfg, &g->circuit, &g->epoch, &in);
	if (s.moved && in.event != NL_FORCE_OPEN)
		tell(w.now, "%s is %s", nl_term_label(t, label, sizeof label), nl_circuit_name((enum nl_circuit_state)g->circuit.state));
	return s;
}

static struct nl_outcome breaker_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	const struct nl_term *t = ((struct part *)svc)->t;
	struct gate *g = gate_of(t);
	struct nl_outcome o;
	char label[80];
	if (w.scene->kept_out && g->circuit.state != NL_FORCED_OPEN)
		(void)step(g, t, (struct nl_circuit_input){ .event = NL_FORCE_OPEN });
	for (;;) {
		struct nl_circuit_step s = step(g, t, (struct nl_circuit_input){ .event = NL_ACQUIRE, .held = g->inside });
		if (s.verdict != NL_REJECT)
			break;
		nl_time wait = nl_term_span(t, "wait", 0);
		if (wait == 0 || !waited(t, run, &q, wait, s.retry_in ? s.retry_in : NL_NEVER, &o)) {
			if (wait == 0)
				o = rejected(t);
			if (o.why == NL_RAN)
				tell(w.now, "%s rejects: %d", nl_term_label(t, label, sizeof label), nl_code(o.wstatus));
			return o;
		}
	}
	nl_time began = w.now;
	uint64_t permit = g->epoch;
	g->inside++;
	o = nl_do(svc->inner, run, q);
	g->inside--;
	enum nl_class class = nl_term_class(t, o);
	enum nl_circuit_event event = o.why == NL_CANCELLED ? NL_IGNORED : o.why == NL_DEADLINE ? NL_FAILURE
	                              : class == NL_CLASS_SUCCESS ? NL_SUCCESS : class == NL_CLASS_FAILURE ? NL_FAILURE : NL_IGNORED;
	(void)step(g, t, (struct nl_circuit_input){ .event = event, .epoch = permit, .dur = w.now - began, .ws = o.wstatus });
	return o;
}

static struct nl_outcome bulkhead_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	const struct nl_term *t = ((struct part *)svc)->t;
	struct gate *g = gate_of(t);
	const struct nl_span *wait = nl_opt_field(t->svc, "wait", NL_SPAN);
	const struct nl_num *queue = nl_opt_field(t->svc, "queue", NL_NUM);
	unsigned max = nl_term_num(t, "max", 1);
	nl_time most = wait->given ? wait->ns : queue->given ? NL_NEVER : 0;
	struct nl_outcome o = rejected(t);
	char label[80];
	if (w.scene->kept_out || (max && g->inside >= max)) {
		if (most && !waited(t, run, &q, most, NL_NEVER, &o) && o.why != NL_RAN)
			return o;
		tell(w.now, "%s is full, rejects: %d", nl_term_label(t, label, sizeof label), nl_code(o.wstatus));
		return o;
	}
	g->inside++;
	o = nl_do(svc->inner, run, q);
	g->inside--;
	return o;
}

static bool is_stale(const struct nl_term *t)
{
	return t->kind == NL_TERM_FALLBACK && nl_term_text(t, "stale");
}

/* With a good answer of before. */
static struct nl_outcome stale_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	char label[80];
	struct nl_outcome o = { 0 };
	for (struct nl_svc *s = svc->inner; s; s = s->next) {
		o = nl_do(s, run, q);
		if (o.wstatus == 0 || o.why != NL_RAN || run->stop_sig)
			return o;
	}
	tell(w.now, "%s gives the last good answer: exit 0", nl_term_label(((struct part *)svc)->t, label, sizeof label));
	return (struct nl_outcome){ 0, NL_RAN };
}

static const struct nl_layer stale_layer = { .name = "fallback", .call = stale_call };

/* Each arm from the same moment; the race is over with the first that succeeds,
 * what the others do behind that is not told. */
static struct nl_outcome race_call(struct nl_svc *svc, struct nl_run *run, struct nl_req q)
{
	const struct nl_term *t = ((struct part *)svc)->t;
	const struct nl_delay *d = t->svc ? nl_opt_field(t->svc, "delay", NL_DELAY) : NULL;
	unsigned copies = nl_term_num(t, "hedge", 1), first = w.n, arm = 0;
	nl_time began = w.now, last = w.now, won = NL_NEVER;
	struct nl_outcome best = { 0 };
	for (unsigned i = 0; i < copies; i++)
		for (struct nl_svc *s = svc->inner; s && !run->stop_sig; s = s->next, arm++) {
			w.now = nl_after(began, d && w.scene->dur == NL_NEVER ? (d->ppm ? 250 * NL_MS : d->ns) * arm : 0);
			if (w.now >= q.limit.at || w.now >= won)
				continue;
			struct nl_outcome o = nl_do(s, run, q);
			last = w.now > last ? w.now : last;
			won = o.wstatus == 0 && w.now < won ? w.now : won;
			if (arm == 0 || (best.wstatus && (o.wstatus == 0 || nl_outcome_rank(o) < nl_outcome_rank(best))))
				best = o;
		}
	w.now = won < NL_NEVER ? won : last;
	for (unsigned i = first + 1; i < w.n; i++)      // In the order of time; few, and almost sorted.
		for (unsigned k = i; k > first && w.told[k - 1].at > w.told[k].at; k--) {
			struct told swap = w.told[k];
			w.told[k] = w.told[k - 1], w.told[k - 1] = swap;
		}
	while (w.n > first && w.told[w.n - 1].at > w.now)
		w.n--;
	return best;
}

/* The system calls. */

static nl_time os_clock(int id)
{
	(void)id;
	return w.now;
}

static int os_random(void *buf, size_t n)
{
	memset(buf, 0, n);
	return 0;
}

static double os_unit(uint64_t *state)
{
	(void)state;
	return w.scene->lucky ? 1 - 0x1p-53 : 0;
}

static int os_sigwait(uint64_t set, siginfo_t *si, nl_time span)
{
	(void)set, (void)si;
	w.now = nl_after(w.now, span > 0 ? span : 0);
	return -EAGAIN;
}

static int os_none(int fd)
{
	(void)fd;
	return 0;
}

static int os_open(const char *path, int flags, int mode)
{
	(void)path, (void)flags, (void)mode;
	return -ENOENT;
}

static ssize_t os_write(int fd, const void *buf, size_t n)
{
	(void)fd, (void)buf;
	return (ssize_t)n;
}

static long os_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	(void)a, (void)c, (void)d, (void)e, (void)f;
	if (nr != SYS_fstat)
		return -ENOSYS;
	((struct stat *)b)->st_mode = S_IFCHR | 0600;
	return 0;
}

static const struct nl_os os = {
	.clock = os_clock, .random = os_random, .unit = os_unit, .sigwait = os_sigwait, .close = os_none, .open = os_open,
	.write = os_write, .syscall = os_syscall,
};

static const struct nl_layer played[] = {
	[NL_TERM_COMMAND] = { .name = "exec", .call = command_call }, [NL_TERM_FAIL] = { .name = "run", .call = fail_call },
	[NL_TERM_BREAKER] = { .name = "breaker", .call = breaker_call }, [NL_TERM_BULKHEAD] = { .name = "bulkhead", .call = bulkhead_call },
	[NL_TERM_RACE] = { .name = "race", .call = race_call },
};

/* Options that would reach out of the play, or that no command here answers to. */
static bool is_kept(const char *word)
{
	static const char *const out[] = { "name", "state", "events", "on-retry", "on-giveup", "on-timeout", "report", "budget",
		"retry-after", "retry-if", "stale", "stdin", "hold", "quiet", "seed", "pin" };
	size_t n = strcspn(word, "=");
	for (size_t i = 0; i < sizeof out / sizeof *out; i++)
		if (strlen(out[i]) == n && !strncmp(out[i], word, n))
			return false;
	return true;
}

/* A real one, with the options that it has in the expression. */
static struct nl_svc *real(const struct nl_term *t)
{
	const struct nl_layer *layer = t->svc ? t->svc->layer : &nl_fallback;
	struct nl_svc *s = nl_arena_get(&w.mem, layer->size);
	char *none = NULL, **rest = &none;
	if (!s)
		return nl_fail(w.err, "out of memory"), NULL;
	s->layer = layer, s->cmd = layer->name, s->id = layer->name;
	for (char **word = t->e->words ? t->e->words + 1 : &none; *word; word++) {
		if (strncmp(*word, "--", 2)) {
			rest = word;
			break;
		}
		char *key = nl_arena_text(&w.mem, *word + 2, strlen(*word + 2)), *value = key ? strchr(key, '=') : NULL;
		if (value)
			*value++ = '\0';
		if (key && is_kept(key) && nl_opt_set(s, key, value, w.err))
			return NULL;
	}
	return layer->init(s, &rest, w.err) ? NULL : s;
}

static struct nl_svc *stack_of(const struct nl_term *t)
{
	struct nl_svc *s;
	if (t->kind == NL_TERM_RETRY || t->kind == NL_TERM_TIMEOUT || (t->kind == NL_TERM_FALLBACK && !is_stale(t))) {
		s = real(t);
	} else {
		struct part *p = nl_arena_get(&w.mem, sizeof *p);
		if (!p)
			return nl_fail(w.err, "out of memory"), NULL;
		p->t = t, s = &p->svc;
		w.first = t->kind == NL_TERM_COMMAND && !w.first ? s : w.first;
		s->layer = is_stale(t) ? &stale_layer : &played[t->kind], s->cmd = "COMMAND", s->id = "COMMAND";
	}
	if (!s)
		return NULL;
	w.made_of[w.made].svc = s, w.made_of[w.made++].t = t;
	struct nl_svc **last = &s->inner;
	for (const struct nl_term *i = t->inner; i; i = i->next, last = &(*last)->next)
		if (!(*last = stack_of(i)))
			return NULL;
	return s;
}

/* Its first lines and its last ones. */
static void tell_all(struct nl_witness *to)
{
	unsigned skip = w.n > NL_WITNESS_LINES ? w.n - NL_WITNESS_LINES + 1 : 0, front = skip ? 4 : w.n;
	to->lines = 0, to->runs = w.runs;
	for (unsigned i = 0; i < w.n; i++) {
		char *line = to->line[to->lines++];
		if (skip && i == front) {
			snprintf(line, sizeof to->line[0], "        ... %u more ...", skip);
			i += skip - 1;
			continue;
		}
		nl_time at = w.told[i].at / NL_MS;
		snprintf(line, sizeof to->line[0], "t=%-5.*f %.85s", at % 1000 ? 3 : 0, (double)at / 1000, w.told[i].text);
	}
}

int nl_witness_of(const struct nl_term *t, const struct nl_scene *scene, struct nl_witness *to, struct nl_err *err)
{
	static char *no_environ[] = { NULL };
	char rest[2][NL_REST], code[48];
	struct nl_fd_tap std[2];
	struct nl_signals signals = { .fd = -1 };
	struct nl_outcome o = { 0 };
	memset(&w, 0, sizeof w);
	w.scene = scene, w.err = err, w.mem.most = (size_t)16 << 20, w.now = NL_SEC;
	struct nl_svc *stack = stack_of(t);
	for (unsigned i = 0; stack && i < (scene->calls ? scene->calls : 1) && !w.endless; i++) {
		struct nl_run run = { .os = &os, .environ = no_environ, .pid = 1, .horizon = NL_NEVER, .signals = &signals, .std = std,
		                      .tool = "nl-run" };
		nl_fd_tap_init(&std[0], 1, rest[0]);
		nl_fd_tap_init(&std[1], 2, rest[1]);
		unsigned before = w.runs;
		w.now = i ? nl_after(w.now, scene->pause) : w.now;
		o = nl_do(stack, &run, (struct nl_req){ .limit = { .at = NL_NEVER }, .stop = { .grace = NL_NEVER }, .prev = -1, .now = w.now });
		if (!w.endless && w.runs - before != 1)
			tell(w.now, "call %u ends with %s, after %u runs", i + 1, nl_outcome_text(o, code), w.runs - before);
		else if (!w.endless)
			tell(w.now, "call %u ends with %s", i + 1, nl_outcome_text(o, code));
	}
	if (w.endless && w.runs == RUNS)
		tell(w.now, "and so on, without end");
	for (unsigned i = 0; i < w.n; i++)
		w.told[i].at -= NL_SEC;
	if (stack)
		tell_all(to);
	nl_arena_free(&w.mem);
	return stack ? 0 : -1;
}
