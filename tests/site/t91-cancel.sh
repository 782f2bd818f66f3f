#!/bin/sh
# t91-cancel.sh PROGRAM - what cannot be cancelled is left as it is, nothing in error/ is taken for something of ours by its name,
# and what a request changed is on the disk before it is answered, also when the first save fails
. "$(dirname "$0")/lib.sh"
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0"

only() { ls site/.waybill/work | grep '^[0-9]'; }
waybill() { cat "site/.waybill/work/$batch/$batch.waybill.json" > now.json && json "$1" < now.json; }    # PATH
waits() { waybill retry.cause 2> /dev/null | grep -q "${1:-.}"; }       # [CODE]: for its next attempt
state() { echo "$(waybill place) $(waybill waits | grep . || echo -)"; }
is_state() { [ "$(state 2> /dev/null)" = "$1" ]; }      # STATE
struck() { [ ! -e full ]; }
do_it() { "$prog" "$@" > do.out 2>&1; code=$?; }        # VERB OPTION…
aside() { json error_code < "site/error/$batch/$batch.waybill.json"; }

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

rm -r site/outbox/one && : > site/outbox/one
watch site -q
printf 'Id;Qty\n4;1\n5;0\n6;3\n' > b.csv && drop b.csv site/inbox/plain
wait_for 60 eval '[ -n "$(only)" ]'
batch=$(only)
wait_for 60 waits SYS_MISSING
check "its records lie in its folder" [ -f "site/.waybill/work/$batch/ledger.1" ]
do_it cancel --dir site "$batch"
check "a file that is cancelled lies in error/" same b.csv "site/error/$batch/b.csv"
check "without records that were not entered" [ ! -e "site/error/$batch/ledger.1" ]
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

# --- the first save fails: the waybill says what the answer says -----------------------------------------------------------

every=1h
staged() {                              # rows are staged, and sent; files are copied
    rm -rf site full late
    { flow plain; sync_flow; } | retry "$every" | sync_site site
    mkdir -p site/inbox/plain site/inbox/rows site/outbox
}
no_outbox() { : > "site/outbox/$1"; }                   # a file is where its folder should be
waiting_file() {                        # one whose outbox cannot be
    staged
    no_outbox plain
    planted_watch site
    rows 1 2 > f.csv && drop f.csv site/inbox/plain
    wait_for 60 has_work
    batch=$(only)
    wait_for 60 waits
}
waiting_send() {                        # a staged batch whose send cannot be
    staged
    no_outbox rows
    planted_watch site
    staged_batch f.csv 1 2
    "$prog" send --dir site --batch "$batch" > send.out 2>&1 &
    started="$started $!"
    wait_for 60 is_state 'written -'
    wait_for 60 waits
}
staged_batch() {                        # FILE FIRST LAST
    rows "$2" "$3" > "$1" && drop "$1" site/inbox/rows
    wait_for 60 has_work
    batch=$(only)
    wait_for 60 is_state 'delivered open'
}
has_work() { [ -n "$(only)" ] && [ -f "site/.waybill/work/$(only)/$(only).waybill.json" ]; }

waiting_file
echo in > full
do_it hold --dir site "$batch"
check "hold: the save failed once" struck
check "it says that it is held" is 0 "$code"
check "and so it is" is 'written person' "$(state)"
rm site/outbox/plain
do_it release --dir site "$batch"
do_it retry --dir site "$batch"
check "released, it goes on" wait_for 60 test -f site/outbox/plain/f.csv
check "to its end" wait_for 60 all_archived 1
stop
check "hold: fsck finds it in order" sound site

waiting_file
echo in > full
do_it cancel --dir site "$batch"
check "cancel of a file: the save failed once" struck
check "it says that it is cancelled" is 0 "$code"
check "and so it is" is "CANCELLED" "$(aside)"
check "with its original" same f.csv "site/error/$batch/f.csv"
rm site/outbox/plain
drop f.csv site/inbox/plain
check "its content may come again" wait_for 60 test -f site/outbox/plain/f.csv
stop
check "cancel of a file: fsck finds it in order" sound site

