#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# nl-retry as its user sees it: counting, back-off, limits, what is retried,
# hooks, report, statuses.  Its streams: streams.bats.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154  # text for inner shells; each test is a subshell; set by run
bats_require_minimum_version 1.5.0
load helper
load victim
load http

# What a jq filter makes of the events so far.
ev() {
	jq -r "$1" "$NL_EVENTS"
}

# How often flaky ran with this file.
calls() {
	if [ -e "$1" ]; then wc -c <"$1"; else echo 0; fi
}

# soon ARG...: nl-retry that hardly waits, with a fresh counter in the file n.
soon() {
	rm -f n
	nl-retry -b constant:1ms -j none "$@"
}

# tries WANT STATUS ARG... ACTION...: so many calls, and that status.
tries() {
	local want=$1 st=$2
	shift 2
	run "-$st" soon "$@"
	[ "$(calls n)" = "$want" ]
}

# The second column of --dry-run.
delays() {
	nl-retry --dry-run "$@" flaky n 1 | cut -f 2
}

@test "A command that succeeds is run once and nothing is slept" {
	t=$(ms)
	run -0 nl-retry -b constant:30s -j none flaky n 0
	[ $(($(ms) - t)) -lt 5000 ]
	[ "$output" = "call 1" ]
	[ "$(ev 'select(.event=="nl.request.success") | .attempts')" = 1 ]
}

@test "nl-retry runs a failing command until it succeeds" {
	run -0 soon -n 5 flaky n 1 2 0
	[ "$output" = $'call 1\ncall 2\ncall 3' ]
	[ "$(ev 'select(.event=="nl.request.success") | .attempts')" = 3 ]
}

@test "nl-retry makes 3 attempts by default and exits with the status of the last" {
	tries 3 9 flaky n 7 8 9 0
	[ "$(ev 'select(.event=="nl.retry.exhausted") | "\(.attempts) \(.max) \(.reason)"')" = "3 3 max_attempts" ]
}

@test "--attempts is the total, first attempt included" {
	tries 1 4 -n 1 flaky n 4
	tries 2 4 --attempts 2 flaky n 4
	tries 20 4 -n20 flaky n 4
}

@test "--attempts inf has no end but success" {
	tries 12 0 -n inf flaky n 1 2 3 4 5 6 7 8 9 10 11 0
	[ "$(ev 'select(.event=="nl.retry.attempt") | .max' | sort -u)" = 0 ]
}

@test "--attempts 0, a negative number and what is no number are usage errors" {
	for n in 0 -1 '' x 1.5 1x 99999999999999999999 -inf; do
		run --separate-stderr -125 nl-retry -n "$n" flaky n 0
		[[ ${stderr_lines[0]} == "nl-retry: --attempts: '$n': "* ]]
	done
	[ ! -e n ]
}

@test "There is no sleep after the last attempt" {
	t=$(ms)
	run -1 nl-retry -n 2 -b constant:2s -j none flaky n 1
	t=$(($(ms) - t))
	between 2000 "$t" 3990
	[ "$(ev 'select(.event=="nl.retry.exhausted") | .slept_s >= 2 and .slept_s < 4')" = true ]
}

@test "nl-retry sleeps what --dry-run prints for the same --seed" {
	run -1 nl-retry -n 6 -b exponential:20ms -j full --seed 42 flaky n 1
	ev 'select(.event=="nl.retry.attempt") | .delay_s * 1e6 | round' >slept
	delays -n 6 -b exponential:20ms -j full --seed 42 | awk 'NR > 1 { printf "%d\n", $1 * 1e6 + 0.5 }' >planned
	[ "$(wc -l <planned)" = 5 ]
	diff planned slept
}

@test "--dry-run prints the delay before each attempt and runs nothing" {
	run -0 nl-retry --dry-run -n 4 -b constant:1s -j none flaky n 0
	[ "$output" = $'1\t0.000000\n2\t1.000000\n3\t1.000000\n4\t1.000000' ]
	[ ! -e n ]
	[ ! -s "$NL_EVENTS" ]
}

@test "--dry-run with --attempts inf prints without end" {
	nl-retry --dry-run -n inf -b constant:1ms -j none true | head -n 100000 >lines
	[ "$(tail -n 1 lines)" = $'100000\t0.001000' ]
}

@test "--backoff is constant, linear, exponential or fibonacci" {
	[ "$(delays -n 6 -j none -b constant:100ms | xargs)" = "0.000000 0.100000 0.100000 0.100000 0.100000 0.100000" ]
	[ "$(delays -n 6 -j none -b linear:100ms | xargs)" = "0.000000 0.100000 0.200000 0.300000 0.400000 0.500000" ]
	[ "$(delays -n 6 -j none -b exponential:100ms | xargs)" = "0.000000 0.100000 0.200000 0.400000 0.800000 1.600000" ]
	[ "$(delays -n 7 -j none -b fibonacci:100ms | xargs)" = "0.000000 0.100000 0.100000 0.200000 0.300000 0.500000 0.800000" ]
}

@test "The default back-off is exponential from 1 second to 60" {
	[ "$(delays -n 9 -j none | xargs)" = "0.000000 1.000000 2.000000 4.000000 8.000000 16.000000 32.000000 60.000000 60.000000" ]
}

