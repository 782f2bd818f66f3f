#!/bin/sh
# t75-landing.sh PROGRAM - of many small files that go together one cannot be delivered: the others are, and it comes later, once
. "$(dirname "$0")/lib.sh"

# f1 … f12, each into outbox/all; f5 and f9 have a row for outbox/some as well.
n=12
made() {                                # SITE [LINES-OF-THE-FLOW]
    rm -rf "$1"
    small_site "$1" << END || return 1
flow files {
    on yes
    retry 1s
    ${2:-}
    operation convert {
        take inbox  "inbox/files" ready name
        give outbox "outbox/all"  name "{file}" map copy
        give outbox "outbox/some" name "{file}" map large empty skip
    }
}
END
    sed 's/^Row <=> Row {/&\n    require Qty > 1 else skip SMALL/; s/<=>/=>/' "$1/mappings/copy.map" > "$1/mappings/large.map"
    mkdir -p "$1/inbox/files" "$1/outbox/all" "$1/outbox/some"
    for i in $(seq $n); do
        { rows "$i" "$i"; case $i in 5 | 9) echo "$i;2" ;; esac; } > "$1/inbox/files/f$i.csv"
        touch -d "2026-02-01 00:00:$i" "$1/inbox/files/f$i.csv"
    done
    export WAYBILL_CLOCK=2026-03-01T10:00:00Z
}
later() { WAYBILL_CLOCK=2026-03-0$1T10:00:00Z; }        # DAY: every retry is due

# What stands in the way of f5, or of all that outbox/some gets: it is put there, is as it was, and goes.
name_put() { echo other > "$1/outbox/some/f5.csv"; }
name_kept() { is other "$(cat "$1/outbox/some/f5.csv")"; }
name_gone() { rm -f "$1/outbox/some/f5.csv"; }
file_put() { rmdir "$1/outbox/some" && echo plain > "$1/outbox/some"; }
file_kept() { is plain "$(cat "$1/outbox/some")"; }
file_gone() { rm -f "$1/outbox/some" && mkdir -p "$1/outbox/some"; }
link_put() { rmdir "$1/outbox/some" && ln -s nowhere "$1/outbox/some"; }
link_kept() { is nowhere "$(readlink "$1/outbox/some")"; }
link_gone() { rm -f "$1/outbox/some" && mkdir -p "$1/outbox/some"; }
waiting() { "$prog" status --json "$1" | tr '{' '\n' | sed -n 's/.*"file":"\([^"]*\)".*"attempts":\([0-9]*\).*/\1 \2/p' | sort | xargs; }
tried() { for w in $waits; do echo "$w $1"; done | xargs; }              # TIMES: as `waiting` says it

made undisturbed && run undisturbed
check "with nothing in the way" is "0 $n 2 $n" "$code $(outputs undisturbed/outbox/all | wc -l) $(outputs undisturbed/outbox/some | wc -l) $(archived undisturbed)"
delivered() { diff -r "$1" undisturbed/outbox; }        # FOLDER
tree() { find "$1/archive" "$1/outbox" "$1/error" "$1/.waybill/work" -type f | sort | xargs sha256sum; }

# --- a run after the other ----------------------------------------------------------------------------------------------

for how in name file link; do
    case $how in name) waits='f5.csv' ;; *) waits='f5.csv f9.csv' ;; esac
    held=$(echo "$waits" | wc -w)
    made site 'order any'
    ${how}_put site
    run site
    check "$how: the others are delivered, $waits waits" is "5 $(tried 1) $((n - held))" "$code $(waiting site) $(archived site)"
    check "$how: what stands in the way is as it was" ${how}_kept site
    later 2
    run site
    check "$how: a day later it is tried, in vain" is "5 $(tried 2)" "$code $(waiting site)"
    check "$how: that is as it was" ${how}_kept site
    later 3
    ${how}_gone site
    run site
    check "$how: with nothing in the way all are delivered" is "0 $n" "$code $(archived site)"
    check "$how: each with its bytes" delivered site/outbox
    before=$(tree site)
    run site
    check "$how: once more changes nothing" is "0 $before" "$code $(tree site)"
    check "$how: fsck finds nothing" sound site
done

