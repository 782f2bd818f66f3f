#!/bin/sh
# t37-outputs - empty, each, several outputs, shared inboxes, texts per language, events from elsewhere
. "$(dirname "$0")/lib.sh"

# empty skip and empty write; several outputs of one pass.
small_site site << 'END'
flow rows {
    on yes
    operation convert {
        take inbox  "inbox/rows" ready name
        give outbox "outbox/skip"  name "{file}"     map positive empty skip
        give outbox "outbox/write" name "{file}"     map positive empty write
        give outbox "outbox/all"   name "{file}"     map copy
        give outbox "outbox/all"   name "{file}.xml" map to-items
    }
}
END
sed 's/^Row <=> Row {/&\n    require Qty > 0 else skip NOTHING "no quantity"/' site/mappings/copy.map > site/mappings/positive.map
mkdir -p site/inbox/rows
rows 1 3 > site/inbox/rows/some.csv
printf 'Id;Qty\n1;0\n' > site/inbox/rows/none.csv
printf 'Id;Qty\n' > site/inbox/rows/head.csv
run site --no-fsync
check "empty skip: no file without a message" is some.csv "$(outputs site/outbox/skip | xargs -n1 basename)"
check "empty write: a file with its head" is "Id;Qty Id;Qty" "$(cat site/outbox/write/none.csv site/outbox/write/head.csv | xargs)"
check "several outputs of one pass" is "head.csv head.csv.xml none.csv none.csv.xml some.csv some.csv.xml" \
    "$(outputs site/outbox/all | xargs -n1 basename | xargs)"
check "each in its own syntax" sh -c 'grep -q "<Item id=\"3\">" site/outbox/all/some.csv.xml && grep -q "^3;1" site/outbox/all/some.csv'

# each: one file per message, names from the data, never out of the outbox.
small_site each << 'END'
flow rows {
    on yes
    operation convert {
        take inbox  "inbox/rows" ready name
        give outbox "outbox/one" name "row_{Id}.csv" map copy each
        give outbox "outbox/bare" name "{Id}" map copy each
    }
}
END
mkdir -p each/inbox/rows
cat > each/inbox/rows/a.csv << 'END'
Id;Qty
plain;1
../../x;2
/etc/y;3
a/b;4
..;5
.hidden;6
-rf;7
"new
line";8
END
run each --no-fsync
check "each: one file per message" is 8 "$(outputs each/outbox/one | wc -l)"
check "each: named from the data" is "plain;1" "$(tail -1 each/outbox/one/row_plain.csv)"
check "each: nothing leaves the outbox" is "each/outbox/bare each/outbox/one" "$(find . -newer each/site.conf -type f ! -path './each/.waybill/*' ! -path './each/archive/*' ! -path './run.*' \
    ! -path './each/inbox/*' ! -path './each/error/*' ! -path './each/mappings/*' -exec dirname {} + | sort -u | sed 's/^\.\///' | xargs)"
check "each: no hidden names, no options, no folders" is "" "$(find each/outbox \( -name '.*' -o -name '-*' -o -name '*
*' \) ; find each/outbox -mindepth 2 -type d)"
check "each: every message has its file" is 8 "$(find each/outbox/bare -type f | wc -l)"
rows 1 300 > each/inbox/rows/many.csv
sed -i 1d each/inbox/rows/many.csv && sed -i '1i Id;Qty' each/inbox/rows/many.csv
run each --no-fsync
check "each: three hundred messages of one file" is "308" "$(outputs each/outbox/one | wc -l)"

# A name that is taken: within one file the second gets a number, a later file waits until the first is fetched.
sed -i 's/    on yes/    on yes\n    retry 300ms/' each/site.conf
printf 'Id;Qty\nsame;1\nsame;2\n' > each/inbox/rows/same.csv
run each --no-fsync
check "each: a name that comes twice gets a number" is "same;1 same;2" "$(sed 1d each/outbox/one/row_same.csv) $(sed 1d each/outbox/one/row_same-2.csv)"
printf 'Id;Qty\nsame;3\n' > each/inbox/rows/later.csv
run each --no-fsync
check "a file that is there is never overwritten" sh -c "[ $code = 5 ] && grep -q OUTBOX_TAKEN run.log && grep -q 'same;1' each/outbox/one/row_same.csv"
mkdir fetched && mv each/outbox/one/row_same.csv each/outbox/bare/same fetched/
wait_for 60 eval 'run each --no-fsync; [ $code = 0 ]'
check "the next one comes when it is fetched" is "same;3" "$(sed 1d each/outbox/one/row_same.csv)"

