#!/bin/sh
# text.sh - white space, tabs, width, words of unfinished work, paths that a user does not have
cd "$(dirname "$0")/../.." || exit 2
limit=120
# shellcheck disable=SC2046
LC_ALL=C awk -v limit=$limit '
function bad(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; n++ }
function columns(text) { gsub(/[\200-\277]/, "", text); return length(text) }        # UTF-8: continuation bytes take no column
/[ \t]+$/ { bad("blanks at the end of the line") }
/\r/ { bad("carriage return") }
FILENAME ~ /\.[ch]$/ && /\t/ { bad("tab: four blanks") }
# A text for users is not torn apart, nor a row of a table; tests hold data.
FILENAME ~ /\.[ch]$/ && FILENAME !~ /^tests\// && columns($0) > limit && !/"[,;) }]*$/ && !/^ *(\{ |[A-Z_0-9]+[(,])/ { bad(columns($0) " columns, " limit " are the limit") }
/(^|[^A-Za-z_])(TODO|FIXME|HACK)([^A-Za-z_]|$)/ && FILENAME !~ /tests\/lint\// { bad("unfinished: file an issue or do it") }
/\.\.\/shared/ { bad("a path that a user does not have") }
END { print n ? "not ok lint/text (" n " findings)" : "ok lint/text"; exit n > 0 }
' $(find src include tests/unit tests/fuzz tests/tools -name '*.[ch]' 2>/dev/null | sort) \
  $(find tests -name '*.sh' | grep -v -e lint/text.sh -e '^tests/bench/peers') Makefile
