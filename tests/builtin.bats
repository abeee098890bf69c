#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# nl-bash(1): the tools as builtins of bash.  What they have in common with the
# programs is shown by the programs' own tests, run once more; see the end.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154  # text for inner shells; each test is a subshell; set by run
bats_require_minimum_version 1.5.0
load helper
load victim

: "${NL_SO:=$NL_ROOT/build/pic/nl.so}"
export NL_SO

setup_file() {
	[[ -e $NL_SO ]] || skip 'no headers of bash: apt-get install bash-builtins; make guest'
	export BATS_TEST_TIMEOUT=300
}

# script [OPTION...] TEXT ARG...: bash with the builtins runs TEXT.
script() {
	bash -c 'enable -f "$NL_SO" nl-retry nl-timeout nl-breaker nl-bulkhead nl-race nl-fallback nl-run || exit 99
		'"$1" bash "${@:2}"
}

# begin TEXT ARG...: the same in the background; $pid.
begin() {
	start bash -c 'enable -f "$NL_SO" nl-retry nl-timeout nl-breaker nl-bulkhead nl-race nl-fallback nl-run || exit 99
		'"$1" bash "${@:2}"
}

ended() {
	st=0
	wait "$pid" || st=$?
}

@test "enable -f makes all seven tools builtins" {
	run -0 script 'type -t nl-retry nl-timeout nl-breaker nl-bulkhead nl-race nl-fallback nl-run | sort | uniq -c | xargs'
	[ "$output" = '7 builtin' ]
	run -0 script 'help nl-retry'
	[[ $output == *"nl-bash(1)"* ]]
}

@test "nl.so gives bash the builtins and no other name" {
	run -0 nm -D --defined-only "$NL_SO"
	[ "$(awk '{ print $3 }' <<<"$output" | xargs)" = 'nl-breaker_struct nl-bulkhead_struct nl-fallback_struct nl-race_struct nl-retry_struct nl-run_struct nl-timeout_struct' ]
}

@test "A builtin's status is that of the command, and 128 + n where a signal ended it" {
	run -0 script 'for n in 0 1 75 124 255; do nl-timeout 9 sh -c "exit $n"; echo $?; done; nl-timeout 9 sh -c "kill -KILL \$\$"; echo $?; echo alive'
	[ "$output" = $'0\n1\n75\n124\n255\n137\nalive' ]
}

@test "Layers are fused, in each combination of words" {
	run -0 script 'nl-retry -n2 -b constant:1ms nl-timeout 9 nl-fallback [ false ] [ sh -c "echo got \$NL_ATTEMPT; exit \$((2 - NL_ATTEMPT))" ]; echo $?
		nl-race [ sleep 9 ] [ echo fast ]; nl-run "retry(2, backoff=constant:1ms) | pass" echo run'
	[ "$output" = $'got 2\n0\nfast\nrun' ]
}

@test "set -e, pipelines, subshells, substitution, redirection and ! see a builtin as a command" {
	run -7 script 'set -e; nl-timeout 9 sh -c "exit 7"; echo not here'
	[ -z "$output" ]
	run -0 script 'echo in | nl-timeout 9 cat | nl-timeout 9 tr a-z A-Z; (nl-timeout 9 sh -c "exit 3"); echo $?; x=$(nl-timeout 9 echo sub); echo $x
		nl-timeout 9 echo file >f; cat f; nl-timeout 9 cat <f; ! nl-timeout 9 true; echo $?; nl-timeout 9 cat <(echo ps) <<<here - ; echo ${PIPESTATUS[0]}'
	[ "$output" = $'IN\n3\nsub\nfile\nfile\n1\nps\nhere\n0' ]
}

@test "The command gets what the shell exports, and assignments in front of the builtin" {
	run -0 script 'export A=1; B=2; local_() { local -x C=3; D=4 nl-timeout 9 sh -c "echo \$A-\$B-\$C-\$D"; }; local_; unset A; nl-timeout 9 sh -c "echo \$A-\$C-\$D"'
	[ "$output" = $'1--3-4\n--' ]
	run -0 script 'for ((i = 0; i < 300; i++)); do export "v$i=$i"; nl-timeout 9 printenv "v$i" >>out; done; wc -l <out'
	[ "$output" = 300 ]
}

