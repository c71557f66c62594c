"""Clauses of the native dialect: frames, messages, descriptions, the credit of id 0, and pings."""

import json
import os
import struct

from native_program import (
    BYTES, CREDIT, HELLO, LARGEST, MESSAGE, MORE, MOST, PING, PONG, clause, decode, frame, frames_of, hello_body)
from running import NotApplicable, require

# 2, 3. Frames and messages


@clause("2", "bytes come back as they were sent")
def binary(context):
    bodies = [b"", b"\0", bytes(range(256)), b'"not JSON"', os.urandom(100_000), os.urandom(MOST)]
    with context.start() as program:
        for body in bodies:
            program.put(frame(BYTES, body))
            program.expect_bytes(body)
        program.expect_graceful_end()


@clause("3", "fragments of every size make a message, single bytes and an empty last one too")
def fragments(context):
    text = '["Grüße 🐢", {"a": [1, 2, 3]}]'.encode()
    with context.start() as program:
        for size in (1, 2, 7, len(text)):
            for at in range(0, len(text), size):
                program.put(frame(MESSAGE, text[at : at + size], MORE))
            program.put(frame(MESSAGE))
            program.expect_value(decode(text))
        data = os.urandom(5000)
        for at in range(len(data)):
            program.put(frame(BYTES, data[at : at + 1], MORE))
        program.put(frame(BYTES))
        program.expect_bytes(data)
        program.expect_graceful_end()


@clause("3", "control frames between fragments are read at once")
def control_between_fragments(context):
    with context.start() as program:
        program.wait_for_hello()
        program.put(frame(MESSAGE, b'["a', MORE))
        program.expect_ping()
        program.send(frame(CREDIT, struct.pack(">QQ", 0, 0)))
        program.send(frame(PONG, b"nobodies"))
        program.put(frame(MESSAGE, b'"]'))
        program.expect_value(["a"])
        program.expect_graceful_end()


@clause("3", "a message of 16 MB, as JSON and as bytes, in frames of three sizes")
def large(context):
    if context.limit < 17 << 20:
        raise NotApplicable(f"the limit is {context.limit}")
    text = json.dumps(["x" * 1_000_000, "🐢" * 3_750_000], ensure_ascii=False).encode()
    data = os.urandom(16 << 20)
    with context.start() as program:
        program.put_message(MESSAGE, text)
        program.expect_value(decode(text))
        for size in (MOST, 100_000, 9_999):
            program.put_message(BYTES, data, size=size)
            program.expect_bytes(data)
        program.expect_graceful_end()


@clause("4", "a message is as long as the limit, and not longer")
def limit(context):
    is_set = context.role == "child"
    if context.limit > 1 << 26 and not is_set:
        raise NotApplicable(f"the limit is {context.limit}")
    with context.start(message_limit="100000" if is_set else None) as program:
        limit = program.wait_for_hello()["limits"]["message"]
        data = os.urandom(limit)
        program.put_message(BYTES, data)
        program.expect_bytes(data)
        # Of the last frame the header alone is sent: it is enough.
        for whole in list(frames_of(BYTES, data + b"+", size=min(MOST, limit)))[:-1]:
            program.put(whole)
        program.wait_for_credit()
        program.send(frame(BYTES, b"+")[:16])
        return program.expect_protocol_error()


@clause("5", "a plain message may have a description")
def description(context):
    with context.start() as program:
        described = ({"name": "Job", "timeout": 5, "trace": {"a": "b"}, "more": [1]}, {}, {"name": "x" * 60_000})
        for number, description in enumerate(described):
            program.put_value(number, description=description)
            program.expect_value(number)
        program.expect_graceful_end()


# 7. Credit


@clause("7", "credit is granted as messages are taken: 8 MB in short messages, and in messages of a window each")
def taken(context):
    with context.start() as program:
        for number in range(8000):
            program.put_value([number, "x" * 1000])
        for number in range(8000):
            program.expect_value([number, "x" * 1000])
        for _ in range(20):
            program.put(frame(BYTES, bytes(MOST)))
        for _ in range(20):
            program.expect_bytes(bytes(MOST))
        program.expect_graceful_end()
        return f"{program.credits} credit frames"