waiting_send
echo stage.1 > full
do_it cancel --dir site "$batch"
check "cancel of a staged batch: the save failed once" struck
check "it says that it is cancelled" is 0 "$code"
check "and it is archived" wait_for 60 all_archived 1
rm site/outbox/rows
check "the flow goes on" staged_batch g.csv 3 4
do_it send --dir site --batch "$batch"
check "and gives what comes then" is 0 "$code"
check "and nothing else" is 1 "$(outputs site/outbox/rows | wc -l)"
stop
check "cancel of a staged batch: fsck finds it in order" sound site

# --- and so it is when the watcher gives up by itself ----------------------------------------------------------------------

much_later() {                          # BESIDE: the first save beside that file fails
    stop
    : > watch.log
    echo "$1" > full
    WAYBILL_CLOCK=2099-01-01T00:00:00Z planted_watch site
    wait_for 60 grep -q 'event=retry' watch.log
    : > late
    kill -HUP "$watcher"                # which wakes it
}

waiting_file
much_later in
check "a file whose waybill cannot be saved is set aside at the next attempt" wait_for 60 test -f "site/error/$batch/f.csv"
check "as its waybill says" is "error GAVE_UP" "$(json place < "site/error/$batch/$batch.waybill.json") $(aside)"
stop
check "given up: fsck finds it in order" sound site

waiting_send
much_later stage.1
check "of a staged batch the send is given up at the next attempt" wait_for 60 is_state 'delivered open'
check "as is noted" said "site/.waybill/work/$batch/$batch.waybill.json" '"GAVE_UP"'
rm site/outbox/rows
do_it send --dir site --batch "$batch"
check "and it can be sent" is "0 1" "$code $(outputs site/outbox/rows | wc -l)"
stop
check "the send given up: fsck finds it in order" sound site
# --- what is set aside and cannot be moved is moved when it can be -------------------------------------------------------

crowd() { mkdir -p site/error && mkdir "site/error/$batch" $(seq -f "site/error/$batch-%g" 2 99); }
scatter() { rmdir "site/error/$batch" "site/error/$batch"-*; }
again() { "$prog" retry --dir site --wait 0 "$batch" > retry.out 2>&1; }
given_up() {                            # its waybill says so, but its folder has no place to go
    waiting_file
    crowd
    stop
    : > watch.log
    WAYBILL_CLOCK=2099-01-01T00:00:00Z watch site
    wait_for 60 is_state 'error -'
    wait_for 60 grep -q event=retry watch.log
}

given_up
do_it cancel --dir site "$batch"
check "what was given up is not cancelled" said do.out BATCH_BUSY
scatter
again
check "it is moved at its next attempt" wait_for 60 test -f "site/error/$batch/f.csv"
check "and has waited for that alone" not_said watch.log BATCH_MOVE
rm site/outbox/plain
rows 3 4 > g.csv && drop g.csv site/inbox/plain
check "what comes behind it goes on" wait_for 60 test -f site/outbox/plain/g.csv
stop
check "set aside later: fsck finds it in order" sound site

waiting_file
crowd
do_it cancel --dir site --wait 0 "$batch"
wait_for 60 is_state 'error -'
scatter
check "and so is what was cancelled" wait_for 60 test -f "site/error/$batch/f.csv"
stop

# --- a folder that somebody removed --------------------------------------------------------------------------------------

every=1m
waiting_file
rm -r "site/.waybill/work/$batch"
rm site/outbox/plain
rows 3 4 > g.csv && drop g.csv site/inbox/plain
: > late
kill -HUP "$watcher"
check "a batch whose folder was removed keeps nothing" wait_for 60 test -f site/outbox/plain/g.csv
check "and is told of" said watch.log BATCH_GONE
stop
check "removed: fsck finds it in order" sound site

waiting_send
rm -r "site/.waybill/work/$batch"
rm site/outbox/rows
: > late
kill -HUP "$watcher"
wait_for 60 grep -q BATCH_GONE watch.log
check "so does a staged one" staged_batch g.csv 3 4
wait_for 60 test -f send.out
check "whoever asked for its operation is told" wait_for 60 grep -q 'waits\|BATCH_GONE' send.out
stop
check "removed while it was sent: fsck finds it in order" sound site

# --- when the next attempt cannot be noted -------------------------------------------------------------------------------

every=2s
waiting_file
echo in > full
wait_for 60 struck
rm site/outbox/plain
check "an attempt that cannot be noted puts off the next one no more than any" wait_for 45 test -f site/outbox/plain/f.csv
stop
finish
