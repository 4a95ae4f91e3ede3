#!/bin/sh
# What the console may write to its terminal; see budget.c.
here=$(dirname "$0")
bin=${BUILD:-$here/../../build}/tests/screen
exec "${REMUDA_BUDGET:-$bin/budget}" "${REMUDA_DRIVER:-$bin/console_driver}"
