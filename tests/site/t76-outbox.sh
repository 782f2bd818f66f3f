#!/bin/sh
# t76-outbox.sh PROGRAM - an outbox that people remove, move away or replace under a watcher: what comes goes where its name leads
. "$(dirname "$0")/lib.sh"

flow files | retry 300ms | small_site site
mkdir -p site/inbox/files
out=site/outbox/files
come() { rows "$1" "$1" > .new && mv .new "site/inbox/files/f$1.csv"; }      # N
watch site
come 1
check "the watcher works" wait_for 60 test -f $out/f1.csv
mv $out away && mkdir $out
come 2
check "moved away, and a new one in its place: that gets it" wait_for 60 test -f $out/f2.csv
check "not the one that is gone" is f1.csv "$(ls away)"
rm -r $out
come 3
check "removed: it is made again" wait_for 60 test -f $out/f3.csv
rm -r $out && : > $out
come 4
wait_for 60 grep -q 'event=retry.*file=f4.csv' watch.log
rm $out && mkdir $out
check "a plain file for a while: then it comes" wait_for 60 test -f $out/f4.csv
come 5
check "and what comes after it" wait_for 60 test -f $out/f5.csv
if other=$(mktemp -d /dev/shm/waybill.XXXXXX 2> /dev/null) && [ "$(stat -c %d "$other")" != "$(stat -c %d site)" ]; then
    mv $out kept && ln -s "$other" $out
    come 6
    wait_for 60 grep -q 'event=retry.*file=f6.csv' watch.log
    check "on another file system for a while: it is told" said watch.log SPOOL_OTHER_FS
    rm $out && mv kept $out
    rm -r "$other"
else
    come 6
fi
check "then it comes" wait_for 60 test -f $out/f6.csv
wait_for 60 idle site
stop
check "each once" is "f4.csv f5.csv f6.csv 6" "$(ls $out | xargs) $(archived site)"
check "fsck finds nothing" sound site

# Some of its messages are refused, and something else holds it up: `status` says both, and lists it once.
printf 'Id;Qty\n7;1\n8;x\n' > .new && mv .new site/inbox/files/f7.csv
rm -r $out && : > $out
run site
"$prog" status site > status.out
check "status: refused messages do not hide what a batch waits for" said status.out '1 of 2 messages refused, again at' ': SYS_'
rm $out
for year in site/archive/2???; do mv "$year" kept-year && : > "$year"; done
sleep 0.4
run site
"$prog" status site > status.out
check "status: a batch whose refused messages lie in error/ already is listed once" is "1 1" \
    "$(grep -c 'f7.csv' status.out) $(grep -c 'delivered .*refused, again at' status.out)"
rm "$year" && mv kept-year "$year"
sleep 0.4
run site
check "and it ends" is 0 "$(ls site/.waybill/work | wc -l)"
check "fsck finds nothing then" sound site

# A folder that a batch goes to at its end lies on another mount: told at the start, before anything is taken.
{ flow files | sed 's/^    on yes/&\n    reply "outbox\/answers"/'; } | small_site away2
mkdir -p away2/inbox/files away2/outbox/answers away2/archive away2/error
rows 1 1 > away2/inbox/files/a.csv
unshared=-m
[ "$(id -u)" = 0 ] || unshared=-Urm
mounted() {                             # FOLDER: a run while it is a mount of its own
    unshare $unshared sh -c 'mount --bind "$2" "$2" && exec "$1" run away2' sh "$prog" "away2/$1" > run.log 2>&1 < /dev/null
    code=$?
}
if unshare $unshared sh -c 'mount --bind . "$1"' sh "$tmp" 2> /dev/null; then
    for folder in archive error .waybill/work; do
        mkdir -p "away2/$folder"
        mounted $folder
        check "$folder on another mount: the site does not start" eval 'is 5 $code && said run.log SPOOL_OTHER_FS $folder "under one mount point"'
    done
    check "nothing was taken" test -f away2/inbox/files/a.csv
    mounted outbox/answers
    check "a reply folder there is told" eval 'is 0 $code && said run.log SPOOL_OTHER_FS outbox/answers .waybill/replies'
    check "and files go through" test -f away2/outbox/files/a.csv
    cp away2/site.conf with.conf && sed -i '/reply/d' away2/site.conf
    unshare $unshared sh -c 'mount --bind "$2" "$2" && exec "$1" watch away2' sh "$prog" away2/outbox/answers 2> reload.log < /dev/null &
    watcher=$!
    started="$started $watcher"
    wait_for 60 watching away2
    cp with.conf away2/site.conf && kill -HUP "$watcher"
    check "and so it is when a reload brings it" wait_for 60 grep -q 'SPOOL_OTHER_FS.*outbox/answers' reload.log
    stop
fi
finish
