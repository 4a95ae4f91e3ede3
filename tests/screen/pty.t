#!/bin/sh
# The console on a pseudo terminal; see pty.c.
here=$(dirname "$0")
bin=${BUILD:-$here/../../build}/tests/screen
exec "${REMUDA_PTY:-$bin/pty}" "${REMUDA_DRIVER:-$bin/console_driver}"
