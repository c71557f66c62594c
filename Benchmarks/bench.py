"""Builds the peers, runs every workload with each in turn for several rounds, and prints what they did."""

import argparse
import functools
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE / ".build"
SECONDS_PER_RUN = 120

# How many messages one run of each peer sends: about half a second's worth.
COUNTS = {
    "round-trip": {"ours": 10_000, "c": 20_000, "node": 10_000, "ours-node": 10_000, "node-ours": 10_000},
    "to-parent": {
        "ours": 150_000, "c": 150_000, "c-gathered": 5_000_000, "node": 50_000, "ours-node": 50_000, "node-ours": 50_000
    },
    "to-child": {
        "ours": 150_000, "c": 150_000, "c-gathered": 5_000_000, "node": 50_000, "ours-node": 50_000, "node-ours": 50_000
    },
    "handles": {"ours": 50_000, "c": 100_000, "node": 3_000},
}
MEASURES = {
    "round-trip": [("p50", "µs", 1), ("p99", "µs", 1), ("rate", "/s", 0)],
    "to-parent": [("rate", "/s", 0)],
    "to-child": [("rate", "/s", 0)],
    "handles": [("rate", "/s", 0)],
}
TITLES = {
    "ours": "ours", "c": "raw C", "c-gathered": "raw C, gathered", "node": "Node",
    "ours-node": "our parent, Node child", "node-ours": "Node parent, our child",
}


def main():
    options = parse_arguments()
    node = os.environ.get("NODE") or shutil.which("node")
    commands = {}
    for peer in options.peer or TITLES:
        if "node" in peer and not (node and shutil.which(node)):
            print(f"{TITLES[peer]} is left out: there is no node on the PATH, and $NODE does not name one.")
        elif peer == "node":
            commands[peer] = [node, HERE / "Peers/node/parent.js"]
        elif peer == "ours-node":
            commands[peer] = [build_ours()]
        elif peer == "node-ours":
            commands[peer] = [node, HERE / "Peers/node/parent.js"]
            build_ours()
        elif peer == "ours":
            commands[peer] = [build_ours()]
        else:
            commands[peer] = [build_c()]
    results = measure(options.workload or list(COUNTS), commands, options.rounds)
    print_facts(node if "node" in commands else None, options.rounds)
    print_table(results, list(commands))


def parse_arguments():
    parser = argparse.ArgumentParser(prog="bench.sh", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each peer runs each workload (default: 5)")
    parser.add_argument("--workload", action="append", choices=COUNTS, help="only this one; may be repeated")
    parser.add_argument("--peer", action="append", choices=TITLES, help="only this one; may be repeated")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("there must be one round at least")
    return options


# Building


@functools.cache
def build_ours():
    command = ["swift", "build", "--configuration", "release", "--package-path", HERE]
    static = command + ["--static-swift-stdlib"]
    if subprocess.run(static, stdout=sys.stderr).returncode != 0:
        print("The static build has failed; linking the Swift runtime dynamically.", file=sys.stderr)
        require(subprocess.run(command, stdout=sys.stderr), "swift build")
    return BUILD / "release/BenchParent"


def c_compiler():
    compiler = os.environ.get("CC") or next(filter(shutil.which, ["cc", "clang", "gcc"]), None)
    return compiler or sys.exit("bench.sh: there is no C compiler on the PATH; name one with $CC")


def build_c():
    BUILD.mkdir(exist_ok=True)
    program = BUILD / "c-bench"
    command = [c_compiler(), "-O2", "-Wall", "-Wextra", "-o", program, HERE / "Peers/c/bench.c"]
    require(subprocess.run(command), "the C compiler")
    return program


def require(process, name):
    if process.returncode != 0:
        sys.exit(f"bench.sh: {name} has failed")


# Measuring


def measure(workloads, commands, rounds):
    """Results by workload, peer and measure: a list with one number a round, in the order of the rounds."""
    results = {workload: {} for workload in workloads}
    for round_number in range(1, rounds + 1):
        for workload in workloads:
            for peer in filter(COUNTS[workload].__contains__, commands):
                print(f"\rround {round_number}: {workload:<12} {peer:<12}", end="", file=sys.stderr)
                for name, value in run(commands[peer], workload, peer).items():
                    results[workload].setdefault(peer, {}).setdefault(name, []).append(value)
    print("\r" + " " * 40 + "\r", end="", file=sys.stderr)
    return results


def run(command, workload, peer):
    last = {
        "c-gathered": ["gathered"], "ours-node": [HERE / "Peers/node/child.js"], "node-ours": [BUILD / "release/BenchChild"]
    }
    command = command + [workload, str(COUNTS[workload][peer])] + last.get(peer, [])
    try:
        process = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=SECONDS_PER_RUN)
    except subprocess.TimeoutExpired:
        sys.exit(f"\nbench.sh: {workload} with {peer} has not ended within {SECONDS_PER_RUN} s")
    require(process, f"{workload} with {peer}")
    return json.loads(process.stdout)


# Printing


def print_table(results, peers):
    # Beside what the kernel can do at most every ratio is nearly nothing.
    others = [peer for peer in peers if peer in ("c", "node")] if "ours" in peers else []
    rows = [["workload", ""] + [TITLES[peer] for peer in peers] + [f"ours / {TITLES[peer]}" for peer in others]]
    for workload, by_peer in results.items():
        for name, unit, digits in MEASURES[workload]:
            values = {peer: by_peer.get(peer, {}).get(name) for peer in peers}
            row = [workload, f"{name} {unit}"] + [spread(values[peer], digits) for peer in peers]
            for other in others:
                both = values["ours"] and values[other]
                row.append(spread([a / b for a, b in zip(values["ours"], values[other])] if both else None, 2))
            rows.append(row)
    widths = [max(map(len, column)) for column in zip(*rows)]
    for index, row in enumerate(rows):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |")
        if index == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")


def spread(values, digits):
    """The median, and the smallest and largest."""
    if not values:
        return "–"
    low, middle, high = (f"{value:,.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low} – {high})"


def print_facts(node, rounds):
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{cpu_model()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, load {load}")
    versions = [version("swift", "--version"), version(c_compiler(), "--version")]
    print("; ".join(versions + ([f"Node {version(node, '--version')}"] if node else [])))
    print(f"median (smallest – largest) of {rounds} rounds\n")


def cpu_model():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def version(*command):
    process = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return process.stdout.partition("\n")[0].strip()


main()
