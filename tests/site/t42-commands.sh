#!/bin/sh
# t42-commands.sh PROGRAM - commands that act on batches: what they check, who carries them out, what they print and return
. "$(dirname "$0")/lib.sh"

{ echo 'sequence numbers'; sync_flow manual; cat; } << 'END' | sync_site site 'Note text sensitive' 'From datetime'
flow other {
    on yes
    operation send {
        manual
        take inbox "inbox/other" ready name
        give outbox "outbox/other" name "{batch}.csv" map copy
    }
    operation import {
        manual
        take inbox "inbox/other" ready name
        give outbox "outbox/other" name "{batch}.csv" map copy
    }
}
flow idle {
    operation rest {
        take inbox "inbox/idle" ready name
        give outbox "outbox/idle" name "{batch}.csv" map copy
    }
}
END
cat > site/mappings/create.map << 'END'
mapping rows => stage

param since datetime required "Changed since"
param note text
param most decimal = 100

Row => Row {
    key Id => Id
    Qty    => Qty
    $note  => Note
    $since => From
    require Qty <= $most else TOO_MANY "row {Id} asks for {Qty}"
}
END
cat > site/mappings/send.map << 'END'
mapping stage => rows

Row => Row {
    require not(Sent) else skip SENT
    require Qty > 0   else NO_QUANTITY "row {Id}: nothing to send"
    Id  => Id
    Qty => Qty
}
END
has_ended() { "$prog" show --json --dir site "$1" 2> /dev/null | json waybill.place | grep -qx archived; }    # BATCH
do_it() {                               # VERB OPTION...: the code is $code
    "$prog" "$@" --dir site -q > out 2> err < /dev/null
    code=$?
}
refused() {                             # NAME CODE TEXT... -- VERB OPTION...: and nothing was written
    what=$1 want=$2 texts=''
    shift 2
    while [ "$1" != -- ]; do texts="$texts
$1"; shift; done
    shift
    do_it "$@"
    check "$what: exit code" is "$want" "$code"
    echo "$texts" | while IFS= read -r t; do [ -z "$t" ] || said err "$t" || exit 1; done
    result $? "$what: what is wrong"
    check "$what: nothing is asked" is '' "$(ls site/.waybill/requests site/.waybill/work 2> /dev/null | grep -v :)"
}

check "the site is right" "$prog" check site > /dev/null

# All is checked before anything is written.
refused "no value" 2 'Changed since' 'MAP_PARAM_MISSING' '--set since' -- create
refused "an empty value" 2 PARAM_BAD 'needs a value' -- create --set since=
refused "no time at all" 2 PARAM_BAD '"yesterday"' datetime -- create --since yesterday
refused "a day that does not exist" 2 PARAM_BAD -- create --since 2024-02-30
refused "no number" 2 PARAM_BAD most -- create --since 2024-01-01 --set most=many
refused "an unknown param" 2 PARAM_UNKNOWN 'did you mean `most`' -- create --since 2024-01-01 --set mots=3
refused "a setting without =" 2 PARAM_BAD -- create --since 2024-01-01 --set most
refused "--since where no param is a time" 2 PARAM_UNKNOWN -- do other import --since 2024-01-01
refused "an unknown flow" 3 SITE_NO_FLOW 'did you mean `sync`' -- do sycn send
refused "an unknown operation" 3 SITE_NO_OPERATION 'did you mean `send`' -- do sync sedn
refused "an operation of two flows" 3 SITE_NO_FLOW 'sync, other' -- send
refused "one of none" 3 SITE_NO_OPERATION -- commit
refused "a flow that is off" 3 SITE_SWITCHED_OFF -- do idle rest
refused "an unknown batch" 3 BATCH_NONE -- send sync --batch 20240101-000000-1-1
refused "a path in its place" 3 BATCH_NONE -- hold ../../etc
refused "no batch" 2 'which batch' -- cancel
refused "a batch where files are taken" 2 'inbox' -- create --since 2024-01-01 --batch 20240101-000000-1-1
refused "a wrong --wait" 2 '--wait' -- send sync --wait soon
refused "wrong --workers" 2 '--workers' -- send sync --workers none
for verb in create send receive commit update amend retry hold release cancel resend do; do
    check "$verb --help" sh -c '"$1" "$2" --help | grep -q -e --dir' - "$prog" "$verb"
    check "$verb --help tells --quiet, which it takes" sh -c '"$1" "$2" --help | grep -q -e --quiet' - "$prog" "$verb"
done

