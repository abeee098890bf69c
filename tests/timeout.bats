#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# nl-timeout as its user sees it: limits, signals, statuses, --idle, hooks and
# the budget that it hands down.  Trees, groups and terminals: supervise.bats.
# shellcheck disable=SC2016,SC2030,SC2031,SC2094,SC2154  # text for inner shells; each test is a subshell; set by run
bats_require_minimum_version 1.5.0
load helper
load victim

# What a jq filter makes of the events so far.
ev() {
	jq -r "$1" "$NL_EVENTS"
}

@test "nl-timeout exits with the status of a command that ends in time" {
	for n in 0 1 7 75 124 125 126 127 128 137 255; do
		run "-$n" nl-timeout 10 sh -c "exit $n"
	done
}

@test "nl-timeout dies of the signal that killed its command" {
	for s in HUP INT QUIT KILL USR1 SEGV PIPE ALRM TERM; do
		run died how nl-timeout 10 sh -c "ulimit -c 0; kill -$s \$\$"
		[ "$(cat how)" = "signal $(kill -l $s)" ]
	done
}

@test "nl-timeout leaves no core file of its own" {
	ulimit -S -c "$(ulimit -H -c)"
	run -139 nl-timeout 10 sh -c 'ulimit -c 0; kill -SEGV $$'
	run compgen -G 'core*'
	[ -z "$output" ]
}

@test "At the limit the command gets TERM and the status is 124" {
	t=$(ms)
	run -124 nl-timeout 0.5 flaky n say
	t=$(($(ms) - t))
	[ "$output" = $'call 1\ngot 15' ]
	between 500 "$t" 3000
	[ "$(ev 'select(.event=="nl.timeout.occurred") | "\(.reason) \(.limit_s) \(.signal) \(.killed)"')" = "limit 0.5 TERM false" ]
}

@test "A command that does not end gets KILL and the status is 124 all the same" {
	t=$(ms)
	run -124 nl-timeout -k 0.3 0.2 flaky n deaf
	t=$(($(ms) - t))
	between 500 "$t" 2500
	[ "$(ev 'select(.event=="nl.timeout.occurred") | "\(.grace_s) \(.killed)"')" = "0.3 true" ]
}

@test "--kill-after is 5 seconds by default, and inf and 0 send no KILL" {
	t=$(ms)
	pids=()
	for k in inf 0; do
		nl-timeout -k $k 0.1 sh -c 'trap "" TERM; writer -n 2 -i 7000 >/dev/null; echo survived' >$k 3>&- &
		pids+=("$!")
	done
	run -124 nl-timeout 0.1 sh -c 'trap "" TERM; writer -n 2 -i 7000 >/dev/null; echo survived'
	t=$(($(ms) - t))
	[ -z "$output" ]
	[ "$t" -ge 5100 ]
	wait "${pids[@]}" || [ $? = 124 ]
	[ "$(cat inf)" = survived ]
	[ "$(cat 0)" = survived ]
	[ "$(ev 'select(.event=="nl.timeout.occurred" and .grace_s == null) | .killed')" = $'false\nfalse' ]
}

@test "--kill-after counts from a stop signal that was passed on" {
	died how nl-timeout -k 0.3 60 flaky n deaf >out 3>&- &
	wait_for 5 test -s out
	t=$(ms)
	kill -TERM "$(cat how.pid)"
	wait_for 5 test -s how
	t=$(($(ms) - t))
	[ "$t" -ge 300 ]
	[ "$(cat how)" = "signal 9" ]
}

@test "--signal takes a name with or without SIG in any case, a number or RTMIN+n" {
	for s in INT SIGINT int SigInt 2 USR1 RTMIN+1 RTMAX-1; do
		nl-timeout -s "$s" 1 flaky "n.$s" say >"out.$s" 3>&- &
	done
	for s in INT SIGINT int SigInt 2 USR1 RTMIN+1 RTMAX-1; do
		wait -n || [ $? = 124 ]
	done
	for s in INT SIGINT int SigInt 2; do
		[ "$(cat "out.$s")" = $'call 1\ngot 2' ]
	done
	for s in USR1 RTMIN+1 RTMAX-1; do
		[ "$(cat "out.$s")" = $'call 1\ngot '"$(kill -l $s)" ]
	done
}

