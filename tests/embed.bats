#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# ninelives(3): policies in a program.  What the program was before a call, its
# children, signals and descriptors, it is behind it: host (tests/aid) looks.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154  # text for inner shells; each test is a subshell; set by run
bats_require_minimum_version 1.5.0
load helper
load victim

setup_file() {
	export BATS_TEST_TIMEOUT=60 DEST=$BATS_FILE_TMPDIR/dest
	local variant=${NL_AID%/aid}

	unset MAKEFLAGS MAKELEVEL MAKEOVERRIDES VARIANT CC FLAGS LINK PIPE O
	make -s -C "$NL_ROOT" VARIANT="${variant##*/}" install DESTDIR="$DEST" PREFIX=/opt/x 3>&-
}

# cc ARG...: a program of C against what is installed.
installed_cc() {
	# shellcheck disable=SC2046  # words
	PKG_CONFIG_PATH=$DEST/opt/x/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$DEST \
		cc "$@" $(PKG_CONFIG_PATH=$DEST/opt/x/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$DEST pkg-config --cflags --libs --static ninelives)
}

# is LINE...: host's output, and not a word that anything was changed.
is() {
	[ "$output" = "$(printf '%s\n' "$@")" ]
}

@test "The example is built by cc and pkg-config from what was installed, and prints what it says" {
	installed_cc -std=c11 -Wall -Wextra -Werror "$NL_ROOT/examples/embed.c" -o embed
	run -0 ./embed
	[ "$output" = "$(sed -n 's/^\(\/\*\| \*\)| //p' "$NL_ROOT/examples/embed.c")" ]
}

@test "The header is good for C++, too" {
	printf '#include <nl.h>\nint main() { nl_result r; nl_err e; r.status = !nl_policy_open("(", &e); return r.status; }\n' >x.cc
	run -0 installed_cc -x c++ -Wall -Wextra -Werror -fsyntax-only x.cc
}

@test "All symbols of the library begin with nl_" {
	run -0 nm -g --defined-only "$DEST/opt/x/lib/libninelives.a"
	run -0 awk 'NF == 3 { n++; if ($3 !~ /^nl_/) print $3 } END { exit n < 100 }' <<<"$output"
	[ -z "$output" ]
}

@test "A program that embeds a policy has no main() of tools in it" {
	installed_cc "$NL_ROOT/examples/embed.c" -o embed
	run -0 nm embed
	[[ $output == *" nl_policy_run"* ]]
	[[ $output != *" nl_main"* ]]
}

@test "A wrong expression is refused with its column, and nothing is run" {
	run -125 host 'retry(3' true
	[[ $output == "1:6: "* ]]
	run -125 host 'retry(3) + nosuch(2)' true
	[[ $output == "1:12: "*nosuch* ]]
	run -125 host '' true
}

@test "nl_policy_run gives the command's status and counts its attempts" {
	run -0 host 'retry(3, backoff=constant:1ms)' flaky n 3 4 0
	[ "${lines[-1]}" = 'status 0 signal 0 ran attempts 3' ]
	run -0 host 'pass' sh -c 'exit 9'
	is 'status 9 signal 0 ran attempts 1'
}

@test "A command that a signal ended is 128 + it, and the signal" {
	run -0 host 'timeout(9s)' sh -c 'ulimit -c 0; kill -SEGV $$'
	is 'status 139 signal 11 ran attempts 1'
}

@test "What a tool would have said is in the result, and nothing is written to descriptors 1 and 2" {
	run -0 host 'timeout(9s)' nosuchcommand
	is "status 127 signal 0 notrun attempts 1 cannot run 'nosuchcommand': No such file or directory"
}

@test "Events go nowhere unless NL_EVENTS says where" {
	NL_EVENTS='' run -0 --separate-stderr host 'retry(2, backoff=constant:1ms)' false
	[ -z "$stderr" ]
	NL_EVENTS=$PWD/ev run -0 host 'retry(2, backoff=constant:1ms)' false
	[ "$(events ev | sort | uniq -c | xargs)" = '1 nl.request.failure 1 nl.retry.attempt 1 nl.retry.exhausted 1 nl.run.ended' ]
	nlcheck ev
}

@test "A policy can be called again, and gives the program back each time" {
	NL_EVENTS=$PWD/ev run -0 host -2 'retry(2, backoff=constant:1ms, hold) + timeout(50ms)' sleep "$(victim)"
	is 'status 124 signal 0 ran attempts 2' 'status 124 signal 0 ran attempts 2'
}

@test "A limit ends what the command has started, and no child of the program" {
	m=$(victim) job=$(victim)
	run -0 host -b "$job" 'timeout(300ms)' sh -c "setsid sleep $m & (setsid sleep $m &) & sleep $m"
	is 'status 124 signal 0 ran attempts 1' 'job signal 9'
	gone "$m"
}

@test "What a branch of a race whose own process is killed has left is ended, however many began behind it" {
	m=$(victim)
	run -0 host 'pass & pass' sh -c '
		if [ "$NL_ARM" = 1 ]; then
			setsid sleep "$0" &
			echo $! >pid
			until [ -e two ]; do sleep 0.01; done
			kill -KILL $PPID
			sleep "$0"
		fi
		touch two
		for i in $(seq 1000); do
			[ ! -s pid ] || kill -0 "$(cat pid)" 2>/dev/null || exit 0
			sleep 0.01
		done
		exit 9' "$m"
	[[ $output == *'status 0 signal 0 '* ]]
	gone "$m"
}

