#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Each program in examples/ prints what the comment at its end says ("#| ").
bats_require_minimum_version 1.5.0
load helper
load like

examples=$BATS_TEST_DIRNAME/../examples

# They start servers and compilers.
setup_file() { export BATS_TEST_TIMEOUT=120; }

prints() {
	local out

	out=$(sh "$examples/$1" 2>&1 </dev/null)
	[[ -n $out ]]
	like "$(sed -n 's/^#| \{0,1\}//p' "$examples/$1")" "$out"
}

@test "telemetry_basic.sh prints what it says" { prints telemetry_basic.sh; }
@test "observer.sh prints what it says" { prints observer.sh; }
@test "telemetry_composition.sh prints what it says" { prints telemetry_composition.sh; }
@test "cron.sh prints what it says" { prints cron.sh; }

@test "breaker_cron.sh prints what it says" { prints breaker_cron.sh; }
@test "bulkhead_make.sh prints what it says" { prints bulkhead_make.sh; }
@test "budget_ci.sh prints what it says" { prints budget_ci.sh; }
@test "agent_tools.sh prints what it says" { prints agent_tools.sh; }
@test "timeout_fallback.sh prints what it says" { prints timeout_fallback.sh; }
@test "decorrelated_jitter.sh prints what it says" { prints decorrelated_jitter.sh; }
@test "algebra_composition.sh prints what it says" { prints algebra_composition.sh; }
@test "full_stack.sh prints what it says" { prints full_stack.sh; }
@test "happy_eyeballs.sh prints what it says" { prints happy_eyeballs.sh; }
@test "sink_ship.sh prints what it says" { prints sink_ship.sh; }
@test "cache_race.sh prints what it says" { prints cache_race.sh; }
@test "bulkhead_pg_dump.sh prints what it says" {
	command -v pg_dump >/dev/null || skip 'no PostgreSQL client: apt-get install postgresql'
	prints bulkhead_pg_dump.sh
}

@test "Every example is tested" {
	for f in "$examples"/*.sh; do
		grep -q "^@test.*${f##*/}" "$BATS_TEST_DIRNAME"/*.bats
	done
}

@test "quickstart.sh makes a flaky server look reliable, shows it and sums it up" {
	run -0 --separate-stderr sh "$examples/quickstart.sh"
	[[ $output == *"hello from the flaky server"* ]]
	[[ ${lines[-1]} =~ ^3\ attempts,\ 2\ failures:\ exit\ 22,\ timeout\;\ [0-9.]+\ s\;\ your\ script\ saw\ success$ ]]
	grep '^{"nl":1,' <<<"$output" >ev
	nlcheck --whole ev
	# shellcheck disable=SC2154  # set by run
	diff <(grep -o '^nl-[a-z]*: attempt ./.\|^nl-.*stopped\|^nl-.*succeeded' <<<"$stderr") - <<-'END'
		nl-retry: attempt 1/5
		nl-timeout: curl stopped
		nl-retry: attempt 2/5
		nl-retry: succeeded
	END
}

@test "quickstart.sh leaves nothing when it is interrupted" {
	export TMPDIR=$PWD/tmp
	mkdir tmp
	start sh "$examples/quickstart.sh"
	wait_for 15 eval 'grep -qs "\"attempt\":1," tmp/*/events'
	# shellcheck disable=SC2154  # set by start
	kill -INT "$pid"
	rc=0
	wait "$pid" || rc=$?
	[ "$rc" -eq 130 ]
	[ -z "$(ls tmp)" ]
}
