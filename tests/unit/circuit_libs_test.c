/* SPDX-License-Identifier: Apache-2.0 */
/*
 * circuit_libs_test.c - sequences of other libraries' own tests.  Where a rule
 * of theirs is in none of our profiles the row has our answer, and says so.
 */
#include "unit.h"
#include "walk.h"

#define LEN(a) (sizeof (a) / sizeof *(a))
#define PCT(x) ((uint32_t)((x) * 10000))
#define CALLS(n) { NL_WINDOW_COUNT, (n), 0 }
#define SECS(n) { NL_WINDOW_TIME, (n), NL_SEC }

struct row { struct nl_circuit_cfg cfg; const char *words; };

static void check(const struct row *rows, size_t n)
{
	struct walk w;
	for (size_t i = 0; i < n; i++) {
		bool fine = walk_from(&w, rows[i].cfg, rows[i].words);
		CHECK_ROW(fine, rows[i].words);
		if (!fine)
			printf("# %s\n", w.why);
	}
}

#define R4J .semantics = NL_SEM_RESILIENCE4J
static const struct nl_circuit_cfg r4j = { R4J, .shape = SECS(20), .rate_ppm = PCT(50), .slow_ppm = PCT(50), .slow_ns = 4 * NL_SEC,
                                           .min_calls = 5, .probes = 4, .open_ns = 5 * NL_SEC, .factor_ppm = 1000000 };

static void of_resilience4j(void)
{
	struct nl_circuit_cfg two_hours = r4j, grows = r4j;
	two_hours.open_ns = 7200 * NL_SEC;
	grows.factor_ppm = 1500000;
#define HALF "5F =O +5001 A =H rel "
	const struct row rows[] = {
		{ r4j, "F F F S =C %-1 #4 S =O %60 X n1" },
		{ r4j, "f s F S =C s =O" },
		{ r4j, "5F =O +3000 X +3000 A =H #0 n0" },
		{ two_hours, "5F +3600000 X +3601000 A =H" },
		{ grows, "5F +3000 X +3000 A rel 4F =O o2 +6000 X +5000 A =H" },
		{ r4j, "5F +5000 X +1 A =H" },          // Strictly after.
		{ r4j, HALF "F F S =H F =O %75" },
		{ r4j, HALF "s s s =H S =O" },
		{ r4j, HALF "F S S =H S =C #0" },
		{ r4j, HALF "S S S I =H F =C" },
		{ r4j, HALF "4I =H 4S =C" },
		{ r4j, HALF "4A X n1 rel A X" },
		{ r4j, HALF "2A ok ok 2A X =H" },       // What has ended is spent.
		{ r4j, "A 5F +5001 A =H fail #1 =H" },  // A result of the closed state counts here.
		{ r4j, "A 5F =O ok #6" },               // While open too.
		{ r4j, "open =FO 3X n3 r- off =D 9F =D #0 reset =C #0" },
	};
	TEST("resilience4j: CircuitBreakerStateMachineTest")
		check(rows, LEN(rows));

	const struct nl_circuit_cfg ten = { R4J, .shape = CALLS(10), .min_calls = 10, .rate_ppm = PCT(50), .probes = 1, .open_ns = NL_SEC },
		four = { R4J, .shape = CALLS(4), .min_calls = 1, .rate_ppm = PCT(100), .probes = 1, .open_ns = 3600 * NL_SEC },
		clamped = { R4J, .shape = CALLS(4), .min_calls = 10, .rate_ppm = PCT(50), .probes = 10, .open_ns = NL_SEC };
	struct nl_circuit_cfg five = { R4J, .shape = SECS(5), .min_calls = 100, .rate_ppm = PCT(50), .probes = 1, .open_ns = NL_SEC };
	const struct row metrics[] = {
		{ ten, "A A A A A 2S 2F %-1 4F 2S =O %60 ok ok #10 !6 ok ok ok %30" },
		{ four, "A A A A F =O %100 ok %50 ok %33.33 ok %25 ok %0" },
		{ clamped, "3S F =C F =O +1001 4A =H ok ok fail =H ok =C" },
		{ five, "F @100 S @800 f #3 !2 @4800 #3 @5800 #0 @5900 S #1 +5000 S #1" },
		{ five, "F S S +1000 S +1000 S +1000 F +1000 S #7 !2 +1000 S #5 !1 +1000 S #5 !1 +5000 S #1 !0" },
	};
	TEST("resilience4j: its metrics")
		check(metrics, LEN(metrics));
}

