#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# nl-run(1), sentence by sentence: operators, terms, names, errors, and what it
# prints instead of running anything.  NL_SEED: another seed for random ones.
# shellcheck disable=SC1003,SC2016,SC2030,SC2031,SC2154  # text for inner shells, backslashes at the end; each test is a subshell; set by run
bats_require_minimum_version 1.5.0
load helper

seed=${NL_SEED:-1}

setup() {
	nl_setup
	mkdir -p home
	export HOME=$PWD/home
	unset XDG_CONFIG_HOME NL_POLICIES
}

# The tree of an expression with all its parentheses, layers without arguments.
shape() {
	nl-run --explain --json "$@" | jq -r '
		def s: if .a then "(\(.a | s) \({wrap: "+", fallback: "|", race: "&"}[.op]) \(.b | s))" else .layer // .op end;
		.tree | s'
}

# The command line that is equivalent.
line() { nl-run --explain "$@" | tail -n1; }

normal() { nl-run --canonical "$1"; }

# wrong EXPR COL TEXT: the error, the expression and a caret below its column.
wrong() {
	local caret

	printf -v caret '%*s^' $(($2 - 1)) ''
	run -125 --separate-stderr nl-run "$1" touch ran
	[ "$output" = '' ]
	[ "$stderr" = "nl-run: 1:$2: $3"$'\n'"  $1"$'\n'"  $caret" ] || { printf 'want %s\nhave %s\n' "1:$2: $3" "$stderr"; return 1; }
	[ ! -e ran ]
}

