#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The algebra in real processes: random expressions, fused and nested, against
# what an independent oracle says (the end, the runs, what is on stdout).
# tests/sim/laws_test.c does the same on a virtual clock, a hundred thousand times.
bats_require_minimum_version 1.5.0
load helper

setup_file() { export BATS_TEST_TIMEOUT=$((${LAWS:-0} > 2000 ? 880 : 400)); }

@test "Random expressions end as the oracle says, fused and nested" {
	local seed=${NL_SEED:-$RANDOM$RANDOM} n=${LAWS:-2000}

	echo "NL_SEED=$seed"
	SIM_LINES=$n SIM_SEED=$seed "$NL_ROOT/build/asan/unit/laws_test" >cases
	[ "$(wc -l <cases)" = "$n" ]
	laws <cases >said 3>&- || { cat said; false; }
	grep -qE "^$n cases, [0-9]{3,} commands, [0-9]{2,} good$" said
}

# How often the command runs, and how it ends, of an expression around one that hangs.
runs_of() {
	rm -f n
	status_of nl-run "$1" flaky n hang >status
	wc -c <n
}

@test "A + (B | C) is not (A + B) | (A + C): one budget or two" {
	[ "$(runs_of 'timeout(200ms) + (pass | pass)')" = 1 ]
	[ "$(cat status)" = 124 ]
	[ "$(runs_of '(timeout(200ms) + pass) | (timeout(200ms) + pass)')" = 2 ]
	rm -f n
	[ "$(status_of nl-run 'retry(2, backoff=const:0) + (pass | pass)' flaky n 1 1 1 0)" = 0 ]
	rm -f n
	[ "$(status_of nl-run '(retry(2, backoff=const:0) + pass) | (retry(1) + pass)' flaky n 1 1 1 0)" = 1 ]
}

@test "A | A is not A: it runs twice" {
	rm -f n
	run -1 nl-run 'pass | pass' flaky -q n 1
	[ "$(wc -c <n)" = 2 ]
}

@test "retry(m) + retry(n) runs m n times at most" {
	rm -f n
	run -1 nl-run 'retry(3, backoff=const:0) + retry(2, backoff=const:0)' flaky -q n 1
	[ "$(wc -c <n)" = 6 ]
}