static void of_polly(void)
{
	const struct nl_circuit_cfg half = { .shape = SECS(10), .rate_ppm = PCT(50), .min_calls = 4, .open_ns = 30 * NL_SEC },
		two = { .failures = 2, .open_ns = 30 * NL_SEC }, hour = { .shape = SECS(10), .rate_ppm = PCT(50), .min_calls = 1000 };
	struct nl_circuit_cfg short_one = half, tenth = { .shape = SECS(60), .rate_ppm = PCT(10), .min_calls = 10, .open_ns = NL_SEC };
	short_one.shape = nl_shape_of_span(199 * NL_MS);
	struct nl_circuit_cfg builder = { .shape = SECS(60), .rate_ppm = PCT(50), .min_calls = 10, .open_ns = NL_SEC };
	const struct row rows[] = {
		{ half, "F =C F =C F =C F =O" },
		{ half, "F F F @6000 F =O" },
		{ half, "F F F S =C" },
		{ half, "S S F @20000 F =C" },
		{ half, "S S F @10000 F =C" },
		{ half, "S S @9999.9999 F @10000 F =C" },
		{ half, "F F F @9999.9999 F =O" },
		{ half, "S S F =C" },
		{ half, "S S S F =C" },
		{ half, "S @9999.9999 S S F @10000 F =O" },
		{ short_one, "S @198.9999 S S F @199 F =O" },   // Polly: C, below 200 ms it has one sub-window; we have ten.
		{ half, "S @9999.9999 F F @10000 F =C" },
		{ half, "S @1000 F F S @10000 F =O" },
		{ half, "4I =C #0" },                           // Polly counts what is not handled as success; we count nothing.
		{ half, "4F =O X r30000 +29999.9999 X +0.0001 A =H fail =O" },
		{ half, "4F +30000 A =H X ok =C" },
		{ half, "4F +30000 A X +30000 X rel A" },       // Polly 7 gives another permit then; ours comes back when its holder dies.
		{ two, "F S F =C F =O reset =C F =C F =O" },
		{ tenth, "10S =C" }, { tenth, "9S F =O" }, { tenth, "8S F =C F =O" }, { tenth, "8S F =C F =O" }, { tenth, "8S F =C" },
		{ builder, "10F =O X r1000 +500 X r500 +500 F =O o2 +1000 S =C o0" },
		{ builder, "10F o1 +1000 F o2 +1000 F o3 +1000 F o4 +1000 F o5 +1000 S =C o0 10F o1 +1000 F o2" },
	};
	TEST("Polly: AdvancedCircuitBreakerSpecs and its relatives")
		check(rows, LEN(rows));
	const struct row health[] = {
		{ hour, "F S #2 !1 +2000 F S #4 !2 +2000 S S +2000 S S #8 !2 +2000 S S #10 !2 +2000 #8 !1 +2000 #6 !0" },
		{ hour, "S +1000 S +1000 S +1000 S +1000 S +1000 S +1000 S +1000 S +1000 S +1000 S #10 +1000 #9 +1000 #8" },
	};
	TEST("Polly: RollingHealthMetrics")
		check(health, LEN(health));
}

