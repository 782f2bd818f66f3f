# lib.sh - what the scripts tests/site/t3N-*.sh share.  Source it with the program as $1:
#
#   . "$(dirname "$0")/lib.sh"
#
# Gives: $prog, $tools, $top, $tmp (removed at the end), the functions below; ends with the exit code of `finish`.
# All waiting is bounded: `wait_for SECONDS COMMAND` tries COMMAND every 50 ms and tells on failure what it waited for.
set -u
case $1 in */*) prog=$(cd "$(dirname "$1")" && pwd)/$(basename "$1") ;; *) prog=$(command -v "$1") ;; esac
tools=$(dirname "$prog")/tools
top=$(cd "$(dirname "$0")/../.." && pwd)
here=$(basename "$0" .sh)
tmp=$(mktemp -d) || exit 2
started=''
failed=0
export LC_ALL=C TZ=UTC
[ -x "$prog" ] && [ -x "$tools/json" ] || { echo "not ok $here: $prog and $tools/json are not built"; exit 2; }
cd "$tmp" || exit 2

# Ends what this script started, by number, before the folder goes.
clean() {
    for p in $started; do kill -CONT "$p" 2> /dev/null; kill -KILL "$p" 2> /dev/null; done
    cd / && chmod -R u+rwx "$tmp" 2> /dev/null
    rm -rf "$tmp"
}
trap clean EXIT
trap 'exit 1' HUP INT TERM

result() {                              # CODE NAME: tells one case
    if [ "$1" = 0 ]; then echo "ok $2"; else echo "not ok $2"; failed=1; fi
}
check() {                               # NAME COMMAND...: a case that is one command
    name=$1
    shift
    "$@"
    result $? "$name"
}
same() {                                # WANT GOT: equal files, or the difference is shown
    cmp -s "$1" "$2" && return 0
    echo "# $2 differs from $1:"
    diff -u "$1" "$2" 2>&1 | head -40 | sed 's/^/#   /'
    return 1
}
is() {                                  # WANT GOT: equal texts
    [ "$1" = "$2" ] && return 0
    printf '# wanted: %s\n# got:    %s\n' "$1" "$2"
    return 1
}
said() {                                # FILE TEXT...: each text is in the file
    file=$1
    shift
    for t; do
        grep -qF -e "$t" "$file" && continue
        echo "# \"$t\" is not in $file:"
        tail -30 "$file" | sed 's/^/#   /'
        return 1
    done
}
not_said() { ! grep -nF -e "$2" "$1" | sed 's/^/# unwanted: /' | grep . ; }
finish() { exit "$failed"; }

wait_for() {                            # SECONDS COMMAND...
    wait_end=$(($(date +%s%N) + $1 * 1000000000))
    shift
    until "$@"; do
        if [ "$(date +%s%N)" -gt "$wait_end" ]; then
            echo "# waited in vain for: $*"
            [ ! -f "$tmp/watch.log" ] || { echo "# the watcher's log ends:"; tail -15 "$tmp/watch.log" | sed 's/^/#   /'; }
            return 1
        fi
        sleep 0.05
    done
}

planted_watch() {                       # SITE OPTION...: each fault of libplant strikes when its file is there
    rm -f "$tmp/late"
    LD_PRELOAD=$tools/libplant.so PLANT_FULL=$tmp/full PLANT_HOLD=$tmp/hold PLANT_LATE=$tmp/late \
        ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0" watch "$@"
}
in_time() {                             # COMMAND...: waits for it; the clock of planted_watch goes two minutes on now and then
    wait_for 60 jumping "$@"
}
jumping() {
    "$@" && return 0
    printf . >> "$tmp/late"
    sleep 0.3
    return 1
}

# Sites.

archived() { find "$1/archive" -name '*.zip' 2> /dev/null | wc -l; }
in_error() { find "$1/error" -name '*.waybill.json' 2> /dev/null | wc -l; }
ended() { echo $(($(archived "$1") + $(in_error "$1"))); }       # a batch with refused messages counts twice
has() { [ "$(find "$1" -type f 2> /dev/null | wc -l)" -ge "$2" ]; }          # FOLDER N: so many files, or more
outputs() { find "$1" -type f ! -name '.*' 2> /dev/null | sort; }
by_age() { sort -t- -k3,3n -k4,4n; }    # ids of batches, the oldest first: …-2-9 comes before …-2-10
all_archived() { [ "$(archived site)" = "$1" ]; }       # N
open_ids() { ls "$1/.waybill/work" 2> /dev/null | by_age; }                 # SITE
one() {                                 # FOLDER PATTERN: the name of the only such file
    set -- "$2" "$(find "$1" -type f -name "$2" 2> /dev/null)"
    case $2 in ''|*"
"*) echo "# not exactly one $1: $2" >&2; return 1 ;; esac
    echo "$2"
}
drop() {                                # FILE INBOX [NAME]: as a careful sender does, with a time at which it counts as stable
    set -- "$1" "$2" "${3:-$(basename "$1")}"
    cp "$1" "$2/.part-$3" && touch -d '2 minutes ago' "$2/.part-$3" && mv "$2/.part-$3" "$2/$3"
}
run() {                                 # SITE OPTION...: one run; the code is $code, what was said $tmp/run.log
    "$prog" run "$@" > "$tmp/run.out" 2> "$tmp/run.log" < /dev/null
    code=$?
}
watch() {                               # SITE OPTION...: starts a watcher and waits until it holds the site
    "$prog" watch "$@" 2>> "$tmp/watch.log" < /dev/null &
    watcher=$!
    started="$started $watcher"
    site=$1
    wait_for 60 watching "$1"
}
come_up() {                             # SITE FLOW: what the watcher's start syncs by itself is over when a file has gone through
    ups=$((${ups:-0} + 1))
    rows "9$ups" "9$ups" > .come-up && mv .come-up "$1/inbox/$2/come-up$ups.csv"
    wait_for 60 test -f "$1/outbox/$2/come-up$ups.csv"
    wait_for 60 idle "$1"
}
together() {                            # INBOX: what lies in new/ is found by one look
    kill -STOP "$watcher" 2> /dev/null
    mv new/* "site/inbox/$1/"
    kill -CONT "$watcher" 2> /dev/null
}
idle() { [ "$(ls "$1/.waybill/work" "$1/.waybill/claim" | grep -c '^[0-9w]')" = 0 ]; }
cmd() {                                 # SITE VERB OPTION...: the code is $code, what was said cmd.out and cmd.log
    s=$1 verb=$2
    shift 2
    "$prog" "$verb" --dir "$s" "$@" > cmd.out 2> cmd.log < /dev/null
    code=$?
}
watching() { "$prog" status --json "$1" 2> /dev/null | "$tools/json" process | grep -qx "$watcher"; }
gone() { ! kill -0 "$1" 2> /dev/null; }
stop() {                                # [SIGNAL]: ends the watcher; its code is $code
    kill "-${1:-TERM}" "$watcher" 2> /dev/null
    wait "$watcher" 2> /dev/null
    code=$?
}
json() { "$tools/json" "$@"; }          # [PATH] < FILE

# A small site DIR for the other scripts: rows.map copies CSV rows (Id;Qty, a wrong Qty refuses its row), items.map turns XML
# items into rows.  Standard input: the flows of site.conf, e.g. of `flow`.
small_site() {
    mkdir -p "$1/mappings" && cat > "$1/mappings/rows.format" << 'END' && cat > "$1/mappings/items.format" << 'END2' || return 1
syntax csv delimiter ";" header yes
encoding utf-8

message Row {
    Id  text    required
    Qty decimal
}
END
syntax xml
encoding utf-8

message Item at /Items/Item {
    Id  text required at @id
    Qty decimal
}
END2
    printf 'mapping rows <=> rows\n\nRow <=> Row {\n    Id  <=> Id\n    Qty <=> Qty\n}\n' > "$1/mappings/copy.map"
    printf 'mapping rows <=> items\n\nRow <=> Item {\n    Id  <=> Id\n    Qty <=> Qty\n}\n' > "$1/mappings/to-items.map"
    printf 'mapping items <=> rows\n\nItem <=> Row {\n    Id  <=> Id\n    Qty <=> Qty\n}\n' > "$1/mappings/to-rows.map"
    { printf 'site "Small"\nzone "Europe/Oslo"\n'; cat; } > "$1/site.conf"
}
flow() {                                # NAME [READY [MAP [OUTPUT]]]: takes inbox/NAME, gives outbox/NAME
    [ $# = 4 ] || set -- "$1" "${2:-name}" "${3:-copy}" '{file}'
    cat << END
flow $1 {
    on yes
    operation convert {
        take inbox  "inbox/$1" ready $2
        give outbox "outbox/$1" name "$4" map $3
    }
}
END
}
retry() { sed "s/^    on yes/&\n    retry $1/"; }       # TIME: of the flows that come by standard input
rows() {                                # FIRST LAST: a file of rows
    echo 'Id;Qty'
    seq -f '%.0f;1' "$1" "$2"
}

# Staged batches.  `sync_flow | sync_site DIR`: rows of inbox/rows are staged, with the FIELDs that are named as well, and
# sent by hand; `manual`: staged by hand, too.
sync_site() {                           # DIR [FIELD...] < flows
    small_site "$1" && staged_format Row Id "$@" > "$1/mappings/stage.format" &&
        printf 'mapping rows => stage\n\nRow => Row {\n    key Id => Id\n    Qty    => Qty\n}\n' > "$1/mappings/create.map" &&
        printf 'mapping stage => rows\n\nRow[not(Sent)] => Row {\n    Id  => Id\n    Qty => Qty\n}\n' > "$1/mappings/send.map"
}
staged_format() {                       # MESSAGE KEY SITE [FIELD...]
    printf 'syntax json lines\nencoding utf-8\n\nmessage %s key %s {\n    %s text required\n    Qty decimal "Quantity"\n' "$1" "$2" "$2"
    shift 3
    for f; do echo "    $f"; done
    printf '    Sent datetime\n}\n'
}
sync_flow() {                           # [manual]
    cat << END
flow sync {
    on yes
    batch stage track Row {
        state staged
        state sent when Sent
    }
    operation create {
        ${1:-}
        take inbox "inbox/rows" ready name
        give batch new map create
    }
    operation send {
        manual
        take batch
        give outbox "outbox/rows" name "{batch}_{n}.csv" map send empty skip
        done {
            batch-time() => Row/Sent
        }
    }
}
END
}
# The same for orders, without their site.conf: formats orders and staged, mapping create.
orders_site() {                         # DIR [FIELD...]
    mkdir -p "$1/mappings" "$1/inbox/orders" && cat > "$1/mappings/orders.format" << 'END' || return 1
syntax csv delimiter ";" header yes
encoding utf-8

message Order key No {
    No  text required
    Qty decimal
}
END
    staged_format Order No "$@" > "$1/mappings/staged.format"
    printf 'mapping orders => staged\n\nOrder => Order {\n    key No => No\n    Qty    => Qty\n}\n' > "$1/mappings/create.map"
}

sound() {                               # SITE: fsck finds it good, or what it says is shown
    "$prog" fsck "$1" > "$tmp/fsck.out" 2>&1 && return 0
    sed 's/^/# /' "$tmp/fsck.out"
    return 1
}

# An independent observer of an outbox: every event as "EVENTS NAME SHA256-at-once" in FILE.
observe() {                             # FOLDER FILE
    command -v inotifywait > /dev/null || { echo "# inotify-tools is missing"; return 1; }
    mkfifo "$2.fifo" || return 1
    inotifywait -m -q -e create,modify,close_write,moved_to,moved_from,delete,attrib --format '%e %f' "$1" > "$2.fifo" &
    observer=$!
    started="$started $observer"
    (while read -r events name; do
        echo "$events $name $(sha256sum 2> /dev/null < "$1/$name" | cut -c1-64)"
    done < "$2.fifo" > "$2") &
    started="$started $!"
    # It listens when it sees a file of ours.
    i=0
    until [ -s "$2" ] || [ $i -gt 100 ]; do
        : > "$1/.probe" && rm "$1/.probe"
        i=$((i + 1))
        sleep 0.05
    done
    touch "$1/.end-of-probes" && rm "$1/.end-of-probes"
    wait_for 60 grep -q DELETE..end-of-probes "$2"
}
seen() { grep -v ' \.probe \| \.end-of-probes ' "$1"; }      # FILE: what the observer saw