@test "& binds tighter than +, + tighter than |" {
	while read -r text tree; do
		[ "$(shape "${text//_/ }")" = "${tree//_/ }" ]
	done <<-'END'
		retry_|_timeout(1)_+_breaker(a)_&_bulkhead(b) (retry_|_(timeout_+_(breaker_&_bulkhead)))
		retry&timeout(1)+breaker(a)|bulkhead(b) (((retry_&_timeout)_+_breaker)_|_bulkhead)
		retry&timeout(1)+pass ((retry_&_timeout)_+_pass)
		retry+timeout(1)&pass (retry_+_(timeout_&_pass))
		retry+timeout(1)|pass ((retry_+_timeout)_|_pass)
		retry|timeout(1)+pass (retry_|_(timeout_+_pass))
		retry&timeout(1)|pass ((retry_&_timeout)_|_pass)
		retry|timeout(1)&pass (retry_|_(timeout_&_pass))
	END
}

@test "All operators associate to the left" {
	for op in '+' '|' '&'; do
		[ "$(shape "retry $op pass $op fail")" = "((retry $op pass) $op fail)" ]
		[ "$(shape "retry $op (pass $op fail)")" = "(retry $op (pass $op fail))" ]
	done
}

@test "Parentheses group" {
	[ "$(shape '(retry | pass) & (fail + pass)')" = '((retry | pass) & (fail + pass))' ]
	[ "$(shape '(((retry)))')" = retry ]
}

@test "What is wrapped by an operator with branches is copied into each branch" {
	[ "$(line '(retry | pass) + timeout(2)' c d)" = 'nl-fallback [ nl-retry nl-timeout 2s c d ] [ nl-timeout 2s c d ]' ]
	[ "$(line '(retry | pass) + timeout(2)' c)" = "$(line 'retry + timeout(2) | pass + timeout(2)' c)" ]
	[ "$(line '(retry & pass) + timeout(2)' c)" = 'nl-race [ nl-retry nl-timeout 2s c ] [ nl-timeout 2s c ]' ]
	[ "$(line '(retry|pass) + (pass&timeout(1))' c)" = \
		'nl-fallback [ nl-retry nl-race [ c ] [ nl-timeout 1s c ] ] [ nl-race [ c ] [ nl-timeout 1s c ] ]' ]
}

@test "A + (B | C) is A around a fallback" {
	[ "$(line 'timeout(2) + (retry | pass)' c)" = 'nl-timeout 2s nl-fallback [ nl-retry c ] [ c ]' ]
	# Two tries in all, not two for each branch.
	run -7 nl-run 'retry(2, backoff=const:1ms) + (pass | pass)' flaky -q n 7
	[ "$(wc -c <n)" -eq 4 ]
	run -7 nl-run 'retry(2, backoff=const:1ms) | pass' flaky -q m 7
	[ "$(wc -c <m)" -eq 3 ]
}

@test "Chains of one operator are one tool with as many branches" {
	[ "$(line 'pass | retry | pass' c)" = 'nl-fallback [ c ] [ nl-retry c ] [ c ]' ]
	[ "$(line 'pass & retry & pass & pass' c)" = 'nl-race [ c ] [ nl-retry c ] [ c ] [ c ]' ]
	[ "$(line 'pass | (retry | pass)' c)" = 'nl-fallback [ c ] [ nl-fallback [ nl-retry c ] [ c ] ]' ]
}

@test "Words of the command reach it as they are" {
	local words=('[' ']' '|' ':::' '\[' '\\]' '-n' '--' '' 'a b' "it's" '$HOME' $'two\nlines' '(' '@x')

	printf '<%s>' "${words[@]}" >want
	for expr in pass retry 'pass | fail' 'fail | pass' 'fail | (fail | retry)' 'fallback(1d:k)' 'fail | fallback(1d:l) + retry' race 'pass & fail' \
		'race + (fail | pass)' 'fail | race + fallback(1d:m)'; do
		for fuse in 1 0; do
			NL_FUSE=$fuse nl-run "$expr" printf '<%s>' "${words[@]}" >have
			cmp want have
		done
	done
}

@test "A command that looks like an option stands behind --" {
	printf '#!/bin/sh\necho dash "$@"\n' >-x
	chmod +x -- -x
	for expr in retry 'retry | pass' pass 'timeout(2)' 'breaker(b)'; do
		PATH=$PWD:$PATH run -0 nl-run "$expr" -- -x -y
		[ "$output" = 'dash -y' ]
	done
}

@test "A layer's arguments are its tool's options, by their long names" {
	[ "$(line 'retry(attempts=5, backoff=exp:100ms..10s, hold)' c)" = 'nl-retry --attempts=5 --backoff=exponential:0.1s..10s --hold c' ]
	[ "$(line 'timeout(2s, kill-after=1s, idle=500ms)' c)" = 'nl-timeout --kill-after=1s --idle=0.5s 2s c' ]
}

@test "The first argument needs no key" {
	[ "$(line 'retry(5)' c)" = "$(line 'retry(attempts=5)' c)" ]
	[ "$(line 'timeout(5)' c)" = 'nl-timeout 5s c' ]
	[ "$(line 'timeout(limit=5)' c)" = 'nl-timeout 5s c' ]
	[ "$(line 'breaker(db)' c)" = 'nl-breaker db c' ]
	[ "$(line 'breaker(failures=3, name=db)' c)" = 'nl-breaker --failures=3 db c' ]
	[ "$(line 'bulkhead(db, max=3)' c)" = 'nl-bulkhead --max=3 db c' ]
	[ "$(line 'race(2)' c)" = 'nl-race --hedge=2 c' ]
	[ "$(line 'fallback(1d:prices)' c)" = 'nl-fallback --stale=1d:prices c' ]
}

@test "A flag needs no value" {
	[ "$(line 'retry(hold)' c)" = 'nl-retry --hold c' ]
	[ "$(line 'retry(hold=true, quiet=false)' c)" = 'nl-retry --hold c' ]
	[ "$(line 'timeout(1, foreground)' c)" = 'nl-timeout --foreground 1s c' ]
}

# The options of a layer, by what --complete says, one in each expression.
options_of() {
	local layer=$1 before=$2 name arg value first want n=0

	while IFS=';' read -r name arg; do
		name=${name#--} name=${name%=} first=$before want=
		case $arg in
		'') value=true ;;
		N | K | X) value=2 ;;
		PERCENT) value=50% ;;
		'N|DURATION') value=20 ;;
		DURATION | 'DURATION|pNN') value=2s ;;
		DURATION:KEY) value=1d:k ;;
		KIND*) value=linear:1s..2s ;;
		JITTER) value=equal ;;
		SIGNAL) value=INT ;;
		SET) value=1-3,7 ;;
		NAME*) value=x ;;
		*\|*) value=${arg#*|} value=${value%%|*} ;;
		COMMAND | ERE | FILE | DIR | SPEC) value='say "a, b"' ;;
		*) false ;;
		esac
		case $layer:$name in
		*:help | *:version) continue ;;
		retry:dry-run | timeout:left | breaker:simulate)
			run -125 nl-run "$layer($first$name)" true
			[[ $output == *'prints and runs no command'* ]]
			continue
			;;
		breaker:name | bulkhead:name) first='' want=$value ;;
		breaker:slow-rate) first+='slow=1s, ' ;;
		breaker:window | breaker:min-calls) first+='rate=50, ' ;;
		breaker:open-max) first+='open-factor=2, ' ;;
		esac
		run nl-run --explain --json "$layer($first$name='$value')" c
		[ "$status" -eq 0 ] || { printf '%s\n' "$layer($first$name='$value')" "$output"; return 1; }
		[[ -n $want ]] || want=--$name${arg:+=$value}
		jq -e --arg w "$want" '.argv | index($w)' <<<"$output" >index
		n=$((n + 1))
	done < <("nl-$layer" --complete | grep -e ^-- | cut -f1,2 | tr '\t' ';')
	[ $n -ge "$3" ]
}

