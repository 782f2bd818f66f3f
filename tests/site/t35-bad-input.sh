#!/bin/sh
# t35-bad-input - whatever is dropped: the others go on, nothing is lost, each fault is told with its place
. "$(dirname "$0")/lib.sh"

{ flow orders name orders; flow items 'stable 1s complete' to-rows; } | small_site site
cat > site/mappings/orders.format << 'END'
syntax csv delimiter ";" header exact
encoding utf-8

message Order key No {
    No   text required
    Date date required
    group Line 1..* key Line {
        Line integer required
        Qty  decimal required
    }
}
END
cat > site/mappings/orders.map << 'END'
mapping orders <=> orders

Order <=> Order {
    No   <=> No
    Date <=> Date
    Line <=> Line {
        Line <=> Line
        Qty  <=> Qty
    }
}
END
mkdir -p site/inbox/orders site/inbox/items
o=site/inbox/orders
x=site/inbox/items
head='No;Date;Line;Qty'
good='A;2026-01-02;1;1'
bad='B;2026-01-02;1;2'
last='C;2026-01-02;1;3'

# FILE CODE HOW: HOW is whole (the file is set aside) or part (only message B is).
cat > faults << 'END'
quote.csv      CSV_QUOTE      whole
few.csv        ROW_SHORT      part
many.csv       ROW_LONG       part
decimal.csv    NUM_BAD        part
date.csv       DATE_BAD       part
utf8.csv       ENCODING_BAD   part
latin1.csv     ENCODING_BAD   part
nul.csv        CSV_NUL        part
column.csv     CSV_HEADER     whole
missing.csv    REQUIRED       part
split.csv      KEY_SPLIT      whole
empty.csv      EMPTY_FILE     whole
field.csv      LIMIT_FIELD    whole
truncated.xml  XML_TRUNCATED  whole
bomb.xml       XML_DTD        whole
entity.xml     XML_DTD        whole
deep.xml       LIMIT_DEPTH    whole
attributes.xml LIMIT_ATTRIBUTES whole
empty.xml      XML_EMPTY      whole
END
printf '%s\n%s\n"B;2026\n%s\n' "$head" "$good" "$last" > $o/quote.csv
printf '%s\n%s\nB;2026-01-02;1\n%s\n' "$head" "$good" "$last" > $o/few.csv
printf '%s\n%s\n%s;9\n%s\n' "$head" "$good" "$bad" "$last" > $o/many.csv
printf '%s\n%s\n%sx5\n%s\n' "$head" "$good" "$bad" "$last" > $o/decimal.csv
printf '%s\n%s\nB;2026-02-30;1;1\n%s\n' "$head" "$good" "$last" > $o/date.csv
printf '%s\n%s\nB\377;2026-01-02;1;1\n%s\n' "$head" "$good" "$last" > $o/utf8.csv
printf '%s\n%s\nB\370d\345;2026-01-02;1;1\n%s\n' "$head" "$good" "$last" > $o/latin1.csv
printf '%s\n%s\nB\000;2026-01-02;1;1\n%s\n' "$head" "$good" "$last" > $o/nul.csv
printf '%s;Price\n%s;1\n' "$head" "$good" > $o/column.csv
printf '%s\n%s\nB;;1;1\n%s\n' "$head" "$good" "$last" > $o/missing.csv
printf '%s\n%s\n%s\nA;2026-01-02;2;1\n' "$head" "$good" "$bad" > $o/split.csv
: > $o/empty.csv
{ printf '%s\n%s\n' "$head" "$good"; head -c 100000000 /dev/zero | tr '\0' x; printf ';2026-01-02;1;1\n%s\n' "$last"; } > $o/field.csv
printf '<Items><Item id="1"><Qty>1</Qty></Item><Item id="2">' > $x/truncated.xml
printf '<!DOCTYPE Items [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><Items><Item id="&c;"/></Items>' > $x/bomb.xml
printf '<!DOCTYPE Items [<!ENTITY x SYSTEM "file:///etc/passwd">]><Items><Item id="1"><Qty>&x;</Qty></Item></Items>' > $x/entity.xml
awk 'BEGIN { for (i = 1; i <= 65; i++) s = s "<Items>"; for (i = 1; i <= 65; i++) s = s "</Items>"; print s }' > $x/deep.xml
awk 'BEGIN { s = "<Items><Item id=\"1\""; for (i = 1; i <= 100000; i++) printf "%s", (i == 1 ? s : "") " a" i "=\"1\""; print "/></Items>" }' > $x/attributes.xml
: > $x/empty.xml
for i in 1 2 3; do printf '%s\nG%s;2026-01-02;1;%s\n' "$head" $i $i > $o/good$i.csv; done
printf '<Items><Item id="1"><Qty>1</Qty></Item></Items>' > $x/good.xml
touch -d '3 hours ago' $o/* $x/*
mkdir kept && cp $o/* $x/* kept/
run site --no-fsync
check "many bad files: exit code 1" is 1 "$code"
check "the good ones come out" is "good.xml good1.csv good2.csv good3.csv" "$(outputs site/outbox | grep good | xargs -n1 basename | xargs)"
while read -r f want how; do
    w=$(grep -l "\"name\":\"$f\"" site/error/*/*.waybill.json)
    ok=0
    [ -n "$w" ] || { echo "# no waybill in error/"; ok=1; w=/dev/null; }
    grep -q "\"code\":\"$want\"" "$w" || { echo "# problems: $(grep -o '"\(error_\)\?code":"[^"]*"' "$w" | xargs)"; ok=1; }
    grep -q '"line":[0-9]*,"column"' "$w" || case $f in empty.*) ;; *) echo "# no place: $(grep '"severity"' "$w")"; ok=1 ;; esac
    [ "$w" != /dev/null ] || { result 1 "$f: $want, $how"; continue; }
    d=$(dirname "$w")
    if [ $how = whole ]; then
        cmp -s "kept/$f" "$d/$f" || { echo "# not there whole: $(ls "$d")"; ok=1; }
        [ -z "$(outputs site/outbox | grep "/$f$")" ] || { echo "# and yet there is an output"; ok=1; }
    else
        is "A C" "$(sed '1d;s/;.*//' "site/outbox/orders/$f" | xargs)" || ok=1
        grep -a '^B' "kept/$f" > b; tail -n +2 "$d/$f" | cmp -s - b || { echo "# set aside: $(cat -v "$d/$f")"; ok=1; }
    fi
    result $ok "$f: $want, $how"
