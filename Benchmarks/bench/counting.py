"""Counts what a message costs: instructions, allocations and system calls, which do not depend on who else uses the machine."""

import collections
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import peers

SECONDS_PER_RUN = 300
# What a run does once, such as starting, falls out of the difference between a short run and a long one.
SHORT, LONG = 1_000, 6_000
# The programs send a tenth of the messages before those that they are asked for.
MESSAGES_BETWEEN = (LONG - SHORT) * 1.1
# What instructions are spent on beside the messages: how many of them go into one read or write depends on the time.
TRANSFERS = ("recvmsg", "sendmsg")
ALLOCATORS = ("malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign")
SECONDS_IDLE = 2


def per_message(workload):
    """By side and counter, how much one message takes."""
    counts = {count: {**under_callgrind(workload, count), **under_strace(workload, count)} for count in (SHORT, LONG)}
    return {key: (counts[LONG][key] - counts[SHORT].get(key, 0)) / MESSAGES_BETWEEN for key in counts[LONG]}


def under_callgrind(workload, count):
    with tempfile.TemporaryDirectory() as folder:
        # Valgrind does not read the debugging information of a program as large as this.
        for program in ("BenchParent", "BenchChild"):
            run(["strip", "--strip-debug", "-o", f"{folder}/{program}", peers.OURS / program])
        profile = f"{folder}/profile"
        run([
            "valgrind", "--quiet", "--tool=callgrind", "--trace-children=yes", f"--callgrind-out-file={profile}.%p",
            f"{folder}/BenchParent", workload, str(count), "0",
        ], preexec_fn=stay_on_one_core)
        counts = collections.Counter()
        for path in Path(folder).glob("profile.*"):
            counts.update(read_profile(path.read_text()))
        return counts


def read_profile(text):
    side = "child" if "BenchChild" in re.search(r"^cmd: +(\S+)", text, re.M)[1] else "parent"
    names = dict(re.findall(r"^c?fn=(\(\d+\)) (.+)$", text, re.M))
    calls = collections.Counter()
    for callee, number in re.findall(r"^cfn=(\(\d+\)).*\n(?:cfi=.*\n|cob=.*\n)*calls=(\d+)", text, re.M):
        calls[names.get(callee, "").split("'")[0].split("@")[0]] += int(number)
    return {
        (side, "instructions"): int(re.search(r"^(?:summary|totals): (\d+)", text, re.M)[1]),
        (side, "allocations"): sum(calls[name] for name in ALLOCATORS),
        (side, "transfers"): sum(calls[name] for name in TRANSFERS),
    }


def under_strace(workload, count):
    with tempfile.TemporaryDirectory() as folder:
        trace = "trace=execve,clone,clone3,epoll_wait,epoll_ctl,recvmsg,sendmsg,write,read,futex"
        run(
            ["strace", "-ff", "--quiet=all", "-e", trace, "-e", "signal=none", "-o", f"{folder}/trace",
             peers.OURS / "BenchParent", workload, str(count), "0"],
            preexec_fn=stay_on_one_core,
        )
        # A file for each thread.
        texts = {path.suffix[1:]: path.read_text(errors="replace") for path in Path(folder).glob("trace.*")}
        counts = collections.Counter()
        for thread, text in texts.items():
            side = "child" if is_of_child(thread, texts) else "parent"
            calls = collections.Counter(re.findall(r"^(\w+)\(", text, re.M))
            counts.update({(side, call): number for call, number in calls.items()})
        return counts


def is_of_child(thread, texts):
    """Whether the thread, or the one that has started it, runs the child's program."""
    if re.search(r'^execve\("[^"]*BenchChild"', texts[thread], re.M):
        return True
    started = re.compile(rf"^clone3?\(.*\) = {thread}$", re.M)
    starter = next((other for other, text in texts.items() if started.search(text)), None)
    return starter is not None and is_of_child(starter, texts)


def idle():
    """Of a parent with eight idle children: its loops and the threads of a child, and how often they ran meanwhile."""
    process = subprocess.Popen(
        [peers.OURS / "BenchParent", "idle", "1", "8"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        json.loads(process.stdout.readline())
        process.stdin.write("\n")
        process.stdin.flush()
        children = json.loads(process.stdout.readline())
        time.sleep(1)
        before = idle_switches(process.pid, children)
        time.sleep(SECONDS_IDLE)
        after = idle_switches(process.pid, children)
        return {
            ("child", "threads"): max(len(threads) for threads in after["child"]),
            ("parent", "threads"): len(after["parent"][0]),
            **{(side, "wake-ups"): total(after[side]) - total(before[side]) for side in after},
        }
    finally:
        process.communicate("\n", timeout=30)


def idle_switches(parent, children):
    # The threads of the parent that are not loops are the language's own, and come and go.
    loops = {thread: count for thread, (name, count) in switches(parent).items() if name.startswith("fork-")}
    return {"parent": [loops], "child": [{t: count for t, (_, count) in switches(pid).items()} for pid in children]}


def switches(pid):
    """By thread: its name, and how often it has been taken off its core."""
    counts = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        text = (task / "status").read_text()
        count = sum(int(count) for count in re.findall(r"ctxt_switches:\s+(\d+)", text))
        counts[task.name] = ((task / "comm").read_text(), count)
    return counts


def total(processes):
    return sum(sum(threads.values()) for threads in processes)


def stay_on_one_core():
    """There the loops do not look for messages for a time that depends on the machine, but sleep until there are some."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def run(command, **options):
    tool = Path(command[0]).name
    if not shutil.which(command[0]):
        sys.exit(f"counters.sh: there is no {tool} on the PATH")
    process = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS_PER_RUN, **options)
    if process.returncode != 0:
        sys.exit(f"counters.sh: {tool} has failed with {process.returncode}:\n{process.stdout}")