@test "Every option of retry can be given as KEY=VALUE, but one that only prints" { options_of retry '' 20; }
@test "Every option of timeout can be given as KEY=VALUE, but one that only prints" { options_of timeout '1s, ' 10; }
@test "Every option of breaker can be given as KEY=VALUE, but one that only prints" { options_of breaker 'b, ' 20; }
@test "Every option of bulkhead can be given as KEY=VALUE" { options_of bulkhead 'b, ' 10; }
@test "Every option of race can be given as KEY=VALUE" { options_of race '' 10; }
@test "Every option of fallback can be given as KEY=VALUE" { options_of fallback '' 10; }

@test "Values are quoted with ' or with \"" {
	run -0 --separate-stderr nl-run "retry(2, backoff=const:1ms, on-retry='echo \"a, b\" >said')" false || :
	[ "$(cat said)" = 'a, b' ]
	run --separate-stderr nl-run 'retry(2, backoff=const:1ms, on-retry="echo \"it'"'"'s\" \\\\ >said")' false
	[ "$(cat said)" = "it's \\" ]
	[ "$(line 'retry(on-retry=X=1)' c)" = 'nl-retry --on-retry=X=1 c' ]
}

@test "pass adds no layer" {
	for expr in pass 'pass + pass'; do
		[ "$(line "$expr" c d)" = 'c d' ]
	done
	[ "$(line 'pass + retry(2)' c)" = "$(line 'retry(2)' c)" ]
	[ "$(line 'retry(2) + pass' c)" = "$(line 'retry(2)' c)" ]
	run -5 nl-run pass sh -c 'exit 5'
}

@test "once is pass, and the normal form, --explain and --list keep it" {
	[ "$(line 'once + retry(2) + once' c)" = "$(line 'retry(2)' c)" ]
	run -5 nl-run once sh -c 'exit 5'
	[ "$(nl-run --canonical '(once) + ((pass | once))')" = 'once + (pass | once)' ]
	[ "$(shape 'retry(2) & once')" = '(retry & once)' ]
	[ "$(nl-run --explain 'once + retry(2)' c)" = $'once  # col 1\n  retry(2)  # col 8\n    c\nnl-retry --attempts=2 c' ]
	echo 'pay = once + timeout(2s)' >p
	[ "$(nl-run -f p --list)" = $'@pay\tonce + timeout(2s)' ]
	run -125 --separate-stderr nl-run 'once(1)' true
	[[ $stderr = *'once: takes no arguments'* ]]
}

