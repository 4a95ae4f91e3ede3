#!/bin/sh
# Builds the test guest with real services: programs of Debian packages, unpacked
# (never installed), in an initial RAM file system that is the whole machine.
#
#     tests/lab/lib/debian-image.sh OUTDIR
#
# writes OUTDIR/vmlinuz, initrd.img, packages (what is in it, with versions) and
# ssh_host_ed25519_key.pub.  Does nothing when OUTDIR was built from the same
# packages, kernel, helper and scripts.  Needs apt's lists and, the first time,
# the archive; no root.
#
# What is in it and how a test uses it: Lab.pm, "the Debian guest".
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../../.." && pwd)
guest=${REMUDA_GUEST:-$top/build/remuda-guest}
demo=$top/share/demo/image

die() {
	echo "debian-image: $*" >&2
	exit 1
}
[ $# -eq 1 ] || { echo "usage: debian-image.sh OUTDIR" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
PATH=$PATH:/usr/sbin:/sbin

# The services, then the libraries they are linked with; at the end a check that
# none is missing.
packages="openssh-server openssh-client openssh-sftp-server git curl postgresql-client-15
 netcat-openbsd qemu-guest-agent
 libc6 libgcc-s1 libcrypt1 zlib1g libssl3 libpam0g libaudit1 libcap-ng0 libselinux1
 libpcre2-8-0 libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 libkeyutils1
 libcom-err2 libsystemd0 libwrap0 libnsl2 libtirpc3 libedit2 libbsd0 libmd0 libtinfo6
 libcbor0.8 libfido2-1 libudev1 libzstd1 liblzma5 liblz4-1 libgcrypt20 libgpg-error0 libcap2
 libexpat1 libcurl3-gnutls libcurl4 libnghttp2-14 libidn2-0 libunistring2 librtmp1 libssh2-1
 libpsl5 libldap-2.5-0 libsasl2-2 libbrotli1 libgnutls30 libp11-kit0 libtasn1-6 libnettle8
 libhogweed6 libgmp10 libffi8 libpq5 libreadline8 libglib2.0-0 libpcre3 libnuma1 liburing2"

kernel=${KERNEL:-$(ls /boot 2>/dev/null | sed -n 's/^vmlinuz-\(.*-cloud-amd64\)$/\1/p' |
	sort -V | tail -n 1)}
[ -r "/boot/vmlinuz-${kernel:-none}" ] || die "no kernel; install linux-image-cloud-amd64"
[ -x "$guest" ] || die "no helper at $guest; run: make guest"
for tool in busybox cpio ssh-keygen apt-get dpkg-deb; do
	command -v $tool >/dev/null || die "needs $tool"
done

# One builder at a time: tests run side by side.
exec 9>"$out/lock"
flock 9

# shellcheck disable=SC2086
named() { (cd / && apt-get download --print-uris $packages 2>/dev/null); }
uris=$(named) || {
	[ "$(id -u)" != 0 ] || apt-get update -qq >/dev/null 2>&1 || true
	uris=$(named) || die "apt knows not all of the packages; run: apt-get update"
}
key=$({ echo "$kernel $uris"; cat "$0" "$guest"; find "$demo" "$here/debian" -type f |
	sort | xargs sha256sum; } | sha256sum | cut -c 1-16)
[ "$(cat "$out/key" 2>/dev/null)" != "$key" ] || exit 0

work=$(mktemp -d "${TMPDIR:-/tmp}/remuda-debian.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
chmod 755 "$work"
umask 022
root=$work/root

mkdir -p "$out/debs"
# shellcheck disable=SC2086
(cd "$out/debs" && apt-get download $packages >"$work/apt.log" 2>&1) || {
	cat "$work/apt.log" >&2
	die "apt-get download failed"
}
mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/usr/lib64"
ln -s usr/bin usr/sbin usr/lib usr/lib64 "$root/"
# A newer version may have been fetched by an earlier build: take what apt named.
echo "$uris" | while read -r _ file _; do
	dpkg-deb --fsys-tarfile "$out/debs/$file" |
		tar -C "$root" --keep-directory-symlink --no-same-owner -xf - \
			--exclude='./usr/share/doc' --exclude='./usr/share/man' \
			--exclude='./usr/share/locale' --exclude='./usr/share/postgresql/*/man' \
			--exclude='./usr/lib/*/gconv' --exclude='./usr/share/bash-completion' \
			--exclude='./lib/systemd' --exclude='./etc/init.d' --exclude='*/libmvec*' \
			--exclude='*/libicu*' --exclude='./usr/share/perl*' --exclude='./usr/bin/scalar'
	echo "${file%_*}" | sed 's/%3a/:/; s/_/ /'
done >"$work/packages"
ln -s ../lib/postgresql/15/bin/psql "$root/usr/bin/psql.real"
mv "$root/usr/bin/psql.real" "$root/usr/bin/psql"	# not Debian's Perl wrapper

# The demo's start-up, then what is different here.
cp -R "$demo/." "$root/"
cp -R "$here/debian/." "$root/"
mkdir -p "$root/dev" "$root/proc" "$root/sys" "$root/run/remuda" "$root/run/sshd" \
	"$root/root/.ssh" "$root/tmp" "$root/var/tmp" "$root/var/empty" "$root/home/session" \
	"$root/lib/modules" "$root/data" "$root/srv/git" "$root/var/log"
chmod 1777 "$root/tmp" "$root/var/tmp"
chmod 700 "$root/root" "$root/root/.ssh"
chmod -R u=rwX,go=rX "$root/etc"
chmod 755 "$root/etc/rc" "$root/etc/rc.local" "$root/usr/lib/remuda"/app/* "$root"/usr/lib/remuda/*
ssh-keygen -q -t ed25519 -N '' -C guest -f "$root/etc/ssh/ssh_host_ed25519_key"
chmod 600 "$root/etc/ssh/ssh_host_ed25519_key"

# A repository to clone: two commits, made here.
(
	export HOME="$work" GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=lab GIT_AUTHOR_EMAIL=lab@example.org \
		GIT_COMMITTER_NAME=lab GIT_COMMITTER_EMAIL=lab@example.org \
		GIT_AUTHOR_DATE='2026-01-01T00:00:00Z' GIT_COMMITTER_DATE='2026-01-01T00:00:00Z'
	git -c init.defaultBranch=main init -q "$work/herd"
	cd "$work/herd"
	echo 'a string of saddled horses' >README
	git add README
	git commit -q -m 'first'
	seq 1 2000 >numbers
	git add numbers
	git commit -q -m 'numbers'
	git clone -q --bare . "$root/srv/git/herd.git"
	cd "$root/srv/git/herd.git"
	git update-server-info
	git config http.receivepack true
	rm -f hooks/*.sample
)
chmod -R go=rX "$root/srv"

# busybox for everything no package brought.
cp "$(command -v busybox)" "$root/usr/bin/busybox"
busybox --list | while read -r applet; do
	[ -e "$root/usr/bin/$applet" ] || [ -e "$root/usr/sbin/$applet" ] || [ -L "$root/usr/bin/$applet" ] ||
		ln -s busybox "$root/usr/bin/$applet"
done
ln -s usr/bin/busybox "$root/init"
ln -sf ../bin/busybox "$root/usr/sbin/init"
cp "$guest" "$root/usr/bin/remuda-guest"
for name in accept baseline clean status; do
	ln -s ../../bin/remuda-guest "$root/usr/lib/remuda/$name"
done

for module in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci \
		virtio_console virtio_blk virtio_balloon virtio-rng failover net_failover virtio_net; do
	file=$(find "/lib/modules/$kernel/kernel" -name "$module.ko*" | head -n 1)
	case $file in
	*.ko)	cp "$file" "$root/lib/modules/" ;;
	*.xz)	xz -dc "$file" >"$root/lib/modules/$module.ko" ;;
	*.zst)	zstd -dqc "$file" >"$root/lib/modules/$module.ko" ;;
	*)	die "kernel $kernel has no module $module" ;;
	esac
done

# What only programs that are not here would want.
(cd "$root/usr/lib/x86_64-linux-gnu" && rm -rf audit libgio-2.0* security libbrotlienc*)
(cd "$root/usr/lib/git-core" && rm -f git-http-push git-imap-send git-http-fetch \
	git-sh-i18n--envsubst git-shell scalar git-credential-* git-instaweb git-add--interactive)
rm -rf "$root/usr/lib/openssh/ssh-keysign" "$root/usr/bin/ssh-keyscan" "$root/usr/bin/git-shell" \
	"$root/usr/share/postgresql" "$root/usr/share/gitweb" "$root/usr/share/lintian" \
	"$root/usr/lib/postgresql/15/bin/pg_"* "$root/etc/ssh/moduli"

# Nothing starts that lacks a library: better known now than in a guest.
for program in usr/sbin/sshd usr/bin/ssh usr/lib/openssh/sftp-server usr/bin/git usr/bin/curl \
		usr/lib/git-core/git-remote-http usr/lib/git-core/git-daemon \
		usr/lib/git-core/git-http-backend usr/bin/psql usr/bin/nc.openbsd usr/sbin/qemu-ga; do
	[ -e "$root/$program" ] || die "no package brought $program"
	lacks=$("$root/lib64/ld-linux-x86-64.so.2" --inhibit-cache --library-path \
		"$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu" \
		--list "$root/$program" | sed -n 's/^\s*\(.*\) => not found/\1/p')
	[ -z "$lacks" ] || die "$program lacks:" $lacks
done
(cd "$root" && find . -print0 | sort -z |
	cpio --quiet --null --owner=0:0 -o -H newc) >"$out/initrd.img.new"
cp "/boot/vmlinuz-$kernel" "$out/vmlinuz"
cp "$root/etc/ssh/ssh_host_ed25519_key.pub" "$work/packages" "$out/"
chmod 644 "$out/vmlinuz" "$out/initrd.img.new"
mv "$out/initrd.img.new" "$out/initrd.img"
echo "$key" >"$out/key"
echo "debian-image: $out/initrd.img ($(($(wc -c <"$out/initrd.img") / 1024)) KiB)," \
	"$(wc -l <"$work/packages") packages, Linux $kernel"
