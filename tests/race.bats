#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# nl-race(1), sentence by sentence.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154  # text for inner shells; each test is a subshell; set by run
bats_require_minimum_version 1.5.0
load helper
load victim

ev() {
	jq -r "$1" "$NL_EVENTS"
}

wrong() {
	local want=$1
	shift
	run -125 --separate-stderr "$@"
	[ "$output" = '' ]
	[ "$stderr" = "nl-race: $want" ]
}

# Nobody lives but ourselves: asked without waiting.
all_gone() {
	local left
	left=$(victims | grep -vxF -e "$$" -e "$BASHPID") || return 0
	for p in $left; do
		! alive "$p" || [[ $(tr '\0' ' ' <"/proc/$p/cmdline") == *bats* ]] || return 1
	done
}

@test "The first that succeeds wins: its output alone is written, and the status is 0" {
	run -0 nl-race '[' sh -c 'echo slow; sleep 60' ']' '[' sh -c 'echo half; exit 3' ']' '[' echo fast ']'
	[ "$output" = fast ]
	run -0 nl-race '[' sh -c 'trap "echo bye; exit" TERM; echo x >ready; sleep 60 & wait' ']' '[' sh -c 'until test -s ready; do sleep 0.01; done; echo fast' ']'
	[ "$output" = fast ]
	run -0 nl-race sh -c 'sleep 60' ::: sh -c 'echo err >&2; exit 9' ::: echo c
	[ "$output" = $'err\nc' ] || [ "$output" = $'c\nerr' ] || [ "$output" = c ]
}

@test "A single command is run as it is, its status, death and output" {
	run -7 nl-race sh -c 'echo out; exit 7'
	[ "$output" = '' ]
	run -0 nl-race printf '%s|' "it's" 'a b' '$HOME' '' '*' '[' ']'
	[ "$output" = "it's|a b|\$HOME||*|[|]|" ]
	died how nl-race sh -c 'kill -KILL $$' || :
	[ "$(cat how)" = 'signal 9' ]
}

@test "When all fail the status is that of the first that ran" {
	run -3 nl-race '[' sh -c 'sleep 0.1; exit 3' ']' '[' sh -c 'exit 4' ']'
	run -4 nl-race '[' ./none ']' '[' sh -c 'exit 4' ']' '[' sh -c 'exit 5' ']'
	run -4 nl-race '[' sh -c 'exit 75' ']' '[' sh -c 'exit 4' ']'
	died how nl-race '[' sh -c 'kill -KILL $$' ']' '[' false ']' || :
	[ "$(cat how)" = 'signal 9' ]
}

@test "When none ran, it is 126 or 127 if one could not be run, else 75" {
	touch plain
	run -75 nl-race '[' sh -c 'exit 75' ']' '[' sh -c 'exit 75' ']'
	run -127 nl-race '[' sh -c 'exit 75' ']' '[' ./none ']' '[' ./plain ']'
	run -126 nl-race '[' ./plain ']' '[' ./none ']'
}

@test "Of two that succeed at the same moment one is seen, 200 times" {
	for _ in $(seq 200); do
		nl-race '[' echo line ']' '[' echo line ']'
	done >out
	[ "$(wc -l <out)" = 200 ]
	[ "$(sort -u out)" = line ]
}

@test "A branch with a policy is a run of its own in the log, and counts its own events" {
	run -0 nl-race --quorum 2 '[' nl-timeout 5 true ']' '[' nl-timeout 5 nl-timeout 6 true ']'
	[ "$(jq -rs 'group_by(.run) | map(length == (map(select(.event == "nl.run.ended"))[0].events)) | @csv' "$NL_EVENTS")" = true,true,true ]
}

@test "That a loser dies of our signal does not change the winner's status" {
	for s in TERM KILL INT; do
		run -0 nl-race -s $s '[' sleep 60 ']' '[' true ']'
	done
	[ "$(ev 'select(.event == "nl.race.won") | .arms[0].signal' | xargs)" = 'TERM KILL INT' ]
}

@test "Losers are gone at the return, with what trapped TERM, left its session or was orphaned" {
	t=$(ms)
	run -0 nl-race -k 0.2 '[' sh -c 'spawner -d log child group session daemon' ']' '[' sh -c 'while ! grep -qs ready log; do sleep 0.01; done; echo w' ']'
	all_gone
	[ "$output" = w ]
	[ "$(pids log | wc -l)" = 5 ]
	took=$(($(ms) - t))
	echo "$took ms"
	run -0 nl-race '[' spawner log2 child group session daemon hydra ']' '[' sh -c 'while ! grep -qs ready log2; do sleep 0.01; done; echo w' ']'
	all_gone
}

