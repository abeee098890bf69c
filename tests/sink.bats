#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# nl-sink: where it delivers, what is lost and who is told.  Events are those
# of a tool; what arrives is compared to them byte by byte.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154  # text for inner shells; each test is a subshell; set by run
bats_require_minimum_version 1.5.0
load helper
load victim

# some N FILE: N events of one run, 3 at least; many attempts are one, told again.
some() {
	NL_EVENTS=$PWD/$2 nl-retry -n 2 -b constant:0 -j none sh -c 'exit 7' || [ $? = 7 ]
	awk -v n="$1" '{ of[NR] = $0 } END { for (i = 1; i <= n; i++) { line = i > n - 3 ? of[i - n + 4] : of[1]
		sub(/"seq":[0-9]*/, "\"seq\":" i - 1, line); print line } }' "$2" >"$2.new"
	mv "$2.new" "$2"
	[ "$(wc -l <"$2")" = "$1" ]
}

# serving PLACE: nl-sink in the background, fed by what is written to descriptor 7; $sink.
serving() {
	mkfifo feed
	nl-sink "$@" <feed >out 2>err 3>&- &
	sink=$!
	exec 7>feed
}

# Its end: $rc.
fed() {
	exec 7>&-
	rc=0
	wait "$sink" || rc=$?
}

# subscribers N: so many are subscribed to ./s.
subscribers() {
	[ "$(grep -c " $PWD/s\$\| s\$" /proc/net/unix)" = $(($1 + 1)) ]
}

lines() { wc -l <"$1"; }

@test "null takes all and nothing comes of it" {
	some 4 ev
	run -0 nl-sink null <ev
	[ -z "$output" ]
}

@test "A FILE is appended to" {
	some 4 ev
	echo old >got
	nl-sink ./got <ev
	nl-sink ./got <ev
	cmp got <(echo old && cat ev ev)
}

@test "A DIR/ has a file for each hour of the events' own times" {
	some 4 ev
	mkdir dir
	sed -i '1s/"time":"[^"]*"/"time":"2001-02-03T04:59:59.999999Z"/; 2s/"time":"[^"]*"/"time":"2001-02-03T05:00:00.000000Z"/' ev
	nl-sink ./dir/ <ev
	cmp dir/20010203T04.ndjson <(sed -n 1p ev)
	cmp dir/20010203T05.ndjson <(sed -n 2p ev)
	[ "$(find dir -name '*.ndjson' -exec cat {} + | wc -l)" = 4 ]
}

@test "stderr and fd:N are descriptors" {
	some 4 ev
	nl-sink 'stderr + fd:1 + fd:7' <ev >out 2>err 7>seven
	cmp ev out
	cmp ev err
	cmp ev seven
}

@test "log is a line for people about each event" {
	some 4 ev
	run -0 --separate-stderr nl-sink log <ev
	[ -z "$output" ]
	[ "${#stderr_lines[@]}" = 4 ]
	[[ ${stderr_lines[0]} =~ ^20[0-9-]{8}T[0-9:]{8}\.[0-9]{3}Z\ warn\ \ retry/sh\ retry\.attempt\ cmd=sh\ attempt=1\ max=2\ exit=7\ err=exit_7\ dur_s=[0-9.]+\ delay_s=0\.000000$ ]]
	[[ ${stderr_lines[3]} == *" info  retry/sh run.ended "* ]]
}

@test "No byte of a log line is a control, whatever an event has in it" {
	some 4 ev
	sed -i '1s/"cmd":"sh"/"cmd":"a b\\u001b[31m\xc2\x9b=\\"","new":{"x":[1,"y z"]}/' ev
	nl-sink log <ev 2>err
	[[ $(head -n 1 err) == *'cmd="a b\u001b[31m??=\"" new={"x":[1,"y z"]} '* ]]
	run ! grep -P '[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' err
}

@test "log:PATH is a message of the tool and process that sent the event, by RFC 3164" {
	some 4 ev
	hears dgram s
	TZ=UTC nl-sink "log:$PWD/s" <ev
	wait_for 5 grep -q run.ended s.heard
	kill "$pid"
	p=$(sed -n '1s/.*"pid":\([0-9]*\).*/\1/p' ev)
	grep -qE "^<12>[A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} nl-retry\[$p\]: retry/sh retry\.attempt cmd=sh " s.heard
	grep -qoE "<11>[^<]*nl-retry\[$p\]: retry/sh retry\.exhausted " s.heard
	grep -qoE "<14>[^<]*nl-retry\[$p\]: retry/sh run\.ended " s.heard
}

