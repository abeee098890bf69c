#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# nl-run(1), CHECKS: each finding where it is to be found, gone from the
# expression that mends it, and not where nothing is wrong.
# shellcheck disable=SC2154  # set by run
bats_require_minimum_version 1.5.0
load helper

setup() {
	nl_setup
}

codes() { nl-run --check --json "$@" | jq -r '.code // empty' | sort -u; }

# finds CODE COL EXPR [OPTION]: it is found there, has a witness and a why, and the rewrite is free of it.
finds() {
	local code=$1 col=$2 expr=$3 mended
	shift 3
	run -1 nl-run --check --json "$@" "$expr"
	mended=$(jq -r --arg c "$code" --argjson col "$col" 'select(.code == $c and .col == $col and (.why | length > 20) and (.witness | length > 0)) | .rewrite' <<<"$output")
	[ -n "$mended" ] || { printf 'no %s at %s: %s\n%s\n' "$code" "$col" "$expr" "$output"; return 1; }
	nl-run --canonical "$mended" >/dev/null
	[[ $(codes "$@" "$mended") != *"$code"* ]] || { echo "$code is still in: $mended"; return 1; }
}

# silent CODE EXPR...: it is in none of them.
silent() {
	local code=$1
	shift
	for e; do
		[[ $(codes "$e") != *"$code"* ]] || { echo "$code in: $e"; return 1; }
	done
}