# Two flows on one inbox: told apart by type, else refused.
share() {                               # WORDS FOR THE FIRST, FOR THE SECOND
    cat << END
flow items {
    on yes
    operation convert {
        take inbox  "inbox/shared" $1
        give outbox "outbox/items" name "{file}.csv" map to-rows
    }
}
flow others {
    on yes
    operation convert {
        take inbox  "inbox/shared" $2
        give outbox "outbox/others" name "{file}.csv" map others
    }
}
END
}
others() {
    sed 's/Item at \/Items\/Item/Other at \/Others\/Other/' "$1/mappings/items.format" > "$1/mappings/others.format"
    sed 's/mapping items/mapping others/; s/^Item/Other/' "$1/mappings/to-rows.map" > "$1/mappings/others.map"
}
share 'ready name' 'ready name' | small_site shared
others shared
run shared
check "two flows on one inbox without type: the site is refused" is "3 1" "$code $(grep -c SITE_INBOX_SHARED run.log)"
share 'ready name complete type "Items"' 'ready name complete type "Others"' | small_site typed
others typed
mkdir -p typed/inbox/shared
echo '<Items><Item id="1"><Qty>1</Qty></Item></Items>' > typed/inbox/shared/i.xml
echo '<Others><Other id="2"><Qty>2</Qty></Other></Others>' > typed/inbox/shared/o.xml
echo '<Neither><Other id="2"/></Neither>' > typed/inbox/shared/n.xml
echo '<!-- not <Others> but --><?and <Others>?><Items><Item id="1"><Qty>3</Qty></Item></Items>' > typed/inbox/shared/j.xml
touch -d '2 minutes ago' typed/inbox/shared/*
run typed
check "with type each takes its own" is "typed/outbox/items/i.xml.csv typed/outbox/items/j.xml.csv typed/outbox/others/o.xml.csv" "$(outputs typed/outbox | xargs)"
check "what no flow takes stays and is told" sh -c 'test -f typed/inbox/shared/n.xml && grep -q UNROUTED run.log'

# A title is compared as what it says, whatever the bytes of the file.
{ flow polish 'name type "Ilość"' polish; flow rows 'name type "Id"'; } | sed 's,inbox/[a-z]*,inbox/in,' | small_site titled
sed 's/utf-8/windows-1250/; s/Qty decimal/& at "Ilość"/; s/^    Id .*//; s/^}/    Id text required\n}/' titled/mappings/rows.format > titled/mappings/polish.format
sed 's/mapping rows/mapping polish/' titled/mappings/copy.map > titled/mappings/polish.map
mkdir -p titled/inbox/in
printf 'Ilo\234\346;Id\n5;p\n' > titled/inbox/in/p.csv
printf '\377\376I\0d\0;\0Q\0t\0y\0\n\0u\0;\0001\0\n\0' > titled/inbox/in/u.csv
printf 'sep=;\r\n\r\nId;Qty\r\ns;1\r\n' > titled/inbox/in/s.csv
touch -d '2 minutes ago' titled/inbox/in/*
run titled
check "titles in other charsets, behind marks and sep= lines" is "titled/outbox/polish/p.csv titled/outbox/rows/s.csv titled/outbox/rows/u.csv" \
    "$(outputs titled/outbox | xargs)"

# Texts per language in the log of messages, and the same outputs.
for language in '' 'language de'; do
    d=texts${language#language }
    { echo "$language"; cat << 'END'; } | small_site "$d"
texts de {
    NOTHING "Zeile {Id}: keine Menge"
}
flow rows {
    on yes
    operation convert {
        take inbox  "inbox/rows" ready name
        give outbox "outbox/rows" name "{file}" map positive empty skip
        give outbox "outbox/log"  name "{file}" map log report empty skip
    }
}
END
    sed 's/^Row <=> Row {/&\n    require Qty > 0 else skip NOTHING "row {Id}: no quantity"/' "$d/mappings/copy.map" > "$d/mappings/positive.map"
    printf 'syntax csv delimiter ";" header yes\nencoding utf-8\n\nmessage Entry {\n    Key  text\n    Text text\n}\n' > "$d/mappings/log.format"
    printf 'mapping rows => log\n\n$outcome/Problem[Text] => Entry {\n    ../../Id => Key\n    Text => Text\n}\n' > "$d/mappings/log.map"
    mkdir -p "$d/inbox/rows"
    printf 'Id;Qty\n1;1\n2;0\n' > "$d/inbox/rows/a.csv"
    run "$d" --no-fsync
done
check "texts: the mapping's own" is "2;row 2: no quantity" "$(tail -1 texts/outbox/log/a.csv)"
check "texts: of the site's language" is "2;Zeile 2: keine Menge" "$(tail -1 textsde/outbox/log/a.csv)"

# Events from another program.
if command -v inotifywait > /dev/null; then
    flow rows | small_site events
    mkdir -p events/inbox/rows
    mkfifo pipe
    inotifywait -m -r -e close_write,moved_to --format '%w%f%0' --no-newline "$tmp/events/inbox" > pipe 2> eyes &
    eyes=$!
    "$prog" watch --no-fsync --events - events < pipe 2> watch.log &
    watcher=$!
    started="$started $eyes $watcher"
    wait_for 60 watching events
    wait_for 60 grep -q established eyes
    rows 1 2 > .drop && mv .drop 'events/inbox/rows/with blank.csv'
    check "events of inotifywait wake the watcher" wait_for 60 test -f events/outbox/rows/with_blank.csv
    newline=$(printf 'two\nlines.csv_')
    rows 1 3 > .drop && mv .drop "events/inbox/rows/$newline"
    check "a name with a line break too" wait_for 60 eval '[ $(outputs events/outbox | grep -c .) -ge 2 ]'
    kill "$eyes"
    check "when they end, that is told and the folders are read instead" wait_for 60 grep -q WATCH_POLLING watch.log
    rows 1 4 > .drop && mv .drop events/inbox/rows/later.csv
    check "a drop still comes through" wait_for 60 test -f events/outbox/rows/later.csv
    stop
    check "and TERM ends it" is 0 "$code"
fi

# One file per message: more of them than an archive once took.
small_site many << END
flow rows {
    on yes
    operation convert {
        take inbox  "inbox/rows" ready name
        give outbox "outbox/rows" name "{Id}.csv" map copy each
    }
}
END
mkdir -p many/inbox/rows
rows 1 1200 > many/inbox/rows/all.csv
run many -q -n
check "1,200 outputs of one batch: all there, archived" is "0 1200 1" "$code $(ls many/outbox/rows | wc -l) $(archived many)"
check "and the archive is in order" sound many

# Several targets of one message: of one that is refused none goes out, and no file without any.
mkdir -p split/mappings split/inbox split/outbox/rows split/outbox/each split/outbox/skip
printf 'syntax json lines\nmessage Doc key No {\n    No text required\n    group Line 0..* {\n        Text text\n    }\n}\n' > split/mappings/docs.format
printf 'syntax csv delimiter ";" header yes\nencoding latin1\nmessage Row {\n    No text required\n    Text text\n}\n' > split/mappings/rows.format
printf 'mapping docs => rows\nDoc/Line => Row {\n    ../No => No\n    Text => Text\n}\n' > split/mappings/rows.map
for n in rows each skip; do
    name=rows.csv more=
    case $n in each) name='{n}.csv' more=each ;; skip) more='empty skip' ;; esac
    printf 'flow %s {\n    on yes\n    operation give {\n        take inbox "inbox/%s" ready name\n        give outbox "outbox/%s" name "%s" map rows %s\n    }\n}\n' $n $n $n "$name" "$more"
    mkdir -p split/inbox/$n
done > split.flows
{ printf 'site "Split"\nzone "UTC"\n'; cat split.flows; } > split/site.conf
bad='{"No":"2","Line":[{"Text":"c"},{"Text":"\346\227\245"},{"Text":"d"}]}\n'
printf '{"No":"1","Line":[{"Text":"a"},{"Text":"b"}]}\n'"$bad"'{"No":"3","Line":[{"Text":"e"},{"Text":"f"},{"Text":"g"},{"Text":"h"}]}\n' |
    tee split/inbox/rows/docs.jsonl split/inbox.jsonl > split/inbox/each/docs.jsonl
printf "$bad" > split/inbox/skip/docs.jsonl
run split -q -n
check "of a refused message no row goes out" is "1;a 1;b 3;e 3;f 3;g 3;h" "$(tail -n +2 split/outbox/rows/rows.csv | tr -d '\r' | xargs)"
check "in files of their own: no file without a row" is "1;a 1;b 3;e 3;f 3;g 3;h" \
    "$(for n in 1 2 3 4 5 6 7; do tail -n +2 split/outbox/each/$n.csv; done 2> /dev/null | tr -d '\r' | xargs)"
check "and no file without a message" is "6 0" "$(ls split/outbox/each | wc -l) $(ls split/outbox/skip | wc -l)"
check "its problems are with it" is 3 "$(cat split/error/*/*.lines.1.jsonl | grep -c '"message":[12],"key":"2".*"problems":.*CHARSET_CANNOT')"

