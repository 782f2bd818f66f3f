#!/bin/sh
# t53-purge.sh PROGRAM - what is kept no longer goes, whole; what must outlive it does; a killed purge is ended by the next
. "$(dirname "$0")/lib.sh"

fresh() {                               # a site with batches of three days, one set aside, one with refused messages
    chmod -R u+w s 2> /dev/null
    rm -rf s
    { echo "${1:-}"; flow rows; } | small_site s
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
for day in 20240110 20260110; do
    mkdir -p s/error/$day-100000-9-9-late && echo x > s/error/$day-100000-9-9-late/x.csv
    touch -d "$day 12:00" s/error/$day-100000-9-9-late
done
for n in $(seq 1001 1600); do mkdir "s/error/20240110-100000-8-$n" && touch -d '2024-01-10 12:00' "s/error/20240110-100000-8-$n"; done
purge --dry-run
check "a dry run tells all of error/" eval 'is 601 "$(grep -c "^error/20240110-100000-[89]-" out)" && [ -d s/error/20240110-100000-8-1600 ]'
bad=$(grep -rl 'bad-2024-01-10' s/error --include '*.waybill.json' | head -1)
purge
check "error/ only where the site says so" eval '[ -n "$bad" ] && [ ! -e "$bad" ] && ls s/error | grep -q ^2026'
check "what came too late goes like batches" is 20260110-100000-9-9-late "$(ls s/error | grep late)"
check "all that were told are gone" is 0 "$(ls s/error | grep -c ^20240110)"
check "its content stays seen, too" eval 'echo "bad 2024-01-10" > s/inbox/rows/b.csv; run s -q -n; grep -rl DUP_CONTENT s/error --include "*.waybill.json" | grep -q .'

# Kept versions of mappings and tables.
text() { printf 'mapping rows => rows\n\nRow => Row {\n    Id  => Id\n    Qty => Qty\n    # %s\n}\n' "$1"; }
version() { text "$1" > s/mappings/copy.map; }
kept() { [ -e "s/archive/config/$(text "$1" | sha256sum | cut -c1-64)" ]; }
work() { rows "$1" "$2" > "s/inbox/rows/v$1.csv" && WAYBILL_CLOCK=${3}T10:00:00Z "$prog" run -q -n s > /dev/null 2> run.log; }
old() { touch -d '10 days ago' s/archive/config/*; }
fresh
version archived && work 50 51 2025-01-10
version refused && echo 'no heading' > s/inbox/rows/bad.csv && WAYBILL_CLOCK=2025-02-10T10:00:00Z "$prog" run -q -n s 2> run.log
version reloaded && WAYBILL_CLOCK=2025-02-11T10:00:00Z "$prog" run -q -n s 2> run.log
version open && mkdir -p s/outbox && mv s/outbox/rows s/outbox/before && : > s/outbox/rows && work 60 61 2025-02-12
version of-now
purge
check "young versions stay, whoever names them" eval 'kept archived && kept refused && kept reloaded && kept open'
old
purge --dry-run
check "a dry run tells what no batch names: mapping and manifest" eval '[ "$(grep -c archive/config/ out)" = 2 ] && kept reloaded && said out "2 kept versions"'
purge
check "it goes" eval 'is 0 $code && ! kept reloaded'
check "what the archive, error/ and an open batch name stays" eval 'kept archived && kept refused && kept open'
check "fsck: all good" sound s
rm s/outbox/rows && mv s/outbox/before s/outbox/rows
WAYBILL_CLOCK=2026-02-01T10:00:00Z "$prog" retry --dir s "$(ls s/.waybill/work)" > /dev/null 2>&1
WAYBILL_CLOCK=2026-02-01T10:00:00Z "$prog" run -q -n s > /dev/null 2> run.log
check "the open batch goes on with its own" eval '[ -z "$(ls s/.waybill/work)" ] && grep -q "^60;1" s/outbox/rows/v60.csv'
sed -i '1i keep archive 300d' s/site.conf
find s/archive/2025/01 -name '*.zip' -exec touch -d 2025-01-10 {} +
old
purge
check "with its last batch a version goes too" eval '! kept archived && kept refused && kept open'
check "fsck: all good again" sound s
bad=$(find s/archive -name '*.waybill.json' | head -1)
mv "$bad" aside.json && old && version nobody && WAYBILL_CLOCK=2026-02-01T10:00:00Z "$prog" run -q -n s 2> run.log
old
purge
check "a waybill that is missing: nothing goes, and that is told" eval 'kept nobody && said err PURGE_UNSURE'
mv aside.json "$bad"
echo damaged > "s/error/$(ls s/error | head -1)/$(ls s/error | head -1).waybill.json"
purge
check "one that is damaged: neither" eval 'kept nobody && said err PURGE_UNSURE'

# A year that cannot be looked into: who knows what its batches name.
fresh
version moved && work 70 71 2025-01-10
version of-now && old
mv s/archive/2025 year && ln -s ../../year s/archive/2025
purge
check "a folder of the archive that cannot be read: nothing goes, and that is told" eval 'is 0 $code && kept moved && said err PURGE_UNSURE archive/2025'
rm s/archive/2025 && mv year s/archive/2025
purge
check "with it back all is as before" eval 'kept moved && not_said err PURGE_UNSURE'

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
    echo nobody > "s/archive/config/$(echo nobody | sha256sum | cut -c1-64)" && old
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
old && echo nobody > "s/archive/config/$(echo nobody | sha256sum | cut -c1-64)" && old
mkdir -p s/.waybill/trash/leftover && echo x > s/.waybill/trash/leftover/x
WAYBILL_CLOCK=2026-02-01T10:00:00Z
export WAYBILL_CLOCK
watch s
check "a watcher purges by itself" wait_for 60 eval '[ ! -e s/archive/2024 ]'
check "and empties the trash" wait_for 60 eval '[ -z "$(ls s/.waybill/trash)" ]'
check "which is told" wait_for 60 grep -q 'event=purge batches=2.*versions=1' watch.log
check "it notes the day: the next look is in a week" is 20485 "$(cat s/.waybill/purged/swept)"
check "what it works with is young again, whether or not a batch names it" is "" \
    "$(for f in s/site.conf s/mappings/copy.map s/mappings/rows.format; do find s/archive/config -name "$(sha256sum < $f | cut -c1-64)" -mtime +1; done)"
stop
finish
