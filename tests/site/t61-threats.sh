#!/bin/sh
# t61-threats - a list of threats, each with its required end: what is dropped, who changes it meanwhile, what mappings try;
# tests/README.md has the list.  INBOX_FILES=1000000 is the full size of the inbox that is only looked at.
. "$(dirname "$0")/lib.sh"

python3 -c '' 2> /dev/null || { echo "not ok python3 is missing"; exit 1; }
mkdir generated && (cd generated && python3 "$top/tests/site/threats.py" "$prog") || failed=1

by_batch() { flow "$1" "${2:-name}" copy '{batch}.csv'; }         # NAME [READY]: the names of files are not used

# --- kinds of files, and that nothing outside of the site is looked at ---------------------------------------------------

by_batch kinds | small_site kinds
mkdir -p kinds/inbox/kinds away && rows 1 1 > away/secret.csv
i=kinds/inbox/kinds
mkfifo $i/fifo.csv
mkdir $i/folder.csv
ln -s ../../../away/secret.csv $i/link.csv
ln -s loop.csv $i/loop.csv
ln -s nowhere $i/dangling.csv
ln -s .. $i/parent.csv
ln away/secret.csv $i/hard.csv
ln -s ../../../away $i/.waybill
mknod $i/null.csv c 1 3 2> /dev/null || mkfifo $i/null.csv
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("kinds/inbox/kinds/socket.csv")'
rows 2 2 > $i/plain.csv
rows 4 4 > $i/open-to-all.csv && chmod 6777 $i/open-to-all.csv
immutable=''
rows 3 3 > $i/immutable.csv && chattr +i $i/immutable.csv 2> /dev/null && immutable=yes || rm -f $i/immutable.csv
find $i -mindepth 1 ! -name plain.csv ! -name open-to-all.csv | sort > before
if command -v strace > /dev/null && ! grep -q __asan_init "$prog"; then
    strace -f -qq -s 4096 -e trace=%file -o calls "$prog" run --no-fsync kinds > /dev/null 2> run.log < /dev/null
    # Paths that a call gives whole; what is opened below a folder of the site is named without it.
    grep -o '"[^"]*"' calls | tr -d '"' | grep -E '^/|\.\./' | grep -v "^$tmp/kinds" | sort -u > paths
    grep -vE '^/(lib|lib64|usr/lib|etc/ld\.so|usr/share/(zoneinfo|locale|waybill)|usr/local/share/waybill|proc/(self|[0-9]+|sys)|sys/fs/cgroup|dev/(null|urandom)|sys/devices/system/cpu)' paths \
        | grep -vxF -e "$prog" -e /etc/localtime > strange
    check "nothing outside the site is opened or looked at" is "" "$(grep -vE '^/(tmp|)$' strange | head -5)"
    check "no link is followed, no fifo opened for long" is "" "$(grep -E 'O_(RDONLY|RDWR)' calls | grep -E '"(link|loop|dangling|parent)\.csv"' | grep -v O_NOFOLLOW)"
else
    run kinds --no-fsync
fi
chattr -i $i/immutable.csv 2> /dev/null
find $i -mindepth 1 | sort > after
check "fifo, socket, device, folder, links: all stay" same before after
check "the plain file comes out, and one that is setuid and open to all" has kinds/outbox/kinds 2
check "which gives no right to anything of ours" is "" "$(find kinds/outbox kinds/archive kinds/.waybill ! -type l -perm /6002)"
for f in fifo folder link loop dangling parent null socket hard; do
    check "$f.csv is told once" is 1 "$(grep -v '^  ' run.log | grep -c "[/\" ]$f.csv")"
done
[ -z "$immutable" ] || check "immutable.csv is told" said run.log immutable.csv
check "what a link leads to is untouched" is "secret.csv 2" "$(ls away) $(stat -c %h away/secret.csv)"

# --- files that may be read, and not be taken --------------------------------------------------------------------------------

