#!/bin/sh
# t88-inbox-limits.sh PROGRAM - what lies in an inbox, or goes wrong again and again, takes a bounded part of the watcher's
# memory, and a file that cannot be taken holds up no other
. "$(dirname "$0")/lib.sh"
umask 077
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0"

# Under a sanitizer what was freed is kept for a while.
spare=0
if grep -q __asan_init "$prog"; then spare=400000; fi
memory() { awk -v what="$1:" '$1 == what { print $2 }' "/proc/$watcher/status"; }        # VmRSS, VmHWM: in KB
less() { [ "$1" -lt "$(($2 + spare))" ] || { echo "# $1 KB, not less than $2"; return 1; }; }      # KB MOST
came() { [ -f "site/outbox/$1" ]; }
put() { mv ".part" "$1"; }              # FILE: from .part, under its name at once

# --- files that wait for their end are looked at again and again ----------------------------------------------------------

mkdir -p site/inbox/x
flow x complete to-rows | small_site site
i=0
while [ $i -lt 3000 ]; do i=$((i + 1)); printf '<Items><Item id="1">' > "site/inbox/x/wait$i.xml"; done
watch site
looked() {                              # FIRST LAST: as many looks at the inbox
    for n in $(seq "$1" "$2"); do
        echo "<Items><Item id=\"$n\"/></Items>" > .part && put "site/inbox/x/look$n.xml"
        wait_for 60 came "x/look$n.xml" || return 1
    done
}
check "files that are whole go on" looked 1 20
before=$(memory VmRSS)
looked 21 80
check "sixty looks at 3000 that are not take no memory" less $(($(memory VmRSS) - before)) 2000
check "they stay" is 3000 "$(ls site/inbox/x | wc -l)"
stop
finish
