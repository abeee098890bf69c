#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# A command does not notice that it is wrapped, nor does who waits for it:
# whatever state the two start in, whatever the command ends with.
#
# Words are split on purpose, $ in single quotes is for the shell inside, and
# each test is a subshell of its own:
# shellcheck disable=SC2046,SC2086,SC2016,SC2030,SC2031,SC2154
bats_require_minimum_version 1.5.0
load helper
load victim

# unseen [START]...: what a command below nl-timeout and nl-retry inherits is
# what it inherits without them, when START starts both.
unseen() {
	"$@" sigdump bare
	"$@" nl-timeout 60 sigdump timeout
	"$@" nl-retry -n 1 sigdump retry
	diff bare timeout
	diff bare retry
}

# closed N CMD...: with those of the descriptors 0, 1, 2 closed that N's bits say.
closed() (
	(($1 & 1)) && exec <&-
	(($1 & 2)) && exec >&-
	(($1 & 4)) && exec 2>&-
	shift
	exec "$@"
)

# --- start states ---

@test "A command inherits signals, descriptors, limits and the rest as if nobody wrapped it" {
	unseen
	: >fault.in
	exec 7<fault.in 8>>fault.out 9>&8
	unseen
	exec 7<&- 8>&- 9>&-
	(
		umask 027
		ulimit -S -c 0 -n 100 -s 1024
		unseen nice -n 3
		mkdir sub
		cd sub
		unseen
	)
	if [ "$(id -u)" = 0 ]; then
		unseen choom -n 500 --
	fi
}

@test "SIGCHLD ignored at the start hides no status, and the command inherits it ignored" {
	run -7 env --ignore-signal=CHLD nl-timeout 60 sh -c 'exit 7'
	run -7 env --ignore-signal=CHLD nl-retry -n 2 -b constant:1ms sh -c 'exit 7'
	run -124 env --ignore-signal=CHLD nl-timeout 0.3 sleep 60
	unseen env --ignore-signal=CHLD
	grep -q '^SigIgn:.*1....$' bare
}

@test "Signals blocked at the start stop no limit, and the command inherits them blocked" {
	local t
	t=$(ms)
	run -124 env --block-signal nl-timeout -k 0.3 0.3 sleep 60
	run -7 env --block-signal nl-retry -n 2 -b constant:1ms sh -c 'exit 7'
	run -124 env --block-signal=ALRM,CHLD nl-timeout 0.3 sleep 60
	[ $(($(ms) - t)) -lt 5000 ]
	unseen env --block-signal
	grep -q '^SigBlk:.*[1-9a-f]' bare
	unseen env --block-signal=USR1,TERM,CHLD
}

@test "SIGPIPE ignored or not at the start, the command inherits it so and nl-timeout does not die of it" {
	unseen env --ignore-signal=PIPE
	grep -q '^SigIgn:.*1...$' bare
	unseen env --default-signal=PIPE
	{ rc=0; NL_EVENTS=stderr nl-timeout 0.3 sleep 60 2>&1 || rc=$?; echo $rc >status; } | true
	[ "$(cat status)" = 124 ]
}

@test "SIGXFSZ from a file size limit does not reach the supervisor" {
	NL_EVENTS=stderr run -124 bash -c 'exec prlimit --fsize=0 nl-timeout -v 0.3 sleep 60 2>err'
	NL_EVENTS="$PWD/events" run -1 prlimit --fsize=0 nl-retry -n 3 -b constant:1ms -j none false
	[ ! -s err ]
	unseen env --ignore-signal=XFSZ
	unseen env --default-signal=XFSZ
}

@test "Descriptors 0, 1 and 2 that are closed at the start are closed for the command" {
	local n
	for n in 0 1 2 3 4 5 6 7; do
		unseen closed $n
		rc=0
		closed $n nl-timeout 60 sh -c 'exit 3' || rc=$?
		[ "$rc" = 3 ]
		rc=0
		NL_EVENTS=stderr closed $n nl-retry -n 2 -b constant:1ms sh -c 'exit 4' || rc=$?
		[ "$rc" = 4 ]
	done
	rc=0
	NL_EVENTS=stderr closed 7 nl-timeout -v 0.2 sleep 60 || rc=$?
	[ "$rc" = 124 ]
}

@test "The command gets no descriptor of ours" {
	run -0 sh -c 'ls /proc/self/fd'
	bare=$output
	for line in "nl-timeout 60" "nl-retry" "nl-timeout 60 nl-retry" "nl-retry -t 9" "nl-retry --stdin null"; do
		# shellcheck disable=SC2086
		run -0 $line sh -c 'ls /proc/self/fd'
		[ "$output" = "$bare" ]
	done
	NL_FUSE=0 run -0 nl-timeout 60 nl-retry -n 1 sh -c 'ls /proc/self/fd'
	[ "$output" = "$bare" ]
	# Streams that we copy change what 0, 1 and 2 are, not what else is open.
	for line in "nl-timeout --idle 9 60" "nl-retry -O" "nl-retry --retry-if x" "nl-retry --stdin replay"; do
		# shellcheck disable=SC2086
		run -0 $line sh -c 'ls /proc/self/fd' </dev/null
		[ "$output" = "$bare" ]
	done
}

@test "A supervisor works in 16 MiB of address space and 64 KiB of stack" {
	static_only
	run -0 prlimit --as=16777216 --stack=65536 nl-timeout 60 sigdump out
	run -125 prlimit --as=16777216 --stack=65536 nl-retry -n 2 sigdump /no/such/dir/out
	by_limit log prlimit --as=16777216 --stack=65536 nl-timeout LIMIT spawner log session daemon
	unseen env --ignore-signal=XCPU
}

