#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# mutants.sh - does anybody notice?  Builds the library with each promise of
# lib/mut.h broken and runs the test that guards it: that test must fail, and
# must pass on the library as it is.  `make mutants` says how things are built;
# MUTANTS='NAME...' takes only these, NL_JOBS (2) at a time.
#
# Words of CC, FLAGS and LINK are split on purpose:
# shellcheck disable=SC2086
set -u
cd "$(dirname "$0")/.." || exit
out=build/mutants

# NAME COMMAND: one row per name of lib/mut.h; @ is where the programs are.
table() {
	cat <<-'EOF'
	NO_SUBREAPER        bats fault.bats 'The limit ends descendants in other groups'
	NO_DEATHSIG         bats signal.bats 'is killed by SIGKILL its command dies'
	ANY_PARENT          sweep -c spawning -l 2
	REAPS_FIRST         env FAULT=2:any:0:EIO @/faults_test
	SIGNALS_TWICE       policy
	NOT_TOLD            bats retry.bats 'Told to stop during an attempt'
	UNKNOWN_IS_0        bats fault.bats 'status of a command cannot be learnt'
	ADOPTS_DAEMONS      bats fault.bats 'A daemon that an earlier attempt left'
	SLEEPS_PAST_LIMIT   policy
	SLEEPS_THROUGH_IDLE policy
	ANY_OWNER           policy
	NO_CAP              policy
	KEEPS_HELD          env FAULT=6:any:0:EIO @/faults_test
	HALF_REPLAY         env FAULT=8:pwrite:1:EIO+ @/faults_test
	OUR_MASK            bats transparent.bats 'A command inherits signals'
	OUR_SIGCHLD         bats transparent.bats 'SIGCHLD ignored at the start'
	RAW_TEXT            policy
	READER_FOR_EVER     bats events.bats 'went away and came again'
	LOST_UNTOLD         bats sink.bats 'is told how many'
	REPLACES_DEVICES    bats export.bats 'replaces a regular file alone'
	NEVER_RESTS         bats ingest.bats 'costs nothing'
	SCRAPED_BY_PAGES    bats export.bats 'it is 403'
	DELIVERS_SOME       bats sink.bats 'each event that comes'
	GIVES_TWICE         bats sink.bats 'no place gets a line twice'
	UNTIL               @/circuit_test
	SLOW_AT             bats simulate.bats 'slow when it lasts longer'
	RATE_ABOVE          @/circuit_libs_test
	STALE_APPLIED       @/circuit_test
	TRIPS_ON_SUCCESS    @/circuit_libs_test
	NO_GROWTH           bats simulate.bats 'open times grow by factor'
	MIN_UNCLAMPED       @/circuit_test
	HALF_BATCH          @/circuit_libs_test
	AND_BINDS_LESS      laws
	RIGHT_ASSOC         @/expr_test
	DISTRIBUTES_WRONG   laws
	INNER_LIMIT_WINS    laws
	ONE_MORE            laws
	FAIL_SPEAKS         laws
	PIPE_ORPHANS        bats pipe.bats 'nl-pipe is killed, so are the stages'
	PIPE_MASK           bats pipe.bats 'Each stage starts as nl-pipe was'
	PIPE_ENOUGH         bats pipe.bats 'died of SIGPIPE has not failed'
	PIPE_FIRST          bats pipe.bats 'as with pipefail in bash'
	PIPE_EXITS          bats pipe.bats 'What cannot be started is 125'
	GRACE_FORGOTTEN     env SIM_SEED=1 SIM_CASES=1000 @/bounds_test
	SLEEP_OFF_BY_ONE    env SIM_SEED=1 SIM_CASES=1000 @/bounds_test
	RACE_SUMS           env SIM_SEED=1 SIM_CASES=1000 @/bounds_test
	CANCELLED_COUNTS    system
	TICKET_OUTSIDE_GUARD system
	PREDECESSOR_ONLY    system
	INDEX_NOT_COUNT     system
	COUNTS_BY_RANGE     system
	UNLOCK_ALONE        system
	LATE_WATCH          system
	SLOT_NOT_INHERITED  system
	NO_GUARD            system
	BARGES              system
	ACTS_ON_OLD         system
	PROBES_UNCOUNTED    system
	LEAKS_PROBE         system
	INHERITS_PROBE      system
	EPOCH_WRAPS         system
	HALF_EARLY          system
	TIES_GO_RIGHT       @/heat_test
	FAILURE_WAITS       @/heat_test
	KILLS_DAEMONS       bats race.bats 'What the winner leaves running'
	LATE_REAP           bats race.bats 'one that does not for the grace'
	LOSER_COUNTS        bats race.bats 'breaker counts nothing'
	LOSER_DELIVERED     bats race.bats 'its output alone is written'
	SHARES_COUNT        bats race.bats 'counts its own events'
	LOST_UNMEASURED     bats race.bats 'as long as so many of the earlier calls'
	LAST_SPEAKS         bats fallback.bats 'status is that of the first that ran'
	KILLS_STRANGERS     bats embed.bats 'no child of the program'
	LAST_MARK_ALONE     bats embed.bats 'branch of a race whose own process'
	EATS_SIGCHLD        bats embed.bats 'it gets its SIGCHLD'
	LATE_IS_FINE        bats embed.bats 'behind its deadline has timed out'
	LATE_BY_ARRIVAL     @/observer_test
	FIRST_TO_COME       @/observer_test
	OLDEST_BY_NUMBER    @/observer_test
	OLD_IS_LATE         bats ingest.bats 'there at the start is late'
	MERGE_BY_MOST       @/sketch_test
	SERIES_GONE         bats ingest.bats 'shortest names are kept'
	READS_TWICE         @/observer_test
	ZERO_IN_FRONT       @/shape_test
	FIRST_OF_GLUED      @/shape_test
	SKIPS_TAIL          bats ingest.bats 'that has no newline yet is left'
	RESUMES_ANOTHER     bats ingest.bats 'known by its path'
	TAKES_SOCKET        bats ingest.bats 'nothing else is'
	TEE_EATS            bats ingest.bats 'unchanged, byte for byte'
	OVERWRITES_SNAPSHOT bats ingest.bats 'damaged or none is an error'
	DROPS_UNCOUNTED     bats chaos.bats 'each place is accounted exactly'
	KILLED_ENDS         bats chaos.bats 'each place is accounted exactly'
	FORGETS_READ        bats ingest.bats 'Whenever it is killed'
	STOPS_DEAF          bats ingest.bats 'followed FIFO is read when told to stop'
	WAITS_FOR_SLOW      bats serve.bats 'subscriber that is slow loses'
	MISSES_UNTOLD       bats serve.bats 'subscriber that is slow loses'
	PATIENT             bats serve.bats 'within 10 seconds'
	CROWDS_OUT          bats serve.bats '64 clients'
	WAITS_FOR_REST      bats serve.bats 'within 10 seconds'
	KEEPS_LONG          bats serve.bats 'at most 64 KiB'
	LEAKS_CALLER        bats serve.bats 'dies before it has its reply'
	FEARS_DEAD          bats serve.bats 'dead server has left'
	ANYBODY_OBSERVES    bats serve.bats 'Rules hold for observe'
	LEAVES_RAW          bats top.bats 'given back whatever ends it'
	CRASHES_RAW         bats top.bats 'given back whatever ends it'
	LIVE_IS_KILLED      bats serve.bats 'was killed is told'
	FINDS_AGAIN         bats serve.bats 'was killed is told'
	SCRAPE_WAITS        bats export.bats 'within five seconds'
	REPLAYS_NO_QUEUE    bats explain.bats 'under the recorded values is what was, in a storm'
	REPLAY_BARGES       bats explain.bats 'under the recorded values is what was, in a storm'
	LOSS_IS_FRAUD       bats explain.bats 'verify calls no line that was lost'
	REPLAY_UNRULED      bats explain.bats 'replay goes by the semantics'
	EOF
}

