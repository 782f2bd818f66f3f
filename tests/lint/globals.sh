#!/bin/sh
# globals.sh BUILD/KIND - no mutable globals: no symbol in .data or .bss but those of globals.allow, each with its reason;
# and no name that two files define: a library would silently take either
cd "$(dirname "$0")/../.." || exit 2
B=${1:-build/release}
# .data.rel.ro holds const tables with pointers: those count as const, so the section is asked for, not nm's letter.
objects() { # those whose source is still there
    find "$B/obj" -name '*.o' | sort | while read -r o; do
        src=src/${o#"$B"/obj/}
        [ ! -f "${src%.o}.c" ] || echo "$o"
    done
}
{
objects | while read -r o; do
    src=src/${o#"$B"/obj/}
    objdump -t "$o" 2> /dev/null | awk -v file="${src%.o}.c" '
        # VALUE FLAGS… SECTION SIZE NAME
        / O / && $(NF-2) ~ /^\.(data|bss|tdata|tbss)/ && $(NF-2) !~ /^\.data\.rel\.ro/ { name = $NF; sub(/\.[0-9]+$/, "", name); print file, name }'
done
objects | xargs nm -A -g --defined-only | sed "s|^$B/obj/|src/|; s|\.o:[0-9a-f]* [A-Z] |.c |" | awk '
    $2 in first { print $1, $2, first[$2] } { first[$2] = $1 }'
} | awk '
    FILENAME ~ /allow$/ { if ($1 !~ /^#/ && NF > 2) allowed[$1, $2] = 1; next }
    NF == 3 { printf "%s: `%s` is the name of another thing in %s too: rename one, or share it in a lower layer\n", $1, $2, $3; n++; next }
    !(($1, $2) in allowed) { printf "%s: `%s` can change: pass it in, or make it const\n", $1, $2; n++ }
    END { print n ? "not ok lint/globals (" n " findings)" : "ok lint/globals"; exit n > 0 }' tests/lint/globals.allow -
