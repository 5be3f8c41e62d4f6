#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# usage: tests/autopkgtest.sh BUILD_DIR TARBALL VERSION (from the top of the tree)
# packaging/debian/tests as Debian runs them: autopkgtest in a bare root, with
# the package that `make deb` has built.
set -euo pipefail
build=$(realpath "$1")
tarball=$(realpath "$2")
version=$3
left_out() {
	echo "check-autopkgtest: LEFT OUT: $*"
	exit 0
}
command -v autopkgtest >/dev/null || left_out "there is no autopkgtest"
# The package was built here: it goes with this Debian's libraries.
# shellcheck source=/dev/null
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
root=$build/roots/$suite
why=$(tests/root.sh "$root" "$suite" apt ca-certificates curl git make openssl \
	procps python3 sudo systemd systemd-sysv) || left_out "$why"
work=$(mktemp -d /var/tmp/telephone-autopkgtest.XXXXXX)
# shellcheck disable=SC2317 # the trap calls it
cleanup() {
	umount -l "$work/root" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay overlay -o "lowerdir=$root,upperdir=$work/upper,workdir=$work/work" \
	"$work/root" || left_out "no overlay can be mounted"
cp -L /etc/resolv.conf "$work/root/etc/"
tar -xf "$tarball" -C "$work"
cp -a "$work/telephone-$version/packaging/debian" "$work/telephone-$version/debian"
deb=$(find "$build/deb" -maxdepth 1 -name 'telephone_*.deb')
rm -rf "$build/autopkgtest"
# 8 says that some were left out: here none may be.
if unshare --mount --pid --fork --mount-proc sh -c "
	mount -t proc proc '$work/root/proc' && mount -t devpts devpts '$work/root/dev/pts' &&
	exec autopkgtest -o '$build/autopkgtest' '$deb' '$work/telephone-$version/' -- chroot '$work/root'" \
	>"$work/log" 2>&1; then
	status=0
else
	status=$?
	tail -40 "$work/log"
fi
sed 's/^\([a-z]*\) *PASS.*/ok   autopkgtest: \1/; t; s/^/FAIL autopkgtest: /' "$build/autopkgtest/summary"
exit $status
