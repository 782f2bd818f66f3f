#!/bin/sh
# t22-raks - integration 4 as a site: which settings it refuses; its sample through commands and watchers, with a script
# that plays BaseLinker and answers call by call
. "$(dirname "$0")/lib.sh"
map=$top/mappings/raks_baselinker
in=$top/samples/raks_baselinker/in want=$top/samples/raks_baselinker/expected

# --- settings ---------------------------------------------------------------------------------------------------------

new_site() {                            # NAME SED SCRIPT for site.conf; the automatic sending is switched on
    "$prog" init "$1" --from "$map" > /dev/null 2>&1
    sed -i "s/^        on     no /        on     yes /; $2" "$1/site.conf"
}
refused() {                             # NAME SED SCRIPT TEXT ...
    site=$1
    new_site "$site" "$2"
    shift 2
    "$prog" check "$site/site.conf" > "$site.out" 2>&1
    said "$site.out" "$@"
}
check "S4-14: no status to send" refused none '/^set status-before/d' "Nie zdefiniowano statusu faktur do wysyłki." NO_STATUS
check "S4-31: no status after" refused after '/^set status-after/d' "Nie zdefiniowano statusu faktur po wysyłce."
check "S4-31: the same status after as before" refused same 's/"Wysłany"/"Do wysyłki"/' SAME_STATUS
check "S4-22: no series of invoices" refused series '/^set invoice-series/d' SITE_PARAM invoice-series
check "S4-35: no such place" refused place 's/number-place .*/number-place uwagi/' "Nieznane miejsce numeru: uwagi."
check "S4-9: an interval of 0 seconds" refused zero 's/every  60s/every  0s/' "site.conf:"
check "S4-9: an interval that is no whole number" refused half 's/every  60s/every  1.5s/' "site.conf:"

# --- a site with the sample, and somebody who plays BaseLinker --------------------------------------------------------

# The PDFs lie beside the list, the list itself comes last, as RaksSQL writes them.
make_site() {                           # DIR [SED SCRIPT for site.conf]
    "$prog" init "$1" --from "$map" > /dev/null 2>&1 || return 1
    sed -i "s/stable 2s/stable 0s/; ${2-}" "$1/site.conf"
    cp "$in"/bl_get*.json "$1/tables/"
    mkdir -p "$1/inbox/dokumenty/pdf"
    for f in "$in"/pdf/*; do drop "$f" "$1/inbox/dokumenty/pdf"; done
}
register() { drop "$in/raks_dokumenty_20240611.csv" "$1/inbox/dokumenty"; }     # DIR
calls_of() { find "$1/outbox/baselinker" -type f ! -name '.*' 2> /dev/null; }
called() { [ -n "$(calls_of "$1")" ]; }
closed() { [ -n "$(ls "$1/outbox/log")" ]; }
called_or_closed() { called "$1" || closed "$1"; }
fetch() {                               # DIR: the one call that is there goes to BaseLinker
    f=$(calls_of "$1")
    [ "$(echo "$f" | wc -l)" = 1 ] || { echo "# several calls at once: $f"; return 1; }
    cat "$f" >> "$1.calls" && rm "$f"
}
reply() {                               # DIR TEXT: BaseLinker's answer
    answers=$((answers + 1))
    printf '%s\n' "$2" > "$1.answer" && drop "$1.answer" "$1/inbox/bl-answers" "answer$answers.json"
}
answers=0
ids() { sed -n 's/.*"batch":"\([^"]*\)".*/\1/p'; }
rests() { "$prog" show --dir "$1" "$(batch_of "$1")" 2> /dev/null | grep -q '^waits  *open'; }
batch_of() { ls "$1/.waybill/work" | head -1; }

# HOW is commands (each turn a run of its own), watcher, or killed: the watcher dies without warning after each step.
start() { [ "$how" = commands ] || watch "$1" -q; }
pause() {                               # what has to be done is done
    case $how in
    commands) "$prog" run -q "$1" 2> run.log; return 0 ;;
    killed) kill -KILL "$watcher"; wait "$watcher" 2> /dev/null; watch "$1" -q ;;
    esac
}
end() { [ "$how" = commands ] || stop; }
send() { "$prog" do --dir "$1" wyslij-faktury send > send.out 2>&1; }

# Plays until the console is there: one answer a call, in the order of FILE.
play() {                                # DIR FILE
    while read -r line; do
        wait_for 60 called "$1" && fetch "$1" || return 1
        pause "$1"
        reply "$1" "$line"
        [ "$how" = commands ] || sleep "0.0$((answers % 7))"
        pause "$1"
    done < "$2"
    wait_for 60 closed "$1"
}

