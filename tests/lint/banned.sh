#!/bin/sh
# banned.sh - calls that banned.txt forbids, with what to call instead; comments and strings do not count
cd "$(dirname "$0")/../.." || exit 2
# shellcheck disable=SC2046
awk '
function glob(pattern, text) { gsub(/[.+]/, "\\\\&", pattern); gsub(/\*/, ".*", pattern); return text ~ ("^" pattern "$") }
function may(name,    p, k) {
    k = split(where[name], p, ",")
    while (k) if (glob(p[k--], FILENAME)) return 1
    return 0
}
# The line without strings, characters and comments.
function code(text,    out) {
    if (comment) { if (!index(text, "*/")) return ""; text = substr(text, index(text, "*/") + 2); comment = 0 }
    gsub(/\\./, "", text); gsub(/"[^"]*"/, "\"\"", text); gsub(/\047[^\047]*\047/, "0", text)
    gsub(/\/\*[^*]*\*+([^\/*][^*]*\*+)*\//, " ", text); sub(/\/\/.*/, "", text)
    if (match(text, /\/\*/)) { text = substr(text, 1, RSTART - 1); comment = 1 }
    return text
}
FILENAME ~ /banned\.txt$/ { if ($1 !~ /^#/ && NF > 2) { where[$1] = $2; better[$1] = $0; sub(/^[^ ]+ +[^ ]+ +/, "", better[$1]) } next }
FNR == 1 { comment = 0 }
{
    text = code($0)
    while (match(text, /[A-Za-z_][A-Za-z0-9_]*[ ]?\(/)) {
        name = substr(text, RSTART, RLENGTH); sub(/[ ]?\($/, "", name)
        before = RSTART > 1 ? substr(text, RSTART - 1, 1) : ""
        text = substr(text, RSTART + RLENGTH)
        # A member (x.free(), x->exit()) is no call of that function.
        if (before == "." || before == ">" || !(name in where) || may(name)) continue
        printf "%s:%d: %s() is not called here: %s\n", FILENAME, FNR, name, better[name]; n++
    }
}
END { print n ? "not ok lint/banned (" n " findings)" : "ok lint/banned"; exit n > 0 }
' tests/lint/banned.txt $(find src include -name '*.[ch]' | sort)
