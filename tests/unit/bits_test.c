/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bits_test.c - each bit of a record, flipped: found, or harmless.
 *
 * Records that real calls have left.  Flipped as it is, a bit must be noticed:
 * the record is moved aside, that call follows its policy, the next one works.
 * With the sum made right again, as by somebody who means it, no bit may crash
 * anything or lock anybody out for ever: a call is admitted, or whoever may have
 * the guard can mend it.
 */
#include "circuit.h"
#include "queue.h"
#include "run.h"
#include "stack.h"
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char root[64], state[80];
static struct nl_signals signals = { .fd = -1, .wanted = ~UINT64_C(0) };
static struct nl_run run;
static unsigned ran;
static int status;                      /* of the command */

static struct nl_outcome leaf_call(struct nl_svc *svc, struct nl_run *r, struct nl_req q)
{
	(void)svc, (void)r, (void)q;
	ran++;
	return (struct nl_outcome){ status, NL_RAN };
}

static const struct nl_layer leaf = { .name = "leaf", .call = leaf_call };
static struct nl_svc last = { .layer = &leaf, .cmd = "leaf", .id = "leaf" };

static struct nl_svc *stack_of(const struct nl_layer *layer, char **argv, struct nl_room *room)
{
	const struct nl_layer *at;
	struct nl_err err;
	struct nl_svc *svc = nl_stack(layer, argv, NL_STACK_FUSED, room, &at, &err);
	if (!svc) {
		printf("Bail out! %s\n", err.msg);
		exit(1);
	}
	svc->inner = &last;
	return svc;
}

/* One call; did the command run? */
static bool call(struct nl_svc *svc)
{
	unsigned before = ran;
	nl_do(svc, &run, (struct nl_req){ .limit = { .at = NL_NEVER }, .prev = -1 });
	return ran > before;
}

static const char *path(const char *kind, const char *name)
{
	static char buf[120];
	snprintf(buf, sizeof buf, "%s/%s/%s", root, kind, name);
	return buf;
}

static void put(const char *kind, const struct nl_record *rec)
{
	int fd = open(path(kind, "x"), O_WRONLY | O_CLOEXEC);
	CHECK(pwrite(fd, rec, sizeof *rec, 0) == sizeof *rec);
	close(fd);
}

static struct nl_record get(const char *kind)
{
	struct nl_record rec;
	memset(&rec, 0, sizeof rec);
	int fd = open(path(kind, "x"), O_RDONLY | O_CLOEXEC);
	CHECK(pread(fd, &rec, sizeof rec, 0) == sizeof rec);
	close(fd);
	return rec;
}

static struct nl_record flipped(const struct nl_record *good, unsigned bit)
{
	struct nl_record rec = *good;
	((unsigned char *)&rec)[bit / 8] ^= (unsigned char)(1u << bit % 8);
	return rec;
}

/* A real call for a bit of each byte; the others are read as a call reads them. */
static bool is_called(unsigned bit)
{
	return bit % 8 == bit / 8 % 8;
}

/* Every bit in turn; after that the record is `good` again. */
static void flip_all(const struct nl_kind *kind, struct nl_svc *svc, const struct nl_record *good, bool runs_all_the_same)
{
	char aside[120], row[32];
	struct nl_state s;
	snprintf(aside, sizeof aside, "%s", path(kind->name, ".x.corrupt.1"));
	CHECK(nl_state_open(&s, &run, NULL, kind, "x", NL_CREATE) == 0);
	for (unsigned bit = 0; bit < 8 * NL_RECORD_SIZE && unit_faults < 5; bit++) {
		struct nl_record rec = flipped(good, bit);
		snprintf(row, sizeof row, "%s bit %u", kind->name, bit);
		put(kind->name, &rec);
		if (is_called(bit)) {
			CHECK_ROW(call(svc) == runs_all_the_same, row);
			CHECK_ROW(call(svc), row);
			nl_state_close(&s);
			CHECK_ROW(nl_state_open(&s, &run, NULL, kind, "x", NL_CREATE) == 0, row);
		} else {
			CHECK_ROW(nl_state_read(&s, &rec) == -1 && s.trouble == NL_CORRUPT, row);
			CHECK_ROW(nl_state_read(&s, &rec) == 0, row);
		}
		CHECK_ROW(access(aside, F_OK) == 0, row);
		unlink(aside);
		put(kind->name, good);
	}
	nl_state_close(&s);
}

