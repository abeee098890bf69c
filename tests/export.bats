#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# nl-observe export: for Prometheus, OpenTelemetry, CloudEvents and Elastic.
# The sentences are those of nl-observe(1).
# shellcheck disable=SC2016,SC2154  # text for sed and awk; set by run and start
bats_require_minimum_version 1.5.0
load helper

setup_file() { export BATS_TEST_TIMEOUT=60; }

# log FILE: a call of each kind of policy, and what goes wrong with it.
log() {
	local -x NL_EVENTS=$PWD/$1@debug

	nl-retry -n3 -b const:1ms -j none --name db false || :
	nl-retry -n3 -b const:1ms -j none --name db sh -c '[ -e again ] || { : >again; false; }' || :
	nl-timeout --name slow 30ms sleep 60 || :
	nl-breaker -f1 --open 1h api false || :
	nl-breaker -f1 --open 1h api true || :
	nl-bulkhead -m3 pool true
	nl-race --name two [ true ] [ sleep 60 ]
	nl-fallback --name page [ false ] [ true ] || :
}

# metric 'NAME{LABELS}' [FILE]: its value.
metric() { awk -v name="$1" '$1 == name { print $2 }' "${2-prom}"; }

@test "export prints the system in the text format of Prometheus, and promtool has nothing to say about it" {
	log ev
	nl-observe export ev >prom
	run -0 promtool check metrics <prom
	[ "$output" = '' ]
	[ "$(metric 'nl_attempts_total{kind="retry",policy="db",attempt_type="original"}')" = 2 ]
	[ "$(metric 'nl_attempts_total{kind="retry",policy="db",attempt_type="retry"}')" = 3 ]
	[ "$(metric 'nl_calls_recovered_total{kind="retry",policy="db"}')" = 1 ]
	[ "$(metric 'nl_retries_exhausted_total{kind="retry",policy="db",reason="max_attempts"}')" = 1 ]
	[ "$(metric 'nl_attempt_duration_seconds_count{kind="retry",policy="db",error_type=""}')" = 1 ]
	[ "$(metric 'nl_attempt_duration_seconds_count{kind="retry",policy="db",error_type="failed"}')" = 4 ]
	[ "$(metric 'nl_retry_delay_seconds_sum{kind="retry",policy="db"}')" = 0.003000 ]
	[ "$(metric 'nl_timeouts_total{kind="timeout",policy="slow",killed="false"}')" = 1 ]
	[ "$(metric 'nl_request_failures_total{kind="timeout",policy="slow",error_type="timeout"}')" = 1 ]
	[ "$(metric 'nl_circuit_transitions_total{kind="breaker",policy="api",from="closed",to="open",reason="consecutive"}')" = 1 ]
	[ "$(metric 'nl_circuit_rejections_total{kind="breaker",policy="api"}')" = 1 ]
	[ "$(metric 'nl_bulkhead_limit{kind="bulkhead",policy="pool"}')" = 3 ]
	[ "$(metric 'nl_bulkhead_usage{kind="bulkhead",policy="pool"}')" = 0 ]
	[ "$(metric 'nl_bulkhead_hold_duration_seconds_count{kind="bulkhead",policy="pool"}')" = 1 ]
	[ "$(metric 'nl_race_wins_total{kind="race",policy="two",arm="1"}')" = 1 ]
	[ "$(metric 'nl_fallback_uses_total{kind="fallback",policy="page",to="2"}')" = 1 ]
	[ "$(metric 'nl_observe_lines_total{verdict="ok"}')" -eq "$(wc -l <ev)" ]
	[ "$(metric 'nl_observe_events_lost_total')" = 0 ]
}

# words ATTRIBUTE EVENT: those that it may have.
words() {
	jq -r --arg event "$2" ".allOf[] | select(.if.properties.event.const == \$event) | .then.properties.$1.enum[]" "$NL_ROOT/lib/nl-events.schema.json" | xargs
}

