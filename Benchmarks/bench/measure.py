"""Runs every workload with each peer in turn, round by round."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from . import peers
from .workloads import WORKLOADS

SECONDS_PER_RUN = 120
# A runtime that has just started may still be busy with itself.
SECONDS_UNTIL_IDLE = 0.3


def measure(names, chosen, rounds, share, children):
    """Results by workload, peer and measure: a list with one number a round, in the order of the rounds."""
    results = {name: {} for name in names}
    for number in range(rounds):
        for name in names:
            workload = WORKLOADS[name]
            if number >= (workload.rounds or rounds):
                continue
            size = children if name == "alive" else workload.size
            for peer in filter(workload.counts.__contains__, chosen):
                print(f"\rround {number + 1}: {name:<20} {peer:<14}", end="", file=sys.stderr, flush=True)
                count = max(round(workload.counts[peer] * share), 1)
                kind = workload.our_kind if peer == "ours" and workload.our_kind else workload.kind
                command = peers.command(peer, kind, count, size, workload.is_static)
                result = memory(command, size) if workload.kind == "idle" else run(command, name, peer)
                for key, value in result.items():
                    results[name].setdefault(peer, {}).setdefault(key, []).append(value)
    print("\r" + " " * 50 + "\r", end="", file=sys.stderr)
    return results


def run(command, name, peer):
    pin = pin_to_one_core if WORKLOADS[name].is_pinned else None
    try:
        process = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, timeout=SECONDS_PER_RUN, preexec_fn=pin,
            env=peers.environment(),
        )
    except subprocess.TimeoutExpired:
        sys.exit(f"\nbench.sh: {name} with {peer} has not ended within {SECONDS_PER_RUN} s")
    peers.require(process.returncode, f"{name} with {peer}")
    return json.loads(process.stdout)


def pin_to_one_core():
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def memory(command, size):
    """What an idle child is, in KB, and what the parent has grown by for each, from the second child on."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=peers.environment()
    )
    try:
        next_children(process)
        before = rollup(process.pid)["Rss"]
        process.stdin.write("\n")
        process.stdin.flush()
        children = [rollup(pid) for pid in next_children(process)]
        after = rollup(process.pid)["Rss"]
        process.communicate("\n", timeout=SECONDS_PER_RUN)
        peers.require(process.returncode, "idle")
    finally:
        if process.poll() is None:
            process.kill()
    mean = {key: sum(child[key] for child in children) / len(children) for key in ("Pss", "Rss")}
    return {"child_pss": mean["Pss"], "child_rss": mean["Rss"], "parent_growth": (after - before) / size}


def next_children(process):
    pids = json.loads(process.stdout.readline())
    time.sleep(SECONDS_UNTIL_IDLE)
    return pids


def rollup(pid):
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) for line in lines}
