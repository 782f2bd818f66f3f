#!/bin/sh
# t85-saves.sh PROGRAM - a save or a sync that fails once: the batch is what it was before, and goes on without a restart
. "$(dirname "$0")/lib.sh"
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0"

hup() { kill -HUP "$watcher"; }
work() { ls site/.waybill/work | grep '^[0-9]'; }
waybill() { cat "site/.waybill/work/$batch/$batch.waybill.json" > now.json && json "$1" < now.json; }    # PATH
is_open() { [ "$(waybill waits 2> /dev/null)" = open ]; }
told() { grep -q "$1" watch.log; }
gone_file() { [ ! -e "$1" ]; }

# --- an operation whose waybill cannot be saved: its staged document is not current before it can be ----------------------

{ echo 'sequence numbers'; sync_flow manual | retry 1h; } | sync_site site
printf 'mapping stage => rows\n\nRow => Row {\n    require not(Sent) else skip SENT\n    Id  => Id\n    Qty => Qty\n}\n' \
    > site/mappings/send.map
mkdir -p site/inbox/rows
printf 'Id;Qty\n1;5\n2;7\n' > site/inbox/rows/c.csv
planted_watch site

echo stage.1 > full
"$prog" create --dir site > create.out 2>&1 &
started="$started $!"
check "create: its waybill cannot be saved" wait_for 60 told 'event=retry'
batch=$(work)
check "no staged document is current" is "accepted create -" "$(waybill place) $(waybill operation) $(waybill stage | grep . || echo -)"
"$prog" retry --dir site "$batch" > retry.out 2>&1
check "tried again, it is" wait_for 60 is_open
check "once" is "stage.1 2" "$(waybill stage) $(waybill messages)"

echo stage.2 > full
"$prog" amend --dir site "$batch" --message 2 Qty=9 > amend.out 2>&1 &
started="$started $!"
check "amend: its waybill cannot be saved" wait_for 60 eval '[ "$(grep -c event=retry watch.log)" = 2 ]'
check "the staged document of before is current" is "delivered amend stage.1" "$(waybill place) $(waybill operation) $(waybill stage)"
"$prog" retry --dir site "$batch" > retry.out 2>&1
check "tried again, the amended one is" wait_for 60 is_open
check "it was amended" is stage.2 "$(waybill stage)"
check "from the one of before" said "site/.waybill/work/$batch/stage.2" '"Qty":9'
"$prog" show --dir site "$batch" > show.out 2>&1
check "and that is told" said show.out AMENDED 'Qty'
check "fsck finds it in order" sound site
"$prog" cancel --dir site "$batch" > cancel.out 2>&1
check "cancelled, it is archived" wait_for 60 all_archived 1
check "with both staged documents" is "stage.1 stage.2" "$(python3 -m zipfile -l "$(find site/archive -name '*.zip')" | grep -o '^stage\.[0-9]*' | sort | xargs)"
stop
check "fsck finds that in order, too" sound site

# --- a wave that gives nothing: whichever sync fails, all of it is archived ------------------------------------------------

made() {                                # RETRY FLOW…
    again=$1
    shift
    rm -rf site hold* full late
    : > watch.log
    for f; do flow "$f"; done | sed "s/map copy/empty skip map copy/" | retry "$again" | small_site site
    for f; do mkdir -p "site/inbox/$f"; done
}
empties() {                             # FOLDER: three files without rows
    mkdir -p "$1"
    for i in 1 2 3; do { rows 1 0; yes '' | head -$i; } > "$1/$i.csv"; done
}
go_on() {                               # or it has ended; what could not be claimed is claimed again
    problems=$(grep -c SYS_ watch.log)
    if [ "$problems" != "$before" ] && watching site; then
        hup
        before=$problems
    fi
    all_archived 3 || gone "$watcher"
}
faulty() {                              # N: the sync that fails
    made 1s empty
    empties site/inbox/empty
    LD_PRELOAD=$tools/libfault.so FAULT_SITE=$tmp/site FAULT_LOG=$tmp/faults FAULT_LOST=$1 \
        "$prog" watch site 2>> watch.log < /dev/null &
    watcher=$!
    started="$started $watcher"
    before=0
    wait_for 60 go_on
    if all_archived 3; then
        waves=$((waves + 1))
    fi
    stop
    case "$code $(archived site)" in "0 3" | "5 0") sound site ;; *) false ;; esac || echo "at syncfs $1" >> wrong
}
: > wrong
waves=0 n=0
while rm -f faults && n=$((n + 1)) && faulty $n && grep -q '^lost' faults; do :; done
check "each sync of a wave failed" [ $waves -ge 6 ]
check "unless it was one of the start, what gives nothing is archived without a restart" same /dev/null wrong

# What waits for its next attempt says what it is.
for n in 3 4 5; do
    made 1h c empty
    planted_watch site
    come_up site c
    echo $n > hold
    : > hold.fail
    empties new
    together empty
    wait_for 60 test -e hold.held
    rm hold
    wait_for 60 told event=retry
    stop
    for batch in $(work); do
        echo "$(waybill place) $(waybill operation)"
    done | grep -vx 'accepted convert\|delivered ' > strange
    check "sync $n fails: what is made anew names its operation, what gave nothing stays delivered" same /dev/null strange
    WAYBILL_CLOCK=2099-01-01T00:00:00Z run site
    check "later all is archived" all_archived 4
done

# --- what is written and could not get its folder: it gets it before it is delivered ---------------------------------------

made 1s c a
planted_watch site
come_up site c
echo 5 > hold
: > hold.fail
echo in > full
mkdir -p new && rows 1 1 > new/1.csv && rows 2 2 > new/2.csv && together a
wait_for 60 test -e hold.held
rm hold
check "a sync fails, and then a landing" wait_for 60 gone_file full
wait_for 60 told event=retry
: > late
rows 3 3 > .new && mv .new site/inbox/a/3.csv
check "all are delivered and archived" wait_for 60 all_archived 4
check "the folder that was not there is not looked for" not_said watch.log "folder cannot be read"
stop
check "fsck finds it in order" sound site

# --- a ledger that cannot be opened holds up its own flow only ---------------------------------------------------------------

made 1h a b
mkdir -p site/.waybill/ledger/a.ledger
for i in 1 2 3; do
    rows $i $i > "site/inbox/a/$i.csv" && rows $i $i > "site/inbox/b/$i.csv"
done
run site
check "the files of its flow wait" is "5 3" "$code $(grep -c 'event=retry.*flow=a' run.log)"
check "those of the other are archived at once" is "3 0" "$(archived site) $(grep -c 'event=retry.*flow=b' run.log)"
rmdir site/.waybill/ledger/a.ledger
WAYBILL_CLOCK=2099-01-01T00:00:00Z run site
check "when it can be opened the others are, too" is "0 6" "$code $(archived site)"
check "fsck finds it in order" sound site
finish