@test "fail runs nothing, and what it wraps neither: status 75" {
	run -75 nl-run fail touch ran
	run -75 nl-run fail
	run -75 nl-run 'fail + retry' touch ran
	run -75 nl-run 'retry + fail' touch ran
	run -75 nl-run 'retry + fail'
	run -75 nl-run 'fail | fail'
	[ ! -e ran ]
	for expr in 'fail | pass' 'pass | fail'; do
		run -0 --separate-stderr nl-run "$expr" echo x
		[ "$output" = x ]
		run -6 --separate-stderr nl-run "$expr" sh -c 'exit 6'
	done
}

@test "fail is for the layers around it a command that exits with 75" {
	run -75 nl-run 'retry(3, backoff=const:1ms, on=75, on-retry="echo >>n") + fail'
	[ "$(wc -l <n)" -eq 2 ]
	run -75 nl-retry -n2 -b const:1ms --on 75 nl-run fail
	run_both nl-retry -n2 -b const:1ms --on 75 nl-run fail x
	[ "$status" -eq 75 ]
}

@test "Between words there may be spaces, new lines and comments" {
	run -0 nl-run 'retry ( 2 , # twice
		backoff = const:1ms )
		# and then
		+ pass' echo x
	[ "$output" = x ]
}

@test "@NAME is the expression of that name, as if it stood there in parentheses" {
	printf '%s\n' 'a = retry(2) | pass' 'b=@a + timeout(1s)' >p
	[ "$(line -f p '@b' c)" = 'nl-fallback [ nl-retry --attempts=2 nl-timeout 1s c ] [ nl-timeout 1s c ]' ]
	[ "$(nl-run -f p --canonical 'breaker(x) + @a')" = 'breaker(x) + (retry(2) | pass)' ]
	run -0 nl-run -f p @b echo x
	[ "$output" = x ]
}

@test "A policy file has one NAME = EXPR a line, comments, and lines that go on" {
	printf '%s\n' '# a comment \' '' '  a =retry(2) + \' '	timeout(1s) # more' 'b-1.x = retry( # first \' '4)' '   # last' >p
	[ "$(nl-run -f p --canonical @a)" = 'retry(2) + timeout(1s)' ]
	[ "$(nl-run -f p --canonical @b-1.x)" = 'retry(4)' ]
	printf 'c = pass' >q
	[ "$(nl-run -f q --canonical @c)" = pass ]
}

@test "Names are looked up in the user's policies, then in the system's and the installed ones" {
	mkdir -p home/.config/ninelives conf/ninelives inst/bin inst/share/ninelives
	cp "$NL_BIN/nl-run" inst/bin
	echo 'a = retry(1)' >home/.config/ninelives/policies
	echo 'a = retry(2)' >conf/ninelives/policies
	printf '%s\n' 'a = retry(3)' 'b = @a' >inst/share/ninelives/policies
	[ "$(inst/bin/nl-run --canonical @a)" = 'retry(1)' ]
	[ "$(inst/bin/nl-run --canonical @b)" = 'retry(1)' ]
	[ "$(XDG_CONFIG_HOME=$PWD/conf inst/bin/nl-run --canonical @a)" = 'retry(2)' ]
	[ "$(XDG_CONFIG_HOME=conf inst/bin/nl-run --canonical @a)" = 'retry(1)' ]
	rm home/.config/ninelives/policies
	[ -e /etc/ninelives/policies ] || [ "$(inst/bin/nl-run --canonical @a)" = 'retry(3)' ]
}