@test "A loser that obeys is not waited for longer than it takes, and one that does not for the grace" {
	for limit in 300 1000 3000; do
		t=$(ms)
		nl-race -k $((limit / 1000)).$((limit % 1000 / 100)) '[' deaf -o log ']' '[' sh -c 'until grep -qs ready log; do sleep 0.01; done' ']'
		took=$(($(ms) - t))
		all_gone
		dur=$(ev 'select(.event == "nl.race.won") | ((.dur_s - .arms[1].start_s - .arms[1].dur_s) * 1000 | floor)' | tail -n 1)
		rm -f log
		[ "$dur" -ge "$limit" ]
		[ "$dur" -gt $((limit + 100)) ] || break
	done
	[ "$dur" -le $((limit + 100)) ]
	[ "$took" -ge "$limit" ]
}

@test "What the winner leaves running is left alone, also when a loser is killed" {
	run -0 nl-race -k 0.1 '[' sh -c 'until test -s pid; do sleep 0.01; done; sleep 0.1; trap "kill -9 \$PPID; exit" TERM; sleep 60 & wait' ']' '[' sh -c 'setsid sleep 60 >&- 2>&- 3>&- & echo $! >pid; sleep 0.5' ']'
	alive "$(cat pid)"
	kill -9 "$(cat pid)"
	wait_for 5 gone pid
}

@test "A branch whose own process is killed has failed, and what it had is gone" {
	run -0 nl-race '[' sh -c 'spawner log session & until grep -qs ready log; do sleep 0.01; done; kill -9 $PPID; sleep 60' ']' '[' sh -c 'until grep -qs ready log; do sleep 0.01; done; until ! kill -0 $(sed -n "s/^session //p" log) 2>/dev/null; do sleep 0.01; done; echo other' ']'
	[ "$output" = other ]
	all_gone
	[ "$(ev 'select(.event == "nl.race.won") | .arms[0].end')" = failed ]
}

@test "When it is killed by KILL nobody is left, sessions of their own neither" {
	start nl-race '[' spawner a child session daemon ']' '[' spawner b -d child daemon ']' '[' nl-retry sleep 60 ']'
	wait_for 10 ready a
	wait_for 10 ready b
	kill -9 "$pid"
	wait_for 5 gone a
	# shellcheck disable=SC2046
	wait_for 5 all gone_pid $(pids a) $(pids b)
	wait "$pid" || [ $? = 137 ]
}

gone_pid() { ! alive "$1"; }

@test "-d: the next starts when one has failed, at once" {
	t=$(ms)
	run -0 nl-race -d 30 '[' false ']' '[' sh -c 'exit 3' ']' '[' echo c ']'
	[ "$output" = c ]
	[ $(($(ms) - t)) -lt 10000 ]
	[ "$(ev 'select(.event == "nl.race.hedged") | "\(.arm) \(.reason) \(.delay_s)"')" = $'2 failure 30\n3 failure 30' ]
}

@test "-d: else when so long has passed since the last start" {
	run -0 nl-race -d 100ms '[' sleep 60 ']' '[' sleep 60 ']' '[' echo c ']' '[' sh -c ': >ran' ']'
	[ "$output" = c ]
	[ ! -e ran ]
	[ "$(ev 'select(.event == "nl.race.hedged") | "\(.arm) \(.reason) \(.delay_s)"')" = $'2 delay 0.1\n3 delay 0.1' ]
	[ "$(ev 'select(.event == "nl.race.won") | .arms[2].start_s >= 0.2 and .arms[3].end == "not_started"')" = true ]
	run -5 nl-race -d inf '[' sh -c 'sleep 0.2; exit 5' ']' '[' sh -c 'exit 6' ']'
}

@test "--hedge runs the command so often, and NL_ARM tells which it is" {
	run -0 nl-race --hedge 3 -d 50ms sh -c 'test $NL_ARM = 3 || sleep 60; echo $NL_ARM'
	[ "$output" = 3 ]
	run -3 nl-race --hedge 2 '[' sh -c 'echo a$NL_ARM >>log; exit 3' ']' '[' sh -c 'echo b$NL_ARM >>log; exit 4' ']'
	[ "$(sort log | xargs)" = 'a1 a3 b2 b4' ]
}

