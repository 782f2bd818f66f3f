#!/bin/sh
# t20-mappings - the mappings that waybill ships: no error, all cases, all mutants killed, the laws on every sample, and every
# requirement's number beside the row or case that shows it
set -u
waybill=$(realpath "${1:-build/release/waybill}")
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top" || exit 1
export LC_ALL=C WAYBILL_CLOCK=2026-01-02T03:04:05Z
m=mappings/24so-ongoing
in=samples/ongoing24so/in
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
bad=0

result() {                              # STATUS NAME
    if [ "$1" -eq 0 ]; then
        echo "ok $2"
    else
        echo "not ok $2"
        sed 's/^/# /' "$tmp/out"
        bad=1
    fi
}

"$waybill" check mappings > "$tmp/out" 2>&1
result $? "waybill check mappings"

"$waybill" fmt --list $m/*.map $m/*.format $m/site.conf > "$tmp/out" 2>&1
result $? "the files are laid out as fmt does"

"$waybill" test --mutants mappings > "$tmp/out" 2>&1
result $? "cases and mutants: $(tail -2 "$tmp/out" | tr '\n' ' ')"

laws() {                                # MAPPING SAMPLE OPTION ...
    map=$1 sample=$2
    shift 2
    "$waybill" laws "$m/$map" "$@" "$in/$sample" > "$tmp/out" 2>&1
    result $? "laws: $(head -1 "$tmp/out") ($sample)"
    grep -q 'PutGet' "$tmp/out" && ! grep -q 'PutGet.* 0 values' "$tmp/out"
    result $? "laws: $map compared something"
}
laws articles.map 24so_products.xml --set goods-owner=NORDISK
laws sales-orders.map 24so_orders.xml --case $m/sales-orders.test/sample/case.conf
laws suppliers.map 24so_companies.xml --set goods-owner=NORDISK
laws order-sent.map ongoing_shipped.csv --case $m/order-sent.test/sample/case.conf

# S1-1 … S1-87: each number in the README's table and, beyond it, in a file that does or shows it
: > "$tmp/out"
for n in $(seq 1 87); do
    grep -q "^| S1-$n |" $m/README.md || echo "S1-$n is not in $m/README.md" >> "$tmp/out"
    grep -rqE "S1-$n([^0-9]|\$)" --include='*.map' --include='*.format' --include='*.conf' $m ||
        grep -rqE "S1-$n([^0-9]|\$)" tests/site || echo "S1-$n is in no mapping, case or test" >> "$tmp/out"
done
[ ! -s "$tmp/out" ]
result $? "requirements S1-1 … S1-87 have a place"
exit $bad
