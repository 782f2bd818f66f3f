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

# Sites.

archived() { find "$1/archive" -name '*.zip' 2> /dev/null | wc -l; }
in_error() { find "$1/error" -name '*.waybill.json' 2> /dev/null | wc -l; }
ended() { find "$1/archive" -name '*.zip' 2> /dev/null -o -path '*/error/*' -name '*.waybill.json' | wc -l; }
has() { [ "$(find "$1" -type f 2> /dev/null | wc -l)" -ge "$2" ]; }          # FOLDER N: so many files, or more
outputs() { find "$1" -type f ! -name '.*' 2> /dev/null | sort; }
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
    wait_for 10 watching "$1"
}
watching() { "$prog" status --json "$1" 2> /dev/null | "$tools/json" process | grep -qx "$watcher"; }
gone() { ! kill -0 "$1" 2> /dev/null; }
stop() {                                # [SIGNAL]: ends the watcher; its code is $code
    kill "-${1:-TERM}" "$watcher" 2> /dev/null
    wait "$watcher" 2> /dev/null
    code=$?
}
json() { "$tools/json" "$@"; }          # [PATH] < FILE
