#!/usr/bin/env bash
# Builds an example and runs it. Standard output is what the example prints and nothing else.
#
#     Scripts/demo.sh [example]              run it; ParentChild where none is named
#     Scripts/demo.sh --check [example...]   run each and compare what it prints with expected-output.txt; all where none
#                                            is named
#
# An example is a package of its own under Examples/. Its program `parent` is run, or, where there is one, its script
# `run` with the directory of its programs.
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/common.sh

# Builds an example, and sets `command` to what runs it.
build() {
    if [ ! -f "Examples/$1/Package.swift" ]; then
        echo "There is no example '$1' under Examples/." >&2
        exit 1
    fi
    # Each has a place of its own: their programs have the same names. SwiftPM keeps its plan while the files of the
    # example are the same, and would not see a new file of the package below.
    local package=(--package-path "Examples/$1" --scratch-path ".build-examples/$1" --disable-build-manifest-caching)
    quietly "build the example $1" swift build "${package[@]}"
    local programs
    programs=$(swift build "${package[@]}" --show-bin-path)
    command=("$programs/parent")
    [ ! -f "Examples/$1/run" ] || command=(bash "Examples/$1/run" "$programs")
}

check() {
    local expected=Examples/$1/expected-output.txt status=0
    build "$1"
    timeout 60 "${command[@]}" > "$output" || status=$?
    cat "$output"
    if [ "$status" -ne 0 ]; then
        echo "The example $1 ended with status $status." >&2
        exit 1
    fi
    if ! diff -u "$expected" "$output" >&2; then
        echo "The example printed something else than $expected says." >&2
        exit 1
    fi
    echo "The output is what $expected says." >&2
}

if [ "${1:-}" != --check ]; then
    build "${1:-ParentChild}"
    exec "${command[@]}"
fi
shift
if [ $# -eq 0 ]; then
    for example in Examples/*/; do set -- "$@" "$(basename "$example")"; done
fi
output=$(mktemp)
trap 'rm -f "$output"' EXIT
for example in "$@"; do check "$example"; done
