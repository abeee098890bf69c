#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What shared state does when its directory, its files or somebody else is not
# as it should be: nl-state(5).  A breaker then runs its command and says so, a
# bulkhead refuses.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154  # text for inner shells; variables of helper.bash
bats_require_minimum_version 1.5.0
load helper

need_root() { ((EUID == 0)) || skip "needs root"; }

# The reasons of nl.state.degraded.
reasons() { sed -n 's/.*"event":"nl.state.degraded".*"reason":"\([^"]*\)".*/\1/p' "$NL_EVENTS"; }

# both REASON [BULKHEAD-STATUS]: the breaker x runs its command, the bulkhead x does not, both say why.
both() {
	: >"$NL_EVENTS"
	rm -f ran
	run nl-breaker x touch ran
	[ "$status" -eq 0 ]
	[ -e ran ]
	[ "$(reasons)" = "$1" ]
	: >"$NL_EVENTS"
	rm -f ran
	run nl-bulkhead x touch ran
	[ "$status" -eq "${2:-125}" ]
	[ -e ran ] || [ "${2:-125}" -ne 0 ]
	[ "$(reasons)" = "$1" ]
}

# A place that other users can reach, with our programs in it.
open_place() {
	place=$(mktemp -d)
	chmod 755 "$place"
	cp "$NL_BIN"/nl-* "$NL_AID/true0" "$place"
}

teardown() {
	[ -z "${place-}" ] || rm -rf "$place"
	[ -z "${regular-}" ] || echo "$regular" >/proc/sys/fs/protected_regular
	nl_teardown
}

as() {
	local user=$1
	shift
	setpriv --reuid "$user" --regid nogroup --clear-groups env NL_EVENTS=off "$@"
}

@test "A planted symbolic link, hard link, fifo or directory is refused, told and not touched" {
	mkdir -p "$NL_STATE"/breaker "$NL_STATE"/bulkhead
	chmod 700 "$NL_STATE" "$NL_STATE"/*
	echo precious >target
	cp target before
	for what in 'ln -s $PWD/target' 'ln $PWD/target' mkfifo mkdir; do
		for name in x .x.lock; do
			rm -rf "$NL_STATE"/*/{x,.x.lock}
			for kind in breaker bulkhead; do
				eval "$what \$NL_STATE/$kind/$name"
			done
			both unsafe
			cmp target before
		done
	done
}

@test "A directory of state that belongs to another user is not used" {
	need_root
	rm -rf "$NL_STATE"
	mkdir -m 700 "$NL_STATE"
	chown nobody "$NL_STATE"
	both unsafe
	[ -z "$(ls -A "$NL_STATE")" ]
	run --separate-stderr nl-bulkhead --state "$NL_STATE" x true
	[[ $stderr == *"belongs to uid 65534"* ]]
}

@test "A directory of state that others may write to is not used" {
	mkdir -p "$NL_STATE"
	for mode in 777 1777 770 722; do
		chmod "$mode" "$NL_STATE"
		both unsafe
	done
	chmod 700 "$NL_STATE"
}

@test "Files of state are made for their owner alone, whatever the umask" {
	for mask in 0 777; do
		rm -rf "$NL_STATE"
		(umask "$mask"; exec nl-breaker x true)
		(umask "$mask"; exec nl-bulkhead x true)
		[ "$(stat -c %a "$NL_STATE" "$NL_STATE"/breaker/{x,.x.lock} "$NL_STATE"/bulkhead/{x,.x.lock} | sort | uniq -c | tr -s ' \n' ' ')" = " 4 600 1 700 " ]
	done
}

@test "A command gets the umask that it would have without us" {
	for mask in 0000 0022 0777; do
		rm -rf "$NL_STATE"
		[ "$(umask "$mask"; nl-breaker u sh -c umask)" = "$mask" ]
	done
}

