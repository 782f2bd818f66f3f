#!/bin/sh
# golden.sh PROGRAM [AREA[/CASE]…] - runs the golden cases; see tests/README.md.  UPDATE=1 rewrites what is wanted.
set -u
program=$(realpath "$1") || exit 2
shift
root=$(cd "$(dirname "$0")/.." && pwd)
[ -d "$root/tests/golden" ] || { echo "no tests/golden"; exit 1; }
temp=$(mktemp -d) || exit 2
trap 'rm -rf "$temp"' EXIT HUP INT TERM
mkdir "$temp/bin"
ln -s "$program" "$temp/bin/waybill"
PATH=$temp/bin:$PATH
HOME=$temp
LC_ALL=C
TZ=UTC
WAYBILL_CLOCK=2026-01-02T03:04:05Z
export PATH HOME LC_ALL TZ WAYBILL_CLOCK
ROOT=$root
export ROOT
unset LANG COLUMNS NO_COLOR 2>/dev/null
failed=0

# What is there against what is wanted: want.NAME against NAME, want.out and want.err against the streams, want.exit.
compare() { # case folder, work folder
    bad=0
    for want in "$1"/want.*; do
        [ -e "$want" ] || continue
        name=${want##*/want.}
        if [ -d "$want" ]; then
            diff -ru "$want" "$2/$name" || bad=1
        elif [ ! -e "$2/$name" ]; then
            echo "$name was not written"
            bad=1
        else
            diff -u --label "want.$name" --label "$name" -a "$want" "$2/$name" || bad=1
        fi
    done
    # Silence is wanted where nothing else is said.
    for stream in out err; do
        [ -e "$1/want.$stream" ] || [ ! -s "$2/$stream" ] || { echo "$stream is not empty:"; head -c 4000 "$2/$stream"; bad=1; }
    done
    [ -e "$1/want.exit" ] || [ "$(cat "$2/exit")" = 0 ] || { echo "exit code $(cat "$2/exit")"; bad=1; }
    # Nothing half-visible: what ends in 2 or worse leaves no output, and nothing leaves temporary files.
    for left in "$2"/*.tmp* "$2"/out.*; do
        [ -e "$left" ] || continue
        case $left in */out.*) [ "$(cat "$2/exit")" -ge 2 ] || continue ;; esac
        [ -e "$1/${left##*/}" ] || { echo "${left##*/} is left behind"; bad=1; }
    done
    return $bad
}

update() { # case folder, work folder
    for stream in out err; do
        if [ -s "$2/$stream" ]; then cp "$2/$stream" "$1/want.$stream"; else rm -f "$1/want.$stream"; fi
    done
    if [ "$(cat "$2/exit")" != 0 ]; then cp "$2/exit" "$1/want.exit"; else rm -f "$1/want.exit"; fi
    for want in "$1"/want.*; do
        name=${want##*/want.}
        case $name in out|err|exit) continue ;; esac
        rm -rf "$want"
        if [ -e "$2/$name" ]; then cp -R "$2/$name" "$want"; fi
    done
}

run_case() { # folder
    case_name=${1#"$root"/tests/golden/}
    work=$temp/work
    rm -rf "$work"
    cp -RL "$1" "$work" && chmod -R u+w "$work" && rm -rf "$work"/want.*
    (cd "$work" && sh ./cmd > ../out 2> ../err < /dev/null; echo $? > ../exit)
    mv "$temp/out" "$temp/err" "$temp/exit" "$work"
    # The temporary folder has another name each time, the source tree on each machine.
    for stream in out err; do sed -i "s|$work|.|g; s|$root|\$ROOT|g" "$work/$stream"; done
    if [ -n "${UPDATE:-}" ]; then
        update "$1" "$work"
        echo "ok golden/$case_name (updated)"
    elif compare "$1" "$work" > "$temp/report" 2>&1; then
        echo "ok golden/$case_name"
    else
        echo "not ok golden/$case_name"
        sed 's/^/    /' "$temp/report"
        failed=$((failed + 1))
    fi
}

cases() {
    if [ $# -eq 0 ]; then set -- ''; fi
    for area in "$@"; do find "$root/tests/golden/$area" -name cmd -type f; done | sort
}
for cmd in $(cases "$@"); do run_case "${cmd%/cmd}"; done
[ "$failed" = 0 ]
