#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Signals that reach a supervisor: who gets them, how often, what is left.
# And what strangers can put into the lines that it writes.
#
# Words are split on purpose, $ in single quotes is for the shell inside, and
# each test is a subshell of its own:
# shellcheck disable=SC2046,SC2086,SC2016,SC2030,SC2031,SC2154
bats_require_minimum_version 1.5.0
load helper
load victim

# got FILE NAME: how often a sigcount has seen a signal.
got() {
	grep -c "^$2 " "$1" || true
}

# has FILE NAME: a sigcount has seen it.
has() {
	[ "$(got "$1" "$2")" -ge 1 ]
}

# The layers that every forwarding test goes through: fused, and as processes.
stacks=("nl-timeout 60" "nl-retry -n 1" "nl-timeout 60 nl-retry -n 1" "nl-retry -n 1 nl-timeout 60 nl-retry -n 1 nl-timeout 50")

# --- what is left ---

@test "A descendant in another session or with its parent gone does not survive the limit" {
	by_limit one nl-timeout LIMIT sh -c 'setsid deaf -o one none & wait'
	wait_for 1 no_victims
	by_limit two nl-timeout LIMIT sh -c '(deaf -o two none &); exec deaf -o three none'
	wait_for 1 no_victims
}

@test "When nl-timeout or nl-retry is killed by SIGKILL its command dies" {
	local line n=0
	for line in "${stacks[@]}"; do
		for NL_FUSE in 1 0; do
			export NL_FUSE
			n=$((n + 1))
			start $line deaf -o log$n HUP INT TERM USR1
			wait_for 5 ready log$n
			kill -KILL "$pid"
			ends 1
			[ "$rc" = 137 ]
			wait_for 1 no_victims
		done
	done
}

@test "Each signal that can end nl-retry ends its command, and nl-retry by that signal" {
	local s
	for s in HUP INT QUIT TERM; do
		start died how$s nl-retry -n 5 -b constant:1ms -j none deaf -o log$s none
		wait_for 5 ready log$s
		kill -$s "$(cat how$s.pid)"
		ends 3
		[ "$(cat how$s)" = "signal $(kill -l $s)" ]
		[ "$(grep -c . log$s)" = 1 ]
		wait_for 1 no_victims
	done
	for s in USR1 USR2 ALRM RTMIN+1 RTMAX ABRT XCPU VTALRM; do
		start died how$s nl-retry -n 1 deaf -o log$s none
		wait_for 5 ready log$s
		kill -$s "$(cat how$s.pid)"
		ends 3
		[ "$(cat how$s)" = "signal $(kill -l $s)" ]
		wait_for 1 no_victims
	done
}

@test "Each signal that can end nl-timeout ends its command, and nl-timeout by that signal" {
	local s
	for s in HUP INT QUIT TERM USR1 USR2 ALRM RTMIN+1 RTMAX ABRT SEGV XCPU VTALRM PROF IO; do
		start died how$s nl-timeout 60 deaf -o log$s none
		wait_for 5 ready log$s
		kill -$s "$(cat how$s.pid)"
		ends 3
		[ "$(cat how$s)" = "signal $(kill -l $s)" ]
		wait_for 1 no_victims
	done
}

@test "SIGPIPE sent to a supervisor does not leave its command behind" {
	local line n=0
	for line in "${stacks[@]}"; do
		n=$((n + 1))
		start $line deaf -o log$n none
		wait_for 5 ready log$n
		kill -PIPE "$pid"
		kill -TERM "$pid" || true
		ends 3
		wait_for 1 no_victims
	done
}

@test "A command that we are not allowed to kill is given up after --kill-after with status 124" {
	root_only
	local t
	cp "$NL_BIN/nl-timeout" "$NL_AID/deaf" .
	chmod 755 . nl-timeout
	chmod 4755 deaf
	mkfifo ready
	t=$(ms)
	setpriv --reuid 65534 --clear-groups ./nl-timeout -k 0.3 0.5 ./deaf -u none >out 3>&- &
	pid=$!
	wait_for 5 ready out
	ends 5
	[ "$rc" = 124 ]
	between 800 "$(($(ms) - t))" 5000
	alive "$(sed -n 's/^ready //p' out)"
	kill -KILL "$(sed -n 's/^ready //p' out)"
}

