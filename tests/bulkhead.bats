#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# nl-bulkhead(1), sentence by sentence: who is admitted, in which order, and
# that a slot is free again whatever becomes of whom.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154  # text for inner shells; variables of helper.bash
bats_require_minimum_version 1.5.0
load helper

case ${BATS_TEST_NAME-} in *thousand*) export BATS_TEST_TIMEOUT=120 ;; esac

# hold N NL-BULKHEAD-ARGS: command N runs until let_go N; its wrapper is ${pids[N]}.
hold() {
	local n=$1

	shift
	mkfifo "go.$n"
	start nl-bulkhead "$@" sh -c 'echo $$ >in.'"$n; read -r _ <go.$n"
	pids[n]=$pid
	wait_for 10 test -s "in.$n"
}

let_go() {
	echo >"go.$1"
	wait "${pids[$1]}"
}

# kills N SIGNAL: no word of it from bash.
kills() {
	kill "-$2" "$1"
	wait "$1"
} 2>/dev/null

# Locked bytes of NAME's file from FIRST on.
locked() {
	[ -e "$NL_STATE/bulkhead/.$1.lock" ] || { echo 0; return; }
	awk -v ino=":$(stat -c %i "$NL_STATE/bulkhead/.$1.lock")" -v first="$2" '
		$2 == "OFDLCK" && $4 == "WRITE" && substr($6, length($6) - length(ino) + 1) == ino && $7 >= first { n++ }
		END { print n + 0 }' /proc/locks
}
tickets() { locked "$1" 4294967296; }
has_tickets() { [ "$(tickets "$1")" -eq "$2" ]; }

