#!/usr/bin/env bash
# Holds the peers of Protocols/ and the Swift one against the specifications, after the peers' own tests. Before that,
# the model of the native dialect's rules is tried.
#
#     Scripts/conformance.sh [option of conformance.py...]
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/common.sh

python=${PYTHON:-python3}
node=${NODE:-node}
command -v "$python" > /dev/null || { echo "There is no $python on the PATH; name one with \$PYTHON." >&2; exit 1; }

failed=()
# check <name> <command...>
check() {
    local name=$1
    shift
    echo "$name"
    "$@" < /dev/null || failed+=("$name")
}

tool=("$python" Protocols/conformance/conformance.py --short "$@")
parents=Protocols/conformance/parents
quietly "try the model of the rules" "$python" Protocols/model/model.py
quietly "build the peer" swift build --product fixture-peer
quietly "test the peer in Python" "$python" -m unittest discover Protocols/python
check "Swift, native dialect:" "${tool[@]}" "$(swift build --show-bin-path)/fixture-peer"
check "Swift, native dialect, as a parent:" "${tool[@]}" --role parent \
    "$(swift build --show-bin-path)/fixture-peer" parent
check "Swift, Node dialect:" "${tool[@]}" --dialect node "$(swift build --show-bin-path)/fixture-peer" node
check "Python, native dialect:" "${tool[@]}" "$python" Protocols/python/peer.py
check "Python, native dialect, as a parent:" "${tool[@]}" --role parent "$python" "$parents/native_parent.py"
if command -v "$node" > /dev/null; then
    quietly "test the peer in JavaScript" "$node" --test Protocols/javascript/swift_fork.test.mjs
    check "JavaScript, native dialect:" "${tool[@]}" "$node" Protocols/javascript/peer.mjs
    check "Node.js, its own dialect:" "${tool[@]}" --dialect node "$node" Protocols/javascript/node-peer.mjs
    check "Node.js, its own dialect, as a parent:" "${tool[@]}" --dialect node --role parent "$node" \
        "$parents/node_parent.mjs"
else
    echo "JavaScript is left out: there is no $node on the PATH, and \$NODE does not name one."
fi
if [ ${#failed[@]} -gt 0 ]; then
    printf 'failed: %s\n' "${failed[@]%:}" >&2
    exit 1
fi
