#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What nl-observe answers: each query on logs that the tools have made, and on
# larger ones of eventgen, where jq reads the same file and must find the same.
# The sentences are those of nl-observe(1).
# shellcheck disable=SC2016,SC2026,SC2030,SC2031,SC2154  # jq programs, text for inner shells; patterns in parts; each test is a subshell; set by run
bats_require_minimum_version 1.5.0
load helper

# make_log: of real tools: a retry that recovers, one that gives up, a timeout, a breaker
# that opens and rejects, a full bulkhead.  The log is ./ev.
make_log() {
	export NL_EVENTS=$PWD/ev@debug
	nl-retry -n3 -b const:1ms -j none --name db flaky -q n 1 0
	status_of nl-retry -n2 -b const:1ms -j none --name db sh -c 'exit 3' >/dev/null
	status_of nl-timeout --name slow 20ms sleep 9 >/dev/null
	for _ in 1 2 3; do
		status_of nl-breaker -f 2 -o 1h api sh -c 'exit 7' >/dev/null
	done
	nl-bulkhead -m 1 pool sh -c 'nl-bulkhead -m 1 pool true || :'
}

# holds POLICY FILTER: of the object that list or the like has printed for it into ./out.
holds() { jq -es --arg p "$1" 'map(select(.policy == $p)) | length == 1 and (.[0] | '"$2"')' out >&2; }

# near A B: B is A within the error of sketches, 1.08 %.
near() { awk -v a="$1" -v b="$2" 'BEGIN { d = a > b ? a - b : b - a; exit !(d <= 0.01084 * b + 1e-6) }' || { echo "$1 is not near $2"; return 1; }; }

# What jq makes of a log: the second of each event, and now.
lib='def second: .time[0:19] + "Z" | fromdateiso8601;
def requests: map(select(.event | startswith("nl.request.")));
def within($w): (map(second) | max) as $now | map(select((. | second) > $now - $w));
def round6: . * 1e6 | round / 1e6;
def rate: requests | if length == 0 then null else (map(select(.event == "nl.request.failure")) | length) / length | round6 end;
def rank($p): (length * $p / 100 | ceil) as $k | sort | .[if $k < 1 then 0 else $k - 1 end];
def pct($p): requests | map(.dur_s) | if length == 0 then null else rank($p) end;'
truth() { jq -sc "$@"; }

@test "Without the name of a query it is summary: what there is in all, what is missing, and the policies" {
	make_log
	run -0 nl-observe ev
	[ "$output" = "$(nl-observe summary ev)" ]
	[[ ${lines[0]} == "$(wc -l <ev) events of 8 runs until 20"* ]]
	[[ ${lines[0]} == *'; 5 of 7 calls failed' ]]
	[[ ${lines[1]} == 'POLICY '*' CALLS FAIL% '* ]]
	[[ ${lines[2]} == 'breaker/api '*' 3 100.0 '*' open' ]]
	[[ $output == *'retry/db  '* && $output == *'timeout/slow  '* && $output == *'bulkhead/pool  '* ]]
	run -0 nl-observe /dev/null
	[ "$output" = 'no events' ]
	head -c 3000 ev | nl-observe >out
	grep -q '^lines not counted: 1 torn$' out
	grep -q 'without an end: killed, or still going on$' out
	sed 3d ev | nl-observe | grep -q "^lost: 1 of [0-9]* events that were sent$"
	nl-observe --json ev | jq -e '.findings == []'
	sed 3d ev | nl-observe --json | jq -e '.findings == [{finding: "gap", lost: 1, sent: ('"$(wc -l <ev)"'), worst: [{run: ('"$(sed -n 3p ev | jq .run)"'), policy: "db", until: .findings[0].worst[0].until, lost: 1}]}]'
	nl-observe --json ev | jq -e '.requests == 7 and .failures == 5 and .lost == 0 and .policies[0].policy == "api"'
}

