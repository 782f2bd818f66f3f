#!/bin/sh
# t78-faults PROGRAM - faults of the world as tests/tools/libfault.c plays them: what was written is lost before it is synced,
# packets to workers are not sent, files change while they are taken
. "$(dirname "$0")/lib.sh"

export ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0"
faulty() {                              # VERB SITE VARIABLE=VALUE…: becomes waybill VERB SITE, in a world with that fault
    verb=$1 of=$2
    shift 2
    exec env LD_PRELOAD="$tools/libfault.so" FAULT_SITE="$of" FAULT_LOG="$tmp/$of.faults" "$@" \
        "$prog" "$verb" "$of" > /dev/null 2>> "$of.log" < /dev/null
}
faulty_watch() {                        # SITE VARIABLE=VALUE…
    faulty watch "$@" &
    watcher=$!
    started="$started $watcher"
    wait_for 60 watching "$1"
}
fault() { grep -q "^$2" "$1.faults" 2> /dev/null; }         # SITE TEXT: it has struck
come() { cp "$2" "$1/inbox/files/.part" && mv "$1/inbox/files/.part" "$1/inbox/files/$3"; }     # SITE FILE NAME
runs() {                                # SITE: until nothing is left to do; the code of the last is $code
    for again in 1 2 3; do
        run "$1"
        [ "$code" != 0 ] || break
    done
}
ends() { is "0 $2 0" "$code $(archived "$1") $(in_error "$1")"; }      # SITE FILES: all is well

# --- claims that cannot be opened do not hide others, and do not delay them (the end is looked at below) -----------------

mkdir -p claims/inbox/files
flow files | small_site claims
rows 1 3 > few.csv
faulty_watch claims FAULT_CHANGED=2
claims_watcher=$watcher
: > claims/.waybill/claim/20200101-000000-1-1
: > claims/.waybill/claim/20990101-000000-1-1
come claims few.csv changed.csv
check "a file that changes while it is taken waits" wait_for 60 fault claims 'changed 1'
kill -HUP "$claims_watcher"             # takes up what is left at once
check "it changes again, between two claims that cannot be opened" wait_for 60 fault claims 'changed 2'

# --- what was written is lost -------------------------------------------------------------------------------------------

# Two waves and a longer file between them: workers write outputs of the first wave while the second is taken, and the
# last file is still at work while others go into an outbox that is made for them.
mkdir -p template/inbox/files
flow files | retry 100ms | small_site template
for i in 1 2 4 5; do rows "$i" 2000 > "template/inbox/files/f$i.csv"; done
rows 3 40000 > template/inbox/files/f3.csv
for i in 1 2 3 4 5; do touch -d "2026-02-01 00:00:0$i" "template/inbox/files/f$i.csv"; done
fresh() { rm -rf site site.faults && cp -a template site; }
whole() {
    runs site
    ends site 5
    diff -rq site/outbox want
    sound site
}
fresh
(faulty run site FAULT_LOST=1000)
cp -a site/outbox want
check "with nothing lost all come out and are archived" is "5 5" "$(ls want/files | wc -l) $(archived site)"
syncs=$(grep -c '^syncfs' site.faults)

some=''                                 # where it was not lost in vain
: > wrong
for n in $(seq "$syncs"); do
    fresh
    (faulty run site FAULT_LOST="$n")
    ! fault site 'lost .* some' || some="$some $n"
    whole | sed "s/^/# at syncfs $n: /" | tee -a wrong
done
check "lost at any of $syncs syncfs: every file is whole, in outbox and archive" [ ! -s wrong ]
check "something was lost, at$some" [ -n "$some" ]

# A watcher goes on after the fault, with the jobs that were under way.
mkdir -p template/outbox/files
: > wrong
for n in $(echo "$some" | cut -d ' ' -f 2-4); do
    fresh
    faulty_watch site FAULT_LOST="$n"
    wait_for 60 test -f site/outbox/files/f1.csv
    stop
    whole | sed "s/^/# at syncfs $n: /" | tee -a wrong
done
check "under a watcher: every file is whole" [ ! -s wrong ]

# --- the world is at fault, not the file ----------------------------------------------------------------------------------

# Two outputs: a worker has one and asks for the other.  Three faults in a row are told as faults of the world, and the
# file, which nobody had to refuse, is tried again.
innocent() {                            # NAME FAULT
    mkdir -p "$1/inbox/files"
    flow files | retry 100ms | sed 's/^ *give .*/&\n&/; s/{file}/second-{file}/' | small_site "$1"
    come "$1" few.csv a.csv
    (faulty run "$1" "$2=3")
    for again in 1 2 3 4 5; do
        [ "$(grep -c '^un' "$1.faults")" -ge 3 ] || (faulty run "$1" "$2=1")
    done
    check "$1: the world was at fault three times" [ "$(grep -c '^un' "$1.faults")" -ge 3 ]
    runs "$1"
    check "$1: the file is not refused for that" ends "$1" 1
    check "$1: it is told as what it is" not_said "$1.log" WORKER_DIED
    check "$1: both outputs come" is "a.csv second-a.csv" "$(ls "$1/outbox/files" | xargs)"
    check "$1: fsck finds nothing" sound "$1"
}
innocent packets FAULT_UNSENT
innocent answers FAULT_UNANSWERED
innocent outputs FAULT_UNSYNCED

# --- the claims ---------------------------------------------------------------------------------------------------------

check "the file comes, though claims on both sides of it cannot be opened" wait_for 60 test -f claims/outbox/files/changed.csv
wait_for 60 [ "$(archived claims)" = 1 ]
watcher=$claims_watcher
stop
check "whole" same few.csv claims/outbox/files/changed.csv
check "the others are still there" is 2 "$(ls claims/.waybill/claim | wc -l)"
finish
