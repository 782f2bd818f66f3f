#!/bin/sh
# t57-backup.sh PROGRAM - a copy of a site whose watcher was frozen for a moment goes on: nothing lost, nothing doubled
. "$(dirname "$0")/lib.sh"

small_site site << 'END'
sequence numbers
flow rows {
    on yes
    operation convert {
        take inbox  "inbox/rows" ready name
        give outbox "outbox/rows" name "{file}" map numbered
    }
}
END
sed -i 's/Qty decimal/Qty decimal\n    No integer/' site/mappings/rows.format
printf 'mapping rows => rows\n\nRow => Row {\n    Id               => Id\n    Qty              => Qty\n    next("numbers")  => No\n}\n' > site/mappings/numbered.map
mkdir -p site/inbox/rows
"$prog" check site > check.log 2>&1 || cat check.log

# The commands of the README, for one process: freeze, copy what changed since the first copy, go on.
backup() {                              # TO
    cp -a site "$1"                     # the bulk, while all goes on: may be torn
    ls dropped > "$1.before"
    kill -STOP "$watcher"
    if command -v rsync > /dev/null; then
        rsync -a --delete --modify-window=-1 site/ "$1"/
    else
        rm -rf "$1" && cp -a site "$1"
    fi
    kill -CONT "$watcher"
}
mkdir dropped
watch site
(i=0
while [ $i -lt 400 ]; do
    i=$((i + 1))
    { echo 'Id;Qty;No'; echo "f$i;1;"; echo "f$i-2;2;"; } > .drop
    mv .drop site/inbox/rows/f$i.csv
    : > dropped/f$i.csv
    [ $((i % 10)) != 0 ] || sleep 0.1
done) &
dropper=$!
started="$started $dropper"
n=0
while [ $n -lt 8 ]; do
    sleep 0.4
    backup "copy$n" 2> /dev/null
    n=$((n + 1))
done
wait $dropper
wait_for 300 eval '[ "$(archived site)" = 400 ]'
stop

# Each copy is a site of its own: what lay there goes on.
faults=0
moments=''
n=0
while [ $n -lt 8 ]; do
    c=copy$n
    work=$(ls "$c/.waybill/work" | wc -l)
    moments="$moments $(ls "$c/inbox/rows" | wc -l)+$(ls "$c/.waybill/claim" | wc -l)+$work+$(archived "$c")"
    # all that was there when it was frozen, by the one place that says so
    run "$c" -q -n
    sound "$c" || { echo "# $c: fsck"; faults=$((faults + 1)); }
    while read -r f; do
        [ -f "$c/outbox/rows/$f" ] || { echo "# $c: $f is lost"; faults=$((faults + 1)); }
    done < "$c.before"
    [ "$(archived "$c")" = "$(ls "$c/outbox/rows" | wc -l)" ] || { echo "# $c: $(archived "$c") archived, $(ls "$c/outbox/rows" | wc -l) outputs"; faults=$((faults + 1)); }
    [ "$(in_error "$c")" = 0 ] || { echo "# $c: something in error/"; faults=$((faults + 1)); }
    twice=$(cat "$c"/outbox/rows/* | grep -v '^Id' | cut -d';' -f3 | sort | uniq -d | head -3)
    [ -z "$twice" ] || { echo "# $c: numbers given twice: $twice"; faults=$((faults + 1)); }
    twice=$(cat "$c"/outbox/rows/* | grep -v '^Id' | cut -d';' -f1 | sort | uniq -d | head -3)
    [ -z "$twice" ] || { echo "# $c: messages twice: $twice"; faults=$((faults + 1)); }
    n=$((n + 1))
done
echo "# inbox+claimed+work+archived when it was frozen:$moments"
check "eight copies: each file once, no number twice, fsck good" is 0 $faults
check "the site itself has all of them" is 400 "$(ls site/outbox/rows | wc -l)"

# What is derived comes again from the waybills alone.
links() { (cd copy0/.waybill/seen && find . -type l -printf '%P %l\n' | sort); }
echo rubbish > copy0/inbox/rows/bad.csv
run copy0 -q -n
echo rubbish > copy0/inbox/rows/bad-again.csv
run copy0 -q -n
check "what was refused as a whole may come again" is 0 "$(grep -c DUP_CONTENT run.log)"
"$prog" fsck --reindex copy0 > /dev/null 2>&1       # what was refused as a whole is forgotten
links > seen.before
rm -rf copy0/.waybill/seen
"$prog" fsck --reindex copy0 > reindex.out 2> reindex.err
check "fsck --reindex: exit code 0" is 0 $?
links > seen.after
check "what was seen is as it was" same seen.before seen.after
check "it says how much" said reindex.err "$(wc -l < seen.before) contents entered anew"
mkdir -p copy0/.waybill/seen/content/ff
ln -s 20200101-000000-1-1 copy0/.waybill/seen/content/ff/00
"$prog" fsck --reindex copy0 > reindex.out 2> reindex.err
links > seen.after
check "an entry of a batch that never was goes" eval 'same seen.before seen.after && said reindex.err "0 contents entered anew, 1 stale"'
f=$(head -1 copy0.before)
{ echo 'Id;Qty;No'; echo "${f%.csv};1;"; echo "${f%.csv}-2;2;"; } > "copy0/inbox/rows/$f"
run copy0 -q -n
check "a file that was taken before is told to be" eval 'grep -l DUP_CONTENT copy0/error/*/*.waybill.json | xargs grep -qF "\"$f\""'
watch copy0
"$prog" fsck --reindex copy0 > reindex.out 2> reindex.err
code=$?
check "not while somebody works on the site: exit code 5" eval 'is 5 $code && said reindex.err SITE_BUSY'
stop
finish
