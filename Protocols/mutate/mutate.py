"""Puts faults into the peer in Python, one at a time, and looks whether its vectors and tests find each.

python3 Protocols/mutate/mutate.py [WORD...]

With words, only the faults are tried whose names have one of them. The exit code is 1 if a fault is not found, or no
longer applies. The faults are in faults.py.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from faults import GROUPS

PROTOCOLS = Path(__file__).resolve().parent.parent
PEER = "swift_fork.py"
# A fault that makes the peer wait for ever is found, too. Tests that wait give up earlier.
SECONDS = 120
TEST_SECONDS = 2


def main():
    words = sys.argv[1:]
    source = (PROTOCOLS / "python" / PEER).read_text(encoding="utf-8")
    start, count, bad = time.monotonic(), 0, []
    with tempfile.TemporaryDirectory() as folder:
        tests = copy(Path(folder))
        finder = find(tests, source, [], 20)
        if finder:
            sys.exit(f"A test fails without any fault: {finder}")
        for classes, faults in GROUPS:
            for name, old, new in faults:
                if not words or any(word in name for word in words):
                    count += 1
                    bad += [] if is_found(tests, source, classes, name, old, new) else [name]
    print(f"{count - len(bad)} of {count} faults were found, in {time.monotonic() - start:.0f} s")
    for name in bad:
        print(f"  not found: {name}")
    sys.exit(1 if bad else 0)


def copy(folder):
    """Makes a folder like Protocols, in which the peer can be changed. The folder with the tests in it."""
    for name in ("python", "vectors", "schemas"):
        shutil.copytree(PROTOCOLS / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROTOCOLS / "native-v1.md", folder)
    return folder / "python"


def is_found(tests, source, classes, name, old, new):
    count = source.count(old)
    if count != 1:
        print(f"DOES NOT APPLY  {name}: the text to replace is there {count} times", flush=True)
        return False
    finder = find(tests, source.replace(old, new), classes)
    print(f"{'found' if finder else 'NOT FOUND':<15} {name}" + (f": {finder}" if finder else ""), flush=True)
    return finder is not None


def find(tests, source, classes, seconds=TEST_SECONDS):
    """The test that finds what is wrong with a peer, or None. The classes are tried first, then all there are."""
    compile(source, PEER, "exec")
    (tests / PEER).write_text(source, encoding="utf-8")
    # What was compiled of the last fault might be taken for this one, which can be as long and as old.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "TEST_SECONDS": str(seconds)}
    for arguments in ([f"test_swift_fork.{each}" for each in classes], ["test_swift_fork"]):
        if not arguments:
            continue
        command = [sys.executable, "-m", "unittest", "--failfast", *arguments]
        try:
            result = subprocess.run(
                command, cwd=tests, env=environment, capture_output=True, text=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return "a test that never ends"
        if result.returncode != 0:
            return title(result.stderr)
    return None


def title(output):
    """The test that failed, in what unittest says."""
    lines = [line for line in output.splitlines() if line.startswith(("FAIL: ", "ERROR: "))]
    return lines[0].split(maxsplit=2)[1] if lines else "a test that was given up"


if __name__ == "__main__":
    main()
