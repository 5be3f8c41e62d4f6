#!/bin/sh
# SPDX-License-Identifier: MIT
# usage: inspect_page.sh inspect.html > inspect_page.c
# The page as bytes, and the hashes that its Content-Security-Policy names:
# of what stands between the tags, line feeds included (CSP Level 3, §8.1).
# Only what a small system has: sed, od, awk, sha256sum, base64.
set -eu
export LC_ALL=C
html=$1

# The text between <NAME> and </NAME>, each alone on its line and there once.
between() {
	if [ "$(grep -c "^</*$1>\$" "$html")" != 2 ] ||
		[ "$(grep -c "<$1[ >]" "$html")" != 1 ]; then
		echo "$html: <$1> and </$1> must stand alone on one line each" >&2
		exit 1
	fi
	echo
	sed -n "/^<$1>\$/,/^<\/$1>\$/p" "$html" | sed '1d;$d'
}

hash_of() {
	between "$1" >/dev/null
	octal=$(between "$1" | sha256sum | awk -v d=0123456789abcdef '{
		for (i = 1; i < 64; i += 2) {
			high = index(d, substr($1, i, 1)) - 1
			low = index(d, substr($1, i + 1, 1)) - 1
			printf "\\%03o", high * 16 + low
		}
	}')
	[ ${#octal} = 128 ]
	# shellcheck disable=SC2059 # it is the format: bytes as \NNN
	printf "$octal" | base64
}

script=$(hash_of script)
style=$(hash_of style)
cat <<END
#include "inspect.h"
const char inspect_page_script[] = "sha256-$script";
const char inspect_page_style[] = "sha256-$style";
const uint8_t inspect_page[] = {
END
od -An -v -tx1 "$html" | sed 's/ *\([0-9a-f][0-9a-f]\)/0x\1,/g'
cat <<END
};
const size_t inspect_page_len = sizeof(inspect_page);
END
