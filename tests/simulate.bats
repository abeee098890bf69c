#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# nl-breaker --simulate.  Recordings of the real resilience4j and gobreaker are
# looked for in NL_ORACLE; without them a handful of sequences still runs.

load helper

# Ours, unless the first argument begins with {: a cfg.  Words: see below.
ours='{"semantics":"ninelives","failures":2,"open_ms":1000}'

# Prints input: A acquire, S ok, F fail, I ignored, R release, +N adv, {…} a line of its own, other words ops.
input() {
	local cfg=$ours w

	case $1 in '{"semantics'* | '{"type'* | '{"trip'* | '{"half'*) cfg=$1 && shift ;; esac
	printf '{"vec":"test","t0":1000000,"cfg":%s}\n' "$cfg"
	for w; do
		case $w in
		A) w='"acquire"' ;;
		S) w='"ok"' ;;
		F) w='"fail"' ;;
		I) w='"ignored"' ;;
		R) w='"release"' ;;
		+*) w="\"adv\",\"ms\":${w#+}" ;;
		'{'*) printf '%s\n' "$w" && continue ;;
		*) w="\"$w\"" ;;
		esac
		printf '{"op":%s}\n' "$w"
	done
}

# Prints the states of all steps, and ! behind those that were rejected.
states() {
	input "$@" | nl-breaker --simulate >answers
	sed -n 's/.*"ok":false.*"state":"\([^"]*\)".*/\1!/p; t
		s/.*"state":"\([^"]*\)".*/\1/p' answers | tr '\n' ' '
}

# Steps of recording $1, fed without their answers: all must be answered as recorded.
as_recorded() {
	local from=${NL_ORACLE:-$NL_ROOT/../shared/oracle}/$1.ndjson.gz

	[ -e "$from" ] || skip "no recording: $from"
	gzip -dc "$from" >recorded
	sed '/"vec":/! s/,"\(ok\|t\)":[^}]*}$/}/' recorded >stripped
	run ! grep -qE '"(state|frate|np|req|gen|cf)":' stripped
	[ "$(wc -l <stripped)" -eq "$2" ]
	nl-breaker --simulate <stripped >answers
	cmp answers recorded
}

refused() {
	run -125 --separate-stderr nl-breaker --simulate
	# shellcheck disable=SC2154
	[[ $stderr == "nl-breaker: $1" ]] || { echo "$stderr"; return 1; }
}

@test "Each step of resilience4j's recording is answered as it was recorded" {
	as_recorded r4j-2.3.0-breaker 48600
}

@test "Each step of gobreaker's recording is answered as it was recorded" {
	as_recorded gobreaker-v2 24300
}

@test "--simulate writes each line of its input with its answer" {
	input A F +5 >in
	nl-breaker --simulate <in >out
	diff - out <<-'EOF'
		{"vec":"test","t0":1000000,"cfg":{"semantics":"ninelives","failures":2,"open_ms":1000}}
		{"op":"acquire","ok":true,"t":1000000,"state":"closed","calls":0,"fail":0,"slow":0,"epoch":1}
		{"op":"fail","t":1000000,"state":"closed","calls":1,"fail":1,"slow":0,"epoch":1}
		{"op":"adv","ms":5,"t":1000005,"state":"closed","calls":1,"fail":1,"slow":0,"epoch":1}
	EOF
}

@test "A simulated breaker opens, is half-open when its time is over, and closes" {
	[ "$(states F F A +999 A +1 A A S A)" = "closed open open! open open! open half_open half_open! closed closed " ]
	[ "$(states F S F F +1000 A F A +1000 A)" = "closed closed closed open open half_open open open! open half_open " ]
}

@test "A simulated probe that is given back lets another in" {
	[ "$(states F F +1000 A A R A I A)" = "closed open open half_open half_open! half_open half_open half_open half_open " ]
}

@test "A simulated result of another epoch changes nothing" {
	[ "$(states A F F '{"op":"ok","epoch":1}' +1000 A '{"op":"fail","epoch":1}' A S)" = \
		"closed closed open open open half_open half_open half_open! closed " ]
}