@test "--signal KILL ends the command at once with status 124" {
	t=$(ms)
	run -124 nl-timeout -s KILL 0.2 flaky n deaf
	[ $(($(ms) - t)) -lt 2000 ]
}

@test "--signal 0 sends nothing and KILL follows after --kill-after" {
	t=$(ms)
	run -124 nl-timeout -s 0 -k 0.3 1 flaky n say
	t=$(($(ms) - t))
	[ "$output" = "call 1" ]
	between 1300 "$t" 4000
}

@test "--preserve-status gives the command's own status after the limit" {
	run -9 nl-timeout -p 0.5 flaky n2 say
	run died how nl-timeout --preserve-status 0.1 sleep 60
	[ "$(cat how)" = "signal 15" ]
	run died how nl-timeout -p -k 0.1 0.1 flaky n deaf
	[ "$(cat how)" = "signal 9" ]
}

@test "--verbose says each signal that the limit sends, and to what" {
	run --separate-stderr -124 nl-timeout -v -k 0.1 0.1 flaky n deaf
	[ "$output" = "call 1" ]
	[ "${#stderr_lines[@]}" = 2 ]
	[[ ${stderr_lines[0]} == nl-timeout:*TERM*flaky* ]]
	[[ ${stderr_lines[1]} == nl-timeout:*KILL*flaky* ]]
	run --separate-stderr -0 nl-timeout -v 10 true
	[ -z "$stderr" ]
}

@test "--foreground leaves the command in the caller's group and stops it alone" {
	run -0 setsid -w sh -c 'read -r _ _ _ _ mine _ </proc/self/stat
		nl-timeout -f 10 sh -c "read -r _ _ _ _ its _ </proc/self/stat; test \$its = $mine"'
	run -124 nl-timeout -f 0.7 sh -c 'sleep 60 >&- 2>&- 3>&- & echo $! >pid; wait'
	alive "$(cat pid)"
	kill -KILL "$(cat pid)"
}

@test "Without a terminal the command gets a process group of its own" {
	run -0 setsid -w sh -c "nl-timeout 10 sh -c 'read -r pid _ _ _ group _ </proc/self/stat; echo \$((pid - group))'; :"
	[ "$output" = 0 ]
}

@test "--kill tree stops descendants in other sessions, --kill group does not" {
	run -124 nl-timeout 0.7 sh -c 'setsid sleep 60 >&- 2>&- 3>&- & echo $! >pid; wait'
	run ! alive "$(cat pid)"
	run -124 nl-timeout --kill tree 0.7 sh -c 'setsid sleep 60 >&- 2>&- 3>&- & echo $! >pid; wait'
	run ! alive "$(cat pid)"
	run -124 nl-timeout --kill group 0.7 sh -c 'setsid sleep 60 >&- 2>&- 3>&- & echo $! >pid; wait'
	alive "$(cat pid)"
	kill -KILL "$(cat pid)"
}

@test "After a normal end nothing is killed" {
	run -0 nl-timeout 10 sh -c 'sleep 60 >&- 2>&- 3>&- & echo $! >pid'
	alive "$(cat pid)"
	kill -KILL "$(cat pid)"
}

@test "A DURATION of 0 or inf sets no limit" {
	for d in 0 0s inf infinity 0ms; do
		run -3 nl-timeout $d sh -c 'writer -n 2 -i 100 >/dev/null; exit 3'
	done
}

@test "A DURATION is a number with s, m, h, d, ms or us, or several of them" {
	for d in 1 .5 1s 0.1m 1h 1d 100ms 900000us 1m30s 1h15m30.5s 1e1 0x1p3 +5 1e300 5e-1s; do
		run -0 nl-timeout "$d" true
	done
	for d in 1e-10 1us 1e-10000 1ms; do
		run -124 nl-timeout "$d" sleep 60
	done
}

