#!/usr/bin/env bash
# Checks that a server program can use every public name of ours: builds Tests/Names, which names them all beside
# Foundation, NIO, Hummingbird and Swift Testing, and compares them with the names of Vapor, which is not built here.
#
# What is built for that takes minutes, and so has a scratch path of its own, .build-servers, for all packages that use
# Hummingbird.
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/common.sh

tests=Tests/Names/Tests/NameTests/NameTests.swift
vapor=Tests/Names/vapor.txt
# As a type it is ambiguous beside Foundation's class of that name, and its documentation says so.
ambiguous=Process

# The public types that a program sees with our modules imported: their own, and those that they export again.
public_types() {
    find Sources -path 'Sources/Fork*/*.swift' -print0 |
        xargs -0 sed -nE \
            -e '/^@_exported/ { s/^@_exported public import [a-z]+ [A-Za-z0-9_]+\.([A-Za-z0-9_]+).*/\1/p; d; }' \
            -e 's/^(@[^ ]+ )*public ([a-z]+ )*(class|struct|enum|protocol|actor|typealias) ([A-Za-z0-9_]+).*/\4/p' |
        sort -u
}

failures=0
fail() {
    echo "names: $*" >&2
    failures=$((failures + 1))
}

types=$(public_types)
[ -n "$types" ] || fail "found no public type under Sources"
if grep -rnE '^@_exported public import [A-Za-z0-9_]+$' Sources; then
    fail "a whole module is exported again: nobody can say which names come with it"
fi
for type in $types; do
    if [ "$type" != "$ambiguous" ] && ! grep -qE "^    var [A-Za-z]+: $type(<[^>]+>)?\?$" "$tests"; then
        fail "$type is public, and not in the list of $tests"
    fi
    if grep -qxF "$type" "$vapor"; then
        fail "$type is a name that Vapor programs use; see $vapor"
    fi
done
if [ "$failures" -gt 0 ]; then
    echo "names: $failures findings" >&2
    exit 1
fi

package=(--package-path Tests/Names --scratch-path .build-servers --disable-build-manifest-caching)
quietly "names: build a program that imports NIO, Hummingbird and Swift Testing too" \
    swift build --build-tests "${package[@]}"
quietly "names: run it" swift test --skip-build --disable-xctest "${package[@]}"
echo "names: $(echo "$types" | wc -l) public types, each of them usable" >&2