@test "Names that are none are an error before anything is touched" {
	rm -rf "$NL_STATE"
	for n in ../x /x . .. '' a/b $'a\nb' "$(printf '%065d' 1)" -- -x 'a b' .x 'ä'; do
		for tool in nl-breaker nl-bulkhead; do
			run "$tool" -- "$n" true
			[ "$status" -eq 125 ]
		done
		run nl-retry --budget "$n" true
		[ "$status" -eq 125 ]
	done
	[ ! -e "$NL_STATE" ]
	run nl-breaker "$(printf '%064d' 1)" true
	[ "$status" -eq 0 ]
}

@test "A record that shrinks and grows under our hands never raises a signal" {
	nl-breaker x true
	start sh -c 'while :; do truncate -s 0 "$NL_STATE/breaker/x"; truncate -s 1T "$NL_STATE/breaker/x"; truncate -s 4096 "$NL_STATE/breaker/x"; done 2>/dev/null'
	for ((i = 0; i < 40; i++)); do
		run nl-breaker -f 1 x sh -c 'exit 3'
		[ "$status" -eq 3 ] || [ "$status" -eq 75 ]
	done
	kill "$pid"
	wait "$pid" || :
	nl-breaker y true
	[ "$(find "$NL_STATE"/breaker -name '.x.corrupt.*' | wc -l)" -le 3 ]
}

@test "Bytes that are no record are moved aside, told once, and the next call has a fresh one" {
	for junk in '' junk "$(head -c 4096 /dev/zero | tr '\0' x)" "$(head -c 9000 /dev/zero | tr '\0' x)"; do
		rm -rf "$NL_STATE"
		nl-breaker x true
		nl-bulkhead x true
		printf %s "$junk" >"$NL_STATE"/breaker/x
		printf %s "$junk" >"$NL_STATE"/bulkhead/x
		both corrupt
		[ "$(cat "$NL_STATE"/breaker/.x.corrupt.1)" = "$junk" ]
		: >"$NL_EVENTS"
		nl-breaker x true
		nl-bulkhead x true
		[ -z "$(reasons)" ]
	done
}

@test "Whoever holds the guard of a record for ever holds nobody up" {
	nl-breaker -f 1 -o 1m x false || :
	nl-bulkhead x true
	start holdbyte "$NL_STATE"/breaker/.x.lock 0
	wait_for 5 sh -c '! nl-breaker y true || grep -q "OFDLCK.*$(stat -c %i "$NL_STATE"/breaker/.x.lock)" /proc/locks'
	run nl-breaker x true
	[ "$status" -eq 75 ]            # An open one rejects without the guard.
	other=$pid
	start holdbyte "$NL_STATE"/bulkhead/.x.lock 0
	wait_for 5 sh -c 'grep -q "OFDLCK.*:$(stat -c %i "$NL_STATE"/bulkhead/.x.lock) " /proc/locks'
	: >"$NL_EVENTS"
	run timeout 5 nl-bulkhead x true
	[ "$status" -eq 125 ]
	[ "$(reasons)" = busy ]
	nl-breaker z true
	start holdbyte "$NL_STATE"/breaker/.z.lock 0
	third=$pid
	wait_for 5 sh -c 'grep -q "OFDLCK.*:$(stat -c %i "$NL_STATE"/breaker/.z.lock) " /proc/locks'
	: >"$NL_EVENTS"
	run timeout 5 nl-breaker z sh -c 'exit 4'
	[ "$status" -eq 4 ]
	[ "$(reasons)" = busy ]
	pkill -x holdbyte
	wait "$other" "$third" || :
}

@test "At most 4096 names of a kind are made" {
	mkdir -p "$NL_STATE"/breaker
	chmod 700 "$NL_STATE" "$NL_STATE"/breaker
	(cd "$NL_STATE"/breaker && seq 1 4096 | xargs touch)
	: >"$NL_EVENTS"
	run nl-breaker one-more sh -c 'exit 6'
	[ "$status" -eq 6 ]
	[ "$(reasons)" = unavailable ]
	grep -q '4096 names' "$NL_EVENTS"
	[ ! -e "$NL_STATE"/breaker/one-more ]
}

