#!/bin/sh
# check.sh BUILD/KIND - runs every test of the tree and ends with one line "N passed, N failed".
#
#   unit/NAME     programs BUILD/KIND/unit/test_NAME (cmocka: its closing lines are counted)
#   golden        tests/golden.sh over tests/golden
#   fuzz/NAME     BUILD/KIND/fuzz/fuzz_NAME replays tests/corpus/NAME
#   site/tNN-…    scripts tests/*/tNN-*.sh; they print "ok name" or "not ok name" per case
#   lint/NAME     the fast scripts of tests/lint (release only: they look at sources)
#
# Each runs alone with its own log in BUILD/KIND/logs; JOBS of them at once (two per core: most of them wait most of the
# time); a failed one shows its log.
# ONLY="unit/ fuzz/csv" runs those whose names begin so.
set -u
B=$1
here=$(dirname "$0")
cd "$here/.." || exit 2
logs=$B/logs
jobs=${JOBS:-$((2 * $(nproc 2>/dev/null || echo 2)))}
# What takes long, or has much to do under ASan, by the log of a run; most first.
long="site/t40-torture site/t61-threats site/t53-purge site/t70-consolidation site/t75-landing site/t62-soak site/t46-standby
      site/t92-requests site/t52-disk-full site/t91-cancel site/t22-raks site/t48-lives site/t57-backup site/t14-many
      site/t88-inbox-limits site/t78-faults site/t30-ongoing24so site/t43-batch-life site/t54-notices site/t86-limits site/t34-poison
      site/t39-waves"
export LC_ALL=C CMOCKA_MESSAGE_OUTPUT=STDOUT
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:allocator_may_return_null=1}" UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"

# --one NAME: runs one test, writes its log and a line "passed failed" beside it.
if [ "${2:-}" = --one ]; then
    name=$3
    log=$logs/$(echo "$name" | tr / -)
    case $name in
    unit/*)   set -- timeout 900 "$B/unit/test_${name#unit/}" ;;
    golden)   set -- timeout 900 tests/golden.sh "$B/waybill" ;;
    fuzz/*)   corpus=tests/corpus/${name#fuzz/}
              set -- timeout 900 "$B/fuzz/fuzz_${name#fuzz/}"
              [ -d "$corpus" ] && set -- "$@" "$corpus" ;;
    lint/*)   set -- timeout 300 "tests/lint/${name#lint/}.sh" "$B" ;;
    *)        set -- timeout 1800 "tests/$name.sh" "$B/waybill" ;;
    esac
    begin=$(date +%s)
    "$@" > "$log.log" 2>&1 < /dev/null
    code=$?
    seconds=$(($(date +%s) - begin))
    counts=$(awk -v code=$code '
        /^\[  PASSED  \] [0-9]+ test/ { passed += $4 }
        /^\[  FAILED  \] [0-9]+ test/ { failed += $4 }
        /^\[  ERROR   \] [0-9]+ test/ { failed += $4 }
        /^ok / { passed++ }
        /^not ok / { failed++ }
        END { if ((code != 0 || passed == 0) && failed == 0) failed = 1; print passed + 0, failed + 0 }' "$log.log")
    echo "$counts" > "$log.count"
    if [ "${counts#* }" = 0 ]; then
        echo "ok   $name (${counts% *} in $seconds s)"
    else
        # One write, so that logs of neighbours do not mix.
        printf '%s\n' "FAIL $name (exit code $code)$(echo; tail -c 20000 "$log.log" | grep -vE '^(ok |\[ RUN |\[       OK )' | sed 's/^/     /')"
    fi
    exit 0
fi

list() {
    # Longest first, so that the last one does not run alone.
    # shellcheck disable=SC2086
    set -- $long
    for t; do [ ! -f "tests/$t.sh" ] || echo "$t"; done
    for t in tests/*/t[0-9]*.sh; do
        t=${t#tests/} t=${t%.sh}
        case " $* " in *" $t "*) ;; *) [ ! -f "tests/$t.sh" ] || echo "$t" ;; esac
    done
    [ -d tests/golden ] && [ -n "$(ls tests/golden)" ] && echo golden
    for t in tests/unit/test_*.c; do [ -f "$t" ] && t=${t#tests/unit/test_} && echo "unit/${t%.c}"; done
    for t in tests/fuzz/fuzz_*.c; do [ -f "$t" ] && t=${t#tests/fuzz/fuzz_} && echo "fuzz/${t%.c}"; done
    case $B in
    *release) for t in layers sizes banned headers globals codes text symbols; do echo "lint/$t"; done ;;
    esac
}
only() {
    [ -n "${ONLY:-}" ] || { cat; return; }
    while read -r name; do
        for o in $ONLY; do case $name in "$o"*) echo "$name"; break ;; esac; done
    done
}

rm -rf "$logs"
mkdir -p "$logs"
list | only | xargs -P "$jobs" -I{} "$0" "$B" --one {}
cat "$logs"/*.count 2>/dev/null | awk '
    { passed += $1; failed += $2 }
    END { printf "%d passed, %d failed\n", passed, failed; exit failed > 0 || passed == 0 }'
