#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Events: what is said about each call, in which form, and where it goes.
# Every line is also judged by nlcheck: judge() hands over what a test sent
# elsewhere.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154  # text for inner shells; each test is a subshell; set by run
bats_require_minimum_version 1.5.0
load helper
load victim

ENVELOPE='nl time event sev policy kind trace_id span_id run seq pid depth mono_us'

# What a jq filter makes of the events in FILE (the test's).
ev() {
	jq -r "$1" "${2-$NL_EVENTS}"
}

# The names of the events, without "nl.".
kinds() {
	jq -r '.event | sub("^nl\\."; "")' "${1-$NL_EVENTS}" | xargs
}

# Keys after the envelope of the events of one name, each combination once.
attributes() {
	jq -r "select(.event == \"$1\") | keys_unsorted | map(select(. != \"parent_id\")) | .[13:] | join(\" \")" "$NL_EVENTS" | sort -u
}

judge() {
	local f

	for f; do
		judged_files=$((${judged_files:-0} + 1))
		[ -z "${NL_EVENTS_LOG-}" ] || cp "$f" "$NL_EVENTS_LOG/$BATS_TEST_NUMBER.$judged_files.ndjson"
		jq -e . "$f" >/dev/null
	done
}

soon() {
	nl-retry -b constant:1ms -j none "$@"
}

debug() {
	NL_EVENTS=$NL_EVENTS@debug "$@"
}

@test "A success of nl-timeout is one nl.request.success" {
	run -0 debug nl-timeout 10 true
	[ "$(kinds)" = "run.started request.success run.ended" ]
}

@test "A limit that was hit is nl.timeout.occurred and nl.request.failure" {
	run -124 debug nl-timeout 0.2 sleep 60
	[ "$(kinds)" = "run.started timeout.occurred request.failure run.ended" ]
	[ "$(ev 'select(.event=="nl.request.failure") | "\(.cmd) \(.exit) \(.err)"')" = "sleep 124 timeout" ]
}

@test "A failing command is one nl.request.failure" {
	run -7 debug nl-timeout 10 sh -c 'exit 7'
	[ "$(kinds)" = "run.started request.failure run.ended" ]
}

@test "nl.retry.attempt tells of each failure that is followed by another attempt" {
	run -0 debug soon -n 5 flaky n 1 1 0
	[ "$(kinds)" = "run.started retry.attempt retry.attempt request.success run.ended" ]
	[ "$(ev 'select(.event=="nl.retry.attempt") | "\(.attempt)/\(.max)"' | xargs)" = "1/5 2/5" ]
}

@test "nl.retry.exhausted follows the last failure, then nl.request.failure" {
	run -1 debug soon -n 3 flaky n 1
	[ "$(kinds)" = "run.started retry.attempt retry.attempt retry.exhausted request.failure run.ended" ]
}

@test "nl.retry.attempt is sent before the sleep" {
	start nl-retry -b constant:30s -j none flaky n 1
	wait_for 5 grep -qs retry.attempt "$NL_EVENTS"
	alive "$pid"
	kill -TERM "$pid"
	wait "$pid" || [ $? = 143 ]
	[ "$(ev 'select(.event=="nl.retry.exhausted") | .reason')" = stopped ]
}

@test "nl.retry.exhausted says why: max_attempts, deadline, not_retryable, stdin" {
	run -1 soon -n 2 flaky n 1
	run -1 nl-retry -T 1 -b constant:10s -j none flaky n 1
	run -75 soon flaky n 75
	run -0 sh -c 'seq 3 | sh -c "nl-retry -b constant:1ms flaky n eat1; :"'
	[ "$(ev 'select(.event=="nl.retry.exhausted") | .reason' | xargs)" = "max_attempts deadline not_retryable stdin" ]
}

@test "last_s is how long the last attempt took, absent when an nl.retry.attempt has told of it" {
	run -0 nl-retry -b const:0.2 -j none sh -c 'flaky -q n 1 0'
	run -1 nl-retry -n 2 -b const:0.2 -j none flaky m 1
	run -1 nl-retry -n 1 flaky m 1
	run -0 soon flaky n 0
	[ "$(ev 'select(.last_s) | "\(.event) \(.attempts) \(.last_s > 0 and .last_s < .dur_s - 0.1)"' | xargs -n3)" = \
		$'nl.request.success 2 true\nnl.retry.exhausted 2 true\nnl.retry.exhausted 1 false' ]
	[ "$(ev 'select(.event=="nl.retry.exhausted" and .attempts==1) | .last_s <= .dur_s and .last_s > 0')" = true ]
	[ "$(ev 'select(.event=="nl.request.success" and .attempts==1) | has("last_s")')" = false ]
	NL_EVENTS=$PWD/wait start nl-retry -b constant:30s -j none flaky k 1
	wait_for 5 grep -q nl.retry.attempt wait
	kill -TERM "$pid"
	wait "$pid" || :
	[ "$(jq -c 'select(.event=="nl.retry.exhausted") | [.attempts, .reason, has("last_s")]' wait)" = '[1,"stopped",false]' ]
}

