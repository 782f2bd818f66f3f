#!/bin/sh
# t54-notices.sh PROGRAM - programs and letters tell of events and never hold a flow up; senders get a plain answer
. "$(dirname "$0")/lib.sh"

site() {                                # FLOW-LINES SITE-LINES
    small_site s << END
language no
${2:-}
flow rows {
    on yes
    retry 1h
    ${1:-}
    operation convert {
        take inbox  "inbox/rows" ready name
        give outbox "outbox/rows" name "{file}" map copy
    }
}
END
    mkdir -p s/inbox/rows s/tools
}
cat > keep.sh << 'END'
#!/bin/sh
cat > "$WAYBILL_SITE/told-$WAYBILL_EVENT-$WAYBILL_BATCH.json"
env | sort > "$WAYBILL_SITE/env-$WAYBILL_EVENT"
pwd > "$WAYBILL_SITE/pwd"
ls -l /proc/self/fd | grep -c -- '->' > "$WAYBILL_SITE/fds"
cut -d' ' -f5 /proc/self/stat > "$WAYBILL_SITE/group"
printf 'said \033[31mthis\n'
END
mkdir -p s/tools && cp keep.sh s/tools/tell.sh && chmod +x s/tools/tell.sh

site 'notice rejected, delivered "tools/tell.sh"' 'notice stopped "tools/tell.sh"'
rows 1 3 > s/inbox/rows/good.csv
printf 'Id;Qty\n1;"x\n' > "$(printf 's/inbox/rows/b\nad.csv')"
{ rows 1 2; echo '3;x'; echo '4;y'; } > s/inbox/rows/part.csv
SECRET=hunter2 HOME=/root run s
check "run: exit code as before" is 1 "$code"
check "delivered: the waybill on standard input" eval 'cat s/told-delivered-*.json | grep -q "\"place\":\"delivered\""'
check "rejected: the whole file, and messages of one" is 2 "$(ls s/told-rejected-*.json | wc -l)"
f=$(grep -l '"name":"b\\\\x0Aad.csv"' s/told-rejected-*.json)
check "it is the waybill" eval '[ -n "$f" ] && json place < "$f" | grep -qx error'
check "a clean environment" eval '! grep -qE "SECRET|HOME|WAYBILL_CLOCK" s/env-rejected && grep -qx "WAYBILL_FLOW=rows" s/env-rejected'
check "names from outside are escaped in it" eval 'cat s/env-* | grep -q "^WAYBILL_FILE=" && ! grep -qx "ad.csv" s/env-rejected'
check "in the site's folder" is "$(cd s && pwd -P)" "$(cat s/pwd)"
check "with three descriptors and that of ls" is 4 "$(cat s/fds)"
check "in a process group of its own" eval '[ "$(cat s/group)" != "$(cut -d" " -f5 /proc/$$/stat)" ]'
check "its output is logged, escaped" said run.log 'event=notice notice=rejected' 'status=0 text="said \x1B[31mthis"'
check "nobody was told of a stop" test ! -e s/env-stopped

# Letters.
cat > sendmail << 'END'
#!/bin/sh
cat > "$WAYBILL_SITE/mail-$$"
echo "$@" > "$WAYBILL_SITE/mail-arguments"
END
chmod +x sendmail
WAYBILL_SENDMAIL=$tmp/sendmail
export WAYBILL_SENDMAIL
rm -rf s && site 'notice rejected, gave-up mail "orders@example.com"' 'texts no {
    REPLY_FOUND "Dette ble funnet:"
}'
{ rows 1 2; echo '3;x'; echo '4;x'; echo ';1'; } > 's/inbox/rows/bøker.csv'
run s
check "a letter through sendmail -t" eval 'grep -qx -- "-t -i" s/mail-arguments && grep -qx "To: orders@example.com" s/mail-*'
check "what was wrong, equal errors once with count and first line" said "$(ls s/mail-[0-9]*)" "2 times, first in line 4" "is not a decimal" "line 6"
check "in the site's words" said "$(ls s/mail-[0-9]*)" "Dette ble funnet:"
check "its subject is plain ASCII" eval 'sed -n "/^Subject/,/^[A-Z].*: /p" s/mail-[0-9]* | grep -q "=?UTF-8?B?" && ! sed "/^$/q" s/mail-[0-9]* | LC_ALL=C grep -q "[^ -~]"'
echo bad > 's/inbox/rows/=?UTF-8?Q?paid?=.csv'
run s
check "nor a name that would be decoded to another one" eval '! grep -l "^Subject.*Q?paid" s/mail-[0-9]* && grep -q "Q?paid" s/mail-[0-9]*'

