#!/bin/sh
# t06-ten-errors PROGRAM - a mapping, a format and a site with many errors each: all are told in one run, each with line,
# column and a caret under the wrong words; doing mechanically what the hints say makes `waybill check` pass.
set -u
waybill=$(realpath "${1:-waybill}")
top=$(cd "$(dirname "$0")/../.." && pwd)
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
export LC_ALL=C WAYBILL_CLOCK=2026-01-02T03:04:05Z WAYBILL_PATH=
cp -R "$top/tests/data/bad/ten/." "$tmp" || exit 1
cd "$tmp" || exit 1
bad=0

verdict() { # name, is it good?
    if [ "$2" = 0 ]; then echo "ok $1"; else echo "not ok $1"; bad=1; fi
}

# Each problem as one line: line, column, width of the caret, what stands above it, the code, the hint; by tabs.
problems() {
    awk -v OFS='\t' '
    function flush() { if (line != "") print line, column, width, word, code, hint; line = "" }
    /^[^ ]+:[0-9]+:[0-9]+: error: / {
        flush()
        split($0, part, ":")
        line = part[2]; column = part[3]; width = 0; word = ""; hint = ""
        code = $0; sub(/.*\[/, "", code); sub(/\].*/, "", code)
        getline source
        getline caret
        at = index(caret, "^")
        match(caret, /\^+/)
        width = RLENGTH
        word = substr(source, RSTART, width)
        hint = substr(caret, RSTART + width + 1)
        # The source shown is the line, four blanks further in; the column is where the caret stands.
        if (at - 4 != column) code = code " (caret in column " at - 4 ")"
    }
    END { flush() }'
}

# Does what the hints say, from the last place to the first, so that the places stay right.
mend() { # file, problems
    sort -t "$(printf '\t')" -k1,1nr -k2,2nr "$2" > "$2.sorted"
    awk -F '\t' '
    function quoted(n,   part) { split(hint, part, "`"); return part[2 * n] }
    function put(text) { row[line] = substr(row[line], 1, column - 1) text substr(row[line], column + width) }
    NR == FNR { row[++rows] = $0; next }
    {
        line = $1; column = $2; width = $3; hint = $6
        if (hint ~ /^did you mean `/) put(quoted(1))
        else if (hint ~ /^take this away/) put("")
        else if (hint ~ /the same path is already the first/) { put(""); sub(/ \|  /, " ", row[line]) }
        else if (hint ~ /write `=>`/) sub(/<=>/, " =>", row[line])
        else if (match(hint, /or sum\([^)]*\)/)) put(substr(hint, RSTART + 3, RLENGTH - 3))
        else if (hint ~ /only a key, a position or path = constant/) put("1")
        else if (hint ~ /^close it with "/) row[line] = row[line] "\""
        else if (hint ~ /^add `/) {                         # a row below the line; the dots are to be filled in
            text = quoted(1)
            sub(/…/, "\"?\"", text)
            below[line] = below[line] "\n    " text
        }
        else print "no way to follow: " $0 > "/dev/stderr"
    }
    END { for (i = 1; i <= rows; i++) print row[i] below[i] }' "$1" "$2.sorted" > "$1.mended"
    mv "$1.mended" "$1"
}

# file, codes that must all be told (sorted), name
try() {
    "$waybill" check "$1" > out 2> err
    [ $? = 1 ] && [ ! -s out ]
    verdict "$3: errors are told" $?
    problems < err > found
    cut -f5 found | sort > codes
    printf '%s\n' $2 | sort > wanted
    if diff wanted codes > differ; then verdict "$3: $(wc -l < wanted | tr -d ' ') errors in one run, each with its caret" 0
    else verdict "$3: all errors in one run, each with its caret" 1; sed 's/^/# /' differ; fi
    mend "$1" found
    # A mended row may show another error, but only because it could not be read before: once more is allowed.
    "$waybill" check "$1" > out 2> err
    verdict "$3: mended as the hints say, check passes" $?
    sed 's/^/# /' err
}

# What stands above the carets, in order.
words() { # file, name, words
    "$waybill" check "$1" 2>&1 | problems | cut -f4 > above
    printf '%s\n' "$3" > wanted
    diff wanted above > differ
    verdict "$2: carets are under the wrong words" $?
    sed 's/^/# /' differ
}

words ten.map mapping 'txt
I
I
Custmer
DeliveryPhone
substring
InvoiceRow/Quantity
length(Type) > 2
$states
lenght
Nmae
Nam
5
Itm
$statess'
words ten.format format 'delimeter
utf8x
mm
Numbr
dat
maxx
"
decmal'
words site/site.conf site 'state
order
duplicats
evry
inbx
btch
ordres
state'

try ten.map "MAP_PARAM MAP_REQUIRED MAP_REQUIRED MAP_NO_FIELD MAP_PATH_TWICE MAP_ONE_WAY MAP_MANY MAP_PREDICATE TABLE_NOT_UNIQUE
EXPR_FUNCTION MAP_NO_FIELD MAP_NO_FIELD MAP_SYNTAX MAP_NO_FIELD MAP_NO_NAME" mapping
try ten.format "SYNTAX_OPTION FMT_ENCODING FMT_PATTERN FMT_KEY FMT_TYPE FMT_ATTR CONF_STRING FMT_TYPE" format
try site/site.conf "SITE_NO_FORMAT SITE_NO_FLOW CONF_WORD CONF_WORD CONF_WORD SITE_NAME SITE_NO_MAP SITE_NO_TABLE" site
exit $bad
