"""Makes native-v1.json, the vectors of the native dialect. What its members mean is in README.md.

python3 Protocols/vectors/make.py

The framing here is its own, so that it shares no mistake with a peer. What a reader has to make of a stream is written
beside the stream by hand. Sections are those of ../native-v1.md.
"""

import json
import struct
from pathlib import Path

FILE = Path(__file__).resolve().parent / "native-v1.json"
KINDS = {
    "hello": 0x01, "abort": 0x02, "ping": 0x03, "pong": 0x04, "credit": 0x05, "cancel": 0x06, "end": 0x07,
    "message": 0x10, "bytes": 0x11, "failure": 0x12,
}
MORE, OPEN, META = 1, 2, 4
MOST = 262_144
FLOOR = 65_536
LARGEST = 2**53 - 1
COST, DESCRIPTOR_COST = 64, 4_096

streams = []
payloads = []


# How streams are written


class Times:
    """The same bytes again and again."""

    def __init__(self, data, count):
        self.data, self.count = as_bytes(data), count

    def __len__(self):
        return len(self.data) * self.count


def as_bytes(data):
    return data.encode() if isinstance(data, str) else data


def pieces_of(body):
    return [as_bytes(piece) if isinstance(piece, (str, bytes)) else piece
            for piece in (body if isinstance(body, list) else [body])]


def frame(kind, body=b"", id=0, flags=0, descriptors=0, length=None):
    """The pieces of a frame: its header, whose fields stand apart, and its body. A kind can be a number, too."""
    pieces = [piece for piece in pieces_of(body) if len(piece)]
    size = sum(map(len, pieces))
    header = struct.pack(
        ">IBBHQ", 12 + size if length is None else length, KINDS.get(kind, kind), flags, descriptors, id)
    fields = [header[:4], header[4:5], header[5:6], header[6:8], header[8:]]
    return [" ".join(field.hex() for field in fields), *pieces]


def header(kind, size, **fields):
    """A header alone, whose body has not come."""
    return frame(kind, length=12 + size, **fields)


def single_bytes(count):
    """So many fragments of a binary message, with one byte each, and more to follow."""
    return [Times(bytes.fromhex("".join(frame("bytes", length=13, flags=MORE))) + b"a", count)]


def numbers(*values):
    return b"".join(struct.pack(">Q", value) for value in values)


def meta(description, body=b""):
    description = as_bytes(description)
    return [struct.pack(">H", len(description)) + description, *pieces_of(body)]


def raw(digits):
    return [digits]


# How what becomes of them is written


def got(kind, body=None, id=0, **more):
    """A frame as a vector tells of it. Members that say nothing are left out."""
    result = {"kind": kind}
    if id:
        result["id"] = id
    if isinstance(body, str):
        result["body"] = body
    elif isinstance(body, bytes):
        result["bodyHex"] = body.hex()
    elif body is not None:
        result["bodyParts"] = parts_of(pieces_of(body))
    result.update({name: value for name, value in more.items() if value is not None})
    return result


def vector(name, stream, frames=(), error=None, at_end=None, **state):
    """`state` is the reader's: side, limit, window, ids, opened."""
    pieces = [piece for frame in stream for piece in frame]
    result = {"name": name, **state}
    if any(isinstance(piece, Times) for piece in pieces):
        result["parts"] = parts_of(pieces)
    else:
        result["hex"] = " ".join(digits_of(piece) for piece in pieces)
    result["frames"] = list(frames)
    result.update({key: value for key, value in (("error", error), ("atEnd", at_end)) if value})
    streams.append(result)


def parts_of(pieces):
    result = []
    for piece in pieces:
        if isinstance(piece, Times):
            result.append({"hex": piece.data.hex(), "repeat": piece.count})
        elif result and "repeat" not in result[-1]:
            result[-1]["hex"] += " " + digits_of(piece)
        else:
            result.append({"hex": digits_of(piece)})
    return result


def digits_of(piece):
    # Digits that are already written are strings.
    return piece if isinstance(piece, str) else piece.hex()


def after_hello(name, stream, frames=(), **more):
    vector(name, [frame("hello", HELLO), *stream], [got("hello", HELLO), *frames], **more)


def hello(**changes):
    """The text of a hello; a member that is None is left out."""
    members = {"version": {"major": 1, "minor": 0}, "features": [], "limits": LIMITS, **changes}
    return json.dumps({k: v for k, v in members.items() if v is not None}, separators=(",", ":"))


def limits(**changes):
    members = {**LIMITS, **changes}
    return {"limits": {name: value for name, value in members.items() if value is not None}}


LIMITS = {"message": 65536, "window": 262144, "ids": 256}
HELLO = hello()
NAMED = '{"name":"resize"}'
ASK = meta(NAMED, "1")
REASON = '{"code":"protocolViolation","message":"why"}'
# In most vectors of conversations the reader is a child, and the stream is its parent's.
CHILD = {"side": "child"}
# Here it is a parent with one conversation of its own, and the stream is the child's answer.
ASKED = {"side": "parent", "opened": 1}


def asked(id=1, **more):
    """What has been read of the frame that `ask` makes."""
    return got("message", "1", id, description={"name": "resize"}, **more)


def ask(id=1, flags=0, **more):
    return frame("message", ASK, id, META | flags, **more)


# 2. Frames


def frames():
    vector("nothing at all", [])
    after_hello("a hello alone", [])
    after_hello("a message", [frame("message", '"Hello"')], [got("message", '"Hello"')])
    after_hello(
        "two messages", [frame("message", "1"), frame("message", "[2]")], [got("message", "1"), got("message", "[2]")])
    after_hello(
        "a message of text beyond ASCII", [frame("message", '"Grüße 🐢"')], [got("message", '"Grüße 🐢"')])
    after_hello(
        "a message whose JSON is malformed is still a frame", [frame("message", '{"a":')], [got("message", '{"a":')])
    after_hello("a binary message", [frame("bytes", b"\0\xff\x10\0")], [got("bytes", b"\0\xff\x10\0")])
    after_hello("a binary message of no bytes", [frame("bytes")], [got("bytes", b"")])
    after_hello("a message of no bytes is a frame, and not JSON", [frame("message")], [got("message", "")])
    after_hello(
        "messages that look like a hello and an abort mean nothing",
        [frame("message", HELLO), frame("message", REASON)], [got("message", HELLO), got("message", REASON)])

    for length in (0, 4, 11):
        after_hello(f"the length {length}", [frame("message", length=length)], error="lengthTooSmall")
    after_hello("the length 11, told by four bytes", [raw("0000000b")], error="lengthTooSmall")
    vector("the length 11 as the first four bytes of the stream", [raw("0000000b")], error="lengthTooSmall")
    after_hello("the length 12 is a header alone", [frame("bytes", length=12)], [got("bytes", b"")])
    body = [Times("a", MOST)]
    after_hello("a body of 262,144 bytes, the most there may be", [frame("bytes", body)], [got("bytes", body)])
    after_hello("a length of 262,157, told by four bytes", [raw("0004000d")], error="frameTooLong")
    for digits in ("7fffffff", "80000000", "ffffffff"):
        after_hello(f"the length 0x{digits}, told by four bytes", [raw(digits)], error="frameTooLong")
    vector("a length far too long as the first four bytes of the stream", [raw("ffffffff")], error="frameTooLong")
    after_hello("a length of 262,157, whatever the limit", [raw("0004000d")], error="frameTooLong", limit=LARGEST)

    for kind in (0x00, 0x08, 0x0f, 0x13, 0x1f, 0x20, 0x7f, 0x80, 0xff):
        after_hello(f"the kind 0x{kind:02x}", [frame(kind, "{}")], error="unknownKind")
    vector("an unknown kind as the first frame", [frame(0x55)], error="unknownKind")
    for flags in (0x08, 0x10, 0x20, 0x40, 0x80, 0x88, 0xff):
        after_hello(f"the flags 0x{flags:02x}", [frame("message", "1", flags=flags)], error="unknownFlags")
    vector("unknown flags in a hello", [frame("hello", HELLO, flags=0x08)], error="unknownFlags")
    after_hello(
        "a bad frame after good ones", [frame("message", "1"), frame("bytes", b"\2"), frame(0x99)],
        [got("message", "1"), got("bytes", b"\2")], error="unknownKind")


# 3. Messages and frames


