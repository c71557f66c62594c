#!/usr/bin/env bash
# Checks the format of the Swift code, and what the formatter does not: how long files and lines are.
#
#     Scripts/lint.sh <file or directory...>
set -uo pipefail
cd "$(dirname "$0")/.."

failures=0
fail() {
    echo "lint: $*" >&2
    failures=$((failures + 1))
}

swift format lint --strict --parallel --recursive "$@" || fail "the formatter has findings; \`make format\` helps with most"

# The formatter leaves comments and long strings as they are.
while IFS=: read -r file line _; do
    fail "$file:$line is longer than 120 columns"
done < <(find "$@" -name '.build*' -prune -o -type f -name '*.swift' -print0 |
    LC_ALL=C.UTF-8 xargs -0 grep -nHE '^.{121,}' || true)

while read -r file; do
    lines=$(wc -l < "$file")
    [ "$lines" -le 300 ] || fail "$file has $lines lines, more than 300"
done < <(find Sources -type f \( -name '*.swift' -o -name '*.c' -o -name '*.h' \))

if [ "$failures" -gt 0 ]; then
    echo "lint: $failures findings" >&2
    exit 1
fi