@test "A person's word moves a simulated breaker too" {
	[ "$(states force_open A reset A disable F F F force_closed F F F reset F F)" = \
		"forced_open forced_open! closed closed disabled disabled disabled disabled forced_closed forced_closed forced_closed forced_closed closed closed open " ]
}

@test "A simulated window is of calls or of a time, with a rate and a least number of calls" {
	[ "$(states '{"semantics":"ninelives","rate":50,"window":4,"min":4}' F F S S S F S F)" = \
		"closed closed closed closed closed closed closed open " ]
	[ "$(states '{"semantics":"ninelives","rate":50,"window":"10s","min":4}' F F F +9999 F)" = "closed closed closed closed open " ]
	[ "$(states '{"semantics":"ninelives","rate":50,"window":"10s","min":4}' F F F +10000 F)" = "closed closed closed closed closed " ]
	[ "$(field fail answers | tail -n1)" = 1 ]
}

@test "A simulated call is slow when it lasts longer than slow_ms" {
	[ "$(states '{"semantics":"ninelives","slow":100,"slow_ms":500,"window":2,"min":2}' '{"op":"ok","dur":501}' '{"op":"ok","dur":500}' \
		'{"op":"ok","dur":501}' '{"op":"ok","dur":500.5}')" = "closed closed closed open " ]
}

@test "Simulated open times grow by factor up to open_max_ms" {
	[ "$(states '{"semantics":"ninelives","failures":1,"open_ms":1000,"factor":2,"open_max_ms":3000}' F +1000 A F +1999 A +1 A F +2999 A +1 A)" = \
		"open open half_open open open open! open half_open open open open! open half_open " ]
}

@test "Without numbers a simulated breaker has the defaults of nl-breaker" {
	[ "$(states '{"semantics":"ninelives"}' F F F F F +9999 A +1 A A S)" = \
		"closed closed closed closed open open open! open half_open half_open! closed " ]
}

@test "A simulated resilience4j decides a batch of probes, after each result" {
	[ "$(states '{"type":"count","window":2,"min":2,"fail":50,"slow":100,"slow_ms":1000,"half":2,"wait_ms":10,"wait_mult":1}' \
		F S +10 A +1 A F S)" = "CLOSED OPEN OPEN OPEN! OPEN HALF_OPEN HALF_OPEN OPEN " ]
	[ "$(field frate answers | tail -n1)" = 50 ]
}

@test "A simulated gobreaker is half-open when its time is over, asked or not" {
	[ "$(states '{"half":1,"interval_ms":0,"bucket_ms":0,"timeout_ms":10,"trip":"consec","a":1,"b":0}' A F A F +10 +0.001 A A S)" = \
		"closed closed closed open open half-open half-open half-open! closed " ]
	[ "$(field gen answers | tail -n1)" = 4 ]
}

@test "A line may end the input without an end of its own" {
	[ "$(printf '%s' "$(input A)" | nl-breaker --simulate | wc -l)" -eq 2 ]
}

@test "--simulate without input writes nothing and exits 0" {
	run -0 nl-breaker --simulate </dev/null
	[ -z "$output" ]
}

@test "Each line is answered before the next is read" {
	local line

	mkfifo in out
	exec 7<>in 8<>out
	nl-breaker --simulate <in >out 3>&- 7>&- 8>&- &
	while IFS= read -r line; do
		printf '%s\n' "$line" >&7
		IFS= read -r -t 10 line <&8
		[[ $line == '{'*'}' ]]
	done < <(input A S)
	exec 7>&- 8>&-
	wait "$!"
}

@test "A simulation that is told to stop dies of the signal" {
	mkfifo in
	exec 7<>in
	nl-breaker --simulate <in >out 3>&- 7>&- &
	input A >&7
	wait_for 5 grep -q acquire out
	kill -TERM "$!"
	st=0
	wait "$!" || st=$?
	exec 7>&-
	[ "$st" -eq 143 ]
}

