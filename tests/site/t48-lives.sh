#!/bin/sh
# t48-lives.sh PROGRAM - the samples of integrations 0 and 3 by a watcher, by one that is killed with its workers between any
# two steps, and by one that is killed in the middle of each step: the expected files are the same
. "$(dirname "$0")/lib.sh"
. "$top/tests/site/life.sh"
life_ovotrack torn
life_paripassu watcher
life_paripassu killed
life_paripassu torn
finish
