#!/bin/sh
# t90-install.sh BUILD/KIND/waybill - what `make install` puts where, and that a program of somebody else can use it
set -u
B=$(dirname "$1")
top=$(pwd)
temp=$(mktemp -d) || exit 2
trap 'rm -rf "$temp"' EXIT HUP INT TERM
unset MAKEFLAGS MAKELEVEL MFLAGS
CC=${CC:-gcc}
case $B in *asan) sanitize="-fsanitize=address,undefined" ;; *cover) sanitize=--coverage ;; *) sanitize= ;; esac
result() { if [ "$1" = 0 ]; then echo "ok install: $2"; else echo "not ok install: $2"; fi; }

install() { make --no-print-directory "$1" KIND="$(basename "$B")" BUILD="$(dirname "$B")" PREFIX=/usr/local DESTDIR="$temp/root"; }
dest=$temp/root/usr/local
install install > "$temp/log" 2>&1 || cat "$temp/log"
missing=0
for f in bin/waybill lib/libwaybill.so lib/libwaybill.so.0 lib/libwaybill.a include/waybill.h lib/pkgconfig/waybill.pc share/waybill/mappings \
    lib/systemd/system/waybill@.service; do
    [ -e "$dest/$f" ] || { echo "$f was not installed"; missing=1; }
done
result $missing "program, library, header, .pc and mappings are there"

# A small order, converted by the program and through the library: the same bytes.
mapping=$top/tests/bench/mappings/csv-xml
cat > "$temp/in.csv" <<END
order_no,order_date,delivery_date,currency,buyer_gln,buyer_name,supplier_gln,supplier_name,line_no,ean,description,qty,unit,price
PO1,2026-01-02,2026-01-09,EUR,4000000000013,Müller & Söhne,4000000000020,"Tools, Inc.",1,4000000000037,"3/8"" bolt",5,PCE,1.50
PO1,2026-01-02,2026-01-09,EUR,4000000000013,Müller & Söhne,4000000000020,"Tools, Inc.",2,4000000000044,Mugs,7,PCE,12.00
END
"$dest/bin/waybill" convert -m "$mapping" -o "$temp/program.xml" "$temp/in.csv"
result $? "the installed program converts"

# An integration by its name alone, from where it was installed.
(cd "$temp" && WAYBILL_PATH="$dest/share/waybill/mappings" "$dest/bin/waybill" init site --from 24so-ongoing > init.log) &&
    [ -f "$temp/site/site.conf" ] && [ -d "$temp/site/inbox/products" ]
result $? "init finds an installed integration by its name"

PKG_CONFIG_PATH=$dest/lib/pkgconfig
PKG_CONFIG_SYSROOT_DIR=$temp/root
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
example=$top/samples/libwaybill/example.c
# shellcheck disable=SC2046,SC2086
$CC -Wall -Wextra -Werror $sanitize "$example" $(pkg-config --cflags --libs waybill) -o "$temp/shared" &&
    LD_LIBRARY_PATH=$dest/lib "$temp/shared" "$mapping.map" "$temp/in.csv" "$temp/shared.xml" && cmp "$temp/program.xml" "$temp/shared.xml"
result $? "the example linked to libwaybill.so gives the program's bytes"

# The libraries below libwaybill.a stay shared ones: not every Debian has the static ones of all of theirs.
below=$(pkg-config --print-requires-private waybill)
unset PKG_CONFIG_SYSROOT_DIR PKG_CONFIG_PATH
# shellcheck disable=SC2046,SC2086
$CC -Wall -Wextra -Werror $sanitize -I"$dest/include" "$example" "$dest/lib/libwaybill.a" $(pkg-config --libs $below) -lcsv -pthread \
    -o "$temp/static" &&
    "$temp/static" "$mapping.map" "$temp/in.csv" "$temp/static.xml" && cmp "$temp/program.xml" "$temp/static.xml"
result $? "the example linked to libwaybill.a gives the program's bytes"

"$temp/static" "$mapping.map" /nonexistent "$temp/none.xml" 2> "$temp/err"
[ $? = 5 ] && grep -q /nonexistent "$temp/err"
result $? "a missing input is told, not fatal"

install uninstall > /dev/null 2>&1
left=$(find "$temp/root" -type f -o -type l)
[ -z "$left" ] || echo "$left"
[ -z "$left" ]
result $? "uninstall leaves no file"
