#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# usage: tests/system/bare.sh BUILD_DIR SUITE (from the top of the tree)
# A bare Debian SUITE, made of its packages: the tree is cloned there, README's
# `make deb` builds the package with what it installs itself, and another such
# root, with nothing but that package's dependencies within reach, is booted:
# documents.py does there what README.md and docs/deployment.md say, and then
# come the checks of `make check-system`.
set -euo pipefail
build=$(realpath "$1")
suite=$2
root=$build/roots/$suite
out=$build/bare/$suite
left_out() {
	echo "check-bare: LEFT OUT: $suite: $*"
	exit 0
}
why=$(tests/root.sh "$root" "$suite" apt ca-certificates curl git make openssl \
	procps python3 sudo systemd systemd-sysv) || left_out "$why"
rm -rf "$out"
mkdir -p "$out"
work=$(mktemp -d /var/tmp/telephone-bare.XXXXXX)
cleanup() {
	umount -l "$work"/*/root/proc "$work"/*/root 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT
# over NAME: a root that may be written to, with the network's name servers.
over() {
	mkdir -p "$work/$1/upper" "$work/$1/work" "$work/$1/root"
	mount -t overlay overlay -o "lowerdir=$root,upperdir=$work/$1/upper,workdir=$work/$1/work" \
		"$work/$1/root" || left_out "no overlay can be mounted"
	cp -L /etc/resolv.conf "$work/$1/root/etc/"
}
inside() {
	local top=$work/$1/root
	shift
	mountpoint -q "$top/proc" || mount -t proc proc "$top/proc"
	chroot "$top" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
		DEBIAN_FRONTEND=noninteractive "$@"
}
over build
git clone -q . "$work/build/root/root/telephone"
# And what is changed and not yet committed.
git ls-files -z --cached --others --exclude-standard |
	tar --null -T - -c | tar -x -C "$work/build/root/root/telephone"
if ! inside build sh -c 'git config --global --add safe.directory /root/telephone &&
	cd ~/telephone && apt-get update -qq && make deb && make -j2 build/switchboard build/demo-backend' \
	>"$out/log" 2>&1; then
	echo "FAIL bare: $suite: make deb"
	tail -20 "$out/log"
	exit 1
fi
echo "ok   bare: $suite: make deb, with what it installs itself"
made=$work/build/root/root/telephone/build
mkdir "$out/deb" "$out/lib"
cp "$made"/deb/telephone_*.deb "$out/deb/"
cp "$made/switchboard" "$made/demo-backend" "$out/"
# What the two link, so that the bare root need not have it.
inside build ldd /root/telephone/build/switchboard |
	sed -n 's,.*=> \(/[^ ]*/lib\(event\|ssl\|crypto\)[^ ]*\) .*,\1,p' |
	while read -r library; do cp -L "$work/build/root$library" "$out/lib/"; done
over boot
cp "$out"/deb/*.deb "$work/boot/root/root/"
# Fetched, and no more: there will be no network.
inside boot sh -c 'apt-get update -qq && apt-get install -y -qq --download-only \
	/root/telephone_*.deb && rm /root/telephone_*.deb' >>"$out/log" 2>&1
umount "$work/boot/root/proc"
ROOT=$work/boot/root LIBRARIES=$out/lib tests/system/boot.sh "$out" documents
