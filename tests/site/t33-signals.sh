#!/bin/sh
# t33-signals - HUP reads the site anew or keeps the old one, TERM ends in time, a second watcher is refused
. "$(dirname "$0")/lib.sh"

reloaded() { [ "$(grep -c event=reloaded watch.log)" -ge "$1" ]; }     # N: so often
give() { mkdir -p "site/inbox/$1" && rows 1 2 > .drop && echo "$2;1" >> .drop && mv .drop "site/inbox/$1/$2.csv"; }        # FLOW NAME: a drop
out() { [ -f "site/outbox/$1" ]; }
flow one | small_site site
watch site
give one a
check "the watcher works" wait_for 60 out one/a.csv

# A second one.
for verb in watch run; do
    timeout 60 "$prog" $verb site > second.out 2> second.err < /dev/null
    check "a second $verb: exit code 5" is 5 $?
    check "a second $verb: SITE_BUSY names the holder" said second.err SITE_BUSY "$watcher"
done
timeout 60 "$prog" do --dir site one convert > second.out 2> second.err < /dev/null
check "do beside a watcher: the watcher answers" is "0 0 there was nothing to do: no file is ready in inbox/one" "$? $(grep -c SITE_BUSY second.err) $(cat second.out)"
check "status may look at any time" is "$watcher" "$("$prog" status --json site | json process)"

# HUP.
{ cat site/site.conf; flow two; } > next && mv next site/site.conf
kill -HUP "$watcher"
check "HUP: the inbox of a new flow is there" wait_for 60 test -d site/inbox/two
give two b
check "HUP: the new flow works" wait_for 60 out two/b.csv
give one c
check "HUP: the old one too" wait_for 60 out one/c.csv
cp site/site.conf good
sed 's/take inbox  "inbox\/two"/take inbx "inbox\/two"/; s/map copy/map kopy/' good > site/site.conf
kill -HUP "$watcher"
check "HUP with a wrong site.conf is told" wait_for 60 grep -q SITE_KEPT watch.log
check "with the problem, its place and what would be right" said watch.log CONF_WORD line=1 kopy
give two d
check "the site goes on as it was" wait_for 60 out two/d.csv
cp site/mappings/copy.map copy.map
echo 'nonsense here' >> site/mappings/copy.map
cp good site/site.conf
kill -HUP "$watcher"
check "HUP with a wrong mapping is told" wait_for 60 eval '[ $(grep -c SITE_KEPT watch.log) = 2 ]'
give one e
check "the old mapping goes on" wait_for 60 out one/e.csv
sed 's/Id  <=> Id/upper(Id) => Id/' copy.map > site/mappings/copy.map
sed -i 's/rows <=> rows/rows => rows/; s/Row <=> Row/Row => Row/; s/Qty <=> Qty/Qty => Qty/' site/mappings/copy.map
kill -HUP "$watcher"
wait_for 60 reloaded 2
give one small
check "HUP with a mended mapping takes the new one" wait_for 60 grep -qs 'SMALL;1' site/outbox/one/small.csv
flow one | cat - good | sed '1,/^}/d' | sed -n '1,/^}/p' > site/site.conf
kill -HUP "$watcher"
check "each new state of the site is told" wait_for 60 reloaded 3
give two late
sleep 0.3
check "a flow that is taken out takes nothing more" test -f site/inbox/two/late.csv

# TERM.
rows 1 200000 > .big && mv .big site/inbox/one/big.csv
wait_for 60 grep -q 'event=accepted.*file=big.csv' watch.log
begin=$(date +%s%N)
stop TERM
took=$((($(date +%s%N) - begin) / 1000000))
check "TERM with a file in hand: exit code 0" is 0 "$code"
[ $took -lt 30000 ]
result $? "TERM: in good time ($took ms; jobs may go on for 4 s)"
check "TERM: nobody holds the site any more" is false "$("$prog" status --json site | json watched)"
workers() { for p in /proc/[0-9]*; do [ "$(readlink "$p/cwd" 2> /dev/null)" = "$tmp" ] && [ "$(readlink "$p/exe")" = "$prog" ] && echo "$p"; done; }
check "TERM: no worker stays behind" wait_for 60 eval '[ -z "$(workers)" ]'
run site
check "the next start goes on: the file in hand comes out once" is "0 200001" "$code $(wc -l < site/outbox/one/big.csv)"
finish
