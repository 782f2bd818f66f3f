#!/bin/sh
# t24-companions - files beside a dropped one: those that come along, those that messages name, what hostile names do; answers
# that are known by their key; the original with changes; a site that is changed while an answer is awaited
. "$(dirname "$0")/lib.sh"

new_site() {                            # DIR: documents with lines in a file of their own; standard input: more of the flow
    mkdir -p "$1/mappings" "$1/inbox/docs/files" "$1/inbox/answers" || return 1
    printf 'syntax csv delimiter ";" header yes\nmessage Doc key No {\n    No text required\n    File text\n    Ref text\n    group Line 0..* file lines join No {\n        Qty decimal\n    }\n}\n' > "$1/mappings/rows.format"
    printf 'syntax csv delimiter ";" header yes\nmessage Doc key No {\n    No text required\n    File text\n    Ref text\n}\n' > "$1/mappings/plain.format"
    printf 'syntax json lines\nmessage Doc key No {\n    No text required\n    Sum decimal\n    File text\n    Ref text\n}\n' > "$1/mappings/staged.format"
    printf 'syntax json lines\nmessage Call key No {\n    No text\n    Ref text\n    Bytes binary\n}\n' > "$1/mappings/call.format"
    printf 'mapping rows => staged\nDoc => Doc {\n    key No => No\n    sum(Line/Qty) => Sum\n    File => File\n}\n' > "$1/mappings/stage.map"
    printf 'mapping plain <=> staged\nDoc <=> Doc {\n    key No <=> No\n    File <=> File\n    Ref <=> Ref\n}\n' > "$1/mappings/both.map"
    printf 'mapping staged => call\nDoc[not(Ref)] => Call {\n    No => No\n    attachment(File) => Bytes\n}\n' > "$1/mappings/call.map"
    printf 'mapping call => staged\nCall => Doc {\n    key No => No\n    new ignore\n    Ref => Ref\n}\n' > "$1/mappings/called.map"
    { printf 'site "Docs"\nzone "UTC"\nflow docs {\n    on yes\n    batch staged track Doc {\n        state staged\n        state done when Ref\n    }\n'; cat; echo '}'; } > "$1/site.conf"
}
lines_site() {
    new_site "$1" << 'END'
    operation create {
        take inbox "inbox/docs" ready stable 0s companion lines "lines*.csv"
        give batch new map stage
    }
    operation view {
        manual
        take batch
        give outbox "outbox/calls" name "c_{batch}_{n}.jsonl" map call
    }
END
}
files_site() {                          # DIR SERIAL BY
    new_site "$1" << END
    operation create {
        take inbox "inbox/docs" ready stable 0s companion "files/{File}"
        give batch new map both
    }
    operation send {
        manual
        $2
        take batch
        give outbox "outbox/calls" name "c_{batch}_{n}.jsonl" map call each {
            answer inbox "inbox/answers" ready name map called $3
        }
    }
    operation back {
        manual
        take batch
        give outbox "outbox/back" name "back_{n}.csv" map both backward original empty skip
    }
END
}
staged() { cat "$1"/.waybill/work/*/"$2"; }
put() { cat > put && drop put "$1" "$2"; }     # FOLDER NAME < text

# --- files that come along --------------------------------------------------------------------------------------------

main() { printf 'No;File\n%s1;a\n%s2;b\n' "$1" "$1" | put along/inbox/docs "main$1.csv"; }
rows_of() { printf 'No;Qty\n%s1;2\n%s2;3\n%s1;4\n' "$1" "$1" "$1" | put along/inbox/docs "lines$1.csv"; }
lines_site along
main A
run along -q
check "without its companion a file waits" is "0 2 0" "$code $(ls along/inbox/docs | wc -l) $(ls along/.waybill/work | wc -l)"
rows_of A
run along -q
check "with it, it is taken" is "0 files" "$code $(ls along/inbox/docs)"
check "both are read as one document" is '{"No":"A1","Sum":6,"File":"a"}' "$(staged along stage.1 | head -1)"
rm -r along/.waybill/work/*
watch along -q
main B
main C
sleep 0.3
rows_of B
rows_of C
both() { [ "$(find along/.waybill/work -name 'stage.1' | wc -l)" = 2 ]; }
wait_for 60 both
check "each file with its own, in the order of their coming" is "B1 6 C1 6" \
    "$(cat along/.waybill/work/*/stage.1 | sed -n 's/.*"No":"\(.1\)","Sum":\([0-9]*\).*/\1 \2/p' | sort | tr '\n' ' ' | sed 's/ $//')"
