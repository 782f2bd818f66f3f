#!/bin/sh
# t97-spoilt - some sites of tests/torture/spoil.py: samples of the integrations, spoilt at random; `make torture` makes many
. "$(dirname "$0")/lib.sh"
python3 "$top/tests/torture/spoil.py" "$prog" --sites "${SPOILT_SITES:-8}" --seed 1 > spoil.out 2>&1
result $? "spoilt samples: no worker dies, each file is one batch, nothing is said unescaped"
sed 's/^/# /' spoil.out
finish
