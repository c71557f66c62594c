"""The page in docs/, and what was measured on."""

import os
import platform
import subprocess
from pathlib import Path

from . import peers, plot, shortfalls, tables

INTRODUCTION = """\
# Benchmarks

The same work done by this package, by Node.js `child_process.fork` (its default JSON serialization, and `advanced`),
by the same programs under Deno, by Python's `multiprocessing`, and by bare system calls in C, on one machine and in
one run. `make bench` makes this page and its plot anew. [Benchmarks/README.md](../Benchmarks/README.md) says what each
workload does and how fair it is.

How to read it: a cell is the median of all rounds, with the smallest and the largest in parentheses. A ratio is taken
in each round between two runs that follow each other closely, and summed up in the same way. Rates are better when
they are high, times and memory when they are low; a bar of the plot is longer to the right the better ours is. A
target holds where the median of the ratio meets it.

A round trip is mostly sleeping and waking. On more than one core ours looks for the answer for up to 50 µs before it
sleeps, at the cost of a busy core on each side; C, Node, Deno and Python sleep at once, and the kernel wakes them,
often on another core. The rows "one core" pin both sides, so that looking gains nothing and every program has to be
woken on the same core. Neither row alone says which program does less: the first is what idle cores give, the second
the work itself. [performance.md](performance.md) says what the settings for latency are.

What it is not: a statement about another machine, a loaded one, or a program that does something with its messages. The
peers take turns, so what disturbs one round disturbs all of them; single numbers still move by tens of percent from one
run to the next. C neither makes nor reads JSON: it is a bound, not a competitor. Node and Python do other things beside
these, and nothing here measures them.
"""


def write(folder, results, chosen, facts):
    comparison = tables.markdown(tables.comparison(results, chosen))
    parts = [
        INTRODUCTION,
        "\n".join(f"- {fact}" for fact in facts),
        "![How many times as good ours is](benchmarks.svg)",
        "## Ours beside each peer\n\n" + comparison,
        shortfalls.section(tables.fallen_short(results, chosen)),
        "## What was measured\n\n" + tables.markdown(tables.medians(results, chosen)),
    ]
    (folder / "benchmarks.md").write_text("\n\n".join(part.rstrip() for part in parts if part) + "\n")
    (folder / "benchmarks.svg").write_text(plot.draw(results, chosen))


def facts(chosen, rounds, children):
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    versions = [version("swift", "--version")]
    if "c" in chosen or "c-gathered" in chosen:
        versions.append(version(peers.c_compiler(), "--version"))
    if any("node" in peer for peer in chosen):
        versions.append(f"Node {version(peers.node(), '--version')}")
    if "python" in chosen:
        versions.append(f"Python {platform.python_version()}")
    if "deno" in chosen:
        versions.append(version(peers.deno(), "--version").partition(" (")[0].capitalize())
    else:
        versions.append("Deno was left out")
    return [
        f"{cpu_model()}, {os.cpu_count()} cores, {platform.system()} {kernel()}, load at the end {load}",
        "; ".join(versions),
        f"median (smallest – largest) of {rounds} rounds (memory: 3 at most, children alive: 1); {children} children alive",
    ]


def kernel():
    return platform.release().split("-")[0]


def cpu_model():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def version(*command):
    process = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return process.stdout.partition("\n")[0].strip()
