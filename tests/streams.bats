#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What goes into the command and what comes out of it: stdin of a retry, held
# and quiet output, large, early closed, full and broken streams.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154  # text for inner shells; each test is a subshell; set by run
bats_require_minimum_version 1.5.0
load helper
load victim

# What a jq filter makes of the events so far.
ev() {
	jq -r "$1" "$NL_EVENTS"
}

# nl-retry that hardly waits.  Not for pipes: the shell that runs a function
# in a pipeline has that pipe as its stdin, too.
soon() {
	nl-retry -b constant:1ms -j none "$@"
}

calls() {
	wc -c <n
}

# The sum of what writer writes.
pattern() {
	writer -b "$1" | cksum
}

@test "nl-timeout and nl-retry give the command the very descriptors that they have" {
	for tool in 'nl-timeout 10' nl-retry 'nl-retry -n 2 nl-timeout 10'; do
		: >in
		# shellcheck disable=SC2086
		$tool sh -c 'readlink /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 >names' <in >out 2>err
		[ "$(cat names)" = "$PWD/in"$'\n'"$PWD/names"$'\n'"$PWD/err" ]
		# shellcheck disable=SC2086
		$tool stat -L -c %i /dev/stdin /dev/stdout /dev/stderr <in >out 2>err
		[ "$(xargs <out)" = "$(stat -c %i in out err | xargs)" ]
	done
}

@test "A regular file on stdin is rewound to where it was for each attempt" {
	printf 'one\ntwo\nthree\n' >in
	{
		read -r _
		run -0 soon -n 3 flaky n cat1 cat2 cat0
	} <in
	[ "$output" = $'call 1\ntwo\nthree\ncall 2\ntwo\nthree\ncall 3\ntwo\nthree' ]
}

@test "A pipe on stdin is recorded as it is read and replayed to each attempt" {
	writer -b 300000 >want
	writer -b 300000 | nl-retry -b constant:1ms -j none -n 3 flaky -q n cat1 cat1 cat0 >got
	cat want want want | cmp - got
	printf 'abc' | nl-retry -b constant:1ms -j none -n 4 sh -c 'head -c "$NL_ATTEMPT"; echo; test "$NL_ATTEMPT" = 3' >got
	[ "$(cat got)" = $'a\nab\nabc' ]
}

@test "A command that reads a line gets it before the pipe ends" {
	mkfifo rest
	(
		echo first
		cat rest
	) | nl-retry -b constant:1ms -j none -n 2 sh -c 'read -r x; echo "$x" >>seen; cat >>seen; flaky -q n 1 0' 3>&- &
	wait_for 5 grep -qs first seen
	echo second >rest
	wait "$!"
	[ "$(cat seen)" = $'first\nsecond\nfirst\nsecond' ]
}

@test "600 kB that wait in a pipe whose writer has gone all arrive" {
	run -0 plumb in 600000 nl-retry wc -c
	[ "$output" = 600000 ]
	run -0 plumb in 600000 nl-retry -b constant:1ms sh -c 'cat | cksum; flaky -q n 1 0'
	[ "${lines[0]}" = "$(pattern 600000)" ]
	[ "${lines[1]}" = "$(pattern 600000)" ]
	run -0 plumb in 600000 nl-timeout 10 wc -c
	[ "$output" = 600000 ]
}

@test "50 MB through a pipe arrive twice when the first attempt fails at their end" {
	writer -b 50000000 | nl-retry -b constant:1ms -j none sh -c 'cksum; flaky -q n 1 0' >got
	[ "$(sort -u got)" = "$(pattern 50000000)" ]
	[ "$(wc -l <got)" = 2 ]
}

@test "A command that closes its stdout still gets all of its stdin" {
	for o in '' -O; do
		# shellcheck disable=SC2086
		seq 200000 | nl-retry $o sh -c 'exec >&-; wc -l >&2' >out 2>err
		[ "$(cat err)" = 200000 ]
	done
	seq 200000 | nl-timeout -i 10 20 sh -c 'exec >&-; wc -l >&2' >out 2>err
	[ "$(cat err)" = 200000 ]
}

