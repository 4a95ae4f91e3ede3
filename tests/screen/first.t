#!/bin/sh
# The first start and the practice site; see first.c.
here=$(cd "$(dirname "$0")" && pwd)
bin=$here/../../${BUILD:-build}
case ${BUILD:-build} in /*) bin=$BUILD ;; esac
exec "${REMUDA_FIRST:-$bin/tests/screen/first}" "${REMUDA:-$bin/remuda}"
