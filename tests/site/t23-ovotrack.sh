#!/bin/sh
# t23-ovotrack.sh PROGRAM - integration 0 as a site, beyond its sample (t43, t48): what is asked before anything happens, orders
# in two batches, steps out of order, a commit that cannot be written, switches and the scheduler
. "$(dirname "$0")/lib.sh"
. "$top/tests/site/life.sh"
how=commands in=$top/samples/ovotrack/in map=$top/mappings/ovotrack
WAYBILL_CLOCK=2024-08-01T19:00:00Z
export WAYBILL_CLOCK

new_site() {                            # NAME [SED SCRIPT for site.conf]: with its masters
    how=$1 && sample_site ovotrack && how=commands || return 1
    [ -z "${2-}" ] || sed -i "$2" "$site/site.conf"
    masters customer_locations_0801.csv
}
head_line() { head -1 "$in/erp_orders_20240801.csv"; }
orders() {                              # ORDER...: rows of these orders
    head_line
    for o; do grep -a "^[0-9]*,$o," "$in/erp_orders_20240801.csv"; done | sed 's/,"Line one/,Line one/'
}
put() { cat > "$tmp/.file" && drop "$tmp/.file" "$site/inbox/$1" "$2"; }           # INBOX NAME < FILE
updates() {                             # BATCH ORDER:STATUS[:LINE=QUANTITY]...
    echo "<OvotrackUpdates batch=\"$1\">"
    shift
    for o; do
        echo "$o" | sed -E 's/^([^:]*):([^:]*)/<Order number="\1" status="\2">/; s/:([^=:]*)=([^:]*)/<Line no="\1" quantity="\2"\/>/g; s/$/<\/Order>/'
    done
    echo '</OvotrackUpdates>'
}
lines() {                               # BATCH: order, line, state of each
    "$prog" show --json --dir "$site" "$1" > shown.json
    m=0
    while [ "$m" -lt "$(json messages.# < shown.json)" ]; do
        l=0
        while [ "$l" -lt "$(json "messages.$m.lines.#" < shown.json)" ]; do
            echo "$(json "messages.$m.fields.OrderNo" < shown.json)/$((l + 1)) $(json "messages.$m.lines.$l.state" < shown.json)"
            l=$((l + 1))
        done
        m=$((m + 1))
    done | tr '\n' ',' | sed 's/,$//'
}
messages() {                            # BATCH: its Commit Messages as they are now
    rm -f "$site"/outbox/log/*_messages*
    ask do order-sync view --batch "$1"
    cat "$(one "$site/outbox/log" '*_messages*.csv')" > messages.csv
}
count() { find "$site/outbox/$1" -type f | wc -l; }

# --- New Batch ----------------------------------------------------------------------------------------------------------

new_site begin
orders 70001 70003 | put orders orders.csv
run "$site" -q
check "S0-13: an export alone makes no batch" is ' orders.csv' "$(open_ids "$site") $(ls "$site/inbox/orders")"
ask create
check "S0-14: Last Modified is asked for" said ask.log '"Last Modified" has no value'
check "S0-14: with a code of its own" is 2 "$code"
for t in yesterday 2024-02-30 7.31.2024 '2024-07-31 25:00'; do
    ask create --since "$t"
    check "S0-14: \"$t\" is refused" is '2 orders.csv' "$code $(ls "$site/inbox/orders")"
done
ask create --since 2024-08-01T09:10:00
check "S0-22: no line matches, and the user is told" said ask.log "No order lines match the criteria."
check "S0-22: no batch remains" is '0 ' "$code $(open_ids "$site")"
check "S0-16 S0-24: why, with counts" said ask.out "left out: 3 NOT_MODIFIED_SINCE, 1 NOT_SHIP_TO"
orders 70001 70003 | put orders orders.csv
ask create --since '2024-08-01 09:09'
a=$(open_ids "$site")
check "S0-13 S0-15: the same export with an earlier Last Modified" is '0 70001/1 staged,70001/2 staged,70001/3 staged' "$code $(lines "$a")"
check "S0-24: left out are counted in the batch" is 'NOT_SHIP_TO 1' "$(json waybill.skips.0.name < shown.json) $(json waybill.skips.0.count < shown.json)"
"$prog" show --dir "$site" "$a" > shown
check "S0-64: labels are those of CONNECT" said shown 'last-modified = 2024-08-01T09:09:00' Quantity 'LastModified'
check "S0-63: the state of a batch" said shown 'state       staged  (3 staged, 0 sent, 0 received, 0 committed)'

# --- two batches --------------------------------------------------------------------------------------------------------

orders 70001 70002 70016 | put orders two.csv
ask create --since 2024-07-31
b=$(open_ids "$site" | tail -1)
check "S0-23: what is staged elsewhere is not staged again" is '70002/1 staged,70002/2 staged,70016/1 staged' "$(lines "$b")"
check "S0-23: it is reported with its batch" said ask.out 'left out: 3 ALREADY_STAGED'
"$prog" show --all --dir "$site" "$b" > shown
check "S0-23: by its name" said shown 'Order 70001 line 1: already in batch B0002.' 'Batch       B0003'

ask commit --batch "$b"
check "S0-48 S0-62: nothing is committed before it is received" is '1 0' "$code $(count erp)"
check "S0-48: every line is told" said ask.log "Order 70002 line 1: not received yet, cannot be committed." '3 of this kind'
updates B0003 70002:open | put ovotrack early.xml
ask receive
check "S0-41 S0-62: nothing is received before it is sent" is '70002/1 staged,70002/2 staged,70016/1 staged' "$(lines "$b")"
messages "$b"
check "S0-41: and it is told" said messages.csv 'Receive,70002,,Order,Order 70002: not sent in this batch; update ignored.'

ask send --batch "$b"
check "S0-25: one batch alone is sent" is '0 1' "$code $(count ovotrack)"
check "S0-63: the other one is as it was" is '70001/1 staged,70001/2 staged,70001/3 staged' "$(lines "$a")"
ask send --batch "$b"
check "S0-32: a second Send Batch has nothing to send, and says so" said ask.out "batch $b: nothing to do"
check "S0-32: no file is written" is '0 1' "$code $(count ovotrack)"
check "S0-33: the batch names the file and keeps a copy" is '1 1' \
    "$("$prog" where --dir "$site" "$b" | grep -c 'ovotrack_orders_.*_1.xml') $(grep -l OvotrackOrders "$site/.waybill/work/$b"/sent.* | wc -l)"
ask send

# The answer to one batch names an order of the other, and one that nobody has.
updates B0003 70002:open:2=20 70001:open:1=99 4711:open | put ovotrack mixed.xml
ask receive
check "S0-35 S0-36 S0-39: received where named, 70016 is not" is '70002/1 received,70002/2 received,70016/1 sent' "$(lines "$b")"
check "S0-41: the other batch is as it was" is '70001/1 sent,70001/2 sent,70001/3 sent' "$(lines "$a")"
check "S0-41: both are told" said ask.log 'Order 70001: not sent in this batch; update ignored.' '2 of this kind'
updates B0009 70002:open | put ovotrack unknown.xml
ask receive
check "S0-41: a file for an unknown batch is refused" is 1 "$code"
check "S0-41: and why" said ask.log BATCH_UNKNOWN
updates B0003 70002:open:2=20 70001:open:1=99 4711:open | put ovotrack again.xml
ask receive
check "G-2: the same answer again has no effect" sh -c '[ "$1" = 1 ] && grep -q DUP_CONTENT ask.log' - "$code"

# --- a commit that cannot be written (S0-51) ----------------------------------------------------------------------------

rm -rf "$site/outbox/erp" && : > "$site/outbox/erp"             # no folder can be there
ask commit --batch "$b"
check "S0-51: it fails, and says why" sh -c '[ "$1" = 5 ] && grep -q "outbox/erp" ask.log' - "$code"
check "S0-51: no Commit Date is set" is '70002/1 received,70002/2 received,70016/1 sent' "$(lines "$b")"
"$prog" status "$site" > status.out
check "S0-51: it is seen until it is mended" said status.out 'commit is under way, again at'
rm "$site/outbox/erp"
ask commit --batch "$b"
check "S0-51: the next Commit sets it" is '70002/1 committed,70002/2 committed,70016/1 sent' "$(lines "$b")"
check "S0-51: and there is one file" is 1 "$(count erp)"
check "S0-46 S0-47: changed, allocate" said "$(one "$site/outbox/erp" '*.csv')" '70002,1,MD-12,60,60,N,Y,' '70002,2,LG-12,24,20,Y,Y,'
"$prog" show --dir "$site" "$b" > shown
check "S0-51: the failure is in the batch's history" said shown 'retry       SYS_'

# --- what is committed is final -----------------------------------------------------------------------------------------

updates B0003 70002:picked:2=24 70016:open | put ovotrack late.xml
ask receive
check "S0-50: a later answer is refused for it" said ask.log 'Order 70002: committed already; update refused.'
check "S0-50: and counts for the others" is '70002/1 committed,70002/2 committed,70016/1 received' "$(lines "$b")"
{ head_line; orders 70002 | tail -n +2 | sed 's/,24,/,30,/'; } | put orders changed.csv
ask update
check "S0-50: so is an update from the source" said ask.log 'Order 70002 line 2: committed already.'
ask commit --batch "$b"
check "S0-49: what came later is committed by itself" is '0 70016' "$code $(tail -n +2 "$(one "$site/outbox/erp" '*-2.csv')" | cut -d, -f1)"
check "S0-62: all is committed: the batch ends" is "$a" "$(open_ids "$site")"
orders 70002 | sed 's/8\/1\/2024 9:10/8\/2\/2024 9:10/' | put orders anew.csv
ask create --since 2024-08-01
c=$(open_ids "$site" | tail -1)
check "S0-18 S0-23: committed and changed again, it is staged anew" is '70002/1 staged,70002/2 staged' "$(lines "$c")"

# --- Update From Source, and a new line in a later Send ----------------------------------------------------------------

{ orders 70001; orders 70001 | sed -n 2s/70001,1,/70001,4,/p; } | put orders more.csv
ask update
check "S0-54: an item that was added is a new line" is '70001/1 sent,70001/2 sent,70001/3 sent,70001/4 staged' "$(lines "$a")"
updates B0002 70001:completed | put ovotrack done.xml
ask receive
ask commit --batch "$a"
check "S0-49: a line that is not sent yet does not hold up the others" is \
    '0 70001/1 committed,70001/2 committed,70001/3 committed,70001/4 staged' "$code $(lines "$a")"
messages "$a"
check "S0-49: and it is told" said messages.csv 'Commit,70001,4,Line,Order 70001 line 4: not sent yet; it goes with the next Send Batch.'
{ orders 70001; orders 70001 | sed -n 's/70001,1,/70001,4,/; s/,120,/,7,/p'; } | put orders late.csv
ask update
check "S0-57: an order that is completed does not change" said ask.log 'Order 70001 was completed in Ovotrack; changes are not possible.'
ask send --batch "$a"
check "S0-58: the new line goes as a change" said "$(find "$site/outbox/ovotrack" -name "*_${a}_2.xml")" 'number="70001" action="change"' 'no="4"'

# --- what Send refuses, and how it is mended ----------------------------------------------------------------------------

new_site mend
orders 70006 70012 | put orders orders.csv
ask create --since 2024-07-31
a=$(open_ids "$site")
ask send
check "S0-29 S0-31: nothing can be sent" is '1 0' "$code $(count ovotrack)"
"$prog" status "$site" > status.out
check "S0-63: with errors" said status.out 'staged, with errors'
masters customer_locations_0802.csv
ask send
check "S0-10: the customer was synced after staging: the next Send passes" is '70006/1 sent,70006/2 sent,70012/1 staged' "$(lines "$a")"
messages "$a"
check "S0-28 S0-31: the old message stays" said messages.csv 'Send,70006,,Location,Order 70006: customer location CARO-001 has not been sent'
check "S0-31: the other one was tried twice" is 2 "$(grep -c 'Send,70012,1,Quantity' messages.csv)"
ask amend "$a" --message 70012 'Line[1]/Quantity=120'
ask send
check "S0-30: corrected by hand it goes" is '0 70006/1 sent,70006/2 sent,70012/1 sent' "$code $(lines "$a")"
"$prog" status "$site" > status.out
check "S0-63: the errors are gone" not_said status.out 'with errors'
{ orders 70013; orders 70013 | tail -1; } | sed 's/,-5,/,5,/' | put orders twice.csv
ask create --since 2024-07-31
ask send
check "S0-30: a line that is in the batch twice is not sent" said ask.log 'Order 70013 line 1: the line is in the batch twice.'

# --- switches and the scheduler -----------------------------------------------------------------------------------------

new_site old '/operation update/,/manual/s/on     yes/on     no /'
orders 70001 | put orders orders.csv
ask update
check "S0-61: before 1.9.11 there is no Update From Source" sh -c '[ "$1" = 3 ] && grep -q SITE_SWITCHED_OFF ask.log' - "$code"
check "S0-61: the export stays where it is" is orders.csv "$(ls "$site/inbox/orders")"
ask create --since 2024-07-31
check "S0-61: the other operations run" is '0 1' "$code $(open_ids "$site" | wc -l)"

# Each operation runs by itself when site.conf says so: on a drop or at an interval instead of `manual`.
unset WAYBILL_CLOCK
new_site auto '/operation view/,$!s/^\( *\)manual$/\1every 1s/
    /operation create/,/take/s/^\( *\)every 1s$/\1set last-modified "2024-07-31"/
    /operation receive/,/take/s/^ *every 1s$//
    /operation update/,/take/s/every 1s/manual/'
"$prog" check "$site" > check.out 2>&1
check "S0-65: the site is right" is 0 $?
run "$site" -q
check "S0-65: off by default" [ ! -e "$site/outbox/ovotrack/x" ]
watch "$site" -q
orders 70001 70016 | put orders orders.csv
check "S0-65: Create and Send run by themselves" wait_for 60 has "$site/outbox/ovotrack" 1
number=$(sed -n 's/.*batch="\([^"]*\)".*/\1/p' "$(one "$site/outbox/ovotrack" '*.xml')")
updates "$number" 70001:open 70016:open | put ovotrack u.xml
check "S0-65: Receive and Commit too, and the batch ends" wait_for 60 has "$site/outbox/erp" 1
ended_by_itself() { [ -z "$(open_ids "$site")" ]; }
check "S0-65: nothing is left to do" wait_for 60 ended_by_itself
check "S0-32 S0-65: an interval with nothing to send writes no file" is '1 1' "$(count ovotrack) $(count erp)"
stop
finish
