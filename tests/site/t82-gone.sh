#!/bin/sh
# t82-gone.sh PROGRAM - folders of the site that are removed, moved and replaced while a watcher works: told, and healed
. "$(dirname "$0")/lib.sh"
umask 077

made() {
    rm -rf site kept watch.log
    mkdir -p site/inbox/one
    flow one | retry 1s | small_site site
    planted_watch site
    put a.csv 1 3
    wait_for 60 came a.csv
    wait_for 60 eval '[ "$(archived site)" = 1 ]'
}
put() { rows "$2" "$3" > .part && mv .part "site/inbox/one/$1"; }       # FILE FIRST LAST
came() { [ -f "site/outbox/one/$1" ]; }
told() { grep -q "$1" watch.log; }

for d in .waybill/work .waybill/claim .waybill/tmp error; do
    made
    mv "site/$d" kept && mkdir "site/$d"
    put b.csv 4 6
    check "$d is replaced: it is told" in_time told "SPOOL_GONE file=site/$d "
    put c.csv 7 9
    printf 'Id;Qty\nx;y\n' > .part && mv .part site/inbox/one/bad.csv
    check "$d is replaced: what comes then is delivered without a restart" wait_for 60 came c.csv
    check "and what is refused is set aside" wait_for 60 eval '[ -n "$(find site/error -name "bad*.csv" 2> /dev/null)" ]'
    stop
    run site
    check "$d: nothing is lost or doubled" is "0 a.csv b.csv bad.csv c.csv 4" "$code $(ls site/outbox/one | xargs) $(archived site)"
    check "$d: fsck finds it in order" sound site
done

made
mv site/.waybill/work kept
put b.csv 4 6
check "a folder that is missing is told, with what to do" in_time told 'SPOOL_GONE file=site/.waybill/work .*removed.*put it back'
mv kept site/.waybill/work
stop
run site
check "put back, all goes on" is "0 a.csv b.csv" "$code $(ls site/outbox/one | xargs)"

made
mv site/.waybill kept && mkdir site/.waybill
put b.csv 4 6
check "with .waybill goes the lock: the watcher ends" in_time gone "$watcher"
stop
check "and says so" is 5 "$code"
check "with what to do" told 'SPOOL_GONE'
rmdir site/.waybill 2> /dev/null || rm -rf site/.waybill
mv kept site/.waybill
run site
check "put back, nothing is lost" is "0 a.csv b.csv" "$code $(ls site/outbox/one | xargs)"

made
rm -rf site/.waybill/requests && echo plain > site/.waybill/requests
put b.csv 4 6
check "a file in the place of .waybill/requests stops no files" wait_for 60 came b.csv
stop
watch site
put c.csv 7 9
check "not at a start either" wait_for 60 came c.csv
stop

# A folder that cannot be used is named by its whole place, with what to do.
for d in work claim tmp; do
    mv "site/.waybill/$d" kept && echo plain > "site/.waybill/$d"
    "$prog" status site > out 2> err
    check "status: .waybill/$d is a file" is "5 1" "$? $(grep -c "^site/.waybill/$d: error: the folder cannot be opened: Not a dir" err)"
    check "and what would be right" said err 'move it away'
    rm "site/.waybill/$d" && mv kept "site/.waybill/$d"
done
watch site
rm -rf site/.waybill/seen && echo plain > site/.waybill/seen
put d.csv 10 12
check "what was seen cannot be looked up: the place is told" wait_for 60 told 'file=site/.waybill/seen/content/.. '
check "and the file waits" is 0 "$(ls site/outbox/one | grep -c d.csv)"
rm site/.waybill/seen
stop
run site
check "then it comes" is "0 1" "$code $(ls site/outbox/one | grep -c d.csv)"
finish