# build NAME COMMAND: all tools, and the unit programs that COMMAND names, of the
# library's own objects but those that NAME is in.
build() {
	d=$out/$1
	rm -rf "$d"
	mkdir -p "$d/bin"
	grep -l "MUTANT($1)" lib/*.c lib/observe/*.c | while read -r c; do
		$CC $FLAGS -UMUT -DMUT="MUT_$1" -c -o "$d/$(basename "$c" .c).o" "$c" || exit
	done || return
	objects=$(find "$d" -maxdepth 1 -name '*.o')
	for c in bin/*.c; do
		p=$(basename "$c" .c) o=$O/obj/${c%.c}.o libs=
		case $p in nl-pipe | nl-observe) libs=$PIPE ;; esac
		[ "$p$libs" != nl-pipe ] || continue
		if grep -q "MUTANT($1)" "$c" || [ ! -e "$o" ]; then     # nl-observe may be the other variant's.
			o=$d/bin/$p.o
			$CC $FLAGS -UMUT -DMUT="MUT_$1" -c -o "$o" "$c" || return
		fi
		$CC $FLAGS -o "$d/bin/$p" "$o" $objects "$O/libninelives.a" $libs $LINK || return
	done
	case $2 in
	*embed.bats*) $CC $FLAGS -o "$d/bin/host" "$O/obj/tests/aid/host.o" "$d"/*.o "$O/libninelives.a" $LINK || return ;;
	esac
	for c in tests/sim/*_test.c tests/unit/*_test.c; do
		p=$(basename "$c" .c)
		case "$2 " in *"@/$p "* | "${p%_test} ") ;; *) continue ;; esac
		$CC $FLAGS -o "$d/$p" "$O/obj/${c%.c}.o" $objects "$O/libfake.a" "$O/libninelives.a" $LINK || return
	done
}

# bats FILE NAME, sweep ARG..., policy, laws, system: on the programs in $at.
bats() {
	env --default-signal setsid bats -f "$2" "tests/$1" </dev/null
}
sweep() {
	"$NL_AID/sweep" "$@"
}
policy() {
	SIM_SEED=1 SIM_CASES=20000 "$at/policy_test"
}
laws() {
	SIM_SEED=1 SIM_CASES=10000 "$at/laws_test"
}
system() {
	SIM_SEED=1 SIM_STEPS=20000000 "$at/system_test"
}

try() {
	at=$1 NL_BIN=$PWD/$1/bin
	export NL_BIN
	eval "$(printf %s "$2" | sed "s,@,$at,g")"
}

judge() {
	name=$1 test=$2
	mkdir -p "$out"
	if [ -z "$PIPE" ] && grep -q "MUTANT($name)" bin/nl-pipe.c; then
		echo "skipped  $name: no libpipeline of this variant (make musl-deps)"
		return 0
	fi
	if ! build "$name" "$test" >"$out/$name.log" 2>&1; then
		echo "BROKEN   $name: does not build, see $out/$name.log"
		return 1
	fi
	# A busy machine may make a good one fail, or be too slow to see a bad one.
	for i in 1 2 3; do
		! (try "$O/unmutated" "$test") >"$out/$name.log" 2>&1 || i=0
		[ $i != 0 ] || break
	done
	if [ $i != 0 ]; then
		echo "BROKEN   $name: its test fails anyway: $test"
		return 1
	fi
	for i in 1 2 3; do
		(try "$out/$name" "$test") >"$out/$name.log" 2>&1 || { echo "killed   $name"; return 0; }
	done
	echo "SURVIVES $name: $test"
	return 1
}

: "${O:?make mutants}" "${CC:?}" "${FLAGS:?}" "${LINK?}" "${PIPE?}"
NL_ROOT=$PWD NL_AID=$PWD/$O/aid BATS_TEST_TIMEOUT=20 LC_ALL=C.UTF-8
export NL_ROOT NL_AID BATS_TEST_TIMEOUT LC_ALL
if [ "${1-}" = --judge ]; then
	judge "$2" "$(table | sed -n "s/^$2 *//p")"
	exit
fi
rm -rf "$out" "$O/unmutated"
mkdir -p "$O/unmutated"
ln -s ../bin "$O/unmutated"
for u in "$O"/unit/*_test; do ln -s "../unit/${u##*/}" "$O/unmutated"; done
rows=$(table | awk '{ print $1 }')
[ -n "${MUTANTS-}" ] || sed -n 's/^	MUT_\([A-Z_0-9]*\).*/\1/p' lib/mut.h | while read -r name; do
	echo "$rows" | grep -qx "$name" || { echo "no test for $name"; exit 1; }
done || exit
for name in ${MUTANTS:-$rows}; do echo "$name"; done | xargs -P "${NL_JOBS:-2}" -n 1 "$0" --judge
