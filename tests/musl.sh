#!/bin/sh
# SPDX-License-Identifier: MIT
# usage: tests/musl.sh BUILD_DIR (from the top of the tree)
# Compiles the daemon and its unit tests against musl's headers instead of
# glibc's, as Alpine does: what only glibc has is found here. The libraries'
# headers are this machine's; nothing is linked or run.
set -eu
out=$1/musl
if ! command -v musl-gcc >/dev/null; then
	echo "musl: LEFT OUT: there is no musl-gcc"
	exit 0
fi
rm -rf "$out"
mkdir -p "$out/sys"
# Those of the libraries, of the kernel, and of bsd-compat-headers, no other:
# the folders beside them are glibc's.
for top in /usr/include "/usr/include/$(gcc -print-multiarch)"; do
	for name in asm asm-generic cjson check.h check_stdint.h curl event2 linux \
		libwebsockets libwebsockets.h lws_config.h openssl sqlite3.h uv uv.h \
		zlib.h sys/capability.h sys/queue.h; do
		[ ! -e "$top/$name" ] || cp -rs "$top/$name" "$out/$(dirname $name)/"
	done
done
compile() {
	printf '%s\n' tests/unit/"$1"/*.c "$1"/*.c 2>/dev/null |
		while read -r file; do [ ! -e "$file" ] || echo "$file"; done |
		xargs -n 24 -P 2 musl-gcc -std=c11 -D_GNU_SOURCE -fsyntax-only -Wall \
			-Wextra -Werror -Icommon -I"${2:-$1}" -isystem "$out"
}
for folder in common worker tokend supervisor; do
	compile $folder || exit 1
done
compile telephonectl supervisor
echo "ok   musl: daemon and unit tests compile"
