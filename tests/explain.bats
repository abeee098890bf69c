#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What nl-observe says of the past: verify, replay, explain.  The sentences are
# those of nl-observe(1); the events are those of real runs.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154,SC2317  # text for inner shells; each test is a subshell; $pid is helper.bash's; wait_for calls functions
bats_require_minimum_version 1.5.0
load helper

# calls N NAME OPTION...: N calls of a breaker, of which two fail, two do not, and so on.
calls() {
	local i n=$1 name=$2

	shift 2
	for ((i = 0; i < n; i++)); do
		nl-breaker "$@" "$name" sh -c "exit $((i % 4 < 2))" || :
	done
}

# fails N NAME OPTION...
fails() {
	local i n=$1 name=$2

	shift 2
	for ((i = 0; i < n; i++)); do
		nl-breaker "$@" "$name" sh -c 'exit 7' || :
	done
}

# Breakers of all rules, each with three callers at once, and a person who meddles.
storm() {
	local i pids=()

	for i in 1 2 3; do
		{
			calls 8 row -f2 -o 10ms
			calls 8 rate -r 40 --window 20 --min-calls 5 -o 10ms -p2 --close-after 2
			calls 8 span -r 40 --window 1s --min-calls 4 -o 10ms --open-jitter 50 --open-factor 2
			calls 8 slow --slow 1us --slow-rate 100 --window 8 --min-calls 4 -o 10ms
			calls 8 go --semantics gobreaker -f2 -o 10ms
			calls 8 r4 --semantics resilience4j -r 40 --window 10 --min-calls 5 -p3 -o 10ms
		} 3>&- 2>/dev/null &
		pids+=($!)
	done
	for i in 1 2; do
		nl-ctl set row.failures=$((2 + i % 2))
		nl-ctl open row
		nl-ctl reset row
		nl-ctl reset row
		nl-ctl close --force rate
		nl-ctl reset rate
	done >/dev/null 2>&1 || :
	wait "${pids[@]}"
}

@test "verify finds nothing in what breakers did at once, by all rules, while a person meddled" {
	export NL_EVENTS=$PWD/ev
	storm
	run -0 nl-observe verify ev
	[ "$(grep -c ' verified: ' <<<"$output")" = 6 ]
	[ "$(wc -l <<<"$output")" = 6 ]
	nl-observe verify --json ev | jq -se 'length == 6 and all(.verified and .missing == 0 and .results > 2) and (map(.transitions) | add) > 12'
}

@test "A log in another order is verified as well" {
	export NL_EVENTS=$PWD/ev
	calls 60 db -f2 -o 5ms 2>/dev/null
	nl-observe verify ev >before
	shuf ev >other
	nl-observe verify other | cmp - before
}

@test "verify finds a result that was changed" {
	export NL_EVENTS=$PWD/ev
	fails 4 db -f4 -o 3600s
	nl-observe verify ev
	sed '/"step":2,/s/"counted":"failure"/"counted":"success"/' ev >other
	run -1 nl-observe verify other
	[[ $output == *'breaker/db  DIFFERENT'* ]]
	[[ $output == *'the log says    closed to open, consecutive, epoch 2, 4 of 4 calls'* ]]
	[[ $output == *'the rules say   no change here'* ]]
}

@test "verify finds steps in another order" {
	export NL_EVENTS=$PWD/ev
	fails 4 db -f5 -o 3600s
	sed -e '/"step":2,/{s//"step":9,/;b' -e '}' -e 's/"step":3,/"step":2,/; s/"step":9,/"step":3,/' ev |
		sed -e 's/"step":9,/"step":3,/' >other
	run -1 nl-observe verify other
	[[ $output == *'steps are one after the other'* ]]
}

@test "verify finds a transition that the log does not tell, and one that the rules do not make" {
	export NL_EVENTS=$PWD/ev
	fails 3 db -f3 -o 3600s
	# A log that hides a line must say so in the end of its run, too.
	grep -v nl.circuit.opened ev | sed 's/"events":3}/"events":2}/' >other
	run -1 nl-observe verify other
	[[ $output == *'the log says    nothing of a change'*'the rules say   closed to open, consecutive, epoch 2, 3 of 3 calls'* ]]
	sed 's/"cfg":"failures=3/"cfg":"failures=4/' ev >other
	run -1 nl-observe verify other
	[[ $output == *'the log says    closed to open'*'the rules say   no change here'* ]]
}

