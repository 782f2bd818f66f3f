#!/bin/sh
# requirements.sh - every requirement of an integration has a row in its README, and a place that does or shows it
#
# The place is a mapping, format, site.conf or case of its folder, or a test of a whole site; a case that a README names is
# there.  requirements.txt says which integrations have how many.
cd "$(dirname "$0")/../.." || exit 2
found=$(mktemp)
trap 'rm -f "$found" "$found".*' EXIT
numbers() { grep -ohE "$1-[0-9]+" | sort -u; }
grep -v '^#' tests/lint/requirements.txt | while read -r dir prefix last; do
    sed -nE "s/^\| ($prefix-[0-9]+) \|.*\| *[^ |].*\|$/\1/p" "$dir/README.md" | sort > "$found.rows"
    uniq -d "$found.rows" | sed "s|.*|$dir/README.md: & has two rows|"
    {
        find "$dir" -name '*.map' -o -name '*.format' -o -name '*.conf' | xargs cat
        find "$dir" -type d -path '*.test/*'
        cat tests/site/*.sh
    } | numbers "$prefix" > "$found.places"
    n=1
    while [ "$n" -le "$last" ]; do
        grep -qx "$prefix-$n" "$found.rows" || echo "$dir/README.md: $prefix-$n has no row that says where it is shown"
        grep -qx "$prefix-$n" "$found.places" || echo "$dir: $prefix-$n stands in no mapping, format, site.conf, case or test of a site"
        n=$((n + 1))
    done
    grep -oE '[A-Za-z0-9_-]+\.test/[A-Za-z0-9_-]+' "$dir/README.md" | grep -v '^NAME' | sort -u | while read -r case; do
        [ -d "$dir/$case" ] || echo "$dir/README.md: there is no case $case"
    done
done > "$found"
cat "$found"
[ -s "$found" ] && echo "not ok lint/requirements ($(wc -l < "$found") findings)" && exit 1
echo "ok lint/requirements"