def messages():
    after_hello(
        "two fragments", [frame("message", '"Hel', flags=MORE), frame("message", 'lo"')], [got("message", '"Hello"')])
    after_hello(
        "three fragments, the last of them empty",
        [frame("message", '"Hel', flags=MORE), frame("message", 'lo"', flags=MORE), frame("message")],
        [got("message", '"Hello"')])
    after_hello(
        "fragments that cut a character in two",
        [frame("message", b'"\xc3', flags=MORE), frame("message", b'\xbc"')], [got("message", '"ü"')])
    after_hello(
        "fragments of a binary message, and a message after them",
        [frame("bytes", b"\1", flags=MORE), frame("bytes", b"\2"), frame("message", "0")],
        [got("bytes", b"\1\2"), got("message", "0")])
    for kind in ("message", "bytes"):
        after_hello(f"a first fragment of no bytes: {kind}", [header(kind, 0, flags=MORE)], error="emptyFragment")
    after_hello(
        "a fragment of no bytes between others", [frame("bytes", b"\1", flags=MORE), header("bytes", 0, flags=MORE)],
        error="emptyFragment")
    vector(
        "a failure's fragment of no bytes",
        [frame("hello", HELLO), ask(), header("failure", 0, id=1, flags=MORE)],
        [got("hello", HELLO), asked()], error="emptyFragment", **CHILD)
    body = [Times("a", 1000)]
    after_hello("a message in a thousand fragments", [single_bytes(999), frame("bytes", "a")], [got("bytes", body)])

    ping = frame("ping", numbers(7))
    after_hello(
        "a ping between two fragments", [frame("message", '"Hel', flags=MORE), ping, frame("message", 'lo"')],
        [got("ping", numbers(7)), got("message", '"Hello"')])
    after_hello(
        "credit of the same id between two fragments",
        [frame("bytes", b"\1", flags=MORE), frame("credit", numbers(300_000, 0)), frame("bytes", b"\2")],
        [got("credit", numbers(300_000, 0)), got("bytes", b"\1\2")])
    after_hello(
        "fragments of three ids in turns",
        [frame("message", "[1", flags=MORE), frame("bytes", meta(NAMED, b"\1"), 1, META | MORE), ask(3),
         frame("message", ",2]"), frame("bytes", b"\2", 1)],
        [asked(3), got("message", "[1,2]"), got("bytes", b"\1\2", 1, description={"name": "resize"})], **CHILD)

    begun = frame("message", '"a', flags=MORE)
    after_hello(
        "a binary message between the fragments of a message", [begun, header("bytes", 1)], error="interruptedMessage")
    after_hello(
        "a message between the fragments of a binary message",
        [frame("bytes", "a", flags=MORE), header("message", 1)], error="interruptedMessage")
    after_hello("an end between the fragments of a message", [begun, frame("end")], error="interruptedMessage")
    begun = frame("message", meta(NAMED, '"a'), 1, META | MORE)
    after_hello(
        "a failure between the fragments of a message of its id", [begun, header("failure", 2, id=1)],
        error="interruptedMessage", **CHILD)
    after_hello(
        "an end between the fragments of a message of its id", [begun, frame("end", id=1)],
        error="interruptedMessage", **CHILD)
    after_hello(
        "a message between the fragments of a failure",
        [ask(flags=OPEN), frame("failure", "{", 1, MORE), header("message", 1, id=1)], [asked(open=True)],
        error="interruptedMessage", **CHILD)

    after_hello(
        "a description in a fragment after the first",
        [frame("message", "1", flags=MORE), header("message", 20, flags=META)], error="flagsNotAllowed")
    after_hello(
        "a description in the first and in the second fragment",
        [frame("message", meta(NAMED, "1"), flags=META | MORE), header("message", 20, flags=META)],
        error="flagsNotAllowed")
    after_hello("OPEN on id 0", [header("message", 1, flags=OPEN)], error="flagsNotAllowed")
    after_hello("OPEN on id 0, with MORE", [header("bytes", 1, flags=OPEN | MORE)], error="flagsNotAllowed")
    after_hello(
        "OPEN with MORE", [header("message", 20, id=1, flags=META | OPEN | MORE)], error="flagsNotAllowed", **CHILD)
    after_hello(
        "OPEN in a failure", [ask(), header("failure", 2, id=1, flags=OPEN)], [asked()], error="flagsNotAllowed",
        **CHILD)
    after_hello(
        "OPEN in the last fragment alone",
        [frame("message", meta(NAMED, "[1"), 1, META | MORE), frame("message", ",2]", 1, OPEN)],
        [got("message", "[1,2]", 1, open=True, description={"name": "resize"})], **CHILD)

    for flags, name in ((MORE, "MORE"), (OPEN, "OPEN"), (META, "META")):
        vector(f"{name} in a hello", [header("hello", len(HELLO), flags=flags)], error="flagsNotAllowed")
        for kind, size in (("abort", 2), ("ping", 8), ("pong", 8), ("credit", 16), ("end", 0)):
            after_hello(f"{name} in a control frame: {kind}", [header(kind, size, flags=flags)],
                        error="flagsNotAllowed")
        after_hello(f"{name} in a control frame: cancel", [ask(), header("cancel", 0, id=1, flags=flags)], [asked()],
                    error="flagsNotAllowed", **CHILD)

    for kind, size in (("hello", 2), ("abort", 2), ("ping", 8), ("pong", 8)):
        name = f"an id in a control frame of the channel: {kind}"
        stream = [header(kind, size, id=1)]
        if kind == "hello":
            vector(name, stream, error="idNotAllowed")
        else:
            after_hello(name, [ask(), *stream], [asked()], error="idNotAllowed", **CHILD)
    after_hello("a cancel of id 0", [frame("cancel")], error="idNotAllowed")
    after_hello("a failure on id 0", [header("failure", 2)], error="idNotAllowed")
    for kind, sizes in (
        ("ping", (0, 7, 9)), ("pong", (0, 7, 9)), ("credit", (0, 8, 15, 17, 24)), ("end", (1,)),
    ):
        for size in sizes:
            after_hello(f"a body of {size}: {kind}", [header(kind, size)], error="wrongLength")
    after_hello("a body of 1: cancel", [ask(), header("cancel", 1, id=1)], [asked()], error="wrongLength", **CHILD)
    after_hello("a body of 1: end of a conversation", [ask(flags=OPEN), header("end", 1, id=1)], [asked(open=True)],
                error="wrongLength", **CHILD)

    for limit in (FLOOR, FLOOR + 1000):
        body = [Times("a", limit)]
        after_hello(f"a message as long as the limit of {limit:,}", [frame("bytes", body)], [got("bytes", body)],
                    limit=limit)
    after_hello(
        "two messages, each as long as the limit", [frame("bytes", [Times("a", FLOOR)]),
        frame("bytes", [Times("b", FLOOR)])], [got("bytes", [Times("a", FLOOR)]), got("bytes", [Times("b", FLOOR)])],
        limit=FLOOR)
    after_hello(
        "fragments that together are as long as the limit",
        [frame("bytes", [Times("a", 65_000)], flags=MORE), frame("bytes", [Times("a", 536)])],
        [got("bytes", [Times("a", FLOOR)])], limit=FLOOR)
    after_hello(
        "a message one byte over the limit, told by its header", [header("message", FLOOR + 1)],
        error="messageTooLong", limit=FLOOR)
    after_hello(
        "fragments that together are one byte over the limit, told by the header",
        [frame("bytes", [Times("a", 65_000)], flags=MORE), header("bytes", 537)], error="messageTooLong", limit=FLOOR)
    after_hello(
        "messages of two ids are not one over the limit",
        [frame("bytes", [Times("a", 65_000)], flags=MORE),
         frame("bytes", meta(NAMED, [Times("b", 65_000)]), 1, META | MORE), frame("bytes"), frame("bytes", id=1)],
        [got("bytes", [Times("a", 65_000)]),
         got("bytes", [Times("b", 65_000)], 1, description={"name": "resize"})], limit=FLOOR, **CHILD)
    after_hello(
        "a failure over the limit",
        [ask(), frame("failure", [Times(" ", 65_000)], 1, MORE), header("failure", 537, id=1)], [asked()],
        error="messageTooLong", limit=FLOOR, **CHILD)
    after_hello(
        "a frame as long as one may be, under the highest limit, cut off", [header("message", MOST)],
        at_end="truncated", limit=LARGEST)


# 4. Hello


