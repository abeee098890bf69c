#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# bulkhead_pg_dump.sh - four nightly dumps of one PostgreSQL server, two at once.
#
# Starts a server of its own in a directory of its own, on a socket, and dumps its
# databases: whoever starts a dump and however many do, two run and the others wait
# their turn.  Wants PostgreSQL's server and client (Debian: postgresql) and jq.
# What it prints is at the end; a test compares.
set -eu
PATH=${NL_BIN:-$(cd "$(dirname "$0")/.." && pwd)/build/bin}:$PATH
for bin in /usr/lib/postgresql/*/bin; do
	PATH=$bin:$PATH
done
dir=$(mktemp -d)
trap 'as_owner pg_ctl -D "$dir/db" -m immediate stop >/dev/null 2>&1 || :; rm -rf "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
NL_STATE=$dir/state NL_EVENTS=$dir/events@debug
export NL_STATE NL_EVENTS

# The server refuses to run as the root user.
as_owner() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=nobody --regid=nogroup --clear-groups -- "$@"
	else
		"$@"
	fi
}
[ "$(id -u)" != 0 ] || chown nobody "$dir"
cd "$dir"
as_owner initdb -D db -A trust -U me -N -E UTF8 --locale=C >initdb.log
as_owner pg_ctl -D db -w -l server.log -o "-F -k $dir -c listen_addresses= " start >/dev/null
export PGHOST="$dir" PGUSER=me PGDATABASE=postgres
for db in a b c d; do
	printf 'create database %s;\n\\c %s\n' $db $db
	echo "create table t as select generate_series(1, 20000) as n;"
done | psql -q >/dev/null

echo "== Four dumps are started at once"
for db in a b c d; do
	nl-bulkhead -m2 -w 1m dump pg_dump -d "$db" -f "$dir/$db.sql" &
done
wait
grep -lx 20000 ./*.sql | wc -l | sed 's/$/ whole dumps/'
jq -rs 'map(select(.event == "nl.bulkhead.acquired").active) | "never more than \(max) at once"' events

echo "== Somebody who does not want to wait is told"
nl-bulkhead -m1 --events human dump sh -c '
	nl-bulkhead -m1 --events human dump pg_dump -d a; echo "status $?"' 2>&1

echo "== What is stopped gives its place back, also when it is killed"
{ nl-bulkhead -m1 dump sh -c 'kill -KILL $$' || echo "status $?"; } 2>/dev/null
nl-bulkhead -m1 dump pg_dump -d a | grep -cx 20000

# Prints:
#| == Four dumps are started at once
#| 4 whole dumps
#| never more than 2 at once
#| == Somebody who does not want to wait is told
#| nl-bulkhead: dump is full: 1 of 1, 0 waiting
#| status 75
#| == What is stopped gives its place back, also when it is killed
#| status 137
#| 1
