#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# nl-ctl as its user sees it: live values and who gets them, looking, a person's
# word to a breaker, requests, rules, audit, executables.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154  # text for inner shells; each test is a subshell; set by run
bats_require_minimum_version 1.5.0
load helper

# What a jq filter makes of the events so far, and of the audit file.
ev() { jq -r "$1" "$NL_EVENTS"; }
audit() { jq -r "$1" "$NL_STATE/audit.ndjson"; }

# How often flaky ran with this file.
calls() {
	if [ -e "$1" ]; then wc -c <"$1"; else echo 0; fi
}

# A breaker that is open because of what it saw.
opened() {
	local i
	for i in 1 2 3 4; do
		run -2 nl-breaker "$@" db sh -c 'exit 2'
	done
	run -124 nl-breaker "$@" db nl-timeout 0.01 sleep 5
}

# As the user with this number and no groups; his own directories above all.
as() {
	local uid=$1
	shift
	setpriv --reuid "$uid" --regid "$uid" --clear-groups env HOME=/nonexistent "$@"
}

needs_root() {
	setpriv --reuid 4321 --clear-groups true 2>/dev/null || skip "needs the right to be another user"
}

# --- live values ---

@test "A value that is set holds from the next call of a named retry on" {
	nl-ctl set retry/db.attempts=5 retry/db.backoff=constant:1ms
	run -3 nl-retry --name db flaky n 3
	[ "$(calls n)" = 5 ]
	nl-ctl set retry/db.attempts=2
	run -3 nl-retry --name db flaky n2 3
	[ "$(calls n2)" = 2 ]
	nl-ctl unset retry/db.attempts
	run -3 nl-retry --name db flaky n3 3
	[ "$(calls n3)" = 3 ]
}

@test "A call that has begun keeps the values that it began with" {
	nl-ctl set retry/db.attempts=3 retry/db.backoff=constant:1ms
	run -3 nl-retry --name db sh -c 'nl-ctl set retry/db.attempts=9; exec flaky n 3'
	[ "$(calls n)" = 3 ]
}

@test "Each number of a retry can be set: attempts, backoff, jitter, total, per-attempt, kill-after, reset-after" {
	nl-ctl set retry/db.attempts=4 retry/db.backoff=linear:2s..9s retry/db.jitter=none
	[ "$(nl-retry --name db --dry-run true | xargs)" = "1 0.000000 2 2.000000 3 4.000000 4 6.000000" ]
	nl-ctl set retry/db.attempts=1 retry/db.per-attempt=0.05 retry/db.kill-after=0.05 retry/db.reset-after=9
	run -124 nl-retry --name db sh -c 'trap "" TERM; while :; do sleep 0.1; done'
	[ "$(ev 'select(.event=="nl.timeout.occurred") | "\(.limit_s) \(.grace_s) \(.killed)"')" = "0.05 0.05 true" ]
	nl-ctl unset retry/db.per-attempt
	nl-ctl set retry/db.total=0.06
	run -124 nl-retry --name db sleep 9
}

@test "The DURATION of a named timeout has the key limit; idle and kill-after have their own" {
	nl-ctl set timeout/db.limit=0.05
	run -124 nl-timeout --name db 1h sleep 9
	[ "$(ev 'select(.event=="nl.timeout.occurred") | .limit_s')" = 0.05 ]
	nl-ctl set timeout/db.limit=inf timeout/db.idle=0.04
	run -124 nl-timeout --name db 0.01 sleep 9
	[ "$(ev 'select(.event=="nl.timeout.occurred" and .reason=="idle") | .limit_s')" = 0.04 ]
	nl-ctl unset timeout/db.idle
	nl-ctl set timeout/db.limit=0
	run -0 nl-timeout --name db 0.01 sleep 0.1
}

@test "Live values win over the line, and the line over the default; --pin keeps to the line" {
	run -3 nl-retry --name db -b const:1ms flaky default 3
	run -3 nl-retry --name db -b const:1ms -n 2 flaky flag 3
	nl-ctl set retry/db.attempts=4
	run -3 nl-retry --name db -b const:1ms -n 2 flaky live 3
	run -3 nl-retry --name db -b const:1ms -n 2 --pin flaky pinned 3
	[ "$(calls default) $(calls flag) $(calls live) $(calls pinned)" = "3 2 4 2" ]
}

@test "Events of a call say which generation of live values it went by" {
	nl-ctl set retry/db.attempts=1
	nl-ctl set retry/db.attempts=2
	nl-retry --name db true
	nl-retry --name db --pin true
	nl-retry --name other true
	[ "$(ev 'select(.event=="nl.request.success") | .gen // "-"' | xargs)" = "2 - -" ]
}

@test "An unnamed retry or timeout looks at no state, a named one in a bad place runs all the same" {
	mkdir -m 777 open
	nl-retry --state open nl-timeout --state open 5 true
	[ "$(ev 'select(.event=="nl.state.degraded")')" = "" ]
	nl-retry --state open --name a nl-timeout --state open --name b 5 true
	[ "$(ev 'select(.event=="nl.state.degraded") | .kind + " " + .reason' | xargs)" = "retry unsafe timeout unsafe" ]
	[ -z "$(ls -A open)" ]
}

