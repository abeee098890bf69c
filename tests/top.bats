#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# nl-observe top, printed and on a terminal: pty types the keys, vt says what is to
# be seen then.  Logs are eventgen's, a year back, so that the clock is past them.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154  # text for inner shells; each test is a subshell; set by run
bats_require_minimum_version 1.5.0
load helper

setup() {
	nl_setup
	export LC_ALL=C.UTF-8 TERM=xterm
	unset NO_COLOR
	eventgen -n 3000 -p 9 -t 300 -e 250000 | sed 's/"time":"2026/"time":"2025/' >ev
}

golden() { diff "$NL_ROOT/tests/golden/$1" -; }

# at_terminal [-s ROWS COLS] ARG... <SCRIPT: top on a terminal; its screen when it ended is in ./screen.
at_terminal() {
	local size=()

	if [[ $1 == -s ]]; then
		size=("$2" "$3")
		shift 3
	fi
	pty nl-observe top "$@" >bytes || { cat -v bytes; return 1; }
	vt "${size[@]}" <bytes >screen
}

@test "top --once prints one screen of 24 lines and 80 columns, of what is there" {
	nl-observe top --once ev >out
	golden top-once <out
	[ "$(wc -l <out)" -eq 24 ]
	run ! grep -q $'\033' out
	LC_ALL=C nl-observe top --once ev >plain
	run ! env LC_ALL=C grep -q '[^ -~]' plain
	nl-observe top --once --filter BREAKER ev >out
	[ "$(sed -n '5,17p' out | grep -c .)" -eq 2 ]
	grep -q 'breaker' out
}

@test "--sort is by that column: numbers from the greatest, text from a" {
	nl-observe top --once --sort p99 ev | golden top-p99
	nl-observe top --once --sort policy ev | sed -n '5,13p' | cut -d' ' -f1 >names
	[ "$(wc -l <names)" -eq 9 ]
	sort -c names
	nl-observe top --once --sort worst ev | golden top-once
	run -125 nl-observe top --once --sort colour ev
	[[ $output == "nl-observe: top: --sort 'colour': no column; one of worst, policy"* ]]
}

@test "On a terminal the screen is that of --once, and keys change it" {
	at_terminal ev <<-'END'
		expect events 3003
		send t
		expect since the beginning
		send >
		expect by POLICY
		send q
		exit 0
	END
	sed 's/^20[0-9 :-]*  /NOW  /; s| ([0-9.]*/s)||' screen | golden top-keys
}

@test "/ shows the policies with a text in KIND/NAME" {
	at_terminal ev <<-'END'
		expect events 3003
		send t/bulk
		expect /bulk
		send \n
		expect q quit
		send q
		exit 0
	END
	[ "$(sed -n '5,17p' screen | grep -c bulkhead)" -eq 2 ]
	[ "$(sed -n '5,17p' screen | grep -c .)" -eq 2 ]
}

@test "? shows help" {
	at_terminal ev <<-'END'
		expect policies
		send ?
		expect slots in use
		send q
		exit 0
	END
	grep -q 'RETRYx  *attempts for each request' screen
}

@test "p pauses until a key is pressed" {
	at_terminal ev <<-'END'
		expect policies
		send p
		expect PAUSED
		send w
		expect by trouble
		send q
		exit 0
	END
	run ! grep -q PAUSED screen
}

@test "What is new is seen within a second, and only what differs is drawn" {
	at_terminal ev <<-'END'
		expect policies
		do NL_EVENTS=$PWD/ev nl-timeout --name newcomer 9s true
		expect newcomer
		send q
		exit 0
	END
	[ "$(grep -c newcomer screen)" -eq 1 ]
	[ "$(grep -o 'KIND' bytes | wc -l)" -eq 1 ]
}

@test "It has the size of the terminal, also when that changes" {
	at_terminal -s 12 130 ev <<-'END'
		expect policies
		do stty -F /proc/$leader/fd/1 rows 12 cols 130
		expect RETRYx
		send t
		expect since the beginning
		send q
		exit 0
	END
	grep -q 'POLICY .* RETRYx RECOV%' screen
	run ! grep -q CHANGES screen
}

