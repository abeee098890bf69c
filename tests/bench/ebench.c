/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ebench.c - nanoseconds to format one event, ours and by one snprintf(3) that
 * gives the same bytes (checked), of the same C library.  snprintf is given the
 * time in fields already, so it has the lighter task.  Then the whole emission,
 * clocks and write included, to each place of NL_EVENTS, and write(2) alone of the
 * same bytes.  Prints lines: WHAT ours peer's
 */
#include "event.h"
#include "os.h"
#include "sink.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BATCH 1000
#define WRITES 100
#define BATCHES 201

static nl_time still(int id)
{
	return id == CLOCK_REALTIME ? INT64_C(1789043527) * NL_SEC + 123456 * NL_US : INT64_C(86402017) * NL_MS;
}

static struct nl_event ours;
static char theirs[NL_EVENT_MAX];

static void format_ours(struct nl_run *run, struct nl_span_of of)
{
	if (!nl_event_open(&ours, run, of, "nl.retry.attempt", NL_WARN))
		exit(1);
	nl_event_str(&ours, "cmd", of.svc->cmd, 64);
	nl_event_int(&ours, "attempt", 3);
	nl_event_int(&ours, "max", 10);
	nl_event_end_of(&ours, NL_EXIT(22));
	nl_event_str(&ours, "err", "exit_22", 16);
	nl_event_secs(&ours, "dur_s", 1234567 * NL_US);
	nl_event_secs(&ours, "delay_s", 250 * NL_MS);
	ours.buf[ours.n] = '\0';
}

static int format_theirs(const struct nl_run *run, struct nl_span_of of, unsigned seq, const struct tm *tm)
{
	const struct nl_ids *ids = run->ids;

	return snprintf(theirs, sizeof theirs,
		"{\"nl\":1,\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%06dZ\",\"event\":\"%s\",\"sev\":%d,\"policy\":\"%s\","
		"\"kind\":\"%s\",\"trace_id\":\"%016llx%016llx\",\"span_id\":\"%016llx\",\"parent_id\":\"%016llx\",\"run\":\"%016llx\","
		"\"seq\":%u,\"pid\":%d,\"depth\":%u,\"mono_us\":%lld,\"cmd\":\"%s\",\"attempt\":%d,\"max\":%d,\"exit\":%d,"
		"\"err\":\"exit_%d\",\"dur_s\":%d.%06d,\"delay_s\":%d.%06d",
		tm->tm_year + 1900, tm->tm_mon + 1, tm->tm_mday, tm->tm_hour, tm->tm_min, tm->tm_sec, 123456,
		"nl.retry.attempt", NL_WARN, of.svc->id, of.svc->layer->name,
		(unsigned long long)ids->trace[0], (unsigned long long)ids->trace[1], (unsigned long long)of.span,
		(unsigned long long)of.parent, (unsigned long long)ids->run, seq, (int)run->pid, of.depth,
		(long long)(still(CLOCK_BOOTTIME) / NL_US), of.svc->cmd, 3, 10, 22, 22, 1, 234567, 0, 250000);
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v)
{
	qsort(v, BATCHES, sizeof *v, ascending);
	return v[BATCHES / 2];
}

/* A place for events, and what takes them out again: fd -1, a file that is emptied. */
struct place { struct nl_sink sink; const char *name; int drain, batch; };

static bool empty(const struct place *p)
{
	char buf[65536];

	if (p->drain < 0)
		return p->sink.fd < 0 || ftruncate(p->sink.fd, 0) == 0;
	while (read(p->drain, buf, sizeof buf) > 0)
		;
	return true;
}

/* Median ns of an event with the real clock, formatted and emitted; of write(2) alone with the same bytes. */
static void emission(struct nl_run *run, struct place *p, struct nl_svc *svc, struct nl_span_of of)
{
	static double ns[BATCHES], bare[BATCHES];
	bool ok = true;

	svc->sink = &p->sink;
	for (int i = 0; i < BATCHES && ok; i++) {
		double start = now_ns(), middle;

		for (int k = 0; k < p->batch; k++) {
			format_ours(run, of);
			nl_event_emit(&ours);
		}
		ns[i] = (now_ns() - start) / p->batch;
		ok = empty(p);
		middle = now_ns();
		for (int k = 0; k < p->batch; k++)
			ok &= write(p->sink.fd, ours.buf, ours.n) == (ssize_t)ours.n;
		bare[i] = (now_ns() - middle) / p->batch;
		ok &= empty(p) && !p->sink.dropped;
	}
	if (ok)
		printf("%s %.0f %.0f\n", p->name, median(ns), median(bare));
	else
		printf("%s failed failed\n", p->name);
}

/* Each place of NL_EVENTS, in $TMPDIR. */
static void emissions(struct nl_run *run, struct nl_svc *svc, struct nl_span_of of)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = "socket" };
	int hears = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	struct place places[] = {
		{ { .type = NL_SINK_FILE, .path = "file" }, "file", -1, WRITES },
		{ { .type = NL_SINK_DIR, .path = "." }, "directory", -1, WRITES },
		{ { .type = NL_SINK_FIFO, .path = "fifo" }, "pipe", -1, WRITES },
		{ { .type = NL_SINK_UNIX, .path = "socket" }, "socket", hears, 10 },        /* max_dgram_qlen */
	};

	if (chdir(getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp") != 0 || bind(hears, (struct sockaddr *)&at, sizeof at) != 0
	    || mkfifo("fifo", 0600) != 0)
		exit(1);
	places[2].drain = open("fifo", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		places[i].sink.level = NL_INFO, places[i].sink.fd = -1;
		emission(run, &places[i], svc, of);
	}
}

int main(void)
{
	struct nl_os os = nl_os_linux;
	struct nl_ids ids = { .trace = { 0x0123456789abcdef, 0xfedcba9876543210 }, .run = 0x00ff00ff00ff00ff };
	struct nl_run run = { .os = &os, .ids = &ids, .pid = 12345, .tool = "ebench" };
	struct nl_sink none = { .type = NL_SINK_FILE, .level = NL_INFO, .fd = -1 };
	struct nl_svc svc = { .layer = &nl_retry, .id = "curl", .cmd = "curl", .sink = &none };
	struct nl_span_of of = { .svc = &svc, .span = 0xabcdef0123456789, .parent = 0x1122334455667788, .depth = 1 };
	double a[BATCHES], b[BATCHES];
	time_t t = (time_t)(still(CLOCK_REALTIME) / NL_SEC);
	struct tm tm;

	os.clock = still;
	gmtime_r(&t, &tm);
	format_ours(&run, of);
	format_theirs(&run, of, 0, &tm);
	if (strcmp(ours.buf, theirs) != 0) {
		fprintf(stderr, "ebench: the lines differ\n%s\n%s\n", ours.buf, theirs);
		return 1;
	}
	for (int i = 0; i < BATCHES; i++) {
		double start = now_ns(), middle;

		for (int k = 0; k < BATCH; k++)
			format_ours(&run, of);
		middle = now_ns();
		for (unsigned k = 0; k < BATCH; k++)
			format_theirs(&run, of, k, &tm);
		a[i] = (middle - start) / BATCH;
		b[i] = (now_ns() - middle) / BATCH;
	}
	run.os = &nl_os_linux;
	printf("format %.0f %.0f\n", median(a), median(b));
	emissions(&run, &svc, of);
	return 0;
}