@test "Fused or not, layers get the same live values" {
	nl-ctl set retry/r.attempts=2 retry/r.backoff=constant:1ms
	nl-ctl set timeout/t.limit=0.5
	for fuse in 1 0; do
		run -124 env NL_FUSE=$fuse nl-retry --name r --on timeout nl-timeout --name t 9 flaky "n$fuse" hang
		[ "$(calls "n$fuse")" = 2 ]
	done
}

@test "All values of one set are changed in one step, or none" {
	run --separate-stderr -125 nl-ctl set retry/db.attempts=4 retry/db.total=never
	[[ $stderr == *"retry/db.total: 'never': "* ]]
	run -1 nl-ctl show retry/db
	run --separate-stderr -125 nl-ctl set retry/db.attempts=4 retry/web.attempts=4
	[[ $stderr == *"one policy"* ]]
	run -1 nl-ctl show retry/db
	nl-ctl set retry/db.attempts=4 retry/db.total=9
	[ "$(nl-ctl get retry/db.gen)" = 1 ]
}

@test "A reader never sees half of a set" {
	nl-ctl set retry/db.attempts=1 retry/db.total=1s retry/db.per-attempt=1s
	for i in {1..300}; do
		printf '{"id":"%d","cmd":"set","args":{"policy":"retry/db","values":{"attempts":%d,"total":"%ds","per-attempt":"%ds"}}}\n' "$i" "$i" "$i" "$i"
	done >sets
	yes '{"id":"r","cmd":"show","args":{"policy":"retry/db"}}' | head -n 300 >shows
	NL_EVENTS=off nl-ctl request <sets >results 3>&- &
	nl-ctl request <shows >seen
	wait $!
	[ "$(grep -c '"result":"ack"' results)" = 300 ]
	[ "$(jq -r '[.value.values[].value | rtrimstr("s")] | unique | length' seen | sort -u)" = 1 ]
	[ "$(jq -r .value.gen seen | sort -u | wc -l)" -gt 1 ]
}

@test "--if-gen sets only if nobody else has: status 1, and says what it is at" {
	nl-ctl set --if-gen 0 retry/db.attempts=4
	run --separate-stderr -1 nl-ctl set --if-gen 0 retry/db.attempts=5
	[[ $stderr == *"gen 1, not 0"* ]]
	run -1 nl-ctl --json set --if-gen 0 retry/db.attempts=5
	[ "$(jq -c .failure <<<"$output")" = '{"kind":"conflict","what":"retry/db","gen":1}' ]
	[ "$(nl-ctl get retry/db.attempts)" = 4 ]
	[ "$(nl-ctl set --if-gen 1 retry/db.attempts=6 --json | jq .gen)" = 2 ]
	run -1 nl-ctl unset --if-gen 1 retry/db.attempts
	nl-ctl unset --if-gen 2 retry/db.attempts
}

