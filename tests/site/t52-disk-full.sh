#!/bin/sh
# t52-disk-full.sh PROGRAM - a nearly full disk: files stay in the inbox, told once; with room again all goes on
. "$(dirname "$0")/lib.sh"

disk=$tmp/disk
mounted=''
unmount() { umount "$disk/site/metrics" "$disk/site/.waybill/ledger" 2> /dev/null; [ -z "$mounted" ] || umount "$disk" 2> /dev/null || umount -l "$disk"; }
trap 'for p in $started; do kill -KILL "$p" 2> /dev/null; done; unmount; clean' EXIT
mkdir "$disk"
mount -t tmpfs -o size=24m,nr_inodes=4000,mode=700 none "$disk" 2> /dev/null && mounted=yes
if [ -z "$mounted" ]; then
    [ "${WAYBILL_UNSHARED:-}" ] || { WAYBILL_UNSHARED=1 unshare -Urm "$0" "$prog" 2> /dev/null && exit 0; }
    echo "ok # skip: nothing can be mounted here"
    exit 0
fi
flows() { { echo "$1"; flow rows | retry 1h; } | small_site "$disk/site"; }         # LINES
fill() { dd if=/dev/zero of="$disk/fill" bs=1k count=$(($(df -k --output=avail "$disk" | tail -1) - $1)) 2> /dev/null; }   # KIB left

# The mark is a tenth of a disk as small as this: 2.4 MB of 24.
flows 'limit ballast 2097152'
mkdir -p "$disk/site/inbox/rows"
watch "$disk/site"
check "a ballast file is laid" wait_for 60 eval '[ "$(stat -c %s "$disk/site/.waybill/reserve" 2> /dev/null)" = 2097152 ]'
fill 2000
rows 1 100 > "$disk/.a" && mv "$disk/.a" "$disk/site/inbox/rows/a.csv"
check "too little room is told" wait_for 60 grep -q 'code=DISK_RESERVE' watch.log
check "in a measure that shows it" said watch.log "KiB are free and 2457 KiB are needed"
sleep 7
check "once" is 1 "$(grep -c 'code=DISK_RESERVE' watch.log)"
check "the file stays in the inbox" test -f "$disk/site/inbox/rows/a.csv"
check "and the watcher rests" eval '[ "$(awk "{ print \$14 + \$15 }" /proc/$watcher/stat)" -lt 30 ]'
rm "$disk/fill"
check "with room it is taken by itself" wait_for 60 test -f "$disk/site/outbox/rows/a.csv"
check "which is told" said watch.log "event=room"
check "nothing went to error/" is 0 "$(in_error "$disk/site")"

# Room enough to take a file, not to finish it: the ballast goes, and what was taken is finished later.
wait_for 60 eval '[ "$(archived "$disk/site")" = 1 ]'
stop
flows 'limit disk-reserve 1
limit ballast 1048576
flow wide {
    on yes
    retry 1h
    operation convert {
        take inbox  "inbox/wide" ready name
        give outbox "outbox/wide" name "{file}.xml" map to-items
    }
}'
mkdir -p "$disk/site/inbox/wide"
rm -f "$disk/site/.waybill/reserve"
watch "$disk/site"
rows 1 40000 > big
fill 1700
cp big "$disk/site/inbox/wide/.big" && mv "$disk/site/inbox/wide/.big" "$disk/site/inbox/wide/big.csv"
check "the disk runs full: the ballast is given up" wait_for 60 grep -q 'event=ballast' watch.log
check "its file is gone" test ! -e "$disk/site/.waybill/reserve"
rows 1 3 > "$disk/.c" && mv "$disk/.c" "$disk/site/inbox/rows/c.csv"
sleep 1
check "the input is safe" eval 'find "$disk/site/.waybill" "$disk/site/inbox/wide" -type f \( -name in -o -name big.csv \) -exec cmp -s {} big \; -print | grep -q .'
check "nothing half-made is visible" eval '[ -z "$(ls "$disk/site/outbox/wide" 2> /dev/null)" ]'
check "and nothing more is taken" test -f "$disk/site/inbox/rows/c.csv"
rm "$disk/fill"
check "with room it is finished, long before its retry" wait_for 60 test -f "$disk/site/outbox/wide/big.csv.xml"
check "whole" is 40000 "$(grep -o "<Item id=" "$disk/site/outbox/wide/big.csv.xml" | wc -l)"
check "the other as well" wait_for 60 test -f "$disk/site/outbox/rows/c.csv"
check "and a new ballast laid" wait_for 60 test -f "$disk/site/.waybill/reserve"
wait_for 60 eval '[ "$(archived "$disk/site")" = 3 ]'
stop
check "fsck: all good" sound "$disk/site"

# Another disk that is full holds nothing up.
mkdir "$disk/site/metrics" && mount -t tmpfs -o size=4k none "$disk/site/metrics" && echo x > "$disk/site/metrics/x"
flows 'metrics "metrics/waybill.prom"'
rows 1 7 > "$disk/site/inbox/rows/other.csv"
watch "$disk/site"
check "another disk is full: the files go on" wait_for 60 test -f "$disk/site/outbox/rows/other.csv"
stop
rows 1 8 > "$disk/site/inbox/rows/other2.csv"
run "$disk/site"
check "which is told" said run.log SYS_FULL
check "and these as well" test -f "$disk/site/outbox/rows/other2.csv"
umount "$disk/site/metrics"

