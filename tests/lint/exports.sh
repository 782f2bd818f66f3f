#!/bin/sh
# exports.sh - the functions that include/waybill.h declares, one a line: what the shared library may show
cd "$(dirname "$0")/../.." || exit 2
[ -f include/waybill.h ] || exit 0
awk '
    /\/\*/ { comment = 1 }
    !comment && !/^#/ && !/^[ \t]/ && match($0, /[a-z]*waybill_[a-z0-9_]+\(/) { print substr($0, RSTART, RLENGTH - 1) }
    /\*\// { comment = 0 }' include/waybill.h | sort -u