@test "No increment of many processes is lost with --if-gen" {
	cat >add <<-'EOF'
		coproc ctl { exec nl-ctl request; }
		ask() {
			printf '%s\n' "$1" >&"${ctl[1]}"
			read -r answer <&"${ctl[0]}"
		}
		for i in {1..25}; do
			for (( ; ; )); do
				ask '{"id":"1","cmd":"get","args":{"policy":"retry/sum","key":"attempts"}}'
				[[ $answer =~ \"value\":\"([0-9]+)\".*\"gen\":([0-9]+) ]] || exit 9
				ask '{"id":"2","cmd":"set","args":{"policy":"retry/sum","values":{"attempts":'$((BASH_REMATCH[1] + 1))'},"if_gen":'"${BASH_REMATCH[2]}"'}}'
				[[ $answer != *'"ack"'* ]] || break
				[[ $answer == *'"conflict"'* ]] || exit 8
			done
		done
	EOF
	nl-ctl set retry/sum.attempts=100
	pids=()
	for _ in {1..8}; do
		NL_EVENTS=off bash add 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	[ "$(nl-ctl get retry/sum.attempts)" = 300 ]
	[ "$(nl-ctl get retry/sum.gen)" = 201 ]
}

@test "An unknown policy or key is status 1 with its name, a value out of range 125 with the reason" {
	run --separate-stderr -1 nl-ctl get retry/nobody.attempts
	[[ $stderr == "nl-ctl: retry/nobody: unknown policy"* ]]
	run --separate-stderr -1 nl-ctl show nobody
	[[ $stderr == "nl-ctl: nobody: unknown policy"* ]]
	run --separate-stderr -1 nl-ctl show queue/x
	[[ $stderr == "nl-ctl: queue: unknown kind"* ]]
	run --separate-stderr -1 nl-ctl set retry/db.speed=3
	[[ $stderr == "nl-ctl: retry/db.speed: unknown key (a retry has: attempts "* ]]
	run --separate-stderr -1 nl-ctl set retry/db.on-retry=date
	[[ $stderr == *"unknown key"* ]]
	for v in attempts=0 attempts=-1 attempts=x attempts= total=nan backoff=sideways:1s jitter=much; do
		run --separate-stderr -125 nl-ctl set "retry/db.$v"
		[[ $stderr == "nl-ctl: retry/db.${v%%=*}: '${v#*=}': "* ]]
	done
	run --separate-stderr -125 nl-ctl set "retry/db.total=$(printf '%050d' 1)"
	[[ $stderr == *"longer than"* ]]
	[ ! -e "$NL_STATE/retry/db" ]
	nl-ctl set retry/db.attempts=3
	run --separate-stderr -1 nl-ctl unset retry/db.total
	[[ $stderr == *"retry/db.total: is not set"* ]]
	run -1 nl-ctl get retry/db.speed
}

@test "A NAME alone will do where one policy has it" {
	nl-ctl set retry/db.attempts=3
	[ "$(nl-ctl get db.attempts)" = 3 ]
	nl-ctl set db.attempts=4
	nl-ctl set timeout/db.limit=3
	run --separate-stderr -125 nl-ctl show db
	[[ $stderr == *"db: which one? (retry/db, timeout/db)"* ]]
	nl-ctl set retry/a.b.c.attempts=7
	[ "$(nl-ctl get a.b.c.attempts)" = 7 ]
}

# --- looking ---

@test "show says the state, what comes next and why, before anything else" {
	opened
	TZ=UTC run -0 nl-ctl show breaker/db
	[[ ${lines[0]} =~ ^"breaker/db  OPEN since "[0-9:]{8}" ("[0-9.]+" s ago), probes in "[0-9.]+" s   epoch "[0-9]+$ ]]
	[ "${lines[1]}" = 'why         5 consecutive failures (limit 5, the default): exit 2 ×4, timeout ×1' ]
	[[ ${lines[2]} =~ ^"last        "[0-9:]{8}" nl-timeout timeout, span "[0-9a-f]{16}$ || ${lines[2]} =~ ^"last        "[0-9:]{8}" sleep timeout, span "[0-9a-f]{16}$ ]]
	[[ $output == *$'\nfailures    5     default\nopen        10s   default\n'* ]]
}

@test "show says where each value comes from" {
	opened -f 5 --probes 2
	nl-ctl set breaker/db.failures=10
	TZ=UTC run -0 nl-ctl show breaker/db
	[ "${lines[1]}" = 'why         5 consecutive failures (limit 5, from flag): exit 2 ×4, timeout ×1' ]
	[[ $output =~ "failures    5     live 10 by uid:$(id -u) at "[0-9]{2}:[0-9]{2} ]]
	[[ $output == *$'\nopen        10s   default'* ]]
	[[ $output == *$'\nprobes      2     flag'* ]]
	nl-ctl --json show breaker/db >json
	[ "$(jq -c '.value.values[0] | [.key, .value, .from, .by, .else]' json)" = "[\"failures\",\"10\",\"live\",\"uid:$(id -u)\",\"5\"]" ]
}

@test "What was set is shown beside the line's own value after calls that went by it" {
	nl-breaker -f 3 db true
	nl-ctl set breaker/db.failures=2
	run -1 nl-breaker -f 3 db false
	run -1 nl-breaker -f 3 db false
	run -0 nl-ctl show breaker/db
	[[ $output == *"2 consecutive failures (limit 2, live)"* ]]
	[[ $output =~ "failures    3     live 2 by" ]]
	nl-ctl unset breaker/db.failures
	[ "$(nl-ctl get breaker/db.failures)" = 3 ]
}

@test "get prints the live value, or that of the last caller, or the default" {
	nl-breaker -o 20 db true
	run -1 nl-breaker -o 20 db false
	[ "$(nl-ctl get breaker/db.open)" = 20s ]
	[ "$(nl-ctl get breaker/db.probes)" = 1 ]
	[ "$(nl-ctl get breaker/db.open-max)" = 1h ]
	nl-ctl set breaker/db.open=30s
	[ "$(nl-ctl get breaker/db.open)" = 30s ]
	[ "$(nl-ctl get breaker/db.state)" = closed ]
	[ "$(nl-ctl get breaker/db.gen)" = 1 ]
}

@test "list has a line for each policy, sorted, with its state" {
	run -0 nl-ctl list
	[ -z "$output" ]
	opened
	nl-breaker web true
	nl-ctl set retry/db.attempts=3
	run -0 nl-ctl list
	[ "${#lines[@]}" = 3 ]
	[[ ${lines[0]} == "breaker/db    OPEN, probes in "*" s: 5 consecutive failures: exit 2 ×4, "* ]]
	[ "${lines[1]}" = "breaker/web   CLOSED: 0 failures in a row" ]
	[ "${lines[2]}" = "retry/db      attempts=3" ]
	[ "$(nl-ctl list --names | xargs)" = "breaker/db breaker/web retry/db" ]
	[ "$(nl-ctl list --names breaker | xargs)" = "db web" ]
	[ "$(nl-ctl list retry | wc -l)" = 1 ]
	run -1 nl-ctl list queue
}

@test "show and list say who holds a bulkhead and who waits" {
	nl-bulkhead -m 2 dump sleep 60 3>&- &
	one=$!
	nl-bulkhead -m 2 dump sh -c 'exec sleep 60' 3>&- &
	two=$!
	wait_for 5 sh -c '[ "$(nl-ctl get bulkhead/dump.active)" = 2 ]'
	nl-bulkhead -m 2 -w 60 dump true 3>&- &
	three=$!
	wait_for 5 sh -c '[ "$(nl-ctl get bulkhead/dump.queued)" = 1 ]'
	[ "$(nl-ctl list)" = "bulkhead/dump  FULL, 2 of 2 in use, 1 waiting" ]
	run -0 nl-ctl show dump
	[[ ${lines[0]} == "bulkhead/dump  FULL, 2 of 2 in use, 1 waiting   epoch "* ]]
	[ "$(grep -c "^holder      pid \($one\|$two\) s[lh]* *[eph]* *by $(id -un) since " <<<"$output")" = 2 ]
	grep -q "^waiter      pid $three true by " <<<"$output"
	grep -q '^max         2     flag' <<<"$output"
	nl-ctl reset bulkhead/dump
	run -75 nl-bulkhead -m 2 dump true
	kill "$one" "$two"
	wait "$three"
	wait "$one" "$two" || :
	[ "$(nl-ctl get bulkhead/dump.active)" = 0 ]
}

@test "show and list say what is left in a budget; reset fills it, reset --shape lets another profile in" {
	nl-ctl set budget/api.cost=7
	[ "$(nl-ctl list)" = "budget/api    not used yet" ]
	run -1 nl-retry --budget api:aws-2.1 -n 3 -b const:1ms flaky n 1
	[ "$(nl-ctl list)" = "budget/api    486 of 500 tokens" ]
	run -0 nl-ctl show budget/api
	[[ ${lines[0]} == "budget/api  486 of 500 tokens   epoch "*"  gen 1" ]]
	[ "${lines[1]}" = "now            aws-2.1: 2 retries granted, 0 refused" ]
	[[ $output =~ "cost           14    live 7 by uid:" ]]
	nl-ctl set budget/api.max=20
	run -1 nl-retry --budget api:aws-2.1 -n 9 -b const:1ms flaky n 1
	[[ $(nl-ctl list) == "budget/api    6 of 20 tokens" ]]
	nl-ctl reset budget/api
	[ "$(nl-ctl list)" = "budget/api    20 of 20 tokens" ]
	[ "$(nl-ctl --json show budget/api | jq -r .value.profile)" = aws-2.1 ]
	nl-ctl reset --shape budget/api
	nl-retry --budget api:grpc true
	[ "$(nl-ctl --json show budget/api | jq -r .value.profile)" = grpc ]
}

@test "No line of list, show and history is wider than 80 columns for names that people give" {
	opened -f 5 --rate 100 --window 100 --min-calls 100
	nl-breaker a-service-with-a-rather-long-name.example.com true
	nl-ctl set breaker/db.failures=10 breaker/db.open=1m30s breaker/db.open-max=1h
	nl-ctl open a-service-with-a-rather-long-name.example.com
	{ nl-ctl list; nl-ctl show db; nl-ctl show a-service-with-a-rather-long-name.example.com; } >text
	[ "$(LC_ALL=C.UTF-8 wc -L <text)" -le 80 ]
}

@test "There is colour on a terminal, and none with NO_COLOR, with TERM=dumb or in a pipe" {
	opened
	look() { env -u NO_COLOR "$@" pty nl-ctl list <<<'exit 0'; }
	[[ $(look TERM=xterm) == *$'\e[1;31mOPEN\e[0m'* ]]
	[[ $(look TERM=xterm NO_COLOR=1) != *$'\e'* ]]
	[[ $(look TERM=dumb) != *$'\e'* ]]
	[[ $(TERM=xterm nl-ctl list) != *$'\e'* ]]
}

@test "watch prints a line for each change, until it is interrupted" {
	nl-breaker -f 1 -o 30 db true
	start nl-ctl watch breaker/db >out
	wait_for 5 grep -q CLOSED out
	run -1 nl-breaker -f 1 -o 30 db false
	wait_for 5 grep -q 'breaker/db    OPEN' out
	nl-ctl set breaker/db.failures=3
	wait_for 5 sh -c '[ "$(wc -l <out)" = 3 ]'
	nl-ctl set retry/other.attempts=3
	nl-ctl close breaker/db
	wait_for 5 sh -c '[ "$(wc -l <out)" = 4 ]'
	grep -q 'CLOSED' <(tail -n 1 out)
	kill -INT "$pid"
	st=0
	wait "$pid" || st=$?
	[ "$st" = 130 ]
	run -1 grep retry out
}

@test "watch sees policies that are made later, and all of them without an operand" {
	start nl-ctl watch --json >out
	nl-ctl set retry/one.attempts=3
	wait_for 5 grep -q '"policy":"retry/one"' out
	nl-breaker two true
	wait_for 5 grep -q '"policy":"breaker/two"' out
	kill "$pid"
	wait "$pid" || :
	jq -e '.result == "value" and .value.policy' out
}

@test "health says which directory is used and why, and what is wrong there: status 1" {
	nl-breaker db true
	run -0 nl-ctl health
	[ "${lines[0]}" = "root        $NL_STATE (NL_STATE)" ]
	[[ ${lines[1]} == "owner       $(id -un), mode 0700, "*" free" ]]
	[ "${lines[2]}" = "records     1" ]
	[ "${lines[-1]}" = healthy ]
	mkdir -m 700 here
	run -0 nl-ctl health --state here
	[ "${lines[0]}" = "root        here (--state)" ]
	printf x >"$NL_STATE/breaker/db"
	run -1 nl-ctl health
	[[ $output == *"TROUBLE     breaker/db: corrupt: "* ]]
	[ "${lines[-1]}" = "NOT healthy" ]
	chmod 777 here
	run -1 nl-ctl health --state here
	[[ $output == *"TROUBLE     root: unsafe: here: mode 0777 lets others write"* ]]
	run -0 nl-ctl health --state here/none/yet
	[[ $output == *"does not exist yet"* ]]
	run -125 nl-ctl list --state here
}

# --- a person's word ---

@test "open rejects every call, until close" {
	nl-breaker db true
	nl-ctl open breaker/db
	run -75 nl-breaker db flaky n 0
	[ ! -e n ]
	run -0 nl-ctl show breaker/db
	[[ $output == *"FORCED OPEN"*"until somebody closes it"* ]]
	[ "$(nl-ctl get breaker/db.state)" = forced_open ]
	nl-ctl close breaker/db
	nl-breaker db true
	[ "$(ev 'select(.event | startswith("nl.circuit.")) | select(.event != "nl.circuit.rejected") | "\(.event) \(.from) \(.state // .reason) \(.by // "")"')" = \
		"nl.circuit.forced closed forced_open uid:$(id -u)"$'\n'"nl.circuit.closed forced_open reset " ]
	[ "$(ev 'select(.event == "nl.circuit.forced") | .policy + " " + .kind')" = "db breaker" ]
}

@test "close closes an open breaker and forgets its failures; reset does too" {
	for word in close reset; do
		opened
		nl-ctl $word breaker/db
		[ "$(nl-ctl get breaker/db.state)" = closed ]
		[ "$(nl-ctl get breaker/db.failures_in_a_row)" = 0 ]
		nl-breaker db true
	done
}

@test "close --force keeps it closed, disable counts nothing, enable ends both" {
	nl-breaker -f 1 db true
	nl-ctl close --force breaker/db
	run -1 nl-breaker -f 1 db false
	run -1 nl-breaker -f 1 db false
	[ "$(nl-ctl get breaker/db.state)" = forced_closed ]
	nl-ctl disable breaker/db
	run -1 nl-breaker -f 1 db false
	run -1 nl-breaker -f 1 db false
	[ "$(nl-ctl get breaker/db.state)" = disabled ]
	nl-ctl enable breaker/db
	[ "$(nl-ctl get breaker/db.state)" = closed ]
	run -1 nl-breaker -f 1 db false
	run -75 nl-breaker -f 1 db true
}

@test "reset --shape lets the next caller choose another window" {
	nl-breaker --rate 50 --window 10 --min-calls 5 db true
	nl-breaker --rate 50 --window 20 --min-calls 5 db true
	[ "$(ev 'select(.event=="nl.policy.conflict") | .mine + " " + .theirs')" = "20 calls 10 calls" ]
	nl-ctl reset --shape breaker/db
	nl-breaker --rate 50 --window 20 --min-calls 5 db true
	[ "$(ev 'select(.event=="nl.policy.conflict")' | jq -s length)" = 1 ]
	[ "$(nl-ctl --json show db | jq .value.window.size_calls)" = 20 ]
	nl-ctl set retry/x.attempts=3
	run -125 nl-ctl reset --shape retry/x
}

@test "open, close, disable and enable are for breakers that exist" {
	nl-ctl set retry/db.attempts=3
	for word in open close disable enable; do
		run --separate-stderr -125 nl-ctl $word retry/db
		[[ $stderr == *"is no breaker"* ]]
		run -1 nl-ctl $word breaker/db
	done
	[ ! -e "$NL_STATE/breaker/db" ]
}

# --- requests ---

@test "request answers each line with one line, strictly" {
	printf '%s\n' '{"id":"1","cmd":"set","args":{"policy":"retry/db","values":{"attempts":"7","total":90}}}' '' \
		' {"id":"2","cmd":"get","args":{"policy":"db","key":"attempts"}} ' '{"id":"3","cmd":"set","args":{"policy":"retry/db"}}' \
		'{"id":"4","cmd":"frobnicate","args":{}}' 'junk' '{"id":"5","cmd":"watch","args":{}}' >in
	run -1 nl-ctl request <in
	[ "$(jq -r '"\(.id) \(.result) \(.failure.kind // "")"' <<<"$output")" = "1 ack 
2 value 
3 error invalid_args
4 error not_found
null error invalid_args
5 error invalid_args" ]
	[ "$(jq -r 'select(.id=="2").value.value' <<<"$output")" = 7 ]
	head -n 3 in >good
	run -0 nl-ctl request <good
	run -0 nl-ctl request </dev/null
	[ -z "$output" ]
}

@test "A request of more than 1 MiB exceeds the maximum size, and those after it are answered" {
	{
		printf '{"id":"1","cmd":"list","args":{"kind":"'
		head -c 2097152 /dev/zero | tr '\0' x
		printf '"}}\n{"id":"2","cmd":"list","args":{}}\n'
	} >in
	run -1 nl-ctl request <in
	[ "${#lines[@]}" = 2 ]
	[[ ${lines[0]} == *"maximum size"* ]]
	[ "${lines[1]}" = '{"id":"2","result":"list","items":[]}' ]
}

@test "The schemas of requests and results say what nl-ctl does" {
	run -0 node "$BATS_TEST_DIRNAME/control_schema.js" "$NL_BIN/nl-ctl"
}

@test "--json prints the result that the request would get" {
	nl-ctl set retry/db.attempts=4
	a=$(nl-ctl --json get retry/db.attempts | jq -c 'del(.id)')
	b=$(echo '{"id":"x","cmd":"get","args":{"policy":"retry/db","key":"attempts"}}' | nl-ctl request | jq -c 'del(.id)')
	[ "$a" = "$b" ]
	run -1 --separate-stderr nl-ctl --json show nobody
	[ -z "$stderr" ]
	[ "$(jq -r .failure.kind <<<"$output")" = not_found ]
}

@test "Options stand before the command, behind it or at the end; usage errors are 125" {
	nl-ctl set retry/db.attempts=4
	for line in "--json get db.attempts" "get --json db.attempts" "get db.attempts --json" "get -- db.attempts"; do
		# shellcheck disable=SC2086
		run -0 nl-ctl $line
		[[ $output == *4* ]]
	done
	for line in "" "show" "show a b" "get" "get db" "get .x" "set" "set db.attempts" "unset" "list --shape" "set --force db.attempts=3" \
		"open --if-gen 3 db" "health x" "--nope list" "list --if-gen x" "--name x list"; do
		# shellcheck disable=SC2086
		run --separate-stderr -125 nl-ctl $line
		[[ $stderr == "nl-ctl: "* ]]
	done
	[ "$(nl-ctl --version)" = "$(nl-ctl list --version)" ]
	nl-ctl --help | grep -q '^  set \[--if-gen N\] KEY=VALUE'
	[ "$(nl-ctl --complete | grep -v '^-' | cut -f1 | sort | xargs)" = \
		"check close disable enable get health history list observe open request reset set show unset watch" ]
}

# --- audit ---

@test "A change is written to the audit file before it is done, and how it ended after" {
	nl-ctl set retry/db.attempts=4
	nl-ctl set retry/db.attempts=5
	run -125 nl-ctl set retry/db.attempts=x
	[ "$(stat -c %a "$NL_STATE/audit.ndjson")" = 600 ]
	[ "$(audit '[.phase, .cmd, .target, .by, .status // "", .old // "", .new // ""] | join("|")')" = "intent|set|retry/db|uid:$(id -u)|||
result|set|retry/db|uid:$(id -u)|ok||attempts=4
intent|set|retry/db|uid:$(id -u)|||
result|set|retry/db|uid:$(id -u)|ok|attempts=4|attempts=5
intent|set|retry/db|uid:$(id -u)|||
result|set|retry/db|uid:$(id -u)|error: invalid_args: retry/db.attempts: 'x': not a whole number (or inf)||" ]
	[ "$(audit .id | sort | uniq -c | awk '$1 != 2')" = "" ]
	[ "$(ev 'select(.event=="nl.control.command") | "\(.policy) \(.op) \(.ok) \(.old) \(.new) \(.gen)"')" = "db set true null attempts=4 1
db set true attempts=4 attempts=5 2
db set false null null 0" ]
}

@test "What is only looked at is not audited, and no credentials are" {
	nl-breaker db true
	nl-ctl list
	nl-ctl show db
	run -1 nl-ctl show nobody
	[ ! -e "$NL_STATE/audit.ndjson" ]
	echo '{"id":"1","cmd":"open","args":{"policy":"db"},"auth":{"scheme":"bearer","token":"s3cret"}}' | nl-ctl request
	[ "$(audit .cmd | sort -u)" = open ]
	run -1 grep s3cret "$NL_STATE/audit.ndjson" "$NL_EVENTS"
}

@test "Where the audit cannot be written, nothing is changed" {
	nl-ctl set retry/db.attempts=4
	rm "$NL_STATE/audit.ndjson"
	mkdir "$NL_STATE/audit.ndjson"
	run --separate-stderr -125 nl-ctl set retry/db.attempts=5
	[[ $stderr == *"not done, for it cannot be written down"* ]]
	rmdir "$NL_STATE/audit.ndjson"
	ln -s "$PWD/elsewhere" "$NL_STATE/audit.ndjson"
	run -125 nl-ctl set retry/db.attempts=5
	[ ! -e elsewhere ]
	rm "$NL_STATE/audit.ndjson"
	(umask 0; : >"$NL_STATE/audit.ndjson")
	run -125 nl-ctl set retry/db.attempts=5
	rm "$NL_STATE/audit.ndjson"
	NL_EVENTS=off run -125 sh -c 'ulimit -f 0; exec nl-ctl set retry/db.attempts=5'
	[ "$(nl-ctl get retry/db.attempts)" = 4 ]
}

@test "history tells who did what, whether it was done, and what nobody knows the end of" {
	run -0 nl-ctl history
	[ -z "$output" ]
	nl-ctl set retry/db.attempts=4
	nl-ctl set retry/web.attempts=5
	nl-ctl unset retry/db.attempts
	run -0 nl-ctl history
	[ "${#lines[@]}" = 3 ]
	[[ ${lines[0]} == *"  $(id -un) (uid:$(id -u)) set retry/db attempts=4" ]]
	[[ ${lines[2]} == *" unset retry/db (was attempts=4)" ]]
	run -0 nl-ctl history retry/db
	[ "${#lines[@]}" = 2 ]
	# As if it had been killed before it could tell, and the disk been full before that.
	sed -i '$d' "$NL_STATE/audit.ndjson"
	printf '{"audit":1,"time":"20' >>"$NL_STATE/audit.ndjson"
	nl-ctl set retry/new.attempts=6
	run -0 nl-ctl history
	[ "${#lines[@]}" = 4 ]
	[[ ${lines[2]} == *" unset retry/db: it is not known how it ended" ]]
	[[ ${lines[3]} == *" set retry/new attempts=6" ]]
}

# --- rules ---

@test "The first rule that allows decides, and nothing else is allowed: status 77" {
	nl-breaker web-1 true
	nl-breaker db true
	cat >"$NL_STATE/rules" <<-EOF
		# who      what            which
		role watcher list show get watch health history
		role ops     open close disable enable reset
		allow uid:$(id -u)  watcher          *
		allow user:$(id -un) ops,set         breaker/web-*
		allow uid:99999     *                *
	EOF
	nl-ctl list
	nl-ctl get breaker/db.state
	nl-ctl open breaker/web-1
	nl-ctl set breaker/web-1.failures=9
	run --separate-stderr -77 nl-ctl open breaker/db
	[[ $stderr == "nl-ctl: denied: $NL_STATE/rules does not allow uid:$(id -u) ($(id -un)) to open breaker/db" ]]
	run -77 nl-ctl unset breaker/web-1.failures
	run -77 nl-ctl frobnicate
	[ "$(nl-ctl get breaker/db.state) $(nl-ctl get breaker/web-1.state)" = "closed forced_open" ]
}

@test "What is denied is audited once, and an event" {
	nl-breaker db true
	echo 'allow * list *' >"$NL_STATE/rules"
	run -77 nl-ctl open breaker/db
	run -77 nl-ctl show breaker/db
	[ "$(audit 'select(.phase=="result") | "\(.cmd) \(.target) \(.by) \(.status[0:8])"')" = "open breaker/db uid:$(id -u) denied: 
show breaker/db uid:$(id -u) denied: " ]
	[ "$(ev 'select(.event=="nl.control.denied") | "\(.op) \(.target) \(.by)"')" = "open breaker/db uid:$(id -u)" ]
}

@test "A command without a policy is matched by the pattern * alone" {
	echo "allow * list,health breaker/*" >"$NL_STATE/rules"
	run -77 nl-ctl list
	echo "allow * list *" >"$NL_STATE/rules"
	nl-ctl list
	run -77 nl-ctl health
}

@test "Rules that cannot be read or trusted allow nothing but health, which tells" {
	nl-breaker db true
	for text in 'permit * * *' 'allow * *' 'allow nobody * *' 'role x' 'role open list' 'allow * , *'; do
		printf 'allow * * *\n%s\n' "$text" >"$NL_STATE/rules"
		run --separate-stderr -125 nl-ctl list
		[[ $stderr == *"rules: line 2: "* ]]
		run -1 nl-ctl health
		[[ $output == *"TROUBLE     rules: unusable: "* ]]
	done
	echo 'allow * * *' >"$NL_STATE/rules"
	chmod 666 "$NL_STATE/rules"
	run -125 nl-ctl list
	mv "$NL_STATE/rules" rules
	chmod 600 rules
	ln -s "$PWD/rules" "$NL_STATE/rules"
	run -125 nl-ctl list
	rm "$NL_STATE/rules"
	mkfifo "$NL_STATE/rules"
	run -125 nl-ctl list
	rm "$NL_STATE/rules"
	nl-ctl list
}

@test "In a shared directory rules tell users and groups apart" {
	needs_root
	chgrp 4000 "$NL_STATE"
	chmod 2770 "$NL_STATE"
	chmod 711 "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" 2>/dev/null || :
	export NL_EVENTS=off
	member() { setpriv --reuid "$1" --regid 4000 --clear-groups "${@:2}"; }
	member 4001 nl-ctl set retry/db.attempts=4
	[ "$(stat -c '%a %g' "$NL_STATE/audit.ndjson" "$NL_STATE/retry/db" | sort -u)" = "660 4000" ]
	printf 'allow uid:4001 * retry/*\nallow * show *\n' >"$NL_STATE/rules"
	chmod 644 "$NL_STATE/rules"
	member 4001 nl-ctl set retry/db.attempts=5
	run --separate-stderr -77 member 4002 nl-ctl set retry/db.attempts=6
	[[ $stderr == *"uid:4002"* ]]
	[ "$(audit 'select(.status // "" | startswith("denied")) | .by')" = uid:4002 ]
	run -0 member 4002 nl-ctl show retry/db
	[[ $output == *"live by uid:4001"* ]]
	chown 4002 "$NL_STATE/rules"
	run -125 member 4001 nl-ctl show retry/db
}

@test "Without rules the files decide: what somebody may not write is denied" {
	needs_root
	chmod 711 "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" 2>/dev/null || :
	export NL_EVENTS=off
	nl-ctl set retry/db.attempts=4
	chmod 755 "$NL_STATE"
	run -77 as 4001 nl-ctl set retry/db.attempts=5
	[ "$(nl-ctl get retry/db.attempts)" = 4 ]
	[ "$(grep -c 4001 "$NL_STATE/audit.ndjson")" = 0 ]
}

# --- executables ---

# handler NAME: the script on stdin, as a command.
handler() {
	[ -d "$NL_STATE/handlers.d" ] || mkdir -m 700 "$NL_STATE/handlers.d"
	{ echo '#!/bin/sh'; cat; } >"$NL_STATE/handlers.d/$1"
	chmod 700 "$NL_STATE/handlers.d/$1"
}

@test "An executable in handlers.d is a command: context on stdin, result on stdout" {
	handler drain <<-'EOF'
		cat >"$NL_STATE/../context"
		id=$(sed 's/.*"id":"\([^"]*\)".*/\1/' "$NL_STATE/../context")
		printf '{"id":"%s","result":"value","value":"drained"}\n' "$id"
	EOF
	run -0 nl-ctl drain host=a 'why=x "y"'
	[ "$output" = drained ]
	[ "$(jq -c 'del(.id)' "$NL_STATE/../context")" = '{"name":"drain","args":{"host":"a","why":"x \"y\""},"identity":{"uid":'"$(id -u)"',"user":"'"$(id -un)"'"},"reply":"stdout"}' ]
	run -0 nl-ctl request <<<'{"id":"r-1","cmd":"drain","args":{"n":[1,2]}}'
	[ "$output" = '{"id":"r-1","result":"value","value":"drained"}' ]
	[ "$(audit 'select(.phase=="result") | "\(.cmd) \(.status)"' | sort | uniq -c | xargs)" = "2 drain ok" ]
	rm "$NL_STATE/../context"
}

@test "An executable may refuse, with the status of its failure" {
	handler no <<-'EOF'
		read -r c; id=$(printf %s "$c" | sed 's/.*"id":"\([^"]*\)".*/\1/')
		printf '{"id":"%s","result":"error","message":"no such host","failure":{"kind":"not_found"}}' "$id"
	EOF
	run --separate-stderr -1 nl-ctl no
	[ "$stderr" = "nl-ctl: no such host" ]
	[ "$(audit 'select(.phase=="result") | .status')" = "error: not_found: no such host" ]
}

@test "An answer that is no result of the request is an error, and so are a failure and silence" {
	handler a <<<'echo hello'
	handler b <<<'echo "{\"id\":\"other\",\"result\":\"ack\"}"'
	handler c <<<'sed "s/.*\"id\":\"\([^\"]*\)\".*/{\"id\":\"\1\",\"result\":\"ack\",\"extra\":1}/"'
	handler d <<<'exit 3'
	handler e <<<':'
	handler f <<<'head -c 2000000 /dev/zero'
	for name in a b c d e f; do
		run --separate-stderr -125 nl-ctl $name
		[[ $stderr == *"nl-ctl: $name: "* ]]
	done
	run -1 nl-ctl g
}

@test "An executable that others could have written, or a link, does not run" {
	handler a <<<'touch ran'
	chmod 722 "$NL_STATE/handlers.d/a"
	run --separate-stderr -125 nl-ctl a
	[[ $stderr == *"mode 0722 lets others write"* ]]
	chmod 700 "$NL_STATE/handlers.d/a"
	chmod 777 "$NL_STATE/handlers.d"
	run -125 nl-ctl a
	chmod 700 "$NL_STATE/handlers.d"
	ln -s "$NL_STATE/handlers.d/a" "$NL_STATE/handlers.d/b"
	run -125 nl-ctl b
	run -125 nl-ctl ../a
	run -125 nl-ctl a/../a
	[ ! -e ran ]
}

@test "An executable is asked only when the rules allow, and has 10 seconds" {
	handler slow <<<'touch ran; exec sleep 60'
	echo 'allow * list *' >"$NL_STATE/rules"
	run -77 nl-ctl slow
	[ ! -e ran ]
	echo 'allow * slow *' >"$NL_STATE/rules"
	SECONDS=0
	run --separate-stderr -125 nl-ctl slow
	[[ $stderr == *"slow: no answer within 10 s"* ]]
	((SECONDS >= 9 && SECONDS <= 15))
}