@test "The kind of --backoff may be shortened while it is unambiguous" {
	[ "$(delays -n 3 -j none --backoff=exp:1s | xargs)" = "0.000000 1.000000 2.000000" ]
	[ "$(delays -n 3 -j none -bf:1s | xargs)" = "0.000000 1.000000 1.000000" ]
	[ "$(delays -n 3 -j none -b lin:250ms | xargs)" = "0.000000 0.250000 0.500000" ]
}

@test "--backoff takes a cap that no delay exceeds" {
	[ "$(delays -n 6 -j none -b exp:300ms..1s | xargs)" = "0.000000 0.300000 0.600000 1.000000 1.000000 1.000000" ]
	[ "$(delays -n 5 -j none -b linear:10s..25s | xargs)" = "0.000000 10.000000 20.000000 25.000000 25.000000" ]
	[ "$(delays -n 6 -j none -b fib:1s..2s | xargs)" = "0.000000 1.000000 1.000000 2.000000 2.000000 2.000000" ]
	[ "$(delays -n 3 -j none -b exp:5s..5s | xargs)" = "0.000000 5.000000 5.000000" ]
	[ "$(delays -n 3 -j none -b constant:0 | xargs)" = "0.000000 0.000000 0.000000" ]
}

@test "The delay of 200 attempts never falls and never exceeds the cap" {
	for b in exp:500ms..60s exp:500ms linear:7s fib:1s constant:2m; do
		delays -n 200 -j none -b $b | awk -v b=$b 'BEGIN { cap = b == "constant:2m" ? 120 : 60 }
			$1 < last || $1 > cap || $1 < 0 { exit 1 } { last = $1 } END { if (NR != 200 || last != cap) exit 1 }'
	done
}

@test "A --backoff that cannot be is a usage error" {
	while IFS='|' read -r b want; do
		run --separate-stderr -125 nl-retry -b "$b" flaky n 0
		[[ ${stderr_lines[0]} == "nl-retry: --backoff: '$b': "* ]]
		[[ $stderr == *"$want"* ]]
	done <<-'EOF'
		exq:1s|unknown kind (constant, linear, exponential, fibonacci)
		|
		exp|
		exp:|
		exp:1s..|
		exp:x|
		exp:-1s|
		exp:2s..1s|
		exp:1s..0|
		exp:1s...5s|
		exp:25h|
		:1s|
	EOF
	[ ! -e n ]
}

@test "--jitter full waits between nothing and the back-off, equal at least half of it" {
	delays -n 400 -b constant:1s -j full | awk 'NR > 1 { if ($1 < 0 || $1 > 1) exit 1; if ($1 < .5) low++; seen[$1]++ }
		END { for (x in seen) n++; if (n < 300 || low < 130 || low > 270) exit 1 }'
	delays -n 400 -b constant:1s -j equal | awk 'NR > 1 { if ($1 < .5 || $1 > 1) exit 1; if ($1 < .75) low++ }
		END { if (low < 130 || low > 270) exit 1 }'
	delays -n 400 -b constant:1s | awk '$1 > 0 && $1 < .5 { low++ } END { exit low < 130 || low > 270 }'
}

@test "--jitter decorrelated stays between base and thrice the last delay, within the cap" {
	delays -n 400 -b exp:100ms..10s -j decorrelated | awk 'NR == 2 { last = .1 }
		NR > 1 { if ($1 < .1 || $1 > 10 || $1 > 3 * last + 1e-6) exit 1; if ($1 < last) fell = 1; last = $1 } END { exit !fell }'
}

@test "--jitter finagle never falls and stays within thrice the last delay and the cap" {
	delays -n 100 -b exp:100ms..10s -j finagle | awk 'NR == 2 { last = .1 }
		NR > 1 { if ($1 < last || $1 > 10 || $1 > 3 * last + 1e-6) exit 1; last = $1 } END { exit last < 9 }'
}

@test "--jitter polly spreads a constant by a quarter" {
	delays -n 400 -b constant:1s -j polly | awk 'NR > 1 { if ($1 < .75 || $1 > 1.25) exit 1; if ($1 < 1) low++ } END { exit low < 130 || low > 270 }'
	delays -n 400 -b exp:1s..10s -j polly | awk 'NR > 1 { if ($1 < 0 || $1 > 10) exit 1; seen[$1]++ } END { exit !(10 in seen) && !("10.000000" in seen) }'
}

@test "--jitter none waits exactly the back-off, and another word is a usage error" {
	[ "$(delays -n 3 -b constant:1s -j none | xargs)" = "0.000000 1.000000 1.000000" ]
	run --separate-stderr -125 nl-retry -j some flaky n 0
	[[ $stderr == "nl-retry: --jitter: 'some': "* ]]
	[ ! -e n ]
}

@test "The same --seed gives the same delays, another one others" {
	for j in full equal decorrelated finagle polly; do
		delays -n 50 -j $j --seed 7 >a
		delays -n 50 -j $j --seed 7 >b
		delays -n 50 -j $j --seed 8 >c
		cmp a b
		run ! cmp -s a c
	done
	run -125 nl-retry --seed x flaky n 0
	run -125 nl-retry --seed -1 flaky n 0
}

@test "200 starts at the same moment choose 200 delays, evenly spread" {
	seq 200 | xargs -P 8 -I{} nl-retry --dry-run -n 2 -b constant:1s -j full true | awk '$1 == 2 { print $2 }' | sort -n >delays
	[ "$(sort -u delays | wc -l)" -ge 198 ]
	# Kolmogorov and Smirnov: 0.2 is exceeded once in a few million times.
	awk '{ d = $1 - NR / 200; if (d < 0) d = -d; if (d > max) max = d } END { exit NR != 200 || max > 0.2 }' delays
}

