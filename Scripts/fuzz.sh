#!/usr/bin/env bash
# Builds the fuzzers with AddressSanitizer and libFuzzer and runs each of them for a while.
#
#     Scripts/fuzz.sh [seconds] [fuzzer...]
#
# Inputs that reach new code are kept under fuzz-corpus/, and an input that fails is left in .build-fuzz/findings/.
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/common.sh

seconds=${1:-60}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- FuzzFrames FuzzJSON
scratch=.build-fuzz
findings=$scratch/findings

# The first inputs. Each is small; the fuzzers find the rest from them.
seed() {
    local directory=$1
    mkdir -p "$directory"
    case $2 in
    FuzzFrames)
        # The mode (1: a hello comes first), the seed of the portions, and the stream.
        printf '\1\1\0\0\0\6\20\0\0\0{}' > "$directory/seed-message"
        printf '\1\2\0\0\0\7\21\0\0\0\1\2\3' > "$directory/seed-bytes"
        printf '\1\3\0\0\0\5\20\1\0\0[\0\0\0\5\20\0\0\0]' > "$directory/seed-fragments"
        printf '\1\4\0\0\0\5\20\1\0\0[\0\0\0\6\2\0\0\0{}' > "$directory/seed-abort-between"
        printf '\1\5\0\0\0\5\20\0\0\1\61' > "$directory/seed-handle"
        printf '\1\6\0\0\0\4\20\0\0\0\0\0\0\4\21\0\0\0' > "$directory/seed-empty"
        printf '\0\7\0\0\0\77\1\0\0\0{"version":{"major":1,"minor":0},"limits":{"message":9999}}' \
            > "$directory/seed-hello"
        ;;
    FuzzJSON)
        printf '{"a":[1,-2.5e3,true,null],"b":"\\u00e9\\n"}' > "$directory/seed-object"
        printf '[{"id":1,"name":"n","kind":{"b":{"_0":1}},"children":[],"table":{"1":0.5}}]' \
            > "$directory/seed-record"
        printf '[[[[[[[["deep"]]]]]]]]' > "$directory/seed-deep"
        printf '18446744073709551615' > "$directory/seed-number"
        ;;
    esac
}

# A crash in Swift would otherwise spend seconds on a backtrace.
export SWIFT_BACKTRACE=enable=no
mkdir -p "$findings"
for fuzzer in "$@"; do
    quietly "build $fuzzer" env FORK_FUZZING=1 swift build -c release --product "$fuzzer" --scratch-path "$scratch" \
        --sanitize=address -Xswiftc -sanitize=fuzzer -Xswiftc -use-ld=lld
    corpus=fuzz-corpus/$fuzzer
    seed "$corpus" "$fuzzer"
    options=(-max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1
        -artifact_prefix="$findings/$fuzzer-")
    [ "$fuzzer" = FuzzJSON ] && options+=(-dict=Tests/Fuzzing/json.dict)
    log=$scratch/$fuzzer.log
    echo "$fuzzer: $seconds seconds"
    if ! "$scratch/release/$fuzzer" "${options[@]}" "$corpus" > "$log" 2>&1 < /dev/null; then
        tail -n 60 "$log"
        echo "$fuzzer: a finding; the input is in $findings/, the log is $log" >&2
        exit 1
    fi
    grep -E '^(Done|stat::number_of_executed_units|stat::peak_rss_mb)|DONE' "$log" | sed "s/^/$fuzzer: /"
done
