#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# nl-run(1), BOUNDS: what each layer does to each figure.  That no run exceeds
# them, and that each is reached, is for tests/sim/bounds_test.c.
# shellcheck disable=SC2154  # set by run
bats_require_minimum_version 1.5.0
load helper

setup() {
	nl_setup
}

# bounds EXPR ATTEMPTS WALL SLEPT CONCURRENCY LOAD
bounds() {
	local have want
	have=$(nl-run --bounds "$1")
	want=$(printf '%s\n' "attempts $2" "wall_s $3" "slept_s $4" "concurrency $5" "load $6")
	[ "$have" = "$want" ] || { printf '%s\nwant %s\nhave %s\n' "$1" "$want" "$have"; return 1; }
}

@test "--bounds: attempts of retries inside each other multiply, and of branches add up" {
	bounds 'retry(3) + retry(3) + retry(3) + timeout(1s, kill-after=1s)' 27 93 39 1 27
	bounds '(retry(2) | retry(3)) + timeout(1s, kill-after=1s)' 5 14 4 1 5
	bounds 'fail' 0 0 0 0 0
}

@test "--bounds: a limit that passes costs the shortest --kill-after around the command more" {
	bounds 'timeout(2s)' 1 7 0 1 1
	bounds 'timeout(2s, kill-after=1s) + timeout(10s)' 1 3 0 1 1
	bounds 'timeout(10s) + timeout(2s, kill-after=1s)' 1 3 0 1 1
	bounds 'timeout(2s, signal=KILL)' 1 2 0 1 1
	bounds 'timeout(2s, kill-after=inf)' 1 'inf by timeout@col 1' 0 1 1
}

@test "--bounds: without a limit a command may last for ever, and --idle is none" {
	bounds 'pass' 1 'inf by the command' 0 1 1
	bounds 'timeout(inf, idle=1s)' 1 'inf by the command' 0 1 1
}

@test "--bounds: back-offs are as long as luck and their jitter allow" {
	bounds 'retry(4, backoff=exp:1s, jitter=none) + timeout(1s, kill-after=1s)' 4 15 7 1 4
	bounds 'retry(4, backoff=exp:1s..2s) + timeout(1s, kill-after=1s)' 4 13 5 1 4
	bounds 'retry(3, backoff=const:1s, jitter=decorrelated) + timeout(1s, kill-after=1s)' 3 18 12 1 3
	bounds 'retry(3, backoff=const:1s, jitter=polly) + timeout(1s, kill-after=1s)' 3 8.5 2.5 1 3
	bounds 'retry(3, backoff=const:1s, jitter=none, retry-after=/f) + timeout(1s, kill-after=1s)' 3 126 120 1 3
}

@test "--bounds: an attempt begun before --total may last until --total and the grace" {
	bounds 'retry(5, backoff=const:3s, jitter=none, total=10s) + timeout(1s)' 4 15 9 1 4
	bounds 'retry(5, backoff=const:1s, jitter=none, total=10s, per-attempt=500ms, kill-after=100ms)' 5 7 4 1 5
	bounds 'timeout(10s) + retry(inf, backoff=const:3s, jitter=none)' 4 15 9 1 4
}

@test "--bounds: what is infinite names the layer and its column, in a policy its file" {
	bounds 'timeout(1s) | retry(inf) + timeout(1s)' 'inf by retry@col 15' 'inf by retry@col 15' 'inf by retry@col 15' 1 'inf by retry@col 15'
	bounds 'retry(2, reset-after=1s, total=10s) + timeout(2s)' 20 15 '10 at most' 1 2
	bounds 'retry(2, reset-after=1s) + timeout(2s)' 'inf by retry@col 1' 'inf by retry@col 1' 'inf by retry@col 1' 1 2
	echo 'slow = retry(inf)' >policies
	run -0 nl-run -f policies --bounds '@slow'
	[ "${lines[0]}" = 'attempts inf by retry@policies:1:8' ]
}

@test "--bounds: a race lasts as long as the arm that ends last, each from where it begins at the latest" {
	bounds '(timeout(1s) & timeout(2s)) + retry(2, backoff=const:1s)' 4 7 2 2 4
	bounds 'race(hedge=3, delay=1s) + timeout(3s, kill-after=1s)' 3 6 0 3 3
	bounds 'race(hedge=3, delay=9s) + timeout(3s, kill-after=1s)' 3 12 0 1 3
	bounds 'timeout(2s, kill-after=1s) + race(hedge=3, delay=1s)' 3 3 0 2 3
}

@test "--bounds: load is how often the command runs when each run exits with 1 at once" {
	bounds 'retry(3, on=timeout) + timeout(1s, kill-after=1s)' 3 '9 at most' 3 1 1
	bounds 'fallback(on=7) + timeout(1s)' 1 6 0 1 1
	bounds 'retry(3, ok=1) + timeout(1s, kill-after=1s)' 3 '9 at most' 3 1 1
}

@test "--bounds: a breaker and a bulkhead may wait as long as --wait says, with --queue for ever" {
	bounds 'bulkhead(b, wait=3s) + timeout(1s)' 1 9 0 1 1
	bounds 'bulkhead(b, queue=3) + timeout(1s)' 1 'inf by bulkhead@col 1' 0 1 1
	bounds 'timeout(5s) + bulkhead(b, queue=3)' 1 10 0 1 1
	bounds 'breaker(b, wait=3s) + timeout(1s)' 1 9 0 1 1
}

@test "--bounds: hooks may take eleven seconds, and what need not be reached is said to be at most" {
	bounds 'timeout(1s, on-timeout=date)' 1 '17 at most' 0 1 1
	bounds 'retry(2, on-giveup=date) + timeout(1s)' 2 '24 at most' 1 1 2
}

@test "--bounds --json: one object, each figure with max and either exact or by" {
	run -0 nl-run --bounds --json 'retry(inf) + timeout(1s)'
	[ "$(jq -c '[.attempts.max, .attempts.by, .attempts.col, .concurrency.max, .concurrency.exact]' <<<"$output")" = '["inf","retry",1,1,true]' ]
}

@test "--bounds: policies that copy what they wrap too often are refused" {
	local e='(pass|pass)'
	for _ in 1 2 3 4 5 6 7 8 9 10 11; do e="$e+(pass|pass)"; done
	run -125 --separate-stderr nl-run --bounds "$e"
	[[ $stderr == *'more than 4096 calls'* ]]
}

@test "--bounds of a preset is finite, but for retry_fast, which leaves the limit to others" {
	local name
	for name in $(nl-run -f "$NL_ROOT/lib/policies" --list | cut -f1); do
		run -0 nl-run -f "$NL_ROOT/lib/policies" --bounds "$name"
		[[ $output != *inf* || $name = @retry_fast ]] || { echo "$name: $output"; return 1; }
	done
}
