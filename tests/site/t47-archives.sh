#!/bin/sh
# t47-archives - a dropped zip, tar, gz, xz or zst: each member is a batch of its own; hostile ones are refused whole
. "$(dirname "$0")/lib.sh"

small_site site << END
limit unpack-members 50
flow one {
    on yes
    operation convert {
        take inbox  "inbox/one" ready name unpack
        give outbox "outbox/one" name "{file}" map copy
    }
}
END
mkdir -p site/inbox/one members
rows 1 3 > members/a.csv
rows 4 9 > members/b.csv
printf 'Id;Qty\nx;12x\ny;2\n' > members/c.csv
cat > pack.py << 'END'
import gzip, io, lzma, sys, tarfile, warnings, zipfile
warnings.simplefilter("ignore")
names = ["a.csv", "b.csv", "c.csv"]
def data(n): return open("members/" + n, "rb").read()
with zipfile.ZipFile("three.zip", "w", zipfile.ZIP_DEFLATED) as z:
    for n in names: z.writestr("orders/" + n, data(n))
for kind, mode in (("tar", "w"), ("tar.gz", "w:gz"), ("tar.xz", "w:xz")):
    with tarfile.open("t." + kind, mode) as t:
        i = tarfile.TarInfo(kind + ".csv"); i.size = len(data("a.csv")) + len(kind) + 3
        t.addfile(i, io.BytesIO(data("a.csv") + kind.encode() + b";7\n"))
open("lone.csv.gz", "wb").write(gzip.compress(data("b.csv") + b"gz;1\n"))
with zipfile.ZipFile("climb.zip", "w") as z: z.writestr("../../../evil.csv", "x"); z.writestr("good.csv", data("a.csv"))
with tarfile.open("link.tar", "w") as t:
    i = tarfile.TarInfo("l.csv"); i.type = tarfile.SYMTYPE; i.linkname = "/etc/passwd"; t.addfile(i)
open("bomb.gz", "wb").write(gzip.compress(b"0" * (300 << 20), 9))
open("nested.gz", "wb").write(gzip.compress(gzip.compress(b"Id;Qty\n")))
open("cut.zip", "wb").write(open("three.zip", "rb").read()[:200])
open("cut.tar", "wb").write(open("t.tar", "rb").read()[:1024])
with zipfile.ZipFile("many.zip", "w") as z:
    for i in range(60): z.writestr("m%d.csv" % i, "Id;Qty\n%d;1\n" % i)
with zipfile.ZipFile("folders.zip", "w") as z: z.writestr("orders/", ""); z.writestr("orders/late/", "")
with zipfile.ZipFile("hidden.zip", "w") as z: z.writestr(".DS_Store", "Bud1"); z.writestr("__MACOSX/._x.csv", "x")
with zipfile.ZipFile("mac.zip", "w") as z:
    for n in ("._mac.csv", ".DS_Store", "Thumbs.db", "half.csv.part"): z.writestr("__MACOSX/" + n, b"PK\3\4")
    z.writestr("mac.csv", data("a.csv") + b"mac;1\n")
with zipfile.ZipFile("specks.zip", "w") as z:
    for i in range(9000): z.writestr("." + 200 * "s" + str(i), "x")
    z.writestr("specks.csv", data("a.csv") + b"specks;1\n")
with zipfile.ZipFile("twice.zip", "w") as z: z.writestr("d/a.csv", data("a.csv")); z.writestr("d/a.csv", data("b.csv"))
open("behind.zip", "wb").write(open("three.zip", "rb").read() + b"Id;Qty\n77;1\n")
END
python3 pack.py || exit 2
parent_of() { "$prog" show --json --dir site "$1" 2> /dev/null | json parent; }
id_of() { basename "$(find site/archive -name '*.waybill.json' -exec grep -l "\"name\": *\"$1\"" {} + | head -n 1)" .waybill.json; }

cp three.zip site/inbox/one/
run site
check "a zip: exit code 1, one row of a member is refused" is 1 $code
check "each member is converted" is "a.csv b.csv c.csv" "$(ls site/outbox/one | tr '\n' ' ' | sed 's/ $//')"
check "whole" same members/b.csv site/outbox/one/b.csv
check "the archive and its members are archived" is 4 "$(archived site)"
zip=$(id_of three.zip)
check "a member knows the archive that it came in" is "$zip" "$(parent_of "$(id_of a.csv)")"
check "the archive names its members" is 3 "$(find site/archive -name "$zip.waybill.json" -exec cat {} + | json members | grep -o '\.csv' | grep -c .)"
check "the refused row lies in error/" has site/error 1
run site
cp three.zip again.zip && cp again.zip site/inbox/one/
run site
check "the same archive again: refused as a duplicate" said run.log DUP_CONTENT

