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
finish