done < faults
check "wrongly declared encoding: the charset that would decode is named" sh -c 'grep -h "\"hint\"" site/error/*/*.waybill.json | grep -qi "iso-8859-1\|windows-1252"'
check "nothing is left in the inboxes" is "" "$(find site/inbox -type f)"

# What is no plain file of an honest sender stays, and is told once.
flow names | small_site names
i=names/inbox/names
mkdir -p $i away
rows 1 1 > away/secret.csv
mkfifo $i/fifo.csv
mkdir $i/folder.csv
ln -s ../../../away/secret.csv $i/link.csv
ln -s nowhere $i/dangling.csv
ln -s loop.csv $i/loop.csv
ln away/secret.csv $i/hard.csv
for f in .hidden.csv x.part x.csv.tmp '~$x.csv' Thumbs.db; do rows 1 1 > "$i/$f"; done
rows 1 2 > $i/good.csv
cat > sock.py << 'END'
import socket
socket.socket(socket.AF_UNIX).bind("names/inbox/names/socket.csv")
END
! command -v python3 > /dev/null || python3 sock.py
find $i -mindepth 1 ! -name good.csv | sort > before
watch names --no-fsync
check "the plain file is taken" wait_for 60 test -f names/outbox/names/good.csv
rows 5 9 > .second && mv .second $i/second.csv
check "and another, after a second look" wait_for 60 test -f names/outbox/names/second.csv
stop
find $i -mindepth 1 | sort > after
check "fifo, folder, links, socket, hidden and temporary names stay" same before after
check "each kind is told once" is "$(grep -c '\(fifo\|folder\|link\|dangling\|loop\|socket\).csv$' before) 1" "$(grep -c INBOX_KIND watch.log) $(grep -c INBOX_LINKED watch.log)"
check "hidden and temporary names are not told" not_said watch.log .hidden

