#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# nl-observe serve: what it answers over its socket is what reading the files would
# have printed; nl-ctl observe asks it too.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154  # text for inner shells; each test is a subshell; set by run and start
bats_require_minimum_version 1.5.0
load helper

teardown() {
	[[ -z ${server-} ]] || kill -TERM "$server" || :
	nl_teardown
}

# gen ARG...: eventgen's, of a year ago, so that the clock is past them.
gen() { eventgen "$@" | sed 's/"time":"2026/"time":"2025/'; }

# serve ARG...: a server at ./sock.
serve() {
	start nl-observe serve --socket sock "$@" 2>err
	server=$pid
	wait_for 5 test -S sock
}

# ask JSON...: requests, a line each; replies to stdout.
ask() { printf '%s\n' "$@" | timeout 10 talk sock; }

counted() { [ "$(nl-observe --socket sock --json summary | jq .events)" = "$1" ]; }

# asked WORD...: the query prints the same, with the same status, of ./ev and of the server.
asked() {
	local s=0 t=0

	nl-observe "$@" ev >want 2>want.err || s=$?
	nl-observe --socket sock "$@" >got 2>got.err || t=$?
	[[ $s == "$t" && $(<want) == "$(<got)" && $(<want.err) == "$(<got.err)" ]] || {
		echo "$*: $s of files, $t of the server"
		diff want got
		diff want.err got.err
		return 1
	}
	echo "$1" >>tried
}

# Logs with all kinds of events: a year ago, and what real tools do now.
both_logs() {
	gen -n 1000 -p 6 -t 300 -e 250000
	for i in 0 0 1 1 1 0 1; do
		NL_EVENTS=fd:5@debug nl-breaker -f 2 -o 1h b sh -c "exit $i" 5>&1 >/dev/null 2>&1 || :
	done
	NL_EVENTS=fd:5@debug nl-retry -n3 -b const:1ms -j none --name r flaky -q n 1 0 5>&1 >/dev/null 2>&1
	echo 'no event'
	echo '{"nl":1,"time":'
}

# ask_all [--json]: each query about single policies and about all of them.
ask_all() {
	local to=2025-11-29T13:02 b=breaker/b span

	both_logs >ev
	serve ev
	wait_for 5 counted "$(grep -c '^{"nl":1.*}$' ev)"
	[ "$(nl-observe state b ev)" = open ]
	span=$(jq -Rr 'fromjson? | select(.event == "nl.request.failure" and .policy == "b").span_id' ev | head -n1)
	asked summary "$@" --to $to
	asked list "$@" --to $to
	asked rate api-000 "$@"
	asked rate api-000 "$@" --window 90s --to $to
	asked rate none "$@"
	asked pct api-001 50,99 "$@"
	asked pct api-001 50,99 "$@" --window 2m --to $to
	asked state api-002 "$@"
	asked circuit $b "$@"
	asked circuit api-000 "$@"
	asked check 'warn rate(api-001) < 0; rate(api-001) < 0' "$@"
	asked check "rate(api-001,1m) < 1; state(none) == open" "$@" --to $to
	asked asof $to list "$@"
	asked diff $to "$@"
	asked diff $to "$@" --from 2025-11-29T13:01
	asked blame "$@"
	asked blame --by stack "$@"
	asked blame --window 1m "$@" --to $to
	asked explain $b "$@"
	asked explain r "$@"
	asked explain "$span" "$@"
	asked verify "$@"
	asked verify $b "$@"
	asked replay --set $b.failures=9 "$@"
	asked replay --set $b.failures=9 --set retry/r.attempts=1 --assert 'opens < 1; attempts > 9' "$@"
	asked replay --set $b.failures=9 --set breaker/none.failures=9 "$@"
	asked top --once "$@" --to $to --sort p99 --filter a
}

# A server that has read a log of which an export is larger than what a socket takes at once.
serve_much() {
	gen -n 6000 -p 2 -t 100 >ev
	serve ev
	wait_for 10 counted "$(wc -l <ev)"
}

