#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# usage: tests/image.sh BUILD_DIR (from the top of the tree)
# The image without a Docker engine: buildah builds the Dockerfile on a base of
# Debian's own packages, and its root runs here read-only, as the image's user,
# with the image's environment and nothing else, with traffic through it; then
# as root with what docs/deployment.md leaves of its capabilities.
# BASE names another base (debian:bookworm-slim, where a registry can be reached).
set -euo pipefail
build=$(realpath "$1")
left_out() {
	echo "check-image: LEFT OUT: $*"
	exit 0
}
for tool in buildah mmdebstrap; do
	command -v $tool >/dev/null || left_out "there is no $tool"
done
[ "$(id -u)" = 0 ] || left_out "only root can run it without an engine"
work=$(mktemp -d /var/tmp/telephone-image.XXXXXX)
buildah() { command buildah --root "$work/store" --runroot "$work/run" "$@"; }
pids=()
# shellcheck disable=SC2317 # the trap calls it
cleanup() {
	for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; done
	wait
	umount -R "$work/root" 2>/dev/null || true
	buildah umount -a >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap cleanup EXIT
step() { echo "--   image: $*"; }

if [ -z "${BASE:-}" ]; then
	step "a base of Debian's packages"
	mmdebstrap --quiet --variant=minbase --dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' bookworm "$work/base.tar" \
		>"$work/log" 2>&1 || left_out "no packages: $(tail -1 "$work/log")"
	buildah from --name base scratch >/dev/null
	buildah add -q base "$work/base.tar" / >/dev/null
	buildah commit -q base localhost/base >/dev/null
	rm "$work/base.tar"
	BASE=localhost/base
fi
step "the Dockerfile"
version=$(packaging/version.sh)
mkdir "$work/context"
git ls-files -z --cached --others --exclude-standard |
	tar --null -T - -c | tar -x -C "$work/context"
# Docker's format: OCI's knows no HEALTHCHECK.
if ! buildah bud --format docker --isolation chroot --pull-never --build-arg "BASE=$BASE" \
	--build-arg "VERSION=$version" -f packaging/docker/Dockerfile -t telephone \
	"$work/context" >"$work/log" 2>&1; then
	tail -30 "$work/log" >&2
	exit 1
fi
container=$(buildah from --pull-never telephone)
image=$(buildah mount "$container")
mkdir "$work/root"
mount --bind "$image" "$work/root"
mount -o remount,bind,ro "$work/root"
for dir in tmp run/telephone var/lib/telephone; do
	mount -t tmpfs -o uid=65532,gid=65532,mode=0700 tmpfs "$work/root/$dir"
done
mount -t proc proc "$work/root/proc"
for dev in null urandom; do
	[ -e "$image/dev/$dev" ] || touch "$image/dev/$dev"
	mount --bind "/dev/$dev" "$work/root/dev/$dev"
done
config() { buildah inspect --type image --format "$1" telephone; }
user=$(config '{{.OCIv1.Config.User}}')
[ "$user" = 65532:65532 ] || { echo "FAIL image: it runs as $user" >&2; exit 1; }
mapfile -t env < <(config '{{range .OCIv1.Config.Env}}{{println .}}{{end}}' | grep .)
# inside COMMAND…: as the engine would.
inside() {
	exec env -i "${env[@]}" "${extra[@]}" chroot --userspec=65532:65532 \
		--groups=65532 "$work/root" setpriv --no-new-privs "$@"
}
# as_root COMMAND…: as the engine would with --user 0, --cap-drop and --cap-add.
as_root() {
	exec env -i "${env[@]}" "${extra[@]}" "${own_store[@]}" chroot "$work/root" \
		setpriv --bounding-set=-all,+setuid,+setgid,+kill --inh-caps=-all \
		--no-new-privs "$@"
}
mapfile -t health < <(config '{{range .Docker.Config.Healthcheck.Test}}{{println .}}{{end}}' | grep -vx CMD | grep .)
entry=$(config '{{index .OCIv1.Config.Entrypoint 0}}')
stop=$(config '{{.OCIv1.Config.StopSignal}}')
# healthy HOW: whether the HEALTHCHECK's command becomes 0.
healthy() {
	for _ in $(seq 150); do
		("$1" "${health[@]}") >/dev/null 2>&1 && return 0
		sleep 0.2
	done
	tail -20 "$work/telephone.log"
	return 1
}
status=0
say() {
	if [ "$1" = 0 ]; then echo "ok   image: $2"; else echo "FAIL image: $2"; status=1; fi
}
exec 3< <(exec "$build/switchboard" --quiet)
pids+=($!)
read -r _ board <&3
board=${board#http=}
exec 4< <(exec "$build/demo-backend" --quiet)
pids+=($!)
read -r _ app <&4
app=${app#http=}
token=$(curl -s -X POST "http://127.0.0.1:$board/admin/token?path_id=image&ttl=3600&iat=-10")
extra=("PLUGBOARD_URL=ws://127.0.0.1:$board/telephone/websocket" "BACKEND_HOST=127.0.0.1"
	"BACKEND_PORT=$app" "TELEPHONE_TOKEN=$token" "HEALTH_CHECK_PORT=0"
	"SECRET_KEY_BASE=$(od -An -v -N32 -tx1 /dev/urandom | tr -d ' \n')")
step "its root, read-only"
[ ${#health[@]} -gt 0 ] && r=0 || r=1
say "$r" "it has a HEALTHCHECK: ${health[*]}"
(inside "$entry") >"$work/telephone.log" 2>&1 &
telephone=$!
pids+=("$telephone")
healthy inside && r=0 || r=1
say "$r" "the HEALTHCHECK's command becomes 0"
code=$(curl -s -o "$work/body" -w '%{http_code}' "http://127.0.0.1:$board/call/image/utf8/3000000")
[ "$code" = 200 ] && [ "$(stat -c %s "$work/body")" = 3000000 ] && r=0 || r=1
say "$r" "3 MB through it"
(inside /usr/sbin/telephonectl status --json) >"$work/status" 2>&1 || true
grep -q '"whole":true' "$work/status" && r=0 || r=1
say "$r" "its walls are whole"
[ "$(ps -o uid= --ppid "$telephone" | sort -u | tr -d ' ')" = 65532 ] && r=0 || r=1
say "$r" "every process is uid 65532"
kill -s "$stop" "$telephone" || true
wait "$telephone" && r=0 || r=1
say "$r" "$stop ends it with 0"
(inside "${health[@]}") >/dev/null 2>&1 && r=1 || r=0
say "$r" "and the HEALTHCHECK's command fails then"

step "the same as root, with SETUID, SETGID and KILL alone"
store=/var/lib/telephone-token
own_store=("TOKEN_DB_PATH=$store/telephone.db")
umount "$work/root/run/telephone" "$work/root/tmp"
mount -t tmpfs -o mode=0755 tmpfs "$work/root/run/telephone"
mount -t tmpfs -o mode=1777 tmpfs "$work/root/tmp"
# A volume is the image's directory at first.
mount -t tmpfs -o "$(stat -c 'uid=%u,gid=%g,mode=0%a' "$image$store")" tmpfs "$work/root$store"
(as_root "$entry") >"$work/telephone.log" 2>&1 &
telephone=$!
pids+=("$telephone")
healthy as_root && r=0 || r=1
say "$r" "it becomes healthy"
code=$(curl -s -o "$work/body" -w '%{http_code}' "http://127.0.0.1:$board/call/image/utf8/3000000")
[ "$code" = 200 ] && r=0 || r=1
say "$r" "3 MB through it"
users=$(ps -o uid= --ppid "$telephone" | sort -u | grep -cvx ' *0' || true)
[ "$users" = 2 ] && r=0 || r=1
say "$r" "worker and tokend are two users, and not root"
kill -s "$stop" "$telephone" || true
wait "$telephone" && r=0 || r=1
say "$r" "$stop ends it with 0"
touch "$work/root/usr/x" 2>/dev/null && r=1 || r=0
say "$r" "its root was read-only"
echo "--   image: $(du -sm "$image" | cut -f1) MB unpacked"
exit $status