# Of another owner in a folder with the sticky bit; in a folder that may not be written.
{ by_batch sticky; by_batch shut; by_batch open; } | small_site denied
mkdir -p denied/inbox/sticky denied/inbox/shut denied/inbox/open
rows 1 1 > denied/inbox/sticky/a.csv
rows 2 2 > denied/inbox/shut/b.csv
as=''
if [ "$(id -u)" = 0 ]; then
    chmod 755 "$tmp" && chown -R 65534 denied && chown 0 denied/inbox/sticky denied/inbox/sticky/a.csv denied/inbox/shut
    as='setpriv --reuid 65534 --clear-groups'
fi
cp "$prog" waybill                      # that user may not be let into the folder of the build
chmod 1777 denied/inbox/sticky && chmod 555 denied/inbox/shut
# Durable: small files are taken several at once then.
$as ./waybill watch denied 2> watch.log < /dev/null &
watcher=$!
started="$started $watcher"
wait_for 60 grep -q 'may not be renamed' watch.log
for n in 3 4 5 6 7 8; do                # each of them is a look at all inboxes
    rows $n $n > denied/inbox/open/.f && chmod 666 denied/inbox/open/.f && mv denied/inbox/open/.f denied/inbox/open/f$n.csv
    for f in sticky shut; do : > denied/inbox/$f/.look 2> /dev/null && rm -f denied/inbox/$f/.look; done
    wait_for 60 has denied/outbox/open $((n - 2))
done
if [ -n "$as" ]; then
    check "a file of another in a sticky folder: told once" is 1 "$(grep -c 'INBOX_DENIED.*a\.csv' watch.log)"
fi
check "a file in a folder that is not to be written: told once" is 1 "$(grep -c 'INBOX_DENIED.*b\.csv' watch.log)"
check "nothing else is told of them" is "" "$(grep -E 'level=(warning|error)' watch.log | grep -vE 'INBOX_DENIED|SPOOL_FS')"
check "the flow beside goes on" has denied/outbox/open 6
check "no claim stays behind" is "" "$(ls denied/.waybill/claim)"
chmod 777 denied/inbox/sticky denied/inbox/shut
stop
check "and ends well" is 0 "$code"
$as ./waybill run --no-fsync denied > run.out 2>&1 < /dev/null
check "once they may be renamed they are taken" is "1 1" "$(outputs denied/outbox/sticky | wc -l) $(outputs denied/outbox/shut | wc -l)"

# --- files that change while they are taken --------------------------------------------------------------------------------

by_batch swap 'name' | small_site swap
mkdir -p swap/inbox/swap
echo 'Id;Qty
SECRET;1' > away/other.csv
watch swap --no-fsync --quiet
python3 - << 'END'
import os, time
inbox, end, n = "swap/inbox/swap/", time.time() + 3, 0
held = []
while time.time() < end:
    n += 1
    kind, name = n % 4, inbox + "f%d.csv" % n
    with open(inbox + ".part", "w") as f:
        f.write("Id;Qty\n" + "x%d;1\n" % n * (500 if kind else 50000))
    os.rename(inbox + ".part", name)
    try:
        if kind == 0:                           # a link in its place
            os.symlink("../../../away/other.csv", inbox + ".link")
            os.rename(inbox + ".link", name)
        elif kind == 1:                         # cut off while it is copied
            os.truncate(name, 7)
        elif kind == 2:                         # written on through a descriptor that was open before
            held.append(open(name, "a"))
            held[-1].write("LATE;1\n" * 1000)
            held[-1].flush()
        else:                                   # another name for it
            os.link(name, inbox + ".second%d" % n)
            time.sleep(0.001)
            os.unlink(inbox + ".second%d" % n)
    except FileNotFoundError:
        pass
    time.sleep(0.002)