@test "PATH is the shell's as it is now" {
	mkdir bin
	printf '#!/bin/sh\necho mine\n' >bin/zzz
	chmod +x bin/zzz
	run -0 script 'PATH=$PWD/bin:$PATH; nl-timeout 9 zzz; PATH=/none nl-timeout 9 zzz; echo $?'
	[ "${lines[0]}" = mine ]
	[ "${lines[-1]}" = 127 ]
}

@test "The command has the descriptors that it would have without, and none of the shell's own" {
	printf '%s\n' 'enable -f "$NL_SO" nl-timeout' 'exec 7</dev/null' 'ls /proc/self/fd | xargs >bare' \
		'nl-timeout 9 ls /proc/self/fd | xargs >ours; nl-timeout 9 ls /proc/self/fd >redirected' >s
	bash s
	diff bare ours
	[ "$(xargs <redirected)" = "$(<ours)" ]
}

@test "The command's signals are as without: trapped ones at default, ignored ones ignored" {
	for trap in ':' "trap '' USR1 HUP" 'trap : USR1 TERM INT CHLD EXIT'; do
		script "$trap; sigdump" | grep -v '^fd' >bare
		script "$trap; nl-timeout 9 sigdump" | grep -v '^fd' >ours
		diff bare ours
	done
}

@test "A loop leaves neither descriptors nor memory behind" {
	run -0 script 'export NL_EVENTS=$PWD/ev
		use() { nl-retry -n2 -O -b constant:1ms nl-breaker -f 9 b nl-bulkhead -m 9 k nl-timeout 9 sh -c "exit 0"; nl-run "retry(2) + timeout(9s)" true; nl-race [ true ] [ true ]; }
		fds() { ls /proc/$$/fd | wc -l; }; mem() { grep VmData /proc/$$/status | grep -o "[0-9]*"; }
		for i in {1..20}; do use; done; f=$(fds) m=$(mem)
		for i in {1..60}; do use; done; [ $(fds) = $f ] || echo fds $f $(fds); [ $(mem) -le $((m + 64)) ] || echo memory $m $(mem)'
	[ -z "$output" ]
}

@test "A usage error is 125, and nothing is run" {
	run -125 script 'nl-retry --nope touch x'
	[ "$output" = 'nl-retry: --nope: unknown option, did you mean --name?' ]
	run -125 script 'nl-retry nl-timeout soon touch x'
	[[ $output == "nl-timeout: DURATION: 'soon': "* ]]
	[ ! -e x ]
}

@test "A pipe on stdin is the shell's, and is not read ahead" {
	run -0 script 'printf "%s\n" a b c | while read -r x; do nl-retry -n3 -b constant:1ms sh -c "exit 1"; echo "$x $?"; done
		echo abc | nl-retry -n3 -b constant:1ms sh -c "cat; exit 4"; echo "${PIPESTATUS[1]}"
		echo abc | nl-retry -n2 -b constant:1ms --stdin=replay sh -c "cat; exit 5"; echo "${PIPESTATUS[1]}"' 2>/dev/null
	[ "$(grep -v '^{\|^nl-' <<<"$output")" = $'a 1\nb 1\nc 1\nabc\n4\nabc\nabc\n5' ]
}

@test "A function or builtin of the shell cannot be wrapped, and that is said" {
	run -127 script 'f() { echo f; }; nl-retry -n1 f'
	[[ ${lines[-1]} == "nl-retry: 'f' is the shell's own: only programs can be wrapped" ]]
	run -127 script 'nl-timeout 9 shopt'
	[[ ${lines[-1]} == "nl-timeout: 'shopt' is the shell's own"* ]]
	run -127 script 'nl-timeout 9 /no/such/command'
	[ "${#lines[@]}" = 1 ]
}