# A batch is made.
do_it create --since 2024-01-01
check "nothing to do is told, and where" is "0 there was nothing to do: no file is ready in inbox/rows" "$code $(cat out)"
printf 'Id;Qty\n1;5\n2;0\n3;7\n4;900\n' > site/inbox/rows/a.csv
do_it create --since '2024-01-01 10:30' --set note=hush --json
b=$(json batches.0.batch < out)
check "create: a message was refused" is "1 done 4 1" "$code $(json outcome < out) $(json messages < out) $(json refused < out)"
check "create: the time is written out" is 2024-01-01T10:30:00 "$("$prog" show --dir site "$b" | sed -n 's/^param *since = //p')"
check "who asked is in the history" sh -c '"$1" show --dir site "$2" | grep -q "asked .* by .*uid"' - "$prog" "$b"
check "no request is left" is '' "$(ls site/.waybill/requests)"
check "it is open" is 1 "$("$prog" status site | grep -c "$b.* staged, with errors$")"
check "status --json" is "staged true true 3" "$("$prog" status --json site > out; for m in state with_errors open states.0.lines; do json batches.0.$m < out; done | tr '\n' ' ' | sed 's/ $//')"

# show
"$prog" show --dir site "$b" > out
check "show: a table with titles" said out 'Row  State   Quantity  Note' '1    staged  5         '
check "show: what is sensitive is not shown" is 1 "$(grep -c hush out)"      # the param
check "show: what is open" said out 'create  message 4, Qty = "900": reject: row 4 asks for 900 [TOO_MANY]'
"$prog" show --json --dir site "$b" > out
check "show --json" is "staged $b 3 7 staged TOO_MANY true" "$(for m in state waybill.batch messages.# messages.2.fields.Qty messages.0.lines.0.state said.0.code said.0.open; do json $m < out; done | tr '\n' ' ' | sed 's/ $//')"
check "show --json: what is sensitive is not shown" not_said out '"Note":"hush'
check "show --why" sh -c '"$1" show --why --dir site "$2" | grep -q "message 4  create: rejected"' - "$prog" "$b"

# By hand.
refused_by() { do_it "$@"; [ "$code" = 1 ] && said err "$want"; }
do_it hold "$b"
check "hold" is "0 batch $b: held" "$code $(cat out)"
do_it amend "$b" --message 2 'Qty=5'
check "amend while it is held: which batch, and the way out" said err "batch $b is held: \`waybill release --dir site\`"
check "a held batch" said "$(do_it status; "$prog" status site > out; echo out)" 'staged, with errors, held'
want='it is held'
check "no operation takes it" refused_by send sync --batch "$b"
do_it release "$b"
check "release" is "0 batch $b: released" "$code $(cat out)"
want=BATCH_BUSY
check "release twice" refused_by release "$b"
check "which batch, and why" said err "batch $b is not held"
want="batch $b waits for no other attempt"
check "retry of what waits for nothing" refused_by retry "$b"
want=SELECT_UNKNOWN
check "a message that is not there" refused_by send sync --batch "$b" --message 9
check "where the keys are to be seen" said err 'is the key of no message' '`waybill show` tells the keys'
"$prog" show --dir site "$b" > out
check "the history says it in one sentence" said out 'send: "***" is the key of no message of the batch [SELECT_UNKNOWN]'
do_it send "$b"
check "a batch where a flow is named: how it is written" said err SITE_NO_FLOW "it is a batch: write --batch $b"
do_it send syn
check "a flow that is mistyped" said err 'did you mean `sync`?'
do_it send somewhere
check "a flow that is not there: those that are" said err 'its flows are '
do_it do sync something
check "an operation that is not there: those that are" said err 'is no operation of flow sync' 'it has '
do_it amend --message 2 'Qty=5'
check "amend: which batch" eval 'is 2 "$code" && said err "which batch?"'
do_it amend "$b" --message 9 'Qty=5'
check "amend: a message that is not there" said err AMEND_UNKNOWN 'not 9: `waybill show` tells the keys'
do_it send sync --batch "$b" --message 3
check "one message alone" is "0 1" "$code $(cat site/outbox/rows/*_1.csv | grep -c '^3;7')"
do_it send sync
check "the rest: one refused" is 1 "$code"
check "and told" said err NO_QUANTITY
check "the file has the other" is "Id;Qty 1;5" "$(tr -d '\r' < "$(one site/outbox/rows '*_2.csv')" | tr '\n' ' ' | sed 's/ $//')"
for bad in 'Qtty=5 AMEND_PATH' 'Qty AMEND_PATH' 'Qty=many PARAM_BAD' 'Line[1]/Qty=5 AMEND_PATH'; do
    do_it amend "$b" --message 2 "${bad% *}"
    check "amend ${bad% *}: 2, ${bad#* }" sh -c '[ "$1" = 2 ] && grep -q "$2" err' - "$code" "${bad#* }"
