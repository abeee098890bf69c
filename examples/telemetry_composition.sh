#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# telemetry_composition.sh - places for events put together: A+B is both, A|B is
# B for what A cannot take, @LEVEL says how much of it.
# Wants jq.  What it prints is at the end; a test compares.
set -u
PATH=${NL_BIN:-$(cd "$(dirname "$0")/.." && pwd)/build/bin}:$PATH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit

# try SPEC: the same two attempts each time.
try() {
	echo "== NL_EVENTS='$1'"
	NL_EVENTS=$1 nl-retry -n2 -b const:10ms false 2>err
	cut -c1-68 err
	rm err
}

try human
try human+./all@debug
jq -r .event all

echo "-- by the hour: $(mkdir log; try human@warn+./log/ | tail -n 1)"
cat log/*T*.ndjson | jq -r .event

try './no/such/directory/|human'
try './no/such/directory/+./warnings@warn'
jq -r .event warnings

try off

# Prints:
#| == NL_EVENTS='human'
#| nl-retry: attempt 1/2 failed: exit 1 after 0.04 s, retry in 0.00 s
#| nl-retry: gave up after 2 attempts: exit 1
#| == NL_EVENTS='human+./all@debug'
#| nl-retry: attempt 1/2 failed: exit 1 after 0.05 s, retry in 0.00 s
#| nl-retry: gave up after 2 attempts: exit 1
#| nl.run.started
#| nl.retry.attempt
#| nl.retry.exhausted
#| nl.request.failure
#| nl.run.ended
#| -- by the hour: nl-retry: gave up after 2 attempts: exit 1
#| nl.retry.attempt
#| nl.retry.exhausted
#| nl.request.failure
#| nl.run.ended
#| == NL_EVENTS='./no/such/directory/|human'
#| nl-retry: events: cannot open ./no/such/directory: No such file or d
#| nl-retry: attempt 1/2 failed: exit 1 after 0.03 s, retry in 0.00 s
#| nl-retry: gave up after 2 attempts: exit 1
#| == NL_EVENTS='./no/such/directory/+./warnings@warn'
#| nl-retry: events: cannot open ./no/such/directory: No such file or d
#| nl.retry.attempt
#| nl.retry.exhausted
#| nl.request.failure
#| == NL_EVENTS='off'
