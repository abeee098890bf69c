#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# bulkhead_make.sh - make -j8, but one link at a time: compilers are small, linkers
# eat the memory of the machine.  Every build on the host that names "link" shares
# the one slot.
# Wants make, a C compiler and jq.  What it prints is at the end; a test compares.
set -eu
PATH=${NL_BIN:-$(cd "$(dirname "$0")/.." && pwd)/build/bin}:$PATH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
NL_STATE=$dir/state NL_EVENTS=$dir/events@debug
export NL_STATE NL_EVENTS
unset MAKEFLAGS MFLAGS MAKELEVEL

cat >Makefile <<'M'
LINK = nl-bulkhead -m1 -w inf link $(CC)
all: one two three four
one two three four: %: %.o
	$(LINK) -o $@ $<
%.o: %.c
	$(CC) -c -o $@ $<
M
for program in one two three four; do
	echo "#include <stdio.h>
int main(void) { return puts(\"$program\") < 0; }" >$program.c
done

make -s -j8
for program in one two three four; do
	./$program
done
jq -rs '
	"links: \(map(select(.event == "nl.bulkhead.acquired")) | length), " +
	"at most \(map(select(.event == "nl.bulkhead.acquired").active) | max) at once"' events

# Prints:
#| one
#| two
#| three
#| four
#| links: 4, at most 1 at once
