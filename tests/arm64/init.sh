#!/bin/sh
# SPDX-License-Identifier: MIT
# The first process of a machine that has the package's files, busybox, and
# tests; run.sh boots it. It says what it saw and turns the machine off.
/bin/busybox mkdir -p /usr/bin /usr/sbin
/bin/busybox --install -s /usr/bin
export PATH=/usr/sbin:/usr/bin:/bin CK_TIMEOUT_MULTIPLIER=20
failed=0
say() {
	if [ "$1" = 0 ]; then echo "ok   arm64: $2"; else echo "FAIL arm64: $2"; failed=1; fi
}
end() {
	[ $failed = 0 ] && echo "arm64: all passed"
	sync
	poweroff -f
}
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs -o mode=1777 tmp /tmp
chmod 1777 /tmp
ip link set lo up

# What a package manager does.
cat >/etc/passwd <<U
root:x:0:0::/root:/bin/sh
_telephone:x:990:990::/:/bin/false
_telephone-tok:x:991:991::/:/bin/false
nobody:x:65534:65534::/:/bin/false
U
printf '%s\n' root:x:0: telephone:x:989: _telephone:x:990: _telephone-tok:x:991: nogroup:x:65534: >/etc/group
echo '127.0.0.1 localhost app.test board.test' >/etc/hosts
mkdir -p /var/lib/telephone/token /var/lib/telephone/spool
chown _telephone-tok:_telephone-tok /var/lib/telephone/token
chown _telephone:_telephone /var/lib/telephone/spool
chmod 700 /var/lib/telephone/*
/usr/share/telephone/make-secret /etc/telephone/secret

echo "--   arm64: $(uname -srm), $(cut -d' ' -f1 /proc/uptime) s"
for name in sandbox url util; do
	/test/check_$name >/tmp/log 2>&1
	r=$?
	say $r "check_$name on its kernel: $(grep -m1 '^[0-9]*%' /tmp/log)"
	[ $r = 0 ] || cat /tmp/log
done

/test/switchboard --quiet --listen 127.0.0.1:4000 --tls 127.0.0.1:4443 \
	--cert /test/cert.pem --key /test/key.pem >/tmp/board &
/test/demo-backend --quiet --listen 127.0.0.1:8080 >/tmp/app &
for _ in $(seq 100); do
	[ -s /tmp/board ] && [ -s /tmp/app ] && break
	sleep 0.2
done
call() { curl -sf -m 120 -o /tmp/body "$@" "http://127.0.0.1:4000$target"; }
target="/admin/token?path_id=demo&ttl=86400&iat=-10"
call -X POST
cat >>/etc/telephone/telephone.conf <<C
PLUGBOARD_URL=wss://board.test:4443/telephone/websocket
PLUGBOARD_CA_FILE=/test/cert.pem
BACKEND_HOST=app.test
BACKEND_PORT=8080
TELEPHONE_TOKEN=$(cat /tmp/body)
CONNECT_TIMEOUT=60s
C
telephone -n
say $? "telephone -n finds no fault"
telephone 2>/tmp/telephone.log &
telephone=$!
joined() {
	for _ in $(seq 300); do
		telephonectl healthcheck >/dev/null 2>&1 && return 0
		sleep 0.2
	done
	cat /tmp/telephone.log
	return 1
}
joined
say $? "joined over TLS, by names"
telephonectl status --json >/tmp/status
grep -q '"whole":true' /tmp/status
say $? "the walls are whole"
# telephone, worker, lookup, tokend: three have Landlock, and all seccomp.
[ "$(grep -o '"seccomp":true,"landlock_abi":[1-9]' /tmp/status | wc -l)" = 3 ] &&
	! grep -q '"violations":[1-9]' /tmp/status
say $? "seccomp and Landlock in each child, no violation"
[ $failed = 0 ] || cat /tmp/status
# user NAME USER FILTERS: who it runs as, behind the supervisor's filter and its own.
user() {
	for p in /proc/[0-9]*; do
		[ "$(tr -d '\0' <"$p/cmdline" 2>/dev/null)" = "$1" ] || continue
		grep -q "^Uid:[[:space:]]*$2[[:space:]]" "$p/status" &&
			grep -q '^Seccomp:[[:space:]]*2' "$p/status" &&
			grep -q "^Seccomp_filters:[[:space:]]*$3" "$p/status"
		say $? "$1: uid $2, $3 filters"
		return
	done
	say 1 "there is no $1"
}
user telephone 0 1
user 'telephone: tokend' 991 2
user 'telephone: worker' 990 2
user 'telephone: lookup' 990 2
target=/call/demo/bytes/5
call && [ "$(wc -c </tmp/body)" = 5 ]
say $? "a request"
target=/call/demo/utf8/3000000
call && [ "$(wc -c </tmp/body)" = 3000000 ]
say $? "3 MB through the spool"
head -c 100000 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >/tmp/sent
target=/call/demo/echo
call --data-binary @/tmp/sent && cmp /tmp/sent /tmp/body
say $? "200 KB there and back"
telephonectl reload
say $? "a reload"
joined && target=/call/demo/bytes/7 && call && [ "$(wc -c </tmp/body)" = 7 ]
say $? "and a request after it"
kill -TERM $telephone
wait $telephone
say $? "an orderly end"
! grep -E ' error |SIGSYS|refused system call' /tmp/telephone.log
say $? "no error in its log"
echo "--   arm64: $(cut -d' ' -f1 /proc/uptime) s"
end
