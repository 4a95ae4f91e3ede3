#!/bin/sh
# The terminal after a violent end, Remuda's console beside htop, tig and mc; see
# restore.c.
here=$(cd "$(dirname "$0")" && pwd)
bin=$here/../../${BUILD:-build}
case ${BUILD:-build} in /*) bin=$BUILD ;; esac
dir=$(mktemp -d "${TMPDIR:-/tmp}/remuda-restore-XXXXXX")
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
export HOME="$dir"
{ git init -q . && git -c user.name=t -c user.email=t@localhost commit -q --allow-empty -m one; } ||
	echo "# no git here: tig is left out"
"${REMUDA_RESTORE:-$bin/tests/screen/restore}" "${REMUDA_DRIVER:-$bin/tests/screen/console_driver}" "$dir"
