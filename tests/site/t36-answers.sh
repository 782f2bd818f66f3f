#!/bin/sh
# t36-answers - show, status, do and their --json; the exit codes of a site
. "$(dirname "$0")/lib.sh"

small_site site << 'END'
flow rows {
    on yes
    operation convert {
        take inbox  "inbox/rows" ready name
        give outbox "outbox/rows" name "{batch}.csv" map copy empty skip
    }
    operation again {
        manual
        take inbox  "inbox/again" ready name
        give outbox "outbox/again" name "{batch}.csv" map copy
    }
    operation idle {
        on no
        take inbox  "inbox/idle" ready name
        give outbox "outbox/idle" name "{batch}.csv" map copy
    }
}
flow off {
    on no
    operation convert {
        take inbox  "inbox/off" ready name
        give outbox "outbox/off" name "{batch}.csv" map copy
    }
}
END
mkdir -p site/inbox/rows site/inbox/again site/inbox/idle site/inbox/off
code() { "$@" > out 2> err < /dev/null; echo $?; }
batch() { find site/archive site/error -name "*.waybill.json" | sed 's/.*\///; s/\.waybill\.json//' | sort -u | by_age | tail -1; }

check "0: nothing to do" is 0 "$(code "$prog" run site)"
check "0: nothing but the result on standard output" is "" "$(cat out)"
rows 1 3 > site/inbox/rows/good.csv
check "0: all good" is 0 "$(code "$prog" run site)"
good=$(batch)
{ rows 4 5; echo 'six;6x'; } > site/inbox/rows/part.csv
check "1: a message was refused" is 1 "$(code "$prog" run site)"
part=$(batch)
check "its line on standard error" said err 'part.csv:4:5: error: message 3, Qty: "6x" is not a decimal [NUM_BAD]'
printf 'Id;Qty\n"' > site/inbox/rows/broken.csv
check "1: a file was refused" is 1 "$(code "$prog" run site)"
broken=$(batch)
check "2: no site" is 2 "$(code "$prog" run)"
check "2: an unknown option" is 2 "$(code "$prog" run --nonsense site)"
check "2: an unknown command" is 2 "$(code "$prog" rum site)"
check "2: do without its operation" is 2 "$(code "$prog" do --dir site rows)"
check "3: no site.conf there" is 3 "$(code "$prog" run nowhere)"
cp -R site wrong && echo 'flwo x' >> wrong/site.conf
check "3: a wrong site.conf" is 3 "$(code "$prog" run wrong)"
check "with place and suggestion" said err 'wrong/site.conf' 'did you mean `flow`'
check "3: show of a batch that is not there" is 3 "$(code "$prog" show --dir site 20200101-000000-1-1)"
check "and no path in its place" is 3 "$(code "$prog" show --dir site ../../etc/passwd)"
rm -rf wrong/site.conf && mkdir wrong/site.conf
check "3 or 5: site.conf is a folder" sh -c 'case $1 in 3|5) ;; *) exit 1 ;; esac' - "$(code "$prog" run wrong)"

# do
rows 1 2 > site/inbox/again/a.csv
rows 1 30 > site/inbox/idle/i.csv
rows 1 4 > site/inbox/off/o.csv
code "$prog" run site > /dev/null
check "manual and off: run leaves them" is "3" "$(find site/inbox -type f | wc -l)"
check "do: a manual operation" is "0 1" "$(code "$prog" do --dir site rows again) $(outputs site/outbox/again | wc -l)"
check "do: an operation that is off" is "0 1" "$(code "$prog" do --dir site rows idle) $(outputs site/outbox/idle | wc -l)"
check "do: never a flow that is off" is "3 0" "$(code "$prog" do --dir site off convert) $(outputs site/outbox/off | wc -l)"
check "do: the reason" said err off
check "do: an unknown operation is told, with those that are there" sh -c '[ "$1" != 0 ] && grep -q agian err && grep -q again err' - "$(code "$prog" do --dir site rows agian)"
check "do in the folder of the site" is 0 "$(cd site && code "$prog" do rows again)"

# status and show
check "status" is 0 "$(code "$prog" status site)"
check "status tells what was refused and why" said out "$part" "1 of 3 messages refused" "$broken" "CSV_QUOTE: this quote is never closed" 'nobody watches'
check "status --json" is 0 "$(code "$prog" status --json site)"
check "is one JSON object" is '4 false 2' "$(json archived < out) $(json watched < out) $(json batches.# < out)"
check "status outside of a site: 3" is 3 "$(code "$prog" status /)"
for b in "$good" "$part" "$broken"; do
    check "show $b" is 0 "$(code "$prog" show --dir site "$b")"
    said out "$b" sha256 history || failed=1
    check "show --json $b" is "0 $b" "$(code "$prog" show --json --dir site "$b") $(json batch < out)"
done
"$prog" show --dir site "$part" > out
check "show tells totals, output, mapping and problem" said out 'messages    3, 2 done, 1 rejected' 'output      outbox/rows/' 'mapping     copy.map' \
    'part.csv:4:5: error: message 3, Qty: "6x" is not a decimal [NUM_BAD]' archived
"$prog" show --dir site "$broken" > out
check "show tells why a file lies in error/" said out CSV_QUOTE 'place       error'
ok=0
for f in $(find site/archive site/error -name '*.lines.*.jsonl'); do
    while IFS= read -r line; do printf '%s' "$line" | json state > state || ok=1; done < "$f"
done
result $ok "each line of a lines file is JSON"
cd site
check "show and status where one is" is "0 0" "$(code "$prog" show "$good") $(code "$prog" status)"
rm -f out err && cd ..
echo nonsense >> wrong.conf && cp -R site flawed && cat wrong.conf >> flawed/site.conf
check "check --json: a problem a line" is "1 CONF_WORD" "$(code "$prog" check --json flawed/site.conf) $(head -1 out | json code)"
check "inspect --json" sh -c 'printf "Id;Qty\n1;2\n" > x.csv; "$1" inspect --json x.csv | "$2" rows | grep -qx 2' - "$prog" "$tools/json"
check "every command has its help" sh -c 'for c in init run watch convert inspect check explain laws test describe fmt status show do; do "$1" $c --help | grep -q "^usage: waybill $c" || exit 1; done' - "$prog"
finish
