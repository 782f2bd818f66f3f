#!/bin/sh
# t56-metrics.sh PROGRAM - counters and gauges for node_exporter, in the form that promtool's linter wants
. "$(dirname "$0")/lib.sh"

{ echo 'metrics "../metrics/waybill.prom"'; flow rows; flow idle; } | small_site site
mkdir -p site/inbox/rows metrics
prom=metrics/waybill.prom
value() { sed -n "s/^$1 //p" $prom; }          # SERIES (a pattern)
reads() { is "$1" "$(value "$2")"; }

cat > lint.py << 'END'
# The rules of the text format 0.0.4 and of `promtool check metrics`.
import re, sys
name, label = r'[a-zA-Z_:][a-zA-Z0-9_:]*', r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\\\|\\"|\\n)*"'
text = open(sys.argv[1], encoding="utf-8").read()
bad, types, helps, seen, current = [], {}, {}, set(), None
if not text.endswith("\n"): bad.append("the last line has no end")
for n, line in enumerate(text.splitlines(), 1):
    if m := re.fullmatch(rf'# HELP ({name}) (.+)', line):
        if m[1] in helps: bad.append(f"{n}: second HELP of {m[1]}")
        helps[m[1]] = m[2]; current = m[1]
    elif m := re.fullmatch(rf'# TYPE ({name}) (counter|gauge|histogram|summary|untyped)', line):
        if m[1] in types: bad.append(f"{n}: second TYPE of {m[1]}")
        if m[1] != current: bad.append(f"{n}: TYPE without HELP")
        types[m[1]] = m[2]; current = m[1]
    elif m := re.fullmatch(rf'({name})\{{({label}(?:,{label})*)\}} (-?[0-9.e+]+)', line):
        if m[1] != current: bad.append(f"{n}: {m[1]} is not with its family")
        if (m[1], m[2]) in seen: bad.append(f"{n}: twice {m[1]}{{{m[2]}}}")
        seen.add((m[1], m[2]))
        names = re.findall(r'([a-zA-Z_][a-zA-Z0-9_]*)="', m[2])
        if len(set(names)) != len(names): bad.append(f"{n}: a label twice")
        if types.get(m[1]) == "counter" and float(m[3]) < 0: bad.append(f"{n}: a counter below 0")
    else: bad.append(f"{n}: {line!r}")
for f, t in types.items():
    if (t == "counter") != f.endswith("_total"): bad.append(f"{f}: only counters end in _total")
    if re.search(r'_(milliseconds|minutes|hours|days|kilobytes|megabytes|ms|kb|mb)(_|$)', f): bad.append(f"{f}: not a base unit")
    if re.search(r'(counter|gauge|_count|_sum|_bucket)(_|$)', f): bad.append(f"{f}: a reserved word in the name")
    if re.search(r'[A-Z]', f): bad.append(f"{f}: capitals")
print("\n".join(bad)); sys.exit(bool(bad))
END

run site
check "run: written at its end, also without any file" test -s $prog -o -s $prom
check "in the form that the linter wants" python3 lint.py $prom
watch site
rows 1 3 > .a && mv .a site/inbox/rows/a.csv
{ rows 1 2; echo '3;x'; } > .b && mv .b site/inbox/rows/b.csv
echo rubbish > .c && mv .c site/inbox/rows/c.csv
wait_for 60 eval '[ "$(archived site)" = 2 ] && [ "$(in_error site)" = 2 ]'
stop
at='site="[^"]*\/site"'
rows="{$at,flow=\"rows\",operation=\"convert\""
check "the linter again" python3 lint.py $prom
check "files taken" reads 3 "waybill_batches_taken_total$rows}"
check "delivered, refused" eval 'reads 2 "waybill_batches_delivered_total$rows}" && reads 1 "waybill_batches_rejected_total$rows}"'
check "messages done" reads 5 "waybill_messages_total$rows,result=\"done\"}"
check "and refused" reads 1 "waybill_messages_total$rows,result=\"rejected\"}"
check "bytes" reads $(($(rows 1 3 | wc -c) + $({ rows 1 2; echo '3;x'; } | wc -c) + 8)) "waybill_input_bytes_total$rows}"
check "the time of the last success" eval '[ $(($(date +%s) - $(value "waybill_last_success_timestamp_seconds$rows}"))) -lt 600 ]'
check "nothing is open, one lies in error/ whole, one in part" eval 'reads 0 "waybill_batches_open{$at}" && reads 2 "waybill_batches_in_error{$at}"'
check "room on the disk" eval '[ "$(value "waybill_disk_free_bytes{$at}")" -gt 0 ]'
check "readable by the collector, nothing left beside it" is "644 waybill.prom" "$(stat -c %a $prom) $(ls -A metrics)"
if command -v promtool > /dev/null; then
    promtool check metrics < $prom > promtool.out 2>&1
    check "promtool says the same" is "" "$(cat promtool.out)"
fi

# A retry; a folder that is gone; at most every 15 seconds.
rm -r site/outbox/rows && : > site/outbox/rows
first=$(stat -c %i-%Y $prom)
watch site
check "written when it begins" wait_for 60 eval '[ "$first" != "$(stat -c %i-%Y $prom)" ]'
rows 5 9 > .d && mv .d site/inbox/rows/d.csv
wait_for 60 grep -q event=retry watch.log
first=$(stat -c %i-%Y $prom)
sleep 2
check "not written at every event" is "$first" "$(stat -c %i-%Y $prom)"
stop
check "retries and the batch that is open" eval 'reads 1 "waybill_retries_total$rows}" && reads 1 "waybill_batches_open{$at}"'
rm -r metrics site/outbox/rows
WAYBILL_CLOCK=2030-01-01T00:00:00Z run site
check "a folder that is gone is told, nothing more" eval 'is 0 $code && said run.log "the metrics cannot be written"'

sed -i 's/waybill.prom/waybill.txt/' site/site.conf
"$prog" check site > out 2> err
check "a name that no collector reads" said err SITE_METRICS
mkdir metrics
small_site 'si"te\x' << 'END'
metrics "../metrics/odd.prom"
flow r {
    on yes
    operation convert {
        take inbox  "inbox" ready name
        give outbox "outbox" name "{file}" map copy
    }
}
END
mkdir 'si"te\x/inbox' && rows 1 2 > 'si"te\x/inbox/a.csv'
run 'si"te\x'
check "odd folders are escaped in labels" python3 lint.py metrics/odd.prom
finish
