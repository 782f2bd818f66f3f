#!/bin/sh
# t93-answers.sh PROGRAM - long answers come in short; what was asked is done once, whatever becomes of its answer
. "$(dirname "$0")/lib.sh"

many=1010                               # an answer names 1,000
far=$(printf 'o%0199d/' 0 0 0 0 0 0)
{ flow rows name copy '{batch}.csv'; cat; } << END | small_site site
flow many {
    on yes
    operation convert {
        manual
        take inbox  "inbox/many" ready name
        give outbox "outbox/many" name "{file}" map copy
    }
    operation near {
        manual
        take inbox  "inbox/near" ready name
        give outbox "outbox/near" name "{batch}_{n}.csv" each map copy
    }
    operation far {
        manual
        take inbox  "inbox/far" ready name
        give outbox "outbox/${far%/}" name "{batch}_{n}.csv" each map copy
    }
}
END
mkdir -p site/inbox/many site/inbox/near site/inbox/far site/inbox/rows site/outbox/"$far"
ask() { "$prog" "$@" > out 2> err < /dev/null; code=$?; }
files() { find "site/outbox/$1" -type f 2> /dev/null | wc -l; }
nothing_asked() { [ -z "$(ls site/.waybill/requests)" ]; }

# --- an answer that would be too long -------------------------------------------------------------------------------------

watch site --no-fsync
mkdir .many && for i in $(seq $many); do printf 'Id;Qty\n%d;1\n' "$i" > ".many/$i.csv"; done && mv .many/* site/inbox/many/
ask do --dir site -n many convert
check "an operation that takes many files" is "0 $many" "$code $(files many)"
check "its answer names the first" is "1000 1000" "$(grep -c '^batch ' out) $(grep -c ' bytes$' out)"
check "and counts the others" said out 'and 10 more batches' 'and 10 more files'
rows 1 $many > .near && mv .near site/inbox/near/near.csv
ask do --dir site -n --json many near
check "one that gives many files" is "0 $many" "$code $(files near)"
check "--json counts those that it does not name" is "1000 0 10" \
    "$(grep -o '"size"' out | wc -l) $(json more_batches < out) $(json more_outputs < out)"
rows 2 $((many + 1)) > .far && mv .far site/inbox/far/far.csv
ask do --dir site -n many far
check "in a folder with a long name" is "0 $many" "$code $(files "$far")"
check "the answer has numbers only" is "1 batch|$many files|$many messages, 0 refused, 0 waiting" "$(sed 's/$/|/' out | tr -d '\n' | sed 's/|$//')"
check "the watcher is alive" watching site
check "nothing is asked any more" nothing_asked
stop

# --- a file that was set aside is retried: once ---------------------------------------------------------------------------

set_aside() {                           # NAME: its batch is $batch
    printf 'Id;Qty\n"7;1\n# %s' "$1" > "site/inbox/rows/$1"
    run site -q
    batch=$(ls site/error | by_age | tail -1)
    printf 'Id;Qty\n7;1\n' > "site/error/$batch/$1"     # mended by hand
}

# Killed when the batch was made and the answer was not.
set_aside a.csv
ask retry --dir site -n "$batch"
answer=$(ls -t site/.waybill/answers | head -1)
check "retry makes a batch" is "0 1" "$code $(files rows)"
cat > ".$answer" << END
{"version":1,"id":"${answer%.json}","kind":"retry","batch":"$batch","by":"me","time":"2026-11-22T20:00:00Z"}
END
rm "site/.waybill/answers/$answer" && mv ".$answer" "site/.waybill/requests/$answer"
run site -q
watch site --no-fsync
check "after a crash it is answered" wait_for 60 test -f "site/.waybill/answers/$answer"
check "that it is done" is done "$(json outcome < "site/.waybill/answers/$answer")"
stop
run site -q
check "and not done again" is 1 "$(files rows)"

# Its answer cannot be written: it is tried again and again.
set_aside b.csv
mv site/.waybill/answers answers && : > site/.waybill/answers
: > watch.log
failures() { grep -c 'code=SYS_.*answers' watch.log; }
planted_watch site --no-fsync
"$prog" retry --dir site -n "$batch" > retry.out 2> retry.err < /dev/null
wait_for 60 eval '[ "$(files rows)" = 2 ]'
failed_before=$(failures)
check "an answer that cannot be written is tried again" in_time eval '[ "$(failures)" -gt $failed_before ]'
rm site/.waybill/answers && mv answers site/.waybill/answers
check "it comes when it can be" in_time nothing_asked
stop
check "and what was asked was done once" is "1 2" "$(grep -c event=created watch.log) $(files rows)"
check "fsck finds it in order" sound site
finish