@test "--per-attempt stops an attempt that takes too long, and the next one follows" {
	t=$(ms)
	run -0 soon -n 3 -t 0.3 flaky n hang hang 0
	t=$(($(ms) - t))
	between 600 "$t" 3000
	[ "$output" = $'call 1\ncall 2\ncall 3' ]
	[ "$(ev 'select(.event=="nl.retry.attempt") | .err')" = $'timeout\ntimeout' ]
}

@test "--per-attempt on the last attempt is status 124" {
	tries 2 124 -n 2 --per-attempt 0.2 flaky n hang
	[ "$(ev 'select(.event=="nl.retry.exhausted") | "\(.reason) \(.err)"')" = "max_attempts timeout" ]
}

@test "--per-attempt stops the whole tree of the attempt, --kill group its group" {
	run -124 soon -n 1 -t 0.7 sh -c 'setsid sleep 60 >&- 2>&- 3>&- & echo $! >pid; wait'
	run ! alive "$(cat pid)"
	run -124 soon -n 1 -t 0.7 --kill group sh -c 'setsid sleep 60 >&- 2>&- 3>&- & echo $! >pid; wait'
	alive "$(cat pid)"
	kill -KILL "$(cat pid)"
}

@test "--signal is what a limit of nl-retry sends, and KILL follows after --kill-after" {
	run -124 soon -n 1 -t 0.5 -s USR1 flaky n say
	[ "$output" = $'call 1\ngot 10' ]
	t=$(ms)
	tries 1 124 -n 1 -t 0.2 -k 0.2 flaky n deaf
	between 400 $(($(ms) - t)) 2500
}

@test "--total stops a running attempt with status 124" {
	t=$(ms)
	tries 1 124 -n 5 -T 0.4 flaky n hang
	t=$(($(ms) - t))
	between 400 "$t" 2500
	tries 2 124 -n 5 --total 0.5 flaky n 1 hang
}

@test "A back-off that would not end before --total is not begun" {
	t=$(ms)
	run -3 nl-retry -n 5 -T 2 -b constant:10s -j none flaky n 3
	[ $(($(ms) - t)) -lt 1500 ]
	[ "$(calls n)" = 1 ]
	[ "$(ev 'select(.event=="nl.retry.exhausted") | "\(.attempts) \(.reason) \(.exit) \(.err)"')" = "1 deadline 3 exit_3" ]
}

@test "--total ends a series of attempts that would go on for ever" {
	t=$(ms)
	run -1 nl-retry -n inf -T 0.6 -b constant:50ms -j none flaky n 1
	t=$(($(ms) - t))
	between 400 "$t" 1500
	between 5 "$(calls n)" 13
}

@test "--total and --per-attempt of 0 are off" {
	tries 2 0 -T 0 -t 0 flaky n 1 0
	tries 2 0 --total=0 --per-attempt=0s flaky n 1 0
}

@test "An inherited deadline forbids a back-off that would not end before it" {
	t=$(ms)
	run -0 nl-timeout 3 sh -c 'nl-retry -n 5 -b constant:10s -j none flaky n 6; test $? = 6'
	[ $(($(ms) - t)) -lt 2500 ]
	[ "$(calls n)" = 1 ]
	[ "$(ev 'select(.event=="nl.retry.exhausted") | .reason')" = deadline ]
}

@test "An enclosing nl-timeout forbids a back-off that would not end before it" {
	t=$(ms)
	run -6 nl-timeout 3 nl-retry -n 5 -b constant:10s -j none flaky n 6
	[ $(($(ms) - t)) -lt 2500 ]
	[ "$(calls n)" = 1 ]
	[ "$(ev 'select(.event=="nl.retry.exhausted") | .reason')" = deadline ]
}

@test "By default 75, 125, 126, 127 and death by SIGPIPE are not retried" {
	for n in 75 125 126 127; do
		tries 1 $n flaky n $n 0
	done
	tries 1 141 flaky n PIPE 0
	[ "$(ev 'select(.event=="nl.retry.exhausted") | "\(.attempts) \(.reason)"' | sort -u)" = "1 not_retryable" ]
}

@test "By default every other status and signal is retried" {
	for n in 1 2 74 76 100 124 128 137 141 255 KILL TERM HUP SEGV; do
		tries 2 0 flaky n $n 0
	done
}

@test "A command killed each time is run each time and its death is the status" {
	run died how nl-retry -n 3 -b constant:1ms -j none flaky n KILL
	[ "$output" = $'call 1\ncall 2\ncall 3' ]
	[ "$(cat how)" = "signal 9" ]
	run died how nl-retry -n 2 -b constant:1ms -j none flaky n2 1 TERM
	[ "$(cat how)" = "signal 15" ]
	[ "$(ev 'select(.event=="nl.retry.attempt") | .signal // .exit' | xargs)" = "KILL KILL 1" ]
}

@test "--on SET is what is retried, every member of the list" {
	for n in 1 2 10 15 20; do
		tries 2 0 --on 1,2,10-20 flaky n $n 0
	done
	for n in 3 9 21 124 TERM; do
		st=$n
		[ $n != TERM ] || st=143
		tries 1 $st --on 1,2,10-20 flaky n $n 0
	done
	tries 2 0 --on 75 flaky n 75 0
	tries 2 0 --on 127 flaky n 127 0
}