@test "memory:N keeps the last N, counts what it evicted and prints them at the end" {
	some 3 ev
	run -0 --separate-stderr nl-sink memory:2 <ev
	[ "$output" = "$(tail -n 2 ev)" ]
	[ "$stderr" = "nl-sink: memory:2: 3 taken, 1 evicted" ]
	run -0 --separate-stderr nl-sink memory <ev
	[ "$output" = "$(cat ev)" ]
	[ -z "$stderr" ]
	for bad in memory:0 memory:x memory: memory:1000001 memory:-1; do
		run -125 nl-sink $bad <ev
	done
}

@test "USR1 prints what is in memory, and tells what was done so far" {
	some 6 ev
	serving memory:4
	head -n 3 ev >&7
	wait_for 5 eval 'kill -USR1 $sink; [ "$(head -n 3 out | wc -l)" = 3 ]'
	cmp <(head -n 3 out) <(head -n 3 ev)
	wait_for 5 grep -q '^nl-sink: memory:4: 3 taken$' err
	tail -n 3 ev >&7
	fed
	[ "$rc" = 0 ]
	cmp <(tail -n 4 out) <(tail -n 4 ev)
}

@test "Memory that cannot be printed is status 1" {
	some 3 ev
	run -1 sh -c 'nl-sink memory <ev >/dev/full'
	[[ $output == "nl-sink: stdout: No space left on device" ]]
}

@test "Each subscriber of a stream gets the events from its coming on" {
	some 9 ev
	serving "stream:$PWD/s"
	wait_for 5 test -S s
	head -n 3 ev >&7
	ear join s >one 3>&- 7>&- &
	wait_for 5 subscribers 1
	sed -n 4,6p ev >&7
	wait_for 5 eval '[ "$(lines one)" = 3 ]'
	ear join s >two 3>&- 7>&- &
	wait_for 5 subscribers 2
	tail -n 3 ev >&7
	fed
	[ "$rc" = 0 ]
	wait_for 5 eval '[ "$(lines one)" = 6 ] && [ "$(lines two)" = 3 ]'
	cmp one <(tail -n 6 ev)
	cmp two <(tail -n 3 ev)
	[ ! -e s ]
	grep -q "^nl-sink: stream:$PWD/s: 6 taken, 3 without a subscriber$" err
}

@test "A stream without a subscriber counts what nobody heard, and it is no loss" {
	some 4 ev
	run -0 nl-sink "stream:$PWD/s" <ev
	[ "$output" = "nl-sink: stream:$PWD/s: 0 taken, 4 without a subscriber" ]
	run -0 nl-sink "stream:$PWD/s | ./got" <ev
	cmp ev got
}

@test "A subscriber that is slow loses whole lines, delays nobody and is told how many" {
	some 3000 ev
	serving "stream:$PWD/s"
	wait_for 5 test -S s
	ear join s >slow 3>&- 7>&- &
	slow=$!
	ear join s >fast 3>&- 7>&- &
	wait_for 5 subscribers 2
	kill -STOP $slow
	for n in $(seq 100 100 2900); do
		sed -n "$((n - 99)),${n}p" ev >&7
		wait_for 15 eval '[ "$(lines fast)" = $n ]'
	done
	kill -CONT $slow
	wait_for 5 grep -q '^{"lost":' slow
	tail -n 100 ev >&7
	fed
	[ "$rc" = 0 ]
	wait_for 5 eval 'cmp -s fast ev'
	wait_for 5 eval '[ "$(tail -n 1 slow)" = "$(tail -n 1 ev)" ]'
	lost=$(jq -s 'map(.lost // 0) | add' slow)
	[ "$lost" -gt 0 ]
	[ "$(jq -r 'select(.nl).seq' slow | sort -un | wc -l)" = $((3000 - lost)) ]
	grep -q "^nl-sink: stream:.*: subscriber of pid [0-9]*: $((3000 - lost)) lines, $lost lost$" err
}

@test "The socket of a stream that was killed is taken over, one in use is not" {
	some 3 ev
	serving "stream:$PWD/s"
	wait_for 5 test -S s
	run -1 nl-sink "stream:$PWD/s" <ev
	[[ $output == "nl-sink: stream:$PWD/s: Address "*"in use"* ]]
	kill -KILL "$sink"
	fed
	[ -S s ]
	run -0 nl-sink "stream:$PWD/s" <ev
	[[ $output == *"3 without a subscriber" ]]
}

