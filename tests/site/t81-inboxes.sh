#!/bin/sh
# t81-inboxes.sh PROGRAM - an inbox that is no folder, or not there, holds up no other: at start, in a run, after a reload
. "$(dirname "$0")/lib.sh"
umask 077

made() {
    rm -rf site
    mkdir -p site/inbox/one site/inbox/two
    { flow one; flow two; flow new | sed 's/ready name/ready name newest/'; } | small_site site
}
put() { rows "$2" "$3" > .part && mv .part "$1"; }       # FILE FIRST LAST
came() { [ -f "site/outbox/$1" ]; }
# What stands where inbox/two belongs.
file_put() { rmdir site/inbox/two && echo plain > site/inbox/two; }
link_put() { rmdir site/inbox/two && ln -s ../nowhere site/inbox/two; }
gone() { rm site/inbox/two; }

for how in file link; do
    case $how in file) is='site/inbox/two is a file' ;; link) is='which cannot be reached' ;; esac
    made
    ${how}_put
    put site/inbox/one/a.csv 1 3
    run site
    check "$how, run: the other inboxes are served, the exit code tells" is "5 a.csv" "$code $(ls site/outbox/one)"
    check "$how, run: it is told with what would be right" said run.log "inbox/two" "${is#site/}" 'or name another folder in `take inbox`'
    planted_watch site
    put site/inbox/one/b.csv 4 6
    check "$how, watch: they are served, too" wait_for 60 came one/b.csv
    gone
    mkdir site/inbox/two
    put site/inbox/two/c.csv 7 9
    check "$how: mended, it is found again" in_time came two/c.csv
    stop
    check "$how: the watcher ends well" is 0 "$code"
done

made
planted_watch site
file_put
kill -HUP "$watcher"
wait_for 60 grep -q event=reloaded watch.log
put site/inbox/one/d.csv 1 3
check "after a reload: the others are served" wait_for 60 came one/d.csv
gone
mkdir site/inbox/two
put site/inbox/two/e.csv 4 6
check "and it, when it is mended" in_time came two/e.csv
stop
check "the watcher goes on until it is told to end" is 0 "$code"
check "fsck finds it in order" sound site
finish