print(n)
END
rows 7 7 > .end && mv .end swap/inbox/swap/end.csv
check "files that are swapped, cut and written on: the watcher goes on" wait_for 60 sh -c 'grep -qs "^7;1" swap/outbox/swap/*'
stop
check "and ends well" is 0 "$code"
check "what a link leads to never came in" is "" "$(grep -rl SECRET swap/outbox swap/error swap/.waybill 2> /dev/null | head -3)"
check "every output is whole rows" is "" "$(cat swap/outbox/swap/*.csv | grep -vE '^(Id;Qty|[a-zA-Z0-9]+;1)?$' | head -3)"
find swap/inbox/swap -type l -delete
check "fsck finds nothing" sound swap

# --- an inbox that a sender renames away ------------------------------------------------------------------------------------

by_batch away | small_site moves
mkdir -p moves/inbox/away
watch moves --no-fsync --quiet
rows 1 1 > .a && mv .a moves/inbox/away/a.csv
wait_for 60 has moves/outbox/away 1
mv moves/inbox/away moves/inbox/elsewhere
rows 2 2 > moves/inbox/elsewhere/b.csv
mkdir moves/inbox/away && rows 3 3 > .c && mv .c moves/inbox/away/c.csv
check "an inbox is renamed away: the new one is watched" wait_for 60 grep -qs '^3;1' -r moves/outbox/away
check "what lies in the other stays there" test -f moves/inbox/elsewhere/b.csv
mv moves/inbox/away moves/inbox/third
sleep 0.5
mv moves/inbox/elsewhere moves/inbox/away
check "it comes back: what came meanwhile is taken" wait_for 60 has moves/outbox/away 3
rows 4 4 > .d && mv .d moves/inbox/away/d.csv
check "and events come from it" wait_for 3 has moves/outbox/away 4
stop
check "the watcher lives through it" is 0 "$code"
check "and told it once each time" eval 'n=$(grep -c INBOX_MISSING watch.log); [ "$n" = 1 ] || [ "$n" = 2 ]'

# --- sizes -----------------------------------------------------------------------------------------------------------------

{ echo 'limit file 1000000'; by_batch large; } | small_site large
by_batch sparse | small_site sparse
mkdir -p large/inbox/large sparse/inbox/sparse
rows 1 1 > large/inbox/large/good.csv && rows 1 1 > sparse/inbox/sparse/good.csv
truncate -s 1T large/inbox/large/huge.csv 2> /dev/null && truncate -s 1T sparse/inbox/sparse/huge.csv 2> /dev/null
run large --no-fsync
check "1 TB above \`limit file\` stays, is told, and the next file is taken" is "huge.csv 1 1" "$(ls large/inbox/large) $(grep -c INBOX_LARGE run.log) $(outputs large/outbox | wc -l)"
run sparse --no-fsync
check "1 TB without a limit never fills the disk" is "huge.csv 1" "$(ls sparse/inbox/sparse) $(grep -c 'DISK_RESERVE' run.log)"
rm -f large/inbox/large/huge.csv sparse/inbox/sparse/huge.csv

by_batch many 'done ".done"' | small_site many
mkdir -p many/inbox/many
files=${INBOX_FILES:-100000}
python3 -c 'for i in range('"$files"'): open("many/inbox/many/%07d-a-name-as-long-as-names-are.csv" % i, "w").close()'
"$tools/peak" peak.out "$prog" run --no-fsync many 2> run.log
read -r kb ms < peak.out
most=65536
grep -q __asan_init "$prog" && most=2000000
check "$files files that are not ready: $kb KB, $ms ms" test "$kb" -lt $most -a "$ms" -lt 30000
rm -rf many
{ by_batch empties; by_batch beside; } | small_site empties
mkdir -p empties/inbox/empties empties/inbox/beside
empty=$((files / 100))
python3 -c 'for i in range('"$empty"'): open("empties/inbox/empties/%05d.csv" % i, "w").close()'
rows 1 1 > empties/inbox/beside/a.csv
run empties --no-fsync
check "$empty empty files: each is set aside, the flow beside goes on" is "1 0 $empty 1" "$code $(ls empties/inbox/empties | wc -l) $(in_error empties) $(outputs empties/outbox | wc -l)"

