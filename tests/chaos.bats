#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Writers are killed at random, lines are lost, doubled and shuffled, and
# nl-observe(1) says exactly what of all that happened.
bats_require_minimum_version 1.5.0
load helper

setup_file() { export BATS_TEST_TIMEOUT=120; }

# 64 writers to one file.  Each starts tools two by two, and kills the first of
# them when the second has ended.
storm_of_writers() {
	local i pids=()

	for i in {1..64}; do
		writer "$i" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
} 2>/dev/null

writer() {
	local round first

	for round in 1 2; do
		NL_EVENTS=$PWD/log@debug nl-retry --name "db-$(($1 % 5))" -n 4 -b const:4ms nl-timeout 5s sh -c 'exit 3' &
		first=$!
		NL_EVENTS=$PWD/log@debug nl-timeout --name "api-$(($1 % 3))" 5s sh -c "exit $((($1 + round) % 3 % 2))" || :
		kill -KILL "$first" || :
		wait "$first" || :
	done
}

# What is true of a log: counted by jq and awk.
truth() {
	jq -r '[.run, .event, .events // 0] | @tsv' "$1" | awk '
		{ lines[$1]++ }
		$2 == "nl.run.ended" { sent[$1] = $3 }
		END {
			for (r in lines) {
				runs++
				if (r in sent) { ended++; all += sent[r]; lost += sent[r] - lines[r] }
			}
			printf "runs %d\nended %d\nkilled %d\nsent %d\nlost %d\n", runs, ended, runs - ended, all, lost
		}'
}

stats() { nl-observe --stats "$@" | grep -E '^(runs|ended|killed|sent|lost) '; }

stat_of() { nl-observe --stats "${@:2}" | sed -n "s/^$1 //p"; }

@test "Whoever is killed at random, of each run that ended it is known how many lines were sent, read and lost" {
	storm_of_writers
	# A writer that is killed within its only write(2) leaves a whole line or none.
	[[ $(stat_of ok log) = "$(wc -l <log)" ]]
	diff <(truth log) <(stats log)
	(($(stat_of lost log) == 0 && $(stat_of ended log) >= 128))

	# Each fifth line is lost, also ends; then what is left is there twice and shuffled.
	awk 'NR % 5' log >some
	diff <(truth some) <(stats some)
	(($(stat_of lost some) > 0))
	cat some some | shuf >both
	diff <(truth some) <(stats both)
	[[ $(stat_of dup both) = "$(wc -l <some)" ]]
}

@test "A run that is killed hides only lines behind those that were read, and is told as killed" {
	# It writes events until its third attempt tells us, and waits.  start sets $pid.
	# shellcheck disable=SC2016
	NL_EVENTS=$PWD/log@debug start nl-retry --name victim -b const:1ms -n 9 \
		sh -c '[ "$NL_ATTEMPT" = 3 ] && touch here && exec sleep 60; exit 3'
	wait_for 10 test -e here
	# shellcheck disable=SC2154
	kill -KILL "$pid"
	NL_EVENTS=$PWD/log@debug nl-timeout 5s true
	[[ $(stats log) = $'runs 2\nended 1\nkilled 1\nsent 3\nlost 0' ]]
	[[ $(stat_of gaps log) = 0 ]]
	[[ $(field seq log | head -n 3 | tr '\n' ' ') = "0 1 2 " ]]
	# A line in the middle that is missing is a gap of it, as it sends everything.
	sed 2d log >holed
	[[ $(stat_of gaps holed) = 1 ]]
}

@test "Lines of many runs out of order, doubled, lost and among other text are counted exactly" {
	for seed in 1 2 3; do
		eventgen -n 20000 -s $seed -p 30 -t 600 -v 5 -o 500 -d 30000 -l 20000 -x 30000 -f 50000 -a truth >log
		nl-observe --stats log >stats
		for key in not_event dup lines ended sent lost; do
			[[ $(sed -n "s/^$key //p" stats) = "$(sed -n "s/^$key //p" truth)" ]] || { echo "$seed: $key"; diff truth stats; false; }
		done
		(($(sed -n 's/^ok //p' stats) + $(sed -n 's/^dup //p' stats) + $(sed -n 's/^not_event //p' stats) == $(wc -l <log)))
	done
}
