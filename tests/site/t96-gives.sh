#!/bin/sh
# t96-gives.sh PROGRAM - several gives of one operation: a message that one of them refuses is given by none of them, so that
# mended and dropped again it goes out once
. "$(dirname "$0")/lib.sh"

# Every kind of give ahead of one that judges, and one that only its writer refuses.
small_site site << 'END'
table stock "tables/stock.csv" format rows key Id filled by rows
flow rows {
    on yes
    operation convert {
        take inbox  "inbox/rows" ready name
        give outbox "outbox/all"    name "{file}"   map copy
        give outbox "outbox/each"   name "{Id}.csv" map copy each
        give outbox "outbox/sum"    name "{file}"   map sums
        give outbox "outbox/sorted" name "{file}"   map sorted
        give table stock map copy
        give outbox "outbox/judged" name "{file}"   map judged
        give outbox "outbox/short"  name "{file}"   map short
    }
}
END
mkdir -p site/inbox/rows site/tables
printf 'Id;Qty\nold;1\n' > site/tables/stock.csv
printf 'syntax csv delimiter ";" header yes\n\nmessage Row {\n    Id  text    max 3\n    Qty decimal\n}\n' > site/mappings/short.format
printf 'syntax json lines\n\nmessage Sum {\n    N integer\n    Q decimal\n}\n' > site/mappings/sum.format
printf 'mapping rows => sum\n\n/. => Sum {\n    count(/Row)   => N\n    sum(/Row/Qty) => Q\n}\n' > site/mappings/sums.map
printf 'mapping rows => rows\nsort Qty descending\nRow => Row {\n    Id  => Id\n    Qty => Qty\n}\n' > site/mappings/sorted.map
printf 'mapping rows => rows\nRow => Row {\n    require Qty < 9 else reject MUCH "{Id}: too much"\n    require Qty > 0 else skip NONE "{Id}: nothing"\n    Id  => Id\n    Qty => Qty\n}\n' > site/mappings/judged.map
printf 'mapping rows => short\nRow => Row {\n    Id  => Id\n    Qty => Qty\n}\n' > site/mappings/short.map
given() { for o in "$1"/*; do [ ! -f "$o" ] || grep -v 'Id;' "$o"; done | xargs; }     # FOLDER
printf 'Id;Qty\na;1\nb;10\nlong;2\nn;0\nc;3\n' > site/inbox/rows/1.csv
run site -q
check "two messages are refused" eval 'is 1 $code && said run.log MUCH && is 2 "$(tail -n +2 site/error/*/1.csv | wc -l)"'
check "the last give has what is good" is "a;1 c;3" "$(given site/outbox/short)"
check "so has every one ahead of it, with what a later one skips" is "a;1 n;0 c;3" "$(given site/outbox/all)"
check "a file of its own" is "a.csv c.csv n.csv" "$(ls site/outbox/each | xargs)"
check "sorted" is "c;3 a;1 n;0" "$(given site/outbox/sorted)"
check "the totals are of these" is '{"N":3,"Q":4}' "$(cat site/outbox/sum/1.csv)"
check "and the table" is "old;1 a;1 n;0 c;3" "$(given site/tables)"
sed 's/10/1/; s/long/lon/' site/error/*/1.csv > site/inbox/rows/2.csv
run site -q
check "mended it goes through each of them, once" is "a;1 b;1 c;3 lon;2 n;0" "$(given site/outbox/all | tr ' ' '\n' | sort | xargs)"
check "the last one too" is "a;1 b;1 c;3 lon;2" "$(given site/outbox/short | tr ' ' '\n' | sort | xargs)"
check "the totals of the second file are its own" is '{"N":2,"Q":3}' "$(cat site/outbox/sum/2.csv)"

# What a mapping consolidates waits as well; and a table that it fills.
small_site one << 'END'
table sums "tables/sums.csv" format sums key Day filled by rows
flow rows {
    on yes
    operation convert {
        take inbox  "inbox/rows" ready name
        give outbox "outbox/sums"   name "{file}" map gather
        give table sums map into
        give outbox "outbox/judged" name "{file}" map judged
    }
}
END
mkdir -p one/inbox/rows one/tables
printf 'syntax csv delimiter ";" header yes\n\nmessage Sum key Day {\n    Day text\n    Qty decimal\n    N   integer\n}\n' > one/mappings/sums.format
sed 's/^    Id .*/&\n    Day text/' site/mappings/rows.format > one/mappings/rows.format
cp site/mappings/judged.map one/mappings/
printf 'mapping rows => sums\nRow => Sum {\n    key Day => Day\n    ($old/N | 0) + 1 => N\n    ($old/Qty | 0) + Qty => Qty\n}\n' > one/mappings/into.map
cat > one/mappings/gather.map << 'END'
mapping rows => sums
Row => Sum {
    consolidate {
        match Day = $old/Day else FIRST
    }
    Day => Day
    ($old/N | 0) + 1 => N
    ($old/Qty | 0) + Qty => Qty
}
END
printf 'Id;Day;Qty\na;mon;1\nb;mon;10\nc;tue;20\nd;mon;2\n' > one/inbox/rows/1.csv
run one -q
check "one document for both messages that are good" is "mon;3;2" "$(grep -v Day one/outbox/sums/1.csv)"
check "one row of the table for them" is "mon;3;2" "$(grep -v Day one/tables/sums.csv)"