static void check_breaker(struct nl_svc *svc, const char *row)
{
	struct nl_state s;
	struct nl_record rec;
	bool admitted = call(svc);
	CHECK_ROW(nl_state_open(&s, &run, NULL, &nl_kind_breaker, "x", NL_CREATE) == 0, row);
	if (nl_state_lock(&s, &rec, NL_SEC) == 0) {
		struct nl_circuit_input in = { .event = NL_RESET, .now = nl_boottime(&run) };
		(void)nl_circuit_step(NULL, (struct nl_circuit *)rec.body, &rec.head.epoch, &in);
		CHECK_ROW(nl_state_write(&s, &rec) == 0, row);
	} else {
		CHECK_ROW(admitted, row);       // It is no record of ours: the command runs.
	}
	nl_state_close(&s);
	CHECK_ROW(call(svc), row);
}

static void check_bulkhead(struct nl_svc *svc, const char *row)
{
	struct nl_record is = get("bulkhead");
	if (!call(svc) && is.head.major == 1)   // A later version's is left alone, and nothing runs.
		CHECK_ROW(call(svc), row);      // It was moved aside.
}

static void mean_it(const char *kind, struct nl_svc *svc, const struct nl_record *good, void (*check)(struct nl_svc *, const char *))
{
	char row[32];
	for (unsigned bit = 0; bit < 8 * NL_RECORD_SIZE && unit_faults < 5; bit++) {
		if (bit / 8 % 1024 >= 128 && !is_called(bit))   // All of the head, and of the body's beginning.
			continue;
		struct nl_record rec = flipped(good, bit);
		rec.head.sum = nl_state_sum(&rec);
		snprintf(row, sizeof row, "%s bit %u", kind, bit);
		put(kind, &rec);
		check(svc, row);
		unlink(path(kind, ".x.corrupt.1"));
		put(kind, good);
	}
}

static void clean(void)
{
	static const char *const files[] = { "breaker/x", "breaker/.x.lock", "breaker", "bulkhead/x", "bulkhead/.x.lock", "bulkhead", "" };
	char name[120];
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		snprintf(name, sizeof name, "%s/%s", root, files[i]);
		if (remove(name) < 0)
			perror(name);
	}
}

int main(void)
{
	static struct nl_room rooms[2];
	static char *env[] = { state, NULL };
	char *of_breaker[] = { (char *)"-f", (char *)"3", (char *)"--rate", (char *)"90", (char *)"--window", (char *)"20", (char *)"x",
	                       (char *)"true", NULL };
	char *of_bulkhead[] = { (char *)"-m", (char *)"2", (char *)"x", (char *)"true", NULL };
	snprintf(root, sizeof root, "%s/nl-bits-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	if (!mkdtemp(root))
		return 1;
	snprintf(state, sizeof state, "NL_STATE=%s", root);
	run = (struct nl_run){ .os = &nl_os_linux, .environ = env, .signals = &signals, .pid = getpid(), .horizon = NL_NEVER, .tool = "bits" };
	struct nl_svc *breaker = stack_of(&nl_breaker, of_breaker, &rooms[0]), *bulkhead = stack_of(&nl_bulkhead, of_bulkhead, &rooms[1]);
	for (int i = 0; i < 30; i++) {
		status = i % 5 == 0 ? NL_EXIT(2) : 0;
		call(breaker);
		call(bulkhead);
	}
	status = 0;
	struct nl_record a = get("breaker"), b = get("bulkhead");
	TEST("A flipped bit of a breaker's record is noticed, the command runs, and the next call counts again")
		flip_all(&nl_kind_breaker, breaker, &a, true);
	TEST("A flipped bit of a bulkhead's record is noticed, nothing runs, and the next call is admitted")
		flip_all(&nl_kind_bulkhead, bulkhead, &b, false);
	TEST("A bit of a breaker's record that was changed on purpose locks nobody out for ever")
		mean_it("breaker", breaker, &a, check_breaker);
	status = NL_EXIT(2);
	for (int i = 0; i < 3; i++)
		call(breaker);
	status = 0;
	a = get("breaker");
	TEST("A bit of an open breaker's record that was changed on purpose locks nobody out for ever") {
		CHECK(!call(breaker));
		mean_it("breaker", breaker, &a, check_breaker);
	}
	TEST("A bit of a bulkhead's record that was changed on purpose locks nobody out for ever")
		mean_it("bulkhead", bulkhead, &b, check_bulkhead);
	clean();
	return unit_done();
}