@test "--file and NL_POLICIES take the place of the user's and the system's policies" {
	mkdir -p home/.config/ninelives
	printf '%s\n' 'a = retry(1)' 'u = pass' >home/.config/ninelives/policies
	echo 'a = retry(2)' >p
	echo 'a = retry(3)' >q
	[ "$(NL_POLICIES=p nl-run --canonical @a)" = 'retry(2)' ]
	[ "$(NL_POLICIES=p nl-run -f q --canonical @a)" = 'retry(3)' ]
	run -125 nl-run -f q @u true
	run -125 --separate-stderr nl-run -f nonesuch @a true
	[ "$stderr" = 'nl-run: nonesuch: No such file or directory' ]
	run -125 --separate-stderr nl-run -f . @a true
	[ "$stderr" = 'nl-run: .: not a file' ]
	run -0 nl-run -f nonesuch pass true
}

@test "A policy that is made of itself is refused, and the chain is named" {
	printf '%s\n' 'a = retry + @b' 'b = @c | pass' 'c = @b' 'd = @d' >p
	run -125 --separate-stderr nl-run -f p @a true
	[ "${stderr%%$'\n'*}" = 'nl-run: p:3:5: @b: is made of itself: b -> c -> b' ]
	run -125 --separate-stderr nl-run -f p @d true
	[ "${stderr%%$'\n'*}" = 'nl-run: p:4:5: @d: is made of itself: d -> d' ]
}

@test "A name that a file has twice is refused, with both lines" {
	printf '%s\n' 'a = pass' 'b = pass' 'a = fail' >p
	run -125 --separate-stderr nl-run -f p @b true
	[ "$stderr" = $'nl-run: p:3:1: a: is there already, in line 1\n  a = fail\n  ^' ]
}

@test "An error in a policy is at its file, line and column" {
	printf '%s\n' 'a = retry(2) + \' '  timeout(x)' 'b = @a' 'c = @aa' 'd pass' >p
	run -125 --separate-stderr nl-run -f p @b true
	[ "$stderr" = $'nl-run: p:5:3: \'d\': not NAME = EXPR: = is missing behind the name\n  d pass\n    ^' ]
	sed -i '$d' p
	run -125 --separate-stderr nl-run -f p @b true
	[[ "$stderr" == $'nl-run: p:2:11: '*"'x'"*$'\n    timeout(x)\n            ^' ]]
	run -125 --separate-stderr nl-run -f p @c true
	[ "$stderr" = $'nl-run: p:4:5: @aa: unknown policy, did you mean @a?\n  c = @aa\n      ^' ]
	printf '%s\n' '.x = pass' >p
	run -125 --separate-stderr nl-run -f p @x true
	[[ "$stderr" == 'nl-run: p:1:1: NAME: '* ]]
	printf 'a = pass\0' >p
	run -125 --separate-stderr nl-run -f p @a true
}

@test "--list prints each name and its expression" {
	printf '%s\n' 'a = retry(2) + \' '	timeout(1s) # more' 'b = pass' >p
	run -0 nl-run -f p --list
	[[ "$output" == $'@a\tretry(2) + timeout(1s) # more\n@b\tpass'* ]]
	[ "$(nl-run -f p --list --json | jq -r '.[1] | .name, .file, .line, .expr' | xargs)" = 'b p 3 pass' ]
	run -125 nl-run --list x
}

