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
                # What this side still has to say is written, its end too.
                channel.disconnect()
                return
            answer(channel, message)
        except swift_fork.MessageLost as error:
            # A conversation has been given up by that already.
            if not error.id:
                channel.send({"$error": error.name})
        except swift_fork.Refused as error:
            channel.send({"$error": error.name})
        except swift_fork.Disconnected:
            # What is on its way here is read all the same.
            pass
        except (swift_fork.ProtocolError, swift_fork.Aborted):
            # The other side has been told, or has told this one.
            return


def answer(channel, message):
    try:
        if isinstance(message, swift_fork.Ended):
            answer_end(channel, message)
        elif message.id in asked:
            take_answer(channel, message)
        elif message.id:
            echo_in_conversation(channel, message)
        elif message.bytes is not None:
            channel.send_bytes(message.bytes, message.fds)
        elif isinstance(message.value, dict) and message.value.get("$ask") in ANSWERS:
            ANSWERS[message.value["$ask"]](channel, message.value)
        else:
            channel.send(message.value, message.fds)
    finally:
        for fd in message.fds:
            os.close(fd)


def echo_in_conversation(channel, message):
    value = message.value if message.bytes is None else message.bytes
    try:
        channel.reply(message.id, value, message.more, message.fds)
    except swift_fork.Refused as error:
        channel.fail(message.id, error.name, "the echo is refused")


# Conversations that this side has opened.
asked = set()
ENDS = {"cancel": {"cancelled": True}, "disconnected": {"disconnected": True}}


def request(channel, question):
    asked.add(channel.open(question["value"], name="request"))


def take_answer(channel, message):
    asked.remove(message.id)
    if message.more:
        # One is enough.
        channel.cancel(message.id)
    channel.send({"answer": message.value})


def answer_end(channel, ended):
    if ended.id in asked:
        asked.remove(ended.id)
        channel.send(ENDS.get(ended.why, {"failure": ended.code}))
    elif ended.why == "end":
        channel.end(ended.id)


# What else it can be asked for.


def environment(channel, question):
    channel.send({"environment": os.environ.get(swift_fork.VARIABLE)})


def farewell(channel, question):
    for number in range(question["count"]):
        channel.send(number)
    channel.disconnect()
    sys.exit()


def disconnect(channel, question):
    channel.disconnect()


ANSWERS = {"environment": environment, "farewell": farewell, "disconnect": disconnect, "request": request}
main()
