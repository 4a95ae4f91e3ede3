#!/bin/sh
# What the console asks of its terminal, how it looks, its own keys; see look.c.
here=$(dirname "$0")
bin=${BUILD:-$here/../../build}/tests/screen
exec "${REMUDA_LOOK:-$bin/look}" "${REMUDA_DRIVER:-$bin/console_driver}"
