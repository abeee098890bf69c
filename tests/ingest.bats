#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# How nl-observe reads: sources, the account of lines, --tee, --follow, snapshots.
# The sentences are those of nl-observe(1).
# shellcheck disable=SC2001,SC2002,SC2016,SC2030,SC2031,SC2154  # text for inner shells; pipes are meant; each test is a subshell; set by run and start
bats_require_minimum_version 1.5.0
load helper

# stats ARG...: the account into the file stats; the ten kinds of lines add up.
stats() {
	nl-observe --stats "$@" >stats || return
	awk '$1 == "lines" { exit n != $2 } { n += $2 }' stats
}

value() { sed -n "s/^$1 //p" "${2-stats}"; }

# has KEY N...: those lines are in the account.
has() {
	while (($#)); do
		[[ $(value "$1") == "$2" ]] || { cat stats; echo "$1 is not $2"; return 1; }
		shift 2
	done
}

# log FILE [N]: what N (3) runs of nl-retry tell, 4 events each.
log() {
	local i

	for ((i = 0; i < ${2-3}; i++)); do
		NL_EVENTS=$1 nl-retry -n2 -b const:1ms -j none --name "${3-db}" false || :
	done
}

at_terminal() { pty -t 20 "$@" <<<$'until ! kill -0 $leader 2>/dev/null'; }

# observe ARG...: in the background; its output is in out, its messages in err.
observe() { start nl-observe "$@" >out 2>err; }
ends() { local st=0; wait "$pid" || st=$?; ((st == $1)) || { echo "status $st"; return 1; }; }
told() { grep -q "$1" "${2-err}"; }
counts() { grep -qx "ok $1" out; }

@test "Without a SOURCE it reads standard input" {
	log ./ev
	nl-observe --stats <ev >stats
	has ok 12 lines 12
	cat ev | nl-observe --stats >stats
	has ok 12 lines 12
	nl-observe --stats - <ev >stats
	has ok 12
}

@test "If standard input is a terminal, it reads what NL_EVENTS names" {
	mkdir dir
	log ./dir/
	NL_EVENTS="human+$PWD/dir/@debug" at_terminal nl-observe --stats >out
	grep -q '^ok 12' out
	NL_EVENTS=stderr at_terminal nl-observe >out
	grep -q 'nl-observe: missing SOURCE: a file of events' out
}

@test "Several sources are read as one" {
	log ./a
	log ./b 2
	log ./c 1
	stats a b - <c
	has ok 24 lines 24 runs 6 lost 0
}

@test "A word without a slash that is the name of a query is that query" {
	log ./list
	stats ./list
	has ok 12
	[ "$(nl-observe rate db ./list)" = 1 ]
	[ "$(nl-observe list --json list </dev/null | jq -r .requests)" = 3 ]
}

@test "Options may stand anywhere before a --" {
	log ./ev
	[ "$(nl-observe rate db --window 5m ev)" = 1 ]
	[ "$(nl-observe --window 5m rate db ev)" = 1 ]
	[ "$(nl-observe rate db ev --window 5m)" = 1 ]
	mv ev ./--json
	[ "$(nl-observe rate db -- --json)" = 1 ]
}

@test "A first word that is neither a query nor a file is an error that names the nearest query" {
	run -125 nl-observe sumary </dev/null
	[ "$output" = 'nl-observe: sumary: neither a query nor a file, did you mean summary?' ]
	run -125 nl-observe xyzzy </dev/null
	[ "$output" = 'nl-observe: xyzzy: neither a query nor a file (try --help)' ]
	run -125 nl-observe rate
	[[ $output == 'nl-observe: rate: missing operand (nl-observe rate POLICY)' ]]
	run -125 nl-observe list ./none
	[ "$output" = 'nl-observe: cannot open ./none: No such file or directory' ]
	run -125 nl-observe --windwo 5m list </dev/null
	[ "$output" = 'nl-observe: --windwo: unknown option, did you mean --window?' ]
	run -125 nl-observe --every 1s list </dev/null
	[ "$output" = 'nl-observe: --every: only with --follow' ]
}

@test "A folder is all its segments, in the order of their names" {
	mkdir dir
	log ./dir/20261124T12.ndjson
	log ./dir/20261124T11.ndjson 2
	gzip -c dir/20261124T11.ndjson >dir/20261124T10.ndjson.gz
	log ./dir/other
	log ./dir/.20261124T13.ndjson
	stats dir
	has ok 20 dup 8 runs 5
	stats dir/
	has ok 20 dup 8
	mkdir empty
	stats empty
	has lines 0
}

@test "A FIFO is read until all who write to it have left" {
	mkfifo fifo
	start nl-observe --stats fifo >stats
	NL_EVENTS=fifo:$PWD/fifo nl-retry -n2 -b const:1ms nl-retry -n2 -b const:1ms false 3>fifo || :
	wait "$pid"
	has ok 10 lost 0
}

@test "unix:PATH is a socket that nl-observe makes, mode 660 less the umask, and removes at the end" {
	(umask 007; exec nl-observe -F --stats unix:sock >stats 3>&-) &
	pid=$!
	wait_for 5 test -S sock
	[ "$(stat -c %a sock)" = 660 ]
	NL_EVENTS=unix:$PWD/sock nl-retry -n2 -b const:1ms false || :
	NL_EVENTS=unix:$PWD/sock nl-retry -n2 -b const:1ms false || :
	kill -TERM "$pid"
	ends 143
	[ ! -e sock ]
	has ok 8 runs 2 lost 0
	umask 077
	start nl-observe --stats unix:sock >stats
	wait_for 5 test -S sock
	[ "$(stat -c %a sock)" = 600 ]
	kill -TERM "$pid"
	ends 143
}

@test "unix:stream:PATH is the same, for connections" {
	start nl-observe --stats unix:stream:sock >stats
	wait_for 5 test -S sock
	for _ in 1 2 3; do
		NL_EVENTS=unix:$PWD/sock nl-retry -n2 -b const:1ms false || :
	done
	kill -INT "$pid"
	ends 130
	[ ! -e sock ]
	has ok 12 runs 3 lost 0
}

# spaced: of the calls in ./trace, with their times, none is within half a second of another; there are N.
spaced() { awk -v n="$1" '{ if (NR > 1 && $1 - at < .5) exit 2; at = $1 } END { exit NR < n }' trace; }

@test "Who cannot be accepted now waits and costs nothing: without a descriptor, and beyond 1000 connections" {
	inject='accept4:error=EMFILE:when=1..2'
	start strace -D -qq -ttt -o trace -e trace=accept4 -e inject=$inject nl-observe --stats --every 100ms -F unix:stream:sock >out 2>err
	wait_for 5 test -S sock
	NL_EVENTS=unix:$PWD/sock nl-timeout 5 true
	wait_for 10 grep -q '^ok [1-9]' out
	head -n 3 trace >first && mv first trace
	spaced 3
	kill -TERM "$pid"
	wait "$pid" || :
	for what in '-F --scrape unix:prom unix:sock' '-F --socket prom serve unix:sock'; do
		# shellcheck disable=SC2086
		start strace -D -qq -ttt -o trace -e trace=accept4 -e inject=$inject nl-observe $what >out 2>err
		wait_for 5 test -S prom
		timeout 20 perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new(Peer => "prom"); print $s "GET /metrics HTTP/1.0\r\n\r\n"; print scalar <$s>' >answer
		[ -s answer ]
		head -n 3 trace >first && mv first trace
		spaced 3
		kill -TERM "$pid"
		wait "$pid" || :
	done
	ulimit -n 4096 || :
	start strace -D -qq -o trace -e trace=poll,ppoll nl-observe --stats --every 200ms -F unix:stream:sock >out 2>err
	wait_for 5 test -S sock
	perl -MIO::Socket::UNIX -e '$| = 1; for (0 .. 1000) { $s[$_] = IO::Socket::UNIX->new(Peer => "sock") or die } print "all\n"; sleep' >there 2>&1 3>&- &
	crowd=$!
	wait_for 20 grep -q all there
	before=$(wc -l <trace)
	# shellcheck disable=SC2034
	printed=$(wc -l <out)
	wait_for 10 eval '(($(wc -l <out) > printed + 60))'
	(($(wc -l <trace) - before < 100))
	kill "$crowd" "$pid"
	wait "$crowd" "$pid" || :
}

@test "A socket that a dead process left is replaced; nothing else is" {
	start nl-observe unix:sock
	wait_for 5 test -S sock
	run -125 nl-observe unix:stream:sock
	[ "$output" = 'nl-observe: sock: somebody listens there already' ]
	run -125 nl-observe unix:sock
	[ "$output" = 'nl-observe: sock: somebody listens there already' ]
	kill -KILL "$pid"
	wait "$pid" || :
	[ -S sock ]
	start nl-observe --stats unix:sock >stats
	wait_for 5 sh -c '! test -S sock || NL_EVENTS=unix:$PWD/sock nl-timeout 5 true; kill -TERM "$1"; sleep .01; ! kill -0 "$1"' sh "$pid"
	wait "$pid" || :
	echo text >file
	run -125 nl-observe unix:file
	[ "$output" = 'nl-observe: file: is there and is no socket' ]
	[ "$(cat file)" = text ]
	run -125 nl-observe "unix:$(printf %0200d 0)"
	[[ $output == *"a socket's path has 1 to 107 bytes" ]]
}

@test "Compressed files, FIFOs and pipes are known by their first bytes, not by their names" {
	local z n=0

	mkfifo fifo
	start nl-observe -F --stats --every 10ms fifo >out 2>err

	log ./ev
	for z in gzip zstd xz bzip2; do
		"$z" -c <ev >packed
		stats packed
		has ok 12 lines 12
		nl-observe --stats <packed >stats
		has ok 12
		cat packed | nl-observe --stats >stats
		has ok 12 lines 12
		# Of a writer who writes byte by byte, too.
		dd if=packed bs=1 status=none | nl-observe --stats >stats
		has ok 12
		# Until the decompressor has gone, the FIFO is its own.
		wait_for 5 eval 'ls -l /proc/$pid/fd | grep -q fifo'
		cat packed >fifo
		wait_for 5 grep -qx "lines $((n += 12))" out
	done
	wait_for 5 eval 'ls -l /proc/$pid/fd | grep -q fifo'
	cat ev >fifo
	wait_for 5 grep -qx "lines $((n += 12))" out
	kill -TERM "$pid"
	ends 143
	[ ! -s err ]
	printf 'B' | nl-observe --stats >stats
	has not_event 1
	printf 'BZ is not enough\n' | nl-observe --stats >stats
	has not_event 1
}

@test "A source that cannot be read to its end is said, the others are, and the status is 125" {
	log ./ev
	eventgen -n 1000 | gzip -c | head -c 20000 >broken.gz
	run -125 --separate-stderr nl-observe --stats broken.gz ev
	grep -qx 'nl-observe: broken.gz: gzip failed: what came before is counted' <<<"$stderr"
	echo "$output" >stats
	[ "$(value ok)" -gt 100 ]
	run -125 --separate-stderr nl-observe --stats - <<<"$(printf 'BZh9 is no bzip2')"
	run -125 --separate-stderr nl-observe --stats < <(cat broken.gz)
	grep -qx 'nl-observe: -: gzip failed: what came before is counted' <<<"$stderr"
	run -125 nl-observe ev /proc/self/mem
	[[ $output == *'nl-observe: /proc/self/mem: cannot be read on: Input/output error'* ]]
}

@test "What a snapshot knows is added, as if the lines had been read here" {
	log ./a
	log ./b 2
	nl-observe --snapshot snap list a >/dev/null
	stats snap b
	has ok 20 lines 20 runs 5
	[ "$(nl-observe list --json snap b | jq -r .requests)" = 5 ]
}

@test "A snapshot knows of no single events: what is asked about them is refused" {
	export NL_EVENTS=$PWD/ev
	for _ in 1 2 3; do
		status_of nl-breaker -f 2 -o 1h db false >/dev/null
	done
	at=$(tail -n1 ev | jq -r .time)
	nl-observe --snapshot snap list ev >/dev/null
	for query in 'explain db' 'explain 0123456789abcdef' blame verify 'verify db' 'replay --set breaker/db.failures=5' "diff $at" 'export --as ecs'; do
		what=${query%% *}
		[[ $what != diff ]] || what='diff TIME'
		[[ $what != export ]] || what='export of events'
		for sources in snap 'ev snap'; do
			# shellcheck disable=SC2086
			run -125 nl-observe $query $sources
			[ "$output" = "nl-observe: snap: a snapshot knows of no single events, which $what is about" ]
		done
		[[ $what != export* ]] || continue
		# shellcheck disable=SC2086
		run -125 nl-observe --snapshot new $query ev
		[ "$output" = "nl-observe: --snapshot: knows of no single events, which $what is about" ]
		[ ! -e new ]
	done
	# Sums are enough for two logs, and an export that goes on has the new events alone.
	nl-observe diff snap ev >out
	nl-observe --snapshot more export --as ecs ev | wc -l | grep -qx "$(wc -l <ev)"
	run -0 nl-observe --snapshot more export --as ecs ev
	[ -z "$output" ]
}

@test "With --follow, files are read on when they grow" {
	log ./ev 1
	observe -F --stats --every 10ms ev
	wait_for 5 counts 4
	log ./ev 1
	wait_for 5 counts 8
	printf '%s' "$(head -n1 ev | cut -c1-100)" >>ev
	log ./ev 1
	wait_for 5 counts 12
	kill -TERM "$pid"
	ends 143
	[ ! -s err ]
}

@test "With --follow, new segments are found" {
	mkdir dir
	log ./dir/20261124T12.ndjson 1
	observe -F --stats --every 10ms dir
	wait_for 5 counts 4
	log ./dir/20261124T13.ndjson 1
	wait_for 5 counts 8
	log ./dir/20261124T12.ndjson 1
	wait_for 5 counts 12
	log ./dir/ 1
	wait_for 5 counts 16
	rm dir/20261124T12.ndjson
	log ./dir/20261124T14.ndjson 1
	wait_for 5 counts 20
	mv dir old
	mkdir dir
	log ./dir/20261124T15.ndjson 1
	wait_for 5 counts 24
	kill -TERM "$pid"
	ends 143
}

@test "With --follow, nothing that was there at the start is late, and what arrives is when it is older than --lateness" {

	log ./ev 1
	sed 's/"time":"[0-9-]*T[0-9:]*/"time":"2020-01-01T00:00:00/; s/"run":"..../"run":"ffff/' ev >old
	mkdir dir
	cp ev dir/1.ndjson
	sed 's/"run":"ffff/"run":"eeee/' old >dir/2.ndjson
	sed 's/"run":"ffff/"run":"dddd/' old | gzip >dir/3.ndjson.gz
	observe -F --stats --every 10ms ev old dir
	wait_for 5 counts 16
	grep -qx 'late 0' out
	sed 's/"run":"ffff/"run":"cccc/' old >>dir/2.ndjson
	wait_for 5 grep -qx 'late 4' out
	sed 's/"run":"ffff/"run":"bbbb/' old >dir/4.ndjson
	wait_for 5 grep -qx 'late 8' out
	kill -TERM "$pid"
	ends 143
	observe -F --stats --every 10ms --lateness 5s ev old
	wait_for 5 grep -qx 'late 4' out
	kill -TERM "$pid"
	ends 143
	observe -F --stats --every 10ms --lateness inf ev
	wait_for 5 counts 4
	cat old >>ev
	wait_for 5 counts 8
	kill -TERM "$pid"
	ends 143
}

@test "With --follow, a FIFO is opened again when its writers have left" {
	mkfifo fifo
	observe -F --stats --every 10ms fifo
	for n in 4 8 12; do
		wait_for 5 sh -c 'NL_EVENTS="fifo:$PWD/fifo|./missed" nl-retry -n2 -b const:1ms false; rm missed 2>/dev/null && exit 1; exit 0'
		wait_for 5 counts "$n"
	done
	kill -TERM "$pid"
	ends 143
}

@test "A file that becomes shorter is said, and read from its beginning" {
	log ./ev 2
	observe -F --stats --every 10ms ev
	wait_for 5 counts 8
	: >ev
	wait_for 5 told '^nl-observe: ev: was truncated: it is read from its beginning$'
	log ./ev 1
	wait_for 5 counts 12
	kill -TERM "$pid"
	ends 143
}

@test "A file whose name belongs to another is said; what the old one still had is read first" {
	log ./ev 1
	log ./new 1
	observe -F --stats --every 10ms ev
	wait_for 5 counts 4
	mv ev old
	log ./old 1
	wait_for 5 counts 8
	mv new ev
	wait_for 5 counts 12
	told '^nl-observe: ev: was replaced by another file: it is read from its beginning$'
	log ./ev 1
	wait_for 5 counts 16
	kill -TERM "$pid"
	ends 143
}

@test "Told to stop, it prints the answer and dies of that signal" {
	log ./ev
	for sig in INT TERM HUP; do
		observe -F list --json ev
		wait_for 5 sh -c 'test -e out && ls -l /proc/$1/fd | grep -q /ev$' sh "$pid"
		kill -"$sig" "$pid"
		ends $((128 + $(kill -l "$sig")))
		[ "$(jq -r .requests out)" = 3 ]
	done
}

@test "What comes on a pipe is read to its end when told to stop, but for no more than a second" {
	mkfifo pipe
	exec 9<>pipe
	(exec nl-observe --stats <pipe >out 2>err 3>&- 9>&-) &
	pid=$!
	wait_for 5 eval '[ "$(cat /proc/$pid/comm)" = nl-observe ] && grep -q "^State:.S" /proc/$pid/status'
	log ./ev 1
	head -n2 ev >&9
	kill -TERM "$pid"
	tail -n+3 ev >&9
	exec 9>&-
	ends 143
	counts 4
	exec 9<>pipe
	(exec nl-observe --stats <pipe >out 2>err 3>&- 9>&-) &
	pid=$!
	wait_for 5 eval '[ "$(cat /proc/$pid/comm)" = nl-observe ] && grep -q "^State:.S" /proc/$pid/status'
	cat ev >&9
	kill -TERM "$pid"
	ends 143
	exec 9>&-
	counts 4
}

@test "What has come to a socket or to a followed FIFO is read when told to stop" {
	local kind

	mkfifo fifo
	exec 9<>fifo
	for kind in unix:sock unix:stream:sock fifo; do
		start nl-observe -F --stats "$kind" >out 2>err 9>&-
		wait_for 5 eval '[ -S sock ] || [ "$kind" = fifo ] && grep -q "^State:.S" /proc/$pid/status && grep -q nl-observe /proc/$pid/comm'
		kill -STOP "$pid"
		NL_EVENTS="unix:$PWD/sock|fifo:$PWD/fifo" nl-retry -n2 -b const:1ms false 9>&- || :
		kill -TERM "$pid"
		kill -CONT "$pid"
		ends 143
		counts 4
	done
	exec 9>&-
}

@test "An event begins at the last mark of a line, whatever is in front of it" {
	local i pids=()
	for i in 1 2 3; do
		nl-retry --events=stderr -n20 -b const:1ms -j none sh -c 'printf "half a line" >&2; printf "and more\n\n{\"nl\":1,\"time\":\"2026" >&2; exit 1' 2>>both 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || :
	done
	stats both
	has runs 3 ended 3 sent 66 lost 0 ok 66
	[ "$(value not_event)" -gt 0 ]
}

@test "Each line is exactly one of ten kinds, and --stats prints their numbers" {
	log ./ev 1
	first=$(head -n1 ev)
	{
		cat ev
		echo text
		echo
		echo "${first%??????}"
		echo "${first/\"sev\":/\"sev\":x}"
		echo "${first%\}},\"policy\":\"db\"}"
		echo "${first%\}},\"x\":\"$(printf %05000d 0)\"}"
		echo "{\"nl\":2,${first#*,}"
		echo "$first"
	} >all
	stats all
	has ok 4 not_event 2 torn 1 bad_json 1 dup_key 1 too_long 1 newer 1 dup 1 late 0 skewed 0 lines 12
	nl-observe --stats --json all | jq -e '.lines == 12 and .newer == 1'
	echo "${first/\"time\":\"20??-/\"time\":\"2099-}" | sed 's/"seq":[0-9]*/"seq":90/' >future
	start nl-observe --stats unix:sock >stats
	wait_for 5 test -S sock
	writer() { perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => "sock"); while (<>) { $s->send($_) }' "$@"; }
	writer ev future
	sed 's/"time":"[0-9-]*T[0-9:]*/"time":"2020-01-01T00:00:00/; s/"seq":/"seq":7/' ev >old
	head -n1 old >late
	writer late
	kill -TERM "$pid"
	wait "$pid" || :
	has ok 4 skewed 1 late 1 lines 6
}

@test "Nothing is passed over in silence: damaged lines of any kind add up" {
	log ./ev 6
	for seed in {1..8}; do
		awk -v seed="$seed" 'BEGIN { srand(seed) } {
			r = rand(); n = length($0); at = 1 + int(rand() * n)
			if (r < .1) printf "%s", substr($0, 1, at)
			else if (r < .2) print substr($0, at)
			else if (r < .3) print substr($0, 1, at) "\n" substr($0, at + 1)
			else if (r < .4) print substr($0, 1, at - 1) substr("\"{}[],:\\\001", 1 + int(rand() * 9), 1) substr($0, at + 1)
			else if (r < .5) print $0 $0
			else if (r < .6) print substr($0, 1, at) last
			else if (r < .7) { print "text " $0; print $0 " text" }
			else if (r < .75) printf "%s\r\n", $0
			else print
			last = $0 }' ev ev >damaged
		stats damaged
		has lines "$(awk 'END { print NR }' damaged)"
		cat damaged | nl-observe --stats >again
		diff stats again
	done
}

@test "Of a line that is longer than 64 KiB only the last 8 KiB are searched for an event" {
	log ./ev 1
	{
		head -c 200000 /dev/zero | tr '\0' x
		head -n1 ev
		head -c 65000 /dev/zero | tr '\0' y
		sed -n 2p ev
		head -c 100000 /dev/zero | tr '\0' z
		echo
		sed -n 3p ev | tr -d '\n'
		head -c 70000 /dev/zero
		echo
		sed -n 4p ev
	} >long
	stats long
	has ok 3 too_long 2 lines 5
	cat long | nl-observe --stats >again
	diff stats again
}

@test "A file of text, NUL, a line of 10 MiB, a torn last line and half a mark is counted, status 0" {
	log ./ev 2
	{
		echo 'plain text'
		head -n4 ev
		printf 'a\0b\0\n'
		head -c 10485760 /dev/zero | tr '\0' x
		echo
		printf '{"nl":\n{"ev":\n'
		tail -n4 ev | head -n3
		tail -n1 ev | head -c 100
	} >mixed
	stats mixed
	has ok 7 not_event 4 too_long 1 torn 1 lines 13 lost 0
}

@test "A gigabyte without a newline is read in bounded memory" {
	log ./ev 1
	{ head -c 1G /dev/zero; cat ev; } | (ulimit -v 80000; nl-observe --stats - ev) >stats
	has ok 4 lines 8 dup 4
}

@test "Policies without end are counted in bounded memory" {
	eventgen -n 300000 -p 300000 -f 5000 >many
	(ulimit -v 100000; nl-observe --stats many) >stats
	[ "$(value series)" -le 2001 ]
	[ "$(value overflowed)" -gt 0 ]
	[ "$(value ok)" -ge 300000 ]
	(ulimit -v 80000; nl-observe --stats --max-series 10 many) >stats
	[ "$(value series)" -le 11 ]
}

@test "--max-series is from 1 to 60000, and --every longer than 0" {
	: >ev
	for n in inf 0 60001 100000; do
		run -125 nl-observe --max-series $n list ev
		[[ $output == 'nl-observe: --max-series: '* ]]
	done
	run -0 nl-observe --max-series 60000 list ev
	for t in 0 0s; do
		run -125 nl-observe -F --every $t list ev
		[ "$output" = 'nl-observe: --every: longer than 0' ]
	done
}

@test "Of more policies than --max-series those with the shortest names are kept, whatever the order of lines" {
	local name file

	for name in long-name b job-17 c a long-job job-9 b job-17; do
		log ./ev 1 "$name"
	done
	shuf ev >mixed
	# A series that is gone when the next of its lines is taken, and was not when it was read.
	{ grep -e long-name -e job-17 ev; grep -e policy\":\"a ev; grep -e long-name -e job-17 ev; cat ev; } >again
	for file in ev mixed again; do
		run -0 nl-observe --max-series 4 list --json "$file"
		[ "$(jq -r .policy <<<"$output" | LC_ALL=C sort | tr '\n' ' ')" = '_overflow a b c job-9 ' ]
		[ "$(jq -r 'select(.policy == "_overflow").requests' <<<"$output")" = 4 ]
		stats --max-series 4 "$file"
		has overflowed 12 series 5
		nl-observe --max-series 4 --snapshot "snap.$file" list "$file" >/dev/null
	done
	diff <(grep -v -e ^mark -e ^sum snap.ev) <(grep -v -e ^mark -e ^sum snap.mixed)
	# A snapshot has no limits of its own.
	nl-observe --snapshot all list ev >/dev/null
	nl-observe --snapshot all --max-series 4 list ev >/dev/null
	diff <(grep -v -e ^mark -e ^sum snap.ev) <(grep -v -e ^mark -e ^sum all)
}

@test "--tee passes what is no event on unchanged, byte for byte, and takes events out" {
	log ./ev 1
	{
		printf 'text\nmore text\n\n\0\377\n'
		sed -n 1p ev
		printf 'half a line '
		sed -n 2p ev
		printf 'and its rest\r\n'
		printf '{"nl":1,"torn":'
		sed -n 3p ev
		sed -n 4p ev | tr -d '\n'
		printf ' text behind\n'
		printf '{"nl":1,"half":\nno newline at the end'
	} >both
	printf 'text\nmore text\n\n\0\377\nhalf a line and its rest\r\n{"nl":1,"torn": text behind\n{"nl":1,"half":\nno newline at the end' >want
	nl-observe --tee --stats both 2>err >stats
	cmp want err
	has ok 4
	for size in 1 7 64; do
		dd if=both bs="$size" status=none | nl-observe --tee --stats 2>err >stats
		cmp want err
	done
	head -c 300000 /dev/urandom | tr -d '{' >noise
	{ head -c 150000 noise; cat ev; tail -c+150001 noise; } | nl-observe --tee --stats 2>err >stats
	cmp noise err
}

@test "With --tee, what can be no event is passed on at once" {
	mkfifo pipe
	exec 9<>pipe
	(exec nl-observe --tee list <pipe >out 2>err 3>&- 9>&-) &
	pid=$!
	printf 'Password: ' >&9
	wait_for 5 grep -qx 'Password: ' err
	printf '{"nl' >&9
	printf ' is no event\n' >&9
	wait_for 5 grep -qx 'Password: {"nl is no event' err
	exec 9>&-
	wait "$pid"
}

@test "With --tee, what several commands say is given back without their events" {
	for _ in 1 2 3; do
		nl-retry --events=stderr -n5 -b const:1ms -j none sh -c 'printf "a\nb\n" >&2; exit 1' 2>&1 || :
	done | nl-observe --tee --stats 2>err >stats
	has ok 21 lost 0
	[ "$(tr -d '\n' <err)" = "$(printf 'ab%.0s' {1..15})" ]
}

@test "With --snapshot, what was known is gone on from, and nothing counts twice" {
	log ./ev 2
	stats --snapshot snap ev
	has ok 8
	stats --snapshot snap ev
	has ok 8 dup 0 lines 8
	log ./ev 2
	stats --snapshot snap ev
	has ok 16 dup 0 lines 16 runs 4
	nl-observe --snapshot snap --stats <ev >stats
	has ok 16 dup 0 lines 16
	nl-observe list ev >fresh
	nl-observe list snap >kept
	diff fresh kept
	gzip ev
	stats --snapshot snap ev.gz
	has ok 16 dup 16
	stats --snapshot snap ev.gz
	has ok 16 dup 16 lines 32
}

@test "A file is known by its path, or by its inode if it was renamed" {
	log ./ev 2
	stats --snapshot snap ev
	mv ev ev.1
	log ./ev 1
	stats --snapshot snap ev.1 ev
	has ok 12 dup 0 lines 12
	rm ev
	log ./ev 1
	run -0 --separate-stderr nl-observe --snapshot snap --stats ev
	[ "$stderr" = 'nl-observe: ev: is not the file that was read before: it is read from its beginning' ]
	echo "$output" >stats
	has ok 16 lines 16
}

@test "A line at the end of a file that has no newline yet is left for the next time" {
	log ./ev 1
	head -c -10 ev >part
	stats --snapshot snap part
	has ok 3 lines 3
	tail -c 10 ev >>part
	stats --snapshot snap part
	has ok 4 torn 0 lines 4
	head -c -10 ev >part
	stats part
	has ok 3 torn 1 lines 4
}

@test "Whenever it is killed, a next one counts nothing twice and loses nothing that is in the files" {
	mkdir dir
	(until [ -e enough ]; do
		NL_EVENTS=./dir/ nl-retry -n2 -b const:1ms -j none --name a false
		NL_EVENTS=./dir/20261124T13.ndjson nl-timeout 5 true
	done 2>/dev/null 3>&- || :) &
	feeder=$!
	answers() { (($(grep -c '^lines' out) >= $1)); }
	for _ in {1..10}; do
		: >out
		start nl-observe -F --every 2ms --stats --snapshot snap dir >out 2>>err
		wait_for 9 answers $((RANDOM % 4))
		kill -KILL "$pid"
		ends 137
	done
	touch enough
	wait "$feeder"
	stats --snapshot snap dir
	cp stats kept
	stats dir
	diff stats kept
	has dup 0 lost 0 torn 0
	[ "$(value ok)" -gt 10 ]
	[ ! -s err ]
}

@test "A snapshot that is damaged or none is an error, and stays as it is" {
	log ./ev 1
	nl-observe --snapshot snap list ev >/dev/null
	size=$(stat -c %s snap)
	for at in 3 100 $((size / 2)) $((size - 3)); do
		cp snap bad
		printf '\001' | dd of=bad bs=1 seek="$at" conv=notrunc status=none
		sum=$(cksum <bad)
		run -125 nl-observe --snapshot bad list ev
		[[ $output == 'nl-observe: bad: no snapshot, or not a whole one' ]]
		[ "$(cksum <bad)" = "$sum" ]
	done
	head -c $((size / 2)) snap >bad
	run -125 nl-observe --snapshot bad list ev
	run -125 nl-observe --snapshot ev list ev
	[[ $output == 'nl-observe: ev: no snapshot, or not a whole one' ]]
	[ "$(wc -l <ev)" -eq 4 ]
	run -125 nl-observe --snapshot ./none/snap list ev
	[[ $output == *'nl-observe: ./none/snap: No such file or directory' ]]
}

@test "Output that cannot be delivered is 125, and death by SIGPIPE when nobody reads" {
	log ./ev 1
	run -125 sh -c 'nl-observe list ev >/dev/full'
	[ "$output" = 'nl-observe: stdout: No space left on device' ]
	run -125 sh -c 'nl-observe list ev >&-'
	run bash -c 'nl-observe list ev | true; echo ${PIPESTATUS[0]}'
	[[ $output == 141 || $output == 0 ]]
	mkfifo out.fifo
	(exec nl-observe -F --every 10ms list ev >out.fifo 3>&-) &
	pid=$!
	head -n1 out.fifo >/dev/null
	ends 141
	seq 100000 >text
	run bash -c 'nl-observe --tee text 2>&1 >/dev/null | head -n1; echo ${PIPESTATUS[0]}'
	[ "$output" = $'1\n141' ]
}

@test "Lost is exactly what those that ended have sent and was not read" {
	eventgen -n 20000 -l 200 -x 50 -d 500 -f 1000 -o 50 -a truth >ev
	stats ev
	for key in dup ended sent lost lines; do
		[ "$(value "$key" truth)" = "$(value "$key")" ] || { cat truth stats; false; }
	done
	[ "$(value killed)" -le "$(value killed truth)" ]
	shuf ev >mixed
	stats mixed
	[ "$(value lost truth)" = "$(value lost)" ]
}
