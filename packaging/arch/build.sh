#!/bin/sh
# SPDX-License-Identifier: MIT
# usage: arch/build.sh TARBALL VERSION OUT (from the top)
# The package by makepkg, which refuses to be root. Dependencies are not looked
# for (there is no pacman database on Debian); that the build finds them is
# proved by the build.
set -eu
tarball=$1
version=$2
out=$3
rm -rf "$out"
mkdir -p "$out"
cp "$tarball" "$out/telephone-$version.tar.xz"
cp packaging/arch/telephone.install "$out/"
sum=$(sha256sum <"$tarball" | cut -d' ' -f1)
sed -e "s/@VERSION@/$version/" -e "s/@SHA256@/$sum/" \
	packaging/arch/PKGBUILD.in >"$out/PKGBUILD"
run=
if [ "$(id -u)" = 0 ]; then
	chown -R nobody "$out"
	run="setpriv --reuid=nobody --regid=nogroup --clear-groups"
fi
cd "$out"
# shellcheck disable=SC2086 # a command and its options
HOME=$PWD $run makepkg --nodeps --nocolor --noconfirm
