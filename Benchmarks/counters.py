"""Counts what messages cost, which a busy machine does not change, and fails where that is more than it may be."""

import sys

from bench import counting, peers


def message(instructions, allocations, transfer=0, **calls):
    """What one message may take of one side, in both the numbers that depend on the code and its system calls.

    `transfer` is how many instructions a read or write may take on top, where it depends on the time how many messages
    go into one.
    """
    return {"instructions": instructions, "transfer": transfer, "allocations": allocations, "futex": 0, "epoll_ctl": 0,
            **calls}


# By workload and side: how much one message may take, or the idle processes together. It is what was counted when it
# was written down, and of instructions a little more: they depend on the processor too.
LIMITS = {
    "round-trip": {
        "parent": message(9_150, 2, epoll_wait=1, recvmsg=1, sendmsg=1),
        "child": message(8_750, 2, epoll_wait=1, recvmsg=1, sendmsg=1),
    },
    # In tasks on the loops.
    "round-trip-async": {
        "parent": message(17_950, 3, epoll_wait=1, recvmsg=1, sendmsg=1),
        "child": message(17_700, 3, epoll_wait=1, recvmsg=1, sendmsg=1),
    },
    # Sent by a task elsewhere; traced as it is, it is too slow to be gathered.
    "to-parent": {
        "parent": message(8_300, 3, transfer=3_600, epoll_wait=1, recvmsg=1, sendmsg=0),
        "child": message(8_300, 11, transfer=1_300, epoll_wait=0, recvmsg=0, sendmsg=1),
    },
    "to-child": {
        "parent": message(8_300, 11, transfer=1_300, epoll_wait=0, recvmsg=0, sendmsg=1),
        "child": message(8_300, 3, transfer=3_600, epoll_wait=1, recvmsg=1, sendmsg=0),
    },
    # Sent by a handler: written together after the first, once a millisecond or every 64 KiB, and read so.
    # Where instructions are counted a message may take longer than a burst allows, and some are written singly.
    "to-parent-gathered": {
        "parent": message(8_300, 3, transfer=3_600, epoll_wait=0.1, recvmsg=0.1, sendmsg=0),
        "child": message(8_300, 11, transfer=1_300, epoll_wait=0, recvmsg=0, sendmsg=0.1),
    },
    # A loop thread in the parent, the main thread in each child.
    "idle": {"parent": {"threads": 1, "wake-ups": 0}, "child": {"threads": 1, "wake-ups": 0}},
}
# A call more or less at the end of a run is no call for each message.
TOLERANCE = 0.01


def main():
    peers.build_ours()
    failures = 0
    for workload, limits in LIMITS.items():
        counts = counting.idle() if workload == "idle" else counting.per_message(workload)
        for side, by_counter in limits.items():
            transfers = by_counter.pop("transfer", 0) * counts.get((side, "transfers"), 0)
            for counter, limit in by_counter.items():
                count = counts.get((side, counter), 0)
                limit += transfers if counter == "instructions" else 0
                is_kept = count <= limit + TOLERANCE
                failures += not is_kept
                verdict = "" if is_kept else "   TOO MANY"
                print(f"{workload:<19} {side:<7} {counter:<13} {count:>10,.2f}   at most {limit:,.10g}{verdict}")
    if failures:
        sys.exit(f"counters.sh: {failures} limits were not kept")


main()