# Names are bytes: processed, and shown without harm.
newline=$(printf 'a\nb.csv_')
escape=$(printf '\033]0;pwn\007.csv')
latin=$(printf 'f\370l\377.csv')
long=$(printf '%0251d.csv' 7)
printf '%s\n' '-rf' ' .csv ' '%n%s.csv' '$(id).csv' ';id;.csv' '*.csv' 'a\\b.csv' '..csv' "é.csv" > plain.names
flow names | small_site odd
sed -i 's/name "{file}"/name "{batch}.csv"/' odd/site.conf
mkdir -p odd/inbox/names
n=1
for f in "$newline" "$escape" "$latin" "$long" '-rf' '%n%s.csv' '$(id).csv' ';id;.csv' '*.csv' 'a\b.csv' ' x.csv ' 'é.csv'; do
    { rows $n $n; echo "bad$n;1x"; } > "odd/inbox/names/$f"
    n=$((n + 1))
done
run odd --no-fsync
check "hostile names are processed: 12 files, 12 outputs" is "0 12 12" "$(ls odd/inbox/names | wc -l) $(outputs odd/outbox | wc -l) $(archived odd)"
grep -v '^    ' run.log > said        # without the quoted line of the file
"$prog" status odd > status.txt 2>> said
harmless() { LC_ALL=C tr -d '\n\t -~' < "$1" | LC_ALL=C sed 's/é//g; s/…//g' | cmp -s - /dev/null; }
check "the log has no control bytes and no broken characters" harmless said
check "nor has status" harmless status.txt
check "each batch is one line of status" is 12 "$(grep -c ' names ' status.txt)"
"$prog" status --json odd > status.json
check "status --json is JSON" is 12 "$(json batches.# < status.json)"
ok=0
for w in $(find odd/archive -name '*.waybill.json'); do
    json name < "$w" > /dev/null || ok=1
    id=$(basename "$w" .waybill.json)
    "$prog" show --dir odd "$id" > show.txt 2>&1 || ok=1
    harmless show.txt || { echo "# $id"; ok=1; }
    "$prog" show --json --dir odd "$id" | json name > /dev/null || ok=1
done
result $ok "waybills are JSON, show is harmless"
check "refused messages keep the name of their file" is 12 "$(find odd/error -type f ! -name '*.json*' -print0 | tr -dc '\0' | wc -c)"

# Faults of the world.  The superuser may write everywhere, so these run as nobody where that can be done.
as=''
if [ "$(id -u)" = 0 ]; then
    chmod 711 "$tmp"
    as='setpriv --reuid 65534 --regid 65534 --clear-groups'
    $as "$prog" --version > /dev/null 2>&1 || as=''
fi
own() { [ -z "$as" ] || chown -R 65534:65534 "$1"; }
lock() { if [ -n "$as" ] || [ "$(id -u)" != 0 ]; then chmod 555 "$1"; else mv "$1" "$1.away" && : > "$1"; fi; }
unlock() { if [ -n "$as" ] || [ "$(id -u)" != 0 ]; then chmod 755 "$1"; else rm "$1" && mv "$1.away" "$1"; fi; }
{ flow world; flow other; } | retry 300ms | small_site world
mkdir -p world/inbox/world world/inbox/other world/outbox/world
rows 1 3 > world/inbox/world/a.csv
rows 1 3 > world/inbox/other/b.csv
own world
lock world/outbox/world
$as "$prog" run --no-fsync world > /dev/null 2> run.log < /dev/null
check "read-only outbox: exit code 5, something waits" is 5 $?
check "read-only outbox: the problem names it" said run.log outbox/world
check "read-only outbox: other flows go on" test -f world/outbox/other/b.csv
w=$(one world/.waybill/work '*.waybill.json')
check "read-only outbox: the retry is in the waybill" sh -c 'json=$1; shift; "$json" retry.cause < "$1" && "$json" retry.attempts < "$1" && "$json" retry.next < "$1"' - "$tools/json" "$w" > retry.txt
check "read-only outbox: with cause and time" sh -c 'sed -n 1p retry.txt | grep -q . && sed -n 3p retry.txt | grep -q "^20..-"'
check "read-only outbox: status tells it" sh -c '"$1" status world | grep -q "again at"' - "$prog"
: > watch.log
$as "$prog" watch --no-fsync world 2>> watch.log < /dev/null &
watcher=$!
started="$started $watcher"
wait_for 60 watching world
sleep 0.5
check "nothing is visible while it cannot be written" sh -c '! [ -f world/outbox/world/a.csv ]'
unlock world/outbox/world
check "delivered when it can be written again" wait_for 60 test -f world/outbox/world/a.csv
check "once, whole" same kept.csv "$(rows 1 3 > kept.csv; echo world/outbox/world/a.csv)"
wait_for 60 eval '[ $(archived world) = 2 ]'
if [ -n "$as" ] || [ "$(id -u)" != 0 ]; then
    put() { own .next && mv .next "world/inbox/other/$1"; }
    rows 1 4 > .next && chmod 000 .next && put secret.csv
    rows 1 5 > .next && put next.csv
    check "an unreadable file: others go on" wait_for 60 test -f world/outbox/other/next.csv
    rows 1 6 > .next && put next2.csv
    wait_for 60 test -f world/outbox/other/next2.csv
    check "an unreadable file is told once" is 1 "$(grep -c 'secret.csv' watch.log)"
    check "an unreadable file stays" test -f world/inbox/other/secret.csv
    chmod 644 world/inbox/other/secret.csv
    rows 1 7 > .next && put next3.csv
    check "until it may be read" wait_for 60 test -f world/outbox/other/secret.csv
