#!/bin/sh
# t41-fsck.sh PROGRAM - fsck is quiet about a good site, names each kind of damage, and changes nothing
. "$(dirname "$0")/lib.sh"
HEAD='OrderNo;Order date;Customer;Country;Line;Article;Quantity'
export TZ=UTC

fresh() {                               # a site with an archived batch, one with refused messages, one set aside
    chmod -R u+w "$tmp/s" 2> /dev/null
    rm -rf "$tmp/s"
    "$prog" init "$tmp/s" > /dev/null
    printf '%s\n1;21.11.2026;A;Norway;1;K-1;1\n2;21.11.2026;B;Atlantis;1;K-1;1\n' "$HEAD" > "$tmp/s/inbox/orders/a.csv"
    printf '%s\n6;21.11.2026;"F;Norway;1;K-1;1\n' "$HEAD" > "$tmp/s/inbox/orders/bad.csv"
    touch -d '2 minutes ago' "$tmp"/s/inbox/orders/*
    "$prog" run -q -n "$tmp/s" 2> "$tmp/run.log"
}
papers() { find "$tmp/s" -type f ! -name lock -exec cksum {} + | sort; }
# finds NAME CODE EXIT: fsck tells CODE, with that exit code, and changes nothing
finds() {
    papers > "$tmp/before"
    "$prog" fsck "$tmp/s" > "$tmp/out" 2> "$tmp/err"
    code=$?
    papers > "$tmp/after"
    if [ $code != "$3" ]; then
        echo "# exit code $code"
        sed 's/^/#   /' "$tmp/err"
        result 1 "$1"
    else
        said "$tmp/err" "[$2]" && same "$tmp/before" "$tmp/after"
        result $? "$1"
    fi
}
zip() { find "$tmp/s/archive" -name '*.zip'; }
beside() { find "$tmp/s/archive" -name '*.waybill.json'; }
aside() { find "$tmp/s/error" -name bad.csv; }

fresh
"$prog" fsck "$tmp/s" > "$tmp/out" 2> "$tmp/err"
check "a good site: exit code 0" is 0 $?
check "and nothing on standard error" is "" "$(cat "$tmp/err")"
check "its counts" said "$tmp/out" "0 batches at work, 2 in error/, 1 archived; 1 ledgers with 1 records" "all good"
"$prog" fsck --json "$tmp/s" > "$tmp/out" 2> "$tmp/err"
check "as JSON" is "1 0" "$(json archived < "$tmp/out") $(json errors < "$tmp/out")"
mkdir "$tmp/s/error/20260102-030405-1-9-late" && echo late > "$tmp/s/error/20260102-030405-1-9-late/a.csv"
check "what came too late needs no waybill" "$prog" fsck "$tmp/s"
rm -r "$tmp/s/error/20260102-030405-1-9-late"
"$prog" fsck --help > "$tmp/out"
check "--help" said "$tmp/out" "Nothing is changed without --reindex"
"$prog" fsck "$tmp/none" > "$tmp/out" 2>&1
check "no site: exit code 3" is 3 $?

printf 'x' | dd of="$(zip)" bs=1 seek=60 conv=notrunc 2> /dev/null
finds "a byte of a zip" FSCK_ZIP 1
fresh
sed -i 's/"rejected","count":1/"rejected","count":0/' "$(beside)"
finds "the waybill beside the zip was edited" FSCK_BESIDE 1
fresh
rm "$(beside)"
finds "or is missing: only a warning" FSCK_BESIDE 0
fresh
sed -i 's/"place":"error"/"place":"written"/' "$(dirname "$(aside)")"/*.waybill.json
finds "a waybill in error/ was edited" FSCK_WAYBILL 1
fresh
rm "$(dirname "$(aside)")"/*.waybill.json
finds "or is missing" FSCK_WAYBILL 1
fresh
rm "$(aside)"
finds "who takes a file from error/ may do so" FSCK_TAKEN 0
fresh
sed -i 's/"outcome":"delivered"/"outcome":"refused!!"/' "$tmp"/s/.waybill/ledger/*
finds "a line of a ledger was edited" LEDGER_DAMAGED 1
fresh
echo >> "$tmp/s/archive/config/$(ls "$tmp/s/archive/config" | head -1)"
finds "a kept mapping was edited" ARCHIVE_DAMAGED 1
fresh
rm "$tmp"/s/archive/config/*
finds "or is missing" FSCK_CONFIG 1
fresh
mkdir "$tmp/s/.waybill/work/20261122-034431-1-9" && echo x > "$tmp/s/.waybill/work/20261122-034431-1-9/in"
finds "a folder in work/ without waybill" FSCK_WAYBILL 1

fresh
ln -sf /etc/passwd "$(aside)"
echo >> "$tmp/s/archive/config/$(ls "$tmp/s/archive/config" | head -1)"
finds "a link in a file's place is told with its place, and nothing of it read" FSCK_UNREAD 1
check "and the rest is looked at all the same" said "$tmp/err" /bad.csv: ARCHIVE_DAMAGED
"$prog" fsck --json "$tmp/s" > "$tmp/out" 2> "$tmp/err"
check "several problems are JSON" eval '[ "$(json errors < "$tmp/out")" -ge 2 ]'
fresh
year=$(ls "$tmp/s/archive" | grep '^2')
mv "$tmp/s/archive/$year" "$tmp/year" && ln -s "$tmp/year" "$tmp/s/archive/$year"
finds "a year of the archive that is a link is not passed over" SYS_MISSING 5
rm "$tmp/s/archive/$year" && mv "$tmp/year" "$tmp/s/archive/$year"
zip=$(find "$tmp/s/archive" -name '*.zip')
mv "$zip" "$tmp/moved.zip" && ln -s "$tmp/moved.zip" "$zip"
finds "nor is a single zip" SYS_IO 1
check "which is named" said "$tmp/err" "$(basename "$zip")"
"$prog" fsck --reindex "$tmp/s" > "$tmp/out" 2> "$tmp/err"
code=$?
check "--reindex tells it" eval 'is 5 $code && said "$tmp/err" "$(basename "$zip")"'
id=$(basename "$zip" .zip)
check "and what was seen of it stays" is 1 "$(find "$tmp/s/.waybill/seen" -type l -lname "${id#*_}" | wc -l)"
rm "$zip" && mv "$tmp/moved.zip" "$zip"

# A batch that cannot be delivered yet.
fresh
rm -rf "$tmp/s/outbox/warehouse" && : > "$tmp/s/outbox/warehouse"
printf '%s\n7;21.11.2026;A;Norway;1;K-1;1\n' "$HEAD" > "$tmp/s/inbox/orders/c.csv"
touch -d '2 minutes ago' "$tmp"/s/inbox/orders/*
"$prog" run -q -n "$tmp/s" 2> "$tmp/run.log"
finds "a batch under way is a note" FSCK_OPEN 0
echo x >> "$(find "$tmp/s/.waybill/work" -name out.1)"
finds "its staged output was changed" FSCK_FILE 1
echo x >> "$(find "$tmp/s/.waybill/work" -name in)"
finds "its input was changed" FSCK_INPUT 1

# The same drop gives the same zip whatever the caller's zone and language are.
for zone in UTC Asia/Tokyo America/New_York; do
    rm -rf "$tmp/z" && "$prog" init "$tmp/z" > /dev/null
    printf '%s\n1;21.11.2026;A;Norway;1;K-1;1\n' "$HEAD" > "$tmp/z/inbox/orders/a.csv"
    touch -d '2020-01-01T00:00:00Z' "$tmp/z/inbox/orders/a.csv"
    TZ=$zone LC_ALL=$([ $zone = UTC ] && echo C || echo C.UTF-8) WAYBILL_CLOCK=2026-01-02T03:04:05Z "$prog" run -q -n "$tmp/z" 2> "$tmp/run.log"
    cksum < "$(find "$tmp/z/archive" -name '*.zip')"
done > "$tmp/sums"
check "zips do not depend on TZ and LC_ALL" is "3 1" "$(wc -l < "$tmp/sums") $(sort -u "$tmp/sums" | wc -l)"

# On a shared site what is at work lies in the folder of its holder.
mkdir -p shared/inbox/one shared/outbox
{ echo 'shared yes'; flow one | retry 1s; } | small_site shared
echo plain > shared/outbox/one
rows 1 3 > shared/inbox/one/a.csv
run shared
b=$(ls shared/.waybill/epoch-*/work)
check "shared: a batch waits" is 5 "$code"
"$prog" fsck shared > fsck.out 2>&1
check "shared: it is counted" said fsck.out '1 batches at work'
echo x >> "$(echo shared/.waybill/epoch-*/work/"$b")/in"
"$prog" fsck shared > fsck.out 2>&1
check "shared: and looked at" is 1 $?
check "shared: with its place" said fsck.out FSCK_INPUT "/work/$b"
finish
