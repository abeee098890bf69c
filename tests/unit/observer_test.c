/* SPDX-License-Identifier: Apache-2.0 */
/*
 * observer_test.c - what all events together say.
 *
 * Cases are random logs: a system that reads one in order, several that read
 * shuffled parts of it and are saved, loaded and merged in any order, and a list
 * that is counted by hand must agree.  Some have more names than a system keeps
 * apart, some more calls of one policy in 15 seconds than a slice keeps apart.
 * OBSERVER_SEED and OBSERVER_CASES choose.
 */
#include "observe/snapshot.h"
#include "unit.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EVENTS 4000
#define PARTS 5
#define NAMES 5
#define RUNS (2 * NL_RUNS_MAX)
#define BEGIN_US INT64_C(1795957200000000)

static uint64_t state;
static uint64_t rnd(uint64_t below)             /* splitmix64 */
{
	uint64_t z = state += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (z ^ z >> 31) % below;
}

static bool one_in(uint64_t n)
{
	return rnd(n) == 0;
}

struct event { char text[600]; size_t n; struct nl_fact f; int64_t arrives; unsigned part; };
static struct event event[EVENTS];
static unsigned nevents;
static struct { unsigned names, series, busy; } cfg;    /* names of many policies, 0: few; series at most; one policy has most */

static const char *const kinds[NAMES] = { "retry", "timeout", "breaker", "bulkhead", "breaker" };
static const char *const names[NAMES] = { "db", "db", "api", "pool", "gw" };
static const char *const states[] = { "closed", "open", "half_open", "forced_open" };
static const char *const reasons[] = { "consecutive", "probe_failed", "forced", "deadline", "saturated" };
static const char *const errs[] = { "exit_1", "exit_28", "signal_KILL", "timeout", "rejected", "spawn", "deadline", "odd" };

static void put_attrs(char *to, size_t size, enum nl_told told, uint64_t epoch)
{
	int64_t us = one_in(20) ? 0 : (int64_t)(rnd(1000) * rnd(1000) * (1 + rnd(20)));
	switch (told) {
	case NL_TOLD_SUCCESS:
		snprintf(to, size, ",\"cmd\":\"curl\",\"exit\":0,\"dur_s\":%" PRId64 ".%06" PRId64 "%s", us / 1000000, us % 1000000,
		         one_in(3) ? ",\"attempts\":2,\"last_s\":0.250001" : one_in(2) ? ",\"attempts\":2" : "");
		break;
	case NL_TOLD_FAILURE:
		snprintf(to, size, ",\"cmd\":\"c%d\",\"exit\":1,\"err\":\"%s\",\"dur_s\":%" PRId64 ".%06" PRId64, (int)rnd(9), errs[rnd(8)], us / 1000000,
		         us % 1000000);
		break;
	case NL_TOLD_OPENED:
	case NL_TOLD_HALF_OPEN:
	case NL_TOLD_CLOSED:
	case NL_TOLD_FORCED:
		snprintf(to, size, ",\"from\":\"%s\",\"reason\":\"%s\",\"state\":\"%s\",\"epoch\":%" PRIu64, states[rnd(4)], reasons[rnd(5)],
		         states[rnd(4)], epoch);
		break;
	case NL_TOLD_ACQUIRED:
	case NL_TOLD_BULKHEAD_REJECTED:
		snprintf(to, size, ",\"active\":%d,\"max\":8,\"queued\":%d,\"reason\":\"%s\",\"waited_s\":0.00%04d", (int)rnd(9), (int)rnd(5), reasons[rnd(5)], (int)rnd(9999));
		break;
	case NL_TOLD_RELEASED:
		snprintf(to, size, ",\"active\":%d,\"max\":8,\"held_s\":1.00%04d", (int)rnd(9), (int)rnd(9999));
		break;
	case NL_TOLD_ATTEMPT:
		snprintf(to, size, ",\"attempt\":1,\"max\":3,\"exit\":1,\"err\":\"exit_1\",\"dur_s\":%d.1,\"delay_s\":0.1%05d", (int)rnd(4), (int)rnd(99999));
		break;
	case NL_TOLD_EXHAUSTED:
		snprintf(to, size, ",\"attempts\":2,\"reason\":\"%s\",\"dur_s\":9.0,\"last_s\":%d.5", reasons[rnd(5)], (int)rnd(3));
		break;
	case NL_TOLD_TIMEOUT:
		snprintf(to, size, ",\"killed\":%s", one_in(2) ? "true" : "false");
		break;
	case NL_TOLD_RACE_WON:
		snprintf(to, size, ",\"winner\":%d", (int)rnd(20));
		break;
	case NL_TOLD_FALLBACK_USED:
		snprintf(to, size, ",\"from\":\"a\",\"to\":\"b\",\"index\":%d", (int)rnd(20));
		break;
	default:
		break;
	}
}