@test "NL001: a limit that never fires" {
	finds NL001 15 'timeout(1s) + timeout(3s)'
	finds NL001 1 'timeout(1h) + retry(2, jitter=none) + timeout(1s)'
	finds NL001 15 'timeout(1s) + retry(3, per-attempt=2s)'
}
@test "NL001: not a limit that may fire, that makes the grace shorter, or that has --idle" {
	silent NL001 'timeout(3s) + timeout(1s)' 'timeout(1s) + timeout(3s, kill-after=1s)' 'timeout(1s) + timeout(3s, idle=100ms)' 'timeout(1s)'
}
@test "NL002: retries inside each other" {
	finds NL002 1 'retry(3) + retry(3) + retry(3) + timeout(1s)'
	finds NL002 1 'retry(3) + (retry(3) | retry(2)) + timeout(1s)'
	run -1 nl-run --check 'retry(3) + retry(3) + retry(3) + timeout(1s)'
	[[ $output == *'27'* ]]
}
@test "NL002: not retries beside each other, nor few" {
	silent NL002 'retry(9) + timeout(1s) | retry(9) + timeout(1s)' 'retry(2) + retry(3) + timeout(1s)' 'retry(1) + retry(10) + timeout(1s)'
}
@test "NL003: a breaker outside of a retry" {
	finds NL003 1 'breaker(db) + retry(3) + timeout(1s)'
	finds NL003 1 'breaker(db) + (retry(3) & retry(2)) + timeout(1s)'
}
@test "NL003: not inside, nor around a retry of one attempt" {
	silent NL003 'retry(3) + breaker(db) + timeout(1s)' 'breaker(db) + retry(1) + timeout(1s)'
}
@test "NL004: a breaker that one call opens" {
	finds NL004 12 'retry(5) + breaker(db) + timeout(1s)'
	finds NL004 14 'retry(inf) + breaker(db) + timeout(1s)'
	finds NL004 28 'retry(3) + race(hedge=2) + breaker(db) + timeout(1s)'
}
@test "NL004: not one that several calls open, nor one that goes by rates" {
	silent NL004 'retry(4) + breaker(db) + timeout(1s)' 'retry(9) + breaker(db, rate=50) + timeout(1s)' 'breaker(db, failures=1) + timeout(1s)'
}
@test "NL005: a breaker that the arms of a race share" {
	finds NL005 31 '(timeout(1s) & timeout(2s)) + breaker(db)'
	finds NL005 17 'race(hedge=2) + breaker(db) + timeout(1s)'
	finds NL005 16 'timeout(1s) + (breaker(db) & breaker(db))'
}
@test "NL005: a bulkhead whose places the arms of a race take from each other: an error where there are too few, else a note" {
	finds NL005 17 'race(hedge=2) + bulkhead(db)'
	[ "$(nl-run --check --json 'race(hedge=2) + bulkhead(db)' | jq -r '.severity // empty')" = error ]
	run -1 nl-run --check 'race(hedge=2, delay=2s) + bulkhead(db) + timeout(5s)'
	[[ $output == *'t=2     bulkhead@col 27 is full, rejects: 75'* ]]
	finds NL005 17 '(pass & pass) + bulkhead(db, wait=1m)'
	finds NL005 43 '(timeout(1s) + bulkhead(a)) & (retry(2) + bulkhead(db)) & bulkhead(db)'
	finds NL005 17 '(pass & pass) + bulkhead(db, max=9) + timeout(1s)'
	[ "$(nl-run --check --json '(pass & pass) + bulkhead(db, max=9)' | jq -r 'select(.code) | .severity, .rewrite')" = $'note\nbulkhead(db, max=4) + pass & pass' ]
}
@test "NL005: not a bulkhead around the race, one without limit, or one of each arm" {
	silent NL005 'bulkhead(db) + (pass & pass)' '(pass & pass) + bulkhead(db, max=inf)' 'bulkhead(a) & bulkhead(b)' 'race() + bulkhead(a)'
}
@test "NL005: not around the race, nor with names of their own" {
	silent NL005 'breaker(db) + (timeout(1s) & timeout(2s))' '(breaker(a) + timeout(1s)) & (breaker(b) + timeout(1s))' 'race() + breaker(a) + timeout(1s)'
}
@test "NL006: a limit that is outside of the breaker alone" {
	finds NL006 15 'timeout(5s) + breaker(db)'
	finds NL006 26 'timeout(5s) + retry(2) + breaker(db)'
	finds NL006 28 'retry(2, per-attempt=9s) + breaker(db)'
}
@test "NL006: not where there is one inside" {
	silent NL006 'timeout(5s) + breaker(db) + timeout(1s)' 'breaker(db)'
}
@test "NL007: a fallback that hides failures from the breaker, and from the retry" {
	finds NL007 1 'breaker(db) + (timeout(1s) | timeout(2s))'
	finds NL007 1 'breaker(db) + fallback(stale=1d:x) + timeout(1s)'
	finds NL007 1 'retry(3) + (timeout(1s) | timeout(2s))'
}
@test "NL007: not a fallback around them, nor one with nothing to fall back to" {
	silent NL007 'breaker(db) + timeout(1s) | timeout(2s)' 'breaker(db) + (timeout(1s) | fail)'
}
@test "NL008: a status that disguises a rejection from the retry around" {
	finds NL008 12 'retry(3) + breaker(db, exit-code=9) + timeout(1s)'
	finds NL008 12 'retry(3) + bulkhead(b, exit-code=1) + timeout(1s)'
}
@test "NL008: not one that is not retried" {
	silent NL008 'retry(3) + breaker(db, exit-code=75) + timeout(1s)' 'breaker(db, exit-code=9) + timeout(1s)' 'retry(3, except=9) + breaker(db, exit-code=9) + timeout(1s)'
}
@test "NL009: a retry of rejections" {
	finds NL009 1 'retry(3, on=any) + breaker(db) + timeout(1s)'
	finds NL009 1 "retry(3, on='1,75', except=3) + bulkhead(b) + timeout(1s)"
}
@test "NL009: not without a gate inside, nor of other outcomes" {
	silent NL009 'retry(3, on=any) + timeout(1s)' 'retry(3, on=1) + breaker(db) + timeout(1s)'
}
@test "NL010: waits without limit" {
	finds NL010 1 'bulkhead(b, queue=4) + timeout(1s)'
	finds NL010 1 'bulkhead(b, wait=inf) + timeout(1s)'
	finds NL010 1 'breaker(b, wait=inf) + timeout(1s)'
	finds NL010 1 'retry(inf) + timeout(1s)'
}
@test "NL010: not with a limit around" {
	silent NL010 'timeout(1m) + bulkhead(b, queue=4)' 'bulkhead(b, queue=4, wait=1s) + timeout(1s)' 'retry(inf, total=1h) + timeout(1s)'
}
@test "NL011: what must not run twice: a race is an error, a retry a warning" {
	finds NL011 13 'timeout(1s) & timeout(2s)' --not-idempotent
	finds NL011 1 'race(hedge=2) + timeout(2s)' --not-idempotent
	finds NL011 1 'retry(2) + timeout(2s)' --not-idempotent
	[ "$(nl-run --check --json --not-idempotent 'pass & pass & pass' | jq -r '.severity // empty')" = error ]
}
@test "NL011: the next branch of a fallback runs it again, unless no other does" {
	finds NL011 13 'timeout(1s) | timeout(2s)' --not-idempotent
	finds NL011 27 'fail | timeout(1s) | pass | timeout(2s)' --not-idempotent
	run -0 nl-run --check --not-idempotent 'fail | timeout(1s) | (timeout(1s) + fail)'
	run -0 nl-run --check --not-idempotent 'fallback(stale=1d:k) + timeout(1s)'
	nl-run --check --json --not-idempotent 'fail & timeout(1s) & timeout(2s)' >said || true
	[ "$(jq -r 'select(.code == "NL011") | .rewrite' said)" = 'fail & timeout(1s)' ]
}
@test "NL011: once in an expression or a policy says it, and the expression that mends it says it still" {
	finds NL011 1 'retry(2) + once + timeout(1s)'
	[ "$(nl-run --check --json 'retry(2) + once + timeout(1s)' | jq -r '.rewrite // empty' | sort -u)" = 'once + timeout(1s)' ]
	echo 'pay = (timeout(1s) & timeout(2s)) + once' >p
	[ "$(nl-run --check --json -f p @pay | jq -r '.severity // empty')" = error ]
	run -0 nl-run --check 'once + timeout(1s)'
	run -1 nl-ctl check p
	[[ $output = *NL011* ]]
}
@test "NL011: not unless it is said" {
	silent NL011 'timeout(1s) & timeout(2s)'
	run -0 nl-run --check --not-idempotent 'timeout(1s)'
}
@test "NL012: attempts that never begin" {
	finds NL012 15 'timeout(5s) + retry(5, backoff=const:2s, jitter=none) + timeout(1s)'
	finds NL012 1 'retry(9, backoff=const:2s, jitter=equal, total=5s)'
}
@test "NL012: not where luck lets them begin" {
	silent NL012 'timeout(5s) + retry(5, backoff=const:2s) + timeout(1s)' 'timeout(9s) + retry(5, backoff=const:2s, jitter=none) + timeout(1s)'
}
@test "NL013: calls that cannot be slow" {
	finds NL013 1 'breaker(db, slow=10s) + timeout(2s)'
}
@test "NL013: not those that can" {
	silent NL013 'breaker(db, slow=1s) + timeout(2s)' 'breaker(db, slow=10s)'
}
@test "NL014: probes that last as long as the breaker rests" {
	finds NL014 1 'breaker(db, open=3s) + timeout(4s)'
}
@test "NL014: not short ones" {
	silent NL014 'breaker(db, open=30s) + timeout(4s)'
}
@test "NL015: a gate inside of itself" {
	finds NL015 15 'bulkhead(b) + bulkhead(b) + timeout(1s)'
	finds NL015 14 'breaker(b) + breaker(b) + timeout(1s)'
}
@test "NL015: not inside of another" {
	silent NL015 'bulkhead(a) + bulkhead(b) + timeout(1s)' 'breaker(b) + bulkhead(b) + timeout(1s)'
}

