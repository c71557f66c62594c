#!/bin/sh
# Counts what messages cost, and fails where that is more than it may be. Needs python3, valgrind and strace.
exec python3 "$(dirname "$0")/counters.py"
