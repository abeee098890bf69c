#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# nl-retry --budget: retries of all who name a budget are paid from one purse.
# shellcheck disable=SC2154  # variables of helper.bash
bats_require_minimum_version 1.5.0
load helper

@test "Processes that name one budget share its tokens" {
	: >"$NL_EVENTS"
	run nl-retry -n 9 -b constant:0 --budget x:grpc false
	[ "$status" -eq 1 ]
	[ "$(field attempts | head -n 1)" = 5 ]         # 10 tokens: the fifth failure leaves half.
	[ "$(field reason)" = budget ]
	[ "$(field budget)" = x ]
	[ "$(field tokens)" = 5.000000 ]
	[ "$(field cost)" = 1.000000 ]
	: >"$NL_EVENTS"
	run nl-retry -n 9 -b constant:0 --budget x sh -c 'exit 7'
	[ "$status" -eq 7 ]
	[ "$(field attempts | head -n 1)" = 1 ]
	run nl-retry -n 9 -b constant:0 --budget other:grpc flaky n 1 0
	[ "$status" -eq 0 ]
}

@test "A spent budget is said, with what is left and what a retry takes" {
	nl-retry -n 9 -b constant:0 --budget x:grpc false || :
	run --separate-stderr env NL_EVENTS=human nl-retry -b constant:0 --budget x false
	[[ $stderr == *"the budget x is spent (4 tokens left, a retry takes 1)"* ]]
}

@test "Success pays back, so that a healthy service can always be retried" {
	for ((i = 0; i < 20; i++)); do
		rm -f n
		nl-retry -b constant:0 --budget x flaky n 1 0
	done
	: >"$NL_EVENTS"
	nl-retry -b constant:0 --budget x flaky m 1 0
	[ "$(events | grep -c exhausted)" = 0 ]
}

@test "Twenty loops at once take no more than there is" {
	# 100 tokens, 5 a retry: 20 retries and 20 first attempts.
	nl-retry --budget x true
	nl-ctl set budget/x.max=100
	local all=()
	for ((i = 0; i < 20; i++)); do
		nl-retry -n 9 -b constant:0 --budget x flaky "n$i" 1 >/dev/null 3>&- &
		all+=("$!")
	done
	wait "${all[@]}" || :
	[ "$(cat n* | wc -c)" = 40 ]
}

@test "What nl-ctl sets of a budget holds for the next attempt, unless --pin" {
	nl-retry --budget x true
	nl-ctl set budget/x.max=10 budget/x.cost=5
	: >"$NL_EVENTS"
	nl-retry -n 9 -b constant:0 --budget x false || :
	[ "$(field attempts | head -n 1)" = 3 ]
	: >"$NL_EVENTS"
	nl-ctl set budget/x.cost=0.001
	nl-retry -n 9 -b constant:0 --budget x false || :
	[ "$(field attempts | head -n 1)" = 1 ]
	run nl-ctl set budget/x.cost=-1
	[ "$status" -ne 0 ]
}

@test "A timeout and a rejection have costs of their own" {
	nl-retry --budget x true
	nl-ctl set budget/x.max=25
	: >"$NL_EVENTS"
	nl-retry -n 9 -b constant:0 --budget x sh -c 'exit 124' || :
	[ "$(field attempts | head -n 1)" = 3 ]         # 10 each.
	[ "$(field cost | head -n 1)" = 10.000000 ]
	nl-retry --budget y:aws-2.1 true
	nl-ctl set budget/y.max=11
	: >"$NL_EVENTS"
	nl-retry -n 9 -b constant:0 --on 75 --budget y sh -c 'exit 75' || :
	[ "$(field attempts | head -n 1)" = 3 ]         # 5 each.
}

@test "A budget has one profile: who names another is told" {
	nl-retry --budget x:grpc true
	: >"$NL_EVENTS"
	nl-retry --budget x:finagle true
	[ "$(events | grep -c nl.policy.conflict)" = 1 ]
	[ "$(field mine)" = finagle ]
	[ "$(field theirs)" = grpc ]
}

@test "A budget that cannot be used does not keep a command from being retried" {
	mkdir -p "$NL_STATE"
	chmod 777 "$NL_STATE"
	: >"$NL_EVENTS"
	run nl-retry -n 3 -b constant:0 --budget x flaky n 1 1 0
	[ "$status" -eq 0 ]
	[ "$(events | grep -c nl.state.degraded)" = 1 ]
	chmod 700 "$NL_STATE"
}

@test "A budget that is none is an error" {
	for b in '' ':grpc' 'a b' 'x:' 'x:aws' "$(printf '%065d' 1)"; do
		run nl-retry --budget "$b" true
		[ "$status" -eq 125 ]
	done
	[[ $(nl-retry --budget x:aws true 2>&1) == *"unknown profile (aws-2.0, aws-2.1, grpc, finagle)"* ]]
}

@test "An attempt that was stopped from outside is no failure to a budget" {
	nl-retry --budget x:grpc sh -c 'echo >there; sleep 60' 3>&- &
	wait_for 5 test -e there
	kill "$!"
	wait "$!" || [ $? = 143 ]
	[ "$(od -An -td8 -j 1000 -N 8 "$NL_STATE/budget/x" | tr -d ' ')" = 10000 ]
}
