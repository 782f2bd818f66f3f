#!/bin/sh
# t92-requests.sh PROGRAM - one thing that cannot be done yet does not keep what people ask for, and what is due, from the rest
. "$(dirname "$0")/lib.sh"

# Orders are staged; what comes into inbox/tick makes `confirm` due on each open batch.  Standard input: more operations.
stage_site() {                          # DIR
    orders_site "$1" && mkdir -p "$1/inbox/tick" || return 1
    printf 'mapping %s => %s\n\nOrder => Order {\n    key No => No\n    Qty    => Qty\n}\n' staged orders > "$1/mappings/list.map"
    printf 'mapping %s => %s\n\nOrder => Order {\n    No  => No\n    Qty => Qty\n}\n' orders orders > "$1/mappings/copy.map"
    { cat << 'END' && cat && echo '}'; } > "$1/site.conf" || return 1
site "Requests"
zone "Europe/Oslo"
flow orders {
    on yes
    retry 1h
    batch staged
    operation create {
        take inbox "inbox/orders" ready name
        give batch new map create
    }
    operation tick {
        take inbox "inbox/tick" ready name
        give outbox "outbox/tick" name "{batch}.csv" map copy
    }
    operation send {
        manual
        take batch
        give outbox "outbox/sent" name "{batch}_{n}.csv" map list
    }
END
}
confirm() {
    cat << 'END'
    operation confirm {
        after tick
        take batch
        give outbox "outbox/confirm" name "{batch}_{n}.csv" map list
    }
END
}
orders() { printf 'No;Qty\n%s;1\n' "$1" > new.csv && drop new.csv "site/inbox/$2" "$1.csv"; }  # NO INBOX: a file of one order
ours() { [ -z "$as" ] || chown -R 65534:65534 site; }   # of who works on it
as=''
two_batches() {                         # $a is the older one
    rm -rf site
    : > watch.log
    stage_site site && ours || return 1
    "$prog" check site/site.conf > check.out || cat check.out
    orders 1 orders
    run site -q
    a=$(open_ids site)
    orders 2 orders
    run site -q
    b=$(open_ids site | tail -1)
}
state_of() { json "$2" < "site/.waybill/work/$1/$1.waybill.json" 2> /dev/null; }   # BATCH PATH
is_due() { state_of "$1" due | grep -q confirm; }
a_waits() { [ -n "$(state_of "$a" retry.cause)" ]; }
up() { "$prog" hold --dir site "$b" > up.out 2>&1 && "$prog" release --dir site "$b" > up.out 2>&1; }   # it knows its batches
unasked() { [ -z "$(ls site/.waybill/requests 2> /dev/null)" ]; }
blocked_watch() {                       # `confirm` of the first batch waits an hour, that of the second one stands behind it
    confirm > operations
    two_batches < operations
    mkdir -p site/outbox && : > site/outbox/confirm
    watch site
    orders 9 tick
    wait_for 60 a_waits && wait_for 60 is_due "$b"
}
go_on() { rm site/outbox/confirm && "$prog" retry --dir site "$a" > retry.out 2>&1; }
ticks() { awk '{ print $14 + $15 }' "/proc/$watcher/stat"; }

# A batch on which something is due is held while a request waits for it.
blocked_watch
"$prog" send --dir site --wait 0 --batch "$b" > send.out 2>&1
"$prog" hold --dir site "$b" > hold.out 2>&1 || cat hold.out
go_on
check "a request on a batch that is held since is answered" wait_for 60 unasked
orders 3 orders
check "and its flow goes on" wait_for 60 eval '[ "$(open_ids site | wc -l)" = 3 ]'
stop

# An amend waits until an operation that waits for its next attempt is over.
blocked_watch
"$prog" amend --dir site --wait 0 --message 1 "$a" Qty=7 > amend.out 2>&1
sleep 1
before=$(ticks)
sleep 2
check "while an amend waits the watcher sleeps" [ $(($(ticks) - before)) -lt 60 ]
go_on
check "then it is carried out" wait_for 60 unasked
check "and changed what it was to" said "site/.waybill/work/$a/$(state_of "$a" stage)" '"Qty":7'
stop
# A table that may not be opened: the answer says so, and all others have theirs.
two_batches << 'END'
}
table rows "rows.csv" format orders
flow feed {
    on yes
    operation out {
        manual
        take table rows
        give outbox "outbox/feed" name "{batch}.csv" map copy
    }
END
printf 'No;Qty\n1;1\n' > site/real.csv
ln -s real.csv site/rows.csv
"$prog" do --dir site feed out > do.out 2>&1
check "an operation by hand on a table that may not be opened is answered" said do.out "the table cannot be read"
watch site
"$prog" do --dir site feed out > do.out 2>&1
check "… and by a watcher" said do.out "the table cannot be read"
check "nothing is left asked" unasked
stop

# From here on somebody else than root works on the site: what has no rights then cannot be opened.
if [ "$(id -u)" = 0 ]; then
    if ! command -v setpriv > /dev/null || ! chmod 711 "$tmp"; then
        echo "ok what cannot be opened is left out: this needs setpriv"
        finish
    fi
    as='setpriv --reuid=65534 --regid=65534 --clear-groups'
    printf '#!/bin/sh\nexec %s %s "$@"\n' "$as" "$prog" > waybill && chmod 755 waybill
    prog=$tmp/waybill
fi

# A request that cannot be carried out yet.
two_batches < /dev/null
watch site
up
kill -STOP "$watcher"
"$prog" hold --dir site --wait 0 "$a" > hold.out 2>&1
chmod 000 "site/.waybill/work/$a"
kill -CONT "$watcher"
"$prog" send --dir site > send.out 2>&1
check "while a request waits for its batch others are carried out" test -f "site/outbox/sent/${b}_1.csv"
check "and their answer tells which could not be opened" said send.out "batch $a cannot be opened"
chmod 700 "site/.waybill/work/$a"
check "when the batch can be opened it is carried out" wait_for 60 unasked
check "on that batch" is person "$(state_of "$a" waits)"
stop

# An operation that comes round: after the first time the folder of the older batch cannot be opened any more.
reports() { ls site/outbox/report 2> /dev/null | grep -c "^$1"; }   # BATCH
both_rest() { [ "$(grep event=rests watch.log | grep -c -e "$a" -e "$b")" = 2 ]; }
two_batches << 'END'
    operation report {
        every 4s
        take batch
        give outbox "outbox/report" name "{batch}_{n}.csv" map list
    }
END
: > watch.log
watch site
wait_for 60 both_rest
chmod 000 "site/.waybill/work/$a"
check "what comes round comes to the other batch" wait_for 60 eval '[ "$(reports "$b")" -gt 1 ]'
orders 3 orders
check "and files are taken" wait_for 60 eval '[ "$(open_ids site | wc -l)" = 3 ]'
chmod 700 "site/.waybill/work/$a"
check "to the older one it comes when it can be opened" wait_for 60 eval '[ "$(reports "$a")" -gt 1 ]'
for n in 4 5 6; do orders $n orders; done
wait_for 60 eval '[ "$(open_ids site | wc -l)" = 6 ] && [ "$(ls site/outbox/report | cut -d_ -f1 | sort -u | wc -l)" = 6 ]'
last=$(open_ids site | tail -1)
for id in $(open_ids site | head -5); do chmod 000 "site/.waybill/work/$id"; done
before=$(reports "$last")
check "several that cannot be opened do not keep it from the newest" wait_for 60 eval '[ "$(reports "$last")" -gt $((before + 1)) ]'
stop

# A request that cannot be read.
two_batches < /dev/null
mkdir -p site/.waybill/requests
echo '{}' > site/.waybill/requests/20260101-000000-000001-1.json
ours
chmod 000 site/.waybill/requests/*
watch site
check "a request that cannot be read does not hide others" "$prog" hold --dir site "$b"
stop
check "nor from a command that does its work itself" "$prog" release --dir site "$b"
# An operation that comes round, when the ledger that says when it ran last cannot be read.
two_batches << 'END'
    operation report {
        every 1h
        take batch
        give outbox "outbox/report" name "{batch}_{n}.csv" map list
    }
END
before="$(reports "$a") $(reports "$b")"
chmod 000 site/.waybill/ledger/orders.ledger
watch site
orders 9 tick
check "while its ledger cannot be read a flow gives what needs none" wait_for 60 has site/outbox/tick 1
check "but nothing that may have been given before" is "$before" "$(reports "$a") $(reports "$b")"
stop

# One batch whose waybill cannot be believed, and one that cannot be opened.
confirm > operations
two_batches < operations
orders 3 orders
run site -q
c=$(open_ids site | tail -1)
watch site
up
echo '{' > "site/.waybill/work/$b/$b.waybill.json"
chmod 000 "site/.waybill/work/$a"
orders 9 tick
check "what is due on all batches becomes due on one behind such as cannot be read" wait_for 60 is_due "$c"
chmod 700 "site/.waybill/work/$a"
"$prog" retry --dir site "$(ls site/.waybill/work | by_age | tail -1)" > retry.out 2>&1
check "and on the others when they can be" wait_for 60 test -f "site/outbox/confirm/${a}_1.csv"
check "which is all" wait_for 60 test -f "site/outbox/confirm/${c}_1.csv"
stop

# A request that is tried again and again lets others be carried out, in their order.
two_batches < /dev/null
watch site
up
chmod 000 "site/.waybill/work/$a"
"$prog" hold --dir site --wait 0 "$a" > hold.out 2>&1
for verb in hold release hold release hold release; do
    "$prog" $verb --dir site --wait 30 "$b" > do.out 2>&1 || { echo "$verb: $(cat do.out)"; break; }
done
check "while a request is tried again others are carried out" is open "$(state_of "$b" waits)"
"$prog" release --dir site --wait 0 "$a" > release.out 2>&1
chmod 700 "site/.waybill/work/$a"
check "then it is, and what was asked behind it" wait_for 60 unasked
check "one after the other" is open "$(state_of "$a" waits)"

# Killed after a cancelled batch went to the archive, before that could be answered: the request is there still.
kill -STOP "$watcher"
"$prog" cancel --dir site --wait 0 "$b" > cancel.out 2>&1
asked=$(ls site/.waybill/requests)
cp "site/.waybill/requests/$asked" asked.json
again() {                               # the answer is lost, the request is there once more
    rm -f "site/.waybill/answers/$asked"
    cp asked.json "site/.waybill/requests/.$asked" && ours && mv "site/.waybill/requests/.$asked" "site/.waybill/requests/$asked"
}
kill -CONT "$watcher"
wait_for 60 unasked
wait_for 60 eval '[ "$(archived site)" = 1 ]'
again
wait_for 60 unasked
check "what was cancelled is answered so, also when its batch is archived" is done "$(json outcome < "site/.waybill/answers/$asked")"
zip=$(find site/archive -name '*.zip') && cp -p "$zip" kept.zip
head -c 100 kept.zip > "$zip"
again
wait_for 60 unasked
check "when its zip is damaged nobody knows, which is the answer" said "site/.waybill/answers/$asked" ARCHIVE_DAMAGED 'cannot be told'
cat kept.zip > "$zip" && chmod 000 "$zip" && : > watch.log
again
wait_for 60 grep -q "code=SYS_.*_$b.zip" watch.log
check "when it cannot be read now the request waits" test ! -e "site/.waybill/answers/$asked"
stop

# The folder of answers cannot be read: what was asked is carried out all the same, which is said.
two_batches < /dev/null
watch site
"$prog" hold --dir site "$a" > do.out 2>&1
chmod 000 site/.waybill/answers
"$prog" hold --dir site "$b" > do.out 2>&1
check "an answer that cannot be read is a fault of the system" is 5 $?
check "and nothing is to be asked once more" said do.out 'REQUEST_WAITS' 'carried out already'
check "which it is" wait_for 60 eval '[ "$(state_of "$b" waits)" = person ]'
chmod 700 site/.waybill/answers
check "and answered when that can be" wait_for 60 unasked
stop
finish
