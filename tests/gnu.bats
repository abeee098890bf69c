#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Called as `timeout` we are GNU's (coreutils 9.11): its options, its statuses,
# its words.  What POSIX.1-2024 and its documentation promise, and what its own
# tests look at, told anew.  NL_GNU=FILE runs this file against another timeout.
#
# Words are split on purpose, $ in single quotes is for the shell inside, and
# each test is a subshell of its own:
# shellcheck disable=SC2046,SC2086,SC2016,SC2030,SC2031,SC2154
bats_require_minimum_version 1.5.0
load helper
load victim

setup() {
	victim_setup
	export LC_ALL=C
	if [ -n "${NL_GNU-}" ]; then
		ln -s "$NL_GNU" timeout
		PATH=$PWD:$PATH
	else
		as_timeout
	fi
	try="Try 'timeout --help' for more information."
}

# got FILE NAME: how often a sigcount has seen a signal.
got() {
	grep -c "^$2 " "$1" || true
}

has() {
	[ "$(got "$1" "$2")" -ge 1 ]
}

# ours: what GNU's does not promise.
ours() {
	[ -z "${NL_GNU-}" ] || skip "ours alone"
}

# --- limits and statuses ---

@test "timeout: a command that ends in time gives its own status" {
	run -0 timeout 10 true
	run -0 timeout 1d true
	run -0 timeout 0 true
	run -2 timeout 10 sh -c 'exit 2'
	run -124 timeout 10 sh -c 'exit 124'
	run -137 timeout 10 sh -c 'kill -KILL $$'
}

@test "timeout: the limit gives 124, and with --preserve-status 128 + the signal" {
	run -124 timeout .1 sleep 60
	run -143 timeout --preserve-status .1 sleep 60
	run -143 timeout -p .1 sleep 60
	run -129 timeout -p -s HUP .1 sleep 60
	run -9 timeout -p .5 flaky n say
	run -124 timeout .5 flaky n say
}

@test "timeout: a command that needs KILL gives 137, in the foreground or not, -p or not" {
	run -137 timeout -s0 -k.1 .1 sleep 60
	run -137 timeout --foreground -s0 -k.1 .1 sleep 60
	run -137 timeout -p -s0 -k.1 .1 sleep 60
	run -137 timeout -k .2 .2 sh -c 'trap "" TERM; sleep 60; sleep 60'
	run -137 timeout -s KILL .1 sleep 60
	run -137 timeout -f -s 9 .1 sleep 60
}

@test "timeout: a command that died of a signal in time is mirrored" {
	local s
	ulimit -c 0
	for s in HUP INT KILL USR1 SEGV TERM; do
		died how timeout 10 sh -c "kill -$s \$\$" || true
		[ "$(cat how)" = "signal $(kill -l $s)" ]
	done
}

@test "timeout: 126 for what cannot be run, 127 for what is not there" {
	: >plain
	run --separate-stderr -126 timeout 10 .
	[[ $stderr == "timeout: failed to run command '.': "* ]]
	run --separate-stderr -126 timeout 10 ./plain
	[ "$stderr" = "timeout: failed to run command './plain': Permission denied" ]
	run --separate-stderr -127 timeout 10 no_such_command
	[ "$stderr" = "timeout: failed to run command 'no_such_command': No such file or directory" ]
	[ -z "$output" ]
}

@test "timeout: without -k a command that ignores TERM is not killed" {
	run -124 timeout .1 sh -c 'trap "" TERM; sleep 6; echo survived'
	[ "$output" = survived ]
}

@test "timeout: a stopped command is continued after the signal" {
	local t
	t=$(ms)
	run -124 timeout .2 sh -c 'kill -STOP $$'
	[ $(($(ms) - t)) -lt 3000 ]
}

# --- operands and options ---