@test "A line that is wrong is said with its number, and the status is 125" {
	refused 'line 2: not JSON' < <(input '{"op":')
	refused 'line 2: not an object' < <(input | sed '$a[]')
	refused 'line 1: no vec line before it' <<<'{"op":"acquire"}'
	refused 'line 2: neither vec nor op' < <(input '{"i":1}')
	refused 'line 3: op: unknown: jump' < <(input A jump)
	refused 'line 2: op: unknown: excluded' < <(input excluded)
	refused 'line 2: adv: ms is missing' < <(input adv)
	refused 'line 2: ms: not from 0 to 1000000000000' < <(input '{"op":"adv","ms":-1}')
	refused 'line 2: ms: not a number' < <(input '{"op":"adv","ms":"1"}')
	refused 'line 2: acquire: dur: not an input of it' < <(input '{"op":"acquire","dur":1}')
	refused 'line 2: epoch: not a whole number' < <(input '{"op":"ok","epoch":1.5}')
	refused 'line 6: adv: beyond the year 2100' < <(input +1000000000000 +1000000000000 +1000000000000 +1000000000000 +1000000000000)
	refused 'line 2: longer than 4096 bytes' < <(input && head -c 5000 /dev/zero | tr '\0' ' ')
	refused 'line 2: too many values' < <(input "{\"op\":\"acquire\"$(printf ',"i":%d' {1..100})}")
}

@test "An answer in the input is an error" {
	refused 'line 2: acquire: ok: not an input of it' < <(input '{"op":"acquire","ok":true}')
	refused 'line 2: acquire: state: not an input of it' < <(input '{"op":"acquire","state":"closed"}')
}

@test "A cfg that cannot be is an error" {
	refused 'line 1: cfg: not an object' <<<'{"vec":1}'
	refused 'line 1: cfg: not an object' <<<'{"vec":1,"cfg":[]}'
	refused 'line 1: cfg: neither "semantics":"ninelives" nor a known type or trip' <<<'{"vec":1,"cfg":{}}'
	refused 'line 1: cfg: neither "semantics":"ninelives" nor a known type or trip' <<<'{"vec":1,"cfg":{"semantics":"other"}}'
	refused 'line 1: seed: unknown member' <<<'{"vec":1,"seed":1,"cfg":{}}'
	refused 'line 1: t0: not from 1 to 4102444800000' <<<'{"vec":1,"t0":0,"cfg":{}}'
	refused 'line 1: cfg: wait_ms: unknown member' < <(input '{"semantics":"ninelives","wait_ms":1}')
	refused 'line 1: rate: not from 0.0001 to 100' < <(input '{"semantics":"ninelives","rate":101}')
	refused 'line 1: cfg: slow and slow_ms go together' < <(input '{"semantics":"ninelives","slow":50}')
	refused 'line 1: cfg: window and min are for rate or slow' < <(input '{"semantics":"ninelives","window":5}')
	refused 'line 1: window: no time up to 24 h' < <(input '{"semantics":"ninelives","rate":50,"window":"25h"}')
	refused 'line 1: window: not from 1 to 1000' < <(input '{"semantics":"ninelives","rate":50,"window":1001}')
	refused 'line 1: cfg: min is missing' < <(input '{"type":"time","window":5}')
	refused 'line 1: cfg: window: more than 60 seconds' < <(input \
		'{"type":"time","window":61,"min":1,"fail":50,"slow":50,"slow_ms":1,"half":1,"wait_ms":1,"wait_mult":1}')
	refused 'line 1: cfg: interval_ms is not 1 to 60 times bucket_ms' < <(input \
		'{"half":1,"interval_ms":1000,"bucket_ms":300,"timeout_ms":10,"trip":"consec","a":1,"b":0}')
	refused 'line 1: cfg: b: no percentage' < <(input '{"half":1,"interval_ms":0,"bucket_ms":0,"timeout_ms":10,"trip":"ratio","a":1,"b":0}')
}

@test "Input that cannot be read is an error" {
	refused 'stdin: Is a directory' </
}

@test "What was read before a wrong line has been answered" {
	run -125 --separate-stderr nl-breaker --simulate < <(input A S oops)
	[ "${#lines[@]}" -eq 3 ]
}

@test "--simulate that cannot write its answer fails" {
	[ "$(input A | status_of bash -c 'nl-breaker --simulate >/dev/full')" -eq 125 ]
	# shellcheck disable=SC2016
	[ "$(status_of bash -c 'mkfifo p; exec 7<>p 8>p 7>&-; nl-breaker --simulate <<<"$1" >&8' _ "$(input A)")" -eq 141 ]
}
