#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The specification of composition: each line here runs twice, with all layers
# in one process and as a chain of processes (NL_FUSE=0), and must end alike:
# status or death, stdout, how often the command ran, and what the events say
# of each layer.  A line is the end that is wanted, the number of runs of flaky
# that is wanted ("-": whatever, but the same), and the command line.
# shellcheck disable=SC2016  # text for inner shells
bats_require_minimum_version 1.5.0
load helper

# composed [SIG:FILE]: all lines of stdin, some at once; see aid/both.sh.
composed() {
	local want calls line k=0 bad=0

	while read -r want calls line; do
		k=$((k + 1))
		printf '%s\0' "$want" "$calls" "$PWD/$k" "$line"
	done >lines
	SIGNAL=${1:+-s $1} BOTH=$NL_ROOT/tests/aid/both.sh xargs -0 -n 4 -P 6 sh -c '"$BOTH" $SIGNAL -w "$1" -n "$2" "$3" "$4"' sh <lines || bad=1
	[[ -z ${NL_EVENTS_LOG-} ]] || find . -path '*/[01]/ev' -size +0 -exec cat {} + >"$NL_EVENTS_LOG/$BATS_TEST_NUMBER.both.ndjson"
	return $bad
}

# random SEED COUNT: so many lines of aid/stacks.awk.  A line that ends
# differently has two more tries alone: the machine may have been busy.
random() {
	local seed=${NL_SEED:-$1} try

	echo "NL_SEED=$seed"
	awk -v seed="$seed" -v count="$2" -f "$NL_ROOT/tests/aid/stacks.awk" | sed 's/^/- - /' >todo
	[ "$(wc -l <todo)" = "$2" ]
	for try in 1 2 3; do
		mkdir "$try"
		(cd "$try" && composed <../todo) >"said.$try" && break
		sed -n 's/^line: /- - /p' "said.$try" >todo
	done
	cat "said.$try"
	# All of them have run, twice.
	[ "$(find 1 -name how -size +0 | wc -l)" = $((2 * $2)) ]
	[ "$(cat 1/*/[01]/ev | grep -c '"nl\.request\.')" -ge $((2 * $2)) ]
	[ ! -s "said.$try" ]
}

@test "Any stack hands on the status of its command" {
	composed <<-'EOF'
		0 1 nl-timeout 20 nl-retry flaky n 0
		0 1 nl-retry nl-timeout 20 flaky n 0
		7 1 nl-timeout 20 nl-timeout 30 nl-timeout inf flaky n 7
		7 4 nl-retry -n 2 -b constant:1ms nl-retry -n 2 -b constant:1ms flaky n 7
		0 3 nl-retry -n 5 -b constant:1ms nl-timeout 20 flaky n 7 8 0
		KILL 1 nl-timeout 20 nl-timeout 20 flaky n KILL
		TERM 2 nl-retry -n 2 -b constant:1ms nl-timeout 20 flaky n TERM
		PIPE 1 nl-timeout 20 nl-retry -n 3 flaky n PIPE
		255 1 nl-timeout 20 nl-retry -n 1 nl-timeout 20 flaky n 255
		0 1 nl-timeout 20 -- nl-retry -n 2 -- nl-timeout 30 -- flaky n 0
	EOF
}

@test "Any stack hands on 75, 124 to 127 and what they mean" {
	composed <<-'EOF'
		75 1 nl-retry -b constant:1ms nl-timeout 20 flaky n 75 0
		124 3 nl-retry -b constant:1ms nl-timeout 20 flaky n 124
		125 1 nl-retry -b constant:1ms nl-timeout 20 flaky n 125 0
		126 1 nl-timeout 20 nl-retry -b constant:1ms flaky n 126 0
		127 1 nl-retry -b constant:1ms nl-retry -b constant:1ms flaky n 127 0
		127 0 nl-retry -b constant:1ms nl-timeout 20 /no/such/command
		126 0 nl-retry -b constant:1ms nl-timeout 20 /
		127 0 nl-timeout 20 nl-retry no-such-command-anywhere
		127 0 nl-retry -n 2 -b constant:1ms --on 127 nl-timeout 20 nl-retry /no/such/command
	EOF
}

@test "Of two limits the one that passes first counts, wherever it stands" {
	composed <<-'EOF'
		124 0 nl-timeout 0.4 nl-timeout 20 sleep 60
		124 0 nl-timeout 20 nl-timeout 0.4 sleep 60
		TERM 0 nl-timeout 20 nl-timeout -p 0.4 sleep 60
		124 0 nl-timeout 0.4 nl-timeout -p 20 sleep 60
		TERM 0 nl-timeout -p 0.4 nl-timeout 20 sleep 60
		124 0 nl-timeout -p 20 nl-timeout 0.4 sleep 60
		USR1 0 nl-timeout -p -s USR1 0.4 nl-timeout 20 sleep 60
		9 1 nl-timeout -p 1 nl-timeout 20 flaky n say
		124 0 nl-timeout inf nl-timeout 0 nl-timeout 0.4 sleep 60
	EOF
}

@test "The signal that stops the command is the one of the limit that passed" {
	composed <<-'EOF'
		124 1 nl-timeout -s USR1 1 nl-timeout -s INT 20 flaky n say
		124 1 nl-timeout -s INT 20 nl-timeout -s USR1 1 flaky n say
		124 1 nl-timeout -s USR1 1 nl-retry -n 3 flaky n say
		124 2 nl-retry -s INT -n 2 -b constant:1ms nl-timeout -s USR1 1 flaky n say
		124 1 nl-retry -s USR1 -n 1 -t 1 nl-timeout -s INT 20 flaky n say
		124 - nl-timeout -s KILL 1 nl-timeout 20 flaky n deaf
		124 1 nl-timeout -s RTMIN+3 1 nl-timeout 20 flaky n say
	EOF
}

@test "The earliest --kill-after of all layers counts" {
	composed <<-'EOF'
		124 1 nl-timeout -k 0.2 1 nl-timeout -k 20 20 flaky n deaf
		124 1 nl-timeout -k 20 1 nl-timeout -k 0.2 20 flaky n deaf
		124 1 nl-timeout -k 20 20 nl-timeout -k 0.2 1 flaky n deaf
		124 1 nl-timeout -k 0.2 20 nl-timeout -k 8 1 flaky n deaf
		124 1 nl-timeout -k inf 1 nl-retry -k 0.2 nl-timeout -k 0 20 flaky n deaf
		124 2 nl-retry -k 0.2 -n 2 -b constant:1ms -t 1 nl-timeout -k inf 20 flaky n deaf
		KILL 1 nl-timeout -p -k 0.2 1 nl-timeout 20 flaky n deaf
	EOF
}

@test "A limit that passes while an inner one is stopping the command sends nothing more" {
	composed <<-'EOF'
		124 1 nl-timeout 1.5 nl-timeout -k 1 1 flaky n deaf
		124 1 nl-timeout -s INT 1.5 nl-timeout -k 1 -s USR1 1 sh -c 'trap "echo INT" INT; trap "echo USR1" USR1; flaky n deaf; flaky n deaf; flaky n deaf'
	EOF
}

@test "A limit inside a retry is retried, one around it ends it" {
	composed <<-'EOF'
		124 0 nl-retry -b constant:1ms nl-timeout 0.3 sleep 60
		0 2 nl-retry -b constant:1ms nl-timeout 1 flaky n hang 0
		124 0 nl-timeout 2 nl-retry -n 9 -b constant:1ms nl-timeout 1.2 sleep 60
		124 0 nl-timeout 0.4 nl-retry -n 9 -b constant:1ms sleep 60
		124 0 nl-retry -n 3 -b constant:1ms --except timeout nl-timeout 0.4 sleep 60
		0 2 nl-retry -n 3 -b constant:1ms --on timeout nl-timeout 1 flaky n hang 0
		TERM 0 nl-retry -n 2 -b constant:1ms nl-timeout -p 0.4 sleep 60
	EOF
}

@test "--per-attempt and --total of a retry work around other layers" {
	composed <<-'EOF'
		124 0 nl-retry -n 2 -b constant:1ms -t 0.4 nl-timeout 20 sleep 60
		0 2 nl-retry -n 3 -b constant:1ms -t 1.2 nl-timeout 20 nl-retry -n 1 flaky n hang 0
		124 0 nl-retry -n 2 -b constant:1ms -t 20 nl-timeout 0.4 sleep 60
		124 0 nl-retry -n 5 -T 0.5 -b constant:1ms nl-timeout 20 sleep 60
		124 0 nl-retry -n 5 -T 2 -b constant:1ms nl-timeout 1.2 sleep 60
		3 1 nl-retry -n 5 -T 3 -b constant:10s -j none nl-timeout 20 flaky n 3
		3 1 nl-timeout 3 nl-retry -n 5 -b constant:10s -j none flaky n 3
		3 1 nl-retry -t 3 -n 1 nl-retry -n 5 -b constant:10s -j none flaky n 3
	EOF
}

@test "A retry of retries counts and waits anew each time, also with a --seed" {
	composed <<-'EOF'
		0 6 nl-retry -n 2 -b constant:1ms nl-retry -n 3 -b constant:1ms flaky n 1 1 1 1 1 0
		9 8 nl-retry -n 2 -b constant:1ms nl-retry -n 2 -b constant:1ms nl-retry -n 2 -b constant:1ms flaky n 9
		1 6 nl-retry --seed 3 -n 2 -b exp:1ms..8ms nl-retry --seed 3 -n 3 -b exp:1ms..8ms flaky n 1
		1 6 nl-retry --seed 3 -n 2 -b exp:1ms nl-retry -j decorrelated --seed 4 -n 3 -b exp:1ms..8ms sh -c 'echo "$NL_ATTEMPT/$NL_MAX_ATTEMPTS ${NL_PREV_STATUS-none}"; exec flaky n 1'
		0 3 nl-retry -n 2 -b constant:1ms nl-retry -n 2 -b constant:1ms --on 5 flaky n 5 6 0
	EOF
	for m in 0 1; do
		[ "$(jq -r 'select(.event=="nl.retry.attempt" and .depth==1) | .delay_s' 3/$m/ev | xargs -n 2 | uniq | wc -l)" = 1 ]
	done
	[ "$(jq -r 'select(.event=="nl.retry.attempt") | "\(.depth) \(.delay_s)"' 3/0/ev)" = "$(jq -r 'select(.event=="nl.retry.attempt") | "\(.depth) \(.delay_s)"' 3/1/ev)" ]
}

@test "SETs of an outer layer see what an inner layer made of it" {
	composed <<-'EOF'
		124 0 nl-retry -n 3 -b constant:1ms --on 1 nl-timeout 0.4 sleep 60
		0 2 nl-retry -n 3 -b constant:1ms --on signal nl-timeout -p 1 flaky n hang 0
		1 3 nl-retry -n 3 -b constant:1ms nl-retry --ok 0,1 flaky n 1
		1 3 nl-retry -n 3 -b constant:1ms nl-retry --except 1 flaky n 1
		0 2 nl-retry -n 3 -b constant:1ms --on any nl-retry flaky n 75 0
		0 2 nl-retry -n 3 -b constant:1ms --on rejected nl-timeout 20 flaky n 75 0
		137 1 nl-retry -n 3 -b constant:1ms --on KILL nl-timeout 20 flaky n 137 0
		0 2 nl-retry -n 3 -b constant:1ms --on KILL nl-timeout 20 flaky n KILL 0
	EOF
}

@test "A usage error of an inner layer runs nothing and is never retried" {
	composed <<-'EOF'
		125 0 nl-retry -n 3 -b constant:1ms nl-timeout --bogus 20 flaky n 0
		125 0 nl-retry -n 3 -b constant:1ms nl-timeout nan flaky n 0
		125 0 nl-retry -n 3 -b constant:1ms --on any nl-timeout -k x 20 flaky n 0
		125 0 nl-timeout 20 nl-retry -n 0 flaky n 0
		125 0 nl-timeout 0.5 nl-retry -n 3 nl-timeout 20
		125 0 nl-retry --on-retry 'touch n' nl-retry
		125 0 nl-retry -n 2 nl-timeout 20 nl-retry --on 256 flaky n 0
		125 0 nl-timeout --on-timeout 'echo >n' 20 nl-retry --events bogus flaky n 0
	EOF
	for k in 1 2 3 4 5 6 7 8; do
		[ "$(wc -l <$k/1/err)" = 1 ]
		cmp $k/1/err $k/0/err
		[ ! -s $k/1/ev ]
	done
	[ "$(cat 1/1/err)" = "nl-timeout: --bogus: unknown option (try --help)" ]
}

@test "--help, --version, --complete and --left of an inner layer print and run nothing" {
	composed <<-'EOF'
		0 0 nl-retry -n 3 nl-timeout --help
		0 0 nl-timeout 20 nl-retry -h
		0 0 nl-timeout 20 nl-retry --version
		0 0 nl-retry nl-timeout -V
		0 0 nl-retry nl-timeout --complete
		0 0 nl-retry nl-timeout --left
		0 0 nl-timeout inf nl-retry --dry-run -n 3 -j none flaky n 1
	EOF
	[[ $(cat 1/1/out) == *nl-timeout* ]]
	[ "$(cat 6/1/out)" = inf ]
	[ "$(cut -f 1 7/1/out | xargs)" = "1 2 3" ]
}

@test "A stop signal during a sleep ends every layer by it, at once" {
	composed TERM:h <<-'EOF'
		TERM 1 nl-retry --on-retry 'echo >h' -b constant:30s -j none flaky n 1
		TERM 1 nl-timeout 30 nl-retry --on-retry 'echo >h' -b constant:20s -j none flaky n 1
		TERM 1 nl-retry -n 3 nl-timeout 30 nl-retry --on-retry 'echo >h' -b constant:20s -j none flaky n 1
		TERM 1 nl-retry --on-retry 'echo >h' -b constant:30s -j none nl-timeout 30 flaky n 1
		TERM 1 nl-retry -n 3 nl-retry -n 3 --on-retry 'echo >h' -b constant:30s -j none flaky n 1
	EOF
}

@test "A stop signal during an attempt forbids further ones in every layer" {
	composed INT:out <<-'EOF'
		INT 1 nl-retry -n 3 nl-timeout 30 flaky n hang
		INT 1 nl-timeout 30 nl-retry -n 3 flaky n say
		INT 1 nl-retry -n 3 -b constant:1ms nl-retry -n 3 -b constant:1ms flaky n say
		9 1 nl-timeout 30 nl-retry -n 1 flaky n say
		9 1 nl-timeout 30 nl-timeout 30 flaky n say
		INT 1 nl-timeout 30 nl-timeout 30 flaky n hang
		INT 1 nl-retry -n 3 nl-retry -n 1 flaky n say
	EOF
}

@test "A signal that stops nothing reaches the command through every layer and forbids nothing" {
	composed USR1:out <<-'EOF'
		0 2 nl-retry -n 3 -b constant:1ms nl-timeout 30 flaky n hang 0
		0 2 nl-timeout 30 nl-retry -n 3 -b constant:1ms nl-retry -n 1 flaky n hang 0
		9 1 nl-timeout 30 nl-timeout 30 flaky n say
		0 2 nl-bulkhead x nl-retry -n 3 -b constant:1ms nl-bulkhead y flaky n hang 0
	EOF
}

@test "A command gets one TERM, however many layers pass it on" {
	composed TERM:log <<-'EOF'
		3 - nl-timeout 30 nl-retry -n 1 nl-timeout 30 sigcount -t 1500 -x 3 log
		5 - nl-timeout 30 nl-timeout 30 nl-timeout 30 sh -c 'trap : TERM; sigcount -t 1500 log; exit 5'
		4 - nl-retry -n 1 nl-retry -n 1 sigcount -t 1500 -x 4 log
	EOF
	for k in 1 2 3; do
		for m in 0 1; do
			[ "$(grep -c '^TERM' $k/$m/log)" = 1 ]
		done
	done
}

@test "A command gets one TERM from a limit, however many layers there are" {
	composed <<-'EOF'
		124 - nl-timeout 1 nl-retry -n 3 nl-timeout 30 sigcount -t 1500 log
		124 - nl-retry -n 1 -t 1 nl-timeout 30 nl-timeout 30 sigcount -t 1500 log
		124 - nl-timeout 30 nl-timeout 1 nl-timeout 30 sigcount -t 1500 log
	EOF
	for k in 1 2 3; do
		for m in 0 1; do
			[ "$(grep -c '^TERM' $k/$m/log)" = 1 ]
		done
	done
}

@test "What an attempt leaves running is left alone by the next one" {
	composed <<-'EOF'
		0 2 nl-retry -n 2 -b constant:1ms nl-timeout 20 sh -c 'flaky -q n 1 0; s=$?; if test $s = 1; then sleep 60 >&- 2>&- 3>&- & echo $! >pid; else kill -0 $(cat pid) && echo alive; kill -9 $(cat pid); fi; exit $s'
		0 2 sh -c 'nl-retry -n 2 -b constant:1ms nl-timeout 1.5 sh -c "flaky -q n 1 say || { test \$? = 9 && exit 9; setsid sleep 60 >&- 2>&- 3>&- & echo \$! >pid; exit 1; }"; echo $?; kill -0 $(cat pid) && echo alive; kill -9 $(cat pid)'
	EOF
	[ "$(cat 1/1/out)" = alive ]
	[ "$(tail -n 2 2/1/out)" = $'124\nalive' ]
}

@test "--idle honours and cuts the sleeps and attempts of a retry inside" {
	composed <<-'EOF'
		124 1 nl-timeout -i 1 30 nl-retry -b constant:20s -j none flaky n 1
		0 3 nl-timeout -i 2 30 nl-retry -n 5 -b constant:20ms flaky n 1 1 0
		124 0 nl-timeout -i 0.5 30 nl-retry -n 5 sleep 60
		0 2 nl-retry -n 2 -b constant:1ms nl-timeout -i 1 30 flaky n hang 0
		124 0 nl-retry -n 2 -b constant:1ms nl-timeout 30 nl-timeout -i 0.5 30 sleep 60
		5 - nl-timeout -i 1 30 nl-timeout -i 2 30 writer -a -n 5 -i 300 -x 5
	EOF
}

@test "--hold and --quiet inside each other deliver once, and only a success" {
	composed <<-'EOF'
		0 3 nl-retry -O -n 3 -b constant:1ms nl-timeout 20 flaky n 1 1 0
		0 4 nl-retry -O -n 2 -b constant:1ms nl-retry -O -n 2 -b constant:1ms flaky n 1 1 1 0
		1 4 nl-retry -O -n 2 -b constant:1ms nl-retry -O -n 2 -b constant:1ms flaky n 1
		0 2 nl-retry -O -n 2 -b constant:1ms nl-retry -n 1 flaky n 1 0
		0 3 nl-retry -n 2 -b constant:1ms nl-retry -O -n 2 -b constant:1ms flaky n 1 1 0
		0 2 nl-retry -q -n 2 -b constant:1ms nl-timeout 20 flaky n 1 0
		1 2 nl-retry -q -n 2 -b constant:1ms nl-timeout 20 flaky n 1
		1 4 nl-retry -O -n 2 -b constant:1ms nl-retry -q -n 2 -b constant:1ms flaky n 1
		1 4 nl-retry -q -n 2 -b constant:1ms nl-retry -O -n 2 -b constant:1ms flaky n 1
		124 - nl-timeout 0.6 nl-retry -O sh -c "echo lost; sleep 60"
		124 1 nl-timeout 20 nl-retry -q -n 1 -t 1 flaky n hang
	EOF
	[ "$(cat 1/1/out)" = "call 3" ]
	[ "$(cat 2/1/out)" = "call 4" ]
	[ ! -s 3/1/out ]
}

@test "Stdin reaches each attempt through any stack, from a file and from a pipe" {
	composed <<-'EOF'
		0 2 nl-retry -b constant:1ms nl-timeout 20 flaky n cat1 cat0
		0 2 nl-timeout 20 nl-retry -b constant:1ms flaky n cat1 cat0
		0 4 nl-retry -n 2 -b constant:1ms nl-retry -n 2 -b constant:1ms flaky n cat1 eat1 cat1 cat0
		0 2 |nl-retry -b constant:1ms nl-timeout 20 flaky n cat1 cat0
		0 2 |nl-timeout 20 nl-retry -b constant:1ms flaky n cat1 cat0
		0 4 |nl-retry -n 2 -b constant:1ms nl-retry -n 2 -b constant:1ms flaky n cat1 eat1 cat1 cat0
		0 4 |nl-retry -n 2 -b constant:1ms nl-timeout 20 nl-retry -n 2 -b constant:1ms nl-timeout 20 flaky n eat1 cat1 cat1 cat0
		0 2 |nl-retry --stdin null -b constant:1ms nl-retry -n 1 flaky n cat1 cat0
		0 2 |nl-retry --stdin replay -b constant:1ms nl-timeout -i 10 20 flaky n cat1 cat0
		0 2 |nl-retry -n 2 -b constant:1ms nl-retry -n 1 --stdin null flaky n cat1 cat0
		7 2 |nl-timeout 20 nl-retry --stdin inherit -n 2 -b constant:1ms flaky n cat7
	EOF
	[ "$(cat 1/1/out)" = $'call 1\none\ntwo\nthree\ncall 2\none\ntwo\nthree' ]
	cmp 1/1/out 5/1/out
}

@test "--retry-if and --retry-after work around and inside other layers" {
	composed <<-'EOF'
		0 2 nl-retry -b constant:1ms --retry-if 'call 1' nl-timeout 20 flaky n 1 0
		1 1 nl-retry -b constant:1ms --retry-if 'call 2' nl-timeout 20 flaky n 1 0
		0 2 nl-timeout -i 10 20 nl-retry -b constant:1ms --retry-if 'call 1' flaky n 1 0
		0 2 nl-retry -b constant:1ms -O --retry-if 'call 1' nl-timeout 20 flaky n 1 0
		0 2 nl-retry -b constant:1ms -j none --retry-after hint nl-timeout 20 sh -c 'echo 0.1 >hint; exec flaky n 1 0'
		0 2 nl-retry -n 2 -b constant:1ms nl-retry -n 1 --retry-if x flaky n 1 0
	EOF
}

@test "Hooks run in every layer, and change no status" {
	composed <<-'EOF'
		3 4 nl-retry -n 2 -b constant:1ms --on-retry 'echo outer $NL_ATTEMPT >>h' --on-giveup 'echo giveup >>h' nl-retry -n 2 -b constant:1ms --on-retry 'echo inner $NL_ATTEMPT >>h' sh -c 'flaky -q n 3; s=$?; cat h 2>&1; exit $s'
		124 0 nl-retry -n 2 -b constant:1ms nl-timeout --on-timeout 'echo hook >>h; exit 1' 0.4 sleep 60
		124 0 nl-timeout --on-timeout 'echo outer >>h' 0.4 nl-timeout --on-timeout 'echo inner >>h' 20 sleep 60
		124 0 nl-timeout --on-timeout 'echo outer >>h' 20 nl-timeout --on-timeout 'echo inner >>h' 0.4 sleep 60
	EOF
	for k in 1 2 3 4; do
		cmp $k/1/h $k/0/h
	done
	[ "$(cat 2/1/h)" = $'hook\nhook' ]
	[ "$(cat 3/1/h)" = outer ]
	[ "$(cat 4/1/h)" = inner ]
}

@test "--name, --events and NL_DEADLINE mean the same in any layer" {
	composed <<-'EOF'
		1 2 nl-retry --name outer -n 2 -b constant:1ms nl-timeout --name inner 20 flaky n 1
		1 2 nl-retry -n 2 -b constant:1ms nl-timeout --events off 20 flaky n 1
		1 2 nl-retry --events off -n 2 -b constant:1ms nl-timeout 20 flaky n 1
		1 2 nl-retry --events ./mine -n 2 -b constant:1ms nl-timeout 20 flaky n 1
		0 - nl-timeout 50 nl-retry -T 40 nl-timeout 30 sh -c 'nl-timeout --left | sed "s/^2[0-9]\..*/twenty/"'
		0 - nl-timeout 30 nl-retry -T 40 nl-timeout 50 sh -c 'nl-timeout --left | sed "s/^2[0-9]\..*/twenty/"'
	EOF
	[ "$(cat 5/1/out)" = twenty ]
	[ "$(cat 6/1/out)" = twenty ]
	[ ! -s 3/1/ev ]
	for m in 0 1; do
		sed -n '/nl\.run/d; s/.*"event":"\([^"]*\)".*"kind":"\([^"]*\)".*/\1 \2/p' 4/$m/mine | sort >4.$m
	done
	cmp 4.0 4.1
	[ -s 4.1 ]
}

@test "A breaker counts and rejects in any stack" {
	composed <<-'EOF'
		75 2 nl-retry -n 5 -b constant:1ms nl-breaker -f 2 -o 1h db flaky n 1
		1 5 nl-retry -n 5 -b constant:1ms nl-breaker -f 9 db flaky n 1
		0 3 nl-breaker -f 1 db nl-retry -n 5 -b constant:1ms nl-breaker -f 9 in flaky n 1 1 0
		75 3 nl-retry -n 5 --on any -b constant:1ms nl-breaker -f 3 -o 1h db flaky n 1
		0 3 nl-retry -n 5 --on any -b constant:1ms nl-breaker -f 1 -o 1us db flaky n 1 1 0
		75 0 nl-retry -n 3 -b constant:1ms nl-breaker -f 2 -o 1h db nl-timeout 0.3 sleep 60
		127 0 nl-retry -n 3 --on 127 -b constant:1ms nl-breaker -f 1 db /no/such/command
		75 2 nl-retry -n 4 --on any -b constant:1ms nl-breaker -f 9 out nl-breaker -f 2 -o 1h in flaky n 1
		33 2 nl-retry -n 4 -b constant:1ms nl-breaker -E 33 -f 2 -o 1h db flaky n 1
		0 2 nl-retry -n 4 -b constant:1ms nl-breaker -E 0 -f 2 -o 1h db flaky n 1
		KILL 1 nl-timeout 20 nl-breaker db flaky n KILL
		0 2 nl-retry -n 2 --on any -b constant:1ms nl-breaker -w 20 -f 1 -o 300ms db flaky n 1 0
		124 1 nl-timeout 1.5 nl-retry -n 2 --on any -b constant:1ms nl-breaker -w 1h -f 1 -o 1h db flaky n 1
		0 2 |nl-retry -O -n 2 -b constant:1ms nl-breaker db nl-timeout 20 flaky n cat1 cat0
		0 2 nl-retry -n 2 -b constant:1ms nl-breaker --on 7 -r 50 --window 10 --min-calls 3 db flaky n 1 0
		0 2 nl-retry -n 2 -b constant:1ms nl-breaker -f 1 -o 1us --on-change 'echo $NL_FROM $NL_TO $NL_WHY >>h' db sh -c 'flaky -q n 1 0; s=$?; cat h 2>&1; exit $s'
		0 2 nl-retry -n 2 -b constant:1ms nl-breaker --state /dev/null db flaky n 1 0
		125 0 nl-retry -n 2 -b constant:1ms nl-breaker --state /dev/null --on-state-error fail db flaky n 0
		125 0 nl-retry -n 2 nl-breaker --name x db flaky n 0
		125 0 nl-timeout 20 nl-breaker a/b flaky n 0
		0 0 nl-timeout 20 nl-breaker --help
	EOF
	[ "$(cat 1/1/breakers)" = "$(cat 1/0/breakers)" ]
	[[ $(cat 1/1/breakers) == db* ]]
}

@test "A limit is a failure to a breaker inside and around it" {
	composed <<-'EOF'
		124 0 nl-timeout 0.5 nl-breaker -f 1 -o 1h db sleep 60
		124 0 nl-timeout 0.5 nl-breaker -f 1 -o 1h db nl-retry -n 3 nl-breaker -f 1 -o 1h in sleep 60
		124 0 nl-breaker -f 1 -o 1h db nl-timeout 0.5 nl-breaker -f 1 -o 1h in sleep 60
		124 0 nl-timeout -s USR1 0.5 nl-breaker -f 1 -o 1h db nl-timeout 20 sleep 60
		124 0 nl-timeout 20 nl-breaker -f 1 -o 1h db nl-timeout -i 0.5 20 sleep 60
		124 0 nl-retry -n 2 --on any -b constant:1ms -t 0.5 nl-breaker -f 2 -o 1h --except any db sleep 60
		9 1 nl-timeout -p 1 nl-breaker -f 1 -o 1h --ok 9 db flaky n say
		9 1 nl-timeout -p -s USR1 1 nl-breaker -f 1 -o 1h --ok 9 db flaky n say
	EOF
	for k in 1 2 3 4 5 6 7 8; do
		for m in 0 1; do
			run ! grep -v ' 1 1 ' $k/$m/breakers # All are open, once.
		done
	done
}

@test "To be told to stop is nothing to a breaker" {
	composed TERM:out <<-'EOF'
		TERM 1 nl-breaker -f 1 -o 1h db flaky n hang
		TERM 1 nl-breaker -f 1 -o 1h db nl-retry -n 3 nl-breaker -f 1 -o 1h in flaky n hang
		TERM 1 nl-retry -n 3 --on any nl-timeout 30 nl-breaker -f 1 -o 1h db nl-timeout 30 flaky n hang
		9 1 nl-breaker -f 1 -o 1h db nl-timeout 30 flaky n say
	EOF
	for k in 1 2 3 4; do
		for m in 0 1; do
			run ! grep -v ' 0 0 ' $k/$m/breakers # All are closed.
		done
	done
}

@test "--verbose and --foreground do not depend on fusion" {
	composed <<-'EOF'
		124 0 nl-timeout -v 0.4 nl-timeout 20 sleep 60
		124 0 nl-timeout -f 0.4 nl-retry -n 3 sleep 60
		124 0 nl-retry -n 1 nl-timeout -f 0.4 sleep 60
		0 - nl-timeout -f 20 nl-timeout --kill group 20 nl-retry --kill tree true
	EOF
	[ "$(grep -c TERM 1/1/err)" = 1 ]
	[ "$(grep -c TERM 1/0/err)" = 1 ]
}

@test "A word with a slash is a foreign command" {
	ln -s "$NL_BIN/nl-timeout" nl-timeout
	run -7 nl-retry -n 2 -b constant:1ms ./nl-timeout 20 sh -c 'exit 7'
	[ "$(jq -r 'select(.event=="nl.request.failure") | .run' "$NL_EVENTS" | sort -u | wc -l)" = 3 ]
	NL_EVENTS=off run -125 nl-retry -n 2 -b constant:1ms ./nl-timeout --bogus
}

@test "Fused layers are one process, NL_FUSE=0 makes a chain" {
	NL_FUSE=1 run -0 nl-retry nl-timeout 20 nl-retry true
	[ "$(jq -r .run "$NL_EVENTS" | sort -u | wc -l)" = 1 ]
	: >"$NL_EVENTS"
	NL_FUSE=0 run -0 nl-retry nl-timeout 20 nl-retry true
	[ "$(jq -r .run "$NL_EVENTS" | sort -u | wc -l)" = 3 ]
}

@test "A bulkhead anywhere in a stack admits, waits, rejects and gives back alike" {
	composed <<-'EOF'
		0 1 nl-bulkhead x flaky n 0
		7 1 nl-bulkhead x nl-bulkhead y flaky n 7
		75 0 nl-bulkhead x nl-bulkhead x flaky n 0
		0 1 nl-bulkhead -m 2 x nl-bulkhead -m 2 x flaky n 0
		9 0 nl-bulkhead x nl-bulkhead -E 9 x flaky n 0
		0 0 nl-bulkhead x nl-bulkhead -E 0 x flaky n 7
		75 0 nl-bulkhead x nl-timeout 20 nl-bulkhead -w 0.1 x flaky n 0
		75 0 nl-bulkhead x nl-bulkhead -q 1 -w 0.1 x flaky n 0
		0 3 nl-retry -n 5 -b constant:1ms nl-bulkhead x flaky n 7 8 0
		0 3 nl-bulkhead x nl-retry -n 5 -b constant:1ms flaky n 7 8 0
		75 0 nl-bulkhead x nl-retry -n 3 -b constant:1ms nl-bulkhead x flaky n 0
		75 0 nl-bulkhead x nl-retry -n 3 -b constant:1ms --on rejected nl-bulkhead x flaky n 0
		124 0 nl-timeout 0.5 nl-bulkhead x nl-bulkhead -w inf x flaky n 0
		124 0 nl-bulkhead x nl-timeout 0.5 nl-bulkhead -w inf x flaky n 0
		124 0 nl-bulkhead x nl-timeout 0.5 nl-retry -n 3 nl-bulkhead -q 5 x flaky n 0
		124 0 nl-timeout 0.5 nl-bulkhead x sleep 60
		124 0 nl-bulkhead x nl-timeout 0.5 sleep 60
		TERM 0 nl-timeout -p 0.5 nl-bulkhead --release tree x sleep 60
		KILL 1 nl-bulkhead x flaky n KILL
		127 0 nl-retry nl-bulkhead x /no/such/command
		125 0 nl-bulkhead x nl-bulkhead ../x true
		125 0 nl-bulkhead --state /dev/null x true
		3 1 nl-bulkhead --state /dev/null --on-state-error run x flaky n 3
	EOF
}

@test "A signal to a stack that waits in a bulkhead ends it" {
	# Says so when somebody has a ticket.
	cat >waits <<-'EOF'
		until grep -qs ":$(stat -c %i "$NL_STATE"/bulkhead/.x.lock 2>/dev/null) 42949" /proc/locks; do sleep 0.01; done; echo
	EOF
	WAITS=$PWD/waits composed TERM:out <<-'EOF'
		TERM 0 sh -c 'sh "$WAITS" & exec nl-bulkhead x nl-bulkhead -w inf x true'
		TERM 0 sh -c 'sh "$WAITS" & exec nl-timeout 30 nl-bulkhead x nl-retry nl-bulkhead -w inf x true'
		9 1 nl-bulkhead x nl-timeout 30 flaky n say
	EOF
}

@test "A race has the same winner" {
	composed <<-'EOF'
		0 1 nl-race [ flaky n 0 ]
		7 1 nl-race [ flaky n 7 ]
		7 2 nl-race [ flaky n 7 ] [ flaky n 7 ]
		8 1 nl-race [ sh -c "exit 75" ] [ flaky n 8 ]
		TERM 2 nl-race [ flaky n TERM ] [ flaky n TERM ]
		0 1 nl-race [ sh -c "until test -s n; do sleep 0.01; done; echo won" ] [ flaky n hang ]
		0 2 nl-race [ sh -c "until test -s n; do sleep 0.01; done; sleep 0.5; echo won" ] [ nl-retry -n 2 -b constant:1ms flaky n 1 hang ]
		0 1 nl-race [ nl-timeout 9 sh -c "until test -s n; do sleep 0.01; done; echo won" ] [ nl-timeout 20 nl-retry -k 0.2 flaky n deaf ]
		0 3 nl-race -d 30 [ flaky n 7 8 0 ] [ flaky n 7 8 0 ] [ flaky n 7 8 0 ]
		8 2 nl-race -d inf [ flaky n 75 8 ] [ flaky n 75 8 ]
		0 2 nl-race --hedge 2 -d 0.3 flaky n hang 0
		0 2 nl-race --hedge 2 -d inf nl-retry -n 1 flaky n 3 0
		0 4 nl-retry -n 2 -b constant:1ms nl-race -d inf [ flaky n 7 7 7 0 ] [ flaky n 7 7 7 0 ]
		0 2 nl-race --quorum 2 [ flaky -q n 0 ] [ sh -c "sleep 1; exec flaky -q n 0" ]
		3 1 nl-race --quorum 2 [ sh -c "until test -s n; do sleep 0.01; done; exit 3" ] [ flaky n hang ]
		6 1 nl-race --win output [ sh -c "sleep 60; echo no" ] [ nl-timeout 20 flaky n 6 ]
		75 2 nl-race --need-output [ flaky -q n 0 ] [ flaky -q n 0 ]
		124 2 nl-timeout 1 nl-race [ flaky n hang ] [ nl-retry flaky n hang ]
		0 2 nl-race -d inf [ nl-timeout 0.6 flaky n hang 0 ] [ nl-timeout 9 flaky n hang 0 ]
		124 1 nl-timeout -i 1 30 nl-race [ flaky n hang ]
		1 3 nl-race [ nl-race [ flaky n 1 ] [ flaky n 1 ] ] [ flaky n 1 ]
		0 2 nl-race -d inf [ nl-fallback [ flaky n 1 0 ] [ flaky n 1 0 ] ] [ flaky n 0 ]
		0 2 nl-fallback [ nl-race [ flaky n 1 ] ] [ nl-race [ flaky n 1 0 ] [ sleep 60 ] ]
		0 1 nl-race [ nl-breaker -f 1 a flaky n hang ] [ nl-breaker -f 1 b sh -c "until test -s n; do sleep 0.01; done; echo won" ]
		0 1 nl-race --win output [ nl-breaker -f 1 a flaky -q n hang ] [ sh -c "until test -s n; do sleep 0.01; done; echo won" ]
		0 2 | nl-race --quorum 2 [ flaky -q n cat0 ] [ sh -c "sleep 1; exec flaky -q n cat0" ]
		0 2 nl-race --quorum 2 [ sh -c "sleep 1; exec flaky -q n cat0" ] [ nl-retry flaky -q n cat0 ]
		- - nl-race [ nl-retry -n 0 flaky n 0 ] [ flaky n 0 ]
	EOF
}

@test "A race ends alike when it is told to stop" {
	for sig in TERM INT; do
		mkdir $sig
		(cd $sig && sed "s/^/$sig 1 /" <<-'EOF' | composed $sig:n
			nl-race flaky n hang
			nl-race [ flaky n hang ] [ false ]
			nl-race -d 30 [ flaky n hang ] [ flaky n 0 ]
			nl-retry nl-race [ nl-retry flaky n hang ] [ sleep 60 ]
			nl-race [ nl-race [ flaky n hang ] [ sleep 60 ] ] [ false ]
		EOF
		)
	done
}

@test "A fallback tries the same branches" {
	composed <<-'EOF'
		0 2 nl-fallback [ flaky n 7 0 ] [ flaky n 7 0 ]
		7 2 nl-fallback [ flaky n 7 8 ] [ flaky n 7 8 ]
		8 2 nl-fallback [ flaky n 75 8 ] [ flaky n 75 8 ]
		TERM 2 nl-fallback [ flaky n TERM 8 ] [ flaky n TERM 8 ]
		PIPE 1 nl-fallback [ flaky n PIPE 0 ] [ flaky n PIPE 0 ]
		125 1 nl-fallback [ flaky n 125 0 ] [ flaky n 125 0 ]
		0 4 nl-fallback [ nl-retry -n 2 -b constant:1ms flaky n 7 ] [ nl-retry -n 2 -b constant:1ms flaky n 7 7 7 0 ]
		0 4 nl-retry -n 3 -b constant:1ms nl-fallback [ flaky n 7 7 7 0 ] [ flaky n 7 7 7 0 ]
		0 2 nl-fallback [ nl-timeout 0.2 flaky n hang 0 ] [ nl-timeout 9 flaky n hang 0 ]
		124 1 nl-timeout 0.2 nl-fallback [ flaky n hang ] [ flaky n 0 ]
		124 2 nl-timeout 0.5 nl-fallback [ nl-timeout 0.1 flaky n hang hang ] [ flaky n hang hang ] [ flaky n 0 ]
		0 3 nl-fallback [ nl-fallback [ flaky n 1 2 0 ] [ flaky n 1 2 0 ] ] [ flaky n 1 2 0 ]
		1 3 nl-fallback [ flaky n 1 2 3 ] [ nl-fallback [ flaky n 1 2 3 ] [ flaky n 1 2 3 ] ]
		0 2 nl-fallback flaky n 1 0 ::: nl-retry flaky n 1 0 ::: flaky n 0
		0 2 | nl-fallback [ flaky n cat1 cat0 ] [ flaky n cat1 cat0 ]
		0 2 nl-fallback [ nl-breaker -f 1 a flaky n 1 0 ] [ nl-breaker -f 1 b flaky n 1 0 ]
		0 2 nl-fallback [ nl-bulkhead a flaky n 1 0 ] [ nl-bulkhead a flaky n 1 0 ]
		3 1 nl-fallback --on timeout [ flaky n 3 0 ] [ flaky n 3 0 ]
		3 1 nl-fallback --ok 0,3 [ flaky n 3 0 ] [ flaky n 3 0 ]
		- - nl-fallback [ nl-retry -n 0 flaky n 0 ] [ flaky n 0 ]
	EOF
}

@test "A fallback ends alike when it is told to stop" {
	for sig in TERM INT; do
		mkdir $sig
		(cd $sig && sed "s/^/$sig 1 /" <<-'EOF' | composed $sig:n
			nl-fallback [ flaky n hang ] [ flaky n 0 ]
			nl-fallback [ nl-retry flaky n hang ] [ flaky n 0 ]
			nl-retry nl-fallback [ flaky n hang ] [ flaky n 0 ]
		EOF
		)
	done
}

@test "A pipeline in a branch, and of layers, ends alike" {
	composed <<-'EOF'
		0 2 nl-fallback [ flaky n 7 0 '|' cat ] [ flaky n 7 0 '|' cat ]
		7 2 nl-fallback [ flaky n 7 8 '|' cat ] [ flaky n 7 8 '|' cat ]
		TERM 2 nl-fallback [ flaky n TERM 8 '|' cat ] [ cat '|' flaky n TERM 8 ]
		0 2 nl-fallback [ nl-timeout 0.6 flaky n hang 0 '|' cat ] [ true '|' flaky n hang 0 ]
		124 1 nl-timeout 1.5 nl-fallback [ flaky n hang '|' cat ] [ flaky n 0 ]
		0 2 nl-retry -n 3 -b constant:1ms nl-pipe flaky n 7 0 '|' cat
		0 2 | nl-fallback [ cat '|' flaky n cat1 cat0 ] [ cat '|' flaky n cat1 cat0 ]
		0 2 nl-fallback [ nl-fallback [ flaky n 1 0 '|' cat ] [ flaky n 1 0 ] '|' cat '|' cat ] [ flaky n 9 ]
		9 1 nl-fallback [ nonesuch '|' cat ] [ flaky n 9 ] [ nonesuch '|' cat ]
	EOF
}

@test "An expression is a stack of the layers that it names" {
	composed <<-'LINES'
		7 1 nl-run pass flaky n 7
		7 3 nl-run 'retry(3, backoff=const:1ms)' flaky n 7
		0 2 nl-run 'retry(3, backoff=const:1ms) + timeout(20)' flaky n TERM 0
		0 2 nl-run 'timeout(20) + retry(2, backoff=const:1ms) + breaker(b) + bulkhead(b)' flaky n 7 0
		124 1 nl-run 'timeout(0.2) + pass' flaky n hang
		0 2 nl-run 'pass | pass' flaky n 7 0
		7 2 nl-run 'pass | timeout(20)' flaky n 7 8
		0 2 nl-run 'timeout(0.2) | timeout(20)' flaky n hang 0
		7 4 nl-run '(pass | timeout(20)) + retry(2, backoff=const:1ms)' flaky n 7
		7 4 nl-run 'retry(2, backoff=const:1ms) + (pass | timeout(20))' flaky n 7
		0 1 nl-run 'fail | pass' flaky n 0
		75 0 nl-run 'retry(3, on=75, backoff=const:1ms) + fail' flaky n 0
		75 0 nl-run fail flaky n 0
		7 2 nl-run 'pass & timeout(20)' flaky n 7
		0 1 nl-run 'fail & timeout(20)' flaky n 0
		7 4 nl-run 'retry(2, backoff=const:1ms) + (pass & pass)' flaky n 7
		7 2 nl-retry -n 2 -b constant:1ms nl-run pass flaky n 7
		7 4 nl-retry -n 2 -b constant:1ms nl-run 'timeout(20) | pass' flaky n 7
		7 2 nl-fallback [ nl-run 'timeout(20)' flaky n 7 ] [ nl-run 'bulkhead(b)' flaky n 7 ]
		0 2 nl-run 'fallback(stale=1d:k) + retry(2, backoff=const:1ms)' flaky n 7 0
	LINES
}

@test "35 random stacks, first part, end alike fused and nested" {
	random 1 35
}

@test "35 random stacks, second part, end alike fused and nested" {
	random 2 35
}

@test "35 random stacks, third part, end alike fused and nested" {
	random 3 35
}

@test "35 random stacks, fourth part, end alike fused and nested" {
	random 4 35
}

@test "35 random stacks, fifth part, end alike fused and nested" {
	random 5 35
}

@test "35 random stacks, sixth part, end alike fused and nested" {
	random 6 35
}
