#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# nl-breaker(1).  An open time of 1us is over at the next call, one of 1h is not
# over in any test: nothing here waits for a clock where it need not.
#
# $ in single quotes is for inner shells, and each test is a subshell of its own:
# shellcheck disable=SC2016,SC2030,SC2031,SC2154
bats_require_minimum_version 1.5.0
load helper
load victim

# Twenty at once need their time on a busy machine.
setup_file() { export BATS_TEST_TIMEOUT=60; }

setup() {
	victim_setup
	# works, fails: the command; one line in ran for each run.
	printf '#!/bin/sh\necho x >>ran\nexit 0\n' >works
	printf '#!/bin/sh\necho x >>ran\nexit 2\n' >fails
	# lasts STATUS: one that waits while the gate is shut.
	printf '#!/bin/sh\necho $$ >>ran\nexec flock -s gate sh -c "exit ${1-0}"\n' >lasts
	chmod +x works fails lasts
	PATH=$PWD:$PATH
}

teardown() {
	touch stop
	nl_teardown
}

# How often the command ran.
ran() { if [[ -e ran ]]; then grep -c . ran; else echo 0; fi; }

# 32 or 64 bits of a record, N bytes into its body (nl-state(5)).
body() { od -An -tu4 -j $((928 + $2)) -N 4 "$NL_STATE/breaker/$1" | tr -d ' '; }

state() {
	local names=(closed open half_open forced_open forced_closed disabled)
	echo "${names[$(body "$1" 0)]}"
}

# How many events of a name there are; those of one name.
count() { events | grep -c "^$1\$" || true; }
only() { grep "\"event\":\"$1\"" "$NL_EVENTS" >"only.$1" && echo "only.$1"; }

# open NAME [OPTION]...: opens it by a failure, for an hour unless told.
open() {
	local name=$1
	shift
	run -2 nl-breaker -f 1 -o 1h "$@" "$name" fails
	[ "$(state "$name")" = open ]
	rm -f ran
}

# half NAME [OPTION]...: opens it so that the next call is a probe.
half() { open "$1" -o 1us "${@:2}"; }

shut() { exec 8>gate && flock 8; }
let_go() { flock -u 8; }

# told JQ: an event is so.
told() { jq -e --slurp "any(.[]; $1)" "$NL_EVENTS" >/dev/null; }

# background COUNT COMMAND...: so many at once; their statuses go to rcs.
background() {
	local k
	for ((k = 0; k < $1; k++)); do
		(
			st=0
			"${@:2}" || st=$?
			echo "$st" >>rcs
		) >>out 2>&1 3>&- 8>&- &
	done
}
lines() { [[ -e $1 ]] && [[ $(grep -c . "$1") -ge $2 ]]; }

# --- closed, open, half-open ---

@test "A breaker is closed at first, and hands on status, output and input" {
	run -0 nl-breaker db cat <<<in
	[ "$output" = in ]
	for s in 0 1 7 75 124 125 126 127 255; do
		run "-$s" nl-breaker -f 99 "s$s" sh -c "exit $s"
	done
	status_of died how nl-breaker db sh -c 'kill -KILL $$'
	[ "$(cat how)" = "signal 9" ]
	[ "$(count nl.circuit.opened)" = 0 ]
}

@test "It opens at exactly the threshold, and then starts no process" {
	for n in 1 2 5 17; do
		rm -f ran
		for k in $(seq 2 "$n"); do
			run -2 nl-breaker -f "$n" -o 1h "n$n" fails
		done
		[ "$n" = 1 ] || [ "$(state "n$n")" = closed ]
		run -2 nl-breaker -f "$n" -o 1h "n$n" fails
		[ "$(state "n$n")" = open ]
		run -75 nl-breaker -f "$n" -o 1h "n$n" works
		[ "$(ran)" = "$n" ]
		grep '"event":"nl.circuit.opened"' "$NL_EVENTS" | tail -n 1 >opened
		[ "$(field failures opened)" = "$n" ]
		[ "$(jq -c .errs opened)" = "{\"exit_2\":$n}" ]
	done
}

@test "The default is 5 failures in a row, 10 s open, one probe" {
	for i in 1 2 3 4; do
		run -2 nl-breaker db fails
		[ "$(state db)" = closed ]
	done
	run -2 nl-breaker db fails
	[ "$(state db)" = open ]
	[ "$(field open_s)" = 10.000000 ]
	[ "$(field reason)" = consecutive ]
}

@test "A success in between begins the count anew: F F S F F stays closed at 3" {
	for what in fails fails works fails fails; do
		run nl-breaker -f 3 -o 1h db "$what"
	done
	[ "$(state db)" = closed ]
	run -2 nl-breaker -f 3 -o 1h db fails
	[ "$(state db)" = open ]
}

