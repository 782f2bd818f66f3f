#!/bin/sh
# t14-many.sh PROGRAM - two thousand files at once, with a restart in between; one huge file holds nobody
. "$(dirname "$0")/flow.sh"
begin "$1"
site=$work/site
n=2000
"$prog" init "$site" > /dev/null
head -3 "$site/samples/orders.csv" > "$work/one"
i=0
while [ $i -lt $n ]; do
    sed "s/^4711/$i/" "$work/one" > "$site/inbox/orders/f$i.csv"
    i=$((i + 1))
done
old "$site"/inbox/orders/*
done_n() { [ "$(zips "$site")" -ge "$1" ]; }
"$prog" watch -q -n "$site" 2> "$work/log" &
pid=$!
pids="$pids $pid"
until_true 60 done_n 300
kill $pid
wait $pid
check "TERM in the midst of it: exit code 0" same $? 0
[ "$(zips "$site")" -lt $n ] || echo "# all was done before it stopped"
"$prog" run -q -n "$site" 2> "$work/log"
check "the rest with run: exit code 0" same $? 0
check "all archived" same "$(zips "$site")" $n
check "all delivered" same "$(count "$site/outbox/warehouse")" $n
check "each once" same "$(cat "$site"/outbox/warehouse/*.xml | grep -o '<Order number="[^"]*"' | sort -u | wc -l)" $n
check "nothing is left at work" idle "$site"

# A second flow goes on while the first has a huge file.
site=$work/huge
"$prog" init "$site" > /dev/null
sed -n '/^flow/,$p' "$site/site.conf" | sed 's/flow orders/flow quick/; s#inbox/orders#inbox/quick#; s#outbox/#outbox/quick-#g' > "$work/flow"
cat "$work/flow" >> "$site/site.conf"
mkdir -p "$site/inbox/quick"
{ head -1 "$site/samples/orders.csv"
  awk 'BEGIN { for (i = 0; i < 1500000; i++) print i ";21.11.2026;Bergen;Norway;1;K-100;12" }'; } > "$site/inbox/orders/big.csv"
old "$site/inbox/orders/big.csv"
"$prog" watch -n --workers 2 "$site" 2> "$work/log" &
pid=$!
pids="$pids $pid"
until_true 60 has "$work/log" 'event=accepted.*big.csv'
orders "$site/inbox/quick/q.csv" q
check "both are done" until_true 60 sh -c "[ \$(grep -cE 'event=archived.*(q|big).csv' '$work/log') = 2 ]"
check "a small file passes a huge one of another flow" same "$(grep -oE 'event=written.*file=(q|big)' "$work/log" | grep -oE '[a-z]+$' | tr '\n' ' ')" "q big "
kill $pid
wait $pid
exit $failed