# The first message that goes into a table is told with its own place, not with the table's.
printf 'Id;Day;Qty\na;mon;10\nb;mon;1\n' > one/inbox/rows/2.csv
run one -q
check "a refused message is told where it stands, also when the table was read for it" said run.log "2.csv:2:7: error: message 1, Qty: a: too much"

# A batch: what an earlier give did to the message is undone with it, so that it is sent when nothing refuses it any more.
sync_flow | sed 's/        done {/        give batch map count\n        give outbox "outbox\/late" name "{batch}_{n}.csv" map late empty skip\n&/
    ' | sed '1i table known "tables/known.csv" format rows key Id' | sync_site batch 'Tries integer' 'Note text'
mkdir -p batch/inbox/rows batch/tables
printf 'mapping stage => stage\nRow => Row {\n    key Id => Id\n    ($old/Tries | 0) + 1 => Tries\n}\n' > batch/mappings/count.map
printf 'mapping stage => rows\ntable known key Id\nRow[not(Sent)] => Row {\n    require $known[Id] else wait UNKNOWN "{Id} is not known"\n    Id => Id\n    Tries => Qty\n}\n' > batch/mappings/late.map
sed -i 's/^    Qty => Qty/&\n    Note <= concat("went as ", Id)/' batch/mappings/send.map
printf 'Id;Qty\na;1\nb;2\n' > batch/inbox/rows/1.csv
printf 'Id\na\n' > batch/tables/known.csv
run batch -q
id=$(open_ids batch)
cmd batch send
check "the one that is known is sent by both" is "a;1 a;1" "$(given batch/outbox/rows) $(given batch/outbox/late)"
check "what is refused stays as it was, whatever was given back to it" is '{"Id":"b","Qty":2}' \
    "$(tail -1 batch/.waybill/work/"$id"/stage.2)"
printf 'Id\na\nb\n' > batch/tables/known.csv
cmd batch send
check "the other one when it is known" is "a;1 b;2 a;1 b;1" "$(given batch/outbox/rows) $(given batch/outbox/late)"

# What `done` makes of a message is known before anything of it goes out: it is not sent when its batch cannot say so.
stamped() {                             # NAME STAMP [ROW]: the row is one of the map that sends
    sync_flow | sed "s/batch-time() => Row\/Sent/&\n            $2/" | sync_site "$1" 'Share decimal' 'Note text max 6'
    sed -i "s/^    Qty => Qty/&\n    ${3:-}/" "$1/mappings/send.map"
    mkdir -p "$1/inbox/rows"
    printf 'Id;Qty\na;1\nbb;2\nc;3\n' > "$1/inbox/rows/1.csv"
    run "$1" -q
    id=$(open_ids "$1")
}
sends() {                               # NAME CODE WHAT
    cmd "$1" send
    check "$3: the others go out" eval 'is 1 $code && is "a;1 c;3" "$(given '"$1"'/outbox/rows)" && said cmd.log '"$2"
    cmd "$1" send
    check "$3: however often" is "1 a;1 c;3" "$code $(given "$1/outbox/rows")"
    check "$3: it stays as it was" is '{"Id":"bb","Qty":2}' "$(sed -n 2p "$(ls "$1"/.waybill/work/"$id"/stage.* | tail -1)")"
}
stamped share '10 div (Qty - 2) => Row\/Share'
sends share NUM_RANGE "a stamp that cannot be worked out"
stamped note 'concat("sent ", Id) => Row\/Note'
sends note TEXT_LONG "a stamp that the document cannot hold"
stamped back '0 => Row\/Share' 'Note <= concat("sent ", Id)'
sends back TEXT_LONG "a result that it cannot hold"

