#!/bin/sh
# t95-duplicates.sh PROGRAM - `duplicates key`: what was finished before is refused or told, across files and runs, whatever its
# key looks like and however many messages a file has
. "$(dirname "$0")/lib.sh"

# Rows with the key Id; the policy of the flow is what is asked for.
keyed_site() {                          # POLICY
    flow plain name keyed | sed "s|^    on yes|&\n    duplicates key $1|" | small_site site
    sed -i 's/^message Row {/message Row key Id {/' site/mappings/rows.format
    printf 'mapping rows => rows\n\nRow => Row {\n    Id => Id\n    Qty => Qty\n}\n' > site/mappings/keyed.map
    mkdir -p site/inbox/plain
}
rows_of() { printf 'Id;Qty\n'; printf '%s;1\n' "$@"; }
do_file() { cp "$1" site/inbox/plain && run site -q; }          # FILE
refused() { find site/error -name "$1" -exec cat {} + | grep -vc '^Id'; }
records() { grep -c "\"outcome\":\"$1\"" site/.waybill/ledger/plain.ledger; }

keyed_site reject
rows_of 1 2 > a.csv && do_file a.csv
rows_of 2 3 > b.csv && do_file b.csv
check "a key of an earlier file is refused" is "2;1" "$(grep -v Id site/error/*/b.csv)"
check "the message names the earlier one" said run.log "b.csv:2:1: error: message 1: the key 2 came before, in batch" "message 2 [DUP_KEY]"
check "the other messages go on" is "3;1" "$(grep -v Id site/outbox/plain/b.csv)"
rows_of 3 4 > c.csv && rows_of 4 5 > d.csv && cp c.csv d.csv site/inbox/plain && run site -q
check "of files that come together the later one is refused" is "1 1" "$(refused c.csv) $(refused d.csv)"
rows_of 2 > e.csv && do_file e.csv
check "what was refused is no earlier one" is "1 0" "$(refused e.csv) $(grep -c b.csv run.log)"

# Each of its control characters takes six bytes in the ledger; what comes behind it is found as well.
awk 'BEGIN { printf "Id;Qty\n\""; for (i = 0; i < 200000; i++) printf "\001\"\""; print "\";1\n6;1" }' > long.csv && do_file long.csv
rows_of 7 > f.csv && do_file f.csv
check "a long key comes through" test -f site/outbox/plain/long.csv
sed 's/^6;/8;/' long.csv > again.csv && do_file again.csv
check "and is found again" said run.log "again.csv:2:1" DUP_KEY
rows_of 6 7 > g.csv && do_file g.csv
check "so is what came behind it" is 2 "$(refused g.csv)"

# More records than the ledger takes at a time.
awk 'BEGIN { print "Id;Qty"; for (i = 0; i < 20000; i++) print "many-" i ";1" }' > many.csv && do_file many.csv
check "all of many messages are in the ledger" is 20000 "$(grep -c '"many-' site/.waybill/ledger/plain.ledger)"
rows_of many-0 many-10000 many-19999 many-20000 > h.csv && do_file h.csv
check "each of them is found" is 3 "$(refused h.csv)"
"$prog" fsck site > fsck.out 2>&1
check "fsck finds the ledger in order" said fsck.out "all good"

# A line that a lookup cannot read: the file waits, and is no new one.
{ rows_of 2; echo '9;1'; } > i.csv && cp i.csv site/inbox/plain
LD_PRELOAD=$tools/libfault.so FAULT_SITE=$tmp/site FAULT_LOG=$tmp/faults FAULT_UNFOUND=1 \
    ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0" run site -q
check "a line of the ledger that cannot be read is a fault of the system" said faults "unfound 1 worker"
check "nothing comes of the file then" eval 'is 5 $code && [ ! -e site/outbox/plain/i.csv ]'
"$prog" retry --dir site "$(open_ids site)" > retry.out 2>&1
check "once it can be read the key is found" eval 'run site -q; is 1 "$(refused i.csv)"'
check "and the other message goes on" is "9;1" "$(grep -v Id site/outbox/plain/i.csv)"

# A write to the ledger that a kill broke off.
printf '12345678 0123' >> site/.waybill/ledger/plain.ledger
rows_of 2 11 > j.csv && do_file j.csv
check "what was broken off is cut, which is told" said run.log LEDGER_TORN site/.waybill/ledger/plain.ledger '13 bytes'
check "and set aside" is '12345678 0123' "$(cat site/.waybill/ledger/plain.ledger.torn)"
check "keys are found all the same" is 1 "$(refused j.csv)"
"$prog" fsck site > fsck.out 2>&1
code=$?
check "fsck names it, and finds nothing wrong" eval 'is 0 $code && said fsck.out LEDGER_TORN plain.ledger.torn "all good"'

rm -rf site
keyed_site warn
do_file a.csv
do_file b.csv
check "with warn it is told" said run.log "warning: message 1: the key 2 came before" DUP_KEY
check "and delivered" is "2 3" "$(grep -v Id site/outbox/plain/b.csv | cut -d';' -f1 | xargs)"
check "nothing is refused" is 0 "$(in_error site)"
check "the ledger has both" is 4 "$(records done)"

# A file of which nothing was used lies whole in error/ and may come again as it is, once what it lacked is there.
flow lacking name asks "{batch}.csv" | small_site again
printf 'mapping rows => rows\ntable known key Id\nRow => Row {\n    require $known[Id] else wait UNKNOWN "{Id} is not known"\n    Id => Id\n    Qty => Qty\n}\n' > again/mappings/asks.map
mkdir -p again/inbox/lacking again/tables
printf 'syntax csv delimiter ";" header yes\nmessage Known key Id {\n    Id text\n}\n' > again/mappings/known.format
sed -i '2a table known "tables/known.csv" format known key Id' again/site.conf
printf 'Id\n1\n' > again/tables/known.csv
rows_of 2 3 > two.csv
come() { cp "$1" again/inbox/lacking/ && run again -q; }
come two.csv
come two.csv
check "refused as before, not as a duplicate" eval 'said run.log "2 is not known [UNKNOWN]" && not_said run.log DUP_CONTENT'
printf 'Id\n2\n' > again/tables/known.csv
come two.csv
check "a part of it goes through" is "2;1" "$(cat again/outbox/lacking/* | grep -v Id)"
come two.csv
check "then it is a duplicate" said run.log DUP_CONTENT
"$prog" fsck --reindex again > fsck.out 2>&1
come two.csv
check "also after the content keys were made anew" said run.log DUP_CONTENT
printf 'Id\n2\n3\n' > again/tables/known.csv
come "$(ls again/error/*/two.csv | xargs -n1 grep -L '^2' | head -1)"
check "what it left in error/ goes through by itself" is "3;1" "$(cat again/outbox/lacking/* | grep -v Id | tail -1)"
finish