@test "A rejection is 75, tells when to come back and writes nothing to the record" {
	open db
	cp "$NL_STATE/breaker/db" before
	run -75 nl-breaker -o 1h db works
	[ "$(ran)" = 0 ]
	[ -z "$output" ]
	cmp before "$NL_STATE/breaker/db"
	ev=$(only nl.circuit.rejected)
	jq -e '.retry_after_s > 3500 and .retry_after_s <= 3600 and .state == "open" and .exit == 75 and .cmd == "works"' "$ev"
	told '.event == "nl.request.failure" and .exit == 75 and .err == "rejected"'
}

@test "On a terminal a rejection says why, and when to come back" {
	unset NL_EVENTS
	for cmd in 'exit 2' 'exit 2' 'exit 2' 'exit 2' 'nl-timeout --events off 0.05 sleep 9'; do
		NL_EVENTS=off run nl-breaker -o 17s db sh -c "$cmd"
	done
	pty -t 20 nl-breaker db works >seen <<<'exit 75'
	grep -Eqx 'nl-breaker: db is open, retry in 1?[0-9.]+ s: 5 consecutive failures \(exit 2 ×4, timeout ×1\)' seen
}

@test "When it opens it says so with its evidence" {
	NL_EVENTS=human run --separate-stderr -2 nl-breaker -f 1 -o 1h db fails
	[ "$stderr" = "nl-breaker: db opened: 1 failure (exit 2 ×1)" ]
	NL_EVENTS=human run --separate-stderr -75 nl-breaker db fails
	[ "$stderr" = "nl-breaker: db is open, retry in 1 h: 1 failure (exit 2 ×1)" ]
	run -2 nl-breaker -f 2 -o 1us x fails
	run -2 nl-breaker -f 2 -o 1us x fails
	jq -e --slurp '(map(select(.event == "nl.circuit.opened"))[0].last) ==
		(map(select(.event == "nl.request.failure" and .policy == "x").span_id) | reverse)' "$NL_EVENTS"
	NL_EVENTS=human run --separate-stderr -0 nl-breaker x works
	[[ ${stderr_lines[0]} == "nl-breaker: x is tried again after 0."*" s" ]]
	[[ ${stderr_lines[1]} == "nl-breaker: x closed after "*" s" ]]
}

@test "After --open a probe is let through: a success closes it, and calls pass again" {
	half db
	run -0 nl-breaker db works
	[ "$(state db)" = closed ]
	for i in 1 2 3 4 5; do
		run -0 nl-breaker db works
	done
	[ "$(ran)" = 6 ]
	[ "$(events | grep circuit | xargs)" = "nl.circuit.opened nl.circuit.half_open nl.circuit.closed" ]
	[ "$(field reason "$(only nl.circuit.closed)")" = success ]
	[ "$(field probes "$(only nl.circuit.closed)")" = 1 ]
}

@test "The open time is real time" {
	t=$(ms)
	open db -o 300ms
	run -0 nl-breaker -w 20s db works
	[ $(($(ms) - t)) -ge 300 ]
	[ "$(field was_open_s "$(only nl.circuit.half_open)" | tr -d .)" -ge 0300000 ]
}

@test "A probe that fails opens it again" {
	half db
	run -2 nl-breaker -o 1h db fails
	[ "$(state db)" = open ]
	run -75 nl-breaker db works
	[ "$(ran)" = 1 ]
	[ "$(field reason "$(only nl.circuit.opened)" | xargs)" = "consecutive probe_failed" ]
}

@test "--open inf is until somebody closes it, and no time to come back is told" {
	open db -o inf
	run -75 nl-breaker db works
	[ -z "$(field retry_after_s)" ]
	NL_EVENTS=human run --separate-stderr -75 nl-breaker db works
	[ "$stderr" = "nl-breaker: db is open until somebody closes it: 1 failure (exit 2 ×1)" ]
}

# --- probes ---

@test "Of 20 calls at once exactly --probes run, the others are rejected" {
	shut
	half db
	background 20 nl-breaker -p 3 db lasts
	wait_for 15 lines rcs 17
	[ "$(ran)" = 3 ]
	[ "$(sort rcs | uniq -c | xargs)" = "17 75" ]
	let_go
	wait_for 15 lines rcs 20
	[ "$(grep -cx 0 rcs)" = 3 ]
	[ "$(ran)" = 3 ]
	[ "$(count nl.circuit.half_open)" = 1 ]
	[ "$(count nl.circuit.closed)" = 1 ]
	jq -e 'select(.state != "half_open" or .retry_after_s != 0)' "$(only nl.circuit.rejected)" | grep -q . && return 1
	[ "$(state db)" = closed ]
}