@test "What a policy may ever count is there at 0 from the beginning" {
	NL_EVENTS=$PWD/ev nl-retry --name db true
	NL_EVENTS=$PWD/ev nl-breaker api true
	NL_EVENTS=$PWD/ev nl-timeout --name slow 10 true
	NL_EVENTS=$PWD/ev nl-bulkhead -m1 pool true
	NL_EVENTS=$PWD/ev nl-race --name two [ true ] [ sleep 60 ]
	NL_EVENTS=$PWD/ev nl-fallback --name page [ true ] [ false ]
	nl-observe export ev >prom
	[ "$(metric 'nl_request_duration_seconds_count{kind="retry",policy="db",error_type="failed"}')" = 0 ]
	[ "$(metric 'nl_attempts_total{kind="retry",policy="db",attempt_type="retry"}')" = 0 ]
	[ "$(grep -c '^nl_circuit_transitions_total{.*} 0$' prom)" = 6 ]
	[ "$(metric 'nl_circuit_transitions_total{kind="breaker",policy="api",from="half_open",to="open",reason="probe_failed"}')" = 0 ]
	[ "$(sed -n 's/^nl_retries_exhausted_total{.*,reason="\(.*\)"} 0$/\1/p' prom | xargs)" = "$(words reason nl.retry.exhausted)" ]
	[ "$(sed -n 's/^nl_bulkhead_rejections_total{.*,reason="\(.*\)"} 0$/\1/p' prom | xargs)" = "$(words reason nl.bulkhead.rejected)" ]
	[ "$(grep -c '^nl_timeouts_total{kind="timeout",policy="slow",killed=".*"} 0$' prom)" = 2 ]
	[ "$(metric 'nl_race_wins_total{kind="race",policy="two",arm="2"}')" = 0 ]
	[ "$(metric 'nl_fallback_uses_total{kind="fallback",policy="page",to="2"}')" = 0 ]
	[ "$(metric 'nl_circuit_rejections_total{kind="breaker",policy="api"}')" = 0 ]
}

@test "nl_circuit_state is 1 for the state that a breaker is in and 0 for all others" {
	NL_EVENTS=$PWD/ev nl-breaker -f1 --open 1h api false || :
	nl-observe export ev | grep ^nl_circuit_state >states
	[ "$(grep -c '} 0$' states)" = 5 ]
	[ "$(grep '} 1$' states)" = 'nl_circuit_state{kind="breaker",policy="api",state="open"} 1' ]
}

@test "Buckets of durations are counted exactly, calls that failed apart" {
	local le n type word

	eventgen -n 4000 -s 5 >ev
	nl-observe export ev >prom
	promtool check metrics <prom
	for word in success failure; do
		[ $word = success ] && type='' || type=failed
		for le in 0.005 0.1 1 10 3600 +Inf; do
			n=$(jq -s --arg le "$le" --arg word "$word" '[.[] | select(.event == "nl.request." + $word
				and ($le == "+Inf" or .dur_s <= ($le | tonumber)))] | unique_by(.run, .seq) | length' ev)
			[ "$(awk -v le="error_type=\"$type\",le=\"$le\"}" '/^nl_request/ && index($1, le) { n += $2 } END { print n + 0 }' prom)" = "$n" ]
		done
		jq -s --arg word "$word" 'map(select(.event == "nl.request." + $word)) | unique_by(.run, .seq) |
			map(.dur_s) | add' ev >sum
		awk -v at="error_type=\"$type\"}" -v sum="$(<sum)" '/_seconds_sum/ && index($1, at) && /^nl_request/ { n += $2 }
			END { exit !(n - sum < 0.001 && sum - n < 0.001) }' prom
	done
}

