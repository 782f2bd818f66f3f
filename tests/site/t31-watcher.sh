#!/bin/sh
# t31-watcher - drops of every kind reach the outbox whole, once and in order; inotifywait looks on
. "$(dirname "$0")/lib.sh"

small_site site << 'END'
flow rows {
    on yes
    operation convert {
        take inbox  "inbox/rows" ready stable 2s
        give outbox "outbox/all" name "z_{file}" map copy
        give outbox "outbox/all" name "y_{file}.xml" map to-items
        give outbox "outbox/all" name "a_{file}" map copy
    }
}
flow items {
    on yes
    operation convert {
        take inbox  "inbox/items" ready stable 100ms complete
        give outbox "outbox/all" name "{file}.csv" map to-rows
    }
}
flow marked {
    on yes
    operation convert {
        take inbox  "inbox/marked" ready done ".done"
        give outbox "outbox/all" name "{file}" map copy
    }
}
flow renamed {
    on yes
    operation convert {
        take inbox  "inbox/renamed" ready name
        give outbox "outbox/all" name "{file}" map copy
    }
}
END
mkdir -p site/outbox/all site/inbox/rows site/inbox/items site/inbox/marked site/inbox/renamed
observe site/outbox/all seen.log
watch site
out() { [ -f "site/outbox/all/$1" ]; }

# Half-written files first: they take longest.  growing.csv is opened anew for each row, much sooner than it would count as
# stable, held.csv stays open; both and the XML pause longer than their file must be stable, but the root of the XML is open.
(for i in 1 2 3 4 5 6; do
    [ -f site/inbox/rows/growing.csv ] || [ $i = 1 ] || echo "taken before row $i" >> early
    [ $i != 1 ] || echo 'Id;Qty' > site/inbox/rows/growing.csv
    echo "$i;1" >> site/inbox/rows/growing.csv
    sleep 0.2
done) &
growing=$!
(exec 3> site/inbox/rows/held.csv
echo 'Id;Qty' >&3; echo '1;1' >&3
sleep 3
[ -f site/inbox/rows/held.csv ] || echo "taken while it was open" >> early
echo '2;1' >&3) &
held=$!
(printf '<Items><Item id="1"><Qty>1</Qty></Item>' > site/inbox/items/doc.xml
sleep 1.2
[ -f site/inbox/items/doc.xml ] || echo "taken before its end tag" >> early
printf '<Item id="2"><Qty>2</Qty></Item></Items>\n' >> site/inbox/items/doc.xml) &
doc=$!
started="$started $growing $held $doc"

rows 1 3 > site/inbox/renamed/upload.csv.part
rows 1 4 > site/inbox/marked/marked.csv
rows 1 2000 > copied.csv
cp copied.csv site/inbox/rows/copied.csv
rows 1 20 > .moved && mv .moved site/inbox/rows/moved.csv
rows 1 5 > site/inbox/renamed/.hidden.csv
check "a file dropped by copy" wait_for 60 out a_copied.csv
check "a file dropped by rename" wait_for 60 out a_moved.csv
check "a temporary name is not taken" test -f site/inbox/renamed/upload.csv.part
mv site/inbox/renamed/upload.csv.part site/inbox/renamed/upload.csv
check "until it is renamed: then at once" wait_for 60 out upload.csv
check "a file waits for its marker" test -f site/inbox/marked/marked.csv
: > site/inbox/marked/marked.csv.done
check "and is taken when it comes" wait_for 60 out marked.csv
check "the marker goes with it" wait_for 60 eval '[ -z "$(ls site/inbox/marked)" ]'
wait $growing $held $doc
check "a growing file" wait_for 60 out a_growing.csv
check "a file that its writer holds open" wait_for 60 out a_held.csv
check "a document whose root is open" wait_for 60 out doc.xml.csv
check "none of them was taken too early" is "" "$(cat early 2> /dev/null)"
check "nor in part" is "7 3 3 4 5" "$(for f in a_growing.csv a_held.csv doc.xml.csv upload.csv marked.csv; do wc -l < site/outbox/all/$f; done | xargs)"
wait_for 60 eval '[ "$(archived site)" = 7 ]'
stop
: > site/outbox/all/.end
wait_for 60 grep -q '\.end ' seen.log
rm site/outbox/all/.end

seen seen.log | grep -v ' \.end ' > events
check "the observer saw every name come once, by rename, and nothing else" is "$(ls site/outbox/all | sed 's/^/MOVED_TO /' | sort)" \
    "$(cut -d' ' -f1,2 events | sort)"
(cd site/outbox/all && sha256sum -- *) | awk '{ print $2, $1 }' | sort > hashes
check "whole from its first moment" same hashes "$(cut -d' ' -f2,3 events | sort > at-once; echo at-once)"
ok=0
while read -r name hash; do
    grep -lqr "$hash" site/archive --include '*.waybill.json' || { echo "# no waybill knows $name"; ok=1; }
done < hashes
result $ok "with the hash that its waybill gives"
ok=0
for f in copied moved growing held; do
    is "z_$f.csv y_$f.csv.xml a_$f.csv" "$(awk '{ print $2 }' events | grep "^[zya]_$f" | xargs)" || ok=1
done
result $ok "the outputs of a batch in listed order"
check "what is no drop stays" is "site/inbox/renamed/.hidden.csv" "$(find site/inbox -type f)"
check "TERM: exit code 0" is 0 "$code"
finish
