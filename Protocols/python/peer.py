"""The program that ../conformance/README.md describes: it sends back what it is sent."""

import os
import sys

import swift_fork


def main():
    channel = swift_fork.connect()
    if channel is None:
        raise SystemExit("peer.py: there is no channel; start it with ../conformance/conformance.py")
    while True:
        try:
            message = channel.receive()
            if message is None:
                return
            echo(channel, message)
        except (swift_fork.MessageLost, swift_fork.Refused) as error:
            channel.send({"$error": error.name})
        except swift_fork.Disconnected:
            # What is on its way here is read all the same.
            pass
        except (swift_fork.ProtocolError, swift_fork.Aborted):
            # The other side has been told, or has told this one.
            return


def echo(channel, message):
    try:
        if message.bytes is not None:
            channel.send_bytes(message.bytes, message.fds)
        elif isinstance(message.value, dict) and message.value.get("$ask") in ANSWERS:
            ANSWERS[message.value["$ask"]](channel, message.value)
        else:
            channel.send(message.value, message.fds)
    finally:
        for fd in message.fds:
            os.close(fd)


def environment(channel, question):
    channel.send({"environment": os.environ.get(swift_fork.VARIABLE)})


def farewell(channel, question):
    for number in range(question["count"]):
        channel.send(number)
    sys.exit()


def disconnect(channel, question):
    channel.disconnect()


ANSWERS = {"environment": environment, "farewell": farewell, "disconnect": disconnect}
main()
