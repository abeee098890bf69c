#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# share/ninelives/policies: what is installed as a start runs, is in the right
# order, and sees what hangs.
bats_require_minimum_version 1.5.0
load helper

policies=$BATS_TEST_DIRNAME/../lib/policies

# The names in the file.
names() { sed -n 's/^\([a-z0-9_]*\) *=.*/\1/p' "$policies"; }

# The command line of nested tools that a policy is.
line_of() { nl-run -f "${2:-$policies}" --explain "@$1" COMMAND | tail -n 1; }

@test "Each policy has a comment before it that says when to use it" {
	[ "$(names | sort | xargs)" = "api_guardrail database_client external_api fast_cache hedged_read \
hedged_then_fallback message_producer reliable_read retry_fast sensible_defaults timeout_p95 web_service" ]
	awk '/^$/ { said = 0 } /^# ./ { said++ } /^[a-z]/ { if (!said) { print "says nothing: " $1; bad = 1 } said = 0 } END { exit bad }' "$policies"
}

@test "Each policy runs a good command and hands on what it says" {
	for p in $(names); do
		NL_STATE=$NL_STATE run -0 nl-run -f "$policies" "@$p" echo "$p"
		[ "$(grep -v '^{' <<<"$output")" = "$p" ]
	done
}

@test "Each policy has a normal form" {
	for p in $(names); do
		run -0 nl-run -f "$policies" --canonical "@$p"
		[ -n "$output" ]
	done
}

@test "In each policy the limit is innermost, and the retry outermost" {
	for p in $(names); do
		line_of "$p"
		line_of "$p" | tr -d "'" | awk '
			# Higher may stand around lower only.
			BEGIN { rank["nl-race"] = rank["nl-fallback"] = 5; rank["nl-retry"] = 4; rank["nl-breaker"] = 3
				rank["nl-bulkhead"] = 2; rank["nl-timeout"] = 1; last = 9 }
			{ for (i = 1; i <= NF; i++) {
				if ($i == "[" || $i == ":::" || $i == "]")
					last = 5.5
				if ($i in rank) {
					if (rank[$i] >= last) { print $i " is too far in"; bad = 1 }
					last = rank[$i]
					seen++
				}
			} }
			END { exit bad || !seen }'
	done
}

@test "Each wait of a policy has a cap, and each limit below a second a grace as short" {
	run ! grep -oE 'backoff=(exp|l|fib)[a-z]*:[0-9a-z]+[,)]' "$policies"
	run ! grep -E 'timeout\([0-9]+ms\)' "$policies"
	grep -q 'backoff=exp:[0-9a-z]*\.\.' "$policies"
}

@test "A dependency that hangs opens the breaker of each policy that has one" {
	local found=0 calls

	# The same policies, but quick: limits of 50 ms, no waits between attempts.
	sed 's/timeout([0-9a-z]*/timeout(50ms/g; s/backoff=[a-z]*:[0-9a-z.]*/backoff=const:0/g' "$policies" >quick
	run ! cmp "$policies" quick
	for p in $(names); do
		line_of "$p" quick | grep -q nl-breaker || continue
		found=$((found + 1))
		export NL_STATE=$BATS_TEST_TMPDIR.state/$p
		mkdir "$NL_STATE"
		# As many calls as it has failures to count are always enough.
		for ((calls = 1; ; calls++)); do
			[ "$(status_of nl-run -f quick "@$p" sleep 60)" != 0 ]
			[ "$(nl-ctl show --json "breaker/$p" | jq -r .value.state)" != open ] || break
			((calls < 15))
		done
		# Now nothing runs behind it.
		line_of "$p" quick | grep -q nl-fallback || [ "$(status_of nl-run -f quick "@$p" touch ran)" = 75 ]
		[ ! -e ran ]
	done
	[ "$found" -ge 5 ]
}

@test "No breaker of a policy is in two branches of it" {
	for p in $(names); do
		line_of "$p" | tr ' ' '\n' | awk -v p="$p" '$0 == "nl-breaker" { on = 1 } on && $0 == p { n++; on = 0 } END { exit n > 1 }'
	done
}

@test "nl-run --check finds nothing unwise in any policy" {
	for p in $(names); do
		run -0 nl-run -f "$policies" --check "@$p"
		[ -z "$output" ]
	done
}
