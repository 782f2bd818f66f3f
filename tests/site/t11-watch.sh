#!/bin/sh
# t11-watch.sh PROGRAM - the real watcher: ways to drop a file, signals, a second watcher, a new site.conf
. "$(dirname "$0")/flow.sh"
begin "$1"
site=$work/site
"$prog" init "$site" > /dev/null
sed -i 's/stable 2s/stable 500ms/' "$site/site.conf"

start() {
    "$prog" watch -n "$site" 2>> "$work/log" &
    pid=$!
    pids="$pids $pid"
}
stop() {
    kill "$pid"
    wait "$pid"
}
done_n() { [ "$(zips "$site")" -ge "$1" ]; }

seen=
if command -v inotifywait > /dev/null; then
    inotifywait -m -e create,moved_to,close_write --format '%e %f' "$site/outbox/warehouse" > "$work/seen" 2> "$work/eyes" &
    seen=$!
    pids="$pids $seen"
    until_true 60 has "$work/eyes" established
fi
start
until_true 60 [ -f "$site/.waybill/epoch" ]
"$prog" watch "$site" 2> "$work/second"
check "a second watcher: exit code 5" same $? 5
check "SITE_BUSY" has "$work/second" SITE_BUSY

orders "$site/inbox/orders/.a" a
mv "$site/inbox/orders/.a" "$site/inbox/orders/a.csv"
check "dropped by rename" until_true 60 done_n 1
orders "$work/b.csv" b
cp "$work/b.csv" "$site/inbox/orders/b.csv"
check "dropped by copy" until_true 60 done_n 2
orders "$work/c.csv" c
( while read -r line; do echo "$line"; sleep 0.2; done < "$work/c.csv" ) > "$site/inbox/orders/c.csv"
check "half-written and growing" until_true 60 done_n 3
check "and whole" sh -c "grep -h -c '<Order number=\"c-' '$site'/outbox/warehouse/*3.xml | grep -qx 2"
cp "$work/b.csv" "$site/inbox/orders/again.csv"
check "the same content again is a duplicate" until_true 60 has "$work/log" 'event=duplicate.*file=again.csv.*DUP_CONTENT'
check "and gives no output" same "$(count "$site/outbox/warehouse")" 3

echo 'flow x {' >> "$site/site.conf"
kill -HUP "$pid"
check "a wrong new site is told" until_true 60 has "$work/log" SITE_KEPT
sed -i '$d; s/"EXAMPLE"/"CHANGED"/' "$site/site.conf"
kill -HUP "$pid"
until_true 60 has "$work/log" event=reloaded
orders "$site/inbox/orders/d.csv" d
check "works on after it" until_true 60 done_n 4
check "with the right new site" grep -q 'owner="CHANGED"' "$(ls "$site"/outbox/warehouse/*.xml | tail -1)"

stop
check "TERM: exit code 0" same $? 0
orders "$site/inbox/orders/e.csv" e
start
check "what came in between is taken" until_true 60 done_n 5
stop
check "nothing is left at work" idle "$site"
check "each output once" same "$(cat "$site"/outbox/warehouse/*.xml | grep -o '<Order number="[^"]*"' | sort | uniq -d | wc -l)" 0
if [ -n "$seen" ]; then
    check "an observer sees all of them" until_true 60 sh -c "[ \$(grep -c MOVED_TO '$work/seen') = 5 ]"
    kill "$seen"
    check "whole files only, by rename" sh -c "! grep -vq MOVED_TO '$work/seen'"
fi
exit $failed