@test "verify finds a probe that came before the open time was over" {
	export NL_EVENTS=$PWD/ev
	fails 3 db -f3 -o 10ms
	probed() { nl-breaker -f3 -o 10ms db true; }
	wait_for 5 probed
	nl-observe verify ev
	sed 's/"open_s":0.010000/"open_s":3600.000000/' ev >other
	run -1 nl-observe verify other
	[[ $output == *'the log says    open to half_open'* ]]
}

@test "verify says which steps are missing, and goes on from the next transition" {
	export NL_EVENTS=$PWD/ev
	fails 3 db -f9 -o 10ms
	fails 6 db -f9 -o 10ms
	probed() { nl-breaker -f9 -o 10ms db true; }
	wait_for 5 probed
	grep -vE '"step":[34],' ev >other
	run -0 nl-observe verify other
	[[ $output == *'cannot be verified from step 3 to 4: 2 lines are missing'* ]]
	nl-observe verify --json other | jq -e '.missing == 2 and .transitions == 2 and .verified'
}

@test "verify calls no line that was lost a difference: which steps cannot be verified is said" {
	export NL_EVENTS=$PWD/ev
	local n sem
	for sem in ninelives resilience4j gobreaker; do
		for n in 1 2; do
			calls 7 "$sem" --semantics "$sem" -f2 -o 5ms
		done 2>/dev/null
	done
	for ((n = 1; n <= $(wc -l <ev); n += 5)); do
		sed "${n}d" ev >other
		nl-observe verify other >out || { cat out; false; }
	done
	for ((n = 1; n <= 10; n++)); do
		awk -v seed="$n" 'BEGIN { srand(seed) } rand() > 0.2' ev >other
		nl-observe verify other >out || { cat out; false; }
	done
	grep 'cannot be verified' out
	grep -v nl.circuit.opened ev >other
	run -0 nl-observe verify other
	[[ $output == *'cannot be verified from step'* ]]
}

@test "verify has status 3 when there is nothing to verify" {
	NL_EVENTS=$PWD/ev nl-timeout 5s true
	run -3 nl-observe verify ev
	[[ $output == *'there is no breaker in these events'* ]]
	run -3 nl-observe verify db ev
	[[ $output == *'db: no such policy'* ]]
}

@test "explain tells of a breaker why it opened, which calls failed, who had set the values, and what followed" {
	export NL_EVENTS=$PWD/ev
	fails 1 db -f4 -o 10ms
	nl-ctl set db.failures=3 >/dev/null
	fails 2 db -f4 -o 10ms
	probed() { nl-breaker -f4 -o 10ms db true; }
	wait_for 5 probed
	run -0 nl-observe explain db ev
	[[ $output == 'breaker/db opened at '*', from closed'* ]]
	[[ $output == *'why         3 failures in a row; the rule: 3'* ]]
	[ "$(grep -c '  sh  *exit_7 ' <<<"$output")" = 3 ]
	[[ $output == *'checked     3 of 3 failing calls are in these events'* ]]
	[[ $output == *'values      failures=3 open=0.01s'*"by uid:$(id -u): set breaker/db failures=3"* ]]
	[[ $output == *'tried again'*'closed, after'* ]]
	[ "$(wc -L <<<"$output")" -le 80 ]
	for span in $(jq -r 'select(.counted == "failure").span_id' ev); do grep -q "$span" <<<"$output"; done
	nl-observe explain --json db ev | jq -e '.reason == "consecutive" and .found == 3 and .failures == 3 and (.failed | length) == 3 and .closed'
}

@test "explain says how calls ended, by kinds, and what persons did afterwards" {
	export NL_EVENTS=$PWD/ev
	steps '1 2 2 2' -f4 -o 3600s
	nl-ctl reset db
	nl-ctl open db
	run -0 nl-observe explain db ev
	[[ $output == *'ends        3 exit_2, 1 exit_1'* ]]
	[[ $output == *'closed, after'*"by uid:$(id -u): reset breaker/db closed"*"by uid:$(id -u): open breaker/db forced_open"* ]]
	nl-observe explain --json db ev | jq -e '.ends == { exit_1: 1, exit_2: 3 } and (.commands | map(.op)) == ["reset", "open"] and .commands[0].by != ""'
}

