#!/bin/sh
# tools.sh [BUILD/KIND] - clang-tidy and cppcheck where they are installed; not part of make check
cd "$(dirname "$0")/../.." || exit 2
build=$(dirname "${1:-build/release}")
found=$(mktemp)
trap 'rm -f "$found"' EXIT
tidy=$(for t in clang-tidy clang-tidy-14; do command -v $t && break; done)
if [ -n "$tidy" ] && [ -f "$build/compile_commands.json" ]; then
    find src -name '*.c' | sort | xargs -P "${JOBS:-$(nproc)}" -n 4 "$tidy" -p "$build" --quiet 2> /dev/null | grep -E '(warning|error):' >> "$found"
else
    echo "clang-tidy is not installed: left out (make deps-lint)"
fi
if command -v cppcheck > /dev/null; then
    cppcheck --quiet --std=c11 --enable=warning,portability --inline-suppr --suppressions-list=tests/lint/cppcheck.allow -j "${JOBS:-$(nproc)}" \
        -Iinclude -Isrc -D_GNU_SOURCE --template='{file}:{line}: {message} [{id}]' src 2>> "$found"
else
    echo "cppcheck is not installed: left out (make deps-lint)"
fi
sort -u "$found"
[ -s "$found" ] && echo "not ok lint/tools ($(sort -u "$found" | wc -l) findings)" && exit 1
echo "ok lint/tools"