@test "nl-timeout supervises as init of a pid namespace, and as a child of it" {
	root_only
	unshare -pf true 2>/dev/null || skip "no pid namespaces here"
	run -124 timeout -s KILL 10 unshare -pf --kill-child nl-timeout 0.1 sleep 60
	run -0 timeout -s KILL 10 unshare -pf --kill-child sh -c 'nl-timeout 0.1 sleep 60; [ $? = 124 ]'
	run -0 timeout -s KILL 10 unshare -pf --kill-child sh -c 'nl-retry -t 0.1 -n 1 sleep 60; [ $? = 124 ]'
}

@test "A signal at any moment of a short run neither is lost nor leaves anything" {
	cat >loop <<-'EOF'
		i=0
		while [ $((i += 1)) -le 200 ]; do
			nl-timeout 20 true0 &
			j=0
			while [ $((j += 1)) -lt $((i * 20)) ]; do :; done
			kill -TERM $! 2>/dev/null
			wait $!
			rc=$?
			[ $rc = 0 ] || [ $rc = 143 ] || { echo "rc $rc"; exit 1; }
		done
	EOF
	run -0 sh loop
	no_victims
}

@test "The end of a command is never missed" {
	cat >loop <<-'EOF'
		i=0
		while [ $((i += 1)) -le 250 ]; do
			nl-timeout 15 true0 || exit
			nl-retry -T 15 true0 || exit
		done
	EOF
	run -0 sh loop
}

@test "Ignored SIGCHLD and blocked ALRM and CHLD at the start change no result" {
	run -0 bash -c 'trap "" CHLD; exec nl-timeout 10 true'
	run -5 bash -c 'trap "" CHLD; exec nl-retry -n 2 -b constant:1ms sh -c "exit 5"'
	run -124 env --block-signal=ALRM,CHLD nl-timeout 0.2 sleep 60
	run -1 env --block-signal=ALRM,CHLD nl-retry -n 2 -b constant:1ms false
}

@test "A child that exec gave to nl-timeout does not count as its command" {
	run -124 bash -c 'setsid sleep 0.1 & exec nl-timeout 0.5 sh -c "sleep 60; echo foo"'
	[ -z "$output" ]
	run -0 bash -c 'setsid sleep 0.1 & exec nl-retry sh -c "sleep 0.3; echo foo"'
	[ "$output" = foo ]
}

@test "A signal that was ignored at the start stays ignored for the command and is not passed on" {
	run -0 bash -c 'trap "" INT; nl-timeout 5 sh -c "kill -INT \$\$; echo ok"'
	[ "$output" = ok ]
	run -0 bash -c 'trap "" INT; nl-retry sh -c "kill -INT \$\$; echo ok"'
	[ "$output" = ok ]
	run -0 bash -c '(trap "" PIPE; nl-timeout 10 yes | true) 2>&1 | grep "Broken pipe"'
	env --ignore-signal=USR1 nl-timeout 60 sigcount -q 12 log 3>&- &
	pid=$!
	wait_for 5 ready log
	kill -USR1 "$pid"
	kill -USR2 "$pid"
	ends 3
	[ "$(got log USR1)" = 0 ]
	[ "$(got log USR2)" = 1 ]
}

@test "A reader of stderr that is gone neither ends nl-timeout nor leaves the command" {
	export NL_EVENTS=stderr
	{ rc=0; nl-timeout -v 0.2 sleep 60 2>&1 || rc=$?; echo $rc >status; } | true
	[ "$(cat status)" = 124 ]
	{ rc=0; nl-retry -n 20 -b constant:2ms -j none false 2>&1 || rc=$?; echo $rc >status; } | true
	[ "$(cat status)" = 1 ]
	wait_for 1 no_victims
}

