#!/bin/sh
# t87-order.sh PROGRAM - files keep their order, and flows their turn, when a start finds very many batches or a wave fails
. "$(dirname "$0")/lib.sh"
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0"

made() {                                # FLOW...
    rm -rf site new watch.log
    for f; do
        mkdir -p "site/inbox/$f" "site/outbox/$f"
        flow "$f" | retry 1s
    done | small_site site
}
put() {                                 # FLOW FIRST LAST: files that one look finds, each a little older than the next
    mkdir -p new
    for i in $(seq -f %03.0f "$2" "$3"); do rows "$i" "$i" > "new/f$i.csv" && touch -d "2026-01-01 00:00:00 UTC +${i#0} seconds" "new/f$i.csv"; done
    together "$1"
}
came() { [ "$(grep -c 'event=delivered' watch.log)" -ge "$1" ]; }           # N
order() { grep -o 'event=delivered.*file=[a-z]*[0-9]*' watch.log | grep -o '[0-9]*$' | sed 's/^0*//' | xargs; }
none_left() { [ -z "$(ls "site/inbox/$1")" ]; }                             # FLOW

# --- more batches than are taken up at once, newer files in the inbox -----------------------------------------------------

made a
echo foreign > site/outbox/a/f001.csv
watch site --no-fsync
put a 1 1
wait_for 60 grep -q event=retry watch.log
put a 2 320
wait_for 60 none_left a
wait_for 60 eval '[ "$(grep -c event=written watch.log)" = 320 ]'
stop KILL
put a 321 400
rm site/outbox/a/f001.csv
: > watch.log
watch site --no-fsync
wait_for 60 came 400
check "many batches from before, then new files: in order" is "$(seq 400 | xargs)" "$(order)"
stop
check "and once each" is "400 400" "$(ls site/outbox/a | wc -l) $(archived site)"

# --- one flow has so many, and cannot go on: another one is served --------------------------------------------------------

made a b
echo foreign > site/outbox/a/f001.csv
echo foreign > site/outbox/b/f001.csv
watch site --no-fsync
put a 1 1
wait_for 60 grep -q event=retry watch.log
put a 2 300
wait_for 60 eval '[ "$(grep -c event=written watch.log)" = 300 ]'
put b 1 5
wait_for 60 eval '[ "$(grep -c event=written watch.log)" = 305 ]'
stop KILL
rm site/outbox/b/f001.csv
put b 6 7
: > watch.log
watch site --no-fsync
check "a flow that cannot go on holds up no other" wait_for 60 came 7
check "which is in order" is "1 2 3 4 5 6 7" "$(order)"
stop
run site --no-fsync
check "a run ends, too, and says that something waits" is "5 7" "$code $(ls site/outbox/b | wc -l)"
rm site/outbox/a/f001.csv
run site --no-fsync
check "at last all is done" is "0 300 307" "$code $(ls site/outbox/a | wc -l) $(archived site)"

# --- one file of a wave cannot be read ------------------------------------------------------------------------------------

made a
LD_PRELOAD=$tools/libfault.so FAULT_SITE=$tmp/site FAULT_UNREAD=1 watch site --no-fsync
mkdir -p new && rows 10 10 > new/unread010.csv && touch -d "2026-01-01 00:00:10 UTC" new/unread010.csv
for i in $(seq -f %03.0f 11 20); do rows "$i" "$i" > "new/f$i.csv" && touch -d "2026-01-01 00:00:${i#0} UTC" "new/f$i.csv"; done
put a 1 9
wait_for 60 none_left a
put a 21 30
check "one file cannot be read: the others come" wait_for 60 came 29
check "in order" is "$(seq 9 | xargs) $(seq 11 30 | xargs)" "$(order)"
check "it is told" said watch.log "cannot read"
stop
run site
check "readable again it comes" is "0 30" "$code $(ls site/outbox/a | wc -l)"

# --- a wave is given up because of the disk -------------------------------------------------------------------------------

made a c
planted_watch site
come_up site c
: > watch.log
echo 0 > hold
put a 1 20
wait_for 60 test -f hold.held
put a 21 30
: > hold.fail
rm hold
check "a wave is given up: its files come" wait_for 60 came 30
check "before those behind it" is "$(seq 30 | xargs)" "$(order)"
stop

# --- what a wave left behind is taken up, however long the wave was in hand -----------------------------------------------

made a
echo foreign > site/outbox/a/f001.csv
planted_watch site
rm -rf site/error && echo plain > site/error
mkdir -p new
for i in 1 2; do rows "$i" "$i" > "new/f00$i.csv" && touch -d "2026-01-01 00:00:0$i UTC" "new/f00$i.csv"; done
cp new/f002.csv new/f003.csv && touch -d "2026-01-01 00:00:03 UTC" new/f003.csv
together a
wait_for 60 grep -q event=retry watch.log
wait_for 60 grep -q '[ /]error[ /"]' watch.log
kill -HUP "$watcher"
wait_for 60 grep -q event=reloaded watch.log
sleep 0.5
rm site/error site/outbox/a/f001.csv && mkdir site/error
wait_for 60 came 2
wait_for 60 eval '[ "$(archived site)" = 2 ]'
in_time grep -q SPOOL_GONE watch.log
kill -HUP "$watcher"
check "a duplicate that could not be set aside is set aside without a restart" in_time eval '[ "$(in_error site)" = 1 ]'
stop
check "nothing is left" is "0 1" "$(ls site/.waybill/work site/.waybill/claim | grep -vc ':\|^$') $(in_error site)"
check "fsck finds it in order" sound site
finish
