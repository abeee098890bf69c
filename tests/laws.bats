#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The algebra in real processes: random expressions around a command whose runs
# all end alike, fused and nested, against what an independent oracle says (the
# end, the runs).  tests/sim/laws_test.c does the same with commands that differ,
# on a virtual clock, a hundred thousand times.
bats_require_minimum_version 1.5.0
load helper

setup_file() { export BATS_TEST_TIMEOUT=$((LAWS ? 900 : 100)); }

# What differs between two races is who wins; the end is the same.
cat_race() {
	cat <<-'EOF'
		mkdir -p "$3"
		cd "$3" || exit
		for fuse in 1 0; do
			mkdir $fuse && cd $fuse || exit
			sh -c "NL_FUSE=$fuse NL_EVENTS=$PWD/ev exec died how $4" <"$NL_ROOT/LICENSE" >out 2>err 3>&-
			case $(cat how) in "exit $1") ;; "signal 15") [ "$1" = TERM ] || echo "again: $1 $2 $4" ;; *) echo "again: $1 $2 $4" ;; esac
			cd ..
		done
	EOF
}

# random COUNT: so many lines; one that ends differently has two more tries alone.
random() {
	local seed=${NL_SEED:-$RANDOM$RANDOM} try

	echo "NL_SEED=$seed"
	cat_race >race
	# shellcheck disable=SC2016
	echo 'if [ "$2" = - ]; then sh "$RACE" "$@"; else "$NL_ROOT/tests/aid/both.sh" -w "$1" -n "$2" "$3" "$4" || echo "again: $1 $2 $4"; fi' >one
	SIM_LINES=$1 SIM_SEED=$seed "$NL_ROOT/build/asan/unit/laws_test" >todo
	[ "$(wc -l <todo)" = "$1" ]
	for try in 1 2 3; do
		mkdir "$try"
		k=0
		while read -r want calls line; do
			k=$((k + 1))
			printf '%s\0' "$want" "$calls" "$PWD/$try/$k" "$line"
		done <todo | RACE=$PWD/race xargs -0 -n 4 -P 4 sh "$PWD/one" >"said.$try"
		sed -n 's/^again: //p' "said.$try" | sort -u >todo
		[ -s todo ] || break
	done
	cat "said.$try"
	[ ! -s todo ]
	# All of them have run, twice.
	[ "$(find 1 -name how -size +0 | wc -l)" = $((2 * $1)) ]
}

@test "Random expressions end as the oracle says, fused and nested" {
	random "${LAWS:-250}"
}

# How often the command runs, and how it ends, of an expression around one that hangs.
runs_of() {
	rm -f n
	status_of nl-run "$1" flaky n hang >status
	wc -c <n
}

@test "A + (B | C) is not (A + B) | (A + C): one budget or two" {
	[ "$(runs_of 'timeout(200ms) + (pass | pass)')" = 1 ]
	[ "$(cat status)" = 124 ]
	[ "$(runs_of '(timeout(200ms) + pass) | (timeout(200ms) + pass)')" = 2 ]
	rm -f n
	[ "$(status_of nl-run 'retry(2, backoff=const:0) + (pass | pass)' flaky n 1 1 1 0)" = 0 ]
	rm -f n
	[ "$(status_of nl-run '(retry(2, backoff=const:0) + pass) | (retry(1) + pass)' flaky n 1 1 1 0)" = 1 ]
}

@test "A | A is not A: it runs twice" {
	rm -f n
	run -1 nl-run 'pass | pass' flaky -q n 1
	[ "$(wc -c <n)" = 2 ]
}

@test "retry(m) + retry(n) runs m n times at most" {
	rm -f n
	run -1 nl-run 'retry(3, backoff=const:0) + retry(2, backoff=const:0)' flaky -q n 1
	[ "$(wc -c <n)" = 6 ]
}
