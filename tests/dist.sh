#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# usage: tests/dist.sh BUILD_DIR (from the top of a checkout)
# The tarball: the same bytes from two clones in folders of different names,
# under other masks, clocks, zones and languages; a version in it that sorts;
# nothing in it that git does not have.
set -euo pipefail
out=$1/dist-check
rm -rf "$out"
mkdir -p "$out"
trap 'rm -rf "$out"' EXIT
status=0
# say GOOD WHAT
say() {
	if [ "$1" = 0 ]; then
		echo "ok   dist: $2"
	else
		echo "FAIL dist: $2"
		status=1
	fi
}
git clone -q . "$out/a"
git clone -q . "$out/b-with-a-longer-name"
(cd "$out/a" && umask 022 && env TZ=UTC LC_ALL=C make -s dist >"../a.path")
sleep 1
touch "$out"/b-with-a-longer-name/*
(cd "$out/b-with-a-longer-name" && umask 077 &&
	env TZ=Pacific/Chatham LC_ALL=C.UTF-8 make -s dist >"../b.path")
a=$out/a/$(cat "$out/a.path")
b=$out/b-with-a-longer-name/$(cat "$out/b.path")
cmp "$a" "$b" && same=0 || same=1
say "$same" "the same bytes twice"

version=$(basename "$a" .tar.xz)
version=${version#telephone-}
mkdir "$out/x"
tar -xf "$a" -C "$out/x"
top=$out/x/telephone-$version
[ "$(cat "$top/VERSION")" = "$version" ] && r=0 || r=1
say "$r" "VERSION says $version"
(cd "$top" && find . -type f | sed 's,^\./,,' | grep -vx VERSION | LC_ALL=C sort) >"$out/has"
git -C "$out/a" ls-files | LC_ALL=C sort >"$out/wants"
diff "$out/wants" "$out/has" && r=0 || r=1
say "$r" "all that git has, and nothing else"
[ -z "$(find "$top" -perm /022 -o -perm /7000)" ] && r=0 || r=1
say "$r" "nothing is writable by others"
[ "$(packaging/version.sh | grep -cE '^[0-9]+\.[0-9]+\.[0-9]+([+.][0-9a-z.+]+)?$')" = 1 ] && r=0 || r=1
say "$r" "the version is one"

# A tag is a release; work on top of it is later than it.
cd "$out/a"
git -c user.name=x -c user.email=x tag -m release v7.8.9
[ "$(packaging/version.sh)" = 7.8.9 ] && r=0 || r=1
say "$r" "v7.8.9 is 7.8.9"
git -c user.name=x -c user.email=x commit -q --allow-empty -m more
later=$(packaging/version.sh)
case $later in 7.8.9+1.g*) r=0 ;; *) r=1 ;; esac
say "$r" "a commit later it is $later"
if command -v dpkg >/dev/null; then
	dpkg --compare-versions "$later" gt 7.8.9 &&
		dpkg --compare-versions "$later" lt 7.8.10 &&
		dpkg --compare-versions "$version" lt 0.1 && r=0 || r=1
	say $r "Debian sorts them"
fi
exit $status