@test "unix:PATH and fifo:PATH are read by somebody" {
	some 50 ev
	for kind in fifo dgram stream; do
		hears $kind $kind
		place=unix:./$kind
		[ $kind != fifo ] || place=fifo:./fifo
		nl-sink "$place" <ev
		wait_for 5 cmp -s $kind.heard ev
		kill "$pid"
	done
}

@test "A place that is full is waited for, and nothing is lost" {
	some 1000 ev
	mkfifo p
	exec 9<>p
	nl-sink fifo:./p <ev 3>&- 9>&- &
	sink=$!
	wait_for 5 grep -q '^State:.S' /proc/$sink/status
	timeout 10 head -n 1000 <&9 >got
	wait "$sink"
	exec 9>&-
	cmp got ev
}

@test "--wait ends the wait for a place that is full, which then is asked without waiting" {
	some 600 ev
	mkfifo p
	exec 9<>p
	t=$(ms)
	run -1 nl-sink -w 200ms 'fifo:./p' <ev
	between 200 $(($(ms) - t)) 3000
	[[ $output == "nl-sink: fifo:./p: full, and nobody reads it"*"nl-sink: 600 events, "*" lost"* ]]
	t=$(ms)
	run -1 nl-sink -w 0 fifo:./p <ev
	[ $(($(ms) - t)) -lt 3000 ]
	[[ $output == *"nl-sink: 600 events, 600 lost"* ]]
	exec 9>&-
}

@test "A + B: each gets all, whatever becomes of the other, and each failure is told" {
	some 4 ev
	run -1 nl-sink '/dev/full + ./got + /no/such/file' <ev
	cmp got ev
	[[ $output == *"nl-sink: /dev/full + ./got + /no/such/file: /dev/full: No space left on device"* ]]
	[[ $output == *"nl-sink: /dev/full + ./got + /no/such/file: /no/such/file: No such file or directory"* ]]
	[[ $output == *"nl-sink: 4 events, 4 lost"* ]]
	[[ $output == *"nl-sink: /dev/full: 0 taken, 4 not: No space left on device"* ]]
}

@test "A place that is full delays no other, and no place gets a line twice" {
	some 600 ev
	mkfifo p
	exec 9<>p
	nl-sink '(fifo:./p + ./a | ./b) + ./c' <ev 3>&- 9>&- &
	sink=$!
	wait_for 5 eval '[ "$(lines a)" -gt 50 ] && n=$(lines a) && [ "$n" = "$(lines c)" ]'
	timeout 10 head -n 600 <&9 >got
	wait "$sink"
	exec 9>&-
	for f in a c got; do cmp $f ev; done
	[ ! -e b ]
}

@test "A | B: B gets each event that A could not take" {
	some 6 ev
	run -0 nl-sink '/dev/full | ./b' <ev
	cmp b ev
	[[ ${lines[0]} == "nl-sink: /dev/full | ./b: /dev/full: No space left on device" ]]
	run -1 nl-sink '/dev/full | /no/such/file' <ev
	[[ $output == *"6 events, 6 lost"*"/dev/full: 0 taken, 6 not: No space"*"/no/such/file: 0 taken, 6 not: No such file"* ]]
	serving 'unix:./s | ./spill' && wait_for 5 test -p feed
	head -n 2 ev >&7
	wait_for 5 eval '[ "$(lines spill)" = 2 ]'
	hears dgram s
	sed -n 3,4p ev >&7
	wait_for 5 eval '[ "$(lines s.heard)" = 2 ]'
	kill "$pid"
	wait "$pid" || :
	tail -n 2 ev >&7
	fed
	[ "$rc" = 0 ]
	cmp s.heard <(sed -n 3,4p ev)
	cmp spill <(sed 3,4d ev)
}

@test "A place gets each event that comes, those of debug too, so nothing is lost in a copy" {
	NL_EVENTS=$PWD/ev@debug run -7 nl-timeout 10 sh -c 'exit 7'
	NL_EVENTS=$PWD/ev@debug nl-bulkhead -m 1 pool true
	grep -q '"sev":5' ev
	nl-sink './copy + (./none/such | ./rest)' <ev 2>/dev/null || :
	cmp copy ev
	[ "$(nl-observe --stats copy | grep ^lost)" = 'lost 0' ]
	[ "$(nl-sink log <ev 2>&1 | wc -l)" = "$(lines ev)" ]
	nl-sink memory <ev 2>/dev/null >kept
	cmp kept ev
}

