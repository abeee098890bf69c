/* SPDX-License-Identifier: Apache-2.0 */
/*
 * budget_test.c - what AWS, gRPC and Finagle test of their own budgets, as short
 * sequences, and the arithmetic of ours.
 */
#include "backoff.h"
#include "budget.h"
#include "unit.h"

#include <string.h>

static struct nl_budget b;
static int64_t held;
static nl_time now = 1000 * NL_SEC;

static void begin(enum nl_budget_kind kind, int64_t max)
{
	b = (struct nl_budget){ .cfg = nl_budget_profile(kind), .set = 1 };
	if (max >= 0)
		b.cfg.max = max * 1000;
	b.tokens = b.cfg.max, b.slice = 0, held = 0;
}

static int64_t left(void)
{
	return nl_budget_balance(&b, now) / 1000;
}

/* An attempt fails and asks for another: what is left, or -1. */
static int64_t fail(enum nl_budget_cause cause)
{
	nl_budget_step(&b, NL_BUDGET_FAILED, cause, 0, now);
	int64_t r = nl_budget_step(&b, NL_BUDGET_RETRY, cause, 0, now);
	held = r > 0 ? r : 0;
	return r < 0 ? -1 : left();
}

static int64_t ok(void)
{
	nl_budget_step(&b, NL_BUDGET_OK, NL_CAUSE_ERROR, held, now);
	held = 0;
	return left();
}

static void aws(void)
{
	TEST("aws-2.0: a retry costs 5 and what it cost comes back when it succeeds") {
		begin(NL_BUDGET_AWS_20, 500);
		CHECK(fail(NL_CAUSE_ERROR) == 495);
		CHECK(fail(NL_CAUSE_ERROR) == 490);
		CHECK(ok() == 495);
		begin(NL_BUDGET_AWS_20, 500);
		CHECK(fail(NL_CAUSE_ERROR) == 495);
		CHECK(fail(NL_CAUSE_ERROR) == 490);
		CHECK(fail(NL_CAUSE_ERROR) == 485);
		CHECK(fail(NL_CAUSE_ERROR) == 480);
	}
	TEST("aws-2.0: a budget of one retry grants one") {
		begin(NL_BUDGET_AWS_20, 5);
		CHECK(fail(NL_CAUSE_ERROR) == 0);
		CHECK(fail(NL_CAUSE_ERROR) == -1);
	}
	TEST("aws-2.0: a retry after a timeout costs 10") {
		begin(NL_BUDGET_AWS_20, 100);
		CHECK(fail(NL_CAUSE_TIMEOUT) == 90);
		CHECK(fail(NL_CAUSE_TIMEOUT) == 80);
		CHECK(ok() == 90);
	}
	TEST("aws-2.0: a first success earns one, never above the capacity") {
		begin(NL_BUDGET_AWS_20, 500);
		CHECK(ok() == 500);
		b.tokens = 10000;
		CHECK(ok() == 11);
	}
	TEST("aws-2.1: a retry costs 14, one after throttling 5") {
		begin(NL_BUDGET_AWS_21, 500);
		CHECK(fail(NL_CAUSE_ERROR) == 486);
		CHECK(fail(NL_CAUSE_ERROR) == 472);
		CHECK(ok() == 486);
		begin(NL_BUDGET_AWS_21, 500);
		CHECK(fail(NL_CAUSE_THROTTLE) == 495);
		CHECK(ok() == 500);
		begin(NL_BUDGET_AWS_21, 14);
		CHECK(fail(NL_CAUSE_ERROR) == 0);
		CHECK(fail(NL_CAUSE_ERROR) == -1);
		begin(NL_BUDGET_AWS_21, 20);
		CHECK(fail(NL_CAUSE_ERROR) == 6);
		CHECK(fail(NL_CAUSE_ERROR) == -1);
		begin(NL_BUDGET_AWS_21, 30);
		CHECK(fail(NL_CAUSE_ERROR) == 16);
		CHECK(fail(NL_CAUSE_ERROR) == 2);
		CHECK(ok() == 16);
		CHECK(fail(NL_CAUSE_ERROR) == 2);
		CHECK(ok() == 16);
	}
	TEST("The delays of AWS's own vectors are those of exponential back-off") {
		static const nl_time one[] = { 1, 2, 4, 8 }, capped[] = { 1, 2, 3, 3 }, new[] = { 50, 100 };
		struct nl_backoff v20 = { NL_EXPONENTIAL, NL_SEC, 20 * NL_SEC }, v3 = { NL_EXPONENTIAL, NL_SEC, 3 * NL_SEC },
		                  v21 = { NL_EXPONENTIAL, 50 * NL_MS, 20 * NL_SEC };
		for (uint64_t i = 0; i < 4; i++) {
			CHECK(nl_backoff_delay(&v20, i + 1) == one[i] * NL_SEC);
			CHECK(nl_backoff_delay(&v3, i + 1) == capped[i] * NL_SEC);
		}
		for (uint64_t i = 0; i < 2; i++)
			CHECK(nl_backoff_delay(&v21, i + 1) == new[i] * NL_MS);
	}
}