# Programs that do not behave.
rm -rf s && mkdir -p s/tools
printf '#!/bin/sh\nsleep 60 & sleep 60\n' > s/tools/slow && chmod +x s/tools/slow
printf '#!/bin/sh\nyes | head -c 2000000; exit 3\n' > s/tools/loud && chmod +x s/tools/loud
echo 'no program' > s/tools/none && chmod +x s/tools/none
site 'notice delivered "tools/slow"
    notice rejected "tools/loud"
    notice rejected "tools/none"' 'notice stopped "tools/last"'
printf '#!/bin/sh\necho $WAYBILL_EVENT > "$WAYBILL_SITE/last"\n' > s/tools/last && chmod +x s/tools/last
watch s
i=0
while [ $i -lt 130 ]; do rows 1 $((i + 1)) > .x && mv .x s/inbox/rows/f$i.csv; i=$((i + 1)); done
echo bad > .x && mv .x s/inbox/rows/bad.csv
check "a program that hangs does not hold the files up" wait_for 60 eval '[ "$(archived s)" = 130 ]'
slow() { ps -A -o pid=,pgid=,args= | awk '$1 == $2' | grep -c "$tmp/[s]/tools/slow"; }
check "no more than four at a time" eval '[ "$(slow)" -le 4 ]'
check "what is too much is dropped and counted" wait_for 60 grep -q 'event=notice-dropped count=' watch.log
stop
check "TERM ends it in time" is 0 "$code"
check "with every program that it started" wait_for 60 eval '[ "$(ps -A -o args= | grep -c "$tmp/[s]/tools/slow")" = 0 ]'
printf '#!/bin/sh\nexit 0\n' > s/tools/slow
watch s
echo bad2 > .x && mv .x s/inbox/rows/bad2.csv
check "a loud one: its code and the first of its words" wait_for 60 eval 'grep "tools/loud" watch.log | grep -q "status=3 text=\"*y.x0Ay"'
check "one that is no program" wait_for 60 eval 'grep "tools/none" watch.log | grep -q "status=127"'
stop
check "stopped: told at the end" wait_for 60 grep -qx stopped s/last
if [ "${WAYBILL_SLOW:-}" ]; then
    printf '#!/bin/sh\nsleep 100\n' > s/tools/slow
    watch s
    rows 1 500 > .x && mv .x s/inbox/rows/long.csv
    check "30 s are the limit" wait_for 60 grep -q 'took more than 30 s' watch.log
    stop
fi

# Overdue, gave up.
rm -rf s && mkdir -p s/tools && cp keep.sh s/tools/tell.sh && chmod +x s/tools/tell.sh
site 'notice overdue after 2s "tools/tell.sh"
    notice gave-up "tools/tell.sh"'
mkdir -p s/outbox && : > s/outbox/rows
watch s
rows 1 3 > .x && mv .x s/inbox/rows/stuck.csv
check "overdue: told" wait_for 60 test -f s/env-overdue
rm s/env-overdue
sleep 2.5
check "once" test ! -e s/env-overdue
stop
WAYBILL_CLOCK=2030-01-02T03:04:05Z run s
check "gave up: told" eval 'grep -q GAVE_UP s/told-gave-up-*.json'

# Answers.
rm -rf s && site 'reply "outbox/answers"' 'texts no {
    REPLY_REFUSED "Filen {file} ble avvist."
    REPLY_ONCE "linje {line}: {text}"
}'
echo rubbish > s/inbox/rows/../.x && mv s/inbox/.x s/inbox/rows/bad.csv
{ rows 1 2; echo '3;x'; } > s/inbox/rows/part.csv
run s
answer() { ls s/outbox/answers/"$1".*.txt; }
check "an answer for the whole file" eval 'head -1 "$(answer bad.csv)" | grep -qx "Filen bad.csv ble avvist."'
check "one for messages of it" said "$(answer part.csv)" "1 of 3 messages" "- Qty, linje 4: " '"x"'
cp s/outbox/rows/part.csv s/inbox/rows/part.csv
{ rows 1 2; echo '3;x'; } > s/inbox/rows/part.csv
run s
check "one for a duplicate" said "$(ls s/outbox/answers/part.csv.*.txt | tail -1)" "ble avvist" "$(grep -ho '"duplicate_of":"[^"]*"' s/error/*/*.json | cut -d'"' -f4)"
check "three in all, nothing left behind" is "3 0" "$(ls s/outbox/answers | wc -l) $(ls s/.waybill/replies | wc -l)"
rm -rf s && site 'reply "outbox/answers"'
echo rubbish > s/inbox/rows/bad.csv
"$tools/ce" -m list -o ce.log "$prog" run -q -w 1 s > ce.out 2> ce.err
n=$(sed -n '/ mkdirat replies/,$s/^\([0-9]*\) .* renameat .*waybill.json.new$/\1/p' ce.log | head -1)
# The count of calls may differ by some from run to run.
for more in 0 1 -1 2 -2 3 -3 4 -4 5 -5 6 -6; do
    rm -rf s && site 'reply "outbox/answers"'
    echo rubbish > s/inbox/rows/bad.csv
    "$tools/ce" -m before -n $((n + more)) -o ce.log "$prog" run -q -w 1 s > ce.out 2> ce.err
    [ -n "$(ls s/.waybill/replies 2> /dev/null)" ] && grep -q '"place":"accepted"' s/.waybill/work/*/*.waybill.json && break
done
"$prog" cancel --dir s "$(ls s/.waybill/replies)" > out 2> err
"$prog" run -q s > out 2> err
check "made ready, killed, cancelled: no answer says refused" is "0 0 1" \
    "$(ls s/outbox/answers 2> /dev/null | wc -l) $(ls s/.waybill/replies | wc -l) $(grep -l CANCELLED s/error/*/*.waybill.json | wc -l)"
