#!/bin/sh
# Installs what build, demo and tests need on Debian 12; on another system says
# what to install.  Does nothing, quickly, when everything is there.
set -eu

build="gcc clang make pkg-config libc6-dev musl-tools libuv1-dev libsqlite3-dev libjansson-dev
 liblua5.4-dev libncurses-dev libvirt-dev libxml2-dev libisofs-dev libcrypt-dev libssl-dev libseccomp-dev libssh-dev
 libmnl-dev libcap-ng-dev libvterm-dev"
run="libvirt-daemon-system libvirt-daemon-driver-qemu libvirt-clients qemu-system-x86 qemu-utils
 linux-image-cloud-amd64 busybox-static cpio qemu-guest-agent"
tests="perl procps tmux haproxy valgrind iproute2 util-linux
 libclang-rt-14-dev zsh fish lua5.4 groff-base man-db systemd dpkg-dev openssh-client netcat-openbsd git curl nginx-light postgresql-15
 htop tig mc"

missing=
for package in $build $run $tests; do
	dpkg-query -W -f '${Status}' "$package" 2>/dev/null |
		grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null || ! grep -q '^VERSION_ID="12"' /etc/os-release; then
	echo "remuda: this is not Debian 12; install the equivalents of:$missing" >&2
	exit 1
fi
sudo=
if [ "$(id -u)" != 0 ]; then
	sudo=sudo
	command -v sudo >/dev/null || {
		echo "remuda: as root run: apt-get install --no-install-recommends$missing" >&2
		exit 1
	}
fi
echo "installing:$missing" >&2
log=$(mktemp)
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
{ $sudo apt-get update -qq &&
  $sudo apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1 || {
	tail -n 20 "$log" >&2
	echo "remuda: apt-get failed; its whole output is in $log" >&2
	exit 1
}
rm -f "$log"