@test "explain of a breaker that slow calls opened shows these, however they ended" {
	export NL_EVENTS=$PWD/ev
	steps '0 0 1' --slow 1us --slow-rate 100 --window 5 --min-calls 3 -o 3600s
	run -0 nl-observe explain db ev
	[[ $output == *'why         3 of 3 calls took longer than 1us; the rule: 100 %, of at least 3 calls'* ]]
	[[ $output == *'ends        1 exit_1, 2 success'*'checked     3 of 3 slow calls are in these events'* ]]
	[ "$(grep -c '  sh  ' <<<"$output")" = 3 ]
	nl-observe explain --json db ev | jq -e '.slow == 3 and .found == 3 and .reason == "slow_rate"'
	grep -v '"step":2,' ev >other
	run -0 nl-observe explain db other
	[[ $output == *'DIFFERENT: 2 of 3 slow calls'* ]]
}

@test "explain says when calls that failed are not in the events" {
	export NL_EVENTS=$PWD/ev
	fails 3 db -f3 -o 3600s
	grep -v '"step":2,' ev >other
	run -0 nl-observe explain db other
	[[ $output == *'checked     DIFFERENT: 2 of 3 failing calls are in these events'*'it has not closed'* ]]
}

@test "explain says of another policy how its last calls failed" {
	export NL_EVENTS=$PWD/ev
	nl-retry -n2 -b const:1ms --name r sh -c 'exit 9' || :
	run -0 nl-observe explain r ev
	[[ $output == *'r  1 failure'*' sh '*' exit_9 '*' 2 '* ]]
	run -1 nl-observe explain nobody ev
}

# steps OPTION...: a call for each word of $1, which is its status, one after the other.
steps() {
	local status

	for status in $1; do
		nl-breaker "${@:2}" db sh -c "exit $status" || :
	done
}

@test "replay under the recorded values is what was" {
	export NL_EVENTS=$PWD/ev
	steps '0 1 1 0 1 1 1 0 0' -f3 -o 3600s
	nl-observe replay --json --set breaker/db.failures=3 ev >out
	jq -e '.opens == [1, 1] and .admitted == [7, 7] and .rejected == [2, 2] and .wrongly_rejected == [0, 0] and .unknown == [0, 0]' out
}

@test "replay under the recorded values has what was between its ends, by all rules, while a person meddled" {
	export NL_EVENTS=$PWD/ev
	storm
	local name
	for name in row rate span slow go r4; do
		nl-observe replay --json --set "breaker/$name.open-max=1h" ev >out
		jq -e '.opens[0] <= .recorded.opens and .recorded.opens <= .opens[1] and .admitted[0] <= .recorded.admitted
			and .recorded.admitted <= .admitted[1] and .rejected[0] <= .recorded.rejected and .recorded.rejected <= .rejected[1]' out
	done
}

@test "replay goes by the semantics of the breaker also where the first calls changed nothing" {
	export NL_EVENTS=$PWD/ev
	local early r4=(nl-breaker --semantics resilience4j -f2 -o 1ms -w 5s r4)
	mkfifo a p
	"${r4[@]}" true
	start "${r4[@]}" sh -c 'echo >a.in; read -r _ <a; exit 1'
	early=$pid
	wait_for 10 test -e a.in
	for _ in 1 2; do
		"${r4[@]}" false || :
	done
	start "${r4[@]}" sh -c 'echo >p.in; read -r _ <p'
	wait_for 10 test -e p.in
	# By these rules the end of the early call closes it, while the probe still runs.
	echo >a
	wait "$early" || :
	"${r4[@]}" true
	echo >p
	wait "$pid"
	nl-observe verify ev
	nl-observe replay --json --set r4.open-max=1h ev >out
	jq -e '.opens == [1, 1] and .admitted == [6, 6] and .rejected == [0, 0]' out
}

@test "replay under lower limits says which calls would have been rejected, and how many of them succeeded" {
	export NL_EVENTS=$PWD/ev
	steps '0 1 1 0 1 1 1 0 0' -f3 -o 3600s
	nl-observe replay --json --set breaker/db.failures=2 ev >out
	jq -e '.opens == [1, 1] and .admitted == [3, 3] and .rejected == [6, 6] and .wrongly_rejected == [1, 1] and .failures_avoided == [3, 3]' out
}

# short FILE: no call takes longer than until the next one, also where they are made slowly.
short() { sed -i 's/"dur_s":[0-9.]*/"dur_s":0.000001/' "$1"; }