@test "A command that does not read its stdin is not disturbed by it" {
	mkfifo go
	(read -r x <go; echo "$x") | nl-retry -b constant:1ms -j none sh -c 'exec <&-; test -e n || echo x >go; flaky -q n 1 0; s=$?; echo hi; exit $s' >out
	[ "$(cat out)" = $'hi\nhi' ]
	t=$(ms)
	yes | head -c 50000000 | nl-retry true
	[ "${PIPESTATUS[2]}" = 0 ]
	[ $(($(ms) - t)) -lt 5000 ]
}

@test "nl-retry ends with its command and not with its stdin" {
	mkfifo in
	exec 7<>in
	t=$(ms)
	run -0 bash -c 'exec nl-retry true <in'
	(exec cat in 7>&-) | nl-retry -n 2 -b constant:1ms flaky n 1 0 7>&- 3>&- &
	wait_for 5 test -e n
	wait_for 5 grep -q .. n
	[ $(($(ms) - t)) -lt 5000 ]
	exec 7>&-
	wait "$!"
}

@test "A loop that reads keeps its stdin" {
	printf 'a\nb\nc\n' | while read -r l; do
		soon -n 2 sh -c 'exit $((NL_ATTEMPT < 2))'
		nl-timeout 10 true
		echo "$l"
	done >got
	[ "$(cat got)" = $'a\nb\nc' ]
	printf 'a\nb\nc\n' | sh -c 'while read -r l; do nl-retry true; nl-timeout 10 true; echo "$l"; done' >got
	[ "$(cat got)" = $'a\nb\nc' ]
}

@test "After a failed attempt that read from a shared pipe there is no retry, and the message names --stdin=replay" {
	judged=$NL_EVENTS
	NL_EVENTS="human+$judged" run --separate-stderr -0 sh -c 'seq 1000 | sh -c "read -r one; nl-retry -n 3 -b constant:1ms flaky n eat7 0; test \$? = 7"'
	[ "$output" = "call 1" ]
	[[ $stderr == *nl-retry*--stdin=replay* ]]
	[ "$(ev 'select(.event=="nl.retry.exhausted") | "\(.reason) \(.attempts)"')" = "stdin 1" ]
}

@test "After a failed attempt that read a shared pipe to its end there is no retry" {
	run -0 sh -c 'seq 3 | sh -c "nl-retry -n 3 -b constant:1ms flaky n cat7 0; test \$? = 7"'
	[ "$output" = $'call 1\n1\n2\n3' ]
	[ "$(ev 'select(.event=="nl.retry.exhausted") | .reason')" = stdin ]
}

@test "After a failed attempt that left a shared pipe alone there is a retry" {
	run -0 sh -c 'seq 3 | sh -c "nl-retry -n 3 -b constant:1ms flaky n 7 7 cat0; :"'
	[ "$output" = $'call 1\ncall 2\ncall 3\n1\n2\n3' ]
}

@test "--stdin replay replays a shared pipe, too" {
	run -0 sh -c 'seq 3 | sh -c "nl-retry --stdin=replay -n 3 -b constant:1ms flaky n cat7 cat0; :"'
	[ "$output" = $'call 1\n1\n2\n3\ncall 2\n1\n2\n3' ]
	seq 3 >in
	run -0 soon --stdin replay flaky n2 cat1 cat0 <in
	[ "$output" = $'call 1\n1\n2\n3\ncall 2\n1\n2\n3' ]
}

@test "--stdin inherit gives each attempt what the one before has left" {
	run -0 sh -c 'printf abc | nl-retry --stdin inherit -n 3 -b constant:1ms flaky -q n eat7 eat7 cat0'
	[ "$output" = c ]
	printf 'abc' >in
	run -0 soon --stdin inherit flaky -q n2 eat1 cat0 <in
	[ "$output" = bc ]
}

@test "--stdin null gives the command an empty stdin" {
	run -0 sh -c 'seq 3 | nl-retry --stdin null -n 2 -b constant:1ms flaky n cat1 cat0'
	[ "$output" = $'call 1\ncall 2' ]
	run -0 sh -c 'seq 3 | { nl-retry --stdin null cat; cat; }'
	[ "$output" = $'1\n2\n3' ]
}