@test "The parts of each event stand in their order" {
	run -1 debug soon -n 2 flaky n 1
	run -124 debug nl-timeout 0.2 sleep 60
	run -124 debug nl-timeout -k 0 0.2 sleep 60
	run -143 debug soon -n 2 flaky n2 TERM
	run -0 debug soon --retry-after hint sh -c 'flaky -q n3 1 0 || { echo 0.1 >hint; exit 1; }'
	run -0 debug soon -O flaky n4 1 0
	run -0 debug nl-timeout 10 true
	[ "$(ev 'keys_unsorted | map(select(. != "parent_id")) | .[:13] | join(" ")' | sort -u)" = "$ENVELOPE" ]
	[ "$(attributes nl.run.started)" = "tool ver cmd host boot cfg" ]
	[ "$(attributes nl.run.ended)" = $'exit dur_s events\nsignal dur_s events' ]
	[ "$(attributes nl.request.success)" = $'cmd exit dur_s\ncmd exit dur_s attempts last_s' ]
	[ "$(attributes nl.request.failure)" = $'cmd exit err dur_s\ncmd exit err dur_s attempts\ncmd signal err dur_s attempts' ]
	[ "$(attributes nl.retry.attempt)" = "cmd attempt max exit err dur_s delay_s"$'\n'"cmd attempt max exit err dur_s delay_s held_bytes"$'\n'"cmd attempt max exit err dur_s delay_s retry_after_s capped"$'\n'"cmd attempt max signal err dur_s delay_s" ]
	[ "$(attributes nl.retry.exhausted)" = $'attempts max reason exit err dur_s slept_s last_s\nattempts max reason signal err dur_s slept_s last_s' ]
	[ "$(attributes nl.timeout.occurred)" = $'cmd limit_s dur_s reason signal grace_s killed\ncmd limit_s dur_s reason signal killed' ]
}

@test "parent_id stands behind span_id, and the outermost call has none" {
	run -0 debug nl-retry nl-timeout 10 true
	[ "$(ev 'select(.depth == 0) | has("parent_id")' | sort -u)" = false ]
	[ "$(ev 'select(.depth == 1) | keys_unsorted[7:9] | join(" ")' | sort -u)" = "span_id parent_id" ]
}

@test "Times and spans have their fixed form" {
	before=$(date -u +%Y-%m-%dT%H:%M)
	run -1 debug soon -n 2 flaky n 1
	after=$(date -u +%Y-%m-%dT%H:%M)
	[ "$(grep -Ec '^\{"nl":1,"time":"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z","event":"nl\.[a-z]+\.[a-z_]+","sev":(5|9|13|17),' "$NL_EVENTS")" = "$(wc -l <"$NL_EVENTS")" ]
	[ "$(grep -oE '"[a-z_]+_s":[^,}]*' "$NL_EVENTS" | grep -vcE ':[0-9]+\.[0-9]{6}$')" = 0 ]
	[ "$(ev '.trace_id | test("^[0-9a-f]{32}$")' | sort -u)" = true ]
	[ "$(ev '(.span_id + .run) | test("^[0-9a-f]{32}$")' | sort -u)" = true ]
	t=$(ev 'select(.event=="nl.run.ended") | .time')
	[[ ! ${t:0:16} < $before && ! ${t:0:16} > $after ]]
	read -r up _ </proc/uptime
	[ "$(ev 'select(.event=="nl.run.ended") | .mono_us / 1000000 | floor')" -le "${up%.*}" ]
	[ "$(ev 'select(.event=="nl.run.ended") | .mono_us / 1000000 | floor')" -ge "$((${up%.*} - 20))" ]
	[ "$(ev .mono_us)" = "$(ev .mono_us | sort -n)" ]
}

@test "sev is 5, 9, 13 or 17 by the event, and of a failure by its depth" {
	run -1 debug soon -n 2 flaky n 1
	run -124 debug nl-timeout 0.2 sleep 60
	run -0 debug nl-timeout 10 sh -c 'nl-timeout 10 false; :'
	ev '"\(.event) \(.depth) \(.sev)"' | sort -u >got
	diff - got <<-'EOF'
		nl.request.failure 0 17
		nl.request.failure 1 13
		nl.request.success 0 9
		nl.retry.attempt 0 13
		nl.retry.exhausted 0 17
		nl.run.ended 0 9
		nl.run.ended 1 9
		nl.run.started 0 5
		nl.run.started 1 5
		nl.timeout.occurred 0 13
	EOF
}