@test "After a place, @debug, @info or @warn is the least severity that it gets" {
	NL_EVENTS=$PWD/ev@debug run -7 nl-timeout 10 sh -c 'exit 7'
	nl-sink './d@debug + ./i@info + ./w@warn' <ev
	cmp d ev
	cmp i <(grep -v '"sev":5' ev)
	cmp w <(grep '"sev":17' ev)
	run -0 nl-sink --stats './d2@debug + ./w2@warn' <ev
	[ "${lines[1]}" = "nl-sink: ./d2: $(lines ev) taken" ]
	[ "${lines[2]}" = "nl-sink: ./w2: 1 taken, $(($(lines ev) - 1)) dropped below @warn" ]
}

@test "What is no event goes to standard error as it came, and the text around one" {
	some 3 ev
	{ echo 'plain text'; printf 'half a line '; sed -n 1p ev; echo '{"nl":1,"torn'; echo '{"nl":2,"time":"x"}'; sed -n '2s/$/ and more/p' ev; printf 'no newline'; } >in
	nl-sink ./got <in 2>err
	cmp got <(sed 3d ev)
	cmp err <(printf 'plain text\nhalf a line {"nl":1,"torn\n{"nl":2,"time":"x"}\n and more\nno newline')
	head -c 300000 /dev/zero | tr '\0' x >long
	{ cat long; echo; sed -n 1p ev; } | nl-sink ./got2 2>err
	cmp err <(cat long; echo)
	cmp got2 <(sed -n 1p ev)
}

@test "A line that broke off is ended before the next" {
	some 20 ev
	cp ev small
	(trap '' XFSZ; ulimit -f 1; nl-sink ./got <ev 2>err) && false
	grep -q '^nl-sink: ./got: File too large$' err
	nl-sink ./got <small
	grep -c . got >count
	[ "$(grep -c '^{"nl":1,.*}$' got)" -ge 20 ]
}

@test "TERM: what was read is delivered, and it ends by that signal" {
	some 4 ev
	serving './got + memory:3'
	cat ev >&7
	wait_for 5 cmp -s got ev
	t=$(ms)
	kill -TERM "$sink"
	head -n 1 ev >&7
	rc=0
	wait "$sink" || rc=$?
	[ "$rc" = 143 ]
	between 900 $(($(ms) - t)) 4000
	cmp got <(cat ev && head -n 1 ev)
	cmp out <(tail -n 3 got)
	exec 7>&-
}

@test "A second signal ends it at once, also while a place is waited for" {
	some 600 ev
	mkfifo p
	exec 9<>p
	nl-sink fifo:./p <ev 3>&- 9>&- 2>/dev/null &
	patient=$!
	nl-sink fifo:./p <ev 3>&- 9>&- 2>err &
	pid=$!
	wait_for 5 eval '[ "$(timeout 1 stat -c %s p)" = 0 ] && grep -q "^State:.S" /proc/$pid/status /proc/$patient/status'
	kill -TERM "$patient" "$pid"
	wait_for 5 eval 'kill -TERM $pid 2>/dev/null; ended'
	kill -0 "$patient"
	kill -TERM "$patient"
	kill -TERM "$patient" || :
	ends 5
	[ "$rc" = 143 ]
	grep -q 'lost$' err
	exec 9>&-
}

@test "Usage is status 125" {
	for bad in '' bogus './a +' '(./a' '(./a)b' 'fd:x' "unix:$(printf '%0200d' 0)" './a@loud'; do
		run -125 nl-sink "$bad" </dev/null
		[[ $output == "nl-sink: "* ]]
	done
	run -125 nl-sink </dev/null
	run -125 nl-sink ./a ./b </dev/null
	run -125 nl-sink null <.
	[ "$output" = "nl-sink: stdin: Is a directory" ]
}

@test "--stats tells what each place took" {
	some 4 ev
	run -0 nl-sink --stats './a + ./b@warn | null' <ev
	[ "$output" = $'nl-sink: 4 events, 0 lost\nnl-sink: ./a: 4 taken\nnl-sink: ./b: 3 taken, 1 dropped below @warn' ]
}

@test "A failure of nl-sink is one for what wraps it, and never one of the command that sends events" {
	some 4 ev
	run -1 nl-retry -n2 -b constant:0 -j none nl-sink ./none/such <ev
	run -0 nl-retry -n2 -b constant:0 -j none sh -c '[ $NL_ATTEMPT = 1 ] || mkdir none; exec nl-sink ./none/such' <ev
	cmp none/such ev
	NL_EVENTS=fd:5 run -0 nl-timeout 10 true 5> >(exec nl-sink /dev/full 2>/dev/null)
	NL_EVENTS=fd:5 run -0 nl-timeout 10 true 5> >(exec nl-sink ./live)
	wait_for 5 grep -qs run.ended live
}
