#!/usr/bin/env bash
# Builds and runs the tests. Shows what failed, what was skipped, each suite's end, and the runner's closing lines; the
# whole output is in test.log in the scratch directory.
#
#     Scripts/test.sh [option of swift test...]
#
# 16 tests run at once: all of them together would come near to the thousand descriptors that a process may have on many
# systems, and to their deadlines on a busy machine, and take no less time. Under AddressSanitizer they run one after
# another, or it would take too much memory; under ThreadSanitizer eight at once: together is when it sees most.
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/common.sh

scratch=.build
build=()
atOnce=(--experimental-maximum-parallelization-width 16)
arguments=("$@")
while [ $# -gt 0 ]; do
    case $1 in
    --scratch-path)
        scratch=$2
        build+=("$1" "$2")
        shift
        ;;
    -c | -Xswiftc)
        build+=("$1" "$2")
        shift
        ;;
    --sanitize=*)
        build+=("$1")
        # Not more at once than get the share of the processor that their deadlines count on.
        [ "$1" = --sanitize=thread ] && atOnce[1]=8 || atOnce=(--no-parallel)
        ;;
    esac
    shift
done

quietly "build the tests" swift build --build-tests ${build[@]+"${build[@]}"}
log=$scratch/test.log
# Tests measure memory; what AddressSanitizer holds back after it was freed is to be little beside that.
export ASAN_OPTIONS="quarantine_size_mb=4${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
# LeakSanitizer cannot follow the reference from an object to the side table for its weak references: that pointer is
# stored shifted. What such a table refers to is not followed either, then. Nor can it follow the pointers in an enum,
# which are stored with the case: what an end in the tests has heard, which is open to the end of the tests.
export LSAN_OPTIONS="suppressions=$PWD/Scripts/leaks.supp:print_suppressions=0${LSAN_OPTIONS:+:$LSAN_OPTIONS}"
echo "run the tests" >&2
status=0
# Without the lines of tests that start and pass. A line of a suite that ends stays, so that one sees that it goes on.
# The argument of a test case may be of several lines.
swift test --skip-build "${atOnce[@]}" ${arguments[@]+"${arguments[@]}"} < /dev/null 2>&1 | tee "$log" | awk '
    isInArgument { if (/ (started|passed after .*)\.$/) isInArgument = 0; next }
    / started\.$/ || / Test case passing .* passed after / { next }
    /^[^ ]+ Test case passing / && !/ (failed|recorded) / { isInArgument = 1; next }
    / passed after / && / Test / && !/ Test run with / { next }
    /^Test Suite / || /^\t Executed 0 tests/ || /^\[[0-9]+\/[0-9]+\]/ || /^Build complete/ { next }
    /^[^ ]+ (Testing Library Version|Target Platform):/ { next }
    { print; fflush() }' || status=$?

skipped=$(grep -E '(^[^ ]+ (Test|Suite) .* skipped(\.|:)|: Test skipped)' "$log" |
    grep -cvE '( started\.| passed after .*)$' || true)
if [ "$status" -eq 0 ] && ! grep -qE ' Test run with [1-9][0-9]* test' "$log"; then
    echo "No test ran."
    status=1
fi
# Also in a child, whose status a test may not look at.
findings=$(grep -cE '(WARNING|ERROR): (Thread|Address|Leak)Sanitizer' "$log" || true)
if [ "$findings" -gt 0 ]; then
    echo "Findings of the sanitizer: $findings"
    status=1
fi
[ "$skipped" -eq 0 ] || echo "Skipped tests: $skipped"
if [ "$status" -ne 0 ]; then
    # Once more, where they are seen also by those who get the end of the output alone.
    echo "What failed:"
    grep -E '( recorded an issue at |: error: |Fatal error: |(WARNING|ERROR): .*Sanitizer)' "$log" |
        awk '!seen[$0]++' | head -n 40 || true
    echo "The tests failed; all of their output is in $log" >&2
fi
exit "$status"
