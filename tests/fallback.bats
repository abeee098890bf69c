#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# nl-fallback(1), sentence by sentence, and the brackets of lib/stack.c.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154  # text for inner shells; each test is a subshell; set by run
bats_require_minimum_version 1.5.0
load helper
load victim

ev() {
	jq -r "$1" "$NL_EVENTS"
}

wrong() {
	local want=$1
	shift
	run -125 --separate-stderr "$@"
	[ "$output" = '' ]
	[ "$stderr" = "nl-fallback: $want" ]
}

@test "It ends with the first branch that succeeds" {
	run -0 nl-fallback '[' echo a ']' '[' sh -c ': >ran' ']'
	[ "$output" = a ]
	[ ! -e ran ]
	run -0 nl-fallback '[' sh -c 'exit 1' ']' '[' sh -c 'exit 2' ']' '[' echo c ']' '[' echo d ']'
	[ "$output" = c ]
}

@test "When all fail the status is that of the first that ran" {
	run -3 nl-fallback '[' sh -c 'exit 3' ']' '[' sh -c 'exit 4' ']'
	run -4 nl-fallback '[' ./none ']' '[' sh -c 'exit 4' ']' '[' sh -c 'exit 5' ']'
	run -4 nl-fallback '[' sh -c 'exit 75' ']' '[' sh -c 'exit 4' ']'
	run -143 nl-fallback '[' sh -c 'kill -TERM $$' ']' '[' sh -c 'exit 4' ']'
	died how nl-fallback '[' sh -c 'kill -KILL $$' ']' '[' false ']' || :
	[ "$(cat how)" = 'signal 9' ]
}

@test "When none ran, it is 126 or 127 if one could not be run, else 75" {
	touch plain
	run -75 nl-fallback '[' sh -c 'exit 75' ']' '[' sh -c 'exit 75' ']'
	run -127 nl-fallback '[' sh -c 'exit 75' ']' '[' ./none ']' '[' ./plain ']'
	run -126 nl-fallback '[' ./plain ']' '[' ./none ']'
}

@test "Branches stand in brackets or between words :::" {
	run -0 nl-fallback false ::: sh -c 'exit 9' ::: echo '[' c ']'
	[ "$output" = '[ c ]' ]
	run -0 nl-fallback false ::: echo '\:::' '\\:::' x
	[ "$output" = '::: \::: x' ]
}

@test "Brackets nest" {
	run -0 nl-fallback '[' nl-fallback '[' false ']' '[' sh -c 'exit 2' ']' ']' '[' nl-fallback '[' false ']' '[' echo '\[' '\]' '\|' '\:::' '\\[' '\x' ']' ']'
	[ "$output" = '[ ] | ::: \[ \x' ]
	# [ -e x ] of a shell, as it stands.
	run -0 nl-fallback '[' '[' -e none ']' ']' '[' echo no ']'
	[ "$output" = no ]
}

@test "The words of a single COMMAND are taken as they are" {
	run -0 nl-fallback echo '\[' '[' '\]' '|'
	[ "$output" = '\[ [ \] |' ]
}

@test "In brackets a word | makes the branch a pipeline, run by nl-pipe" {
	mkdir bin
	printf '#!/bin/sh\nprintf "<%%s>" "$@"\n' >bin/nl-pipe
	chmod +x bin/nl-pipe
	PATH=$PWD/bin:$PATH
	run -0 nl-fallback '[' false ']' '[' a b '|' c '\|' '\[' ']'
	[ "$output" = '<a><b><|><c><\|><\[>' ]
}