@test "KILL after the grace gives status 124, in the foreground or not" {
	local t
	t=$(ms)
	run -124 nl-timeout -f -s 0 -k 0.1 0.1 sleep 60
	run -124 nl-timeout -s 0 -k 0.1 0.1 sleep 60
	run -124 nl-timeout -k 0.2 0.2 sh -c 'trap "" TERM; sleep 60; sleep 60'
	run -124 nl-timeout -f -k 0.2 0.2 deaf
	[ $(($(ms) - t)) -lt 5000 ]
}

@test "nl-retry told to stop during a back-off dies of the signal at once" {
	local s t
	for s in HUP INT QUIT TERM USR1 RTMIN+2; do
		start died how$s nl-retry -n 5 -b constant:60s -j none sh -c 'echo $$ >>ran; exit 1'
		wait_for 5 test -s ran
		wait_for 5 ended "$(tail -n 1 ran)"
		t=$(ms)
		kill -$s "$(cat how$s.pid)"
		ends 3
		[ "$(cat how$s)" = "signal $(kill -l $s)" ]
		[ $(($(ms) - t)) -lt 1500 ]
		[ "$(grep -c . ran)" = 1 ]
		rm ran
	done
}

@test "A stopped command is continued after the signal of the limit" {
	local t
	t=$(ms)
	run -124 nl-timeout 0.2 sh -c 'kill -STOP $$'
	[ $(($(ms) - t)) -lt 3000 ]
	start nl-timeout 60 sh -c 'echo ready >log; kill -STOP $$'
	wait_for 5 ready log
	kill -TERM "$pid"
	ends 3
	[ "$rc" = 143 ]
}

@test "TERM or KILL to the outermost of nested wrappers ends all of them and the command" {
	local s n=0
	for NL_FUSE in 1 0; do
		export NL_FUSE
		for s in HUP INT QUIT TERM KILL; do
			n=$((n + 1))
			start nl-timeout 60 nl-retry -n 9 -b constant:1ms nl-timeout 50 nl-retry -n 9 deaf -o log$n none
			wait_for 5 ready log$n
			kill -$s "$pid"
			ends 3
			[ "$rc" = $((128 + $(kill -l $s))) ]
			[ "$(grep -c . log$n)" = 1 ]
			wait_for 1 no_victims
		done
	done
}

@test "A layer that an outer limit stops still writes its report and its events" {
	local NL_FUSE
	for NL_FUSE in 1 0; do
		export NL_FUSE
		by_limit log env NL_EVENTS="$PWD/events$NL_FUSE" \
			nl-timeout LIMIT nl-retry -n 5 --report report$NL_FUSE deaf -o log none
		[ "$(jq -r .attempts report$NL_FUSE)" = 1 ]
		[ "$(jq -r 'select(.kind == "retry") | .event' events$NL_FUSE | grep -c '^nl.request')" -ge 1 ]
		[ "$(jq -r 'select(.kind == "timeout") | .event' events$NL_FUSE | grep -c '^nl.request')" -ge 1 ]
	done
}

# --- who gets it, and how often ---

@test "A signal to a supervisor reaches the command once, from the supervisor" {
	local line s n=0
	for line in "${stacks[@]}"; do
		for NL_FUSE in 1 0; do
			export NL_FUSE
			n=$((n + 1))
			start $line sigcount -q 40 log$n
			wait_for 5 ready log$n
			# Real-time signals queue: a second one would be seen.
			for s in RTMIN+1 RTMIN+3 RTMIN+5 USR1 USR2; do
				kill -$s "$pid"
				wait_for 3 has log$n $s
			done
			kill -40 "$pid"
			ends 3
			[ "$rc" = 0 ]
			for s in RTMIN+1 RTMIN+3 RTMIN+5 USR1 USR2; do
				[ "$(got log$n $s)" = 1 ]
			done
			[ "$NL_FUSE" = 0 ] || grep -qx "USR1 user $pid" log$n
		done
	done
}

@test "Each of several signals passes through nl-retry, once" {
	local s
	start nl-retry -n 1 sigcount -q 15 log
	wait_for 5 ready log
	for s in HUP INT QUIT USR1 USR2; do
		kill -$s "$pid"
		wait_for 3 has log $s
	done
	kill -TERM "$pid"
	ends 3
	[ "$rc" = 0 ]
	for s in HUP INT QUIT USR1 USR2 TERM; do
		[ "$(got log $s)" = 1 ]
	done
}

