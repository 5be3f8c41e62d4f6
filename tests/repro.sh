#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# usage: tests/repro.sh BUILD_DIR VERSION (from the top of the tree)
# Builds the tree twice, from copies in folders of different names, with
# different clocks, time zones, languages and masks, and compares what ships.
set -euo pipefail
out=$1/repro
version=$2
rm -rf "$out"
trap 'rm -rf "$out"' EXIT

# build FOLDER [VARIABLE=VALUE…]: the sources as they stand, without build/.
build() {
	local folder=$out/$1
	shift
	mkdir -p "$folder"
	tar -c --exclude=./build --exclude=./.git . | tar -xC "$folder"
	printf '%s\n' "$version" >"$folder/VERSION"
	if ! env "$@" make -C "$folder" NO_DEPS=1 -j2 O=build \
		build/telephone build/worker build/tokend build/telephonectl \
		>"$folder.log" 2>&1; then
		tail -20 "$folder.log" >&2
		exit 1
	fi
}
(umask 022; build a TZ=UTC LC_ALL=C)
(umask 077; build a-longer-name/b TZ=Pacific/Chatham LC_ALL=C.UTF-8)

status=0
for name in telephone worker tokend telephonectl; do
	if cmp "$out/a/build/$name" "$out/a-longer-name/b/build/$name"; then
		echo "ok   reproducible: $name"
	else
		echo "FAIL reproducible: $name"
		status=1
	fi
done
exit $status