# given_back STATUS STEP...: top in a shell at a terminal, which is as before when it has ended.  $leader's child is it.
given_back() {
	local status=$1

	shift
	{
		printf '%s\n' 'expect ready' save 'send \n' 'expect \e[?1049h' 'expect policies' "$@" 'expect \e[?1049l' "expect over $status" same 'send \n' 'exit 0'
	} | pty sh -c 'set -m; trap : INT; echo ready; read -r _; '"${top:-nl-observe top ev}"'; echo "over $?"; read -r _' >bytes || { cat -v bytes; return 1; }
	vt <bytes >screen
}

@test "The terminal is given back whatever ends it" {
	given_back 0 'send q'
	given_back 130 'send ^C'
	for sig in INT TERM HUP QUIT ABRT SEGV; do
		given_back $((128 + $(kill -l "$sig"))) "do read -r p </proc/\$leader/task/\$leader/children; kill -$sig \$p"
	done
}

@test "It is given back when what is read has no end and its writer is killed" {
	mkfifo pipe
	start sh -c 'exec >pipe; cat ev; exec sleep 99'
	top='nl-observe top - <pipe' given_back 0 "do kill -KILL $pid"
	start sh -c 'exec >pipe; cat ev; exec sleep 99'
	top='nl-observe top pipe' given_back 0 "do kill -KILL $pid" 'send t' 'expect since the beginning' 'send q'
}

@test "Stopped by ^Z it gives the terminal back, and takes it again when it goes on" {
	pty sh -c 'set -m; echo ready; read -r _; nl-observe top ev; echo stopped; read -r _; fg; echo over' <<-'END' >bytes || { cat -v bytes; false; }
		expect ready
		save
		send \n
		expect policies
		send ^Z
		expect \e[?1049l
		expect stopped
		same
		send \n
		expect \e[?1049h
		expect policies
		send q
		expect \e[?1049l
		expect over
		exit 0
	END
}

# fits ROWS COLUMNS: what was drawn since the screen was cleared the last time.
fits() {
	local all last line text n=0

	all=$(<bytes) last=${all##*$'\e[2J'}
	while IFS= read -r line; do
		line=${line#*$'\e['} text=${line#*1H}
		((${line%%;*} <= $1 && ${#text} <= $2)) || { echo "in $1 of $2: $line"; return 1; }
		n=$((n + 1))
	done < <(grep -oa $'\e\\[[0-9]*;1H[^\e]*' <<<"$last")
	((n > 0))
}

@test "No terminal is too small" {
	export NO_COLOR=1
	for size in '24 80' '24 79' '13 60' '10 40' '5 20' '3 9' '1 1'; do
		pty sh -c 'stty rows $1 cols $2; exec nl-observe top ev' sh "${size% *}" "${size#* }" <<-'END' >bytes || { cat -v bytes; false; }
			expect \e[?1049h
			expect \e[1;1H
			send t
			send ?
			send >
			send q
			exit 0
		END
		fits "${size% *}" "${size#* }"
	done
}

@test "A window that becomes smaller, or larger, is drawn anew" {
	export NO_COLOR=1
	for size in '8 30' '40 200' '1 200'; do
		pty nl-observe top ev <<-END >bytes || { cat -v bytes; false; }
			expect policies
			do stty -F /proc/\$leader/fd/1 rows ${size% *} cols ${size#* }
			expect \e[2J
			expect \e[1;1H
			send q
			exit 0
		END
		fits "${size% *}" "${size#* }"
	done
}

@test "NO_COLOR: no colour" {
	NO_COLOR=1 at_terminal ev <<-'END'
		expect policies
		never \e[7m
		send q
		exit 0
	END
}

@test "Without a terminal, or on one that can do nothing, it says so" {
	run -125 nl-observe top ev
	[[ $output == 'nl-observe: top: standard output is no terminal that can do it (--once prints one screen)' ]]
	TERM=dumb pty nl-observe top ev <<-'END'
		expect no terminal that can do it
		exit 125
	END
}