rm -rf s && site 'reply "outbox/answers"'
mkdir s/outbox && : > s/outbox/answers
planted_watch s
echo rubbish > .x && mv .x s/inbox/rows/bad.csv
check "a folder that takes no answer is told" wait_for 60 grep -q 'level=error.* file=s/outbox/answers' watch.log
rm s/outbox/answers
check "when it takes them again the answer comes" in_time has s/outbox/answers 1
stop
answers() {                             # N COMMAND...: killed at every so many points, the files of COMMAND get N answers in the end
    want=$1
    shift
    n=1
    faults=0
    while [ $n -lt 300 ]; do
        rm -rf s && site 'reply "outbox/answers"'
        "$@"
        "$tools/ce" -m before -n $n -o ce.log "$prog" run -q -w 1 s > ce.out 2> ce.err
        grep -q '^hit' ce.log || break
        "$prog" run -q -w 1 s > out 2> err
        [ "$(ls s/outbox/answers | wc -l) $(ls s/.waybill/replies | wc -l)" = "$want 0" ] ||
            { faults=$((faults + 1)); echo "# killed at $n ($(tail -2 ce.log | head -1)): $(ls s/outbox/answers) $(ls s/.waybill/replies)"; }
        n=$((n + ${WAYBILL_STEP:-7}))
    done
}
two() { echo rubbish > s/inbox/rows/bad.csv; { rows 1 2; echo '3;x'; } > s/inbox/rows/part.csv; }
again() { rows 1 3 > s/inbox/rows/good.csv; "$prog" run -q s > out 2> err; rows 1 3 > s/inbox/rows/again.csv; }
answers 2 two
check "killed anywhere: each is answered once ($n points, every ${WAYBILL_STEP:-7}th)" is 0 $faults
answers 1 again
check "so is a duplicate ($n points)" is 0 $faults

# A member of an archive is refused like a file that came by itself.
rm -rf s && site 'reply "outbox/answers"; notice rejected "tools/tell.sh"' && mkdir -p s/tools && cp keep.sh s/tools/tell.sh && chmod +x s/tools/tell.sh
sed -i 's/; notice/\n    notice/; s/ready name/ready name unpack/' s/site.conf
rows 1 3 > s/inbox/rows/good.csv && run s
rows 1 3 | gzip -n > s/inbox/rows/same.csv.gz && run s
check "a duplicate in an archive is told" said run.log "event=duplicate" "file=same.csv code=DUP_CONTENT"
check "to whoever wants to know" is 1 "$(ls s/told-rejected-*.json | wc -l)"
check "and answered" is "1 0" "$(ls s/outbox/answers | wc -l) $(ls s/.waybill/replies | wc -l)"

# check.
site 'notice stopped "tools/tell.sh"'
"$prog" check s > out 2> err
check "stopped is of the site" said err SITE_NOTICE "of the whole site"
site 'notice rejected mail "a@b
c"' 2> /dev/null; site 'notice rejected mail "x <a@b>"'
"$prog" check s > out 2> err
check "a mail address is one address" said err SITE_NOTICE "no mail address"
site 'notice rejected "tools/missing"'
"$prog" check s > out 2> err
check "a program that is not there is a warning" said err SITE_NOTICE "there is no program"
site 'reply "../elsewhere"'
"$prog" check s > out 2> err
check "answers stay below the site" said err SITE_OUTSIDE
site 'notice lost "tools/x"'
"$prog" check s > out 2> err
check "an unknown event" said err 'unknown word "lost"'
finish