# A call whose result the document cannot hold is not made; the next one is.
sync_flow | sed '/take batch/i\        serial yes' | sed '/give outbox/,/^        }/d' | sed '/take batch/a\
        give outbox "outbox/rows" name "{batch}_{n}.csv" map send each {\
            answer inbox "inbox/answers" ready name map called by order\
        }' | sync_site call 'Note text max 6'
sed -i 's/^    Qty => Qty/&\n    Note <= concat("sent ", Id)/' call/mappings/send.map
printf 'mapping rows => stage\nRow => Row {\n    key Id => Id\n    batch-time() => Sent\n}\n' > call/mappings/called.map
mkdir -p call/inbox/rows call/inbox/answers
printf 'Id;Qty\naa;1\nb;2\n' > call/inbox/rows/1.csv
run call -q
cmd call send
check "a call whose result the document cannot hold is not made" eval 'said cmd.log TEXT_LONG && is "b;2" "$(given call/outbox/rows)"'

# A report tells of messages: one that cannot be written keeps none of them back, nor what was given of them.
sync_flow | sed 's/^        done {/        give outbox "outbox\/log" name "{batch}_{n}.log" map log report\n&/' | sync_site report
printf 'syntax csv delimiter ";" header yes\nmessage Said {\n    Id text max 1\n    State text\n}\n' > report/mappings/log.format
printf 'mapping stage => log\nRow => Said {\n    Id => Id\n    $outcome/State => State\n}\n' > report/mappings/log.map
mkdir -p report/inbox/rows
printf 'Id;Qty\na;1\nbb;2\n' > report/inbox/rows/1.csv
run report -q
cmd report send
check "a line of a report that cannot be written is told" said cmd.log TEXT_LONG
check "its message goes out" is "a;1 bb;2" "$(given report/outbox/rows)"
cmd report send
check "once" is "a;1 bb;2" "$(given report/outbox/rows)"

# The later gives see what the earlier ones gave back, never the other way round: not in what goes as it is, not in a name.
small_site seen << 'END'
flow rows {
    on yes
    operation convert {
        take inbox  "inbox/rows" ready name
        give outbox "outbox/asis" name "{file}"
        give outbox "outbox/each" name "{Id}-{Note}.csv" map copy each
        give outbox "outbox/back" name "{file}" map back
        give outbox "outbox/late" name "{Id}-{Note}.csv" map copy each
    }
}
END
mkdir -p seen/inbox/rows
sed -i 's/^    Id .*/&\n    Note text max 4/' seen/mappings/rows.format
printf 'mapping rows => rows\nRow => Row {\n    Id  => Id\n    Qty => Qty\n    Note <= concat("w ", Id)\n}\n' > seen/mappings/back.map
printf 'Id;Note;Qty\na;x;1\nlong;y;2\n' > seen/inbox/rows/1.csv
run seen -q
check "what a later give gives back is not in what goes as it is" is "0 a;x;1 long;y;2" "$code $(given seen/outbox/asis)"
check "nor in the name of an earlier one, but in that of a later one" is "a-x.csv long-y.csv a-w_a.csv long-w_long.csv" \
    "$(ls seen/outbox/each seen/outbox/late | grep csv | xargs)"

# A file for each message has a name or its message is refused, alone, also ahead of other gives.
small_site name << 'END'
flow rows {
    on yes
    operation convert {
        take inbox  "inbox/rows" ready name
        give outbox "outbox/all"  name "{file}" map copy
        give outbox "outbox/each" name "{Qty}.csv" map copy each
        give outbox "outbox/last" name "{file}" map copy
    }
}
END
mkdir -p name/inbox/rows
printf 'Id;Qty\na;1\nb;\nc;3\n' > name/inbox/rows/1.csv
run name -q
check "a message without the field of a file's name is refused alone" eval 'is 1 $code && said run.log NAME_EMPTY &&
    is "b;" "$(grep -v Id name/error/*/1.csv)"'
check "the others go out, each through all gives" is "a;1 c;3 a;1 c;3 1.csv 3.csv" \
    "$(given name/outbox/all) $(given name/outbox/last) $(ls name/outbox/each | xargs)"

