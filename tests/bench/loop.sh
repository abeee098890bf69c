#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# loop.sh N COMMAND...  runs COMMAND N times, as a script would.
n=$1
shift
while [ "$n" -gt 0 ]; do
	"$@"
	n=$((n - 1))
done