# --- ends of commands ---

@test "A command that is stopped when the limit passes is continued so that it can end" {
	local t
	t=$(ms)
	# shellcheck disable=SC2016
	run -124 nl-timeout 0.4 sh -c 'trap "echo told >told; exit 3" TERM; kill -STOP $$; sleep 60'
	[ -s told ]
	[ $(($(ms) - t)) -lt 4000 ]
}

@test "Every exit status of a command is the status of what wraps it" {
	cat >loop <<-'EOF'
		while read -r want; do
			"$@" sh -c "exit $want" </dev/null
			rc=$?
			[ $rc = "$want" ] || { echo "$rc for $want"; exit 1; }
			n=$((n + 1))
		done
		[ $n = 107 ] || [ $n = 22 ]
	EOF
	{ seq 0 3 255; seq 120 140; } >many
	{ seq 0 17 255; seq 123 128; } >some
	sh loop nl-timeout 60 <many
	sh loop nl-retry -n 1 <some
}

@test "What wraps a command dies of every signal that the command can die of" {
	ulimit -c 0
	cat >loop <<-'EOF'
		while read -r want shell; do
			died one "$@" "$shell" -c "kill -$want \$\$" </dev/null
			read -r how <one
			[ "$how" = "signal $want" ] || { echo "$how for $want"; exit 1; }
			n=$((n + 1))
		done
		[ $n = 29 ] || [ $n = 7 ]
	EOF
	# bash is deaf to QUIT, sh has no real-time signals.
	{
		printf '%s sh\n' {1..16} {24..27} {29..31}
		printf '%s bash\n' 34 35 49 50 63 64
	} >many
	printf '%s sh\n' 1 2 3 6 9 11 15 >some
	sh loop nl-timeout 60 <many
	sh loop nl-retry -n 1 <some
}

@test "Only the command dumps core" {
	ulimit -S -c "$(ulimit -H -c)"
	strace -o bare bash -c 'kill -SEGV $$' || [ $? = 139 ]
	grep -q 'core dumped' bare || skip "no core dumps here"
	strace -o wrapped nl-timeout 60 bash -c 'kill -SEGV $$' || [ $? = 139 ]
	grep -q 'killed by SIGSEGV +++' wrapped
}

@test "As init of a pid namespace nl-timeout tells 128+n for a command that died of signal n" {
	root_only
	unshare -pf true 2>/dev/null || skip "no pid namespaces here"
	run -143 timeout -s KILL 10 unshare -pf --kill-child nl-timeout 60 sh -c 'kill -TERM $$'
	run -137 timeout -s KILL 10 unshare -pf --kill-child nl-timeout 60 sh -c 'kill -KILL $$'
	run -3 timeout -s KILL 10 unshare -pf --kill-child nl-timeout 60 sh -c 'exit 3'
	by_limit log timeout -s KILL 10 unshare -pf --kill-child nl-timeout -k 0.5 LIMIT spawner -d log session daemon
}

@test "A command that cannot be run is 126 or 127 at once, whatever wraps it" {
	local t
	echo 'echo not a program' >noformat
	cp "$(type -P true)" busy
	chmod +x noformat busy
	: >noexec
	exec 9>>busy
	t=$(ms)
	for cmd in ./noexec ./noformat ./busy . /etc; do
		run -126 nl-timeout 60 $cmd
		run -126 nl-retry -b constant:5s -j none $cmd
	done
	exec 9>&-
	for cmd in ./nothing nothing-of-the-kind /etc/passwd/x; do
		want=127
		[ "$cmd" != /etc/passwd/x ] || want=126
		run "-$want" nl-timeout 60 $cmd
		run "-$want" nl-retry -b constant:5s -j none $cmd
	done
	[ $(($(ms) - t)) -lt 20000 ]
}

@test "A list of arguments that has become too long for the system is status 126" {
	mkfifo go
	start nl-retry -n 3 -b constant:1ms -j none bash -c 'echo ready >log; read -r x <go; exit 1' bash \
		$(seq 100000 120000)
	wait_for 5 ready log
	prlimit --pid "$pid" --stack=65536
	echo >go
	ends 5
	[ "$rc" = 126 ]
}

@test "Arguments reach the command as they are, however many, long or odd" {
	local long
	long=$(head -c 131000 /dev/zero | tr '\0' x)
	for line in "nl-timeout 60" "nl-retry"; do
		# shellcheck disable=SC2016,SC2086
		run -0 $line sh -c 'echo $#' sh $(seq 100000)
		[ "$output" = 100000 ]
		# shellcheck disable=SC2016,SC2086
		run -0 $line sh -c 'echo ${#1}' sh "$long"
		[ "$output" = 131000 ]
		# shellcheck disable=SC2086
		run -0 $line printf '%s|' "it's" 'a b' '$HOME' '' '*' $'n\nl' -- --help
		[ "$output" = $'it\'s|a b|$HOME||*|n\nl|--|--help|' ]
		run -127 $line ""
	done 2>/dev/null
	run -125 nl-timeout
	run -125 nl-timeout 60
	run -125 nl-retry
	run -0 bash -c 'exec -a "" nl-timeout 60 true'
	run -124 bash -c 'exec -a "" nl-timeout 0.1 sleep 60'
	run -3 bash -c 'exec -a -nl-retry nl-retry -n 1 sh -c "exit 3"'
}
