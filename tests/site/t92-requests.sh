#!/bin/sh
# t92-requests.sh PROGRAM - one thing that cannot be done yet does not keep what people ask for, and what is due, from the rest
. "$(dirname "$0")/lib.sh"

# Orders are staged; what comes into inbox/tick makes `confirm` due on each open batch.  Standard input: more operations.
stage_site() {                          # DIR
    mkdir -p "$1/mappings" "$1/inbox/orders" "$1/inbox/tick" || return 1
    cat > "$1/mappings/orders.format" << 'END'
syntax csv delimiter ";" header yes
encoding utf-8

message Order key No {
    No  text required
    Qty decimal
}
END
    cat > "$1/mappings/staged.format" << 'END'
syntax json lines
encoding utf-8

message Order key No {
    No   text required
    Qty  decimal
    Sent datetime
}
END
    printf 'mapping %s => %s\n\nOrder => Order {\n    key No => No\n    Qty    => Qty\n}\n' orders staged > "$1/mappings/create.map"
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
finish