@test "replay gives a range where calls that were rejected would have been let through" {
	export NL_EVENTS=$PWD/ev
	steps '1 1 1 0 0 0 0' -f3 -o 3600s
	short ev
	nl-observe replay --json --set db.failures=5 ev >out
	jq -e '.opens == [0, 1] and .unknown == [2, 4] and .rejected == [0, 2]' out
	run -0 nl-observe replay --set db.failures=5 ev
	[[ $output == *'opens                             1                 0..1'* ]]
	[[ $output == *'is not modelled'* ]]
	[ "$(wc -L <<<"$output")" -le 80 ]
}

@test "replay --assert has the statuses of check; what holds at one end alone is 3" {
	export NL_EVENTS=$PWD/ev
	steps '1 1 1 0 0 0 0' -f3 -o 3600s
	short ev
	run -0 nl-observe replay --set db.failures=5 --assert 'opens <= 1; wrongly_rejected == 0' ev
	run -1 nl-observe replay --set db.failures=5 --assert 'warn unknown == 0' ev
	run -2 nl-observe replay --set db.failures=2 --assert 'opens < 1' ev
	run -3 nl-observe replay --set db.failures=5 --assert 'opens < 1' ev
	[[ $output == *'UNKNOWN: opens < 1; it is 0..1'* ]]
}

@test "replay of a timeout: what a shorter limit would have cut is exact, what a longer one would have saved a range" {
	export NL_EVENTS=$PWD/ev
	nl-timeout --name t 10s true
	run -3 nl-timeout --name t 10s sh -c 'exit 3'
	run -124 nl-timeout --name t 50ms sleep 60
	nl-observe replay --json --set timeout/t.limit=1us ev >out
	jq -e '.calls == [3, 3] and .successes == [0, 0] and .successes_cut == [1, 1] and .timeouts == [3, 3] and .unknown == [0, 0]
		and .seconds_more[0] == .seconds_more[1] and .seconds_more[0] < -0.05' out
	nl-observe replay --json --set timeout/t.limit=1m ev >out
	jq -e '.successes == [1, 2] and .successes_cut == [0, 0] and .timeouts == [0, 1] and .unknown == [1, 1]
		and .seconds_more == [0, 59.95]' out
	run -0 nl-observe replay --set timeout/t.limit=1m --assert 'successes_cut == 0' ev
}

@test "replay of a retry: with fewer attempts it is exact, with more a range" {
	export NL_EVENTS=$PWD/ev
	nl-retry --name r -n 4 -b const:1ms -j none flaky n 1 1 0
	run -1 nl-retry --name r -n 2 -b const:1ms -j none flaky m 1 1
	nl-observe replay --json --set retry/r.attempts=2 ev >out
	jq -e '.successes == [0, 0] and .successes_cut == [1, 1] and .attempts == [4, 4] and .recovered == [0, 0] and .unknown == [0, 0]
		and .seconds_more[0] < 0 and .seconds_more[0] == .seconds_more[1]' out
	# Where the line of an attempt is missing, what it took is not known.
	sed '/"attempt":1,/d' ev >other
	nl-observe replay --json --set retry/r.attempts=2 other >out
	jq -e '.attempts == [4, 4] and .seconds_more[0] < 0 and .seconds_more[1] == 0' out
	nl-observe replay --json --set retry/r.attempts=5 ev >out
	jq -e '.successes == [1, 2] and .attempts == [6, 8] and .recovered == [1, 2] and .unknown == [1, 1] and (has("seconds_more") | not)' out
	run -3 nl-observe replay --set retry/r.attempts=5 --assert 'successes >= 2' ev
}

# held NAME ARGS...: a call that holds its slot until `free NAME`, and then fails if it is told so.
held() {
	mkfifo "$1"
	start nl-bulkhead "${@:2}" sh -c "echo >$1.in; read -r status <$1; exit \$status"
	pids[$1]=$pid
	wait_for 10 test -e "$1.in"
}
free() {
	echo "${2-0}" >"$1"
	wait "${pids[$1]}" || :
}

