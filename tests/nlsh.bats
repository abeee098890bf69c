#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# lib/nl.sh: nl_retry and nl_timeout as functions, in the shells that a script may have.
# shellcheck disable=SC2016  # text for inner shells
bats_require_minimum_version 1.5.0
load helper

# in_shells SCRIPT: sets $output once it is the same in all of them.
in_shells() {
	local shell first=

	for shell in dash bash 'bash --posix' 'busybox sh' 'zsh --emulate sh'; do
		rm -f n
		# shellcheck disable=SC2086
		run -0 --separate-stderr $shell -c ". '$NL_ROOT/lib/nl.sh'; $1" sh 3>&-
		[[ ${first:=$output} == "$output" ]] || { echo "$shell: $output, not: $first"; return 1; }
	done
}

@test "nl_retry runs a command with the options of NL_RETRY_OPTS" {
	in_shells 'NL_RETRY_OPTS="-n5 -b const:1ms"; nl_retry sh -c "echo \$NL_ATTEMPT of \$NL_MAX_ATTEMPTS; test \$NL_ATTEMPT = 3"; echo $?'
	[ "$output" = $'1 of 5\n2 of 5\n3 of 5\n0' ]
}

@test "nl_retry needs no options, and takes options before the command" {
	in_shells 'nl_retry -n2 -b const:1ms false; echo $?; nl_retry true; echo $?'
	[ "$output" = $'1\n0' ]
}

@test "nl_retry runs a function in the shell itself, with its arguments as they are" {
	in_shells 'f() { n=$NL_ATTEMPT; echo "$#:$1:$2"; [ "$NL_ATTEMPT" = 2 ]; }
		NL_RETRY_OPTS="-b const:1ms"; nl_retry f "a  b" "*"; echo "$? $n"'
	[ "$output" = $'2:a  b:*\n2:a  b:*\n0 2' ]
}

@test "nl_retry gives up on a function with its last status" {
	in_shells 'f() { return $((NL_ATTEMPT + 10)); }; NL_RETRY_OPTS="-n3 -b const:1ms"; nl_retry f; echo $?'
	[ "$output" = 13 ]
}

@test "nl_retry does not retry a function for 75, 125, 126, 127 and death by SIGPIPE" {
	in_shells 'NL_RETRY_OPTS="-b const:1ms"; for s in 75 125 126 127 141; do
		n=0; f() { n=$((n + 1)); return $s; }; nl_retry f; echo "$? $n"; done'
	[ "$output" = $'75 1\n125 1\n126 1\n127 1\n141 1' ]
}

@test "A function that is retried may use nl_retry itself" {
	in_shells 'NL_RETRY_OPTS="-n3 -b const:1ms"
		g() { echo "g$NL_ATTEMPT"; [ "$NL_ATTEMPT" = 2 ]; }
		f() { nl_retry g; m=$((m + 1)); echo "f$m"; [ $m = 2 ]; }
		m=0; nl_retry f; echo $?'
	[ "$output" = $'g1\ng2\nf1\ng1\ng2\nf2\n0' ]
}

@test "NL_ATTEMPT is afterwards what it was before" {
	in_shells 'NL_RETRY_OPTS="-n2 -b const:1ms"; f() { false; }; nl_retry f; echo "${NL_ATTEMPT-none}"
		g() { nl_retry f; echo "$NL_ATTEMPT"; return 75; }; nl_retry g; NL_ATTEMPT=7; nl_retry f; echo "$NL_ATTEMPT"'
	[ "$output" = $'none\n1\n7' ]
}

@test "nl_retry says what is wrong with the options, also for a function" {
	in_shells 'f() { echo ran; }; NL_RETRY_OPTS="-b nonsense"; nl_retry f; echo $?; nl_retry true; echo $?'
	[ "$output" = $'125\n125' ]
}

@test "nl_retry of a function ends in time when attempts are without limit" {
	in_shells 'n=0; f() { n=$((n + 1)); [ $n = 20 ]; }; NL_RETRY_OPTS="-n inf -b const:0"; nl_retry f; echo "$? $n"'
	[ "$output" = '0 20' ]
}

@test "nl_timeout limits a command" {
	in_shells 'nl_timeout 100ms sleep 60; echo $?; NL_TIMEOUT_OPTS="-p -s KILL"; nl_timeout 100ms sh -c "sleep 60; :"; echo $?'
	[ "$output" = $'124\n137' ]
}

@test "nl_timeout limits a function in bash, with its arguments" {
	for shell in bash 'bash --posix'; do
		# shellcheck disable=SC2086
		run -0 --separate-stderr $shell -c ". '$NL_ROOT/lib/nl.sh'"'; f() { echo "$#:$1"; sleep 60; }; nl_timeout 300ms f "a  b" c; echo $?'
		[ "$output" = $'2:a  b\n124' ]
	done
}

@test "nl_timeout refuses a function in another shell and says why" {
	for shell in dash 'busybox sh' 'zsh --emulate sh'; do
		# shellcheck disable=SC2086
		run -125 $shell -c ". '$NL_ROOT/lib/nl.sh'"'; f() { sleep 60; }; nl_timeout 100ms f'
		[[ $output == *"'f' is a function"* ]]
	done
}

@test "nl.sh works in a script that stops at errors and unset variables" {
	in_shells 'set -eu; nl_retry -n1 true; f() { :; }; nl_retry f; nl_timeout 5 true; echo end'
	[ "$output" = end ]
}