# queue N NL-BULKHEAD-ARGS (the name last): waits for its turn, then writes N into `order`.
queue() {
	local n=$1 name=${!#} before

	shift
	before=$(tickets "$name")
	start nl-bulkhead -w inf "$@" sh -c "echo $n >>order"
	pids[n]=$pid
	wait_for 10 has_tickets "$name" $((before + 1))
}

reasons() { sed -n 's/.*"event":"nl.state.degraded".*"reason":"\([^"]*\)".*/\1/p' "$NL_EVENTS"; }
need_root() { ((EUID == 0)) || skip "needs root"; }

# Most at once of a file of S and E lines.
most() { awk '/^S/ { if (++n > most) most = n } /^E/ { n-- } END { print most + 0 }' "$1"; }

teardown() {
	[ -z "${place-}" ] || rm -rf "$place"
	[ -z "${regular-}" ] || echo "$regular" >/proc/sys/fs/protected_regular
	nl_teardown
}

@test "At most --max commands run at once, whoever started them" {
	for ((i = 0; i < 16; i++)); do
		sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do nl-bulkhead -m 2 -w inf x sh -c "echo S >>log; echo E >>log" || exit; done' 3>&- &
		many+=($!)
	done
	wait "${many[@]}"
	[ "$(grep -c S log)" = 192 ]
	[ "$(grep -c E log)" = 192 ]
	[ "$(most log)" -le 2 ]
}

@test "Without --wait a call that finds no slot is rejected at once with status 75 and runs nothing" {
	hold 1 -m 2 x
	hold 2 -m 2 x
	: >"$NL_EVENTS"
	run nl-bulkhead -m 2 x touch ran
	[ "$status" -eq 75 ]
	[ ! -e ran ]
	[ "$(events | grep -c bulkhead.rejected)" = 1 ]
	[ "$(field active) $(field max) $(field queued) $(field reason)" = "2 2 0 saturated" ]
	grep -q '"event":"nl.request.failure".*"exit":75,"err":"rejected"' "$NL_EVENTS"
	run --separate-stderr env NL_EVENTS=human nl-bulkhead -m 2 x true
	[ "${stderr_lines[0]}" = "nl-bulkhead: x is full: 2 of 2, 0 waiting" ]
	let_go 1
	nl-bulkhead -m 2 x true
	let_go 2
}

@test "One command runs at once by default" {
	hold 1 x
	run nl-bulkhead x true
	[ "$status" -eq 75 ]
	run nl-bulkhead other true
	[ "$status" -eq 0 ]
	let_go 1
	nl-bulkhead x true
}

@test "--exit-code changes the status of a rejection" {
	hold 1 x
	for n in 0 1 255; do
		run nl-bulkhead -E "$n" x touch ran
		[ "$status" -eq "$n" ]
	done
	run nl-bulkhead --exit-code=9 -w 0.01 x touch ran
	[ "$status" -eq 9 ]
	grep -q '"event":"nl.request.failure".*"exit":9,"err":"rejected"' "$NL_EVENTS"
	[ ! -e ran ]
	let_go 1
	for n in 256 -1 x ''; do
		run nl-bulkhead -E "$n" x true
		[ "$status" -eq 125 ]
	done
}

@test "--wait waits up to DURATION for a slot" {
	hold 1 x
	: >"$NL_EVENTS"
	t=${EPOCHREALTIME/./}
	run nl-bulkhead -w 300ms x touch ran
	t=$((${EPOCHREALTIME/./} - t))
	[ "$status" -eq 75 ]
	[ ! -e ran ]
	[ "$t" -ge 300000 ]
	[ "$t" -lt 3000000 ]
	[ "$(field reason)" = timeout ]
	[[ $(field waited_s) =~ ^0\.[3-9] ]]
	queue 2 -w 60 x
	let_go 1
	wait "${pids[2]}"
	[ "$(cat order)" = 2 ]
}

@test "--wait 0 does not wait" {
	hold 1 x
	: >"$NL_EVENTS"
	run nl-bulkhead -q 5 -w 0 x true
	[ "$status" -eq 75 ]
	[ "$(field reason)" = saturated ]
	let_go 1
}

@test "Who waits is served in order of arrival" {
	hold 1 x
	for n in 2 3 4 5 6 7 8 9; do
		queue $n x
	done
	let_go 1
	wait "${pids[@]:2}"
	[ "$(tr '\n' ' ' <order)" = "2 3 4 5 6 7 8 9 " ]
}

@test "Who arrives cannot be overtaken, however slow it is" {
	hold 1 x
	next() { od -An -t u8 -j 928 -N 8 "$NL_STATE/bulkhead/x" | tr -d ' '; }
	one() { [ "$(next)" = 1 ]; }
	start strace -qq -o trace -e trace=fcntl -e inject=fcntl:delay_enter=100000 nl-bulkhead -w inf x sh -c 'echo 2 >>order'
	slow=$pid
	wait_for 20 one
	queue 3 x
	wait_for 20 has_tickets x 2
	let_go 1
	wait "$slow" "${pids[3]}"
	[ "$(tr '\n' ' ' <order)" = "2 3 " ]
}

@test "A new call never overtakes one that waits" {
	hold 1 x
	queue 2 x
	kill -STOP "${pids[2]}"
	let_go 1
	run nl-bulkhead x true                 # The slot is free, but not for us.
	[ "$status" -eq 75 ]
	run nl-bulkhead -w 0.05 x true
	[ "$status" -eq 75 ]
	kill -CONT "${pids[2]}"
	wait "${pids[2]}"
	nl-bulkhead x true
}

@test "--queue rejects whoever would wait behind N others, and without --wait it waits without limit" {
	hold 1 x
	start nl-bulkhead -q 2 x touch two
	two=$pid
	wait_for 5 has_tickets x 1
	start nl-bulkhead -q 2 x touch three
	three=$pid
	wait_for 5 has_tickets x 2
	: >"$NL_EVENTS"
	run nl-bulkhead -q 2 x touch four
	[ "$status" -eq 75 ]
	[ "$(field reason) $(field queued)" = "queue_full 2" ]
	run nl-bulkhead -q 2 -w inf x touch four
	[ "$status" -eq 75 ]
	start nl-bulkhead -q 3 x touch four
	wait_for 5 has_tickets x 3
	[ ! -e four ]
	let_go 1
	wait "$two" "$three" "$pid"
	[ -e two ]
	[ -e three ]
	[ -e four ]
}

@test "Of ten calls at once through five slots no more than five run and the rest is rejected" {
	for ((i = 0; i < 10; i++)); do
		nl-bulkhead -m 5 x sh -c 'echo S >>log; until [ -e go ]; do sleep 0.01; done; echo E >>log' 3>&- &
		ten+=($!)
	done
	# Five are in; the others have ended.
	wait_for 10 sh -c '[ "$(wc -l <log)" -ge 5 ] && [ "$(grep -c bulkhead.rejected "$NL_EVENTS")" -ge 5 ]'
	touch go
	ok=0 rejected=0
	for p in "${ten[@]}"; do
		st=0
		wait "$p" || st=$?
		case $st in 0) ok=$((ok + 1)) ;; 75) rejected=$((rejected + 1)) ;; esac
	done
	[ "$ok $rejected" = "5 5" ]
	[ "$(most log)" = 5 ]
}