@test "Brackets that do not match are an error before anything runs" {
	wrong 'missing ]' nl-fallback '[' touch ran ']' '[' b
	wrong '[ ]: a branch without COMMAND' nl-fallback '[' touch ran ']' '[' ']'
	wrong "'b' behind ]: each branch has brackets of its own" nl-fallback '[' touch ran ']' b
	wrong "'[touch': a [ stands alone: [ COMMAND ]" nl-fallback '[touch' 'ran]' '[touch' 'ran]'
	wrong ':::: a branch without COMMAND' nl-fallback touch ran :::
	wrong ':::: a branch without COMMAND' nl-fallback touch ran ::: ::: b
	wrong 'missing COMMAND' nl-fallback
	for fuse in 0 1; do
		NL_FUSE=$fuse run -125 --separate-stderr nl-fallback '[' touch ran ']' '[' nl-retry -n 0 true ']'
		[ "$stderr" = "nl-retry: --attempts: '0': at least 1 (inf for no limit)" ]
		NL_FUSE=$fuse run -125 --separate-stderr nl-retry nl-fallback '[' touch ran ']' '['
		[ "$stderr" = 'nl-fallback: missing ]' ]
	done
	[ ! -e ran ]
}

@test "Nothing of a failed branch is seen on standard output; standard error is passed on" {
	run -0 --separate-stderr nl-fallback '[' sh -c 'echo half; echo why >&2; exit 1' ']' '[' echo whole ']'
	[ "$output" = whole ]
	[ "$stderr" = why ]
	run -1 --separate-stderr nl-fallback '[' sh -c 'echo half; exit 1' ']' '[' sh -c 'echo half; exit 2' ']'
	[ "$output" = '' ]
}

@test "With --stream standard output is passed on as it comes" {
	run -0 nl-fallback --stream '[' sh -c 'echo half; exit 1' ']' '[' echo whole ']'
	[ "$output" = $'half\nwhole' ]
	# The branch itself has our stdout.
	nl-fallback --stream '[' readlink /proc/self/fd/1 ']' >out
	[ "$(cat out)" = "$PWD/out" ]
}

@test "Output larger than memory is kept and delivered whole" {
	writer -b 40000000 | cksum >want
	nl-fallback '[' sh -c 'writer -b 30000000; exit 1' ']' '[' writer -b 40000000 ']' | cksum >got
	cmp want got
}

@test "Held output that cannot be delivered is status 125, or death by SIGPIPE" {
	run -125 sh -c '"$@" >/dev/full' sh nl-fallback echo a
	{ nl-fallback writer -b 3000000 && : || echo "$?" >status; } | head -c 1 >/dev/null
	[ "$(cat status)" = 141 ]
}

@test "125 and SIGPIPE are no failures: the call ends with them" {
	run -125 nl-fallback '[' sh -c 'exit 125' ']' '[' echo no ']'
	[ "$output" = '' ]
	run -141 nl-fallback '[' sh -c 'kill -PIPE $$' ']' '[' echo no ']'
}

@test "--on, --except and --ok say what is a failure and what success" {
	run -0 nl-fallback --on timeout '[' nl-timeout 0.05 sleep 9 ']' '[' echo b ']'
	[ "$output" = b ]
	run -7 nl-fallback --on timeout '[' sh -c 'exit 7' ']' '[' echo b ']'
	run -75 nl-fallback --on 1-9 '[' sh -c 'exit 75' ']' '[' echo b ']'
	run -75 nl-fallback --except rejected '[' sh -c 'exit 75' ']' '[' echo b ']'
	run -0 nl-fallback --except rejected '[' sh -c 'exit 6' ']' '[' echo b ']'
	run -1 nl-fallback --ok 0,1 '[' sh -c 'echo found nothing; exit 1' ']' '[' echo b ']'
	[ "$output" = 'found nothing' ]
	[ "$(ev 'select(.event == "nl.request.success").exit' | head -n 1)" = 0 ]
}

@test "A file on stdin is rewound for each branch, a pipe is replayed" {
	printf 'x\ny\n' >in
	run -0 nl-fallback '[' sh -c 'cat >/dev/null; exit 1' ']' '[' cat ']' <in
	[ "$output" = $'x\ny' ]
	writer -b 300000 | nl-fallback '[' sh -c 'head -c 1000 >/dev/null; exit 1' ']' '[' sh -c 'cat >/dev/null; exit 1' ']' '[' cat ']' | cksum >got
	[ "$(cat got)" = "$(writer -b 300000 | cksum)" ]
}

