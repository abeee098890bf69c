#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What can go wrong around a supervisor, and what it does then: families that
# hide, start states nobody expects, calls that fail, limits too small.  The
# full sweeps of faults are `make sweep`; here is their short form.
#
# Words are split on purpose, $ in single quotes is for the shell inside, and
# each test is a subshell of its own:
# shellcheck disable=SC2046,SC2086,SC2016,SC2030,SC2031,SC2154
bats_require_minimum_version 1.5.0
load helper
load victim

# fault EXPR CMD...: CMD with faults injected into its own calls, not its command's.
fault() {
	strace -qq -o /dev/null -e inject="$1" "${@:2}"
}

# What a running process has used of a processor, in milliseconds.
cpu_ms() {
	local ns
	read -r ns _ <"/proc/$1/schedstat"
	echo $((ns / 1000000))
}

# --- families ---

@test "A SIGKILL at any system call of the supervisor leaves no command behind" {
	static_only
	local line calls i spawn killed
	for line in "nl-timeout -k 1 0.2 sleep 60" "nl-retry -n 2 -b constant:10ms -j none -t 0.1 sleep 60"; do
		strace -qq -o calls $line || [ $? = 124 ]
		mapfile -t calls < <(awk -F'(' '/^[a-z]/ { print $1 ":signal=KILL:when=" ++n[$1] }' calls)
		for ((spawn = 0; spawn < ${#calls[@]}; spawn++)); do
			case ${calls[spawn]} in vfork:* | clone*:* | fork:*) break ;; esac
		done
		killed=0
		# From just before the command starts; a hit before that proves little.
		for ((i = spawn - 1; i < ${#calls[@]}; i += 1 + (${#calls[@]} - spawn) / 7)); do
			echo "SIGKILL at ${calls[i]}"
			rc=0
			fault "${calls[i]}" $line || rc=$?
			[ "$rc" != 137 ] || killed=$((killed + 1))
			wait_for 1 no_victims
			nl-timeout 10 true
		done
		[ "$killed" -ge 5 ]
	done
}

@test "The limit ends descendants in other groups and sessions and those whose parent is gone" {
	by_limit log nl-timeout LIMIT spawner log child group session daemon
	[ "$(pids log | wc -l)" = 5 ]
	wait_for 1 no_victims
}

@test "A stop signal to nl-timeout ends the whole family of its command" {
	start nl-timeout 60 spawner log child group session daemon
	wait_for 5 ready log
	kill -TERM "$pid"
	ends 3
	[ "$rc" = 143 ]
	wait_for 1 no_victims
}

@test "A family that ignores TERM is killed after --kill-after" {
	by_limit log nl-timeout -k 0.4 LIMIT spawner -d log child group session daemon
	between $((limit + 400)) "$took" $((limit + 3500))
	wait_for 1 no_victims
}

@test "A family whose head ends at TERM is told so too, and killed at the grace" {
	by_limit log nl-timeout -k 0.5 LIMIT sh -c 'spawner -d -x 0 log session daemon; exec sleep 60'
	wait_for 1 no_victims
}

@test "Descendants that fork when they are told to stop do not outlive the grace" {
	by_limit log nl-timeout -k 0.5 LIMIT spawner log hydra hydra
	wait_for 1 no_victims
}

@test "Descendants that never stop forking do not outlive the grace" {
	local lines
	by_limit log nl-timeout -k 0.5 LIMIT spawner log runner runner
	# They are too fast to be seen in /proc, but each writes a line.
	lines=$(grep -c . log)
	[ "$lines" -ge 6 ]
	linger 300
	[ "$(grep -c . log)" = "$lines" ]
}

@test "--kill group leaves descendants in other groups alone" {
	by_limit log nl-timeout --kill group LIMIT spawner log child group session daemon
	run ! alive "$(pids log child)"
	all alive $(pids log group) $(pids log session) $(pids log daemon)
	kill -KILL $(pids log group) $(pids log session) $(pids log daemon)
}

@test "The next attempt begins when the family of the one that was stopped is gone" {
	cat >attempt <<-'EOF'
		if [ "$NL_ATTEMPT" = 2 ]; then
			for p in $(sed -n 's/^[a-z]* //p' log); do
				grep -q '^State:.Z' /proc/$p/status 2>/dev/null || ! kill -0 $p 2>/dev/null || echo "$p lives" >>bad
			done
			exit 0
		fi
		exec spawner log child group session daemon
	EOF
	run -0 nl-retry -n 2 -b constant:1ms -j none -t 2 sh attempt
	ready log
	[ ! -e bad ]
}

@test "A daemon that an earlier attempt left is not stopped with a later one" {
	cat >attempt <<-'EOF'
		[ "$NL_ATTEMPT" = 2 ] && exec spawner later session daemon
		exec spawner -x 1 earlier session daemon
	EOF
	nl-retry -n 2 -b constant:1ms -j none -t 2 sh attempt >out || [ $? = 124 ]
	ready later
	all alive $(pids earlier session) $(pids earlier daemon)
	run ! alive "$(pids later daemon)"
	run ! alive "$(pids later session)"
	kill -KILL $(pids earlier session) $(pids earlier daemon)
}

@test "The end of the command is the end of the call, although daemons keep its output open" {
	local line t n=0
	for line in "nl-timeout 60" "nl-timeout --idle 30 60" "nl-retry -n 1" "nl-retry -n 1 -O" "nl-retry -n 1 --retry-if x"; do
		t=$(ms)
		rc=0
		$line spawner -x 7 log$n session daemon >out 2>err || rc=$?
		[ "$rc" = 7 ]
		[ $(($(ms) - t)) -lt 3000 ]
		all alive $(pids log$n session) $(pids log$n daemon)
		kill -KILL $(pids log$n session) $(pids log$n daemon)
		n=$((n + 1))
	done
}

@test "A signal during a back-off never reaches a process that got the ended command's pid" {
	root_only
	unshare -pfm --mount-proc true 2>/dev/null || skip "no pid namespaces here"
	cat >inside <<-'EOF'
		# bash: it forks once for each line below.
		nl-retry -n 2 -b constant:60s -j none sh -c 'echo $$ >pid.new; mv pid.new pid; exit 1' &
		retry=$!
		until [ -s pid ] && [ ! -d "/proc/$(cat pid)" ]; do :; done
		pid=$(cat pid)
		for try in 1 2 3 4 5 6 7 8; do
			echo $((pid - 1)) >/proc/sys/kernel/ns_last_pid
			sigcount -t 400 got &
			[ $! = "$pid" ] && break
			kill -KILL $!
			wait $!
			: >got
		done
		[ $! = "$pid" ] || exit 77
		heir=$!
		until grep -qs ^ready got; do :; done
		kill -TERM $retry
		wait $retry
		echo "retry $?" >>got
		wait $heir
	EOF
	run -0 unshare -pfm --mount-proc bash inside
	grep -qx 'retry 143' got
	[ "$(grep -c . got)" = 2 ]
}

@test "Children that nl-timeout had before it began do not end the wait" {
	run -124 bash -c 'sleep 0.1 & exec nl-timeout 0.6 sleep 60'
	run -124 bash -c 'setsid sleep 0.1 & exec nl-timeout 0.6 sleep 60'
	run -9 bash -c 'sleep 0.1 & exec nl-timeout 60 sh -c "sleep 0.4; exit 9"'
	run -9 bash -c 'sleep 0.1 & exec nl-retry -n 1 sh -c "sleep 0.4; exit 9"'
}

@test "Orphans that end do not end the wait, and are reaped" {
	cat >orphans <<-'EOF'
		for i in 1 2 3 4 5 6 7 8; do (true &); done
		for i in 1 2 3 4 5 6 7 8 9; do
			cat /proc/[0-9]*/stat 2>/dev/null | awk -v w="$PPID" '$4 == w && $3 == "Z" { n++ } END { exit n > 0 }' &&
				exit 40
		done
		exit 41
	EOF
	run -40 nl-timeout 60 sh orphans
	run -40 nl-retry -n 1 sh orphans
}

# --- output that nobody takes ---

@test "Events that nobody reads delay no command and no limit" {
	local t
	t=$(ms)
	NL_EVENTS=stderr run -124 plumb full 2 nl-timeout -v 0.4 sleep 60
	NL_EVENTS=stderr run -1 plumb full 2 nl-retry -n 50 -b constant:1ms -j none false
	NL_EVENTS=human run -1 plumb full 2 nl-retry -n 50 -b constant:1ms -j none false
	NL_EVENTS=fd:5 run -1 plumb full 5 nl-retry -n 50 -b constant:1ms -j none false
	[ $(($(ms) - t)) -lt 6000 ]
}

@test "Events that cannot be written change no status" {
	local sink
	for sink in stderr human fd:2; do
		export NL_EVENTS=$sink
		rc=0
		nl-retry -n 2 -b constant:1ms -j none sh -c 'exit 5' 2>/dev/full || rc=$?
		[ "$rc" = 5 ]
		rc=0
		nl-timeout -v 0.2 sleep 60 2>/dev/full || rc=$?
		[ "$rc" = 124 ]
		rc=0
		nl-retry -n 2 -b constant:1ms -j none sh -c 'exit 5' 2>&- || rc=$?
		[ "$rc" = 5 ]
		{ rc=0; nl-retry -n 20 -b constant:2ms -j none sh -c 'exit 5' 2>&1 || rc=$?; echo $rc >status; } | true
		[ "$(cat status)" = 5 ]
	done
	NL_EVENTS=fd:77 run -5 nl-retry -n 1 sh -c 'exit 5'
	NL_EVENTS=/dev/full run -5 nl-retry -n 1 sh -c 'exit 5'
}

@test "A place for events or a report that is full, read-only or missing changes no status" {
	NL_EVENTS=$PWD/no/such/dir/file run -5 nl-retry -n 1 sh -c 'exit 5'
	NL_EVENTS=$PWD/no/such/dir/ run -5 nl-retry -n 1 sh -c 'exit 5'
	run -5 nl-retry -n 1 --report /dev/full sh -c 'exit 5'
	run -0 nl-retry -n 1 --report /dev/full true
	root_only
	unshare -m true 2>/dev/null || skip "no mount namespaces here"
	mkdir mnt
	cat >inside <<-'EOF'
		mount -t tmpfs -o size=16k none mnt
		dd if=/dev/zero of=mnt/fill bs=4k count=100 2>/dev/null
		NL_EVENTS=$PWD/mnt/events nl-retry -n 3 -b constant:1ms -j none sh -c 'exit 5'; echo $?
		NL_EVENTS=$PWD/mnt/dir/ nl-retry -n 3 -b constant:1ms -j none sh -c 'exit 5'; echo $?
		nl-retry --report mnt/report -n 3 -b constant:1ms -j none sh -c 'exit 5'; echo $?
		mount -o remount,ro mnt
		NL_EVENTS=$PWD/mnt/other nl-timeout 60 sh -c 'exit 6'; echo $?
		NL_EVENTS=$PWD/mnt/d/ nl-timeout 0.2 sleep 60; echo $?
	EOF
	unshare -m bash inside >got 2>err
	[ "$(tr '\n' ' ' <got)" = "5 5 5 6 124 " ]
}

@test "What the command writes does not pass through the supervisor" {
	# shellcheck disable=SC2016
	run -0 bash -c 'head -c 256M /dev/zero | nl-retry -n 1 sh -c "cat; grep VmHWM /proc/\$PPID/status >hwm" | wc -c'
	[ "$output" = 268435456 ]
	[ "$(tr -cd 0-9 <hwm)" -lt 4096 ]
	# shellcheck disable=SC2016
	run -0 bash -c 'head -c 256M /dev/zero | nl-timeout 60 sh -c "cat; grep VmHWM /proc/\$PPID/status >hwm" | wc -c'
	[ "$output" = 268435456 ]
	[ "$(tr -cd 0-9 <hwm)" -lt 4096 ]
}

# --- calls that fail ---

@test "A storm of signals changes neither status nor limit" {
	local t
	storm() {
		local end=$(($(ms) + 5000))
		while [ "$(ms)" -lt "$end" ] && for s in "$@" "$@" "$@" "$@" "$@"; do
			kill -"$s" "$pid" || return 0
		done; do :; done 2>/dev/null
	}
	start nl-timeout 60 sh -c 'writer -n 2 -i 400 >/dev/null; exit 9'
	storm CONT WINCH URG
	ends 1
	[ "$rc" = 9 ]
	t=$(ms)
	start nl-timeout 0.5 sleep 60
	storm CONT WINCH URG
	ends 1
	[ "$rc" = 124 ]
	t=$(($(ms) - t))
	between 500 "$t" 3000
	t=$(ms)
	start nl-retry -n 2 -b constant:500ms -j none sh -c 'exit 4'
	storm CONT WINCH URG CHLD
	ends 1
	[ "$rc" = 4 ]
	t=$(($(ms) - t))
	between 500 "$t" 3000
}

@test "Calls that are interrupted are made again" {
	static_only
	local call
	for call in rt_sigtimedwait,ppoll,poll wait4,waitid write,read,openat,close fcntl,dup,dup2,dup3,pipe2; do
		NL_EVENTS=$PWD/events run -7 fault "$call:error=EINTR:when=1+2" nl-timeout 60 sh -c 'exit 7'
		NL_EVENTS=$PWD/events run -124 fault "$call:error=EINTR:when=1+2" nl-timeout 0.3 sleep 60
		NL_EVENTS=$PWD/events run -6 fault "$call:error=EINTR:when=1+2" nl-retry -n 3 -b constant:1ms -j none flaky n$RANDOM 1 1 6
	done
}

@test "A fork that fails for want of memory or processes is tried again, then status 125" {
	static_only
	local error forks=fork,vfork,clone,clone3
	for error in EAGAIN ENOMEM; do
		run -7 fault "$forks:error=$error:when=1" nl-timeout 60 sh -c 'exit 7'
		run --separate-stderr -125 fault "$forks:error=$error" nl-timeout 60 deaf -o ran
		[[ $stderr == *nl-timeout:* ]]
		run -125 fault "$forks:error=$error" nl-retry -n 9 -b constant:9s -j none deaf -o ran
	done
	[ ! -e ran ]
}

@test "A user who may start no process gets status 125" {
	root_only
	cp "$NL_BIN/nl-timeout" "$NL_BIN/nl-retry" .
	chmod 755 .
	local t
	t=$(ms)
	run -125 setpriv --reuid 65534 --clear-groups prlimit --nproc=0:0 ./nl-timeout 60 true
	run -125 setpriv --reuid 65534 --clear-groups prlimit --nproc=0:0 ./nl-retry -n 9 -b constant:9s -j none true
	[ $(($(ms) - t)) -lt 8000 ]
}

@test "Without descriptors to open a supervisor does its work with less" {
	static_only
	local opens=openat,open,openat2,pidfd_open,pipe2,memfd_create,epoll_create1,signalfd4,timerfd_create,inotify_init1,dup,dup3
	# The commands are static: they need no descriptor to start either.
	for line in "prlimit --nofile=3:3" "fault $opens:error=EMFILE" "fault $opens:error=ENFILE"; do
		run -7 $line nl-timeout 60 true0 7
		run -124 $line nl-timeout -k 0.3 0.3 deaf none
		run -7 $line nl-retry -n 2 -b constant:1ms -j none true0 7
	done
	start strace -qq -o /dev/null -e inject=$opens:error=EMFILE nl-timeout -k 1 60 sigcount log
	wait_for 5 ready log
	linger 500
	[ "$(cpu_ms "$(cat /proc/$pid/task/$pid/children)")" -lt 100 ]
	kill -TERM $(cat /proc/$pid/task/$pid/children)
	ends 5
}

@test "When the status of a command cannot be learnt the status is 125, never 0" {
	static_only
	local error
	for error in EIO ECHILD EINVAL; do
		run -125 fault "wait4,waitid:error=$error" nl-timeout 60 true
		run -125 fault "wait4,waitid:error=$error" nl-retry -n 2 -b constant:1ms true
		run -125 fault "wait4,waitid:error=$error" nl-timeout -k 0.3 0.3 sleep 60
		wait_for 1 no_victims
	done
	# Nor may waiting for a signal fail: the limit is kept by the clock.
	for error in rt_sigtimedwait rt_sigtimedwait,ppoll,poll; do
		run -124 fault "$error:error=EIO" nl-timeout -k 0.3 0.5 sleep 6
	done
	wait_for 1 no_victims
}

@test "A close or dup that fails changes nothing" {
	static_only
	local error
	for error in EIO EINTR EBADF; do
		run -7 fault "close,dup,dup2,dup3:error=$error" nl-timeout 60 sh -c 'exit 7'
		run -0 fault "close,dup,dup2,dup3:error=$error" nl-retry true
		run -124 fault "close,dup,dup2,dup3:error=$error" nl-timeout -k 0.5 0.3 sleep 60
	done
}

@test "A system without the newer calls, or that forbids them, is supervised all the same" {
	static_only
	local new error
	new=openat2,pidfd_open,pidfd_send_signal,close_range,pwritev2,signalfd4,memfd_create,clone3,execveat
	new+=,statx,getrandom,prlimit64,timerfd_create,tee,splice,copy_file_range,faccessat2,epoll_pwait2
	for error in ENOSYS EPERM; do
		run -0 fault "$new:error=$error" nl-retry true
		run -7 fault "$new:error=$error" nl-timeout 60 sh -c 'exit 7'
		run -6 fault "$new:error=$error" nl-retry -n 3 -b constant:1ms -j full flaky n$error 1 1 6
		by_limit log fault "$new:error=$error" nl-timeout LIMIT spawner log session daemon
		wait_for 1 no_victims
		echo text | fault "$new:error=$error" nl-retry -O -n 2 -b constant:1ms -j none flaky c$error cat1 cat0 >out
		grep -qx text out
	done
}

# --- time ---

@test "Limits and back-offs keep their length in a namespace whose clocks are a day ahead" {
	root_only
	unshare -T true 2>/dev/null || skip "no time namespaces here"
	local t
	t=$(ms)
	run -124 unshare -T --monotonic 86400 --boottime 86400 nl-timeout 0.4 sleep 60
	run -1 unshare -T --monotonic 86400 --boottime 86400 nl-retry -n 2 -b constant:400ms -j none false
	t=$(($(ms) - t))
	between 800 "$t" 4000
}

@test "Limits are rounded up and saturate, and what is no duration runs nothing" {
	local d
	for d in 0 inf 1e300 99999999999999999999 9e99d 1d 0x1p9 +9 ' 9' 1m30s 9000ms; do
		run -3 nl-timeout "$d" sh -c 'exit 3'
	done
	for d in 1e-9 1e-300 1e-10000 1us; do
		run -124 nl-timeout "$d" sleep 60
	done
	for d in '' nan -1 ' -0.1' -1e-10000 1h5 5x '1 s' 1,5 1D 1e 0x infx; do
		run -125 nl-timeout -- "$d" deaf -o ran
		run -125 nl-retry -t "$d" deaf -o ran
	done
	[ ! -e ran ]
}

# --- storms ---

@test "SIGKILL to the whole group of the supervisor ends the command in its own group" {
	local i
	for i in 1 2 3 4 5 6 7 8; do
		env --default-signal setsid nl-timeout 60 deaf -o log$i TERM INT HUP 3>&- &
		pid=$!
		wait_for 5 ready log$i
		kill -KILL -- "-$pid"
		ends 2
		[ "$rc" = 137 ]
		wait_for 1 no_victims
	done
}

@test "SIGKILL at any moment of a retry leaves no command behind" {
	local i
	for i in {1..25}; do
		env --default-signal setsid nl-retry -n 9 -b constant:1ms -j none -t 5ms sleep 60 3>&- &
		pid=$!
		linger $((i * 7 % 50))
		kill -KILL -- "-$pid" 2>/dev/null || true
		ends 2
		wait_for 1 no_victims
	done
}

@test "cgroup.kill ends supervisor and command together" {
	root_only
	local g=/sys/fs/cgroup
	[ -e $g/cgroup.procs ] && [ -e $g/cgroup.controllers ] || g=/sys/fs/cgroup/unified
	g=$g/nl-test-$$
	mkdir $g 2>/dev/null || skip "no cgroup to write to"
	[ -e $g/cgroup.kill ] || { rmdir $g; skip "no cgroup.kill"; }
	bash -c 'echo $$ >"$0/cgroup.procs" && exec nl-timeout 60 spawner "$1" session daemon' $g "$PWD/log" 3>&- &
	pid=$!
	wait_for 5 ready log
	echo 1 >$g/cgroup.kill
	ends 2
	wait_for 1 no_victims
	wait_for 1 rmdir $g
	[ "$rc" = 137 ]
}

@test "Sixteen layers pass the status through, fused or not" {
	local stack=() i t
	for i in {1..8}; do
		stack+=(nl-timeout $((60 + i)) nl-retry -n 1)
	done
	for i in 1 0; do
		export NL_FUSE=$i
		t=$(ms)
		run -7 "${stack[@]}" sh -c 'exit 7'
		run -0 "${stack[@]}" true
		run -143 "${stack[@]}" sh -c 'kill -TERM $$'
		run -127 "${stack[@]}" no-such-command
		run -124 "${stack[@]}" nl-timeout 0.2 sleep 60
		run -124 nl-timeout 0.2 "${stack[@]}" sleep 60
		[ $(($(ms) - t)) -lt 6000 ]
	done
}

@test "The innermost limit that passes wins, and ends what it wraps" {
	local i
	for i in 1 0; do
		export NL_FUSE=$i
		by_limit log nl-timeout 60 nl-timeout 50 nl-timeout LIMIT spawner log session daemon
		wait_for 1 no_victims
		by_limit log nl-timeout LIMIT nl-timeout 50 nl-timeout 60 spawner log session daemon
		wait_for 1 no_victims
	done
}

@test "A waiting supervisor uses no processor" {
	local before
	start nl-timeout -k 1 60 sigcount log
	wait_for 5 ready log
	before=$(cpu_ms "$pid")
	linger 500
	[ $(($(cpu_ms "$pid") - before)) -lt 5 ]
	kill -TERM "$pid"
	ends 5
	start nl-retry -n 2 -b constant:60s -j none sh -c 'echo ready >two; exit 1'
	wait_for 5 ready two
	wait_for 5 eval '! ls /proc/'"$pid"'/task/*/children | xargs cat | grep -q .'
	before=$(cpu_ms "$pid")
	linger 500
	[ $(($(cpu_ms "$pid") - before)) -lt 5 ]
	kill -TERM "$pid"
	ends 5
}