@test "The signal of a limit reaches the command once, through any number of layers" {
	local line NL_FUSE n=0
	for line in "nl-timeout -s RTMIN+3 -k 0.3 LIMIT" "nl-timeout -s RTMIN+3 -k 0.3 LIMIT nl-retry" \
		"nl-retry -n 1 -s RTMIN+3 -k 0.3 -t LIMIT nl-timeout 60" \
		"nl-timeout 60 nl-retry -n 1 nl-timeout -s RTMIN+3 -k 0.3 LIMIT nl-timeout 50"; do
		for NL_FUSE in 1 0; do
			export NL_FUSE
			n=$((n + 1))
			mark=RTMIN+3 by_limit log$n $line sigcount log$n
			[ "$(got log$n RTMIN+3)" = 1 ]
		done
	done
}

@test "TERM to a chain of wrappers reaches the command once" {
	local line NL_FUSE n=0
	for line in "${stacks[@]}"; do
		for NL_FUSE in 1 0; do
			export NL_FUSE
			for _ in 1 2; do
				n=$((n + 1))
				start $line sigcount -x 3 log$n
				wait_for 5 ready log$n
				kill -TERM "$pid"
				wait_for 3 has log$n TERM
				kill -USR1 "$pid"
				wait_for 3 has log$n USR1
				[ "$(got log$n TERM)" = 1 ]
				kill -KILL "$(sed -n 's/^ready //p' log$n)"
				ends 3
			done
		done
	done
}

@test "A stop signal reaches every process of the command's group, once" {
	start nl-timeout 60 sh -c 'sigcount -q 36 one & sigcount -q 36 two & wait; wait'
	wait_for 5 ready one
	wait_for 5 ready two
	kill -RTMIN+2 "$pid"
	ends 3
	[ "$(got one RTMIN+2)" = 1 ]
	[ "$(got two RTMIN+2)" = 1 ]
	start nl-timeout 60 sh -c 'trap : TERM; sigcount -x 3 three & sigcount -x 3 four & until grep -qs ^USR1 three; do sleep 0.02; done'
	wait_for 5 ready three
	wait_for 5 ready four
	kill -TERM "$pid"
	wait_for 3 has three TERM
	wait_for 3 has four TERM
	[ "$(got three TERM)" = 1 ]
	[ "$(got four TERM)" = 1 ]
	kill -USR1 $(sed -n 's/^ready //p' three four)
	kill -KILL $(sed -n 's/^ready //p' three four)
	ends 3
}

@test "A second stop signal still reaches the command" {
	start nl-timeout -k 60 60 sigcount -q 2 -x 6 log
	wait_for 5 ready log
	kill -TERM "$pid"
	wait_for 3 has log TERM
	kill -INT "$pid"
	ends 3
	[ "$rc" = 6 ]
}

@test "A command that survives a stop signal is killed after --kill-after" {
	local line t
	for line in "nl-timeout -k 0.4 60" "nl-retry -k 0.4 -n 3" "nl-timeout 60 nl-retry -k 0.4 nl-timeout 50"; do
		for NL_FUSE in 1 0; do
			export NL_FUSE
			rm -f log
			start $line deaf -o log
			wait_for 5 ready log
			t=$(ms)
			kill -TERM "$pid"
			ends 4
			between 400 "$(($(ms) - t))" 3000
			wait_for 1 no_victims
		done
	done
}

@test "A retry that is told to stop while its last attempt runs has the status of that attempt" {
	start died how nl-retry -n 1 sigcount -q 15 -x 9 log
	wait_for 5 ready log
	kill -TERM "$(cat how.pid)"
	ends 3
	[ "$(cat how)" = "exit 9" ]
	start died how2 nl-retry -n 2 sigcount -q 15 -x 9 log2
	wait_for 5 ready log2
	kill -TERM "$(cat how2.pid)"
	ends 3
	[ "$(cat how2)" = "signal 15" ]
	start died how3 nl-retry -n 2 sigcount -q 15 -x 0 log3
	wait_for 5 ready log3
	kill -TERM "$(cat how3.pid)"
	ends 3
	[ "$(cat how3)" = "exit 0" ]
}