@test "In an interactive shell a builtin refuses, and the program is left" {
	run bash --norc -i -c 'enable -f "$NL_SO" nl-timeout; nl-timeout 9 echo ran; echo $?; enable -n nl-timeout; nl-timeout 9 echo program' 2>&1
	[[ $output == *"the builtin is for scripts"*125*program* ]]
	[[ $output != *ran$'\n'* ]]
}

@test "NL_FUSE=0 runs what is inside as processes" {
	run -0 script 'export NL_FUSE=0; nl-timeout 9 nl-retry -n1 sh -c "cat /proc/\$PPID/comm"; export NL_FUSE=1; nl-timeout 9 nl-retry -n1 sh -c "cat /proc/\$PPID/comm"'
	[ "$output" = $'nl-retry\nbash' ]
}

@test "A limit ends what the command has started, and no job of the shell" {
	m=$(victim) job=$(victim)
	run -0 script 'sleep '"$job"' & job=$!; (sleep '"$job"' & wait) & nl-timeout 0.3 sh -c "setsid sleep '"$m"' & (setsid sleep '"$m"' &) & sleep '"$m"'"; echo $?
		[ "$(pgrep -cfx "sleep '"$job"'")" = 2 ] && echo both; jobs -r | wc -l; kill %1 %2; wait $job; echo $?; pkill -fx "sleep '"$job"'"'
	[ "$output" = $'124\nboth\n2\n143' ]
	gone "$m"
}

@test "A daemon that a job leaves meanwhile is not killed" {
	m=$(victim) d=$(victim)
	script '{ until [ -e go ]; do sleep 0.01; done; setsid sleep '"$d"' & } >/dev/null 2>&1 &
		nl-timeout 1 sh -c "touch go; setsid sleep '"$m"' & sleep '"$m"'"; echo $?' >out 3>&-
	[ "$(<out)" = 124 ]
	gone "$m"
	wait_for 5 pkill -KILL -fx "sleep $d"
}

@test "Jobs that end meanwhile keep their statuses for wait, wait -n, \$! and jobs" {
	run -0 script 'for i in 1 2 3; do sh -c "exit $i" & p[i]=$!; done; (sleep 0.3; exit 9) & nl-timeout 9 sleep 0.1; nl-retry -n2 -b constant:1ms false
		for i in 3 1 2; do wait ${p[i]}; echo $?; done; wait $!; echo $?; wait -n; echo $?'
	[ "$output" = $'3\n1\n2\n9\n127' ]
	run -0 script 'sh -c "exit 4" & nl-timeout 9 sleep 0.2; wait -n; echo $?; nl-timeout 9 true; wait; echo $?; jobs'
	[ "$output" = $'4\n0' ]
}

@test "A trap of CHLD runs for a job that ends meanwhile" {
	run -0 script 'trap "echo chld" CHLD; sh -c "exit 4" & nl-timeout 9 sleep 0.3; trap - CHLD; wait $!; echo $?'
	[ "$output" = $'chld\n4' ]
}

@test "A coprocess and what it says survive" {
	run -0 script 'coproc cat; nl-timeout 0.2 sleep 9; echo hello >&${COPROC[1]}; read -r x <&${COPROC[0]}; echo $x; kill $COPROC_PID'
	[ "$output" = hello ]
}

@test "TERM to the shell reaches the command, then its trap runs, or it dies" {
	begin 'trap "echo trapped" TERM; nl-retry -n9 sh -c "trap \"echo told; exit 3\" TERM; touch up; while :; do sleep 0.01; done"; echo $?' >out 2>/dev/null
	wait_for 15 test -e up
	kill -TERM "$pid"
	ended
	[ "$st" = 0 ]
	[ "$(<out)" = $'told\ntrapped\n143' ]
	rm up
	m=$(victim)
	begin "nl-retry -n9 sh -c 'touch up; sleep $m; :'; echo not here" >out 2>/dev/null
	wait_for 15 test -e up
	kill -TERM "$pid"
	ended
	[ "$st" = 143 ]
	[ ! -s out ]
	gone "$m"
}

@test "A trap of EXIT runs when TERM ends the shell" {
	m=$(victim)
	begin "trap 'echo bye' EXIT; nl-retry -n9 sh -c 'touch up; sleep $m; :'; echo not here" >out 2>/dev/null
	wait_for 15 test -e up
	kill -TERM "$pid"
	ended
	[ "$(<out)" = bye ]
	gone "$m"
}