# The same where there is no site; and what was refused counts in no total.
"$prog" convert -m split/mappings/rows.map split/inbox.jsonl > plain.csv 2> plain.err
check "convert: of a refused message no row goes out" is "1 1;a 1;b 3;e 3;f 3;g 3;h" "$? $(tail -n +2 plain.csv | tr -d '\r' | xargs)"
check "convert: and it is told once" is 1 "$(grep -c 'message 2.*CHARSET_CANNOT' plain.err)"
sed '/^}/i\    Count integer' split/mappings/rows.format > split/mappings/sums.format
printf 'mapping docs => sums\nDoc/Line => Row {\n    ../No => No\n    Text => Text\n}\n/. => Row {\n    "sum" => No\n    count(Doc) => Count\n}\n' > split/mappings/sums.map
"$prog" convert -m split/mappings/sums.map split/inbox.jsonl 2> plain.err | tail -n 1 | tr -d '\r' > plain.csv
check "convert: nor is it counted" is "sum;;2" "$(cat plain.csv)"
mkdir -p sums/mappings sums/inbox/all sums/inbox/one sums/outbox/all sums/outbox/one
cp split/mappings/* sums/mappings
printf 'mapping docs => sums\nDoc => Row {\n    No => No\n    Line[1]/Text => Text\n}\n/. => Row {\n    "sum" => No\n    count(Doc) => Count\n}\n' > sums/mappings/ones.map
printf '{"No":"1","Line":[{"Text":"a"}]}\n{"No":"2","Line":[{"Text":"\346\227\245"}]}\n{"No":"3","Line":[{"Text":"e"}]}\n' > sums/inbox/one/docs.jsonl
cp split/inbox.jsonl sums/inbox/all/docs.jsonl
{ printf 'site "Sums"\nzone "UTC"\n'
    for n in all one; do
        map=sums; [ $n = one ] && map=ones
        printf 'flow %s {\n    on yes\n    operation give {\n        take inbox "inbox/%s" ready name\n        give outbox "outbox/%s" name "rows.csv" map %s\n    }\n}\n' $n $n $n $map
    done
} > sums/site.conf
run sums -q -n
check "nor in a site, of several targets or of one" is "sum;;2 sum;;2" \
    "$(tail -q -n 1 sums/outbox/all/rows.csv sums/outbox/one/rows.csv | tr -d '\r' | xargs)"

# A row that the end of the file makes belongs to no message: refused, the file is, and not what it gave without its end.
mkdir -p last/mappings last/inbox last/outbox
cp split/mappings/docs.format split/mappings/rows.format last/mappings
printf 'mapping docs => rows\nDoc => Row {\n    No => No\n}\n/. => Row {\n    "sum" => No\n    "\346\227\245" => Text\n}\n' > last/mappings/last.map
printf 'mapping docs => rows\nsort No\nDoc/Line => Row {\n    ../No => No\n    Text => Text\n}\n' > last/mappings/sorted.map
{ printf 'site "Last"\nzone "UTC"\n'
    for n in last sorted; do
        mkdir -p last/inbox/$n last/outbox/$n
        printf 'flow %s {\n    on yes\n    operation give {\n        take inbox "inbox/%s" ready name\n        give outbox "outbox/%s" name "rows.csv" map %s\n    }\n}\n' $n $n $n $n
        cp split/inbox.jsonl last/inbox/$n/docs.jsonl
    done
} > last/site.conf
run last -q -n
check "nothing is delivered when a row at the end is refused" is "0 1" \
    "$(find last/outbox/last -type f | wc -l) $(for f in last/error/*/docs.jsonl; do cmp -s $f split/inbox.jsonl && echo whole; done | wc -l)"
