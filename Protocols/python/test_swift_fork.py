"""Tests of swift_fork.py: every vector, its reader and its sender without a socket, and what goes over real ones.

python3 -m unittest discover Protocols/python
"""

import array
import contextlib
import faulthandler
import fcntl
import importlib.util
import json
import os
import resource
import socket
import subprocess
import sys
import termios
import threading
import time
import unittest
from pathlib import Path

import swift_fork
from swift_fork import (
    ABORT, BYTES, CANCEL, CREDIT, END, FAILURE, HELLO, MESSAGE, META, MORE, OPEN, PING, PONG, Channel, Conversations,
    Ended, Hello, MessageLost, Outgoing, ProtocolError, Reader, Refused, Sender,
)

HERE = Path(__file__).resolve().parent
PROTOCOLS = HERE.parent
VECTORS = json.loads((PROTOCOLS / "vectors/native-v1.json").read_text(encoding="utf-8"))
NAMES = {
    HELLO: "hello", ABORT: "abort", PING: "ping", PONG: "pong", CREDIT: "credit", CANCEL: "cancel", END: "end",
    MESSAGE: "message", BYTES: "bytes", FAILURE: "failure",
}
SECONDS = float(os.environ.get("TEST_SECONDS", 20))
WINDOW = swift_fork.DEFAULT_WINDOW


def setUpModule():
    # Whatever waits for ever says where, and fails.
    faulthandler.dump_traceback_later(max(40, 8 * SECONDS), exit=True)


def tearDownModule():
    faulthandler.cancel_dump_traceback_later()


# The vectors


def joined(parts):
    return b"".join(bytes.fromhex(part["hex"]) * part.get("repeat", 1) for part in parts)


def stream(vector):
    return joined(vector["parts"]) if "parts" in vector else bytes.fromhex(vector["hex"])


def body(item):
    if "body" in item:
        return item["body"].encode()
    return bytes.fromhex(item["bodyHex"]) if "bodyHex" in item else joined(item.get("bodyParts", ()))


def expected(vector):
    frames = []
    for frame in vector["frames"]:
        told = {"id": 0, "open": False, "descriptors": 0, "description": None, "reason": None, **frame}
        told["body"] = body(frame)
        told.pop("bodyHex", None)
        told.pop("bodyParts", None)
        frames.append(told)
    return frames, vector.get("error"), vector.get("atEnd")


def told(frame):
    """A frame as a vector tells of it."""
    reason = swift_fork.reason_of(frame.body) if frame.kind in (ABORT, FAILURE) else None
    description = frame.description and {
        name: value for name, value in vars(frame.description).items() if value is not None}
    return {
        "kind": NAMES[frame.kind], "id": frame.id, "body": bytes(frame.body), "open": frame.is_open,
        "descriptors": frame.descriptors, "description": description,
        "reason": reason and dict(zip(("code", "message"), reason)),
    }


def read(vector, pieces, **changes):
    """What a reader makes of a stream: frames, and the name of the error that ends it."""
    state = {"side": "parent", "limit": 67_108_864, "window": 262_144, "ids": 256, "opened": 0, **vector, **changes}
    conversations = Conversations(state["side"] == "child", state["window"], state["ids"])
    reader, frames = Reader(conversations, state["limit"]), []
    try:
        for piece in pieces:
            reader.feed(piece)
            while (frame := reader.next()) is not None:
                frames.append(told(frame))
                for _ in range(state["opened"] if frame.kind == HELLO else 0):
                    conversations.end_own(conversations.add_own())
    except ProtocolError as error:
        return frames, error.name, None
    try:
        reader.end()
    except ProtocolError as error:
        return frames, None, error.name
    return frames, None, None