@test "A SET that is empty or names what cannot be is a usage error" {
	for set in '' 256 -1 1,,2 '1,' x 1-256 '!' SIGFOO 1-; do
		for o in on except ok; do
			run --separate-stderr -125 nl-retry "--$o" "$set" flaky n 0
			[[ ${stderr_lines[0]} == "nl-retry: --$o: '$set': "* ]]
		done
	done
	[ ! -e n ]
}

@test "In a SET timeout is status 124 or the limit of --per-attempt" {
	tries 1 124 --on 2 -t 0.2 flaky n hang 0
	tries 2 0 --on timeout -t 0.2 flaky n hang 0
	tries 2 0 --on 2,timeout -t 0.2 flaky n hang 0
	tries 2 0 --on timeout flaky n 124 0
	tries 1 2 --on timeout -t 10 flaky n 2 0
	tries 2 0 --on 2,timeout -t 10 flaky n 2 0
	tries 1 124 --except timeout -t 0.2 flaky n hang 0
}

@test "In a SET signal is any death by signal and a name that one, never a status" {
	tries 2 0 --on signal flaky n TERM 0
	tries 1 143 --on signal flaky n 143 0
	for name in KILL SIGKILL; do
		tries 2 0 --on $name flaky n KILL 0
		tries 1 137 --on $name flaky n 137 0
		tries 1 143 --on $name flaky n TERM 0
	done
	tries 2 0 --on 137 flaky n KILL 0
	tries 2 0 --on 137 flaky n 137 0
}

@test "In a SET rejected is status 75 and any is every status but 0" {
	tries 2 0 --on rejected flaky n 75 0
	tries 1 1 --on rejected flaky n 1 0
	for n in 1 75 125 127 TERM PIPE; do
		tries 2 0 --on any flaky n $n 0
	done
	tries 1 0 --on any flaky n 0
}

@test "In a SET ! takes away, and a SET of only ! begins with any" {
	tries 1 3 --on 'any,!3' flaky n 3 0
	tries 2 0 --on 'any,!3' flaky n 4 0
	tries 1 15 --on '10-20,!15' flaky n 15 0
	tries 2 0 --on '10-20,!15' flaky n 16 0
	tries 1 3 --on '!3' flaky n 3 0
	tries 2 0 --on '!3' flaky n 75 0
	tries 1 143 --on '!signal' flaky n TERM 0
	tries 2 0 --on '!3,!4' flaky n 5 0
}

@test "--except SET is not retried, the rest as before" {
	tries 1 22 --except 22 flaky n 22 0
	tries 2 0 --except 22 flaky n 23 0
	tries 1 75 --except 22 flaky n 75 0
	tries 1 143 --except signal flaky n TERM 0
}

@test "--ok SET is success with the command's own status" {
	tries 1 1 --ok 0,1 flaky n 1 0
	tries 1 0 --ok 0,1 flaky n 0
	tries 2 1 --ok 0,1 flaky n 2 1
	[ "$(ev 'select(.event=="nl.request.success") | .exit' | xargs)" = "1 0 1" ]
}

@test "--ok comes before --except, and --except before --on" {
	tries 1 3 --ok 3 --on 3 flaky n 3 0
	tries 1 3 --ok 3 --except 3 flaky n 3 0
	[ "$(ev 'select(.event|startswith("nl.request.")) | .event' | sort -u)" = nl.request.success ]
	tries 1 3 --except 3 --on 3,4 flaky n 3 0
	tries 2 0 --except 3 --on 3,4 flaky n 4 0
}

@test "--retry-if retries a failure only when a line of stdout or stderr matches" {
	run -0 soon --retry-if 'reset|refused' sh -c 'flaky -q n 7 0; s=$?; test $s = 0 || echo "connection refused" >&2; exit $s'
	[ "$(calls n)" = 2 ]
	run -0 soon --retry-if '^conn.*(reset|refused)$' sh -c 'flaky -q n 7 0; s=$?; test $s = 0 || echo "connection reset"; exit $s'
	[ "$(calls n)" = 2 ]
	run -7 soon --retry-if 'reset|refused' sh -c 'flaky -q n 7 0; s=$?; echo "no such host" >&2; exit $s'
	[ "$(calls n)" = 1 ]
	run -7 soon --retry-if '^refused' sh -c 'flaky -q n 7 0; s=$?; echo "connection refused"; exit $s'
	[ "$(calls n)" = 1 ]
}

@test "--retry-if looks at each attempt alone, and not at successes" {
	run -8 soon -n 5 --retry-if again sh -c 'flaky -q n 7 8 0; s=$?; test -e seen || echo again; touch seen; exit $s'
	[ "$(calls n)" = 2 ]
	run -0 soon -n 5 --retry-if again sh -c 'flaky -q n 0; echo again'
	[ "$(calls n)" = 1 ]
}

@test "--retry-if narrows what --on retries" {
	run -75 soon --retry-if busy sh -c 'echo busy; flaky -q n 75 0'
	[ "$(calls n)" = 1 ]
	run -0 soon --on 75 --retry-if busy sh -c 'echo busy; flaky -q n 75 0'
	[ "$(calls n)" = 2 ]
}

@test "--retry-if passes output on as it comes" {
	mkfifo go
	(exec nl-retry -n 1 --retry-if x sh -c 'echo out; echo err >&2; read -r x <go; echo "$x"' >out 2>err 3>&-) &
	wait_for 5 grep -q out out
	wait_for 5 grep -q err err
	echo more >go
	wait $!
	[ "$(cat out)" = $'out\nmore' ]
	[ "$(cat err)" = err ]
}