@test "A slot is free again after a success, a failure, and a command that cannot be run" {
	nl-bulkhead x true
	run nl-bulkhead x sh -c 'exit 7'
	[ "$status" -eq 7 ]
	run -127 nl-bulkhead x /no/such/command
	run nl-bulkhead x /
	[ "$status" -eq 126 ]
	run nl-bulkhead x sh -c 'kill -KILL $$'
	[ "$status" -eq 137 ]
	nl-bulkhead x true
	[ "$(locked x 0)" = 0 ]
}

@test "--max inf is 1000, and more or 0 is an error" {
	for n in 0 1001 -1 x 99999999999; do
		run nl-bulkhead -m "$n" x true
		[ "$status" -eq 125 ]
	done
	mkfifo go
	for ((i = 0; i < 100; i++)); do
		nl-bulkhead -m inf x sh -c 'echo S >>log; read -r _ <go; :' 3>&- &
		hundred+=($!)
	done
	wait_for 15 sh -c '[ -e log ] && [ "$(wc -l <log)" -eq 100 ]'
	[ "$(locked x 1000)" = 100 ]
	run nl-bulkhead -m 100 x true
	[ "$status" -eq 75 ]
	nl-bulkhead -m 1000 x true
	: >go
	wait "${hundred[@]}"
	[ "$(locked x 1000)" = 0 ]
}

@test "When --max is lowered while commands run, nobody is stopped and nobody is admitted until fewer run" {
	for n in 1 2 3; do
		hold $n -m 3 x
	done
	nl-ctl set bulkhead/x.max=1
	run nl-bulkhead -m 3 x true
	[ "$status" -eq 75 ]
	queue 4 -m 3 x
	# Those who hold a slot go one by one; with the last but one none is free yet.
	let_go 1
	wait_for 5 sh -c "ls -l /proc/${pids[4]}/fd | grep -q inotify"
	run nl-bulkhead -m 3 x true
	[ "$status" -eq 75 ]
	let_go 2
	run nl-bulkhead -m 3 --pin x true       # Somebody waits.
	[ "$status" -eq 75 ]
	[ "$(tickets x)" = 1 ]
	alive "${pids[3]}" "$(cat in.3)"
	[ ! -e order ]
	let_go 3
	wait "${pids[4]}"
	[ "$(cat order)" = 4 ]
	[ "$(field max | tr "\n" " ")" = "1 1 3 " ]
}

@test "When --max is raised who waits is admitted at once" {
	hold 1 x
	queue 2 x
	queue 3 x
	t=${EPOCHREALTIME/./}
	nl-ctl set bulkhead/x.max=2
	wait "${pids[2]}" "${pids[3]}"
	[ $((${EPOCHREALTIME/./} - t)) -lt 5000000 ]
	[ "$(tr '\n' ' ' <order)" = "2 3 " ]
	alive "${pids[1]}"
	nl-bulkhead -m 1 x true         # Nor does a line of its own keep it out,
	run nl-bulkhead -m 1 --pin x true       # unless it is to count.
	[ "$status" -eq 75 ]
	nl-ctl unset bulkhead/x.max
	run nl-bulkhead x true
	[ "$status" -eq 75 ]
	let_go 1
}

@test "--wait and --queue can be changed while others run, and --pin keeps to the line" {
	hold 1 x
	nl-ctl set bulkhead/x.wait=50ms
	: >"$NL_EVENTS"
	run nl-bulkhead x true
	[ "$status" -eq 75 ]
	[ "$(field reason) $(field gen | sort -u)" = "timeout 1" ]
	run nl-bulkhead --pin x true
	[ "$(field reason | tail -n 1)" = saturated ]
	nl-ctl set bulkhead/x.wait=inf bulkhead/x.queue=1
	start nl-bulkhead x true
	wait_for 5 has_tickets x 1
	run nl-bulkhead -q 9 x true
	[ "$status" -eq 75 ]
	[ "$(field reason | tail -n 1)" = queue_full ]
	let_go 1
	wait "$pid"
}