"$prog" convert -m last/mappings/last.map -o last.csv split/inbox.jsonl 2> plain.err
check "convert: nor is there an output" is "4 no" "$? $([ -e last.csv ] && echo yes || echo no)"

# What is sorted waits for the end; a message that cannot be written is refused all the same, alone and at its place.
sorted="1;a 1;b 3;e 3;f 3;g 3;h"
check "of a sorted file only the refused message is left out" is "$sorted" \
    "$(tail -n +2 last/outbox/sorted/rows.csv | tr -d '\r' | xargs)"
"$prog" convert -m last/mappings/sorted.map -o last.csv split/inbox.jsonl 2> plain.err
check "convert: the same, and it says which" is "1 $sorted 1" \
    "$? $(tail -n +2 last.csv | tr -d '\r' | xargs) $(grep -c 'message 2.*CHARSET_CANNOT' plain.err)"

# What a row at the end demands is told.
printf 'mapping docs => sums\nDoc => Row {\n    No => No\n}\n/. => Row {\n    require count(Doc) = 7 else reject SEVEN "seven documents make a file"\n    "sum" => No\n}\n' > sums/mappings/seven.map
rm -f last.csv
"$prog" convert -m sums/mappings/seven.map -o last.csv split/inbox.jsonl 2> plain.err
check "convert: a demand at the end refuses the file and says why" is "4 no 1" \
    "$? $([ -e last.csv ] && echo yes || echo no) $(grep -c 'split/inbox.jsonl: error: seven documents.*SEVEN' plain.err)"
