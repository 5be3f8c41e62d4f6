#!/bin/sh
# SPDX-License-Identifier: MIT
# usage: deb.sh TARBALL VERSION OUT [dpkg-buildpackage options]
# Unpacks the tarball, puts packaging/debian where Debian wants it, and builds
# in OUT. Nothing but the tarball is looked at.
set -eu
tarball=$1
version=$2
out=$3
shift 3
name=telephone-$version
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(tar -tvf "$tarball" --full-time --utc |
	awk 'NR == 1 { print $4 "T" $5 "Z" }' | xargs date +%s -d)}
export SOURCE_DATE_EPOCH
rm -rf "$out"
mkdir -p "$out"
cp "$tarball" "$out/telephone_$version.orig.tar.xz"
tar -xf "$tarball" -C "$out"
cp -a "$out/$name/packaging/debian" "$out/$name/debian"
cd "$out/$name"
debian/set-version "$version"
dpkg-buildpackage -us -uc "$@"