# What was in the pdf folder: with the batch now, or there still.
pdf_list() {                            # DIR BATCH
    echo 'Plik;SHA256'
    {
        "$prog" show --json --dir "$1" "$2" | tr '{' '\n' | sed -n 's/.*"kind":"companion","name":"\([^"]*\)".*"sha256":"\([0-9a-f]*\)".*/\1;\2/p'
        (cd "$1/inbox/dokumenty/pdf" && sha256sum -- *.pdf | sed -E 's/^([0-9a-f]+)  (.*)/\2;\1/')
    } | sort
}
# Of each PDF that went: the hash of what BaseLinker got.
arrived() {                             # DIR
    sed -n 's/.*"file":"data:\([^"]*\)".*/\1/p' "$1.calls" | while read -r pdf; do
        printf %s "$pdf" | base64 -d | sha256sum | cut -c1-64
    done
}
sent_pdfs() { grep -E 'FS_101|FS_109|PA_55' "$want/pdf_sha256.csv" | tr -d '\r' | cut -d';' -f2; }

life() {                                # HOW
    how=$1 s=$1
    make_site "$s" || { result 1 "$how: make the site"; return; }
    start "$s"
    register "$s"
    pause "$s"
    wait_for 60 rests "$s"
    send "$s"
    check "S4-6 S4-11 $how: the button works with the switch off; a document was refused" is 1 $?
    play "$s" "$in/bl_responses.jsonl"
    result $? "$how: as many calls as answers"
    check "S4-20 S4-21 S4-23 S4-25 S4-34 $how: the calls, one after another" same "$want/bl_requests.jsonl" "$s.calls"
    check "S4-19 S4-32 S4-33 $how: the console; one failing document does not stop the run" \
        same "$want/konsola.log" "$(one "$s/outbox/log" '*.log')"
    check "S4-30 S4-32 $how: the statuses for RaksSQL" same "$want/raks_statusy.csv" "$(one "$s/outbox/raks" '*.csv')"
    b=$(batch_of "$s")
    wait_for 60 said_closed "$s" "$b"
    pdf_list "$s" "$b" > list.csv
    tr -d '\r' < "$want/pdf_sha256.csv" > want.csv
    check "S4-24 $how: each PDF is where it belongs, byte for byte" same want.csv list.csv
    check "S4-24 $how: and arrived so" is "$(sent_pdfs | sort)" "$(arrived "$s" | sort)"
    later "$s" "$b"
    end
    check "$how: fsck finds nothing" sound "$s"
    check "$how: nothing was refused but the answer that says no" is '1 1' \
        "$(find "$s/error" -name '*.waybill.json' | wc -l) $(grep -l BL_ERROR "$s"/error/*/*.waybill.json | wc -l)"
}
said_closed() { "$prog" show --dir "$1" "$2" 2> /dev/null | grep -q '^close .*done'; }

# S4-16, S4-17: the PDF that was missing comes, the one that was none is replaced; the next run finds them.
later() {                               # DIR BATCH
    rm -f "$1"/outbox/log/* "$1"/outbox/raks/* "$1.calls"
    drop "$in/pdf/FS_101_06_2024.pdf" "$1/inbox/dokumenty/pdf" FS_104_06_2024.pdf
    drop "$in/pdf/FS_109_06_2024.pdf" "$1/inbox/dokumenty/pdf" FS_105_06_2024.pdf
    send "$1"
    printf '%s\n' '{"status":"SUCCESS","invoice_id":9104}' '{"status":"SUCCESS"}' '{"status":"ERROR","error_code":"X","error_message":"busy"}' \
        '{"status":"SUCCESS","invoice_id":9105}' '{"status":"SUCCESS"}' '{"status":"SUCCESS"}' \
        '{"status":"SUCCESS","invoice_id":9111}' '{"status":"SUCCESS"}' '{"status":"SUCCESS"}' > more.jsonl
    play "$1" more.jsonl
    result $? "S4-16 S4-17 S4-32 $how: what was left out or failed is tried again"
    check "S4-16 S4-17 $how: with the files that came since" is "FS/104/06/2024 FS/105/06/2024 FS/111/06/2024" \
        "$(sed -n 's/.*"external_invoice_number":"\([^"]*\)".*/\1/p' "$1.calls" | tr '\n' ' ' | sed 's/ $//')"
    check "S4-36 S4-37 $how: a number that BaseLinker does not take is a warning" said "$(one "$1/outbox/log" '*.log')" \
        "Dokument FS/104/06/2024: wysłano." "Dokument FS/104/06/2024: numeru nie zapisano: busy" \
        "Dokument FS/103/06/2024: brak pliku PDF - pominięto." "Zakończono: wysłano 3, pominięto 2, błędy 2."
    check "S4-30 $how: their statuses follow" is "5 6 13" \
        "$(tail -n +2 "$(one "$1/outbox/raks" '*.csv')" | cut -d';' -f1 | tr '\n' ' ' | sed 's/ $//')"
}

life commands
life watcher
life killed

# --- by itself, at an interval ----------------------------------------------------------------------------------------