@test "-d pNN waits as long as so many of the earlier calls took, from 20 calls on" {
	for _ in $(seq 19); do
		nl-race --hedge 2 -d p95 --name x true
	done
	run -0 nl-race --hedge 2 -d p95 --name x sh -c 'test $NL_ARM = 2 || sleep 60; echo $NL_ARM'
	[ "$output" = 2 ]
	[ "$(ev 'select(.event == "nl.race.hedged") | "\(.delay_s) \(.samples)"' | tail -n 1)" = '0.25 19' ]
	run -0 nl-race --hedge 2 -d p50 --name x sh -c 'test $NL_ARM = 2 || sleep 60; echo $NL_ARM'
	[ "$(ev 'select(.event == "nl.race.hedged") | "\(.delay_s < 0.25) \(.samples)"' | tail -n 1)" = 'true 20' ]
	run -0 nl-ctl --json show race/x
	# That the first ran in vain so long counts, too.
	[ "$(jq -r '.value | "\(.samples) \(.measured) \(.quantile) \(.rescued) \(.p99_s >= 0.25)"' <<<"$output")" = '21 21 p50 2 true' ]
	[[ $(nl-ctl list race) == 'race/x '*'p50 0.'*' s, p95 0.'*' s, p99 0.'*' s' ]]
	nl-ctl set race/x.delay=30s
	run -0 nl-race --hedge 2 -d p95 --name x sh -c 'sleep 0.1; echo $NL_ARM'
	[ "$output" = 1 ]
}

@test "-d pNN on a terminal says that it waits 250 ms because it does not know yet" {
	NL_EVENTS=human run -0 --separate-stderr nl-race --hedge 2 -d p99.9 --name y sh -c 'test $NL_ARM = 2 || sleep 60; echo $NL_ARM'
	[ "$output" = 2 ]
	[ "${stderr_lines[0]}" = 'nl-race: no answer after 0.25 s, now arm 2, too (0 calls measured: p99.9 is known from 20 on)' ]
}

@test "--quorum: so many have to succeed, and the output is the first one's" {
	run -0 nl-race --quorum 2 '[' sh -c 'until test -e one; do sleep 0.01; done; sleep 0.1; echo a' ']' '[' sh -c 'echo b; : >one' ']' '[' sleep 60 ']'
	[ "$output" = b ]
	[ "$(ev 'select(.event == "nl.race.won") | "\(.winner) \(.arms[0].end) \(.arms[2].end)"')" = '2 succeeded stopped' ]
	run -0 nl-race --quorum 3 true ::: true ::: true
}

@test "--quorum: when too few can still succeed the rest is stopped" {
	run -4 nl-race --quorum 2 '[' true ']' '[' sh -c 'exit 4' ']' '[' sh -c 'exit 5' ']'
	run -3 nl-race --quorum 2 '[' sh -c 'exit 3' ']' '[' sleep 60 ']'
	[ "$output" = '' ]
	[ "$(ev 'select(.event == "nl.race.lost") | .arms[1].end' | tail -n 1)" = stopped ]
	run -3 nl-race -d 30 --quorum 2 '[' sh -c 'echo $$ >a; exit 3' ']' '[' sh -c 'until test -s a && ! kill -0 "$(cat a)" 2>/dev/null; do sleep 0.01; done; exit 4' ']' '[' sh -c 'exit 5' ']'
}

@test "--win=output: the first to write wins, streams and gives its status" {
	mkfifo go
	m=$(victim)
	nl-race --win output '[' sh -c "sleep $m; echo a" ']' '[' sh -c 'echo b; read -r x <go; echo "$x"; exit 6' ']' >out 3>&- &
	p=$!
	wait_for 10 grep -qsx b out
	wait_for 10 gone "$m"
	echo more >go
	rc=0
	wait $p || rc=$?
	[ $rc = 6 ]
	[ "$(cat out)" = $'b\nmore' ]
}

@test "--win=output: of two downloads one is stopped long before its end, and the other is whole" {
	run -0 sh -c 'nl-race --win output [ sh -c "sleep 0.2; writer -b 20000000 2>err1; echo \$? >rc1" ] [ writer -b 20000000 ] | cksum'
	[ "$output" = "$(writer -b 20000000 | cksum)" ]
	[ ! -e rc1 ] || [ "$(cat rc1)" != 0 ]
	run -0 sh -c 'nl-race --win output [ sh -c "echo x; writer -b 400000000" ] [ sh -c "echo x; writer -b 400000000" ] | head -c 1000000 | wc -c'
	[ "$output" = 1000000 ]
}

@test "--win=output: who succeeds and writes nothing wins, too, and failures go on" {
	run -0 nl-race --win output '[' sh -c 'sleep 60' ']' '[' true ']'
	run -0 nl-race --win output '[' sh -c 'exit 3' ']' '[' sh -c 'sleep 0.1; echo b' ']'
	[ "$output" = b ]
	run -3 nl-race --win output '[' sh -c 'exit 3' ']' '[' sh -c 'exit 4' ']'
}

