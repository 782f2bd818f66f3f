# flow.sh - what the scripts tests/site/t1N-*.sh share; sourced, then `begin PROGRAM`
#
#   ok NAME / bad NAME [WHY]       one line per case
#   check NAME COMMAND…            ok when the command succeeds
set -u
export LC_ALL=C
begin() {
    prog=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
    top=$(cd "$(dirname "$0")/../.." && pwd)
    work=$(mktemp -d "${TMPDIR:-/tmp}/waybill-site.XXXXXX")
    failed=0
    pids=
    trap 'for p in $pids; do kill -9 "$p" 2>/dev/null; done; chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT
}
ok() { echo "ok $*"; }
bad() { echo "not ok $*"; failed=1; }
check() {
    name=$1
    shift
    if "$@"; then ok "$name"; else bad "$name"; fi
}
# same GOT WANTED
same() { [ "$1" = "$2" ] || { echo "  wanted $2, got $1"; return 1; }; }
old() { touch -d '1 minute ago' "$@"; }
count() { find "$@" -type f 2>/dev/null | wc -l; }
zips() { find "$1/archive" -name '*.zip' 2>/dev/null | wc -l; }
# until_true SECONDS COMMAND…: true as soon as the command is
until_true() {
    turns=$(($1 * 10))
    shift
    while ! "$@"; do
        turns=$((turns - 1))
        [ $turns -gt 0 ] || return 1
        sleep 0.1
    done
}
# Nothing is at work, claimed or half made.
idle() { [ "$(find "$1/.waybill/work" "$1/.waybill/claim" "$1/.waybill/tmp" -mindepth 1 2>/dev/null | wc -l)" = 0 ]; }
# orders FILE PREFIX: two good orders, one without a code for its country, one with a bad number
orders() { sed "s/^47/$2-47/" "$site/samples/orders.csv" > "$1"; }
has() { grep -q "$2" "$1"; }