@test "--retry-if finds its match behind 20 MB without a newline, in little memory" {
	run -0 bash -c 'ulimit -v 100000; nl-retry -n 2 -b constant:1ms --retry-if "refused" sh -c "tr \\\\0 x </dev/zero | head -c 20000000; echo; echo refused; flaky -q n 1 0" | wc -c'
	[ "$output" = 40000018 ]
	[ "$(calls n)" = 2 ]
}

@test "--retry-if with a pattern that cannot be is a usage error" {
	for re in '(' '[' 'a{2,1}'; do
		run --separate-stderr -125 nl-retry --retry-if "$re" flaky n 0
		[[ ${stderr_lines[0]} == "nl-retry: --retry-if: "* ]]
	done
	[ ! -e n ]
}

@test "--retry-after waits as long as the command asks in FILE: seconds or a duration" {
	for ask in 0.4 400ms; do
		rm -f n
		t=$(ms)
		run -0 nl-retry -b constant:1ms -j none --retry-after hint sh -c 'flaky -q n 1 0 || { echo "$1" >hint; exit 1; }' sh "$ask"
		between 400 $(($(ms) - t)) 2500
	done
	[ "$(ev 'select(.event=="nl.retry.attempt") | "\(.delay_s) \(.retry_after_s) \(.capped)"')" = $'0.4 0.4 false\n0.4 0.4 false' ]
}

@test "--retry-after takes an HTTP date" {
	t=$(ms)
	run -0 nl-retry -b constant:1ms -j none --retry-after hint sh -c 'flaky -q n 1 0 || { LC_ALL=C date -u -d "now + 2 seconds" "+%a, %d %b %Y %H:%M:%S GMT" >hint; exit 1; }'
	between 1000 $(($(ms) - t)) 4000
}

@test "--retry-after takes the last Retry-After of a header dump" {
	run -0 nl-retry -b constant:1ms -j none --retry-after hint sh -c 'flaky -q n 1 0 || {
		printf "HTTP/1.1 302 Found\r\nRetry-After: 50\r\n\r\nHTTP/1.1 429 Slow Down\r\nretry-after:  1\r\nDate: x\r\n\r\n" >hint; exit 1; }'
	[ "$(ev 'select(.event=="nl.retry.attempt") | .retry_after_s')" = 1 ]
}

@test "--retry-after never waits less than the back-off" {
	t=$(ms)
	run -0 nl-retry -b constant:400ms -j none --retry-after hint sh -c 'flaky -q n 1 0 || { echo 0.1 >hint; exit 1; }'
	between 400 $(($(ms) - t)) 2500
	[ "$(ev 'select(.event=="nl.retry.attempt") | .delay_s')" = 0.4 ]
}

@test "--retry-after never waits longer than the cap of --backoff, and the event says so" {
	t=$(ms)
	run -0 nl-retry -b exp:10ms..300ms -j none --retry-after hint sh -c 'flaky -q n 1 0 || { echo 3600 >hint; exit 1; }'
	between 300 $(($(ms) - t)) 2500
	[ "$(ev 'select(.event=="nl.retry.attempt") | "\(.delay_s) \(.retry_after_s) \(.capped)"')" = "0.3 3600 true" ]
	run -1 nl-retry --name deadline -T 30 -b constant:10ms -j none --retry-after hint sh -c 'flaky -q n3 1 0 || { echo 3600 >hint; exit 1; }'
	[ "$(ev 'select(.event=="nl.retry.exhausted" and .policy=="deadline") | .reason')" = deadline ]
}

@test "--retry-after empties FILE before each attempt" {
	echo 30 >hint
	t=$(ms)
	run -0 nl-retry -b constant:1ms -j none --retry-after hint sh -c 'test ! -s hint || touch old; flaky -q n 1 1 0 || { test -e asked || echo 0.3 >hint; touch asked; exit 1; }'
	between 300 $(($(ms) - t)) 2500
	[ ! -e old ]
	[ "$(ev 'select(.event=="nl.retry.attempt") | .retry_after_s // "none"')" = $'0.3\nnone' ]
}

@test "--retry-after with a FILE that says nothing leaves the back-off as it is" {
	for text in '' nonsense 'soon please' $'HTTP/1.1 500 x\r\nServer: y\r\n\r\n' -5; do
		rm -f n
		run -0 nl-retry -b constant:1ms -j none --retry-after hint sh -c 'flaky -q n 1 0 || { printf %s "$1" >hint; exit 1; }' sh "$text"
		[ "$(calls n)" = 2 ]
	done
}

@test "--retry-after FILE works with curl -D FILE" {
	mkdir -p www/cgi-bin
	cat >www/cgi-bin/busy <<-'EOF'
		#!/bin/sh
		if test -e seen; then
			printf 'Content-Type: text/plain\r\n\r\nhello\n'
		else
			touch seen
			printf 'Status: 503 Busy\r\nRetry-After: 1\r\nContent-Type: text/plain\r\n\r\nbusy\n'
		fi
	EOF
	chmod +x www/cgi-bin/busy
	serve www
	t=$(ms)
	run --separate-stderr -0 nl-retry -O -n 3 -b constant:10ms -j none --retry-after headers curl -fsS --noproxy '*' -D headers "$base/cgi-bin/busy"
	between 1000 $(($(ms) - t)) 4000
	stop_server
	[ "$output" = hello ]
	[ "$(ev 'select(.event=="nl.retry.attempt") | "\(.exit) \(.retry_after_s)"')" = "22 1" ]
}