@test "err is exit_N, signal_NAME, timeout, rejected or spawn, and absent on success" {
	for a in 3 TERM 124 75 0; do
		rm -f n
		run soon -n 1 flaky n $a
	done
	run -124 soon -n 1 -t 0.2 flaky n hang
	run -127 soon -n 1 /no/such/command
	run -126 nl-timeout 10 /
	[ "$(ev 'select(.event|startswith("nl.request")) | .err // "none"' | xargs)" = "exit_3 signal_TERM timeout rejected none timeout spawn spawn" ]
	[ "$(ev 'select(.event|startswith("nl.request")) | .exit // .signal' | xargs)" = "3 TERM 124 75 0 124 127 126" ]
}

@test "policy is --name, else the command's basename in plain characters, and kind the layer" {
	ln -s /bin/true 'odd name!'
	run -0 nl-retry --name outer nl-timeout --name inner 10 true
	run -0 nl-retry nl-timeout 10 /bin/true
	run -0 nl-timeout 10 './odd name!'
	[ "$(ev 'select(.event=="nl.request.success") | "\(.kind):\(.policy):\(.cmd)"')" = $'timeout:inner:true\nretry:outer:true\ntimeout:true:true\nretry:true:true\ntimeout:odd_name_:odd name!' ]
}

@test "nl.run.started tells tool, version, command, host, boot and configuration" {
	run -0 debug nl-retry -n 7 -b exp:250ms..9s nl-timeout 11 true
	[ "$(ev 'select(.event=="nl.run.started") | "\(.tool) \(.cmd) \(.host) \(.boot)"')" = "nl-retry true $(uname -n) $(cat /proc/sys/kernel/random/boot_id)" ]
	[[ $(nl-retry --version) == *"$(ev 'select(.event=="nl.run.started") | .ver')"* ]]
	[[ $(ev 'select(.event=="nl.run.started") | .cfg') == *attempts=7* ]]
}

@test "Each call of each layer has one span and exactly one nl.request event" {
	for fuse in 1 0; do
		: >"$NL_EVENTS"
		NL_FUSE=$fuse run -1 debug soon -n 3 nl-timeout 10 flaky "n$fuse" 1
		[ "$(ev 'select(.event|startswith("nl.request")) | "\(.kind) \(.depth)"' | xargs)" = "timeout 1 timeout 1 timeout 1 retry 0" ]
		[ "$(ev 'select(.event|startswith("nl.request")) | .span_id' | sort -u | wc -l)" = 4 ]
		root=$(ev 'select(.event=="nl.request.failure" and .depth == 0) | .span_id')
		[ "$(ev 'select(.event=="nl.request.failure" and .depth == 1) | .parent_id' | sort -u)" = "$root" ]
		[ "$(ev 'select(.kind=="retry" and (.event|startswith("nl.retry"))) | .span_id' | sort -u)" = "$root" ]
		[ "$(ev .trace_id | sort -u | wc -l)" = 1 ]
	done
}

@test "Layers of one process share run, of several not, and depth and parents are the same" {
	for fuse in 1 0; do
		: >"$NL_EVENTS"
		NL_FUSE=$fuse run -0 debug nl-timeout 20 nl-retry nl-timeout 10 true
		[ "$(ev .run | sort -u | wc -l)" = $((fuse ? 1 : 3)) ]
		[ "$(ev 'select(.event=="nl.request.success") | .depth' | xargs)" = "2 1 0" ]
		[ "$(jq -s '[.[] | select(.event=="nl.request.success")] | .[0].parent_id == .[1].span_id and .[1].parent_id == .[2].span_id' "$NL_EVENTS")" = true ]
	done
}

@test "A foreign command between two tools hands the trace on" {
	run -0 debug nl-retry --name a sh -c 'nl-timeout --name b 10 sh -c "nl-retry --name c true"'
	[ "$(ev .trace_id | sort -u | wc -l)" = 1 ]
	[ "$(ev 'select(.event=="nl.request.success") | "\(.policy)\(.depth)"' | xargs)" = "c2 b1 a0" ]
	[ "$(jq -s '[.[] | select(.event=="nl.request.success")] | .[0].parent_id == .[1].span_id and .[1].parent_id == .[2].span_id' "$NL_EVENTS")" = true ]
}

@test "Without a TRACEPARENT none is made, and NL_PARENT that cannot be read is ignored" {
	run -0 nl-timeout 10 sh -c 'echo "${TRACEPARENT-none}"'
	[ "$output" = none ]
	for p in junk '' 0-0-0 "$(printf '%032d-%016d-x' 1 1)" "$(printf '%032d-%016d-0' 0 1)"; do
		NL_PARENT=$p run -0 nl-timeout 10 true
	done
	[ "$(ev 'select(.event=="nl.request.success") | "\(.depth) \(has("parent_id"))"' | sort -u)" = "0 false" ]
}

