#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# nl-bulkhead called as flock is flock(1) of util-linux 2.38 on the same locks:
# its peer is the one that is installed.  ./ours/flock is ours.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154  # text for inner shells; variables of helper.bash
bats_require_minimum_version 1.5.0
load helper

setup() {
	nl_setup
	peer=$(PATH=/usr/bin:/bin command -v flock) || skip "no flock(1) to compare with"
	mkdir ours
	ln -s "$NL_BIN/nl-bulkhead" ours/flock
	ours=$PWD/ours/flock
}

# hold FLOCK ARG...: holds a lock until go is written; its pid is $pid.
hold() {
	[ -e go ] || mkfifo go
	rm -f in
	start "$@" sh -c 'echo $$ >in; read -r _ <go'
	wait_for 5 test -s in
}
let_go() {
	echo >go
	wait "$pid"
}

# blocked FILE N: N wait for a lock of it.
blocked() {
	[ "$(awk -v ino=":$(stat -c %i "$1")" '$2 == "->" && substr($7, length($7) - length(ino) + 1) == ino { n++ }
		END { print n + 0 }' /proc/locks)" -eq "$2" ]
}

# Each line of stdin is a command line: prints those in which ours does not say
# and end as the peer does, but for its path and times, in a shell without bats.
# (With -F and --verbose the peer loses its lines: it does not flush them.)
differing() {
	cat >differing.sh <<-'EOF'
		say() {
			st=0
			"$@" >said 2>&1 <&- || st=$?
			sed "s,^$(dirname "$1")/,,; s,getting lock took [0-9.]*,getting lock took T," said
			echo "status $st"
		}
		while read -r line; do
			eval "set -- $line"
			theirs=$(say "$peer" "$@")
			mine=$(say "$ours" "$@")
			[ "$mine" = "$theirs" ] || printf 'flock %s\ntheirs: %s\nours:   %s\n' "$line" "$theirs" "$mine"
		done
	EOF
	peer=$peer ours=$ours sh differing.sh
}

@test "As flock, nl-bulkhead has the options, messages and statuses of util-linux's" {
	run differing <<-'EOF'
		
		x
		-n
		-z
		--zz
		-w
		--wait
		--timeout
		-E
		-1
		1x
		99
		99999999999
		+99
		'' true
		-w abc x true
		-w '' x true
		-w 1m x true
		-w -1 x true
		-w inf x true
		-E 256 x true
		-E -1 x true
		-E abc x true
		-E 99999999999 x true
		-o -F x true
		--close --no-fork x true
		--no x true
		--ti 1 x true
		x -c
		x -c a b
		x --command
		-c x true
		/no/such/dir/x true
		x /no/such/command
		x no-such-command-anywhere
		x /
		x ''
		-F x /no/such/command
		-F x /
		x true
		x sh -c 'exit 7'
		x sh -c 'kill -KILL $$'
		x sh -c 'kill -TERM $$'
		-F x sh -c 'exit 7'
		x -c 'echo "$0"; exit 3'
		x --command 'echo $#'
		--verbose x true
		--verb -w 5 x true
		--verbose x -c true
		-s x true
		--shared x true
		-x x true
		-e x true
		--exclusive x true
		-u x true
		--unlock x true
		-sxn x true
		--nb x true
		--nonblock x true
		-nE5 -w1.5 x true
		-w 99999999999999 x true
		-w 1e1 x true
		-w .5 x true
		ours true
	EOF
	echo "$output"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	SHELL='' run differing <<<"x -c 'echo \$0'"
	[ -z "$output" ]
	SHELL=/bin/bash run differing <<<"x -c 'echo \$0 \$BASH'"
	[ -z "$output" ]
	[[ $("$ours" --help) == "Usage: flock [OPTION]... FILE|DIRECTORY COMMAND [ARG]..."* ]]
	[ "$("$ours" -h)" = "$("$ours" --help)" ]
	[[ $("$ours" -V) == "flock (Nine Lives) "* ]]
}

@test "As flock it excludes util-linux's and is excluded by it" {
	for pair in "$ours $peer" "$peer $ours" "$ours $ours"; do
		read -r a b <<<"$pair"
		hold "$a" lock
		run "$b" -n lock true
		[ "$status" -eq 1 ]
		[ -z "$output" ]
		run "$b" -s --nonblock lock true
		[ "$status" -eq 1 ]
		run "$b" -w 0 -E 9 lock true
		[ "$status" -eq 9 ]
		run "$b" --timeout 0.1 --conflict-exit-code 0 lock touch ran
		[ "$status" -eq 0 ]
		run "$b" --verbose -n lock true
		[ "$status $output" = "1 flock: failed to get lock" ] || [ "$status $output" = "1 ${b##*/}: failed to get lock" ]
		run "$b" --verbose -w 0.1 lock true
		[[ "$status $output" == "1 "*"flock: timeout while waiting to get lock" ]]
		[ ! -e ran ]
		start "$b" lock touch ran
		waiter=$pid
		wait_for 5 blocked lock 1
		echo >go
		wait "$waiter"
		[ -e ran ]
		rm ran
	done
}

@test "As flock it shares a shared lock with util-linux's" {
	for pair in "$ours $peer" "$peer $ours"; do
		read -r a b <<<"$pair"
		hold "$a" -s lock
		"$b" -n -s lock true
		run "$b" -n lock true
		[ "$status" -eq 1 ]
		run "$b" -n -s -x lock true
		[ "$status" -eq 1 ]
		"$b" -n -x --shared lock true
		let_go
	done
}

@test "As flock it locks a directory" {
	mkdir d
	hold "$ours" d
	run "$peer" -n d true
	[ "$status" -eq 1 ]
	let_go
	hold "$peer" d
	run "$ours" -n d true
	[ "$status" -eq 1 ]
	let_go
}

@test "As flock it locks and unlocks an open descriptor" {
	exec 9>lock
	"$ours" -n 9
	run "$peer" -n lock true
	[ "$status" -eq 1 ]
	run "$ours" -n lock true
	[ "$status" -eq 1 ]
	"$ours" -u 9
	"$peer" -n lock true
	"$ours" -s 9
	"$peer" -n -s lock true
	run "$peer" -n lock true
	[ "$status" -eq 1 ]
	exec 9>&-
	"$peer" -n lock true
	run "$ours" 9
	[ "$status $output" = "65 flock: 9: Bad file descriptor" ]
	run bash -c "exec 0<&-; exec '$ours' 0"
	[ "$status $output" = "65 flock: 0: Bad file descriptor" ]
}

@test "As flock it lets the command's descendants hold the lock, and with --close only itself" {
	m=$(victim)
	"$ours" lock sh -c "sleep $m >/dev/null 2>&1 &"
	run "$peer" -n lock true
	[ "$status" -eq 1 ]
	pkill -f "^sleep $m"
	wait_for 5 gone "$m"
	"$ours" -o lock sh -c "sleep $m >/dev/null 2>&1 &"
	"$peer" -n lock true
	pkill -f "^sleep $m"
	wait_for 5 gone "$m"
	hold "$ours" --close lock
	run "$peer" -n lock true
	[ "$status" -eq 1 ]
	let_go
	run bash -c '"$@" | grep -c lock' bash "$ours" -o lock ls -l /proc/self/fd
	[ "$output" = 0 ]
}

@test "As flock --no-fork makes it the command, which holds the lock" {
	hold "$ours" -F lock
	[ "$(cat in)" = "$pid" ]
	run "$peer" -n lock true
	[ "$status" -eq 1 ]
	let_go
	# As if nobody had been there.
	for flock in "$ours" "$peer"; do
		"$flock" -F lock sh -c 'grep -E "^Sig(Blk|Ign|Cgt)" /proc/$$/status; env | grep -v ^_= | sort' >"is.${#flock}"
	done
	cmp is.*
	# Its orphans are not its own to reap.
	echo 'until [ "$(cut -d" " -f4 /proc/$$/stat)" != "$(cat mid)" ]; do sleep 0.01; done; cut -d" " -f4 /proc/$$/stat >ppid' >orphan
	"$ours" -F lock sh -c 'sh -c "echo \$\$ >mid; sh orphan &"; until [ -s ppid ]; do sleep 0.01; done; [ "$(cat ppid)" != $$ ]'
}

@test "As flock its command is told to stop when it is, and dies with it" {
	start "$ours" lock sh -c 'trap "echo got; exit 9" TERM; echo >in; while :; do sleep 0.01; done' >out
	wait_for 5 test -s in
	kill -TERM "$pid"
	wait "$pid" || :
	[ "$(cat out)" = got ]
	hold "$ours" lock
	kill -KILL "$pid"
	wait "$pid" || :
	wait_for 5 gone in
	"$peer" -n lock true
}

@test "As flock a signal to one who waits ends it at once by that signal" {
	hold "$peer" lock
	holder=$pid
	for sig in TERM INT HUP USR1; do
		start died how.$sig "$ours" lock true
		wait_for 5 blocked lock 1
		t=${EPOCHREALTIME/./}
		kill -$sig "$(cat how.$sig.pid)"
		wait "$pid" || :
		[ $((${EPOCHREALTIME/./} - t)) -lt 1000000 ]
		[ "$(cat how.$sig)" = "signal $(kill -l $sig)" ]
	done
	start env --ignore-signal=USR1 "$ours" lock touch ran
	wait_for 5 blocked lock 1
	kill -USR1 "$pid"
	wait_for 5 blocked lock 1
	echo >go
	wait "$holder" "$pid"
	[ -e ran ]
}

@test "As flock it waits as long as it is told, to the microsecond" {
	hold "$peer" lock
	t=${EPOCHREALTIME/./}
	run "$ours" -w .3 lock true
	t=$((${EPOCHREALTIME/./} - t))
	[ "$status" -eq 1 ]
	[ "$t" -ge 300000 ]
	[ "$t" -lt 3000000 ]
	let_go
}

@test "As flock it makes the file for all whom the umask lets, and leaves one that is there alone" {
	(umask 027 && "$ours" made true)
	[ "$(stat -c %a made)" = 640 ]
	echo keep >made
	"$ours" made true
	[ "$(cat made)" = keep ]
	chmod 444 made
	"$ours" made true
}

@test "As flock it locks a file of somebody else in a directory for all, where fs.protected_regular forbids to make one" {
	((EUID == 0)) || skip "needs root"
	[ -w /proc/sys/fs/protected_regular ] || skip "no fs.protected_regular"
	place=$(mktemp -d)
	chmod 1777 "$place"
	regular=$(</proc/sys/fs/protected_regular)
	echo 2 >/proc/sys/fs/protected_regular
	setpriv --reuid nobody --regid nogroup --clear-groups sh -c 'echo >"$1/lock"; chmod 666 "$1/lock"' sh "$place"
	st=0
	"$ours" -n "$place/lock" true || st=$?
	theirs=0
	"$peer" -n "$place/lock" true 2>/dev/null || theirs=$?
	echo "$regular" >/proc/sys/fs/protected_regular
	rm -rf "$place"
	[ "$st" = 0 ]
	[ "$theirs" = 66 ]
}

@test "As flock a lock that cannot be had for another reason is a status of sysexits" {
	for want in 'EMFILE 71' 'ENFILE 71' 'ENOMEM 71' 'EROFS 73' 'ENOSPC 73' 'EACCES 66'; do
		run strace -qq -o trace -P "$PWD/lock" -e inject=openat:error="${want% *}" "$ours" "$PWD/lock" true
		[ "$status" -eq "${want#* }" ]
		[[ $output == "flock: cannot open lock file $PWD/lock: "* ]]
	done
	for want in 'ENOLCK 71' 'ENOMEM 71' 'EOPNOTSUPP 65'; do
		run strace -qq -o trace -e inject=flock:error="${want% *}" "$ours" lock true
		[ "$status" -eq "${want#* }" ]
		[[ $output == "flock: lock: "* ]]
	done
	# NFS: only who may write may lock.
	run strace -qq -o trace -e inject=flock:error=EBADF:when=1 "$ours" lock echo runs
	[ "$status $output" = "0 runs" ]
}

@test "As flock it emits no events, and its command is no layer" {
	: >"$NL_EVENTS"
	"$ours" lock true
	"$ours" -n -E 5 lock nl-timeout 9 true
	[ "$(grep -c '"kind":"\(bulkhead\|flock\)"' "$NL_EVENTS")" = 0 ]
	[ ! -e "$NL_STATE/bulkhead" ]
}