@test "A file system that is full, read-only or missing is no reason not to run a command behind a breaker" {
	need_root
	: >"$NL_EVENTS"
	mkdir m
	for how in '-t tmpfs -o size=4k none' '-t tmpfs -o ro none' '-t tmpfs -o size=60k none'; do
		: >"$NL_EVENTS"
		run unshare -m sh -c "mount $how m && export NL_STATE=\$PWD/m/state && nl-breaker x sh -c 'exit 3'; echo \$?; nl-bulkhead x sh -c 'exit 3'; echo \$?; nl-bulkhead --on-state-error run x sh -c 'exit 3'; echo \$?; nl-breaker --on-state-error fail x sh -c 'exit 3'; echo \$?"
		[[ $output == *3*125*3*125* ]]
		[ "$(reasons | sort -u)" = unavailable ]
	done
	: >"$NL_EVENTS"
	NL_STATE=$PWD/no/such/deep/../dir run nl-breaker x sh -c 'exit 3'
	[ "$status" -eq 3 ]
}

@test "An error of the device is no corrupt record: nothing is moved aside" {
	nl-breaker -f 1 -o 1m x false || :
	: >"$NL_EVENTS"
	run strace -qq -e trace=pread64 -e inject=pread64:error=EIO nl-breaker x sh -c 'exit 3'
	[[ $output == *EIO* ]]
	[ "$status" -eq 3 ]
	[ "$(reasons)" = unavailable ]
	[ -z "$(find "$NL_STATE" -name '*corrupt*')" ]
	run nl-breaker x true
	[ "$status" -eq 75 ]
}

@test "A record of times to come, as of another time namespace, cannot keep a breaker open for longer than its open time" {
	need_root
	unshare -T --boottime 1000000 --fork nl-breaker -f 1 -o 40s x false || :
	: >"$NL_EVENTS"
	run nl-breaker -o 40s x true
	[ "$(reasons)" = clock ]
	if [ "$status" -eq 75 ]; then
		[[ $(field retry_after_s) =~ ^([0-9]|[1-3][0-9]|40)\. ]]
	fi
}

@test "A record of another boot is void" {
	nl-breaker -f 1 -o 1h x false || :
	run nl-breaker x true
	[ "$status" -eq 75 ]
	echo 11111111-2222-3333-4444-555555555555 >boot
	need_root
	run unshare -m sh -c 'mount --bind boot /proc/sys/kernel/random/boot_id && nl-breaker x true'
	[ "$status" -eq 0 ]
}

@test "Root keeps state in /run/ninelives, whatever the environment of a user says" {
	need_root
	mkdir -m 777 evil
	run unshare -m sh -c 'mount -t tmpfs none /run && unset NL_STATE && HOME=$PWD/evil XDG_STATE_HOME=$PWD/evil XDG_RUNTIME_DIR=$PWD/evil nl-breaker x true && stat -c %a /run/ninelives /run/ninelives/breaker/x'
	[ "$status" -eq 0 ]
	[ "$output" = $'700\n600' ]
	[ -z "$(ls -A evil)" ]
}

@test "Users keep state under XDG_STATE_HOME or the home of the password file, not of HOME" {
	need_root
	open_place
	mkdir "$place/nobody"
	chown nobody "$place/nobody"
	sed "s,^\(nobody:.*\):[^:]*:\([^:]*\)$,\1:$place/nobody:\2," /etc/passwd >passwd
	run unshare -m sh -c 'mount --bind passwd /etc/passwd && exec setpriv --reuid nobody --regid nogroup --clear-groups env -u NL_STATE -u XDG_STATE_HOME HOME=/ NL_EVENTS=off "$1/nl-breaker" x "$1/true0"' sh "$place"
	[ "$status" -eq 0 ]
	[ "$(stat -c '%a %U' "$place/nobody/.local/state/ninelives/breaker/x")" = "600 nobody" ]
	run setpriv --reuid nobody --regid nogroup --clear-groups env -u NL_STATE XDG_STATE_HOME="$place/nobody/xdg" NL_EVENTS=off "$place/nl-breaker" x "$place/true0"
	[ "$status" -eq 0 ]
	[ -e "$place/nobody/xdg/ninelives/breaker/x" ]
}

