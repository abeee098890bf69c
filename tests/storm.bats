#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Wrappers, commands and those who wait are killed by SIGKILL at random, and
# what nl-bulkhead(1) and nl-breaker(1) promise holds: tests/storm/storm.c.
# `make storm` is the same with 100 000 kills.
bats_require_minimum_version 1.5.0
load helper

setup_file() { export BATS_TEST_TIMEOUT=120; }

# It counts the events of its wrappers itself, and leaves them in ./events: of those that
# have ended all are there, each once.
storms() {
	storm -s "${SEED:-$RANDOM}" -k "$1" -d "$BATS_TEST_TMPDIR" -e "$PWD/events" "$2"
	nl-observe --stats events >stats
	awk '{ n[$1] = $2 } END { exit n["ok"] != n["lines"] || n["lost"] != 0 || n["ended"] < 10 || n["killed"] < 10 }' stats
}

@test "Whoever is killed at random, never more than N commands run and no slot is lost" {
	storms 1000 pool
}

@test "Whoever is killed at random, those who wait are served in order of arrival" {
	storms 400 queue
}

@test "Whoever is killed at random, no more than --probes probes run and the breaker closes" {
	storms 600 probes
	# A killed wrapper may have changed the record and not told: that is said, and no difference.
	run -0 nl-observe verify events
	[[ $output == *breaker/probe*verified* && $output == *breaker/other*verified* ]]
}