/* An event, as one of ours might have written it. */
static void make(struct event *e, int64_t time_us, uint64_t run, uint32_t seq)
{
	enum nl_told told = one_in(3) ? (enum nl_told)(1 + rnd(NL_TOLDS - 1)) : one_in(4) ? NL_TOLD_FAILURE : NL_TOLD_SUCCESS;
	unsigned who = cfg.busy && !one_in(10) ? 1 : (unsigned)rnd(NAMES);
	char attrs[256] = "", time[40], name[16], room[NL_FACT_MAX];
	int64_t s = time_us / 1000000;
	if (told == NL_TOLD_RUN_ENDED || told == NL_TOLD_RUN_STARTED)
		told = NL_TOLD_DEGRADED;
	if (cfg.busy && !one_in(4))
		told = NL_TOLD_SUCCESS;
	snprintf(name, sizeof name, cfg.names && !one_in(8) ? "%s%u" : "%s", names[who], (unsigned)rnd(cfg.names + 1));
	put_attrs(attrs, sizeof attrs, told, 1 + (uint64_t)(s % 4000));
	snprintf(time, sizeof time, "2026-11-29T%02d:%02d:%02d.%06dZ", (int)(s % 86400 / 3600), (int)(s % 3600 / 60), (int)(s % 60), (int)(time_us % 1000000));
	e->n = (size_t)snprintf(e->text, sizeof e->text,
	                        "{\"nl\":1,\"time\":\"%s\",\"event\":\"%s\",\"sev\":9,\"policy\":\"%s\",\"kind\":\"%s\",\"trace_id\":\"%032d\","
	                        "\"span_id\":\"%016" PRIx64 "\",\"run\":\"%016" PRIx64 "\",\"seq\":%u,\"pid\":1,\"depth\":%d,\"mono_us\":1%s}",
	                        time, nl_told_names[told], name, kinds[who], 7, run, run, seq, (int)rnd(2), attrs);
	CHECK_ROW(nl_fact_read(&e->f, e->text, e->n, room) == NL_LINE_OK, e->text);
}

static void make_end(struct event *e, int64_t time_us, uint64_t run, uint32_t seq, unsigned lines)
{
	make(e, time_us, run, seq);
	e->f.told = NL_TOLD_RUN_ENDED, e->f.events = lines;
}

/* A log over a span: runs with their lines, of which some are lost and some are there twice. */
static void make_log(unsigned lines, int64_t span_us)
{
	int64_t time = BEGIN_US;
	uint64_t run[8] = { 0 };
	uint32_t seq[8] = { 0 };
	nevents = 0;
	while (nevents + 1 < lines) {
		unsigned i = (unsigned)rnd(8);
		struct event *e = &event[nevents++];
		if (!run[i])
			run[i] = rnd(UINT64_MAX) + 1, seq[i] = (uint32_t)rnd(3);
		time += (int64_t)rnd((uint64_t)(2 * span_us / lines) + 1);
		if (one_in(12)) {
			make_end(e, time, run[i], seq[i], seq[i] + 1);
			run[i] = 0;
		} else {
			make(e, time, run[i], seq[i]);
			seq[i] += 1 + one_in(30);
		}
		e->part = (unsigned)rnd(PARTS);
		if (one_in(25)) {
			event[nevents] = event[nevents - 1];
			nevents++;
		}
	}
	for (unsigned i = 0; i < nevents; i++)          // Facts point into their own lines.
		if (i > 0 && event[i].f.run == event[i - 1].f.run && event[i].f.seq == event[i - 1].f.seq) {
			ptrdiff_t moved = event[i].text - event[i - 1].text;
			struct nl_fact *f = &event[i].f;
			struct nl_quote *t[7] = { &f->line, &f->event, &f->policy, &f->kind, &f->signal, &f->err, &f->cmd };
			for (unsigned k = 0; k < 7; k++)
				t[k]->s = t[k]->s ? t[k]->s + moved : NULL;
		}
}