@test "A DURATION that is no duration is a usage error" {
	for d in '' x nan -1 1x 1sm ' ' 1m30 --1 1..2 1,5; do
		run --separate-stderr -125 nl-timeout -- "$d" flaky n 0
		[ -z "$output" ]
		[[ ${stderr_lines[0]} == "nl-timeout: "*"'$d'"* ]]
	done
	[ ! -e n ]
}

@test "--idle stops a command that writes nothing for so long" {
	t=$(ms)
	run -124 nl-timeout -i 0.3 60 sh -c 'echo a; exec sleep 60'
	t=$(($(ms) - t))
	[ "$output" = a ]
	between 300 "$t" 2000
	[ "$(ev 'select(.event=="nl.timeout.occurred") | "\(.reason) \(.limit_s) \(.signal)"')" = "idle 0.3 TERM" ]
}

@test "Each byte on stdout or stderr begins the --idle time anew" {
	for o in '' -e -a; do
		# shellcheck disable=SC2086
		run -5 nl-timeout --idle 0.6 60 writer $o -n 6 -i 200 -b 1 -x 5
		[ "$output" = 000000 ]
	done
}

@test "--idle 0 is off, and --idle needs no limit" {
	run -0 nl-timeout -i 0 60 writer -n 2 -i 200
	run -124 nl-timeout -i 0.1 inf sleep 60
	run -124 nl-timeout -i 60 0.1 sleep 60
}

@test "--idle passes stdout and stderr on as they come, each to its own place" {
	mkfifo go
	(exec nl-timeout --idle 10 60 sh -c 'echo out; echo err >&2; read -r x <go; echo "$x"' >out 2>err 3>&-) &
	wait_for 5 grep -q out out
	wait_for 5 grep -q err err
	echo more >go
	wait $!
	[ "$(cat out)" = $'out\nmore' ]
	[ "$(cat err)" = err ]
}

@test "--idle ends with the command although a descendant keeps its output open" {
	t=$(ms)
	nl-timeout -i 10 60 sh -c 'sleep 60 & echo $! >pid; echo hi' >out 3>&-
	[ $(($(ms) - t)) -lt 3000 ]
	[ "$(cat out)" = hi ]
	kill -KILL "$(cat pid)"
}

@test "--idle cuts the sleep of a retry inside" {
	t=$(ms)
	run -124 nl-timeout -i 0.4 60 nl-retry -n 5 -b constant:30s -j none flaky n 1
	t=$(($(ms) - t))
	between 400 "$t" 3000
	[ "$output" = "call 1" ]
}

@test "--on-timeout runs a shell command after the limit was hit, with its output on stderr" {
	run --separate-stderr -124 nl-timeout --on-timeout 'echo hooked; cat >in; exit 9' 0.1 sleep 60 <<<"not for the hook"
	[ -z "$output" ]
	[ "$stderr" = hooked ]
	[ -e in ] && [ ! -s in ]
	run -124 nl-timeout --on-timeout 'touch idle' -i 0.1 60 sleep 60
	[ -e idle ]
}

@test "--on-timeout runs when the command is gone" {
	run -124 nl-timeout -k 0.2 --on-timeout 'kill -0 $(cat pid) 2>/dev/null && echo alive >bad; touch ran' 0.5 \
		bash -c 'echo $$ >pid; trap "" TERM; sleep 60; sleep 60'
	[ -e ran ]
	[ ! -e bad ]
}

@test "--on-timeout does not run when the command ends in time or is told to stop" {
	run -1 nl-timeout --on-timeout 'touch hooked' 10 false
	run -143 nl-timeout --on-timeout 'touch hooked' 10 sh -c 'kill -TERM $$'
	died how nl-timeout --on-timeout 'touch hooked' 60 flaky n hang >out 3>&- &
	wait_for 5 test -s out
	kill -TERM "$(cat how.pid)"
	wait_for 5 test -s how
	[ "$(cat how)" = "signal 15" ]
	[ ! -e hooked ]
}

