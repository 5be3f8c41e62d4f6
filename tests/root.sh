#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# usage: tests/root.sh DIRECTORY SUITE [ARCHITECTURE,…:]PACKAGE…
# A root of Debian's packages in DIRECTORY, and nothing else; made anew when what
# is asked for has changed or is older than a day. It comes from where this
# machine's apt has its packages from. Exit 69: it cannot be had here.
set -euo pipefail
root=$1
suite=$2
shift 2
archs=$(dpkg --print-architecture)
if [ "${1%:}" != "$1" ]; then
	archs=${1%:}
	shift
fi
if [ "$(id -u)" != 0 ]; then
	echo "only root can make a root"
	exit 69
fi
want="$suite $archs $*"
if [ "$(cat "$root.made" 2>/dev/null)" = "$want" ] &&
	[ -n "$(find "$root.made" -mmin -1440)" ]; then
	exit 0
fi
# mirror LABEL: of Debian itself, of Debian-Security.
mirror() {
	apt-get indextargets --format "\$(LABEL)|\$(REPO_URI)" "Created-By: Packages" |
		sed -n "s/^$1|//p" | head -1
}
main=$(mirror Debian)
security=$(mirror Debian-Security)
if [ -z "$main" ]; then
	echo "this machine's apt has no packages of Debian's"
	exit 69
fi
sources=("deb $main $suite main")
[ -z "$security" ] || sources+=("deb $security $suite-security main")
options=()
for kind in http https; do
	eval "$(apt-config shell proxy Acquire::$kind::Proxy)"
	[ -z "${proxy:-}" ] ||
		options+=(--aptopt="Acquire::$kind::Proxy \"$proxy\"")
	unset proxy
done
rm -rf "$root" "$root.made"
mkdir -p "$(dirname "$root")"
include=$*
if ! printf '%s\n' "${sources[@]}" |
	nice mmdebstrap --quiet --mode=root --variant=minbase \
		--architectures="$archs" --include="${include// /,}" \
		--aptopt='Apt::Install-Recommends "0"' \
		--skip=cleanup/apt/lists "${options[@]}" "$suite" "$root" - \
		>"$root.log" 2>&1; then
	tail -5 "$root.log"
	rm -rf "$root"
	exit 69
fi
echo "$want" >"$root.made"