@test "Each call goes by its own --max" {
	hold 1 -m 3 x
	hold 2 -m 3 x
	run nl-bulkhead -m 2 x true
	[ "$status" -eq 75 ]
	hold 3 -m 3 x
	let_go 1
	run nl-bulkhead -m 2 x true     # The first slot is free, but two are held.
	[ "$status" -eq 75 ]
	nl-bulkhead -m 3 x true
	let_go 2
	nl-bulkhead -m 2 x true
	let_go 3
}

@test "A slot counts wherever it is, and in whatever order it was taken" {
	for n in 1 2 3 4; do
		hold $n -m 4 x
	done
	let_go 1
	let_go 2
	hold 5 -m 4 x           # The first slot, locked later than those behind it.
	run nl-bulkhead -m 3 x true
	[ "$status" -eq 75 ]
	let_go 3
	let_go 4
	let_go 5
}

@test "NAME has up to 64 letters, digits, dots, lines and dashes, and is an operand" {
	rm -rf "$NL_STATE"
	for n in ../x /x . .. '' a/b $'a\nb' "$(printf '%065d' 1)" .x -x; do
		run nl-bulkhead -- "$n" true
		[ "$status" -eq 125 ]
	done
	run nl-bulkhead
	[ "$status" -eq 125 ]
	[[ $output == *"missing NAME"* ]]
	run nl-bulkhead x
	[ "$status" -eq 125 ]
	run nl-bulkhead --name x true
	[ "$status" -eq 125 ]
	[[ $output == *"--name: NAME is an operand here"* ]]
	[ ! -e "$NL_STATE" ]
	nl-bulkhead -- a.B-c_9 true
}

@test "TERM, INT, HUP or QUIT to one who waits ends it at once by that signal, and nobody behind it waits longer" {
	hold 1 x
	queue 2 x
	n=3
	for sig in TERM INT HUP QUIT; do
		start died how.$sig nl-bulkhead -w inf x touch ran
		died=$pid
		wait_for 5 has_tickets x 2
		queue $n x
		t=${EPOCHREALTIME/./}
		kill -$sig "$(cat how.$sig.pid)"
		wait "$died" || :
		wait_for 5 test -s how.$sig
		[ $((${EPOCHREALTIME/./} - t)) -lt 1000000 ]
		[[ $(cat how.$sig) == signal\ * ]]
		[ "$(tickets x)" = 2 ]
		kills "${pids[n]}" TERM || :
		wait_for 5 has_tickets x 1
	done
	[ ! -e ran ]
	[ "$(field reason | sort -u)" = stopped ]
	queue 3 x
	queue 4 x
	kills "${pids[2]}" TERM || :        # The first in line.
	wait_for 5 has_tickets x 2
	let_go 1
	wait "${pids[3]}" "${pids[4]}"
	[ "$(tr '\n' ' ' <order)" = "3 4 " ]
}

@test "SIGKILL of one who waits, wherever in the queue, leaves the order of the others as it is" {
	hold 1 x
	for n in 2 3 4 5 6 7; do
		queue $n x
	done
	for n in 2 4 5; do              # The first, and two in the middle.
		kills "${pids[n]}" KILL || :
	done
	[ "$(tickets x)" = 3 ]
	# The first in line alone watches; whoever lost its predecessor waits on.
	wait_for 5 sh -c "ls -l /proc/${pids[3]}/fd | grep -q inotify"
	run ! sh -c "ls -l /proc/${pids[6]}/fd /proc/${pids[7]}/fd | grep inotify"
	let_go 1
	wait "${pids[3]}" "${pids[6]}" "${pids[7]}"
	[ "$(tr '\n' ' ' <order)" = "3 6 7 " ]
}

@test "When nl-bulkhead is killed its slot is free as soon as its command is gone" {
	hold 1 x
	queue 2 x
	kills "${pids[1]}" KILL || :
	wait_for 5 gone in.1
	wait "${pids[2]}"
	[ "$(cat order)" = 2 ]
}

@test "When nl-bulkhead is killed and something of its command lives on, the slot is still in use" {
	mkfifo go
	start nl-bulkhead x sh -c 'sh -c "echo \$\$ >in; read -r _ <go" & wait'
	wait_for 5 test -s in
	kills "$pid" KILL || :
	run nl-bulkhead x true
	[ "$status" -eq 75 ]
	run nl-bulkhead -w 0.1 x true
	[ "$status" -eq 75 ]
	queue 2 x
	echo >go
	wait "${pids[2]}"
	nl-bulkhead x true
}