static void grpc(void)
{
	TEST("grpc: five failures stop retries, and from nothing it takes 51 successes to allow one") {
		begin(NL_BUDGET_GRPC, -1);
		for (int i = 0; i < 4; i++)
			CHECK(fail(NL_CAUSE_ERROR) == 9 - i);
		CHECK(fail(NL_CAUSE_ERROR) == -1);
		b.tokens = 0;
		for (int i = 0; i < 50; i++)
			ok();
		CHECK(nl_budget_step(&b, NL_BUDGET_RETRY, NL_CAUSE_ERROR, 0, now) == -1);
		ok();
		CHECK(nl_budget_step(&b, NL_BUDGET_RETRY, NL_CAUSE_ERROR, 0, now) == 0);
		CHECK(b.tokens == 5100);
	}
	TEST("grpc: tokens stay between none and all") {
		begin(NL_BUDGET_GRPC, -1);
		for (int i = 0; i < 30; i++)
			fail(NL_CAUSE_ERROR);
		CHECK(b.tokens == 0);
		for (int i = 0; i < 300; i++)
			ok();
		CHECK(b.tokens == 10000);
	}
}

static unsigned retries(void)
{
	unsigned n = 0;
	while (n < 100000 && nl_budget_step(&b, NL_BUDGET_RETRY, NL_CAUSE_ERROR, 0, now) >= 0)
		n++;
	return n;
}

static void finagle(void)
{
	static const struct { int64_t percent, cost; } shares[] = { { 1, 100 }, { 10, 10 }, { 20, 5 }, { 50, 2 }, { 100, 1 } };
	TEST("finagle: of 10 000 requests a share is retried, and a reserve beside it") {
		for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
			begin(NL_BUDGET_FINAGLE, -1);
			b.cfg.cost = shares[i].cost * 1000, b.cfg.min_per_s = 0;
			for (int k = 0; k < 10000; k++)
				nl_budget_step(&b, NL_BUDGET_REQUEST, NL_CAUSE_ERROR, 0, now);
			unsigned n = retries();
			CHECK(n >= 100 * shares[i].percent - 1 && n <= 100 * shares[i].percent + 1);
		}
		begin(NL_BUDGET_FINAGLE, -1);
		CHECK(retries() == 100);                // 10 a second for 10 seconds.
		begin(NL_BUDGET_FINAGLE, -1);
		for (int k = 0; k < 1000; k++)
			nl_budget_step(&b, NL_BUDGET_REQUEST, NL_CAUSE_ERROR, 0, now);
		CHECK(retries() == 300);
	}
	TEST("finagle: a deposit is worth something for its time, and nothing after it") {
		nl_time began = now;
		begin(NL_BUDGET_FINAGLE, -1);
		b.cfg.ttl_ns = NL_SEC, b.cfg.min_per_s = 0, b.cfg.cost = 1000;
		nl_budget_step(&b, NL_BUDGET_REQUEST, NL_CAUSE_ERROR, 0, now);
		now = began + 899 * NL_MS;
		CHECK(left() == 1);
		now = began + NL_SEC;
		CHECK(left() == 0);
		nl_budget_step(&b, NL_BUDGET_REQUEST, NL_CAUSE_ERROR, 0, now);
		CHECK(retries() == 1);
		now = began + 100 * NL_SEC;
		CHECK(left() == 0 && retries() == 0);
	}
	TEST("finagle: what was spent comes back when it is old") {
		begin(NL_BUDGET_FINAGLE, -1);
		b.cfg.min_per_s = 1;
		CHECK(retries() == 10);
		now += 10 * NL_SEC;
		CHECK(retries() == 10);
	}
}

static void sane(void)
{
	TEST("A body that cannot be is found, and one of a time to come is put right") {
		begin(NL_BUDGET_FINAGLE, -1);
		CHECK(nl_budget_sane(&b, now) == 0);
		b.slice = INT64_MAX;
		CHECK(nl_budget_sane(&b, now) == 1 && b.slice == 0);
		for (size_t i = 0; i < sizeof b; i++) {         // Whatever it is: no crash, and then it is bounded.
			unsigned char *p = (unsigned char *)&b;
			for (int v = 0; v < 256; v += 85) {
				unsigned char was = p[i];
				p[i] = (unsigned char)v;
				if (nl_budget_sane(&b, now) >= 0) {
					retries();
					CHECK(left() >= 0);
				}
				begin(NL_BUDGET_FINAGLE, -1);
				(void)was;
			}
		}
		begin(NL_BUDGET_AWS_20, 500);
		b.tokens = -1;
		CHECK(nl_budget_sane(&b, now) < 0);
		memset(&b, 0, sizeof b);
		CHECK(nl_budget_sane(&b, now) == 0);
	}
}

int main(void)
{
	aws();
	grpc();
	finagle();
	sane();
	return unit_done();
}
