#!/bin/sh
# t40-torture.sh PROGRAM - a sample of `make torture`: struck at system calls, every file ends once, whole, with its reason
case $1 in */*) prog=$(cd "$(dirname "$1")" && pwd)/$(basename "$1") ;; *) prog=$(command -v "$1") ;; esac
here=$(cd "$(dirname "$0")/.." && pwd)
tools=$(dirname "$prog")/tools
if ! command -v python3 > /dev/null; then
    echo "ok torture is left out: there is no python3"
    exit 0
fi
"$tools/ce" true 2> /dev/null
if [ $? -ge 77 ]; then
    echo "ok torture is left out: processes cannot be traced here"
    exit 0
fi
failed=0 thin=1
grep -q __asan_init "$prog" && thin=3   # what is sought there is faults of memory, and each point takes four times as long
sample() {                              # WORKLOADS MODES STEP OPTION...
    w=$1 m=$2 s=$(($3 * thin))
    shift 3
    timeout 300 python3 "$here/torture/torture.py" "$prog" "$tools" -j 1 -w "$w" -m "$m" -s "$s" "$@" || failed=1
}
sample one,mixed kill 13
sample mixed one,takes,again,late 37
sample articles kill,short 37
sample mixed fail 83
sample waves kill,again,fail 61
sample companions,unpack kill,again 29
sample refused kill,late 37
sample companions,unpack fail,model 67
sample merge kill,again 41
sample merge fail,late,short 131
sample create,send,receive,update,commit kill,again 53
sample send,commit fail 239
sample answer fail 7
sample hold,release,cancel,amend,resend,retry,renew,purge,reindex,exchange kill,fail 151
sample one stay 61
sample mixed,waves,refused,send,commit hosts 43
exit $failed
