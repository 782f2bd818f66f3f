#!/bin/sh
# t77-claims - what is claimed and cannot be accepted yet, requests on a shared site, workers that die over archives
. "$(dirname "$0")/lib.sh"

out() { [ -f "$1" ]; }
held() { [ -n "$(ls "$1/.waybill/claim" 2> /dev/null)" ]; }

# A sender goes on writing into a file that is taken: it stays claimed until it rests, and comes without a restart.
mkdir -p site/inbox/one
flow one | small_site site
watch site
rows 1 2000000 > big.csv
exec 7>> big.csv
mv big.csv site/inbox/one/big.csv
i=0
while [ $i -lt 150 ]; do
    echo "x$i;1" >&7
    i=$((i + 1))
    sleep 0.02
done
exec 7>&-
check "a file that grows while it is taken waits in its claim" held site
check "and comes when it has come to rest" wait_for 60 out site/outbox/one/big.csv
wait_for 60 eval '[ "$(archived site)" = 1 ]'
check "whole, once" is "1 2000151 $((i - 1))" \
    "$(archived site) $(wc -l < site/outbox/one/big.csv) $(sed -n '$s/x\(.*\);1/\1/p' site/outbox/one/big.csv)"
stop

# Requests where no lock counts.
mkdir -p shared/inbox/one shared/inbox/new
{
    printf 'shared yes\nlimit lease 4000\n'
    flow one | sed 's/^        take/        manual\n&/'
    flow new | sed 's/^        take/        manual\n&/; s/ready name/ready name newest/'
} | small_site shared
rows 1 3 > shared/inbox/one/a.csv
"$prog" do --dir shared one convert > run.out 2> run.err < /dev/null
check "shared: what is asked for is done, and said to be" is "0 1" "$? $(archived shared)"
rows 1 3 > shared/inbox/new/old.csv
touch -d '1 minute ago' shared/inbox/new/old.csv
rows 4 6 > shared/inbox/new/new.csv
"$prog" do --dir shared new convert > run.out 2> run.err < /dev/null
check "shared: the newest too" is "0 new.csv" "$? $(ls shared/outbox/new)"
check "fsck finds it in order" sound shared

# The worker that makes the archives of a wave dies: they are made all the same, once.
rm -rf site
mkdir -p site/inbox/one
flow one | small_site site
watch site
i=0
while [ $i -lt 400 ]; do
    { rows 1 3; echo "f$i;1"; } > .part
    mv .part "site/inbox/one/f$i.csv"
    i=$((i + 1))
    [ $((i % 20)) != 0 ] || pkill -KILL -P "$watcher" 2> /dev/null
done
check "workers that are killed all the time: every file comes" wait_for 120 has site/outbox/one 400
check "and is archived" wait_for 120 eval '[ "$(archived site)" = 400 ]'
stop
check "once each" is "400 0 0" "$(ls site/outbox/one | wc -l) $(in_error site) $(ls site/.waybill/work | wc -l)"
check "fsck finds it in order" sound site
finish