static int by_arrival(const void *a, const void *b)
{
	const struct event *x = *(struct event *const *)a, *y = *(struct event *const *)b;
	return x->arrives != y->arrives ? (x->arrives < y->arrives ? -1 : 1) : (x > y) - (x < y);
}

/* Each is later than it was by less than the bound. */
static void shuffled(struct event **order, int64_t bound_us)
{
	for (unsigned i = 0; i < nevents; i++) {
		order[i] = &event[i];
		event[i].arrives = event[i].f.time_us + (int64_t)rnd((uint64_t)bound_us);
	}
	qsort(order, nevents, sizeof(struct event *), by_arrival);
}

static struct nl_system *open_system(int64_t late_us)
{
	return nl_system_new((struct nl_system_cfg){ .late_us = late_us, .skew_us = INT64_MAX, .series = cfg.series });
}

/* The snapshot as text; the caller frees. */
static char *text_of(const struct nl_system *s, size_t *n)
{
	int fd = memfd_create("snapshot", MFD_CLOEXEC);
	CHECK(nl_snapshot_write(fd, s, NULL, 0) == 0);
	*n = (size_t)lseek(fd, 0, SEEK_END);
	char *text = malloc(*n + 1);
	CHECK(pread(fd, text, *n, 0) == (ssize_t)*n);
	text[*n] = '\0';
	close(fd);
	return text;
}

static struct nl_system *again(struct nl_system *s)
{
	size_t n, head = strlen(NL_SNAPSHOT_HEAD), marks;
	struct nl_mark *mark;
	struct nl_err err = { "" };
	unsigned k;
	char *text = text_of(s, &n);
	nl_system_free(s);
	s = nl_snapshot_read(text + head, n - head - 21, &mark, &k, &err);
	CHECK_ROW(s != NULL, err.msg);
	marks = s ? k : 0;
	CHECK(marks == 0);
	free(text);
	struct nl_system *new = open_system(INT64_MAX); // Limits are no part of it.
	CHECK(nl_system_merge(new, s) == 0);
	nl_system_free(s);
	return new;
}

static bool same(const struct nl_system *a, const struct nl_system *b)
{
	size_t n, m;
	char *x = text_of(a, &n), *y = text_of(b, &m);
	bool is = n == m && memcmp(x, y, n) == 0;
	for (size_t i = 0, line = 0; !is && i <= n && i <= m; i++) {
		if (x[i] != y[i]) {
			printf("# %.*s\n# %.*s\n", (int)strcspn(x + line, "\n"), x + line, (int)strcspn(y + line, "\n"), y + line);
			break;
		}
		line = x[i] == '\n' ? i + 1 : line;
	}
	free(x);
	free(y);
	return is;
}

/* Parts of the log in their own systems, each read in its own order, then merged two by two. */
static struct nl_system *merged(int64_t late_us, int64_t bound_us)
{
	struct nl_system *part[PARTS];
	static struct event *order[EVENTS];
	unsigned n = 1 + (unsigned)rnd(PARTS), left = n;
	for (unsigned p = 0; p < n; p++) {
		part[p] = open_system(late_us);
		shuffled(order, bound_us);
		for (unsigned i = 0; i < nevents; i++)
			if (order[i]->part % n == p) {
				enum nl_line line = nl_system_take(part[p], &order[i]->f, 0);
				CHECK(line == NL_LINE_OK || line == NL_LINE_DUP);
			}
		if (one_in(3))
			part[p] = again(part[p]);
	}
	while (left > 1) {
		unsigned a = (unsigned)rnd(left), b = (a + 1 + (unsigned)rnd(left - 1)) % left;
		CHECK(nl_system_merge(part[a], part[b]) == 0);
		nl_system_free(part[b]);
		part[b] = part[--left];
		if (a == left)
			a = b;
		if (one_in(4))
			part[a] = again(part[a]);
	}
	return part[0];
}