def hellos():
    def good(name, text, **more):
        vector(name, [frame("hello", text)], [got("hello", text)], **more)

    def bad(name, text, error="badHello"):
        vector(name, [frame("hello", text)], error=error)

    for name, first in (
        ("a message", frame("message", "1")), ("a binary message", frame("bytes", "1")),
        ("an abort", frame("abort", "{}")), ("a ping", frame("ping", numbers(1))), ("an end", frame("end")),
        ("credit", frame("credit", numbers(1, 1))), ("a conversation", ask()),
    ):
        vector(f"before the hello: {name}", [first], error="noHello")
    after_hello("a second hello, told by its header", [header("hello", len(HELLO))], error="repeatedHello")
    after_hello(
        "a second hello between fragments", [frame("message", '"a', flags=MORE), frame("hello", HELLO)],
        error="repeatedHello")

    good("a hello with a newer minor version and a feature that nobody knows",
         hello(version={"major": 1, "minor": 9}, features=["unheardOf", "handles"]))
    good("a hello with the highest minor version", hello(version={"major": 1, "minor": LARGEST}))
    good("a hello with members that nobody knows",
         hello(version={"major": 1, "minor": 0, "patch": 7}, more=[1], **limits(other="x")))
    good("a hello in another order and with white space",
         '\n{ "limits": {"window": 262144, "message": 65536}, "features": [], '
         '"version": {"minor": 0, "major": 1} }\n')
    good("a hello without ids", hello(**limits(ids=None)))
    good("a hello with no ids", hello(**limits(ids=0)))
    good("a hello with the highest limits", hello(**limits(message=LARGEST, window=LARGEST, ids=LARGEST)))
    good("a hello whose integers have a fraction of zero",
         '{"version":{"major":1.0,"minor":0.0},"features":[],"limits":{"message":65536.0,"window":262144.0,'
         '"ids":256.0}}')
    text = [hello(padding="")[:-2], Times(".", MOST - len(hello(padding=""))), '"}']
    good("a hello of 262,144 bytes, the most there may be", text)

    bad("a hello of no bytes", "")
    bad("a hello that is not JSON", "hello")
    bad("a hello that is not UTF-8", hello(features=["?"]).encode().replace(b"?", b"\xff"))
    bad("a hello that is an array", "[1,0]")
    bad("a hello with the same key twice", hello()[:-1] + ',"features":[]}')
    bad("a hello with the same key twice where nobody looks", hello()[:-1] + ',"more":{"a":1,"a":1}}')
    bad("a hello with half a surrogate pair", hello(features=["?"]).replace("?", "\\ud800"))
    bad("a hello that is too deep", hello()[:-1] + ',"more":' + "[" * 512 + "]" * 512 + "}")
    bad("a hello with a number out of range where nobody looks", hello()[:-1] + ',"more":1e999}')
    bad("a hello with something after it", hello() + "1")
    bad("a hello without a version", hello(version=None))
    bad("a hello without features", hello(features=None))
    bad("a hello without limits", hello(limits=None))
    bad("a hello whose version is an array", hello(version=[1, 0]))
    bad("a hello whose limits are an array", hello(limits=[65536, 262144]))
    bad("a hello whose features are an object", hello(features={"handles": True}))
    bad("a hello with a feature that is no string", hello(features=["handles", 1]))
    bad("a hello with a feature that is null", hello(features=[None]))
    for member, values in {
        "major": ['"1"', "1.5", "-1", "null", "true", "9007199254740992", "18446744073709551615", "1e300"],
        "minor": ['"0"', "0.5", "-1", "null", "false", "9007199254740992", "18446744073709551615", "1e300"],
    }.items():
        version = {"major": "1", "minor": "0"}
        for value in values:
            text = "{" + ",".join(f'"{k}":{v}' for k, v in {**version, member: value}.items()) + "}"
            bad(f"a hello whose {member} version is {value}", hello(version=0).replace(":0,", f":{text},"))
    bad("a hello without a major version", hello(version={"minor": 0}))
    bad("a hello without a minor version", hello(version={"major": 1}))
    for member, values in {
        "message": ["65535", "65536.5", "-1", "0", '"65536"', "null", "9007199254740992", "1e300", "true"],
        "window": ["262143", "262144.5", "-1", "0", '"262144"', "null", "9007199254740992", "1e300", "true"],
        "ids": ["-1", "0.5", '"256"', "null", "9007199254740992", "1e300", "true"],
    }.items():
        for value in values:
            bad(f"a hello whose limits.{member} is {value}",
                hello(**limits(**{member: "?"})).replace('"?"', value))
    bad("a hello without limits.message", hello(**limits(message=None)))
    bad("a hello without limits.window", hello(**limits(window=None)))

    other = "unsupportedVersion"
    bad("a hello of another major version", hello(version={"major": 2, "minor": 0}), other)
    bad("a hello of another major version whose other members have changed",
        '{"version":{"major":2,"minor":3},"features":{"a":true}}', other)
    bad("a hello of the major version 0", hello(version={"major": 0, "minor": 0}), other)
    bad("a hello of the highest major version", hello(version={"major": LARGEST, "minor": 0}), other)
    bad("a hello of the major version 2.0", hello(version=0).replace(":0,", ':{"major":2.0,"minor":1.0},'), other)
    bad("a hello of the major version 2 without a minor version", hello(version={"major": 2}))
    bad("a hello of the major version 2 with the minor version -1", hello(version={"major": 2, "minor": -1}))
    bad("a hello of the major version 2 with the minor version \"0\"", hello(version={"major": 2, "minor": "0"}))
    bad("a hello of the major version 2 that is not JSON", hello(version={"major": 2, "minor": 0}) + "}")


# 5. Descriptions


def descriptions():
    def good(name, text, description, **more):
        after_hello(name, [frame("message", meta(text, "1"), flags=META)],
                    [got("message", "1", description=description)], **more)

    def bad(name, body):
        after_hello(f"a description {name}", [frame("message", body, flags=META)], error="badMeta")

    good("a name", NAMED, {"name": "resize"})
    good("a name of no characters", '{"name":""}', {"name": ""})
    good("a timeout", '{"timeout":1500}', {"timeout": 1500})
    good("a timeout of 0", '{"timeout":0}', {"timeout": 0})
    good("the longest timeout", '{"timeout":9007199254740991}', {"timeout": LARGEST})
    good("a timeout with a fraction of zero", '{"timeout":5.0}', {"timeout": 5})
    good("a trace", '{"trace":{"traceparent":"00-1-2-01","b":""}}', {"trace": {"traceparent": "00-1-2-01", "b": ""}})
    good("a trace of nothing", '{"trace":{}}', {"trace": {}})
    good("all that a description knows, and white space",
         ' { "trace" : {"a":"b"} , "timeout" : 1, "name" : "Grüße" } ',
         {"name": "Grüße", "timeout": 1, "trace": {"a": "b"}})
    good("a description of nothing", "{}", {})
    good("a description with members that nobody knows", '{"names":1,"x":{"name":2}}', {})
    after_hello("a description of a binary message", [frame("bytes", meta(NAMED, b"\0"), flags=META)],
                [got("bytes", b"\0", description={"name": "resize"})])
    after_hello("a description of a message of no bytes", [frame("bytes", meta(NAMED), flags=META)],
                [got("bytes", b"", description={"name": "resize"})])
    after_hello(
        "a description that fills its frame, and the message in the next one",
        [frame("message", meta(NAMED), flags=META | MORE), frame("message", "1")],
        [got("message", "1", description={"name": "resize"})])
    padding = 65_535 - len('{"name":"resize","x":""}')
    after_hello(
        "a description of 65,535 bytes, the most there may be",
        [frame("message", [b'\xff\xff{"name":"resize","x":"', Times("n", padding), '"}1'], flags=META)],
        [got("message", "1", description={"name": "resize"})])
    after_hello(
        "a description does not count in the message's length",
        [frame("bytes", meta(NAMED, [Times("a", FLOOR)]), flags=META)],
        [got("bytes", [Times("a", FLOOR)], description={"name": "resize"})], limit=FLOOR)
    after_hello(
        "a message with a description, one byte over the limit",
        [frame("bytes", meta(NAMED, [Times("a", FLOOR + 1)]), flags=META)], error="messageTooLong", limit=FLOOR)
    after_hello(
        "a message over the limit is told of when its description has come",
        [header("bytes", MOST, flags=META)], at_end="truncated", limit=FLOOR)
    after_hello(
        "a description in a first fragment does not count in the length of both",
        [frame("bytes", meta(NAMED, [Times("a", 65_000)]), flags=META | MORE), frame("bytes", [Times("a", 536)])],
        [got("bytes", [Times("a", FLOOR)], description={"name": "resize"})], limit=FLOOR)
    after_hello(
        "a description in a first fragment, and one byte over the limit in the second",
        [frame("bytes", meta(NAMED, [Times("a", 65_000)]), flags=META | MORE), header("bytes", 537)],
        error="messageTooLong", limit=FLOOR)

    bad("in a body of no bytes", b"")
    bad("in a body of one byte", b"\0")
    bad("of no bytes", meta(""))
    bad("of no bytes, and a message", meta("", "{}"))
    bad("one byte longer than its frame", b"\0\x12" + NAMED.encode())
    bad("far longer than its frame", b"\xff\xff" + NAMED.encode())
    after_hello("a description cut in two by fragments",
                [frame("message", b'\0\x11{"name":', flags=META | MORE), frame("message", '"resize"}1')],
                error="badMeta")
    for name, text in (
        ("that is not JSON", "{name}"), ("that is an array", "[]"), ("that is a string", '"resize"'),
        ("that is null", "null"), ("that is cut off", '{"name":"r"'), ("with the same key twice", '{"x":1,"x":1}'),
        ("with half a surrogate pair", '{"name":"\\ud800"}'), ("with a number out of range", '{"x":1e999}'),
        ("with something after it", "{}1"), ("that is not UTF-8", b'{"name":"\xff"}'),
        ("with a byte order mark", b"\xef\xbb\xbf{}"), ("that is too deep", '{"x":' + "[" * 512 + "]" * 512 + "}"),
        ("whose name is a number", '{"name":1}'), ("whose name is null", '{"name":null}'),
        ("whose timeout is negative", '{"timeout":-1}'), ("whose timeout has a fraction", '{"timeout":1.5}'),
        ("whose timeout is a string", '{"timeout":"1"}'), ("whose timeout is true", '{"timeout":true}'),
        ("whose timeout is null", '{"timeout":null}'), ("whose timeout is too long", '{"timeout":9007199254740992}'),
        ("whose trace is an array", '{"trace":["a"]}'), ("whose trace is null", '{"trace":null}'),
        ("whose trace has a number", '{"trace":{"a":"b","c":1}}'), ("whose trace has null", '{"trace":{"a":null}}'),
    ):
        bad(name, meta(text, "1"))