@test "timeout: what is no interval, no signal or no option is 125 and a word about it" {
	local d
	for d in invalid '' ' ' -0.1 ' -0.1' ' -1e-10000' nan 42D 1x 1sm '1 s' 1,5; do
		run --separate-stderr -125 timeout -- "$d" sleep 0
		[ "${stderr_lines[0]}" = "timeout: invalid time interval '$d'" ]
		[ "${stderr_lines[1]}" = "$try" ]
	done
	run --separate-stderr -125 timeout --kill-after=invalid 1 sleep 0
	[ "$stderr" = "timeout: invalid time interval 'invalid'"$'\n'"$try" ]
	run --separate-stderr -125 timeout --signal=invalid 1 sleep 0
	[ "$stderr" = "timeout: 'invalid': invalid signal"$'\n'"$try" ]
	for d in -1 -9 RTMIN+99 ''; do
		run -125 timeout -s "$d" 1 sleep 0
	done
	run --separate-stderr -125 timeout --bogus 1 true
	[ "$stderr" = "timeout: unrecognized option '--bogus'"$'\n'"$try" ]
	run --separate-stderr -125 timeout -Z 1 true
	[ "$stderr" = "timeout: invalid option -- 'Z'"$'\n'"$try" ]
	run --separate-stderr -125 timeout -k
	[ "$stderr" = "timeout: option requires an argument -- 'k'"$'\n'"$try" ]
	run --separate-stderr -125 timeout --signal
	[ "$stderr" = "timeout: option '--signal' requires an argument"$'\n'"$try" ]
	run --separate-stderr -125 timeout --verbose=1 1 true
	[ "$stderr" = "timeout: option '--verbose' doesn't allow an argument"$'\n'"$try" ]
	run --separate-stderr -125 timeout
	[ "$stderr" = "$try" ]
	run --separate-stderr -125 timeout 10
	[ "$stderr" = "$try" ]
}

@test "timeout: fractions, exponents, hexadecimal, inf and suffixes are intervals" {
	local d
	for d in 10.34 9.999999999 +9 ' 9' 9s 9m 9h 9d 2.34e+5d 0x1p3 1e1 inf infinity 9. .9m; do
		run -3 timeout "$d" sh -c 'exit 3'
	done
}

@test "timeout: an interval too large for the system is no limit that passes" {
	local d
	for d in 9223372036854775808 4294967296 9223372036854775808d 1e300 1e4000 99999999999999999999999999d; do
		run -3 timeout "$d" sh -c 'sleep 0.2; exit 3'
	done
	run -125 timeout -- -1e4000 true
}

@test "timeout: an interval too small for the system still passes" {
	run -124 timeout 1e-10000 sleep 60
	run -124 timeout 1e-300 sleep 60
	run -124 timeout 0.000000001 sleep 60
}

@test "timeout: intervals of our own are not taken" {
	run -125 timeout 100ms true
	run -125 timeout 1m30s true
	run -125 timeout 5us true
}

@test "timeout: options of our own are not taken" {
	local o
	for o in --idle=5 --name=x --events=off --kill=tree --on-timeout=true --left --complete -i5; do
		run -125 timeout $o 5 true
	done
	run -125 timeout -h
	run -125 timeout -V
}

@test "timeout: long options may be shortened, short ones bundled and joined" {
	run -137 timeout --kill .1 --sig 0 .1 sleep 60
	run -137 timeout --k=.1 --s=0 .1 sleep 60
	run -143 timeout --pre .1 sleep 60
	run -0 timeout --for 10 true
	run -143 timeout -fpk1 .1 sleep 60
	run -0 timeout --verb 10 true
	run -125 timeout --ver 10 true
}

@test "timeout: signals have names in any case, with SIG or without, and numbers" {
	local s
	for s in HUP hup SIGHUP sighup 1; do
		run -129 timeout -p -s $s .1 sleep 60
	done
	run -$((128 + 37)) timeout -p -s RTMIN+3 .1 sleep 60
	run -$((128 + 63)) timeout -p -s rtmax-1 .1 sleep 60
}

@test "timeout: options end at the first operand, and -- is no option" {
	run -0 timeout 10 printf '%s|' -k --help -s
	[ "$output" = "-k|--help|-s|" ]
	run -0 timeout -k 5 -- 10 echo ok
	[ "$output" = ok ]
}

