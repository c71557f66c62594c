#!/bin/sh
# Builds and runs the benchmarks; `bench.sh --help` lists the options.
if ! command -v python3 > /dev/null; then
    echo 'bench.sh: python3 is needed to run the benchmarks, and it is not on the PATH' >&2
    exit 1
fi
exec python3 "$(dirname "$0")/bench.py" "$@"