@test "A terminal on stdin is the command's" {
	for o in '' '--stdin auto' '--stdin inherit'; do
		run -0 script -qec "nl-retry -b constant:1ms $o sh -c 'test -t 0 && echo yes; flaky -q n.$RANDOM 1 0'" /dev/null </dev/null
		[ "$(tr -d '\r' <<<"$output" | grep -c '^yes$')" = 2 ]
	done
	run -0 script -qec "nl-timeout 10 test -t 0" /dev/null </dev/null
}

@test "Stdin that is closed stays closed" {
	for tool in 'nl-timeout 10' 'nl-retry -n 1'; do
		run -1 sh -c "exec $tool readlink /proc/self/fd/0 <&-"
		[ -z "$output" ]
	done
}

@test "A recording goes to disk when it is large, and needs little memory" {
	mkdir spill
	run -0 bash -c 'ulimit -v 60000; export TMPDIR=$PWD/spill
		head -c 200000000 /dev/zero | nl-retry -n 2 -b constant:1ms --stdin=replay sh -c "cat >/dev/null; grep VmHWM /proc/\$PPID/status; exit \$((NL_ATTEMPT < 2))"'
	[ "${#lines[@]}" = 2 ]
	[ "$(awk '$2 > max { max = $2 } END { print max }' <<<"$output")" -lt 4096 ]
	[ -z "$(ls -A spill)" ]
}

@test "A recording that cannot grow lets the attempt go on, and no retry follows" {
	run -0 bash -c 'head -c 50000000 /dev/zero | (ulimit -f 2000; exec nl-retry -n 3 -b constant:1ms sh -c "wc -c | cat; exec flaky -q n 7 0"); test $? = 7'
	[ "$output" = 50000000 ]
	[ "$(calls)" = 1 ]
	[ "$(ev 'select(.event=="nl.retry.exhausted") | .reason')" = spool ]
	[ "$(ev 'select(.event=="nl.state.degraded") | .reason' | wc -l)" = 1 ]
	[ "$(ev 'select(.event=="nl.state.degraded") | (.detail | length) > 0 and (.detail | length) <= 200')" = true ]
}

@test "A full disk stops the recording, not the attempt" {
	unshare -m true 2>/dev/null || skip "needs a mount namespace"
	mkdir small
	run -0 unshare -m bash -c 'mount -t tmpfs -o size=64k none small; export TMPDIR=$PWD/small
		head -c 50000000 /dev/zero | nl-retry -n 3 -b constant:1ms sh -c "wc -c; exec flaky -q n 7 0"; test $? = 7'
	[ "$output" = 50000000 ]
	[ "$(calls)" = 1 ]
	[ "$(ev 'select(.event=="nl.retry.exhausted") | .reason')" = spool ]
}

@test "A full disk does no harm to an attempt that succeeds" {
	unshare -m true 2>/dev/null || skip "needs a mount namespace"
	mkdir small
	run -0 unshare -m bash -c 'mount -t tmpfs -o size=64k none small; export TMPDIR=$PWD/small
		writer -b 50000000 | nl-retry cksum'
	[ "$output" = "$(pattern 50000000)" ]
}

@test "Without --hold output passes as it comes, of failed attempts, too" {
	mkfifo go
	(exec nl-retry -n 2 -b constant:1ms sh -c 'echo "out $NL_ATTEMPT"; test "$NL_ATTEMPT" = 2 || read -r x <go; flaky -q n 1 0' >out 3>&-) &
	wait_for 5 grep -q 'out 1' out
	echo >go
	wait $!
	[ "$(cat out)" = $'out 1\nout 2' ]
}

@test "--hold discards the stdout of a failed attempt and delivers that of a success" {
	for o in -O --hold; do
		rm -f n
		run --separate-stderr -0 soon $o sh -c 'echo "out $NL_ATTEMPT"; echo "err $NL_ATTEMPT" >&2; flaky -q n 1 1 0'
		[ "$output" = "out 3" ]
		[ "$stderr" = $'err 1\nerr 2\nerr 3' ]
	done
	[ "$(ev 'select(.event=="nl.retry.attempt") | .held_bytes' | sort -u)" = 6 ]
}

