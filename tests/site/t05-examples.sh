#!/bin/sh
# t05-examples - what README.md, mappings/README.md and mappings/despatch/README.md print is what one gets.
#
# A fenced block whose info string is a file name (it holds a dot or a slash) becomes that file; a block `console` holds
# commands behind "$ " and what they print (both outputs, standard output first).  Every heading of level ### is a folder.
set -u
waybill=${1:-waybill}
top=$(cd "$(dirname "$0")/../.." && pwd)
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
export LC_ALL=C WAYBILL_CLOCK=2026-01-02T03:04:05Z
mkdir "$tmp/bin"
case $waybill in */*) ln -s "$(realpath "$waybill")" "$tmp/bin/waybill" ;; esac      # whatever its file is called
PATH=$tmp/bin:$PATH
export PATH

# Splits a page into folders: NNN/<files>, NNN/.console, NNN/.name
extract() {
    awk -v out="$2" '
    function close_file() { if (file != "") close(file); file = "" }
    /^### / { n++; dir = sprintf("%s/%03d", out, n); system("mkdir -p " dir); print substr($0, 5) > (dir "/.name"); close(dir "/.name"); next }
    n && !inside && /^```[^`]/ {
        info = substr($0, 4); inside = 1
        if (info == "console") file = dir "/.console"
        else if (info ~ /^[A-Za-z0-9_.\/-]+$/ && info ~ /[.\/]/) {
            file = dir "/" info; sub(/[^\/]*$/, "", info); if (info != "") system("mkdir -p " dir "/" info)
        }
        if (file == dir "/.console") { print "" >> file } else if (file != "") printf "" > file
        next
    }
    inside && /^```$/ { inside = 0; close_file(); next }
    inside && file != "" { print >> file }
    ' "$1"
}

# Runs the commands of one folder; prints what came where it differs.
run_console() {
    cmd='' want=''
    failed=0
    check() {
        [ -n "$cmd" ] || return 0
        { eval "(exit $last); $cmd"; last=$?; } > .out 2> .err < /dev/null
        got=$(cat .out .err; echo x)
        if [ "$got" != "${want}x" ]; then
            failed=1
            printf '# %s\n' "$cmd"
            printf '%s' "$want" > .want
            cat .out .err | diff -u .want - | sed 's/^/#   /'
        fi
    }
    last=0
    while IFS= read -r line; do
        case $line in
        '$ '*) check; cmd=${line#??}; want='' ;;
        *) [ -z "$cmd" ] || want="$want$line
" ;;
        esac
    done < .console
    check
    return "$failed"
}

bad=0
for page in mappings/README.md README.md mappings/despatch/README.md; do
    [ -f "$top/$page" ] || continue
    dir=$tmp/$(echo "$page" | tr / _)
    mkdir -p "$dir"
    extract "$top/$page" "$dir"
    for d in "$dir"/*/; do
        [ -f "$d/.console" ] || continue
        [ "$page" != mappings/despatch/README.md ] || ln -s "$top/mappings" "$top/samples" "$d"
        name="$page: $(cat "$d/.name")"
        if (cd "$d" && run_console); then
            echo "ok $name"
        else
            echo "not ok $name"
            bad=1
        fi
    done
done
exit $bad