@test "Durations of a retry's attempts are counted exactly, those that failed apart" {
	local le type

	eventgen -n 8000 -s 6 -k 1 -e 300000 >ev
	nl-observe export ev >prom
	# Of a call that succeeded at once it is the call's.
	jq -c 'if .event == "nl.retry.attempt" then ["failed", .dur_s] elif .event == "nl.retry.exhausted" then ["failed", .last_s]
		elif .event == "nl.request.success" then ["", if .attempts == 1 then .dur_s else .last_s end] else empty end' ev >attempts
	for type in '' failed; do
		for le in 0.005 0.05 0.1 1 10 +Inf; do
			[ "$(awk -v le="nl_attempt_duration_seconds_bucket" -v at="error_type=\"$type\",le=\"$le\"}" \
				'index($1, le) && index($1, at) { n += $2 } END { print n + 0 }' prom)" = \
				"$(jq -s --arg le "$le" --arg type "$type" 'map(select(.[0] == $type and ($le == "+Inf" or .[1] <= ($le | tonumber)))) | length' attempts)" ]
		done
		awk -v at="error_type=\"$type\"}" -v sum="$(jq -s --arg type "$type" 'map(select(.[0] == $type)[1]) | add' attempts)" \
			'/^nl_attempt_duration_seconds_sum/ && index($1, at) { n += $2 } END { exit !(n > 0 && n - sum < 0.001 && sum - n < 0.001) }' prom
	done
	[ "$(awk '/^nl_attempt_duration_seconds_count/ { n += $2 } END { print n }' prom)" = "$(awk '/^nl_attempts_total/ { n += $2 } END { print n }' prom)" ]
}

# totals METRIC EVENT JQ: METRIC's lines that are not 0 are the events by policy and the labels that JQ makes of one.
totals() {
	jq -r "select(.event == \"$2\") | \"$1{kind=\\\"\(.kind)\\\",policy=\\\"\(.policy)\\\",\($3)}\"" ev | sort | uniq -c | awk '{ print $2, $1 }' >theirs
	grep "^$1{" prom | grep -v ' 0$' | sort >ours
	[ -s ours ]
	diff theirs ours
}

@test "What is counted by label is what the events say, and their sum is all" {
	local text='"reason=\"\(.reason)\""'

	eventgen -n 30000 -s 7 -v 5 -e 400000 -p 8 -t 20 >ev
	nl-observe export ev >prom
	promtool check metrics <prom
	totals nl_retries_exhausted_total nl.retry.exhausted "$text"
	totals nl_timeouts_total nl.timeout.occurred '"killed=\"\(.killed)\""'
	totals nl_bulkhead_rejections_total nl.bulkhead.rejected "$text"
	jq -c 'if .event == "nl.circuit.half_open" then .to = "half_open" | .reason = "elapsed" | .event = "moved"
		elif .event == "nl.circuit.opened" then .to = "open" | .event = "moved" elif .event == "nl.circuit.closed" then .to = "closed" | .event = "moved"
		else empty end' ev >moves
	mv moves ev
	totals nl_circuit_transitions_total moved '"from=\"\(.from)\",to=\"\(.to)\",reason=\"\(.reason)\""'
}