# What one give has said of a message that another gave something back to is told of the message, not of a line.
sync_flow | sed 's/^        give outbox.*/&\n        give outbox "outbox\/late" name "{batch}_{n}.csv" map late\n        give outbox "outbox\/log" name "{batch}_{n}.log" map log report/
    ' | sync_site line 'Note text'
mkdir -p line/inbox/rows
sed -i 's/^    Qty => Qty/&\n    Note <= concat("went as ", Id)/' line/mappings/send.map
printf 'mapping stage => rows\nRow => Row {\n    require Qty < 2 else BIG "too big"\n    Id => Id\n}\n' > line/mappings/late.map
printf 'syntax csv delimiter ";" header yes\nmessage Said {\n    Key text\n    Line text\n    Code text\n    Note text\n}\n' > line/mappings/log.format
printf 'mapping stage => log\nRow => Said {\n    Id => Key\n    $outcome/Problem[1]/Line => Line\n    $outcome/Problem[1]/Code => Code\n    Note => Note\n}\n' > line/mappings/log.map
printf 'Id;Qty\na;1\nb;2\n' > line/inbox/rows/1.csv
run line -q
cmd line send
check "a report of a message that was taken back" is "Key;Line;Code;Note a;;;went as a b;;BIG;" "$(cat line/outbox/log/*.log | xargs)"

# The same where nothing is stamped: the message went out, so it counts as done.
sync_flow | sed '/done {/,/^        }/d; s/^        give outbox.*/&\n        give outbox "outbox\/log" name "{batch}_{n}.log" map log report/' | sync_site plain
cp report/mappings/log.* plain/mappings/
mkdir -p plain/inbox/rows
printf 'Id;Qty\na;1\nbb;2\n' > plain/inbox/rows/1.csv
run plain -q
cmd plain send
check "a message that went out is not refused for its line in a report" eval 'said cmd.log TEXT_LONG "done=2 skipped=0 rejected=0" &&
    is "a;1 bb;2" "$(given plain/outbox/rows)"'

# What is given as it is was not given where a give ahead of it skips the message: no stamp says that it was.
sync_flow | sed 's/^        done {/        give outbox "outbox\/whole" name "{batch}_{n}.jsonl" empty skip\n&/' | sync_site whole
sed -i 's/^    Id  => Id/    require Qty > 1 else skip LOW\n&/' whole/mappings/send.map
mkdir -p whole/inbox/rows
printf 'Id;Qty\na;1\nb;2\n' > whole/inbox/rows/1.csv
run whole -q
id=$(open_ids whole)
cmd whole send
check "a message that a give skips ahead of one that takes it as it is, is not stamped" is '{"Id":"a","Qty":1}' \
    "$(head -1 whole/.waybill/work/"$id"/stage.2)"
"$prog" amend --dir whole "$id" --message a Qty=3 > cmd.log 2>&1
cmd whole send
check "so it goes out when it is not skipped any more" eval 'is "b;2 a;3" "$(given whole/outbox/rows)" &&
    is 1 "$(cat whole/outbox/whole/* | grep -c "Id...a")"'

# A file that changes batches: each of its messages is judged by the other gives before a batch hears of it, so that one
# which they refuse changes nothing and, mended and dropped again, is applied once.
answers_site() {                        # NAME < GIVES of the operation that receives
    { printf 'table known "tables/known.csv" format rows key Id\nsequence no {\n    from 1\n}\n'
      sync_flow | sed '/operation send/,$d'
      printf '    operation receive {\n        take inbox "inbox/answers" ready name\n'
      cat
      printf '    }\n'
      sync_flow | sed -n '/operation send/,$p'; } | sync_site "$1" 'Tries integer'
    mkdir -p "$1/inbox/rows" "$1/inbox/answers" "$1/tables"
    printf 'mapping rows => stage\nRow => Row {\n    key Id => Id\n    require Qty < 100 else reject MUCH "{Id}: too much"\n    ($old/Tries | 0) + Qty => Tries\n}\n' > "$1/mappings/count.map"
    printf 'mapping rows => rows\ntable known key Id\nRow => Row {\n    require $known[Id] else reject UNKNOWN "{Id} is not known"\n    Id => Id\n    Qty => Qty\n}\n' > "$1/mappings/known.map"
    printf 'mapping rows => rows\nRow => Row {\n    Id => Id\n    next("no") => Qty\n}\n' > "$1/mappings/number.map"
    printf 'Id\na\nc\n' > "$1/tables/known.csv"
}
answered() {                            # SITE INBOX FILE ROW...: the file is dropped
    site=$1 inbox=$2 file=$3
    shift 3
    printf '%s\n' "$@" > "$tmp/.file"
    drop "$tmp/.file" "$site/inbox/$inbox" "$file"
    run "$site" -q
    id=$(open_ids "$site")
}
tries() {                               # SITE: what its batch says now
    sed -n 's/.*"Id":"\([^"]*\)".*"Tries":\([0-9]*\).*/\1=\2/p' \
        "$1/.waybill/work/$id/$(json stage < "$1/.waybill/work/$id/$id.waybill.json")" | xargs
}
answers_site judge << 'END'
        give batch map count
        give outbox "outbox/numbers" name "{file}" map number
        give outbox "outbox/known"   name "{file}" map known