@test "A TRACEPARENT is continued and replaced for the command" {
	trace=0af7651916cd43dd8448eb211c80319c
	TRACEPARENT=00-$trace-b7ad6b7169203331-01 run -0 nl-retry nl-timeout 10 sh -c 'echo "$TRACEPARENT"'
	[ "$(ev .trace_id | sort -u)" = $trace ]
	[ "$(ev 'select(.kind=="retry" and .event=="nl.request.success") | .parent_id')" = b7ad6b7169203331 ]
	[ "$output" = "00-$trace-$(ev 'select(.kind=="timeout" and .event=="nl.request.success") | .span_id')-01" ]
}

@test "A TRACEPARENT that is none is left alone" {
	for t in junk 00-00000000000000000000000000000000-b7ad6b7169203331-01 00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01 ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01; do
		TRACEPARENT=$t run -0 nl-timeout 10 true
	done
	[ "$(ev 'select(.event=="nl.request.success") | has("parent_id")' | sort -u)" = false ]
	[ "$(ev '.trace_id' | grep -c '^0af765' || true)" = 0 ]
}

@test "seq counts the events of a run from 0, and run and seq name an event" {
	run -1 debug soon -n 4 nl-timeout 10 flaky n 1
	run -1 debug soon -n 4 nl-timeout 10 flaky n2 1
	[ "$(ev .run | sort -u | wc -l)" = 2 ]
	for r in $(ev .run | sort -u); do
		[ "$(ev "select(.run==\"$r\") | .seq" | xargs)" = "$(seq 0 $(($(grep -c "\"run\":\"$r\"" "$NL_EVENTS") - 1)) | xargs)" ]
	done
	[ "$(ev '"\(.run) \(.seq)"' | sort | uniq -d)" = "" ]
}

@test "nl.run.ended counts the lines of the run, itself included" {
	for level in debug info warn; do
		run -1 soon --events "$PWD/$level@$level" -n 4 nl-timeout 10 flaky "n.$level" 1
		judge $level
	done
	[ "$(ev 'select(.event=="nl.run.ended") | .events' debug)" = "$(wc -l <debug)" ]
	[ "$(ev 'select(.event=="nl.run.ended") | .events' info)" = "$(wc -l <info)" ]
	[ "$(wc -l <debug)" = $(($(wc -l <info) + 1)) ]
}

@test "@debug, @info and @warn are the least severity that is sent, @info by default" {
	run -0 soon --events "$PWD/debug@debug+$PWD/info@info+$PWD/warn@warn+$PWD/plain" -n 3 flaky n 1 0
	[ "$(kinds debug)" = "run.started retry.attempt request.success run.ended" ]
	[ "$(kinds info)" = "retry.attempt request.success run.ended" ]
	[ "$(kinds plain)" = "$(kinds info)" ]
	[[ $(kinds warn) == retry.attempt || $(kinds warn) == "retry.attempt run.ended" ]]
	judge debug info warn plain
}

@test "In NL_EVENTS null and log are other words for off and human" {
	NL_EVENTS=null run --separate-stderr -1 soon -n 1 false
	[ -z "$stderr" ]
	NL_EVENTS=log run --separate-stderr -124 nl-timeout 0.2 sleep 60
	[[ $stderr == "nl-timeout: sleep stopped after 0."* ]]
}

@test "NL_EVENTS=off sends nothing" {
	NL_EVENTS=off run -1 soon -n 2 flaky n 1
	[ "$output" = $'call 1\ncall 2' ]
	run --separate-stderr -1 soon --events off -n 2 flaky n 1
	[ -z "$stderr" ]
	[ ! -s "$NL_EVENTS" ]
}

@test "NL_EVENTS=stderr sends to stderr" {
	NL_EVENTS=stderr run --separate-stderr -1 soon -n 2 flaky n 1
	[ "$output" = $'call 1\ncall 2' ]
	cat >got <<<"$stderr"
	[ "$(kinds got)" = "retry.attempt retry.exhausted request.failure run.ended" ]
	NL_EVENTS=stderr@warn run --separate-stderr -0 nl-timeout 10 true
	[ -z "$stderr" ]
	judge got
}

@test "NL_EVENTS=fd:N sends to that descriptor" {
	NL_EVENTS=fd:7 run --separate-stderr -1 soon -n 2 flaky n 1 7>got
	[ -z "$stderr" ]
	[ "$(kinds got)" = "retry.attempt retry.exhausted request.failure run.ended" ]
	judge got
}

@test "NL_EVENTS with a slash is a file to which lines are appended" {
	echo '{"nl":0}' >got
	for f in "$PWD/got" ./got; do
		NL_EVENTS=$f run --separate-stderr -0 nl-timeout 10 true
		[ -z "$stderr" ]
	done
	[ "$(head -n 1 got)" = '{"nl":0}' ]
	[ "$(tail -n +2 got | jq -r .event | xargs)" = "nl.request.success nl.run.ended nl.request.success nl.run.ended" ]
	sed 1d got >rest
	judge rest
}

@test "NL_EVENTS with a slash at its end is a directory of segments named by the hour" {
	mkdir seg
	NL_EVENTS=$PWD/seg/ run -0 nl-timeout 10 true
	NL_EVENTS=$PWD/seg/@debug run -1 nl-timeout 10 false
	for f in seg/*; do
		[[ $f =~ ^seg/[0-9]{8}T[0-9]{2}\.ndjson$ ]]
		[ "$(ev '.time | .[0:13] | gsub("-"; "")' "$f" | sort -u)" = "$(basename "$f" .ndjson)" ]
		judge "$f"
	done
	cat seg/* >all
	[ "$(kinds all)" = "request.success run.ended run.started request.failure run.ended" ]
}

# The place for events that hears has made.
heard_at() {
	[ "$1" = fifo ] && echo "fifo:$PWD/$2" || echo "unix:$PWD/$2"
}

@test "NL_EVENTS=fifo:PATH is a named pipe, and unix:PATH a socket, while somebody reads it" {
	for kind in fifo dgram stream; do
		hears $kind $kind
		NL_EVENTS=$(heard_at $kind $kind)@debug run --separate-stderr -0 nl-timeout 10 true
		[ -z "$stderr" ]
		wait_for 5 grep -q run.ended $kind.heard
		kill "$pid"
		wait "$pid" || :
		[ "$(kinds $kind.heard)" = "run.started request.success run.ended" ]
		judge $kind.heard
		NL_EVENTS=$(heard_at $kind $kind) run --separate-stderr -0 nl-timeout 10 true
		[ -z "$stderr" ]
	done
}

@test "A fifo: that is none is told of" {
	touch file
	for bad in file /dev/null none; do
		NL_EVENTS=fifo:$bad run --separate-stderr -0 nl-timeout 10 true
		[[ $stderr == "nl-timeout: events: cannot open $bad: "* ]]
	done
}

@test "What a pipe or socket without a reader loses goes elsewhere by |" {
	mkfifo p
	hears dgram s
	kill "$pid"
	wait "$pid" || :
	for place in "fifo:$PWD/p" "unix:$PWD/s" "unix:$PWD/none"; do
		rm -f b
		NL_EVENTS="$place|$PWD/b" run --separate-stderr -0 nl-timeout 10 true
		[ -z "$stderr" ]
		[ "$(kinds b)" = "request.success run.ended" ]
		judge b
	done
}

@test "A reader that went away and came again gets lines again" {
	for kind in fifo dgram stream; do
		rm -f at.* go.*
		hears $kind $kind
		reader=$pid
		NL_EVENTS=$(heard_at $kind $kind)@debug start nl-retry -b constant:1ms -j none -n 3 sh -c 'touch at.$NL_ATTEMPT; until [ -e go.$NL_ATTEMPT ]; do sleep 0.01; done; exit 1'
		retry=$pid
		wait_for 5 test -e at.1
		kill "$reader"
		wait "$reader" || :
		touch go.1
		wait_for 5 test -e at.2
		hears $kind $kind
		touch go.2 go.3
		wait_for 5 grep -q run.ended $kind.heard
		wait "$retry" || [ $? = 1 ]
		kill "$pid"
		[ "$(kinds $kind.heard)" = "run.started retry.attempt retry.exhausted request.failure run.ended" ]
		[ "$(ev 'select(.event=="nl.run.ended") | "\(.events) \(.dropped)"' $kind.heard)" = "6 1" ]
	done
}

@test "A reader that does not read delays no command, in whatever chain, and what it lost is counted" {
	mkfifo fifo
	exec 9<>fifo
	for kind in fifo dgram stream; do
		if [ $kind != fifo ]; then
			ear -d $kind $kind 3>&- 9>&- &
			pid=$!
			wait_for 5 test -S $kind
		fi
		rm -f got over
		t=$(ms)
		NL_FUSE=0 run -3 nl-timeout --events "($(heard_at $kind $kind)|$PWD/over)+$PWD/got" 30 nl-retry -n 1 nl-breaker -f 1000 "$kind" nl-retry -n 400 -b constant:0 -j none flaky -q n 3
		[ $(($(ms) - t)) -lt 15000 ]
		[ -s over ]
		[ "$(jq -s 'map(select(.event == "nl.run.ended").events) | add' got)" = "$(wc -l <got)" ]
		[ "$(wc -l <got)" = 409 ]
		judge got
		[ "$kind" = fifo ] || kill "$pid"
	done
	exec 9>&-
}

@test "Without NL_EVENTS a stderr that is no terminal gets lines of JSON" {
	env -u NL_EVENTS nl-timeout 10 true 2>got
	[ "$(kinds got)" = "request.success run.ended" ]
	judge got
}

@test "Without NL_EVENTS a terminal gets lines for people, and silence on a first success" {
	unset NL_EVENTS
	run -0 script -qec 'nl-retry -n 2 -b constant:1ms sh -c "exit \$((NL_ATTEMPT < 2))"' /dev/null </dev/null
	[[ $output == "nl-retry: attempt 1/2 failed: exit 1 after "* ]]
	[[ $output != *'{'* ]]
	run -0 script -qec 'nl-retry true' /dev/null </dev/null
	[ -z "$output" ]
}

@test "NL_EVENTS=human is lines for people anywhere" {
	NL_EVENTS=human run --separate-stderr -124 nl-timeout 0.2 sleep 60
	[[ $stderr == "nl-timeout: sleep stopped after 0."* ]]
}

@test "A+B sends to both, each with its own level" {
	NL_EVENTS="$PWD/a@debug+fd:7+$PWD/b@info" run -0 nl-timeout 10 true 7>c
	[ "$(kinds a)" = "run.started request.success run.ended" ]
	[ "$(kinds b)" = "request.success run.ended" ]
	cmp b c
	judge a b c
}

@test "A|B sends to B what A cannot take" {
	NL_EVENTS="$PWD/a|$PWD/b" run -0 nl-timeout 10 true
	[ "$(kinds a)" = "request.success run.ended" ]
	[ ! -s b ]
	for bad in /no/such/directory/file "$PWD/no/" fd:9 /dev/full /proc/version; do
		rm -f b
		NL_EVENTS="$bad|$PWD/b" run --separate-stderr -0 nl-timeout 10 true 9>&-
		[ "$(kinds b)" = "request.success run.ended" ]
		[ "$(ev 'select(.event=="nl.run.ended") | "\(.events) \(has("dropped"))"' b)" = "2 false" ]
		judge b
	done
	rm b
	run -0 plumb full 8 nl-timeout --events "fd:8|$PWD/b" 10 true
	[ "$(kinds b)" = "request.success run.ended" ]
	judge a b
}

@test "In NL_EVENTS + binds tighter than |" {
	NL_EVENTS="/no/such/dir/a+$PWD/b|$PWD/c" run -0 nl-timeout 10 true
	[ "$(kinds b)" = "request.success run.ended" ]
	NL_EVENTS="$PWD/d|/no/such/dir/a+$PWD/e" run -0 nl-timeout 10 true
	[ "$(kinds d)" = "request.success run.ended" ]
	[ ! -s e ]
	NL_EVENTS="/no/such/dir/a|$PWD/f+$PWD/g" run -0 nl-timeout 10 true
	[ "$(kinds f)" = "request.success run.ended" ]
	[ "$(kinds g)" = "request.success run.ended" ]
	judge b d f g
}

@test "In NL_EVENTS parentheses group" {
	NL_EVENTS="($PWD/a | $PWD/b) + $PWD/c@warn" run -1 nl-timeout 10 false
	[ "$(kinds a)" = "request.failure run.ended" ]
	[ ! -e b ]
	[ "$(kinds c)" = request.failure ]
	NL_EVENTS="(/no/such/dir/a|$PWD/d)+($PWD/e)" run -0 nl-timeout 10 true
	[ "$(kinds d)" = "$(kinds e)" ]
	NL_EVENTS="$PWD/odd(1)" run -0 nl-timeout 10 true
	[ "$(kinds 'odd(1)')" = "request.success run.ended" ]
	for spec in "(./a" "((./a)" "(./a)b" "(./a))" "((((((((((./a" "$(printf './a+%.0s' {1..40})./a"; do
		NL_EVENTS=$spec run --separate-stderr -125 nl-timeout 10 true
		[[ $stderr == "nl-timeout: NL_EVENTS: "* ]]
	done
	judge a c d e 'odd(1)'
}

@test "An NL_EVENTS that cannot be read is status 125" {
	for spec in bogus fd: fd:x fd:-1 fifo: unix: memory:5 stream:./s log:syslog @debug stderr@loud 'off+' '|stderr' 'stderr||stderr' a.ndjson ' ' stderr@; do
		NL_EVENTS=$spec run --separate-stderr -125 nl-timeout 10 flaky n 0
		[[ $stderr == "nl-timeout: NL_EVENTS: '"*"': unknown "* ]]
		run --separate-stderr -125 nl-retry --events "$spec" flaky n 0
		[[ $stderr == "nl-retry: --events: '"*"': unknown "* ]]
	done
	[ ! -e n ]
}

@test "--events wins over NL_EVENTS and is the command's NL_EVENTS" {
	run -0 nl-retry --events "$PWD/got@debug" sh -c 'echo "$NL_EVENTS"; nl-timeout 10 true'
	[ "$output" = "$PWD/got@debug" ]
	[ ! -s "$NL_EVENTS" ]
	[ "$(ev 'select(.event=="nl.request.success") | .kind' got | xargs)" = "timeout retry" ]
	judge got
}

@test "Events into a file that is full, broken or not there change nothing" {
	for bad in /dev/full /no/such/directory/file "$PWD/none/" fd:9 /proc/version /; do
		rm -f n
		NL_EVENTS=$bad run -3 soon -n 2 flaky n 1 3 9>&-
		[ "$(grep -c call <<<"$output")" = 2 ]
	done
	NL_EVENTS=stderr run -3 sh -c 'exec nl-retry -n 2 -b constant:1ms flaky -q n2 1 3 2>&-'
	NL_EVENTS=stderr run -3 sh -c 'exec nl-retry -n 2 -b constant:1ms flaky -q n3 1 3 2>/dev/full'
	(NL_EVENTS=stderr exec died how nl-retry -n 3 -b constant:1ms flaky -q n4 1 1 3 2>&1) | true
	wait_for 5 test -s how
	[ "$(cat how)" = "exit 3" ]
}

@test "A full pipe never delays the command, and what was lost is counted" {
	t=$(ms)
	run -1 plumb full 8 nl-retry --events "fd:8+$PWD/got" -n 200 -b constant:0 -j none false
	[ $(($(ms) - t)) -lt 10000 ]
	[ "$(wc -l <got)" = 202 ]
	judge got
	t=$(ms)
	NL_EVENTS=stderr run -124 plumb full 2 nl-timeout 0.5 sleep 60
	between 500 $(($(ms) - t)) 3000
}

@test "What a sink is known to have lost stands in nl.run.ended as dropped" {
	mkfifo p
	exec 8<>p
	# A pipe of one page: it takes a few lines, then none, then all again.
	run -1 soon --events fd:8 -n 600 -b constant:0 --on-giveup 'timeout 5 dd bs=1M count=1 iflag=nonblock <&8 >first 2>/dev/null' false
	timeout 5 dd bs=1M count=1 iflag=nonblock <&8 >second 2>/dev/null
	exec 8>&-
	cat first second >got
	judge got
	[ "$(ev 'select(.event=="nl.run.ended") | .events' got)" = 602 ]
	[ "$(ev 'select(.event=="nl.run.ended") | .dropped' got)" = $((602 - $(wc -l <got))) ]
}

@test "20 writers into one file leave whole lines only, none missing" {
	arg=$(printf '%03072d' 0)
	for i in {1..20}; do
		start nl-retry --events "$PWD/all@debug" --name "w$i" -n 20 -b constant:0 sh -c 'exit 1' "$arg"
	done
	wait_for 15 ended_all
	judge all
	[ "$(ev 'select(.event=="nl.run.ended") | .events' all | awk '{ n += $1 } END { print n }')" = "$(wc -l <all)" ]
	[ "$(wc -l <all)" = $((20 * 23)) ]
	[ "$(ev .run all | sort -u | wc -l)" = 20 ]
	[ "$(awk '{ if (length > max) max = length } END { print max < 4096 }' all)" = 1 ]
}

ended_all() {
	[ "$(grep -c nl.run.ended all)" = 20 ]
}

@test "20 writers into one stderr beside noisy commands leave whole lines only" {
	arg=$(printf '%03072d' 0)
	for i in {1..20}; do
		NL_EVENTS=stderr@debug start nl-retry --name "w$i" -n 10 -b constant:0 sh -c 'echo plain text >&2; exit 1' "$arg" 2>>err
	done
	wait_for 15 said_all
	grep '^{' err >all
	judge all
	[ "$(wc -l <all)" = $((20 * 13)) ]
	[ "$(grep -vc '^{' err)" = 200 ]
}

said_all() {
	[ "$(grep -c nl.run.ended err)" = 20 ]
}

@test "Names of commands that are hostile make valid lines" {
	long=$(printf '%0250d' 0)
	for name in $'new\nline' $'esc\e[31m' $'invalid\xff\xfe\xc3(' 'quote"d'\\ $'tab\tnul\x01\x7f' 'ünïcode' "$long" '{"nl":1,' ' '; do
		ln -sf /bin/true "./$name"
		run -0 debug nl-timeout 10 "./$name"
		run -0 debug nl-retry "./$name"
	done
	run ! env LC_ALL=C grep -q '[[:cntrl:]]' "$NL_EVENTS"
	[ "$(wc -l <"$NL_EVENTS")" = $((9 * 6)) ]
	[ "$(ev 'select(.event=="nl.request.success" and .kind=="retry") | .cmd' | head -n 2)" = $'new\nline' ]
	[ "$(ev 'select(.event=="nl.request.success") | .cmd' | grep -c ünïcode)" = 2 ]
	[ "$(ev '.policy | test("^[A-Za-z0-9._:/-]{1,64}$") or . == "_"' | sort -u)" = true ]
}

@test "A name of 3 KiB makes a line of at most 4096 bytes" {
	for c in x $'\xff' '"' $'\n' 'é'; do
		name=$(printf "%03072d" 0)
		name=${name//0/$c}
		run -126 debug nl-timeout 10 "./$name"
	done
	[ "$(wc -l <"$NL_EVENTS")" = 15 ]
	[ "$(LC_ALL=C awk '{ if (length > max) max = length } END { print max < 4096 }' "$NL_EVENTS")" = 1 ]
	ev . >/dev/null
}

@test "What stands in argv, the environment, hooks, patterns and files is in no event" {
	judged=$NL_EVENTS
	secret=canary-7f3a9c
	export TOKEN=$secret
	printf '%s\n' $secret >in
	run --separate-stderr -1 nl-retry --events "human+$judged@debug" -n 2 -b constant:1ms --on-retry ": $secret" --on-giveup ": $secret" \
		--retry-if "$secret|x" --retry-after "./$secret" --report "./r$secret" \
		nl-timeout -v --on-timeout ": $secret" 0.5 sh -c "cat; echo x; : $secret; false" --password "$secret" <in
	run ! grep -q $secret "$judged"
	[[ $stderr != *$secret* ]]
	run --separate-stderr -124 nl-timeout --events "human+$judged@debug" -v -k 0.1 --on-timeout ": $secret" 0.2 sh -c "exec flaky n deaf # $secret" "$secret"
	run ! grep -q $secret "$judged"
	[[ $stderr != *$secret* ]]
	run -127 nl-timeout --events "$judged@debug" 1 /no/such/program "$secret"
	run ! grep -q $secret "$judged"
	[ "$(grep -c run.started "$judged")" = 3 ]
}

@test "nl.state.degraded names its reason and detail" {
	run -0 bash -c 'head -c 40000000 /dev/zero | (ulimit -f 2000; exec nl-retry -n 3 -b constant:1ms sh -c "wc -c | cat; exit 7"); test $? = 7'
	[ "$(attributes nl.state.degraded)" = "reason detail" ]
	[ "$(ev 'select(.event=="nl.state.degraded") | .sev')" = 13 ]
	[ "$(ev 'select(.event=="nl.state.degraded") | (.reason | length) > 0 and (.detail | length) > 0 and (.detail | length) <= 200')" = true ]
}

@test "Called as timeout there are no events" {
	ln -s "$(command -v nl-timeout)" timeout
	NL_EVENTS=stderr run --separate-stderr -124 ./timeout 0.2 sleep 60
	[ -z "$stderr" ]
}

@test "--dry-run, --left, --help and --version send no events" {
	run -0 nl-retry --dry-run -n 2 true
	run -0 nl-timeout --left
	run -0 nl-timeout --help
	run -0 nl-retry --version
	[ ! -s "$NL_EVENTS" ]
}

@test "Each event of nl-events(5) is sent by something" {
	export NL_EVENTS=$NL_EVENTS@debug
	soon -n 2 flaky n 1 || :
	nl-timeout 0.1 sleep 60 || :
	nl-breaker -f 1 -o 1h shut false || nl-breaker shut true || :
	nl-breaker -f 1 -o 1ms again false || nl-breaker -w 10 again true
	nl-breaker late nl-ctl open late
	nl-bulkhead full nl-bulkhead full true || :
	nl-breaker -r 50 --window 20 shape true
	nl-breaker -r 50 --window 30 shape true
	nl-ctl set breaker/late.failures=7
	nl-breaker late true || :
	(umask 077 && echo 'allow * list *' >"$NL_STATE/rules")
	nl-ctl close late || :
	echo no record >"$NL_STATE/breaker/shape"
	nl-breaker shape true
	export XDG_CACHE_HOME=$PWD/cache
	nl-race -d inf false ::: true
	nl-race false ::: false || :
	nl-fallback --stale 1d:k true
	nl-fallback --stale 1d:k false ::: false
	nl-fallback false ::: false || :
	diff <(events "${NL_EVENTS%@debug}" | sort -u) <(nlcheck --table | cut -f1 | grep -v '^\*' | sort -u)
	[ "$(ev 'select(.event == "nl.circuit.rejected" and .policy == "late").gen' "${NL_EVENTS%@debug}")" = 1 ]
}
