#!/bin/sh
# t32-two-thousand - two thousand files at once; the watcher is ended in between, once kindly and once not
#
# Without fsync: what a killed program leaves behind is the same, and two thousand times sixteen of them take a while.
. "$(dirname "$0")/lib.sh"
n=2000
bad=100

flow rows name copy '{batch}_{file}' | small_site site
mkdir -p site/inbox/rows site/outbox/rows drops
awk -v n=$n -v bad=$bad 'BEGIN {
    for (i = 1; i <= n; i++) {
        f = sprintf("drops/f%04d.csv", i)
        print "Id;Qty" > f
        for (k = 1; k <= 9; k++) print i "." k ";" k > f
        if (i % (n / bad) == 0) print "\"never closed;1" > f        # the whole file is refused
        else print i ".end;10" > f
        close(f)
    }
}'
visible() { find site/outbox/rows -type f | wc -l; }

# Looks at all that is visible, again and again: each file has its eleven lines and its last one.
(while [ ! -f over ]; do
    find site/outbox/rows -type f -exec awk '
        FNR == 1 { if (NR > 1 && (last != 11 || row !~ /\.end;10$/)) print "partial: " file; file = FILENAME }
        { last = FNR; row = $0 }
        END { if (NR && (last != 11 || row !~ /\.end;10$/)) print "partial: " file }' {} + >> partial
    echo >> looks
    sleep 0.1
done) &
started="$started $!"
poller=$!

watch site --no-fsync
mv drops/* site/inbox/rows/
wait_for 300 eval '[ $(visible) -ge 200 ]'
stop TERM
check "TERM amid two thousand files: exit code 0" is 0 "$code"
first=$(visible)
[ "$first" -lt 1900 ] || echo "# all was done before the first restart"
watch site --no-fsync
wait_for 300 eval '[ $(visible) -ge $((first + 300)) ]'
stop KILL
second=$(visible)
[ "$second" -lt 1900 ] || echo "# all was done before the second restart"
watch site --no-fsync
wait_for 300 eval '[ $(ended site) -ge $n ]'
check "every file ends" is $n "$(ended site)"
stop TERM
: > over
wait $poller

check "$((n - bad)) outputs and $bad refused files: none lost" is "$((n - bad)) $bad" "$(visible) $(in_error site)"
check "none doubled" is "" "$(find site/outbox/rows -type f | sed 's/.*_f/f/' | sort | uniq -d)"
check "each is the output of its own file" is "" "$(find site/outbox/rows -type f -exec awk '
    FNR == 2 { i = FILENAME; sub(/.*_f0*/, "", i); sub(/\.csv/, "", i); if (index($0, i ".1;") != 1) print FILENAME ": " $0 }' {} +)"
check "the refused ones are whole" is $bad "$(find site/error -name 'f*.csv' -exec grep -lx '"never closed;1' {} + | wc -l)"
check "nothing partial was seen in $(wc -l < looks) looks" is "" "$(cat partial)"
check "nothing is left in hand" is "" "$(find site/inbox site/.waybill/work site/.waybill/claim site/.waybill/tmp -mindepth 2 -type f)"
cp -R site again
run again --no-fsync
check "starting once more changes nothing" is "0 $n" "$code $(ended again)"
finish
