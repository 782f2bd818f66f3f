#!/bin/sh
# headers.sh [BUILD/KIND] - every header compiles alone and begins with its contract comment
#
# A public header's comment begins "NAME - what it is", as base/arena.h's; it has an include guard of its own.
cd "$(dirname "$0")/../.." || exit 2
CC=${CC:-gcc}
found=$(mktemp)
trap 'rm -f "$found"' EXIT
flags="-std=c11 -D_GNU_SOURCE -DWAYBILL_VERSION=\"x\" -DWAYBILL_DATA=\"x\" -Iinclude -Isrc -Wall -Wextra -fsyntax-only -x c"
command -v pkg-config > /dev/null && flags="$flags $(pkg-config --cflags libxml-2.0 2> /dev/null)"
headers=$(find include src -name '*.h' | sort)
for h in $headers; do
    name=$(basename "$h" .h)
    sed -n 1,2p "$h" | tr '\n' ' ' | grep -qE "^/\*+ +\* (lib)?$name( \\(private\\))? - " || echo "$h:1: begins with no contract comment \"$name - what it is\""
done > "$found"
# All in one compiler per core: an empty file that includes the header, twice for the guard.
export flags CC
# shellcheck disable=SC2086
printf '%s\n' $headers | xargs -P "${JOBS:-2}" -I{} sh -c '
    h={}; inc=${h#include/}; inc=${inc#src/}
    printf "#include \"%s\"\n#include \"%s\"\n" "$inc" "$inc" | $CC $flags - 2>&1 | grep -E "error|warning" | head -3 | sed "s|^|$h: does not compile alone: |"' >> "$found"
# Includes of a public header may be compiled by C++ programs.
[ ! -f include/waybill.h ] || grep -q 'extern "C"' include/waybill.h || echo 'include/waybill.h:1: no extern "C" for programs in C++' >> "$found"
cat "$found"
[ -s "$found" ] && echo "not ok lint/headers ($(wc -l < "$found") findings)" && exit 1
echo "ok lint/headers"
