"""Which peers there are on this machine, how they are built, and how they are run."""

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

from .workloads import TITLES

HERE = Path(__file__).resolve().parent.parent
BUILD = HERE / ".build"
OURS = BUILD / "release"
BENCH_C_KINDS = ("round-trip", "to-parent", "to-child", "handles")


def available(wanted):
    """The peers that can be run, in the order of the table; says what is left out."""
    programs = {"node": node(), "python": sys.executable, "deno": shutil.which("deno")}
    peers = []
    for peer in wanted or TITLES:
        missing = [program for program in programs if program in peer and not programs[program]]
        if missing:
            print(f"{TITLES[peer]} is left out: there is no {missing[0]} on the PATH.")
            continue
        peers.append(peer)
        if "ours" in peer:
            build_ours()
        if peer in ("c", "c-gathered"):
            build_c()
    return peers


def command(peer, workload, count, size):
    """What runs the workload with the peer."""
    values = [workload, str(count), str(size)]
    parent = HERE / "Peers/node/parent.js"
    if peer in ("ours", "ours-node"):
        return [OURS / "BenchParent", *values] + ([HERE / "Peers/node/child.js"] if peer == "ours-node" else [])
    if peer in ("c", "c-gathered"):
        program = "bench" if workload in BENCH_C_KINDS else "floor"
        return [BUILD / f"c-{program}", *values] + (["gathered"] if peer == "c-gathered" else [])
    if peer == "python":
        return [sys.executable, HERE / "Peers/python/peer.py", *values]
    if peer == "deno":
        return ["deno", "run", "-A", parent, *values, "json"]
    serialization = "advanced" if peer == "node-advanced" else "json"
    return [node(), parent, *values, serialization] + ([OURS / "BenchChild"] if peer == "node-ours" else [])


@functools.cache
def node():
    return shutil.which(os.environ.get("NODE") or "node")


@functools.cache
def build_ours():
    # A stale plan would miss files that are new in the package below.
    build = ["swift", "build", "--disable-build-manifest-caching", "--configuration", "release", "--package-path", HERE]
    static = build + ["--static-swift-stdlib"]
    if subprocess.run(static, stdout=sys.stderr).returncode != 0:
        print("The static build has failed; linking the Swift runtime dynamically.", file=sys.stderr)
        require(subprocess.run(build, stdout=sys.stderr).returncode, "swift build")


@functools.cache
def build_c():
    BUILD.mkdir(exist_ok=True)
    for program in ("bench", "floor"):
        build = [c_compiler(), "-O2", "-Wall", "-Wextra", "-o", BUILD / f"c-{program}", HERE / f"Peers/c/{program}.c"]
        require(subprocess.run(build).returncode, "the C compiler")


def c_compiler():
    compiler = os.environ.get("CC") or next(filter(shutil.which, ["cc", "clang", "gcc"]), None)
    return compiler or sys.exit("bench.sh: there is no C compiler on the PATH; name one with $CC")


def require(status, name):
    if status != 0:
        sys.exit(f"\nbench.sh: {name} has failed")
