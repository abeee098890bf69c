#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What is written agrees with what is built: options, usage, events, versions,
# and every example in a page or the README is run and prints what it says.
#
# An example is a literal display of a page (.Bd -literal), or a ```console block
# of README.md, with lines that begin with "$ ": like.bash has the rules.  They
# run at a terminal, in an empty directory; example.com is a server of the test.  README's other blocks have tests of their own below.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154  # text for inner shells; each test is a subshell; set by run and serve
bats_require_minimum_version 1.5.0
load helper
load like
load http

root=$BATS_TEST_DIRNAME/..
server=

teardown() {
	[[ -z $server ]] || stop_server
	nl_teardown
}

# The lines of the examples in a page, numbered by display.
displays() {
	awk '/^\.Bd -literal/ { n++; on = 1; next } /^\.Ed/ { on = 0 }
		on { sub(/^\\&/, ""); gsub(/\\&/, ""); gsub(/\\e/, "\\"); gsub(/\\-/, "-"); gsub(/\\\[mu]/, "×"); print n "\t" $0 }' "$1"
}

consoles() {
	awk '/^```console/ { n++; on = 1; next } /^```/ { on = 0 } on { print n "\t" $0 }' "$1"
}

# examples KIND FILE: runs those blocks that have commands, each in a directory of its own.
examples() {
	local n ran=0 bad=0

	"$1" "$root/$2" >all
	cut -f1 all | sort -nu >numbers
	while read -r n; do
		awk -F '\t' -v n="$n" '$1 == n' all | cut -f2- >block
		grep -q '^\$ ' block || continue
		mkdir "d$n"
		(export NL_STATE=$BATS_TEST_TMPDIR.state/$n && cd "d$n" && transcript ../block) || { bad=1; printf 'in %s, block %d\n' "$2" "$n"; }
		ran=$((ran + 1))
	done <numbers
	((ran > 0 && bad == 0))
}

# As a reader would have it, but curl goes to our server whatever the address.
as_reader() {
	mkdir -p www
	printf '%s\n' '<!doctype html>' '<title>Example</title>' >www/index.html
	serve www
	printf '%s\n' 'noproxy = "*"' "connect-to = \"::${base#http://}\"" >.curlrc
	export CURL_HOME=$PWD NO_COLOR=1
	unset NL_EVENTS
}