static int by_size(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

/* Counts and percentiles of one series and window, by hand. */
static void check_window(const struct nl_series *s, int64_t now_us, int64_t window_us)
{
	static int64_t us[EVENTS];
	struct nl_counts is = { 0 }, says = nl_series_counts(s, now_us, window_us);
	int64_t from = now_us / 1000000 - window_us / 1000000;
	unsigned n = 0;
	for (unsigned i = 0; i < nevents; i++) {
		const struct nl_fact *f = &event[i].f;
		bool twice = i > 0 && f->run == event[i - 1].f.run && f->seq == event[i - 1].f.seq;
		if ((f->told != NL_TOLD_SUCCESS && f->told != NL_TOLD_FAILURE) || twice || (window_us && f->time_us / 1000000 <= from)
		    || strlen(s->policy) != f->policy.n || memcmp(s->policy, f->policy.s, f->policy.n) != 0
		    || strncmp(s->kind_text, f->kind.s, f->kind.n) != 0)
			continue;
		bool failed = f->told == NL_TOLD_FAILURE;
		is.requests++, is.failures += failed;
		is.rejected += failed && f->err.n == 8 && memcmp(f->err.s, "rejected", 8) == 0;
		is.timeouts += failed && memcmp(f->err.s, "timeout", 7) == 0;
		us[n++] = f->dur_us;
	}
	CHECK(memcmp(&is, &says, sizeof is) == 0);
	qsort(us, n, sizeof *us, by_size);
	for (unsigned p = 1; p <= 100; p += 11) {
		uint64_t samples;
		bool exact;
		double said = nl_series_quantile(s, p / 100., now_us, window_us, &samples, &exact), right = n ? (double)us[nl_rank(p / 100., n) - 1] / 1e6 : -1;
		CHECK(samples == n);
		CHECK(n > NL_EXACT || (window_us == 0 && s->nlast < n) || exact || s->dense);
		if (cfg.busy && window_us && !exact)
			continue;               // A slice that forgot the seconds may be in it in part: then it is an estimate.
		CHECK(exact || right == 0 ? said == right : fabs(said / right - 1) < .010831);
	}
}

static void check_windows(const struct nl_system *s)
{
	static const int64_t windows[] = { 0, 1, 7, 60, 300, 431, 900 };
	for (unsigned i = 0; i < nl_system_count(s); i++)
		for (unsigned k = 0; k < sizeof windows / sizeof *windows; k++)
			check_window(nl_system_series(s, i), nl_system_latest(s), windows[k] * 1000000);
}

static unsigned coarse, overflowed;             /* logs of which this is true: they must not all be harmless */

static void note(const struct nl_system *s)
{
	bool is_coarse = false;
	for (unsigned i = 0; i < nl_system_count(s); i++) {
		const struct nl_dense *d = nl_system_series(s, i)->dense;
		for (unsigned k = 0; d && k < NL_SLICES; k++)
			is_coarse |= d->slice[k].is_coarse;
	}
	coarse += is_coarse, overflowed += nl_system_overflowed(s) > 0;
}

static void check_case(unsigned i)
{
	unsigned lines = i % 50 == 0 ? 3000 : i % 10 == 0 ? 900 : 20 + (unsigned)rnd(120);
	int64_t span_us = (int64_t)(1 + rnd(one_in(2) ? 100 : 4000)) * 1000000;
	cfg.busy = lines >= 900 && one_in(2);
	cfg.names = one_in(3) ? 1 + (unsigned)rnd(200) : 0;
	cfg.series = cfg.names && !one_in(4) ? 1 + (unsigned)rnd(40) : 0;
	bool any = one_in(2);
	int64_t late_us = any ? INT64_MAX : 5000000, bound_us = any ? span_us : 5000000;
	make_log(lines, span_us);
	struct nl_system *one = open_system(late_us);
	for (unsigned k = 0; k < nevents; k++)
		nl_system_take(one, &event[k].f, 0);
	struct nl_system *other = merged(late_us, bound_us);
	CHECK(same(one, other));
	note(one);
	if (i % 5 == 0 && !cfg.series)
		check_windows(one);
	nl_system_free(one);
	nl_system_free(other);
}

static void random_logs(void)
{
	const char *seed = getenv("OBSERVER_SEED"), *cases = getenv("OBSERVER_CASES");
	uint64_t first = seed ? strtoull(seed, NULL, 10) : (uint64_t)getpid() * 1000003;
	unsigned n = cases ? (unsigned)strtoul(cases, NULL, 10) : 2000;
	printf("# OBSERVER_SEED=%" PRIu64 " OBSERVER_CASES=%u\n", first, n);
	TEST("However a log is split, ordered within the lateness, saved and merged, the state is the same byte for byte")
		for (unsigned i = 0; i < n && unit_faults == 0; i++) {
			state = first + i;
			check_case(i);
			if (unit_faults)
				printf("# OBSERVER_SEED=%" PRIu64 " OBSERVER_CASES=1 (case %u)\n", first + i, i);
		}
	CHECK(n < 1000 || (coarse > 0 && overflowed > 0));
	memset(&cfg, 0, sizeof cfg);
}

/* Runs in order of time, each with a line and its end; lines between are lost, and some ends. */
static void read_runs(struct nl_system *s, unsigned part)
{
	for (unsigned i = 0; i < RUNS + 50; i++) {
		uint64_t id = i * UINT64_C(0x9e3779b97f4a7c15) + 1, old = (i - 50) * UINT64_C(0x9e3779b97f4a7c15) + 1;
		unsigned of = (unsigned)(id >> 33) % 8, of_old = (unsigned)(old >> 33) % 8;
		struct nl_fact f = { .time_us = BEGIN_US + 1000 * (int64_t)i, .told = NL_TOLD_SUCCESS, .run = id, .dur_us = 1000, .attempts = -1,
		                     .events = -1, .dropped = -1, .policy = { "db", 2 }, .kind = { "retry", 5 } };
		if (i < RUNS && (part == 0 || (of < 5) == (part == 1)))
			CHECK(nl_system_take(s, &f, 0) == NL_LINE_OK);
		f.run = old, f.seq = 2 + old % 3 % 2, f.events = (int64_t)f.seq + 1, f.told = NL_TOLD_RUN_ENDED;
		if (i >= 50 && old % 11 && (part == 0 || (of_old < 5) == (part == 1)))
			CHECK(nl_system_take(s, &f, 0) == NL_LINE_OK);
	}
}

static void many_runs(void)
{
	TEST("Of more runs than are known one by one, all is summed up, and the last are known, however they are split") {
		struct nl_system *one = open_system(INT64_MAX), *a = open_system(INT64_MAX), *b = open_system(INT64_MAX), *c = open_system(INT64_MAX);
		read_runs(one, 0);
		read_runs(a, 1);
		read_runs(b, 2);
		CHECK(nl_runs_gone(nl_system_runs(one))->runs == RUNS - NL_RUNS_MAX && nl_runs_gone(nl_system_runs(a))->runs > 0);
		b = again(b);
		CHECK(nl_system_merge(c, b) == 0 && nl_system_merge(c, a) == 0 && nl_system_merge(a, b) == 0);
		CHECK(same(one, a) && same(one, c));
		nl_system_free(one);
		nl_system_free(a);
		nl_system_free(b);
		nl_system_free(c);
	}
}

/* A request of some policy at some second. */
static enum nl_line call(struct nl_system *s, const char *policy, int64_t second, bool failed, int64_t dur_us, int64_t real_s)
{
	static uint64_t run = 1;
	run++;
	struct nl_fact f = { .time_us = second * 1000000, .told = failed ? NL_TOLD_FAILURE : NL_TOLD_SUCCESS, .run = run, .attempts = -1, .dur_us = dur_us,
	                     .policy = { policy, (unsigned)strlen(policy) }, .kind = { "timeout", 7 }, .err = { failed ? "timeout" : NULL, failed ? 7 : 0 } };
	return nl_system_take(s, &f, real_s * 1000000);
}

static void move(struct nl_system *s, int64_t time_us, uint64_t epoch, enum nl_told told)
{
	static uint64_t run = UINT64_C(1) << 40;
	run++;
	struct nl_fact f = { .time_us = time_us, .told = told, .run = run, .epoch = (int64_t)epoch, .policy = { "gw", 2 }, .kind = { "breaker", 7 },
	                     .line = { "{}", 2 } };
	CHECK(nl_system_take(s, &f, 0) == NL_LINE_OK);
}

static void times(void)
{
	struct nl_err err;
	TEST("An event that is later than the bound is in totals, and in no window") {
		struct nl_system *s = open_system(5000000);
		CHECK(call(s, "db", 1000, false, 1, 0) == NL_LINE_OK && call(s, "db", 995, true, 2000000, 0) == NL_LINE_OK);
		CHECK(call(s, "db", 994, true, 3000000, 0) == NL_LINE_LATE);
		const struct nl_series *db = nl_system_find(s, "db", &err);
		CHECK(db->all.requests == 3 && db->all.failures == 2 && db->dur.most_us == 3000000);
		CHECK(nl_series_counts(db, 1000000000, 60000000).requests == 2);
		CHECK(nl_series_quantile(db, 1, 1000000000, 60000000, NULL, NULL) == 2);
		CHECK(nl_system_lines(s)[NL_LINE_LATE] == 1 && nl_system_lines(s)[NL_LINE_OK] == 2);
		nl_system_free(s);
	}
	TEST("An event from the future is in totals, and does not move the clock") {
		struct nl_system *s = nl_system_new((struct nl_system_cfg){ .late_us = 5000000, .skew_us = 5000000 });
		CHECK(call(s, "db", 1000, false, 1, 1000) == NL_LINE_OK && call(s, "db", 1005, true, 1, 1000) == NL_LINE_OK);
		CHECK(call(s, "db", 1006, true, 1, 1000) == NL_LINE_SKEWED);
		CHECK(nl_system_latest(s) == 1005000000 && nl_system_find(s, "db", &err)->all.requests == 3);
		CHECK(nl_series_counts(nl_system_find(s, "db", &err), 1010000000, 900000000).requests == 2);
		nl_system_free(s);
	}
	TEST("A window is the second of now and those before it") {
		struct nl_system *s = open_system(INT64_MAX);
		for (int64_t second = 100; second < 1100; second++)
			CHECK(call(s, "db", second, second % 10 == 0, 1, 0) == NL_LINE_OK);
		const struct nl_series *db = nl_system_find(s, "timeout/db", &err);
		struct nl_counts n = nl_series_counts(db, 1099999999, 60000000);
		CHECK(n.requests == 60 && n.failures == 6 && n.timeouts == 6);
		CHECK(nl_series_counts(db, 1099000000, 1).requests == 1);
		CHECK(nl_series_counts(db, 1119000000, 60000000).requests == 40);
		CHECK(nl_series_counts(db, 1098999999, 60000000).failures == 6);
		CHECK(nl_series_counts(db, 2000000000, 900000000).requests == 0);
		CHECK(nl_series_rate(db, 1099000000, 900000000) == .1 && nl_series_rate(db, 3000000000, 60000000) == -1);
		nl_system_free(s);
	}
}

static void breakers(void)
{
	struct nl_err err;
	TEST("Of transitions within a second the epochs say which was the last; of others the time, as a new record counts anew") {
		struct nl_system *s = open_system(INT64_MAX);
		move(s, 5000000, 7, NL_TOLD_OPENED);
		move(s, 5200000, 6, NL_TOLD_CLOSED);
		CHECK(strcmp(nl_series_state(nl_system_find(s, "gw", &err)), "open") == 0);
		move(s, 90000000, 1, NL_TOLD_HALF_OPEN);
		CHECK(strcmp(nl_series_state(nl_system_find(s, "gw", &err)), "half_open") == 0);
		CHECK(nl_system_find(s, "gw", &err)->opens == 1);
		nl_system_free(s);
	}
	TEST("The last 64 transitions are kept, and the events of the last 8") {
		struct nl_system *s = open_system(INT64_MAX);
		for (uint64_t i = 100; i > 0; i--)
			move(s, (int64_t)i * 2000000, i, i % 2 ? NL_TOLD_OPENED : NL_TOLD_CLOSED);
		const struct nl_series *gw = nl_system_find(s, "gw", &err);
		CHECK(gw->nmoves == NL_MOVES && gw->all_moves == 100 && gw->move[0].epoch == 37 && gw->move[63].epoch == 100);
		for (unsigned i = 0; i < NL_MOVES; i++)
			CHECK((gw->move[i].line != NULL) == (i >= 56));
		nl_system_free(s);
	}
}

static void many_names(void)
{
	struct nl_err err;
	char name[16];
	TEST("Events of more names than the limit are in one series, and all is counted") {
		struct nl_system *s = nl_system_new((struct nl_system_cfg){ .late_us = INT64_MAX, .skew_us = INT64_MAX, .series = 10 });
		for (unsigned i = 0; i < 3000; i++) {
			snprintf(name, sizeof name, "p%u", i % 1000);
			CHECK(call(s, name, 1000 + i / 100, false, 1000, 0) == NL_LINE_OK);
		}
		CHECK(nl_system_count(s) == 11 && nl_system_overflowed(s) == 3000 - 30);
		CHECK(nl_system_find(s, "_overflow", &err)->all.requests == 3000 - 30 && nl_system_find(s, "p9", &err)->all.requests == 3);
		CHECK(!nl_system_find(s, "p10", &err) && strstr(err.msg, "no such policy in 3000 events"));
		struct nl_system *b = nl_system_new((struct nl_system_cfg){ .late_us = INT64_MAX, .skew_us = INT64_MAX, .series = 10 });
		CHECK(nl_system_merge(b, s = again(s)) == 0 && same(s, b));
		CHECK(nl_system_merge(b, s) == 0 && nl_system_count(b) == 11);
		CHECK(nl_system_find(b, "_overflow", &err)->all.requests == 2 * (3000 - 30));
		nl_system_free(s);
		nl_system_free(b);
	}
	TEST("A name that two kinds have is ambiguous, and one that is nearly there is proposed") {
		struct nl_system *s = open_system(INT64_MAX);
		struct nl_fact f = { .time_us = 1, .told = NL_TOLD_SUCCESS, .run = 1, .policy = { "payments", 8 }, .kind = { "retry", 5 } };
		nl_system_take(s, &f, 0);
		call(s, "payments", 1, false, 1, 0);
		CHECK(!nl_system_find(s, "payments", &err) && strcmp(err.msg, "payments: ambiguous: retry/payments, timeout/payments") == 0);
		CHECK(nl_system_find(s, "retry/payments", &err)->kind == NL_S_RETRY);
		CHECK(!nl_system_find(s, "paymens", &err) && strstr(err.msg, "(did you mean payments?)"));
		nl_system_free(s);
	}
}

static bool loads(const char *text, size_t n)
{
	char path[] = "/tmp/observer.XXXXXX";
	struct nl_mark *mark = NULL;
	unsigned marks = 0;
	struct nl_err err = { "" };
	int fd = mkstemp(path);
	CHECK(fd >= 0 && write(fd, text, n) == (ssize_t)n && close(fd) == 0);
	struct nl_system *s = nl_system_load(path, &mark, &marks, &err);
	CHECK((s != NULL) == !*err.msg);
	for (unsigned i = 0; i < marks; i++)
		free(mark[i].path);
	free(mark);
	nl_system_free(s);
	unlink(path);
	return s != NULL;
}

static void snapshots(void)
{
	char dir[] = "/tmp/observer.XXXXXX", path[64];
	struct nl_err err;
	TEST("A snapshot has where sources had been read to") {
		char name[] = "/var/log/a \"b\"\n.ndjson";
		struct nl_mark mark = { name, 7, UINT64_MAX, 4096, 12345 }, *is;
		struct nl_system *s = open_system(INT64_MAX);
		unsigned n;
		call(s, "db", 1, false, 1, 0);
		CHECK(mkdtemp(dir) != NULL);
		snprintf(path, sizeof path, "%s/s", dir);
		CHECK(nl_system_save(s, path, &mark, 1, &err) == 0 && nl_system_save(s, path, &mark, 1, &err) == 0);
		struct nl_system *b = nl_system_load(path, &is, &n, &err);
		CHECK(b && n == 1 && strcmp(is->path, mark.path) == 0 && is->ino == UINT64_MAX && is->offset == 4096 && is->seen == 12345 && is->dev == 7);
		CHECK(b && same(s, b));
		free(is->path);
		free(is);
		nl_system_free(b);
		CHECK(unlink(path) == 0 && rmdir(dir) == 0);    // Nothing else is left there.
		CHECK(nl_system_save(s, path, &mark, 1, &err) == -1 && strstr(err.msg, "No such file"));
		nl_system_free(s);
	}
	TEST("A snapshot with a byte that was changed, or that ends too early, is refused") {
		struct nl_system *s = open_system(INT64_MAX);
		size_t n;
		for (unsigned i = 0; i < 300; i++)
			call(s, "db", i, i % 3 == 0, 1000 * i, 0);
		char *text = text_of(s, &n);
		CHECK(loads(text, n));
		state = 1;
		for (unsigned i = 0; i < 200; i++) {
			size_t at = rnd(n);
			CHECK(!loads(text, at));
			text[at] ^= (char)(1 << rnd(7));
			CHECK(!loads(text, n));
			free(text);
			text = text_of(s, &n);
		}
		free(text);
		nl_system_free(s);
	}
}

int main(void)
{
	random_logs();
	times();
	breakers();
	many_names();
	many_runs();
	snapshots();
	return unit_done();
}
