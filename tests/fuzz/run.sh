#!/bin/sh
# run.sh BUILD/fuzz SECONDS - libFuzzer on every harness, one after the other; what it finds stays in BUILD/fuzz/found.
set -u
B=$1
seconds=$2
failed=0
passed=0
mkdir -p "$B/found"
for program in "$B"/fuzz/fuzz_*; do
    [ -x "$program" ] && [ -f "$program" ] || continue
    case $program in *.d) continue ;; esac
    name=${program##*/fuzz_}
    seeds=tests/corpus/$name
    mkdir -p "$B/corpus/$name"
    set -- "$B/corpus/$name"
    [ -d "$seeds" ] && set -- "$@" "$seeds"
    dict=tests/fuzz/$name.dict
    [ -f "$dict" ] && set -- "$@" "-dict=$dict"
    if "$program" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
        -artifact_prefix="$B/found/$name-" "$@" > "$B/found/$name.log" 2>&1; then
        echo "ok fuzz/$name: $(awk '/number_of_executed_units/ { print $2 }' "$B/found/$name.log") inputs in $seconds s"
        passed=$((passed + 1))
    else
        echo "not ok fuzz/$name"
        tail -40 "$B/found/$name.log" | sed 's/^/    /'
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
