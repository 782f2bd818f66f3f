#!/bin/sh
# cases.sh FILE.json [PROGRAM] - runs the decision cases of a file through the program, compares each order's result
#
# Each case becomes the files of entrée and of the web shops in a site of its own, with its settings; PROGRAM is
# build/release/waybill without the argument.  Closes with `N passed, N failed`.
#   -v before FILE keeps the folders    -c runs `waybill convert` instead of a site
here=$(cd "$(dirname "$0")" && pwd)
exec python3 -B "$here/cases.py" "$@"
