#!/bin/sh
# t85-saves.sh PROGRAM - a save or a sync that fails once: the batch is what it was before, and goes on without a restart
. "$(dirname "$0")/lib.sh"
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0"

planted_watch() {                       # SITE: every fault strikes when its file is there
    LD_PRELOAD=$tools/libplant.so PLANT_FULL=$tmp/full PLANT_HOLD=$tmp/hold PLANT_LATE=$tmp/late watch "$1"
}
work() { ls site/.waybill/work | grep '^[0-9]'; }
waybill() { cat "site/.waybill/work/$batch/$batch.waybill.json" > now.json && json "$1" < now.json; }    # PATH
is_open() { [ "$(waybill waits 2> /dev/null)" = open ]; }
told() { grep -q "$1" watch.log; }
all_archived() { [ "$(archived site)" = "$1" ]; }      # N

# --- an operation whose waybill cannot be saved: its staged document is not current before it can be ----------------------

small_site site << 'END'
sequence numbers
flow sync {
    on yes
    retry 1h
    batch stage track Row {
        state staged
        state sent when Sent
    }
    operation create {
        manual
        take inbox "inbox/rows" ready name
        give batch new map create
    }
    operation send {
        manual
        take batch
        give outbox "outbox/rows" name "{batch}_{n}.csv" map send empty skip
        done {
            batch-time() => Row/Sent
        }
    }
}
END
cat > site/mappings/stage.format << 'END'
syntax json lines
encoding utf-8

message Row key Id {
    Id   text required
    Qty  decimal "Quantity"
    Sent datetime
}
END
printf 'mapping rows => stage\n\nRow => Row {\n    key Id => Id\n    Qty    => Qty\n}\n' > site/mappings/create.map
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
check "with both staged documents" is "stage.1 stage.2" "$(unzip -Z1 "$(find site/archive -name '*.zip')" | grep '^stage' | sort | xargs)"
stop
check "fsck finds that in order, too" sound site

finish
