#!/bin/sh
# t44-batches.sh PROGRAM - several staged batches at once: which answer is whose, what is due after what, and what people do
# to a batch by hand
. "$(dirname "$0")/lib.sh"

stage_site() {                          # DIR: orders are staged, sent by hand, answered by XML; standard input: more operations
    orders_site "$1" 'Got decimal' 'Day datetime' && mkdir -p "$1/inbox/answers" "$1/tables" || return 1
    sed -i 's/^message/Batch text\n\n&/' "$1/mappings/staged.format"
    cat > "$1/mappings/answers.format" << 'END'
syntax xml
encoding utf-8

Batch text at /Answers/@batch

message Order at /Answers/Order {
    No  text    required at @no
    Got decimal at @got
}
END
    cat > "$1/mappings/create.map" << 'END'
mapping orders => staged

batch-id() => /Batch

Order => Order {
    require Qty > 0 else BAD_QTY "Order {No}: no quantity."
    key No => No
    Qty    => Qty
}
END
    cat > "$1/mappings/send.map" << 'END'
mapping staged => orders

table known key No optional

Order[not(Sent)] => Order {
    require $known[No] else wait UNKNOWN "Order {No}: not known yet."
    key No => No
    Qty    => Qty
}
END
    cat > "$1/mappings/list.map" << 'END'
mapping staged => orders

Order => Order {
    key No    => No
    Got | Qty => Qty
}
END
    cat > "$1/mappings/receive.map" << 'END'
mapping answers => staged

key /Batch => /Batch

Order => Order {
    key No       => No
    Got          => Got
    batch-time() => Day
    new     ignore else warn NOT_OURS "Order {No}: not in this batch."
    missing keep
}
END
    printf 'No;Qty\n1;1\n2;1\n3;1\n4;1\n5;1\n6;1\n' > "$1/tables/known.csv"
    { cat << 'END' && cat && echo '}'; } > "$1/site.conf" || return 1
site "Batches"
zone "Europe/Oslo"
table known "tables/known.csv" format orders filled by known
flow known {
    on yes
    operation convert {
        take inbox "inbox/known" ready name
        give table known replace
    }
}
flow orders {
    on yes
    retry 1h
    batch staged track Order {
        state staged
        state sent when Sent
        state got  when Day
    }
    operation create {
        take inbox "inbox/orders" ready name
        give batch new map create
    }
    operation receive {
        take inbox "inbox/answers" ready name
        give batch map receive
    }
    operation send {
        manual
        take batch
        give outbox "outbox/sent" name "{batch}_{n}.csv" map send empty skip
        done {
            batch-time() => Order/Sent
        }
    }
END
    "$prog" check "$1/site.conf"
}
orders() { echo 'No;Qty'; for n; do echo "$n;$n"; done; }
# The ids of open batches, in the order of their coming; the only one; what its staged document says.
staged() {                              # SITE BATCH
    cat "$1/.waybill/work/$2/$(json stage < "$1/.waybill/work/$2/$2.waybill.json")"
}
answer() {                              # BATCH NO=GOT...
    echo "<Answers batch=\"$1\">"
    shift
    for o; do echo "<Order no=\"${o%=*}\" got=\"${o#*=}\"/>"; done
    echo '</Answers>'
}
put() { cat > "$tmp/.file" && drop "$tmp/.file" "$1" "$2"; }    # INBOX NAME < FILE
waybill_of() { json "$3" < "$1/.waybill/work/$2/$2.waybill.json"; }     # SITE BATCH PATH

# --- two batches, two answers -----------------------------------------------------------------------------------------

stage_site two << 'END'
    operation confirm {
        after receive
        take batch
        give outbox "outbox/confirm" name "{batch}_{n}.csv" map list
    }
END
orders 1 2 | put two/inbox/orders a.csv
orders 3 4 | put two/inbox/orders b.csv
run two -q
check "two files make two batches" is '0 2' "$code $(open_ids two | wc -l)"
a=$(open_ids two | head -1) b=$(open_ids two | tail -1)
cmd two send
check "send without --batch is for each open one" is '0 2' "$code $(ls two/outbox/sent | wc -l)"
answer "$b" 3=30 | put two/inbox/answers b.xml
answer "$a" 1=10 9=9 | put two/inbox/answers a.xml
run two -q
check "each answer reaches its own batch" is '1' "$(staged two "$a" | grep -c '"Got":10')"
check "and not the other" is '1 0' "$(staged two "$b" | grep -c '"Got":30') $(staged two "$b" | grep -c '"Got":10')"
check "what comes after an answer runs on the batches that it changed" is "${a}_1.csv ${b}_1.csv" "$(echo $(ls two/outbox/confirm))"
check "the order that the batch does not have is told" grep -q 'NOT_OURS' "two/.waybill/work/$a/$a.lines.3.jsonl"
answer "$a" 1=10 9=9 | put two/inbox/answers again.xml
run two -q
check "the same answer again is a duplicate" is '1 1' "$code $(grep -l DUP_CONTENT two/error/*/*.waybill.json | wc -l)"
rm -r two/error/*
answer 20200101-000000-1-1 1=10 | put two/inbox/answers nobody.xml
run two -q
check "an answer for an unknown batch is set aside with its reason" is '1 BATCH_UNKNOWN' \
    "$code $(json error_code < "$(one two/error '*.waybill.json')")"
check "and changes nothing" is '10 30' "$(staged two "$a" | sed -n 's/.*"Got":\([0-9]*\).*/\1/p') $(staged two "$b" | sed -n 's/.*"Got":\([0-9]*\).*/\1/p')"
answer "$a" 2=20 | put two/inbox/answers a2.xml
run two -q
check "a batch whose lines are all in the last state goes to the archive" is "$b" "$(open_ids two)"
check "after what was due on it" is 3 "$(ls two/outbox/confirm | wc -l)"
answer "$a" 1=11 | put two/inbox/answers late.xml
run two -q
check "an answer that comes later finds no batch" is '1' "$code"
check "fsck finds nothing" sound two

# --- an answer for a batch whose waybill was damaged meanwhile ---------------------------------------------------------

stage_site broken < /dev/null
orders 1 2 | put broken/inbox/orders a.csv
orders 3 4 | put broken/inbox/orders b.csv
run broken -q
a=$(open_ids broken | head -1) b=$(open_ids broken | tail -1)
watch broken
printf 'No;Qty\n1;1\n' | put broken/inbox/known come-up.csv       # it has read its waybills when this has gone through
wait_for 60 grep -q 'event=archived.*flow=known' watch.log
echo '{' > "broken/.waybill/work/$b/$b.waybill.json"
answer "$b" 3=30 | put broken/inbox/answers b.xml
check "an answer for a batch whose waybill is damaged is left out, which is told" wait_for 60 grep -q "code=BATCH_GONE.*$b" watch.log
answer "$a" 1=10 | put broken/inbox/answers a.xml
check "and keeps no other from its batch" wait_for 60 eval 'staged broken "$a" | grep -q "Got.:10"'
stop

# --- by hand ----------------------------------------------------------------------------------------------------------

stage_site hand < /dev/null
orders 1 2 | put hand/inbox/orders a.csv
orders 3 4 | put hand/inbox/orders b.csv
run hand -q
a=$(open_ids hand | head -1) b=$(open_ids hand | tail -1)
cmd hand hold "$a"
check "a batch is held" is '0 person' "$code $(waybill_of hand "$a" waits)"
cmd hand send
check "what is for all passes it over" is '0 1 2' "$code $(ls hand/outbox/sent | wc -l) $(grep -hc '^[34]' hand/outbox/sent/*)"
cmd hand send --batch "$a"
check "what is for it alone is refused" is 1 "$code"
check "with the reason" said cmd.log BATCH_CLOSED held
cmd hand release "$a"
check "released, it goes on" is '0 open' "$code $(waybill_of hand "$a" waits)"
cmd hand release "$a"
check "twice is refused" is 1 "$code"
cmd hand send --batch "$a"
check "and can be sent" is '0 2' "$code $(ls hand/outbox/sent | wc -l)"
cmd hand send --batch "$a"
check "a second time there is nothing to send" is '0 2' "$code $(ls hand/outbox/sent | wc -l)"
mkdir taken && mv hand/outbox/sent/* taken/
cmd hand resend "$a"
check "what was sent goes out once more" is 0 "$code"
check "the same bytes under the same name" sh -c 'for f in hand/outbox/sent/*; do cmp "$f" "taken/${f##*/}" || exit 1; done'
cmd hand resend "$a"
check "what lies in its outbox still is not sent again, and that is no fault of the batch" is "1 open" "$code $(waybill_of hand "$a" waits)"
check "which is told" said cmd.log BATCH_NOTHING_SENT "lies in its outboxes still"
one=$(find hand/outbox/sent -type f | head -1)
mv "$one" gone-one
cmd hand resend "$a"
check "once it is taken it goes out again" eval 'is 0 "$code" && cmp "$one" gone-one'
cmd hand amend --message 1 "$a" Qty=7
check "an order is corrected by hand" is '0 1' "$code $(staged hand "$a" | grep -c '"Qty":7')"
check "and who did it is noted" grep -q '"amended"' "hand/.waybill/work/$a/$a.waybill.json"
cmd hand amend --message 1 "$a" Qty=seven
check "a wrong value is refused, and changes nothing" is '2 1' "$code $(staged hand "$a" | grep -c '"Qty":7')"
cmd hand cancel "$b"
check "a cancelled batch is archived" is "0 $a" "$code $(open_ids hand)"
check "with its end" grep -q cancelled "$(one hand/archive "$b.waybill.json")"
cmd hand cancel "$b"
check "it cannot be cancelled again" is 1 "$code"