@test "A daemon that a child of the program leaves meanwhile is not killed" {
	m=$(victim) d=$(victim)
	host -d "$d" 'timeout(1s)' sh -c "touch go; setsid sleep $m & sleep $m" >out 2>err 3>&-
	[ "$(sed 1q out)" = 'status 124 signal 0 ran attempts 1' ]
	gone "$m"
	wait_for 5 pkill -KILL -fx "sleep $d"
}

@test "The status of a child that ends meanwhile is the program's to collect, and it gets its SIGCHLD" {
	run -0 host -c 17 -e 20:7 'timeout(9s)' sleep 0.4
	is 'status 0 signal 0 ran attempts 1' 'caught CHLD' 'child exit 7'
	run -0 host -c 17 'timeout(9s)' true
	is 'status 0 signal 0 ran attempts 1'
}

@test "A program that ignores SIGCHLD gets statuses all the same, and has no zombies behind it" {
	run -0 host -i -e 20:7 'timeout(9s)' sh -c 'sleep 0.3; exit 5'
	is 'status 5 signal 0 ran attempts 1'
}

@test "A command gets at default what the program catches" {
	run -0 host -c 10 -c 15 'timeout(9s)' sigdump
	[[ ${lines[*]} != *"CAUGHT"* ]]
	run -0 host -c 15 'timeout(9s)' sh -c 'kill -TERM $$'
	is 'status 143 signal 15 ran attempts 1'
}

# signalled SIGNAL ARG...: host, which is sent it when the file up is there; $output.
signalled() {
	local sig=$1 pid
	shift
	host "$@" >out 2>&1 3>&- &
	pid=$!
	wait_for 15 test -e up
	kill "-$sig" "$pid"
	st=0
	wait "$pid" || st=$?
	output=$(<out)
}

@test "TERM to the program stops the command, ends the call, and is then the program's" {
	signalled TERM -c 15 'retry(9)' sh -c 'touch up; sleep 9; :'
	[ "$st" = 0 ]
	is 'status 143 signal 15 cancelled attempts 1' 'caught 15'
	rm up
	signalled TERM 'retry(9)' sh -c 'trap "echo told; exit 3" TERM; touch up; while :; do sleep 0.01; done'
	[ "$st" = 143 ]
	[[ $output == *told ]]
	[[ $output != *status* ]]
}

@test "A signal that the program catches and that stops no tool is kept for it" {
	m=$(victim)
	signalled USR1 -c 10 'retry(9)' sh -c "touch up; sleep 0.3; exit 0"
	is 'status 0 signal 0 ran attempts 1' 'caught 10'
}

@test "nl_policy_call calls a function until it succeeds, and tells it which attempt it is" {
	run -0 host -f 'retry(3, backoff=constant:1ms)' 0:3 0:4 0:0
	is 'attempt 1 of 3, before -1, limited 0, stop 0' 'attempt 2 of 3, before 3, limited 0, stop 0' \
		'attempt 3 of 3, before 4, limited 0, stop 0' 'status 0 signal 0 ran attempts 3'
	run -0 host -f 'pass' 0:9
	is 'attempt 0 of 0, before -1, limited 0, stop 0' 'status 9 signal 0 ran attempts 1'
}

@test "A function that returns behind its deadline has timed out" {
	run -0 host -f 'timeout(100ms)' 200:0
	is 'attempt 0 of 0, before -1, limited 1, stop 0' 'status 124 signal 0 ran attempts 1'
	run -0 host -f 'retry(2, backoff=constant:1ms) + timeout(100ms)' 200:0 0:0
	is 'attempt 1 of 2, before -1, limited 1, stop 0' 'attempt 2 of 2, before 124, limited 1, stop 0' 'status 0 signal 0 ran attempts 2'
}

@test "A forked function is interrupted at its limit, and may crash" {
	t=$(ms)
	run -0 host -F 'timeout(200ms)' 30000:0
	[ $(($(ms) - t)) -lt 10000 ]
	is 'attempt 0 of 0, before -1, limited 1, stop 0' 'status 124 signal 0 ran attempts 1'
	run -0 host -F 'retry(3, backoff=constant:1ms, hold)' 0:3 0:4 0:0
	is 'attempt 3 of 3, before 4, limited 0, stop 0' 'status 0 signal 0 ran attempts 3'
}

@test "Policies around functions trip breakers" {
	run -0 host -2 -f "breaker(b, failures=1, open=1m)" 0:3
	is 'attempt 0 of 0, before -1, limited 0, stop 0' 'status 3 signal 0 ran attempts 1' 'status 75 signal 0 refused attempts 0'
}

@test "nl_policy_stop ends the call from another thread" {
	t=$(ms)
	run -0 host -s 100 'retry(9)' sleep "$(victim)"
	is 'status 143 signal 15 cancelled attempts 1'
	run -0 host -s 100 'retry(9, backoff=constant:30s, jitter=none)' false
	is 'status 143 signal 15 cancelled attempts 1'
	run -0 host -s 100 'retry(9, backoff=constant:30s, jitter=none)' sh -c 'sleep 0.3; exit 1'
	[ $(($(ms) - t)) -lt 15000 ]
}

@test "Among threads the command's end is seen though another takes the signal" {
	t=$(ms)
	for _ in 1 2 3 4 5; do
		run -0 host -T 'retry(2, backoff=constant:1ms)' sh -c 'exit 5'
		is 'status 5 signal 0 ran attempts 2'
	done
	[ $(($(ms) - t)) -lt 15000 ]
}
