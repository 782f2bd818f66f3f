#!/bin/sh
# t07-memory PROGRAM - hostile input is refused in less than 16 MB and a second: fields and texts of 100 MB, 100,000
# attributes, a heading without end, hundreds of thousands of problems.  (The sanitizers need their own memory.)
set -u
waybill=$(realpath "${1:-waybill}")
peak=$(dirname "$waybill")/tools/peak
top=$(cd "$(dirname "$0")/../.." && pwd)
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
export LC_ALL=C WAYBILL_CLOCK=2026-01-02T03:04:05Z
bad=0
most=16384
if grep -q __asan_init "$waybill"; then most=1000000; fi

# name, exit code wanted, milliseconds, arguments; the input comes from standard input
try() {
    name=$1 want=$2 most_ms=$3
    shift 3
    "$peak" "$tmp/peak" "$waybill" convert -m "$top/tests/data/bad/orders.map" -o "$tmp/out" "$@" 2> "$tmp/err"
    code=$?
    read -r kb ms < "$tmp/peak"
    [ "$most" != 1000000 ] || most_ms=60000
    if [ "$code" = "$want" ] && [ "$kb" -lt "$most" ] && [ "$ms" -lt "$most_ms" ]; then
        echo "ok $name"
    else
        echo "not ok $name: exit $code, $kb KB, $ms ms"
        sed -n '1,5s/^/# /p' "$tmp/err"
        bad=1
    fi
}

heading='Number;Day;Item;Quantity'
many() { head -c "$1" /dev/zero | tr '\0' "$2"; }

{ printf '%s\nA;2026-01-01;' "$heading"; many 100000000 x; echo ';1'; } > "$tmp/in"
try "a field of 100 MB" 4 1000 "$tmp/in"
try "a field of 100 MB through a pipe" 4 1000 - < "$tmp/in"
{ printf '%s\nA;2026-01-01;"' "$heading"; many 100000000 x; } > "$tmp/in"
try "a quote that is not closed within 100 MB" 4 1000 "$tmp/in"
{ echo "$heading"; many 100000000 ';'; } > "$tmp/in"
try "a row of 100 million columns" 4 1000 "$tmp/in"
many 100000000 x > "$tmp/in"
try "a heading of 100 MB" 4 1000 "$tmp/in"
{ printf '<Orders><Order><Number>'; many 100000000 x; echo '</Number></Order></Orders>'; } > "$tmp/in"
try "a text of 100 MB" 4 1000 --backward "$tmp/in"
{ printf '<Orders><Order a="'; many 100000000 x; echo '"/></Orders>'; } > "$tmp/in"
try "an attribute of 100 MB" 4 1000 --backward "$tmp/in"
{ printf '<Orders><'; many 100000000 x; } > "$tmp/in"
try "a name of 100 MB" 4 1000 --backward "$tmp/in"
{ printf '<Orders><!--'; many 100000000 x; } > "$tmp/in"
try "a comment of 100 MB that does not end" 4 2000 --backward "$tmp/in"
awk 'BEGIN { printf "<Orders>\n<Order"; for (i = 0; i < 100000; i++) printf " a%d=\"1\"", i; print "/></Orders>" }' > "$tmp/in"
try "100,000 attributes" 4 1000 --backward "$tmp/in"
awk 'BEGIN { for (i = 0; i < 1000000; i++) printf "<a>" }' > "$tmp/in"
try "a million open elements" 4 1000 --backward "$tmp/in"
{ echo "$heading"; awk 'BEGIN { for (i = 0; i < 200000; i++) print i ";2026-01-01;K;x" }'; } > "$tmp/in"
try "200,000 bad rows" 1 5000 "$tmp/in"
repeat() { awk -v n="$1" 'BEGIN { while (getline > 0) text = text $0 "\n"; while (n-- > 0) printf "%s", text }'; }     # N < TEXT
{ echo "$heading"; printf 'A\370;2026-01-01;K;1\n' | repeat 200000; } > "$tmp/in"
try "200,000 rows of another charset" 1 5000 "$tmp/in"
{ echo "$heading"; printf 'A;2026-01-01\n' | repeat 500000; } > "$tmp/in"
try "500,000 short rows" 1 5000 "$tmp/in"
{ echo "$heading"; awk 'BEGIN { for (i = 0; i < 400000; i++) print "A" i ";2026-01-01;K;1\nB\";2026-01-01;" i ";1" }'; } > "$tmp/in"
try "400,000 rows whose order cannot be seen" 1 5000 "$tmp/in"
{ printf '<Orders><Order>\n'; printf '<Number>A</Number>\n' | repeat 1500000; echo '</Order></Orders>'; } > "$tmp/in"
try "1,500,000 times the same field" 1 5000 --backward "$tmp/in"
{ printf '<Orders><Order>\n'; { printf '<Number>'; many 500000 x; echo '</Number>'; } | repeat 100; echo '</Order></Orders>'; } > "$tmp/in"
try "the same field with 50 MB" 1 5000 --backward "$tmp/in"
{ echo "$heading"; awk 'BEGIN { for (i = 0; i < 1000000; i++) print "A;2026-01-01;K;1" }'; } > "$tmp/in"
[ "$most" != 16384 ] || most=98304         # one message: 64 MiB of it are held, then it is refused
try "a key that never changes" 1 10000 "$tmp/in"
exit $bad