stop

lines_site killed
for n in A B C D E F; do
    printf 'No;File\n%s1;a\n' $n | put killed/inbox/docs "main$n.csv"
    printf 'No;Qty\n%s1;7\n' $n | put killed/inbox/docs "lines$n.csv"
done
for pause in 0.02 0.03 0.04 0.05 0.06 0.08 0.1 0.12; do
    "$prog" watch killed -q 2>> "$tmp/watch.log" < /dev/null &
    started="$started $!"
    sleep $pause
    kill -KILL $!
    wait $! 2> /dev/null
done
run killed -q
check "killed again and again, each document has its lines" is "6 6" \
    "$(cat killed/.waybill/work/*/stage.1 | wc -l) $(cat killed/.waybill/work/*/stage.1 | grep -c '"Sum":7')"

lines_site long
echo 'limit file 200' >> long/site.conf
printf 'No;File\n1;a\n' | put long/inbox/docs mainA.csv
{ echo 'No;Qty'; for n in 0 1 2 3 4 5 6 7 8 9; do printf '1;%s000000000000000000\n' $n; done; } > lines
put long/inbox/docs linesA.csv < lines
run long -q
check "one that is too long is kept, with the file that it came with" is "linesA.csv mainA.csv" "$(echo $(ls long/error/*-late))"
check "whole" same lines "$(find long/error -name linesA.csv)"

lines_site under
sed -i 's/stable 0s companion lines "lines.*"/name companion lines "lines*"/' under/site.conf
printf 'No;File\n1;a\n' | put under/inbox/docs mainA.csv
printf 'No;Qty\n1;' > under/inbox/docs/lines.csv.filepart
run under -q
check "what is still under way to the inbox is no companion" is "0 3" "$code $(ls under/inbox/docs | wc -l)"

new_site both << 'END'
    operation create {
        take inbox "inbox/docs" ready name companion lines "lines*" companion taxes "lines_tax*"
        give batch new map stage
    }
    operation view {
        manual
        take batch
        give outbox "outbox/calls" name "c_{batch}_{n}.jsonl" map call
    }
END
sed -i '$d' both/mappings/rows.format
printf '    group Tax 0..* file taxes join No {\n        Rate decimal\n    }\n}\n' >> both/mappings/rows.format
printf 'No;File\n1;a\n' | put both/inbox/docs mainA.csv
printf 'No;Rate\n1;9\n' | put both/inbox/docs lines_tax.csv
touch -d '3 minutes ago' both/inbox/docs/lines_tax.csv
printf 'No;Qty\n1;7\n' | put both/inbox/docs linesA.csv
run both -q
check "a file that fits two patterns is of the longer one" is '0 files {"No":"1","Sum":7,"File":"a"}' \
    "$code $(ls both/inbox/docs) $(staged both stage.1 | head -1)"

lines_site newest
sed -i 's/stable 0s companion/stable 0s newest companion/' newest/site.conf
printf 'No;File\n1;a\n' | put newest/inbox/docs mainA.csv
touch -d '3 minutes ago' newest/inbox/docs/mainA.csv
printf 'No;File\n2;a\n' | put newest/inbox/docs mainB.csv
printf 'No;Qty\n2;7\n' | put newest/inbox/docs linesB.csv
run newest -q
check "an older file leaves the newest its companion" is 'mainA.csv {"No":"2","Sum":7,"File":"a"}' \
    "$(ls newest/error/* | grep csv) $(staged newest stage.1 | head -1)"