# --- waybills that somebody changed ----------------------------------------------------------------------------------------

by_batch forged | small_site forged
mkdir -p forged/inbox/forged
rows 1 1 > forged/inbox/forged/a.csv
run forged --no-fsync
id=$(basename "$(one forged/archive '*.waybill.json')" .waybill.json)
cp "$(one forged/archive '*.waybill.json')" forged/inbox/forged/a.csv.waybill.json
run forged --no-fsync
check "a waybill that a sender drops is a file like any other" is "0 CSV_STRAY_QUOTE" "$(ls forged/inbox/forged | wc -l) $(json error_code < "$(find forged/error -name '*.waybill.json' ! -name a.csv.waybill.json)")"
for bad in '{"a":1e999}' "$(printf '%0100000d' 0 | tr 0 '[')" '{"check":"x","check":"y"}' '' "$(printf '\033]0;pwn\007')"; do
    mkdir -p "forged/.waybill/work/20260101-000000-1-9"
    printf '%s' "$bad" > forged/.waybill/work/20260101-000000-1-9/20260101-000000-1-9.waybill.json
    rows 5 5 > forged/.waybill/work/20260101-000000-1-9/20260101-000000-1-9.a.csv
    n=$(($(date +%N | sed 's/^0*//') + 0))
    rows 2 2 > forged/inbox/forged/b.csv && echo "q$n;1" >> forged/inbox/forged/b.csv
    run forged --no-fsync
    check "a waybill of '$(printf '%.12s' "$bad" | cat -v)' is told, its bytes are kept, others go on" sh -c \
        'grep -q "WAYBILL_DAMAGED" run.log && [ -z "$(ls forged/inbox/forged)" ] && grep -rq "^5;1" forged/.waybill/work forged/error' || sed 's/^/# /;5q' run.log
    check "without control bytes" is "" "$(LC_ALL=C tr -d '\n\t -~' < run.log | od -c | head -2 | grep -v '^0000000$')"
    rm -rf forged/.waybill/work/* forged/error/20260101*
done

# --- on a terminal ---------------------------------------------------------------------------------------------------------

by_batch tty | small_site tty
mkdir -p tty/inbox/tty
printf 'Id;Qty\n\033]0;pwn\007\033[2J\302\2331m\342\200\256;1x\n' > "tty/inbox/tty/$(printf '\033]0;pwn\007\302\233.csv')"
cat > terminal.py << 'END'
import os, pty, sys
out = b""
def read(fd):
    global out
    data = os.read(fd, 65536)
    out += data
    return b""
sys.stdin = open(os.devnull)
try:
    pty.spawn(sys.argv[1:], read)
except OSError:
    pass
import re
left = re.sub(rb"\x1b\[[0-9;]*[mK]|\r\n|\r|\n|\t", b"", out).decode("utf-8", "surrogateescape")
bad = [c for c in left if ord(c) < 32 or 0x7f <= ord(c) < 0xa0 or 0xd800 <= ord(c) < 0xe000 or c == "\u202e"]
print(bad[:5] if bad else len(out) > 0)
END
check "run on a terminal" is True "$(TERM=xterm python3 terminal.py "$prog" run --no-fsync tty < /dev/null | tail -1)"
id=$(basename "$(find tty/error -name '*.waybill.json')" .waybill.json)
check "status on a terminal" is True "$(TERM=xterm python3 terminal.py "$prog" status tty < /dev/null | tail -1)"
check "show on a terminal" is True "$(TERM=xterm python3 terminal.py "$prog" show --dir tty "$id" < /dev/null | tail -1)"
check "show --why on a terminal" is True "$(TERM=xterm python3 terminal.py "$prog" show --why --dir tty "$id" < /dev/null | tail -1)"

# --- mappings and formats of an author who is curious -----------------------------------------------------------------------

small_site maps < /dev/null
mkdir maps/other && cp maps/mappings/rows.format maps/other/
told() {                                # NAME CODE: `check` of maps/mappings/x.map or .format refuses it, at a place of it
    timeout 300 "$prog" check $what > out 2> err
    code=$?
    grep -qE "^maps/(mappings/x\.(map|format)|site\.conf):[0-9]+(:[0-9]+)?: error: .*\[$2\]|^maps/(mappings/x\.(map|format)|site\.conf): error: .*\[$2\]" err
    result $? "author: $1" || sed 's/^/# /;6q' err
    [ $code = 1 ] || { result 1 "author: $1: exit code $code"; sed 's/^/# /;4q' err; }
}
map() { cat > maps/mappings/x.map; what=maps/mappings/x.map; told "$@"; }
format() { cat > maps/mappings/x.format; what=maps/mappings/x.format; told "$@"; }
conf() { { printf 'site "M"\nzone "Europe/Oslo"\n'; cat; } > maps/site.conf; what=maps; told "$@"; }
body='Row => Row {\n    Id => Id\n}\n'
printf 'mapping "../../../../etc/shadow" => rows\n'"$body" | map 'a format that climbs' MAP_NO_FORMAT
printf 'mapping "/etc/passwd" => rows\n'"$body" | map 'a format by its path' MAP_NO_FORMAT
printf 'mapping rows => rows\nRow => Row {\n    system("id") => Id\n}\n' | map 'a function that does not exist' EXPR_FUNCTION
printf 'mapping rows => rows\nRow => Row {\n    Id => Id\n    Qty div 0 => Qty\n}\n' > maps/mappings/zero.map
printf 'syntax csv\ninclude "../../../../etc/shadow"\nmessage Row {\n    Id text\n}\n' | format 'an include that climbs' FMT_MISSING
printf 'syntax csv\ninclude "/etc/hostname"\nmessage Row {\n    Id text\n}\n' | format 'an include by its path' FMT_MISSING
printf 'syntax csv\ninclude x\nmessage Row {\n    Id text\n}\n' | format 'an include of itself' FMT_CYCLE
printf 'syntax csv\ncodes K "../../../../etc/passwd"\nmessage Row {\n    Id text code K\n}\n' | format 'codes that climb' FMT_CODES
printf 'syntax csv\nshape S {\n    group G S\n}\nmessage Row {\n    Id S\n}\n' > maps/mappings/x.format
what=maps/mappings/x.format
timeout 300 "$prog" check $what > out 2> err
check 'author: a shape of itself is refused' is 1 $?
{ printf '\377\376'; printf 'mapping rows => rows\n' | sed 's/./&\x00/g'; } | map 'a mapping in UTF-16' CONF_ENCODING
printf '\357\273\277mapping rows => rows\n'"$body" > maps/mappings/bom.map
check 'author: a BOM is tolerated' "$prog" check maps/mappings/bom.map
{ printf 'mapping rows => rows\nRow => Row {\n'; yes 'Id => Id' | head -1000000; echo '}'; } | map 'a million rows' 'MAP_SIZE|MAP_TWICE|CONF_MANY|CONF_LONG'
rm maps/mappings/x.map
flow_of() { printf 'flow f {\n    on yes\n    operation convert {\n        take %s\n        give %s\n    }\n}\n' "$1" "$2"; }
flow_of 'inbox ".waybill/work"' 'outbox "o" name "{file}" map copy' | conf 'an inbox within .waybill' SITE_OUTSIDE
flow_of 'inbox "i"' 'outbox "archive" name "{file}" map copy' | conf 'an outbox that is the archive' SITE_OUTSIDE
flow_of 'inbox "i"' 'outbox "o" name "{file}" map "../../etc/passwd"' | conf 'a map that climbs' SITE_NO_MAP
{ echo 'table t "../../../../etc/passwd" format rows'; flow_of 'inbox "i"' 'outbox "o" name "{file}" map copy'; } | conf 'a table that climbs' SITE_OUTSIDE

# What only a run shows.
flow_of 'inbox "inbox/f" ready name' 'outbox "outbox/f" name "{file}" map zero' | small_site zero
cp maps/mappings/zero.map zero/mappings/ && mkdir -p zero/inbox/f
rows 1 2 > zero/inbox/f/a.csv
timeout 60 "$prog" run --no-fsync zero > /dev/null 2> run.log < /dev/null
check "author: a division by zero refuses its messages only" is "1 NUM_RANGE" "$? $(grep -o 'NUM_RANGE' run.log | head -1)"

{ echo 'limit table 1000'; echo 'table t "tables/t.csv" format rows'; flow_of 'inbox "inbox/f" ready name' 'outbox "outbox/f" name "{file}" map look'; } | small_site large-table
printf 'mapping rows => rows\n\ntable t key Id columns Qty\n\nRow => Row {\n    Id => Id\n    $t[Id]/Qty => Qty\n}\n' > large-table/mappings/look.map
mkdir -p large-table/inbox/f large-table/tables && chmod o-rwx large-table/tables
rows 1 2000 > large-table/tables/t.csv && truncate -s 1G large-table/tables/t.csv && rows 1 2 > large-table/inbox/f/a.csv
"$tools/peak" peak.out "$prog" run --no-fsync large-table 2> run.log > run.out
read -r kb ms < peak.out
check "author: a table beyond its limit is told, not held: $kb KB, $ms ms" test "$(grep -c LIMIT_TABLE run.log)" -ge 1 -a "$kb" -lt $most -a "$ms" -lt 20000
check "author: no output without it" is "" "$(outputs large-table/outbox)"

flow_of 'inbox "inbox/f" ready name' 'outbox "outbox/f" name "../../{file}" map copy' | small_site climb
mkdir -p climb/inbox/f && rows 1 2 > climb/inbox/f/a.csv
run climb --no-fsync
check "author: the name of an output stays in its outbox" is "0 1 1" "$code $(outputs climb/outbox/f | wc -l) $(outputs climb/outbox | wc -l)"

# --- what an author changes while a batch runs ------------------------------------------------------------------------------

# Each row tells the mapping, the setting of site.conf and the table that it was made with.
edited() {                              # TEXT: writes all three with it, each by a rename
    printf 'mapping rows => told\n\nparam set text\ntable t key Id columns Qty\n\nRow => Row {\n    Id => Id\n    "%s" => Map\n    $set => Set\n    $t["k"]/Qty => Table\n}\n' \
        "$1" > edit/.map && mv edit/.map edit/mappings/told.map
    printf 'Id;Qty\nk;%s\n' "$1" > edit/.table && mv edit/.table edit/tables/t.csv
    { printf 'site "Edit"\nzone "Europe/Oslo"\nset set "%s"\ntable t "tables/t.csv" format rows\n' "$1"
      flow_of 'inbox "inbox/f" ready name' 'outbox "outbox/f" name "{file}" map told'; } > edit/.conf && mv edit/.conf edit/site.conf
}
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat" 2> /dev/null || echo 0; }
workers() { echo 0 0; for worker in $(cat /proc/"$watcher"/task/*/children); do echo "$worker $(ticks "$worker")"; done; }
accepted() { [ -n "$(ls -d edit/.waybill/work/[0-9]* 2> /dev/null)" ]; }    # a long file is copied by a worker before that
stop_at_work() {                        # stops the worker that has begun since `workers > before`; it is $worker
    worker=$(workers | awk 'NR == FNR { had[$1] = $2; next } $2 > had[$1] + 2 { print $1; exit }' before -)
    [ -n "$worker" ] && kill -STOP "$worker"
}
told_by() { sed '1d; s/^[^;]*;//' "edit/outbox/f/$1" | sort -u | tr '\n' ' '; }
small_site edit < /dev/null
mkdir -p edit/inbox/f edit/tables && chmod o-rwx edit/tables
printf 'syntax csv delimiter ";" header yes\n\nmessage Row {\n    Id    text\n    Map   text\n    Set   text\n    Table text\n}\n' > edit/mappings/told.format
edited 1
rows 1 1200000 > .big
watch edit --no-fsync --quiet
cp .big .a && mv .a edit/inbox/f/a.csv
wait_for 60 accepted
workers > before
check "edited: a batch is at work" wait_for 60 stop_at_work
edited 2
kill -HUP "$watcher"
sleep 0.3
rows 1 2 > .b && mv .b edit/inbox/f/b.csv
kill -CONT "$worker"
check "edited: it ends" wait_for 200 test -f edit/outbox/f/a.csv -a -f edit/outbox/f/b.csv
check "edited while it runs: mapping, site.conf and table stay those that it began with" is "1200000 1;1;1 " "$(sed 1d edit/outbox/f/a.csv | wc -l) $(told_by a.csv)"
check "edited: what comes later has the new ones" is "2;2;2 " "$(told_by b.csv)"
wait_for 60 idle edit
mv .big .c && echo '0;0' >> .c && mv .c edit/inbox/f/c.csv
wait_for 60 accepted
workers > before
check "edited: another is at work" wait_for 60 stop_at_work
edited 3
kill -KILL "$watcher" "$worker"
wait "$watcher" 2> /dev/null
run edit --no-fsync
check "edited, then killed with -9: the mapping stays that of its beginning, site.conf and table are those of the new attempt" \
    is "0 1200001 2;3;3 " "$code $(sed 1d edit/outbox/f/c.csv | wc -l) $(told_by c.csv)"