@test "replay of a bulkhead with fewer slots says which calls would have been rejected, and how many of them succeeded" {
	export NL_EVENTS=$PWD/ev
	held 1 -m2 b
	held 2 -m2 b
	free 2
	held 3 -m2 b
	free 3 1
	free 1
	nl-observe replay --json --set bulkhead/b.max=2 ev >out
	jq -e '.calls == [3, 3] and .rejected == [0, 0] and .peak == [2, 2] and .unknown == [0, 0] and .unclear == [0, 0]' out
	nl-observe replay --json --set bulkhead/b.max=1 ev >out
	jq -e '.admitted == [1, 1] and .rejected == [2, 2] and .wrongly_rejected == [1, 1] and .peak == [1, 1]' out
	nl-observe replay --json --set bulkhead/b.max=1 --set bulkhead/b.wait=inf ev >out
	jq -e '.admitted == [3, 3] and .rejected == [0, 0] and .peak == [1, 1] and .wait_seconds[0] > 0 and .wait_seconds[0] == .wait_seconds[1]' out
	nl-observe replay --json --set bulkhead/b.max=1 --set bulkhead/b.wait=inf --set bulkhead/b.queue=1 ev >out
	jq -e '.admitted == [2, 2] and .rejected == [1, 1] and .vain_seconds[1] < 1' out
}

@test "replay of a bulkhead with more slots gives a range: a call that was rejected keeps its slot for 0 s, or the p99 of others" {
	export NL_EVENTS=$PWD/ev
	held 1 -m1 b
	run -75 nl-bulkhead -m1 b true
	run -75 nl-bulkhead -m1 b true
	free 1
	nl-observe replay --json --set bulkhead/b.max=2 ev >out
	jq -e '.admitted == [2, 3] and .rejected == [0, 1] and .unknown == [1, 2] and .wrongly_rejected == [0, 0] and .unknown_hold[0] == 0' out
	hold=$(jq -s '.[] | select(.event == "nl.request.success") | (.left_us - .got_us) / 1e6' ev)
	jq -e --argjson hold "$hold" '.unknown_hold[1] == $hold' out
	run -0 nl-observe replay --set bulkhead/b.max=3 --assert 'rejected == 0; rejected(bulkhead/b) == 0; peak <= 3' ev
	[[ $output == *'  admitted                          1                    3'* ]]
	[[ $output == *'takes 0 s at one side, and the p99 of those that ran'* ]]
	[ "$(wc -L <<<"$output")" -le 80 ]
	run -3 nl-observe replay --set bulkhead/b.max=2 --assert 'rejected == 0' ev
}

@test "replay of a bulkhead under the recorded values is what was, in a storm whose callers wait, give up and are told to stop" {
	export NL_EVENTS=$PWD/ev
	local i k callers=()
	held 1 -m2 -q2 -w inf b
	held 2 -m2 -q2 -w inf b
	for i in 1 2; do
		start nl-bulkhead -m2 -q2 -w inf b true
		callers+=("$pid")
	done
	wait_for 10 sh -c '[ "$(nl-ctl get bulkhead/b.queued)" = 2 ]'
	run -75 nl-bulkhead -m2 -q2 -w inf b true
	run -75 nl-bulkhead -m2 -q2 -w 0 b true
	free 1
	free 2
	for i in 1 2 3 4 5 6; do
		for ((k = 0; k < 10; k++)); do
			nl-timeout -s TERM 0.0$((k % 4 + 5)) nl-bulkhead -m2 -q2 -w $((20 * (k % 3)))ms b sleep 0.0$((i % 4)) || :
		done 3>&- 2>/dev/null &
		callers+=($!)
	done
	wait "${callers[@]}"
	jq -s 'def of(r): map(select(.refused == r)) | length;
		{ saturated: of("saturated"), queue_full: of("queue_full"), timeout: of("timeout"), got: map(select(.got_us)) | length }' ev >was
	jq -e '.queue_full > 0 and .got > 3 and .saturated > 0' was
	nl-observe replay --json --set bulkhead/b.queue=2 ev >out
	# A caller that is stopped while it is admitted may leave one that the events do not explain: then there is a range, and it has what was.
	jq -e --slurpfile was was '$was[0] as $w | .left_out == [0, 0] and if .unclear == [0, 0] then
			.admitted == [$w.got, $w.got] and .unknown == [0, 0] and .wrongly_rejected == [0, 0]
			and .rejected[0] == .rejected[1] and .wait_seconds[0] == .wait_seconds[1]
		else .unclear[1] <= 3 and .admitted[0] <= $w.got and $w.got <= .admitted[1] end' out || { cat was out; false; }
	jq -se --slurpfile out out '(map(select(.got_us) | (.got_us - .came_us) / 1e6) | add) as $sum
		| $out[0].wait_seconds[0] < $sum + 0.001 and $sum - 0.001 < $out[0].wait_seconds[1]' ev
}

