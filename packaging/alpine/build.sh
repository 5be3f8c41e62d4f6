#!/bin/sh
# SPDX-License-Identifier: MIT
# usage: alpine/build.sh TARBALL VERSION OUT (from the top)
# The folder of an aport, its sums filled in. abuild(1) is Alpine's alone: what
# can be seen of it here is that a POSIX shell takes it, that it has what the
# guidelines ask for, and that package() installs nothing of systemd's; tests/musl.sh
# sees that it compiles.
set -eu
tarball=$1
version=$2
out=$3
rm -rf "$out"
mkdir -p "$out"
cp packaging/alpine/telephone.* "$out/"
sum() { sha512sum <"$1" | cut -d' ' -f1; }
sed -e "s/@VERSION@/$version/" -e "s/@SHA512@/$(sum "$tarball")/" \
	-e "s/@SHA512_INITD@/$(sum packaging/alpine/telephone.initd)/" \
	packaging/alpine/APKBUILD.in >"$out/APKBUILD"
fail() {
	echo "alpine: $*" >&2
	exit 1
}
sh -n "$out/APKBUILD"
for name in pkgname pkgver pkgrel pkgdesc url arch license source sha512sums; do
	grep -q "^$name=" "$out/APKBUILD" || fail "no $name"
done
mkdir "$out/src"
tar -xf "$tarball" -C "$out/src"
(
	pkgdir=$PWD/$out/pkg
	srcdir=$PWD/$out
	# shellcheck source=/dev/null
	. "$out/APKBUILD"
	export pkgdir srcdir
	cd "$out/src/telephone-$version"
	build >/dev/null
	package >/dev/null
)
[ -z "$(find "$out/pkg" -path '*systemd*')" ] || fail "systemd's files"
for path in etc/init.d/telephone usr/sbin/telephone \
	usr/libexec/telephone/tokend etc/telephone/telephone.conf; do
	[ -e "$out/pkg/$path" ] || fail "no $path"
done
echo "ok   alpine: the aport is in $out"
