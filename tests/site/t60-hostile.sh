#!/bin/sh
# t60-hostile - mappings and formats that try to take all memory or time: each is refused, or its message is, within seconds
. "$(dirname "$0")/lib.sh"

many() { awk -v n="$1" -v form="$2" 'BEGIN { for (i = 0; i < n; i++) printf form "\n", i + 1, i, i }'; }    # the first %d is one more
printf 'syntax csv\nmessage M {\n    A text\n    B text\n    C decimal\n}\n' | tee a.format > b.format
printf 'A,B,C\nx,y,1\n' > in.csv

mapping() {                             # NAME WANT-CODE EXIT; standard input: the mapping behind its first line
    { echo 'mapping a => b'; cat; } > m.map
    timeout 300 "$prog" convert -m m.map in.csv > out 2> err
    code=$?
    check "mapping: $1" test "$code" = "$3" && check "mapping: $1 is explained" said err "[$2]"
}
format() {                              # NAME WANT-CODE; standard input: the format
    cat > f.format
    timeout 300 "$prog" check f.format > out 2> err
    code=$?
    check "format: $1" test "$code" = 1 && check "format: $1 is explained" said err "[$2]"
}
row() { echo 'M => M {'; cat; echo '}'; }

many 40 'block B%d {
use B%d
use B%d
}' > blocks
{ cat blocks; printf 'block B0 {\nA => A\n}\nM => M {\nuse B40\n}\n'; } | mapping 'blocks that double' MAP_SIZE 3
many 100000 'let v%d = A' | row | mapping '100,000 lets' MAP_SIZE 3
many 100000 'require A else reject C%d "x"' | row | mapping '100,000 requires' MAP_SIZE 3
many 100000 'A => X%d' | row | mapping '100,000 wrong rows' MAP_NO_FIELD 3
{ many 100000 'param p%d text'; printf 'A => A\n' | row; } | mapping '100,000 params' MAP_SIZE 3
{ many 100000 'table t%d key K optional'; printf 'A => A\n' | row; } | mapping '100,000 tables' MAP_SIZE 3
{ printf 'let x0 = concat(A, A)\n'; many 63 'let x%d = concat($x%d, $x%d)'; echo '$x63 => A'; } | row \
    | mapping 'concat of itself' LIMIT_TEXT 1
{ printf 'let x0 = concat(A, A)\n'; many 63 'let x%d = join("", $x%d, $x%d)'; echo '$x63 => A'; } | row \
    | mapping 'join of itself' LIMIT_TEXT 1
{ printf 'let x0 = concat(A, A)\n'; many 63 'let x%d = replace($x%d, "x", $x%d)'; echo '$x63 => A'; } | row \
    | mapping 'replace by itself' LIMIT_TEXT 1
{ printf 'require A = "q" else reject X "'; many 5000 '{A}' | tr -d '\n'; printf '"\nA => A\n'; } | row \
    | mapping '5,000 values in a text' MAP_SIZE 3
{ awk 'BEGIN { for (i = 0; i < 1000000; i++) printf "("; printf "A => A\n" }'; } | row | mapping 'a million brackets' CONF_DEPTH 3

# Five loops within each other over the 200 lines of one message.
printf 'syntax csv\nmessage M key A {\n    A text\n    group L 0..* {\n        B text\n        C decimal\n    }\n}\n' > a.format
{ echo syntax xml; echo 'message M at M {'; for g in P Q R S T; do echo "group $g 0..* {"; done; echo 'X text'
  for g in P Q R S T M; do echo '}'; done; } > b.format
{ echo A,B,C; many 200 'x,y%d,1'; } > in.csv
{ echo 'L => P {'; for g in Q R S T; do echo "../L => $g {"; done; echo 'B => X'; for g in P Q R S T; do echo '}'; done; } | row \
    | mapping 'loops within loops' LIMIT_MESSAGE 1

message() { echo 'message M {'; cat; echo '}'; }
{ echo 'syntax csv'; many 100000 'F%d text' | message; } | format '100,000 fields' FMT_LIMIT
{ echo 'syntax csv'; many 100000 'replace "%d" "%d"'; echo 'A text' | message; } | format '100,000 replacements' FMT_LIMIT
{ echo 'syntax xml'; many 100000 'namespace n%d "urn:%d"'; echo 'A text' | message; } | format '100,000 namespaces' FMT_LIMIT
{ echo 'syntax csv'; many 100000 'default text trim'; many 1000 'F%d text' | message; } | format '100,000 defaults' FMT_LIMIT
{ echo 'syntax xml'; many 100000 'message M%d at M%d {
A text
}'; } | format '100,000 messages' FMT_LIMIT
finish
