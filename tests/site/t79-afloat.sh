#!/bin/sh
# t79-afloat PROGRAM - small files go in waves, and what of them is afloat has a limit in bytes, not only in files
. "$(dirname "$0")/lib.sh"

flow files | small_site site
mkdir -p site/inbox/files
# 200 files of 200 KB, 40 MB, each with an Id that no other has.
n=200
long=$(printf '%010240d' 7)
for i in $(seq $n); do
    { echo 'Id;Qty'; for k in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do echo "$i-$long;$k"; done; } \
        > "site/inbox/files/f$i.csv"
done
run site --no-fsync
check "all come out and are archived" is "0 $n $n" "$code $(ls site/outbox/files | wc -l) $(archived site)"

# Accepted and not archived yet: two waves of 8 MiB, and the file that ends each.
bytes=$(stat -c %s site/outbox/files/f100.csv)
most=$(awk '/ event=accepted /{ n++ } / event=archived /{ n-- } n > most { most = n } END { print most + 0 }' run.log)
check "several at once ($most of $((bytes / 1024)) KB)" [ "$most" -gt 10 ]
check "never more than 16 MiB and a wave" [ $((most * bytes)) -le $((16 * 1048576 + 8 * 1048576 + 2 * bytes)) ]
finish