# --- killed at a system call, then tried once more in vain, by a consumer who takes all at once ---------------------------

take() {                                # SITE: what lies in its outboxes goes to taken/; what came twice is told
    for f in "$1"/outbox/all/f*.csv "$1"/outbox/some/f*.csv; do
        [ -f "$f" ] && [ "$(cat "$f")" != other ] || continue
        to=taken/$(basename "$(dirname "$f")")/$(basename "$f")
        [ -e "$to" ] && echo "# twice: $f"
        mv "$f" "$to"
    done
}
struck() {                              # HOW MODE POINT: the faults of one trial
    rm -rf site taken
    mkdir -p taken/all taken/some
    cp -a template site
    later 1
    "$tools/ce" -m "$2" -n "$3" -k all -o struck.log "$prog" run -q site > /dev/null 2>&1 < /dev/null
    ${1}_kept site
    take site
    later 2
    run site -q
    [ "$code" = 5 ] || echo "# exit code $code with that in the way"
    ${1}_kept site
    take site
    ${1}_gone site
    later 3
    run site -q
    [ "$code" = 0 ] || echo "# exit code $code at last"
    take site
    delivered taken
    is "$n 0" "$(archived site) $(find site/.waybill/work site/.waybill/claim site/.waybill/tmp -mindepth 1 | wc -l)"
    sound site
}
"$tools/ce" true 2> /dev/null
if [ $? -ge 77 ]; then
    echo "ok striking is left out: processes cannot be traced here"
else
    for how in name file; do
        made template 'order any'
        ${how}_put template
        rm -rf site
        cp -a template site
        "$tools/ce" -m count -o count.log "$prog" run -q site > /dev/null 2>&1 < /dev/null
        points=$(sed -n 's/^points //p' count.log)
        trials=0
        : > faults
        for at in $(seq $((1 + points % 7)) ${STEP:-29} "$points"); do
            for mode in before after; do
                struck $how $mode "$at" > fault
                [ ! -s fault ] || { sed "s/^/# $mode $at: /" fault; cat fault >> faults; }
                trials=$((trials + 1))
            done
        done
        check "$how: killed $trials times at $points points: all come, each once" [ ! -s faults ]
    done
fi

# --- in order -----------------------------------------------------------------------------------------------------------

# Without `order any` nothing overtakes the one that waits; other flows go on.
events() { sed -n "s/.*event=$1 .*flow=files .*file=\([^ ]*\).*/\1/p" all.log | xargs; }
made site
flow beside >> site/site.conf
mkdir -p site/inbox/beside
rows 1 1 > site/inbox/beside/b.csv
name_put site
run site
cat run.log > all.log
came=$(events accepted)
check "in order: what came before it is delivered, and nothing that came after" is "5 ${came%% f5.csv*}" "$code $(events delivered)"
check "in order: another flow goes on" has site/outbox/beside 1
name_gone site
later 2
run site
cat run.log >> all.log
check "in order: then the rest, in the order of their coming" is "0 $came" "$code $(events delivered)"
rm -r site/outbox/beside
check "in order: each with its bytes" delivered site/outbox

# --- a watcher that is killed while one waits ---------------------------------------------------------------------------

unset WAYBILL_CLOCK
told() { grep "event=$1" watch.log | grep -c "file=$2.csv"; }        # EVENT FILE
for how in name file; do
    : > watch.log
    made site 'order any'
    unset WAYBILL_CLOCK
    ${how}_put site
    watch site
    check "$how: a watcher tries again" wait_for 60 eval '[ "$(told retry f5)" -ge 2 ]'
    check "$how: the others are in the archive" wait_for 60 eval '[ "$(archived site)" -ge $((n - 2)) ]'
    stop KILL
    watch site
    check "$how: and the next one" wait_for 60 eval '[ "$(told retry f5)" -ge 4 ]'
    check "$how: what stands in the way is as it was" ${how}_kept site
    ${how}_gone site
    check "$how: it is delivered" wait_for 60 eval '[ "$(archived site)" = $n ]'
    check "$how: once" is "1 1" "$(told delivered f5) $(told archived f5)"
    check "$how: each with its bytes" delivered site/outbox
    stop
    check "$how: fsck finds nothing" sound site
done
finish