@test "Runs that lost events are named, those that lost most first, and those without an end, the last first; of many, three" {
	NL_EVENTS=$PWD/ev@debug
	export NL_EVENTS
	for n in 1 2 3 4 5; do
		status_of nl-retry -n$n -b const:0 -j none --name "db$n" false >/dev/null
	done
	jq -r 'select(.seq == 0) | .run' ev >run
	mapfile -t run <run
	# Of each all attempts are lost but its first: that of one try has lost none.
	jq -c 'select(.event != "nl.retry.attempt" or .attempt == 1)' ev >lossy
	nl-observe lossy >out
	lost=$(($(wc -l <ev) - $(wc -l <lossy)))
	[ "$(sed -n 2p out)" = "lost: $lost of $(wc -l <ev) events that were sent" ]
	n=2
	for k in 5 4 3; do
		n=$((n + 1))
		[[ $(sed -n ${n}p out) == "  $((k - 2)) of run ${run[k - 1]} (db$k, until 20"*')' ]]
	done
	[ -z "$(sed -n 6p out)" ]
	jq -c 'select(.event != "nl.run.ended")' ev >killed
	nl-observe killed >out
	[ "$(sed -n 2p out)" = '5 runs without an end: killed, or still going on' ]
	for k in 5 4 3; do
		sed -n $((8 - k))p out | grep -q "^  run ${run[k - 1]} (db$k, last heard of 20"
	done
	[ "$(sed -n 6p out)" = '  and 2 more' ]
	nl-observe --json killed | jq -e --arg r "${run[4]}" '.findings[0] | .runs == 5 and (.worst | length == 3 and .[0].run == $r and .[0].policy == "db5")'
	nl-observe --snapshot s list killed >/dev/null
	nl-observe s | diff - out
	nl-observe --md killed | grep -q "^  run ${run[4]} "
}

