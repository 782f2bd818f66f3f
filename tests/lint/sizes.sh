#!/bin/sh
# sizes.sh - no function over 70 lines (from its first line to the closing brace), no file over 800; exceptions by name in sizes.allow
cd "$(dirname "$0")/../.." || exit 2
# shellcheck disable=SC2046
awk '
FILENAME ~ /sizes\.allow$/ { if ($1 !~ /^#/ && NF) allowed[$1] = 1; next }
function end_of_file() {
    if (last != "" && lines > 800 && !(last in allowed)) { printf "%s:%d: %d lines, 800 are the limit: split by idea\n", last, lines, lines; n++ }
    if (open) { printf "%s:%d: no closing brace in column 1 for the function that begins here\n", last, start; n++ }
}
FNR == 1 { end_of_file(); last = FILENAME; open = 0; head = 0 }
{ lines = FNR }
/^[A-Za-z_].*\(/ && !/;[ \t]*$/ { head = FNR; sig = $0 }
/^{/ && head && last ~ /\.c$/ { open = 1; start = head; name = sig; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
/^}/ { if (open) {
           size = FNR - start + 1; sizes[nf++] = size
           if (size > 70 && !((last ":" name) in allowed)) { printf "%s:%d: %s() has %d lines, 70 are the limit\n", last, start, name, size; n++ }
       }
       open = 0; head = 0 }
/^[A-Za-z_].*\)[ \t]*{[ \t]*$/ && last ~ /\.c$/ && !/^(struct|enum|union|static const struct)[^(]*{/ {
    printf "%s:%d: the opening brace of a function stands in column 1 of its own line\n", last, FNR; n++ }
END { end_of_file()
      for (i = 0; i < nf; i++) count[sizes[i]]++
      for (i = 1; nf && sum * 2 < nf; i++) sum += count[i]
      if (nf) printf "%d functions, median %d lines\n", nf, i - 1
      print n ? "not ok lint/sizes (" n " findings)" : "ok lint/sizes"; exit n > 0 }
' tests/lint/sizes.allow $(find src include -name '*.[ch]' | sort)
