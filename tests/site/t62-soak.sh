#!/bin/sh
# t62-soak - a quarter of a minute of tests/torture/soak.py: a random day of a site against a model; `make torture` runs ten
. "$(dirname "$0")/lib.sh"
python3 "$top/tests/torture/soak.py" "$prog" --seconds "${SOAK_SECONDS:-12}" > soak.out 2>&1
result $? "soak: the end is the model's"
sed 's/^/# /' soak.out
finish