@test "--on-timeout leaves the command's status to --preserve-status" {
	run -9 nl-timeout -p --on-timeout 'exit 3' 0.5 flaky n say
}

@test "A hook gets 10 seconds" {
	t=$(ms)
	run -124 nl-timeout --on-timeout 'echo $$ >pid; exec sleep 60' 0.1 sleep 60
	t=$(($(ms) - t))
	between 10000 "$t" 16000
	run ! alive "$(cat pid)"
}

@test "nl-timeout passes a stop signal on and reports how the command ended" {
	died how nl-timeout 60 flaky n say >out 3>&- &
	wait_for 5 test -s out
	kill -TERM "$(cat how.pid)"
	wait_for 5 test -s how
	[ "$(cat how)" = "exit 9" ]
	[ "$(cat out)" = $'call 1\ngot 15' ]
	run ev 'select(.event=="nl.timeout.occurred")'
	[ -z "$output" ]
}

@test "--left prints inf without a deadline" {
	unset NL_DEADLINE
	run -0 nl-timeout --left
	[ "$output" = inf ]
	run -0 nl-timeout inf nl-timeout 0 sh -c 'nl-timeout --left'
	[ "$output" = inf ]
}

@test "--left prints the seconds that are left, with six decimals" {
	run -0 nl-timeout 100 sh -c 'nl-timeout --left'
	[[ $output =~ ^[0-9]{2}\.[0-9]{6}$ ]]
	[ "${output%.*}" -ge 90 ]
	run -0 nl-timeout 1h sh -c 'nl-timeout --left'
	[[ $output =~ ^35[0-9]{2}\.[0-9]{6}$ ]]
}

@test "--left prints 0.000000 when the deadline has passed" {
	run -124 nl-timeout 0.7 sh -c 'trap : TERM; flaky n say; nl-timeout --left'
	[ "$output" = $'call 1\ngot 15\n0.000000' ]
}

@test "The earliest of all enclosing deadlines counts" {
	for fuse in 1 0; do
		export NL_FUSE=$fuse
		for line in '40 nl-timeout 100' '100 nl-timeout 40' '40 nl-timeout inf' '40 sh -c "exec nl-timeout 100 \"\$@\"" sh' \
			'100 nl-retry -T 40' '40 nl-retry -T 100' '100 nl-retry -t 40' '40 nl-retry'; do
			eval "run -0 nl-timeout $line sh -c 'nl-timeout --left'"
			[[ $output =~ ^3[0-9]\.[0-9]{6}$ ]]
		done
	done
}

@test "NL_DEADLINE is a moment, the boot, and the process that keeps it" {
	run -0 nl-timeout 100 sh -c 'echo "$NL_DEADLINE $PPID"'
	read -r deadline parent <<<"$output"
	IFS=: read -r ns boot pid start grace <<<"$deadline"
	[[ $ns =~ ^[0-9]+$ && $start =~ ^[0-9]+$ && $grace = 5000000000 ]]
	[ "$boot" = "$(cat /proc/sys/kernel/random/boot_id)" ]
	[ "$pid" = "$parent" ]
}

@test "NL_DEADLINE is not set without a limit" {
	unset NL_DEADLINE
	run -0 nl-timeout inf sh -c 'echo "${NL_DEADLINE-none}"'
	[ "$output" = none ]
}