class Vectors(unittest.TestCase):
    def expect(self, vector, pieces, **changes):
        # A plain comparison: unittest would take long to show how megabytes differ.
        got = read(vector, pieces, **changes)
        self.assertTrue(got == expected(vector), f"{len(got[0])} frames, {got[1:]}")

    def test_a_stream_that_comes_at_once(self):
        for vector in VECTORS["streams"]:
            with self.subTest(vector["name"]):
                self.expect(vector, [stream(vector)])

    def test_a_stream_that_comes_byte_by_byte(self):
        for vector in VECTORS["streams"]:
            data = stream(vector)
            # Long streams come in small pieces, whose size goes into no frame's.
            size = 1 if len(data) < 5000 else 251
            with self.subTest(vector["name"]):
                self.expect(vector, [data[at : at + size] for at in range(0, len(data), size)])

    def test_a_stream_that_is_cut_in_two(self):
        for vector in VECTORS["streams"]:
            data = stream(vector)
            places = 100 if len(data) < 20_000 else 10
            with self.subTest(vector["name"]):
                # The first frame of most is the same. Long streams are cut at some places only.
                for at in range(100 if len(data) > 300 else 0, len(data), max(1, len(data) // places)):
                    self.expect(vector, [data[:at], data[at:]])

    def test_a_vector_without_a_side_is_the_same_for_both(self):
        for vector in VECTORS["streams"]:
            if "side" not in vector:
                for side in ("parent", "child"):
                    with self.subTest(vector["name"], side=side):
                        self.expect(vector, [stream(vector)], side=side)

    def test_the_least_peer_can_read_what_has_no_side(self):
        for vector in VECTORS["streams"]:
            if "side" not in vector and vector.get("error") != "overCredit":
                with self.subTest(vector["name"]):
                    self.expect(vector, [stream(vector)], window=2**53 - 1, ids=0)

    def test_a_payload_is_taken_or_refused_for_its_reason(self):
        for vector in VECTORS["payloads"]:
            text = joined(vector["parts"]) if "parts" in vector else body(vector)
            with self.subTest(vector["name"]):
                if "error" in vector:
                    with self.assertRaises(swift_fork.JSONError) as caught:
                        swift_fork.decode_json(text)
                    self.assertEqual(caught.exception.name, vector["error"])
                else:
                    value = swift_fork.decode_json(text)
                    again = swift_fork.decode_json(swift_fork.encode_json(value))
                    self.assertEqual(repr(again), repr(value))

    def test_the_file_is_what_its_script_makes(self):
        specification = importlib.util.spec_from_file_location("make", PROTOCOLS / "vectors/make.py")
        make = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(make)
        self.assertTrue(make.text() == make.FILE.read_text(encoding="utf-8"), "run Protocols/vectors/make.py")

    def test_every_error_that_ends_the_channel_has_a_vector(self):
        # The rows of the first table in section 13.
        page = (PROTOCOLS / "native-v1.md").read_text(encoding="utf-8")
        table = page[page.index("### The channel ends") : page.index("### One message is lost")]
        rows = {line.split("`")[1] for line in table.splitlines() if line.startswith("| `")}
        errors = {vector.get("error", vector.get("atEnd")) for vector in VECTORS["streams"]}
        self.assertEqual(errors - {None}, rows)


# The schemas


TYPES = {"object": dict, "array": list, "string": str, "integer": int}


def fits(schema, value):
    """Whether a value is valid, by what the schemas here use of JSON Schema."""
    if "const" in schema and (value != schema["const"] or isinstance(value, bool)):
        return False
    if schema.get("type") == "integer" and isinstance(value, float) and value.is_integer():
        value = int(value)
    if "type" in schema and (not isinstance(value, TYPES[schema["type"]]) or isinstance(value, bool)):
        return False
    if not schema.get("minimum", 0) <= (value if isinstance(value, int) else 0) <= schema.get("maximum", 2**64):
        return isinstance(value, int) is False
    if isinstance(value, list):
        return all(fits(schema.get("items", {}), item) for item in value)
    if isinstance(value, dict):
        known = schema.get("properties", {})
        return all(name in value for name in schema.get("required", ())) and all(
            fits(known.get(name, schema.get("additionalProperties", {})), member) for name, member in value.items())
    return True


def schema(name):
    return json.loads((PROTOCOLS / f"schemas/{name}.schema.json").read_text(encoding="utf-8"))


class Schemas(unittest.TestCase):
    def test_hellos_fit_where_they_are_taken(self):
        for vector in VECTORS["streams"]:
            # The first frame, if it is a hello.
            data = stream(vector)
            if data[4:5] != b"\x01" or len(data) < 4 + int.from_bytes(data[:4], "big"):
                continue
            text = data[16 : 4 + int.from_bytes(data[:4], "big")]
            with self.subTest(vector["name"]), contextlib.suppress(swift_fork.JSONError):
                is_taken = bool(vector["frames"])
                if vector.get("error") in (None, "badHello", "unsupportedVersion") or is_taken:
                    self.assertEqual(fits(schema("hello"), swift_fork.decode_json(text)), is_taken)

    def test_reasons_and_descriptions_fit_where_they_can_be_read(self):
        for frame in [frame for vector in VECTORS["streams"] for frame in vector["frames"]]:
            if frame["kind"] in ("abort", "failure"):
                with self.subTest(frame), contextlib.suppress(swift_fork.JSONError):
                    value = swift_fork.decode_json(body(frame))
                    self.assertEqual(fits(schema(frame["kind"]), value), "reason" in frame)
            if "description" in frame:
                self.assertTrue(fits(schema("description"), frame["description"]))
        for text in ('{"name":1}', '{"timeout":-1}', '{"timeout":0.5}', '{"timeout":9007199254740992}', "[]",
                     '{"trace":[]}', '{"trace":{"a":1}}'):
            with self.subTest(text):
                self.assertFalse(fits(schema("description"), json.loads(text)))
                with self.assertRaises(ProtocolError):
                    swift_fork.Description.decoded(text.encode())

    def test_what_this_side_writes_fits(self):
        self.assertTrue(fits(schema("hello"), json.loads(Hello().encoded())))
        self.assertTrue(fits(schema("description"), json.loads(swift_fork.Description("a", 1, {"b": "c"}).encoded())))


class JSON(unittest.TestCase):
    def test_numbers_are_exact(self):
        for text, value in [
            ("-9223372036854775808", -(2**63)), ("18446744073709551615", 2**64 - 1), ("9007199254740993", 2**53 + 1),
            ("-0", -0.0), ("18446744073709552000", 2.0**64), ("-9223372036854776000", -(2.0**63)), ("1.0", 1.0),
            ("9223372036854776000", 9223372036854776000), ("0e-999", 0.0), ("2.5e-324", 5e-324),
        ]:
            self.assertEqual(repr(swift_fork.decode_json(text.encode())), repr(value))

    def test_what_json_cannot_say_is_not_sent(self):
        deep = []
        for _ in range(swift_fork.MOST_LEVELS):
            deep = [deep]
        numbers = [float("nan"), float("-inf"), 2**64, -(2**63) - 1]
        values = [*numbers, "\ud800", {1: 2}, {None: 1}, {"a": b""}, deep, {1, 2}]
        for value in values:
            with self.subTest(repr(value)[:40]), self.assertRaises(swift_fork.JSONError):
                swift_fork.encode_json(value)


# The reader and the sender, without a socket


def encoded(kind, body=b"", id=0, flags=0, descriptors=0):
    """A frame. A body that is longer than one may be makes several."""
    most = swift_fork.MOST_BODY
    if len(body) > most:
        rest = encoded(kind, body[most:], id, flags)
        return swift_fork.encode_frame(kind, body[:most], id, flags | MORE, descriptors) + rest
    return swift_fork.encode_frame(kind, body, id, flags, descriptors)


def with_meta(body, text=b'{"name":"ask"}'):
    return len(text).to_bytes(2, "big") + text + body


def two_numbers(*values):
    return swift_fork.TWO_NUMBERS.pack(*values)


class Frames:
    """Takes frames from bytes as they are, for tests."""

    def __init__(self):
        self.buffer = bytearray()

    def take(self, data):
        self.buffer += data
        frames = []
        while len(self.buffer) >= 16:
            length, kind, flags, descriptors, id = swift_fork.HEADER.unpack(self.buffer[:16])
            if len(self.buffer) < 4 + length:
                break
            frames.append((kind, flags, descriptors, id, bytes(self.buffer[16 : 4 + length])))
            del self.buffer[: 4 + length]
        return frames


class Pure(unittest.TestCase):
    """A side without a socket: what it reads and what it writes."""

    def setUp(self):
        self.side()

    def side(self, is_child=False, hello=None, **options):
        self.conversations = Conversations(is_child, **options)
        self.reader = Reader(self.conversations)
        self.sender = Sender(self.conversations, Hello())
        if hello:
            self.read(encoded(HELLO, hello.encoded()))

    def read(self, data):
        self.reader.feed(data)
        frames = []
        while frame := self.reader.next():
            frames.append(frame)
        return frames

    def write(self):
        frames = []
        while frame := self.sender.next():
            frames += Frames().take(frame[0])
            self.assertLess(len(frames), 10_000)
        return frames

    def bodies(self):
        return [(id, body) for kind, _, _, id, body in self.write() if kind in swift_fork.DATA]

    def put(self, data, conversation=None, kind=BYTES, **more):
        outgoing = Outgoing(kind, data, **more)
        self.sender.put(conversation or self.conversations.plain, outgoing)
        return outgoing


class Reading(Pure):
    def test_what_a_conversation_still_gets_when_it_is_given_up_is_late(self):
        self.side(is_child=True, hello=Hello())
        data = encoded(MESSAGE, with_meta(b"1"), 1, META | OPEN) + encoded(MESSAGE, b"22", 1)
        self.assertEqual(len(self.read(data[:-1])), 1)
        # The header has come and the body has not.
        self.sender.cancel(self.conversations.find(1))
        self.assertEqual(self.read(data[-1:] + encoded(MESSAGE, b"3", 1)), [])
        self.reader.end()

    def test_a_conversation_is_over_when_this_side_fails_it_or_both_have_ended(self):
        for kind in (FAILURE, MESSAGE):
            self.side(is_child=True, hello=Hello())
            self.read(encoded(MESSAGE, with_meta(b"1"), 1, META))
            self.put(b"{}", self.conversations.find(1), kind)
            self.write()
            self.assertIsNone(self.conversations.find(1))
            self.assertEqual(self.read(encoded(MESSAGE, b"2", 1)), [])

    def test_a_conversation_that_only_one_side_has_ended_is_not_over(self):
        self.side(is_child=True, hello=Hello())
        self.read(encoded(MESSAGE, with_meta(b"1"), 1, META | OPEN))
        self.put(b"1", self.conversations.find(1))
        self.write()
        self.assertEqual(len(self.read(encoded(MESSAGE, b"2", 1))), 1)
        self.assertIsNone(self.conversations.find(1))

    def test_what_this_side_owes_is_over_with_its_end(self):
        self.side(is_child=True, hello=Hello())
        self.read(encoded(MESSAGE, with_meta(b"1"), 1, META))
        self.sender.finish()
        self.assertEqual(self.write()[-1][0], END)
        self.assertEqual(self.read(encoded(MESSAGE, b"2", 1)), [])
        with self.assertRaises(ProtocolError):
            self.read(encoded(MESSAGE, b"3", 4))

    def test_an_end_of_the_other_side_tells_which_conversations_are_over(self):
        self.side(hello=Hello())
        self.conversations.end_own(self.conversations.add_own())
        self.conversations.add_own()
        self.read(encoded(MESSAGE, with_meta(b"1"), 2, META) + encoded(MESSAGE, with_meta(b"1"), 4, META | OPEN))
        end = self.read(encoded(END))[0]
        self.assertEqual([conversation.id for conversation in end.over], [1, 3, 4])

    def test_descriptors_of_what_is_dropped_are_closed(self):
        class Claimed:
            def close(self):
                closed.append(self)

        closed = []
        self.side(is_child=True, hello=Hello())
        self.reader._claim = lambda offset, count: Claimed()
        self.read(encoded(MESSAGE, with_meta(b"["), 1, META | MORE, 1) + encoded(CANCEL, id=1))
        self.assertEqual(len(closed), 1)
        self.read(encoded(MESSAGE, b"late", 1, 0, 2))
        self.assertEqual(len(closed), 2)

    def test_credit_is_a_limit_and_never_falls(self):
        self.side(hello=Hello())
        plain = self.conversations.plain
        for numbers, credit, highest in (
            ((300_000, 600), 300_000, 600), ((299_999, 601), 300_000, 601), ((300_001, 0), 300_001, 601),
        ):
            self.read(encoded(CREDIT, two_numbers(*numbers)))
            self.assertEqual((plain.credit, self.conversations.own_limit), (credit, highest))
        # The highest id counts even if the frame's own id is over.
        self.sender.cancel(self.conversations.add_own())
        self.assertEqual(self.read(encoded(CREDIT, two_numbers(500_000, 700), 1)), [])
        self.assertEqual((plain.credit, self.conversations.own_limit), (300_001, 700))


class Granting(Pure):
    def take(self, frame):
        self.conversations.take(frame.conversation, frame.cost)
        return self.conversations.grant(frame.conversation)

    def test_the_limit_is_raised_by_what_has_been_taken_for_every_half_of_a_window(self):
        self.side(hello=Hello())
        size = WINDOW // 4 - 64
        frames = self.read(encoded(BYTES, bytes(size)) * 4)
        self.assertEqual([self.take(frame) for frame in frames], [False, True, False, True])
        self.assertEqual(self.conversations.plain.granted, 2 * WINDOW)
        # That is room for four more, and no fifth.
        self.read(encoded(BYTES, bytes(size)) * 4)
        with self.assertRaises(ProtocolError):
            self.read(encoded(BYTES, b""))

    def test_what_is_taken_costs_what_its_frames_cost(self):
        self.side(hello=Hello())
        pieces = encoded(BYTES, with_meta(b"a"), 0, META | MORE, 3) + encoded(BYTES, b"b", 0, MORE) + encoded(BYTES)
        frame = self.read(pieces)[0]
        self.assertEqual(frame.cost, 3 * 64 + 3 * 4096 + 2 + len(with_meta(b"")))
        self.assertEqual(frame.cost, self.conversations.plain.received)

    def test_a_begun_message_is_granted_what_it_needs_and_counts_once(self):
        self.side(hello=Hello())
        plain, most = self.conversations.plain, swift_fork.MOST_BODY
        self.read(encoded(BYTES, bytes(most), 0, MORE))
        self.assertTrue(self.conversations.grant(plain, plain.begun.cost))
        self.assertEqual(plain.granted, WINDOW + 64 + most)
        frame = self.read(encoded(BYTES, b"1"))[0]
        self.assertFalse(self.take(frame))
        self.assertEqual(plain.taken, 64 + most + 65)

    def test_the_oldest_begun_message_comes_first(self):
        self.side(is_child=True, hello=Hello())
        begin = [encoded(MESSAGE, with_meta(b"["), id, META | MORE) for id in (1, 3)]
        self.read(begin[0] + begin[1] + encoded(MESSAGE, b"[", 0, MORE))
        self.assertEqual(list(self.conversations.begun), [1, 3, 0])
        self.read(encoded(MESSAGE, b"]", 3) + encoded(CANCEL, id=1))
        self.assertEqual(list(self.conversations.begun), [0])

    def test_the_highest_id_is_raised_when_conversations_are_over_and_their_ends_taken(self):
        self.side(is_child=True, hello=Hello(), ids=4)
        asks = [encoded(MESSAGE, with_meta(b"1"), id, META) for id in (1, 3, 5, 7)]
        frames = self.read(b"".join(asks))
        for frame in frames:
            self.take(frame)
        self.assertEqual(self.granted_ids(), [])
        cancels = self.read(encoded(CANCEL, id=1) + encoded(CANCEL, id=3))
        # The program does not know of it yet.
        self.assertEqual(self.granted_ids(), [])
        for cancel, highest in zip(cancels, (9, 11)):
            self.take(cancel)
            # The other side has none left, or one.
            self.assertEqual(self.granted_ids(), [highest])
        self.put(b"1", self.conversations.find(5))
        # It has two left.
        self.assertEqual(self.granted_ids(), [])
        self.put(b"{}", self.conversations.find(7), FAILURE)
        self.assertEqual(self.granted_ids(), [15])
        self.assertEqual(self.conversations.peers_limit, 15)

    def test_own_conversations_raise_nothing(self):
        self.side(hello=Hello(), ids=1)
        self.read(encoded(MESSAGE, with_meta(b"1"), 2, META))
        self.sender.cancel(self.conversations.add_own())
        self.assertEqual(self.granted_ids(), [])

    def granted_ids(self):
        frames = self.write()
        return [swift_fork.TWO_NUMBERS.unpack(body)[1] for kind, _, _, _, body in frames if kind == CREDIT]

    def test_credit_frames_carry_both_numbers_and_are_merged(self):
        self.side(is_child=True, hello=Hello(), ids=4)
        self.read(encoded(MESSAGE, with_meta(b"1"), 1, META | OPEN))
        plain, asked = self.conversations.plain, self.conversations.find(1)
        self.write()
        for granted in (300_000, 400_000):
            plain.granted = asked.granted = granted
            self.sender.credit(asked)
            self.sender.credit(plain)
        self.assertEqual(self.write(), [
            (CREDIT, 0, 0, 1, two_numbers(400_000, 7)), (CREDIT, 0, 0, 0, two_numbers(400_000, 7))])
        # For an id that is over there is none.
        self.sender.credit(asked)
        self.read(encoded(CANCEL, id=1))
        self.assertEqual(self.write(), [])

    def test_a_side_that_has_ended_gets_no_credit(self):
        self.side(is_child=True, hello=Hello())
        frame = self.read(encoded(BYTES, bytes(200_000)) + encoded(END))[0]
        self.assertFalse(self.take(frame))

    def test_the_widest_window_needs_no_credit(self):
        self.side(hello=Hello(), window=2**53 - 1)
        for frame in self.read(encoded(BYTES, bytes(swift_fork.MOST_BODY)) * 5):
            self.assertFalse(self.take(frame))


class Writing(Pure):
    def test_the_hello_goes_first_and_says_what_is_announced(self):
        self.put(b"1")
        self.sender.ping(bytes(8))
        frames = self.write()
        self.assertEqual([frame[0] for frame in frames], [HELLO, PING, BYTES])
        self.assertEqual(json.loads(frames[0][4]), {
            "version": {"major": 1, "minor": 0}, "features": ["handles"],
            "limits": {"message": 67_108_864, "window": 262_144, "ids": 256}})

    def test_before_the_hello_there_is_the_least_credit(self):
        size = WINDOW // 4 - 64
        for number in range(5):
            self.put(bytes(size))
        self.assertEqual(len(self.bodies()), 4)
        self.read(encoded(HELLO, Hello(window=WINDOW + 1).encoded()))
        self.assertEqual(len(self.bodies()), 1)

    def test_a_frame_may_begin_below_the_limit_and_go_beyond_it(self):
        self.side(hello=Hello())
        size = WINDOW // 4 - 64
        for data in (bytes(size), bytes(size), bytes(size), bytes(size - 1), bytes(1000), b"x"):
            self.put(data)
        self.assertEqual(len(self.bodies()), 5)
        offset = WINDOW - 1 + 1064
        self.read(encoded(CREDIT, two_numbers(offset, 0)))
        self.assertEqual(self.bodies(), [])
        self.read(encoded(CREDIT, two_numbers(offset + 1, 0)))
        self.assertEqual(self.bodies(), [(0, b"x")])

    def test_each_id_has_credit_of_its_own_and_control_frames_need_none(self):
        self.side(hello=Hello())
        self.put(bytes(WINDOW))
        self.put(b"stuck")
        self.write()
        asking = self.conversations.add_own()
        self.put(bytes(WINDOW), asking, description=b"{}", more=True)
        self.sender.ping(bytes(8))
        self.assertIn(PING, [frame[0] for frame in self.write()])
        self.assertGreaterEqual(asking.sent, WINDOW)
        # The end of a conversation is a control frame too.
        self.put(b"", asking, END)
        self.assertEqual(self.write(), [(END, 0, 0, asking.id, b"")])

    def test_descriptions_and_descriptors_cost(self):
        self.side(hello=Hello())
        self.put(b"12345", fds=(0, 1), description=b"{}")
        self.write()
        self.assertEqual(self.conversations.plain.sent, 64 + 2 + 2 + 5 + 2 * 4096)

    def test_a_long_message_is_cut_and_says_so(self):
        self.side(hello=Hello(ids=1))
        asking = self.conversations.add_own()
        data = os.urandom(2 * swift_fork.PIECE + 1)
        outgoing = self.put(data, asking, fds=(0,), description=b"{}", more=True)
        first = self.sender.next()
        self.assertEqual(Frames().take(first[0])[0][0], HELLO)
        sent = [self.sender.next() for _ in range(3)]
        self.assertEqual([(frame[1], frame[2]) for frame in sent], [((0,), None), ((), None), ((), outgoing)])
        frames = [Frames().take(frame[0])[0] for frame in sent]
        self.assertEqual([frame[1:4] for frame in frames], [(META | MORE, 1, 1), (MORE, 0, 1), (OPEN, 0, 1)])
        self.assertEqual(b"".join(frame[4] for frame in frames), b"\0\2{}" + data)

    def test_a_message_of_no_bytes_is_one_frame(self):
        self.side(hello=Hello())
        self.put(b"")
        self.put(b"x" * swift_fork.PIECE)
        self.assertEqual([frame[1:2] for frame in self.write()[1:]], [(0,), (0,)])

    def test_ids_take_turns_a_frame_each_and_each_keeps_its_order(self):
        self.side(hello=Hello())
        one, two = self.conversations.add_own(), self.conversations.add_own()
        self.put(b"a" * (2 * swift_fork.PIECE))
        self.put(b"b", one, description=b"{}", more=True)
        self.put(b"c", two, description=b"{}")
        self.put(b"d", one)
        self.put(b"e")
        self.assertEqual([(id, body[-1:]) for id, body in self.bodies()],
                         [(0, b"a"), (1, b"b"), (3, b"c"), (0, b"a"), (1, b"d"), (0, b"e")])

    def test_of_several_pings_the_latest_is_answered(self):
        self.side(hello=Hello())
        self.write()
        for number in (b"first ..", b"second .", b"third .."):
            self.sender.pong(number)
        self.assertEqual(self.write(), [(PONG, 0, 0, 0, b"third ..")])

    def test_the_end_comes_after_all_data_of_all_ids_and_control_frames_after_it(self):
        self.side(hello=Hello())
        self.put(bytes(WINDOW))
        self.put(b"stuck")
        asking = self.conversations.add_own()
        self.put(b"1", asking, description=b"{}")
        self.sender.finish()
        self.assertNotIn(END, [frame[0] for frame in self.write()])
        self.read(encoded(CREDIT, two_numbers(2 * WINDOW, 0)))
        self.assertEqual([frame[0] for frame in self.write()], [BYTES, END])
        self.sender.pong(bytes(8))
        self.assertEqual([frame[0] for frame in self.write()], [PONG])

    def test_what_is_queued_for_a_conversation_that_is_over_is_dropped(self):
        self.side(hello=Hello())
        asking = self.conversations.add_own()
        begun = self.put(bytes(2 * WINDOW), asking, description=b"{}")
        queued = self.put(b"x", asking)
        self.write()
        self.read(encoded(CANCEL, id=1))
        self.assertTrue(begun.is_dropped and queued.is_dropped)
        self.sender.finish()
        self.assertEqual([frame[0] for frame in self.write()], [END])

    def test_an_abort_is_the_last_frame_and_nothing_that_was_queued_goes_before_it(self):
        self.side(hello=Hello())
        self.write()
        self.put(b"1")
        self.sender.ping(bytes(8))
        self.sender.abort("x", "y")
        frames = self.write()
        self.assertEqual([frame[0] for frame in frames], [ABORT])
        self.assertEqual(json.loads(frames[0][4]), {"code": "x", "message": "y"})
        self.sender.finish()
        self.sender.ping(bytes(8))
        self.assertEqual(self.write(), [])

    def test_the_hello_goes_before_an_abort(self):
        self.sender.abort("x", "y")
        self.assertEqual([frame[0] for frame in self.write()], [HELLO, ABORT])

    def test_ids_are_opened_in_twos_and_no_further_than_is_allowed(self):
        for is_child, ids in ((False, [1, 3, 5]), (True, [2, 4, 6])):
            self.side(is_child=is_child)
            self.assertFalse(self.conversations.may_open())
            self.read(encoded(HELLO, Hello(ids=2).encoded()))
            opened = []
            while self.conversations.may_open():
                opened.append(self.conversations.add_own().id)
            self.assertEqual(opened, ids[:2])
            # The id of the other kind is not reached yet by one's own.
            self.read(encoded(CREDIT, two_numbers(0, ids[2] - 1)))
            self.assertFalse(self.conversations.may_open())
            self.read(encoded(CREDIT, two_numbers(0, ids[2])))
            self.assertEqual(self.conversations.add_own().id, ids[2])
            self.assertFalse(self.conversations.may_open())


# Over sockets


class Sockets(unittest.TestCase):
    def pair(self, left=None, right=None):
        first, second = socket.socketpair()
        channels = Channel(first, **(left or {})), Channel(second, is_child=True, **(right or {}))
        for channel in channels:
            self.addCleanup(channel.close)
        return channels

    def raw(self, hello=None, **options):
        """A parent's channel, and the bare socket at its other end: both hellos have been sent, the channel's read."""
        own, other = socket.socketpair()
        other.settimeout(SECONDS)
        channel = Channel(own, **options)
        self.addCleanup(other.close)
        self.addCleanup(channel.close)
        self.frames = Frames()
        self.assertEqual(self.next_frame(other)[0], HELLO)
        other.sendall(encoded(HELLO, (hello or Hello()).encoded()))
        return channel, other

    def next_frame(self, other, kinds=tuple(NAMES)):
        """The next frame of those kinds. None at the end of the stream."""
        while True:
            data = other.recv(1)
            if not data:
                return None
            for frame in self.frames.take(data):
                if frame[0] in kinds:
                    return frame

    def in_thread(self, action):
        thread = threading.Thread(target=action, daemon=True)
        thread.start()
        self.addCleanup(thread.join, SECONDS)
        return thread

    def receive(self, channel):
        return channel.receive(SECONDS)

    def assert_lost(self, channel, name):
        with self.assertRaises(MessageLost) as caught:
            self.receive(channel)
        self.assertEqual(caught.exception.name, name)
        return caught.exception

    def assert_error(self, channel, name):
        with self.assertRaises(ProtocolError) as caught:
            self.receive(channel)
        self.assertEqual(caught.exception.name, name)

    def assert_refused(self, error, action, *arguments, **options):
        with self.assertRaises(Refused) as caught:
            action(*arguments, **options)
        self.assertEqual(caught.exception.name, error)

    def wait_until(self, condition):
        deadline = time.monotonic() + SECONDS
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.001)


class Messages(Sockets):
    def test_values_and_bytes_go_both_ways_in_order(self):
        left, right = self.pair()
        for sender, receiver in ((left, right), (right, left)):
            for number in range(40):
                sender.send({"number": number, "text": "Grüße 🐢\u0000"})
            sender.send_bytes(b"\0\xff", name="raw")
            for number in range(40):
                message = self.receive(receiver)
                self.assertEqual(message.value, {"number": number, "text": "Grüße 🐢\u0000"})
                self.assertEqual((message.id, message.name, message.more), (0, None, False))
            message = self.receive(receiver)
            self.assertEqual((message.bytes, message.name), (b"\0\xff", "raw"))

    def test_a_message_of_many_windows_arrives_with_its_descriptors(self):
        left, right = self.pair()
        data = os.urandom(20 * WINDOW + 1)
        for sender, receiver in ((left, right), (right, left)):
            reading, writing = os.pipe()
            thread = self.in_thread(lambda: sender.send_bytes(data, [writing]))
            message = self.receive(receiver)
            thread.join(SECONDS)
            self.assertTrue(message.bytes == data)
            os.close(writing)
            os.write(message.fds[0], b"through the copy")
            os.close(message.fds[0])
            self.assertEqual(os.read(reading, 100), b"through the copy")
            self.assertEqual(os.read(reading, 100), b"")
            os.close(reading)

    def test_long_messages_of_several_ids_arrive_one_after_the_other(self):
        left, right = self.pair()
        data = os.urandom(5 * WINDOW)
        for _ in range(4):
            self.in_thread(lambda: left.open(data, name="long"))
        self.in_thread(lambda: left.send_bytes(data))
        for _ in range(5):
            self.assertTrue(self.receive(right).bytes == data)

    def test_more_than_the_window_waits_until_it_is_taken(self):
        left, right = self.pair()
        count, sent = 40, []
        data = bytes(WINDOW // 8)

        def send():
            for number in range(count):
                left.send_bytes(data)
                sent.append(number)

        self.in_thread(send)
        self.wait_until(lambda: len(sent) >= 8)
        time.sleep(0.1)
        # Eight cost a little more than a window.
        self.assertEqual(len(sent), 8)
        for _ in range(count):
            self.assertEqual(self.receive(right).bytes, data)

    def test_both_sides_may_send_what_the_windows_hold_before_either_receives(self):
        left, right = self.pair()
        for sender in (left, right):
            sender.send_bytes(bytes(WINDOW))
        for receiver in (left, right):
            self.assertEqual(len(self.receive(receiver).bytes), WINDOW)

    def test_credit_is_granted_while_the_other_side_does_not_read_and_nothing_is_lost(self):
        left, right = self.pair()
        numbers = list(range(30_000))
        for sender in (left, right):
            self.in_thread(lambda sender=sender: [sender.send(number) for number in numbers])
        got = []
        self.in_thread(lambda: got.extend(self.receive(left).value for _ in numbers))
        self.assertEqual([self.receive(right).value for _ in numbers], numbers)
        self.wait_until(lambda: len(got) == len(numbers))
        self.assertEqual(got, numbers)

    def test_what_is_sent_before_the_hello_keeps_to_what_every_hello_allows(self):
        own, other = socket.socketpair()
        other.settimeout(SECONDS)
        self.frames = Frames()
        with other, Channel(own) as channel:
            channel.send_bytes(bytes(65_536), [0])
            sent = []
            self.in_thread(lambda: sent.append(channel.send_bytes(bytes(65_537))))
            self.in_thread(lambda: sent.append(channel.open("ask", name="x")))
            for kind in (HELLO, BYTES):
                self.assertEqual(self.next_frame(other)[0], kind)
            time.sleep(0.1)
            self.assertEqual(sent, [])
            other.sendall(encoded(HELLO, Hello().encoded()))
            self.wait_until(lambda: len(sent) == 2)

    def test_descriptors_that_wait_for_credit_stay_here_when_the_hello_takes_none(self):
        own, other = socket.socketpair()
        other.settimeout(SECONDS)
        self.frames = Frames()
        with other, Channel(own) as channel:
            # What they cost is more than the least window.
            channel.send_bytes(b"", [0] * 64)
            refused = []
            self.in_thread(lambda: refused.append(self.assertRaises(Refused, channel.send, 1, [0])))
            self.wait_until(lambda: channel._conversations.plain.queue)
            other.sendall(encoded(HELLO, Hello(window=2**53 - 1, features=()).encoded()))
            self.wait_until(lambda: refused)
            channel.send("after")
            self.assertEqual(self.next_frame(other, [MESSAGE])[4], b'"after"')

    def test_a_message_over_the_limit_of_the_other_side_is_not_sent(self):
        channel, other = self.raw(Hello(limit=70_000))
        channel.send_bytes(bytes(70_000))
        self.assert_refused("messageTooLong", channel.send_bytes, bytes(70_001))

    def test_a_bad_message_is_lost_alone(self):
        channel, other = self.raw()
        other.sendall(encoded(MESSAGE, b"[1,]") + encoded(MESSAGE, b"1"))
        self.assert_lost(channel, "syntax")
        self.assertEqual(self.receive(channel).value, 1)

    def test_receiving_can_be_given_up(self):
        left, right = self.pair()
        with self.assertRaises(TimeoutError):
            right.receive(0.01)
        left.send(1)
        self.assertEqual(self.receive(right).value, 1)

    def test_what_is_announced_is_what_a_hello_may_say(self):
        for options in ({"limit": 65_535}, {"window": 262_143}, {"ids": -1}, {"limit": 2**53}):
            first, second = socket.socketpair()
            with first, second, self.assertRaises(ValueError):
                Channel(first, **options)


class ControlFrames(Sockets):
    def test_a_ping_is_answered_although_nobody_receives(self):
        left, right = self.pair()
        # More than the socket and the window hold.
        self.in_thread(lambda: right.send_bytes(bytes(4 * WINDOW)))
        self.assertLess(left.ping(SECONDS), SECONDS)
        self.assertLess(right.ping(SECONDS), SECONDS)
        self.assertEqual(len(self.receive(left).bytes), 4 * WINDOW)

    def test_the_answer_to_a_ping_has_its_bytes(self):
        channel, other = self.raw()
        other.sendall(encoded(PING, b"12345678"))
        self.assertEqual(self.next_frame(other), (PONG, 0, 0, 0, b"12345678"))

    def test_there_is_one_ping_at_a_time_and_other_pongs_answer_none(self):
        channel, other = self.raw()
        for _ in range(2):
            self.in_thread(lambda: channel.ping(SECONDS))
        first = self.next_frame(other)
        other.sendall(encoded(PONG, b"xxxxxxxx"))
        other.settimeout(0.1)
        with self.assertRaises(TimeoutError):
            self.next_frame(other)
        other.settimeout(SECONDS)
        other.sendall(encoded(PONG, first[4]))
        second = self.next_frame(other)
        self.assertEqual((first[0], second[0]), (PING, PING))
        self.assertNotEqual(first[4], second[4])
        other.sendall(encoded(PONG, second[4]))

    def test_a_mistake_is_answered_with_an_abort_after_what_came_before_it(self):
        channel, other = self.raw()
        other.sendall(encoded(MESSAGE, b"1") + encoded(MESSAGE, b"2") + encoded(0x77))
        self.assertEqual([self.receive(channel).value, self.receive(channel).value], [1, 2])
        self.assert_error(channel, "unknownKind")
        kind, flags, descriptors, id, body = self.next_frame(other)
        self.assertEqual((kind, flags, descriptors, id), (ABORT, 0, 0, 0))
        self.assertEqual(json.loads(body)["code"], "protocolViolation")
        self.assertIsNone(self.next_frame(other))
        self.assertIsNone(self.receive(channel))

    def test_an_abort_comes_after_the_frame_that_was_begun_and_drops_the_rest(self):
        channel, other = self.raw(Hello(window=2**53 - 1))
        other.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

        def send():
            with contextlib.suppress(swift_fork.Disconnected):
                channel.send_bytes(bytes(50_000_000))

        self.in_thread(send)
        # The socket is full, in the middle of a frame.
        self.wait_until(lambda: channel._writing)
        other.sendall(encoded(0x77))
        # Taking a little is no use to the channel before the abort waits for the socket.
        self.wait_until(lambda: channel._error)
        kinds = []
        while frame := self.next_frame_fast(other):
            kinds.append(frame[0])
        self.assertEqual(set(kinds[:-1]), {BYTES})
        self.assertEqual(kinds[-1], ABORT)
        self.assertLess(len(kinds), 100)
        self.assertEqual(self.frames.buffer, b"")

    def next_frame_fast(self, other):
        self.pending = getattr(self, "pending", [])
        while not self.pending:
            data = other.recv(65_536)
            if not data:
                return None
            self.pending += self.frames.take(data)
        return self.pending.pop(0)

    def test_an_abort_waits_a_short_while_and_no_longer(self):
        channel, other = self.raw(Hello(window=2**53 - 1))

        def send():
            with contextlib.suppress(swift_fork.Disconnected):
                channel.send_bytes(bytes(50_000_000))

        self.in_thread(send)
        self.wait_until(lambda: channel._writing)
        start = time.monotonic()
        other.sendall(encoded(0x77))
        self.assert_error(channel, "unknownKind")
        channel._thread.join(SECONDS)
        self.assertLess(time.monotonic() - start, 5)
        self.assertGreater(time.monotonic() - start, 0.5)

    def test_an_abort_over_the_hello_follows_this_sides_own(self):
        own, other = socket.socketpair()
        other.settimeout(SECONDS)
        self.frames = Frames()
        other.sendall(encoded(HELLO, b'{"version":{"major":2,"minor":0}}'))
        with other, Channel(own) as channel:
            self.assert_error(channel, "unsupportedVersion")
            self.assertEqual([self.next_frame(other)[0], self.next_frame(other)[0]], [HELLO, ABORT])

    def test_an_abort_is_reported_once_with_its_reason_and_answered_with_none(self):
        for body, code, message in (
            (b'{"code":"x","message":"why"}', "x", "why"), (b"{}", None, "the other side gave no reason"),
            (b'{"code":"","message":""}', "", ""),
        ):
            channel, other = self.raw()
            other.sendall(encoded(MESSAGE, b"1") + encoded(ABORT, body) + encoded(0x77))
            self.assertEqual(self.receive(channel).value, 1)
            with self.assertRaises(swift_fork.Aborted) as caught:
                self.receive(channel)
            self.assertEqual((caught.exception.code, str(caught.exception)), (code, message))
            self.assertIsNone(self.receive(channel))
            with self.assertRaises(swift_fork.Disconnected):
                channel.send(1)
            try:
                self.assertIsNone(self.next_frame(other))
            except ConnectionResetError:
                # It closed without reading what followed.
                pass


class Ends(Sockets):
    def test_what_was_sent_before_the_end_arrives_on_both_sides(self):
        left, right = self.pair()
        left.send(1)
        right.send(2)
        left.disconnect()
        right.send(3)
        self.assertEqual([message.value for message in right], [1])
        right.send(4)
        right.disconnect()
        self.assertEqual([message.value for message in left], [2, 3, 4])
        for channel in (left, right):
            with self.assertRaises(swift_fork.Disconnected):
                channel.send(5)

    def test_both_directions_can_be_filled_and_all_of_it_arrives(self):
        left, right = self.pair()
        data = os.urandom(6 * WINDOW)

        def finish(channel):
            channel.send_bytes(data)
            channel.send("last")
            channel.disconnect()

        for channel in (left, right):
            self.in_thread(lambda channel=channel: finish(channel))
        for channel in (left, right):
            self.assertTrue(self.receive(channel).bytes == data)
            self.assertEqual(self.receive(channel).value, "last")
            self.assertIsNone(self.receive(channel))

    def test_a_side_that_has_read_the_end_says_its_own_and_closes(self):
        channel, other = self.raw()
        other.sendall(encoded(END))
        self.assertIsNone(self.receive(channel))
        channel.send("more")
        channel.disconnect()
        self.assertEqual(self.next_frame(other)[0], MESSAGE)
        self.assertEqual(self.next_frame(other), (END, 0, 0, 0, b""))
        self.assertIsNone(self.next_frame(other))

    def test_control_frames_go_on_after_both_kinds_of_end(self):
        channel, other = self.raw()
        channel.disconnect()
        self.assertEqual(self.next_frame(other)[0], END)
        for number in (b"........", b":::::::."):
            other.sendall(encoded(PING, number))
            self.assertEqual(self.next_frame(other), (PONG, 0, 0, 0, number))

    def test_a_side_that_closes_without_reading_is_an_end(self):
        channel, other = self.raw()
        channel.send("never read")
        other.sendall(encoded(MESSAGE, b"1"))
        other.close()
        self.assertEqual(self.receive(channel).value, 1)
        self.assertIsNone(self.receive(channel))

    def test_a_stream_cut_short_is_told_of_after_what_was_whole_and_answered_with_nothing(self):
        channel, other = self.raw()
        other.sendall(encoded(MESSAGE, b"1") + encoded(MESSAGE, b"2")[:-1])
        other.shutdown(socket.SHUT_WR)
        self.assertEqual(self.receive(channel).value, 1)
        self.assert_error(channel, "truncated")
        self.assertIsNone(self.receive(channel))
        self.assertIsNone(self.next_frame(other))

    def test_who_waits_to_send_learns_that_nobody_reads(self):
        channel, other = self.raw()
        failed = []

        def send():
            try:
                channel.send_bytes(bytes(4 * WINDOW))
            except swift_fork.Disconnected:
                failed.append(True)

        thread = self.in_thread(send)
        self.wait_until(lambda: channel._conversations.plain.sent >= WINDOW)
        other.close()
        thread.join(SECONDS)
        self.assertEqual(failed, [True])

    def test_closing_leaves_no_descriptor_open(self):
        before = len(os.listdir("/proc/self/fd"))
        left, right = self.pair()
        left.send(1, [0, 1])
        right.send(2)
        self.receive(left)
        self.wait_until(lambda: right._events)
        left.close()
        right.close()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)


class Talks(Sockets):
    def test_a_question_and_its_answer_from_either_side(self):
        left, right = self.pair()
        for asker, asked, first in ((left, right, 1), (right, left, 2)):
            for id in (first, first + 2):
                self.assertEqual(asker.open([id], name="ask", timeout=5, trace={"a": "b"}), id)
                message = self.receive(asked)
                self.assertEqual((message.id, message.name, message.value, message.more), (id, "ask", [id], False))
                self.assertEqual((message.timeout, message.trace), (5, {"a": "b"}))
                self.assertTrue(asked.reply(id, b"bytes"))
                answer = self.receive(asker)
                self.assertEqual((answer.id, answer.bytes, answer.more, answer.name), (id, b"bytes", False, None))
                # It is over for both.
                self.assertFalse(asked.reply(id, 1))
                self.assertFalse(asker.fail(id, "x", "y"))
                asker.cancel(id)

    def test_a_conversation_of_many_messages(self):
        left, right = self.pair()
        id = left.open(0, more=True)
        for number in range(1, 5):
            left.reply(id, number, more=True)
        left.end(id)
        got = [self.receive(right) for _ in range(6)]
        self.assertEqual([message.value for message in got[:5]], [0, 1, 2, 3, 4])
        self.assertTrue(all(message.more and message.id == id for message in got[:5]))
        self.assertEqual((got[5].id, got[5].why), (id, "end"))
        right.reply(id, "a", more=True)
        right.reply(id, "z")
        self.assertEqual([(m.value, m.more) for m in (self.receive(left), self.receive(left))],
                         [("a", True), ("z", False)])

    def test_a_failure_ends_a_conversation_with_a_reason(self):
        left, right = self.pair()
        id = left.open(0)
        self.receive(right)
        self.assertTrue(right.fail(id, "tooBusy", "later"))
        ended = self.receive(left)
        self.assertIsInstance(ended, Ended)
        self.assertEqual((ended.id, ended.why, ended.code, ended.message), (id, "failure", "tooBusy", "later"))
        self.assertFalse(right.reply(id, 1))

    def test_a_failure_may_follow_a_last_message_and_may_be_unreadable(self):
        channel, other = self.raw()
        data = encoded(MESSAGE, with_meta(b"1"), 2, META) + encoded(FAILURE, b"why", 2)
        other.sendall(data)
        self.assertEqual(self.receive(channel).value, 1)
        ended = self.receive(channel)
        self.assertEqual((ended.why, ended.code, ended.message), ("failure", None, None))

    def test_a_cancel_ends_a_conversation_for_both(self):
        left, right = self.pair()
        id = left.open(0)
        self.receive(right)
        left.cancel(id)
        ended = self.receive(right)
        self.assertEqual((ended.id, ended.why), (id, "cancel"))
        self.assertFalse(right.reply(id, 1))

    def test_a_reply_that_comes_late_is_dropped_with_its_descriptors(self):
        left, right = self.pair()
        id = left.open(0)
        self.receive(right)
        before = len(os.listdir("/proc/self/fd"))
        with left._changed:
            # The reply crosses the cancel.
            left._sender.cancel(left._conversations.find(id))
            self.assertTrue(right.reply(id, "late", fds=[0, 1, 2]))
            left._write()
        right.send("after")
        self.assertEqual(self.receive(left).value, "after")
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_cancelling_in_a_loop_opens_no_more_than_is_allowed(self):
        left, right = self.pair(right={"ids": 4})
        opened = []

        def ask():
            with contextlib.suppress(swift_fork.Disconnected):
                for _ in range(20):
                    opened.append(left.open(0))
                    left.cancel(opened[-1])

        self.in_thread(ask)
        self.wait_until(lambda: len(opened) == 4)
        time.sleep(0.1)
        self.assertEqual(opened, [1, 3, 5, 7])
        # A message and a cancel each.
        for _ in range(40):
            self.receive(right)
        self.wait_until(lambda: len(opened) == 20)
        self.assertEqual(opened, list(range(1, 40, 2)))

    def test_one_id_is_opened_again_and_again(self):
        left, right = self.pair(right={"ids": 1})

        def answer():
            for message in right:
                right.reply(message.id, message.value)

        self.in_thread(answer)
        for number in range(50):
            self.assertEqual(left.open(number), 2 * number + 1)
            self.assertEqual(self.receive(left).value, number)
        left.disconnect()

    def test_a_conversation_goes_on_beside_one_that_has_no_credit(self):
        left, right = self.pair()
        self.in_thread(lambda: left.send_bytes(bytes(3 * WINDOW)))
        self.wait_until(lambda: left._conversations.plain.sent >= WINDOW)
        id = left.open("quick")
        self.assertEqual(self.receive(right).value, "quick")
        right.reply(id, "answer")
        self.assertEqual(self.receive(left).value, "answer")
        self.assertEqual(len(self.receive(right).bytes), 3 * WINDOW)

    def test_a_side_that_takes_no_conversations_is_asked_nothing(self):
        channel, other = self.raw(Hello(ids=0))
        self.assert_refused("tooManyIds", channel.open, 1)

    def test_what_can_not_be_said_is_refused(self):
        left, right = self.pair()
        id = left.open(0)
        self.assert_refused("afterEnd", left.reply, id, 1)
        self.assert_refused("afterEnd", left.end, id)
        self.assert_refused("idNotOpened", left.reply, 3, 1)
        self.assert_refused("idNotAllowed", left.cancel, 0)
        self.assert_refused("idNotAllowed", left.reply, 0, 1)
        self.assert_refused("badMeta", left.open, 0, name=1)
        self.assert_refused("badMeta", left.open, 0, timeout=-1)
        self.assert_refused("badMeta", left.open, 0, name="n" * 65_536)
        # Nothing of all that has used a number.
        self.assertEqual(left.open(0), 3)

    def test_a_lost_question_fails_and_a_lost_answer_is_cancelled(self):
        channel, other = self.raw()
        other.sendall(encoded(MESSAGE, with_meta(b"[1,]"), 2, META))
        self.assertEqual(self.assert_lost(channel, "syntax").id, 2)
        kind, flags, _, id, body = self.next_frame(other)
        self.assertEqual((kind, id, json.loads(body)["code"]), (FAILURE, 2, "syntax"))
        self.assertEqual(channel.open(1, more=True), 1)
        self.assertEqual(self.next_frame(other)[0], MESSAGE)
        other.sendall(encoded(MESSAGE, b"[1,]", 1, OPEN))
        self.assertEqual(self.assert_lost(channel, "syntax").id, 1)
        self.assertEqual(self.next_frame(other), (CANCEL, 0, 0, 1, b""))

    def test_conversations_end_with_the_other_side(self):
        left, right = self.pair()
        answered, unanswered = left.open(0), left.open(1)
        self.receive(right)
        self.receive(right)
        right.reply(answered, "yes")
        right.disconnect()
        self.assertEqual(self.receive(left).value, "yes")
        ended = self.receive(left)
        self.assertEqual((ended.id, ended.why), (unanswered, "disconnected"))
        with self.assertRaises(swift_fork.Disconnected):
            left.open(2)
        # What goes the other way is not over.
        left.send("still")
        self.assertEqual(self.receive(right).value, "still")

    def test_a_child_answers_what_has_come_before_the_end(self):
        left, right = self.pair()
        id = left.open("ask")
        left.disconnect()
        for message in right:
            self.assertTrue(right.reply(message.id, "answer"))
        right.disconnect()
        answer = self.receive(left)
        self.assertEqual((answer.id, answer.value), (id, "answer"))
        self.assertIsNone(self.receive(left))


class Descriptors(Sockets):
    def test_descriptors_find_their_messages_among_others(self):
        left, right = self.pair()
        pipes = [os.pipe() for _ in range(6)]

        def send():
            for number in range(200):
                left.send(number, [end for pair in pipes[: number % 4] for end in pair])

        self.in_thread(send)
        for number in range(200):
            message = self.receive(right)
            self.assertEqual((message.value, len(message.fds)), (number, 2 * (number % 4)))
            for fd, own in zip(message.fds, [end for pair in pipes for end in pair]):
                self.assertEqual(os.fstat(fd).st_ino, os.fstat(own).st_ino)
                self.assertFalse(os.get_inheritable(fd))
                os.close(fd)
        for end in [end for pair in pipes for end in pair]:
            os.close(end)

    def test_a_message_takes_253_descriptors_and_no_more(self):
        left, right = self.pair()
        left.send("many", [0] * 253)
        message = self.receive(right)
        self.assertEqual(len(message.fds), 253)
        for fd in message.fds:
            os.close(fd)
        self.assert_refused("handlesDoNotMatch", left.send, "too many", [0] * 254)
        with self.assertRaises(OSError):
            left.send("closed", [message.fds[0]])
        left.send("still there")
        self.assertEqual(self.receive(right).value, "still there")

    def test_a_side_that_takes_no_descriptors_loses_the_message_alone(self):
        first, second = socket.socketpair()
        left = Channel(first)
        self.addCleanup(left.close)
        # It has not heard yet that the other side takes none.
        left.send("before", [0])
        left.send("after")
        right = Channel(second, takes_handles=False, is_child=True)
        self.addCleanup(right.close)
        self.assert_lost(right, "handlesNotTaken")
        self.assertEqual(self.receive(right).value, "after")
        self.wait_until(lambda: left.peer)
        self.assert_refused("handlesNotTaken", left.send, "never", [0])

    def test_a_lost_message_takes_its_descriptors_with_it(self):
        channel, other = self.raw()
        before = len(os.listdir("/proc/self/fd"))
        self.send_with(other, encoded(MESSAGE, b"[1,]", 0, 0, 2), 2)
        self.assert_lost(channel, "syntax")
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_a_message_whose_descriptors_find_no_room_is_lost_alone(self):
        left, right = self.pair()
        left.send("first")
        self.assertEqual(self.receive(right).value, "first")
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        with open(os.devnull) as highest:
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest.fileno() + 1, limits[1]))
            try:
                left.send("hands full", [0, 1, 2])
                left.send("after")
                self.assert_lost(right, "handlesLost")
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        self.assertEqual(self.receive(right).value, "after")

    def test_descriptors_that_do_not_match_end_the_channel(self):
        for announced, sent in ((0, 1), (2, 1), (1, 2), (1, 0)):
            before = len(os.listdir("/proc/self/fd"))
            channel, other = self.raw()
            self.send_with(other, encoded(MESSAGE, b"1", 0, 0, announced), sent)
            with self.subTest(announced=announced, sent=sent):
                self.assert_error(channel, "handlesDoNotMatch")
                channel._thread.join(SECONDS)
                # All that came has been closed, and the channel's own socket too.
                self.assertEqual(len(os.listdir("/proc/self/fd")), before + 1)

    def test_descriptors_with_a_later_byte_end_the_channel_wherever_that_is(self):
        # Inside the length, the kind, the count and the id of the header, and inside the body.
        for at in (1, 3, 4, 5, 7, 8, 15, 16, 20):
            for announced in (0, 1):
                self.assert_stray(encoded(MESSAGE, b'"abcdefgh"', 0, 0, announced), at)

    def test_descriptors_with_control_frames_and_between_fragments_end_the_channel(self):
        self.assert_stray(encoded(PING, bytes(8)), 0)
        self.assert_stray(encoded(CREDIT, two_numbers(0, 0)), 0)
        first = encoded(MESSAGE, b'"abcd', 0, MORE)
        self.assert_stray(first + encoded(MESSAGE, b'efgh"'), len(first))

    def assert_stray(self, data, at):
        """Descriptors that come with the byte there are a mistake, wherever the sender says that they belong."""
        channel, other = self.raw()
        other.sendall(data[:at])
        self.wait_until(lambda: channel.peer and self.has_read_all(other))
        with contextlib.suppress(BrokenPipeError):
            self.send_with(other, data[at:], 1)
        with self.subTest(data, at=at), self.assertRaises(ProtocolError) as caught:
            # The message itself may be whole, and come before.
            self.assertEqual(self.receive(channel).value, "abcdefgh")
            self.assertIsNone(self.receive(channel))
        self.assertEqual(caught.exception.name, "handlesDoNotMatch")
        channel._thread.join(SECONDS)

    def has_read_all(self, other):
        """Whether nothing of what was sent waits in the socket: the other end's queue is empty."""
        left = array.array("i", [0])
        fcntl.ioctl(other, termios.TIOCOUTQ, left)
        return left[0] == 0

    def send_with(self, other, data, count):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0] * count))] if count else []
        other.sendmsg([data], rights)

    def test_descriptors_go_with_conversations(self):
        left, right = self.pair()
        id = left.open("take", fds=[0])
        message = self.receive(right)
        right.reply(id, "back", fds=message.fds)
        answer = self.receive(left)
        self.assertEqual(os.fstat(answer.fds[0]).st_ino, os.fstat(0).st_ino)
        for fd in (*message.fds, *answer.fds):
            os.close(fd)