@test "replay of a bulkhead says which calls the events do not explain, and a range that has what was" {
	export NL_EVENTS=$PWD/ev
	held 1 -m1 b
	start nl-bulkhead -m1 -w inf b true
	wait_for 10 sh -c '[ "$(nl-ctl get bulkhead/b.queued)" = 1 ]'
	nl-ctl set bulkhead/b.max=2
	wait "$pid"
	free 1
	nl-observe replay --json --set bulkhead/b.queue=9 ev >out
	jq -e '.admitted == [2, 2] and .unclear == [1, 1] and .wait_seconds[0] < .wait_seconds[1]' out
	held 2 -m1 lost
	run -75 nl-bulkhead -m1 lost true
	free 2
	sed '/"cmd":"sh"/d' ev >other
	nl-observe replay --json --set bulkhead/lost.max=1 other >out
	jq -e '.calls == [1, 1] and .rejected == [0, 1] and .unclear == [1, 1]' out
}

@test "replay of a bulkhead leaves out, and counts, calls of which the events do not say when they came" {
	export NL_EVENTS=$PWD/ev
	nl-bulkhead -m1 b true
	nl-bulkhead -m1 b true
	sed 's/"came_us":[0-9]*/"came_us":9000000000000000000/' ev >none
	nl-observe replay --json --set bulkhead/b.max=2 none | jq -e '.calls == [0, 0] and .left_out == [2, 2]'
	run -1 nl-observe replay --json --set bulkhead/c.max=2 none
}

@test "replay of a bulkhead knows a call that was killed from its acquisition, until another had its slot" {
	export NL_EVENTS=$PWD/ev@debug
	held 1 -m1 b
	kill -KILL "${pids[1]}"
	wait "${pids[1]}" || :
	admitted() { nl-bulkhead -m1 b true; }
	wait_for 10 admitted
	nl-observe replay --json --set bulkhead/b.max=1 ev >out
	jq -e '.admitted == [2, 2] and .unknown == [0, 0] and .unclear == [0, 0] and .peak == [1, 1]' out
	run jq -s 'map(select(.event == "nl.bulkhead.rejected")) | length' ev
	jq -e --argjson n "$output" '.rejected == [$n, $n]' out
}

@test "replay refuses what it cannot do" {
	NL_EVENTS=$PWD/ev nl-timeout 5s true
	run -125 nl-observe replay ev
	[[ $output == *'under which values?'* ]]
	run -125 nl-observe replay --set race/db.delay=2 ev
	[[ $output == *'breakers, bulkheads, retries and timeouts can be replayed'* ]]
	run -125 nl-observe replay --set bulkhead/db.exit-code=2 ev
	[[ $output == *'of bulkheads max, queue and wait can be replayed'* ]]
	run -125 nl-observe replay --set bulkhead/db.max=x ev
	run -1 nl-observe replay --set bulkhead/db.max=2 ev
	run -125 nl-observe replay --set db.failure=2 ev
	run -1 nl-observe replay --set db.failures=2 ev
}

@test "explain of a span shows all calls of its trace, each below the one around it" {
	export NL_EVENTS=$PWD/ev
	nl-retry -n2 -b const:1ms --name outer nl-timeout --name inner 5s sh -c 'exit 3' || :
	NL_EVENTS=$PWD/ev nl-timeout --name other 5s true
	span=$(jq -r 'select(.policy == "inner" and .event == "nl.request.failure").span_id' ev | tail -n1)
	run -0 nl-observe explain "$span" ev
	[ "$(wc -l <<<"$output")" = 4 ]
	[[ $output == 'trace '*'retry/outer '*' exit_3 '*'  timeout/inner '*"> "*"$span" ]]
	[ "$(wc -L <<<"$output")" -le 80 ]
	run -1 nl-observe explain 0123456789abcdef ev
	# Each answer is as the first, however many there were.
	start nl-observe -F --every 50ms explain "$span" ev >again
	wait_for 10 eval '(($(wc -l <again) >= 12))'
	kill "$pid"
	wait "$pid" || :
	[ "$(sort again | uniq -c | awk '{ print $1 }' | sort -u | wc -l)" = 1 ]
}