END
answered judge rows 0.csv 'Id;Qty' 'a;1' 'bb;2' 'c;3'
answered judge answers 1.csv 'Id;Qty' 'a;1' 'bb;10' 'c;100'
check "what another give refuses does not change the batch" is "1 a=1" "$code $(tries judge)"
check "nor what the batch refuses the other gives" is "a;1 a;1" "$(given judge/outbox/numbers) $(given judge/outbox/known)"
check "both are set aside" is "bb;10 c;100" "$(tail -qn +2 judge/error/*/1.csv | xargs)"
check "and told, once each" eval 'is 1 "$(grep -c "error.*UNKNOWN" run.log)" && is 1 "$(grep -c "error.*MUCH" run.log)"'
"$prog" show --dir judge "$id" > shown 2>&1
check "the batch says so too" eval 'said shown UNKNOWN && said shown MUCH'
echo bb >> judge/tables/known.csv
answered judge answers 2.csv 'Id;Qty' 'bb;10' 'c;10'
check "mended and dropped again they change it once" is "0 a=1 bb=10 c=10" "$code $(tries judge)"
check "and the numbers have no gap" is "a;1 bb;2 c;3" "$(given judge/outbox/numbers)"

# The same with gives that come first, give back, or see what earlier messages of the file gave.
answers_site first << 'END'
        give outbox "outbox/numbers" name "{file}" map number
        give outbox "outbox/back" name "{file}" map back
        give outbox "outbox/known" name "{file}" map known
        give batch map count
END
sed -i 's/^table known/table earlier of batch\n&/' first/site.conf
sed -i 's/^    Id .*/&\n    Note text/' first/mappings/rows.format
printf 'mapping rows => rows\nRow => Row {\n    Id => Id\n    Note <= concat("went as ", Id)\n}\n' > first/mappings/back.map
sed -i 's/^table known.*/&\ntable earlier key Qty/; s/^    require/    require not($earlier[Qty]) else reject TWICE "{Qty} came before"\n&/
    ' first/mappings/known.map
answered first rows 0.csv 'Id;Note;Qty' 'a;;1' 'bb;;2' 'c;;3'
answered first answers 1.csv 'Id;Note;Qty' 'a;;1' 'bb;;10' 'c;;100'
check "gives ahead of the batch: what another refuses does not change it" is "1 a=1" "$code $(tries first)"
check "what was given back is not in what is set aside" is "bb;;10 c;;100" "$(tail -qn +2 first/error/*/1.csv | xargs)"
echo bb >> first/tables/known.csv
answered first answers 2.csv 'Id;Note;Qty' 'bb;;10' 'c;;10'
check "a give that looks at earlier messages sees those that the others take" eval 'is "1 a=1 bb=10" "$code $(tries first)" &&
    is "c;;10" "$(tail -qn +2 first/error/*/2.csv)" && said run.log TWICE'
answered first answers 3.csv 'Id;Note;Qty' 'c;;10'
check "gives ahead of the batch: dropped again they change it once" is "0 a=1 bb=10 c=10" "$code $(tries first)"
check "gives ahead of the batch: the numbers have no gap" is "a;;1 bb;;2 c;;3" "$(given first/outbox/numbers)"

# What waits would never be tried again: a file has no place to wait in.
answers_site waits << 'END'
        give batch map count
        give outbox "outbox/known" name "{file}" map known
