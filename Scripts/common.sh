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
    else
        # The linker has much to say about AddressSanitizer's own symbols.
        grep 'warning:' "$log" | grep -v 'Cannot export local symbol' | sort -u >&2 || true
    fi
    rm -f "$log"
    return "$status"
}