@clause("7", "nothing is sent at the limit or above it, and the rest comes as it is raised")
def small_window(context):
    body = bytes(10_000)
    with context.start(window=MOST) as program:
        program.grants = False
        program.wait_for_hello()
        count = 100
        for _ in range(count):
            # A program that can't hold what it echoes grants no more at some point.
            program.put(frame(BYTES, body))
        fit = -(-MOST // (64 + len(body)))
        program.wait_for_frames(fit)
        program.stay_quiet()
        require(len(program.frames) == fit, f"{len(program.frames)} messages came, and {fit} were allowed")
        program.expect_ping()
        # One more begins below the limit, and then no other.
        program.grant(0, program.all[0].read + 1)
        program.wait_for_frames(fit + 1)
        program.grant(0, 5)
        program.grant(0, program.all[0].read)
        program.stay_quiet()
        require(len(program.frames) == fit + 1, f"{len(program.frames)} messages came for {fit + 1}")
        program.grant(0, LARGEST)
        for _ in range(count):
            program.expect_bytes(body)
        program.expect_graceful_end()


@clause("7", "a message longer than the window comes in the frames that the credit allows")
def long_echo(context):
    if context.limit < 1 << 20:
        raise NotApplicable(f"the limit is {context.limit}")
    data = os.urandom(1 << 20)
    with context.start(window=MOST) as program:
        program.put_message(BYTES, data)
        program.expect_bytes(data)
        program.expect_graceful_end()


@clause("7", "data at the limit is a mistake")
def over_credit(context):
    if context.window > 1 << 24:
        raise NotApplicable(f"the window is {context.window}")
    with context.start(window=MOST) as program:
        program.grants = False
        program.wait_for_hello()
        # Its echoes have no credit soon, so it takes nothing more, and grants nothing more.
        for _ in range(16 * context.window // 10_000):
            program.put(frame(BYTES, bytes(10_000)))
        program.stay_quiet(1)
        if not program.all[0].waiting:
            raise NotApplicable("it takes what it can't echo yet, and grants more")
        program.all[0].waiting.clear()
        program.frames.clear()
        program.send(frame(BYTES, b"too much"))
        return program.expect_protocol_error()


@clause("7", "a parent reads while it can't write", "parent")
def reads_while_it_writes(context):
    with context.start() as program:
        program.expect_works()
        program.is_deaf = True
        state = program.all[0]
        count = 0
        while state.sent < state.limit:
            program.put(frame(BYTES, bytes(4000)))
            count += 1
        # It goes beyond the limit as far as one frame can.
        program.wait_until_sent()
        program.is_deaf = False
        for _ in range(count):
            program.expect_bytes(bytes(4000))
        program.expect_graceful_end()


# 8. Ping


@clause("8", "a ping is answered by its eight bytes; of several at least the latest is")
def pings(context):
    with context.start() as program:
        program.wait_for_hello()
        for value in (bytes(8), b"\xff" * 8, b"12345678"):
            program.expect_ping(value)
        values = [struct.pack(">Q", number) for number in range(1000)]
        program.send(b"".join(frame(PING, value) for value in values))
        program.wait(lambda: values[-1] in program.pongs, "the last pong")
        program.stay_quiet(0.1)
        numbers = [struct.unpack(">Q", value)[0] for value in program.pongs]
        require(numbers == sorted(set(numbers)), "pongs came twice, or out of order")
        program.expect_works()
        program.expect_graceful_end()
        return f"{len(numbers)} of 1,000"


@clause("8", "a ping right after the hello is answered")
def early_ping(context):
    with context.start_with(frame(HELLO, hello_body()) + frame(PING, b"12345678")) as program:
        program.wait(lambda: program.pongs == [b"12345678"], "a pong")
        program.expect_graceful_end()