@test "NL_DEADLINE of another boot, of a process that is gone, or that cannot be read is ignored" {
	stale=$(nl-timeout 100 sh -c 'echo "$NL_DEADLINE"')
	NL_DEADLINE=$stale run -0 nl-timeout --left
	[ "$output" = inf ]
	run -0 nl-timeout 100 bash -c 'IFS=: read -r ns boot pid start more <<<"$NL_DEADLINE"
		more=${more:+:$more}
		for d in "$ns:00000000-0000-0000-0000-000000000000:$pid:$start$more" "$ns:$boot:$pid:$((start + 1))$more" \
			"$ns:$boot:999999999:$start$more" "$ns:$boot" "x:$boot:$pid:$start$more" -1:: ""; do
			NL_DEADLINE=$d nl-timeout --left
		done
		NL_DEADLINE=$ns:$boot:$pid:$start nl-timeout --left
		nl-timeout --left'
	[ "${#lines[@]}" = 9 ]
	for i in 0 1 2 3 4 5 6; do
		[ "${lines[i]}" = inf ]
	done
	[[ ${lines[7]} =~ ^9[0-9]\. ]]
	[[ ${lines[8]} =~ ^9[0-9]\. ]]
}

@test "Only the process that keeps a deadline kills at it" {
	run -124 nl-timeout -k inf 0.5 sh -c 'trap "" TERM; nl-timeout 60 writer -n 2 -i 1200; echo "inner $?"'
	[ "$output" = $'0000000\n0000001\ninner 0' ]
}

@test "The inner of two limits that passes first is the one that counts" {
	for fuse in 1 0; do
		export NL_FUSE=$fuse
		run -124 nl-timeout 60 nl-timeout 0.2 sleep 60
		run -7 nl-timeout 60 sh -c 'nl-timeout 0.2 sleep 60; test $? = 124 && exit 7'
		run -143 nl-timeout 60 nl-timeout -p 0.2 sleep 60
		run -124 nl-timeout 0.2 nl-timeout -p 60 sleep 60
	done
}

@test "A command that cannot be found is status 127, one that cannot be run 126" {
	echo 'echo no interpreter line' >script
	chmod +x script
	touch plain
	run --separate-stderr -127 nl-timeout 10 /no/such/command
	[ "$stderr" = "nl-timeout: cannot run '/no/such/command': No such file or directory" ]
	run --separate-stderr -127 nl-timeout 10 no-such-command-anywhere
	[ "$stderr" = "nl-timeout: cannot run 'no-such-command-anywhere': No such file or directory" ]
	for f in ./plain ./script /tmp .; do
		run --separate-stderr -126 nl-timeout 10 "$f"
		[[ $stderr == "nl-timeout: cannot run '$f': "* ]]
	done
}

@test "A usage error of nl-timeout is status 125, one line on stderr, and nothing is run" {
	while IFS='|' read -r args want; do
		eval "run --separate-stderr -125 nl-timeout $args"
		[ -z "$output" ]
		[[ ${stderr_lines[0]} == nl-timeout:* ]]
		# shellcheck disable=SC2053
		[[ $stderr == $want ]]
	done <<-'EOF'
		|nl-timeout: missing DURATION
		10|nl-timeout: missing COMMAND
		10 --|nl-timeout: missing COMMAND
		--bogus 10 flaky n 0|nl-timeout: --bogus: unknown option (try --help)
		-Z 10 flaky n 0|nl-timeout: -Z: unknown option (try --help)
		-k x 10 flaky n 0|nl-timeout: --kill-after: 'x': *
		-k -1 10 flaky n 0|nl-timeout: --kill-after: '-1': *
		-s FOO 10 flaky n 0|nl-timeout: --signal: 'FOO': *
		-s 65 10 flaky n 0|nl-timeout: --signal: '65': *
		-s -9 10 flaky n 0|nl-timeout: --signal: '-9': *
		-i nan 10 flaky n 0|nl-timeout: --idle: 'nan': *
		--kill forest 10 flaky n 0|nl-timeout: --kill: 'forest': *
		--name a/b 10 flaky n 0|nl-timeout: --name: 'a/b': *
		--name '' 10 flaky n 0|nl-timeout: --name: '': *
		--events bogus 10 flaky n 0|nl-timeout: --events: 'bogus': *
		--preserve-status=yes 10 flaky n 0|nl-timeout: --preserve-status: *
		--ki tree 10 flaky n 0|nl-timeout: --ki: *
		-k|nl-timeout: *
		--signal|nl-timeout: *
	EOF
	[ ! -e n ]
}