@test "INT is the shell's if it has a trap, or its command has died of it" {
	for wrap in '' 'nl-timeout 30'; do
		for how in 'exit 3' 'trap - INT; kill -INT $$'; do
			for trap in ':' 'trap "echo int" INT'; do
				rm -f up
				begin "$trap; $wrap sh -c 'trap \"$how\" INT; touch up; while :; do sleep 0.01; done'; echo after \$?" >>out.${wrap:+ours} 2>/dev/null
				wait_for 15 test -e up
				kill -INT "$pid"
				pkill -INT -P "$pid" || :       # As from a terminal; ours has told it.
				ended
				echo "$how $trap $st" >>out.${wrap:+ours}
			done
		done
	done
	diff out. out.ours
}

@test "A signal with a trap that stops no tool is the shell's when the builtin is done" {
	begin 'trap "echo usr1" USR1; nl-timeout 9 sh -c "touch up; sleep 0.3; exit 3"; echo $?' >out
	wait_for 15 test -e up
	kill -USR1 "$pid"
	ended
	[ "$(<out)" = $'usr1\n3' ]
}

@test "The shell's mask, dispositions and subreaper attribute are as before" {
	run -0 script 'trap : USR1; trap "" USR2; show() { grep -E "^Sig(Blk|Ign|Cgt)|^Shd" /proc/$$/status; }; show >a
		nl-timeout 0.1 sleep 9; nl-retry -n2 -b constant:1ms false; nl-race [ sleep 9 ] [ true ]; nl-bulkhead k nl-bulkhead -w 100ms k true; show >b; diff a b'
}

@test "When the shell is killed, so is the command" {
	m=$(victim)
	begin "nl-timeout 99 sh -c 'touch up; exec sleep $m'"
	wait_for 15 test -e up
	kill -KILL "$pid"
	wait_for 10 gone "$m"
}

@test "A builtin in a job in the background is stopped as that job" {
	m=$(victim)
	run -0 script 'nl-retry -n9 sh -c "touch up; sleep '"$m"'; :" & until [ -e up ]; do sleep 0.01; done; kill $!; wait $!; echo $?'
	[ "$output" = 143 ]
	gone "$m"
}

@test "A bulkhead waits for its slot in the shell itself" {
	begin 'nl-bulkhead k sh -c "touch up; until [ -e go ]; do sleep 0.01; done"'
	wait_for 15 test -e up
	run -75 script 'nl-bulkhead -w 100ms k true'
	touch go
	run -0 script 'nl-bulkhead -w 30s k echo in'
	[ "$output" = in ]
	ended
}

@test "Random stacks end alike, print alike and tell alike as programs and as builtins" {
	local how seed=${NL_SEED:-$RANDOM} pids=()

	echo "NL_SEED=$seed"
	awk -v seed="$seed" -v count=40 -f "$NL_ROOT/tests/aid/stacks.awk" >lines
	[ "$(wc -l <lines)" = 40 ]
	echo "some input" >input
	for how in program builtin; do
		cat >$how.sh <<-END
			[ $how = program ] || enable -f "\$NL_SO" nl-retry nl-timeout nl-breaker nl-bulkhead nl-race nl-fallback nl-run
			while IFS= read -r line; do
				mkdir -p $how/\$((++n))/st && chmod 700 $how/\$n/st && cd $how/\$n || exit
				export NL_EVENTS=\$PWD/ev NL_STATE=\$PWD/st
				eval "\$line" <../../input 2>/dev/null
				echo "\$line: \$?"
				cd ../..
			done <lines
		END
		bash $how.sh >$how.out 2>/dev/null 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	for how in program builtin; do
		for n in {1..40}; do
			echo "line $n"
			[[ ! -e $how/$n/ev ]] || nl_layers "$how/$n/ev"
		done >$how.layers
	done
	[ "$(grep -c : program.out)" -ge 40 ]
	diff program.out builtin.out
	diff program.layers builtin.layers
}
