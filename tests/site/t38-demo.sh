#!/bin/sh
# t38-demo - `make demo` finishes in time and shows what it promises
. "$(dirname "$0")/lib.sh"

timeout 300 "$top/tests/demo.sh" "$prog" "$tmp/build/demo" > demo.out 2> demo.err
check "the demo ends within a minute, exit code 0" is 0 $?
check "it says nothing on standard error" is "" "$(cat demo.err)"
check "its outputs equal the samples" is 4 "$(grep -c ', byte for byte$' demo.out)"
check "it says that its interval is shorter" said demo.out 'every 1s' 'every 15m'
check "it shows the outbox" is 5 "$(grep -c '^outbox/\(ongoing\|24so\)/[a-z]*_[0-9-]*.xml$' demo.out)"
check "the archive with its waybills" is "6 6" "$(grep -c '^archive/.*\.zip$' demo.out) $(grep -c '^archive/.*\.waybill\.json$' demo.out)"
check "the wrong record with file, line, column and reason" said demo.out \
    'wrong_inventory.csv:3:12: error: message 2, NumberOfItems: "12x5" is not a decimal [NUM_BAD]'
check "and its place in error/" is "ProductCode;ArticleNumber;NumberOfItems
1007;S-300;12x5" "$(sed -n '/^== The wrong record/,/^$/p' demo.out | sed '1d;$d')"
check "the site stays, nothing is left in its inboxes" is "10 0" "$(outputs build/demo/outbox | wc -l) $(find build/demo/inbox -type f | wc -l)"
check "no watcher stays behind" said demo.out 'nobody watches this site'
finish
