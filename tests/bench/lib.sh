# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# lib.sh - rows of a benchmark: sourced by the scripts here.  Runs alternate and
# the ratios are medians of neighbours, so that other load cancels out.  Needs
# NL_BIN NL_AID NL_BENCH (make bench).  Peers that are not installed are named
# and left out.

here=$(dirname "$0")            # For those who source this.
export here
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
true0="$NL_AID/true0" pbench="$NL_BENCH/pbench"
missing=
export NL_EVENTS=off
unset NL_DEADLINE NL_PARENT TRACEPARENT

has() {
	command -v "$1" >/dev/null && return
	missing="$missing $1"
	return 1
}

# bench OPTIONS "COMMAND"...: leaves the lines of pbench in $tmp/out.
bench() {
	"$pbench" "$@" >"$tmp/out" || echo "pbench $*: failed" >&2
}

# get LINE FIELD [STATUS]: 1 median us, 2 least, 3 ratio to line 1, 4 minus line 1.
get() {
	awk -v n="$1" -v f="$2" -v s="${3:-0}" 'NR == n { print $5 == s ? $f : "failed"; ok = 1 } END { if (!ok) print "failed" }' "$tmp/out"
}

calc() {
	case $1 in *failed*) echo failed; return ;; esac
	awk "BEGIN { printf \"%.9g\", ($1) }" </dev/null 2>/dev/null || echo failed
}

# row NAME OURS PEER FIGURE BAR: units are part of OURS and PEER; BAR - is none.
row() {
	awk -v name="$1" -v ours="$2" -v peer="$3" -v fig="$4" -v bar="$5" -v gate="$tmp/gate" 'BEGIN {
		if (fig !~ /^-?[0-9.]+(e-?[0-9]+)?$/) { verdict = fig == "-" ? "" : "failed"; if (fig != "-") print name >>gate }
		else if (bar == "-") verdict = ""
		else if (fig <= bar) verdict = "ok"
		else if (fig <= 1.3 * bar) verdict = "over"
		else { verdict = "OVER"; print name >>gate }
		if (fig ~ /^-?[0-9.]/) fig = sprintf(fig < 10 ? "%.3f" : "%.0f", fig)
		printf "%-38s %9s %9s %7s %6s %s\n", name, ours, peer, fig, bar, verdict }'
}

us() { awk -v v="$1" 'BEGIN { if (v !~ /^[0-9.-]+$/) print v; else if (v < 1000) printf "%.1f us", v; else if (v < 1e6) printf "%.1f ms", v / 1e3; else printf "%.2f s", v / 1e6 }'; }

calls() {
	if strace -f -qq -o "$tmp/trace" "$@" >/dev/null 2>&1; then
		grep -c '^[0-9]* *[a-z_0-9]*(' "$tmp/trace"
	else
		echo failed
	fi
}

# A bar in microseconds is for a machine that starts and reaps a static program
# in 170 us, as the one where it was set; on a slower one figures are scaled.
bench -cp -r 201 "$true0"
bare=$(get 1 1)
scale=$(calc "$bare > 170 ? $bare / 170 : 1")
scaled() { calc "$1 / $scale"; }

heading() { printf '%-38s %9s %9s %7s %6s\n' "$1" ours peer figure bar; }

# finish [--gate]: what the figures depend on; status 1 with --gate when one exceeds 1.3 times its bar.
finish() {
	echo
	printf 'A static program that does nothing takes %.0f us of CPU here.\n' "$bare"
	calc "$scale > 1.05" | grep -q 1 && printf 'Figures with a bar in us are divided by %.1f: the bars are for 170 us.\n' "$scale"
	awk -v n="$(getconf _NPROCESSORS_ONLN)" '{ if ($1 > n) print "The machine is busy (load " $1 "): trust the ratios only." }' /proc/loadavg
	[ -z "$missing" ] || echo "not installed, hence not measured:$missing"
	if grep -q '^flags.* hypervisor' /proc/cpuinfo 2>/dev/null; then
		echo 'This is a virtual machine: CPUID traps, which glibc executes 41 times at its'
		echo 'start and musl never, and page faults are dear.  On bare metal the peers are'
		echo 'faster than shown, by about a fifth.'
	fi
	printf '%s, Linux %s, load %s\n' "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" "$(uname -r)" "$(cut -d' ' -f1 /proc/loadavg)"
	[ "${1-}" = --gate ] && [ -s "$tmp/gate" ] || return 0
	echo 'beyond 1.3 times the bar:'
	sed 's/^/	/' "$tmp/gate"
	return 1
}