# The ledger's own disk is full: what it did not take is entered once, by the same watcher.
rm "$disk/site/.waybill/ledger"/* && mount -t tmpfs -o size=4k none "$disk/site/.waybill/ledger"
dd if=/dev/zero of="$disk/site/.waybill/ledger/fill" bs=4k count=1 2> /dev/null
flows ''
sed -i 's/retry 1h/retry 1s/' "$disk/site/site.conf"
rows 1 9 > "$disk/site/inbox/rows/entered.csv"
watch "$disk/site"
check "the ledger is full: the file comes out, what follows waits" wait_for 60 eval 'test -f "$disk/site/outbox/rows/entered.csv" && grep -q "event=retry.*entered.csv" watch.log'
rm "$disk/site/.waybill/ledger/fill"
wait_for 60 grep -q 'event=archived.*entered.csv' watch.log
stop
check "with room it is entered once" is 1 "$(wc -l < "$disk/site/.waybill/ledger/rows.ledger")"
umount "$disk/site/.waybill/ledger"

# A file too large for what is free does not hold up other inboxes; `run` tells by its exit code.
flows 'flow wide {
    on yes
    operation convert {
        take inbox  "inbox/wide" ready name
        give outbox "outbox/wide" name "{file}" map copy
    }
}'
rm -f "$disk/site/.waybill/reserve"
rows 1 150000 > big
fill 5000
cp big "$disk/site/inbox/wide/wide.csv"
rows 1 5 > "$disk/site/inbox/rows/small.csv"
run "$disk/site"
check "run: exit code 5 when something had to stay" is 5 "$code"
check "four times its size must be free" test -f "$disk/site/inbox/wide/wide.csv"
check "a small file of another flow goes its way" test -f "$disk/site/outbox/rows/small.csv"
check "it says what to do" said run.log DISK_RESERVE 'limit disk-reserve'

# No inode left for more.
rm -f "$disk/fill" "$disk/site/inbox/wide/wide.csv"
i=0
mkdir "$disk/many"
(cd "$disk/many" && seq 3850 | xargs touch 2> /dev/null)
rows 1 6 > "$disk/site/inbox/rows/inode.csv"
run "$disk/site"
check "too few inodes: it stays too" test -f "$disk/site/inbox/rows/inode.csv"
check "and that is told, with the setting that counts" said run.log "inodes are free and" 'limit inode-reserve N'
"$prog" health --run "$disk/site" > h.out 2> h.err
check "health tells that it is inodes, not bytes" said h.err HEALTH_DISK "inodes are free and"
rm -r "$disk/many"
run "$disk/site"
check "until there are some" test -f "$disk/site/outbox/rows/inode.csv"

# Full and free again, six times, while files keep coming: each ends once, and each refusal is answered.
umount "$disk" && mount -t tmpfs -o size=100m,nr_inodes=40000,mode=700 none "$disk"
flows 'limit disk-reserve 1
limit ballast 1048576'
sed -i 's|retry 1h|retry 2s 5s|; s|map copy|map to-items|; s|^    on yes|    on yes\n    reply "outbox/answers"|' "$disk/site/site.conf"
mkdir -p "$disk/site/inbox/rows" "$disk/in"
: > watch.log
watch "$disk/site"
full_or_done() { grep -q 'code=SYS_FULL' watch.log || all_done; }
all_done() { [ -z "$(ls "$disk/site/inbox/rows" "$disk/site/.waybill/work" "$disk/site/.waybill/claim" | grep -v :)" ]; }
n=0
cycle=0
while [ $cycle -lt 6 ]; do
    fill $((50 + cycle * 120))
    i=0
    while [ $i -lt 8 ]; do
        n=$((n + 1)) i=$((i + 1))
        if { rows $((n * 10)) $((n * 10 + n * 97 % 7000)); [ $((n % 5)) != 0 ] || echo "$n;y"; } > "$disk/in/f$n" 2> /dev/null; then
            mv "$disk/in/f$n" "$disk/site/inbox/rows/f$n.csv"
        else
            rm "$disk/in/f$n" && n=$((n - 1))
        fi
    done
    sleep 1
    wait_for 60 full_or_done
    rm "$disk/fill"
    sleep 0.3
    cycle=$((cycle + 1))
done
check "the disk was full" grep -q 'code=SYS_FULL' watch.log
check "all is done" wait_for 60 all_done
stop
check "every file ended once" is "$n" "$(cat "$disk"/site/archive/*/*/*/*.waybill.json "$disk"/site/error/*/*.waybill.json | grep -o '"name":"f[0-9]*.csv"' | sort -u | wc -l)"
check "one output for each that was not refused whole" is "$(archived "$disk/site")" "$(ls "$disk/site/outbox/rows" | wc -l)"
check "one answer for each refusal" is "$(in_error "$disk/site") 0" "$(ls "$disk/site/outbox/answers" | wc -l) $(ls "$disk/site/.waybill/replies" | wc -l)"
check "fsck: all good" sound "$disk/site"
finish
