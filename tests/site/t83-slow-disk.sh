#!/bin/sh
# t83-slow-disk.sh PROGRAM - a wave that waits for the disk holds up nothing else, and who dies meanwhile loses nothing
. "$(dirname "$0")/lib.sh"
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0"

n=0                                     # files so far
start() {
    planted_watch site
    come_up site c
}
wave_held() {                           # SYNCS: files for inbox/a that one look finds; their wave waits after so many syncs
    mkdir -p new
    rm -f hold.held
    for i in $(seq $((n + 1)) $((n + 20))); do rows "$i" "$i" > "new/$i.csv"; done
    n=$((n + 20))
    kill -STOP "$watcher"
    echo "$1" > hold
    together a
    wait_for 60 test -e hold.held
}
go_on() { rm hold; }
outputs_of() { ls "site/outbox/$1" | wc -l; }
all_of() { [ "$(outputs_of "$1")" = "$2" ]; }
children() { cat "/proc/$watcher/task/$watcher/children"; }

{ flow a; flow b; flow c; } | small_site site
mkdir -p site/inbox/a site/inbox/b site/inbox/c site/outbox/a site/outbox/b
start
wave_held 0
rows 1 3 > .new && mv .new site/inbox/b/b.csv
check "a file of another flow overtakes a wave that waits for the disk" wait_for 60 test -f site/outbox/b/b.csv
check "which cannot go on" all_of a 0
go_on
check "and comes" wait_for 60 all_of a $n

for syncs in 0 1 2 3 4 5; do            # folders, claims, acceptance, outputs, waybills, publication
    wave_held $syncs
    for child in $(children); do kill -KILL "$child"; done
    go_on
    check "workers and who waits for the disk are killed at sync $syncs: the wave goes on" wait_for 60 all_of a $n
done
for syncs in 0 1 2 3 4 5; do
    wave_held $syncs
    kill -KILL "$watcher"
    wait "$watcher" 2> /dev/null
    go_on
    run site
    check "the watcher is killed at sync $syncs: the next run goes on" is "0 $n" "$code $(outputs_of a)"
    start
done
for syncs in 0 2 4; do
    wave_held $syncs
    kill -TERM "$watcher"
    sleep 0.1
    go_on
    stop
    check "it is told to end at sync $syncs: it ends well" is 0 "$code"
    start
done
check "what was left comes" wait_for 60 all_of a $n
stop
run site
check "each file ended once" is "0 $n 1 $((n + 1 + ups)) 0" "$code $(outputs_of a) $(outputs_of b) $(archived site) $(in_error site)"
check "nobody blames the disk" not_said watch.log SYS_
check "fsck finds nothing" sound site
finish
