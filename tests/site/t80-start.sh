#!/bin/sh
# t80-start.sh PROGRAM - what cannot be read at start holds up nothing else, is told, and comes later, once, in its order
. "$(dirname "$0")/lib.sh"
. "$top/tests/site/life.sh"
umask 077
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0"

id() { echo "20260101-000000-1-$1"; }
claimed() {                             # SITE N INBOX FILE: as a crash leaves a file that was taken and not accepted
    mkdir -p "$1/.waybill/claim/$(id "$2")" && ln -s "inbox/$3" "$1/.waybill/claim/$(id "$2")/.from" &&
        mv "$4" "$1/.waybill/claim/$(id "$2")/"
}
aged() { rows "$2" "$3" > "$1" && touch -d "$4 minutes ago" "$1"; }         # FILE FIRST LAST MINUTES
bad() { LD_PRELOAD=$tools/libplant.so PLANT_UNREAD=$1 "$prog" "$2" "$site" > "$2.out" 2> "$2.log" < /dev/null; }   # NAME VERB
delivered() { find "$site/outbox" -type f | sort | sed "s,^$site/outbox/,," | xargs; }

# --- a claimed file that cannot be read: its inbox is known ---------------------------------------------------------------

site=site
mkdir -p site/inbox/one site/inbox/new site/inbox/other
{
    flow one
    flow new | sed 's/ready name/ready name newest/'
    flow other | sed 's/ready name/ready name newest/'
} | small_site site
aged bad.csv 1 3 9 && aged a.csv 4 6 8
claimed site 1 new bad.csv && claimed site 2 one a.csv
aged site/inbox/one/b.csv 7 9 7
aged site/inbox/new/later.csv 10 12 6
aged site/inbox/other/c.csv 13 15 5
place=.waybill/claim/$(id 1)
bad bad.csv run
check "run: a claimed file cannot be read, all others are delivered" is "5 one/a.csv one/b.csv other/c.csv" "$? $(delivered)"
check "it is told with its place, what is wrong and what to do" said run.log "$place" "Input/output error" "again"
check "where only the newest counts, those behind it wait" is "later.csv bad.csv" "$(ls site/inbox/new) $(ls site/$place)"
bad bad.csv status
check "status shows the claim" said status.out "$(id 1)" claimed bad.csv
"$prog" health --run site > health.out 2> health.log
check "health: a claim that waits is no fault by itself" is 0 $?
LD_PRELOAD=$tools/libplant.so PLANT_UNREAD=bad.csv "$prog" health --run site > health.out 2> health.log
check "health: one that cannot be read is" is 1 $?
check "and is named" said health.log "$place"
touch -d '1 hour ago' "site/$place"
"$prog" health --run site > health.out 2> health.log
check "nor one that waits for long" is 1 $?
check "and it is named, too" said health.log "$place" HEALTH_CLAIM bad.csv inbox/new
run site
check "when it can be read again all comes, in order" is "0 new/later.csv one/a.csv one/b.csv other/c.csv" "$code $(delivered)"
check "the older one is set aside, no claim is left" is "1 0" "$(in_error site) $(ls site/.waybill/claim | wc -l)"
check "fsck finds it in order" sound site

# --- a claim whose folder is a file: nobody knows whose it is; a batch whose folder is a file ----------------------------

rm -rf site
mkdir -p site/inbox/one site/inbox/new
{
    flow one | retry 1s
    flow new | sed 's/ready name/ready name newest/'
} | small_site site
echo plain > site/outbox-one && mkdir site/outbox && mv site/outbox-one site/outbox/one
aged site/inbox/one/w.csv 21 23 9
run site
batch=$(ls site/.waybill/work)
check "a batch waits for its outbox" is 5 "$code"
rm site/outbox/one
mv "site/.waybill/work/$batch" kept-work
echo torn > "site/.waybill/work/$batch"
aged b.csv 4 6 8 && aged c.csv 7 9 7
claimed site 2 one b.csv && claimed site 3 new c.csv
mv "site/.waybill/claim/$(id 2)" kept-claim
echo torn > "site/.waybill/claim/$(id 2)"
aged site/inbox/one/d.csv 31 33 6
aged site/inbox/new/e.csv 34 36 5
watch site
check "watch: the others are taken up" wait_for 30 eval '[ "$(delivered)" = "one/d.csv" ]'
check "the claim is told" wait_for 60 grep -q ".waybill/claim/$(id 2)" watch.log
check "the batch is told" wait_for 60 grep -q ".waybill/work/$batch" watch.log
check "where the order counts nothing is taken or accepted" is "e.csv c.csv" "$(ls site/inbox/new) $(ls site/.waybill/claim/$(id 3))"
"$prog" status site > status.out 2> status.log
check "status says both" said status.log ".waybill/claim/$(id 2)" ".waybill/work/$batch"
rm "site/.waybill/claim/$(id 2)" "site/.waybill/work/$batch"
mv kept-claim "site/.waybill/claim/$(id 2)" && mv kept-work "site/.waybill/work/$batch"
kill -HUP "$watcher"
check "mended: each comes without a restart" wait_for 30 eval '[ "$(delivered)" = "new/e.csv one/b.csv one/d.csv one/w.csv" ]'
wait_for 30 eval '[ "$(archived site)" = 4 ]'
stop
check "once each; the older of two newest is set aside" is "4 1 0 0" \
    "$(archived site) $(in_error site) $(ls site/.waybill/work | wc -l) $(ls site/.waybill/claim | wc -l)"