@test "An attempt that ran for --reset-after makes the count begin anew" {
	run -0 soon -n 2 --reset-after 0.3 sh -c 'echo "$NL_ATTEMPT"; flaky -q n 1 1 1 0 || { writer -i 400 -n 2 >/dev/null; exit 1; }'
	[ "$(calls n)" = 4 ]
	[ "$output" = $'1\n1\n1\n1' ]
	tries 2 1 -n 2 --reset-after 10 flaky n 1
	tries 2 1 -n 2 --reset-after 0 flaky n 1
}

@test "An attempt that ran for --reset-after makes the back-off begin anew" {
	run -0 nl-retry -n 5 -b exp:20ms -j none --reset-after 0.3 sh -c 'flaky -q n 1 1 2 1 0; s=$?; test $s != 2 || writer -i 400 -n 2 >/dev/null; exit $s'
	[ "$(ev 'select(.event=="nl.retry.attempt") | .delay_s' | xargs)" = "0.02 0.04 0.02 0.02" ]
}

@test "The command finds its attempt in NL_ATTEMPT and the limit in NL_MAX_ATTEMPTS" {
	run -1 soon -n 3 sh -c 'echo "$NL_ATTEMPT/$NL_MAX_ATTEMPTS"; exit 1'
	[ "$output" = $'1/3\n2/3\n3/3' ]
	run -0 soon -n inf sh -c 'echo "$NL_ATTEMPT/$NL_MAX_ATTEMPTS"; flaky -q n 1 0'
	[ "$output" = $'1/inf\n2/inf' ]
}

@test "NL_PREV_STATUS is the status of the attempt before, and not set on the first" {
	NL_PREV_STATUS=99 run -0 soon -n 4 sh -c 'echo "${NL_PREV_STATUS-none}"; exec flaky -q n 7 TERM 124 0'
	[ "$output" = $'none\n7\n143\n124' ]
	run -0 soon -n 2 -t 0.2 sh -c 'echo "${NL_PREV_STATUS-none}"; exec flaky -q n hang 0'
	[ "$output" = $'none\n124' ]
}

@test "The innermost retry sets NL_ATTEMPT, NL_MAX_ATTEMPTS and NL_PREV_STATUS" {
	for fuse in 1 0; do
		NL_FUSE=$fuse run -1 soon -n 2 nl-retry -n 3 -b constant:1ms sh -c 'echo "$NL_ATTEMPT/$NL_MAX_ATTEMPTS ${NL_PREV_STATUS-none}"; exit 1'
		[ "$output" = $'1/3 none\n2/3 1\n3/3 1\n1/3 none\n2/3 1\n3/3 1' ]
	done
}

@test "--on-retry runs before each retry with NL_ATTEMPT, NL_MAX_ATTEMPTS, NL_PREV_STATUS and NL_DELAY" {
	run --separate-stderr -0 nl-retry -n 3 -b linear:20ms -j none --on-retry 'echo "$NL_ATTEMPT $NL_MAX_ATTEMPTS $NL_PREV_STATUS $NL_DELAY"' flaky n 7 TERM 0
	[ "$output" = $'call 1\ncall 2\ncall 3' ]
	[ "${#stderr_lines[@]}" = 2 ]
	[[ ${stderr_lines[0]} =~ ^[12]\ 3\ 7\ 0\.020?0?0?0?$ ]]
	[[ ${stderr_lines[1]} =~ ^[23]\ 3\ 143\ 0\.040?0?0?0?$ ]]
}

@test "--on-retry does not run without a retry" {
	run -0 soon --on-retry 'touch ran' flaky n 0
	run -75 soon --on-retry 'touch ran' flaky n 75
	run -1 soon -n 1 --on-retry 'touch ran' flaky n 1
	[ ! -e ran ]
}

@test "--on-giveup runs once when nl-retry gives up, with the status in NL_PREV_STATUS" {
	run --separate-stderr -6 soon -n 3 --on-giveup 'echo "$NL_ATTEMPT $NL_MAX_ATTEMPTS $NL_PREV_STATUS"' flaky n 7 7 6
	[ "$stderr" = "3 3 6" ]
	run -3 nl-retry -T 1 -b constant:10s -j none --on-giveup 'touch late' flaky n2 3
	[ -e late ]
}

@test "--on-giveup does not run after a success at the last attempt" {
	run -0 soon -n 3 --on-giveup 'touch ran' flaky n 1 1 0
	[ "$(calls n)" = 3 ]
	[ ! -e ran ]
}

@test "A hook changes no status, reads nothing and writes to stderr" {
	for hook in --on-retry --on-giveup; do
		rm -f n in
		run --separate-stderr -5 nl-retry -n 2 -b constant:1ms --stdin inherit "$hook" 'cat >in; echo hook; exit 9' flaky n 5 <<<"not for the hook"
		[ "$output" = $'call 1\ncall 2' ]
		[ "$stderr" = hook ]
		[ -e in ]
		[ ! -s in ]
	done
	tries 2 0 --on-retry 'kill -9 $$' flaky n 1 0
	tries 2 0 --on-retry 'no-such-command-anywhere' flaky n 1 0
}

