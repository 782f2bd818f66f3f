#!/bin/sh
# t86-limits.sh PROGRAM - a retry without a pause, a time that passes meanwhile, few descriptors: the watcher goes on
. "$(dirname "$0")/lib.sh"
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0"

# A pause of nothing: what cannot be delivered leaves time for all else.
{ flow a | retry 0s; flow b; } | small_site site
mkdir -p site/inbox/a site/inbox/b site/outbox/a
"$prog" check site > check.out 2> check.log
check "check tells of a retry without a pause" said check.log SITE_RETRY "retry 1s"
echo foreign > site/outbox/a/a.csv
watch site
rows 1 1 > .new && mv .new site/inbox/a/a.csv
wait_for 60 grep -q 'event=retry .*OUTBOX_TAKEN' watch.log
rows 1 1 > .new && mv .new site/inbox/b/b.csv
check "a retry without a pause: another flow goes on" wait_for 60 test -f site/outbox/b/b.csv
kill -TERM "$watcher"
check "and a signal is heard" wait_for 60 gone "$watcher"
stop KILL

# Its time passes while the watcher waits for the disk: nothing else would wake it.
rm -rf site
{ flow a | retry 1s; flow b | retry 1h; } | small_site site
mkdir -p site/inbox/a site/inbox/b site/outbox/a site/outbox/b
echo foreign > site/outbox/a/1.csv && echo foreign > site/outbox/b/1.csv
rows 1 1 > site/inbox/a/1.csv
for i in 1 2; do rows $i $i > site/inbox/b/$i.csv; done
echo 7 > hold                           # syncs before the one with which the first of b gets its folder
LD_PRELOAD=$tools/libplant.so PLANT_HOLD=$tmp/hold "$prog" run site 2> watch.log < /dev/null &
watcher=$!
started="$started $watcher"
check "a file waits for the disk" wait_for 60 test -e hold.held
sleep 2
rm hold
check "one that became due meanwhile is tried" wait_for 60 gone "$watcher"
kill -TERM "$watcher" 2> /dev/null
wait "$watcher"
check "and run ends" is "5 2" "$? $(grep -c 'event=retry .*flow=a' watch.log)"

# Few descriptors: what waits holds none.
few() {                                 # DESCRIPTORS: a watcher that has no more
    sh -c 'ulimit -n $1 && exec "$0" watch site' "$prog" "$1" 2>> watch.log < /dev/null &
    watcher=$!
    started="$started $watcher"
    wait_for 60 watching site
}
another_goes_on() {                     # NAME
    rows 1 1 > .new && mv .new site/inbox/b/"$1.csv"
    check "$1: another flow goes on" wait_for 60 test -f "site/outbox/b/$1.csv"
}
waits_for() { grep 'event=retry .*OUTBOX_TAKEN' watch.log | grep -o 'file=[^ ]*' | sort -u | wc -l; }
made() {                                # ORDER
    rm -rf site new
    : > watch.log
    { flow a | retry 1s | sed "s/^    on yes/&\n    order $1/"; flow b; } | small_site site
    mkdir -p site/inbox/a site/inbox/b site/outbox/a new
}
made any
for i in $(seq 300); do
    rows "$i" "$i" > "new/$i.csv"
    : > "site/outbox/a/$i.csv"
done
few 256
mv new/* site/inbox/a/
wait_for 60 eval '[ "$(waits_for)" -ge 240 ]'
another_goes_on many-that-wait
for i in $(seq 1 2 300); do rm "site/outbox/a/$i.csv"; done
check "what can be delivered then is archived" wait_for 60 eval '[ "$(archived site)" -ge 151 ]'
for i in $(seq 2 2 300); do rm "site/outbox/a/$i.csv"; done
check "and all in the end, without a restart" wait_for 60 eval '[ "$(archived site)" = 301 ]'
check "it was short of nothing" not_said watch.log SYS_
stop
check "fsck finds it in order" sound site

# In their order behind one that waits: many small waves, each with its log.
made kept
: > site/outbox/a/1.csv
few 128
for i in $(seq 1 2 239); do
    rows "$i" "$i" > "new/$i.csv"
    rows $((i + 1)) $((i + 1)) > "new/$((i + 1)).csv"
    mv new/* site/inbox/a/
    sleep 0.05
done
another_goes_on many-waves
rm site/outbox/a/1.csv
check "and all others when the first one can be delivered" wait_for 60 eval '[ "$(archived site)" = 241 ]'
stop
finish