@test "timeout: --help and --version speak on stdout" {
	run --separate-stderr -0 timeout --help
	[ -z "$stderr" ]
	[[ ${lines[0]} == "Usage: timeout [OPTION]... DURATION COMMAND [ARG]..."* ]]
	for o in --foreground --kill-after --preserve-status --signal --verbose; do
		[[ $output == *"$o"* ]]
	done
	run --separate-stderr -0 timeout --version
	[ -z "$stderr" ]
	[[ ${lines[0]} == timeout* ]]
}

# --- what it says ---

@test "timeout: -v says each signal that it sends, and to what" {
	local o
	for o in -v --verbose; do
		run --separate-stderr timeout $o -s0 -k .1 .1 sleep 60
		# A shell may add that timeout itself was killed.
		[ "${stderr_lines[0]}" = "timeout: sending signal 0 to command 'sleep'" ]
		[ "${stderr_lines[1]}" = "timeout: sending signal KILL to command 'sleep'" ]
	done
	run --separate-stderr -124 timeout -v .1 sleep 60
	[ "$stderr" = "timeout: sending signal TERM to command 'sleep'" ]
	run --separate-stderr -124 timeout -v -s rtmin+2 .1 sleep 60
	[ "$stderr" = "timeout: sending signal RTMIN+2 to command 'sleep'" ]
	run --separate-stderr -0 timeout -v 10 true
	[ -z "$stderr" ]
}

@test "timeout: -v says a signal that is passed on" {
	start timeout -v 60 deaf -o log none 2>err
	wait_for 5 ready log
	kill -USR1 "$pid"
	ends 3
	[ "$rc" = $((128 + 10)) ]
	grep -qx "timeout: sending signal USR1 to command 'deaf'" err
}

@test "timeout: nothing is said without -v, and there are no events" {
	export NL_EVENTS=$PWD/events
	run --separate-stderr -124 timeout .1 sleep 60
	[ -z "$stderr$output" ]
	run --separate-stderr -3 timeout 10 sh -c 'exit 3'
	[ -z "$stderr$output" ]
	[ ! -e events ]
	unset NL_EVENTS
	run --separate-stderr -124 timeout .1 sleep 60
	[ -z "$stderr$output" ]
}

@test "timeout: a message that nobody reads changes neither status nor limit" {
	{ rc=0; timeout -v .1 sleep 60 2>&1 || rc=$?; echo $rc >status; } | true
	[ "$(cat status)" = 124 ]
	wait_for 1 no_victims
}

# --- start states ---

@test "timeout: SIGCHLD ignored and ALRM blocked at the start change nothing" {
	run -0 bash -c 'trap "" CHLD; exec timeout 10 true'
	run -7 bash -c 'trap "" CHLD; exec timeout 10 sh -c "exit 7"'
	run -124 env --block-signal=ALRM timeout .1 sleep 60
	run -124 env --block-signal=ALRM,CHLD timeout .1 sleep 60
}

@test "timeout: a child from before does not count" {
	run -124 bash -c 'setsid sleep .1 & exec timeout .5 sh -c "sleep 2; echo foo"'
	[ -z "$output" ]
}

@test "timeout: ignored signals stay ignored and are not passed on" {
	run -0 bash -c '(trap "" PIPE; timeout 10 yes | true) 2>&1 | grep "Broken pipe"'
	env --ignore-signal=USR1 timeout 60 sigcount -q 12 log 3>&- &
	pid=$!
	wait_for 5 ready log
	kill -USR1 "$pid"
	kill -USR2 "$pid"
	ends 3
	[ "$(got log USR1)" = 0 ]
}

@test "timeout: the parent may be init" {
	root_only
	unshare -pf true 2>/dev/null || skip "no pid namespaces here"
	run -124 /usr/bin/timeout -s KILL 10 unshare -pf --kill-child "$PWD/timeout" .1 sleep 60
	run -0 unshare -pf --kill-child sh -c 'timeout .1 sleep 60; [ $? = 124 ]'
}

# --- groups and signals ---

@test "timeout: each terminating signal is passed on, and ends timeout as it ended the command" {
	local s
	ulimit -c 0
	for s in HUP INT QUIT TERM PIPE USR1 USR2 XCPU VTALRM PROF IO RTMIN+1 RTMAX; do
		start died how timeout 60 deaf -o log$s none
		wait_for 5 ready log$s
		kill -$s "$(cat how.pid)"
		ends 3
		[ "$(cat how)" = "signal $(kill -l $s)" ]
		wait_for 1 no_victims
		rm how how.pid
	done
}

