#!/bin/sh
# t12-crash.sh PROGRAM - killed again and again: every file ends once, nothing is lost, nothing comes twice
. "$(dirname "$0")/flow.sh"
begin "$1"
site=$work/site
n=120
"$prog" init "$site" > /dev/null
i=0
while [ $i -lt $n ]; do
    orders "$site/inbox/orders/f$i.csv" "$i"
    i=$((i + 1))
done
old "$site"/inbox/orders/*
kills=0
delay=0
while [ "$(zips "$site")" -lt $n ] && [ $kills -lt 60 ]; do
    "$prog" run -q -n "$site" > /dev/null 2>&1 &
    pid=$!
    delay=$(((delay * 7 + 13) % 19))
    sleep 0.0$((delay + 10))
    kill -9 $pid 2> /dev/null && kills=$((kills + 1))
    wait $pid 2> /dev/null
done
"$prog" run -q -n "$site" 2> "$work/log"
echo "# $kills kills"
check "killed at least thrice" [ $kills -ge 3 ]
check "every file is archived" same "$(zips "$site")" $n
check "one output each" same "$(count "$site/outbox/warehouse")" $n
check "one log each" same "$(count "$site/outbox/log")" $n
check "each order once" same "$(cat "$site"/outbox/warehouse/*.xml | grep -c '<Order number=')" $((2 * n))
check "none twice" same "$(cat "$site"/outbox/warehouse/*.xml | grep -o '<Order number="[^"]*"' | sort | uniq -d | wc -l)" 0
check "refused messages of each" same "$(find "$site/error" -name 'f*.csv' | wc -l)" $n
check "the inbox is empty" same "$(count "$site/inbox/orders")" 0
check "nothing is left at work" idle "$site"
"$prog" run -q -n "$site"
check "doing it again changes nothing" same "$(zips "$site") $(count "$site/outbox")" "$n $((2 * n))"

# A worker that dies: twice is an accident, three times is the file.
site=$work/poison
"$prog" init "$site" > /dev/null
{ head -1 "$site/samples/orders.csv"
  awk 'BEGIN { for (i = 0; i < 1500000; i++) print i ";21.11.2026;Bergen;Norway;1;K-100;12" }'; } > "$site/inbox/orders/big.csv"
old "$site/inbox/orders/big.csv"
"$prog" watch -n "$site" 2> "$work/log" &
pid=$!
pids="$pids $pid"
# Also idle ones die, and one that is dead already is no further death: until it is told.
set_aside() {
    has "$work/log" 'event=error.*code=WORKER_DIED' && return
    for w in $(pgrep -P $pid); do kill -9 "$w" 2> /dev/null; done
    return 1
}
check "after three deaths the file is set aside" until_true 60 set_aside
check "intact" same "$(find "$site/error" -name big.csv -size +20M | wc -l)" 1
orders "$site/inbox/orders/good.csv" g
check "and the next file goes" until_true 60 sh -c "[ \$(find '$site/archive' -name '*.zip' | wc -l) = 1 ]"
kill $pid
wait $pid
check "the watcher lives" same $? 0
exit $failed