@test "A reason that nl-events(5) has not, an arm and a branch beyond the 16th are other" {
	local n=0 event kind

	for kind in retry timeout breaker bulkhead race fallback; do
		echo '{"nl":1,"time":"2026-11-24T13:00:00.000000Z","event":"nl.request.success","sev":9,"policy":"p","kind":"'$kind'","run":"00000000000000a1","seq":'$((n++))',"depth":0}'
	done >ev
	for event in 'nl.retry.exhausted","kind":"retry","reason":"later' 'nl.timeout.occurred","kind":"timeout","killed":"maybe' \
		'nl.bulkhead.rejected","kind":"bulkhead","reason":"later' 'nl.bulkhead.rejected","kind":"bulkhead","x":"' \
		'nl.race.won","kind":"race","winner":17,"x":"' 'nl.race.won","kind":"race","winner":16,"x":"' \
		'nl.fallback.used","kind":"fallback","index":170,"x":"' \
		'nl.circuit.closed","kind":"breaker","from":"disabled","reason":"later' 'nl.circuit.forced","kind":"breaker","from":"open","state":"disabled'; do
		echo '{"nl":1,"time":"2026-11-24T13:00:00.000000Z","event":"'"$event"'","sev":9,"policy":"p","run":"00000000000000a1","seq":'$((n++))',"depth":0}'
	done >>ev
	nl-observe export ev >prom
	promtool check metrics <prom
	[ "$(metric 'nl_retries_exhausted_total{kind="retry",policy="p",reason="other"}')" = 1 ]
	[ "$(metric 'nl_timeouts_total{kind="timeout",policy="p",killed="other"}')" = 1 ]
	[ "$(metric 'nl_bulkhead_rejections_total{kind="bulkhead",policy="p",reason="other"}')" = 2 ]
	[ "$(metric 'nl_race_wins_total{kind="race",policy="p",arm="other"}')" = 1 ]
	[ "$(metric 'nl_race_wins_total{kind="race",policy="p",arm="16"}')" = 1 ]
	[ "$(metric 'nl_fallback_uses_total{kind="fallback",policy="p",to="other"}')" = 1 ]
	[ "$(metric 'nl_circuit_transitions_total{kind="breaker",policy="p",from="disabled",to="closed",reason="other"}')" = 1 ]
	[ "$(metric 'nl_circuit_transitions_total{kind="breaker",policy="p",from="open",to="disabled",reason="forced"}')" = 1 ]
}

@test "With --out the answer takes the place of FILE in one step, and nothing else is left there" {
	mkdir collector
	log ev
	nl-observe export ev >prom
	echo old >collector/nl.prom
	exec {old}<collector/nl.prom
	run -0 nl-observe export --out collector/nl.prom ev
	[ "$output" = '' ]
	cmp prom collector/nl.prom
	[ "$(cat <&"$old")" = old ]
	[ "$(ls -A collector)" = nl.prom ]
	run -125 nl-observe export --out nowhere/nl.prom ev
	[[ $output == 'nl-observe: nowhere/nl.prom: '* ]]
	run -125 nl-observe export --as otlp --out collector/nl.prom ev
	[[ $output == *--out* ]]
	cmp prom collector/nl.prom
}

@test "--out replaces a regular file alone, also behind a symbolic link; what is no file is an error and stays" {
	log ev
	nl-observe export ev >prom
	mkdir far dir
	mkfifo fifo
	start nl-observe unix:socket
	wait_for 20 test -S socket
	kill -KILL "$pid"
	wait "$pid" || :
	echo old >far/nl.prom
	ln -s far/nl.prom link
	ln -s fifo to_fifo
	ln -s nowhere dangling
	mknod dev0 c 1 3 2>/dev/null || :       # Only root can make one.
	find . -printf '%p %y %i\n' | sort | grep -vE 'far|before' >before
	for name in dir fifo socket to_fifo dangling $(find dev0 2>/dev/null); do
		run -125 timeout 20 nl-observe export --out "$name" ev
		[[ $output == "nl-observe: $name: "* ]]
	done
	run -125 nl-observe export --out fifo ev
	[ "$output" = 'nl-observe: fifo: is a FIFO, and --out replaces only files' ]
	run -0 nl-observe export --out link ev
	cmp prom far/nl.prom
	find . -printf '%p %y %i\n' | grep -vE 'far|before' | sort | diff before -
}

@test "With --every the file is replaced again and again" {
	log ev
	NL_EVENTS=off start nl-observe -F --every 50ms --out nl.prom export ev
	wait_for 20 grep -q 'policy="db"' nl.prom
	NL_EVENTS=$PWD/ev nl-retry --name later true
	wait_for 20 grep -q 'policy="later"' nl.prom
	promtool check metrics <nl.prom
	kill "$pid"
	wait "$pid" || :
}

