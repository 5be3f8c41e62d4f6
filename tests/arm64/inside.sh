#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# usage: inside.sh STEP: in the root that run.sh has made; it calls this alone.
set -euo pipefail
cd /src
export LC_ALL=C.UTF-8
work=/src/telephone-$VERSION

package() {
	rm -rf "$work"
	tar -xf source.tar.xz
	DEB_BUILD_OPTIONS="nocheck parallel=$JOBS" "$work/packaging/deb.sh" source.tar.xz \
		"$VERSION" /src/deb -aarm64 -Pcross,nocheck -b
}

units() {
	make -C "$work" O=/src/build CC=aarch64-linux-gnu-gcc AR=aarch64-linux-gnu-ar \
		PKG_CONFIG=aarch64-linux-gnu-pkg-config WERROR=1 NO_DEPS=1 -j"$JOBS" \
		build-unit /src/build/switchboard /src/build/demo-backend
}

# What an emulator of the processor alone cannot run, and what takes minutes
# there and has nothing of the processor's in it.
LEFT='check_sandbox check_util check_store_faults'
one() {
	local name=${1##*/}
	case " $LEFT " in *" $name "*)
		echo "--   arm64: $name is left to a kernel"
		return
		;;
	esac
	if timeout 300 qemu-aarch64-static "$1" >"/tmp/$name.log" 2>&1; then
		echo "ok   arm64: $name"
	else
		echo "FAIL arm64: $name"
		cat "/tmp/$name.log"
		return 1
	fi
}
emulated() {
	cd "$work"
	export CK_TIMEOUT_MULTIPLIER=10 LEFT
	export -f one
	find /src/build/unit -name 'check_*' -type f | sort |
		xargs -P "$JOBS" -I{} bash -c 'one {}'
}

image() {
	local top=/src/ir package
	rm -rf "$top" kernel
	mkdir -p kernel
	if [ -z "$(find . -maxdepth 1 -name 'linux-image-*.deb')" ]; then
		package=$(apt-cache depends linux-image-arm64:arm64 | sed -n 's/.*Depends: //p')
		apt-get download -q "$package"
	fi
	dpkg-deb --fsys-tarfile linux-image-*.deb | tar -x -C kernel ./boot
	cp -a files "$top"
	mkdir -p "$top"/{bin,lib,proc,sys,dev,tmp,root,run,test,"$work/tests"} "$top/usr/lib/aarch64-linux-gnu"
	cp "$(dpkg -L busybox-static:arm64 | grep -m1 bin/busybox)" "$top/bin/busybox"
	ln -s busybox "$top/bin/sh"
	cp -L /lib/ld-linux-aarch64.so.1 "$top/lib/"
	cp build/switchboard build/demo-backend build/unit/common/check_{sandbox,url,util} "$top/test/"
	cp /usr/bin/curl "$top/usr/sbin/"
	# The libraries, and the one that is opened by name.
	for f in "$top"/test/* "$top"/usr/sbin/* "$top"/usr/libexec/telephone/* \
		/usr/lib/aarch64-linux-gnu/libwebsockets-evlib_uv.so; do
		qemu-aarch64-static /lib/ld-linux-aarch64.so.1 --list "$f"
	done | sed -n 's,.*=> \(/[^ ]*\).*,\1,p' | sort -u |
		xargs cp -Lt "$top/usr/lib/aarch64-linux-gnu/" \
			/usr/lib/aarch64-linux-gnu/libwebsockets-evlib_uv.so
	ln -s /usr/lib/aarch64-linux-gnu "$top/lib/aarch64-linux-gnu"
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=board.test \
		-addext subjectAltName=DNS:board.test -keyout "$top/test/key.pem" -out "$top/test/cert.pem"
	install -m 0755 init.sh "$top/init"
	(cd "$top" && find . | cpio -o -H newc --quiet | gzip -1) >initrd
}

boot() {
	timeout -k 5 600 qemu-system-aarch64 -M virt -cpu max,pauth-impdef=on -smp "$JOBS" \
		-m 1024 -nographic -nic none -no-reboot -kernel kernel/boot/vmlinuz-* \
		-initrd initrd -append "console=ttyAMA0 quiet panic=-1" </dev/null
}

"$1"