@test "SIGKILL of the command alone gives the slot back and is the status" {
	hold 1 x
	queue 2 x
	kill -KILL "$(cat in.1)"
	st=0
	wait "${pids[1]}" || st=$?
	[ "$st" = 137 ]
	wait "${pids[2]}"
}

@test "The slot is given back when the command ends, although something that it started runs on" {
	m=$(victim)
	nl-bulkhead x sh -c "sleep $m >/dev/null 2>&1 &"
	nl-bulkhead x true
	nl-bulkhead --release command x sh -c "sleep $m >/dev/null 2>&1 &"
	nl-bulkhead x true
	pkill -f "^sleep $m"
	wait_for 5 gone "$m"
}

@test "--release tree gives the slot back when the last process that has inherited it has ended" {
	mkfifo go
	nl-bulkhead --release tree x sh -c 'sh -c "echo \$\$ >in; read -r _ <go" >/dev/null 2>&1 &'
	wait_for 5 test -s in
	run nl-bulkhead x true
	[ "$status" -eq 75 ]
	queue 2 x
	echo >go
	wait "${pids[2]}"
	nl-bulkhead --release=tree x true
	nl-bulkhead x true
	run nl-bulkhead --release other x true
	[ "$status" -eq 125 ]
}

@test "The command inherits its slot as one descriptor, 200 or higher where that many are allowed" {
	run nl-bulkhead x sh -c 'readlink /proc/$$/fd/200; ls /proc/$$/fd'
	[ "${lines[0]}" = "$NL_STATE/bulkhead/.x.lock" ]
	mine=$(printf '%s\n' "${lines[@]:1}" | grep -vx 200)
	[ "$mine" = "$(sh -c 'ls /proc/$$/fd')" ]
	for n in 16 12 10; do
		run bash -c "exec 3>&- 4>&-; ulimit -n $n; exec nl-bulkhead x sh -c 'echo runs; nl-bulkhead x true || echo \$?'"
		[ "$status" -eq 0 ]
		[ "$output" = $'runs\n75' ]
	done
}

@test "One who waits makes do with 16 descriptors" {
	hold 1 x
	start bash -c 'ulimit -n 16; exec nl-bulkhead -w inf x touch ran'
	wait_for 5 has_tickets x 1
	let_go 1
	wait "$pid"
	[ -e ran ]
}

@test "A command that scribbles on its slot's descriptor or closes it harms nobody else's" {
	hold 1 -m 2 x
	nl-bulkhead -m 2 x bash -c 'echo junk >&200; exec 200>&-'
	[ -z "$(reasons)" ]
	run nl-bulkhead x true
	[ "$status" -eq 75 ]
	nl-bulkhead -m 2 x true
	let_go 1
	nl-bulkhead x true
	[ -z "$(reasons)" ]
}

@test "A release in the middle of a retry wakes who waits, at once" {
	start nl-retry -n 2 -b constant:60s -j none nl-bulkhead x sh -c 'echo >in; until [ -e go ]; do sleep 0.01; done; exit 1'
	retry=$pid
	wait_for 5 test -s in
	queue 2 x
	touch go
	t=${EPOCHREALTIME/./}
	wait "${pids[2]}"
	[ $((${EPOCHREALTIME/./} - t)) -lt 5000000 ]
	kills "$retry" TERM || :
}

@test "A slot that is given back while the first in line is about to watch is not missed" {
	hold 1 x
	# It looks, and 600 ms pass before it can watch.
	start strace -qq -o trace -e trace=inotify_init1 -e inject=inotify_init1:delay_enter=600000 nl-bulkhead -w 10 x touch ran
	wait_for 5 has_tickets x 1
	let_go 1
	wait "$pid"
	[ -e ran ]
	grep -q inotify_init1 trace
}

@test "Where no more can be watched the first in line looks now and then" {
	hold 1 x
	start strace -qq -o trace -e trace=inotify_init1 -e inject=inotify_init1:error=EMFILE nl-bulkhead -w inf x touch ran
	wait_for 5 has_tickets x 1
	let_go 1
	wait "$pid"
	[ -e ran ]
	grep -q EMFILE trace
}