@test "timeout: ALRM means that the limit was reached" {
	local t
	start timeout -s USR1 60 sigcount -q 10 log
	wait_for 5 ready log
	kill -ALRM "$pid"
	ends 3
	[ "$rc" = 124 ]
	has log USR1
	[ "$(got log ALRM)" = 0 ]
	start timeout -k .3 60 deaf -o log2
	wait_for 5 ready log2
	kill -ALRM "$pid"
	ends 3
	[ "$rc" = 137 ]
}

@test "timeout: cascaded timeouts work" {
	start timeout -sALRM 50 timeout -sUSR1 40 sigcount -q 10 log
	wait_for 5 ready log
	kill -ALRM "$pid"
	ends 3
	[ "$rc" = 124 ]
	has log USR1
	run -124 timeout 60 timeout .1 sleep 60
	run -124 timeout .2 timeout 60 sleep 60
	wait_for 1 no_victims
}

@test "timeout: a signal to the group reaches a command in the foreground" {
	env --default-signal setsid sh -c 'trap "" USR1
		env --default-signal=USR1 timeout -v --foreground 60 sigcount -q 10 log & wait; wait' 3>&- 2>err &
	pid=$!
	wait_for 5 ready log
	kill -USR1 -- "-$pid"
	ends 3
	has log USR1
}

@test "timeout: SIGKILL to timeout sends the command the signal of the limit" {
	start timeout -sUSR1 60 sigcount -q 10 log
	wait_for 5 ready log
	kill -KILL "$pid"
	ends 3
	wait_for 3 has log USR1
	start timeout 60 sigcount -q 15 log2
	wait_for 5 ready log2
	kill -KILL "$pid"
	wait_for 3 has log2 TERM
	ends 3
}

@test "timeout: a signal that is passed on starts the time of -k" {
	local s t
	for s in TERM USR1; do
		start timeout -k .4 60 deaf -o log$s TERM USR1
		wait_for 5 ready log$s
		t=$(ms)
		kill -$s "$pid"
		ends 4
		[ "$rc" = 137 ]
		between 400 "$(($(ms) - t))" 3000
	done
}

@test "timeout: a later signal does not put off the KILL of -k" {
	start timeout -k .6 60 deaf -o log TERM USR1
	wait_for 5 ready log
	kill -TERM "$pid"
	linger 300
	kill -USR1 "$pid"
	wait_for 1 ended "$pid"
	ends 1
	[ "$rc" = 137 ]
}

@test "timeout: the limit ends the command's group and nothing beyond it" {
	by_limit log timeout LIMIT spawner log child session daemon
	run ! alive "$(pids log child)"
	all alive $(pids log session) $(pids log daemon)
	kill -KILL $(pids log session) $(pids log daemon)
}

@test "timeout: --foreground ends the command alone" {
	by_limit log timeout -f LIMIT spawner log child
	alive "$(pids log child)"
	kill -KILL "$(pids log child)"
}

@test "timeout: the command of --foreground stays in the caller's group, others do not" {
	run -0 bash -c 'timeout -f 10 bash -c "[ \$(ps -o pgid= -p \$\$) = \$(ps -o pgid= -p $$) ]"; exit $?'
	run -1 bash -c 'timeout 10 bash -c "[ \$(ps -o pgid= -p \$\$) = \$(ps -o pgid= -p $$) ]"; exit $?'
}

@test "timeout: a command that makes a group of its own is ended all the same" {
	# A group leader may not call setsid: it would fork instead.
	by_limit log timeout LIMIT perl -e 'setpgrp(0, 0); exec @ARGV' deaf -o log none
	wait_for 1 no_victims
}

@test "timeout: what it wraps is a plain command, nl-* or not" {
	ours
	run -0 timeout 10 nl-retry sh -c 'read -r name </proc/$PPID/comm; echo $name'
	[ "$output" = nl-retry ]
	run -124 timeout .2 nl-retry -n 3 sleep 60
	wait_for 1 no_victims
}
