"""A Python worker of a Swift parent, over the small peer in Protocols/python: it describes numbers and hashes bytes."""

import hashlib
import statistics
import sys
from pathlib import Path

# A project of its own copies that one file beside its worker.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "Protocols/python"))

import swift_fork

channel = swift_fork.connect()
for message in channel:
    if message.bytes is not None:
        channel.send({"sha256": hashlib.sha256(message.bytes).hexdigest()})
    else:
        numbers = message.value
        channel.send({"mean": statistics.mean(numbers), "median": statistics.median(numbers)})