@test "--need-output: a success without output has failed, with 75" {
	run -0 nl-race --need-output '[' true ']' '[' sh -c 'sleep 0.1; echo b' ']'
	[ "$output" = b ]
	run -75 nl-race --need-output '[' true ']' '[' true ']'
	run -3 nl-race --need-output '[' true ']' '[' sh -c 'exit 3' ']'
	run -75 nl-race --need-output --win output '[' true ']' '[' true ']'
}

@test "--stdin: each reads all of a file from where it stands" {
	printf 'one\ntwo\nthree\n' >in
	run -0 sh -c '{ read -r x; nl-race --quorum 2 [ sh -c "cat >a" ] [ sh -c "cat >b" ]; } <in'
	[ "$(cat a)" = $'two\nthree' ]
	cmp a b
}

@test "--stdin: each reads all of a pipe, whatever the others do" {
	writer -b 3000000 | nl-race --quorum 3 '[' sh -c 'cksum >a' ']' '[' sh -c 'sleep 0.2; cksum >b' ']' '[' sh -c 'head -c 10 >/dev/null' ']'
	writer -b 3000000 | cksum >want
	cmp a want
	cmp b want
	writer -b 3000000 | nl-retry -n 2 -b const:1ms nl-race --quorum 2 '[' sh -c 'cksum >a; flaky -q n 1 0' ']' '[' sh -c 'cksum >b' ']'
	cmp a want
	cmp b want
}

@test "--stdin: what the calling script reads from is left to it, unless one says otherwise" {
	printf 'a\nb\nc\n' | sh -c 'while read -r l; do nl-race [ cat ] [ cat ]; echo "$l"; done' >out
	[ "$(cat out)" = $'a\nb\nc' ]
	printf 'a\nb\nc\n' | sh -c 'read -r l; nl-race --stdin replay --quorum 2 [ cat ] [ cat ]' >out
	[ "$(cat out)" = $'b\nc' ]
	printf 'a\nb\n' | sh -c 'read -r l; nl-race --stdin inherit --quorum 2 [ cat ] [ cat ] | wc -l' >out
	[ "$(cat out)" -le 1 ]
	printf 'a\nb\n' | nl-race --stdin null '[' cat ']' '[' cat ']' >out
	[ ! -s out ]
}

@test "A closed stdin, stdout or stderr is neither hung on nor taken for another file" {
	run -0 sh -c 'nl-race [ echo hi ] [ sleep 60 ] <&-'
	[ "$output" = hi ]
	run -125 sh -c 'nl-race [ echo hi ] [ sleep 60 ] >&- 2>/dev/null'
	run -0 sh -c 'nl-race [ echo hi ] [ sleep 60 ] 2>&-'
	[ "$output" = hi ]
	run -0 sh -c 'nl-race [ true ] [ sleep 60 ] <&- >&- 2>&-'
}

@test "Output that cannot be delivered is 125, and a reader that has gone is SIGPIPE" {
	run -125 sh -c 'nl-race [ echo hi ] [ sleep 60 ] >/dev/full 2>err'
	grep -q 'nl-race: stdout: No space left on device' err
	run -0 sh -c '{ nl-race [ sh -c "sleep 0.2; writer -b 500000" ] [ sleep 60 ]; echo $? >rc; } | :'
	[ "$(cat rc)" = 141 ]
}

@test "Large output of a branch needs no large memory" {
	run -0 sh -c 'ulimit -v 200000; nl-race [ writer -b 60000000 ] [ sh -c "writer -b 60000000; exit 1" ] | cksum'
	[ "$output" = "$(writer -b 60000000 | cksum)" ]
}

@test "A daemon that keeps the winner's output open delays the end by no more than a moment" {
	t=$(ms)
	run -0 sh -c 'nl-race [ sh -c "sleep 60 2>&- 3>&- & echo \$! >pid; echo hi" ] [ sleep 60 ]'
	[ "$output" = hi ]
	[ $(($(ms) - t)) -lt 5000 ]
	alive "$(cat pid)"
	kill "$(cat pid)"
}