@test "By default one probe runs: of three at once one passes, two are rejected" {
	shut
	half db
	background 3 nl-breaker db lasts
	wait_for 10 lines rcs 2
	[ "$(cat rcs)" = $'75\n75' ]
	let_go
	wait_for 15 lines rcs 3
	[ "$(sort rcs | xargs)" = "0 75 75" ]
}

@test "A probe that is killed gives its permit back at once" {
	shut
	half db
	start nl-breaker db lasts
	wait_for 5 lines ran 1
	run -75 nl-breaker db works
	kill -KILL "$pid"
	wait "$pid" || true
	run -0 nl-breaker db works
	[ "$(state db)" = closed ]
	wait_for 2 no_victims
}

@test "Probes of callers that allow more count for those that allow fewer" {
	shut
	half db
	background 3 nl-breaker -p 3 db lasts
	wait_for 5 lines ran 3
	kill -KILL "$(sed -n 1p ran)" # Whichever slot it had: two are held.
	wait_for 5 lines rcs 1
	run -75 nl-breaker -p 1 db works
	run -75 nl-breaker -p 2 db works
	let_go
	wait_for 15 lines rcs 3
}

@test "--close-after probes must go well, one that does not opens it again" {
	half db
	for i in 1 2; do
		run -0 nl-breaker --close-after 3 db works
		[ "$(state db)" = half_open ]
	done
	run -0 nl-breaker --close-after 3 db works
	[ "$(state db)" = closed ]
	[ "$(field probes "$(only nl.circuit.closed)")" = 3 ]
	half x
	run -0 nl-breaker --close-after 3 x works
	run -2 nl-breaker --close-after 3 -o 1h x fails
	[ "$(state x)" = open ]
}

@test "A call that began before it opened is not counted when it ends after" {
	shut
	start nl-breaker --events ./ev@debug db lasts 3
	wait_for 5 lines ran 1
	pid0=$pid
	half db
	run -0 nl-breaker db works
	let_go
	wait "$pid0" || rc=$?
	[ "$rc" = 3 ]
	[ "$(state db)" = closed ]
	run -2 nl-breaker -f 2 db fails
	[ "$(state db)" = closed ]
	[ "$(events ev | grep -c circuit.stale)" = 1 ]
	jq -e --slurp 'any(.event == "nl.circuit.stale" and .permit_epoch < .epoch)' ev
}

# --- how long ---

@test "--open-factor lets the open time grow with each opening, --open-max caps it, a close resets it" {
	NL_EVENTS=./ev run -2 nl-breaker -f 1 -o 1ms --open-factor 3 --open-max 20ms db fails
	for i in 2 3 4; do
		NL_EVENTS=./ev run -2 nl-breaker -w 20s -f 1 -o 1ms --open-factor 3 --open-max 20ms db fails
	done
	[ "$(field open_s ev | xargs)" = "0.001000 0.003000 0.009000 0.020000" ]
	run -0 nl-breaker -w 20s db works
	NL_EVENTS=./ev run -2 nl-breaker -f 1 -o 1ms --open-factor 3 --open-max 20ms db fails
	[ "$(field open_s ev | tail -n 1)" = 0.001000 ]
}

@test "--open-jitter makes the open time longer, by a random part of it up to that" {
	for i in 1 2 3 4 5 6 7 8; do
		run -2 nl-breaker -f 1 -o 100s --open-jitter 50 "db$i" fails
	done
	[ "$(field open_s | awk '$1 < 100 || $1 > 150' | wc -l)" = 0 ]
	[ "$(field open_s | sort -u | wc -l)" -gt 1 ]
}

# --- rates and slow calls ---

@test "--rate opens by the failures among the last calls, from --min-calls on" {
	for what in works works fails; do
		run nl-breaker -r 50 --window 10 --min-calls 4 -o 1h db "$what"
	done
	[ "$(state db)" = closed ]
	run -2 nl-breaker -r 50 --window 10 --min-calls 4 -o 1h db fails
	[ "$(state db)" = open ]
	jq -e '.reason == "failure_rate" and .rate == 0.5 and .threshold == 0.5 and .failures == 2 and .calls == 4 and .window_calls == 10' \
		"$(only nl.circuit.opened)"
	NL_EVENTS=human run --separate-stderr -75 nl-breaker db works
	[[ $stderr == *": 2 of 4 calls failed, limit 50 % (exit 2 ×2)" ]]
}

@test "Calls that leave a window of calls no longer count" {
	for what in fails fails works works works fails fails; do
		run nl-breaker -r 75 --window 4 --min-calls 4 -o 1h db "$what"
	done
	[ "$(state db)" = closed ]
	run -2 nl-breaker -r 75 --window 4 --min-calls 4 -o 1h db fails
	[ "$(state db)" = open ]
}

