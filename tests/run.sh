#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# run.sh - sh tests/run.sh: installs what building and testing need, as far as
# it is missing (Debian: apt-get, as root or through sudo), and runs make check.
# Arguments go to make.  Elsewhere than on Debian it only says what is missing.
set -eu
cd "$(dirname "$0")/.."

# COMMAND or FILE:PACKAGE
needs='gcc:gcc make:make /usr/include/stdio.h:libc6-dev musl-gcc:musl-tools /usr/include/jsmn.h:libjsmn-dev
ar:binutils git:git perl:perl bats:bats ps:procps setsid:util-linux strace:strace mandoc:mandoc jq:jq
node:nodejs less:less pkg-config:pkg-config /usr/include/pipeline.h:libpipeline-dev /usr/include/bash/builtins.h:bash-builtins curl:curl busybox:busybox zsh:zsh fish:fish expect:expect faketime:faketime
pg_dump:postgresql promtool:prometheus
/usr/share/bash-completion/bash_completion:bash-completion'

missing=
for n in $needs; do
	case ${n%:*} in
	/*) [ -e "${n%:*}" ] || missing="$missing ${n#*:}" ;;
	*) command -v "${n%:*}" >/dev/null || missing="$missing ${n#*:}" ;;
	esac
done
if [ -n "$missing" ]; then
	as=
	[ "$(id -u)" = 0 ] || as=sudo
	if ! command -v apt-get ${as:+"$as"} >/dev/null; then
		echo "run.sh: please install, by Debian's names:$missing" >&2
		exit 1
	fi
	echo "run.sh: installing$missing"
	$as apt-get -qq update
	# shellcheck disable=SC2086
	$as env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 install -y \
		--no-install-recommends $missing >/dev/null
fi
exec make check "$@"
