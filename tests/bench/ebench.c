/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ebench.c - nanoseconds to format one event, ours and by one snprintf(3) that
 * gives the same bytes (checked), of the same C library.  snprintf is given the
 * time in fields already, so it has the lighter task.  Then the whole emission,
 * clocks and write included, to a file of $TMPDIR.  Prints: ours snprintf emitted
 */
#include "event.h"
#include "os.h"
#include "sink.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* Time per event with the real clock and a real file, emptied now and then. */
static double emission(struct nl_run *run, struct nl_sink *sink, struct nl_span_of of)
{
	const char *dir = getenv("TMPDIR");
	double ns[BATCHES];

	sink->fd = open(dir ? dir : "/tmp", O_TMPFILE | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
	if (sink->fd < 0)
		return -1;
	for (int i = 0; i < BATCHES; i++) {
		double start = now_ns();

		for (int k = 0; k < WRITES; k++) {
			format_ours(run, of);
			nl_event_emit(&ours);
		}
		ns[i] = (now_ns() - start) / WRITES;
		if (ftruncate(sink->fd, 0) != 0)
			return -1;
	}
	close(sink->fd);
	return sink->dropped ? -1 : median(ns);
}

int main(void)
{
	struct nl_os os = nl_os_linux;
	struct nl_ids ids = { .trace = { 0x0123456789abcdef, 0xfedcba9876543210 }, .run = 0x00ff00ff00ff00ff };
	struct nl_run run = { .os = &os, .ids = &ids, .pid = 12345, .tool = "ebench" };
	struct nl_sink sink = { .type = NL_SINK_FILE, .level = NL_INFO, .fd = -1 };
	struct nl_svc svc = { .layer = &nl_retry, .id = "curl", .cmd = "curl", .sink = &sink };
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
	printf("%.0f %.0f %.0f\n", median(a), median(b), emission(&run, &sink, of));
	return 0;
}