@test "A server prints for each query what reading the files would print" {
	ask_all
	local q
	echo export >>tried
	for q in $(nl-observe --complete | grep -v -e ^- | cut -f1); do
		[[ $q == serve ]] || grep -qx "$q" tried
	done
}

@test "A server prints for each query with --json what reading the files would print" {
	ask_all --json
}

@test "A server prints exports, and what is wrong with a question, in the same words" {
	local as to=2025-11-29T13:02
	both_logs >ev
	serve ev
	wait_for 5 counted "$(grep -c '^{"nl":1.*}$' ev)"
	asked summary
	asked list
	asked summary --md
	asked summary --md --to $to
	asked export
	asked export --as otlp-metrics --to $to
	for as in otlp cloudevents ecs; do
		asked export --as $as
		asked export --as $as --from $to
	done
	asked pct api-001 101
	asked check 'rat(x) < 1'
	asked replay
	asked replay --set breaker/b.failure=9
	asked explain none
	asked verify none
}

@test "Options that are no part of the question are refused" {
	: >ev
	serve ev
	for o in --tee --follow --stats --lateness=1s --snapshot=x --max-series=2 --scrape=unix:x; do
		run -125 nl-observe --socket sock "$o" list
		[[ $output == "nl-observe: --socket: a server answers once, from what it reads: not with ${o%=*}" ]]
	done
	run -125 nl-observe --socket sock top
	[ "$output" = 'nl-observe: --socket: a server answers once: top only with --once' ]
	run -125 nl-observe --socket sock diff ./ev
	[ "$output" = "nl-observe: diff: './ev': no time; a server reads no files for others" ]
	nl-observe --socket sock --out answer summary
	[ "$(cat answer)" = 'no events' ]
}