@test "--check: exit status 0 when there is nothing, 1 when there is something, 125 for what cannot be read" {
	run -0 nl-run --check 'retry(3) + timeout(1s)'
	[ "$output" = '' ]
	run -1 nl-run --check 'retry(inf)'
	run -125 --separate-stderr nl-run --check 'retry('
}

@test "--check: the command of the witness is not run" {
	run -1 nl-run --check 'retry(inf)' touch ran
	[ ! -e ran ]
}

@test "--check: each line but a rewrite fits into 80 columns, and has no colour in a pipe" {
	run -1 nl-run --check 'breaker(db) + retry(inf, on=any) + bulkhead(b, queue=9, exit-code=1) + (retry(3) + timeout(1h) | retry(3) + timeout(1s))'
	[ "$(grep -v '^    rewrite' <<<"$output" | grep -c '.\{80\}')" = 0 ]
	[[ $output != *$'\e'* ]]
}

@test "--check: a finding in a policy names file, line and column" {
	printf '# mine\nslow = retry(inf)\n' >policies
	run -1 nl-run -f policies --check '@slow'
	[[ ${lines[0]} == 'policies:2:8: warning NL010:'* ]]
}

@test "--check: what is copied into branches is told once" {
	[ "$(nl-run --check --json '(pass | pass) + retry(inf) + timeout(1s)' | grep -c '"code"')" = 1 ]
}

@test "--check finds nothing in the presets" {
	local name
	for name in $(nl-run -f "$NL_ROOT/lib/policies" --list | cut -f1); do
		run -0 nl-run -f "$NL_ROOT/lib/policies" --check "$name"
	done
}