@test "--hold discards the output of the last attempt, too, when nl-retry gives up" {
	run --separate-stderr -4 soon -O -n 2 flaky n 4
	[ -z "$output" ]
	run --separate-stderr -124 soon -O -n 1 -t 0.2 flaky n hang
	[ -z "$output" ]
	run --separate-stderr -75 soon -O -n 1 flaky n 75
	[ -z "$output" ]
}

@test "--hold delivers nothing before the attempt has ended" {
	mkfifo go
	(exec nl-retry -O sh -c 'echo out; touch ready; read -r x <go' >out 3>&-) &
	wait_for 5 test -e ready
	linger 100
	[ ! -s out ]
	echo >go
	wait $!
	[ "$(cat out)" = out ]
}

@test "--hold of 5 MB loses nothing, also beside 5 MB of stderr" {
	[ "$(soon -O -n 1 writer -b 5000000 | cksum)" = "$(pattern 5000000)" ]
	soon -O -n 1 writer -a -n 1000 -b 10000 >out 2>err
	writer -b 10000000 >all
	[ "$(stat -c %s out)" = 5000000 ]
	[ "$(stat -c %s err)" = 5000000 ]
	# Pieces alternate: put them together again.
	split -b 10000 -d -a 4 --additional-suffix=.a out piece
	split -b 10000 -d -a 4 --additional-suffix=.b err piece
	cat piece* | cmp - all
}

@test "--hold delivers 50 MB without keeping them in memory" {
	run -0 bash -c 'ulimit -v 60000; nl-retry -O sh -c "writer -b 50000000; grep VmHWM /proc/\$PPID/status >&2" 2>peak | cksum'
	[ "$output" = "$(pattern 50000000)" ]
	[ "$(awk '{ print $2 }' peak)" -lt 4096 ]
}

@test "--hold delivers every byte as it was" {
	head -c 100000 /dev/urandom >in
	printf '\0\1\377\n\r' >>in
	soon -O cat in >out
	cmp in out
	soon -O cat <in >out
	cmp in out
}

@test "--hold does not wait for a descendant that keeps stdout open" {
	t=$(ms)
	out=$(nl-retry -O -n 1 -t 10 sh -c 'sleep 60 2>&- 3>&- & echo $! >pid; echo hi' 3>&-)
	[ $(($(ms) - t)) -lt 2000 ]
	[ "$out" = hi ]
	kill -KILL "$(cat pid)"
}

@test "--hold that cannot deliver is status 125 with the reason on stderr" {
	run --separate-stderr -125 bash -c 'nl-retry -O echo hi >/dev/full'
	[[ $stderr == "nl-retry: "*"No space left on device"* ]]
	run --separate-stderr -125 bash -c 'nl-retry -O echo hi >&-'
	[[ $stderr == "nl-retry: "* ]]
	run -125 bash -c 'ulimit -f 10; exec nl-retry -O writer -b 100000 >file'
	run -0 bash -c 'nl-retry -O true >/dev/full'
	run -0 bash -c 'nl-retry -O true >&-'
}

@test "Without --hold a command that cannot write has its own status" {
	run -1 bash -c 'nl-retry -n 1 sh -c "echo hi 2>/dev/null" >/dev/full'
	run -1 bash -c 'nl-timeout 10 sh -c "echo hi 2>/dev/null" >/dev/full'
}

@test "--hold dies of SIGPIPE when its reader has gone" {
	(exec died how nl-retry -O -n 5 -b constant:1ms writer -b 1000000) | true
	wait_for 5 test -s how
	[ "$(cat how)" = "signal 13" ]
}

@test "--hold waits for a slow reader of a pipe that does not block" {
	[ "$(plumb nonblock nl-retry -O writer -b 1000000 | plumb slow | cksum)" = "$(pattern 1000000)" ]
}

@test "Delivery of held output is part of the call and ends with its limits" {
	for line in 'nl-timeout 0.5 nl-retry -O' 'nl-retry -O -T 0.5'; do
		t=$(ms)
		# shellcheck disable=SC2086
		run -124 plumb full 1 $line echo hi
		t=$(($(ms) - t))
		between 500 "$t" 3000
	done
}

