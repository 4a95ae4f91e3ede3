#!/bin/sh
# Builds the guest of cluster tests: the demo's guest with a network card and a
# service that answers many short connections (tests/lab/lib/node/node.c).
#
#     tests/lab/lib/node-image.sh OUTDIR      writes OUTDIR/vmlinuz, OUTDIR/initrd.img
#
# A second archive behind the demo's: the kernel unpacks one over the other.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../../.." && pwd)
[ $# -eq 1 ] || { echo "usage: node-image.sh OUTDIR" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)

# One builder at a time: tests run side by side.
exec 9>"$out/lock"
flock 9
guest=${REMUDA_GUEST:-$top/build/remuda-guest}
key=$({ uname -m; ls /boot; cat "$0" "$guest" "$top/share/demo/build-image.sh"
	find "$here/node" "$top/share/demo/image" -type f | sort | xargs sha256sum; } |
	sha256sum | cut -c 1-16)
[ "$(cat "$out/key" 2>/dev/null)" != "$key" ] || exit 0
rm -f "$out/key"

work=$(mktemp -d "${TMPDIR:-/tmp}/remuda-node.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
umask 022
"$top/share/demo/build-image.sh" "$work/demo" >/dev/null
root=$work/root
mkdir -p "$root/usr/sbin" "$root/lib/modules"
cp -R "$here/node/etc" "$here/node/usr" "$root/"
musl-gcc -static -std=gnu11 -Os -Wall -Wextra -Werror -D_GNU_SOURCE -s \
	-o "$root/usr/sbin/node" "$here/node/node.c"
kernel=$(ls /boot | sed -n 's/^vmlinuz-\(.*-cloud-amd64\)$/\1/p' | sort -V | tail -n 1)
for module in failover net_failover virtio_net; do
	file=$(find "/lib/modules/$kernel/kernel" -name "$module.ko*" | head -n 1)
	case $file in
	*.ko)	cp "$file" "$root/lib/modules/" ;;
	*.xz)	xz -dc "$file" >"$root/lib/modules/$module.ko" ;;
	*)	echo "node-image: kernel $kernel has no module $module" >&2; exit 1 ;;
	esac
done
cp "$work/demo/vmlinuz" "$out/vmlinuz"
cp "$work/demo/initrd.img" "$out/initrd.img"
(cd "$root" && find . -mindepth 1 -print0 | sort -z |
	cpio --quiet --null --owner=0:0 -o -H newc) >>"$out/initrd.img"
chmod 644 "$out/vmlinuz" "$out/initrd.img"
echo "$key" >"$out/key"