@test "An error shows its column, and suggests what may have been meant" {
	wrong 'retry(3) + retyr' 12 "'retyr': unknown layer, did you mean retry?"
	wrong 'tiemout(2s)' 1 "'tiemout': unknown layer, did you mean timeout?"
	wrong 'circuit_breaker(5)' 1 "'circuit_breaker': unknown layer, did you mean breaker(NAME)?"
	wrong 'nl-retry(3)' 1 "'nl-retry': is called retry here"
	wrong 'xyzzy' 1 "'xyzzy': unknown layer (retry, timeout, breaker, bulkhead, race, fallback, pass, once, fail)"
	wrong 'retry(3, backof=exp:1s)' 10 "'backof': retry has no such option, did you mean backoff?"
	wrong 'retry(retries=3)' 7 "'retries': retry has no such option, did you mean attempts?"
	wrong 'breaker(db, per_attempt=1)' 13 "'per_attempt': breaker has no such option (nl-breaker --help lists them)"
	wrong 'retry(per_attempt=1)' 7 "'per_attempt': retry has no such option, did you mean per-attempt?"
	wrong 'retry(3, jitter=fulll)' 17 "jitter: 'fulll': not one of none, full, equal, decorrelated, finagle, polly, did you mean full?"
	wrong 'retry(backoff=exponental:1s)' 15 "backoff: 'exponental:1s': unknown kind (constant, linear, exponential, fibonacci), did you mean exponential?"
	wrong 'retry(stdin=nul)' 13 "stdin: 'nul': not one of auto, replay, inherit, null, did you mean null?"
	wrong '@nosuch' 1 '@nosuch: unknown policy (nl-run --list shows those that there are)'
	run -125 --separate-stderr nl-run 'pass +
		pass + retyr' true
	[ "$stderr" = $'nl-run: 2:10: \'retyr\': unknown layer, did you mean retry?\n    pass + retyr\n           ^' ]
}

@test "A value that is wrong has the error of its option, in the column of the value" {
	wrong 'retry(0)' 7 "attempts: '0': at least 1 (inf for no limit)"
	wrong 'retry(attempts = x)' 18 "attempts: 'x': not a whole number (or inf)"
	wrong 'pass | timeout(2x)' 16 "DURATION: '2x': unknown unit (us, ms, s, m, h, d)"
	wrong 'timeout(1s, idle=never)' 18 "idle: 'never': not a duration (like 1.5, 2m, 1m30s, 100ms, inf)"
	wrong 'bulkhead(db, max=2000)' 18 "max: '2000': more than 1000"
	wrong 'breaker(-x)' 9 "NAME: '-x': not a name (1-64 letters, digits, . _ -, a letter or digit first)"
	run -125 nl-run "retry(retry-if='(')" true
	[[ $output == "nl-run: 1:16: retry-if: '(': "* ]]   # the rest is the C library's
	wrong 'race(delay=p95)' 12 'delay: p95 is measured by --name NAME'
	wrong 'retry(hold=maybe)' 12 "hold: 'maybe': not one of true, false"
}

@test "Common slips have an answer of their own" {
	wrong 'retry(3) timeout(2s)' 10 "'timeout': an operator is missing before it: + if what is left of it wraps it, else | or &"
	wrong 'retry (pass)' 8 "attempts: 'pass': not a whole number (or inf)"
	wrong 'pass (retry)' 6 'pass: takes no arguments'
	wrong 'retry 3' 7 "'3': arguments stand in parentheses: retry(3), timeout(2s)"
	wrong 'retry[3]' 6 "'[': arguments stand in ( and ): retry(3)"
	wrong 'retry=3' 6 "'=': arguments stand in parentheses: retry(attempts=3)"
	wrong '[retry]' 1 "'[': parentheses are ( and )"
	wrong 'retry || pass' 7 "'||': is written once: A | B tries B when A has failed"
	wrong 'retry && pass' 7 "'&&': is written once: A & B runs both at once"
	wrong 'retry ++ pass' 7 "'++': is written once: A + B wraps B in A"
	wrong 'retry or pass' 7 "'or': is written |: A | B tries B when A has failed"
	wrong 'retry and pass' 7 "'and': A & B runs both at once, A + B wraps B in A"
	wrong 'retry, pass' 6 "',': between layers stands +, | or &"
	wrong 'retry > pass' 7 "'>': is no operator: + wraps, | tries the next, & runs both"
	wrong 'timeout()' 1 'timeout: needs DURATION, as in timeout(2s)'
	wrong 'pass | breaker' 8 'breaker: needs NAME, as in breaker(db)'
	wrong '+ retry' 1 "'+': stands between two: A + B"
	wrong 'retry +' 8 'it ends where a layer is expected'
	wrong 'retry | ()' 10 "')': a layer is expected before it"
	wrong '3' 1 "'3': a number is an argument: retry(3), timeout(2s)"
	wrong "'retry'" 1 "': quotes are for values, in the parentheses of a layer"
	wrong '(retry' 1 "'(': its ) is missing"
	wrong 'retry)' 6 "')': there is no ( before it"
	wrong 'retry(3' 6 "'(': its ) is missing"
	wrong 'retry(3 + timeout(2s)' 9 "'+': expected , or ) here; a value with such characters is quoted"
	wrong 'retry(3,)' 9 "')': a value is expected; one with such characters is quoted"
	wrong "retry(on='1)" 10 "': this quote is not closed"
	wrong 'retry(3, attempts=4)' 10 'attempts: is there already, in column 7'
	wrong 'retry(3, 4)' 10 "'4': only the first argument may do without KEY="
	wrong 'retry(3, total)' 10 "'total': needs a value: total=DURATION"
	wrong '@' 1 '@: the name of a policy is missing'
	wrong '' 1 'an expression is missing, such as retry(3) + timeout(2s)'
}

