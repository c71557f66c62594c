#!/usr/bin/env bash
# Builds the fuzzers with AddressSanitizer and libFuzzer and runs each of them for a while. FuzzFrames looks at values that
# are internal to their module, hence -enable-testing.
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

# Writes an input for FuzzFrames: a name, two bytes, and frames, each as the length of its body (under 116), kind, flags,
# descriptors and id, which are hexadecimal, and the body.
input() {
    local name=$1 bytes=$2
    shift 2
    while [ $# -gt 0 ]; do
        bytes+="\\0\\0\\0\\x$(printf %02x $((12 + $1)))\\x$2\\x$3\\0\\x$4\\0\\0\\0\\0\\0\\0\\0\\x$5$6"
        shift 6
    done
    printf %b "$bytes" > "$directory/seed-$name"
}

# The first inputs. Each is small; the fuzzers find the rest from them.
seed() {
    local directory=$1
    mkdir -p "$directory"
    case $2 in
    FuzzFrames)
        # The mode (see the fuzzer; 1: a hello comes first), the seed of the portions, and the stream.
        input message '\1\1' 2 10 00 00 00 '{}'
        input bytes '\1\2' 3 11 00 00 00 '\1\2\3'
        input fragments '\1\3' 1 10 01 00 00 '[' 1 10 00 00 00 ']'
        input abort-between '\1\4' 1 10 01 00 00 '[' 2 02 00 00 00 '{}'
        input handle '\1\5' 1 10 00 01 00 '1' 0 11 01 02 00 ''
        input end-and-ping '\1\6' 0 07 00 00 00 '' 8 03 00 00 00 '12345678'
        input conversation '\1\7' 5 10 06 00 02 '\0\02{}1' 1 10 01 00 02 '[' 1 10 00 00 02 ']' 0 05 00 00 02 ''
        input failure '\1\10' 4 11 06 00 02 '\0\02{}' 2 12 00 00 02 '{}' 1 10 00 00 02 '1'
        input answer '\21\11' 1 10 02 00 01 '1' 0 07 00 00 01 '' 0 06 00 00 03 ''
        input credit '\21\12' 16 05 00 00 01 '\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\11'
        input description '\3\13' 14 10 04 01 00 '\0\013{"name":""}1'
        input hello '\0\14' 98 01 00 00 00 \
            '{"version":{"major":1,"minor":0},"features":[],"limits":{"message":65536,"window":262144,"ids":9}}'
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
        --sanitize=address -Xswiftc -sanitize=fuzzer -Xswiftc -use-ld=lld -Xswiftc -enable-testing
    corpus=fuzz-corpus/$fuzzer
    seed "$corpus" "$fuzzer"
    options=(-max_total_time="$seconds" -max_len=4096 -timeout=60 -rss_limit_mb=2048 -print_final_stats=1
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