done
do_it amend "$b" 'Qty=5'
check "amend: which message" is 2 "$code"
do_it amend "$b" --message 2 'Qty=5'
check "amend" is "0 done" "$code $(sed -n 's/.*: //p' out)"
check "amend: who and when" sh -c '"$1" show --dir site "$2" | grep -q "amended *2 Qty = 5"' - "$prog" "$b"
do_it send sync --json
check "and it is sent: the batch ends" is "0 3 1" "$code $(json messages < out) $("$prog" status --json site | json archived)"
do_it send sync --batch "$b"
check "an archived batch is not open" sh -c '[ "$1" = 3 ] && grep -q BATCH_NOT_OPEN err' - "$code"
check "show: an archived batch line by line" sh -c '"$1" show --dir site "$2" | grep -q "^2    sent"' - "$prog" "$b"
for verb in retry cancel hold resend; do
    do_it $verb "$b"
    check "$verb: an archived batch is said to be archived" sh -c '[ "$1" = 1 ] && grep -q "is archived.*BATCH_CLOSED" err' - "$code"
done
flow rows | small_site part && mkdir -p part/inbox/rows && printf 'Id;Qty\n1;x\n2;2\n' > part/inbox/rows/some.csv
run part
refused=$(ls part/error)
"$prog" retry --dir part "$refused" > out 2> err
check "of one that was refused in part the place is named" said err BATCH_CLOSED "error/$refused: mend that and drop it again"
flow rows | small_site shut && mkdir -p shut/inbox/rows shut/.waybill/lock && chmod 700 shut
"$prog" run shut > out 2> err
code=$?
check "a lock that cannot be opened is named with its site" eval 'is 5 "$code" && said err shut/.waybill/lock:'
as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
if [ "$(id -u)" = 0 ] && (cd / && as_nobody "$prog" --help) > out 2>&1; then
    as_nobody "$prog" status "$tmp/shut" > out 2> err
    code=$?
    check "a site that may not be looked into is not called none" eval 'is 5 "$code" && said err "Permission denied [SYS_DENIED]"'
fi

# What README.md says of the site that `init` makes does all that it shows, one refused order or not.
mkdir readme && (cd readme && PATH=$(dirname "$prog"):$PATH && export PATH &&
    sh -c "$(grep '^    waybill init shop' "$top/README.md" | sed 's/waybill run shop/sleep 2.1; &/')" > ../out 2> ../err < /dev/null)
check "README: init, run and status" said out '2 of 4 messages refused'
sed -i 's/"Order date"/"Ordered"/' readme/shop/mappings/shop-orders.format
(cd readme/shop && sleep 2.1 && PATH=$(dirname "$prog"):$PATH && export PATH &&
    sh -c "$(grep '^    sed .*again.csv' README.md | sed 's/waybill run/sleep 2.1; &/')" > ../../out 2> ../../err < /dev/null)
check "the site's README: a title that was changed is what is told" eval 'said err CSV_COLUMN "no column \"Ordered\"" && not_said err DUP_CONTENT'
for verb in run status fsck health purge 'retry --dir'; do
    "$prog" $verb nowhere > out 2> err < /dev/null
    check "$verb: no site, and what to do" is "3 1" "$? $(grep -c 'name the folder of a site, or make one: .waybill init' err)"
done

"$prog" where --dir site "$b" > out
check "where: the zip, the outputs, the refused messages" said out "_$b.zip" "outbox/rows/${b}_1.csv  (lies there)" "error/$b"
rm "site/outbox/rows/${b}_1.csv"
check "where: an output that was taken" sh -c '"$1" where --json --dir site "$2" | grep -q "_1.csv\",\"note\":\"was taken"' - "$prog" "$b"

# What a problem tells to type can be typed as it stands: the site is named where it is not the folder of the caller.
hinted() { "$prog" "$@" 2> err > out < /dev/null; sed -n 's/.*`\(waybill [^`]*\)`.*/\1/p' err; }
check "hint: status of that site" is "waybill status site" "$(hinted show --dir site nobatch)"
check "hint: in the site itself nothing is added" is "waybill status" "$(cd site && hinted show nobatch)"
cp -r site "si te"
check "hint: a name with a blank is quoted" is "waybill status 'si te'" "$(hinted where --dir 'si te' nobatch)"
rm -r "si te"