@test "--report writes one JSON object that tells of a success" {
	run -0 nl-retry -n 5 -b constant:20ms -j none --name job --report r flaky n 7 TERM 0
	[ "$(jq -s length r)" = 1 ]
	[ "$(jq -r '"\(.tool) \(.policy) \(.cmd) \(.outcome) \(.attempts) \(.exit) \(.status) \(.failed_attempts)"' r)" = "nl-retry job flaky success 3 0 0 2" ]
	[ "$(jq -c '.last | map([.attempt, .exit // .signal, .err])' r)" = '[[1,7,"exit_7"],[2,"TERM","signal_TERM"]]' ] ||
		[ "$(jq -c '.last | map([.attempt, .exit // .signal, .err])' r)" = '[[1,7,"exit_7"],[2,"TERM","signal_TERM"],[3,0,null]]' ]
	[ "$(jq '.slept_s >= 0.04 and .dur_s >= .slept_s and .dur_s < 5 and .last[0].delay_s == 0.02 and .last[0].dur_s < 2' r)" = true ]
}

@test "--report says why nl-retry gave up" {
	run -8 soon -n 2 --report r flaky n 7 8
	[ "$(jq -r '"\(.outcome) \(.attempts) \(.exit) \(.status) \(.failed_attempts)"' r)" = "max_attempts 2 8 8 2" ]
	run -3 nl-retry -T 1 -b constant:10s -j none --report r flaky n2 3
	[ "$(jq -r '"\(.outcome) \(.attempts) \(.exit)"' r)" = "deadline 1 3" ]
	run -75 soon --report r flaky n 75
	[ "$(jq -r '"\(.outcome) \(.attempts) \(.exit)"' r)" = "not_retryable 1 75" ]
	run -137 soon -n 2 --report r flaky n KILL
	[ "$(jq -r '"\(.outcome) \(.signal) \(.exit) \(.status)"' r)" = "max_attempts KILL null 137" ]
	run -124 soon -n 2 -t 0.2 --report r flaky n hang
	[ "$(jq -r '"\(.outcome) \(.exit) \(.status) \(.last[0].err)"' r)" = "max_attempts 124 124 timeout" ]
}

@test "--report tells of a stop" {
	start died how nl-retry -n 5 --report r flaky n hang >out
	wait_for 5 test -s out
	kill -TERM "$(cat how.pid)"
	wait_for 5 test -s how
	[ "$(cat how)" = "signal 15" ]
	[ "$(jq -r '"\(.outcome) \(.attempts) \(.signal) \(.status)"' r)" = "stopped 1 TERM 143" ]
}

@test "--report keeps the last 10 failures" {
	run -1 soon -n 14 --report r flaky n 1
	[ "$(jq -c '[.attempts, .failed_attempts, (.last | length), .last[0].attempt, .last[-1].attempt]' r)" = '[14,14,10,5,14]' ]
}

@test "--report replaces an older report whole" {
	head -c 10000 /dev/zero | tr '\0' x >r
	run -0 soon --report r flaky n 0
	[ "$(jq -r .outcome r)" = success ]
}

@test "Told to stop between attempts, nl-retry dies of the signal at once" {
	for s in HUP INT QUIT TERM; do
		rm -f n how how.pid
		t=$(ms)
		start died how nl-retry -b constant:30s -j none --on-retry 'touch sleeping' flaky n 1
		wait_for 5 test -e sleeping
		kill -$s "$(cat how.pid)"
		wait_for 5 test -s how
		[ $(($(ms) - t)) -lt 5000 ]
		[ "$(cat how)" = "signal $(kill -l $s)" ]
		[ "$(calls n)" = 1 ]
		rm sleeping
	done
}

@test "Told to stop during an attempt, nl-retry makes no other one and dies of the signal" {
	start died how nl-retry -n 3 -b constant:1ms flaky n hang >out
	wait_for 5 test -s out
	kill -TERM "$(cat how.pid)"
	wait_for 5 test -s how
	[ "$(cat how)" = "signal 15" ]
	[ "$(calls n)" = 1 ]
	rm how
	start died how nl-retry -n 3 -b constant:1ms flaky n2 say >out2
	wait_for 5 test -s out2
	kill -INT "$(cat how.pid)"
	wait_for 5 test -s how
	[ "$(cat how)" = "signal 2" ]
	[ "$(cat out2)" = $'call 1\ngot 2' ]
	[ "$(ev 'select(.event=="nl.retry.exhausted") | .reason' | sort -u)" = stopped ]
}

@test "Told to stop during the last attempt, or one that succeeds, nl-retry has the command's status" {
	start died how nl-retry -n 1 flaky n say >out
	wait_for 5 test -s out
	kill -TERM "$(cat how.pid)"
	wait_for 5 test -s how
	[ "$(cat how)" = "exit 9" ]
	rm how
	start died how nl-retry -n 3 sigcount -q 15 log
	wait_for 5 grep -qs ready log
	kill -TERM "$(cat how.pid)"
	wait_for 5 test -s how
	[ "$(cat how)" = "exit 0" ]
}

@test "Another signal is passed on and forbids nothing" {
	start died how nl-retry -n 2 -b constant:1ms flaky n hang 0 >out
	wait_for 5 test -s out
	kill -USR1 "$(cat how.pid)"
	wait_for 5 test -s how
	[ "$(cat how)" = "exit 0" ]
	[ "$(calls n)" = 2 ]
	[ "$(ev 'select(.event=="nl.retry.attempt") | .signal')" = USR1 ]
}

