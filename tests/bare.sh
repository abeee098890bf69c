#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bare.sh [--tree] [COMMAND]...: the two commands of a newcomer, on a Debian 12 with
# nothing but git.  Makes a root with mmdebstrap (kept in build/bare.tar, a
# minute), clones this repository into it (--tree: copies the work tree, with
# what is not committed), and runs COMMANDs in it: quickstart and the tests by
# default.  Mounts and processes are its own and vanish with it.  Needs to be root.
set -eu

cd "$(dirname "$0")/.."
top=$PWD tar=$PWD/build/bare.tar tree=
if [ "${1-}" = --tree ]; then
	tree=1
	shift
fi
[ $# -gt 0 ] || set -- 'sh examples/quickstart.sh' 'sh tests/run.sh'
[ "$(id -u)" = 0 ] || { echo 'bare.sh: chroot needs root' >&2; exit 1; }
for c in mmdebstrap unshare git; do
	command -v "$c" >/dev/null || { echo "bare.sh: $c is missing (apt-get install mmdebstrap util-linux git)" >&2; exit 1; }
done

mkdir -p build
if [ ! -s "$tar" ]; then
	echo 'bare.sh: making a bare Debian 12'
	rm -f build/bare.new.tar
	mmdebstrap --quiet --variant=minbase --include=git,ca-certificates bookworm build/bare.new.tar
	mv build/bare.new.tar "$tar"
fi
root=$(mktemp -d)
trap 'rm -rf --one-file-system "$root"' EXIT
trap 'exit 1' HUP INT TERM
tar -x -f "$tar" -C "$root" --exclude='./dev/*'
if [ -n "$tree" ]; then
	mkdir "$root/root/ninelives"
	git ls-files -z -co --exclude-standard | tar -c --null -T - | tar -x -C "$root/root/ninelives"
else
	git clone -q "file://$top" "$root/root/ninelives"
fi
cp /etc/resolv.conf "$root/etc/resolv.conf"

for c in "$@"; do
	echo "bare.sh: $c"
	start=$(date +%s)
	# A pid namespace: what the command leaves running ends with it.
	# shellcheck disable=SC2016
	unshare --mount --pid --fork --kill-child sh -euc '
		mount --make-rprivate /
		mount -t proc proc "$1/proc"
		mount -t sysfs -o ro sys "$1/sys"
		mount -t tmpfs dev "$1/dev"
		for d in null zero full random urandom tty; do
			: >"$1/dev/$d"
			mount --bind "/dev/$d" "$1/dev/$d"
		done
		mkdir "$1/dev/pts" "$1/dev/shm"
		mount -t devpts -o newinstance,ptmxmode=0666 pts "$1/dev/pts"
		mount -t tmpfs shm "$1/dev/shm"
		ln -s pts/ptmx "$1/dev/ptmx"
		ln -s /proc/self/fd "$1/dev/fd"
		ln -s fd/0 "$1/dev/stdin"
		ln -s fd/1 "$1/dev/stdout"
		ln -s fd/2 "$1/dev/stderr"
		ip link set lo up 2>/dev/null || :
		exec chroot "$1" /usr/bin/env -i HOME=/root TERM=dumb PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
			sh -c "cd /root/ninelives && $2"' sh "$root" "$c" </dev/null
	echo "bare.sh: $c: passed in $(($(date +%s) - start)) s"
done
