#!/bin/sh
# Builds the demo's guest from packages of this Debian: a kernel and an initial
# RAM file system that is the whole machine.
#
#     share/demo/build-image.sh OUTDIR      writes OUTDIR/vmlinuz, OUTDIR/initrd.img
#
# Needs no root: ownership and device nodes are the archive's and the kernel's
# business.  REMUDA_GUEST names the guest's helper (default: the one `make`
# builds), KERNEL a kernel's version (default: the newest cloud kernel here).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
guest=${REMUDA_GUEST:-$top/build/remuda-guest}

die() {
	echo "build-image: $*" >&2
	exit 1
}

[ $# -eq 1 ] || { echo "usage: build-image.sh OUTDIR" >&2; exit 2; }
out=$1

PATH=$PATH:/usr/sbin:/sbin
missing=
need() {	# need PACKAGE FILE...: one of the files must be there
	package=$1
	shift
	for file; do
		[ -e "$file" ] && return
	done
	missing="$missing $package"
}

kernel=${KERNEL:-$(ls /boot 2>/dev/null | sed -n 's/^vmlinuz-\(.*-cloud-amd64\)$/\1/p' |
	sort -V | tail -n 1)}
need linux-image-cloud-amd64 "/boot/vmlinuz-${kernel:-none}"
need busybox-static /usr/bin/busybox /bin/busybox
need cpio /usr/bin/cpio /bin/cpio
need qemu-guest-agent /usr/sbin/qemu-ga
need e2fsprogs /usr/sbin/mke2fs /sbin/mke2fs
[ -z "$missing" ] || die "missing:$missing
Install with:  apt-get install --no-install-recommends$missing"
[ -r "/boot/vmlinuz-$kernel" ] || die "/boot/vmlinuz-$kernel cannot be read by \
$(id -un); run: chmod a+r /boot/vmlinuz-$kernel"
[ -x "$guest" ] || die "no helper at $guest; run: make guest"
busybox=$(command -v busybox)
# A busybox that needs libraries would not run in there.
if ldd "$busybox" >/dev/null 2>&1; then
	die "$busybox is not static; run: apt-get install busybox-static"
fi

mkdir -p "$out" || die "cannot create $out"
work=$(mktemp -d "${TMPDIR:-/tmp}/remuda-image.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
umask 022
root=$work/root
mkdir -p "$root/bin" "$root/sbin" "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" \
	"$root/dev" "$root/proc" "$root/sys" "$root/run/remuda" "$root/root" "$root/data" \
	"$root/tmp" "$root/var/tmp" "$root/home/session" "$root/lib/modules"
chmod 1777 "$root/tmp" "$root/var/tmp"
cp -R "$here/image/." "$root/"
chmod -R u=rwX,go=rX "$root/etc" "$root/usr/lib/remuda"
chmod 755 "$root/etc/rc" "$root/usr/lib/remuda"/app/* "$root"/usr/lib/remuda/*

# busybox: one program, a link per applet.
cp "$busybox" "$root/bin/busybox"
"$busybox" --list | while read -r applet; do
	[ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
done
ln -s bin/busybox "$root/init"
ln -s ../bin/busybox "$root/sbin/init"

# Remuda's helper, under the names the hooks call it by.
cp "$guest" "$root/usr/bin/remuda-guest"
for name in accept baseline clean status resume; do
	ln -s ../../bin/remuda-guest "$root/usr/lib/remuda/$name"
done

# Programs with their libraries, where they expect them.
copy_program() {
	cp -L "$1" "$root/usr/sbin/"
	ldd "$1" | grep -o '/[^ ]*' | while read -r library; do
		[ -e "$root$library" ] && continue
		mkdir -p "$root$(dirname "$library")"
		cp -L "$library" "$root$library"
	done
}
copy_program "$(command -v qemu-ga)"
copy_program "$(command -v mke2fs)"
copy_program "$(command -v e2fsck)"

# Modules; /etc/rc loads those whose device is there, in this order.
for module in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci \
		virtio_console virtio_blk virtio_balloon virtio-rng; do
	file=$(find "/lib/modules/$kernel/kernel" -name "$module.ko*" | head -n 1)
	case $file in
	*.ko)	cp "$file" "$root/lib/modules/" ;;
	*.xz)	xz -dc "$file" >"$root/lib/modules/$module.ko" ;;
	*.zst)	zstd -dqc "$file" >"$root/lib/modules/$module.ko" ;;
	*)	die "kernel $kernel has no module $module" ;;
	esac
done

# Not compressed: the copy is cheaper than the unpacking.
# The directory itself is in it, for its mode: an initial / is world-writable.
(cd "$root" && find . -print0 | sort -z |
	cpio --quiet --null --owner=0:0 -o -H newc) >"$out/initrd.img.new"
cp "/boot/vmlinuz-$kernel" "$out/vmlinuz.new"
chmod 644 "$out/vmlinuz.new" "$out/initrd.img.new"
mv "$out/initrd.img.new" "$out/initrd.img"
mv "$out/vmlinuz.new" "$out/vmlinuz"
echo "build-image: $out/vmlinuz (Linux $kernel)," \
	"$out/initrd.img ($(($(wc -c <"$out/initrd.img") / 1024)) KiB)"