# 6. Ids


def ids():
    for side, first in (("child", 1), ("parent", 2)):
        def both(name, stream, frames=(), **more):
            after_hello(f"{name}, read by the {side}", stream, frames, side=side, **more)

        second, own = first + 2, 3 - first
        both("a conversation", [ask(first)], [asked(first)])
        both("two conversations", [ask(first), ask(second)], [asked(first), asked(second)])
        both("a conversation opened by bytes", [frame("bytes", meta(NAMED, b"\0"), first, META)],
             [got("bytes", b"\0", first, description={"name": "resize"})])
        both("a conversation opened with a description that says nothing", [frame("message", meta("{}", "1"), first,
             META)], [got("message", "1", first, description={})])
        both("the second id before the first", [header("message", 20, id=second, flags=META)], error="idNotOpened")
        both("the third id after the first", [ask(first), header("message", 20, id=second + 2, flags=META)],
             [asked(first)], error="idNotOpened")
        both("data with an id of the reader's own that it has not opened",
             [header("message", 20, id=own, flags=META)], error="idNotOpened")
        both("data with the reader's second id, and it has opened one", [header("message", 1, id=own + 2)],
             error="idNotOpened", opened=1)
        both("data with an id of the reader's own that it has not opened, below the sender's",
             [ask(first), ask(second), header("message", 1, id=own)], [asked(first), asked(second)],
             error="idNotOpened")
        for kind, size in (("credit", 16), ("cancel", 0), ("end", 0)):
            both(f"a control frame of the sender's next id, below the reader's: {kind}",
                 [header(kind, size, id=first)], error="idNotOpened", opened=2)
            both(f"a control frame of the sender's next id: {kind}", [header(kind, size, id=first)],
                 error="idNotOpened")
            both(f"a control frame of the reader's next id: {kind}", [header(kind, size, id=own + 2)],
                 error="idNotOpened", opened=1)
        both("an id where none was allowed", [header("message", 20, id=first, flags=META)], error="tooManyIds", ids=0)
        both("as many ids as were allowed", [ask(first), ask(second)], [asked(first), asked(second)], ids=2)
        both("one id more than were allowed", [ask(first), ask(second), header("message", 20, id=second + 2,
             flags=META)], [asked(first), asked(second)], error="tooManyIds", ids=2)
        both("an id that has ended does not make room by itself",
             [ask(first), frame("cancel", id=first), header("message", 20, id=second, flags=META)],
             [asked(first), got("cancel", id=first)], error="tooManyIds", ids=1)
        both("a conversation opened without a description", [header("message", 1, id=first)],
             error="openedWithoutMeta")
        both("an answer", [frame("message", "true", own)], [got("message", "true", own)], opened=1)
        both("two answers, the second first", [frame("message", "2", own + 2), frame("bytes", b"\1", own)],
             [got("message", "2", own + 2), got("bytes", b"\1", own)], opened=2)
        both("a late frame", [frame("message", "1", own), frame("message", "2", own), frame("message", "3")],
             [got("message", "1", own), got("message", "3")], opened=1)

    after_hello("the highest id there is", [header("message", 20, id=2**64 - 1, flags=META)], error="idNotOpened",
                **CHILD)
    after_hello("the highest even id", [header("message", 20, id=2**64 - 2, flags=META)], error="idNotOpened", **CHILD)
    after_hello("an id whose lower half is 0", [header("message", 1, id=2**32)], error="idNotOpened", **CHILD)
    after_hello("an id whose lower half is the first one", [header("message", 20, id=2**32 + 1, flags=META)],
                error="idNotOpened", **CHILD)
    after_hello("a conversation opened by a failure", [header("failure", 20, id=1, flags=META)],
                error="openedWithoutMeta", **CHILD)
    after_hello("a conversation opened by a failure without a description", [header("failure", 2, id=1)],
                error="openedWithoutMeta", **CHILD)
    after_hello(
        "a conversation opened by two fragments",
        [frame("message", meta(NAMED, "[1"), 1, META | MORE), frame("message", ",2]", 1)],
        [got("message", "[1,2]", 1, description={"name": "resize"})], **CHILD)

    more, last = frame("message", "2", 1, OPEN), frame("message", "3", 1)
    opened = asked(open=True)
    after_hello(
        "a conversation of three messages", [ask(flags=OPEN), more, last],
        [opened, got("message", "2", 1, open=True), got("message", "3", 1)], **CHILD)
    after_hello(
        "a later message of a conversation may have a description",
        [ask(flags=OPEN), frame("message", meta('{"name":"b"}', "2"), 1, META)],
        [opened, got("message", "2", 1, description={"name": "b"})], **CHILD)
    after_hello("a message and a binary message in one conversation", [ask(flags=OPEN), frame("bytes", b"\2", 1)],
                [opened, got("bytes", b"\2", 1)], **CHILD)
    after_hello("data after the last message", [ask(), header("message", 1, id=1)], [asked()], error="afterEnd",
                **CHILD)
    after_hello("data after the last of two fragments",
                [frame("bytes", meta(NAMED, b"\1"), 1, META | MORE), frame("bytes", b"\2", 1),
                 header("bytes", 1, id=1)],
                [got("bytes", b"\1\2", 1, description={"name": "resize"})], error="afterEnd", **CHILD)
    after_hello("an end in place of a last message", [ask(flags=OPEN), frame("end", id=1)],
                [opened, got("end", id=1)], **CHILD)
    after_hello("data after the end of a conversation",
                [ask(flags=OPEN), frame("end", id=1), header("message", 1, id=1, flags=OPEN)],
                [opened, got("end", id=1)], error="afterEnd", **CHILD)
    after_hello("a second end", [ask(flags=OPEN), frame("end", id=1), frame("end", id=1)], [opened, got("end", id=1)],
                error="afterEnd", **CHILD)
    after_hello("an end after the last message", [ask(), frame("end", id=1)], [asked()], error="afterEnd", **CHILD)
    after_hello("the end of one conversation is not that of another",
                [ask(), ask(3, flags=OPEN), frame("message", "2", 3)],
                [asked(), asked(3, open=True), got("message", "2", 3)], **CHILD)
    after_hello("credit after the last message", [ask(), frame("credit", numbers(300_000, 0), 1)],
                [asked(), got("credit", numbers(300_000, 0), 1)], **CHILD)
    after_hello("an answer of two messages", [frame("message", "1", 1, OPEN), frame("message", "2", 1)],
                [got("message", "1", 1, open=True), got("message", "2", 1)], **ASKED)
    after_hello("an end in place of an answer", [frame("end", id=1)], [got("end", id=1)], **ASKED)

    after_hello("an answer and an end, and what comes then is late",
                [frame("message", "1", 1, OPEN), frame("end", id=1), frame("message", "2", 1)],
                [got("message", "1", 1, open=True), got("end", id=1)], **ASKED)
    after_hello("an end in place of an answer, and what comes then is late", [frame("end", id=1), frame("end", id=1)],
                [got("end", id=1)], **ASKED)

    # Failures

    failure = '{"code":"x","message":"y","more":[1]}'
    read = got("failure", failure, 1, reason={"code": "x", "message": "y"})
    after_hello("a failure in place of an answer", [frame("failure", failure, 1)], [read], **ASKED)
    after_hello("a failure after messages", [frame("message", "1", 1, OPEN), frame("failure", failure, 1)],
                [got("message", "1", 1, open=True), read], **ASKED)
    after_hello("a failure after the sender's last message", [ask(), frame("failure", failure, 1)], [asked(), read],
                **CHILD)
    after_hello("a failure after the sender's end",
                [ask(flags=OPEN), frame("end", id=1), frame("failure", failure, 1)],
                [opened, got("end", id=1), read], **CHILD)
    after_hello("a failure in two fragments",
                [frame("failure", failure[:9], 1, MORE), frame("ping", numbers(1)), frame("failure", failure[9:], 1)],
                [got("ping", numbers(1)), read], **ASKED)
    after_hello("a failure with a description", [frame("failure", meta(NAMED, failure), 1, META)],
                [got("failure", failure, 1, description={"name": "resize"},
                     reason={"code": "x", "message": "y"})], **ASKED)
    after_hello("a failure with a code of no characters", [frame("failure", '{"code":"","message":""}', 1)],
                [got("failure", '{"code":"","message":""}', 1, reason={"code": "", "message": ""})], **ASKED)
    for name, body in (
        ("of no bytes", ""), ("that is not JSON", "why"), ("that is an array", "[]"),
        ("without a code", '{"message":"y"}'), ("without a message", '{"code":"x"}'),
        ("whose code is a number", '{"code":1,"message":"y"}'),
        ("whose message is null", '{"code":"x","message":null}'),
        ("with the same key twice", '{"code":"x","message":"y","code":"x"}'),
    ):
        after_hello(f"a failure {name}", [frame("failure", body, 1)], [got("failure", body, 1)], **ASKED)
    after_hello("a failure that is not UTF-8", [frame("failure", b'{"code":"\xff","message":""}', 1)],
                [got("failure", b'{"code":"\xff","message":""}', 1)], **ASKED)
    after_hello("what comes after a failure that follows a last message is late",
                [ask(), frame("failure", failure, 1), frame("message", "1", 1), frame("end", id=1)], [asked(), read],
                **CHILD)
    after_hello("what comes after a failure is late",
                [frame("failure", failure, 1), frame("message", "1", 1), frame("failure", failure, 1),
                 frame("end", id=1), frame("cancel", id=1)], [read], **ASKED)

    # Cancels

    cancelled = got("cancel", id=1)
    after_hello("a cancel", [ask(flags=OPEN), frame("cancel", id=1)], [opened, cancelled], **CHILD)
    after_hello("a cancel after the last message", [ask(), frame("cancel", id=1)], [asked(), cancelled], **CHILD)
    after_hello("a cancel in place of an answer", [frame("cancel", id=1)], [cancelled], **ASKED)
    after_hello("a cancel after the sender's end", [ask(flags=OPEN), frame("end", id=1), frame("cancel", id=1)],
                [opened, got("end", id=1), cancelled], **CHILD)
    after_hello("a cancel between fragments takes the message with it, and the rest is late",
                [frame("message", meta(NAMED, "[1"), 1, META | MORE), frame("cancel", id=1),
                 frame("message", ",2]", 1), frame("message", "3")], [cancelled, got("message", "3")], **CHILD)
    after_hello("a cancel between fragments, and nothing more",
                [frame("message", meta(NAMED, "[1"), 1, META | MORE), frame("cancel", id=1)], [cancelled], **CHILD)
    after_hello("the second cancel is late", [ask(), frame("cancel", id=1), frame("cancel", id=1)],
                [asked(), cancelled], **CHILD)
    after_hello("what comes after a cancel is late",
                [ask(), frame("cancel", id=1), frame("message", "2", 1), frame("failure", failure, 1),
                 frame("end", id=1), frame("credit", numbers(1, 1), 1), ask(3)],
                [asked(), cancelled, asked(3)], **CHILD)

    # Late frames

    answer, answered = frame("message", "1", 1), got("message", "1", 1)

    def late(name, *stream, **more):
        after_hello(f"late: {name}", [answer, *stream, frame("message", "0")], [answered, got("message", "0")],
                    **{**ASKED, **more})

    late("messages and binary messages", frame("bytes", b"\1", 1), frame("message", "2", 1, OPEN))
    late("a message begun and not finished", frame("bytes", b"\1", 1, MORE))
    late("a message begun, and one of another kind", frame("bytes", b"\1", 1, MORE), frame("message", "2", 1, MORE))
    late("a description that is none", frame("bytes", b"\xff", 1, META))
    late("a description in a second fragment", frame("bytes", b"\1", 1, MORE), frame("bytes", b"\xff", 1, META))
    late("descriptors", frame("bytes", b"\1", 1, descriptors=3))
    late("descriptors in a second fragment", frame("bytes", b"\1", 1, MORE), frame("bytes", b"\1", 1, descriptors=1))
    late("a failure", frame("failure", "{}", 1))
    late("an end", frame("end", id=1), frame("end", id=1))
    late("a cancel", frame("cancel", id=1))
    late("credit", frame("credit", numbers(2**63, 2**63), 1))
    late("more than the credit", *[frame("bytes", [Times("a", MOST)], 1)] * 2)
    late("a message over the limit", frame("bytes", [Times("a", FLOOR)], 1, MORE), frame("bytes", "a", 1), limit=FLOOR)
    late("an id of no message, after its end", frame("message", "2", 1), ids=0)
    for name, frames, error in (
        ("an unknown kind", frame(0x13, id=1), "unknownKind"),
        ("unknown flags", frame("message", "1", 1, 0x08), "unknownFlags"),
        ("OPEN with MORE", header("message", 1, id=1, flags=OPEN | MORE), "flagsNotAllowed"),
        ("MORE in an end", frame("end", id=1, flags=MORE), "flagsNotAllowed"),
        ("a cancel that is too long", header("cancel", 1, id=1), "wrongLength"),
        ("a fragment of no bytes", frame("bytes", id=1, flags=MORE), "emptyFragment"),
        ("254 descriptors", header("bytes", 1, id=1, descriptors=254), "handlesDoNotMatch"),
        ("descriptors with a failure", header("failure", 2, id=1, descriptors=1), "handlesDoNotMatch"),
    ):
        after_hello(f"late, and wrong by its header: {name}", [answer, frames], [answered], error=error, **ASKED)
    after_hello("a late frame cut in two", [answer, header("message", 2, id=1), raw("31")], [answered],
                at_end="truncated", **ASKED)
    after_hello("an end between the fragments of a late message", [answer, frame("message", "2", 1, MORE)],
                [answered], **ASKED)


