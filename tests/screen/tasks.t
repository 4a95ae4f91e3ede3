#!/bin/sh
# Ten tasks of a newcomer, by keys that the screen shows; see tasks.c.
here=$(cd "$(dirname "$0")" && pwd)
bin=$here/../../${BUILD:-build}
case ${BUILD:-build} in /*) bin=$BUILD ;; esac
exec "${REMUDA_TASKS:-$bin/tests/screen/tasks}" "${REMUDA:-$bin/remuda}"
