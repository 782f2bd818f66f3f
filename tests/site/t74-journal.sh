#!/bin/sh
# t74-journal.sh PROGRAM - a site on ext4 without a journal is told of at the start, once; with one nothing is told
. "$(dirname "$0")/lib.sh"

mounted=''
trap 'for p in $started; do kill -KILL "$p" 2> /dev/null; done; for m in $mounted; do umount "$m" 2> /dev/null || umount -l "$m"; done; clean' EXIT
disk() {                                # NAME MKFS-OPTION...: an ext4 of its own
    name=$1
    shift
    truncate -s 16M "$name.img" && mkdir "$name" && mkfs.ext4 -q "$@" "$name.img" 2> /dev/null &&
        mount -o loop "$name.img" "$name" 2> /dev/null && mounted="$mounted $tmp/$name"
}
disk with && disk without -O ^has_journal || { echo "ok # skip: no ext4 can be mounted here"; exit 0; }
for d in with without; do
    flow rows | small_site $d/site
    mkdir -p $d/site/inbox/rows
done
run with/site
check "with its journal: nothing is told" is "0 0" "$code $(grep -c SPOOL_FS run.log)"
rows 1 1 > without/site/inbox/rows/a.csv
run without/site
check "without: told, and the site works" is "0 1 1" "$code $(grep -c 'warning.*ext4 without a journal.*SPOOL_FS' run.log) $(outputs without/site/outbox | wc -l)"
rm -f watch.log
watch without/site
rows 2 2 > .b && cp .b without/site/inbox/rows/.b && mv without/site/inbox/rows/.b without/site/inbox/rows/b.csv
wait_for 60 has without/site/outbox 2
kill -HUP "$watcher"
rows 3 3 > .c && cp .c without/site/inbox/rows/.c && mv without/site/inbox/rows/.c without/site/inbox/rows/c.csv
wait_for 60 has without/site/outbox 3
stop
check "a watcher tells it once" is "0 1" "$code $(grep -c SPOOL_FS watch.log)"
run without/site --no-fsync
check "who asks for no durable steps is not told" is "0 0" "$code $(grep -c SPOOL_FS run.log)"
finish