@test "Told to stop while it delivers held output, nl-retry ends" {
	(exec died how plumb full 1 sh -c 'echo $$ >pid; exec nl-retry -O sh -c "echo hi; touch end"' 3>&-) &
	wait_for 5 test -e end
	kill -TERM "$(cat pid)"
	wait_for 5 test -s how
	wait "$!" || [ $? = 143 ]
	[ "$(cat how)" = "exit 143" ]
}

@test "--quiet prints nothing on success" {
	for o in -q --quiet; do
		rm -f n
		run --separate-stderr -0 soon $o sh -c 'echo out; echo err >&2; flaky n 1 0'
		[ -z "$output" ]
		[ -z "$stderr" ]
	done
}

@test "--quiet prints both streams of the last attempt when nl-retry gives up" {
	run --separate-stderr -5 soon -q -n 2 sh -c 'echo "out $NL_ATTEMPT"; echo "err $NL_ATTEMPT" >&2; exit 5'
	[ "$output" = "out 2" ]
	[ "$stderr" = "err 2" ]
	run --separate-stderr -75 soon -q sh -c 'echo out; echo err >&2; exit 75'
	[ "$output" = out ]
	[ "$stderr" = err ]
	run --separate-stderr -143 soon -q -n 1 sh -c 'echo out; echo err >&2; kill -TERM $$'
	[ "$output" = out ]
	[ "$stderr" = err ]
}

@test "--quiet sends no events unless they are asked for" {
	judged=$NL_EVENTS
	unset NL_EVENTS
	run --separate-stderr -5 soon -q -n 2 sh -c 'exit 5'
	[ -z "$stderr" ]
	run --separate-stderr -0 soon -q --events stderr sh -c 'exit 0'
	[[ $stderr == '{"nl":1,'* ]]
	NL_EVENTS=$judged run --separate-stderr -5 soon -q -n 2 sh -c 'exit 5'
	[ -z "$stderr" ]
	NL_EVENTS=$judged
	[ "$(ev 'select(.event=="nl.request.failure") | .attempts')" = 2 ]
}

@test "--quiet and --hold keep 5 MB of both streams apart" {
	run -3 bash -c 'nl-retry -q -n 1 writer -a -n 1000 -b 10000 -x 3 >out 2>err'
	[ "$(stat -c %s out)" = 5000000 ]
	[ "$(stat -c %s err)" = 5000000 ]
}

@test "A --hold inside a --hold delivers once" {
	for fuse in 1 0; do
		rm -f n
		NL_FUSE=$fuse run --separate-stderr -0 soon -O -n 3 nl-retry -O -n 2 -b constant:1ms flaky n 1 1 1 0
		[ "$output" = "call 4" ]
	done
}

@test "Streams of any size pass nl-timeout and nl-retry, which stay small" {
	for tool in 'nl-timeout 15' 'nl-retry -n 1' 'nl-retry --stdin inherit'; do
		# shellcheck disable=SC2086
		run -0 bash -c "head -c 400000000 /dev/zero | $tool sh -c 'cat; grep VmHWM /proc/\$PPID/status >peak' | wc -c"
		[ "$output" = 400000000 ]
		[ "$(awk '{ print $2 }' peak)" -lt 4096 ]
	done
}

@test "--idle and --retry-if pass 50 MB on without loss" {
	want=$(pattern 50000000)
	[ "$(nl-timeout -i 10 20 writer -b 50000000 | cksum)" = "$want" ]
	[ "$(nl-retry --retry-if x writer -b 50000000 | cksum)" = "$want" ]
	[ "$(nl-timeout -i 10 20 writer -e -b 5000000 2>&1 >/dev/null | cksum)" = "$(pattern 5000000)" ]
}

@test "--idle and --retry-if let the command see that its reader has gone" {
	for line in 'nl-timeout -i 10 20' 'nl-retry -n 3 --retry-if x'; do
		rm -f how
		# shellcheck disable=SC2086
		(exec died how $line yes) | head -n 1 >/dev/null
		wait_for 5 test -s how
		[ "$(cat how)" = "signal 13" ]
	done
}

@test "--idle does not block the command when stdout is slow or does not block" {
	[ "$(plumb nonblock nl-timeout -i 10 20 writer -b 1000000 | plumb slow | cksum)" = "$(pattern 1000000)" ]
}
