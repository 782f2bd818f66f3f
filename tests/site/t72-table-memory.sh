#!/bin/sh
# t72-table-memory.sh PROGRAM - an operation that takes a table holds one row of it, whether it stamps rows or only reads them
. "$(dirname "$0")/lib.sh"
if ! command -v python3 > /dev/null; then
    echo "ok memory of table operations is left out: there is no python3"
    exit 0
fi
peak=$(dirname "$prog")/tools/peak
most=65536
if grep -q __asan_init "$prog"; then most=1000000; fi

python3 -B "$top/tests/bench/gen/consolidation.py" 40000 data
"$prog" init site --from "$top/mappings/necs" > log 2>&1
cp data/invoices.jsonl site/tables/
"$peak" kb "$prog" do -d site order-import sheets > log 2>&1
check "sheets of 40,000 invoices" is 0 $?
read -r kb ms < kb
check "in less than $most KB" is yes "$([ "$kb" -lt "$most" ] && echo yes || echo "$kb KB")"
check "each row is stamped" is 40000 "$(grep -c '"SheetPrinted"' site/tables/invoices.jsonl)"

# one row in the middle changes: those before and behind it stay
sed '20000s/"Quantity":[0-9]*/"Quantity":900/' site/tables/invoices.jsonl > want
cp want site/tables/invoices.jsonl
rm -rf site/outbox/print
"$prog" do -d site order-import sheets > log 2>&1
sed '20000d' want > want.rest
sed '20000d' site/tables/invoices.jsonl > rest
check "the other rows are as they were, in their order" same want.rest rest
check "and that one is stamped anew" said site/tables/invoices.jsonl '"SheetQuantity":900'
finish
