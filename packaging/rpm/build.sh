#!/bin/sh
# SPDX-License-Identifier: MIT
# usage: rpm/build.sh TARBALL VERSION OUT [rpmbuild options] (from the top)
# Source and binary package in OUT, and what rpmlint says of them. Without
# rpm's own packages of the libraries (on Debian) they are not looked for:
# that the build finds them is proved by the build.
set -eu
tarball=$1
version=$2
out=$3
shift 3
epoch=$(tar -tvf "$tarball" --full-time --utc |
	awk 'NR == 1 { print $4 "T" $5 "Z" }' | xargs date +%s -d)
SOURCE_DATE_EPOCH=$epoch
export SOURCE_DATE_EPOCH
rm -rf "$out"
mkdir -p "$out/SOURCES" "$out/SPECS"
cp "$tarball" "$out/SOURCES/"
sed -e "s/@VERSION@/$version/" \
	-e "s/@DATE@/$(LC_ALL=C date -u -d "@$epoch" '+%a %b %d %Y')/" \
	packaging/rpm/telephone.spec.in >"$out/SPECS/telephone.spec"
touch -d "@$epoch" "$out"/SPECS/* "$out"/SOURCES/*
chmod 644 "$out"/SPECS/* "$out"/SOURCES/*
[ -e /etc/redhat-release ] || set -- --nodeps "$@"
rpmbuild --define "_topdir $(cd "$out" && pwd)" \
	--define 'use_source_date_epoch_as_buildtime 1' \
	--define 'clamp_mtime_to_source_date_epoch 1' \
	--define '_buildhost reproducible' "$@" -ba "$out/SPECS/telephone.spec"