@test "Where the kernel cannot wait for a ticket it is asked for now and then" {
	hold 1 x
	queue 2 x
	start strace -qq -o trace -e trace=timer_create -e inject=timer_create:error=EAGAIN nl-bulkhead -w inf x sh -c 'echo 3 >>order'
	wait_for 5 has_tickets x 2
	wait_for 5 grep -q EAGAIN trace
	let_go 1
	wait "${pids[2]}" "$pid"
	[ "$(tr '\n' ' ' <order)" = "2 3 " ]
	[ "$(wc -l <trace)" -lt 1000 ]
}

@test "Who waits sleeps" {
	hold 1 x
	queue 2 x
	queue 3 x
	wait_for 5 sh -c "ls -l /proc/${pids[2]}/fd | grep -q inotify"
	wakes() { awk '/^(non)?voluntary_ctxt/ { n += $2 } END { print n }' /proc/"${pids[2]}"/status /proc/"${pids[3]}"/status; }
	before=$(wakes)
	nl-timeout 1 sleep 60 || :
	[ "$(($(wakes) - before))" -le 1 ]
	let_go 1
	wait "${pids[2]}" "${pids[3]}"
}

@test "A bulkhead needs its state: without it nothing is run, the status is 125, and the message says what to do" {
	chmod 777 "$NL_STATE"
	run --separate-stderr nl-bulkhead x touch ran
	[ "$status" -eq 125 ]
	[ ! -e ran ]
	[[ $stderr == *"$NL_STATE"*"nothing was run"*"--state or NL_STATE"*"--on-state-error=run"* ]]
	[ "$(reasons)" = unsafe ]
	run nl-bulkhead --on-state-error fail x touch ran
	[ "$status" -eq 125 ]
	run nl-bulkhead --on-state-error run x sh -c 'exit 3'
	[ "$status" -eq 3 ]
	mkdir -m 700 other
	nl-bulkhead --state "$PWD/other" x touch ran
	[ -e ran ]
	[ -e other/bulkhead/x ]
}

@test "A slot that is held and a place in the queue count although the record is damaged, removed or replaced" {
	hold 1 x
	record=$NL_STATE/bulkhead/x
	cp -p "$record" other
	for damage in 'printf junk >"$record"' 'truncate -s 0 "$record"' 'truncate -s 8192 "$record"'; do
		eval "$damage"
		run nl-bulkhead -m 2 x touch ran
		[ "$status" -eq 125 ]
		run nl-bulkhead x touch ran
		[ "$status" -eq 75 ]
	done
	queue 2 x
	for damage in 'rm "$record"' 'rm "$record"; cp -p other "$record"'; do
		eval "$damage"
		run nl-bulkhead -m 2 x touch ran        # Somebody waits.
		[ "$status" -eq 75 ]
	done
	[ ! -e ran ]
	queue 3 x
	let_go 1
	wait "${pids[2]}" "${pids[3]}"
	[ "$(tr '\n' ' ' <order)" = "2 3 " ]
}

@test "When the lock file of a bulkhead in use is replaced, one call is refused, and all who used it say so" {
	hold 1 x
	queue 2 x
	queue 3 x
	: >"$NL_EVENTS"
	rm "$NL_STATE/bulkhead/.x.lock"
	run --separate-stderr nl-bulkhead x touch ran
	[ "$status" -eq 125 ]
	[[ $stderr == *"lock file was replaced"*"call again"* ]]
	[ ! -e ran ]
	nl-bulkhead x true
	for n in 2 3; do
		st=0
		wait "${pids[n]}" || st=$?
		[ "$st" = 125 ]
	done
	[ ! -e order ]
	let_go 1
	[ "$(reasons | sort | uniq -c | tr -s ' ')" = " 4 replaced" ]
	: >"$NL_EVENTS"
	nl-bulkhead x true
	[ -z "$(reasons)" ]
}

@test "A limit of the size of files is no reason to stop" {
	run bash -c 'ulimit -f 0; exec nl-bulkhead x true'
	[ "$status" -eq 125 ]
	nl-bulkhead x true
	run bash -c 'ulimit -f 0; exec nl-bulkhead --on-state-error run x sh -c "exit 3"'
	[ "$status" -eq 3 ]
	nl-bulkhead x true
}

