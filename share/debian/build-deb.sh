#!/bin/sh
# make deb: what `make install` installs, as a package: $BUILD/remuda_VERSION_ARCH.deb.
# Needs dpkg-dev, which says which packages the libraries are in.
set -eu

build=${BUILD:-build}
here=share/debian
version=$(sed -n 's/^#define REMUDA_VERSION "\(.*\)"/\1/p' engine/engine.h)
arch=$(dpkg --print-architecture)
work=$build/deb
root=$work/root
deb=$build/remuda_${version}_$arch.deb

rm -rf "$work"
mkdir -p "$work/debian" "$root/DEBIAN"
# Only the units know where the program is; it finds its own scripts.
make --no-print-directory -s install BUILD="$build" DESTDIR="$PWD/$root" PREFIX=/usr \
	UNITDIR=/lib/systemd/system ZSHDIR=/usr/share/zsh/vendor-completions >/dev/null
install -d -m 755 "$root/etc/remuda"

# Symbols stay in the tree; pages are compressed, as Debian has them.
strip --strip-unneeded "$root/usr/bin/remuda" "$root/usr/lib/lua/5.4/remuda.so"
find "$root/usr/share/man" -type f -exec gzip -9n {} +
mv "$root/usr/share/doc/remuda/LICENSE" "$root/usr/share/doc/remuda/copyright"

: >"$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O -e root/usr/bin/remuda -e root/usr/lib/lua/5.4/remuda.so 2>/dev/null |
	sed -n 's/^shlibs:Depends=//p')
[ -n "$depends" ] || { echo "deb: dpkg-shlibdeps does not know the libraries" >&2; exit 1; }
size=$(du -sk --exclude=DEBIAN "$root" | cut -f1)
sed -e "s|@VERSION@|$version|" -e "s|@ARCH@|$arch|" -e "s|@DEPENDS@|$depends|" \
	-e "s|@SIZE@|$size|" $here/control.in >"$root/DEBIAN/control"
for script in postinst prerm postrm; do
	install -m 755 $here/$script "$root/DEBIAN/$script"
done
(cd "$root" && find . -type f ! -path './DEBIAN/*' -printf '%P\n' | LC_ALL=C sort |
	xargs -d '\n' md5sum >DEBIAN/md5sums)
find "$root" -type d -exec chmod 755 {} +
dpkg-deb --root-owner-group -Zxz --build "$root" "$deb" >/dev/null
rm -rf "$work"
echo "$deb"
