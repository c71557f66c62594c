"""What is measured, with how many messages, and what the project has set itself."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Measure:
    """One row: its name in the programs' results, its unit, and by what a result is divided to get there."""

    key: str
    unit: str
    digits: int = 0
    divisor: float = 1
    is_better_high: bool = True
    # By peer: what ours divided by the peer's has to be, at least where high is better, at most where low is.
    targets: dict = field(default_factory=dict)
    least: float | None = None


@dataclass(frozen=True)
class Workload:
    # The name that the programs know, how many messages a run of each peer sends, and the size that they are given.
    kind: str
    counts: dict
    measures: list
    size: int = 0
    title: str = ""
    rounds: int | None = None
    # All processes of the run on one core.
    is_pinned: bool = False
    # What our programs know it by, where they do it in a way of their own.
    our_kind: str | None = None
    # Our programs and C's are linked without shared libraries.
    is_static: bool = False


@dataclass(frozen=True)
class Beside:
    """A measure of a peer, divided by ours of another workload."""

    workload: str
    words: str
    # What the ratio has to be, at least where high is better, at most where low is.
    limit: float | None = None
    peer: str = "ours"


def rate(**targets):
    return Measure("rate", "/s", targets={peer.replace("_", "-"): value for peer, value in targets.items()})


def counts(ours, c=None, node=None, advanced=None, python=None, **others):
    """Counts of the peers that take part; Deno does what Node does."""
    values = {"ours": ours, "c": c, "node": node, "node-advanced": advanced, "python": python, "deno": node}
    values.update({peer.replace("_", "-"): count for peer, count in others.items()})
    return {peer: count for peer, count in values.items() if count}


def trip(**targets):
    return [
        Measure("p50", "µs", 1, is_better_high=False, targets=targets),
        Measure("p99", "µs", 1, is_better_high=False),
    ]


def records(title, size, ours, c, node, advanced, python):
    return {
        f"records-{title}": Workload(
            "records", counts(ours, c, node, advanced, python), [rate(node=1)], size, f"records of {title}, typed"
        ),
        f"json-records-{title}": Workload("json-records", counts(ours), [rate()], size, f"records of {title}, JSON"),
    }


def paced(interval, count):
    """What the settings cost where messages come now and then."""
    measures = [Measure("cpu", "% of a core", 1, is_better_high=False)]
    return {
        f"paced-{interval}-{name}": Workload(
            "paced", counts(count), measures, interval, f"a round trip, then {interval} µs of sleep, {name}",
            our_kind="paced" if name == "balanced" else f"paced-{name}",
        )
        for name in ("balanced", "lowest", "efficient")
    }


def in_bytes(kind, title, size, targets, **by_peer):
    measure = Measure("rate", "MB/s", divisor=1e6 / size, targets=targets)
    return {f"{kind}-{title}": Workload(kind, counts(**by_peer), [measure], size, f"{kind} of {title}")}


def senders(count):
    """Threads of the parent that send to one child, each its share of the messages."""
    return {
        f"senders-{number}": Workload(
            "senders", counts(count), [rate()], number,
            "one sender, one child" if number == 1 else f"{number} senders, one child",
        )
        for number in (1, 2, 4, 8, 16)
    }


def sending(kind, title, size, ours, ours_node):
    """What sending costs in each dialect, whatever the receiver does meanwhile."""
    measure = Measure("cpu", "µs a message", 1, is_better_high=False)
    return {f"send-{kind}": Workload(
        f"send-{kind}", counts(ours, ours_node=ours_node), [measure], size, f"send {title}, the sender"
    )}


def start(title, is_static, targets, **by_peer):
    measure = Measure("p50", "ms", 2, 1000, is_better_high=False, targets=targets)
    return Workload("start", counts(**by_peer), [measure], title=title, is_static=is_static)


def idle(title, is_static, **by_peer):
    """So many children that what the parent needs for the first ones alone does not count."""
    measures = [
        Measure("child_pss", "KB", is_better_high=False, targets={"node": 0.1}),
        Measure("child_rss", "KB", is_better_high=False),
        Measure("parent_growth", "KB", 1, is_better_high=False, targets={"node": 0.1}),
    ]
    return Workload("idle", counts(**by_peer), measures, 100, title, rounds=3, is_static=is_static)


SMALL = counts(100_000, 100_000, 40_000, 40_000, 40_000, c_gathered=2_000_000, ours_node=40_000, node_ours=40_000)

