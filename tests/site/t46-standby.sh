#!/bin/sh
# t46-standby - a second watcher stands by and takes over when the first ends or dies; between hosts by a lease
. "$(dirname "$0")/lib.sh"

give() { rows 1 3 > .drop && echo "$1;1" >> .drop && mv .drop "$2/inbox/one/$1.csv"; }     # NAME SITE
out() { [ -f "$1" ]; }
stand_by() { "$prog" watch --standby "$1" 2>> "$2" < /dev/null & second=$!; started="$started $second"; }     # SITE LOG
holds() { "$prog" status --json "$2" 2> /dev/null | "$tools/json" process | grep -qx "$1"; }       # PROCESS SITE

# One host.
mkdir -p site/inbox/one
flow one | small_site site
watch site
stand_by site second.log
check "the second one says that it stands by" wait_for 60 grep -q "event=standby.*$watcher" second.log
give a site
check "the first one works" wait_for 60 out site/outbox/one/a.csv
stop KILL
check "killed: the second one holds the site" wait_for 60 holds "$second" site
give b site
check "and works" wait_for 60 out site/outbox/one/b.csv
stand_by site third.log
third=$second
check "a third one stands by" wait_for 60 grep -q event=standby third.log
kill -TERM "$third"
check "TERM ends one that stands by" wait_for 60 gone "$third"
kill -TERM "$(head -n 1 site/.waybill/lock)"

# Two hosts that share the storage: no lock counts, only the lease.
mkdir -p site/inbox/one shared/inbox/one
small_site shared << END
shared yes
limit lease 4000
$(flow one)
END
watch shared
first=$watcher
give a shared
check "shared: the first host works" wait_for 60 out shared/outbox/one/a.csv
timeout 60 "$prog" run shared > busy.out 2> busy.err < /dev/null
check "shared: another one is answered SITE_BUSY" is "5 1" "$? $(grep -c SITE_BUSY busy.err)"
stand_by shared other.log
check "shared: another one stands by" wait_for 60 grep -q event=standby other.log
kill -STOP "$first"
check "paused: the other host takes over" wait_for 60 holds "$second" shared
give b shared
check "and works" wait_for 60 out shared/outbox/one/b.csv
kill -CONT "$first"
check "the paused one learns that it lost the site" wait_for 60 grep -q SITE_LOST watch.log
wait "$first"
check "and ends with exit code 5" is 5 $?
wait_for 60 eval '[ "$(archived shared)" = 2 ]'
check "nothing came twice" is 2 "$(archived shared)"
kill -TERM "$second"
wait "$second" 2> /dev/null
timeout 60 "$prog" run shared > run.out 2> run.log < /dev/null
check "a lease that was given back is free at once" is 0 $?
watch shared
give d shared
wait_for 60 out shared/outbox/one/d.csv
stop KILL
give e shared
timeout 60 "$prog" run shared > run.out 2> run.log < /dev/null
check "of a holder that died a run waits for the next beat, says so, and goes on without" is "0 1 1" \
    "$? $(grep -c event=standby run.log) $(ls shared/outbox/one | grep -c '^e.csv$')"
"$prog" status shared > status.out 2>&1
check "status reads a shared site" is 0 $?
check "fsck finds a shared site in order" sound shared

# Paused with a job under way: what it would clean up is another host's by then.
mkdir -p cut/inbox/one cut/outbox
small_site cut << END
shared yes
limit lease 1000
$(flow one | retry 1h)
END
echo plain > cut/outbox/one                             # the batch is written, and waits
waits() { cat cut/.waybill/epoch-*/work/2*/*.waybill.json 2> /dev/null | grep -q '"attempts"'; }
watch cut
stand_by cut cut.log
wait_for 60 grep -q event=standby cut.log
: > watch.log
rows 1 300000 > cut/.part && mv cut/.part cut/inbox/one/a.csv
wait_for 60 grep -q event=accepted watch.log
kill -STOP "$watcher"
check "paused with a job: the other host goes on with the batch" wait_for 60 grep -q event=retry cut.log
kill -CONT "$watcher"
wait "$watcher"
check "the paused one ends, and says no more than that it lost the site" is "5 1" "$? $(grep -c error watch.log)"
check "fsck finds what the other host has under way in order" sound cut
watcher=$second
rm cut/outbox/one
batch=$(ls cut/.waybill/epoch-*/work | head -n 1)
"$prog" retry "$batch" --dir cut > retry.out 2>&1 < /dev/null
check "it is delivered, whole" wait_for 60 out cut/outbox/one/a.csv
check "once it is asked for" is 300001 "$(wc -l < cut/outbox/one/a.csv)"
wait_for 60 eval '[ "$(archived cut)" = 1 ]'
stop

# Who asks for something does not wait for a holder that died: it says no more, so it is done here.
watch cut
stop KILL
sleep 4
give c cut
timeout 60 "$prog" do one convert --dir cut --wait 20 > do.out 2> do.err < /dev/null
check "what was asked for is done where the holder died" is "0 1" "$? $(ls cut/outbox/one | grep -c '^c.csv$')"

# Many watchers, killed and paused at random: nothing lost, doubled or half seen.
race="$top/tests/torture/race.py"
check "four watchers, killed at random" python3 "$race" "$prog" --files 150 --seconds 5 --watchers 4
check "three hosts, paused and killed at random" python3 "$race" "$prog" --files 60 --seconds 8 --watchers 3 --shared
finish
