#!/bin/sh
# t88-inbox-limits.sh PROGRAM - what lies in an inbox, or goes wrong again and again, takes a bounded part of the watcher's
# memory, and a file that cannot be taken holds up no other
. "$(dirname "$0")/lib.sh"
umask 077
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0"

# Under a sanitizer what was freed is kept for a while.
spare=0
if grep -q __asan_init "$prog"; then spare=400000; fi
memory() { awk -v what="$1:" '$1 == what { print $2 }' "/proc/$watcher/status"; }        # VmRSS, VmHWM: in KB
less() { [ "$1" -lt "$(($2 + spare))" ] || { echo "# $1 KB, not less than $2"; return 1; }; }      # KB MOST
came() { [ -f "site/outbox/$1" ]; }
put() { mv ".part" "$1"; }              # FILE: from .part, under its name at once

# --- files that wait for their end are looked at again and again ----------------------------------------------------------

mkdir -p site/inbox/x
flow x complete to-rows | small_site site
i=0
while [ $i -lt 3000 ]; do i=$((i + 1)); printf '<Items><Item id="1">' > "site/inbox/x/wait$i.xml"; done
watch site
looked() {                              # FIRST LAST: as many looks at the inbox
    for n in $(seq "$1" "$2"); do
        echo "<Items><Item id=\"$n\"/></Items>" > .part && put "site/inbox/x/look$n.xml"
        wait_for 60 came "x/look$n.xml" || return 1
    done
}
check "files that are whole go on" looked 1 20
before=$(memory VmRSS)
looked 21 80
check "sixty looks at 3000 that are not take no memory" less $(($(memory VmRSS) - before)) 2000
check "they stay" is 3000 "$(ls site/inbox/x | wc -l)"
stop

# --- a ledger that is damaged: each attempt of each batch asks for it -----------------------------------------------------

rm -rf site watch.log
mkdir -p site/inbox/a
flow a | sed 's|^    on yes|&\n    order any\n    retry 1s 1s|' | small_site site
filled() { for n in $(seq "$1" "$2"); do rows "$n" "$n" > "site/inbox/a/f$n.csv"; done; }         # FIRST LAST
filled 1 600
run site
ledger=site/.waybill/ledger/a.ledger
cp "$ledger" good
printf X | dd of="$ledger" bs=1 seek=$(($(wc -c < good) / 2)) conv=notrunc 2> /dev/null
filled 601 800
watch site
retries() { grep -c event=retry watch.log; }
tried() { [ "$(retries)" -ge "$1" ]; }
check "a damaged ledger: its batches are tried again" wait_for 60 tried 400
check "it is told, and in what the retry says" said watch.log LEDGER_DAMAGED
check "the outputs are there" wait_for 60 has site/outbox/a 800
before=$(memory VmRSS)
wait_for 60 tried 1000
check "no attempt takes memory that stays" less $(($(memory VmRSS) - before)) 4000
check "most do not read the ledger" [ $(($(grep -c 'code=LEDGER_DAMAGED.*line' watch.log) * 2)) -lt "$(retries)" ]
cp good "$ledger"
check "mended, each is archived" wait_for 60 eval '[ "$(archived site)" = 800 ]'
wait_for 60 idle site
stop
check "and entered once" is "800 0" "$(wc -l < "$ledger") $(in_error site)"
check "fsck finds it in order" sound site

# --- a claim that could not be made durable: an fsync after one that failed proves nothing --------------------------------

rm -rf site watch.log fault.log
mkdir -p site/inbox/unsettled site/inbox/a
{ flow unsettled; flow a; } | small_site site
LD_PRELOAD=$tools/libfault.so FAULT_UNSETTLED=1 FAULT_SITE=$tmp/site FAULT_LOG=$tmp/fault.log watch site
come_up site a
rows 1 200000 > .part && put site/inbox/unsettled/long.csv
check "the claim of a long file cannot be synced" wait_for 60 grep -q unsettled fault.log
check "which is told" wait_for 60 grep -q 'code=SYS_IO' watch.log
rows 1 1 > .part && put site/inbox/a/other.csv
wait_for 60 came a/other.csv
check "it is not accepted" is 0 "$(grep -c 'event=accepted.*long.csv' watch.log)"
check "it stays a claim" [ -n "$(find site/.waybill/claim -name long.csv)" ]
kill -HUP "$watcher"
check "later it is taken up" wait_for 60 came unsettled/long.csv
wait_for 60 idle site
stop
check "fsck finds it in order, too" sound site

# --- a file that was short when it was looked at, and is long when it is taken --------------------------------------------