# The block of README behind a line that matches RE, of that kind.
readme_block() {
	awk -v re="$1" -v fence="\`\`\`$2" '$0 ~ re { near = 1 } near && $0 == fence { on = 1; next }
		/^```/ && on { exit } on' "$root/README.md"
}

@test "Each option is in the page, in --help and in --complete, with the same argument" {
	for tool in nl-retry nl-timeout nl-breaker nl-bulkhead nl-race nl-fallback nl-pipe nl-run nl-ctl nl-observe nl-sink; do
		awk '/^\.It Fl/ { gsub(/,/, ""); arg = ""
			for (i = 2; i <= NF; i++) if ($i == "Ar") arg = $(i + 1)
			for (i = 2; i <= NF; i++) if ($i == "Fl") print "-" $(i + 1) "\t" arg }' "$root/man/$tool.1" | sort >page
		"$tool" --complete | grep -e ^- | cut -f1,2 | sed 's/=\t/\t/' | sort >complete
		"$tool" --help | sed -n 's/^  \(-.,\|   \) \(--[a-z-]*\) \{0,1\}\([^ ]*\).*/\1\t\2\t\3/p' |
			awk -F '\t' '{ sub(/,/, "", $1); if ($1 ~ /-/) print $1 "\t" $3; print $2 "\t" $3 }' | sort >help
		[ -s page ]
		diff page complete
		diff help complete
	done
}

@test "Each command of nl-ctl is in its page and in --help, with the same operands" {
	mandoc -Tascii -O width=1000 "$root/man/nl-ctl.1" | sed 's,.\x08,,g' |
		awk '/^   (Looking|Changing)/ { on = 1 } /^   Options/ { on = 0 } on && /^     [a-z]/' | sed 's/^ *//; s/  .*//; s/ \.\.\./.../' | sort >page
	nl-ctl --complete | grep -v -e ^- | cut -f1,2 | sed 's/\t/ /; s/ $//' | sort >complete
	nl-ctl --help | sed -n '1,/^Commands/d; s/^  \([a-z][^ ]*\( [^ ]\{1,\}\)*\)\(  .*\)*$/\1/p' | sort >help
	[ -s page ]
	diff page complete
	diff help complete
}

@test "Each query of nl-observe is in its page and in --help, with the same operands" {
	mandoc -Tascii -O width=1000 "$root/man/nl-observe.1" | sed 's,.\x08,,g' |
		awk '/^QUERIES/ { on = 1 } /^[A-PR-Z]/ { on = 0 } on && /^     [a-z]/' | sed 's/^ *//; s/  .*//; s/ \.\.\./.../' | sort >page
	nl-observe --complete | grep -v -e ^- | cut -f1,2 | sed 's/\t/ /; s/ $//' | sort >complete
	nl-observe --help | sed -n '1,/^Queries/d; s/^  \([a-z][^ ]*\( [^ ]\{1,\}\)*\)\(  .*\)*$/\1/p' | sort >help
	[ -s page ]
	diff page complete
	diff help complete
}

@test "Options of all tools are in ninelives(7)" {
	sed -n 's/^\.It Fl //p' "$root/man/ninelives.7" | grep -o -e 'Fl -[a-z]*' -e '^-[a-z]*' -e '^[a-zA-Z]\b' | sed 's/Fl //' | sort >page
	comm -12 <(nl-retry --complete | cut -f1 | sort) <(nl-timeout --complete | cut -f1 | sort) |
		grep -xE -e '--(name|events|state)=|-[hV]|--(help|version|pin)' | sed 's/^-//; s/=$//' | sort >both
	diff page both
}

@test "The long name of an option is its key" {
	for tool in 'nl-retry -n4 -b lin:1ms..9ms -j none -T 9 -t 8 -k 3 -s INT --on 1 --stdin null --seed 7 -O' 'nl-timeout -fp -k 3 -s INT -i 9 9' \
		'nl-breaker -f 3 -r 50 --window 20 --slow 9 -o 9 --open-factor 2 -p 2 -w 1 -E 9 b' 'nl-bulkhead -m 2 -w 3 -q 4 --release tree -E 9 b'; do
		rm -f ev
		# shellcheck disable=SC2086
		NL_EVENTS=./ev@debug $tool true
		jq -r 'select(.event == "nl.run.started").cfg' ev | tr ' ' '\n' | cut -d= -f1 >keys
		[ "$(wc -l <keys)" -gt 4 ]
		while read -r key; do
			"${tool%% *}" --complete | grep -q "^--$key=\{0,1\}"$'\t'
		done <keys
	done
}

@test "--report writes what nl-retry(1) says" {
	sed -n '/^\.It Fl -report/,/^\.It Fl -dry-run/{/^\.Va/{s/^\.Va//;s/,/\n/g;p;};}' "$root/man/nl-retry.1" | grep -o '[a-z_]*' | sort -u >page
	nl-retry --report one -n2 -b const:1ms sh -c 'exit 3' || :
	nl-retry --report two -n2 -b const:1ms sh -c 'kill -TERM $$' || :
	jq -r 'keys[], .last[0, 1, 2] | if type == "object" then keys[] else . end | strings' one two | sort -u >report
	diff page report
}

@test "SYNOPSIS is the usage line of --help" {
	for tool in nl-retry nl-timeout nl-breaker nl-bulkhead nl-race nl-fallback nl-pipe nl-run nl-ctl nl-observe nl-sink; do
		mandoc -Tascii -O width=1000 "$root/man/$tool.1" | sed 's,.\x08,,g' | awk '/^SYNOPSIS/ { on = 1; next } /^[A-Z]/ { on = 0 } on' |
			sed 's/^ *//; /^$/d' | tr -s ' \t' ' ' | grep -v -e '--left$' -e '--simulate$' -e '--list$' >page
		"$tool" --help | sed -n '1s/^Usage: //p; 2,${/^[^ ]/q; s/^ *\( .*\)/\1/p;}' | tr -d '\n' | sed 's/$/\n/' >help
		diff page help
	done
}

@test "Pages and CHANGELOG name this version" {
	version=$(nl-retry --version | grep -oE '[0-9]+\.[0-9]+\.[0-9]+')
	[ "$version" = "$(sed -n 's/.*NL_VERSION "\(.*\)"/\1/p' "$root/lib/nl.h")" ]
	for page in "$root"/man/*; do
		grep -qx ".Os \"Nine Lives $version\"" "$page"
	done
	grep -q "^## $version" "$root/CHANGELOG.md"
}

@test "Pages are clean for mandoc, and their references among each other exist" {
	for page in "$root"/man/*; do
		mandoc -Tlint -Wwarning "$page"
		grep -oE '^\.Xr (nl-[a-z]+|ninelives) [0-9]' "$page" | while read -r _ name section; do
			[ -e "$root/man/$name.$section" ]
		done
	done
}

@test "nl-events(5), the schema and the judge of the tests know the same events and attributes" {
	awk '/^\.Sh ENVELOPE/ { on = 1 } /^\.Sh EVENTS/ { on = 0 } on && /^\.It Va/ { print "*\t" $3 }
		/^\.It Ic nl\./ { event = $3; getline; next_va = 1 }
		next_va && /^\.Va/ { gsub(/,/, ""); for (i = 2; i <= NF; i++) print event "\t" $i; next_va = 0 }' "$root/man/nl-events.5" >page
	nlcheck --table | cut -f1,2 >judge
	diff page judge
	jq -r '. as $root
		| def all: (.required // []) + ((.properties // {}) | keys) + [.oneOf[]?.required[]] +
			(if has("$ref") then (.["$ref"] | ltrimstr("#/$defs/")) as $d | ($root["$defs"][$d] | all) else [] end);
		(.required + ["parent_id", "gen"] | .[] | "*\t" + .),
		(.allOf[] | .if.properties.event.const as $e | (.then | all) - ["sev", "kind", "depth"] | unique[] | $e + "\t" + .)' \
		"$root/lib/nl-events.schema.json" | sort -u >schema
	diff <(sort -u page) schema
}

@test "Severities in nl-events(5) are those of the schema" {
	sed -n 's/^\.It Ic \(nl\.[a-z._]*\) Pq \([0-9]*\).*/\1 \2/p' "$root/man/nl-events.5" | sort >page
	jq -r '.allOf[] | .if.properties.event.const + " " + (.then | .properties.sev.const // .then.properties.sev.const | tostring)' \
		"$root/lib/nl-events.schema.json" | sort >schema
	diff page schema
}

@test "The statuses of ninelives(7) are those of nl.h" {
	sed -n '/^\.Sh EXIT STATUS/,/^\.Sh EXAMPLES/s/^\.It \([0-9]*\)$/\1/p' "$root/man/ninelives.7" >page
	sed -n 's/^\tNL_EX_[A-Z]* = \([0-9]*\),.*/\1/p' "$root/lib/nl.h" >header
	diff page header
	readme_block '^Exit status' '' | grep -oE '^ *[0-9]+' | tr -d ' ' | diff - header
}

@test "The records of nl-state(5) are those of the code, byte for byte" {
	awk '/^\.Sh LOCKS/ { of = "byte" } /^\.Vt struct/ { of = $3 }
		/^\.It [0-9]+ Ta/ { print of "\t" $2 "\t" $4 "\t" $7 }' "$root/man/nl-state.5" >page
	layout | diff page -
}

@test "The lines for tmpfiles.d make a private directory, and one for a group as in nl-state(5)" {
	command -v systemd-tmpfiles >/dev/null || skip 'no systemd-tmpfiles'
	[ "$(id -u)" = 0 ] || skip 'not the root user'
	mkdir etc
	printf '%s\n' root:x:0: web:x:77: >etc/group
	printf '%s\n' root:x:0:0::/:/bin/sh >etc/passwd
	sed -n '/^\.Bd/,/^\.Ed/s/^[dx] /&/p' "$root/man/nl-state.5" >lines
	[ "$(wc -l <lines)" -eq 2 ]
	systemd-tmpfiles --create --root="$PWD" "$root/lib/tmpfiles.d/ninelives.conf"
	systemd-tmpfiles --create --root="$PWD" - <lines
	[ "$(stat -c '%n %a %u %g' run/*)" = $'run/ninelives 700 0 0\nrun/ninelives-web 2770 0 77' ]
	for dir in run/*; do
		nl-breaker --state "$dir" --on-state-error fail db true
		rm -rf "$dir"
	done
}

@test "Examples of nl-timeout(1) print what they say" { as_reader && examples displays man/nl-timeout.1; }
@test "Examples of nl-retry(1) print what they say" { as_reader && examples displays man/nl-retry.1; }
@test "Examples of nl-breaker(1) print what they say" { as_reader && examples displays man/nl-breaker.1; }
@test "Examples of nl-bulkhead(1) print what they say" { as_reader && examples displays man/nl-bulkhead.1; }
@test "Examples of nl-race(1) print what they say" { as_reader && examples displays man/nl-race.1; }
@test "Examples of nl-fallback(1) print what they say" { as_reader && examples displays man/nl-fallback.1; }
@test "Examples of nl-run(1) print what they say" { as_reader && examples displays man/nl-run.1; }
@test "Examples of nl-pipe(1) print what they say" { as_reader && examples displays man/nl-pipe.1; }
@test "Examples of nl-observe(1) print what they say" { as_reader && examples displays man/nl-observe.1; }
@test "Examples of nl-ctl(1) print what they say" { as_reader && examples displays man/nl-ctl.1; }
@test "Examples of nl-state(5) print what they say" { as_reader && examples displays man/nl-state.5; }
@test "Examples of ninelives(7) print what they say" { as_reader && examples displays man/ninelives.7; }
@test "Examples of nl-sink(1) print what they say" { as_reader && examples displays man/nl-sink.1; }
@test "Examples of nl-events(5) print what they say" { as_reader && examples displays man/nl-events.5; }
@test "Examples of README print what they say" {
	ln -s "$(cd "$root" && pwd)/examples" .
	sed 's,sh examples/,sh ../examples/,' "$root/README.md" >README.md
	as_reader
	root=. examples consoles README.md
}

@test "README's lines to paste do what their comments say" {
	as_reader
	readme_block '^Five lines' sh >lines
	[ "$(wc -l <lines)" -eq 5 ]
	while IFS= read -r line; do
		want=$(sed -n 's/.*# \([0-9]\{1,3\}\)\b.*/\1/p' <<<"$line")
		got=$(status_of bash -c "$line" </dev/null)
		echo "$got: $line"
		[ "$got" = "${want:-0}" ]
	done <lines
}

@test "README's order of layers works in one process and in several" {
	readme_block '^it dies' sh >line
	mkdir stub
	printf '#!/bin/sh\nflaky -q n 1 0 && echo "$2"\n' >stub/psql
	chmod +x stub/psql
	PATH=$PWD/stub:$PATH
	for fuse in 1 0; do
		rm -f n
		[ "$(NL_FUSE=$fuse sh -c "$(sed 's/nl-retry/& -b const:1ms/' line)")" = 'select 1' ]
		[ "$(wc -c <n)" -eq 2 ]
	done
}

@test "README's crontab is silent when the job goes well, and mails when not" {
	readme_block '^In a crontab' crontab >table
	env=$(grep -E '^[A-Z_]+=' table)
	job=$(sed -n 's/^[0-9*]* [0-9*]* [0-9*]* [0-9*]* [0-9*]* *//p' table)
	[ -n "$job" ]
	mkdir stub
	for status in 0 1; do
		printf '#!/bin/sh\nexit %d\n' "$status" >stub/backup
		chmod +x stub/backup
		env -i PATH="$PWD/stub:$PATH" HOME="$PWD" "$env" sh -c "${job//10s..5m/1ms..2ms}" >mail 2>&1 </dev/null || [ "$status" = 1 ]
		if [ "$status" = 0 ]; then
			[ ! -s mail ]
		else
			grep -q '^{"nl":1,' mail
		fi
	done
}

@test "README's CI step retries what hangs and what fails" {
	step=$(readme_block '^In CI' yaml | sed -n 's/^ *- run: //p')
	[ -n "$step" ]
	mkdir stub
	printf '#!/bin/sh\nexec flaky -q n 1 hang 0\n' >stub/npm
	chmod +x stub/npm
	PATH=$PWD/stub:$PATH
	run -0 sh -c "$(sed 's/10m/2s/; s/retry /retry -b const:1ms /' <<<"$step")"
	[ "$(wc -c <n)" -eq 3 ]
}

@test "A download into tar survives a server that breaks off, then refuses, then works" {
	mkdir -p www/cgi-bin src
	echo content >src/file
	tar -C src -cf www/a.tar file
	cat >www/cgi-bin/a.tar <<-'CGI'
		#!/bin/sh
		echo >>../../requests
		case $(wc -l <../../requests) in
		1) printf 'Content-Type: application/x-tar\r\n\r\n'; head -c 700 ../a.tar; sleep 60 ;;
		2) printf 'Status: 503 Service Unavailable\r\n\r\n' ;;
		*) printf 'Content-Type: application/x-tar\r\n\r\n'; cat ../a.tar ;;
		esac
	CGI
	chmod +x www/cgi-bin/a.tar
	as_reader
	mkdir to
	for fuse in 1 0; do
		rm -f requests to/*
		NL_FUSE=$fuse nl-retry -O -n5 -b const:10ms nl-timeout 2s curl -fsS http://example.com/cgi-bin/a.tar | tar -C to -x
		diff -r src to
		[ "$(wc -l <requests)" -ge 3 ]
	done
}

@test "Each --help fits a terminal of 80 columns" {
	local tool
	for tool in "$NL_BIN"/nl-*; do
		"$tool" --help >help
		run ! grep -E '^.{81}' help
	done
}
