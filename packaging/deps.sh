#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs those of the named Debian packages that are missing: as root or
# through sudo; without either it prints the command to run and fails.
# NO_DEPS=1 (package builds) makes it do nothing.
set -eu
[ -z "${NO_DEPS:-}" ] || exit 0
if ! command -v dpkg-query >/dev/null; then
	echo "deps: not a Debian system; make sure these (or their likes) are" \
		"installed, then set NO_DEPS=1: $*" >&2
	exit 1
fi
missing=
for p in "$@"; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q ' installed$' ||
		missing="$missing $p"
done
[ -n "$missing" ] || exit 0
as=
if [ "$(id -u)" != 0 ]; then
	as=sudo
	if ! command -v sudo >/dev/null; then
		echo "deps: missing packages; as root run: apt-get install -y" \
			"--no-install-recommends$missing" >&2
		exit 1
	fi
fi
echo "deps: installing$missing"
$as apt-get update -qq
# shellcheck disable=SC2086 # a list of names
$as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
	--no-install-recommends $missing >/dev/null
