#!/bin/sh
# t73-despatch.sh PROGRAM - deliveries merge into despatch advices in a watched site: two drops of one day, sent once, also
# over a watcher that is killed
. "$(dirname "$0")/lib.sh"
in=$top/samples/despatch/in
want=$top/samples/despatch/expected
export WAYBILL_CLOCK=2026-03-02T18:00:00Z

"$prog" init site --from "$top/mappings/despatch" > init.log 2>&1
result $? "the site is made"
sed 's/ready stable 5s/ready name/' site/site.conf > conf && mv conf site/site.conf
mkdir -p site/inbox/deliveries
of() { awk -F';' -v n="$1" '$1 == n { print $4, $5, $6, $7 }' site/outbox/log/*.csv 2> /dev/null; }       # DELIVERY: state, advice, reason, passed
table() { grep -h "\"ID\":\"$1\",\"Day\"" site/tables/advices.jsonl | json "$2"; }                        # ADVICE PATH
send() { "$prog" do -d site deliveries send > send.log 2>&1; }

watch site --quiet
drop "$in/morning.csv" site/inbox/deliveries
check "the first drop of the day" wait_for 60 eval '[ "$(of L-3)" = "done DA-L-3 NO_ADVICE " ]'
check "two deliveries of one customer are one advice" is "done DA-L-1  " "$(of L-2)"
check "with the sum of the article" wait_for 60 eval '[ "$(table DA-L-1 Line.0.Quantity)" = 12 ]'
drop "$in/evening.csv" site/inbox/deliveries
check "the second drop of the day" wait_for 60 eval '[ "$(of L-5)" = "done DA-L-5 NO_ADVICE " ]'
check "merges into the first" is "done DA-L-1  " "$(of L-4)"
check "line by line: a sum" wait_for 60 eval '[ "$(table DA-L-1 Line.1.Quantity)" = 5.5 ]'
check "and a line more" is "S-3 3" "$(table DA-L-1 Line.2.Item) $(table DA-L-1 Line.2.ID)"
check "a delivery that was advised before is left out" is "skipped  ADVISED " "$(of L-2 | tail -1)"
check "a wrong one is refused, and nothing of it merges" is "rejected  NO_QUANTITY  5.5" "$(of L-6) $(table DA-L-1 Line.1.Quantity)"
check "nothing is sent before somebody says so" is "" "$(outputs site/outbox/customer)"

stop KILL
drop "$in/evening.csv" site/inbox/deliveries again.csv
watch site --quiet
check "killed, started again: the same file is a duplicate" wait_for 60 grep -q 'code=DUP_CONTENT' watch.log
check "and changes nothing" is 12 "$(table DA-L-1 Line.0.Quantity)"

send
check "send" is 0 $?
for a in DA-L-1 DA-L-3 DA-L-5; do check "$a as the customer gets it" same "$want/$a.xml" site/outbox/customer/$a.xml; done
check "no other advice" is 3 "$(outputs site/outbox/customer | wc -l)"
check "when it was sent stands in the table" is 2026-03-02T19:00:00 "$(table DA-L-1 Sent)"
rm site/outbox/customer/*
send
check "nothing is sent twice" is "" "$(outputs site/outbox/customer)"
drop "$in/late.csv" site/inbox/deliveries
check "what comes later is another advice" wait_for 60 eval '[ "$(of L-7)" = "done DA-L-7 NONE_OPEN DA-L-1=SENT" ]'
send
check "which is sent alone" is site/outbox/customer/DA-L-7.xml "$(outputs site/outbox/customer)"
check "as the customer gets it" same "$want/DA-L-7.xml" site/outbox/customer/DA-L-7.xml
stop
check "the watcher ends well" is 0 "$code"
for id in $(find site/archive -name '*.zip' | sed 's/.*_//; s/\.zip$//'); do
    "$prog" show --why -d site "$id" >> why 2>&1
done
check "show --why tells which advice was passed over" said why "DA-L-1: SENT"
"$prog" fsck site > fsck.out 2>&1
result $? "fsck finds nothing"
finish