# 7. Credit


def credit():
    def full(less=0, **more):
        """Four messages that cost what the window is, or a little less."""
        sizes = [MOST // 4 - COST] * 3 + [MOST // 4 - COST - less]
        return [frame("bytes", [Times("a", size)], **more) for size in sizes], [
            got("bytes", [Times("a", size)], id=more.get("id", 0)) for size in sizes]

    sent, read = full()
    after_hello("data up to the limit", sent, read)
    after_hello("data at the limit, told by its header", [*sent, header("bytes", 0)], read, error="overCredit")
    after_hello("a control frame at the limit", [*sent, frame("ping", numbers(1))], [*read, got("ping", numbers(1))])
    after_hello("another id where one is at its limit", [*sent, ask()], [*read, asked()], **CHILD)
    nearly, nearly_read = full(less=1)
    after_hello("a frame that begins one below the limit may have any size",
                [*nearly, frame("bytes", [Times("b", MOST)])], [*nearly_read, got("bytes", [Times("b", MOST)])])
    after_hello("a frame after one that went beyond the limit",
                [*nearly, frame("bytes", [Times("b", MOST)]), header("message", 1)],
                [*nearly_read, got("bytes", [Times("b", MOST)])], error="overCredit")
    after_hello("a wider window", [*sent, frame("message", "1")], [*read, got("message", "1")], window=MOST + 1)
    after_hello("a window that needs no credit", [*sent, frame("message", "1")], [*read, got("message", "1")],
                window=LARGEST)
    body = [Times("a", MOST)]
    after_hello("a first fragment of a whole window, and a second", [frame("bytes", body, flags=MORE),
                header("bytes", 1)], error="overCredit")
    after_hello("a message longer than the window, in a wider one",
                [frame("bytes", body, flags=MORE), frame("bytes", body)], [got("bytes", [Times("a", 2 * MOST)])],
                window=MOST + COST + 1)
    after_hello("a message longer than the window, in one a byte too narrow",
                [frame("bytes", body, flags=MORE), header("bytes", MOST)], error="overCredit", window=MOST + COST)

    count = MOST // (COST + 1)
    after_hello("a fragment of one byte costs 65: as many as the window has room for, and one more",
                [single_bytes(count), frame("bytes", "a")], [got("bytes", [Times("a", count + 1)])])
    after_hello("a fragment of one byte costs 65: two more", [single_bytes(count + 1), header("bytes", 0)],
                error="overCredit")

    body = [Times("a", MOST - COST - 2 - len(NAMED) - 1)]
    described = got("bytes", body, description={"name": "resize"})
    after_hello("a description costs its bytes and two: one below the limit",
                [frame("bytes", meta(NAMED, body), flags=META), frame("message", "1")],
                [described, got("message", "1")])
    body = [Times("a", MOST - COST - 2 - len(NAMED))]
    described = got("bytes", body, description={"name": "resize"})
    after_hello("a description costs its bytes and two: at the limit",
                [frame("bytes", meta(NAMED, body), flags=META), header("message", 1)], [described],
                error="overCredit")
    after_hello("a descriptor costs 4,096: below the limit",
                [frame("message", "1", descriptors=63), frame("message", "2", descriptors=1)],
                [got("message", "1", descriptors=63), got("message", "2", descriptors=1)])
    after_hello("a descriptor costs 4,096: above the limit", [frame("message", "1", descriptors=64),
                header("message", 1)], [got("message", "1", descriptors=64)], error="overCredit")

    sent = [frame("bytes", meta("{}", [Times("a", MOST - 10)]), 1, META | MORE)]
    after_hello("a conversation above its limit, told by the header", [*sent, header("bytes", 1, id=1)],
                error="overCredit", **CHILD)
    after_hello("a conversation above its limit, and another id goes on", [*sent, frame("message", "1"), ask(3)],
                [got("message", "1"), asked(3)], at_end="truncated", **CHILD)
    after_hello("a failure above the limit",
                [frame("bytes", meta("{}", [Times("a", MOST - 10)]), 1, META), header("failure", 2, id=1)],
                [got("bytes", [Times("a", MOST - 10)], 1, description={})], error="overCredit", **CHILD)
    after_hello("an end, a cancel and credit above the limit",
                [frame("bytes", meta("{}", [Times("a", MOST - 10)]), 1, META | OPEN), frame("end", id=1),
                 frame("credit", numbers(300_000, 0), 1), frame("cancel", id=1)],
                [got("bytes", [Times("a", MOST - 10)], 1, open=True, description={}), got("end", id=1),
                 got("credit", numbers(300_000, 0), 1), got("cancel", id=1)], **CHILD)

    after_hello("credit for id 0", [frame("credit", numbers(300_000, 511))], [got("credit", numbers(300_000, 511))])
    after_hello("credit as high as it can be", [frame("credit", numbers(2**64 - 1, 2**64 - 1))],
                [got("credit", numbers(2**64 - 1, 2**64 - 1))])
    after_hello("credit that is lower than before, and repeated",
                [frame("credit", numbers(300_000, 600)), frame("credit", numbers(0, 0)),
                 frame("credit", numbers(300_000, 600))],
                [got("credit", numbers(300_000, 600)), got("credit", numbers(0, 0)),
                 got("credit", numbers(300_000, 600))])
    after_hello("credit for a conversation of the reader's", [frame("credit", numbers(300_000, 0), 1)],
                [got("credit", numbers(300_000, 0), 1)], **ASKED)


# 8. Ping, 9. Abort


def pings_and_aborts():
    after_hello("a ping", [frame("ping", numbers(2**64 - 1))], [got("ping", numbers(2**64 - 1))])
    after_hello("two pings", [frame("ping", numbers(1)), frame("ping", numbers(2))],
                [got("ping", numbers(1)), got("ping", numbers(2))])
    after_hello("a pong that answers nothing", [frame("pong", numbers(1)), frame("message", "1")],
                [got("pong", numbers(1)), got("message", "1")])

    reason = {"code": "protocolViolation", "message": "why"}
    after_hello("an abort", [frame("abort", REASON)], [got("abort", REASON, reason=reason)])
    for code in ("", "notTaken", "x"):
        text = json.dumps({"code": code, "message": "y", "more": 1}, separators=(",", ":"))
        after_hello(f'an abort with the code "{code}"', [frame("abort", text)],
                    [got("abort", text, reason={"code": code, "message": "y"})])
    for name, body in (
        ("of no bytes", ""), ("that is not JSON", "why"), ("that is an array", "[]"),
        ("without a code", '{"message":"y"}'), ("without a message", '{"code":"x"}'),
        ("whose code is a number", '{"code":1,"message":"y"}'),
        ("whose message is null", '{"code":"x","message":null}'),
    ):
        after_hello(f"an abort {name}", [frame("abort", body)], [got("abort", body)])
    body = [Times(" ", MOST)]
    after_hello("an abort of 262,144 bytes, although messages may have 65,536", [frame("abort", body)],
                [got("abort", body)], limit=FLOOR)
    read = got("abort", REASON, reason=reason)
    after_hello("nothing is read after an abort", [frame("abort", REASON), frame("message", "1"), frame(0x99)], [read])
    after_hello("half a frame after an abort", [frame("abort", REASON), raw("0000")], [read])
    after_hello("an abort between two fragments", [frame("message", '"a', flags=MORE), frame("abort", REASON),
                frame("message", 'b"')], [read])
    after_hello("an abort after the end", [frame("end"), frame("abort", REASON)], [got("end"), read])


# 10. The end


def ends():
    after_hello("the end", [frame("end")], [got("end")])
    after_hello("a message and the end", [frame("message", "1"), frame("end")], [got("message", "1"), got("end")])
    for kind in ("message", "bytes"):
        after_hello(f"data after the end: {kind}", [frame("end"), header(kind, 1)], [got("end")], error="afterEnd")
    after_hello("a second end of id 0", [frame("end"), frame("end")], [got("end")], error="afterEnd")
    after_hello(
        "control frames after the end",
        [frame("end"), frame("ping", numbers(1)), frame("pong", numbers(1)), frame("credit", numbers(300_000, 600))],
        [got("end"), got("ping", numbers(1)), got("pong", numbers(1)), got("credit", numbers(300_000, 600))])
    after_hello("a conversation opened after the end", [frame("end"), header("message", 20, id=1, flags=META)],
                [got("end")], error="afterEnd", **CHILD)
    after_hello("data of a conversation whose last message has come, after the end",
                [ask(), frame("end"), header("message", 1, id=1)], [asked(), got("end")], error="afterEnd", **CHILD)
    after_hello("a failure of a conversation whose last message has come, after the end",
                [ask(), frame("end"), header("failure", 2, id=1)], [asked(), got("end")], error="afterEnd", **CHILD)
    after_hello("a cancel of a conversation whose last message has come, after the end",
                [ask(), frame("end"), frame("cancel", id=1)], [asked(), got("end"), got("cancel", id=1)], **CHILD)
    after_hello("credit for a conversation whose last message has come, after the end",
                [ask(), frame("end"), frame("credit", numbers(300_000, 0), 1)],
                [asked(), got("end"), got("credit", numbers(300_000, 0), 1)], **CHILD)
    after_hello("a conversation whose sender owes a message is over with the end, and what comes is late",
                [ask(flags=OPEN), frame("end"), frame("cancel", id=1), frame("credit", numbers(1, 0), 1),
                 frame("message", "1", 1)], [asked(open=True), got("end")], **CHILD)
    after_hello("a conversation without its answer is over with the end, and what comes is late",
                [frame("end"), frame("end", id=1), frame("failure", "{}", 1)], [got("end")], **ASKED)
    after_hello("a conversation in the middle of a message is over with the end",
                [frame("message", meta(NAMED, "[1"), 1, META | MORE), frame("end")], [got("end")], **CHILD)

    for count in (1, 3):
        vector(f"the stream ends after {count} of its bytes", [raw("00" * count)], at_end="truncated")
    vector("the stream ends inside the hello", [header("hello", len(HELLO)), raw(HELLO[:9].encode().hex())],
           at_end="truncated")
    for name, cut in (
        ("inside a length", "0000"), ("after a length", "00000010"), ("inside a header", "00000010 10 00 00"),
        ("inside an id", "00000010 10 00 0000 00000000000000"), ("after a header", "00000010 10 00 0000"
        " 0000000000000000"), ("inside a body", "00000010 10 00 0000 0000000000000000 313131"),
        ("inside a control frame", "00000014 03 00 0000 0000000000000000 00"),
    ):
        after_hello(f"the stream ends {name}", [raw(cut)], at_end="truncated")
    after_hello("the stream ends between fragments", [frame("message", '"a', flags=MORE)], at_end="truncated")
    after_hello("the stream ends between fragments, after a ping",
                [frame("message", '"a', flags=MORE), frame("ping", numbers(1))], [got("ping", numbers(1))],
                at_end="truncated")
    after_hello("the stream ends between fragments of a conversation",
                [frame("message", meta(NAMED, "[1"), 1, META | MORE)], at_end="truncated", **CHILD)
    after_hello("the stream ends between fragments of two messages, and inside a frame",
                [frame("message", '"a', flags=MORE), frame("message", meta(NAMED, "[1"), 1, META | MORE), raw("0000")],
                at_end="truncated", **CHILD)
    after_hello("the stream ends with conversations open", [ask(flags=OPEN), ask(3)], [asked(open=True), asked(3)],
                **CHILD)
    after_hello("the stream ends inside a frame after the end", [frame("end"), raw("00000014 03")], [got("end")])


# 11. Descriptors


def descriptors():
    after_hello("a message with two descriptors", [frame("message", '"take these"', descriptors=2)],
                [got("message", '"take these"', descriptors=2)])
    after_hello("253 descriptors, the most there may be, with the first fragment",
                [frame("bytes", b"\1", flags=MORE, descriptors=253), frame("bytes", b"\2")],
                [got("bytes", b"\1\2", descriptors=253)], window=2 * 1024 * 1024)
    after_hello("descriptors in a conversation", [ask(descriptors=1)], [asked(descriptors=1)], **CHILD)
    for count in (254, 256, 65_535):
        after_hello(f"{count:,} descriptors", [header("message", 1, descriptors=count)], error="handlesDoNotMatch")
    after_hello("descriptors with a fragment after the first",
                [frame("bytes", b"\1", flags=MORE, descriptors=1), header("bytes", 1, descriptors=1)],
                error="handlesDoNotMatch")
    vector("descriptors with a hello", [header("hello", len(HELLO), descriptors=1)], error="handlesDoNotMatch")
    for kind, size in (("abort", 2), ("ping", 8), ("pong", 8), ("credit", 16), ("end", 0)):
        after_hello(f"descriptors with a control frame: {kind}", [header(kind, size, descriptors=1)],
                    error="handlesDoNotMatch")
    after_hello("descriptors with a control frame: cancel", [ask(), header("cancel", 0, id=1, descriptors=1)],
                [asked()], error="handlesDoNotMatch", **CHILD)
    after_hello("descriptors with a failure", [ask(), header("failure", 2, id=1, descriptors=1)], [asked()],
                error="handlesDoNotMatch", **CHILD)


# 13. The order of the checks. Each frame has both mistakes


def orders():
    def both(first, second, stream, frames=(), hello=True, note="", **more):
        name = f"{first} comes before {second}" + (f": {note}" if note else "")
        if hello:
            after_hello(name, stream, frames, error=first, **more)
        else:
            vector(name, stream, frames, error=first, **more)

    both("lengthTooSmall", "unknownKind", [frame(0x99, length=11)])
    both("frameTooLong", "unknownKind", [frame(0x99, length=MOST + 13)])
    both("frameTooLong", "noHello", [raw("0004000d")], hello=False)
    both("frameTooLong", "messageTooLong", [header("message", MOST + 1)], limit=FLOOR)
    both("unknownKind", "unknownFlags", [frame(0x99, flags=0x80)])
    both("unknownKind", "noHello", [frame(0x99)], hello=False)
    both("unknownFlags", "noHello", [frame("message", "1", flags=0x80)], hello=False)
    both("unknownFlags", "repeatedHello", [frame("hello", HELLO, flags=0x80)])
    both("unknownFlags", "flagsNotAllowed", [frame("ping", numbers(1), flags=0x80 | MORE)])
    both("noHello", "flagsNotAllowed", [frame("ping", numbers(1), flags=MORE)], hello=False)
    both("repeatedHello", "flagsNotAllowed", [frame("hello", HELLO, flags=MORE)])
    both("noHello", "idNotAllowed", [frame("ping", numbers(1), id=1)], hello=False)
    both("repeatedHello", "badHello", [frame("hello", "{}")])
    both("flagsNotAllowed", "idNotAllowed", [frame("ping", numbers(1), id=1, flags=MORE)], note="a ping")
    both("flagsNotAllowed", "idNotAllowed", [frame("failure", "{}", flags=OPEN)], note="a failure")
    both("idNotAllowed", "wrongLength", [header("ping", 7, id=1)], note="a ping")
    both("idNotAllowed", "wrongLength", [header("cancel", 1)], note="a cancel")
    both("idNotAllowed", "emptyFragment", [header("failure", 0, flags=MORE)])
    both("flagsNotAllowed", "emptyFragment", [header("message", 0, id=1, flags=META | MORE | OPEN)], **CHILD)
    both("wrongLength", "handlesDoNotMatch", [header("ping", 7, descriptors=1)])
    both("idNotAllowed", "handlesDoNotMatch", [header("cancel", 0, descriptors=1)])
    both("emptyFragment", "handlesDoNotMatch", [header("message", 0, flags=MORE, descriptors=254)])
    both("wrongLength", "idNotOpened", [header("cancel", 1, id=1)], **CHILD)
    both("emptyFragment", "idNotOpened", [header("message", 0, id=3, flags=META | MORE)], **CHILD)
    both("handlesDoNotMatch", "idNotOpened", [header("message", 20, id=3, flags=META, descriptors=254)],
         note="a message", **CHILD)
    both("handlesDoNotMatch", "idNotOpened", [header("cancel", 0, id=3, descriptors=1)], note="a cancel", **CHILD)
    both("handlesDoNotMatch", "openedWithoutMeta", [header("failure", 2, id=1, descriptors=1)], **CHILD)
    both("handlesDoNotMatch", "afterEnd", [frame("end"), header("end", 0, descriptors=1)], [got("end")])
    both("idNotOpened", "tooManyIds", [header("message", 20, id=3, flags=META)], ids=0, **CHILD)
    both("idNotOpened", "openedWithoutMeta", [header("message", 1, id=3)], **CHILD)
    both("tooManyIds", "openedWithoutMeta", [header("message", 1, id=1)], ids=0, note="a message", **CHILD)
    both("tooManyIds", "openedWithoutMeta", [header("failure", 2, id=1)], ids=0, note="a failure", **CHILD)
    both("idNotOpened", "afterEnd", [frame("end"), header("message", 20, id=3, flags=META)], [got("end")], **CHILD)
    both("tooManyIds", "afterEnd", [frame("end"), header("message", 20, id=1, flags=META)], [got("end")], ids=0,
         **CHILD)
    both("openedWithoutMeta", "afterEnd", [frame("end"), header("message", 1, id=1)], [got("end")], **CHILD)
    whole = [Times("a", MOST)]
    both("afterEnd", "overCredit", [frame("bytes", whole), frame("end"), header("bytes", 1)],
         [got("bytes", whole), got("end")], note="id 0")
    whole = [Times("a", MOST - 20)]
    both("afterEnd", "overCredit", [frame("bytes", meta(NAMED, whole), 1, META), header("bytes", 1, id=1)],
         [got("bytes", whole, 1, description={"name": "resize"})], note="a conversation", **CHILD)
    both("afterEnd", "messageTooLong", [frame("end"), header("bytes", FLOOR + 1)], [got("end")], limit=FLOOR)
    both("afterEnd", "interruptedMessage", [ask(), frame("failure", "{", 1, MORE), header("message", 1, id=1)],
         [asked()], **CHILD)
    begun = frame("message", "1", flags=MORE)
    both("interruptedMessage", "flagsNotAllowed", [begun, header("bytes", 20, flags=META)])
    both("interruptedMessage", "handlesDoNotMatch", [begun, header("bytes", 1, descriptors=1)])
    both("flagsNotAllowed", "handlesDoNotMatch", [begun, header("message", 20, flags=META, descriptors=1)])
    whole = frame("bytes", [Times("a", MOST)], flags=MORE)
    both("interruptedMessage", "overCredit", [whole, header("message", 1)])
    both("flagsNotAllowed", "overCredit", [whole, header("bytes", 20, flags=META)])
    both("handlesDoNotMatch", "overCredit", [whole, header("bytes", 1, descriptors=1)])
    both("overCredit", "messageTooLong", [whole, header("bytes", 1)], limit=MOST)
    both("handlesDoNotMatch", "messageTooLong",
         [frame("bytes", [Times("a", FLOOR)], flags=MORE), header("bytes", 1, descriptors=1)], limit=FLOOR)
    both("overCredit", "badMeta",
         [frame("bytes", [Times("a", MOST)]), frame("message", b"\xff", flags=META)],
         [got("bytes", [Times("a", MOST)])])
    both("messageTooLong", "badMeta", [frame("message", "1", flags=MORE), header("message", FLOOR)], limit=FLOOR,
         note="in a frame without a description there is none to look at")
    both("badHello", "unsupportedVersion", [frame("hello", '{"version":{"major":2}}')], hello=False)
    both("unsupportedVersion", "badHello", [frame("hello", '{"version":{"major":2,"minor":0},"limits":0}')],
         hello=False, note="of the other members")
    both("badMeta", "messageTooLong",
         [frame("bytes", [b"\0\x02[]", Times("a", FLOOR + 1)], flags=META)], limit=FLOOR)


# 12. JSON


def json_texts():
    def good(name, body):
        payloads.append({"name": name, **text_of(body)})

    def bad(error, *texts):
        for name, body in texts:
            payloads.append({"name": name, **text_of(body), "error": error})

    def text_of(body):
        if isinstance(body, list):
            return {"parts": parts_of(pieces_of(body))}
        return {"body": body} if isinstance(body, str) else {"bodyHex": body.hex()}

    def nested(opening, closing, levels, inside=""):
        return [Times(opening, levels), *([inside] if inside else []), Times(closing, levels)]

    for name, body in (
        ("an object", '{"a":[1,true,null,"x"]}'),
        ("a scalar at the top", '"x"'),
        ("null", "null"),
        ("white space around", " \t\r\n 1 \n"),
        ("white space between", '{ "a" :\t[ 1 ,\r\n2 ] , "b" : { } , "c" : [ ] }'),
        ("every escape", '"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041"'),
        ("a surrogate pair", '"\\ud83d\\udc22"'),
        ("a surrogate pair in upper case", '"\\uD83D\\uDE00"'),
        ("an escaped backslash before what looks like a surrogate", '"\\\\ud800"'),
        ("a NUL, escaped", '"\\u0000"'),
        ("an empty key", '{"":0}'),
        ("keys that objects have of themselves elsewhere", '{"__proto__":1,"constructor":2,"toString":3}'),
        ("line separators and DEL in a string", '"\u2028\u2029\u007f"'),
        ("scalars that are no characters", '"\ufffe\uffff\U0010ffff"'),
        ("a byte order mark in a string", '"\ufeff"'),
        ("the smallest integer", "-9223372036854775808"),
        ("the largest integer", "18446744073709551615"),
        ("minus zero", "-0"),
        ("an integer that no double is, in 64 bits", "9007199254740993"),
        ("an integer beyond 64 bits that is the shortest form of a double", "18446744073709552000"),
        ("a negative integer beyond 64 bits that is the shortest form of a double", "-9223372036854776000"),
        ("an integer beyond 64 bits that JavaScript would write with an exponent", "1000000000000000000000"),
        ("an integer of 22 digits in the shortest form", "1234567890123456800000"),
        ("a large double", "1.7976931348623157e308"),
        ("a large double, rounded down to", "1.7976931348623158e308"),
        ("a small double", "5e-324"),
        ("a small double, rounded up to", "2.5e-324"),
        ("zero with a small exponent", "0e-999"),
        ("zero with a large exponent", "-0.0e999"),
        ("exponents with signs", "[1e5,1E+5,1e-5,1.5E5]"),
        ("a small number by digits and a large exponent", ["0.", Times("0", 400), "1e400"]),
        ("a number of many digits", ["1.", Times("3", 1000)]),
        ("keys that only normalization would make the same", '{"\u00e9":1,"e\u0301":2}'),
        ("brackets in a string are no levels", ['["', Times("[{", 600), '"]']),
        ("brackets after an escaped quotation mark are no levels", ['["\\"', Times("[", 600), '"]']),
        ("a thousand arrays beside each other", ["[", Times("[],", 1000), "{}]"]),
        ("512 levels", nested("[", "]", 512)),
        ("512 levels of objects", nested('{"a":', "}", 511, "{}")),
        ("512 levels of arrays and objects", nested('[{"a":', "}]", 256, "1")),
    ):
        good(name, body)

    bad("syntax", ("nothing", ""), ("white space only", "  "), ("cut off", '{"a":'), ("two values", "1 2"),
        ("a trailing comma", "[1,]"), ("a trailing comma in an object", '{"a":1,}'), ("a leading comma", "[,1]"),
        ("two commas", "[1,,2]"), ("a comma alone", "{,}"), ("no comma", "[1 2]"), ("no comma in an object",
        '{"a":1 "b":2}'), ("no colon", '{"a" 1}'), ("no value", '{"a"}'), ("a key that is a number", "{1:2}"),
        ("an array that is not closed", "[1"), ("an array closed by a brace", "[1}"), ("a bracket alone", "]"),
        ("a string that is not closed", '"a'), ("a string that ends in a backslash", '"a\\"'),
        ("single quotes", "'a'"), ("a comment", "1 // one"), ("a comment in between", "[1 /* one */]"),
        ("an unquoted key", "{a:1}"), ("NaN", "NaN"), ("Infinity", "-Infinity"), ("a leading zero", "01"),
        ("a leading zero after a minus sign", "-01"), ("a plus sign", "+1"), ("a minus sign alone", "-"),
        ("two minus signs", "--1"), ("a hexadecimal number", "0x10"), ("a fraction without digits", "1."),
        ("a fraction without digits, and an exponent", "1.e5"), ("a fraction without an integer", ".5"),
        ("an exponent without digits", "1e"), ("an exponent with a sign alone", "1e+"), ("digits apart", "1_000"),
        ("a capital literal", "True"), ("a literal cut off", "nul"), ("a literal that goes on", "nulls"),
        ("a raw newline in a string", '"a\nb"'), ("a raw tab in a string", '"a\tb"'),
        ("a raw U+001F in a string", '"\x1f"'), ("a raw NUL in a string", b'"\0"'), ("an unknown escape", '"\\x41"'),
        ("an escape with a plus sign", '"\\u+041"'), ("an escape with white space", '"\\u 041"'),
        ("an escape with three digits", '"\\u041"'), ("an escape in braces", '"\\u{41}"'),
        ("an escape with a letter too many", '"\\u00g0"'), ("an escape with a capital letter", '"\\U0041"'),
        ("a form feed as white space", "\f1"), ("a vertical tab as white space", "1\v"),
        ("a no-break space as white space", "\u00a01"), ("a byte order mark", b"\xef\xbb\xbf1"),
        ("a NUL after the value", b"1\0"))
    bad("invalidUTF8", ("a byte that UTF-8 never has", b'"\xff"'), ("an overlong form", b'"\xc0\xaf"'),
        ("an overlong form of three bytes", b'"\xe0\x80\xaf"'), ("an overlong form of four bytes",
        b'"\xf0\x80\x80\xaf"'), ("a surrogate as UTF-8", b'"\xed\xa0\x80"'), ("a pair of surrogates as UTF-8",
        b'"\xed\xa0\xbd\xed\xb0\xa2"'), ("a character cut short", b'"\xe2\x82"'),
        ("a continuation without a beginning", b'"\x80"'), ("above U+10FFFF", b'"\xf4\x90\x80\x80"'))
    bad("loneSurrogate", ("a lone high surrogate", '"\\ud800"'), ("a lone low surrogate", '"\\udc00"'),
        ("two high surrogates", '"\\ud800\\ud800"'), ("a pair in the wrong order", '"\\udc22\\ud83d"'),
        ("a high surrogate before another escape", '"\\ud83d\\u0041"'), ("a high surrogate before a character",
        '"\\ud83dA"'), ("a lone surrogate in upper case", '"\\uDBFF"'), ("a lone surrogate in a key",
        '{"\\ud800":1}'))
    bad("duplicateKey", ("the same key twice", '{"a":1,"a":1}'), ("the same empty key twice", '{"":1,"":2}'),
        ("the same key twice, once escaped", '{"a":1,"\\u0061":2}'),
        ("the same key twice, once as a surrogate pair", '{"\\ud83d\\udc22":1,"🐢":2}'),
        ("the same key twice, deep inside", '[{"x":{"k":1,"k":2}}]'),
        ("the same key twice, others between", '{"a":1,"b":2,"c":3,"a":4}'))
    bad("numberOutOfRange", ("an integer that no double is", "18446744073709551617"),
        ("2 to the 64th, in all its digits", "18446744073709551616"),
        ("a negative integer that no double is", "-9223372036854775809"),
        ("an integer of 22 digits that is not in the shortest form", "1234567890123456789012"),
        ("an integer of 400 digits", [Times("9", 400)]),
        ("an integer of 400 digits, most of them zeros", ["1", Times("0", 399)]),
        ("overflow", "1e309"), ("overflow below", "-1e309"), ("overflow by rounding", "1.7976931348623159e308"),
        ("underflow", "1e-400"), ("underflow from below", "-1e-400"), ("underflow by rounding", "2e-324"),
        ("underflow by digits", ["0.", Times("0", 400), "1"]), ("out of range, deep inside", '{"a":[1,{"b":1e999}]}'))
    bad("tooDeep", ("513 levels", nested("[", "]", 513)), ("513 levels of objects", nested('{"a":', "}", 512, "{}")),
        ("513 levels of arrays and objects", nested('[{"a":', "}]", 256, "[]")),
        ("a hundred thousand brackets", [Times("[", 100_000)]))


def text():
    """The text of the file."""
    streams.clear()
    payloads.clear()
    for section in (
        frames, messages, hellos, descriptions, ids, credit, pings_and_aborts, ends, descriptors, orders, json_texts,
    ):
        section()
    for vectors in (streams, payloads):
        names = [vector["name"] for vector in vectors]
        assert len(set(names)) == len(names), sorted(name for name in names if names.count(name) > 1)

    def lines(vectors):
        return ",\n".join("    " + json.dumps(vector, ensure_ascii=False) for vector in vectors)

    return ('{\n  "protocol": "native",\n  "version": {"major": 1, "minor": 0},\n'
            f'  "streams": [\n{lines(streams)}\n  ],\n  "payloads": [\n{lines(payloads)}\n  ]\n}}\n')


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