@test "--min-calls is no more than a window of calls" {
	for i in 1 2; do
		run -2 nl-breaker -r 100 --window 3 -o 1h db fails
	done
	[ "$(state db)" = closed ]
	run -2 nl-breaker -r 100 --window 3 -o 1h db fails
	[ "$(state db)" = open ]
}

@test "The window is 100 calls and needs 10 by default" {
	for i in 1 2 3 4 5 6 7 8 9; do
		run -2 nl-breaker -r 10 -o 1h db fails
	done
	[ "$(state db)" = closed ]
	run -2 nl-breaker -r 10 -o 1h db fails
	[ "$(field window_calls)" = 100 ]
}

@test "A window of time holds the calls of that time" {
	for what in works fails works; do
		run nl-breaker -r 50 --window 1h --min-calls 4 -o 1h db "$what"
	done
	run -2 nl-breaker -r 50 --window 1h --min-calls 4 -o 1h db fails
	[ "$(state db)" = open ]
	[ "$(field window_s)" = 3600.000000 ]
	for i in 1 2 3; do
		run -2 nl-breaker -r 50 --window 200ms --min-calls 4 -o 1h x fails
	done
	later() { (($(ms) > t + 300)); }
	t=$(ms)
	wait_for 5 later
	run -2 nl-breaker -r 50 --window 200ms --min-calls 4 -o 1h x fails
	[ "$(state x)" = closed ]
}

@test "With --rate failures in a row alone do not open it, unless --failures is given too" {
	for i in 1 2 3 4 5 6; do
		run -2 nl-breaker -r 50 -o 1h db fails
		run -2 nl-breaker -r 50 -f 6 -o 1h x fails
	done
	[ "$(state db)" = closed ]
	[ "$(state x)" = open ]
	[ "$(field reason)" = consecutive ]
}

@test "--slow and --slow-rate open by calls that take too long, successes among them" {
	for i in 1 2 3; do
		run -0 nl-breaker --slow 1h --window 5 --min-calls 3 -o 1h fast works
	done
	[ "$(state fast)" = closed ]
	run -0 nl-breaker --slow 1h --slow-rate 50 --window 5 --min-calls 3 -o 1h db works
	run -0 nl-breaker --slow 1us --slow-rate 50 --window 5 --min-calls 3 -o 1h db works
	[ "$(state db)" = closed ]
	run -0 nl-breaker --slow 1us --slow-rate 50 --window 5 --min-calls 3 -o 1h db works
	[ "$(state db)" = open ]
	jq -e '.reason == "slow_rate" and .threshold == 0.5 and .failures == 0 and .calls == 3' "$(only nl.circuit.opened)"
	run -75 nl-breaker db works
}

@test "A percentage may have a fraction and a %" {
	for i in 1 2; do
		run nl-breaker -r 12.5% --window 8 --min-calls 8 -o 1h db works
	done
	for i in 1 2 3 4 5; do
		run nl-breaker -r 12.5 --window 8 --min-calls 8 -o 1h db works
	done
	run -2 nl-breaker -r 12.5 --window 8 --min-calls 8 -o 1h db fails
	[ "$(field threshold)" = 0.125000 ]
}

# --- what counts ---

@test "By default 75, 125, 126, 127 and death by SIGPIPE count as nothing" {
	for cmd in 'exit 75' 'exit 125' 'exit 126' 'exit 127' 'kill -PIPE $$'; do
		run nl-breaker -f 1 db sh -c "$cmd"
	done
	run -127 nl-breaker -f 1 db ./no-such-command
	run -126 nl-breaker -f 1 db ./
	[ "$(state db)" = closed ]
	run -124 nl-breaker -f 1 -o 1h db sh -c 'exit 124'
	[ "$(state db)" = open ]
	status_of nl-breaker -f 1 -o 1h x sh -c 'kill -TERM $$'
	[ "$(state x)" = open ]
}

@test "A call that counts as nothing gives its probe back" {
	half db
	run -127 nl-breaker db ./no-such-command
	run -75 nl-breaker db sh -c 'exit 75'
	[ "$(state db)" = half_open ]
	run -0 nl-breaker db works
	[ "$(state db)" = closed ]
}

@test "--on SET counts these as failures, and nothing else" {
	for s in 2 3 1; do
		run "-$s" nl-breaker -f 1 -o 1h --on 7,20-29 db sh -c "exit $s"
	done
	[ "$(state db)" = closed ]
	run -25 nl-breaker -f 1 -o 1h --on 7,20-29 db sh -c 'exit 25'
	[ "$(state db)" = open ]
	run -127 nl-breaker -f 1 -o 1h --on 127 x ./no-such-command
	[ "$(state x)" = open ]
}

