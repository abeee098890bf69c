#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# coreutils-suite.sh: runs the tests of GNU coreutils for timeout on nl-timeout,
# called as timeout.  COREUTILS_SRC is a directory with coreutils' source, from
# git or a tarball; nothing in it is built or changed.  What its build would
# make for the tests (src/, getlimits, config.h, and without the gnulib
# submodule init.sh) is stood in for here, in a directory of our own.
# COREUTILS_TIMEOUT=FILE tests that program instead.  Needs NL_BIN.
set -u

src=${COREUTILS_SRC-}
if [ -z "$src" ]; then
	echo 'coreutils-suite: skipped: COREUTILS_SRC is not set (a directory with the source of GNU coreutils)'
	exit 0
elif [ ! -f "$src/tests/timeout/timeout.sh" ] || [ ! -f "$src/init.cfg" ]; then
	echo "coreutils-suite: skipped: $src has no tests/timeout/timeout.sh or no init.cfg"
	exit 0
fi
src=$(cd "$src" && pwd)
timeout=${COREUTILS_TIMEOUT-$NL_BIN/nl-timeout}
top=$(mktemp -d) || exit 1
trap 'rm -rf "$top"' EXIT
trap 'exit 1' HUP INT TERM

mkdir "$top/tests" "$top/src" && cd "$top" || exit 1
ln -s "$src/tests/timeout" tests/timeout
ln -s "$src/init.cfg" init.cfg
ln -s "$timeout" src/timeout
echo '#define HAVE_PRCTL 1' >config.h
cat >src/getlimits <<'EOF'
#!/bin/sh
echo INT_MAX=2147483647 UINT_OFLOW=4294967296 TIME_T_OFLOW=9223372036854775808
echo LDBL_MAX=1.189731495357231765e+4932
EOF
chmod +x src/getlimits

if [ -f "$src/tests/init.sh" ]; then
	ln -s "$src/tests/init.sh" tests/init.sh
elif [ -f "$src/gnulib/tests/init.sh" ]; then
	ln -s "$src/gnulib/tests/init.sh" tests/init.sh
else
	echo 'coreutils-suite: this source has no gnulib: init.sh is stood in for'
	cat >tests/init.sh <<'EOF'
# Ours: the functions that the tests call, each test in a directory of its own.
home=$PWD fail=0
Exit() { exit "$1"; }
warn_() { echo "${0##*/}: $*" >&2; }
skip_() { warn_ "skipped: $*"; exit 77; }
fail_() { warn_ "failed: $*"; exit 1; }
fatal_() { warn_ "error: $*"; exit 99; }
framework_failure_() { fatal_ "cannot set up: $*"; }
compare() { diff -u "$1" "$2"; }
cleanup_() { :; }
returns_() {
	want=$1
	shift
	"$@"
	[ $? -eq "$want" ]
}
path_prepend_() {
	PATH="$home/$1:$PATH"
	export PATH
}
. "$srcdir/init.cfg"
work=$(mktemp -d "$home/work.XXXXXX") && cd "$work" || exit 99
trap 'cleanup_' EXIT
EOF
fi

shell=$(command -v bash || command -v sh)
export SHELL="$shell" AWK=awk PERL=perl srcdir=. top_srcdir=. CONFIG_HEADER="$top/config.h" VERBOSE=no \
	built_programs='timeout env sleep' LC_ALL=C TMPDIR="$top" EXEEXT='' MAKE=make host_os=linux-gnu
unset NL_DEADLINE NL_PARENT NL_EVENTS POSIXLY_CORRECT

# one NAME COMMAND...: runs a test, at most two minutes, and prints its result.
count=0 passed=0 bad=0
one() {
	name=$1
	shift
	timeout 120 "$@" >log 2>&1 9>&2 </dev/null
	status=$?
	count=$((count + 1))
	case $status in
	0) passed=$((passed + 1)) word=PASS ;;
	77) word=SKIP ;;
	*) bad=$((bad + 1)) word=FAIL ;;
	esac
	echo "$word $name"
	[ "$word" = PASS ] || sed 's/^/	/' log
}

for t in tests/timeout/*.sh; do
	one "$t" "$shell" "$t"
done
if perl -e 'use POSIX' 2>/dev/null; then
	one tests/timeout/timeout-blocked.pl perl -w -I "$src/tests" -MCuSkip -MCoreutils \
		-M"CuTmpdir qw(timeout-blocked)" tests/timeout/timeout-blocked.pl
fi
echo "$passed of $count passed"
[ "$bad" -eq 0 ]