@test "Set-user-ID, every tool refuses to run" {
	need_root
	open_place
	for tool in "$place"/nl-*; do
		chmod 4755 "$tool"
		run setpriv --reuid nobody --regid nogroup --clear-groups "$tool" --version
		[ "$status" -eq 125 ]
		[[ $output == *"refuses to run set-user-ID"* ]]
	done
}

@test "A directory of mode 2770 is shared by the users of its group, and by nobody else" {
	need_root
	open_place
	mkdir "$place/state"
	chgrp games "$place/state"
	chmod 2770 "$place/state"
	if [ -w /proc/sys/fs/protected_regular ]; then      # As Debian has it.
		regular=$(</proc/sys/fs/protected_regular)
		echo 2 >/proc/sys/fs/protected_regular
	fi
	export NL_STATE=$place/state
	member() { (umask 077; exec setpriv --reuid "$1" --regid "$1" --groups games env NL_EVENTS=off "${@:2}"); }
	run member daemon "$place/nl-breaker" -f 1 -o 1h x sh -c 'exit 3'
	[ "$status" -eq 3 ]
	[ "$(stat -c '%a %U %G' "$place/state/breaker/x")" = "660 daemon games" ]
	for user in bin daemon root; do
		run member "$user" "$place/nl-breaker" x "$place/true0"
		[ "$status" -eq 75 ]
	done
	run member bin "$place/nl-bulkhead" b "$place/true0"
	[ "$status" -eq 0 ]
	run member daemon "$place/nl-bulkhead" b "$place/nl-bulkhead" b "$place/true0"
	[ "$status" -eq 75 ]
	# Nobody else.
	run as nobody "$place/nl-breaker" x "$place/true0"
	[ "$status" -eq 0 ]
	run as nobody "$place/nl-bulkhead" b "$place/true0"
	[ "$status" -eq 125 ]
}

@test "A file that others of the group cannot vouch for is not used" {
	need_root
	open_place
	mkdir "$place/state"
	chgrp games "$place/state"
	chmod 2770 "$place/state"
	export NL_STATE=$place/state
	nl-breaker x true
	chmod 666 "$place/state/breaker/x"
	: >"$NL_EVENTS"
	run nl-breaker x true
	[ "$status" -eq 0 ]
	[ "$(reasons)" = unsafe ]
	chmod 660 "$place/state/breaker/x"
	chgrp nogroup "$place/state/breaker/x"
	: >"$NL_EVENTS"
	nl-breaker x true
	[ "$(reasons)" = unsafe ]
}

@test "Processes that are killed while they make or write a record leave no record that cannot be read" {
	for ((i = 0; i < 60; i++)); do
		nl-breaker -f 1000 "k$((i % 3))" false &
		p=$!
		kill -9 $p 2>/dev/null || :
		wait $p || :
	done 2>/dev/null
	: >"$NL_EVENTS"
	for i in 0 1 2; do
		nl-breaker "k$i" true
	done
	[ -z "$(reasons)" ]
	[ -z "$(find "$NL_STATE" -name '*corrupt*')" ]
}

@test "A wrapper that is suspended keeps what it holds, for however long" {
	m=$(victim)
	start nl-bulkhead x sh -c ": >up; exec sleep $m"
	wait_for 5 test -e up
	kill -STOP "$pid"
	run nl-bulkhead x true
	[ "$status" -eq 75 ]
	kill -CONT "$pid"
	kill -TERM "$pid"
	wait "$pid" || :
	run nl-bulkhead x true
	[ "$status" -eq 0 ]
}