# --- refused operations, faults of the world --------------------------------------------------------------------------

orders 5 6 | put hand/inbox/orders c.csv
rm -rf hand/outbox/sent && : > hand/outbox/sent                 # no folder can be there
run hand -q
c=$(open_ids hand | tail -1)
cmd hand send --batch "$c"
check "an outbox that cannot be: the operation waits for another attempt" is '5 delivered' "$code $(waybill_of hand "$c" place | sed s/written/delivered/)"
cmd hand send --batch "$a"
check "another operation of the flow stands behind it" is '1' "$(test $code -gt 0 && echo 1)"
rm hand/outbox/sent
cmd hand retry "$c"
check "retry tries it at once" is 0 "$code"
run hand -q
check "and it is sent" is '1 open' "$(ls hand/outbox/sent | wc -l) $(waybill_of hand "$c" waits)"
printf 'No;Qty\n"7;1\n' | put hand/inbox/orders bad.csv
run hand -q
bad=$(ls hand/error)
check "a file that cannot be read is set aside" is 1 "$code"
cmd hand retry "$bad"
check "retry makes a batch of its own of it, which is refused again" is '1 1' "$code $(grep -l "\"parent\":\"$bad\"" hand/error/*/*.waybill.json hand/archive -r | wc -l)"

# --- a claim that was left of an operation by hand, when nobody asks any more ------------------------------------------

stage_site claimed << 'END'
    operation more {
        manual
        take inbox "inbox/more" ready name
        give batch new map create
    }
END
run claimed -q
id=20260101-000000-1-1
mkdir "claimed/.waybill/claim/$id" && ln -s inbox/more "claimed/.waybill/claim/$id/.from"
orders 5 > "claimed/.waybill/claim/$id/more.csv"
run claimed
check "it goes on with that operation, not with one that takes such files too" said run.log \
    "event=accepted batch=$id flow=orders operation=more" "event=rests batch=$id"

# --- a table that was waited for, by a watcher ------------------------------------------------------------------------

stage_site wait << 'END'
    operation forward {
        after create
        take batch
        give outbox "outbox/forward" name "{batch}_{n}.csv" map send empty skip
        done {
            batch-time() => Order/Sent
        }
    }
    operation report {
        every 1s
        take batch
        give outbox "outbox/report" name "{batch}_{n}.csv" map send empty skip
    }
END
watch wait
orders 1 8 9 | put wait/inbox/orders a.csv
check "a watcher runs what comes after" wait_for 60 has wait/outbox/forward 1
check "what is not known waits" is '1;1' "$(tail -n +2 "$(one wait/outbox/forward "*_1.csv")" | tr -d '\r')"
printf 'No;Qty\n1;1\n8;1\n' | put wait/inbox/known known.csv
check "the table changes, and it is tried again" wait_for 60 has wait/outbox/forward 2
check "only what is known now" is '8;8' "$(tail -n +2 "$(one wait/outbox/forward "*_2.csv")" | tr -d '\r')"
id=$(open_ids wait)
settled() {                             # nothing was written for longer than the interval
    seq=$(waybill_of wait "$id" seq)
    sleep 1.5
    [ "$(waybill_of wait "$id" seq) $(waybill_of wait "$id" waits)" = "$seq open" ]
}
wait_for 60 settled
sleep 2.5
check "an interval with nothing to do leaves no trace" is "$seq 0" "$(waybill_of wait "$id" seq) $(ls wait/outbox/report 2> /dev/null | wc -l)"
cmd wait send
check "a command asks the watcher; what waits is told" is 1 "$code"
printf 'No;Qty\n9;1\n' | put wait/inbox/known known2.csv
check "the last one too" wait_for 60 has wait/outbox/forward 3
kill -HUP "$watcher"
wait_for 60 grep -q event=reloaded watch.log
answer "$id" 1=1 8=8 9=9 | put wait/inbox/answers a.xml
check "after a reload the batch is still known; all answered, it ends" wait_for 60 sh -c '[ -z "$(ls wait/.waybill/work)" ]'
stop
finish