check "fsck finds it in order, too" sound site

# --- a wave that cannot be read does not stand before claims either, at the start or later ---------------------------------

rm -rf site
mkdir -p site/inbox/one
flow one | small_site site
mkdir -p site/.waybill/work
echo torn > "site/.waybill/work/w2-$(id 8)"
watch site
check "watch: the wave is told" wait_for 30 grep -q "w2-$(id 8)" watch.log
aged f.csv 41 43 5
claimed site 4 one f.csv
kill -HUP "$watcher"
check "a claim that comes to light later is taken up" wait_for 30 eval '[ "$(delivered)" = one/f.csv ]'
stop

# --- mappings that cannot be kept at the start are kept as soon as they can be ----------------------------------------------

rm -rf site watch.log
mkdir -p site/inbox/one site/archive
flow one | small_site site
echo plain > site/archive/config
watch site
rows 1 3 > .a && mv .a site/inbox/one/a.csv
check "mappings cannot be kept: files go on" wait_for 60 test -f site/outbox/one/a.csv
check "it is told, with the place" said watch.log archive/config
wait_for 60 eval '[ "$(archived site)" = 1 ]'
"$prog" fsck site > fsck.out 2>&1
check "fsck says what is missing" said fsck.out FSCK_CONFIG
rm site/archive/config && mkdir site/archive/config
n=0
more() { n=$((n + 1)) && rows "$n" 99 > .b && mv .b "site/inbox/one/b$n.csv" && sleep 1 && [ -n "$(ls site/archive/config)" ]; }
check "they are kept later, by the same watcher" wait_for 60 more
rows 4 4 > .c && mv .c site/inbox/one/c.csv
wait_for 60 test -f site/outbox/one/c.csv
wait_for 60 idle site
stop
check "so that nothing is missing any more" sound site
check "and what came later names them" grep -q '"kind":"config"' $(grep -l '"name":"c.csv"' $(find site/archive -name '*.waybill.json'))

# --- an open batch that cannot be read: nobody can tell whose answer a file is, so it waits --------------------------------

how=commands in=$samples/ovotrack/in want=$samples/ovotrack/expected
sample_site ovotrack
at '2024-08-01 15:00:00'
masters customer_locations_0801.csv
drop "$in/erp_orders_20240801.csv" "$site/inbox/orders"
ask create --since 2024-07-31
at '2024-08-01 15:05:00'
ask send
batch=$(ls "$site/.waybill/work")
mv "$site/.waybill/work/$batch" kept-work
echo torn > "$site/.waybill/work/$batch"
at '2024-08-02 07:30:00'
drop "$in/ovotrack_updates_1.xml" "$site/inbox/ovotrack"
ask receive --wait 5
check "an answer is not taken while an open batch cannot be read" is "1 ovotrack_updates_1.xml" "$code $(ls "$site/inbox/ovotrack")"
check "the command says why" said ask.log ".waybill/work/$batch" "comes before cannot be read"
drop "$in/customer_locations_0802.csv" "$site/inbox/locations"
run "$site"
check "other flows go on" is "5 0 1" "$code $(ls "$site/inbox/locations" | wc -l) $(ls "$site/inbox/ovotrack" | wc -l)"
rm "$site/.waybill/work/$batch" && mv kept-work "$site/.waybill/work/$batch"
ask receive
check "then it is" is "0 0" "$code $(ls "$site/inbox/ovotrack" | wc -l)"
rm -f "$site"/outbox/log/*
check "as if nothing had been" view 3_after_receive_1.csv
check "fsck finds that in order" sound "$site"
unset WAYBILL_CLOCK

# --- a batch that is taken up while a watcher runs, and whose zip is good already -----------------------------------------

site=site
rm -rf site
mkdir -p site/inbox/one site/outbox
flow one | retry 1s | small_site site
echo plain > site/outbox/one
aged site/inbox/one/z.csv 1 3 9
run site
batch=$(ls site/.waybill/work)
rm site/outbox/one
cp -a "site/.waybill/work/$batch" before
WAYBILL_CLOCK=2099-01-01T00:00:00Z run site
check "a batch is delivered and archived" is "one/z.csv 1" "$(delivered) $(archived site)"
rm site/outbox/one/z.csv
echo torn > "site/.waybill/claim/$(id 1)"
watch site
aged "$batch.csv" 1 3 9
mkdir "site/.waybill/claim/$batch" && ln -s inbox/one "site/.waybill/claim/$batch/.from" && mv "$batch.csv" "site/.waybill/claim/$batch/z.csv"
cp -a before "site/.waybill/work/$batch"
zip=$(cksum < "$(find site/archive -name '*.zip')")
rm "site/.waybill/claim/$(id 1)"
kill -HUP "$watcher"
check "taken up while a watcher runs: its folder goes" wait_for 30 eval '[ -z "$(ls site/.waybill/work site/.waybill/claim | grep -v :)" ]'
stop
check "it is not delivered again, its zip stays" is "$zip" "$(delivered)$(cksum < "$(find site/archive -name '*.zip')")"
finish
