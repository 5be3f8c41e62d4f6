#!/bin/sh
# SPDX-License-Identifier: MIT
# usage: build-deps.sh (from the top of the tree)
# Installs what packaging/debian/control says that a build needs, as far as it is
# missing; like deps.sh, never with NO_DEPS=1.
set -eu
[ -z "${NO_DEPS:-}" ] || exit 0
packaging/deps.sh build-essential dpkg-dev fakeroot xz-utils
! dpkg-checkbuilddeps packaging/debian/control >/dev/null 2>&1 || exit 0
as=
if [ "$(id -u)" != 0 ]; then
	as=sudo
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 0755 "$work"
cp -r packaging/debian "$work/debian"
echo "deps: installing what packaging/debian/control names"
$as env DEBIAN_FRONTEND=noninteractive apt-get build-dep -y -qq \
	--no-install-recommends "$work" >/dev/null
