#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# usage: tests/arm64/run.sh BUILD_DIR TARBALL VERSION (from the top of the tree)
# The package for arm64, built here and run:
#
# 1. cross-built in a root of its own, whose dependencies Build-Depends must name;
# 2. the unit tests under qemu-user, which has the processor but no walls: it
#    knows neither seccomp(2) nor Landlock, so what the walls say is checked by
#    check_walls, and what needs a kernel is left to
# 3. Debian's own arm64 kernel in qemu-system: the package's files as an
#    initramfs, the walls raised, requests through it (init.sh).
set -euo pipefail
build=$(realpath "$1")
tarball=$2
version=$3
here=$(dirname "$0")
out=$build/arm64
root=$build/roots/arm64
status=0
say() {
	if [ "$1" = 0 ]; then echo "ok   arm64: $2"; else echo "FAIL arm64: $2"; status=1; fi
}
libraries=()
for name in check libcjson-dev libcurl4-openssl-dev libevent-dev libsqlite3-dev \
	libssl-dev libuv1-dev libwebsockets-dev libwebsockets-evlib-uv pkgconf busybox-static curl; do
	libraries+=("$name:arm64")
done
if ! why=$(tests/root.sh "$root" bookworm amd64,arm64: build-essential crossbuild-essential-arm64 \
	debhelper fakeroot make xz-utils git openssl systemd cpio \
	qemu-user-static qemu-system-arm "${libraries[@]}"); then
	echo "check-arm64: LEFT OUT: $why"
	exit 0
fi
rm -rf "$out" "$root/src"
mkdir -p "$out" "$root/src"
cp "$tarball" "$root/src/source.tar.xz"
cp "$here/inside.sh" "$here/init.sh" "$root/src/"
# inside STEP: in the root, with nothing of this machine's but its kernel.
inside() {
	unshare --mount --pid --fork --mount-proc="$root/proc" \
		chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
		VERSION="$version" JOBS="$(nproc)" bash /src/inside.sh "$1"
}
quietly() { inside "$1" >"$out/$1.log" 2>&1 || { tail -30 "$out/$1.log"; return 1; }; }

quietly package && r=0 || r=1
say "$r" "dpkg-buildpackage -aarm64, with what Build-Depends names"
[ "$r" = 0 ] || exit 1
cp "$root"/src/deb/*.deb "$root"/src/deb/*.changes "$root"/src/deb/*.buildinfo "$out/"
deb=$(find "$out" -name 'telephone_*_arm64.deb')
[ "$(dpkg-deb -f "$deb" Architecture)" = arm64 ] && r=0 || r=1
say "$r" "the package says arm64"
rm -rf "$root/src/files"
dpkg-deb -x "$deb" "$root/src/files"
for f in usr/sbin/telephone usr/sbin/telephonectl usr/libexec/telephone/worker \
	usr/libexec/telephone/tokend; do
	readelf -h "$root/src/files/$f" | grep -q 'Machine: *AArch64' && r=0 || r=1
	say "$r" "/$f is for AArch64"
done
if command -v lintian >/dev/null; then
	lintian --allow-root --pedantic --fail-on error,warning "$out"/*.changes && r=0 || r=1
	say "$r" "lintian has nothing against it"
fi
quietly units && r=0 || r=1
say "$r" "everything compiles for it, without a warning"
[ "$r" = 0 ] || exit 1
inside emulated >"$out/emulated.log" 2>&1 && r=0 || r=1
grep -E '^(FAIL|--)|:[FE]:' "$out/emulated.log" || true
say "$r" "$(grep -c '^ok' "$out/emulated.log") unit tests under qemu-user"
quietly image && r=0 || r=1
say "$r" "Debian's kernel and an initramfs of the package"
[ "$r" = 0 ] || exit 1
inside boot 2>&1 | tr -d '\r' | sed -u 's/\x1b\[[0-9;?]*[A-Za-z]//g' >"$out/boot.log" || true
grep -E '^(ok  |FAIL) arm64|:[FE]:' "$out/boot.log" || true
if ! grep -q '^arm64: all passed$' "$out/boot.log"; then
	say 1 "on a kernel for arm64; its console:"
	tail -40 "$out/boot.log"
fi
exit $status
