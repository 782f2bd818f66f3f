#!/bin/sh
# t84-stuck.sh PROGRAM - a watcher that meets faults neither spins nor waits for ever
. "$(dirname "$0")/lib.sh"
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0"

held_watch() {
    LD_PRELOAD="$tools/libplant.so $tools/libfault.so" PLANT_HOLD=$tmp/hold watch site
    come_up site c
}
together() {                            # INBOX FIRST LAST: files that one look finds
    mkdir -p new
    for i in $(seq "$2" "$3"); do rows "$i" "$i" > "new/$i.csv"; done
    mv new/* "site/inbox/$1/"
}
waves() { ls site/.waybill/claim | grep -c ^w; }
two_waves() { [ "$(waves)" = 2 ]; }
all_of() { [ "$(ls "site/outbox/$1" | wc -l)" = "$2" ]; }       # OUTBOX N
accepted() { grep -n "event=accepted .*file=$1" watch.log | cut -d: -f1 | head -1; }
made() {
    rm -rf site hold*
    : > watch.log
    { flow a; flow b; flow c; } | retry 1s | small_site site
    mkdir -p site/inbox/a site/inbox/b site/inbox/c site/outbox/a site/outbox/b
}

# A sync that fails while another question waits for the next one, and then a reload.
made
held_watch
echo 0 > hold
together a 1 5
wait_for 60 test -e hold.held
together b 6 10
wait_for 60 two_waves
sleep 0.3                               # it has asked, too
echo 0 > hold.again
: > hold.fail
rm hold.held hold
wait_for 60 test -e hold.held
kill -HUP "$watcher"
wait_for 60 grep -q event=reloaded watch.log
rm -f hold
together a 11 15
check "a reload after a sync that failed: the next wave comes" wait_for 60 test -f site/outbox/a/15.csv
stop
run site
check "and all others in the next run" is "0 15" "$code $(ls site/outbox/a site/outbox/b | grep -c csv)"

# A claim that was left, and one wave after another.
made
FAULT_SITE=$tmp/site FAULT_CHANGED=1 held_watch
rows 1 1 > .new && mv .new site/inbox/b/changed.csv
wait_for 60 eval '[ "$(ls site/.waybill/claim | wc -l)" = 1 ]'
echo 0 > hold
together a 1 5
wait_for 60 test -e hold.held
together a 6 10
sleep 6                                 # what is left is due after 5
rm -f hold
wait_for 60 all_of a 10
check "a claim that was left is taken up between two waves" wait_for 60 test -f site/outbox/b/changed.csv
check "before the second one" [ "$(accepted changed.csv)" -lt "$(accepted 6.csv)" ]
stop

# A file that cannot be opened goes back into its inbox, which wakes the watcher.
for others in 0 5; do
    made
    LD_PRELOAD=$tools/libplant.so PLANT_UNREAD=bad.csv watch site
    mkdir -p new && rows 99 99 > new/bad.csv
    [ $others = 0 ] || for i in $(seq $others); do rows "$i" "$i" > "new/$i.csv"; done
    kill -STOP "$watcher"
    mv new/* site/inbox/a/
    kill -CONT "$watcher"
    wait_for 60 all_of a $others
    wait_for 60 grep -q SYS_IO watch.log
    sleep 1
    check "a file that cannot be opened, with $others others: it is not tried all the time" [ "$(grep -c SYS_IO watch.log)" -lt 4 ]
    stop
    run site
    check "readable again it comes" is "0 $((others + 1))" "$code $(ls site/outbox/a | wc -l)"
done

# A file of root's, where the watcher runs as somebody else.
if [ "$(id -u)" = 0 ] && command -v setpriv > /dev/null && chmod 711 "$tmp" && chmod 666 watch.log; then
    made
    chown -R 65534:65534 site
    rows 1 1 > site/inbox/a/.root && chmod 600 site/inbox/a/.root
    prog="setpriv --reuid=65534 --regid=65534 --clear-groups $prog"
    $prog watch site 2>> watch.log < /dev/null &
    watcher=$!
    started="$started $watcher"
    wait_for 60 test -f site/.waybill/lock
    mv site/inbox/a/.root site/inbox/a/root.csv
    wait_for 60 grep -q INBOX_DENIED watch.log
    sleep 1
    check "a file that is not ours to read is told once, and not claimed" is "1 0" "$(grep -c INBOX_DENIED watch.log) $(grep -c SYS_ watch.log)"
    stop
else
    echo "ok a file that is not ours to read is left out: this needs root and setpriv"
fi
finish
