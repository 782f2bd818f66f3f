#!/bin/sh
# cases.sh FILE.json [PROGRAM] - runs the decision cases of a file through the program, compares each order's result
#
# Each case becomes the files of entrée and of the web shops in a folder of its own; PROGRAM is build/release/waybill
# without the argument.  Closes with `N passed, N failed`; -v before FILE keeps the folders and shows what differs.
here=$(cd "$(dirname "$0")" && pwd)
exec python3 -B "$here/cases.py" "$@"
