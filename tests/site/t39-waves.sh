#!/bin/sh
# t39-waves - many small files share their fsyncs; a long one is packed by a worker: neither loses nor doubles anything
. "$(dirname "$0")/lib.sh"

flow waves | retry 200ms | small_site site
mkdir -p site/inbox/waves site/outbox/waves
work_left() { find site/.waybill/work site/.waybill/claim site/.waybill/tmp -mindepth 1 2> /dev/null | sort; }
syncs() { grep -cE '^([0-9]+ +)?(fsync|fdatasync|syncfs)\(' "$1"; }

# Durable, killed again and again at any step of a wave.
n=200
for i in $(seq $n); do rows "$i" "$i" > "site/inbox/waves/w$i.csv"; done
cp site/inbox/waves/w7.csv site/inbox/waves/x-again.csv                 # the same content in one wave: a duplicate
printf 'Id;Qty\n1;one\n' > site/inbox/waves/wrong.csv                   # all its rows are refused
kills=0
delay=0
while [ "$(outputs site/outbox/waves | wc -l)" -lt $n ] && [ $kills -lt 80 ]; do
    "$prog" run site > /dev/null 2>&1 &
    pid=$!
    started="$started $pid"
    delay=$(((delay * 7 + 13) % 19))
    sleep 0.0$((delay + 10))
    kill -KILL $pid 2> /dev/null && kills=$((kills + 1))
    wait $pid 2> /dev/null
done
run site
echo "# $kills kills"
check "killed in between" [ $kills -ge 2 ]
check "every file came out" is $n "$(outputs site/outbox/waves | grep -c '/w[0-9]*\.csv$')"
check "none twice" is "" "$(outputs site/outbox/waves | grep -v '/w[0-9]*\.csv$' | grep -v wrong)"
check "each has its rows" is "$n" "$(cat site/outbox/waves/w*.csv | grep -c '^[0-9]*;1$')"
check "the same content in one wave is told as a duplicate" eval 'grep -lq DUP_CONTENT site/error/*/*.waybill.json'
check "nothing is left at work" is "" "$(work_left)"
before=$(find site/archive site/outbox site/error -type f | sort | sha256sum)
run site
check "once more changes nothing" is "$before" "$(find site/archive site/outbox site/error -type f | sort | sha256sum)"

# Short files with many messages: what is said of them is too long for the packet that brings the result.
for i in 2 4; do rows ${i}0000 ${i}1499 > site/inbox/waves/many$i.csv; done
run site
check "many short messages come out" is 2 "$(outputs site/outbox/waves | grep -c '/many')"
check "each with all its lines" is 2 "$(find site/archive -name '*.lines.1.jsonl' -exec wc -l {} + | grep -c '^ *1500 ')"

# The fsyncs are shared.
if command -v strace > /dev/null && strace -o /dev/null true 2> /dev/null; then
    for i in $(seq 64); do rows "$((i + 5000))" "$((i + 5000))" > "site/inbox/waves/s$i.csv"; done
    strace -o syncs -e trace=fsync,fdatasync,syncfs "$prog" run site > /dev/null 2>&1
    check "64 files come out" is 64 "$(outputs site/outbox/waves | grep -c '/s[0-9]*\.csv$')"
    check "with less than three fsyncs each ($(syncs syncs))" [ "$(syncs syncs)" -lt 192 ]
fi

# A long file whose worker dies while it packs: delivered once, archived all the same.
yes '1234567890;12345678.90' | head -n 3000000 | sed '1s/.*/Id;Qty/' > .long
watch site --no-fsync
mv .long site/inbox/waves/long.csv
check "the long file comes out" wait_for 60 test -f site/outbox/waves/long.csv
for w in $(cat /proc/"$watcher"/task/*/children 2> /dev/null); do kill -KILL "$w" 2> /dev/null; done
check "it is archived" wait_for 60 grep -q 'event=archived.*file=long.csv' watch.log
check "and not tried again" not_said watch.log 'event=retry'
stop
check "nothing is left of it" is "" "$(work_left)"
finish