@test "What is shared with the calling script is inherited, and read once" {
	printf 'one\ntwo\n' | while read -r line; do
		nl-fallback '[' sh -c 'exit 1' ']' '[' echo "$line" ']'
	done >got
	[ "$(cat got)" = $'one\ntwo' ]
	printf 'one\ntwo\n' | {
		read -r _
		run -1 nl-fallback '[' sh -c 'read -r x; exit 1' ']' '[' echo no ']'
		[ "$output" = '' ]
	}
	[ "$(ev 'select(.event == "nl.fallback.failed").reason' | tail -n 1)" = stdin ]
	run -0 nl-fallback --stdin null '[' sh -c 'cat; exit 1' ']' '[' cat ']' </dev/zero
}

@test "Told to stop it tries no further branch; the one that runs gets the signal" {
	for sig in HUP INT QUIT TERM; do
		rm -f up ran
		start nl-fallback '[' sh -c ': >up; sleep 100' ']' '[' touch ran ']'
		wait_for 5 test -e up
		kill -$sig "$pid"
		wait "$pid" && rc=0 || rc=$?
		[ "$rc" = $((128 + $(kill -l $sig))) ]
		[ ! -e ran ]
	done
	# Also when it was the last: what was stopped speaks, not the branch that failed before.
	rm -f up
	start nl-fallback '[' sh -c 'exit 3' ']' '[' sh -c ': >up; sleep 100' ']'
	wait_for 5 test -e up
	kill -TERM "$pid"
	wait "$pid" && rc=0 || rc=$?
	[ "$rc" = 143 ]
}

@test "It tries none when the limit of an enclosing nl-timeout has passed" {
	for fuse in 0 1; do
		NL_FUSE=$fuse run -124 nl-timeout 0.1 nl-fallback '[' sh -c 'trap "exit 3" TERM; sleep 9 & wait' ']' '[' touch ran ']'
		[ ! -e ran ]
	done
}

@test "It tries none when that limit has passed while a branch was being stopped" {
	run -124 nl-timeout 0.3 nl-fallback '[' nl-timeout -k 0.5 0.1 sh -c 'trap "" TERM; while :; do sleep 0.1; done' ']' '[' touch ran ']'
	[ ! -e ran ]
}

@test "A policy of its own for each branch, and breakers count what they see" {
	export NL_STATE=$PWD/state
	mkdir -m 700 state
	run -0 nl-fallback '[' nl-breaker -f 1 a false ']' '[' nl-breaker -f 1 b echo b ']'
	[ "$output" = b ]
	run -0 nl-fallback '[' nl-breaker -f 1 a echo no ']' '[' nl-breaker -f 1 b echo b ']'
	[ "$output" = b ]
	nl-ctl show breaker/a | grep -q OPEN
	nl-ctl show breaker/b | grep -q CLOSED
}

@test "--stale keeps the output of a success and gives it when all fail" {
	export XDG_CACHE_HOME=$PWD/cache
	run -1 nl-fallback --stale 1h:k '[' sh -c 'echo bad; exit 1' ']'
	[ "$output" = '' ]
	run -0 nl-fallback --stale 1h:k '[' false ']' '[' echo good ']'
	run -0 nl-fallback --stale 1h:k '[' false ']' '[' sh -c 'echo bad; exit 2' ']'
	[ "$output" = good ]
	run -0 --separate-stderr nl-fallback --stale 1h:k nl-breaker -f 1 --state "$PWD" x ./none
	[ "$output" = good ]
	[ "$(ev 'select(.event == "nl.fallback.stale") | [.key, .bytes, .err] | @csv' | tail -n 1)" = '"k",5,"spawn"' ]
	[ "$(ev 'select(.event == "nl.request.success" and .kind == "fallback").exit' | tail -n 1)" = 0 ]
	[ "$(stat -c %a cache/ninelives cache/ninelives/k | xargs)" = '700 600' ]
	[ "$(ls -A cache/ninelives)" = k ]
}

