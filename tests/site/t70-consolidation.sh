#!/bin/sh
# t70-consolidation.sh PROGRAM - orders merge into open invoices: the decision cases, the model, the sample byte for byte
. "$(dirname "$0")/lib.sh"
cases=$top/tests/consolidation
m=$top/mappings/necs
in=$top/samples/necs/in
want=$top/samples/necs/expected
export WAYBILL_CLOCK=2026-01-02T03:04:05Z WAYBILL_PATH=$m

for f in decision_cases more_cases '-c decision_cases'; do
    how=''
    case $f in -c*) how=-c f=${f#-c } ;; esac
    "$cases/cases.sh" $how "$cases/$f.json" "$prog" > out 2>&1
    result $? "$f, $([ -n "$how" ] && echo by convert || echo each in a site of its own): $(tail -1 out)"
    grep -A5 '^not ok' out | sed 's/^/# /'
done
python3 -B "$cases/model.py" "$prog" 10000 > out 2>&1
result $? "against the model: $(tail -1 out)"
grep -q '^ok' out || sed 's/^/# /' out

convert() { map=$1; shift; "$prog" convert -m "$m/$map.map" "$@"; }
cat > sheets.conf << 'E'
table settings {
    Source Enable AllowPrinted PoMode ItemMode PriceConflict CreditMode AssignSalesperson AddonOnly AllowCredits
    all    no     no           match  new      keep_both     new        no                no        yes
    NET    yes    no           match  merge    incoming      merge      no                yes       yes
    EOP    yes    no           match  merge    keep_both     new        no                yes       yes
}
E
cat sheets.conf - > case.conf << E
table customers "$in/customers.csv" format customers
table imported of batch
sequence invoice-number from 100243
sequence invoice-created from 13
E
echo 'report consolidate' | cat case.conf - > report.conf
unix() { tr -d '\r' < "$1"; }

convert invoice-state -l lines="$in/invoice_lines.csv" -o before.jsonl "$in/invoices.csv"
convert stage -o orders.jsonl "$in/orders.csv"
convert consolidate -c case.conf --original before.jsonl --why why -o after.jsonl orders.jsonl 2> log
check "two orders are refused: exit code 1" is 1 $?
check "refused, and why S2-15, 16, 109" said log "Order N-9012 refused: line 1 would reduce item 10200. [REDUCTION_NOT_ALLOWED]" \
    "Order N-9015 refused: no Ship-To. [NO_SHIP_TO]" "Order N-9001 (NET) was imported before as 100231A. [ALREADY_IMPORTED]"
check "which invoices were looked at, which check failed with which values" said why \
    '  100232: LOCKED, $old/LockedBy "UPC"' '  100235: PRINTED, $set/AllowPrinted "false", $old/Printed "true"' \
    '  into 100237' '  Line[1]: Line[1]: CUT, Cut "2 INCH", $old/Cut "1 INCH"' '  Line[1]: new, NONE_FITS'
convert invoices -L lines=lines.csv -o invoices.csv after.jsonl
check "invoices S2-35, 43 … 51, 95 … 99" same "$want/invoices_after.csv" invoices.csv
check "lines S2-61 … 85, 97, 98, 100, 101" same "$want/invoice_lines_after.csv" lines.csv
convert import-result -c report.conf --original before.jsonl -o result.csv orders.jsonl 2> /dev/null
unix result.csv > result
check "result of each order S2-18" same "$want/import_result.csv" result
convert loading-sheets -c sheets.conf -o sheets.csv after.jsonl
unix sheets.csv > sheets
check "loading sheets S2-87 … 93, 123" same "$want/loading_sheets.csv" sheets
convert rev-history -o history.csv after.jsonl
unix history.csv > history
grep -v CALL "$want/rev_history.csv" > history.want
check "revision history S2-102, 103" same history.want history

finish
