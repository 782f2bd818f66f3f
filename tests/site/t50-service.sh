#!/bin/sh
# t50-service.sh PROGRAM - one line per event, priorities for the journal, sd_notify, and the systemd unit
. "$(dirname "$0")/lib.sh"

flow rows | small_site site
mkdir -p site/inbox/rows

# Who listens for sd_notify: one datagram per line.
listener='import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\0" + sys.argv[1][1:] if sys.argv[1][0] == "@" else sys.argv[1])
open(sys.argv[2], "w").close()
while True:
    text = s.recv(4096).decode().replace("\n", " ") + "\n"
    with open(sys.argv[2], "a") as f: f.write(text)'
listen() {
    python3 -c "$listener" "$1" "$2" &
    started="$started $!"
    wait_for 60 test -f "$2"
}

listen "$tmp/notify.sock" told
NOTIFY_SOCKET=$tmp/notify.sock WATCHDOG_USEC=400000 WAYBILL_CLOCK=2026-01-02T03:04:05Z
export NOTIFY_SOCKET WATCHDOG_USEC WAYBILL_CLOCK
watch site
check "READY=1 with the flows" wait_for 60 grep -q '^READY=1 STATUS=1 of 1 flows on' told
rows 1 3 > 'a b
c.csv'
mv 'a b
c.csv' site/inbox/rows/
{ rows 1 1; echo '2;x'; } > bad && mv bad site/inbox/rows/bad.csv
wait_for 60 eval '[ "$(archived site)" = 2 ]'
check "WATCHDOG=1 again and again" wait_for 60 eval '[ "$(grep -c ^WATCHDOG=1 told)" -ge 4 ]'
kill -HUP "$watcher"
check "a reload: RELOADING, then READY" wait_for 60 eval 'grep -A1 "^RELOADING=1 MONOTONIC_USEC=[0-9]" told | grep -v WATCHDOG | grep -q ^READY=1'
echo 'nonsense' >> site/site.conf
kill -HUP "$watcher"
check "also when the new site.conf is wrong" wait_for 60 eval '[ "$(grep -c ^READY=1 told)" = 3 ]'
sed -i '/nonsense/d' site/site.conf
stop
check "STOPPING=1" wait_for 60 grep -qx STOPPING=1 told
check "TERM: exit code 0" is 0 "$code"

check "every line begins with time, level, event" is "" \
    "$(grep -vE '^time=2026-01-02T03:04:05Z level=[a-z]+ event=[a-z-]+( |$)' watch.log)"
check "a name with a newline stays on its line" said watch.log 'file="a b\x0Ac.csv"'
check "what was accepted" said watch.log 'level=info event=accepted batch='
check "flow, operation and counts" eval 'grep "event=written" watch.log | grep "file=bad.csv" | grep -q "flow=rows operation=convert .*messages=2 done=1 skipped=0 rejected=1"'
check "a refused message with code and place" eval 'grep event=problem watch.log | grep -q "code=NUM_BAD file=.*line=3"'

# The journal: its stream is named by device and inode.
unset NOTIFY_SOCKET WATCHDOG_USEC
rows 4 5 > more && mv more site/inbox/rows/more.csv
(exec 2> journal && JOURNAL_STREAM=$(stat -L -c %d:%i /dev/fd/2) && export JOURNAL_STREAM && exec "$prog" watch site) &
watcher=$!
started="$started $watcher"
wait_for 60 eval '[ "$(archived site)" = 3 ]'
stop
check "in the journal a priority and no time" said journal '<6>event=accepted batch='
check "on every line" is "" "$(grep -v '^<[0-7]>event=' journal)"
JOURNAL_STREAM=1:1 "$prog" watch -q site 2> other &
watcher=$!
started="$started $watcher"
wait_for 60 watching site
stop
check "a stream that is not ours is no journal" is "" "$(grep '^<' other)"

# An abstract socket.
listen "@waybill-$$" told2
NOTIFY_SOCKET=@waybill-$$
export NOTIFY_SOCKET
watch site
check "an abstract socket" wait_for 60 grep -q ^READY=1 told2
stop
unset NOTIFY_SOCKET

unit="$tmp/waybill@.service"
sed "s|@PREFIX@|$tmp/p|" "$top/src/systemd/waybill@.service.in" > "$unit"
check "the unit: least rights" said "$unit" NoNewPrivileges=yes ProtectSystem=strict PrivateNetwork=yes 'ReadWritePaths=%f' \
    SystemCallFilter=@system-service MemoryDenyWriteExecute=yes Type=notify 'Restart=on-failure'
if command -v systemd-analyze > /dev/null; then
    mkdir -p p/bin && cp "$prog" p/bin/waybill
    SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no "$unit" > verify 2>&1
    check "systemd-analyze verify" is "" "$(grep -F 'waybill@' verify)"
    systemd-analyze security --offline=yes "$unit" > security 2>&1
    level=$(sed -n 's/.*Overall exposure level.*: \([0-9.]*\) .*/\1/p' security)
    check "exposure level at most 2.0, not ${level:-unknown}" eval 'echo "$level" | awk "{ exit !(\$1 != \"\" && \$1 <= 2.0) }"'
else
    echo "# systemd-analyze is not installed: the unit was only read"
fi
finish
