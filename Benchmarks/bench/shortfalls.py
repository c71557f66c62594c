"""What stands in the way of the rows that have fallen short, as far as profiles have shown it."""

RECORDS = """\
The text alone is read at 390 MB/s, and at 115 into `Codable` types. Nearly half of the time, in writing and in
reading, is spent by the Swift runtime on what `Codable` asks of it for each object: the metadata and witness tables of
generic containers are looked up, boxes are allocated, references counted. `Codable` has no way around that from
outside the standard library. Node's objects have no types to look up: from a certain size on that outweighs its slower
start, and the two come out about equal, now one ahead and now the other."""
REASONS = {
    "round-trip-one-core": """\
On one core nothing of either side is hidden behind the other, so the row counts all that both do. C makes two system
calls a side, ours three: `epoll_wait` says which of the children has something to say before it is read. That is about
0.7 µs; the rest is 8,500 instructions a side (`make counters`), of which a third makes and reads JSON, and the others
are the frame, the queue with its lock, the loop's turn and the handler.""",
    "records-10 KB": RECORDS,
    "records-140 KB": RECORDS,
    "string-1 MB": """\
The value itself is fresh memory for each message, and the kernel's page faults for it take as long as reading the text.""",
    "start": """\
A Swift program that does nothing, linked in the same way, takes 1.8 ms from its start to its end on this machine, an
empty C program 0.75. Of the 3.2 million instructions of a child up to its answer the dynamic linker has 2.3 million,
most of them for the symbols of the C++ library that the Swift runtime needs; the runtime's own start has 0.3 million,
and the child's part, with its loop, both hellos and the answer, 0.5 million. Without a dynamic linker, as the row
"linked statically" has it, the target holds, also beside a C program that is linked in the same way;
[performance.md](performance.md) says how to get that.""",
    "idle": """\
Most of it are tables with addresses, which the dynamic linker writes to at the start, so that they are not shared: 220
KB, and 88 in a Swift program that does nothing. A child that is linked statically has none of them; see its row. The
parent's part was 3.6 KB a child before channels had ids and credit, and is 5.5 now: 1.2 KB of it are the state for
those, kept where each message finds it without another allocation. Beside the 250 to 700 KB of the child itself that
was not thought worth a more roundabout way.""",
}


def section(names):
    """The reasons of the workloads of those names, as part of a page; empty where none is known."""
    by_reason = {}
    for name in names:
        if name in REASONS:
            by_reason.setdefault(REASONS[name], []).append(name)
    if not by_reason:
        return ""
    parts = [f"**{', '.join(together)}**: {reason}" for reason, together in by_reason.items()]
    return "## What stands in the way where a row falls short\n\n" + "\n\n".join(parts)