@test "An answer that is too old, or of a time to come, is not given" {
	export XDG_CACHE_HOME=$PWD/cache
	nl-fallback --stale 1h:k echo good
	touch -d '2 hours ago' cache/ninelives/k
	run -1 nl-fallback --stale 1h:k false
	[ "$output" = '' ]
	run -0 nl-fallback --stale 0:k false
	[ "$output" = good ]
	run -0 nl-fallback --stale 3h:k false
	touch -d '1 hour' cache/ninelives/k
	run -1 nl-fallback --stale 3h:k false
	[ "$(ev 'select(.event == "nl.state.degraded").detail' | tail -n 1)" = 'k: its time lies ahead: the clock was changed' ]
}

@test "What is not our own plain file is not given" {
	export XDG_CACHE_HOME=$PWD/cache
	nl-fallback --stale 1h:k echo good
	mv cache/ninelives/k real
	ln -s "$PWD/real" cache/ninelives/k
	run -1 nl-fallback --stale 1h:k false
	rm cache/ninelives/k
	mkfifo cache/ninelives/k
	run -1 nl-fallback --stale 1h:k false
	rm cache/ninelives/k
	mv real cache/ninelives/k
	run -0 nl-fallback --stale 1h:k false
	chmod 666 cache/ninelives/k
	run -1 nl-fallback --stale 1h:k false
	chmod 600 cache/ninelives/k
	chown 12 cache/ninelives/k
	run -1 nl-fallback --stale 1h:k false
	[ "$(ev 'select(.event == "nl.state.degraded").reason' | sort -u)" = stale ]
}

@test "More than 64 MiB are not kept, and the old answer stays" {
	export XDG_CACHE_HOME=$PWD/cache
	nl-fallback --stale 1h:k echo good
	nl-fallback --stale 1h:k head -c $((64 * 1024 * 1024 + 1)) /dev/zero >/dev/null
	run -0 nl-fallback --stale 1h:k false
	[ "$output" = good ]
}

@test "A cache that cannot be written changes nothing" {
	export XDG_CACHE_HOME=/proc/none
	run -0 nl-fallback --stale 1h:k echo good
	[ "$output" = good ]
	run -1 nl-fallback --stale 1h:k false
	[ "$(ev 'select(.event == "nl.state.degraded").reason' | sort -u)" = stale ]
}

@test "A stop is no reason for a stale answer" {
	export XDG_CACHE_HOME=$PWD/cache
	nl-fallback --stale 1h:k echo good
	run -124 nl-timeout 0.1 nl-fallback --stale 1h:k sleep 9
	[ "$output" = '' ]
	start nl-fallback --stale 1h:k sh -c ': >up; sleep 100' >out
	wait_for 5 test -e up
	kill -TERM "$pid"
	wait "$pid" && rc=0 || rc=$?
	[ "$rc" = 143 ]
	[ ! -s out ]
}

@test "--stale that is no DURATION:KEY is an error" {
	wrong "--stale: 'x': not DURATION:KEY" nl-fallback --stale x true
	wrong "--stale: '1d:': not a name (1-64 letters, digits, . _ -, a letter or digit first)" nl-fallback --stale 1d: true
	wrong '--stale: what is passed on with --stream cannot be kept: use one of them' nl-fallback --stale 1d:k --stream true
}

@test "Each branch that is left is an event, and the end of all is one" {
	run -3 nl-fallback '[' sh -c 'echo abc; exit 3' ']' '[' nl-timeout 0.05 sleep 9 ']' '[' ./none ']'
	[ "$(ev 'select(.event == "nl.fallback.used") | [.from, .to, .index, .err, .held_bytes] | @csv')" = $'"sh","sleep",2,"exit_3",4\n"sleep","none",3,"timeout",0' ]
	[ "$(ev 'select(.event == "nl.fallback.failed") | [.tried, .reason, .exit] | @csv')" = '3,"all_failed",3' ]
	[ "$(ev 'select(.event | startswith("nl.request.")) | .kind' | sort | xargs)" = 'fallback timeout' ]
}