# cancel, retry
printf 'Id;Qty\n11;5\n' > site/inbox/rows/c.csv
do_it create --since 2024-01-01 --json
c=$(json batches.0.batch < out)
do_it cancel "$c"
check "cancel" is "0 batch $c: cancelled" "$code $(cat out)"
check "a cancelled batch is archived" is "archived 2" "$("$prog" show --json --dir site "$c" > out; json waybill.place < out) $("$prog" status --json site | json archived)"
printf 'Id;Qty\n"12;5\n' > site/inbox/rows/d.csv
do_it create --since 2024-01-01 --json
d=$(json batches.0.batch < out)
check "a broken file" is "1 refused" "$code $(json batches.0.became < out)"
do_it retry "$d" --json
check "retry makes a batch of its own" is "created" "$(json batches.0.became < out)"
check "and tells which one, and that it is refused again" eval 'is "1 1" "$code $(grep -c "refused again: .*\[CSV_" err)" &&
    said err "$(json batches.0.batch < out): error: refused again" && [ "$d" != "$(json batches.0.batch < out)" ]'
check "what was set aside stays" is 3 "$(ls site/error | grep -c .)"
want=BATCH
check "retry of one that goes well" refused_by retry "$b"

# Beside a watcher.
watch site -q
do_it retry "$d" --json
check "a retry that is refused again, done by the watcher" is "created 1 1" \
    "$(json batches.0.became < out) $code $(grep -c 'refused again: .*\[CSV_' err)"
printf 'Id;Qty\n\033[31mred;5\n22;0\n' > site/inbox/rows/e.csv
do_it create --since 2024-01-01 --json
e=$(json batches.0.batch < out)
check "the watcher does it" is "0 2" "$code $(json messages < out)"
do_it send sync --batch "$e"
check "and tells what was refused" sh -c '[ "$1" = 1 ] && grep -q "NO_QUANTITY" err' - "$code"
check "nothing from the data reaches the terminal" sh -c '! grep -q "$(printf "\033")" out err' -
"$prog" show --dir site "$e" > out
check "show: neither" sh -c '! grep -q "$(printf "\033")" out && grep -q "red  " out' -
kill -STOP "$watcher"
start=$(date +%s)
do_it hold "$e" --wait 1
check "a watcher that sleeps: told in time" sh -c '[ "$1" = 5 ] && [ "$2" -lt 30 ] && grep -q REQUEST_WAITS err' - "$code" $(($(date +%s) - start))
kill -CONT "$watcher"
held() { "$prog" status site | grep -q "$e.*held"; }
check "it is done all the same" wait_for 60 held
kill -STOP "$watcher"
start=$(date +%s%N)
"$prog" release --dir site "$e" > out 2> err < /dev/null &
asked=$!
started="$started $asked"
sleep 0.5
check "a command waits for a watcher that sleeps" kill -0 "$asked"
kill -KILL "$watcher"
wait "$asked"
code=$?
took=$((($(date +%s%N) - start) / 1000000))
check "the watcher dies: the command does it itself, $took ms" test "$code" = 0 -a "$took" -lt 40000
check "it is released" eval '! held'
wait "$watcher" 2> /dev/null
watch site -q
kill -STOP "$watcher"
for i in 1 2 3; do
    "$prog" hold --dir site "$e" > out.$i 2> err.$i < /dev/null &
    asked="$asked $!"
done
sleep 0.5
kill -KILL "$watcher"
for p in ${asked#* }; do wait "$p"; done
check "of several that wait one does it, and all are answered" eval 'held && ! cat err.1 err.2 err.3 | grep -E "REQUEST_WAITS|SITE_BUSY"'
wait "$watcher" 2> /dev/null
watch site -q

# Whoever ran it to the end of its batch dies before the answer is written.
printf 'Id;Qty\n31;5\n32;6\n' > site/inbox/rows/f.csv
do_it create --since 2024-01-01 --json
f=$(json batches.0.batch < out)
kill -STOP "$watcher"
do_it send sync --batch "$f" --wait 1
check "what it does not answer is asked" is "5 1" "$code $(ls site/.waybill/requests | wc -l)"
cp site/.waybill/requests/* .
request=$(ls site/.waybill/requests)
kill -CONT "$watcher"
wait_for 60 test -f "site/.waybill/answers/$request"
check "it is done, and its batch archived" wait_for 60 has_ended "$f"
stop
answered() { for m in outcome batches delivered messages made.#; do json $m < "site/.waybill/answers/$request"; done | tr '\n' ' '; }
check "the answer says so" is "done 1 1 2 1 " "$(answered)"
rm "site/.waybill/answers/$request"
mv "$request" site/.waybill/requests/
run site
check "the next one answers the same" is "0 done 1 1 2 1 " "$code $(answered)"
check "and does nothing a second time" is "1 1" "$(ls site/outbox/rows | grep -c "^$f") $(find site/archive -name "*$f*.zip" | wc -l)"
check "fsck finds nothing" sound site
finish
