#!/bin/sh
# run.sh BUILD/fuzz SECONDS - libFuzzer on every harness, one per core at a time; what it finds stays in BUILD/fuzz/found.
set -u
B=$1
seconds=$2

# --one PROGRAM: searches with one harness, says how it went in one write.
if [ "${3:-}" = --one ]; then
    program=$4
    name=${program##*/fuzz_}
    log=$B/found/$name.log
    mkdir -p "$B/corpus/$name"
    set -- "$B/corpus/$name"
    [ -d "tests/corpus/$name" ] && set -- "$@" "tests/corpus/$name"
    dict=tests/fuzz/$name.dict
    [ -f "$dict" ] && set -- "$@" "-dict=$dict"
    if "$program" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
        -artifact_prefix="$B/found/$name-" "$@" > "$log" 2>&1; then
        echo "ok fuzz/$name: $(awk '/number_of_executed_units/ { print $2 }' "$log") inputs in $seconds s"
    else
        printf '%s\n' "not ok fuzz/$name$(echo; tail -40 "$log" | sed 's/^/    /')"
    fi
    exit 0
fi

mkdir -p "$B/found"
for program in "$B"/fuzz/fuzz_*; do
    [ -x "$program" ] && [ -f "$program" ] || continue
    case $program in *.d) continue ;; esac
    echo "$program"
done | xargs -P "${JOBS:-$(nproc 2>/dev/null || echo 2)}" -I{} "$0" "$B" "$seconds" --one {} | awk '
    { print; fflush() }
    /^ok / { passed++ }
    /^not ok / { failed++ }
    END { printf "%d passed, %d failed\n", passed, failed; exit failed > 0 || passed == 0 }'