@test "The rewrites of the worst policy, one after the other, come to one with nothing to find" {
	local expr='timeout(1h) + breaker(db, exit-code=1) + retry(3, on=any) + retry(3) + (race(hedge=2) + breaker(api) + retry(3) + timeout(2s) | bulkhead(b, queue=9))' i
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		run nl-run --check --json "$expr"
		[ "$status" = 1 ] || break
		expr=$(jq -rs '.[0].rewrite' <<<"$output")
		echo "$i $expr"
	done
	[ "$status" = 0 ]
}

@test "--check: one rewrite mends all that is found in any expression of these tests, but for what it says is left" {
	sed -nE "/^\t(finds|silent) /s/'([^']* \+ [^']*)'/\n\1\n/gp" "$BATS_TEST_FILENAME" | grep -F ' + ' | grep -v -e finds -e silent |
		sort -u | awk '{ print "p" NR " = " $0 }' >all
	nl-ctl check --json all >first 2>/dev/null || true
	jq -r 'select(.mended) | "\(.policy) = \(.mended)"' first >mended
	[ "$(grep -c . mended)" -ge 30 ]
	run nl-ctl check --json mended
	[ "$(jq -r 'select(.code) | "\(.policy) \(.code)"' <<<"$output")" = \
		"$(jq -r 'select(.mended) | .policy as $p | .left[] | "\($p) \(.)"' first)" ]
	# Retries in the arms, and one breaker: it is outside of them, or they share it.
	[ "$(jq -r 'select(.mended and .left != []) | "\(.mended) \(.left[])"' first)" = \
		'(retry(3) + breaker(db)) & (retry(2) + breaker(db)) + timeout(1s) NL005' ]
}

@test "--check: the rewrite of all stands behind several findings, and not behind one that it repeats" {
	run -1 nl-run --check 'retry(inf)'
	[[ $output != *mended* ]]
	run -1 nl-run --check 'timeout(1s) + timeout(3s) + bulkhead(b, queue=2) + bulkhead(b)'
	[ "$(tail -n2 <<<"$output")" = $'expr: all of that mended: nothing is left to find\n    rewrite  timeout(1s) + bulkhead(b, queue=2)' ]
}

@test "nl-ctl check tells each finding of a file with FILE:LINE:COLUMN and its policy, once" {
	printf '# mine\napi = @slow + timeout(1s)\nslow = retry(inf)\ngood = retry(3) + timeout(1s)\n' >mine
	run -1 nl-ctl check mine
	[ "${lines[0]}" = 'mine:3:8: warning NL010: @slow: retry: it may wait for ever' ]
	[ "$(grep -c NL010 <<<"$output")" = 1 ]
	run -1 nl-ctl check --json mine
	[ "$(jq -r 'select(.code) | "\(.file):\(.line):\(.col) \(.code) \(.policy)"' <<<"$output")" = 'mine:3:8 NL010 slow' ]
	printf 'good = retry(3) + timeout(1s)\n' >good
	run -0 nl-ctl check good
	[ "$output" = '' ]
}

@test "nl-ctl check shows what cannot be read with a caret, and checks the rest: 125" {
	printf 'bad = retyr(3)\nuses = @bad\nloop = @loop\nslow = retry(inf)\n' >one
	echo nonsense >two
	run -125 --separate-stderr nl-ctl check two one missing
	[[ $output == 'one:4:8: warning NL010: @slow:'* ]]
	[ "$stderr" = "nl-ctl: two:1:9: 'nonsense': not NAME = EXPR: = is missing behind the name
  nonsense
          ^
nl-ctl: one:1:7: 'retyr': unknown layer, did you mean retry?
  bad = retyr(3)
        ^
nl-ctl: one:3:8: @loop: is made of itself: loop -> loop
  loop = @loop
         ^
nl-ctl: missing: No such file or directory" ]
}

@test "nl-ctl check without FILE reads the files of nl-run, and is no request" {
	mkdir -p config/ninelives
	echo 'slow = retry(inf)' >config/ninelives/policies
	XDG_CONFIG_HOME=$PWD/config run -1 nl-ctl check
	[[ $output == "$PWD/config/ninelives/policies:1:8: warning NL010: @slow:"* ]]
	NL_POLICIES=$NL_ROOT/lib/policies run -0 nl-ctl check
	NL_POLICIES=/nonesuch run -125 nl-ctl check
	run -125 nl-ctl check --force
	run -1 nl-ctl request <<<'{"id":"1","cmd":"check","args":{}}'
	[[ $output == *invalid_args* ]]
}
