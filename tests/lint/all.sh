#!/bin/sh
# all.sh BUILD/KIND [full] - every lint; `full` also runs the slow tools
cd "$(dirname "$0")/../.." || exit 2
bad=0
for t in layers sizes banned headers globals codes text requirements symbols ${2:+tools}; do
    tests/lint/$t.sh "${1:-build/release}" || bad=$((bad + 1))
done
[ $bad = 0 ]
