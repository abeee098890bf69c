#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Writers are killed at random, lines are lost, doubled and shuffled, and
# nl-observe(1) says exactly what of all that happened.
bats_require_minimum_version 1.5.0
load helper

setup_file() { export BATS_TEST_TIMEOUT=120; }

# storm_of_writers PLACES: 64 of them.  Each starts tools two by two, and kills the
# first of them when one to three others have ended.
storm_of_writers() {
	local i pids=()

	for i in {1..64}; do
		NL_EVENTS=$1 writer "$i" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
} 2>/dev/null

writer() {
	local round first n

	for round in 1 2; do
		nl-retry --name "db-$(($1 % 5))" -n 4 -b const:4ms nl-timeout 5s sh -c 'exit 3' &
		first=$!
		for ((n = RANDOM % 3; n >= 0; n--)); do
			nl-timeout --name "api-$(($1 % 3))" 5s sh -c "exit $((($1 + round) % 3 % 2))" || :
		done
		kill -KILL "$first" || :
		wait "$first" || :
	done
}

has_lines() { (($(wc -l <"$1") > $2)); }

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
	storm_of_writers "$PWD/log@debug"
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

# judge LOG SNAPSHOT STATS: what SNAPSHOT has of each run is what LOG, which has every
# line, and the runs themselves say.  A run that told its end there has lost just what
# it had to drop; one that did not is killed, and nothing else is.
judge() {
	jq -r '["line", .run, .seq, .events // 0] | @tsv' "$1" >lines
	awk '
		function fail(what) { print FILENAME ": " $0 ": " what; bad = 1; exit 1 }
		$1 == "line" { n[$2]++; wrote[$2, $3]; if ($4) ended[$2] = $4 }
		$1 == "run" {
			for (i = 9; i <= NF; i++) {
				split($i, range, ":")
				for (k = range[1]; k < range[2]; k++) {
					if (!(($2, k) in wrote)) fail("read what nobody wrote")
					read++; mine[$2]++
				}
			}
			runs++; all += mine[$2]
			if ($5) {
				if (ended[$2] != $5 || n[$2] != $5) fail("sent " n[$2])
				if ($5 - mine[$2] != $6) fail("dropped " $5 - mine[$2])
				ends++; sent += $5; lost += $6
			}
		}
		FILENAME ~ /^stats/ { is[$1] = $2 }
		END {
			if (bad) exit 1
			says = is["runs"] " " is["ended"] " " is["killed"] " " is["sent"] " " is["lost"] " " is["ok"]
			if (says != runs " " ends " " runs - ends " " sent " " lost " " all) { print says; print runs, ends, runs - ends, sent, lost, all; exit 1 }
		}' lines "$2" "$3"
}

@test "Wherever 64 writers write while they are killed, each place is accounted exactly, and what it dropped" {
	local place waker pids=()

	mkdir dir
	mkfifo fifo
	start nl-observe -F --stats --snapshot snap.fifo fifo >stats.fifo
	pids+=("$pid")
	exec 9>fifo
	start nl-observe --stats --snapshot snap.sock unix:sock >stats.sock 9>&-
	pids+=("$pid")
	wait_for 5 test -S sock
	# So that the queue of the socket is full for a while, and lines are dropped.
	kill -STOP "$pid"
	(wait_for 20 has_lines log 200; kill -CONT "$pid") 3>&- 9>&- &
	waker=$!
	storm_of_writers "$PWD/log@debug+$PWD/dir/@debug+fifo:$PWD/fifo@debug+unix:$PWD/sock@debug" 9>&-
	exec 9>&-
	wait "$waker"
	kill -TERM "${pids[@]}"
	wait "${pids[@]}" || :
	nl-observe --stats --snapshot snap.log log >stats.log
	nl-observe --stats --snapshot snap.dir dir >stats.dir
	for place in log dir fifo sock; do
		judge log "snap.$place" "stats.$place"
	done
	# Whoever was killed hides lines behind those that it wrote, and none before.
	(($(sed -n 's/^ended //p' stats.log) >= 128 && $(sed -n 's/^killed //p' stats.log) >= 32))
	(($(sed -n 's/^lost //p' stats.log) == 0 && $(sed -n 's/^gaps //p' stats.log) == 0))
	(($(sed -n 's/^lost //p' stats.dir) == 0 && $(sed -n 's/^gaps //p' stats.dir) == 0))
	(($(sed -n 's/^dropped //p' stats.sock) > 0))
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
