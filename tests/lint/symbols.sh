#!/bin/sh
# symbols.sh BUILD/KIND - libwaybill.so shows just what waybill.h declares, never prints and never exits
cd "$(dirname "$0")/../.." || exit 2
so=$1/libwaybill.so
found=$(mktemp)
trap 'rm -f "$found"' EXIT
[ -f "$so" ] || { echo "$so: was not built: no file of src includes waybill.h"; echo "not ok lint/symbols (1 findings)"; exit 1; }
nm -D --defined-only "$so" | awk '$2 ~ /[A-Z]/ { print $3 }' | sort -u > "$found.have"
tests/lint/exports.sh > "$found.want"
comm -23 "$found.have" "$found.want" | sed "s|^|$so: shows |; s|$|, which waybill.h does not declare|" > "$found"
comm -13 "$found.have" "$found.want" | sed 's|^|include/waybill.h: declares |; s|$|, which libwaybill.so does not show|' >> "$found"
nm -D --undefined-only "$so" | awk '{ sub(/@.*/, "", $2); print $2 }' |
    grep -xE 'exit|_exit|quick_exit|printf|vprintf|puts|putchar|fork|system|popen|setlocale|signal|sigaction' |
    sed "s|^|$so: calls |; s|\$|(): a library never prints and never exits|" >> "$found"
rm -f "$found.have" "$found.want"
cat "$found"
[ -s "$found" ] && echo "not ok lint/symbols ($(wc -l < "$found") findings)" && exit 1
echo "ok lint/symbols"