@test "Told to stop, it passes the signal to every branch once and ends as the first that it has stopped" {
	start died how nl-race '[' sigcount -t 20000 -q 15 -x 7 a ']' '[' sigcount -t 20000 -q 15 -x 8 b ']'
	wait_for 10 ready a
	wait_for 10 ready b
	kill -TERM "$(cat how.pid)"
	ends 10
	[ "$(cat how)" = 'exit 7' ]
	for f in a b; do
		[ "$(grep -c '^TERM' $f)" = 1 ]
	done
	start died how nl-race -d 30 '[' sigcount -t 20000 -q 2 -x 7 c ']' '[' sh -c ': >ran' ']'
	wait_for 10 ready c
	kill -INT "$(cat how.pid)"
	ends 10
	[ "$(cat how)" = 'signal 2' ]
	[ ! -e ran ]
}

@test "A signal that stops nothing reaches every command" {
	start nl-race '[' sigcount -t 20000 -q 10 -x 7 a ']' '[' nl-timeout 30 sigcount -t 20000 -q 10 -x 8 b ']'
	wait_for 10 ready a
	wait_for 10 ready b
	kill -USR1 "$pid"
	ends 10
	[ "$rc" = 7 ]
	grep -q '^USR1' a
	grep -q '^USR1' b
}

@test "The limit of an enclosing timeout stops all branches and starts no other" {
	run -124 nl-timeout 0.3 nl-race '[' sleep 60 ']' '[' nl-retry sleep 60 ']'
	all_gone
	run -124 nl-timeout 0.5 nl-race -d 0.2 '[' sleep 60 ']' '[' sh -c 'exit 3' ']' '[' sleep 60 ']' '[' sleep 60 ']'
	run -124 nl-timeout -i 0.3 30 nl-race '[' sleep 60 ']' '[' sleep 60 ']'
	all_gone
	run -143 nl-timeout -p 0.3 nl-race '[' sleep 60 ']' '[' false ']'
}

@test "A loser's breaker counts nothing and gives its probe back" {
	for fuse in 1 0; do
		export NL_FUSE=$fuse
		run -0 nl-race '[' nl-breaker -f 1 "a$fuse" sh -c 'echo x >started; exec sleep 60' ']' '[' nl-breaker "b$fuse" sh -c 'until test -s started; do sleep 0.01; done; echo b' ']'
		[ "$output" = b ]
		rm started
		[ "$(nl-ctl get "breaker/a$fuse.state")" = closed ]
		run -1 nl-breaker -f 1 -o 10ms "c$fuse" false
		wait_for 5 half_open "c$fuse"
		run -0 nl-race '[' nl-breaker -f 1 -o 10ms "c$fuse" sh -c 'echo x >started; exec sleep 60' ']' '[' sh -c 'until test -s started; do sleep 0.01; done; echo b' ']'
		rm started
		run -0 nl-breaker -f 1 -o 10ms "c$fuse" true
		[ "$(nl-ctl get "breaker/c$fuse.state")" = closed ]
	done
}

half_open() { nl-breaker -f 1 -o 10ms "$1" sh -c 'exit 75' >/dev/null 2>&1 || [ $? = 75 ]; }

@test "The event has every branch's end, and each call has one nl.request" {
	run -0 nl-race --name m '[' sh -c 'exit 3' ']' '[' sh -c 'sleep 0.3; echo x' ']' '[' nl-retry sleep 60 ']'
	[ "$(ev 'select(.event == "nl.race.won") | [.winner, .of, (.arms[] | .end)] | join(" ")')" = '2 3 failed won stopped' ]
	[ "$(ev 'select(.event == "nl.race.won") | .arms | map(.dur_s < 0.3) | join(" ")')" = 'true false false' ]
	[ "$(ev 'select(.event | startswith("nl.request")) | "\(.kind) \(.event)"' | sort)" = $'race nl.request.success\nretry nl.request.failure' ]
	[ "$(ev 'select(.event == "nl.run.ended") | .run' | sort -u | wc -l)" = 2 ]
	nlcheck --whole "$NL_EVENTS"
}

@test "Usage errors are 125 and run nothing" {
	wrong '--quorum: 3 of 2 branches cannot succeed' nl-race --quorum 3 '[' sh -c ': >ran' ']' '[' true ']'
	wrong '--hedge: at most 64' nl-race --hedge 65 true
	wrong '--hedge: at most 64' nl-race --hedge inf true
	wrong 'more than 64 branches' nl-race --hedge 33 '[' sh -c ': >ran' ']' '[' true ']'
	wrong "--delay: p95 is measured by --name NAME" nl-race -d p95 true
	wrong '--win=output: the first output is the answer: --quorum has no say' nl-race --win output --quorum 2 '[' true ']' '[' true ']'
	wrong "--delay: 'p101': not a percentage above 0 and at most 100" nl-race -d p101 --name x true
	wrong 'missing COMMAND' nl-race
	[ ! -e ran ]
}
