"""A parent for the conformance tool in the native dialect, on ../../python/swift_fork.py; its role is in ../README.md.

    python3 native_parent.py PROGRAM [ARGUMENT...]
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))
import swift_fork  # noqa: E402


def main():
    with swift_fork.fork(sys.argv[1], sys.argv[2:]) as child:
        while serve(child.channel):
            pass
        child.channel.close()
        sys.exit(child.process.wait())


def serve(channel):
    """Answers one message. False at the end."""
    try:
        message = channel.receive()
        if message is None:
            # What this side still has to say is written, its end too.
            channel.disconnect()
            return False
        answer(channel, message)
    except swift_fork.MessageLost as error:
        # A conversation has failed by that already.
        if not error.id:
            channel.send({"$error": error.name})
    except swift_fork.Refused as error:
        channel.send({"$error": error.name})
    except swift_fork.Disconnected:
        # What is on its way here is read all the same.
        pass
    except (swift_fork.ProtocolError, swift_fork.Aborted):
        return False
    return True


def answer(channel, message):
    if isinstance(message, swift_fork.Ended):
        answer_end(channel, message)
        return
    value = message.value if message.bytes is None else message.bytes
    question = value.get("$ask") if isinstance(value, dict) else None
    try:
        if message.id in asked:
            asked.remove(message.id)
            if message.more:
                # Nobody waits for more than one.
                channel.cancel(message.id)
            channel.send({"answer": message.value})
        elif message.id:
            channel.reply(message.id, value, message.more, message.fds)
        elif question == "disconnect":
            channel.disconnect()
        elif question == "request":
            asked.add(channel.open(value["value"], "conformance"))
        elif message.bytes is not None:
            channel.send_bytes(value, message.fds)
        else:
            channel.send(value, message.fds)
    except swift_fork.Refused as error:
        if not message.id:
            raise
        channel.fail(message.id, error.name, "the echo is refused")
    finally:
        for fd in message.fds:
            os.close(fd)


def answer_end(channel, ended):
    if ended.id in asked:
        asked.remove(ended.id)
        ends = {"failure": {"failure": ended.code}, "cancel": {"cancelled": True}}
        channel.send(ends.get(ended.why, {"disconnected": True}))
    elif ended.why == "end":
        channel.end(ended.id)


# The conversations that this side has opened.
asked = set()
main()