class Processes(unittest.TestCase):
    def fork(self, **options):
        # The child imports swift_fork from where this file is.
        child = swift_fork.fork(sys.executable, [str(HERE / "peer.py")], **options)
        self.addCleanup(child.__exit__, None, None, None)
        return child

    def test_a_child_echoes_takes_the_limit_and_ends_with_its_parent(self):
        child = self.fork(limit=70_000)
        child.channel.send(["one", 2])
        self.assertEqual(child.channel.receive(SECONDS).value, ["one", 2])
        self.assertEqual(child.channel.peer.limit, 70_000)
        reading, writing = os.pipe()
        child.channel.send("take this", [writing])
        echo = child.channel.receive(SECONDS)
        self.assertEqual(os.fstat(echo.fds[0]).st_ino, os.fstat(writing).st_ino)
        for fd in (reading, writing, *echo.fds):
            os.close(fd)
        child.channel.disconnect()
        self.assertIsNone(child.channel.receive(SECONDS))
        self.assertEqual(child.process.wait(SECONDS), 0)

    def test_a_child_that_is_killed_is_an_end(self):
        child = self.fork()
        child.channel.send(1)
        self.assertEqual(child.channel.receive(SECONDS).value, 1)
        child.process.kill()
        self.assertIsNone(child.channel.receive(SECONDS))

    def test_the_peer_echoes_in_conversations(self):
        child = self.fork()
        first = child.channel.open("a", name="ask", more=True)
        child.channel.reply(first, b"b")
        second = child.channel.open("c", more=True)
        got = [child.channel.receive(SECONDS) for _ in range(3)]
        self.assertEqual([(m.id, m.value or m.bytes, m.more) for m in got],
                         [(first, "a", True), (first, b"b", False), (second, "c", True)])
        child.channel.end(second)
        ended = child.channel.receive(SECONDS)
        self.assertEqual((ended.id, ended.why), (second, "end"))
        child.channel.send({"$ask": "request", "value": 7})
        question = child.channel.receive(SECONDS)
        self.assertEqual((question.id, question.value), (2, 7))
        child.channel.reply(2, "seven")
        self.assertEqual(child.channel.receive(SECONDS).value, {"answer": "seven"})

    def test_a_farewell_arrives(self):
        child = self.fork()
        child.channel.send({"$ask": "farewell", "count": 20_000})
        for number in range(20_000):
            self.assertEqual(child.channel.receive(SECONDS).value, number)
        self.assertIsNone(child.channel.receive(SECONDS))
        self.assertEqual(child.process.wait(SECONDS), 0)

    def test_the_variables_are_gone_as_soon_as_they_were_read(self):
        script = ("import os, swift_fork as s; c = s.connect(); "
                  "c.send([os.environ.get(s.VARIABLE), os.environ.get(s.LIMIT_VARIABLE), c._reader.limit])")
        for wanted, limit in (
            ("65536", 65_536), ("9007199254740991", 2**53 - 1), ("70000000", 70_000_000), ("65535", 67_108_864),
            ("9007199254740992", 67_108_864), ("", 67_108_864), ("-1", 67_108_864), ("1e6", 67_108_864),
            (None, 67_108_864),
        ):
            env = {**os.environ, "PYTHONPATH": str(HERE)}
            own, other = socket.socketpair()
            env.update({swift_fork.VARIABLE: str(other.fileno())})
            env.update({} if wanted is None else {swift_fork.LIMIT_VARIABLE: wanted})
            with Channel(own) as channel, other, self.subTest(wanted):
                process = subprocess.Popen([sys.executable, "-c", script], env=env, pass_fds=[other.fileno()])
                self.assertEqual(channel.receive(SECONDS).value, [None, None, limit])
                self.assertEqual(process.wait(SECONDS), 0)

    def test_a_child_may_take_less_than_its_parent_wants(self):
        script = "import swift_fork as s; c = s.connect(limit={}); c.send(c._reader.limit)"
        for own, limit in ((70_000, 70_000), (200_000, 100_000)):
            env = {**os.environ, "PYTHONPATH": str(HERE)}
            with swift_fork.fork(sys.executable, ["-c", script.format(own)], limit=100_000, env=env) as child:
                self.assertEqual(child.channel.receive(SECONDS).value, limit)

    def test_a_parent_without_a_limit_hands_none_on(self):
        script = "import os, swift_fork as s; v = s.LIMIT_VARIABLE in os.environ; s.connect().send(v)"
        env = {**os.environ, "PYTHONPATH": str(HERE), swift_fork.LIMIT_VARIABLE: "65536"}
        with swift_fork.fork(sys.executable, ["-c", script], env=env) as child:
            self.assertIs(child.channel.receive(SECONDS).value, False)

    def test_a_channel_that_has_the_number_of_a_standard_stream_is_moved(self):
        script = "import swift_fork as s; c = s.connect(); print('printed', flush=True); c.send(c._socket.fileno() > 2)"
        own, other = socket.socketpair()
        with Channel(own) as channel:
            env = {**os.environ, "PYTHONPATH": str(HERE), swift_fork.VARIABLE: "1"}
            process = subprocess.Popen([sys.executable, "-c", script], env=env, stdout=other)
            other.close()
            self.assertIs(channel.receive(SECONDS).value, True)
            self.assertIsNone(channel.receive(SECONDS))
            self.assertEqual(process.wait(SECONDS), 0)

    def test_the_channel_is_close_on_exec(self):
        script = ("import os, subprocess, swift_fork as s; c = s.connect(); n = c._socket.fileno(); "
                  "c.send([os.get_inheritable(n), os.get_blocking(n)])")
        env = {**os.environ, "PYTHONPATH": str(HERE)}
        with swift_fork.fork(sys.executable, ["-c", script], env=env) as child:
            self.assertIs(child.channel.receive(SECONDS).value[0], False)

    def test_a_program_that_nobody_forked_has_no_channel(self):
        for value in (None, "", "x", "-1", "99", "0"):
            env = {key: text for key, text in os.environ.items() if key != swift_fork.VARIABLE}
            env.update({} if value is None else {swift_fork.VARIABLE: value})
            script = "import os, swift_fork as s; print(s.connect(), s.VARIABLE in os.environ, os.fstat(0) and 1)"
            result = subprocess.run(
                [sys.executable, "-c", script], env=env, cwd=HERE, stdin=subprocess.DEVNULL, capture_output=True,
                text=True, timeout=SECONDS)
            self.assertEqual(result.stdout, "None False 1\n")


if __name__ == "__main__":
    unittest.main()
