#!/bin/sh
# t49-versions.sh PROGRAM - a batch goes on with the mappings and formats that it was created with, until it is renewed, and
# can be done again later: `replay` gives the same bytes
. "$(dirname "$0")/lib.sh"

make_site() {                           # DIR: orders are staged, sent by hand with a mark and a price of a table
    orders_site "$1" 'Got datetime' && mkdir -p "$1/mappings/parts" "$1/inbox/plain" "$1/tables" || return 1
    chmod o-rwx "$1/tables"
    sed '/^message/,$!d' "$1/mappings/staged.format" > "$1/mappings/parts/order.format"
    sed -i '/^message/,$d' "$1/mappings/staged.format" && echo 'include parts/order' >> "$1/mappings/staged.format"
    cat > "$1/mappings/sent.format" << 'END'
syntax csv delimiter ";" header yes
encoding utf-8

message Order {
    No    text required
    Qty   decimal
    Mark  text
    Price decimal
}
END
    send_map "$1" old
    sed 's/mapping staged/mapping orders/; s/\[not(Sent)\]//; s/"old"/"plain"/' "$1/mappings/send.map" > "$1/mappings/plain.map"
    prices "$1" 10
    cat > "$1/site.conf" << 'END'
site "Versions"
zone "Europe/Oslo"
table prices "tables/prices.csv" format prices
flow orders {
    on yes
    batch staged track Order {
        state staged
        state sent when Sent
        state got  when Got
    }
    operation create {
        take inbox "inbox/orders" ready name
        give batch new map create
    }
    operation send {
        manual
        take batch
        give outbox "outbox/sent" name "{batch}_{n}.csv" map send empty skip
        done {
            batch-time() => Order/Sent
        }
    }
    operation list {
        manual
        take batch
        give outbox "outbox/list" name "{batch}_{n}.csv" map list
    }
}
flow plain {
    on yes
    operation convert {
        take inbox "inbox/plain" ready name
        give outbox "outbox/plain" name "{batch}.csv" map plain
    }
}
END
    sed 's/\[not(Sent)\]//' "$1/mappings/send.map" > "$1/mappings/list.map"
    printf 'syntax csv delimiter ";" header yes\nencoding utf-8\n\nmessage Row key No {\n    No    text required\n    Price decimal\n}\n' \
        > "$1/mappings/prices.format"
    "$prog" check "$1/site.conf" > check.out 2>&1 || { cat check.out; return 1; }
}
send_map() {                            # SITE MARK
    cat > "$1/mappings/send.map" << END
mapping staged => sent

table prices key No columns Price optional

Order[not(Sent)] => Order {
    No                => No
    Qty               => Qty
    "$2"              => Mark
    \$prices[No]/Price => Price
}
END
}
prices() { printf 'No;Price\n1;%s\n2;%s\n3;%s\n4;%s\n' "$2" "$2" "$2" "$2" > "$1/tables/.new" && mv "$1/tables/.new" "$1/tables/prices.csv"; }
put() { cat > "$tmp/.file" && drop "$tmp/.file" "$1" "$2"; }    # INBOX NAME < FILE
orders() { echo 'No;Qty'; for n; do echo "$n;$n"; done; }
sent() { sed -n 's/^'"$2"';[^;]*;\([^;]*\);\(.*\)/\1 \2/p' "$1"/outbox/sent/*.csv; }      # SITE NO: mark and price

make_site a
orders 1 2 | put a/inbox/orders a.csv
run a -q
check "a batch is created" is '0 1' "$code $(open_ids a | wc -l)"
a=$(open_ids a)
check "its waybill pins the state of the mappings" grep -q '"kind":"config"' "a/.waybill/work/$a/$a.waybill.json"
send_map a new
prices a 20
orders 3 | put a/inbox/orders b.csv
run a -q
b=$(open_ids a | tail -1)
cmd a send --batch "$a"
check "the mapping changed: the batch goes on with that of its creation, and the table of now" is '0 old 20' "$code $(sent a 1)"
check "what the table held is kept" cmp "a/archive/config/$(sha256sum < a/tables/prices.csv | cut -c1-64)" a/tables/prices.csv
cmd a send --batch "$b"
check "a later batch has the new one" is '0 new 20' "$code $(sent a 3)"
mkdir -p then/mappings && send_map then old
check "the waybill names the mapping that was used" grep -q "$(sha256sum < then/mappings/send.map | cut -c1-64)" \
    "a/.waybill/work/$a/$a.waybill.json"
rm -rf a/outbox/list
cmd a do orders list --batch "$a"
check "list as it was" is '0' "$code"
printf '\n# changed\n' >> a/mappings/list.map
sed 's/"old"/"later"/' a/mappings/list.map > list && mv list a/mappings/list.map
cmd a do orders list --batch "$a"
check "another operation too keeps to it" is '0 2' "$code $(cat a/outbox/list/*.csv | grep -c '^1;.*old')"
cmd a renew "$a"
check "renew" is 0 "$code"
check "who did it is in the history" grep -q '"renewed"' "a/.waybill/work/$a/$a.waybill.json"
cmd a do orders list --batch "$a"
check "it goes on with the mappings of now" is '0 1' "$code $(cat a/outbox/list/*.csv | grep -c '^1;.*later')"

# --- a format that does not fit what is staged any more ----------------------------------------------------------------

make_site f
orders 1 2 | put f/inbox/orders a.csv
run f -q
f=$(open_ids f)
sed 's/Qty /Count /' f/mappings/parts/order.format > order && mv order f/mappings/parts/order.format
for m in send list; do sed 's/^    Qty /    Count /' "f/mappings/$m.map" > m && mv m "f/mappings/$m.map"; done
sed 's/=> Qty/=> Count/' f/mappings/create.map > m && mv m f/mappings/create.map
check "the changed site is whole" "$prog" check f/site.conf
cmd f send
check "an included format changed: the batch is read as it was written" is '0 old 10' "$code $(sent f 1)"
check "and its stamps are written" is 2 "$(cat "f/.waybill/work/$f/stage.2" | grep -c '"Qty":.*"Sent":')"
orders 3 | put f/inbox/orders b.csv
run f -q
g=$(open_ids f | tail -1)
cmd f send
check "beside it one of now" is '0 old 10' "$code $(sent f 3)"

# --- site.conf does not go with it -------------------------------------------------------------------------------------

orders 4 | put f/inbox/orders c.csv
run f -q
h=$(open_ids f | tail -1)
printf 'syntax csv delimiter ";" header yes\nencoding utf-8\n\nmessage Order {\n    No   text required\n    Done datetime\n}\n' \
    > f/mappings/sent.format
sed '/Sent/s/Sent/Done/' f/mappings/parts/order.format > order && mv order f/mappings/parts/order.format
printf 'mapping staged => sent\n\nOrder[not(Done)] => Order {\n    No   => No\n    Done => Done\n}\n' > f/mappings/send.map
cp f/mappings/send.map f/mappings/list.map
sed 's/when Sent/when Done/; s,Order/Sent,Order/Done,; /flow plain/,$d' f/site.conf > conf && mv conf f/site.conf
check "the site of now is whole" "$prog" check f/site.conf
cmd f send --batch "$h"
check "what does not go together is refused on the batch" is 1 "$code"
check "with the way out" said cmd.log CONFIG_GONE renew
check "it stays open" is open "$(json waits < "f/.waybill/work/$h/$h.waybill.json")"
cmd f renew "$h"
cmd f send --batch "$h"
check "renewed, it is sent" is 0 "$code"

# --- a reload while it is open, a file that is tried again --------------------------------------------------------------

make_site r
orders 1 | put r/inbox/orders a.csv
watch r -q
wait_for 60 has r/.waybill/work 2
r=$(open_ids r)
send_map r new
kill -HUP "$watcher"
orders 2 | put r/inbox/orders b.csv
wait_for 60 sh -c '[ $(ls r/.waybill/work | wc -l) = 2 ]'
cmd r send
check "after a reload each batch has its own" is '0 old 10' "$code $(sent r 1)"
cmd r renew "$r"
check "a watcher renews" is 0 "$code"
stop
rm -rf r/outbox/plain && : > r/outbox/plain
orders 1 | put r/inbox/plain p.csv
run r -q
check "a file waits for its outbox" is 5 "$code"
sed 's/"plain"/"changed"/' r/mappings/plain.map > m && mv m r/mappings/plain.map
rm r/outbox/plain
cmd r retry "$(open_ids r | tail -1)"
run r -q
check "tried again it has the mapping that it came with" grep -q ';plain;' r/outbox/plain/*
# --- done again ---------------------------------------------------------------------------------------------------------

batches() {                             # SITE: all of them, by their ids
    open_ids "$1"
    find "$1/archive" -name '*.zip' | sed 's/.*_//; s/\.zip$//'
    ls "$1/error" 2> /dev/null
}
replayed() {                            # SITE WANTED-CODE: replay of each batch of the site ends so
    for id in $(batches "$1"); do
        "$prog" replay --dir "$1" "$id" > replay.out 2>&1
        got=$?
        [ "$got" = "$2" ] || { echo "# $1 $id: exit code $got"; sed 's/^/#   /' replay.out; return 1; }
    done
}
state_of() { find "$1" -type f ! -path '*/lock*' -exec sha256sum {} + | sort | sha256sum; }

unnamed() { echo "$1/archive/config/$(echo nobody | sha256sum | cut -c1-64)"; }
for s in a f r; do
    kept=$(ls $s/archive/config | wc -l)
    echo nobody > "$(unnamed $s)"
    touch -d '10 days ago' $s/archive/config/*
    "$prog" purge "$s" > purge.out 2>&1
    check "purge takes what no batch of $s names: $kept kept, $(ls $s/archive/config | wc -l) left" \
        test $? = 0 -a ! -e "$(unnamed $s)" -a "$(ls $s/archive/config | wc -l)" -gt 5
    "$prog" fsck $s > fsck.out 2>&1
    result $? "and nothing that one does"
    prices "$s" 99
    state_of "$s" > before
    check "all batches of $s can be done again, although mappings and a table changed" replayed "$s" 0
    check "and nothing of $s changed by that" is "$(cat before)" "$(state_of "$s")"
done
rm -rf again
cmd a replay -o again "$a"
check "replay tells each run" said cmd.out "create " "send " "list " "outbox/sent/${a}_1.csv"
check "and can keep the bytes" cmp "again/1-send/outbox/sent/${a}_1.csv" "a/outbox/sent/${a}_1.csv"
cmd a replay -o again "$a"
check "what cannot be written there again is no difference" eval 'is 5 $code && said cmd.log again/ SYS_'
cmd a replay --json "$a"
check "as JSON too" is 'true 0' "$(json equal < cmd.out) $(json runs.0.run < cmd.out)"
cmd a cancel "$b"
cmd a replay "$b"
check "a batch in the archive" is '0 2' "$code $(grep -c ' equal$' cmd.out)"
cmd a replay 20200101-000000-1-1
check "no such batch" said cmd.log BATCH_NONE

# Set aside: the same refusal; an archive/config/ that lost something; a table that is too long.
printf 'No;Qty\n"7;1\n' | put a/inbox/plain bad.csv
orders 7 | put a/inbox/plain good.csv
run a -q
bad=$(ls a/error)
cmd a replay "$bad"
check "a file that was refused is refused again" is '0 1' "$code $(grep -c 'equal *refused *CSV_' cmd.out)"
sed 's/^zone/limit keep-table 10\n&/' a/site.conf > conf && mv conf a/site.conf
prices a 30
orders 8 | put a/inbox/plain long.csv
run a -q
long=$(find a/archive -name '*.zip' | sed 's/.*_//; s/\.zip$//' | by_age | tail -1)
prices a 31
cmd a replay "$long"
check "a table that is longer than the limit is not kept, and replay says so" is '3 1' "$code $(grep -c 'prices.*keep-table' cmd.out)"
check "fsck finds nothing in a" sound a
mv "a/archive/config/$(sed -n 's/.*"kind":"config","name":"manifest","sha256":"\([0-9a-f]*\)".*/\1/p' "a/.waybill/work/$a/$a.waybill.json")" manifest
"$prog" fsck a > fsck.out 2>&1
check "fsck misses a state of the mappings" said fsck.out FSCK_CONFIG
cmd a replay "$a"
check "without it what had it cannot be done again" is '0 1' "$code $(grep -c 'cannot be done again.*ARCHIVE_MISSING' cmd.out)"

# What is written down nowhere: a secret.
make_site s
mkdir -m 700 s/secrets && echo one > s/secrets/word && chmod 600 s/secrets/word
sed 's/^Order.*=>/param word text\n\n&/; s/"plain"/$word/' s/mappings/plain.map > m && mv m s/mappings/plain.map
sed 's/^table/set word secret "secrets\/word"\n&/' s/site.conf > conf && mv conf s/site.conf
orders 1 | put s/inbox/plain a.csv
run s -q
plain=$(batches s)
cmd s replay "$plain"
check "with the same secret it is the same" is 0 "$code"
echo two > s/secrets/word
cmd s replay "$plain"
check "with another one replay finds the difference" is '1 1' "$code $(grep -c '^  different *output' cmd.out)"

# --- the samples of two integrations ------------------------------------------------------------------------------------

"$prog" init goods --from "$top/mappings/24so-ongoing" > /dev/null
for f in 24so_products.xml:products 24so_companies.xml:companies 24so_orders.xml:orders ongoing_shipped.csv:shipped \
    ongoing_inventory.csv:inventory; do
    drop "$top/samples/ongoing24so/in/${f%:*}" "goods/inbox/${f#*:}"
done
run goods -q
sed 's/R-77/R-78/' "$top/samples/ongoing24so/in/24so_orders.xml" > again.xml
drop again.xml goods/inbox/orders
drop "$top/samples/ongoing24so/in/ongoing_shipped.csv" goods/inbox/shipped more.csv
run goods -q
rm -rf goods/error/*
rm -f goods/tables/*
check "24so-ongoing: every batch gives the same bytes, with the tables and ledgers of then" replayed goods 0

for s in f r; do
    check "fsck finds nothing in $s" sound "$s"
done
finish
