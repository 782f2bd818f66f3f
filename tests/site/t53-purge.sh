#!/bin/sh
# t53-purge.sh PROGRAM - what is kept no longer goes, whole; what must outlive it does; a killed purge is ended by the next
. "$(dirname "$0")/lib.sh"

fresh() {                               # a site with batches of three days, one set aside, one with refused messages
    chmod -R u+w s 2> /dev/null
    rm -rf s
    small_site s << END
${1:-}
flow rows {
    on yes
    operation convert {
        take inbox  "inbox/rows" ready name
        give outbox "outbox/rows" name "{file}" map copy
    }
}
END
    mkdir -p s/inbox/rows
    for day in 2024-01-10 2024-03-01 2026-01-10; do
        month=${day#*-}
        rows 1 "${month%-*}" > "s/inbox/rows/$day.csv"
        echo "$day;x" >> "s/inbox/rows/$day.csv"
        echo "bad $day" > "s/inbox/rows/bad-$day.csv"
        WAYBILL_CLOCK=${day}T10:00:00Z "$prog" run -q -n s 2> run.log
    done
    # Zips and folders as old as their batches.
    for f in $(find s/archive -name '*.zip'); do
        d=${f#s/archive/} && touch -d "$(echo "$d" | cut -c1-10 | tr / -) 12:00" "$f"
    done
    for f in s/error/*; do touch -d "$(basename "$f" | cut -c1-8) 12:00" "$f"; done
}
tree() { (cd s && find archive error .waybill outbox -mindepth 1 ! -path '*/trash*' ! -path '*/purged*' ! -name lock | sort); }
purge() { WAYBILL_CLOCK=2026-02-01T10:00:00Z "$prog" purge "$@" s > out 2> err; code=$?; }

fresh
tree > before
purge
check "without keep nothing goes" eval 'is 0 $code && tree | cmp -s - before'

fresh 'keep archive 2y
keep log 30d'
before=$(find s/archive -name '*.zip' | wc -l)
tree > before
purge --dry-run
check "a dry run tells" eval 'is 0 $code && said out archive/2024/01/10 archive/2024/03/01 "would go"'
check "and changes nothing" eval 'tree | cmp -s - before'
sed -i 's/keep archive 2y/keep archive 720d/' s/site.conf
purge
check "purge: exit code 0" is 0 "$code"
check "old days are gone" eval '[ ! -e s/archive/2024/01 ] && [ -d s/archive/2026/01/10 ]'
check "young ones stay" is "$((before - 1))" "$(find s/archive -name '*.zip' | wc -l)"
check "so do sequences, ledgers, what was seen, error/ and kept mappings" is "" \
    "$(tree | diff before - | grep '^[<>]' | grep -v '< archive/2024/01' | grep -v '\.lines\.')"
check "lines beside zips go after keep log" is 0 "$(find s/archive/2024/03 -name '*.lines.*' | wc -l)"
check "the zip has them" eval 'python3 -c "import zipfile,sys; sys.exit(not any(\".lines.\" in n for n in zipfile.ZipFile(sys.argv[1]).namelist()))" "$(find s/archive/2024/03 -name "*.zip" | head -1)"'
check "fsck: all good" sound s
check "the trash is empty" is "" "$(ls s/.waybill/trash)"
purge
check "purged again: nothing is left to do" said out "0 archived batches of 0 days, 0 files of lines, 0 batches"

{ rows 1 01; echo '2024-01-10;x'; } > s/inbox/rows/again.csv
run s -q -n
check "what was seen before the purge stays seen" eval 'is 1 $code && grep -rl DUP_CONTENT s/error --include "*.waybill.json" | grep -q .'

fresh 'keep error 1y'
bad=$(grep -rl 'bad-2024-01-10' s/error --include '*.waybill.json' | head -1)
purge
check "error/ only where the site says so" eval '[ -n "$bad" ] && [ ! -e "$bad" ] && ls s/error | grep -q ^2026'
check "its content stays seen, too" eval 'echo "bad 2024-01-10" > s/inbox/rows/b.csv; run s -q -n; grep -rl DUP_CONTENT s/error --include "*.waybill.json" | grep -q .'

# A batch that came to the archive late keeps its day.
fresh 'keep archive 1y'
touch -d '2026-01-20' "$(find s/archive/2024/01 -name '*.zip' | head -1)"
purge
check "a day stays while its newest zip is young" eval '[ -d s/archive/2024/01/10 ] && [ ! -e s/archive/2024/03 ]'

# Killed at every system call that changes something.
n=1
faults=0
while [ $n -lt 200 ]; do
    fresh 'keep archive 1y
keep error 1y' > /dev/null
    ids=$(cd s && find archive error -name '2024*.zip' -o -name '*_2024*.zip' -o -path 'error/2024*' -maxdepth 2 -type d | sed 's|.*[/_]||; s|\.zip||' | sort -u)
    WAYBILL_CLOCK=2026-02-01T10:00:00Z "$tools/ce" -m before -n $n -o ce.log "$prog" purge s > ce.out 2> ce.err
    sound s || { faults=$((faults + 1)); echo "# killed at $n"; }
    WAYBILL_CLOCK=2026-02-01T10:00:00Z "$prog" purge s > out 2> err || faults=$((faults + 1))
    sound s || faults=$((faults + 1))
    [ -z "$(find s/archive -path '*2024*')$(ls s/error | grep ^2024)$(ls s/.waybill/trash)" ] || { faults=$((faults + 1)); echo "# something is left after $n"; }
    for id in $ids; do grep -rqx "$id" s/.waybill/purged || { faults=$((faults + 1)); echo "# $id is forgotten at $n"; }; done
    grep -q 'are gone' ce.out && break
    n=$((n + 1))
done
echo "# $n points"
check "killed anywhere: nothing is half there, nothing forgotten" eval '[ $faults = 0 ] && [ $n -gt 5 ]'

# A watcher does it by itself.
fresh 'keep archive 1y'
mkdir -p s/.waybill/trash/leftover && echo x > s/.waybill/trash/leftover/x
WAYBILL_CLOCK=2026-02-01T10:00:00Z
export WAYBILL_CLOCK
watch s
check "a watcher purges by itself" wait_for 60 eval '[ ! -e s/archive/2024 ]'
check "and empties the trash" wait_for 60 eval '[ -z "$(ls s/.waybill/trash)" ]'
check "which is told" wait_for 60 grep -q 'event=purge batches=2' watch.log
stop
finish
