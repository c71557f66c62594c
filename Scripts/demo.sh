#!/usr/bin/env bash
# Builds the example of a parent and its children, and runs it. Standard output is the conversation and nothing else.
#
#     Scripts/demo.sh            run it
#     Scripts/demo.sh --check    run it and compare what it prints with expected-output.txt
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/common.sh

# SwiftPM keeps its plan while the files of the example are the same, and would not see a new file of the package below.
package=(--package-path Examples/ParentChild --scratch-path .build-examples --disable-build-manifest-caching)
quietly "build the example" swift build "${package[@]}"
parent=$(swift build "${package[@]}" --show-bin-path)/parent

if [ "${1:-}" != --check ]; then exec "$parent"; fi
expected=Examples/ParentChild/expected-output.txt
output=$(mktemp)
trap 'rm -f "$output"' EXIT
status=0
timeout 60 "$parent" > "$output" || status=$?
cat "$output"
if [ "$status" -ne 0 ]; then
    echo "The example ended with status $status." >&2
    exit 1
fi
if ! diff -u "$expected" "$output" >&2; then
    echo "The example printed something else than $expected says." >&2
    exit 1
fi
echo "The output is what $expected says." >&2
