"""Puts faults into the peer in Python, one at a time, and looks whether its vectors and tests find each.

python3 Protocols/mutate/mutate.py [WORD...]

With words, only the faults are tried whose names have one of them. The exit code is 1 where a fault is not found, or
no longer applies.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from faults import FAULTS

PROTOCOLS = Path(__file__).resolve().parent.parent
PEER = "swift_fork.py"
# The cheapest first. Most faults are found by the vectors.
STAGES = [
    ("vectors", ["Vectors.test_a_stream_that_comes_at_once", "Vectors.test_a_payload_is_taken_or_refused_for_its_reason"]),
    ("tests without a socket", ["Reading", "Granting", "Writing", "JSON", "Schemas"]),
    ("tests", [""]),
]
# A fault that makes the peer wait for ever is found, too.
SECONDS = 60


def main():
    words = sys.argv[1:]
    faults = [fault for fault in FAULTS if not words or any(word in fault[0] for word in words)]
    source = (PROTOCOLS / "python" / PEER).read_text(encoding="utf-8")
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        tests = copy(Path(folder))
        if not find(tests, source, "") == "nobody":
            sys.exit("The tests fail without any fault.")
        bad = [name for name, old, new in faults if not try_fault(tests, source, name, old, new)]
    print(f"{len(faults) - len(bad)} of {len(faults)} faults were found, in {time.monotonic() - start:.0f} s")
    for name in bad:
        print(f"  not found: {name}")
    sys.exit(1 if bad else 0)


def copy(folder):
    """A folder like Protocols, in which the peer can be changed. The folder with the tests in it."""
    for name in ("python", "vectors", "schemas"):
        shutil.copytree(PROTOCOLS / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROTOCOLS / "native-v1.md", folder)
    return folder / "python"


def try_fault(tests, source, name, old, new):
    """Whether the fault applies and is found."""
    count = source.count(old)
    if count != 1:
        print(f"DOES NOT APPLY  {name}: the text to replace is there {count} times", flush=True)
        return False
    finder = find(tests, source.replace(old, new), name)
    print(f"{'NOT FOUND' if finder == 'nobody' else 'found':<15} {name} ({finder})", flush=True)
    return finder != "nobody"


def find(tests, source, name):
    """Who finds what is wrong with a peer."""
    (tests / PEER).write_text(source, encoding="utf-8")
    # What was compiled of the last fault might be taken for this one, which is as long and as old.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    for stage, classes in STAGES:
        arguments = [f"test_swift_fork.{each}".rstrip(".") for each in classes]
        command = [sys.executable, "-m", "unittest", "--failfast", *arguments]
        try:
            result = subprocess.run(command, cwd=tests, env=environment, capture_output=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return f"{stage}, by waiting"
        if result.returncode != 0:
            if b"SyntaxError" in result.stderr or b"ImportError" in result.stderr:
                sys.exit(f"{name} is no program any more:\n{result.stderr.decode()}")
            return stage
    return "nobody"


if __name__ == "__main__":
    main()