@test "A command that cannot be run is not tried again" {
	echo 'no interpreter line' >script
	chmod +x script
	touch plain
	for f in /no/such/command ./plain ./script . no-such-command-anywhere; do
		st=126
		case $f in *no*such*) st=127 ;; esac
		run --separate-stderr "-$st" nl-retry -n 3 -b constant:30s "$f"
		[ "${#stderr_lines[@]}" = 1 ]
		[[ $stderr == "nl-retry: cannot run '$f': "* ]]
	done
	[ "$(ev 'select(.event=="nl.request.failure") | .err' | sort -u)" = spawn ]
}

@test "A command that appears later can be waited for with --on 127" {
	run -0 soon --on 127 --on-retry 'printf "#!/bin/sh\n" >late; chmod +x late' ./late
	[ -x late ]
}

@test "Arguments reach the command byte for byte, and its status comes back" {
	run -0 soon printf '%s|' "it's" 'a b' '$HOME' '' '*' $'n\nl' \\ '"' --help -n
	[ "$output" = "it's|a b|\$HOME||*|"$'n\nl|\\|"|--help|-n|' ]
	run -0 nl-timeout 10 nl-retry printf '%s|' "it's" 'a b' '$HOME' '' '*' $'n\nl' \\ '"' --help -n
	[ "$output" = "it's|a b|\$HOME||*|"$'n\nl|\\|"|--help|-n|' ]
	run -7 soon -n 1 sh -c 'exit 7'
	run -7 nl-timeout 10 sh -c 'exit 7'
}

@test "Options of nl-retry end at the first operand, also for POSIXLY_CORRECT" {
	run -0 nl-retry echo -n1 --stdin bogus -O
	[ "$output" = "-n1 --stdin bogus -O" ]
	POSIXLY_CORRECT=1 run -0 nl-retry echo -n1 --stdin bogus -O
	[ "$output" = "-n1 --stdin bogus -O" ]
	run -0 nl-retry -n 2 -- echo -n1 -O
	[ "$output" = "-n1 -O" ]
}

@test "A usage error of nl-retry is status 125 and nothing is run" {
	while IFS='|' read -r args want; do
		eval "run --separate-stderr -125 nl-retry $args"
		[ -z "$output" ]
		# shellcheck disable=SC2053
		[[ $stderr == $want ]]
	done <<-'EOF'
		|nl-retry: missing COMMAND
		-n 3|nl-retry: missing COMMAND
		-n 3 --|nl-retry: missing COMMAND
		--bogus flaky n 0|nl-retry: --bogus: unknown option (try --help)
		-Z flaky n 0|nl-retry: -Z: unknown option (try --help)
		-T x flaky n 0|nl-retry: --total: 'x': *
		-t -1 flaky n 0|nl-retry: --per-attempt: '-1': *
		-k nan flaky n 0|nl-retry: --kill-after: 'nan': *
		-s FOO flaky n 0|nl-retry: --signal: 'FOO': *
		--kill none flaky n 0|nl-retry: --kill: 'none': *
		--stdin some flaky n 0|nl-retry: --stdin: 'some': *
		--reset-after x flaky n 0|nl-retry: --reset-after: 'x': *
		--name .. flaky n 0|nl-retry: --name: '..': *
		--events bogus flaky n 0|nl-retry: --events: 'bogus': *
		--hold=1 flaky n 0|nl-retry: --hold: *
		--re 1 flaky n 0|nl-retry: --re: *
		--report|nl-retry: *
	EOF
	[ ! -e n ]
}

@test "nl-retry --help and --version print to stdout and exit with 0" {
	for o in -h --help -V --version; do
		run --separate-stderr -0 nl-retry $o
		[ -z "$stderr" ]
		[[ $output == *nl-retry* ]]
	done
	run -0 nl-retry --help
	run -0 nl-retry --complete
	for o in attempts backoff jitter total per-attempt kill-after signal kill on except ok retry-if retry-after reset-after hold quiet stdin \
		seed on-retry on-giveup report dry-run name events help version; do
		grep -q -- "^--$o"$'[=\t]' <<<"$output"
		nl-retry --help | grep -q -- "--$o"
	done
}

@test "People read of each failure, of the success in the end, and of giving up" {
	judged=$NL_EVENTS
	NL_EVENTS="human+$judged" run --separate-stderr -0 soon -n 5 flaky n 28 TERM 0
	[[ ${stderr_lines[0]} =~ ^nl-retry:\ attempt\ 1/5\ failed:\ exit\ 28\ after\ 0\.[0-9]+\ s,\ retry\ in\ 0\.00\ s$ ]]
	[[ ${stderr_lines[1]} =~ ^nl-retry:\ attempt\ 2/5\ failed:\ signal\ TERM\ after\ 0\.[0-9]+\ s,\ retry\ in\ 0\.00\ s$ ]]
	[[ ${stderr_lines[2]} =~ ^nl-retry:\ succeeded\ at\ attempt\ 3/5\ after\ [0-9]+\.[0-9]+\ s$ ]]
	[ "${#stderr_lines[@]}" = 3 ]
	NL_EVENTS="human+$judged" run --separate-stderr -22 soon -n 3 flaky n 22
	[ "${stderr_lines[2]}" = "nl-retry: gave up after 3 attempts: exit 22" ]
	NL_EVENTS="human+$judged" run --separate-stderr -75 soon -n 3 flaky n 75
	[ "$stderr" = "nl-retry: not retried: exit 75 (rejected); --on 75 would" ]
	NL_EVENTS="human+$judged" run --separate-stderr -0 soon -n 3 flaky n 0
	[ -z "$stderr" ]
}