@test "What needs events that the server has no more is refused, and answered from then on" {
	gen -n 80000 -p 2 -t 3000 >ev
	serve ev
	wait_for 10 counted "$(wc -l <ev)"
	asked list
	run -125 nl-observe --socket sock blame
	[[ $output == 'nl-observe: blame: earlier events are not here any more: ask --from 20'*'Z or later' ]]
	from=${output##*--from } from=${from% or later}
	asked blame --from "$from"
	run -125 nl-observe --socket sock asof now summary
	[[ $output == 'nl-observe: summary: earlier events '* ]]
}

@test "Events that a snapshot has counted are not there to be asked again" {
	gen -n 300 -p 2 -t 100 >ev
	nl-observe --snapshot snap list ev >/dev/null
	serve --snapshot snap ev
	gen -n 100 -p 2 -t 10 -s 7 | sed 's/"time":"2025-11/"time":"2025-12/' >>ev
	wait_for 5 counted "$(wc -l <ev)"
	nl-observe list ev >want
	nl-observe --socket sock list | diff want -
	run -125 nl-observe --socket sock blame
	[[ $output == 'nl-observe: blame: earlier events are not here any more'* ]]
	asked blame --from 2025-12-01
}

@test "A request is a JSON object a line, and so is its result" {
	gen -n 500 -p 2 -t 100 >ev
	serve ev
	wait_for 5 counted "$(wc -l <ev)"
	ask '{"id":"7","cmd":"rate","args":{"words":["api-000"]}}' '{"id":"8","cmd":"list","args":{}}' >out
	jq -es '.[0].id == "7" and .[0].result == "value" and .[0].value.status == 0 and .[0].value.lines[0].policy == "api-000"' out
	jq -es '.[1].id == "8" and (.[1].value.lines | length) == 2' out
	[ "$(ask '{"id":"9","cmd":"rate","args":{"words":["api-000"],"text":true}}' | jq -r .value.text)" = "$(nl-observe rate api-000 ev)" ]
}

@test "What is wrong with a request is said, and the next one is answered" {
	: >ev
	serve ev
	ask '{' '{"id":"1","cmd":"rate","args":{}}' '{"id":"2","cmd":"frobnicate","args":{}}' '{"id":"3","cmd":"rate","args":{"words":["x"],"colour":1}}' \
		'{"id":"4","cmd":"diff","args":{"words":["/etc/passwd"]}}' '{"id":"5","cmd":"rate","args":{"words":["x"],"window":"1h"}}' \
		'{"id":"6","cmd":"serve","args":{}}' '{"id":"7","cmd":"rate","args":{"words":["x"]}}' '{"id":"8","cmd":"list","args":{}}' >out
	[ "$(jq -r '.failure.kind // "none"' out | tr '\n' ' ')" = 'invalid_args invalid_args not_found invalid_args invalid_args invalid_args not_found not_found none ' ]
}

@test "A request has at most 64 KiB: of a longer one that is said, and the next one is answered" {
	: >ev
	serve ev
	{ head -c 1048576 /dev/zero | tr '\0' x; printf '\n%s\n' '{"id":"2","cmd":"list","args":{}}'; } | timeout 10 talk sock >out
	jq -es 'length == 2 and .[0].message == "a request has at most 64 KiB" and .[0].failure.kind == "invalid_args" and .[1].id == "2"' out
	{ head -c 1048576 /dev/zero | tr '\0' x; } | timeout 10 talk sock >out
	jq -es 'length == 1 and .[0].result == "error"' out
	counted 0
}

# clients N: the server has so many.
clients() {
	local fd=(/proc/"$server"/fd/*)
	((${#fd[@]} == base + $1))
}

# deaf JSON: a client that asks and takes nothing; $pid.
deaf() {
	mkfifo asks gate
	start sh -c 'exec talk sock <asks >gate'
	exec 7>asks 8<>gate
	echo "$1" >&7
}

@test "A reply is sent whole to who sends no more" {
	serve_much
	ask '{"id":"1","cmd":"export","args":{"as":"ecs"}}' | jq -c '.value.lines[]' >got
	nl-observe export --as ecs ev | jq -c . | cmp - got
}

@test "Who takes nothing, or does not end a request, within 10 seconds is cut, and keeps nobody waiting" {
	serve_much
	local fd=(/proc/"$server"/fd/*) base
	base=${#fd[@]}
	mkfifo keys
	start sh -c 'exec talk sock <keys'
	exec 9>keys
	printf '{"id":"1","cmd":' >&9
	deaf '{"id":"1","cmd":"export","args":{"as":"otlp"}}'
	wait_for 5 clients 2
	gen -n 100 -p 2 -t 100 -s 7 | sed 's/"time":"2025-11/"time":"2025-12/' >>ev
	wait_for 5 counted "$(wc -l <ev)"
	wait_for 14 clients 0
	exec 7>&- 8>&- 9>&-
}

@test "A client that dies before it has its reply is gone, and the server goes on" {
	serve_much
	local fd=(/proc/"$server"/fd/*) base
	base=${#fd[@]}
	deaf '{"id":"1","cmd":"export","args":{"as":"otlp"}}'
	wait_for 5 clients 1
	IFS= read -r -n 1 _ <&8
	kill -KILL "$pid"
	wait_for 5 clients 0
	counted "$(wc -l <ev)"
	exec 7>&- 8>&-
}

@test "There are at most 64 clients: one more is told so, and the others stay" {
	: >ev
	serve ev
	mkfifo keys
	start sh -c 'exec talk -n 63 sock <keys >out'
	exec 9>keys
	echo '{"id":"1","cmd":"list","args":{}}' >&9
	wait_for 5 grep -qs '"id":"1"' out
	run -125 nl-observe --socket sock list
	[ "$output" = 'nl-observe: too many clients: 64 are there' ]
	echo '{"id":"2","cmd":"list","args":{}}' >&9
	wait_for 5 grep -q '"id":"2"' out
	exec 9>&-
	wait_for 5 counted 0
}

@test "A socket that a dead server has left is taken over" {
	: >ev
	serve ev
	kill -KILL "$server"
	wait_for 5 run -125 nl-observe --socket sock list
	[ -S sock ]
	serve ev
	counted 0
}

@test "subscribe sends each event as it comes" {
	: >ev
	serve ev
	mkfifo keys
	start sh -c 'exec talk sock <keys >out'
	exec 9>keys
	echo '{"id":"1","cmd":"subscribe","args":{}}' >&9
	wait_for 5 grep -q '"result":"ack"' out
	NL_EVENTS=$PWD/ev nl-timeout --name t 9s true
	wait_for 5 grep -q nl.run.ended out
	tail -n +2 out | diff ev -
	exec 9>&-
}

@test "A subscriber that is slow loses events and is told how many; the server goes on" {
	: >ev
	serve ev
	mkfifo keys gate
	start sh -c 'talk sock <keys | { read -r line; echo "$line" >out; read -r _ <gate; cat >>out; }'
	exec 9>keys
	echo '{"id":"1","cmd":"subscribe","args":{}}' >&9
	wait_for 5 grep -qs ack out
	gen -n 20000 -p 2 -t 100 >>ev
	wait_for 10 counted "$(wc -l <ev)"
	echo >gate
	NL_EVENTS=$PWD/ev nl-timeout --name t 9s true
	wait_for 5 grep -q '"lost":' out
	NL_EVENTS=$PWD/ev nl-timeout --name u 9s true
	wait_for 5 grep -q '"policy":"u"' out
	[ "$(jq -s 'map(.lost // 1) | add' out)" = "$(($(wc -l <ev) + 1))" ]
	exec 9>&-
}

# listen: what a subscriber of ./sock gets is in ./out, until unlisten.
listen() {
	mkfifo keys
	start sh -c 'exec talk sock <keys >out'
	exec 9>keys
	echo '{"id":"1","cmd":"subscribe","args":{}}' >&9
	wait_for 5 grep -qs '"result":"ack"' out
}

unlisten() { exec 9>&-; }

# found EVENT FILTER: those findings that were told hold, together.
found() {
	sed 1d out | jq -es --arg e "nl.observe.$1" 'map(select(.event == $e)) | '"$2" >&2
}

@test "Lines of a run that are missing when it has ended are told once, as an event" {
	: >ev
	serve ev
	listen
	NL_EVENTS=$PWD/all@debug nl-timeout --name t 9s true
	sed 2d all >>ev
	wait_for 8 grep -q nl.observe.gap out
	found gap 'length == 1 and (.[0] | .target == "timeout/t" and .lost == 1 and .sent == 3 and .kind == "observe" and .sev == 13)'
	found gap '.[0].of_run == "'"$(jq -r .run all | head -n1)"'"'
	found gap '.[0] | keys_unsorted[:12] == ["nl", "time", "event", "sev", "policy", "kind", "trace_id", "span_id", "run", "seq", "pid", "depth"]'
	NL_EVENTS=$PWD/all2@debug nl-timeout --name u 9s true
	sed 2d all2 >>ev
	wait_for 8 grep -q '"target":"timeout/u"' out
	found gap 'length == 2 and (map(.seq) == [0, 1])'
	unlisten
}

@test "A line that comes late is not missing" {
	: >ev
	serve ev
	listen
	NL_EVENTS=$PWD/all@debug nl-timeout --name t 9s true
	sed 2d all >>ev
	wait_for 5 grep -q nl.run.ended out
	sed -n 2p all >>ev
	NL_EVENTS=$PWD/all2@debug nl-timeout --name u 9s true
	sed 2d all2 >>ev
	wait_for 8 grep -q nl.observe.gap out
	found gap 'map(.target) == ["timeout/u"]'
	unlisten
}

@test "A run that was killed is told once, and none that goes on" {
	: >ev
	serve ev
	listen
	m=$(victim)
	export NL_EVENTS=$PWD/ev@debug
	start nl-timeout --name goes-on 99s sleep "$m"
	local goes_on=$pid
	start nl-timeout --name dies 99s sleep "$m"
	wait_for 5 grep -q '"policy":"dies"' out
	kill -KILL "$pid"
	wait_for 8 grep -q nl.observe.killed out
	start nl-timeout --name dies-too 99s sleep "$m"
	wait_for 5 grep -q '"policy":"dies-too"' out
	kill -KILL "$pid"
	wait_for 8 grep -q '"target":"timeout/dies-too"' out
	found killed 'map(.target) == ["timeout/dies", "timeout/dies-too"] and .[1].of_pid == '"$pid"' and .[0].lost == 0'
	kill -TERM "$goes_on"
	unlisten
}

@test "Policies beyond --max-series, and a record that says otherwise, are told once each" {
	: >ev
	serve --max-series 2 ev
	listen
	NL_EVENTS=$PWD/ev nl-breaker -f 1 -o 1h api false || :
	NL_EVENTS=off nl-ctl close breaker/api
	gen -n 300 -p 9 -t 100 >>ev
	wait_for 8 grep -q nl.observe.mismatch out
	NL_EVENTS=off nl-ctl open breaker/api
	NL_EVENTS=$PWD/all@debug nl-timeout --name t 9s true
	sed 2d all >>ev
	wait_for 8 grep -q nl.observe.gap out
	found overflow 'length == 1 and .[0].series == 2'
	found mismatch 'length == 1 and (.[0] | .target == "breaker/api" and (.detail | startswith("events say open")))'
	unlisten
}

@test "nl-ctl observe asks the server whose socket is in the directory of state" {
	gen -n 500 -p 2 -t 100 >ev
	run -125 nl-ctl observe rate api-000
	[[ $output == 'nl-ctl: observe: '*'/observe.sock: nobody serves there (nl-observe serve --socket FILE)' ]]
	start nl-observe serve --socket "$NL_STATE/observe.sock" ev
	server=$pid
	wait_for 5 nl-ctl observe check "events == $(wc -l <ev)"
	[ "$(nl-ctl observe check 'events > 1')" = "OK: events > 1; it is $(wc -l <ev)" ]
	[ "$(nl-ctl observe rate api-000)" = "$(nl-observe rate api-000 ev)" ]
	nl-ctl observe list | diff <(nl-observe list ev) -
	nl-ctl --json observe list | jq -e '.value.lines | length == 2'
	local to=2025-11-29T13:01
	nl-ctl observe rate api-000 --window 30s --to $to | diff <(nl-observe rate api-000 --window 30s --to $to ev) -
	nl-ctl observe --by stack blame --from $to | diff <(nl-observe blame --by stack --from $to ev) -
	nl-ctl --json observe rate api-000 --to $to | jq -c '.value.lines[]' | diff <(nl-observe rate api-000 --json --to $to ev | jq -c .) -
	run -125 nl-ctl observe rate api-000 --window 1h
	[ "$output" = 'nl-ctl: observe: rate: window: from 1s to 15m' ]
	run -125 nl-ctl list --window 1m
	[ "$output" = 'nl-ctl: --window: no option of list' ]
	run -2 nl-ctl observe check 'events == 1'
	run -1 nl-ctl observe rate none
	[[ $output == 'nl-ctl: observe: none: no such policy'* ]]
}

@test "Rules hold for observe, for root too" {
	gen -n 50 -p 2 -t 100 >ev
	start nl-observe serve --socket "$NL_STATE/observe.sock" ev
	server=$pid
	wait_for 5 nl-ctl observe check "events == $(wc -l <ev)"
	echo "allow uid:$(id -u) list,show *" >"$NL_STATE/rules"
	run -77 nl-ctl observe rate api-000
	[ "$output" = "nl-ctl: denied: $NL_STATE/rules does not allow uid:$(id -u) ($(id -un)) to observe" ]
	echo "allow uid:$(id -u) observe *" >"$NL_STATE/rules"
	nl-ctl observe rate api-000
}

@test "Without a server, or with sources beside it, --socket is an error" {
	run -125 nl-observe --socket none rate p
	[ "$output" = 'nl-observe: none: nobody serves there (nl-observe serve --socket FILE)' ]
	run -125 nl-observe --socket none list ./ev
	[[ $output == 'nl-observe: --socket: the server has its sources'* ]]
	run -125 nl-observe serve /dev/null
	[ "$output" = 'nl-observe: serve: at which socket? (--socket FILE)' ]
	: >ev
	serve ev
	run -125 nl-observe serve --socket sock /dev/null
	[ "$output" = 'nl-observe: sock: somebody listens there already' ]
	kill -TERM "$server"
	server=
	wait_for 5 test ! -e sock
}
