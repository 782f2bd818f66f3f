#!/bin/sh
# t43-batch-life.sh PROGRAM - a staged batch from its making to its commit: the sample of Ovotrack, by commands that work
# themselves, by commands that ask a watcher, and with a watcher that is killed after each step
. "$(dirname "$0")/lib.sh"
. "$top/tests/site/life.sh"
life_ovotrack commands
life_ovotrack watcher
life_ovotrack killed
finish
