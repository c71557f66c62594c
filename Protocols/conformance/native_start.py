"""Clauses of the native dialect: the transport, the hello, and JSON, because all that follows relies on them."""

import json
import math
import os
import random
import struct

from native_program import (
    BYTES, FLOOR, HELLO, LARGEST, LIMIT, MESSAGE, MOST, VECTORS, clause, decode, frame, hello_body, same, shorten,
    vector_bytes)
from running import NotApplicable, close_all, require

# 1. Transport


@clause("1", "the number of the descriptor is taken from the variable", "child")
def number(context):
    with context.start(number=40) as program:
        program.expect_works()
        program.expect_graceful_end()


@clause("1", "the descriptor may be the standard input's", "child")
def standard_input(context):
    with context.start(number=0) as program:
        program.expect_works()
        program.expect_graceful_end()


@clause("1", "the variable is removed from the environment", "child")
def variable(context):
    with context.start() as program:
        program.ask("environment")
        program.expect_value({"environment": None})
        program.expect_graceful_end()


@clause("1", "the descriptor is close-on-exec", "child")
def close_on_exec(context):
    with context.start() as program:
        program.expect_works()
        if program.number not in program.descriptors():
            return "it has another number now"
        require(program.is_close_on_exec(program.number), "it is not")


@clause("1", "a child announces the limit that its parent sets, or less", "child")
def set_limit(context):
    with context.start() as program:
        usual = program.wait_for_hello()["limits"]["message"]
    announced = []
    for limit in (FLOOR, 100_000, LARGEST):
        with context.start(message_limit=str(limit)) as program:
            announced.append(program.wait_for_hello()["limits"]["message"])
            require(announced[-1] <= limit, f"it announced {announced[-1]}, and its parent said {limit}")
            program.expect_works()
    for value in ("65535", "9007199254740992", "-1", "100000x", "many", ""):
        with context.start(message_limit=value or " ") as program:
            limit = program.wait_for_hello()["limits"]["message"]
            require(limit == usual, f"it announced {limit} for the value {value!r}, and {usual} without one")
    return f"{usual} by itself, and {announced}"


@clause("1", "the variables name a channel, and a limit that may be one", "parent")
def variables(context):
    with context.start() as program:
        channel = program.variables.get("SWIFT_FORK_CHANNEL_FD", "")
        require(channel.isdecimal(), f"SWIFT_FORK_CHANNEL_FD is {channel!r}")
        limit = program.variables.get("SWIFT_FORK_MESSAGE_LIMIT")
        is_right = limit is None or (limit.isdecimal() and FLOOR <= int(limit) <= LARGEST)
        require(is_right, f"SWIFT_FORK_MESSAGE_LIMIT is {limit!r}")
        program.expect_works()
        return f"descriptor {channel}, limit {limit}"


@clause("1", "the end of the child's copies is the end of the stream, so the parent keeps none of them", "parent")
def no_copy_of_childs_end(context):
    with context.start() as program:
        program.expect_works()
        program.socket.close()
        program.exit_code(of_child=1)


@clause("1", "the child has no copy of the parent's end", "parent")
def no_copy_of_own_end(context):
    with context.start() as program:
        program.expect_works()
        program.process.kill()
        # The child runs on.
        program.wait_for_end()


@clause("1", "the parent ends with its child's exit code when both the child and the channel have ended", "parent")
def exit_code(context):
    with context.start() as program:
        program.expect_works()
        program.end()
        program.wait_for_end()
        status = program.exit_code(of_child=7)
        require(status == 7, f"it ended with {status}, and its child with 7")


# 4. Hello


@clause("4", "the hello comes first, and does not wait for the other side's")
def hello_first(context):
    with context.start(hello=False) as program:
        limits = program.wait_for_hello()["limits"]
        features = program.hello["features"]
        program.stay_quiet()
        require(program.received == program.offset and not program.frames, "more than the hello came")
        program.send(frame(HELLO, hello_body()))
        program.expect_works()
        program.expect_graceful_end()
        return f"features {features}, limits {limits}"


@clause("4", "messages that follow the hello at once are read")
def messages_with_hello(context):
    before = frame(HELLO, hello_body()) + b"".join(frame(MESSAGE, str(n).encode()) for n in range(100))
    with context.start_with(before) as program:
        for number in range(100):
            program.expect_value(number)
        program.expect_graceful_end()


@clause("4", "what the floors allow is read before the hello is answered: 65,536 bytes, 262,144 of credit")
def floors(context):
    body = os.urandom(FLOOR)
    before = frame(HELLO, hello_body()) + frame(BYTES, body) * 3
    with context.start_with(before) as program:
        for _ in range(3):
            program.expect_bytes(body)
        program.expect_graceful_end()