@test "--except SET counts these as nothing: they are no success either" {
	for s in 2 5 2; do
		run "-$s" nl-breaker -f 3 -o 1h --except 5 db sh -c "exit $s"
	done
	[ "$(state db)" = closed ]
	run -2 nl-breaker -f 3 -o 1h --except 5 db fails
	[ "$(state db)" = open ]
}

@test "--ok SET counts these as success" {
	for s in 2 1 2 1 2; do
		run "-$s" nl-breaker -f 2 -o 1h --ok 0,1 db sh -c "exit $s"
	done
	[ "$(state db)" = closed ]
	half x
	run -1 nl-breaker --ok 0,1 x sh -c 'exit 1'
	[ "$(state x)" = closed ]
	told '.event == "nl.request.success" and .exit == 1'
}

@test "A limit inside is a failure" {
	for f in 1 0; do
		NL_FUSE=$f run -124 nl-breaker -f 1 -o 1h "db$f" nl-timeout 0.2 sleep 60
		[ "$(state "db$f")" = open ]
		[ "$(jq -c .errs "$(only nl.circuit.opened)" | tail -n 1)" = '{"timeout":1}' ]
	done
}

@test "A limit around it is a failure, whatever the command's status" {
	for f in 1 0; do
		export NL_FUSE=$f
		run -124 nl-timeout 0.5 nl-breaker -f 1 -o 1h "a$f" sleep 60
		[ "$(state "a$f")" = open ]
		for limit in 0.5 2 8; do # Until the trap was set in time.
			rm -f set
			run nl-timeout -p "$limit" nl-breaker -f 1 -o 1h "b$f" sh -c 'trap "exit 0" TERM; echo >set; sleep 60 & wait'
			[ ! -e set ] || break
		done
		[ "$status" = 0 ]
		[ "$(state "b$f")" = open ]
		run -124 nl-timeout 0.5 nl-retry -n 3 nl-breaker -f 1 -o 1h --except timeout,TERM "c$f" sleep 60
		[ "$(state "c$f")" = open ]
	done
	[ "$(jq -c .errs "$(only nl.circuit.opened)" | sort -u)" = '{"timeout":1}' ]
}

@test "Told to stop, a call counts as nothing and gives its probe back" {
	shut
	for f in 1 0; do
		export NL_FUSE=$f
		for sig in TERM INT HUP QUIT; do
			rm -f ran
			start nl-breaker -f 1 "db$f" nl-retry lasts
			wait_for 5 lines ran 1
			kill -s "$sig" "$pid"
			wait "$pid" || true
			[ "$(state "db$f")" = closed ]
		done
		half "x$f"
		start nl-breaker "x$f" lasts
		wait_for 5 lines ran 1
		kill "$pid"
		wait "$pid" || rc=$?
		[ "$rc" = 143 ]
		[ "$(state "x$f")" = half_open ]
		run -0 nl-breaker "x$f" works
	done
	[ "$(count nl.circuit.opened)" = 2 ]
}

@test "Ctrl-C counts as nothing" {
	pty bash -c 'nl-breaker -f 1 db deaf -o log none; echo after' <<-'EOF'
		until grep -q ready log
		send ^C
		signal 2
	EOF
	wait_for 1 no_victims
	[ "$(state db)" = closed ]
}

@test "A rejection by an inner breaker counts as nothing and gives the probe back" {
	open inner
	half outer
	for f in 1 0; do
		NL_FUSE=$f run -75 nl-breaker -f 1 outer nl-breaker inner works
		[ "$(state outer)" = half_open ]
	done
	run -0 nl-breaker outer works
	for f in 1 0; do
		NL_FUSE=$f run -75 nl-breaker -f 1 outer nl-breaker inner works
		[ "$(state outer)" = closed ]
	done
	[ "$(ran)" = 1 ]
}

@test "Two breakers in one stack count for themselves" {
	for f in 1 0; do
		NL_FUSE=$f run -2 nl-breaker -f 2 -o 1h "outer$f" nl-breaker -f 1 -o 1h "inner$f" fails
		[ "$(state "outer$f") $(state "inner$f")" = "closed open" ]
		NL_FUSE=$f run -2 nl-breaker -f 2 -o 1h "outer$f" fails
		[ "$(state "outer$f")" = open ]
	done
}

# --- rejected ---

@test "--exit-code is the status of a rejection" {
	open db
	for s in 0 1 33 255; do
		run "-$s" nl-breaker -E "$s" db works
		[ "$(field exit "$(only nl.circuit.rejected)" | tail -n 1)" = "$s" ]
	done
	[ "$(ran)" = 0 ]
	[ "$(field err | sort -u | xargs)" = "exit_2 rejected" ]
}

