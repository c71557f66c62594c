"""The child that a parent under test starts: it hands its end of the channel to the tool, and ends when that says so.

    python3 child.py PATH

The clauses run in the tool, whose socket is at PATH. So this program is the same for every dialect, and knows none.
"""

import array
import json
import os
import socket
import sys

CHANNELS = ("SWIFT_FORK_CHANNEL_FD", "NODE_CHANNEL_FD")


def main():
    variables = {name: os.environ[name] for name in os.environ if name.startswith(("SWIFT_FORK_", "NODE_CHANNEL_"))}
    tool = socket.socket(socket.AF_UNIX)
    tool.connect(sys.argv[1])
    channel = next((os.environ[name] for name in CHANNELS if name in os.environ), "")
    fds = [int(channel)] if channel.isdecimal() and is_open(int(channel)) else []
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    tool.sendmsg([json.dumps(variables).encode() + b"\n"], rights)
    # The tool has the only copy now, so it alone decides when the stream ends.
    for fd in fds:
        os.close(fd)
    # Without an answer the tool is gone.
    answer = tool.makefile().readline()
    sys.exit(int(answer) if answer.strip() else 1)


def is_open(number):
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


main()