# The first has to wait, so of 1200 that one look remembers only 1024 are taken, and two of the rest grow meanwhile.
rm -rf site watch.log
mkdir -p site/inbox/a site/outbox/a
flow a | retry 1s | small_site site
filled 1 1200
touch -d '3 minutes ago' site/inbox/a/f1.csv
touch -d '1 minute' site/inbox/a/f1199.csv site/inbox/a/f1200.csv
echo foreign > site/outbox/a/f1.csv
watch site
check "as many as there is room for are taken" wait_for 60 eval '[ "$(ls site/inbox/a | wc -l)" = 176 ]'
check "the first waits" wait_for 60 grep -q 'event=retry.*f1.csv' watch.log
before=$(memory VmHWM)
rows 1199 60000 > long.csv
cat long.csv > site/inbox/a/f1199.csv
truncate -s 100M site/inbox/a/f1200.csv
touch -d '1 minute' site/inbox/a/f1199.csv site/inbox/a/f1200.csv
rm site/outbox/a/f1.csv
check "each comes out" wait_for 60 came a/f1199.csv
check "a long one whole" same long.csv site/outbox/a/f1199.csv
wait_for 60 eval '[ "$(ended site)" = 1200 ]'
check "none goes through memory" less $(($(memory VmHWM) - before)) 60000
wait_for 60 idle site
stop
check "what holds no rows is refused, nothing is told of another" is "1199 1 f1200.csv" \
    "$(archived site) $(in_error site) $(sed -n 's/.*event=error.* file=\([^ ]*\).*/\1/p' watch.log)"
check "fsck finds all in order" sound site

# --- a file that cannot be renamed stays, and those behind it come --------------------------------------------------------

made() {                                # FILE…: all of them ready at the start, in this order
    rm -rf site watch.log
    mkdir -p site/inbox/a site/outbox/a
    flow a | small_site site
    minutes=9
    for f; do rows "$minutes" "$minutes" > "site/inbox/a/$f" && touch -d "$minutes minutes ago" "site/inbox/a/$f"; minutes=$((minutes - 1)); done
}
told() { grep -c "code=INBOX_DENIED.*$1" watch.log; }       # FILE

made apart1.csv b.csv c.csv
LD_PRELOAD=$tools/libplant.so PLANT_APART=apart watch site
check "a file of another project: those behind it come" wait_for 60 eval 'came a/b.csv && came a/c.csv'
rows 1 1 > .part && put site/inbox/a/apart2.csv
check "one that comes alone is told as well" wait_for 60 grep -q 'code=INBOX_DENIED.*apart2.csv' watch.log
rows 2 2 > .part && put site/inbox/a/d.csv
check "and the watcher goes on" wait_for 60 came a/d.csv
stop
check "each is told once, with what would be right" is "0 1 1 2" "$code $(told apart1.csv) $(told apart2.csv) $(grep -c 'chattr -p' watch.log)"
run site
check "they come as soon as they can" is "0 5" "$code $(ls site/outbox/a | wc -l)"

unshared=-m entered=-m
[ "$(id -u)" = 0 ] || { unshared=-Urm entered='--preserve-credentials -U -m'; }
if unshare $unshared sh -c 'mount --bind . "$1"' sh "$tmp" 2> /dev/null; then
    made mounted.csv b.csv c.csv
    rows 8 8 > upon.csv && touch -d '20 minutes ago' upon.csv
    unshare $unshared sh -c 'mount --bind upon.csv site/inbox/a/mounted.csv && exec "$1" watch site' sh "$prog" 2>> watch.log < /dev/null &
    watcher=$!
    started="$started $watcher"
    wait_for 60 watching site
    check "a mount point: those behind it come" wait_for 60 eval 'came a/b.csv && came a/c.csv'
    check "it is told" wait_for 60 grep -q 'code=INBOX_DENIED.*mounted.csv' watch.log
    rows 3 3 > .part && put site/inbox/a/d.csv
    check "and those that come later" wait_for 60 came a/d.csv
    check "once, with what would be right" is "1 1" "$(told mounted.csv) $(grep -c 'unmount what' watch.log)"
    nsenter -t "$watcher" $entered umount "$tmp/site/inbox/a/mounted.csv"
    rows 4 4 > .part && put site/inbox/a/look.csv
    check "unmounted, it comes" wait_for 60 came a/mounted.csv
    check "as it is" is "9;1" "$(tail -1 site/outbox/a/mounted.csv)"
    wait_for 60 idle site
    stop
else
    echo "ok # skip: nothing can be mounted here"
fi
check "fsck finds these in order" sound site
finish