@test "nl-retry does not retry a rejection, and says how to" {
	for f in 1 0; do
		rm -f ran
		NL_FUSE=$f NL_EVENTS=human run --separate-stderr -75 nl-retry -n 5 -b constant:1ms nl-breaker -f 2 -o 1h "db$f" fails
		[ "$(ran)" = 2 ]
		[ "${stderr_lines[-1]}" = "nl-retry: not retried: exit 75 (rejected); --on 75 would" ]
		NL_FUSE=$f run -75 nl-retry -n 3 --on 75 -b constant:1ms nl-breaker "db$f" fails
		[ "$(jq -r 'select(.event == "nl.retry.exhausted").reason' "$NL_EVENTS" | tail -n 1)" = max_attempts ]
	done
	[ "$(count nl.circuit.rejected)" = 6 ]
}

@test "--wait waits for a probe" {
	open db -o 200ms
	run -0 nl-breaker -w 20s db works
	[ "$(ran)" = 1 ]
	[ "$(count nl.circuit.rejected)" = 0 ]
}

waits() { find "/proc/$1/fd" -lname 'anon_inode:*inotify*' 2>/dev/null | grep -q .; }

@test "--wait waits for a close, or for the next probe" {
	shut
	half db
	start nl-breaker db lasts
	probe=$pid
	wait_for 5 lines ran 1
	start nl-breaker -w 20s db works
	wait_for 5 waits "$pid"
	[ "$(ran)" = 1 ]
	let_go
	wait "$probe"
	wait "$pid"
	[ "$(ran)" = 2 ]
	shut
	rm ran
	half x
	start nl-breaker x lasts
	probe=$pid
	wait_for 5 lines ran 1
	start nl-breaker -w 20s x works
	wait_for 5 waits "$pid"
	kill -KILL "$probe"
	wait "$pid"
	[ "$(ran)" = 2 ]
	[ "$(state x)" = closed ]
}

@test "--wait ends by a rejection, by a limit around it and by a signal" {
	open db
	run -75 nl-breaker -w 50ms db works
	[ "$(count nl.circuit.rejected)" = 1 ]
	for f in 1 0; do
		NL_FUSE=$f run -124 nl-timeout 0.3 nl-breaker -w 1h db works
	done
	start nl-breaker -w 1h db works
	wait_for 5 waits "$pid"
	kill "$pid"
	wait "$pid" || rc=$?
	[ "$rc" = 143 ]
	[ "$(ran)" = 0 ]
	[ "$(state db)" = open ]
}

# --- shared ---

@test "50 failing calls of 50 open it, and 49 do not" {
	shut
	background 49 nl-breaker -f 50 -o 1h db lasts 2
	wait_for 15 lines ran 49
	let_go
	wait_for 15 lines rcs 49
	[ "$(state db)" = closed ]
	run -2 nl-breaker -f 50 -o 1h db lasts 2
	[ "$(state db)" = open ]
	[ "$(field failures "$(only nl.circuit.opened)")" = 50 ]
}

@test "50 failing calls at once open it exactly once, at the 50th" {
	shut
	background 50 nl-breaker -f 50 -o 1h db lasts 2
	wait_for 15 lines ran 50
	let_go
	wait_for 15 lines rcs 50
	[ "$(field failures "$(only nl.circuit.opened)")" = 50 ]
	[ "$(sort -u rcs)" = 2 ]
}

@test "20 parallel loops around one breaker open it once, probe it exactly --probes times, close it once" {
	shut
	# Down at first; up, but slow, when those are over that were let in before it opened.
	printf '#!/bin/sh\n[ -e up ] || exit 2\necho x >>ran\nexec flock -s gate true\n' >service
	chmod +x service
	loop() {
		until [[ -e stop || ! -e service ]]; do # Each call waits before the next, as clients do.
			nl-retry -n 20 -b constant:50ms -j none --on any nl-breaker -f 5 -o 7s -p 2 db service || true
		done
	}
	background 20 loop
	wait_for 10 grep -q circuit.opened "$NL_EVENTS"
	wait_for 6 sh -c '! pgrep -f "^/bin/sh .*/service$"'
	touch up
	rejected() { (($(grep -c '"state":"half_open","retry_after_s"' "$NL_EVENTS") >= 40)); }
	wait_for 20 rejected
	[ "$(ran)" = 2 ]
	let_go
	wait_for 15 grep -q circuit.closed "$NL_EVENTS"
	wait_for 15 lines ran 8
	touch stop
	wait_for 15 lines rcs 20
	[ "$(events | grep circuit | grep -v rejected | xargs)" = "nl.circuit.opened nl.circuit.half_open nl.circuit.closed" ]
	[ "$(field failures "$(only nl.circuit.opened)")" = 5 ]
	[ "$(state db)" = closed ]
}

