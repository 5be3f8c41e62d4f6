#!/bin/sh
# SPDX-License-Identifier: MIT
# usage: dist.sh NAME-VERSION FILE.tar.xz (from the top of a checkout)
# HEAD with its uncommitted changes, and VERSION, as a tarball whose bytes
# depend on nothing else: not on umask, clock, time zone, locale or path.
set -eu
name=$1
file=$2
if [ "$(git rev-parse --show-toplevel 2>/dev/null)" != "$(pwd -P)" ]; then
	echo "dist: this is not a git checkout" >&2
	exit 1
fi
changed=$(git stash create)
git -c tar.umask=0022 archive --format=tar --prefix="$name/" \
	--add-virtual-file="$name/VERSION:${name#*-}
" "${changed:-HEAD}" | xz -6 -T1 >"$file.new"
mv "$file.new" "$file"