sed -i 's/map ones/map seven/' sums/site.conf
printf '{"No":"9"}\n' > sums/inbox/one/docs.jsonl
run sums -q -n > sums.out 2>&1
check "in a site it is the reason of the batch" is "1" "$(cat sums/error/*/*.waybill.json | grep -c '"code": *"SEVEN"')"

# What a target that cannot be written would give back, is not given back.
mkdir -p back/mappings back/inbox back/outbox
printf 'syntax json lines\nmessage Doc key No {\n    No text required\n    Text text\n    Sent text\n}\n' > back/mappings/st.format
cp split/mappings/rows.format back/mappings
printf 'mapping st => st\nDoc => Doc {\n    key No => No\n    Text => Text\n}\n' > back/mappings/stage.map
printf 'mapping st => rows\nDoc => Row {\n    No => No\n    Text => Text\n    Sent <= No\n}\n' > back/mappings/send.map
cat > back/site.conf << 'END'
site "Back"
zone "UTC"
flow docs {
    on yes
    batch st track Doc {
        state open
        state done when Sent
    }
    operation create {
        take inbox "inbox" ready name
        give batch new map stage
    }
    operation send {
        manual
        take batch
        give outbox "outbox" name "sent.csv" map send
    }
}
END
printf '{"No":"1","Text":"a"}\n{"No":"2","Text":"\346\227\245"}\n{"No":"3","Text":"c"}\n' > back/inbox/docs.jsonl
run back -q -n
"$prog" do --dir back docs send > send.out 2>&1
check "the others are sent" is "1;a 3;c" "$(tail -n +2 back/outbox/sent.csv | tr -d '\r' | xargs)"
check "one that is refused has nothing that says it went" is "1 3" \
    "$(cat back/.waybill/work/*/stage.2 | sed -n 's/.*"Sent":"\([^"]*\)".*/\1/p' | xargs)"
finish