@test "Callers may have thresholds of their own" {
	run -2 nl-breaker -f 9 -o 1h db fails
	run -2 nl-breaker -f 9 -o 1h db fails
	run -2 nl-breaker -f 3 -o 1h db fails
	[ "$(state db)" = open ]
	run -75 nl-breaker -f 9 db fails
}

@test "Who asks for another window or other rules than the breaker has goes by those, and says so" {
	run -2 nl-breaker -r 100 --window 2 -o 1h db fails
	[ "$(count nl.policy.conflict)" = 0 ]
	run -0 nl-breaker db works
	run -0 nl-breaker -r 100 --window 2 db works
	[ "$(count nl.policy.conflict)" = 0 ]
	run -0 nl-breaker -r 100 --window 30s db works
	jq -e '.key == "window" and .mine == "30.00 s" and .theirs == "2 calls"' "$(only nl.policy.conflict)"
	run -0 nl-breaker --semantics gobreaker db works
	jq -e --slurp '.[1].key == "semantics" and .[1].mine == "gobreaker" and .[1].theirs == "ninelives"' "$(only nl.policy.conflict)"
	run -2 nl-breaker -r 100 --window 30s -o 1h db fails
	run -2 nl-breaker -r 100 --window 30s -o 1h db fails
	[ "$(state db)" = open ]
	[ "$(field window_calls "$(only nl.circuit.opened)")" = 2 ]
}

@test "--semantics takes the rules of another library" {
	# resilience4j: the rate of a batch of probes decides, a failure among them need not.
	run -2 nl-breaker --semantics resilience4j -r 100 --window 10 --min-calls 1 -o 1us r4j fails
	for what in fails works; do
		[ "$(state r4j)" != closed ]
		run nl-breaker --semantics resilience4j -r 100 --window 10 -p 2 r4j "$what"
	done
	[ "$(state r4j)" = closed ]
	# gobreaker: as many successes in a row as there may be probes.
	run -2 nl-breaker --semantics gobreaker -f 1 -o 1us go fails
	for i in 1 2; do
		[ "$(state go)" != closed ]
		run -0 nl-breaker --semantics gobreaker -f 1 -p 2 go works
	done
	[ "$(state go)" = closed ]
	run -125 nl-breaker --semantics gobreaker -r 50 --window 10 go works
	[[ $output == *"gobreaker has windows of a time alone"* ]]
}

@test "What nl-ctl sets goes before the line, unless --pin" {
	run -2 nl-breaker -f 9 db fails
	run -0 nl-ctl set breaker/db.failures=2 breaker/db.open=1h
	run -2 nl-breaker -f 9 --pin db fails
	[ "$(state db)" = closed ]
	[ -z "$(field gen "$(only nl.request.failure)")" ]
	run -2 nl-breaker -f 9 -o 1s db fails
	[ "$(state db)" = open ]
	[ "$(field open_s)" = 3600.000000 ]
	[ "$(field gen "$(only nl.circuit.opened)")" -gt 0 ]
}

@test "A person may hold it open or closed, or switch it off" {
	run -0 nl-breaker db true
	run -0 nl-ctl open db
	run -75 nl-breaker db works
	[ "$(field retry_after_s "$(only nl.circuit.rejected)")" = '' ]
	run -0 nl-ctl disable db
	for k in 1 2 3; do
		run -2 nl-breaker -f 1 db fails
	done
	[ "$(state db)" = disabled ]
	run -0 nl-ctl close --force db
	run -2 nl-breaker -f 1 db fails
	[ "$(state db)" = forced_closed ]
	run -0 nl-ctl reset db
	[ "$(state db)" = closed ]
	run -2 nl-breaker -f 1 -o 1h db fails
	[ "$(state db)" = open ]
}

# --- trouble, hooks, options ---

@test "--on-state-error says what to do when state cannot be used" {
	echo >file
	run -0 nl-breaker --state "$PWD/file" db works
	run -2 nl-breaker --state "$PWD/file" --on-state-error run db fails
	run --separate-stderr -125 nl-breaker --state "$PWD/file" --on-state-error fail db works
	[[ $stderr == "nl-breaker: "*"file"*"--on-state-error=run would run the command"* ]]
	[ "$(ran)" = 2 ]
	[ "$(count nl.state.degraded)" = 3 ]
	told '.event == "nl.request.failure" and .exit == 125 and .err == "spawn"'
}

@test "A record that is none is moved aside, and the next call counts in a fresh one" {
	open db
	head -c 4096 /dev/urandom >"$NL_STATE/breaker/db"
	run -0 nl-breaker -f 1 db works
	[ "$(field reason "$(only nl.state.degraded)")" = corrupt ]
	run -2 nl-breaker -f 1 -o 1h db fails
	[ "$(state db)" = open ]
}