how=watcher
make_site auto 's/^        on     no /        on     yes /; s/every  60s/every  1s/'
watch auto -q
register auto
wait_for 60 called auto
check "S4-7 S4-8: with the switch on it runs by itself" is 1 "$(calls_of auto | wc -l)"
sleep 2.5
check "S4-10: a run that is due while one is under way is left out" is "1 " "$(calls_of auto | wc -l) $(ls auto/outbox/log)"
send auto
check "S4-10: nor does the button start a second one" said send.out BATCH_BUSY
b=$(batch_of auto)
"$prog" show --dir auto "$b" > show.out
check "show tells what is awaited, since when" said show.out "awaits      an answer to send for 1, since 20" "late at 20"
play auto "$in/bl_responses.jsonl"
result $? "S4-7: it goes through all documents"
mkdir first && mv auto/outbox/log/*_1.log first/
check "S4-19: its console is that of a run by hand" same "$want/konsola.log" "$(one first '*.log')"
wait_for 60 called auto
check "S4-32: and begins again with what failed" said "$(calls_of auto)" '"addInvoice"' 80010013
stop

# --- answers that do not come, or that nobody waits for ---------------------------------------------------------------

make_site late 's/within 10m/within 1s/'
watch late -q
reply late '{"status":"SUCCESS"}'
set_aside() { grep -ql "$2" "$1"/error/*/*.waybill.json 2> /dev/null; }
set_archived() { find "$1/archive" -name "*_$2.zip" | grep -q .; }
wait_for 60 set_aside late ANSWER_UNEXPECTED
result $? "an answer that nobody waits for is set aside"
register late
wait_for 60 rests late
send late
asked_for() { cat $(calls_of "$1") | grep -q "$2"; }
wait_for 60 asked_for late '"invoice_id":7010'
result $? "an answer that is late ends its document, the run goes on with the next one"
reply late '{"status":"SUC}'
wait_for 60 set_aside late JSON_
result $? "an answer that cannot be read is set aside"
wait_for 60 closed late
result $? "all calls are given up when they are late"
check "the console tells of them" said "$(one late/outbox/log '*.log')" "no answer came in time" "Zakończono: wysłano 0"
stop

# --- hold, release, cancel in the middle ------------------------------------------------------------------------------

make_site hold ''
watch hold -q
register hold
wait_for 60 rests hold
send hold
wait_for 60 called hold && fetch hold
b=$(batch_of hold)
"$prog" hold --dir hold "$b" > hold.out 2>&1
check "a batch that awaits an answer can be held" is 0 $?
reply hold '{"status":"SUCCESS","invoice_id":9001}'
sleep 1
check "held, its answer stays in the inbox" is "1 " "$(ls hold/inbox/bl-answers | wc -l) $(calls_of hold)"
"$prog" amend --dir hold --message 1 "$b" PDF=x.pdf > amend.out 2>&1
check "it cannot be amended meanwhile" said amend.out BATCH_BUSY
"$prog" release --dir hold "$b" > hold.out 2>&1
wait_for 60 called hold
check "released, it goes on" said "$(calls_of hold)" '"addOrderInvoiceFile"'
fetch hold
"$prog" cancel --dir hold "$b" > hold.out 2>&1
check "cancelled, it goes to the archive" wait_for 60 set_archived hold "$b"
reply hold '{"status":"SUCCESS"}'
wait_for 60 set_aside hold ANSWER_UNEXPECTED
result $? "the answer to its last call is nobody's"
stop

# --- struck at points of a run that takes an answer and makes the next call -------------------------------------------

make_site struck '' && register struck && "$prog" run -q struck 2> /dev/null
send struck
fetch struck
reply struck '{"status":"SUCCESS","invoice_id":9001}'
strike() {                              # MODE POINT ERRNO DIR: a copy of the site is run and struck there
    rm -rf "$4" && cp -a struck "$4"
    "$tools/ce" -m "$1" -n "$2" -e "$3" -c disk -k all -t 20 -o ce.log "$prog" run -q "$4" > /dev/null 2>&1
}
strike list 0 0 whole
made() { (cd "$1/outbox/baselinker" && cat -- *_2.jsonl && ls | wc -l); }
made whole > whole.calls
points=$(sed -n 's/^\([0-9][0-9]*\) .*/\1/p' ce.log | awk 'NR % 13 == 1')
wrong=0
for point in $points; do
    for mode in after fail; do
        strike $mode "$point" 28 again
        "$prog" run -q again 2> /dev/null
        made again > again.calls
        cmp -s whole.calls again.calls || { echo "# $mode $point: $(tr '\n' ' ' < again.calls | cut -c1-200)"; wrong=1; }
    done
done
[ "$(echo "$points" | wc -l)" -gt 8 ] && [ $wrong = 0 ]
result $? "killed, or the disk full, at any point: the next call is made once"
finish