# --- what is refused of them ------------------------------------------------------------------------------------------

refused_site() {                        # DIR: documents and their lines into one file
    mkdir -p "$1/mappings" "$1/inbox/docs"
    printf 'syntax csv delimiter ";" header yes\nmessage Doc key No {\n    No text required\n    group Line 0..* file lines join No {\n        Qty decimal\n    }\n}\n' > "$1/mappings/rows.format"
    printf 'syntax csv delimiter ";" header yes\nmessage Sum key No {\n    No text required\n    Sum decimal\n}\n' > "$1/mappings/sums.format"
    printf 'mapping rows => sums\nDoc => Sum {\n    key No => No\n    sum(Line/Qty) => Sum\n}\n' > "$1/mappings/sums.map"
    printf 'site "Refused"\nzone "UTC"\nflow docs {\n    on yes\n    operation convert {\n        take inbox "inbox/docs" ready name companion lines "lines*.csv"\n        give outbox "outbox" name "{batch}.csv" map sums\n    }\n}\n' > "$1/site.conf"
}
come() {                                # LINES: with three documents
    printf 'No\nA\nB\n\303\205\n' | put refused/inbox/docs "main 1.csv"
    printf 'No;Qty\n%b' "$1" | put refused/inbox/docs lines1.csv
    run refused -q
}
sums() { cat refused/outbox/*.csv | grep -v No | tr '\n' ' '; }
refused_site refused
come 'A;1\nB;2x\nB;3\n\303\205;4\nZ;9\n'
check "the rows of a refused message come into error/ with it" is "No B No;Qty B;2x B;3 Z;9" \
    "$(echo $(cat refused/error/*/main_1.csv refused/error/*/lines1.csv))"
check "a message about a row says which file it stands in, as it came" said run.log "lines1.csv:3:3: error: message 2, Qty"
check "the others go on" is "A;1 $(printf '\303\205');4 " "$(sums)"
"$prog" fsck refused > fsck.out 2>&1
check "fsck finds all in order" said fsck.out "all good"
"$prog" replay --dir refused "$(basename "$(ls -d refused/error/*)")" > replay.out 2>&1
check "a replay makes the same" eval 'is 0 $? && not_said replay.out differs'
rm refused/outbox/*
drop refused/error/*/main_1.csv refused/inbox/docs && sed 's/2x/2/' refused/error/*/lines1.csv | put refused/inbox/docs lines2.csv
run refused -q
check "mended and dropped again they go through" is "B;5 " "$(sums)"

rm -rf refused && refused_site refused
come '\303\205;4\nB;2x\nA;1\nB;3\nA;7\n'
check "also where they do not stand together" is "No;Qty B;2x B;3" "$(echo $(cat refused/error/*/lines1.csv))"

rm -rf refused && refused_site refused
printf 'No\n"A\n' | put refused/inbox/docs mainA.csv
printf 'No;Qty\nA;1\n' | put refused/inbox/docs linesA.csv
run refused -q
check "with a file that is refused as a whole, each under its name" is "No;Qty A;1" "$(echo $(cat refused/error/*/linesA.csv))"
drop refused/error/*/linesA.csv refused/inbox/docs && sed 's/"//' refused/error/*/mainA.csv | put refused/inbox/docs mainB.csv
run refused -q
check "ready to be dropped again" is "A;1 " "$(sums)"