@test "A long expression is shown around the error" {
	run -125 --separate-stderr nl-run "$(printf 'retry(3) + %.0s' {1..30}) tiemout(1) $(printf ' + retry(3)%.0s' {1..30})" true
	mapfile -t lines <<<"$stderr"
	[ "${#lines[@]}" -eq 3 ]
	[ "${#lines[1]}" -lt 80 ]
	[[ ${lines[1]:${#lines[2]}-1} == tiemout* ]]
}

@test "Nothing runs when something is wrong" {
	run -125 nl-run 'pass | retry(x)' touch ran
	run -125 nl-fallback '[' touch ran ']' '[' nl-run 'nonesuch' true ']'
	run -125 nl-run 'retry(3)'
	[[ $output == 'nl-run: missing COMMAND' ]]
	run -125 nl-run
	run -125 nl-run --json pass true
	run -125 nl-run --explain --canonical pass
	[ ! -e ran ]
}

@test "An expression has at most 65536 bytes and 512 layers" {
	run -125 nl-run "$(printf 'pass|%.0s' {1..512})pass" true
	[[ $output == *'more than 512 layers'* ]]
	run -125 nl-run "$(printf '(%.0s' {1..65})pass" true
	[[ $output == *'more than 64 parentheses and names inside each other'* ]]
	run -125 nl-run "$(printf 'pass+%.0s' {1..13200})pass" true
	[[ $output == *'longer than 65536 bytes'* ]]
	run -125 nl-run "$(printf '(pass|pass)+%.0s' {1..20})pass" true
	[[ $output == *'more than 65'*' words'* ]]
	run -0 nl-run "$(printf 'retry+%.0s' {1..200})pass" true
}

@test "--explain prints the calls, what is wrapped further in, with columns" {
	run -0 nl-run --explain '(retry(3, hold) | pass) + timeout(2)' c d
	[ "$output" = "$(cat <<-'END'
		fallback  # col 17
		  retry(3, hold)  # col 2
		    timeout(2s)  # col 27
		      c
		  timeout(2s)  # col 27
		    c
		nl-fallback [ nl-retry --attempts=3 --hold nl-timeout 2s c d ] [ nl-timeout 2s c d ]
	END
	)" ]
	echo 'a = pass | fail' >p
	run -0 nl-run -f p --explain $'retry &\n @a'
	[ "$output" = "$(cat <<-'END'
		race  # col 7
		  retry  # col 1
		    COMMAND
		  fallback  # p:1:10 @a
		    COMMAND
		    fail  # p:1:12
		nl-race [ nl-retry COMMAND ] [ nl-fallback [ COMMAND ] [ nl-run fail ] ]
	END
	)" ]
}

@test "The last line of --explain does the same" {
	local n=0 expr st1 st2 words=('[' ']' '|' ':::' "it's" '$x' '' 'a b' '\[')

	echo "NL_SEED=$seed"
	while read -r expr; do
		n=$((n + 1))
		set -- sh -c 'printf "<%s>" "$@"; exit '$((n % 3 ? 0 : 7)) sh "${words[@]}"
		nl-run --explain "$expr" "$@" | tail -n1 >line
		st1=0 st2=0
		export XDG_CACHE_HOME=$PWD/c$n
		NL_STATE=$(mktemp -d "$NL_STATE.XXXXXX") nl-run "$expr" "$@" >out1 2>err1 || st1=$?
		rm -rf "$XDG_CACHE_HOME"
		NL_STATE=$(mktemp -d "$NL_STATE.XXXXXX") sh ./line >out2 2>err2 || st2=$?
		[[ $st1 == "$st2" ]] && cmp out1 out2 || { printf '%s\n' "$expr: $st1 $st2"; cat line err1 err2; return 1; }
	done < <(awk -v seed="$seed" -v count=10 -f "$NL_ROOT/tests/aid/exprs.awk")
	[ $n -eq 10 ]
}

@test "The normal form means the same, and its normal form is itself" {
	local n=0 expr

	echo "NL_SEED=$seed"
	while read -r expr; do
		n=$((n + 1))
		echo "$expr"
		nl-run --canonical "$expr" >one
		nl-run --canonical "$(cat one)" | cmp one
		[ "$(shape "$expr")" = "$(shape "$(cat one)")" ]
		[ "$(line "$expr" c)" = "$(line "$(cat one)" c)" ]
		# Not a character more than needed.
		[ "$(wc -c <one)" -le "$(nl-run --canonical "(($expr))" | wc -c)" ]
	done < <(awk -v seed="$seed" -v count=5 -f "$NL_ROOT/tests/aid/exprs.awk")
	[ $n -eq 5 ]
	[ "$(normal '((retry(attempts=03,backoff=exp:1000ms)))|(pass)')" = 'retry(3, backoff=exponential:1s..60s) | pass' ]
}

@test "--explain has colour on a terminal, unless NO_COLOR is set" {
	unset NO_COLOR
	export TERM=xterm
	pty nl-run --explain retry c >said <<<'exit 0'
	grep -q $'\e\[2m' said
	NO_COLOR=1 pty nl-run --explain retry c >said <<<'exit 0'
	run ! grep -q $'\e' said
	nl-run --explain retry c >said
	run ! grep -q $'\e' said
}

@test "Text of users cannot drive a terminal" {
	nl-run --explain "retry(on-retry='"$'\e'"[31m')" c | head -n1 >said
	run ! grep -q $'\e' said
	run -125 nl-run "retry("$'\e'"[31m)" c
	[[ $output != *$'\e'* ]]
}

@test "--events and --state hold for all layers that have no other" {
	mkdir -m 700 s1 s2
	NL_EVENTS=off nl-run --events ./ev --state s1 'retry(2) + (breaker(a) | breaker(b, state=s2))' false || :
	[ "$(cd s1/breaker && echo *) $(cd s2/breaker && echo *)" = 'a b' ]
	[ "$(jq -r 'select(.event | startswith("nl.request")).kind' ev | sort -u | xargs)" = 'breaker fallback retry' ]
	[ "$(line --state /s --events off 'retry | breaker(b, state=/t)' c)" = \
		'nl-fallback --events=off --state=/s [ nl-retry --state=/s c ] [ nl-breaker --state=/t b c ]' ]
}

@test "nl-run is a word of a stack like any other" {
	run_both nl-retry -n2 -b const:1ms nl-run 'timeout(5) | pass' nl-bulkhead b flaky -q n 7
	[ "$status" -eq 7 ]
	run_both nl-run 'retry(2, backoff=const:1ms)' nl-run pass flaky -q m 8
	[ "$status" -eq 8 ]
}