rm -rf site/outbox/one/* site/error/*
for f in t.tar t.tar.gz t.tar.xz lone.csv.gz; do cp $f site/inbox/one/; done
run site
check "tar, tar.gz, tar.xz and a lone gz" is "lone.csv tar.csv tar.gz.csv tar.xz.csv" "$(ls site/outbox/one | tr '\n' ' ' | sed 's/ $//')"

rm -rf site/outbox/one/* site/error/*
cp mac.zip site/inbox/one/
run site
"$prog" show --dir site "$(id_of mac.zip)" > show.out
check "what a Mac adds to a zip is passed over, and told" said show.out UNPACK_PASSED '4 of its members are passed over' '"._mac.csv" is the first'
check "and what was meant goes through" is "0 mac.csv 0" "$code $(ls site/outbox/one | xargs) $(in_error site)"
sed 's/^limit unpack-members.*/limit unpack-members 10000/' site/site.conf > many.conf && cp site/site.conf kept.conf && cp many.conf site/site.conf
cp specks.zip site/inbox/one/
run site
cp kept.conf site/site.conf
check "however many there are" is "0 mac.csv specks.csv 0" "$code $(ls site/outbox/one | xargs) $(in_error site)"

rm -rf site/outbox/one/* site/error/*
refused() {                             # FILE CODE
    cp "$1" site/inbox/one/
    run site
    said run.log "$2" && is "" "$(ls site/outbox/one)"
}
check "a name that climbs: nothing of it is used" refused climb.zip UNPACK_NAME
check "no file outside" test ! -e evil.csv
check "a link" refused link.tar UNPACK_KIND
check "a bomb" refused bomb.gz LIMIT_UNPACK
check "compressed twice" refused nested.gz UNPACK_NESTED
check "cut off" refused cut.zip UNPACK_DAMAGED
check "a tar without the mark of its end" refused cut.tar UNPACK_DAMAGED
check "more members than allowed" refused many.zip LIMIT_UNPACK
check "folders only" refused folders.zip UNPACK_EMPTY
check "something behind the end of a zip" refused behind.zip UNPACK_DAMAGED
check "a member twice" refused twice.zip UNPACK_TWICE
check "which is named, once" said run.log 'error: member 2: its name "d/a.csv" came before'
check "only what nobody means" refused hidden.zip UNPACK_EMPTY
check "all of them lie in error/" is 11 "$(in_error site)"
check "the site is in order" sound site

# An archive of which no member was used may come again, once what they lacked is there.
sed -n '/^flow/,$p' site/site.conf | sed 's/map copy/& empty skip/' | small_site again
mkdir -p again/inbox/one
cat > again.py << 'END'
import zipfile
with zipfile.ZipFile("lacks.zip", "w") as z:
    z.writestr("whole.csv", "Nr;Qty\n1;1\n"); z.writestr("rows.csv", "Id;Qty\n2;many\n")
END
python3 again.py
come() { cp lacks.zip again/inbox/one/ && run again; }
come
come
check "refused as before, not as a duplicate" eval 'said run.log CSV_COLUMN NUM_BAD && not_said run.log DUP_CONTENT'
sed -i 's/Qty decimal/Qty text/' again/mappings/rows.format
come
check "what is mended goes through" is "2;many" "$(grep -v Id again/outbox/one/rows.csv)"
come
check "then it is a duplicate" said run.log DUP_CONTENT

# Killed at any moment: each member once.
strike() {                              # OPTION...: one run of a fresh site
    rm -rf k && small_site k < /dev/null && sed -n '/^flow/,$p' site/site.conf >> k/site.conf && mkdir -p k/inbox/one
    cp three.zip k/inbox/one/
    "$tools/ce" "$@" -o ce.out "$prog" run -q -w 1 k > /dev/null 2>&1
}
points=$(strike -m count; tail -n 1 ce.out | cut -d' ' -f2)
tried=0
bad=0
for n in $(seq 1 17 "${points:-0}"); do
    strike -m before -n "$n"
    "$prog" run -q k > /dev/null 2>&1
    tried=$((tried + 1))
    got="$(ls k/outbox/one 2> /dev/null | tr '\n' ' ')$(archived k)"
    [ "$got" = "a.csv b.csv c.csv 4" ] || { bad=$((bad + 1)); echo "# point $n: $got"; }
done
check "killed at $tried of $points points: every member once" is "0 yes" "$bad $([ "$tried" -gt 5 ] && echo yes)"
finish
