#!/bin/sh
# SPDX-License-Identifier: MIT
# The version of a checkout: 1.2.3 at the tag v1.2.3, 1.2.3+5.gabcdef0 after it,
# 0.0.0+COUNT.gabcdef0 before the first tag; .dirty with uncommitted changes.
# In that form versions sort, in Debian, RPM and elsewhere.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd -P)
# `sudo make install` is root in somebody's checkout.
git() { command git -c safe.directory="$top" "$@"; }
if [ "$(git -C "$top" rev-parse --show-toplevel 2>/dev/null)" != "$top" ]; then
	echo unknown
	exit 0
fi
if tag=$(git -C "$top" describe --tags --match 'v[0-9]*' --dirty 2>/dev/null); then
	echo "${tag#v}" | sed -e 's/-dirty$/.dirty/' \
		-e 's/-\([0-9]*\)-\(g[0-9a-f]*\)/+\1.\2/'
else
	git -C "$top" describe --always --dirty --exclude '*' |
		sed -e "s/^/0.0.0+$(git -C "$top" rev-list --count HEAD).g/" \
			-e 's/-dirty$/.dirty/'
fi
