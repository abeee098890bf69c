#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# nlcheck.bats - the judge of event lines is judged.  events/good.ndjson holds
# every event in its variants, among foreign text; events/bad.ndjson streams
# with one fault each, behind "# " and the reason that must be given.

load helper

setup() {
	nl_setup
	events=$NL_ROOT/tests/events
}

@test "nlcheck accepts every event of nl-events(5), silently" {
	run nlcheck "$events/good.ndjson"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "nlcheck finds each fault and names it" {
	awk '/^# / { close(f); f = "stream" ++n; print n "\t" substr($0, 3) >"why"; next } { print >f }' "$events/bad.ndjson"
	sh -c 'while IFS="	" read -r n why; do
		nlcheck "stream$n" >found
		status=$?
		case $status:$(cat found) in
		1:"stream$n:"*"$why"*) [ "$(wc -l <found)" -eq 1 ] || echo "more than $why" ;;
		*) echo "expected \"$why\", got $status: $(cat found)" ;;
		esac
	done <why' >wrong
	cat wrong
	[ ! -s wrong ]
	[ "$(wc -l <why)" -gt 100 ]
}

@test "nlcheck counts events, runs, spans and foreign lines" {
	run nlcheck --stats "$events/good.ndjson"
	[ "$output" = 'events 76, runs 24, spans 28, foreign lines 1' ]
}

@test "nlcheck takes its files for one stream, and stdin without any" {
	head -n 4 "$events/good.ndjson" >a
	tail -n +5 "$events/good.ndjson" >b
	nlcheck a b
	cat a b | nlcheck
	run nlcheck b a
	[ "$status" -eq 1 ]
	[[ $output == *'a:2: nl.run.started is not the first of run'* ]]
}

@test "nlcheck wants the newline of every event" {
	printf %s "$(head -n 2 "$events/good.ndjson")" >torn
	run nlcheck torn
	[ "$status" -eq 1 ]
	[ "$output" = 'torn:2: no newline behind the event' ]
}

@test "nlcheck --canary finds a text in any value, however escaped, and not in foreign text" {
	nlcheck --canary 'line of the command' "$events/good.ndjson"
	run nlcheck --canary $'\e[31m/var' "$events/good.ndjson"
	[ "$status" -eq 1 ]
	[[ $output == *': the canary is in it: '* ]]
	run nlcheck --canary box "$events/good.ndjson"
	[ "$status" -eq 1 ]
}

@test "nlcheck --partial misses nothing, and --whole the end of every run" {
	grep -v '"sev":9' "$events/good.ndjson" >warn
	nlcheck --partial warn
	nlcheck warn
	run nlcheck --whole warn
	[ "$status" -eq 1 ]
	[[ $output == *'no nl.run.ended of run'* && $output == *'no nl.request.* of span'* ]]
	grep -v 'request.success' "$events/good.ndjson" >lost
	nlcheck --partial lost
	run nlcheck lost
	[ "$status" -eq 1 ]
	[[ $output == *'9 events, but 7 lines and 0 dropped'* && $output == *'no nl.request.* of span'* ]]
}

@test "nlcheck exits 2 when it cannot read" {
	run nlcheck ./absent
	[ "$status" -eq 2 ]
	run nlcheck --bogus
	[ "$status" -eq 2 ]
}

@test "nl-events.schema.json accepts and rejects what nlcheck does" {
	command -v node >/dev/null || skip 'no node'
	node "$NL_ROOT/tests/events_schema.js" "$NL_AID/nlcheck"
}