rm -rf refused && refused_site refused
printf 'No\n"A\n' | put refused/inbox/docs mainA.csv
printf 'No;Qty\nA;1\n' | put refused/inbox/docs linesA.csv
run refused -q
cd refused/error/* && sed 's/"//' mainA.csv > m && mv m mainA.csv && sed 's/1/2/' linesA.csv > m && mv m linesA.csv && cd ../../..
cmd refused retry "$(basename refused/error/*)" -q
check "or to be tried again, mended, where they lie" is "A;2 " "$(sums)"

mkdir -p attached/mappings attached/inbox/docs/files
printf 'syntax csv delimiter ";" header yes\nmessage Doc key No {\n    No text required\n    File text\n    Qty decimal\n}\n' > attached/mappings/rows.format
printf 'syntax json lines\nmessage Call key No {\n    No text\n    Qty decimal max 3\n    Bytes binary\n}\n' > attached/mappings/call.format
printf 'mapping rows => call\nDoc => Call {\n    key No => No\n    Qty => Qty\n    attachment(File) => Bytes\n}\n' > attached/mappings/calls.map
printf 'site "Named"\nzone "UTC"\nflow docs {\n    on yes\n    operation convert {\n        take inbox "inbox/docs" ready stable 0s companion "files/{File}.txt"\n        give outbox "outbox" name "{batch}.jsonl" map calls\n    }\n}\n' > attached/site.conf
for n in a b c; do printf 'file %s' $n | put attached/inbox/docs/files $n.txt; done
printf 'No;File;Qty\n1;a;1\n2;b;1234\n3;c;x\n' | put attached/inbox/docs main.csv
run attached -q
check "the file that a refused message names goes into error/, too, once it was taken" is "b.txt c.txt" \
    "$(cd attached/error/* && echo *.txt) $(ls attached/inbox/docs/files)"
check "whole" is "file b" "$(cat attached/error/*/b.txt)"
rm attached/outbox/*
drop attached/error/*/b.txt attached/inbox/docs/files && sed 's/1234/123/' attached/error/*/main.csv | put attached/inbox/docs main.csv
run attached -q
check "and is sent with the mended message" is '{"No":"2","Qty":123,"Bytes":"ZmlsZSBi"}' "$(cat attached/outbox/*.jsonl)"

# --- files that go along ----------------------------------------------------------------------------------------------

mkdir -p beside/mappings beside/inbox
printf 'syntax json lines\nmessage Doc key No {\n    No text required\n    group Line 0..* {\n        Text text\n    }\n}\n' > beside/mappings/docs.format
printf 'syntax csv delimiter ";" header yes\nencoding latin1\nmessage Doc key No {\n    No text required\n    group Line 0..* file lines join No {\n        Text text\n    }\n}\n' > beside/mappings/rows.format
printf 'mapping docs => rows\nDoc => Doc {\n    key No => No\n    Line => Line {\n        Text => Text\n    }\n}\n' > beside/mappings/rows.map
printf 'site "Docs"\nzone "UTC"\nflow docs {\n    on yes\n    operation give {\n        take inbox "inbox" ready name\n        give outbox "outbox" name "main.csv" companion lines "lines.csv" map rows\n    }\n}\n' > beside/site.conf
printf '{"No":"1","Line":[{"Text":"a"},{"Text":"b"}]}\n{"No":"2","Line":[{"Text":"c"},{"Text":"\346\227\245"},{"Text":"d"}]}\n{"No":"3","Line":[{"Text":"e"}]}\n' > beside/inbox/docs.jsonl
run beside -q
check "of a message that cannot be written nothing is in any file" is "No 1 3 No;Text 1;a 1;b 3;e" \
    "$(echo $(cat beside/outbox/main.csv beside/outbox/lines.csv | tr -d '\r'))"

# --- files that messages name -----------------------------------------------------------------------------------------

sent() { cat named/outbox/calls/* | sed -n "s/^{\"No\":\"$1\"\(,\"Bytes\":\"\([^\"]*\)\"\)\{0,1\}}/\2/p" | base64 -d; }
files_site named '' ''
echo secret > named/secret
echo good > named/inbox/docs/files/good.txt
echo hidden > named/inbox/docs/files/.hidden
ln -s ../../../secret named/inbox/docs/files/link
mkfifo named/inbox/docs/files/fifo
mkdir named/inbox/docs/files/folder
touch -d '1 minute ago' named/inbox/docs/files/good.txt
printf 'No;File;Ref\n1;good.txt;\n2;../../../secret;\n3;/etc/passwd;\n4;link;\n5;fifo;\n6;.hidden;\n7;folder;\n8;good.txt;\n' | put named/inbox/docs main.csv
run named -q
"$prog" send --dir named > send.out 2>&1
check "a file that a message names arrives, as often as it is named" is "good good" "$(sent 1) $(sent 8)"
check "no other name leads anywhere" is "" "$(for n in 2 3 4 5 6 7; do sent $n; done)"
check "it is the batch's now" is "1 0" "$(ls named/.waybill/work/*/with.* | wc -l) $(ls named/inbox/docs/files | grep -c good)"
check "the others stay where they are" is ".hidden fifo folder link" "$(echo $(ls -A named/inbox/docs/files))"
"$prog" fsck named > fsck.out 2>&1
result $? "fsck finds nothing"

