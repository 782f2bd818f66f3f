#!/bin/sh
# t91-cancel.sh PROGRAM - what cannot be cancelled is left as it is, nothing in error/ is taken for something of ours by its name
. "$(dirname "$0")/lib.sh"

only() { ls site/.waybill/work | grep '^[0-9]'; }
waybill() { cat "site/.waybill/work/$batch/$batch.waybill.json" > now.json && json "$1" < now.json; }    # PATH
waits() { [ "$(waybill retry.cause 2> /dev/null)" = "$1" ]; }           # CODE
all_archived() { [ "$(archived site)" = "$1" ]; }       # N
do_it() { "$prog" "$@" > do.out 2>&1; code=$?; }        # VERB OPTION…

# --- a batch that is partly visible: its cancel is refused, and takes nothing away ---------------------------------------

{ flow plain name keyed one; } | sed 's|name "one"|name "{file}"|
s|^    on yes|&\n    retry 1h\n    duplicates key reject|
s|^        give.*|        give outbox "outbox/one" name "{file}" map keyed\n        give outbox "outbox/two" name "{file}" map keyed|' |
    small_site site
sed 's/^message Row {/message Row key Id {/' site/mappings/rows.format > keyed && mv keyed site/mappings/rows.format
printf 'mapping rows => rows\n\nRow => Row {\n    require Qty > 0 else BAD_QTY "Row {Id}."\n    Id => Id\n    Qty => Qty\n}\n' \
    > site/mappings/keyed.map
mkdir -p site/inbox/plain site/outbox/two
echo x > site/outbox/two/a.csv
watch site -q
printf 'Id;Qty\n1;1\n2;0\n3;3\n' > a.csv && drop a.csv site/inbox/plain
wait_for 60 test -f site/outbox/one/a.csv
batch=$(only)
wait_for 60 waits OUTBOX_TAKEN
do_it cancel --dir site "$batch"
check "what is partly visible is not cancelled" [ "$code" != 0 ]
check "and that is said" said do.out BATCH_BUSY
rm site/outbox/two/a.csv
do_it retry --dir site "$batch"
check "it goes on" wait_for 60 all_archived 1
check "with the message that was refused" said "$(one site/error a.csv)" '2;0'
check "and the records of the ledger" is 2 "$(grep -c "$batch.*\"done\"" site/.waybill/ledger/plain.ledger)"
stop
check "fsck finds it in order" sound site

# --- what lies in error/ has the name that its sender chose ----------------------------------------------------------------

rm -rf site
flow a | small_site site
mkdir -p site/inbox/a
names='table.csv table.1 ledger.1 rejects out.5.csv out.5 in stage.1 log.1 sent.1'
for name in $names; do
    printf 'Id;Qty\n"%s;1\n' "$name" > "site/inbox/a/$name"
done
run site -q -q
originals() { for name in $names; do cat site/error/*/"$name"; done > originals.txt; }
originals
cp originals.txt want.txt
check "files are set aside under their names" is 20 "$(wc -l < want.txt)"
set_aside=$(ls site/error)
for batch in $set_aside; do
    "$prog" cancel --dir site "$batch" > do.out 2>&1 && echo "$batch was cancelled" >> wrong
done
check "none of them is cancelled any more" [ ! -e wrong ]
originals
check "and they are all there" same want.txt originals.txt
for batch in $set_aside; do             # as a kill between naming and moving leaves it
    mv "site/error/$batch" site/.waybill/work/
done
run site -q -q
originals
check "after a kill, too" same want.txt originals.txt
check "fsck finds them in order" sound site

finish
