# Read by the other scripts.

# Runs a command without its output, which is shown only where the command fails.
#
#     quietly <what it does> <command...>
quietly() {
    local what=$1 log status=0
    shift
    log=$(mktemp)
    echo "$what" >&2
    "$@" > "$log" 2>&1 < /dev/null || status=$?
    if [ "$status" -ne 0 ]; then
        cat "$log" >&2
        echo "failed: $what" >&2
    elif grep -q 'warning:' "$log"; then
        grep 'warning:' "$log" | sort -u >&2
    fi
    rm -f "$log"
    return "$status"
}