@test "A snapshot goes on with the counts of those before it" {
	NL_EVENTS=$PWD/ev nl-retry -n1 --name db false || :
	nl-observe export --snapshot state ev >prom
	NL_EVENTS=$PWD/ev nl-retry -n1 --name db false || :
	nl-observe export --snapshot state ev >twice
	nl-observe export ev >once
	cmp once twice
	eventgen -n 20000 -s 8 -v 5 -e 400000 -p 8 -t 600 >all
	split -n l/4 all part.
	for part in part.*; do
		nl-observe export --snapshot parts "$part" >parted
	done
	nl-observe export all >prom
	cmp prom parted
	[ "$(metric 'nl_request_duration_seconds_count{kind="retry",policy="db",error_type="failed"}' twice)" = 2 ]
}

@test "A name that only a snapshot of strangers can have is a label all the same, without a control character" {
	NL_EVENTS=$PWD/ev nl-retry -n1 --name db false || :
	nl-observe --snapshot state list ev >/dev/null
	node - <<-'EOT'
		const fs = require('fs');
		const text = fs.readFileSync('state', 'latin1').replace(/^sum .*\n$/m, '')
			.replace('series "retry" "db"', 'series "retry" "d\\22b\\5c\\0ax\\7f\\c2\\9b"');
		let sum = 0xcbf29ce484222325n;
		for (const byte of Buffer.from(text, 'latin1'))
			sum = (sum ^ BigInt(byte)) * 0x100000001b3n & 0xffffffffffffffffn;
		fs.writeFileSync('strange', `${text}sum ${sum.toString(16).padStart(16, '0')}\n`, 'latin1');
	EOT
	nl-observe export strange >prom
	promtool check metrics <prom
	nl-observe export --as otlp-metrics strange >metrics
	jq -e 'any(.. | .stringValue?; . == "d\"b\\\nx\u007f\u009b")' metrics
	run -1 env LC_ALL=C grep -P '[\x01-\x09\x0b-\x1f\x7f\x9b]' metrics
	grep -xF 'nl_attempts_total{kind="retry",policy="d\"b\\\\x0ax\\x7f\\x9b",attempt_type="original"} 1' prom
	run -1 env LC_ALL=C grep -P '[\x01-\x09\x0b-\x1f\x7f\x9b]' prom
}

# back FORMAT FILE: what FORMAT makes of the events in FILE says them again.
back() {
	nl-observe export --as "$1" "$2" >exported
	node "$NL_ROOT/tests/export_back.js" "$1" "$2" exported
}

