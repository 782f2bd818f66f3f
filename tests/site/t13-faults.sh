#!/bin/sh
# t13-faults.sh PROGRAM - bad files and a bad world: each ends in a clear problem with place, nothing lost, nothing half-visible
. "$(dirname "$0")/flow.sh"
begin "$1"
site=$work/site

fresh() {
    chmod -R u+w "$site" 2> /dev/null
    rm -rf "$site"
    "$prog" init "$site" > /dev/null
}
# refused NAME CODE: the file just put into the inbox is refused as a whole with that code, and kept
refused() {
    old "$site"/inbox/orders/* 2> /dev/null
    bytes=$(cksum < "$site/inbox/orders/x.csv")
    "$prog" run -q -n "$site" 2> "$work/log"
    code=$?
    if [ $code -ne 1 ] || ! grep -q "\[$2\]" "$work/log"; then
        bad "$1: exit code $code"
        sed 's/^/  /' "$work/log"
    elif [ "$(cksum < "$(find "$site/error" -name x.csv)")" != "$bytes" ]; then
        bad "$1: the file is not kept"
    elif [ "$(count "$site/outbox/warehouse")" -ne 0 ] || ! idle "$site"; then
        bad "$1: something is left"
    else
        ok "$1"
    fi
}

fresh
: > "$site/inbox/orders/x.csv"
refused "an empty file" EMPTY_FILE
fresh
printf 'OrderNo;Order date;Customer\n1;21.11.2026;A\n' > "$site/inbox/orders/x.csv"
refused "columns are missing" CSV_COLUMN
fresh
printf 'OrderNo;Order date;Customer;Country;Line;Article;Quantity\n1;21.11.2026;"A;Norway;1;K;1\n' > "$site/inbox/orders/x.csv"
refused "a quote without its end" CSV_QUOTE

fresh
orders "$site/inbox/orders/a.csv" a
cp "$site/inbox/orders/a.csv" "$site/inbox/orders/b.csv"
old "$site"/inbox/orders/*
"$prog" run -q -n "$site" 2> "$work/log"
check "one content, two names: one is a duplicate" has "$work/log" DUP_CONTENT
check "one output" same "$(count "$site/outbox/warehouse")" 1
check "its messages are told with line, column and reason" has "$work/log" ':6:.*Line\[1\]/Quantity: "12x" is not a decimal \[NUM_BAD\]'

fresh
mkfifo "$site/inbox/orders/pipe.csv"
ln -s /etc/passwd "$site/inbox/orders/link.csv"
mkdir "$site/inbox/orders/folder.csv"
touch "$site/inbox/orders/.hidden" "$site/inbox/orders/y.part"
old -h "$site"/inbox/orders/*
timeout 60 "$prog" run -q -n "$site" 2> "$work/log"
check "what is no file stays where it is" same "$(ls -A "$site/inbox/orders" | wc -l)" 5
check "and is no batch" same "$(zips "$site")" 0

if [ "$(id -u)" -ne 0 ]; then
    fresh
    orders "$site/inbox/orders/a.csv" a
    old "$site"/inbox/orders/*
    chmod a-w "$site/outbox/warehouse"
    "$prog" run -q -n "$site" 2> "$work/log"
    check "a read-only outbox: exit code 5" same $? 5
    check "nothing is visible" same "$(count "$site/outbox")" 0
    chmod u+w "$site/outbox/warehouse"
    "$prog" run -q -n "$site" 2> "$work/log"
    check "and goes when it is mended" same "$(count "$site/outbox/warehouse")" 1
fi

fresh
orders "$site/inbox/orders/a.csv" a
old "$site"/inbox/orders/*
rmdir "$site/outbox/warehouse"
: > "$site/outbox/warehouse"
"$prog" run -q -n "$site" 2> "$work/log"
check "no outbox: exit code 5" same $? 5
check "the batch waits" same "$(ls "$site/.waybill/work" | wc -l)" 1
check "nothing is visible yet" same "$(count "$site/outbox/log")" 0
rm "$site/outbox/warehouse"
"$prog" run -q -n "$site" 2> "$work/log"
check "it goes on later" same "$(count "$site/outbox/warehouse") $(count "$site/outbox/log")" "1 1"

fresh
sed -i 's/orders_{batch}.xml/fixed.xml/' "$site/site.conf"
orders "$site/inbox/orders/a.csv" a
orders "$site/inbox/orders/b.csv" b
old "$site"/inbox/orders/*
"$prog" run -q -n "$site" 2> "$work/log"
check "a name that is taken is never overwritten" same "$(grep -c '<Order number="a-' "$site/outbox/warehouse/fixed.xml")" 2
mv "$site/outbox/warehouse/fixed.xml" "$work/"
"$prog" run -q -n "$site" 2> "$work/log"
check "and waits for its turn" same "$(grep -c '<Order number="b-' "$site/outbox/warehouse/fixed.xml")" 2

# libarchive comes with the first zip of a file that is not short: an empty file in its place is none.
fresh
orders "$site/inbox/orders/a.csv" a
for i in $(seq 100); do sed -n "2s/^/$i/p" "$site/inbox/orders/a.csv"; done > "$work/more"
cat "$work/more" >> "$site/inbox/orders/a.csv"
old "$site"/inbox/orders/*
mkdir "$work/lib"
: > "$work/lib/libarchive.so.13"
LD_LIBRARY_PATH=$work/lib "$prog" run -q -n "$site" 2> "$work/log"
check "no libarchive: exit code 5" same $? 5
check "the package that has it is told" has "$work/log" 'apt-get install libarchive13'
check "what can be delivered is" same "$(count "$site/outbox/warehouse") $(zips "$site")" "1 0"
check "the batch waits for it" grep -q '"cause": *"SYS_LIBRARY"' "$site"/.waybill/work/*/*.waybill.json
"$prog" run -q -n "$site" 2> "$work/log"
check "and is archived when it is there" same "$(count "$site/outbox/warehouse") $(zips "$site")" "1 1"

fresh
printf 'zone "Europe/Osla"\nflw x {\n}\nflow a {\n    operation b {\n        take inbx "in"\n    }\n}\n' > "$site/site.conf"
"$prog" run -q -n "$site" 2> "$work/log"
check "a wrong site: exit code 3" same $? 3
check "all its errors at once" same "$(grep -c ' error: ' "$work/log")" 3
"$prog" run "$work/none" 2> "$work/log"
check "no site: exit code 3" same $? 3
"$prog" run 2> "$work/log"
check "no folder: exit code 2" same $? 2
exit $failed
