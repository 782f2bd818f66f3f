#!/bin/sh
# t94-doubt.sh PROGRAM - what cannot be known for sure is not done: no file is taken for sent, no mapping for unused, no batch for new
. "$(dirname "$0")/lib.sh"
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0"

# --- an exchange: which file it was that arrived -------------------------------------------------------------------------

server=/usr/lib/openssh/sftp-server
if [ ! -x $server ] || [ ! -x /usr/bin/sftp ]; then
    echo "ok an exchange # SKIP needs openssh-client and openssh-sftp-server"
else

# sftp's own client, speaking to a local server.  File `plant`: what comes there meanwhile; `crash`: waybill does not live to
# see the end of the rename; notes/: what was noted then.  At a `rm`, crash or `lost`: its result is not known; `refuse`: no.
# `deaf`: at a rename or rm it hears no command and ends well; `early`: it ends with 1 before any.
mkdir -p bin far/in site/outbox/far
cat > bin/sftp << END
#!/bin/sh
cat > "$tmp/commands"
if grep -q '^rename' "$tmp/commands"; then
    cp -a "$tmp/site/.waybill/exchange/far/." "$tmp/notes"
    [ ! -f "$tmp/plant" ] || mv "$tmp/plant" "$tmp/far/in/stock.csv"
fi
if grep -q '^rename\|^rm ' "$tmp/commands"; then
    ! rm "$tmp/deaf" 2> /dev/null || : > "$tmp/commands"
    ! rm "$tmp/early" 2> /dev/null || { echo "Couldn't open /dev/null" >&2; exit 1; }
fi
[ ! -f "$tmp/flood" ] || yes -- '-rw-r--r--    1 0        0               4 Jan  5 10:00 x.csv' | head -c 16777300
deny=
[ ! -f "$tmp/refuse" ] || deny='-P remove'
grep '^get \|^rm ' "$tmp/commands" >> "$tmp/asked"
/usr/bin/sftp -q -b - -D "$server \$deny -d $tmp/far" < "$tmp/commands"
code=\$?
if grep -q '^rm' "$tmp/commands"; then
    ! rm "$tmp/lost" 2> /dev/null || exit 255
    ! rm "$tmp/crash" 2> /dev/null || kill -KILL \$PPID
fi
! grep -q '^rename' "$tmp/commands" || ! rm "$tmp/crash" 2> /dev/null || kill -KILL \$PPID
exit \$code
END
chmod +x bin/sftp
mkdir notes
: > known_hosts
small_site site << END
exchange far "sftp://p@127.0.0.1:9" {
    push "outbox/far" to "in"
    known-hosts "../known_hosts"
}
$(flow rows)
END
exchange() { PATH="$tmp/bin:$PATH" "$prog" exchange site > x.out 2> x.err < /dev/null; code=$?; }
stock() { printf '%s;222\n' "$1" > site/outbox/far/.part && mv site/outbox/far/.part site/outbox/far/stock.csv; }
content() { cut -d ';' -f 1 "$1/stock.csv" 2> /dev/null || echo none; }
both() { echo "$code $(content site/outbox/far) $(content far/in)"; }   # the code, in the outbox, on the server

stock A
exchange
check "a file is pushed" is "0 none A" "$(both)"
stock B
for round in 1 2 3; do
    exchange
    check "the next of its name and size waits, round $round" is "1 B A" "$(both)"
done
check "that is told" said x.err EXCHANGE_TAKEN stock.csv
check "nothing is noted of it" is lock "$(ls site/.waybill/exchange/far)"
cp -a notes/push-stock.csv site/.waybill/exchange/far
exchange
check "nor is it taken for the first one, when that one's note is back after a power cut" is "1 B A" "$(both)"
rm -f far/in/stock.csv
exchange
check "when the partner has fetched the first it is sent" is "0 none B" "$(both)"

rm -f far/in/stock.csv
stock C && : > crash
exchange
check "killed behind the rename" is "137 C C" "$(both)"
exchange
check "it is not sent again" is "0 none C" "$(both)"
rm -f far/in/stock.csv
stock D && printf 'E;222\n' > plant
exchange
check "another's comes there meanwhile: refused" is "1 D E" "$(both)"
exchange
check "and not taken for ours" is "1 D E" "$(both)"
rm -f far/in/stock.csv
exchange
check "until it is gone" is "0 none D" "$(both)"
check "no note is left" is lock "$(ls site/.waybill/exchange/far)"