@clause("4", "the least hello is enough, and its floors are kept")
def least_hello(context):
    with context.start(limit=FLOOR, window=MOST, ids=0, features=()) as program:
        program.expect_works()
        program.put_message(BYTES, bytes(FLOOR))
        program.expect_bytes(bytes(FLOOR))
        program.expect_graceful_end()


@clause("4", "nothing is sent over the limit in this side's hello")
def limit_of_hello(context):
    with context.start(hello=False) as program:
        program.wait_for_hello()
        program.own_limit = FLOOR
        program.send(frame(HELLO, hello_body(FLOOR)))
        program.expect_works()
        program.put_message(BYTES, bytes(FLOOR + 1))
        program.expect_value({"$error": "messageTooLong"})
        program.expect_works()
        program.expect_graceful_end()


@clause("4", "what a side announces does not depend on the other's hello")
def independent(context):
    announced = []
    for limit, window, ids in ((FLOOR, MOST, 0), (LARGEST, LARGEST, LARGEST), (LIMIT, 1_000_000, 3)):
        with context.start(limit=limit, window=window, ids=ids) as program:
            announced.append(program.wait_for_hello()["limits"])
    require(announced[0] == announced[1] == announced[2], f"it announced {announced}")


# 12. JSON

TEXTS = [
    "null", "true", "false", '""', "[]", "{}", "0", "-1", "9007199254740991", "9007199254740992", "9007199254740993",
    "-9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "18446744073709551615",
    "9223372036854776000", "18446744073709552000", "-18446744073709552000", "-0", "-0.0", "0.0", "1.0", "0.1",
    "1e0", "1E+2", "1e-2", "5e-324", "2.2250738585072014e-308", "1.7976931348623157e308", "-1.7976931348623157E+308",
    "0.30000000000000004", "123456789.12345678", "9007199254740993.0", "1e21", "1e22", "4.35", "0e5", "-0e-5",
    '"\\u0000"', '"a\\u0000b"', '"\\ud83d\\udc22"', '"\\/\\b\\f\\n\\r\\t\\"\\\\"', '{"":{"":[]}}', '{"\\u0000":0}',
    '{"__proto__":{"a":1},"constructor":2,"toString":3,"hasOwnProperty":4}', '{"1":1,"b":2,"0":3,"a":4,"-1":5}',
    '{"\\u00e9":1,"e\\u0301":2}', " [ 1 , 2 ] ", "\t{\n\"a\"\r:\n1\t}\n", '[[[[[[]]]]]]', '{"$error":"mine"}',
    '{"$ask":"nothing of the kind"}', '{"cmd":"NODE_HANDLE"}', '"NaN"', '"\\ufeff"', '"\\uffff\\ufffe"',
]
STRINGS = [
    "Grüße 🐢", "\u2028\u2029", "\ufeff inside", "e\u0301 é \uac00 \u1100\u1161", "👨‍👩‍👧‍👦🏳️‍🌈",
    "\U0010ffff\U00010000\ud7ff\ue000\uffff", "\u202eright to left\u202c שלום", "\x7f\x80\x9f\xa0",
    "".join(map(chr, range(0x20, 0x250))), "".join(map(chr, range(0, 0x20))), "\"\\/'`<>&", "\u0300" * 200,
    "x" * 70_000, "🐢" * 20_000,
]


@clause("12", "every value comes back as it was sent")
def values(context):
    texts = [text.encode() for text in TEXTS]
    texts += [json.dumps(text, ensure_ascii=False).encode() for text in STRINGS]
    texts += [json.dumps({text: [text]}).encode() for text in STRINGS]
    texts += [b"[" * 512 + b"]" * 512, b'{"a":' * 511 + b"[]" + b"}" * 511]
    texts += [str(2**power + step).encode() for power in range(50, 64) for step in (-1, 0, 1)]
    numbers = random.Random(1)
    doubles = [struct.unpack(">d", numbers.randbytes(8))[0] for _ in range(500)]
    texts += [repr(double).encode() for double in doubles if math.isfinite(double)]
    wrong = []
    with context.start() as program:
        for text in texts:
            program.put_message(MESSAGE, text)
            message = program.next()
            close_all(message.fds)
            if message.kind != MESSAGE or message.fds or not same(decode(message.body), decode(text)):
                came = message.body.decode(errors="replace")
                wrong.append(f"{shorten(text.decode())} came back as {shorten(came)}")
        require(not wrong, f"{len(wrong)} of {len(texts)}: " + "; ".join(wrong[:10]))
        program.expect_graceful_end()
    return f"{len(texts)} values"


def add_payload_clause(vector):
    @clause("12", f"payload: {vector['name']}")
    def payload(context):
        text = vector_bytes(vector, "body")
        if len(text) > context.limit:
            raise NotApplicable("it is longer than the limit")
        with context.steady() as program:
            program.put_message(MESSAGE, text)
            program.expect_value({"$error": vector["error"]} if "error" in vector else decode(text))
            program.expect_works()


for vector in VECTORS["payloads"]:
    add_payload_clause(vector)