static void of_gobreaker(void)
{
#define GO .semantics = NL_SEM_GOBREAKER
	const struct nl_circuit_cfg plain = { GO, .failures = 6, .probes = 1, .open_ns = 60 * NL_SEC },
		custom = { GO, .shape = { NL_WINDOW_TIME, 1, 30 * NL_SEC }, .rate_ppm = PCT(60), .min_calls = 3, .probes = 3,
	                   .open_ns = 90 * NL_SEC },
		rolling = { GO, .shape = { NL_WINDOW_TIME, 10, 3 * NL_SEC }, .rate_ppm = PCT(60), .min_calls = 3, .probes = 3,
	                    .open_ns = 90 * NL_SEC };
	const struct row rows[] = {
		{ plain, "5F =C S F 4F =C F =O #0 +59999 X +1 X =O +0.000001 =H F =O +60000.000001 =H S =C #0" },
		{ custom, "5S 5F 5I =C #15 +29999 S #16 +1.000001 #0 F S =C F =O" },
		{ custom, "3F =O +90001 =H 4I =H F =O" },
		{ custom, "3F =O +90001 S S =H A X ok =C" },
		{ custom, "A +30001 fail #0 =C" },              // Of an earlier generation.
		{ custom, "A 2F =O ok =O #0" },
		{ rolling, "5S #5 +3000 S #6 +6000 2S #8 +21000 #3 +6000 #2 +3000 #0" },
		{ rolling, "A +27000 ok #1 A +30000 ok #0" },   // Into the bucket that it was given in, or into none.
	};
	TEST("gobreaker: its own tests")
		check(rows, LEN(rows));
}

static void of_failsafe(void)
{
	const struct nl_circuit_cfg three = { .failures = 3, .open_ns = 60 * NL_SEC },
		two_of_3 = { .shape = CALLS(3), .min_calls = 3, .rate_ppm = PCT(66) },
		three_of_4 = { .shape = CALLS(4), .min_calls = 4, .rate_ppm = PCT(75) },
		k3 = { .failures = 1, .close_after = 3 }, one = { .failures = 1, .open_ns = 60 * NL_SEC },
		timed = { .shape = SECS(4), .min_calls = 1000, .rate_ppm = PCT(50) };
	const struct row rows[] = {
		{ three, "F S F F =C F =O" },
		{ two_of_3, "F S =C F =O" },
		{ three_of_4, "S F S F S F S F S F S F S F S F =C" },
		{ three, "3F +60000 F =O" },                    // failsafe without a success threshold: after three; ours: any failed probe.
		{ three, "3F +60000 A =H ok =C" },
		{ k3, "F =O 3S =C" }, { k3, "F 2S =H F =O" }, { k3, "F S F =O" },
		{ k3, "F S =H F =O 3S =C" },                    // failsafe 3 of 4: S F S S closes; ours begins anew.
		{ one, "F =O X r60000 +60000 S =C" },
		{ timed, "10S 40F #50 @1000 10S #60 %-1 !40 @2500 20F #80 !60 @3100 5S 20F #105 !80 @5400 8S #53 !40 @7300 5F #13 !5 @22500 #0" },
	};
	TEST("failsafe: closed, half-open and timed statistics")
		check(rows, LEN(rows));
}

static void of_others(void)
{
	const struct nl_circuit_cfg ratio = { .shape = SECS(20), .rate_ppm = PCT(20), .min_calls = 1, .open_ns = 10 * NL_SEC },
		rt = { .shape = SECS(20), .slow_ppm = PCT(100), .slow_ns = NL_SEC, .min_calls = 3, .open_ns = 5 * NL_SEC },
		linkerd = { .failures = 2, .open_ns = NL_SEC, .open_max_ns = 100 * NL_SEC, .factor_ppm = 2000000 };
	const struct row rows[] = {
		{ ratio, "S F =O X X +5000 X +5000 F =O X X +10000 S =C" },
		{ ratio, "4S F =O" },                           // Sentinel: more than the ratio; ours: as much is enough.
		{ ratio, "F +10000 A =H ign =H A" },        // Sentinel opens again when an inner rule blocks the probe; ours gives it back.
		{ rt, "s s =C s =O +1000 X +4000 A" },
	};
	TEST("Sentinel: ratio, response time, interplay")
		check(rows, LEN(rows));
	const struct row consecutive[] = {
		{ linkerd, "A F F =O ok =O +1000 A =H X fail =O X r2000 +1000 X +1000 S =C" },
		{ linkerd, "F F +1000 F +2000 F +4000 F +8000 F +16000 F +32000 F +64000 F X r100000 +100000 F X r100000" },
	};
	TEST("Linkerd: consecutive failures")
		check(consecutive, LEN(consecutive));
}

int main(void)
{
	of_resilience4j();
	of_polly();
	of_gobreaker();
	of_failsafe();
	of_others();
	return unit_done();
}
