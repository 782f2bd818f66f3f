#!/bin/sh
# t34-poison - one huge or poisoned file does not hold the others
. "$(dirname "$0")/lib.sh"

for f in huge small poison; do flow $f; done | retry 200ms | small_site site
mkdir -p site/inbox/huge site/inbox/small site/inbox/poison site/outbox/small
working() { grep "event=accepted.*file=$1" watch.log | grep -o 'batch=[^ ]*' | cut -d= -f2 | head -1; }
small_ones() { find site/outbox/small -type f 2> /dev/null | wc -l; }

# 200 MB in one file, fifty small ones of another flow behind it.
yes '1234567890;12345678.90' | head -n 9000000 | sed '1s/.*/Id;Qty/' > .huge
watch site --no-fsync
mv .huge site/inbox/huge/huge.csv
wait_for 60 eval '[ -n "$(working huge.csv)" ]'
begin=$(date +%s%N)
mkdir .fifty
for i in $(seq 50); do rows "$i" $((i + 10)) > .fifty/$i.csv; done
mv .fifty/* site/inbox/small/
check "fifty small files beside one of $(du -m site/.waybill/work/*/*huge.csv 2> /dev/null | cut -f1 | head -1) MB" wait_for 60 eval '[ $(small_ones) = 50 ]'
took=$((($(date +%s%N) - begin) / 1000000))
check "they are done before it ($took ms)" is 50 "$(sed '/event=written.*file=huge/,$d' watch.log | grep -c 'event=delivered.*file=[0-9]*\.csv')"

# Its worker is killed: the file is tried again, three times, then it is refused.
worker() {                              # the worker that is busy: the child with most processor time
    for p in $(cat /proc/"$watcher"/task/*/children 2> /dev/null); do
        echo "$(awk '{ print $14 + $15 }' "/proc/$p/stat" 2> /dev/null || echo 0) $p"
    done | sort -rn | head -1 | cut -d' ' -f2
}
busy() { w=$(worker); [ -n "$w" ] && [ "$w" != "${killed:-0}" ] && [ "$(awk '{ print $14 + $15 }' "/proc/$w/stat" 2> /dev/null || echo 0)" -ge 20 ]; }
killed=0
for i in 1 2 3; do
    wait_for 60 busy || break
    killed=$w
    kill -KILL "$w"
    rows 1 $((i + 20)) > .drop && mv .drop "site/inbox/small/again$i.csv"
    check "worker killed, time $i: small files go on" wait_for 60 test -f "site/outbox/small/again$i.csv"
done
refused() { find site/error -name huge.csv 2> /dev/null | grep -q .; }
check "after three deaths the file is set aside" wait_for 60 refused
f=$(find site/error -name huge.csv)
check "as WORKER_DIED" is WORKER_DIED "$(cat "$(dirname "$f")"/*.waybill.json | json error_code)"
check "whole, as it was dropped" is "$(yes '1234567890;12345678.90' | head -n 9000000 | sed '1s/.*/Id;Qty/' | sha256sum)" "$(sha256sum < "$f")"
check "nothing of it is in the outbox" is "" "$(outputs site/outbox/huge)"

# A file that takes one death only comes through.
yes '1;1' | head -n 3000000 | sed '1s/.*/Id;Qty/' > .once && mv .once site/inbox/poison/once.csv
killed=0
wait_for 60 busy && kill -KILL "$w"
check "a file whose worker died once comes out" wait_for 60 test -f site/outbox/poison/once.csv
check "whole" is 3000000 "$(wc -l < site/outbox/poison/once.csv)"
wait_for 60 idle site                   # else its archive has a worker when the next watcher starts
stop
check "the watcher lives through all of it" is 0 "$code"

# A long file is copied by a worker. This one does not come on: others do, and when it dies the file is copied all the same.
children() { cat /proc/"$watcher"/task/*/children 2> /dev/null | tr ' ' '\n' | grep .; }
watch site --no-fsync --workers 2
rows 1 40 > .drop && mv .drop site/inbox/small/first.csv
check "a worker is there" wait_for 60 test -f site/outbox/small/first.csv
worker=$(children | head -1)
kill -STOP "$worker"
rows 1 200000 > .drop && mv .drop site/inbox/huge/long.csv
check "a long file is claimed" wait_for 60 eval '[ -n "$(ls site/.waybill/claim)" ]'
rows 1 41 > .drop && mv .drop site/inbox/small/beside.csv
check "a short one goes on beside it" wait_for 60 test -f site/outbox/small/beside.csv
check "the long one is still being copied" is "1 0" "$(ls site/.waybill/claim | wc -l) $(ls site/inbox/huge | wc -l)"
kill -KILL "$worker"
check "when its worker dies it comes out all the same" wait_for 60 test -f site/outbox/huge/long.csv
check "with all rows" is 200001 "$(wc -l < site/outbox/huge/long.csv)"
stop
check "nothing is left of the copy" is "" "$(ls -A site/.waybill/tmp site/.waybill/claim | grep -v :)"
finish