# --- lines that strangers can reach ---

# plain [FILE]: nothing in it makes a terminal do anything but print.
plain() {
	if LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' "$@"; then
		return 1
	fi
}

# clean FILE: each line is one JSON object in UTF-8 without a control character.
clean() {
	[ -s "$1" ]
	iconv -f UTF-8 -t UTF-8 "$1" >/dev/null
	plain "$1"
	[ "$(jq -c 'select(.nl == 1 and (.event | startswith("nl.")))' "$1" | wc -l)" = "$(wc -l <"$1")" ]
}

hostile=($'a\n{"ev":"fake"}\e]0;x\a\xff' $'\xed\xa0\x80' $'\u2028\u2029' $'\x7f' $'\xc2\x9b31m' $'"\\' $'\xf5\x80'
	$'\xc0\xaf' "$(printf '%0250d' 0)" $'\t' '$(touch pwned)' '%s%n')

@test "Hostile names of commands stay inside one line of valid JSON" {
	local name n=0
	export NL_EVENTS=$PWD/events
	for name in "${hostile[@]}"; do
		ln -s "$(type -P false)" "./$name"
		run -1 nl-retry -n 2 -b constant:1ms -j none "./$name"
		run -1 nl-timeout 60 "./$name" $'\n{"nl":1}' $'\e'
		n=$((n + 1))
	done
	clean events
	[ "$(grep -c '"event":"nl.retry.exhausted"' events)" = "$n" ]
	[ "$(grep -c '"event":"nl.request.failure"' events)" = "$((2 * n))" ]
	[ ! -e pwned ]
	# Text that is not UTF-8 is replaced, not dropped.
	grep -q $'\xef\xbf\xbd\|\\\\ufffd' events
}

@test "Hostile names of commands put nothing but text on a terminal" {
	local name
	export NL_EVENTS=human
	for name in "${hostile[@]}"; do
		ln -s "$(type -P sleep)" "./$name"
		run -124 nl-timeout -v 0.1 "./$name" 60
		plain <<<"$output"
		[ "${#lines[@]}" = 2 ]
		run -127 nl-retry "./no/$name"
		plain <<<"$output"
		[ "${#lines[@]}" -le 2 ]
		run -125 nl-timeout "x$name" true
		plain <<<"$output"
	done
	[ ! -e pwned ]
}

@test "Long command lines and hostile arguments never make a line longer than 4096 bytes" {
	export NL_EVENTS=$PWD/events
	local long
	long=$(head -c 100000 /dev/zero | tr '\0' '"')
	run nl-retry -n 2 -b constant:1ms -j none sh -c 'exit 1' "$long" "$long"
	run nl-timeout --name a.b-c_d 60 false "$long"
	clean events
	run awk 'length($0) > 4095 { print length($0) }' events
	[ -z "$output" ]
}

@test "What the command line and the environment hold is in no event, report or message" {
	local sink
	export SECRET=CANARY42
	for sink in "$PWD/events" human stderr; do
		NL_EVENTS=$sink nl-retry -n 2 -b constant:1ms -j none --report report.json \
			--on-retry 'true CANARY42' --on-giveup ': CANARY42' sh -c 'exit 1' -- CANARY42 >>out 2>>err || [ $? = 1 ]
		NL_EVENTS=$sink nl-timeout -v --on-timeout 'true CANARY42' 0.2 sleep 60 >>out 2>>err || true
		NL_EVENTS=$sink nl-timeout -v --on-timeout 'true CANARY42' 0.2 sh -c 'sleep 60; : CANARY42' >>out 2>>err || [ $? = 124 ]
		NL_EVENTS=$sink nl-retry --retry-if CANARY42 -n 2 -b constant:1ms sh -c 'exit 1' CANARY42 >>out 2>>err || [ $? = 1 ]
	done
	clean events
	grep -q nl.retry events
	grep -q 'nl-retry: ' err
	run grep -r CANARY42 events err report*
	[ "$status" = 1 ]
}