fi
stop
check "the watcher lives" is 0 "$code"
if [ -n "$as" ] || [ "$(id -u)" != 0 ]; then
    rows 1 8 > .next && put stays.csv
    rows 1 8 > .next && own .next && mv .next world/inbox/world/goes.csv
    chmod 555 world/inbox/other
    $as "$prog" run --no-fsync world > /dev/null 2> run.log < /dev/null
    check "an inbox that may not be emptied: exit code 5" is 5 $?
    check "an inbox that may not be emptied: it is named, with what to do" said run.log inbox/other: INBOX_DENIED 'the right to rename in this folder'
    check "an inbox that may not be emptied: the others are" test -f world/outbox/world/goes.csv
    chmod 755 world/inbox/other
    $as "$prog" run --no-fsync world > /dev/null 2> run.log < /dev/null
    check "emptied when it may be: exit code 0" is "0 world/outbox/other/stays.csv" "$? $(ls world/outbox/other/stays.csv)"
fi

# Files that vanish before they are taken.
flow gone | small_site vanish
mkdir -p vanish/inbox/gone
: > watch.log
watch vanish --no-fsync
for n in $(seq 60); do
    rows $n $n > "vanish/inbox/gone/.n" && mv vanish/inbox/gone/.n "vanish/inbox/gone/$n.csv"
    rm -f "vanish/inbox/gone/$n.csv"
done
rows 100 200 > .end && mv .end vanish/inbox/gone/end.csv
check "files that vanish: the watcher goes on" wait_for 60 test -f vanish/outbox/gone/end.csv
wait_for 60 eval '[ -z "$(ls vanish/.waybill/work vanish/.waybill/claim | grep -v : | grep .)" ]'
stop
check "each that was taken came out" is "$(grep -c event=accepted watch.log)" "$(outputs vanish/outbox | wc -l)"
check "and none failed" is "0 0" "$code $(in_error vanish)"

