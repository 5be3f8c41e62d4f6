#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# usage: tests/system/boot.sh BUILD_DIR [directives|documents] (from the top of
# the tree)
# Boots a real systemd in a container whose root is an overlay of this
# machine's (of ROOT), without a network, and runs checks.py in it: installs the
# package, sends traffic through it, breaks it, upgrades it; boots again; purges
# it. With `directives` it tries the unit's sandbox line by line instead, with
# `documents` it does what the documents say before that. LIBRARIES: of the
# switchboard and the demo backend, where ROOT has them not.
# Nothing of it stays, and the machine's own root is not written to.
set -euo pipefail
build=$1
mode=${2:-checks}
here=$(dirname "$0")
left_out() {
	echo "check-system: LEFT OUT: $*"
	exit 0
}
[ "$(id -u)" = 0 ] || left_out "only root can boot a container"
command -v systemd-nspawn >/dev/null || left_out "there is no systemd-nspawn"
deb=$(find "$build/deb" -maxdepth 1 -name 'telephone_*.deb' | head -1)
[ -n "$deb" ] || { echo "check-system: make deb first" >&2; exit 1; }

work=$(mktemp -d /var/tmp/telephone-system.XXXXXX)
root=$work/root
cleanup() {
	umount "$root" 2>/dev/null || umount -l "$root" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT
mkdir "$work/upper" "$work/work" "$root"
mount -t overlay overlay \
	-o "lowerdir=${ROOT:-/},upperdir=$work/upper,workdir=$work/work" "$root" \
	2>"$work/why" || left_out "no overlay can be mounted: $(cat "$work/why")"

# The machine's own services are no part of this.
rm -rf "$root"/etc/systemd/system/*.wants "$root/var/log/journal"
rm -f "$root/usr/sbin/policy-rc.d" "$root/etc/systemd/system/default.target"
ln -s /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
: >"$root/etc/machine-id"
echo '127.0.0.7 app.test board.test' >>"$root/etc/hosts"
mkdir "$root/root/check"
cp "$deb" "$here"/*.py README.md docs/deployment.md "$build/switchboard" "$build/demo-backend" "$root/root/check/"
[ -z "${LIBRARIES:-}" ] || cp -r "$LIBRARIES" "$root/root/check/lib"
cat >"$root/etc/systemd/system/check.service" <<'U'
[Unit]
Description=checks
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -B /root/check/checks.py /root/check
StandardOutput=append:/root/check/output
StandardError=append:/root/check/output
TimeoutStartSec=420
ExecStopPost=/bin/sh -c 'echo "$EXIT_STATUS" >/root/check/rc; systemctl --force exit $EXIT_STATUS'
U
mkdir -p "$root/etc/systemd/system/default.target.wants"
ln -s ../check.service "$root/etc/systemd/system/default.target.wants/"

# boot PHASE: 0 when its checks passed.
boot() {
	echo "$1" >"$root/root/check/phase"
	rm -f "$root/root/check/rc" "$root/root/check/output"
	# Its own filter would take from the service what a host has.
	SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 timeout -k 10 480 systemd-nspawn -q \
		-D "$root" -M "telephone-check-$$" -b --register=no --keep-unit \
		--console=pipe --private-network \
		--system-call-filter="landlock_create_ruleset landlock_add_rule \
			landlock_restrict_self memfd_secret @keyring" \
		</dev/null >"$work/console" 2>&1 || true
	if [ ! -e "$root/root/check/output" ]; then
		if [ "$1" = probe ]; then
			tail -5 "$work/console"
			left_out "no systemd boots in a container here"
		fi
		echo "check-system: the container did not boot; its console:" >&2
		tail -40 "$work/console" >&2
		return 1
	fi
	cat "$root/root/check/output"
	[ "$(cat "$root/root/check/rc" 2>/dev/null)" = 0 ]
}
boot probe
if [ "$mode" = directives ]; then
	boot directives
else
	[ "$mode" != documents ] || boot documents
	boot first
	boot second
fi