@test "As otlp, cloudevents and ecs an event of any kind is a line that says all of it" {
	local format

	sed -n 's/.*\({"nl":1,\)/\1/p' "$NL_ROOT/tests/events/good.ndjson" >ev
	[ "$(jq -r .event ev | sort -u)" = "$(grep -o '"nl\.[a-z_]*\.[a-z_]*"' "$NL_ROOT/lib/nl-events.schema.json" | tr -d '"' | sort -u)" ]
	log more
	cat more >>ev
	for format in otlp cloudevents ecs; do
		back $format ev
	done
}

# metrics FILE: what otlp-metrics says of it holds by itself, beside prom and by its events; the percentiles of requests are in pcts.
metrics() {
	nl-observe export "$1" >prom
	nl-observe export --as otlp-metrics "$1" >metrics
	node "$NL_ROOT/tests/otlp_metrics.js" metrics prom "$1" 50 90 99 99.9 >pcts
}

@test "As otlp-metrics, the same metrics are one line of OTLP/JSON" {
	log ev
	metrics ev
	[ "$(cut -d' ' -f1 pcts | uniq | xargs)" = 'breaker/api bulkhead/pool fallback/page race/two retry/db timeout/slow' ]
	: >none
	metrics none
	[ ! -s pcts ]
	nl-observe export --max-series 1 --as otlp-metrics ev >metrics
	[ "$(jq -c '[.. | objects | select(.key == "otel.metric.overflow").value.boolValue] | unique' metrics)" = '[true]' ]
}

@test "Their exponential histograms have a sample where its duration is, and the percentiles of pct follow from them" {
	local policy

	eventgen -n 60000 -s 9 -v 5 -e 300000 -p 8 -t 300 >ev
	metrics ev
	for policy in $(cut -d' ' -f1 pcts | uniq); do
		[ "$(nl-observe pct "$policy" 50,90,99,99.9 ev)" = "$(sed -n "s|^$policy ||p" pcts)" ]
	done
	[ "$(wc -l <pcts)" = 32 ]
}

@test "With --out and --every that line replaces a file as well" {
	log ev
	nl-observe export --as otlp-metrics --out metrics.json ev
	nl-observe export --as otlp-metrics ev | cmp - metrics.json
}

@test "Keys and values that no tool of ours writes are in these lines, too" {
	local format

	cat >ev <<-'EOT'
	{"nl":1,"time":"2026-11-24T13:00:60.000000Z","event":"nl.later.news","sev":9,"policy":"a/b:c","kind":"later","run":"00000000000000a1","seq":0,"depth":0,"policy.name":"x","nl.k":1,".":2,"big":1e300,"neg":-5,"half":-0.5,"no":null,"yes":true,"not":false,"deep":[{"a":[[],{}]},"\u0000\n\"\\","é"],"":3,"\u00e9\"":4}
	{"nl":1,"time":"2026-11-24T13:00:01.000001Z","event":"nl.later.news","sev":0,"policy":"p","kind":"later","trace_id":"00000000000000000000000000000000","span_id":"00000000000000a1","run":"00000000000000a1","seq":1,"depth":0,"data":{"data":1},"source":"s","id":"i"}
	{"nl":1,"time":"2026-11-24T13:00:01.000001Z","event":"nl.later.news","sev":24,"policy":"p","kind":"later","trace_id":"000000000000000000000000000000a1","run":"00000000000000a1","seq":2,"depth":0}
	EOT
	for format in otlp cloudevents ecs; do
		back $format ev
	done
}

@test "No control character of an event is in an export" {
	printf '{"nl":1,"time":"2026-11-24T13:00:00.000000Z","event":"nl.request.failure","sev":9,"policy":"p","kind":"retry","run":"00000000000000a1","seq":0,"depth":0,"cmd":"a\x7fb\xc2\x9bc"}\n' >ev
	for format in prom otlp-metrics otlp cloudevents ecs; do
		nl-observe export --as $format ev >exported
		grep -q p exported
		run -1 env LC_ALL=C grep -P '[\x7f\x9b]' exported
	done
}

@test "Events are exported once, and while they come" {
	log ev
	nl-observe export --as ecs ev ev >exported
	[ "$(wc -l <exported)" = "$(wc -l <ev)" ]
	NL_EVENTS=off start nl-observe --follow export --as cloudevents ev >live
	exported() { [ "$(jq -r .id live | sort -u | wc -l)" = "$(wc -l <ev)" ]; }
	wait_for 10 exported
	NL_EVENTS=$PWD/ev nl-retry --name later true
	wait_for 10 exported
	kill "$pid"
	wait "$pid" || :
	exported
}

# get PATH ARG...: by curl from ./metrics.sock; the status line is in headers, the body in body.
get() {
	local path=$1

	shift
	curl -sS -m 20 --unix-socket metrics.sock -D headers -o body "$@" "http://localhost$path"
}

# scraped: nl-observe follows ev and answers at ./metrics.sock.
scraped() {
	[ -e ev ] || : >ev
	NL_EVENTS=off start nl-observe -F --scrape unix:metrics.sock ev
	wait_for 10 [ -S metrics.sock ]
}

stop() {
	kill "$pid"
	wait "$pid" || :
}

@test "With --scrape GET /metrics of HTTP is answered with what export prints, as of now" {
	log ev
	scraped >out
	get /metrics
	[[ $(<headers) == 'HTTP/1.1 200 OK'*'Content-Type: text/plain; version=0.0.4; charset=utf-8'*'Connection: close'* ]]
	promtool check metrics <body
	nl-observe export ev >prom
	cmp prom body
	NL_EVENTS=$PWD/ev nl-retry --name later true
	again() { get '/metrics?x=1' && grep -q 'policy="later"' body; }
	wait_for 10 again
	stop
	[ ! -e metrics.sock ]
}

@test "Another path is 404, another method 405, and what is no request 400" {
	scraped >out
	get /
	[[ $(<headers) == 'HTTP/1.1 404 '* ]]
	get /metrics/x
	[[ $(<headers) == 'HTTP/1.1 404 '* ]]
	get /metrics -X POST
	[[ $(<headers) == 'HTTP/1.1 405 '*'Allow: GET'* ]]
	get /metrics -X lower
	[[ $(<headers) == 'HTTP/1.1 400 '* ]]
	get /metrics -H "x: $(printf %9000d 1)" || :
	[[ $(<headers) == 'HTTP/1.1 431 '* ]]
	get /metrics
	[[ $(<headers) == 'HTTP/1.1 200 '* ]]
	stop
}

@test "One request is answered at a time, and who has not taken the answer within five seconds is cut off" {
	local idle

	scraped >out
	node -e 'require("net").connect("metrics.sock").on("error", () => {}).write("GET /metrics HTTP/1.1\r\n", () => console.log("sent"))' >said 3>&- &
	idle=$!
	wait_for 20 [ -s said ]
	get /metrics
	[[ $(<headers) == 'HTTP/1.1 200 '* ]]
	wait $idle
	stop
}

@test "--scrape takes no other address, and only while something is followed" {
	local at

	for at in 0.0.0.0:9464 :9464 9464 localhost:9464 127.0.0.1: 127.0.0.1:0 127.0.0.1:65536 127.0.0.1:1x '[::]:1' 127.0.0.2:1; do
		run -125 nl-observe -F --scrape "$at" /dev/null
		[[ $output == "nl-observe: --scrape '$at': unix:PATH, 127.0.0.1:PORT or [::1]:PORT"* ]]
	done
	run -125 nl-observe --scrape unix:metrics.sock /dev/null
	[[ $output == *--follow* ]]
	: >taken
	run -125 nl-observe -F --scrape unix:taken /dev/null
	[ -e taken ]
}

# prometheus_at PORT: the server that Debian has, with our rules, scraping 127.0.0.1:$1.
prometheus_at() {
	cat >prometheus.yml <<-EOT
	global: { scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms }
	rule_files: [$NL_ROOT/lib/ninelives.rules.yml]
	scrape_configs: [{ job_name: ninelives, static_configs: [{ targets: ['127.0.0.1:$1'] }] }]
	EOT
	prometheus --config.file=prometheus.yml --storage.tsdb.path=tsdb --web.listen-address="127.0.0.1:$(($1 + 1))" --log.level=error 2>prometheus.log 3>&- &
	server=$!
}

ask() {
	curl -sS -m 5 --noproxy '*' "http://127.0.0.1:$((port + 1))/api/v1/query" --data-urlencode "query=$1" 2>/dev/null | jq -r '.data.result[].value[1]'
}
says() { [ "$(ask "$1")" = "$2" ]; }

@test "The server of Prometheus scrapes it, and its rules find what is wrong; with the Host or Origin of others it is 403" {
	local port try

	log ev
	for try in {1..20}; do
		port=$((30000 + (BASHPID + try * 977) % 10000))
		NL_EVENTS=off start nl-observe -F --scrape "127.0.0.1:$port" ev >out 2>err
		up() { ! alive "$pid" || curl -fs -m 5 --noproxy '*' -o /dev/null "http://127.0.0.1:$port/metrics"; }
		wait_for 10 up
		! alive "$pid" || break
	done
	status() { curl -s -m 5 --noproxy '*' -o body -w '%{http_code}' "http://127.0.0.1:$port/metrics" "$@"; }
	local is
	for is in 'Host: evil.example' "Host: 127.0.0.1.evil.example:$port" 'Host: 127.0.0.1:1x' 'Host: 127.0.0.1@evil' 'Host;' 'Origin: http://evil.example' 'Origin: null' \
		'Origin: https://127.0.0.1' 'origin:http://localhost.evil'; do
		[ "$(status -H "$is")" = 403 ] || { echo "$is is let in"; false; }
		[ "$(<body)" = '403 Forbidden' ]
	done
	for is in "Host: localhost:$port" 'Host: [::1]' 'host:LOCALHOST' "Origin: http://127.0.0.1:$port" 'X-Host: evil.example'; do
		[ "$(status -H "$is")" = 200 ] || { echo "$is is not let in"; false; }
	done
	prometheus_at "$port"
	wait_for 40 says 'nl_circuit_state{job="ninelives",policy="api",state="open"}' 1
	wait_for 10 says 'up' 1
	says 'sum(nl_request_duration_seconds_count{policy="db"})' 2
	NL_EVENTS=$PWD/ev nl-retry --name db true
	wait_for 20 says 'sum(nl_request_duration_seconds_count{policy="db"})' 3
	wait_for 20 says 'count(ALERTS{alertname="NlCircuitOpen",policy="api",alertstate="pending"})' 1
	kill "$server" "$pid"
	wait "$server" "$pid" || :
}

@test "The rules are valid, and each alert fires when it must and not before" {
	promtool check rules "$NL_ROOT/lib/ninelives.rules.yml"
	promtool test rules "$NL_ROOT/tests/rules.yml"
	[ "$(grep -c '^      - alert:' "$NL_ROOT/lib/ninelives.rules.yml")" = \
		"$(sed -n 's/.*alertname: //p' "$NL_ROOT/tests/rules.yml" | sort -u | wc -l)" ]
}

# used: the metrics of ours in the expressions of stdin, without the parts of histograms and summaries.
used() { grep -ow 'nl_[a-z0-9_]*' | sed -E 's/_(bucket|sum|count)$//' | sort -u; }

# labels: a line for each label that a metric of ours has in stdin.
labels() {
	grep -o 'nl_[a-z0-9_]*{[^}]*}' | sed 's/"[^"]*"//g' | awk -F'[{},]' '{ for (i = 2; i < NF; i++) { sub(/[=!~].*/, "", $i); print $1, $i } }' | sort -u
}

@test "What the rules and examples/grafana.json ask for is exported" {
	log ev
	nl-observe export ev >prom
	sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' prom | sort >there
	jq -r '.. | .expr? // empty' "$NL_ROOT/examples/grafana.json" >exprs
	[ "$(wc -l <exprs)" -ge 15 ]
	jq -e '.panels | length > 5 and (map(.id) | unique | length) == length' "$NL_ROOT/examples/grafana.json"
	[ "$(cat exprs "$NL_ROOT/lib/ninelives.rules.yml" | used | comm -23 - there)" = '' ]
	labels <prom >there
	[ "$(cat exprs "$NL_ROOT/lib/ninelives.rules.yml" | labels | comm -23 - there)" = '' ]
	# Each is an expression of Prometheus, with the variables of the dashboard in their places.
	sed 's/\$policy/.*/g; s/\$__rate_interval/5m/g' exprs | awk 'BEGIN { print "groups:\n- name: g\n  rules:" }
		{ gsub(/\047/, "&&"); printf "  - record: r:%d\n    expr: \047%s\047\n", NR, $0 }' >rules.yml
	promtool check rules rules.yml
}