@test "Policies are listed worst first: open breakers, then by failures, then by calls" {
	make_log
	run -0 nl-observe list ev
	[[ ${lines[0]} == POLICY* && ${lines[1]} == breaker/api* && ${lines[2]} == timeout/slow* ]]
	nl-observe list --json ev | jq -r '"\(.kind)/\(.policy)"' | diff <(awk 'NR > 1 { print $1 }' <<<"$output") -
	while IFS= read -r line; do
		((${#line} <= 80))
	done <<<"$output"
}

@test "state --json has slots and queue of a bulkhead, as it last told" {
	make_log
	nl-observe state pool --json ev | jq -e '.kind == "bulkhead" and .active == 0 and .max == 1 and .queued == 0'
	[ "$(jq -s 'map(select(.event == "nl.bulkhead.released")) | length' ev)" = 1 ]
	nl-observe --snapshot snap state pool ev
	nl-observe --snapshot snap state pool --json /dev/null | jq -e '.active == 0 and .max == 1 and .queued == 0'
}

@test "list --json has an object a policy and line, with exactly these fields" {
	make_log
	nl-observe list --json ev >out
	[ "$(wc -l <out)" -eq 4 ]
	jq -e 'keys_unsorted == ("policy kind requests failures rejected timeouts attempts recovered retries_exhausted p50_s p90_s p99_s max_s rate_1m rate_5m rate_15m state last_error" | split(" "))' out
	holds db '[.kind, .requests, .failures, .attempts, .recovered, .retries_exhausted, .state, .last_error] == ["retry", 2, 1, 4, 1, 1, "-", "exit_3"]'
	holds api '[.kind, .requests, .failures, .rejected, .attempts, .state, .last_error] == ["breaker", 3, 3, 1, 2, "open", "rejected"]'
	holds slow '[.kind, .requests, .timeouts, .rate_1m, .last_error] == ["timeout", 1, 1, 1, "timeout"]'
	holds pool '[.kind, .requests, .failures, .rejected, .rate_5m] == ["bulkhead", 2, 1, 1, 0.5]'
}

@test "list --json is what jq finds in the same log" {
	eventgen -n 2000 -p 12 -t 1200 -e 300000 -v 5 >ev
	truth "$lib"'(map(second) | max) as $now | group_by([.kind, .policy])[] | . as $all
		| requests as $r | ($r | map(select(.event == "nl.request.failure"))) as $failed | {
		policy: .[0].policy, kind: .[0].kind, requests: ($r | length), failures: ($failed | length),
		rejected: (map(select(.event | endswith(".rejected"))) | length),
		timeouts: (map(select(.event == "nl.timeout.occurred")) | length),
		attempts: (if .[0].kind == "retry" then $r | map(.attempts) | add
			else ($r | length) - (map(select(.event | endswith(".rejected"))) | length) end),
		recovered: ($r | map(select(.event == "nl.request.success" and .attempts > 1)) | length),
		retries_exhausted: (map(select(.event == "nl.retry.exhausted")) | length),
		p50_s: pct(50), p90_s: pct(90), p99_s: pct(99), max_s: ($r | map(.dur_s) | max),
		rate_1m: (map(select(second > $now - 60)) | rate), rate_5m: (map(select(second > $now - 300)) | rate),
		rate_15m: (map(select(second > $now - 900)) | rate),
		state: (if .[0].kind != "breaker" then "-" else (map(select(.event | test("opened|half_open|closed"))) | last // {event: "closed"}
			| .event | sub(".*[.]"; "") | sub("opened"; "open")) end),
		last_error: ($failed | if length == 0 then null else max_by(.time) | .err end)}' ev >want
	nl-observe list --json ev | jq -c . >got
	diff <(jq -S . want) <(jq -s 'sort_by(.kind, .policy)[]' got | jq -S .)
	[ "$(wc -l <got)" -eq 12 ]
}

@test "rate is one number, the failures of all requests of a policy; - where there were none" {
	make_log
	[ "$(nl-observe rate db ev)" = 0.5 ]
	[ "$(nl-observe rate breaker/api ev)" = 1 ]
	nl-observe rate db --json ev | jq -e '.requests == 2 and .failures == 1 and .rate == 0.5 and .policy == "db" and .kind == "retry"'
	jq -c 'select(.event == "nl.run.started" or .event == "nl.bulkhead.acquired")' ev >begun
	[ "$(nl-observe rate pool begun)" = - ]
	[ "$(nl-observe pct pool 50 begun)" = 'p50 -' ]
	[ "$(nl-observe state pool begun)" = - ]
	nl-observe rate pool --json begun | jq -e '.rate == null'
}

@test "--window counts what ended in this time before now, in whole seconds" {
	eventgen -n 3000 -p 4 -t 1000 -e 300000 >ev
	truth "$lib"'. as $all | (1, 7, 60, 300, 900) as $w | $all | within($w) as $in | group_by([.kind, .policy])[] | .[0] as $p
		| [$w, $p.kind + "/" + $p.policy, ($in | map(select(.policy == $p.policy)) | rate // "-")]' ev | jq -r 'map(tostring) | join(" ")' >want
	while read -r w p rate; do
		[ "$(nl-observe rate "$p" --window "${w}s" ev)" = "$rate" ] || { echo "$p in $w s: $rate"; false; }
	done <want
	[ "$(wc -l <want)" -eq 20 ]
	for w in 0s 16m x; do
		run -125 nl-observe rate api-000 --window "$w" ev
	done
}

@test "list and summary count what is in the --window, as text, as JSON and as Markdown alike" {
	eventgen -n 3000 -p 4 -t 1000 -e 300000 >ev
	truth "$lib"'. as $all | within(60) as $in | group_by([.kind, .policy])[] | .[0].policy as $p | ($in | map(select(.policy == $p))) as $of
		| {policy: $p, requests: ($of | requests | length), failures: ($of | requests | map(select(.event == "nl.request.failure")) | length),
		rejected: ($of | requests | map(select(.err == "rejected")) | length), attempts: null, recovered: null, max_s: null}' ev | jq -Sc . >want
	nl-observe list --json --window 1m ev >out
	fields='{policy, requests, failures, rejected, attempts, recovered, max_s}'
	jq -Sc "$fields" out | sort | diff <(sort want) -
	nl-observe --json --window 1m ev | jq -Sc ".policies[] | $fields" | sort | diff <(sort want) -
	nl-observe --json --window 1m ev | jq -e '.window_s == 60 and .requests > 1000'
	nl-observe list --window 1m ev | awk 'NR > 1 { print $1, $2, $6, $7, $8 }' | diff <(jq -r '"\(.kind)/\(.policy) \(.requests) - - \(.rejected)"' out) -
	nl-observe --window 1m ev | grep -qx 'below: the last 60.0s'
	nl-observe --md --window 1m ev >md
	grep -qx 'Policies: the last 60.0s.' md
	run ! grep 'retries hid' md
	grep -q "^| $(jq -rs '.[0] | "\(.kind)/\(.policy) | \(.requests) | \(.failures) |"' out)" md
	for query in 'circuit api' 'explain api' verify 'replay --set retry/api.attempts=1' 'diff now' 'state api' export; do
		# shellcheck disable=SC2086
		run -125 nl-observe $query --window 1m ev
		[ "$output" = "nl-observe: ${query%% *}: has no --window" ]
	done
}

@test "What is late or from the future is counted in totals, and said to be" {
	mkdir log
	event() { printf '{"nl":1,"time":"%s","event":"nl.request.failure","sev":13,"policy":"db","kind":"retry","trace_id":"000000000000000000000000000000a1","span_id":"00000000000000a1","run":"00000000000000a1","seq":%d,"depth":0,"pid":1,"mono_us":1,"cmd":"x","exit":1,"err":"exit_1","dur_s":0.1,"attempts":1}\n' "$1" "$2"; }
	event 2199-01-01T00:00:00.000000Z 0 >ev
	event 2199-01-01T00:00:00.000000Z 1 >>ev
	start nl-observe unix:sock >out
	wait_for 20 test -S sock
	ear=$pid
	nl-sink unix:sock <ev
	kill "$ear"
	wait "$ear" || :
	grep -qx '2 events of 1 run; 2 of 2 calls failed' out
	grep -qx 'counted in totals, not in windows: 0 late, 2 from the future' out
	run ! grep 'not counted' out
}

@test "pct prints percentiles of how long requests took, by nearest rank" {
	eventgen -n 1000 -p 4 -k 1 >ev
	p=$(jq -r .policy ev | head -n1)
	run -0 nl-observe pct "$p" 0,1,50,99.9,100 ev
	want=$(truth --arg p "$p" "$lib"'map(select(.policy == $p)) | pct(0, 1, 50, 99.9, 100)' ev)
	[ "$(awk '{ printf "%.6f\n", $2 }' <<<"$output")" = "$(awk '{ printf "%.6f\n", $1 }' <<<"$want")" ]
	[ "${lines[3]%% *}" = p99.9 ]
	nl-observe pct "$p" 50 --json ev | jq -e --arg p "$p" '.policy == $p and .exact and .samples > 100 and .p50_s > 0'
	for bad in x 101 -1 50,,60 ''; do
		run -125 nl-observe pct "$p" "$bad" ev
	done
}

@test "Percentiles of more than 256 requests are within 1.08 % of jq's" {
	eventgen -n 4000 -p 2 -k 1 -t 600 >ev
	truth "$lib"'(within(300) as $in | group_by(.policy)[] | .[0].policy as $p | [$p, (pct(1, 50, 90, 99, 99.9)), ($in | map(select(.policy == $p)) | pct(99))])' ev |
		jq -r 'map(tostring) | join(" ")' >want
	while read -r p a b c d e w; do
		nl-observe pct "$p" 1,50,90,99,99.9 ev >got
		nl-observe pct "$p" 99 --window 5m ev >>got
		set -- "$a" "$b" "$c" "$d" "$e" "$w"
		while read -r _ is; do
			near "$is" "$1"
			shift
		done <got
	done <want
	nl-observe pct api-000 50 --json ev | jq -e '.exact == false and .samples > 256'
}

@test "state is closed, open, half_open or forced_open of a breaker, else -" {
	export NL_EVENTS=$PWD/ev
	nl-breaker api true
	[ "$(nl-observe state api ev)" = closed ]
	status_of nl-breaker -f 1 -o 1us api sh -c 'exit 3' >/dev/null
	[ "$(nl-observe state api ev)" = open ]
	nl-breaker -f 1 -o 1us api true
	[ "$(nl-observe state breaker/api ev)" = closed ]
	sed '/nl.circuit.half_open/q' ev >begun
	[ "$(nl-observe state api begun)" = half_open ]
	nl-ctl open breaker/api
	[ "$(nl-observe state api ev)" = forced_open ]
	nl-observe state api --json ev | jq -e '.state == "forced_open" and (.since | endswith("Z"))'
	nl-timeout --name t 9s true
	[ "$(nl-observe state t ev)" = - ]
}

@test "circuit tells the state, and each change with the reason" {
	export NL_EVENTS=$PWD/ev
	status_of nl-breaker -f 1 -o 1us api sh -c 'exit 3' >/dev/null
	nl-breaker -f 1 -o 1us api true
	run -0 nl-observe circuit api ev
	[[ ${lines[0]} == 'breaker/api  closed' ]]
	[[ ${lines[1]} == 'calls     2, 1 failed, 0 rejected' ]]
	[[ ${lines[2]} == 'opened    1 time' ]]
	[[ ${lines[3]} =~ ^'changes   '20[0-9-]+' '[0-9:]{8}'  closed -> open, consecutive, for ' ]]
	[[ ${lines[4]} =~ ^' '+[0-9:]{8}'  open -> half_open' ]]
	[[ ${lines[5]} =~ ^' '+[0-9:]{8}'  half_open -> closed' ]]
	nl-observe circuit api --json ev | jq -e '.opened == 1 and .changes == 3 and (.last | map(.to)) == ["open", "half_open", "closed"] and (.last | map(.epoch) | . == sort)'
	nl-timeout --name t 9s true
	run -1 nl-observe circuit t ev
	[ "$output" = 'nl-observe: timeout/t: is no breaker' ]
}

@test "What a breaker's record says otherwise than events do is a finding of circuit and summary" {
	export NL_EVENTS=$PWD/ev
	status_of nl-breaker -f 1 -o 1h api sh -c 'exit 3' >/dev/null
	nl-observe circuit api ev >out
	nl-observe ev >>out
	run ! grep 'its record says' out
	# A reset of a closed one is no move.
	status_of nl-breaker -f 1 -o 1h svc sh -c 'exit 3' >/dev/null
	nl-ctl close breaker/svc
	nl-ctl reset breaker/svc
	nl-observe circuit svc ev >out
	nl-observe ev >>out
	run ! grep 'its record says' out
	NL_EVENTS=off nl-ctl open breaker/svc
	nl-observe circuit svc ev | grep -q '^finding '
	NL_EVENTS=off nl-ctl close breaker/api
	nl-observe circuit api ev | grep -qE '^finding   events say open \(epoch [0-9]+\), its record says closed \(epoch [0-9]+\)$'
	nl-observe ev | grep -q '^breaker/api: events say open '
	nl-observe circuit api --json ev | jq -e '.finding | startswith("events say open")'
	nl-observe --json ev | jq -e '.findings[] | select(.policy == "api") | .finding == "mismatch" and .kind == "breaker" and (.detail | startswith("events say open"))'
	nl-observe --to now ev >out
	run ! grep 'its record says' out
}

@test "check is 0 if it holds, 1 for a warning, 2 if it is critical, 3 if it is not known" {
	make_log
	run -0 nl-observe check 'rate(db,5m) < 0.6' ev
	[ "$output" = 'OK: rate(db,5m) < 0.6; it is 0.5 (1 of 2)' ]
	run -1 nl-observe check 'warn rate(db) < 20%' ev
	[ "$output" = 'WARNING: rate(db) < 20%; it is 0.5 (1 of 2)' ]
	run -2 nl-observe check 'rate(db) < 20%' ev
	run -2 nl-observe check 'warn rate(db) < 20%; state(api) == closed' ev
	[ "${lines[1]}" = 'CRITICAL: state(api) == closed; it is open' ]
	run -3 nl-observe check 'rate(none) < 1' ev
	[[ $output == 'UNKNOWN: rate(none) < 1: none: no such policy in these events'* ]]
	run -3 nl-observe check 'state(db) == closed; lost == 0' ev
	[[ ${lines[0]} == 'UNKNOWN: state(db) == closed: no data' && ${lines[1]} == 'OK: lost == 0; it is 0' ]]
	run -0 nl-observe check 'p99(slow) >= 20ms; attempts(db) == 4; recovered(db) == 1; rejected(api) == 1; calls == 7' ev
	run -125 nl-observe check 'rat(db) < 1' ev
	[ "$output" = "nl-observe: check: 'rat': unknown metric, is it rate?" ]
	run -125 nl-observe check 'rate(db)' ev
	run -125 nl-observe check 'state(api) < 1' ev
	nl-observe check 'rate(db) < 1' --json ev | jq -e '.result == "OK" and .value == 0.5'
}

@test "check knows the states that there are: another word is an error that names them" {
	make_log
	for state in closed open half_open forced_open forced_closed disabled; do
		run nl-observe check "state(api) == $state" ev
		[ "$status" -eq "$([ $state = open ] && echo 0 || echo 2)" ]
	done
	run -125 nl-observe check 'state(api) != opened' ev
	[ "$output" = "nl-observe: check: 'opened': no state, is it open? (closed, open, half_open, forced_open, forced_closed, disabled)" ]
	run -125 nl-observe check 'state(api) == Closed' ev
	run -125 nl-observe check 'state(api) == xyzzy' ev
	[[ $output == *"'xyzzy': no state (closed, "* ]]
}

@test "check is 3 if a source cannot be read, unless what is there is critical" {
	make_log
	run -3 nl-observe check 'lost == 0' nowhere
	[ "$output" = 'nl-observe: cannot open nowhere: No such file or directory' ]
	mkdir log
	cp ev log/a.ndjson
	printf '\037\213no gzip' >log/b.ndjson.gz
	run -3 nl-observe check 'calls > 0' log
	run -3 nl-observe check 'warn: calls == 0' log
	run -2 nl-observe check 'calls == 0' log
	run -125 nl-observe check 'calls' nowhere
	run -125 nl-observe list nowhere
}

@test "The page and --help name each metric of check" {
	make_log
	for metric in rate requests failures rejected timeouts attempts recovered retries_exhausted opens amplification utilisation age state events lost killed calls failed_calls; do
		nl-observe --help | sed -n '/^Conditions/,/^Queries/p' | grep -qw "$metric"
		sed -n '/^.Sh CONDITIONS/,/^.Sh REPLAY/p' "$NL_ROOT/man/nl-observe.1" | grep '^.It' | grep -qw "$metric"
	done
	nl-observe check 'rate(db,5m) >= 0; requests(db,5m) == 2; failures(db,1m) > 0%; rejected(api,15m) > 0; timeouts(slow,1m) > 0' ev
	nl-observe check 'attempts(db) > 0; recovered(db) == 1; retries_exhausted(db) > 0; opens(api) == 1; amplification(db) == 2; p99.9(db) < 1h' ev
	nl-observe check 'age(pool) >= 0; utilisation(pool) >= 0; events > 0; lost == 0; killed == 0; calls > 0; failed_calls > 0' ev
}

@test "diff tells what is different since a time, worst first" {
	eventgen -n 2000 -p 4 -t 100 >ev
	at=$(jq -r .time ev | sed -n 1000p)
	nl-observe diff "$at" --json ev | jq -S . >got
	truth --arg at "$at" "$lib"'def side: requests | {requests: length} + if length == 0 then {rate: 0} else {rate: rate, p50_s: pct(50), p99_s: pct(99)} end;
		group_by([.kind, .policy]) | map({policy: .[0].policy, kind: .[0].kind, before: map(select(.time < $at)) | side,
		after: map(select(.time >= $at)) | side}) | sort_by(.before.rate - .after.rate)[]' ev | jq -S . >want
	diff <(jq -c '[.policy, .before.requests, .before.rate, .after.requests, .after.rate, .after.p50_s]' want) \
		<(jq -c '[.policy, .before.requests, .before.rate, .after.requests, .after.rate, .after.p50_s]' got)
	run -0 nl-observe diff "$at" ev
	[[ ${lines[1]} == 'POLICY '*before*after*before* ]]
}

@test "diff with another log compares the two" {
	export NL_EVENTS=$PWD/a
	nl-timeout --name t 9s true
	nl-timeout --name old 9s true
	export NL_EVENTS=$PWD/b
	status_of nl-timeout --name t 9s sh -c 'exit 3' >/dev/null
	nl-observe diff ./a --json b >out
	holds t '[.before.rate, .after.rate] == [0, 1]'
	holds old '[.before.requests, .after.requests] == [1, 0]'
	run -125 nl-observe diff ./none b
}

@test "A time is a moment in UTC, the clock of the day of now, or so long ago" {
	eventgen -n 200 -p 1 -t 100 -k 1 >ev
	local i=0
	for at in 2026-11-29T13:00:50Z 2026-11-29T13:00:50.000 '2026-11-29 13:00:50' 2026-11-29T13:00:50.0Z; do
		i=$((i + 1))
		nl-observe diff "$at" --json ev >"out$i"
		cmp out1 "out$i"
	done
	jq -e '.before.requests > 0 and .after.requests > 0' out1
	jq -e '.before.requests == 0' <(nl-observe diff 2026-11-29 --json ev)
	jq -e '.after.requests == 0' <(nl-observe diff 2026-11-29T14:00 --json ev)
	NL_EVENTS=$PWD/now nl-timeout --name t 9s true
	for at in now '0s ago'; do
		nl-observe diff "$at" --json now | jq -e '.before.requests == 1'
	done
	nl-observe diff '10m ago' --json now | jq -e '.after.requests == 1'
	# Now is the last event's time, of files that were written long ago, too.
	last=$(jq -r .time ev | sort | tail -n1)
	for at in '60s ago' 13:00:50 now; do
		case $at in
		60s*) whole=$(date -u -d "@$(($(date -d "$last" +%s) - 60))" +%FT%T).${last##*.} ;;
		now) whole=$last ;;
		*) whole=2026-11-29T$at ;;
		esac
		gzip <ev >ev.gz
		mkdir -p dir
		cp ev dir/20261129T13.ndjson
		for source in ev ev.gz dir; do
			nl-observe diff "$at" --json $source | diff - <(nl-observe diff "$whole" --json ev)
			nl-observe --from "$at" --json list $source | diff - <(nl-observe --from "$whole" --json list ev)
			nl-observe asof "$at" --json list $source | diff - <(nl-observe asof "$whole" --json list ev)
		done
		nl-observe --from "$at" --json list <ev >piped
		nl-observe --from "$whole" --json list ev | diff piped -
		(read -r _ && nl-observe --from "$at" --stats) <ev >piped
		sed 1d ev | nl-observe --from "$whole" --stats | diff piped -
	done
	run -125 nl-observe --from '5m ago' list < <(cat ev)
	[[ $output == "nl-observe: '5m ago': now is the last event's time, unknown before a pipe is read; give a whole time, as 2026-11-24T13:00" ]]
	nl-observe --from 2026-11-29 list < <(cat ev) | diff - <(nl-observe list ev)
	run -125 nl-observe diff 2026-13-29 ev
	run -125 nl-observe diff 13:99 ev
}

@test "blame tells where the time of callers went; the parts are the whole" {
	export NL_EVENTS=$PWD/ev@debug
	nl-retry -n3 -b const:30ms -j none --name db flaky -q n 1 0
	status_of nl-timeout --name slow -k 1s 20ms sleep 9 >/dev/null
	nl-observe blame --json ev >out
	truth 'map(select(.depth == 0 and (.event | startswith("nl.request."))) | .dur_s) | add' ev >sum
	jq -es --slurpfile sum sum '(map(.total_s - .overhead_s) | add) - $sum[0] | fabs < 0.00001' out
	holds retry/db '.backoff_s == 0.03 and .calls == 1'
	holds timeout/slow '.answer_s == 0 and .failed_s > 0.01'
	run -0 nl-observe blame ev
	[[ ${lines[0]} == POLICY*CALLS*TIME*ANSWER*FAILED*BACKOF*QUEUE*GRACE*OVERH ]]
	run -0 nl-observe blame --by stack ev
	[[ $output == *'retry/db;back-off 30000'* ]]
	run -125 nl-observe blame --by colour ev
	[ "$output" = "nl-observe: blame: --by 'colour': policy or stack" ]
}

@test "blame is the same whatever the order of lines, and however they are split over files" {
	export NL_EVENTS=$PWD/ev@debug
	nl-retry -n3 -b const:30ms -j none --name db flaky -q n 1 0
	status_of nl-retry -n2 -b const:10ms -j none --name dc sh -c 'exit 3' >/dev/null
	status_of nl-timeout --name slow 20ms sleep 9 >/dev/null
	nl-observe blame --json ev >want
	jq -es 'length == 3 and (map(.overhead_s) | add) > 0' want
	tac ev | nl-observe blame --json | diff want -
	jq -c . ev | sort -t, -k3 >sorted
	nl-observe blame --json sorted | diff want -
	split -n r/3 ev part.
	nl-observe blame --json part.ac part.aa part.ab | diff want -
}

@test "Of what goes on at once, each moment counts once: no part is below 0, and they are the whole" {
	export NL_EVENTS=$PWD/ev
	status_of nl-race --name r [ nl-retry -n5 -b const:30ms -j none sh -c 'sleep 0.01; exit 1' ] [ nl-retry -n5 -b const:30ms -j none sh -c 'exit 1' ] \
		[ nl-retry -n5 -b const:30ms -j none sh -c 'exit 1' ] >/dev/null
	nl-observe blame --json ev >out
	holds race/r '([.answer_s, .failed_s, .backoff_s, .queue_s, .grace_s, .overhead_s] | min >= 0) and .backoff_s > 0.01 and .failed_s > 0'
	truth 'map(select(.depth == 0 and (.event | startswith("nl.request."))) | .dur_s) | add' ev >sum
	jq -es --slurpfile sum sum '(map(.total_s - .overhead_s) | add) - $sum[0] | fabs < 0.00001' out
	nl-observe blame ev >out
	run ! grep -qE -- '-[0-9]' out
}

@test "blame counts policies beyond the limit in _overflow" {
	eventgen -n 500 -p 12 >ev
	nl-observe blame --json --max-series 5 ev >got
	[ "$(jq -s length got)" -le 6 ]
	jq -es 'any(.policy == "_overflow")' got
	nl-observe blame --json ev >all
	diff <(jq -s 'map(.calls) | add' all) <(jq -s 'map(.calls) | add' got)
	jq -c 'select(.policy != "_overflow")' got >some
	[ "$(grep -cxFf some <(jq -c . all))" = "$(wc -l <some)" ]
}

@test "blame with --every gives each policy its own numbers each time" {
	export NL_EVENTS=$PWD/ev
	nl-retry -n3 -b const:30ms -j none --name db flaky -q n 1 0
	nl-timeout --name t 9s true
	nl-observe blame --json ev | jq -c '[.policy, .calls, .backoff_s]' >want
	NL_EVENTS=off start nl-observe -F --every 50ms --window 15m blame --json ev >got
	wait_for 20 eval '[ "$(wc -l <got)" -ge 8 ]'
	kill "$pid"
	wait "$pid" || :
	jq -c '[.policy, .calls, .backoff_s]' got | sort | uniq -c | awk '{ print $2 }' | diff <(sort want) -
}

@test "A policy that is not there is status 1, and the nearest one is named" {
	make_log
	for query in 'rate dc' 'pct dc 50' 'state dc' 'circuit dc'; do
		# shellcheck disable=SC2086
		run -1 nl-observe $query ev
		[ "$output" = 'nl-observe: dc: no such policy in these events; is it db?' ]
	done
	run -1 nl-observe rate timeout/db ev
	run -1 nl-observe rate xyzzy ev
	[ "$output" = 'nl-observe: xyzzy: no such policy in these events' ]
	NL_EVENTS=$PWD/ev nl-timeout --name db 9s true
	run -1 nl-observe rate db ev
	[[ $output == *'db: '*ambiguous*retry/db*timeout/db* || $output == *ambiguous*timeout/db*retry/db* ]]
	[ "$(nl-observe rate timeout/db ev)" = 0 ]
}

@test "asof, or --to, answers as it would have then: what came after is not counted, and that time is now" {
	eventgen -n 2000 -p 4 -t 600 -e 300000 >ev
	at=$(jq -r .time ev | sed -n 1200p)
	jq -c --arg at "$at" 'select(.time <= $at)' ev >before
	for query in summary list 'rate api-000' 'pct api-001 50,99' 'rate api-002 --window 60s' 'circuit api-002' blame 'check rate(api-001,5m)<50%'; do
		# shellcheck disable=SC2086
		nl-observe asof "$at" $query --json ev >got || :
		# shellcheck disable=SC2086
		nl-observe $query --json before >want || :
		diff want got
		# shellcheck disable=SC2086
		nl-observe $query --to "$at" --json ev | diff want -
	done
	nl-observe asof "$at" ev | diff - <(nl-observe before)
	[ "$(nl-observe asof 2026-11-29T14:00 rate api-000 --window 5m ev)" = - ]
	run -125 nl-observe asof
	run -125 nl-observe asof never ev
	[ "$output" = "nl-observe: --to: 'never': no time, as 2026-11-24T13:00, 13:00:05, 5m ago or now" ]
	run -125 nl-observe asof "$at" asof "$at" ev
	nl-observe --snapshot snap ev >/dev/null
	run -125 nl-observe asof "$at" snap
	[ "$output" = 'nl-observe: snap: a snapshot knows of no single events, so not with --from, --to or asof' ]
	run -125 nl-observe --to "$at" --snapshot snap ev
}

@test "--from leaves out what came before, and calls nothing of that lost" {
	eventgen -n 2000 -p 4 -t 600 -v 5 >ev
	at=$(jq -r 'select(.event == "nl.run.ended") | .time' ev | sed -n 400p)
	jq -c --arg at "$at" 'select(.time >= $at)' ev >since
	nl-observe list --json --from "$at" ev | diff - <(nl-observe list --json since)
	nl-observe check 'lost == 0' --from "$at" ev
	run -2 nl-observe check 'lost == 0' since
	between=$(jq -r .time ev | sed -n 1500p)
	nl-observe check "events == $(jq -c --arg a "$at" --arg b "$between" 'select(.time >= $a and .time <= $b)' ev | wc -l)" --from "$at" --to "$between" ev
}

@test "summary --md is Markdown for a CI service: totals, the policies, and what retries hid" {
	make_log
	nl-observe --md ev >out
	grep -qx '\*\*7\*\* calls, \*\*5\*\* failed (71.4 %), until 20.* UTC.' out
	grep -qE '^\| breaker/api \| 3 \| 3 \| 100.0 % \| .* \| open \| rejected \|$' out
	grep -qxF '| Policy | Calls recovered | Attempts added | Time in back-off | Calls shed |' out
	grep -qxF '| retry/db | 1 | 2 | 2.0ms | 0 |' out
	grep -qxF '| breaker/api | 0 | 0 | 0us | 1 |' out
	grep -qxF '| **all** | 1 | 2 | 2.0ms | 2 |' out
	NL_EVENTS=$PWD/good nl-retry --name db true
	nl-observe --md good | grep -qx 'Nothing: each call was one attempt.'
	[ "$(nl-observe --md /dev/null | tail -n1)" = 'No events.' ]
}

@test "Nothing in a log can break the tables of summary --md" {
	make_log
	sed 's/"err":"exit_3"/"err":"a+b"/; s/"reason":"[a-z_]*"/"reason":"|<b>"/; s/"policy":"db"/"policy":"a.b_c:d"/' ev >bad
	nl-observe --md bad >out
	awk -F'[|]' '/^[|]/ { if (!n) n = NF; if (NF != n) exit 1 } !/^[|]/ { n = 0 }' out
	grep -qF '| retry/a.b\_c\:d | 2 |' out
	grep -qF '| a\+b |' out
}

@test "Nothing in a log reaches a terminal as a control character" {
	make_log
	sed 's/"err":"exit_3"/"err":"\\u001b[2J\\u009b1m\\n"/; s/"reason":"[a-z_]*"/"reason":"\\u001b]0;x\\u0007"/' ev >bad
	for query in summary list 'circuit api' 'diff now' blame 'check state(api)==open'; do
		for as in '' --json; do
			# shellcheck disable=SC2086
			nl-observe $query $as bad >out || :
			run ! env LC_ALL=C grep -q $'[\001-\010\013-\037\177\302\233]' out
		done
	done
}