END
sed -i 's/reject UNKNOWN/wait UNKNOWN/' waits/mappings/known.map
answered waits rows 0.csv 'Id;Qty' 'a;1' 'bb;2'
answered waits answers 1.csv 'Id;Qty' 'a;1' 'bb;10' 'new;5'
check "an answer that another give would let wait is set aside" is "1 a=1 bb;10 new;5" "$code $(tries waits) $(tail -qn +2 waits/error/*/1.csv | xargs)"
"$prog" show --dir waits "$id" > shown 2>&1
check "the batch tells of one that it does not hold" said shown "a message that the batch does not hold, Id = \"new\": reject"

# Attachments of the messages that are set aside lie beside them, and only theirs.
answers_site files << 'END'
        give batch map count
        give outbox "outbox/photos" name "{file}" map photos
        give outbox "outbox/known" name "{file}" map known
END
sed -i 's/^    Id .*/&\n    File text/' files/mappings/rows.format
sed -i 's/^    Tries .*/&\n    Photo binary/' files/mappings/stage.format
sed -i 's/^    require/    attachment(File) => Photo\n&/' files/mappings/count.map
printf 'syntax csv delimiter ";" header yes\n\nmessage Row {\n    Id text\n    Photo binary\n}\n' > files/mappings/photos.format
printf 'mapping rows => photos\nRow => Row {\n    Id => Id\n    attachment(File) => Photo\n}\n' > files/mappings/photos.map
sed -i 's/inbox .inbox\/answers. ready name/& companion "files\/{File}"/' files/site.conf
mkdir -p files/inbox/answers/files
answered files rows 0.csv 'Id;File;Qty' 'a;;1' 'bb;;2' 'c;;3'
for f in a bb c; do echo "$f" > "$tmp/.file"; drop "$tmp/.file" files/inbox/answers/files $f.jpg; done
answered files answers 1.csv 'Id;File;Qty' 'a;a.jpg;1' 'bb;bb.jpg;10' 'c;c.jpg;100'
check "attachments of what is refused, by a give or by the batch, are set aside with it" is "1.csv bb.jpg c.jpg" "$(ls files/error/*/ | grep -v json | xargs)"
check "that of the one that is good went into both" eval 'is "a;YQo=" "$(given files/outbox/photos)" && is 1 "$(grep -c Photo "files/.waybill/work/$id/$(json stage < "files/.waybill/work/$id/$id.waybill.json")")"'

# A row of a table that cannot hold its stamp is refused alone, and stays as it was.
small_site table << 'END'
table stock "tables/stock.csv" format rows key Id filled by rows
flow rows {
    on yes
    operation out {
        manual
        take table stock
        give outbox "outbox/out" name "{batch}.csv" map unsent empty skip
        done {
            concat("out ", Id) => Row/Note
        }
    }
}
END
sed -i 's/^    Qty .*/&\n    Note text max 5/' table/mappings/rows.format
printf 'mapping rows => rows\nRow[not(Note)] => Row {\n    Id => Id\n    Qty => Qty\n}\n' > table/mappings/unsent.map
mkdir -p table/tables
printf 'Id;Qty;Note\na;1;\nbb;2;\nc;3;\n' > table/tables/stock.csv
for n in 1 2; do
    "$prog" do --dir table rows out > cmd.log 2>&1
    code=$?
    check "a row that cannot hold its stamp is refused, alone ($n)" eval 'is 1 $code && said cmd.log TEXT_LONG &&
        is "a;1; c;3;" "$(given table/outbox/out)" && is "a;1;out a bb;2; c;3;out c" "$(tail -n +2 table/tables/stock.csv | tr " " _ | xargs | tr _ " ")"'
done

# Two gives that use one table see the same one, also where it has no file yet.
small_site none << 'END'
table known "tables/known.csv" format rows key Id
flow rows {
    on yes
    operation convert {
        take inbox  "inbox/rows" ready name
        give outbox "outbox/one" name "{file}" map known
        give outbox "outbox/two" name "{file}" map known
    }
}
END
mkdir -p none/inbox/rows
printf 'mapping rows => rows\ntable known key Id columns Qty\nRow => Row {\n    Id => Id\n    $known[Id]/Qty | Qty => Qty\n}\n' > none/mappings/known.map
printf 'Id;Qty\na;1\nb;2\n' > none/inbox/rows/1.csv
run none -q
check "two gives use a table that has no file yet" is "0 a;1 b;2 a;1 b;2" "$code $(given none/outbox/one) $(given none/outbox/two)"
check "which is looked at, and told, once" eval 'said run.log TABLE_NONE_YET && not_said run.log "of this kind"'
finish