@test "Options of nl-timeout end at the first operand" {
	run -0 nl-timeout 10 printf '%s|' -k --help -p 5
	[ "$output" = "-k|--help|-p|5|" ]
	POSIXLY_CORRECT=1 run -0 nl-timeout 10 printf '%s|' -k --help -p 5
	[ "$output" = "-k|--help|-p|5|" ]
}

@test "A -- is taken behind the options and behind DURATION" {
	for line in '-- 10 echo ok' '10 -- echo ok' '-k 1 -- 10 -- echo ok'; do
		# shellcheck disable=SC2086
		run -0 nl-timeout $line
		[ "$output" = ok ]
	done
}

@test "Options may be bundled, joined with =, set apart, and shortened while unambiguous" {
	for o in -pvk0.2 '-pvk 0.2' '-p -v -k 0.2' '--pres --verb --kill-a 0.2' '--preserve-status --verbose --kill-after=0.2'; do
		# shellcheck disable=SC2086
		run --separate-stderr -137 nl-timeout $o 0.1 flaky n deaf
		[ "${#stderr_lines[@]}" = 2 ]
	done
}

@test "nl-timeout --help and --version print to stdout and exit with 0" {
	for o in -h --help -V --version; do
		run --separate-stderr -0 nl-timeout $o
		[ -z "$stderr" ]
		[[ $output == *nl-timeout* ]]
	done
	run -0 nl-timeout --version
	[[ $output =~ [0-9]+\.[0-9]+\.[0-9]+ ]]
	run -0 nl-timeout --help
	for o in --foreground --kill-after --preserve-status --signal --verbose --idle --kill --on-timeout --left --name --events; do
		[[ $output == *"$o"* ]]
	done
	[[ $output != *--complete* ]]
}

@test "nl-timeout --complete lists its options for shells" {
	run -0 nl-timeout --complete
	for o in foreground kill-after preserve-status signal verbose idle kill on-timeout name events help version; do
		grep -q -- "^--$o"$'[=\t]' <<<"$output"
	done
}

@test "--name is the policy in the events of nl-timeout" {
	run -0 nl-timeout --name my.policy-1 10 true
	run -0 nl-timeout 10 true
	[ "$(ev 'select(.event=="nl.request.success") | .policy')" = $'my.policy-1\ntrue' ]
}

@test "People read that nl-timeout stopped a command" {
	judged=$NL_EVENTS
	NL_EVENTS="human+$judged" run --separate-stderr -124 nl-timeout 0.2 sleep 60
	[[ $stderr =~ ^nl-timeout:\ sleep\ stopped\ after\ 0\.[0-9]+\ s\ \(TERM\)$ ]]
	NL_EVENTS="human+$judged" run --separate-stderr -124 nl-timeout -k 0.1 0.2 flaky n deaf
	[[ $stderr =~ ^nl-timeout:\ flaky\ stopped\ after\ 0\.[0-9]+\ s\ \(TERM,\ then\ KILL\)$ ]]
	NL_EVENTS="human+$judged" run --separate-stderr -0 nl-timeout 10 true
	[ -z "$stderr" ]
}

@test "Limits keep their length in a time namespace of another clock" {
	unshare -T true 2>/dev/null || skip "no time namespaces here"
	t=$(ms)
	run -124 unshare -T --monotonic 1000000 --boottime 2000000 nl-timeout 0.3 sleep 60
	t=$(($(ms) - t))
	between 300 "$t" 2500
}

@test "Waiting asks no clock that can be set" {
	NL_EVENTS=off run -124 strace -qq -o trace nl-timeout 0.2 sleep 60
	NL_EVENTS=off run -1 strace -qq -o trace2 nl-retry -n 2 -b constant:50ms -j none false
	[ -s trace ] && [ -s trace2 ]
	run grep -h CLOCK_REALTIME trace trace2
	[ -z "$output" ]
}
