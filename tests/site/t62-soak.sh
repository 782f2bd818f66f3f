#!/bin/sh
# t62-soak - a quarter of a minute of tests/torture/soak.py: a random day of a site against a model; `make torture` runs ten;
# and what it has found
. "$(dirname "$0")/lib.sh"
python3 "$top/tests/torture/soak.py" "$prog" --seconds "${SOAK_SECONDS:-12}" > soak.out 2>&1
result $? "soak: the end is the model's"
sed 's/^/# /' soak.out

# A file all of whose messages are refused gives nothing else: killed at each point, they lie in error/ once.
fresh() {
    rm -rf k && small_site k << 'END' && mkdir -p k/inbox/one && printf 'Id;Qty\n1;x\n2;y\n' > k/inbox/one/a.csv
flow one {
    on yes
    operation convert {
        take inbox  "inbox/one" ready name
        give outbox "outbox/one" name "{file}" map copy empty skip
    }
}
END
}
fresh
"$tools/ce" -m count -o ce.out "$prog" run -q -w 1 k > /dev/null 2>&1
points=$(tail -n 1 ce.out | cut -d' ' -f2)
bad=0
for n in $(seq 1 "${points:-0}"); do
    fresh
    "$tools/ce" -m before -n "$n" -o ce.out "$prog" run -q -w 1 k > /dev/null 2>&1
    "$prog" run -q k > /dev/null 2>&1
    [ "$(find k/error -name a.csv | wc -l) $(archived k)" = "1 1" ] || { bad=$((bad + 1)); echo "# point $n: $(ls k/error)"; }
done
check "refused messages, killed at $points points: in error/ once" is "0 yes" "$bad $([ "${points:-0}" -gt 5 ] && echo yes)"
finish