# A table that is not there.
{ cat << 'END'; flow lookup name lookup; flow plain; } | small_site table
table names "tables/names.csv" format names
END
printf 'syntax csv delimiter ";" header yes\nencoding utf-8\n\nmessage Name key Id {\n    Id   text required\n    Name text\n}\n' > table/mappings/names.format
printf 'mapping rows => rows\n\ntable names key Id columns Name\n\nRow => Row {\n    $names[Id]/Name => Id\n    Qty => Qty\n}\n' > table/mappings/lookup.map
mkdir -p table/inbox/lookup table/inbox/plain table/tables
rows 1 1 > table/inbox/lookup/a.csv
rows 1 1 > table/inbox/plain/b.csv
run table --no-fsync
check "a missing table: the flow is told, with the file" said run.log names.csv
check "a missing table: other flows go on" test -f table/outbox/plain/b.csv
check "a missing table: nothing comes out wrong, the row is set aside" is "Id;Qty 1;1 " "$(xargs < "$(one table/error a.csv)") $(sed 1d table/outbox/lookup/a.csv)"
printf 'Id;Name\n1;one\n' > table/tables/names.csv
sleep 0.1
run table --no-fsync
check "with the table it goes on or can be dropped again" sh -c 'rm -f table/inbox/lookup/a.csv; printf "Id;Qty\n1;5\n" > table/inbox/lookup/c.csv; "$1" run -n table 2> run.log; grep -q "^one;5" table/outbox/lookup/c.csv' - "$prog"
# Refused messages of several lists: each stands in its own again, in a file that is read as it is once they are mended.
{ flow xml; flow json; } | small_site lists
for kind in xml json; do
    { printf 'syntax %s\nencoding utf-8\n\n' $kind
      for m in Order:/Doc/orders/order Return:/Doc/returns/return Credit:/Doc/credit; do
          at=${m#*:}
          [ $kind = xml ] || at=${at#/Doc} at=/${at#/} at=${at%/order} at=${at%/return}
          printf 'message %s at %s {\n    Id  text    required\n    Qty integer required\n}\n\n' "${m%%:*}" "$at"
      done; } > lists/mappings/$kind.format
    { printf 'mapping %s => rows\n\n' $kind
      for m in Order:o Return:r Credit:c; do
          printf '%s => Row {\n    concat("%s", Id) => Id\n    Qty => Qty\n}\n\n' "${m%%:*}" "${m#*:}"
      done; } > lists/mappings/$kind.map
    sed -i "/outbox\/$kind\"/s/map copy/map $kind/" lists/site.conf
    mkdir -p lists/inbox/$kind
done
xml() {                                 # NAME ID QTY
    printf '<%s><Id>%s</Id><Qty>%s</Qty></%s>' "$1" "$2" "$3" "$1"
}
json() { printf '{"Id":"%s","Qty":"%s"}' "$2" "$3"; }           # the same
document() {                            # KIND QTY…: of orders 1 and 2, return 3, credit 4 and return 5
    a=$($1 order 1 "$2") b=$($1 order 2 "$3") c=$($1 return 3 "$4") d=$($1 credit 4 "$5") e=$($1 return 5 "$6")
    if [ $1 = xml ]; then
        printf '<Doc><orders>%s%s</orders><n>1</n><returns>%s</returns>%s<returns>%s</returns></Doc>\n' "$a" "$b" "$c" "$d" "$e"
    else
        printf '{"orders":[%s,%s],"n":1,"credit":%s,"returns":[%s,%s]}\n' "$a" "$b" "$d" "$c" "$e"
    fi
}
ids() { cat lists/outbox/*/* 2> /dev/null | sed '/^Id;/d;s/;.*//' | sort | xargs; }
for kind in xml json; do
    for bad in 1 3 4 13 24 35 45 1234 12345; do
        set --
        want='' rest=''
        for m in o1 o2 r3 c4 r5; do
            case $bad in *${m#?}*) set -- "$@" x7; rest="$rest$m " ;; *) set -- "$@" 7; want="$want$m " ;; esac
        done
        rm -rf lists/error lists/outbox/*
        document $kind "$@" > lists/inbox/$kind/doc
        run lists --no-fsync
        ok=0
        is "$(printf '%s\n' $want | sort | xargs)" "$(ids)" || ok=1
        refused=$(one lists/error doc) || ok=1
        rm -rf lists/outbox/*
        sed 's/x7/7/g' "$refused" > lists/inbox/$kind/doc
        run lists --no-fsync
        is "$(printf '%s\n' $rest | sort | xargs)" "$(ids)" || { cat "$refused"; tail -3 run.log; ok=1; }
        result $ok "$kind: refused are $bad of several lists"
    done
done
# A message of a file has no batch in which it could wait: it is set aside, and goes on when it is dropped again.
flow names | small_site waits
sed -i 's/^    Id /    require Qty < 5 else wait LATER "not yet"\n&/' waits/mappings/copy.map
mkdir -p waits/inbox/names
{ rows 1 2; echo '3;9'; rows 4 4 | sed 1d; } > waits/inbox/names/a.csv
run waits --no-fsync
check "one that is to wait is set aside, the others go on" is "1 Id;Qty 1;1 2;1 4;1 Id;Qty 3;9" \
    "$code $(xargs < waits/outbox/names/a.csv) $(xargs < "$(one waits/error a.csv)")"
check "with its reason" said "$(one waits/error '*.waybill.json')" '"code":"LATER"'
finish
