#!/bin/sh
# t71-entree.sh PROGRAM - a whole site: orders dropped, invoices merged, register, history, sheets, confirmations; once only
. "$(dirname "$0")/lib.sh"
m=$top/mappings/necs
in=$top/samples/necs/in
want=$top/samples/necs/expected
export WAYBILL_CLOCK=2026-01-02T03:04:05Z
unix() { tr -d '\r' < "$1" > "$2"; }
run() { "$prog" run -q -n site > log 2>&1; }
drop() { cp "$1" "site/inbox/$2/" && touch -d '2026-01-01' "site/inbox/$2/$(basename "$1")"; }

"$prog" init site --from "$m" > log 2>&1
mkdir -p site/inbox/invoices site/inbox/customers site/inbox/orders
drop "$in/customers.csv" customers
drop "$in/invoices.csv" invoices
run
check "invoices without their lines wait" is invoices.csv "$(ls site/inbox/invoices)"
drop "$in/invoice_lines.csv" invoices
run
check "both files of entrée are taken S2-12, S2-13" is "0 12" "$? $(wc -l < site/tables/invoices.jsonl)"
check "the inbox is empty" is "" "$(ls site/inbox/invoices)"
drop "$in/orders.csv" orders
run
check "two orders are refused: exit code 1" is 1 $?

check "invoices for entrée" same "$want/invoices_after.csv" "$(echo site/outbox/entree/invoices_*.csv)"
check "and their lines" same "$want/invoice_lines_after.csv" "$(echo site/outbox/entree/invoice_lines_*.csv)"
unix "$(echo site/outbox/net/confirmations_*.csv)" confirmations
check "confirmations S2-114, S2-120" same "$want/confirmations.csv" confirmations
unix "$(echo site/outbox/log/import_result_*.csv)" result
check "what became of each order S2-18" same "$want/import_result.csv" result
unix "$(echo site/outbox/print/loading_sheets_*.csv)" sheets
check "one loading sheet for each invoice S2-90" same "$want/loading_sheets.csv" sheets
unix "$(echo site/outbox/entree/rev_history_*.csv)" history
grep -v CALL "$want/rev_history.csv" > history.want
check "revision history S2-102" same history.want history
check "a mail for each order that became an invoice S2-121" is 15 "$(ls site/outbox/mail | wc -l)"
check "with the letter" said site/outbox/mail/EOP_E-7001.txt "Your order E-7001 is invoice 100231B."
"$prog" do -d site order-import register > log 2>&1
unix "$(echo site/outbox/office/invoice_register_*.csv)" register
check "Invoice Register with the numbers used up S2-112, S2-113" same "$want/invoice_register.csv" register

batch=$(basename site/outbox/net/confirmations_*.csv .csv | sed 's/^confirmations_//')
"$prog" show --why -d site "$batch" > why
check "show --why: invoices, checks, values, lines" said why '100232: LOCKED, $old/LockedBy "UPC"' 'into 100237' \
    'Line[1]: Line[1]: CUT, Cut "2 INCH", $old/Cut "1 INCH"' 'Line[1]: new, NONE_FITS' 'would reduce item 10200'
check "an order that comes twice has two decisions" said why 'NET N-9001, message 1  import: done' \
    'NET N-9001, message 16  import: skipped'
"$prog" show --why --json -d site "$batch" > why.json
check "the same as JSON" said why.json '"code":"LOCKED","text":"100232=LOCKED","values":"$old/LockedBy \"UPC\""'

cp site/tables/invoices.jsonl before.jsonl
rm -rf site/outbox/print site/outbox/mail
cp "$in/orders.csv" again.csv
sed -i 's/N-9012/N-9112/' again.csv
drop again.csv orders
run
check "the same orders in another file: nothing changes S2-16" same before.jsonl site/tables/invoices.jsonl
check "no sheet for what is on the last one S2-93" is "" "$(ls site/outbox/print 2> /dev/null)"
check "no mail either" is "" "$(ls site/outbox/mail 2> /dev/null)"

head -1 "$in/orders.csv" > more.csv
printf 'NET,N-9100,C100,03/15/2024,,,N,Ana,07,R1,1,10200,D,,1,CS,10.00,N,\r\n' >> more.csv
drop more.csv orders
run
check "the next order goes into the revision after the last S2-95" said site/tables/invoices.jsonl '"OrderNo":"N-9100"'
check "its sheet shows the quantity that was added S2-88" said "$(echo site/outbox/print/loading_sheets_*.csv)" '100231C,ADD-ON,10200,D,1'
finish
