#!/bin/bash
# make demo: a live site of real guests on this machine, one session of each
# application through the gateway, and then the console on that site when there
# is a terminal.  Ends everything it started.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-build}
case $build in /*) ;; *) build=$top/$build ;; esac
remuda=$build/remuda
PATH=$PATH:/usr/sbin:/sbin

# Where the demo's site lives: apart from any real site of this user.
export REMUDA_SITE=demo
if [ "$(id -u)" = 0 ]; then
	home=${REMUDA_STATE_DIR:-/var/lib/remuda/demo}
	uri=qemu:///system
else
	home=${REMUDA_STATE_DIR:-${XDG_STATE_HOME:-$HOME/.local/state}/remuda/demo}
	uri=qemu:///session
fi
export REMUDA_STATE_DIR=$home REMUDA_CONFIG=$home/site/site.lua
say() { printf '%s\n' "$*"; }
die() { printf 'demo: %s\n' "$*" >&2; exit 1; }

daemons=
started=
# Called on every way out.
finish() {
	code=$?
	trap - EXIT INT TERM HUP
	if [ -n "$started" ]; then
		"$remuda" site close --yes || true
		if until_true 60 engine_gone; then
			say "all machines destroyed, engine stopped"
		else
			say "some machines are left; see: virsh -c $uri list"
			code=1
		fi
	fi
	for pid in $daemons; do
		kill "$pid" 2>/dev/null || true
	done
	[ -z "$daemons" ] || say "ended the libvirt daemons the demo had started"
	exit "$code"
}

until_true() {	# until_true SECONDS COMMAND...
	end=$((SECONDS + $1))
	shift
	while ! "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.1
	done
}

engine_gone() { ! "$remuda" engine status >/dev/null 2>&1; }

libvirt_answers() { timeout 5 virsh -c "$uri" uri >/dev/null 2>&1; }

# Root without systemd: the system daemons are nobody's yet (decisions.md 24).
ensure_libvirt() {
	libvirt_answers && return
	[ "$(id -u)" = 0 ] || die "libvirt's session daemon does not start; try: virsh -c $uri uri"
	if [ -d /run/systemd/system ]; then
		systemctl start libvirtd || die "libvirtd does not start; see: systemctl status libvirtd"
	else
		say "no libvirt daemon answers: starting virtlogd and libvirtd for the time of the demo"
		virtlogd -d -p /run/remuda-demo-virtlogd.pid
		libvirtd -d -p /run/remuda-demo-libvirtd.pid
		until_true 20 libvirt_answers || die "libvirtd does not answer"
		daemons="$(cat /run/remuda-demo-libvirtd.pid) $(cat /run/remuda-demo-virtlogd.pid)"
	fi
	until_true 20 libvirt_answers || die "libvirtd does not answer"
}

prepare_site() {
	mkdir -p "$home/site"
	[ "$(id -u)" != 0 ] || chmod 0711 "$home"
	image=$build/image
	if [ ! -f "$image/initrd.img" ] || [ "$build/remuda-guest" -nt "$image/initrd.img" ] ||
	   [ "$top/share/demo/build-image.sh" -nt "$image/initrd.img" ]; then
		say "building the guest image ..."
		REMUDA_GUEST=$build/remuda-guest "$top/share/demo/build-image.sh" "$image"
	fi
	cp "$image/vmlinuz" "$image/initrd.img" "$top/share/demo/site.lua" "$home/site/"
	chmod 0755 "$home/site"
	chmod 0644 "$home/site/"*
}

ready_count() { "$remuda" machine list --filter state=ready -o name 2>/dev/null | wc -l; }

enough_ready() {
	n=$(ready_count)
	if [ "$n" != "${last:-}" ]; then
		say "  $n of 5 machines ready after $((SECONDS - began)) s"
		last=$n
	fi
	[ "$n" -ge 5 ]
}

# The value of a member in one JSON object.
field() { sed -n "s/.*\"$1\": *\"\{0,1\}\([^\",}]*\)\"\{0,1\}.*/\1/p" | head -n 1; }

session() {	# session TITLE USER APPLICATION [connect's arguments], input on stdin
	title=$1 user=$2 app=$3
	words=$(mktemp)
	say ""
	say "--- $title"
	tee /dev/stderr 2> >(sed 's/^/  > /' | head -n 12 >&2) |
		"$remuda" connect -v --confirm --user "$user" "$app" 2>"$words" | sed 's/^/  < /' ||
		{ cat "$words" >&2; die "the $app session failed"; }
	id=$(sed -n 's/.*session\/\([0-9]*\) on .*/\1/p' "$words")
	machine=$(sed -n 's/.*session\/[0-9]* on \([^ ]*\) as .*/\1/p' "$words")
	first=$(sed -n 's/.*first byte after \([0-9.]*\) ms.*/\1/p' "$words")
	[ -n "$id" ] && [ -n "$machine" ] || { cat "$words" >&2; die "connect did not name its session"; }
	until_true 30 cleaned "$id" || die "session/$id: its machine was not cleaned"
	boot=$("$remuda" machine show "$machine" --json | field boot_ms)
	say "  machine $machine, session/$id, user $("$remuda" session show "$id" --json | field user)"
	say "  clean-up confirmed to the client ($(sed -n 's/^connect: \(the machine is clean\)/\1/p' "$words")), in $("$remuda" session show "$id" --json | field clean_ms) ms"
	say "  ALLOCATE to first byte ${first:-?} ms; the same machine's boot took $boot ms"
	rm -f "$words"
}

cleaned() { [ -n "$("$remuda" session show "$1" --json 2>/dev/null | field cleaned | grep -v null)" ]; }

trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
[ -x "$remuda" ] || die "no $remuda; run: make"
ensure_libvirt
prepare_site
say "starting the engine (log: $home/engine.log) ..."
"$remuda" engine start
started=1
began=$SECONDS
if [ -t 0 ] && [ -t 1 ]; then
	"$remuda" attach
	exit 0
fi
say "booting 5 guests: 2 mail, 1 backup, 1 statistics, 1 file manager"
until_true 180 enough_ready || die "the machines did not come up; see $home/engine.log"
"$remuda" machine list

session "mail: anna leaves a message for ben" anna mail <<'END'
send ben Lunch
At one, by the stables?
.
quit
END
session "mail: ben reads it, on whatever machine he gets" ben mail <<'END'
list
read 1
delete 1
quit
END
printf 'store greeting\nHello from before.\n' |
	session "backup: anna stores a stream" anna backup
printf 'restore greeting\n' |
	session "backup: and gets it back" anna backup
seq 1 100 | session "statistics: the numbers 1 to 100" kiosk statistics
say ""
"$remuda" session list --history --limit 5
say ""
