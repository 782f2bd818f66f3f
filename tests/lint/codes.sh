#!/bin/sh
# codes.sh - every problem code that src uses has a line in src/base/codes/*.def, and every line is used
#
# A code is a string constant "AREA_NAME" in capitals.  Names of environment variables and other constants that look alike are
# listed in codes.allow.
cd "$(dirname "$0")/../.." || exit 2
found=$(mktemp)
trap 'rm -f "$found" "$found".*' EXIT
{ grep -v '^#' tests/lint/codes.allow; } > "$found.allow"
grep -rnoE '"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+"' src --include=*.c --include=*.h | tr -d '"' | sort -t: -k3,3 -u > "$found.used"
# One-word codes (REQUIRED) count as used wherever they stand as a string.
sed -nE 's/^CODE\("([A-Z0-9_]+)".*/\1/p' src/base/codes/*.def | sort > "$found.all"
uniq -d "$found.all" | sed 's|^|src/base/codes: |; s|$| stands there twice|' > "$found"
sort -u "$found.all" > "$found.def"
awk -F: '
    FILENAME ~ /\.def$/ || FILENAME ~ /\.allow$/ { known[$1] = 1; next }
    !($3 in known) { printf "%s:%s: code %s has no line in src/base/codes/*.def\n", $1, $2, $3 }' "$found.def" "$found.allow" "$found.used" >> "$found"
while read -r code; do
    grep -rqF "\"$code\"" src --include=*.c --include=*.h || echo "$(grep -nF "CODE(\"$code\"" src/base/codes/*.def | head -1 | cut -d: -f1,2): code $code is used nowhere in src"
done < "$found.def" >> "$found"
cat "$found"
[ -s "$found" ] && echo "not ok lint/codes ($(wc -l < "$found") findings)" && exit 1
echo "ok lint/codes"
