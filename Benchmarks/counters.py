"""Counts what messages cost, which a busy machine does not change, and fails where that is more than it may be."""

import sys

from bench import counting, peers

# By workload, side and counter: how much one message may take, or the idle processes together. Each is what was counted
# when it was written down, and a tenth more for instructions.
LIMITS = {
    "round-trip": {
        ("child", "instructions"): 99999,
        ("parent", "instructions"): 99999,
        ("child", "allocations"): 99,
        ("parent", "allocations"): 99,
    },
    "round-trip-async": {},
    "to-parent": {},
    "to-parent-gathered": {},
    "to-child": {},
    "idle": {},
}
# A call more or less at the end of a run is no call for each message.
TOLERANCE = 0.01


def main():
    peers.build_ours()
    failures = 0
    for workload, limits in LIMITS.items():
        counts = counting.idle() if workload == "idle" else counting.per_message(workload)
        for (side, counter), limit in limits.items():
            count = counts.get((side, counter), 0)
            is_kept = count <= limit + TOLERANCE
            failures += not is_kept
            verdict = "" if is_kept else "   TOO MANY"
            print(f"{workload:<20} {side:<7} {counter:<13} {count:>10,.2f}   at most {limit:,}{verdict}")
        if "--all" in sys.argv:
            for (side, counter), count in sorted(counts.items()):
                print(f"    {side:<7} {counter:<13} {count:>10,.2f}")
    if failures:
        sys.exit(f"counters.sh: {failures} limits were not kept")


main()