# --- two inboxes of which one's path ends like the other's ---------------------------------------------------------------

mkdir -p alike/mappings alike/in/docs/files alike/x/in/docs/files alike/out
printf 'syntax json lines\nmessage Call key No {\n    No text\n    Bytes binary\n}\n' > alike/mappings/call.format
printf 'syntax csv delimiter ";" header yes\nmessage Doc key No {\n    No text required\n    File text\n}\n' > alike/mappings/plain.format
printf 'mapping plain => call\nDoc => Call {\n    No => No\n    attachment(File) => Bytes\n}\n' > alike/mappings/call.map
cat > alike/site.conf << 'END'
site "Alike"
zone "UTC"
flow docs {
    on yes
    operation first {
        take inbox "in/docs" ready stable 0s companion "files/{File}"
        give outbox "out" name "first_{batch}.jsonl" map call
    }
    operation second {
        take inbox "x/in/docs" ready stable 0s companion "files/{File}"
        give outbox "out" name "second_{batch}.jsonl" map call
    }
}
END
printf ALICE > alike/in/docs/files/a.txt
printf BOB > alike/x/in/docs/files/a.txt
printf 'No;File\n1;a.txt\n' > alike/x/in/docs/main.csv
run alike -q
check "a file comes from the inbox of its document" is "BOB ALICE" \
    "$(sed -n 's/.*"Bytes":"\([^"]*\)".*/\1/p' alike/out/second_*.jsonl | base64 -d) $(cat alike/in/docs/files/a.txt)"

# --- answers by key, several at a time --------------------------------------------------------------------------------

printf '{"No":"8","Ref":"r8"}\n{"No":"1","Ref":"r1"}\n' | put named/inbox/answers a.jsonl
run named -q
check "answers are known by their keys, in any order" is "r1 r8" \
    "$(staged named stage.2 | sed -n 's/.*"Ref":"\([^"]*\)".*/\1/p' | tr '\n' ' ' | sed 's/ $//')"
"$prog" do --dir named docs back > back.out 2>&1
check "the original comes back with what changed, or not at all" is 1 "$(ls named/outbox/back 2> /dev/null | wc -l)"
check "only what changed differs" is "1 r1 8 r8" "$(tail -n +2 named/outbox/back/back_1.csv | tr -d '\r' | awk -F';' '$3 { print $1, $3 }' | tr '\n' ' ' | sed 's/ $//')"

# --- the site is changed while an answer is awaited -------------------------------------------------------------------

files_site moved 'serial yes' 'by order'
printf 'No;File\n1;\n2;\n' | put moved/inbox/docs main.csv
run moved -q
"$prog" send --dir moved > send.out 2>&1
check "one call at a time" is 1 "$(ls moved/outbox/calls | wc -l)"
sed -i 's/serial yes//; s/ by order//' moved/site.conf
run moved -q
check "a run that the site does not know any more is over" is "open" "$("$prog" show --dir moved "$(ls moved/.waybill/work)" | sed -n 's/^waits  *//p')"
check "what was to go on goes on as the site has it now" is 3 "$(ls moved/outbox/calls | wc -l)"
finish