rm -f far/in/stock.csv
stock F && : > deaf
exchange
check "one that ends well and has done nothing is not believed" is "5 F none" "$(both)"
check "that is told" said x.err EXCHANGE_FAILED "sftp ended before it had carried out all commands"
: > early
exchange
check "nor one that ends before its commands" is "5 F none" "$(both)"
exchange
check "the next sends it" is "0 none F" "$(both)"

rm -f far/in/*
stock G && : > crash
exchange
rm -f site/outbox/far/stock.csv
exchange
check "a note of what has left the outbox goes" is "0 lock" "$code $(ls site/.waybill/exchange/far)"
rm -f far/in/stock.csv far/in/.part-stock.csv
stock H && : > crash
exchange
: > far/in/.part-stock.csv
exchange
check "the name of a rename that was cut off goes too" is "0 none H stock.csv" "$(both) $(ls -A far/in)"

# --- an exchange: which file it was that was fetched -----------------------------------------------------------------------

rm -rf site
mkdir -p far/out site/inbox/far
small_site site << END
exchange far "sftp://p@127.0.0.1:9" {
    fetch "out" into "inbox/far"
    stable 10ms
    known-hosts "../known_hosts"
}
$(flow rows)
END
state=site/.waybill/exchange/far
there() { printf '%s;222\n' "$1" > far/out/order.csv && touch -d "2025-01-05T10:00:${2:-05}" far/out/order.csv; }
fetched() { cat site/inbox/far/* 2> /dev/null | cut -d ';' -f 1 | xargs; }
of_it() {                                # the code, what came in, what is on the server, what was asked of it
    printf '%s [%s] ' "$code" "$(fetched)"
    cut -d ';' -f 1 far/out/order.csv 2> /dev/null || echo none
}
again() { : > asked; exchange; }
asked() { cut -d ' ' -f 1 asked | xargs; }
anew() { rm -f site/inbox/far/* far/out/*; }

there A
again
check "a file is fetched" is "0 [A] none, get rm, lock" "$(of_it), $(asked), $(ls $state)"
anew; there A; : > flood; again
rm flood
check "of a listing that is longer than the limit nothing is believed" is "5 [] A, " "$(of_it), $(asked)"
check "which is told" said x.err EXCHANGE_FAILED "more than 16 MiB"
for how in deaf early; do
    anew; there A; : > $how; again
    check "$how at its removal: it is not taken for gone, nor for one that stays" is "5 [A] A, get" "$(of_it), $(asked)"
    again
    check "$how: it is removed, and does not come twice" is "0 [A] none, get rm, lock" "$(of_it), $(asked), $(ls $state)"
done
for how in crash lost; do
    anew; there A; : > $how; again
    ended=$code
    hash=$(printf 'A;222\n' | sha256sum | cut -c1-64)
    check "$how behind its removal: noted with what it held" grep -q "^$hash fetched\$" $state/got-order.csv
    there B 45; again
    check "$how ($ended): another one of its name, size and minute comes in" is "0 [B A] none, get rm, lock" \
        "$(of_it | sed 's/A B/B A/'), $(asked), $(ls $state)"
    anew; there A; : > $how; again
    there A; again
    check "$how: the same one does not come twice" is "0 [A] none, get rm, lock" "$(of_it), $(asked), $(ls $state)"
    anew; there A; : > $how; again
    there B 45; : > $how; again
    there A; again
    check "$how twice: each one's note is its own" is "0 [A A B] none lock" \
        "$(of_it | sed 's/A B A\|B A A/A A B/') $(ls $state)"
done

anew; there A; : > lost; again
cp $state/got-order.csv note
mv site/inbox/far/order.csv $state/ready-order.csv && there B 45 && again
check "what was noted and not yet in the inbox comes in, too" is "0 [A B] none lock" "$(of_it | sed 's/B A/A B/') $(ls $state)"
anew; there A
sed 1q note > $state/got-order.csv; again
check "a note of a former version, without hash: it comes in" is "0 [A] none lock" "$(of_it) $(ls $state)"

anew; there A; : > lost; again
mv site/inbox/far/order.csv $state/ready-order.csv && rm -f far/out/order.csv $state/got-order.csv && again
check "what stood ready when it went from the server comes in all the same" is "0 [A] none lock" "$(of_it) $(ls $state)"
anew; there A; : > lost; again
mv site/inbox/far/order.csv $state/ready-order.csv && rm -f far/out/order.csv && again
check "noted or not" is "0 [A] none" "$(of_it)"
rm -f $state/got-order.csv
anew; there A; printf 'A;222\n' > $state/ready-order.csv; again
check "what stands ready and is still there does not come twice" is "0 [A] none lock" "$(of_it) $(ls $state)"

anew; there A; : > refuse; again
check "the server refuses to remove it: fetched, told" is "1 [A] A, get rm, 1" "$(of_it), $(asked), $(grep -c EXCHANGE_REFUSED x.err)"
for round in 2 3; do
    again
    check "neither fetched nor removed again, round $round" is "1 [A] A, " "$(of_it), $(asked)"
    check "that is told" said x.err EXCHANGE_STAYS order.csv
done
rm refuse; again
check "nor when it may be removed" is "1 [A] A, " "$(of_it), $(asked)"
there B 45; touch -d 2025-01-06 far/out/order.csv; again
check "another one of a later day is a new file" is "0 [B A] none, get rm, lock" "$(of_it | sed 's/A B/B A/'), $(asked), $(ls $state)"
hash=$(printf 'B;222\n' | sha256sum | cut -c1-64)
for content in B C; do
    anew; there $content
    size=$(stat -c %s far/out/order.csv)
    printf '%s  Jan  5 10:00\n%s stays\n' "$size" "$hash" > $state/got-order.csv; again
    case $content in B) want='0 [] none lock' ;; *) want='0 [C] none lock' ;; esac
    check "after half a year its time is listed as a year: $content comes in unless it did" is "$want" "$(of_it) $(ls $state)"
done
anew; rm -f $state/got-order.csv
for f in order.csv.partial ORDER.PART order.Tmp '~$order.csv' Thumbs.db desktop.ini; do echo half > "far/out/$f"; done
again
check "what an inbox takes for unfinished stays on the server" is "0 [] 6" "$code [$(fetched)] $(ls -A far/out | wc -l)"
rm -f far/out/*
anew; there A; : > refuse; : > crash; again
check "killed behind a refused removal" is "137 [A] A" "$(of_it)"
again
check "it does not come twice" is "1 [A] A, get rm" "$(of_it), $(asked)"
again
check "and is left there" is "1 [A] A, " "$(of_it), $(asked)"

# Two folders there may have files of one name.
rm -rf refuse $state/got-order.csv
anew
mkdir -p far/out2 site/inbox/far2
sed -i 's|^    fetch .*|&\n    fetch "out2" into "inbox/far2"|' site/site.conf
there A; : > lost; again
check "two ways: the first one's answer is lost" is "[A]" "[$(fetched)]"
there A && cp -p far/out/order.csv far/out2/ && rm -f far/out/order.csv && again
check "the other's file of that name, time and content is another one" is "0 [A] [A]" "$code [$(fetched)] [$(cut -d ';' -f 1 site/inbox/far2/* | xargs)]"
rm -f site/inbox/far2/*
anew; there B && mv far/out/order.csv far/out2/ && : > crash && again
mv site/inbox/far2/order.csv "$(ls $state/got.*-order.csv | sed 's|/got|/ready|')"
there C 45 && rm -f far/out2/order.csv && again
check "each comes into its own inbox" is "0 [C] [B]" "$code [$(fetched)] [$(cut -d ';' -f 1 site/inbox/far2/* | xargs)]"

# An output whose name looks unfinished.
rm -rf far/in && mkdir -p far/in site/outbox/far && rm -f site/inbox/far/* site/inbox/far2/*
sed -i 's|^    stable.*|&\n    push "outbox/far" to "in"|' site/site.conf
echo whole > site/outbox/far/stock.new
again
check "an output that is named like an unfinished file stays" is "stock.new 0" "$(ls site/outbox/far) $(ls far/in | wc -l)"
check "and that is told" said x.err EXCHANGE_NAME stock.new
rm site/outbox/far/stock.new
fi

# --- an exchange without end: a round leaves nothing behind in memory --------------------------------------------------------

small_site names << END
exchange far "sftp://p@127.0.0.1:9" {
    push "outbox/far" to "in"
    known-hosts "../known_hosts"
    every 100ms
}
END
: > known_hosts
mkdir -p names/outbox/far
(cd names/outbox/far && seq -f "no name that can travel, as it has blanks and commas, %.0f" 4000 | xargs -d '\n' touch)
"$prog" exchange --forever names > x.out 2> x.err < /dev/null &
watcher=$!
started="$started $watcher"
rounds() { [ "$(grep -c '4000 problems' x.err)" -ge "$1" ]; }
held() { sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$watcher/status"; }
wait_for 60 rounds 20
before=$(held)
check "it goes on though no name can travel" wait_for 60 rounds 40
grown=$(($(held) - before))
stop
if ! grep -q __asan_init "$prog"; then                          # ASan keeps what was freed
    check "20 rounds with 4,000 problems each take no more memory ($grown KB)" [ $grown -lt 4000 ]
fi

# --- a purge: what the state of the site names that an open batch goes on with ---------------------------------------------

# Its other flow's mapping changes meanwhile, so that only the state's own list, the manifest, names the former one.
{ flow rows | retry 1h; flow items name to-rows; } | small_site s
mkdir -p s/inbox/rows s/inbox/items s/outbox
echo plain > s/outbox/rows
rows 1 3 > s/inbox/rows/a.csv
run s -q
check "a batch waits" is "5 1" "$code $(ls s/.waybill/work | wc -l)"
former=s/archive/config/$(sha256sum < s/mappings/to-rows.map | cut -c1-64)
manifest=$(grep -l mappings/to-rows.map s/archive/config/*)
echo '# changed' >> s/mappings/to-rows.map
run s -q
age() { touch -d '10 days ago' s/archive/config/*; }
purge() { LD_PRELOAD=$tools/libplant.so PLANT_UNREAD="$(basename "$1")" "$prog" purge s > out 2> err; code=$?; }
age
purge "$manifest"
check "a list that cannot be read may name anything: nothing goes" is "0 there" "$code $([ -e "$former" ] && echo there)"
check "and that is told" said err PURGE_UNSURE
check "fsck finds all good" sound s
age
purge none
check "what it names stays, too, when it can be read" is "0 there" "$code $([ -e "$former" ] && echo there)"
mv "$former" aside
"$prog" fsck s > out 2> err
check "fsck misses what only the list names" is "1 1" "$? $(cat out err | grep -c FSCK_CONFIG)"
mv aside "$former"

# --- batches that were purged: they are remembered, whatever can be read -------------------------------------------------------

rm -rf s
{ echo 'keep error 1d'; flow rows; } | small_site s
mkdir -p s/inbox/rows
purge_at() { WAYBILL_CLOCK=2025-02-10T10:00:00Z; export WAYBILL_CLOCK; touch -d "$1" "s/error/$2"; purge "${3:-none}"; }
for f in a b; do echo "no heading $f" > "s/inbox/rows/$f.csv"; done
WAYBILL_CLOCK=2025-01-10T10:00:00Z run s -q
set -- $(ls s/error)
touch -d 2025-02-10 "s/error/$2"
purge_at 2025-01-10 "$1"
check "a batch of a day is purged" is "0 $1" "$code $(xargs < s/.waybill/purged/20250110)"
purge_at 2025-01-10 "$2" 20250110
check "when that day's list cannot be read the next one stays" is "5 $2" "$code $(ls s/error)"
check "that is told" said err 20250110
check "the first is still remembered" is "$1" "$(xargs < s/.waybill/purged/20250110)"
echo "no heading a" > s/inbox/rows/again.csv
LD_PRELOAD=$tools/libplant.so PLANT_UNREAD=20250110 "$prog" run -q s > out 2> run.log < /dev/null
check "its content is refused as seen meanwhile" grep -rlq --include '*.waybill.json' DUP_CONTENT s/error
purge_at 2025-01-10 "$2"
check "then it goes" is "0 $1 $2" "$code $(xargs < s/.waybill/purged/20250110)"
id=20250110-120000-1-7                  # of that day: taken from its inbox before a crash, and not accepted
mkdir -p "s/.waybill/claim/$id" && ln -s inbox/rows "s/.waybill/claim/$id/.from" && echo "no heading c" > "s/.waybill/claim/$id/c.csv"
LD_PRELOAD=$tools/libplant.so PLANT_UNREAD=20250110 "$prog" run -q s > out 2> run.log < /dev/null
check "a claim of that day is not taken for one that is done" test -f "s/.waybill/claim/$id/c.csv"
run s -q
check "it comes later" is "c.csv 0" "$(ls "s/error/$id" | grep -v waybill) $(ls s/.waybill/claim | wc -l)"
unset WAYBILL_CLOCK
finish