"$prog" fsck edit > fsck.out 2>&1
result $? "edited: fsck finds nothing"
for id in $(find edit/archive -name '*.zip' | sed 's/.*_//; s/\.zip$//'); do
    "$prog" replay --dir edit "$id" > replay.out 2>&1
    check "edited: each can be done again with what it had" is 0 $?
done

# Keys that somebody chose are spread by a secret of the process: a table of them is read as fast as any.
flow_of 'inbox "inbox/f" ready name' 'outbox "outbox/f" name "{file}" map look' | sed '1i table t "tables/t.csv" format keys' > look.conf
small_site look < look.conf
printf 'syntax csv delimiter ";" header yes\n\nmessage Key key Id {\n    Id text required\n    Qty decimal\n}\n' > look/mappings/keys.format
printf 'mapping rows => rows\n\ntable t key Id columns Qty\n\nRow => Row {\n    Id => Id\n    $t[Id]/Qty => Qty\n}\n' > look/mappings/look.map
mkdir -p look/inbox/f look/tables
python3 - << 'END'
# Multiples that fall together in a table of 2^k slots, and pairs of letters that djb2 and FNV-like sums cannot tell apart.
import itertools
keys = ["%d" % (i << 16) for i in range(50000)] + ["".join(p) for p in itertools.product(("Ez", "FY"), repeat=15)][:32768]
with open("look/tables/t.csv", "w") as t, open("look/inbox/f/a.csv", "w") as f:
    t.write("Id;Qty\n"), f.write("Id;Qty\n")
    for i, k in enumerate(keys):
        t.write("%s;%d\n" % (k, i)), f.write("%s;1\n" % k)
END
begin=$(date +%s%N)
run look --no-fsync
check "chosen keys: looked up in time" test $((($(date +%s%N) - begin) / 1000000)) -lt 20000
check "each finds its row" is "0 82768" "$code $(sed 1d look/outbox/f/a.csv | awk -F';' '$2 == NR - 1' | wc -l)"
finish