@test "--on-change tells of each change, and changes no status" {
	hook='echo "$NL_BREAKER $NL_FROM $NL_TO $NL_WHY" >>log; echo out; exit 9'
	run --separate-stderr -2 nl-breaker -f 1 -o 1us --on-change "$hook" db fails
	[ -z "$output" ]
	[[ $stderr == *out* ]]
	run -0 nl-breaker --on-change "$hook" db works
	run -0 nl-breaker --on-change "$hook" db works
	cat log
	[ "$(sed -n 1p log)" = "db closed open 1 failure (exit 2 ×1)" ]
	[ "$(sed -n 2p log)" = "db open half_open 1 failure (exit 2 ×1)" ]
	[ "$(sed -n 3p log)" = "db half_open closed " ]
	[ "$(grep -c . log)" = 3 ]
}

@test "--on-change runs with the record free for others" {
	run -2 nl-breaker -f 1 -o 1h --on-change 'nl-breaker db works; echo $? >inner' db fails
	[ "$(cat inner)" = 75 ]
}

@test "NAME is an operand: --name is an error, and so is what is no name" {
	run --separate-stderr -125 nl-breaker --name x db works
	[ "$stderr" = "nl-breaker: --name: NAME is an operand here" ]
	for name in '' . .. .x a/b ../x /x -x 'a b' $'a\nb' "$(printf %065d 0)"; do
		run -125 nl-breaker -- "$name" works
	done
	run -0 nl-breaker "$(printf %064d 0)" works
	run -0 nl-breaker A.b_c-1 works
	run -125 nl-breaker
	run -125 nl-breaker db
	[ "$(ran)" = 2 ]
}

@test "Values that cannot be are usage errors, and nothing runs" {
	while read -r line; do
		st=0
		# shellcheck disable=SC2086
		nl-breaker $line db works 2>err || st=$?
		[ "$st" = 125 ]
		[[ $(<err) == "nl-breaker: --"* ]]
	done <<-'EOF'
		-f 0
		-f x
		-r 0
		-r 101
		-r x
		--rate 50 --window 0
		--rate 50 --window 1001
		--rate 50 --window 25h
		--window 10
		--min-calls 3
		--rate 50 --min-calls 0
		--slow-rate 50
		--slow x
		-o 0
		-o nan
		--open-factor 0.5
		--open-factor x
		--open-max -1
		--open-jitter 101
		-p 0
		-p 1001
		--close-after 0
		--on 256
		--except x
		--ok x
		-w x
		-E 256
		-E x
		--on-state-error x
		--semantics x
		--simulate
	EOF
	[ "$(ran)" = 0 ]
	[ ! -e "$NL_STATE/breaker" ]
}

@test "Events of a stack tell the breaker's call as any other" {
	run -2 nl-retry -n 1 nl-breaker db nl-timeout 9 fails
	[ "$(jq -r 'select(.event == "nl.request.failure") | "\(.kind) \(.policy) \(.depth)"' "$NL_EVENTS" | xargs)" = "timeout fails 2 breaker db 1 retry fails 0" ]
}

@test "An open breaker rejects with one read, no lock and no lock file open" {
	static_only
	open db
	NL_EVENTS=off strace -f -o log nl-breaker db works || [ $? = 75 ]
	[ "$(grep -c 'pread64(.*4097' log)" = 1 ]
	run ! grep -E 'F_OFD_SETLK|\.db\.lock|vfork|clone' log
}

@test "A breaker's requests and changes say in which order its record was changed, so that they can be replayed" {
	export NL_EVENTS=$PWD/ev
	nl-breaker -f2 -o 3600s db true
	run -1 nl-breaker -f2 -o 3600s db false
	nl-breaker -f2 -o 3600s db true
	run -1 nl-breaker -f2 -o 3600s db false
	run -1 nl-breaker -f2 -o 3600s db false
	run -75 nl-breaker -f2 -o 3600s db true
	nl-ctl close db
	run jq -r 'select(.event != "nl.run.ended" and .kind == "breaker" and .event != "nl.circuit.rejected")
		| [.event, .counted, .step, .at_step, .permit, .cfg] | map(. // "-") | join(" ")' ev
	[ "$output" = "nl.request.success success - 0 1 -
nl.request.failure failure 1 - 1 failures=2 open=3600s
nl.request.success success 2 - 1 failures=2 open=3600s
nl.request.failure failure 3 - 1 failures=2 open=3600s
nl.circuit.opened - 4 - - failures=2 open=3600s
nl.request.failure failure 4 - 1 failures=2 open=3600s
nl.request.failure - - - - -
nl.circuit.closed - 5 - - -" ]
	jq -se '[.[] | select(.at_us).at_us] | . == sort and all(. > 0)' ev
}