@test "A slot that one user holds is in use for all others of the group, whatever their umask" {
	need_root
	place=$(mktemp -d)
	chmod 755 "$place"
	cp "$NL_BIN"/nl-bulkhead "$NL_AID/true0" "$place"
	mkdir "$place/state"
	chgrp games "$place/state"
	chmod 2770 "$place/state"
	if [ -w /proc/sys/fs/protected_regular ]; then
		regular=$(</proc/sys/fs/protected_regular)
		echo 2 >/proc/sys/fs/protected_regular
	fi
	export NL_STATE=$place/state
	member() { (umask 077; exec setpriv --reuid "$1" --regid nogroup --groups games env NL_EVENTS=off "$place/nl-bulkhead" "${@:2}"); }
	mkfifo -m 666 "$place/go"
	member nobody x sh -c 'read -r _ <"$1"' sh "$place/go" 3>&- &
	pids[1]=$!
	wait_for 5 sh -c "[ -e '$NL_STATE/bulkhead/x' ]"
	wait_for 5 sh -c "grep -q 'OFDLCK.*:$(stat -c %i "$NL_STATE/bulkhead/.x.lock") 1000 1000' /proc/locks"
	for user in daemon root nobody; do
		run member $user x "$place/true0"
		[ "$status" -eq 75 ]
		run member $user -w 0.05 x "$place/true0"
		[ "$status" -eq 75 ]
	done
	member daemon -w inf x "$place/true0" 3>&- &
	pids[2]=$!
	wait_for 5 has_tickets x 1
	echo >"$place/go"
	wait "${pids[1]}" "${pids[2]}"
	member daemon x "$place/true0"
	member root x "$place/true0"
}

@test "Events tell who got a slot, after which wait, and for how long" {
	export NL_EVENTS=$NL_EVENTS@debug
	hold 1 -m 2 x
	export NL_EVENTS=${NL_EVENTS%@debug}
	grep -q '"nl.bulkhead.acquired".*"active":1,"max":2,"queued":0,"waited_s":0.[0-9]*,"slot":0' "$NL_EVENTS"
	let_go 1
	grep -q '"nl.bulkhead.released".*"active":0,"max":2,"held_s":[0-9.]*,"slot":0' "$NL_EVENTS"
	[ "$(grep -c '"event":"nl.request.success".*"policy":"x","kind":"bulkhead"' "$NL_EVENTS")" = 1 ]
}

@test "Whoever is told to stop while it runs its command hands the signal on and gives the slot back" {
	start died how nl-bulkhead x sh -c 'trap "exit 9" TERM; echo >in; while :; do sleep 0.01; done'
	wait_for 5 test -s in
	kill -TERM "$(cat how.pid)"
	wait "$pid" || :
	[ "$(cat how)" = "exit 9" ]
	nl-bulkhead x true
}

@test "Through more than one bulkhead a command needs a slot of each" {
	hold 1 y
	run nl-bulkhead x nl-bulkhead y true
	[ "$status" -eq 75 ]
	NL_FUSE=0 run nl-bulkhead x nl-bulkhead y true
	[ "$status" -eq 75 ]
	let_go 1
	nl-bulkhead x nl-bulkhead y true
	run nl-bulkhead x nl-bulkhead x true
	[ "$status" -eq 75 ]
}

@test "A slot that is given back is taken within milliseconds" {
	for ((i = 0; i < 15; i++)); do
		nl-bulkhead -w inf x bash -c 'echo S $EPOCHREALTIME >>log; until [ -e go.'$i' ]; do sleep 0.005; done; echo E $EPOCHREALTIME >>log' 3>&- &
		all+=($!)
	done
	for ((i = 0; i < 15; i++)); do
		touch go.$i
	done
	wait "${all[@]}"
	awk '{ t = $2 * 1000 } /^E/ { end = t } /^S/ && end { print t - end }' log | sort -n >gaps
	cat gaps
	[ "$(wc -l <gaps)" = 14 ]
	# Starting bash included.
	[ "$(sed -n 7p gaps | cut -d. -f1)" -lt 100 ]
}

@test "A thousand wait: they are served in order, and each wakes three times on its way" {
	hold 1 x
	start crowd 1000 "$NL_STATE/bulkhead/x" ready env NL_EVENTS=off nl-bulkhead -w inf x crowd mark "$PWD/ready.log" % >said
	crowd=$pid
	wait_for 100 test -e ready
	[ "$(tickets x)" = 1000 ]
	let_go 1
	wait "$crowd"
	cat said
	read -r _ admitted _ inversions _ median mean _ _ failed <said
	[ "$admitted $inversions $failed" = "1000 0 0" ]
	# One who does not wait sleeps twice: it is started, and it starts its command.
	[ "$median" -le 5 ]
	[ "${mean%.*}" -lt 5 ]
}
