#!/bin/sh
# t51-health.sh PROGRAM - health says what is wrong with a site, with an exit code for each kind
. "$(dirname "$0")/lib.sh"

flow rows | retry 1h | small_site site
mkdir -p site/inbox/rows
health() {                              # EXIT OPTION…: its code, the object in h.json, the problems in h.err
    want=$1
    shift
    "$prog" health --json "$@" site > h.json 2> h.err
    is "$want" $?
}
value() { json "$1" < h.json; }
tells() { "$prog" health "$@" site 2> h.err > h.out; }

check "nobody watches: 5" health 5
check "and why" said h.json HEALTH_DOWN
check "unless cron runs it" health 0 --run
watch site
check "a watched site is well: 0" health 0
check "its process is named" is "true $watcher true" "$(value watched) $(value process) $(value good)"
tells
check "in words" said h.out "watched by process $watcher" "all good"
check "and nothing on standard error" is "" "$(cat h.err)"

kill -STOP "$watcher"
rows 1 3 > .a && mv .a site/inbox/rows/a.csv
touch site/inbox/rows/.part-of-something
sleep 2
check "a file lies, but not for long: 0" health 0
check "it is counted" is 1 "$(value ready)"
check "too long: 1" health 1 --late 1s
check "with the inbox" said h.json HEALTH_LATE inbox/rows
kill -CONT "$watcher"
check "taken: 0 again" wait_for 60 health 0 --late 1s
wait_for 60 eval '[ "$(archived site)" = 1 ]'

# A batch that somebody works on, and nothing comes of it.
worker=$(cat /proc/"$watcher"/task/*/children | tr ' ' '\n' | sort -u)
kill -STOP $worker
for i in 1 2 3; do rows "$i" 2$i > ".w$i" && mv ".w$i" "site/inbox/rows/w$i.csv"; done
wait_for 60 eval '[ "$(ls site/inbox/rows)" = "" ] && [ -z "$(ls -d site/.waybill/claim/[0-9]* 2> /dev/null)" ]'
sleep 2
check "at work, but not for long: 0" health 0
check "too long: 1" health 1 --late 1s
check "one of the flow is told" is 1 "$(grep -o HEALTH_WORK h.json | wc -l)"
check "with the batch, and what to do" said h.json HEALTH_WORK "w1.csv" "worker process is ended"
kill -CONT $worker
check "it goes on: 0 again" wait_for 60 health 0 --late 1s
wait_for 60 eval '[ "$(archived site)" = 4 ]'

# A batch that cannot be delivered.
rm -rf site/outbox/rows && : > site/outbox/rows
rows 4 5 > .b && mv .b site/inbox/rows/b.csv
wait_for 60 grep -q event=retry watch.log
check "a retry that is young: 0" health 0
check "is counted" is 1 "$(value retrying)"
sleep 1.2
check "one that lasts: 1" health 1 --late 1s
check "with its cause" said h.json HEALTH_RETRY SYS_
rows 6 7 > .c && mv .c site/inbox/rows/c.csv
wait_for 60 eval '[ "$("$prog" status --json site 2> /dev/null | grep -o "\"written\"" | wc -l)" -ge 1 ]'
sleep 2
health 1 --late 1s
check "what only waits behind it is no other fault" not_said h.json HEALTH_WORK
stop

check "down, and a file in the inbox: 5 goes before 1" health 5 --late 0s
WAYBILL_CLOCK=2030-01-02T03:04:05Z "$prog" run -q site 2> run.log
rm site/outbox/rows
health 1 --run
check "a batch of a time to come: the clock was set back" said h.json HEALTH_CLOCK "behind the time"
check "two things that are wrong are JSON still" is "false" "$(value good)"
WAYBILL_CLOCK=2030-01-03T03:04:05Z "$prog" run -q site 2> run.log
check "given up: 1 until somebody takes it away" health 1 --run
check "which is told" said h.json HEALTH_GAVE_UP
check "and counted" is "1 1" "$(value error) $(value gave_up)"
rm -r site/error/*
check "then 0" health 0 --run
printf 'Id;Qty\n1;"x\n' > site/inbox/rows/bad.csv
run site
check "what a sender did wrong is no fault of the site" health 0 --run
check "unless there is too much of it" health 1 --run --errors 0
WAYBILL_CLOCK=2020-01-02T03:04:05Z
export WAYBILL_CLOCK
check "the clock is wrong" health 1 --run
unset WAYBILL_CLOCK
check "by so much" said h.json HEALTH_CLOCK "s apart"
touch -d '+ 1 hour' site/.waybill/work
check "the clock was set back" health 1 --run
check "which is told" said h.json HEALTH_CLOCK "behind the time"
touch site/.waybill/work
check "until it has caught up" health 0 --run
rm -r site/inbox/rows && : > site/inbox/rows
check "an inbox that is none" health 1 --run
check "is named" said h.json HEALTH_INBOX
rm site/inbox/rows && mkdir site/inbox/rows
sed -i 's/^zone/limit disk-reserve 900000000000000000\nzone/' site/site.conf
check "no room" health 1 --run
check "how much, and what to do" said h.json HEALTH_DISK "858306884765 MiB are needed" "waybill purge"
sed -i 's/map copy/map none/' site/site.conf
check "a wrong site.conf" health 1 --run
check "is shown" said h.json SITE_NO_MAP

# A lease stays where its holder dies.
mkdir -p shared/inbox/rows
{ echo 'shared yes'; flow rows; } | small_site shared
watch shared
check "shared, and watched: 0" eval '"$prog" health shared > h.out 2> h.err'
stop KILL
touch -d '3 minutes ago' shared/.waybill/lease.*
"$prog" health shared > h.out 2> h.err
check "its holder is not heard of any more: 5" is 5 $?
check "how long" eval 'said h.err HEALTH_DOWN "has not been heard of for" && said h.out "not watched"'

"$prog" health "$tmp/none" > h.out 2>&1
check "no site: 3" is 3 $?
tells --late soon
check "wrong usage: 2" is 2 $?
check "it leaves nothing behind" is "" "$(ls -A site/.waybill/tmp)"
finish