WORKLOADS = {
    "round-trip": Workload(
        "round-trip", counts(6_000, 8_000, 6_000, 6_000, 6_000, ours_node=6_000, node_ours=6_000), trip(c=1.2, node=0.5)
    ),
    "round-trip-lowest": Workload(
        "round-trip", counts(6_000, 8_000, 6_000), trip(c=0.25), title="round-trip, lowest latency",
        our_kind="round-trip-lowest",
    ),
    "round-trip-efficient": Workload(
        "round-trip", counts(6_000, 8_000, 6_000), trip(), title="round-trip, efficient", our_kind="round-trip-efficient"
    ),
    "round-trip-async": Workload("round-trip-async", counts(6_000), trip(), title="round-trip, async on the loop"),
    "round-trip-async-hopping": Workload(
        "round-trip-async-hopping", counts(6_000), trip(), title="round-trip, async elsewhere"
    ),
    "round-trip-one-core": Workload(
        "round-trip", counts(6_000, 8_000, 6_000, 6_000, 6_000), trip(c=1.2, node=0.5), title="round-trip, one core",
        is_pinned=True,
    ),
    "round-trip-async-one-core": Workload(
        "round-trip-async", counts(6_000), trip(), title="round-trip, async on the loop, one core", is_pinned=True
    ),
    **paced(1000, 2_000),
    **paced(100, 5_000),
    "to-parent": Workload("to-parent", SMALL, [rate(node=2.5, python=2)]),
    "to-child": Workload("to-child", SMALL, [rate(node=2.5, python=2)]),
    **records("130 B", 1, 60_000, 200_000, 30_000, 20_000, 40_000),
    **records("1 KB", 8, 10_000, 100_000, 10_000, 7_000, 15_000),
    **records("10 KB", 80, 1_500, 50_000, 1_500, 1_000, 2_500),
    **records("140 KB", 1_080, 100, 5_000, 100, 70, 200),
    **in_bytes("string", "64 KB", 1 << 16, {"node": 3}, ours=1_500, c=10_000, node=600, advanced=1_500, python=3_000),
    **in_bytes("string", "1 MB", 1 << 20, {"node": 3}, ours=100, c=500, node=30, advanced=80, python=120),
    **in_bytes("bytes", "1 MB", 10**6, {"c": 0.8}, ours=500, c=1_000, advanced=150, python=200),
    **in_bytes("bytes", "64 MB", 64 * 10**6, {}, ours=6, c=8, advanced=3, python=3),
    "behind": Workload(
        "behind", counts(200),
        [Measure("p50", "ms", 2, 1000, is_better_high=False), Measure("p99", "ms", 2, 1000, is_better_high=False)],
        64 * 10**6, "a conversation's small message and its answer, behind 64 MB",
    ),
    **senders(200_000),
    **sending("string", "a string of 10 KB", 10_000, ours=5_000, ours_node=5_000),
    **sending("integers", "1,000 integers", 1_000, ours=5_000, ours_node=5_000),
    "handles": Workload("handles", counts(20_000, 40_000, 2_500, python=10_000), [rate(node=3)]),
    "start": start("fork to first reply", False, {"node": 0.2, "c": 3}, ours=40, c=100, node=6, python=8),
    "start-static": start(
        "fork to first reply, linked statically", True, {"node": 0.2, "c": 3}, ours=80, c=100, node=6
    ),
    "idle": idle("memory per idle child", False, ours=1, c=1, node=1, python=1),
    "idle-static": idle("memory per idle child, linked statically", True, ours=1, c=1, node=1),
    "alive": Workload(
        "alive", counts(30, 30, 30, python=30), [Measure("p50", "ms", 2, 1000, is_better_high=False)],
        size=500, title="children alive, all asked", rounds=1,
    ),
    "many-to-parent": Workload(
        "many-to-parent", counts(40_000, 60_000, 12_000, 10_000, 8_000),
        [rate(node=2), Measure("share", "% for the slowest", least=25)], size=8, title="eight children at once",
    ),
}
# By workload and measure: the rows that are beside one of ours, not beside that of a peer.
BESIDE = {
    ("round-trip-async", "p50"): Beside("round-trip", "handlers", 1.5),
    ("round-trip-async-one-core", "p50"): Beside("round-trip-one-core", "handlers", 1.5),
    ("senders-2", "rate"): Beside("senders-1", "one sender"),
    ("senders-4", "rate"): Beside("senders-1", "one sender"),
    ("senders-8", "rate"): Beside("senders-1", "one sender", 0.8),
    ("senders-16", "rate"): Beside("senders-1", "one sender"),
    ("send-string", "cpu"): Beside("send-string", "native", 1.5, "ours-node"),
    ("send-integers", "cpu"): Beside("send-integers", "native", 1.5, "ours-node"),
}
TITLES = {
    "ours": "ours", "c": "raw C", "c-gathered": "raw C, gathered", "node": "Node", "node-advanced": "Node, advanced",
    "python": "Python", "deno": "Deno", "ours-node": "our parent, Node child", "node-ours": "Node parent, our child",
}
COMPARED = ["c", "node", "node-advanced", "python", "deno"]


def title(name):
    return WORKLOADS[name].title or name
